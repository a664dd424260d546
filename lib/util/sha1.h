/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SHA-1 (FIPS 180-4): what formats name their contents by. It keeps no secret. */
#ifndef VD_UTIL_SHA1_H
#define VD_UTIL_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define VD_SHA1_SIZE 20u

struct vd_sha1 {
	uint32_t h[5];
	uint64_t len; /* bytes so far */
	uint8_t block[64];
};

void vd_sha1_begin(struct vd_sha1 *s);
void vd_sha1_add(struct vd_sha1 *s, const void *data, size_t len);
void vd_sha1_end(struct vd_sha1 *s, uint8_t out[VD_SHA1_SIZE]);
/* All of it at once. */
void vd_sha1(const void *data, size_t len, uint8_t out[VD_SHA1_SIZE]);

#endif
