// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CHD: compressed hunks of data, MAME's, version 5. Described by MAME's docs/source/techspecs/chd.rst and by what chdman, libchdr and
 * others make of it. Numbers are big endian.
 *
 *     header       0  "MComprHD"        16  codecs 4 x 4      56  bytes a hunk 4     84  SHA-1 20
 *                  8  124               32  size 8            60  bytes a unit 4    104  the parent's 20
 *                 12  5                 40  offset of map 8   64  SHA-1 of the data
 *                                       48  of metadata 8         alone 20
 *     map          compressed: length 4, offset of the first hunk 6, CRC-16 2, bits of a length 1, of a hunk 1, of a
 *                  parent's unit 1, 0; then Huffman codes (chd_map.c)
 *                  without codecs: 4 a hunk, its offset in hunks
 *     metadata     tag 4, flags 1, length 3, offset of the next one 8, data
 *
 * A CD's units are 2448 bytes: a sector as far as it is stored, then its subchannel if there is one, then zeros. Audio is big endian.
 * Each track has a line of text,
 *
 *     CHT2   TRACK:1 TYPE:MODE1_RAW SUBTYPE:NONE FRAMES:100 PREGAP:0 PGTYPE:MODE1 PGSUB:NONE POSTGAP:0
 *     CHGD   of a GD-ROM: the same with PAD:0 behind FRAMES
 *     CHGT   of a GD-ROM, older: audio is little endian
 *     CHTR   older: no pregaps
 *     CHCD   the oldest: number of tracks 4, and for each type, subtype, bytes, bytes of subchannel, frames, extra frames, 4 each
 *
 * and is filled up to a multiple of 4 units. FRAMES has its pregap too when PGTYPE begins with V, and the sectors that PAD says behind
 * it. "DVD " says that it is a DVD: units of 2048 bytes. What belongs to a hard disk or a laserdisc has other tags.
 *
 * Nothing is there of sessions, catalogue number, ISRC, CD-TEXT, flags and indices beyond 1. A GD-ROM's two areas are told by where
 * track 3 is: at LBA 45000 the second one begins.
 */
#include "images/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/chd_codec.h"
#include "images/chd_store.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define META_HEADER 16u
#define META_MAX 4096u	   /* entries */
#define META_TEXT_MAX 512u /* bytes of one that is read; the largest is CHCD's */
#define OLD_TRACK 24u
#define OLD_SIZE (4u + VD_TRACKS_MAX * OLD_TRACK)
#define ALIGN 4u /* units that a track is a multiple of */
#define HIGH_DENSITY 45000

#define TAG_CHT2 VD_CHD_TAG('C', 'H', 'T', '2')
#define TAG_CHTR VD_CHD_TAG('C', 'H', 'T', 'R')
#define TAG_CHCD VD_CHD_TAG('C', 'H', 'C', 'D')
#define TAG_CHGD VD_CHD_TAG('C', 'H', 'G', 'D')
#define TAG_CHGT VD_CHD_TAG('C', 'H', 'G', 'T')
#define TAG_DVD VD_CHD_TAG('D', 'V', 'D', ' ')

/* By their numbers in CHCD. */
static const struct type {
	const char *names[2];
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
} types[] = {
	{ { "MODE1", "MODE1/2048" }, VD_TRACK_MODE1, VD_LAYOUT_2048 },
	{ { "MODE1_RAW", "MODE1/2352" }, VD_TRACK_MODE1, VD_LAYOUT_2352 },
	{ { "MODE2", "MODE2/2336" }, VD_TRACK_MODE2, VD_LAYOUT_2336 },
	{ { "MODE2_FORM1", "MODE2/2048" }, VD_TRACK_MODE2, VD_LAYOUT_2048 },
	{ { "MODE2_FORM2", "MODE2/2324" }, VD_TRACK_MODE2, VD_LAYOUT_2324 },
	{ { "MODE2_FORM_MIX", NULL }, VD_TRACK_MODE2, VD_LAYOUT_2336 },
	{ { "MODE2_RAW", "MODE2/2352" }, VD_TRACK_MODE2, VD_LAYOUT_2352 },
	{ { "AUDIO", NULL }, VD_TRACK_AUDIO, VD_LAYOUT_2352_SWAPPED },
	{ { "CDI/2352", NULL }, VD_TRACK_MODE2, VD_LAYOUT_2352 },
};
#define OLD_TYPES 8u

static const struct sub_type {
	const char *name;
	enum vd_sub_form form;
} sub_types[] = {
	{ "RW", VD_SUB_RW_PACKED }, /* cdrdao's, as the next one */
	{ "RW_RAW", VD_SUB_RW_RAW },
	{ "NONE", VD_SUB_NONE },
};

struct track {
	unsigned int number;
	const struct type *type;
	const struct sub_type *sub;
	uint32_t frames, pad, pregap, postgap;
	bool stored_pregap;
};

struct chd {
	const char *name;
	struct vd_error *err;
	struct vd_store *file; /* borrowed */
	struct vd_store *store;
	struct vd_chd_header header;
	struct vd_disc *disc;
	/* The metadata entry that is read. */
	uint64_t at;
	uint32_t tag;
	/* Where the next track is. */
	uint64_t frame;
	int64_t lba;
};

static int fail(struct chd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct chd *c, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(c->err, -EINVAL, "%s: metadata at byte %llu: %s", c->name,
			    (unsigned long long)c->at, words);
}

static int refused(struct chd *c, int r)
{
	return r ? vd_error_prefix(c->err, r, "%s: metadata at byte %llu", c->name,
				   (unsigned long long)c->at)
		 : 0;
}

/* Tracks. */

static bool is_gdrom(const struct chd *c)
{
	return c->tag == TAG_CHGD || c->tag == TAG_CHGT;
}

static int add_track(struct chd *c, const struct track *m)
{
	const uint32_t lead = m->stored_pregap ? m->pregap : 0;
	struct vd_track t = {
		.number = (int)m->number,
		.session = c->disc->nsessions ? c->disc->nsessions : 1,
		.mode = m->type->mode,
		.pregap = m->pregap,
	};
	struct vd_extent x = {
		.layout = m->type->layout,
		.store = c->store,
		.offset = c->frame * VD_CHD_FRAME,
		.stride = VD_CHD_FRAME,
		.sub = m->sub->form,
	};
	int64_t start = c->lba + m->pregap, end;
	int r;

	if (lead > m->frames || m->pad > m->frames - lead)
		return fail(c,
			    "track %u has %u sectors, of which %u are its pregap and %u behind it",
			    m->number, m->frames, lead, m->pad);
	end = start + m->frames - lead - m->pad + m->postgap;
	if (end > INT32_MAX)
		return fail(c, "track %u ends beyond the last address", m->number);
	if (is_gdrom(c) && c->disc->nsessions == 1 && start == HIGH_DENSITY)
		t.session = 2;
	t.start = (int32_t)start;
	t.length = (uint32_t)(end - start);
	r = vd_disc_add_track(c->disc, &t, c->err);
	if (r)
		return refused(c, r);
	x.lba = (int32_t)(start - lead);
	x.length = m->frames - m->pad;
	if (c->tag == TAG_CHGT && x.layout == VD_LAYOUT_2352_SWAPPED)
		x.layout = VD_LAYOUT_2352;
	if (x.sub != VD_SUB_NONE) {
		x.sub_store = c->store;
		x.sub_offset = x.offset + vd_layout_size(x.layout);
		x.sub_stride = VD_CHD_FRAME;
	}
	r = x.length ? vd_disc_add_extent(c->disc, &x, c->err) : 0;
	c->lba = end + m->pad;
	c->frame += ((uint64_t)m->frames + ALIGN - 1) / ALIGN * ALIGN;
	return refused(c, r);
}

static const struct type *find_type(const char *name)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(types); i++)
		for (size_t k = 0; k < 2; k++)
			if (types[i].names[k] && !strcmp(types[i].names[k], name))
				return &types[i];
	return NULL;
}

static const struct sub_type *find_sub_type(const char *name)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(sub_types); i++)
		if (!strcmp(sub_types[i].name, name))
			return &sub_types[i];
	return NULL;
}

static int take_number(struct chd *c, const char *key, const char *value, uint32_t *out)
{
	uint64_t n = 0;

	if (!*value)
		return fail(c, "%s is not a number", key);
	for (const char *p = value; *p; p++) {
		if (!isdigit((unsigned char)*p))
			return fail(c, "%s:%.32s is not a number", key, value);
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > INT32_MAX)
			return fail(c, "%s:%.32s is more than there can be", key, value);
	}
	*out = (uint32_t)n;
	return 0;
}

/* One KEY:value of a track. What is not known is left alone: newer versions may have more. */
static int take_field(struct chd *c, struct track *t, const char *key, const char *value)
{
	const struct {
		const char *key;
		uint32_t *out;
	} numbers[] = {
		{ "TRACK", &t->number },  { "FRAMES", &t->frames },   { "PAD", &t->pad },
		{ "PREGAP", &t->pregap }, { "POSTGAP", &t->postgap },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			return take_number(c, key, value, numbers[i].out);
	if (!strcmp(key, "TYPE")) {
		t->type = find_type(value);
		return t->type ? 0 : fail(c, "TYPE:%.32s is not known", value);
	}
	if (!strcmp(key, "SUBTYPE")) {
		t->sub = find_sub_type(value);
		return t->sub ? 0 : fail(c, "SUBTYPE:%.32s is not known", value);
	}
	if (!strcmp(key, "PGTYPE"))
		t->stored_pregap = *value == 'V';
	return 0;
}

static int do_track(struct chd *c, char *text, size_t len)
{
	struct track t = { .sub = find_sub_type("NONE") };
	char *save = NULL;

	(void)len;
	for (char *key = strtok_r(text, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		char *value = strchr(key, ':');
		int r;

		if (!value)
			return fail(c, "%.32s is no KEY:value", key);
		*value++ = '\0';
		r = take_field(c, &t, key, value);
		if (r)
			return r;
	}
	if (!t.number || !t.type || !t.frames)
		return fail(c, "a track without TRACK, TYPE or FRAMES");
	return add_track(c, &t);
}

/* Some are big endian and some are not: the number of tracks tells. */
static int do_old(struct chd *c, char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	bool big = len >= 4 && vd_get_be32(p) && vd_get_be32(p) <= VD_TRACKS_MAX;
	uint32_t n = len < 4 ? 0 : big ? vd_get_be32(p) : vd_get_le32(p);

	if (!n || n > VD_TRACKS_MAX || 4 + n * OLD_TRACK > len)
		return fail(c, "%u tracks in %zu bytes", n, len);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *e = p + 4 + (size_t)i * OLD_TRACK;
		uint32_t v[6];
		struct track t = { .number = i + 1 };
		int r;

		for (size_t k = 0; k < 6; k++)
			v[k] = big ? vd_get_be32(e + k * 4) : vd_get_le32(e + k * 4);
		if (v[0] >= OLD_TYPES || v[1] >= VD_ARRAY_SIZE(sub_types))
			return fail(c, "track %u is of type %u and subtype %u, which are not known",
				    t.number, v[0], v[1]);
		t.type = &types[v[0]];
		t.sub = &sub_types[v[1]];
		t.frames = v[4];
		r = add_track(c, &t);
		if (r)
			return r;
	}
	return 0;
}

static int do_dvd(struct chd *c, char *text, size_t len)
{
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_MODE1 };
	uint64_t sectors = c->store->size / VD_SECTOR_USER;

	(void)text;
	(void)len;
	if (c->header.unit != VD_SECTOR_USER)
		return fail(c, "a DVD in units of %u bytes, not of 2048", c->header.unit);
	if (!sectors || sectors > INT32_MAX)
		return fail(c, "a DVD of %llu sectors", (unsigned long long)sectors);
	t.length = (uint32_t)sectors;
	c->disc->media = VD_MEDIA_DVD_ROM;
	return refused(c,
		       vd_disc_add_stored_track(c->disc, &t, VD_LAYOUT_2048, c->store, 0, c->err));
}

/* Metadata. */

static const struct meta {
	uint32_t tag;
	bool many; /* one for each track */
	int (*run)(struct chd *c, char *text, size_t len);
} metas[] = {
	{ TAG_CHT2, true, do_track }, { TAG_CHGD, true, do_track }, { TAG_CHGT, true, do_track },
	{ TAG_CHTR, true, do_track }, { TAG_CHCD, false, do_old },  { TAG_DVD, false, do_dvd },
};

/* What a CHD is that has none of these. */
static const struct {
	uint32_t tag;
	const char *words;
} others[] = {
	{ VD_CHD_TAG('G', 'D', 'D', 'D'), "a hard disk" },
	{ VD_CHD_TAG('C', 'I', 'S', ' '), "a PCMCIA card" },
	{ VD_CHD_TAG('A', 'V', 'A', 'V'), "a laserdisc" },
};

static const struct meta *find_meta(uint32_t tag)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(metas); i++)
		if (metas[i].tag == tag)
			return &metas[i];
	return NULL;
}

static int run_meta(struct chd *c, const struct meta *m, uint32_t len)
{
	_cleanup_free_ char *text = NULL;
	uint32_t most = m->run == do_old ? OLD_SIZE : META_TEXT_MAX;
	int r;

	if (c->disc->ntracks && !m->many)
		return fail(c, "the disc is told twice");
	if (m->run != do_dvd && c->header.unit != VD_CHD_FRAME)
		return fail(c, "a CD in units of %u bytes, not of %u", c->header.unit,
			    VD_CHD_FRAME);
	if (len > most && m->many)
		return fail(c, "a track in %u bytes; there can be %u", len, most);
	if (len > most)
		len = most;
	text = calloc(1, (size_t)len + 1);
	r = text ? vd_store_pread(c->file, text, len, c->at + META_HEADER) : -ENOMEM;
	if (r)
		return vd_error_errno(c->err, r, "%s: metadata at byte %llu", c->name,
				      (unsigned long long)c->at);
	return m->run(c, text, len);
}

/* Goes through all of it; of the tags that tell tracks those of the first one are taken. */
static int read_meta(struct chd *c)
{
	const struct meta *first = NULL;
	const char *other = NULL;
	uint8_t head[META_HEADER];
	unsigned int n = 0;

	for (c->at = c->header.meta; c->at; n++) {
		const struct meta *m;
		uint32_t len;
		int r;

		if (n == META_MAX)
			return fail(c, "more than %u entries", META_MAX);
		if (c->at > c->file->size || c->file->size - c->at < META_HEADER)
			return fail(c, "beyond the end of the file");
		r = vd_store_pread(c->file, head, META_HEADER, c->at);
		if (r)
			return vd_error_errno(c->err, r, "%s: cannot read it", c->name);
		c->tag = vd_get_be32(head);
		len = vd_get_be32(head + 4) & 0xffffff;
		m = find_meta(c->tag);
		if (m && len > c->file->size - c->at - META_HEADER)
			return fail(c, "%u bytes, but the file ends before", len);
		if (m && (!first || first == m)) {
			first = m;
			r = run_meta(c, m, len);
			if (r)
				return r;
		}
		for (size_t i = 0; i < VD_ARRAY_SIZE(others); i++)
			if (others[i].tag == c->tag)
				other = others[i].words;
		c->at = (uint64_t)vd_get_be32(head + 8) << 32 | vd_get_be32(head + 12);
	}
	if (first)
		return 0;
	return vd_error_set(c->err, -EMEDIUMTYPE, "%s: a CHD of %s, which is not a disc", c->name,
			    other ? other : "data that says nothing of tracks");
}

static int chd_probe(const struct vd_image_head *h)
{
	return h->len >= 16 && !memcmp(h->data, "MComprHD", 8) ? 100 : 0;
}

static void close_chd(struct chd *c)
{
	vd_disc_close(c->disc);
}

static int chd_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_chd) struct chd c = { .name = h->name, .err = err, .file = store };
	int r;

	r = vd_chd_store_open(c.file, h->name, opener, &c.header, &c.store, err);
	if (r)
		return r;
	r = vd_disc_new_owning(c.store, &c.disc);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	r = read_meta(&c);
	if (!r)
		*out = VD_TAKE_PTR(c.disc);
	return r;
}

const struct vd_image_format vd_image_chd = {
	.name = "chd",
	.description = "MAME's compressed image (CHD), version 5",
	.probe = chd_probe,
	.open = chd_open,
};
