// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bench_anon PID FILE PAGES: appends to a file at most so many of the anonymous pages that a process has in memory, evenly
 * chosen, and says how many those are. The process should be stopped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { PAGE = 4096 };

#define PM_PRESENT (1ull << 63)
#define PM_FILE (1ull << 61) /* or shared */

struct list {
	uint64_t *pages;
	size_t n, room;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void add(struct list *l, uint64_t page)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->pages = reallocarray(l->pages, l->room, sizeof(*l->pages));
		if (!l->pages)
			fail("bench_anon");
	}
	l->pages[l->n++] = page;
}

static void find(const char *pid, struct list *l)
{
	char path[64], line[512];
	_cleanup_close_ int map = -1;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	map = open(path, O_RDONLY | O_CLOEXEC);
	if (map < 0)
		fail(path);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		fail(path);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to, entry;
		char mode[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, mode) != 3 ||
		    mode[1] != 'w' || mode[3] != 'p')
			continue;
		for (; from < to; from += PAGE) {
			if (pread(map, &entry, sizeof(entry), (off_t)(from / PAGE * 8)) != 8)
				break;
			if ((entry & (PM_PRESENT | PM_FILE)) == PM_PRESENT)
				add(l, from);
		}
	}
	fclose(maps);
}

int main(int argc, char **argv)
{
	size_t want = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, got = 0;
	_cleanup_close_ int memory = -1, out = -1;
	struct list l = { 0 };
	char path[64];

	if (!want) {
		fputs("usage: bench_anon PID FILE PAGES\n", stderr);
		return 2;
	}
	find(argv[1], &l);
	snprintf(path, sizeof(path), "/proc/%s/mem", argv[1]);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (memory < 0)
		fail(path);
	out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (out < 0)
		fail(argv[2]);
	if (want > l.n)
		want = l.n;
	for (size_t i = 0; i < want; i++) {
		unsigned char page[PAGE];

		if (pread(memory, page, PAGE, (off_t)l.pages[i * l.n / want]) != PAGE)
			continue;
		if (write(out, page, PAGE) != PAGE)
			fail(argv[2]);
		got++;
	}
	free(l.pages);
	printf("%zu\n", got);
	return got ? 0 : 1;
}
