/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One image format: a probe and a parser, one file a format. A parser never sees a path: it gets an open
 * descriptor, and reaches the other files that a sheet names only through the opener, which is the keeper's
 * (userspace/vdrived/opener.c) when the parser runs caged.
 */
#ifndef VD_IMAGES_IMAGE_H
#define VD_IMAGES_IMAGE_H

#include "disc/disc.h"

struct vd_opener {
	/*
	 * Opens @name, found beside the image, read-only. Returns a descriptor that the caller owns, or
	 * -errno: -ENOENT, -EXDEV (outside the image's folder), -EMFILE (more than 256), -EINVAL.
	 */
	int (*open)(struct vd_opener *o, const char *name, struct vd_error *err);
	/*
	 * Opens number @n, from 0 on, of what is beside the image and has a name that ends in @suffix, in any case; in an
	 * order of no account. -ENOENT: there are no more; -EMFILE: enough was looked for. Other errors are of this one
	 * only, as above. NULL: it cannot look.
	 */
	int (*open_nth)(struct vd_opener *o, const char *suffix, unsigned int n,
			struct vd_error *err);
};

#define VD_IMAGE_HEAD 69632u /* as far as the superblock of btrfs */
#define VD_IMAGE_TAIL 512u

/* What a probe looks at. */
struct vd_image_head {
	const uint8_t *data;
	size_t len;	  /* up to VD_IMAGE_HEAD; less for a shorter file */
	uint64_t size;	  /* of the whole file, bytes */
	const char *name; /* the file's name without its folder: a hint, nothing more */
	/* The last bytes of the file, for formats that describe themselves there; NULL when not read. */
	const uint8_t *tail;
	size_t tail_len; /* up to VD_IMAGE_TAIL */
};

struct vd_image_format {
	const char *name;	 /* as in `attr/format` and --format */
	const char *description; /* for people */
	/* 0: not this; 100: surely this. Looks at content; a name decides only between equals. */
	int (*probe)(const struct vd_image_head *head);
	/*
	 * Takes @store, closes it on failure too: a file, or what was compressed in one. @head is what the probe saw.
	 */
	int (*open)(struct vd_opener *opener, struct vd_store *store,
		    const struct vd_image_head *head, struct vd_disc **out, struct vd_error *err);
};

/* Every format that this build knows, NULL at the end. */
extern const struct vd_image_format *const vd_image_formats[];

extern const struct vd_image_format vd_image_iso;
extern const struct vd_image_format vd_image_raw;
extern const struct vd_image_format vd_image_cue;
extern const struct vd_image_format vd_image_toc;
extern const struct vd_image_format vd_image_nrg;
extern const struct vd_image_format vd_image_ccd;
extern const struct vd_image_format vd_image_mds;
extern const struct vd_image_format vd_image_chd;
extern const struct vd_image_format vd_image_cdi;
extern const struct vd_image_format vd_image_gdi;
extern const struct vd_image_format vd_image_b6t;
extern const struct vd_image_format vd_image_c2d;
extern const struct vd_image_format vd_image_medium;

/*
 * Opens an image of any known format. Takes @fd (also on failure), which need not be open for writing: only what vd_image_medium
 * reads can be written then. @name as in struct vd_image_head.
 * @format may be NULL, or receives which one it was. -EMEDIUMTYPE when it is no disc image: the words say
 * what it looks like instead ("not a disc image: it looks like a gzip archive").
 */
int vd_image_open(struct vd_opener *opener, int fd, const char *name, struct vd_disc **out,
		  const struct vd_image_format **format, struct vd_error *err);

/*
 * What is inside @store when its name ends as that of a file with something inside, "disc.bin.gz", and it is one; else @store itself. For the files
 * that a sheet names, which are what the sheet says and are not sniffed otherwise. Takes @store, also on failure; words begin with @name.
 */
int vd_image_unwrap(struct vd_opener *opener, struct vd_store *store, const char *name,
		    struct vd_store **out, struct vd_error *err);

/* What a file that is no disc image looks like: "a gzip archive"; NULL when nothing is known. */
const char *vd_image_looks_like(const struct vd_image_head *head);

#endif
