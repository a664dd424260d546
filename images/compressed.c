// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * gzip (RFC 1952), xz (its file format 1.1.0) and zstd (RFC 8878) as stores that are read anywhere.
 *
 *   place    where decompression can begin: an offset in the file, and which byte of the contents comes out first
 *            gzip    any boundary of blocks inside a member, with the 32 KiB before it; found in one pass over all of it
 *            xz      each block, by the index at the end
 *            zstd    each frame, by their headers; frames that do not say how long their contents are, are decompressed once
 *   cursor   a decompressor that has come to some byte; a few of them, so that some readers in a row do not disturb each other
 *   chunk    CHUNK bytes of the contents, kept until others are wanted more
 *
 * A read of a chunk that is not there goes on with the cursor that is nearest before it, or begins at a place if that is nearer. The places of a
 * gzip file are thinned out when there are too many: every other one goes, and they are twice as far apart from there on.
 *
 * An xz file of one block, or a zstd file of one frame, has one place: its beginning. Reading backwards in it is slow; `xz -T0` and `pzstd`
 * write many.
 *
 * Bombs. Contents of more than RATIO times the file, and of more than PLAIN_MAX, are refused; where they are found by decompressing, as soon as
 * they are that long. Decompressors that want more than MEMORY_MAX are refused too.
 */
#include "images/compressed.h"

#include <errno.h>
#include <lzma.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "images/wrapped.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define CHUNK (128u << 10)
#define CHUNKS 64u
#define CURSORS 3u
#define INPUT (64u << 10)
#define PLACES_MAX 512u /* of gzip: 32 KiB each */
#define GZIP_SPACING (1u << 20)
#define WINDOW 32768u
#define RATIO 100u
#define PLAIN_MAX (128ull << 20)
#define MEMORY_MAX (80u << 20) /* xz -9 wants 65 MiB */
#define FRAMES_MAX (1u << 18)
#define BLOCKS_MAX (1u << 24)
#define NEAR (64ull << 20)

struct place {
	uint64_t in, out;
	uint64_t len;	 /* of what can be decompressed from here on: xz and zstd */
	uint8_t bits;	 /* gzip: of the byte before `in` that belong to it */
	uint8_t *window; /* gzip: WINDOW bytes; NULL: a member begins here */
	lzma_check check;
};

struct compressed;

struct cursor {
	bool live;
	bool raw;      /* gzip: the member was begun at a boundary of blocks */
	bool ended;    /* zstd: the frame */
	uint64_t out;  /* the next byte that comes */
	uint64_t in;   /* the next one to be read into `input` */
	uint64_t end;  /* where the place's contents end: xz and zstd */
	uint64_t used; /* when, by the count of uses */
	size_t pos, have;
	uint8_t input[INPUT];
	z_stream z;
	lzma_stream x;
	lzma_block block; /* the decoder goes on using it */
	ZSTD_DCtx *s;
};

struct kind {
	const char *name;
	uint8_t len;
	const char *magic;
	int (*find_places)(struct compressed *c, const char *name, struct vd_error *err);
	int (*begin)(struct compressed *c, struct cursor *u, const struct place *p);
	/* Up to @len bytes; *got 0 is the end. -EIO: damaged. */
	int (*more)(struct compressed *c, struct cursor *u, uint8_t *buf, size_t len, size_t *got);
	void (*stop)(struct cursor *u);
};

struct chunk {
	uint64_t number; /* UINT64_MAX: none */
	uint64_t used;
	uint8_t *data; /* CHUNK */
};

struct compressed {
	struct vd_store store;
	const struct kind *kind;
	struct place *places;
	size_t nplaces;
	pthread_mutex_t lock; /* for all below */
	uint64_t uses;
	struct cursor *cursors; /* CURSORS */
	struct chunk chunks[CHUNKS];
};

static struct compressed *to_compressed(struct vd_store *s)
{
	return (struct compressed *)s;
}

static struct place *add_place(struct compressed *c, uint64_t in, uint64_t out)
{
	if (!(c->nplaces & (c->nplaces - 1))) {
		struct place *bigger =
			reallocarray(c->places, c->nplaces ? c->nplaces * 2 : 1, sizeof(*bigger));

		if (!bigger)
			return NULL;
		c->places = bigger;
	}
	c->places[c->nplaces] = (struct place){ .in = in, .out = out };
	return &c->places[c->nplaces++];
}

static bool is_bomb(const struct compressed *c, uint64_t size)
{
	return size > PLAIN_MAX && size / RATIO > c->store.inner->size;
}

static int refuse_bomb(const struct compressed *c, const char *name, struct vd_error *err)
{
	return vd_error_set(
		err, -EINVAL,
		"%s: %s data that expands over %u times, to more than %llu MiB: refused as a "
		"decompression bomb",
		name, c->kind->name, RATIO, PLAIN_MAX >> 20);
}

static int refuse_damage(const struct compressed *c, const char *name, uint64_t in,
			 struct vd_error *err)
{
	return vd_error_set(err, -EINVAL, "%s: %s data is damaged or cut short near byte %llu",
			    name, c->kind->name, (unsigned long long)in);
}

/* Bytes of the file into the cursor's empty input. None are left at the end of the file. */
static int fill(struct compressed *c, struct cursor *u)
{
	uint64_t left = c->store.inner->size - u->in;
	size_t n = left < INPUT ? (size_t)left : INPUT;
	int r = n ? vd_store_pread(c->store.inner, u->input, n, u->in) : 0;

	u->pos = 0;
	u->have = r ? 0 : n;
	u->in += u->have;
	return r;
}

static void stop(struct compressed *c, struct cursor *u)
{
	if (u->live)
		c->kind->stop(u);
	u->live = false;
	u->pos = u->have = 0;
}

/* gzip. */

#define GZIP_WRAPPED (15 + 16)

static int gzip_begin(struct compressed *c, struct cursor *u, const struct place *p)
{
	memset(&u->z, 0, sizeof(u->z));
	if (inflateInit2(&u->z, p->window ? -15 : GZIP_WRAPPED) != Z_OK)
		return -ENOMEM;
	u->raw = p->window;
	u->in = p->in;
	if (p->bits) {
		uint8_t byte;
		int r = vd_store_pread(c->store.inner, &byte, 1, p->in - 1);

		if (r)
			return r;
		inflatePrime(&u->z, p->bits, byte >> (8 - p->bits));
	}
	if (p->window)
		inflateSetDictionary(&u->z, p->window, WINDOW);
	return 0;
}

static int next_byte(struct compressed *c, struct cursor *u, int *byte)
{
	int r = 0;

	if (u->pos == u->have)
		r = fill(c, u);
	*byte = !r && u->have ? u->input[u->pos++] : -1;
	return r;
}

/* After the end of a member: does another one follow? What else is behind the last one is of no account (RFC 1952, 2.2; gzip(1)). */
static int gzip_next_member(struct compressed *c, struct cursor *u, bool *more)
{
	int a = -1, b = -1, r = 0;

	*more = false;
	/* CRC and length, which the pass over all of it has seen to be right. */
	for (int i = 0; !r && u->raw && i < 8; i++)
		r = next_byte(c, u, &a);
	if (!r)
		r = next_byte(c, u, &a);
	if (!r)
		r = next_byte(c, u, &b);
	if (r || a != 0x1f || b != 0x8b)
		return r;
	*more = true;
	u->raw = false;
	inflateReset2(&u->z, GZIP_WRAPPED);
	/* The two bytes may lie on both sides of an end of the input: they go in by themselves. */
	u->z.next_in = (Bytef[]){ 0x1f, 0x8b };
	u->z.avail_in = 2;
	u->z.avail_out = 0;
	inflate(&u->z, Z_NO_FLUSH);
	return 0;
}

static int gzip_more(struct compressed *c, struct cursor *u, uint8_t *buf, size_t len, size_t *got)
{
	u->z.next_out = buf;
	u->z.avail_out = (uInt)len;
	while (u->z.avail_out == len) {
		bool more;
		int r, z;

		if (u->pos == u->have) {
			r = fill(c, u);
			if (r || !u->have)
				return r ? r : -EIO;
		}
		u->z.next_in = u->input + u->pos;
		u->z.avail_in = (uInt)(u->have - u->pos);
		z = inflate(&u->z, Z_BLOCK);
		u->pos = u->have - u->z.avail_in;
		if (z == Z_STREAM_END && u->z.avail_out == len) {
			Bytef *next = u->z.next_out;

			r = gzip_next_member(c, u, &more);
			if (r || !more) {
				*got = 0;
				return r;
			}
			u->z.next_out = next;
			u->z.avail_out = (uInt)len;
		} else if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR) {
			return z == Z_MEM_ERROR ? -ENOMEM : -EIO;
		}
	}
	*got = len - u->z.avail_out;
	return 0;
}

static void gzip_stop(struct cursor *u)
{
	inflateEnd(&u->z);
}

/* Every other place goes but the first one. */
static void thin_out(struct compressed *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nplaces; i++) {
		if (i % 2 == 0)
			c->places[n++] = c->places[i];
		else
			free(c->places[i].window);
	}
	c->nplaces = n;
}

/* At a boundary of blocks: a place, if the last one is far enough. */
static int gzip_add_place(struct compressed *c, struct cursor *u, uint64_t out, uint64_t *spacing)
{
	uint8_t window[WINDOW];
	uInt n = WINDOW;
	struct place *p;

	if (out < WINDOW || out - c->places[c->nplaces - 1].out < *spacing)
		return 0;
	/* Less than a whole window is only near the beginning of a member, which is soon behind. */
	if (inflateGetDictionary(&u->z, window, &n) != Z_OK || n != WINDOW)
		return 0;
	if (c->nplaces == PLACES_MAX) {
		thin_out(c);
		*spacing *= 2;
	}
	p = add_place(c, u->in - u->have + u->pos, out);
	if (!p)
		return -ENOMEM;
	p->bits = u->z.data_type & 7;
	p->window = malloc(WINDOW);
	if (!p->window)
		return -ENOMEM;
	memcpy(p->window, window, WINDOW);
	return 0;
}

static int gzip_find_places(struct compressed *c, const char *name, struct vd_error *err)
{
	struct cursor *u = &c->cursors[0];
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	uint64_t out = 0, spacing = GZIP_SPACING;
	size_t got;
	int r;

	if (!buf || !add_place(c, 0, 0))
		return -ENOMEM;
	r = gzip_begin(c, u, &c->places[0]);
	if (r)
		return r;
	u->live = true;
	while (!(r = gzip_more(c, u, buf, CHUNK, &got)) && got) {
		out += got;
		if (is_bomb(c, out))
			return refuse_bomb(c, name, err);
		if ((u->z.data_type & 0xc0) == 0x80)
			r = gzip_add_place(c, u, out, &spacing);
		if (r)
			return r;
	}
	c->store.size = out;
	return r == -EIO ? refuse_damage(c, name, u->in - u->have + u->pos, err) : r;
}

/* xz. */

static void index_end(lzma_index **i)
{
	lzma_index_end(*i, NULL);
}

static void stream_end(lzma_stream *s)
{
	lzma_end(s);
}

/* The index of all streams, which decoding of the file's information reads from the end to the front. */
static int read_index(struct compressed *c, lzma_index **index)
{
	_cleanup_(stream_end) lzma_stream s = LZMA_STREAM_INIT;
	_cleanup_free_ uint8_t *buf = malloc(INPUT);
	const uint64_t size = c->store.inner->size;
	uint64_t at = 0, steps = 0;
	lzma_ret x;

	if (!buf || lzma_file_info_decoder(&s, index, MEMORY_MAX / 4, size) != LZMA_OK)
		return -ENOMEM;
	do {
		if (!s.avail_in && at < size) {
			size_t n = size - at < INPUT ? (size_t)(size - at) : INPUT;
			int r = vd_store_pread(c->store.inner, buf, n, at);

			if (r)
				return r;
			s.next_in = buf;
			s.avail_in = n;
			at += n;
		}
		x = lzma_code(&s, at == size ? LZMA_FINISH : LZMA_RUN);
		if (x == LZMA_SEEK_NEEDED) {
			at = s.seek_pos;
			s.avail_in = 0;
		}
		/* A file of as many empty streams as it can hold. */
		if (++steps > FRAMES_MAX)
			return -EIO;
	} while (x == LZMA_OK || x == LZMA_SEEK_NEEDED);
	return x == LZMA_STREAM_END ? 0 : x == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
}

static int xz_find_places(struct compressed *c, const char *name, struct vd_error *err)
{
	_cleanup_(index_end) lzma_index *index = NULL;
	lzma_index_iter i;
	int r = read_index(c, &index);

	if (r)
		return r == -EIO ? refuse_damage(c, name, c->store.inner->size, err) : r;
	c->store.size = lzma_index_uncompressed_size(index);
	lzma_index_iter_init(&i, index);
	while (!lzma_index_iter_next(&i, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
		struct place *p = add_place(c, i.block.compressed_file_offset,
					    i.block.uncompressed_file_offset);

		if (!p)
			return -ENOMEM;
		p->len = i.block.uncompressed_size;
		p->check = i.stream.flags->check;
	}
	return 0;
}

/* The header of the block, and a decoder for it. */
static int xz_begin(struct compressed *c, struct cursor *u, const struct place *p)
{
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block *block = &u->block;
	lzma_ret x;
	int r;

	*block = (lzma_block){ .version = 1, .check = p->check, .filters = filters };
	u->x = (lzma_stream)LZMA_STREAM_INIT;
	u->in = p->in;
	r = fill(c, u);
	if (r)
		return r;
	if (!u->have || !u->input[0])
		return -EIO;
	block->header_size = lzma_block_header_size_decode(u->input[0]);
	if (block->header_size > u->have ||
	    lzma_block_header_decode(block, NULL, u->input) != LZMA_OK)
		return -EIO;
	u->pos = block->header_size;
	/* One of these at a time is enough. */
	for (size_t i = 0; lzma_raw_decoder_memusage(filters) > MEMORY_MAX / 4 && i < CURSORS; i++)
		if (&c->cursors[i] != u)
			stop(c, &c->cursors[i]);
	x = lzma_raw_decoder_memusage(filters) > MEMORY_MAX ? LZMA_MEMLIMIT_ERROR
							    : lzma_block_decoder(&u->x, block);
	lzma_filters_free(filters, NULL);
	u->end = p->out + p->len;
	return x == LZMA_OK ? 0 : x == LZMA_MEM_ERROR || x == LZMA_MEMLIMIT_ERROR ? -ENOMEM : -EIO;
}

static int xz_more(struct compressed *c, struct cursor *u, uint8_t *buf, size_t len, size_t *got)
{
	u->x.next_out = buf;
	u->x.avail_out = len;
	while (u->x.avail_out == len) {
		lzma_ret x;

		if (u->pos == u->have) {
			int r = fill(c, u);

			if (r || !u->have)
				return r ? r : -EIO;
		}
		u->x.next_in = u->input + u->pos;
		u->x.avail_in = u->have - u->pos;
		x = lzma_code(&u->x, LZMA_RUN);
		u->pos = u->have - u->x.avail_in;
		if (x != LZMA_OK && x != LZMA_STREAM_END)
			return x == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
		if (x == LZMA_STREAM_END)
			break;
	}
	*got = len - u->x.avail_out;
	return 0;
}

static void xz_stop(struct cursor *u)
{
	lzma_end(&u->x);
}

/* zstd. */

#define SKIPPABLE 0x184d2a50u
#define SKIPPABLE_MASK 0xfffffff0u
#define ZSTD_WINDOW_LOG_LIMIT 26 /* 64 MiB; --ultra -22 wants 128 of what is that long */

static int zstd_begin(struct compressed *c, struct cursor *u, const struct place *p)
{
	if (!u->s)
		u->s = ZSTD_createDCtx();
	if (!u->s)
		return -ENOMEM;
	ZSTD_DCtx_reset(u->s, ZSTD_reset_session_and_parameters);
	u->ended = false;
	ZSTD_DCtx_setParameter(u->s, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_LIMIT);
	u->in = p->in;
	u->pos = u->have = 0;
	u->end = p->out + p->len;
	return 0;
}

static int zstd_more(struct compressed *c, struct cursor *u, uint8_t *buf, size_t len, size_t *got)
{
	ZSTD_outBuffer out = { buf, len, 0 };

	while (!out.pos && !u->ended) {
		ZSTD_inBuffer in = { u->input, u->have, u->pos };
		size_t left;

		if (u->pos == u->have) {
			int r = fill(c, u);

			if (r || !u->have)
				return r ? r : -EIO;
			in = (ZSTD_inBuffer){ u->input, u->have, 0 };
		}
		left = ZSTD_decompressStream(u->s, &out, &in);
		u->pos = in.pos;
		if (ZSTD_isError(left))
			return -EIO;
		u->ended = !left;
	}
	*got = out.pos;
	return 0;
}

static void zstd_stop(struct cursor *u)
{
	ZSTD_freeDCtx(u->s);
	u->s = NULL;
}

/* @n bytes of the file at @at. The input of a cursor that has not begun is what is read around them. */
static int header_at(struct compressed *c, struct cursor *u, uint64_t at, uint8_t *p, size_t n)
{
	const uint64_t size = c->store.inner->size;

	while (n) {
		int r;

		if (at >= size)
			return -EIO;
		if (!u->have || at < u->in - u->have || at >= u->in) {
			u->in = at;
			r = fill(c, u);
			if (r)
				return r;
		}
		*p++ = u->input[at++ - (u->in - u->have)];
		n--;
	}
	return 0;
}

/* Where the frame at @at ends, by the headers of its blocks (RFC 8878, 3.1.1). */
static int zstd_frame_end(struct compressed *c, struct cursor *u, uint64_t at, uint64_t *end,
			  uint32_t *blocks)
{
	static const uint8_t id_size[] = { 0, 1, 2, 4 }, content_size[] = { 0, 2, 4, 8 };
	uint8_t h[3], descriptor;
	uint32_t block;
	int r = header_at(c, u, at + 4, &descriptor, 1);

	if (r)
		return r;
	at += 5 + id_size[descriptor & 3] + content_size[descriptor >> 6];
	if (!(descriptor & 0x20))
		at++; /* window */
	else if (!(descriptor >> 6))
		at++; /* content size of one byte */
	do {
		r = header_at(c, u, at, h, 3);
		if (r)
			return r;
		block = h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16;
		at += 3 + ((block >> 1 & 3) == 1 ? 1 : block >> 3);
		if (++*blocks > BLOCKS_MAX)
			return -EIO;
	} while (!(block & 1));
	*end = at + (descriptor & 4 ? 4 : 0);
	return *end > c->store.inner->size ? -EIO : 0;
}

/* The contents of a frame that does not say how long they are. */
static int zstd_measure(struct compressed *c, const struct place *p, uint64_t *len)
{
	struct cursor *u = &c->cursors[1];
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	size_t got = 0;
	int r = buf ? zstd_begin(c, u, p) : -ENOMEM;

	u->live = u->s;
	*len = 0;
	do {
		*len += got;
		if (!r)
			r = zstd_more(c, u, buf, CHUNK, &got);
	} while (!r && got && !is_bomb(c, p->out + *len));
	return r;
}

static int zstd_find_places(struct compressed *c, const char *name, struct vd_error *err)
{
	struct cursor *u = &c->cursors[0];
	uint64_t at = 0, end, out = 0, frames = 0;
	uint32_t blocks = 0;
	int r = 0;

	while (at < c->store.inner->size) {
		uint8_t head[18] = { 0 };
		const uint64_t left = c->store.inner->size - at;
		uint64_t len;
		struct place *p;

		r = header_at(c, u, at, head, left < sizeof(head) ? (size_t)left : sizeof(head));
		if (r)
			return r;
		if (++frames > FRAMES_MAX)
			return refuse_damage(c, name, at, err);
		if (left >= 8 && (vd_get_le32(head) & SKIPPABLE_MASK) == SKIPPABLE) {
			at += 8 + (uint64_t)vd_get_le32(head + 4); /* skippable: a seek table is */
			continue;
		}
		if (vd_get_le32(head) != ZSTD_MAGICNUMBER)
			return refuse_damage(c, name, at, err);
		r = zstd_frame_end(c, u, at, &end, &blocks);
		if (r)
			return r == -EIO ? refuse_damage(c, name, at, err) : r;
		len = ZSTD_getFrameContentSize(head, sizeof(head));
		p = len ? add_place(c, at, out) : NULL;
		if (len && !p)
			return -ENOMEM;
		if (len == ZSTD_CONTENTSIZE_UNKNOWN) {
			r = zstd_measure(c, p, &len);
			p->len = len;
			if (!len)
				c->nplaces--;
		} else if (len == ZSTD_CONTENTSIZE_ERROR) {
			r = -EIO;
		} else if (p) {
			p->len = len;
		}
		if (r)
			return r == -EIO ? refuse_damage(c, name, at, err) : r;
		if (len > INT64_MAX - out || is_bomb(c, out + len))
			return refuse_bomb(c, name, err);
		out += len;
		at = end;
	}
	c->store.size = out;
	return 0;
}

static const struct kind kinds[] = {
	{ "gzip", 3, "\x1f\x8b\x08", gzip_find_places, gzip_begin, gzip_more, gzip_stop },
	{ "xz", 6, "\xfd\x37zXZ\0", xz_find_places, xz_begin, xz_more, xz_stop },
	{ "zstd", 4, "\x28\xb5\x2f\xfd", zstd_find_places, zstd_begin, zstd_more, zstd_stop },
};

static const struct kind *find_kind(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++)
		if (len >= kinds[i].len && !memcmp(data, kinds[i].magic, kinds[i].len))
			return &kinds[i];
	/* What pzstd writes begins with a frame that is skipped. */
	if (len >= 4 && (vd_get_le32(data) & SKIPPABLE_MASK) == SKIPPABLE)
		return &kinds[VD_ARRAY_SIZE(kinds) - 1];
	return NULL;
}

/* Reading. */

/* The last place at or before byte @off. */
static const struct place *place_before(const struct compressed *c, uint64_t off)
{
	size_t lo = 0, hi = c->nplaces;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->places[mid].out <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &c->places[lo];
}

/* A cursor that is at @off or before it, as near as there is one. */
static int cursor_for(struct compressed *c, uint64_t off, struct cursor **out)
{
	const struct place *p = place_before(c, off);
	struct cursor *oldest = &c->cursors[0], *best = NULL;
	int r = 0;

	for (size_t i = 0; i < CURSORS; i++) {
		struct cursor *u = &c->cursors[i];

		if (u->live && u->out <= off && u->out >= p->out && (!best || u->out > best->out))
			best = u;
		if (!u->live || (oldest->live && u->used < oldest->used))
			oldest = u;
	}
	if (!best) {
		best = oldest;
		stop(c, best);
		best->live = true;
		best->out = p->out;
		r = c->kind->begin(c, best, p);
		if (r)
			stop(c, best);
	}
	best->used = ++c->uses;
	*out = best;
	return r;
}

/* @len bytes from @off on, into @buf; what comes before them is thrown away into it too. */
static int decompress(struct compressed *c, uint64_t off, uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct cursor *u;
		uint64_t want = off + done;
		size_t got = 0, n;
		int r = cursor_for(c, want, &u);

		if (r)
			return r;
		n = want - u->out < len - done && want > u->out ? (size_t)(want - u->out)
								: len - done;
		r = c->kind->more(c, u, buf + done, n, &got);
		if (!r && !got)
			r = -EIO; /* less than was said */
		u->out += got;
		if (r) {
			stop(c, u);
			return r;
		}
		if (u->out > want)
			done += got;
		/* A block or frame of xz and zstd has ended: what follows begins at a place. */
		if (u->end && u->out >= u->end)
			stop(c, u);
	}
	return 0;
}

static int chunk_for(struct compressed *c, uint64_t number, struct chunk **out)
{
	const uint64_t off = number * CHUNK;
	struct chunk *oldest = &c->chunks[0];
	size_t len = c->store.size - off < CHUNK ? (size_t)(c->store.size - off) : CHUNK;
	int r;

	for (size_t i = 0; i < CHUNKS; i++) {
		struct chunk *k = &c->chunks[i];

		if (k->data && k->number == number) {
			k->used = ++c->uses;
			*out = k;
			return 0;
		}
		if (k->used < oldest->used)
			oldest = k;
	}
	if (!oldest->data)
		oldest->data = malloc(CHUNK);
	if (!oldest->data)
		return -ENOMEM;
	oldest->number = UINT64_MAX;
	r = decompress(c, off, oldest->data, len);
	if (r)
		return r;
	oldest->number = number;
	oldest->used = ++c->uses;
	*out = oldest;
	return 0;
}

static int compressed_pread(struct vd_store *s, void *out, size_t len, uint64_t off)
{
	struct compressed *c = to_compressed(s);
	uint8_t *buf = out;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	while (len) {
		size_t skip = off % CHUNK, n = CHUNK - skip < len ? CHUNK - skip : len;
		struct chunk *k;

		r = chunk_for(c, off / CHUNK, &k);
		if (r)
			break;
		memcpy(buf, k->data + skip, n);
		buf += n;
		off += n;
		len -= n;
	}
	pthread_mutex_unlock(&c->lock);
	return r;
}

static void compressed_close(struct vd_store *s)
{
	struct compressed *c = to_compressed(s);

	for (size_t i = 0; c->cursors && i < CURSORS; i++)
		stop(c, &c->cursors[i]);
	for (size_t i = 0; i < CHUNKS; i++)
		free(c->chunks[i].data);
	for (size_t i = 0; i < c->nplaces; i++)
		free(c->places[i].window);
	free(c->places);
	free(c->cursors);
	pthread_mutex_destroy(&c->lock);
	vd_store_close(c->store.inner);
	free(c);
}

static const struct vd_store_ops compressed_ops = {
	.name = "compressed",
	.pread = compressed_pread,
	.close = compressed_close,
};

int vd_compressed_open(struct vd_store *inner, const char *name, struct vd_store **out,
		       struct vd_error *err)
{
	struct compressed *c = calloc(1, sizeof(*c));
	uint8_t head[6];
	int r;

	if (!c) {
		vd_store_close(inner);
		return vd_error_errno(err, -ENOMEM, "%s", name);
	}
	c->store = (struct vd_store){
		.ops = &compressed_ops, .inner = inner, .block = CHUNK, .read_only = true
	};
	pthread_mutex_init(&c->lock, NULL);
	c->cursors = calloc(CURSORS, sizeof(*c->cursors));
	for (size_t i = 0; i < CHUNKS; i++)
		c->chunks[i].number = UINT64_MAX;
	r = !c->cursors			 ? -ENOMEM
	    : inner->size < sizeof(head) ? -EINVAL
					 : vd_store_pread(inner, head, sizeof(head), 0);
	c->kind = r ? NULL : find_kind(head, sizeof(head));
	if (!c->kind)
		r = vd_error_errno(err, r ? r : -EINVAL, "%s: no compressed data", name);
	else
		r = c->kind->find_places(c, name, err);
	if (!r && is_bomb(c, c->store.size))
		r = refuse_bomb(c, name, err);
	if (!r && !c->store.size)
		r = vd_error_set(err, -EINVAL, "%s: %s data with nothing in it", name,
				 c->kind->name);
	if (r) {
		if (r != -EINVAL)
			vd_error_errno(err, r, "%s", name);
		compressed_close(&c->store);
		return r;
	}
	for (size_t i = 0; i < CURSORS; i++)
		stop(c, &c->cursors[i]);
	*out = &c->store;
	return 0;
}

bool vd_compressed_is_near(const struct vd_store *s, uint64_t off)
{
	return s->ops != &compressed_ops ||
	       off - place_before((const struct compressed *)s, off)->out <= NEAR;
}

/* As images. */

static int probe_kind(const struct vd_image_head *h, const struct kind *k)
{
	return find_kind(h->data, h->len) == k ? 1 : 0;
}

static int gzip_probe(const struct vd_image_head *h)
{
	return probe_kind(h, &kinds[0]);
}

static int xz_probe(const struct vd_image_head *h)
{
	return probe_kind(h, &kinds[1]);
}

static int zstd_probe(const struct vd_image_head *h)
{
	return probe_kind(h, &kinds[2]);
}

static int open_image(struct vd_opener *opener, struct vd_store *store,
		      const struct vd_image_head *h, struct vd_store **out, struct vd_error *err)
{
	(void)opener;
	return vd_compressed_open(store, h->name, out, err);
}

const struct vd_wrapping vd_wrapping_gzip = {
	.words = "a gzip archive",
	.suffixes = (const char *const[]){ ".gz", NULL },
	.probe = gzip_probe,
	.open = open_image,
};

const struct vd_wrapping vd_wrapping_xz = {
	.words = "an xz archive",
	.suffixes = (const char *const[]){ ".xz", NULL },
	.probe = xz_probe,
	.open = open_image,
};

const struct vd_wrapping vd_wrapping_zstd = {
	.words = "a zstd archive",
	.suffixes = (const char *const[]){ ".zst", ".zstd", NULL },
	.probe = zstd_probe,
	.open = open_image,
};
