/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compares what the UDF reader shows with what an image was built of (udfbuild.h). */
#ifndef TEST_UDFWALK_H
#define TEST_UDFWALK_H

#include "fs/fs.h"
#include "udfbuild.h"

struct udfwalk {
	unsigned long errors; /* that the reader gave */
	unsigned long entries;
	char wrong
		[512]; /* the first thing that it returned as success and is not so; "" when there is none */
};

/* A disc of these bytes, which are copied. */
struct vd_disc *udfwalk_disc(const uint8_t *image, size_t size);
/* Of what a store has, which is the disc's from here on. */
struct vd_disc *udfwalk_disc_of(struct vd_store *store);
/*
 * Walks all of it, looks everything up, reads everything. Where there was no error, nothing may be missing. With @limit, only so many
 * entries of the root are there.
 */
void udfwalk(struct vd_fs *fs, const struct udfb *b, size_t limit, struct udfwalk *out);

#endif
