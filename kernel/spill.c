// SPDX-License-Identifier: GPL-2.0-or-later
/* What moves to the backing store and back: nothing, as long as backing.c has none. */
#include "memdrive.h"

static struct attribute *spill_attrs[] = { NULL };

const struct attribute_group md_spill_group = { .attrs = spill_attrs };

int md_spill_init(struct md_device *d)
{
	return 0;
}

void md_spill_exit(struct md_device *d)
{
}

void md_spill_destroy(struct md_device *d)
{
}

bool md_spill_usable(struct md_device *d)
{
	return false;
}

void md_spill_limit_changed(struct md_device *d)
{
}

void md_spill_kick(struct md_device *d)
{
}

void md_spill_read(struct md_device *d, struct md_slot *s, struct bio *parent,
		   struct bvec_iter iter)
{
	md_count(d, MD_STAT_FAILED_READS, 1);
	md_corrupt(d, md_slot_index(d, s));
	md_slot_unlock(d, s);
	parent->bi_status = BLK_STS_IOERR;
}
