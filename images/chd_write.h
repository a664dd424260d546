/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A disc as a CHD of version 5 (chd.c), as chdman reads it. */
#ifndef VD_IMAGES_CHD_WRITE_H
#define VD_IMAGES_CHD_WRITE_H

#include "disc/disc.h"

struct vd_chd_write {
	/* Up to four codecs, as "cdlz,cdzl,cdfl"; "" for none. NULL: those that chdman 0.251 takes for such a disc. */
	const char *codecs;
	uint32_t
		hunk; /* bytes: whole frames of 2448, or sectors of 2048 of what is no CD; 0: as chdman */
	/* Called now and then with what is done of all, by 1000; an error ends it. NULL: not at all. */
	int (*progress)(void *arg, unsigned int permille);
	void *arg;
};

/*
 * Writes @d into the empty file @fd, whose offset is of no account. Sectors of a CD are stored with all of their 2352 bytes, and with their
 * subchannel where the disc has one stored. Not stored are: sessions (what lies between two is a pregap), MCN, ISRC, CD-TEXT, flags, indices
 * beyond 1, and P and Q of the subchannel. Compresses by as many threads as there are CPUs. -EMEDIUMTYPE when a CHD cannot
 * hold such a disc, -EINVAL for the options, with words; -EIO and others from reading and writing.
 */
int vd_chd_write(struct vd_disc *d, int fd, const struct vd_chd_write *o, struct vd_error *err);

#endif
