// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "blkcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <linux/fs.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { PAGE = 4096, CHUNK = 64, SECTOR = 512 };

#define NO_OTHER UINT32_MAX

/* Numbers of writes of a page; 0: zeros. None comes again, so that old contents are known as such. */
struct state {
	uint32_t is, other; /* after a failed request it may be either */
	uint32_t last;
};

struct worker {
	struct blkcheck *c;
	pthread_t thread;
	unsigned int number;
	struct state *states;
	uint64_t random;
	int fd, r;
	uint64_t writes, reads, discards, failures, wrong;
	char first[sizeof(((struct blkcheck *)0)->first)];
	unsigned char *memory, *expected, *settled;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9;
	return x ^ x >> 32;
}

static uint64_t next(struct worker *w)
{
	return mix(w->random += 0x9e3779b97f4a7c15);
}

static void content(uint64_t page, uint32_t times, void *to)
{
	uint64_t *words = to, seed = mix(page << 32 | times), kind = seed % 8;

	if (!times || !kind) {
		/* No word twice among the pages of a run but those of zeros. */
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = times ? seed : 0;
		return;
	}
	if (kind == 2)
		seed = seed >> 3 & 15;
	for (size_t i = 0; i < PAGE / 8; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		words[i] = kind == 1 ? mix(seed) : (seed >> 40) % 23 * 0x0101010101010101;
	}
}

static void note(struct worker *w, uint64_t page, const unsigned char *found)
{
	size_t at = 0;

	while (at < PAGE - 1 && found[at] == w->expected[at])
		at++;
	if (!w->wrong++)
		snprintf(w->first, sizeof(w->first),
			 "page %llu, written %u times, byte %zu: %02x instead of %02x",
			 (unsigned long long)page, w->states[page].is, at, found[at],
			 w->expected[at]);
}

static void check_page(struct worker *w, uint64_t page, const unsigned char *found)
{
	struct state *s = &w->states[page];

	if (s->other != NO_OTHER) {
		content(page, s->other, w->expected);
		if (!memcmp(found, w->expected, PAGE))
			s->is = s->other;
		s->other = NO_OTHER;
	}
	content(page, s->is, w->expected);
	if (memcmp(found, w->expected, PAGE))
		note(w, page, found);
}

/*
 * Nobody knows what is in a page now, and it is read before it is changed again: a second failure would make three things that
 * it may be.
 */
static int settle(struct worker *w, uint64_t page, unsigned int n)
{
	for (uint64_t p = page; p < page + n; p++) {
		int tries = 0;

		if (w->states[p].other == NO_OTHER)
			continue;
		while (pread(w->fd, w->settled, PAGE, (off_t)(p * PAGE)) != PAGE)
			if (++tries == 1000)
				return -EIO;
		check_page(w, p, w->settled);
	}
	return 0;
}

/* Is it one that may be? Then it is counted. */
static int failed(struct worker *w, ssize_t r)
{
	if (r < 0 && w->c->faults && (errno == EIO || errno == ENOMEM || errno == EAGAIN)) {
		w->failures++;
		return 0;
	}
	return r < 0 ? -errno : -EIO;
}

/* Pieces of a request's memory: all at once, or cut in two (a piece is a multiple of the device's block, 4 KiB). */
static int cut(struct worker *w, unsigned char *memory, size_t len, struct iovec *iov)
{
	size_t cuts = len / PAGE - 1, first = len;

	if (cuts && next(w) % 4 == 0)
		first = (1 + next(w) % cuts) * PAGE;
	iov[0] = (struct iovec){ memory, first };
	iov[1] = (struct iovec){ memory + first, len - first };
	return first == len ? 1 : 2;
}

static int do_write(struct worker *w, uint64_t page, unsigned int n, unsigned char *memory)
{
	struct iovec iov[2];
	ssize_t r;

	for (unsigned int i = 0; i < n; i++)
		content(page + i, ++w->states[page + i].last, memory + i * PAGE);
	w->writes++;
	r = pwritev(w->fd, iov, cut(w, memory, n * PAGE, iov), (off_t)(page * PAGE));
	for (unsigned int i = 0; i < n; i++) {
		struct state *s = &w->states[page + i];

		if (r == (ssize_t)n * PAGE) {
			s->is = s->last;
			s->other = NO_OTHER;
		} else {
			s->other = s->last;
		}
	}
	return r == (ssize_t)n * PAGE ? 0 : failed(w, r < 0 ? r : (errno = EIO, -1));
}

static int do_read(struct worker *w, uint64_t page, unsigned int n, unsigned char *memory)
{
	struct iovec iov[2];
	ssize_t r;

	w->reads++;
	r = preadv(w->fd, iov, cut(w, memory, n * PAGE, iov), (off_t)(page * PAGE));
	if (r != (ssize_t)n * PAGE)
		return failed(w, r < 0 ? r : (errno = EIO, -1));
	for (unsigned int i = 0; i < n; i++)
		check_page(w, page + i, memory + i * PAGE);
	return 0;
}

static int do_clear(struct worker *w, uint64_t page, unsigned int n, unsigned long request)
{
	uint64_t range[2] = { page * PAGE, (uint64_t)n * PAGE };
	int r;

	w->discards++;
	r = ioctl(w->fd, request, range);
	for (unsigned int i = 0; i < n; i++) {
		struct state *s = &w->states[page + i];

		if (!r) {
			s->other = NO_OTHER;
			s->is = 0;
		} else {
			s->other = 0;
		}
	}
	return r ? failed(w, r) : 0;
}

static int step(struct worker *w)
{
	uint64_t chunks = w->c->bytes / PAGE / CHUNK / w->c->threads;
	uint64_t page = (next(w) % chunks * w->c->threads + w->number) * CHUNK;
	unsigned int n = next(w) % 3 ? 1 + next(w) % 4 : 1 + next(w) % CHUNK;
	unsigned int what = next(w) % 100;
	unsigned char *memory = w->memory + (next(w) % 3 ? 0 : next(w) % (PAGE / SECTOR) * SECTOR);

	int r;

	page += next(w) % (CHUNK - n + 1);
	r = settle(w, page, n);
	if (r)
		return r;
	if (what < 45)
		return do_write(w, page, n, memory);
	if (what < 85)
		return do_read(w, page, n, memory);
	if (what < 93)
		return do_clear(w, page, n, BLKDISCARD);
	if (what < 97)
		return do_clear(w, page, n, BLKZEROOUT);
	return fsync(w->fd) ? failed(w, -1) : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->c->requests && !w->r; i++)
		w->r = step(w);
	return NULL;
}

static int read_all(struct worker *w)
{
	uint64_t chunks = w->c->bytes / PAGE / CHUNK;
	int r = 0;

	for (uint64_t i = w->number; i < chunks && !r; i += w->c->threads) {
		if (pread(w->fd, w->memory, CHUNK * PAGE, (off_t)(i * CHUNK * PAGE)) !=
		    CHUNK * PAGE)
			return errno ? -errno : -EIO;
		for (unsigned int k = 0; k < CHUNK; k++)
			check_page(w, i * CHUNK + k, w->memory + k * PAGE);
	}
	return r;
}

int blkcheck_run(struct blkcheck *c)
{
	_cleanup_free_ struct state *states = calloc(c->bytes / PAGE, sizeof(*states));
	_cleanup_free_ struct worker *workers = calloc(c->threads, sizeof(*workers));
	_cleanup_close_ int fd = open(c->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	unsigned int n;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (!states || !workers || c->bytes / PAGE / CHUNK < c->threads)
		return states && workers ? -EINVAL : -ENOMEM;
	for (uint64_t i = 0; i < c->bytes / PAGE; i++)
		states[i].other = NO_OTHER;
	for (n = 0; n < c->threads && !r; n++) {
		struct worker *w = &workers[n];

		*w = (struct worker){
			.c = c, .number = n, .states = states, .fd = fd, .random = mix(c->seed + n)
		};
		w->memory = aligned_alloc(PAGE, (CHUNK + 1) * PAGE);
		w->expected = aligned_alloc(PAGE, 2 * PAGE);
		w->settled = w->expected + PAGE;
		r = w->memory && w->expected ? 0 : -ENOMEM;
		if (!r)
			r = -pthread_create(&w->thread, NULL, work, w);
		if (r) {
			free(w->memory);
			free(w->expected);
			break;
		}
	}
	if (c->faults)
		c->faults(true);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	if (c->faults)
		c->faults(false);
	c->writes = c->reads = c->discards = c->failures = c->wrong = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct worker *w = &workers[i];

		if (!w->r)
			w->r = read_all(w);
		if (!r)
			r = w->r;
		if (w->wrong && !c->wrong)
			memcpy(c->first, w->first, sizeof(c->first));
		c->writes += w->writes;
		c->reads += w->reads;
		c->discards += w->discards;
		c->failures += w->failures;
		c->wrong += w->wrong;
		free(w->memory);
		free(w->expected);
	}
	return r;
}
