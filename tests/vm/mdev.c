// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "mdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { PATIENCE_MS = 10000, PAUSE_MS = 20, DEBUG_PART = 20 };

static unsigned long long pages_before;

unsigned long long mdev_pool_pages(void)
{
	unsigned long long pages = 0;
	const char *line;

	/* Processors keep what they counted for themselves for a while. */
	check_sh("echo 1 >/proc/sys/vm/stat_refresh");
	line = strstr(check_read_file("/proc/vmstat", NULL), "nr_zspages ");
	ASSERT(line && sscanf(line, "nr_zspages %llu", &pages) == 1);
	return pages;
}

void mdev_setup(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	pages_before = mdev_pool_pages();
	ASSERT(MDEV_SH("modprobe memdrive"));
}

void mdev_teardown(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		return;
	MDEV_SH("modprobe -r memdrive");
	CHECK_UINT(mdev_pool_pages(), pages_before);
}

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

struct mdev mdev_add(const char *module)
{
	const char *control = check_printf("/sys/class/%s-control/hot_add", module), *text;
	struct mdev d = { .module = module };

	/* A program before this one may have unloaded it. */
	if (access(control, F_OK))
		ASSERT(MDEV_SH("modprobe %s", module));
	text = check_read_file(control, NULL);
	ASSERT_INT(sscanf(text, "%d", &d.number), 1);
	ASSERT_OK(access(mdev_node(d), F_OK));
	return d;
}

struct mdev mdev_make(const char *module, uint64_t bytes, const char *settings)
{
	struct mdev d = mdev_add(module);
	char *one, *text = check_printf("%s", settings);

	while ((one = strsep(&text, " ")) && *one) {
		const char *name = strsep(&one, "=");

		CHECK_OK(mdev_set(d, name, "%s", one ? one : ""));
	}
	ASSERT_OK(mdev_set(d, "disksize", "%llu", (unsigned long long)bytes));
	return d;
}

char *mdev_node(struct mdev d)
{
	return check_printf("/dev/%s%d", d.module, d.number);
}

char *mdev_attr(struct mdev d, const char *attr)
{
	return check_printf("/sys/block/%s%d/%s", d.module, d.number, attr);
}

int mdev_set(struct mdev d, const char *attr, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return write_text(mdev_attr(d, attr), text);
}

char *mdev_get(struct mdev d, const char *attr)
{
	char *text = check_read_file(mdev_attr(d, attr), NULL);
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

unsigned long long mdev_number(struct mdev d, const char *attr, unsigned int column)
{
	char *text = mdev_get(d, attr), *end;
	unsigned long long number = 0;

	for (unsigned int i = 0; i <= column; i++, text = end) {
		number = strtoull(text, &end, 0);
		if (end == text) {
			CHECK_FAIL("%s has no column %u: %s", attr, column, mdev_get(d, attr));
			return 0;
		}
	}
	return number;
}

struct mdev_mm_stat mdev_mm_stat(struct mdev d)
{
	const char *text = mdev_get(d, "mm_stat");
	struct mdev_mm_stat m = { 0 };

	ASSERT_INT(sscanf(text, "%llu %llu %llu %llu %llu %llu %llu %llu %llu", &m.orig, &m.compr,
			  &m.used, &m.limit, &m.used_max, &m.same, &m.compacted, &m.huge,
			  &m.huge_since),
		   9);
	return m;
}

static void pause_a_bit(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
}

int mdev_reset(struct mdev d)
{
	int r = -EBUSY;

	for (int i = 0; i < PATIENCE_MS / PAUSE_MS && r == -EBUSY; i++) {
		r = mdev_set(d, "reset", "1");
		if (r == -EBUSY)
			pause_a_bit();
	}
	return r;
}

int mdev_try_remove(struct mdev d)
{
	return write_text(check_printf("/sys/class/%s-control/hot_remove", d.module),
			  check_printf("%d", d.number));
}

int mdev_remove(struct mdev d)
{
	int r = -EBUSY;

	for (int i = 0; i < PATIENCE_MS / PAUSE_MS && r == -EBUSY; i++) {
		r = mdev_try_remove(d);
		if (r == -EBUSY)
			pause_a_bit();
	}
	return r;
}

void mdev_expect_errors(bool expected)
{
	static const char bad[] =
		"WARNING:|BUG|Oops|Call Trace:|blocked for more|bad page|INFO: possible";

	check_sh("echo %d >/proc/sys/kernel/printk", expected ? 1 : 7);
	if (expected)
		check_sh("dmesg -C");
	else
		CHECK_STR(check_sh("dmesg | grep -E '%s'", bad)->out, "");
}

bool mdev_sh_at(const struct check_where *w, const char *fmt, ...)
{
	struct check_cmd *c;
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	c = check_sh("%s", text);
	free(text);
	return !c->status ||
	       check_fail(w, "`%s` ended with %d: %s%s", c->argv[2], c->status, c->out, c->err);
}

pid_t mdev_start_meddler(struct mdev d, const char *store)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (unsigned int i = 0;; i++) {
		mdev_set(d, "idle", "all");
		mdev_set(d, "writeback", i % 2 ? "huge" : "idle");
		mdev_set(d, "spill_compact", "1");
		mdev_set(d, "mem_limit", i % 3 ? "1M" : "64M");
		mdev_set(d, "spill_readback", "%u", i % 3 * 4);
		mdev_set(d, "recompress", "type=all max_pages=50");
		if (i % 3 == 0 && !mdev_set(d, "backing_dev", "none")) {
			/* What is written meanwhile fits. */
			while (mdev_set(d, "backing_dev", "%s", store))
				pause_a_bit();
		}
	}
}

int mdev_rounds(int test, int soak)
{
	if (!getenv("VDRIVE_SOAK"))
		return test;
	if (!mdev_debug_kernel())
		return soak;
	return soak / DEBUG_PART > test ? soak / DEBUG_PART : test;
}

bool mdev_debug_kernel(void)
{
	const char *series = getenv("VDRIVE_VM_SERIES");

	return series && strstr(series, "-debug");
}
