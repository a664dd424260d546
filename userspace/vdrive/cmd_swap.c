// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive swap: on, off, and what there is. */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "userspace/common/device.h"
#include "util/size.h"

/* Above disks, whose swap gets negative priorities by itself. */
#define DEFAULT_PRIORITY 100

static const char usage[] =
	"\nUsage:\n"
	" vdrive swap on [options] SIZE\n"
	" vdrive swap off [NAME...]\n"
	" vdrive swap [-b] [-J]\n"
	"\n"
	"Swap to compressed memory. Without arguments, show what swap there is.\n"
	"\n"
	"SIZE is in bytes, with a suffix (512M, 4G) or a part of the memory (50%): what\n"
	"can be swapped out, before compression.\n"
	"\n"
	"Options of on:\n"
	" -n, --name NAME      name of the drive (default: swap)\n"
	"     --engine ENGINE  memdrive (our module), zram (the kernel's) or fuse (a process\n"
	"                      of ours); default: the first that is loaded, or can be had\n"
	"     --limit SIZE     use at most so much memory (fuse: taken at once, default\n"
	"                      half of SIZE; with --backing: default half of all)\n"
	"     --backing FILE   memdrive: a file to make on ext4 or XFS, or a block device,\n"
	"                      for what does not fit into memory; not encrypted\n"
	"     --backing-size N its size (default: SIZE)\n"
	" -p, --priority N     0 to 32767 (default 100); the highest is used first\n"
	"     --tune           set vm.* for compressed swap; off puts them back\n"
	"     --watchdog SEC   fuse: make a hang an error after so long (default 10)\n"
	"     --force          even where a deadlock cannot be ruled out, and where FILE is\n"
	"                      there already: what is in it is lost\n"
	"Options without arguments:\n"
	" -b, --bytes          print sizes in bytes\n"
	" -J, --json           use JSON output format\n"
	"Options:\n"
	" -h, --help           display this help\n"
	"\n"
	"For more details see vdrive-swap(1).\n";

struct request {
	struct memory_request memory;
	int priority, watchdog;
	bool tune;
};

/* What else swaps on this system and would not go well with it. */
static void warn_of_others(int priority)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/swaps", "re");
	char name[256], line[512], enabled[8];
	int theirs;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s %*s %*s %*s %d", name, &theirs) != 2 || name[0] != '/')
			continue;
		/* One that is used before ours gets what is cold. */
		if (theirs >= priority)
			continue;
		if (strncmp(name, "/dev/zram", 9) && strncmp(name, "/dev/loop", 9) &&
		    strncmp(name, "/dev/memdrive", 13))
			complain(
				"warning: %s swaps too: the pages that go out first, the cold ones, will fill memory, and the hot ones go to that disk (LRU inversion)",
				name);
	}
	if (!vd_sys_read("/sys/module/zswap/parameters/enabled", enabled, sizeof(enabled)) &&
	    enabled[0] == 'Y')
		complain(
			"warning: zswap is on and compresses every page first: echo N > /sys/module/zswap/parameters/enabled");
}

static void show_tunables(void)
{
	for (size_t i = 0; i < vd_ntunables; i++) {
		char path[96], now[64];

		snprintf(path, sizeof(path), "/proc/sys/vm/%s", vd_tunables[i].name);
		if (!vd_sys_read(path, now, sizeof(now)))
			printf("vm.%s = %s: %s\n", vd_tunables[i].name, now, vd_tunables[i].why);
	}
}

static int fill_state(const struct request *q, struct vd_drive_state *s, const char **why,
		      struct vd_error *err)
{
	bool force = q->memory.force;
	int r;

	s->type = VD_DRIVE_SWAP;
	s->priority = q->priority;
	s->watchdog = q->watchdog;
	s->tune = q->tune;
	s->force = force;
	r = memory_fill(&q->memory, s, why, err);
	if (r)
		return r;
	if (!strcmp(s->engine, "fuse")) {
		strcpy(s->store, "lz4");
		if (!s->mem_limit)
			s->mem_limit = s->size / 2;
		return memory_fits(s->mem_limit, "locked memory", err);
	}
	/* Memory need not hold what has a place on a disk. */
	return force || q->memory.backing
		       ? 0
		       : memory_fits(s->size / 4, "even compressed four times over, swap", err);
}

static int swap_on(const struct request *q)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	const struct vd_drive_state *s = &start->state;
	struct vd_error err = { "" };
	const char *why = NULL;
	char size[16];
	int r = 0;

	if (geteuid())
		r = vd_error_set(&err, -EPERM, "only root may swap");
	if (!r)
		r = fill_state(q, &start->state, &why, &err);
	if (!r) {
		warn_of_others(q->priority);
		r = memory_start(&q->memory, start, NULL, &err);
	}
	if (r) {
		complain("%s", err.text);
		return EX_FAILED;
	}
	if (err.text[0])
		complain("warning: %s", err.text);
	printf("%s: swap of %s on %s, priority %d, engine %s: %s\n", s->name,
	       vd_size_format(s->size, size, sizeof(size)), s->device, s->priority, s->engine, why);
	if (q->tune)
		show_tunables();
	return 0;
}

static int off(const struct found *f)
{
	struct vd_error err = { "" };
	int r = find_detach(f, false, &err);

	if (!r)
		return 0;
	complain_error(r, &err, f->state.name);
	return EX_FAILED;
}

static int swap_off(int argc, char **argv)
{
	_cleanup_free_ struct found *all = NULL;
	struct vd_error err = { "" };
	size_t n = 0, done = 0;
	int status = 0, r;

	if (argc) {
		_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));

		for (int i = 0; i < argc; i++) {
			r = find_name(argv[i], f, &err);
			if (!r && f->state.type != VD_DRIVE_SWAP)
				r = vd_error_set(&err, -EINVAL, "%s is a drive, but no swap",
						 argv[i]);
			if (r) {
				complain_error(r, &err, argv[i]);
				status = EX_FAILED;
			} else if (off(f)) {
				status = EX_FAILED;
			}
		}
		return status;
	}
	r = find_all(true, &all, &n, NULL, &err);
	if (r) {
		complain_error(r, &err, "swap");
		return EX_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].state.type == VD_DRIVE_SWAP) {
			done++;
			status |= off(&all[i]);
		}
	if (!done) {
		complain("no swap of ours is on");
		return EX_FAILED;
	}
	return status;
}

int cmd_swap(int argc, char **argv)
{
	static const struct option options[] = {
		{ "priority", required_argument, NULL, 'p' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "tune", no_argument, NULL, 'T' },
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'J' },
		MEMORY_OPTIONS,
	};
	struct request q = { .priority = DEFAULT_PRIORITY, .watchdog = 10 };
	bool given = false, bytes = false, json = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "n:p:bJh", options, NULL)) != -1) {
		given |= !strchr("bJh", c);
		switch (c) {
		case 'p':
			if (vd_int_parse(optarg, 0, 32767, &q.priority))
				return wrong_usage(EX_WRONG_USAGE, "priority '%s': 0 to 32767",
						   optarg);
			break;
		case 'w':
			if (vd_int_parse(optarg, 1, 3600, &q.watchdog))
				return wrong_usage(EX_WRONG_USAGE,
						   "watchdog '%s': 1 to 3600 seconds", optarg);
			break;
		case 'T':
			q.tune = true;
			break;
		case 'b':
			bytes = true;
			break;
		case 'J':
			json = true;
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
	argc -= optind;
	argv += optind;
	if (!argc && !given)
		return list_swap(bytes, json);
	if (!argc)
		return wrong_usage(EX_WRONG_USAGE, "on or off is needed");
	if (bytes || json)
		return wrong_usage(EX_WRONG_USAGE, "--bytes and --json go with no argument");
	if (!strcmp(argv[0], "off")) {
		if (given)
			return wrong_usage(EX_WRONG_USAGE, "off takes names only");
		return swap_off(argc - 1, argv + 1);
	}
	if (strcmp(argv[0], "on"))
		return wrong_usage(EX_WRONG_USAGE, "'%s' is neither on nor off", argv[0]);
	if (argc != 2)
		return wrong_usage(EX_WRONG_USAGE,
				   argc < 2 ? "a size is needed" : "too many arguments");
	q.memory.size = argv[1];
	r = memory_check(&q.memory);
	return r ? r : swap_on(&q);
}
