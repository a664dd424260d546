// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "oracle.h"

/* Runs what extracts into @dir, an empty folder, and reads the result. */
static bool extract(const char *dir, const char *const *argv, struct tree *out)
{
	struct check_cmd c = { .argv = argv, .timeout_ms = 120000 };
	/* Times of day without a zone would mean the machine's. */
	const char *env[] = { "TZ=UTC", "LC_ALL=C.UTF-8", NULL };
	bool ok;

	c.env = env;
	if (!CHECK_OK(check_remove_tree(dir)) || !CHECK_OK(mkdir(dir, 0755) ? -errno : 0))
		return false;
	ok = CHECK_RUN(&c, 0) && CHECK_OK(tree_walk(out, dir));
	return CHECK_OK(check_remove_tree(dir)) && ok;
}

bool oracle_xorriso(const char *work, const char *iso, const struct oracle_view *view,
		    struct tree *out)
{
	const char *dir = check_printf("%s/by-xorriso", work);
	const char *argv[32];
	int n = 0;

	argv[n++] = "xorriso";
	argv[n++] = "-no_rc";
	/* Of plain names it can show both: as they are on the disc, and as Linux maps them. */
	argv[n++] = "-ecma119_map";
	argv[n++] = view->map_off ? "unmapped" : "lowercase";
	argv[n++] = "-read_fs";
	if (view->norock)
		argv[n++] = view->nojoliet ? "ecma" : "norock";
	else
		argv[n++] = view->nojoliet ? "nojoliet" : "any";
	if (view->sector) {
		argv[n++] = "-load";
		argv[n++] = "sbsector";
		argv[n++] = check_printf("%u", view->sector);
	}
	argv[n++] = "-indev";
	argv[n++] = check_printf("stdio:%s", iso);
	argv[n++] = "-osirrox";
	argv[n++] = geteuid() ? "on:sparse=65536" : "device_files:sparse=65536";
	argv[n++] = "-extract";
	argv[n++] = "/";
	argv[n++] = dir;
	argv[n] = NULL;
	return extract(dir, argv, out);
}

bool oracle_bsdtar(const char *work, const char *iso, const struct oracle_view *view,
		   struct tree *out)
{
	const char *dir = check_printf("%s/by-bsdtar", work);
	const char *argv[16];
	int n = 0;

	argv[n++] = "bsdtar";
	argv[n++] = "-xpSf"; /* modes and owners as they are, holes for zeros */
	argv[n++] = iso;
	argv[n++] = "-C";
	argv[n++] = dir;
	argv[n++] = "--numeric-owner";
	if (view->norock) {
		argv[n++] = "--options";
		argv[n++] = view->nojoliet ? "iso9660:!rockridge,iso9660:!joliet"
					   : "iso9660:!rockridge";
	} else if (view->nojoliet) {
		argv[n++] = "--options";
		argv[n++] = "iso9660:!joliet";
	}
	argv[n] = NULL;
	return extract(dir, argv, out);
}
