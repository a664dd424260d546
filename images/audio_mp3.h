/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MP3 through libmpg123 itself: libsndfile guesses the length of a file that does not tell it, and reads no further.
 */
#ifndef VD_IMAGES_AUDIO_MP3_H
#define VD_IMAGES_AUDIO_MP3_H

#include "store/store.h"

struct vd_mp3;

struct vd_mp3_info {
	long rate;
	int channels;
	int64_t frames; /* samples of each channel, counted in all of the file */
};

/* @file is borrowed. 0, -EMEDIUMTYPE when it is no such file, -EIO, -ENOMEM. */
int vd_mp3_open(struct vd_store *file, struct vd_mp3 **out, struct vd_mp3_info *info);
int vd_mp3_seek(struct vd_mp3 *m, uint64_t frame);
/* At most @n frames in the machine's byte order; 0 at the end, -EIO. */
int64_t vd_mp3_read(struct vd_mp3 *m, int16_t *buf, uint64_t n);
void vd_mp3_close(struct vd_mp3 *m); /* NULL is fine */

#endif
