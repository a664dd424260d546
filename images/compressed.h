/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is inside a gzip, xz or zstd file, as a store that is read anywhere. */
#ifndef VD_IMAGES_COMPRESSED_H
#define VD_IMAGES_COMPRESSED_H

#include <stdbool.h>

#include "store/store.h"

/*
 * What is in @inner, of any of these kinds. Takes @inner, also on failure. Finds places from which decompression can begin: in xz, and in zstd
 * frames that say their length, by their headers alone; else all of it is decompressed once. @name is for the words.
 * -EINVAL with words for what is damaged, cut short, or expands beyond what images do (a decompression bomb), -ENOMEM.
 * A read of what turns out to be damaged gives -EIO.
 */
int vd_compressed_open(struct vd_store *inner, const char *name, struct vd_store **out,
		       struct vd_error *err);

/* Can byte @off be read without much decompressing before it? */
bool vd_compressed_is_near(const struct vd_store *s, uint64_t off);

#endif
