// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CHD. What is read of files that chdman made is compared with what they were made of, sector by sector, in every codec that it
 * has.
 */
#include <stdio.h>
#include <unistd.h>

#include "disc_fixture.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* Makes NAME.chd of the sheet, with @options. */
static char *chdman(const char *sheet, const char *name, const char *options)
{
	char *path = check_path("%s.chd", name);
	struct check_cmd *c =
		check_sh("chdman createcd -f -i '%s' -o '%s' %s", sheet, path, options);

	if (c->status)
		CHECK_FAIL("chdman: %s%s", c->out, c->err);
	return path;
}

/* The disc of the sheet that chdman reads; it knows no CD-TEXT and so on. */
static void test_codecs(void)
{
	static const char *const options[] = {
		"",
		"-c none",
		"-c cdzl",
		"-c cdlz",
		"-c cdfl",
		"-c zlib",
		"-c lzma",
		"-c huff",
		"-c flac",
		"-c cdzl,cdfl",
		"-c zlib,lzma,huff,flac",
		"-hs 2448",
		"-hs 4896 -c cdlz",
		/* Large enough for three bytes of length; of fewer hunks chdman writes maps that it cannot read. */
		"-hs 97920",
	};
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;
	const struct vd_image_format *format = NULL;
	const char *sheet = fixture_write_cue(d, "codecs");

	if (!check_have_program("chdman"))
		CHECK_SKIP("no chdman");
	for (size_t i = 0; i < VD_ARRAY_SIZE(options); i++) {
		back = fixture_open(chdman(sheet, "codecs", options[i]), &format);
		CHECK_STR(format->name, "chd");
		CHECK(fixture_same(d, back, check_printf("chdman createcd %s", options[i])));
		vd_disc_close(back);
	}
	vd_disc_close(d);
}

/* Written anew from its parent: what both have is in the parent. Sizes of hunks may differ, but not those of units. */
static void test_parent(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *back;
	const char *sheet = fixture_write_cue(d, "family"), *child, *parent;
	struct vd_error err = { "" };

	if (!check_have_program("chdman"))
		CHECK_SKIP("no chdman");
	parent = chdman(sheet, "parent", "");
	child = chdman(sheet, "child", check_printf("-op '%s'", parent));
	CHECK(check_sh("stat -c %%s '%s'", child)->out[4] < ' '); /* 4 digits: nearly nothing */
	check_write_file(check_path("another.chd"), "MComprHD", 8);
	check_write_file(check_path("empty.chd"), "", 0);
	back = fixture_open(child, NULL);
	CHECK(fixture_same(d, back, "a CHD with a parent"));
	vd_disc_close(back);
	chdman(sheet, "grandchild", check_printf("-op '%s' -hs 4896", child));
	back = fixture_open(check_path("grandchild.chd"), NULL);
	CHECK(fixture_same(d, back, "a CHD with a parent that has one"));
	vd_disc_close(back);
	ASSERT_OK(unlink(parent));
	unlink(check_path("codecs.chd")); /* it has the same contents */
	CHECK_ERRNO(fixture_try(child, &back, &err), -ENOENT);
	CHECK_HAS(err.text, "child.chd: in its parent of SHA-1 ");
	ASSERT_OK(unlink(check_path("grandchild.chd")));
	CHECK_ERRNO(fixture_try(child, &back, &err), -ENOENT);
	CHECK_HAS(err.text, "child.chd: its parent, the CHD of SHA-1 ");
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "codecs", test_codecs },
	{ "parent", test_parent },
};
CHECK_MAIN(tests)
