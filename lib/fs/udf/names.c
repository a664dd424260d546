// SPDX-License-Identifier: GPL-3.0-or-later
/* Text and times: from what a disc holds to what Linux shows. */
#include "fs/udf/internal.h"

#include <errno.h>
#include <string.h>

#include "disc/subchannel.h"

#define EXTENSION_MAX 5u /* characters: UDF 4.2.2.1.5 */

/* The next character of @p, of @len bytes in compression @id; how many bytes it takes. */
static size_t next_char(uint8_t id, const uint8_t *p, size_t len, uint32_t *c)
{
	if (id == 16)
		return vd_utf16_char(p, len, c);
	*c = *p;
	return 1;
}

/* Compression ids 254 and 255 are those of deleted names (UDF 2.1.1): none of a name that is shown. */
static bool is_unicode(const uint8_t *in, size_t len)
{
	return len && (in[0] == 8 || (in[0] == 16 && len % 2 == 1));
}

int udf_unicode(const uint8_t *in, size_t len, char *out, size_t *out_len)
{
	size_t n = 0;

	if (!is_unicode(in, len))
		return -EUCLEAN;
	for (size_t i = 1; i < len;) {
		uint32_t c;

		i += next_char(in[0], in + i, len - i, &c);
		n += vd_utf8_put(c, out + n);
	}
	*out_len = n;
	return 0;
}

void udf_dstring(const uint8_t *in, size_t size, char *out, size_t out_size)
{
	char text[4 * 128];
	size_t len = in[size - 1], n = 0;

	*out = '\0';
	if (size > 128 || len > size - 1 || udf_unicode(in, len, text, &n))
		return;
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	while (n && text[n - 1] == ' ')
		n--;
	if (n >= out_size) {
		n = out_size - 1;
		while (n && ((uint8_t)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

/* Appends a character as a name may have it. A run of those that it may not becomes one mark. */
static void put_char(uint32_t c, char *out, size_t *n, bool *illegal, bool *after_illegal)
{
	if (c && c != '/') {
		*n += vd_utf8_put(c, out + *n);
		*after_illegal = false;
		return;
	}
	if (!*after_illegal)
		out[(*n)++] = '_';
	*illegal = *after_illegal = true;
}

/* Where the extension's dot is in @in, 0 when there is none: at most 5 characters follow it, and one at least. */
static size_t find_extension(const uint8_t *in, size_t len)
{
	const size_t unit = in[0] / 8;
	size_t dot = 0;

	for (size_t i = len - unit, n = 0; i >= 1 && n <= EXTENSION_MAX && i < len;
	     i -= unit, n++) {
		if (in[i + unit - 1] == '.' && (unit == 1 || !in[i])) {
			dot = n ? i : 0;
			break;
		}
	}
	return dot;
}

size_t udf_file_name(const uint8_t *in, size_t len, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	bool illegal = false, after_illegal = false;
	const bool good = is_unicode(in, len) && len > 1;
	const size_t dot = good ? find_extension(in, len) : 0;
	size_t n = 0, cut = 0;
	uint16_t crc;

	if (!good)
		put_char('/', out, &n, &illegal, &after_illegal);
	for (size_t i = 1; good && i < len;) {
		uint32_t c;

		if (i == dot)
			cut = n;
		i += next_char(in[0], in + i, len - i, &c);
		put_char(c, out, &n, &illegal, &after_illegal);
	}
	if (!illegal && vd_name_valid(out, n))
		return n;
	if (dot)
		n = cut;
	crc = len ? vd_crc16(in + 1, len - 1) : 0;
	out[n++] = '#';
	for (int shift = 12; shift >= 0; shift -= 4)
		out[n++] = hex[crc >> shift & 0xf];
	if (dot) {
		after_illegal = false;
		for (size_t i = dot; i < len;) {
			uint32_t c;

			i += next_char(in[0], in + i, len - i, &c);
			put_char(c, out, &n, &illegal, &after_illegal);
		}
	}
	return n;
}

struct timespec udf_time(const uint8_t *p)
{
	const uint16_t type_zone = vd_get_le16(p);
	struct timespec t = { 0 };
	int zone = 0;

	if (!p[4] || p[4] > 12 || !p[5] || p[5] > 31 || p[6] > 23 || p[7] > 59 || p[8] > 60)
		return t;
	/* Minutes east of Greenwich in 12 bits with a sign; -2047: not given. */
	if (type_zone >> 12 == 1) {
		zone = (int16_t)(uint16_t)(type_zone << 4) / 16;
		if (zone < -1440 || zone > 1440)
			zone = 0;
	}
	t.tv_sec = (time_t)(vd_days((int16_t)vd_get_le16(p + 2), p[4], p[5]) * 86400 + p[6] * 3600 +
			    p[7] * 60 + p[8] - zone * 60);
	if (p[9] < 100 && p[10] < 100 && p[11] < 100)
		t.tv_nsec = 1000 * (p[9] * 10000 + p[10] * 100 + p[11]);
	return t;
}

bool udf_is_regid(const uint8_t *regid, const char *identifier)
{
	return !strncmp((const char *)regid + 1, identifier, 23);
}
