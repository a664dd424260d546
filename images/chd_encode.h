/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other way round than chd_codec.h. */
#ifndef VD_IMAGES_CHD_ENCODE_H
#define VD_IMAGES_CHD_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* One for each thread that encodes. */
struct vd_chd_encoder;

/* @tags are codecs that chd_codec.h knows; 'huff' is -EINVAL with words. -ENOMEM. */
int vd_chd_encoder_new(const uint32_t tags[4], uint32_t hunk, struct vd_chd_encoder **out,
		       struct vd_error *err);
void vd_chd_encoder_free(struct vd_chd_encoder *e);
/*
 * Compresses a hunk by each codec into @out of a hunk's size; *index is of the one that makes least of it, *len its bytes. 4 and a hunk's size:
 * none makes it less, and @out is the hunk. 0, -ENOMEM.
 */
int vd_chd_encode(struct vd_chd_encoder *e, const uint8_t *hunk, uint8_t *out, unsigned int *index,
		  uint32_t *len);

#endif
