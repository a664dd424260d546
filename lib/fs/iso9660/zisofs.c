// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * zisofs, versions 1 and 2: a file is a header, a table of pointers and blocks that zlib compressed one by one.
 * Block i lies from pointer i to pointer i + 1 of the stored file; one of no bytes is all zeros. Version 1 has
 * pointers of 4 bytes and blocks up to 128 KiB, version 2 pointers of 8 and blocks up to 1 MiB.
 *
 * A block is decompressed straight into the caller's buffer where that takes all of it, else into a small cache. One
 * that does not decompress to exactly its size is damaged.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util/cleanup.h"

#define CACHE_SLOTS 64u
#define CACHE_BYTES_MAX (8u << 20)

struct zblock {
	uint64_t ino, index;
	uint64_t used; /* when: larger is later */
	uint8_t *data; /* NULL: the slot is free */
	size_t size;
	unsigned int users;
};

struct iso_zcache {
	pthread_mutex_t lock;
	uint64_t clock;
	size_t bytes;
	struct zblock blocks[CACHE_SLOTS];
};

struct zfile {
	struct iso_cursor *c;
	const struct iso_entry *e;
	uint64_t nblocks, data; /* where the first block may begin */
	uint32_t block, header, pointer;
};

int iso_zcache_new(struct iso_zcache **out)
{
	struct iso_zcache *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	if (pthread_mutex_init(&z->lock, NULL)) {
		free(z);
		return -ENOMEM;
	}
	*out = z;
	return 0;
}

void iso_zcache_free(struct iso_zcache *z)
{
	if (!z)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		free(z->blocks[i].data);
	pthread_mutex_destroy(&z->lock);
	free(z);
}

static int check_header(struct zfile *f)
{
	static const uint8_t magic1[8] = { 0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07 };
	static const uint8_t magic2[8] = { 0xef, 0x22, 0x55, 0xa1, 0xbc, 0x1b, 0x95, 0xa0 };
	const struct iso_entry *e = f->e;
	const bool v2 = e->z_version == 2;
	uint8_t h[24];
	int r;

	f->block = 1u << e->z_shift;
	f->header = e->z_header * 4u;
	f->pointer = v2 ? 8 : 4;
	f->nblocks = e->attr.size / f->block + (e->attr.size % f->block != 0);
	if (f->header < (v2 ? 24u : 16u) || (!v2 && e->z_shift > 17) || e->raw_size < f->header ||
	    f->nblocks >= (e->raw_size - f->header) / f->pointer)
		return -EUCLEAN;
	f->data = f->header + (f->nblocks + 1) * f->pointer;
	r = iso_file_read_raw(f->c, e, h, v2 ? 24 : 16, 0);
	if (r)
		return r;
	if (v2)
		r = memcmp(h, magic2, 8) || h[8] || h[9] != e->z_header || h[10] != 1 ||
		    h[11] != e->z_shift || vd_get_le64(h + 12) != e->attr.size;
	else
		r = memcmp(h, magic1, 8) || vd_get_le32(h + 8) != e->attr.size ||
		    h[12] != e->z_header || h[13] != e->z_shift;
	return r ? -EUCLEAN : 0;
}

static size_t block_size(const struct zfile *f, uint64_t i)
{
	uint64_t left = f->e->attr.size - i * f->block;

	return left < f->block ? (size_t)left : f->block;
}

static int decompress(const struct zfile *f, uint64_t i, uint8_t *out)
{
	_cleanup_free_ uint8_t *packed = NULL;
	uint8_t p[16];
	uint64_t from, to;
	uLongf size = block_size(f, i);
	const uLongf want = size;
	int r;

	r = iso_file_read_raw(f->c, f->e, p, 2 * f->pointer, f->header + i * f->pointer);
	if (r)
		return r;
	from = f->pointer == 8 ? vd_get_le64(p) : vd_get_le32(p);
	to = f->pointer == 8 ? vd_get_le64(p + 8) : vd_get_le32(p + 4);
	if (from > to || from < f->data || to > f->e->raw_size ||
	    to - from > compressBound(f->block))
		return -EUCLEAN;
	if (from == to) {
		memset(out, 0, size);
		return 0;
	}
	packed = malloc((size_t)(to - from));
	if (!packed)
		return -ENOMEM;
	r = iso_file_read_raw(f->c, f->e, packed, (size_t)(to - from), from);
	if (r)
		return r;
	r = uncompress(out, &size, packed, (uLong)(to - from));
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r != Z_OK || size != want ? -EUCLEAN : 0;
}

/* Under the lock. The slot least recently used, emptied; NULL when all are being read. */
static struct zblock *take_slot(struct iso_zcache *z, size_t size)
{
	struct zblock *slot = NULL;

	do {
		struct zblock *last = NULL;

		for (size_t i = 0; i < CACHE_SLOTS; i++) {
			struct zblock *b = &z->blocks[i];

			if (!b->data)
				slot = b;
			else if (!b->users && (!last || b->used < last->used))
				last = b;
		}
		if (slot && z->bytes + size <= CACHE_BYTES_MAX)
			return slot;
		if (!last)
			return NULL;
		free(last->data);
		last->data = NULL;
		z->bytes -= last->size;
		slot = last;
	} while (z->bytes + size > CACHE_BYTES_MAX);
	return slot;
}

static struct zblock *find_block(struct iso_zcache *z, uint64_t ino, uint64_t index)
{
	for (size_t i = 0; i < CACHE_SLOTS; i++) {
		struct zblock *b = &z->blocks[i];

		if (b->data && b->ino == ino && b->index == index) {
			b->users++;
			b->used = ++z->clock;
			return b;
		}
	}
	return NULL;
}

static int read_part(const struct zfile *f, uint64_t i, uint8_t *buf, size_t len, size_t skip)
{
	struct iso_zcache *z = f->c->iso->zcache;
	_cleanup_free_ uint8_t *data = NULL;
	struct zblock *b;
	size_t size = block_size(f, i);
	int r;

	pthread_mutex_lock(&z->lock);
	b = find_block(z, f->e->pos, i);
	pthread_mutex_unlock(&z->lock);
	if (b) {
		memcpy(buf, b->data + skip, len);
		pthread_mutex_lock(&z->lock);
		b->users--;
		pthread_mutex_unlock(&z->lock);
		return 0;
	}
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	r = decompress(f, i, data);
	if (r)
		return r;
	memcpy(buf, data + skip, len);
	pthread_mutex_lock(&z->lock);
	b = find_block(z, f->e->pos, i);
	if (b) {
		b->users--;
	} else {
		b = take_slot(z, size);
		if (b) {
			*b = (struct zblock){ .ino = f->e->pos,
					      .index = i,
					      .used = ++z->clock,
					      .data = VD_TAKE_PTR(data),
					      .size = size };
			z->bytes += size;
		}
	}
	pthread_mutex_unlock(&z->lock);
	return 0;
}

int iso_zisofs_read(struct iso_cursor *c, const struct iso_entry *e, void *out, size_t len,
		    uint64_t off)
{
	struct zfile f = { .c = c, .e = e };
	uint8_t *buf = out;
	int r = check_header(&f);

	while (!r && len) {
		uint64_t i = off / f.block;
		size_t skip = off % f.block, size = block_size(&f, i), n = size - skip;

		if (n > len)
			n = len;
		if (n == size)
			r = decompress(&f, i, buf);
		else
			r = read_part(&f, i, buf, n, skip);
		buf += n;
		off += n;
		len -= n;
	}
	return r;
}
