// SPDX-License-Identifier: GPL-3.0-or-later
/* CDI: what is wrong is told with its place; discs that other programs write. All that it holds is in test_formats.c. */
#include "disc_writers.h"

#include "util/cleanup.h"
#include "util/endian.h"

#define SECTORS 160u /* 150 of them the pregap */

struct image {
	uint8_t data[SECTORS * 2352 + 2048];
	size_t len;
};

static uint8_t *add(struct image *m, const void *data, size_t len)
{
	ASSERT(m->len + len <= sizeof(m->data));
	m->len += len;
	return data ? memcpy(m->data + m->len - len, data, len)
		    : memset(m->data + m->len - len, 0, len);
}

static void add_le32(struct image *m, uint32_t v)
{
	vd_put_le32(add(m, NULL, 4), v);
}

/* Where things are: version 3.5, one audio track. */
enum {
	BASE = SECTORS * 2352,
	TRACK = BASE + 4,
	MARK = TRACK + 4,
	NAME = MARK + 24,
	MEDIUM = NAME + 1 + 19 + 10,
	INDICES = MEDIUM + 2,
	TEXTS = INDICES + 10,
	MODE = TEXTS + 6,
	ADDRESS = MODE + 16,
	LENGTH = ADDRESS + 4,
	READ = LENGTH + 20,
	END = READ + 4 + 29 + 9 + 78,
};

static void make(struct image *m)
{
	static const uint8_t mark[20] = { 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
					  0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

	m->len = 0;
	memset(add(m, NULL, (size_t)SECTORS * 2352), 7, (size_t)SECTORS * 2352);
	add(m, "\1\0\1\0\0\0\0\0", 8);
	add(m, mark, 20);
	add(m, NULL, 4 + 1 + 19);
	add_le32(m, 0x80000000);
	add(m, NULL, 6);
	add(m, "\x98\0\2\0", 4);
	add_le32(m, 150);
	add_le32(m, SECTORS - 150);
	add(m, NULL, 6 + 4 + 12);
	add_le32(m, 0);
	add_le32(m, SECTORS);
	add(m, NULL, 16);
	add_le32(m, 2);
	add(m, NULL, 29 + 5);
	add_le32(m, UINT32_MAX);
	add(m, NULL, 78);
	ASSERT_UINT(m->len, END);
	add(m, NULL, 13);
	add_le32(m, 0x80000006);
	add_le32(m, (uint32_t)m->len + 4 - BASE);
}

static void test_smallest(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	uint8_t s[2352];
	struct vd_disc *d;

	make(m);
	ASSERT_OK(fixture_try_bytes("a.cdi", m->data, m->len, &d, &err));
	CHECK_INT(d->ntracks, 1);
	CHECK_INT(d->tracks[0].start, 0);
	CHECK_INT(d->tracks[0].length, SECTORS - 150);
	ASSERT_OK(vd_disc_read_sectors(d, -150, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[0], 7);
	vd_disc_close(d);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ BASE, 0, "a.cdi: descriptor at byte 376320: 0 sessions" },
		{ BASE, 100, "a.cdi: descriptor at byte 376320: 100 sessions" },
		{ BASE, 2, "a.cdi: session at byte 376573: it is cut short" },
		{ BASE + 2, 0, "a.cdi: session at byte 376322: 0 tracks" },
		{ BASE + 2, 100, "a.cdi: session at byte 376322: 100 tracks" },
		{ BASE + 2, 2, "a.cdi: track at byte 376560: it is cut short" },
		{ TRACK, 1, "a.cdi: track at byte 376324: it does not begin as one" },
		{ MARK + 2, 0, "a.cdi: track at byte 376324: it does not begin as one" },
		{ MARK + 19, 0, "a.cdi: track at byte 376324: it does not begin as one" },
		{ NAME, 255, "a.cdi: track at byte 376324: it is cut short" },
		{ INDICES + 1, 1, "a.cdi: track at byte 376324: it is cut short" },
		{ TEXTS + 3, 1, "a.cdi: track at byte 376324: it is cut short" },
		{ INDICES + 2, 160,
		  "a.cdi: track at byte 376324: 160 sectors from -150 on with a pregap of 160" },
		{ INDICES + 2, 149, "a.cdi: track at byte 376324: INDEX 01 at -1" },
		{ MODE, 3, "a.cdi: track at byte 376324: it is of mode 3, which is not known" },
		{ READ, 5,
		  "a.cdi: track at byte 376324: it was read in way 5, which is not known" },
		{ READ, 0, "a.cdi: track at byte 376324: " },
		{ LENGTH, SECTORS + 1,
		  "a.cdi: track at byte 376324: its 161 sectors end at byte 378672, the sectors at "
		  "376320" },
		{ LENGTH + 3, 1, "a.cdi: track at byte 376324: its 16777376 sectors end at byte" },
		{ ADDRESS + 3, 0x80,
		  "a.cdi: track at byte 376324: 160 sectors from 2147483498 on" },
	};
	struct image *m = check_alloc(sizeof(*m));

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d;

		make(m);
		m->data[rows[i].at] = rows[i].byte;
		if (!CHECK_ERRNO(fixture_try_bytes("a.cdi", m->data, m->len, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, rows[i].words);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
	}
}

/* Cut anywhere in its descriptor it is refused in words, or it was behind what a disc needs. */
static void test_cut(void)
{
	struct image *m = check_alloc(sizeof(*m)), *cut = check_alloc(sizeof(*cut));

	make(m);
	for (size_t n = BASE; n < m->len - 8; n++) {
		struct vd_error err = { "" };
		struct vd_disc *d;
		int r;

		memcpy(cut->data, m->data, n);
		cut->len = n;
		add_le32(cut, 0x80000006);
		add_le32(cut, (uint32_t)(n + 8 - BASE));
		r = fixture_try_bytes("a.cdi", cut->data, cut->len, &d, &err);
		CHECK_ERRNO(r, n < END ? -EINVAL : 0);
		vd_disc_close(d);
	}
}

/* A name of another kind, its end alone, and where it says to be: only all of it makes one. */
static void test_not_one(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	struct vd_disc *d;

	make(m);
	m->data[m->len - 8] = 7;
	CHECK_ERRNO(fixture_try_bytes("a.cdi", m->data, m->len, &d, &err), -EMEDIUMTYPE);
	make(m);
	m->data[m->len - 1] = 1;
	CHECK_ERRNO(fixture_try_bytes("a.cdi", m->data, m->len, &d, &err), -EMEDIUMTYPE);
}

/* A second session that says to be where the first one is, is put where a recorder would have put it. */
static void test_address(void)
{
	struct vd_disc *d = fixture_disc(FIX_SESSIONS), *back;
	char *path = write_cdi2(d, "addresses");
	size_t len, tracks = 0;
	uint8_t *data = (uint8_t *)check_read_file(path, &len), *p;

	for (p = data + vd_get_le32(data + len - 4); p < data + len - 30; p++)
		if (!memcmp(p,
			    "\0\0\1\0\0\0\xff\xff\xff\xff"
			    "abc",
			    13) &&
		    ++tracks == 4)
			/* name, 19, capacity, indices and their lengths, texts, 2, mode and 12 */
			vd_put_le32(p + 14 + 12 + 19 + 4 + 2 + 8 + 4 + 2 + 4 + 12, 5);
	check_write_file(path, data, len);
	back = fixture_open(path, NULL);
	CHECK_UINT(tracks, d->ntracks);
	CHECK_INT(back->tracks[3].start, d->sessions[0].leadout + VD_SESSION_GAP_FIRST);
	vd_disc_close(back);
	vd_disc_close(d);
}

/* The pregap of a DVD is stored, but no sector of it has an address. */
static void test_dvd(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	uint8_t user[2048];
	struct vd_disc *d;

	make(m);
	m->data[MEDIUM] = 0x38;
	m->data[MODE] = 1;
	m->data[READ] = 0;
	/* What its descriptor is behind, is 2048 bytes a sector. */
	memset(m->data + 150 * 2048, 9, 2048);
	ASSERT_OK(fixture_try_bytes("a.cdi", m->data, m->len, &d, &err));
	CHECK_INT(vd_disc_media(d), VD_MEDIA_DVD_ROM);
	CHECK_INT(d->extents[0].lba, 0);
	CHECK_UINT(vd_disc_size(d), (SECTORS - 150) * 2048);
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 0));
	CHECK_UINT(user[5], 9);
	ASSERT_OK(vd_disc_pread(d, user, sizeof(user), 2048));
	CHECK_UINT(user[5], 7);
	vd_disc_close(d);
}

/* Sectors with 16 bytes of Q: these are skipped. */
static void test_q(void)
{
	struct image *m = check_alloc(sizeof(*m) + SECTORS * 16);
	struct vd_error err = { "" };
	uint8_t s[2352], *big = check_alloc(SECTORS * 2368 + 2048);
	struct vd_disc *d;
	size_t rest;

	make(m);
	m->data[READ] = 3;
	rest = m->len - BASE;
	memset(big + (size_t)159 * 2368, 5, 2352);
	memcpy(big + (size_t)SECTORS * 2368, m->data + BASE, rest);
	check_write_file(check_path("q.cdi"), big, SECTORS * 2368 + rest);
	ASSERT_OK(fixture_try(check_path("q.cdi"), &d, &err));
	ASSERT_OK(vd_disc_read_sectors(d, 9, 1, VD_READ_MAIN, s));
	CHECK_UINT(s[0], 5);
	CHECK_UINT(s[2351], 5);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "smallest", test_smallest },
	{ "errors", test_errors },
	{ "cut", test_cut },
	{ "not_one", test_not_one },
	{ "address", test_address },
	{ "dvd", test_dvd },
	{ "q", test_q },
};
CHECK_MAIN(tests)
