// SPDX-License-Identifier: GPL-3.0-or-later
/* gzip, xz and zstd around images: what the programs of these names write, read anywhere; bombs and damage. */
#include "disc_writers.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/compressed.h"
#include "util/cleanup.h"

#define SIZE (3u << 20)

/* Words and noise, so that it is compressed a few times, in many blocks. */
static uint8_t *make_contents(size_t len)
{
	uint8_t *data = check_alloc(len);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = i / 5000 % 3 ? (uint8_t)(x >> 28) : (uint8_t)(i / 7);
	}
	check_write_file(check_path("plain"), data, len);
	return data;
}

static int open_path(const char *path, struct vd_store **s, struct vd_error *err)
{
	struct vd_store *inner;

	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &inner, err));
	return vd_compressed_open(inner, "x", s, err);
}

/* What the shell makes of the file `plain`; false when a program for it is not there. */
static bool make(const char *command, const char *program)
{
	struct check_cmd *c;

	if (!check_have_program(program))
		return false;
	c = check_sh("cd '%s' && %s", check_tmpdir(), command);
	if (c->status)
		ASSERT_FAIL("%s: %s", command, c->err);
	return true;
}

static void check_contents(const char *what, const uint8_t *data, size_t len)
{
	struct vd_error err = { "" };
	uint8_t *buf = check_alloc(300000);
	struct vd_store *s = NULL;
	uint32_t x = 7;

	if (open_path(check_path("packed"), &s, &err)) {
		CHECK_FAIL("%s: %s", what, err.text);
		return;
	}
	if (!CHECK_UINT(s->size, len))
		CHECK_FAIL("%s", what);
	/* Anywhere, then backwards, then all of it in order. */
	for (size_t i = 0; i < 40; i++) {
		size_t off, n;

		x = x * 1664525 + 1013904223;
		n = 1 + (x >> 8) % 299999;
		off = i < 25 ? (size_t)(x % (len - n)) : len - n - (i - 25) * (len / 30);
		if (vd_store_pread(s, buf, n, off) || memcmp(buf, data + off, n)) {
			CHECK_FAIL("%s: bytes %zu to %zu", what, off, off + n);
			break;
		}
	}
	for (size_t off = 0; off < len; off += 300000) {
		size_t n = len - off < 300000 ? len - off : 300000;

		if (vd_store_pread(s, buf, n, off) || memcmp(buf, data + off, n)) {
			CHECK_FAIL("%s: in order, at %zu", what, off);
			break;
		}
	}
	CHECK_ERRNO(vd_store_pread(s, buf, 1, len), -EINVAL);
	vd_store_close(s);
}

static void test_programs(void)
{
	static const struct {
		const char *program, *command;
	} rows[] = {
		{ "gzip", "gzip -c plain > packed" },
		{ "gzip", "gzip -1c plain > packed" },
		{ "gzip",
		  "(head -c 1000001 plain | gzip -9c; tail -c +1000002 plain | gzip -c) > packed" },
		{ "gzip", "(gzip -c plain; printf 'rubbish behind it') > packed" },
		{ "gzip", "(gzip -c plain; head -c 1000 /dev/zero) > packed" },
		{ "xz", "xz -1c plain > packed" },
		{ "xz", "xz -1c --block-size=500000 plain > packed" },
		{ "xz",
		  "(head -c 1000001 plain | xz -0c; tail -c +1000002 plain | xz -0c) > packed" },
		{ "xz", "xz -0c --check=sha256 --x86 --lzma2=preset=0 plain > packed" },
		{ "zstd", "zstd -qc plain > packed" },
		{ "zstd", "zstd -qc < plain > packed" },
		{ "zstd",
		  "(head -c 1000001 plain | zstd -qc; tail -c +1000002 plain | zstd -qc) > packed" },
		{ "zstd", "zstd -qc --no-check -1 plain > packed" },
		{ "pzstd", "pzstd -qc -1 plain > packed" },
	};
	uint8_t *data = make_contents(SIZE);
	size_t ran = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		if (!make(rows[i].command, rows[i].program))
			continue;
		check_contents(rows[i].command, data, SIZE);
		ran++;
	}
	if (!ran)
		CHECK_SKIP("needs gzip, xz or zstd");
}

/* More boundaries of blocks than are kept. */
static void test_many_places(void)
{
	const size_t len = 700u << 20;
	struct vd_error err = { "" };
	struct vd_store *s;
	char line[32];

	if (getenv("VDRIVE_SOAK") == NULL)
		CHECK_SKIP("takes long: only in ./run soak");
	if (!make("seq -f %010.0f 0 99999999 | head -c 734003200 | gzip -1c > packed", "gzip"))
		CHECK_SKIP("needs gzip");
	ASSERT_OK(open_path(check_path("packed"), &s, &err));
	ASSERT_UINT(s->size, len);
	for (size_t i = 0; i < 50; i++) {
		size_t n = (i * 7919 * 1000003) % (len / 11);

		ASSERT_OK(vd_store_pread(s, line, 11, n * 11));
		line[11] = '\0';
		CHECK_STR(line, check_printf("%010zu\n", n));
	}
	vd_store_close(s);
}

/* Cut short or with a byte changed: words, or an error of the read; never other contents. */
static void test_damage(void)
{
	static const char *const commands[][2] = {
		{ "gzip", "gzip -1c plain > packed" },
		{ "xz", "xz -0c --block-size=100000 plain > packed" },
		{ "zstd", "zstd -qc plain > packed" },
	};
	const size_t len = 400000;
	uint8_t *data = make_contents(len), *buf = check_alloc(len);

	for (size_t k = 0; k < VD_ARRAY_SIZE(commands); k++) {
		size_t packed;
		char *good;

		if (!make(commands[k][1], commands[k][0]))
			continue;
		good = check_read_file(check_path("packed"), &packed);
		for (size_t i = 0; i < 40; i++) {
			char *bad = check_alloc(packed);
			struct vd_error err = { "" };
			struct vd_store *s = NULL;
			size_t at = 6 + i * (packed - 7) / 39;
			bool cut = i % 2;
			int r;

			memcpy(bad, good, packed);
			bad[at] = (char)(bad[at] ^ 0x55);
			check_write_file(check_path("packed"), bad, cut ? at : packed);
			r = open_path(check_path("packed"), &s, &err);
			if (r) {
				CHECK(err.text[0] != '\0');
				continue;
			}
			/* Headers' bits that say nothing of the contents may change. */
			r = s->size == len ? vd_store_pread(s, buf, len, 0) : -EIO;
			if (!r && memcmp(buf, data, len))
				CHECK_FAIL("%s: byte %zu of %zu: other contents", commands[k][0],
					   at, packed);
			vd_store_close(s);
		}
	}
}

/* What expands a thousand times is refused when it has come to 128 MiB, or by its headers. */
static void test_bombs(void)
{
	static const char *const commands[][2] = {
		{ "gzip", "head -c 300M /dev/zero | gzip -1c > packed" },
		{ "xz", "head -c 300M /dev/zero | xz -0c > packed" },
		{ "zstd", "head -c 300M /dev/zero | zstd -qc > packed" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(commands); i++) {
		struct vd_error err = { "" };
		struct vd_store *s = NULL;

		if (!make(commands[i][1], commands[i][0]))
			continue;
		CHECK_ERRNO(open_path(check_path("packed"), &s, &err), -EINVAL);
		CHECK_HAS(err.text, "refused as a decompression bomb");
		vd_store_close(s);
	}
}

static void test_nothing(void)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	if (make("gzip -c < /dev/null > packed", "gzip")) {
		CHECK_ERRNO(open_path(check_path("packed"), &s, &err), -EINVAL);
		CHECK_HAS(err.text, "gzip data with nothing in it");
	}
	check_write_file(check_path("packed"), "\x1f\x8b\x08", 3);
	CHECK_ERRNO(open_path(check_path("packed"), &s, &err), -EINVAL);
	CHECK_HAS(err.text, "no compressed data");
}

struct reader {
	pthread_t thread;
	struct vd_store *s;
	const uint8_t *data;
	uint32_t seed;
	bool right;
};

static void *read_some(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[4096];
	uint32_t x = r->seed;

	r->right = true;
	for (int i = 0; i < 200; i++) {
		x = x * 1664525 + 1013904223;
		if (vd_store_pread(r->s, buf, sizeof(buf), x % (SIZE - sizeof(buf))) ||
		    memcmp(buf, r->data + x % (SIZE - sizeof(buf)), sizeof(buf)))
			r->right = false;
	}
	return NULL;
}

static void test_threads(void)
{
	uint8_t *data = make_contents(SIZE);
	struct reader readers[4];
	struct vd_error err = { "" };
	struct vd_store *s;

	if (!make("gzip -1c plain > packed", "gzip"))
		CHECK_SKIP("needs gzip");
	ASSERT_OK(open_path(check_path("packed"), &s, &err));
	for (uint32_t i = 0; i < 4; i++) {
		readers[i] = (struct reader){ .s = s, .data = data, .seed = i };
		ASSERT_OK(-pthread_create(&readers[i].thread, NULL, read_some, &readers[i]));
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(readers[i].thread, NULL);
		CHECK(readers[i].right);
	}
	vd_store_close(s);
}

/* Each format in each of them is the same disc. What is beside a sheet is found by its name without the suffix. */
static void test_images(void)
{
	static const struct {
		const char *name;
		char *(*write)(struct vd_disc *d, const char *name);
		unsigned int features;
	} formats[] = {
		{ "nrg", write_nrg2, FIX_ALL },	    { "ccd", write_ccd, FIX_ALL },
		{ "mds", write_mds, FIX_SESSIONS }, { "cue", fixture_write_cue, FIX_ALL },
		{ "toc", fixture_write_toc, 0 },
	};
	static const char *const packers[][2] = { { "gzip", "gz" },
						  { "xz", "xz" },
						  { "zstd", "zst" } };

	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		struct vd_disc *d = fixture_disc(formats[i].features), *back;
		const char *path = formats[i].write(d, "disc");
		const char *const *p = packers[i % VD_ARRAY_SIZE(packers)];
		const struct vd_image_format *format;

		if (make(check_printf("%s -1 -c '%s' > '%s.%s'", p[0], path, path, p[1]), p[0])) {
			back = fixture_open(check_printf("%s.%s", path, p[1]), &format);
			CHECK_STR(format->name, formats[i].name);
			CHECK(fixture_same(d, back,
					   check_printf("%s in %s", formats[i].name, p[0])));
			vd_disc_close(back);
		}
		vd_disc_close(d);
	}
}

/* A data file that a sheet names may be one of them, by its name and content; its name alone makes nothing of it. */
static void test_data_file(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL), *back;
	char *path = fixture_write_cue(d, "disc");
	struct vd_error err = { "" };

	if (!make(check_printf("sed -i 's/disc.bin/disc.bin.gz/' '%s' && mv disc.bin disc.bin.gz",
			       path),
		  "sed"))
		CHECK_SKIP("needs sed");
	back = fixture_open(path, NULL);
	CHECK(fixture_same(d, back, "a file that is only called so"));
	vd_disc_close(back);
	if (!make("mv disc.bin.gz disc.bin && gzip -1 disc.bin", "gzip"))
		CHECK_SKIP("needs gzip");
	back = fixture_open(path, NULL);
	CHECK(fixture_same(d, back, "disc.bin.gz of a sheet"));
	vd_disc_close(back);
	make("head -c 10000 disc.bin.gz > cut && mv cut disc.bin.gz", "gzip");
	back = NULL;
	CHECK_ERRNO(fixture_try(path, &back, &err), -EINVAL);
	CHECK_HAS(err.text, "disc.cue:");
	CHECK_HAS(err.text, ": disc.bin.gz: ");
	CHECK(!back);
	vd_disc_close(d);
}

/* An archive in an archive would be expanded twice: it is none of ours. */
static void test_nested(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d;

	make_contents(100000);
	if (!make("gzip -c plain | gzip -c > nested.gz", "gzip"))
		CHECK_SKIP("needs gzip");
	CHECK_ERRNO(fixture_try(check_path("nested.gz"), &d, &err), -EMEDIUMTYPE);
	CHECK_STR(err.text, "not a disc image: it looks like a gzip archive, in it a gzip archive");
}

static const struct check_test tests[] = {
	{ "data_file", test_data_file },
	{ "programs", test_programs },
	{ "many_places", test_many_places },
	{ "damage", test_damage },
	{ "bombs", test_bombs },
	{ "nothing", test_nothing },
	{ "threads", test_threads },
	{ "images", test_images },
	{ "nested", test_nested },
};
CHECK_MAIN(tests)
