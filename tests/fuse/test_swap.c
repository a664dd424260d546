// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive swap on this machine, with either engine: what is swapped out comes back as it was, and `off` undoes all.
 *
 * Nothing here can make the machine short of memory: whoever swaps is alone in a cgroup of 32 MiB, swap is 256 MiB at
 * most, and whoever waits longer than he should has the FUSE connection aborted. Readers that hang or are killed while pages are
 * swapped out belong in a guest (tests/vm/test_swap_guest.c).
 */
#define _GNU_SOURCE
#include "memory_drives.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hog.h"
#include "util/cleanup.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum { MIB = 1 << 20 };
/* Smaller where the processor is emulated. */
static unsigned long long hog_bytes = 128ull * MIB;
static int patience_s = 60;
#define HOG_BYTES hog_bytes
#define HOG_LIMIT (hog_bytes / 4)

static const char *name; /* of our drive, so that its cgroup is known from others' */
static bool may_flush;	 /* PR_SET_IO_FLUSHER is granted here */
static bool have_zram;

static bool try_io_flusher(void)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) ? 1 : 0);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return !status;
}

static void setup(void)
{
	struct check_cmd *c;

	if (getenv("VDRIVE_VM_SERIES")) {
		hog_bytes = 32ull * MIB;
		patience_s = 180;
	}
	signal(SIGPIPE, SIG_IGN);
	unsetenv("XDG_RUNTIME_DIR");
	cli_setup();
	cli_become(false);
	name = check_printf("swap%d", (int)getpid());
	may_flush = !geteuid() && try_io_flusher();
	if (geteuid())
		return;
	c = check_sh("modprobe zram num_devices=0 2>/dev/null; test -e /sys/class/zram-control");
	have_zram = !c->status;
}

static void teardown(void)
{
	if (!geteuid())
		cli("vdrive swap off");
	cli("vdrive detach --all --lazy");
}

#define NEED_ROOT()                                                                                \
	do {                                                                                       \
		if (geteuid())                                                                     \
			CHECK_SKIP("needs root");                                                  \
	} while (0)

/* --force where the system refuses what fuse wants; then there are warnings. */
static const char *force(void)
{
	return may_flush ? "" : "--force 2>warnings";
}

static bool in_swaps(const char *device)
{
	return strstr(check_read_file("/proc/swaps", NULL), check_printf("%s ", device)) != NULL;
}

static int priority_of(const char *device)
{
	const char *line =
		strstr(check_read_file("/proc/swaps", NULL), check_printf("%s ", device));
	int priority = -1000;

	if (line)
		sscanf(line, "%*s %*s %*s %*s %d", &priority);
	return priority;
}

/* Nothing of ours: no swap, no zram device, no cgroup. */
static void check_gone(const char *device)
{
	MD_CLEAN();
	CHECK(!in_swaps(device));
	if (!strncmp(device, "/dev/zram", 9))
		CHECK(access(device, F_OK));
	CHECK(access(check_printf("/sys/fs/cgroup/memory/vdrive-%s", name), F_OK));
	CHECK(access(check_printf("/sys/fs/cgroup/vdrive-%s", name), F_OK));
}

static char *swap_on(const char *engine, const char *options)
{
	const char *said =
		CLI_OK(check_printf("vdrive swap on -n %s --engine %s %s %s", name, engine, options,
				    strcmp(engine, "fuse") ? "" : force()));
	char *device = md_column(name, "DEVICE");

	ASSERT(*device);
	CHECK_HAS(said, check_printf("%s: swap of ", name));
	CHECK_HAS(said, check_printf(" on %s, ", device));
	CHECK_HAS(said, check_printf("engine %s: as asked for", engine));
	ASSERT(in_swaps(device));
	return device;
}

/* Should a wait last too long: everything that hangs on our drive goes on, with an error. */
static void abort_drive(void)
{
	const char *dir = check_printf(" %s/%s ", cli_rundir(), name);
	const char *at = strstr(check_read_file("/proc/self/mountinfo", NULL), dir);
	unsigned int minor;

	if (!at)
		return;
	while (at[-1] != '\n')
		at--;
	if (sscanf(at, "%*u %*u 0:%u", &minor) == 1)
		check_sh(
			"mountpoint -q /sys/fs/fuse/connections || mount -t fusectl none /sys/fs/fuse/connections;"
			"echo 1 >/sys/fs/fuse/connections/%u/abort",
			minor);
}

static bool hog_ok(int r, const char *what)
{
	if (!r)
		return true;
	if (r == -ETIMEDOUT)
		abort_drive();
	return CHECK_FAIL("%s: %s", what, check_errno_name(r));
}

/*
 * The list tells what mm_stat does. Writeback goes on after the hog has filled its memory, so that the two are compared
 * when mm_stat is the same before and after.
 */
static void check_list_says(const char *stat_of)
{
	for (int i = 0; i < 60; i++) {
		struct mm_stat m = md_mm_stat(stat_of), after;
		const char *used = md_column(name, "USED");
		const char *memory = md_column(name, "MEMORY");

		after = md_mm_stat(stat_of);
		if (m.orig == after.orig && m.used == after.used) {
			CHECK_STR(used, check_printf("%llu", m.orig));
			CHECK_STR(memory, check_printf("%llu", m.used));
			return;
		}
		usleep(500000);
	}
	CHECK_FAIL("mm_stat does not come to rest within 30 s");
}

/* 4 times what its cgroup allows, real pages, read back twice; then swap goes while it is full, and they are read again. */
static void check_hog(const char *engine)
{
	const char *device = swap_on(engine, "256M");
	struct mm_stat m;
	struct hog h;
	int r;

	r = hog_start(&h, HOG_BYTES, HOG_LIMIT, patience_s);
	if (r == -ENOENT) {
		check_skip("no memory cgroups");
		CLI_OK("vdrive swap off");
		return;
	}
	if (hog_ok(r, "filling")) {
		m = md_mm_stat(strcmp(engine, "zram") ? name : device);
		/* All but what its cgroup holds; more, as long as what is free again is not discarded. */
		CHECK(m.orig >= HOG_BYTES - 2 * HOG_LIMIT);
		CHECK(m.compr < m.orig && m.used < m.orig && m.used >= m.compr);
		CHECK(m.used_max >= m.used);
		check_list_says(strcmp(engine, "zram") ? name : device);
		CHECK_STR(md_column(name, "STATE"), "live");
		CHECK(atof(md_column(name, "RATIO")) > 1.0);
		hog_ok(hog_check(&h, patience_s), "reading once");
		hog_ok(hog_check(&h, patience_s), "reading twice");
		/* Its pages come back to it, so it must be allowed to have them. */
		CHECK_OK(hog_cgroup_limit(h.cgroup, 2 * HOG_BYTES));
		CHECK(md_mm_stat(strcmp(engine, "zram") ? name : device).orig >= HOG_BYTES / 2);
		CLI_OK("vdrive swap off");
		CHECK(!in_swaps(device));
		hog_ok(hog_check(&h, patience_s), "reading after swap off");
	}
	CHECK_OK(hog_end(&h));
	if (in_swaps(device))
		CLI_OK("vdrive swap off");
	check_gone(device);
}

static void test_zram(void)
{
	NEED_ROOT();
	if (!have_zram)
		CHECK_SKIP("this kernel has no zram");
	check_hog("zram");
}

static void test_fuse(void)
{
	NEED_ROOT();
	check_hog("fuse");
}

/* Without a word about it, and told why. */
static void test_chosen_engine(void)
{
	const char *said;
	char *device;

	NEED_ROOT();
	said = CLI_OK(check_printf("vdrive swap on -n %s 64M %s", name, have_zram ? "" : force()));
	CHECK_HAS(said, !access("/sys/class/memdrive-control", F_OK) ? "engine memdrive: "
			: have_zram ? "engine zram: the kernel's own"
				    : "engine fuse: this kernel has no zram");
	device = md_column(name, "DEVICE");
	CLI_OK(check_printf("vdrive swap off %s", name));
	check_gone(device);
}

static void test_refused(void)
{
	NEED_ROOT();
	if (may_flush)
		CHECK_SKIP("this system grants PR_SET_IO_FLUSHER");
	CLI_FAILS(
		check_printf("vdrive swap on -n %s --engine fuse 64M", name), 1,
		"PR_SET_IO_FLUSHER is refused, and without it swap may deadlock (--force: take the risk)");
	check_gone("/dev/none");
	swap_on("fuse", "64M");
	CHECK_HAS(check_read_file(cli_path("warnings"), NULL),
		  "warning: PR_SET_IO_FLUSHER is refused: swap may deadlock");
	CLI_OK("vdrive swap off");
	check_gone("/dev/none");
}

static void check_safe(const char *pid)
{
	const char *status = check_read_file(check_printf("/proc/%s/status", pid), NULL);
	const char *locked = strstr(status, "VmLck:");

	CHECK_HAS(check_read_file(check_printf("/proc/%s/cgroup", pid), NULL),
		  check_printf("/vdrive-%s\n", name));
	ASSERT(locked);
#ifndef __SANITIZE_ADDRESS__ /* which makes mlock() do nothing */
	CHECK(atol(locked + 6) > 1000);
#endif
}

/* Started from inside a cgroup that is too small for it, the daemon is outside of that. */
static void test_limited_starter(void)
{
	char dir[256];
	const char *device;
	pid_t pid;
	int status = -1, r;

	NEED_ROOT();
	r = hog_cgroup_make("starter", 24 * MIB, dir);
	if (r)
		CHECK_SKIP("no memory cgroups");
	pid = fork();
	if (!pid) {
		if (hog_cgroup_enter(dir))
			_exit(9);
		struct check_cmd *c =
			cli("vdrive swap on -n %s --engine fuse 96M %s", name, force());
		_exit(c->status);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	check_safe(md_column(name, "PID"));
	check_safe(md_attr(name, "reader_pid"));
	device = md_column(name, "DEVICE");
	CHECK_OK(hog_cgroup_remove(dir));
	CLI_OK("vdrive swap off");
	check_gone(device);
}

static char *sysctl(const char *which)
{
	char *text = check_read_file(check_printf("/proc/sys/vm/%s", which), NULL);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

static const char *const tuned[][2] = { { "page-cluster", "0" },
					{ "swappiness", "180" },
					{ "watermark_boost_factor", "0" },
					{ "watermark_scale_factor", "125" } };

static void check_tuned(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(tuned); i++)
		CHECK_STR(sysctl(tuned[i][0]), tuned[i][1]);
}

static void wait_dead(void)
{
	for (int t = 0; t < 100 && strcmp(md_column(name, "STATE"), "dead"); t++)
		md_sleep_ms(50);
	CHECK_STR(md_column(name, "STATE"), "dead");
}

static void test_tune(void)
{
	const char *engine = have_zram ? "zram" : "fuse", *said;
	char *before[VD_ARRAY_SIZE(tuned)];

	NEED_ROOT();
	for (size_t i = 0; i < VD_ARRAY_SIZE(tuned); i++)
		before[i] = sysctl(tuned[i][0]);
	if (!strcmp(before[0], tuned[0][1]))
		CHECK_SKIP("tuned already");
	said = CLI_OK(check_printf("vdrive swap on -n %s --engine %s --tune 64M %s", name, engine,
				   have_zram ? "" : force()));
	CHECK_HAS(said, "\nvm.page-cluster = 0: ");
	CHECK_HAS(said, "\nvm.swappiness = 180: ");
	check_tuned();
	/* Another drive that wants the same keeps them. */
	CLI_OK(check_printf("vdrive swap on -n %s-2 --engine %s --tune 64M %s >/dev/null", name,
			    engine, have_zram ? "" : force()));
	CLI_OK(check_printf("vdrive swap off %s", name));
	check_tuned();
	CLI_OK("vdrive swap off");
	for (size_t i = 0; i < VD_ARRAY_SIZE(tuned); i++)
		CHECK_STR(sysctl(tuned[i][0]), before[i]);
	/* Those of a dead keeper go back when its drive is taken down; what somebody has changed since stays. */
	swap_on(engine, "--tune 64M");
	check_sh("echo 77 >/proc/sys/vm/swappiness");
	CHECK_INT(kill(atoi(md_column(name, "PID")), SIGKILL), 0);
	wait_dead();
	CHECK_STR(sysctl(tuned[0][0]), tuned[0][1]);
	CLI_OK("vdrive swap off");
	for (size_t i = 0; i < VD_ARRAY_SIZE(tuned); i++)
		CHECK_STR(sysctl(tuned[i][0]), i == 1 ? "77" : before[i]);
	for (size_t i = 0; i < VD_ARRAY_SIZE(tuned); i++)
		check_sh("echo %s >/proc/sys/vm/%s", before[i], tuned[i][0]);
	check_gone("/dev/none");
}

/* Nothing is swapped out at that moment. */
static void test_keeper_killed(void)
{
	static const char *const engines[] = { "zram", "fuse" };

	NEED_ROOT();
	for (size_t i = 0; i < VD_ARRAY_SIZE(engines); i++) {
		const char *device;

		if (!i && !have_zram)
			continue;
		device = swap_on(engines[i], "64M");
		CHECK_INT(kill(atoi(md_column(name, "PID")), SIGKILL), 0);
		wait_dead();
		CHECK_STR(md_column(name, "DEVICE"), device);
		CLI_OK("vdrive swap off");
		check_gone(device);
	}
}

/* Its zram device was taken away, and the name is now somebody else's. */
static void test_name_of_another(void)
{
	const char *device;

	NEED_ROOT();
	if (!have_zram)
		CHECK_SKIP("this kernel has no zram");
	device = swap_on("zram", "64M");
	CHECK_INT(kill(atoi(md_column(name, "PID")), SIGKILL), 0);
	wait_dead();
	check_sh(
		"swapoff %s; d=%s; n=${d#/dev/zram}; echo 1 >/sys/block/zram$n/reset; echo 32M >/sys/block/zram$n/disksize;"
		"mkswap -q %s; swapon %s",
		device, device, device, device);
	ASSERT(in_swaps(device));
	CLI_OK("vdrive swap off");
	CHECK(in_swaps(device));
	check_sh("swapoff %s; echo %s >/sys/class/zram-control/hot_remove", device,
		 device + strlen("/dev/zram"));
	check_gone(device);
}

static void test_priorities(void)
{
	const char *first, *second;

	NEED_ROOT();
	if (!have_zram)
		CHECK_SKIP("this kernel has no zram");
	first = swap_on("zram", "64M");
	CHECK_INT(priority_of(first), 100);
	CHECK_HAS(CLI_OK(check_printf("vdrive swap on -n %s-2 -p 7 --engine zram --limit 16M 64M",
				      name)),
		  ", priority 7, ");
	second = md_column(check_printf("%s-2", name), "DEVICE");
	CHECK_INT(priority_of(second), 7);
	CHECK_UINT(md_mm_stat(second).limit, 16 * MIB);
	CHECK_HAS(check_read_file(check_printf("/sys/block/%s/comp_algorithm", second + 5), NULL),
		  "[lz4]");
	CHECK_STR(CLI_OK(check_printf("vdrive set -n %s-2 disksize", name)), "67108864\n");
	CLI_OK("vdrive swap off");
	check_gone(first);
	check_gone(second);
}

static void test_list(void)
{
	const char *engine = have_zram ? "zram" : "fuse";
	const char *device, *out;

	NEED_ROOT();
	CHECK_STR(CLI_OK("vdrive swap"), "");
	device = swap_on(engine, "64M");
	out = CLI_OK("vdrive swap");
	CHECK_HAS(out, "NAME ");
	CHECK_HAS(out, check_printf("%s ", name));
	CHECK_HAS(out, check_printf("live  %s   %s\n", engine, device));
	CHECK_STR(CLI_OK("vdrive list -n -r -o TYPE,SIZE,STATE,ENGINE,DEVICE"),
		  check_printf("swap 64M live %s %s\n", engine, device));
	out = CLI_OK("vdrive swap --json --bytes");
	CHECK(cli_json_valid(out));
	CHECK_HAS(out, "\"size\": 67108864");
	CHECK_HAS(out, check_printf("\"device\": \"%s\"", device));
	/* A ramdisk is no swap. */
	CLI_OK("vdrive ramdisk -n r 1M >/dev/null");
	CHECK(!strstr(CLI_OK("vdrive swap"), "r  "));
	CLI_FAILS("vdrive swap off r", 1, "r is a drive, but no swap");
	CLI_OK("vdrive detach r");
	/* To detach it is to swap off. */
	CLI_OK(check_printf("vdrive detach %s", name));
	check_gone(device);
}

/* A swap file on a disk, and zswap, do not go well with it. */
static void test_warnings(void)
{
	static const char zswap[] = "/sys/module/zswap/parameters/enabled";
	struct check_cmd *c;
	bool on = false;

	NEED_ROOT();
	if (!have_zram)
		CHECK_SKIP("this kernel has no zram");
	c = cli("dd if=/dev/zero of=disk bs=1M count=16 status=none && chmod 600 disk && mkswap -q disk && swapon disk");
	CHECK_STR(c->err, "");
	if (c->status)
		return;
	if (!access(zswap, W_OK) && check_read_file(zswap, NULL)[0] == 'N')
		on = !check_sh("echo Y >%s", zswap)->status;
	c = cli("vdrive swap on -n %s --engine zram 64M", name);
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->err, check_printf("vdrive swap: warning: %s swaps too", cli_path("disk")));
	CHECK_HAS(c->err, "LRU inversion");
	if (on)
		CHECK_HAS(c->err, "vdrive swap: warning: zswap is on");
	CLI_OK("vdrive swap off");
	/* It is the other's priority that makes the inversion. */
	CLI_OK("swapoff disk && swapon -p 200 disk");
	c = cli("vdrive swap on -n %s --engine zram 64M", name);
	CHECK(!strstr(c->err, "LRU inversion"));
	CLI_OK("vdrive swap off; swapoff disk");
	if (on)
		check_sh("echo N >%s", zswap);
	check_gone("/dev/none");
}

static void test_errors(void)
{
	static const struct {
		const char *command;
		int status;
		const char *words;
	} rows[] = {
		{ "vdrive swap frob", 2, "'frob' is neither on nor off" },
		{ "vdrive swap on", 2, "a size is needed" },
		{ "vdrive swap on 1M 2M", 2, "too many arguments" },
		{ "vdrive swap -n x", 2, "on or off is needed" },
		{ "vdrive swap off -n x", 2, "off takes names only" },
		{ "vdrive swap on --json 1M", 2, "--bytes and --json go with no argument" },
		{ "vdrive swap on --frobnicate 1M", 2, "unrecognized option" },
		{ "vdrive swap on -n a/b 1M", 2, "no name for a drive" },
		{ "vdrive swap on --engine x 1M", 2,
		  "engine 'x' is not known: memdrive, zram and fuse are" },
		{ "vdrive swap on --engine zram --backing b 1M", 2,
		  "--backing goes with --engine memdrive" },
		{ "vdrive swap on --backing-size 1M 1M", 2, "--backing-size goes with --backing" },
		{ "vdrive swap on -p 32768 1M", 2, "priority '32768': 0 to 32767" },
		{ "vdrive swap on -p x 1M", 2, "priority 'x'" },
		{ "vdrive swap on --watchdog 0 1M", 2, "watchdog '0': 1 to 3600 seconds" },
		{ "vdrive swap off", 1, "no swap of ours is on" },
		{ "vdrive swap off nosuch", 1, "nosuch" },
	};
	static const char *const both[] = { "zram", "fuse" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++)
		CLI_FAILS(rows[i].command, rows[i].status, rows[i].words);
	CHECK_HAS(CLI_OK("vdrive swap --help"), "Usage:\n vdrive swap on ");
	if (geteuid()) {
		CLI_FAILS("vdrive swap on 64M", 1, "only root may swap");
		CHECK_SKIP("the rest needs root");
	}
	cli_become(true);
	CLI_FAILS("vdrive swap on 64M", 1, "only root may swap");
	cli_become(false);
	for (size_t i = have_zram ? 0 : 1; i < VD_ARRAY_SIZE(both); i++) {
		const char *on =
			check_printf("vdrive swap on --force -n %s --engine %s", name, both[i]);

		CLI_FAILS(check_printf("%s many", on), 1, "'many' is not a size");
		CLI_FAILS(check_printf("%s 0", on), 1, "a size of 0");
		CLI_FAILS(check_printf("%s --limit many 1M", on), 1, "'many' is not a size");
		CLI_FAILS(check_printf("%s 4096", on), 1, "mkswap failed: ");
		check_gone("/dev/none");
		CLI_OK(check_printf("%s 64M >/dev/null 2>&1", on));
		CLI_FAILS(check_printf("%s 64M", on), 1,
			  check_printf("a drive named %s is there already", name));
		CLI_OK("vdrive swap off");
		check_gone("/dev/none");
	}
	if (have_zram)
		CLI_FAILS("vdrive swap on --engine zram 900000%", 1, "of memory is available");
	CLI_FAILS("vdrive swap on --engine fuse --limit 101% 200%", 1, "of memory is available");
	check_gone("/dev/none");
}

/* Asked for by name, or needed: why it is not to be had. Nothing is made then. */
static void test_no_module(void)
{
	NEED_ROOT();
	if (!check_sh("modinfo memdrive >/dev/null 2>&1 || test -e /sys/class/memdrive-control")
		     ->status)
		CHECK_SKIP("there is a module");
	cli_become(true);
	CLI_FAILS("vdrive ramdisk --engine memdrive 16M", 1, "only root may use engine memdrive");
	CLI_FAILS("vdrive ramdisk --backing b 16M", 1, "only root may use engine memdrive");
	cli_become(false);
	CLI_FAILS("vdrive swap on --engine memdrive 16M", 1, "memdrive");
	CLI_FAILS("vdrive swap on --backing b 16M", 1, "memdrive");
	CLI_FAILS("vdrive ramdisk --backing b 16M", 1, "memdrive");
	CHECK(access(cli_path("b"), F_OK));
	check_gone("/dev/none");
}

static const struct check_test tests[] = {
	{ "errors", test_errors },
	{ "no_module", test_no_module },
	{ "zram", test_zram },
	{ "fuse", test_fuse },
	{ "chosen_engine", test_chosen_engine },
	{ "refused", test_refused },
	{ "limited_starter", test_limited_starter },
	{ "tune", test_tune },
	{ "keeper_killed", test_keeper_killed },
	{ "name_of_another", test_name_of_another },
	{ "priorities", test_priorities },
	{ "list", test_list },
	{ "warnings", test_warnings },
};
CHECK_MAIN_WITH(tests, setup, teardown)
