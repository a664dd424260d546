// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive attach */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "util/size.h"

static const char usage[] =
	"\nUsage:\n"
	" vdrive attach [options] FILE\n"
	"\n"
	"Make a virtual disk of a file or block device that holds a disk's bytes, and\n"
	"print the path of the disk: a file or, with --block, a block device.\n"
	"\n"
	"Options:\n"
	" -n, --name NAME      name of the drive (default: made from the file's name)\n"
	" -r, --read-only      refuse writes\n"
	" -b, --block          a block device, and one for each partition (root)\n"
	" -m, --mount DIR      mount the file system on it, too (implies --block)\n"
	" -p, --partition N    of partition N\n"
	"     --format FORMAT  raw: take the bytes as they are, whatever they look like\n"
	" -h, --help           display this help\n"
	"\n"
	"For more details see vdrive-attach(1).\n";

struct request {
	const char *file, *name, *dir;
	bool read_only, raw, block;
	int partition;
};

static int fill_block(const struct request *q, struct vd_drive_state *s, struct vd_error *err)
{
	if (!q->block)
		return 0;
	if (geteuid())
		return vd_error_set(
			err, -EPERM,
			"%s: a block device needs root (without --block, a file serves)", q->file);
	strcpy(s->engine, "loop");
	s->partition = q->partition;
	return q->dir ? path_folder(q->dir, s->mountpoint, err) : 0;
}

/* Where the disk is now. */
static int show(const struct request *q, const char *rundir, const struct vd_drive_state *started,
		struct vd_error *err)
{
	_cleanup_free_ char *path = NULL, *safe = NULL;
	struct vd_drive_state now;
	int r;

	if (q->block) {
		r = vd_state_read(rundir, started->name, &now, err);
		if (r)
			return r;
		if (!q->dir) {
			puts(now.device);
			return 0;
		}
		safe = text_safe(now.mountpoint);
		printf("%s mounted on %s as drive %s\n", now.device, safe, now.name);
		return 0;
	}
	path = format("%s/%s/disk", rundir, started->name);
	safe = text_safe(path);
	puts(safe);
	return 0;
}

static int attach(const struct request *q)
{
	const char *file = q->file;
	const bool read_only = q->read_only;
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	struct vd_drive_state *s = &start->state;
	_cleanup_opened_ struct opened image = OPENED_NONE;
	char rundir[PATH_MAX], words[VD_ERROR_MAX];
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
	if (!r && !q->raw) {
		r = image_identify(&image, words, sizeof(words), &container, &err);
		if (!r && container)
			r = vd_error_set(
				&err, -EMEDIUMTYPE,
				"%s: it looks like %s; --format raw attaches its bytes as they are",
				file, words);
	}
	if (!r)
		r = fill_block(q, s, &err);
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
	r = start_drive(start, q->name, NULL, &err);
	if (!r)
		r = show(q, rundir, s, &err);
	if (r) {
		complain_error(r, &err, file);
		return EX_FAILED;
	}
	return 0;
}

int cmd_attach(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "block", no_argument, NULL, 'b' },
		{ "mount", required_argument, NULL, 'm' },
		{ "partition", required_argument, NULL, 'p' },
		{ "format", required_argument, NULL, 'F' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request q = { .block = false };
	struct vd_error err = { "" };
	int c;

	while ((c = getopt_long(argc, argv, "n:rbm:p:h", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			q.name = optarg;
			if (vd_drive_name_check(q.name, &err))
				return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
			break;
		case 'r':
			q.read_only = true;
			break;
		case 'b':
			q.block = true;
			break;
		case 'm':
			q.dir = optarg;
			q.block = true;
			break;
		case 'p':
			if (vd_int_parse(optarg, 1, 128, &q.partition))
				return wrong_usage(EX_WRONG_USAGE, "not a partition: %s", optarg);
			break;
		case 'F':
			if (strcmp(optarg, "raw"))
				return wrong_usage(EX_WRONG_USAGE,
						   "format '%s' is not known: raw is", optarg);
			q.raw = true;
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
	if (q.partition && !q.dir)
		return wrong_usage(EX_WRONG_USAGE, "--partition goes with --mount");
	q.file = argv[optind];
	return attach(&q);
}
