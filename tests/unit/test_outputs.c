// SPDX-License-Identifier: GPL-3.0-or-later
/* Files that appear when all of them are complete. What a conversion does with them, tests/fuse/test_convert.c shows. */
#include "userspace/vdrive/outputs.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* Who asks again for what is being written, with or without --force, gets no second file. */
static void test_asked_twice(void)
{
	const char *path = check_path("out.iso"), *dir = check_path("tracks");

	for (int replace = 0; replace < 2; replace++) {
		struct outputs o = OUTPUTS_NONE;
		struct vd_error err = { "" };

		o.replace = replace;
		CHECK(outputs_open(&o, path, &err) >= 0);
		CHECK_ERRNO(outputs_open(&o, path, &err), -EEXIST);
		CHECK_HAS(err.text, "out.iso is being written already");
		CHECK_INT(o.n, 1);
		CHECK_OK(outputs_commit(&o, &err));
		outputs_drop(&o);
		CHECK_OK(access(path, F_OK));
	}
	for (int twice = 0; twice < 2; twice++) {
		struct outputs o = OUTPUTS_NONE;
		struct vd_error err = { "" };

		CHECK(outputs_open_in(&o, dir, "01.wav", &err) >= 0);
		if (twice)
			CHECK_ERRNO(outputs_open_in(&o, dir, "01.wav", &err), -EEXIST);
		outputs_drop(&o);
		CHECK(access(dir, F_OK) != 0);
	}
}

static const struct check_test tests[] = {
	{ "asked_twice", test_asked_twice },
};
CHECK_MAIN(tests)
