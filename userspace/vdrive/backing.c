// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The backing store of a drive in memory: a file made ready for memdrive, or a block device.
 *
 * The kernel maps the whole file when it is attached, and then writes to the disk below without asking the file system again, as
 * it does with swap files. So every block must be there and have been written: fallocate() alone leaves extents that count as unwritten,
 * and whose contents would be lost. It is done first all the same, since then a full disk is known at once and the file is in few pieces.
 *
 * What moves there is not encrypted, so nobody but root may read it. The file belongs to its drive and goes with it; what was there before
 * is replaced only with --force.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/size.h"

/* The kernel's least is a few clusters of 128 KiB. */
#define BACKING_MIN (1u << 20)
#define CHUNK (1u << 20)
/* Dirty pages are written meanwhile, not in one go at the end. */
#define SYNC_EVERY (64u << 20)

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

static void catch_signals(struct sigaction *before)
{
	struct sigaction sa = { .sa_handler = on_signal };

	interrupted = 0;
	for (size_t i = 0; i < VD_ARRAY_SIZE(ending); i++) {
		sigaction(ending[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(ending[i], &sa, NULL);
	}
}

static void release_signals(const struct sigaction *before)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(ending); i++)
		sigaction(ending[i], &before[i], NULL);
}

static int write_zeros(int fd, const char *path, uint64_t size, struct vd_error *err)
{
	_cleanup_free_ char *zeros = need(calloc(1, CHUNK));
	struct progress p;
	uint64_t done = 0, synced = 0;
	int r = 0;

	progress_begin(&p, "making the backing file");
	while (!r && done < size) {
		size_t n = size - done < CHUNK ? (size_t)(size - done) : CHUNK;
		ssize_t got;

		progress_show(&p, (unsigned int)(done / CHUNK * 1000 / (size / CHUNK)));
		got = pwrite(fd, zeros, n, (off_t)done);
		if (interrupted)
			r = vd_error_set(err, -EINTR, "interrupted");
		else if (got < 0 && errno != EINTR)
			r = vd_error_errno(err, -errno, "cannot write %s", path);
		if (r || got < 0)
			continue;
		done += (uint64_t)got;
		if (done - synced >= SYNC_EVERY) {
			if (fdatasync(fd))
				r = vd_error_errno(err, -errno, "cannot write %s", path);
			(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
			synced = done;
		}
	}
	if (!r && fsync(fd))
		r = vd_error_errno(err, -errno, "cannot write %s", path);
	progress_end(&p);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return r;
}

/* "ext4", of what @fd lies on, as the kernel calls it: statfs() has one number for ext2, ext3 and ext4. */
static int file_system(int fd, char *name, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	struct statx stx;
	size_t room = 0;

	if (!f)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx))
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP; /* before Linux 5.8 */
	while (getline(&line, &room, f) > 0) {
		char *type = strstr(line, " - ");

		if (strtoull(line, NULL, 10) != stx.stx_mnt_id || !type)
			continue;
		type += strlen(" - ");
		type[strcspn(type, " ")] = '\0';
		snprintf(name, size, "%s", type);
		return 0;
	}
	return -ENOENT;
}

static int check_file_system(int fd, const char *path, struct vd_error *err)
{
	char name[64];
	int r = file_system(fd, name, sizeof(name));

	if (r)
		return vd_error_errno(err, r, "%s: cannot tell its file system", path);
	if (strcmp(name, "ext4") && strcmp(name, "xfs"))
		return vd_error_set(
			err, -EOPNOTSUPP,
			"%s: a backing file lies on ext4 or xfs, and this is %s (a block device does too)",
			path, name);
	return 0;
}

static int fill(int fd, const char *path, uint64_t size, struct vd_error *err)
{
	struct sigaction before[VD_ARRAY_SIZE(ending)];
	int r;

	catch_signals(before);
	/* -EINTR: nothing is wrong, and what is missing is allocated by the writes. */
	r = fallocate(fd, 0, 0, (off_t)size) && errno != EINTR
		    ? vd_error_errno(err, -errno, "cannot make %s", path)
		    : write_zeros(fd, path, size, err);
	release_signals(before);
	if (r == -ENOSPC || r == -EFBIG) {
		char text[16];

		return vd_error_set(err, r, "%s: %s: %s are needed", path, strerror(-r),
				    vd_size_format(size, text, sizeof(text)));
	}
	return r;
}

static int make_file(int dir, const char *name, uint64_t size, bool force, struct backing *b,
		     struct vd_error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = check_file_system(dir, b->path, err);

	if (r)
		return r;
	/* A new one in its place: what else the old one is (linked, shared, open) does not matter then. */
	if (force && unlinkat(dir, name, 0) && errno != ENOENT)
		return errno == EPERM ? vd_error_set(err, -EBUSY,
						     "%s cannot be replaced: is it in use as swap?",
						     b->path)
				      : vd_error_errno(err, -errno, "cannot replace %s", b->path);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return vd_error_set(err, -EEXIST, "%s is there already (--force replaces it)",
				    b->path);
	if (fd < 0)
		return vd_error_errno(err, -errno, "cannot make %s", b->path);
	r = fstat(fd, &st) ? vd_error_errno(err, -errno, "%s", b->path)
			   : fill(fd, b->path, size, err);
	/* The name must be there after a crash too, so that somebody finds what takes up the disk. */
	if (!r && fsync(dir))
		r = vd_error_errno(err, -errno, "cannot make %s", b->path);
	if (r) {
		unlinkat(dir, name, 0);
		return r;
	}
	b->inode = st.st_ino;
	return 0;
}

static int check_device(const char *path, uint64_t size, bool force, struct vd_error *err)
{
	/* Exclusive: not while it is mounted, swapped to or a part of another device. */
	_cleanup_close_ int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	char have[16], want[16];
	uint64_t bytes;

	if (fd < 0)
		return errno == EBUSY ? vd_error_set(err, -EBUSY, "%s is in use", path)
				      : vd_error_errno(err, -errno, "%s", path);
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return vd_error_errno(err, -errno, "%s", path);
	if (!force)
		return vd_error_set(err, -EEXIST,
				    "%s: what is on this device would be lost (--force uses it)",
				    path);
	if (bytes < size)
		return vd_error_set(err, -ENOSPC, "%s has only %s of the %s that are needed", path,
				    vd_size_format(bytes, have, sizeof(have)),
				    vd_size_format(size, want, sizeof(want)));
	return 0;
}

int backing_prepare(const char *file, uint64_t size, bool size_given, bool force, struct backing *b,
		    struct vd_error *err)
{
	_cleanup_close_ int dir = -1;
	char absolute[PATH_MAX], *slash;
	_cleanup_free_ char *real = NULL;
	struct stat st;
	int r;

	*b = (struct backing){ 0 };
	if (size < BACKING_MIN)
		return vd_error_set(err, -EINVAL, "%s: a backing store has at least 1M", file);
	r = path_absolute(file, absolute, err);
	if (r)
		return r;
	/* One line in sysfs. */
	if (absolute[strcspn(absolute, "\n")])
		return vd_error_set(err, -EINVAL, "%s: a name of one line is needed", file);
	if (!stat(absolute, &st)) {
		real = realpath(absolute, NULL);
		if (!real)
			return vd_error_errno(err, -errno, "%s", file);
		snprintf(b->path, sizeof(b->path), "%s", real);
		if (S_ISBLK(st.st_mode))
			return check_device(b->path, size_given ? size : BACKING_MIN, force, err);
		if (!S_ISREG(st.st_mode))
			return vd_error_set(err, -EINVAL, "%s is neither a file nor a block device",
					    file);
	} else {
		struct stat link;

		if (errno != ENOENT || !lstat(absolute, &link))
			return vd_error_errno(err, -errno, "%s", file);
		slash = strrchr(absolute, '/');
		*slash = '\0';
		real = realpath(*absolute ? absolute : "/", NULL);
		if (!real)
			return vd_error_errno(err, -errno, "%s", file);
		if (!slash[1] ||
		    snprintf(b->path, sizeof(b->path), "%s/%s", strcmp(real, "/") ? real : "",
			     slash + 1) >= (int)sizeof(b->path))
			return vd_error_errno(err, -ENAMETOOLONG, "%s", file);
	}
	slash = strrchr(b->path, '/');
	*slash = '\0';
	dir = open(b->path[0] ? b->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (dir < 0)
		return vd_error_errno(err, -errno, "%s", file);
	return make_file(dir, slash + 1, size, force, b, err);
}

void backing_undo(const struct backing *b)
{
	struct stat st;

	/* One that a keeper still has attached cannot be removed, and goes with it. */
	if (b->inode && !lstat(b->path, &st) && st.st_ino == b->inode && unlink(b->path) &&
	    errno != ENOENT && errno != EPERM)
		complain("warning: cannot remove %s: %s", b->path, strerror(errno));
}
