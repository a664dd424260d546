// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * DAA: the compressed image of PowerISO, versions 1.00 and 1.10. There is no description by its maker; this is by what Luigi Auriemma (daa2iso) and
 * CDEmu (Rok Mandeljc) found out. Numbers are little endian.
 *
 *     header, 76      0 "DAA", 16   16 where the table is, 4   20 version, 4: 100 or 110   24 where the chunks are, 4   36 bytes a chunk, 4
 *                     40 bytes of the image, 8   48 of the file, 8   56 more, 16, of 1.10   72 CRC-32 of what is before it, 4
 *     descriptors     up to the table: type 4, length with these 4; 2: files 4, ...; 3: it is encrypted
 *     table 1.00      3 bytes a chunk, bits 16 to 23, 0 to 7, 8 to 15 of its length: all are deflate
 *     table 1.10      bits, the lowest of a byte first: of each chunk its length less 5, and its type: 0 LZMA, 1 deflate; as long as expanded, or
 *                     longer, it is as it is. 61 how many bits: the lower 3 of the type, the others, plus 10, of the length; these 0: as
 *                     many as a chunk's bytes can be halved until they are no more than the type's bits
 *     in 1.10         24: the lower 3 bytes only   36: the lower 12 bits times 16384, and flags: 4000 a compressed table, 20000 hidden
 *                     bits, 800000 and 1000000 a deflate of its own, 8000000 a hidden table   62 1: a filter for x86 code   63 LZMA's properties, 5
 *     further files   0 "DAA VOL", 16   16 where the chunks go on, 4
 *
 * Hidden tables: from each byte is taken away the number of sectors (its lower 8 bits) and, for the next one, the 8 bits above them more. Hidden bits: an exclusive
 * or with the number of the chunk and one of eight constants.
 *
 * Refused by name: encrypted ones, compressed tables and a deflate of its own, which nobody has described from an image.
 */
#define _GNU_SOURCE
#include "images/wrapped.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "images/hunks.h"
#include "images/joined.h"
#include "images/unpack.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define HEADER 76u
#define PART_HEADER 40u
#define FILES_MAX 256u
#define CHUNK_MAX (8u << 20)
#define CHUNKS_MAX (1u << 20)
#define V100 0x100u
#define V110 0x110u
#define TABLE_COMPRESSED 0x4000u
#define BITS_HIDDEN 0x20000u
#define UNKNOWN 0x80000u
#define SWAPPED 0x1800000u
#define TABLE_HIDDEN 0x8000000u
#define DATA_UNKNOWN 0x90000000u
#define LENGTH_LESS 5u

enum type { LZMA, DEFLATE, PLAIN };

struct daa {
	const char *name;
	struct vd_error *err;
	struct vd_store *files[FILES_MAX];
	size_t nfiles;
	struct vd_store *data; /* all chunks, joined */
	uint64_t size;
	uint32_t version, table, first, flags, block, nchunks, parts, largest;
	unsigned int type_bits, length_bits;
	bool x86;
	uint8_t lzma[5];
	/* Of each chunk where it is among them, times 4, and its type; one more for the end. */
	uint64_t *chunks;
};

static int fail(struct daa *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct daa *d, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(d->err, -EINVAL, "%s: %s", d->name, words);
}

static int cannot_read(struct daa *d, int r)
{
	return vd_error_errno(d->err, r, "%s: cannot read it", d->name);
}

static void daa_close(void *of)
{
	struct daa *d = of;

	vd_store_close(d->data);
	for (size_t i = 0; i < d->nfiles; i++)
		vd_store_close(d->files[i]);
	free(d->chunks);
	free(d);
}

static void close_daa(struct daa **d)
{
	if (*d)
		daa_close(*d);
}

static uint64_t chunk_at(const struct daa *d, uint32_t chunk)
{
	return d->chunks[chunk] >> 2;
}

/* Decoding. */

static void *new_decoder(void *of)
{
	const struct daa *d = of;

	return vd_unpacker_new(d->largest);
}

static void free_decoder(void *decoder)
{
	vd_unpacker_free(decoder);
}

static int decode(void *of, void *decoder, uint32_t chunk, uint8_t *buf)
{
	const struct daa *d = of;
	const uint64_t left = d->size - (uint64_t)chunk * d->block, at = chunk_at(d, chunk);
	const size_t want = left < d->block ? (size_t)left : d->block;
	const size_t len = (size_t)(chunk_at(d, chunk + 1) - at);
	uint8_t *in = vd_unpacker_buffer(decoder);
	int r = vd_store_pread(d->data, in, len, at);

	if (r)
		return r;
	switch ((enum type)(d->chunks[chunk] & 3)) {
	case PLAIN:
		memcpy(buf, in, want);
		return 0;
	case DEFLATE:
		return vd_unpack_deflate(decoder, in, len, buf, want);
	default:
		return vd_unpack_lzma(d->lzma, d->x86, in, len, buf, want);
	}
}

static const struct vd_hunks_ops daa_ops = {
	.decoder_new = new_decoder,
	.decoder_free = free_decoder,
	.decode = decode,
	.close = daa_close,
};

/* Opening. */

/* @len bytes of the first file at @at. */
static int read_at(struct daa *d, const char *what, uint64_t at, void *p, size_t len)
{
	int r;

	if (at > d->files[0]->size || len > d->files[0]->size - at)
		return fail(d, "cut short: %s of %zu bytes at byte %llu, and it ends at %llu", what,
			    len, (unsigned long long)at, (unsigned long long)d->files[0]->size);
	r = vd_store_pread(d->files[0], p, len, at);
	return r ? cannot_read(d, r) : 0;
}

/* What is of 1.10. */
static int read_version_110(struct daa *d, const uint8_t *h)
{
	d->flags = d->block;
	if (d->flags & TABLE_COMPRESSED)
		return fail(d, "its table is compressed; images with such are not read");
	if (d->flags & (SWAPPED | UNKNOWN) || d->first & DATA_UNKNOWN)
		return fail(d, "it has flags %08x and %08x; such images are not read", d->flags,
			    d->first);
	d->first &= 0xffffff;
	d->block = (d->flags & 0xfff) << 14;
	d->type_bits = h[61] & 7;
	d->length_bits = h[61] >> 3;
	if (d->length_bits)
		d->length_bits += 10;
	else
		for (uint32_t n = d->block; n > d->type_bits; n >>= 1)
			d->length_bits++;
	if (!d->type_bits || d->length_bits > 32)
		return fail(d, "lengths of %u and types of %u bits", d->length_bits, d->type_bits);
	if (h[62] > 1)
		return fail(d, "filter %u of LZMA is not known", h[62]);
	d->x86 = h[62];
	memcpy(d->lzma, h + 63, sizeof(d->lzma));
	return 0;
}

static int read_header(struct daa *d)
{
	uint8_t h[HEADER];
	uint64_t chunks;
	int r = read_at(d, "a header", 0, h, HEADER);

	if (r)
		return r;
	if (vd_get_le32(h + 72) != crc32(0, h, 72))
		return fail(d, "its header is damaged (CRC)");
	d->version = vd_get_le32(h + 20);
	d->table = vd_get_le32(h + 16);
	d->first = vd_get_le32(h + 24);
	d->block = vd_get_le32(h + 36);
	d->size = vd_get_le64(h + 40);
	if (d->version != V100 && d->version != V110)
		return fail(d, "DAA of version %x, which is not known", d->version);
	if (d->version == V110)
		r = read_version_110(d, h);
	if (r)
		return r;
	if (!d->size || !d->block || d->block > CHUNK_MAX)
		return fail(d, "%llu bytes in chunks of %u; there can be such of up to %u",
			    (unsigned long long)d->size, d->block, CHUNK_MAX);
	chunks = d->size / d->block + !!(d->size % d->block);
	if (chunks > CHUNKS_MAX)
		return fail(d, "%llu chunks; there can be %u", (unsigned long long)chunks,
			    CHUNKS_MAX);
	d->nchunks = (uint32_t)chunks;
	if (d->table < HEADER || d->first < d->table)
		return fail(d, "its table is at byte %u, and its chunks at %u", d->table, d->first);
	return 0;
}

static int read_descriptors(struct daa *d)
{
	uint64_t at = HEADER;
	uint8_t p[12];

	d->parts = 1;
	while (at < d->table) {
		uint32_t len;
		int r = read_at(d, "a descriptor", at, p, 8);

		if (r)
			return r;
		len = vd_get_le32(p + 4);
		if (len < 8 || len > d->table - at)
			return fail(d, "descriptor at byte %llu: %u bytes", (unsigned long long)at,
				    len);
		if (vd_get_le32(p) == 3)
			return fail(d, "it is encrypted, and encrypted ones are not read");
		if (vd_get_le32(p) == 2 && len >= 12) {
			r = read_at(d, "a descriptor", at, p, 12);
			if (r)
				return r;
			d->parts = vd_get_le32(p + 8);
			if (!d->parts || d->parts > FILES_MAX)
				return fail(d, "descriptor at byte %llu: %u files; there can be %u",
					    (unsigned long long)at, d->parts, FILES_MAX);
		}
		at += len;
	}
	return 0;
}

/* @n bits from bit @at on; 0 beyond the @len bytes. */
static uint32_t take_bits(const uint8_t *p, size_t len, uint64_t at, unsigned int n)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < n; i++, at++)
		if (at / 8 < len)
			v |= (uint64_t)(p[at / 8] >> (at % 8) & 1) << i;
	return (uint32_t)v;
}

/* Length and type of chunk @i. */
static void chunk_of(const struct daa *d, const uint8_t *table, size_t len, uint32_t i,
		     uint64_t *length, uint32_t *type)
{
	static const uint8_t masks[] = { 0x0a, 0x35, 0x2d, 0x3f, 0x08, 0x33, 0x09, 0x15 };
	const unsigned int bits = d->type_bits + d->length_bits;
	uint32_t mask = ((i ^ masks[i & 7]) & 0xff) * 0x01010101u;

	if (d->version == V100) {
		const uint8_t *p = table + (size_t)i * 3;

		*length = (uint32_t)p[0] << 16 | (uint32_t)p[2] << 8 | p[1];
		*type = DEFLATE;
		return;
	}
	if (!(d->flags & BITS_HIDDEN))
		mask = 0;
	*length = take_bits(table, len, (uint64_t)i * bits, d->length_bits) ^
		  (mask & (uint32_t)((1ull << d->length_bits) - 1));
	*type = take_bits(table, len, (uint64_t)i * bits + d->length_bits, d->type_bits) ^
		(mask & ((1u << d->type_bits) - 1));
	*length += LENGTH_LESS;
	if (*length >= d->block)
		*type = PLAIN;
}

static void unhide(const struct daa *d, uint8_t *p, size_t len)
{
	const uint64_t sectors = d->size / 2048;
	uint8_t key = (uint8_t)sectors;

	for (size_t i = 0; i < len; i++, key = (uint8_t)(key + (sectors >> 8)))
		p[i] = (uint8_t)(p[i] - key);
}

static int read_table(struct daa *d)
{
	const uint64_t bits = d->version == V100 ? 24 : d->type_bits + d->length_bits;
	const size_t len = (size_t)((bits * d->nchunks + 7) / 8);
	_cleanup_free_ uint8_t *p = malloc(len + 1);
	uint64_t at = 0;
	int r;

	d->chunks = calloc((size_t)d->nchunks + 1, sizeof(*d->chunks));
	if (!p || !d->chunks)
		return cannot_read(d, -ENOMEM);
	if (len > d->first - d->table)
		return fail(d, "%u chunks, but a table of %u bytes", d->nchunks,
			    d->first - d->table);
	r = read_at(d, "a table", d->table, p, len);
	if (r)
		return r;
	if (d->version == V110 && d->flags & TABLE_HIDDEN)
		unhide(d, p, len);
	for (uint32_t i = 0; i < d->nchunks; i++) {
		uint64_t n;
		uint32_t type;

		chunk_of(d, p, len, i, &n, &type);
		if (type > PLAIN || (type == PLAIN && n < d->block))
			return fail(d, "chunk %u is of type %u, which is not known", i, type);
		if (n > vd_unpack_most(d->block))
			return fail(d, "chunk %u is of %llu bytes, where %u are expanded", i,
				    (unsigned long long)n, d->block);
		d->largest = n > d->largest ? (uint32_t)n : d->largest;
		d->chunks[i] = at << 2 | type;
		at += n;
	}
	d->chunks[d->nchunks] = at << 2;
	return 0;
}

/* The name of file number @n, from 1 on: x.part02.daa, x.part002.daa or x.d00. NULL: no memory. */
static char *part_name(const struct daa *d, unsigned int n)
{
	const size_t len = strlen(d->name);
	const char *dot = strrchr(d->name, '.');
	char *out;
	int r;

	if (len >= 7 && !strcasecmp(d->name + len - 7, "001.daa"))
		r = asprintf(&out, "%.*s%03u.daa", (int)(len - 7), d->name, n + 1);
	else if (len >= 6 && !strcasecmp(d->name + len - 6, "01.daa"))
		r = asprintf(&out, "%.*s%02u.daa", (int)(len - 6), d->name, n + 1);
	else
		r = asprintf(&out, "%.*s.d%02u", (int)(dot ? dot - d->name : (int)len), d->name,
			     n - 1);
	return r < 0 ? NULL : out;
}

static int open_part(struct daa *d, struct vd_opener *opener, unsigned int n,
		     struct vd_joined_part *part)
{
	_cleanup_free_ char *name = part_name(d, n);
	uint8_t h[PART_HEADER] = { 0 };
	struct vd_store *file;
	int fd, r;

	if (!name)
		return cannot_read(d, -ENOMEM);
	fd = opener->open(opener, name, d->err);
	if (fd < 0)
		return vd_error_prefix(d->err, fd, "%s: file %u", d->name, n + 1);
	r = vd_store_file_open(fd, true, &file, d->err);
	if (r)
		return vd_error_prefix(d->err, r, "%s: %s", d->name, name);
	d->files[d->nfiles++] = file;
	if (file->size >= sizeof(h))
		r = vd_store_pread(file, h, sizeof(h), 0);
	if (r)
		return cannot_read(d, r);
	part->store = file;
	part->offset = vd_get_le32(h + 16) & 0xffffff;
	if (memcmp(h, "DAA VOL", 8) || vd_get_le32(h + 36) != crc32(0, h, 36) ||
	    part->offset > file->size)
		return fail(d, "%s is no further file of it", name);
	part->length = file->size - part->offset;
	return 0;
}

static int join_parts(struct daa *d, struct vd_opener *opener)
{
	_cleanup_free_ struct vd_joined_part *parts = calloc(d->parts, sizeof(*parts));
	uint64_t have = 0;
	int r = 0;

	if (!parts)
		return cannot_read(d, -ENOMEM);
	if (d->first > d->files[0]->size)
		return fail(d, "cut short: its chunks are at byte %u, and it ends at %llu",
			    d->first, (unsigned long long)d->files[0]->size);
	parts[0] = (struct vd_joined_part){ .store = d->files[0],
					    .offset = d->first,
					    .length = d->files[0]->size - d->first };
	for (uint32_t i = 0; !r && i < d->parts; i++) {
		if (i)
			r = open_part(d, opener, i, &parts[i]);
		if (!r && parts[i].length > INT64_MAX - have)
			return fail(d, "its files are too long together");
		have += r ? 0 : parts[i].length;
	}
	if (r)
		return r;
	if (have < chunk_at(d, d->nchunks))
		return fail(d, "cut short: chunks of %llu bytes, and %llu are there",
			    (unsigned long long)chunk_at(d, d->nchunks), (unsigned long long)have);
	r = vd_joined_open(parts, d->parts, &d->data);
	return r ? cannot_read(d, r) : 0;
}

static int daa_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err)
{
	_cleanup_(close_daa) struct daa *d = calloc(1, sizeof(*d));
	struct vd_hunks_size size;
	int r;

	if (!d) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	d->name = h->name;
	d->err = err;
	d->files[d->nfiles++] = store;
	r = read_header(d);
	if (!r)
		r = read_descriptors(d);
	if (!r)
		r = read_table(d);
	if (!r)
		r = join_parts(d, opener);
	if (r)
		return r;
	size = (struct vd_hunks_size){ d->size, d->block, d->nchunks };
	r = vd_hunks_open(&daa_ops, VD_TAKE_PTR(d), &size, out);
	return r ? vd_error_errno(err, r, "%s: cannot read it", h->name) : 0;
}

static int daa_probe(const struct vd_image_head *h)
{
	return h->len >= 16 && !memcmp(h->data, "DAA\0\0\0\0\0\0\0\0\0\0\0\0", 16) ? 100 : 0;
}

const struct vd_wrapping vd_wrapping_daa = {
	.words = "a DAA compressed disc image",
	.suffixes = (const char *const[]){ ".daa", NULL },
	.probe = daa_probe,
	.open = daa_open,
};
