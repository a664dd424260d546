/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of contents as a drive gives them (MMC-6, 6.25), and as they are in the lead-in. */
#ifndef VD_DISC_TOC_H
#define VD_DISC_TOC_H

#include "disc/disc.h"

/* An entry of the raw TOC. All numbers are binary; on the disc those below 100 are BCD. */
struct vd_toc_entry {
	uint8_t session;
	uint8_t adr_control; /* ADR << 4 | control, as a drive gives it */
	uint8_t tno;	     /* 0 */
	uint8_t point;	     /* 1..99, 0xa0 to 0xa2, 0xb0, 0xc0 */
	uint8_t min, sec, frame;
	uint8_t zero;
	uint8_t pmin, psec, pframe;
};

/* As many as a session has at most. */
#define VD_TOC_ENTRIES_MAX (VD_TRACKS_MAX + 5)

/*
 * The entries of one session, in the order A0, A1, A2, tracks, B0, C0. B0 (where the next session begins) and C0 (lead-in
 * of the first) are there on a disc of several sessions, in all but the last. Returns their number.
 */
size_t vd_toc_entries(const struct vd_disc *d, int session,
		      struct vd_toc_entry out[VD_TOC_ENTRIES_MAX]);

/* What READ TOC/PMA/ATIP can ask for. */
enum vd_toc_format {
	VD_TOC_TRACKS = 0, /* @number: the first track, 0: the first there is, 0xaa: the lead-out */
	VD_TOC_SESSIONS = 1, /* first and last session, first track of the last one */
	VD_TOC_FULL = 2,     /* @number: the first session, 0 or 1: all */
	VD_TOC_CDTEXT = 5,   /* of the first session that has one */
};

/*
 * The answer to READ TOC/PMA/ATIP: at most @cap bytes into @buf, *len is what there is (its length field says that, less 2).
 * @msf: addresses as MSF instead of LBA. A medium that is no CD has tracks and sessions too. -EINVAL for another
 * format, a track or session that is not there, and @format 2 or 5 of another medium.
 */
int vd_toc_response(const struct vd_disc *d, enum vd_toc_format format, bool msf, uint8_t number,
		    void *buf, size_t cap, size_t *len);

#endif
