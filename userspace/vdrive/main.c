// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive: one table of verbs. Called as mount.vdrive, it is mount(8)'s helper. */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

static const struct verb verbs[] = {
	{ "mount", "show the files of a disc image in a folder", cmd_mount, MOUNT_USAGE },
	{ "umount", "take down what mount set up", cmd_umount, MOUNT_USAGE },
	{ "attach", "make a virtual disk of a file", cmd_attach, EX_WRONG_USAGE },
	{ "optical", "make or remove a drive for discs, /dev/srN", cmd_optical, EX_WRONG_USAGE },
	{ "insert", "put a disc image into such a drive", cmd_insert, EX_WRONG_USAGE },
	{ "eject", "open its tray", cmd_eject, EX_WRONG_USAGE },
	{ "ramdisk", "make a scratch disk in compressed memory", cmd_ramdisk, EX_WRONG_USAGE },
	{ "swap", "swap to compressed memory", cmd_swap, EX_WRONG_USAGE },
	{ "detach", "take down any drive", cmd_detach, EX_WRONG_USAGE },
	{ "list", "show the drives there are", cmd_list, EX_WRONG_USAGE },
	{ "set", "show or change the attributes of a drive", cmd_set, EX_WRONG_USAGE },
	{ "info", "tell what is in a disc image", cmd_info, EX_WRONG_USAGE },
	{ "convert", "write a disc image in another format", cmd_convert, EX_WRONG_USAGE },
	{ "create", "make a blank medium for an optical drive", cmd_create, EX_WRONG_USAGE },
	{ "verify", "check the sectors of a disc image", cmd_verify, EX_WRONG_USAGE },
};

static const struct verb mount_helper = { "mount.vdrive", NULL, cmd_mount_helper, MOUNT_USAGE };

static void usage(FILE *f)
{
	fputs("\nUsage:\n"
	      " vdrive VERB [options] [arguments]\n"
	      "\n"
	      "Virtual disks, virtual CD/DVD drives and compressed swap.\n"
	      "\n"
	      "Verbs:\n",
	      f);
	for (size_t i = 0; i < VD_ARRAY_SIZE(verbs); i++)
		fprintf(f, " %-8s  %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n"
	      "Options:\n"
	      " -h, --help     display this help\n"
	      " -V, --version  display version\n"
	      "\n"
	      "'vdrive VERB --help' tells more about one of them, vdrive(1) about all.\n",
	      f);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* A full disk or a closed pipe behind stdout is a failure as any other. */
static int finish(int status, int failed)
{
	bool bad = ferror(stdout);

	errno = 0;
	if (fclose(stdout) || bad) {
		if (errno == EPIPE)
			return status ? status : failed;
		complain("write error%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
		return status ? status : failed;
	}
	return status;
}

static int run(const struct verb *v, int argc, char **argv)
{
	_cleanup_free_ char *name =
		v == &mount_helper ? format("%s", v->name) : format("vdrive %s", v->name);
	int status;

	/* getopt's own messages begin with argv[0]. */
	progname = argv[0] = name;
	status = v->run(argc, argv);
	status = finish(status, v->usage_status == MOUNT_USAGE ? MOUNT_FAILED : EX_FAILED);
	progname = "vdrive";
	return status;
}

/* Descriptors 0 to 2 are open from here on: an image must never land on one of them. */
static bool fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int main(int argc, char **argv)
{
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct verb *v;
	char *help[] = { NULL, (char *)"--help", NULL };

	if (argc < 1 || !fill_standard_fds())
		return MOUNT_SYSTEM;
	setlocale(LC_ALL, "");
	tzset();
	base = base ? base + 1 : argv[0];
	if (!strcmp(base, mount_helper.name))
		return run(&mount_helper, argc, argv);
	if (argc < 2)
		return wrong_usage(EX_WRONG_USAGE, "a verb is missing");
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("vdrive %s\n", VDRIVE_VERSION);
		return finish(0, EX_FAILED);
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		if (argv[1][0] == '-' || argc < 3) {
			usage(stdout);
			return finish(0, EX_FAILED);
		}
		v = find_verb(argv[2]);
		if (!v)
			return wrong_usage(EX_WRONG_USAGE, "unknown verb '%s'", argv[2]);
		return run(v, 2, help);
	}
	v = find_verb(argv[1]);
	if (!v)
		return wrong_usage(EX_WRONG_USAGE, "unknown %s '%s'",
				   argv[1][0] == '-' ? "option" : "verb", argv[1]);
	return run(v, argc - 1, argv + 1);
}
