// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CSO and ZSO: blocks of an ISO image, each compressed by itself. CSO is by BOOSTER (ciso), its version 2 by Unknown W. Brackets, ZSO by
 * codestation; this is by README_CSO.md and README_ZSO.md of maxcso. Numbers are little endian.
 *
 *     header, 24      0 "CISO" or "ZISO"   4 bytes of the header, of no account in version 1   8 bytes of the image, 8   16 bytes a block
 *                     20 version   21 shift   22 unused
 *     index           4 bytes a block and 4 for the end: bit 31 a flag, the rest shifted left by `shift` where it begins in the file
 *     blocks
 *
 * What a block is, by the flag and by its length up to where the next one begins, padding included:
 *
 *     CISO 0 and 1    flag: as it is; else deflate
 *     CISO 2          a block long or longer: as it is; else flag: LZ4; else deflate
 *     ZISO            flag: as it is; else LZ4
 *
 * GameCube and Wii discs have another format of the same magic number, a map of the blocks that are there; it is told by the size of its
 * blocks where here is the size of the header.
 */
#include "images/wrapped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/hunks.h"
#include "images/unpack.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define HEADER 24u
#define BLOCK_MIN 512u
#define BLOCK_MAX (1u << 20)
#define BLOCKS_MAX (8u << 20)
#define FLAG 0x80000000u
#define NINTENDO_BLOCK 0x8000u /* and their header's size */

struct cso {
	struct vd_store *file;
	uint64_t size;
	uint32_t block, blocks;
	uint8_t version, shift;
	bool is_lz4; /* ZISO */
	uint8_t *index;
};

static void cso_close(void *of)
{
	struct cso *c = of;

	vd_store_close(c->file);
	free(c->index);
	free(c);
}

static void close_cso(struct cso **c)
{
	if (*c)
		cso_close(*c);
}

static uint64_t begin_of(const struct cso *c, uint32_t block)
{
	return (uint64_t)(vd_get_le32(c->index + (size_t)block * 4) & ~FLAG) << c->shift;
}

/* Where it ends; the last one may be padded beyond the end of the file. */
static uint64_t end_of(const struct cso *c, uint32_t block)
{
	uint64_t end = begin_of(c, block + 1);

	return end < c->file->size ? end : c->file->size;
}

static void *new_decoder(void *of)
{
	const struct cso *c = of;

	return vd_unpacker_new((size_t)vd_unpack_most(c->block));
}

static void free_decoder(void *decoder)
{
	vd_unpacker_free(decoder);
}

static int decode(void *of, void *decoder, uint32_t block, uint8_t *buf)
{
	const struct cso *c = of;
	const bool flag = vd_get_le32(c->index + (size_t)block * 4) & FLAG;
	const uint64_t at = begin_of(c, block), left = c->size - (uint64_t)block * c->block;
	const size_t want = left < c->block ? (size_t)left : c->block;
	uint64_t len = end_of(c, block) - at;
	uint8_t *in = vd_unpacker_buffer(decoder);
	int r;

	if (c->version == 2 ? len >= c->block : flag)
		return len < want ? -EIO : vd_store_pread(c->file, buf, want, at);
	/* What is more is padding. */
	if (len > vd_unpack_most(c->block))
		len = vd_unpack_most(c->block);
	r = vd_store_pread(c->file, in, (size_t)len, at);
	if (r)
		return r;
	return c->is_lz4 || flag ? vd_unpack_lz4(in, (size_t)len, buf, want)
				 : vd_unpack_deflate(decoder, in, (size_t)len, buf, want);
}

static const struct vd_hunks_ops cso_ops = {
	.decoder_new = new_decoder,
	.decoder_free = free_decoder,
	.decode = decode,
	.close = cso_close,
};

static bool is_nintendo(const uint8_t *h)
{
	for (size_t i = 8; i < HEADER; i++)
		if (h[i] > 1)
			return false;
	return vd_get_le32(h + 4) >= NINTENDO_BLOCK;
}

static int read_header(struct cso *c, const char *name, struct vd_error *err)
{
	uint8_t h[HEADER];
	uint64_t blocks;
	int r;

	if (c->file->size < HEADER)
		return vd_error_set(err, -EINVAL, "%s: cut short: its header is %u bytes", name,
				    HEADER);
	r = vd_store_pread(c->file, h, HEADER, 0);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", name);
	c->is_lz4 = h[0] == 'Z';
	c->version = h[20];
	c->shift = h[21];
	if (is_nintendo(h))
		return vd_error_set(err, -EINVAL,
				    "%s: a CISO of a GameCube or Wii disc, which is another "
				    "format that is not read",
				    name);
	if (c->version > (c->is_lz4 ? 1 : 2))
		return vd_error_set(err, -EINVAL, "%s: %.4s of version %u, which is not known",
				    name, (const char *)h, c->version);
	c->size = vd_get_le64(h + 8);
	c->block = vd_get_le32(h + 16);
	if (c->block < BLOCK_MIN || c->block > BLOCK_MAX || c->block & (c->block - 1))
		return vd_error_set(err, -EINVAL,
				    "%s: header at byte 16: blocks of %u bytes; there can be "
				    "powers of 2 from %u to %u",
				    name, c->block, BLOCK_MIN, BLOCK_MAX);
	blocks = c->size / c->block + !!(c->size % c->block);
	if (!blocks || blocks > BLOCKS_MAX)
		return vd_error_set(err, -EINVAL,
				    "%s: header at byte 8: %llu blocks; there can be 1 to %u", name,
				    (unsigned long long)blocks, BLOCKS_MAX);
	c->blocks = (uint32_t)blocks;
	if (c->shift > 31)
		return vd_error_set(err, -EINVAL, "%s: header at byte 21: a shift of %u", name,
				    c->shift);
	return 0;
}

static int read_index(struct cso *c, const char *name, struct vd_error *err)
{
	const size_t len = ((size_t)c->blocks + 1) * 4;
	int r;

	if (c->file->size < HEADER + len)
		return vd_error_set(err, -EINVAL,
				    "%s: cut short: its index ends at byte %zu, and it at %llu",
				    name, HEADER + len, (unsigned long long)c->file->size);
	c->index = malloc(len);
	r = c->index ? vd_store_pread(c->file, c->index, len, HEADER) : -ENOMEM;
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", name);
	for (uint32_t i = 0; i < c->blocks; i++) {
		uint64_t at = begin_of(c, i);

		if (at < HEADER + len || begin_of(c, i + 1) < at || at > c->file->size)
			return vd_error_set(
				err, -EINVAL,
				"%s: index at byte %zu: block %u lies from byte %llu to %llu of %llu",
				name, HEADER + (size_t)i * 4, i, (unsigned long long)at,
				(unsigned long long)begin_of(c, i + 1),
				(unsigned long long)c->file->size);
	}
	if (begin_of(c, c->blocks) >= c->file->size + (1ull << c->shift))
		return vd_error_set(err, -EINVAL,
				    "%s: cut short: its blocks end at byte %llu, and it at %llu",
				    name, (unsigned long long)begin_of(c, c->blocks),
				    (unsigned long long)c->file->size);
	return 0;
}

static int cso_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err)
{
	_cleanup_(close_cso) struct cso *c = calloc(1, sizeof(*c));
	struct vd_hunks_size size;
	int r;

	(void)opener;
	if (!c) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	c->file = store;
	r = read_header(c, h->name, err);
	if (!r)
		r = read_index(c, h->name, err);
	if (r)
		return r;
	size = (struct vd_hunks_size){ c->size, c->block, c->blocks };
	r = vd_hunks_open(&cso_ops, VD_TAKE_PTR(c), &size, out);
	return r ? vd_error_errno(err, r, "%s: cannot read it", h->name) : 0;
}

static int cso_probe(const struct vd_image_head *h)
{
	return h->len >= 4 && !memcmp(h->data, "CISO", 4) ? 100 : 0;
}

static int zso_probe(const struct vd_image_head *h)
{
	return h->len >= 4 && !memcmp(h->data, "ZISO", 4) ? 100 : 0;
}

const struct vd_wrapping vd_wrapping_cso = {
	.words = "a CSO compressed disc image",
	.suffixes = (const char *const[]){ ".cso", ".ciso", NULL },
	.probe = cso_probe,
	.open = cso_open,
};

const struct vd_wrapping vd_wrapping_zso = {
	.words = "a ZSO compressed disc image",
	.suffixes = (const char *const[]){ ".zso", ".ziso", NULL },
	.probe = zso_probe,
	.open = cso_open,
};
