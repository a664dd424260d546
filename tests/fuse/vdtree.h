/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree of an image as vdrive shows it. Uses check.h: what goes wrong is a failed check. */
#ifndef VD_TESTS_VDTREE_H
#define VD_TESTS_VDTREE_H

#include <stdbool.h>

#include "treelist.h"

/* As `vdrive mount -o @opts` shows it at @dir, which is empty. @vdrive: the command. */
bool vdtree_fuse(const char *vdrive, const char *image, const char *opts, const char *dir,
		 struct tree *out);
/* As the library has it, without FUSE; each entry is looked up as well. */
bool vdtree_library(const char *image, const char *opts, struct tree *out);

#endif
