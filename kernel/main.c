// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module, its disks, and what is asked of them: bios, and on kernels that have it rw_page. memdrive.h begins with how
 * all of it works.
 */
#include <linux/highmem.h>
#include <linux/idr.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/part_stat.h>
#include <linux/vmalloc.h>

#include "memdrive.h"

/* What read_page() and write_page() return beside 0 and -errno. */
#define MD_SPILLED 1  /* on the backing store; the slot is still locked */
#define MD_DEFERRED 2 /* must wait: for the reserve, or for memory to read with */

static_assert(PAGE_SIZE == VD_PAGE_SIZE, "memdrive is for machines with pages of 4 KiB");

static unsigned int num_devices = 1;
module_param(num_devices, uint, 0444);
MODULE_PARM_DESC(num_devices, "devices to make when the module is loaded (1)");

static int major;
static DEFINE_IDR(devices);
static DEFINE_MUTEX(devices_mutex); /* of the table, and of adding and removing */
static mempool_t *bounces;	    /* pages for bios that are not aligned to pages of memory */

u64 md_stat_sum(struct md_device *d, enum md_stat which)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) sum += READ_ONCE(per_cpu_ptr(d->stats, cpu)->v[which]);
	return sum > 0 ? sum : 0;
}

/* Pages of a bio. Its device's blocks are pages, but its memory need not be: then segments are shorter than a page. */

void md_bio_read(struct bio *bio, struct bvec_iter iter, void *buf)
{
	unsigned int done = 0, n;

	for (; done < PAGE_SIZE; done += n) {
		struct bio_vec bv = bio_iter_iovec(bio, iter);

		n = min_t(unsigned int, bv.bv_len, PAGE_SIZE - done);
		memcpy_from_page(buf + done, bv.bv_page, bv.bv_offset, n);
		bio_advance_iter(bio, &iter, n);
	}
}

void md_bio_write(struct bio *bio, struct bvec_iter iter, const void *buf)
{
	unsigned int done = 0, n;

	for (; done < PAGE_SIZE; done += n) {
		struct bio_vec bv = bio_iter_iovec(bio, iter);

		n = min_t(unsigned int, bv.bv_len, PAGE_SIZE - done);
		memcpy_to_page(bv.bv_page, bv.bv_offset, buf + done, n);
		flush_dcache_page(bv.bv_page);
		bio_advance_iter(bio, &iter, n);
	}
}

/* Reading. */

/* 0, -EIO, or MD_SPILLED with the slot locked. */
static int read_page(struct md_device *d, u32 index, void *page)
{
	struct md_slot *s = md_slot_at(d, index);
	int r;

	do {
		md_slot_lock(s);
		WRITE_ONCE(s->time, (u32)jiffies);
		if (unlikely(md_slot_test(s, MD_IDLE)))
			md_slot_unmark(s, MD_IDLE);
		if (unlikely(md_slot_place(s) == MD_AT_BACKING))
			return MD_SPILLED;
		if (likely(md_slot_kind(s) != MD_ZSTD)) {
			r = md_slot_read(d, s, page);
			md_slot_unlock(d, s);
			return r;
		}
		md_slot_unlock(d, s);
		r = md_density_read(d, index, page);
	} while (r == -EAGAIN);
	return r;
}

static int read_segment(struct md_device *d, struct bio *bio, struct bvec_iter iter, u32 index)
{
	struct bio_vec bv = bio_iter_iovec(bio, iter);
	struct page *bounce;
	void *page;
	int r;

	if (likely(bv.bv_len == PAGE_SIZE)) {
		page = kmap_local_page(bv.bv_page);
		r = read_page(d, index, page);
		kunmap_local(page);
		flush_dcache_page(bv.bv_page);
	} else {
		bounce = mempool_alloc(bounces, GFP_NOIO);
		r = read_page(d, index, page_address(bounce));
		if (!r)
			md_bio_write(bio, iter, page_address(bounce));
		mempool_free(bounce, bounces);
	}
	if (r != MD_SPILLED)
		return r;
	return md_spill_read(d, md_slot_at(d, index), bio, iter) ? MD_DEFERRED : 0;
}

/* False: it is not done, and stands where it has to go on. */
static bool read_pages(struct md_device *d, struct bio *bio)
{
	struct bvec_iter iter = bio->bi_iter;
	int r;

	do {
		r = read_segment(d, bio, iter, iter.bi_sector >> MD_SECTORS_SHIFT);
		if (unlikely(r == MD_DEFERRED)) {
			bio->bi_iter = iter;
			return false;
		}
		if (unlikely(r)) {
			md_count(d, MD_STAT_FAILED_READS, iter.bi_size >> PAGE_SHIFT);
			bio->bi_status = BLK_STS_IOERR;
			break;
		}
		bio_advance_iter(bio, &iter, PAGE_SIZE);
	} while (iter.bi_size);
	return true;
}

static void end_read(struct md_device *d, struct bio *bio, bool done)
{
	if (likely(done))
		bio_endio(bio);
	else
		md_spill_queue_read(d, bio);
}

void md_read_resume(struct md_device *d, struct bio *bio)
{
	end_read(d, bio, read_pages(d, bio));
}

/* What of it is read from the backing store shows in no statistics as time: there is nowhere to keep @start. */
static void read_bio(struct md_device *d, struct bio *bio)
{
	unsigned long start = bio_start_io_acct(bio);
	bool done = read_pages(d, bio);

	bio_end_io_acct(bio, start);
	end_read(d, bio, done);
}

/* Writing. */

/*
 * A page of the reserve for what the pool does not take. Those who wait already come first, so that a stream of new writes
 * cannot keep them waiting. @queued: we are one of them.
 */
static int store_in_reserve(struct md_device *d, u32 index, const void *data, unsigned int len,
			    bool queued, struct md_entry *e)
{
	struct page *page;

	if (!queued && !bio_list_empty(&d->write_queue))
		return MD_DEFERRED;
	page = md_reserve_get(d, index);
	if (!page) {
		md_spill_kick(d);
		return MD_DEFERRED;
	}
	memcpy(page_address(page), data, len);
	e->val = (unsigned long)page;
	e->place = MD_AT_RESERVE;
	md_count(d, MD_STAT_RESERVED, 1);
	return 0;
}

/*
 * Where the bytes @data of a page go when they are kept. @hash: NULL without dedup. 0, -errno, or MD_DEFERRED. -ENOMEM: there is none
 * without waiting for it, and nowhere else to go.
 */
static int store_data(struct md_device *d, u32 index, const void *data, const u64 *hash,
		      bool queued, struct md_spare *spare, struct md_entry *e)
{
	unsigned long handle;
	int r;

	if (hash) {
		r = md_dedup_store(d, data, *hash, spare, e);
	} else {
		r = md_pool_store(d, data, e->len, spare, &handle);
		e->val = handle;
		e->place = MD_AT_POOL;
	}
	if (unlikely(r) && md_spill_usable(d))
		r = store_in_reserve(d, index, data, e->len, queued, e);
	return r;
}

/* 0, -errno, or MD_DEFERRED. @page is aligned to 8 bytes. */
static int write_page(struct md_device *d, u32 index, const void *page, bool queued)
{
	bool verify = READ_ONCE(d->verify), dedup = READ_ONCE(d->dedup_on);
	struct md_spare spare = {};
	struct vd_page_code code;
	struct md_stream *s;
	struct md_entry e;
	const void *data;
	int r;

	do {
		s = md_stream_get();
		data = vd_page_encode(page, s->out, s->work, verify || dedup, &code);
		e = (struct md_entry){
			.val = code.fill,
			.sum = code.sum,
			.len = code.len,
			.kind = code.kind,
			.place = MD_AT_SLOT,
			.has_sum = verify && code.has_sum,
		};
		r = data ? store_data(d, index, data, dedup ? &code.hash : NULL, queued, &spare, &e)
			 : 0;
		md_stream_put(s);
		/* Once more at most, unless the page changes meanwhile, so that the spare does not fit. */
	} while (unlikely(r == -ENOMEM) && !md_pool_press(d, code.len, &spare));
	if (unlikely(spare.handle))
		md_pool_drop_spare(d, &spare);
	if (likely(!r)) {
		if (code.kind == VD_PAGE_RAW)
			md_count(d, MD_STAT_HUGE_SINCE, 1);
		md_slot_install(d, index, &e);
		/* Not before: spill.c would look in vain. */
		if (unlikely(e.place == MD_AT_RESERVE))
			md_spill_kick(d);
	}
	return r;
}

static int write_segment(struct md_device *d, struct bio *bio, struct bvec_iter iter, bool queued)
{
	struct bio_vec bv = bio_iter_iovec(bio, iter);
	u32 index = iter.bi_sector >> MD_SECTORS_SHIFT;
	struct page *bounce;
	void *page;
	int r;

	if (likely(bv.bv_len == PAGE_SIZE)) {
		page = kmap_local_page(bv.bv_page);
		r = write_page(d, index, page, queued);
		kunmap_local(page);
	} else {
		bounce = mempool_alloc(bounces, GFP_NOIO);
		md_bio_read(bio, iter, page_address(bounce));
		r = write_page(d, index, page_address(bounce), queued);
		mempool_free(bounce, bounces);
	}
	return r;
}

/* @bytes: that it still had to write. */
static void fail_write(struct md_device *d, struct bio *bio, unsigned int bytes)
{
	md_count(d, MD_STAT_FAILED_WRITES, bytes >> PAGE_SHIFT);
	bio->bi_status = BLK_STS_IOERR;
}

static void write_bio(struct md_device *d, struct bio *bio)
{
	unsigned long start = bio_start_io_acct(bio);
	struct bvec_iter iter = bio->bi_iter;
	int r;

	do {
		r = write_segment(d, bio, iter, false);
		if (unlikely(r))
			break;
		bio_advance_iter(bio, &iter, PAGE_SIZE);
	} while (iter.bi_size);

	/* How long it waits from here on shows in no statistics: there is nowhere to keep @start. */
	bio_end_io_acct(bio, start);
	if (unlikely(r == MD_DEFERRED)) {
		md_count(d, MD_STAT_DEFERRED, 1);
		bio->bi_iter = iter;
		spin_lock(&d->write_lock);
		bio_list_add(&d->write_queue, bio);
		spin_unlock(&d->write_lock);
		queue_work(d->write_wq, &d->write_work);
		return;
	}
	if (unlikely(r))
		fail_write(d, bio, iter.bi_size);
	bio_endio(bio);
}

/*
 * Until there is reason to try again: the reserve has a page, something was freed, or there is nothing to wait for. Memory
 * of the system's, which nobody tells us of, is asked for ten times a second.
 */
static void wait_for_room(struct md_device *d, int seq)
{
	struct md_pool *p = &d->pool;

	wait_event_timeout(p->room,
			   READ_ONCE(p->reserve_free) || atomic_read(&p->room_seq) != seq ||
				   !md_spill_usable(d),
			   HZ / 10);
}

/* The queue's first bio stays in it until it is done, so that others see that there is somebody before them. */
static void write_worker(struct work_struct *work)
{
	struct md_device *d = container_of(work, struct md_device, write_work);
	unsigned int flags = md_worker_begin();
	struct bio *bio;

	/* Before anything is tried: see md_room(). */
	smp_store_mb(d->pool.wanted, true);
	for (;;) {
		int seq = atomic_read(&d->pool.room_seq), r;

		spin_lock(&d->write_lock);
		bio = bio_list_peek(&d->write_queue);
		spin_unlock(&d->write_lock);
		if (!bio)
			break;
		r = write_segment(d, bio, bio->bi_iter, true);
		if (r == MD_DEFERRED) {
			wait_for_room(d, seq);
			continue;
		}
		if (r)
			fail_write(d, bio, bio->bi_iter.bi_size);
		else
			bio_advance_iter(bio, &bio->bi_iter, PAGE_SIZE);
		if (r || !bio->bi_iter.bi_size) {
			spin_lock(&d->write_lock);
			bio_list_pop(&d->write_queue);
			spin_unlock(&d->write_lock);
			bio_endio(bio);
		}
		cond_resched();
	}
	WRITE_ONCE(d->pool.wanted, false);
	md_worker_end(flags);
}

/* Forgetting. */

static void discard_bio(struct md_device *d, struct bio *bio)
{
	u32 index = bio->bi_iter.bi_sector >> MD_SECTORS_SHIFT;
	u32 end = index + (bio->bi_iter.bi_size >> PAGE_SHIFT);

	for (; index < end; index++) {
		struct md_slot *s = md_slot_at(d, index);

		/*
		 * Without the lock: with a write under way at the same time, either order is right, and one that is
		 * moved is never NONE meanwhile.
		 */
		if (md_slot_kind(s) != MD_NONE) {
			md_slot_lock(s);
			md_slot_free(d, s);
			md_slot_unlock(d, s);
			md_count(d, MD_STAT_NOTIFY_FREE, 1);
		}
		if (!(index % 1024))
			cond_resched();
	}
	bio_endio(bio);
}

static bool valid_range(const struct md_device *d, sector_t sector, unsigned int bytes)
{
	u64 end = (u64)d->nr_pages << MD_SECTORS_SHIFT;

	return IS_ALIGNED(sector, 1 << MD_SECTORS_SHIFT) && IS_ALIGNED(bytes, PAGE_SIZE) &&
	       sector <= end && bytes >> SECTOR_SHIFT <= end - sector;
}

static void (*const bio_ops[])(struct md_device *d, struct bio *bio) = {
	[REQ_OP_READ] = read_bio,
	[REQ_OP_WRITE] = write_bio,
	[REQ_OP_DISCARD] = discard_bio,
	[REQ_OP_WRITE_ZEROES] = discard_bio,
};

static void submit_bio_op(struct bio *bio)
{
	struct md_device *d = bio->bi_bdev->bd_disk->private_data;
	enum req_op op = bio_op(bio);

	if (unlikely(op >= ARRAY_SIZE(bio_ops) || !bio_ops[op])) {
		bio->bi_status = BLK_STS_NOTSUPP;
		bio_endio(bio);
	} else if (unlikely(!bio->bi_iter.bi_size ||
			    !valid_range(d, bio->bi_iter.bi_sector, bio->bi_iter.bi_size))) {
		md_count(d, MD_STAT_INVALID_IO, 1);
		bio_io_error(bio);
	} else if (unlikely(op_is_write(op) && bdev_read_only(bio->bi_bdev))) {
		/* The block layer only warns. */
		bio_io_error(bio);
	} else {
		bio_ops[op](d, bio);
	}
}

#if MD_HAVE_RW_PAGE
/* An error makes the caller come again with a bio, which can wait, and which counts failures. */
static int rw_page(struct block_device *bdev, sector_t sector, struct page *page, enum req_op op)
{
	struct md_device *d = bdev->bd_disk->private_data;
	u32 index = sector >> MD_SECTORS_SHIFT;
	unsigned long start;
	void *data;
	int r;

	if (PageTransHuge(page) || !valid_range(d, sector, PAGE_SIZE) ||
	    (op_is_write(op) && bdev_read_only(bdev)))
		return -EOPNOTSUPP;
	start = md_compat_start_acct(bdev, op);
	data = kmap_local_page(page);
	if (op_is_write(op))
		r = write_page(d, index, data, false);
	else
		r = read_page(d, index, data);
	kunmap_local(data);
	if (!op_is_write(op)) {
		if (r == MD_SPILLED)
			md_slot_unlock(d, md_slot_at(d, index));
		flush_dcache_page(page);
	}
	md_compat_end_acct(bdev, op, start);
	if (r)
		return r < 0 ? r : -EAGAIN;
	page_endio(page, op_is_write(op), 0);
	return 0;
}
#endif

/* Under the swap code's spin locks. @index: the swap area begins with the device, so its pages are ours. */
static void slot_free_notify(struct block_device *bdev, unsigned long index)
{
	struct md_device *d = bdev->bd_disk->private_data;
	struct md_slot *s;

	if (index >= d->nr_pages)
		return;
	s = md_slot_at(d, index);
	md_count(d, MD_STAT_NOTIFY_FREE, 1);
	if (likely(md_slot_trylock(s))) {
		md_slot_free(d, s);
		md_slot_unlock(d, s);
		return;
	}
	md_count(d, MD_STAT_MISS_FREE, 1);
	set_bit(MD_MISSED_FREE, &s->flags);
	/* In between the lock may have been let go of by one who did not see the bit. */
	if (md_slot_trylock(s))
		md_slot_unlock(d, s);
}

MD_DEFINE_OPEN(open_disk, disk)
{
	struct md_device *d = disk->private_data;

	return d->claim || d->removed ? -EBUSY : 0;
}

static const struct block_device_operations disk_ops = {
	.owner = THIS_MODULE,
	.open = open_disk,
	.submit_bio = submit_bio_op,
	.swap_slot_free_notify = slot_free_notify,
#if MD_HAVE_RW_PAGE
	.rw_page = rw_page,
#endif
};

/* Devices. */

static void free_slots(struct md_device *d)
{
	u32 i;

	for (i = 0; i < d->nr_pages; i++) {
		struct md_slot *s = md_slot_at(d, i);

		md_slot_lock(s);
		md_slot_free(d, s);
		md_slot_unlock(d, s);
		if (!(i % 1024))
			cond_resched();
	}
}

int md_device_init(struct md_device *d, u64 size)
{
	u64 pages = size >> PAGE_SHIFT;
	int r = -ENOMEM;

	if (!pages || pages > U32_MAX)
		return -EINVAL;
	/* More than there is: an error, not the end of some process, nor a page of the kernel's log. */
	d->slots = __vcalloc(pages, sizeof(*d->slots),
			     GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!d->slots)
		return -ENOMEM;
	d->nr_pages = pages;
	d->disksize = size;
	r = md_pool_init(d);
	if (r)
		goto err_free_slots;
	d->write_wq =
		alloc_workqueue("%s-write", WQ_MEM_RECLAIM | WQ_UNBOUND, 1, d->disk->disk_name);
	if (!d->write_wq) {
		r = -ENOMEM;
		goto err_exit_pool;
	}
	r = md_dedup_init(d);
	if (r)
		goto err_destroy_wq;
	r = md_density_init(d);
	if (r)
		goto err_exit_dedup;
	r = md_spill_init(d);
	if (r)
		goto err_exit_density;
	return 0;

err_exit_density:
	md_density_exit(d);
	md_density_destroy(d);
err_exit_dedup:
	md_dedup_exit(d);
	md_dedup_destroy(d);
err_destroy_wq:
	destroy_workqueue(d->write_wq);
	d->write_wq = NULL;
err_exit_pool:
	md_pool_exit(d);
err_free_slots:
	d->nr_pages = 0;
	d->disksize = 0;
	vfree(d->slots);
	d->slots = NULL;
	return r;
}

static void set_defaults(struct md_device *d)
{
	d->pool.limit_pages = 0;
	atomic_long_set(&d->pool.used_max, 0);
	d->verify = true;
	d->dedup_on = false;
	md_density_defaults(d);
	md_spill_defaults(d);
}

void md_device_reset(struct md_device *d)
{
	int cpu;

	if (md_ready(d)) {
		destroy_workqueue(d->write_wq);
		d->write_wq = NULL;
		/* First, as its thread kicks the spill's worker, whose memory goes in md_spill_destroy(). */
		md_density_exit(d);
		md_spill_exit(d);
		md_dedup_exit(d);
		free_slots(d);
		d->nr_pages = 0;
		d->disksize = 0;
		md_spill_destroy(d);
		md_density_destroy(d);
		md_dedup_destroy(d);
		md_pool_exit(d);
		vfree(d->slots);
		d->slots = NULL;
	}
	md_backing_destroy(d);
	for_each_possible_cpu(cpu) memset(per_cpu_ptr(d->stats, cpu), 0, sizeof(struct md_stats));
	set_defaults(d);
}

static void reset_disk(struct md_device *d)
{
	down_write(&d->init_lock);
	set_capacity_and_notify(d->disk, 0);
	part_stat_set_all(d->disk->part0, 0);
	md_device_reset(d);
	up_write(&d->init_lock);
}

int md_claim_and_reset(struct md_device *d)
{
	struct gendisk *disk = d->disk;

	mutex_lock(&disk->open_mutex);
	if (disk_openers(disk) || d->claim) {
		mutex_unlock(&disk->open_mutex);
		return -EBUSY;
	}
	d->claim = true;
	mutex_unlock(&disk->open_mutex);

	sync_blockdev(disk->part0);
	reset_disk(d);

	mutex_lock(&disk->open_mutex);
	d->claim = false;
	mutex_unlock(&disk->open_mutex);
	return 0;
}

static int add_device(void)
{
	struct md_device *d;
	int r;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	init_rwsem(&d->init_lock);
	mutex_init(&d->spill_admin);
	spin_lock_init(&d->write_lock);
	bio_list_init(&d->write_queue);
	INIT_WORK(&d->write_work, write_worker);
	md_pool_setup(d);
	set_defaults(d);
	d->stats = alloc_percpu(struct md_stats);
	if (!d->stats) {
		r = -ENOMEM;
		goto err_free;
	}
	r = idr_alloc(&devices, d, 0, MINORMASK + 1, GFP_KERNEL);
	if (r < 0)
		goto err_free_stats;
	d->id = r;

	d->disk = md_compat_alloc_disk(PAGE_SIZE);
	if (IS_ERR(d->disk)) {
		r = PTR_ERR(d->disk);
		goto err_remove_id;
	}
	d->disk->major = major;
	d->disk->first_minor = d->id;
	d->disk->minors = 1;
	d->disk->flags |= GENHD_FL_NO_PART;
	d->disk->fops = &disk_ops;
	d->disk->private_data = d;
	snprintf(d->disk->disk_name, DISK_NAME_LEN, "memdrive%d", d->id);
	set_capacity(d->disk, 0);
	r = device_add_disk(NULL, d->disk, md_disk_groups);
	if (r)
		goto err_put_disk;
	return d->id;

err_put_disk:
	put_disk(d->disk);
err_remove_id:
	idr_remove(&devices, d->id);
err_free_stats:
	free_percpu(d->stats);
err_free:
	kfree(d);
	return r;
}

/* Not open, and nobody can open it any more. */
static void remove_device(struct md_device *d)
{
	sync_blockdev(d->disk->part0);
	/* Waits for attributes that are being written, a reset among them; so what they set is set before ours. */
	del_gendisk(d->disk);
	reset_disk(d);
	idr_remove(&devices, d->id);
	put_disk(d->disk);
	free_percpu(d->stats);
	kfree(d);
}

int md_add(void)
{
	int r;

	mutex_lock(&devices_mutex);
	r = add_device();
	mutex_unlock(&devices_mutex);
	return r;
}

int md_remove(int number)
{
	struct md_device *d;
	int r = 0;

	mutex_lock(&devices_mutex);
	d = number < 0 ? NULL : idr_find(&devices, number);
	if (!d) {
		r = -ENODEV;
		goto out;
	}
	mutex_lock(&d->disk->open_mutex);
	if (disk_openers(d->disk))
		r = -EBUSY;
	else
		d->removed = true;
	mutex_unlock(&d->disk->open_mutex);
	if (!r)
		remove_device(d);
out:
	mutex_unlock(&devices_mutex);
	return r;
}

static void remove_all(void)
{
	struct md_device *d;
	int id;

	/* The module is in no use, so no device is. */
	idr_for_each_entry(&devices, d, id) remove_device(d);
	idr_destroy(&devices);
}

static int __init memdrive_init(void)
{
	unsigned int i;
	int r;

	r = md_streams_init();
	if (r)
		return r;
	r = -ENOMEM;
	bounces = mempool_create_page_pool(4, 0);
	if (!bounces)
		goto err_exit_streams;
	r = register_blkdev(0, "memdrive");
	if (r < 0)
		goto err_destroy_bounces;
	major = r;
	r = md_control_init();
	if (r)
		goto err_unregister;
	for (i = 0; i < num_devices; i++) {
		r = md_add();
		if (r < 0)
			goto err_remove_all;
	}
	return 0;

err_remove_all:
	md_control_exit();
	remove_all();
err_unregister:
	unregister_blkdev(major, "memdrive");
err_destroy_bounces:
	mempool_destroy(bounces);
err_exit_streams:
	md_streams_exit();
	return r;
}

static void __exit memdrive_exit(void)
{
	md_control_exit();
	remove_all();
	unregister_blkdev(major, "memdrive");
	mempool_destroy(bounces);
	md_streams_exit();
}

module_init(memdrive_init);
module_exit(memdrive_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Block devices in compressed memory, with a backing store behind");
