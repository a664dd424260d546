// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * UDF on discs of several sessions and tracks, and inside of other formats: what mount and info show of it, and what convert makes of it.
 * The volumes are built byte for byte (udfbuild.h), so that every name and every byte of the trees is known.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "util/cleanup.h"

#include "../unit/disc_fixture.h"
#include "../unit/udfwalk.h"
#include "../unit/wrap_writers.h"

#define AUDIO_SECTORS 300u
#define SECOND_SESSION 11400u /* sectors behind the end of the first */

static struct udfb *build(enum udfb_kind kind, uint32_t block, uint32_t base, const char *volume)
{
	struct udfb *b = udfb_new();

	b->kind = kind;
	b->block = block;
	b->base = base;
	b->volume = volume;
	b->revision = kind == UDFB_METADATA ? 0x0250 : 0x0201;
	b->extended = kind == UDFB_METADATA;
	udfb_fill(b, kind >= UDFB_VIRTUAL_150 ? UDFB_LONG : UDFB_SHORT);
	udfb_finish(b);
	return b;
}

/* The image at @path, opened with session= @session, has all of @b and nothing else. */
static void check_tree(const char *path, int session, const struct udfb *b)
{
	const struct vd_fs_options o = { .session = session };
	struct vd_disc *disc = fixture_open(path, NULL);
	struct vd_error err = { "" };
	struct udfwalk w;
	struct vd_fs *fs;

	if (CHECK_OK(vd_fs_open(disc, &o, &fs, &err))) {
		CHECK_STR(fs->view, "udf");
		udfwalk(fs, b, 0, &w);
		if (w.wrong[0] || w.errors || w.entries < 50)
			CHECK_FAIL("%s, session %d: %s (%lu errors, %lu entries)", path, session,
				   w.wrong, w.errors, w.entries);
		vd_fs_close(fs);
	} else {
		CHECK_FAIL("%s, session %d: %s", path, session, err.text);
	}
	vd_disc_close(disc);
}

static void put(const char *name, const struct udfb *b)
{
	check_write_file(cli_path(name), b->image, b->size);
}

static void remove_all(void)
{
	CLI_OK("rm -rf -- *");
	CLI_CLEAN();
}

/* A data track and one of music, then a second session; both data tracks have UDF, or the first one has @first. */
static void put_sheet(void)
{
	char *audio = check_alloc(AUDIO_SECTORS * 2352);

	for (size_t i = 0; i < AUDIO_SECTORS * 2352; i++)
		audio[i] = (char)(i * 31 >> 4);
	check_write_file(cli_path("audio.bin"), audio, AUDIO_SECTORS * 2352);
	check_write_file(
		cli_path("disc.cue"),
		"FILE first.iso BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n"
		"FILE audio.bin BINARY\n  TRACK 02 AUDIO\n    INDEX 01 00:00:00\n"
		"REM SESSION 02\n"
		"FILE second.iso BINARY\n  TRACK 03 MODE1/2048\n    INDEX 01 00:00:00\n",
		strlen("FILE first.iso BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n"
		       "FILE audio.bin BINARY\n  TRACK 02 AUDIO\n    INDEX 01 00:00:00\n"
		       "REM SESSION 02\n"
		       "FILE second.iso BINARY\n  TRACK 03 MODE1/2048\n    INDEX 01 00:00:00\n"));
}

static void test_sessions(void)
{
	static const enum udfb_kind kinds[] = { UDFB_PHYSICAL, UDFB_SPARABLE, UDFB_VIRTUAL_150,
						UDFB_VIRTUAL_200, UDFB_METADATA };

	cli_become(false);
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		struct udfb *a = build(UDFB_PHYSICAL, 2048, 0, "the first"), *b;
		const uint32_t base = (uint32_t)(a->size / 2048) + AUDIO_SECTORS + SECOND_SESSION;
		const char *text;

		b = build(kinds[i], 2048, base, "the second");
		put("first.iso", a);
		put("second.iso", b);
		put_sheet();
		check_tree(cli_path("disc.cue"), 0, b);
		check_tree(cli_path("disc.cue"), 1, a);
		check_tree(cli_path("disc.cue"), 2, b);
		CLI_FAILS("vdrive info -o session=3 disc.cue >/dev/null", 1,
			  "there is no UDF in session 3: there is in 1 to 2");
		text = CLI_OK("vdrive info disc.cue");
		CHECK_HAS(text, "Volume id:      the second\n");
		CHECK_HAS(text, " the first\n");
		CHECK_HAS(text, " 2001-02-03T03:05:06Z the second\n");
		text = CLI_OK("vdrive info --json disc.cue");
		CHECK(cli_json_valid(text));
		CHECK_HAS(text, "\"volume_id\": \"the first\"");
		CHECK_HAS(text, "\"volume_id\": \"the second\"");
		/* All the way; what the drive shows of the others beside it. */
		if (!i && !access("/dev/fuse", R_OK | W_OK)) {
			CLI_OK("mkdir mnt && vdrive mount disc.cue mnt");
			CHECK_STR(CLI_OK("cat mnt/first"), "1");
			CHECK_STR(CLI_OK("ls $R/disc/sessions"), "1\n2\n");
			CHECK_STR(CLI_OK("cat $R/disc/sessions/1/first"), "1");
			CHECK_STR(CLI_OK("cat $R/disc/attr/sessions"), "2\n");
			CLI_OK("vdrive umount mnt && vdrive mount -o session=1 disc.cue mnt");
			CHECK_STR(CLI_OK("cat mnt/first && vdrive umount mnt"), "1");
		}
		udfb_free(a);
		udfb_free(b);
		remove_all();
	}
}

/* ISO 9660 in one session and UDF in the other: the last one is shown, whichever that is. */
static void test_mixed_sessions(void)
{
	struct udfb *b;
	uint32_t sectors;
	const char *text;
	size_t len;

	cli_become(false);
	if (!check_have_program("genisoimage"))
		CHECK_SKIP("no genisoimage");
	CLI_OK("mkdir d && echo iso >d/of_iso && genisoimage -quiet -R -V OFISO -o first.iso d");
	check_read_file(cli_path("first.iso"), &len);
	sectors = (uint32_t)(len / 2048);
	b = build(UDFB_VIRTUAL_200, 2048, sectors + AUDIO_SECTORS + SECOND_SESSION, "of udf");
	put("second.iso", b);
	put_sheet();
	check_tree(cli_path("disc.cue"), 0, b);
	check_tree(cli_path("disc.cue"), 2, b);
	text = CLI_OK("vdrive info disc.cue");
	CHECK_HAS(text, "Shown as:       udf\n");
	CHECK_HAS(text, " OFISO\n");
	CHECK_HAS(text, " of udf\n");
	text = CLI_OK("vdrive info -o session=1 disc.cue");
	CHECK_HAS(text, "Shown as:       rock ridge\n");
	CHECK_HAS(text, " of udf\n");
	if (!access("/dev/fuse", R_OK | W_OK)) {
		CLI_OK("mkdir mnt && vdrive mount disc.cue mnt");
		CHECK_STR(CLI_OK("cat mnt/first"), "1");
		CHECK_STR(CLI_OK("cat $R/disc/sessions/1/of_iso; cat $R/disc/sessions/2/first"),
			  "iso\n1");
		CLI_OK("vdrive umount mnt");
	}
	/* The other way round. */
	CLI_OK("rm -f second.iso && mv first.iso second.iso");
	udfb_free(b);
	b = build(UDFB_PHYSICAL, 2048, 0, "of udf");
	put("first.iso", b);
	check_tree(cli_path("disc.cue"), 1, b);
	sectors = (uint32_t)(b->size / 2048) + AUDIO_SECTORS + SECOND_SESSION;
	ASSERT_INT(check_sh("genisoimage -quiet -R -V OFISO -C 0,%u -o '%s' '%s'", sectors,
			    cli_path("second.iso"), cli_path("d"))
			   ->status,
		   0);
	text = CLI_OK("vdrive info disc.cue");
	CHECK_HAS(text, "Shown as:       rock ridge\n");
	CHECK_HAS(text, " of udf\n");
	udfb_free(b);
	remove_all();
}

/* Each VAT of a disc of one session is told as one. */
static void test_vat_sessions(void)
{
	struct udfb *b = udfb_new();
	const char *text;

	cli_become(false);
	b->kind = UDFB_VIRTUAL_200;
	b->sessions = true;
	b->volume = "with VATs";
	udfb_file(b, NULL, "first", "1", 1);
	udfb_file(b, NULL, "second", "22", 2);
	udfb_finish(b);
	put("vat.udf", b);
	text = CLI_OK("vdrive info vat.udf");
	CHECK_HAS(text, "Label:          Logical\n");
	CHECK_HAS(text, "Holds:          7 files, 6 folders\n");
	CHECK_HAS(text, " 2001-02-03T03:05:06Z with VATs\n      2 ");
	CHECK_HAS(text, " 2.4M 2001-02-03T03:05:06Z with VATs\n");
	CHECK(cli_json_valid(CLI_OK("vdrive info --json vat.udf")));
	udfb_free(b);
	remove_all();
}

/* A data track with UDF before music, in the sheet of cdrdao. */
static void test_toc(void)
{
	struct udfb *b = build(UDFB_METADATA, 2048, 0, "of a toc");
	const char toc[] = "CD_ROM\nTRACK MODE1\nDATAFILE \"first.iso\"\n"
			   "TRACK AUDIO\nSILENCE 00:04:00\nSTART 00:02:00\n";

	cli_become(false);
	put("first.iso", b);
	check_write_file(cli_path("disc.toc"), toc, sizeof(toc) - 1);
	check_tree(cli_path("disc.toc"), 0, b);
	CHECK_HAS(CLI_OK("vdrive info disc.toc"), " of a toc\n");
	udfb_free(b);
	remove_all();
}

/* What comes back is the image that it was, and what is in it can be read everywhere on the way. */
static void test_convert(void)
{
	static const struct {
		enum udfb_kind kind;
		uint32_t block;
	} rows[] = { { UDFB_PHYSICAL, 2048 },	 { UDFB_PHYSICAL, 512 },  { UDFB_SPARABLE, 2048 },
		     { UDFB_VIRTUAL_200, 2048 }, { UDFB_METADATA, 2048 }, { UDFB_METADATA, 4096 } };

	cli_become(false);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct udfb *b = build(rows[i].kind, rows[i].block, 0, "converted");

		put("u.iso", b);
		CLI_OK("vdrive convert u.iso a.cue && vdrive convert a.cue b.iso && cmp u.iso b.iso");
		CLI_OK("vdrive convert a.cue a.toc --force && vdrive convert a.toc c.iso && "
		       "cmp u.iso c.iso");
		CLI_OK("vdrive convert u.iso a.chd && vdrive convert a.chd d.iso && cmp u.iso d.iso");
		CLI_OK("vdrive convert a.cue e.chd && vdrive convert e.chd e.iso && cmp u.iso e.iso");
		check_tree(cli_path("a.cue"), 0, b);
		check_tree(cli_path("a.chd"), 0, b);
		check_tree(cli_path("e.chd"), 0, b);
		udfb_free(b);
		remove_all();
	}
}

static char *daa100(const char *path)
{
	return wrap_daa(path, &(struct wrap_daa){ .version = 0x100 });
}

static char *daa110(const char *path)
{
	return wrap_daa(path, &(struct wrap_daa){ .version = 0x110, .lzma = true, .x86 = true });
}

/* From inside of what compresses images. */
static void test_wrapped(void)
{
	static char *(*const wraps[])(const char *path) = { wrap_cso1,	    wrap_cso2, wrap_zso,
							    wrap_ecm,	    wrap_dmg,  wrap_isz,
							    wrap_isz_split, daa100,    daa110 };
	struct udfb *b = build(UDFB_METADATA, 2048, 0, "wrapped");

	cli_become(false);
	put("u.iso", b);
	for (size_t i = 0; i < VD_ARRAY_SIZE(wraps); i++) {
		const char *path = wraps[i](cli_path("u.iso"));

		check_tree(path, 0, b);
		CLI_OK(check_printf("vdrive convert -f '%s' back.iso && cmp u.iso back.iso", path));
		CHECK_HAS(CLI_OK(check_printf("vdrive info '%s'", path)),
			  "Volume id:      wrapped\n");
		if (!access("/dev/fuse", R_OK | W_OK)) {
			CLI_OK(check_printf("mkdir -p mnt && vdrive mount '%s' mnt", path));
			CHECK_STR(CLI_OK("cat mnt/first && vdrive umount mnt"), "1");
		}
		CLI_OK(check_printf("rm -f '%s'", path));
	}
	udfb_free(b);
	remove_all();
}

static const struct check_test tests[] = {
	{ "sessions", test_sessions },	       { "mixed_sessions", test_mixed_sessions },
	{ "vat_sessions", test_vat_sessions }, { "toc", test_toc },
	{ "convert", test_convert },	       { "wrapped", test_wrapped },
};

CHECK_MAIN_WITH(tests, cli_setup, cli_remove)
