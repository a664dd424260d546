// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/safety.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "userspace/common/cgroup.h"
#include "userspace/common/device.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* Grown once, so that no answer ever has to ask the kernel for memory. */
#define HEAP_RESERVE (8u << 20)
#define STACK_SIZE (256u << 10)

int vd_safety_enter(const char *name, bool force, char *warnings, size_t size, struct vd_error *err)
{
	int r = vd_cgroup_enter(name, force, warnings, size, err);

	if (r)
		return r;
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0)) {
		if (!force)
			return vd_error_errno(
				err, -errno,
				"PR_SET_IO_FLUSHER is refused, and without it swap may deadlock (--force: take the risk)");
		vd_cgroup_warn(warnings, size, "PR_SET_IO_FLUSHER is refused: swap may deadlock");
	}
	if (vd_sys_write("/proc/self/oom_score_adj", "-1000"))
		vd_cgroup_warn(
			warnings, size,
			"oom_score_adj is refused: the daemon may be killed when memory runs out");
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		if (!force)
			return vd_error_errno(err, -errno, "cannot lock memory");
		vd_cgroup_warn(warnings, size, "the keeper is not locked in memory");
	}
	return 0;
}

int vd_safety_lock_reader(struct vd_error *err)
{
	pthread_attr_t attr;
	void *p;

	/* One heap that only grows; large requests come from it too. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_TOP_PAD, HEAP_RESERVE);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return vd_error_errno(err, -errno, "cannot lock the reader's memory");
	p = malloc(HEAP_RESERVE);
	if (!p)
		return vd_error_errno(err, -ENOMEM, "cannot reserve memory");
	*(volatile char *)p = 0; /* or the compiler sees through it */
	free(p);
	return 0;
}
