/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VDRIVED_FUSE_LOOP_H
#define VDRIVED_FUSE_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "util/error.h"

struct fuse_session;

/*
 * Serves @se until its file system is unmounted, in this thread and in up to @threads - 1 others (0: as many as
 * there are CPUs), which have ended when it returns. @ready: all threads and their buffers are made before the first request, so that none is
 * made on account of one. 0, or -errno.
 */
int vd_fuse_loop(struct fuse_session *se, unsigned threads, bool ready);

/* When set, every answered request is counted here (the keeper's watchdog looks at it). */
extern atomic_ullong *vd_fuse_loop_answered;

/*
 * A handler says that it is about to wait (for a disk): somebody else takes the next request meanwhile.
 * Does nothing outside of a handler.
 */
void vd_fuse_loop_will_wait(void);

#endif
