/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of stores one after the other, for what does not end at a sector. */
#ifndef VD_IMAGES_JOINED_H
#define VD_IMAGES_JOINED_H

#include "store/store.h"

struct vd_joined_part {
	struct vd_store *store; /* NULL: zeros. Borrowed: it outlives the joined one. */
	uint64_t offset, length;
	bool swapped; /* each two bytes from `offset` on */
};

/*
 * @parts is copied; each lies in its store, and all of them are less than 2^63 bytes. Read-only. 0, -ENOMEM. What the caller sets as
 * `inner` of the new store is closed with it.
 */
int vd_joined_open(const struct vd_joined_part *parts, size_t n, struct vd_store **out);

/* Bytes @off.. of what begins at @base of @s, each two bytes swapped. A pair that is asked for in half is in @s as a whole. */
int vd_read_swapped(struct vd_store *s, uint64_t base, void *buf, size_t len, uint64_t off);

#endif
