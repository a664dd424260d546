/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of lib/disc share with each other only. */
#ifndef VD_DISC_INTERNAL_H
#define VD_DISC_INTERNAL_H

#include "disc/disc.h"

#define VD_LEADIN_FIRST                                                                            \
	(-45150) /* MSF 90:00:00 as addresses before 00:00:00 are written (MMC-6, table 543) */
#define VD_LEADOUT_FIRST 6750 /* sectors of the lead-out of session 1: 90 s */
#define VD_LEADOUT 2250	      /* of another one: 30 s */
#define VD_CD_SECTORS_MAX (99 * 60 * 75 + 59 * 75 + 74 - 150)
#define VD_DVD_SECTORS_MAX 4173824 /* DVD-R DL; DVD+R DL and DVD-ROM hold less */

static inline int32_t vd_leadout_length(int session)
{
	return session == 1 ? VD_LEADOUT_FIRST : VD_LEADOUT;
}

/* Swaps each two bytes; @len is even. */
static inline void vd_swap_pairs(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 2) {
		uint8_t first = p[i];

		p[i] = p[i + 1];
		p[i + 1] = first;
	}
}

/* Bytes of a stored sector that belong to the main channel. */
uint32_t vd_layout_main(enum vd_sector_layout layout);
/* Where the lead-in of a session begins; where its first track does when there is no room for one. */
int64_t vd_session_leadin(const struct vd_disc *d, int session);

#endif
