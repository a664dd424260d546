// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CCD: the sheet of CloneCD, with the sectors in an .img and their subchannel in a .sub of the same name beside it. There is no description by
 * its maker; this is by the manual of GNU ccd2cue and by what CDEmu and Aaru read.
 *
 *     [Disc]      CATALOG=13 digits, DataTracksScrambled=0
 *     [CDText]    Entry 0=80 00 ...   packs of CD-TEXT, 16 bytes each: without their CRC
 *     [Entry 0]   one entry of the TOC in the lead-in, as a drive gives it (MMC-6, table 487): Session, Point (1 to 99 a track, 0xa0
 *                 with the type of the session in PSec, 0xa2 the lead-out), ADR, Control, PMin, PSec, PFrame, and the same as PLBA
 *     [TRACK 1]   MODE=0 audio, 1 or 2; INDEX 0=, INDEX 1=, ... as LBAs; ISRC=
 *
 * The .img has 2352 bytes a sector from LBA 0 on, the .sub 96: 12 of P, 12 of Q, ... A track begins there with its INDEX 0 if it has one, and ends
 * where the next one begins, or the lead-out. Between sessions nothing is stored, unless the .img is as long as all of the disc.
 *
 * Version 1 of the sheet has no [TRACK]: the sectors of a data track say of which mode they are.
 */
#define _GNU_SOURCE
#include "images/sheet.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "disc/subchannel.h"
#include "util/cleanup.h"

#define POINT_TYPE 0xa0
#define POINT_LEADOUT 0xa2
#define PACK_STORED 16u /* bytes of a pack without its CRC */
#define PACKS_MAX (VD_CDTEXT_BLOCKS * VD_CDTEXT_BLOCK_PACKS)
#define UNSET INT32_MIN

enum section { S_OTHER, S_DISC, S_CDTEXT, S_ENTRY, S_TRACK, S_SECTIONS };

/* An entry of the TOC, while it is read. */
struct entry {
	long session, point, adr, control, min, sec, frame, plba;
};

struct track {
	unsigned int line; /* of its entry; 0: there is none */
	int session;
	uint8_t control;
	int32_t start;
	unsigned int track_line; /* of its [TRACK]; 0: there is none */
	long mode;
	int32_t indices[100]; /* UNSET: not there */
	char isrc[VD_ISRC_LEN + 1];
};

struct session {
	int32_t leadout; /* UNSET: not there */
	long type;	 /* UNSET */
};

struct ccd {
	struct vd_sheet sheet;
	unsigned int line, section_line;
	enum section section;
	long number; /* of the section: [TRACK 3] */
	struct entry entry;
	struct track tracks[VD_TRACKS_MAX + 1];
	struct session sessions[VD_TRACKS_MAX + 1];
	uint8_t *packs; /* PACKS_MAX */
	size_t npacks;
};

#define FAIL(c, ...) vd_sheet_error(&(c)->sheet, (c)->line, __VA_ARGS__)

static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	s[n] = '\0';
}

/* Decimal, or hexadecimal with 0x, and nothing behind it. */
static int read_number(struct ccd *c, const char *key, const char *text, long *out)
{
	const char *digits = text + (*text == '-');
	char *end;

	*out = strtol(text, &end,
		      digits[0] == '0' && tolower((unsigned char)digits[1]) == 'x' ? 16 : 10);
	if (!isdigit((unsigned char)*digits) || *end || *out > INT32_MAX || *out <= INT32_MIN)
		return FAIL(c, "%s=%.40s is no number", key, text);
	return 0;
}

/* Does @text begin with @word, in any case? Then what is behind it, without blanks. */
static const char *behind(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (strncasecmp(text, word, n))
		return NULL;
	return text + n + strspn(text + n, " \t");
}

/* [Disc] and [CDText]. */

static int disc_key(struct ccd *c, const char *key, const char *value)
{
	long n;

	if (!strcasecmp(key, "CATALOG")) {
		if (!vd_mcn_valid(value))
			return FAIL(c, "CATALOG=%.40s is not 13 digits", value);
		return vd_disc_set_mcn(c->sheet.disc, value, c->sheet.err);
	}
	if (strcasecmp(key, "DataTracksScrambled"))
		return 0;
	if (read_number(c, key, value, &n))
		return -EINVAL;
	return n ? FAIL(c, "data sectors as they are scrambled on a disc are not read") : 0;
}

static int cdtext_key(struct ccd *c, const char *key, const char *value)
{
	uint8_t *pack;
	uint16_t crc;

	if (!behind(key, "Entry ") || !isdigit((unsigned char)key[6]))
		return 0;
	if (c->npacks == PACKS_MAX)
		return FAIL(c, "more than %u packs of CD-TEXT", PACKS_MAX);
	if (!c->packs)
		c->packs = calloc(PACKS_MAX, VD_CDTEXT_PACK);
	if (!c->packs)
		return vd_error_errno(c->sheet.err, -ENOMEM, "%s", c->sheet.name);
	pack = c->packs + c->npacks * VD_CDTEXT_PACK;
	for (size_t i = 0; i < PACK_STORED; i++) {
		char *end;
		unsigned long byte = strtoul(value, &end, 16);

		if (!isxdigit((unsigned char)*value) || byte > 0xff)
			return FAIL(c, "%s is not 16 bytes of CD-TEXT", key);
		pack[i] = (uint8_t)byte;
		value = end + strspn(end, " \t");
	}
	crc = (uint16_t)~vd_crc16(pack, PACK_STORED);
	pack[16] = (uint8_t)(crc >> 8);
	pack[17] = (uint8_t)crc;
	c->npacks++;
	return 0;
}

/* [Entry]. */

static int entry_key(struct ccd *c, const char *key, const char *value)
{
	const struct {
		const char *key;
		long *out;
	} keys[] = {
		{ "Session", &c->entry.session }, { "Point", &c->entry.point },
		{ "ADR", &c->entry.adr },	  { "Control", &c->entry.control },
		{ "PMin", &c->entry.min },	  { "PSec", &c->entry.sec },
		{ "PFrame", &c->entry.frame },	  { "PLBA", &c->entry.plba },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(keys); i++)
		if (!strcasecmp(key, keys[i].key))
			return read_number(c, key, value, keys[i].out);
	return 0;
}

/* The LBA that the entry points to. */
static int entry_lba(struct ccd *c, int32_t *out)
{
	const struct entry *e = &c->entry;

	if (e->plba != UNSET) {
		*out = (int32_t)e->plba;
		return 0;
	}
	if (e->min < 0 || e->min > 99 || e->sec < 0 || e->sec > 59 || e->frame < 0 || e->frame > 74)
		return vd_sheet_error(&c->sheet, c->section_line,
				      "an entry without an address (PLBA)");
	*out = (int32_t)((e->min * 60 + e->sec) * 75 + e->frame - 150);
	return 0;
}

static int end_entry(struct ccd *c)
{
	const struct entry *e = &c->entry;
	struct track *t;
	int r;

	/* Others are of recorders: the next session, power, pauses. */
	if (e->adr != UNSET && e->adr != 1)
		return 0;
	if (e->session < 1 || e->session > VD_TRACKS_MAX)
		return vd_sheet_error(&c->sheet, c->section_line,
				      "an entry of no session that can be");
	if (e->point == POINT_TYPE)
		c->sessions[e->session].type = e->sec;
	if (e->point == POINT_LEADOUT)
		return entry_lba(c, &c->sessions[e->session].leadout);
	if (e->point < 1 || e->point > VD_TRACKS_MAX)
		return 0;
	t = &c->tracks[e->point];
	if (t->line)
		return vd_sheet_error(&c->sheet, c->section_line,
				      "a second entry of track %ld, the first one is in line %u",
				      e->point, t->line);
	r = entry_lba(c, &t->start);
	t->line = c->section_line;
	t->session = (int)e->session;
	t->control = e->control == UNSET ? 0 : (uint8_t)(e->control & 0xf);
	return r;
}

/* [TRACK]. */

static int track_key(struct ccd *c, const char *key, const char *value)
{
	struct track *t = &c->tracks[c->number];
	const char *number = behind(key, "INDEX ");
	long n, lba;

	if (number) {
		if (read_number(c, "INDEX", number, &n) || read_number(c, key, value, &lba))
			return -EINVAL;
		if (n < 0 || n > 99)
			return FAIL(c, "%s is not 0 to 99", key);
		t->indices[n] = (int32_t)lba;
	} else if (!strcasecmp(key, "MODE")) {
		if (read_number(c, key, value, &t->mode))
			return -EINVAL;
		if (t->mode < 0 || t->mode > 2)
			return FAIL(c, "MODE=%ld is not 0, 1 or 2", t->mode);
	} else if (!strcasecmp(key, "ISRC")) {
		if (strlen(value) != VD_ISRC_LEN || !vd_isrc_valid(value))
			return FAIL(c, "ISRC=%.40s is not 12 characters, such as USRC17607839",
				    value);
		memcpy(t->isrc, value, sizeof(t->isrc));
	}
	return 0;
}

/* Sections. */

static const struct {
	const char *name;
	bool numbered;
	enum section section;
} sections[] = {
	{ "Disc", false, S_DISC },
	{ "CDText", false, S_CDTEXT },
	{ "Entry", true, S_ENTRY },
	{ "TRACK", true, S_TRACK },
};

static int (*const keys[S_SECTIONS])(struct ccd *c, const char *key, const char *value) = {
	[S_DISC] = disc_key,
	[S_CDTEXT] = cdtext_key,
	[S_ENTRY] = entry_key,
	[S_TRACK] = track_key,
};

static int end_section(struct ccd *c)
{
	return c->section == S_ENTRY ? end_entry(c) : 0;
}

static int begin_section(struct ccd *c, char *name)
{
	char *end = strchr(name, ']');
	int r = end_section(c);

	if (r)
		return r;
	if (!end)
		return FAIL(c, "[%.40s without a ]", name);
	*end = '\0';
	c->section = S_OTHER;
	c->section_line = c->line;
	for (size_t i = 0; i < VD_ARRAY_SIZE(sections); i++) {
		const char *number = behind(name, sections[i].name);

		if (!number || (!sections[i].numbered && *number))
			continue;
		if (sections[i].numbered && read_number(c, sections[i].name, number, &c->number))
			return -EINVAL;
		c->section = sections[i].section;
	}
	c->entry = (struct entry){ UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET };
	if (c->section != S_TRACK)
		return 0;
	if (c->number < 1 || c->number > VD_TRACKS_MAX)
		return FAIL(c, "TRACK %ld is not 1 to 99", c->number);
	if (c->tracks[c->number].track_line)
		return FAIL(c, "TRACK %ld again", c->number);
	c->tracks[c->number].track_line = c->line;
	return 0;
}

static int do_line(struct ccd *c, char *p)
{
	char *value;

	p += strspn(p, " \t");
	trim_end(p);
	if (!*p || *p == ';' || *p == '#')
		return 0;
	if (*p == '[')
		return begin_section(c, p + 1);
	value = strchr(p, '=');
	if (!value)
		return FAIL(c, "'%.40s' is neither [SECTION] nor KEY=VALUE", p);
	*value++ = '\0';
	trim_end(p);
	value += strspn(value, " \t");
	return keys[c->section] ? keys[c->section](c, p, value) : 0;
}

static int read_lines(struct ccd *c)
{
	char *next = c->sheet.text, *line;

	while ((line = vd_sheet_line(&c->sheet, &next))) {
		int r;

		c->line++;
		r = do_line(c, line);
		if (r)
			return r;
	}
	return end_section(c);
}

/* The layout. */

/* Where in the .img the tracks are. */
struct place {
	struct vd_store *img, *sub; /* sub NULL: there is none */
	bool whole;		    /* what is between the sessions is stored too */
	uint64_t sector;	    /* of the .img, where the next track begins */
};

static const struct track *next_track(const struct ccd *c, const struct track *t)
{
	while (++t <= &c->tracks[VD_TRACKS_MAX])
		if (t->line)
			return t;
	return NULL;
}

/* Where what is stored of it begins. What is before LBA 0 never is. */
static int64_t first_stored(const struct ccd *c, const struct track *t)
{
	if (!next_track(c, c->tracks) || next_track(c, c->tracks) == t)
		return 0;
	return t->indices[0] != UNSET && t->indices[0] < t->start ? t->indices[0] : t->start;
}

static int track_end(struct ccd *c, const struct track *t, int64_t *end)
{
	const struct track *next = next_track(c, t);

	if (next && next->session == t->session) {
		*end = first_stored(c, next);
		return 0;
	}
	*end = c->sessions[t->session].leadout;
	return *end == UNSET ? vd_sheet_error(&c->sheet, 0,
					      "session %d has no lead-out (Point 0xa2)", t->session)
			     : 0;
}

static int find_mode(struct ccd *c, const struct track *t, const struct place *p,
		     enum vd_track_mode *mode)
{
	static const enum vd_track_mode modes[] = { VD_TRACK_AUDIO, VD_TRACK_MODE1,
						    VD_TRACK_MODE2 };
	uint8_t header[16];

	if (t->mode != UNSET) {
		*mode = modes[t->mode];
		return 0;
	}
	*mode = VD_TRACK_AUDIO;
	if (!(t->control & VD_CONTROL_DATA))
		return 0;
	if (vd_store_pread(p->img, header, sizeof(header), p->sector * VD_SECTOR_RAW))
		return vd_sheet_error(&c->sheet, t->line, "track %d is beyond the end of the .img",
				      (int)(t - c->tracks));
	*mode = header[15] == 2 ? VD_TRACK_MODE2 : VD_TRACK_MODE1;
	return 0;
}

static int layout_indices(struct ccd *c, const struct track *t, int64_t first,
			  struct vd_sheet_track *out)
{
	const int number = (int)(t - c->tracks);

	if (t->indices[1] != UNSET && t->indices[1] != t->start)
		return vd_sheet_error(&c->sheet, t->track_line,
				      "INDEX 1 of track %d is at %d, but its entry points to %d",
				      number, t->indices[1], t->start);
	for (int i = 2; i < 100 && t->indices[i] != UNSET; i++) {
		if (t->indices[i] <= t->start)
			return vd_sheet_error(&c->sheet, t->track_line,
					      "INDEX %d of track %d is before it", i, number);
		out->indices[out->nindices++] = (uint32_t)(t->indices[i] - first);
	}
	return 0;
}

static int layout_track(struct ccd *c, const struct track *t, struct place *p)
{
	struct vd_sheet_track *out = vd_sheet_add_track(&c->sheet, t->line, (int)(t - c->tracks));
	int64_t first = first_stored(c, t), end;
	struct vd_extent x = {
		.layout = VD_LAYOUT_2352,
		.store = p->img,
		.sub = p->sub ? VD_SUB_PLANAR : VD_SUB_NONE,
		.sub_store = p->sub,
	};
	int r;

	if (!out)
		return -EINVAL;
	r = track_end(c, t, &end);
	if (r)
		return r;
	if (t->start < 0 || first < 0 || t->start < first || end <= t->start)
		return vd_sheet_error(&c->sheet, t->line, "track %d lies from %lld to %lld",
				      out->t.number, (long long)t->start, (long long)end);
	if (p->whole)
		p->sector = (uint64_t)first;
	r = find_mode(c, t, p, &out->t.mode);
	if (!r)
		r = layout_indices(c, t, first, out);
	if (r)
		return r;
	out->t.session = t->session;
	out->t.control = t->control;
	memcpy(out->t.isrc, t->isrc, sizeof(out->t.isrc));
	out->at = t->start;
	out->pregap = (uint32_t)(t->start - first);
	x.length = (uint32_t)(end - first);
	x.offset = p->sector * VD_SECTOR_RAW;
	x.sub_offset = p->sector * VD_SECTOR_SUB;
	p->sector += x.length;
	return vd_sheet_add_piece(&c->sheet, t->line, &x);
}

/* Opens "NAME.img" of "NAME.ccd". @optional: *store is NULL when it is not there. */
static int open_beside(struct ccd *c, const char *suffix, bool optional, struct vd_store **store)
{
	const char *name = c->sheet.name, *dot = strrchr(name, '.');
	int len = dot && dot != name ? (int)(dot - name) : (int)strlen(name), r;
	_cleanup_free_ char *path = NULL;
	size_t i;

	*store = NULL;
	if (asprintf(&path, "%.*s.%s", len, name, suffix) < 0) {
		path = NULL;
		return vd_error_errno(c->sheet.err, -ENOMEM, "%s", name);
	}
	r = vd_sheet_file(&c->sheet, 0, path, VD_SHEET_BINARY, &i);
	if (r == -ENOENT && optional) {
		if (c->sheet.err)
			c->sheet.err->text[0] = '\0';
		return 0;
	}
	if (r)
		return r;
	*store = c->sheet.files[i].store;
	return 0;
}

static int set_types(struct ccd *c)
{
	for (int i = 1; i <= c->sheet.disc->nsessions; i++) {
		long type = c->sessions[i].type;
		int r;

		if (type != VD_SESSION_CDROM && type != VD_SESSION_CDI && type != VD_SESSION_XA)
			continue;
		r = vd_disc_set_session_type(c->sheet.disc, i, (enum vd_session_type)type,
					     c->sheet.err);
		if (r)
			return vd_sheet_prefix(&c->sheet, 0, r);
	}
	return 0;
}

static int layout(struct ccd *c)
{
	const struct track *t = next_track(c, c->tracks), *last = NULL;
	struct place p = { 0 };
	int64_t end;
	int r;

	if (!t)
		return vd_sheet_error(&c->sheet, 0, "no track: no [Entry] with Point 1 to 99");
	for (const struct track *u = t; u; u = next_track(c, u))
		last = u;
	r = track_end(c, last, &end);
	if (!r)
		r = open_beside(c, "img", false, &p.img);
	if (!r)
		r = open_beside(c, "sub", true, &p.sub);
	if (r)
		return r;
	p.whole = last->session > 1 && end > 0 && p.img->size / VD_SECTOR_RAW == (uint64_t)end;
	for (; !r && t; t = next_track(c, t))
		r = layout_track(c, t, &p);
	if (!r && c->npacks) {
		c->sheet.packs = VD_TAKE_PTR(c->packs);
		c->sheet.npacks = c->npacks;
		c->sheet.packs_session = 1;
	}
	if (!r)
		r = vd_sheet_place(&c->sheet);
	return r ? r : set_types(c);
}

static void close_ccd(struct ccd **c)
{
	if (!*c)
		return;
	free((*c)->packs);
	vd_sheet_close(&(*c)->sheet);
	free(*c);
}

static int ccd_probe(const struct vd_image_head *h)
{
	static const char *const words[] = { "[CloneCD]", NULL };

	return vd_sheet_looks_like(h, words) ? 90 : 0;
}

static int ccd_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_ccd) struct ccd *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	for (size_t i = 0; i <= VD_TRACKS_MAX; i++) {
		c->sessions[i] = (struct session){ .leadout = UNSET, .type = UNSET };
		c->tracks[i].mode = UNSET;
		for (size_t k = 0; k < 100; k++)
			c->tracks[i].indices[k] = UNSET;
	}
	r = vd_sheet_open(&c->sheet, opener, store, h, err);
	if (!r)
		r = read_lines(c);
	if (!r)
		r = layout(c);
	if (r)
		return r;
	*out = vd_sheet_take(&c->sheet);
	return 0;
}

const struct vd_image_format vd_image_ccd = {
	.name = "ccd",
	.description = "CloneCD image",
	.probe = ccd_probe,
	.open = ccd_open,
};
