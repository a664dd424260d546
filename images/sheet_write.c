// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sheets for a disc.bin.
 *
 * CUE: CDRWIN's commands ("CDRWIN User's Guide", appendix A), one FILE for all tracks. Times count from the beginning of the file. A
 * pregap that the file has is INDEX 00, another one PREGAP. What CDRWIN does not know is written as Redump's sheets have it: REM
 * SESSION before the first track of each session of several, and between two of them the lengths of REM LEAD-OUT, REM LEAD-IN
 * and REM PREGAP, which together are the gap.
 *
 * TOC: cdrdao(1). Offsets into the file are "#bytes", as `cdrdao read-cd` writes them; audio is big endian there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/write.h"
#include "util/cleanup.h"

#define LEAD_IN 4500 /* sectors: one minute (MMC-6, 4.2.3.5) */

static void put_msf(FILE *f, uint64_t sectors)
{
	fprintf(f, "%02u:%02u:%02u", (unsigned int)(sectors / (60 * 75)),
		(unsigned int)(sectors / 75 % 60), (unsigned int)(sectors % 75));
}

static void put_time(FILE *f, const char *before, uint64_t sectors)
{
	fputs(before, f);
	put_msf(f, sectors);
	fputc('\n', f);
}

static void free_cdtext(struct vd_cdtext **c)
{
	vd_cdtext_free(*c);
}

/* CD-TEXT of a session, or NULL. */
static int decode(const struct vd_disc *d, int session, struct vd_cdtext **out)
{
	const struct vd_session *s = &d->sessions[session - 1];

	*out = NULL;
	return s->ncdtext ? vd_cdtext_decode(s->cdtext, s->ncdtext, out) : 0;
}

/* The texts that both sheets have for the disc and each track, by the same names. */
static const struct {
	enum vd_cdtext_type type;
	const char *name;
} texts[] = {
	{ VD_CDTEXT_TITLE, "TITLE" },		{ VD_CDTEXT_PERFORMER, "PERFORMER" },
	{ VD_CDTEXT_SONGWRITER, "SONGWRITER" }, { VD_CDTEXT_COMPOSER, "COMPOSER" },
	{ VD_CDTEXT_ARRANGER, "ARRANGER" },	{ VD_CDTEXT_MESSAGE, "MESSAGE" },
};

static bool is_text_of_both(int type)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(texts); i++)
		if ((int)texts[i].type == type)
			return true;
	return false;
}

/* CUE */

/* No sheet can quote a quotation mark. */
static int cue_texts(FILE *f, const struct vd_cdtext *c, int track, const char *indent)
{
	for (size_t i = 0; c && i < VD_ARRAY_SIZE(texts); i++) {
		const struct vd_cdtext_string *s = vd_cdtext_get(c, 0, texts[i].type, track);
		_cleanup_free_ char *utf8 = NULL;
		int r;

		if (!s || !s->len)
			continue;
		r = vd_cdtext_to_utf8(c->block[0], s, &utf8);
		if (r == -EOPNOTSUPP)
			continue;
		if (r)
			return r;
		for (char *p = utf8; *p; p++)
			if (*p == '"')
				*p = '\'';
		fprintf(f, "%s%s \"%s\"\n", indent, texts[i].name, utf8);
	}
	return 0;
}

static void cue_flags(FILE *f, const struct vd_track *t)
{
	const uint8_t shown = VD_CONTROL_COPY | VD_CONTROL_FOUR_CHANNELS | VD_CONTROL_PREEMPHASIS;

	if (!(t->control & shown) && !t->scms)
		return;
	fputs("    FLAGS", f);
	if (t->control & VD_CONTROL_COPY)
		fputs(" DCP", f);
	if (t->control & VD_CONTROL_FOUR_CHANNELS)
		fputs(" 4CH", f);
	if (t->control & VD_CONTROL_PREEMPHASIS)
		fputs(" PRE", f);
	if (t->scms)
		fputs(" SCMS", f);
	fputc('\n', f);
}

/* Sectors between the session before and INDEX 01 of its first track, as Redump writes them. */
static void cue_session_gap(FILE *f, const struct vd_disc *d, const struct vd_bin_track *p)
{
	const struct vd_session *before = &d->sessions[p->track->session - 2];
	uint64_t gap = (uint64_t)((int64_t)p->lba - before->leadout);
	/* A pregap in the file is its INDEX 00, and the gap ends before that. */
	uint64_t pregap = p->silent < gap ? p->silent : gap, lead_in = gap - pregap;

	if (p->silent)
		gap -= pregap;
	else
		pregap = 0;
	if (lead_in > LEAD_IN)
		lead_in = LEAD_IN;
	put_time(f, "REM LEAD-OUT ", gap - lead_in);
	fprintf(f, "REM SESSION %02d\n", p->track->session);
	put_time(f, "REM LEAD-IN ", lead_in);
	if (pregap)
		put_time(f, "REM PREGAP ", pregap);
}

static const char *cue_mode(const struct vd_disc *d, const struct vd_track *t)
{
	if (t->mode == VD_TRACK_AUDIO)
		return "AUDIO";
	if (t->mode == VD_TRACK_MODE1)
		return "MODE1/2352";
	return d->sessions[t->session - 1].type == VD_SESSION_CDI ? "CDI/2352" : "MODE2/2352";
}

static int cue_track(FILE *f, const struct vd_bin *b, size_t i, const struct vd_cdtext *c)
{
	const struct vd_bin_track *p = &b->tracks[i];
	const struct vd_track *t = p->track;
	bool new_session = !i || b->tracks[i - 1].track->session != t->session;
	int64_t shift = (int64_t)p->first - p->lba;
	int r;

	if (new_session && i)
		cue_session_gap(f, b->disc, p);
	fprintf(f, "  TRACK %02d %s\n", t->number, cue_mode(b->disc, t));
	r = cue_texts(f, c, t->number, "    ");
	if (r)
		return r;
	if (t->isrc[0])
		fprintf(f, "    ISRC %s\n", t->isrc);
	cue_flags(f, t);
	if (p->silent && (!new_session || !i))
		put_time(f, "    PREGAP ", p->silent);
	if (p->lba < t->start)
		put_time(f, "    INDEX 00 ", p->first);
	put_time(f, "    INDEX 01 ", (uint64_t)(t->start + shift));
	for (size_t k = 0; k < t->nindices; k++) {
		fprintf(f, "    INDEX %02zu ", k + 2);
		put_time(f, "", (uint64_t)(t->indices[k] + shift));
	}
	return 0;
}

int vd_cue_write(const struct vd_bin *b, const char *bin, const char *cdt, FILE *f)
{
	_cleanup_(free_cdtext) struct vd_cdtext *c = NULL;
	const struct vd_disc *d = b->disc;
	int r = decode(d, 1, &c);

	if (r)
		return r;
	if (d->mcn[0])
		fprintf(f, "CATALOG %s\n", d->mcn);
	if (cdt)
		fprintf(f, "CDTEXTFILE \"%s\"\n", cdt);
	r = cue_texts(f, c, 0, "");
	if (d->nsessions > 1)
		fputs("REM SESSION 01\n", f);
	fprintf(f, "FILE \"%s\" BINARY\n", bin);
	for (size_t i = 0; !r && i < b->ntracks; i++)
		r = cue_track(f, b, i, c);
	return r;
}

static bool cue_says(const struct vd_cdtext *c)
{
	const struct vd_cdtext_block *b = c->block[0];

	for (int i = 1; i < VD_CDTEXT_BLOCKS; i++)
		if (c->block[i])
			return false;
	if (!b || c->bad_packs || b->genre || b->copyright || b->charset != VD_CDTEXT_LATIN1 ||
	    b->language != VD_CDTEXT_ENGLISH)
		return false;
	for (int type = 0; type < VD_CDTEXT_TYPES; type++) {
		for (int track = 0; track < 100; track++) {
			const struct vd_cdtext_string *s = &b->text[type][track];

			if (!s->len)
				continue;
			if (!is_text_of_both(type + 0x80))
				return false;
			for (size_t i = 0; i < s->len; i++)
				if (s->data[i] < 0x20 || s->data[i] == '"' ||
				    (s->data[i] >= 0x7f && s->data[i] < 0xa0))
					return false;
		}
	}
	return true;
}

bool vd_cue_needs_cdtext_file(const struct vd_disc *d)
{
	_cleanup_(free_cdtext) struct vd_cdtext *c = NULL;

	if (!d->nsessions || !d->sessions[0].ncdtext)
		return false;
	return decode(d, 1, &c) || !cue_says(c);
}

/* TOC */

/* Bytes in a string of cdrdao's: what is not ASCII as \ooo. */
static void toc_string(FILE *f, const uint8_t *p, size_t len)
{
	fputc('"', f);
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '"' || p[i] == '\\')
			fprintf(f, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] >= 0x7f)
			fprintf(f, "\\%03o", p[i]);
		else
			fputc(p[i], f);
	}
	fputc('"', f);
}

static void toc_line(FILE *f, const char *name, const struct vd_cdtext_string *s)
{
	if (!s->len)
		return;
	fprintf(f, "    %s ", name);
	toc_string(f, s->data, s->len);
	fputc('\n', f);
}

static void toc_bytes(FILE *f, const char *name, const uint8_t *p, size_t len)
{
	fprintf(f, "    %s {", name);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%s%s%u", i ? "," : "", i % 12 ? " " : "\n      ", p[i]);
	fputs("\n    }\n", f);
}

static void toc_genre(FILE *f, const struct vd_cdtext_block *b)
{
	const struct vd_cdtext_string *s = &b->text[VD_CDTEXT_GENRE - 0x80][0];
	uint8_t bytes[256] = { (uint8_t)(b->genre >> 8), (uint8_t)b->genre };
	size_t len = s->len < sizeof(bytes) - 3 ? s->len : sizeof(bytes) - 3;

	if (!b->genre && !s->len)
		return;
	if (len)
		memcpy(bytes + 2, s->data, len);
	toc_bytes(f, "GENRE", bytes, len + 3);
}

static void toc_language(FILE *f, const struct vd_cdtext_block *b, int language, int track)
{
	const struct vd_cdtext_string *s;

	fprintf(f, "  LANGUAGE %d {\n", language);
	for (size_t i = 0; i < VD_ARRAY_SIZE(texts); i++)
		toc_line(f, texts[i].name, &b->text[texts[i].type - 0x80][track]);
	toc_line(f, track ? "ISRC" : "UPC_EAN", &b->text[VD_CDTEXT_UPC_ISRC - 0x80][track]);
	if (!track) {
		toc_line(f, "DISC_ID", &b->text[VD_CDTEXT_DISC_ID - 0x80][0]);
		toc_genre(f, b);
		s = &b->text[VD_CDTEXT_TOC - 0x80][0];
		if (s->len)
			toc_bytes(f, "TOC_INFO1", s->data, s->len);
		s = &b->text[VD_CDTEXT_TOC2 - 0x80][0];
		if (s->len)
			toc_bytes(f, "TOC_INFO2", s->data, s->len);
	}
	fputs("  }\n", f);
}

static bool has_text(const struct vd_cdtext_block *b, int track)
{
	for (int type = 0; type < VD_CDTEXT_TYPES; type++)
		if (b->text[type][track].len)
			return true;
	return false;
}

static void toc_cdtext(FILE *f, const struct vd_cdtext *c, int track)
{
	bool any = !track;

	if (!c)
		return;
	for (int i = 0; i < VD_CDTEXT_BLOCKS; i++)
		any |= c->block[i] && has_text(c->block[i], track);
	if (!any)
		return;
	fputs("CD_TEXT {\n", f);
	if (!track) {
		fputs("  LANGUAGE_MAP {\n", f);
		for (int i = 0; i < VD_CDTEXT_BLOCKS; i++)
			if (c->block[i])
				fprintf(f, "    %d : %d\n", i, c->block[i]->language);
		fputs("  }\n", f);
	}
	for (int i = 0; i < VD_CDTEXT_BLOCKS; i++)
		if (c->block[i] && (!track || has_text(c->block[i], track)))
			toc_language(f, c->block[i], i, track);
	fputs("}\n", f);
}

static void toc_track(FILE *f, const struct vd_bin_track *p, const char *bin,
		      const struct vd_cdtext *c)
{
	static const char *const modes[] = {
		[VD_TRACK_MODE1] = "MODE1_RAW",
		[VD_TRACK_MODE2] = "MODE2_RAW",
		[VD_TRACK_AUDIO] = "AUDIO",
	};
	const struct vd_track *t = p->track;
	const bool audio = t->mode == VD_TRACK_AUDIO;

	fprintf(f, "\n// Track %d\nTRACK %s\n", t->number, modes[t->mode]);
	fprintf(f, "%sCOPY\n", t->control & VD_CONTROL_COPY ? "" : "NO ");
	if (audio) {
		fprintf(f, "%sPRE_EMPHASIS\n", t->control & VD_CONTROL_PREEMPHASIS ? "" : "NO ");
		fprintf(f, "%s_CHANNEL_AUDIO\n",
			t->control & VD_CONTROL_FOUR_CHANNELS ? "FOUR" : "TWO");
	}
	if (t->isrc[0])
		fprintf(f, "ISRC \"%s\"\n", t->isrc);
	toc_cdtext(f, c, t->number);
	if (p->silent)
		put_time(f, "PREGAP ", p->silent);
	fprintf(f, "%s ", audio ? "FILE" : "DATAFILE");
	toc_string(f, (const uint8_t *)bin, strlen(bin));
	fprintf(f, " #%llu %s", (unsigned long long)p->first * VD_SECTOR_RAW, audio ? "0 " : "");
	put_time(f, "", p->length);
	if (p->lba < t->start)
		put_time(f, "START ", (uint64_t)(t->start - p->lba));
	for (size_t k = 0; k < t->nindices; k++)
		put_time(f, "INDEX ", (uint64_t)(t->indices[k] - t->start));
}

int vd_toc_write(const struct vd_bin *b, const char *bin, FILE *f)
{
	_cleanup_(free_cdtext) struct vd_cdtext *c = NULL;
	const struct vd_disc *d = b->disc;
	const char *type = "CD_DA";
	int session = b->ntracks ? b->tracks[0].track->session : 1, r = decode(d, session, &c);

	if (r)
		return r;
	for (size_t i = 0; i < b->ntracks; i++)
		if (b->tracks[i].track->mode != VD_TRACK_AUDIO)
			type = "CD_ROM";
	if (d->sessions[session - 1].type == VD_SESSION_XA)
		type = "CD_ROM_XA";
	else if (d->sessions[session - 1].type == VD_SESSION_CDI)
		type = "CD_I";
	fprintf(f, "%s\n\n", type);
	if (d->mcn[0])
		fprintf(f, "CATALOG \"%s\"\n\n", d->mcn);
	toc_cdtext(f, c, 0);
	for (size_t i = 0; i < b->ntracks; i++)
		toc_track(f, &b->tracks[i], bin, c);
	return 0;
}

bool vd_toc_keeps_cdtext(const struct vd_disc *d)
{
	_cleanup_(free_cdtext) struct vd_cdtext *c = NULL;

	if (!d->nsessions || !d->sessions[0].ncdtext)
		return true;
	if (decode(d, 1, &c) || c->bad_packs)
		return false;
	for (int i = 0; i < VD_CDTEXT_BLOCKS; i++) {
		const struct vd_cdtext_block *b = c->block[i];

		if (b && (b->charset != VD_CDTEXT_LATIN1 || b->copyright ||
			  b->text[VD_CDTEXT_GENRE - 0x80][0].len > 250))
			return false;
		for (int type = 0; b && type < VD_CDTEXT_TYPES; type++)
			if (b->text[type][0].len && !is_text_of_both(type + 0x80) &&
			    type + 0x80 != VD_CDTEXT_DISC_ID && type + 0x80 != VD_CDTEXT_GENRE &&
			    type + 0x80 != VD_CDTEXT_TOC && type + 0x80 != VD_CDTEXT_TOC2 &&
			    type + 0x80 != VD_CDTEXT_UPC_ISRC)
				return false;
	}
	return true;
}
