// SPDX-License-Identifier: GPL-3.0-or-later
/* Text and times: from what a disc holds to what Linux shows. */
#include "fs/iso9660/internal.h"

#include <string.h>

size_t iso_name_plain(const uint8_t *name, size_t len, bool raw, char *out)
{
	size_t n;

	if (raw) {
		memcpy(out, name, len);
		return len;
	}
	for (n = 0; n < len && name[n]; n++) {
		uint8_t c = name[n];
		size_t left = len - n;

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		/* Version 1 is not shown, nor the dot of a name without an extension before it. */
		if (left == 3 && c == '.' && name[n + 1] == ';' && name[n + 2] == '1')
			break;
		if (left == 2 && c == ';' && name[n + 1] == '1')
			break;
		out[n] = c == ';' || c == '/' ? '.' : (char)c;
	}
	return n;
}

size_t iso_name_joliet(const uint8_t *name, size_t len, char *out)
{
	size_t n = vd_utf16_text(name, len, out, VD_FS_NAME_MAX);

	for (size_t i = 0; i < n; i++)
		if (out[i] == '/')
			out[i] = '_';
	if (n > 2 && out[n - 2] == ';' && out[n - 1] == '1')
		n -= 2;
	while (n >= 2 && out[n - 1] == '.')
		n--;
	return n;
}

/* Bytes of the UTF-8 sequence at @p, 0 when there is none: overlong forms and surrogates are none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = *p < 0x80   ? 1
		   : *p < 0xc2 ? 0
		   : *p < 0xe0 ? 2
		   : *p < 0xf0 ? 3
		   : *p < 0xf5 ? 4
			       : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void iso_text(const uint8_t *in, size_t len, bool utf16, char *out, size_t size)
{
	size_t n = 0, start = 0;

	if (utf16) {
		n = vd_utf16_text(in, len, out, size - 1);
	} else {
		for (size_t i = 0; i < len && in[i] && n + 4 < size;) {
			size_t seq = utf8_len(in + i, len - i);

			/* What is not UTF-8 is taken for Latin-1. */
			if (!seq) {
				n += vd_utf8_put(in[i++], out + n);
				continue;
			}
			memcpy(out + n, in + i, seq);
			n += seq;
			i += seq;
		}
	}
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)out[i] < 0x20 || out[i] == 0x7f)
			out[i] = ' ';
	while (n && out[n - 1] == ' ')
		n--;
	while (start < n && out[start] == ' ')
		start++;
	memmove(out, out + start, n - start);
	out[n - start] = '\0';
}

/* @zone: quarters of an hour east of Greenwich; one outside the standard's range counts as 0. */
static time_t make_time(int year, unsigned int month, unsigned int day, unsigned int hour,
			unsigned int minute, unsigned int second, int zone)
{
	int64_t t;

	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
	    second > 60)
		return 0;
	if (zone < -52 || zone > 52)
		zone = 0;
	t = vd_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return (time_t)(t - zone * 15 * 60);
}

time_t iso_date7(const uint8_t *p)
{
	return make_time(1900 + p[0], p[1], p[2], p[3], p[4], p[5], (int8_t)p[6]);
}

static bool digits(const uint8_t *p, size_t n, unsigned int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (unsigned int)(p[i] - '0');
	}
	return true;
}

time_t iso_date17(const uint8_t *p)
{
	unsigned int year, month, day, hour, minute, second;

	if (!digits(p, 4, &year) || !digits(p + 4, 2, &month) || !digits(p + 6, 2, &day) ||
	    !digits(p + 8, 2, &hour) || !digits(p + 10, 2, &minute) || !digits(p + 12, 2, &second))
		return 0;
	return make_time((int)year, month, day, hour, minute, second, (int8_t)p[16]);
}

uint32_t iso_both32(const uint8_t *p, uint64_t max)
{
	uint32_t le = vd_get_le32(p), be = vd_get_be32(p + 4);

	return le <= max || be > max ? le : be;
}

/* Windows ignores dots at the end of a name, and so does Linux on a Joliet disc. */
static size_t compared_len(const struct iso_fs *iso, const char *name, size_t len)
{
	if (iso->view == ISO_JOLIET)
		while (len && name[len - 1] == '.')
			len--;
	return len;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

uint32_t iso_name_hash(const struct iso_fs *iso, const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	len = compared_len(iso, name, len);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)(iso->relaxed ? fold(name[i]) : name[i])) * 16777619u;
	return h ^ h >> 15;
}

int iso_name_match(const struct iso_fs *iso, const char *a, size_t alen, const char *b, size_t blen)
{
	alen = compared_len(iso, a, alen);
	blen = compared_len(iso, b, blen);
	if (alen != blen)
		return 0;
	if (!memcmp(a, b, alen))
		return 2;
	if (!iso->relaxed)
		return 0;
	for (size_t i = 0; i < alen; i++)
		if (fold(a[i]) != fold(b[i]))
			return 0;
	return 1;
}
