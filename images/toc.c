// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * TOC: the sheet of cdrdao, by its manual ("TOC-FILES" in cdrdao(1)).
 *
 *     CD_ROM_XA                            what kind of disc, and CATALOG "13 digits"
 *     CD_TEXT { ... }                      of the disc
 *     TRACK MODE1_RAW RW_RAW               a track: what a sector of it is, and of its subchannel
 *       NO COPY  ISRC "..."  CD_TEXT { }
 *       PREGAP 00:02:00                    generated, before the track
 *       DATAFILE "a.bin" #OFFSET LENGTH    then one part after the other: sectors of a file,
 *       ZERO LENGTH                        generated ones,
 *     TRACK AUDIO
 *       SILENCE 00:02:00                   silence,
 *       FILE "a.wav" 00:10:00 00:20:00     a sound from there on, so long, or all that there is
 *       START                              here, or so far into the track, INDEX 01 is
 *       INDEX 00:30:00                     INDEX 02, 03, ... from INDEX 01 on
 *
 * Times are mm:ss:ff, in sectors; plain numbers are samples (4 bytes) of a sound and bytes of data. So parts of a track may end
 * inside a sector: then the whole track is joined to one run of bytes, and what is missing of its last sector are zeros.
 *
 * A FILE is a sound file by its name (.wav, .flac, ...), else samples as they are, big endian. SWAP turns either.
 * A TOC has one session. Sector 0 of the disc is the first one of the first track, PREGAP or not.
 */
#include "images/sheet.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/joined.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define PARTS_MAX 65536u
#define TEXT_MAX (256u * 12u) /* bytes in one string of CD-TEXT */
#define SAMPLE 4u

struct mode {
	const char *name;
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
};

static const struct mode modes[] = {
	{ "AUDIO", VD_TRACK_AUDIO, VD_LAYOUT_2352 },
	{ "MODE1", VD_TRACK_MODE1, VD_LAYOUT_2048 },
	{ "MODE1_RAW", VD_TRACK_MODE1, VD_LAYOUT_2352 },
	{ "MODE2", VD_TRACK_MODE2, VD_LAYOUT_2336 },
	{ "MODE2_RAW", VD_TRACK_MODE2, VD_LAYOUT_2352 },
	{ "MODE2_FORM1", VD_TRACK_MODE2, VD_LAYOUT_2048 },
	{ "MODE2_FORM2", VD_TRACK_MODE2, VD_LAYOUT_2324 },
	{ "MODE2_FORM_MIX", VD_TRACK_MODE2, VD_LAYOUT_2336 },
};

static const struct {
	const char *name;
	enum vd_session_type type;
} disc_types[] = {
	{ "CD_DA", VD_SESSION_CDROM },
	{ "CD_ROM", VD_SESSION_CDROM },
	{ "CD_ROM_XA", VD_SESSION_XA },
	{ "CD_I", VD_SESSION_CDI },
};

enum kind { END, WORD, NUMBER, STRING, SIGN };

struct token {
	enum kind kind;
	unsigned int line;
	const char *p; /* of a string: between the quotes */
	size_t len;
};

/* Some bytes of a track. */
struct part {
	struct vd_store *store; /* NULL: generated */
	uint64_t offset, length;
	bool big_endian;
};

struct toc {
	struct vd_sheet sheet;
	const char *next; /* not yet read */
	unsigned int line;
	struct token t; /* the one that is looked at */
	int track;	/* the last one's number; 0: none */
	int first;	/* number of the first one */
	enum vd_session_type type;
	/* Of the track that is read. */
	const struct mode *mode;
	enum vd_sub_form sub;
	struct part *parts;
	size_t nparts;
	uint64_t bytes; /* of all parts */
};

#define FAIL(t_, line_, ...) vd_sheet_error(&(t_)->sheet, line_, __VA_ARGS__)

/* Tokens. */

static int next(struct toc *t)
{
	const char *p = t->next, *end = t->sheet.text + t->sheet.len;

	for (; p < end && (isspace((unsigned char)*p) || (p[0] == '/' && p[1] == '/'));) {
		if (*p == '/') {
			p += strcspn(p, "\r\n");
			continue;
		}
		if (*p == '\n' || (*p == '\r' && p[1] != '\n'))
			t->line++;
		p++;
	}
	t->t = (struct token){ .kind = SIGN, .line = t->line, .p = p, .len = 1 };
	if (p == end) {
		t->t.kind = END;
		t->t.len = 0;
	} else if (*p == '"') {
		t->t.kind = STRING;
		t->t.p = ++p;
		while (p < end && *p != '"' && *p != '\n' && *p != '\r')
			p += *p == '\\' && p + 1 < end && p[1] != '\n' && p[1] != '\r' ? 2 : 1;
		if (p == end || *p != '"')
			return FAIL(t, t->line, "a string without its end");
		t->t.len = (size_t)(p - t->t.p);
		p++;
	} else if (isalnum((unsigned char)*p) || *p == '_') {
		bool digits = true;

		for (t->t.len = 0; isalnum((unsigned char)*p) || *p == '_'; p++, t->t.len++)
			digits = digits && isdigit((unsigned char)*p);
		t->t.kind = digits ? NUMBER : WORD;
	} else {
		p++;
	}
	t->next = p;
	return 0;
}

static bool is(const struct toc *t, const char *word)
{
	return (t->t.kind == WORD || t->t.kind == SIGN) && strlen(word) == t->t.len &&
	       !strncmp(t->t.p, word, t->t.len);
}

/* The index of the word among @n names, @stride bytes apart; @n: none of them. */
static size_t which(const struct toc *t, const void *names, size_t n, size_t stride)
{
	for (size_t i = 0; i < n; i++)
		if (is(t, *(const char *const *)((const char *)names + i * stride)))
			return i;
	return n;
}

#define WHICH(t, table) which(t, &(table)[0].name, VD_ARRAY_SIZE(table), sizeof((table)[0]))

/* "'X' where there has to be @what". */
static int unexpected(const struct toc *t, const char *what)
{
	if (t->t.kind == END)
		return FAIL(t, t->t.line, "it ends where there has to be %s", what);
	return FAIL(t, t->t.line, "'%.*s' where there has to be %s",
		    t->t.len < 40 ? (int)t->t.len : 40, t->t.p, what);
}

static int need(struct toc *t, const char *sign, const char *what)
{
	return is(t, sign) ? next(t) : unexpected(t, what);
}

/*
 * Takes a string, which the caller frees. \" and \\ are these characters, \ooo a byte. With @text, all but such bytes is put into
 * the characters of CD-TEXT.
 */
static int take_string(struct toc *t, bool text, char **out, size_t *out_len)
{
	_cleanup_free_ char *run = NULL, *s = NULL;
	const char *p = t->t.p, *end = p + t->t.len;
	size_t n = 0;

	if (t->t.kind != STRING)
		return unexpected(t, "a string in quotes");
	run = malloc(t->t.len + 1);
	s = malloc(t->t.len * 4 + 1);
	if (!run || !s)
		return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
	while (p < end) {
		size_t len = 0;

		if (p[0] == '\\' && end - p >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
		    p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			s[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			if (!s[n - 1])
				return FAIL(t, t->t.line, "a zero byte in a string");
			p += 4;
			continue;
		}
		/* Up to the next byte that is written as a number. */
		do {
			if (p[0] == '\\' && end - p >= 2 && (p[1] == '"' || p[1] == '\\'))
				p++;
			run[len++] = *p++;
		} while (p < end &&
			 !(p[0] == '\\' && end - p >= 4 && isdigit((unsigned char)p[1])));
		run[len] = '\0';
		if (text) {
			n += vd_sheet_latin1(&t->sheet, run, (uint8_t *)s + n);
		} else {
			memcpy(s + n, run, len);
			n += len;
		}
	}
	s[n] = '\0';
	*out = VD_TAKE_PTR(s);
	if (out_len)
		*out_len = n;
	return next(t);
}

static int take_number(struct toc *t, uint64_t most, const char *what, uint64_t *out)
{
	uint64_t n = 0;

	if (t->t.kind != NUMBER)
		return unexpected(t, what);
	for (size_t i = 0; i < t->t.len; i++) {
		n = n * 10 + (uint64_t)(t->t.p[i] - '0');
		if (n > most)
			return FAIL(t, t->t.line, "%.*s where there has to be %s",
				    t->t.len < 40 ? (int)t->t.len : 40, t->t.p, what);
	}
	*out = n;
	return next(t);
}

/* mm:ss:ff in sectors, or a plain number, which counts as @unit bytes. Gives bytes; a sector has @block. */
static int take_length(struct toc *t, uint32_t block, uint32_t unit, uint64_t *out)
{
	const char *end = t->t.p + t->t.len;
	int32_t sectors;
	int r;

	if (t->t.kind == NUMBER && *end == ':') {
		sectors = vd_sheet_msf(t->t.p, &end);
		if (sectors < 0 || isalnum((unsigned char)*end))
			return FAIL(t, t->t.line, "'%.*s' is no time as mm:ss:ff",
				    (int)strcspn(t->t.p, " \t\r\n"), t->t.p);
		t->next = end;
		*out = (uint64_t)sectors * block;
		return next(t);
	}
	r = take_number(t, INT64_MAX / 8 / unit, "a length", out);
	*out *= unit;
	return r;
}

static int take_msf(struct toc *t, uint32_t *sectors)
{
	uint64_t n;
	int r;

	if (t->t.kind != NUMBER || t->t.p[t->t.len] != ':')
		return unexpected(t, "a time as mm:ss:ff");
	r = take_length(t, 1, 1, &n);
	*sectors = (uint32_t)n;
	return r;
}

/* CD-TEXT. */

static const struct {
	const char *name;
	uint8_t type;
} texts[] = {
	{ "TITLE", VD_CDTEXT_TITLE },
	{ "PERFORMER", VD_CDTEXT_PERFORMER },
	{ "SONGWRITER", VD_CDTEXT_SONGWRITER },
	{ "COMPOSER", VD_CDTEXT_COMPOSER },
	{ "ARRANGER", VD_CDTEXT_ARRANGER },
	{ "MESSAGE", VD_CDTEXT_MESSAGE },
	{ "DISC_ID", VD_CDTEXT_DISC_ID },
	{ "GENRE", VD_CDTEXT_GENRE },
	{ "TOC_INFO1", VD_CDTEXT_TOC },
	{ "TOC_INFO2", VD_CDTEXT_TOC2 },
	{ "RESERVED1", 0x8a },
	{ "RESERVED2", 0x8b },
	{ "RESERVED3", 0x8c },
	{ "RESERVED4", VD_CDTEXT_CLOSED },
	{ "UPC_EAN", VD_CDTEXT_UPC_ISRC },
	{ "ISRC", VD_CDTEXT_UPC_ISRC },
	{ "SIZE_INFO", VD_CDTEXT_SIZE },
};

/* Of newer versions: which characters a language has. */
static const struct {
	const char *name;
	uint8_t charset;
} charsets[] = {
	{ "ENCODING_ISO_8859_1", VD_CDTEXT_LATIN1 },
	{ "ENCODING_ASCII", VD_CDTEXT_ASCII },
	{ "ENCODING_MS_JIS", VD_CDTEXT_MSJIS },
};

/* { 1, 2, 3 } */
static int take_bytes(struct toc *t, char **out, size_t *len)
{
	_cleanup_free_ char *bytes = malloc(TEXT_MAX);
	uint64_t n;
	int r;

	if (!bytes)
		return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
	r = need(t, "{", "a string, or { bytes }");
	for (*len = 0; !r && !is(t, "}");) {
		if (*len)
			r = need(t, ",", "a comma, or }");
		if (!r && *len == TEXT_MAX)
			return FAIL(t, t->t.line, "more than %u bytes", TEXT_MAX);
		if (!r)
			r = take_number(t, 255, "a byte (0 to 255)", &n);
		if (!r)
			bytes[(*len)++] = (char)n;
	}
	if (!r)
		r = next(t);
	if (!r)
		*out = VD_TAKE_PTR(bytes);
	return r;
}

/* A language's own block, made when there is none yet. */
static struct vd_cdtext_block *language_block(struct toc *t, int language)
{
	struct vd_cdtext_block *b;

	if (!t->sheet.cdtext && vd_cdtext_new(&t->sheet.cdtext))
		return NULL;
	b = t->sheet.cdtext->block[language];
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		b->language = VD_CDTEXT_ENGLISH;
		b->first_track = 1;
		t->sheet.cdtext->block[language] = b;
	}
	return b;
}

/*
 * GENRE { 0, 2, ... }: the code of the genre, and its name behind that. SIZE_INFO is made anew, but for the character set and
 * the flags of copyright in it.
 */
static int put_bytes(struct toc *t, unsigned int line, int language, uint8_t type,
		     const char *bytes, size_t len)
{
	struct vd_cdtext_block *b = language_block(t, language);

	if (!b)
		return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
	if (type == VD_CDTEXT_SIZE) {
		if (len == 36) {
			b->charset = (uint8_t)bytes[0];
			b->copyright = (uint8_t)bytes[3];
		}
		return 0;
	}
	if (type == VD_CDTEXT_GENRE && len >= 2) {
		b->genre = vd_get_be16(bytes);
		bytes += 2;
		len = strnlen(bytes, len - 2);
	}
	return vd_sheet_text_raw(&t->sheet, line, language, (enum vd_cdtext_type)type, 0, bytes,
				 len);
}

static int take_text(struct toc *t, int language)
{
	size_t i = WHICH(t, texts), len = 0;
	unsigned int line = t->t.line;
	_cleanup_free_ char *s = NULL;
	uint8_t type;
	bool bytes, of_disc;
	int r;

	if (i == VD_ARRAY_SIZE(texts))
		return unexpected(t, "a kind of CD-TEXT, such as TITLE, or }");
	type = texts[i].type;
	of_disc = (type >= VD_CDTEXT_DISC_ID && type <= VD_CDTEXT_TOC2) || type == VD_CDTEXT_SIZE;
	r = next(t);
	if (r)
		return r;
	bytes = t->t.kind != STRING;
	r = bytes ? take_bytes(t, &s, &len) : take_string(t, true, &s, &len);
	if (r)
		return r;
	/* cdrdao writes an empty DISC_ID for each track of a disc that has one. */
	if (t->track && of_disc && !bytes && !len)
		return 0;
	if (t->track && of_disc)
		return FAIL(t, line, "CD-TEXT: a track has no %s", texts[i].name);
	if (len > TEXT_MAX)
		return FAIL(t, line, "CD-TEXT of over %u bytes", TEXT_MAX);
	if (bytes && !t->track)
		return put_bytes(t, line, language, type, s, len);
	return vd_sheet_text_raw(&t->sheet, line, language, (enum vd_cdtext_type)type, t->track, s,
				 len);
}

/* LANGUAGE n { items }: what is said of its characters counts for all of them, wherever it stands. */
static int take_language(struct toc *t)
{
	struct vd_cdtext_block *b;
	uint64_t n;
	size_t i;
	int r = next(t);

	if (!r)
		r = take_number(t, VD_CDTEXT_BLOCKS - 1, "a language (0 to 7)", &n);
	if (!r)
		r = need(t, "{", "{");
	if (r)
		return r;
	b = language_block(t, (int)n);
	if (!b)
		return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
	while (!r && !is(t, "}")) {
		i = WHICH(t, charsets);
		if (i == VD_ARRAY_SIZE(charsets)) {
			r = take_text(t, (int)n);
			continue;
		}
		b->charset = charsets[i].charset;
		r = next(t);
	}
	return r ? r : next(t);
}

/* LANGUAGE_MAP { 0 : EN  1 : 8 } */
static int take_language_map(struct toc *t)
{
	int r = next(t);

	if (!r)
		r = need(t, "{", "{");
	while (!r && !is(t, "}")) {
		uint64_t n = 0, code = VD_CDTEXT_ENGLISH;
		struct vd_cdtext_block *b;

		r = take_number(t, VD_CDTEXT_BLOCKS - 1, "a language (0 to 7)", &n);
		if (!r)
			r = need(t, ":", "a colon");
		if (!r)
			r = is(t, "EN") ? next(t)
					: take_number(t, 255, "EN or a code (0 to 255)", &code);
		if (r)
			break;
		b = language_block(t, (int)n);
		if (!b)
			return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
		b->language = (uint8_t)code;
	}
	return r ? r : next(t);
}

static int take_cdtext(struct toc *t)
{
	int r = next(t);

	if (!r)
		r = need(t, "{", "{");
	while (!r && !is(t, "}"))
		r = is(t, "LANGUAGE")			 ? take_language(t)
		    : is(t, "LANGUAGE_MAP") && !t->track ? take_language_map(t)
							 : unexpected(t, "LANGUAGE, or }");
	return r ? r : next(t);
}

/* Tracks. */

static uint32_t block_size(const struct mode *m, enum vd_sub_form sub)
{
	return vd_layout_size(m->layout) + (sub ? VD_SECTOR_SUB : 0);
}

static uint32_t track_block(const struct toc *t)
{
	return block_size(t->mode, t->sub);
}

static uint32_t sectors_so_far(const struct toc *t)
{
	uint32_t block = track_block(t);

	return (uint32_t)((t->bytes + block - 1) / block);
}

static int add_part(struct toc *t, unsigned int line, const struct part *p)
{
	/* So that neither bytes nor sectors overflow anywhere. */
	if (p->length / track_block(t) > INT32_MAX / 4 ||
	    (t->bytes + p->length) / track_block(t) > INT32_MAX / 4)
		return FAIL(t, line, "the track is longer than a disc can be");
	if (t->nparts == PARTS_MAX)
		return FAIL(t, line, "a track of more than %u parts", PARTS_MAX);
	if (!(t->nparts & (t->nparts - 1))) {
		struct part *bigger =
			reallocarray(t->parts, t->nparts ? t->nparts * 2 : 1, sizeof(*bigger));

		if (!bigger)
			return vd_error_errno(t->sheet.err, -ENOMEM, "%s", t->sheet.name);
		t->parts = bigger;
	}
	t->parts[t->nparts++] = *p;
	t->bytes += p->length;
	return 0;
}

static bool is_sound_name(const char *name)
{
	static const char *const ends[] = { ".wav",  ".wave", ".aif", ".aiff",
					    ".flac", ".ogg",  ".oga", ".mp3" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < VD_ARRAY_SIZE(ends); i++)
		if (!strcasecmp(dot, ends[i]))
			return true;
	return false;
}

/* #OFFSET */
static int take_offset(struct toc *t, uint64_t *out)
{
	int r;

	*out = 0;
	if (!is(t, "#"))
		return 0;
	r = next(t);
	return r ? r : take_number(t, INT64_MAX / 8, "an offset in bytes", out);
}

/* The bytes of the file from @p->offset on, @length of them or (0) all that there are. */
static int add_stored(struct toc *t, unsigned int line, size_t file, struct part *p,
		      uint64_t length)
{
	const struct vd_sheet_file *f = &t->sheet.files[file];
	uint64_t size = f->store->size;

	p->store = f->store;
	if (p->offset >= size)
		return FAIL(t, line, "%s has nothing from byte %llu on: it has %llu", f->name,
			    (unsigned long long)p->offset, (unsigned long long)size);
	if (length > size - p->offset)
		return FAIL(t, line, "%s has %llu bytes from byte %llu on, not %llu", f->name,
			    (unsigned long long)(size - p->offset), (unsigned long long)p->offset,
			    (unsigned long long)length);
	p->length = length ? length : size - p->offset;
	return add_part(t, line, p);
}

/* FILE "name" [SWAP] [#offset] start [length] */
static int do_file(struct toc *t)
{
	unsigned int line = t->t.line;
	_cleanup_free_ char *name = NULL;
	struct part p = { .big_endian = false };
	uint64_t start = 0, length = 0;
	bool swap, sound;
	size_t file;
	int r;

	if (t->mode->mode != VD_TRACK_AUDIO || t->sub)
		return FAIL(t, line,
			    "%.*s in a track of data or with a subchannel: that is a DATAFILE",
			    (int)t->t.len, t->t.p);
	r = next(t);
	if (!r)
		r = take_string(t, false, &name, NULL);
	if (r)
		return r;
	swap = is(t, "SWAP");
	if (swap)
		r = next(t);
	if (!r)
		r = take_offset(t, &p.offset);
	if (!r)
		r = take_length(t, VD_SECTOR_RAW, SAMPLE, &start);
	if (!r && t->t.kind == NUMBER)
		r = take_length(t, VD_SECTOR_RAW, SAMPLE, &length);
	if (r)
		return r;
	sound = is_sound_name(name);
	r = vd_sheet_file(&t->sheet, line, name, sound ? VD_SHEET_SOUND : VD_SHEET_BINARY, &file);
	if (r)
		return r;
	p.offset += start;
	p.big_endian = sound == swap;
	return add_stored(t, line, file, &p, length);
}

/* DATAFILE "name" [#offset] [length] */
static int do_datafile(struct toc *t)
{
	unsigned int line = t->t.line;
	_cleanup_free_ char *name = NULL;
	struct part p = { .big_endian = t->mode->mode == VD_TRACK_AUDIO };
	uint64_t length = 0;
	size_t file;
	int r = next(t);

	if (!r)
		r = take_string(t, false, &name, NULL);
	if (!r)
		r = take_offset(t, &p.offset);
	if (!r && t->t.kind == NUMBER)
		r = take_length(t, track_block(t), 1, &length);
	if (!r)
		r = vd_sheet_file(&t->sheet, line, name, VD_SHEET_BINARY, &file);
	return r ? r : add_stored(t, line, file, &p, length);
}

static int do_fifo(struct toc *t)
{
	return FAIL(t, t->t.line, "FIFO: a pipe cannot be read here and there, as a disc is");
}

static int do_silence(struct toc *t)
{
	unsigned int line = t->t.line;
	struct part p = { .store = NULL };
	int r;

	if (t->mode->mode != VD_TRACK_AUDIO || t->sub)
		return FAIL(t, line,
			    "SILENCE in a track of data or with a subchannel: that is ZERO");
	r = next(t);
	if (!r)
		r = take_length(t, VD_SECTOR_RAW, SAMPLE, &p.length);
	if (!r && !p.length)
		return FAIL(t, line, "SILENCE of no length");
	return r ? r : add_part(t, line, &p);
}

static int take_sub(struct toc *t, enum vd_sub_form *sub)
{
	if (is(t, "RW"))
		*sub = VD_SUB_RW_PACKED;
	else if (is(t, "RW_RAW"))
		*sub = VD_SUB_RW_RAW;
	else
		return 0;
	return next(t);
}

/* ZERO [mode] [subchannel] length: the mode only says how many bytes a sector has. */
static int do_zero(struct toc *t)
{
	unsigned int line = t->t.line;
	const struct mode *m = t->mode;
	enum vd_sub_form sub = t->sub;
	struct part p = { .store = NULL };
	uint32_t block;
	size_t i;
	int r = next(t);

	i = r ? VD_ARRAY_SIZE(modes) : WHICH(t, modes);
	if (i < VD_ARRAY_SIZE(modes)) {
		m = &modes[i];
		r = next(t);
	}
	if (!r)
		r = take_sub(t, &sub);
	block = block_size(m, sub);
	if (!r)
		r = take_length(t, block, 1, &p.length);
	if (r)
		return r;
	if (!p.length)
		return FAIL(t, line, "ZERO of no length");
	if (p.length / block > INT32_MAX)
		return FAIL(t, line, "the track is longer than a disc can be");
	if (block != track_block(t))
		p.length = (p.length + block - 1) / block * track_block(t);
	return add_part(t, line, &p);
}

static const struct {
	const char *name;
	int (*run)(struct toc *t);
} sources[] = {
	{ "FILE", do_file }, { "AUDIOFILE", do_file },	{ "DATAFILE", do_datafile },
	{ "FIFO", do_fifo }, { "SILENCE", do_silence }, { "ZERO", do_zero },
};

static int set_isrc(struct toc *t, struct vd_sheet_track *out)
{
	unsigned int line = t->t.line;
	_cleanup_free_ char *isrc = NULL;
	int r = next(t);

	if (!r)
		r = take_string(t, false, &isrc, NULL);
	if (r)
		return r;
	if (!vd_isrc_valid(isrc))
		return FAIL(t, line, "ISRC '%s' is not 12 characters, such as USRC17607839", isrc);
	memcpy(out->t.isrc, isrc, sizeof(out->t.isrc));
	return 0;
}

/* NO COPY and the like. */
static int set_flag(struct toc *t, struct vd_sheet_track *out, bool *known)
{
	static const struct {
		const char *name;
		uint8_t bit;
		bool set;
	} flags[] = {
		{ "COPY", VD_CONTROL_COPY, true },
		{ "PRE_EMPHASIS", VD_CONTROL_PREEMPHASIS, true },
		{ "TWO_CHANNEL_AUDIO", VD_CONTROL_FOUR_CHANNELS, false },
		{ "FOUR_CHANNEL_AUDIO", VD_CONTROL_FOUR_CHANNELS, true },
	};
	bool no = is(t, "NO");
	size_t i;
	int r = no ? next(t) : 0;

	if (r)
		return r;
	i = WHICH(t, flags);
	*known = i < (no ? 2 : VD_ARRAY_SIZE(flags));
	if (no && !*known)
		return unexpected(t, "COPY or PRE_EMPHASIS");
	if (!*known)
		return 0;
	if (flags[i].set && !no)
		out->t.control |= flags[i].bit;
	else
		out->t.control &= (uint8_t)~flags[i].bit;
	return next(t);
}

static int do_pregap(struct toc *t, struct vd_sheet_track *out)
{
	unsigned int line = t->t.line;
	struct part p = { .store = NULL };
	uint32_t sectors = 0;
	int r = next(t);

	if (!r)
		r = take_msf(t, &sectors);
	if (r)
		return r;
	if (!sectors)
		return FAIL(t, line, "PREGAP of no length");
	if (t->nparts)
		return FAIL(t, line, "PREGAP is not the first part of the track");
	p.length = (uint64_t)sectors * track_block(t);
	out->pregap = sectors;
	return add_part(t, line, &p);
}

/* What may stand behind START and END: a time, else it is where the track has come to. */
static int take_place(struct toc *t, uint32_t *sectors)
{
	int r = next(t);

	*sectors = sectors_so_far(t);
	return !r && t->t.kind == NUMBER ? take_msf(t, sectors) : r;
}

static int do_index(struct toc *t, struct vd_sheet_track *out)
{
	unsigned int line = t->t.line;
	uint32_t at = 0;
	int r = next(t);

	if (!r)
		r = take_msf(t, &at);
	if (r)
		return r;
	if (out->nindices == VD_ARRAY_SIZE(out->indices))
		return FAIL(t, line, "more than 98 times INDEX");
	if (!at)
		return FAIL(t, line, "INDEX at the start of the track, where INDEX 01 is");
	if (out->nindices && at <= out->indices[out->nindices - 1])
		return FAIL(t, line, "INDEX is not beyond the one before");
	out->indices[out->nindices++] = at;
	return 0;
}

static bool is_aligned(const struct toc *t)
{
	for (size_t i = 0; i < t->nparts; i++)
		if (t->parts[i].length % track_block(t))
			return false;
	return true;
}

/* One store of all parts, in place of them. Zeros fill its last sector. */
static int join_parts(struct toc *t)
{
	_cleanup_free_ struct vd_joined_part *joined = calloc(t->nparts + 1, sizeof(*joined));
	uint32_t block = track_block(t);
	bool big_endian = t->mode->mode == VD_TRACK_AUDIO;
	struct vd_store *store;
	int r = joined ? 0 : -ENOMEM;

	for (size_t i = 0; joined && i < t->nparts; i++)
		joined[i] = (struct vd_joined_part){
			.store = t->parts[i].store,
			.offset = t->parts[i].offset,
			.length = t->parts[i].length & ~(uint64_t)(big_endian ? 1 : 0),
			.swapped = t->parts[i].store && t->parts[i].big_endian != big_endian,
		};
	t->bytes = 0;
	for (size_t i = 0; joined && i < t->nparts; i++)
		t->bytes += joined[i].length;
	if (joined && t->bytes % block)
		joined[t->nparts].length = block - t->bytes % block;
	if (!r)
		r = vd_joined_open(joined, t->nparts + 1, &store);
	if (!r)
		r = vd_disc_own_store(t->sheet.disc, store);
	if (r)
		return vd_error_errno(t->sheet.err, r, "%s", t->sheet.name);
	t->bytes = store->size;
	t->nparts = 1;
	t->parts[0] = (struct part){
		.store = store,
		.length = store->size,
		.big_endian = big_endian,
	};
	return 0;
}

static int add_pieces(struct toc *t, unsigned int line)
{
	uint32_t block = track_block(t);
	int r = 0;

	if (!is_aligned(t))
		r = join_parts(t);
	for (size_t i = 0; !r && i < t->nparts; i++) {
		const struct part *p = &t->parts[i];
		struct vd_extent x = {
			.length = (uint32_t)(p->length / block),
			.layout = t->mode->layout,
			.store = p->store,
			.offset = p->offset,
			.stride = block,
			.sub = t->sub,
		};

		if (t->mode->mode == VD_TRACK_AUDIO && p->big_endian)
			x.layout = VD_LAYOUT_2352_SWAPPED;
		r = vd_sheet_add_piece(&t->sheet, line, &x);
	}
	return r;
}

static int take_track(struct toc *t)
{
	unsigned int line = t->t.line, start_line = 0, end_line = 0;
	struct vd_sheet_track *out;
	uint32_t end = 0;
	size_t i;
	int r = next(t);

	i = r ? VD_ARRAY_SIZE(modes) : WHICH(t, modes);
	if (r)
		return r;
	if (i == VD_ARRAY_SIZE(modes))
		return unexpected(t, "a mode, such as AUDIO or MODE1");
	t->track = t->track ? t->track + 1 : t->first;
	if (t->track > VD_TRACKS_MAX)
		return FAIL(t, line, "TRACK %d: numbers end at 99", t->track);
	out = vd_sheet_add_track(&t->sheet, line, t->track);
	if (!out)
		return -EINVAL;
	t->mode = &modes[i];
	t->sub = VD_SUB_NONE;
	t->nparts = 0;
	t->bytes = 0;
	out->t.session = 1;
	out->t.mode = t->mode->mode;
	r = next(t);
	if (!r)
		r = take_sub(t, &t->sub);
	while (!r && t->t.kind != END && !is(t, "TRACK")) {
		unsigned int here = t->t.line;
		bool known = false;

		i = WHICH(t, sources);
		if (i < VD_ARRAY_SIZE(sources)) {
			r = sources[i].run(t);
		} else if (is(t, "PREGAP")) {
			r = do_pregap(t, out);
			start_line = here;
		} else if (is(t, "START") || is(t, "END")) {
			bool starts = is(t, "START");
			unsigned int *given = starts ? &start_line : &end_line;

			if (*given)
				return FAIL(t, here,
					    starts ? "START is given already, in line %u"
						   : "END is given already, in line %u",
					    *given);
			*given = here;
			r = take_place(t, starts ? &out->pregap : &end);
		} else if (is(t, "INDEX")) {
			r = do_index(t, out);
		} else if (is(t, "ISRC")) {
			r = set_isrc(t, out);
		} else if (is(t, "CD_TEXT")) {
			r = take_cdtext(t);
		} else {
			r = set_flag(t, out, &known);
			if (!r && !known)
				r = unexpected(t, "a part of a track");
		}
	}
	if (!r && !t->nparts)
		return FAIL(t, line, "TRACK %02d is empty", t->track);
	if (!r)
		r = add_pieces(t, line);
	if (r)
		return r;
	if (out->pregap >= out->sectors)
		return FAIL(t, start_line, "START is at the end of the track, or behind it");
	for (unsigned int k = 0; k < out->nindices; k++)
		out->indices[k] += out->pregap;
	/* The postgap has an index of its own. */
	if (end_line) {
		if (end <= out->pregap || end >= out->sectors)
			return FAIL(t, end_line, "END is not within the track");
		if (out->nindices == VD_ARRAY_SIZE(out->indices))
			return FAIL(t, end_line, "more than 98 times INDEX");
		out->indices[out->nindices++] = end;
	}
	return 0;
}

/* Before the first TRACK. */
static int take_header(struct toc *t)
{
	_cleanup_free_ char *mcn = NULL;
	unsigned int line = t->t.line;
	size_t i = WHICH(t, disc_types);
	uint64_t n;
	int r;

	if (i < VD_ARRAY_SIZE(disc_types)) {
		t->type = disc_types[i].type;
		return next(t);
	}
	if (is(t, "CD_TEXT"))
		return take_cdtext(t);
	if (is(t, "FIRST_TRACK_NO")) {
		r = next(t);
		if (!r)
			r = take_number(t, VD_TRACKS_MAX, "a track's number (1 to 99)", &n);
		if (!r && !n)
			return FAIL(t, line, "FIRST_TRACK_NO 0");
		if (!r)
			t->first = (int)n;
		return r;
	}
	if (!is(t, "CATALOG"))
		return unexpected(t, "TRACK");
	r = next(t);
	if (!r)
		r = take_string(t, false, &mcn, NULL);
	if (r)
		return r;
	if (!vd_mcn_valid(mcn))
		return FAIL(t, line, "CATALOG '%s' is not 13 digits", mcn);
	return vd_disc_set_mcn(t->sheet.disc, mcn, t->sheet.err);
}

static int read_toc(struct toc *t)
{
	int r = next(t);

	while (!r && t->t.kind != END)
		r = is(t, "TRACK") ? take_track(t) : take_header(t);
	if (!r && !t->track)
		return FAIL(t, 0, "no TRACK");
	if (!r)
		r = vd_sheet_place(&t->sheet);
	if (!r && t->type)
		r = vd_disc_set_session_type(t->sheet.disc, 1, t->type, t->sheet.err);
	return r;
}

static void close_toc(struct toc *t)
{
	free(t->parts);
	vd_sheet_close(&t->sheet);
}

static int toc_probe(const struct vd_image_head *h)
{
	const char *dot = h->name ? strrchr(h->name, '.') : NULL;

	/* A CUE sheet has TRACK too, but no kind of disc. */
	for (size_t i = 0; i < VD_ARRAY_SIZE(disc_types); i++) {
		const char *const words[] = { disc_types[i].name, "TRACK", NULL };

		if (vd_sheet_looks_like(h, words))
			return 70;
	}
	return dot && !strcasecmp(dot, ".toc") && vd_sheet_looks_like(h, NULL) ? 10 : 0;
}

static int toc_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_toc) struct toc t = { .line = 1, .first = 1 };
	int r = vd_sheet_open(&t.sheet, opener, store, h, err);

	if (r)
		return r;
	t.next = t.sheet.text;
	r = read_toc(&t);
	if (r)
		return r;
	*out = vd_sheet_take(&t.sheet);
	return 0;
}

const struct vd_image_format vd_image_toc = {
	.name = "toc",
	.description = "TOC sheet (cdrdao)",
	.probe = toc_probe,
	.open = toc_open,
};
