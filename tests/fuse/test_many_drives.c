// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A hundred drives at once, over and over, and one drive for long: nothing grows and nothing is left. With VDRIVE_SOAK=1
 * in the environment there are 20 rounds instead of 5.
 */
#define _GNU_SOURCE
#include "drivehelp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

#define PAIRS 50
#define BIG 300000u
/*
 * Bounds on resident memory, the C library's pages that all of them share included. Measured: keepers 2 to 4 MiB, readers
 * 3 to 6; a reader's threads each have a buffer of 1 MiB besides, of which only what was used is there.
 */
#define KEEPER_KIB (8 * 1024)
#define READER_KIB (24 * 1024)
/* What one drive may come to have more of between its 1,000th read and its 10,000th. */
#define GROWTH_KIB 1024

static bool reads_pattern(const char *path, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buf = malloc(size + 1);
	size_t n = 0;
	ssize_t got = 0;

	while (fd >= 0 && buf && n < size + 1 && (got = read(fd, buf + n, size + 1 - n)) > 0)
		n += (size_t)got;
	return !got && n == size && drive_is_pattern(buf, n, 0, 0);
}

/* Open files of the whole system. */
static long system_files(void)
{
	return atol(check_read_file("/proc/sys/fs/file-nr", NULL));
}

static bool check_memory(const struct drive *d)
{
	long keeper = drive_rss_kib(d->keeper), reader = drive_rss_kib(d->reader);

	if (DRIVE_ASAN)
		return true;
	if (keeper <= 0 || keeper > KEEPER_KIB || reader <= 0 || reader > READER_KIB)
		return CHECK_FAIL("drive %s: the keeper has %ld KiB, the reader %ld", d->name,
				  keeper, reader);
	return true;
}

#define DETACHERS 10

/* Unmounting is mostly waiting, so ten do it side by side: drives number @arg, @arg + 10 ... of each kind. */
static void *detach_some(void *arg)
{
	for (int i = (int)(intptr_t)arg; i < PAIRS; i += DETACHERS) {
		CHECK_OK(drive_detach(check_printf("cd%d", i), false));
		CHECK_OK(drive_detach(check_printf("hd%d", i), false));
	}
	return NULL;
}

static void detach_all(void)
{
	pthread_t threads[DETACHERS];

	for (int i = 0; i < DETACHERS; i++)
		ASSERT_OK(pthread_create(&threads[i], NULL, detach_some, (void *)(intptr_t)i));
	for (int i = 0; i < DETACHERS; i++)
		pthread_join(threads[i], NULL);
}

static void one_round(const char *iso, const char *image)
{
	struct drive optical[PAIRS], disks[PAIRS];
	size_t n = 0;

	for (int i = 0; i < PAIRS; i++) {
		optical[i] = drive_start(check_printf("cd%d", i), VD_DRIVE_OPTICAL, iso,
					 drive_path("mnt%d", i));
		disks[i] = drive_start(check_printf("hd%d", i), VD_DRIVE_DISK, image, NULL);
	}
	for (int i = 0; i < PAIRS; i++) {
		CHECK(reads_pattern(drive_path("mnt%d/big", i), BIG));
		CHECK(reads_pattern(check_printf("%s/files/big", optical[i].dir), BIG));
		CHECK(reads_pattern(disks[i].main_file, BIG));
		if (!check_memory(&optical[i]) || !check_memory(&disks[i]))
			break;
	}
	{
		_cleanup_free_ struct vd_drive_state *all = NULL;

		CHECK_OK(vd_state_list(drive_rundir(), &all, &n, NULL, NULL));
		CHECK_UINT(n, 2 * PAIRS);
	}
	detach_all();
	for (int i = 0; i < PAIRS; i++) {
		CHECK(DRIVE_UNTIL(
			drive_is_over(optical[i].keeper) && drive_is_over(optical[i].reader) &&
				drive_is_over(disks[i].keeper) && drive_is_over(disks[i].reader),
			DRIVE_PATIENCE_MS));
		CHECK_INT(rmdir(drive_path("mnt%d", i)), 0);
	}
	drive_check_gone();
}

static void test_hundred_drives(void)
{
	int rounds = getenv("VDRIVE_SOAK") && !strcmp(getenv("VDRIVE_SOAK"), "1") ? 20 : 5;
	char *iso = drive_iso("many", BIG), *image = drive_pattern_file("many.img", BIG, 0);
	long files, own = drive_descriptors(getpid());

	if (!iso)
		return;
	files = system_files();
	for (int i = 0; i < rounds && !check_failed(); i++)
		one_round(iso, image);
	CHECK_INT(drive_descriptors(getpid()), own);
	/* Others work on this machine too: some hundreds are theirs, and a leak of one a drive is 500. */
	CHECK(DRIVE_UNTIL(system_files() < files + 250, DRIVE_PATIENCE_MS));
}

/* One read past the page cache, one through the file system, one attribute. */
static bool use_drive(const struct drive *d, int direct, void *page, int i)
{
	off_t off = (off_t)(i % 64) * 4096;
	char *label;

	if (pread(direct, page, 4096, off) != 4096)
		return false;
	if (i % 8)
		return true;
	label = drive_attr(d->name, "stat");
	return label && drive_attr_write(d->name, "label", check_printf("number %d", i)) == 0 &&
	       drive_attr_write(d->name, "ro", "no") == -EINVAL;
}

static void check_long_life(enum vd_drive_type type)
{
	char *image = type == VD_DRIVE_DISK ? drive_pattern_file("long.img", BIG, 0)
					    : drive_iso("long", BIG);
	_cleanup_free_ void *page = NULL;
	long rss = 0, files = 0, keeper = 0;
	struct drive d;
	int fd;

	if (!image)
		return;
	ASSERT_OK(posix_memalign(&page, 4096, 4096));
	d = drive_start("long", type, image, type == VD_DRIVE_DISK ? NULL : drive_path("long.mnt"));
	fd = open(d.main_file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	for (int i = 0; i < 10000; i++) {
		if (!use_drive(&d, fd, page, i)) {
			CHECK_FAIL("read %d fails", i);
			break;
		}
		if (i == 1000) {
			rss = drive_rss_kib(d.reader);
			keeper = drive_rss_kib(d.keeper);
			files = drive_descriptors(d.reader);
		}
	}
	close(fd);
	if (!geteuid()) {
		CHECK(files > 0);
		CHECK_INT(drive_descriptors(d.reader), files);
	}
	if (!DRIVE_ASAN) {
		CHECK(rss > 0 && keeper > 0);
		if (drive_rss_kib(d.reader) > rss + GROWTH_KIB)
			CHECK_FAIL("the reader grew from %ld to %ld KiB", rss,
				   drive_rss_kib(d.reader));
		if (drive_rss_kib(d.keeper) > keeper + GROWTH_KIB)
			CHECK_FAIL("the keeper grew from %ld to %ld KiB", keeper,
				   drive_rss_kib(d.keeper));
	}
	CHECK_OK(drive_detach("long", false));
	drive_check_gone();
	rmdir(drive_path("long.mnt"));
}

static void test_long_life(void)
{
	check_long_life(VD_DRIVE_DISK);
	check_long_life(VD_DRIVE_OPTICAL);
}
DRIVE_AS_USER(test_long_life)

static const struct check_test tests[] = {
	{ "hundred_drives", test_hundred_drives },
	{ "long_life", test_long_life },
	{ "long_life_as_user", test_long_life_as_user },
};
CHECK_MAIN_WITH(tests, drive_setup, drive_teardown)
