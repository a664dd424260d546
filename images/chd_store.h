/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The contents of a CHD, decompressed as they are read. */
#ifndef VD_IMAGES_CHD_STORE_H
#define VD_IMAGES_CHD_STORE_H

#include "images/chd_map.h"
#include "images/image.h"

/*
 * Takes @file, also on failure. A parent is looked for beside it by its SHA-1, and its parents too. *header: NULL, or receives
 * what the file says of itself. Errors as vd_chd_header_read(); -ENOENT: the parent is not there; with words.
 */
int vd_chd_store_open(struct vd_store *file, const char *name, struct vd_opener *opener,
		      struct vd_chd_header *header, struct vd_store **out, struct vd_error *err);

#endif
