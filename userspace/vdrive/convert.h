/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two halves of `vdrive convert`: cmd_convert.c names and opens files, convert.c in the cage writes to them. */
#ifndef VDRIVE_CONVERT_H
#define VDRIVE_CONVERT_H

#include "userspace/vdrive/caged.h"

/* What the cage asks to be opened: kinds of caged_output(). The one that names the others is asked for last. */
enum convert_output {
	CONVERT_MAIN,  /* OUT itself */
	CONVERT_BIN,   /* the sectors beside a sheet */
	CONVERT_CDT,   /* the CD-TEXT packs beside a sheet */
	CONVERT_TRACK, /* of a folder of tracks; the number is the track's */
};

struct convert_request;

struct convert_target {
	const char *name;   /* as in --to */
	const char *suffix; /* of files; of tracks in a folder */
	bool folder;	    /* OUT is one */
	bool sheet;	    /* a .bin and perhaps a .cdt lie beside it */
	/* Writes to @f what of the disc has no place in it, as "2 audio tracks, CD-TEXT". -errno with words when nothing has. */
	int (*losses)(struct vd_disc *d, const struct convert_request *q, FILE *f,
		      struct vd_error *err);
	int (*write)(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err);
};

/* NULL name at the end. */
extern const struct convert_target convert_targets[];

struct convert_request {
	struct opened *image;
	const struct convert_target *target;
	const char *out;      /* as the user named it */
	const char *bin_name; /* as the sheet names them, without a folder */
	const char *cdt_name;
	int track; /* of the tracks only this one, into a file; 0: all */
	bool force;
};

/* In the cage; @arg is a struct convert_request. */
int convert_run(struct caged *c, void *arg);

#endif
