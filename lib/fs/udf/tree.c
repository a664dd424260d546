// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The directories that were met: by inode number the one place where each stands, and for each block of the disc a bit, whether
 * it belongs to one. Both only grow, and not beyond what the disc has blocks for, since no block is claimed twice.
 */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

#define CHUNK_BLOCKS 32768u
#define DIR_RUNS_MAX 65536u

struct met {
	uint64_t ino; /* 0: empty */
	uint64_t parent;
	uint32_t pos;
};

struct udf_tree {
	pthread_rwlock_t lock;
	struct met *met; /* open addressing; a power of two */
	size_t room, used;
	uint64_t **chunks; /* of CHUNK_BLOCKS bits, when first needed */
	uint64_t blocks;
};

int udf_tree_new(const struct udf_fs *u, struct udf_tree **out)
{
	struct udf_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->blocks = u->disc_bytes >> u->shift;
	t->room = 64;
	t->chunks = calloc((size_t)(t->blocks / CHUNK_BLOCKS + 1), sizeof(*t->chunks));
	t->met = calloc(t->room, sizeof(*t->met));
	if (!t->chunks || !t->met || pthread_rwlock_init(&t->lock, NULL)) {
		free(t->chunks);
		free(t->met);
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void udf_tree_free(struct udf_tree *t)
{
	if (!t)
		return;
	pthread_rwlock_destroy(&t->lock);
	for (uint64_t i = 0; i <= t->blocks / CHUNK_BLOCKS; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->met);
	free(t);
}

static struct met *find(const struct udf_tree *t, uint64_t ino)
{
	size_t i = (size_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->room - 1);

	while (t->met[i].ino && t->met[i].ino != ino)
		i = (i + 1) & (t->room - 1);
	return &t->met[i];
}

static int grow(struct udf_tree *t)
{
	struct met *old = t->met;
	const size_t n = t->room;

	if (t->used * 4 < n * 3)
		return 0;
	t->met = calloc(2 * n, sizeof(*t->met));
	if (!t->met) {
		t->met = old;
		return -ENOMEM;
	}
	t->room = 2 * n;
	for (size_t i = 0; i < n; i++)
		if (old[i].ino)
			*find(t, old[i].ino) = old[i];
	free(old);
	return 0;
}

static uint64_t *word(const struct udf_tree *t, uint64_t block)
{
	uint64_t *chunk = t->chunks[block / CHUNK_BLOCKS];

	return chunk ? &chunk[block % CHUNK_BLOCKS / 64] : NULL;
}

/* Sets or clears the bits of blocks [first, end). */
static void mark(struct udf_tree *t, uint64_t first, uint64_t end, bool set)
{
	for (uint64_t b = first; b < end; b++) {
		uint64_t *w = word(t, b), bit = UINT64_C(1) << b % 64;

		*w = set ? *w | bit : *w & ~bit;
	}
}

/* All of them, or none. */
static int claim(struct udf_tree *t, uint64_t first, uint64_t end)
{
	if (first >= t->blocks || end > t->blocks)
		return -EIO;
	for (uint64_t b = first; b < end; b++) {
		uint64_t *w = word(t, b);

		if (w && *w >> b % 64 & 1)
			return -ELOOP;
	}
	for (uint64_t i = first / CHUNK_BLOCKS; i <= (end - 1) / CHUNK_BLOCKS; i++) {
		if (!t->chunks[i])
			t->chunks[i] = calloc(CHUNK_BLOCKS / 64, sizeof(**t->chunks));
		if (!t->chunks[i])
			return -ENOMEM;
	}
	mark(t, first, end, true);
	return 0;
}

static uint64_t end_block(const struct udf_fs *u, const struct udf_run *r)
{
	return (r->disc + r->len + u->block - 1) >> u->shift;
}

/* Under the lock. */
static int enter(const struct udf_fs *u, const struct udf_node *dir, const struct udf_runs *runs,
		 const struct met *m)
{
	struct udf_tree *t = u->tree;
	const uint64_t entry = dir->place >> u->shift;
	const struct met *there = find(t, m->ino);
	size_t done = 0;
	int r;

	if (there->ino)
		return there->parent == m->parent && there->pos == m->pos ? 0 : -ELOOP;
	r = grow(t);
	if (!r)
		r = claim(t, entry, entry + 1);
	if (r)
		return r;
	/* What is embedded lies in the entry's own block. */
	for (; !r && dir->ad != UDF_AD_EMBEDDED && done < runs->n; done++)
		r = claim(t, runs->runs[done].disc >> u->shift, end_block(u, &runs->runs[done]));
	if (!r) {
		*find(t, m->ino) = *m;
		t->used++;
		return 0;
	}
	for (size_t i = 0; i + 1 < done; i++)
		mark(t, runs->runs[i].disc >> u->shift, end_block(u, &runs->runs[i]), false);
	mark(t, entry, entry + 1, false);
	return r;
}

int udf_tree_enter(struct udf_fs *u, const struct udf_node *dir, uint64_t ino, uint64_t parent,
		   uint32_t pos)
{
	const struct met m = { .ino = ino, .parent = parent, .pos = pos };
	struct udf_runs runs = { .n = 0 };
	const struct met *there;
	int r = -ENOENT;

	pthread_rwlock_rdlock(&u->tree->lock);
	there = find(u->tree, ino);
	if (there->ino)
		r = there->parent == parent && there->pos == pos ? 0 : -ELOOP;
	pthread_rwlock_unlock(&u->tree->lock);
	if (r != -ENOENT)
		return r;
	if (dir->size > UDF_DIR_MAX)
		return -EUCLEAN;
	r = udf_node_runs(u, dir, DIR_RUNS_MAX, &runs);
	if (r)
		return r;
	pthread_rwlock_wrlock(&u->tree->lock);
	r = enter(u, dir, &runs, &m);
	pthread_rwlock_unlock(&u->tree->lock);
	free(runs.runs);
	return r;
}

bool udf_tree_has(struct udf_fs *u, uint64_t ino)
{
	bool has;

	pthread_rwlock_rdlock(&u->tree->lock);
	has = find(u->tree, ino)->ino != 0;
	pthread_rwlock_unlock(&u->tree->lock);
	return has;
}
