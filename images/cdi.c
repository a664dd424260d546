// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CDI: the image of Padus DiscJuggler, versions 2, 3, 3.5 and 4 (which says 3.5). There is no description by its maker; this is by those of
 * Dext and Lawrence Williams (CDIrip), of Rok Mandeljc (CDEmu) and of Martin Korth (psx-spx). Numbers are little endian.
 *
 *     sectors ...   of each track from its pregap on, one track behind the other; the first one begins at LBA -150
 *     descriptor
 *     end, 8        0 version: 80000004 (2), 80000005 (3), 80000006 (3.5)   4 where the descriptor is: from the beginning of the file,
 *                   in 3.5 from its end
 *
 * The descriptor has no offsets of its own: each part stands behind the other.
 *
 *     sessions 2
 *     session       tracks 2, track, track ...; 12 unused, 13 from version 3 on
 *     track         4, which if they are not zeros have 8 more behind them; a mark of 10 twice; 4; length of a name 1, that name; 19;
 *                   80000000 4, capacity 4, 2, medium 2 (98 CD, 38 DVD), or in older ones only a capacity 4;
 *                   indices 2, sectors of each 4; CD-TEXT blocks 4, of each 18 texts behind their length of 1; 2;
 *                   mode 4 (0 audio, 1, 2); 4; session 4; track 4; address 4; sectors 4; 16;
 *                   how it was read 4; control 4; 1; sectors 4; 4; ISRC 12, there is one 4;
 *                   from version 3 on 9, and where the last 4 of these are ff 78 more
 *     disc          3.5 only, behind a session of no tracks: as a track up to its medium; sectors 4; volume id behind its length
 *                   of 1; 9; MCN 13, there is one 4; bytes of CD-TEXT 4, packs
 *
 * The address is that of the pregap, and counts from LBA -150. Texts of single tracks are not read, the packs of the lead-in are.
 */
#include "images/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "images/single_track.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define V2 0x80000004u
#define V3 0x80000005u
#define V35 0x80000006u
#define DESCRIPTOR_MAX (1u << 20)
#define END 8u
#define MEDIUM_DVD 0x38
#define PACK 18u

static const uint8_t mark[10] = { 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

/* By how it was read. */
static const struct {
	enum vd_sector_layout layout;
	uint16_t stride;
} layouts[] = {
	{ VD_LAYOUT_2048, 2048 }, { VD_LAYOUT_2336, 2336 }, { VD_LAYOUT_2352, 2352 },
	{ VD_LAYOUT_2352, 2368 }, /* 16 bytes of Q behind it, which are not read */
	{ VD_LAYOUT_2448, 2448 },
};

struct cdi {
	const char *name;
	struct vd_error *err;
	struct vd_store *store;
	struct vd_disc *disc;
	uint32_t version;
	const uint8_t *data; /* the descriptor */
	size_t len, pos, at; /* at: of what is read now, for words */
	uint64_t base;	     /* where it is in the file */
	uint64_t offset;     /* of the sectors of the next track */
	bool is_dvd;
};

/* "NAME: WHAT at byte AT: words" */
static int fail(struct cdi *c, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct cdi *c, const char *what, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(c->err, -EINVAL, "%s: %s at byte %llu: %s", c->name, what,
			    (unsigned long long)(c->base + c->at), words);
}

/* The next @n bytes. NULL: they are not all there. */
static const uint8_t *take(struct cdi *c, size_t n)
{
	if (n > c->len - c->pos)
		return NULL;
	c->pos += n;
	return c->data + c->pos - n;
}

static bool take_le32(struct cdi *c, uint32_t *v)
{
	const uint8_t *p = take(c, 4);

	*v = p ? vd_get_le32(p) : 0;
	return p;
}

static bool take_le16(struct cdi *c, uint16_t *v)
{
	const uint8_t *p = take(c, 2);

	*v = p ? vd_get_le16(p) : 0;
	return p;
}

/* A text behind its length of one byte. */
static bool skip_text(struct cdi *c)
{
	const uint8_t *p = take(c, 1);

	return p && take(c, *p);
}

/* What is behind the marks, in a track and in the disc: name, capacity, medium. */
static bool take_head(struct cdi *c, uint16_t *medium)
{
	uint32_t capacity;
	const uint8_t *p;

	*medium = 0;
	if (!take(c, 4) || !skip_text(c) || !take(c, 19) || !take_le32(c, &capacity))
		return false;
	if (capacity != 0x80000000)
		return true;
	p = take(c, 8);
	if (p)
		*medium = vd_get_le16(p + 6);
	return p;
}

struct track {
	uint16_t medium, nindices;
	const uint8_t *indices; /* 4 bytes each */
	uint32_t mode, address, sectors, read, control;
	char isrc[VD_ISRC_LEN + 1];
};

/* False: it is cut short. The marks have been seen. */
static bool take_track(struct cdi *c, struct track *t)
{
	const uint8_t *p;
	uint32_t texts, isrc, ff;

	memset(t, 0, sizeof(*t));
	if (!take_head(c, &t->medium) || !take_le16(c, &t->nindices))
		return false;
	t->indices = take(c, (size_t)t->nindices * 4);
	if (!t->indices || !take_le32(c, &texts))
		return false;
	for (uint64_t i = 0; i < (uint64_t)texts * 18; i++)
		if (!skip_text(c))
			return false;
	if (!take(c, 2) || !take_le32(c, &t->mode) || !take(c, 12) || !take_le32(c, &t->address) ||
	    !take_le32(c, &t->sectors) || !take(c, 16) || !take_le32(c, &t->read) ||
	    !take_le32(c, &t->control) || !take(c, 9))
		return false;
	p = take(c, VD_ISRC_LEN);
	if (!p || !take_le32(c, &isrc))
		return false;
	if (isrc)
		memcpy(t->isrc, p, VD_ISRC_LEN);
	if (!vd_isrc_valid(t->isrc))
		t->isrc[0] = '\0';
	if (c->version == V2)
		return true;
	return take(c, 5) && take_le32(c, &ff) && (ff != UINT32_MAX || take(c, 78));
}

/* Where the pregap of a track begins that says @address; where that cannot be, as a recorder would have put it. */
static int64_t place(const struct cdi *c, uint32_t address, bool new_session)
{
	const struct vd_track *last =
		c->disc->ntracks ? &c->disc->tracks[c->disc->ntracks - 1] : NULL;
	int64_t at = (int64_t)address + VD_LBA_FIRST,
		end = last ? vd_track_end(last) : VD_LBA_FIRST;

	if (at >= end)
		return at;
	if (last && new_session)
		end += (last->session == 1 ? VD_SESSION_GAP_FIRST : VD_SESSION_GAP) -
		       VD_PREGAP_SESSION;
	return end;
}

static int add_track(struct cdi *c, const struct track *in, int session, bool first)
{
	static const enum vd_track_mode modes[] = { VD_TRACK_AUDIO, VD_TRACK_MODE1,
						    VD_TRACK_MODE2 };
	struct vd_track t = { .number = (int)c->disc->ntracks + 1,
			      .session = session,
			      .control = in->control & 0xf };
	uint32_t pregap = in->nindices > 1 ? vd_get_le32(in->indices) : 0;
	struct vd_extent x = { .store = c->store, .offset = c->offset };
	int64_t at = place(c, in->address, first), index;
	uint64_t bytes;
	int r;

	if (in->mode >= VD_ARRAY_SIZE(modes))
		return fail(c, "track", "it is of mode %u, which is not known", in->mode);
	if (in->read >= VD_ARRAY_SIZE(layouts))
		return fail(c, "track", "it was read in way %u, which is not known", in->read);
	bytes = (uint64_t)in->sectors * layouts[in->read].stride;
	if (bytes > c->base - c->offset)
		return fail(c, "track", "its %u sectors end at byte %llu, the sectors at %llu",
			    in->sectors, (unsigned long long)(c->offset + bytes),
			    (unsigned long long)c->base);
	if (pregap >= in->sectors || at + in->sectors > INT32_MAX)
		return fail(c, "track", "%u sectors from %lld on with a pregap of %u", in->sectors,
			    (long long)at, pregap);
	c->offset += bytes;
	t.mode = modes[in->mode];
	t.start = (int32_t)(at + pregap);
	t.length = in->sectors - pregap;
	if (t.start < 0)
		return fail(c, "track", "INDEX 01 at %d", t.start);
	/* That of track 1 before LBA 0 belongs to it anyway. */
	t.pregap = at < 0 ? (uint32_t)t.start : pregap;
	memcpy(t.isrc, in->isrc, sizeof(t.isrc));
	x.layout = layouts[in->read].layout;
	x.stride = layouts[in->read].stride;
	x.lba = (int32_t)at;
	x.length = in->sectors;
	/* No sector of a DVD is before LBA 0. */
	if (c->is_dvd && at < 0) {
		x.lba = 0;
		x.length -= (uint32_t)-at;
		x.offset += (uint64_t)-at * x.stride;
	}
	if (x.layout == VD_LAYOUT_2448)
		x.sub = vd_image_sub_form(c->store, x.offset, x.length);
	r = vd_disc_add_track(c->disc, &t, c->err);
	if (!r)
		r = vd_disc_add_extent(c->disc, &x, c->err);
	index = t.start;
	for (uint16_t i = 1; !r && i + 1 < in->nindices; i++) {
		index += vd_get_le32(in->indices + i * 4);
		r = vd_disc_add_index(c->disc, index > INT32_MAX ? INT32_MAX : (int32_t)index,
				      c->err);
	}
	return r ? vd_error_prefix(c->err, r, "%s: track at byte %llu", c->name,
				   (unsigned long long)(c->base + c->at))
		 : 0;
}

static bool take_marks(struct cdi *c, bool *right)
{
	const uint8_t *p = take(c, 2 * sizeof(mark));

	*right = p && !memcmp(p, mark, sizeof(mark)) &&
		 !memcmp(p + sizeof(mark), mark, sizeof(mark));
	return p;
}

static int read_track(struct cdi *c, int session, bool first)
{
	struct track t;
	uint32_t more;
	bool right;

	c->at = c->pos;
	if (!take_le32(c, &more) || (more && !take(c, 8)) || !take_marks(c, &right))
		return fail(c, "track", "it is cut short");
	if (!right)
		return fail(c, "track", "it does not begin as one");
	if (!take_track(c, &t))
		return fail(c, "track", "it is cut short");
	if (t.medium == MEDIUM_DVD && !c->disc->ntracks) {
		c->is_dvd = true;
		c->disc->media = VD_MEDIA_DVD_ROM;
	}
	return add_track(c, &t, session, first);
}

/* MCN and CD-TEXT, if they are there. Images of other programs may have none of it, or more before it. */
static int read_disc(struct cdi *c)
{
	char mcn[VD_MCN_LEN + 1] = "";
	uint16_t tracks, medium;
	uint32_t is_valid, text;
	const uint8_t *p, *packs;
	bool right;
	int r = 0;

	c->at = c->pos;
	if (!take_le16(c, &tracks) || tracks || !take(c, 4) || !take_marks(c, &right) || !right ||
	    !take_head(c, &medium) || !take(c, 4) || !skip_text(c) || !take(c, 9))
		return 0;
	p = take(c, VD_MCN_LEN);
	if (!p || !take_le32(c, &is_valid))
		return 0;
	memcpy(mcn, p, VD_MCN_LEN);
	if (is_valid && vd_mcn_valid(mcn))
		r = vd_disc_set_mcn(c->disc, mcn, c->err);
	packs = !r && take_le32(c, &text) && text >= PACK ? take(c, text) : NULL;
	if (packs)
		r = vd_disc_set_cdtext(c->disc, 1, packs, text / PACK, c->err);
	return r ? vd_error_prefix(c->err, r, "%s: disc at byte %llu", c->name,
				   (unsigned long long)(c->base + c->at))
		 : 0;
}

static int read_descriptor(struct cdi *c)
{
	uint16_t sessions, tracks;
	int r = 0;

	if (!take_le16(c, &sessions) || !sessions || sessions > VD_TRACKS_MAX)
		return fail(c, "descriptor", "%u sessions", sessions);
	for (uint16_t i = 0; i < sessions; i++) {
		c->at = c->pos;
		if (!take_le16(c, &tracks))
			return fail(c, "session", "it is cut short");
		if (!tracks || tracks > VD_TRACKS_MAX - c->disc->ntracks)
			return fail(c, "session", "%u tracks", tracks);
		for (uint16_t k = 0; !r && k < tracks; k++)
			r = read_track(c, i + 1, !k);
		if (r)
			return r;
		if (!take(c, c->version == V2 ? 12 : 13) && i + 1 < sessions)
			return fail(c, "session", "it is cut short");
	}
	return c->version == V35 ? read_disc(c) : 0;
}

/* Where the descriptor is; false when there is no end of a CDI. */
static bool find_descriptor(const struct vd_image_head *h, uint32_t *version, uint64_t *at)
{
	const uint8_t *end = h->tail && h->tail_len >= END ? h->tail + h->tail_len - END : NULL;
	uint32_t v;

	if (!end)
		return false;
	*version = vd_get_le32(end);
	v = vd_get_le32(end + 4);
	if (*version < V2 || *version > V35 || v < END || v >= h->size)
		return false;
	*at = *version == V35 ? h->size - v : v;
	return *at <= h->size - END;
}

static int cdi_probe(const struct vd_image_head *h)
{
	uint32_t version;
	uint64_t at;

	return find_descriptor(h, &version, &at) ? 100 : 0;
}

static int cdi_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(vd_cleanup_disc) struct vd_disc *disc = NULL;
	struct cdi c = { .name = h->name, .err = err, .store = store };
	_cleanup_free_ uint8_t *data = NULL;
	int r = vd_disc_new_owning(store, &disc);

	(void)opener;
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	if (!find_descriptor(h, &c.version, &c.base))
		return vd_error_set(err, -EMEDIUMTYPE, "%s: no end of a CDI", h->name);
	if (h->size - END - c.base > DESCRIPTOR_MAX)
		return vd_error_set(err, -EINVAL, "%s: a descriptor of %llu bytes; there can be %u",
				    h->name, (unsigned long long)(h->size - END - c.base),
				    DESCRIPTOR_MAX);
	c.disc = disc;
	c.len = (size_t)(h->size - END - c.base);
	data = malloc(c.len + 1);
	r = data ? vd_store_pread(store, data, c.len, c.base) : -ENOMEM;
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	c.data = data;
	r = read_descriptor(&c);
	if (r)
		return r;
	*out = VD_TAKE_PTR(disc);
	return 0;
}

const struct vd_image_format vd_image_cdi = {
	.name = "cdi",
	.description = "DiscJuggler image",
	.probe = cdi_probe,
	.open = cdi_open,
};
