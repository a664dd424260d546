// SPDX-License-Identifier: GPL-3.0-or-later
/* NRG: what is wrong is told with its place; what other programs read in the same file. All that it holds is in test_formats.c. */
#include "disc_writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/endian.h"

#define SECTORS 4u
#define PREGAP (150u * 2048)

struct image {
	uint8_t data[131072];
	size_t len;
};

static uint8_t *add(struct image *m, const void *data, size_t len)
{
	ASSERT(m->len + len <= sizeof(m->data));
	m->len += len;
	return data ? memcpy(m->data + m->len - len, data, len)
		    : memset(m->data + m->len - len, 0, len);
}

static void add_be32(struct image *m, uint32_t v)
{
	const uint8_t b[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			      (uint8_t)v };

	add(m, b, 4);
}

static void add_chunk(struct image *m, const char *id, uint32_t len)
{
	add(m, id, 4);
	add_be32(m, len);
}

/* Mode 1 sectors of 2048 bytes with no pregap, recorded at once: chunk by chunk, so that tests can change each. */
enum { CUEX_AT = SECTORS * 2048 + 8, DAOX_AT = CUEX_AT + 32 + 8 };

static void make(struct image *m)
{
	static const uint8_t cue[] = { 0x41, 1,	   0, 0, 0, 0, 0, 0, 0x41, 1,	 1, 0, 0, 0, 0, 0,
				       0x41, 0xaa, 1, 0, 0, 0, 0, 4, 0x41, 0xbb, 0, 0, 0, 0, 0, 0 };
	uint8_t *p;

	m->len = 0;
	add(m, NULL, (size_t)SECTORS * 2048);
	add_chunk(m, "CUEX", 32);
	add(m, cue, 32);
	add_chunk(m, "DAOX", 64);
	p = add(m, NULL, 64);
	p[20] = p[21] = 1;
	p[22 + 12] = 0x08; /* 2048 bytes a sector */
	p[22 + 40] = (SECTORS * 2048) >> 8;
	add_chunk(m, "SINF", 4);
	add_be32(m, 1);
	add_chunk(m, "END!", 0);
	add(m, "NER5\0\0\0\0", 8);
	add_be32(m, SECTORS * 2048);
}

static void test_smallest(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	struct vd_disc *d;

	make(m);
	ASSERT_OK(fixture_try_bytes("a.nrg", m->data, m->len, &d, &err));
	CHECK_INT(d->ntracks, 1);
	CHECK_INT(d->tracks[0].start, 0);
	CHECK_INT(d->tracks[0].length, SECTORS);
	vd_disc_close(d);
}

/* One byte after the other is changed in the smallest image; the words say what is wrong, and where. */
static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ CUEX_AT - 8, 1, "a.nrg: no chunk at byte 8192" },
		{ CUEX_AT - 8, 'c', "a.nrg: DAOX at byte 8232: no CUES or CUEX before it" },
		{ CUEX_AT - 4, 1, "a.nrg: CUEX at byte 8192: 16777248 bytes, but 124 are left" },
		{ CUEX_AT + 9, 2, "a.nrg: CUEX at byte 8192: no INDEX 01 of track 1" },
		{ CUEX_AT + 12, 0x80, "a.nrg: CUEX at byte 8192: INDEX 01 of track 1 is at -" },
		{ DAOX_AT - 8, 'd', "a.nrg: no track" },
		{ DAOX_AT + 20, 0, "a.nrg: DAOX at byte 8232: 1 tracks from track 0 on" },
		{ DAOX_AT + 20, 100, "a.nrg: DAOX at byte 8232: 1 tracks from track 100 on" },
		{ DAOX_AT + 22 + 12, 9,
		  "a.nrg: DAOX at byte 8232: track 1 has sectors of 2304 bytes, but its mode 00 is of "
		  "2048" },
		{ DAOX_AT + 22 + 14, 9,
		  "a.nrg: DAOX at byte 8232: track 1 is of mode 09, which is not known" },
		{ DAOX_AT + 22 + 14, 5,
		  "a.nrg: DAOX at byte 8232: track 1 has sectors of 2048 bytes, but its mode 05 is of "
		  "2352" },
		{ DAOX_AT + 22 + 18, 1, "a.nrg: DAOX at byte 8232: track 1 lies from byte 72" },
		{ DAOX_AT + 22 + 34, 1, "a.nrg: DAOX at byte 8232: track 1 lies from byte 0 over" },
		{ DAOX_AT + 22 + 40, 0, "a.nrg: DAOX at byte 8232: track 1 lies from byte 0 over" },
		{ DAOX_AT + 22 + 40, 1, "a.nrg: DAOX at byte 8232: track 1 has not one whole" },
		{ DAOX_AT + 22 + 32, 1, "a.nrg: DAOX at byte 8232: track 1 has no whole sectors" },
		{ DAOX_AT + 64 + 8 + 4, 'e', "a.nrg: the chunks have no END!" },
		{ DAOX_AT + 64 + 8 + 4 + 8 + 4, 1, "a.nrg: its chunks begin at byte 72" },
		{ DAOX_AT + 64 + 8 + 4 + 8 + 11, 1, "a.nrg: no chunk at byte 8193" },
	};
	struct image *m = check_alloc(sizeof(*m));

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		struct vd_disc *d = NULL;

		make(m);
		m->data[rows[i].at] = rows[i].byte;
		if (!CHECK_ERRNO(fixture_try_bytes("a.nrg", m->data, m->len, &d, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, rows[i].words);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
	}
}

/* A cue sheet with more indices than 99 tracks can have is not looked through for each of them. */
static void test_too_many_indices(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	add(m, NULL, (size_t)SECTORS * 2048);
	add_chunk(m, "CUEX", 9903 * 8);
	add(m, NULL, 9903 * 8);
	add_chunk(m, "END!", 0);
	add(m, "NER5\0\0\0\0", 8);
	add_be32(m, SECTORS * 2048);
	CHECK_ERRNO(fixture_try_bytes("a.nrg", m->data, m->len, &d, &err), -EINVAL);
	CHECK_STR(err.text, "a.nrg: CUEX at byte 8192: 9903 entries; there can be 9902");
	vd_disc_close(d);
}

/* Cut anywhere, it is refused or read without a crash; a footer that is gone makes it something else. */
static void test_cut(void)
{
	struct image *m = check_alloc(sizeof(*m));

	make(m);
	for (size_t n = SECTORS * 2048; n < m->len; n++) {
		struct image *cut = check_alloc(sizeof(*cut));
		struct vd_error err = { "" };
		struct vd_disc *d = NULL;

		memcpy(cut->data, m->data, n);
		memcpy(cut->data + n - 12, "NER5\0\0\0\0\0\0\x20\0", 12);
		cut->len = n;
		if (fixture_try_bytes("a.nrg", cut->data, cut->len, &d, &err))
			CHECK(err.text[0] != '\0');
		vd_disc_close(d);
	}
}

/* Minutes, seconds and frames of version 1: the tests elsewhere write BCD, this is the other way. */
static void test_binary_msf(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS | FIX_SESSIONS), *back;
	char *path = write_nrg1(d, "bcd");
	size_t len;
	uint8_t *data = (uint8_t *)check_read_file(path, &len), *p;

	for (p = data + vd_get_be32(data + len - 4); p < data + len - 16;
	     p += 8 + vd_get_be32(p + 4)) {
		if (memcmp(p, "CUES", 4))
			continue;
		for (uint8_t *e = p + 8; e < p + 8 + vd_get_be32(p + 4); e += 8)
			for (int i = 5; i < 8; i++)
				e[i] = (uint8_t)((e[i] >> 4) * 10 + (e[i] & 0xf));
	}
	path = check_path("binary.nrg");
	check_write_file(path, data, len);
	back = fixture_open(path, NULL);
	CHECK(fixture_same(d, back, "binary"));
	vd_disc_close(back);
	vd_disc_close(d);
}

/* Addresses that cannot be are put where a recorder would have. */
static void test_tao_without_addresses(void)
{
	struct vd_disc *d = fixture_disc(FIX_SESSIONS), *back;
	char *path = write_nrg_tao(d, "tao");
	size_t len;
	uint8_t *data = (uint8_t *)check_read_file(path, &len), *p;

	for (p = data + vd_get_be32(data + len - 4); p < data + len - 20;
	     p += 8 + vd_get_be32(p + 4))
		for (uint8_t *e = p + 8; !memcmp(p, "ETN2", 4) && e < p + 8 + vd_get_be32(p + 4);
		     e += 32)
			memset(e + 20, 0, 4);
	check_write_file(path, data, len);
	back = fixture_open(path, NULL);
	CHECK_INT(back->ntracks, 6);
	CHECK_INT(back->tracks[1].start, 300 + 150);
	CHECK_INT(back->tracks[3].start, back->sessions[0].leadout + VD_SESSION_GAP_FIRST);
	CHECK_INT(back->tracks[4].start, back->sessions[1].leadout + VD_SESSION_GAP);
	vd_disc_close(back);
	vd_disc_close(d);
}

/*
 * nrg2iso takes what is behind the 150 sectors of the first pregap, 2048 bytes each, and ends where it cannot find more; the user
 * data of the first track has to be the same.
 */
static void test_nrg2iso(void)
{
	struct image *m = check_alloc(sizeof(*m));
	struct vd_error err = { "" };
	uint8_t user[2048], *big, *p;
	const uint8_t *iso;
	struct vd_disc *d;
	size_t len;

	if (!check_have_program("nrg2iso"))
		CHECK_SKIP("needs nrg2iso");
	/* The smallest image with the pregap before it. */
	make(m);
	big = check_alloc(PREGAP + m->len);
	for (size_t i = 0; i < SECTORS * 2048; i++)
		m->data[i] = (uint8_t)(i * 7 >> 3);
	memcpy(big + PREGAP, m->data, m->len);
	p = big + PREGAP + DAOX_AT + 22 + 18;
	vd_put_be32(p + 12, PREGAP);
	vd_put_be32(p + 20, PREGAP + SECTORS * 2048);
	vd_put_be32(big + PREGAP + m->len - 4, PREGAP + SECTORS * 2048);
	check_write_file(check_path("pregap.nrg"), big, PREGAP + m->len);
	check_sh("cd '%s' && nrg2iso pregap.nrg pregap.iso", check_tmpdir());
	iso = (const uint8_t *)check_read_file(check_path("pregap.iso"), &len);
	ASSERT(len >= SECTORS * 2048);
	if (fixture_try(check_path("pregap.nrg"), &d, &err))
		ASSERT_FAIL("%s", err.text);
	for (uint32_t i = 0; i < SECTORS; i++) {
		ASSERT_OK(vd_disc_pread(d, user, sizeof(user), (uint64_t)i * 2048));
		CHECK_MEM(user, iso + (size_t)i * 2048, sizeof(user));
	}
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "smallest", test_smallest },
	{ "errors", test_errors },
	{ "too_many_indices", test_too_many_indices },
	{ "cut", test_cut },
	{ "binary_msf", test_binary_msf },
	{ "tao_without_addresses", test_tao_without_addresses },
	{ "nrg2iso", test_nrg2iso },
};
CHECK_MAIN(tests)
