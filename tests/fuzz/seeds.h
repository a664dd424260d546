/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What writes the files that a fuzz target starts from. _GNU_SOURCE is defined before this is included. */
#ifndef VD_FUZZ_SEEDS_H
#define VD_FUZZ_SEEDS_H

#include <stdio.h>
#include <stdlib.h>

/* A new file; NULL, which is said, when there can be none. */
static inline FILE *seed_open(const char *dir, const char *name)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	f = fopen(path, "wb");
	if (!f)
		perror(path);
	free(path);
	return f;
}

/* 0, or -1, which is said, when anything that was written to it is not there. */
static inline int seed_close(FILE *f)
{
	int lost = ferror(f);

	if (fclose(f) || lost) {
		perror("a seed cannot be written");
		return -1;
	}
	return 0;
}

static inline int seed_save(const char *dir, const char *name, const void *data, size_t len)
{
	FILE *f = seed_open(dir, name);

	if (!f)
		return -1;
	fwrite(data, len, 1, f);
	return seed_close(f);
}

#endif
