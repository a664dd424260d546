/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a process needs that memory reclaim depends on: it must never itself wait for reclaim. A daemon inside the
 * limited cgroup whose pages go to its own swap deadlocks, so does one that is paged out, or killed for its size.
 */
#ifndef VDRIVED_SAFETY_H
#define VDRIVED_SAFETY_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/*
 * For the keeper, before it starts a reader, which inherits it all: into a memory cgroup of its own without limit,
 * PR_SET_IO_FLUSHER, oom_score_adj -1000, locked memory. What the system refuses is an error when swap would not be safe without it,
 * unless @force; then, and for the rest, it is added to @warnings, a sentence each.
 */
int vd_safety_enter(const char *name, bool force, char *warnings, size_t size,
		    struct vd_error *err);
/* For the reader, before the cage: no memory of it is ever paged out, none is given back, and threads have small stacks. */
int vd_safety_lock_reader(struct vd_error *err);

#endif
