// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Names and labels come from images and from file names: from strangers. A terminal obeys what is in them
 * unless it is taken out, and JSON allows only well-formed UTF-8.
 */
#include "userspace/vdrive/vdrive.h"

#include <langinfo.h>
#include <string.h>
#include <time.h>

/* The length of a well-formed UTF-8 sequence (Unicode 15, table 3-7) and its code point; 0 for a broken one. */
static size_t decode(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	*cp = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the final NUL too */
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

static bool shown_as_it_is(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return false;
	/* Line and paragraph separators; marks that turn the direction of the text around them. */
	if (cp == 0x061c || cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2066 && cp <= 0x2069))
		return false;
	/* Tags are invisible; U+FEFF is too. */
	return cp != 0xfeff && !(cp >= 0xe0000 && cp <= 0xe007f);
}

char *text_safe(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	char *out = need(malloc(4 * strlen(text) + 1)), *w = out;

	while (*s) {
		uint32_t cp = 0;
		size_t n = decode(s, &cp);
		/* "\x" itself is escaped, so that what is printed can be told from what was. */
		bool plain = n && shown_as_it_is(cp) && (n == 1 || utf8) &&
			     !(s[0] == '\\' && s[1] == 'x');

		if (!n)
			n = 1;
		if (plain) {
			memcpy(w, s, n);
			w += n;
		} else {
			for (size_t i = 0; i < n; i++)
				w += sprintf(w, "\\x%02x", s[i]);
		}
		s += n;
	}
	*w = '\0';
	return out;
}

char *text_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = need(malloc(3 * strlen(text) + 1)), *w = out;

	while (*s) {
		uint32_t cp;
		size_t n = decode(s, &cp);

		if (n) {
			memcpy(w, s, n);
			w += n;
			s += n;
		} else {
			memcpy(w, "\xef\xbf\xbd", 3);
			w += 3;
			s++;
		}
	}
	*w = '\0';
	return out;
}

const char *text_time(int64_t t, char *buf)
{
	time_t when = (time_t)t;
	struct tm tm;

	if (!when || !gmtime_r(&when, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		buf[0] = '\0';
	return buf;
}
