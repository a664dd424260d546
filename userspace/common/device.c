// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/common/device.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "userspace/common/drive.h"
#include "util/cleanup.h"

/* How long to wait for others to let go of a device, in steps of 20 ms. */
#define RELEASE_TRIES 250

static void short_sleep(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

int vd_sys_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int vd_sys_write(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int vd_run(const char *const argv[], struct vd_error *err)
{
	static char *const env[] = { (char *)"PATH=/sbin:/usr/sbin:/bin:/usr/bin",
				     (char *)"LC_ALL=C", NULL };
	_cleanup_close_ int out = -1;
	char said[1024];
	char *last;
	size_t n = 0;
	int p[2], status;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return vd_error_errno(err, -errno, "%s", argv[0]);
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(p[0]);
		close(p[1]);
		return vd_error_errno(err, r, "%s", argv[0]);
	}
	if (!pid) {
		int null = open("/dev/null", O_RDWR);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		if (null >= 0) {
			dup2(null, 0);
			dup2(null, 1);
		}
		dup2(p[1], 2);
		environ = (char **)env;
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(p[1]);
	out = p[0];
	for (;;) {
		ssize_t got = read(out, said + n, sizeof(said) - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n == sizeof(said) - 1) { /* the end is what matters */
			memmove(said, said + 512, n - 512);
			n -= 512;
		}
	}
	said[n] = '\0';
	while (n && said[n - 1] == '\n')
		said[--n] = '\0';
	last = strrchr(said, '\n');
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return vd_error_errno(err, -errno, "%s", argv[0]);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return vd_error_set(err, -ENOPKG, "%s is not installed", argv[0]);
	if (WIFSIGNALED(status))
		return vd_error_set(err, -EIO, "%s was killed by signal %d", argv[0],
				    WTERMSIG(status));
	return vd_error_set(err, -EIO, "%s failed: %s", argv[0], last ? last + 1 : said);
}

/* Loop devices. */

static int loop_configure(int control, int file, const struct vd_loop_options *o, char *device,
			  struct vd_error *err)
{
	struct loop_config config = { .fd = (uint32_t)file, .block_size = o->block };

	/* Autoclear: should we die, the last one who uses it takes it along. */
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (o->read_only ? LO_FLAGS_READ_ONLY : 0) |
			       (o->direct ? LO_FLAGS_DIRECT_IO : 0) |
			       (o->partitions ? LO_FLAGS_PARTSCAN : 0);
	/* Between the answer and the configuration somebody else may take the device. */
	for (int tries = 0; tries < RELEASE_TRIES; tries++) {
		_cleanup_close_ int fd = -1;
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		if (n < 0)
			return vd_error_errno(err, -errno, "no loop device is free");
		snprintf(device, VD_DEVICE_MAX, "/dev/loop%d", n);
		fd = open(device, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT &&
		    errno != EBUSY) /* udev makes the node in a moment */
			return vd_error_errno(err, -errno, "cannot open %s", device);
		if (fd >= 0 && !ioctl(fd, LOOP_CONFIGURE, &config))
			return VD_TAKE_FD(fd);
		if (fd >= 0 && errno != EBUSY)
			return vd_error_errno(err, -errno, "cannot set up %s", device);
		short_sleep();
	}
	return vd_error_errno(err, -EBUSY, "no loop device is free");
}

int vd_loop_attach(const char *file, const struct vd_loop_options *o, char *device,
		   struct vd_error *err)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (control < 0 && errno == ENOENT &&
	    !vd_run((const char *[]){ "modprobe", "loop", NULL }, NULL))
		control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return vd_error_errno(err, -errno, "no loop devices here: /dev/loop-control");
	fd = open(file,
		  (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | (o->direct ? O_DIRECT : 0));
	if (fd < 0)
		return vd_error_errno(err, -errno, "cannot open %s", file);
	return loop_configure(control, fd, o, device, err);
}

/* Does the loop device show this file? */
static bool loop_shows(const char *device, const char *file)
{
	char path[64], backing[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", device + strlen("/dev/"));
	return !vd_sys_read(path, backing, sizeof(backing)) && !strcmp(backing, file);
}

int vd_loop_detach(const char *device, const char *file, struct vd_error *err)
{
	if (strncmp(device, "/dev/loop", 9) || !loop_shows(device, file))
		return 0;
	for (int tries = 0; tries < RELEASE_TRIES; tries++) {
		_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno != ENXIO)
			return vd_error_errno(err, -errno, "cannot open %s", device);
		if (fd >= 0 && ioctl(fd, LOOP_CLR_FD, 0) && errno != ENXIO && errno != EBUSY)
			return vd_error_errno(err, -errno, "cannot detach %s", device);
		/* With other users it only goes when they do. */
		close(VD_TAKE_FD(fd));
		if (!loop_shows(device, file))
			return 0;
		short_sleep();
	}
	return vd_error_set(err, -EBUSY, "%s is in use", device);
}

/* Swap. */

int vd_swap_on(const char *device, int priority, struct vd_error *err)
{
	int flags = SWAP_FLAG_DISCARD;
	int r = vd_run((const char *[]){ "mkswap", device, NULL }, err);

	if (r)
		return r;
	if (priority >= 0)
		flags |= SWAP_FLAG_PREFER | (priority & SWAP_FLAG_PRIO_MASK);
	return swapon(device, flags) ? vd_error_errno(err, -errno, "cannot swap on %s", device) : 0;
}

bool vd_swap_active(const char *device)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/swaps", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0, n = strlen(device);

	while (f && getline(&line, &room, f) > 0)
		if (!strncmp(line, device, n) && (line[n] == ' ' || line[n] == '\t'))
			return true;
	return false;
}

int vd_swap_off(const char *device, struct vd_error *err)
{
	if (!vd_swap_active(device) || !swapoff(device) || errno == EINVAL)
		return 0;
	if (errno == ENOMEM)
		return vd_error_set(
			err, -ENOMEM,
			"%s: what is swapped out fits neither in memory nor in another swap",
			device);
	return vd_error_errno(err, -errno, "cannot stop swapping on %s", device);
}

/* What is on a disk. */

/* Is there a file system on it? Its type goes to @type. 1, 0, -errno. */
static int probe(const char *device, char *type, size_t size)
{
	blkid_probe p = blkid_new_probe_from_filename(device);
	const char *usage = NULL, *name = NULL;
	int r;

	if (!p)
		return -errno;
	blkid_probe_enable_superblocks(p, 1);
	blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
	r = blkid_do_safeprobe(p);
	if (!r && (blkid_probe_lookup_value(p, "USAGE", &usage, NULL) ||
		   blkid_probe_lookup_value(p, "TYPE", &name, NULL) || strcmp(usage, "filesystem")))
		r = 1;
	if (!r)
		snprintf(type, size, "%s", name);
	blkid_free_probe(p);
	/* 1: nothing known; -2: several things at once. */
	return r == -1 ? -EIO : !r;
}

#define PARTITIONS_MAX 128

/* The partition that is to be mounted: its number; 0: the disk itself. */
static int find_file_system(const char *device, struct vd_error *err)
{
	char path[64], type[32], list[256] = "";
	int r = probe(device, type, sizeof(type)), found = 0, n = 0;

	if (r)
		return r < 0 ? vd_error_errno(err, r, "cannot read %s", device) : 0;
	for (int i = 1; i <= PARTITIONS_MAX; i++) {
		const size_t len = strlen(list);

		snprintf(path, sizeof(path), "%sp%d", device, i);
		if (access(path, F_OK))
			continue;
		r = probe(path, type, sizeof(type));
		if (r < 0)
			return vd_error_errno(err, r, "cannot read %s", path);
		if (!r)
			continue;
		n++;
		found = i;
		snprintf(list + len, sizeof(list) - len, "%s%d (%s)", len ? ", " : "", i, type);
	}
	if (!n)
		return vd_error_set(err, -ENODATA, "there is no file system on the disk to mount");
	if (n > 1)
		return vd_error_set(
			err, -ENOTUNIQ,
			"there are file systems on partitions %s: --partition says which", list);
	return found;
}

int vd_disk_mount(const char *device, unsigned int partition, bool read_only, const char *dir,
		  struct vd_error *err)
{
	int r = partition ? (int)partition : find_file_system(device, err);
	char path[64];

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), r ? "%sp%d" : "%s", device, r);
	if (partition && access(path, F_OK))
		return vd_error_set(err, -ENXIO, "the disk has no partition %u", partition);
	/* Its type is for mount(8) to find out; and nothing of a stranger's disk runs as root, or is a device. */
	return vd_run((const char *[]){ "mount", "-o",
					read_only ? "ro,nosuid,nodev" : "rw,nosuid,nodev", "--",
					path, dir, NULL },
		      err);
}

/* Scratch file systems. */

struct mkfs {
	const char *fs;
	const char *argv[10]; /* the device is put at the end */
	const char *options;  /* of mount */
};

/* Nothing on a scratch disk outlives it: no journal where there is a choice, and no zeros written to a disk of zeros. */
static const struct mkfs mkfs_table[] = {
	{ "ext4",
	  { "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E",
	    "nodiscard,assume_storage_prezeroed=1" },
	  "discard" },
	{ "ext2", { "mkfs.ext2", "-q", "-F", "-m", "0", "-E", "nodiscard" }, "discard" },
	{ "xfs", { "mkfs.xfs", "-q", "-f", "-K" }, "discard" },
	{ "btrfs", { "mkfs.btrfs", "-q", "-f", "-K", "-m", "single" }, "discard" },
	{ "f2fs", { "mkfs.f2fs", "-q", "-f" }, "discard" },
	{ "vfat", { "mkfs.vfat" }, "discard" },
};

int vd_scratch_mount(const char *device, const char *fs, const char *dir, struct vd_error *err)
{
	const char *argv[12];
	const struct mkfs *m = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < VD_ARRAY_SIZE(mkfs_table); i++)
		if (!strcmp(mkfs_table[i].fs, fs))
			m = &mkfs_table[i];
	if (!m)
		return vd_error_set(err, -EINVAL,
				    "no scratch disk with %s: one of ext4 ext2 xfs btrfs f2fs vfat",
				    fs);
	for (; m->argv[n]; n++)
		argv[n] = m->argv[n];
	argv[n++] = device;
	argv[n] = NULL;
	r = vd_run(argv, err);
	if (r)
		return r;
	if (mount(device, dir, fs, MS_NOATIME, m->options))
		return errno == ENODEV
			       ? vd_error_set(err, -ENODEV, "this kernel has no %s", fs)
			       : vd_error_errno(err, -errno, "cannot mount %s on %s", device, dir);
	return 0;
}

/* The device, or a partition of it? */
static bool is_on(const char *source, const char *device)
{
	const size_t n = strlen(device);

	return !strncmp(source, device, n) &&
	       (!source[n] || (source[n] == 'p' && source[n + 1] >= '0' && source[n + 1] <= '9'));
}

int vd_disk_unmount(const char *device, const char *dir, bool lazy, struct vd_error *err)
{
	struct vd_mount m;

	if (vd_mount_find(dir, &m) || !is_on(m.source, device))
		return 0;
	if (!umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)))
		return 0;
	if (errno == EBUSY)
		return vd_error_set(err, -EBUSY, "%s: target is busy", dir);
	return vd_error_errno(err, -errno, "cannot unmount %s", dir);
}

/* udev. */

static int udev_file(const char *rundir, const char *device, char *path, size_t size)
{
	return snprintf(path, size, "%s/.udev-%s", rundir, device + strlen("/dev/")) < (int)size
		       ? 0
		       : -ENAMETOOLONG;
}

static void announce(const char *device)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/block/%s/uevent", device + strlen("/dev/"));
	/* It may be gone already, and nobody may be there to hear of it. */
	(void)vd_sys_write(path, "change");
}

int vd_udev_tell(const char *rundir, const char *name, const char *type, const char *device,
		 struct vd_error *err)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[PATH_MAX];
	int r = udev_file(rundir, device, path, sizeof(path));

	if (r)
		return vd_error_errno(err, r, "%s", rundir);
	f = fopen(path, "we");
	if (!f || fprintf(f, "VDRIVE_NAME=%s\nVDRIVE_TYPE=%s\n", name, type) < 0 || fflush(f))
		return vd_error_errno(err, -errno, "%s", path);
	announce(device);
	return 0;
}

void vd_udev_forget(const char *rundir, const char *device)
{
	char path[PATH_MAX];

	if (!udev_file(rundir, device, path, sizeof(path)) && !unlink(path))
		announce(device);
}

/* Tuning. */

const struct vd_tunable vd_tunables[] = {
	{ "page-cluster", "0", "memory has no seek time: read only the page that is needed" },
	{ "swappiness", "180", "swapping costs less than reading files again" },
	{ "watermark_boost_factor", "0", "no bursts of reclaim against fragmentation" },
	{ "watermark_scale_factor", "125", "reclaim begins before memory is short" },
};
const size_t vd_ntunables = VD_ARRAY_SIZE(vd_tunables);

#define TUNE_FILE ".tune"

static int tune_file(const char *rundir, char *path, size_t size)
{
	return snprintf(path, size, "%s/" TUNE_FILE, rundir) < (int)size ? 0 : -ENAMETOOLONG;
}

static void tunable_path(const struct vd_tunable *t, char *path, size_t size)
{
	snprintf(path, size, "/proc/sys/vm/%s", t->name);
}

int vd_tune_apply(const char *rundir, struct vd_error *err)
{
	char saved[PATH_MAX], path[96], old[64];
	_cleanup_fclose_ FILE *f = NULL;
	int r = tune_file(rundir, saved, sizeof(saved));
	int fd;

	if (r)
		return vd_error_errno(err, r, "%s", rundir);
	fd = open(saved, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno != EEXIST)
		return vd_error_errno(err, -errno, "%s", saved);
	if (fd >= 0) {
		f = fdopen(fd, "w");
		if (!f) {
			close(fd);
			return vd_error_errno(err, -ENOMEM, "%s", saved);
		}
		for (size_t i = 0; i < vd_ntunables; i++) {
			tunable_path(&vd_tunables[i], path, sizeof(path));
			if (!vd_sys_read(path, old, sizeof(old)))
				fprintf(f, "%s %s\n", vd_tunables[i].name, old);
		}
		if (fflush(f)) {
			r = -errno;
			unlink(saved);
			return vd_error_errno(err, r, "%s", saved);
		}
	}
	for (size_t i = 0; i < vd_ntunables; i++) {
		tunable_path(&vd_tunables[i], path, sizeof(path));
		r = vd_sys_write(path, vd_tunables[i].value);
		if (r == -EINVAL && !strcmp(vd_tunables[i].name, "swappiness"))
			r = vd_sys_write(path, "100"); /* before Linux 5.8 */
		if (r && r != -ENOENT)
			return vd_error_errno(err, r, "cannot set vm.%s", vd_tunables[i].name);
	}
	return 0;
}

int vd_tune_restore(const char *rundir, struct vd_error *err)
{
	char saved[PATH_MAX], path[96], name[64], old[64], now[64];
	_cleanup_fclose_ FILE *f = NULL;
	int r = tune_file(rundir, saved, sizeof(saved)), failed = 0;

	if (r)
		return vd_error_errno(err, r, "%s", rundir);
	f = fopen(saved, "re");
	if (!f)
		return errno == ENOENT ? 0 : vd_error_errno(err, -errno, "%s", saved);
	while (fscanf(f, "%63s %63s", name, old) == 2)
		for (size_t i = 0; i < vd_ntunables; i++) {
			if (strcmp(vd_tunables[i].name, name))
				continue;
			tunable_path(&vd_tunables[i], path, sizeof(path));
			if (vd_sys_read(path, now, sizeof(now)) ||
			    strcmp(now, vd_tunables[i].value))
				continue; /* somebody else's choice since */
			r = vd_sys_write(path, old);
			if (r)
				failed = vd_error_errno(err, r, "cannot set vm.%s", name);
		}
	unlink(saved);
	return failed;
}
