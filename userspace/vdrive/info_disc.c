// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrive/info.h"

#include <errno.h>
#include <libsmartcols.h>
#include <string.h>

#include "disc/cdtext.h"
#include "disc/discid.h"
#include "util/size.h"

static const char *medium_name(enum vd_media media)
{
	static const struct {
		enum vd_media media;
		const char *name;
	} names[] = {
		{ VD_MEDIA_CD_ROM, "CD-ROM" },
		{ VD_MEDIA_CD_R, "CD-R" },
		{ VD_MEDIA_CD_RW, "CD-RW" },
		{ VD_MEDIA_DVD_ROM, "DVD-ROM" },
		{ VD_MEDIA_DVD_R, "DVD-R" },
		{ VD_MEDIA_DVD_RAM, "DVD-RAM" },
		{ VD_MEDIA_DVD_RW, "DVD-RW" },
		{ VD_MEDIA_DVD_R_DL, "DVD-R DL" },
		{ VD_MEDIA_DVD_PLUS_RW, "DVD+RW" },
		{ VD_MEDIA_DVD_PLUS_R, "DVD+R" },
		{ VD_MEDIA_DVD_PLUS_R_DL, "DVD+R DL" },
		{ VD_MEDIA_BD_ROM, "BD-ROM" },
		{ VD_MEDIA_BD_R, "BD-R" },
		{ VD_MEDIA_BD_RE, "BD-RE" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++)
		if (names[i].media == media)
			return names[i].name;
	return "unknown";
}

static const char *mode_name(enum vd_track_mode mode)
{
	return mode == VD_TRACK_AUDIO ? "audio" : mode == VD_TRACK_MODE2 ? "mode 2" : "mode 1";
}

static const char *session_type(enum vd_session_type type)
{
	switch (type) {
	case VD_SESSION_CDI:
		return "CD-i";
	case VD_SESSION_XA:
		return "CD-ROM XA";
	case VD_SESSION_CDROM:
		break;
	}
	return "CD-DA or CD-ROM";
}

static char *msf(uint64_t sectors)
{
	return format("%02llu:%02llu:%02llu", (unsigned long long)sectors / (60 * 75),
		      (unsigned long long)sectors / 75 % 60, (unsigned long long)sectors % 75);
}

/* The flags by the words of CUE sheets. */
static const struct {
	uint8_t bit;
	const char *name;
} flags[] = {
	{ VD_CONTROL_COPY, "dcp" },
	{ VD_CONTROL_FOUR_CHANNELS, "4ch" },
	{ VD_CONTROL_PREEMPHASIS, "pre" },
};

static void list_flags(const struct vd_track *t, char out[24])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < VD_ARRAY_SIZE(flags); i++)
		if (t->control & flags[i].bit)
			n += (size_t)sprintf(out + n, "%s%s", n ? " " : "", flags[i].name);
	if (t->scms)
		sprintf(out + n, "%sscms", n ? " " : "");
}

/* Bytes of its sectors as they are stored; 0 when none is. */
static uint32_t sector_size(const struct vd_disc *d, const struct vd_track *t)
{
	const struct vd_extent *x = vd_disc_track_extent(d, t);

	return x ? x->stride : 0;
}

static bool has_audio(const struct vd_disc *d)
{
	for (size_t i = 0; i < d->ntracks; i++)
		if (d->tracks[i].mode == VD_TRACK_AUDIO)
			return true;
	return false;
}

struct session_line {
	const struct vd_session *disc; /* NULL: further sessions in one of the disc's */
	int number;
	const struct session_volume *volume; /* NULL: none */
};

/* Sessions as they are told: those of the disc, or where it has one only, those that its file system knows. */
static size_t list_sessions(const struct report *r, struct session_line lines[INFO_SESSIONS_MAX])
{
	const struct vd_disc *d = r->disc;
	int n = d->nsessions;

	if (n == 1 && r->nvolumes > 1)
		n = r->nvolumes;
	if (n > INFO_SESSIONS_MAX)
		n = INFO_SESSIONS_MAX;
	for (int i = 0; i < n; i++) {
		lines[i] = (struct session_line){
			.disc = i < d->nsessions ? &d->sessions[i] : NULL,
			.number = i + 1,
			.volume = i < r->nvolumes && r->volumes[i].there ? &r->volumes[i] : NULL,
		};
	}
	return (size_t)n;
}

/* Where a session begins; -1 where that is not known. */
static int64_t session_lba(const struct report *r, const struct session_line *l)
{
	if (l->volume && l->volume->lba >= 0)
		return l->volume->lba;
	return l->disc ? r->disc->tracks[l->disc->first_track].start : -1;
}

/* CD-TEXT */

static struct vd_cdtext *decode(const struct vd_session *s)
{
	struct vd_cdtext *c = NULL;

	if (s->ncdtext && vd_cdtext_decode(s->cdtext, s->ncdtext, &c))
		need(NULL);
	return c;
}

/* What there is of it in a language that can be shown; NULL: nothing, or in another character set. The caller frees. */
static char *cdtext_string(const struct vd_cdtext_block *b, int type, int track)
{
	const struct vd_cdtext_string *s = &b->text[type][track];
	char *utf8;

	if (!s->len || !vd_cdtext_type_name((enum vd_cdtext_type)(type + 0x80)))
		return NULL;
	/* Those are bytes, not text. */
	if (type + 0x80 == VD_CDTEXT_TOC || type + 0x80 == VD_CDTEXT_TOC2 ||
	    vd_cdtext_to_utf8(b, s, &utf8))
		return NULL;
	return utf8;
}

static void json_cdtext(struct json *j, const struct vd_session *s)
{
	struct vd_cdtext *c = decode(s);

	json_begin(j, "cdtext", '[');
	for (int i = 0; c && i < VD_CDTEXT_BLOCKS; i++) {
		const struct vd_cdtext_block *b = c->block[i];

		if (!b)
			continue;
		json_begin(j, NULL, '{');
		json_number(j, "language_code", b->language);
		json_number(j, "charset", b->charset);
		json_begin(j, "texts", '[');
		for (int track = 0; track < 100; track++) {
			for (int type = 0; type < VD_CDTEXT_TYPES; type++) {
				_cleanup_free_ char *text = cdtext_string(b, type, track);

				if (!text)
					continue;
				json_begin(j, NULL, '{');
				json_number(j, "track", (uint64_t)track);
				json_string(
					j, "type",
					vd_cdtext_type_name((enum vd_cdtext_type)(type + 0x80)));
				json_string(j, "text", text);
				json_end(j, '}');
			}
		}
		json_end(j, ']');
		json_end(j, '}');
	}
	json_end(j, ']');
	vd_cdtext_free(c);
}

void info_print_cdtext(const struct report *r)
{
	static const struct table_column columns[] = {
		{ "SESSION", true, 0 }, { "LANGUAGE", true, 0 }, { "TRACK", true, 0 },
		{ "TYPE", false, 0 },	{ "CD-TEXT", false, 0 },
	};
	struct libscols_table *t = NULL;

	for (int n = 0; n < r->disc->nsessions; n++) {
		struct vd_cdtext *c = decode(&r->disc->sessions[n]);

		for (int i = 0; c && i < VD_CDTEXT_BLOCKS * 100 * VD_CDTEXT_TYPES; i++) {
			const struct vd_cdtext_block *b = c->block[i / (100 * VD_CDTEXT_TYPES)];
			int track = i / VD_CDTEXT_TYPES % 100, type = i % VD_CDTEXT_TYPES;
			_cleanup_free_ char *text = b ? cdtext_string(b, type, track) : NULL,
					    *session = NULL, *language = NULL, *number = NULL;

			if (!text)
				continue;
			if (!t)
				t = table_new("cdtext", columns, VD_ARRAY_SIZE(columns), 0);
			session = format("%d", n + 1);
			language = format("%u", b->language);
			number = track ? format("%d", track) : format("disc");
			ADD_LINE(t, session, language, number,
				 vd_cdtext_type_name((enum vd_cdtext_type)(type + 0x80)), text);
		}
		vd_cdtext_free(c);
	}
	if (!t)
		return;
	puts("\nCD-TEXT:");
	table_print(t);
}

/* The disc */

void info_json_disc(struct json *j, const struct report *r)
{
	const struct vd_disc *d = r->disc;
	char id[VD_MUSICBRAINZ_LEN + 1], hex[9];

	json_string(j, "medium", medium_name(vd_disc_media(d)));
	if (d->layers)
		json_number(j, "layers", (uint64_t)d->layers);
	if (d->mcn[0])
		json_string(j, "mcn", d->mcn);
	else
		json_null(j, "mcn");
	json_begin(j, "disc_ids", '{');
	if (has_audio(d)) {
		snprintf(hex, sizeof(hex), "%08x", vd_discid_freedb(d));
		json_string(j, "freedb", hex);
		if (!vd_discid_musicbrainz(d, id, NULL, 0))
			json_string(j, "musicbrainz", id);
	}
	json_end(j, '}');
}

void info_print_disc(const struct report *r)
{
	const struct vd_disc *d = r->disc;
	_cleanup_free_ char *length = NULL, *time = NULL;
	char id[VD_MUSICBRAINZ_LEN + 1], hex[9];
	uint64_t sectors = vd_disc_size(d) / VD_SECTOR_USER;

	info_put("Medium:", medium_name(vd_disc_media(d)));
	if (vd_media_is_cd(vd_disc_media(d))) {
		time = msf(sectors);
		length = format("%s (%llu sectors)", time, (unsigned long long)sectors);
		info_put("Length:", length);
	}
	info_put("Catalogue:", d->mcn);
	if (!has_audio(d))
		return;
	snprintf(hex, sizeof(hex), "%08x", vd_discid_freedb(d));
	info_put("freedb id:", hex);
	if (!vd_discid_musicbrainz(d, id, NULL, 0))
		info_put("MusicBrainz id:", id);
}

/* Tracks */

void info_json_tracks(struct json *j, const struct report *r)
{
	json_begin(j, "tracks", '[');
	for (size_t i = 0; i < r->disc->ntracks; i++) {
		const struct vd_track *t = &r->disc->tracks[i];

		json_begin(j, NULL, '{');
		json_number(j, "track", (uint64_t)t->number);
		json_number(j, "session", (uint64_t)t->session);
		json_string(j, "mode", mode_name(t->mode));
		json_number(j, "sector", sector_size(r->disc, t));
		json_signed(j, "start", t->start);
		json_number(j, "length", t->length);
		json_number(j, "pregap", t->pregap);
		json_begin(j, "indices", '[');
		for (size_t k = 0; k < t->nindices; k++)
			json_signed(j, NULL, t->indices[k]);
		json_end(j, ']');
		json_begin(j, "flags", '[');
		for (size_t k = 0; k < VD_ARRAY_SIZE(flags); k++)
			if (t->control & flags[k].bit)
				json_string(j, NULL, flags[k].name);
		if (t->scms)
			json_string(j, NULL, "scms");
		json_end(j, ']');
		if (t->isrc[0])
			json_string(j, "isrc", t->isrc);
		else
			json_null(j, "isrc");
		json_end(j, '}');
	}
	json_end(j, ']');
}

void info_print_tracks(const struct report *r)
{
	static const struct table_column columns[] = {
		{ "TRACK", true, 0 },  { "SESSION", true, 0 }, { "MODE", false, 0 },
		{ "START", true, 0 },  { "LENGTH", true, 0 },  { "SECTORS", true, 0 },
		{ "PREGAP", true, 0 }, { "INDICES", true, 0 }, { "SECTOR-SIZE", true, 0 },
		{ "FLAGS", false, 0 }, { "ISRC", false, 0 },
	};
	struct libscols_table *t = table_new("tracks", columns, VD_ARRAY_SIZE(columns), 0);

	for (size_t i = 0; i < r->disc->ntracks; i++) {
		const struct vd_track *k = &r->disc->tracks[i];
		_cleanup_free_ char *number = format("%d", k->number),
				    *session = format("%d", k->session),
				    *start = format("%d", k->start), *length = msf(k->length),
				    *sectors = format("%u", k->length),
				    *pregap = format("%u", k->pregap),
				    *indices = format("%zu", k->nindices + 1),
				    *size = format("%u", sector_size(r->disc, k));
		char words[24];

		list_flags(k, words);
		ADD_LINE(t, number, session, mode_name(k->mode), start, length, sectors, pregap,
			 indices, size, words, k->isrc);
	}
	puts("\nTracks:");
	table_print(t);
}

/* Sessions */

void info_json_sessions(struct json *j, const struct report *r)
{
	const struct vd_disc *d = r->disc;
	struct session_line lines[INFO_SESSIONS_MAX];
	size_t n = list_sessions(r, lines);

	json_begin(j, "sessions", '[');
	for (size_t i = 0; i < n; i++) {
		const struct vd_session *s = lines[i].disc;
		const struct session_volume *v = lines[i].volume;
		int64_t lba = session_lba(r, &lines[i]);

		json_begin(j, NULL, '{');
		json_number(j, "session", (uint64_t)lines[i].number);
		if (s) {
			json_string(j, "type", session_type(s->type));
			json_number(j, "first_track", (uint64_t)d->tracks[s->first_track].number);
			json_number(j, "last_track",
				    (uint64_t)d->tracks[s->first_track + s->ntracks - 1].number);
			json_signed(j, "leadout", s->leadout);
		}
		if (lba >= 0 || s)
			json_signed(j, "lba", lba);
		else
			json_null(j, "lba");
		if (v) {
			json_number(j, "bytes", v->bytes);
			json_string(j, "volume_id", v->volume_id);
			info_json_time(j, "created", v->created);
		}
		if (s)
			json_cdtext(j, s);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void info_print_sessions(const struct report *r)
{
	static const struct table_column columns[] = {
		{ "SESSION", true, 0 },	 { "TYPE", false, 0 },	    { "TRACKS", false, 0 },
		{ "LBA", true, 0 },	 { "LEAD-OUT", true, 0 },   { "SIZE", true, 0 },
		{ "CREATED", false, 0 }, { "VOLUME-ID", false, 0 },
	};
	const struct vd_disc *d = r->disc;
	struct session_line lines[INFO_SESSIONS_MAX];
	size_t n = list_sessions(r, lines);
	struct libscols_table *t = table_new("sessions", columns, VD_ARRAY_SIZE(columns), 0);

	for (size_t i = 0; i < n; i++) {
		const struct vd_session *s = lines[i].disc;
		const struct session_volume *v = lines[i].volume;
		int64_t begin = session_lba(r, &lines[i]);
		char size[16] = "", created[32] = "";
		_cleanup_free_ char *number = format("%d", lines[i].number),
				    *lba = begin >= 0 || s ? format("%lld", (long long)begin)
							   : NULL,
				    *tracks = NULL, *leadout = NULL;

		if (s) {
			tracks = format("%d-%d", d->tracks[s->first_track].number,
					d->tracks[s->first_track + s->ntracks - 1].number);
			leadout = format("%d", s->leadout);
		}
		if (v) {
			vd_size_format(v->bytes, size, sizeof(size));
			text_time(v->created, created);
		}
		ADD_LINE(t, number, s ? session_type(s->type) : NULL, tracks, lba, leadout, size,
			 created, v ? v->volume_id : NULL);
	}
	puts("\nSessions:");
	table_print(t);
}
