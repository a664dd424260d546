// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The making of a backing file: whole on disk, nobody else's file overwritten, and nothing left when it fails. The linker
 * puts the functions below in the place of pwrite() and fsync(), so that they can fail when they are to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "userspace/vdrive/vdrive.h"
#include "util/cleanup.h"

enum { MIB = 1 << 20, SIZE = 5 * MIB + 4096 };

ssize_t __real_pwrite64(int fd, const void *buf, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off_t offset);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static struct {
	int writes;	/* so far */
	int fail_write; /* this one fails */
	int error;	/* with this; 0: a signal comes instead */
	bool half;	/* each writes half of what it could */
	int slow_ms;	/* each takes so long */
	int fail_fsync; /* so many fail */
} inject;

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off_t offset)
{
	inject.writes++;
	if (inject.slow_ms)
		nanosleep(&(struct timespec){ .tv_nsec = inject.slow_ms * 1000000L }, NULL);
	if (inject.writes == inject.fail_write) {
		if (!inject.error)
			raise(SIGINT);
		errno = inject.error ? inject.error : EINTR;
		return -1;
	}
	return __real_pwrite64(fd, buf, inject.half && n > 4096 ? n / 2 : n, offset);
}

int __wrap_fsync(int fd)
{
	if (inject.fail_fsync) {
		inject.fail_fsync--;
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

static struct backing b;
static struct vd_error err;
static const char *file;
static bool suits; /* do our files lie on ext4 or XFS? */

static void setup(void)
{
	struct statfs fs;

	file = check_printf("%s/backing", check_tmpdir());
	ASSERT_OK(statfs(check_tmpdir(), &fs));
	suits = fs.f_type == 0xef53 || fs.f_type == 0x58465342;
}

static void fresh(void)
{
	unlink(file);
	memset(&inject, 0, sizeof(inject));
	memset(&b, 0xff, sizeof(b));
	memset(&err, 0, sizeof(err));
}

#define NEED_FILE_SYSTEM()                                                                         \
	do {                                                                                       \
		fresh();                                                                           \
		if (!suits)                                                                        \
			CHECK_SKIP("the temporary directory is neither on ext4 nor on XFS");       \
	} while (0)

static int prepare(bool force)
{
	return backing_prepare(file, SIZE, false, force, &b, &err);
}

/* From the first byte to the last in extents that were written. */
static bool whole(const char *path, uint64_t size)
{
	enum { MAX = 256 };
	_cleanup_free_ struct fiemap *map =
		calloc(1, sizeof(*map) + MAX * sizeof(struct fiemap_extent));
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t at = 0;

	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_extent_count = MAX;
	if (fd < 0 || ioctl(fd, FS_IOC_FIEMAP, map))
		return CHECK_FAIL("%s: %s", path, strerror(errno));
	for (unsigned int i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];

		if (e->fe_logical != at ||
		    e->fe_flags & (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_DELALLOC |
				   FIEMAP_EXTENT_UNKNOWN))
			return CHECK_FAIL("extent %u at %llu, flags %x", i,
					  (unsigned long long)e->fe_logical, e->fe_flags);
		at += e->fe_length;
	}
	return CHECK(at >= size);
}

static void test_made(void)
{
	size_t len;
	const char *bytes;
	struct stat st;

	NEED_FILE_SYSTEM();
	inject.half = true; /* which is no error */
	if (!CHECK_OK(prepare(false)))
		CHECK_STR(err.text, "");
	CHECK_STR(b.path, file);
	ASSERT_OK(lstat(file, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_UINT(st.st_size, SIZE);
	CHECK_UINT(b.inode, st.st_ino);
	whole(file, SIZE);
	bytes = check_read_file(file, &len);
	CHECK_UINT(len, SIZE);
	CHECK(!bytes[0] && !memcmp(bytes, bytes + 1, SIZE - 1));
	backing_undo(&b);
	CHECK(access(file, F_OK));
	/* Another's, by that name, is not touched. */
	check_write_file(file, "mine", 4);
	b.inode = st.st_ino + 1;
	backing_undo(&b);
	CHECK_OK(access(file, F_OK));
}

/* What is there is replaced only when it may be; whoever else has the old one keeps it. */
static void test_there_already(void)
{
	const char *link_ = check_printf("%s/link", check_tmpdir());
	const char *other = check_printf("%s/other", check_tmpdir());
	struct stat st;

	NEED_FILE_SYSTEM();
	check_write_file(file, "mine", 4);
	ASSERT_OK(link(file, other));
	CHECK_ERRNO(prepare(false), -EEXIST);
	CHECK_STR(err.text, check_printf("%s is there already (--force replaces it)", file));
	CHECK_STR(check_read_file(file, NULL), "mine");
	CHECK_OK(prepare(true));
	CHECK_STR(check_read_file(other, NULL), "mine");
	whole(file, SIZE);
	/* Links are followed to where the file is. */
	ASSERT_OK(symlink(file, link_));
	CHECK_ERRNO(backing_prepare(link_, SIZE, false, false, &b, &err), -EEXIST);
	CHECK_OK(backing_prepare(link_, SIZE, false, true, &b, &err));
	CHECK_STR(b.path, file);
	ASSERT_OK(lstat(link_, &st));
	CHECK(S_ISLNK(st.st_mode));
	backing_undo(&b);
	/* But nothing is made at the end of one. */
	CHECK_ERRNO(backing_prepare(link_, SIZE, false, true, &b, &err), -ENOENT);
	CHECK(access(file, F_OK));
	unlink(link_);
	unlink(other);
}

static void test_errors(void)
{
	fresh();
	CHECK_ERRNO(backing_prepare(file, MIB - 4096, false, false, &b, &err), -EINVAL);
	CHECK_HAS(err.text, "a backing store has at least 1M");
	CHECK_ERRNO(backing_prepare(check_tmpdir(), SIZE, false, true, &b, &err), -EINVAL);
	CHECK_HAS(err.text, "neither a file nor a block device");
	CHECK_ERRNO(backing_prepare("/dev/null", SIZE, false, true, &b, &err), -EINVAL);
	CHECK_ERRNO(backing_prepare(check_printf("%s/no/such", check_tmpdir()), SIZE, false, true,
				    &b, &err),
		    -ENOENT);
	CHECK_ERRNO(backing_prepare(check_printf("%s/two\nlines", check_tmpdir()), SIZE, false,
				    true, &b, &err),
		    -EINVAL);
	CHECK_ERRNO(backing_prepare("", SIZE, false, true, &b, &err), -ENOENT);
	CHECK(access(file, F_OK));
}

/* By its name. */
static void test_file_system(void)
{
	const char *path = check_printf("/dev/shm/vdrive-%d", (int)getpid());
	struct statfs fs;

	fresh();
	if (statfs("/dev/shm", &fs) || fs.f_type != 0x01021994)
		CHECK_SKIP("/dev/shm is no tmpfs");
	CHECK_ERRNO(backing_prepare(path, SIZE, false, false, &b, &err), -EOPNOTSUPP);
	CHECK_STR(
		err.text,
		check_printf(
			"%s: a backing file lies on ext4 or xfs, and this is tmpfs (a block device does too)",
			path));
	CHECK(access(path, F_OK));
}

static void check_fails(int expected, const char *words)
{
	CHECK_ERRNO(prepare(false), expected);
	CHECK_HAS(err.text, words);
	CHECK(access(file, F_OK));
}

static void test_failures(void)
{
	NEED_FILE_SYSTEM();
	inject.fail_write = 3;
	inject.error = ENOSPC;
	check_fails(-ENOSPC, "No space left on device: 5M are needed");
	fresh();
	inject.fail_write = 6;
	inject.error = EIO;
	check_fails(-EIO, "cannot write");
	fresh();
	inject.fail_fsync = 1;
	check_fails(-EIO, "cannot write");
	fresh();
	inject.fail_write = 2;
	inject.error = EINTR; /* of a signal that is none of ours */
	CHECK_OK(prepare(false));
	whole(file, SIZE);
	/* More than there can be is known at once. */
	fresh();
	CHECK(backing_prepare(file, 1ull << 50, false, false, &b, &err) < 0);
	CHECK_INT(inject.writes, 0);
	CHECK(access(file, F_OK));
}

static void test_interrupted(void)
{
	struct sigaction sa;

	NEED_FILE_SYSTEM();
	inject.fail_write = 2;
	check_fails(-EINTR, "interrupted");
	CHECK_INT(inject.writes, 2);
	ASSERT_OK(sigaction(SIGINT, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
}

/* On a terminal, and there only. */
static void test_progress(void)
{
	int master, slave, saved = dup(2);
	char text[4096];
	ssize_t n;

	NEED_FILE_SYSTEM();
	ASSERT_OK(openpty(&master, &slave, NULL, NULL, NULL));
	inject.slow_ms = 120;
	dup2(slave, 2);
	CHECK_OK(prepare(false));
	dup2(saved, 2);
	close(saved);
	close(slave);
	n = read(master, text, sizeof(text) - 1);
	close(master);
	ASSERT(n > 0);
	text[n] = '\0';
	CHECK_HAS(text, "making the backing file [");
	CHECK_HAS(text, " left ");
	/* The line is gone at the end. */
	CHECK_STR(text + n - 4, "\r\033[K");
	fresh();
}

static const struct check_test tests[] = {
	{ "made", test_made },	       { "there_already", test_there_already },
	{ "errors", test_errors },     { "file_system", test_file_system },
	{ "failures", test_failures }, { "interrupted", test_interrupted },
	{ "progress", test_progress },
};
CHECK_MAIN_WITH(tests, setup, NULL)
