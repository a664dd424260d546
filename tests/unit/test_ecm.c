// SPDX-License-Identifier: GPL-3.0-or-later
/* ECM: sectors are made again byte for byte; what is wrong is told with its place. */
#include "wrap_writers.h"

#include <stdlib.h>

#include "disc/sector.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* Sectors of every kind in every order, with noise between them, and one whose EDC is wrong. */
static uint8_t *make_sectors(size_t *len)
{
	static const enum vd_sector_kind kinds[] = { VD_KIND_MODE1, VD_KIND_MODE2_FORM1,
						     VD_KIND_MODE2_FORM2 };
	struct wrap_out o = { 0 };

	for (int i = 0; i < 60; i++) {
		uint8_t *noise = wrap_contents(2352 + 100), *s;
		enum vd_sector_kind kind = kinds[i / 7 % 3];

		s = wrap_add(&o, noise + i, 2352);
		memcpy(s + 16,
		       kind == VD_KIND_MODE2_FORM2 ? "\1\2\x24\3\1\2\x24\3" : "\1\2\4\3\1\2\4\3",
		       8);
		vd_sector_complete(s, kind, i * 5, true);
		if (i == 30)
			s[1000] ^= 1;
		if (i % 10 == 9)
			wrap_put(&o, noise, (size_t)i);
	}
	*len = o.len;
	return o.data;
}

static void test_contents(void)
{
	struct vd_error err = { "" };
	struct vd_store *s;
	size_t len, packed;
	uint8_t *data = make_sectors(&len);
	char *path;

	check_write_file(check_path("plain"), data, len);
	path = wrap_ecm(check_path("plain"));
	check_read_file(path, &packed);
	/* All but two of them are made again. */
	CHECK(packed < len - 58 * 8);
	ASSERT_OK(wrap_open(&vd_wrapping_ecm, path, &s, &err));
	wrap_check("sectors", s, data, len);
	vd_store_close(s);
}

static void test_map(void)
{
	struct vd_error err = { "" };
	struct vd_fd_range range;
	struct wrap_out o = { 0 };
	struct vd_store *s;

	wrap_put(&o,
		 "ECM\0\x0c"
		 "abcd\1",
		 10);
	wrap_add(&o, NULL, 2051);
	wrap_put(&o, "\xfc\xff\xff\xff\x3f", 5);
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_ecm, "a.ecm", &o, &s, &err));
	CHECK_UINT(s->size, 4 + 2352);
	ASSERT_OK(vd_store_map(s, 1, 100, &range));
	CHECK_UINT(range.offset, 6);
	CHECK_UINT(range.len, 3);
	CHECK_ERRNO(vd_store_map(s, 4, 100, &range), -EOPNOTSUPP);
	vd_store_close(s);
}

static void test_errors(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} rows[] = {
		{ "ECM\0", 4, "a.ecm: cut short: no end of its runs" },
		{ "ECM\0\x80", 5, "a.ecm: cut short: no end of its runs" },
		{ "ECM\0\0a", 6, "a.ecm: cut short: no end of its runs" },
		{ "ECM\0\xfc\xff\xff\xff\x3f", 9, "a.ecm: nothing is in it" },
		{ "ECM\0\xfc\xff\xff\xff\x7f", 9, "a.ecm: run at byte 4: its count is too large" },
		{ "ECM\0\x80\x80\x80\x80\x80\x80\1", 11,
		  "a.ecm: run at byte 4: its count is too large" },
		{ "ECM\0\0a\1bc", 9, "a.ecm: run at byte 6: 2051 bytes, but 2 are left" },
		{ "ECM\0\x86\1", 6, "a.ecm: run at byte 4: 69768 bytes, but 0 are left" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct wrap_out o = { 0 };
		struct vd_error err = { "" };
		struct vd_store *s;

		wrap_put(&o, rows[i].bytes, rows[i].len);
		if (!CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_ecm, "a.ecm", &o, &s, &err), -EINVAL))
			CHECK_FAIL("row %zu", i);
		CHECK_STR(err.text, rows[i].words);
		vd_store_close(s);
	}
}

/* Memory is bounded: no more runs than a disc can have. */
static void test_too_many(void)
{
	struct wrap_out o = { 0 };
	struct vd_error err = { "" };
	struct vd_store *s;

	wrap_put(&o, "ECM", 4);
	wrap_add(&o, NULL, (2u << 20) * 2);
	wrap_put(&o, "\0a\xfc\xff\xff\xff\x3f", 7);
	CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_ecm, "a.ecm", &o, &s, &err), -EINVAL);
	CHECK_STR(err.text, "a.ecm: run at byte 4194308: more than 2097152 of them");
}

/* A raw image and one of Nero's, whose sectors all are made again; and in an archive besides. */
static void test_inside(void)
{
	struct vd_disc *d = fixture_disc(FIX_SESSIONS | FIX_MODE2), *back;
	const struct vd_image_format *format;
	const char *path = wrap_ecm(write_nrg2(d, "disc"));

	back = fixture_open(path, &format);
	CHECK_STR(format->name, "nrg");
	CHECK(fixture_same(d, back, "nrg in ecm"));
	vd_disc_close(back);
	ASSERT_INT(check_sh("gzip -1k '%s'", path)->status, 0);
	back = fixture_open(check_printf("%s.gz", path), &format);
	CHECK_STR(format->name, "nrg");
	CHECK(fixture_same(d, back, "nrg in ecm in gzip"));
	vd_disc_close(back);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "contents", test_contents }, { "map", test_map },	  { "errors", test_errors },
	{ "too_many", test_too_many }, { "inside", test_inside },
};
CHECK_MAIN(tests)
