// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/audio_mp3.h"

#include <errno.h>
#include <mpg123.h>
#include <stdio.h>
#include <stdlib.h>

struct vd_mp3 {
	mpg123_handle *mh;
	struct vd_store *file;
	uint64_t at;	/* bytes: where in the file it reads next */
	uint64_t reads; /* that it may make until it is asked for something else */
	int channels;
};

/*
 * To go through all of a file, byte by byte where it is damaged, takes less reads than it has bytes. What goes round in circles, over
 * data made for it, ends here.
 */
static void grant_reads(struct vd_mp3 *m)
{
	m->reads = m->file->size + 65536;
}

static ssize_t io_read(void *arg, void *buf, size_t n)
{
	struct vd_mp3 *m = arg;
	uint64_t left = m->file->size - m->at;

	if (!m->reads)
		return -1;
	m->reads--;
	if (n > left)
		n = (size_t)left;
	if (!n)
		return 0;
	if (vd_store_pread(m->file, buf, n, m->at))
		return -1;
	m->at += n;
	return (ssize_t)n;
}

static off_t io_seek(void *arg, off_t off, int whence)
{
	struct vd_mp3 *m = arg;
	off_t size = (off_t)m->file->size;
	off_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (off_t)m->at : size;

	if (off < -base || off > size - base)
		return -1;
	m->at = (uint64_t)(base + off);
	return (off_t)m->at;
}

/* Samples as they are in the file: no resampling, no other number of channels, no volume from tags. */
static int set_up(struct vd_mp3 *m)
{
	mpg123_handle *mh = m->mh;

	if (mpg123_param(mh, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_GAPLESS, 0) ||
	    mpg123_param(mh, MPG123_REMOVE_FLAGS, MPG123_FUZZY | MPG123_AUTO_RESAMPLE, 0) ||
	    mpg123_param(mh, MPG123_RVA, MPG123_RVA_OFF, 0) || mpg123_format_none(mh) ||
	    mpg123_format2(mh, 0, MPG123_MONO | MPG123_STEREO, MPG123_ENC_SIGNED_16) ||
	    mpg123_replace_reader_handle(mh, io_read, io_seek, NULL))
		return -ENOMEM;
	return 0;
}

int vd_mp3_open(struct vd_store *file, struct vd_mp3 **out, struct vd_mp3_info *info)
{
	struct vd_mp3 *m = calloc(1, sizeof(*m));
	int r, encoding;

	if (!m)
		return -ENOMEM;
	m->file = file;
	grant_reads(m);
	m->mh = mpg123_new(NULL, &r);
	r = m->mh ? set_up(m) : -ENOMEM;
	if (!r && (mpg123_open_handle(m->mh, m) ||
		   mpg123_getformat(m->mh, &info->rate, &info->channels, &encoding)))
		r = -EMEDIUMTYPE;
	if (!r) {
		m->channels = info->channels;
		if (mpg123_scan(m->mh))
			r = -EIO;
	}
	if (!r)
		info->frames = mpg123_length(m->mh);
	if (r) {
		vd_mp3_close(m);
		return r;
	}
	*out = m;
	return 0;
}

int vd_mp3_seek(struct vd_mp3 *m, uint64_t frame)
{
	grant_reads(m);
	return mpg123_seek(m->mh, (off_t)frame, SEEK_SET) == (off_t)frame ? 0 : -EIO;
}

int64_t vd_mp3_read(struct vd_mp3 *m, int16_t *buf, uint64_t n)
{
	const size_t frame = (size_t)m->channels * sizeof(*buf);
	size_t got = 0;
	int r;

	grant_reads(m);
	/* A new format is told before its first samples: it cannot be read, since it is another one than that of the file. */
	r = mpg123_read(m->mh, (void *)buf, (size_t)n * frame, &got);
	if (r == MPG123_NEW_FORMAT && !got) {
		long rate;
		int channels, encoding;

		if (mpg123_getformat(m->mh, &rate, &channels, &encoding) || channels != m->channels)
			return -EIO;
		r = mpg123_read(m->mh, (void *)buf, (size_t)n * frame, &got);
	}
	if (r && r != MPG123_DONE && !got)
		return -EIO;
	return (int64_t)(got / frame);
}

void vd_mp3_close(struct vd_mp3 *m)
{
	if (!m)
		return;
	if (m->mh) {
		mpg123_close(m->mh);
		mpg123_delete(m->mh);
	}
	free(m);
}
