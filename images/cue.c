// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CUE: the sheet of CDRWIN, of which many programs write dialects. The commands and what they mean are of CDRWIN's user guide
 * ("Cue Sheet Commands"); sessions, which it has not, are remarks as Redump, ImgBurn and IsoBuster write them.
 *
 *     FILE "disc.bin" BINARY       what follows lies in this file, from its beginning on
 *       TRACK 01 MODE1/2352        and is sectors of this kind
 *         PREGAP 00:02:00          silence before what is stored
 *         INDEX 01 00:00:00        where in the file this begins, in sectors: there are 75 a second
 *       TRACK 02 AUDIO
 *         INDEX 00 10:00:00        a pregap that is stored
 *         INDEX 01 10:02:00
 *         POSTGAP 00:02:00         silence behind what is stored
 *
 * An INDEX is where its part of the track begins, and that goes on to the next INDEX in the file, or to the end of the file.
 * So a track may begin in one file and go on in the next one; what a file holds before its first INDEX is of the same track. Tracks in
 * one file may have sectors of different sizes: the bytes before an INDEX are counted part by part.
 *
 * Sector 0 of a disc is the first one of the first file, or of its PREGAP: the 150 sectors before it are in no sheet.
 *
 * Sessions. REM SESSION 02 begins one. Redump has lengths between files, and leaves them out where they are the usual ones:
 *
 *     REM LEAD-OUT 01:30:00   REM SESSION 02   REM LEAD-IN 01:00:00   REM PREGAP 00:02:00
 *
 * ImgBurn has one file, with the sectors between the sessions in it, and LEAD-OUT is where in it the session ends. The Dreamcast's
 * REM HIGH-DENSITY AREA is a session that begins at sector 45000.
 *
 * The first pass (the table of commands) reads lines and checks their order; the second one (layout()) has the sizes of the files
 * and gives each part its bytes.
 */
#include "images/sheet.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"

#define LEADOUT_FIRST 6750 /* usual lengths, in sectors: MMC-6, 4.2.3.5 */
#define LEADOUT_OTHER 2250
#define LEADIN_OTHER 4500
#define LEADOUT_MAX (2 * LEADOUT_FIRST)
#define HIGH_DENSITY 45000 /* INDEX 01 of its first track */
#define LINE_MAX_LEN 4096

struct mode {
	const char *name;
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
	enum vd_sub_form sub;
};

static const struct mode modes[] = {
	{ "AUDIO", VD_TRACK_AUDIO, VD_LAYOUT_2352, VD_SUB_NONE },
	{ "CDG", VD_TRACK_AUDIO, VD_LAYOUT_2448, VD_SUB_RW_RAW },
	{ "MODE1/2048", VD_TRACK_MODE1, VD_LAYOUT_2048, VD_SUB_NONE },
	{ "MODE1/2352", VD_TRACK_MODE1, VD_LAYOUT_2352, VD_SUB_NONE },
	{ "MODE1/2448", VD_TRACK_MODE1, VD_LAYOUT_2448, VD_SUB_RAW },
	{ "MODE2/2048", VD_TRACK_MODE2, VD_LAYOUT_2048, VD_SUB_NONE },
	{ "MODE2/2324", VD_TRACK_MODE2, VD_LAYOUT_2324, VD_SUB_NONE },
	{ "MODE2/2332", VD_TRACK_MODE2, VD_LAYOUT_2332, VD_SUB_NONE },
	{ "MODE2/2336", VD_TRACK_MODE2, VD_LAYOUT_2336, VD_SUB_NONE },
	{ "MODE2/2352", VD_TRACK_MODE2, VD_LAYOUT_2352, VD_SUB_NONE },
	{ "MODE2/2448", VD_TRACK_MODE2, VD_LAYOUT_2448, VD_SUB_RAW },
	{ "CDI/2336", VD_TRACK_MODE2, VD_LAYOUT_2336, VD_SUB_NONE },
	{ "CDI/2352", VD_TRACK_MODE2, VD_LAYOUT_2352, VD_SUB_NONE },
};

static const struct {
	const char *name;
	enum vd_sheet_kind kind;
	bool big_endian;
} types[] = {
	{ "BINARY", VD_SHEET_BINARY, false },
	{ "MOTOROLA", VD_SHEET_BINARY, true },
	/* The name of one of them is often written for all. */
	{ "WAVE", VD_SHEET_SOUND, false },
	{ "AIFF", VD_SHEET_SOUND, false },
	{ "FLAC", VD_SHEET_SOUND, false },
	{ "MP3", VD_SHEET_SOUND, false },
	{ "OGG", VD_SHEET_SOUND, false },
};

struct file {
	unsigned int line;
	size_t opened; /* in sheet.files */
	bool big_endian;
	bool indexed; /* an INDEX lies in it */
};

struct index {
	unsigned int line;
	size_t file;
	uint32_t at; /* sectors in that file */
};

struct track {
	unsigned int line;
	int number, session;
	const struct mode *mode;
	uint8_t control;
	bool scms, cdi;
	char isrc[VD_ISRC_LEN + 1];
	bool has_pregap, has_postgap;
	uint32_t pregap, postgap;
	struct index *indices;
	size_t nindices;
	int first_index; /* the number of indices[0]: 0 or 1 */
	/* Between it and the track before, which is of another session. -1: not said. */
	int32_t leadout, leadin, session_pregap;
	bool high_density;
};

struct cue {
	struct vd_sheet sheet;
	unsigned int line; /* being read */
	struct file *files;
	size_t nfiles;
	struct track *tracks;
	size_t ntracks;
	/* Remarks, until the next track. */
	int session;
	int32_t leadout, leadin, session_pregap;
	bool high_density;
};

static struct track *last_track(struct cue *c)
{
	return c->ntracks ? &c->tracks[c->ntracks - 1] : NULL;
}

static bool has_index_01(const struct track *t)
{
	return t->nindices > (t->first_index ? 0 : 1);
}

#define FAIL(c, ...) vd_sheet_error(&(c)->sheet, (c)->line, __VA_ARGS__)

/* Words of a line. */

/* Cuts the next word off @p, a string in quotes whole; "" at the end. */
static char *next_word(char **p)
{
	char *word;

	*p += strspn(*p, " \t");
	if (**p == '"') {
		word = ++*p;
		*p += strcspn(*p, "\"");
	} else {
		word = *p;
		*p += strcspn(*p, " \t");
	}
	if (**p)
		*(*p)++ = '\0';
	return word;
}

static void trim(char *s)
{
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	s[n] = '\0';
}

/* What is between the first quote and the last one of the line: titles have quotes in them. Else all of it. */
static char *rest_of(char *p)
{
	char *last;

	p += strspn(p, " \t");
	trim(p);
	if (*p != '"')
		return p;
	last = strrchr(++p, '"');
	if (last)
		*last = '\0';
	return p;
}

static int nothing_behind(struct cue *c, const char *command, char *p)
{
	p += strspn(p, " \t");
	return *p ? FAIL(c, "'%s' behind %s", p, command) : 0;
}

static int read_msf(struct cue *c, const char *command, char **p, int32_t *out)
{
	const char *word = next_word(p), *end;

	*out = vd_sheet_msf(word, &end);
	if (*out < 0 || *end)
		return FAIL(c, "%s '%s' is no time as mm:ss:ff", command, word);
	return 0;
}

/* Commands. Each gets what is behind its name. */

static int do_catalog(struct cue *c, char *p)
{
	char mcn[VD_MCN_LEN + 1], *text = rest_of(p);

	/* A UPC of 12 digits is the EAN that begins with 0. */
	if (strlen(text) == VD_MCN_LEN - 1) {
		mcn[0] = '0';
		memcpy(mcn + 1, text, VD_MCN_LEN);
		text = mcn;
	}
	if (!vd_mcn_valid(text))
		return FAIL(c, "CATALOG '%s' is not 13 digits", text);
	return vd_disc_set_mcn(c->sheet.disc, text, c->sheet.err);
}

/* FILE "name" TYPE: the type is the last word, whatever the name is made of. */
static int do_file(struct cue *c, char *p)
{
	struct file *bigger, *f = c->nfiles ? &c->files[c->nfiles - 1] : NULL;
	char *type, *name;
	size_t opened, i;
	int r;

	trim(p);
	type = p + strlen(p);
	while (type > p && !isspace((unsigned char)type[-1]) && type[-1] != '"')
		type--;
	for (i = 0; i < VD_ARRAY_SIZE(types); i++)
		if (!strcasecmp(type, types[i].name))
			break;
	if (i == VD_ARRAY_SIZE(types))
		return FAIL(c,
			    *type ? "FILE of type '%s': it is BINARY, MOTOROLA, WAVE, AIFF, FLAC, "
				    "MP3 or OGG"
				  : "FILE%s without a type",
			    type);
	if (type > p && type[-1] != '"')
		type[-1] = '\0';
	else
		*type = '\0';
	name = rest_of(p);
	if (!*name)
		return FAIL(c, "FILE without a name");
	r = vd_sheet_file(&c->sheet, c->line, name, types[i].kind, &opened);
	if (r)
		return r;
	/* The same one again goes on where it is. */
	if (f && f->opened == opened && f->big_endian != types[i].big_endian)
		return FAIL(c, "FILE %s is %s, but was %s in line %u", name, types[i].name,
			    f->big_endian ? "MOTOROLA" : "BINARY", f->line);
	if (f && f->opened == opened)
		return 0;
	for (size_t k = 0; k < c->nfiles; k++)
		if (c->files[k].opened == opened)
			return FAIL(c, "FILE %s again, with another one between", name);
	if (f && !f->indexed)
		return vd_sheet_error(&c->sheet, f->line, "no INDEX in FILE %s",
				      c->sheet.files[f->opened].name);
	bigger = reallocarray(c->files, c->nfiles + 1, sizeof(*bigger));
	if (!bigger)
		return vd_error_errno(c->sheet.err, -ENOMEM, "%s", c->sheet.name);
	c->files = bigger;
	c->files[c->nfiles++] = (struct file){
		.line = c->line,
		.opened = opened,
		.big_endian = types[i].big_endian,
	};
	return 0;
}

static int do_track(struct cue *c, char *p)
{
	const char *number = next_word(&p), *mode = next_word(&p);
	struct track *before = last_track(c), *t;
	char *end;
	long n = strtol(number, &end, 10);
	size_t i;

	if (!isdigit((unsigned char)*number) || *end || n < 1 || n > VD_TRACKS_MAX)
		return FAIL(c, "TRACK '%s' is not 01 to 99", number);
	for (i = 0; i < VD_ARRAY_SIZE(modes); i++)
		if (!strcasecmp(mode, modes[i].name))
			break;
	if (i == VD_ARRAY_SIZE(modes))
		return FAIL(c,
			    *mode ? "TRACK %02ld of mode '%s', which is not known"
				  : "TRACK %02ld without a mode%s",
			    n, mode);
	if (before && n <= before->number)
		return FAIL(c, "TRACK %02ld after TRACK %02d", n, before->number);
	if (before && !has_index_01(before))
		return vd_sheet_error(&c->sheet, before->line, "TRACK %02d has no INDEX 01",
				      before->number);
	t = &c->tracks[c->ntracks++];
	*t = (struct track){
		.line = c->line,
		.number = (int)n,
		.session = c->session,
		.mode = &modes[i],
		.cdi = !strncasecmp(mode, "CDI", 3),
		.leadout = c->leadout,
		.leadin = c->leadin,
		.session_pregap = c->session_pregap,
		.high_density = c->high_density,
	};
	c->leadout = c->leadin = c->session_pregap = -1;
	c->high_density = false;
	return nothing_behind(c, "TRACK", p);
}

static int do_index(struct cue *c, char *p)
{
	struct track *t = last_track(c);
	struct index *x;
	const char *number = next_word(&p);
	int32_t at;
	char *end;
	long n = strtol(number, &end, 10);
	int r, next = t->nindices ? t->first_index + (int)t->nindices : 1;

	if (!isdigit((unsigned char)*number) || *end || n > 99)
		return FAIL(c, "INDEX '%s' is not 00 to 99", number);
	r = read_msf(c, "INDEX", &p, &at);
	if (!r)
		r = nothing_behind(c, "INDEX", p);
	if (r)
		return r;
	if (!c->nfiles)
		return FAIL(c, "INDEX before any FILE");
	if (t->has_postgap)
		return FAIL(c, "INDEX behind POSTGAP");
	if (!t->nindices && n <= 1)
		t->first_index = (int)n;
	else if (n > next)
		return FAIL(c, "INDEX %02ld before INDEX %02d", n, next);
	else if (n < next)
		return FAIL(c, "INDEX %02ld after INDEX %02d", n, next - 1);
	if (!(t->nindices & (t->nindices - 1))) {
		x = reallocarray(t->indices, t->nindices ? t->nindices * 2 : 1, sizeof(*x));
		if (!x)
			return vd_error_errno(c->sheet.err, -ENOMEM, "%s", c->sheet.name);
		t->indices = x;
	}
	c->files[c->nfiles - 1].indexed = true;
	t->indices[t->nindices++] = (struct index){
		.line = c->line,
		.file = c->nfiles - 1,
		.at = (uint32_t)at,
	};
	return 0;
}

static int do_gap(struct cue *c, char *p, const char *command, bool *has, uint32_t *out)
{
	int32_t n;
	int r = read_msf(c, command, &p, &n);

	if (!r)
		r = nothing_behind(c, command, p);
	if (r)
		return r;
	if (*has)
		return FAIL(c, "%s again", command);
	*has = true;
	*out = (uint32_t)n;
	return 0;
}

static int do_pregap(struct cue *c, char *p)
{
	struct track *t = last_track(c);

	if (t->nindices)
		return FAIL(c, "PREGAP behind INDEX");
	return do_gap(c, p, "PREGAP", &t->has_pregap, &t->pregap);
}

static int do_postgap(struct cue *c, char *p)
{
	struct track *t = last_track(c);

	if (!t->nindices)
		return FAIL(c, "POSTGAP before INDEX");
	return do_gap(c, p, "POSTGAP", &t->has_postgap, &t->postgap);
}

static int do_isrc(struct cue *c, char *p)
{
	struct track *t = last_track(c);
	char isrc[VD_ISRC_LEN + 2] = "", *text = rest_of(p);
	size_t n = 0;

	for (const char *q = text; *q && n <= VD_ISRC_LEN; q++)
		if (*q != '-')
			isrc[n++] = (char)toupper((unsigned char)*q);
	if (!vd_isrc_valid(isrc))
		return FAIL(c, "ISRC '%s' is not 12 characters, such as USRC17607839", text);
	memcpy(t->isrc, isrc, sizeof(t->isrc));
	return 0;
}

static int do_flags(struct cue *c, char *p)
{
	struct track *t = last_track(c);
	const char *word;

	while (*(word = next_word(&p))) {
		if (!strcasecmp(word, "DCP"))
			t->control |= VD_CONTROL_COPY;
		else if (!strcasecmp(word, "4CH"))
			t->control |= VD_CONTROL_FOUR_CHANNELS;
		else if (!strcasecmp(word, "PRE"))
			t->control |= VD_CONTROL_PREEMPHASIS;
		else if (!strcasecmp(word, "SCMS"))
			t->scms = true;
		else if (strcasecmp(word, "DATA")) /* said by the mode */
			return FAIL(c, "FLAGS '%s': it is DCP, 4CH, PRE, SCMS or DATA", word);
	}
	return 0;
}

/*
 * Remarks are for people, but for those that tell of sessions. Which of these make no sense are remarks for
 * people too, except that sessions come one after the other.
 */
static int do_rem(struct cue *c, char *p)
{
	const struct {
		const char *word;
		int32_t *sectors;
	} lengths[] = {
		{ "LEAD-OUT", &c->leadout },
		{ "LEAD-IN", &c->leadin },
		{ "PREGAP", &c->session_pregap },
	};
	const char *word = next_word(&p), *end;

	for (size_t i = 0; i < VD_ARRAY_SIZE(lengths); i++)
		if (!strcasecmp(word, lengths[i].word)) {
			int32_t n = vd_sheet_msf(p + strspn(p, " \t"), &end);

			if (n >= 0 && !end[strspn(end, " \t\r")])
				*lengths[i].sectors = n;
			return 0;
		}
	if (!strcasecmp(word, "HIGH-DENSITY") && !strcasecmp(next_word(&p), "AREA")) {
		if (!c->ntracks)
			return FAIL(c, "HIGH-DENSITY AREA before any TRACK");
		c->session = last_track(c)->session + 1;
		c->high_density = true;
	} else if (!strcasecmp(word, "SESSION")) {
		int before = c->ntracks ? last_track(c)->session : 0;
		char *number = next_word(&p), *behind;
		long n = strtol(number, &behind, 10);

		if (!isdigit((unsigned char)*number) || *behind)
			return 0;
		/* Said again within a session, as some do for each track, it says nothing. */
		if (n != before + 1 && n != before)
			return before ? FAIL(c, "SESSION %02ld after SESSION %02d", n, before)
				      : FAIL(c, "SESSION %02ld before SESSION 01", n);
		if (n)
			c->session = (int)n;
	}
	return 0;
}

static int do_cdtextfile(struct cue *c, char *p)
{
	const char *name = rest_of(p);

	return *name ? vd_sheet_text_file(&c->sheet, c->line, name, c->session)
		     : FAIL(c, "CDTEXTFILE without a name");
}

/* Before the first TRACK they are the disc's, else the track's. */
static const struct {
	const char *name;
	enum vd_cdtext_type type;
} texts[] = {
	{ "TITLE", VD_CDTEXT_TITLE },		{ "PERFORMER", VD_CDTEXT_PERFORMER },
	{ "SONGWRITER", VD_CDTEXT_SONGWRITER }, { "COMPOSER", VD_CDTEXT_COMPOSER },
	{ "ARRANGER", VD_CDTEXT_ARRANGER },	{ "MESSAGE", VD_CDTEXT_MESSAGE },
	{ "DISC_ID", VD_CDTEXT_DISC_ID },	{ "GENRE", VD_CDTEXT_GENRE },
	{ "UPC_EAN", VD_CDTEXT_UPC_ISRC },
};

enum where {
	ANYWHERE,
	IN_TRACK, /* behind a TRACK */
};

static const struct command {
	const char *name;
	enum where where;
	int (*run)(struct cue *c, char *p);
} commands[] = {
	{ "REM", ANYWHERE, do_rem },	     { "FILE", ANYWHERE, do_file },
	{ "TRACK", ANYWHERE, do_track },     { "INDEX", IN_TRACK, do_index },
	{ "PREGAP", IN_TRACK, do_pregap },   { "POSTGAP", IN_TRACK, do_postgap },
	{ "FLAGS", IN_TRACK, do_flags },     { "ISRC", IN_TRACK, do_isrc },
	{ "CATALOG", ANYWHERE, do_catalog }, { "CDTEXTFILE", ANYWHERE, do_cdtextfile },
};

static int do_line(struct cue *c, char *p)
{
	const char *word;

	p += strspn(p, " \t\v\f");
	/* Comments that no standard has, and old editors write all the same. */
	if (!*p || *p == ';' || *p == '#' || !strncmp(p, "//", 2))
		return 0;
	if (strlen(p) > LINE_MAX_LEN)
		return FAIL(c, "a line of over %d bytes", LINE_MAX_LEN);
	word = p;
	p += strcspn(p, " \t");
	if (*p)
		*p++ = '\0';
	for (size_t i = 0; i < VD_ARRAY_SIZE(commands); i++) {
		if (strcasecmp(word, commands[i].name))
			continue;
		if (commands[i].where == IN_TRACK && !c->ntracks)
			return FAIL(c, "%s before any TRACK", commands[i].name);
		return commands[i].run(c, p);
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(texts); i++)
		if (!strcasecmp(word, texts[i].name))
			return vd_sheet_text(&c->sheet, c->line, 0, texts[i].type,
					     c->ntracks ? last_track(c)->number : 0, rest_of(p));
	return FAIL(c, "'%.40s' is no command of a CUE sheet", word);
}

static int read_lines(struct cue *c)
{
	char *next = c->sheet.text, *line;

	while ((line = vd_sheet_line(&c->sheet, &next))) {
		int r;

		c->line++;
		r = do_line(c, line);
		if (r)
			return r;
	}
	return 0;
}

/* The layout. */

/* How far the parts so far have come in their file. */
struct place {
	size_t file;
	uint32_t at;	 /* sectors */
	uint64_t offset; /* bytes */
	uint32_t ended;	 /* sectors in its file where the last track ended */
};

static uint32_t sector_size(const struct mode *m)
{
	return vd_layout_size(m->layout);
}

static bool is_plain_audio(const struct mode *m)
{
	return m->mode == VD_TRACK_AUDIO && m->layout == VD_LAYOUT_2352;
}

/* Sectors that the file holds from @offset on. Audio may end inside its last sector, data does not. */
static uint64_t sectors_left(const struct vd_store *s, uint64_t offset, const struct mode *m)
{
	uint32_t size = sector_size(m);
	uint64_t left = s->size > offset ? s->size - offset : 0;

	return (left + (is_plain_audio(m) ? size - 1 : 0)) / size;
}

/* Are such sectors in such a file? */
static int check_kind(struct cue *c, const struct track *t, const struct file *f)
{
	const struct vd_sheet_file *opened = &c->sheet.files[f->opened];

	if (is_plain_audio(t->mode))
		return 0;
	if (opened->kind == VD_SHEET_SOUND)
		return vd_sheet_error(&c->sheet, t->line, "TRACK %02d of mode %s in a sound file",
				      t->number, t->mode->name);
	if (f->big_endian && t->mode->mode == VD_TRACK_AUDIO)
		return vd_sheet_error(&c->sheet, t->line,
				      "TRACK %02d of mode %s in a MOTOROLA file", t->number,
				      t->mode->name);
	return 0;
}

/* Appends to @t what its file has from @p on: up to sector @end, which @at_end names, or without that all of it. */
static int add_part(struct cue *c, const struct track *t, struct place *p, uint32_t end,
		    const struct index *at_end)
{
	const struct file *f = &c->files[p->file];
	const struct vd_sheet_file *opened = &c->sheet.files[f->opened];
	uint64_t left = sectors_left(opened->store, p->offset, t->mode);
	struct vd_extent x = {
		.layout = t->mode->layout,
		.store = opened->store,
		.offset = p->offset,
		.sub = t->mode->sub,
	};
	char a[VD_SHEET_MSF], b[VD_SHEET_MSF];
	int r = check_kind(c, t, f);

	if (r)
		return r;
	if (f->big_endian && t->mode->mode == VD_TRACK_AUDIO)
		x.layout = VD_LAYOUT_2352_SWAPPED;
	if (left > (uint64_t)INT32_MAX - p->at)
		left = (uint64_t)INT32_MAX - p->at;
	if (at_end && end - p->at > left)
		return vd_sheet_error(&c->sheet, at_end->line,
				      "INDEX at %s is beyond the end of %s, at %s",
				      vd_sheet_msf_text(at_end->at, a), opened->name,
				      vd_sheet_msf_text((uint32_t)(p->at + left), b));
	x.length = at_end ? end - p->at : (uint32_t)left;
	p->at += x.length;
	p->offset += (uint64_t)x.length * sector_size(t->mode);
	p->ended = p->at;
	return vd_sheet_add_piece(&c->sheet, t->line, &x);
}

static const struct index *last_index(const struct track *t)
{
	return &t->indices[t->nindices - 1];
}

/*
 * Are both sessions in one file, with LEAD-OUT where in it the first one ends? What is between is skipped then, and the
 * next session begins as far behind it as it does in the file.
 */
static bool is_session_in_file(const struct track *before, const struct track *t)
{
	const struct index *from = last_index(before), *to = t->indices;

	/* With a LEAD-IN beside it, it is a length. */
	return t->session != before->session && t->leadout >= 0 && t->leadin < 0 &&
	       from->file == to->file && (uint32_t)t->leadout > from->at &&
	       (uint32_t)t->leadout <= to->at;
}

/* The part of track @t that begins with its INDEX number @i of those that it has, where @p is. */
static int add_index_part(struct cue *c, const struct track *t, size_t i, struct place *p)
{
	bool last = i + 1 == t->nindices;
	const struct track *of = last ? t + 1 : t;
	const struct index *x = &t->indices[i], *next;
	char a[VD_SHEET_MSF], b[VD_SHEET_MSF];
	uint32_t end;
	int r;

	if (of == c->tracks + c->ntracks)
		return add_part(c, t, p, 0, NULL);
	next = last ? of->indices : x + 1;
	if (next->file != x->file) {
		r = add_part(c, t, p, 0, NULL);
		p->file = next->file;
		p->at = 0;
		p->offset = 0;
		/* What the next file has before its first INDEX is of the track that this one is of. */
		return r || last ? r : add_part(c, t, p, next->at, next);
	}
	/* INDEX 00 and 01 at one place: a pregap of no length. */
	if (next->at < x->at || (next->at == x->at && (last || i || t->first_index)))
		return vd_sheet_error(&c->sheet, next->line,
				      "INDEX at %s is not beyond the one at %s",
				      vd_sheet_msf_text(next->at, a), vd_sheet_msf_text(x->at, b));
	end = last && is_session_in_file(t, of) ? (uint32_t)of->leadout : next->at;
	return add_part(c, t, p, end, next);
}

/* Sectors between the end of the session before and the first one that the sheet has of track @t. */
static uint32_t session_gap(const struct track *t, const struct place *p, bool has_pregap)
{
	const struct track *before = t - 1;
	uint32_t leadout = before->session == 1 ? LEADOUT_FIRST : LEADOUT_OTHER;
	uint32_t leadin = t->leadin >= 0 ? (uint32_t)t->leadin : LEADIN_OTHER;
	uint32_t pregap = has_pregap ? 0 : VD_PREGAP_SESSION;

	/* A place where the session ends anyway says nothing, neither does what is too long for a length. */
	if (t->leadout >= 0 && t->leadout <= LEADOUT_MAX && (uint32_t)t->leadout != p->ended)
		leadout = (uint32_t)t->leadout;
	if (t->session_pregap >= 0)
		pregap = (uint32_t)t->session_pregap;
	return leadout + leadin + pregap;
}

static int add_silence(struct cue *c, const struct track *t, uint32_t sectors)
{
	struct vd_extent x = { .length = sectors };

	return vd_sheet_add_piece(&c->sheet, t->line, &x);
}

static int layout_track(struct cue *c, const struct track *t, struct place *p)
{
	struct vd_sheet_track *out = vd_sheet_add_track(&c->sheet, t->line, t->number);
	bool new_session = t != c->tracks && t->session != t[-1].session;
	struct place before = *p;
	int r;

	if (!out)
		return -EINVAL;
	out->t.session = t->session;
	out->t.mode = t->mode->mode;
	out->t.control = t->control;
	out->t.scms = t->scms;
	memcpy(out->t.isrc, t->isrc, sizeof(out->t.isrc));
	if (new_session && is_session_in_file(t - 1, t)) {
		out->gap = t->indices->at - p->at;
		p->at += out->gap;
		p->offset += (uint64_t)out->gap * sector_size(t[-1].mode);
		new_session = false;
	}
	r = add_silence(c, t, t->pregap);
	/* The beginning of a file, before any INDEX. */
	if (!r && t->indices->at > p->at)
		r = add_part(c, t, p, t->indices->at, t->indices);
	for (size_t i = 0; !r && i < t->nindices; i++) {
		int number = t->first_index + (int)i;

		if (number == 1)
			out->pregap = out->sectors;
		else if (number > 1)
			out->indices[out->nindices++] = out->sectors;
		r = add_index_part(c, t, i, p);
	}
	if (!r)
		r = add_silence(c, t, t->postgap);
	if (t->high_density)
		out->at = HIGH_DENSITY;
	else if (new_session)
		out->gap = session_gap(t, &before, out->pregap > 0);
	return r;
}

static int layout(struct cue *c)
{
	const struct track *last = last_track(c);
	struct place p = { 0 };
	int r = 0;

	c->line = 0;
	if (!last)
		return FAIL(c, "no TRACK");
	if (!has_index_01(last))
		return vd_sheet_error(&c->sheet, last->line, "TRACK %02d has no INDEX 01",
				      last->number);
	if (!c->files[c->nfiles - 1].indexed)
		return vd_sheet_error(&c->sheet, c->files[c->nfiles - 1].line,
				      "no INDEX in FILE %s",
				      c->sheet.files[c->files[c->nfiles - 1].opened].name);
	for (size_t i = 0; !r && i < c->ntracks; i++)
		r = layout_track(c, &c->tracks[i], &p);
	if (!r)
		r = vd_sheet_place(&c->sheet);
	for (size_t i = 0; !r && i < c->ntracks; i++)
		if (c->tracks[i].cdi)
			r = vd_disc_set_session_type(c->sheet.disc, c->tracks[i].session,
						     VD_SESSION_CDI, c->sheet.err);
	return r;
}

static void close_cue(struct cue *c)
{
	for (size_t i = 0; i < c->ntracks; i++)
		free(c->tracks[i].indices);
	free(c->tracks);
	free(c->files);
	vd_sheet_close(&c->sheet);
}

static int cue_probe(const struct vd_image_head *h)
{
	static const char *const words[] = { "FILE", "TRACK", NULL };
	const char *dot = h->name ? strrchr(h->name, '.') : NULL;

	if (vd_sheet_looks_like(h, words))
		return 60;
	/* Of a text that says it is one, the errors are told. */
	return dot && !strcasecmp(dot, ".cue") && vd_sheet_looks_like(h, NULL) ? 10 : 0;
}

static int cue_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_cue) struct cue c = {
		.session = 1,
		.leadout = -1,
		.leadin = -1,
		.session_pregap = -1,
	};
	int r = vd_sheet_open(&c.sheet, opener, store, h, err);

	if (r)
		return r;
	c.tracks = calloc(VD_TRACKS_MAX, sizeof(*c.tracks));
	if (!c.tracks)
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	r = read_lines(&c);
	if (!r)
		r = layout(&c);
	if (r)
		return r;
	*out = vd_sheet_take(&c.sheet);
	return 0;
}

const struct vd_image_format vd_image_cue = {
	.name = "cue",
	.description = "CUE sheet",
	.probe = cue_probe,
	.open = cue_open,
};
