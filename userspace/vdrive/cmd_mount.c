// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive mount, and mount.vdrive, which mount(8) calls for the type "vdrive". */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"\nUsage:\n"
	" vdrive mount [options] IMAGE DIR\n"
	"\n"
	"Show the files of a disc image in the folder DIR.\n"
	"\n"
	"Options:\n"
	" -n, --name NAME    name of the drive (default: made from the image's name)\n"
	" -o, --options OPT  mount options, separated by commas:\n"
	"                      norock, nojoliet, map=off, session=N, uid=, gid=,\n"
	"                      mode=, dmode=, allow_other, noexec ...\n"
	" -f, --foreground   stay, log to stderr, and unmount when interrupted\n"
	" -v, --verbose      say what was done\n"
	" -h, --help         display this help\n"
	"\n"
	"For more details see vdrive-mount(1).\n";

static const char helper_usage[] = "\nUsage:\n"
				   " mount.vdrive IMAGE DIR [-sfnv] [-o options] [-t type]\n"
				   "\n"
				   "Helper of mount(8) for the file system type vdrive.\n"
				   "\n"
				   "Options:\n"
				   " -s          drop unknown mount options\n"
				   " -f          fake: check everything, mount nothing\n"
				   " -n          accepted, means nothing\n"
				   " -v          say what was done\n"
				   " -o OPTIONS  mount options, separated by commas\n"
				   " -t TYPE     vdrive, or vdrive.SUBTYPE\n"
				   " -h, --help  display this help\n"
				   "\n"
				   "For more details see mount.vdrive(8).\n";

struct request {
	const char *image, *dir;
	const char *name; /* NULL: any */
	struct mount_options options;
	bool foreground, verbose, fake, helper;
};

/* Would the image vanish beneath the new mount? Walks up from its folder, so that links do not matter. */
static bool lies_in(int dir_fd, const struct stat *dir)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st, last = { 0 };

	while (fd >= 0 && !fstat(fd, &st)) {
		int up;

		if (st.st_dev == dir->st_dev && st.st_ino == dir->st_ino)
			return true;
		if (st.st_dev == last.st_dev && st.st_ino == last.st_ino)
			return false;
		last = st;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	return false;
}

/* Fills @real with the absolute name of a folder on which this user may mount. */
static int check_dir(const char *dir, char *real, struct stat *st, struct vd_error *err)
{
	_cleanup_free_ char *resolved = NULL;

	/* A mount that is dead or hangs is not touched by this, and by nothing that follows. */
	resolved = realpath(dir, NULL);
	if (!resolved)
		return vd_error_errno(err, -errno, "%s", dir);
	strcpy(real, resolved);
	if (vd_fuse_mounted(real))
		return vd_error_set(
			err, -EBUSY,
			"%s: a drive is mounted there already: 'vdrive umount %s' first", dir, dir);
	if (stat(real, st))
		return vd_error_errno(err, -errno, "%s", dir);
	if (!S_ISDIR(st->st_mode))
		return vd_error_errno(err, -ENOTDIR, "%s", dir);
	if (geteuid() && access(real, W_OK))
		return vd_error_set(err, -errno,
				    "%s: %s: FUSE lets a user mount only where he may write", dir,
				    strerror(errno));
	return 0;
}

static int check_rundir(const char *dir, const char *shown, struct vd_error *err)
{
	char rundir[PATH_MAX];
	size_t n;
	int r;

	r = vd_rundir(rundir, sizeof(rundir), err);
	if (r)
		return r;
	n = strlen(rundir);
	if (!strncmp(dir, rundir, n) && (dir[n] == '/' || !dir[n]))
		return vd_error_set(err, -EINVAL, "%s: drives live there; choose another folder",
				    shown);
	return 0;
}

/* What the keeper is told, from -o and from who asks. */
static int finish_options(struct request *q, struct vd_error *err)
{
	struct mount_options *m = &q->options;
	bool system_mount = q->helper && geteuid() == 0;
	int r = 0;

	/* A mount of root's from fstab is for everybody, as mounts of kernel file systems are. */
	if ((m->allow_other || system_mount) && !m->no_allow_other) {
		r = mount_options_keep(m, "allow_other", err);
		m->default_permissions = true;
	}
	if (!r && m->default_permissions)
		r = mount_options_keep(m, "default_permissions", err);
	return r;
}

static int mount_image(struct request *q)
{
	_cleanup_free_ struct vd_drive_start *start = need(calloc(1, sizeof(*start)));
	struct vd_drive_state *s = &start->state;
	_cleanup_opened_ struct opened image = OPENED_NONE;
	struct vd_error err = { "" };
	struct stat st;
	pid_t pid = -1;
	int r;

	r = image_open(q->image, false, &image, &err);
	if (r) {
		complain_error(r, &err, q->image);
		return mount_status(r);
	}
	r = check_dir(q->dir, s->mountpoint, &st, &err);
	if (!r)
		r = check_rundir(s->mountpoint, q->dir, &err);
	if (!r && lies_in(image.dir_fd, &st))
		r = vd_error_set(&err, -EINVAL,
				 "%s: %s lies in it and would be hidden; choose another folder",
				 q->dir, q->image);
	if (r) {
		complain_error(r, &err, q->dir);
		return mount_status(r);
	}
	r = finish_options(q, &err);
	if (!r)
		r = image_lock(&image, false, &err);
	if (r) {
		complain_error(r, &err, q->image);
		return mount_status(r);
	}
	if (q->fake)
		return 0;

	strcpy(s->image, image.path);
	strcpy(s->options, q->options.keeper);
	s->type = VD_DRIVE_OPTICAL;
	s->read_only = true;
	start->image_fd = image.fd;
	start->dir_fd = image.dir_fd;
	start->foreground = q->foreground;
	r = start_drive(start, q->name, &pid, &err);
	if (r) {
		complain_error(r, &err, q->image);
		return mount_status(r);
	}
	if (q->verbose || q->foreground) {
		_cleanup_free_ char *text =
			format("%s mounted on %s as drive %s", q->image, s->mountpoint, s->name);
		_cleanup_free_ char *safe = text_safe(text);

		puts(safe);
		fflush(stdout);
	}
	if (q->foreground) {
		r = start_wait(pid, &err);
		if (r) {
			complain_error(r, &err, q->image);
			return mount_status(r);
		}
	}
	return 0;
}

int cmd_mount(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "options", required_argument, NULL, 'o' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request q = { .verbose = isatty(STDOUT_FILENO) };
	struct vd_error err = { "" };
	int c;

	while ((c = getopt_long(argc, argv, "n:o:fvh", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			q.name = optarg;
			if (vd_drive_name_check(optarg, &err))
				return wrong_usage(MOUNT_USAGE, "%s", err.text);
			break;
		case 'o':
			if (mount_options_add(&q.options, optarg, false, &err))
				return wrong_usage(MOUNT_USAGE, "%s", err.text);
			break;
		case 'f':
			q.foreground = true;
			break;
		case 'v':
			q.verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(MOUNT_USAGE, NULL);
		}
	}
	if (argc - optind != 2)
		return wrong_usage(MOUNT_USAGE, argc - optind < 2
							? "an image and a folder are needed"
							: "too many arguments");
	q.image = argv[optind];
	q.dir = argv[optind + 1];
	if (!q.name && q.options.name[0])
		q.name = q.options.name;
	return mount_image(&q);
}

int cmd_mount_helper(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request q = { .helper = true };
	_cleanup_free_ char *texts = need(strdup(""));
	struct vd_error err = { "" };
	bool sloppy = false;
	int c;

	while ((c = getopt_long(argc, argv, "sfnvN:o:t:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			sloppy = true;
			break;
		case 'f':
			q.fake = true;
			break;
		case 'n':
			break;
		case 'v':
			q.verbose = true;
			break;
		case 'N':
			complain("mount namespaces are not supported: use nsenter(1)");
			return MOUNT_USAGE;
		case 'o': {
			char *both = format("%s,%s", texts, optarg);

			free(texts);
			texts = both;
			break;
		}
		case 't':
			if (strcmp(optarg, "vdrive") && strncmp(optarg, "vdrive.", 7)) {
				complain("type '%s' is not vdrive", optarg);
				return MOUNT_USAGE;
			}
			break;
		case 'h':
			fputs(helper_usage, stdout);
			return 0;
		default:
			return wrong_usage(MOUNT_USAGE, NULL);
		}
	}
	if (argc - optind != 2)
		return wrong_usage(MOUNT_USAGE, argc - optind < 2
							? "an image and a folder are needed"
							: "too many arguments");
	/* After all of them, since -s may come last. */
	if (mount_options_add(&q.options, texts, sloppy, &err))
		return wrong_usage(MOUNT_USAGE, "%s", err.text);
	q.image = argv[optind];
	q.dir = argv[optind + 1];
	if (q.options.name[0])
		q.name = q.options.name;
	return mount_image(&q);
}
