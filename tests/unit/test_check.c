// SPDX-License-Identifier: GPL-3.0-or-later
/* The test helper itself: what other tests rely on when they run commands and read files. */
#include "check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_errno_names(void)
{
	CHECK_STR(check_errno_name(-ENOENT), "ENOENT");
	CHECK_STR(check_errno_name(ELOOP), "ELOOP");
	CHECK_STR(check_errno_name(0), "0");
	CHECK_STR(check_errno_name(-100000), "-100000");
}

static void test_run_collects(void)
{
	struct check_cmd *c = check_sh("echo out; echo err >&2; exit 7");

	CHECK_INT(c->status, 7);
	CHECK_STR(c->out, "out\n");
	CHECK_STR(c->err, "err\n");
	CHECK(!c->timed_out);
	CHECK_INT(check_sh("kill -9 $$")->status, 128 + SIGKILL);
	CHECK_UINT(check_sh("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2")->out_len,
		   1000000);
}

static void test_run_input_env_cwd(void)
{
	const char *const argv[] = { "sh", "-c", "pwd; cat; echo \"$CHECK_X:${HOME-unset}\"",
				     NULL };
	const char *const env[] = { "CHECK_X=a b", "HOME", NULL };
	struct check_cmd c = { .argv = argv, .env = env, .cwd = "/", .input = "in\n" };

	ASSERT_RUN(&c, 0);
	CHECK_STR(c.out, "/\nin\na b:unset\n");
}

static void test_run_missing_program(void)
{
	const char *const argv[] = { "vdrive-no-such-program", NULL };
	struct check_cmd c = { .argv = argv };

	CHECK_ERRNO(check_run(&c), -ENOENT);
	CHECK_INT(c.status, 127);
	CHECK(!check_have_program("vdrive-no-such-program"));
	CHECK(check_have_program("sh"));
}

static void test_run_timeout(void)
{
	const char *const argv[] = { "sh", "-c", "sleep 60", NULL };
	struct check_cmd c = { .argv = argv, .timeout_ms = 200 };

	ASSERT_OK(check_run(&c));
	CHECK(c.timed_out);
	CHECK_INT(c.status, -1);
	CHECK(c.elapsed_ms >= 200 && c.elapsed_ms < 20000);
}

/* A daemon that keeps the caller's output open would hang `$(vdrive ...)` in a script. */
static void test_run_output_held_open(void)
{
	const char *const argv[] = { "sh", "-c", "sleep 60 & exit 0", NULL };
	struct check_cmd c = { .argv = argv, .timeout_ms = 300 };

	ASSERT_OK(check_run(&c));
	CHECK(c.timed_out);
}

static void test_run_as_user(void)
{
	const char *const argv[] = { "sh", "-c", "id -u; id -G", NULL };
	struct check_cmd c = { .argv = argv, .as_user = true, .uid = 12345, .gid = 12346 };

	if (geteuid())
		CHECK_SKIP("needs root");
	ASSERT_RUN(&c, 0);
	CHECK_STR(c.out, "12345\n12346\n");
}

static void test_files(void)
{
	const char *path = check_path("a/%s", "b");
	struct stat st;
	size_t len;

	ASSERT_OK(mkdir(check_path("a"), 0755));
	check_write_file(path, "x\0y", 3);
	CHECK_MEM(check_read_file(path, &len), "x\0y", 4);
	CHECK_UINT(len, 3);
	CHECK_HAS(check_read_file("/proc/self/status", NULL), "Pid:");
	CHECK_OK(symlink("/etc", check_path("a/link")));
	CHECK_OK(check_remove_tree(check_path("a")));
	CHECK_INT(stat(check_path("a"), &st), -1);
	CHECK_INT(stat("/etc/passwd", &st), 0);
	CHECK_OK(check_remove_tree(check_path("a")));
}

static const struct check_test tests[] = {
	{ "errno_names", test_errno_names },
	{ "run_collects", test_run_collects },
	{ "run_input_env_cwd", test_run_input_env_cwd },
	{ "run_missing_program", test_run_missing_program },
	{ "run_timeout", test_run_timeout },
	{ "run_output_held_open", test_run_output_held_open },
	{ "run_as_user", test_run_as_user },
	{ "files", test_files },
};
CHECK_MAIN(tests)
