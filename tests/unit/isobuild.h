/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds small ISO 9660 images in memory, byte for byte known: after isob_finish() every structure's place is in its
 * node or found by isob_field(), so that a test can damage exactly one. Depends on nothing but the C library and
 * zlib; without memory it ends the program.
 */
#ifndef TEST_ISOBUILD_H
#define TEST_ISOBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISOB_JOLIET_MAX 100u /* units of UTF-16: a longer name is cut in the Joliet tree */

/* A system use field as it is written. */
struct isob_extra {
	struct isob_extra *next;
	size_t len;
	uint8_t bytes[255];
};

struct isob_node {
	struct isob_node *parent, *next, *child; /* children in the order in which they were made */
	char *name;    /* Rock Ridge and, as UTF-8, Joliet; the source of the plain name */
	char *plain;   /* NULL: made from `name`: FILE.TXT;1 */
	uint32_t mode; /* with type */
	uint32_t uid, gid, nlink, major, minor;
	int64_t mtime;
	uint8_t *data; /* of a file */
	size_t size;
	char *target;	  /* of a link */
	uint8_t flags;	  /* of the record, besides directory and multi-extent */
	uint8_t ear;	  /* blocks of an extended attribute record before the data */
	uint8_t gap;	  /* interleave */
	uint32_t section; /* bytes a section, whole blocks; 0: all in one */
	int zisofs;	  /* 1, 2: stored compressed; a block is 32 KiB (1) or 128 KiB (2) */
	bool no_name;	  /* no NM field */
	uint16_t xa;	  /* attributes, where the image has XA: 0x0800 Form 1, 0x1000 Form 2 ... */
	struct isob_extra *extra;    /* more fields for its record */
	struct isob_node *relocated; /* this is a placeholder (CL) for that directory */
	bool is_relocated;	     /* RE */

	/* Byte offsets in the image, 0: none. */
	uint32_t record, record_len; /* in its parent, of its first section; primary tree */
	uint32_t joliet_record, joliet_record_len;
	uint32_t extent, stored; /* data: where, and bytes as stored; of a directory its extent */
	uint32_t joliet_extent, joliet_stored;
	uint32_t ce, ce_len;	     /* its record's continuation area */
	uint32_t dot_ce, dot_ce_len; /* that of its "." */
};

struct isob {
	/* To be set before isob_finish(). */
	bool rock, joliet, enhanced, xa; /* xa: 14 bytes before the SUSP fields */
	bool boot;	 /* an El Torito catalog with three entries in two sections */
	bool long_times; /* TF with 17 bytes a time */
	uint32_t block;	 /* 2048; 512, 1024 */
	int joliet_level;
	uint32_t base; /* LBA at which the image begins on its disc */
	const char *volume;
	/* The largest part of a name or link in one field. */
	uint32_t name_part;

	struct isob_node *root;
	/* Afterwards. */
	uint8_t *image;
	size_t size;
	uint32_t pvd, svd, boot_record, terminator, catalog; /* byte offsets */
};

struct isob *isob_new(void);
void isob_free(struct isob *b);
struct isob_node *isob_dir(struct isob *b, struct isob_node *parent, const char *name);
struct isob_node *isob_file(struct isob *b, struct isob_node *parent, const char *name,
			    const void *data, size_t size);
struct isob_node *isob_link(struct isob *b, struct isob_node *parent, const char *name,
			    const char *target);
struct isob_node *isob_device(struct isob *b, struct isob_node *parent, const char *name,
			      uint32_t mode, uint32_t major, uint32_t minor);
/* A field such as "SF" with its bytes after the four of the header. */
void isob_extra(struct isob_node *n, const char *sig, uint8_t version, const void *bytes,
		size_t len);
/* Lays everything out. May be called once. */
void isob_finish(struct isob *b);

/*
 * The byte offset of a field of a node's record ("PX"), or of its continuation area; @nth from 0. 0: there is none.
 * Fields of a root's or another directory's own "." record: isob_dot_field().
 */
uint32_t isob_field(const struct isob *b, const struct isob_node *n, const char *sig, int nth);
uint32_t isob_dot_field(const struct isob *b, const struct isob_node *n, const char *sig);

/* Numbers in both byte orders. */
void isob_put32(uint8_t *p, uint32_t v);
/* Seconds since 1970 as the 7 bytes of a record. */
void isob_put_date7(uint8_t *p, int64_t t);

#endif
