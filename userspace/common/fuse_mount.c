// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Mounting and unmounting FUSE file systems, and keeping the descriptor to hand it on: libfuse would
 * serve it itself. Root calls mount(2). Everybody else runs fusermount3, whose protocol is: options and the
 * mount point as arguments, the number of a socket in _FUSE_COMMFD, over which the descriptor comes back.
 */
#define _GNU_SOURCE
#include "userspace/common/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Runs fusermount3; @comm is the child's end of the socket, or -1. Its words go to @said. */
static int run_fusermount(char *const argv[], int comm, char *said, size_t size)
{
	_cleanup_close_ int out = -1;
	int p[2], status;
	size_t n = 0;
	pid_t pid;

	said[0] = '\0';
	if (pipe2(p, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(p[0]);
		close(p[1]);
		return r;
	}
	if (!pid) {
		int null = open("/dev/null", O_RDWR);
		sigset_t none;
		char text[16];

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* Descriptors 0 to 2 are in place; nothing else is inherited but the socket. */
		if (null >= 0) {
			dup2(null, 0);
			dup2(null, 1);
		}
		dup2(p[1], 2);
		if (comm >= 0) {
			fcntl(comm, F_SETFD, 0);
			snprintf(text, sizeof(text), "%d", comm);
			setenv("_FUSE_COMMFD", text, 1);
		} else {
			unsetenv("_FUSE_COMMFD");
		}
		setenv("LC_ALL", "C", 1);
		execvp("fusermount3", argv);
		_exit(127);
	}
	close(p[1]);
	out = p[0];
	for (;;) {
		ssize_t got = read(out, said + n, size - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || n + (size_t)got >= size - 1)
			break;
		n += (size_t)got;
	}
	said[n] = '\0';
	said[strcspn(said, "\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOPKG;
	return strstr(said, "busy") ? -EBUSY : -EIO;
}

/* "fusermount3: " adds nothing for the reader. */
static const char *said_text(const char *said)
{
	const char *colon = strstr(said, "fusermount3: ");

	return colon ? colon + strlen("fusermount3: ") : said;
}

static int recv_fd(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* In FUSE's option syntax a comma and a backslash are escaped. */
static void escape_option(const char *in, char *out, size_t size)
{
	size_t n = 0;

	for (; *in && n + 3 < size; in++) {
		if (*in == ',' || *in == '\\')
			out[n++] = '\\';
		out[n++] = *in;
	}
	out[n] = '\0';
}

static int mount_by_fusermount(const char *dir, const char *source, const char *options,
			       struct vd_error *err)
{
	_cleanup_free_ char *all = NULL;
	_cleanup_close_ int mine = -1, theirs = -1;
	char fsname[2 * PATH_MAX], said[512];
	int sv[2], r, fd;

	escape_option(source, fsname, sizeof(fsname));
	if (asprintf(&all, "nosuid,nodev,fsname=%s,subtype=vdrive%s%s", fsname,
		     options[0] ? "," : "", options) < 0)
		return vd_error_errno(err, -ENOMEM, "cannot mount on %s", dir);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return vd_error_errno(err, -errno, "cannot mount on %s", dir);
	mine = sv[0];
	theirs = sv[1];
	char *const argv[] = { (char *)"fusermount3", (char *)"-o", all,
			       (char *)"--",	      (char *)dir,  NULL };
	r = run_fusermount(argv, theirs, said, sizeof(said));
	if (r == -ENOPKG)
		return vd_error_set(
			err, r, "cannot mount on %s: there is no fusermount3 (install fuse3)", dir);
	if (r && strstr(said, "/dev/fuse: Permission denied"))
		return vd_error_set(
			err, -EACCES,
			"cannot mount on %s: /dev/fuse is closed to users here (root can open it: chmod 666 /dev/fuse)",
			dir);
	if (r)
		return vd_error_set(err, r, "cannot mount on %s: %s", dir,
				    said[0] ? said_text(said) : "fusermount3 failed");
	fd = recv_fd(mine);
	if (fd < 0)
		return vd_error_errno(err, fd, "cannot mount on %s: fusermount3 gave no descriptor",
				      dir);
	return fd;
}

static int mount_as_root(const char *dir, const char *source, const char *options,
			 struct vd_error *err)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *copy = strdup(options), *data = NULL;
	unsigned long flags = MS_NOSUID | MS_NODEV;
	char rest[1024] = "", *save = NULL;
	struct stat st;
	size_t n = 0;

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return vd_error_set(
			err, -errno,
			"cannot mount on %s: this kernel has no FUSE (try: modprobe fuse)", dir);
	if (fd < 0)
		return vd_error_errno(err, -errno, "cannot open /dev/fuse");
	if (!copy)
		return vd_error_errno(err, -ENOMEM, "cannot mount on %s", dir);
	if (stat(dir, &st))
		return vd_error_errno(err, -errno, "%s", dir);
	/* What mount(2) takes as flags; the rest is FUSE's. */
	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		if (!strcmp(o, "ro"))
			flags |= MS_RDONLY;
		else if (!strcmp(o, "noexec"))
			flags |= MS_NOEXEC;
		else if (!strcmp(o, "noatime"))
			flags |= MS_NOATIME;
		else if (n + strlen(o) + 2 < sizeof(rest))
			n += (size_t)sprintf(rest + n, ",%s", o);
		else
			return vd_error_errno(err, -E2BIG, "cannot mount on %s", dir);
	}
	if (asprintf(&data, "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s", fd, st.st_mode & S_IFMT,
		     (unsigned)getuid(), (unsigned)getgid(), rest) < 0)
		return vd_error_errno(err, -ENOMEM, "cannot mount on %s", dir);
	if (mount(source, dir, VD_FSTYPE, flags, data))
		return vd_error_errno(err, -errno, "cannot mount on %s", dir);
	return VD_TAKE_FD(fd);
}

int vd_fuse_mount(const char *dir, const char *source, const char *options, struct vd_error *err)
{
	struct stat st;

	/* The kernel would take a file too, and then find a directory behind it. */
	if (stat(dir, &st))
		return vd_error_errno(err, -errno, "cannot mount on %s", dir);
	if (!S_ISDIR(st.st_mode))
		return vd_error_errno(err, -ENOTDIR, "cannot mount on %s", dir);
	return geteuid() ? mount_by_fusermount(dir, source, options, err)
			 : mount_as_root(dir, source, options, err);
}

int vd_fuse_unmount(const char *dir, bool lazy, struct vd_error *err)
{
	char said[512];
	int r;

	if (!vd_fuse_mounted(dir))
		return vd_error_set(err, -EINVAL, "%s: no drive is mounted there", dir);
	if (!geteuid()) {
		r = umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) ? -errno : 0;
		if (r == -EBUSY)
			return vd_error_set(err, r, "%s: target is busy", dir);
		return r ? vd_error_errno(err, r, "cannot unmount %s", dir) : 0;
	}
	char *const argv[] = { (char *)"fusermount3",
			       (char *)"-u",
			       lazy ? (char *)"-z" : (char *)"--",
			       lazy ? (char *)"--" : (char *)dir,
			       lazy ? (char *)dir : NULL,
			       NULL };
	r = run_fusermount(argv, -1, said, sizeof(said));
	if (r == -EBUSY)
		return vd_error_set(err, r, "%s: target is busy", dir);
	if (r == -ENOPKG)
		return vd_error_set(err, r, "cannot unmount %s: there is no fusermount3", dir);
	return r ? vd_error_set(err, r, "cannot unmount %s: %s", dir, said_text(said)) : 0;
}
