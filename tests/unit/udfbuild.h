/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Builds small UDF images in memory, byte for byte known: after udfb_finish() the place of every structure is in its node or in
 * struct udfb, so that a test can damage exactly one; udfb_retag() makes a changed descriptor valid again. It makes what no tool
 * for Linux does. Depends on nothing but the library's CRC; without memory it ends the program.
 *
 * The sections in udfbuild.c are those of ECMA-167, 3rd edition ("3/10.1"), and of OSTA's UDF 2.60 ("UDF 2.2.10").
 */
#ifndef TEST_UDFBUILD_H
#define TEST_UDFBUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where ICBs and folders are: the second partition map is of this kind, or there is only a physical one. */
enum udfb_kind {
	UDFB_PHYSICAL,
	UDFB_SPARABLE,
	UDFB_VIRTUAL_150,
	UDFB_VIRTUAL_200,
	UDFB_METADATA,
};

enum udfb_ad { UDFB_SHORT, UDFB_LONG, UDFB_EXTENDED, UDFB_EMBEDDED };

struct udfb_node {
	struct udfb_node *parent, *next, *child; /* children in the order in which they were made */
	struct udfb_node *streams; /* the first named stream; the next ones are its `next` */
	struct udfb_node *same;	   /* a hard link to that one */
	uint8_t name[256];	   /* as on the disc: compression id and characters */
	size_t name_len;
	char shown[1024]; /* as Linux shows it, "" when it does not */
	uint8_t type;	  /* of the ICB: 4 folder, 5 file, 12 link ... */
	uint8_t flags;	  /* of the file identifier */
	uint32_t mode;	  /* without type */
	uint32_t uid, gid, major, minor;
	uint16_t links;
	uint8_t time[12];
	uint8_t *data; /* of a file; of a link, its path components */
	char target[256];
	size_t size;
	enum udfb_ad ad;
	uint32_t piece; /* blocks of one extent; 0: all in one. Pieces of zeros become holes */
	uint32_t
		ads; /* allocation descriptors in one place, the others are in extents that continue; 0: all */
	bool strategy4096; /* an older version, then this one */
	uint16_t use;	   /* bytes of implementation use in its identifier */
	bool ea_outside; /* a device's number is in extended attributes with an ICB of their own */

	/* Byte offsets in the image. */
	uint32_t entry, fid, fid_len, aed, content; /* of its first extent */
	uint32_t older;				    /* entry, with strategy 4096 */
	uint32_t block;				    /* of the entry in its partition */
	uint32_t first;				    /* block of its contents, in theirs */
};

struct udfb {
	/* To be set before udfb_finish(). */
	enum udfb_kind kind;
	uint32_t block; /* 2048; 512, 1024, 4096 */
	uint16_t revision;
	bool extended; /* extended file entries */
	bool sessions; /* virtual: an older VAT, in which the root has but its first entry */
	bool no_main_metadata; /* only the mirror's entry is good */
	bool duplicated;       /* metadata: the mirror has blocks of its own */
	uint32_t base;	       /* LBA of its session, where the image is to lie; 0 */
	uint32_t gap;	       /* with sessions: blocks between the older VAT and what follows; 0 */
	const char *volume;    /* identifier: "Volume" */
	uint32_t data_blocks;  /* of the partition, for contents: 960 */

	struct udfb_node *root;
	uint8_t *image;
	size_t size;

	/* Byte offsets. */
	uint32_t anchor, last_anchor, pvd, lvd, pd, reserve, lvid, fsd, sparing[2], vat, vat_data,
		metadata, mirror, partition, older_vat;

	/* Its own. */
	uint32_t next_meta, next_data, spare, copy;
	uint64_t unique;
};

struct udfb *udfb_new(void);
void udfb_free(struct udfb *b);
/* @name NULL: it is set later. @parent NULL: the root. */
struct udfb_node *udfb_dir(struct udfb *b, struct udfb_node *parent, const char *name);
struct udfb_node *udfb_file(struct udfb *b, struct udfb_node *parent, const char *name,
			    const void *data, size_t size);
struct udfb_node *udfb_link(struct udfb *b, struct udfb_node *parent, const char *name,
			    const char *target);
struct udfb_node *udfb_stream(struct udfb *b, struct udfb_node *owner, const char *name,
			      const void *data, size_t size);
/* UTF-8; or as it is to be on the disc, and shown. */
void udfb_name(struct udfb_node *n, const char *utf8);
void udfb_raw_name(struct udfb_node *n, const void *bytes, size_t len, const char *shown);
/* All kinds of entries; files with allocation descriptors of that form. */
void udfb_fill(struct udfb *b, enum udfb_ad ad);
void udfb_finish(struct udfb *b);
/* Checksum and CRC of the descriptor at @at of an image. */
void udfb_retag(uint8_t *image, uint32_t at);

#endif
