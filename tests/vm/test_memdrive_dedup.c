// SPDX-License-Identifier: GPL-3.0-or-later
/* memdrive's equal pages: kept once, counted, given back, corrupted. Only in a guest. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blkcheck.h"
#include "check.h"
#include "mdev.h"
#include "pages.h"
#include "util/cleanup.h"

/* Columns of dedup_stat. */
enum { SHARED, OBJECTS, SAVED, COLLISIONS };

static struct mdev new_disk(const char *settings)
{
	return mdev_make("memdrive", 32 * MIB, check_printf("density=0 %s", settings));
}

static void remove_disk(struct mdev d)
{
	nothing_left(d);
	CHECK_OK(mdev_reset(d));
	CHECK_OK(mdev_remove(d));
}

static unsigned long long dedup(struct mdev d, unsigned int column)
{
	return mdev_number(d, "dedup_stat", column);
}

/* With what objects and the table take: the last column of mem_tables. */
static unsigned long long memory(struct mdev d)
{
	return mdev_mm_stat(d).used + mdev_number(d, "mem_tables", 5);
}

/* Four equal sets take little more than one. */
static void test_four_sets(void)
{
	enum { N = 1024, SETS = 4 };
	struct mdev d = new_disk("dedup=1 verify=1"), plain = new_disk("dedup=0 verify=1");
	unsigned long long one, four;

	write_pages(d, 0, N, page_of_words, 1);
	one = memory(d);
	CHECK_UINT(dedup(d, SHARED), N);
	CHECK_UINT(dedup(d, OBJECTS), N);
	CHECK_UINT(dedup(d, SAVED), 0);
	for (unsigned int i = 1; i < SETS; i++)
		write_pages(d, i * N, N, page_of_words, 1);
	four = memory(d);
	if (!CHECK(four <= one * 11 / 10))
		CHECK_FAIL("one set takes %llu bytes, four take %llu", one, four);
	CHECK_UINT(dedup(d, SHARED), SETS * N);
	CHECK_UINT(dedup(d, OBJECTS), N);
	CHECK_UINT(dedup(d, SAVED), (SETS - 1) * mdev_mm_stat(d).compr);
	CHECK_UINT(mdev_mm_stat(d).orig, SETS * N * PAGE);
	for (unsigned int i = 0; i < SETS; i++)
		CHECK_UINT(wrong_pages(d, i * N, N, 1, page_of_words, 1), 0);

	/* It is dedup that does it, and one set with it takes little more than one without. */
	for (unsigned int i = 0; i < SETS; i++)
		write_pages(plain, i * N, N, page_of_words, 1);
	CHECK(memory(plain) > one * 3);
	CHECK_UINT(dedup(plain, SHARED), 0);
	remove_disk(plain);

	/* Nobody's copy is lost with another's. */
	discard_pages(d, 0, 2 * N, 1);
	write_pages(d, 2 * N, N, page_of_words, 2);
	CHECK_UINT(wrong_pages(d, 3 * N, N, 1, page_of_words, 1), 0);
	CHECK_UINT(wrong_pages(d, 2 * N, N, 1, page_of_words, 2), 0);
	CHECK_UINT(dedup(d, OBJECTS), 2 * N);
	CHECK_UINT(dedup(d, SAVED), 0);
	CHECK_UINT(dedup(d, COLLISIONS), 0);
	remove_disk(d);
}

/* Pages that LZ4 leaves as they are, and one that thousands of slots hold. */
static void test_kinds(void)
{
	struct mdev d = new_disk("dedup=1 verify=0");

	for (unsigned int i = 0; i < 4; i++)
		write_pages(d, i * 64, 64, page_of_noise, 1);
	CHECK_UINT(dedup(d, OBJECTS), 64);
	CHECK(mdev_mm_stat(d).used < 80ull * PAGE);
	CHECK_UINT(mdev_mm_stat(d).huge, 256);
	for (unsigned int i = 0; i < 2000; i++)
		write_pages(d, 256 + i, 1, page_of_words, 3);
	CHECK_UINT(dedup(d, OBJECTS), 65);
	CHECK_UINT(wrong_pages(d, 256 + 1999, 1, 1, page_of_words, 3), 0);
	CHECK_UINT(wrong_pages(d, 192, 64, 1, page_of_noise, 1), 0);
	remove_disk(d);
}

/* Switched in use: what shares goes on, what is new is by itself. */
static void test_switched(void)
{
	enum { N = 128 };
	struct mdev d = new_disk("dedup=0 verify=1");

	write_pages(d, 0, N, page_of_words, 1);
	CHECK_OK(mdev_set(d, "dedup", "1"));
	CHECK_UINT(dedup(d, OBJECTS), 0);
	write_pages(d, N, N, page_of_words, 1);
	write_pages(d, 2 * N, N, page_of_words, 1);
	CHECK_UINT(dedup(d, OBJECTS), N);
	CHECK_OK(mdev_set(d, "dedup", "0"));
	write_pages(d, 3 * N, N, page_of_words, 1);
	CHECK_UINT(dedup(d, SHARED), 2 * N);
	CHECK_OK(mdev_set(d, "dedup", "1"));
	write_pages(d, 3 * N, N, page_of_words, 1);
	CHECK_UINT(dedup(d, SHARED), 3 * N);
	CHECK_UINT(dedup(d, OBJECTS), N);
	for (unsigned int i = 0; i < 4; i++)
		CHECK_UINT(wrong_pages(d, i * N, N, 1, page_of_words, 1), 0);
	remove_disk(d);
}

/* A page that two share: it is wrong for both. And it is not what a third is compared with in vain. */
static void test_corruption(void)
{
	struct mdev d = new_disk("dedup=1 verify=1");
	unsigned char page[PAGE];

	mdev_expect_errors(true);
	write_pages(d, 0, 8, page_of_words, 1);
	write_pages(d, 8, 8, page_of_words, 1);
	CHECK_UINT(dedup(d, OBJECTS), 8);
	if (CHECK_OK(mdev_set(d, "corrupt", "3"))) {
		CHECK_ERRNO(read_page(d, 3, page), -EIO);
		CHECK_ERRNO(read_page(d, 11, page), -EIO);
		CHECK_UINT(mdev_number(d, "verify_errors", 0), 2);
		CHECK_OK(read_page(d, 4, page));
		write_pages(d, 0, 8, page_of_words, 1);
		CHECK_UINT(wrong_pages(d, 0, 8, 1, page_of_words, 1), 0);
		CHECK_UINT(dedup(d, OBJECTS), 9);
		CHECK_UINT(dedup(d, COLLISIONS), 1);
		CHECK_ERRNO(read_page(d, 11, page), -EIO);
	}
	mdev_expect_errors(false);
	remove_disk(d);
}

/* Lone objects are packed when cold, those that are shared are not. */
static void test_with_density(void)
{
	enum { N = 128 };
	struct mdev d = new_disk("dedup=1 density_pages=2");

	write_pages(d, 0, N, page_of_words, 1);
	write_pages(d, N, N, page_of_words, 1);
	write_pages(d, 2 * N, N, page_of_words, 2);
	CHECK_OK(mdev_set(d, "recompress", "type=all"));
	CHECK_UINT(mdev_number(d, "density_stat", 0), N);
	CHECK_UINT(dedup(d, OBJECTS), N);
	CHECK_UINT(dedup(d, SHARED), 2 * N);
	CHECK_UINT(wrong_pages(d, 0, N, 1, page_of_words, 1), 0);
	CHECK_UINT(wrong_pages(d, N, N, 1, page_of_words, 1), 0);
	CHECK_UINT(wrong_pages(d, 2 * N, N, 1, page_of_words, 2), 0);
	remove_disk(d);
}

/* Random work, every page checked, while it is switched off and on. */
static void test_random_work(void)
{
	struct mdev d = mdev_make("memdrive", 8 * MIB, "density_age=0 dedup=1");
	struct blkcheck c = {
		.path = mdev_node(d),
		.bytes = 8 * MIB,
		.threads = 4,
		.requests = (unsigned)mdev_rounds(1500, 300000),
		.seed = 21,
	};
	pid_t pid = fork();

	if (!pid) {
		for (unsigned int i = 0;; i++) {
			mdev_set(d, "dedup", "%u", i % 4 != 0);
			usleep(50000);
		}
	}
	CHECK_OK(blkcheck_run(&c));
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_UINT(mdev_number(d, "verify_errors", 0), 0);
	remove_disk(d);
}

static const struct check_test tests[] = {
	{ "four_sets", test_four_sets },       { "kinds", test_kinds },
	{ "switched", test_switched },	       { "corruption", test_corruption },
	{ "with_density", test_with_density }, { "random_work", test_random_work },
};

CHECK_MAIN_WITH(tests, mdev_setup, mdev_teardown)
