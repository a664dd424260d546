// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any file as an image of one format, FUZZ_FORMAT, with other files beside it of any size. Either words, or a disc on which sectors
 * of each track can be read, with their Q subchannel and the CD-TEXT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disc/cdtext.h"
#include "images/image.h"
#include "fuzz.h"

/* Large enough for any sectors of the seeds; none for some names, so that a missing .sub is tried too. */
static int open_any(struct vd_opener *o, const char *name, struct vd_error *err)
{
	if (strchr(name, '-') || strlen(name) % 5 == 4)
		return vd_error_set(err, -ENOENT, "%s: not there", name);
	return memory_file("\200", 1, (off_t)(strlen(name) * 100000));
}

static void read_disc(struct vd_disc *d)
{
	uint8_t sector[VD_SECTOR_RAW + VD_SECTOR_SUB], user[VD_SECTOR_USER], q[12];
	const bool cd = vd_media_is_cd(vd_disc_media(d));

	require(d->ntracks > 0 && d->nsessions > 0);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		const int64_t end = vd_track_end(t), first = (int64_t)t->start - t->pregap;
		const int64_t lbas[] = { first, t->start - 1, t->start, (t->start + end) / 2,
					 end - 1 };

		for (size_t k = 0; k < sizeof(lbas) / sizeof(lbas[0]); k++) {
			const int32_t lba = (int32_t)lbas[k];

			if (lbas[k] < -150)
				continue;
			if (cd) {
				require(!vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN | VD_READ_SUB,
							      sector));
				require(!vd_disc_read_q(d, lba, q));
			}
			if (lba >= 0)
				require(!vd_disc_pread(d, user, sizeof(user),
						       (uint64_t)lba * VD_SECTOR_USER));
		}
	}
	for (int i = 0; i < d->nsessions; i++) {
		struct vd_cdtext *text;

		require(!vd_cdtext_decode(d->sessions[i].cdtext, d->sessions[i].ncdtext, &text));
		vd_cdtext_free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_opener opener = { .open = open_any };
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	int fd = memory_file(data, size, (off_t)size), r;

	r = vd_image_open(&opener, fd, "a." FUZZ_FORMAT, &d, NULL, &err);
	require(fcntl(fd, F_GETFD) < 0 || !r); /* closed when it fails */
	if (r) {
		require(!d && err.text[0]);
		return 0;
	}
	read_disc(d);
	vd_disc_close(d);
	return 0;
}
