/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that databases of music have for a disc, made of where its tracks begin. */
#ifndef VD_DISC_DISCID_H
#define VD_DISC_DISCID_H

#include "disc/disc.h"

#define VD_MUSICBRAINZ_LEN 28

/* freedb/CDDB: of all tracks. 0 on a disc without a track. */
uint32_t vd_discid_freedb(const struct vd_disc *d);
/*
 * MusicBrainz: of the tracks up to the last audio track of the first session. @toc: NULL, or room for the same as text,
 * "1 6 95462 150 15363 ..." (first, last, lead-out, starts; cut off at @len). -ENODATA on a disc without audio.
 */
int vd_discid_musicbrainz(const struct vd_disc *d, char id[VD_MUSICBRAINZ_LEN + 1], char *toc,
			  size_t len);

#endif
