// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrived: one drive. Started by the vdrive command, which hands it the opened image. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "userspace/vdrived/keeper.h"
#include "userspace/vdrived/optical.h"
#include "userspace/vdrived/reader.h"
#include "util/size.h"

static void usage(FILE *f)
{
	fputs("Usage: vdrived --name NAME --type optical|disk --image PATH --image-fd FD --dir-fd FD\n"
	      "               [--mountpoint DIR] [--options OPTS] [--read-only] [--status-fd FD]\n"
	      "               [--engine loop [--partition N]] [--foreground]\n"
	      "       vdrived --name NAME --type ramdisk|swap --size BYTES [--store lz4|mem]\n"
	      "               [--engine fuse|memdrive|zram] [--mem-limit BYTES] [--fs FS] [--mountpoint DIR]\n"
	      "               [--backing PATH [--backing-inode N]]\n"
	      "               [--priority N] [--watchdog SECONDS] [--tune] [--force] [--status-fd FD]\n"
	      "               [--foreground]\n"
	      "       vdrived --name NAME --type cdrom [--status-fd FD] [--foreground]\n\n"
	      "Serves one drive. It is started by vdrive(1) mount and attach, not by hand: see vdrived(8).\n",
	      f);
}

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "vdrived: %s: '%s'\n", what, value);
	return 2;
}

/* A descriptor that is open. */
static int parse_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (end == text || *end || fd < 0 || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0)
		return -1;
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

static int copy_text(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size ? 0 : -ENAMETOOLONG;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "type", required_argument, NULL, 't' },
		{ "image", required_argument, NULL, 'i' },
		{ "image-fd", required_argument, NULL, 'I' },
		{ "dir-fd", required_argument, NULL, 'D' },
		{ "mountpoint", required_argument, NULL, 'm' },
		{ "options", required_argument, NULL, 'o' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "size", required_argument, NULL, 'z' },
		{ "mem-limit", required_argument, NULL, 'l' },
		{ "store", required_argument, NULL, 'S' },
		{ "engine", required_argument, NULL, 'e' },
		{ "fs", required_argument, NULL, 'F' },
		{ "backing", required_argument, NULL, 'b' },
		{ "backing-inode", required_argument, NULL, 'B' },
		{ "partition", required_argument, NULL, 'P' },
		{ "priority", required_argument, NULL, 'p' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "tune", no_argument, NULL, 'T' },
		{ "force", no_argument, NULL, 'O' },
		{ "status-fd", required_argument, NULL, 's' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct vd_keeper_args args;
	struct vd_drive_state *s = &args.state;
	int c, r = 0;

	/* The keeper runs itself like this, with descriptors 3 and 4 in place. */
	if (argc == 2 && !strcmp(argv[1], "--reader"))
		return vd_reader_main();

	args.image_fd = args.dir_fd = args.status_fd = -1;
	s->priority = -1;
	s->watchdog = 10;
	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			r = copy_text(s->name, sizeof(s->name), optarg);
			break;
		case 't':
			if (vd_drive_type_parse(optarg, &s->type))
				return bad("--type is optical, disk, ramdisk, swap or cdrom",
					   optarg);
			break;
		case 'i':
			r = copy_text(s->image, sizeof(s->image), optarg);
			break;
		case 'I':
		case 'D':
		case 's':
			r = parse_fd(optarg);
			if (r < 0)
				return bad("not an open descriptor", optarg);
			*(c == 'I'   ? &args.image_fd
			  : c == 'D' ? &args.dir_fd
				     : &args.status_fd) = r;
			r = 0;
			break;
		case 'm':
			r = copy_text(s->mountpoint, sizeof(s->mountpoint), optarg);
			break;
		case 'o':
			r = copy_text(s->options, sizeof(s->options), optarg);
			break;
		case 'r':
			s->read_only = true;
			break;
		case 'z':
			if (vd_size_parse(optarg, &s->size) || !s->size)
				return bad("not a size", optarg);
			break;
		case 'l':
			if (vd_size_parse(optarg, &s->mem_limit))
				return bad("not a size", optarg);
			break;
		case 'S':
			r = copy_text(s->store, sizeof(s->store), optarg);
			break;
		case 'e':
			r = copy_text(s->engine, sizeof(s->engine), optarg);
			break;
		case 'F':
			r = copy_text(s->fs, sizeof(s->fs), optarg);
			break;
		case 'b':
			r = copy_text(s->backing, sizeof(s->backing), optarg);
			break;
		case 'B':
			if (vd_size_parse(optarg, &s->backing_inode))
				return bad("not a number", optarg);
			break;
		case 'p':
			if (vd_int_parse(optarg, -1, 32767, &s->priority))
				return bad("not a priority", optarg);
			break;
		case 'P':
			if (vd_int_parse(optarg, 1, 128, &s->partition))
				return bad("not a partition", optarg);
			break;
		case 'w':
			if (vd_int_parse(optarg, 1, 3600, &s->watchdog))
				return bad("not a number of seconds", optarg);
			break;
		case 'T':
			s->tune = true;
			break;
		case 'O':
			s->force = true;
			break;
		case 'f':
			args.foreground = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			puts("vdrived " VDRIVE_VERSION);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
		if (r)
			return bad("too long", optarg);
	}
	if (optind != argc || !s->name[0] ||
	    (vd_drive_in_memory(s->type) ? !s->size
					 : s->type != VD_DRIVE_CDROM && args.image_fd < 0)) {
		usage(stderr);
		return 2;
	}
	return s->type == VD_DRIVE_CDROM ? vd_optical_main(&args) : vd_keeper_main(&args);
}
