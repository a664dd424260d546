// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive detach */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage[] = "\nUsage:\n"
			    " vdrive detach [options] NAME|DIR|IMAGE...\n"
			    " vdrive detach [options] --all\n"
			    "\n"
			    "Take down drives of any kind.\n"
			    "\n"
			    "Options:\n"
			    " -a, --all   all drives of yours\n"
			    " -l, --lazy  even if files are open: they stay usable until closed\n"
			    " -h, --help  display this help\n"
			    "\n"
			    "For more details see vdrive-detach(1).\n";

static int find_any(const char *what, struct found *f, struct vd_error *err)
{
	struct vd_error ignored;
	int r;

	if (!strchr(what, '/') && !vd_drive_name_check(what, NULL)) {
		r = find_name(what, f, err);
		if (r != -ENOENT)
			return r;
	}
	/* Neither may be: then the words about an image, which speak of all three, are right. */
	if (!find_mountpoint(what, f, NULL, &ignored))
		return 0;
	return find_image(what, f, err);
}

static int detach(const struct found *f, const char *what, bool lazy)
{
	struct vd_error err = { "" };
	int r = find_detach(f, lazy, &err);

	if (!r)
		return 0;
	if (r == -EBUSY)
		complain(
			"%s: drive %s is busy: files in it are open (--lazy detaches it all the same)",
			what, f->state.name);
	else if (r == -ETIMEDOUT)
		complain(
			"%s: drive %s does not answer: kill its keeper, process %d, and detach again",
			what, f->state.name, (int)f->state.keeper);
	else
		complain_error(r, &err, what);
	return EX_FAILED;
}

static int detach_all(bool lazy)
{
	_cleanup_free_ struct found *all = NULL;
	struct vd_error err = { "" };
	size_t n, hidden = 0;
	int r, status = 0;

	r = find_all(true, &all, &n, &hidden, &err);
	if (r) {
		complain_error(r, &err, "drives");
		return EX_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		if (detach(&all[i], all[i].state.name, lazy))
			status = EX_FAILED;
	if (hidden) {
		complain("%zu drives cannot be read", hidden);
		status = EX_FAILED;
	}
	return status;
}

int cmd_detach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "lazy", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	bool lazy = false, all = false;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "alh", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			all = true;
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
	if (all && optind < argc)
		return wrong_usage(EX_WRONG_USAGE, "--all takes no arguments");
	if (all)
		return detach_all(lazy);
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE,
				   "a drive is needed: its name, mount point or image");
	for (; optind < argc; optind++) {
		struct vd_error err = { "" };
		int r = find_any(argv[optind], f, &err);

		if (r)
			complain_error(r, &err, argv[optind]);
		if (r || detach(f, argv[optind], lazy))
			status = EX_FAILED;
	}
	return status;
}
