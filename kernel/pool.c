// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where encoded pages lie: zsmalloc, with what it may take counted; and the reserve, pages that are there before they are
 * needed. No other file calls zsmalloc.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "memdrive.h"

#define POOL_GFP (GFP_NOIO | __GFP_NOWARN | __GFP_HIGHMEM | __GFP_MOVABLE)

void md_pool_setup(struct md_device *d)
{
	struct md_pool *p = &d->pool;

	p->kick_pages = ULONG_MAX;
	spin_lock_init(&p->reserve_lock);
	INIT_LIST_HEAD(&p->reserve);
	INIT_LIST_HEAD(&p->reserve_used);
	init_waitqueue_head(&p->room);
}

int md_pool_init(struct md_device *d)
{
	d->pool.zs = zs_create_pool(d->disk->disk_name);
	if (!d->pool.zs)
		return -ENOMEM;
	return 0;
}

void md_pool_exit(struct md_device *d)
{
	if (d->pool.zs)
		zs_destroy_pool(d->pool.zs);
	d->pool.zs = NULL;
}

static void update_used_max(struct md_pool *p, unsigned long pages)
{
	long max = atomic_long_read(&p->used_max);

	while (unlikely((long)pages > max))
		if (atomic_long_try_cmpxchg(&p->used_max, &max, pages))
			break;
}

int md_pool_press(struct md_device *d, unsigned int len, struct md_spare *spare)
{
	unsigned long h;

	md_pool_drop_spare(d, spare);
	md_count(d, MD_STAT_WRITESTALL, 1);
	h = md_compat_zs_malloc(d->pool.zs, len, POOL_GFP);
	if (IS_ERR_VALUE(h))
		return -ENOMEM;
	*spare = (struct md_spare){ .handle = h, .len = len };
	return 0;
}

void md_pool_drop_spare(struct md_device *d, struct md_spare *spare)
{
	if (spare->handle)
		zs_free(d->pool.zs, spare->handle);
	spare->handle = 0;
}

int md_pool_store(struct md_device *d, const void *data, unsigned int len, struct md_spare *spare,
		  unsigned long *handle)
{
	struct md_pool *p = &d->pool;
	unsigned long h, pages, limit;

	if (unlikely(spare && spare->handle && spare->len == len)) {
		h = spare->handle;
		spare->handle = 0;
	} else {
		h = md_compat_zs_malloc(p->zs, len, POOL_GFP | __GFP_NORETRY);
		if (IS_ERR_VALUE(h))
			return -ENOMEM;
	}
	pages = zs_get_total_pages(p->zs);
	limit = READ_ONCE(p->limit_pages);
	if (unlikely(pages > READ_ONCE(p->kick_pages)))
		md_spill_kick(d);
	if (unlikely(limit && pages > limit)) {
		zs_free(p->zs, h);
		return -ENOSPC;
	}
	update_used_max(p, pages);
	md_compat_zs_write(p->zs, h, data, len);
	*handle = h;
	return 0;
}

const void *md_pool_map(struct md_device *d, unsigned long handle, unsigned int len)
{
	return md_compat_zs_begin(d->pool.zs, handle, len,
				  MD_ZS_COPIES ? md_stream_copy_get() : NULL);
}

void md_pool_unmap(struct md_device *d, unsigned long handle, const void *data, unsigned int len)
{
	md_compat_zs_end(d->pool.zs, handle, len, data);
	if (MD_ZS_COPIES)
		md_stream_copy_put();
}

#ifdef MD_TEST_HOOKS
void md_pool_overwrite(struct md_device *d, unsigned long handle, const void *data,
		       unsigned int len)
{
	md_compat_zs_write(d->pool.zs, handle, data, len);
}
#endif

void md_pool_free(struct md_device *d, unsigned long handle)
{
	zs_free(d->pool.zs, handle);
	md_room(d);
}

unsigned long md_pool_pages(struct md_device *d)
{
	return d->pool.zs ? zs_get_total_pages(d->pool.zs) : 0;
}

bool md_pool_full(struct md_device *d)
{
	unsigned long limit = READ_ONCE(d->pool.limit_pages);

	return limit && md_pool_pages(d) >= limit;
}

unsigned int md_pool_huge(struct md_device *d)
{
	return zs_huge_class_size(d->pool.zs);
}

unsigned long md_pool_compact(struct md_device *d)
{
	return zs_compact(d->pool.zs);
}

unsigned long md_pool_compacted(struct md_device *d)
{
	struct zs_pool_stats stats;

	if (!d->pool.zs)
		return 0;
	memset(&stats, 0, sizeof(stats));
	zs_pool_stats(d->pool.zs, &stats);
	return atomic_long_read(&stats.pages_compacted);
}

/* The reserve. */

static void free_list(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) __free_page(page);
}

int md_reserve_resize(struct md_device *d, unsigned int pages)
{
	struct md_pool *p = &d->pool;
	unsigned int have = READ_ONCE(p->reserve_all), n = 0;
	struct page *page;
	LIST_HEAD(moved);
	int r = 0;

	/* Only one at a time is at this, under init_lock or what backing.c has for it. */
	while (have + n < pages) {
		page = alloc_page(GFP_KERNEL);
		if (!page) {
			free_list(&moved);
			return -ENOMEM;
		}
		list_add(&page->lru, &moved);
		n++;
	}
	spin_lock(&p->reserve_lock);
	if (pages >= have) {
		list_splice_init(&moved, &p->reserve);
		p->reserve_free += n;
		p->reserve_all += n;
	} else if (p->reserve_free < have - pages) {
		r = -EBUSY;
	} else {
		while (p->reserve_all > pages) {
			list_move(p->reserve.next, &moved);
			p->reserve_free--;
			p->reserve_all--;
		}
	}
	spin_unlock(&p->reserve_lock);
	free_list(&moved);
	if (n)
		md_room(d);
	return r;
}

struct page *md_reserve_get(struct md_device *d, u32 index)
{
	struct md_pool *p = &d->pool;
	struct page *page;

	spin_lock(&p->reserve_lock);
	page = list_first_entry_or_null(&p->reserve, struct page, lru);
	if (page) {
		list_move_tail(&page->lru, &p->reserve_used);
		set_page_private(page, index);
		p->reserve_free--;
	}
	spin_unlock(&p->reserve_lock);
	return page;
}

void md_reserve_put(struct md_device *d, struct page *page)
{
	struct md_pool *p = &d->pool;

	spin_lock(&p->reserve_lock);
	list_move(&page->lru, &p->reserve);
	p->reserve_free++;
	spin_unlock(&p->reserve_lock);
	md_room(d);
}

bool md_reserve_next(struct md_device *d, u32 *index)
{
	struct md_pool *p = &d->pool;
	struct page *page;

	spin_lock(&p->reserve_lock);
	page = list_first_entry_or_null(&p->reserve_used, struct page, lru);
	if (page) {
		*index = page_private(page);
		list_move_tail(&page->lru, &p->reserve_used);
	}
	spin_unlock(&p->reserve_lock);
	return page;
}

u64 md_reserve_memory(struct md_device *d)
{
	return (u64)READ_ONCE(d->pool.reserve_all) << PAGE_SHIFT;
}

void md_room(struct md_device *d)
{
	/* Pairs with write_worker(): what was freed is seen there, or `wanted` here. */
	smp_mb();
	if (likely(!READ_ONCE(d->pool.wanted)))
		return;
	atomic_inc(&d->pool.room_seq);
	wake_up(&d->pool.room);
}
