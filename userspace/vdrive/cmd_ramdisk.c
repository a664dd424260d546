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
	" -n, --name NAME         name of the drive (default: ramdisk)\n"
	" -t, --fs TYPE           file system: ext4 (default), ext2, xfs, btrfs, f2fs, vfat\n"
	"     --engine ENGINE     memdrive (our module; root only) or fuse (a process of\n"
	"                         ours); default: memdrive if it is loaded\n"
	"     --store STORE       fuse: lz4 (default), or mem: not compressed\n"
	"     --limit SIZE        use at most so much memory; then the disk is full\n"
	"     --backing FILE      memdrive: a file to make on ext4 or XFS, or a block device,\n"
	"                         for what does not fit into memory; not encrypted\n"
	"     --backing-size N    its size (default: SIZE)\n"
	"     --force             even if it is larger than memory can hold, and if FILE is\n"
	"                         there already: what is in it is lost\n"
	" -f, --foreground        stay, log to stderr, and take it down when interrupted\n"
	" -h, --help              display this help\n"
	"\n"
	"For more details see vdrive-ramdisk(1).\n";

struct request {
	struct memory_request memory;
	const char *dir, *fs, *store;
};

static int check_dir(const char *dir, char *real, struct vd_error *err)
{
	if (geteuid())
		return vd_error_set(
			err, -EPERM,
			"%s: mounting a disk there needs root (without DIR, a file serves)", dir);
	return path_folder(dir, real, err);
}

/* Would it be promising what there is not? */
static int check_size(const struct request *q, const struct vd_drive_state *s, struct vd_error *err)
{
	int r;

	if (q->memory.force)
		return 0;
	if (!strcmp(s->store, "mem"))
		r = memory_fits(s->size, "a disk", err);
	else if (s->mem_limit)
		r = memory_fits(s->mem_limit, "a limit", err);
	else
		r = memory_fits(s->size / MAX_RATIO, "even compressed four times over, a disk",
				err);
	if (r) {
		struct vd_error words = *err;

		return vd_error_set(err, r, "%s (--force makes it all the same)", words.text);
	}
	return 0;
}

static int fill_state(const struct request *q, struct vd_drive_state *s, const char **why,
		      struct vd_error *err)
{
	struct memory_request memory = q->memory;
	int r;

	s->type = VD_DRIVE_RAMDISK;
	s->priority = -1;
	if (q->store && !strcmp(q->store, "mem") && !memory.backing)
		memory.engine = "fuse"; /* nobody else has it */
	r = memory_fill(&memory, s, why, err);
	if (!r && !strcmp(s->engine, "fuse"))
		snprintf(s->store, sizeof(s->store), "%s", q->store ? q->store : "lz4");
	if (!r)
		r = check_size(q, s, err);
	if (!r && q->dir)
		r = check_dir(q->dir, s->mountpoint, err);
	if (!r && q->dir)
		snprintf(s->fs, sizeof(s->fs), "%s", q->fs);
	return r;
}

static int make(const struct request *q)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	const struct vd_drive_state *s = &start->state;
	struct vd_error err = { "" };
	char rundir[PATH_MAX];
	const char *why;
	pid_t pid = 0;
	int r = fill_state(q, &start->state, &why, &err);

	if (!r)
		r = vd_rundir(rundir, sizeof(rundir), &err);
	if (!r)
		r = memory_start(&q->memory, start, &pid, &err);
	if (r) {
		if (q->dir)
			complain_error(r, &err, q->dir);
		else
			complain("%s", err.text);
		return EX_FAILED;
	}
	/* For root it is a block device as well. */
	if (!q->dir && s->device[0])
		puts(s->device);
	else if (!q->dir)
		printf("%s/%s/disk\n", rundir, s->name);
	if (!q->memory.foreground)
		return 0;
	fflush(stdout);
	r = start_wait(pid, &err);
	if (r)
		complain_error(r, &err, s->name);
	return r ? EX_FAILED : 0;
}

/* What does not go together. */
static int check(const struct request *q)
{
	bool plain = q->store && !strcmp(q->store, "mem");
	int r = memory_check(&q->memory);

	if (r)
		return r;
	if (q->memory.engine && !strcmp(q->memory.engine, "zram"))
		return wrong_usage(EX_WRONG_USAGE, "a ramdisk has engine memdrive or fuse");
	if (plain && q->memory.limit)
		return wrong_usage(EX_WRONG_USAGE, "--limit goes with --store lz4");
	if (plain && (q->memory.backing || (q->memory.engine && strcmp(q->memory.engine, "fuse"))))
		return wrong_usage(EX_WRONG_USAGE, "--store mem goes with --engine fuse");
	return 0;
}

int cmd_ramdisk(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fs", required_argument, NULL, 't' },
		{ "store", required_argument, NULL, 'S' },
		{ "foreground", no_argument, NULL, 'f' },
		MEMORY_OPTIONS,
	};
	struct request q = { .fs = "ext4" };
	int c, r;

	while ((c = getopt_long(argc, argv, "n:t:fh", options, NULL)) != -1) {
		switch (c) {
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
		case 'f':
			q.memory.foreground = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			r = memory_option(c, optarg, &q.memory);
			if (r)
				return r;
		}
	}
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "a size is needed");
	if (argc - optind > 2)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	q.memory.size = argv[optind];
	q.dir = argc - optind == 2 ? argv[optind + 1] : NULL;
	r = check(&q);
	return r ? r : make(&q);
}
