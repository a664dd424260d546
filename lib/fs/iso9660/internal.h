/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ISO 9660 reader from inside.
 *
 * There is no table of nodes. An inode number says where on the disc a thing is described:
 *
 *     a directory      INO_DIR | byte offset of its extent, which begins with its own "." record
 *     anything else    byte offset of its (first) directory record
 *
 * and every call parses what it needs from there. What is kept is bounded, and each part has its own lock:
 *
 *     tree.c     which blocks belong to which directory, and the one place where each directory stands
 *     indexes    name hashes of the directories looked into last (fs/name_index.h)
 *     zisofs.c   the blocks decompressed last
 *
 * tree.c is what makes a walk end. A directory is entered in it when its record is first met, and claims the
 * blocks of its extent; a claimed block is never claimed again. So no record belongs to two directories, no
 * directory stands in two places, none is its own ancestor, and a walk of the whole tree reads no more bytes of
 * directories than the disc has.
 */
#ifndef VD_FS_ISO9660_INTERNAL_H
#define VD_FS_ISO9660_INTERNAL_H

#include <pthread.h>

#include "fs/iso9660/iso9660.h"
#include "fs/name_index.h"
#include "fs/text.h"
#include "util/endian.h"

#define ISO_SECTOR 2048u /* the logical sector: records do not cross it (ECMA-119 6.8.1.1) */
#define INO_DIR (UINT64_C(1) << 48)

#define ISO_DIR_MAX (256u << 20) /* bytes of one directory */
#define ISO_SECTIONS_MAX 4096u	 /* of one file */
/* Of one record: continuation areas, their bytes, and fields altogether. What a hostile one costs is bounded by them. */
#define ISO_CE_AREAS_MAX 64u
#define ISO_CE_BYTES_MAX 32768u
#define ISO_FIELDS_MAX 1024u

/* The fields of a directory record (ECMA-119 9.1). */
#define REC_HIDDEN 0x01u
#define REC_DIR 0x02u
#define REC_ASSOC 0x04u
#define REC_MULTI 0x80u
#define REC_MIN 34u

enum iso_view { ISO_PLAIN, ISO_ROCK, ISO_JOLIET };

struct iso_tree;
struct iso_zcache;

struct iso_fs {
	struct vd_fs fs;
	struct vd_fs_options o;
	enum iso_view view;
	bool relaxed;	     /* names are compared without regard to case */
	uint32_t block;	     /* bytes: 512, 1024, 2048 */
	unsigned int shift;  /* its logarithm */
	uint64_t disc_bytes; /* what can be read */
	uint64_t limit;	     /* what an address may reach: the end of the disc or of the volume */
	uint64_t volume_bytes;
	uint64_t root;	    /* the root directory's extent */
	uint32_t root_size; /* as the volume descriptor says */
	uint32_t root_skip; /* bytes before the SUSP fields of the root's "." */
	uint32_t susp_skip; /* and of all other records */
	struct iso_tree *tree;
	struct vd_name_indexes *indexes;
	struct iso_zcache *zcache;
};

/* A directory as tree.c knows it. */
struct iso_dir {
	uint64_t start; /* byte offset */
	uint32_t size;
	/*
	 * Its "." and its parent's record may disagree about the size: `size` is the larger, this the smaller.
	 * Between the two, what is no record is the end.
	 */
	uint32_t sure;
};

/* The fixed part of one directory record. Points into the caller's buffer. */
struct iso_record {
	uint8_t len, flags, name_len;
	bool interleaved;
	const uint8_t *name, *date;
	const uint8_t *su; /* the system use field */
	size_t su_len;
	uint64_t extent; /* bytes */
	uint32_t size;
};

/* One entry of a directory: a record, or several of a file in sections, and what Rock Ridge adds. */
struct iso_entry {
	uint64_t pos;  /* byte offset of the first record */
	uint64_t next; /* position in the directory after the last */
	int damage;    /* 0, or why nothing but the name can be said about it */
	uint8_t flags;
	bool interleaved, sparse, relocated;
	uint64_t extent;   /* of the first section; of the directory */
	uint64_t raw_size; /* bytes on the disc */
	uint32_t sections;
	uint8_t z_version; /* zisofs: 1, 2; 0: not compressed */
	uint8_t z_header;  /* bytes / 4 */
	uint8_t z_shift;   /* logarithm of the block size */
	bool cdxa;	   /* in Form 2: read as RIFF CDXA; attr.size is that of all of it */
	uint8_t xa[9];	   /* then: what its record says of it, as far as its file number */
	struct vd_fs_attr attr;
	size_t name_len;
	char name[VD_FS_NAME_MAX + 1];
	/* The target of a symbolic link, where the caller gives a buffer of VD_FS_LINK_MAX for it. */
	char *link;
	size_t link_len;
};

/* Reads the records of a directory one after the other. */
struct iso_cursor {
	struct iso_fs *iso;
	struct iso_dir dir;
	bool loose;   /* dir.size is only a bound: tree.c says where it ends */
	uint64_t pos; /* of the next record, from dir.start */
	uint64_t buf_pos;
	size_t buf_len, chunk;
	uint8_t *buf;
	size_t buf_size;
	/* The block of continuation areas that was read last: neighbours share it. */
	uint64_t ce_at;
	size_t ce_len;
	uint8_t ce[ISO_SECTOR];
};

/* names.c: text and times. All lengths in bytes; output is not terminated; @out holds VD_FS_NAME_MAX. */
size_t iso_name_plain(const uint8_t *name, size_t len, bool raw, char *out);
size_t iso_name_joliet(const uint8_t *name, size_t len, char *out);
/* A text field of a volume descriptor, trimmed, as UTF-8 with a final NUL. */
void iso_text(const uint8_t *in, size_t len, bool utf16, char *out, size_t size);
/* ECMA-119 9.1.5 and 8.4.26.1: seconds since 1970, 0 when absent or no date. */
time_t iso_date7(const uint8_t *p);
time_t iso_date17(const uint8_t *p);
/* A 32-bit number stored in both orders, little-endian unless that is beyond @max and the other is not. */
uint32_t iso_both32(const uint8_t *p, uint64_t max);
uint32_t iso_name_hash(const struct iso_fs *iso, const char *name, size_t len);
/* 0: differ; 1: the same but for case; 2: the same. */
int iso_name_match(const struct iso_fs *iso, const char *a, size_t alen, const char *b,
		   size_t blen);

/* volume.c: what lies before the tree. */
struct iso_session {
	uint32_t lba; /* of 2048 bytes; its volume descriptors begin 16 further */
	int number;
};

struct iso_descriptors {
	uint8_t primary[ISO_SECTOR], joliet[ISO_SECTOR];
	int joliet_level;
	bool enhanced;
	uint32_t boot_catalog; /* LBA, 0: none */
};

/* Sessions in ascending order, at most 99; 0 when there is no volume. */
size_t iso_sessions(struct vd_disc *disc, struct iso_session out[99]);
int iso_descriptors_read(struct vd_disc *disc, uint32_t lba, struct iso_descriptors *out);
/* Fills what a descriptor says about the volume of the session at @lba: sizes, root, name. */
int iso_volume_open(struct iso_fs *iso, const struct iso_descriptors *d, uint32_t lba, bool joliet);
/* The part of vd_iso_info() that only the primary tree tells. */
int iso_info_tree(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_iso_info *out,
		  struct vd_error *err);
/* Chooses among @n sessions; -ENOENT with words. */
int iso_session_choose(const struct iso_session *sessions, size_t n, int wanted, size_t *chosen,
		       struct vd_error *err);

/* susp.c: directory records and the system use fields. */
int iso_record_parse(const struct iso_fs *iso, const uint8_t *p, size_t avail,
		     struct iso_record *out);
/*
 * Fills @e from one record: everything but sections, `pos`, `next`. -EUCLEAN, -EIO; the name is set also then. -EBADMSG:
 * the record is probably not as long as it says, so that what comes behind it cannot be found.
 */
int iso_entry_parse(struct iso_cursor *c, const struct iso_record *r, uint32_t skip,
		    struct iso_entry *e);
/* Looks at the "." record of a root for SP and ER. */
struct iso_susp_found {
	bool sp, er, rock;
	uint32_t at;   /* where the fields begin in the "." record */
	uint32_t skip; /* and in all others */
};
int iso_susp_detect(struct iso_cursor *c, const struct iso_record *dot, struct iso_susp_found *out);

/* Does a directory's ".." record say that the directory was moved here from deeper in the tree (PL)? */
bool iso_record_moved(struct iso_cursor *c, const struct iso_record *dotdot, uint32_t skip);

/* tree.c */
int iso_tree_new(const struct iso_fs *iso, struct iso_tree **out);
void iso_tree_free(struct iso_tree *t);
/* -ENOENT: no directory that was met. */
int iso_tree_find(struct iso_fs *iso, uint64_t start, struct iso_dir *out);
/* Enters a directory whose record lies at @place. -ELOOP: it stands elsewhere or overlaps another. */
int iso_tree_enter(struct iso_fs *iso, const struct iso_dir *dir, uint64_t place);
/* 0, or -ELOOP when that directory is known from another place. */
int iso_tree_check(struct iso_fs *iso, uint64_t start, uint64_t place);
/* Where the directory begins whose record may lie at @pos; -ENOENT. */
int iso_tree_owner(struct iso_fs *iso, uint64_t pos, uint64_t *start);
/* Do the blocks of [start, start + len) belong to the directory that the block before them belongs to? */
bool iso_tree_same(struct iso_fs *iso, uint64_t start, uint64_t len);

/* dir.c */
void iso_cursor_init(struct iso_cursor *c, struct iso_fs *iso, const struct iso_dir *dir,
		     uint64_t pos);
void iso_cursor_done(struct iso_cursor *c);
/* 1: *r and *at (position); 0: the end; -EUCLEAN, -EIO, -ENOMEM. */
int iso_cursor_next(struct iso_cursor *c, struct iso_record *r, uint64_t *at);
/* The next entry that is shown. 1, 0 or -errno. @attrs: directories are entered and e->attr is theirs. */
int iso_entry_next(struct iso_cursor *c, struct iso_entry *e, bool attrs);
/* The thing whose first record lies at @ino. Its name and attributes are complete. */
int iso_entry_at(struct iso_fs *iso, uint64_t ino, struct iso_cursor *c, struct iso_entry *e);
/*
 * Enters a directory whose record at @place says @extent and @size (0: unknown), and gives its attributes,
 * which are those of its "." record. -ENOENT: it was moved there and is to be shown elsewhere.
 */
int iso_dir_enter(struct iso_fs *iso, uint64_t extent, uint32_t size, uint64_t place,
		  struct vd_fs_attr *attr);
int iso_dir_getattr(struct iso_fs *iso, uint64_t start, struct vd_fs_attr *attr);
int iso_dir_lookup(struct iso_fs *iso, uint64_t dir, const char *name, size_t len,
		   struct vd_fs_attr *attr);
int iso_dir_readdir(struct iso_fs *iso, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg);

/* file.c */
int iso_file_map(struct iso_fs *iso, uint64_t ino, uint64_t off, struct vd_fs_extent *out);
ssize_t iso_file_read(struct iso_fs *iso, uint64_t ino, void *buf, size_t len, uint64_t off);
/* Stored bytes, whole or failed. @c and @e come from iso_entry_at(). */
int iso_file_read_raw(struct iso_cursor *c, const struct iso_entry *e, void *buf, size_t len,
		      uint64_t off);

/* cdxa.c: sets e->cdxa, and the size then. Of a file in one section whose record is @r. */
void iso_cdxa_look(const struct iso_fs *iso, const struct iso_record *r, struct iso_entry *e);
/* [off, off + len) lies inside the file. Whole or failed. */
int iso_cdxa_read(struct iso_fs *iso, const struct iso_entry *e, void *buf, size_t len,
		  uint64_t off);

/* zisofs.c */
int iso_zcache_new(struct iso_zcache **out);
void iso_zcache_free(struct iso_zcache *z);
/* [off, off + len) lies inside the file. Whole or failed. */
int iso_zisofs_read(struct iso_cursor *c, const struct iso_entry *e, void *buf, size_t len,
		    uint64_t off);

static inline struct iso_fs *iso_fs_of(struct vd_fs *fs)
{
	return (struct iso_fs *)fs;
}

#endif
