/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A medium as the keeper of an optical drive has it: its files, and the reader that knows what is on it. The keeper opened none of them: they came
 * from whoever inserted the disc, who has opened them as himself.
 */
#ifndef VDRIVED_MEDIUM_H
#define VDRIVED_MEDIUM_H

#include "userspace/vdrived/optical.h"
#include "userspace/vdrived/slots.h"

struct vd_medium {
	int refs;
	char image[PATH_MAX];
	struct vd_held files[VD_OPENER_MAX + 1]; /* [0] is the image */
	uint32_t nfiles;
	struct vd_mmc_medium facts; /* present: it was parsed once */

	pid_t reader; /* 0: none */
	int sock, work;
	bool ready;	/* it answers questions */
	int64_t since;	/* ms: when it was started */
	int64_t pinged; /* ms; 0: it owes no answer */
	int slots_fd;
	struct vd_slot *slots;
	/* Which of the files its numbers mean. */
	uint32_t number[VD_OPENER_MAX + 1], nnumbers;
	int64_t deaths[10]; /* ms */
};

/* Takes @image_fd, which must be a regular file and open for reading. -EINVAL, -EBADF; -ENOMEM. */
int vd_medium_new(const char *image, int image_fd, struct vd_medium **out, struct vd_error *err);
struct vd_medium *vd_medium_ref(struct vd_medium *m);
void vd_medium_unref(struct vd_medium *m); /* the last one ends the reader; NULL is fine */
/* One more file (takes @fd), of that text and arg. Its index, or -errno. */
int vd_medium_hold(struct vd_medium *m, const char *text, uint32_t arg, int fd,
		   struct vd_error *err);

/* Starts a reader; there is none. */
int vd_medium_start(struct vd_medium *m, const struct vd_drive_state *drive, bool foreground,
		    struct vd_error *err);
/* Ends it. @how: "was killed by signal 9", may be NULL. */
void vd_medium_stop(struct vd_medium *m, char *how, size_t size);
/* Its answer to VD_MSG_OPEN: file @index, or the failure @code with words. */
int vd_medium_answer_open(struct vd_medium *m, int index, int code, const char *words);
/* The file that it was given when it asked so before; -ENOENT. */
int vd_medium_find(const struct vd_medium *m, const struct vd_message *asked);
/* One more death. False: there were too many of late. */
bool vd_medium_may_restart(struct vd_medium *m);

/* Asks the question in slots[n]. */
int vd_medium_ask(struct vd_medium *m, uint32_t n);
/* The next answer: its slot, and a copy of it. 1; 0: none is there now; -EPIPE: the reader is gone; -EBADMSG. */
int vd_medium_hear(struct vd_medium *m, uint32_t *n, struct vd_slot_answer *out);
/* Gives the reader, which has just parsed the disc, its memory and its socket. */
int vd_medium_employ(struct vd_medium *m, struct vd_error *err);

#endif
