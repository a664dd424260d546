// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * NRG: the image of Nero Burning ROM. There is no description by its maker; this is by the public ones (the article "NRG (file
 * format)" of Wikipedia, and what CDEmu, Aaru and libcdio make of it). Numbers are big endian.
 *
 *     sectors ...              from the pregap of track 1 (LBA -150) on, where it was recorded at once
 *     chunk, chunk, ...        id 4, length 4, data
 *     footer, version 1        "NERO", offset of the first chunk 4
 *     footer, version 2        "NER5", offset of the first chunk 8
 *
 * A session recorded at once has its cue sheet and then its tracks:
 *
 *     CUES / CUEX   8 bytes an index: control and ADR 1, track 1 (BCD, aa: lead-out), index 1 (BCD), 0,
 *                   address 4: an LBA in version 2, 0 and minute, second, frame in version 1
 *     DAOI / DAOX   length again 4, MCN 13, 0, type of the TOC 2, first and last track 1 + 1;
 *                   then 30 or 42 bytes a track: ISRC 12, bytes a sector 2, mode 1, 3, and where in the file its
 *                   pregap, INDEX 01 and end are, 4 or 8 bytes each
 *
 * One recorded track by track has neither, but
 *
 *     ETNF / ETN2   20 or 32 bytes a track: offset and bytes, 4 or 8 each, mode 4, LBA 4, and 4 or 8 of no account
 *
 * Each ends with a SINF, which says how many tracks it has. CDTX is the CD-TEXT of the session that it is in, MTYP the medium, END!
 * the end; others (DINF, TOCT, RELO) say nothing that a disc has.
 *
 * The addresses of the cue sheet count, but for INDEX 00: where Nero stored a subchannel they are known to be wrong, so a pregap is as long
 * as it is stored.
 */
#include "images/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "images/single_track.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define CHUNKS_MAX (1u << 20) /* bytes of all of them: CD-TEXT is 36 KiB at most */
#define CUE_SIZE 8u
#define CUE_MAX                                                                                    \
	(VD_TRACKS_MAX * 100u +                                                                    \
	 2) /* entries: all indices of all tracks, and lead-in and lead-out */
#define DAO_HEADER 22u
#define LEADOUT 0xaa

static const struct mode {
	uint8_t code;
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
} modes[] = {
	{ 0x00, VD_TRACK_MODE1, VD_LAYOUT_2048 }, { 0x02, VD_TRACK_MODE2, VD_LAYOUT_2048 },
	{ 0x03, VD_TRACK_MODE2, VD_LAYOUT_2336 }, { 0x05, VD_TRACK_MODE1, VD_LAYOUT_2352 },
	{ 0x06, VD_TRACK_MODE2, VD_LAYOUT_2352 }, { 0x07, VD_TRACK_AUDIO, VD_LAYOUT_2352 },
	{ 0x0f, VD_TRACK_MODE1, VD_LAYOUT_2448 }, { 0x10, VD_TRACK_AUDIO, VD_LAYOUT_2448 },
	{ 0x11, VD_TRACK_MODE2, VD_LAYOUT_2448 },
};

struct chunk {
	char id[5];
	uint64_t at; /* in the file, of its data */
	const uint8_t *data;
	uint32_t len;
};

struct nrg {
	const char *name;
	struct vd_error *err;
	struct vd_store *store;
	struct vd_disc *disc;
	struct chunk cue; /* of the session whose tracks come next; data NULL: none */
	/* CD-TEXT, put where it belongs when all sessions are there. */
	struct {
		int session;
		struct chunk chunk;
	} text[VD_TRACKS_MAX];
	size_t ntexts;
};

/* "NAME: CHUNK at byte AT: words" */
static int fail(struct nrg *n, const struct chunk *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct nrg *n, const struct chunk *c, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(n->err, -EINVAL, "%s: %s at byte %llu: %s", n->name, c->id,
			    (unsigned long long)c->at, words);
}

/* Puts the same before the words of the disc model. */
static int refused(struct nrg *n, const struct chunk *c, int r)
{
	return r ? vd_error_prefix(n->err, r, "%s: %s at byte %llu", n->name, c->id,
				   (unsigned long long)c->at)
		 : 0;
}

static bool is_wide(const struct chunk *c)
{
	return c->id[3] == 'X' || c->id[3] == '2';
}

/* The number at @p, 4 or 8 bytes by the version, which moves on. */
static uint64_t take_offset(const struct chunk *c, const uint8_t **p)
{
	uint64_t v = is_wide(c) ? (uint64_t)vd_get_be32(*p) << 32 | vd_get_be32(*p + 4)
				: vd_get_be32(*p);

	*p += is_wide(c) ? 8 : 4;
	return v;
}

static const struct mode *find_mode(uint8_t code)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(modes); i++)
		if (modes[i].code == code)
			return &modes[i];
	return NULL;
}

static int from_bcd(uint8_t b)
{
	return (b >> 4) * 10 + (b & 0xf);
}

/* Sectors of @t from @offset on, which begin at @lba. */
static int add_sectors(struct nrg *n, const struct mode *m, int32_t lba, uint32_t sectors,
		       uint64_t offset)
{
	struct vd_extent x = {
		.lba = lba,
		.length = sectors,
		.layout = m->layout,
		.store = n->store,
		.offset = offset,
	};

	if (m->layout == VD_LAYOUT_2448)
		x.sub = vd_image_sub_form(n->store, offset, sectors);
	return vd_disc_add_extent(n->disc, &x, n->err);
}

/* The cue sheet. */

static size_t cue_entries(const struct nrg *n)
{
	return n->cue.data ? n->cue.len / CUE_SIZE : 0;
}

/* Version 1 has been described with minutes, seconds and frames in both ways. */
static int64_t cue_lba(const struct nrg *n, const uint8_t *e, bool bcd)
{
	if (is_wide(&n->cue))
		return (int32_t)vd_get_be32(e + 4);
	if (bcd)
		return (from_bcd(e[5]) * 60 + from_bcd(e[6])) * 75 + from_bcd(e[7]) - 150;
	return (e[5] * 60 + e[6]) * 75 + e[7] - 150;
}

static const uint8_t *find_index(const struct nrg *n, int track, int index)
{
	for (size_t i = 0; i < cue_entries(n); i++) {
		const uint8_t *e = n->cue.data + i * CUE_SIZE;

		if ((track == LEADOUT ? e[1] == LEADOUT : from_bcd(e[1]) == track) &&
		    from_bcd(e[2]) == index)
			return e;
	}
	return NULL;
}

/*
 * Whether the addresses are BCD: by which way the session from INDEX 01 of its first track to the lead-out is as long as what is stored
 * of it. Binary where that does not tell.
 */
static bool is_bcd(const struct nrg *n, int first_track, uint64_t sectors)
{
	const uint8_t *first = find_index(n, first_track, 1), *end = find_index(n, LEADOUT, 1);

	if (is_wide(&n->cue) || !first || !end)
		return false;
	return cue_lba(n, end, false) - cue_lba(n, first, false) != (int64_t)sectors &&
	       cue_lba(n, end, true) - cue_lba(n, first, true) == (int64_t)sectors;
}

static int do_cue(struct nrg *n, const struct chunk *c)
{
	/* They are looked through for each index of each track. */
	if (c->len / CUE_SIZE > CUE_MAX)
		return fail(n, c, "%u entries; there can be %u", c->len / CUE_SIZE, CUE_MAX);
	n->cue = *c;
	return 0;
}

/* Recorded at once. */

struct dao {
	char isrc[VD_ISRC_LEN + 1];
	const struct mode *mode;
	uint32_t pregap, length; /* sectors */
	uint64_t offset;	 /* of the pregap */
};

static int read_dao(struct nrg *n, const struct chunk *c, int number, const uint8_t *p,
		    struct dao *d)
{
	uint32_t size = vd_get_be16(p + 12);
	uint64_t start, end;

	memset(d, 0, sizeof(*d));
	memcpy(d->isrc, p, VD_ISRC_LEN);
	if (!vd_isrc_valid(d->isrc))
		d->isrc[0] = '\0';
	d->mode = find_mode(p[14]);
	if (!d->mode)
		return fail(n, c, "track %d is of mode %02x, which is not known", number, p[14]);
	if (size != vd_layout_size(d->mode->layout))
		return fail(n, c, "track %d has sectors of %u bytes, but its mode %02x is of %u",
			    number, size, p[14], vd_layout_size(d->mode->layout));
	p += 18;
	d->offset = take_offset(c, &p);
	start = take_offset(c, &p);
	end = take_offset(c, &p);
	if (d->offset > start || start >= end || end > n->store->size)
		return fail(n, c, "track %d lies from byte %llu over %llu to %llu of %llu", number,
			    (unsigned long long)d->offset, (unsigned long long)start,
			    (unsigned long long)end, (unsigned long long)n->store->size);
	if ((start - d->offset) % size || (end - start) / size > INT32_MAX ||
	    (start - d->offset) / size > INT32_MAX)
		return fail(n, c, "track %d has no whole sectors", number);
	d->pregap = (uint32_t)((start - d->offset) / size);
	d->length = (uint32_t)((end - start) / size);
	if (!d->length)
		return fail(n, c, "track %d has not one whole sector", number);
	return 0;
}

static int add_dao_track(struct nrg *n, const struct chunk *c, int number, const struct dao *d,
			 int session, bool bcd)
{
	const uint8_t *first = find_index(n, number, 1), *e;
	struct vd_track t = { .number = number, .session = session, .mode = d->mode->mode };
	int64_t lba;
	int r;

	if (!first)
		return fail(n, &n->cue, "no INDEX 01 of track %d", number);
	lba = cue_lba(n, first, bcd);
	if (lba < VD_LBA_FIRST)
		return fail(n, &n->cue, "INDEX 01 of track %d is at %lld", number, (long long)lba);
	t.start = (int32_t)lba;
	t.control = first[0] >> 4;
	t.length = d->length;
	memcpy(t.isrc, d->isrc, sizeof(t.isrc));
	/* That of track 1 before LBA 0 belongs to it anyway. */
	t.pregap = d->pregap;
	if (!n->disc->ntracks && (int64_t)t.pregap > t.start)
		t.pregap = t.start > 0 ? (uint32_t)t.start : 0;
	r = vd_disc_add_track(n->disc, &t, n->err);
	if (!r)
		r = add_sectors(n, d->mode, (int32_t)(t.start - (int64_t)d->pregap),
				d->pregap + d->length, d->offset);
	for (int i = 2; !r && (e = find_index(n, number, i)); i++) {
		lba = cue_lba(n, e, bcd);
		r = vd_disc_add_index(n->disc, (int32_t)lba, n->err);
	}
	return refused(n, c, r);
}

static int do_dao(struct nrg *n, const struct chunk *c)
{
	const uint32_t size = is_wide(c) ? 42 : 30;
	const int session = n->disc->nsessions + 1;
	size_t ntracks;
	uint64_t sectors = 0;
	struct dao d;
	char mcn[VD_MCN_LEN + 1] = "";
	int first, r = 0;
	bool bcd;

	if (c->len < DAO_HEADER + size)
		return fail(n, c, "%u bytes are no track", c->len);
	if (!n->cue.data)
		return fail(n, c, "no CUES or CUEX before it");
	ntracks = (c->len - DAO_HEADER) / size;
	first = c->data[20];
	if (!first || first + ntracks > VD_TRACKS_MAX + 1)
		return fail(n, c, "%zu tracks from track %d on", ntracks, first);
	memcpy(mcn, c->data + 4, VD_MCN_LEN);
	if (!n->disc->mcn[0] && vd_mcn_valid(mcn))
		r = vd_disc_set_mcn(n->disc, mcn, n->err);
	for (size_t i = 0; !r && i < ntracks; i++) {
		r = read_dao(n, c, first + (int)i, c->data + DAO_HEADER + i * size, &d);
		sectors += d.length + (i ? d.pregap : 0);
	}
	if (r)
		return r;
	bcd = is_bcd(n, first, sectors);
	for (size_t i = 0; !r && i < ntracks; i++) {
		r = read_dao(n, c, first + (int)i, c->data + DAO_HEADER + i * size, &d);
		if (!r)
			r = add_dao_track(n, c, first + (int)i, &d, session, bcd);
	}
	/* A-B-C-D of the TOC's type: the disc type that A0 tells is the upper byte. */
	if (!r && c->data[18] == VD_SESSION_CDI)
		r = vd_disc_set_session_type(n->disc, session, VD_SESSION_CDI, n->err);
	n->cue.data = NULL;
	return r;
}

/* Recorded track by track. */

/* Where a track begins that says it is at @lba; where that cannot be, as a recorder would have put it. */
static int32_t tao_start(const struct nrg *n, uint32_t lba, bool new_session)
{
	const struct vd_track *last =
		n->disc->ntracks ? &n->disc->tracks[n->disc->ntracks - 1] : NULL;
	int64_t end = last ? vd_track_end(last) : 0, start;

	if (lba <= INT32_MAX && lba >= end)
		return (int32_t)lba;
	start = !last	      ? 0
		: new_session ? end + (last->session == 1 ? VD_SESSION_GAP_FIRST : VD_SESSION_GAP)
			      : end + VD_PREGAP_SESSION;
	return start > INT32_MAX ? INT32_MAX : (int32_t)start;
}

static int do_etn(struct nrg *n, const struct chunk *c)
{
	const uint32_t size = is_wide(c) ? 32 : 20;
	const int session = n->disc->nsessions + 1;
	int r = 0;

	if (c->len < size)
		return fail(n, c, "%u bytes are no track", c->len);
	for (uint32_t i = 0; !r && i < c->len / size; i++) {
		const uint8_t *p = c->data + i * size;
		uint64_t offset = take_offset(c, &p), bytes = take_offset(c, &p), sectors;
		const struct mode *m = find_mode(p[3]);
		struct vd_track t = { .session = session };

		t.number = n->disc->ntracks ? n->disc->tracks[n->disc->ntracks - 1].number + 1 : 1;
		if (!m)
			return fail(n, c, "track %d is of mode %02x, which is not known", t.number,
				    p[3]);
		sectors = bytes / vd_layout_size(m->layout);
		if (offset > n->store->size || bytes > n->store->size - offset || !sectors ||
		    sectors > INT32_MAX)
			return fail(n, c, "track %d is %llu bytes from byte %llu on of %llu",
				    t.number, (unsigned long long)bytes, (unsigned long long)offset,
				    (unsigned long long)n->store->size);
		t.mode = m->mode;
		t.start = tao_start(n, vd_get_be32(p + 4), i == 0);
		t.length = (uint32_t)sectors;
		r = vd_disc_add_track(n->disc, &t, n->err);
		if (!r)
			r = add_sectors(n, m, t.start, t.length, offset);
		r = refused(n, c, r);
	}
	return r;
}

static int do_text(struct nrg *n, const struct chunk *c)
{
	if (n->ntexts == VD_ARRAY_SIZE(n->text))
		return fail(n, c, "more of them than there can be sessions");
	/* Between the cue sheet and the tracks it belongs to what comes, else to what was. */
	n->text[n->ntexts].session = n->disc->nsessions + (n->cue.data ? 1 : 0);
	n->text[n->ntexts++].chunk = *c;
	return 0;
}

static int place_text(struct nrg *n)
{
	for (size_t i = 0; i < n->ntexts; i++) {
		const struct chunk *c = &n->text[i].chunk;
		int session = n->text[i].session ? n->text[i].session : 1;
		int r;

		if (c->len < 18)
			continue;
		r = vd_disc_set_cdtext(n->disc, session, c->data, c->len / 18, n->err);
		if (r)
			return refused(n, c, r);
	}
	return 0;
}

/* The bits are those of NeroAPI's media types; the first row of which any is set is it. */
static int do_medium(struct nrg *n, const struct chunk *c)
{
	static const struct {
		uint32_t bits;
		enum vd_media media;
	} media[] = {
		{ 0x000401, VD_MEDIA_CD_ROM },	   { 0x000200, VD_MEDIA_DVD_ROM },
		{ 0x000010, VD_MEDIA_DVD_RAM },	   { 0x000004, VD_MEDIA_DVD_R },
		{ 0x000008, VD_MEDIA_DVD_PLUS_R }, { 0x040000, VD_MEDIA_DVD_PLUS_R_DL },
		{ 0x080000, VD_MEDIA_DVD_R_DL },   { 0x100000, VD_MEDIA_BD_ROM },
		{ 0x200000, VD_MEDIA_BD_R },	   { 0x400000, VD_MEDIA_BD_RE },
	};

	if (c->len < 4)
		return fail(n, c, "%u bytes are no medium", c->len);
	for (size_t i = 0; i < VD_ARRAY_SIZE(media); i++)
		if (vd_get_be32(c->data) & media[i].bits) {
			n->disc->media = media[i].media;
			break;
		}
	return 0;
}

static const struct {
	char id[5];
	int (*run)(struct nrg *n, const struct chunk *c);
} chunks[] = {
	{ "CUES", do_cue }, { "CUEX", do_cue }, { "DAOI", do_dao },  { "DAOX", do_dao },
	{ "ETNF", do_etn }, { "ETN2", do_etn }, { "CDTX", do_text }, { "MTYP", do_medium },
};

static int do_chunk(struct nrg *n, const struct chunk *c)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(chunks); i++)
		if (!strcmp(c->id, chunks[i].id))
			return chunks[i].run(n, c);
	return 0;
}

/* @data: the @len bytes of the file from @at on. */
static int read_chunks(struct nrg *n, const uint8_t *data, size_t len, uint64_t at)
{
	size_t pos = 0;

	while (len - pos >= 8) {
		struct chunk c = { .at = at + pos, .data = data + pos + 8 };
		int r;

		memcpy(c.id, data + pos, 4);
		c.len = vd_get_be32(data + pos + 4);
		for (size_t i = 0; i < 4; i++)
			if (!isprint((unsigned char)c.id[i]))
				return vd_error_set(n->err, -EINVAL, "%s: no chunk at byte %llu",
						    n->name, (unsigned long long)c.at);
		if (!strcmp(c.id, "END!"))
			return 0;
		if (c.len > len - pos - 8)
			return fail(n, &c, "%u bytes, but %zu are left", c.len, len - pos - 8);
		r = do_chunk(n, &c);
		if (r)
			return r;
		pos += 8 + c.len;
	}
	return vd_error_set(n->err, -EINVAL, "%s: the chunks have no END!", n->name);
}

/* Where the chunks begin, and the footer behind them; false when there is no footer. */
static bool find_chunks(const struct vd_image_head *h, uint64_t *at, uint64_t *end)
{
	const uint8_t *tail = h->tail ? h->tail + h->tail_len : NULL;

	if (!tail)
		return false;
	if (h->tail_len >= 12 && !memcmp(tail - 12, "NER5", 4)) {
		*at = (uint64_t)vd_get_be32(tail - 8) << 32 | vd_get_be32(tail - 4);
		*end = h->size - 12;
		return true;
	}
	if (h->tail_len < 8 || memcmp(tail - 8, "NERO", 4))
		return false;
	*at = vd_get_be32(tail - 4);
	*end = h->size - 8;
	return true;
}

static int nrg_probe(const struct vd_image_head *h)
{
	uint64_t at, end;

	return find_chunks(h, &at, &end) ? 100 : 0;
}

static void close_nrg(struct nrg *n)
{
	vd_disc_close(n->disc);
}

static int nrg_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_nrg) struct nrg n = { .name = h->name, .err = err, .store = store };
	_cleanup_free_ uint8_t *data = NULL;
	uint64_t at, end;
	int r;

	(void)opener;
	r = vd_disc_new_owning(n.store, &n.disc);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	if (!find_chunks(h, &at, &end))
		return vd_error_set(err, -EMEDIUMTYPE, "%s: no footer of Nero", h->name);
	if (at >= end)
		return vd_error_set(err, -EINVAL,
				    "%s: its chunks begin at byte %llu, but it ends at %llu",
				    h->name, (unsigned long long)at, (unsigned long long)end);
	if (end - at > CHUNKS_MAX)
		return vd_error_set(err, -EINVAL, "%s: %llu bytes of chunks; there can be %u",
				    h->name, (unsigned long long)(end - at), CHUNKS_MAX);
	data = malloc((size_t)(end - at));
	r = data ? vd_store_pread(n.store, data, (size_t)(end - at), at) : -ENOMEM;
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	r = read_chunks(&n, data, (size_t)(end - at), at);
	if (r)
		return r;
	if (!n.disc->ntracks)
		return vd_error_set(err, -EINVAL, "%s: no track", h->name);
	r = place_text(&n);
	if (r)
		return r;
	*out = VD_TAKE_PTR(n.disc);
	return 0;
}

const struct vd_image_format vd_image_nrg = {
	.name = "nrg",
	.description = "Nero image",
	.probe = nrg_probe,
	.open = nrg_open,
};
