// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Equal pages, once.
 *
 * What is shared is a stored object (an LZ4 or RAW page: equal lengths are of equal kinds, and LZ4 makes the same bytes of
 * the same page). A table of buckets, by a hash over those bytes, finds the object that a new page may be equal to; whether
 * it is, comparing the bytes tells. An object costs 24 bytes beside what zsmalloc keeps, a bucket is one word: a pointer
 * to the first of a chain, with its lock in bit 0.
 *
 *   refs    as many as there are slots that hold the object; changed under the lock of its bucket, like the chain
 *   handle  of the pool, and
 *   hash    never change: whoever has a reference (the lock of a slot that holds the object) reads them without a lock
 *
 * The last reference takes the object out of its chain under the bucket's lock, so nobody can find it any more when
 * it is freed after that. A count that would not fit its field is not an error: the next equal page begins another object.
 *
 * Switched off, new pages are stored by themselves; those that share go on doing so, and the table stays until reset.
 * density.c repacks an object only while it has one reference, see md_dedup_lone().
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#include "memdrive.h"

#define BUCKET_LOCK 0 /* the bit */
#define REFS_BITS 19

struct md_shared {
	struct md_shared *next;
	unsigned long handle;
	u32 hash;
	u32 refs : REFS_BITS, len : 13;
};

struct md_dedup {
	struct kmem_cache *cache;
	u32 mask; /* of buckets: their number, a power of 2, less 1 */
	unsigned long buckets[];
};

static_assert(sizeof(struct md_shared) == 24, "an object that may be shared costs 24 bytes");

static unsigned long *bucket_of(struct md_dedup *t, u32 hash)
{
	return &t->buckets[hash & t->mask];
}

static struct md_shared *first_of(const unsigned long *bucket)
{
	return (struct md_shared *)(*bucket & ~BIT(BUCKET_LOCK));
}

/* The bucket is locked, and stays so. */
static void set_first(unsigned long *bucket, struct md_shared *s)
{
	WRITE_ONCE(*bucket, (unsigned long)s | BIT(BUCKET_LOCK));
}

static bool equals(struct md_device *d, const struct md_shared *s, const void *data)
{
	const void *stored = md_pool_map(d, s->handle, s->len);
	bool equal = !memcmp(stored, data, s->len);

	md_pool_unmap(d, s->handle, stored, s->len);
	if (unlikely(!equal))
		md_count(d, MD_STAT_DEDUP_COLLISIONS, 1);
	return equal;
}

/* An object equal to @data with one more reference, or NULL. Its bucket is locked. */
static struct md_shared *find(struct md_device *d, const unsigned long *bucket, u32 hash,
			      const void *data, unsigned int len)
{
	struct md_shared *s;

	for (s = first_of(bucket); s; s = s->next) {
		if (s->hash != hash || s->len != len || s->refs == BIT(REFS_BITS) - 1 ||
		    !equals(d, s, data))
			continue;
		s->refs++;
		md_count(d, MD_STAT_DEDUP_SAVED, len);
		return s;
	}
	return NULL;
}

static void set_shared(struct md_device *d, struct md_entry *e, struct md_shared *s)
{
	e->val = (unsigned long)s;
	e->place = MD_AT_SHARED;
	md_count(d, MD_STAT_SHARED, 1);
}

int md_dedup_store(struct md_device *d, const void *data, u64 hash64, struct md_spare *spare,
		   struct md_entry *e)
{
	/* Pairs with the release of make_table(): who sees the table sees it whole. */
	struct md_dedup *t = smp_load_acquire(&d->dedup);
	u32 hash = hash64 ^ hash64 >> 32;
	struct md_shared *s, *first = NULL, *other = NULL;
	unsigned long *bucket = NULL;
	unsigned long handle;
	int r;

	if (likely(t)) {
		bucket = bucket_of(t, hash);
		bit_spin_lock(BUCKET_LOCK, bucket);
		s = find(d, bucket, hash, data, e->len);
		first = first_of(bucket);
		__bit_spin_unlock(BUCKET_LOCK, bucket);
		if (s) {
			set_shared(d, e, s);
			return 0;
		}
	}
	r = md_pool_store(d, data, e->len, spare, &handle);
	if (r)
		return r;
	e->val = handle;
	e->place = MD_AT_POOL;
	if (unlikely(!t))
		return 0;
	s = kmem_cache_alloc(t->cache, GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	if (unlikely(!s))
		return 0; /* It cannot be shared, that is all. */
	s->handle = handle;
	s->hash = hash;
	s->refs = 1;
	s->len = e->len;

	/* An equal page may have been written meanwhile, by another CPU: the chain begins with it, or with a later one. */
	bit_spin_lock(BUCKET_LOCK, bucket);
	if (unlikely(first_of(bucket) != first))
		other = find(d, bucket, hash, data, e->len);
	if (likely(!other)) {
		s->next = first_of(bucket);
		set_first(bucket, s);
	}
	__bit_spin_unlock(BUCKET_LOCK, bucket);
	if (unlikely(other)) {
		md_pool_free(d, handle);
		kmem_cache_free(t->cache, s);
		s = other;
	} else {
		md_count(d, MD_STAT_OBJECTS, 1);
		md_count(d, MD_STAT_COMPR, e->len);
	}
	set_shared(d, e, s);
	return 0;
}

static void unlink(unsigned long *bucket, struct md_shared *s)
{
	struct md_shared *before = first_of(bucket);

	if (before == s) {
		set_first(bucket, s->next);
		return;
	}
	while (before->next != s)
		before = before->next;
	before->next = s->next;
}

void md_dedup_put(struct md_device *d, u64 val)
{
	struct md_shared *s = (struct md_shared *)(unsigned long)val;
	struct md_dedup *t = d->dedup;
	unsigned long *bucket = bucket_of(t, s->hash);
	unsigned int len = s->len;
	bool last;

	bit_spin_lock(BUCKET_LOCK, bucket);
	last = !--s->refs;
	if (last)
		unlink(bucket, s);
	__bit_spin_unlock(BUCKET_LOCK, bucket);
	md_count(d, MD_STAT_SHARED, -1);
	if (!last) {
		md_count(d, MD_STAT_DEDUP_SAVED, -(long)len);
		return;
	}
	md_count(d, MD_STAT_OBJECTS, -1);
	md_count(d, MD_STAT_COMPR, -(long)len);
	md_pool_free(d, s->handle);
	kmem_cache_free(t->cache, s);
}

unsigned long md_dedup_handle(u64 val)
{
	return ((const struct md_shared *)(unsigned long)val)->handle;
}

bool md_dedup_lone(struct md_device *d, u64 val)
{
	const struct md_shared *s = (const struct md_shared *)(unsigned long)val;
	unsigned long *bucket = bucket_of(d->dedup, s->hash);
	bool lone;

	bit_spin_lock(BUCKET_LOCK, bucket);
	lone = s->refs == 1;
	__bit_spin_unlock(BUCKET_LOCK, bucket);
	return lone;
}

/* The table, its size made for the device's. init_lock is held for writing. */
static int make_table(struct md_device *d)
{
	u32 buckets = roundup_pow_of_two((u64)d->nr_pages) / 2 ?: 1;
	struct md_dedup *t;
	char name[DISK_NAME_LEN + 8];

	/* As the slots: more than there is, is an error and no more. */
	t = __vmalloc(struct_size(t, buckets, buckets),
		      GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!t)
		return -ENOMEM;
	t->mask = buckets - 1;
	snprintf(name, sizeof(name), "%s-shared", d->disk->disk_name);
	t->cache = kmem_cache_create(name, sizeof(struct md_shared), 0, 0, NULL);
	if (!t->cache) {
		kvfree(t);
		return -ENOMEM;
	}
	smp_store_release(&d->dedup, t);
	return 0;
}

int md_dedup_init(struct md_device *d)
{
	return READ_ONCE(d->dedup_on) ? make_table(d) : 0;
}

void md_dedup_exit(struct md_device *d)
{
}

void md_dedup_destroy(struct md_device *d)
{
	struct md_dedup *t = d->dedup;

	if (!t)
		return;
	d->dedup = NULL;
	kmem_cache_destroy(t->cache);
	kvfree(t);
}

u64 md_dedup_memory(struct md_device *d)
{
	const struct md_dedup *t = d->dedup;

	if (!t)
		return 0;
	return PAGE_ALIGN(struct_size(t, buckets, (size_t)t->mask + 1)) +
	       md_stat_sum(d, MD_STAT_OBJECTS) * sizeof(struct md_shared);
}

static ssize_t dedup_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->dedup_on));
}

static ssize_t dedup_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	struct md_device *d = md_of(dev);
	bool on;
	int r;

	r = kstrtobool(buf, &on);
	if (r)
		return r;
	down_write(&d->init_lock);
	if (on && md_ready(d) && !d->dedup)
		r = make_table(d);
	if (!r)
		WRITE_ONCE(d->dedup_on, on);
	up_write(&d->init_lock);
	return r ? r : len;
}

static ssize_t dedup_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);

	return sysfs_emit(buf, "%8llu %8llu %8llu %8llu\n", md_stat_sum(d, MD_STAT_SHARED),
			  md_stat_sum(d, MD_STAT_OBJECTS), md_stat_sum(d, MD_STAT_DEDUP_SAVED),
			  md_stat_sum(d, MD_STAT_DEDUP_COLLISIONS));
}

static DEVICE_ATTR_RW(dedup);
static DEVICE_ATTR_RO(dedup_stat);

static struct attribute *dedup_attrs[] = {
	&dev_attr_dedup.attr,
	&dev_attr_dedup_stat.attr,
	NULL,
};

const struct attribute_group md_dedup_group = { .attrs = dedup_attrs };
