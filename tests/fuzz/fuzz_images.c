// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any file through the probes, the words for what it looks like, and the opening and reading of what is taken for an image.
 * The user data view has to be the same however it is cut into reads.
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

#define WHOLE_MAX (4u << 20)

static int refuse_open(struct vd_opener *o, const char *name, struct vd_error *err)
{
	return vd_error_set(err, -ENOENT, "%s", name);
}

static void read_whole_and_in_parts(struct vd_disc *d)
{
	/* A few bytes can say that a track lies anywhere, or expand to many. */
	const uint64_t all = vd_disc_size(d), size = all < WHOLE_MAX ? all : WHOLE_MAX;
	uint64_t off = 0;
	uint8_t *whole = malloc(size + 1), *part = malloc(4001);

	require(whole && part);
	require(!vd_disc_pread(d, whole, size, 0));
	while (off < size) {
		size_t n = size - off < 4001 ? (size_t)(size - off) : 4001;

		require(!vd_disc_pread(d, part, n, off));
		require(!memcmp(part, whole + off, n));
		off += n;
	}
	require(vd_disc_pread(d, part, 1, all) == -EINVAL);
	free(whole);
	free(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_opener opener = { .open = refuse_open };
	const struct vd_image_format *format = NULL;
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	int fd = memfd_create("image", MFD_CLOEXEC), r;

	require(fd >= 0);
	require(write(fd, data, size) == (ssize_t)size);
	r = vd_image_open(&opener, fd, "image", &d, &format, &err);
	require(fcntl(fd, F_GETFD) < 0 || !r); /* closed when it fails */
	if (r) {
		require(!d && err.text[0]);
		return 0;
	}
	require(d && format);
	read_whole_and_in_parts(d);
	vd_disc_close(d);
	require(fcntl(fd, F_GETFD) < 0);
	return 0;
}
