// SPDX-License-Identifier: GPL-3.0-or-later
#include "fs/text.h"

#include <string.h>

#include "util/endian.h"

size_t vd_utf8_put(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t vd_utf16_char(const uint8_t *p, size_t len, uint32_t *c)
{
	uint32_t low;

	*c = vd_get_be16(p);
	if (*c < 0xd800 || *c >= 0xe000)
		return 2;
	low = len >= 4 ? vd_get_be16(p + 2) : 0;
	if (*c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
		*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
		return 4;
	}
	*c = 0xfffd;
	return 2;
}

size_t vd_utf16_text(const uint8_t *in, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < len && n + 4 <= size;) {
		uint32_t c;

		i += vd_utf16_char(in + i, len - i, &c);
		if (!c)
			break;
		n += vd_utf8_put(c, out + n);
	}
	return n;
}

bool vd_name_valid(const char *name, size_t len)
{
	if (!len || (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return false;
	return !memchr(name, '/', len) && !memchr(name, '\0', len);
}

int64_t vd_days(int64_t y, unsigned int m, unsigned int d)
{
	int64_t era;
	unsigned int yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned int)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}
