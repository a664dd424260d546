/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A read-only file system on a disc. Inode numbers are the file system's own: stable for the life of the
 * vd_fs, never 0, below 2^56; any number may be passed in, and a wrong one gives an error and nothing worse.
 * Every function may be called from many threads at once.
 *
 * Nothing on the disc is trusted. A tree is always a tree: a directory that would be its own ancestor, or
 * that stands in two places, gives -ELOOP on lookup. A structure that is damaged gives -EUCLEAN (a short answer
 * is never returned as success), a read beyond the end of the image -EIO.
 *
 * One damaged entry does not hide its neighbours: readdir gives its name with an attr->mode that has no type (no bit of
 * S_IFMT is set), and a lookup of it gives the error. Directories that stand in two places are listed like that too.
 * Whoever walks a tree with readdir alone must take an entry without a type for an error.
 */
#ifndef VD_FS_FS_H
#define VD_FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "disc/disc.h"
#include "util/error.h"

#define VD_FS_NAME_MAX 1024u /* bytes of a name in UTF-8, without the final NUL */
#define VD_FS_LINK_MAX 4096u /* bytes of a link's target, with the final NUL */

struct vd_fs_attr {
	uint64_t ino;
	uint32_t mode; /* type and permissions, as in st_mode */
	uint32_t nlink, uid, gid;
	dev_t rdev;
	uint64_t size;	 /* bytes, as read() gives them */
	uint64_t blocks; /* 512-byte units on the disc, as in st_blocks */
	struct timespec atime, mtime, ctime;
};

/* Part of a file as it lies on the disc: `len` bytes at byte `offset` of the user data view. */
struct vd_fs_extent {
	uint64_t offset;
	uint64_t len;
	bool hole; /* reads as zeros; offset means nothing */
};

struct vd_fs_stat {
	uint64_t bytes; /* of the volume */
	uint32_t block; /* bytes */
	uint32_t name_max;
};

/*
 * Called for each entry, with the position after it. Returns 0 to go on, 1 to stop (full; this entry was not
 * taken), or -errno, which vd_fs_readdir() then returns. @attr is complete.
 */
typedef int (*vd_fs_filldir)(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
			     uint64_t next);

struct vd_fs;

struct vd_fs_ops {
	const char *name; /* as in `attr/filesystem` */
	int (*getattr)(struct vd_fs *fs, uint64_t ino, struct vd_fs_attr *attr);
	int (*lookup)(struct vd_fs *fs, uint64_t dir, const char *name, size_t len,
		      struct vd_fs_attr *attr);
	int (*readdir)(struct vd_fs *fs, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg);
	int (*readlink)(struct vd_fs *fs, uint64_t ino, char *buf, size_t size);
	int (*map)(struct vd_fs *fs, uint64_t ino, uint64_t off, struct vd_fs_extent *out);
	ssize_t (*read)(struct vd_fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off);
	int (*stat)(struct vd_fs *fs, struct vd_fs_stat *out);
	void (*close)(struct vd_fs *fs);
};

struct vd_fs {
	const struct vd_fs_ops *ops;
	struct vd_disc *disc; /* borrowed; outlives the file system */
	uint64_t root;
	char volume[256]; /* the volume's name in UTF-8, trimmed; "" when it has none */
	/* Which of the disc's trees is shown: "rock ridge", "joliet", "iso9660", "udf". */
	const char *view;
	int session, nsessions; /* the one shown, and how many there are */
};

/* How a file system is to be shown: `-o` of mount, read by vd_fs_options_parse(). */
struct vd_fs_options {
	bool norock, nojoliet;
	bool map_off;	      /* plain ISO names as they stand: FILE.TXT;1 (map=off) */
	int check;	      /* 0 as the kernel's default, 'r'elaxed: any case, 's'trict */
	bool hide, showassoc; /* leave out hidden files; show associated ones */
	bool udf, iso9660;    /* that tree of a disc with both, and no other */
	bool unhide;	      /* UDF: show hidden files */
	bool streams;	      /* UDF: show named streams, as FILE:STREAM */
	int session;	      /* 1.., or 0 for the last */
	bool has_uid, has_gid, has_mode, has_dmode;
	uint32_t uid, gid, mode, dmode; /* override what the disc says */
};

/*
 * Reads one option, "norock" or "session=2". 0; -ENOENT: not one of these; -EINVAL: with words.
 */
int vd_fs_option(struct vd_fs_options *o, const char *option, struct vd_error *err);

/*
 * Opens the file system of a disc. -EMEDIUMTYPE with words when it has none that vdrive reads (the words name
 * one that it recognises), -ENOENT when there is no such session, -EUCLEAN when it is damaged.
 */
int vd_fs_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
	       struct vd_error *err);
void vd_fs_close(struct vd_fs *fs); /* NULL is fine */

#define VD_FS_OTHERS_MAX 4
/* The names of file systems that are on the disc beside @fs: of bridges and hybrids. Returns how many. */
size_t vd_fs_others(struct vd_fs *fs, const char *out[VD_FS_OTHERS_MAX]);

int vd_fs_getattr(struct vd_fs *fs, uint64_t ino, struct vd_fs_attr *attr);
/* -ENOENT, -ENOTDIR, -ELOOP. "." and ".." are not looked up. */
int vd_fs_lookup(struct vd_fs *fs, uint64_t dir, const char *name, size_t len,
		 struct vd_fs_attr *attr);
/* From @pos on (0: the first); "." and ".." are left out. The order is the disc's. */
int vd_fs_readdir(struct vd_fs *fs, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg);
/* NUL-terminated. -EINVAL: not a link; -ENAMETOOLONG. */
int vd_fs_readlink(struct vd_fs *fs, uint64_t ino, char *buf, size_t size);
/*
 * Where byte @off of a file lies, as far as one contiguous range goes. -EOPNOTSUPP where the bytes are stored
 * otherwise (zisofs): use vd_fs_read(). -EINVAL at or beyond the end, -EISDIR, -EIO beyond the disc.
 */
int vd_fs_map(struct vd_fs *fs, uint64_t ino, uint64_t off, struct vd_fs_extent *out);
/* As pread(2): the bytes read, fewer only at the end of the file; or -errno. */
ssize_t vd_fs_read(struct vd_fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off);
int vd_fs_stat(struct vd_fs *fs, struct vd_fs_stat *out);

#endif
