/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What hunks are compressed with. */
#ifndef VD_IMAGES_CHD_CODEC_H
#define VD_IMAGES_CHD_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define VD_CHD_TAG(a, b, c, d)                                                                     \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/*
 * Can hunks of that size be read that are compressed by these codecs? 0, or -EINVAL with words that begin behind "@name: ": a codec
 * is not known, is of no use for a disc, or is for the sectors of a CD and the hunk is not made of these.
 */
int vd_chd_codecs_check(const uint32_t codecs[4], uint32_t hunk, const char *name,
			struct vd_error *err);

/* One for each thread that decodes; what a codec needs is taken when that is first used. */
struct vd_chd_decoder;

/* @codecs have been checked. -ENOMEM. */
int vd_chd_decoder_new(const uint32_t codecs[4], uint32_t hunk, struct vd_chd_decoder **out);
void vd_chd_decoder_free(struct vd_chd_decoder *d);
/* A hunk of @len bytes, compressed by codecs[@index], into @out. -EIO when it is damaged, -ENOMEM. */
int vd_chd_decode(struct vd_chd_decoder *d, unsigned int index, const uint8_t *data, size_t len,
		  uint8_t *out);
/* A buffer of a hunk's size that is the caller's between decodings: for what is to be decoded. */
uint8_t *vd_chd_decoder_buffer(struct vd_chd_decoder *d);

#endif
