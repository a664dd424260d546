// SPDX-License-Identifier: GPL-2.0-or-later
/* The store behind a device: so far there is none, which backing_dev says as zram's does. */
#include <linux/sysfs.h>

#include "memdrive.h"

static ssize_t backing_dev_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "none\n");
}

static DEVICE_ATTR_RO(backing_dev);

static struct attribute *backing_attrs[] = { &dev_attr_backing_dev.attr, NULL };

const struct attribute_group md_backing_group = { .attrs = backing_attrs };

void md_backing_destroy(struct md_device *d)
{
}

void md_backing_put(struct md_device *d, u64 val, unsigned int len)
{
	WARN_ONCE(1, "memdrive: a page is on a backing store, and there is none\n");
}

u64 md_backing_memory(struct md_device *d)
{
	return 0;
}
