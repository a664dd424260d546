// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc/cdtext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/subchannel.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define PAYLOAD 12u
#define TRACKS 100 /* the disc and 99 */
#define INDEX(type) ((unsigned int)(type)-VD_CDTEXT_TITLE)
#define SIZE_PACKS 3u

/* What is in the packs of each type. */
static const struct {
	const char *name;
	enum { BYTES, STRINGS, DISC_STRING, GENRE, SIZE } holds;
} types[VD_CDTEXT_TYPES] = {
	[INDEX(VD_CDTEXT_TITLE)] = { "title", STRINGS },
	[INDEX(VD_CDTEXT_PERFORMER)] = { "performer", STRINGS },
	[INDEX(VD_CDTEXT_SONGWRITER)] = { "songwriter", STRINGS },
	[INDEX(VD_CDTEXT_COMPOSER)] = { "composer", STRINGS },
	[INDEX(VD_CDTEXT_ARRANGER)] = { "arranger", STRINGS },
	[INDEX(VD_CDTEXT_MESSAGE)] = { "message", STRINGS },
	[INDEX(VD_CDTEXT_DISC_ID)] = { "disc_id", DISC_STRING },
	[INDEX(VD_CDTEXT_GENRE)] = { "genre", GENRE },
	[INDEX(VD_CDTEXT_TOC)] = { NULL, BYTES },
	[INDEX(VD_CDTEXT_TOC2)] = { NULL, BYTES },
	[0xa] = { NULL, BYTES },
	[0xb] = { NULL, BYTES },
	[0xc] = { NULL, BYTES },
	[INDEX(VD_CDTEXT_CLOSED)] = { "closed", STRINGS },
	[INDEX(VD_CDTEXT_UPC_ISRC)] = { "upc_isrc", STRINGS },
	[INDEX(VD_CDTEXT_SIZE)] = { NULL, SIZE },
};

static bool known(enum vd_cdtext_type type)
{
	return INDEX(type) < VD_CDTEXT_TYPES && type != VD_CDTEXT_SIZE;
}

const char *vd_cdtext_type_name(enum vd_cdtext_type type)
{
	return known(type) ? types[INDEX(type)].name : NULL;
}

int vd_cdtext_new(struct vd_cdtext **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void vd_cdtext_free(struct vd_cdtext *t)
{
	if (!t)
		return;
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		for (size_t i = 0; t->block[b] && i < VD_CDTEXT_TYPES * TRACKS; i++)
			free(t->block[b]->text[i / TRACKS][i % TRACKS].data);
		free(t->block[b]);
	}
	free(t);
}

static void free_text(struct vd_cdtext **t)
{
	vd_cdtext_free(*t);
}

static struct vd_cdtext_block *get_block(struct vd_cdtext *t, int block)
{
	if (!t->block[block])
		t->block[block] = calloc(1, sizeof(**t->block));
	return t->block[block];
}

/* Copies, and replaces. */
static int set_string(struct vd_cdtext_string *s, const void *text, size_t len)
{
	uint8_t *copy = NULL;

	if (len) {
		copy = malloc(len + 2);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, text, len);
		memset(copy + len, 0, 2);
	}
	free(s->data);
	*s = (struct vd_cdtext_string){ copy, len };
	return 0;
}

/* Bytes of a character of this type in a block: numbers are ASCII in every language. */
static size_t width_in(const struct vd_cdtext_block *b, int type)
{
	if (type == (int)INDEX(VD_CDTEXT_UPC_ISRC) || types[type].holds != STRINGS)
		return 1;
	return b->charset == VD_CDTEXT_MSJIS ? 2 : 1;
}

/* Does the NUL that ends a string come before its end? */
static bool has_nul(const uint8_t *p, size_t len, size_t width)
{
	for (size_t i = 0; i + width <= len; i += width)
		if (!p[i] && !p[i + width - 1])
			return true;
	return false;
}

int vd_cdtext_set(struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		  const void *text, size_t len)
{
	struct vd_cdtext_block *b;
	bool fresh, of_disc;
	size_t width;

	if (block < 0 || block >= VD_CDTEXT_BLOCKS || !known(type) || track < 0 || track >= TRACKS)
		return -EINVAL;
	of_disc = types[INDEX(type)].holds != STRINGS;
	if (track && of_disc)
		return -EINVAL;
	fresh = !t->block[block];
	b = get_block(t, block);
	if (!b)
		return -ENOMEM;
	if (fresh) {
		b->language = VD_CDTEXT_ENGLISH;
		b->first_track = 1;
	}
	width = width_in(b, (int)INDEX(type));
	if (types[INDEX(type)].holds != BYTES && (len % width || has_nul(text, len, width)))
		return -EINVAL;
	if (track > b->last_track)
		b->last_track = (uint8_t)track;
	return set_string(&b->text[INDEX(type)][track], text, len);
}

const struct vd_cdtext_string *vd_cdtext_get(const struct vd_cdtext *t, int block,
					     enum vd_cdtext_type type, int track)
{
	const struct vd_cdtext_string *s;

	if (block < 0 || block >= VD_CDTEXT_BLOCKS || !known(type) || track < 0 ||
	    track >= TRACKS || !t->block[block])
		return NULL;
	s = &t->block[block]->text[INDEX(type)][track];
	return s->data ? s : NULL;
}

/* Decoding */

/* The string under way of one type in one block. */
struct stream {
	int type, block; /* -1: none */
	int track;
	uint8_t number; /* of the last pack */
	size_t width;
	bool lost; /* its beginning is missing */
	size_t len;
	int first[VD_CDTEXT_BLOCKS]; /* the track whose string is behind the disc's */
	uint8_t text[VD_CDTEXT_BLOCKS * VD_CDTEXT_BLOCK_PACKS * PAYLOAD];
};

static bool is_tab(const uint8_t *p, size_t len, size_t width)
{
	return len == width && p[0] == '\t' && p[width - 1] == '\t';
}

static int end_string(struct vd_cdtext *t, struct stream *s)
{
	struct vd_cdtext_string *row;
	int r = 0;

	/* What is behind the only string of its type belongs to nothing. */
	if (s->type >= 0 && s->track < TRACKS && !s->lost && s->len &&
	    !(types[s->type].holds == DISC_STRING && s->track)) {
		row = t->block[s->block]->text[s->type];
		if (!is_tab(s->text, s->len, s->width))
			r = set_string(&row[s->track], s->text, s->len);
		else if (s->track && row[s->track - 1].data)
			r = set_string(&row[s->track], row[s->track - 1].data,
				       row[s->track - 1].len);
	}
	s->len = 0;
	s->lost = false;
	s->track = s->track ? s->track + 1 : s->first[s->block];
	return r;
}

/*
 * Does the string under way go on in @pack? It must say how many characters of it are in the packs before, where 15 means
 * as many at least; writers that count wrongly number their packs without a gap at least.
 */
static bool goes_on(const struct stream *s, const uint8_t *pack)
{
	size_t have = s->width ? s->len / s->width : 0;

	if (s->type != (int)INDEX(pack[0]) || s->block != (pack[3] >> 4 & 7) ||
	    s->track != pack[1] || s->lost || s->width != (pack[3] & 0x80 ? 2u : 1u))
		return false;
	return (have < 15 ? have : 15) == (pack[3] & 0xfu) || pack[2] == (uint8_t)(s->number + 1);
}

static int take_strings(struct vd_cdtext *t, struct stream *s, const uint8_t *pack)
{
	const size_t width = pack[3] & 0x80 ? 2 : 1;

	if (!goes_on(s, pack)) {
		/* One without its end is better than none. */
		int r = s->len ? end_string(t, s) : 0;

		if (r)
			return r;
		s->type = (int)INDEX(pack[0]);
		s->block = pack[3] >> 4 & 7;
		s->track = pack[1];
		s->width = width;
		s->len = 0;
		s->lost = (pack[3] & 0xf) != 0;
	}
	s->number = pack[2];
	for (size_t i = 4; i < 4 + PAYLOAD; i += width) {
		if (!pack[i] && !pack[i + width - 1]) {
			int r = end_string(t, s);

			if (r)
				return r;
		} else if (s->track < TRACKS) {
			memcpy(s->text + s->len, pack + i, width);
			s->len += width;
		}
	}
	return 0;
}

static int append_bytes(struct vd_cdtext_string *s, const uint8_t *bytes, size_t len)
{
	uint8_t *bigger = realloc(s->data, s->len + len + 2);

	if (!bigger)
		return -ENOMEM;
	memcpy(bigger + s->len, bytes, len);
	s->data = bigger;
	s->len += len;
	memset(s->data + s->len, 0, 2);
	return 0;
}

/* The code's packs are one string that begins with two bytes, once or in each pack. */
static int take_genre(struct vd_cdtext_block *b, const uint8_t *pack)
{
	struct vd_cdtext_string *s = &b->text[INDEX(VD_CDTEXT_GENRE)][0];
	size_t skip = 0, len;

	if (!s->data && !b->genre) {
		b->genre = vd_get_be16(pack + 4);
		skip = 2;
	}
	len = strnlen((const char *)pack + 4 + skip, PAYLOAD - skip);
	return len ? append_bytes(s, pack + 4 + skip, len) : 0;
}

/* Three packs, their place in the track number: @sizes is 36 bytes for each block. */
static void take_sizes(struct vd_cdtext *t, const uint8_t *pack, uint8_t sizes[][36], uint8_t *have)
{
	struct vd_cdtext_block *b = t->block[pack[3] >> 4 & 7];
	uint8_t *s = sizes[pack[3] >> 4 & 7];

	memcpy(s + PAYLOAD * pack[1], pack + 4, PAYLOAD);
	have[pack[3] >> 4 & 7] |= (uint8_t)(1 << pack[1]);
	if (pack[1] == 0) {
		b->charset = s[0];
		b->first_track = s[1] < TRACKS ? s[1] : 0;
		b->last_track = s[2] < TRACKS ? s[2] : 0;
		b->copyright = s[3];
	}
}

/* Some writers leave the CRC away. */
static bool is_whole(const uint8_t *pack)
{
	uint16_t crc = vd_get_be16(pack + 16);

	return !crc || (crc ^ vd_crc16(pack, 16)) == 0xffff;
}

/*
 * What a block says of itself comes behind its texts. One that has not the width of its characters is left out, and tracks
 * that have a text are in the block whatever it says.
 */
static void settle(struct vd_cdtext_block *b)
{
	for (int i = 0; i < VD_CDTEXT_TYPES * TRACKS; i++) {
		int type = i / TRACKS, track = i % TRACKS;
		struct vd_cdtext_string *s = &b->text[type][track];
		size_t width = width_in(b, type);

		if (!s->data || types[type].holds == BYTES)
			continue;
		if (s->len % width || has_nul(s->data, s->len, width) ||
		    is_tab(s->data, s->len, width)) {
			free(s->data);
			*s = (struct vd_cdtext_string){ NULL, 0 };
			continue;
		}
		if (track > b->last_track)
			b->last_track = (uint8_t)track;
		if (track && (track < b->first_track || !b->first_track))
			b->first_track = (uint8_t)track;
	}
}

/* They are said at the end of each block, and needed before. */
static void find_first_tracks(const uint8_t *packs, size_t npacks, int first[VD_CDTEXT_BLOCKS])
{
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++)
		first[b] = 1;
	for (size_t i = 0; i < npacks; i++, packs += VD_CDTEXT_PACK)
		if (packs[0] == VD_CDTEXT_SIZE && packs[1] == 0 && is_whole(packs) && packs[5] &&
		    packs[5] < TRACKS)
			first[packs[3] >> 4 & 7] = packs[5];
}

int vd_cdtext_decode(const uint8_t *packs, size_t npacks, struct vd_cdtext **out)
{
	_cleanup_(free_text) struct vd_cdtext *t = NULL;
	_cleanup_free_ struct stream *s = calloc(1, sizeof(*s));
	uint8_t sizes[VD_CDTEXT_BLOCKS][36] = { 0 }, have[VD_CDTEXT_BLOCKS] = { 0 };
	int r = vd_cdtext_new(&t);

	if (r || !s)
		return -ENOMEM;
	s->type = -1;
	find_first_tracks(packs, npacks, s->first);
	for (size_t i = 0; i < npacks; i++) {
		const uint8_t *pack = packs + i * VD_CDTEXT_PACK;
		uint8_t track = pack[1];
		int type = (int)INDEX(pack[0]);
		struct vd_cdtext_block *b;

		/* More than fit beside each other cannot be read from a disc. */
		if (i >= VD_CDTEXT_BLOCKS * VD_CDTEXT_BLOCK_PACKS || (pack[0] & 0xf0) != 0x80 ||
		    !is_whole(pack) || track >= TRACKS ||
		    (types[type].holds == SIZE && track >= SIZE_PACKS) ||
		    (types[type].holds == DISC_STRING && track)) {
			t->bad_packs++;
			continue;
		}
		b = get_block(t, pack[3] >> 4 & 7);
		if (!b)
			return -ENOMEM;
		switch (types[type].holds) {
		case STRINGS:
		case DISC_STRING:
			r = take_strings(t, s, pack);
			break;
		case GENRE:
			r = take_genre(b, pack);
			break;
		case BYTES:
			r = append_bytes(&b->text[type][0], pack + 4, PAYLOAD);
			break;
		case SIZE:
			take_sizes(t, pack, sizes, have);
			break;
		}
		if (r)
			return r;
	}
	if (s->len) {
		r = end_string(t, s);
		if (r)
			return r;
	}
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		if (!t->block[b])
			continue;
		settle(t->block[b]);
		/* The languages of all blocks are in the size packs of each. */
		for (int from = 0; from < VD_CDTEXT_BLOCKS; from++)
			if (!t->block[b]->language && have[from] & 4)
				t->block[b]->language = sizes[from][28 + b];
	}
	*out = VD_TAKE_PTR(t);
	return 0;
}

/* Encoding */

struct writer {
	uint8_t *packs;
	size_t n, cap;
	int block;
	uint8_t number; /* of the next pack in its block */
	bool double_byte;
	bool too_many;
	uint8_t counts[VD_CDTEXT_TYPES];
	/* The pack being filled. */
	size_t fill; /* of PAYLOAD; 0: none is begun */
};

static int begin_pack(struct writer *w, uint8_t type, int track, unsigned int position)
{
	uint8_t *pack;

	if (w->number == 255) {
		w->too_many = true;
		return -E2BIG;
	}
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		uint8_t *bigger = realloc(w->packs, cap * VD_CDTEXT_PACK);

		if (!bigger)
			return -ENOMEM;
		w->packs = bigger;
		w->cap = cap;
	}
	pack = w->packs + w->n++ * VD_CDTEXT_PACK;
	memset(pack, 0, VD_CDTEXT_PACK);
	pack[0] = type;
	pack[1] = (uint8_t)track;
	pack[2] = w->number++;
	pack[3] = (uint8_t)((w->double_byte ? 0x80 : 0) | w->block << 4 |
			    (position < 15 ? position : 15));
	w->counts[INDEX(type)]++;
	return 0;
}

/* Lets @len bytes flow into packs; those that begin in it say @track, and where in the string they do. */
static int put(struct writer *w, uint8_t type, int track, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t width = w->double_byte ? 2 : 1;

	for (size_t i = 0; i < len; i++) {
		if (!w->fill) {
			int r = begin_pack(w, type, track, (unsigned int)(i / width));

			if (r)
				return r;
		}
		w->packs[(w->n - 1) * VD_CDTEXT_PACK + 4 + w->fill] = p[i];
		w->fill = (w->fill + 1) % PAYLOAD;
	}
	return 0;
}

static bool same(const struct vd_cdtext_string *a, const struct vd_cdtext_string *b)
{
	return a->len && a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static int put_strings(struct writer *w, const struct vd_cdtext_block *b, int type, bool tabs)
{
	static const uint8_t nul[2], tab[4] = { '\t', '\t', 0, 0 };
	const struct vd_cdtext_string *row = b->text[type];
	size_t width = width_in(b, type);
	int last = types[type].holds == STRINGS ? b->last_track : 0, r = 0;
	bool any = false;

	for (int i = 0; i <= last; i++)
		any |= row[i].data != NULL;
	if (!any)
		return 0;
	w->double_byte = width == 2;
	w->fill = 0;
	for (int i = 0; i <= last && !r; i++) {
		uint8_t text[2 * PAYLOAD];
		size_t len = row[i].len;
		_cleanup_free_ uint8_t *whole = NULL;

		if (i && i < b->first_track)
			continue;
		if (tabs && i > 1 && i > b->first_track && same(&row[i], &row[i - 1])) {
			memcpy(text, tab + 2 - width, 2 * width);
			r = put(w, (uint8_t)(type + VD_CDTEXT_TITLE), i, text, 2 * width);
			continue;
		}
		whole = malloc(len + width);
		if (!whole)
			return -ENOMEM;
		if (len)
			memcpy(whole, row[i].data, len);
		memcpy(whole + len, nul, width);
		r = put(w, (uint8_t)(type + VD_CDTEXT_TITLE), i, whole, len + width);
	}
	w->fill = 0;
	w->double_byte = false;
	return r;
}

static int put_genre(struct writer *w, const struct vd_cdtext_block *b)
{
	const struct vd_cdtext_string *s = &b->text[INDEX(VD_CDTEXT_GENRE)][0];
	_cleanup_free_ uint8_t *whole = NULL;
	int r;

	if (!b->genre && !s->data)
		return 0;
	whole = calloc(1, s->len + 3);
	if (!whole)
		return -ENOMEM;
	vd_put_be16(whole, b->genre);
	if (s->len)
		memcpy(whole + 2, s->data, s->len);
	r = put(w, VD_CDTEXT_GENRE, 0, whole, s->len + 3);
	w->fill = 0;
	return r;
}

/* A TOC's first pack is the disc's, the others have four tracks each; of the rest the number means nothing. */
static int put_bytes(struct writer *w, const struct vd_cdtext_block *b, int type)
{
	const struct vd_cdtext_string *s = &b->text[type][0];
	int r = 0;

	for (size_t at = 0; at < s->len && !r; at += PAYLOAD) {
		int track = type == (int)INDEX(VD_CDTEXT_TOC) && at
				    ? (int)(b->first_track + (at / PAYLOAD - 1) * 4)
				    : 0;

		r = begin_pack(w, (uint8_t)(type + VD_CDTEXT_TITLE), track % TRACKS, 0);
		if (!r)
			memcpy(w->packs + (w->n - 1) * VD_CDTEXT_PACK + 4, s->data + at,
			       s->len - at < PAYLOAD ? s->len - at : PAYLOAD);
	}
	return r;
}

static int put_block(struct writer *w, const struct vd_cdtext_block *b, bool tabs)
{
	int r = 0;

	memset(w->counts, 0, sizeof(w->counts));
	w->number = 0;
	for (int type = 0; type < VD_CDTEXT_TYPES && !r; type++) {
		switch (types[type].holds) {
		case STRINGS:
		case DISC_STRING:
			r = put_strings(w, b, type, tabs);
			break;
		case GENRE:
			r = put_genre(w, b);
			break;
		case BYTES:
			r = put_bytes(w, b, type);
			break;
		case SIZE:
			break;
		}
	}
	for (unsigned int i = 0; i < SIZE_PACKS && !r; i++)
		r = begin_pack(w, VD_CDTEXT_SIZE, (int)i, 0);
	return r;
}

/* Into the last packs of each block: what is in it, and of all blocks their last pack and language. */
static void fill_sizes(uint8_t *packs, const struct vd_cdtext *t, const size_t *ends,
		       uint8_t counts[][VD_CDTEXT_TYPES])
{
	uint8_t all[16] = { 0 };
	size_t begin = 0;

	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		if (!t->block[b])
			continue;
		all[b] = (uint8_t)(ends[b] - begin - 1);
		all[8 + b] = t->block[b]->language;
		begin = ends[b];
	}
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		uint8_t size[36];

		if (!t->block[b])
			continue;
		size[0] = t->block[b]->charset;
		size[1] = t->block[b]->first_track;
		size[2] = t->block[b]->last_track;
		size[3] = t->block[b]->copyright;
		memcpy(size + 4, counts[b], 16);
		memcpy(size + 20, all, 16);
		for (size_t i = 0; i < SIZE_PACKS; i++)
			memcpy(packs + (ends[b] - SIZE_PACKS + i) * VD_CDTEXT_PACK + 4,
			       size + PAYLOAD * i, PAYLOAD);
	}
}

int vd_cdtext_encode(const struct vd_cdtext *t, uint8_t **packs, size_t *npacks,
		     struct vd_error *err)
{
	uint8_t counts[VD_CDTEXT_BLOCKS][VD_CDTEXT_TYPES] = { 0 };
	size_t ends[VD_CDTEXT_BLOCKS] = { 0 };
	struct writer w = { .packs = NULL };
	int r = 0;

	for (w.block = 0; w.block < VD_CDTEXT_BLOCKS && !r; w.block++) {
		const struct vd_cdtext_block *b = t->block[w.block];
		size_t begin = w.n;

		if (!b)
			continue;
		r = put_block(&w, b, false);
		/* "The same as before" is shorter, but not everybody reads it. */
		if (r == -E2BIG) {
			w.n = begin;
			r = put_block(&w, b, true);
		}
		ends[w.block] = w.n;
		memcpy(counts[w.block], w.counts, sizeof(w.counts));
	}
	if (r) {
		free(w.packs);
		return r == -E2BIG ? vd_error_set(err, r,
						  "more CD-TEXT than fits: 255 packs in a language")
				   : vd_error_errno(err, r, "cannot encode CD-TEXT");
	}
	if (w.n)
		fill_sizes(w.packs, t, ends, counts);
	for (size_t i = 0; i < w.n; i++) {
		uint8_t *pack = w.packs + i * VD_CDTEXT_PACK;

		vd_put_be16(pack + 16, (uint16_t)~vd_crc16(pack, 16));
	}
	*packs = w.packs;
	*npacks = w.n;
	return 0;
}

/* Character sets */

int vd_cdtext_to_utf8(const struct vd_cdtext_block *b, const struct vd_cdtext_string *s, char **out)
{
	char *p;

	if (b->charset != VD_CDTEXT_LATIN1 && b->charset != VD_CDTEXT_ASCII)
		return -EOPNOTSUPP;
	p = *out = malloc(3 * s->len + 1);
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < s->len; i++) {
		uint8_t c = s->data[i];

		if (c < 0x20 || (c >= 0x7f && (c < 0xa0 || b->charset == VD_CDTEXT_ASCII))) {
			memcpy(p, "\xef\xbf\xbd", 3);
			p += 3;
		} else if (c < 0x80) {
			*p++ = (char)c;
		} else {
			*p++ = (char)(0xc0 | c >> 6);
			*p++ = (char)(0x80 | (c & 0x3f));
		}
	}
	*p = '\0';
	return 0;
}

int vd_cdtext_set_utf8(struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		       const char *text)
{
	uint8_t charset = VD_CDTEXT_LATIN1;
	_cleanup_free_ uint8_t *latin = malloc(strlen(text) + 1);
	size_t len = 0;

	if (!latin)
		return -ENOMEM;
	if (block >= 0 && block < VD_CDTEXT_BLOCKS && t->block[block])
		charset = t->block[block]->charset;
	if (charset != VD_CDTEXT_LATIN1 && charset != VD_CDTEXT_ASCII)
		return -EILSEQ;
	for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
		if (*p < 0x80) {
			latin[len++] = *p;
			continue;
		}
		/* What has two bytes that begin with c2 or c3 is Latin 1; below a0 there are control characters. */
		if (charset == VD_CDTEXT_ASCII || (*p != 0xc2 && *p != 0xc3) ||
		    (p[1] & 0xc0) != 0x80 || (*p == 0xc2 && p[1] < 0xa0))
			return -EILSEQ;
		latin[len++] = (uint8_t)((*p & 3) << 6 | (p[1] & 0x3f));
		p++;
	}
	return vd_cdtext_set(t, block, type, track, latin, len);
}
