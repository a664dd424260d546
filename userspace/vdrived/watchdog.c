// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util/cleanup.h"

#define FUSECTL "/sys/fs/fuse/connections"

/* The directory of all connections: where it is mounted, or from a mount of our own that nobody sees. */
static int open_fusectl(unsigned minor)
{
	_cleanup_close_ int fs = -1, mnt = -1;
	char path[64];

	snprintf(path, sizeof(path), FUSECTL "/%u/abort", minor);
	if (!access(path, F_OK))
		return open(FUSECTL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fs = fsopen("fusectl", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	return mnt < 0 ? -1 : VD_TAKE_FD(mnt);
}

/*
 * How many requests wait for an answer, or -errno. Opened each time: the kernel counts at the first read of an open file, and a second
 * one tells the same again or nothing. Its inode is there as long as the connection, so that this takes a descriptor only.
 */
static long count_waiting(const struct vd_watchdog *w)
{
	_cleanup_close_ int fd = openat(w->conn_fd, "waiting", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n ? -errno : -EIO;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

int vd_watchdog_open(struct vd_watchdog *w, unsigned minor, const atomic_ullong *answered,
		     int limit_ms, struct vd_error *err)
{
	_cleanup_close_ int dir = open_fusectl(minor);
	char path[32];
	int r;

	*w = (struct vd_watchdog){
		.abort_fd = -1, .conn_fd = -1, .answered = answered, .limit_ms = limit_ms
	};
	if (dir < 0)
		return vd_error_errno(err, -errno, "the watchdog cannot reach fusectl");
	snprintf(path, sizeof(path), "%u", minor);
	w->conn_fd = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->conn_fd >= 0)
		w->abort_fd = openat(w->conn_fd, "abort", O_WRONLY | O_CLOEXEC);
	r = w->abort_fd < 0 ? -errno : count_waiting(w);
	if (r < 0) {
		vd_watchdog_close(w);
		return vd_error_errno(err, r, "the watchdog cannot open %s/%u", FUSECTL, minor);
	}
	return 0;
}

bool vd_watchdog_tick(struct vd_watchdog *w, int64_t now_ms)
{
	unsigned long long answered;
	bool aborted;
	long waiting;

	if (w->abort_fd < 0)
		return false;
	answered = atomic_load(w->answered);
	waiting = count_waiting(w);
	/* Not known at this moment: what was known before still holds. */
	if (waiting < 0 && waiting != -ENOENT)
		waiting = w->since ? 1 : 0;
	/* Nobody waits, or something was answered since: it lives. */
	if (waiting <= 0 || answered != w->last || !w->since) {
		w->since = waiting > 0 ? now_ms : 0;
		w->last = answered;
		return false;
	}
	if (now_ms - w->since < w->limit_ms)
		return false;
	aborted = write(w->abort_fd, "1", 1) == 1;
	vd_watchdog_close(w);
	return aborted;
}

void vd_watchdog_close(struct vd_watchdog *w)
{
	if (w->abort_fd >= 0)
		close(w->abort_fd);
	if (w->conn_fd >= 0)
		close(w->conn_fd);
	w->abort_fd = w->conn_fd = -1;
}
