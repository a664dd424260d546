// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A CHD, and beside it the same bytes again as what may be its parent. What is read must be the same however it is cut into reads,
 * and an error the same each time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images/image.h"
#include "fuzz.h"

#define SECTORS_MAX 256

struct memory_opener {
	struct vd_opener opener;
	const uint8_t *data;
	size_t size;
};

static int refuse_open(struct vd_opener *o, const char *name, struct vd_error *err)
{
	return vd_error_set(err, -ENOENT, "%s", name);
}

static int open_nth(struct vd_opener *o, const char *suffix, unsigned int n, struct vd_error *err)
{
	const struct memory_opener *m = (const struct memory_opener *)o;

	return n ? vd_error_set(err, -ENOENT, "%s", suffix)
		 : memory_file(m->data, m->size, (off_t)m->size);
}

static void read_all(struct vd_disc *d)
{
	uint8_t *one = malloc(2352 + 96), *many = malloc((size_t)SECTORS_MAX * (2352 + 96));
	unsigned int what = VD_READ_USER;
	int64_t end = vd_track_end(&d->tracks[d->ntracks - 1]);
	uint32_t n = end < SECTORS_MAX ? (uint32_t)end : SECTORS_MAX;
	int r;

	require(one && many);
	if (vd_media_is_cd(vd_disc_media(d)))
		what = VD_READ_MAIN | VD_READ_SUB;
	r = vd_disc_read_sectors(d, 0, n, what, many);
	for (uint32_t i = 0; i < n; i++) {
		size_t bytes = what == VD_READ_USER ? 2048 : 2352 + 96;
		int e = vd_disc_read_sectors(d, (int32_t)i, 1, what, one);

		require(r || !e);
		require(r || !memcmp(one, many + i * bytes, bytes));
	}
	free(one);
	free(many);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_opener o = {
		.opener = { .open = refuse_open, .open_nth = open_nth },
		.data = data,
		.size = size,
	};
	const struct vd_image_format *format = NULL;
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	int r = vd_image_open(&o.opener, memory_file(data, size, (off_t)size), "a.chd", &d, &format,
			      &err);

	if (r) {
		require(!d && err.text[0]);
		return 0;
	}
	read_all(d);
	vd_disc_close(d);
	return 0;
}
