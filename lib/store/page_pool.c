// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * One range of address space, cut into slabs of 32 KiB. A slab holds objects of one class (a multiple of 64 bytes);
 * which of its places are taken stands in a bitmap, apart from the data, so that a slab's pages are touched only for data. A class
 * lists its slabs that have room. An empty slab goes back to the free ones, and its pages to the system.
 *
 *   handle = slab << 10 | place + 1
 *
 * Locks: a class's lock guards its list and the slabs in it; the pool's lock, taken inside, the free slabs.
 */
#define _GNU_SOURCE
#include "store/page_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLAB 32768u
#define STEP 64u
#define CLASSES (4096u / STEP)
#define PLACES (SLAB / STEP)
#define NONE UINT32_MAX

struct slab {
	uint32_t next, prev; /* in its class's list, or the free slab after it */
	uint16_t used;
	uint8_t class;
	uint64_t map[PLACES / 64];
};

struct class
{
	pthread_mutex_t lock;
	uint32_t head; /* slabs with room */
};

struct vd_pool {
	char *base;
	struct slab *slabs;
	uint32_t nslabs;
	bool locked;
	struct class classes[CLASSES];

	pthread_mutex_t lock;
	uint32_t free_head;		   /* slabs used once and free now */
	uint32_t fresh;			   /* from here on never used */
	atomic_uint used, used_max, limit; /* slabs */
};

static unsigned places(unsigned class)
{
	return SLAB / ((class + 1) * STEP);
}

static uint32_t to_slabs(uint64_t bytes)
{
	uint64_t n = bytes / SLAB + (bytes % SLAB ? 1 : 0);

	return n < NONE ? (uint32_t)n : NONE - 1;
}

int vd_pool_new(uint64_t bytes, bool locked, struct vd_pool **out)
{
	struct vd_pool *p = calloc(1, sizeof(*p));
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, r = -ENOMEM;

	if (!p)
		return -ENOMEM;
	/* Each class may have one slab that is nearly empty. */
	p->nslabs = to_slabs(bytes);
	if (!p->nslabs)
		p->nslabs = 1;
	p->locked = locked;
	p->free_head = NONE;
	atomic_init(&p->limit, p->nslabs);
	p->base = mmap(NULL, (size_t)p->nslabs * SLAB, PROT_READ | PROT_WRITE, flags, -1, 0);
	p->slabs = mmap(NULL, (size_t)p->nslabs * sizeof(*p->slabs), PROT_READ | PROT_WRITE, flags,
			-1, 0);
	if (p->base != MAP_FAILED && p->slabs != MAP_FAILED)
		r = 0;
	/* A huge page would keep the slabs beside one that was given back. */
	if (!r && !locked)
		madvise(p->base, (size_t)p->nslabs * SLAB, MADV_NOHUGEPAGE);
	if (!r && locked &&
	    (mlock(p->base, (size_t)p->nslabs * SLAB) ||
	     mlock(p->slabs, (size_t)p->nslabs * sizeof(*p->slabs))))
		r = -errno;
	pthread_mutex_init(&p->lock, NULL);
	for (unsigned i = 0; i < CLASSES; i++) {
		pthread_mutex_init(&p->classes[i].lock, NULL);
		p->classes[i].head = NONE;
	}
	if (r) {
		vd_pool_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void vd_pool_free(struct vd_pool *p)
{
	if (!p)
		return;
	if (p->base && p->base != MAP_FAILED)
		munmap(p->base, (size_t)p->nslabs * SLAB);
	if (p->slabs && p->slabs != MAP_FAILED)
		munmap(p->slabs, (size_t)p->nslabs * sizeof(*p->slabs));
	for (unsigned i = 0; i < CLASSES; i++)
		pthread_mutex_destroy(&p->classes[i].lock);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static uint32_t take_slab(struct vd_pool *p)
{
	uint32_t s = NONE;
	unsigned used;

	pthread_mutex_lock(&p->lock);
	used = atomic_load(&p->used);
	if (used < atomic_load(&p->limit)) {
		if (p->free_head != NONE) {
			s = p->free_head;
			p->free_head = p->slabs[s].next;
		} else if (p->fresh < p->nslabs) {
			s = p->fresh++;
		}
	}
	if (s != NONE) {
		atomic_store(&p->used, used + 1);
		if (used + 1 > atomic_load(&p->used_max))
			atomic_store(&p->used_max, used + 1);
	}
	pthread_mutex_unlock(&p->lock);
	return s;
}

static void give_slab(struct vd_pool *p, uint32_t s)
{
	/* Before anybody else can have it. Locked memory stays: the call would fail. */
	if (!p->locked)
		madvise(p->base + (size_t)s * SLAB, SLAB, MADV_DONTNEED);
	pthread_mutex_lock(&p->lock);
	p->slabs[s].next = p->free_head;
	p->free_head = s;
	atomic_fetch_sub(&p->used, 1);
	pthread_mutex_unlock(&p->lock);
}

static void link_slab(struct vd_pool *p, struct class *c, uint32_t s)
{
	p->slabs[s].prev = NONE;
	p->slabs[s].next = c->head;
	if (c->head != NONE)
		p->slabs[c->head].prev = s;
	c->head = s;
}

static void unlink_slab(struct vd_pool *p, struct class *c, uint32_t s)
{
	struct slab *slab = &p->slabs[s];

	if (slab->prev != NONE)
		p->slabs[slab->prev].next = slab->next;
	else
		c->head = slab->next;
	if (slab->next != NONE)
		p->slabs[slab->next].prev = slab->prev;
}

vd_handle vd_pool_alloc(struct vd_pool *p, size_t len)
{
	unsigned class = (unsigned)((len - 1) / STEP), place;
	struct class *c = &p->classes[class];
	struct slab *slab;
	uint32_t s;

	pthread_mutex_lock(&c->lock);
	s = c->head;
	if (s == NONE) {
		s = take_slab(p);
		if (s == NONE) {
			pthread_mutex_unlock(&c->lock);
			return 0;
		}
		p->slabs[s] = (struct slab){ .class = (uint8_t) class };
		link_slab(p, c, s);
	}
	slab = &p->slabs[s];
	place = 0;
	while (slab->map[place / 64] == UINT64_MAX)
		place += 64;
	place += (unsigned)__builtin_ctzll(~slab->map[place / 64]);
	slab->map[place / 64] |= 1ull << place % 64;
	if (++slab->used == places(class))
		unlink_slab(p, c, s);
	pthread_mutex_unlock(&c->lock);
	return (uint64_t)s << 10 | (place + 1);
}

void vd_pool_release(struct vd_pool *p, vd_handle h)
{
	uint32_t s = (uint32_t)(h >> 10), place = (uint32_t)(h & 1023) - 1;
	struct slab *slab = &p->slabs[s];
	struct class *c = &p->classes[slab->class];
	bool empty;

	pthread_mutex_lock(&c->lock);
	slab->map[place / 64] &= ~(1ull << place % 64);
	if (slab->used == places(slab->class))
		link_slab(p, c, s);
	empty = !--slab->used;
	if (empty)
		unlink_slab(p, c, s);
	pthread_mutex_unlock(&c->lock);
	if (empty)
		give_slab(p, s);
}

void *vd_pool_at(struct vd_pool *p, vd_handle h)
{
	uint32_t s = (uint32_t)(h >> 10), place = (uint32_t)(h & 1023) - 1;

	return p->base + (size_t)s * SLAB + (size_t)place * (p->slabs[s].class + 1u) * STEP;
}

bool vd_pool_fits(struct vd_pool *p, vd_handle h, size_t len)
{
	return p->slabs[h >> 10].class == (len - 1) / STEP;
}

uint64_t vd_pool_used(const struct vd_pool *p)
{
	return (uint64_t)atomic_load(&p->used) * SLAB;
}

uint64_t vd_pool_used_max(const struct vd_pool *p)
{
	return (uint64_t)atomic_load(&p->used_max) * SLAB;
}

uint64_t vd_pool_limit(const struct vd_pool *p)
{
	return (uint64_t)atomic_load(&p->limit) * SLAB;
}

void vd_pool_set_limit(struct vd_pool *p, uint64_t bytes)
{
	uint32_t n = to_slabs(bytes);

	atomic_store(&p->limit, n < p->nslabs ? n : p->nslabs);
}
