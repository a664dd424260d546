// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_chd: a CD and a DVD in each codec, in the directory named by the only argument. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/chd_write.h"
#include "util/cleanup.h"

#define SECTORS 20u

static int add_track(struct vd_disc *d, int number, enum vd_track_mode mode, int32_t start,
		     struct vd_store *s)
{
	struct vd_track t = {
		.number = number, .session = 1, .mode = mode, .start = start, .length = SECTORS
	};

	return vd_disc_add_stored_track(
		d, &t, mode == VD_TRACK_AUDIO ? VD_LAYOUT_2352 : VD_LAYOUT_2048, s, 0, NULL);
}

static struct vd_disc *make_disc(bool dvd)
{
	struct vd_store *s;
	struct vd_disc *d;
	uint8_t byte[32];

	if (vd_store_mem_open(SECTORS * VD_SECTOR_RAW, &s, NULL) || vd_disc_new(&d) ||
	    vd_disc_own_store(d, s))
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < SECTORS * VD_SECTOR_RAW / sizeof(byte); i++) {
		for (size_t k = 0; k < sizeof(byte); k++)
			byte[k] = (uint8_t)(k % 2 ? 0 : (i * i >> 4) + k);
		if (vd_store_pwrite(s, byte, sizeof(byte), (uint64_t)i * sizeof(byte)))
			exit(EXIT_FAILURE);
	}
	if (add_track(d, 1, VD_TRACK_MODE1, 0, s) ||
	    (!dvd && add_track(d, 2, VD_TRACK_AUDIO, SECTORS, s)))
		exit(EXIT_FAILURE);
	if (dvd)
		d->media = VD_MEDIA_DVD_ROM;
	return d;
}

int main(int argc, char **argv)
{
	static const struct {
		bool dvd;
		const char *codecs;
	} seeds[] = {
		{ false, "" },	   { false, "cdzl" }, { false, "cdlz,cdfl" }, { false, "cdfl" },
		{ false, "cdzs" }, { false, "zlib" }, { true, "" },	      { true, "lzma" },
		{ true, "flac" },  { true, "zstd" },
	};

	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < VD_ARRAY_SIZE(seeds); i++) {
		_cleanup_free_ char *path = NULL;
		struct vd_chd_write o = { .codecs = seeds[i].codecs };
		struct vd_error err = { "" };
		struct vd_disc *d = make_disc(seeds[i].dvd);
		int fd, r;

		if (asprintf(&path, "%s/chd%zu", argv[1], i) < 0) {
			path = NULL;
			return EXIT_FAILURE;
		}
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		r = fd < 0 ? -1 : vd_chd_write(d, fd, &o, &err);
		vd_disc_close(d);
		if (r || close(fd)) {
			fprintf(stderr, "%s: %s\n", path, err.text);
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
