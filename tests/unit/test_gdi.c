// SPDX-License-Identifier: GPL-3.0-or-later
/* GDI: two areas, what is wrong with its line; and what chdman reads in the same files. */
#include "disc_writers.h"

#include "util/cleanup.h"

static int open_sheet(const char *text, struct vd_disc **d, struct vd_error *err)
{
	return fixture_try_bytes("a.gdi", text, strlen(text), d, err);
}

/* Sectors of mode 1, of audio, and of user data alone. */
static void make_files(void)
{
	uint8_t *data = check_alloc(40 * 2352);

	memset(data, 0x11, 40 * 2352);
	check_write_file(check_path("audio.raw"), data, 40 * 2352);
	check_write_file(check_path("user.iso"), data, 40 * 2048);
	for (size_t i = 0; i < 40; i++) {
		memcpy(data + i * 2352, "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\2\0\1", 16);
		memset(data + i * 2352 + 16, (int)i, 2048);
	}
	check_write_file(check_path("data 1.bin"), data, 40 * 2352);
	data[15] = 2;
	check_write_file(check_path("mode2.bin"), data, 40 * 2352);
}

static void test_areas(void)
{
	struct vd_error err = { "" };
	uint8_t user[2048];
	struct vd_disc *d;

	make_files();
	ASSERT_OK(open_sheet(
		"  4\r\n\r\n1 0 4 2352 \"data 1.bin\" 0\r\n2 600 0 2352 audio.raw 2352\r\n"
		"3 45000 4 2352 mode2.bin 0\r\n4 45100 4 2048 user.iso 2048",
		&d, &err));
	ASSERT_INT(d->ntracks, 4);
	ASSERT_INT(d->nsessions, 2);
	CHECK_INT(d->tracks[0].mode, VD_TRACK_MODE1);
	CHECK_INT(d->tracks[0].length, 40);
	CHECK_INT(d->tracks[1].start, 600);
	CHECK_INT(d->tracks[1].pregap, 560);
	CHECK_INT(d->tracks[1].length, 39);
	CHECK_INT(d->tracks[2].session, 2);
	CHECK_INT(d->tracks[2].start, 45000);
	CHECK_INT(d->tracks[2].mode, VD_TRACK_MODE2);
	CHECK_INT(d->tracks[3].pregap, 60);
	CHECK_INT(d->tracks[3].length, 39);
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 7 * 2048));
	CHECK_UINT(user[9], 7);
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 45100ull * 2048));
	CHECK_UINT(user[9], 0x11);
	vd_disc_close(d);
}

static void test_errors(void)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "2\n1 0 4 2352 mode2.bin 0\n", "a.gdi: 1 tracks of 2" },
		{ "1\n1 0 4 2352 mode2.bin 0\n2 99 4 2352 mode2.bin 0\n",
		  "a.gdi:3: more than 1 tracks" },
		{ "2\n1 0 4 2352 mode2.bin 0\n3 99 4 2352 mode2.bin 0\n",
		  "a.gdi:3: track 3 where track 2 has to be" },
		{ "2\n1 0 4 2352 mode2.bin 0\n2 99 4 2352\n",
		  "a.gdi:3: not a track: number, LBA, type, bytes a sector, file and offset" },
		{ "2\n1 0 4 2352 mode2.bin 0\n2 99 4 2352 \"mode2.bin 0\n",
		  "a.gdi:3: not a track" },
		{ "2\n1 0 4 2352 mode2.bin 0\n2 99 4 2352 mode2.bin 0 0\n",
		  "a.gdi:3: not a track" },
		{ "2\n1 0 4 2352 mode2.bin 0\n2 9999999999 4 2352 mode2.bin 0\n",
		  "a.gdi:3: not a track" },
		{ "1\n1 0 1 2352 mode2.bin 0\n",
		  "a.gdi:2: a track of type 1; there are 0 (audio) and 4 (data)" },
		{ "1\n1 0 4 2353 mode2.bin 0\n", "a.gdi:2: data of 2353 bytes a sector" },
		{ "1\n1 0 0 2048 mode2.bin 0\n", "a.gdi:2: audio of 2048 bytes a sector" },
		{ "1\n1 0 4 2352 mode2.bin 94080\n",
		  "a.gdi:2: mode2.bin: 0 sectors of it from byte 94080 on" },
		{ "2\n1 0 4 2352 mode2.bin 0\n2 39 4 2352 mode2.bin 0\n",
		  "a.gdi:3: TRACK 02 has to begin at sector 39, where the one before has not ended" },
		{ "1\n1 2147483640 4 2352 mode2.bin 0\n",
		  "a.gdi:2: TRACK 01 ends beyond the end of any disc" },
	};
	struct vd_error err = { "" };
	struct vd_disc *d;

	make_files();
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		if (!CHECK_ERRNO(open_sheet(rows[i].text, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu", i);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
	}
	CHECK_ERRNO(open_sheet("1\n1 0 4 2352 gone.bin 0\n", &d, &err), -ENOENT);
	CHECK_HAS(err.text, "a.gdi:2: ");
	CHECK_HAS(err.text, "gone.bin");
}

/* Texts of numbers that are no such sheet. */
static void test_not_one(void)
{
	static const char *const texts[] = { "100\n1 0 4 2352 a.bin 0\n", "0\n1 0 4 2352 a.bin 0\n",
					     "2\n2 0 4 2352 a.bin 0\n",	  "2\n1 0 4 2352\n",
					     "2 1 0 4 2352 a.bin 0\n",	  "2\n" };
	struct vd_error err = { "" };
	struct vd_disc *d;

	for (size_t i = 0; i < VD_ARRAY_SIZE(texts); i++)
		if (!CHECK_ERRNO(open_sheet(texts[i], &d, &err), -EMEDIUMTYPE))
			CHECK_FAIL("row %zu", i);
}

/* What chdman makes of a GDI is the same disc. */
static void test_chdman(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d, *chd;
	uint8_t a[2352], b[2352];

	if (!check_have_program("chdman"))
		CHECK_SKIP("needs chdman");
	make_files();
	ASSERT_OK(open_sheet("4\n1 0 4 2352 \"data 1.bin\" 0\n2 600 0 2352 audio.raw 0\n"
			     "3 45000 4 2352 \"data 1.bin\" 0\n4 45100 0 2352 audio.raw 0\n",
			     &d, &err));
	ASSERT_INT(check_sh("cd '%s' && chdman createcd -i a.gdi -o a.chd", check_tmpdir())->status,
		   0);
	chd = fixture_open(check_path("a.chd"), NULL);
	ASSERT_INT(chd->ntracks, d->ntracks);
	ASSERT_INT(chd->nsessions, d->nsessions);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i], *other = &chd->tracks[i];

		CHECK_INT(other->start, t->start);
		CHECK_INT(other->mode, t->mode);
		CHECK_INT(other->session, t->session);
		for (int32_t lba = t->start; lba < t->start + 40; lba++) {
			ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, a));
			ASSERT_OK(vd_disc_read_sectors(chd, lba, 1, VD_READ_MAIN, b));
			if (memcmp(a, b, sizeof(a)))
				CHECK_FAIL("sector %d", lba);
		}
	}
	vd_disc_close(chd);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "areas", test_areas },
	{ "errors", test_errors },
	{ "not_one", test_not_one },
	{ "chdman", test_chdman },
};
CHECK_MAIN(tests)
