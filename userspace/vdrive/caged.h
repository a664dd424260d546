/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work on an image, by a child in the cage. The parent parses nothing: it opens what the child asks for, each request
 * checked, and waits.
 *
 *   child -> parent   OPEN a name that a sheet has       answered by OPENED with a descriptor to read
 *                     OUTPUT a kind and a number         answered by OPENED with a descriptor to write
 *                     PROGRESS how far it is             no answer
 *
 * The child prints by itself (stdout and stderr are the command's), and its result is an exit status.
 */
#ifndef VDRIVE_CAGED_H
#define VDRIVE_CAGED_H

#include <signal.h>

#include "images/image.h"
#include "userspace/vdrive/vdrive.h"

struct caged; /* the child's side */

#define CAGED_FINISHED 0xffffu

struct caged_job {
	struct opened *image;
	void *arg;
	/* In the child, in the cage. Returns the exit status, 0 to 127. */
	int (*run)(struct caged *c, void *arg);
	/*
	 * In the parent, may be NULL: opens something to write to for the child. Kind and number are a stranger's. The descriptor stays
	 * the parent's; or -errno with words.
	 */
	int (*output)(void *arg, uint32_t kind, uint32_t number, struct vd_error *err);
	/* In the parent, may be NULL: of 1000, or CAGED_FINISHED when the child is about to print. */
	void (*progress)(void *arg, unsigned int done);
};

/* Runs it. The child's status, or -errno with words when there was none: it could not start, or was killed. */
int caged_run(const struct caged_job *job, struct vd_error *err);

/* The child while there is one, for a signal handler; else 0. */
extern volatile sig_atomic_t caged_pid;

/* What the child may ask. */

/* For vd_image_open(). Lives as long as the child. */
struct vd_opener *caged_opener(struct caged *c);
/* The image itself; the caller takes it, once. */
int caged_take_image(struct caged *c);
/* A descriptor that is the child's, or -errno with words. */
int caged_output(struct caged *c, uint32_t kind, uint32_t number, struct vd_error *err);
/* Cheap: says so only when the parent would show something else. */
void caged_progress(struct caged *c, uint64_t done, uint64_t total);
/* Returns when nothing of it is shown any more: to be called before the first line is printed. */
void caged_finish_progress(struct caged *c);

/* Opens the job's image, or the disc in it when it is a drive. On failure says so and returns NULL. */
struct vd_disc *caged_open_disc(struct caged *c, const struct opened *image,
				const struct vd_image_format **format);

#endif
