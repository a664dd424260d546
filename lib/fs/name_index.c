// SPDX-License-Identifier: GPL-3.0-or-later
#include "fs/name_index.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/cleanup.h"

#define INDEX_TOTAL_MAX (16u << 20) /* bytes */
/* A directory with more than this has no index. */
#define INDEX_ENTRIES_MAX (INDEX_TOTAL_MAX / sizeof(struct entry) / 4)

struct entry {
	uint32_t hash, pos;
};

#define BUCKETS 4096u
#define EMPTY UINT32_MAX /* no position */

struct vd_name_index {
	struct vd_name_index *next, *prev; /* in the order of use */
	struct vd_name_index *chain;	   /* of its bucket */
	uint64_t dir;
	int damage;
	unsigned int users;
	bool listed;
	uint32_t mask; /* slots - 1 */
	uint32_t used;
	struct entry *entries;
};

struct vd_name_indexes {
	pthread_mutex_t lock;
	struct vd_name_index lru; /* head of a ring: the first is the one used last */
	size_t bytes;
	struct vd_name_index *buckets[BUCKETS];
};

int vd_name_indexes_new(struct vd_name_indexes **out)
{
	struct vd_name_indexes *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	if (pthread_mutex_init(&x->lock, NULL)) {
		free(x);
		return -ENOMEM;
	}
	x->lru.next = x->lru.prev = &x->lru;
	*out = x;
	return 0;
}

static size_t index_bytes(const struct vd_name_index *ix)
{
	return sizeof(*ix) + ((size_t)ix->mask + 1) * sizeof(*ix->entries);
}

static void index_free(struct vd_name_index *ix)
{
	if (ix)
		free(ix->entries);
	free(ix);
}

static void index_cleanup(struct vd_name_index **ix)
{
	index_free(*ix);
}

void vd_name_indexes_free(struct vd_name_indexes *x)
{
	if (!x)
		return;
	while (x->lru.next != &x->lru) {
		struct vd_name_index *ix = x->lru.next;

		x->lru.next = ix->next;
		index_free(ix);
	}
	pthread_mutex_destroy(&x->lock);
	free(x);
}

static void insert(struct vd_name_index *ix, uint32_t hash, uint32_t pos)
{
	uint32_t i = hash & ix->mask;

	while (ix->entries[i].pos != EMPTY)
		i = (i + 1) & ix->mask;
	ix->entries[i] = (struct entry){ .hash = hash, .pos = pos };
}

static int resize(struct vd_name_index *ix, uint32_t slots)
{
	struct entry *old = ix->entries;
	uint32_t nold = old ? ix->mask + 1 : 0, first = 0;

	ix->entries = malloc(slots * sizeof(*ix->entries));
	if (!ix->entries) {
		ix->entries = old;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < slots; i++)
		ix->entries[i].pos = EMPTY;
	ix->mask = slots - 1;
	/*
	 * Entries of equal hash must stay in the disc's order. Of those of one hash, the ones that were put in
	 * first come first after an empty slot.
	 */
	while (first < nold && old[first].pos != EMPTY)
		first++;
	for (uint32_t i = 0; i < nold; i++) {
		const struct entry *e = &old[(first + i) & (nold - 1)];

		if (e->pos != EMPTY)
			insert(ix, e->hash, e->pos);
	}
	free(old);
	return 0;
}

int vd_name_index_add(struct vd_name_index *ix, uint32_t hash, uint32_t pos)
{
	if (ix->used >= INDEX_ENTRIES_MAX)
		return -EFBIG;
	if (ix->used * 4 >= (ix->mask + 1) * 3) {
		int r = resize(ix, (ix->mask + 1) * 2);

		if (r)
			return r;
	}
	insert(ix, hash, pos);
	ix->used++;
	return 0;
}

static int build(uint64_t dir, vd_name_index_fill fill, void *arg, struct vd_name_index **out)
{
	_cleanup_(index_cleanup) struct vd_name_index *ix = calloc(1, sizeof(*ix));
	int r;

	if (!ix)
		return -ENOMEM;
	ix->dir = dir;
	r = resize(ix, 32);
	if (!r)
		r = fill(arg, ix);
	if (r == -ENOMEM || r == -EFBIG)
		return r;
	ix->damage = r;
	*out = VD_TAKE_PTR(ix);
	return 0;
}

static struct vd_name_index **bucket(struct vd_name_indexes *x, uint64_t dir)
{
	return &x->buckets[dir % BUCKETS];
}

static void link_first(struct vd_name_indexes *x, struct vd_name_index *ix)
{
	ix->next = x->lru.next;
	ix->prev = &x->lru;
	ix->next->prev = ix;
	x->lru.next = ix;
}

static void unlink_index(struct vd_name_index *ix)
{
	ix->prev->next = ix->next;
	ix->next->prev = ix->prev;
}

/* The following are called under the lock. */

static void add(struct vd_name_indexes *x, struct vd_name_index *ix)
{
	struct vd_name_index **b = bucket(x, ix->dir);

	ix->chain = *b;
	*b = ix;
	link_first(x, ix);
	ix->listed = true;
	x->bytes += index_bytes(ix);
}

static void drop(struct vd_name_indexes *x, struct vd_name_index *ix)
{
	struct vd_name_index **p = bucket(x, ix->dir);

	while (*p != ix)
		p = &(*p)->chain;
	*p = ix->chain;
	unlink_index(ix);
	ix->listed = false;
	x->bytes -= index_bytes(ix);
	if (!ix->users)
		index_free(ix);
}

static struct vd_name_index *find(struct vd_name_indexes *x, uint64_t dir)
{
	struct vd_name_index *ix = *bucket(x, dir);

	while (ix && ix->dir != dir)
		ix = ix->chain;
	if (ix) {
		unlink_index(ix);
		link_first(x, ix);
		ix->users++;
	}
	return ix;
}

int vd_name_index_get(struct vd_name_indexes *x, uint64_t dir, vd_name_index_fill fill, void *arg,
		      struct vd_name_index **out, int *damage)
{
	struct vd_name_index *ix, *mine = NULL;
	int r;

	pthread_mutex_lock(&x->lock);
	ix = find(x, dir);
	pthread_mutex_unlock(&x->lock);
	if (!ix) {
		r = build(dir, fill, arg, &mine);
		if (r)
			return r;
		pthread_mutex_lock(&x->lock);
		ix = find(x, dir);
		if (!ix) {
			ix = VD_TAKE_PTR(mine);
			ix->users = 1;
			add(x, ix);
		}
		while (x->bytes > INDEX_TOTAL_MAX && x->lru.prev != ix)
			drop(x, x->lru.prev);
		pthread_mutex_unlock(&x->lock);
		index_free(mine);
	}
	*damage = ix->damage;
	*out = ix;
	return 0;
}

void vd_name_index_put(struct vd_name_indexes *x, struct vd_name_index *ix)
{
	bool unused;

	pthread_mutex_lock(&x->lock);
	unused = !--ix->users && !ix->listed;
	pthread_mutex_unlock(&x->lock);
	if (unused)
		index_free(ix);
}

bool vd_name_index_find(const struct vd_name_index *ix, uint32_t hash, uint32_t *slot,
			uint32_t *pos)
{
	/* *slot counts the slots that were looked at. */
	while (*slot <= ix->mask) {
		const struct entry *e = &ix->entries[(hash + *slot) & ix->mask];

		++*slot;
		if (e->pos == EMPTY)
			return false;
		if (e->hash == hash) {
			*pos = e->pos;
			return true;
		}
	}
	return false;
}
