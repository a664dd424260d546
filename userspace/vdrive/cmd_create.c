// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive create: a blank medium in a file, to be put into an optical drive and written. */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "images/medium.h"

static void usage(void)
{
	fputs("\nUsage:\n"
	      " vdrive create --medium KIND FILE\n"
	      "\n"
	      "Make a blank medium that optical drives can write to.\n"
	      "\n"
	      "Options:\n"
	      " -m, --medium KIND  what kind of medium it is\n"
	      " -h, --help         display this help\n"
	      "\n"
	      "Kinds:\n",
	      stdout);
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++)
		printf(" %-9s %s (%u sectors)\n", k->name, k->description, k->sectors);
	fputs("\nFor more details see vdrive-create(1).\n", stdout);
}

static const struct vd_medium_kind *find_kind(const char *name)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

static int create(const char *path, const struct vd_medium_kind *kind)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	struct vd_error err;

	if (fd < 0) {
		complain("%s: %s", path, strerror(errno));
		return EX_FAILED;
	}
	if (!vd_medium_create(fd, kind, &err))
		return 0;
	unlink(path);
	complain("%s: %s", path, err.text);
	return EX_FAILED;
}

int cmd_create(int argc, char **argv)
{
	static const struct option options[] = {
		{ "medium", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const struct vd_medium_kind *kind = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "m:h", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			kind = find_kind(optarg);
			if (!kind)
				return wrong_usage(EX_WRONG_USAGE, "unknown kind of medium: %s",
						   optarg);
			break;
		case 'h':
			usage();
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (!kind)
		return wrong_usage(EX_WRONG_USAGE, "--medium is needed");
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "a file is needed");
	if (argc - optind > 1)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	return create(argv[optind], kind);
}
