// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Raw: the sectors of one data track as a drive reads them (READ CD), and nothing else.
 *
 *     2352 bytes   sync 12, header 4 (minute, second, frame, mode), then mode 1: user data 2048, EDC, ECC,
 *                  or mode 2: subheader 8, user data 2048 or 2324, EDC, ECC                    ECMA-130 14
 *     2448 bytes   the same and 96 bytes of subchannel
 *     2336 bytes   mode 2 from its subheader on: no sync pattern tells it, only the file system does
 *
 * There is no header to the file. What tells it is the sync pattern at the beginning of the first two sectors, so one flipped
 * byte elsewhere does no harm, and a stray pattern in something else does not count. Audio has no sync pattern: a file that begins
 * with an audio track is not of this format (its sheet says what it is).
 */
#include "images/image.h"
#include "images/single_track.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

#define SYNC_SIZE 12u
#define VD_AT 16u /* the sector of the first volume descriptor */

static const uint8_t sync_pattern[SYNC_SIZE] = { 0,    0xff, 0xff, 0xff, 0xff, 0xff,
						 0xff, 0xff, 0xff, 0xff, 0xff, 0 };

static bool has_sync(const struct vd_image_head *h, uint64_t at)
{
	return h->len >= at + SYNC_SIZE && !memcmp(h->data + at, sync_pattern, SYNC_SIZE);
}

/* 0: not this; else how sure it is, as a probe says it. */
static int recognise(const struct vd_image_head *h, enum vd_sector_layout *layout,
		     enum vd_track_mode *mode)
{
	static const enum vd_sector_layout synced[] = { VD_LAYOUT_2352, VD_LAYOUT_2448 };
	uint64_t at;

	for (size_t i = 0; has_sync(h, 0) && i < VD_ARRAY_SIZE(synced); i++) {
		uint32_t size = vd_layout_size(synced[i]);
		const uint8_t *sector = h->data;
		uint32_t user;

		/* One lone sector is as good as two. */
		if (!has_sync(h, size) && h->size != size)
			continue;
		/* The first 16 sectors belong to nobody; the mode that counts is that of the descriptor. */
		at = (uint64_t)VD_AT * size;
		if (has_sync(h, at) && h->len >= at + size)
			sector += at;
		*layout = synced[i];
		*mode = sector[15] == 2 ? VD_TRACK_MODE2 : VD_TRACK_MODE1;
		user = *mode == VD_TRACK_MODE2 ? 24 : 16;
		return sector != h->data && vd_is_volume_descriptor(sector + user) ? 100 : 80;
	}
	at = (uint64_t)VD_AT * 2336 + 8;
	if (h->len >= at + 6 && vd_is_volume_descriptor(h->data + at)) {
		*layout = VD_LAYOUT_2336;
		*mode = VD_TRACK_MODE2;
		return 90;
	}
	return 0;
}

static int raw_probe(const struct vd_image_head *h)
{
	enum vd_sector_layout layout;
	enum vd_track_mode mode;

	return recognise(h, &layout, &mode);
}

static int raw_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	enum vd_sector_layout layout;
	enum vd_track_mode mode;

	(void)opener;
	if (!recognise(h, &layout, &mode)) {
		vd_store_close(store);
		return vd_error_set(err, -EMEDIUMTYPE, "not raw sectors: no sync pattern");
	}
	return vd_image_open_single_track(store, layout, mode, 0, out, err);
}

const struct vd_image_format vd_image_raw = {
	.name = "raw",
	.description = "raw data sectors, 2336, 2352 or 2448 bytes each",
	.probe = raw_probe,
	.open = raw_open,
};
