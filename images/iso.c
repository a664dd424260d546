// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ISO: 2048 bytes of user data a sector from LBA 0 on, and nothing else. A file whose last sector is cut short
 * (a partial download, or a hybrid image padded to something else) is taken up to its last whole sector.
 */
#include "images/image.h"
#include "images/single_track.h"

static int iso_probe(const struct vd_image_head *h)
{
	if (h->len >= 17 * 2048 && vd_is_volume_descriptor(h->data + 16 * 2048))
		return 100;
	return 0;
}

static int iso_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	(void)opener;
	(void)h;
	return vd_image_open_single_track(store, VD_LAYOUT_2048, VD_TRACK_MODE1, 0, out, err);
}

const struct vd_image_format vd_image_iso = {
	.name = "iso",
	.description = "ISO image, 2048 bytes a sector",
	.probe = iso_probe,
	.open = iso_open,
};
