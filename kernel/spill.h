/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between backing.c, which knows blocks of a backing store, and spill.c, which knows what is in them.
 */
#ifndef MEMDRIVE_SPILL_H
#define MEMDRIVE_SPILL_H

#include "memdrive.h"

/* What precedes an object on the store. Both are native: nothing there outlives the machine's being up. */
struct md_object {
	u32 index; /* of its slot */
	u16 len;   /* 1 to PAGE_SIZE; 0: no more objects begin in this block */
	u16 mark;  /* MD_OBJECT_MARK */
};

#define MD_OBJECT_MARK 0x6d64
#define MD_OBJECT_ALIGN sizeof(struct md_object)
/* A block in which no object begins. */
#define MD_NO_FIRST U16_MAX

static_assert(sizeof(struct md_object) == 8, "with more, an object could lie in three blocks");

/* Bytes of the store that an object with @len bytes takes. */
static inline unsigned int md_object_size(unsigned int len)
{
	return sizeof(struct md_object) + round_up(len, MD_OBJECT_ALIGN);
}

/* An object of any length has room in so many blocks. */
#define MD_BLOCKS_LEAST 2

/* Blocks are PAGE_SIZE bytes, numbered over all extents; a byte address is a block's number times that, and an offset. */
struct md_extent {
	u32 first;	 /* its first block's number */
	sector_t sector; /* where that is on the device */
};

struct md_block {
	u32 refs;  /* slots with an object in it, and holds; 0: free */
	u16 bytes; /* of objects that are needed, as far as they lie in it */
	u16 first; /* offset of the first object that begins in it */
};

struct md_backing {
	struct file *file;	   /* a regular file, or NULL */
	struct md_compat_bdev dev; /* a block device, or empty */
	struct block_device *bdev; /* where bios go, in both cases */
	char *path;
	u64 id; /* no two are alike, ever */
	struct md_extent *extents;
	unsigned int nr_extents;
	u32 nr_blocks;

	spinlock_t lock;    /* all below; inside a slot's lock; not for interrupts */
	unsigned long *map; /* set: in use */
	struct md_block *blocks;
	u32 used, hint;
	/*
	 * Blocks in a row to which only compaction writes: in the map, not among those used. Each has a reference for being there.
	 * Under compaction's lock, too.
	 */
	u32 zone_first, zone, zone_want;
	u64 bytes; /* of objects that are needed */
	/*
	 * `full` is set by spill.c, when a look at all of the store has found nothing to gain, and cleared by md_backing_put() when enough became
	 * needless to try again. Bytes that did since that look began; below 0 for a moment, while one moves.
	 */
	bool full;
	s64 freed;
};

/*
 * Takes up to @want free blocks in a row within an extent, and holds each; returns how many, at least MD_BLOCKS_LEAST, or 0
 * when there are none.
 */
u32 md_blocks_alloc(struct md_backing *b, u32 want, u32 *first);
/* Returns how many became free. */
u32 md_blocks_release(struct md_backing *b, u32 first, u32 n);

/*
 * Holds @block and the blocks behind it in the same extent that are owned by slots, at most @want, and returns how many; of the
 * first @least the caller knows that they are. What is on them is written, and stays.
 */
u32 md_blocks_hold_run(struct md_backing *b, u32 block, u32 least, u32 want);
/* The next block at or behind @block that is in use, or nr_blocks. */
u32 md_blocks_next(struct md_backing *b, u32 block);
/* After 0 nobody is in here any more whose last block that was. */
u32 md_blocks_used(struct md_backing *b);
/* Is there a block that is in use, but no slot's (yet, or any more)? That ends without anybody's help. */
bool md_blocks_unowned(struct md_backing *b);

/* Compaction's: a window is as many blocks in a row within an extent as the zone has. All under spill.c's compact_lock. */

/* Of the next *left blocks from *hand on: the next window that is worth it, held. Returns its length, or 0: there is none. */
u32 md_window_claim(struct md_backing *b, bool hard, u32 *hand, u32 *left, u32 *first);
/* Holds also the blocks beside it that are some slot's, in which objects may begin and end that lie in it. */
void md_window_widen(struct md_backing *b, u32 *first, u32 *n);

enum md_window {
	MD_WINDOW_EMPTY,  /* nobody but us has anything to do with it */
	MD_WINDOW_HELD,	  /* nothing is needed, but somebody still reads */
	MD_WINDOW_NEEDED, /* there are objects in it */
};
enum md_window md_window_state(struct md_backing *b, u32 first, u32 n);

/* Makes the zone as long as it should be, if it is not, and if there are free blocks for that. */
void md_zone_grow(struct md_backing *b);
/* Holds the zone's blocks, but for the first @skip. */
void md_zone_hold(struct md_backing *b, u32 skip);
/* Nothing begins in these. */
void md_zone_clear(struct md_backing *b, u32 skip);
/*
 * The window, which was held, is the zone from now on if it is empty; else what is the longer of its longest empty part and the
 * rest of the zone is. The first @written blocks of the zone have objects. Returns how many free blocks in a row the zone left behind.
 */
u32 md_zone_move(struct md_backing *b, u32 written, u32 first, u32 n);

sector_t md_block_sector(const struct md_backing *b, u32 block);

/* Under the lock of the slot that owns the object at @val from now on, whose blocks are held. @moved: it had another. */
void md_object_own(struct md_backing *b, u64 val, unsigned int len, bool moved);

/* The blocks that an object touches: one or two. */
static inline u32 md_object_block(u64 val)
{
	return val >> PAGE_SHIFT;
}

static inline u32 md_object_blocks(u64 val, unsigned int len)
{
	return ((val & ~PAGE_MASK) + md_object_size(len) - 1) / PAGE_SIZE + 1;
}

/*
 * Of the device's I/O: waits until it is done. No submit_bio of ours is above. At most MD_READ_BLOCKS. Compaction comes here when memory
 * is short, so nothing is allocated.
 */
#define MD_READ_BLOCKS 32
int md_blocks_read(struct md_backing *b, u32 first, u32 n, void *buf);
/* Adds a buffer of vmalloc's to a bio, whole. */
void md_bio_add_buffer(struct bio *bio, void *buf, unsigned int len);

/* spill.c, for attach and detach */

/*
 * d->backing has come; what is there from now on may spill. init_lock is held for writing. -errno: it stays unused.
 */
int md_spill_attached(struct md_device *d);
/*
 * Brings all back and lets go of d->backing's use: nothing is spilled then, and nothing will be. spill_admin is held, and
 * init_lock for reading, let go of when others want it and taken again. -ENOSPC, -EINTR, -EIO...: as it was, but for what came back already.
 */
int md_spill_recall(struct md_device *d);
bool md_spill_in_use(struct md_device *d);
/* A block became free, or much in blocks did, after md_backing.full was set. Under a slot's lock. */
void md_spill_room(struct md_device *d);

#endif
