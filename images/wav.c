// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * An audio track as a WAVE file (Microsoft's RIFF, "Multimedia Programming Interface and Data Specifications 1.0"):
 *
 *     0   RIFF, size, WAVE
 *     12  fmt , 16 bytes: PCM, 2 channels, 44100 Hz, 16 bits
 *     36  LIST, size, INFO: a chunk for each text, even-sized with a NUL; left out when there is none
 *     n   data, size, samples
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/write.h"
#include "util/cleanup.h"
#include "util/endian.h"

static const struct vd_track *first_track(const struct vd_disc *d)
{
	return d->ntracks ? &d->tracks[0] : NULL;
}

bool vd_audio_span(const struct vd_disc *d, int number, int32_t *lba, uint32_t *n)
{
	const struct vd_track *t = number ? vd_disc_track(d, number) : first_track(d), *next;
	int64_t end;

	if (!t || t->mode != VD_TRACK_AUDIO || !vd_media_is_cd(vd_disc_media(d)))
		return false;
	if (!number) {
		if (t->start <= 0 || !vd_disc_is_stored(d, 0, t->start))
			return false;
		*lba = 0;
		*n = (uint32_t)t->start;
		return true;
	}
	next = t + 1 < d->tracks + d->ntracks ? t + 1 : NULL;
	end = next && next->session == t->session && next->mode == VD_TRACK_AUDIO ? next->start
										  : vd_track_end(t);
	*lba = t->start;
	*n = (uint32_t)(end - t->start);
	return true;
}

/* In the first language that has it. */
static int get_text(const struct vd_cdtext *c, enum vd_cdtext_type type, int track, char **out)
{
	for (int i = 0; i < VD_CDTEXT_BLOCKS; i++) {
		const struct vd_cdtext_string *s = vd_cdtext_get(c, i, type, track);
		int r;

		if (!s || !s->len)
			continue;
		r = vd_cdtext_to_utf8(c->block[i], s, out);
		if (r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

static void free_cdtext(struct vd_cdtext **c)
{
	vd_cdtext_free(*c);
}

int vd_audio_tags(const struct vd_disc *d, int number, struct vd_audio_tags *out)
{
	const struct vd_track *t = number ? vd_disc_track(d, number) : first_track(d);
	_cleanup_(free_cdtext) struct vd_cdtext *c = NULL;
	const struct vd_session *s;
	int r;

	memset(out, 0, sizeof(*out));
	if (!t)
		return -ENOENT;
	if (number && t->isrc[0])
		out->isrc = t->isrc;
	s = &d->sessions[t->session - 1];
	if (!s->ncdtext)
		return 0;
	r = vd_cdtext_decode(s->cdtext, s->ncdtext, &c);
	if (r)
		return r;
	r = get_text(c, VD_CDTEXT_TITLE, 0, &out->album);
	r = r ? r : get_text(c, VD_CDTEXT_PERFORMER, 0, &out->album_artist);
	r = r ? r : get_text(c, VD_CDTEXT_GENRE, 0, &out->genre);
	/* What is said of the disc is no track's but for what is before the first one. */
	if (number) {
		const struct {
			enum vd_cdtext_type type;
			char **text;
		} of_track[] = {
			{ VD_CDTEXT_TITLE, &out->title },
			{ VD_CDTEXT_PERFORMER, &out->artist },
			{ VD_CDTEXT_SONGWRITER, &out->songwriter },
			{ VD_CDTEXT_COMPOSER, &out->composer },
			{ VD_CDTEXT_ARRANGER, &out->arranger },
			{ VD_CDTEXT_MESSAGE, &out->message },
		};

		for (size_t i = 0; !r && i < VD_ARRAY_SIZE(of_track); i++)
			r = get_text(c, of_track[i].type, number, of_track[i].text);
	}
	if (r)
		vd_audio_tags_done(out);
	return r;
}

void vd_audio_tags_done(struct vd_audio_tags *t)
{
	free(t->title);
	free(t->artist);
	free(t->album);
	free(t->album_artist);
	free(t->songwriter);
	free(t->composer);
	free(t->arranger);
	free(t->message);
	free(t->genre);
	memset(t, 0, sizeof(*t));
}

static void put32(FILE *f, uint64_t v)
{
	uint8_t b[4];

	vd_put_le32(b, (uint32_t)v);
	fwrite(b, 1, sizeof(b), f);
}

static void put_info(FILE *f, const char *id, const char *text)
{
	size_t len = text && *text ? strlen(text) + 1 : 0;

	if (!len)
		return;
	fwrite(id, 1, 4, f);
	put32(f, len);
	fwrite(text, 1, len, f);
	if (len % 2)
		fputc(0, f);
}

/* The chunks of INFO that players know: IPRT and ITRK both stand for the track's number. */
static int make_info(const struct vd_disc *d, int number, char **out, size_t *len)
{
	struct vd_audio_tags tags;
	char text[8];
	FILE *f;
	int r = vd_audio_tags(d, number, &tags);

	*out = NULL;
	*len = 0;
	if (r)
		return r;
	f = open_memstream(out, len);
	if (!f) {
		vd_audio_tags_done(&tags);
		return -ENOMEM;
	}
	put_info(f, "INAM", tags.title);
	put_info(f, "IART", tags.artist ? tags.artist : tags.album_artist);
	put_info(f, "IPRD", tags.album);
	put_info(f, "IWRI", tags.songwriter);
	put_info(f, "IMUS", tags.composer);
	put_info(f, "IENG", tags.arranger);
	put_info(f, "ICMT", tags.message);
	put_info(f, "IGNR", tags.genre);
	put_info(f, "ISRC", tags.isrc);
	fflush(f);
	if (*len) {
		snprintf(text, sizeof(text), "%d", number);
		put_info(f, "ITRK", text);
	}
	vd_audio_tags_done(&tags);
	return fclose(f) ? -ENOMEM : 0;
}

void vd_wav_format(uint8_t head[VD_WAV_FORMAT], uint32_t riff)
{
	memcpy(head, "RIFF", 4);
	vd_put_le32(head + 4, riff);
	memcpy(head + 8, "WAVEfmt \20\0\0\0\1\0\2\0", 16); /* PCM, two channels */
	vd_put_le32(head + 24, 44100);
	vd_put_le32(head + 28, 44100 * 4);
	memcpy(head + 32, "\4\0\20\0", 4); /* bytes of a frame, bits of a sample */
}

int vd_wav_init(struct vd_wav *w, struct vd_disc *d, int number)
{
	_cleanup_free_ char *info = NULL;
	uint8_t head[VD_WAV_FORMAT];
	char *header = NULL;
	size_t info_len;
	uint64_t bytes, before;
	FILE *f;
	int r;

	memset(w, 0, sizeof(*w));
	if (!vd_audio_span(d, number, &w->lba, &w->sectors))
		return -ENOENT;
	bytes = (uint64_t)w->sectors * VD_SECTOR_RAW;
	r = make_info(d, number, &info, &info_len);
	if (r)
		return r;
	before = 36 + (info_len ? 12 + info_len : 0) + 8;
	if (before + bytes - 8 > UINT32_MAX)
		return -EFBIG;
	f = open_memstream(&header, &w->header_len);
	if (!f)
		return -ENOMEM;
	vd_wav_format(head, (uint32_t)(before + bytes - 8));
	fwrite(head, 1, sizeof(head), f);
	if (info_len) {
		fwrite("LIST", 1, 4, f);
		put32(f, info_len + 4);
		fwrite("INFO", 1, 4, f);
		fwrite(info, 1, info_len, f);
	}
	fwrite("data", 1, 4, f);
	put32(f, bytes);
	if (fclose(f)) {
		free(header);
		return -ENOMEM;
	}
	w->disc = d;
	w->header = (uint8_t *)header;
	w->size = w->header_len + bytes;
	return 0;
}

void vd_wav_done(struct vd_wav *w)
{
	free(w->header);
	memset(w, 0, sizeof(*w));
}

int vd_wav_pread(const struct vd_wav *w, void *out, size_t len, uint64_t off)
{
	uint8_t *buf = out, one[VD_SECTOR_RAW];

	if (off > w->size || len > w->size - off)
		return -EINVAL;
	if (off < w->header_len && len) {
		size_t n = w->header_len - off < len ? (size_t)(w->header_len - off) : len;

		memcpy(buf, w->header + off, n);
		buf += n;
		off += n;
		len -= n;
	}
	if (len)
		off -= w->header_len;
	while (len) {
		uint32_t at = (uint32_t)(off / VD_SECTOR_RAW), skip = off % VD_SECTOR_RAW;
		size_t n = len / VD_SECTOR_RAW;
		int r;

		if (skip || !n) {
			n = VD_SECTOR_RAW - skip < len ? VD_SECTOR_RAW - skip : len;
			r = vd_disc_read_sectors(w->disc, w->lba + (int32_t)at, 1, VD_READ_USER,
						 one);
			if (!r)
				memcpy(buf, one + skip, n);
		} else {
			r = vd_disc_read_sectors(w->disc, w->lba + (int32_t)at, (uint32_t)n,
						 VD_READ_USER, buf);
			n *= VD_SECTOR_RAW;
		}
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}
