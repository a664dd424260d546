// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times block devices from inside the kernel: submit_bio_wait() of one page after the other, as swap does it, without the cost of
 * system calls, which is high in User Mode Linux. Pages are read in an order that is not the one they were written in.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "pagebench.h"

#define BATCH 32    /* reads between two looks at the clock */
#define STRIDE 7919 /* pages from one read to the next; a prime, so that all have their turn */

static DEFINE_MUTEX(lock);
static struct page **loaded;
static u32 nloaded;
static struct page *batch[BATCH];

static void unload(void)
{
	for (u32 i = 0; i < nloaded; i++)
		__free_page(loaded[i]);
	vfree(loaded);
	loaded = NULL;
	nloaded = 0;
}

static int load(const struct pagebench_load *l)
{
	unload();
	loaded = vcalloc(l->pages, sizeof(*loaded));
	if (!loaded)
		return -ENOMEM;
	for (; nloaded < l->pages; nloaded++) {
		const void __user *from = u64_to_user_ptr(l->address + (u64)nloaded * PAGE_SIZE);

		loaded[nloaded] = alloc_page(GFP_KERNEL);
		if (!loaded[nloaded])
			return -ENOMEM;
		if (copy_from_user(page_address(loaded[nloaded]), from, PAGE_SIZE)) {
			__free_page(loaded[nloaded]);
			return -EFAULT;
		}
	}
	return 0;
}

static int one(struct block_device *bdev, blk_opf_t op, u32 at, struct page *page)
{
	struct bio_vec vec;
	struct bio bio;
	int r;

	bio_init(&bio, bdev, &vec, 1, op | REQ_SYNC);
	bio.bi_iter.bi_sector = (sector_t)at << (PAGE_SHIFT - SECTOR_SHIFT);
	__bio_add_page(&bio, page, PAGE_SIZE, 0);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

static int write_all(struct block_device *bdev, struct pagebench_run *run)
{
	u64 start = ktime_get_ns();
	int r = 0;

	for (u32 i = 0; i < nloaded && !r; i++)
		r = one(bdev, REQ_OP_WRITE, i, loaded[i]);
	run->ns = ktime_get_ns() - start;
	return r;
}

static u32 place(u32 i)
{
	return (u64)i * STRIDE % nloaded;
}

static int read_all(struct block_device *bdev, struct pagebench_run *run)
{
	int r = 0;

	run->ns = 0;
	run->wrong = 0;
	for (u32 i = 0; i < nloaded && !r; i += BATCH) {
		u32 n = min_t(u32, BATCH, nloaded - i);
		u64 start = ktime_get_ns();

		for (u32 k = 0; k < n && !r; k++)
			r = one(bdev, REQ_OP_READ, place(i + k), batch[k]);
		run->ns += ktime_get_ns() - start;
		for (u32 k = 0; k < n && !r; k++)
			run->wrong += memcmp(page_address(batch[k]),
					     page_address(loaded[place(i + k)]), PAGE_SIZE) != 0;
		cond_resched();
	}
	return r;
}

static int do_run(struct pagebench_run *run)
{
	struct file *f;
	int r;

	run->disk[sizeof(run->disk) - 1] = '\0';
	if (!nloaded || nloaded % STRIDE == 0)
		return -EINVAL;
	f = bdev_file_open_by_path(run->disk, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = run->write ? write_all(file_bdev(f), run) : read_all(file_bdev(f), run);
	bdev_fput(f);
	return r;
}

static long pagebench_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct pagebench_load l;
	struct pagebench_run run;
	long r = -ENOTTY;

	mutex_lock(&lock);
	if (cmd == PAGEBENCH_LOAD)
		r = copy_from_user(&l, user, sizeof(l)) ? -EFAULT : load(&l);
	if (cmd == PAGEBENCH_RUN) {
		r = copy_from_user(&run, user, sizeof(run)) ? -EFAULT : do_run(&run);
		if (!r && copy_to_user(user, &run, sizeof(run)))
			r = -EFAULT;
	}
	mutex_unlock(&lock);
	return r;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = pagebench_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pagebench",
	.mode = 0600,
	.fops = &fops,
};

static void free_batch(void)
{
	for (u32 i = 0; i < BATCH; i++)
		if (batch[i])
			__free_page(batch[i]);
}

static int __init pagebench_init(void)
{
	int r = 0;

	for (u32 i = 0; i < BATCH && !r; i++) {
		batch[i] = alloc_page(GFP_KERNEL);
		r = batch[i] ? 0 : -ENOMEM;
	}
	if (!r)
		r = misc_register(&device);
	if (r)
		free_batch();
	return r;
}

static void __exit pagebench_exit(void)
{
	misc_deregister(&device);
	unload();
	free_batch();
}

module_init(pagebench_init);
module_exit(pagebench_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("times block devices page by page");
