/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of a CHD, and its map: where each hunk is. The files' layout is told in chd.c. */
#ifndef VD_IMAGES_CHD_MAP_H
#define VD_IMAGES_CHD_MAP_H

#include "store/store.h"

#define VD_CHD_HEADER 124u /* bytes */
#define VD_CHD_SHA1 20u
#define VD_CHD_FRAME 2448u	    /* the unit of a CD: a sector and its subchannel */
#define VD_CHD_HUNK_MAX (1u << 20)  /* bytes; what chdman makes too */
#define VD_CHD_HUNKS_MAX (8u << 20) /* of a file and all its parents: 6 bytes of memory each */

struct vd_chd_header {
	uint32_t codecs
		[4]; /* four characters each; 0: none, and nothing is compressed where the first one is */
	uint64_t size;	     /* bytes of what is stored */
	uint64_t map, meta;  /* offsets; no metadata: 0 */
	uint32_t hunk, unit; /* bytes; a hunk is a number of units */
	uint32_t hunks;
	uint8_t sha1[VD_CHD_SHA1], parent[VD_CHD_SHA1];
	bool has_parent;
};

/* @name is for messages. -EMEDIUMTYPE when it is no CHD of version 5, -EINVAL when that is damaged; with words. */
int vd_chd_header_read(struct vd_store *file, const char *name, struct vd_chd_header *h,
		       struct vd_error *err);

enum vd_chd_where {
	VD_CHD_CODEC, /* by codecs[0] to [3] in the first four */
	VD_CHD_STORED = 4,
	VD_CHD_SELF,	/* as another hunk */
	VD_CHD_PARENT,	/* in the parent */
	VD_CHD_PLAIN,	/* in a file without codecs: no CRC */
	VD_CHD_NOWHERE, /* the same: as in the parent, zeros without one */
};

struct vd_chd_entry {
	enum vd_chd_where where;
	uint64_t at;  /* offset in the file; SELF: a hunk, which is no SELF; PARENT: units */
	uint32_t len; /* bytes in the file */
	uint16_t crc; /* CODEC and STORED: of the hunk */
};

struct vd_chd_map;

/* Reads all of it: every entry lies in the file. Errors as above, -ENOMEM. */
int vd_chd_map_read(struct vd_store *file, const char *name, const struct vd_chd_header *h,
		    struct vd_chd_map **out, struct vd_error *err);
/* @hunk is less than the header's number of them. */
struct vd_chd_entry vd_chd_map_get(const struct vd_chd_map *m, uint32_t hunk);
void vd_chd_map_free(struct vd_chd_map *m);

/* CRC-16/CCITT from ffff on, as the map has it; @crc: 0xffff, or what it gave for the bytes before. */
uint16_t vd_chd_crc16(uint16_t crc, const void *data, size_t len);

#endif
