/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Block devices in compressed memory whose bytes the kernel keeps: its own zram, and memdrive, our module. Both are made and removed
 * through a class (hot_add, hot_remove) and set up through attributes in /sys/block, memdrive's being a superset of zram's. All of it needs
 * root. On the way down, what is gone already is no failure.
 */
#ifndef VD_COMMON_ENGINE_H
#define VD_COMMON_ENGINE_H

#include <stdbool.h>

#include "userspace/common/drive.h"

/* Is it one of these ("zram", "memdrive")? Then the attributes of its drives are in sysfs, and no process of ours is needed for them. */
bool vd_engine_in_kernel(const char *engine);

/* Can devices be made now, without loading anything? */
bool vd_engine_loaded(const char *engine);

/*
 * Loads its module unless it is there. -ENODEV when this kernel has none; -EKEYREJECTED when the kernel does not trust who signed it
 * (Secure Boot), -EPERM when no module may be loaded; with words that say what to do.
 */
int vd_engine_load(const char *engine, struct vd_error *err);

/* What a refusal means: @said is what modprobe printed. As vd_engine_load(). */
int vd_engine_explain(const char *engine, const char *said, struct vd_error *err);

/* A new device for the drive @s, by its engine, size, mem_limit, store (zram's algorithm), type and backing. *@device holds 32 bytes. */
int vd_engine_add(const struct vd_drive_state *s, char *device, struct vd_error *err);

/* Is the device of @s still there, and its own? A name alone may by now be that of somebody else's. */
bool vd_engine_has(const struct vd_drive_state *s);

/*
 * Takes back what is in it and removes it, and then its backing file. Tries again for so long while somebody, such as udev, has the
 * device open: -EBUSY.
 */
int vd_engine_remove(const struct vd_drive_state *s, int patience_ms, struct vd_error *err);

/* The backing file alone, if it is one that was made for the drive. While it is in use the kernel lets nobody remove it. */
int vd_engine_remove_backing(const struct vd_drive_state *s, struct vd_error *err);

#endif
