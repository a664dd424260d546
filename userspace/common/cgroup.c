// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/common/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/common/device.h"
#include "userspace/common/drive.h"

void vd_cgroup_warn(char *warnings, size_t size, const char *text)
{
	size_t n = strlen(warnings);

	snprintf(warnings + n, size - n, "%s%s", n ? "; " : "", text);
}

/* Where memory is accounted. */
struct memory_cgroup {
	const char *base;  /* NULL: nowhere */
	const char *limit; /* the file with the limit */
};

static struct memory_cgroup find_cgroup(void)
{
	struct vd_mount m;

	if (!vd_mount_find("/sys/fs/cgroup/memory", &m) && !strcmp(m.fstype, "cgroup"))
		return (struct memory_cgroup){ "/sys/fs/cgroup/memory", "memory.limit_in_bytes" };
	if (!vd_mount_find("/sys/fs/cgroup", &m) && !strcmp(m.fstype, "cgroup2"))
		return (struct memory_cgroup){ "/sys/fs/cgroup", "memory.max" };
	return (struct memory_cgroup){ NULL, NULL };
}

static void cgroup_dir(const struct memory_cgroup *c, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/vdrive-%s", c->base, name);
}

static int move_self(const char *dir)
{
	char path[288], pid[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return vd_sys_write(path, pid);
}

/*
 * Is the visible root limited? It is one only inside a cgroup namespace, and what is above that cannot be seen.
 * The root of all has no such file, or a limit beyond any memory.
 */
static bool root_is_limited(const struct memory_cgroup *c)
{
	char path[288], text[64];

	snprintf(path, sizeof(path), "%s/%s", c->base, c->limit);
	if (vd_sys_read(path, text, sizeof(text)) || !strcmp(text, "max"))
		return false;
	return strtoull(text, NULL, 10) < 1ull << 60;
}

int vd_cgroup_enter(const char *name, bool force, char *warnings, size_t size, struct vd_error *err)
{
	struct memory_cgroup c = find_cgroup();
	char dir[256];
	int r;

	if (!c.base)
		return 0;
	cgroup_dir(&c, name, dir, sizeof(dir));
	r = mkdir(dir, 0755) && errno != EEXIST ? -errno : move_self(dir);
	if (r && !force)
		return vd_error_errno(
			err, r,
			"cannot leave this memory cgroup for %s, and under its limit swap would deadlock (--force: take the risk)",
			dir);
	if (r)
		vd_cgroup_warn(
			warnings, size,
			"the daemon stays in its memory cgroup: under a limit swap may deadlock");
	if (root_is_limited(&c)) {
		if (!force)
			return vd_error_set(
				err, -EPERM,
				"memory is limited for all that can be seen from here (%s/%s), so swap may deadlock (--force: take the risk)",
				c.base, c.limit);
		vd_cgroup_warn(warnings, size, "memory is limited from outside: swap may deadlock");
	}
	return 0;
}

void vd_cgroup_reap(const char *name)
{
	struct memory_cgroup c = find_cgroup();
	char dir[256];

	if (!c.base)
		return;
	cgroup_dir(&c, name, dir, sizeof(dir));
	rmdir(dir);
}

void vd_cgroup_leave(const char *name)
{
	struct memory_cgroup c = find_cgroup();

	if (c.base && !move_self(c.base))
		vd_cgroup_reap(name);
}
