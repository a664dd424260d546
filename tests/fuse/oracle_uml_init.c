// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The first and only process of a User Mode Linux kernel: mounts images with the kernel's own file systems
 * and writes down what it sees. Statically linked, so that its root directory (oracle_uml.c makes it) holds nothing but this
 * program, modules and images.
 *
 *     /modules/NN-NAME.ko   loaded in the order of their names
 *     /jobs                 lines of OUT, IMAGE, TYPE, FILL, OPTIONS separated by tabs
 *     /out/OUT              the tree (treelist.h), or one line "!mount ERRNO"; where FILL is not "-" (oracle_uml_fill.h) the image
 *                           is written to instead, and this is an empty tree
 *     /out/done             written last: without it, the run has failed
 *
 * Everything that goes wrong before the first job is printed on the console, which the test shows.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "oracle_uml_fill.h"
#include "treelist.h"

static int fail(const char *what)
{
	int code = errno;

	printf("uml_init: %s: %s\n", what, strerror(code));
	return -1;
}

static int load_modules(void)
{
	struct dirent **names;
	int n = scandir("/modules", &names, NULL, alphasort);

	if (n < 0)
		return fail("/modules");
	for (int i = 0; i < n; i++) {
		char path[300];
		int fd;

		if (names[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			return fail(path);
		close(fd);
	}
	return 0;
}

static int attach(int loop, const char *image, bool write)
{
	struct loop_config config = { .block_size = 512 };
	int fd = open(image, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -1;
	config.fd = (uint32_t)fd;
	config.info.lo_flags = write ? 0 : LO_FLAGS_READ_ONLY;
	r = ioctl(loop, LOOP_CONFIGURE, &config);
	close(fd);
	return r;
}

/* Of what is mounted. */
static int write_tree(FILE *f, const char *out)
{
	struct tree tree = { 0 };
	int r = tree_walk(&tree, "/iso");

	if (!r)
		r = tree_write(&tree, f);
	tree_free(&tree);
	if (!r)
		return 0;
	errno = -r;
	return fail(out);
}

static int fill_tree(const char *what)
{
	int r;

	if (chdir("/iso") < 0)
		return fail("/iso");
	r = uml_fill(what);
	if (chdir("/") < 0)
		return fail("/");
	return r;
}

static int job(const char *out, const char *image, const char *type, const char *what,
	       const char *options)
{
	const bool write = strcmp(what, "-") != 0;
	char path[300];
	int loop = open("/dev/loop0", (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	FILE *f;
	int r;

	snprintf(path, sizeof(path), "/out/%s", out);
	f = fopen(path, "we");
	if (!f)
		return fail(path);
	if (loop < 0 || attach(loop, image, write) < 0)
		return fail(image);
	if (mount("/dev/loop0", "/iso", type, write ? 0 : MS_RDONLY, options) < 0) {
		fprintf(f, "!mount %s\n", strerrorname_np(errno));
		r = 0;
	} else {
		r = write ? fill_tree(what) : write_tree(f, out);
		if (r)
			fail(image);
		if (umount("/iso") < 0)
			r = fail("umount");
	}
	if (fclose(f))
		r = fail(path);
	if (ioctl(loop, LOOP_CLR_FD) < 0)
		r = fail("LOOP_CLR_FD");
	close(loop);
	return r;
}

static int all_jobs(void)
{
	FILE *jobs = fopen("/jobs", "re");
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!jobs)
		return fail("/jobs");
	while (!r && getline(&line, &room, jobs) > 0) {
		char *next = line;
		char *out = strsep(&next, "\t"), *image = strsep(&next, "\t");
		char *type = strsep(&next, "\t"), *what = strsep(&next, "\t");

		if (!next)
			return fail("a line of /jobs has too few fields");
		next[strcspn(next, "\n")] = '\0';
		r = job(out, image, type, what, next);
	}
	free(line);
	fclose(jobs);
	return r;
}

static int run(void)
{
	int fd;

	if (mount("none", "/dev", "tmpfs", 0, "") < 0)
		return fail("/dev");
	if (mknod("/dev/loop0", S_IFBLK | 0600, makedev(7, 0)) < 0)
		return fail("/dev/loop0");
	if (load_modules() < 0 || all_jobs() < 0)
		return -1;
	fd = open("/out/done", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail("/out/done");
	close(fd);
	return 0;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() != 1) {
		fprintf(stderr, "uml_init: runs as the first process of User Mode Linux only\n");
		return 2;
	}
	run();
	reboot(RB_POWER_OFF);
	return 1;
}
