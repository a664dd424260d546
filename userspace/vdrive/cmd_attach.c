// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive attach */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

static const char usage[] =
	"\nUsage:\n"
	" vdrive attach [options] FILE\n"
	"\n"
	"Make a virtual disk of a file or block device that holds a disk's bytes, and\n"
	"print the path of the disk.\n"
	"\n"
	"Options:\n"
	" -n, --name NAME      name of the drive (default: made from the file's name)\n"
	" -r, --read-only      refuse writes\n"
	"     --format FORMAT  raw: take the bytes as they are, whatever they look like\n"
	" -h, --help           display this help\n"
	"\n"
	"For more details see vdrive-attach(1).\n";

static int attach(const char *file, const char *name, bool read_only, bool raw)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	struct vd_drive_state *s = &start->state;
	_cleanup_opened_ struct opened image = OPENED_NONE;
	char rundir[PATH_MAX], words[VD_ERROR_MAX];
	_cleanup_free_ char *path = NULL, *safe = NULL;
	struct vd_error err = { "" };
	bool container = false;
	int r;

	r = image_open(file, !read_only, &image, &err);
	if ((r == -EACCES || r == -EROFS || r == -EPERM) && !read_only) {
		complain("%s: cannot be written: %s (try --read-only)", file, strerror(-r));
		return EX_FAILED;
	}
	if (!r && !image.size)
		r = vd_error_set(&err, -ENODATA,
				 "%s: the file is empty: a disk has a size (truncate -s)", file);
	if (!r)
		r = image_lock(&image, !read_only, &err);
	if (!r && !raw) {
		r = image_identify(&image, words, sizeof(words), &container, &err);
		if (!r && container)
			r = vd_error_set(
				&err, -EMEDIUMTYPE,
				"%s: it looks like %s; --format raw attaches its bytes as they are",
				file, words);
	}
	if (!r)
		r = vd_rundir(rundir, sizeof(rundir), &err);
	if (r) {
		complain_error(r, &err, file);
		return EX_FAILED;
	}
	strcpy(s->image, image.path);
	s->type = VD_DRIVE_DISK;
	s->read_only = read_only;
	start->image_fd = image.fd;
	start->dir_fd = image.dir_fd;
	r = start_drive(start, name, NULL, &err);
	if (r) {
		complain_error(r, &err, file);
		return EX_FAILED;
	}
	path = format("%s/%s/disk", rundir, s->name);
	safe = text_safe(path);
	puts(safe);
	return 0;
}

int cmd_attach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "format", required_argument, NULL, 'F' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *name = NULL;
	bool read_only = false, raw = false;
	struct vd_error err = { "" };
	int c;

	while ((c = getopt_long(argc, argv, "n:rh", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			name = optarg;
			if (vd_drive_name_check(name, &err))
				return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
			break;
		case 'r':
			read_only = true;
			break;
		case 'F':
			if (strcmp(optarg, "raw"))
				return wrong_usage(EX_WRONG_USAGE,
						   "format '%s' is not known: raw is", optarg);
			raw = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (argc - optind != 1)
		return wrong_usage(EX_WRONG_USAGE,
				   optind == argc ? "a file is needed" : "too many arguments");
	return attach(argv[optind], name, read_only, raw);
}
