// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any text as a CUE or TOC sheet, which may name files of any size. Either words that name the sheet, or a disc on which each sector can
 * be read, its Q subchannel and CD-TEXT too.
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
#include "util/endian.h"
#include "fuzz.h"

/*
 * The name says what is in it: "-" nothing at all; a sound where a dot is followed by w; else as many bytes as its letters
 * say, a multiple of a sector or not.
 */
static int open_any(struct vd_opener *o, const char *name, struct vd_error *err)
{
	static const uint8_t wave[44] =
		"RIFF\x24\xb7\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x44\xac\0\0\x10\xb1\2\0\4\0\x10\0"
		"data\0\xb7\0";
	off_t size = 0;

	if (strchr(name, '-'))
		return vd_error_set(err, -ENOENT, "%s: not there", name);
	if (strstr(name, ".w"))
		return memory_file(wave, sizeof(wave), 44 + 0xb700);
	for (const char *p = name; *p; p++)
		size = (size * 31 + (unsigned char)*p) % 3000000;
	if (size % 3)
		size -= size % (size % 3 == 1 ? 2352 : 2048);
	return memory_file("\200", 1, size);
}

static void read_disc(struct vd_disc *d)
{
	uint8_t sector[VD_SECTOR_RAW + VD_SECTOR_C2 + VD_SECTOR_SUB], q[12], user[VD_SECTOR_USER];

	require(d->ntracks > 0 && d->nsessions > 0);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		int64_t end = vd_track_end(t), first = (int64_t)t->start - t->pregap;
		const int64_t lbas[] = { first, t->start - 1, t->start, (t->start + end) / 2,
					 end - 1 };

		for (size_t k = 0; k < sizeof(lbas) / sizeof(lbas[0]); k++) {
			int32_t lba = (int32_t)lbas[k];

			if (lbas[k] < -150)
				continue;
			require(!vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN | VD_READ_SUB,
						      sector));
			require(!vd_disc_read_q(d, lba, q));
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
	const struct vd_image_format *format = NULL;
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	const char *name = size && *data % 2 ? "x.cue" : "x.toc";
	int r = vd_image_open(&opener, memory_file(data, size, (off_t)size), name, &d, &format,
			      &err);

	if (r) {
		require(!d && err.text[0]);
		return 0;
	}
	/* Found among the bytes of a sheet, other formats may say that it is no CD. */
	if (vd_media_is_cd(vd_disc_media(d)))
		read_disc(d);
	vd_disc_close(d);
	return 0;
}
