/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VDRIVED_KEEPER_H
#define VDRIVED_KEEPER_H

#include "userspace/common/drive.h"

struct vd_keeper_args {
	struct vd_drive_state state; /* name, type, image, mountpoint, options, read_only */
	int image_fd, dir_fd;	     /* owned */
	int status_fd;		     /* gets one struct vd_reply; owned; -1: none */
	bool foreground;
};

/* The whole life of a keeper process; returns its exit status. */
int vd_keeper_main(const struct vd_keeper_args *args);

#endif
