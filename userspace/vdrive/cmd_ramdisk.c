// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive ramdisk */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Real data shrinks to a third, seldom further: a larger disk would promise what there is not. */
#define MAX_RATIO 4

static const char usage[] =
	"\nUsage:\n"
	" vdrive ramdisk [options] SIZE [DIR]\n"
	"\n"
	"Make a scratch disk in compressed memory. With DIR, which needs root, it gets a\n"
	"file system that is mounted there. What is deleted gives its memory back.\n"
	"\n"
	"SIZE is in bytes, with a suffix (512M, 4G) or a part of the memory (50%).\n"
	"\n"
	"Options:\n"
	" -n, --name NAME    name of the drive (default: ramdisk)\n"
	" -t, --fs TYPE      file system: ext4 (default), ext2, xfs, btrfs, f2fs, vfat\n"
	"     --store STORE  lz4 (default), or mem for memory that is not compressed\n"
	"     --limit SIZE   use at most so much memory; then the disk is full\n"
	"     --force        even if it is larger than memory can hold\n"
	" -f, --foreground   stay, log to stderr, and take it down when interrupted\n"
	" -h, --help         display this help\n"
	"\n"
	"For more details see vdrive-ramdisk(1).\n";

struct request {
	const char *size, *dir, *name, *fs, *store, *limit;
	bool force, foreground;
};

static int check_dir(const char *dir, char *real, struct vd_error *err)
{
	_cleanup_free_ char *resolved = NULL;
	struct stat st;

	if (geteuid())
		return vd_error_set(
			err, -EPERM,
			"%s: mounting a disk there needs root (without DIR, a file serves)", dir);
	resolved = realpath(dir, NULL);
	if (!resolved || stat(resolved, &st))
		return vd_error_errno(err, -errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return vd_error_errno(err, -ENOTDIR, "%s", dir);
	if (strlen(resolved) >= PATH_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%s", dir);
	strcpy(real, resolved);
	return 0;
}

static int fill_state(const struct request *q, struct vd_drive_state *s, struct vd_error *err)
{
	int r = memory_size(q->size, &s->size, err);

	if (!r && q->limit)
		r = memory_size(q->limit, &s->mem_limit, err);
	if (!r && !q->force) {
		if (!strcmp(q->store, "mem"))
			r = memory_fits(s->size, "a disk", err);
		else if (s->mem_limit)
			r = memory_fits(s->mem_limit, "a limit", err);
		else
			r = memory_fits(s->size / MAX_RATIO,
					"even compressed four times over, a disk", err);
		if (r) {
			struct vd_error words = *err;

			return vd_error_set(err, r, "%s (--force makes it all the same)",
					    words.text);
		}
	}
	if (!r && q->dir)
		r = check_dir(q->dir, s->mountpoint, err);
	if (r)
		return r;
	s->type = VD_DRIVE_RAMDISK;
	s->priority = -1;
	strcpy(s->engine, "fuse");
	snprintf(s->store, sizeof(s->store), "%s", q->store);
	if (q->dir)
		snprintf(s->fs, sizeof(s->fs), "%s", q->fs);
	return 0;
}

static int make(const struct request *q)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	_cleanup_free_ struct vd_drive_state *now = need(malloc(sizeof(*now)));
	_cleanup_free_ char *path = NULL;
	struct vd_drive_state *s = &start->state;
	struct vd_error err = { "" };
	char rundir[PATH_MAX];
	pid_t pid = 0;
	int r = fill_state(q, s, &err);

	if (!r)
		r = vd_rundir(rundir, sizeof(rundir), &err);
	if (!r) {
		start->image_fd = start->dir_fd = -1;
		start->foreground = q->foreground;
		r = start_drive(start, q->name, &pid, &err);
	}
	if (r) {
		if (q->dir)
			complain_error(r, &err, q->dir);
		else
			complain("%s", err.text);
		return EX_FAILED;
	}
	if (!q->dir) {
		/* For root it is a block device as well. */
		if (!vd_state_read(rundir, s->name, now, &err) && now->device[0])
			path = format("%s", now->device);
		else
			path = format("%s/%s/disk", rundir, s->name);
		puts(path);
	}
	if (!q->foreground)
		return 0;
	fflush(stdout);
	r = start_wait(pid, &err);
	if (r)
		complain_error(r, &err, s->name);
	return r ? EX_FAILED : 0;
}

int cmd_ramdisk(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "fs", required_argument, NULL, 't' },
		{ "store", required_argument, NULL, 'S' },
		{ "limit", required_argument, NULL, 'L' },
		{ "force", no_argument, NULL, 'F' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request q = { .fs = "ext4", .store = "lz4" };
	struct vd_error err = { "" };
	int c;

	while ((c = getopt_long(argc, argv, "n:t:fh", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			q.name = optarg;
			if (vd_drive_name_check(q.name, &err))
				return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
			break;
		case 't':
			q.fs = optarg;
			break;
		case 'S':
			q.store = optarg;
			if (strcmp(q.store, "lz4") && strcmp(q.store, "mem"))
				return wrong_usage(EX_WRONG_USAGE,
						   "store '%s' is not known: lz4 and mem are",
						   q.store);
			break;
		case 'L':
			q.limit = optarg;
			break;
		case 'F':
			q.force = true;
			break;
		case 'f':
			q.foreground = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "a size is needed");
	if (argc - optind > 2)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	if (q.limit && !strcmp(q.store, "mem"))
		return wrong_usage(EX_WRONG_USAGE, "--limit goes with --store lz4");
	q.size = argv[optind];
	q.dir = argc - optind == 2 ? argv[optind + 1] : NULL;
	return make(&q);
}
