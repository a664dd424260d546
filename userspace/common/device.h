/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Block devices and swap areas that a drive owns besides its FUSE mount: set up by the keeper, taken down by it or, when
 * it died, by whoever finds the remains. All of it needs root. Everything is idempotent on the way down: what is gone
 * already is no failure.
 */
#ifndef VD_COMMON_DEVICE_H
#define VD_COMMON_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define VD_DEVICE_MAX 32 /* "/dev/loop1048575" */

struct vd_loop_options {
	bool read_only;
	bool direct;	    /* it keeps no cache of its own */
	bool partitions;    /* those in it become devices too: /dev/loop0p1 */
	unsigned int block; /* bytes, 512 or 4096 */
};

/*
 * Shows @file as a loop device. *@device holds VD_DEVICE_MAX.
 * Returns a descriptor that keeps the device: when the last one is closed and nothing is mounted, it goes by itself.
 */
int vd_loop_attach(const char *file, const struct vd_loop_options *o, char *device,
		   struct vd_error *err);
/*
 * Mounts what is on a disk: its file system or, where it has partitions, that of the only one that has one. @partition 0: as said; else
 * of that one. -ENODATA: there is none to mount, -ENOTUNIQ: there are several; with words that name them.
 */
int vd_disk_mount(const char *device, unsigned int partition, bool read_only, const char *dir,
		  struct vd_error *err);

/* Only if it shows @file still. Waits for its end for a bounded time: -EBUSY. */
int vd_loop_detach(const char *device, const char *file, struct vd_error *err);

/* Runs mkswap, and swapon with discard. @priority -1: the kernel's choice. */
int vd_swap_on(const char *device, int priority, struct vd_error *err);
/* -ENOMEM when what is swapped out fits nowhere else. May take long. */
int vd_swap_off(const char *device, struct vd_error *err);
bool vd_swap_active(const char *device);

/* Runs mkfs.@fs and mounts with discard on @dir. */
int vd_scratch_mount(const char *device, const char *fs, const char *dir, struct vd_error *err);
/* Only what is mounted on @dir from @device. -EBUSY when in use and not @lazy. */
int vd_disk_unmount(const char *device, const char *dir, bool lazy, struct vd_error *err);

/*
 * Tells udev which drive a device belongs to, by a file in @rundir and a change event, so that udev/60-vdrive.rules can make /dev/vdrive/@name.
 * Without udev nobody reads it.
 */
int vd_udev_tell(const char *rundir, const char *name, const char *type, const char *device,
		 struct vd_error *err);
void vd_udev_forget(const char *rundir, const char *device);

/*
 * Runs a program from /sbin, /usr/sbin, /bin or /usr/bin with stdin and stdout at /dev/null. 0, or with words: -ENOPKG when it is not
 * installed, -EIO with the last line that it wrote to stderr.
 */
int vd_run(const char *const argv[], struct vd_error *err);

/* One line of a sysfs or proc file, without its newline. 0 or -errno. */
int vd_sys_read(const char *path, char *buf, size_t size);
/* Writes it at once. */
int vd_sys_write(const char *path, const char *text);

/* vm.* settings that suit compressed swap (`vdrive swap on --tune`). */
struct vd_tunable {
	const char *name; /* "page-cluster" */
	const char *value;
	const char *why;
};
extern const struct vd_tunable vd_tunables[];
extern const size_t vd_ntunables;
/* Sets them, after the old values were saved in @rundir; a second time changes nothing that was saved. */
int vd_tune_apply(const char *rundir, struct vd_error *err);
/* Puts back what was saved, but for what somebody else has changed meanwhile. */
int vd_tune_restore(const char *rundir, struct vd_error *err);

#endif
