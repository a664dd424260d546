// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "userspace/common/device.h"
#include "userspace/common/engine.h"

static int disk_file(const char *dir, char *file, struct vd_error *err)
{
	if (snprintf(file, PATH_MAX, "%s/disk", dir) >= PATH_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%s", dir);
	return 0;
}

int vd_block_attach(const struct vd_drive_state *s, const char *dir, char *device, int *fd,
		    struct vd_error *err)
{
	const bool disk = s->type == VD_DRIVE_DISK;
	/* Direct: pages that are cached above and kept below need no third copy. Partition tables count in blocks. */
	const struct vd_loop_options options = {
		.read_only = s->read_only,
		.direct = true,
		.partitions = disk,
		.block = disk ? 512 : 4096,
	};
	char file[PATH_MAX];
	int r;

	*fd = -1;
	if (vd_engine_in_kernel(s->engine))
		return vd_engine_add(s, device, err);
	r = disk_file(dir, file, err);
	if (r)
		return r;
	*fd = vd_loop_attach(file, &options, device, err);
	return *fd < 0 ? *fd : 0;
}

int vd_block_use(const struct vd_drive_state *s, struct vd_error *err)
{
	if (s->type == VD_DRIVE_SWAP)
		return vd_swap_on(s->device, s->priority, err);
	if (s->type == VD_DRIVE_DISK && s->mountpoint[0])
		return vd_disk_mount(s->device, (unsigned int)s->partition, s->read_only,
				     s->mountpoint, err);
	return s->mountpoint[0] ? vd_scratch_mount(s->device, s->fs, s->mountpoint, err) : 0;
}

int vd_block_unuse(const struct vd_drive_state *s, bool lazy, struct vd_error *err)
{
	if (s->type == VD_DRIVE_SWAP)
		return vd_swap_off(s->device, err);
	return s->mountpoint[0] ? vd_disk_unmount(s->device, s->mountpoint, lazy, err) : 0;
}

int vd_block_detach(const struct vd_drive_state *s, const char *dir, int patience_ms, int *fd,
		    struct vd_error *err)
{
	char file[PATH_MAX];
	int r;

	*fd = -1;
	if (vd_engine_in_kernel(s->engine))
		return vd_engine_remove(s, patience_ms, err);
	r = disk_file(dir, file, err);
	if (!r)
		r = vd_loop_detach(s->device, file, err);
	if (r == -EBUSY)
		*fd = open(s->device, O_RDONLY | O_CLOEXEC);
	return r;
}
