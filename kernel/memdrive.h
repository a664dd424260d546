/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memdrive: a block device in compressed memory, which spills to a backing store before it fails a write.
 *
 *   main.c        the module, its disks, bios and rw_page        sysfs.c     attributes of a disk, and of the class
 *   slot.c        what is known of one page                      stream.c    what encoding needs, one set a CPU
 *   page_codec.c  one page in, its shortest form out             pool.c      zsmalloc, its limit, and the reserve
 *   backing.c     the file or device behind, its blocks          spill.c     what moves there and back
 *   density.c     cold pages, smaller, with zstd                 dedup.c     equal pages, once
 *   compat.h      the kernels' differences, all of them
 *
 * One page
 * --------
 * A device is an array of slots, one for each page of 4 KiB. A slot says how the page is encoded (its kind) and where the
 * encoded bytes are (its place). Each pair that can be, and what `val` then is:
 *
 *   kind   place    val                     bytes                                 given back by
 *   NONE   SLOT     0                       none: reads as zeros                  -
 *   SAME   SLOT     the word                none: one word over and over          -
 *   LZ4    POOL     zsmalloc's handle       len                                   md_pool_free
 *   RAW    POOL     the same                PAGE_SIZE                             md_pool_free
 *   ZSTD   POOL     the same                len                                   md_pool_free
 *   LZ4 RAW  RESERVE  struct page *         len, from the page's start            md_reserve_put
 *   LZ4 RAW  SHARED   struct md_shared *    len, of the object that it shares     md_dedup_put
 *   ZSTD   UNIT     struct md_unit *        len: the unit's; index: which page    md_density_put
 *   LZ4 RAW ZSTD  BACKING  byte address     len, behind the object's header       md_backing_put
 *
 * A page at UNIT may go to the backing store by itself: with all of its unit's bytes, and its index. Decoding knows by the bytes.
 *
 * How a slot goes from one to the next. "Any" is every state, and what it held is given back.
 *
 *   any              write             SAME, or LZ4/RAW in POOL; SHARED with dedup; RESERVE at the limit
 *   any              discard, zeroes, swap's notice, reset      NONE
 *   RESERVE          spill.c           BACKING, or POOL when there is room again
 *   POOL, SHARED, UNIT  spill.c           BACKING, once the write has ended well and nobody touched the slot
 *   BACKING          read, detach      POOL (promotion); or it stays
 *   LZ4/RAW in POOL, or SHARED with nobody  density.c         ZSTD in POOL or UNIT
 *   ZSTD             density.c         LZ4/RAW in POOL, when it is read often
 *
 * The lock of a slot
 * ------------------
 * Bit MD_LOCK of its flags, a spin lock: nothing sleeps under it. Everything else in a slot is changed under it only, but
 * for MD_MOVING and MD_MISSED_FREE: swap's notice that a page is gone (swap_slot_free_notify) comes under the swap code's own spin
 * locks and from below our callers, so it only tries the lock. Having failed, it sets that bit, which is atomic, and tries
 * once more. md_slot_unlock() sees the bit (it lets go by compare-and-exchange, so none is overlooked) and empties
 * the slot first. A missed free is thus carried out by whoever holds the lock at that moment, before anybody else can
 * have it; and the write of a page that gets this slot next begins only after the notice has returned, so what it writes
 * cannot be hit. Because of these bits flags are only ever changed by atomic operations, see md_slot_set().
 *
 * To move what a slot holds without its lock (a write to disk, zstd): remember md_slot_get() under the lock, work, take the
 * lock again and go on only if md_slot_same(). A handle may have been freed and given out again meanwhile, for the
 * same slot even; so whoever needs more than a guess sets MD_SPILLING or MD_PACKING under the first lock and
 * looks whether it is still there: md_slot_set() and md_slot_free() clear both.
 *
 * One write (main.c:write_page)
 * -----------------------------
 * A stream of this CPU is taken (a mutex: allocation may sleep), the page encoded into its buffer, memory for the result
 * allocated without waiting for anything but this CPU, the bytes copied. Only then the slot is locked, what it held
 * given back, the new put in. Without memory, and nowhere else to go, the stream is given back, memory is waited for, and
 * the page encoded once more. When the pool is at its limit or the system has no memory, and there is a backing store
 * with room (md_spill_usable), the encoded page goes into a page of the reserve instead, which is as good as written: the
 * bio completes, spill.c moves the page on. When the reserve is empty too, the bio is queued for a worker of the
 * device, which waits (md_room() wakes it) and goes on where the bio stood. submit_bio itself never waits for I/O: what
 * it would wait for may be queued behind it in current->bio_list.
 *
 * One read (main.c:read_page)
 * ---------------------------
 * Straight from the pool into the reader's page, under the slot's lock. A page of kind ZSTD is copied and unpacked without
 * the lock (md_density_read), a spilled one is read asynchronously (md_spill_read).
 *
 * Locks, in this order
 * --------------------
 *   init_lock (rwsem)                 a device comes, goes, and has its attributes changed. No I/O takes it
 *   stream's mutex
 *   slots, the lower index first
 *   a bucket of dedup's; backing's bitmap; the reserve's; a list of density's
 *   zsmalloc's own
 *
 * Workers run between md_worker_begin() and md_worker_end(): what they allocate must not wait for swap, which is us. Anything that may wait for the reserve has its own WQ_MEM_RECLAIM queue: of one whose rescuer alone is left, the
 * work that frees the reserve would never come to run.
 */
#ifndef MEMDRIVE_H
#define MEMDRIVE_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/bit_spinlock.h>
#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "page_codec.h"

#undef pr_fmt
#define pr_fmt(fmt) "memdrive: " fmt

#define MD_SECTORS_SHIFT (PAGE_SHIFT - SECTOR_SHIFT) /* sectors to pages */

struct md_backing;
struct md_dedup;
struct md_density;
struct md_spill;
struct md_stream;
struct zs_pool;

/* Slots. */

enum md_kind {
	MD_NONE = VD_PAGE_NONE,
	MD_SAME = VD_PAGE_SAME,
	MD_LZ4 = VD_PAGE_LZ4,
	MD_RAW = VD_PAGE_RAW,
	MD_ZSTD,
};

enum md_place {
	MD_AT_SLOT,
	MD_AT_POOL,
	MD_AT_RESERVE,
	MD_AT_SHARED,
	MD_AT_UNIT,
	MD_AT_BACKING,
};

struct md_slot {
	u64 val;
	unsigned long flags;
	u32 sum;  /* of the stored bytes, when MD_HAS_SUM */
	u32 time; /* jiffies of the last read or write by a user, cut to 32 bits */
};

/* Bits of md_slot.flags; 32 do. */
enum {
	MD_LOCK,	/* bit_spin_lock */
	MD_MISSED_FREE, /* set without the lock; whoever unlocks frees */
	MD_MOVING,	/* spill.c is moving it; taken and given back without the lock */
	MD_SPILLING,	/* spill.c is writing this very content */
	MD_PACKING,	/* density.c is packing this very content */
	MD_IDLE,	/* marked by `idle`, and not touched since */
	MD_STUBBORN,	/* density.c could not make it smaller */
	MD_WARM,	/* ZSTD: read not long ago */
	MD_HAS_SUM,
	MD_KIND_SHIFT,			     /* 3 bits */
	MD_PLACE_SHIFT = MD_KIND_SHIFT + 3,  /* 3 bits */
	MD_INDEX_SHIFT = MD_PLACE_SHIFT + 3, /* 2 bits: which page of a unit */
	MD_LEN_SHIFT = MD_INDEX_SHIFT + 2,   /* 13 bits */
	MD_FLAGS_END = MD_LEN_SHIFT + 13,
};

/* What a slot holds, as a value. */
struct md_entry {
	u64 val;
	u32 sum;
	u16 len; /* bytes of the encoded page; at UNIT: of the whole unit */
	u8 kind;
	u8 place;
	u8 index;
	bool has_sum;
};

/* Statistics: sums over the CPUs, each at least approximately right at any time. */
enum md_stat {
	MD_STAT_PAGES, /* slots that are not NONE, wherever they are */
	MD_STAT_COMPR, /* bytes of encoded pages in memory (dedup.c and density.c count theirs) */
	MD_STAT_SAME,  /* pages */
	MD_STAT_HUGE,  /* RAW pages in memory */
	MD_STAT_HUGE_SINCE,   /* RAW pages ever written */
	MD_STAT_NOTIFY_FREE,  /* pages freed by swap's notice or a discard */
	MD_STAT_MISS_FREE,    /* notices that came while the slot was locked */
	MD_STAT_FAILED_READS, /* pages */
	MD_STAT_FAILED_WRITES,
	MD_STAT_INVALID_IO,
	MD_STAT_WRITESTALL,	  /* allocations that had to try again with reclaim */
	MD_STAT_RESERVED,	  /* pages ever written to the reserve */
	MD_STAT_DEFERRED,	  /* bios that had to wait for the reserve */
	MD_STAT_VERIFY_FAILED,	  /* pages whose checksum or form was wrong */
	MD_STAT_BD_READS,	  /* spill.c: blocks read */
	MD_STAT_BD_WRITES,	  /* spill.c: blocks written */
	MD_STAT_SPILLED,	  /* slots at BACKING */
	MD_STAT_SHARED,		  /* dedup.c: slots at SHARED */
	MD_STAT_OBJECTS,	  /* what they share */
	MD_STAT_DEDUP_SAVED,	  /* bytes of encoded pages that are not there twice */
	MD_STAT_DEDUP_COLLISIONS, /* pages compared that were not equal */
	MD_STAT_PACKED,		  /* pages of kind ZSTD in memory */
	MD_STAT_UNITS,		  /* density.c: that there are */
	MD_STAT_PACKED_SINCE,	  /* pages ever packed */
	MD_STAT_PACK_SAVED,	  /* bytes of encoded pages that this saved, ever */
	MD_STAT_STUBBORN_SINCE,	  /* pages that did not get smaller */
	MD_STAT_UNPACKED_SINCE,	  /* pages that came back to LZ4 for being read often */
	MD_STAT_PACK_NS,	  /* CPU time of the thread */
	MD_STATS,
};

struct md_stats {
	long v[MD_STATS];
};

/* The pool: zsmalloc, what it may take, and the reserve. */
struct md_pool {
	struct zs_pool *zs;
	unsigned long limit_pages; /* 0: none */
	/* When the pool holds more pages than this a store calls md_spill_kick(); spill.c sets it. ULONG_MAX: never. */
	unsigned long kick_pages;
	atomic_long_t used_max; /* pages */
	/* Below: the reserve. */
	spinlock_t reserve_lock;
	struct list_head reserve,
		reserve_used; /* by page->lru; used ones have their slot's index in private */
	unsigned int reserve_free, reserve_all;
	wait_queue_head_t room; /* deferred writes wait here */
	bool wanted;		/* there are some */
	atomic_t room_seq;	/* told apart: something happened since, while there were some */
};

/* spill.c's */
struct md_spill_settings {
	unsigned int age;	/* seconds; 0: pages are not spilled for their age */
	unsigned int watermark; /* percent of the limit */
	unsigned int readback;	/* blocks */
	unsigned int reserve;	/* pages, from the next attach on */
	bool budget_on;
	u64 budget; /* blocks that may still be written; under init_lock, or spill.c's lock */
};

struct md_device {
	struct gendisk *disk;
	int id;
	/* Under disk->open_mutex: being reset, or removed, so not to be opened. */
	bool claim, removed;
	/*
	 * Writers of settings and whoever makes and ends the device hold it for writing. Below it, from slots to write_wq:
	 * there while slots != NULL.
	 */
	struct rw_semaphore init_lock;
	u64 disksize; /* bytes */
	u32 nr_pages;
	struct md_slot *slots;
	struct md_pool pool;
	struct workqueue_struct *write_wq; /* for write_work only: it waits for the reserve */
	struct work_struct write_work;
	spinlock_t write_lock;
	struct bio_list write_queue;	 /* each stands at its first page that is not written */
	struct md_stats __percpu *stats; /* as long as the device */
	/* Settings: read without a lock where they are used. */
	bool verify;
	bool dedup_on;
	bool density_on;
	u8 density_pages;  /* of a unit */
	int density_level; /* zstd's */
	u32 density_age;   /* seconds */
	struct md_spill_settings spilling;
	struct mutex spill_admin; /* of those who spill, compact, detach by hand; above init_lock */
	/* Each file's own; NULL until its init, and whenever it has nothing to keep. */
	struct md_backing *backing;
	struct md_spill *spill;
	struct md_density *density;
	struct md_dedup *dedup;
};

static inline struct md_device *md_of(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static inline bool md_ready(const struct md_device *d)
{
	return d->slots != NULL;
}

static inline void md_count(struct md_device *d, enum md_stat which, long by)
{
	this_cpu_add(d->stats->v[which], by);
}

/* The sum over the CPUs, at least 0: counting goes on meanwhile. */
u64 md_stat_sum(struct md_device *d, enum md_stat which);

/* slot.c */

static inline struct md_slot *md_slot_at(struct md_device *d, u32 index)
{
	return &d->slots[index];
}

static inline void md_slot_lock(struct md_slot *s)
{
	bit_spin_lock(MD_LOCK, &s->flags);
}

static inline bool md_slot_trylock(struct md_slot *s)
{
	return bit_spin_trylock(MD_LOCK, &s->flags);
}

/* Carries out a free that was missed meanwhile. */
void md_slot_unlock(struct md_device *d, struct md_slot *s);

static inline enum md_kind md_slot_kind(const struct md_slot *s)
{
	return READ_ONCE(s->flags) >> MD_KIND_SHIFT & 7;
}

static inline enum md_place md_slot_place(const struct md_slot *s)
{
	return READ_ONCE(s->flags) >> MD_PLACE_SHIFT & 7;
}

static inline unsigned int md_slot_len(const struct md_slot *s)
{
	return READ_ONCE(s->flags) >> MD_LEN_SHIFT & 8191;
}

static inline bool md_slot_test(const struct md_slot *s, unsigned int bit)
{
	return READ_ONCE(s->flags) & BIT(bit);
}

/* Under the lock. Atomic because of MD_MISSED_FREE. */
static inline void md_slot_mark(struct md_slot *s, unsigned int bit)
{
	set_bit(bit, &s->flags);
}

static inline void md_slot_unmark(struct md_slot *s, unsigned int bit)
{
	clear_bit(bit, &s->flags);
}

/* Under the lock: what the slot holds, and is it still that? (See the head of this file for what that is worth.) */
struct md_entry md_slot_get(const struct md_slot *s);
bool md_slot_same(const struct md_slot *s, const struct md_entry *e);

/*
 * Under the lock: the slot now holds @e, and statistics follow. What it held is *not* given back: this is for moving a
 * page. Clears SPILLING, PACKING, IDLE, STUBBORN and WARM; leaves the time alone.
 */
void md_slot_set(struct md_device *d, struct md_slot *s, const struct md_entry *e);

/*
 * Under the lock: the same page elsewhere; gives back what the slot held. At no time does the slot look empty to those who look
 * without the lock (discard_bio).
 */
void md_slot_replace(struct md_device *d, struct md_slot *s, const struct md_entry *e);

/* Under the lock: gives back what the slot holds; it is NONE then. */
void md_slot_free(struct md_device *d, struct md_slot *s);

/* Locks, frees, sets, unlocks: what a write does at its end. The slot owns what @e points to. */
void md_slot_install(struct md_device *d, u32 index, const struct md_entry *e);

/*
 * Under the lock: decodes a slot of kind NONE, SAME, LZ4 or RAW that is not at BACKING into @page (8-byte aligned).
 * -EIO when the stored bytes are not what was stored: counted and logged here.
 */
int md_slot_read(struct md_device *d, struct md_slot *s, void *page);

/*
 * Under the lock: copies the stored bytes of a slot at POOL, RESERVE, SHARED or UNIT to @out, which has PAGE_SIZE bytes, and
 * returns how many. They are not checked.
 */
unsigned int md_slot_copy(struct md_device *d, struct md_slot *s, void *out);

/* Under the lock: the pool's handle of what a slot at POOL, SHARED or UNIT holds, which may be others' as well; else 0. */
unsigned long md_slot_handle(const struct md_slot *s);

/* Decodes stored bytes of kind LZ4 or RAW from elsewhere, with the sum that the slot had. -EIO as above. */
int md_entry_decode(struct md_device *d, u32 index, const struct md_entry *e, const void *data,
		    void *page);

/* A page turned out to be wrong: counts and says so, not too often. Returns -EIO. */
int md_corrupt(struct md_device *d, u32 index);

/* Seconds since a user touched the slot; wraps after 49 days of HZ 1000, when cold pages look young once more. */
static inline u32 md_slot_age(const struct md_slot *s)
{
	return ((u32)jiffies - READ_ONCE(s->time)) / HZ;
}

static inline u32 md_slot_index(const struct md_device *d, const struct md_slot *s)
{
	return s - d->slots;
}

/* pool.c. Handles are never 0. */

/* Of a new device; then what the reserve needs is there. The other two are of one that gets a size and loses it. */
void md_pool_setup(struct md_device *d);
int md_pool_init(struct md_device *d);
void md_pool_exit(struct md_device *d);

/* Memory for an object of so many bytes, or none when the handle is 0. */
struct md_spare {
	unsigned long handle;
	unsigned int len;
};

/*
 * Stores @len bytes, 1 to PAGE_SIZE, without waiting for memory: with a stream or a lock of others. Uses up @spare if it is of that length;
 * it may be NULL. Kicks the spill when the pool is above kick_pages. -ENOSPC: at the limit. -ENOMEM: no memory.
 */
int md_pool_store(struct md_device *d, const void *data, unsigned int len, struct md_spare *spare,
		  unsigned long *handle);
/* After -ENOMEM, with nothing held that others need: tries as hard as GFP_NOIO allows. -ENOMEM: in vain. */
int md_pool_press(struct md_device *d, unsigned int len, struct md_spare *spare);
void md_pool_drop_spare(struct md_device *d, struct md_spare *spare);

/*
 * The object's @len bytes, readable until md_pool_unmap(), with nothing in between that sleeps, or maps another. Migration
 * leaves an object alone meanwhile; who frees it must be kept off by the caller, as the slot's lock does.
 */
const void *md_pool_map(struct md_device *d, unsigned long handle, unsigned int len);
void md_pool_unmap(struct md_device *d, unsigned long handle, const void *data, unsigned int len);

/* Other bytes in the place of the object's @len, for tests; kept off as for md_pool_map(). */
void md_pool_overwrite(struct md_device *d, unsigned long handle, const void *data,
		       unsigned int len);

/* Any context that may take a spin lock. Wakes deferred writes. */
void md_pool_free(struct md_device *d, unsigned long handle);

unsigned long md_pool_pages(struct md_device *d); /* that it holds */
/* Objects of so many bytes and more take a whole page of the pool. */
unsigned int md_pool_huge(struct md_device *d);
bool md_pool_full(struct md_device *d); /* at the limit, or above */

unsigned long md_pool_compact(struct md_device *d);   /* pages that it freed */
unsigned long md_pool_compacted(struct md_device *d); /* in all */

/*
 * The reserve: @pages pages that are there beforehand. backing.c asks for it at attach (may sleep; -ENOMEM leaves it as it
 * was) and takes it away at detach with 0, when all of its pages are free again (-EBUSY).
 */
int md_reserve_resize(struct md_device *d, unsigned int pages);
/* For slot @index. NULL when there is none free. Does not sleep. */
struct page *md_reserve_get(struct md_device *d, u32 index);
/*
 * The slot that has had its page of the reserve the longest; the next call tells the next one, around and around. It may have
 * it no more, or not yet. False: none is used.
 */
bool md_reserve_next(struct md_device *d, u32 *index);
static inline unsigned int md_reserve_used(struct md_device *d)
{
	return READ_ONCE(d->pool.reserve_all) - READ_ONCE(d->pool.reserve_free);
}
/* Under a spin lock too. Wakes deferred writes. */
void md_reserve_put(struct md_device *d, struct page *page);

u64 md_reserve_memory(struct md_device *d); /* bytes */

/* Deferred writes try again: there is room, or there will never be (md_spill_usable() turned false). */
void md_room(struct md_device *d);

/* stream.c: one set of buffers a CPU, shared by all devices. */

struct md_stream {
	struct mutex lock;
	void *out;    /* PAGE_SIZE bytes: an encoded page. NULL while the CPU is away */
	void *work;   /* VD_PAGE_WORK_SIZE */
	void *copy;   /* PAGE_SIZE bytes, with MD_ZS_COPIES; not under the mutex */
	void *unpack; /* density.c's: what zstd needs to unpack, or NULL */
};

int md_streams_init(void);
void md_streams_exit(void);

/* Locked, with its buffers there. May sleep. Never two by one task. */
struct md_stream *md_stream_get(void);
void md_stream_put(struct md_stream *s);
/* This CPU's copy buffer, which is ours until it is put; nothing sleeps in between. */
void *md_stream_copy_get(void);
void md_stream_copy_put(void);
size_t md_streams_memory(void); /* bytes, of all CPUs, but for density's */

/* main.c */

/* Copies the PAGE_SIZE bytes at @iter of @bio from or to @buf, whatever pages they lie in. */
void md_bio_read(struct bio *bio, struct bvec_iter iter, void *buf);
void md_bio_write(struct bio *bio, struct bvec_iter iter, const void *buf);

/* Reads on from where the bio stands, to its end. */
void md_read_resume(struct md_device *d, struct bio *bio);

/* Makes slots, pool and the rest for @size bytes (a multiple of PAGE_SIZE); init_lock is held for writing. */
int md_device_init(struct md_device *d, u64 size);
/*
 * Back to what md_add() made: no size, no backing store, settings as they are by default. Nobody has it open, no bio is
 * under way, init_lock is held for writing.
 */
void md_device_reset(struct md_device *d);

/* What writing `reset` does. -EBUSY: it is open, or being reset. */
int md_claim_and_reset(struct md_device *d);

int md_add(void);	   /* returns the number */
int md_remove(int number); /* -ENODEV, -EBUSY */

static inline unsigned int md_worker_begin(void)
{
	unsigned int old = current->flags;

	/* As the loop driver's: writes to the backing store are not throttled for what others made dirty. */
	current->flags |= PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE;
	return old;
}

static inline void md_worker_end(unsigned int old)
{
	current_restore_flags(old, PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE);
}

/* sysfs.c */

extern const struct attribute_group *md_disk_groups[]; /* sysfs.c's and those of the files below */
/* A size as memparse() has it, the whole of @buf: "512M\n". */
int md_parse_size(const char *buf, u64 *bytes);
int md_control_init(void);
void md_control_exit(void);

/*
 * The other files, as the core calls them. *_init comes from md_device_init(), before there can be I/O; *_exit when all I/O
 * has ended: it ends work, timers and workers. Then the slots are freed, one by one, and *_destroy frees tables after
 * that. Both may be called without init. Each group of attributes is defined where its matter is.
 */

/*
 * backing.c: backing_dev (rw). A device, or a file on ext4 or XFS; attach and detach at any time, also before disksize. What
 * was attached stays so until reset.
 */
extern const struct attribute_group md_backing_group;
/* At reset and removal, after md_spill_destroy(); whatever is spilled is gone by then. */
void md_backing_destroy(struct md_device *d);
/* Under a slot's lock: the object of @len bytes at @val is not needed any more. */
void md_backing_put(struct md_device *d, u64 val, unsigned int len);
u64 md_backing_memory(struct md_device *d); /* bytes of tables */

/* spill.c: writeback, writeback_limit, writeback_limit_enable, bd_stat, spill_*. */
extern const struct attribute_group md_spill_group;
void md_spill_defaults(struct md_device *d);
int md_spill_init(struct md_device *d);
void md_spill_exit(struct md_device *d);
void md_spill_destroy(struct md_device *d);
/* Is there a backing store that works and has room, or will have it by compacting? Cheap; any context. */
bool md_spill_usable(struct md_device *d);
/* d->pool.limit_pages has changed; init_lock is held for writing. */
void md_spill_limit_changed(struct md_device *d);
/* There is something to spill now. Cheap, any context, also when there is no backing store. */
void md_spill_kick(struct md_device *d);
/*
 * Called with the slot locked and at BACKING; unlocks it. Reads the page into the PAGE_SIZE bytes at @iter of
 * @parent, on which it takes a reference (bio_inc_remaining) that ends with its read: errors go to parent->bi_status, and
 * MD_STAT_FAILED_READS is counted there. Never waits. -EAGAIN: there is no memory to do so, and nothing was done.
 */
int md_spill_read(struct md_device *d, struct md_slot *s, struct bio *parent,
		  struct bvec_iter iter);
/* After -EAGAIN: md_read_resume() is called with the bio when there is memory. */
void md_spill_queue_read(struct md_device *d, struct bio *bio);

/* density.c: recomp_algorithm, recompress, algorithm_params, density_*. */
extern const struct attribute_group md_density_group;
void md_density_defaults(struct md_device *d);
int md_density_init(struct md_device *d);
void md_density_exit(struct md_device *d);
void md_density_destroy(struct md_device *d);
/*
 * No lock held, may sleep for a stream: reads a slot of kind ZSTD at POOL or UNIT into @page. -EAGAIN: it is none any more,
 * look again.
 */
int md_density_read(struct md_device *d, u32 index, void *page);
/*
 * md_entry_decode() for kind ZSTD, wherever the e->len bytes at @data come from: the page that e->index says. May sleep for a
 * stream.
 */
int md_density_decode(struct md_device *d, u32 index, const struct md_entry *e, const void *data,
		      void *page);
/* Under the slot's lock: the handle of its unit. */
unsigned long md_density_handle(u64 val);
/* Under the slot's lock: the slot leaves its unit. */
void md_density_put(struct md_device *d, const struct md_entry *e);
/* Of a stream: s->unpack. -ENOMEM. release() may be called without prepare(). */
int md_density_stream_prepare(struct md_stream *s, unsigned int cpu);
void md_density_stream_release(struct md_stream *s);
u64 md_density_memory(struct md_device *d);

/* dedup.c: dedup (0, 1), dedup_stat. */
extern const struct attribute_group md_dedup_group;
int md_dedup_init(struct md_device *d);
void md_dedup_exit(struct md_device *d);
void md_dedup_destroy(struct md_device *d);
/*
 * What dedup_on puts in the place of md_pool_store(), errors and all: an object equal to @data with one more reference, or
 * @data stored. Fills val and place of @e, whose other fields are set; @hash is XXH64 over @data. Counts MD_STAT_COMPR.
 */
int md_dedup_store(struct md_device *d, const void *data, u64 hash, struct md_spare *spare,
		   struct md_entry *e);
/* Under the slot's lock. */
void md_dedup_put(struct md_device *d, u64 val);
/* Under the slot's lock: the object that it shares, a handle of the pool. */
unsigned long md_dedup_handle(u64 val);
/* Under the slot's lock: does no other share it, at this moment? */
bool md_dedup_lone(struct md_device *d, u64 val);
u64 md_dedup_memory(struct md_device *d);

#endif
