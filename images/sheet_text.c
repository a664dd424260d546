// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CD-TEXT from the words of a sheet. A disc has it in ISO 8859-1, a sheet in anything: characters that programs like to write and
 * ISO 8859-1 has not become their nearest ones, others question marks. The names of a disc never make it unreadable: text that
 * does not fit is left out, the least important kinds first.
 */
#include "images/sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/cdtext.h"
#include "util/cleanup.h"

/* Bytes 0x80 to 0x9f in Windows-1252, which is what most sheets of bytes are; 0: none. */
static const uint16_t windows[32] = {
	0x20ac, 0,	0x201a, 0x192,	0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,	0x2030, 0x160,
	0x2039, 0x152,	0,	0x17d,	0,	0,	0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x2dc,	0x2122, 0x161,	0x203a, 0x153,	0,	0x17e,	0x178,
};

static const struct {
	uint16_t c;
	const char *text;
} nearest[] = {
	{ 0x152, "OE" },  { 0x153, "oe" }, { 0x160, "S" },    { 0x161, "s" },
	{ 0x178, "Y" },	  { 0x17d, "Z" },  { 0x17e, "z" },    { 0x192, "f" },
	{ 0x2c6, "^" },	  { 0x2dc, "~" },  { 0x2010, "-" },   { 0x2011, "-" },
	{ 0x2012, "-" },  { 0x2013, "-" }, { 0x2014, "-" },   { 0x2018, "'" },
	{ 0x2019, "'" },  { 0x201a, "," }, { 0x201c, "\"" },  { 0x201d, "\"" },
	{ 0x201e, "\"" }, { 0x2020, "+" }, { 0x2022, "*" },   { 0x2026, "..." },
	{ 0x2039, "<" },  { 0x203a, ">" }, { 0x20ac, "EUR" }, { 0x2122, "(TM)" },
};

/* The next character of UTF-8. Which is right but for its end, that a caller may have cut off. */
static uint32_t next_utf8(const uint8_t **p)
{
	uint32_t c = *(*p)++;
	int follow = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	c &= follow ? 0x3fu >> follow : 0x7f;
	while (follow-- && (**p & 0xc0) == 0x80)
		c = c << 6 | (*(*p)++ & 0x3f);
	return c;
}

size_t vd_sheet_latin1(const struct vd_sheet *s, const char *text, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = 0;

	while (*p) {
		uint32_t c = s->latin1 ? *p++ : next_utf8(&p);
		const char *near = "?";

		if (c >= 0x80 && c < 0xa0)
			c = windows[c - 0x80];
		if ((c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0x100)) {
			out[n++] = (uint8_t)c;
			continue;
		}
		for (size_t i = 0; i < VD_ARRAY_SIZE(nearest); i++)
			if (nearest[i].c == c)
				near = nearest[i].text;
		memcpy(out + n, near, strlen(near));
		n += strlen(near);
	}
	return n;
}

int vd_sheet_text_raw(struct vd_sheet *s, unsigned int line, int block, enum vd_cdtext_type type,
		      int track, const void *data, size_t len)
{
	int r = 0;

	if (!s->cdtext)
		r = vd_cdtext_new(&s->cdtext);
	if (!r)
		r = vd_cdtext_set(s->cdtext, block, type, track, data, len);
	/* Half characters: programs write single bytes where the character set has two. */
	if (r == -EINVAL && s->cdtext->block[block] &&
	    s->cdtext->block[block]->charset == VD_CDTEXT_MSJIS && len % 2)
		return 0;
	if (r == -EINVAL)
		return track && vd_cdtext_type_name(type)
			       ? vd_sheet_error(s, line, "CD-TEXT: a track has no %s",
						vd_cdtext_type_name(type))
			       : vd_sheet_error(s, line, "CD-TEXT that cannot be");
	return r ? vd_error_errno(s->err, r, "%s", s->name) : 0;
}

int vd_sheet_text(struct vd_sheet *s, unsigned int line, int block, enum vd_cdtext_type type,
		  int track, const char *text)
{
	_cleanup_free_ uint8_t *latin = malloc(strlen(text) * 4 + 1);

	if (!latin)
		return vd_error_errno(s->err, -ENOMEM, "%s", s->name);
	return vd_sheet_text_raw(s, line, block, type, track, latin,
				 vd_sheet_latin1(s, text, latin));
}

static int session_of(const struct vd_disc *d, int track)
{
	const struct vd_track *t = vd_disc_track(d, track);

	return t ? t->session : 0;
}

static void free_cdtext(struct vd_cdtext **t)
{
	vd_cdtext_free(*t);
}

/* Copies what of a block is the disc's or a track's of @session. *@any: does one of its tracks have a text? */
static int copy_block(const struct vd_disc *d, int session, const struct vd_cdtext *from,
		      struct vd_cdtext *to, int block, bool *any)
{
	const struct vd_cdtext_block *b = from->block[block];
	int r = 0;

	for (int type = VD_CDTEXT_TITLE; !r && type < VD_CDTEXT_TITLE + VD_CDTEXT_TYPES; type++)
		for (int track = 0; !r && track <= VD_TRACKS_MAX; track++) {
			const struct vd_cdtext_string *text =
				vd_cdtext_get(from, block, (enum vd_cdtext_type)type, track);

			if (!text || (track && session_of(d, track) != session))
				continue;
			*any = *any || track;
			/* What a text may be depends on its characters. */
			if (!to->block[block])
				to->block[block] = calloc(1, sizeof(*b));
			if (!to->block[block])
				return -ENOMEM;
			to->block[block]->charset = b->charset;
			r = vd_cdtext_set(to, block, (enum vd_cdtext_type)type, track, text->data,
					  text->len);
			/* One that was said before its characters were, and is none of them. */
			if (r == -EINVAL)
				r = 0;
		}
	if (!r && to->block[block]) {
		const struct vd_session *s = &d->sessions[session - 1];
		const struct vd_track *first = &d->tracks[s->first_track];

		to->block[block]->charset = b->charset;
		to->block[block]->language = b->language;
		to->block[block]->copyright = b->copyright;
		to->block[block]->genre = b->genre;
		to->block[block]->first_track = (uint8_t)first->number;
		to->block[block]->last_track = (uint8_t)first[s->ntracks - 1].number;
	}
	return r;
}

static void drop_type(struct vd_cdtext *t, int type)
{
	for (int block = 0; block < VD_CDTEXT_BLOCKS; block++)
		for (int track = 0; t->block[block] && track <= VD_TRACKS_MAX; track++)
			if (vd_cdtext_get(t, block, (enum vd_cdtext_type)type, track))
				(void)vd_cdtext_set(t, block, (enum vd_cdtext_type)type, track, "",
						    0);
}

static int place_session(struct vd_sheet *s, int session)
{
	_cleanup_(free_cdtext) struct vd_cdtext *t = NULL;
	_cleanup_free_ uint8_t *packs = NULL;
	size_t npacks = 0;
	bool any = session == 1;
	int r = vd_cdtext_new(&t);

	for (int block = 0; !r && block < VD_CDTEXT_BLOCKS; block++)
		if (s->cdtext->block[block])
			r = copy_block(s->disc, session, s->cdtext, t, block, &any);
	if (r)
		return vd_error_errno(s->err, r, "%s", s->name);
	if (!any)
		return 0;
	r = vd_cdtext_encode(t, &packs, &npacks, s->err);
	for (int type = VD_CDTEXT_MESSAGE; r == -E2BIG && type >= VD_CDTEXT_TITLE; type--) {
		drop_type(t, type);
		r = vd_cdtext_encode(t, &packs, &npacks, s->err);
	}
	return r ? r : vd_disc_set_cdtext(s->disc, session, packs, npacks, s->err);
}

int vd_sheet_place_text(struct vd_sheet *s)
{
	int r = 0;

	for (int i = 1; s->cdtext && !r && i <= s->disc->nsessions; i++)
		r = place_session(s, i);
	return r;
}

int vd_sheet_text_file(struct vd_sheet *s, unsigned int line, const char *name, int session)
{
	size_t i, begin;
	struct vd_store *store;
	int r;

	if (s->packs)
		return vd_sheet_error(s, line, "a second file of CD-TEXT");
	r = vd_sheet_file(s, line, name, VD_SHEET_BINARY, &i);
	if (r)
		return r;
	store = s->files[i].store;
	/* As READ TOC answers, with a header of 4 bytes, or the packs alone; some programs end it with a zero. */
	begin = store->size % VD_CDTEXT_PACK >= 4 ? 4 : 0;
	if (store->size > 8 * VD_CDTEXT_BLOCK_PACKS * VD_CDTEXT_PACK + 5 ||
	    store->size < begin + VD_CDTEXT_PACK || (store->size - begin) % VD_CDTEXT_PACK > 1)
		return vd_sheet_error(s, line, "%s: not CD-TEXT in packs of 18 bytes", name);
	s->npacks = (size_t)(store->size - begin) / VD_CDTEXT_PACK;
	s->packs = malloc(s->npacks * VD_CDTEXT_PACK);
	if (!s->packs)
		return vd_error_errno(s->err, -ENOMEM, "%s", s->name);
	r = vd_store_pread(store, s->packs, s->npacks * VD_CDTEXT_PACK, begin);
	if (r) {
		vd_error_errno(s->err, r, "%s", name);
		return vd_sheet_prefix(s, line, r);
	}
	if ((s->packs[0] & 0xf0) != VD_CDTEXT_TITLE)
		return vd_sheet_error(s, line, "%s: not CD-TEXT in packs of 18 bytes", name);
	s->packs_session = session;
	return 0;
}
