// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sound files through libsndfile, and MP3 through libmpg123.
 *
 *   PCM     16-bit samples in a WAVE or AIFF file are read where they lie, by any number of threads
 *   others  are decoded in blocks of 64 KiB. A file keeps its two latest blocks
 *
 * Reads are at random, decoding is not: a block that is not the next one is sought a little before where it begins, and what is
 * decoded up to there is thrown away. That makes lossy formats exact: a Vorbis block overlaps the one before (at most 8192
 * samples), an MP3 frame takes bits and overlap from earlier ones (at most 10 frames at the lowest rate).
 *
 * A decoder takes up to a megabyte, a disc has up to 256 files: a few decoders are kept open, those used last, and
 * opened anew when they are needed again. Lock order: a store's, then the pool's; with the pool's held others are only tried.
 */
#include "images/audio.h"

#include <errno.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/audio_mp3.h"
#include "images/joined.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define RATE 44100
#define CHANNELS 2
#define FRAME 4u       /* bytes: a sample left and right */
#define BLOCK 16384u   /* frames decoded at a time */
#define BLOCKS 2u      /* kept of a file */
#define PREROLL 16384u /* frames decoded and thrown away behind a seek */
#define POOL 8u	       /* decoders that are open */
#define FRAMES_MAX 0x7fffffffll * 588

_Static_assert(PREROLL <= BLOCK, "what is thrown away is decoded into a block");

struct block {
	uint64_t index; /* in the file; only where `data` is */
	int16_t *data;
	uint64_t used; /* when: by audio.clock */
};

struct audio {
	struct vd_store store; /* its `inner` is the file */
	/* Samples as they lie in the file, from `pcm` on; 0: they are decoded. */
	uint64_t pcm;
	bool big_endian;
	/* The decoder, below this lock. */
	pthread_mutex_t lock;
	bool is_mp3;
	/* One of them, or neither when it is not open. */
	SNDFILE *snd;
	struct vd_mp3 *mp3;
	uint64_t at;   /* bytes: where in the file it reads next */
	uint64_t next; /* the frame that it decodes next */
	struct block blocks[BLOCKS];
	uint64_t clock;
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct audio *pool[POOL]; /* whose decoder is open, used last first; NULL at the end */

static struct audio *to_audio(struct vd_store *s)
{
	return (struct audio *)s;
}

/* What libsndfile reads from. */

static sf_count_t io_size(void *arg)
{
	struct audio *a = arg;

	return (sf_count_t)a->store.inner->size;
}

static sf_count_t io_seek(sf_count_t off, int whence, void *arg)
{
	struct audio *a = arg;
	sf_count_t size = io_size(arg);
	sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (sf_count_t)a->at : size;

	if (off < -base || off > size - base)
		return -1;
	a->at = (uint64_t)(base + off);
	return (sf_count_t)a->at;
}

static sf_count_t io_read(void *buf, sf_count_t n, void *arg)
{
	struct audio *a = arg;
	uint64_t left = a->store.inner->size - a->at;

	if (n <= 0)
		return 0;
	if ((uint64_t)n > left)
		n = (sf_count_t)left;
	if (vd_store_pread(a->store.inner, buf, (size_t)n, a->at))
		return 0;
	a->at += (uint64_t)n;
	return n;
}

static sf_count_t io_write(const void *buf, sf_count_t n, void *arg)
{
	(void)buf;
	(void)n;
	(void)arg;
	return 0;
}

static sf_count_t io_tell(void *arg)
{
	struct audio *a = arg;

	return (sf_count_t)a->at;
}

static SNDFILE *open_sndfile(struct audio *a, SF_INFO *info)
{
	static SF_VIRTUAL_IO io = { io_size, io_seek, io_read, io_write, io_tell };
	SNDFILE *snd;

	memset(info, 0, sizeof(*info));
	a->at = 0;
	a->next = 0;
	snd = sf_open_virtual(&io, SFM_READ, info, a);
	/* What a lossy format decodes beyond full scale stays there, and does not wrap around. */
	if (snd)
		sf_command(snd, SFC_SET_CLIPPING, NULL, SF_TRUE);
	return snd;
}

static int open_mp3(struct audio *a, SF_INFO *info)
{
	struct vd_mp3_info mp3;
	int r = vd_mp3_open(a->store.inner, &a->mp3, &mp3);

	if (r)
		return r;
	a->next = 0;
	*info = (SF_INFO){
		.samplerate = (int)mp3.rate,
		.channels = mp3.channels,
		.frames = mp3.frames,
		.format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
	};
	return 0;
}

static bool is_open(const struct audio *a)
{
	return a->snd || a->mp3;
}

/* 0 or -errno. */
static int open_decoder(struct audio *a, SF_INFO *info)
{
	if (a->is_mp3)
		return open_mp3(a, info);
	a->snd = open_sndfile(a, info);
	return a->snd ? 0 : -EMEDIUMTYPE;
}

/* The pool. */

static void close_decoder(struct audio *a)
{
	if (a->snd)
		sf_close(a->snd);
	vd_mp3_close(a->mp3);
	a->snd = NULL;
	a->mp3 = NULL;
}

/* Takes @a out of the pool, if it is in there. The pool is locked. */
static void leave_pool(const struct audio *a)
{
	size_t n = 0;

	for (size_t i = 0; i < POOL; i++)
		if (pool[i] && pool[i] != a)
			pool[n++] = pool[i];
	while (n < POOL)
		pool[n++] = NULL;
}

/* Puts @a, which is locked, to the front; the last one that nobody uses now is closed for it. */
static void enter_pool(struct audio *a)
{
	pthread_mutex_lock(&pool_lock);
	leave_pool(a);
	for (size_t i = POOL; pool[POOL - 1] && i > 0; i--) {
		struct audio *victim = pool[i - 1];

		if (pthread_mutex_trylock(&victim->lock))
			continue;
		close_decoder(victim);
		leave_pool(victim);
		pthread_mutex_unlock(&victim->lock);
	}
	/* All in use, by as many threads: the last one goes without a place, and is closed with its store. */
	memmove(pool + 1, pool, sizeof(pool) - sizeof(pool[0]));
	pool[0] = a;
	pthread_mutex_unlock(&pool_lock);
}

/* The decoder of @a, which is locked, open. */
static int need_decoder(struct audio *a)
{
	SF_INFO info;

	if (!is_open(a)) {
		if (open_decoder(a, &info))
			return -EIO;
		if ((uint64_t)info.frames * FRAME != a->store.size) {
			close_decoder(a);
			return -EIO; /* another file now */
		}
	}
	enter_pool(a);
	return 0;
}

/* Decoding. */

static int read_frames(struct audio *a, int16_t *buf, uint64_t n)
{
	while (n) {
		int64_t got = a->mp3 ? vd_mp3_read(a->mp3, buf, n)
				     : sf_readf_short(a->snd, buf, (sf_count_t)n);

		if (got <= 0)
			return -EIO;
		buf += (size_t)got * CHANNELS;
		n -= (uint64_t)got;
		a->next += (uint64_t)got;
	}
	return 0;
}

static int decode_block(struct audio *a, uint64_t index, int16_t *buf)
{
	uint64_t frames = a->store.size / FRAME, first = index * BLOCK;
	uint64_t n = frames - first < BLOCK ? frames - first : BLOCK;
	int r = need_decoder(a);

	if (!r && a->next != first) {
		uint64_t from = first > PREROLL ? first - PREROLL : 0;

		a->next = from;
		if (a->mp3)
			r = vd_mp3_seek(a->mp3, from);
		else if (sf_seek(a->snd, (sf_count_t)from, SEEK_SET) != (sf_count_t)from)
			r = -EIO;
		if (!r && from < first)
			r = read_frames(a, buf, first - from);
	}
	if (!r)
		r = read_frames(a, buf, n);
	/* Nobody knows where it stands now. */
	if (r)
		close_decoder(a);
	else
		for (uint64_t i = 0; i < n * CHANNELS; i++)
			vd_put_le16(&buf[i], (uint16_t)buf[i]);
	return r;
}

/* The block of that index, decoded. It stays until the store is unlocked. */
static int find_block(struct audio *a, uint64_t index, const int16_t **out)
{
	struct block *oldest = &a->blocks[0];
	int r;

	for (size_t i = 0; i < BLOCKS; i++) {
		struct block *b = &a->blocks[i];

		if (b->data && b->used && b->index == index) {
			b->used = ++a->clock;
			*out = b->data;
			return 0;
		}
		if (b->used < oldest->used)
			oldest = b;
	}
	if (!oldest->data)
		oldest->data = malloc((size_t)BLOCK * FRAME);
	if (!oldest->data)
		return -ENOMEM;
	oldest->used = 0;
	r = decode_block(a, index, oldest->data);
	if (r)
		return r;
	oldest->index = index;
	oldest->used = ++a->clock;
	*out = oldest->data;
	return 0;
}

static int read_decoded(struct audio *a, uint8_t *buf, size_t len, uint64_t off)
{
	const uint64_t block = (uint64_t)BLOCK * FRAME;
	int r = 0;

	pthread_mutex_lock(&a->lock);
	while (len && !r) {
		size_t skip = (size_t)(off % block), n = (size_t)block - skip;
		const int16_t *data;

		if (n > len)
			n = len;
		r = find_block(a, off / block, &data);
		if (r)
			break;
		memcpy(buf, (const uint8_t *)data + skip, n);
		buf += n;
		off += n;
		len -= n;
	}
	pthread_mutex_unlock(&a->lock);
	return r;
}

static int audio_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	struct audio *a = to_audio(s);

	if (!a->pcm)
		return read_decoded(a, buf, len, off);
	if (a->big_endian)
		return vd_read_swapped(s->inner, a->pcm, buf, len, off);
	return vd_store_pread(s->inner, buf, len, a->pcm + off);
}

static int audio_map(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	struct audio *a = to_audio(s);

	if (!a->pcm || a->big_endian)
		return -EOPNOTSUPP;
	return vd_store_map(s->inner, a->pcm + off, len, out);
}

static void audio_close(struct vd_store *s)
{
	struct audio *a = to_audio(s);

	pthread_mutex_lock(&pool_lock);
	leave_pool(a);
	pthread_mutex_unlock(&pool_lock);
	close_decoder(a);
	for (size_t i = 0; i < BLOCKS; i++)
		free(a->blocks[i].data);
	pthread_mutex_destroy(&a->lock);
	vd_store_close(s->inner);
	free(a);
}

static const struct vd_store_ops audio_ops = {
	.name = "audio",
	.pread = audio_pread,
	.map = audio_map,
	.close = audio_close,
};

/* Opening. */

enum format { UNKNOWN, SNDFILE_READS, MP3 };

/*
 * By the first 12 bytes: of the many formats that libsndfile reads those that a CD is made of. An old one is nothing to try on a
 * stranger's file.
 */
static enum format recognise(const uint8_t *p)
{
	static const struct {
		const char *begin, *at8;
	} magics[] = {
		{ "RIFF", "WAVE" }, { "RF64", "WAVE" }, { "riff", NULL }, { "FORM", "AIFF" },
		{ "FORM", "AIFC" }, { "fLaC", NULL },	{ "OggS", NULL },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(magics); i++)
		if (!memcmp(p, magics[i].begin, 4) &&
		    (!magics[i].at8 || !memcmp(p + 8, magics[i].at8, 4)))
			return SNDFILE_READS;
	/* The sync word of an MPEG audio frame, or a tag. */
	return (p[0] == 0xff && (p[1] & 0xe6) == 0xe2) || !memcmp(p, "ID3", 3) ? MP3 : UNKNOWN;
}

/* A tag may be before FLAC, too: its size, 4 times 7 bits, is at byte 6, without its header of 10 bytes (ID3v2.4, 3.1). */
static int look(struct vd_store *s, enum format *out)
{
	uint8_t p[12];
	int r;

	*out = UNKNOWN;
	if (s->size < sizeof(p))
		return 0;
	r = vd_store_pread(s, p, sizeof(p), 0);
	if (r)
		return r;
	*out = recognise(p);
	if (!memcmp(p, "ID3", 3)) {
		uint64_t at = 10 + ((uint64_t)(p[6] & 0x7f) << 21 | (uint64_t)(p[7] & 0x7f) << 14 |
				    (uint64_t)(p[8] & 0x7f) << 7 | (p[9] & 0x7f));

		if (at <= s->size - 4 && !vd_store_pread(s, p, 4, at) && !memcmp(p, "fLaC", 4))
			*out = SNDFILE_READS;
	}
	return 0;
}

/*
 * Where the samples lie in the chunks of a WAVE ("data") or an AIFF ("SSND", in which the first sample comes behind 8 bytes and as
 * many as the first 4 of these say): `pcm` and `big_endian` of @a. Nothing found: they are decoded.
 */
static void find_pcm(struct audio *a)
{
	struct vd_store *s = a->store.inner;
	uint8_t h[12], skip[4];
	uint64_t at = 12;
	bool aiff;

	if (vd_store_pread(s, h, 12, 0))
		return;
	aiff = !memcmp(h, "FORM", 4) && !memcmp(h + 8, "AIFF", 4);
	if (!aiff && (memcmp(h, "RIFF", 4) || memcmp(h + 8, "WAVE", 4)))
		return;
	for (int chunks = 0; chunks < 1000; chunks++) {
		uint32_t len;

		if (vd_store_pread(s, h, 8, at))
			return;
		len = aiff ? vd_get_be32(h + 4) : vd_get_le32(h + 4);
		at += 8;
		if (!memcmp(h, aiff ? "SSND" : "data", 4))
			break;
		at += (uint64_t)len + len % 2;
	}
	if (aiff) {
		if (vd_store_pread(s, skip, 4, at))
			return;
		at += 8 + (uint64_t)vd_get_be32(skip);
	}
	if (at > s->size || a->store.size > s->size - at)
		return;
	a->pcm = at;
	a->big_endian = aiff;
}

static int check_info(const SF_INFO *info, struct vd_error *err)
{
	SF_FORMAT_INFO subtype = { .format = info->format & SF_FORMAT_SUBMASK };

	if (info->samplerate != RATE)
		return vd_error_set(err, -EMEDIUMTYPE, "%d Hz, a CD has 44100", info->samplerate);
	if (info->channels != CHANNELS)
		return vd_error_set(err, -EMEDIUMTYPE, "%d channel%s, a CD has 2", info->channels,
				    info->channels == 1 ? "" : "s");
	switch (subtype.format) {
	case SF_FORMAT_PCM_16:
	case SF_FORMAT_VORBIS:
	case SF_FORMAT_MPEG_LAYER_III:
		break;
	default:
		if (sf_command(NULL, SFC_GET_FORMAT_INFO, &subtype, sizeof(subtype)))
			subtype.name = "of another kind";
		return vd_error_set(err, -EMEDIUMTYPE, "samples are %s, a CD has 16 bits",
				    subtype.name);
	}
	if (info->frames <= 0)
		return vd_error_set(err, -EMEDIUMTYPE, "it has no samples");
	if (info->frames > FRAMES_MAX)
		return vd_error_set(err, -EMEDIUMTYPE, "it does not say how long it is");
	return 0;
}

int vd_audio_open(int fd, struct vd_store **out, struct vd_error *err)
{
	struct vd_store *file;
	struct audio *a;
	enum format format;
	SF_INFO info;
	int r;

	r = vd_store_file_open(fd, true, &file, err);
	if (r)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a) {
		vd_store_close(file);
		return vd_error_errno(err, -ENOMEM, "cannot open it");
	}
	a->store.ops = &audio_ops;
	a->store.inner = file;
	a->store.block = 4096;
	a->store.read_only = true;
	pthread_mutex_init(&a->lock, NULL);
	r = look(file, &format);
	a->is_mp3 = format == MP3;
	if (r)
		vd_error_errno(err, r, "cannot read it");
	else if (format == UNKNOWN)
		r = vd_error_set(err, -EMEDIUMTYPE,
				 "not a sound file (WAVE, AIFF, FLAC, Ogg Vorbis, MP3)");
	else
		r = open_decoder(a, &info);
	if (!r)
		r = check_info(&info, err);
	else if (format != UNKNOWN)
		vd_error_set(err, r, "not a sound file that can be read%s%s", a->is_mp3 ? "" : ": ",
			     a->is_mp3 ? "" : sf_strerror(NULL));
	if (r) {
		audio_close(&a->store);
		return r;
	}
	a->store.size = (uint64_t)info.frames * FRAME;
	if ((info.format & SF_FORMAT_SUBMASK) == SF_FORMAT_PCM_16)
		find_pcm(a);
	if (a->pcm)
		close_decoder(a);
	else
		enter_pool(a);
	*out = &a->store;
	return 0;
}
