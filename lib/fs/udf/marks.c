// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Where allocation descriptors go on. Those of a file in very many pieces are in extents that each name the next one, so that the
 * last can only be reached through all others. What was gone through once is remembered here: each extent or, of long
 * chains, each second, fourth ... of them. A read then begins near where it wants to be.
 *
 * This makes reads faster and nothing else: what is not remembered is gone through again. It takes 1 MiB at most.
 */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>

#define FILES_MAX 64u
#define MARKS_MAX 1024u /* of a file; a power of two */

struct mark {
	uint64_t at;  /* bytes of the file before it */
	uint64_t ino; /* of its block */
};

struct file {
	uint64_t key; /* 0: none */
	uint64_t used;
	unsigned int shift; /* marks[i] is the extent number (i + 1) << shift */
	size_t n, room;
	struct mark *marks;
};

struct udf_marks {
	pthread_mutex_t lock;
	uint64_t clock;
	struct file files[FILES_MAX];
};

int udf_marks_new(struct udf_marks **out)
{
	struct udf_marks *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	if (pthread_mutex_init(&m->lock, NULL)) {
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void udf_marks_free(struct udf_marks *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < FILES_MAX; i++)
		free(m->files[i].marks);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static struct file *find_file(struct udf_marks *m, uint64_t key)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (m->files[i].key == key) {
			m->files[i].used = ++m->clock;
			return &m->files[i];
		}
	}
	return NULL;
}

/* In place of the one that was not used for longest. */
static struct file *new_file(struct udf_marks *m, uint64_t key)
{
	struct file *f = &m->files[0];

	for (size_t i = 1; i < FILES_MAX; i++)
		if (m->files[i].used < f->used)
			f = &m->files[i];
	free(f->marks);
	*f = (struct file){ .key = key, .used = ++m->clock };
	return f;
}

bool udf_marks_find(struct udf_marks *m, uint64_t key, uint64_t off, struct udf_mark *out)
{
	size_t low = 0, high = 0;
	const struct file *f;

	pthread_mutex_lock(&m->lock);
	f = find_file(m, key);
	high = f ? f->n : 0;
	/* The marks before `low` are at or before @off. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->marks[middle].at <= off)
			low = middle + 1;
		else
			high = middle;
	}
	if (low) {
		out->at = f->marks[low - 1].at;
		out->ino = f->marks[low - 1].ino;
		out->number = (uint64_t)low << f->shift;
		/* The highest power of two that is not above `low`: remembered, since all of them are multiples of the first. */
		out->power = f->marks[(UINT64_C(1) << (63 - __builtin_clzll(low))) - 1].ino;
	}
	pthread_mutex_unlock(&m->lock);
	return low > 0;
}

/* Forgets each second one. */
static void thin_out(struct file *f)
{
	for (size_t i = 0; i < f->n / 2; i++)
		f->marks[i] = f->marks[2 * i + 1];
	f->n /= 2;
	f->shift++;
}

static bool has_room(struct file *f)
{
	size_t room = f->room ? 2 * f->room : 16;
	struct mark *more;

	if (f->n < f->room)
		return true;
	more = realloc(f->marks, room * sizeof(*more));
	if (!more)
		return false;
	f->marks = more;
	f->room = room;
	return true;
}

void udf_marks_add(struct udf_marks *m, uint64_t key, uint64_t number, uint64_t at, uint64_t ino)
{
	struct file *f;

	pthread_mutex_lock(&m->lock);
	f = find_file(m, key);
	if (!f && number == 1)
		f = new_file(m, key);
	if (f && f->n == MARKS_MAX && number == (uint64_t)(f->n + 1) << f->shift)
		thin_out(f);
	/* The next one, no other. */
	if (f && number == (uint64_t)(f->n + 1) << f->shift && has_room(f))
		f->marks[f->n++] = (struct mark){ .at = at, .ino = ino };
	pthread_mutex_unlock(&m->lock);
}
