// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CHD. What is read of files that chdman made is compared with what they were made of, sector by sector, in every codec that it
 * has.
 */
#include <stdio.h>

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

static const struct check_test tests[] = {
	{ "codecs", test_codecs },
};
CHECK_MAIN(tests)
