/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VDRIVED_READER_H
#define VDRIVED_READER_H

#include "userspace/common/drive.h"
#include "userspace/vdrived/served.h"

/* Descriptors that a reader is started with, besides 0 to 2. Nothing else is open in it. */
#define VD_READER_SOCK 3
#define VD_READER_ANSWERED 4 /* a page shared with the keeper: an atomic_ullong, see watchdog.h */
#define VD_READER_IMAGE 5    /* not for a drive in memory */

/* The first packet on the socket. */
struct vd_reader_config {
	struct vd_drive_state state;
	char attributes[2][VD_ERROR_MAX]; /* "name=value" as an earlier reader was told, or "" */
};

/* The whole life of a reader process; returns its exit status. */
int vd_reader_main(void);

#endif
