/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that appear under their names when all of them are complete, and not before.
 *
 * A file has no name while it is written (O_TMPFILE), so that whoever is killed leaves nothing behind; where the file system
 * cannot do that it has a name of its own beside, ".NAME.vdrive-xxxxxx". A folder of files is made beside like that and renamed as a whole.
 *
 * Several files cannot appear at once, so they do in order, and the last one, a sheet that names the others, is never seen without or with
 * other ones than its own: where old files are replaced, theirs is moved away first, and moved back when something goes wrong.
 */
#ifndef VDRIVE_OUTPUTS_H
#define VDRIVE_OUTPUTS_H

#include "userspace/vdrive/vdrive.h"

struct output {
	char *path; /* where it is to appear */
	char *temp; /* NULL: it has no name yet */
	char *old; /* where the file of that name went that was there before; NULL: there was none */
	bool there; /* it has appeared */
	int fd;
};

struct outputs {
	bool replace; /* what has that name already */
	struct output *v;
	size_t n;
	/* A folder, instead. */
	char *dir, *dir_temp;
	int dir_fd;
};
#define OUTPUTS_NONE                                                                               \
	{                                                                                          \
		.dir_fd = -1                                                                       \
	}

/* A new file, which is to appear at @path. Its descriptor stays ours. -EEXIST, also when this is the second time, or as open(2) has it; with words. */
int outputs_open(struct outputs *o, const char *path, struct vd_error *err);
/* A new file in the folder that is to appear at @dir, one for all of them. */
int outputs_open_in(struct outputs *o, const char *dir, const char *name, struct vd_error *err);
/* Writes all to disk, then lets them appear in the order in which they were opened: all of them or, on failure, none. */
int outputs_commit(struct outputs *o, struct vd_error *err);
/* Takes away what has not appeared. */
void outputs_drop(struct outputs *o);

#endif
