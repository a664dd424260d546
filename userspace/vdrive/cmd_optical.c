// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive optical */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage[] =
	"\nUsage:\n"
	" vdrive optical add [options] [NAME]\n"
	" vdrive optical remove [options] NAME...\n"
	"\n"
	"Make a drive for discs, /dev/srN, or remove it.\n"
	"\n"
	"Options:\n"
	" -f, --foreground  add: stay in the foreground until the drive is removed\n"
	" -l, --lazy        remove: even while the disc is in use\n"
	" -h, --help        display this help\n"
	"\n"
	"For more details see vdrive-optical(1).\n";

static int add(const char *name, bool foreground)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	struct vd_error err = { "" };
	struct vd_drive_state now;
	char rundir[PATH_MAX];
	pid_t pid = 0;
	int r = 0;

	start->state.type = VD_DRIVE_CDROM;
	start->state.read_only = true;
	start->image_fd = start->dir_fd = -1;
	start->foreground = foreground;
	if (name)
		r = vd_drive_name_check(name, &err);
	if (!r)
		r = vd_rundir(rundir, sizeof(rundir), &err);
	if (!r)
		r = start_drive(start, name, &pid, &err);
	if (!r && err.text[0])
		complain("%s", err.text);
	if (!r)
		r = vd_state_read(rundir, start->state.name, &now, &err);
	if (r) {
		complain("%s", err.text);
		return EX_FAILED;
	}
	printf("%s: %s\n", now.name, now.device);
	if (!foreground)
		return 0;
	fflush(stdout);
	r = start_wait(pid, &err);
	if (r)
		complain_error(r, &err, start->state.name);
	return r ? EX_FAILED : 0;
}

static int remove_one(const char *name, bool lazy)
{
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	struct vd_error err = { "" };
	int r = find_cdrom(name, f, &err);

	if (!r)
		r = find_detach(f, lazy, &err);
	if (!r)
		return 0;
	if (r == -EBUSY)
		complain("%s: %s (--lazy removes it all the same)", name, err.text);
	else
		complain_error(r, &err, name);
	return EX_FAILED;
}

int cmd_optical(int argc, char **argv)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "lazy", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool foreground = false, lazy = false, adds;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "flh", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			foreground = true;
			break;
		case 'l':
			lazy = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "add or remove?");
	adds = !strcmp(argv[optind], "add");
	if (!adds && strcmp(argv[optind], "remove"))
		return wrong_usage(EX_WRONG_USAGE, "add or remove, not '%s'", argv[optind]);
	optind++;
	if (adds && lazy)
		return wrong_usage(EX_WRONG_USAGE, "--lazy goes with remove");
	if (!adds && foreground)
		return wrong_usage(EX_WRONG_USAGE, "--foreground goes with add");
	if (adds && argc - optind > 1)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	if (adds)
		return add(argv[optind], foreground);
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "the name of a drive is needed");
	for (; optind < argc; optind++)
		if (remove_one(argv[optind], lazy))
			status = EX_FAILED;
	return status;
}
