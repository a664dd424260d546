// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"

int vd_keeper_open(struct vd_keeper_opener *o, const char *name, struct vd_error *err)
{
	struct open_how how = {
		/* O_NONBLOCK: a FIFO is found out below instead of waited for. */
		.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (o->dir_fd < 0)
		return vd_error_set(err, -EPERM, "%s: this image may name no other files", name);
	if (o->opened >= VD_OPENER_MAX)
		return vd_error_set(err, -EMFILE, "%s: more than %d files", name, VD_OPENER_MAX);
	fd = (int)syscall(SYS_openat2, o->dir_fd, name, &how, sizeof(how));
	if (fd < 0 && errno == EXDEV)
		return vd_error_set(err, -EXDEV, "%s: lies outside the folder of the sheet", name);
	if (fd < 0)
		return vd_error_errno(err, -errno, "%s", name);
	if (fstat(fd, &st))
		return vd_error_errno(err, -errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return vd_error_set(err, -EINVAL, "%s: not a regular file", name);
	o->opened++;
	return VD_TAKE_FD(fd);
}
