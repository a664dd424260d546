// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/single_track.h"

#include <errno.h>
#include <string.h>

#include "disc/subchannel.h"
#include "util/cleanup.h"

bool vd_is_volume_descriptor(const uint8_t *p)
{
	static const char ids[][6] = { "CD001", "CDROM", "BEA01", "NSR02", "NSR03", "BOOT2" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(ids); i++)
		if (!memcmp(p + 1, ids[i], 5))
			return true;
	return false;
}

#define SUB_SAMPLES 32

enum vd_sub_form vd_image_sub_form(struct vd_store *store, uint64_t offset, uint64_t sectors)
{
	for (uint64_t i = 0; i < sectors && i < SUB_SAMPLES; i++) {
		uint8_t sub[VD_SECTOR_SUB];
		enum vd_sub_form form;

		if (vd_store_pread(store, sub, sizeof(sub),
				   offset + i * vd_layout_size(VD_LAYOUT_2448) + VD_SECTOR_RAW))
			break;
		form = vd_sub_guess_form(sub);
		if (form != VD_SUB_NONE)
			return form;
	}
	return VD_SUB_RAW;
}

int vd_image_open_single_track(struct vd_store *store, enum vd_sector_layout layout,
			       enum vd_track_mode mode, int32_t start, struct vd_disc **out,
			       struct vd_error *err)
{
	struct vd_track t = { .number = 1, .session = 1, .mode = mode, .start = start };
	struct vd_extent x = { .lba = start, .layout = layout };
	_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
	const uint64_t sectors = store->size / vd_layout_size(layout);
	int r = vd_disc_new_owning(store, &d);

	if (r)
		return vd_error_errno(err, r, "cannot open the image");
	if (!sectors)
		return vd_error_set(err, -EMEDIUMTYPE, "holds not one whole sector");
	if (sectors > INT32_MAX)
		return vd_error_set(err, -EFBIG, "larger than a disc can be (2^31 sectors)");
	t.length = (uint32_t)sectors;
	r = vd_disc_add_track(d, &t, err);
	if (r)
		return r;
	x.length = t.length;
	x.store = store;
	if (layout == VD_LAYOUT_2448)
		x.sub = vd_image_sub_form(store, 0, sectors);
	r = vd_disc_add_extent(d, &x, err);
	if (r)
		return r;
	*out = VD_TAKE_PTR(d);
	return 0;
}
