// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * MDS: the description that Alcohol 120% writes beside its .mdf, version 1. There is no description of it by its maker; this is by what CDEmu
 * (Henrik Stokseth, Rok Mandeljc) and Aaru (its template for 010 Editor) found out. Numbers are little endian.
 *
 *     header, 88      0 "MEDIA DESCRIPTOR"   16 version   18 medium   20 sessions   26 bytes of the BCA   36 where they are
 *                     64 where disc structures are   80 where sessions are   84 where positions (DPM) are
 *     session, 24     10 blocks   20 where they are
 *     block, 80       an entry of the TOC: 0 mode   1 subchannel   2 ADR and control   4 point   10 PSec   12 where its lengths
 *                     are, or on a DVD its sectors   16 bytes a sector   36 LBA   40 where in the .mdf   48 files   52 where they are
 *     lengths, 8      0 sectors of pregap   4 sectors
 *     file, 16        0 where its name is, with a NUL behind it   4 it is UTF-16
 *
 * A name "*.mdf" has the name of the .mds before its dot. Files of a track go on one in another, wherever they are cut.
 *
 * A pregap is silence, but where the track before ends in the .mdf as far before this one as the pregap is long, there it is.
 *
 * Positions, by which some copy protections tell a copy, are skipped: no drive of vdrive shows how fast it turns. Version 2 (Daemon Tools') is encrypted, and refused.
 */
#define _GNU_SOURCE
#include "images/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "images/joined.h"
#include "images/single_track.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define MDS_MAX (4u << 20)
#define HEADER_SIZE 88u
#define SESSION_SIZE 24u
#define BLOCK_SIZE 80u
#define FILE_SIZE 16u
#define FILES_MAX 256u
#define NAME_MAX_LEN 1024u
#define POINT_TYPE 0xa0
#define LAYER_SIZE (4u + 2048 + 2048)
#define DVD_FIRST 0x30000 /* physical address of the first sector of layer 0 (ECMA-267, 16.6) */

static const char signature[] = "MEDIA DESCRIPTOR";

/* Bytes of a sector without its subchannel. */
static const struct {
	uint16_t size;
	enum vd_sector_layout layout;
} layouts[] = {
	{ 2048, VD_LAYOUT_2048 }, { 2324, VD_LAYOUT_2324 }, { 2328, VD_LAYOUT_2328 },
	{ 2332, VD_LAYOUT_2332 }, { 2336, VD_LAYOUT_2336 }, { 2352, VD_LAYOUT_2352 },
};

/* One set of files, as a track has them. Tracks with the same footer have the same. */
struct files {
	uint32_t at;
	uint32_t n;
	struct vd_store *store;
};

struct mds {
	struct vd_sheet sheet; /* its files and the disc; it has no text */
	uint8_t *data;
	size_t len;
	bool is_dvd;
	struct files files[VD_TRACKS_MAX];
	size_t nfiles;
	/* Where the track before ended in its store. */
	struct vd_store *last_store;
	uint64_t last_end;
};

/* "NAME: WHAT at byte AT: words" */
static int fail(struct mds *m, const char *what, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int fail(struct mds *m, const char *what, size_t at, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(m->sheet.err, -EINVAL, "%s: %s at byte %zu: %s", m->sheet.name, what,
			    at, words);
}

/* The @len bytes at @at, or NULL with words when they are not all there. */
static const uint8_t *bytes_at(struct mds *m, const char *what, uint64_t at, size_t len)
{
	if (at > m->len || len > m->len - at) {
		fail(m, what, (size_t)at, "it ends at byte %zu", m->len);
		return NULL;
	}
	return m->data + at;
}

/* Files. */

/* The name at @at, in UTF-8 as far as that is known. */
static int read_name(struct mds *m, uint32_t at, bool wide, char **out)
{
	size_t unit = wide ? 2 : 1, len = 0;
	const uint8_t *p = bytes_at(m, "file name", at, 0);

	if (!p)
		return -EINVAL;
	while (at + len + unit <= m->len && len < NAME_MAX_LEN && (p[len] || (wide && p[len + 1])))
		len += unit;
	if (!len || len == NAME_MAX_LEN)
		return fail(m, "file name", at, len ? "it is too long" : "it is empty");
	*out = malloc(len * 2 + 1);
	if (!*out)
		return vd_error_errno(m->sheet.err, -ENOMEM, "%s", m->sheet.name);
	if (wide) {
		len = vd_sheet_from_utf16(p, len, false, *out);
	} else {
		memcpy(*out, p, len);
	}
	(*out)[len] = '\0';
	return 0;
}

static int open_files(struct mds *m, uint32_t at, uint32_t n, struct vd_store **out)
{
	_cleanup_free_ struct vd_joined_part *parts = calloc(n, sizeof(*parts));
	const uint8_t *p = bytes_at(m, "files", at, (size_t)n * FILE_SIZE);
	uint64_t total = 0;
	int r = 0;

	if (!p || !parts)
		return p ? vd_error_errno(m->sheet.err, -ENOMEM, "%s", m->sheet.name) : -EINVAL;
	for (uint32_t i = 0; !r && i < n; i++) {
		_cleanup_free_ char *name = NULL;

		r = read_name(m, vd_get_le32(p + i * FILE_SIZE), vd_get_le32(p + i * FILE_SIZE + 4),
			      &name);
		if (!r)
			r = vd_sheet_own_file(&m->sheet, name, n == 1, &parts[i].store);
		if (r)
			break;
		parts[i].length = parts[i].store->size;
		if (parts[i].length > INT64_MAX - total)
			return fail(m, "files", at, "they are too long together");
		total += parts[i].length;
	}
	if (r)
		return r;
	*out = parts[0].store;
	if (n == 1)
		return 0;
	r = vd_joined_open(parts, n, out);
	if (!r)
		r = vd_disc_own_store(m->sheet.disc, *out);
	return r ? vd_error_errno(m->sheet.err, r, "%s", m->sheet.name) : 0;
}

/* The store of the track whose block is at @at. */
static int track_store(struct mds *m, size_t at, const uint8_t *b, struct vd_store **out)
{
	uint32_t n = vd_get_le32(b + 48), where = vd_get_le32(b + 52);
	int r;

	if (!n || !where)
		return vd_sheet_own_file(&m->sheet, "*.mdf", false, out);
	if (n > FILES_MAX)
		return fail(m, "track", at, "%u files", n);
	for (size_t i = 0; i < m->nfiles; i++)
		if (m->files[i].at == where && m->files[i].n == n) {
			*out = m->files[i].store;
			return 0;
		}
	r = open_files(m, where, n, out);
	if (!r && m->nfiles < VD_ARRAY_SIZE(m->files))
		m->files[m->nfiles++] = (struct files){ where, n, *out };
	return r;
}

/* Tracks. */

/* What the lower half of the mode says; the upper half says nothing. */
static int find_mode(struct mds *m, size_t at, uint8_t code, enum vd_track_mode *mode)
{
	switch (code & 7) {
	case 1:
		*mode = VD_TRACK_AUDIO;
		return 0;
	case 2:
		*mode = VD_TRACK_MODE1;
		return 0;
	case 6:
		return fail(m, "track", at, "its mode %02x is not known", code);
	default:
		*mode = VD_TRACK_MODE2;
		return 0;
	}
}

/* How the sectors of the track are stored, but for where. */
static int find_layout(struct mds *m, size_t at, const uint8_t *b, struct vd_extent *x)
{
	uint16_t size = vd_get_le16(b + 16), main = size;

	if (b[1] && b[1] != 8)
		return fail(m, "track", at, "its subchannel %02x is not known", b[1]);
	if (b[1] || size == vd_layout_size(VD_LAYOUT_2448)) {
		main -= VD_SECTOR_SUB;
		x->sub = VD_SUB_RAW;
	}
	x->stride = size;
	for (size_t i = 0; i < VD_ARRAY_SIZE(layouts); i++)
		if (layouts[i].size == main) {
			x->layout = layouts[i].layout;
			return 0;
		}
	return fail(m, "track", at, "sectors of %u bytes", size);
}

/* Sectors of the track, and of its pregap as it is said. */
static int find_length(struct mds *m, size_t at, const uint8_t *b, const struct vd_extent *x,
		       uint32_t *length, uint32_t *pregap)
{
	uint32_t extra = vd_get_le32(b + 12);
	const uint8_t *p;
	uint64_t stored;

	*pregap = 0;
	if (!m->is_dvd) {
		p = extra ? bytes_at(m, "lengths", extra, 8) : NULL;
		if (!p)
			return extra ? -EINVAL : fail(m, "track", at, "no length");
		*pregap = vd_get_le32(p);
		*length = vd_get_le32(p + 4);
		return 0;
	}
	stored = x->offset < x->store->size ? (x->store->size - x->offset) / x->stride : 0;
	if (extra && extra < stored)
		stored = extra;
	if (!stored || stored > INT32_MAX)
		return fail(m, "track", at, "%llu sectors of it are there",
			    (unsigned long long)stored);
	*length = (uint32_t)stored;
	return 0;
}

static int add_track(struct mds *m, size_t at, const uint8_t *b, int session)
{
	const struct vd_disc *d = m->sheet.disc;
	struct vd_track t = {
		.number = b[4],
		.session = session,
		.start = (int32_t)vd_get_le32(b + 36),
		.control = b[2] & 0xf,
	};
	struct vd_extent x = { .offset = vd_get_le64(b + 40) };
	uint32_t said, stored = 0;
	int r;

	r = find_mode(m, at, b[0], &t.mode);
	if (!r)
		r = find_layout(m, at, b, &x);
	if (!r)
		r = track_store(m, at, b, &x.store);
	if (!r)
		r = find_length(m, at, b, &x, &t.length, &said);
	if (r)
		return r;
	/* Of the first track it is before LBA 0. What else it is, the addresses tell. */
	if (d->ntracks && said <= (uint32_t)INT32_MAX && (int64_t)t.start - said >= 0)
		t.pregap = said;
	r = vd_disc_add_track(m->sheet.disc, &t, m->sheet.err);
	if (!r && d->ntracks > 1 && x.store == m->last_store && x.offset >= m->last_end &&
	    (x.offset - m->last_end) == (uint64_t)t.pregap * x.stride)
		stored = t.pregap;
	x.lba = t.start - (int32_t)stored;
	x.length = t.length + stored;
	x.offset -= (uint64_t)stored * x.stride;
	m->last_store = x.store;
	m->last_end = x.offset + (uint64_t)x.length * x.stride;
	if (!r && x.stride == vd_layout_size(VD_LAYOUT_2448) && x.sub)
		x.sub = vd_image_sub_form(x.store, x.offset, x.length);
	if (!r)
		r = vd_disc_add_extent(m->sheet.disc, &x, m->sheet.err);
	return r ? vd_error_prefix(m->sheet.err, r, "%s: track at byte %zu", m->sheet.name, at) : 0;
}

static int read_session(struct mds *m, const uint8_t *s, int number)
{
	const uint32_t at = vd_get_le32(s + 20);
	const uint8_t *b = bytes_at(m, "tracks", at, (size_t)s[10] * BLOCK_SIZE);
	long type = -1;
	int r = 0;

	if (!b)
		return -EINVAL;
	for (size_t i = 0; !r && i < s[10]; i++, b += BLOCK_SIZE) {
		uint8_t adr = b[2] >> 4;

		/* Others are of recorders. A DVD has no ADR at all. */
		if (adr > 1)
			continue;
		if (b[4] == POINT_TYPE)
			type = b[10];
		if (b[4] >= 1 && b[4] <= VD_TRACKS_MAX)
			r = add_track(m, at + i * BLOCK_SIZE, b, number);
	}
	if (!r && m->sheet.disc->nsessions < number)
		return fail(m, "session", (size_t)(s - m->data), "it has no track");
	if (!r && (type == VD_SESSION_CDROM || type == VD_SESSION_CDI || type == VD_SESSION_XA))
		r = vd_disc_set_session_type(m->sheet.disc, number, (enum vd_session_type)type,
					     m->sheet.err);
	return r;
}

/* The medium. */

static int add_structure(struct mds *m, uint8_t format, uint8_t layer, const uint8_t *p, size_t len)
{
	int r = vd_disc_add_structure(m->sheet.disc, format, layer, 0, p, len, m->sheet.err);

	return r ? vd_sheet_prefix(&m->sheet, 0, r) : 0;
}

/* Copyright, manufacturer's and physical information of each layer (ECMA-267, 16.6; MMC-6, 6.22.3). */
static int read_structures(struct mds *m)
{
	uint32_t at = vd_get_le32(m->data + 64);
	struct vd_disc *d = m->sheet.disc;
	int r = 0;

	if (!m->is_dvd || !at)
		return 0;
	d->layers = 1;
	for (uint8_t layer = 0; !r && layer < d->layers; layer++, at += LAYER_SIZE) {
		const uint8_t *p = bytes_at(m, "disc structures", at, LAYER_SIZE);
		const uint8_t *physical;
		uint32_t last;

		if (!p)
			return -EINVAL;
		physical = p + 4 + 2048;
		r = add_structure(m, 0x01, layer, p, 4);
		if (!r)
			r = add_structure(m, 0x04, layer, p + 4, 2048);
		if (!r)
			r = add_structure(m, 0x00, layer, physical, 2048);
		if (layer || (physical[2] >> 5 & 3) != 1)
			continue;
		d->layers = 2;
		d->opposite = physical[2] & 0x10;
		last = vd_get_be32(physical + 12) & 0xffffff;
		if (last > DVD_FIRST)
			d->layer_break = (int32_t)(last - DVD_FIRST);
	}
	return r;
}

static int read_bca(struct mds *m)
{
	const uint16_t len = vd_get_le16(m->data + 26);
	const uint8_t *p;

	/* Of 188 bytes at most (ECMA-267, annex K): what is longer than any structure is something else. */
	if (!len || len > 2048)
		return 0;
	p = bytes_at(m, "BCA", vd_get_le32(m->data + 36), len);
	return p ? add_structure(m, 0x03, 0, p, len) : -EINVAL;
}

static enum vd_media medium_of(uint16_t code)
{
	static const struct {
		uint16_t code;
		enum vd_media media;
	} media[] = {
		{ 0x00, VD_MEDIA_CD_ROM },  { 0x01, VD_MEDIA_CD_R },  { 0x02, VD_MEDIA_CD_RW },
		{ 0x10, VD_MEDIA_DVD_ROM }, { 0x12, VD_MEDIA_DVD_R },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(media); i++)
		if (media[i].code == code)
			return media[i].media;
	return VD_MEDIA_UNKNOWN;
}

static int read_mds(struct mds *m)
{
	const uint8_t *h = bytes_at(m, "header", 0, HEADER_SIZE), *s;
	uint16_t medium, n;
	int r = 0;

	if (!h)
		return -EINVAL;
	if (h[16] != 1)
		return vd_sheet_error(&m->sheet, 0, "MDS of version %d.%d, only 1 is read%s", h[16],
				      h[17],
				      h[16] == 2 ? ": 2 is that of MDX (Daemon Tools), which is "
						   "encrypted"
						 : "");
	medium = vd_get_le16(h + 18);
	m->is_dvd = medium & 0x10;
	m->sheet.disc->media = medium_of(medium);
	n = vd_get_le16(h + 20);
	if (!n || n > VD_TRACKS_MAX)
		return fail(m, "header", 0, "%u sessions", n);
	s = bytes_at(m, "sessions", vd_get_le32(h + 80), (size_t)n * SESSION_SIZE);
	if (!s)
		return -EINVAL;
	for (int i = 1; !r && i <= n; i++, s += SESSION_SIZE)
		r = read_session(m, s, i);
	if (!r)
		r = read_structures(m);
	return r ? r : read_bca(m);
}

static void close_mds(struct mds **m)
{
	if (!*m)
		return;
	free((*m)->data);
	vd_sheet_close(&(*m)->sheet);
	free(*m);
}

static int mds_probe(const struct vd_image_head *h)
{
	return h->len > 16 && !memcmp(h->data, signature, 16) ? 100 : 0;
}

static int mds_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_mds) struct mds *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	/* A name of 8-bit characters is in no known set: as it is first, then as Latin 1. */
	m->sheet =
		(struct vd_sheet){ .name = h->name, .opener = opener, .err = err, .latin1 = true };
	m->len = (size_t)store->size;
	m->data = store->size <= MDS_MAX ? malloc(m->len + 1) : NULL;
	r = m->data		    ? vd_store_pread(store, m->data, m->len, 0)
	    : store->size > MDS_MAX ? -EFBIG
				    : -ENOMEM;
	vd_store_close(store);
	if (!r)
		r = vd_disc_new(&m->sheet.disc);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	r = read_mds(m);
	if (r)
		return r;
	*out = vd_sheet_take(&m->sheet);
	return 0;
}

const struct vd_image_format vd_image_mds = {
	.name = "mds",
	.description = "Alcohol image",
	.probe = mds_probe,
	.open = mds_open,
};
