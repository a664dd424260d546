// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Writes header, metadata, hunks and map, in this order; the header last. Hunks are read in batches, compressed by all CPUs and written in
 * order. One that was there before is only named, by its SHA-1.
 *
 * The map's Huffman code is a fixed one of four bits a hunk: beside what a hunk takes, the bits that are saved by another one are
 * not worth their code.
 */
#define _GNU_SOURCE
#include "images/chd_write.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/chd_codec.h"
#include "images/chd_encode.h"
#include "images/chd_map.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "util/io.h"
#include "util/sha1.h"

#define META_HEADER 16u
#define META_CHECKSUM 1u
#define MAP_HEADER 16u
#define CD_HUNK (8 * VD_CHD_FRAME)
#define DVD_HUNK 4096u
#define ALIGN 4u
#define THREADS_MAX 16u
#define BATCH 64u /* hunks */
#define BATCH_BYTES (4u << 20)
#define CODE_BITS 4u

/* Frames of the file that are sectors of the disc. */
struct run {
	int32_t lba;
	uint32_t frames, padded;
	bool audio;
};

struct work {
	uint8_t *in, *out;
	uint8_t sha1[VD_SHA1_SIZE];
	unsigned int codec;
	uint32_t len;
	int error;
};

/* What the map has of a hunk. */
struct entry {
	uint8_t code;
	uint16_t crc;
	uint32_t len;
	uint64_t at; /* offset; of SELF the hunk */
};

struct out {
	struct vd_disc *disc;
	const struct vd_chd_write *o;
	struct vd_error *err;
	int fd;
	uint64_t at; /* where in the file is written next */
	uint32_t tags[4];
	uint32_t hunk, unit, hunks;
	uint64_t size;
	struct run runs[VD_TRACKS_MAX];
	size_t nruns;
	bool cd, sub;
	/* Metadata: for the SHA-1 of all, a tag and SHA-1 each, in order. */
	uint8_t hashes[VD_TRACKS_MAX][4 + VD_SHA1_SIZE];
	size_t nhashes;
	uint64_t meta;
	struct vd_sha1 raw;
	struct entry *entries;
	uint8_t (*sha1)[VD_SHA1_SIZE]; /* of the hunks that are stored */
	uint32_t *seen, seen_mask;     /* hunk + 1, by SHA-1 */
	/* A batch. */
	struct vd_chd_encoder *encoders[THREADS_MAX];
	unsigned int nthreads;
	struct work work[BATCH];
	uint32_t batch, filled;
	atomic_uint next, next_thread;
};

static int put_bytes(struct out *w, const void *data, size_t len, uint64_t at)
{
	int r = vd_pwrite_all(w->fd, data, len, at);

	return r ? vd_error_errno(w->err, r, "cannot write the CHD") : 0;
}

static int append(struct out *w, const void *data, size_t len)
{
	int r = put_bytes(w, data, len, w->at);

	w->at += len;
	return r;
}

static void put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	vd_put_be16(p + 1, (uint16_t)v);
}

static void put_be48(uint8_t *p, uint64_t v)
{
	vd_put_be16(p, (uint16_t)(v >> 32));
	vd_put_be32(p + 2, (uint32_t)v);
}

static void put_be64(uint8_t *p, uint64_t v)
{
	vd_put_be32(p, (uint32_t)(v >> 32));
	vd_put_be32(p + 4, (uint32_t)v);
}

/* Metadata. */

static int put_meta(struct out *w, uint32_t tag, const char *text, bool last)
{
	const size_t len = strlen(text) + 1;
	uint8_t head[META_HEADER] = { 0 }, *hash = w->hashes[w->nhashes++];
	int r;

	if (!w->meta)
		w->meta = w->at;
	vd_put_be32(head, tag);
	head[4] = META_CHECKSUM;
	put_be24(head + 5, (uint32_t)len);
	if (!last)
		put_be64(head + 8, w->at + META_HEADER + len);
	vd_put_be32(hash, tag);
	vd_sha1(text, len, hash + 4);
	r = append(w, head, sizeof(head));
	return r ? r : append(w, text, len);
}

static const char *type_name(const struct vd_track *t)
{
	return t->mode == VD_TRACK_AUDIO   ? "AUDIO"
	       : t->mode == VD_TRACK_MODE1 ? "MODE1_RAW"
					   : "MODE2_RAW";
}

static bool is_stored(const struct vd_disc *d, int64_t from, int64_t to)
{
	for (size_t i = 0; i < d->nextents; i++)
		if (d->extents[i].lba < to &&
		    d->extents[i].lba + (int64_t)d->extents[i].length > from)
			return true;
	return false;
}

/* Which sectors of the track are in the file, and what its line says. */
static int plan_track(struct out *w, size_t i)
{
	const struct vd_disc *d = w->disc;
	const struct vd_track *t = &d->tracks[i];
	const int64_t before = i ? vd_track_end(t - 1) : 0;
	const int64_t pregap = t->start > before ? t->start - before : 0;
	const bool stored = pregap && is_stored(d, before, t->start);
	struct run *run = &w->runs[w->nruns++];
	char text[256];

	if (t->number != (int)i + 1)
		return vd_error_set(w->err, -EMEDIUMTYPE,
				    "a CHD has tracks from 1 on, and this disc has no track %zu",
				    i + 1);
	run->lba = (int32_t)(t->start - (stored ? pregap : 0));
	run->frames = (uint32_t)(vd_track_end(t) - run->lba);
	run->padded = (run->frames + ALIGN - 1) / ALIGN * ALIGN;
	run->audio = t->mode == VD_TRACK_AUDIO;
	w->size += (uint64_t)run->padded * VD_CHD_FRAME;
	snprintf(text, sizeof(text),
		 "TRACK:%d TYPE:%s SUBTYPE:%s FRAMES:%u PREGAP:%u PGTYPE:%s%s PGSUB:%s POSTGAP:0",
		 t->number, type_name(t), w->sub ? "RW_RAW" : "NONE", run->frames,
		 (unsigned int)pregap, stored ? "V" : "", type_name(t),
		 stored && w->sub ? "RW_RAW" : "NONE");
	return put_meta(w, VD_CHD_TAG('C', 'H', 'T', '2'), text, i + 1 == d->ntracks);
}

static int plan(struct out *w)
{
	int r = 0;

	w->cd = vd_media_is_cd(vd_disc_media(w->disc));
	w->unit = w->cd ? VD_CHD_FRAME : VD_SECTOR_USER;
	w->hunk = w->o->hunk ? w->o->hunk : w->cd ? CD_HUNK : DVD_HUNK;
	w->at = VD_CHD_HEADER;
	if (w->hunk % w->unit || w->hunk > VD_CHD_HUNK_MAX)
		return vd_error_set(
			w->err, -EINVAL,
			"hunks of %u bytes: they are multiples of %u, and 1 MiB at most", w->hunk,
			w->unit);
	for (size_t i = 0; i < w->disc->nextents; i++)
		w->sub |= w->disc->extents[i].sub != VD_SUB_NONE;
	if (w->cd) {
		for (size_t i = 0; !r && i < w->disc->ntracks; i++)
			r = plan_track(w, i);
	} else {
		w->size = vd_disc_size(w->disc);
		r = put_meta(w, VD_CHD_TAG('D', 'V', 'D', ' '), "", true);
	}
	if (r)
		return r;
	if (!w->size || (w->size - 1) / w->hunk >= VD_CHD_HUNKS_MAX)
		return vd_error_set(w->err, -EMEDIUMTYPE, "a CHD has 1 to %u hunks of %u bytes",
				    VD_CHD_HUNKS_MAX, w->hunk);
	w->hunks = (uint32_t)((w->size - 1) / w->hunk + 1);
	return 0;
}

/* Of options. */
static int parse_codecs(struct out *w)
{
	const char *p = w->o->codecs ? w->o->codecs : w->cd ? "cdlz,cdzl,cdfl" : "lzma,zlib,flac";

	for (size_t i = 0; *p; i++) {
		size_t len = strcspn(p, ",");

		if (i == 4 || len != 4)
			return vd_error_set(w->err, -EINVAL,
					    "'%s' is not up to four codecs of four letters", p);
		w->tags[i] = vd_get_be32(p);
		p += len + (p[len] ? 1 : 0);
	}
	return vd_chd_codecs_check(w->tags, w->hunk, "codecs", w->err);
}

/* Reading. */

/* @n frames from number @frame on; behind the last one there are zeros. */
static int read_frames(struct out *w, uint64_t frame, uint32_t n, uint8_t *buf)
{
	const unsigned int what = VD_READ_MAIN | (w->sub ? VD_READ_SUB : 0);
	const uint32_t bytes = VD_SECTOR_RAW + (w->sub ? VD_SECTOR_SUB : 0);
	uint64_t first = 0;

	memset(buf, 0, (size_t)n * VD_CHD_FRAME);
	for (size_t i = 0; n && i < w->nruns; first += w->runs[i++].padded) {
		const struct run *run = &w->runs[i];

		for (; n && frame - first < run->padded; n--, frame++, buf += VD_CHD_FRAME) {
			uint8_t sector[VD_SECTOR_RAW + VD_SECTOR_SUB];
			int32_t lba = (int32_t)(run->lba + (int64_t)(frame - first));
			int r;

			if (frame - first >= run->frames)
				continue;
			r = vd_disc_read_sectors(w->disc, lba, 1, what, sector);
			if (r)
				return vd_error_errno(w->err, r, "cannot read sector %d", lba);
			memcpy(buf, sector, bytes);
			for (size_t k = 0; run->audio && k < VD_SECTOR_RAW; k += 2) {
				buf[k] = sector[k + 1];
				buf[k + 1] = sector[k];
			}
		}
	}
	return 0;
}

static int read_hunk(struct out *w, uint32_t hunk, uint8_t *buf)
{
	uint64_t off = (uint64_t)hunk * w->hunk;
	size_t n = w->size - off < w->hunk ? (size_t)(w->size - off) : w->hunk;
	int r;

	if (w->cd) {
		r = read_frames(w, off / VD_CHD_FRAME, w->hunk / VD_CHD_FRAME, buf);
	} else {
		memset(buf + n, 0, w->hunk - n);
		r = vd_disc_pread(w->disc, buf, n, off);
		if (r)
			r = vd_error_errno(w->err, r, "cannot read it at byte %llu",
					   (unsigned long long)off);
	}
	if (!r)
		vd_sha1_add(&w->raw, buf, n);
	return r;
}

/* Compressing. */

static void *compress(void *arg)
{
	struct out *w = arg;
	struct vd_chd_encoder *e = w->encoders[atomic_fetch_add(&w->next_thread, 1)];
	unsigned int i;

	while ((i = atomic_fetch_add(&w->next, 1)) < w->filled) {
		struct work *k = &w->work[i];

		vd_sha1(k->in, w->hunk, k->sha1);
		k->error = vd_chd_encode(e, k->in, k->out, &k->codec, &k->len);
	}
	return NULL;
}

static void compress_batch(struct out *w)
{
	pthread_t threads[THREADS_MAX];
	unsigned int n = 0;

	atomic_store(&w->next, 0);
	atomic_store(&w->next_thread, 0);
	while (n + 1 < w->nthreads && !pthread_create(&threads[n], NULL, compress, w))
		n++;
	compress(w);
	while (n)
		pthread_join(threads[--n], NULL);
}

/* A hunk before this one that is the same, and stored; or the place for it. */
static uint32_t *find_same(struct out *w, const uint8_t *sha1)
{
	uint32_t i = vd_get_be32(sha1) & w->seen_mask;

	while (w->seen[i] && memcmp(w->sha1[w->seen[i] - 1], sha1, VD_SHA1_SIZE))
		i = (i + 1) & w->seen_mask;
	return &w->seen[i];
}

static int store_hunk(struct out *w, uint32_t hunk, const struct work *k)
{
	struct entry *e = &w->entries[hunk];
	uint32_t *same = find_same(w, k->sha1);

	if (k->error)
		return vd_error_errno(w->err, k->error, "cannot compress hunk %u", hunk);
	if (*same && w->tags[0]) {
		*e = (struct entry){ .code = VD_CHD_SELF, .at = *same - 1 };
		return 0;
	}
	*same = hunk + 1;
	memcpy(w->sha1[hunk], k->sha1, VD_SHA1_SIZE);
	*e = (struct entry){
		.code = (uint8_t)k->codec,
		.crc = vd_chd_crc16(0xffff, k->in, w->hunk),
		.len = k->len,
		.at = w->at,
	};
	return append(w, k->out, k->len);
}

static int write_hunks(struct out *w)
{
	for (uint32_t hunk = 0; hunk < w->hunks; hunk += w->filled) {
		int r = 0;

		w->filled = w->hunks - hunk < w->batch ? w->hunks - hunk : w->batch;
		for (uint32_t i = 0; !r && i < w->filled; i++)
			r = read_hunk(w, hunk + i, w->work[i].in);
		if (!r)
			compress_batch(w);
		for (uint32_t i = 0; !r && i < w->filled; i++)
			r = store_hunk(w, hunk + i, &w->work[i]);
		if (!r && w->o->progress)
			r = w->o->progress(w->o->arg, (unsigned int)((hunk + (uint64_t)w->filled) *
								     1000 / w->hunks));
		if (r)
			return r;
	}
	return 0;
}

/* The map. */

struct bits {
	uint8_t *data;
	size_t len;
	uint64_t acc;
	unsigned int n;
};

/* At most 32 of them. */
static void put_bits(struct bits *b, uint32_t v, unsigned int n)
{
	b->acc = b->acc << n | v;
	b->n += n;
	for (; b->n >= 8; b->n -= 8)
		b->data[b->len++] = (uint8_t)(b->acc >> (b->n - 8));
}

static unsigned int width(uint64_t v)
{
	unsigned int n = 0;

	for (; v; v >>= 1)
		n++;
	return n;
}

static int write_map(struct out *w, uint64_t first)
{
	struct bits b = { 0 };
	uint8_t head[MAP_HEADER] = { 0 };
	uint32_t longest = 0, self = 0;
	uint16_t crc = 0xffff;
	int r;

	for (uint32_t i = 0; i < w->hunks; i++) {
		const struct entry *e = &w->entries[i];
		uint8_t raw[12] = { e->code };

		if (e->code < VD_CHD_STORED && e->len > longest)
			longest = e->len;
		if (e->code == VD_CHD_SELF && e->at > self)
			self = (uint32_t)e->at;
		put_be24(raw + 1, e->len);
		put_be48(raw + 4, e->at);
		vd_put_be16(raw + 10, e->crc);
		crc = vd_chd_crc16(crc, raw, sizeof(raw));
	}
	/* Four bits of code; 24 and 16, or 32. */
	b.data = malloc((size_t)w->hunks * 6 + 16);
	if (!b.data)
		return vd_error_errno(w->err, -ENOMEM, "cannot write the map");
	/* 16 codes of four bits each: the mark of a run, the length, and how many more than three. */
	put_bits(&b, 1, 4);
	put_bits(&b, CODE_BITS, 4);
	put_bits(&b, 13, 4);
	for (uint32_t i = 0; i < w->hunks; i++)
		put_bits(&b, w->entries[i].code, CODE_BITS);
	head[12] = (uint8_t)width(longest);
	head[13] = (uint8_t)width(self);
	for (uint32_t i = 0; i < w->hunks; i++) {
		const struct entry *e = &w->entries[i];

		if (e->code == VD_CHD_SELF) {
			put_bits(&b, (uint32_t)e->at, head[13]);
			continue;
		}
		if (e->code < VD_CHD_STORED)
			put_bits(&b, e->len, head[12]);
		put_bits(&b, e->crc, 16);
	}
	put_bits(&b, 0, 7);
	vd_put_be32(head, (uint32_t)b.len);
	put_be48(head + 4, first);
	vd_put_be16(head + 10, crc);
	r = append(w, head, sizeof(head));
	if (!r)
		r = append(w, b.data, b.len);
	free(b.data);
	return r;
}

/* Without codecs: four bytes a hunk, written before the hunks as they are on even places. */
static int write_plain(struct out *w)
{
	const uint64_t map = w->at;
	const uint64_t first = (map + (uint64_t)w->hunks * 4 + w->hunk - 1) / w->hunk;
	_cleanup_free_ uint8_t *entries = malloc((size_t)w->hunks * 4);
	_cleanup_free_ uint8_t *buf = malloc(w->hunk);
	int r;

	if (!entries || !buf)
		return vd_error_errno(w->err, -ENOMEM, "cannot write the map");
	for (uint32_t i = 0; i < w->hunks; i++)
		vd_put_be32(entries + (size_t)i * 4, (uint32_t)(first + i));
	r = append(w, entries, (size_t)w->hunks * 4);
	w->at = first * w->hunk;
	for (uint32_t i = 0; !r && i < w->hunks; i++) {
		r = read_hunk(w, i, buf);
		if (!r)
			r = append(w, buf, w->hunk);
		if (!r && w->o->progress && i % BATCH == 0)
			r = w->o->progress(w->o->arg, (unsigned int)(i * 1000ull / w->hunks));
	}
	w->at = map;
	return r;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, 4 + VD_SHA1_SIZE);
}

static int write_header(struct out *w, uint64_t map)
{
	uint8_t h[VD_CHD_HEADER] = "MComprHD";
	struct vd_sha1 all;

	vd_put_be32(h + 8, VD_CHD_HEADER);
	vd_put_be32(h + 12, 5);
	for (size_t i = 0; i < 4; i++)
		vd_put_be32(h + 16 + i * 4, w->tags[i]);
	put_be64(h + 32, w->size);
	put_be64(h + 40, map);
	put_be64(h + 48, w->meta);
	vd_put_be32(h + 56, w->hunk);
	vd_put_be32(h + 60, w->unit);
	vd_sha1_end(&w->raw, h + 64);
	/* Of the data's SHA-1, and of the tags and SHA-1s of the metadata, sorted. */
	qsort(w->hashes, w->nhashes, sizeof(w->hashes[0]), by_bytes);
	vd_sha1_begin(&all);
	vd_sha1_add(&all, h + 64, VD_SHA1_SIZE);
	vd_sha1_add(&all, w->hashes, w->nhashes * sizeof(w->hashes[0]));
	vd_sha1_end(&all, h + 84);
	return put_bytes(w, h, sizeof(h), 0);
}

static void free_out(struct out **p)
{
	struct out *w = *p;

	if (!w)
		return;
	for (unsigned int i = 0; i < THREADS_MAX; i++)
		vd_chd_encoder_free(w->encoders[i]);
	for (unsigned int i = 0; i < BATCH; i++) {
		free(w->work[i].in);
		free(w->work[i].out);
	}
	free(w->entries);
	free(w->sha1);
	free(w->seen);
	free(w);
}

static int prepare(struct out *w)
{
	cpu_set_t cpus;
	int r;

	w->nthreads = 1;
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		w->nthreads = (unsigned int)CPU_COUNT(&cpus);
	if (w->nthreads > THREADS_MAX)
		w->nthreads = THREADS_MAX;
	for (unsigned int i = 0; i < w->nthreads; i++) {
		r = vd_chd_encoder_new(w->tags, w->hunk, &w->encoders[i], w->err);
		if (r)
			return r;
	}
	w->batch = BATCH_BYTES / w->hunk;
	w->batch = w->batch < w->nthreads ? w->nthreads : w->batch > BATCH ? BATCH : w->batch;
	for (w->seen_mask = 1; w->seen_mask < w->hunks * 2ull; w->seen_mask *= 2)
		;
	w->seen = calloc(w->seen_mask--, sizeof(*w->seen));
	w->entries = calloc(w->hunks, sizeof(*w->entries));
	w->sha1 = malloc((size_t)w->hunks * VD_SHA1_SIZE);
	for (unsigned int i = 0; i < w->batch; i++) {
		w->work[i].in = malloc(w->hunk);
		w->work[i].out = malloc(w->hunk);
		if (!w->work[i].in || !w->work[i].out)
			return vd_error_errno(w->err, -ENOMEM, "cannot compress");
	}
	return w->seen && w->entries && w->sha1
		       ? 0
		       : vd_error_errno(w->err, -ENOMEM, "cannot compress");
}

int vd_chd_write(struct vd_disc *d, int fd, const struct vd_chd_write *o, struct vd_error *err)
{
	_cleanup_(free_out) struct out *w = calloc(1, sizeof(*w));
	uint64_t map;
	int r;

	if (!w)
		return vd_error_errno(err, -ENOMEM, "cannot write a CHD");
	w->disc = d;
	w->fd = fd;
	w->o = o;
	w->err = err;
	vd_sha1_begin(&w->raw);
	r = plan(w);
	if (!r)
		r = parse_codecs(w);
	if (r)
		return r;
	map = w->at;
	if (!w->tags[0]) {
		r = write_plain(w);
	} else {
		r = prepare(w);
		if (!r)
			r = write_hunks(w);
		if (!r) {
			uint64_t first = map;

			map = w->at;
			r = write_map(w, first);
		}
	}
	return r ? r : write_header(w, map);
}
