// SPDX-License-Identifier: GPL-3.0-or-later
/* DMG: runs of every type; what 7z and dmg2img read in the same file; what is wrong is told. */
#include "wrap_writers.h"

#include "util/cleanup.h"
#include "util/endian.h"

static const uint32_t types[] = { 1, 0x80000004, 0x80000005, 0x80000006, 0x80000008 };

static void test_contents(void)
{
	const size_t len = 3000 * 512;
	uint8_t *data = wrap_contents(len);
	struct vd_error err = { "" };
	struct wrap_out o = { 0 };
	struct vd_fd_range range;
	struct vd_store *s;

	memset(data + 400000, 0, 500000);
	wrap_dmg_bytes(&o, data, len, types, VD_ARRAY_SIZE(types));
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", &o, &s, &err));
	wrap_check("all types", s, data, len);
	/* The first run is as it is. */
	ASSERT_OK(vd_store_map(s, 1000, 100, &range));
	CHECK_UINT(range.offset, 1000);
	CHECK_UINT(range.len, 100);
	CHECK_ERRNO(vd_store_map(s, 60000, 100, &range), -EOPNOTSUPP);
	vd_store_close(s);
	for (size_t i = 0; i < VD_ARRAY_SIZE(types); i++) {
		o.len = 0;
		wrap_dmg_bytes(&o, data, len, types + i, 1);
		ASSERT_OK(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", &o, &s, &err));
		wrap_check(check_printf("type %08x", types[i]), s, data, len);
		vd_store_close(s);
	}
	/* Nothing but zeros. */
	o.len = 0;
	memset(data, 0, len);
	wrap_dmg_bytes(&o, data, len, types, 1);
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", &o, &s, &err));
	wrap_check("zeros", s, data, len);
	vd_store_close(s);
}

/* A data fork that does not begin with the file. */
static void test_fork(void)
{
	const size_t len = 300 * 512;
	uint8_t *data = wrap_contents(len), *k;
	struct wrap_out all = { 0 }, o = { 0 };
	struct vd_error err = { "" };
	struct vd_store *s;

	wrap_dmg_bytes(&all, data, len, types, VD_ARRAY_SIZE(types));
	memset(wrap_add(&o, NULL, 700), 'x', 700);
	wrap_put(&o, all.data, all.len);
	k = o.data + o.len - 512;
	vd_put_be32(k + 28, 700);
	vd_put_be32(k + 220, vd_get_be32(k + 220) + 700);
	ASSERT_OK(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", &o, &s, &err));
	wrap_check("fork", s, data, len);
	vd_store_close(s);
}

/* An ISO image, which the other programs have to unpack as we do. */
static char *make_iso(void)
{
	struct vd_disc *d = fixture_disc(0);
	size_t len = (size_t)d->tracks[0].length * 2048;
	uint8_t *data = check_alloc(len);
	char *path = check_path("disc.iso");

	ASSERT_OK(vd_disc_pread(d, data, len, 0));
	check_write_file(path, data, len);
	vd_disc_close(d);
	return path;
}

static void check_other(const char *iso, const char *out)
{
	size_t len, other_len;
	const char *data = check_read_file(iso, &len);
	const char *other = check_read_file(check_path("%s", out), &other_len);

	CHECK(other_len >= len);
	if (other_len >= len && memcmp(data, other, len))
		CHECK_FAIL("%s is another image", out);
}

static void test_7z(void)
{
	const char *iso = make_iso(), *dmg = wrap_dmg(iso);
	struct vd_disc *a, *b;

	if (!check_have_program("7z"))
		CHECK_SKIP("needs 7z");
	/* As two partitions, which are put together again. */
	ASSERT_INT(check_sh("cd '%s' && 7z x -y -o7z '%s' && cat 7z/0* 7z/1* > 7z.iso",
			    check_tmpdir(), dmg)
			   ->status,
		   0);
	check_other(iso, "7z.iso");
	a = fixture_open(iso, NULL);
	b = fixture_open(dmg, NULL);
	CHECK(fixture_same(a, b, "iso in dmg"));
	vd_disc_close(a);
	vd_disc_close(b);
}

/* It knows no xz streams. */
static void test_dmg2img(void)
{
	const char *iso = make_iso();
	struct wrap_out o = { 0 };
	size_t len;
	const uint8_t *data = (const uint8_t *)check_read_file(iso, &len);

	if (!check_have_program("dmg2img"))
		CHECK_SKIP("needs dmg2img");
	wrap_dmg_bytes(&o, data, len, types, 4);
	check_write_file(check_path("b.dmg"), o.data, o.len);
	ASSERT_INT(check_sh("cd '%s' && dmg2img b.dmg b.img", check_tmpdir())->status, 0);
	check_other(iso, "b.img");
}

/* One run of two sectors as they are, its table with nothing else; each test changes something. */
enum {
	LIST = 1024,
	FIRST = 8,
	BASE = 24,
	COUNT = 200,
	TYPE = 204,
	AT = 212,
	SECTORS = 220,
	IN = 228,
	LEN = 236
};

static void make(struct wrap_out *o, const uint8_t *table, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *k;

	o->len = 0;
	memset(wrap_add(o, NULL, LIST), 'x', LIST);
	wrap_put(o, "<key>blkx</key><array><data>", 28);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)table[i] << 16 | (uint32_t)table[i + 1] << 8 | table[i + 2];
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
				 digits[v & 63] };

		wrap_put(o, four, 4);
	}
	wrap_put(o, "</data></array>", 15);
	k = wrap_add(o, NULL, 512);
	memcpy(k, "koly\0\0\0\4\0\0\2\0", 12);
	vd_put_be32(k + 220, LIST);
	vd_put_be32(k + 228, (uint32_t)o->len - 512 - LIST);
	vd_put_be32(k + 496, 4);
}

static void make_table(uint8_t t[246])
{
	memset(t, 0, 246);
	memcpy(t, "mish", 4);
	vd_put_be32(t + COUNT, 1);
	vd_put_be32(t + TYPE, 1);
	vd_put_be32(t + SECTORS + 4, 2);
	vd_put_be32(t + LEN + 4, 1024);
}

static void check_error(const struct wrap_out *o, const char *words)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	if (!CHECK_ERRNO(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", o, &s, &err), -EINVAL))
		CHECK_FAIL("%s", words);
	CHECK_HAS(err.text, words);
	vd_store_close(s);
}

static void test_errors(void)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *words;
	} rows[] = {
		{ 0, 0, "a.dmg: 246 bytes that are no table of runs" },
		{ COUNT, 2, "a.dmg: a table of 246 bytes cannot have 2 runs" },
		{ FIRST, 0x80000000, "a.dmg: a table of sectors from 9223372036854775808 on" },
		{ BASE, 1,
		  "a.dmg: a table of sectors from 0 on, with its data at byte 4294967296" },
		{ TYPE, 0x80000007,
		  "a.dmg: run 0 at sector 0 is compressed with LZFSE, which is not read" },
		{ TYPE, 3, "a.dmg: run 0 at sector 0 is of type 00000003, which is not known" },
		{ TYPE, 0x80000009, "a.dmg: run 0 at sector 0 is of type 80000009" },
		{ AT + 4, 3, "a.dmg: run 0: 2 sectors from sector 3 on of 4" },
		{ FIRST + 4, 3, "a.dmg: run 0: 2 sectors from sector 3 on of 4" },
		{ SECTORS, 1, "a.dmg: run 0: 4294967298 sectors from sector 0 on of 4" },
		{ SECTORS + 4, 3, "a.dmg: run 0: 3 sectors of it in 1024 bytes" },
		{ IN + 4, 5000, "a.dmg: run 0: 1024 bytes from byte 5000 on of 1907" },
		{ IN, 0xffffffff,
		  "a.dmg: run 0: 1024 bytes from byte 18446744069414584320 on of 1907" },
		{ LEN, 1, "a.dmg: run 0: 4294968320 bytes from byte 0 on of 1907" },
	};
	struct wrap_out o = { 0 };
	uint8_t t[246];

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		make_table(t);
		vd_put_be32(t + rows[i].at, rows[i].value);
		make(&o, t, sizeof(t));
		check_error(&o, rows[i].words);
	}
}

/* Of the trailer and the list. */
static void test_trailer(void)
{
	static const struct {
		size_t at; /* from the end of the trailer's beginning on */
		uint32_t value;
		const char *words;
	} rows[] = {
		{ 60, 3, "a.dmg: segment 0 of 3; DMGs of several segments are not read" },
		{ 228, 0,
		  "a.dmg: no property list: where its runs are is told in a resource fork" },
		{ 228, 5000, "a.dmg: a property list of 5000 bytes from byte 1024 on of 1907" },
		{ 216, 1, "a.dmg: a property list of 371 bytes from byte 4294968320 on of 1907" },
		{ 228, 10, "a.dmg: its property list has no tables of runs (blkx)" },
		{ 228, 40, "a.dmg: its property list is cut short" },
		{ 496, 0, "a.dmg: 0 sectors" },
		{ 492, 0x1000, "a.dmg: 17592186044420 sectors" },
		{ 496, 1, "a.dmg: run 0: 2 sectors from sector 0 on of 1" },
		{ 24, 1, "a.dmg: a table of sectors from 0 on, with its data at byte 0" },
	};
	struct wrap_out o = { 0 };
	uint8_t t[246];

	make_table(t);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		make(&o, t, sizeof(t));
		vd_put_be32(o.data + o.len - 512 + rows[i].at, rows[i].value);
		check_error(&o, rows[i].words);
	}
}

/* Two runs of the same sector; more compressed at once than is; damage. */
static void test_runs(void)
{
	struct vd_error err = { "" };
	struct wrap_out o = { 0 };
	uint8_t t[288] = "mish", buf[512];
	struct vd_store *s;

	make_table(t);
	memset(t + 244, 0, sizeof(t) - 244);
	vd_put_be32(t + COUNT, 2);
	memcpy(t + 244, t + 204, 40);
	vd_put_be32(t + 244 + 12, 1);
	make(&o, t, 285);
	check_error(&o, "a.dmg: two runs of sector 1");
	make_table(t);
	vd_put_be32(t + TYPE, 0x80000006);
	vd_put_be32(t + SECTORS + 4, 16385);
	make(&o, t, 246);
	vd_put_be32(o.data + o.len - 512 + 496, 20000);
	check_error(&o, "a.dmg: run 0: 16385 sectors of it in 1024 bytes");
	make_table(t);
	vd_put_be32(t + TYPE, 0x80000006);
	vd_put_be32(t + LEN + 4, 5249);
	o.len = 0;
	make(&o, t, 246);
	/* As much is in the file. */
	wrap_add(&o, NULL, 5000);
	memmove(o.data + o.len - 512, o.data + o.len - 5512, 512);
	check_error(&o, "a.dmg: run 0: 2 sectors of it compressed to 5249 bytes");
	for (size_t i = 0; i < 4; i++) {
		make_table(t);
		vd_put_be32(t + TYPE, types[i + 1]);
		make(&o, t, 246);
		ASSERT_OK(wrap_open_bytes(&vd_wrapping_dmg, "a.dmg", &o, &s, &err));
		CHECK_ERRNO(vd_store_pread(s, buf, 1, 0), -EIO);
		CHECK_OK(vd_store_pread(s, buf, 512, 1024));
		CHECK_UINT(buf[511], 0);
		vd_store_close(s);
	}
}

/* Encrypted ones are refused by that name, of both versions; a disk that is inside by what it is. */
static void test_refused(void)
{
	struct vd_error err = { "" };
	uint8_t *data = check_alloc(100000);
	struct vd_disc *d;

	memcpy(data, "encrcdsa", 8);
	check_write_file(check_path("a.dmg"), data, 100000);
	CHECK_ERRNO(fixture_try(check_path("a.dmg"), &d, &err), -EMEDIUMTYPE);
	CHECK_HAS(err.text, "an encrypted DMG disk image");
	memset(data, 7, 8);
	memcpy(data + 100000 - 8, "cdsaencr", 8);
	check_write_file(check_path("a.dmg"), data, 100000);
	CHECK_ERRNO(fixture_try(check_path("a.dmg"), &d, &err), -EMEDIUMTYPE);
	CHECK_HAS(err.text, "an encrypted DMG disk image");
	memset(data, 0, 100000);
	memcpy(data, "ER", 2);
	memcpy(data + 512, "PM", 2);
	check_write_file(check_path("a"), data, 100000);
	CHECK_ERRNO(fixture_try(wrap_dmg(check_path("a")), &d, &err), -EMEDIUMTYPE);
	CHECK_STR(err.text,
		  "not a disc image: it looks like a DMG disk image, in it a disk with an "
		  "Apple partition table");
}

static const struct check_test tests[] = {
	{ "contents", test_contents }, { "fork", test_fork },	    { "7z", test_7z },
	{ "dmg2img", test_dmg2img },   { "errors", test_errors },   { "trailer", test_trailer },
	{ "runs", test_runs },	       { "refused", test_refused },
};
CHECK_MAIN(tests)
