// SPDX-License-Identifier: GPL-3.0-or-later
/* ISZ: chunks of every type, in one file and in three; what is wrong is told. */
#include "wrap_writers.h"

#include <unistd.h>

#include "util/cleanup.h"
#include "util/endian.h"

#define SIZE (700u * 2048)

static void check_file(const char *what, const char *path, const uint8_t *data)
{
	struct vd_error err = { "" };
	struct vd_store *s;

	if (wrap_open(&vd_wrapping_isz, path, &s, &err)) {
		CHECK_FAIL("%s: %s", what, err.text);
		return;
	}
	wrap_check(what, s, data, SIZE);
	vd_store_close(s);
}

static void test_contents(void)
{
	uint8_t *data = wrap_contents(SIZE);

	memset(data + 4 * 65536, 0, 2 * 65536);
	check_write_file(check_path("plain"), data, SIZE);
	check_file("one file", wrap_isz(check_path("plain")), data);
	check_file("three files", wrap_isz_split(check_path("plain")), data);
}

/* Without pointers all chunks are as they are. */
static void test_no_pointers(void)
{
	uint8_t *data = wrap_contents(SIZE), *h;
	struct wrap_out o = { 0 };

	h = wrap_add(&o, NULL, 64);
	memcpy(h, "IsZ!\x40\1", 6);
	vd_put_le16(h + 10, 2048);
	vd_put_le32(h + 12, SIZE / 2048);
	vd_put_le32(h + 25, 11);
	vd_put_le32(h + 29, 131072);
	vd_put_le32(h + 43, 64);
	wrap_put(&o, data, SIZE);
	check_write_file(check_path("a.isz"), o.data, o.len);
	check_file("no pointers", check_path("a.isz"), data);
}

static void check_words(const struct vd_error *err, int r, const char *words)
{
	if (!CHECK_ERRNO(r, -EINVAL))
		CHECK_FAIL("%s", words);
	CHECK_HAS(err->text, words);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint32_t value; /* of 4 bytes */
		const char *words;
	} rows[] = {
		{ 5, 2, "a.isz: ISZ of version 2, only 1 is read" },
		{ 16, 4, "a.isz: it is encrypted by AES-256, and encrypted ones are not read" },
		{ 16, 2, "a.isz: it is encrypted by AES-128, and encrypted ones are not read" },
		{ 16, 1, "a.isz: it is encrypted by a password, and encrypted ones are not read" },
		{ 16, 9, "a.isz: it is encrypted, and encrypted ones are not read" },
		{ 34, 2, "a.isz: it is segment 2; the one to open is called .isz" },
		{ 12, 0, "a.isz: 0 bytes in chunks of 65536; there can be such of up to 8388608" },
		{ 29, 0, "a.isz: 1433600 bytes in chunks of 0" },
		{ 29, 8388609, "a.isz: 1433600 bytes in chunks of 8388609" },
		{ 25, 21, "a.isz: 21 chunks, but 1433600 bytes are 22 of them (1048576 can be)" },
		{ 33, 5, "a.isz: pointers of 5 bytes" },
		{ 17, 100000, "a.isz: segments of 100000 bytes, but no table of them" },
		{ 35, 0x7fffffff,
		  "a.isz: cut short: a table of chunks of 66 bytes at byte 2147483647" },
		{ 43, 0x7fffffff, "a.isz: cut short: " },
		{ 39, 0x7fffffff, "a.isz: cut short: a segment of 24 bytes at byte 2147483647" },
		{ 48, 0, "a.isz: chunk 0 is of 2460854 bytes, where 65536 are expanded" },
	};
	uint8_t *data = wrap_contents(SIZE);
	size_t len;
	char *good;

	check_write_file(check_path("a"), data, SIZE);
	good = check_read_file(wrap_isz(check_path("a")), &len);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct wrap_out o = { 0 };
		struct vd_error err = { "" };
		struct vd_store *s;
		uint8_t after[3];

		wrap_put(&o, good, len);
		memcpy(after, o.data + rows[i].at + 1, 3);
		vd_put_le32(o.data + rows[i].at, rows[i].value);
		/* Of one byte only. */
		if (rows[i].at == 5 || rows[i].at == 16 || rows[i].at == 33 || rows[i].at == 34)
			memcpy(o.data + rows[i].at + 1, after, 3);
		check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err),
			    rows[i].words);
		vd_store_close(s);
	}
}

static void test_cut(void)
{
	uint8_t *data = wrap_contents(SIZE);
	size_t len;
	struct wrap_out o = { 0 };
	char *good;

	check_write_file(check_path("a"), data, SIZE);
	good = check_read_file(wrap_isz(check_path("a")), &len);
	wrap_put(&o, good, len);
	for (size_t n = 4; n < len; n += n < 130 ? 1 : 30000) {
		struct vd_error err = { "" };
		struct vd_store *s;

		o.len = n;
		check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err),
			    "a.isz: cut short: ");
	}
}

/* A file that is missing, is another one, or is cut short; a table that cannot be. */
static void test_segments(void)
{
	static const struct {
		size_t at; /* in the table, which is at 48 */
		uint8_t byte;
		const char *words;
	} rows[] = {
		{ 0, 1, "a.isz: segment 1 has 8 chunks from 0 on, after 0 of 22" },
		{ 12, 1, "a.isz: segment 1 has 8 chunks from 1 on, after 0 of 22" },
		{ 8, 0, "a.isz: segment 1 has 0 chunks from 0 on, after 0 of 22" },
		{ 8, 23, "a.isz: segment 1 has 23 chunks from 0 on, after 0 of 22" },
		{ 24 + 12, 7, "a.isz: segment 2 has 7 chunks from 7 on, after 8 of 22" },
		{ 23, 1,
		  "a.isz: segment 1 begins at byte 210 behind 0 of the one before, and leaves " },
		{ 18, 0xff, "a.isz: segment 1 is cut short: " },
		{ 48 + 23, 1, "a.isz: segment 3 begins at byte " },
	};
	uint8_t *data = wrap_contents(SIZE);
	size_t len;
	char *good;
	struct vd_error err = { "" };
	struct vd_store *s;
	struct wrap_out o = { 0 };

	check_write_file(check_path("a"), data, SIZE);
	good = check_read_file(wrap_isz_split(check_path("a")), &len);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		static const char key[] = { (char)0xb6, (char)0x8c, (char)0xa5, (char)0xde };
		const size_t at = 48 + rows[i].at;

		o.len = 0;
		wrap_put(&o, good, len);
		o.data[at] = rows[i].byte ^ (uint8_t)key[rows[i].at % 4];
		/* All of the size's bytes are zero then. */
		for (size_t k = 0; !rows[i].at && k < 8; k++)
			o.data[48 + k] = (uint8_t)key[k % 4];
		check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err),
			    rows[i].words);
		vd_store_close(s);
	}
	o.len = 0;
	wrap_put(&o, good, len);
	check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.bin", &o, &s, &err),
		    "a.bin: it has other segments, but is not called .isz as the first one is");
	check_write_file(check_path("a.i02"), "IsZ!xxxxxxxxxxxxx", 17);
	check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err),
		    "a.isz: a.i02 is no segment of it");
	check_write_file(check_path("a.i02"), "IsZ!xxabcd", 10);
	check_words(&err, wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err),
		    "a.isz: segment 3 is cut short: ");
	ASSERT(!unlink(check_path("a.i02")));
	CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_isz, "a.isz", &o, &s, &err), -ENOENT);
	CHECK_HAS(err.text, "a.isz: segment 3: a.i02");
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
	back = fixture_open(wrap_isz_split(check_path("disc")), &format);
	CHECK_STR(format->name, "iso");
	CHECK(fixture_same(d, back, "iso in isz"));
	vd_disc_close(back);
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "contents", test_contents }, { "no_pointers", test_no_pointers },
	{ "errors", test_errors },     { "cut", test_cut },
	{ "segments", test_segments }, { "inside", test_inside },
};
CHECK_MAIN(tests)
