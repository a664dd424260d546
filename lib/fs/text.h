/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text and dates, as the file systems of discs have them. Output is UTF-8 without a final NUL. */
#ifndef VD_FS_TEXT_H
#define VD_FS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One character, at most 4 bytes. Returns how many. */
size_t vd_utf8_put(uint32_t c, char *out);
/*
 * The character that begins at @p, of @len bytes of UTF-16BE, at least 2. Returns its bytes, 2 or 4. An unpaired surrogate is
 * U+FFFD.
 */
size_t vd_utf16_char(const uint8_t *p, size_t len, uint32_t *c);
/* UTF-16BE, up to a NUL. */
size_t vd_utf16_text(const uint8_t *in, size_t len, char *out, size_t size);
/* Can Linux show it: not "", ".", "..", without '/' and NUL? */
bool vd_name_valid(const char *name, size_t len);
/* Days from 1970-01-01 in the Gregorian calendar; @m 1..12. */
int64_t vd_days(int64_t y, unsigned int m, unsigned int d);

#endif
