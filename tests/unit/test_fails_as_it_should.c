// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Registered as MUST_FAIL: the failure of the second test has to reach the exit status, and `run` wants to see exactly
 * one passed, failed and skipped test in the summary line.
 */
#include "check.h"

static void test_holds(void)
{
	CHECK_INT(1 + 1, 2);
}

static void test_does_not_hold(void)
{
	CHECK_INT(1 + 1, 3);
}

static void test_skips(void)
{
	CHECK(true);
	CHECK_SKIP("to show that a skipped test is told from a passed one");
}

static const struct check_test tests[] = {
	{ "holds", test_holds },
	{ "does_not_hold", test_does_not_hold },
	{ "skips", test_skips },
};
CHECK_MAIN(tests)
