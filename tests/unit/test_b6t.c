// SPDX-License-Identifier: GPL-3.0-or-later
/* B6T: what is wrong is told with its place; a DVD. All that it holds is in test_formats.c. */
#include "disc_writers.h"

#include "util/cleanup.h"
#include "util/endian.h"

/* One block of 160 audio sectors from LBA -150 on, one track. */
enum {
	BLOCKS = 260,
	BLOCK = BLOCKS + 8,
	SESSION = BLOCK + 52 + 10 + 4,
	TRACK = SESSION + 16,
	END = TRACK + 72
};

static void make(uint8_t m[END])
{
	memset(m, 0, END);
	memcpy(m, "BWT5 STREAM SIGN", 16);
	m[48] = 8;
	m[50] = 1;
	m[BLOCKS] = 1;
	vd_put_le32(m + BLOCK + 4, 160 * 2352);
	vd_put_le32(m + BLOCK + 40, (uint32_t)-150);
	vd_put_le32(m + BLOCK + 44, 160);
	m[BLOCK + 48] = 10;
	memcpy(m + BLOCK + 52, "a\0.\0b\0006\0i", 9);
	m[SESSION] = 1;
	m[SESSION + 2] = 1;
	m[TRACK] = 1;
	m[TRACK + 12] = 1;
	vd_put_le32(m + TRACK + 22, 150);
	vd_put_le32(m + TRACK + 42, (uint32_t)-150);
	vd_put_le32(m + TRACK + 46, 160);
}

static void make_data(const char *name)
{
	uint8_t *data = check_alloc(160 * 2352);

	for (size_t i = 0; i < 160; i++)
		memset(data + i * 2352, (int)i, 2352);
	check_write_file(check_path("%s", name), data, 160 * 2352);
}

static void test_smallest(void)
{
	struct vd_error err = { "" };
	uint8_t m[END], s[2352];
	struct vd_disc *d;

	make(m);
	make_data("a.b6i");
	ASSERT_OK(fixture_try_bytes("a.b6t", m, END, &d, &err));
	CHECK_INT(d->ntracks, 1);
	CHECK_INT(d->tracks[0].start, 0);
	CHECK_INT(d->tracks[0].length, 10);
	ASSERT_OK(vd_disc_read_sectors(d, -149, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[0], 1);
	ASSERT_OK(vd_disc_read_sectors(d, 9, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[2351], 159);
	vd_disc_close(d);
	/* Its pregap may be stored nowhere; it may be of another name, if it is the only one. */
	vd_put_le32(m + BLOCK + 40, 0);
	vd_put_le32(m + TRACK + 46, 310);
	m[BLOCK + 52] = 'x';
	ASSERT_OK(fixture_try_bytes("a.b6t", m, END, &d, &err));
	CHECK_INT(d->tracks[0].length, 160);
	ASSERT_OK(vd_disc_read_sectors(d, -1, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[0], 0);
	ASSERT_OK(vd_disc_read_sectors(d, 9, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[0], 9);
	vd_disc_close(d);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ 50, 0, "a.b6t: header at byte 0: 0 sessions" },
		{ 50, 100, "a.b6t: header at byte 0: 100 sessions" },
		{ 50, 2, "a.b6t: session at byte 422: 16 bytes, and it ends at byte 422" },
		{ 243, 1, "a.b6t: mode page at byte 260: 16777216 bytes, and it ends at byte 422" },
		{ 247, 1, "a.b6t: block at byte 260: 16777216 bytes" },
		{ 97, 1, "a.b6t: PMA at byte 260: 256 bytes" },
		{ 99, 1, "a.b6t: ATIP at byte 260: 256 bytes" },
		{ 101, 1, "a.b6t: CD-TEXT at byte 260: 256 bytes" },
		{ 107, 1, "a.b6t: BCA at byte 260: 16777216 bytes" },
		{ 123, 1, "a.b6t: disc structures at byte 260: 16777216 bytes" },
		{ 103, 1, "a.b6t: disc information at byte 260: 256 bytes" },
		{ BLOCKS, 0, "a.b6t: data blocks at byte 260: 0 of them" },
		{ BLOCKS + 1, 1, "a.b6t: data blocks at byte 260: 257 of them" },
		{ BLOCKS, 2, "a.b6t: data block at byte 334: " },
		{ BLOCKS + 5, 1, "a.b6t: path at byte 268: 256 bytes" },
		{ BLOCK + 4, 1, "a.b6t: data block at byte 268: 376321 bytes of 160 sectors" },
		{ BLOCK + 47, 0x80,
		  "a.b6t: data block at byte 268: 376320 bytes of -2147483488 sectors" },
		{ BLOCK + 48, 0, "a.b6t: data block at byte 268: a name of 0 bytes" },
		{ BLOCK + 50, 1, "a.b6t: data block at byte 268: a name of 65546 bytes" },
		{ BLOCK + 24, 1,
		  "a.b6t: data block at byte 268: 376320 bytes from byte 1 on of a.b6i, which has 376320" },
		{ BLOCK + 40, 0x6b, "a.b6t: track at byte 350: no data block has sector 10" },
		{ BLOCK + 60, '/', "a.b6t: data block at byte 268: no file name" },
		{ SESSION + 2, 0, "a.b6t: session at byte 334: it has no track" },
		{ SESSION + 2, 2, "a.b6t: track at byte 422: 64 bytes, and it ends at byte 422" },
		{ TRACK, 7, "a.b6t: track at byte 350: it is of type 7, which is not known" },
		{ TRACK + 12, 0, "a.b6t: track at byte 350: " },
		{ TRACK + 22, 149,
		  "a.b6t: track at byte 350: it is from sector -150 over -1 to 10" },
		{ TRACK + 22, 160,
		  "a.b6t: track at byte 350: it is from sector -150 over 10 to 10" },
		{ TRACK + 42, 0x69,
		  "a.b6t: track at byte 350: it is from sector -151 over -1 to 9" },
		{ TRACK + 46, 161, "a.b6t: track at byte 350: no data block has sector 10" },
	};
	uint8_t m[END];

	make_data("a.b6i");
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d;

		make(m);
		m[rows[i].at] = rows[i].byte;
		/* From LBA -149 on: its last sector then is there, the one behind it is not. */
		if (rows[i].at == BLOCK + 40)
			vd_put_le32(m + TRACK + 46, 162);
		if (!CHECK_ERRNO(fixture_try_bytes("a.b6t", m, END, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, rows[i].words);
		if (rows[i].at != BLOCK + 40)
			CHECK_HAS(err.text, rows[i].words);
		else
			CHECK_HAS(err.text,
				  "a.b6t: track at byte 350: no data block has sector 11");
		vd_disc_close(d);
	}
}

static void test_cut(void)
{
	uint8_t m[END];

	make(m);
	make_data("a.b6i");
	for (size_t n = 16; n < END; n++) {
		struct vd_error err = { "" };
		struct vd_disc *d;

		CHECK_ERRNO(fixture_try_bytes("a.b6t", m, n, &d, &err), -EINVAL);
		CHECK_HAS(err.text, "bytes, and it ends at byte");
	}
}

/* Two blocks of the same sector; a file that is missing. */
static void test_blocks(void)
{
	uint8_t m[END + 66];
	struct vd_error err = { "" };
	struct vd_disc *d;

	make_data("a.b6i");
	make(m);
	memmove(m + SESSION + 66, m + SESSION, END - SESSION);
	memcpy(m + SESSION, m + BLOCK, 66);
	m[BLOCKS] = 2;
	CHECK_ERRNO(fixture_try_bytes("a.b6t", m, sizeof(m), &d, &err), -EINVAL);
	CHECK_STR(err.text, "a.b6t: data blocks at byte 260: two of sector -150");
	m[BLOCK + 52] = 'x';
	CHECK_ERRNO(fixture_try_bytes("a.b6t", m, sizeof(m), &d, &err), -ENOENT);
	CHECK_HAS(err.text, "x.b6i");
}

static void test_dvd(void)
{
	struct vd_error err = { "" };
	uint8_t m[END], user[2048];
	struct vd_disc *d;

	make(m);
	make_data("a.b6i");
	m[48] = 0x10;
	vd_put_le32(m + BLOCK + 4, 160 * 2048);
	vd_put_le32(m + BLOCK + 40, 0);
	m[TRACK] = 6;
	vd_put_le32(m + TRACK + 22, 0);
	vd_put_le32(m + TRACK + 42, 0);
	ASSERT_OK(fixture_try_bytes("a.b6t", m, END - 8, &d, &err));
	CHECK_INT(vd_disc_media(d), VD_MEDIA_DVD_ROM);
	CHECK_UINT(vd_disc_size(d), 160 * 2048);
	ASSERT_OK(vd_disc_pread(d, user, 2048, 147 * 2048));
	CHECK_UINT(user[0], 128);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "smallest", test_smallest }, { "errors", test_errors }, { "cut", test_cut },
	{ "blocks", test_blocks },     { "dvd", test_dvd },
};
CHECK_MAIN(tests)
