/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the kernels that are served: 6.1 and 6.12 (compiled and run), 6.18 (by its interfaces only).
 * No other file looks at LINUX_VERSION_CODE.
 */
#ifndef MD_COMPAT_H
#define MD_COMPAT_H

#include <linux/blkdev.h>
#include <linux/device/class.h>
#include <linux/version.h>
#include <linux/zsmalloc.h>

#ifdef CONFIG_PREEMPT_RT
#error "A slot is locked by a bit spin lock, under which zsmalloc's locks sleep with PREEMPT_RT"
#endif

/* rw_page went in 6.3; from 6.11 on a flag of the queue tells swap that it is served at once. */
#define MD_HAVE_RW_PAGE (LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0))

#if MD_HAVE_RW_PAGE
#include <linux/pagemap.h>
#endif

/* A gendisk with pages of @block bytes, discard and zeroes of any size, stable writes; synchronous where there is such. */
static inline struct gendisk *md_compat_alloc_disk(unsigned int block)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct queue_limits lim = {
		.logical_block_size = block,
		.physical_block_size = block,
		.io_min = block,
		.io_opt = block,
		.discard_granularity = block,
		.max_hw_discard_sectors = UINT_MAX,
		.max_write_zeroes_sectors = UINT_MAX,
		.features = BLK_FEAT_STABLE_WRITES | BLK_FEAT_SYNCHRONOUS,
	};

	return blk_alloc_disk(&lim, NUMA_NO_NODE);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
	struct gendisk *disk = blk_alloc_disk(NUMA_NO_NODE);
	struct request_queue *q;

	if (!disk)
		return ERR_PTR(-ENOMEM);
	q = disk->queue;
	blk_queue_logical_block_size(q, block);
	blk_queue_physical_block_size(q, block);
	blk_queue_io_min(q, block);
	blk_queue_io_opt(q, block);
	q->limits.discard_granularity = block;
	blk_queue_max_discard_sectors(q, UINT_MAX);
	blk_queue_max_write_zeroes_sectors(q, UINT_MAX);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
	blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	return disk;
#else
#error "Linux 6.9 and 6.10 are not served: their queue limits have no features yet"
#endif
}

/* block_device_operations.open */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define MD_DEFINE_OPEN(name, disk_arg) static int name(struct gendisk *disk_arg, blk_mode_t mode)
#else
#define MD_DEFINE_OPEN(name, disk_arg)                                                             \
	static int name##_disk(struct gendisk *disk_arg);                                          \
	static int name(struct block_device *bdev, fmode_t mode)                                   \
	{                                                                                          \
		return name##_disk(bdev->bd_disk);                                                 \
	}                                                                                          \
	static int name##_disk(struct gendisk *disk_arg)
#endif

/* Attributes of a class */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define MD_CLASS_ARGS const struct class *class, const struct class_attribute *attr
#define MD_CLASS_OWNER
#else
#define MD_CLASS_ARGS struct class *class, struct class_attribute *attr
#define MD_CLASS_OWNER .owner = THIS_MODULE,
#endif

/* Accounting of one page by rw_page: the sectors are named at the end now, but then there is no rw_page. */
#if MD_HAVE_RW_PAGE
static inline unsigned long md_compat_start_acct(struct block_device *bdev, enum req_op op)
{
	return bdev_start_io_acct(bdev->bd_disk->part0, PAGE_SIZE >> SECTOR_SHIFT, op, jiffies);
}

static inline void md_compat_end_acct(struct block_device *bdev, enum req_op op,
				      unsigned long start)
{
	bdev_end_io_acct(bdev->bd_disk->part0, op, start);
}
#endif

/*
 * zsmalloc. A mapping (until 6.14) may be of a buffer of this CPU's and ends in the order of a stack; reading (from 6.15)
 * copies an object that lies across pages into a buffer of the caller's. Both forbid sleeping in between, as we do.
 */
#define MD_ZS_COPIES (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))

static inline unsigned long md_compat_zs_malloc(struct zs_pool *zs, size_t len, gfp_t gfp)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	return zs_malloc(zs, len, gfp, NUMA_NO_NODE);
#else
	return zs_malloc(zs, len, gfp);
#endif
}

/* @copy: PAGE_SIZE bytes that nobody else uses meanwhile, if MD_ZS_COPIES */
static inline const void *md_compat_zs_begin(struct zs_pool *zs, unsigned long handle, size_t len,
					     void *copy)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	return zs_obj_read_begin(zs, handle, len, copy);
#elif MD_ZS_COPIES
	return zs_obj_read_begin(zs, handle, copy);
#else
	return zs_map_object(zs, handle, ZS_MM_RO);
#endif
}

static inline void md_compat_zs_end(struct zs_pool *zs, unsigned long handle, size_t len,
				    const void *data)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	zs_obj_read_end(zs, handle, len, (void *)data);
#elif MD_ZS_COPIES
	zs_obj_read_end(zs, handle, (void *)data);
#else
	zs_unmap_object(zs, handle);
#endif
}

static inline void md_compat_zs_write(struct zs_pool *zs, unsigned long handle, const void *data,
				      size_t len)
{
#if MD_ZS_COPIES
	zs_obj_write(zs, handle, (void *)data, len);
#else
	memcpy(zs_map_object(zs, handle, ZS_MM_WO), data, len);
	zs_unmap_object(zs, handle);
#endif
}

/* A block device, opened for reading and writing, for @holder alone. All zeros: none. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
struct md_compat_bdev {
	struct file *file;
};

static inline int md_compat_bdev_open(struct md_compat_bdev *b, dev_t dev, void *holder)
{
	struct file *file =
		bdev_file_open_by_dev(dev, BLK_OPEN_READ | BLK_OPEN_WRITE, holder, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	b->file = file;
	return 0;
}

static inline struct block_device *md_compat_bdev(const struct md_compat_bdev *b)
{
	return file_bdev(b->file);
}

static inline void md_compat_bdev_close(struct md_compat_bdev *b, void *holder)
{
	if (b->file)
		bdev_fput(b->file);
	b->file = NULL;
}
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define MD_BDEV_MODE (FMODE_READ | FMODE_WRITE | FMODE_EXCL)

struct md_compat_bdev {
	struct block_device *bdev;
};

static inline int md_compat_bdev_open(struct md_compat_bdev *b, dev_t dev, void *holder)
{
	struct block_device *bdev = blkdev_get_by_dev(dev, MD_BDEV_MODE, holder);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
	return 0;
}

static inline struct block_device *md_compat_bdev(const struct md_compat_bdev *b)
{
	return b->bdev;
}

static inline void md_compat_bdev_close(struct md_compat_bdev *b, void *holder)
{
	if (b->bdev)
		blkdev_put(b->bdev, MD_BDEV_MODE);
	b->bdev = NULL;
}
#else
#error "Linux 6.5 to 6.8 are not served: each opens block devices in a way of its own"
#endif

#endif
