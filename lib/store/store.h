/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A store is where bytes live. One contract for all of them; a layer keeps the one below in `inner`.
 *
 *   - Offsets and lengths are bytes. Nothing is aligned unless `block` says what is fastest.
 *   - 0 or -errno. A read or write is whole or failed: never short.
 *   - Bounds and read-only are checked once, in the vd_store_*() functions; an op sees only requests
 *     that lie inside the store, with len > 0.
 *   - Never-written and trimmed bytes read as zeros.
 *   - Every op may be called from many threads at once. Overlapping writes have no order; a read
 *     that overlaps a write sees, byte for byte, old or new.
 *   - Errors: -EINVAL outside the store, -EROFS write to a read-only one, -EIO the medium failed or
 *     has shrunk, -ENOSPC no room (what was written before stays), -EOPNOTSUPP.
 */
#ifndef VD_STORE_STORE_H
#define VD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

struct vd_store;

/* A range that is stored as it is in a file: `len` bytes at `offset` of `fd` (borrowed). */
struct vd_fd_range {
	int fd;
	uint64_t offset;
	uint64_t len;
};

/* As zram's mm_stat counts them; bytes but for the pages. */
struct vd_store_memory {
	uint64_t orig, compr;		/* what is stored: as written, and as kept */
	uint64_t used, used_max, limit; /* memory taken for it; limit 0: none */
	uint64_t same_pages,
		huge_pages; /* of 4096 bytes: one word over and over; kept as they are */
};

struct vd_store_ops {
	const char *name;
	int (*pread)(struct vd_store *s, void *buf, size_t len, uint64_t off);
	int (*pwrite)(struct vd_store *s, const void *buf, size_t len, uint64_t off);
	int (*zero)(struct vd_store *s, uint64_t off,
		    uint64_t len); /* NULL, -EOPNOTSUPP: zeros are written */
	int (*trim)(struct vd_store *s, uint64_t off,
		    uint64_t len);	  /* NULL, -EOPNOTSUPP: as zero */
	int (*flush)(struct vd_store *s); /* NULL: nothing is volatile */
	/* Where the bytes lie in a file, as far as one contiguous range goes. NULL: nowhere. */
	int (*map)(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out);
	/* What the bytes cost in memory. NULL: nothing. */
	void (*memory)(struct vd_store *s, struct vd_store_memory *out);
	/* -EOPNOTSUPP where there is no such limit (NULL). */
	int (*set_mem_limit)(struct vd_store *s, uint64_t bytes);
	void (*close)(struct vd_store *s); /* frees s and closes inner */
};

struct vd_store {
	const struct vd_store_ops *ops;
	struct vd_store *inner;
	uint64_t size;	/* bytes */
	uint32_t block; /* the unit that costs least, bytes; a power of two */
	bool read_only;
};

/* All of these are safe on any arguments. See the contract above for their errors. */
int vd_store_pread(struct vd_store *s, void *buf, size_t len, uint64_t off);
int vd_store_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off);
int vd_store_zero(struct vd_store *s, uint64_t off, uint64_t len);
int vd_store_trim(struct vd_store *s, uint64_t off, uint64_t len);
int vd_store_flush(struct vd_store *s);
/* -EOPNOTSUPP when the bytes lie in no file. out->len >= 1 and may be less than @len. */
int vd_store_map(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out);
/* Zeros where nothing is kept in memory. */
void vd_store_memory(struct vd_store *s, struct vd_store_memory *out);
/* Lowered below what is used, it makes writes fail with -ENOSPC; nothing is lost. */
int vd_store_set_mem_limit(struct vd_store *s, uint64_t bytes);
void vd_store_close(struct vd_store *s); /* NULL is fine */

/*
 * A regular file or block device. Takes @fd: closes it in vd_store_close(), and on failure too.
 * The size is what it is now; a file that shrinks later gives -EIO. @read_only refuses writes even if
 * the descriptor would allow them. A directory: -EISDIR; a FIFO, socket or character device: -EINVAL; a descriptor
 * that cannot be written, where @read_only is not set: -EBADF; with words.
 */
int vd_store_file_open(int fd, bool read_only, struct vd_store **out, struct vd_error *err);

/* @size bytes of plain memory, taken as they are written and given back when they are trimmed. */
int vd_store_mem_open(uint64_t size, struct vd_store **out, struct vd_error *err);

struct vd_lz4_options {
	uint64_t
		mem_limit; /* bytes of memory for what is stored; 0: as much as @size needs at worst */
	/*
	 * All memory is taken and locked now; reads and writes then allocate nothing and make no system call but
	 * to wait for each other.
	 */
	bool locked;
};

/* @size bytes in compressed pages (kernel/page_codec.h). -ENOMEM, -EPERM (may not lock that much). */
int vd_store_lz4_open(uint64_t size, const struct vd_lz4_options *o, struct vd_store **out,
		      struct vd_error *err);

/*
 * When set, a file store calls this before a read that cannot be answered from memory, in the thread that is
 * about to wait: a server that keeps others waiting behind this thread can hand its turn on. Set it before the
 * first read.
 */
extern void (*vd_store_before_wait)(void);

#endif
