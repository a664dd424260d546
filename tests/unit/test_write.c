// SPDX-License-Identifier: GPL-3.0-or-later
/* images/write.h: a disc as other files. What the sheets say is looked at line by line; formats read them in test_formats.c. */
#define _GNU_SOURCE
#include "disc_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "disc/sector.h"
#include "images/write.h"
#include "util/cleanup.h"
#include "util/endian.h"

static void test_fixture(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL), *e = fixture_disc(FIX_ALL);
	struct vd_disc *s = fixture_disc(FIX_ALL | FIX_SUB);

	CHECK(fixture_same(d, e, "itself"));
	CHECK_INT(d->nsessions, 3);
	CHECK_UINT(d->ntracks, 6);
	CHECK_INT(d->tracks[3].start, 300 + 150 + 300 + 75 + 300 + 11400);
	CHECK_INT(s->extents[0].sub, VD_SUB_RAW);
	vd_disc_close(d);
	vd_disc_close(e);
	vd_disc_close(s);
}

static char *cue_of(struct vd_disc *d)
{
	return check_read_file(fixture_write_cue(d, "sheet"), NULL);
}

static void test_cue(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL & ~FIX_LANGUAGES);

	CHECK_STR(cue_of(d), "CATALOG 4012345678901\n"
			     "TITLE \"The Whole Disc\"\n"
			     "PERFORMER \"Various\"\n"
			     "REM SESSION 01\n"
			     "FILE \"sheet.bin\" BINARY\n"
			     "  TRACK 01 MODE1/2352\n"
			     "    TITLE \"Data\"\n"
			     "    PERFORMER \"Nobody\"\n"
			     "    FLAGS DCP\n"
			     "    INDEX 01 00:00:00\n"
			     "  TRACK 02 AUDIO\n"
			     "    TITLE \"A first song, with a title that is longer than a pack\"\n"
			     "    PERFORMER \"Sigur R\xc3\xb3s\"\n"
			     "    ISRC DEABC2600001\n"
			     "    FLAGS DCP\n"
			     "    PREGAP 00:02:00\n"
			     "    INDEX 01 00:04:00\n"
			     "    INDEX 02 00:05:25\n"
			     "    INDEX 03 00:06:01\n"
			     "  TRACK 03 AUDIO\n"
			     "    TITLE \"\xc3\x86"
			     "on\"\n"
			     "    PERFORMER \"Bj\xc3\xb6rk\"\n"
			     "    ISRC DEABC2600002\n"
			     "    FLAGS PRE\n"
			     "    INDEX 00 00:08:00\n"
			     "    INDEX 01 00:09:00\n"
			     "REM LEAD-OUT 01:30:00\n"
			     "REM SESSION 02\n"
			     "REM LEAD-IN 01:00:00\n"
			     "REM PREGAP 00:02:00\n"
			     "  TRACK 04 MODE2/2352\n"
			     "    INDEX 01 00:13:00\n"
			     "REM LEAD-OUT 00:30:00\n"
			     "REM SESSION 03\n"
			     "REM LEAD-IN 01:00:00\n"
			     "REM PREGAP 00:02:00\n"
			     "  TRACK 05 MODE2/2352\n"
			     "    INDEX 01 00:17:00\n"
			     "  TRACK 06 AUDIO\n"
			     "    ISRC DEABC2600003\n"
			     "    PREGAP 00:02:00\n"
			     "    INDEX 01 00:21:00\n");
	vd_disc_close(d);
}

static void test_cdtext_file(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);
	size_t len;

	CHECK(vd_cue_needs_cdtext_file(d));
	CHECK_HAS(cue_of(d), "CDTEXTFILE \"sheet.cdt\"\n");
	check_read_file(check_path("sheet.cdt"), &len);
	CHECK_UINT(len, d->sessions[0].ncdtext * 18);
	CHECK(vd_toc_keeps_cdtext(d));
	vd_disc_close(d);
}

static void test_toc(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL & ~(FIX_SESSIONS | FIX_LANGUAGES));
	const char *text = check_read_file(fixture_write_toc(d, "toc"), NULL);

	CHECK_HAS(text, "CD_ROM\n\nCATALOG \"4012345678901\"\n");
	CHECK_HAS(text, "TITLE \"The Whole Disc\"\n");
	CHECK_HAS(text, "PERFORMER \"Sigur R\\363s\"\n");
	CHECK_HAS(text, "TRACK MODE1_RAW\nCOPY\n");
	CHECK_HAS(text, "PREGAP 00:02:00\nFILE \"toc.bin\" #705600 0 00:04:00\nINDEX 00:01:25\n"
			"INDEX 00:02:01\n");
	CHECK_HAS(text, "FILE \"toc.bin\" #1411200 0 00:05:00\nSTART 00:01:00\n");
	if (check_have_program("cdrdao")) {
		struct check_cmd *c =
			check_sh("cd '%s' && cdrdao show-toc toc.toc 2>&1", check_tmpdir());

		CHECK_INT(c->status, 0);
		CHECK_HAS(c->out, "TOC TYPE: CD_ROM");
		CHECK_HAS(c->out, "ISRC DE ABC 26 00002");
		CHECK_HAS(c->out, "END    00:15:00(  1125)");
	}
	vd_disc_close(d);
}

/* Any piece of disc.bin is what the sectors are. */
static void test_bin(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);
	_cleanup_free_ uint8_t *all = NULL;
	uint8_t part[10000], sector[VD_SECTOR_RAW];
	struct vd_error err = { "" };
	struct vd_bin b;
	size_t len;

	ASSERT_OK(vd_bin_init(&b, d, 0, false, &err));
	CHECK_UINT(b.sectors, 6 * 300 + 75);
	len = (size_t)b.sectors * VD_SECTOR_RAW;
	all = malloc(len);
	ASSERT_OK(vd_bin_pread(&b, all, len, 0));
	for (size_t off = 0; off + sizeof(part) <= len; off += 7919 * 3) {
		ASSERT_OK(vd_bin_pread(&b, part, sizeof(part), off));
		CHECK_MEM(part, all + off, sizeof(part));
	}
	/* INDEX 00 of track 3. */
	ASSERT_OK(vd_disc_read_sectors(d, 750, 1, VD_READ_MAIN, sector));
	CHECK_MEM(all + 600u * VD_SECTOR_RAW, sector, VD_SECTOR_RAW);
	CHECK_ERRNO(vd_bin_pread(&b, part, 2, len - 1), -EINVAL);
	CHECK_ERRNO(vd_bin_pread(&b, part, 1, UINT64_MAX), -EINVAL);
	CHECK_OK(vd_bin_pread(&b, part, 0, len));
	vd_bin_done(&b);
	d->media = VD_MEDIA_DVD_ROM;
	CHECK_ERRNO(vd_bin_init(&b, d, 0, false, &err), -EMEDIUMTYPE);
	vd_bin_done(&b);
	vd_disc_close(d);
}

static void test_audio_span(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);
	int32_t lba;
	uint32_t n;

	CHECK(!vd_audio_span(d, 0, &lba, &n));
	CHECK(!vd_audio_span(d, 1, &lba, &n));
	CHECK(!vd_audio_span(d, 7, &lba, &n));
	CHECK(vd_audio_span(d, 2, &lba, &n));
	CHECK_INT(lba, 450);
	CHECK_UINT(n, 375); /* with the pregap of track 3 */
	CHECK(vd_audio_span(d, 3, &lba, &n));
	CHECK_INT(lba, 825);
	CHECK_UINT(n, 300);
	vd_disc_close(d);
}

static void test_hidden_track(void)
{
	struct vd_track t = { .number = 1,
			      .session = 1,
			      .mode = VD_TRACK_AUDIO,
			      .start = 200,
			      .pregap = 200,
			      .length = 400 };
	struct vd_error err = { "" };
	struct vd_store *s;
	struct vd_disc *d;
	int32_t lba;
	uint32_t n;

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_store_mem_open(600u * VD_SECTOR_RAW, &s, &err));
	ASSERT_OK(vd_disc_own_store(d, s));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, s, 0, &err));
	CHECK(vd_audio_span(d, 0, &lba, &n));
	CHECK_INT(lba, 0);
	CHECK_UINT(n, 200);
	vd_disc_close(d);
}

static void test_wav(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);
	_cleanup_free_ uint8_t *all = NULL, *audio = malloc(375u * VD_SECTOR_RAW);
	uint8_t part[5000];
	struct vd_wav w;
	size_t data;

	CHECK_ERRNO(vd_wav_init(&w, d, 1), -ENOENT);
	ASSERT_OK(vd_wav_init(&w, d, 2));
	CHECK_UINT(w.size, w.header_len + 375u * VD_SECTOR_RAW);
	all = malloc((size_t)w.size);
	ASSERT_OK(vd_wav_pread(&w, all, (size_t)w.size, 0));
	CHECK_MEM(all, "RIFF", 4);
	CHECK_UINT(vd_get_le32(all + 4), w.size - 8);
	CHECK_MEM(all + 8, "WAVEfmt ", 8);
	CHECK_UINT(vd_get_le32(all + 24), 44100);
	CHECK_MEM(all + 36, "LIST", 4);
	CHECK(memmem(all, w.header_len, "IART\x0b\0\0\0Sigur R\xc3\xb3s", 19) != NULL);
	CHECK(memmem(all, w.header_len,
		     "ISRC\x0d\0\0\0"
		     "DEABC2600001",
		     20) != NULL);
	CHECK(memmem(all, w.header_len, "IPRD\x0f\0\0\0The Whole Disc\0\0", 24) != NULL);
	data = w.header_len - 8;
	CHECK_MEM(all + data, "data", 4);
	CHECK_UINT(vd_get_le32(all + data + 4), 375u * VD_SECTOR_RAW);
	ASSERT_OK(vd_disc_read_sectors(d, 450, 375, VD_READ_USER, audio));
	CHECK_MEM(all + w.header_len, audio, 375u * VD_SECTOR_RAW);
	for (uint64_t off = 0; off + sizeof(part) <= w.size; off += 4999) {
		ASSERT_OK(vd_wav_pread(&w, part, sizeof(part), off));
		CHECK_MEM(part, all + off, sizeof(part));
	}
	CHECK_ERRNO(vd_wav_pread(&w, part, 2, w.size - 1), -EINVAL);
	vd_wav_done(&w);
	vd_disc_close(d);
}

/* As a text, with so small a budget that every scan is cut. */
static char *unrepresentable(struct vd_disc *d, uint32_t budget)
{
	int32_t lba = 0;
	char *text = check_printf("%s", "");

	for (int i = 0; i < 100000; i++) {
		enum vd_unrepresentable why;
		uint32_t n;
		int r = vd_unrepresentable_next(d, lba, budget, &lba, &n, &why);

		if (r <= 0)
			return r ? check_printf("%s%d", text, r) : text;
		if (r == 2)
			continue;
		text = check_printf("%s%d+%u %s\n", text, lba, n, vd_unrepresentable_name(why));
		lba += (int32_t)n;
	}
	return check_printf("%sendless", text);
}

static void test_unrepresentable(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);
	const int32_t four = 12525, five = four + 300 + 6900;
	const char *text = unrepresentable(d, 1000000);
	int32_t video;

	CHECK_UINT(vd_iso_sectors(d), (unsigned long long)five + 300);
	for (video = five; video < five + 300; video++) {
		enum vd_sector_kind kind;

		ASSERT_OK(vd_disc_sector_kind(d, video, &kind));
		if (kind == VD_KIND_MODE2_FORM2)
			break;
	}
	CHECK_STR(text, check_printf("300+825 audio\n1125+11250 gap\n%d+6750 gap\n%d+40 form2\n",
				     four + 300, video));
	vd_disc_close(d);
	d = fixture_disc(FIX_ALL & ~FIX_SESSIONS);
	CHECK_UINT(vd_iso_sectors(d), 300);
	CHECK_STR(unrepresentable(d, 100), "");
	vd_disc_close(d);
}

/* A store whose sector 5 is damaged, in the words of one that checks what it reads. */
static int damaged_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	if (off < 6 * VD_SECTOR_RAW && off + len > 5 * VD_SECTOR_RAW)
		return -EBADMSG;
	memset(buf, 0, len);
	return 0;
}

static void damaged_close(struct vd_store *s)
{
}

/* Whatever the error, the search goes on behind it. */
static void test_unrepresentable_damage(void)
{
	static const struct vd_store_ops ops = { .name = "damaged",
						 .pread = damaged_pread,
						 .close = damaged_close };
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_MODE1, .length = 9 };
	struct vd_store s = { .ops = &ops, .size = 9 * VD_SECTOR_RAW, .block = 1 };
	struct vd_disc *d = NULL;

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &s));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, &s, 0, NULL));
	CHECK_STR(unrepresentable(d, 100), "5+1 unreadable\n");
	vd_disc_close(d);
}

static int differing_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	memset(buf, 0, len);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (off + i) % 2332 == 2 ? 0x08 : 0;
	return 0;
}

/* In sectors of 2332 bytes every one has a form, also where the copies of its subheader differ: what is shown is not told as missing. */
static void test_unrepresentable_2332(void)
{
	static const struct vd_store_ops ops = { .name = "differing",
						 .pread = differing_pread,
						 .close = damaged_close };
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_MODE2, .length = 9 };
	struct vd_store s = { .ops = &ops, .size = 9 * 2332, .block = 1 };
	struct vd_disc *d = NULL;

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &s));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2332, &s, 0, NULL));
	ASSERT_OK(vd_disc_set_session_type(d, 1, VD_SESSION_CDROM, NULL));
	CHECK_STR(unrepresentable(d, 100), "");
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "unrepresentable_2332", test_unrepresentable_2332 },
	{ "fixture", test_fixture },
	{ "cue", test_cue },
	{ "cdtext_file", test_cdtext_file },
	{ "toc", test_toc },
	{ "bin", test_bin },
	{ "audio_span", test_audio_span },
	{ "hidden_track", test_hidden_track },
	{ "wav", test_wav },
	{ "unrepresentable", test_unrepresentable },
	{ "unrepresentable_damage", test_unrepresentable_damage },
};
CHECK_MAIN(tests)
