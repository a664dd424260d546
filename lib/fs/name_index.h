/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Indexes of the directories looked into last: a hash of each name and where its entry begins. Names are not kept; who
 * looks one up compares it with the entry. The least recently used indexes go when all together exceed 16 MiB. Every function
 * may be called from many threads at once.
 */
#ifndef VD_FS_NAME_INDEX_H
#define VD_FS_NAME_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct vd_name_indexes;
struct vd_name_index;

int vd_name_indexes_new(struct vd_name_indexes **out);
void vd_name_indexes_free(struct vd_name_indexes *x); /* NULL is fine */

/* Adds all names of a directory, in the disc's order. What it returns is the directory's damage. */
typedef int (*vd_name_index_fill)(void *arg, struct vd_name_index *ix);
/* For it. -EFBIG: too many, to be returned. @pos is not UINT32_MAX. */
int vd_name_index_add(struct vd_name_index *ix, uint32_t hash, uint32_t pos);

/*
 * The index of the directory that the number @dir stands for, built if need be; put it back. -EFBIG when it is too large
 * to have one, -ENOMEM. A directory that is damaged has an index of what comes before, and the damage in *damage.
 */
int vd_name_index_get(struct vd_name_indexes *x, uint64_t dir, vd_name_index_fill fill, void *arg,
		      struct vd_name_index **out, int *damage);
void vd_name_index_put(struct vd_name_indexes *x, struct vd_name_index *ix);
/* The positions of names with this hash, in the order of the disc; *slot is 0 at first. False: no more. */
bool vd_name_index_find(const struct vd_name_index *ix, uint32_t hash, uint32_t *slot,
			uint32_t *pos);

#endif
