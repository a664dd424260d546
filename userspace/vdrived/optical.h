/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An optical drive: /dev/srN through the kernel's TCMU, whoever dies.
 *
 *   guard     starts the keeper, again when it was killed; holds what a new one needs: the drive's state (struct vd_optical, in memory
 *             that both have mapped), the descriptors of the medium, the name. Does nothing else.
 *   keeper    owns the ring; the drive itself (lib/mmc); reads what lies in files as it is. Parses nothing that a stranger wrote.
 *   reader    one for each medium, caged: all that must be known of the disc. Commands wait while there is a new one.
 */
#ifndef VDRIVED_OPTICAL_H
#define VDRIVED_OPTICAL_H

#include "mmc/mmc.h"
#include "userspace/common/drive.h"
#include "userspace/vdrived/keeper.h"
#include "userspace/vdrived/opener.h"

/* A file of the medium's: the image, or one that the image names. */
struct vd_held {
	char text[VD_ERROR_MAX]; /* as the reader asked for it, VD_MSG_OPEN; of the image "" */
	uint32_t arg;
	int fd;
};

/* Survives a keeper. */
struct vd_optical {
	struct vd_drive_state state; /* name; image: of the medium, or "" */
	struct vd_mmc mmc;
};

struct vd_guard {
	const struct vd_keeper_args *args;
	struct vd_optical *drive; /* shared */
	char rundir[PATH_MAX];
	int lock_fd, listen_fd;
	int sock;      /* keeper and guard, each its own end */
	int status_fd; /* whoever started the drive waits for one struct vd_reply; -1 after that */
	bool started;  /* it was there once: this keeper is not the first */
	struct vd_held held[VD_OPENER_MAX + 1];
	uint32_t nheld;
	int sound_fd; /* the file for what is played; -1: none is asked for */
};

/*
 * What the keeper tells the guard, as struct vd_message: HOLD with a descriptor, text and arg of struct vd_held; SOUND with one; DROP
 * (all of them); STARTED.
 */
enum { VD_GUARD_HOLD = 0x100, VD_GUARD_SOUND, VD_GUARD_DROP, VD_GUARD_STARTED };

/* The whole life of a drive of type cdrom; returns an exit status. */
int vd_optical_main(const struct vd_keeper_args *args);
/* Of one keeper, in a process of its own. 0: the drive was taken down. */
int vd_optical_keeper(struct vd_guard *g);
/* Answers whoever started the drive, once. */
void vd_guard_report(struct vd_guard *g, int code, const struct vd_error *err);

#endif
