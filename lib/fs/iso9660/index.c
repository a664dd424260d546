// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Indexes of the directories looked into last: a hash of each name and where its entry begins. Names are not kept;
 * the caller compares with the record. The least recently used ones go when all together exceed the bound.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

#define INDEX_TOTAL_MAX (16u << 20) /* bytes */
/* A directory's smallest entry takes 34 bytes: one with more than this has no index. */
#define INDEX_ENTRIES_MAX (INDEX_TOTAL_MAX / sizeof(struct entry) / 4)

struct entry {
	uint32_t hash, pos;
};

#define BUCKETS 4096u
#define EMPTY UINT32_MAX /* no position: directories are smaller */

struct iso_index {
	struct iso_index *next, *prev; /* in the order of use */
	struct iso_index *chain;       /* of its bucket */
	uint64_t start;
	int damage;
	unsigned int users;
	bool listed;
	uint32_t mask; /* slots - 1 */
	uint32_t used;
	struct entry *entries;
};

struct iso_indexes {
	pthread_mutex_t lock;
	struct iso_index lru; /* head of a ring: the first is the one used last */
	size_t bytes;
	struct iso_index *buckets[BUCKETS]; /* by the directory's sector */
};

int iso_indexes_new(struct iso_indexes **out)
{
	struct iso_indexes *x = calloc(1, sizeof(*x));

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

static size_t index_bytes(const struct iso_index *ix)
{
	return sizeof(*ix) + ((size_t)ix->mask + 1) * sizeof(*ix->entries);
}

static void index_free(struct iso_index *ix)
{
	if (ix)
		free(ix->entries);
	free(ix);
}

static void index_cleanup(struct iso_index **ix)
{
	index_free(*ix);
}

void iso_indexes_free(struct iso_indexes *x)
{
	if (!x)
		return;
	while (x->lru.next != &x->lru) {
		struct iso_index *ix = x->lru.next;

		x->lru.next = ix->next;
		index_free(ix);
	}
	pthread_mutex_destroy(&x->lock);
	free(x);
}

static void insert(struct iso_index *ix, uint32_t hash, uint32_t pos)
{
	uint32_t i = hash & ix->mask;

	while (ix->entries[i].pos != EMPTY)
		i = (i + 1) & ix->mask;
	ix->entries[i] = (struct entry){ .hash = hash, .pos = pos };
}

static int resize(struct iso_index *ix, uint32_t slots)
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

static int build(struct iso_fs *iso, const struct iso_dir *dir, struct iso_index **out)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	_cleanup_(index_cleanup) struct iso_index *ix = calloc(1, sizeof(*ix));
	struct iso_entry e;
	int r;

	iso_cursor_init(&c, iso, dir, 0);
	if (!ix)
		return -ENOMEM;
	ix->start = dir->start;
	r = resize(ix, 32);
	if (r)
		return r;
	e.link = NULL;
	while ((r = iso_entry_next(&c, &e, false)) == 1) {
		if (ix->used >= INDEX_ENTRIES_MAX)
			return -EFBIG;
		if (ix->used * 4 >= (ix->mask + 1) * 3) {
			r = resize(ix, (ix->mask + 1) * 2);
			if (r)
				return r;
		}
		insert(ix, iso_name_hash(iso, e.name, e.name_len), (uint32_t)(e.pos - dir->start));
		ix->used++;
	}
	if (r == -ENOMEM)
		return r;
	ix->damage = r;
	*out = VD_TAKE_PTR(ix);
	return 0;
}

static struct iso_index **bucket(struct iso_indexes *x, uint64_t start)
{
	return &x->buckets[start / ISO_SECTOR % BUCKETS];
}

static void link_first(struct iso_indexes *x, struct iso_index *ix)
{
	ix->next = x->lru.next;
	ix->prev = &x->lru;
	ix->next->prev = ix;
	x->lru.next = ix;
}

static void unlink_index(struct iso_index *ix)
{
	ix->prev->next = ix->next;
	ix->next->prev = ix->prev;
}

/* The following are called under the lock. */

static void add(struct iso_indexes *x, struct iso_index *ix)
{
	struct iso_index **b = bucket(x, ix->start);

	ix->chain = *b;
	*b = ix;
	link_first(x, ix);
	ix->listed = true;
	x->bytes += index_bytes(ix);
}

static void drop(struct iso_indexes *x, struct iso_index *ix)
{
	struct iso_index **p = bucket(x, ix->start);

	while (*p != ix)
		p = &(*p)->chain;
	*p = ix->chain;
	unlink_index(ix);
	ix->listed = false;
	x->bytes -= index_bytes(ix);
	if (!ix->users)
		index_free(ix);
}

static struct iso_index *find(struct iso_indexes *x, uint64_t start)
{
	struct iso_index *ix = *bucket(x, start);

	while (ix && ix->start != start)
		ix = ix->chain;
	if (ix) {
		unlink_index(ix);
		link_first(x, ix);
		ix->users++;
	}
	return ix;
}

int iso_index_get(struct iso_fs *iso, const struct iso_dir *dir, struct iso_index **out,
		  int *damage)
{
	struct iso_indexes *x = iso->indexes;
	struct iso_index *ix, *mine = NULL;
	int r;

	pthread_mutex_lock(&x->lock);
	ix = find(x, dir->start);
	pthread_mutex_unlock(&x->lock);
	if (!ix) {
		r = build(iso, dir, &mine);
		if (r)
			return r;
		pthread_mutex_lock(&x->lock);
		ix = find(x, dir->start);
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

void iso_index_put(struct iso_fs *iso, struct iso_index *ix)
{
	bool unused;

	pthread_mutex_lock(&iso->indexes->lock);
	unused = !--ix->users && !ix->listed;
	pthread_mutex_unlock(&iso->indexes->lock);
	if (unused)
		index_free(ix);
}

bool iso_index_find(const struct iso_index *ix, uint32_t hash, uint32_t *slot, uint32_t *pos)
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
