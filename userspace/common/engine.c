// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/common/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "userspace/common/device.h"
#include "util/cleanup.h"

static const char *const engines[] = { "memdrive", "zram" };

bool vd_engine_in_kernel(const char *engine)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(engines); i++)
		if (!strcmp(engine, engines[i]))
			return true;
	return false;
}

static bool is_memdrive(const char *engine)
{
	return !strcmp(engine, "memdrive");
}

static void control_path(const char *engine, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/class/%s-control/%s", engine, name);
}

bool vd_engine_loaded(const char *engine)
{
	char path[96];

	control_path(engine, "hot_add", path, sizeof(path));
	return !access(path, R_OK);
}

/* In modprobe's words, in the C locale; the first that fits. */
static const struct {
	const char *said;
	int code;
	const char *words; /* a format for the module's name; NULL: untrusted() */
} refusals[] = {
	{ "Key was rejected", -EKEYREJECTED, NULL },
	{ "Required key not available", -EKEYREJECTED, NULL },
	{ "not found", -ENODEV,
	  "there is no module %s for this kernel: build it with DKMS, see memdrive(4)" },
	{ "Exec format error", -ENODEV,
	  "the module %s was built for another kernel: 'dkms autoinstall' builds it anew" },
	{ "Invalid module format", -ENODEV,
	  "the module %s was built for another kernel: 'dkms autoinstall' builds it anew" },
	{ "Unknown symbol", -ENODEV,
	  "the module %s does not fit this kernel (the kernel's log says why): 'dkms autoinstall' builds it anew" },
	{ "Operation not permitted", -EPERM,
	  "the kernel loads no modules here (in a container, or kernel.modules_disabled is set)" },
};

/* Secure Boot makes the kernel refuse by -EPERM, unless module.sig_enforce is set too. */
static bool locked_down(void)
{
	char mode[64];

	return !vd_sys_read("/sys/kernel/security/lockdown", mode, sizeof(mode)) &&
	       !strstr(mode, "[none]");
}

static int untrusted(const char *engine, struct vd_error *err)
{
	return vd_error_set(
		err, -EKEYREJECTED,
		"the kernel refuses the module %s: it does not trust the key that signed it (Secure Boot). "
		"'mokutil --import /var/lib/dkms/mok.pub', a restart and 'Enroll MOK' there make it, see memdrive(4)",
		engine);
}

int vd_engine_explain(const char *engine, const char *said, struct vd_error *err)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(refusals); i++) {
		if (!strstr(said, refusals[i].said))
			continue;
		if (!refusals[i].words || (refusals[i].code == -EPERM && locked_down()))
			return untrusted(engine, err);
		return vd_error_set(err, refusals[i].code, refusals[i].words, engine);
	}
	return vd_error_set(err, -ENODEV, "%s", said);
}

int vd_engine_load(const char *engine, struct vd_error *err)
{
	struct vd_error said = { "" };
	int r;

	if (vd_engine_loaded(engine))
		return 0;
	r = vd_run((const char *[]){ "modprobe", engine, "num_devices=0", NULL }, &said);
	if (vd_engine_loaded(engine))
		return 0;
	if (!is_memdrive(engine))
		return vd_error_set(err, -ENODEV, "this kernel has no %s", engine);
	if (r && r != -EIO)
		return vd_error_set(err, -ENODEV, "%s", said.text);
	return vd_engine_explain(engine, r ? said.text : "it makes no devices", err);
}

static void attr_path(const char *device, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/block/%s/%s", device + strlen("/dev/"), name);
}

static int set(const char *device, const char *name, const char *value, struct vd_error *err)
{
	char path[96];
	int r;

	attr_path(device, name, path, sizeof(path));
	r = vd_sys_write(path, value);
	return r ? vd_error_errno(err, r, "%s: cannot set %s to %s", device, name, value) : 0;
}

static int set_number(const char *device, const char *name, uint64_t value, struct vd_error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return set(device, name, text, err);
}

static int set_zram(const struct vd_drive_state *s, const char *device, struct vd_error *err)
{
	/* Older kernels list what they were built for, whether or not its module is there: only trying tells. */
	if (s->store[0])
		return set(device, "comp_algorithm", s->store, err);
	set(device, "comp_algorithm", "lz4", NULL); /* else the kernel's own choice */
	return 0;
}

static int set_memdrive(const struct vd_drive_state *s, const char *device, struct vd_error *err)
{
	int r = 0;

	/* Files are alike far more often than what is swapped out. A module of another version may not have it. */
	if (s->type == VD_DRIVE_RAMDISK)
		r = set_number(device, "dedup", 1, err);
	if (r && r != -ENOENT)
		return r;
	if (!s->backing[0])
		return 0;
	r = set(device, "backing_dev", s->backing, err);
	return r ? vd_error_set(
			   err, r,
			   "%s is refused as a backing store: %s (the kernel's log may say more)",
			   s->backing, strerror(-r))
		 : 0;
}

/* Once, or again and again for so long while it is in use. */
static int remove_device(const char *engine, const char *device, int patience_ms)
{
	const char *number = device + strlen("/dev/") + strlen(engine);
	int r;

	for (;;) {
		char path[96];

		attr_path(device, "reset", path, sizeof(path));
		r = vd_sys_write(path, "1");
		if (r == -ENOENT)
			return 0;
		if (!r) {
			control_path(engine, "hot_remove", path, sizeof(path));
			r = vd_sys_write(path, number);
		}
		if (r != -EBUSY || patience_ms <= 0)
			return r == -ENODEV ? 0 : r;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		patience_ms -= 20;
	}
}

int vd_engine_add(const struct vd_drive_state *s, char *device, struct vd_error *err)
{
	char path[96], number[32];
	int r = vd_engine_load(s->engine, err);

	if (r)
		return r;
	control_path(s->engine, "hot_add", path, sizeof(path));
	r = vd_sys_read(path, number, sizeof(number));
	if (r)
		return vd_error_errno(err, r, "cannot add a %s device", s->engine);
	/* The node of a new device is there at once (devtmpfs). */
	snprintf(device, VD_DEVICE_MAX, "/dev/%.12s%.8s", s->engine, number);
	r = is_memdrive(s->engine) ? set_memdrive(s, device, err) : set_zram(s, device, err);
	if (!r && s->mem_limit)
		r = set_number(device, "mem_limit", s->mem_limit, err);
	if (!r)
		r = set_number(device, "disksize", s->size, err);
	if (r)
		remove_device(s->engine, device, 5000);
	return r;
}

static bool is_named(const char *engine, const char *device)
{
	size_t n = strlen(engine);

	return vd_engine_in_kernel(engine) && !strncmp(device, "/dev/", 5) &&
	       !strncmp(device + 5, engine, n) && device[5 + n] >= '0' && device[5 + n] <= '9';
}

bool vd_engine_has(const struct vd_drive_state *s)
{
	char path[96], text[PATH_MAX];

	if (!is_named(s->engine, s->device))
		return false;
	attr_path(s->device, "disksize", path, sizeof(path));
	if (vd_sys_read(path, text, sizeof(text)) || strtoull(text, NULL, 10) != s->size)
		return false;
	attr_path(s->device, "backing_dev", path, sizeof(path));
	/* It may have been detached since, by hand. */
	return !s->backing[0] || vd_sys_read(path, text, sizeof(text)) ||
	       !strcmp(text, s->backing) || !strcmp(text, "none");
}

int vd_engine_remove_backing(const struct vd_drive_state *s, struct vd_error *err)
{
	struct stat st;

	if (!s->backing_inode || lstat(s->backing, &st) || !S_ISREG(st.st_mode) ||
	    st.st_ino != s->backing_inode || !unlink(s->backing) || errno == ENOENT)
		return 0;
	return vd_error_errno(err, -errno, "cannot remove %s", s->backing);
}

int vd_engine_remove(const struct vd_drive_state *s, int patience_ms, struct vd_error *err)
{
	int r;

	if (is_named(s->engine, s->device)) {
		r = remove_device(s->engine, s->device, patience_ms);
		if (r)
			return vd_error_errno(err, r, "cannot remove %s", s->device);
	}
	return vd_engine_remove_backing(s, err);
}
