// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive umount */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage[] = "\nUsage:\n"
			    " vdrive umount [options] DIR|NAME...\n"
			    "\n"
			    "Take down what vdrive mount set up.\n"
			    "\n"
			    "Options:\n"
			    " -l, --lazy  even if files are open: they stay usable until closed\n"
			    " -h, --help  display this help\n"
			    "\n"
			    "For more details see vdrive-umount(1).\n";

/* A mount of ours that no drive knows of: its state file was removed. */
static int umount_stray(const char *dir, bool lazy, struct vd_error *err)
{
	if (!vd_fuse_mounted(dir))
		return -ENOENT;
	return vd_fuse_unmount(dir, lazy, err);
}

static int umount_one(const char *what, bool lazy, struct vd_error *err)
{
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	char dir[PATH_MAX] = "";
	struct vd_error other = { "" };
	int r;

	r = find_mountpoint(what, f, dir, err);
	if (r == -ENOENT && !strchr(what, '/') && !vd_drive_name_check(what, NULL) &&
	    !find_name(what, f, &other))
		r = 0;
	if (r == -ENOENT && dir[0]) {
		int stray = umount_stray(dir, lazy, &other);

		if (stray == -ENOENT)
			return r;
		*err = other;
		return stray;
	}
	if (r)
		return r;
	if (f->state.type == VD_DRIVE_DISK)
		return vd_error_set(err, -EINVAL,
				    "%s: a virtual disk, not a mount: use 'vdrive detach %s'", what,
				    f->state.name);
	if (f->state.type == VD_DRIVE_CDROM)
		return vd_error_set(err, -EINVAL,
				    "%s: an optical drive, not a mount: use 'vdrive eject %s', or "
				    "'vdrive optical remove %s'",
				    what, f->state.name, f->state.name);
	r = find_detach(f, lazy, err);
	if (r == -EBUSY)
		return vd_error_set(err, r, "%s: target is busy", what);
	if (r == -ETIMEDOUT)
		return vd_error_set(err, r,
				    "%s: drive %s does not answer: its keeper is process %d", what,
				    f->state.name, (int)f->state.keeper);
	return r;
}

int cmd_umount(int argc, char **argv)
{
	static const struct option options[] = {
		{ "lazy", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool lazy = false;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "lh", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			lazy = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(MOUNT_USAGE, NULL);
		}
	}
	if (optind == argc)
		return wrong_usage(MOUNT_USAGE, "a folder or a drive's name is needed");
	for (; optind < argc; optind++) {
		struct vd_error err = { "" };
		int r = umount_one(argv[optind], lazy, &err);

		if (r) {
			complain_error(r, &err, argv[optind]);
			status = mount_status(r);
		}
	}
	return status;
}
