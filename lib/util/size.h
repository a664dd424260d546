/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VD_UTIL_SIZE_H
#define VD_UTIL_SIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a size as util-linux does: a decimal number, an optional fraction, an optional suffix
 * K M G T P E (powers of 1024, "KiB" too) or KB MB ... (powers of 1000).
 * 0, -EINVAL when it is not a size, -ERANGE when it does not fit in 64 bits.
 */
int vd_size_parse(const char *text, uint64_t *bytes);

/*
 * Writes a size for people: "573B", "1.4K", "700M", as lsblk does: powers of 1024, at most one
 * decimal, truncated never upwards past the next unit. @buf holds at least 16 bytes. Returns @buf.
 */
char *vd_size_format(uint64_t bytes, char *buf, size_t len);

/* Reads a decimal number from @min to @max, with nothing before or after it. 0 or -EINVAL. */
int vd_int_parse(const char *text, long min, long max, int *out);

#endif
