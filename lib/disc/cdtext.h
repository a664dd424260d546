/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CD-TEXT (MMC-3, annex J): titles and the like in the lead-in, as packs of 18 bytes.
 *
 *     0      type, 0x80 to 0x8f          1   track that the first character belongs to; 0: the disc
 *     2      number of the pack          3   double-byte flag, block (language) 0..7, character position
 *     4-15   12 bytes of text            16  CRC, complemented
 *
 * The text of a type is one string after the other, the disc's first, each with a NUL behind it; it flows from pack to pack. Strings
 * are bytes in the block's character set here: what they mean is for vd_cdtext_to_utf8(), or for iconv().
 */
#ifndef VD_DISC_CDTEXT_H
#define VD_DISC_CDTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define VD_CDTEXT_PACK 18u
#define VD_CDTEXT_BLOCKS 8
#define VD_CDTEXT_BLOCK_PACKS 256u

enum vd_cdtext_type {
	VD_CDTEXT_TITLE = 0x80,
	VD_CDTEXT_PERFORMER,
	VD_CDTEXT_SONGWRITER,
	VD_CDTEXT_COMPOSER,
	VD_CDTEXT_ARRANGER,
	VD_CDTEXT_MESSAGE,
	VD_CDTEXT_DISC_ID, /* of the disc only */
	VD_CDTEXT_GENRE,   /* of the disc only; the code beside it is in `genre` */
	VD_CDTEXT_TOC,	   /* bytes */
	VD_CDTEXT_TOC2,	   /* bytes */
	VD_CDTEXT_CLOSED = 0x8d,
	VD_CDTEXT_UPC_ISRC, /* the disc's MCN, the tracks' ISRC */
	VD_CDTEXT_SIZE,	    /* the block itself: decoded into its fields, made by the encoder */
};

#define VD_CDTEXT_TYPES 16

enum vd_cdtext_charset {
	VD_CDTEXT_LATIN1 = 0x00, /* ISO 8859-1 */
	VD_CDTEXT_ASCII = 0x01,
	VD_CDTEXT_MSJIS = 0x80, /* two bytes a character */
};

#define VD_CDTEXT_ENGLISH 0x09 /* language codes are EBU Tech 3264's */

/* @len bytes, and two zero bytes behind them. */
struct vd_cdtext_string {
	uint8_t *data; /* NULL: none */
	size_t len;
};

/* One language. */
struct vd_cdtext_block {
	uint8_t charset;  /* enum vd_cdtext_charset, or another number as it was found */
	uint8_t language; /* 0: not known */
	uint8_t copyright;
	uint8_t first_track, last_track;
	uint16_t genre; /* 0: none; VD_CDTEXT_GENRE's string tells more */
	/* By type - 0x80 and track, 0 for the disc. Those that are bytes (TOC, TOC2, 0x8a to 0x8c) are the disc's, as a whole. */
	struct vd_cdtext_string text[VD_CDTEXT_TYPES][100];
};

struct vd_cdtext {
	struct vd_cdtext_block *block[VD_CDTEXT_BLOCKS]; /* NULL: not there */
	size_t bad_packs; /* the decoder has left out: wrong CRC, type or place */
};

/*
 * Decodes any bytes: what is wrong is left out, the rest is there. "The same as before" (a string of one tab) is resolved. A
 * string whose beginning is missing is left out. 0 or -ENOMEM.
 */
int vd_cdtext_decode(const uint8_t *packs, size_t npacks, struct vd_cdtext **out);
/*
 * Encodes all blocks with their size packs. *packs is the caller's to free(), *npacks * 18 bytes; NULL and 0 for no text at
 * all. Every type that any track has is given for all tracks from 1 to the block's last one, and the disc. -E2BIG with
 * words when a block needs more than 255 packs, -ENOMEM.
 */
int vd_cdtext_encode(const struct vd_cdtext *t, uint8_t **packs, size_t *npacks,
		     struct vd_error *err);

int vd_cdtext_new(struct vd_cdtext **out);
void vd_cdtext_free(struct vd_cdtext *t); /* NULL is fine */
/*
 * Sets a string, copied, and makes its block (Latin 1, English) when there is none. Empty: none. -EINVAL for a block, type or
 * track that cannot be, or a NUL inside a text.
 */
int vd_cdtext_set(struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		  const void *text, size_t len);
/* NULL when there is none. */
const struct vd_cdtext_string *vd_cdtext_get(const struct vd_cdtext *t, int block,
					     enum vd_cdtext_type type, int track);
/*
 * A string in UTF-8, the caller's to free(). Control characters, and bytes above 0x7f in ASCII, become U+FFFD. -EOPNOTSUPP for
 * a character set other than Latin 1 and ASCII, -ENOMEM.
 */
int vd_cdtext_to_utf8(const struct vd_cdtext_block *b, const struct vd_cdtext_string *s,
		      char **out);
/* As vd_cdtext_set(), from UTF-8 into Latin 1 or ASCII. -EILSEQ when it does not fit, or is no UTF-8. */
int vd_cdtext_set_utf8(struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		       const char *text);

/* "title", "performer", ... for people and files; NULL for types without a name. */
const char *vd_cdtext_type_name(enum vd_cdtext_type type);

#endif
