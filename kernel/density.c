// SPDX-License-Identifier: GPL-2.0-or-later
/* Cold pages, smaller: none are made so far. */
#include "memdrive.h"

static struct attribute *density_attrs[] = { NULL };

const struct attribute_group md_density_group = { .attrs = density_attrs };

int md_density_init(struct md_device *d)
{
	return 0;
}

void md_density_exit(struct md_device *d)
{
}

void md_density_destroy(struct md_device *d)
{
}

int md_density_read(struct md_device *d, u32 index, void *page)
{
	return md_corrupt(d, index);
}

void md_density_put(struct md_device *d, const struct md_entry *e)
{
	WARN_ONCE(1, "memdrive: a page is in a unit, and there are none\n");
}

int md_density_stream_prepare(struct md_stream *s, unsigned int cpu)
{
	return 0;
}

void md_density_stream_release(struct md_stream *s)
{
}

u64 md_density_memory(struct md_device *d)
{
	return 0;
}
