// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Makes the trees that the images of the benchmarks are made from. Names and bytes are those of real files:
 * a spread over all regular files below /usr, taken in the order of their paths, so that two runs on one machine
 * make the same.
 *
 *     tree files DIR COUNT DIRS MAX   COUNT files in DIRS folders (0: in DIR itself), the first MAX bytes of each
 *     tree big FILE BYTES             one file of BYTES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE "/usr"
#define BUFFER (1u << 20)

struct source {
	char *path, *base;
};

static struct source *sources;
static size_t nsources;
static char buffer[BUFFER];

_Noreturn static void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("tree: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void find_sources(void)
{
	char root[] = SOURCE, *const roots[] = { root, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
	size_t room = 0;
	FTSENT *e;

	if (!fts)
		die("%s: %s", SOURCE, strerror(errno));
	while ((e = fts_read(fts))) {
		struct source *s;

		if (e->fts_info != FTS_F || !e->fts_statp->st_size || access(e->fts_path, R_OK))
			continue;
		if (nsources == room) {
			room = room ? room * 2 : 4096;
			sources = reallocarray(sources, room, sizeof(*sources));
			if (!sources)
				die("no memory");
		}
		s = &sources[nsources++];
		s->path = strdup(e->fts_path);
		if (!s->path)
			die("no memory");
		s->base = strrchr(s->path, '/') + 1;
	}
	fts_close(fts);
	if (!nsources)
		die("%s has no files", SOURCE);
}

/* The @i-th of @n, spread over all; from the start again when there are more than that. */
static const struct source *pick(size_t i, size_t n)
{
	size_t step = nsources / n;

	return &sources[i * (step ? step : 1) % nsources];
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void write_all(int fd, const char *path, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			die("%s: %s", path, strerror(errno));
		p += n;
		len -= (size_t)n;
	}
}

/* Appends at most @max bytes of @s; returns how many. */
static uint64_t append(int fd, const char *path, const struct source *s, uint64_t max)
{
	int in = open(s->path, O_RDONLY | O_CLOEXEC);
	uint64_t done = 0;
	ssize_t n;

	if (in < 0)
		die("%s: %s", s->path, strerror(errno));
	while (done < max) {
		n = read(in, buffer, max - done < BUFFER ? (size_t)(max - done) : BUFFER);
		if (n < 0)
			die("%s: %s", s->path, strerror(errno));
		if (!n)
			break;
		write_all(fd, path, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	close(in);
	return done;
}

static void make_files(const char *dir, size_t count, size_t dirs, uint64_t max)
{
	char path[4096];

	if (mkdir(dir, 0755))
		die("%s: %s", dir, strerror(errno));
	for (size_t i = 0; i < dirs; i++) {
		snprintf(path, sizeof(path), "%s/folder-%03zu", dir, i);
		if (mkdir(path, 0755))
			die("%s: %s", path, strerror(errno));
	}
	for (size_t i = 0; i < count; i++) {
		const struct source *s = pick(i, count);
		int fd;

		if (dirs)
			snprintf(path, sizeof(path), "%s/folder-%03zu/%06zu-%.200s", dir,
				 i * dirs / count, i, s->base);
		else
			snprintf(path, sizeof(path), "%s/%06zu-%.200s", dir, i, s->base);
		fd = create(path);
		append(fd, path, s, max);
		close(fd);
	}
}

static void make_big(const char *path, uint64_t bytes)
{
	int fd = create(path);
	uint64_t done = 0;

	/* A prime number of steps, so that every round over the sources meets others. */
	for (size_t i = 0; done < bytes; i += 7919)
		done += append(fd, path, &sources[i % nsources], bytes - done);
	close(fd);
}

int main(int argc, char **argv)
{
	find_sources();
	if (argc == 6 && !strcmp(argv[1], "files"))
		make_files(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10),
			   strtoull(argv[5], NULL, 10));
	else if (argc == 4 && !strcmp(argv[1], "big"))
		make_big(argv[2], strtoull(argv[3], NULL, 10));
	else
		die("usage: see the head of tree.c");
	return 0;
}
