// SPDX-License-Identifier: GPL-2.0-or-later
/* Equal pages, once: cannot be switched on so far, so each is stored by itself. */
#include "memdrive.h"

static struct attribute *dedup_attrs[] = { NULL };

const struct attribute_group md_dedup_group = { .attrs = dedup_attrs };

int md_dedup_init(struct md_device *d)
{
	return 0;
}

void md_dedup_exit(struct md_device *d)
{
}

void md_dedup_destroy(struct md_device *d)
{
}

int md_dedup_store(struct md_device *d, const void *data, u64 hash, bool hard, struct md_entry *e)
{
	unsigned long handle;
	int r = md_pool_store(d, data, e->len, hard, &handle);

	if (r)
		return r;
	e->val = handle;
	e->place = MD_AT_POOL;
	return 0;
}

void md_dedup_put(struct md_device *d, u64 val)
{
	WARN_ONCE(1, "memdrive: a page is shared, and none are\n");
}

unsigned long md_dedup_handle(u64 val)
{
	return 0;
}

u64 md_dedup_memory(struct md_device *d)
{
	return 0;
}
