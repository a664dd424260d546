// SPDX-License-Identifier: GPL-3.0-or-later
/* C2D: what is wrong is told with its place. All that it holds is in test_formats.c. */
#include "disc_writers.h"

#include "util/cleanup.h"
#include "util/endian.h"

/* A track of four sectors of user data, INDEX 02 at its third one. */
enum { BLOCK = 196, SECOND = BLOCK + 44, DATA = SECOND + 44, END = DATA + 4 * 2048 };

static void make(uint8_t m[END])
{
	memset(m, 0, END);
	memcpy(m, "Roxio Image File Format 3.0", 27);
	m[32] = BLOCK;
	m[50] = 2;
	m[56] = BLOCK;
	for (uint8_t i = 0; i < 2; i++) {
		uint8_t *b = m + BLOCK + i * 44;

		b[0] = 44;
		b[4] = i ? 152 : 150;
		b[8] = i ? 153 : 151;
		vd_put_le32(b + 12, i ? UINT32_MAX : DATA);
		vd_put_le32(b + 20, 2048);
		b[37] = b[38] = b[40] = 1;
		b[39] = (uint8_t)(i + 1);
	}
	for (size_t i = 0; i < 4; i++)
		memset(m + DATA + i * 2048, (int)i + 1, 2048);
}

static void test_smallest(void)
{
	static uint8_t m[END];
	struct vd_error err = { "" };
	uint8_t user[2048];
	struct vd_disc *d;

	make(m);
	ASSERT_OK(fixture_try_bytes("a.c2d", m, END, &d, &err));
	CHECK_INT(d->tracks[0].start, 0);
	CHECK_INT(d->tracks[0].length, 4);
	ASSERT_INT(d->tracks[0].nindices, 1);
	CHECK_INT(d->tracks[0].indices[0], 2);
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 3 * 2048));
	CHECK_UINT(user[7], 4);
	vd_disc_close(d);
	memcpy(m, "Adaptec CeQuadrat VirtualCD File", 32);
	ASSERT_OK(fixture_try_bytes("a.c2d", m, END, &d, &err));
	vd_disc_close(d);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ 50, 0, "a.c2d: header at byte 0: 0 blocks; there can be 9801" },
		{ 51, 255, "a.c2d: header at byte 0: 65282 blocks; there can be 9801" },
		{ 51, 1, "a.c2d: blocks at byte 196: 11352 bytes, and it ends at byte 8476" },
		{ 59, 1, "a.c2d: blocks at byte 16777412: 88 bytes, and it ends at byte 8476" },
		{ 54, 1, "a.c2d: header at byte 0: 65536 bytes of CD-TEXT; there can be 36864" },
		{ 53, 0x80, "a.c2d: CD-TEXT at byte 196: 32768 bytes, and it ends at byte 8476" },
		{ BLOCK + 4, 152, "a.c2d: block at byte 196: track 1: " },
		{ BLOCK + 12, 0xff,
		  "a.c2d: block at byte 196: 4 sectors of 2048 bytes from byte 511" },
		{ BLOCK + 19, 0xff,
		  "a.c2d: block at byte 196: 4 sectors of 2048 bytes from byte 18374686479671623964" },
		{ BLOCK + 20, 1, "a.c2d: block at byte 196: sectors of 2049 bytes" },
		{ BLOCK + 37, 2, "a.c2d: block at byte 196: " },
		{ BLOCK + 38, 0, "a.c2d: block at byte 196: " },
		{ BLOCK + 39, 0,
		  "a.c2d: block at byte 196: it is of INDEX 00; images with such are not read" },
		{ BLOCK + 39, 2, "a.c2d: block at byte 196: INDEX 02 where 01 has to be" },
		{ BLOCK + 40, 3, "a.c2d: block at byte 196: it is of mode 3, which is not known" },
		{ BLOCK + 41, 1,
		  "a.c2d: block at byte 196: it is compressed, and compressed ones are not read" },
		{ SECOND + 39, 3, "a.c2d: block at byte 196: INDEX 03 where 02 has to be" },
		{ SECOND + 38, 2, "a.c2d: block at byte 240: INDEX 02 where 01 has to be" },
		{ SECOND + 8, 149, "a.c2d: block at byte 196: sectors 150 to 149, after 150" },
		{ SECOND + 4, 149,
		  "a.c2d: block at byte 196: INDEX 02 is at sector 149, the track from 150 to 153" },
		{ SECOND + 11, 0x80,
		  "a.c2d: block at byte 196: sectors 150 to 2147483801, after 150" },
		{ SECOND + 8, 154,
		  "a.c2d: block at byte 196: 5 sectors of 2048 bytes from byte 284" },
	};
	static uint8_t m[END];

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d;

		make(m);
		m[rows[i].at] = rows[i].byte;
		/* INDEX 02 where INDEX 01 is. */
		if (rows[i].at == BLOCK + 4)
			m[SECOND + 4] = 152;
		if (!CHECK_ERRNO(fixture_try_bytes("a.c2d", m, END, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, rows[i].words);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
	}
}

static void test_cut(void)
{
	static uint8_t m[END];

	make(m);
	for (size_t n = 32; n < END; n += n < DATA ? 1 : 500) {
		struct vd_error err = { "" };
		struct vd_disc *d;

		CHECK_ERRNO(fixture_try_bytes("a.c2d", m, n, &d, &err), -EINVAL);
		CHECK_HAS(err.text, n < 196 ? "a.c2d: header at byte 0: 196 bytes, and it ends at"
				    : n < DATA
					    ? "a.c2d: blocks at byte 196: 88 bytes, and it ends at"
					    : "4 sectors of 2048 bytes from byte 284 on of");
	}
}

static const struct check_test tests[] = {
	{ "smallest", test_smallest },
	{ "errors", test_errors },
	{ "cut", test_cut },
};
CHECK_MAIN(tests)
