/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the formats share that are text: a sheet names files, and says which of their bytes are which sectors of a disc.
 *
 *   text     any line end; UTF-8 with or without a mark, UTF-16 with one, else bytes, taken for ISO 8859-1
 *   errors   "disc.cue:12: INDEX 02 before INDEX 01": the sheet, the line, what is wrong
 *   files    through the opener only, each of them once
 *   tracks   as pieces one after the other, with no addresses yet; vd_sheet_place() puts them on the disc
 */
#ifndef VD_IMAGES_SHEET_H
#define VD_IMAGES_SHEET_H

#include "disc/cdtext.h"
#include "images/image.h"

#define VD_SHEET_MAX (1u << 20) /* bytes of a sheet */

/* What a FILE is read as: never what it looks like. */
enum vd_sheet_kind {
	VD_SHEET_BINARY, /* its bytes */
	VD_SHEET_SOUND,	 /* the samples of a sound file, images/audio.h */
};

struct vd_sheet_file {
	enum vd_sheet_kind kind;
	char *name; /* as the sheet has it */
	struct vd_store *store;
	/* Which one it is, 0: not known. The same under another name is read only once. */
	uint64_t dev, ino;
};

struct vd_sheet_track {
	unsigned int line;
	struct vd_track t; /* number, session, mode, control, scms, isrc */
	/* Sectors one after the other; `lba` counts from the track's first one. Without a store: generated. */
	struct vd_extent *pieces;
	size_t npieces;
	uint32_t sectors;     /* of all pieces */
	uint32_t pregap;      /* of them, those before INDEX 01 */
	uint32_t gap;	      /* sectors between the track before and the first piece */
	int32_t at;	      /* where INDEX 01 has to be, 0: where `gap` has it */
	uint32_t indices[98]; /* INDEX 02.., sectors from the first piece on */
	unsigned int nindices;
};

struct vd_sheet {
	const char *name;
	struct vd_opener *opener;
	struct vd_error *err;
	char *text; /* `len` bytes without a NUL, and one behind them */
	size_t len;
	bool latin1; /* it is no UTF-8 */
	struct vd_disc *disc;
	struct vd_sheet_file *files;
	size_t nfiles;
	struct vd_sheet_track *tracks;
	size_t ntracks;
	struct vd_cdtext *cdtext; /* of all sessions; NULL: none */
	uint8_t *packs;		  /* those of vd_sheet_text_file() */
	size_t npacks;
	int packs_session;
};

/*
 * Does @h look like text, and does a line of it begin with each of @words (NULL at the end), in any case? No words: is it
 * text at all? Looks at UTF-16 too.
 */
bool vd_sheet_looks_like(const struct vd_image_head *h, const char *const *words);

/* Reads the text. Takes @store. The sheet is closed by the caller, also when this fails. */
int vd_sheet_open(struct vd_sheet *s, struct vd_opener *opener, struct vd_store *store,
		  const struct vd_image_head *h, struct vd_error *err);
/* Frees everything but the disc that vd_sheet_take() gave away. */
void vd_sheet_close(struct vd_sheet *s);

/*
 * Cuts the line at @*next off, ended by \n, \r or both, and moves @*next behind it; NULL after the last one. @*next begins as
 * s->text, which is changed.
 */
char *vd_sheet_line(const struct vd_sheet *s, char **next);
struct vd_disc *vd_sheet_take(struct vd_sheet *s);

/* Sets the words, "NAME:LINE: ..." (line 0: "NAME: ..."), and returns -EINVAL. */
int vd_sheet_error(const struct vd_sheet *s, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts "NAME:LINE: " before the words that are there, and returns @code. */
int vd_sheet_prefix(const struct vd_sheet *s, unsigned int line, int code);

/* UTF-16 in UTF-8, without a NUL. @out: room for len / 2 * 3. Returns its bytes. A lone half of a pair becomes U+FFFD. */
size_t vd_sheet_from_utf16(const uint8_t *in, size_t len, bool big_endian, char *out);

/* The file of this name, opened if it is not yet; an index into s->files. */
int vd_sheet_file(struct vd_sheet *s, unsigned int line, const char *name, enum vd_sheet_kind kind,
		  size_t *out);
/*
 * The store of the file of this name. One that begins with "*", or is the only one (@alone) and not there, is called as the sheet up to the
 * last dot, with that name's suffix.
 */
int vd_sheet_own_file(struct vd_sheet *s, const char *name, bool alone, struct vd_store **out);
/* The next track, zeroed but for its line and number; NULL with words when there is no room for one. */
struct vd_sheet_track *vd_sheet_add_track(struct vd_sheet *s, unsigned int line, int number);
/* Appends a piece of x->length sectors to the last track, its lba set here. None when that is 0. */
int vd_sheet_add_piece(struct vd_sheet *s, unsigned int line, const struct vd_extent *x);
/* Puts the tracks and the text on the disc. */
int vd_sheet_place(struct vd_sheet *s);

/* CD-TEXT of a track, or of the disc (0), in the sheet's own characters. -EINVAL with words, -ENOMEM. */
int vd_sheet_text(struct vd_sheet *s, unsigned int line, int block, enum vd_cdtext_type type,
		  int track, const char *text);
/* The sheet's characters in those of CD-TEXT. @out: room for 4 times the bytes of @text. Returns how many it took. */
size_t vd_sheet_latin1(const struct vd_sheet *s, const char *text, uint8_t *out);
/* CD-TEXT as the bytes that it is to be. */
int vd_sheet_text_raw(struct vd_sheet *s, unsigned int line, int block, enum vd_cdtext_type type,
		      int track, const void *data, size_t len);
/* A file of packs is the text of a session, instead of what the sheet says. */
int vd_sheet_text_file(struct vd_sheet *s, unsigned int line, const char *name, int session);
/* For vd_sheet_place(): the sheet's text, onto the sessions that are there. */
int vd_sheet_place_text(struct vd_sheet *s);

/* MM:SS:FF in sectors; minutes may have up to 4 digits. -1: is none. @end: behind it, as strtol(). */
int32_t vd_sheet_msf(const char *text, const char **end);
/* "mm:ss:ff" of sectors, into @buf of VD_SHEET_MSF bytes. */
#define VD_SHEET_MSF 16
const char *vd_sheet_msf_text(uint32_t sectors, char *buf);

#endif
