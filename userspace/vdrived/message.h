/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What keeper and reader say to each other, over a SOCK_SEQPACKET pair: one struct vd_message a packet, with
 * at most one descriptor. The keeper trusts no word of it: a reader may have been taken over by its image.
 *
 *   keeper -> reader: SESSION (a /dev/fuse to serve), OPENED (answer to OPEN), QUIT, PING
 *   reader -> keeper: OPEN (a file named by a sheet; with arg n + 1 number n of those whose name ends so), READY or FAILED (once, after parsing),
 *                     SERVING and ENDED (a session), ATTRIBUTE (to survive a new reader), PONG
 */
#ifndef VDRIVED_MESSAGE_H
#define VDRIVED_MESSAGE_H

#include <stdint.h>

#include "util/error.h"

enum vd_message_type {
	VD_MSG_CONFIG = 1,
	VD_MSG_SESSION,
	VD_MSG_OPENED,
	VD_MSG_QUIT,
	VD_MSG_PING,
	VD_MSG_OPEN,
	VD_MSG_READY,
	VD_MSG_FAILED,
	VD_MSG_SERVING,
	VD_MSG_ENDED,
	VD_MSG_ATTRIBUTE,
	VD_MSG_PONG,
	VD_MSG_OUTPUT, /* these two: a child of the command, userspace/vdrive/caged.h */
	VD_MSG_PROGRESS,
	VD_MSG_SLOTS, /* these three: a drive of type cdrom, slots.h */
	VD_MSG_WORK,
	VD_MSG_MEDIUM,
};

/* The two ways in which FUSE shows a drive. */
enum vd_session_kind {
	VD_SESSION_DRIVE, /* NAME/: disc.iso or disk, files/, attr/ */
	VD_SESSION_FILES, /* what `vdrive mount` shows at DIR */
	VD_SESSION_KINDS,
};

struct vd_message {
	uint32_t type;
	int32_t code; /* 0 or -errno */
	uint32_t arg; /* a session's kind; OPEN's number */
	char text[VD_ERROR_MAX];
};

/* 0 or -errno. @fd is sent along when >= 0; it stays the caller's. */
int vd_message_send(int sock, const struct vd_message *m, int fd);
/*
 * Waits for the next message. 1; 0 when the other side is gone; -errno. *@fd is -1 or a descriptor that the
 * caller owns; text is always terminated.
 */
int vd_message_recv(int sock, struct vd_message *m, int *fd);

#endif
