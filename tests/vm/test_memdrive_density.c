// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * memdrive's cold pages: packed by itself and when told, read, brought back, left by their neighbours, corrupted. Only in a guest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <unistd.h>

#include "blkcheck.h"
#include "check.h"
#include "mdev.h"
#include "pages.h"
#include "util/cleanup.h"

/* Columns of density_stat. */
enum { PACKED, UNITS, PACKED_SINCE, SAVED, STUBBORN, BACK, CPU_MS };

enum { PATIENCE_S = 120 };

/* A disk on which nothing is packed unless told to, with some settings. */
static struct mdev quiet_disk(const char *settings)
{
	return mdev_make("memdrive", 32 * MIB, check_printf("density=0 %s", settings));
}

static void remove_disk(struct mdev d)
{
	nothing_left(d);
	CHECK_OK(mdev_reset(d));
	CHECK_OK(mdev_remove(d));
}

static unsigned long long density(struct mdev d, unsigned int column)
{
	return mdev_number(d, "density_stat", column);
}

/* By the thread: it has as long as a busy machine may need. */
static bool wait_for(struct mdev d, unsigned int column, unsigned long long least)
{
	for (int i = 0; i < PATIENCE_S * 10; i++) {
		if (density(d, column) >= least)
			return true;
		usleep(100000);
	}
	return false;
}

/* It goes on by itself; nothing is lost, and the memory is less. What is read twice comes back. */
static void test_by_itself(void)
{
	enum { N = 1024 };
	struct mdev d = mdev_make("memdrive", 32 * MIB, "");
	unsigned long long before, after;

	CHECK_STR(mdev_get(d, "density"), "1");
	write_pages(d, 0, N, page_of_words, 1);
	before = mdev_mm_stat(d).used;
	CHECK_UINT(density(d, PACKED), 0);
	CHECK_OK(mdev_set(d, "density_age", "0"));
	if (!CHECK(wait_for(d, PACKED, N)))
		CHECK_STR(mdev_get(d, "density_stat"), "");
	CHECK_OK(mdev_set(d, "density", "0"));
	after = mdev_mm_stat(d).used;
	if (!CHECK(after < before * 3 / 4))
		CHECK_FAIL("%llu bytes before, %llu after", before, after);
	CHECK_UINT(density(d, UNITS), N / 2);
	CHECK_UINT(mdev_mm_stat(d).orig, N * PAGE);
	CHECK(density(d, SAVED) > 0);

	CHECK_UINT(wrong_pages(d, 0, N, 1, page_of_words, 1), 0);
	CHECK_UINT(density(d, BACK), 0);
	CHECK_UINT(wrong_pages(d, 0, N / 2, 1, page_of_words, 1), 0);
	CHECK_UINT(density(d, BACK), N / 2);
	CHECK_UINT(density(d, PACKED), N / 2);
	CHECK_UINT(wrong_pages(d, 0, N, 1, page_of_words, 1), 0);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	remove_disk(d);
}

/* Recent pages stay as they are. */
static void test_hot_pages_stay(void)
{
	struct mdev d = mdev_make("memdrive", 4 * MIB, "density_age=100000");

	write_pages(d, 0, 256, page_of_words, 1);
	/* The setting wakes it. */
	CHECK_OK(mdev_set(d, "density_age", "50000"));
	usleep(1500000);
	CHECK_UINT(density(d, PACKED_SINCE), 0);
	remove_disk(d);
}

/* Units of each size; and a neighbour that is too far away makes none. */
static void test_unit_sizes(void)
{
	static const struct {
		const char *settings;
		unsigned int pages;
	} sizes[] = { { "density_pages=1", 1 },
		      { "density_pages=2", 2 },
		      { "density_pages=4", 4 } };

	for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++) {
		struct mdev d = quiet_disk(sizes[i].settings);
		unsigned long long units = sizes[i].pages > 1 ? 256 / sizes[i].pages : 0;

		write_pages(d, 3, 256, page_of_words, i);
		write_pages(d, 1000, 1, page_of_words, 9);
		CHECK_OK(mdev_set(d, "recompress", "type=all"));
		CHECK_UINT(density(d, PACKED), 257);
		/* Four of them do not fit a page: pairs then. */
		if (sizes[i].pages == 4)
			CHECK(density(d, UNITS) >= 64 && density(d, UNITS) <= 128);
		else
			CHECK_UINT(density(d, UNITS), units);
		/* One page of each unit, then all: the first read of a unit is not of its first page only. */
		CHECK_UINT(wrong_pages(d, 3, 256, 3, page_of_words, i), 0);
		CHECK_UINT(wrong_pages(d, 3, 256, 1, page_of_words, i), 0);
		CHECK_UINT(wrong_pages(d, 1000, 1, 1, page_of_words, 9), 0);
		remove_disk(d);
	}
}

/* One of each pair is discarded, or written again: the other is packed once more, and the memory is given back. */
static void test_hollow_units(void)
{
	enum { N = 512 };
	struct mdev d = quiet_disk("density_pages=2 density_level=1");
	unsigned long long full, hollow, again;

	write_pages(d, 0, N, page_of_words, 1);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(density(d, UNITS), N / 2);
	full = mdev_mm_stat(d).compr;
	discard_pages(d, 0, N, 2);
	hollow = mdev_mm_stat(d).compr;
	CHECK_UINT(hollow, full);
	CHECK_UINT(density(d, PACKED), N / 2);
	CHECK_OK(mdev_set(d, "density_age", "0"));
	CHECK_OK(mdev_set(d, "density", "1"));
	CHECK(wait_for(d, PACKED_SINCE, N + N / 2));
	CHECK_OK(mdev_set(d, "density", "0"));
	again = mdev_mm_stat(d).compr;
	CHECK_UINT(density(d, UNITS), N / 4);
	if (!CHECK(again < full * 6 / 10))
		CHECK_FAIL("%llu bytes in full units, %llu after", full, again);
	for (unsigned int i = 1; i < N; i += 2) {
		unsigned char page[PAGE], expected[PAGE];

		CHECK_OK(read_page(d, i, page));
		page_of_words(1, i, expected);
		if (!CHECK_MEM(page, expected, PAGE))
			break;
	}
	remove_disk(d);
}

/* What zstd cannot make smaller is tried once. */
static void test_noise(void)
{
	struct mdev d = quiet_disk("density_pages=2 density_level=1");

	write_pages(d, 0, 64, page_of_noise, 1);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(density(d, PACKED), 0);
	CHECK_UINT(density(d, STUBBORN), 64);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(density(d, STUBBORN), 64);
	CHECK_UINT(mdev_mm_stat(d).huge, 64);
	write_pages(d, 0, 8, page_of_noise, 2);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(density(d, STUBBORN), 72);
	CHECK_UINT(wrong_pages(d, 0, 8, 1, page_of_noise, 2), 0);
	remove_disk(d);
}

/* zram's ways to choose. */
static void test_recompress(void)
{
	struct mdev d = quiet_disk("density_pages=1");

	write_pages(d, 0, 64, page_of_words, 1);
	write_pages(d, 64, 64, page_of_noise, 1);
	CHECK_OK(mdev_set(d, "recompress", "type=idle"));
	CHECK_UINT(density(d, PACKED), 0);
	CHECK_OK(mdev_set(d, "recompress", "type=huge"));
	CHECK_UINT(density(d, PACKED), 0);
	CHECK_UINT(density(d, STUBBORN), 64);
	CHECK_OK(mdev_set(d, "recompress", "type=all threshold=3000 priority=1"));
	CHECK_UINT(density(d, PACKED), 0);
	CHECK_OK(mdev_set(d, "recompress", "max_pages=5 algo=zstd"));
	CHECK_UINT(density(d, PACKED), 5);
	CHECK_OK(mdev_set(d, "idle", "all"));
	CHECK_UINT(wrong_pages(d, 10, 1, 1, page_of_words, 1), 1);
	write_pages(d, 11, 1, page_of_words, 7);
	CHECK_OK(mdev_set(d, "recompress", "type=idle"));
	CHECK_UINT(density(d, PACKED), 62);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(density(d, PACKED), 64);
	remove_disk(d);
}

/* Attributes: what they take, and refuse. */
static void test_attributes(void)
{
	static const struct {
		const char *name, *value;
		int error;
		const char *then;
	} table[] = {
		{ "density", "0", 0, "0" },
		{ "density", "1", 0, "1" },
		{ "density", "2", -EINVAL, "1" },
		{ "density_age", "7", 0, "7" },
		{ "density_age", "-1", -EINVAL, "7" },
		{ "density_age", "4294967296", -ERANGE, "7" },
		{ "density_pages", "4", 0, "4" },
		{ "density_pages", "3", -EINVAL, "4" },
		{ "density_pages", "0", -EINVAL, "4" },
		{ "density_pages", "8", -EINVAL, "4" },
		{ "density_level", "22", 0, "22" },
		{ "density_level", "23", -EINVAL, "22" },
		{ "density_level", "0", -EINVAL, "22" },
		{ "density_stat", "0", -EACCES, NULL },
		{ "algorithm_params", "priority=1 level=5", 0, NULL },
		{ "density_level", NULL, 0, "5" },
		{ "algorithm_params", "algo=zstd level=99", -EINVAL, NULL },
		{ "algorithm_params", "algo=lz4 level=2", -EINVAL, NULL },
		{ "algorithm_params", "dict=/etc/passwd", -EINVAL, NULL },
		{ "recomp_algorithm", "algo=zstd priority=1", -EBUSY, "#1: [zstd]" },
		{ "recomp_algorithm", "algo=lzo priority=1", -EINVAL, NULL },
		{ "recomp_algorithm", "priority=2", -EINVAL, NULL },
		{ "recompress", "type=hot", -EINVAL, NULL },
		{ "recompress", "type", -EINVAL, NULL },
		{ "recompress", "threshold=4096", -EINVAL, NULL },
		{ "recompress", "threshold=x", -EINVAL, NULL },
		{ "recompress", "max_pages=-1", -EINVAL, NULL },
		{ "recompress", "everything=1", -EINVAL, NULL },
		{ "recompress", "type=huge_idle", 0, NULL },
		{ "dedup", "1", 0, "1" },
		{ "dedup", "0", 0, "0" },
		{ "dedup", "maybe", -EINVAL, "0" },
	};
	struct mdev d = mdev_add("memdrive");

	CHECK_ERRNO(mdev_set(d, "recompress", "type=idle"), -EINVAL);
	CHECK_STR(mdev_get(d, "density_age"), "60");
	CHECK_STR(mdev_get(d, "density_pages"), "2");
	CHECK_STR(mdev_get(d, "density_level"), "1");
	CHECK_STR(mdev_get(d, "dedup"), "0");
	CHECK_OK(mdev_set(d, "recomp_algorithm", "algo=zstd priority=1"));
	CHECK_OK(mdev_set(d, "disksize", "16M"));
	for (size_t i = 0; i < VD_ARRAY_SIZE(table); i++) {
		const char *name = table[i].name;
		int r = table[i].value ? mdev_set(d, name, "%s", table[i].value) : 0;

		CHECK_STR(check_printf("%s=%s: %s", name, table[i].value, check_errno_name(r)),
			  check_printf("%s=%s: %s", name, table[i].value,
				       check_errno_name(table[i].error)));
		if (table[i].then)
			CHECK_STR(check_printf("%s: %s", name, mdev_get(d, name)),
				  check_printf("%s: %s", name, table[i].then));
	}
	/* A level that needs much memory works as well. */
	write_pages(d, 0, 16, page_of_words, 1);
	CHECK_OK(mdev_set(d, "density_level", "22"));
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK(density(d, PACKED) > 0);
	CHECK_UINT(wrong_pages(d, 0, 16, 1, page_of_words, 1), 0);
	/* All as it was. */
	CHECK_OK(mdev_reset(d));
	CHECK_STR(mdev_get(d, "density_age"), "60");
	CHECK_STR(mdev_get(d, "density_level"), "1");
	CHECK_OK(mdev_remove(d));
}

/* A bit of what is stored turns round: the page (of a unit: its pages) cannot be read, others can, and writing it heals it. */
static void corrupt(struct mdev d, uint64_t page, unsigned int pages, page_maker *make)
{
	unsigned long long errors = mdev_number(d, "verify_errors", 0), failed;
	unsigned char buf[PAGE];

	failed = mdev_number(d, "io_stat", 0);
	if (!CHECK_OK(mdev_set(d, "corrupt", "%llu", (unsigned long long)page)))
		return;
	for (unsigned int i = 0; i < pages; i++)
		CHECK_ERRNO(read_page(d, page + i, buf), -EIO);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), errors + pages);
	CHECK_UINT(mdev_number(d, "io_stat", 0), failed + pages);
	CHECK_OK(read_page(d, page - 1, buf));
	CHECK_OK(read_page(d, page + pages, buf));
	for (unsigned int i = 0; i < pages; i++)
		write_pages(d, page + i, 1, make, 77);
	CHECK_UINT(wrong_pages(d, page, 1, 1, make, 77), 0);
}

static void test_corruption(void)
{
	static const struct {
		const char *settings;
		bool pack;
		unsigned int pages; /* that are lost at once */
		page_maker *make;
	} cases[] = {
		{ "verify=1", false, 1, page_of_words },
		{ "verify=1", false, 1, page_of_noise },
		{ "verify=1 density_pages=1", true, 1, page_of_words },
		{ "verify=1 density_pages=2", true, 2, page_of_words },
	};

	mdev_expect_errors(true);
	for (size_t i = 0; i < VD_ARRAY_SIZE(cases); i++) {
		struct mdev d = quiet_disk(cases[i].settings);

		write_pages(d, 0, 32, cases[i].make, 1);
		if (cases[i].pack)
			CHECK_OK(mdev_set(d, "recompress", "type=all"));
		CHECK_UINT(density(d, PACKED), cases[i].pack ? 32 : 0);
		corrupt(d, 8, cases[i].pages, cases[i].make);
		/* Packing checks what it takes in, and leaves alone what is wrong. */
		write_pages(d, 16, 1, page_of_words, 5);
		CHECK_OK(mdev_set(d, "corrupt", "16"));
		CHECK_OK(mdev_set(d, "recompress", "type=all"));
		CHECK_ERRNO(read_page(d, 16, (unsigned char[PAGE]){ 0 }), -EIO);
		CHECK_UINT(wrong_pages(d, 0, 8, 1, cases[i].make, 1), 0);
		remove_disk(d);
	}
	mdev_expect_errors(false);
}

/*
 * Random work, every page checked, while all that is cold for no time at all is packed, again and again. With a limit and a
 * backing store pages are spilled at the same time.
 */
static void random_work(const char *settings, unsigned int seed)
{
	struct mdev d = mdev_make("memdrive", 8 * MIB, settings);
	struct blkcheck c = {
		.path = mdev_node(d),
		.bytes = 8 * MIB,
		.threads = 3,
		.requests = (unsigned)mdev_rounds(1500, 300000),
		.seed = seed,
	};
	/* The thread looks once a second only; this one nearly all the time. */
	pid_t pid = fork();

	if (!pid) {
		for (;;) {
			mdev_set(d, "recompress", "type=all");
			usleep(5000);
		}
	}
	CHECK_OK(blkcheck_run(&c));
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(density(d, PACKED_SINCE) > 100);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	if (strstr(settings, "backing_dev")) {
		CHECK(mdev_number(d, "bd_stat", 2) > 0);
	} else {
		/* A read while others pack leaves the page where it is, so this is asked when nobody does. */
		CHECK_OK(mdev_set(d, "recompress", "type=all"));
		for (unsigned int i = 0; i < 2 * 8 * MIB / PAGE; i++)
			CHECK_OK(read_page(d, i / 2, (unsigned char[PAGE]){ 0 }));
		CHECK(density(d, BACK) > 0);
	}
	remove_disk(d);
}

/* A page that is discarded while it is moved is gone: it is never taken for one that had been empty before. */
static void test_discarded_meanwhile(void)
{
	enum { N = 32 };
	struct mdev d = quiet_disk("density_pages=1");
	_cleanup_close_ int fd = open(mdev_node(d), O_RDWR | O_DIRECT | O_CLOEXEC);
	_cleanup_free_ unsigned char *buf = aligned_alloc(PAGE, N * PAGE);
	unsigned int back = 0;
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			mdev_set(d, "recompress", "type=all");
	}
	ASSERT(pid > 0 && fd >= 0 && buf);
	for (int round = 0; round < mdev_rounds(400, 20000); round++) {
		for (unsigned int i = 0; i < N; i++)
			page_of_words(1, i, buf + i * PAGE);
		ASSERT_INT(pwrite(fd, buf, N * PAGE, 0), N * PAGE);
		for (uint64_t i = 0; i < N; i++)
			ASSERT_OK(ioctl(fd, BLKDISCARD, (uint64_t[]){ i * PAGE, PAGE }));
		ASSERT_INT(pread(fd, buf, N * PAGE, 0), N * PAGE);
		for (unsigned int i = 0; i < N; i++)
			back += buf[i * PAGE] ||
				memcmp(buf + i * PAGE, buf + i * PAGE + 1, PAGE - 1);
	}
	CHECK_UINT(back, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(density(d, PACKED_SINCE) > 100);
	close(VD_TAKE_FD(fd));
	remove_disk(d);
}

static void test_random_work(void)
{
	random_work("density_age=0 density_pages=2 verify=1 dedup=0", 11);
	random_work("density_age=0 density_pages=4 verify=0 dedup=1", 12);
}

static void test_random_work_spilled(void)
{
	struct mdev below = mdev_make("zram", 16 * MIB, "");

	random_work(
		check_printf("density_age=0 dedup=1 backing_dev=%s mem_limit=1M", mdev_node(below)),
		13);
	CHECK_OK(mdev_reset(below));
	CHECK_OK(mdev_remove(below));
}

static const struct check_test tests[] = {
	{ "by_itself", test_by_itself },
	{ "hot_pages_stay", test_hot_pages_stay },
	{ "unit_sizes", test_unit_sizes },
	{ "hollow_units", test_hollow_units },
	{ "noise", test_noise },
	{ "recompress", test_recompress },
	{ "attributes", test_attributes },
	{ "corruption", test_corruption },
	{ "discarded_meanwhile", test_discarded_meanwhile },
	{ "random_work", test_random_work },
	{ "random_work_spilled", test_random_work_spilled },
};

CHECK_MAIN_WITH(tests, mdev_setup, mdev_teardown)
