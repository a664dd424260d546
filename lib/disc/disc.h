/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disc: sessions of tracks of sectors, whatever file they came from. Addresses are LBAs: 0 is MSF 00:02:00,
 * and -150 is valid (MMC-6, 4.2.3). Images build a disc with the functions of the first group; everybody
 * else reads it with those of the second, from as many threads as they like.
 */
#ifndef VD_DISC_DISC_H
#define VD_DISC_DISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "util/error.h"

#define VD_SECTOR_USER 2048u /* bytes of user data in a data sector as file systems see it */

/* How a track's sectors are stored: the bytes a sector, and what they are (ECMA-130, 14 and 20). */
enum vd_sector_layout {
	VD_LAYOUT_2048, /* user data only */
	VD_LAYOUT_2336, /* mode 2 from the subheader on: subheader, user data, EDC, ECC */
	VD_LAYOUT_2352, /* the whole sector from its sync pattern on */
	VD_LAYOUT_2448, /* the whole sector and 96 bytes of subchannel */
};

enum vd_track_mode {
	VD_TRACK_MODE1, /* every sector holds 2048 bytes of user data */
	VD_TRACK_MODE2, /* XA: each sector says whether it is Form 1 (2048 bytes) or Form 2 (2324) */
};

struct vd_track {
	int number;  /* 1..99 */
	int session; /* 1.. */
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
	int32_t start;		/* LBA */
	uint32_t length;	/* sectors */
	struct vd_store *store; /* owned by the disc; tracks may share it */
	uint64_t store_offset;	/* where sector `start` begins in it, bytes */
};

struct vd_disc {
	struct vd_track *tracks; /* by ascending start */
	size_t ntracks;
	struct vd_store **stores;
	size_t nstores;
	int nsessions;
};

/* Building. */
int vd_disc_new(struct vd_disc **out);
/* The disc owns @s from here on, also when this fails. */
int vd_disc_own_store(struct vd_disc *d, struct vd_store *s);
/*
 * Appends a track. Its store is one that the disc owns, and holds all its sectors; it begins at or after
 * the end of the one before. -EINVAL otherwise, with words.
 */
int vd_disc_add_track(struct vd_disc *d, const struct vd_track *t, struct vd_error *err);
void vd_disc_close(struct vd_disc *d); /* NULL is fine */

/* Bytes a stored sector takes. */
uint32_t vd_layout_size(enum vd_sector_layout layout);

/* Reading. */

/* Bytes of the user data view: (last sector + 1) x 2048, 0 for a disc without data. */
uint64_t vd_disc_size(const struct vd_disc *d);
/*
 * The user data view: byte LBA x 2048 + n is byte n of that sector's user data. Sectors that have no
 * 2048-byte form (Form 2, gaps between tracks) read as zeros. Whole or failed: -EINVAL
 * beyond vd_disc_size(), -EIO.
 */
int vd_disc_pread(struct vd_disc *d, void *buf, size_t len, uint64_t off);
/* Where part of the user data view lies in a file byte for byte; -EOPNOTSUPP where it does not. */
int vd_disc_map(struct vd_disc *d, uint64_t off, uint64_t len, struct vd_fd_range *out);

#endif
