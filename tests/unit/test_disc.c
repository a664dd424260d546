// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * lib/disc: every layout read through the user data view and compared with what the sectors were made of.
 */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "disc/disc.h"
#include "rawsector.h"
#include "test_store_mem.h"
#include "util/cleanup.h"

#define SECTORS 100u /* several of disc.c's batches */

#define _cleanup_disc_ _cleanup_(vd_cleanup_disc)

static const enum vd_sector_layout layouts[] = { VD_LAYOUT_2048, VD_LAYOUT_2336, VD_LAYOUT_2352,
						 VD_LAYOUT_2448 };

static void fill(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

/* A store of @n sectors that begin at @skip bytes into it, with the user data @user. */
static struct mem_store *make_store(enum vd_sector_layout layout, enum vd_track_mode mode,
				    const uint8_t *user, uint32_t n, int32_t start, uint64_t skip)
{
	uint32_t size = vd_layout_size(layout);
	struct mem_store *m = mem_store_new(NULL, skip + (uint64_t)n * size);

	memset(m->data, 0xee, skip);
	for (uint32_t i = 0; i < n; i++)
		raw_sector_make(m->data + skip + (uint64_t)i * size, layout,
				mode == VD_TRACK_MODE1 ? RAW_MODE1 : RAW_MODE2_FORM1,
				start + (int32_t)i, user + (uint64_t)i * 2048);
	return m;
}

static struct mem_store *add_track(struct vd_disc *d, int number, enum vd_sector_layout layout,
				   enum vd_track_mode mode, const uint8_t *user, uint32_t n,
				   int32_t start)
{
	struct mem_store *m = make_store(layout, mode, user, n, start, 1000);
	struct vd_track t = {
		.number = number, .session = 1, .mode = mode, .start = start, .length = n
	};
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_own_store(d, &m->store));
	CHECK_OK(vd_disc_add_stored_track(d, &t, layout, &m->store, 1000, &err));
	CHECK_STR(err.text, "");
	return m;
}

/* Reads all of it at once, then in pieces that are aligned to nothing. */
static void check_view(struct vd_disc *d, const uint8_t *model, uint64_t size)
{
	uint8_t *got = check_alloc(size);
	uint32_t seed = 9;

	ASSERT_UINT(vd_disc_size(d), size);
	memset(got, 0xa5, size);
	ASSERT_OK(vd_disc_pread(d, got, size, 0));
	ASSERT_MEM(got, model, size);
	for (int i = 0; i < 2000; i++) {
		uint64_t off, len;

		seed = seed * 1664525 + 1013904223;
		off = seed % size;
		seed = seed * 1664525 + 1013904223;
		len = (seed >> 8) % (i % 10 ? 5000 : 100000);
		if (len > size - off)
			len = size - off;
		memset(got, 0xa5, len + (off + len < size));
		ASSERT_OK(vd_disc_pread(d, got, len, off));
		ASSERT_MEM(got, model + off, len);
		if (off + len < size)
			ASSERT_UINT(got[len], 0xa5); /* nothing beyond */
	}
}

static void test_layout_sizes(void)
{
	CHECK_UINT(vd_layout_size(VD_LAYOUT_2048), 2048);
	CHECK_UINT(vd_layout_size(VD_LAYOUT_2336), 2336);
	CHECK_UINT(vd_layout_size(VD_LAYOUT_2352), 2352);
	CHECK_UINT(vd_layout_size(VD_LAYOUT_2448), 2448);
}

static void test_layouts(void)
{
	uint8_t *user = check_alloc(SECTORS * 2048);

	fill(user, SECTORS * 2048, 1);
	for (size_t l = 0; l < VD_ARRAY_SIZE(layouts); l++)
		for (int mode = VD_TRACK_MODE1; mode <= VD_TRACK_MODE2; mode++) {
			_cleanup_disc_ struct vd_disc *d = NULL;

			/* Mode 1 has no 2336-byte form. */
			if (layouts[l] == VD_LAYOUT_2336 && mode == VD_TRACK_MODE1)
				continue;
			ASSERT_OK(vd_disc_new(&d));
			add_track(d, 1, layouts[l], (enum vd_track_mode)mode, user, SECTORS, 0);
			check_view(d, user, SECTORS * 2048);
			if (check_failed()) {
				CHECK_FAIL("layout %u, mode %d", vd_layout_size(layouts[l]),
					   mode + 1);
				return;
			}
		}
}

/* Sectors without a 2048-byte form, between others: Form 2 and mode 0. */
static void test_other_forms_read_zeros(void)
{
	static const enum raw_form forms[] = { RAW_MODE2_FORM2, RAW_MODE0 };
	uint8_t *user = check_alloc(SECTORS * 2048);

	fill(user, SECTORS * 2048, 2);
	for (size_t l = 1; l < VD_ARRAY_SIZE(layouts); l++) {
		_cleanup_disc_ struct vd_disc *d = NULL;
		uint32_t size = vd_layout_size(layouts[l]);
		uint8_t *model = check_alloc(SECTORS * 2048);
		struct mem_store *m;

		memcpy(model, user, SECTORS * 2048);
		ASSERT_OK(vd_disc_new(&d));
		m = add_track(d, 1, layouts[l], VD_TRACK_MODE2, user, SECTORS, 0);
		for (uint32_t i = 3; i < SECTORS; i += 7) {
			/* A 2336-byte sector says no mode, so only Form 2 there. */
			enum raw_form form =
				layouts[l] == VD_LAYOUT_2336 ? RAW_MODE2_FORM2 : forms[i % 2];

			raw_sector_make(m->data + 1000 + (uint64_t)i * size, layouts[l], form,
					(int32_t)i, user);
			memset(model + (uint64_t)i * 2048, 0, 2048);
		}
		check_view(d, model, SECTORS * 2048);
	}
}

/* Layouts that raw_sector_make() has not: the same view, with other bytes between the sectors or without. */
static void test_other_layouts(void)
{
	static const struct {
		enum vd_sector_layout layout;
		enum vd_track_mode mode;
		unsigned int user; /* where it is in a sector; 0: the view has zeros */
		unsigned int len;
		bool swapped;
	} rows[] = {
		{ VD_LAYOUT_2048, VD_TRACK_MODE2, 24, 2048, false },
		{ VD_LAYOUT_2324, VD_TRACK_MODE2, 0, 2324, false },
		{ VD_LAYOUT_2328, VD_TRACK_MODE2, 0, 2328, false },
		{ VD_LAYOUT_2332, VD_TRACK_MODE2, 24, 2332, false },
		{ VD_LAYOUT_2336, VD_TRACK_MODE2, 24, 2336, false },
		{ VD_LAYOUT_2352_SWAPPED, VD_TRACK_MODE1, 16, 2352, true },
		{ VD_LAYOUT_2352_SWAPPED, VD_TRACK_MODE2, 24, 2352, true },
		{ VD_LAYOUT_2352, VD_TRACK_AUDIO, 0, 2352, false },
		{ VD_LAYOUT_2352_SWAPPED, VD_TRACK_AUDIO, 0, 2352, true },
	};
	uint8_t *user = check_alloc(SECTORS * 2048);
	const uint8_t *zeros = check_alloc(SECTORS * 2048);

	fill(user, SECTORS * 2048, 11);
	for (size_t r = 0; r < VD_ARRAY_SIZE(rows); r++)
		for (unsigned int gap = 0; gap <= 300; gap += 150) {
			_cleanup_disc_ struct vd_disc *d = NULL;
			const uint32_t stride = rows[r].len + gap;
			struct mem_store *m = mem_store_new(NULL, SECTORS * stride);
			struct vd_track t = {
				.number = 1, .session = 1, .mode = rows[r].mode, .length = SECTORS
			};
			struct vd_extent x = { .length = SECTORS,
					       .layout = rows[r].layout,
					       .store = &m->store,
					       .stride = stride };

			for (uint32_t i = 0; i < SECTORS; i++) {
				uint8_t s[2352], *to = m->data + i * stride;

				raw_sector_make(s, VD_LAYOUT_2352,
						rows[r].mode == VD_TRACK_MODE2 ? RAW_MODE2_FORM1
									       : RAW_MODE1,
						(int32_t)i, user + i * 2048);
				if (rows[r].layout == VD_LAYOUT_2048)
					memcpy(to, s + 24, 2048);
				else
					memcpy(to, rows[r].len < 2352 ? s + 16 : s, rows[r].len);
				for (size_t k = 0; rows[r].swapped && k < 2352; k += 2) {
					uint8_t c = to[k];

					to[k] = to[k + 1];
					to[k + 1] = c;
				}
			}
			ASSERT_OK(vd_disc_new(&d));
			ASSERT_OK(vd_disc_own_store(d, &m->store));
			ASSERT_OK(vd_disc_add_track(d, &t, NULL));
			ASSERT_OK(vd_disc_add_extent(d, &x, NULL));
			check_view(d, rows[r].user ? user : zeros, SECTORS * 2048);
			if (check_failed()) {
				CHECK_FAIL("row %zu, gap %u", r, gap);
				return;
			}
		}
}

/* One bit of the submode says Form 2; the others have no say. */
/* Whatever a sector's header is, the view takes it for what reading the sector does, and what disc.iso cannot show is told by that. */
static void test_view_agrees(void)
{
	uint8_t *user = check_alloc(512 * 2048);

	fill(user, 512 * 2048, 13);
	for (int i = 0; i < 4; i++) {
		const enum vd_track_mode mode = i & 1 ? VD_TRACK_MODE2 : VD_TRACK_MODE1;
		_cleanup_disc_ struct vd_disc *d = NULL;
		struct mem_store *m;

		ASSERT_OK(vd_disc_new(&d));
		m = add_track(d, 1, VD_LAYOUT_2352, mode, user, 512, 0);
		ASSERT_OK(vd_disc_set_session_type(d, 1, i & 2 ? VD_SESSION_XA : VD_SESSION_CDROM,
						   NULL));
		for (int lba = 0; lba < 512; lba++) {
			uint8_t *s = m->data + 1000 + (size_t)lba * 2352;

			s[15] = (uint8_t)lba;
			s[5] = lba & 256 ? 0xff : 0xfe; /* of the sync pattern */
			s[18] = lba & 64 ? 0x20 : 0x08;
			s[22] = lba & 128 ? s[18] : 0x21;
		}
		for (int lba = 0; lba < 512; lba++) {
			uint8_t got[2048], expected[2048] = { 0 }, raw[2352];
			enum vd_sector_kind kind;

			ASSERT_OK(vd_disc_sector_kind(d, lba, &kind));
			ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, raw));
			if (kind == VD_KIND_MODE1)
				memcpy(expected, raw + 16, 2048);
			else if (kind == VD_KIND_MODE2_FORM1)
				memcpy(expected, raw + 24, 2048);
			ASSERT_OK(vd_disc_pread(d, got, sizeof(got), (uint64_t)lba * 2048));
			ASSERT_MEM(got, expected, sizeof(got));
		}
	}
}

static void test_form_bit(void)
{
	uint8_t *user = check_alloc(8 * 2048), *model = check_alloc(8 * 2048);
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct mem_store *m;

	fill(user, 8 * 2048, 12);
	memcpy(model, user, 8 * 2048);
	ASSERT_OK(vd_disc_new(&d));
	m = add_track(d, 1, VD_LAYOUT_2352, VD_TRACK_MODE2, user, 8, 0);
	for (int bit = 0; bit < 8; bit++)
		m->data[1000 + bit * 2352 + 18] = (uint8_t)(1 << bit);
	memset(model + 5 * 2048, 0, 2048);
	check_view(d, model, 8 * 2048);
}

static void test_gaps_read_zeros(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	uint8_t *model = check_alloc(400 * 2048);

	/* Begins late, has a gap, changes its layout without one. */
	fill(model + 20 * 2048, 30 * 2048, 3);
	fill(model + 200 * 2048, 40 * 2048, 4);
	fill(model + 240 * 2048, 60 * 2048, 5);
	ASSERT_OK(vd_disc_new(&d));
	add_track(d, 1, VD_LAYOUT_2048, VD_TRACK_MODE1, model + 20 * 2048, 30, 20);
	add_track(d, 2, VD_LAYOUT_2352, VD_TRACK_MODE2, model + 200 * 2048, 40, 200);
	add_track(d, 3, VD_LAYOUT_2448, VD_TRACK_MODE1, model + 240 * 2048, 60, 240);
	check_view(d, model, 300 * 2048);
}

/* LBA -150 is valid; the view begins at 0 all the same. */
static void test_negative_start(void)
{
	for (size_t l = 0; l < VD_ARRAY_SIZE(layouts); l++) {
		_cleanup_disc_ struct vd_disc *d = NULL;
		uint8_t *user = check_alloc(200 * 2048);

		fill(user, 200 * 2048, 6);
		ASSERT_OK(vd_disc_new(&d));
		add_track(d, 1, layouts[l], VD_TRACK_MODE2, user, 200, -150);
		check_view(d, user + 150 * 2048, 50 * 2048);
	}
}

static void test_all_before_zero(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	uint8_t *user = check_alloc(150 * 2048), c;

	ASSERT_OK(vd_disc_new(&d));
	CHECK_UINT(vd_disc_size(d), 0);
	CHECK_ERRNO(vd_disc_pread(d, &c, 1, 0), -EINVAL);
	add_track(d, 1, VD_LAYOUT_2048, VD_TRACK_MODE1, user, 100, -150);
	CHECK_UINT(vd_disc_size(d), 0);
	add_track(d, 2, VD_LAYOUT_2048, VD_TRACK_MODE1, user, 50, -50);
	CHECK_UINT(vd_disc_size(d), 0);
	CHECK_ERRNO(vd_disc_pread(d, &c, 1, 0), -EINVAL);
	CHECK_OK(vd_disc_pread(d, &c, 0, 0));
}

static void test_bounds(void)
{
	static const struct {
		uint64_t off, len;
		int code;
	} rows[] = {
		{ 0, 20480, 0 },
		{ 20480, 0, 0 },
		{ 20479, 1, 0 },
		{ 20480, 1, -EINVAL },
		{ 20479, 2, -EINVAL },
		{ 0, 20481, -EINVAL },
		{ 20481, 0, -EINVAL },
		{ UINT64_MAX, 1, -EINVAL },
		{ UINT64_MAX - 2047, 2048, -EINVAL },
		{ 1, UINT64_MAX, -EINVAL },
	};
	uint8_t *user = check_alloc(20480), *got = check_alloc(20481);

	for (size_t l = 0; l < VD_ARRAY_SIZE(layouts); l++) {
		_cleanup_disc_ struct vd_disc *d = NULL;

		ASSERT_OK(vd_disc_new(&d));
		add_track(d, 1, layouts[l], VD_TRACK_MODE2, user, 10, 0);
		for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++)
			CHECK_ERRNO(vd_disc_pread(d, got, rows[i].len, rows[i].off), rows[i].code);
	}
}

static void test_map(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	uint8_t *user = check_alloc(40 * 2048), got[2048];
	const char *path = check_path("map");
	struct vd_fd_range r = { .fd = -1 };
	struct vd_track t = { .number = 1, .session = 1, .start = 10, .length = 20 };
	struct vd_store *s;

	fill(user, 40 * 2048, 7);
	check_write_file(path, user, 40 * 2048);
	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &s, NULL));
	ASSERT_OK(vd_disc_own_store(d, s));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, s, 5 * 2048, NULL));
	add_track(d, 2, VD_LAYOUT_2352, VD_TRACK_MODE1, user, 20, 35);

	/* LBA 10 is at sector 5 of the file; one range as far as the track goes. */
	ASSERT_OK(vd_disc_map(d, 10 * 2048 + 3, 20 * 2048 - 3, &r));
	CHECK_UINT(r.offset, 5 * 2048 + 3);
	CHECK_UINT(r.len, 20 * 2048 - 3);
	ASSERT_INT(pread(r.fd, got, 2048, (off_t)r.offset), 2048);
	CHECK_MEM(got, user + r.offset, 2048);
	ASSERT_OK(vd_disc_map(d, 29 * 2048, 10 * 2048, &r));
	CHECK_UINT(r.offset, 24 * 2048);
	CHECK_UINT(r.len, 2048);

	CHECK_ERRNO(vd_disc_map(d, 0, 2048, &r), -EOPNOTSUPP);	       /* before the first track */
	CHECK_ERRNO(vd_disc_map(d, 30 * 2048, 2048, &r), -EOPNOTSUPP); /* the gap */
	CHECK_ERRNO(vd_disc_map(d, 40 * 2048, 2048, &r), -EOPNOTSUPP); /* 2352 bytes a sector */
	CHECK_ERRNO(vd_disc_map(d, 10 * 2048, 0, &r), -EINVAL);
	CHECK_ERRNO(vd_disc_map(d, 55 * 2048, 1, &r), -EINVAL);
	CHECK_ERRNO(vd_disc_map(d, UINT64_MAX, 2, &r), -EINVAL);
}

static void test_map_no_file(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	uint8_t *user = check_alloc(2048);
	struct vd_fd_range r = { .fd = -1 };

	ASSERT_OK(vd_disc_new(&d));
	add_track(d, 1, VD_LAYOUT_2048, VD_TRACK_MODE1, user, 1, 0);
	CHECK_ERRNO(vd_disc_map(d, 0, 2048, &r), -EOPNOTSUPP);
}

static const struct vd_track good_track = {
	.number = 2, .session = 1, .start = 100, .length = 10, .isrc = "USRC17607839"
};

/* A good track or extent, but for what is assigned to it. */
#define TRACK(...)                                                                                 \
	({                                                                                         \
		struct vd_track t_ = { .number = 3, .session = 1, .start = 110, .length = 10 };    \
		__VA_ARGS__;                                                                       \
		t_;                                                                                \
	})

static void test_wrong_tracks(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	const struct {
		struct vd_track t;
		const char *words;
	} rows[] = {
		{ TRACK(t_.start = 100), "track 3 overlaps the one before" },
		{ TRACK(t_.start = 109), "overlaps" },
		{ TRACK(t_.pregap = 1), "overlaps" },
		{ TRACK(t_.start = INT32_MIN, t_.pregap = UINT32_MAX), "overlaps" },
		{ TRACK(t_.length = 0), "track 3 is empty" },
		{ TRACK(t_.start = INT32_MAX - 5), "track 3 ends beyond the last address" },
		{ TRACK(t_.length = UINT32_MAX), "beyond" },
		{ TRACK(t_.number = 2), "track 2 comes after track 2" },
		{ TRACK(t_.number = 0), "track 0: numbers are 1 to 99" },
		{ TRACK(t_.number = 100), "track 100" },
		{ TRACK(t_.session = 0), "session 0 comes after session 1" },
		{ TRACK(t_.session = 3), "session 3 comes after session 1" },
		{ TRACK(t_.mode = (enum vd_track_mode)3), "track 3 has no mode" },
		{ TRACK(strcpy(t_.isrc, "USRC1760783")), "track 3: an ISRC is 12 characters" },
		{ TRACK(strcpy(t_.isrc, "USRC1760783X")), "ISRC" },
		{ TRACK(strcpy(t_.isrc, "usrc17607839")), "ISRC" },
	};
	struct vd_track before = good_track;
	struct vd_track last = TRACK(strcpy(t_.isrc, ""));
	struct vd_error first = { "" };

	ASSERT_OK(vd_disc_new(&d));
	before.start = -100;
	before.pregap = 51;
	CHECK_ERRNO(vd_disc_add_track(d, &before, &first), -EINVAL);
	CHECK_STR(first.text, "track 2 begins before 00:00:00");
	CHECK_INT(d->nsessions, 0);
	ASSERT_OK(vd_disc_add_track(d, &good_track, NULL));
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };

		CHECK_ERRNO(vd_disc_add_track(d, &rows[i].t, &err), -EINVAL);
		CHECK_HAS(err.text, rows[i].words);
	}
	CHECK_UINT(d->ntracks, 1);
	CHECK_INT(d->nsessions, 1);
	CHECK_UINT(vd_disc_size(d), 110 * 2048);
	CHECK_OK(vd_disc_add_track(d, &last, NULL));
}

static void test_wrong_extents(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct mem_store *m = mem_store_new(NULL, 10 * 2352), *alien = mem_store_new(NULL, 99999);
	struct mem_store *sub = mem_store_new(NULL, 10 * 96);
	struct vd_store *other = &alien->store, *subs = &sub->store;
	struct vd_track audio = TRACK(t_.mode = VD_TRACK_AUDIO);
	struct vd_extent x;
#define EXTENT(...)                                                                                \
	({                                                                                         \
		struct vd_extent x_ = {                                                            \
			.lba = 105, .length = 5, .layout = VD_LAYOUT_2352, .store = &m->store      \
		};                                                                                 \
		__VA_ARGS__;                                                                       \
		x_;                                                                                \
	})
	const struct {
		struct vd_extent x;
		const char *words;
	} rows[] = {
		{ EXTENT(x_.lba = 104), "track 2: its sectors at 104 are stored twice" },
		{ EXTENT(x_.lba = -151), "in no track" },
		{ EXTENT(x_.lba = 130), "stored sectors at 130 that are in no track" },
		{ EXTENT(x_.length = 0), "track 2 has other sectors than are stored" },
		{ EXTENT(x_.length = 6), "other sectors" },
		{ EXTENT(x_.length = UINT32_MAX), "other sectors" },
		{ EXTENT(x_.layout = (enum vd_sector_layout)99), "no such sectors" },
		{ EXTENT(x_.layout = VD_LAYOUT_2324),
		  "track 2: no such sectors in a track of its" },
		{ EXTENT(x_.layout = VD_LAYOUT_2336), "no such sectors" },
		{ EXTENT(x_.lba = 110, x_.layout = VD_LAYOUT_2048), "track 3: no such sectors" },
		{ EXTENT(x_.store = other), "its file is not the disc's" },
		{ EXTENT(x_.sub = VD_SUB_RAW, x_.sub_store = other), "not the disc's" },
		{ EXTENT(x_.sub = (enum vd_sub_form)9), "no such subchannel" },
		{ EXTENT(x_.sub = VD_SUB_RAW), "2352 bytes a sector cannot be" },
		{ EXTENT(x_.stride = 2351), "2351 bytes a sector" },
		{ EXTENT(x_.stride = UINT32_MAX), "bytes a sector" },
		{ EXTENT(x_.sub = VD_SUB_PLANAR, x_.sub_store = subs, x_.sub_stride = 95),
		  "cannot be" },
		{ EXTENT(x_.offset = 5 * 2352 + 1), "track 2 ends beyond its file" },
		{ EXTENT(x_.offset = UINT64_MAX), "beyond its file" },
		{ EXTENT(x_.offset = 10 * 2352 + 1), "beyond its file" },
		{ EXTENT(x_.limit = 5 * 2352 - 1), "beyond its file" },
		{ EXTENT(x_.stride = 65536), "beyond its file" },
		{ EXTENT(x_.sub = VD_SUB_PLANAR, x_.sub_store = subs, x_.sub_offset = 5 * 96 + 1),
		  "its subchannel ends beyond its file" },
		/* Sound may end inside its last sector, not before it. */
		{ EXTENT(x_.lba = 110, x_.limit = 4 * 2352), "track 3 ends beyond its file" },
	};

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &m->store));
	ASSERT_OK(vd_disc_own_store(d, &sub->store));
	ASSERT_OK(vd_disc_add_track(d, &good_track, NULL));
	ASSERT_OK(vd_disc_add_track(d, &audio, NULL));
	x = EXTENT(x_.lba = 100);
	ASSERT_OK(vd_disc_add_extent(d, &x, NULL));
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };

		if (!CHECK_ERRNO(vd_disc_add_extent(d, &rows[i].x, &err), -EINVAL) ||
		    !CHECK_HAS(err.text, rows[i].words))
			CHECK_FAIL("row %zu", i);
	}
	CHECK_UINT(d->nextents, 1);
	/* One that goes on where the one before ends is the same one. */
	x = EXTENT(x_.offset = 5 * 2352);
	ASSERT_OK(vd_disc_add_extent(d, &x, NULL));
	CHECK_UINT(d->nextents, 1);
	CHECK_UINT(d->extents[0].length, 10);
	CHECK_UINT(d->extents[0].stride, 2352);
	CHECK_INT((int)d->extents[0].mode, VD_TRACK_MODE1);
	x = EXTENT(x_.lba = 110, x_.limit = 4 * 2352 + 1);
	ASSERT_OK(vd_disc_add_extent(d, &x, NULL));
	CHECK_UINT(d->nextents, 2);
	CHECK(vd_disc_track_extent(d, &d->tracks[1]) == &d->extents[1]);
	vd_store_close(&alien->store);
}

/* A track that cannot be stored is not there either. */
static void test_wrong_stored_track(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct mem_store *m = mem_store_new(NULL, 15 * 2352);
	struct vd_track t = TRACK(t_.number = 3, t_.session = 2, t_.mode = VD_TRACK_MODE2);
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &m->store));
	ASSERT_OK(vd_disc_add_stored_track(d, &good_track, VD_LAYOUT_2352, &m->store, 0, NULL));
	CHECK_ERRNO(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, &m->store, 10 * 2352, &err),
		    -EINVAL);
	CHECK_STR(err.text, "track 3 ends beyond its file");
	t.session = 1;
	CHECK_ERRNO(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, &m->store, 10 * 2352, NULL),
		    -EINVAL);
	CHECK_UINT(d->ntracks, 1);
	CHECK_INT(d->nsessions, 1);
	CHECK_INT(d->sessions[0].leadout, 110);
	CHECK_INT((int)d->sessions[0].type, VD_SESSION_CDROM);
	t.length = 5;
	CHECK_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, &m->store, 10 * 2352, NULL));
	CHECK_INT((int)d->sessions[0].type, VD_SESSION_XA);
}

static void test_indices(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct vd_track t = good_track;
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_new(&d));
	CHECK_ERRNO(vd_disc_add_index(d, 0, &err), -EINVAL);
	t.length = 1000;
	t.pregap = 50;
	ASSERT_OK(vd_disc_add_track(d, &t, NULL));
	CHECK_ERRNO(vd_disc_add_index(d, 100, &err), -EINVAL);
	CHECK_STR(err.text, "track 2: INDEX 02 is not beyond INDEX 01");
	CHECK_ERRNO(vd_disc_add_index(d, 1100, &err), -EINVAL);
	CHECK_STR(err.text, "track 2: INDEX 02 is beyond its end");
	for (int i = 2; i <= 99; i++)
		ASSERT_OK(vd_disc_add_index(d, 100 + 5 * (i - 1), &err));
	CHECK_ERRNO(vd_disc_add_index(d, 1099, &err), -EINVAL);
	CHECK_STR(err.text, "track 2: indices are 0 to 99");
	for (int lba = 50; lba < 1100; lba++) {
		int want = lba < 100 ? 0 : 1 + (lba - 100) / 5;

		CHECK_INT(vd_track_index_at(&d->tracks[0], lba), want > 99 ? 99 : want);
	}
}

static void test_sessions(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	static const struct {
		int number, session;
		int32_t start;
		uint32_t pregap, length, want_pregap;
	} rows[] = {
		{ 1, 1, 20, 0, 80, 20 },      /* from LBA 0 on */
		{ 2, 1, 200, 30, 100, 100 },  /* without a gap */
		{ 4, 2, 11700, 0, 100, 150 }, /* never less behind a lead-in */
		{ 5, 3, 18700, 200, 50, 200 }, { 6, 4, 18800, 0, 50, 50 }, /* no room for more */
	};
	static const struct {
		int32_t lba;
		int track, session;
	} where[] = {
		{ INT32_MIN, 0, 1 }, { -151, 0, 1 },	  { -150, 1, 1 },  { 0, 1, 1 },
		{ 99, 1, 1 },	     { 100, 2, 1 },	  { 299, 2, 1 },   { 300, 0, 1 },
		{ 7049, 0, 1 },	     { 7050, 0, 2 },	  { 11549, 0, 2 }, { 11550, 4, 2 },
		{ 11799, 4, 2 },     { 11800, 0, 2 },	  { 14049, 0, 2 }, { 14050, 0, 3 },
		{ 18499, 0, 3 },     { 18500, 5, 3 },	  { 18749, 5, 3 }, { 18750, 6, 4 },
		{ 18850, 0, 4 },     { INT32_MAX, 0, 4 },
	};

	ASSERT_OK(vd_disc_new(&d));
	CHECK_INT(d->nsessions, 0);
	CHECK_INT(vd_disc_session_at(d, 0), 0);
	CHECK(!vd_disc_track_at(d, 0));
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_track t = { .number = rows[i].number,
				      .session = rows[i].session,
				      .start = rows[i].start,
				      .pregap = rows[i].pregap,
				      .length = rows[i].length };

		ASSERT_OK(vd_disc_add_track(d, &t, NULL));
		CHECK_UINT(d->tracks[i].pregap, rows[i].want_pregap);
		CHECK_UINT(d->tracks[i].control, VD_CONTROL_DATA);
	}
	ASSERT_INT(d->nsessions, 4);
	CHECK_UINT(d->sessions[0].ntracks, 2);
	CHECK_INT(d->sessions[0].leadout, 300);
	CHECK_UINT(d->sessions[2].first_track, 3);
	CHECK_UINT(vd_disc_size(d), 18850 * 2048);
	for (size_t i = 0; i < VD_ARRAY_SIZE(where); i++) {
		const struct vd_track *t = vd_disc_track_at(d, where[i].lba);

		if (!CHECK_INT(t ? t->number : 0, where[i].track) ||
		    !CHECK_INT(vd_disc_session_at(d, where[i].lba), where[i].session))
			CHECK_FAIL("LBA %d", where[i].lba);
	}
	CHECK(vd_disc_track(d, 5) == &d->tracks[3]);
	CHECK(!vd_disc_track(d, 3));
	CHECK_OK(vd_disc_set_session_type(d, 2, VD_SESSION_CDI, NULL));
	CHECK_ERRNO(vd_disc_set_session_type(d, 5, VD_SESSION_CDI, NULL), -EINVAL);
	CHECK_ERRNO(vd_disc_set_session_type(d, 1, (enum vd_session_type)5, NULL), -EINVAL);
}

static void test_attributes(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	static const char *const wrong[] = { "", "123456789012", "12345678901234",
					     "123456789012x" };
	uint8_t packs[36] = { 0x80 }, big[2049] = { 1 };

	ASSERT_OK(vd_disc_new(&d));
	for (size_t i = 0; i < VD_ARRAY_SIZE(wrong); i++)
		CHECK_ERRNO(vd_disc_set_mcn(d, wrong[i], NULL), -EINVAL);
	CHECK_STR(d->mcn, "");
	CHECK_OK(vd_disc_set_mcn(d, "1234567890123", NULL));
	CHECK_STR(d->mcn, "1234567890123");

	CHECK_ERRNO(vd_disc_set_cdtext(d, 1, packs, 2, NULL), -EINVAL);
	ASSERT_OK(vd_disc_add_track(d, &good_track, NULL));
	CHECK_ERRNO(vd_disc_set_cdtext(d, 0, packs, 2, NULL), -EINVAL);
	CHECK_ERRNO(vd_disc_set_cdtext(d, 1, packs, 2049, NULL), -EINVAL);
	CHECK_OK(vd_disc_set_cdtext(d, 1, packs, 1, NULL));
	CHECK_OK(vd_disc_set_cdtext(d, 1, packs, 2, NULL));
	CHECK_UINT(d->sessions[0].ncdtext, 2);
	CHECK_MEM(d->sessions[0].cdtext, packs, 36);

	CHECK_ERRNO(vd_disc_add_structure(d, 0, 0, 0, big, 2049, NULL), -EINVAL);
	for (uint8_t i = 0; i < 3; i++)
		CHECK_OK(vd_disc_add_structure(d, i, 1, 2, big, 100, NULL));
	CHECK_OK(vd_disc_add_structure(d, 1, 1, 2, big, 2048, NULL));
	ASSERT_UINT(d->nstructures, 3);
	CHECK_UINT(d->structures[1].len, 2048);
	CHECK_MEM(d->structures[1].data, big, 2048);
}

static void test_media(void)
{
	static const struct {
		uint32_t sectors;
		enum vd_media media;
	} rows[] = {
		{ 1, VD_MEDIA_CD_ROM },	      { 449849, VD_MEDIA_CD_ROM },
		{ 449850, VD_MEDIA_DVD_ROM }, { 4173824, VD_MEDIA_DVD_ROM },
		{ 4173825, VD_MEDIA_BD_ROM },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		_cleanup_disc_ struct vd_disc *d = NULL;
		struct vd_track t = { .number = 1, .session = 1, .length = rows[i].sectors };

		ASSERT_OK(vd_disc_new(&d));
		ASSERT_OK(vd_disc_add_track(d, &t, NULL));
		CHECK_INT((int)vd_disc_media(d), (int)rows[i].media);
		CHECK(vd_media_is_cd(vd_disc_media(d)) == (rows[i].media == VD_MEDIA_CD_ROM));
		d->media = VD_MEDIA_CD_RW;
		CHECK_INT((int)vd_disc_media(d), VD_MEDIA_CD_RW);
	}
}

static void test_store_errors(void)
{
	for (size_t l = 0; l < VD_ARRAY_SIZE(layouts); l++) {
		_cleanup_disc_ struct vd_disc *d = NULL;
		uint8_t *user = check_alloc(SECTORS * 2048), *got = check_alloc(SECTORS * 2048);
		struct mem_store *m;

		ASSERT_OK(vd_disc_new(&d));
		m = add_track(d, 1, layouts[l], VD_TRACK_MODE2, user, SECTORS, 0);
		m->fail_code = -EIO;
		m->fail_from = 1000 + 50 * (uint64_t)vd_layout_size(layouts[l]);
		CHECK_OK(vd_disc_pread(d, got, 50 * 2048, 0));
		CHECK_ERRNO(vd_disc_pread(d, got, 50 * 2048 + 1, 0), -EIO);
		CHECK_ERRNO(vd_disc_pread(d, got, 1, 99 * 2048), -EIO);
	}
}

static void test_close_closes_stores(void)
{
	struct vd_disc *d;
	int closed = 0;

	vd_disc_close(NULL);
	ASSERT_OK(vd_disc_new(&d));
	for (int i = 0; i < 3; i++) {
		struct mem_store *m = mem_store_new(NULL, 2048);

		m->closed = &closed;
		ASSERT_OK(vd_disc_own_store(d, &m->store));
	}
	vd_disc_close(d);
	CHECK_INT(closed, 3);
}

struct reader {
	pthread_t thread;
	struct vd_disc *disc;
	const uint8_t *model;
	uint32_t seed;
};

static void *read_at_random(void *arg)
{
	struct reader *r = arg;
	uint8_t *got = check_alloc(100000);

	for (int i = 0; i < 500; i++) {
		uint64_t off, len;

		r->seed = r->seed * 1664525 + 1013904223;
		off = r->seed % (SECTORS * 2048);
		len = SECTORS * 2048 - off < 100000 ? SECTORS * 2048 - off : 100000;
		if (!CHECK_OK(vd_disc_pread(r->disc, got, len, off)) ||
		    !CHECK_MEM(got, r->model + off, len))
			break;
	}
	return NULL;
}

static void test_threads(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	uint8_t *user = check_alloc(SECTORS * 2048);
	struct reader readers[4];

	fill(user, SECTORS * 2048, 8);
	ASSERT_OK(vd_disc_new(&d));
	add_track(d, 1, VD_LAYOUT_2352, VD_TRACK_MODE1, user, SECTORS / 2, 0);
	add_track(d, 2, VD_LAYOUT_2336, VD_TRACK_MODE2, user + SECTORS / 2 * 2048, SECTORS / 2,
		  SECTORS / 2);
	for (uint32_t i = 0; i < 4; i++) {
		readers[i] = (struct reader){ .disc = d, .model = user, .seed = i };
		ASSERT_INT(pthread_create(&readers[i].thread, NULL, read_at_random, &readers[i]),
			   0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(readers[i].thread, NULL);
}

static const struct check_test tests[] = {
	{ "layout_sizes", test_layout_sizes },
	{ "layouts", test_layouts },
	{ "other_forms_read_zeros", test_other_forms_read_zeros },
	{ "other_layouts", test_other_layouts },
	{ "view_agrees", test_view_agrees },
	{ "form_bit", test_form_bit },
	{ "gaps_read_zeros", test_gaps_read_zeros },
	{ "negative_start", test_negative_start },
	{ "all_before_zero", test_all_before_zero },
	{ "bounds", test_bounds },
	{ "map", test_map },
	{ "map_no_file", test_map_no_file },
	{ "wrong_tracks", test_wrong_tracks },
	{ "wrong_extents", test_wrong_extents },
	{ "wrong_stored_track", test_wrong_stored_track },
	{ "indices", test_indices },
	{ "sessions", test_sessions },
	{ "attributes", test_attributes },
	{ "media", test_media },
	{ "store_errors", test_store_errors },
	{ "close_closes_stores", test_close_closes_stores },
	{ "threads", test_threads },
};
CHECK_MAIN(tests)
