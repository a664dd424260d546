// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Boots Debian's User Mode Linux, a kernel that runs as a process and needs no privileges, on a root directory made
 * here: oracle_uml_init.c as /init, the modules that its file systems need, hard links to the images.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "oracle.h"
#include "util/cleanup.h"

#define UML_PROGRAM "/usr/bin/linux"

/* In the order in which they are loaded. */
static const char *const modules[] = {
	"kernel/drivers/cdrom/cdrom.ko", "kernel/fs/isofs/isofs.ko",
	"kernel/lib/crc-itu-t.ko",	 "kernel/fs/udf/udf.ko",
	"kernel/drivers/block/loop.ko",	 "kernel/fs/nls/nls_utf8.ko",
};

const char *oracle_uml_missing(void)
{
	return access(UML_PROGRAM, X_OK) ? "no " UML_PROGRAM " (Debian's user-mode-linux)" : NULL;
}

static bool make_dir(const char *path)
{
	return mkdir(path, 0755) == 0 || CHECK_FAIL("%s: %s", path, strerror(errno));
}

static bool copy(const char *from, const char *to, mode_t mode)
{
	size_t len;
	char *data;

	if (access(from, R_OK) < 0)
		return CHECK_FAIL("%s: %s", from, strerror(errno));
	data = check_read_file(from, &len);
	check_write_file(to, data, len);
	return chmod(to, mode) == 0 || CHECK_FAIL("%s: %s", to, strerror(errno));
}

static bool put_modules(const char *root)
{
	const char *argv[] = { UML_PROGRAM, "--version", NULL };
	struct check_cmd c = { .argv = argv };
	const char *name;

	if (!CHECK_RUN(&c, 0))
		return false;
	c.out[strcspn(c.out, "\n")] = '\0';
	for (size_t i = 0; i < VD_ARRAY_SIZE(modules); i++) {
		name = strrchr(modules[i], '/') + 1;
		if (!copy(check_printf("/usr/lib/uml/modules/%s/%s", c.out, modules[i]),
			  check_printf("%s/modules/%02zu-%s", root, i, name), 0644))
			return false;
	}
	return true;
}

/* The options of mount(8) for a view. */
static const char *options(const struct oracle_view *v)
{
	/*
	 * session=N asks the drive for its table of contents, which a loop device does not have; sbsector= says the
	 * same in blocks.
	 */
	const char *session = v->sector ? check_printf(",sbsector=%u", v->sector) : "";

	return check_printf("iocharset=utf8%s%s%s%s%s%s", v->norock ? ",norock" : "",
			    v->nojoliet ? ",nojoliet" : "", v->map_off ? ",map=off" : "", session,
			    v->kernel_only ? "," : "", v->kernel_only ? v->kernel_only : "");
}

static bool put_jobs(const char *root, const struct oracle_job *jobs, size_t n)
{
	_cleanup_fclose_ FILE *f = fopen(check_printf("%s/jobs", root), "we");

	if (!f)
		return CHECK_FAIL("jobs: %s", strerror(errno));
	for (size_t i = 0; i < n; i++) {
		const char *name = strrchr(jobs[i].iso, '/') + 1;
		const char *to = check_printf("%s/images/%s", root, name);

		if (link(jobs[i].iso, to) < 0 && errno != EEXIST)
			return CHECK_FAIL("%s: %s", to, strerror(errno));
		fprintf(f, "%zu\t/images/%s\t%s\t%s\t%s\n", i, name,
			jobs[i].type ? jobs[i].type : "iso9660", jobs[i].fill ? jobs[i].fill : "-",
			jobs[i].type ? "" : options(&jobs[i].view));
	}
	return fflush(f) == 0 || CHECK_FAIL("jobs: %s", strerror(errno));
}

static bool get_result(const char *root, struct oracle_job *job, size_t i)
{
	const char *path = check_printf("%s/out/%zu", root, i);
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f)
		return CHECK_FAIL("%s: %s", path, strerror(errno));
	if (fscanf(f, "!mount %31s", job->error) == 1)
		return true;
	rewind(f);
	job->error[0] = '\0';
	return CHECK_OK(tree_read(&job->tree, f));
}

bool oracle_uml(const char *work, struct oracle_job *jobs, size_t n)
{
	static const char *const dirs[] = { "dev", "iso", "out", "modules", "images" };
	const char *root = check_printf("%s/uml", work);
	const char *argv[] = {
		UML_PROGRAM,
		"rootfstype=hostfs",
		check_printf("rootflags=%s", root),
		"rw",
		"init=/init",
		"mem=256M",
		"quiet",
		"con=null",
		"con0=null,fd:1", /* what /init prints is the test's to show */
		NULL,
	};
	/* It keeps a socket in $HOME/.uml, and its memory in a file in $TMPDIR. */
	const char *env[] = { check_printf("HOME=%s", work), NULL };
	struct check_cmd c = { .argv = argv, .env = env, .timeout_ms = 240000 };

	if (!make_dir(root))
		return false;
	for (size_t i = 0; i < VD_ARRAY_SIZE(dirs); i++) {
		if (!make_dir(check_printf("%s/%s", root, dirs[i])))
			return false;
	}
	if (!copy(UML_INIT, check_printf("%s/init", root), 0755) || !put_modules(root) ||
	    !put_jobs(root, jobs, n) || check_run(&c))
		return CHECK_FAIL("User Mode Linux was not started");
	if (c.timed_out || access(check_printf("%s/out/done", root), F_OK) < 0)
		return CHECK_FAIL("User Mode Linux did not finish (status %d): %s%s", c.status,
				  c.out, c.err);
	for (size_t i = 0; i < n; i++) {
		if (!get_result(root, &jobs[i], i))
			return false;
	}
	return CHECK_OK(check_remove_tree(root));
}
