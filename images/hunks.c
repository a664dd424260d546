// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Hunks are kept in slots, those used last; a slot is
 *
 *     free      no hunk
 *     loading   one thread decodes its hunk, without the lock; others that want it wait
 *     ready     its hunk is there. It stays as long as anybody has it pinned
 *
 * so many threads decode many hunks at once, and none twice. Where reads go on one behind the other, threads of our own
 * load what comes next, AHEAD bytes of it: they are started with the first such read and sleep otherwise. Hunks that are the same as another
 * one are that one: it has one slot.
 *
 * Decoders are as many as threads that decode at a time, and are kept.
 */
#define _GNU_SOURCE
#include "images/hunks.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CACHE (8u << 20) /* bytes in slots, but at least SLOTS_MIN */
#define SLOTS_MIN 3u
#define SLOTS_MAX 2048u
#define AHEAD (1u << 20) /* bytes */
#define THREADS_MAX 4u
#define DECODERS (16u << 20) /* bytes of hunks being decoded, but at least two at a time */
#define DECODERS_MAX 16u
#define SEQUENTIAL 4u /* reads in a row before anything is loaded ahead */
#define NEAR 16u      /* hunks: readers side by side are a little out of order */
#define NOTHING UINT32_MAX

struct slot {
	uint32_t hunk; /* NOTHING: free */
	bool ready;
	unsigned int pins;
	uint8_t *data;
	struct slot *chain;	    /* of the same hash */
	struct slot *newer, *older; /* by their last use */
};

struct hunks {
	struct vd_store store;
	const struct vd_hunks_ops *ops;
	void *of;
	uint32_t hunk, n; /* bytes of the largest; how many there are */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a slot or decoder */
	unsigned int waiting;	/* for that */
	struct slot *slots, **hash;
	uint32_t nslots, mask;
	struct slot *newest, *oldest;
	void *idle[DECODERS_MAX];
	unsigned int nidle, ndecoders, decoders_max;

	pthread_cond_t work;
	pthread_t threads[THREADS_MAX];
	unsigned int nthreads;
	bool started, over;
	uint32_t next;		 /* the hunk that a sequential reader asks for next */
	unsigned int in_row;	 /* reads that were such ones */
	uint32_t ahead;		 /* hunks */
	uint32_t todo, todo_end; /* to be loaded ahead */
};

static struct hunks *to_hunks(struct vd_store *s)
{
	return (struct hunks *)s;
}

/* Where hunk @hunk begins; that behind the last one is the end. */
static uint64_t start_of(const struct hunks *c, uint32_t hunk)
{
	return c->ops->start ? c->ops->start(c->of, hunk) : (uint64_t)hunk * c->hunk;
}

/* The hunk that holds byte @off. */
static uint32_t hunk_at(const struct hunks *c, uint64_t off)
{
	uint32_t lo = 0, hi = c->n;

	if (!c->ops->start)
		return (uint32_t)(off / c->hunk);
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (start_of(c, mid) <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The hunk that has the bytes of @hunk. */
static uint32_t resolve(const struct hunks *c, uint32_t hunk)
{
	return c->ops->same_as ? c->ops->same_as(c->of, hunk) : hunk;
}

static void changed(struct hunks *c)
{
	if (c->waiting)
		pthread_cond_broadcast(&c->changed);
}

/* Under the lock, which is free while it waits. */
static void wait_for_change(struct hunks *c)
{
	c->waiting++;
	pthread_cond_wait(&c->changed, &c->lock);
	c->waiting--;
}

/* Slots, under the lock. */

static struct slot **find(struct hunks *c, uint32_t hunk)
{
	struct slot **p = &c->hash[hunk * 2654435761u & c->mask];

	while (*p && (*p)->hunk != hunk)
		p = &(*p)->chain;
	return p;
}

static void unlink_use(struct hunks *c, struct slot *s)
{
	*(s->newer ? &s->newer->older : &c->newest) = s->older;
	*(s->older ? &s->older->newer : &c->oldest) = s->newer;
}

static void link_newest(struct hunks *c, struct slot *s)
{
	s->newer = NULL;
	s->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = s;
	c->newest = s;
}

static void link_oldest(struct hunks *c, struct slot *s)
{
	s->older = NULL;
	s->newer = c->oldest;
	*(c->oldest ? &c->oldest->older : &c->newest) = s;
	c->oldest = s;
}

static void unpin(struct hunks *c, struct slot *s)
{
	if (!--s->pins)
		changed(c);
}

/* What it held is gone; it is the first to be taken. */
static void drop(struct hunks *c, struct slot *s)
{
	struct slot **p = find(c, s->hunk);

	*p = s->chain;
	s->hunk = NOTHING;
	unlink_use(c, s);
	link_oldest(c, s);
}

/* The slot that was not used for longest, for @hunk, pinned and loading. -EBUSY when all are in use, -ENOMEM. */
static int take(struct hunks *c, uint32_t hunk, struct slot **out)
{
	struct slot *s = c->oldest, **p;

	while (s && s->pins)
		s = s->newer;
	if (!s)
		return -EBUSY;
	if (s->hunk != NOTHING)
		drop(c, s);
	if (!s->data)
		s->data = malloc(c->hunk);
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

/* Decoding. */

/* Under the lock. NULL: no memory. */
static void *take_decoder(struct hunks *c)
{
	void *d;

	while (!c->nidle && c->ndecoders == c->decoders_max)
		wait_for_change(c);
	if (c->nidle)
		return c->idle[--c->nidle];
	d = c->ops->decoder_new(c->of);
	if (d)
		c->ndecoders++;
	return d;
}

/* Loads a slot that take() gave. Under the lock, which is free meanwhile. When it fails the slot is not pinned any more. */
static int load(struct hunks *c, struct slot *s)
{
	void *d = take_decoder(c);
	int r = d ? 0 : -ENOMEM;

	if (d) {
		pthread_mutex_unlock(&c->lock);
		r = c->ops->decode(c->of, d, s->hunk, s->data);
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
static int get(struct hunks *c, uint32_t hunk, struct slot **out)
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

/* Loading ahead. */

static void *load_ahead(void *arg)
{
	struct hunks *c = arg;

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
static void start_threads(struct hunks *c)
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
static void note(struct hunks *c, uint32_t hunk)
{
	uint32_t end = c->n - hunk > c->ahead ? hunk + 1 + c->ahead : c->n;

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
	if (c->nthreads && (c->todo_end - c->todo >= c->ahead / 2 || end == c->n))
		pthread_cond_broadcast(&c->work);
}

static int hunks_pread(struct vd_store *store, void *out, size_t len, uint64_t off)
{
	struct hunks *c = to_hunks(store);
	uint8_t *buf = out;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	while (len && !r) {
		uint32_t hunk = hunk_at(c, off);
		size_t skip = (size_t)(off - start_of(c, hunk));
		size_t n = (size_t)(start_of(c, hunk + 1) - off);
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

static void hunks_close(struct vd_store *store)
{
	struct hunks *c = to_hunks(store);

	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned int i = 0; i < c->nthreads; i++)
		pthread_join(c->threads[i], NULL);
	while (c->nidle)
		c->ops->decoder_free(c->idle[--c->nidle]);
	for (uint32_t i = 0; c->slots && i < c->nslots; i++)
		free(c->slots[i].data);
	free(c->slots);
	free(c->hash);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	c->ops->close(c->of);
	free(c);
}

static const struct vd_store_ops hunks_ops = {
	.name = "hunks",
	.pread = hunks_pread,
	.close = hunks_close,
};

static int make_slots(struct hunks *c)
{
	uint32_t n = CACHE / c->hunk;

	n = n < SLOTS_MIN ? SLOTS_MIN : n > SLOTS_MAX ? SLOTS_MAX : n;
	c->ahead = AHEAD / c->hunk;
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

int vd_hunks_open(const struct vd_hunks_ops *ops, void *of, const struct vd_hunks_size *size,
		  struct vd_store **out)
{
	struct hunks *c = calloc(1, sizeof(*c));

	if (!c) {
		ops->close(of);
		return -ENOMEM;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	pthread_cond_init(&c->work, NULL);
	c->ops = ops;
	c->of = of;
	c->hunk = size->hunk;
	c->n = size->hunks;
	c->decoders_max = DECODERS / size->hunk;
	if (c->decoders_max < 2)
		c->decoders_max = 2;
	if (c->decoders_max > DECODERS_MAX)
		c->decoders_max = DECODERS_MAX;
	c->store.ops = &hunks_ops;
	c->store.size = size->bytes;
	c->store.read_only = true;
	for (c->store.block = 4096; c->store.block < c->hunk; c->store.block *= 2)
		;
	if (make_slots(c)) {
		hunks_close(&c->store);
		return -ENOMEM;
	}
	*out = &c->store;
	return 0;
}
