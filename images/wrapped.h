/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that have an image inside, whole and of any format: archives of one file, and formats that only compress. Each gives a store of
 * what is inside, which is read anywhere.
 */
#ifndef VD_IMAGES_WRAPPED_H
#define VD_IMAGES_WRAPPED_H

#include "images/image.h"

struct vd_wrapping {
	const char *words; /* "a gzip archive" */
	/* What a name ends in whose rest is the name inside, in any case; NULL at the end. */
	const char *const *suffixes;
	/*
	 * As of an image format, and among equals this counts: the end of what is inside may be stored as it is at the end of the file, with
	 * its footer. Archives give less than any format: an image that happens to begin as one is an image.
	 */
	int (*probe)(const struct vd_image_head *h);
	/*
	 * Takes @store, also on failure. Words begin with @h's name. Files beside it are opened by @opener. -EINVAL for what is damaged, -ENOMEM. A
	 * read of what turns out to be damaged gives -EIO.
	 */
	int (*open)(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err);
};

/* Every one that this build knows, NULL at the end. */
extern const struct vd_wrapping *const vd_wrappings[];

extern const struct vd_wrapping vd_wrapping_gzip;
extern const struct vd_wrapping vd_wrapping_xz;
extern const struct vd_wrapping vd_wrapping_zstd;
extern const struct vd_wrapping vd_wrapping_cso;
extern const struct vd_wrapping vd_wrapping_zso;
extern const struct vd_wrapping vd_wrapping_ecm;
extern const struct vd_wrapping vd_wrapping_dmg;
extern const struct vd_wrapping vd_wrapping_isz;
extern const struct vd_wrapping vd_wrapping_daa;

#endif
