// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "oracle.h"

/*
 * Runs what extracts into @dir, an empty folder, and reads the result. With status @partly it has left out something,
 * which the comparison will find missing; with @fails it must have failed so, saying this.
 */
static bool extract(const char *dir, const char *const *argv, int partly, const char *fails,
		    struct tree *out)
{
	/* Times of day without a zone would mean the machine's. */
	const char *env[] = { "TZ=UTC", "LC_ALL=C.UTF-8", NULL };
	struct check_cmd c = { .argv = argv, .env = env, .timeout_ms = 300000 };
	bool ok;

	if (!CHECK_OK(check_remove_tree(dir)) || !CHECK_OK(mkdir(dir, 0755) ? -errno : 0))
		return false;
	ok = CHECK_OK(check_run(&c));
	if (ok && fails)
		ok = CHECK_INT(c.status, partly) && CHECK_HAS(c.err, fails);
	else if (ok && c.status && c.status != partly)
		ok = CHECK_FAIL("%s ended with %d: %s", argv[0], c.status, c.err);
	if (ok && !fails)
		ok = CHECK_OK(tree_walk(out, dir));
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
	argv[n++] = "-abort_on"; /* goes on where one file fails, and ends with 32 */
	argv[n++] = "FATAL";
	/* Of plain names it can show both: as they are on the disc, and as Linux maps them. */
	argv[n++] = "-ecma119_map";
	argv[n++] = view->map_off ? "unmapped" : "lowercase";
	argv[n++] = "-read_fs";
	if (view->norock)
		argv[n++] = view->nojoliet ? "ecma119" : "norock";
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
	return extract(dir, argv, 32, NULL, out);
}

bool oracle_bsdtar(const char *work, const char *iso, const struct oracle_view *view,
		   const char *fails, struct tree *out)
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
	if (!extract(dir, argv, 1, fails, out))
		return false;
	/* It drops the version of a plain name, but does not turn it to lower case as Linux does. */
	for (size_t i = 0; view->plain && i < out->n; i++) {
		for (char *c = out->entries[i].path; *c; c++) {
			if (*c >= 'A' && *c <= 'Z')
				*c += 'a' - 'A';
		}
	}
	tree_sort(out);
	return true;
}
