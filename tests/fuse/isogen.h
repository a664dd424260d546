/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disc images for tests, made by other people's programs (xorriso, genisoimage, makefs) from source trees that are
 * made here. Everything is deterministic but for the times of creation in the volume descriptors.
 *
 * A work folder holds src/NAME, the trees, and NAME.iso, the images. Uses check.h: to be called from tests only.
 */
#ifndef VD_TESTS_ISOGEN_H
#define VD_TESTS_ISOGEN_H

#include <stdbool.h>
#include <stdint.h>

struct isogen_image {
	const char *name;
	const char *source; /* the tree that it is made from, and shows by default */
	const char *tool;   /* skipped where there is no such program */
	/*
	 * Run by sh -eu in the work folder, with $SRC (absolute), $ISO, $NAME, and `quiet PROGRAM...`, which shows
	 * the output only of a program that fails.
	 */
	const char *command;
	int (*patch)(const char *iso); /* NULL, or changes the image afterwards; 0 or -errno */
};

/* Ends with an entry without a name. */
extern const struct isogen_image isogen_images[];

const struct isogen_image *isogen_find(const char *name);

/* Makes src/NAME in @work unless it is there. A failure is a failed check. */
bool isogen_source(const char *work, const char *name);
/* Makes the image, and its source. A failure is a failed check that shows the program's output. */
bool isogen_make(const char *work, const struct isogen_image *image);
/* Can device nodes be made in @work? Sources have none otherwise. */
bool isogen_devices(const char *work);

/* Where the sessions of an image start, LBA. Returns how many; 0 for an image that was not made in sessions. */
int isogen_sessions(const char *work, const char *name, uint32_t lba[], int room);

#endif
