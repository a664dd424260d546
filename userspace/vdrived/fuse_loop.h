/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VDRIVED_FUSE_LOOP_H
#define VDRIVED_FUSE_LOOP_H

#include "util/error.h"

struct fuse_session;

/*
 * Serves @se until its file system is unmounted, in this thread and in up to @threads - 1 others, which have
 * ended when it returns. 0, or -errno.
 */
int vd_fuse_loop(struct fuse_session *se, unsigned threads);

/*
 * A handler says that it is about to wait (for a disk): somebody else takes the next request meanwhile.
 * Does nothing outside of a handler.
 */
void vd_fuse_loop_will_wait(void);

#endif
