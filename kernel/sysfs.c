// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of a disk, /sys/block/memdriveN/, and of the class, /sys/class/memdrive-control/. Each is described in
 * docs/abi-sysfs.md. Those of the backing store, spilling, density and dedup are in their files.
 */
#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "memdrive.h"

int md_parse_size(const char *buf, u64 *bytes)
{
	char word[32], *s, *end;
	u64 number;

	if (strscpy(word, buf, sizeof(word)) < 0)
		return -EINVAL;
	s = strim(word);
	if (!isdigit(*s))
		return -EINVAL;
	/* Neither of the two says when it runs over; 19 digits do not, and a shift that does gives no multiple. */
	number = simple_strtoull(s, &end, 0);
	if (end - s > 19)
		return -ERANGE;
	*bytes = memparse(s, &end);
	if (*end)
		return -EINVAL;
	return number && (!*bytes || *bytes % number || !is_power_of_2(*bytes / number)) ? -ERANGE
											 : 0;
}

static ssize_t disksize_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(md_of(dev)->disksize));
}

static ssize_t disksize_store(struct device *dev, struct device_attribute *attr, const char *buf,
			      size_t len)
{
	struct md_device *d = md_of(dev);
	u64 size;
	int r;

	r = md_parse_size(buf, &size);
	if (r)
		return r;
	if (!size || size > ULLONG_MAX - PAGE_SIZE)
		return -EINVAL;
	size = round_up(size, PAGE_SIZE);
	down_write(&d->init_lock);
	r = md_ready(d) ? -EBUSY : md_device_init(d, size);
	if (!r)
		set_capacity_and_notify(d->disk, size >> SECTOR_SHIFT);
	up_write(&d->init_lock);
	return r ? r : len;
}

static ssize_t initstate_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	bool ready;

	down_read(&d->init_lock);
	ready = md_ready(d);
	up_read(&d->init_lock);
	return sysfs_emit(buf, "%u\n", ready);
}

static ssize_t reset_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	unsigned int yes;
	int r;

	r = kstrtouint(buf, 10, &yes);
	if (r)
		return r;
	if (!yes)
		return -EINVAL;
	r = md_claim_and_reset(md_of(dev));
	return r ? r : len;
}

static ssize_t mem_limit_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)READ_ONCE(md_of(dev)->pool.limit_pages) << PAGE_SHIFT);
}

static ssize_t mem_limit_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t len)
{
	struct md_device *d = md_of(dev);
	u64 limit;
	int r;

	r = md_parse_size(buf, &limit);
	if (r)
		return r;
	if (limit > (u64)ULONG_MAX - PAGE_SIZE)
		return -EINVAL;
	down_write(&d->init_lock);
	WRITE_ONCE(d->pool.limit_pages, PAGE_ALIGN(limit) >> PAGE_SHIFT);
	md_spill_limit_changed(d);
	up_write(&d->init_lock);
	md_room(d);
	return len;
}

static ssize_t mem_used_max_store(struct device *dev, struct device_attribute *attr,
				  const char *buf, size_t len)
{
	struct md_device *d = md_of(dev);
	unsigned long zero;
	int r;

	r = kstrtoul(buf, 10, &zero);
	if (r)
		return r;
	if (zero)
		return -EINVAL;
	down_read(&d->init_lock);
	atomic_long_set(&d->pool.used_max, md_pool_pages(d));
	up_read(&d->init_lock);
	return len;
}

/* "all", or the pages that nobody has touched for so many seconds. */
static ssize_t idle_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t len)
{
	struct md_device *d = md_of(dev);
	unsigned int seconds = 0;
	ssize_t r = len;
	u32 i;

	if (!sysfs_streq(buf, "all")) {
		r = kstrtouint(buf, 0, &seconds);
		if (r)
			return r;
		r = len;
	}
	down_read(&d->init_lock);
	if (!md_ready(d))
		r = -EINVAL;
	for (i = 0; r > 0 && i < d->nr_pages; i++) {
		struct md_slot *s = md_slot_at(d, i);

		if (!(i % 1024))
			cond_resched();
		if (md_slot_kind(s) == MD_NONE)
			continue;
		md_slot_lock(s);
		if (md_slot_kind(s) != MD_NONE && md_slot_age(s) >= seconds)
			md_slot_mark(s, MD_IDLE);
		md_slot_unlock(d, s);
	}
	up_read(&d->init_lock);
	return r;
}

/* As zram's: it has been without meaning for long, and scripts write it. */
static ssize_t max_comp_streams_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", num_online_cpus());
}

static ssize_t max_comp_streams_store(struct device *dev, struct device_attribute *attr,
				      const char *buf, size_t len)
{
	unsigned int n;
	int r;

	r = kstrtouint(buf, 10, &n);
	if (r)
		return r;
	return n ? len : -EINVAL;
}

static ssize_t comp_algorithm_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "[lz4]\n");
}

static ssize_t comp_algorithm_store(struct device *dev, struct device_attribute *attr,
				    const char *buf, size_t len)
{
	struct md_device *d = md_of(dev);
	ssize_t r = len;

	if (!sysfs_streq(buf, "lz4"))
		return -EINVAL;
	down_read(&d->init_lock);
	if (md_ready(d))
		r = -EBUSY;
	up_read(&d->init_lock);
	return r;
}

static ssize_t compact_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	struct md_device *d = md_of(dev);
	ssize_t r = len;

	down_read(&d->init_lock);
	if (md_ready(d))
		md_pool_compact(d);
	else
		r = -EINVAL;
	up_read(&d->init_lock);
	return r;
}

static ssize_t verify_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->verify));
}

static ssize_t verify_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t len)
{
	bool on;
	int r;

	r = kstrtobool(buf, &on);
	if (r)
		return r;
	WRITE_ONCE(md_of(dev)->verify, on);
	return len;
}

static ssize_t verify_errors_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", md_stat_sum(md_of(dev), MD_STAT_VERIFY_FAILED));
}

static ssize_t io_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);

	return sysfs_emit(buf, "%8llu %8llu %8llu %8llu\n", md_stat_sum(d, MD_STAT_FAILED_READS),
			  md_stat_sum(d, MD_STAT_FAILED_WRITES), md_stat_sum(d, MD_STAT_INVALID_IO),
			  md_stat_sum(d, MD_STAT_NOTIFY_FREE));
}

static ssize_t mm_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	ssize_t n;

	down_read(&d->init_lock);
	n = sysfs_emit(buf, "%8llu %8llu %8llu %8llu %8llu %8llu %8llu %8llu %8llu\n",
		       md_stat_sum(d, MD_STAT_PAGES) << PAGE_SHIFT, md_stat_sum(d, MD_STAT_COMPR),
		       (u64)md_pool_pages(d) << PAGE_SHIFT, (u64)d->pool.limit_pages << PAGE_SHIFT,
		       (u64)atomic_long_read(&d->pool.used_max) << PAGE_SHIFT,
		       md_stat_sum(d, MD_STAT_SAME), (u64)md_pool_compacted(d),
		       md_stat_sum(d, MD_STAT_HUGE), md_stat_sum(d, MD_STAT_HUGE_SINCE));
	up_read(&d->init_lock);
	return n;
}

/* The first two are zram's. */
static ssize_t debug_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);

	return sysfs_emit(buf, "version: 1\n%8llu %8llu %8llu %8llu\n",
			  md_stat_sum(d, MD_STAT_WRITESTALL), md_stat_sum(d, MD_STAT_MISS_FREE),
			  md_stat_sum(d, MD_STAT_RESERVED), md_stat_sum(d, MD_STAT_DEFERRED));
}

/* What mm_stat does not count. */
static ssize_t mem_tables_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	ssize_t n;

	down_read(&d->init_lock);
	n = sysfs_emit(buf, "%8llu %8llu %8llu %8llu %8llu %8llu\n",
		       md_ready(d) ? PAGE_ALIGN((u64)d->nr_pages * sizeof(struct md_slot)) : 0ull,
		       (u64)md_streams_memory(), md_reserve_memory(d), md_backing_memory(d),
		       md_density_memory(d), md_dedup_memory(d));
	up_read(&d->init_lock);
	return n;
}

#ifdef MD_TEST_HOOKS
/* The number of a page in memory, of whose stored bytes one bit is turned over. No release is built with it. */
static ssize_t corrupt_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	struct md_device *d = md_of(dev);
	struct md_slot *s;
	u32 index;
	u8 *copy;
	int r;

	r = kstrtou32(buf, 0, &index);
	if (r)
		return r;
	copy = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	down_read(&d->init_lock);
	r = -EINVAL;
	if (index >= d->nr_pages)
		goto out;
	s = md_slot_at(d, index);
	md_slot_lock(s);
	r = -ENODATA;
	if (md_slot_handle(s)) {
		r = 0;
		md_slot_copy(d, s, copy);
		copy[md_slot_len(s) / 2] ^= 1;
		md_pool_overwrite(d, md_slot_handle(s), copy, md_slot_len(s));
	}
	md_slot_unlock(d, s);
out:
	up_read(&d->init_lock);
	kfree(copy);
	return r ? r : len;
}

static DEVICE_ATTR_WO(corrupt);
#endif

static DEVICE_ATTR_RW(disksize);
static DEVICE_ATTR_RO(initstate);
static DEVICE_ATTR_WO(reset);
static DEVICE_ATTR_RW(mem_limit);
static DEVICE_ATTR_WO(mem_used_max);
static DEVICE_ATTR_WO(idle);
static DEVICE_ATTR_RW(max_comp_streams);
static DEVICE_ATTR_RW(comp_algorithm);
static DEVICE_ATTR_WO(compact);
static DEVICE_ATTR_RW(verify);
static DEVICE_ATTR_RO(verify_errors);
static DEVICE_ATTR_RO(io_stat);
static DEVICE_ATTR_RO(mm_stat);
static DEVICE_ATTR_RO(debug_stat);
static DEVICE_ATTR_RO(mem_tables);

static struct attribute *disk_attrs[] = {
	&dev_attr_disksize.attr,
	&dev_attr_initstate.attr,
	&dev_attr_reset.attr,
	&dev_attr_mem_limit.attr,
	&dev_attr_mem_used_max.attr,
	&dev_attr_idle.attr,
	&dev_attr_max_comp_streams.attr,
	&dev_attr_comp_algorithm.attr,
	&dev_attr_compact.attr,
	&dev_attr_verify.attr,
	&dev_attr_verify_errors.attr,
	&dev_attr_io_stat.attr,
	&dev_attr_mm_stat.attr,
	&dev_attr_debug_stat.attr,
	&dev_attr_mem_tables.attr,
#ifdef MD_TEST_HOOKS
	&dev_attr_corrupt.attr,
#endif
	NULL,
};

static const struct attribute_group disk_group = { .attrs = disk_attrs };

const struct attribute_group *md_disk_groups[] = {
	&disk_group, &md_backing_group, &md_spill_group, &md_density_group, &md_dedup_group, NULL,
};

/* The class. Reading hot_add makes a device, as zram's does; so only root may read it. */

static ssize_t hot_add_show(MD_CLASS_ARGS, char *buf)
{
	int r = md_add();

	return r < 0 ? r : sysfs_emit(buf, "%d\n", r);
}

static ssize_t hot_remove_store(MD_CLASS_ARGS, const char *buf, size_t len)
{
	int number, r;

	r = kstrtoint(buf, 10, &number);
	if (r)
		return r;
	if (number < 0)
		return -EINVAL;
	r = md_remove(number);
	return r ? r : len;
}

static struct class_attribute class_attr_hot_add = __ATTR(hot_add, 0400, hot_add_show, NULL);
static CLASS_ATTR_WO(hot_remove);

static struct attribute *control_attrs[] = {
	&class_attr_hot_add.attr,
	&class_attr_hot_remove.attr,
	NULL,
};
ATTRIBUTE_GROUPS(control);

static struct class control_class = {
	.name = "memdrive-control",
	MD_CLASS_OWNER.class_groups = control_groups,
};

int md_control_init(void)
{
	return class_register(&control_class);
}

void md_control_exit(void)
{
	class_unregister(&control_class);
}
