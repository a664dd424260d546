// SPDX-License-Identifier: GPL-3.0-or-later
/* Compresses hunks. What each codec makes of one is told in chd_codec.c. */
#include "images/chd_encode.h"

#include <FLAC/stream_encoder.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "disc/sector.h"
#include "images/chd_codec.h"
#include "images/chd_map.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SAMPLE 4u
/* Samples at most; chdman reads no others than it makes of a hunk. */
#define FLAC_BLOCK 2048u
#define FLAC_BLOCK_CD 2352u
#define FLAC_BLOCK_MIN 16u
#define FULL SIZE_MAX /* it did not get smaller than what there is room for */

struct vd_chd_encoder {
	const struct codec *codecs[4];
	uint32_t hunk;
	uint8_t *split, *try;
	FLAC__int32 *samples;
	z_stream zlib;
	bool zlib_open;
	lzma_stream lzma;
	ZSTD_CCtx *zstd;
};

/* Compresses @n bytes into at most @room. *len: how many it takes, or FULL. 0, -ENOMEM. */
typedef int encode_fn(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		      size_t room, size_t *len);

static int encode_zlib(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	z_stream *z = &e->zlib;

	if (!e->zlib_open && deflateInit2(z, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
					  Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	e->zlib_open = true;
	deflateReset(z);
	z->next_in = (Bytef *)(uintptr_t)data;
	z->avail_in = (uInt)n;
	z->next_out = out;
	z->avail_out = (uInt)room;
	*len = deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : FULL;
	return 0;
}

static int encode_lzma(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	lzma_options_lzma options = { 0 };
	/* LZMA1EXT is LZMA1 of a length that is told, and so without an end mark. */
	const lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA1EXT, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	lzma_ret r;

	if (lzma_lzma_preset(&options, 9))
		return -ENOMEM;
	options.dict_size = e->hunk < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : e->hunk;
	lzma_set_ext_size(options, n);
	r = lzma_raw_encoder(&e->lzma, filters);
	if (r != LZMA_OK)
		return -ENOMEM;
	e->lzma.next_in = data;
	e->lzma.avail_in = n;
	e->lzma.next_out = out;
	e->lzma.avail_out = room;
	r = lzma_code(&e->lzma, LZMA_FINISH);
	*len = r == LZMA_STREAM_END ? room - e->lzma.avail_out : FULL;
	return r == LZMA_MEM_ERROR ? -ENOMEM : 0;
}

static int encode_zstd(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	size_t r;

	if (!e->zstd)
		e->zstd = ZSTD_createCCtx();
	if (!e->zstd)
		return -ENOMEM;
	r = ZSTD_compressCCtx(e->zstd, out, room, data, n, ZSTD_maxCLevel());
	*len = ZSTD_isError(r) ? FULL : r;
	return 0;
}

/* FLAC. */

struct sink {
	uint8_t *out;
	size_t room, len; /* len > room: it was too much */
};

static FLAC__StreamEncoderWriteStatus flac_write(const FLAC__StreamEncoder *encoder,
						 const FLAC__byte buf[], size_t n, uint32_t samples,
						 uint32_t frame, void *arg)
{
	struct sink *s = arg;

	(void)encoder;
	(void)frame;
	/* The stream's header is not stored. */
	if (!samples)
		return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
	if (s->len > s->room || n > s->room - s->len) {
		s->len = FULL;
		return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
	}
	memcpy(s->out + s->len, buf, n);
	s->len += n;
	return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static void delete_flac(FLAC__StreamEncoder **f)
{
	if (*f)
		FLAC__stream_encoder_delete(*f);
}

static int encode_frames(struct vd_chd_encoder *e, bool big_endian, uint32_t most,
			 const uint8_t *data, size_t n, uint8_t *out, size_t room, size_t *len)
{
	_cleanup_(delete_flac) FLAC__StreamEncoder *f = NULL;
	struct sink sink = { .out = out, .room = room };
	uint32_t block = (uint32_t)(n / SAMPLE);

	while (block > most)
		block /= 2;
	*len = FULL;
	if (n % SAMPLE || block < FLAC_BLOCK_MIN)
		return 0;
	f = FLAC__stream_encoder_new();
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < n / 2; i++)
		e->samples[i] = (int16_t)(big_endian ? vd_get_be16(data + i * 2)
						     : vd_get_le16(data + i * 2));
	FLAC__stream_encoder_set_channels(f, 2);
	FLAC__stream_encoder_set_bits_per_sample(f, 16);
	FLAC__stream_encoder_set_sample_rate(f, 44100);
	FLAC__stream_encoder_set_compression_level(f, 8);
	FLAC__stream_encoder_set_streamable_subset(f, false);
	FLAC__stream_encoder_set_blocksize(f, block);
	if (FLAC__stream_encoder_init_stream(f, flac_write, NULL, NULL, NULL, &sink) !=
	    FLAC__STREAM_ENCODER_INIT_STATUS_OK)
		return -ENOMEM;
	if (FLAC__stream_encoder_process_interleaved(f, e->samples, (uint32_t)(n / SAMPLE)) &&
	    FLAC__stream_encoder_finish(f) && sink.len <= room)
		*len = sink.len;
	return 0;
}

static int encode_flac(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	_cleanup_free_ uint8_t *other = malloc(room);
	size_t big = FULL;
	int r;

	*len = FULL;
	if (room < 2)
		return 0;
	if (!other)
		return -ENOMEM;
	r = encode_frames(e, false, FLAC_BLOCK, data, n, out + 1, room - 1, len);
	if (!r)
		r = encode_frames(e, true, FLAC_BLOCK, data, n, other, room - 1, &big);
	if (r)
		return r;
	out[0] = 'L';
	if (big < *len) {
		out[0] = 'B';
		memcpy(out + 1, other, big);
		*len = big;
	}
	if (*len != FULL)
		++*len;
	return 0;
}

/* Codecs of CDs. */

static void split(struct vd_chd_encoder *e, const uint8_t *data, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		memcpy(e->split + i * VD_SECTOR_RAW, data + i * VD_CHD_FRAME, VD_SECTOR_RAW);
		memcpy(e->split + frames * VD_SECTOR_RAW + i * VD_SECTOR_SUB,
		       data + i * VD_CHD_FRAME + VD_SECTOR_RAW, VD_SECTOR_SUB);
	}
}

/* Leaves sync pattern and ECC of a sector out when they can be made again. */
static bool strip(uint8_t *sector)
{
	uint8_t ecc[VD_ECC_P_SIZE + VD_ECC_Q_SIZE];

	if (memcmp(sector, vd_sync_pattern, sizeof(vd_sync_pattern)))
		return false;
	vd_ecc(sector, sector[VD_AT_MODE] == 2, ecc);
	if (memcmp(sector + VD_AT_ECC, ecc, sizeof(ecc)))
		return false;
	memset(sector, 0, sizeof(vd_sync_pattern));
	memset(sector + VD_AT_ECC, 0, sizeof(ecc));
	return true;
}

static int encode_cd(struct vd_chd_encoder *e, encode_fn *main, encode_fn *sub, const uint8_t *data,
		     size_t n, uint8_t *out, size_t room, size_t *len)
{
	const size_t frames = n / VD_CHD_FRAME, flags = (frames + 7) / 8;
	const size_t head = flags + (n < 65536 ? 2 : 3);
	size_t sectors, subs;
	int r;

	*len = FULL;
	if (room <= head)
		return 0;
	split(e, data, frames);
	memset(out, 0, head);
	for (size_t i = 0; i < frames; i++)
		if (strip(e->split + i * VD_SECTOR_RAW))
			out[i / 8] |= (uint8_t)(1 << i % 8);
	r = main(e, e->split, frames * VD_SECTOR_RAW, out + head, room - head, &sectors);
	if (r || sectors == FULL)
		return r;
	if (n >= 65536)
		out[flags] = (uint8_t)(sectors >> 16);
	vd_put_be16(out + head - 2, (uint16_t)sectors);
	r = sub(e, e->split + frames * VD_SECTOR_RAW, frames * VD_SECTOR_SUB, out + head + sectors,
		room - head - sectors, &subs);
	if (!r && subs != FULL)
		*len = head + sectors + subs;
	return r;
}

static int encode_cdzl(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	return encode_cd(e, encode_zlib, encode_zlib, data, n, out, room, len);
}

static int encode_cdlz(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	return encode_cd(e, encode_lzma, encode_zlib, data, n, out, room, len);
}

static int encode_cdzs(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	return encode_cd(e, encode_zstd, encode_zstd, data, n, out, room, len);
}

static int encode_cdfl(struct vd_chd_encoder *e, const uint8_t *data, size_t n, uint8_t *out,
		       size_t room, size_t *len)
{
	const size_t frames = n / VD_CHD_FRAME;
	size_t sectors, subs;
	int r;

	*len = FULL;
	split(e, data, frames);
	r = encode_frames(e, true, FLAC_BLOCK_CD, e->split, frames * VD_SECTOR_RAW, out, room,
			  &sectors);
	if (r || sectors == FULL)
		return r;
	r = encode_zlib(e, e->split + frames * VD_SECTOR_RAW, frames * VD_SECTOR_SUB, out + sectors,
			room - sectors, &subs);
	if (!r && subs != FULL)
		*len = sectors + subs;
	return r;
}

static const struct codec {
	uint32_t tag;
	encode_fn *encode;
} codecs[] = {
	{ VD_CHD_TAG('z', 'l', 'i', 'b'), encode_zlib },
	{ VD_CHD_TAG('l', 'z', 'm', 'a'), encode_lzma },
	{ VD_CHD_TAG('z', 's', 't', 'd'), encode_zstd },
	{ VD_CHD_TAG('f', 'l', 'a', 'c'), encode_flac },
	{ VD_CHD_TAG('c', 'd', 'z', 'l'), encode_cdzl },
	{ VD_CHD_TAG('c', 'd', 'l', 'z'), encode_cdlz },
	{ VD_CHD_TAG('c', 'd', 'z', 's'), encode_cdzs },
	{ VD_CHD_TAG('c', 'd', 'f', 'l'), encode_cdfl },
};

int vd_chd_encoder_new(const uint32_t tags[4], uint32_t hunk, struct vd_chd_encoder **out,
		       struct vd_error *err)
{
	struct vd_chd_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return vd_error_errno(err, -ENOMEM, "cannot compress");
	e->hunk = hunk;
	e->lzma = (lzma_stream)LZMA_STREAM_INIT;
	e->split = malloc(hunk);
	e->try = malloc(hunk);
	e->samples = malloc((size_t)hunk / 2 * sizeof(*e->samples) + 1);
	for (size_t i = 0; i < 4 && tags[i]; i++) {
		for (size_t k = 0; k < VD_ARRAY_SIZE(codecs); k++)
			if (codecs[k].tag == tags[i])
				e->codecs[i] = &codecs[k];
		if (!e->codecs[i]) {
			vd_chd_encoder_free(e);
			return vd_error_set(err, -EINVAL, "a codec of a CHD that is not written");
		}
	}
	if (!e->split || !e->try || !e->samples) {
		vd_chd_encoder_free(e);
		return vd_error_errno(err, -ENOMEM, "cannot compress");
	}
	*out = e;
	return 0;
}

void vd_chd_encoder_free(struct vd_chd_encoder *e)
{
	if (!e)
		return;
	if (e->zlib_open)
		deflateEnd(&e->zlib);
	lzma_end(&e->lzma);
	ZSTD_freeCCtx(e->zstd);
	free(e->samples);
	free(e->try);
	free(e->split);
	free(e);
}

int vd_chd_encode(struct vd_chd_encoder *e, const uint8_t *hunk, uint8_t *out, unsigned int *index,
		  uint32_t *len)
{
	*index = VD_CHD_STORED;
	*len = e->hunk;
	for (unsigned int i = 0; i < 4 && e->codecs[i]; i++) {
		size_t n = FULL;
		/* Less than the best one so far, or it is of no use. */
		int r = *len > 1 ? e->codecs[i]->encode(e, hunk, e->hunk, e->try, *len - 1, &n) : 0;

		if (r)
			return r;
		if (n == FULL)
			continue;
		memcpy(out, e->try, n);
		*index = i;
		*len = (uint32_t)n;
	}
	if (*index == VD_CHD_STORED)
		memcpy(out, hunk, e->hunk);
	return 0;
}
