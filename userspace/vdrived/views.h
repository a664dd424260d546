/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disc as files that are on no disc: disc.iso, disc.bin with disc.cue and disc.cdt, tracks/NN.wav, and the file systems of
 * its sessions. Made once when the disc is opened; read from any thread after that.
 */
#ifndef VDRIVED_VIEWS_H
#define VDRIVED_VIEWS_H

#include <pthread.h>

#include "fs/fs.h"
#include "images/write.h"

struct vd_served;

/* Sessions whose trees can be shown beside the default one. */
#define VD_VIEWS_SESSIONS 62

struct vd_views {
	struct vd_disc *disc;
	uint64_t iso_size; /* bytes; 0: no data track, and no disc.iso */
	bool has_bin;
	struct vd_bin bin;
	char *cue;
	size_t cue_len;
	bool has_cdt;
	struct vd_wav wav[VD_TRACKS_MAX + 1]; /* by track; size 0: none */
	int nwav;

	/* Opened when somebody first looks into sessions/. */
	pthread_mutex_t lock;
	bool sessions_tried;
	struct {
		int number;
		struct vd_fs *fs;
	} sessions[VD_VIEWS_SESSIONS];
	int nsessions;

	/* attr/unrepresentable: found bit by bit. */
	char *ranges; /* text, with a blank behind each */
	size_t ranges_len, ranges_cap, nranges;
	size_t last_at; /* where the last one begins, and what it says */
	int32_t last_lba;
	uint32_t last_n;
	enum vd_unrepresentable last_why;
	int32_t scan_at;
	bool scan_done;
};

enum vd_view { VD_VIEW_ISO, VD_VIEW_BIN, VD_VIEW_CUE, VD_VIEW_CDT, VD_VIEW_TRACK };

int vd_views_open(struct vd_views *v, struct vd_disc *d, struct vd_error *err);
/* Bytes of a file; 0: there is no such one. @track: of VD_VIEW_TRACK. */
uint64_t vd_view_size(const struct vd_views *v, enum vd_view view, int track);
/* @len bytes at @off, which lie in the file. 0 or -errno. */
int vd_view_pread(struct vd_views *v, enum vd_view view, int track, void *buf, size_t len,
		  uint64_t off);

/*
 * The sessions of a file system of several, but for the one that it shows itself: opened now if need be, with the same options.
 * Their number; sessions[] does not change any more.
 */
int vd_views_sessions(struct vd_views *v, const struct vd_fs *fs, const struct vd_fs_options *o);

/*
 * Writes what of disc.iso is only zeros, a line: "LBA+SECTORS:WHY" with blanks between. Looks for @ms milliseconds at most; where it has not
 * looked yet, the last one ends with "unscanned".
 */
void vd_views_unrepresentable(struct vd_views *v, int ms, FILE *f);

#endif
