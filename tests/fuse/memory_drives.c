// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "memory_drives.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"

void md_sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static char *first_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return text;
}

char *md_attr(const char *drive, const char *name)
{
	return first_line(
		check_read_file(check_printf("%s/%s/attr/%s", cli_rundir(), drive, name), NULL));
}

struct mm_stat md_mm_stat(const char *drive)
{
	struct mm_stat m = { 0 };
	const char *text = !strncmp(drive, "/dev/", 5)
				   ? check_read_file(check_printf("/sys/block/%s/mm_stat",
								  drive + strlen("/dev/")),
						     NULL)
				   : md_attr(drive, "mm_stat");
	int n = sscanf(text, "%llu %llu %llu %llu %llu %llu %llu %llu", &m.orig, &m.compr, &m.used,
		       &m.limit, &m.used_max, &m.same, &m.compacted, &m.huge);

	ASSERT_INT(n, 8);
	return m;
}

char *md_column(const char *drive, const char *column)
{
	struct check_cmd *c = cli("vdrive list -b -n -r -o %s '%s'", column, drive);

	if (c->status || c->err_len)
		CHECK_FAIL("no %s of %s: %s", column, drive, c->err);
	return first_line(c->out);
}

static char *our_loops(void)
{
	char *found = check_printf("%s", "");
	glob_t g;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return found;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_cleanup_fclose_ FILE *f = fopen(g.gl_pathv[i], "re");
		char line[4096];

		if (f && fgets(line, sizeof(line), f) && strstr(line, check_tmpdir()))
			found = check_printf("%s%s: %s", found, g.gl_pathv[i], line);
	}
	globfree(&g);
	return found;
}

bool md_clean_at(const struct check_where *w)
{
	const char *loops = "";

	if (!cli_clean_at(w))
		return false;
	for (int i = 0; i < 100; i++) {
		loops = our_loops();
		if (!*loops)
			return true;
		md_sleep_ms(50);
	}
	return check_fail(w, "left behind:\n%s", loops);
}

void md_pattern(void *buf, size_t len, uint64_t seed, unsigned int share)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;
	unsigned char *p = buf;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		word = share && i / 8 % share == 0 ? 0 : x;
		memcpy(p + i, &word, 8);
	}
}
