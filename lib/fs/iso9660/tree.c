// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The directories that were met. Two tables under one lock:
 *
 *   - for each logical block of the disc two bits: it belongs to a directory; a directory begins here.
 *     Kept in chunks that are allocated when first used.
 *   - by the block where it begins, each directory's size and the place of its record.
 *
 * Both only grow, and not beyond what the disc has blocks for, since no block is claimed twice.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define CHUNK_BLOCKS 32768u

struct chunk {
	uint64_t claimed[CHUNK_BLOCKS / 64], starts[CHUNK_BLOCKS / 64];
};

struct slot {
	uint32_t block; /* 0: empty. No directory begins in the system area */
	uint32_t size, sure;
	uint32_t place_low, place_high;
};

struct iso_tree {
	pthread_rwlock_t lock;
	struct slot *slots;
	size_t nslots, used; /* nslots is a power of two */
	struct chunk **chunks;
	size_t nchunks;
};

int iso_tree_new(const struct iso_fs *iso, struct iso_tree **out)
{
	struct iso_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->nchunks = (size_t)((iso->disc_bytes >> iso->shift) / CHUNK_BLOCKS + 1);
	t->nslots = 64;
	t->chunks = calloc(t->nchunks, sizeof(*t->chunks));
	t->slots = calloc(t->nslots, sizeof(*t->slots));
	if (!t->chunks || !t->slots || pthread_rwlock_init(&t->lock, NULL)) {
		free(t->chunks);
		free(t->slots);
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void iso_tree_free(struct iso_tree *t)
{
	if (!t)
		return;
	pthread_rwlock_destroy(&t->lock);
	for (size_t i = 0; i < t->nchunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->slots);
	free(t);
}

static struct slot *find_slot(const struct iso_tree *t, uint32_t block)
{
	size_t i = block * UINT32_C(2654435761) & (t->nslots - 1);

	while (t->slots[i].block && t->slots[i].block != block)
		i = (i + 1) & (t->nslots - 1);
	return &t->slots[i];
}

static uint64_t slot_place(const struct slot *s)
{
	return (uint64_t)s->place_high << 32 | s->place_low;
}

static int grow(struct iso_tree *t)
{
	struct slot *old = t->slots;
	size_t nold = t->nslots;

	if (t->used * 4 < t->nslots * 3)
		return 0;
	t->slots = calloc(nold * 2, sizeof(*t->slots));
	if (!t->slots) {
		t->slots = old;
		return -ENOMEM;
	}
	t->nslots = nold * 2;
	for (size_t i = 0; i < nold; i++)
		if (old[i].block)
			*find_slot(t, old[i].block) = old[i];
	free(old);
	return 0;
}

/* False also for blocks beyond the disc. */
static bool get_bit(const struct iso_tree *t, uint64_t block, bool start)
{
	const struct chunk *c;
	size_t bit = block % CHUNK_BLOCKS;

	if (block / CHUNK_BLOCKS >= t->nchunks)
		return false;
	c = t->chunks[block / CHUNK_BLOCKS];
	return c && (start ? c->starts : c->claimed)[bit / 64] >> bit % 64 & 1;
}

static int claim(struct iso_tree *t, uint64_t first, uint64_t n)
{
	for (uint64_t b = first; b < first + n; b++) {
		const struct chunk *c =
			b / CHUNK_BLOCKS < t->nchunks ? t->chunks[b / CHUNK_BLOCKS] : NULL;

		if (b % 64 == 0 && first + n - b >= 64 &&
		    (!c || !c->claimed[b % CHUNK_BLOCKS / 64]))
			b += 63;
		else if (get_bit(t, b, false))
			return -ELOOP;
	}
	for (uint64_t i = first / CHUNK_BLOCKS; i <= (first + n - 1) / CHUNK_BLOCKS; i++) {
		if (i >= t->nchunks)
			return -EUCLEAN;
		if (!t->chunks[i])
			t->chunks[i] = calloc(1, sizeof(**t->chunks));
		if (!t->chunks[i])
			return -ENOMEM;
	}
	for (uint64_t b = first; b < first + n; b++)
		t->chunks[b / CHUNK_BLOCKS]->claimed[b % CHUNK_BLOCKS / 64] |= UINT64_C(1)
									       << b % 64;
	t->chunks[first / CHUNK_BLOCKS]->starts[first % CHUNK_BLOCKS / 64] |= UINT64_C(1)
									      << first % 64;
	return 0;
}

int iso_tree_find(struct iso_fs *iso, uint64_t start, struct iso_dir *out)
{
	struct iso_tree *t = iso->tree;
	uint64_t block = start >> iso->shift;
	const struct slot *s;
	int r = -ENOENT;

	if (!block || block > UINT32_MAX || block << iso->shift != start)
		return -ENOENT;
	pthread_rwlock_rdlock(&t->lock);
	s = find_slot(t, (uint32_t)block);
	if (s->block) {
		*out = (struct iso_dir){ .start = start, .size = s->size, .sure = s->sure };
		r = 0;
	}
	pthread_rwlock_unlock(&t->lock);
	return r;
}

int iso_tree_check(struct iso_fs *iso, uint64_t start, uint64_t place)
{
	struct iso_tree *t = iso->tree;
	const struct slot *s;
	int r;

	if (start >> iso->shift > UINT32_MAX)
		return -EUCLEAN;
	pthread_rwlock_rdlock(&t->lock);
	s = find_slot(t, (uint32_t)(start >> iso->shift));
	if (s->block)
		r = slot_place(s) == place ? 0 : -ELOOP;
	else
		r = get_bit(t, start >> iso->shift, false) ? -ELOOP : 0;
	pthread_rwlock_unlock(&t->lock);
	return r;
}

/* Under the lock. */
static int enter(struct iso_fs *iso, const struct iso_dir *dir, uint64_t place)
{
	struct iso_tree *t = iso->tree;
	uint64_t block = dir->start >> iso->shift;
	uint64_t disc_end = iso->disc_bytes >> iso->shift;
	uint32_t sizes[2] = { dir->size, dir->sure };
	struct slot *s;
	int r;

	if (!block || block > UINT32_MAX || block >= disc_end)
		return -EUCLEAN;
	s = find_slot(t, (uint32_t)block);
	if (s->block)
		return slot_place(s) == place ? 0 : -ELOOP;
	r = grow(t);
	if (r)
		return r;
	/* Where the larger of two sizes runs into another directory, it is the smaller that is right. */
	for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++) {
		uint64_t n = ((uint64_t)sizes[i] + iso->block - 1) >> iso->shift;

		/* The directory of an image that is cut short: what is there of it. */
		if (n > disc_end - block)
			n = disc_end - block;
		r = claim(t, block, n ? n : 1);
		if (r == -ELOOP)
			continue;
		if (r)
			return r;
		s = find_slot(t, (uint32_t)block);
		*s = (struct slot){ .block = (uint32_t)block,
				    .size = sizes[i],
				    .sure = dir->sure,
				    .place_low = (uint32_t)place,
				    .place_high = (uint32_t)(place >> 32) };
		t->used++;
		return 0;
	}
	return r;
}

int iso_tree_enter(struct iso_fs *iso, const struct iso_dir *dir, uint64_t place)
{
	int r;

	pthread_rwlock_wrlock(&iso->tree->lock);
	r = enter(iso, dir, place);
	pthread_rwlock_unlock(&iso->tree->lock);
	return r;
}

/* The last block up to @block at which a directory begins. */
static uint64_t last_start(const struct iso_tree *t, uint64_t block)
{
	uint64_t mask = ~UINT64_C(0) >> (63 - block % 64);

	for (uint64_t word = block / 64;; word--, mask = ~UINT64_C(0)) {
		const struct chunk *c = t->chunks[word * 64 / CHUNK_BLOCKS];
		uint64_t bits = c ? c->starts[word % (CHUNK_BLOCKS / 64)] & mask : 0;

		if (bits)
			return word * 64 + 63 - (uint64_t)__builtin_clzll(bits);
		if (!word)
			return 0;
	}
}

int iso_tree_owner(struct iso_fs *iso, uint64_t pos, uint64_t *start)
{
	struct iso_tree *t = iso->tree;
	uint64_t block = pos >> iso->shift;
	int r = -ENOENT;

	pthread_rwlock_rdlock(&t->lock);
	/* The blocks of a directory lie together, so it is the one that begins last before. */
	if (get_bit(t, block, false)) {
		*start = last_start(t, block) << iso->shift;
		r = 0;
	}
	pthread_rwlock_unlock(&t->lock);
	return r;
}

bool iso_tree_same(struct iso_fs *iso, uint64_t start, uint64_t len)
{
	struct iso_tree *t = iso->tree;
	bool same = true;

	pthread_rwlock_rdlock(&t->lock);
	for (uint64_t b = start >> iso->shift; same && b <= (start + len - 1) >> iso->shift; b++)
		same = get_bit(t, b, false) && !get_bit(t, b, true);
	pthread_rwlock_unlock(&t->lock);
	return same;
}
