// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "util/cleanup.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

void page_of_words(uint64_t set, uint64_t number, void *to)
{
	uint64_t random = mix(set << 32 | number);
	char *text = to;

	for (unsigned int at = 0; at < PAGE;) {
		/* Smaller numbers come more often, as words do. */
		uint64_t word = random % 300 * (random >> 16 & 255) >> 8;
		unsigned int len = 2 + word % 9;

		for (unsigned int i = 0; i < len && at < PAGE; i++)
			text[at++] = (char)('a' + mix(word * 16 + i) % 26);
		if (at < PAGE)
			text[at++] = ' ';
		random = mix(random + 1);
	}
}

void page_of_noise(uint64_t set, uint64_t number, void *to)
{
	uint64_t *words = to, random = mix(set << 32 | number);

	for (unsigned int i = 0; i < PAGE / sizeof(*words); i++)
		words[i] = random = mix(random + i + 1);
}

static int open_disk(struct mdev d, int flags)
{
	int fd = open(mdev_node(d), flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		CHECK_OK(-errno);
	return fd;
}

void write_pages(struct mdev d, uint64_t first, uint64_t n, page_maker *make, uint64_t set)
{
	_cleanup_close_ int fd = open_disk(d, O_WRONLY);
	_cleanup_free_ void *page = aligned_alloc(PAGE, PAGE);

	for (uint64_t i = 0; i < n; i++) {
		make(set, i, page);
		if (!CHECK_INT(pwrite(fd, page, PAGE, (off_t)((first + i) * PAGE)), PAGE))
			return;
	}
}

uint64_t wrong_pages(struct mdev d, uint64_t first, uint64_t n, uint64_t step, page_maker *make,
		     uint64_t set)
{
	_cleanup_close_ int fd = open_disk(d, O_RDONLY);
	_cleanup_free_ void *page = aligned_alloc(PAGE, PAGE), *expected = malloc(PAGE);
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < n; i += step) {
		make(set, i, expected);
		if (pread(fd, page, PAGE, (off_t)((first + i) * PAGE)) != PAGE ||
		    memcmp(page, expected, PAGE))
			wrong++;
	}
	return wrong;
}

void discard_pages(struct mdev d, uint64_t first, uint64_t n, uint64_t step)
{
	_cleanup_close_ int fd = open_disk(d, O_WRONLY);

	for (uint64_t i = 0; i < n; i += step) {
		uint64_t range[2] = { (first + i) * PAGE, PAGE };

		if (step == 1) {
			range[1] = n * PAGE;
			i = n;
		}
		CHECK_OK(ioctl(fd, BLKDISCARD, range) ? -errno : 0);
	}
}

int read_page(struct mdev d, uint64_t number, void *to)
{
	_cleanup_close_ int fd = open_disk(d, O_RDONLY);
	_cleanup_free_ void *page = aligned_alloc(PAGE, PAGE);
	ssize_t r = pread(fd, page, PAGE, (off_t)(number * PAGE));

	if (r != PAGE)
		return r < 0 ? -errno : -EIO;
	memcpy(to, page, PAGE);
	return 0;
}

void nothing_left(struct mdev d)
{
	struct mdev_mm_stat m;

	discard_pages(d, 0, mdev_number(d, "disksize", 0) / PAGE, 1);
	/* Whoever is at a page just now gives it up within the second. */
	for (int i = 0; i < 100 && mdev_mm_stat(d).used; i++)
		usleep(20000);
	m = mdev_mm_stat(d);
	CHECK_UINT(m.orig, 0);
	CHECK_UINT(m.compr, 0);
	CHECK_UINT(m.used, 0);
	CHECK_UINT(m.huge, 0);
	CHECK_UINT(mdev_number(d, "density_stat", 0), 0);
	CHECK_UINT(mdev_number(d, "density_stat", 1), 0);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_UINT(mdev_number(d, "dedup_stat", i), 0);
}
