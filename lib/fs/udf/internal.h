/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The UDF reader from inside. Numbers such as 3/10.1 are sections of ECMA-167, 3rd edition; "UDF 2.2.10" is one of OSTA's
 * Universal Disk Format Specification, 2.60 unless another revision is named.
 *
 * From a disc to bytes of a file:
 *
 *     volume.c      anchor -> volume descriptor sequence -> logical volume, partitions, file set
 *     partition.c   block of a partition, whatever kind it is -> bytes of the disc
 *     node.c        ICB -> the (extended) file entry that counts: attributes, where allocation descriptors lie
 *     extents.c     allocation descriptors -> runs; reading through them
 *     marks.c       where in long chains of allocation descriptors reading may begin
 *     dir.c         file identifier descriptors -> names
 *
 * There is no table of nodes. An inode number is the address of an ICB,
 *
 *     (partition reference + 1) << 32 | logical block
 *
 * and every call parses what it needs from there. What is kept is bounded and has its own lock: the indexes of names
 * (fs/name_index.h), the marks, and tree.c, which makes a walk end: a directory is entered there when it is first met, and claims the
 * blocks of its file entry and its contents; no block is claimed twice. So no directory stands in two places or is its own
 * ancestor, and a walk of the whole tree reads no more bytes of directories than the disc has.
 */
#ifndef VD_FS_UDF_INTERNAL_H
#define VD_FS_UDF_INTERNAL_H

#include <pthread.h>

#include "fs/name_index.h"
#include "fs/text.h"
#include "fs/udf/udf.h"
#include "util/endian.h"

#define UDF_BLOCK_MIN 512u
#define UDF_BLOCK_MAX 4096u
#define UDF_DIR_MAX (256u << 20) /* bytes of one directory */
#define UDF_FID_MAX 4096u /* of one file identifier descriptor; it is at most a block (UDF 2.3.4) */
#define UDF_WINDOW (32u << 10) /* bytes read at once where neighbours will be asked for */

/* Tag identifiers: 3/7.2.1 and 4/7.2.1. */
enum udf_tag {
	UDF_TAG_SPARING = 0, /* UDF 2.2.12 */
	UDF_TAG_PVD = 1,
	UDF_TAG_AVDP = 2,
	UDF_TAG_VDP = 3,
	UDF_TAG_PD = 5,
	UDF_TAG_LVD = 6,
	UDF_TAG_TD = 8,
	UDF_TAG_LVID = 9,
	UDF_TAG_FSD = 256,
	UDF_TAG_FID = 257,
	UDF_TAG_AED = 258,
	UDF_TAG_IE = 259,
	UDF_TAG_FE = 261,
	UDF_TAG_EAHD = 262,
	UDF_TAG_EFE = 266,
};

/* File types of an ICB tag: 4/14.6.6; UDF 2.3.5.2. */
enum udf_file_type {
	UDF_TYPE_UNSPECIFIED = 0,
	UDF_TYPE_DIRECTORY = 4,
	UDF_TYPE_REGULAR = 5,
	UDF_TYPE_BLOCK = 6,
	UDF_TYPE_CHAR = 7,
	UDF_TYPE_EA = 8, /* extended attributes of another */
	UDF_TYPE_FIFO = 9,
	UDF_TYPE_SOCKET = 10,
	UDF_TYPE_SYMLINK = 12,
	UDF_TYPE_STREAM_DIR = 13,
	UDF_TYPE_VAT = 248,
	UDF_TYPE_REALTIME = 249,
	UDF_TYPE_METADATA = 250,
	UDF_TYPE_MIRROR = 251,
};

/* Forms of allocation descriptors: 4/14.6.8. */
enum udf_ad { UDF_AD_SHORT = 0, UDF_AD_LONG = 1, UDF_AD_EXTENDED = 2, UDF_AD_EMBEDDED = 3 };

/* What an extent is: the two highest bits of its length, 4/14.14.1.1. */
enum udf_extent_type {
	UDF_EXTENT_RECORDED = 0,
	UDF_EXTENT_ALLOCATED = 1, /* not recorded: zeros */
	UDF_EXTENT_HOLE = 2,	  /* nor allocated: zeros */
	UDF_EXTENT_CONTINUES = 3, /* more allocation descriptors are there */
};

struct udf_addr {
	uint32_t block;
	uint16_t partition; /* a partition reference: an index into udf_fs.maps */
};

/* A run of a file that lies on the disc in one piece. */
struct udf_run {
	uint64_t at, disc, len; /* bytes */
};

struct udf_runs {
	struct udf_run *runs; /* by ascending `at`, without gaps */
	size_t n;
	uint64_t size;
};

/* A packet that was moved. */
struct udf_spare {
	uint32_t original; /* block of the partition */
	uint32_t mapped;   /* block of the disc */
};

/* What the header of a VAT says in place of the logical volume (UDF 2.2.11). */
struct udf_vat_says {
	bool header; /* there is one: not in UDF 1.50 */
	char logical_id[256];
	uint32_t files, directories;
	time_t time; /* of its ICB: when the session was closed */
};

/* Where the sessions end in which the VAT may be, the last one first. */
struct udf_ends {
	uint64_t at[99]; /* bytes */
	size_t n;
};

struct udf_map {
	enum vd_udf_map_kind kind;
	uint16_t number;	/* of the partition */
	uint64_t start, blocks; /* of the partition, in blocks of the disc; for all kinds */
	uint16_t below;		/* virtual, metadata: the map in whose partition their blocks lie */
	/* Sparable. */
	uint32_t packet; /* blocks */
	struct udf_spare *spares;
	size_t nspares; /* by ascending original */
	/* Virtual: the VAT. Metadata: the metadata file, or its mirror where that cannot be read. */
	struct udf_runs file;
	/* Metadata: the mirror, where it has blocks of its own; for those of `file` that are bad. */
	struct udf_runs mirror;
	uint64_t vat_at; /* bytes before its first entry */
	uint32_t vat_entries;
	struct udf_vat_says vat;
};

struct udf_tree;
struct udf_marks;

struct udf_fs {
	struct vd_fs fs;
	struct vd_fs_options o;
	struct vd_udf_info info;
	uint32_t block;
	unsigned int shift;
	uint64_t disc_bytes;
	struct udf_map maps[VD_UDF_MAPS_MAX];
	size_t nmaps;
	struct udf_addr root;
	struct udf_tree *tree;
	struct udf_marks *marks; /* NULL until the volume is open */
	struct vd_name_indexes *indexes;
};

/* The bytes read last, for who asks for neighbours. */
struct udf_window {
	uint64_t at;
	size_t len;
	uint8_t buf[UDF_WINDOW];
};

/* A file entry or extended file entry. */
struct udf_node {
	struct udf_addr addr; /* of the entry itself: of strategy 4096 the newest */
	uint64_t place;	      /* bytes: where that lies */
	uint8_t type;
	enum udf_ad ad;
	uint32_t ea_at, ea_len, ad_at, ad_len; /* within `block` */
	uint64_t size;			       /* information length */
	bool has_streams;
	struct udf_addr streams; /* ICB of the stream directory */
	struct vd_fs_attr attr;
	uint8_t block[UDF_BLOCK_MAX];
};

/* Goes through the extents of a node. */
struct udf_iter {
	const struct udf_fs *u;
	const struct udf_node *node;
	const uint8_t *ads; /* where the next descriptors are: in the node, or `aed` */
	uint32_t pos, end;
	/* Continuations are counted, and loops found by Brent's method: `power` is the block of the last whose number is a power of two. */
	uint64_t hops, power;
	uint64_t
		wanted; /* byte of the file that is looked for: what ends before it may be left out */
	bool mirror;	/* what is in a metadata partition is read from its mirror */
	/* The extent at hand; next_at is where the one behind it begins in the file. */
	uint64_t at, next_at;
	uint32_t len;
	enum udf_extent_type type;
	struct udf_addr addr;
	uint8_t aed[UDF_BLOCK_MAX];
};

/* A file identifier descriptor. */
struct udf_fid {
	uint32_t pos, next;
	uint8_t flags;
	struct udf_addr icb;
	uint32_t icb_len;
	const uint8_t *name; /* as it is on the disc */
	size_t name_len;
};

#define UDF_FID_HIDDEN 0x01u /* 4/14.4.3 */
#define UDF_FID_DIRECTORY 0x02u
#define UDF_FID_DELETED 0x04u
#define UDF_FID_PARENT 0x08u

/* names.c */

/*
 * A d-string's or file identifier's characters in OSTA Compressed Unicode (UDF 2.1.1): the compression id and what follows.
 * -EUCLEAN when it is none. @out has 4 bytes for each of @in's at least.
 */
int udf_unicode(const uint8_t *in, size_t len, char *out, size_t *out_len);
/* A d-string of @size bytes (1/7.2.12), trimmed, with a final NUL; what is none is empty. */
void udf_dstring(const uint8_t *in, size_t size, char *out, size_t out_size);
/*
 * A file identifier as Linux shows it, at most VD_FS_NAME_MAX bytes; returns how many. Slashes and NULs become one '_', and such a
 * name, and "." and "..", get '#' and the CRC of the identifier before their extension (UDF 4.2.2.1.5). So does "_" for what is
 * no identifier.
 */
size_t udf_file_name(const uint8_t *in, size_t len, char *out);
/* 1/7.3. Zeros when there is no date. */
struct timespec udf_time(const uint8_t *p);
/* The 23 characters of an entity identifier (1/7.4) are these. */
bool udf_is_regid(const uint8_t *regid, const char *identifier);

/* volume.c */

/* Is it a descriptor of that kind, with the right checksum and CRC (3/7.2)? -EUCLEAN. */
int udf_tag_check(const uint8_t *p, size_t size, enum udf_tag id);
/* The same, and its location is @location. */
int udf_tag_check_at(const uint8_t *p, size_t size, enum udf_tag id, uint32_t location);
/* The disc's bytes; -EIO beyond its end. */
int udf_pread(const struct udf_fs *u, void *buf, size_t len, uint64_t off);
int udf_volume_open(struct udf_fs *u, struct vd_error *err);

/* partition.c */

/* From the maps of a logical volume descriptor to u->maps. */
struct udf_partition {
	uint16_t number;
	uint32_t sequence, start, blocks, access;
};
int udf_maps_open(struct udf_fs *u, const uint8_t *maps, size_t len, size_t n,
		  const struct udf_partition *p, size_t np, const struct udf_ends *ends,
		  struct vd_error *err);
void udf_maps_close(struct udf_fs *u);
/*
 * Where byte @off of an extent that begins at block @a lies; *run: bytes from there on in one piece, at most @len. -EUCLEAN
 * outside of the partition.
 */
int udf_locate(const struct udf_fs *u, struct udf_addr a, uint64_t off, uint64_t len,
	       uint64_t *disc, uint64_t *run);
/*
 * Bytes [off, off + len) of an extent that begins at @a. What cannot be read of a metadata partition is read from its mirror; with
 * @mirror all of it is, -ENOENT where there is none.
 */
int udf_read_extent(const struct udf_fs *u, struct udf_addr a, uint64_t off, void *buf, size_t len,
		    bool mirror);
/* One whole block, as that does. @w: NULL, or where to look first. *place: where it lies. */
int udf_read_block(const struct udf_fs *u, struct udf_addr a, void *buf, struct udf_window *w,
		   uint64_t *place);
/* The same, of a descriptor of kind @id or @other at this block; the mirror's, where that of the metadata file is bad. */
int udf_read_descriptor(const struct udf_fs *u, struct udf_addr a, enum udf_tag id,
			enum udf_tag other, void *buf, struct udf_window *w, uint64_t *place);
bool udf_has_mirror(const struct udf_fs *u, struct udf_addr a);

/* node.c */
int udf_node_read(const struct udf_fs *u, struct udf_addr icb, struct udf_window *w,
		  struct udf_node *out);
int udf_node_readlink(const struct udf_fs *u, const struct udf_node *node, char *buf, size_t size,
		      size_t *len);
static inline uint64_t udf_ino(struct udf_addr a)
{
	return (uint64_t)(a.partition + 1u) << 32 | a.block;
}
/* -ENOENT: no number of this file system. */
int udf_ino_addr(const struct udf_fs *u, uint64_t ino, struct udf_addr *out);
struct udf_addr udf_long_ad(const uint8_t *p);

/* extents.c */
void udf_iter_init(struct udf_iter *it, const struct udf_fs *u, const struct udf_node *node);
/* 1, 0 at the end, -errno. Not for embedded contents. */
int udf_iter_next(struct udf_iter *it);
/*
 * Whole or failed; [off, off + len) is within the node's size. @it is one that was initialised for this node; it is fastest when
 * offsets ascend.
 */
int udf_node_pread(struct udf_iter *it, void *buf, size_t len, uint64_t off);
int udf_node_map(struct udf_iter *it, uint64_t off, struct vd_fs_extent *out);
/* All of a node's recorded contents, -EUCLEAN where some are not. At most @max runs. */
int udf_node_runs(const struct udf_fs *u, const struct udf_node *node, size_t max,
		  struct udf_runs *out);
/* The run that holds byte @at, or NULL. */
const struct udf_run *udf_run_at(const struct udf_runs *r, uint64_t at);

/* marks.c */

/* The block of the @number-th extent of allocation descriptors, and of the last one whose number is a power of two. */
struct udf_mark {
	uint64_t at; /* bytes of the file before it */
	uint64_t ino, number, power;
};
int udf_marks_new(struct udf_marks **out);
void udf_marks_free(struct udf_marks *m); /* NULL is fine */
/* The last one known that begins at or before @off in the file that @key, not 0, stands for. */
bool udf_marks_find(struct udf_marks *m, uint64_t key, uint64_t off, struct udf_mark *out);
void udf_marks_add(struct udf_marks *m, uint64_t key, uint64_t number, uint64_t at, uint64_t ino);

/* tree.c */
int udf_tree_new(const struct udf_fs *u, struct udf_tree **out);
void udf_tree_free(struct udf_tree *t);
/* Enters a directory that stands in @parent at @pos (0, 0: the root). -ELOOP: it stands elsewhere or overlaps another. */
int udf_tree_enter(struct udf_fs *u, const struct udf_node *dir, uint64_t ino, uint64_t parent,
		   uint32_t pos);
/* Was it met? */
bool udf_tree_has(struct udf_fs *u, uint64_t ino);

/* dir.c */
int udf_dir_lookup(struct udf_fs *u, uint64_t dir, const char *name, size_t len,
		   struct vd_fs_attr *attr);
int udf_dir_readdir(struct udf_fs *u, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg);

static inline struct udf_fs *udf_fs_of(const struct vd_fs *fs)
{
	return (struct udf_fs *)fs;
}

#endif
