// SPDX-License-Identifier: GPL-3.0-or-later
/* DAA: both versions, in one file and in several; what daa2iso reads in the same files; what is wrong is told. */
#include "wrap_writers.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "util/cleanup.h"
#include "util/endian.h"

#define SIZE (700u * 2048)

static const struct wrap_daa rows[] = {
	{ .version = 0x100 },
	{ .version = 0x100, .part = 150000 },
	{ .version = 0x110 },
	{ .version = 0x110, .lzma = true },
	{ .version = 0x110, .lzma = true, .x86 = true },
	{ .version = 0x110, .lzma = true, .hide_table = true, .hide_bits = true },
	{ .version = 0x110, .plain = true, .lzma = true, .part = 100000 },
};

/* Something that is always compressed, with what looks like calls in it for the filter. */
static uint8_t *make_contents(void)
{
	uint8_t *data = wrap_contents(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		data[i] &= 0x1f;
	for (size_t i = 100; i + 5 < SIZE; i += 97)
		memcpy(data + i, "\xe8\x10\x20\x01\0", 5);
	/* The end of a chunk, too. */
	memcpy(data + 65536 - 5, "\xe8\x10\x20\x01\0", 5);
	check_write_file(check_path("plain"), data, SIZE);
	return data;
}

static void test_contents(void)
{
	uint8_t *data = make_contents();

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const char *path = wrap_daa(check_path("plain"), &rows[i]);
		struct vd_error err = { "" };
		struct vd_store *s;

		if (wrap_open(&vd_wrapping_daa, path, &s, &err)) {
			CHECK_FAIL("row %zu: %s", i, err.text);
			continue;
		}
		wrap_check(check_printf("row %zu", i), s, data, SIZE);
		vd_store_close(s);
	}
}

static void test_daa2iso(void)
{
	uint8_t *data = make_contents();

	if (!check_have_program("daa2iso"))
		CHECK_SKIP("needs daa2iso");
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const char *path = wrap_daa(check_path("plain"), &rows[i]);
		struct check_cmd *c;
		const char *iso;
		size_t len;

		remove(check_path("out.iso"));
		c = check_sh("cd '%s' && daa2iso '%s' out.iso", check_tmpdir(), path);
		/* It says nothing by its status. */
		if (access(check_path("out.iso"), R_OK)) {
			CHECK_FAIL("row %zu: daa2iso: %s", i, c->out);
			continue;
		}
		iso = check_read_file(check_path("out.iso"), &len);
		if (!CHECK_UINT(len, SIZE) || memcmp(iso, data, SIZE))
			CHECK_FAIL("row %zu: daa2iso has something else", i);
	}
}

/* Changed at @at of the header or behind it, whose checksum is made right. */
static void check_changed(const struct wrap_daa *how, size_t at, uint32_t value, bool wide,
			  const char *words)
{
	struct wrap_out o = { 0 };
	struct vd_error err = { "" };
	struct vd_store *s;
	size_t len;
	char *good = check_read_file(wrap_daa(check_path("plain"), how), &len);

	wrap_put(&o, good, len);
	if (wide)
		vd_put_le32(o.data + at, value);
	else
		o.data[at] = (uint8_t)value;
	if (at != 72)
		vd_put_le32(o.data + 72, (uint32_t)crc32(0, o.data, 72));
	if (!CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_daa, "a.daa", &o, &s, &err), -EINVAL))
		CHECK_FAIL("%s", words);
	CHECK_HAS(err.text, words);
	vd_store_close(s);
}

static void test_errors(void)
{
	static const struct {
		uint32_t version;
		size_t at;
		uint32_t value;
		bool wide;
		const char *words;
	} errors[] = {
		{ 0x100, 72, 0, true, "a.daa: its header is damaged (CRC)" },
		{ 0x100, 20, 0x120, true, "a.daa: DAA of version 120, which is not known" },
		{ 0x100, 36, 0, true,
		  "a.daa: 1433600 bytes in chunks of 0; there can be such of up to 8388608" },
		{ 0x100, 36, 8388609, true, "a.daa: 1433600 bytes in chunks of 8388609" },
		{ 0x100, 40, 0, true, "a.daa: 0 bytes in chunks of 65536" },
		{ 0x100, 44, 255, false, "a.daa: 16711702 chunks; there can be 1048576" },
		{ 0x100, 42, 0x16, false, "a.daa: 23 chunks, but a table of 66 bytes" },
		{ 0x100, 16, 75, true, "a.daa: its table is at byte 75, and its chunks at 162" },
		{ 0x100, 24, 95, true, "a.daa: its table is at byte 96, and its chunks at 95" },
		{ 0x100, 24, 0x7fffffff, true,
		  "a.daa: cut short: its chunks are at byte 2147483647" },
		{ 0x100, 76, 3, true, "a.daa: it is encrypted, and encrypted ones are not read" },
		{ 0x100, 80, 7, true, "a.daa: descriptor at byte 76: 7 bytes" },
		{ 0x100, 80, 21, true, "a.daa: descriptor at byte 76: 21 bytes" },
		{ 0x100, 80, 16, true, "a.daa: descriptor at byte 92: " },
		{ 0x100, 96, 2, false, "a.daa: chunk 0 is of " },
		{ 0x110, 36, 0x4004, true,
		  "a.daa: its table is compressed; images with such are not read" },
		{ 0x110, 36, 0x800004, true,
		  "a.daa: it has flags 00800004 and 00000095; such images are not read" },
		{ 0x110, 27, 0x80, false, "a.daa: it has flags 00000004 and 80000095" },
		{ 0x110, 61, 8, false, "a.daa: lengths of 11 and types of 0 bits" },
		{ 0x110, 61, 0xf9, false, "a.daa: lengths of 41 and types of 1 bits" },
		{ 0x110, 61, 0x47, false, "a.daa: 22 chunks, but a table of 53 bytes" },
		{ 0x110, 62, 2, false, "a.daa: filter 2 of LZMA is not known" },
	};

	make_contents();
	for (size_t i = 0; i < VD_ARRAY_SIZE(errors); i++)
		check_changed(&(struct wrap_daa){ .version = errors[i].version }, errors[i].at,
			      errors[i].value, errors[i].wide, errors[i].words);
}

static void test_cut(void)
{
	struct wrap_out o = { 0 };
	size_t len;
	char *good;

	make_contents();
	good = check_read_file(wrap_daa(check_path("plain"), &rows[0]), &len);
	wrap_put(&o, good, len);
	for (size_t n = 16; n < len; n += n < 170 ? 1 : 30000) {
		struct vd_error err = { "" };
		struct vd_store *s;

		o.len = n;
		CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_daa, "a.daa", &o, &s, &err), -EINVAL);
		CHECK_HAS(err.text, "a.daa: cut short: ");
	}
}

/* Files that are missing, or of something else; other ways to call them. */
static void test_parts(void)
{
	uint8_t *data = make_contents();
	const char *path = wrap_daa(check_path("plain"), &rows[1]);
	const char *second = check_path("plain.part02.daa");
	struct vd_error err = { "" };
	struct vd_store *s;
	size_t len;
	char *good = check_read_file(second, &len), *bad = check_alloc(len);

	for (size_t i = 0; i < 3; i++) {
		memcpy(bad, good, len);
		bad[i == 0 ? 0 : i == 1 ? 17 : 36] ^= 1;
		check_write_file(second, bad, i == 2 ? 30 : len);
		CHECK_ERRNO(wrap_open(&vd_wrapping_daa, path, &s, &err), -EINVAL);
		CHECK_STR(err.text, "plain.part01.daa: plain.part02.daa is no further file of it");
	}
	check_write_file(second, good, len - 1);
	CHECK_ERRNO(wrap_open(&vd_wrapping_daa, path, &s, &err), -EINVAL);
	CHECK_HAS(err.text, "plain.part01.daa: cut short: chunks of ");
	remove(second);
	CHECK_ERRNO(wrap_open(&vd_wrapping_daa, path, &s, &err), -ENOENT);
	CHECK_HAS(err.text, "plain.part01.daa: file 2: plain.part02.daa");
	/* x.daa, x.d00, x.d01 ... and x001.daa, x002.daa ... */
	check_write_file(second, good, len);
	for (unsigned int way = 0; way < 2; way++) {
		for (unsigned int i = 1;; i++) {
			const char *from = check_path("plain.part%02u.daa", i);
			char *part;

			if (access(from, R_OK))
				break;
			part = check_read_file(from, &len);
			check_write_file(way	  ? check_path("x%03u.daa", i)
					 : i == 1 ? check_path("x.daa")
						  : check_path("x.d%02u", i - 2),
					 part, len);
		}
		path = way ? check_path("x001.daa") : check_path("x.daa");
		if (wrap_open(&vd_wrapping_daa, path, &s, &err)) {
			CHECK_FAIL("%s: %s", path, err.text);
			continue;
		}
		wrap_check(path, s, data, SIZE);
		vd_store_close(s);
	}
}

static void test_inside(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;
	const struct vd_image_format *format;
	uint8_t *iso = check_alloc((size_t)d->tracks[0].length * 2048);

	ASSERT_OK(vd_disc_pread(d, iso, (size_t)d->tracks[0].length * 2048, 0));
	check_write_file(check_path("disc"), iso, (size_t)d->tracks[0].length * 2048);
	vd_disc_close(d);
	d = fixture_open(check_path("disc"), NULL);
	back = fixture_open(wrap_daa(check_path("disc"), &rows[0]), &format);
	CHECK_STR(format->name, "iso");
	CHECK(fixture_same(d, back, "iso in daa"));
	vd_disc_close(back);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "contents", test_contents }, { "daa2iso", test_daa2iso }, { "errors", test_errors },
	{ "cut", test_cut },	       { "parts", test_parts },	    { "inside", test_inside },
};
CHECK_MAIN(tests)
