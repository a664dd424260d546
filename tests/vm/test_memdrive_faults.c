// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * memdrive while the kernel has no memory for it, and its store does not work, every now and then: allocations and requests are made to fail
 * for all there is, kernel threads too. Data is right or there is a clean error; nothing is left, locked up or used after
 * it is gone. Only on a debugging kernel (config/debug.config).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "blkcheck.h"
#include "check.h"
#include "mdev.h"
#include "util/cleanup.h"

#define MIB (1ull << 20)
#define DEBUG "/sys/kernel/debug"
enum { PAGE = 4096, TRIES = 1000 };

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* What fails, and how often. Its files are open beforehand: opening one might fail as well. */

static int slab = -1, pages = -1, requests = -1;
static const char *percent;

static int prepare(const char *kind, const char *const *more)
{
	static const char *const settings[] = {
		"probability=0", "interval=1",	  "times=-1", "space=0",
		"verbose=0",	 "task-filter=N", NULL,
	};

	for (int k = 0; k < 2; k++)
		for (const char *const *s = k ? more : settings; *s; s++)
			MDEV_SH("cd " DEBUG "/%s && echo %s >%.*s", kind, strchr(*s, '=') + 1,
				(int)strcspn(*s, "="), *s);
	return open(check_printf(DEBUG "/%s/probability", kind), O_WRONLY | O_CLOEXEC);
}

static void set_percent(int fd, const char *text)
{
	for (int i = 0; write(fd, text, strlen(text)) < 0; i++)
		if (i == TRIES)
			abort();
}

/* Only each so-manieth allocation is asked about: of hundreds that one thing takes all have to work now and then. */
static void set_interval(int interval)
{
	MDEV_SH("cd " DEBUG " && echo %d >failslab/interval && echo %d >fail_page_alloc/interval",
		interval, interval);
}

static void memory_faults(bool on)
{
	set_percent(slab, on ? percent : "0");
	set_percent(pages, on ? percent : "0");
}

static void request_faults(bool on)
{
	set_percent(requests, on ? percent : "0");
}

/* What allocations say that fail is not for the console, where vm.sh would take it for a complaint. */
static void quiet(bool on)
{
	static const char bad[] =
		"WARNING:|BUG|Oops|blocked for more|bad page|INFO: possible|INFO: inconsistent|KASAN|UBSAN|"
		"refcount_t:|general protection|kmemleak: .*(disabled|not enough)";

	check_sh("echo %d >/proc/sys/kernel/printk", on ? 1 : 7);
	if (on) {
		check_sh("dmesg -C");
		return;
	}
	CHECK_STR(check_sh("dmesg | grep -E -A 30 '%s' | head -n 60", bad)->out, "");
	CHECK_HAS(check_read_file("/proc/lockdep_stats", NULL),
		  "debug_locks:                             1");
}

static void setup(void)
{
	static const char *const slab_too[] = { "ignore-gfp-wait=N", NULL };
	static const char *const pages_too[] = { "ignore-gfp-wait=N", "ignore-gfp-highmem=N",
						 "min-order=0", NULL };
	static const char *const none[] = { NULL };

	mdev_setup();
	if (!mdev_debug_kernel())
		CHECK_SKIP("not a debugging kernel");
	ASSERT(MDEV_SH("mount -t debugfs debugfs " DEBUG));
	slab = prepare("failslab", slab_too);
	pages = prepare("fail_page_alloc", pages_too);
	requests = prepare("fail_make_request", none);
	ASSERT(slab >= 0 && pages >= 0 && requests >= 0);
	/* It is told when to look, and what it finds is for test_leaks(). */
	MDEV_SH("echo scan=off >" DEBUG "/kmemleak && echo clear >" DEBUG "/kmemleak");
}

static void teardown(void)
{
	mdev_teardown();
	if (requests < 0)
		return;
	close(slab);
	close(pages);
	close(requests);
	MDEV_SH("umount " DEBUG);
}

static const char *new_loop(const char *name, unsigned int mib)
{
	const char *file = check_path("%s", name);
	struct check_cmd *c;

	MDEV_SH("dd if=/dev/zero of=%s bs=1M count=%u 2>/dev/null", file, mib);
	c = check_sh("losetup -f --show %s", file);
	ASSERT_INT(c->status, 0);
	c->out[strcspn(c->out, "\n")] = '\0';
	return c->out;
}

static void end_loop(const char *loop, const char *name)
{
	MDEV_SH("losetup -d %s && rm %s", loop, check_path("%s", name));
}

static void remove_disk(struct mdev d)
{
	struct mdev_mm_stat m;

	CHECK_OK(mdev_reset(d));
	m = mdev_mm_stat(d);
	CHECK_UINT(m.orig, 0);
	CHECK_UINT(m.compr, 0);
	CHECK_UINT(m.used, 0);
	CHECK_OK(mdev_remove(d));
}

/* A processor goes and comes, also when it cannot. */
static pid_t start_hotplug(void)
{
	static const char online[] = "/sys/devices/system/cpu/cpu1/online";
	pid_t pid = fork();

	if (pid)
		return pid;
	for (bool on = false;; on = !on) {
		int fd = open(online, O_WRONLY | O_CLOEXEC);

		/* One that could not come is asked again two steps later. */
		if (fd >= 0 && write(fd, on ? "1" : "0", 1) < 0)
			on = !on;
		if (fd >= 0)
			close(fd);
		sleep_ms(200);
	}
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* All that memdrive does, at the same time, with so many of a hundred allocations failing. */
static void without_memory(const char *percent_, unsigned int requests_)
{
	const char *loop = new_loop("faults", 24), *node;
	struct mdev d = mdev_make(
		"memdrive", 16 * MIB,
		check_printf("mem_limit=1M spill_age=1 density_age=1 dedup=1 backing_dev=%s",
			     loop));
	struct blkcheck c = {
		.bytes = 16 * MIB,
		.threads = 4,
		.requests = requests_,
		.seed = requests_,
		.faults = memory_faults,
	};
	pid_t meddler, hotplug;

	percent = percent_;
	node = mdev_node(d);
	c.path = node;
	quiet(true);
	meddler = mdev_start_meddler(d, loop);
	hotplug = start_hotplug();
	CHECK_OK(blkcheck_run(&c));
	end_child(meddler);
	end_child(hotplug);
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	CHECK(c.writes && c.reads && c.discards && c.failures);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	MDEV_SH("cd /sys/devices/system/cpu/cpu1; for i in 1 2 3 4 5; do "
		"[ $(cat online) = 1 ] || echo 1 >online && exit 0; sleep 0.5; done; exit 1");
	remove_disk(d);
	end_loop(loop, "faults");
	quiet(false);
}

static void test_memory_1(void)
{
	without_memory("1", (unsigned)mdev_rounds(300, 20000));
}

static void test_memory_3(void)
{
	without_memory("3", (unsigned)mdev_rounds(300, 20000));
}

static void test_memory_10(void)
{
	without_memory("10", (unsigned)mdev_rounds(300, 20000));
}

/* Requests to the store fail, above the loop device that it is. */
static void test_requests(void)
{
	const char *loop = new_loop("requests", 24), *node,
		   *make_it_fail =
			   check_printf("/sys/block/%s/make-it-fail", strrchr(loop, '/') + 1);
	struct mdev d = mdev_make("memdrive", 16 * MIB,
				  check_printf("mem_limit=1M spill_age=1 backing_dev=%s", loop));
	struct blkcheck c = {
		.bytes = 16 * MIB,
		.threads = 4,
		.requests = (unsigned)mdev_rounds(300, 20000),
		.seed = 5,
		.faults = request_faults,
	};

	percent = "5";
	node = mdev_node(d);
	c.path = node;
	quiet(true);
	MDEV_SH("echo 1 >%s", make_it_fail);
	CHECK_OK(blkcheck_run(&c));
	MDEV_SH("echo 0 >%s", make_it_fail);
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	CHECK(c.writes && c.reads && c.discards && c.failures);
	/* spill_stat: writes and reads of the store that failed. */
	CHECK(mdev_number(d, "spill_stat", 7) > 0);
	CHECK(mdev_number(d, "spill_stat", 8) > 0);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	remove_disk(d);
	end_loop(loop, "requests");
	quiet(false);
}

/* 0, or the error of a write or a read, which are tried once. */
static int try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int try_add(const char *control, int *number)
{
	char text[16] = "";
	int fd = open(control, O_RDONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		r = -errno;
	close(fd);
	if (!r && sscanf(text, "%d", number) != 1)
		r = -EBADMSG;
	return r;
}

/* Notes the first error that is none of memory's, @too being another that may be. */
static void expect_clean(const char *what, int r, int too, char **odd)
{
	if (r && r != -ENOMEM && r != -EBUSY && r != -EAGAIN && r != -ENOSPC && r != too && !*odd)
		*odd = check_printf("%s: %s", what, check_errno_name(r));
}

/* Disks come, are used and go; what could not be made is not there, what is there can be removed. */
static void test_comes_and_goes(void)
{
	static const char *const steps[][2] = {
		{ "dedup", "1" },	 { "disksize", "4M" },	    { "backing_dev", NULL },
		{ "mem_limit", "64K" },	 { "node", NULL },	    { "recompress", "type=all" },
		{ "writeback", "huge" }, { "backing_dev", "none" }, { "mem_limit", "0" },
	};
	const char *loop = new_loop("comes", 8), *before;
	struct mdev d = mdev_add("memdrive");
	const char *control = "/sys/class/memdrive-control/hot_add";
	unsigned int done = 0, failed = 0, stuck = 0;
	char *odd = NULL;
	static unsigned char page[PAGE] __attribute__((aligned(PAGE)));

	CHECK_OK(mdev_remove(d));
	before = check_sh("ls -d /sys/block/memdrive*")->out;
	percent = "20";
	set_interval(40);
	quiet(true);
	memory_faults(true);
	for (int i = 0; i < mdev_rounds(60, 20000); i++) {
		int r = try_add(control, &d.number), n = 0;

		/* The block layer's, when there is no memory for a disk's name. */
		expect_clean("hot_add", r, -EINVAL, &odd);
		if (r) {
			failed++;
			continue;
		}
		for (size_t k = 0; k < VD_ARRAY_SIZE(steps); k++) {
			if (!strcmp(steps[k][0], "node")) {
				int fd = open(mdev_node(d), O_RDWR | O_DIRECT | O_CLOEXEC);

				for (unsigned int at = 0; fd >= 0 && at < 64; at++) {
					memset(page, (int)at + 1, PAGE / 3);
					page[at] ^= 1;
					if (pwrite(fd, page, PAGE, at * PAGE) < 0)
						break;
				}
				if (fd >= 0)
					close(fd);
				continue;
			}
			r = try_write(mdev_attr(d, steps[k][0]), steps[k][1] ? steps[k][1] : loop);
			/* What comes after a step that failed may be refused. */
			if (r != -EINVAL && r != -ENODEV)
				expect_clean(steps[k][0], r, -EIO, &odd);
			failed += r == -ENOMEM;
		}
		if (i % 2)
			expect_clean("reset", try_write(mdev_attr(d, "reset"), "1"), 0, &odd);
		do
			r = mdev_try_remove(d);
		while (r && ++n < TRIES);
		stuck += r != 0;
		done++;
	}
	memory_faults(false);
	set_interval(1);
	CHECK(done > 0);
	CHECK(failed > 0);
	CHECK_STR(odd, NULL);
	CHECK_UINT(stuck, 0);
	CHECK_STR(check_sh("ls -d /sys/block/memdrive*")->out, before);
	end_loop(loop, "comes");
	quiet(false);
}

/* The module itself: it is loaded, or not at all. */
static void test_loading(void)
{
	const char *file =
		check_sh(
			"modprobe --show-depends memdrive | sed -n 's,^insmod \\(.*memdrive.ko\\).*,\\1,p'")
			->out;
	_cleanup_close_ int fd = -1;
	unsigned int loaded = 0, failed = 0, stuck = 0;
	char *odd = NULL;

	file = check_printf("%.*s", (int)strcspn(file, " \n"), file);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT(MDEV_SH("rmmod memdrive"));
	percent = "20";
	set_interval(100);
	quiet(true);
	memory_faults(true);
	for (int i = 0; i < mdev_rounds(40, 8000); i++) {
		int n = 0, r = syscall(SYS_finit_module, fd, "num_devices=3", 0) ? -errno : 0;

		expect_clean("finit_module", r, 0, &odd);
		if (r) {
			failed++;
			continue;
		}
		loaded++;
		while (syscall(SYS_delete_module, "memdrive", O_NONBLOCK) && ++n < TRIES)
			sleep_ms(1);
		stuck += n == TRIES;
	}
	memory_faults(false);
	set_interval(1);
	CHECK(loaded > 0);
	CHECK(failed > 0);
	CHECK_STR(odd, NULL);
	CHECK_UINT(stuck, 0);
	quiet(false);
	MDEV_SH("modprobe memdrive");
}

/*
 * Whatever the others did not let go of; it takes some seconds before memory is taken for lost. The kernel itself forgets
 * the name of a cache that it could not show in sysfs.
 */
static void test_leaks(void)
{
	static const char each[] = "unreferenced object ";
	char *report, *next;

	quiet(true);
	for (int i = 0; i < 2; i++) {
		sleep_ms(6000);
		CHECK_OK(try_write(DEBUG "/kmemleak", "scan"));
	}
	quiet(false);
	report = check_read_file(DEBUG "/kmemleak", NULL);
	for (; report && *report; report = next) {
		next = strstr(report + 1, each);
		if (next)
			next[-1] = '\0';
		if (!strstr(report, " sysfs_slab_add+"))
			CHECK_STR(report, "");
	}
	MDEV_SH("echo clear >" DEBUG "/kmemleak");
}

static const struct check_test tests[] = {
	{ "memory_1", test_memory_1 },
	{ "memory_3", test_memory_3 },
	{ "memory_10", test_memory_10 },
	{ "requests", test_requests },
	{ "comes_and_goes", test_comes_and_goes },
	{ "loading", test_loading },
	{ "leaks", test_leaks },
};

CHECK_MAIN_WITH(tests, setup, teardown)
