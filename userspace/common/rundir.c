// SPDX-License-Identifier: GPL-3.0-or-later
/* Where drives live, and what they may be called. */
#define _GNU_SOURCE
#include "userspace/common/drive.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/*
 * Makes @dir unless it is there, and checks that nobody else could have prepared it for us: a directory
 * of our own (no link) into which others cannot write.
 */
static int private_dir(const char *dir, mode_t mode, struct vd_error *err)
{
	struct stat st;

	if (mkdir(dir, mode) && errno != EEXIST)
		return vd_error_errno(err, -errno, "cannot create the runtime directory %s", dir);
	if (lstat(dir, &st))
		return vd_error_errno(err, -errno, "cannot examine the runtime directory %s", dir);
	if (!S_ISDIR(st.st_mode))
		return vd_error_set(err, -ENOTDIR, "the runtime directory %s is not a directory",
				    dir);
	if (st.st_uid != geteuid())
		return vd_error_set(err, -EPERM, "the runtime directory %s belongs to user %u", dir,
				    (unsigned)st.st_uid);
	if (st.st_mode & 022)
		return vd_error_set(err, -EPERM,
				    "others may write to the runtime directory %s (mode %03o)", dir,
				    (unsigned)st.st_mode & 0777);
	return 0;
}

int vd_rundir(char *buf, size_t size, struct vd_error *err)
{
	const char *over = secure_getenv("VDRIVE_RUNTIME_DIR");
	const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *real = NULL;
	mode_t mode = 0700;
	struct stat st;
	int n, r;

	if (over && over[0] == '/') {
		n = snprintf(buf, size, "%s", over);
	} else if (geteuid() == 0) {
		n = snprintf(buf, size, "/run/vdrive");
		mode = 0755; /* names and states may be listed by all, as mounts may */
	} else if (xdg && xdg[0] == '/' && !stat(xdg, &st) && st.st_uid == geteuid()) {
		n = snprintf(buf, size, "%s/vdrive", xdg);
	} else {
		n = snprintf(buf, size, "/tmp/vdrive-%u", (unsigned)geteuid());
	}
	if (n < 0 || (size_t)n >= size)
		return vd_error_errno(err, -ENAMETOOLONG, "the runtime directory");
	r = private_dir(buf, mode, err);
	if (r)
		return r;
	/* Mounts are looked up by the path that the kernel shows, and that has no links (/var/run is one). */
	real = realpath(buf, NULL);
	if (!real)
		return vd_error_errno(err, -errno, "cannot examine the runtime directory %s", buf);
	if (strlen(real) >= size)
		return vd_error_errno(err, -ENAMETOOLONG, "the runtime directory");
	strcpy(buf, real);
	return 0;
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._+-", c));
}

int vd_drive_name_check(const char *name, struct vd_error *err)
{
	size_t n = strlen(name);

	if (!n || n > VD_DRIVE_NAME_MAX)
		return vd_error_set(err, -EINVAL, "a drive's name has 1 to %d characters",
				    VD_DRIVE_NAME_MAX);
	if (!isalnum((unsigned char)name[0]))
		return vd_error_set(
			err, -EINVAL,
			"'%s' is no name for a drive: it begins with a letter or a digit", name);
	for (size_t i = 0; i < n; i++)
		if (!name_char(name[i]) || (unsigned char)name[i] > 0x7e)
			return vd_error_set(
				err, -EINVAL,
				"'%s' is no name for a drive: letters, digits and . _ + - only",
				name);
	return 0;
}

void vd_drive_name_from_path(const char *path, char *out)
{
	const char *base = strrchr(path, '/'), *dot;
	size_t n = 0, len;

	base = base ? base + 1 : path;
	dot = strrchr(base, '.');
	len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	/* Room for "-9999" is left to whoever makes the name unique. */
	for (size_t i = 0; i < len && n < VD_DRIVE_NAME_MAX - 5; i++) {
		if ((unsigned char)base[i] <= 0x7e && name_char(base[i])) {
			if (n || isalnum((unsigned char)base[i]))
				out[n++] = base[i];
		} else if (n && out[n - 1] != '-') {
			out[n++] = '-';
		}
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (!n)
		strcpy(out, "disc");
}

static const char *const type_names[] = {
	[VD_DRIVE_OPTICAL] = "optical", [VD_DRIVE_DISK] = "disk",   [VD_DRIVE_RAMDISK] = "ramdisk",
	[VD_DRIVE_SWAP] = "swap",	[VD_DRIVE_CDROM] = "cdrom",
};

const char *vd_drive_type_name(enum vd_drive_type type)
{
	return type_names[type];
}

int vd_drive_type_parse(const char *name, enum vd_drive_type *type)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(type_names); i++)
		if (!strcmp(name, type_names[i])) {
			*type = (enum vd_drive_type)i;
			return 0;
		}
	return -EINVAL;
}
