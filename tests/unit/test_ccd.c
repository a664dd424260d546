// SPDX-License-Identifier: GPL-3.0-or-later
/* CCD: what is wrong is told with its line; sheets of other versions; what another program reads. All that it holds is in test_formats.c. */
#include "disc_writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define HEAD "[CloneCD]\nVersion=3\n"
#define TRACK_1 "[Entry 0]\nSession=1\nPoint=1\nADR=1\nControl=4\nPLBA=0\n"
#define LEADOUT "[Entry 1]\nSession=1\nPoint=0xa2\nPLBA=20\n"

/* An .img of 20 sectors, mode 2 by their headers, beside every sheet. */
static void setup(void)
{
	uint8_t img[20 * VD_SECTOR_RAW] = { 0 };

	for (size_t i = 0; i < 20; i++)
		img[i * VD_SECTOR_RAW + 15] = 2;
	check_write_file(check_path("a.img"), img, sizeof(img));
}

static int open_text(const char *text, struct vd_disc **d, struct vd_error *err)
{
	return fixture_try_bytes("a.ccd", text, strlen(text), d, err);
}

static void test_errors(void)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ HEAD, "a.ccd: no track: no [Entry] with Point 1 to 99" },
		{ HEAD TRACK_1, "a.ccd: session 1 has no lead-out (Point 0xa2)" },
		{ HEAD "[Disc]\nCATALOG=123\n", "a.ccd:4: CATALOG=123 is not 13 digits" },
		{ HEAD "[Disc]\nDataTracksScrambled=1\n",
		  "a.ccd:4: data sectors as they are scrambled on a disc are not read" },
		{ HEAD "[Entry 0\n", "a.ccd:3: [Entry 0 without a ]" },
		{ HEAD "[Entry x]\n", "a.ccd:3: Entry=x is no number" },
		{ HEAD "[Entry 0]\nPoint=\n", "a.ccd:4: Point= is no number" },
		{ HEAD "[Entry 0]\nPoint=0xg\n", "a.ccd:4: Point=0xg is no number" },
		{ HEAD "[Entry 0]\nPLBA=99999999999\n", "a.ccd:4: PLBA=99999999999 is no number" },
		{ HEAD "[Entry 0]\nPoint=1\nADR=1\n",
		  "a.ccd:3: an entry of no session that can be" },
		{ HEAD "[Entry 0]\nSession=1\nPoint=1\n", "a.ccd:3: an entry without an address" },
		{ HEAD TRACK_1 TRACK_1,
		  "a.ccd:9: a second entry of track 1, the first one is in line 3" },
		{ HEAD "nonsense\n", "a.ccd:3: 'nonsense' is neither [SECTION] nor KEY=VALUE" },
		{ HEAD "[TRACK 100]\n", "a.ccd:3: TRACK 100 is not 1 to 99" },
		{ HEAD "[TRACK 1]\n[track 1]\n", "a.ccd:4: TRACK 1 again" },
		{ HEAD "[TRACK 1]\nMODE=3\n", "a.ccd:4: MODE=3 is not 0, 1 or 2" },
		{ HEAD "[TRACK 1]\nINDEX 100=3\n", "a.ccd:4: INDEX 100 is not 0 to 99" },
		{ HEAD "[TRACK 1]\nISRC=USRC1760783\n", "a.ccd:4: ISRC=USRC1760783 is not 12" },
		{ HEAD "[CDText]\nEntry 0=80 00\n", "a.ccd:4: Entry 0 is not 16 bytes of CD-TEXT" },
		{ HEAD "[CDText]\nEntry 0=80 0 0 0 0 0 0 0 0 0 0 0 0 0 0 100\n",
		  "a.ccd:4: Entry 0 is not 16 bytes of CD-TEXT" },
		{ HEAD TRACK_1 LEADOUT "[TRACK 1]\nINDEX 1=5\n",
		  "a.ccd:13: INDEX 1 of track 1 is at 5, but its entry points to 0" },
		{ HEAD TRACK_1 LEADOUT "[TRACK 1]\nINDEX 1=0\nINDEX 2=0\n",
		  "a.ccd:13: INDEX 2 of track 1 is before it" },
		{ HEAD TRACK_1 LEADOUT "[TRACK 1]\nINDEX 1=0\nINDEX 2=20\n",
		  "a.ccd:3: track 1: INDEX 02" },
		{ HEAD TRACK_1 "[Entry 1]\nSession=1\nPoint=0xa2\nPLBA=21\n",
		  "a.ccd:3: track 1 ends beyond its file" },
		{ HEAD TRACK_1 "[Entry 1]\nSession=1\nPoint=0xa2\nPLBA=0\n",
		  "a.ccd:3: track 1 lies from 0 to 0" },
		{ HEAD
		  "[Entry 0]\nSession=2\nPoint=1\nPLBA=0\n[Entry 1]\nSession=2\nPoint=0xa2\nPLBA=20\n",
		  "a.ccd:3: track 1: session 2 comes after session 0" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d = NULL;

		if (!CHECK_ERRNO(open_text(rows[i].text, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, rows[i].words);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
	}
}

/* The sheets of version 1 have no [TRACK], and addresses may be minutes, seconds and frames alone. */
static void test_version_1(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	ASSERT_OK(
		open_text("[cloneCD]\nVersion=1\n[ENTRY 0]\nsession = 1\npoint = 0x01\nCONTROL=4\n"
			  "PMin=0\nPSec=2\nPFrame=0\n[Entry 1]\nSession=1\nPoint=0x02\nControl=0\n"
			  "PMin=0\nPSec=2\nPFrame=8\n" LEADOUT,
			  &d, &err));
	CHECK_STR(err.text, "");
	ASSERT_INT(d->ntracks, 2);
	CHECK_INT(d->tracks[0].mode, VD_TRACK_MODE2);
	CHECK_INT(d->tracks[0].length, 8);
	CHECK_INT(d->tracks[1].mode, VD_TRACK_AUDIO);
	CHECK_INT(d->tracks[1].start, 8);
	CHECK_INT(d->tracks[1].length, 12);
	vd_disc_close(d);
}

/* Entries that recorders leave, with ADR 5, are no tracks; of a disc that begins late, all from LBA 0 on is stored. */
static void test_other_entries(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	ASSERT_OK(open_text(HEAD "[Entry 3]\nSession=1\nPoint=0xb0\nADR=5\nPLBA=7\n"
				 "[Entry 4]\nSession=1\nPoint=1\nADR=5\nPLBA=7\n"
				 "[Entry 0]\nSession=1\nPoint=3\nADR=1\nControl=0\nPLBA=5\n" LEADOUT
				 "[TRACK 3]\nMODE=0\nINDEX 1=5\n",
			    &d, &err));
	ASSERT_INT(d->ntracks, 1);
	CHECK_INT(d->tracks[0].number, 3);
	CHECK_INT(d->tracks[0].pregap, 5);
	CHECK_INT(d->tracks[0].length, 15);
	CHECK_INT(d->extents[0].lba, 0);
	CHECK_INT(d->extents[0].length, 20);
	vd_disc_close(d);
}

static void test_without_img(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	check_write_file(check_path("b.ccd"), HEAD TRACK_1 LEADOUT,
			 sizeof(HEAD TRACK_1 LEADOUT) - 1);
	CHECK_ERRNO(fixture_try(check_path("b.ccd"), &d, &err), -ENOENT);
	CHECK_HAS(err.text, "b.ccd: b.img");
}

/* An .img that has the sectors between the sessions too. */
static void test_whole_img(void)
{
	struct vd_disc *d = fixture_disc(FIX_SESSIONS), *back;
	char *path = write_ccd(d, "whole");
	const int32_t end = d->sessions[d->nsessions - 1].leadout;
	uint8_t *img = check_alloc((size_t)end * VD_SECTOR_RAW);

	for (int32_t lba = 0; lba < end; lba++)
		ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN,
					       img + (size_t)lba * VD_SECTOR_RAW));
	check_write_file(check_path("whole.img"), img, (size_t)end * VD_SECTOR_RAW);
	back = fixture_open(path, NULL);
	CHECK(fixture_same(d, back, "whole"));
	vd_disc_close(back);
	vd_disc_close(d);
}

static void test_ccd2iso(void)
{
	struct vd_disc *d, *back;

	if (!check_have_program("ccd2iso"))
		CHECK_SKIP("needs ccd2iso");
	d = fixture_disc(0);
	back = fixture_open(write_ccd(d, "c"), NULL);
	/* It stops where the data does. */
	check_sh("cd '%s' && head -c %u c.img > data.img && ccd2iso data.img c.iso", check_tmpdir(),
		 300 * VD_SECTOR_RAW);
	fixture_check_user(back, check_path("c.iso"), 300);
	vd_disc_close(back);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "errors", test_errors },
	{ "version_1", test_version_1 },
	{ "other_entries", test_other_entries },
	{ "without_img", test_without_img },
	{ "whole_img", test_whole_img },
	{ "ccd2iso", test_ccd2iso },
};
CHECK_MAIN_WITH(tests, setup, NULL)
