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

static void close_disc(struct vd_disc **d)
{
	vd_disc_close(*d);
}

#define _cleanup_disc_ _cleanup_(close_disc)

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
	struct vd_track t = { .number = number,
			      .session = 1,
			      .mode = mode,
			      .layout = layout,
			      .start = start,
			      .length = n,
			      .store = &m->store,
			      .store_offset = 1000 };
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_own_store(d, &m->store));
	CHECK_OK(vd_disc_add_track(d, &t, &err));
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

/* Sectors without a 2048-byte form, between others: Form 2, mode 0, and what is none at all. */
static void test_other_forms_read_zeros(void)
{
	static const enum raw_form forms[] = { RAW_MODE2_FORM2, RAW_MODE0, RAW_NO_MODE };
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
				layouts[l] == VD_LAYOUT_2336 ? RAW_MODE2_FORM2 : forms[i % 3];

			raw_sector_make(m->data + 1000 + (uint64_t)i * size, layouts[l], form,
					(int32_t)i, user);
			memset(model + (uint64_t)i * 2048, 0, 2048);
		}
		check_view(d, model, SECTORS * 2048);
	}
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
	struct vd_track t = { .number = 1,
			      .session = 1,
			      .layout = VD_LAYOUT_2048,
			      .start = 10,
			      .length = 20,
			      .store_offset = 5 * 2048 };
	struct vd_store *s;

	fill(user, 40 * 2048, 7);
	check_write_file(path, user, 40 * 2048);
	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &s, NULL));
	ASSERT_OK(vd_disc_own_store(d, s));
	t.store = s;
	ASSERT_OK(vd_disc_add_track(d, &t, NULL));
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

static void test_wrong_tracks(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct mem_store *m = mem_store_new(NULL, 10 * 2352);
	const struct vd_track good = { .number = 1,
				       .session = 1,
				       .layout = VD_LAYOUT_2352,
				       .start = 100,
				       .length = 10,
				       .store = &m->store };
	struct {
		struct vd_track t;
		const char *words;
	} rows[] = {
		{ good, "overlaps" }, { good, "overlaps" }, { good, "empty" },	{ good, "beyond" },
		{ good, "beyond" },   { good, "beyond" },   { good, "beyond" },
	};

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &m->store));
	ASSERT_OK(vd_disc_add_track(d, &good, NULL));
	rows[1].t.start = 109;
	rows[2].t.start = 110;
	rows[2].t.length = 0;
	rows[3].t.start = 110;
	rows[3].t.length = 11;
	rows[4].t.start = 110;
	rows[4].t.store_offset = 1;
	rows[5].t.start = 110;
	rows[5].t.store_offset = UINT64_MAX;
	rows[6].t.start = INT32_MAX - 5;
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };

		rows[i].t.number = 2;
		CHECK_ERRNO(vd_disc_add_track(d, &rows[i].t, &err), -EINVAL);
		CHECK_HAS(err.text, rows[i].words);
		CHECK_HAS(err.text, "track 2");
	}
	CHECK_UINT(d->ntracks, 1);
	CHECK_UINT(vd_disc_size(d), 110 * 2048);
}

static void test_sessions(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct mem_store *m = mem_store_new(NULL, 20 * 2048);
	struct vd_track t = { .number = 1,
			      .session = 1,
			      .layout = VD_LAYOUT_2048,
			      .length = 10,
			      .store = &m->store };

	ASSERT_OK(vd_disc_new(&d));
	CHECK_INT(d->nsessions, 0);
	ASSERT_OK(vd_disc_own_store(d, &m->store));
	CHECK_OK(vd_disc_add_track(d, &t, NULL));
	t = (struct vd_track){ .number = 2,
			       .session = 2,
			       .layout = VD_LAYOUT_2048,
			       .start = 11410,
			       .length = 10,
			       .store = &m->store,
			       .store_offset = 10 * 2048 };
	CHECK_OK(vd_disc_add_track(d, &t, NULL));
	CHECK_INT(d->nsessions, 2);
	CHECK_UINT(vd_disc_size(d), 11420 * 2048);
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
	{ "gaps_read_zeros", test_gaps_read_zeros },
	{ "negative_start", test_negative_start },
	{ "all_before_zero", test_all_before_zero },
	{ "bounds", test_bounds },
	{ "map", test_map },
	{ "map_no_file", test_map_no_file },
	{ "wrong_tracks", test_wrong_tracks },
	{ "sessions", test_sessions },
	{ "store_errors", test_store_errors },
	{ "close_closes_stores", test_close_closes_stores },
	{ "threads", test_threads },
};
CHECK_MAIN(tests)
