// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CHD. What is read of files that chdman made is compared with what they were made of, sector by sector, in every codec that it
 * has; what we write is read back, by us and by chdman.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "disc_fixture.h"
#include "images/chd_write.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* Makes NAME.chd of the sheet, with @options. */
static char *chdman(const char *sheet, const char *name, const char *options)
{
	char *path = check_path("%s.chd", name);
	struct check_cmd *c =
		check_sh("chdman createcd -f -i '%s' -o '%s' %s", sheet, path, options);

	if (c->status)
		CHECK_FAIL("chdman: %s%s", c->out, c->err);
	return path;
}

/* The disc of the sheet that chdman reads; it knows no CD-TEXT and so on. */
static void test_codecs(void)
{
	static const char *const options[] = {
		"",
		"-c none",
		"-c cdzl",
		"-c cdlz",
		"-c cdfl",
		"-c zlib",
		"-c lzma",
		"-c huff",
		"-c flac",
		"-c cdzl,cdfl",
		"-c zlib,lzma,huff,flac",
		"-hs 2448",
		"-hs 4896 -c cdlz",
		/* Large enough for three bytes of length; of fewer hunks chdman writes maps that it cannot read. */
		"-hs 97920",
	};
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;
	const struct vd_image_format *format = NULL;
	const char *sheet = fixture_write_cue(d, "codecs");

	if (!check_have_program("chdman"))
		CHECK_SKIP("no chdman");
	for (size_t i = 0; i < VD_ARRAY_SIZE(options); i++) {
		back = fixture_open(chdman(sheet, "codecs", options[i]), &format);
		CHECK_STR(format->name, "chd");
		CHECK(fixture_same(d, back, check_printf("chdman createcd %s", options[i])));
		vd_disc_close(back);
	}
	vd_disc_close(d);
}

/* Written anew from its parent: what both have is in the parent. Sizes of hunks may differ, but not those of units. */
static void test_parent(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;
	const char *sheet = fixture_write_cue(d, "family"), *child, *parent;
	struct vd_error err = { "" };

	if (!check_have_program("chdman"))
		CHECK_SKIP("no chdman");
	parent = chdman(sheet, "parent", "");
	child = chdman(sheet, "child", check_printf("-op '%s'", parent));
	CHECK(check_sh("stat -c %%s '%s'", child)->out[4] < ' '); /* 4 digits: nearly nothing */
	check_write_file(check_path("another.chd"), "MComprHD", 8);
	check_write_file(check_path("empty.chd"), "", 0);
	back = fixture_open(child, NULL);
	CHECK(fixture_same(d, back, "a CHD with a parent"));
	vd_disc_close(back);
	chdman(sheet, "grandchild", check_printf("-op '%s' -hs 4896", child));
	back = fixture_open(check_path("grandchild.chd"), NULL);
	CHECK(fixture_same(d, back, "a CHD with a parent that has one"));
	vd_disc_close(back);
	ASSERT_OK(unlink(parent));
	unlink(check_path("codecs.chd")); /* it has the same contents */
	CHECK_ERRNO(fixture_try(child, &back, &err), -ENOENT);
	CHECK_HAS(err.text, "child.chd: in its parent of SHA-1 ");
	ASSERT_OK(unlink(check_path("grandchild.chd")));
	CHECK_ERRNO(fixture_try(child, &back, &err), -ENOENT);
	CHECK_HAS(err.text, "child.chd: its parent, the CHD of SHA-1 ");
	vd_disc_close(d);
}

/* What we write. */

static char *write_chd(struct vd_disc *d, const char *name, const char *codecs, uint32_t hunk)
{
	char *path = check_path("%s.chd", name);
	struct vd_chd_write o = { .codecs = codecs, .hunk = hunk };
	struct vd_error err = { "" };
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ASSERT(fd >= 0);
	if (vd_chd_write(d, fd, &o, &err))
		ASSERT_FAIL("%s: %s", path, err.text);
	return path;
}

static void test_written(void)
{
	static const struct {
		const char *codecs; /* NULL: the usual ones */
		uint32_t hunk;
		bool foreign; /* chdman 0.251 does not know them */
	} rows[] = {
		{ NULL, 0, false },
		{ "", 0, false },
		{ "cdzl", 0, false },
		{ "cdlz", 4896, false },
		{ "cdfl", 2448, false },
		{ "cdfl", 0, false },
		{ "zlib,lzma,flac", 97920, false },
		{ "cdzs", 0, true },
		{ "zstd", 97920, true },
		{ "flac", 0, false },
		{ "lzma", 0, false },
	};
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const char *path = write_chd(d, "written", rows[i].codecs, rows[i].hunk);

		back = fixture_open(path, NULL);
		CHECK(fixture_same(d, back, check_printf("written with %s", rows[i].codecs)));
		vd_disc_close(back);
		if (rows[i].foreign || !check_have_program("chdman"))
			continue;
		if (check_sh("chdman verify -i '%s'", path)->status)
			CHECK_FAIL("chdman verify: row %zu", i);
		check_sh("cd '%s' && chdman extractcd -f -i written.chd -o out.cue -ob out.bin",
			 check_path("."));
		back = fixture_open(check_path("out.cue"), NULL);
		CHECK(fixture_same(d, back, check_printf("chdman extractcd of row %zu", i)));
		vd_disc_close(back);
	}
	vd_disc_close(d);
	if (!check_have_program("chdman"))
		check_skip("no chdman");
}

/* R to W; P and Q are generated. */
static void test_subchannel(void)
{
	struct vd_disc *d = fixture_disc(FIX_SUB),
		       *back = fixture_open(write_chd(d, "sub", NULL, 0), NULL);
	uint8_t a[VD_SECTOR_SUB], b[VD_SECTOR_SUB];
	bool any = false;

	CHECK_INT(back->extents[0].sub, VD_SUB_RW_RAW);
	for (int32_t lba = 0; lba < back->sessions[0].leadout; lba++) {
		ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, a));
		ASSERT_OK(vd_disc_read_sectors(back, lba, 1, VD_READ_SUB, b));
		for (size_t i = 0; i < sizeof(a); i++) {
			any |= a[i] & 0x3f;
			a[i] &= 0x3f;
			b[i] &= 0x3f;
		}
		if (!CHECK_MEM(b, a, sizeof(a)))
			break;
	}
	CHECK(any);
	vd_disc_close(back);
	vd_disc_close(d);
}

static void test_dvd(void)
{
	static const char *const codecs[] = { NULL, "", "zstd", "zlib", "lzma", "flac" };
	const size_t sectors = 401; /* no whole hunks */
	uint8_t *data = check_alloc(sectors * 2048), *got = check_alloc(sectors * 2048);
	struct vd_disc *d, *back;

	for (size_t i = 0; i < sectors * 2048; i++)
		data[i] = (uint8_t)(i % 4096 < 2048 ? i * i >> 9 : i / 4096);
	memcpy(data + 16 * 2048, "\1CD001\1", 7);
	check_write_file(check_path("a.iso"), data, sectors * 2048);
	for (size_t i = 0; i < VD_ARRAY_SIZE(codecs); i++) {
		d = fixture_open(check_path("a.iso"), NULL);
		d->media = VD_MEDIA_DVD_ROM;
		back = fixture_open(write_chd(d, "dvd", codecs[i], 0), NULL);
		CHECK_INT(vd_disc_media(back), VD_MEDIA_DVD_ROM);
		ASSERT_UINT(vd_disc_size(back), sectors * 2048);
		ASSERT_OK(vd_disc_pread(back, got, sectors * 2048, 0));
		CHECK_MEM(got, data, sectors * 2048);
		vd_disc_close(back);
		vd_disc_close(d);
	}
}

/* Many readers, each with an order of its own. */
struct reader {
	struct vd_disc *disc;
	const uint8_t *all;
	uint32_t sectors, step;
	bool wrong;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[VD_SECTOR_RAW];

	for (uint32_t i = 0; i < r->sectors; i++) {
		uint32_t lba = (uint32_t)((uint64_t)i * r->step % r->sectors);

		if (vd_disc_read_sectors(r->disc, (int32_t)lba, 1, VD_READ_MAIN, buf) ||
		    memcmp(buf, r->all + (size_t)lba * VD_SECTOR_RAW, VD_SECTOR_RAW))
			r->wrong = true;
	}
	return NULL;
}

static void test_threads(void)
{
	static const uint32_t steps[] = { 1, 1, 7, 11, 101, 1 };
	struct reader readers[VD_ARRAY_SIZE(steps)];
	pthread_t threads[VD_ARRAY_SIZE(steps)];
	struct vd_disc *d = fixture_disc(FIX_PREGAPS);
	struct vd_disc *back = fixture_open(write_chd(d, "threads", "cdzl", 2448 * 400), NULL);
	uint32_t sectors = (uint32_t)d->sessions[0].leadout;
	uint8_t *all = check_alloc((size_t)sectors * VD_SECTOR_RAW);

	ASSERT_OK(vd_disc_read_sectors(d, 0, sectors, VD_READ_MAIN, all));
	for (size_t i = 0; i < VD_ARRAY_SIZE(steps); i++) {
		readers[i] = (struct reader){
			.disc = back, .all = all, .sectors = sectors, .step = steps[i]
		};
		ASSERT_OK(pthread_create(&threads[i], NULL, read_all, &readers[i]));
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(steps); i++) {
		pthread_join(threads[i], NULL);
		CHECK(!readers[i].wrong);
	}
	vd_disc_close(back);
	vd_disc_close(d);
}

/* Each bit of the header, the metadata and the map, and some of the hunks: no crash, and never other bytes than were written. */
static void test_damaged(void)
{
	struct vd_disc *d = fixture_disc(0), *back;
	uint32_t sectors = (uint32_t)d->sessions[0].leadout;
	uint8_t *want = check_alloc((size_t)sectors * VD_SECTOR_RAW),
		*got = check_alloc((size_t)sectors * VD_SECTOR_RAW);
	const char *path = write_chd(d, "good", "cdzl,cdfl", 2448 * 16),
		   *bad = check_path("bad.chd");
	size_t len, map, refused = 0, failed = 0;
	char *data = check_read_file(path, &len);

	ASSERT_OK(vd_disc_read_sectors(d, 0, sectors, VD_READ_MAIN, want));
	map = vd_get_be32(data + 44);
	for (size_t at = 0; at < len; at += at < 600 || at >= map ? 3 : len / 50) {
		struct vd_error err = { "" };

		data[at] ^= (char)(1 << at % 8);
		check_write_file(bad, data, len);
		data[at] ^= (char)(1 << at % 8);
		if (fixture_try(bad, &back, &err)) {
			CHECK(err.text[0]);
			refused++;
			continue;
		}
		if (at >= 600 && back->sessions[0].leadout == (int32_t)sectors) {
			int r = vd_disc_read_sectors(back, 0, sectors, VD_READ_MAIN, got);

			failed += r != 0;
			if (!r && memcmp(got, want, (size_t)sectors * VD_SECTOR_RAW))
				CHECK_FAIL("byte %zu changed: other sectors without an error", at);
		}
		vd_disc_close(back);
	}
	CHECK(refused > 40);
	CHECK(failed > 10);
	for (size_t n = 0; n < len; n += n < 600 ? 7 : len / 50) {
		struct vd_error err = { "" };

		check_write_file(bad, data, n);
		CHECK(fixture_try(bad, &back, &err) < 0);
	}
	vd_disc_close(d);
}

/* Metadata. */

#define FRAMES 45012u

/* A file without codecs, of frames of zeros but for the first two bytes of each, which are its number; a hunk is a frame. */
static int open_meta_chain(const char *tag, const void *meta, size_t len, uint32_t first,
			   struct vd_disc **d, struct vd_error *err)
{
	const uint32_t unit = 2448;
	uint8_t h[124 + 16 + 2500] = "MComprHD", *m = h + 124;
	const char *path = check_path("meta.chd");
	FILE *f = fopen(path, "wb");

	ASSERT(f && len <= 2500);
	vd_put_be32(h + 8, 124);
	vd_put_be32(h + 12, 5);
	vd_put_be32(h + 36, FRAMES * unit);
	vd_put_be32(h + 44, 10 * unit);
	vd_put_be32(h + 52, 124);
	vd_put_be32(h + 56, unit);
	vd_put_be32(h + 60, unit);
	memcpy(m, tag, 4);
	vd_put_be32(m + 4, first);
	if (first < len)
		vd_put_be32(m + 12, 140 + first);
	memcpy(m + 16, meta, len);
	fwrite(h, sizeof(h), 1, f);
	fseek(f, 10l * (long)unit, SEEK_SET);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t e[4];

		vd_put_be32(e, i < 64 || (i >= 45000 && i < 45008) ? 100 + i % 1000 : 0);
		fwrite(e, 4, 1, f);
	}
	fseek(f, 100l * (long)unit, SEEK_SET);
	for (uint32_t i = 0; i < 1000; i++) {
		_cleanup_free_ uint8_t *frame = calloc(1, unit);

		vd_put_be16(frame, (uint16_t)(100 + i));
		fwrite(frame, unit, 1, f);
	}
	ASSERT(!fclose(f));
	return fixture_try(path, d, err);
}

static int open_meta(const char *tag, const void *meta, size_t len, struct vd_disc **d,
		     struct vd_error *err)
{
	return open_meta_chain(tag, meta, len, (uint32_t)len, d, err);
}

/* One track's line each: what it is, or why not. */
static void test_metadata(void)
{
	static const struct {
		const char *tag, *text;
		int32_t start;
		uint32_t pregap, length;
		uint32_t
			first; /* sectors of `length` stored from that frame on, of audio; 0: not looked at */
		const char *words;
	} rows[] = {
		{ "CHT2",
		  "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8 PREGAP:0 PGTYPE:MODE1 PGSUB:NONE "
		  "POSTGAP:0",
		  0, 0, 8, 100, NULL },
		{ "CHT2",
		  "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8 PREGAP:3 PGTYPE:VAUDIO PGSUB:NONE "
		  "POSTGAP:0",
		  3, 3, 5, 103, NULL },
		{ "CHT2",
		  "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8 PREGAP:3 PGTYPE:AUDIO PGSUB:NONE "
		  "POSTGAP:2",
		  3, 3, 10, 100, NULL },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8", 0, 0, 8, 100, NULL },
		{ "CHTR", "TRACK:1 TYPE:MODE2_FORM_MIX SUBTYPE:RW FRAMES:8", 0, 0, 8, 0, NULL },
		{ "CHTR", "TRACK:1 TYPE:MODE1/2352 SUBTYPE:RW_RAW FRAMES:8", 0, 0, 8, 0, NULL },
		{ "CHTR", "TRACK:1 TYPE:CDI/2352 SUBTYPE:NONE FRAMES:8", 0, 0, 8, 0, NULL },
		{ "CHGD",
		  "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8 PAD:2 PREGAP:0 PGTYPE:AUDIO "
		  "PGSUB:NONE POSTGAP:0",
		  0, 0, 6, 100, NULL },
		{ "CHTR", "TRACK:1 TYPE:MODE9 SUBTYPE:NONE FRAMES:8", 0, 0, 0, 0,
		  "meta.chd: metadata at byte 124: TYPE:MODE9 is not known" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:PQ FRAMES:8", 0, 0, 0, 0,
		  "SUBTYPE:PQ is not known" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:8x", 0, 0, 0, 0,
		  "FRAMES:8x is not a number" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:99999999999", 0, 0, 0, 0,
		  "FRAMES:99999999999 is more than there can be" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:", 0, 0, 0, 0,
		  "FRAMES is not a number" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE", 0, 0, 0, 0,
		  "a track without TRACK, TYPE or FRAMES" },
		{ "CHTR", "TRACK:1 AUDIO", 0, 0, 0, 0, "AUDIO is no KEY:value" },
		{ "CHTR", "TRACK:100 TYPE:AUDIO SUBTYPE:NONE FRAMES:8", 0, 0, 0, 0,
		  "track 100: numbers are 1 to 99" },
		{ "CHTR", "TRACK:1 TYPE:AUDIO SUBTYPE:NONE FRAMES:45013", 0, 0, 0, 0,
		  "track 1 ends beyond its file" },
		{ "CHT2", "TRACK:1 TYPE:AUDIO FRAMES:8 PREGAP:9 PGTYPE:VAUDIO", 0, 0, 0, 0,
		  "track 1 has 8 sectors, of which 9 are its pregap" },
		{ "GDDD", "CYLS:1,HEADS:1,SECS:1,BPS:512", 0, 0, 0, 0,
		  "meta.chd: a CHD of a hard disk, which is not a disc" },
		{ "AVAV", "FPS:1", 0, 0, 0, 0, "a CHD of a laserdisc, which is not a disc" },
		{ "ABCD", "", 0, 0, 0, 0, "a CHD of data that says nothing of tracks" },
		{ "DVD ", "", 0, 0, 0, 0, "a DVD in units of 2448 bytes" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d = NULL;
		uint8_t sector[VD_SECTOR_RAW];
		int r = open_meta(rows[i].tag, rows[i].text, strlen(rows[i].text) + 1, &d, &err);

		if (rows[i].words) {
			CHECK(r < 0);
			CHECK_HAS(err.text, rows[i].words);
			continue;
		}
		if (r) {
			CHECK_FAIL("row %zu: %s", i, err.text);
			continue;
		}
		CHECK_INT(d->tracks[0].start, rows[i].start);
		CHECK_UINT(d->tracks[0].pregap, rows[i].pregap);
		CHECK_UINT(d->tracks[0].length, rows[i].length);
		if (rows[i].first) {
			ASSERT_OK(vd_disc_read_sectors(d, rows[i].start, 1, VD_READ_MAIN, sector));
			CHECK_INT(vd_get_le16(sector), rows[i].first); /* big endian there */
		}
		vd_disc_close(d);
	}
}

/* The oldest form, in both byte orders. */
static void test_oldest(void)
{
	for (int big = 0; big < 2; big++) {
		static const uint32_t v[] = { 2, 7, 2, 2352, 0, 5, 3, 1, 2, 2352, 0, 8, 0 };
		uint8_t meta[2380] = { 0 }, sector[VD_SECTOR_RAW];
		struct vd_error err = { "" };
		struct vd_disc *d;

		for (size_t i = 0; i < VD_ARRAY_SIZE(v); i++)
			(big ? vd_put_be32 : vd_put_le32)(meta + i * 4, v[i]);
		if (open_meta("CHCD", meta, sizeof(meta), &d, &err))
			ASSERT_FAIL("%s", err.text);
		ASSERT_INT(d->ntracks, 2);
		CHECK_INT(d->tracks[0].mode, VD_TRACK_AUDIO);
		CHECK_INT(d->tracks[1].mode, VD_TRACK_MODE1);
		CHECK_INT(d->tracks[1].start, 5);
		ASSERT_OK(vd_disc_read_sectors(d, 5, 1, VD_READ_MAIN, sector));
		CHECK_INT(vd_get_be16(sector), 108); /* frames of track 1 are padded to 8 */
		vd_disc_close(d);
	}
}

static const char *const gdrom[] = {
	"TRACK:1 TYPE:MODE1_RAW SUBTYPE:NONE FRAMES:20 PAD:0 PREGAP:0 PGTYPE:MODE1 PGSUB:NONE POSTGAP:0",
	"TRACK:2 TYPE:AUDIO SUBTYPE:NONE FRAMES:44980 PAD:44970 PREGAP:0 PGTYPE:MODE1 PGSUB:NONE POSTGAP:0",
	"TRACK:3 TYPE:AUDIO SUBTYPE:NONE FRAMES:8 PAD:0 PREGAP:0 PGTYPE:MODE1 PGSUB:NONE POSTGAP:0",
};

/* Three entries, one behind the other; the second area is a session. */
static void test_gdrom(void)
{
	for (int old = 0; old < 2; old++) {
		uint8_t meta[2000] = { 0 }, sector[VD_SECTOR_RAW];
		struct vd_error err = { "" };
		struct vd_disc *d;
		const char *tag = old ? "CHGT" : "CHGD";
		size_t at = 0;

		for (size_t i = 0; i < 3; i++) {
			size_t len = strlen(gdrom[i]) + 1;

			memcpy(meta + at, gdrom[i], len);
			at += len;
			if (i == 2)
				break;
			memcpy(meta + at, tag, 4);
			vd_put_be32(meta + at + 4, (uint32_t)strlen(gdrom[i + 1]) + 1);
			at += 16;
		}
		/* The offset of the next one is in the header of each. */
		ASSERT_INT(open_meta(tag, meta, strlen(gdrom[0]) + 1, &d, &err), 0);
		vd_disc_close(d);
		vd_put_be32(meta + strlen(gdrom[0]) + 1 + 12,
			    (uint32_t)(140 + strlen(gdrom[0]) + 1 + 16 + strlen(gdrom[1]) + 1));
		if (open_meta_chain(tag, meta, at, (uint32_t)strlen(gdrom[0]) + 1, &d, &err))
			ASSERT_FAIL("%s", err.text);
		ASSERT_INT(d->ntracks, 3);
		CHECK_INT(d->nsessions, 2);
		CHECK_INT(d->tracks[1].length, 10);
		CHECK_INT(d->tracks[2].start, 45000);
		ASSERT_OK(vd_disc_read_sectors(d, 45000, 1, VD_READ_MAIN, sector));
		CHECK_INT(old ? vd_get_be16(sector) : vd_get_le16(sector), 100);
		vd_disc_close(d);
	}
}

static const struct check_test tests[] = {
	{ "codecs", test_codecs },   { "parent", test_parent },
	{ "written", test_written }, { "subchannel", test_subchannel },
	{ "dvd", test_dvd },	     { "threads", test_threads },
	{ "damaged", test_damaged }, { "metadata", test_metadata },
	{ "oldest", test_oldest },   { "gdrom", test_gdrom },
};
CHECK_MAIN(tests)
