// SPDX-License-Identifier: GPL-3.0-or-later
/* A virtual disk as a file: every way to read and write it, what fails and how, and its attributes. */
#define _GNU_SOURCE
#include "drivehelp.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"

#define SIZE (4u << 20)

static struct drive start_disk(const char *name, char **image)
{
	*image = drive_pattern_file(check_printf("%s.img", name), SIZE, 0);
	return drive_start(name, VD_DRIVE_DISK, *image, NULL);
}

static void end_disk(const char *name)
{
	CHECK_OK(drive_detach(name, false));
	drive_check_gone();
}

/* What the image's file holds there now. */
static char *image_bytes(const char *image, size_t len, off_t off)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	char *buf = check_alloc(len);

	CHECK_INT(pread(fd, buf, len, off), (long long)len);
	return buf;
}

static void *aligned_page(void)
{
	return (void *)(((uintptr_t)check_alloc(8192) + 4095) & ~(uintptr_t)4095);
}

/* Unaligned writes of many sizes, mirrored in memory: what is read back is equal, through the drive and below it. */
static void test_read_write(void)
{
	char *image, *mirror = check_alloc(SIZE), *back = check_alloc(SIZE);
	struct drive d = start_disk("rw", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_CLOEXEC);
	unsigned seed = 7;
	struct stat st;

	ASSERT(fd >= 0);
	CHECK_INT(pread(fd, mirror, SIZE, 0), SIZE);
	CHECK(drive_is_pattern(mirror, SIZE, 0, 0));
	for (int i = 0; i < 200; i++) {
		size_t len = (size_t)rand_r(&seed) % (i % 10 ? 5000 : 300000) + 1;
		size_t off = (size_t)rand_r(&seed) % (SIZE - len + 1);

		memset(mirror + off, i + 1, len);
		CHECK_INT(pwrite(fd, mirror + off, len, (off_t)off), (long long)len);
	}
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_INT(pread(fd, back, SIZE, 0), SIZE);
	CHECK_MEM(back, mirror, SIZE);
	CHECK_MEM(image_bytes(image, SIZE, 0), mirror, SIZE);
	/* The end. */
	CHECK_INT(pread(fd, back, 100, SIZE), 0);
	CHECK_INT(pread(fd, back, 100, SIZE - 10), 10);
	CHECK_INT(pwrite(fd, back, 100, SIZE), -1);
	CHECK_INT(errno, ENOSPC);
	CHECK_INT(pwrite(fd, back, 100, SIZE + 100000), -1);
	CHECK_INT(errno, ENOSPC);
	CHECK_INT(pwrite(fd, back, 100, SIZE - 10), 10);
	/* A disk keeps its size, and a shell's `>` is no reason to lose it. */
	CHECK_INT(ftruncate(fd, SIZE * 2), -1);
	CHECK_INT(errno, EINVAL);
	CHECK_INT(ftruncate(fd, 4096), -1);
	close(open(d.main_file, O_WRONLY | O_TRUNC | O_CLOEXEC));
	ASSERT_OK(stat(d.main_file, &st));
	CHECK_INT(st.st_size, SIZE);
	CHECK_MEM(image_bytes(image, 4096, 0), mirror, 4096);
	CHECK_INT(open(check_printf("%s/new", d.dir), O_CREAT | O_RDWR, 0600), -1);
	CHECK_INT(unlink(d.main_file), -1);
	close(VD_TAKE_FD(fd));
	end_disk("rw");
}
DRIVE_AS_USER(test_read_write)

static void test_direct(void)
{
	char *image, *page = aligned_page();
	struct drive d = start_disk("direct", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_DIRECT | O_CLOEXEC);

	ASSERT(fd >= 0);
	CHECK_INT(pread(fd, page, 4096, 40960), 4096);
	CHECK(drive_is_pattern(page, 4096, 40960, 0));
	memset(page, 0xa5, 4096);
	CHECK_INT(pwrite(fd, page, 4096, 40960), 4096);
	CHECK_MEM(image_bytes(image, 4096, 40960), page, 4096);
	CHECK_INT(pread(fd, page, 4096, SIZE), 0);
	CHECK_INT(pwrite(fd, page, 4096, SIZE), -1);
	CHECK_INT(errno, ENOSPC);
	close(VD_TAKE_FD(fd));
	end_disk("direct");
}

static void test_mapped(void)
{
	char *image;
	struct drive d = start_disk("mapped", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_CLOEXEC);
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ASSERT(p != MAP_FAILED);
	CHECK(drive_is_pattern(p, SIZE, 0, 0));
	memset(p + 5000, 0x77, 20000);
	memset(p + SIZE - 3, 0x78, 3);
	CHECK_OK(msync(p, SIZE, MS_SYNC));
	CHECK_MEM(image_bytes(image, 20000, 5000), p + 5000, 20000);
	CHECK_MEM(image_bytes(image, 3, SIZE - 3), "\x78\x78\x78", 3);
	/* What was written without msync() is on the medium when the drive has been detached. */
	memset(p + 100000, 0x79, 5000);
	CHECK_ERRNO(drive_detach("mapped", false), -EBUSY);
	munmap(p, SIZE);
	close(VD_TAKE_FD(fd));
	end_disk("mapped");
	p = check_alloc(5000);
	memset(p, 0x79, 5000);
	CHECK_MEM(image_bytes(image, 5000, 100000), p, 5000);
}
DRIVE_AS_USER(test_mapped)

static void test_fallocate(void)
{
	char *image, *zeros = check_alloc(1 << 20), *buf = check_alloc(1 << 20);
	struct drive d = start_disk("holes", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_CLOEXEC);
	struct stat before, after;

	ASSERT_OK(stat(image, &before));
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 1 << 20));
	ASSERT_OK(stat(image, &after));
	CHECK_INT(after.st_size, SIZE);
	CHECK(after.st_blocks <= before.st_blocks - (1 << 20) / 512);
	CHECK_INT(pread(fd, buf, 1 << 20, 1 << 20), 1 << 20);
	CHECK_MEM(buf, zeros, 1 << 20);
	/* Not aligned to anything: not a byte more, not one less. */
	CHECK_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 3001, 777));
	CHECK_INT(pread(fd, buf, 4096, 2992), 4096);
	CHECK_MEM(buf + 9, zeros, 777);
	CHECK(buf[8] == image_bytes(image, 1, 3000)[0]);
	CHECK(drive_is_pattern(buf + 792, 4096 - 792, 2992 + 792, 0));
	CHECK_MEM(image_bytes(image, 777, 3001), zeros, 777);
	CHECK(drive_is_pattern(image_bytes(image, 2992, 0), 2992, 0, 0));
	/* What makes no sense for a disk. */
	CHECK_INT(fallocate(fd, 0, 0, SIZE * 2), -1);
	CHECK_INT(errno, EOPNOTSUPP);
	CHECK_INT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SIZE - 10, 100), -1);
	CHECK_INT(errno, EINVAL);
	CHECK_INT(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -1);
	CHECK_MEM(image_bytes(image, 10, SIZE - 10), check_read_file(image, NULL) + SIZE - 10, 10);
	close(VD_TAKE_FD(fd));
	end_disk("holes");
}
DRIVE_AS_USER(test_fallocate)

static void test_read_only_switch(void)
{
	char *image;
	struct drive d = start_disk("ro", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_CLOEXEC);

	CHECK_STR(drive_attr("ro", "ro"), "0");
	CHECK_OK(drive_attr_write("ro", "ro", "1\n"));
	CHECK_STR(drive_attr("ro", "ro"), "1");
	/* Those who had it open to write, and those who come to. */
	CHECK_INT(pwrite(fd, "x", 1, 0), -1);
	CHECK_INT(errno, EROFS);
	CHECK_INT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	CHECK_INT(errno, EROFS);
	CHECK_INT(open(d.main_file, O_RDWR | O_CLOEXEC), -1);
	/* The switch outlives the reader. */
	CHECK_OK(kill(d.reader, SIGKILL));
	close(VD_TAKE_FD(fd));
	CHECK(DRIVE_UNTIL(drive_attr("ro", "ro") &&
				  atol(drive_attr("ro", "reader_pid")) != d.reader,
			  DRIVE_PATIENCE_MS));
	CHECK_STR(drive_attr("ro", "ro"), "1");
	CHECK_OK(drive_attr_write("ro", "ro", "0"));
	fd = open(d.main_file, O_RDWR | O_CLOEXEC);
	CHECK_INT(pwrite(fd, "x", 1, 0), 1);
	close(VD_TAKE_FD(fd));
	end_disk("ro");
	CHECK(image_bytes(image, 1, 0)[0] == 'x');
	CHECK(drive_is_pattern(image_bytes(image, 4096, 8), 4096, 8, 0));
}

static void test_attached_read_only(void)
{
	const char *const argv[] = { drive_program("vdrive"),
				     "attach",
				     "--read-only",
				     "--name",
				     "aro",
				     drive_pattern_file("aro.img", SIZE, 0),
				     NULL };
	struct check_cmd c = { .argv = argv };

	ASSERT_RUN(&c, 0);
	CHECK_STR(drive_attr("aro", "ro"), "1");
	CHECK_ERRNO(drive_attr_write("aro", "ro", "0"), -EROFS);
	CHECK_HAS(drive_attr("aro", "error"), "read-only");
	CHECK_INT(open(check_printf("%s/aro/disk", drive_rundir()), O_RDWR | O_CLOEXEC), -1);
	end_disk("aro");
}
DRIVE_AS_USER(test_attached_read_only)

/* The file gets shorter under the drive: what is missing is an error, what is there is read, and nothing crashes. */
static void test_image_truncated(void)
{
	char *image, *page = aligned_page();
	struct drive d = start_disk("short", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDONLY | O_DIRECT | O_CLOEXEC);

	ASSERT_OK(truncate(image, 10000));
	CHECK_INT(pread(fd, page, 4096, 4096), 4096);
	CHECK(drive_is_pattern(page, 4096, 4096, 0));
	CHECK_INT(pread(fd, page, 4096, 8192), -1); /* some of it is there: that is no answer */
	CHECK_INT(errno, EIO);
	CHECK_INT(pread(fd, page, 4096, 1 << 20), -1);
	CHECK_INT(errno, EIO);
	CHECK_HAS(drive_attr("short", "disksize"), check_printf("%u", SIZE));
	CHECK(atol(drive_attr("short", "io_stat")) >= 2);
	CHECK_INT(atol(drive_attr("short", "reader_pid")), d.reader);
	close(VD_TAKE_FD(fd));
	end_disk("short");
}
DRIVE_AS_USER(test_image_truncated)

/* A sparse image on a file system that is full: ENOSPC comes through, and what was there stays. */
static void test_no_room_below(void)
{
	char *dir = drive_path("small"), *page = aligned_page(), *image, text[64];
	struct drive d;
	unsigned failed = 0;
	int fd;

	if (geteuid())
		CHECK_SKIP("needs root, to mount a small tmpfs");
	ASSERT_OK(mkdir(dir, 0755));
	if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,mode=755")) {
		rmdir(dir);
		CHECK_SKIP("no tmpfs: %s", strerror(errno));
	}
	image = drive_path("small/disk.img");
	check_write_file(image, "", 0);
	CHECK_OK(truncate(image, SIZE));
	d = drive_start("full", VD_DRIVE_DISK, image, NULL);
	fd = open(d.main_file, O_RDWR | O_DIRECT | O_CLOEXEC);
	memset(page, 0x11, 4096);
	CHECK_INT(pwrite(fd, page, 4096, 0), 4096);
	for (off_t off = 4096; off < SIZE; off += 4096)
		if (pwrite(fd, page, 4096, off) < 0) {
			CHECK_INT(errno, ENOSPC);
			failed++;
		}
	CHECK(failed > SIZE / 4096 - 80);
	memset(page, 0, 4096);
	CHECK_INT(pread(fd, page, 4096, 0), 4096);
	CHECK(page[0] == 0x11 && page[4095] == 0x11);
	snprintf(text, sizeof(text), "%s", drive_attr("full", "io_stat"));
	CHECK_UINT(strtoul(strchr(text + strspn(text, " "), ' '), NULL, 10), failed);
	/* Room comes back with a trim. */
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 65536));
	CHECK_INT(pwrite(fd, page, 4096, SIZE - 4096), 4096);
	close(fd);
	CHECK_OK(drive_detach("full", false));
	/* Who detaches a drive may take its image's disk away at once. */
	if (umount2(dir, 0)) {
		CHECK_FAIL("the image's file system is in use: %s", strerror(errno));
		umount2(dir, MNT_DETACH);
	}
	rmdir(dir);
	drive_check_gone();
}

/* Attributes. */

/* The number at place @i of attr/stat (Documentation/block/stat.rst). */
static unsigned long long stat_field(const char *name, int i)
{
	char *save = NULL, *text = drive_attr(name, "stat"), *p = strtok_r(text, " ", &save);

	while (p && i--)
		p = strtok_r(NULL, " ", &save);
	return p ? strtoull(p, NULL, 10) : 0;
}

static void test_stat_counts(void)
{
	char *image, *page = aligned_page();
	struct drive d = start_disk("stat", &image);
	_cleanup_close_ int fd = open(d.main_file, O_RDWR | O_DIRECT | O_CLOEXEC);
	enum {
		READS,
		READ_SECTORS = 2,
		WRITES = 4,
		WRITE_SECTORS = 6,
		TRIMS = 11,
		TRIM_SECTORS = 13
	};

	for (int i = 0; i < 17; i++) {
		CHECK_UINT(stat_field("stat", i), 0);
	}
	for (int i = 0; i < 5; i++)
		CHECK_INT(pread(fd, page, 4096, i * 4096), 4096);
	for (int i = 0; i < 3; i++)
		CHECK_INT(pwrite(fd, page, 4096, i * 4096), 4096);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192));
	CHECK_OK(fsync(fd));
	CHECK_UINT(stat_field("stat", READS), 5);
	CHECK_UINT(stat_field("stat", READ_SECTORS), 40);
	CHECK_UINT(stat_field("stat", WRITES), 3);
	CHECK_UINT(stat_field("stat", WRITE_SECTORS), 24);
	CHECK_UINT(stat_field("stat", 8), 0); /* in flight */
	CHECK_UINT(stat_field("stat", TRIMS), 1);
	CHECK_UINT(stat_field("stat", TRIM_SECTORS), 16);
	CHECK(stat_field("stat", 15) >= 1); /* flushes */
	close(VD_TAKE_FD(fd));
	end_disk("stat");
}
DRIVE_AS_USER(test_stat_counts)

/* Each can be read and ends with a newline; the others say no to a write. */
static void check_every_attribute(const char *name)
{
	DIR *dir = opendir(check_printf("%s/%s/attr", drive_rundir(), name));
	struct dirent *e;
	unsigned n = 0;

	ASSERT(dir != NULL);
	while ((e = readdir(dir))) {
		char *path = check_printf("%s/%s/attr/%s", drive_rundir(), name, e->d_name);
		char text[4097];
		struct stat st;
		ssize_t got;
		int fd;

		if (e->d_name[0] == '.')
			continue;
		n++;
		CHECK_OK(lstat(path, &st));
		CHECK(S_ISREG(st.st_mode));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		got = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (got < 1 || memchr(text, '\n', (size_t)got) != text + got - 1)
			CHECK_FAIL("%s is not one line (%zd bytes)", e->d_name, got);
		if (st.st_mode & 0222)
			continue;
		/* Root passes by the mode; the drive says it then. */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		CHECK(fd < 0 && errno == EACCES);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	CHECK(n >= 14);
}

static void test_attributes(void)
{
	static const char *const bad_ro[] = { "2", "", "yes", "00", "-1", " 1", "1 ", "0\n\n" };
	char *image, *long_label = check_alloc(100), *iso;
	struct drive d = start_disk("attr", &image);
	struct vd_error err = { "" };

	check_every_attribute("attr");
	CHECK_STR(drive_attr("attr", "type"), "disk");
	CHECK_STR(drive_attr("attr", "format"), "raw");
	CHECK_STR(drive_attr("attr", "state"), "live");
	CHECK_STR(drive_attr("attr", "image"), image);
	CHECK_STR(drive_attr("attr", "disksize"), check_printf("%u", SIZE));
	CHECK_STR(drive_attr("attr", "uid"), check_printf("%u", (unsigned)geteuid()));
	CHECK_STR(drive_attr("attr", "label"), "");
	CHECK_STR(drive_attr("attr", "error"), "");
	for (size_t i = 0; i < VD_ARRAY_SIZE(bad_ro); i++) {
		if (!bad_ro[i][0])
			continue;
		CHECK_ERRNO(drive_attr_write("attr", "ro", bad_ro[i]), -EINVAL);
		CHECK_HAS(drive_attr("attr", "error"), "ro:");
	}
	CHECK_STR(drive_attr("attr", "ro"), "0");
	CHECK_OK(drive_attr_write("attr", "ro", "0\n"));
	CHECK_STR(drive_attr("attr", "error"), ""); /* of the last write */

	CHECK_OK(drive_attr_write("attr", "label", "Vacation \xc3\xa4\n"));
	CHECK_STR(drive_attr("attr", "label"), "Vacation \xc3\xa4");
	memset(long_label, 'x', 65);
	CHECK_ERRNO(drive_attr_write("attr", "label", long_label), -E2BIG);
	CHECK_HAS(drive_attr("attr", "error"), "64");
	long_label[64] = '\0';
	CHECK_OK(drive_attr_write("attr", "label", long_label));
	CHECK_STR(drive_attr("attr", "label"), long_label);
	CHECK_ERRNO(drive_attr_write("attr", "label", "two\nlines"), -EINVAL);
	CHECK_ERRNO(drive_attr_write("attr", "label", "bell\a"), -EINVAL);
	CHECK_STR(drive_attr("attr", "label"), long_label);
	CHECK_OK(drive_attr_write("attr", "label", "\n"));
	CHECK_STR(drive_attr("attr", "label"), "");
	{
		int fd = open(check_printf("%s/attr/label", d.dir), O_WRONLY | O_CLOEXEC);
		char *huge = check_alloc(8193);

		CHECK_INT(write(fd, "nul\0x", 5), -1);
		CHECK_INT(errno, EINVAL);
		CHECK_INT(pwrite(fd, "x", 1, 5), -1);
		CHECK_INT(errno, EINVAL);
		memset(huge, 'x', 8192);
		CHECK_INT(pwrite(fd, huge, 8192, 0), -1);
		CHECK_HAS(drive_attr("attr", "error"), "4096");
		close(fd);
	}
	CHECK_INT(open(check_printf("%s/attr/none", d.dir), O_RDONLY), -1);
	CHECK_INT(errno, ENOENT);
	CHECK_INT(open(check_printf("%s/attr/tracks", d.dir), O_RDONLY), -1); /* a disc's */
	end_disk("attr");

	iso = drive_iso("attr", 65536);
	if (!iso)
		return;
	CHECK_OK(drive_try("attr", VD_DRIVE_OPTICAL, iso, NULL, &err));
	check_every_attribute("attr");
	CHECK_STR(drive_attr("attr", "type"), "optical");
	CHECK_STR(drive_attr("attr", "format"), "iso");
	CHECK_STR(drive_attr("attr", "ro"), "1");
	CHECK_ERRNO(drive_attr_write("attr", "ro", "0"), -EROFS);
	CHECK_OK(drive_attr_write("attr", "ro", "1"));
	CHECK_STR(drive_attr("attr", "mountpoint"), "");
	end_disk("attr");
}
DRIVE_AS_USER(test_attributes)

#define BOTH(name)                                                                                 \
	{ #name, test_##name },                                                                    \
	{                                                                                          \
#name "_as_user", test_##name##_as_user                                            \
	}

static const struct check_test tests[] = {
	BOTH(read_write),
	{ "direct", test_direct },
	BOTH(mapped),
	BOTH(fallocate),
	{ "read_only_switch", test_read_only_switch },
	BOTH(attached_read_only),
	BOTH(image_truncated),
	{ "no_room_below", test_no_room_below },
	BOTH(stat_counts),
	BOTH(attributes),
};
CHECK_MAIN_WITH(tests, drive_setup, drive_teardown)
