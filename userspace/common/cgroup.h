/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A memory cgroup of its own, without limit, for a daemon that serves swap (v1 and v2). Under a limit its own allocations would
 * wait for reclaim, which waits for the daemon.
 */
#ifndef VD_COMMON_CGROUP_H
#define VD_COMMON_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/*
 * Moves this process, before it has threads or children, into the cgroup vdrive-@name at the visible root. -EPERM and others with
 * words when that cannot be done or a limit lies above all that is visible; with @force these are sentences added to @warnings.
 * A system without memory cgroups is fine.
 */
int vd_cgroup_enter(const char *name, bool force, char *warnings, size_t size,
		    struct vd_error *err);
/* Back to the root; the cgroup is removed. */
void vd_cgroup_leave(const char *name);
/* Removes the cgroup that a dead keeper left. */
void vd_cgroup_reap(const char *name);

/* Adds a sentence to @warnings. */
void vd_cgroup_warn(char *warnings, size_t size, const char *text);

#endif
