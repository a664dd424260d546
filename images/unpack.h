/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compressions that formats of blocks have in common: a block of known length, whole, out of bytes that are all there. */
#ifndef VD_IMAGES_UNPACK_H
#define VD_IMAGES_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than @n bytes ever become by any of these, when they cannot be compressed: what says to be longer is damaged. */
static inline uint64_t vd_unpack_most(uint64_t n)
{
	return n + n / 8 + 4096;
}

/* One for each thread that decodes. What a compression needs is taken when it is first used. */
struct vd_unpacker;

/* With a buffer of @size bytes, the caller's, for what is to be decoded. NULL: no memory. */
struct vd_unpacker *vd_unpacker_new(size_t size);
void vd_unpacker_free(struct vd_unpacker *u); /* NULL is fine */
uint8_t *vd_unpacker_buffer(struct vd_unpacker *u);

/*
 * The first @n bytes that the @len at @data expand to. What is behind the compressed data is of no account: blocks are padded. -EIO when they are
 * fewer, or damaged; -ENOMEM.
 */
int vd_unpack_deflate(struct vd_unpacker *u, const uint8_t *data, size_t len, uint8_t *out,
		      size_t n); /* RFC 1951 */
int vd_unpack_zlib(struct vd_unpacker *u, const uint8_t *data, size_t len, uint8_t *out,
		   size_t n); /* RFC 1950 */
int vd_unpack_bzip2(const uint8_t *data, size_t len, uint8_t *out, size_t n);
int vd_unpack_xz(const uint8_t *data, size_t len, uint8_t *out,
		 size_t n); /* one stream of a file */
/* A raw stream of the LZMA SDK's with these properties, also without an end mark; @x86: of code that was filtered first. */
int vd_unpack_lzma(const uint8_t properties[5], bool x86, const uint8_t *data, size_t len,
		   uint8_t *out, size_t n);
/*
 * Apple Data Compression: a byte of 80 and more has 1 to 128 bytes behind it; one of 40 and more copies 4 to 67 bytes from where the two
 * behind it say, others 3 to 18 from where their lower 2 bits and the byte behind it say.
 */
int vd_unpack_adc(const uint8_t *data, size_t len, uint8_t *out, size_t n);
int vd_unpack_lz4(const uint8_t *data, size_t len, uint8_t *out,
		  size_t n); /* a block, without a frame */

#endif
