// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/common/tcmu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "userspace/common/device.h"
#include "userspace/common/tcmu_ring.h"
#include "util/cleanup.h"

#define CONFIGFS "/sys/kernel/config"
#define TARGET CONFIGFS "/target"
#define HBA_MAX 1024
/* How long the kernel's drivers may take to find the device, and how long others may hold what is to go. */
#define APPEAR_MS 15000
#define RELEASE_MS 5000
/* Of a SCSI target: "naa." and a number of 16 digits, of which 3 says that we chose it (SPC-3, 7.6.3.6.5). */
#define WWN_MAX 24
/* Bytes of data that may be under way: several commands of 4 MiB. */
#define DATA_AREA_MIB 64

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static void path_of(char path[PATH_MAX], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void path_of(char path[PATH_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, PATH_MAX, fmt, ap);
	va_end(ap);
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		h = (h ^ *p) * 0x100000001b3;
	return h;
}

static void wwn_of(const char *name, char wwn[WWN_MAX])
{
	snprintf(wwn, WWN_MAX, "naa.3%015llx", (unsigned long long)(hash(name) >> 4));
}

static int make_dir(const char *path, struct vd_error *err)
{
	return mkdir(path, 0755) && errno != EEXIST ? vd_error_errno(err, -errno, "%s", path) : 0;
}

static int write_text(const char *path, const char *text, struct vd_error *err)
{
	int r = vd_sys_write(path, text);

	return r ? vd_error_errno(err, r, "%s: '%s'", path, text) : 0;
}

/* While somebody holds it, again and again for a bounded time. */
static int remove_dir(const char *path, struct vd_error *err)
{
	for (int ms = 0;; ms += 20) {
		if (!rmdir(path) || errno == ENOENT)
			return 0;
		if (errno != EBUSY || ms >= RELEASE_MS)
			return vd_error_errno(err, -errno, "cannot remove %s", path);
		pause_ms(20);
	}
}

/* Modules. */

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

int vd_tcmu_load(struct vd_error *err)
{
	static const struct {
		const char *module, *sign; /* which is there when it is loaded */
		bool needed;
	} modules[] = {
		{ "target_core_user", "/sys/module/target_core_user", true },
		{ "tcm_loop", "/sys/module/tcm_loop", true },
		{ "sr_mod", "/sys/bus/scsi/drivers/sr", true },
		/* /dev/sgN, for programs that want it. */
		{ "sg", "/sys/class/scsi_generic", false },
	};
	struct vd_error said;
	struct vd_mount m;

	if (geteuid())
		return vd_error_set(err, -EPERM, "only root can make an optical drive");
	for (size_t i = 0; i < VD_ARRAY_SIZE(modules); i++) {
		if (is_there(modules[i].sign))
			continue;
		said.text[0] = '\0';
		(void)vd_run((const char *[]){ "modprobe", modules[i].module, NULL }, &said);
		if (!is_there(modules[i].sign) && modules[i].needed)
			return vd_error_set(
				err, -ENODEV,
				"an optical drive needs the kernel module %s, which cannot be loaded%s%s",
				modules[i].module, said.text[0] ? ": " : "", said.text);
	}
	if (!is_there(TARGET) && vd_mount_find(CONFIGFS, &m) == -ENOENT &&
	    mount("configfs", CONFIGFS, "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return vd_error_errno(err, -errno, "cannot mount configfs on %s", CONFIGFS);
	if (!is_there(TARGET))
		return vd_error_set(err, -ENODEV, "%s: no such directory", TARGET);
	return 0;
}

/* The storage object. */

static void object_path(char path[PATH_MAX], int hba, const char *name, const char *file)
{
	path_of(path, TARGET "/core/user_%d/%s%s%s", hba, name, *file ? "/" : "", file);
}

/* Which /dev/uioN has that name? */
static int find_uio(struct vd_tcmu *t, struct vd_error *err)
{
	static const char folder[] = "/sys/class/uio";
	char wanted[2 * VD_DRIVE_NAME_MAX + 64], path[PATH_MAX], name[sizeof(wanted)];
	struct dirent *e;
	int r = -ENOENT;
	DIR *d;

	snprintf(wanted, sizeof(wanted), "tcm-user/%d/%s/vdrive/%s", t->hba, t->name, t->name);
	d = opendir(folder);
	if (!d)
		return vd_error_errno(err, -errno, "%s", folder);
	while (r && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		path_of(path, "%s/%s/name", folder, e->d_name);
		if (vd_sys_read(path, name, sizeof(name)) || strcmp(name, wanted))
			continue;
		r = snprintf(t->uio, sizeof(t->uio), "/dev/%s", e->d_name) < (int)sizeof(t->uio)
			    ? 0
			    : -ENAMETOOLONG;
	}
	closedir(d);
	return r ? vd_error_set(err, r, "%s has no device for drive %s", folder, t->name) : 0;
}

/* devtmpfs is quick, but not part of the call that makes the device. */
static int wait_node(const char *path, struct vd_error *err)
{
	for (int ms = 0; ms < APPEAR_MS; ms += 10) {
		if (is_there(path))
			return 0;
		pause_ms(10);
	}
	return vd_error_set(err, -ENODEV, "%s does not appear", path);
}

int vd_tcmu_create(const char *name, int seconds, struct vd_tcmu *out, struct vd_error *err)
{
	char path[PATH_MAX], text[256];
	int r, hba;

	if (!vd_tcmu_find(name, out, NULL))
		return vd_error_set(err, -EEXIST, "the kernel has a drive %s already", name);
	*out = (struct vd_tcmu){ .hba = -1 };
	snprintf(out->name, sizeof(out->name), "%s", name);
	for (hba = 0; hba < HBA_MAX; hba++) {
		path_of(path, TARGET "/core/user_%d", hba);
		if (!mkdir(path, 0755))
			break;
		if (errno != EEXIST)
			return vd_error_errno(err, -errno, "%s", path);
	}
	if (hba == HBA_MAX)
		return vd_error_set(err, -ENOSPC, "%s is full", TARGET);
	out->hba = hba;
	object_path(path, hba, name, "");
	r = make_dir(path, err);
	/* The size says nothing: the drive answers READ CAPACITY by itself. */
	snprintf(
		text, sizeof(text),
		"dev_config=vdrive/%s,dev_size=2048,hw_block_size=2048,max_data_area_mb=%d,nl_reply_supported=-1",
		name, DATA_AREA_MIB);
	object_path(path, hba, name, "control");
	if (!r)
		r = write_text(path, text, err);
	snprintf(text, sizeof(text), "%d", seconds);
	object_path(path, hba, name, "attrib/cmd_time_out");
	if (!r)
		r = write_text(path, text, err);
	/* One that waits for room in the ring waits no longer than it would in it. */
	object_path(path, hba, name, "attrib/qfull_time_out");
	if (!r)
		r = write_text(path, text, err);
	object_path(path, hba, name, "enable");
	if (!r)
		r = write_text(path, "1", err);
	if (!r)
		r = find_uio(out, err);
	if (!r)
		r = wait_node(out->uio, err);
	if (r)
		(void)vd_tcmu_destroy(name, NULL);
	return r;
}

/* The number of the HBA that has the drive's object, or -ENOENT. */
static int find_hba(const char *name)
{
	char path[PATH_MAX], text[VD_DRIVE_NAME_MAX + 16], wanted[VD_DRIVE_NAME_MAX + 16];
	int found = -ENOENT, hba;
	struct dirent *e;
	char end;
	DIR *d = opendir(TARGET "/core");

	if (!d)
		return -ENOENT;
	snprintf(wanted, sizeof(wanted), "vdrive/%s", name);
	while (found < 0 && (e = readdir(d))) {
		if (sscanf(e->d_name, "user_%d%c", &hba, &end) != 1)
			continue;
		object_path(path, hba, name, "attrib/dev_config");
		text[0] = '\0';
		if (!vd_sys_read(path, text, sizeof(text)) && !strcmp(text, wanted))
			found = hba;
		/* One that nobody came to configure, but for its name. */
		object_path(path, hba, name, "");
		if (found < 0 && is_there(path) && !text[0])
			found = hba;
	}
	closedir(d);
	return found;
}

int vd_tcmu_find(const char *name, struct vd_tcmu *out, struct vd_error *err)
{
	*out = (struct vd_tcmu){ .hba = find_hba(name) };
	if (out->hba < 0)
		return vd_error_set(err, -ENOENT, "the kernel has no drive %s", name);
	snprintf(out->name, sizeof(out->name), "%s", name);
	return find_uio(out, err);
}

int vd_tcmu_destroy(const char *name, struct vd_error *err)
{
	char path[PATH_MAX];
	int r, hba = find_hba(name);

	if (hba < 0)
		return 0;
	object_path(path, hba, name, "");
	r = remove_dir(path, err);
	path_of(path, TARGET "/core/user_%d", hba);
	return r ? r : remove_dir(path, err);
}

/* The SCSI device. */

/* "/sys/class/scsi_device/3:0:1:0/device", which may not be there. */
static int scsi_device(const char *tpg, char path[PATH_MAX])
{
	char file[PATH_MAX], text[64];
	unsigned int host, channel, id;
	int r;

	path_of(file, "%s/address", tpg);
	r = vd_sys_read(file, text, sizeof(text));
	if (r)
		return r;
	if (sscanf(text, "%u:%u:%u", &host, &channel, &id) != 3)
		return -EBADMSG;
	path_of(path, "/sys/class/scsi_device/%u:%u:%u:0/device", host, channel, id);
	return 0;
}

/* The driver's name for it, once it has one. */
static int find_sr(const char *scsi, char *device)
{
	char path[PATH_MAX];
	struct dirent *e;
	int r = -ENOENT;
	DIR *d;

	path_of(path, "%s/block", scsi);
	d = opendir(path);
	if (!d)
		return -ENOENT;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < VD_DEVICE_MAX - 5) {
			snprintf(device, VD_DEVICE_MAX, "/dev/%.*s", VD_DEVICE_MAX - 6, e->d_name);
			r = 0;
		}
	closedir(d);
	return r;
}

/* Loopback's part of a drive, from the top: the WWN, its portal group, and the LUN. */
static void loop_path(char path[PATH_MAX], const char *name, const char *rest)
{
	char wwn[WWN_MAX];

	wwn_of(name, wwn);
	path_of(path, TARGET "/loopback/%s%s", wwn, rest);
}

int vd_tcmu_plug(const struct vd_tcmu *t, char *device, struct vd_error *err)
{
	char path[PATH_MAX], object[PATH_MAX], tpg[PATH_MAX], scsi[PATH_MAX], wwn[WWN_MAX];
	int r;

	r = make_dir(TARGET "/loopback", err);
	loop_path(path, t->name, "");
	if (!r)
		r = make_dir(path, err);
	loop_path(tpg, t->name, "/tpgt_1");
	if (!r)
		r = make_dir(tpg, err);
	if (r)
		return r;
	/* The initiator's port; where it has one already that is said by EEXIST. */
	wwn_of(t->name, wwn);
	path_of(path, "%s/nexus", tpg);
	r = vd_sys_write(path, wwn);
	if (r && r != -EEXIST)
		return vd_error_errno(err, r, "%s", path);
	loop_path(path, t->name, "/tpgt_1/lun/lun_0");
	r = make_dir(path, err);
	if (r)
		return r;
	object_path(object, t->hba, t->name, "");
	loop_path(path, t->name, "/tpgt_1/lun/lun_0/drive");
	if (symlink(object, path) && errno != EEXIST)
		return vd_error_errno(err, -errno, "%s", path);
	r = scsi_device(tpg, scsi);
	if (r)
		return vd_error_errno(err, r, "%s/address", tpg);
	for (int ms = 0; ms < APPEAR_MS; ms += 10) {
		if (!find_sr(scsi, device))
			return wait_node(device, err);
		pause_ms(10);
	}
	return vd_error_set(err, -ENODEV, "the kernel makes no /dev/sr of %s", scsi);
}

int vd_tcmu_unplug(const char *name, struct vd_error *err)
{
	static const char *const dirs[] = { "/tpgt_1/lun/lun_0", "/tpgt_1", "" };
	char path[PATH_MAX];
	int r = 0;

	loop_path(path, name, "/tpgt_1/lun/lun_0/drive");
	if (unlink(path) && errno != ENOENT)
		return vd_error_errno(err, -errno, "cannot remove %s", path);
	for (size_t i = 0; !r && i < VD_ARRAY_SIZE(dirs); i++) {
		loop_path(path, name, dirs[i]);
		r = remove_dir(path, err);
	}
	/* It keeps the module. Others may have theirs in it. */
	if (!r)
		(void)rmdir(TARGET "/loopback");
	return r;
}

/* What a dead keeper left. */

struct undertaker {
	struct vd_tcmu_ring ring;
	atomic_bool done;
};

/* LOGICAL UNIT NOT SUPPORTED (SPC-3, 4.5.6): nobody tries that again. */
static void *refuse_all(void *arg)
{
	static const uint8_t sense[18] = { 0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25 };
	struct undertaker *u = arg;
	struct pollfd pfd = { .fd = u->ring.fd, .events = POLLIN };
	struct vd_tcmu_command c;
	uint32_t count;

	while (!atomic_load(&u->done)) {
		bool any = false;

		while (vd_tcmu_ring_next(&u->ring, &c, NULL) == 1) {
			vd_tcmu_ring_answer(&u->ring, &c, 2, sense, sizeof(sense), 0);
			vd_tcmu_command_done(&c);
			any = true;
		}
		if (any)
			(void)vd_tcmu_ring_poke(&u->ring);
		if (poll(&pfd, 1, 50) > 0 && read(pfd.fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			pause_ms(50);
	}
	return NULL;
}

int vd_tcmu_reap(const char *name, struct vd_error *err)
{
	struct undertaker u = { .done = false };
	struct vd_tcmu t;
	pthread_t thread;
	bool serving = false;
	int r = 0;

	if (!is_there(TARGET))
		return 0;
	/* The owner's mapping goes a moment after the owner. */
	if (!vd_tcmu_find(name, &t, NULL)) {
		for (int ms = 0; ms < RELEASE_MS; ms += 20) {
			r = vd_tcmu_ring_open(t.uio, &u.ring, err);
			if (r != -EBUSY)
				break;
			pause_ms(20);
		}
		if (r)
			return r;
		serving = !pthread_create(&thread, NULL, refuse_all, &u);
	}
	r = vd_tcmu_unplug(name, err);
	if (serving) {
		atomic_store(&u.done, true);
		pthread_join(thread, NULL);
	}
	if (u.ring.map)
		vd_tcmu_ring_close(&u.ring);
	return r ? r : vd_tcmu_destroy(name, err);
}
