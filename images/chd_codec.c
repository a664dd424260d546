// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The codecs. None of them has a header of its own:
 *
 *     zlib   a deflate stream (RFC 1951)
 *     lzma   an LZMA stream with lc 3, lp 0, pb 2 and no end mark
 *     zstd   a frame (RFC 8878)
 *     huff   Huffman code lengths (chd_bits.h), then a code for each byte
 *     flac   'L' or 'B', little or big endian; then FLAC frames of 16 bits and two channels
 *
 * A hunk of a CD is frames of 2352 bytes of sector and 96 of subchannel. Its codecs put all sectors together and compress them, and
 * then all subchannels:
 *
 *     cdzl, cdlz, cdzs   a bit for each frame, the lowest of byte 0 first: its sync pattern and ECC are left out and zero here
 *                        length of the compressed sectors, 2 bytes, or 3 in a hunk of 65536 bytes and more
 *                        the sectors by zlib, lzma, zstd; then the subchannels, by zlib in the first two, by zstd
 *     cdfl               the sectors as FLAC frames of big endian samples; then the subchannels by zlib
 *
 * The ECC that was left out is that of mode 1, or of Form 1, by what byte 15 says.
 */
#include "images/chd_codec.h"

#include <FLAC/stream_decoder.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "disc/sector.h"
#include "images/chd_bits.h"
#include "images/chd_map.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define CHANNELS 2u
#define SAMPLE 4u /* bytes of one, both channels */
#define FLAC_BLOCK_MAX 65535u
#define FLAC_HEADER 42u

struct flac {
	FLAC__StreamDecoder *decoder;
	const uint8_t *data;
	size_t len, at; /* of `data`; what libFLAC took */
	uint8_t *out;
	size_t samples, done;
	bool big_endian, bad;
};

struct vd_chd_decoder {
	const struct codec *codecs[4];
	uint32_t hunk;
	uint8_t *in, *split;
	z_stream zlib;
	bool zlib_open;
	lzma_stream lzma;
	ZSTD_DCtx *zstd;
	struct vd_chd_huffman *huff;
	struct flac flac;
};

/* Decodes @len bytes at @data into exactly @n at @out. 0, -EIO, -ENOMEM. */
typedef int decode_fn(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		      size_t n);

static int decode_zlib(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	z_stream *z = &d->zlib;

	if (!d->zlib_open && inflateInit2(z, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	d->zlib_open = true;
	inflateReset(z);
	z->next_in = (Bytef *)(uintptr_t)data;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)n;
	/* An error of the stream, or one that ends early, leaves room. */
	switch (inflate(z, Z_FINISH)) {
	case Z_STREAM_END:
	case Z_OK:
	case Z_BUF_ERROR:
		return z->avail_out ? -EIO : 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int decode_lzma(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	lzma_options_lzma options = {
		.dict_size = d->hunk < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : d->hunk,
		.lc = 3,
		.lp = 0,
		.pb = 2,
	};
	const lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA1, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	lzma_ret r = lzma_raw_decoder(&d->lzma, filters);

	if (r != LZMA_OK)
		return r == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
	d->lzma.next_in = data;
	d->lzma.avail_in = len;
	d->lzma.next_out = out;
	d->lzma.avail_out = n;
	r = lzma_code(&d->lzma, LZMA_RUN);
	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	return (r == LZMA_OK || r == LZMA_STREAM_END) && !d->lzma.avail_out ? 0 : -EIO;
}

static int decode_zstd(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	if (!d->zstd)
		d->zstd = ZSTD_createDCtx();
	if (!d->zstd)
		return -ENOMEM;
	return ZSTD_decompressDCtx(d->zstd, out, n, data, len) == n ? 0 : -EIO;
}

static int decode_huff(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	struct vd_chd_bits b = { .p = data, .end = data + len };

	if (!d->huff)
		d->huff = malloc(sizeof(*d->huff));
	if (!d->huff)
		return -ENOMEM;
	d->huff->codes = 256;
	d->huff->max = 16;
	if (vd_chd_huffman_nested(d->huff, &b))
		return -EIO;
	for (size_t i = 0; i < n; i++) {
		int v = vd_chd_huffman_get(d->huff, &b);

		if (v < 0)
			return -EIO;
		out[i] = (uint8_t)v;
	}
	return vd_chd_overrun(&b) ? -EIO : 0;
}

/* FLAC. */

static FLAC__StreamDecoderReadStatus flac_read(const FLAC__StreamDecoder *decoder, FLAC__byte buf[],
					       size_t *n, void *arg)
{
	struct flac *f = arg;
	size_t left = f->len - f->at;

	(void)decoder;
	if (f->bad)
		return FLAC__STREAM_DECODER_READ_STATUS_ABORT;
	if (*n > left)
		*n = left;
	memcpy(buf, f->data + f->at, *n);
	f->at += *n;
	return *n ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
		  : FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
}

static FLAC__StreamDecoderTellStatus flac_tell(const FLAC__StreamDecoder *decoder, FLAC__uint64 *at,
					       void *arg)
{
	(void)decoder;
	*at = ((struct flac *)arg)->at;
	return FLAC__STREAM_DECODER_TELL_STATUS_OK;
}

static FLAC__StreamDecoderWriteStatus flac_write(const FLAC__StreamDecoder *decoder,
						 const FLAC__Frame *frame,
						 const FLAC__int32 *const samples[], void *arg)
{
	struct flac *f = arg;
	size_t n = frame->header.blocksize;
	uint8_t *out = f->out + f->done * SAMPLE;

	(void)decoder;
	if (frame->header.channels != CHANNELS || frame->header.bits_per_sample != 16 ||
	    n > f->samples - f->done) {
		f->bad = true;
		return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
	}
	if (f->big_endian)
		for (size_t i = 0; i < n; i++) {
			vd_put_be16(out + i * SAMPLE, (uint16_t)samples[0][i]);
			vd_put_be16(out + i * SAMPLE + 2, (uint16_t)samples[1][i]);
		}
	else
		for (size_t i = 0; i < n; i++) {
			vd_put_le16(out + i * SAMPLE, (uint16_t)samples[0][i]);
			vd_put_le16(out + i * SAMPLE + 2, (uint16_t)samples[1][i]);
		}
	f->done += n;
	return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void flac_error(const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status,
		       void *arg)
{
	(void)decoder;
	(void)status;
	((struct flac *)arg)->bad = true;
}

/* A decoder that has read the stream's header, which a hunk does not have: frames may leave to it what they are. */
static int open_flac(struct flac *f)
{
	uint8_t header[FLAC_HEADER] = "fLaC";
	uint64_t format = 44100ull << 44 | (uint64_t)(CHANNELS - 1) << 41 | 15ull << 36;

	if (f->decoder)
		return 0;
	header[4] = 0x80; /* STREAMINFO, the last block */
	header[7] = FLAC_HEADER - 8;
	vd_put_be16(header + 8, 16);
	vd_put_be16(header + 10, FLAC_BLOCK_MAX);
	vd_put_be32(header + 18, (uint32_t)(format >> 32));
	vd_put_be32(header + 22, (uint32_t)format);
	f->decoder = FLAC__stream_decoder_new();
	if (!f->decoder)
		return -ENOMEM;
	f->data = header;
	f->len = FLAC_HEADER;
	f->at = 0;
	f->bad = false;
	if (FLAC__stream_decoder_init_stream(f->decoder, flac_read, NULL, flac_tell, NULL, NULL,
					     flac_write, NULL, flac_error,
					     f) == FLAC__STREAM_DECODER_INIT_STATUS_OK &&
	    FLAC__stream_decoder_process_until_end_of_metadata(f->decoder) && !f->bad)
		return 0;
	FLAC__stream_decoder_delete(f->decoder);
	f->decoder = NULL;
	return -ENOMEM;
}

/* *used: bytes of @data that the frames take. */
static int decode_frames(struct flac *f, bool big_endian, const uint8_t *data, size_t len,
			 uint8_t *out, size_t n, size_t *used)
{
	FLAC__uint64 at = 0;
	int r = open_flac(f);

	if (r)
		return r;
	if (!FLAC__stream_decoder_flush(f->decoder))
		return -ENOMEM;
	f->data = data;
	f->len = len;
	f->at = 0;
	f->out = out;
	f->samples = n / SAMPLE;
	f->done = 0;
	f->big_endian = big_endian;
	f->bad = n % SAMPLE != 0;
	while (!f->bad && f->done < f->samples) {
		FLAC__StreamDecoderState state;

		if (!FLAC__stream_decoder_process_single(f->decoder))
			break;
		state = FLAC__stream_decoder_get_state(f->decoder);
		if (state >= FLAC__STREAM_DECODER_END_OF_STREAM)
			break;
	}
	if (!f->bad && f->done == f->samples &&
	    FLAC__stream_decoder_get_decode_position(f->decoder, &at) && at <= len) {
		*used = (size_t)at;
		return 0;
	}
	/* What state an error left it in is of no account any more. */
	FLAC__stream_decoder_delete(f->decoder);
	f->decoder = NULL;
	return -EIO;
}

static int decode_flac(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	size_t used;

	if (!len || (data[0] != 'L' && data[0] != 'B'))
		return -EIO;
	return decode_frames(&d->flac, data[0] == 'B', data + 1, len - 1, out, n, &used);
}

/* Codecs of CDs. */

static void join(const struct vd_chd_decoder *d, uint8_t *out, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		memcpy(out + i * VD_CHD_FRAME, d->split + i * VD_SECTOR_RAW, VD_SECTOR_RAW);
		memcpy(out + i * VD_CHD_FRAME + VD_SECTOR_RAW,
		       d->split + frames * VD_SECTOR_RAW + i * VD_SECTOR_SUB, VD_SECTOR_SUB);
	}
}

static int decode_cd(struct vd_chd_decoder *d, decode_fn *main, decode_fn *sub, const uint8_t *data,
		     size_t len, uint8_t *out, size_t n)
{
	const size_t frames = n / VD_CHD_FRAME, flags = (frames + 7) / 8;
	const size_t width = n < 65536 ? 2 : 3, head = flags + width;
	size_t length;
	int r;

	if (len < head)
		return -EIO;
	length = vd_get_be16(data + flags);
	if (width == 3)
		length = length << 8 | data[flags + 2];
	if (length > len - head)
		return -EIO;
	r = main(d, data + head, length, d->split, frames * VD_SECTOR_RAW);
	if (!r)
		r = sub(d, data + head + length, len - head - length,
			d->split + frames * VD_SECTOR_RAW, frames * VD_SECTOR_SUB);
	if (r)
		return r;
	join(d, out, frames);
	for (size_t i = 0; i < frames; i++) {
		uint8_t *sector = out + i * VD_CHD_FRAME;

		if (!(data[i / 8] & 1 << i % 8))
			continue;
		memcpy(sector, vd_sync_pattern, sizeof(vd_sync_pattern));
		vd_ecc(sector, sector[VD_AT_MODE] == 2, sector + VD_AT_ECC);
	}
	return 0;
}

static int decode_cdzl(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	return decode_cd(d, decode_zlib, decode_zlib, data, len, out, n);
}

static int decode_cdlz(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	return decode_cd(d, decode_lzma, decode_zlib, data, len, out, n);
}

static int decode_cdzs(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	return decode_cd(d, decode_zstd, decode_zstd, data, len, out, n);
}

static int decode_cdfl(struct vd_chd_decoder *d, const uint8_t *data, size_t len, uint8_t *out,
		       size_t n)
{
	const size_t frames = n / VD_CHD_FRAME;
	size_t used;
	int r = decode_frames(&d->flac, true, data, len, d->split, frames * VD_SECTOR_RAW, &used);

	if (!r)
		r = decode_zlib(d, data + used, len - used, d->split + frames * VD_SECTOR_RAW,
				frames * VD_SECTOR_SUB);
	if (!r)
		join(d, out, frames);
	return r;
}

static const struct codec {
	uint32_t tag;
	bool cd;	   /* for hunks of whole frames */
	decode_fn *decode; /* NULL: never of a disc */
} codecs[] = {
	{ VD_CHD_TAG('z', 'l', 'i', 'b'), false, decode_zlib },
	{ VD_CHD_TAG('l', 'z', 'm', 'a'), false, decode_lzma },
	{ VD_CHD_TAG('z', 's', 't', 'd'), false, decode_zstd },
	{ VD_CHD_TAG('h', 'u', 'f', 'f'), false, decode_huff },
	{ VD_CHD_TAG('f', 'l', 'a', 'c'), false, decode_flac },
	{ VD_CHD_TAG('c', 'd', 'z', 'l'), true, decode_cdzl },
	{ VD_CHD_TAG('c', 'd', 'l', 'z'), true, decode_cdlz },
	{ VD_CHD_TAG('c', 'd', 'z', 's'), true, decode_cdzs },
	{ VD_CHD_TAG('c', 'd', 'f', 'l'), true, decode_cdfl },
	{ VD_CHD_TAG('a', 'v', 'h', 'u'), false, NULL },
};

static const struct codec *find_codec(uint32_t tag)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(codecs); i++)
		if (codecs[i].tag == tag)
			return &codecs[i];
	return NULL;
}

int vd_chd_codecs_check(const uint32_t tags[4], uint32_t hunk, const char *name,
			struct vd_error *err)
{
	for (unsigned int i = 0; i < 4; i++) {
		const struct codec *c = find_codec(tags[i]);
		char tag[5] = "";

		vd_put_be32(tag, tags[i]);
		if (!tags[i])
			continue;
		if (!c)
			return vd_error_set(err, -EINVAL, "%s: at byte %u: no codec is called '%s'",
					    name, 16 + i * 4, tag);
		if (!c->decode)
			return vd_error_set(
				err, -EINVAL,
				"%s: at byte %u: codec '%s' is for video of laserdiscs, which "
				"is not read",
				name, 16 + i * 4, tag);
		if (c->cd && hunk % VD_CHD_FRAME)
			return vd_error_set(
				err, -EINVAL,
				"%s: at byte %u: codec '%s' is for sectors of a CD, but hunks "
				"are of %u bytes",
				name, 16 + i * 4, tag, hunk);
	}
	return 0;
}

int vd_chd_decoder_new(const uint32_t tags[4], uint32_t hunk, struct vd_chd_decoder **out)
{
	struct vd_chd_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->hunk = hunk;
	d->lzma = (lzma_stream)LZMA_STREAM_INIT;
	for (unsigned int i = 0; i < 4; i++)
		d->codecs[i] = tags[i] ? find_codec(tags[i]) : NULL;
	d->in = malloc(hunk);
	d->split = malloc(hunk);
	if (!d->in || !d->split) {
		vd_chd_decoder_free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void vd_chd_decoder_free(struct vd_chd_decoder *d)
{
	if (!d)
		return;
	if (d->zlib_open)
		inflateEnd(&d->zlib);
	lzma_end(&d->lzma);
	ZSTD_freeDCtx(d->zstd);
	if (d->flac.decoder)
		FLAC__stream_decoder_delete(d->flac.decoder);
	free(d->huff);
	free(d->split);
	free(d->in);
	free(d);
}

uint8_t *vd_chd_decoder_buffer(struct vd_chd_decoder *d)
{
	return d->in;
}

int vd_chd_decode(struct vd_chd_decoder *d, unsigned int index, const uint8_t *data, size_t len,
		  uint8_t *out)
{
	return d->codecs[index] ? d->codecs[index]->decode(d, data, len, out, d->hunk) : -EIO;
}
