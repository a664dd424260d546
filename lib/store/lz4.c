// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A store in compressed pages. One slot of 16 bytes a page says how the page is encoded and where it lies in
 * the pool.
 *
 * A page's slot and what it points to are guarded by one lock out of many, chosen by the page's number. Encoding is done
 * before the lock is taken, into memory of the thread's own. A write makes the new object before it lets go of the
 * old one, so that one that finds the pool full changes nothing.
 */
#define _GNU_SOURCE
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/page_codec.h"
#include "store/page_pool.h"

#define LOCKS 1024u
#define MAX_SIZE (1ull << 46) /* 64 TiB: more is no address space */

/* 16 bytes: a page that is stored costs 0.4 % for it. */
struct slot {
	union {
		vd_handle object; /* VD_PAGE_LZ4, VD_PAGE_RAW */
		uint64_t fill;	  /* VD_PAGE_SAME */
	};
	uint32_t sum;
	uint16_t len;
	uint8_t kind;
};

_Static_assert(sizeof(struct slot) == 16, "a slot is 16 bytes");

struct lz4_store {
	struct vd_store store;
	struct slot *slots; /* all zero: VD_PAGE_NONE */
	size_t slots_bytes;
	uint64_t max_pool; /* bytes: more is of no use */
	struct vd_pool *pool;
	atomic_ullong pages, compr, same, huge;
	pthread_mutex_t locks[LOCKS];
};

/* A thread's own memory; part of its stack's mapping, so that it is locked with that. */
static __thread struct {
	_Alignas(64) uint8_t page[VD_PAGE_SIZE];
	_Alignas(64) uint8_t out[VD_PAGE_SIZE];
	_Alignas(64) uint8_t work[VD_PAGE_WORK_SIZE];
} scratch;

static struct lz4_store *to_lz4(struct vd_store *s)
{
	return (struct lz4_store *)s;
}

static pthread_mutex_t *lock_of(struct lz4_store *z, uint64_t page)
{
	return &z->locks[page % LOCKS];
}

static struct vd_page_code code_of(const struct slot *slot)
{
	return (struct vd_page_code){
		.kind = slot->kind,
		.has_sum = true,
		.len = slot->len,
		.sum = slot->sum,
		.fill = slot->kind == VD_PAGE_SAME ? slot->fill : 0,
	};
}

static bool has_object(uint8_t kind)
{
	return kind == VD_PAGE_LZ4 || kind == VD_PAGE_RAW;
}

/* Counts a slot in (+1) or out (-1). */
static void count(struct lz4_store *z, const struct slot *s, int by)
{
	if (s->kind == VD_PAGE_NONE)
		return;
	atomic_fetch_add_explicit(&z->pages, (unsigned long long)by, memory_order_relaxed);
	atomic_fetch_add_explicit(&z->compr, (unsigned long long)(by * (int)s->len),
				  memory_order_relaxed);
	if (s->kind == VD_PAGE_SAME)
		atomic_fetch_add_explicit(&z->same, (unsigned long long)by, memory_order_relaxed);
	if (s->kind == VD_PAGE_RAW)
		atomic_fetch_add_explicit(&z->huge, (unsigned long long)by, memory_order_relaxed);
}

/* Under the page's lock: what is there now goes. */
static void drop(struct lz4_store *z, struct slot *slot)
{
	count(z, slot, -1);
	if (has_object(slot->kind))
		vd_pool_release(z->pool, slot->object);
	*slot = (struct slot){ 0 };
}

/* Under the page's lock. */
static int load(struct lz4_store *z, uint64_t page, void *out)
{
	const struct slot *slot = &z->slots[page];
	struct vd_page_code code = code_of(slot);

	return vd_page_decode(
		&code, has_object(slot->kind) ? vd_pool_at(z->pool, slot->object) : NULL, out);
}

/* Under the page's lock: replaces a page by its encoded form. -ENOSPC leaves it as it was. */
static int store_code(struct lz4_store *z, uint64_t page, const struct vd_page_code *code,
		      const void *data)
{
	struct slot *slot = &z->slots[page];
	struct slot new = { .kind = code->kind, .len = code->len, .sum = code->sum };

	if (!has_object(code->kind)) {
		new.fill = code->fill;
	} else if (has_object(slot->kind) && vd_pool_fits(z->pool, slot->object, code->len)) {
		new.object = slot->object;
	} else {
		new.object = vd_pool_alloc(z->pool, code->len);
		if (!new.object)
			return -ENOSPC;
	}
	if (has_object(code->kind))
		memcpy(vd_pool_at(z->pool, new.object), data, code->len);
	count(z, slot, -1);
	if (has_object(slot->kind) && !(has_object(new.kind) && slot->object == new.object))
		vd_pool_release(z->pool, slot->object);
	*slot = new;
	count(z, slot, 1);
	return 0;
}

static int lz4_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	struct lz4_store *z = to_lz4(s);
	uint8_t *p = buf;

	while (len) {
		uint64_t page = off / VD_PAGE_SIZE;
		size_t skip = off % VD_PAGE_SIZE, n = VD_PAGE_SIZE - skip;
		bool whole;
		int r;

		if (n > len)
			n = len;
		whole = n == VD_PAGE_SIZE && !((uintptr_t)p & 7);
		pthread_mutex_lock(lock_of(z, page));
		r = load(z, page, whole ? p : scratch.page);
		pthread_mutex_unlock(lock_of(z, page));
		if (r)
			return r;
		if (!whole)
			memcpy(p, scratch.page + skip, n);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Changes part of a page: read, changed and encoded under its lock. @src NULL: zeros. */
static int write_part(struct lz4_store *z, uint64_t page, const void *src, size_t skip, size_t n)
{
	struct vd_page_code code;
	const void *data;
	int r;

	pthread_mutex_lock(lock_of(z, page));
	r = load(z, page, scratch.page);
	if (!r) {
		if (src)
			memcpy(scratch.page + skip, src, n);
		else
			memset(scratch.page + skip, 0, n);
		data = vd_page_encode(scratch.page, scratch.out, scratch.work, true, &code);
		r = store_code(z, page, &code, data);
	}
	pthread_mutex_unlock(lock_of(z, page));
	return r;
}

static int write_page(struct lz4_store *z, uint64_t page, const void *src)
{
	struct vd_page_code code;
	const void *data;
	int r;

	if ((uintptr_t)src & 7)
		src = memcpy(scratch.page, src, VD_PAGE_SIZE);
	data = vd_page_encode(src, scratch.out, scratch.work, true, &code);
	pthread_mutex_lock(lock_of(z, page));
	r = store_code(z, page, &code, data);
	pthread_mutex_unlock(lock_of(z, page));
	return r;
}

static int lz4_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off)
{
	struct lz4_store *z = to_lz4(s);
	const uint8_t *p = buf;

	while (len) {
		uint64_t page = off / VD_PAGE_SIZE;
		size_t skip = off % VD_PAGE_SIZE, n = VD_PAGE_SIZE - skip;
		int r;

		if (n > len)
			n = len;
		r = n == VD_PAGE_SIZE ? write_page(z, page, p) : write_part(z, page, p, skip, n);
		if (r)
			return r;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int lz4_zero(struct vd_store *s, uint64_t off, uint64_t len)
{
	struct lz4_store *z = to_lz4(s);

	while (len) {
		uint64_t page = off / VD_PAGE_SIZE;
		size_t skip = off % VD_PAGE_SIZE, n = VD_PAGE_SIZE - skip;
		int r = 0;

		if (n > len)
			n = (size_t)len;
		if (n == VD_PAGE_SIZE) {
			pthread_mutex_lock(lock_of(z, page));
			drop(z, &z->slots[page]);
			pthread_mutex_unlock(lock_of(z, page));
		} else {
			r = write_part(z, page, NULL, skip, n);
		}
		if (r)
			return r;
		off += n;
		len -= n;
	}
	return 0;
}

static void lz4_memory(struct vd_store *s, struct vd_store_memory *m)
{
	struct lz4_store *z = to_lz4(s);
	uint64_t limit = vd_pool_limit(z->pool);

	m->orig = atomic_load(&z->pages) * VD_PAGE_SIZE;
	m->compr = atomic_load(&z->compr);
	m->used = vd_pool_used(z->pool);
	m->used_max = vd_pool_used_max(z->pool);
	m->limit = limit < z->max_pool ? limit : 0;
	m->same_pages = atomic_load(&z->same);
	m->huge_pages = atomic_load(&z->huge);
}

static int lz4_set_mem_limit(struct vd_store *s, uint64_t bytes)
{
	struct lz4_store *z = to_lz4(s);

	vd_pool_set_limit(z->pool, bytes ? bytes : z->max_pool);
	return 0;
}

static void lz4_close(struct vd_store *s)
{
	struct lz4_store *z = to_lz4(s);

	vd_pool_free(z->pool);
	if (z->slots && z->slots != MAP_FAILED)
		munmap(z->slots, z->slots_bytes);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&z->locks[i]);
	free(z);
}

static const struct vd_store_ops lz4_ops = {
	.name = "lz4",
	.pread = lz4_pread,
	.pwrite = lz4_pwrite,
	.zero = lz4_zero,
	.memory = lz4_memory,
	.set_mem_limit = lz4_set_mem_limit,
	.close = lz4_close,
};

int vd_store_lz4_open(uint64_t size, const struct vd_lz4_options *o, struct vd_store **out,
		      struct vd_error *err)
{
	uint64_t pages = size / VD_PAGE_SIZE + (size % VD_PAGE_SIZE ? 1 : 0), pool;
	struct lz4_store *z;
	int r = 0;

	if (!size || size > MAX_SIZE)
		return vd_error_set(err, -EINVAL, "a store of %llu bytes",
				    (unsigned long long)size);
	z = calloc(1, sizeof(*z));
	if (!z)
		return vd_error_errno(err, -ENOMEM, "cannot make the store");
	z->store = (struct vd_store){ .ops = &lz4_ops, .size = size, .block = VD_PAGE_SIZE };
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&z->locks[i], NULL);
	/* At worst every page is kept as it is, and each class of objects has one slab begun. */
	z->max_pool = pages * VD_PAGE_SIZE + 4096 / 64 * 32768;
	pool = o->mem_limit && o->mem_limit < z->max_pool ? o->mem_limit : z->max_pool;
	z->slots_bytes = (size_t)pages * sizeof(*z->slots);
	z->slots = mmap(NULL, z->slots_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (z->slots == MAP_FAILED || (o->locked && mlock(z->slots, z->slots_bytes)))
		r = -errno;
	if (!r)
		/* Without locking, address space costs nothing: the limit can be raised later. */
		r = vd_pool_new(o->locked ? pool : z->max_pool, o->locked, &z->pool);
	if (r) {
		lz4_close(&z->store);
		return vd_error_errno(err, r, "cannot %s memory for the store",
				      o->locked ? "lock" : "get");
	}
	vd_pool_set_limit(z->pool, pool);
	*out = &z->store;
	return 0;
}
