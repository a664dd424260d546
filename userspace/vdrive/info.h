/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of `vdrive info`: cmd_info.c has the command and the volume, info_disc.c what is known without a file system. */
#ifndef VDRIVE_INFO_H
#define VDRIVE_INFO_H

#include "fs/iso9660/iso9660.h"
#include "fs/udf/udf.h"
#include "images/image.h"
#include "userspace/vdrive/vdrive.h"

#define INFO_SESSIONS_MAX 99

/* The volume of a session. */
struct session_volume {
	bool there;
	int64_t lba; /* where it begins; -1: not known */
	uint64_t bytes;
	time_t created;
	char volume_id[64];
};

/* All that is known of an image. What failed is NULL and said in the status. */
struct report {
	const char *path;
	const struct vd_image_format *format;
	struct vd_disc *disc;
	struct vd_fs *fs;
	struct vd_iso_info *iso;
	struct vd_udf_info *udf;
	struct session_volume *volumes;	      /* INFO_SESSIONS_MAX, by number from 1 on */
	int nvolumes;			      /* the number of the last one that is there */
	const char *others[VD_FS_OTHERS_MAX]; /* file systems beside the one shown */
	size_t nothers;
	uint64_t size; /* of the file; of a disc in a drive: 2048 bytes a sector */
};

/* Appends a line to a table. */
#define ADD_LINE(t, ...)                                                                           \
	do {                                                                                       \
		const char *cells_[] = { __VA_ARGS__ };                                            \
		table_add(t, cells_, VD_ARRAY_SIZE(cells_), 0);                                    \
	} while (0)

/* "key:   value", made safe; nothing for an empty one. */
void info_put(const char *key, const char *value);
void info_json_time(struct json *j, const char *key, time_t t);
void info_put_time(const char *key, time_t t);
void info_put_size(const char *key, uint64_t bytes);

/* info_disc.c: medium and numbers of the disc, then tracks, sessions, CD-TEXT. */
void info_json_disc(struct json *j, const struct report *r);
void info_json_tracks(struct json *j, const struct report *r);
void info_json_sessions(struct json *j, const struct report *r);
void info_print_disc(const struct report *r);
void info_print_tracks(const struct report *r);
void info_print_sessions(const struct report *r);
void info_print_cdtext(const struct report *r);

/* info_sessions.c: fills r->volumes of a disc that has a file system. */
void info_find_volumes(struct report *r, const struct vd_fs_options *o);

/* info_udf.c */
void info_json_udf(struct json *j, const struct vd_udf_info *udf);
void info_print_udf(const struct vd_udf_info *udf);

#endif
