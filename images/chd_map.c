// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The map in memory: six bytes a hunk, four bits of where it is and 44 of what goes with that. Compressed hunks lie one behind the other
 * in the file in the order of the map, so their offsets follow from their lengths; one in 64 is kept.
 */
#include "images/chd_map.h"

#include <errno.h>
#include <string.h>

#include "images/chd_bits.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define MAP_HEADER 16u
#define ENTRY 6u
#define EVERY 64u
#define BUFFER 32768u
#define REF_BITS 44u

/* What the map's Huffman code says of a hunk: vd_chd_where up to PARENT, and short forms. */
enum code {
	CODE_SELF = VD_CHD_SELF,
	CODE_PARENT = VD_CHD_PARENT,
	CODE_RUN, /* as the one before, this and 2 more, and as many as the next code's number */
	CODE_LONG_RUN, /* this and 18 more, and 16 x the next code's + that of the one behind it */
	CODE_SELF_SAME,
	CODE_SELF_NEXT,
	CODE_PARENT_HERE,
	CODE_PARENT_SAME,
	CODE_PARENT_NEXT,
	CODES = 16,
};

struct vd_chd_map {
	uint64_t *bases; /* of the hunks that are a multiple of EVERY */
	uint32_t hunk;	 /* bytes */
	uint8_t entries[];
};

static uint16_t crc_table[8][256];

__attribute__((constructor)) static void make_tables(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint16_t c = (uint16_t)(i << 8);

		for (int bit = 0; bit < 8; bit++)
			c = (uint16_t)(c << 1 ^ (c & 0x8000 ? 0x1021 : 0));
		crc_table[0][i] = c;
	}
	for (int k = 1; k < 8; k++)
		for (unsigned int i = 0; i < 256; i++) {
			uint16_t c = crc_table[k - 1][i];

			crc_table[k][i] = (uint16_t)(c << 8 ^ crc_table[0][c >> 8]);
		}
}

uint16_t vd_chd_crc16(uint16_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 8; len -= 8, p += 8)
		crc = crc_table[7][p[0] ^ crc >> 8] ^ crc_table[6][p[1] ^ (crc & 0xff)] ^
		      crc_table[5][p[2]] ^ crc_table[4][p[3]] ^ crc_table[3][p[4]] ^
		      crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
	while (len--)
		crc = (uint16_t)(crc << 8 ^ crc_table[0][crc >> 8 ^ *p++]);
	return crc;
}

static uint64_t get_be48(const uint8_t *p)
{
	return (uint64_t)vd_get_be16(p) << 32 | vd_get_be32(p + 2);
}

static uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)vd_get_be32(p) << 32 | vd_get_be32(p + 4);
}

int vd_chd_header_read(struct vd_store *file, const char *name, struct vd_chd_header *h,
		       struct vd_error *err)
{
	uint8_t b[VD_CHD_HEADER];
	uint32_t version;
	uint64_t hunks;
	int r;

	memset(h, 0, sizeof(*h));
	if (file->size < 16)
		return vd_error_set(err, -EMEDIUMTYPE, "%s: not a CHD", name);
	memset(b, 0, sizeof(b));
	r = vd_store_pread(file, b, file->size < sizeof(b) ? (size_t)file->size : sizeof(b), 0);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", name);
	if (memcmp(b, "MComprHD", 8))
		return vd_error_set(err, -EMEDIUMTYPE, "%s: not a CHD", name);
	version = vd_get_be32(b + 12);
	if (version != 5)
		return vd_error_set(
			err, -EMEDIUMTYPE,
			"%s: a CHD of version %u; version 5 is read, which `chdman copy` makes "
			"of it",
			name, version);
	if (vd_get_be32(b + 8) != VD_CHD_HEADER || file->size < VD_CHD_HEADER)
		return vd_error_set(err, -EINVAL, "%s: at byte 8: a header of %u bytes, not of %u",
				    name, vd_get_be32(b + 8), VD_CHD_HEADER);
	for (size_t i = 0; i < 4; i++)
		h->codecs[i] = vd_get_be32(b + 16 + i * 4);
	h->size = get_be64(b + 32);
	h->map = get_be64(b + 40);
	h->meta = get_be64(b + 48);
	h->hunk = vd_get_be32(b + 56);
	h->unit = vd_get_be32(b + 60);
	memcpy(h->sha1, b + 84, VD_CHD_SHA1);
	memcpy(h->parent, b + 104, VD_CHD_SHA1);
	for (size_t i = 0; i < VD_CHD_SHA1; i++)
		h->has_parent |= h->parent[i] != 0;
	if (!h->unit || !h->hunk || h->hunk > VD_CHD_HUNK_MAX || h->hunk % h->unit)
		return vd_error_set(
			err, -EINVAL,
			"%s: at byte 56: hunks of %u bytes and units of %u; a hunk is whole "
			"units, and %u bytes at most",
			name, h->hunk, h->unit, VD_CHD_HUNK_MAX);
	hunks = h->size / h->hunk + (h->size % h->hunk ? 1 : 0);
	if (!hunks || hunks > VD_CHD_HUNKS_MAX)
		return vd_error_set(err, -EINVAL,
				    "%s: at byte 32: %llu hunks; there can be 1 to %u", name,
				    (unsigned long long)hunks, VD_CHD_HUNKS_MAX);
	h->hunks = (uint32_t)hunks;
	return 0;
}

/* The entries. */

static void put(struct vd_chd_map *m, uint32_t hunk, unsigned int where, uint64_t v)
{
	uint8_t *p = m->entries + (size_t)hunk * ENTRY;

	v |= (uint64_t)where << REF_BITS;
	vd_put_le32(p, (uint32_t)v);
	vd_put_le16(p + 4, (uint16_t)(v >> 32));
}

static uint64_t get(const struct vd_chd_map *m, uint32_t hunk, unsigned int *where)
{
	const uint8_t *p = m->entries + (size_t)hunk * ENTRY;
	uint64_t v = vd_get_le32(p) | (uint64_t)vd_get_le16(p + 4) << 32;

	*where = (unsigned int)(v >> REF_BITS);
	return v & ((1ull << REF_BITS) - 1);
}

/* Bytes that the hunk takes in the file. */
static uint32_t length_of(const struct vd_chd_map *m, uint32_t hunk)
{
	unsigned int where;
	uint64_t v = get(m, hunk, &where);

	return where < VD_CHD_STORED ? (uint32_t)(v >> 16) : where == VD_CHD_STORED ? m->hunk : 0;
}

struct vd_chd_entry vd_chd_map_get(const struct vd_chd_map *m, uint32_t hunk)
{
	struct vd_chd_entry e = { 0 };
	unsigned int where;
	uint64_t v = get(m, hunk, &where);

	e.where = where;
	e.at = v;
	if (where <= VD_CHD_STORED) {
		e.crc = (uint16_t)v;
		e.len = length_of(m, hunk);
		e.at = m->bases[hunk / EVERY];
		for (uint32_t i = hunk - hunk % EVERY; i < hunk; i++)
			e.at += length_of(m, i);
	} else if (where == VD_CHD_PLAIN) {
		e.at *= m->hunk;
		e.len = m->hunk;
	}
	return e;
}

void vd_chd_map_free(struct vd_chd_map *m)
{
	if (m)
		free(m->bases);
	free(m);
}

static void free_map(struct vd_chd_map **m)
{
	vd_chd_map_free(*m);
}

static struct vd_chd_map *new_map(const struct vd_chd_header *h)
{
	struct vd_chd_map *m = malloc(sizeof(*m) + (size_t)h->hunks * ENTRY);

	if (!m)
		return NULL;
	m->hunk = h->hunk;
	m->bases = malloc((h->hunks / EVERY + 1) * sizeof(*m->bases));
	if (m->bases)
		return m;
	free(m);
	return NULL;
}

/* The map of a file without codecs: four bytes a hunk, its offset in hunks. */
static int read_plain(struct vd_store *file, const char *name, const struct vd_chd_header *h,
		      struct vd_chd_map *m, struct vd_error *err)
{
	_cleanup_free_ uint8_t *buf = malloc(BUFFER);
	uint32_t per = BUFFER / 4;

	if (!buf)
		return vd_error_errno(err, -ENOMEM, "%s: cannot read its map", name);
	for (uint32_t first = 0; first < h->hunks; first += per) {
		uint32_t n = h->hunks - first < per ? h->hunks - first : per;
		int r = vd_store_pread(file, buf, (size_t)n * 4, h->map + (uint64_t)first * 4);

		if (r)
			return vd_error_set(err, -EINVAL, "%s: at byte %llu: no map of %u hunks",
					    name, (unsigned long long)h->map, h->hunks);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = vd_get_be32(buf + (size_t)i * 4);

			if (at && (at + 1ull) * h->hunk > file->size)
				return vd_error_set(err, -EINVAL,
						    "%s: hunk %u ends beyond the file", name,
						    first + i);
			put(m, first + i, at ? VD_CHD_PLAIN : VD_CHD_NOWHERE, at);
		}
	}
	return 0;
}

/* A compressed map, as far as it is read. */
struct reading {
	struct vd_chd_bits bits; /* first: refill() gets a pointer to it */
	struct vd_store *file;
	uint64_t at, end;
	uint8_t *buf;
	int error;
	const char *name;
	const struct vd_chd_header *h;
	struct vd_chd_map *map;
	struct vd_error *err;
	unsigned int length_bits, self_bits, parent_bits;
	uint64_t offset, self, parent;
	uint16_t crc;
};

static bool refill(struct vd_chd_bits *b)
{
	struct reading *r = (struct reading *)b;
	uint64_t left = r->end - r->at;
	size_t n = left < BUFFER ? (size_t)left : BUFFER;

	if (!n || r->error)
		return false;
	r->error = vd_store_pread(r->file, r->buf, n, r->at);
	if (r->error)
		return false;
	r->at += n;
	b->p = r->buf;
	b->end = r->buf + n;
	return true;
}

static int fail_map(struct reading *r, const char *what)
{
	return vd_error_set(r->err, -EINVAL, "%s: map at byte %llu: %s", r->name,
			    (unsigned long long)r->h->map, what);
}

static int fail_hunk(struct reading *r, uint32_t hunk, const char *what)
{
	return vd_error_set(r->err, -EINVAL, "%s: map at byte %llu: hunk %u %s", r->name,
			    (unsigned long long)r->h->map, hunk, what);
}

/* First all codes. What goes with them is behind the last one. */
static int read_codes(struct reading *r, struct vd_chd_huffman *huff)
{
	unsigned int last = 0;
	uint64_t run = 0;

	for (uint32_t i = 0; i < r->h->hunks; i++) {
		if (run) {
			run--;
		} else {
			int code = vd_chd_huffman_get(huff, &r->bits), more = 0, less = 0;

			if (code == CODE_RUN || code == CODE_LONG_RUN) {
				if (code == CODE_LONG_RUN)
					more = vd_chd_huffman_get(huff, &r->bits);
				less = vd_chd_huffman_get(huff, &r->bits);
				run = code == CODE_RUN
					      ? 2 + (uint64_t)less
					      : 18 + ((uint64_t)more << 4) + (uint64_t)less;
			} else {
				last = (unsigned int)code;
			}
			if (code < 0 || more < 0 || less < 0 || code > CODE_PARENT_NEXT)
				return fail_hunk(r, i, "has no such code");
			if (vd_chd_overrun(&r->bits))
				return fail_hunk(r, i, "is beyond its end");
		}
		put(r->map, i, last, 0);
	}
	return 0;
}

/* At most 44 bits. */
static uint64_t read_reference(struct reading *r, unsigned int bits)
{
	uint64_t high = bits > 32 ? vd_chd_bits(&r->bits, bits - 32) : 0;

	return high << 32 | vd_chd_bits(&r->bits, bits > 32 ? 32 : bits);
}

static int read_stored(struct reading *r, uint32_t hunk, unsigned int code)
{
	uint32_t len = code == VD_CHD_STORED ? r->h->hunk : vd_chd_bits(&r->bits, r->length_bits);
	uint16_t crc = (uint16_t)vd_chd_bits(&r->bits, 16);

	if (code != VD_CHD_STORED && !r->h->codecs[code])
		return fail_hunk(r, hunk, "is compressed by a codec that the header does not name");
	if (!len || len > r->h->hunk)
		return fail_hunk(r, hunk, "has a length that cannot be");
	if (r->offset > r->file->size || len > r->file->size - r->offset)
		return fail_hunk(r, hunk, "ends beyond the file");
	put(r->map, hunk, code, (uint64_t)len << 16 | crc);
	r->offset += len;
	return 0;
}

static int read_self(struct reading *r, uint32_t hunk, unsigned int code)
{
	struct vd_chd_entry e;

	if (code == CODE_SELF)
		r->self = read_reference(r, r->self_bits);
	else if (code == CODE_SELF_NEXT)
		r->self++;
	if (r->self >= hunk)
		return fail_hunk(r, hunk, "is said to be the same as one that is not before it");
	put(r->map, hunk, VD_CHD_SELF, r->self);
	/* As the one that is stored, so that nobody goes from one to the other for ever. */
	e = vd_chd_map_get(r->map, (uint32_t)r->self);
	if (e.where == VD_CHD_SELF || e.where == VD_CHD_PARENT)
		put(r->map, hunk, e.where, e.at);
	return 0;
}

static int read_parent(struct reading *r, uint32_t hunk, unsigned int code)
{
	if (code == CODE_PARENT)
		r->parent = read_reference(r, r->parent_bits);
	else if (code == CODE_PARENT_HERE)
		r->parent = (uint64_t)hunk * (r->h->hunk / r->h->unit);
	else if (code == CODE_PARENT_NEXT)
		r->parent += r->h->hunk / r->h->unit;
	if (!r->h->has_parent)
		return fail_hunk(r, hunk, "is in a parent, and the header names none");
	if (r->parent >> REF_BITS)
		return fail_hunk(r, hunk, "is beyond the end of any parent");
	put(r->map, hunk, VD_CHD_PARENT, r->parent);
	return 0;
}

/* The CRC of the map is over twelve bytes an entry: code, length 3, offset or reference 6, CRC 2. */
static void count_in(struct reading *r, uint32_t hunk, unsigned int code, uint64_t at)
{
	uint8_t raw[12] = { (uint8_t)code };
	unsigned int where;
	uint64_t v = get(r->map, hunk, &where);

	if (code <= VD_CHD_STORED) {
		uint32_t len = length_of(r->map, hunk);

		raw[1] = (uint8_t)(len >> 16);
		vd_put_be16(raw + 2, (uint16_t)len);
		vd_put_be16(raw + 10, (uint16_t)v);
	}
	vd_put_be16(raw + 4, (uint16_t)(at >> 32));
	vd_put_be32(raw + 6, (uint32_t)at);
	r->crc = vd_chd_crc16(r->crc, raw, sizeof(raw));
}

static int read_entries(struct reading *r)
{
	for (uint32_t i = 0; i < r->h->hunks; i++) {
		unsigned int code, whole;
		uint64_t at = r->offset;
		int e;

		get(r->map, i, &code);
		if (i % EVERY == 0)
			r->map->bases[i / EVERY] = r->offset;
		if (code <= VD_CHD_STORED) {
			whole = code;
			e = read_stored(r, i, code);
		} else if (code == CODE_SELF || code == CODE_SELF_SAME || code == CODE_SELF_NEXT) {
			whole = CODE_SELF;
			e = read_self(r, i, code);
			at = r->self;
		} else {
			whole = CODE_PARENT;
			e = read_parent(r, i, code);
			at = r->parent;
		}
		if (e)
			return e;
		if (vd_chd_overrun(&r->bits))
			return fail_hunk(r, i, "is beyond its end");
		count_in(r, i, whole, at);
	}
	return 0;
}

static int read_compressed(struct vd_store *file, const char *name, const struct vd_chd_header *h,
			   struct vd_chd_map *m, struct vd_error *err)
{
	struct reading r = {
		.bits = { .refill = refill },
		.file = file,
		.name = name,
		.h = h,
		.map = m,
		.err = err,
		.crc = 0xffff,
	};
	_cleanup_free_ uint8_t *buf = malloc(BUFFER);
	_cleanup_free_ struct vd_chd_huffman *huff = malloc(sizeof(*huff));
	uint8_t head[MAP_HEADER];
	int e;

	if (!buf || !huff)
		return vd_error_errno(err, -ENOMEM, "%s: cannot read its map", name);
	/* 0 while it is written: chdman was stopped before it was through. */
	if (!h->map)
		return fail_map(&r, "there is none: the file is not finished");
	if (h->map > file->size || file->size - h->map < MAP_HEADER)
		return fail_map(&r, "it is beyond the end of the file");
	e = vd_store_pread(file, head, MAP_HEADER, h->map);
	if (e)
		return vd_error_errno(err, e, "%s: cannot read its map", name);
	r.buf = buf;
	r.at = h->map + MAP_HEADER;
	if (vd_get_be32(head) > file->size - r.at)
		return fail_map(&r, "it ends beyond the end of the file");
	r.end = r.at + vd_get_be32(head);
	r.offset = get_be48(head + 4);
	r.length_bits = head[12];
	r.self_bits = head[13];
	r.parent_bits = head[14];
	if (r.length_bits > 24 || r.self_bits > 32 || r.parent_bits > REF_BITS)
		return fail_map(&r, "numbers of more bits than there can be");
	huff->codes = CODES;
	huff->max = 8;
	if (vd_chd_huffman_runs(huff, &r.bits))
		return fail_map(&r, "its Huffman code is none");
	e = read_codes(&r, huff);
	if (!e)
		e = read_entries(&r);
	if (r.error)
		return vd_error_errno(err, r.error, "%s: cannot read its map", name);
	if (!e && r.crc != vd_get_be16(head + 10))
		return fail_map(&r, "its CRC is wrong");
	return e;
}

int vd_chd_map_read(struct vd_store *file, const char *name, const struct vd_chd_header *h,
		    struct vd_chd_map **out, struct vd_error *err)
{
	_cleanup_(free_map) struct vd_chd_map *m = new_map(h);
	int r;

	if (!m)
		return vd_error_errno(err, -ENOMEM, "%s: cannot read its map", name);
	r = h->codecs[0] ? read_compressed(file, name, h, m, err)
			 : read_plain(file, name, h, m, err);
	if (!r)
		*out = VD_TAKE_PTR(m);
	return r;
}
