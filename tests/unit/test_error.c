// SPDX-License-Identifier: GPL-3.0-or-later
#include "check.h"

#include "util/error.h"

static void test_set(void)
{
	struct vd_error err = { "old" };

	CHECK_ERRNO(vd_error_set(&err, -EUCLEAN, "sector %d", 17), -EUCLEAN);
	CHECK_STR(err.text, "sector 17");
	CHECK_ERRNO(vd_error_set(NULL, -EIO, "nobody asked"), -EIO);
}

static void test_errno(void)
{
	struct vd_error err = { "" };

	CHECK_ERRNO(vd_error_errno(&err, -ENOENT, "cannot open %s", "a.iso"), -ENOENT);
	CHECK_STR(err.text, "cannot open a.iso: No such file or directory");
	CHECK_ERRNO(vd_error_errno(NULL, -ENOENT, "x"), -ENOENT);
}

static void test_prefix(void)
{
	struct vd_error err = { "no such track" };

	CHECK_ERRNO(vd_error_prefix(&err, -EINVAL, "%s:%d", "disc.cue", 3), -EINVAL);
	CHECK_STR(err.text, "disc.cue:3: no such track");
	CHECK_ERRNO(vd_error_prefix(NULL, -EINVAL, "x"), -EINVAL);
}

/* A file's name may hold escape sequences for the terminal. UTF-8 stays. */
static void test_control_characters(void)
{
	struct vd_error err = { "" };

	vd_error_set(&err, -EIO, "%s", "a\x1b[31mb\nc\td\x7f\xc3\xa9");
	CHECK_STR(err.text, "a?[31mb?c?d?\xc3\xa9");
	vd_error_errno(&err, -EIO, "\r%s", "x");
	CHECK_STR(err.text, "?x: Input/output error");
	vd_error_prefix(&err, -EIO, "\a");
	CHECK_STR(err.text, "?: ?x: Input/output error");
}

static void test_too_long(void)
{
	char *name = check_alloc(2 * VD_ERROR_MAX);
	struct vd_error err = { "" };

	memset(name, 'n', 2 * VD_ERROR_MAX - 1);
	vd_error_set(&err, -EIO, "%s", name);
	CHECK_UINT(strlen(err.text), VD_ERROR_MAX - 1);
	vd_error_errno(&err, -EIO, "%s", name);
	CHECK_UINT(strlen(err.text), VD_ERROR_MAX - 1);
	vd_error_prefix(&err, -EIO, "%s", name);
	CHECK_UINT(strlen(err.text), VD_ERROR_MAX - 1);
	vd_error_set(&err, -EIO, "short");
	vd_error_prefix(&err, -EIO, "%.500s", name);
	CHECK_UINT(strlen(err.text), 500 + strlen(": short"));
}

static const struct check_test tests[] = {
	{ "set", test_set },	       { "errno", test_errno },
	{ "prefix", test_prefix },     { "control_characters", test_control_characters },
	{ "too_long", test_too_long },
};
CHECK_MAIN(tests)
