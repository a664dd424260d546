// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ISZ: the compressed image of UltraISO, by the "ISZ File Format Specification", version 1.00, of its maker (EZB Systems), and, where that is silent, by what
 * CDEmu (Henrik Stokseth) found out: what hides the tables, and the beginning of bzip2 blocks. Numbers are little endian.
 *
 *     header, 48 or 64   0 "IsZ!"   4 its length   5 version   6 serial number of the volume, 4   10 bytes a sector, 2   12 sectors, 4
 *                        16 encryption   17 bytes a segment, 8   25 chunks, 4   29 bytes a chunk, 4   33 bytes of a pointer
 *                        34 number of this segment   35 where the pointers are, 4, 0: none   39 where the segments are, 4, 0: none
 *                        43 where the chunks are, 4
 *     segment, 24        0 bytes, 8, 0: the end   8 chunks, 4   12 the first of them, 4   16 where that is in its file, 4
 *                        20 bytes of its last chunk that are in the next file, 4: in front of what is first there
 *     pointer            the upper two bits: 0 zeros, which have no bytes, 1 as it is, 2 zlib, 3 bzip2; the rest bytes of the chunk
 *
 * Both tables are hidden by an exclusive or with the complement of "IsZ!", over and over from the beginning of the table on. bzip2 blocks
 * have something else for their "BZh". Segments are disc.isz, disc.i01, disc.i02 ...
 *
 * Whichever files they are in, the chunks are one behind the other in a joined store.
 */
#define _GNU_SOURCE
#include "images/wrapped.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/hunks.h"
#include "images/joined.h"
#include "images/unpack.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define HEADER 48u
#define SEGMENT 24u
#define SEGMENTS_MAX 99u
#define CHUNK_MAX (8u << 20)
#define CHUNKS_MAX (1u << 20)

static const char signature[] = "IsZ!";

enum type { ZEROS, PLAIN, ZLIB, BZIP2 };

struct isz {
	const char *name;
	struct vd_error *err;
	struct vd_store *files[SEGMENTS_MAX];
	size_t nfiles;
	struct vd_store *data; /* all chunks, joined */
	uint64_t size;
	uint32_t serial, block, nchunks, pointers, segments, first;
	uint8_t pointer;
	/* Of each chunk where it is among them, times 4, and its type; one more for the end. */
	uint64_t *chunks;
};

static int fail(struct isz *z, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct isz *z, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(z->err, -EINVAL, "%s: %s", z->name, words);
}

static int cannot_read(struct isz *z, int r)
{
	return vd_error_errno(z->err, r, "%s: cannot read it", z->name);
}

static void isz_close(void *of)
{
	struct isz *z = of;

	vd_store_close(z->data);
	for (size_t i = 0; i < z->nfiles; i++)
		vd_store_close(z->files[i]);
	free(z->chunks);
	free(z);
}

static void close_isz(struct isz **z)
{
	if (*z)
		isz_close(*z);
}

static uint64_t chunk_at(const struct isz *z, uint32_t chunk)
{
	return z->chunks[chunk] >> 2;
}

/* Decoding. */

static void *new_decoder(void *of)
{
	const struct isz *z = of;

	return vd_unpacker_new((size_t)vd_unpack_most(z->block));
}

static void free_decoder(void *decoder)
{
	vd_unpacker_free(decoder);
}

static int decode(void *of, void *decoder, uint32_t chunk, uint8_t *buf)
{
	const struct isz *z = of;
	const uint64_t left = z->size - (uint64_t)chunk * z->block, at = chunk_at(z, chunk);
	const size_t want = left < z->block ? (size_t)left : z->block;
	const size_t len = (size_t)(chunk_at(z, chunk + 1) - at);
	uint8_t *in = vd_unpacker_buffer(decoder);
	int r;

	switch ((enum type)(z->chunks[chunk] & 3)) {
	case ZEROS:
		memset(buf, 0, want);
		return 0;
	case PLAIN:
		return len < want ? -EIO : vd_store_pread(z->data, buf, want, at);
	case ZLIB:
		r = vd_store_pread(z->data, in, len, at);
		return r ? r : vd_unpack_zlib(decoder, in, len, buf, want);
	default:
		r = vd_store_pread(z->data, in, len, at);
		if (r || len < 4)
			return r ? r : -EIO;
		memcpy(in, "BZh", 3);
		return vd_unpack_bzip2(in, len, buf, want);
	}
}

static const struct vd_hunks_ops isz_ops = {
	.decoder_new = new_decoder,
	.decoder_free = free_decoder,
	.decode = decode,
	.close = isz_close,
};

/* Opening. */

static void unhide(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] ^= (uint8_t)~signature[i % 4];
}

/* @len bytes of the first file at @at, hidden ones. */
static int read_hidden(struct isz *z, const char *what, uint64_t at, uint8_t *p, size_t len)
{
	int r;

	if (at > z->files[0]->size || len > z->files[0]->size - at)
		return fail(z, "cut short: %s of %zu bytes at byte %llu, and it ends at %llu", what,
			    len, (unsigned long long)at, (unsigned long long)z->files[0]->size);
	r = vd_store_pread(z->files[0], p, len, at);
	if (r)
		return cannot_read(z, r);
	unhide(p, len);
	return 0;
}

static int read_header(struct isz *z)
{
	static const char *const ciphers[] = { "", "by a password", "by AES-128", "by AES-192",
					       "by AES-256" };
	uint8_t h[HEADER];
	uint64_t chunks;
	int r;

	if (z->files[0]->size < HEADER)
		return fail(z, "cut short: its header is %u bytes", HEADER);
	r = vd_store_pread(z->files[0], h, HEADER, 0);
	if (r)
		return cannot_read(z, r);
	if (h[5] > 1)
		return fail(z, "ISZ of version %u, only 1 is read", h[5]);
	if (h[16])
		return fail(z, "it is encrypted%s%s, and encrypted ones are not read",
			    h[16] < VD_ARRAY_SIZE(ciphers) ? " " : "",
			    h[16] < VD_ARRAY_SIZE(ciphers) ? ciphers[h[16]] : "");
	if (h[34] > 1)
		return fail(z, "it is segment %u; the one to open is called .isz", h[34]);
	z->serial = vd_get_le32(h + 6);
	z->size = (uint64_t)vd_get_le16(h + 10) * vd_get_le32(h + 12);
	z->nchunks = vd_get_le32(h + 25);
	z->block = vd_get_le32(h + 29);
	z->pointer = h[33];
	z->pointers = vd_get_le32(h + 35);
	z->segments = vd_get_le32(h + 39);
	z->first = vd_get_le32(h + 43);
	if (!z->size || !z->block || z->block > CHUNK_MAX)
		return fail(z, "%llu bytes in chunks of %u; there can be such of up to %u",
			    (unsigned long long)z->size, z->block, CHUNK_MAX);
	chunks = z->size / z->block + !!(z->size % z->block);
	if (chunks != z->nchunks || chunks > CHUNKS_MAX)
		return fail(z, "%u chunks, but %llu bytes are %llu of them (%u can be)", z->nchunks,
			    (unsigned long long)z->size, (unsigned long long)chunks, CHUNKS_MAX);
	if (z->pointers && (!z->pointer || z->pointer > 4))
		return fail(z, "pointers of %u bytes", z->pointer);
	if (vd_get_le64(h + 17) && !z->segments)
		return fail(z, "segments of %llu bytes, but no table of them",
			    (unsigned long long)vd_get_le64(h + 17));
	return 0;
}

static int read_pointers(struct isz *z)
{
	const size_t len = (size_t)z->nchunks * z->pointer;
	const unsigned int bits = z->pointer * 8u - 2;
	_cleanup_free_ uint8_t *p = z->pointers ? malloc(len) : NULL;
	uint64_t at = 0;
	int r = 0;

	z->chunks = calloc((size_t)z->nchunks + 1, sizeof(*z->chunks));
	if (!z->chunks || (z->pointers && !p))
		return cannot_read(z, -ENOMEM);
	if (p)
		r = read_hidden(z, "a table of chunks", z->pointers, p, len);
	for (uint32_t i = 0; !r && i < z->nchunks; i++) {
		uint64_t left = z->size - (uint64_t)i * z->block;
		uint32_t type = PLAIN, n = left < z->block ? (uint32_t)left : z->block, v = 0;

		if (p) {
			for (unsigned int k = 0; k < z->pointer; k++)
				v |= (uint32_t)p[(size_t)i * z->pointer + k] << (8 * k);
			type = v >> bits;
			n = type == ZEROS ? 0 : v & ((1u << bits) - 1);
		}
		if (n > vd_unpack_most(z->block))
			return fail(z, "chunk %u is of %u bytes, where %u are expanded", i, n,
				    z->block);
		z->chunks[i] = at << 2 | type;
		at += n;
	}
	z->chunks[z->nchunks] = at << 2;
	return r;
}

/* The file of segment number @n, from 1 on. */
static int open_segment(struct isz *z, struct vd_opener *opener, unsigned int n)
{
	const size_t len = strlen(z->name);
	_cleanup_free_ char *name = NULL;
	uint8_t h[10] = { 0 };
	int fd, r;

	if (len < 4 || strcasecmp(z->name + len - 4, ".isz"))
		return fail(z, "it has other segments, but is not called .isz as the first one is");
	if (asprintf(&name, "%.*si%02u", (int)(len - 3), z->name, n) < 0) {
		name = NULL;
		return cannot_read(z, -ENOMEM);
	}
	fd = opener->open(opener, name, z->err);
	if (fd < 0)
		return vd_error_prefix(z->err, fd, "%s: segment %u", z->name, n + 1);
	r = vd_store_file_open(fd, true, &z->files[z->nfiles], z->err);
	if (r)
		return vd_error_prefix(z->err, r, "%s: %s", z->name, name);
	z->nfiles++;
	if (z->files[n]->size >= sizeof(h))
		r = vd_store_pread(z->files[n], h, sizeof(h), 0);
	if (r)
		return cannot_read(z, r);
	return memcmp(h, signature, 4) || vd_get_le32(h + 6) != z->serial
		       ? fail(z, "%s is no segment of it", name)
		       : 0;
}

/* The chunks of each segment, and what the last one of the segment before left over. */
static int join_segments(struct isz *z, struct vd_opener *opener)
{
	struct vd_joined_part parts[SEGMENTS_MAX];
	uint32_t next = 0, over = 0;
	unsigned int n = 0;
	int r;

	for (; next < z->nchunks; n++) {
		uint8_t s[SEGMENT];
		uint32_t chunks, at, left;
		uint64_t bytes;

		if (n == SEGMENTS_MAX)
			return fail(z, "more than %u segments", SEGMENTS_MAX);
		r = read_hidden(z, "a segment", z->segments + (uint64_t)n * SEGMENT, s, SEGMENT);
		if (!r && n && vd_get_le64(s))
			r = open_segment(z, opener, n);
		if (r)
			return r;
		chunks = vd_get_le32(s + 8);
		at = vd_get_le32(s + 16);
		left = vd_get_le32(s + 20);
		if (!vd_get_le64(s) || vd_get_le32(s + 12) != next || !chunks ||
		    chunks > z->nchunks - next)
			return fail(z, "segment %u has %u chunks from %u on, after %u of %u", n + 1,
				    chunks, vd_get_le32(s + 12), next, z->nchunks);
		bytes = over + chunk_at(z, next + chunks) - chunk_at(z, next);
		next += chunks;
		if (over > at || left > bytes || (left && next == z->nchunks))
			return fail(z,
				    "segment %u begins at byte %u behind %u of the one before, "
				    "and leaves %u",
				    n + 1, at, over, left);
		parts[n] = (struct vd_joined_part){ .store = z->files[n],
						    .offset = at - over,
						    .length = bytes - left };
		if (parts[n].offset > z->files[n]->size ||
		    parts[n].length > z->files[n]->size - parts[n].offset)
			return fail(z,
				    "segment %u is cut short: %llu bytes from byte %llu on of %llu",
				    n + 1, (unsigned long long)parts[n].length,
				    (unsigned long long)parts[n].offset,
				    (unsigned long long)z->files[n]->size);
		over = left;
	}
	r = vd_joined_open(parts, n, &z->data);
	return r ? cannot_read(z, r) : 0;
}

static int join_one(struct isz *z)
{
	const struct vd_joined_part part = { .store = z->files[0],
					     .offset = z->first,
					     .length = chunk_at(z, z->nchunks) };
	int r;

	if (part.offset > z->files[0]->size || part.length > z->files[0]->size - part.offset)
		return fail(z, "cut short: %llu bytes of chunks from byte %llu on of %llu",
			    (unsigned long long)part.length, (unsigned long long)part.offset,
			    (unsigned long long)z->files[0]->size);
	r = vd_joined_open(&part, 1, &z->data);
	return r ? cannot_read(z, r) : 0;
}

static int isz_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err)
{
	_cleanup_(close_isz) struct isz *z = calloc(1, sizeof(*z));
	struct vd_hunks_size size;
	int r;

	if (!z) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	z->name = h->name;
	z->err = err;
	z->files[z->nfiles++] = store;
	r = read_header(z);
	if (!r)
		r = read_pointers(z);
	if (!r)
		r = z->segments ? join_segments(z, opener) : join_one(z);
	if (r)
		return r;
	size = (struct vd_hunks_size){ z->size, z->block, z->nchunks };
	r = vd_hunks_open(&isz_ops, VD_TAKE_PTR(z), &size, out);
	return r ? vd_error_errno(err, r, "%s: cannot read it", h->name) : 0;
}

static int isz_probe(const struct vd_image_head *h)
{
	return h->len >= 4 && !memcmp(h->data, signature, 4) ? 100 : 0;
}

const struct vd_wrapping vd_wrapping_isz = {
	.words = "an ISZ compressed disc image",
	.suffixes = (const char *const[]){ ".isz", NULL },
	.probe = isz_probe,
	.open = isz_open,
};
