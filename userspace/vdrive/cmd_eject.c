// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive eject */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <mntent.h>
#include <string.h>

static const char usage[] = "\nUsage:\n"
			    " vdrive eject [options] [NAME]\n"
			    "\n"
			    "Open the tray of an optical drive, and take the disc out.\n"
			    "\n"
			    "Options:\n"
			    " -f, --force  even while the disc is in use\n"
			    " -h, --help   display this help\n"
			    "\n"
			    "For more details see vdrive-eject(1).\n";

#define EJECT_MS 30000

/* Where it is mounted, if it is; the caller frees. */
static char *mounted_on(const char *device)
{
	struct mntent *m;
	char *dir = NULL;
	FILE *f = setmntent("/proc/self/mounts", "re");

	while (f && !dir && (m = getmntent(f)))
		if (!strcmp(m->mnt_fsname, device))
			dir = strdup(m->mnt_dir);
	if (f)
		endmntent(f);
	return dir;
}

static int eject(const char *name, bool force)
{
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	_cleanup_free_ char *dir = NULL;
	struct vd_error err = { "" };
	int r = find_cdrom(name, f, &err);

	if (!r)
		r = vd_drive_request(f->place.dir, f->state.name, VD_REQUEST_EJECT,
				     force ? VD_EJECT_FORCE : 0, EJECT_MS, &err);
	if (!r)
		return 0;
	if (r == -EBUSY)
		dir = mounted_on(f->state.device);
	if (dir) {
		_cleanup_free_ char *safe = text_safe(dir);

		complain("%s: %s is mounted on %s (--force ejects it all the same)", f->state.name,
			 f->state.device, safe);
	} else {
		complain("%s", err.text);
	}
	return EX_FAILED;
}

int cmd_eject(int argc, char **argv)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool force = false;
	int c;

	while ((c = getopt_long(argc, argv, "fh", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			force = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (argc - optind > 1)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	return eject(argv[optind], force);
}
