// SPDX-License-Identifier: GPL-3.0-or-later
/* CSO and ZSO: every kind of block is read anywhere; what is wrong is told with its place. */
#include "wrap_writers.h"

#include "util/cleanup.h"
#include "util/endian.h"

#define SIZE 300000u /* no multiple of a block */

static const struct {
	const char *name;
	const struct vd_wrapping *w;
	char *(*write)(const char *path);
} rows[] = {
	{ "CISO 1", &vd_wrapping_cso, wrap_cso1 },
	{ "CISO 2", &vd_wrapping_cso, wrap_cso2 },
	{ "ZISO", &vd_wrapping_zso, wrap_zso },
};

static void test_contents(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		/* Version 2 has only whole blocks that are stored. */
		const size_t len = SIZE - (i == 1 ? SIZE % 16384 : 0);
		uint8_t *data = wrap_contents(len);
		struct vd_error err = { "" };
		struct vd_store *s;
		uint32_t x = 5;

		/* Whole blocks that cannot be compressed. */
		for (size_t k = 100000; k < 200000; k++) {
			x = x * 1664525 + 1013904223;
			data[k] = (uint8_t)(x >> 24);
		}
		check_write_file(check_path("plain"), data, len);
		if (wrap_open(rows[i].w, rows[i].write(check_path("plain")), &s, &err)) {
			CHECK_FAIL("%s: %s", rows[i].name, err.text);
			continue;
		}
		wrap_check(rows[i].name, s, data, len);
		vd_store_close(s);
	}
}

/* Two blocks of 2048, as they are. */
enum { INDEX = 24, DATA = INDEX + 12 };

static void make(struct wrap_out *o)
{
	uint8_t *h;

	*o = (struct wrap_out){ 0 };
	h = wrap_add(o, NULL, DATA);
	memcpy(h, "CISO\x18", 5);
	vd_put_le32(h + 8, 4096);
	vd_put_le32(h + 16, 2048);
	h[20] = 1;
	for (uint32_t i = 0; i < 3; i++)
		vd_put_le32(h + INDEX + i * 4, (i < 2 ? 0x80000000u : 0) | (DATA + i * 2048));
	memset(wrap_add(o, NULL, 4096), 'x', 4096);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint8_t byte;
		const char *words;
	} errors[] = {
		{ 20, 3, "a.cso: CISO of version 3, which is not known" },
		{ 17, 9,
		  "a.cso: header at byte 16: blocks of 2304 bytes; there can be powers of 2 from "
		  "512 to 1048576" },
		{ 17, 0, "a.cso: header at byte 16: blocks of 0 bytes" },
		{ 18, 0xff, "a.cso: header at byte 16: blocks of 16713728 bytes" },
		{ 9, 0, "a.cso: header at byte 8: 0 blocks; there can be 1 to 8388608" },
		{ 15, 0xff, "a.cso: header at byte 8: 8972014882652162 blocks" },
		{ 11, 1, "a.cso: cut short: its index ends at byte 32804, and it at 4132" },
		{ 21, 32, "a.cso: header at byte 21: a shift of 32" },
		{ INDEX, DATA - 1,
		  "a.cso: index at byte 24: block 0 lies from byte 35 to 2084 of 4132" },
		{ INDEX + 5, 0,
		  "a.cso: index at byte 28: block 1 lies from byte 36 to 4132 of 4132" },
		{ INDEX + 6, 1,
		  "a.cso: index at byte 28: block 1 lies from byte 67620 to 4132 of 4132" },
		{ INDEX + 10, 1, "a.cso: cut short: its blocks end at byte 69668, and it at 4132" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(errors); i++) {
		struct vd_error err = { "" };
		struct vd_store *s;
		struct wrap_out o;

		make(&o);
		o.data[errors[i].at] = errors[i].byte;
		if (i == 9) /* it would begin before the one before it */
			vd_put_le32(o.data + INDEX, 0x80000000u | 2084);
		if (!CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_cso, "a.cso", &o, &s, &err), -EINVAL))
			CHECK_FAIL("row %zu: %s", i, errors[i].words);
		if (i != 9)
			CHECK_HAS(err.text, errors[i].words);
		else
			CHECK_HAS(err.text, "index at byte 24: block 0 lies from byte 2084 to 36");
		vd_store_close(s);
	}
}

static void test_nintendo(void)
{
	struct vd_error err = { "" };
	struct wrap_out o = { 0 };
	struct vd_store *s;
	uint8_t *h = wrap_add(&o, NULL, 0x8000);

	memcpy(h, "CISO\0\0\x20", 7);
	memset(h + 8, 1, 0x700);
	CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_cso, "a.ciso", &o, &s, &err), -EINVAL);
	CHECK_STR(err.text,
		  "a.ciso: a CISO of a GameCube or Wii disc, which is another format that "
		  "is not read");
}

static void test_cut(void)
{
	struct wrap_out o;

	make(&o);
	for (o.len = 0; o.len < DATA + 4096; o.len++) {
		struct vd_error err = { "" };
		struct vd_store *s;

		CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_cso, "a.cso", &o, &s, &err), -EINVAL);
		CHECK_HAS(err.text,
			  o.len < DATA || o.len >= DATA + 2048 ? "cut short" : "index at");
		o.len += o.len > DATA ? 500 : 0;
	}
}

/* Blocks that cannot be decompressed give an error, and those beside them what they have. */
static void test_damage(void)
{
	struct vd_error err = { "" };
	struct vd_store *s;
	struct wrap_out o;
	uint8_t buf[4096];

	make(&o);
	o.data[INDEX + 3] = 0;
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_cso, "a.cso", &o, &s, &err));
	CHECK_ERRNO(vd_store_pread(s, buf, 1, 0), -EIO);
	CHECK_ERRNO(vd_store_pread(s, buf, 4096, 0), -EIO);
	CHECK_OK(vd_store_pread(s, buf, 2048, 2048));
	CHECK_UINT(buf[2047], 'x');
	vd_store_close(s);
	make(&o);
	/* As it is, but shorter than a block. */
	vd_put_le32(o.data + INDEX + 4, 0x80000000u | (DATA + 2000));
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_cso, "a.cso", &o, &s, &err));
	CHECK_ERRNO(vd_store_pread(s, buf, 1, 0), -EIO);
	CHECK_OK(vd_store_pread(s, buf, 2048, 2048));
	vd_store_close(s);
}

/* By its contents, in an archive too; what is inside is told if it is no image. */
static void test_inside(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d = fixture_disc(FIX_ALL), *back;
	const struct vd_image_format *format;
	const char *path = wrap_zso(write_nrg2(d, "disc"));

	back = fixture_open(path, &format);
	CHECK_STR(format->name, "nrg");
	CHECK(fixture_same(d, back, "nrg in zso"));
	vd_disc_close(back);
	vd_disc_close(d);
	check_write_file(check_path("text"), "#!/bin/sh\n", 10);
	CHECK_ERRNO(fixture_try(wrap_cso1(check_path("text")), &d, &err), -EMEDIUMTYPE);
	CHECK_HAS(err.text,
		  "not a disc image: it looks like a CSO compressed disc image, in it a script");
}

static const struct check_test tests[] = {
	{ "contents", test_contents }, { "errors", test_errors }, { "nintendo", test_nintendo },
	{ "cut", test_cut },	       { "damage", test_damage }, { "inside", test_inside },
};
CHECK_MAIN(tests)
