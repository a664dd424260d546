/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Turns a FUSE connection that hangs into one that fails. Whoever swaps to a drive waits for its reader inside the kernel, where
 * no signal reaches him; only an abort of the connection, through fusectl, lets him go on, with an I/O error.
 *
 * It runs in the keeper, which holds no /dev/fuse, is locked in memory and takes no part in serving. The reader counts
 * the requests that it has answered in a page that both share.
 */
#ifndef VDRIVED_WATCHDOG_H
#define VDRIVED_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

struct vd_watchdog {
	int conn_fd,
		abort_fd; /* the connection in fusectl; opened at the start: later is too late */
	const atomic_ullong *answered;
	unsigned long long last;
	int64_t since; /* ms: when `last` was seen first while requests waited; 0: not so now */
	int limit_ms;
};

/*
 * @minor: the connection's number (struct vd_mount). @answered: shared with the reader. -EACCES or -ENOENT with words
 * when the connection cannot be aborted: then nothing should depend on this drive.
 */
int vd_watchdog_open(struct vd_watchdog *w, unsigned minor, const atomic_ullong *answered,
		     int limit_ms, struct vd_error *err);
/* To be called once a second or more often; no memory is allocated. True when it has just aborted the connection. */
bool vd_watchdog_tick(struct vd_watchdog *w, int64_t now_ms);
void vd_watchdog_close(struct vd_watchdog *w);

#endif
