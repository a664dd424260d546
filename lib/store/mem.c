// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A store in plain memory: one anonymous mapping, whose pages are there once they are written. Which ones are is noted, since the
 * system cannot tell (to mincore() a hole that was read looks like a page).
 */
#define _GNU_SOURCE
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define MAX_SIZE (1ull << 46) /* 64 TiB: more is no address space */
/* Requests that overlap must not tear a byte, and the language has no such promise for memcpy(). */
#define STRIPE (256u * 1024)
_Static_assert(STRIPE / PAGE == 64, "a stripe's pages are a word's bits");
#define LOCKS 64u

struct mem_store {
	struct vd_store store;
	uint8_t *data;
	size_t mapped;
	uint64_t *written; /* a word a stripe, a bit a page; under the stripe's lock */
	atomic_ullong pages, pages_max;
	pthread_rwlock_t locks[LOCKS];
};

static struct mem_store *to_mem(struct vd_store *s)
{
	return (struct mem_store *)s;
}

static pthread_rwlock_t *lock_of(struct mem_store *m, uint64_t off)
{
	return &m->locks[off / STRIPE % LOCKS];
}

/* As much of a request as lies in one stripe. */
static size_t part(uint64_t off, uint64_t len)
{
	uint64_t n = STRIPE - off % STRIPE;

	return (size_t)(n < len ? n : len);
}

/* Pages @first to @last of a stripe, the latter not included. */
static uint64_t bits(uint64_t first, uint64_t last)
{
	return first >= last ? 0 : ~0ull >> (64 - (last - first)) << first;
}

/* Under the lock of the stripe of @off. */
static void note_written(struct mem_store *m, uint64_t off, size_t len)
{
	uint64_t first = off % STRIPE / PAGE, last = (off % STRIPE + len + PAGE - 1) / PAGE;
	uint64_t *word = &m->written[off / STRIPE], add = bits(first, last) & ~*word;
	unsigned long long now, max;

	if (!add)
		return;
	*word |= add;
	now = atomic_fetch_add(&m->pages, (unsigned)__builtin_popcountll(add)) +
	      (unsigned)__builtin_popcountll(add);
	max = atomic_load(&m->pages_max);
	while (now > max && !atomic_compare_exchange_weak(&m->pages_max, &max, now))
		;
}

static void note_dropped(struct mem_store *m, uint64_t off, uint64_t first, uint64_t last)
{
	uint64_t *word = &m->written[off / STRIPE];
	uint64_t drop =
		bits(first % STRIPE / PAGE, first % STRIPE / PAGE + (last - first) / PAGE) & *word;

	*word &= ~drop;
	atomic_fetch_sub(&m->pages, (unsigned)__builtin_popcountll(drop));
}

/* Is any of this written? */
static bool is_written(const struct mem_store *m, uint64_t off, size_t len)
{
	return len && m->written[off / STRIPE] &
			      bits(off % STRIPE / PAGE, (off % STRIPE + len + PAGE - 1) / PAGE);
}

static int mem_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	struct mem_store *m = to_mem(s);
	uint8_t *p = buf;

	while (len) {
		size_t n = part(off, len);

		pthread_rwlock_rdlock(lock_of(m, off));
		/* A hole has no pages, and needs none to be read. */
		if (is_written(m, off, n))
			memcpy(p, m->data + off, n);
		else
			memset(p, 0, n);
		pthread_rwlock_unlock(lock_of(m, off));
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int mem_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off)
{
	struct mem_store *m = to_mem(s);
	const uint8_t *p = buf;

	while (len) {
		size_t n = part(off, len);

		pthread_rwlock_wrlock(lock_of(m, off));
		note_written(m, off, n);
		memcpy(m->data + off, p, n);
		pthread_rwlock_unlock(lock_of(m, off));
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static void zero_part(struct mem_store *m, uint64_t off, size_t len)
{
	if (len && is_written(m, off, len))
		memset(m->data + off, 0, len);
}

static int mem_zero(struct vd_store *s, uint64_t off, uint64_t len)
{
	struct mem_store *m = to_mem(s);

	while (len) {
		size_t n = part(off, len);
		/* Whole pages go back to the system, and read as zeros. */
		uint64_t first = (off + PAGE - 1) / PAGE * PAGE, last = (off + n) / PAGE * PAGE;
		int r = 0;

		pthread_rwlock_wrlock(lock_of(m, off));
		if (first >= last) {
			zero_part(m, off, n);
		} else {
			zero_part(m, off, (size_t)(first - off));
			zero_part(m, last, (size_t)(off + n - last));
			if (madvise(m->data + first, (size_t)(last - first), MADV_DONTNEED))
				r = -errno;
			else
				note_dropped(m, off, first, last);
		}
		pthread_rwlock_unlock(lock_of(m, off));
		if (r)
			return r;
		off += n;
		len -= n;
	}
	return 0;
}

static void mem_memory(struct vd_store *s, struct vd_store_memory *out)
{
	struct mem_store *m = to_mem(s);

	out->orig = out->compr = out->used = atomic_load(&m->pages) * PAGE;
	out->huge_pages = out->used / PAGE;
	out->used_max = atomic_load(&m->pages_max) * PAGE;
}

static void mem_close(struct vd_store *s)
{
	struct mem_store *m = to_mem(s);

	munmap(m->data, m->mapped);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_rwlock_destroy(&m->locks[i]);
	free(m->written);
	free(m);
}

static const struct vd_store_ops mem_ops = {
	.name = "mem",
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.zero = mem_zero,
	.memory = mem_memory,
	.close = mem_close,
};

int vd_store_mem_open(uint64_t size, struct vd_store **out, struct vd_error *err)
{
	struct mem_store *m;

	if (!size || size > MAX_SIZE)
		return vd_error_set(err, -EINVAL, "a store of %llu bytes",
				    (unsigned long long)size);
	m = calloc(1, sizeof(*m));
	if (!m)
		return vd_error_errno(err, -ENOMEM, "cannot make the store");
	m->store = (struct vd_store){ .ops = &mem_ops, .size = size, .block = PAGE };
	m->mapped = (size_t)size;
	m->written = calloc(m->mapped / STRIPE + 1, sizeof(*m->written));
	if (!m->written) {
		free(m);
		return vd_error_errno(err, -ENOMEM, "cannot make the store");
	}
	m->data = mmap(NULL, m->mapped, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->data == MAP_FAILED) {
		int r = -errno;

		free(m->written);
		free(m);
		return vd_error_errno(err, r, "cannot get memory for the store");
	}
	/* Huge pages would keep what was trimmed, 4 KiB at a time. */
	madvise(m->data, m->mapped, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_rwlock_init(&m->locks[i], NULL);
	*out = &m->store;
	return 0;
}
