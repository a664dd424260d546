/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A directory tree as data, and as text with one line an entry: what the readers of an image are compared by.
 *
 *     PATH  TYPE  MODE  NLINK  UID  GID  SIZE  MTIME  RDEV  DIGEST  TARGET        (separated by tabs)
 *
 * PATH is relative to the root, which is "."; bytes below 0x21, 0x7f and the backslash are written \xHH. Lines are
 * sorted by PATH, byte by byte. TYPE is one of d f l p s c b. MODE is octal without the type. MTIME is whole
 * seconds since the epoch. What a field cannot have is "-".
 *
 * DIGEST is "sha256:..." of a file's bytes. A file over TREE_WHOLE_MAX bytes has "chunks:..." instead: every byte is
 * read all the same, and the SHA-256 is taken over the number and the bytes of each 64 KiB chunk that is not all
 * zeros, and the size, so that 4.5 GB of almost nothing are compared at the speed of memory.
 *
 * An error is part of the tree: the field that could not be had is "!" and the errno's name, and a directory that
 * failed half-way has it as its DIGEST. So a tree read with errors never equals one read without.
 *
 * This file and treelist.c depend on nothing but the C library: they also run as the first process of User Mode
 * Linux (oracle_uml_init.c).
 */
#ifndef VD_TESTS_TREELIST_H
#define VD_TESTS_TREELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#define TREE_WHOLE_MAX (64u << 20)
#define TREE_CHUNK 65536u
#define TREE_DIGEST_MAX 80

struct tree_sha256 {
	uint32_t h[8];
	uint64_t bytes;
	uint8_t block[64];
};

void tree_sha256_init(struct tree_sha256 *s);
void tree_sha256_add(struct tree_sha256 *s, const void *data, size_t len);
void tree_sha256_end(struct tree_sha256 *s, uint8_t out[32]);

/* A file's DIGEST, built from its bytes in order. */
struct tree_digest {
	struct tree_sha256 whole, chunks;
	uint64_t size;
	size_t fill;
	uint8_t chunk[TREE_CHUNK];
};

void tree_digest_init(struct tree_digest *d);
void tree_digest_add(struct tree_digest *d, const void *data, size_t len);
/* The text of DIGEST; the size that was seen is in d->size. */
void tree_digest_end(struct tree_digest *d, char out[TREE_DIGEST_MAX]);

struct tree_entry {
	char *path; /* as it is, not escaped */
	char type;
	uint32_t mode, nlink, uid, gid;
	uint64_t size;
	int64_t mtime;
	uint32_t major, minor;	      /* of a device */
	char digest[TREE_DIGEST_MAX]; /* "" when it has none */
	char *target;		      /* NULL when it has none */
};

struct tree {
	struct tree_entry *entries;
	size_t n, room;
};

/* Appends a copy of @e. -ENOMEM. Sort when all are there. */
int tree_add(struct tree *t, const struct tree_entry *e);
void tree_sort(struct tree *t);
void tree_free(struct tree *t);
/* The entry of a path in a sorted tree, or NULL. */
struct tree_entry *tree_find(const struct tree *t, const char *path);
/* Takes an entry out of the tree. */
void tree_remove(struct tree *t, struct tree_entry *e);
/* Fills all but path, digest and target. */
void tree_entry_from_stat(struct tree_entry *e, const struct stat *st);
/* "!ENOENT" */
void tree_error_text(int code, char out[TREE_DIGEST_MAX]);

/*
 * Reads the tree below @dir, sorted. Other file systems mounted in it are not entered. 0, or -errno when there is no
 * memory or @dir itself cannot be opened; all other errors are in the tree.
 */
int tree_walk(struct tree *t, const char *dir);

int tree_write(const struct tree *t, FILE *out);
/* What tree_write() wrote. -EUCLEAN when it is something else. */
int tree_read(struct tree *t, FILE *in);
/* One entry as its line, without the newline; allocated, NULL when there is no memory. */
char *tree_entry_line(const struct tree_entry *e);

#endif
