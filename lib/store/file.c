// SPDX-License-Identifier: GPL-3.0-or-later
/* A store in a regular file or on a block device. */
#define _GNU_SOURCE
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/cleanup.h"

struct file_store {
	struct vd_store store;
	int fd;
};

static struct file_store *to_file(struct vd_store *s)
{
	return (struct file_store *)s;
}

void (*vd_store_before_wait)(void);

/* As pread(2), and says beforehand when it will wait. */
static ssize_t read_some(int fd, void *buf, size_t len, uint64_t off)
{
	if (vd_store_before_wait) {
		struct iovec iov = { .iov_base = buf, .iov_len = len };
		ssize_t n = preadv2(fd, &iov, 1, (off_t)off, RWF_NOWAIT);

		/* Any error: the second try gives the true one. */
		if (n >= 0)
			return n;
		vd_store_before_wait();
	}
	return pread(fd, buf, len, (off_t)off);
}

static int file_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	char *p = buf;

	while (len) {
		ssize_t n = read_some(to_file(s)->fd, p, len, off);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			return -EIO; /* the file has shrunk under us */
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(to_file(s)->fd, p, len, (off_t)off);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			return -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_fallocate(struct vd_store *s, int mode, uint64_t off, uint64_t len)
{
	if (!fallocate(to_file(s)->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len))
		return 0;
	/* -EINVAL: an odd range on a block device. */
	return errno == EINVAL || errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int file_zero(struct vd_store *s, uint64_t off, uint64_t len)
{
	return file_fallocate(s, FALLOC_FL_ZERO_RANGE, off, len);
}

static int file_trim(struct vd_store *s, uint64_t off, uint64_t len)
{
	return file_fallocate(s, FALLOC_FL_PUNCH_HOLE, off, len);
}

static int file_flush(struct vd_store *s)
{
	return fdatasync(to_file(s)->fd) ? -errno : 0;
}

static int file_map(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	*out = (struct vd_fd_range){ .fd = to_file(s)->fd, .offset = off, .len = len };
	return 0;
}

static void file_close(struct vd_store *s)
{
	close(to_file(s)->fd);
	free(s);
}

static const struct vd_store_ops file_ops = {
	.name = "file",
	.pread = file_pread,
	.pwrite = file_pwrite,
	.zero = file_zero,
	.trim = file_trim,
	.flush = file_flush,
	.map = file_map,
	.close = file_close,
};

int vd_store_file_open(int fd, bool read_only, struct vd_store **out, struct vd_error *err)
{
	_cleanup_close_ int owned = fd;
	struct file_store *f;
	struct stat st;
	off_t end;

	if (fstat(fd, &st)) {
		/*
		 * A file of FUSE tells that to the user alone who mounted it, and root in the cage is somebody else by now. It can be
		 * read all the same, and whoever opened it knows what it is.
		 */
		if (errno != EACCES || !read_only)
			return vd_error_errno(err, -errno, "cannot examine the file");
		st = (struct stat){ .st_mode = S_IFREG, .st_size = lseek(fd, 0, SEEK_END) };
	}
	if (S_ISDIR(st.st_mode))
		return vd_error_set(err, -EISDIR, "is a directory");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return vd_error_set(err, -EINVAL, "neither a regular file nor a block device");
	if (!read_only && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return vd_error_set(err, -EBADF, "is not open for writing");
	/* The size of a block device is where its end is. */
	end = S_ISREG(st.st_mode) ? st.st_size : lseek(fd, 0, SEEK_END);
	if (end < 0)
		return vd_error_errno(err, -errno, "cannot find its size");
	f = calloc(1, sizeof(*f));
	if (!f)
		return vd_error_errno(err, -ENOMEM, "cannot open it");
	f->store.ops = &file_ops;
	f->store.size = (uint64_t)end;
	f->store.block = st.st_blksize > 0 ? (uint32_t)st.st_blksize : 4096;
	f->store.read_only = read_only;
	f->fd = VD_TAKE_FD(owned);
	*out = &f->store;
	return 0;
}
