// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A store that decompresses. Hunks are kept in slots, those used last; a slot is
 *
 *     free      no hunk
 *     loading   one thread decompresses its hunk, without the lock; others that want it wait
 *     ready     its hunk is there. It stays as long as anybody has it pinned
 *
 * so many threads decompress many hunks at once, and none twice. Where reads go on one behind the other, threads of our own
 * load what comes next, AHEAD bytes of it: they are started with the first such read and sleep otherwise. Hunks that are the same as another
 * one are that one: it has one slot.
 *
 * Decoders are as many as threads that decompress at a time, and are kept. A parent is a store like this one and has its own slots;
 * nobody waits there for anything here.
 */
#define _GNU_SOURCE
#include "images/chd_store.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/chd_codec.h"
#include "util/cleanup.h"

#define CACHE (8u << 20) /* bytes in slots, but at least SLOTS_MIN */
#define SLOTS_MIN 8u
#define SLOTS_MAX 2048u
#define AHEAD (1u << 20) /* bytes */
#define THREADS_MAX 4u
#define DECODERS_MAX 16u
#define PARENTS_MAX 8u /* one behind the other */
#define SEQUENTIAL 4u  /* reads in a row before anything is loaded ahead */
#define NEAR 16u       /* hunks: readers side by side are a little out of order */
#define NOTHING UINT32_MAX

struct slot {
	uint32_t hunk; /* NOTHING: free */
	bool ready;
	unsigned int pins;
	uint8_t *data;
	struct slot *chain;	    /* of the same hash */
	struct slot *newer, *older; /* by their last use */
};

struct chd {
	struct vd_store store; /* its `inner` is the file */
	struct vd_chd_header header;
	struct vd_chd_map *map;
	struct vd_store *parent; /* NULL: none */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a slot or decoder */
	unsigned int waiting;	/* for that */
	struct slot *slots, **hash;
	uint32_t nslots, mask;
	struct slot *newest, *oldest;
	struct vd_chd_decoder *idle[DECODERS_MAX];
	unsigned int nidle, ndecoders;

	pthread_cond_t work;
	pthread_t threads[THREADS_MAX];
	unsigned int nthreads;
	bool started, over;
	uint32_t next;		 /* the hunk that a sequential reader asks for next */
	unsigned int in_row;	 /* reads that were such ones */
	uint32_t ahead;		 /* hunks */
	uint32_t todo, todo_end; /* to be loaded ahead */
};

static struct chd *to_chd(struct vd_store *s)
{
	return (struct chd *)s;
}

static void changed(struct chd *c)
{
	if (c->waiting)
		pthread_cond_broadcast(&c->changed);
}

/* Under the lock, which is free while it waits. */
static void wait_for_change(struct chd *c)
{
	c->waiting++;
	pthread_cond_wait(&c->changed, &c->lock);
	c->waiting--;
}

/* Slots, under the lock. */

static struct slot **find(struct chd *c, uint32_t hunk)
{
	struct slot **p = &c->hash[hunk * 2654435761u & c->mask];

	while (*p && (*p)->hunk != hunk)
		p = &(*p)->chain;
	return p;
}

static void unlink_use(struct chd *c, struct slot *s)
{
	*(s->newer ? &s->newer->older : &c->newest) = s->older;
	*(s->older ? &s->older->newer : &c->oldest) = s->newer;
}

static void link_newest(struct chd *c, struct slot *s)
{
	s->newer = NULL;
	s->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = s;
	c->newest = s;
}

static void link_oldest(struct chd *c, struct slot *s)
{
	s->older = NULL;
	s->newer = c->oldest;
	*(c->oldest ? &c->oldest->older : &c->newest) = s;
	c->oldest = s;
}

static void unpin(struct chd *c, struct slot *s)
{
	if (!--s->pins)
		changed(c);
}

/* What it held is gone; it is the first to be taken. */
static void drop(struct chd *c, struct slot *s)
{
	struct slot **p = find(c, s->hunk);

	*p = s->chain;
	s->hunk = NOTHING;
	unlink_use(c, s);
	link_oldest(c, s);
}

/* The slot that was not used for longest, for @hunk, pinned and loading. -EBUSY when all are in use, -ENOMEM. */
static int take(struct chd *c, uint32_t hunk, struct slot **out)
{
	struct slot *s = c->oldest, **p;

	while (s && s->pins)
		s = s->newer;
	if (!s)
		return -EBUSY;
	if (s->hunk != NOTHING)
		drop(c, s);
	if (!s->data)
		s->data = malloc(c->header.hunk);
	if (!s->data)
		return -ENOMEM;
	s->hunk = hunk;
	s->ready = false;
	s->pins = 1;
	p = find(c, hunk);
	s->chain = NULL;
	*p = s;
	unlink_use(c, s);
	link_newest(c, s);
	*out = s;
	return 0;
}

/* Decompressing. */

/* Under the lock. NULL: no memory. */
static struct vd_chd_decoder *take_decoder(struct chd *c)
{
	struct vd_chd_decoder *d = NULL;

	while (!c->nidle && c->ndecoders == DECODERS_MAX)
		wait_for_change(c);
	if (c->nidle)
		return c->idle[--c->nidle];
	if (!vd_chd_decoder_new(c->header.codecs, c->header.hunk, &d))
		c->ndecoders++;
	return d;
}

/* Bytes of the parent from @off on; what it has not are zeros. */
static int read_parent(struct chd *c, uint8_t *buf, uint64_t off)
{
	uint64_t size = c->parent ? c->parent->size : 0;
	size_t len = c->header.hunk, n = off >= size	    ? 0
					 : size - off < len ? (size_t)(size - off)
							    : len;

	memset(buf + n, 0, len - n);
	return n ? vd_store_pread(c->parent, buf, n, off) : 0;
}

static int read_hunk(struct chd *c, struct vd_chd_decoder *d, uint32_t hunk, uint8_t *buf)
{
	struct vd_chd_entry e = vd_chd_map_get(c->map, hunk);
	uint8_t *in = e.where < VD_CHD_STORED ? vd_chd_decoder_buffer(d) : buf;
	int r;

	if (e.where == VD_CHD_PARENT)
		return read_parent(c, buf, e.at * c->header.unit);
	if (e.where == VD_CHD_NOWHERE)
		return read_parent(c, buf, (uint64_t)hunk * c->header.hunk);
	r = vd_store_pread(c->store.inner, in, e.len, e.at);
	if (!r && e.where < VD_CHD_STORED)
		r = vd_chd_decode(d, e.where, in, e.len, buf);
	if (r || e.where == VD_CHD_PLAIN)
		return r;
	return vd_chd_crc16(0xffff, buf, c->header.hunk) == e.crc ? 0 : -EIO;
}

/* Loads a slot that take() gave. Under the lock, which is free meanwhile. When it fails the slot is not pinned any more. */
static int load(struct chd *c, struct slot *s)
{
	struct vd_chd_decoder *d = take_decoder(c);
	int r = d ? 0 : -ENOMEM;

	if (d) {
		pthread_mutex_unlock(&c->lock);
		r = read_hunk(c, d, s->hunk, s->data);
		pthread_mutex_lock(&c->lock);
		c->idle[c->nidle++] = d;
	}
	s->ready = true;
	if (r) {
		drop(c, s);
		s->pins = 0;
	}
	changed(c);
	return r;
}

/* The slot of a hunk, ready and pinned. Under the lock, which may be free meanwhile. */
static int get(struct chd *c, uint32_t hunk, struct slot **out)
{
	bool told = false;

	for (;;) {
		struct slot *s = *find(c, hunk);
		int r;

		if (s && s->ready) {
			s->pins++;
			unlink_use(c, s);
			link_newest(c, s);
			*out = s;
			return 0;
		}
		/* It takes a while: a server lets another thread go on. */
		if (!told && vd_store_before_wait) {
			told = true;
			pthread_mutex_unlock(&c->lock);
			vd_store_before_wait();
			pthread_mutex_lock(&c->lock);
			continue;
		}
		if (s) {
			wait_for_change(c);
			continue;
		}
		r = take(c, hunk, out);
		if (r != -EBUSY)
			return r ? r : load(c, *out);
		wait_for_change(c);
	}
}

/* The hunk that has the bytes of @hunk. */
static uint32_t resolve(const struct chd *c, uint32_t hunk)
{
	struct vd_chd_entry e = vd_chd_map_get(c->map, hunk);

	return e.where == VD_CHD_SELF ? (uint32_t)e.at : hunk;
}

/* Loading ahead. */

static void *load_ahead(void *arg)
{
	struct chd *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->over) {
		uint32_t hunk;
		struct slot *s;

		if (c->todo >= c->todo_end) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		hunk = resolve(c, c->todo++);
		if (*find(c, hunk))
			continue;
		/* Who wants it will see the error, or find a slot. */
		if (!take(c, hunk, &s) && !load(c, s))
			unpin(c, s);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* As many as there are CPUs for us. Without them all is as right, and slower. */
static void start_threads(struct chd *c)
{
	cpu_set_t cpus;
	sigset_t all, before;
	unsigned int n = 1;

	c->started = true;
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		n = (unsigned int)CPU_COUNT(&cpus);
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before))
		return;
	while (c->nthreads < n && c->nthreads < THREADS_MAX &&
	       !pthread_create(&c->threads[c->nthreads], NULL, load_ahead, c))
		c->nthreads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Hunk @hunk is asked for. Under the lock. */
static void note(struct chd *c, uint32_t hunk)
{
	uint32_t end = c->header.hunks - hunk > c->ahead ? hunk + 1 + c->ahead : c->header.hunks;

	if (hunk + 1 == c->next)
		return; /* the rest of it */
	if (hunk + NEAR >= c->next && hunk <= c->next + NEAR) {
		c->in_row++;
	} else {
		c->in_row = 0;
		c->next = hunk + 1;
		return;
	}
	if (hunk >= c->next)
		c->next = hunk + 1;
	if (c->in_row < SEQUENTIAL)
		return;
	if (!c->started)
		start_threads(c);
	if (c->todo <= hunk || c->todo > end)
		c->todo = hunk + 1;
	if (end > c->todo_end || c->todo_end > end + NEAR)
		c->todo_end = end;
	/* Not for every hunk: a thread that is woken should have something to do. */
	if (c->nthreads && (c->todo_end - c->todo >= c->ahead / 2 || end == c->header.hunks))
		pthread_cond_broadcast(&c->work);
}

static int chd_pread(struct vd_store *store, void *out, size_t len, uint64_t off)
{
	struct chd *c = to_chd(store);
	uint8_t *buf = out;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	while (len && !r) {
		uint32_t hunk = (uint32_t)(off / c->header.hunk);
		size_t skip = (size_t)(off % c->header.hunk), n = c->header.hunk - skip;
		struct slot *s;

		if (n > len)
			n = len;
		note(c, hunk);
		r = get(c, resolve(c, hunk), &s);
		if (r)
			break;
		pthread_mutex_unlock(&c->lock);
		memcpy(buf, s->data + skip, n);
		pthread_mutex_lock(&c->lock);
		unpin(c, s);
		buf += n;
		off += n;
		len -= n;
	}
	pthread_mutex_unlock(&c->lock);
	return r;
}

static void chd_close(struct vd_store *store)
{
	struct chd *c = to_chd(store);

	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned int i = 0; i < c->nthreads; i++)
		pthread_join(c->threads[i], NULL);
	while (c->nidle)
		vd_chd_decoder_free(c->idle[--c->nidle]);
	for (uint32_t i = 0; c->slots && i < c->nslots; i++)
		free(c->slots[i].data);
	free(c->slots);
	free(c->hash);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	vd_chd_map_free(c->map);
	vd_store_close(c->parent);
	vd_store_close(c->store.inner);
	free(c);
}

static const struct vd_store_ops chd_ops = {
	.name = "chd",
	.pread = chd_pread,
	.close = chd_close,
};

static void close_chd(struct chd **c)
{
	if (*c)
		chd_close(&(*c)->store);
}

static int make_slots(struct chd *c)
{
	uint32_t n = CACHE / c->header.hunk;

	n = n < SLOTS_MIN ? SLOTS_MIN : n > SLOTS_MAX ? SLOTS_MAX : n;
	c->ahead = AHEAD / c->header.hunk;
	c->ahead = c->ahead < 2 ? 2 : c->ahead > n / 2 ? n / 2 : c->ahead;
	c->mask = 1;
	while (c->mask < n)
		c->mask *= 2;
	c->nslots = n;
	c->slots = calloc(n, sizeof(*c->slots));
	c->hash = calloc(c->mask, sizeof(struct slot *));
	c->mask--;
	if (!c->slots || !c->hash)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		c->slots[i].hunk = NOTHING;
		link_newest(c, &c->slots[i]);
	}
	return 0;
}

/* Parents. */

/* Who asks for a parent, and for whom. */
struct descent {
	struct vd_store *file;
	const struct descent *child; /* NULL: it is the image itself */
};

static bool same_file(struct vd_store *a, struct vd_store *b)
{
	struct vd_fd_range in_a, in_b;
	struct stat of_a, of_b;

	return !vd_store_map(a, 0, 1, &in_a) && !vd_store_map(b, 0, 1, &in_b) &&
	       !fstat(in_a.fd, &of_a) && !fstat(in_b.fd, &of_b) && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* A child that changes nothing has the SHA-1 of its parent: nobody is a parent of himself. */
static bool is_descendant(const struct descent *from, struct vd_store *file)
{
	for (; from; from = from->child)
		if (same_file(from->file, file))
			return true;
	return false;
}

static int open_chd(struct vd_store *file, const char *name, struct vd_opener *opener,
		    const struct descent *child, uint64_t hunks, struct chd **out,
		    struct vd_error *err);

/* The next CHD from number *n on beside the image that says it has the SHA-1 of the parent. 1, 0: there is none, or -EMFILE. */
static int find_parent(const struct chd *c, struct vd_opener *opener, const struct descent *from,
		       unsigned int *n, struct vd_store **out, struct vd_error *err)
{
	while (opener && opener->open_nth) {
		struct vd_chd_header h;
		struct vd_store *s;
		int fd = opener->open_nth(opener, ".chd", (*n)++, err);

		if (fd == -ENOENT)
			break;
		if (fd == -EMFILE)
			return fd;
		/* Others beside it may be damaged, or no CHD at all. */
		if (fd < 0 || vd_store_file_open(fd, true, &s, NULL))
			continue;
		if (!vd_chd_header_read(s, "", &h, NULL) &&
		    !memcmp(h.sha1, c->header.parent, VD_CHD_SHA1) && !is_descendant(from, s)) {
			*out = s;
			return 1;
		}
		vd_store_close(s);
	}
	return 0;
}

/* The first one that is whole: what has the same contents has the same SHA-1, and may need a parent that is not there. */
static int open_parent(struct chd *c, struct vd_opener *opener, const char *name,
		       const struct descent *from, uint64_t hunks, struct vd_error *err)
{
	char text[2 * VD_CHD_SHA1 + 1];
	unsigned int depth = 0, n = 0;
	int r, failed = 0;

	for (size_t i = 0; i < VD_CHD_SHA1; i++)
		snprintf(text + i * 2, 3, "%02x", c->header.parent[i]);
	for (const struct descent *d = from; d; d = d->child)
		depth++;
	if (depth > PARENTS_MAX)
		return vd_error_set(err, -EINVAL, "%s: more than %u parents, each one's of another",
				    name, PARENTS_MAX);
	for (;;) {
		struct vd_store *file = NULL;
		struct chd *parent;

		r = find_parent(c, opener, from, &n, &file, err);
		if (r <= 0)
			break;
		failed = open_chd(file, name, opener, from, hunks, &parent, err);
		if (!failed) {
			c->parent = &parent->store;
			return 0;
		}
	}
	if (failed)
		return vd_error_prefix(err, failed, "%s: in its parent of SHA-1 %s", name, text);
	if (r)
		return vd_error_prefix(err, r, "%s: looking for its parent of SHA-1 %s", name,
				       text);
	return vd_error_set(err, -ENOENT,
			    "%s: its parent, the CHD of SHA-1 %s, is not in the same folder", name,
			    text);
}

/* @hunks: how many it and its parents may have. */
static int open_chd(struct vd_store *file, const char *name, struct vd_opener *opener,
		    const struct descent *child, uint64_t hunks, struct chd **out,
		    struct vd_error *err)
{
	const struct descent from = { .file = file, .child = child };
	_cleanup_(close_chd) struct chd *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		vd_store_close(file);
		return vd_error_errno(err, -ENOMEM, "%s: cannot open it", name);
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	pthread_cond_init(&c->work, NULL);
	c->store.ops = &chd_ops;
	c->store.inner = file;
	c->store.read_only = true;
	r = vd_chd_header_read(file, name, &c->header, err);
	if (!r)
		r = vd_chd_codecs_check(c->header.codecs, c->header.hunk, name, err);
	if (r)
		return r;
	if (c->header.hunks > hunks)
		return vd_error_set(err, -EINVAL, "%s: its parents have too many hunks", name);
	c->store.size = c->header.size;
	for (c->store.block = 4096; c->store.block < c->header.hunk; c->store.block *= 2)
		;
	if (c->header.has_parent)
		r = open_parent(c, opener, name, &from, hunks - c->header.hunks, err);
	if (!r)
		r = vd_chd_map_read(file, name, &c->header, &c->map, err);
	if (r)
		return r;
	if (make_slots(c))
		return vd_error_errno(err, -ENOMEM, "%s: cannot open it", name);
	*out = VD_TAKE_PTR(c);
	return 0;
}

int vd_chd_store_open(struct vd_store *file, const char *name, struct vd_opener *opener,
		      struct vd_chd_header *header, struct vd_store **out, struct vd_error *err)
{
	struct chd *c;
	int r = open_chd(file, name, opener, NULL, VD_CHD_HUNKS_MAX, &c, err);

	if (r)
		return r;
	if (header)
		*header = c->header;
	*out = &c->store;
	return 0;
}
