// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A guest is what the other tests take it for. VDRIVE_VM_SERIES, when set, is the kernel that was asked for; without it
 * (outside of a guest) nothing is tested.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "check.h"
#include "util/cleanup.h"

static const char *series;

static void setup(void)
{
	series = getenv("VDRIVE_VM_SERIES");
	if (!series)
		CHECK_SKIP("not in a guest");
}

/* 6.1 is not 6.12. */
static void test_kernel(void)
{
	const char *number;
	struct utsname u;

	ASSERT_OK(uname(&u));
	number = check_printf("%.*s.", (int)strcspn(series, "-"), series);
	CHECK_HAS(u.release, number);
	CHECK_INT(strncmp(u.release, number, strlen(number)), 0);
	CHECK_INT(strstr(u.release, "-debug") != NULL, strstr(series, "-debug") != NULL);
	CHECK_STR(u.machine, "x86_64");
	CHECK_INT(sysconf(_SC_NPROCESSORS_ONLN), 2);
	CHECK_INT(geteuid(), 0);
}

static void test_memory(void)
{
	const char *text = check_read_file("/proc/meminfo", NULL);
	long long total = 0;

	ASSERT_INT(sscanf(text, "MemTotal: %lld kB", &total), 1);
	CHECK(total > 700 * 1024 && total < 1024 * 1024);
}

/* Loaded or built in: /sys/module knows only those of the latter that have parameters. */
static void test_modules(void)
{
	static const char *const names[] = { "fuse", "loop", "zram", "ext4", "xfs" };
	const char *release = check_read_file("/proc/sys/kernel/osrelease", NULL);
	const char *builtin = check_read_file(check_printf("/lib/modules/%.*s/modules.builtin",
							   (int)strcspn(release, "\n"), release),
					      NULL);

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++)
		if (access(check_printf("/sys/module/%s", names[i]), F_OK) < 0)
			CHECK_HAS(builtin, check_printf("/%s.ko", names[i]));
	const char *filesystems = check_read_file("/proc/filesystems", NULL);

	CHECK_HAS(filesystems, "\tfuse\n");
	CHECK_HAS(filesystems, "\text4\n");
	CHECK_HAS(filesystems, "\txfs\n");
}

/* Anybody may open it, as with udev; a FUSE file system needs a mount besides. */
static void test_fuse(void)
{
	const char *argv[] = { "cat", "/dev/fuse", NULL };
	struct check_cmd c = { .argv = argv, .as_user = true, .uid = 65534, .gid = 65534 };
	struct stat st;
	struct statfs fs;

	ASSERT_OK(stat("/dev/fuse", &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_INT(st.st_mode & 0777, 0666);
	/* Opened: only reading needs the mount. */
	check_run(&c);
	CHECK_HAS(c.err, "Operation not permitted");
	ASSERT_OK(stat("/usr/bin/fusermount3", &st));
	CHECK_INT(st.st_mode & 07777, 04755);
	CHECK_INT(st.st_uid, 0);
	ASSERT_OK(statfs("/sys/fs/fuse/connections", &fs));
	CHECK_UINT(fs.f_type, 0x65735543);
}

static void test_cgroup(void)
{
	const char *group = "/sys/fs/cgroup/check";
	struct statfs fs;

	ASSERT_OK(statfs("/sys/fs/cgroup", &fs));
	CHECK_UINT(fs.f_type, CGROUP2_SUPER_MAGIC);
	CHECK_HAS(check_read_file("/sys/fs/cgroup/cgroup.controllers", NULL), "memory");
	ASSERT_OK(mkdir(group, 0755));
	CHECK_OK(access(check_printf("%s/memory.max", group), W_OK));
	CHECK_OK(access(check_printf("%s/memory.swap.max", group), W_OK));
	CHECK_OK(rmdir(group));
}

/* A file system on a loop device, and memory as a swap: what scratch disks and swap are made of. */
static void test_devices(void)
{
	struct check_cmd *c = check_sh(
		"set -e; cd '%s'; truncate -s 16M disk; mkfs.ext4 -q disk; mkdir mnt; mount -o loop disk mnt; "
		"echo there >mnt/file; umount mnt; mount -o loop disk mnt; cat mnt/file; umount mnt; "
		"fsck.ext4 -fn disk >/dev/null 2>&1",
		check_tmpdir());

	CHECK_INT(c->status, 0);
	CHECK_STR(c->err, "");
	CHECK_STR(c->out, "there\n");
	c = check_sh("set -e; echo 32M >/sys/block/zram0/disksize; mkswap /dev/zram0 >/dev/null; "
		     "swapon /dev/zram0; grep -c zram0 /proc/swaps; swapoff /dev/zram0; "
		     "echo 1 >/sys/block/zram0/reset");
	CHECK_INT(c->status, 0);
	CHECK_STR(c->err, "");
	CHECK_STR(c->out, "1\n");
}

static const struct check_test tests[] = {
	{ "kernel", test_kernel }, { "memory", test_memory }, { "modules", test_modules },
	{ "fuse", test_fuse },	   { "cgroup", test_cgroup }, { "devices", test_devices },
};

CHECK_MAIN_WITH(tests, setup, NULL)
