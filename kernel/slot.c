// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of one page. The states, and the rules of the lock, are in the head of memdrive.h. */
#include <linux/mm.h>
#include <linux/ratelimit.h>

#include "memdrive.h"

/* Not part of what a slot holds. */
#define LOCK_BITS (BIT(MD_LOCK) | BIT(MD_MISSED_FREE) | BIT(MD_MOVING))

static_assert(MD_FLAGS_END <= 32, "a slot's flags must fit 32 bits");
static_assert(sizeof(struct md_slot) == 24, "a slot is 24 bytes");

static unsigned long flags_of(const struct md_entry *e)
{
	return (unsigned long)e->kind << MD_KIND_SHIFT | (unsigned long)e->place << MD_PLACE_SHIFT |
	       (unsigned long)e->index << MD_INDEX_SHIFT | (unsigned long)e->len << MD_LEN_SHIFT |
	       (e->has_sum ? BIT(MD_HAS_SUM) : 0);
}

struct md_entry md_slot_get(const struct md_slot *s)
{
	unsigned long flags = READ_ONCE(s->flags);

	return (struct md_entry){
		.val = s->val,
		.sum = s->sum,
		.len = flags >> MD_LEN_SHIFT & 8191,
		.kind = flags >> MD_KIND_SHIFT & 7,
		.place = flags >> MD_PLACE_SHIFT & 7,
		.index = flags >> MD_INDEX_SHIFT & 3,
		.has_sum = flags & BIT(MD_HAS_SUM),
	};
}

bool md_slot_same(const struct md_slot *s, const struct md_entry *e)
{
	const unsigned long marks =
		BIT(MD_SPILLING) | BIT(MD_PACKING) | BIT(MD_IDLE) | BIT(MD_STUBBORN) | BIT(MD_WARM);

	return s->val == e->val && s->sum == e->sum &&
	       (READ_ONCE(s->flags) & ~(LOCK_BITS | marks)) == flags_of(e);
}

/* Counts a slot in (+1) or out (-1). What is shared or in a unit counts its bytes where it is kept. */
static void count(struct md_device *d, enum md_kind kind, enum md_place place, unsigned int len,
		  int by)
{
	if (kind == MD_NONE)
		return;
	md_count(d, MD_STAT_PAGES, by);
	if (kind == MD_SAME) {
		md_count(d, MD_STAT_SAME, by);
		return;
	}
	if (place == MD_AT_BACKING) {
		md_count(d, MD_STAT_SPILLED, by);
		return;
	}
	if (place == MD_AT_POOL || place == MD_AT_RESERVE)
		md_count(d, MD_STAT_COMPR, by * (long)len);
	if (kind == MD_RAW)
		md_count(d, MD_STAT_HUGE, by);
	if (kind == MD_ZSTD)
		md_count(d, MD_STAT_PACKED, by);
}

void md_slot_set(struct md_device *d, struct md_slot *s, const struct md_entry *e)
{
	unsigned long set = flags_of(e), old = READ_ONCE(s->flags);

	count(d, old >> MD_KIND_SHIFT & 7, old >> MD_PLACE_SHIFT & 7, old >> MD_LEN_SHIFT & 8191,
	      -1);
	s->val = e->val;
	s->sum = e->sum;
	while (!try_cmpxchg_relaxed(&s->flags, &old, (old & LOCK_BITS) | set))
		;
	count(d, e->kind, e->place, e->len, 1);
}

static void give_back(struct md_device *d, const struct md_entry *e)
{
	switch (e->place) {
	case MD_AT_SLOT:
		break;
	case MD_AT_POOL:
		md_pool_free(d, e->val);
		break;
	case MD_AT_RESERVE:
		md_reserve_put(d, (struct page *)(unsigned long)e->val);
		break;
	case MD_AT_SHARED:
		md_dedup_put(d, e->val);
		break;
	case MD_AT_UNIT:
		md_density_put(d, e);
		break;
	case MD_AT_BACKING:
		md_backing_put(d, e->val, e->len);
		break;
	}
}

void md_slot_free(struct md_device *d, struct md_slot *s)
{
	static const struct md_entry none;
	struct md_entry e;

	if (md_slot_kind(s) == MD_NONE)
		return;
	e = md_slot_get(s);
	md_slot_set(d, s, &none);
	give_back(d, &e);
}

void md_slot_replace(struct md_device *d, struct md_slot *s, const struct md_entry *e)
{
	struct md_entry old = md_slot_get(s);

	md_slot_set(d, s, e);
	give_back(d, &old);
}

void md_slot_unlock(struct md_device *d, struct md_slot *s)
{
	unsigned long old = READ_ONCE(s->flags);

	do {
		if (unlikely(old & BIT(MD_MISSED_FREE))) {
			clear_bit(MD_MISSED_FREE, &s->flags);
			md_slot_free(d, s);
			old = READ_ONCE(s->flags);
		}
	} while (!try_cmpxchg_release(&s->flags, &old, old & ~BIT(MD_LOCK)));
	preempt_enable();
	__release(bitlock);
}

void md_slot_install(struct md_device *d, u32 index, const struct md_entry *e)
{
	struct md_slot *s = md_slot_at(d, index);
	struct md_entry old;

	md_slot_lock(s);
	old = md_slot_get(s);
	md_slot_set(d, s, e);
	WRITE_ONCE(s->time, (u32)jiffies);
	/* Whatever a notice was of that came just now: what has been written stays. */
	if (unlikely(md_slot_test(s, MD_MISSED_FREE)))
		clear_bit(MD_MISSED_FREE, &s->flags);
	md_slot_unlock(d, s);
	give_back(d, &old);
}

int md_corrupt(struct md_device *d, u32 index)
{
	md_count(d, MD_STAT_VERIFY_FAILED, 1);
	pr_err_ratelimited("%s: page %u is not what was written\n", d->disk->disk_name, index);
	return -EIO;
}

int md_entry_decode(struct md_device *d, u32 index, const struct md_entry *e, const void *data,
		    void *page)
{
	const struct vd_page_code code = {
		.kind = e->kind,
		.has_sum = e->has_sum,
		.len = e->len,
		.sum = e->sum,
		.fill = e->val,
	};

	/* MD_ZSTD is not among the codec's kinds, and refused there. */
	return likely(!vd_page_decode(&code, data, page)) ? 0 : md_corrupt(d, index);
}

static unsigned long handle_of(const struct md_entry *e)
{
	switch (e->place) {
	case MD_AT_SHARED:
		return md_dedup_handle(e->val);
	case MD_AT_UNIT:
		return md_density_handle(e->val);
	case MD_AT_POOL:
		return e->val;
	default:
		return 0;
	}
}

unsigned long md_slot_handle(const struct md_slot *s)
{
	const struct md_entry e = md_slot_get(s);

	return handle_of(&e);
}

static const void *reserve_data(const struct md_entry *e)
{
	return page_address((struct page *)(unsigned long)e->val);
}

int md_slot_read(struct md_device *d, struct md_slot *s, void *page)
{
	const struct md_entry e = md_slot_get(s);
	u32 index = md_slot_index(d, s);
	unsigned long handle;
	const void *data;
	int r;

	switch (e.place) {
	case MD_AT_SLOT:
		return md_entry_decode(d, index, &e, NULL, page);
	case MD_AT_RESERVE:
		return md_entry_decode(d, index, &e, reserve_data(&e), page);
	case MD_AT_POOL:
	case MD_AT_SHARED:
		handle = handle_of(&e);
		data = md_pool_map(d, handle, e.len);
		r = md_entry_decode(d, index, &e, data, page);
		md_pool_unmap(d, handle, data, e.len);
		return r;
	default:
		return md_corrupt(d, index);
	}
}

unsigned int md_slot_copy(struct md_device *d, struct md_slot *s, void *out)
{
	const struct md_entry e = md_slot_get(s);
	unsigned long handle;
	const void *data;

	if (e.place == MD_AT_RESERVE) {
		memcpy(out, reserve_data(&e), e.len);
		return e.len;
	}
	handle = handle_of(&e);
	data = md_pool_map(d, handle, e.len);
	memcpy(out, data, e.len);
	md_pool_unmap(d, handle, data, e.len);
	return e.len;
}
