/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the keeper of an optical drive has its commands answered by the reader of the disc: in memory that both have mapped (a sealed memfd,
 * VD_MSG_SLOTS), in VD_SLOTS places. Over a socket pair (VD_MSG_WORK) goes the number of a place, there and back: from the keeper with a
 * question in it, from the reader with the answer. Questions are independent of each other.
 *
 * A read that lies in files as it is, is answered by where it lies. The keeper has those files: the image is file 0, those that the
 * reader asked for (VD_MSG_OPEN) follow in the order in which they were opened.
 *
 * After READY the reader says what it has found (VD_MSG_MEDIUM). The keeper trusts no byte of an answer, and looks at a copy of it.
 */
#ifndef VDRIVED_SLOTS_H
#define VDRIVED_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "mmc/mmc.h"
#include "userspace/vdrived/message.h"

#define VD_SLOTS 16
#define VD_SLOT_RANGES 64
#define VD_SLOT_DATA                                                                               \
	(4u << 20) /* bytes of a question or an answer: no command of the drive's host is longer */

struct vd_slot_question {
	uint8_t cdb[VD_MMC_CDB_MAX];
	uint32_t cdb_len;
	uint32_t in_cap;
	uint32_t out_len; /* bytes of the slot's data that come with the command */
	bool ranges;	  /* may be answered with some */
	uint64_t now;
	struct vd_mmc_now drive;
};

struct vd_slot_range {
	uint32_t file;
	uint64_t offset, len;
};

struct vd_slot_answer {
	struct vd_mmc_reply reply;
	struct vd_slot_range ranges[VD_SLOT_RANGES];
};

struct vd_slot {
	union {
		struct {
			struct vd_slot_question question;
			struct vd_slot_answer answer;
		};
		uint8_t page[4096];
	};
	uint8_t data[VD_SLOT_DATA];
};

#define VD_SLOTS_BYTES (VD_SLOTS * sizeof(struct vd_slot))

/* A medium in a message's text, and back: -EBADMSG. */
void vd_medium_put(const struct vd_mmc_medium *medium, struct vd_message *m);
int vd_medium_get(const struct vd_message *m, struct vd_mmc_medium *medium);

/* The keeper's side. */

/* A copy of an answer that the reader may be changing; a bool of it may have any bits, here it has one. */
void vd_slot_copy(struct vd_slot_answer *to, const struct vd_slot_answer *from);
/* Can @a, a copy, be the answer to a question of @cap bytes, with or without ranges, from a reader that has @nfiles files? */
bool vd_slot_answer_ok(const struct vd_slot_answer *a, uint32_t nfiles, size_t cap, bool ranges);

/* The reader's side (present_tcmu.c). */

/* Descriptor @fd is file @number of the image's. Called in the order in which they are opened, before the threads start. */
void vd_slots_file(int fd, uint32_t number);
/* Maps the memory (takes @fd). */
int vd_slots_map(int fd, struct vd_error *err);
/* Answers what comes over @fd (taken), in threads of its own. */
int vd_slots_serve(struct vd_disc *disc, int fd, struct vd_error *err);

#endif
