// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Figures of an optical drive in a guest, beside a loop device with the same image (optical.sh boots it): each round measures both, one
 * after the other, and a ratio is that of a round. All reads are O_DIRECT, so what is measured is the way to the device and back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../vm/cdrom.h"
#include "../vm/scsi.h"
#include "util/cleanup.h"

#define ROUNDS 5
#define MIB (1 << 20)
#define BYTES (96 * MIB) /* of the image that are read in a row */
#define READS 2000	 /* random ones, and commands */
#define MAX_THREADS 8

static const char *devices[2]; /* ours, the loop device */

struct worker {
	pthread_t thread;
	const char *device;
	size_t block; /* bytes; 0: SG_IO, a sector each */
	int reads;
	uint32_t seed;
	int error;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* READ(12) of that many sectors (MMC-6, 6.23). 0, or -errno; -EIO also for a short answer. */
static int read_by_command(int fd, uint32_t lba, uint32_t sectors, void *buf)
{
	const uint8_t cdb[12] = { 0xa8,
				  0,
				  (uint8_t)(lba >> 24),
				  (uint8_t)(lba >> 16),
				  (uint8_t)(lba >> 8),
				  (uint8_t)lba,
				  (uint8_t)(sectors >> 24),
				  (uint8_t)(sectors >> 16),
				  (uint8_t)(sectors >> 8),
				  (uint8_t)sectors };
	const struct sg r = sg_on(fd, cdb, sizeof(cdb), buf, sectors * 2048);

	return r.error ? -r.error : r.status || r.resid ? -EIO : 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	_cleanup_close_ int fd = open(w->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	const size_t block = w->block ? w->block : 2048;
	_cleanup_free_ void *buf = NULL;

	if (fd < 0 || posix_memalign(&buf, 4096, block)) {
		w->error = fd < 0 ? -errno : -ENOMEM;
		return NULL;
	}
	for (int i = 0; i < w->reads && !w->error; i++) {
		w->seed = w->seed * 1664525 + 1013904223;
		const uint32_t at = (w->seed >> 8) % (uint32_t)(BYTES / block);

		if (!w->block)
			w->error = read_by_command(fd, at, 1, buf);
		else if (pread(fd, buf, block, (off_t)(at * block)) != (ssize_t)block)
			w->error = -EIO;
	}
	return NULL;
}

/* A second. */
static double at_random(const char *device, size_t block, int threads, int round)
{
	struct worker w[MAX_THREADS];
	const double begin = now();

	for (int i = 0; i < threads; i++) {
		w[i] = (struct worker){ .device = device,
					.block = block,
					.reads = READS / threads,
					.seed = (uint32_t)(round * MAX_THREADS + i + 1) };
		ASSERT_OK(-pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		CHECK_INT(w[i].error, 0);
	}
	return READS / threads * threads / (now() - begin);
}

/* MiB a second. */
static double in_a_row(const char *device)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	_cleanup_free_ void *buf = NULL;
	const double begin = now();

	ASSERT(fd >= 0 && !posix_memalign(&buf, 4096, MIB));
	for (off_t at = 0; at < BYTES; at += MIB)
		if (pread(fd, buf, MIB, at) != MIB)
			CHECK_FAIL("%s: short read at %lld", device, (long long)at);
	return BYTES / MIB / (now() - begin);
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *v, const char *unit)
{
	qsort(v, ROUNDS, sizeof(*v), by_value);
	printf("  %-10s %9.2f (%.2f-%.2f) %s\n", what, v[ROUNDS / 2], v[0], v[ROUNDS - 1], unit);
}

enum kind { ROW, RANDOM_1, RANDOM_8, COMMANDS_1, COMMANDS_8 };

static double measure(enum kind kind, const char *device, int round)
{
	switch (kind) {
	case ROW:
		return in_a_row(device);
	case RANDOM_1:
		return at_random(device, 4096, 1, round);
	case RANDOM_8:
		return at_random(device, 4096, 8, round);
	case COMMANDS_1:
		return at_random(device, 0, 1, round);
	default:
		return at_random(device, 0, 8, round);
	}
}

static void beside(const char *title, enum kind kind, const char *unit)
{
	double v[2][ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		for (int d = 0; d < 2; d++)
			v[d][i] = measure(kind, devices[d], i);
		ratio[i] = v[0][i] / v[1][i];
	}
	printf("%s\n", title);
	print("/dev/sr", v[0], unit);
	print("/dev/loop", v[1], unit);
	print("ratio", ratio, "");
}

static void alone(const char *title, enum kind kind)
{
	double v[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		v[i] = measure(kind, devices[0], i);
	printf("%s\n", title);
	print("/dev/sr", v, "commands/s");
}

/* What one command may fetch. */
static void largest(void)
{
	_cleanup_close_ int fd = open(devices[0], O_RDONLY | O_CLOEXEC);
	_cleanup_free_ void *buf = NULL;
	uint32_t most = 0;

	ASSERT(fd >= 0 && !posix_memalign(&buf, 4096, 16 * MIB));
	for (uint32_t sectors = 16; sectors <= 16 * MIB / 2048; sectors *= 2)
		if (!read_by_command(fd, 0, sectors, buf))
			most = sectors;
	printf("largest READ(12) that was answered in full: %u KiB\n", most * 2);
	CHECK(most * 2 >= 512);
	system(check_printf(
		"echo 'the kernel sends at most' $(cat /sys/block/%s/queue/max_sectors_kb) KiB a command by itself",
		devices[0] + strlen("/dev/")));
}

static void test_figures(void)
{
	struct check_cmd *c;

	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	cli_become(false);
	devices[0] = cdrom_add("bench");
	CLI_OK(check_printf("vdrive insert %s bench", BENCH_IMAGE));
	c = cli("losetup -f");
	devices[1] = check_printf("%.*s", (int)strcspn(c->out, "\n"), c->out);
	CLI_OK(check_printf("losetup -r %s %s", devices[1], BENCH_IMAGE));
	CLI_OK(check_printf("cmp %s %s", devices[0], devices[1]));
	beside("read in a row, 1 MiB each", ROW, "MiB/s");
	beside("read at random, 4 KiB, 1 thread", RANDOM_1, "reads/s");
	beside("read at random, 4 KiB, 8 threads", RANDOM_8, "reads/s");
	alone("READ(12) of a sector by SG_IO, 1 at a time", COMMANDS_1);
	alone("READ(12) of a sector by SG_IO, 8 at a time", COMMANDS_8);
	largest();
	CLI_OK(check_printf("losetup -d %s", devices[1]));
	CLI_OK("vdrive optical remove bench && umount /sys/kernel/config");
}

static const struct check_test tests[] = { { "figures", test_figures } };

CHECK_MAIN_WITH(tests, cli_setup, NULL)
