/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cage around code that parses what a stranger wrote. Inside it there are no new files, no sockets, no
 * programs and no privileges: only the descriptors that are open already, memory, threads and clocks.
 * Three walls, each one enough against most things: user nobody (when started as root), Landlock (Linux 5.13),
 * seccomp (an allow-list; all else fails with EPERM).
 */
#ifndef VD_COMMON_CAGE_H
#define VD_COMMON_CAGE_H

#include "util/error.h"

enum vd_cage_profile {
	VD_CAGE_READER, /* serves FUSE: threads, /dev/fuse, messages with the keeper */
	VD_CAGE_SWAP,	/* the same, but root stays root: for locked memory beyond a user's limit */
	VD_CAGE_INFO,	/* prints: besides, asks the terminal for its width */
};

/*
 * Enters the cage, for good. The process must be single-threaded. 0, or -errno with words: then nothing may be parsed.
 * A kernel without Landlock is fine; one without seccomp is not. @drive_fd: to this descriptor, the drive that the disc is in, MMC
 * commands may be sent (CDROM_SEND_PACKET); -1: there is no such one.
 */
int vd_cage_enter(enum vd_cage_profile profile, int drive_fd, struct vd_error *err);

#endif
