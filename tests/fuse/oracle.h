/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Other people's readers of discs, each giving the tree it sees. Uses check.h: to be called from tests only; a
 * reader that is there and fails is a failed check.
 */
#ifndef VD_TESTS_ORACLE_H
#define VD_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "treelist.h"

/* How an image is to be read. */
struct oracle_view {
	bool norock, nojoliet, map_off;
	bool plain;		 /* what is shown then is the tree of plain names */
	uint32_t sector;	 /* where the session starts, LBA; 0: the reader's own choice */
	const char *kernel_only; /* more options for mount(8), or NULL */
};

/*
 * xorriso and bsdtar extract to a folder in @work, which is read and removed. So what a copy on a disk cannot have is
 * not the image's: sizes of directories, numbers of links, and the time of the root. bsdtar cannot show sessions
 * but the one whose descriptors come first, nor plain names with their versions (map_off).
 */
bool oracle_xorriso(const char *work, const char *iso, const struct oracle_view *view,
		    struct tree *out);
/* With @fails, bsdtar must fail with these words, and there is no tree. */
bool oracle_bsdtar(const char *work, const char *iso, const struct oracle_view *view,
		   const char *fails, struct tree *out);

/* The kernel's own file systems. One boot of User Mode Linux reads all that is asked, in this order. */
struct oracle_job {
	const char *iso;  /* the image's path, on the file system of @work */
	const char *type; /* "udf"; NULL: iso9660, with the options of `view` */
	struct oracle_view view;
	const char *fill; /* not read, but written to: see oracle_uml_fill.h; or NULL */
	struct tree tree;
	char error[32]; /* "EINVAL" when the kernel would not mount it; "" otherwise */
};

/* NULL when User Mode Linux is installed, else why it cannot be used. */
const char *oracle_uml_missing(void);
bool oracle_uml(const char *work, struct oracle_job *jobs, size_t n);

#endif
