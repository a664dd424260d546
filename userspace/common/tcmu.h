/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A SCSI device whose commands a process answers: the kernel's own target_core_user and tcm_loop (Documentation/target/tcmu-design.rst). A
 * drive NAME is two things in configfs, made and removed here:
 *
 *     core/user_N/NAME                     where commands go: /dev/uioM, see tcmu_ring.h
 *     loopback/naa.XX/tpgt_1/lun/lun_0     where they come from: a SCSI host with that device, /dev/srK
 *
 * Its naa name is made from NAME, so that it is the same each time. All of it needs root. On the way down, what is gone already is no failure.
 */
#ifndef VD_COMMON_TCMU_H
#define VD_COMMON_TCMU_H

#include "userspace/common/drive.h"

#define VD_TCMU_UIO_MAX 32

struct vd_tcmu {
	char name[VD_DRIVE_NAME_MAX + 1];
	int hba;		   /* the N of user_N */
	char uio[VD_TCMU_UIO_MAX]; /* "/dev/uio0" */
};

/* Loads the modules and mounts configfs, where they are not there. -ENODEV with words that say what this kernel has not. */
int vd_tcmu_load(struct vd_error *err);

/* Makes core/user_N/NAME. @seconds: how long a command may take before the kernel gives it up. -EEXIST when there is one of that name. */
int vd_tcmu_create(const char *name, int seconds, struct vd_tcmu *out, struct vd_error *err);
/* The one that is there, or -ENOENT. */
int vd_tcmu_find(const char *name, struct vd_tcmu *out, struct vd_error *err);

/*
 * Shows it to the kernel as a SCSI device; meanwhile commands come, which somebody must answer. *@device holds 32 bytes, and waits for
 * its driver: -ENODEV when no /dev/srN appears. Where it is shown already it only says as what.
 */
int vd_tcmu_plug(const struct vd_tcmu *t, char *device, struct vd_error *err);
/* Takes the SCSI device away, whoever uses it; commands may come meanwhile. */
int vd_tcmu_unplug(const char *name, struct vd_error *err);
/* Removes core/user_N/NAME. Nobody may have its ring open. */
int vd_tcmu_destroy(const char *name, struct vd_error *err);
/* All that a dead keeper has left of a drive: answers what still waits with "no medium", then both of the above. */
int vd_tcmu_reap(const char *name, struct vd_error *err);

#endif
