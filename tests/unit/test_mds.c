// SPDX-License-Identifier: GPL-3.0-or-later
/* MDS: what is wrong is told with its place; DVDs; what another program reads. All that a CD of it holds is in test_formats.c. */
#include "disc_writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/endian.h"

/* Where things are in the description of fixture_disc(0): one session of three tracks. */
enum { SESSION = 88, BLOCKS = 112, TRACK_1 = BLOCKS + 3 * 80, LENGTHS = BLOCKS + 6 * 80 };
enum { FOOTER = LENGTHS + 3 * 8, NAME = FOOTER + 16 };

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ 16, 2, "a.mds: MDS of version 2.3, only 1 is read" },
		{ 20, 0, "a.mds: header at byte 0: 0 sessions" },
		{ 21, 1, "a.mds: header at byte 0: 257 sessions" },
		{ 83, 1, "a.mds: sessions at byte 16777304: it ends at byte 638" },
		{ SESSION + 10, 0, "a.mds: session at byte 88: it has no track" },
		{ SESSION + 10, 255, "a.mds: tracks at byte 112: it ends at byte 638" },
		{ SESSION + 22, 1, "a.mds: tracks at byte 65648: it ends at byte 638" },
		{ TRACK_1, 0xae, "a.mds: track at byte 352: its mode ae is not known" },
		{ TRACK_1, 0xa9, NULL }, /* another mode, but one that there is */
		{ TRACK_1 + 1, 7, "a.mds: track at byte 352: its subchannel 07 is not known" },
		{ TRACK_1 + 13, 3, "a.mds: lengths at byte 848: it ends at byte 638" },
		{ TRACK_1 + 14, 1, "a.mds: lengths at byte 66128: it ends at byte 638" },
		{ TRACK_1 + 16, 0x31, "a.mds: track at byte 352: sectors of 2353 bytes" },
		{ TRACK_1 + 39, 0x80, "a.mds: track at byte 352: track 1 begins before 00:00:00" },
		{ TRACK_1 + 47, 1, "a.mds: track at byte 352: track 1 ends beyond its file" },
		{ TRACK_1 + 49, 2, "a.mds: track at byte 352: 513 files" },
		{ TRACK_1 + 54, 2, "a.mds: files at byte 131688: it ends at byte 638" },
		{ LENGTHS + 4, 0, NULL },
		{ LENGTHS + 5, 2, "a.mds: track at byte 432: track 2 overlaps the one before" },
		{ LENGTHS + 6, 2, "a.mds: track at byte 352: track 1 ends beyond its file" },
		{ FOOTER + 2, 1, "a.mds: file name at byte 66168: it ends at byte 638" },
		{ NAME, 0, "a.mds: file name at byte 632: it is empty" },
		{ NAME + 1, '!', "a.mds: no file is called *!mdf" },
		{ NAME + 2, 'x', "a.mds: a.xdf" },
	};
	struct vd_disc *d = fixture_disc(0);
	const char *path = write_mds(d, "a");
	size_t len;
	char *good = check_read_file(path, &len);

	vd_disc_close(d);
	ASSERT_UINT(len, NAME + 6);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		char *data = check_alloc(len);
		int r;

		memcpy(data, good, len);
		data[rows[i].at] = (char)rows[i].byte;
		d = NULL;
		r = fixture_try_bytes("a.mds", data, len, &d, &err);
		if (!rows[i].words)
			CHECK_STR(err.text, "");
		else if (!CHECK(r < 0) || !CHECK(strstr(err.text, rows[i].words) != NULL))
			CHECK_FAIL("row %zu: '%s', not '%s'", i, err.text, rows[i].words);
		vd_disc_close(d);
	}
}

/* Cut anywhere, it is refused in words. */
static void test_cut(void)
{
	struct vd_disc *d = fixture_disc(0);
	size_t len;
	char *data = check_read_file(write_mds(d, "a"), &len);

	vd_disc_close(d);
	for (size_t n = 17; n < len - 1; n++) {
		struct vd_error err = { "" };

		d = NULL;
		CHECK(fixture_try_bytes("a.mds", data, n, &d, &err) < 0);
		CHECK(err.text[0] != '\0');
		vd_disc_close(d);
	}
}

#define DVD_SECTORS 48u
#define STRUCTURES 512u

/* The description of a DVD of two layers in two files, cut between sectors. */
static uint8_t *make_dvd(size_t *len)
{
	uint8_t *m = check_alloc(*len = STRUCTURES + 2 * 4100), *b = m + BLOCKS, *layer;
	uint8_t *image = check_alloc(DVD_SECTORS * 2048);

	for (size_t i = 0; i < DVD_SECTORS * 2048; i++)
		image[i] = (uint8_t)(i / 2048 * 5 + i % 251);
	check_write_file(check_path("d.mdf"), image, 20 * 2048);
	check_write_file(check_path("d.md1"), image + 20 * 2048, (DVD_SECTORS - 20) * 2048);

	memcpy(m, "MEDIA DESCRIPTOR\1\5\x10", 19);
	m[20] = 1;
	vd_put_le32(m + 64, STRUCTURES);
	vd_put_le32(m + 80, SESSION);
	m[SESSION + 10] = 1;
	vd_put_le32(m + SESSION + 20, BLOCKS);
	b[0] = 2;
	b[4] = 1;
	vd_put_le32(b + 12, DVD_SECTORS);
	b[17] = 8;
	b[48] = 2;
	vd_put_le32(b + 52, 200);
	vd_put_le32(m + 200, 240);
	vd_put_le32(m + 216, 260);
	strcpy((char *)m + 240, "d.mdf");
	strcpy((char *)m + 260, "C:\\x\\d.md1");
	for (layer = m + STRUCTURES; layer < m + STRUCTURES + 8200; layer += 4100) {
		layer[0] = 1;
		layer[4 + 5] = 'M';
		layer[4 + 2048 + 2] = 0x31; /* two layers, opposite */
		layer[4 + 2048 + 13] = 3;   /* layer 0 ends at 0x30013 */
		layer[4 + 2048 + 15] = 0x13;
	}
	return m;
}

static void test_dvd(void)
{
	struct vd_error err = { "" };
	struct vd_fd_range range;
	uint8_t user[4096];
	struct vd_disc *d = NULL;
	size_t len;
	uint8_t *m = make_dvd(&len);

	if (fixture_try_bytes("a.mds", m, len, &d, &err))
		ASSERT_FAIL("%s", err.text);
	CHECK_INT(d->media, VD_MEDIA_DVD_ROM);
	CHECK_INT(d->tracks[0].length, DVD_SECTORS);
	CHECK_INT(d->tracks[0].mode, VD_TRACK_MODE1);
	CHECK_INT(d->layers, 2);
	CHECK(d->opposite);
	CHECK_INT(d->layer_break, 0x13);
	CHECK_INT(d->nstructures, 6);
	/* Across the two files. */
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 19 * 2048));
	for (size_t i = 0; i < sizeof(user); i++)
		ASSERT_INT(user[i], (uint8_t)((19 + i / 2048) * 5 + (19 * 2048 + i) % 251));
	ASSERT_OK(vd_disc_map(d, 19 * 2048, 4096, &range));
	CHECK_UINT(range.len, 2048);
	CHECK_UINT(range.offset, 19 * 2048);
	ASSERT_OK(vd_disc_map(d, 21 * 2048, 4096, &range));
	CHECK_UINT(range.offset, 2048);
	vd_disc_close(d);

	vd_put_le32(m + BLOCKS + 12, 30);
	ASSERT_OK(fixture_try_bytes("a.mds", m, len, &d, &err));
	CHECK_INT(d->tracks[0].length, 30);
	vd_disc_close(d);
	CHECK_ERRNO(fixture_try_bytes("a.mds", m, len - 1, &d, &err), -EINVAL);
	CHECK_HAS(err.text, "a.mds: disc structures at byte 4612: it ends at byte 8711");
}

static void test_bca(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	size_t len;
	uint8_t *m = make_dvd(&len);

	m[26] = 8;
	vd_put_le32(m + 36, 300);
	memcpy(m + 300, "barcode!", 8);
	ASSERT_OK(fixture_try_bytes("a.mds", m, len, &d, &err));
	ASSERT_INT(d->nstructures, 7);
	CHECK_INT(d->structures[6].format, 3);
	CHECK_MEM(d->structures[6].data, "barcode!", 8);
	vd_disc_close(d);
	/* What cannot be one is no reason to have nothing of the disc. */
	vd_put_le16(m + 26, 2049);
	ASSERT_OK(fixture_try_bytes("a.mds", m, len, &d, &err));
	CHECK_INT(d->nstructures, 6);
	vd_disc_close(d);
}

/* Both were renamed, and the name inside is the old one; with a pregap that is not in the .mdf. */
static void test_renamed(void)
{
	struct vd_disc *d = fixture_disc(0), *back;
	size_t len;
	char *data = check_read_file(write_mds(d, "new"), &len), *longer = check_alloc(len + 8);

	memcpy(longer, data, NAME);
	strcpy(longer + NAME, "old name.mdf");
	check_write_file(check_path("new.mds"), longer, len + 7);
	back = fixture_open(check_path("new.mds"), NULL);
	CHECK(fixture_same(d, back, "renamed"));
	vd_disc_close(back);

	vd_put_le32(data + TRACK_1 + 80 + 36, 300 + 150);
	vd_put_le32(data + TRACK_1 + 160 + 36, 600 + 150);
	data[LENGTHS + 8] = (char)150;
	check_write_file(check_path("new.mds"), data, len);
	back = fixture_open(check_path("new.mds"), NULL);
	CHECK_INT(back->tracks[1].pregap, 150);
	CHECK_INT(back->nextents, 3);
	CHECK_INT(back->extents[1].lba, 450);
	vd_disc_close(back);
	vd_disc_close(d);
}

static void test_mdf2iso(void)
{
	struct vd_disc *d, *back;

	if (!check_have_program("mdf2iso"))
		CHECK_SKIP("needs mdf2iso");
	d = fixture_disc(0);
	back = fixture_open(write_mds(d, "m"), NULL);
	check_sh("cd '%s' && head -c %u m.mdf > data.mdf && mdf2iso data.mdf m.iso", check_tmpdir(),
		 300 * VD_SECTOR_RAW);
	fixture_check_user(back, check_path("m.iso"), 300);
	vd_disc_close(back);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "errors", test_errors }, { "cut", test_cut },		{ "dvd", test_dvd },
	{ "bca", test_bca },	   { "renamed", test_renamed }, { "mdf2iso", test_mdf2iso },
};
CHECK_MAIN(tests)
