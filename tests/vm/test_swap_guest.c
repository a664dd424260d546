// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What could hang a machine: swap on a reader that hangs or dies while pages are out. Whoever waits for a page goes on with an
 * error, in a time that is known, and everybody else goes on as before. Only in a guest (VDRIVE_VM_SERIES).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../fuse/hog.h"
#include "../fuse/memory_drives.h"
#include "util/cleanup.h"

enum { MIB = 1 << 20, PATIENCE_S = 180, WATCHDOG_S = 3 };
/* An emulated processor that is busy is late. */
#define LATE_S 20
/* At least a quarter of it is out, see hog_cgroup_make(). */
#define HOG_BYTES (12ull * MIB)
#define HOG_LIMIT (6ull * MIB)

static void setup(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	signal(SIGPIPE, SIG_IGN);
	cli_setup();
	cli_become(false);
}

static void teardown(void)
{
	if (getenv("VDRIVE_VM_SERIES"))
		cli("vdrive swap off; vdrive detach --all --lazy");
}

/* The errors that are meant to be are kept from the console, where vm.sh looks for those that are not. */
static void expect_io_errors(bool expected)
{
	check_sh("echo %d >/proc/sys/kernel/printk", expected ? 1 : 7);
	if (!expected)
		CHECK_STR(
			check_sh(
				"dmesg | grep -E 'WARNING:|BUG|Oops|Call Trace:|blocked for more|bad page'")
				->out,
			"");
}

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static bool swaps(void)
{
	return strstr(check_read_file("/proc/swaps", NULL), "/dev/") != NULL;
}

/* Of two hogs one will ask for its pages, the other one leaves them where they are. */
static bool start(struct hog *asks, struct hog *sleeps)
{
	bool full;

	CLI_OK(check_printf("vdrive swap on --engine fuse --limit 128M --watchdog %d 128M",
			    WATCHDOG_S));
	*sleeps = (struct hog){ .ask = -1, .answer = -1 };
	full = CHECK_OK(hog_start(asks, HOG_BYTES, HOG_LIMIT, PATIENCE_S)) &&
	       CHECK_OK(hog_start(sleeps, HOG_BYTES, HOG_LIMIT, PATIENCE_S));
	full = full && CHECK(md_mm_stat("swap").orig >= 2 * (HOG_BYTES / 4));
	/* And back, as it should be. */
	return full && CHECK_OK(hog_check(asks, PATIENCE_S));
}

static void end(struct hog *asks, struct hog *sleeps)
{
	CHECK_OK(hog_end(asks));
	CHECK_OK(hog_end(sleeps));
}

/* The drive goes by itself, swap too, and new swap works as ever. */
static void check_over(struct hog *asks, struct hog *sleeps)
{
	int64_t began = now_s();

	while (swaps() && now_s() - began < PATIENCE_S)
		md_sleep_ms(100);
	CHECK(!swaps());
	/* Its pages are lost, and it is told when it wants them, not before. */
	if (CHECK_OK(kill(sleeps->pid, 0)))
		CHECK_ERRNO(hog_check(sleeps, PATIENCE_S), -EIO);
	end(asks, sleeps);
	MD_CLEAN();
	CHECK(access("/sys/fs/cgroup/vdrive-swap", F_OK));
	expect_io_errors(false);
}

static void test_reader_stopped(void)
{
	struct hog asks, sleeps;
	int64_t began;

	if (!start(&asks, &sleeps)) {
		end(&asks, &sleeps);
		return;
	}
	expect_io_errors(true);
	began = now_s();
	CHECK_OK(kill(atoi(md_attr("swap", "reader_pid")), SIGSTOP));
	CHECK_ERRNO(hog_check(&asks, PATIENCE_S), -EIO);
	CHECK(now_s() - began >= WATCHDOG_S - 1);
	CHECK(now_s() - began <= WATCHDOG_S + LATE_S);
	check_over(&asks, &sleeps);
}

static void test_reader_killed(void)
{
	struct hog asks, sleeps;

	if (!start(&asks, &sleeps)) {
		end(&asks, &sleeps);
		return;
	}
	expect_io_errors(true);
	CHECK_OK(kill(atoi(md_attr("swap", "reader_pid")), SIGKILL));
	CHECK_ERRNO(hog_check(&asks, LATE_S), -EIO);
	check_over(&asks, &sleeps);
}

/* The reader dies with it; what is left is for `swap off`. */
static void test_keeper_killed(void)
{
	struct hog asks, sleeps;

	if (!start(&asks, &sleeps)) {
		end(&asks, &sleeps);
		return;
	}
	expect_io_errors(true);
	CHECK_OK(kill(atoi(md_column("swap", "PID")), SIGKILL));
	CHECK_ERRNO(hog_check(&asks, LATE_S), -EIO);
	CHECK_STR(md_column("swap", "STATE"), "dead");
	CHECK(swaps());
	CLI_OK("vdrive swap off");
	check_over(&asks, &sleeps);
}

/* The root of what the daemon sees has a limit that it cannot leave. */
static void test_limited_root(void)
{
	static const char inside[] =
		"echo $$ >%s/cgroup.procs && exec unshare -C -m sh -c 'mount --make-rprivate / && "
		"umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && %s'";
	struct check_cmd *c;
	char dir[256];

	ASSERT_OK(hog_cgroup_make("root", 300 * MIB, dir));
	CLI_FAILS(check_printf(inside, dir, "vdrive swap on --engine fuse 32M"), 1,
		  "memory is limited for all that can be seen from here");
	CHECK(!swaps());
	MD_CLEAN();
	c = cli(inside, dir, "vdrive swap on --engine fuse --force 32M && vdrive swap off");
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->err, "warning: memory is limited from outside: swap may deadlock");
	CHECK(!swaps());
	MD_CLEAN();
	CHECK_OK(hog_cgroup_remove(dir));
}

/* zram comes by itself. */
static void test_zram_is_loaded(void)
{
	const char *out;

	/* Ours would be preferred. */
	check_sh("/usr/sbin/modprobe -r memdrive");
	CHECK_STR(check_sh("modprobe -r zram 2>&1; test -e /sys/class/zram-control && echo there")
			  ->out,
		  "");
	out = CLI_OK("vdrive swap on 32M");
	CHECK_HAS(out, "engine zram: the kernel's own");
	CHECK(swaps());
	CLI_OK("vdrive swap off");
	CHECK_STR(check_sh("ls -d /sys/block/zram* 2>/dev/null")->out, "");
	MD_CLEAN();
}

static const struct check_test tests[] = {
	{ "zram_is_loaded", test_zram_is_loaded }, { "limited_root", test_limited_root },
	{ "reader_stopped", test_reader_stopped }, { "reader_killed", test_reader_killed },
	{ "keeper_killed", test_keeper_killed },
};
CHECK_MAIN_WITH(tests, setup, teardown)
