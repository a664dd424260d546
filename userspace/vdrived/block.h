/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A drive as a block device, and what is on it: a scratch file system, swap, or what a disk has. Each of these may wait long, in
 * the kernel, for the drive's own reader: the keeper runs them in a child and watches meanwhile.
 */
#ifndef VDRIVED_BLOCK_H
#define VDRIVED_BLOCK_H

#include "userspace/common/drive.h"

/*
 * Makes the device: a loop device over @dir/disk (engine "fuse") or one that the kernel keeps (engine.h). Its name goes to @device
 * (32 bytes), and to *@fd a descriptor that the keeper holds as long as it wants the device, or -1 where none is needed.
 */
int vd_block_attach(const struct vd_drive_state *s, const char *dir, char *device, int *fd,
		    struct vd_error *err);
/* Makes and mounts the file system, or mounts that of a disk, or swaps on. */
int vd_block_use(const struct vd_drive_state *s, struct vd_error *err);
/* Undoes that. -EBUSY, -ENOMEM; @lazy as of umount(8), for file systems. */
int vd_block_unuse(const struct vd_drive_state *s, bool lazy, struct vd_error *err);
/*
 * Undoes vd_block_attach(), once its descriptor is closed. -EBUSY when somebody uses the device: a loop device would go with that user, so
 * *@fd keeps it then as before; one that the kernel keeps stays in any case. Else *@fd is -1.
 * @patience_ms: how long the latter may be held by others, such as udev.
 */
int vd_block_detach(const struct vd_drive_state *s, const char *dir, int patience_ms, int *fd,
		    struct vd_error *err);

#endif
