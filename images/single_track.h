/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the formats share whose file is one data track and nothing else. */
#ifndef VD_IMAGES_SINGLE_TRACK_H
#define VD_IMAGES_SINGLE_TRACK_H

#include "disc/disc.h"

/* ECMA-119 8.1, ECMA-167 2/9.1: do these 6 bytes begin a volume structure descriptor? */
bool vd_is_volume_descriptor(const uint8_t *p);

/*
 * A disc of one track that fills @store from its first byte on, beginning at LBA @start. Takes @store, also on failure. A last
 * sector that is cut short is left out. -EMEDIUMTYPE with words when no whole sector is there, -EFBIG.
 */
int vd_image_open_single_track(struct vd_store *store, enum vd_sector_layout layout,
			       enum vd_track_mode mode, int32_t start, struct vd_disc **out,
			       struct vd_error *err);

/*
 * In which form the subchannel is of sectors of VD_LAYOUT_2448 from @offset of @store on, of which there are @sectors: nothing says it,
 * but the CRC of Q in the first ones does. Where all of them are wrong, and where they cannot be read, it is taken as
 * drives give it; who reads the sectors gets the error.
 */
enum vd_sub_form vd_image_sub_form(struct vd_store *store, uint64_t offset, uint64_t sectors);

#endif
