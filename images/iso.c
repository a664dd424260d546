// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ISO: 2048 bytes of user data a sector from LBA 0 on, and nothing else. A file whose last sector is cut short
 * (a partial download, or a hybrid image padded to something else) is taken up to its last whole sector.
 */
#include "images/image.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"

/* ECMA-119 8.1, ECMA-167 2/9.1: a volume structure descriptor begins with a type byte and one of these. */
static bool is_volume_descriptor(const uint8_t *p)
{
	static const char ids[][6] = { "CD001", "CDROM", "BEA01", "NSR02", "NSR03", "BOOT2" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(ids); i++)
		if (!memcmp(p + 1, ids[i], 5))
			return true;
	return false;
}

static int iso_probe(const struct vd_image_head *h)
{
	if (h->len >= 17 * 2048 && is_volume_descriptor(h->data + 16 * 2048))
		return 100;
	return 0;
}

static int iso_open(struct vd_opener *opener, int fd, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	struct vd_track t = { .number = 1,
			      .session = 1,
			      .mode = VD_TRACK_MODE1,
			      .layout = VD_LAYOUT_2048 };
	struct vd_disc *d = NULL;
	int r;

	(void)opener;
	(void)h;
	r = vd_store_file_open(fd, true, &t.store, err);
	if (r)
		return r;
	r = vd_disc_new(&d);
	if (r) {
		vd_store_close(t.store);
		return vd_error_errno(err, r, "cannot open the image");
	}
	if (t.store->size / 2048 > INT32_MAX)
		r = vd_error_set(err, -EFBIG, "larger than a disc can be (4 TiB)");
	else
		t.length = (uint32_t)(t.store->size / 2048);
	if (r) {
		vd_store_close(t.store);
	} else {
		r = vd_disc_own_store(d, t.store);
		if (r)
			vd_error_errno(err, r, "cannot open the image");
	}
	if (!r)
		r = vd_disc_add_track(d, &t, err);
	if (r) {
		vd_disc_close(d);
		return r;
	}
	*out = d;
	return 0;
}

const struct vd_image_format vd_image_iso = {
	.name = "iso",
	.description = "ISO image, 2048 bytes a sector",
	.probe = iso_probe,
	.open = iso_open,
};
