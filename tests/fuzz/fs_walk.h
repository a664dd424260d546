/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every file system must keep of what fs/fs.h promises, whatever the disc's bytes. */
#ifndef VD_FUZZ_FS_WALK_H
#define VD_FUZZ_FS_WALK_H

#include <stdio.h>
#include <stdlib.h>

#include "fs/fs.h"

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "broken promise, line %d: %s\n", __LINE__, #cond);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Lists, looks up and reads all that is there: at most @max entries. */
void fs_walk(struct vd_fs *fs, size_t max);
/* Inode numbers and positions that nobody gave; @mask: the bits of a number. */
void fs_wrong_numbers(struct vd_fs *fs, const uint8_t *data, size_t size, uint64_t mask);

#endif
