/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A process that has more memory than its cgroup allows, so that most of it is swapped out: bounded, since only its
 * own cgroup is short of memory, never the machine. For cgroup v1 and v2; needs root.
 */
#ifndef VD_TESTS_HOG_H
#define VD_TESTS_HOG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct hog {
	char cgroup[256];
	pid_t pid;
	int ask, answer; /* pipes */
};

/*
 * A memory cgroup with a limit (v2: it may grow to half as much again for a moment): -ENOENT when memory is not accounted here. @dir holds 256 bytes. Removed by
 * hog_cgroup_remove(), -EBUSY while somebody is in it after some seconds.
 */
int hog_cgroup_make(const char *name, uint64_t limit, char *dir);
int hog_cgroup_limit(const char *dir, uint64_t limit);
int hog_cgroup_remove(const char *dir);
/* The calling process goes into it. */
int hog_cgroup_enter(const char *dir);

/*
 * Starts one that fills @bytes with the contents of this system's files, no two pages alike, in a cgroup of @limit bytes.
 * Returns when it is full and has no more than that in memory: 0, -ETIMEDOUT (each of both has so much time), or -ECHILD when it
 * died. In each case hog_end() is due.
 */
int hog_start(struct hog *h, size_t bytes, uint64_t limit, int timeout_s);
/*
 * Has it read all of its memory. 0: all is as it was; -EBADMSG: it is not; -EIO: it was ended by SIGBUS, for a page that
 * could not be read; -ENOMEM: killed; -ETIMEDOUT: it hangs.
 */
int hog_check(struct hog *h, int timeout_s);
/* Kills it and removes its cgroup. -ETIMEDOUT when it cannot die. */
int hog_end(struct hog *h);

#endif
