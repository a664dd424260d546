/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A medium that can be written, in a file: its user data from the beginning of the file on, 2048 bytes a sector, as an ISO image has it, and behind all
 * the sectors that it has room for one more that says what it is. The file is sparse: what was never written takes no room. Other programs
 * see an ISO image with a sector too many.
 *
 * The last 512 bytes (numbers are little endian):
 *
 *     0    "VDRIVE MEDIUM\0\0\0"
 *     16   version: 1
 *     20   profile (MMC-6, 5.3.1)
 *     24   sectors
 *     508  CRC-32 (that of gzip) of the bytes before
 */
#ifndef VD_IMAGES_MEDIUM_H
#define VD_IMAGES_MEDIUM_H

#include "disc/disc.h"

/* A kind of medium that can be made. */
struct vd_medium_kind {
	const char *name; /* "dvd-ram" */
	enum vd_media media;
	uint32_t sectors;
	const char *description;
};
/* All of them; an entry without a name is the end. */
extern const struct vd_medium_kind vd_medium_kinds[];

/* Makes a blank one of an empty file that is open for writing. -ENOSPC, -EFBIG, ... with words. */
int vd_medium_create(int fd, const struct vd_medium_kind *kind, struct vd_error *err);

#endif
