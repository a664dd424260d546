// SPDX-License-Identifier: GPL-3.0-or-later
#include "util/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char units[] = "KMGTPE";

int vd_size_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole = 0, mult = 1, part = 0, scale = 1;
	const char *p = text, *u;

	if (!text || !isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	if (*p == '.') {
		if (!isdigit((unsigned char)p[1]))
			return -EINVAL;
		for (p++; isdigit((unsigned char)*p); p++)
			if (scale < 1000000000) {
				part = part * 10 + (uint64_t)(*p - '0');
				scale *= 10;
			}
	}
	if (*p) {
		u = strchr(units, toupper((unsigned char)*p));
		if (!u || !*u) {
			if (strcasecmp(p, "B"))
				return -EINVAL;
			u = NULL;
		}
		if (u) {
			uint64_t base;

			if (!p[1] || !strcasecmp(p + 1, "iB"))
				base = 1024;
			else if (!strcasecmp(p + 1, "B"))
				base = 1000;
			else
				return -EINVAL;
			for (long i = 0; i <= u - units; i++)
				if (__builtin_mul_overflow(mult, base, &mult))
					return -ERANGE;
		}
	}
	if (part && mult == 1)
		return -EINVAL; /* half a byte */
	if (__builtin_mul_overflow(whole, mult, &whole) ||
	    __builtin_add_overflow(whole, (uint64_t)((__uint128_t)part * mult / scale), &whole))
		return -ERANGE;
	*bytes = whole;
	return 0;
}

char *vd_size_format(uint64_t bytes, char *buf, size_t len)
{
	int unit = -1;
	uint64_t whole = bytes, tenths = 0;

	while (whole >= 1024 && unit < 5) {
		tenths = (whole % 1024) * 10 / 1024;
		whole /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, len, "%uB", (unsigned)whole);
	else if (tenths && whole < 1024)
		snprintf(buf, len, "%u.%u%c", (unsigned)whole, (unsigned)tenths, units[unit]);
	else
		snprintf(buf, len, "%u%c", (unsigned)whole, units[unit]);
	return buf;
}

int vd_int_parse(const char *text, long min, long max, int *out)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)text[*text == '-']))
		return -EINVAL;
	n = strtol(text, &end, 10); /* what is too large becomes the largest */
	if (*end || n < min || n > max)
		return -EINVAL;
	*out = (int)n;
	return 0;
}
