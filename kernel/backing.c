// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store behind a device: a block device that nobody else has, or a regular file; and which of its blocks are in use.
 *
 * A file is used as the kernel uses swap files. It is made whole beforehand, by whoever attaches it: each block written, none
 * a hole. Attaching marks it S_SWAPFILE, so that nobody can write, truncate, move or remove it any more, writes
 * out and forgets what is cached of it, and asks the file system once where each of its blocks lies (bmap). From then on
 * the file system knows nothing of our I/O: bios go to its device. That is why only file systems are taken that keep
 * the blocks of such a file where they are, and whose bmap() tells a block that was written from one that is merely
 * allocated: ext4 and XFS. On others a write would need memory, a transaction, perhaps a page that is in swap: here.
 *
 * For the same reason nothing may lie on a memdrive, however deep below: spilling a page would write a page.
 *
 * What is written there is not encrypted. dm-crypt is a block device as any other.
 */
#include <linux/bitmap.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/major.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#include "spill.h"

#define SECTORS (PAGE_SIZE >> SECTOR_SHIFT)
/* Of 256 KiB: less is of no use. */
#define MIN_BLOCKS 64
/* Of the zone: with a block on each side what can be read at once, but never more than an eighth of the store. */
#define ZONE_BLOCKS (MD_READ_BLOCKS - 2)
#define RUNS_TRIED 64

/* Nothing that is stacked deeper than this is taken. */
#define MAX_DEPTH 8

static const char *const file_systems[] = { "ext4", "xfs" };

/* Blocks. */

static u32 extent_end(const struct md_backing *b, unsigned int i)
{
	return i + 1 < b->nr_extents ? b->extents[i + 1].first : b->nr_blocks;
}

static unsigned int extent_of(const struct md_backing *b, u32 block)
{
	unsigned int low = 0, high = b->nr_extents;

	while (high - low > 1) {
		unsigned int mid = low + (high - low) / 2;

		if (b->extents[mid].first <= block)
			low = mid;
		else
			high = mid;
	}
	return low;
}

sector_t md_block_sector(const struct md_backing *b, u32 block)
{
	const struct md_extent *e = &b->extents[extent_of(b, block)];

	return e->sector + (sector_t)(block - e->first) * SECTORS;
}

/* The longest run of free blocks among the first few behind @from, at most @want; among more if those are too short. */
static u32 find_run(const struct md_backing *b, u32 from, u32 to, u32 want, u32 *first)
{
	u32 best = 0, start, end, limit;
	unsigned int i;

	for (i = 0; (i < RUNS_TRIED || best < MD_BLOCKS_LEAST) && best < want; i++) {
		start = find_next_zero_bit(b->map, to, from);
		if (start >= to)
			break;
		limit = min3(to, extent_end(b, extent_of(b, start)), start + min(want, to - start));
		end = find_next_bit(b->map, limit, start);
		if (end - start > best) {
			best = end - start;
			*first = start;
		}
		from = end;
	}
	return best;
}

u32 md_blocks_alloc(struct md_backing *b, u32 want, u32 *first)
{
	u32 n = 0, i;

	spin_lock(&b->lock);
	n = find_run(b, b->hint, b->nr_blocks, want, first);
	if (n < MD_BLOCKS_LEAST)
		n = find_run(b, 0, b->nr_blocks, want, first);
	if (n < MD_BLOCKS_LEAST)
		n = 0;
	if (n) {
		bitmap_set(b->map, *first, n);
		for (i = *first; i < *first + n; i++)
			b->blocks[i] = (struct md_block){ .refs = 1, .first = MD_NO_FIRST };
		b->used += n;
		b->hint = *first + n < b->nr_blocks ? *first + n : 0;
	}
	spin_unlock(&b->lock);
	return n;
}

static void hold(struct md_backing *b, u32 first, u32 n)
{
	for (; n; n--)
		b->blocks[first++].refs++;
}

static u32 release(struct md_backing *b, u32 first, u32 n)
{
	u32 freed = 0;

	for (; n; n--, first++) {
		if (--b->blocks[first].refs)
			continue;
		__clear_bit(first, b->map);
		b->used--;
		freed++;
	}
	return freed;
}

u32 md_blocks_release(struct md_backing *b, u32 first, u32 n)
{
	u32 freed;

	spin_lock(&b->lock);
	freed = release(b, first, n);
	spin_unlock(&b->lock);
	return freed;
}

u32 md_blocks_hold_run(struct md_backing *b, u32 block, u32 least, u32 want)
{
	u32 end = extent_end(b, extent_of(b, block)), n;

	want = min(want, end - block);
	spin_lock(&b->lock);
	for (n = least; n < want && b->blocks[block + n].bytes; n++)
		;
	hold(b, block, n);
	spin_unlock(&b->lock);
	return n;
}

u32 md_blocks_next(struct md_backing *b, u32 block)
{
	spin_lock(&b->lock);
	block = find_next_bit(b->map, b->nr_blocks, block);
	spin_unlock(&b->lock);
	return min(block, b->nr_blocks);
}

u32 md_blocks_used(struct md_backing *b)
{
	u32 used;

	spin_lock(&b->lock);
	used = b->used;
	spin_unlock(&b->lock);
	return used;
}

bool md_blocks_unowned(struct md_backing *b)
{
	bool found = false;
	u32 i;

	for (i = 0; i < b->nr_blocks && !found; i++) {
		if (!(i % 1024))
			cond_resched();
		if (test_bit(i, b->map) && !READ_ONCE(b->blocks[i].bytes)) {
			spin_lock(&b->lock);
			found = b->blocks[i].refs && !b->blocks[i].bytes &&
				i - b->zone_first >= b->zone;
			spin_unlock(&b->lock);
		}
	}
	return found;
}

/* The zone. */

/* With one reference, the caller's, which is then the zone's. */
static void enter_zone(struct md_backing *b, u32 first, u32 n)
{
	u32 i;

	for (i = first; i < first + n; i++)
		b->blocks[i] = (struct md_block){ .refs = 1, .first = MD_NO_FIRST };
	b->used -= n;
	b->zone_first = first;
	b->zone = n;
}

static void leave_zone(struct md_backing *b, u32 n)
{
	b->used += n;
	release(b, b->zone_first, n);
	b->zone_first += n;
	b->zone -= n;
}

void md_zone_grow(struct md_backing *b)
{
	u32 first, n;

	spin_lock(&b->lock);
	n = b->zone < b->zone_want ? find_run(b, 0, b->nr_blocks, b->zone_want, &first) : 0;
	if (n > b->zone) {
		leave_zone(b, b->zone);
		bitmap_set(b->map, first, n);
		b->used += n;
		enter_zone(b, first, n);
	}
	spin_unlock(&b->lock);
}

void md_zone_hold(struct md_backing *b, u32 skip)
{
	spin_lock(&b->lock);
	hold(b, b->zone_first + skip, b->zone - skip);
	spin_unlock(&b->lock);
}

void md_zone_clear(struct md_backing *b, u32 skip)
{
	u32 i;

	spin_lock(&b->lock);
	for (i = b->zone_first + skip; i < b->zone_first + b->zone; i++)
		b->blocks[i].first = MD_NO_FIRST;
	spin_unlock(&b->lock);
}

u32 md_zone_move(struct md_backing *b, u32 written, u32 first, u32 n)
{
	u32 run = 0, best = 0, at = first, i, rest;

	spin_lock(&b->lock);
	for (i = first; i < first + n; i++) {
		run = b->blocks[i].refs == 1 ? run + 1 : 0;
		if (run > best) {
			best = run;
			at = i + 1 - run;
		}
	}
	rest = b->zone - written;
	if (best < n && best <= rest) {
		leave_zone(b, written);
		release(b, first, n);
		rest = 0;
	} else {
		leave_zone(b, b->zone);
		release(b, first, at - first);
		release(b, at + best, first + n - at - best);
		enter_zone(b, at, best);
	}
	spin_unlock(&b->lock);
	return rest;
}

/* Windows. */

/* Bytes of the block beside a window that may have to move with it: of one object, which has at least 8 in the window. */
static unsigned int beside(const struct md_backing *b, u32 block)
{
	return min_t(unsigned int, READ_ONCE(b->blocks[block].bytes),
		     md_object_size(PAGE_SIZE) - MD_OBJECT_ALIGN);
}

/*
 * Is there something to gain in the window at @first? Then 0, else how far it is to the next that is worth a look. @end: of
 * its extent. Without the lock, so it is a guess.
 */
static u32 weigh_window(const struct md_backing *b, u32 first, u32 end, bool hard)
{
	u32 n = b->zone, used = 0, bytes = 0, need, i;

	if (end - first < n)
		return end - first;
	for (i = first; i < first + n; i++) {
		if (!test_bit(i, b->map))
			continue;
		if (!READ_ONCE(b->blocks[i].bytes))
			return i + 1 - first;
		used++;
		bytes += READ_ONCE(b->blocks[i].bytes);
	}
	if (first != b->extents[extent_of(b, first)].first)
		bytes += beside(b, first - 1);
	if (first + n < end)
		bytes += beside(b, first + n);
	need = DIV_ROUND_UP(bytes, PAGE_SIZE);
	if (!used)
		return n;
	if (need + MD_BLOCKS_LEAST > n)
		/* One block on, it is one block less at most. */
		return hard ? need + MD_BLOCKS_LEAST - n : n / 4 + 1;
	return hard || 4 * need <= 3 * used ? 0 : n / 4 + 1;
}

static bool claim_window(struct md_backing *b, u32 first, u32 n)
{
	bool free = true;
	u32 i;

	spin_lock(&b->lock);
	for (i = first; i < first + n && free; i++)
		free = !b->blocks[i].refs || b->blocks[i].bytes;
	for (i = first; i < first + n && free; i++) {
		if (!b->blocks[i].refs) {
			b->blocks[i] = (struct md_block){ .first = MD_NO_FIRST };
			__set_bit(i, b->map);
			b->used++;
		}
		b->blocks[i].refs++;
	}
	spin_unlock(&b->lock);
	return free;
}

u32 md_window_claim(struct md_backing *b, bool hard, u32 *hand, u32 *left, u32 *first)
{
	u32 step;

	while (*left && b->zone) {
		if (*hand >= b->nr_blocks)
			*hand = 0;
		*first = *hand;
		step = weigh_window(b, *first, extent_end(b, extent_of(b, *first)), hard);
		if (!step && claim_window(b, *first, b->zone)) {
			*hand += b->zone;
			*left -= min(*left, b->zone);
			return b->zone;
		}
		step = max(step, 1u);
		*hand += step;
		*left -= min(*left, step);
		cond_resched();
	}
	return 0;
}

static bool beside_window(const struct md_backing *b, u32 block, u32 inside)
{
	return block < b->nr_blocks && extent_of(b, block) == extent_of(b, inside) &&
	       b->blocks[block].bytes;
}

void md_window_widen(struct md_backing *b, u32 *first, u32 *n)
{
	u32 end = *first + *n;

	spin_lock(&b->lock);
	if (*first && beside_window(b, *first - 1, *first)) {
		hold(b, --*first, 1);
		++*n;
	}
	if (beside_window(b, end, end - 1)) {
		hold(b, end, 1);
		++*n;
	}
	spin_unlock(&b->lock);
}

enum md_window md_window_state(struct md_backing *b, u32 first, u32 n)
{
	enum md_window state = MD_WINDOW_EMPTY;
	u32 i;

	spin_lock(&b->lock);
	for (i = first; i < first + n; i++) {
		if (b->blocks[i].bytes) {
			state = MD_WINDOW_NEEDED;
			break;
		}
		if (b->blocks[i].refs > 1)
			state = MD_WINDOW_HELD;
	}
	spin_unlock(&b->lock);
	return state;
}

/* Objects. */

static void count_bytes(struct md_backing *b, u64 val, unsigned int len, int by)
{
	unsigned int size = md_object_size(len), here;
	u32 block = md_object_block(val);

	here = min_t(unsigned int, size, PAGE_SIZE - (val & ~PAGE_MASK));
	b->blocks[block].bytes += by * (int)here;
	if (size > here)
		b->blocks[block + 1].bytes += by * (int)(size - here);
	b->bytes += by * (s64)size;
}

void md_object_own(struct md_backing *b, u64 val, unsigned int len, bool moved)
{
	spin_lock(&b->lock);
	hold(b, md_object_block(val), md_object_blocks(val, len));
	count_bytes(b, val, len, 1);
	if (moved)
		b->freed -= md_object_size(len);
	spin_unlock(&b->lock);
}

void md_backing_put(struct md_device *d, u64 val, unsigned int len)
{
	struct md_backing *b = d->backing;
	bool again = false;

	spin_lock(&b->lock);
	count_bytes(b, val, len, -1);
	release(b, md_object_block(val), md_object_blocks(val, len));
	b->freed += md_object_size(len);
	/* As much as compaction needs to gain something. */
	if (b->full && b->freed >= (s64)(8 * PAGE_SIZE)) {
		b->full = false;
		again = true;
	}
	spin_unlock(&b->lock);
	if (again)
		md_spill_room(d);
}

/* I/O. */

void md_bio_add_buffer(struct bio *bio, void *buf, unsigned int len)
{
	unsigned int n;

	flush_kernel_vmap_range(buf, len);
	for (; len; len -= n, buf += n) {
		n = min_t(unsigned int, len, PAGE_SIZE);
		__bio_add_page(bio, vmalloc_to_page(buf), n, 0);
	}
}

int md_blocks_read(struct md_backing *b, u32 first, u32 n, void *buf)
{
	struct bio_vec bvecs[MD_READ_BLOCKS];
	struct bio bio;
	int r;

	if (WARN_ON_ONCE(n > MD_READ_BLOCKS))
		return -EINVAL;
	bio_init(&bio, b->bdev, bvecs, n, REQ_OP_READ | REQ_SWAP);
	bio.bi_iter.bi_sector = md_block_sector(b, first);
	md_bio_add_buffer(&bio, buf, n * PAGE_SIZE);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	invalidate_kernel_vmap_range(buf, n * PAGE_SIZE);
	return r;
}

/* Is it a memdrive, or on one? Each says 1, 0, or -errno when that cannot be known. */

static bool is_ours(const struct md_device *d, const struct gendisk *disk)
{
	return disk->fops == d->disk->fops;
}

static int stacked_on_ours(struct md_device *d, struct gendisk *disk, unsigned int depth);

/* Asked of sysfs, as it is the only one who knows of all that can be stacked. */
static int sysfs_has(struct gendisk *disk, const char *dir, const char *name)
{
	char text[128];
	struct path path;
	int r;

	r = snprintf(text, sizeof(text), "/sys/dev/block/%u:%u/%s%s%s", disk->major,
		     disk->first_minor, dir, *name ? "/" : "", name);
	if (r >= sizeof(text))
		return -ENAMETOOLONG;
	r = kern_path(text, 0, &path);
	if (r)
		return r == -ENOENT ? 0 : r;
	path_put(&path);
	return 1;
}

/* The file of a loop device as sysfs has it, into a page. "(deleted)" behind it makes it one that is not found. */
static int loop_file_name(struct gendisk *disk, char *name)
{
	struct file *file;
	loff_t pos = 0;
	char text[64];
	ssize_t n;

	snprintf(text, sizeof(text), "/sys/dev/block/%u:%u/loop/backing_file", disk->major,
		 disk->first_minor);
	file = filp_open(text, O_RDONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	n = kernel_read(file, name, PAGE_SIZE - 1, &pos);
	filp_close(file, NULL);
	if (n < 0)
		return n;
	if (!n || name[n - 1] != '\n')
		return -ENAMETOOLONG;
	name[n - 1] = '\0';
	return 0;
}

/* Of a device by its number, which must be there: nobody else knows what is below it. */
static int device_on_ours(struct md_device *d, dev_t number, unsigned int depth)
{
	struct class_dev_iter iter;
	struct device *dev;
	int r = -ENXIO;

	class_dev_iter_init(&iter, disk_to_dev(d->disk)->class, NULL, NULL);
	while ((dev = class_dev_iter_next(&iter)))
		if (dev->devt == number) {
			r = stacked_on_ours(d, dev_to_bdev(dev)->bd_disk, depth);
			break;
		}
	class_dev_iter_exit(&iter);
	return r;
}

/* A loop device hides its file from other drivers, but tells its name. */
static int loop_on_ours(struct md_device *d, struct gendisk *disk, unsigned int depth)
{
	struct inode *inode;
	struct path path;
	char *name;
	int r;

	name = (char *)get_zeroed_page(GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	r = loop_file_name(disk, name);
	if (!r)
		r = kern_path(name, LOOKUP_FOLLOW, &path);
	free_page((unsigned long)name);
	if (r)
		return r;
	/* What an overlay shows is somewhere else. */
	inode = d_real_inode(path.dentry);
	if (S_ISBLK(inode->i_mode))
		r = device_on_ours(d, inode->i_rdev, depth + 1);
	else if (inode->i_sb->s_bdev)
		r = stacked_on_ours(d, inode->i_sb->s_bdev->bd_disk, depth + 1);
	else if (inode->i_sb->s_type->fs_flags & FS_REQUIRES_DEV)
		r = -EOPNOTSUPP; /* on several devices, which it does not tell */
	path_put(&path);
	return r;
}

static int stacked_on_ours(struct md_device *d, struct gendisk *disk, unsigned int depth)
{
	struct class_dev_iter iter;
	struct device *dev;
	int r;

	if (is_ours(d, disk))
		return 1;
	if (depth > MAX_DEPTH)
		return -ELOOP;
	if (disk->major == LOOP_MAJOR)
		return loop_on_ours(d, disk, depth);
	/* Without sysfs nothing would be found. */
	r = sysfs_has(disk, "slaves", "");
	if (r <= 0)
		return r ? r : -ENXIO;
	r = 0;
	class_dev_iter_init(&iter, disk_to_dev(d->disk)->class, NULL, NULL);
	while (!r && (dev = class_dev_iter_next(&iter))) {
		struct gendisk *below = dev_to_bdev(dev)->bd_disk;

		if (below == disk)
			continue;
		r = sysfs_has(disk, "slaves", dev_name(dev));
		if (r > 0)
			r = stacked_on_ours(d, below, depth + 1);
	}
	class_dev_iter_exit(&iter);
	return r;
}

/* 0, or -errno with words for the log. */
static int refuse_ours(struct md_device *d, struct gendisk *disk, const char *path)
{
	int r = stacked_on_ours(d, disk, 0);

	if (r > 0)
		pr_err("%s: it is a memdrive, or on one\n", path);
	else if (r < 0)
		pr_err("%s: cannot find out whether it is on a memdrive: error %d with a device below it\n",
		       path, -r);
	return r > 0 ? -ELOOP : r;
}

/* Attaching. */

static void mark_swapfile(struct inode *inode, bool on)
{
	inode_lock(inode);
	if (on)
		inode->i_flags |= S_SWAPFILE;
	else
		inode->i_flags &= ~S_SWAPFILE;
	inode_unlock(inode);
}

static void free_backing(struct md_backing *b)
{
	if (b->file) {
		struct inode *inode = file_inode(b->file);

		/* What was read of it meanwhile is not what is there. */
		if (invalidate_inode_pages2(inode->i_mapping))
			pr_warn("%s: old contents of it are in memory still\n", b->path);
		mark_swapfile(inode, false);
		filp_close(b->file, NULL);
	}
	md_compat_bdev_close(&b->dev, b);
	kvfree(b->extents);
	vfree(b->blocks);
	vfree(b->map);
	kfree(b->path);
	kfree(b);
}

/* Room for one more; extents come by the thousand on a file system that is full of holes. */
static int add_extent(struct md_backing *b, sector_t sector, u64 sectors)
{
	unsigned int n = b->nr_extents;
	struct md_extent *more;

	if (sectors < SECTORS)
		return 0;
	if (!(n & (n - 1))) {
		more = kvmalloc_array(n ? 2 * n : 1, sizeof(*more), GFP_KERNEL);
		if (!more)
			return -ENOMEM;
		memcpy(more, b->extents, n * sizeof(*more));
		kvfree(b->extents);
		b->extents = more;
	}
	b->extents[n] = (struct md_extent){ .first = b->nr_blocks, .sector = sector };
	b->nr_extents++;
	b->nr_blocks += min_t(u64, sectors / SECTORS, U32_MAX - b->nr_blocks);
	return 0;
}

/*
 * Where the file is on its device. What of a run of contiguous blocks is no whole page is left unused, so a file system's
 * blocks may be of any size.
 */
static int map_file(struct md_backing *b, const char *path)
{
	struct inode *inode = file_inode(b->file);
	unsigned int shift = inode->i_blkbits - SECTOR_SHIFT;
	sector_t i, blocks = i_size_read(inode) >> inode->i_blkbits, at, start = 0;
	u64 sectors = 0;
	int r;

	for (i = 0; i < blocks; i++) {
		at = i;
		r = bmap(inode, &at);
		if (r)
			return r;
		if (!at) {
			pr_err("%s: nothing is written at offset %llu: it has a hole or is only allocated there\n",
			       path, (u64)i << inode->i_blkbits);
			return -EINVAL;
		}
		at <<= shift;
		if (!sectors || at != start + sectors) {
			r = add_extent(b, start, sectors);
			if (r)
				return r;
			start = at;
			sectors = 0;
		}
		sectors += 1u << shift;
		if (!(i % 1024)) {
			cond_resched();
			if (fatal_signal_pending(current))
				return -EINTR;
		}
	}
	return add_extent(b, start, sectors);
}

static int check_file(struct md_device *d, struct inode *inode, const char *path)
{
	const char *type = inode->i_sb->s_type->name;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(file_systems); i++)
		if (!strcmp(type, file_systems[i]))
			break;
	if (i == ARRAY_SIZE(file_systems)) {
		pr_err("%s: a file on %s cannot be a backing store, only one on ext4 or xfs\n",
		       path, type);
		return -EOPNOTSUPP;
	}
	if (IS_DAX(inode) || IS_ENCRYPTED(inode) || IS_VERITY(inode) || !inode->i_sb->s_bdev) {
		pr_err("%s: a file with DAX, encryption or verity cannot be a backing store\n",
		       path);
		return -EOPNOTSUPP;
	}
	return refuse_ours(d, inode->i_sb->s_bdev->bd_disk, path);
}

/* Takes over @file when it succeeds. */
static int open_file(struct md_device *d, struct md_backing *b, struct file *file)
{
	struct inode *inode = file_inode(file);
	int r;

	r = check_file(d, inode, b->path);
	if (r)
		return r;
	inode_lock(inode);
	if (IS_SWAPFILE(inode) || mapping_writably_mapped(file->f_mapping)) {
		inode_unlock(inode);
		pr_err("%s: it is in use as swap, as a backing store, or mapped for writing\n",
		       b->path);
		return -EBUSY;
	}
	inode->i_flags |= S_SWAPFILE;
	inode_dio_wait(inode);
	inode_unlock(inode);

	b->file = file;
	r = vfs_fsync(file, 0);
	if (!r)
		r = invalidate_inode_pages2(file->f_mapping);
	if (!r)
		r = map_file(b, b->path);
	if (r) {
		mark_swapfile(inode, false);
		b->file = NULL;
		return r;
	}
	b->bdev = inode->i_sb->s_bdev;
	return 0;
}

static int open_device(struct md_device *d, struct md_backing *b, dev_t number)
{
	int r;

	r = md_compat_bdev_open(&b->dev, number, b);
	if (r)
		return r;
	b->bdev = md_compat_bdev(&b->dev);
	r = refuse_ours(d, b->bdev->bd_disk, b->path);
	if (r)
		return r;
	/* Whatever somebody wrote through its cache comes before what we write. */
	r = sync_blockdev(b->bdev);
	if (r)
		return r;
	invalidate_bdev(b->bdev);
	return add_extent(b, 0, bdev_nr_sectors(b->bdev));
}

/* Extents that are shorter than the zone are not compacted: no more than an eighth of all blocks are to be in such. */
static void choose_zone(struct md_backing *b)
{
	u32 want = min_t(u32, ZONE_BLOCKS, b->nr_blocks / 8), in, len;
	unsigned int i;

	for (; want > MD_BLOCKS_LEAST; want--) {
		in = 0;
		for (i = 0; i < b->nr_extents; i++) {
			len = extent_end(b, i) - b->extents[i].first;
			in += len < want ? 0 : len;
		}
		if (in >= b->nr_blocks - b->nr_blocks / 8)
			break;
	}
	b->zone_want = want > MD_BLOCKS_LEAST ? want : 0;
	md_zone_grow(b);
}

static int alloc_tables(struct md_backing *b)
{
	/* More than there is: an error, as in md_device_init(). */
	const gfp_t gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;

	spin_lock_init(&b->lock);
	/* Neither kmalloc's 4 MiB nor kvmalloc's 2 GiB are enough for every store. */
	b->map = __vcalloc(BITS_TO_LONGS(b->nr_blocks), sizeof(long), gfp);
	b->blocks = __vcalloc(b->nr_blocks, sizeof(*b->blocks), gfp);
	if (!b->map || !b->blocks)
		return -ENOMEM;
	choose_zone(b);
	return 0;
}

static int check_backing(struct md_backing *b)
{
	if (bdev_read_only(b->bdev))
		return -EROFS;
	if (b->nr_blocks < MIN_BLOCKS) {
		pr_err("%s: it has less than %lu bytes\n", b->path, MIN_BLOCKS * PAGE_SIZE);
		return -EINVAL;
	}
	if (bdev_logical_block_size(b->bdev) > PAGE_SIZE) {
		pr_err("%s: its device has blocks of more than %lu bytes\n", b->path, PAGE_SIZE);
		return -EINVAL;
	}
	return 0;
}

static char *name_of(struct file *file)
{
	char *page = (char *)__get_free_page(GFP_KERNEL), *name;

	if (!page)
		return ERR_PTR(-ENOMEM);
	/* With room for the line's end when it is shown. */
	name = file_path(file, page, PAGE_SIZE - 1);
	if (!IS_ERR(name)) {
		name = kstrdup(name, GFP_KERNEL);
		if (!name)
			name = ERR_PTR(-ENOMEM);
	}
	free_page((unsigned long)page);
	return name;
}

static int open_backing(struct md_device *d, const char *path, struct md_backing **out)
{
	static atomic64_t last_id;
	struct md_backing *b;
	struct inode *inode;
	struct file *file;
	int r;

	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	b->id = atomic64_inc_return(&last_id);
	/* A FIFO would wait for its other end. */
	file = filp_open(path, O_RDWR | O_LARGEFILE | O_NONBLOCK, 0);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto err_free;
	}
	b->path = name_of(file);
	if (IS_ERR(b->path)) {
		r = PTR_ERR(b->path);
		b->path = NULL;
		goto err_close;
	}
	inode = file_inode(file);
	if (S_ISBLK(inode->i_mode))
		r = open_device(d, b, inode->i_rdev);
	else if (S_ISREG(inode->i_mode))
		r = open_file(d, b, file);
	else
		r = -ENOTBLK;
	if (!r)
		r = check_backing(b);
	if (!r)
		r = alloc_tables(b);
	if (r)
		goto err_close;
	if (!b->file)
		filp_close(file, NULL);
	*out = b;
	return 0;

err_close:
	/* A file that was taken over goes with the rest. */
	if (!b->file)
		filp_close(file, NULL);
err_free:
	free_backing(b);
	return r;
}

static int attach(struct md_device *d, const char *path)
{
	struct md_backing *b;
	int r;

	/* What costs time comes first, without the lock. */
	if (READ_ONCE(d->backing))
		return -EBUSY;
	r = open_backing(d, path, &b);
	if (r)
		return r;
	down_write(&d->init_lock);
	if (d->backing) {
		r = -EBUSY;
	} else {
		d->backing = b;
		r = md_spill_attached(d);
		if (r)
			d->backing = NULL;
	}
	up_write(&d->init_lock);
	if (r)
		free_backing(b);
	else
		pr_info("%s: %s is its backing store: %u blocks in %u extents; what is there is not encrypted\n",
			d->disk->disk_name, b->path, b->nr_blocks, b->nr_extents);
	return r;
}

static int detach(struct md_device *d)
{
	struct md_backing *b = NULL;
	int r;

	if (mutex_lock_interruptible(&d->spill_admin))
		return -EINTR;
	do {
		down_read(&d->init_lock);
		r = d->backing ? md_spill_recall(d) : -ENODEV;
		up_read(&d->init_lock);
		if (r)
			break;
		down_write(&d->init_lock);
		/* Somebody may have given the device its size, or reset it, just now. */
		if (!md_spill_in_use(d))
			swap(b, d->backing);
		up_write(&d->init_lock);
	} while (!b);
	mutex_unlock(&d->spill_admin);
	if (b)
		free_backing(b);
	return r;
}

void md_backing_destroy(struct md_device *d)
{
	struct md_backing *b = d->backing;

	if (!b)
		return;
	d->backing = NULL;
	if (md_reserve_resize(d, 0))
		WARN_ONCE(1, "memdrive: pages are in the reserve of a device that has none\n");
	free_backing(b);
}

u64 md_backing_memory(struct md_device *d)
{
	const struct md_backing *b = d->backing;

	if (!b)
		return 0;
	return (u64)b->nr_blocks * sizeof(*b->blocks) + BITS_TO_LONGS(b->nr_blocks) * sizeof(long) +
	       b->nr_extents * sizeof(*b->extents);
}

static ssize_t backing_dev_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	ssize_t n;

	down_read(&d->init_lock);
	n = sysfs_emit(buf, "%s\n", d->backing ? d->backing->path : "none");
	up_read(&d->init_lock);
	return n;
}

static ssize_t backing_dev_store(struct device *dev, struct device_attribute *attr, const char *buf,
				 size_t len)
{
	struct md_device *d = md_of(dev);
	char *path;
	size_t n;
	int r;

	path = kstrndup(buf, len, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	/* One line's end, as zram has it: names may end with spaces. */
	n = strlen(path);
	if (n && path[n - 1] == '\n')
		path[n - 1] = '\0';
	if (!*path)
		r = -EINVAL;
	else if (!strcmp(path, "none"))
		r = detach(d);
	else
		r = attach(d, path);
	kfree(path);
	return r ? r : len;
}

static DEVICE_ATTR_RW(backing_dev);

static struct attribute *backing_attrs[] = { &dev_attr_backing_dev.attr, NULL };

const struct attribute_group md_backing_group = { .attrs = backing_attrs };
