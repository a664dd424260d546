/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a keeper must not wait for: done by other threads, and back in its poll() when it is done. */
#ifndef VDRIVED_JOBS_H
#define VDRIVED_JOBS_H

#include <pthread.h>
#include <stdbool.h>

#include "util/error.h"

struct vd_job {
	void (*run)(struct vd_job *j);	/* in a thread */
	void (*done)(struct vd_job *j); /* in vd_jobs_collect() */
	struct vd_job *next;
};

struct vd_jobs {
	int fd; /* readable when some are done */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct vd_job *first, **last; /* to do */
	struct vd_job *finished;
};

/* Starts @threads threads, which end with the process. */
int vd_jobs_start(struct vd_jobs *p, int threads, struct vd_error *err);
/* @j stays the caller's, and is his again in done(). */
void vd_jobs_add(struct vd_jobs *p, struct vd_job *j);
/* Calls done() of each that has run. */
void vd_jobs_collect(struct vd_jobs *p);

/* This thread's effective capabilities: none, or again all that are permitted. For what the kernel or a file may grant to root only. */
int vd_jobs_capabilities(bool on);

#endif
