/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writers of the formats that no program in Debian writes, by their public descriptions. */
#ifndef DISC_WRITERS_H
#define DISC_WRITERS_H

#include "disc_fixture.h"

/*
 * Each writes a disc of the fixture into the test's folder and returns the path to open. They hold FIX_ALL, and FIX_SUB, but for
 * write_nrg_tao(): FIX_SESSIONS and FIX_MODE2.
 */
char *write_nrg1(struct vd_disc *d, const char *name);
char *write_nrg2(struct vd_disc *d, const char *name);
char *write_nrg_tao(struct vd_disc *d, const char *name); /* data in 2048 or 2336 bytes a sector */
/* NAME.ccd, NAME.img, and NAME.sub if the disc has a stored subchannel. */
char *write_ccd(struct vd_disc *d, const char *name);
/*
 * NAME.mds and NAME.mdf: FIX_SESSIONS, FIX_MODE2, FIX_PREGAPS, FIX_FLAGS and FIX_SUB. A pregap is in the .mdf. The second one cuts the
 * .mdf into three files, inside sectors, and names them in UTF-16.
 */
char *write_mds(struct vd_disc *d, const char *name);
char *write_mds_split(struct vd_disc *d, const char *name);

/*
 * NAME.cdi. Version 3.5 holds FIX_ALL and FIX_SUB; the others have no place for FIX_MCN and FIX_CDTEXT, and no FIX_SUB. Each has
 * something that no track needs: text of its own, a capacity, or bytes before its mark.
 */
char *write_cdi2(struct vd_disc *d, const char *name);
char *write_cdi3(struct vd_disc *d, const char *name);
char *write_cdi35(struct vd_disc *d, const char *name);
/* NAME.gdi and a file for each track: nothing but modes. */
char *write_gdi(struct vd_disc *d, const char *name);
/*
 * NAME.b6t, and its sectors in NAME.b6i and NAME.b00, cut inside a track: FIX_SESSIONS, FIX_MODE2, FIX_PREGAPS, FIX_CDTEXT,
 * FIX_LANGUAGES, FIX_MCN, FIX_FLAGS and FIX_SUB.
 */
char *write_b6t(struct vd_disc *d, const char *name);

/* NAME.c2d: FIX_SESSIONS, FIX_MODE2, FIX_INDICES, FIX_CDTEXT, FIX_LANGUAGES, FIX_ISRC, FIX_MCN and FIX_SUB. */
char *write_c2d(struct vd_disc *d, const char *name);

#endif
