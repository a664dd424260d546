// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * memdrive with a backing store: what it takes for one, that every page comes back from it as it was written, and what happens
 * when it is full, fails, comes and goes. Only in a guest (VDRIVE_VM_SERIES). With VDRIVE_SOAK longer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#include "../fuse/hog.h"
#include "blkcheck.h"
#include "check.h"
#include "mdev.h"
#include "util/cleanup.h"

#define MIB (1ull << 20)
enum { PAGE = 4096, PATIENCE_S = 300 };

/* Columns of spill_stat. */
enum {
	SPILLED,
	BYTES,
	BLOCKS,
	RESERVED,
	OUT,
	BACK,
	COMPACTIONS,
	WRITE_ERRORS,
	READ_ERRORS,
	USABLE
};

static unsigned long long stat_of(struct mdev d, unsigned int column)
{
	return mdev_number(d, "spill_stat", column);
}

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* Until the column is at least so much. */
static bool wait_for(struct mdev d, unsigned int column, unsigned long long least)
{
	for (int i = 0; i < 600; i++) {
		if (stat_of(d, column) >= least)
			return true;
		sleep_ms(50);
	}
	return false;
}

/* A file of written blocks, and a loop device on one. */

static char *new_file(const char *path, unsigned int mib)
{
	MDEV_SH("dd if=/dev/zero of=%s bs=1M count=%u conv=fsync 2>/dev/null", path, mib);
	return check_printf("%s", path);
}

static char *loop_over(const char *file)
{
	struct check_cmd *c = check_sh("losetup -f --show %s", file);

	ASSERT_INT(c->status, 0);
	c->out[strcspn(c->out, "\n")] = '\0';
	return c->out;
}

static char *new_loop(const char *name, unsigned int mib)
{
	return loop_over(new_file(check_path("%s", name), mib));
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
	CHECK_UINT(stat_of(d, SPILLED), 0);
	CHECK_UINT(stat_of(d, RESERVED), 0);
	CHECK_STR(mdev_get(d, "backing_dev"), "none");
	CHECK_OK(mdev_remove(d));
}

/* Pages of which each says which one it is and how often it was written; noise or a text. */

static void fill(unsigned char *page, uint64_t number, unsigned int times, bool noise)
{
	uint64_t *words = (uint64_t *)page, x = (number << 20 | times) * 2 + 1;

	for (size_t i = 0; i < PAGE / 8; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		words[i] = noise ? x ^ x >> 29 : (x >> 40) % 23 * 0x0101010101010101;
	}
	words[0] = number;
	words[1] = times;
}

struct area {
	int fd;
	unsigned char *page, *other;
};

static struct area open_area(struct mdev d)
{
	struct area a = { .fd = open(mdev_node(d), O_RDWR | O_DIRECT | O_CLOEXEC) };

	a.page = aligned_alloc(PAGE, 2 * PAGE);
	a.other = a.page + PAGE;
	ASSERT(a.fd >= 0 && a.page);
	return a;
}

static void close_area(struct area *a)
{
	close(a->fd);
	free(a->page);
}

static int write_page(struct area *a, uint64_t number, unsigned int times, bool noise)
{
	fill(a->page, number, times, noise);
	return pwrite(a->fd, a->page, PAGE, (off_t)(number * PAGE)) == PAGE ? 0 : -errno;
}

/* 0, -EBADMSG, or -errno. */
static int check_page(struct area *a, uint64_t number, unsigned int times, bool noise)
{
	if (pread(a->fd, a->other, PAGE, (off_t)(number * PAGE)) != PAGE)
		return -errno;
	fill(a->page, number, times, noise);
	return memcmp(a->page, a->other, PAGE) ? -EBADMSG : 0;
}

/* How many of [first, end) can be written, or are as they were written. */
static uint64_t write_pages(struct area *a, uint64_t first, uint64_t end, unsigned int times,
			    bool noise)
{
	uint64_t n = 0;

	for (uint64_t i = first; i < end; i++)
		n += !write_page(a, i, times, noise);
	return n;
}

static uint64_t good_pages(struct area *a, uint64_t first, uint64_t end, unsigned int times,
			   bool noise)
{
	uint64_t n = 0;

	for (uint64_t i = first; i < end; i++)
		n += !check_page(a, i, times, noise);
	return n;
}

static int discard(struct area *a, uint64_t first, uint64_t pages)
{
	uint64_t range[2] = { first * PAGE, pages * PAGE };

	return ioctl(a->fd, BLKDISCARD, range) ? -errno : 0;
}

/* Far more than memory may hold, and all of it comes back; with little memory for it the store must have been in use. */
static void test_beyond_memory(void)
{
	const char *loop = new_loop("beyond", 12);
	struct mdev d =
		mdev_make("memdrive", 8 * MIB, check_printf("mem_limit=1M backing_dev=%s", loop));
	struct area a = open_area(d);
	uint64_t pages = 8 * MIB / PAGE;

	CHECK_STR(mdev_get(d, "backing_dev"), loop);
	CHECK_UINT(write_pages(&a, 0, pages, 1, true), pages);
	CHECK(mdev_mm_stat(d).used_max <= MIB);
	CHECK(stat_of(d, SPILLED) >= pages - MIB / PAGE - 256);
	CHECK(mdev_number(d, "bd_stat", 2) >= stat_of(d, SPILLED));
	CHECK_UINT(good_pages(&a, 0, pages, 1, true), pages);
	/* Neighbours came with those that were asked for. */
	CHECK(mdev_number(d, "bd_stat", 1) > 0);
	/* Half of it anew, some of it away; the rest as before. */
	CHECK_UINT(write_pages(&a, 0, pages / 2, 2, false), pages / 2);
	CHECK_OK(discard(&a, pages / 2, 100));
	CHECK_UINT(good_pages(&a, 0, pages / 2, 2, false), pages / 2);
	CHECK_UINT(good_pages(&a, pages / 2 + 100, pages, 1, true), pages / 2 - 100);
	CHECK_INT(pread(a.fd, a.page, PAGE, (off_t)(pages / 2 * PAGE)), PAGE);
	memset(a.other, 0, PAGE);
	CHECK_MEM(a.page, a.other, PAGE);
	CHECK_UINT(mdev_number(d, "io_stat", 0) + mdev_number(d, "io_stat", 1), 0);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "beyond");
}

/* Threads write, read and discard pages with a copy of their own, while everything moves below. */
static void test_model(void)
{
	const char *loop = new_loop("model", 24), *node;
	struct mdev d = mdev_make("memdrive", 16 * MIB,
				  check_printf("mem_limit=1M spill_age=1 backing_dev=%s", loop));
	struct blkcheck c = {
		.bytes = 16 * MIB,
		.threads = 4,
		.requests = (unsigned)mdev_rounds(mdev_debug_kernel() ? 600 : 1500, 100000),
		.seed = 7,
	};
	pid_t pid = mdev_start_meddler(d, loop);

	node = mdev_node(d);
	c.path = node;
	if (!CHECK_OK(blkcheck_run(&c)))
		CHECK_STR(mdev_get(d, "spill_stat"), "");
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(c.writes && c.reads && c.discards);
	CHECK(stat_of(d, OUT) > 1000);
	CHECK(stat_of(d, BACK) > 100);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	remove_disk(d);
	end_loop(loop, "model");
}

/*
 * A store that is nearly too small, with no memory to speak of: compaction all the time. Nothing fails, as what there is fits.
 */
static void test_compaction(void)
{
	const char *loop = new_loop("compact", 4);
	struct mdev d = mdev_make("memdrive", 16 * MIB,
				  check_printf("mem_limit=512K backing_dev=%s", loop));
	struct area a = open_area(d);
	/* 3.3 MiB of noise, of which the store has at least 2.8. */
	uint64_t pages = 850, bad = 0;

	for (unsigned int times = 1; times <= (unsigned)mdev_rounds(4, 100); times++) {
		CHECK_UINT(write_pages(&a, 0, pages, times, true), pages);
		for (uint64_t i = times % 3; i < pages; i += 3)
			bad += write_page(&a, i, times + 1000, true) != 0;
		for (uint64_t i = 0; i < pages; i++)
			bad += check_page(&a, i, i % 3 == times % 3 ? times + 1000 : times, true) !=
			       0;
	}
	CHECK_UINT(bad, 0);
	CHECK(stat_of(d, COMPACTIONS) > 0);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "compact");
}

/*
 * Pages are overwritten in no order at all, when four fifths of the store are needed: what is not lies scattered over all of it, so
 * there are neither free blocks nor a part with little in it. Nothing fails.
 */
static void test_scattered(void)
{
	const char *loop = new_loop("scattered", 4);
	struct mdev d =
		mdev_make("memdrive", 16 * MIB,
			  check_printf("mem_limit=512K spill_reserve=16 backing_dev=%s", loop));
	struct area a = open_area(d);
	/* Of which memory has at least 100. */
	enum { PAGES = 900 };
	unsigned int times[PAGES] = { 0 }, rounds = (unsigned)mdev_rounds(2500, 50000);
	uint64_t x = 1, bad = 0;

	CHECK_UINT(write_pages(&a, 0, PAGES, 0, true), PAGES);
	for (unsigned int i = 0; i < rounds; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		bad += write_page(&a, (x >> 33) % PAGES, ++times[(x >> 33) % PAGES], true) != 0;
	}
	CHECK_UINT(bad, 0);
	for (uint64_t i = 0; i < PAGES; i++)
		bad += check_page(&a, i, times[i], true) != 0;
	CHECK_UINT(bad, 0);
	CHECK_UINT(stat_of(d, USABLE), 1);
	CHECK_UINT(mdev_number(d, "io_stat", 0) + mdev_number(d, "io_stat", 1), 0);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "scattered");
}

/* Only when memory and store are both full a write fails; and nothing else does, ever. */
static void test_full(void)
{
	const char *loop = new_loop("full", 4);
	struct mdev d =
		mdev_make("memdrive", 16 * MIB, check_printf("mem_limit=1M backing_dev=%s", loop));
	uint64_t pages = 16 * MIB / PAGE, n, room = 5 * MIB / PAGE;
	struct area a = open_area(d);

	mdev_expect_errors(true);
	for (n = 0; n < pages; n++)
		if (write_page(&a, n, 1, true))
			break;
	/* What is kept for compaction, the reserve, and headers. */
	CHECK(n > room - room / 10 && n < room + 256);
	CHECK_UINT(stat_of(d, USABLE), 0);
	CHECK(write_page(&a, n, 1, true) < 0);
	CHECK(mdev_number(d, "io_stat", 1) > 0);
	CHECK_UINT(good_pages(&a, 0, n, 1, true), n);
	/* One word takes no memory. */
	memset(a.page, 0x33, PAGE);
	CHECK_INT(pwrite(a.fd, a.page, PAGE, (off_t)(n * PAGE)), PAGE);
	/* Every other page goes, so that no block is free but by compaction; then there is room again. */
	for (uint64_t i = 0; i < n; i += 2)
		CHECK_OK(discard(&a, i, 1));
	sleep_ms(1500);
	CHECK_UINT(write_pages(&a, n, n + n / 4, 2, true), n / 4);
	CHECK_UINT(good_pages(&a, n, n + n / 4, 2, true), n / 4);
	for (uint64_t i = 1; i < n; i += 2)
		CHECK_OK(check_page(&a, i, 1, true));
	mdev_expect_errors(false);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "full");
}

#define FLAKEY "vdrive-flakey"

static char *flakey_table(const char *loop, const char *how)
{
	return check_printf("0 $(blockdev --getsz %s) flakey %s 0 %s", loop, loop, how);
}

/* Seconds up and down, and what does not work then. */
static void flakey(const char *loop, const char *how)
{
	MDEV_SH("dmsetup reload " FLAKEY " --table \"%s\" && dmsetup suspend --noflush " FLAKEY
		" && dmsetup resume " FLAKEY,
		flakey_table(loop, how));
}

/* A store that takes nothing: pages stay where they are. One that gives nothing: EIO, and right again when it does. */
static void test_errors(void)
{
	const char *loop = new_loop("errors", 32), *up = "1 0", *no_writes = "0 1 1 error_writes",
		   *down = "0 1";
	struct mdev d;
	struct area a;
	uint64_t n;

	MDEV_SH("dmsetup create " FLAKEY " --table \"%s\"", flakey_table(loop, up));
	d = mdev_make("memdrive", 16 * MIB, "mem_limit=2M backing_dev=/dev/mapper/" FLAKEY);
	a = open_area(d);
	mdev_expect_errors(true);
	CHECK_UINT(write_pages(&a, 0, 1000, 1, true), 1000);
	CHECK(wait_for(d, SPILLED, 500));

	flakey(loop, no_writes);
	for (n = 1000; n < 4000; n++)
		if (write_page(&a, n, 1, true))
			break;
	/* No more than memory had left. */
	CHECK(n < 1000 + 2 * MIB / PAGE + 256);
	CHECK(stat_of(d, WRITE_ERRORS) > 0);
	CHECK_UINT(good_pages(&a, 0, n, 1, true), n);

	flakey(loop, up);
	/* It is left alone for some seconds. */
	CHECK(wait_for(d, USABLE, 1));
	CHECK_UINT(write_pages(&a, n, 3000, 1, true), 3000 - n);
	CHECK_UINT(good_pages(&a, 0, 3000, 1, true), 3000);
	sleep_ms(300);

	flakey(loop, down);
	CHECK(good_pages(&a, 0, 1000, 1, true) < 1000);
	CHECK(stat_of(d, READ_ERRORS) > 0);
	CHECK(mdev_number(d, "io_stat", 0) > 0);
	CHECK_OK(mdev_set(d, "mem_limit", "0"));
	CHECK_ERRNO(mdev_set(d, "backing_dev", "none"), -EIO);
	flakey(loop, up);
	CHECK_UINT(good_pages(&a, 0, 3000, 1, true), 3000);
	mdev_expect_errors(false);
	close_area(&a);
	remove_disk(d);
	MDEV_SH("dmsetup remove " FLAKEY);
	end_loop(loop, "errors");
}

/* It goes when all fits, not before; a signal ends that; and it may come at any time. */
static void test_detach(void)
{
	const char *loop = new_loop("detach", 32);
	struct mdev d = mdev_make("memdrive", 16 * MIB, "mem_limit=2M");
	struct area a = open_area(d);
	pid_t pid;

	CHECK_ERRNO(mdev_set(d, "backing_dev", "none"), -ENODEV);
	CHECK_UINT(write_pages(&a, 0, 200, 1, true), 200);
	CHECK_OK(mdev_set(d, "backing_dev", "%s", loop));
	CHECK_ERRNO(mdev_set(d, "backing_dev", "%s", loop), -EBUSY);
	CHECK_UINT(write_pages(&a, 200, 2000, 1, true), 1800);
	CHECK_ERRNO(mdev_set(d, "backing_dev", "none"), -ENOSPC);
	CHECK_STR(mdev_get(d, "backing_dev"), loop);
	CHECK_UINT(write_pages(&a, 2000, 2500, 1, true), 500);
	CHECK_UINT(good_pages(&a, 0, 2500, 1, true), 2500);

	CHECK_OK(mdev_set(d, "mem_limit", "0"));
	/* It is on its way or done, whichever; then it is done. */
	pid = fork();
	if (!pid)
		_exit(mdev_set(d, "backing_dev", "none") ? 1 : 0);
	sleep_ms(3);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	CHECK_UINT(good_pages(&a, 0, 2500, 1, true), 2500);
	if (strcmp(mdev_get(d, "backing_dev"), "none"))
		CHECK_OK(mdev_set(d, "backing_dev", "none"));
	CHECK_UINT(stat_of(d, SPILLED), 0);
	CHECK_STR(mdev_get(d, "backing_dev"), "none");
	CHECK_STR(check_sh("losetup -j %s | wc -l", check_path("detach"))->out, "1\n");
	CHECK_UINT(good_pages(&a, 0, 2500, 1, true), 2500);
	/* Now it is another's. */
	MDEV_SH("dd if=/dev/urandom of=%s bs=1M count=32 2>/dev/null", loop);
	CHECK_UINT(good_pages(&a, 0, 2500, 1, true), 2500);
	CHECK_OK(mdev_set(d, "backing_dev", "%s", loop));
	CHECK_OK(mdev_set(d, "mem_limit", "3M"));
	CHECK_UINT(write_pages(&a, 2500, 4096, 1, true), 1596);
	CHECK_UINT(good_pages(&a, 0, 4096, 1, true), 4096);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "detach");
}

/* Without a limit: pages go for their age, or because they are told to; as many as may. */
static void test_by_age_and_hand(void)
{
	const char *loop = new_loop("age", 16);
	struct mdev d = mdev_make("memdrive", 16 * MIB, check_printf("backing_dev=%s", loop));
	struct area a = open_area(d);
	unsigned long long before;

	CHECK_UINT(write_pages(&a, 0, 400, 1, true), 400);
	CHECK_UINT(write_pages(&a, 400, 800, 1, false), 400);
	sleep_ms(1500);
	CHECK_UINT(stat_of(d, SPILLED), 0);
	CHECK_OK(mdev_set(d, "writeback", "page_index=7"));
	CHECK_UINT(stat_of(d, SPILLED), 1);
	CHECK_OK(mdev_set(d, "writeback", "huge"));
	CHECK_UINT(stat_of(d, SPILLED), 400);
	CHECK_UINT(mdev_mm_stat(d).huge, 0);
	CHECK_OK(mdev_set(d, "writeback", "idle"));
	CHECK_UINT(stat_of(d, SPILLED), 400);
	CHECK_OK(mdev_set(d, "idle", "all"));
	CHECK_UINT(good_pages(&a, 400, 500, 1, false), 100);
	/* What may still be written is less than it takes. */
	CHECK_OK(mdev_set(d, "writeback_limit", "5"));
	CHECK_OK(mdev_set(d, "writeback_limit_enable", "1"));
	before = mdev_number(d, "bd_stat", 2);
	CHECK_ERRNO(mdev_set(d, "writeback", "idle"), -EIO);
	CHECK_UINT(mdev_number(d, "writeback_limit", 0), 0);
	CHECK_ERRNO(mdev_set(d, "spill_compact", "1"), -EIO);
	CHECK(mdev_number(d, "bd_stat", 2) <= before + 32);
	CHECK_OK(mdev_set(d, "writeback_limit_enable", "0"));
	CHECK_OK(mdev_set(d, "writeback", "idle"));
	CHECK_UINT(stat_of(d, SPILLED), 700);
	CHECK_UINT(good_pages(&a, 0, 400, 1, true), 400);
	CHECK_UINT(good_pages(&a, 400, 800, 1, false), 400);
	CHECK(stat_of(d, SPILLED) < 100);
	CHECK_OK(mdev_set(d, "spill_age", "2"));
	CHECK(wait_for(d, SPILLED, 800));
	CHECK_UINT(good_pages(&a, 0, 400, 1, true), 400);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "age");
}

/* The least recently used go first: those that are read stay, and come back from memory. */
static void test_lru(void)
{
	const char *loop = new_loop("lru", 32);
	struct mdev d =
		mdev_make("memdrive", 32 * MIB,
			  check_printf("mem_limit=8M spill_readback=0 backing_dev=%s", loop));
	struct area a = open_area(d);
	unsigned long long before, reads;

	CHECK_UINT(write_pages(&a, 0, 1500, 1, true), 1500);
	/* Histograms know powers of two: the young are a quarter as old. */
	sleep_ms(4000);
	CHECK_UINT(good_pages(&a, 0, 400, 1, true), 400);
	CHECK_UINT(write_pages(&a, 1500, 2300, 1, true), 800);
	before = mdev_number(d, "bd_stat", 1);
	CHECK_UINT(good_pages(&a, 0, 400, 1, true), 400);
	reads = mdev_number(d, "bd_stat", 1) - before;
	CHECK(reads < 40);
	before = mdev_number(d, "bd_stat", 1);
	CHECK_UINT(good_pages(&a, 400, 800, 1, true), 400);
	reads = mdev_number(d, "bd_stat", 1) - before;
	CHECK(reads > 300);
	close_area(&a);
	remove_disk(d);
	end_loop(loop, "lru");
}

/* Swap. */

static void swap_on(struct mdev d)
{
	ASSERT(MDEV_SH("mkswap %s >/dev/null && swapon -d %s", mdev_node(d), mdev_node(d)));
}

static void wake(int sig)
{
	(void)sig;
}

/*
 * A hog with three times the memory that it may have, of which a disk may take an eighth more: what became of it is 0, when all of its
 * pages came back as they were, or an error. On zram it can sit in reclaim for long, so that is not waited for.
 */
static int swap_hog(struct mdev d, uint64_t limit, int patience_s, int checks)
{
	struct hog h;
	int r;

	CHECK_OK(mdev_set(d, "mem_limit", "%llu", (unsigned long long)limit / 8));
	swap_on(d);
	/* Whoever makes its cgroup smaller reclaims, until a signal comes. */
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = wake }, NULL);
	alarm((unsigned)patience_s);
	r = hog_start(&h, 3 * limit, limit, patience_s);
	alarm(0);
	for (int i = 0; i < checks && !r; i++)
		r = hog_check(&h, patience_s);
	CHECK_OK(hog_end(&h));
	MDEV_SH("swapoff %s", mdev_node(d));
	return r;
}

/* The same on zram and on memdrive, which has a store. */
static void test_swap_beyond_limit(void)
{
	uint64_t limit = (getenv("VDRIVE_SOAK") ? 128 : 4) * MIB;
	const char *loop = new_loop("swap", (unsigned)(3 * limit / MIB));
	unsigned long long failed;
	struct mdev d;
	int r;

	mdev_expect_errors(true);
	d = mdev_make("zram", 4 * limit, "");
	r = swap_hog(d, limit, mdev_rounds(10, 120), 1);
	failed = mdev_number(d, "io_stat", 1);
	printf("zram: the hog's end is %s, with %llu failed writes\n", check_errno_name(r), failed);
	CHECK(r == -ETIMEDOUT || r == -ENOMEM || r == -ECHILD || r == -EIO);
	CHECK(failed > 0);
	CHECK_OK(mdev_remove(d));
	mdev_expect_errors(false);

	d = mdev_make("memdrive", 4 * limit, check_printf("backing_dev=%s", loop));
	r = swap_hog(d, limit, PATIENCE_S, mdev_rounds(1, 60));
	failed = mdev_number(d, "io_stat", 1);
	printf("memdrive: the hog's end is %s, with %llu failed writes, %llu pages spilled\n",
	       check_errno_name(r), failed, stat_of(d, OUT));
	CHECK_OK(r);
	CHECK(stat_of(d, OUT) > 0);
	CHECK_UINT(mdev_number(d, "io_stat", 0) + failed, 0);
	remove_disk(d);
	end_loop(loop, "swap");
}

/* Its store is a file on a file system whose journal somebody fills meanwhile. */
static void swap_on_file(const char *mkfs)
{
	uint64_t limit = (getenv("VDRIVE_SOAK") ? 64 : 8) * MIB;
	const char *loop = new_loop("disk", (unsigned)(5 * limit / MIB + 304)),
		   *mnt = check_path("mnt"), *file = check_path("mnt/store");
	struct mdev d;
	struct hog h;
	pid_t pid;

	ASSERT(MDEV_SH("%s %s >/dev/null && mkdir %s && mount %s %s", mkfs, loop, mnt, loop, mnt));
	new_file(file, (unsigned)(3 * limit / MIB));
	d = mdev_make(
		"memdrive", 4 * limit,
		check_printf("mem_limit=%llu backing_dev=%s", (unsigned long long)limit / 8, file));
	swap_on(d);
	pid = fork();
	if (!pid) {
		for (;;)
			check_sh(
				"cd %s && for i in $(seq 100); do echo $i >f$i; done; sync; rm -f f*; dd if=/dev/zero of=big bs=64k count=100 conv=fsync 2>/dev/null",
				mnt);
	}
	if (CHECK_OK(hog_start(&h, 3 * limit, limit, PATIENCE_S))) {
		CHECK(stat_of(d, SPILLED) > 0);
		for (int i = 0; i < mdev_rounds(1, 60); i++)
			CHECK_OK(hog_check(&h, PATIENCE_S));
	}
	CHECK_OK(hog_end(&h));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* A swap file's rules, while it is one. */
	CHECK_INT(open(file, O_RDWR | O_TRUNC | O_CLOEXEC), -1);
	CHECK(unlink(file));
	CHECK(check_sh("echo x >>%s", file)->status);
	CHECK(check_sh("umount %s", mnt)->status);
	MDEV_SH("swapoff %s", mdev_node(d));
	CHECK_OK(mdev_set(d, "mem_limit", "0"));
	CHECK_OK(mdev_set(d, "backing_dev", "none"));
	MDEV_SH("echo x >>%s && rm %s", file, file);
	remove_disk(d);
	sleep_ms(200);
	MDEV_SH("umount %s && rmdir %s && %s -n %s >/dev/null", mnt, mnt,
		strstr(mkfs, "xfs") ? "xfs_repair" : "e2fsck -f", loop);
	end_loop(loop, "disk");
}

static void test_swap_on_ext4_file(void)
{
	swap_on_file("mkfs.ext4 -q");
}

static void test_swap_on_xfs_file(void)
{
	swap_on_file("mkfs.xfs -q");
}

/* What is no backing store, and who says so. */
static void refused(struct mdev d, const char *path, int error, const char *words)
{
	MDEV_SH("dmesg -C");
	CHECK_STR(check_printf("%s: %s", path,
			       check_errno_name(mdev_set(d, "backing_dev", "%s", path))),
		  check_printf("%s: %s", path, check_errno_name(error)));
	CHECK_STR(mdev_get(d, "backing_dev"), "none");
	if (words)
		CHECK_HAS(check_sh("dmesg")->out, words);
}

static void test_refused(void)
{
	const char *loop = new_loop("refused", 24), *mnt = check_path("mnt"), *below, *upper;
	struct mdev d = mdev_make("memdrive", 16 * MIB, ""),
		    e = mdev_make("memdrive", 64 * MIB, "");

	refused(d, "/nonexistent", -ENOENT, NULL);
	refused(d, "/dev/null", -ENOTBLK, NULL);
	refused(d, "\n", -EINVAL, NULL);
	refused(d, new_file(check_path("ram"), 1), -EOPNOTSUPP,
		"cannot be a backing store, only one on");
	MDEV_SH("rm %s", check_path("ram"));
	refused(d, mdev_node(d), -ELOOP, "it is a memdrive");
	refused(d, mdev_node(e), -ELOOP, "it is a memdrive");

	ASSERT(MDEV_SH("mkfs.ext4 -q %s && mkdir %s && mount %s %s", loop, mnt, loop, mnt));
	MDEV_SH("cd %s && truncate -s 4M hole && fallocate -l 4M unwritten && dd if=/dev/zero of=partly "
		"bs=1M count=2 2>/dev/null && truncate -s 4M partly && dd if=/dev/zero of=tiny bs=4k "
		"count=9 2>/dev/null && dd if=/dev/zero of=right bs=1M count=4 2>/dev/null",
		mnt);
	refused(d, check_path("mnt/hole"), -EINVAL, "nothing is written at offset 0");
	refused(d, check_path("mnt/unwritten"), -EINVAL, "nothing is written at offset 0");
	refused(d, check_path("mnt/partly"), -EINVAL, "nothing is written at offset 2097152");
	refused(d, check_path("mnt/tiny"), -EINVAL, "less than 262144 bytes");
	refused(d, mnt, -EISDIR, NULL);
	refused(d, loop, -EBUSY, NULL);
	/* What was refused is nobody's any more. */
	MDEV_SH("rm %s/hole %s/unwritten %s/partly %s/tiny", mnt, mnt, mnt, mnt);
	MDEV_SH("mkswap %s/right >/dev/null && swapon %s/right", mnt, mnt);
	refused(d, check_path("mnt/right"), -EBUSY, NULL);
	MDEV_SH("swapoff %s/right", mnt);
	CHECK_OK(mdev_set(d, "backing_dev", "%s/right", mnt));
	refused(e, check_path("mnt/right"), -EBUSY, NULL);
	CHECK(check_sh("swapon %s/right", mnt)->status);
	CHECK_OK(mdev_set(d, "backing_dev", "none"));
	MDEV_SH("rm %s/right && umount %s", mnt, mnt);

	/* On one of ours, however far below. */
	ASSERT(MDEV_SH("mkfs.ext4 -q %s && mount %s %s", mdev_node(e), mdev_node(e), mnt));
	new_file(check_path("mnt/file"), 4);
	refused(d, check_path("mnt/file"), -ELOOP, "it is a memdrive, or on one");
	below = loop_over(check_path("mnt/file"));
	refused(d, below, -ELOOP, "it is a memdrive, or on one");
	MDEV_SH("echo \"0 $(blockdev --getsz %s) linear %s 0\" | dmsetup create vdrive-linear",
		below, below);
	upper = "/dev/mapper/vdrive-linear";
	refused(d, upper, -ELOOP, "it is a memdrive, or on one");
	upper = loop_over("/dev/mapper/vdrive-linear");
	refused(d, upper, -ELOOP, "it is a memdrive, or on one");
	MDEV_SH("losetup -d %s && dmsetup remove vdrive-linear && losetup -d %s", upper, below);
	/* Under an overlay, which has no device of its own. */
	ASSERT(MDEV_SH("cd %s && mkdir ../over upper work && mount -t overlay -o "
		       "lowerdir=../over,upperdir=upper,workdir=work overlay ../over",
		       mnt));
	new_file(check_path("over/file"), 4);
	below = loop_over(check_path("over/file"));
	refused(d, below, -ELOOP, "it is a memdrive, or on one");
	MDEV_SH("losetup -d %s && umount %s && rmdir %s", below, check_path("over"),
		check_path("over"));
	/* A file that has no name any more cannot be looked at. */
	below = loop_over(check_path("mnt/file"));
	MDEV_SH("rm %s/file", mnt);
	refused(d, below, -ENOENT, "cannot find out whether it is on a memdrive: error 2");
	MDEV_SH("losetup -d %s && umount %s && rmdir %s", below, mnt, mnt);
	remove_disk(d);
	remove_disk(e);
	end_loop(loop, "refused");
}

/* Attributes: what they take. */
static void test_attributes(void)
{
	static const struct {
		const char *name, *value;
		int error;
	} values[] = {
		{ "spill_age", "0", 0 },
		{ "spill_age", "1814400", 0 },
		{ "spill_age", "1814401", -EINVAL },
		{ "spill_age", "old", -EINVAL },
		{ "spill_watermark", "10", 0 },
		{ "spill_watermark", "9", -EINVAL },
		{ "spill_watermark", "101", -EINVAL },
		{ "spill_readback", "0", 0 },
		{ "spill_readback", "9", -EINVAL },
		{ "spill_reserve", "16", 0 },
		{ "spill_reserve", "15", -EINVAL },
		{ "writeback_limit", "7", 0 },
		{ "writeback_limit", "-1", -EINVAL },
		{ "writeback_limit_enable", "1", 0 },
		{ "writeback_limit_enable", "7", -EINVAL },
		{ "writeback", "huge", -EINVAL },
		{ "spill_compact", "1", -EINVAL },
		{ "spill_stat", "1", -EACCES },
		{ "bd_stat", "1", -EACCES },
	};
	struct mdev d = mdev_add("memdrive");

	for (size_t i = 0; i < VD_ARRAY_SIZE(values); i++)
		CHECK_STR(check_printf("%s=%s: %s", values[i].name, values[i].value,
				       check_errno_name(
					       mdev_set(d, values[i].name, "%s", values[i].value))),
			  check_printf("%s=%s: %s", values[i].name, values[i].value,
				       check_errno_name(values[i].error)));
	CHECK_UINT(mdev_number(d, "spill_reserve", 0), 16);
	CHECK_OK(mdev_set(d, "disksize", "1M"));
	CHECK_ERRNO(mdev_set(d, "writeback", "huge"), -ENODEV);
	CHECK_ERRNO(mdev_set(d, "spill_compact", "1"), -ENODEV);
	remove_disk(d);
}

static void setup(void)
{
	/* There is no udev. */
	setenv("DM_DISABLE_UDEV", "1", 1);
	mdev_setup();
}

static const struct check_test tests[] = {
	{ "attributes", test_attributes },
	{ "beyond_memory", test_beyond_memory },
	{ "refused", test_refused },
	{ "model", test_model },
	{ "compaction", test_compaction },
	{ "scattered", test_scattered },
	{ "full", test_full },
	{ "errors", test_errors },
	{ "detach", test_detach },
	{ "by_age_and_hand", test_by_age_and_hand },
	{ "lru", test_lru },
	{ "swap_beyond_limit", test_swap_beyond_limit },
	{ "swap_on_ext4_file", test_swap_on_ext4_file },
	{ "swap_on_xfs_file", test_swap_on_xfs_file },
};

CHECK_MAIN_WITH(tests, setup, mdev_teardown)
