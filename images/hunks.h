/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store of hunks that are decoded when they are read: each by itself, many at a time, and kept for a while. */
#ifndef VD_IMAGES_HUNKS_H
#define VD_IMAGES_HUNKS_H

#include "store/store.h"

struct vd_hunks_ops {
	/* What one thread that decodes needs. NULL: no memory. */
	void *(*decoder_new)(void *of);
	void (*decoder_free)(void *decoder);
	/*
	 * Hunk @hunk into @buf, which has room for the largest one. 0, -EIO when it is damaged, or an error of the store below. Called from
	 * many threads at once, with a decoder each.
	 */
	int (*decode)(void *of, void *decoder, uint32_t hunk, uint8_t *buf);
	/* A hunk of the same bytes, so that both are kept once; that one's is itself. NULL: none are. */
	uint32_t (*same_as)(void *of, uint32_t hunk);
	/* Where a hunk begins, ascending; that behind the last one is the end. NULL: all but the last one are as long as the largest. */
	uint64_t (*start)(void *of, uint32_t hunk);
	void (*close)(void *of);
};

struct vd_hunks_size {
	uint64_t bytes; /* of all */
	uint32_t hunk;	/* bytes of the largest: at most 8 MiB */
	uint32_t hunks; /* less than UINT32_MAX */
};

/* Read-only. Takes @of, also on failure: -ENOMEM. Reads are from any number of threads. */
int vd_hunks_open(const struct vd_hunks_ops *ops, void *of, const struct vd_hunks_size *size,
		  struct vd_store **out);

#endif
