/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens the files that a sheet names, for a reader that may open nothing. The name is a stranger's: it is resolved
 * beneath the folder that the sheet lies in, through no link that leads out and through nothing in /proc;
 * only regular files, only for reading, only so many. Where there is no file of that name, one that differs in case only, or in
 * `\` for `/`, is taken instead.
 */
#ifndef VDRIVED_OPENER_H
#define VDRIVED_OPENER_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define VD_OPENER_MAX 256
#define VD_OPENER_SEARCHES 1024 /* reading folders is not for ever */

struct vd_keeper_opener {
	int dir_fd; /* borrowed; -1 when nothing may be opened */
	int opened; /* so far */
	int searched;
	/* The folder that was looked through last, as it was then. Its names in the order of vd_keeper_open(), case left out. */
	char *folder, *text;
	const char **names;
	size_t nnames;
};

/* Frees what it has read. The folder's descriptor stays open. */
void vd_keeper_opener_done(struct vd_keeper_opener *o);

/* A descriptor that the caller owns; -EMFILE, -EXDEV (leads out of the folder), -ENOENT, -ENOTUNIQ, -EINVAL. */
int vd_keeper_open(struct vd_keeper_opener *o, const char *name, struct vd_error *err);
/*
 * Number @n, from 0 on, of the files in the folder itself whose names end in @suffix, ASCII in any case. As vd_keeper_open(), which then
 * opens that name; -ENOENT behind the last one. It counts as a search, and -EMFILE is said when there were too many.
 */
int vd_keeper_open_nth(struct vd_keeper_opener *o, const char *suffix, uint32_t n,
		       struct vd_error *err);
/* What the message of VD_MSG_OPEN asks for: either of them, the latter for ".chd" alone (-EACCES). */
int vd_keeper_open_asked(struct vd_keeper_opener *o, const char *text, uint32_t arg,
			 struct vd_error *err);

#endif
