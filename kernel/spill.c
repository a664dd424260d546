// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What moves to the backing store, when, and back.
 *
 * Out: pages are gathered into a cluster, up to 128 KiB in memory that is there from attach on, and written with one bio. One
 * worker a device does that, as long as the pool is above its watermark, pages are older than spill_age, or the
 * reserve is in use; `writeback` does the same for whoever writes it. Objects lie in a cluster one after another as they
 * were in the pool, each behind a header that says whose it is. A page that was packed in a unit takes all of the unit's
 * bytes along, and its index in it.
 *
 * Which pages: those that were touched least recently. One pass over all slots makes a histogram of their ages, from
 * which comes the age that makes a page old; the hand of a clock goes around and takes the old ones, until that is done and
 * a new histogram is due. A pass is made for at least a sixteenth of what the pool holds, so its cost for each page is
 * bounded. Pages of the reserve are the youngest of all, so they rather go into the pool, in the room that old ones left.
 *
 * Back: who reads a page gets it by a bio of its own (md_spill_read), together with the blocks behind it as far as they are
 * in use: in them are pages that were of the same age, and near. If there is room, all of these go back into the pool.
 *
 * Compaction: what is still needed in a window of blocks in a row, of which much is not needed any more, is written anew, to the
 * zone: as many blocks, to which nobody else may write. The window, empty then, is the next zone; what the old zone has left
 * is a run of free blocks. So it needs no free blocks to begin with, and no matter how scattered needless bytes are, it makes
 * runs of them. At first only windows are taken of which little is needed. A store in which there is none is searched for any
 * that gains as much as an object needs; it is full when there is none either, nothing is being written, nothing that is read is
 * still held, and nothing became needless during the search. Until then whoever writes waits.
 *
 * No page is lost, none is old
 * ----------------------------
 * A slot's content is what it holds under its lock. Whoever reads or writes a page decides in that lock which content it is,
 * so all that matters is that a slot never comes to hold anything but its last content. It is changed here in four ways,
 * each under the slot's lock, and each only if the slot still holds what was moved:
 *
 *   any other to BACKING   a cluster's write has ended   MD_SPILLING is still set
 *   RESERVE to POOL        reserve_to_pool()             MD_SPILLING is still set
 *   BACKING to POOL        promote(), after a read       it is at BACKING, and val is that address
 *   BACKING to BACKING     a cluster of compaction's     it is at BACKING, and val is that address
 *
 * 1. MD_SPILLING is set under the lock, when the content was copied, and every change of a slot's content clears it
 *    (md_slot_set, md_slot_free). So it is still set exactly if the content is still the copied one; unless somebody else set
 *    it again for a later content. That cannot be: at most one move of a slot is under way. Its MD_MOVING is taken
 *    before the slot is looked at, and given back after it has been changed, or left alone.
 * 2. An address names a content as long as its blocks cannot be given out again. A block is free when its refs are 0. Each
 *    slot that holds an object has a reference to its blocks, and so has whoever reads or writes them: a cluster's write
 *    from before it begins until its slots have theirs; a read from the slot's lock, where the slot had one, until all of its
 *    pages are decoded and promoted; compaction and recall from before they read until the moves have been made. What is looked at
 *    beyond the blocks of one's own slot are only blocks that some slot owned when they came to be held (md_block.bytes
 *    is not 0): then their write has ended, and what is read is not what was there before. (In blocks of a window that were
 *    free nothing begins.) So whoever finds the address that it read in a slot, while it holds the blocks, knows that this
 *    slot's content is what it has read, however often the slot was written in between.
 * 3. The old copy is given back only together with the change to the new one, in the same lock. A write that failed changes
 *    nothing. What is read is not believed: the header must name the slot and the length, then the checksum comes.
 * 4. A read that was begun before an overwrite may return the content of before: it got its content in the lock, and nobody
 *    was told yet that the write is done.
 *
 * MISSED_FREE needs no care here: it is md_slot_unlock() that empties the slot, as if somebody had come next.
 *
 * Who waits for whom
 * ------------------
 * Ends of bios only queue to done_wq. Its work waits for nothing but memory of the system's, without I/O, and a stream.
 * The spill worker waits for clusters, that is for done_wq. Deferred reads (read_wq) wait for reads that end, which is
 * done_wq. Deferred writes (write_wq, in main.c) wait for the reserve, that is for the spill worker. Nobody waits for a second
 * cluster while it has one. Each queue has its own rescuer.
 */
#include <linux/ctype.h>
#include <linux/log2.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#include "spill.h"

#define CLUSTERS 4
#define CLUSTER_BLOCKS 32
#define CLUSTER_BYTES (CLUSTER_BLOCKS * PAGE_SIZE)
#define CLUSTER_OBJECTS 512

static_assert(CLUSTER_BLOCKS <= MD_READ_BLOCKS, "recall reads as much as a cluster has");

/* A read has memory for an object for certain, and for its neighbours if there is. */
#define READS_MIN 16
#define READ_ORDER 1
#define READAHEAD_ORDER 3
#define READAHEAD_BLOCKS (1u << READAHEAD_ORDER)

/* So often compaction looks again whether others have let go of its window, a tick each time. */
#define WINDOW_TRIES 50

/* After so many failed writes in a row the store is left alone for a while, up to a minute. */
#define FAILURES_MAX 8
#define PAUSE_MAX (60 * HZ)

/* The worker lets others have its queue's thread after so many clusters. */
#define PASSES 64

/* Ages, as a histogram: four to each power of two. */
#define AGES 128

struct moved {
	u64 from; /* BACKING: the address; else NOWHERE */
	u32 index;
	u32 offset; /* in the cluster */
};

#define NOWHERE U64_MAX

/* Who waits for all clusters of his. */
struct batch {
	atomic_t left;
	atomic_t failed;
};

struct cluster {
	struct list_head list;
	struct work_struct work;
	struct md_spill *sp;
	struct batch *batch;
	struct bio bio;
	struct bio_vec bvecs[CLUSTER_BLOCKS];
	void *buf; /* CLUSTER_BYTES */
	u32 first, blocks;
	unsigned int used, space, count; /* bytes, bytes, objects */
	struct moved moved[CLUSTER_OBJECTS];
};

struct md_read {
	struct work_struct work;
	struct md_spill *sp;
	struct bio *parent;
	struct bvec_iter iter;
	struct md_entry e;
	u32 index;
	u32 first, blocks;
	struct bio bio;
	struct bio_vec bvec;
	struct page *page;  /* READ_ORDER */
	struct page *ahead; /* READAHEAD_ORDER, or NULL */
	void *out;	    /* a page, decoded, for a bio whose memory is in pieces */
};

struct sweep {
	u32 hand, left; /* slots */
	u32 threshold;	/* of md_slot.time: what is not later is taken */
};

struct md_spill {
	struct md_device *d;
	/* From the first attach on: who is late still finds them, and no page at BACKING. */
	struct workqueue_struct *wq, *done_wq, *read_wq;
	mempool_t *reads;
	/* While attached. */
	struct work_struct work, read_work;
	struct delayed_work tick;
	struct cluster *clusters;
	void *scratch;	 /* PAGE_SIZE, the worker's */
	void *compacted; /* MD_READ_BLOCKS blocks, under compact_lock */

	bool attached;	/* under init_lock for writing, or of recall's */
	bool recalling; /* only what must go out does */
	bool closing;	/* nothing goes out */
	bool usable;	/* what md_spill_usable() says */
	bool draining;	/* the worker's: until the pool is below drain_pages */
	unsigned long drain_pages, promote_pages;
	struct sweep lru, aged;
	unsigned long next_aging; /* jiffies */
	bool aging_due;
	unsigned long gathered; /* bytes taken from the pool since zsmalloc was compacted */

	spinlock_t lock; /* below, up to failures; innermost */
	struct list_head free_clusters;
	struct bio_list waiting; /* deferred reads */
	unsigned int failures;	 /* writes, in a row */
	bool paused;
	unsigned long pause, resume_at; /* jiffies */

	wait_queue_head_t wait; /* a cluster is free, or done */
	struct mutex compact_lock;
	u32 compact_hand;
	atomic_t writes;	 /* clusters under way */
	atomic_long_t under_way; /* their bytes */
	atomic64_t spilled, promoted, compactions, write_errors, read_errors;
};

/* State. */

static void update_usable(struct md_spill *sp)
{
	struct md_device *d = sp->d;
	bool usable;

	spin_lock(&sp->lock);
	usable = READ_ONCE(sp->attached) && !sp->paused && !READ_ONCE(d->backing->full);
	WRITE_ONCE(sp->usable, usable);
	spin_unlock(&sp->lock);
	md_room(d);
}

bool md_spill_usable(struct md_device *d)
{
	const struct md_spill *sp = d->spill;

	return sp && READ_ONCE(sp->usable);
}

void md_spill_kick(struct md_device *d)
{
	struct md_spill *sp = d->spill;

	/* Pairs with md_spill_attached(): who sees it attached sees its queues. */
	if (sp && smp_load_acquire(&sp->attached))
		queue_work(sp->wq, &sp->work);
}

void md_spill_room(struct md_device *d)
{
	if (!d->spill || !READ_ONCE(d->spill->attached))
		return;
	update_usable(d->spill);
	md_spill_kick(d);
}

/* The watermark, where draining ends, and up to where pages are brought back, in this order downwards: */
void md_spill_limit_changed(struct md_device *d)
{
	unsigned long limit = d->pool.limit_pages, kick = ULONG_MAX;
	struct md_spill *sp = d->spill;

	if (!sp)
		return;
	if (sp->attached && limit)
		kick = mult_frac(limit, READ_ONCE(d->spilling.watermark), 100);
	sp->drain_pages = limit ? kick - kick / 32 : ULONG_MAX;
	sp->promote_pages = limit ? kick - kick / 64 : ULONG_MAX;
	WRITE_ONCE(d->pool.kick_pages, kick);
	if (md_pool_pages(d) > kick)
		md_spill_kick(d);
}

/* See 1 above. */

static bool begin_move(struct md_slot *s)
{
	return !test_and_set_bit_lock(MD_MOVING, &s->flags);
}

static void end_move(struct md_slot *s)
{
	clear_bit_unlock(MD_MOVING, &s->flags);
}

/* Clusters. */

static struct cluster *pop_cluster(struct md_spill *sp)
{
	struct cluster *c;

	spin_lock(&sp->lock);
	c = list_first_entry_or_null(&sp->free_clusters, struct cluster, list);
	if (c)
		list_del(&c->list);
	spin_unlock(&sp->lock);
	return c;
}

static struct cluster *get_cluster(struct md_spill *sp, struct batch *batch)
{
	struct cluster *c;

	wait_event(sp->wait, (c = pop_cluster(sp)));
	c->batch = batch;
	c->blocks = 0;
	c->used = c->space = c->count = 0;
	return c;
}

static void put_cluster(struct cluster *c)
{
	struct md_spill *sp = c->sp;

	spin_lock(&sp->lock);
	list_add(&c->list, &sp->free_clusters);
	spin_unlock(&sp->lock);
	wake_up_all(&sp->wait);
}

static void drop_cluster(struct cluster *c)
{
	if (c->blocks)
		md_blocks_release(c->sp->d->backing, c->first, c->blocks);
	put_cluster(c);
}

static bool cluster_blocks(struct cluster *c)
{
	c->blocks = md_blocks_alloc(c->sp->d->backing, CLUSTER_BLOCKS, &c->first);
	c->space = c->blocks * PAGE_SIZE;
	return c->blocks;
}

/* Where the next object goes, or NULL when there is no room for it. */
static void *next_object(struct cluster *c, unsigned int len)
{
	if (c->count == CLUSTER_OBJECTS || c->used + md_object_size(len) > c->space)
		return NULL;
	return c->buf + c->used + sizeof(struct md_object);
}

static void add_object(struct cluster *c, u32 index, unsigned int len, u64 from)
{
	struct md_object *o = c->buf + c->used;
	unsigned int size = md_object_size(len);

	*o = (struct md_object){ .index = index, .len = len, .mark = MD_OBJECT_MARK };
	memset((void *)(o + 1) + len, 0, size - sizeof(*o) - len);
	c->moved[c->count++] = (struct moved){ .index = index, .offset = c->used, .from = from };
	c->used += size;
}

static u64 address_of(const struct cluster *c, const struct moved *m)
{
	return ((u64)c->first << PAGE_SHIFT) + m->offset;
}

/* Lets go of a slot whose write has ended. */
static void finish_move(struct cluster *c, const struct moved *m, bool ok)
{
	const struct md_object *o = c->buf + m->offset;
	struct md_device *d = c->sp->d;
	struct md_slot *s = md_slot_at(d, m->index);
	struct md_entry e;

	md_slot_lock(s);
	e = md_slot_get(s);
	if (m->from != NOWHERE)
		ok = ok && e.place == MD_AT_BACKING && e.val == m->from;
	else
		ok = md_slot_test(s, MD_SPILLING) && ok;
	if (ok) {
		e.val = address_of(c, m);
		e.place = MD_AT_BACKING;
		md_object_own(d->backing, e.val, o->len, m->from != NOWHERE);
		md_slot_replace(d, s, &e);
	} else if (m->from == NOWHERE) {
		md_slot_unmark(s, MD_SPILLING);
	}
	md_slot_unlock(d, s);
	end_move(s);
	if (ok && m->from == NOWHERE)
		atomic64_inc(&c->sp->spilled);
}

static void count_write(struct md_spill *sp, const struct cluster *c, bool ok)
{
	bool changed = false;

	spin_lock(&sp->lock);
	if (ok) {
		sp->failures = 0;
		sp->pause = 0;
		changed = sp->paused;
		sp->paused = false;
	} else if (++sp->failures >= FAILURES_MAX && !sp->paused) {
		sp->pause = min_t(unsigned long, sp->pause ? 2 * sp->pause : HZ, PAUSE_MAX);
		sp->resume_at = jiffies + sp->pause;
		sp->paused = changed = true;
	}
	spin_unlock(&sp->lock);
	if (!ok) {
		atomic64_inc(&sp->write_errors);
		pr_err_ratelimited("%s: %s: %u pages could not be written, and stay in memory\n",
				   sp->d->disk->disk_name, sp->d->backing->path, c->count);
	}
	if (changed)
		update_usable(sp);
}

static void cluster_work(struct work_struct *work)
{
	struct cluster *c = container_of(work, struct cluster, work);
	bool ok = !c->bio.bi_status;
	struct md_spill *sp = c->sp;
	unsigned int i;

	bio_uninit(&c->bio);
	count_write(sp, c, ok);
	if (ok)
		md_count(sp->d, MD_STAT_BD_WRITES, c->blocks);
	for (i = 0; i < c->count; i++) {
		finish_move(c, &c->moved[i], ok);
		cond_resched();
	}
	atomic_long_sub(c->used, &sp->under_way);
	if (c->batch) {
		if (!ok)
			atomic_inc(&c->batch->failed);
		/* From here on it may be gone. */
		atomic_dec(&c->batch->left);
	}
	drop_cluster(c);
	if (READ_ONCE(sp->draining) || md_reserve_used(sp->d))
		md_spill_kick(sp->d);
	if (atomic_dec_and_test(&sp->writes))
		wake_up_all(&sp->wait);
}

static void cluster_end_io(struct bio *bio)
{
	struct cluster *c = container_of(bio, struct cluster, bio);

	queue_work(c->sp->done_wq, &c->work);
}

static void charge_budget(struct md_spill *sp, u32 blocks)
{
	struct md_spill_settings *set = &sp->d->spilling;

	spin_lock(&sp->lock);
	if (set->budget_on)
		set->budget -= min_t(u64, set->budget, blocks);
	spin_unlock(&sp->lock);
}

static bool over_budget(struct md_spill *sp)
{
	const struct md_spill_settings *set = &sp->d->spilling;
	bool over;

	spin_lock(&sp->lock);
	over = set->budget_on && !set->budget;
	spin_unlock(&sp->lock);
	return over;
}

static void submit_cluster(struct cluster *c)
{
	u32 n = DIV_ROUND_UP(c->used, PAGE_SIZE), block;
	struct md_spill *sp = c->sp;
	struct md_backing *b = sp->d->backing;
	unsigned int i;

	if (n < c->blocks)
		md_blocks_release(b, c->first + n, c->blocks - n);
	c->blocks = n;
	memset(c->buf + c->used, 0, n * PAGE_SIZE - c->used);
	/* Nobody looks at these blocks before a slot owns them. */
	for (i = 0; i < c->count; i++) {
		block = c->first + c->moved[i].offset / PAGE_SIZE;
		if (b->blocks[block].first == MD_NO_FIRST)
			b->blocks[block].first = c->moved[i].offset % PAGE_SIZE;
	}
	atomic_inc(&sp->writes);
	atomic_long_add(c->used, &sp->under_way);
	if (c->batch)
		atomic_inc(&c->batch->left);
	charge_budget(sp, n);

	bio_init(&c->bio, b->bdev, c->bvecs, CLUSTER_BLOCKS, REQ_OP_WRITE | REQ_SYNC | REQ_SWAP);
	c->bio.bi_iter.bi_sector = md_block_sector(b, c->first);
	c->bio.bi_end_io = cluster_end_io;
	md_bio_add_buffer(&c->bio, c->buf, n * PAGE_SIZE);
	submit_bio(&c->bio);
}

/* Gathering. */

enum { TAKEN, LEFT, FULL };

static bool may_move(const struct md_slot *s)
{
	enum md_place place = md_slot_place(s);

	return !md_slot_test(s, MD_SPILLING) && place != MD_AT_SLOT && place != MD_AT_BACKING;
}

/* Copies what the slot holds into the cluster, if it is of a kind that moves and all of @marks are set. */
static int gather(struct cluster *c, u32 index, unsigned long marks)
{
	struct md_spill *sp = c->sp;
	struct md_device *d = sp->d;
	struct md_slot *s = md_slot_at(d, index);
	unsigned int len;
	int r = LEFT;
	void *to;

	if (!begin_move(s))
		return LEFT;
	md_slot_lock(s);
	if (!may_move(s) || (READ_ONCE(s->flags) & marks) != marks)
		goto out;
	r = FULL;
	len = md_slot_len(s);
	to = next_object(c, len);
	if (!to)
		goto out;
	md_slot_copy(d, s, to);
	add_object(c, index, len, NOWHERE);
	md_slot_mark(s, MD_SPILLING);
	md_slot_unlock(d, s);
	return TAKEN;

out:
	md_slot_unlock(d, s);
	end_move(s);
	return r;
}

static unsigned int age_class(u32 age)
{
	unsigned int log;

	if (age < 4)
		return age;
	log = ilog2(age);
	return 4 * (log - 1) + (age >> (log - 2) & 3);
}

static u32 age_of_class(unsigned int class)
{
	return class < 4 ? class : (4 | class % 4) << (class / 4 - 1);
}

static bool is_old(const struct md_slot *s, u32 threshold)
{
	enum md_place place = md_slot_place(s);

	return (place == MD_AT_POOL || place == MD_AT_SHARED || place == MD_AT_UNIT) &&
	       (s32)(READ_ONCE(s->time) - threshold) <= 0;
}

/* Looks at all slots, without their locks: what comes of it is a guess anyway. False: there is nothing to take. */
static bool find_threshold(struct md_spill *sp, u64 wanted)
{
	u32 now = (u32)jiffies, i;
	struct md_device *d = sp->d;
	u64 total = 0, sum = 0;
	unsigned int class;
	u64 *bytes = sp->scratch;

	memset(bytes, 0, AGES * sizeof(*bytes));
	for (i = 0; i < d->nr_pages; i++) {
		const struct md_slot *s = md_slot_at(d, i);

		if (!(i % 1024))
			cond_resched();
		if (!is_old(s, now) || !may_move(s))
			continue;
		bytes[age_class(now - READ_ONCE(s->time))] += md_slot_len(s);
		total += md_slot_len(s);
	}
	if (!total)
		return false;
	wanted = max(wanted, total / 16);
	for (class = AGES; class --&&sum < wanted;)
		sum += bytes[class];
	sp->lru.threshold = now - age_of_class(class + 1);
	sp->lru.left = d->nr_pages;
	return true;
}

/* Fills the cluster with old pages. @wanted: bytes that are looked for in the end, or 0 when there is to be no new pass. */
static void gather_old(struct cluster *c, struct sweep *w, u64 wanted)
{
	struct md_spill *sp = c->sp;
	struct md_device *d = sp->d;

	for (;;) {
		for (; w->left; w->left--, w->hand++) {
			if (w->hand >= d->nr_pages)
				w->hand = 0;
			if (is_old(md_slot_at(d, w->hand), w->threshold) &&
			    gather(c, w->hand, 0) == FULL)
				return;
			if (!(w->hand % 1024))
				cond_resched();
		}
		if (!wanted || !find_threshold(sp, wanted))
			return;
		wanted = 0;
	}
}

static void gather_reserve(struct cluster *c)
{
	struct md_device *d = c->sp->d;
	unsigned int i;
	u32 index;

	for (i = md_reserve_used(d); i && md_reserve_next(d, &index); i--)
		if (md_slot_place(md_slot_at(d, index)) == MD_AT_RESERVE &&
		    gather(c, index, 0) == FULL)
			return;
}

/* From the reserve to the pool. */

static int reserve_slot_to_pool(struct md_spill *sp, u32 index)
{
	struct md_device *d = sp->d;
	struct md_slot *s = md_slot_at(d, index);
	unsigned long handle = 0;
	struct md_entry e;
	int r = 0;

	if (!begin_move(s))
		return 0;
	md_slot_lock(s);
	e = md_slot_get(s);
	if (e.place != MD_AT_RESERVE) {
		md_slot_unlock(d, s);
		goto out;
	}
	md_slot_copy(d, s, sp->scratch);
	md_slot_mark(s, MD_SPILLING);
	md_slot_unlock(d, s);

	r = md_pool_store(d, sp->scratch, e.len, NULL, &handle);

	md_slot_lock(s);
	if (!md_slot_test(s, MD_SPILLING)) {
		if (!r)
			md_pool_free(d, handle);
	} else if (!r) {
		e.val = handle;
		e.place = MD_AT_POOL;
		md_slot_replace(d, s, &e);
	} else {
		md_slot_unmark(s, MD_SPILLING);
	}
	md_slot_unlock(d, s);
out:
	end_move(s);
	return r;
}

static void reserve_to_pool(struct md_spill *sp)
{
	struct md_device *d = sp->d;
	unsigned int i;
	u32 index;

	for (i = md_reserve_used(d); i && md_reserve_next(d, &index); i--)
		if (reserve_slot_to_pool(sp, index))
			return;
}

/* What is on the store. */

struct walk {
	struct md_spill *sp;
	u32 first, blocks;
	u32 starts; /* only objects that begin in so many of them; 0: all */
	u32 reach;  /* compaction's: only objects that end in this block or behind */
	void *buf;
	/* 0, or -errno: it ends there. */
	int (*object)(struct walk *w, u64 val, const struct md_object *o);
	struct cluster *c; /* compaction's */
	u32 done;	   /* objects that were moved, or promoted */
	u32 cut;	   /* the block of an object that the end cut off, or the block behind */
	bool bad;	   /* something was no object */
};

/* Every object that begins in these blocks, which are held, and lies in them wholly. */
static int walk(struct walk *w)
{
	struct md_device *d = w->sp->d;
	u32 i;
	int r;

	w->cut = w->first + w->blocks;
	for (i = 0; i < (w->starts ? w->starts : w->blocks); i++) {
		u32 at = i * PAGE_SIZE + d->backing->blocks[w->first + i].first,
		    end = (i + 1) * PAGE_SIZE;

		if (d->backing->blocks[w->first + i].first == MD_NO_FIRST)
			continue;
		while (at + sizeof(struct md_object) <= end) {
			const struct md_object *o = w->buf + at;

			if (!o->len && !o->mark)
				break;
			if (o->mark != MD_OBJECT_MARK || o->len > PAGE_SIZE || !o->len ||
			    o->index >= d->nr_pages) {
				w->bad = true;
				break;
			}
			if (at + md_object_size(o->len) > w->blocks * PAGE_SIZE) {
				w->cut = w->first + i;
				break;
			}
			r = w->object(w, ((u64)w->first << PAGE_SHIFT) + at, o);
			if (r)
				return r;
			at += md_object_size(o->len);
		}
		cond_resched();
	}
	return 0;
}

static bool holds(const struct md_slot *s, u64 val, const struct md_object *o)
{
	return md_slot_place(s) == MD_AT_BACKING && READ_ONCE(s->val) == val &&
	       md_slot_len(s) == o->len;
}

/* To the pool. The object's blocks are held. */
static int promote(struct md_spill *sp, u64 val, const struct md_object *o, bool hard, u32 *done)
{
	struct md_device *d = sp->d;
	struct md_slot *s = md_slot_at(d, o->index);
	struct md_spare spare = {};
	unsigned long handle;
	struct md_entry e;
	int r;

	/* Without the lock: what is not there now was not to be brought back. */
	if (!holds(s, val, o))
		return 0;
	r = md_pool_store(d, o + 1, o->len, NULL, &handle);
	if (r == -ENOMEM && hard && !md_pool_press(d, o->len, &spare))
		r = md_pool_store(d, o + 1, o->len, &spare, &handle);
	if (r)
		return r;
	md_slot_lock(s);
	if (holds(s, val, o)) {
		e = md_slot_get(s);
		e.val = handle;
		e.place = MD_AT_POOL;
		md_slot_replace(d, s, &e);
		WRITE_ONCE(s->time, (u32)jiffies);
		handle = 0;
	}
	md_slot_unlock(d, s);
	if (handle) {
		md_pool_free(d, handle);
	} else {
		++*done;
		atomic64_inc(&sp->promoted);
	}
	return 0;
}

static bool may_promote(struct md_spill *sp)
{
	return md_pool_pages(sp->d) < READ_ONCE(sp->promote_pages);
}

static int promote_if_room(struct walk *w, u64 val, const struct md_object *o)
{
	if (!may_promote(w->sp))
		return -ENOSPC;
	return promote(w->sp, val, o, false, &w->done);
}

static int promote_always(struct walk *w, u64 val, const struct md_object *o)
{
	return promote(w->sp, val, o, true, &w->done);
}

/* Reading. */

static void *alloc_read(gfp_t gfp, void *unused)
{
	struct md_read *r = kmalloc(sizeof(*r), gfp);

	if (!r)
		return NULL;
	r->page = alloc_pages(gfp, READ_ORDER);
	r->out = kmalloc(PAGE_SIZE, gfp);
	if (r->page && r->out)
		return r;
	if (r->page)
		__free_pages(r->page, READ_ORDER);
	kfree(r->out);
	kfree(r);
	return NULL;
}

static void free_read(void *element, void *unused)
{
	struct md_read *r = element;

	__free_pages(r->page, READ_ORDER);
	kfree(r->out);
	kfree(r);
}

static void put_read(struct md_read *r)
{
	if (r->ahead)
		__free_pages(r->ahead, READAHEAD_ORDER);
	mempool_free(r, r->sp->reads);
}

static void *read_buffer(const struct md_read *r)
{
	return page_address(r->ahead ? r->ahead : r->page);
}

static int decode_into(struct md_read *r, const struct md_object *o, void *page)
{
	struct md_device *d = r->sp->d;

	if (r->e.kind == MD_ZSTD)
		return md_density_decode(d, r->index, &r->e, o + 1, page);
	return md_entry_decode(d, r->index, &r->e, o + 1, page);
}

/* 0, or -EIO, counted where it is found. */
static int decode(struct md_read *r)
{
	const struct md_object *o = read_buffer(r) + (r->e.val & ~PAGE_MASK);
	struct bio_vec bv = bio_iter_iovec(r->parent, r->iter);
	void *page;
	int e;

	if (o->mark != MD_OBJECT_MARK || o->index != r->index || o->len != r->e.len)
		return md_corrupt(r->sp->d, r->index);
	if (bv.bv_len >= PAGE_SIZE) {
		page = kmap_local_page(bv.bv_page);
		e = decode_into(r, o, page + bv.bv_offset);
		kunmap_local(page);
		flush_dcache_page(bv.bv_page);
		return e;
	}
	e = decode_into(r, o, r->out);
	if (!e)
		md_bio_write(r->parent, r->iter, r->out);
	return e;
}

static void read_work(struct work_struct *work)
{
	struct md_read *r = container_of(work, struct md_read, work);
	struct walk w = {
		.sp = r->sp,
		.first = r->first,
		.blocks = r->blocks,
		.buf = read_buffer(r),
		.object = promote_if_room,
	};
	struct md_spill *sp = r->sp;
	bool ok = !r->bio.bi_status;
	unsigned int flags;

	bio_uninit(&r->bio);
	if (!ok) {
		atomic64_inc(&sp->read_errors);
		pr_err_ratelimited("%s: %s: page %u could not be read\n", sp->d->disk->disk_name,
				   sp->d->backing->path, r->index);
	}
	if (!ok || decode(r)) {
		md_count(sp->d, MD_STAT_FAILED_READS, 1);
		r->parent->bi_status = BLK_STS_IOERR;
		ok = false;
	}
	bio_endio(r->parent);

	/* The device stays as long as the blocks are held: see md_spill_exit(), and recall. */
	flags = md_worker_begin();
	if (ok && may_promote(sp))
		walk(&w);
	md_worker_end(flags);
	md_blocks_release(sp->d->backing, r->first, r->blocks);
	put_read(r);
}

static void read_end_io(struct bio *bio)
{
	struct md_read *r = container_of(bio, struct md_read, bio);

	queue_work(r->sp->done_wq, &r->work);
}

int md_spill_read(struct md_device *d, struct md_slot *s, struct bio *parent, struct bvec_iter iter)
{
	struct md_spill *sp = d->spill;
	struct md_backing *b = d->backing;
	u32 block, least, want;
	struct md_read *r;

	r = mempool_alloc(sp->reads, GFP_NOWAIT | __GFP_NOWARN);
	if (!r) {
		md_slot_unlock(d, s);
		return -EAGAIN;
	}
	r->sp = sp;
	r->parent = parent;
	r->iter = iter;
	r->index = md_slot_index(d, s);
	r->e = md_slot_get(s);
	r->ahead = NULL;
	block = md_object_block(r->e.val);
	least = want = md_object_blocks(r->e.val, r->e.len);
	if (READ_ONCE(d->spilling.readback) > least && may_promote(sp))
		r->ahead = alloc_pages((GFP_NOWAIT | __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_RECLAIM,
				       READAHEAD_ORDER);
	if (r->ahead)
		want = min(READ_ONCE(d->spilling.readback), READAHEAD_BLOCKS);
	r->first = block;
	r->blocks = md_blocks_hold_run(b, block, least, max(want, least));
	md_slot_unlock(d, s);

	bio_inc_remaining(parent);
	INIT_WORK(&r->work, read_work);
	bio_init(&r->bio, b->bdev, &r->bvec, 1, REQ_OP_READ | REQ_SYNC | REQ_SWAP);
	r->bio.bi_iter.bi_sector = md_block_sector(b, block);
	r->bio.bi_end_io = read_end_io;
	__bio_add_page(&r->bio, r->ahead ? r->ahead : r->page, r->blocks * PAGE_SIZE, 0);
	md_count(d, MD_STAT_BD_READS, r->blocks);
	submit_bio(&r->bio);
	return 0;
}

void md_spill_queue_read(struct md_device *d, struct bio *bio)
{
	struct md_spill *sp = d->spill;

	spin_lock(&sp->lock);
	bio_list_add(&sp->waiting, bio);
	spin_unlock(&sp->lock);
	queue_work(sp->read_wq, &sp->read_work);
}

/* A bio that finds no memory again is queued again, at the end. */
static void waiting_worker(struct work_struct *work)
{
	struct md_spill *sp = container_of(work, struct md_spill, read_work);
	unsigned int flags = md_worker_begin();
	struct bio *bio;

	for (;;) {
		spin_lock(&sp->lock);
		bio = bio_list_pop(&sp->waiting);
		spin_unlock(&sp->lock);
		if (!bio)
			break;
		/* Until there is some: another read ends. */
		mempool_free(mempool_alloc(sp->reads, GFP_NOIO), sp->reads);
		md_read_resume(sp->d, bio);
		cond_resched();
	}
	md_worker_end(flags);
}

/* Compaction of the store. */

static int respill(struct walk *w, u64 val, const struct md_object *o)
{
	struct md_slot *s = md_slot_at(w->sp->d, o->index);
	void *to;

	if (md_object_block(val) + md_object_blocks(val, o->len) <= w->reach)
		return 0;
	if (!holds(s, val, o) || !begin_move(s))
		return 0;
	to = next_object(w->c, o->len);
	if (!to) {
		end_move(s);
		return -ENOSPC;
	}
	memcpy(to, o + 1, o->len);
	add_object(w->c, o->index, o->len, val);
	w->done++;
	return 0;
}

/* To the zone's blocks behind the first *written. 0, or -errno; -EAGAIN: they could not be written. */
static int move_window(struct md_spill *sp, u32 first, u32 n, u32 *written)
{
	struct batch batch = { .left = ATOMIC_INIT(0), .failed = ATOMIC_INIT(0) };
	struct md_backing *b = sp->d->backing;
	struct cluster *c = get_cluster(sp, &batch);
	struct walk w = {
		.sp = sp,
		.first = first,
		.blocks = n,
		.reach = first,
		.buf = sp->compacted,
		.object = respill,
		.c = c,
	};
	u32 blocks;
	int r;

	md_zone_hold(b, *written);
	c->first = b->zone_first + *written;
	c->blocks = b->zone - *written;
	c->space = c->blocks * PAGE_SIZE;
	md_window_widen(b, &w.first, &w.blocks);
	w.starts = first + n - w.first;
	r = md_blocks_read(b, w.first, w.blocks, w.buf);
	md_count(sp->d, MD_STAT_BD_READS, w.blocks);
	if (!r)
		r = walk(&w);
	else
		atomic64_inc(&sp->read_errors);
	blocks = DIV_ROUND_UP(c->used, PAGE_SIZE);
	if (blocks) {
		submit_cluster(c);
		wait_event(sp->wait, !atomic_read(&batch.left));
	} else {
		drop_cluster(c);
	}
	md_blocks_release(b, w.first, first - w.first);
	md_blocks_release(b, first + n, w.first + w.blocks - first - n);
	if (atomic_read(&batch.failed)) {
		md_zone_clear(b, *written);
		return -EAGAIN;
	}
	*written += blocks;
	if (blocks)
		atomic64_inc(&sp->compactions);
	return r;
}

/* Returns how many free blocks in a row that made, or -EAGAIN as above. */
static int empty_window(struct md_spill *sp, u32 first, u32 n)
{
	struct md_backing *b = sp->d->backing;
	enum md_window state;
	u32 written = 0, gained;
	unsigned int i;
	int r = 0;

	for (i = 0; i < WINDOW_TRIES && !r; i++) {
		state = md_window_state(b, first, n);
		if (state == MD_WINDOW_EMPTY)
			break;
		/* Reads end, and slots that were being moved come to rest. */
		if (i)
			schedule_timeout_uninterruptible(1);
		if (state == MD_WINDOW_NEEDED)
			r = move_window(sp, first, n, &written);
	}
	gained = md_zone_move(b, written, first, n);
	return r == -EAGAIN ? r : gained;
}

/*
 * Once around the store, or until there are @wanted blocks. @hard: whatever gains anything is good enough. Returns whether
 * there is room for an object in what it gained, or -EAGAIN: it cannot tell, as something could not be written.
 */
static int compact_store(struct md_spill *sp, u32 wanted, bool hard)
{
	struct md_backing *b = sp->d->backing;
	u32 left = b->nr_blocks, gained = 0, first, n;
	bool failed = false;
	int r;

	mutex_lock(&sp->compact_lock);
	md_zone_grow(b);
	while (gained < wanted && !READ_ONCE(sp->closing) && !READ_ONCE(sp->paused) &&
	       !signal_pending(current)) {
		n = md_window_claim(b, hard, &sp->compact_hand, &left, &first);
		if (!n)
			break;
		r = empty_window(sp, first, n);
		if (r < 0)
			failed = true;
		else if (r >= MD_BLOCKS_LEAST)
			gained += r;
	}
	mutex_unlock(&sp->compact_lock);
	return gained ? 1 : failed ? -EAGAIN : 0;
}

/* The worker. */

static struct cluster *try_cluster(struct md_spill *sp)
{
	struct cluster *c = get_cluster(sp, NULL);

	if (cluster_blocks(c))
		return c;
	drop_cluster(c);
	return NULL;
}

/* Nothing was gained by all that compaction can do. Is that because of others who will let go of blocks? Else it is full. */
static bool is_full(struct md_spill *sp)
{
	struct md_backing *b = sp->d->backing;

	if (md_blocks_unowned(b)) {
		schedule_timeout_uninterruptible(1);
		return false;
	}
	spin_lock(&b->lock);
	b->full = b->freed <= 0;
	spin_unlock(&b->lock);
	if (!READ_ONCE(b->full))
		return false;
	update_usable(sp);
	return true;
}

/* One with blocks, if it takes compaction to get them. NULL: the store is full, or not to be used for now. */
static struct cluster *spill_cluster(struct md_spill *sp)
{
	struct md_backing *b = sp->d->backing;
	struct cluster *c;
	int r;

	for (;;) {
		c = try_cluster(sp);
		if (c)
			return c;
		if (compact_store(sp, CLUSTER_BLOCKS, false) > 0)
			continue;
		spin_lock(&b->lock);
		b->freed = 0;
		spin_unlock(&b->lock);
		/* What is being written has blocks that it does not need in the end, and is not to be moved yet. */
		wait_event(sp->wait, !atomic_read(&sp->writes));
		c = try_cluster(sp);
		if (c)
			return c;
		r = compact_store(sp, MD_BLOCKS_LEAST, true);
		if (READ_ONCE(sp->closing) || READ_ONCE(sp->paused) || (!r && is_full(sp)))
			return NULL;
	}
}

/* For a while after the pool was found above the watermark; what is under way counts as gone. */
static bool must_drain(struct md_spill *sp, u64 *wanted)
{
	unsigned long pages = md_pool_pages(sp->d), going;

	going = atomic_long_read(&sp->under_way) >> PAGE_SHIFT;
	pages -= min(pages, going);
	if (pages > READ_ONCE(sp->d->pool.kick_pages))
		WRITE_ONCE(sp->draining, true);
	else if (pages <= READ_ONCE(sp->drain_pages))
		WRITE_ONCE(sp->draining, false);
	if (!sp->draining)
		return false;
	*wanted = (u64)(pages - min(pages, READ_ONCE(sp->drain_pages))) << PAGE_SHIFT;
	return true;
}

/* Freed objects leave holes in zsmalloc's pages, which count until they are empty. */
static void compact_pool(struct md_spill *sp)
{
	if (sp->gathered < 8 * CLUSTER_BYTES)
		return;
	sp->gathered = 0;
	md_pool_compact(sp->d);
}

static void begin_aging(struct md_spill *sp)
{
	unsigned int age = READ_ONCE(sp->d->spilling.age);

	if (sp->recalling || !age || over_budget(sp)) {
		sp->aged.left = 0;
	} else if (xchg(&sp->aging_due, false)) {
		sp->aged.threshold = (u32)jiffies - age * HZ;
		sp->aged.left = sp->d->nr_pages;
	}
}

/* Writes one cluster, if there is reason to. Returns whether to go on. */
static bool spill_some(struct md_spill *sp)
{
	struct md_device *d = sp->d;
	unsigned int used;
	struct cluster *c;
	u64 wanted = 0;
	bool drain;

	reserve_to_pool(sp);
	used = md_reserve_used(d);
	drain = !sp->recalling && must_drain(sp, &wanted) && !over_budget(sp);
	begin_aging(sp);
	if (!READ_ONCE(sp->usable) || READ_ONCE(sp->closing) || (!used && !drain && !sp->aged.left))
		return false;
	/* What is going will make room, and the end of its write comes back here. */
	if (used && !drain && READ_ONCE(d->pool.reserve_free) &&
	    atomic_long_read(&sp->under_way) >= used * PAGE_SIZE)
		return false;

	c = spill_cluster(sp);
	if (!c)
		return false;
	if (used > d->pool.reserve_all / 2)
		gather_reserve(c);
	if (drain || used)
		gather_old(c, &sp->lru, max_t(u64, wanted, CLUSTER_BYTES));
	if (sp->aged.left)
		gather_old(c, &sp->aged, 0);
	if (!c->count && used)
		gather_reserve(c);
	if (!c->count) {
		drop_cluster(c);
		return false;
	}
	sp->gathered += c->used;
	submit_cluster(c);
	if (drain)
		compact_pool(sp);
	return true;
}

static void spill_worker(struct work_struct *work)
{
	struct md_spill *sp = container_of(work, struct md_spill, work);
	unsigned int flags, i;

	if (!READ_ONCE(sp->attached))
		return;
	flags = md_worker_begin();
	for (i = 0; i < PASSES && spill_some(sp); i++)
		cond_resched();
	md_worker_end(flags);
	if (i == PASSES)
		queue_work(sp->wq, &sp->work);
}

/* It may have been a little too early. Returns whether it is still full. */
static bool try_full_again(struct md_backing *b)
{
	bool full;

	spin_lock(&b->lock);
	if (b->freed > 0)
		b->full = false;
	full = b->full;
	spin_unlock(&b->lock);
	return full;
}

/* Each second: what nobody comes to tell. */
static void tick(struct work_struct *work)
{
	struct md_spill *sp = container_of(work, struct md_spill, tick.work);
	unsigned int age = READ_ONCE(sp->d->spilling.age);
	bool resume = false, full;

	if (!READ_ONCE(sp->attached))
		return;
	spin_lock(&sp->lock);
	if (sp->paused && time_after_eq(jiffies, sp->resume_at)) {
		sp->paused = false;
		/* One failure more is enough. */
		sp->failures = FAILURES_MAX - 1;
		resume = true;
	}
	spin_unlock(&sp->lock);
	full = try_full_again(sp->d->backing);
	if (resume || !full)
		update_usable(sp);
	if (age && !full && time_after_eq(jiffies, sp->next_aging)) {
		sp->next_aging = jiffies + clamp(age / 4, 1u, 60u) * HZ;
		WRITE_ONCE(sp->aging_due, true);
		resume = true;
	}
	if (resume || md_reserve_used(sp->d))
		md_spill_kick(sp->d);
	queue_delayed_work(sp->wq, &sp->tick, HZ);
}

/* Coming and going. */

static void free_engine(struct md_spill *sp)
{
	unsigned int i;

	for (i = 0; sp->clusters && i < CLUSTERS; i++)
		vfree(sp->clusters[i].buf);
	kvfree(sp->clusters);
	sp->clusters = NULL;
	INIT_LIST_HEAD(&sp->free_clusters);
	kfree(sp->scratch);
	sp->scratch = NULL;
	vfree(sp->compacted);
	sp->compacted = NULL;
}

static int alloc_queues(struct md_spill *sp)
{
	const char *name = sp->d->disk->disk_name;

	if (!sp->wq)
		sp->wq = alloc_workqueue("%s-spill", WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
	if (!sp->done_wq)
		sp->done_wq = alloc_workqueue("%s-done", WQ_MEM_RECLAIM | WQ_HIGHPRI, 0, name);
	if (!sp->read_wq)
		sp->read_wq = alloc_workqueue("%s-read", WQ_MEM_RECLAIM | WQ_UNBOUND, 1, name);
	return sp->wq && sp->done_wq && sp->read_wq ? 0 : -ENOMEM;
}

static int alloc_engine(struct md_spill *sp)
{
	unsigned int i;

	if (alloc_queues(sp))
		return -ENOMEM;
	sp->scratch = kmalloc(PAGE_SIZE, GFP_KERNEL);
	sp->compacted = vmalloc(MD_READ_BLOCKS * PAGE_SIZE);
	if (!sp->reads)
		sp->reads = mempool_create(READS_MIN, alloc_read, free_read, NULL);
	sp->clusters = kvcalloc(CLUSTERS, sizeof(*sp->clusters), GFP_KERNEL);
	if (!sp->scratch || !sp->compacted || !sp->reads || !sp->clusters)
		goto err_free;
	for (i = 0; i < CLUSTERS; i++) {
		struct cluster *c = &sp->clusters[i];

		c->buf = vmalloc(CLUSTER_BYTES);
		if (!c->buf)
			goto err_free;
		c->sp = sp;
		INIT_WORK(&c->work, cluster_work);
		list_add(&c->list, &sp->free_clusters);
	}
	return 0;

err_free:
	free_engine(sp);
	return -ENOMEM;
}

int md_spill_attached(struct md_device *d)
{
	struct md_spill *sp = d->spill;
	int r;

	/* Otherwise md_spill_init() comes here. */
	if (!sp)
		return 0;
	r = alloc_engine(sp);
	if (r)
		return r;
	r = md_reserve_resize(d, d->spilling.reserve);
	if (r) {
		free_engine(sp);
		return r;
	}
	sp->recalling = sp->closing = sp->draining = sp->paused = false;
	sp->failures = 0;
	sp->pause = 0;
	sp->lru = sp->aged = (struct sweep){};
	sp->next_aging = jiffies;
	sp->compact_hand = 0;
	smp_store_release(&sp->attached, true);
	update_usable(sp);
	md_spill_limit_changed(d);
	queue_delayed_work(sp->wq, &sp->tick, HZ);
	return 0;
}

int md_spill_init(struct md_device *d)
{
	struct md_spill *sp = kvzalloc(sizeof(*sp), GFP_KERNEL);
	int r = 0;

	if (!sp)
		return -ENOMEM;
	sp->d = d;
	spin_lock_init(&sp->lock);
	INIT_LIST_HEAD(&sp->free_clusters);
	bio_list_init(&sp->waiting);
	init_waitqueue_head(&sp->wait);
	mutex_init(&sp->compact_lock);
	INIT_WORK(&sp->work, spill_worker);
	INIT_WORK(&sp->read_work, waiting_worker);
	INIT_DELAYED_WORK(&sp->tick, tick);
	d->spill = sp;
	if (d->backing)
		r = md_spill_attached(d);
	if (r)
		md_spill_destroy(d);
	return r;
}

/* Ends all work; what is under way comes to its end. Nothing kicks any more, or attached is false. */
static void quiesce(struct md_spill *sp)
{
	if (!sp->wq)
		return;
	cancel_delayed_work_sync(&sp->tick);
	cancel_work_sync(&sp->work);
	wait_event(sp->wait, !atomic_read(&sp->writes));
	flush_workqueue(sp->done_wq);
	cancel_work_sync(&sp->work);
	flush_workqueue(sp->read_wq);
}

void md_spill_exit(struct md_device *d)
{
	struct md_spill *sp = d->spill;

	if (!sp || !sp->attached)
		return;
	WRITE_ONCE(sp->closing, true);
	update_usable(sp);
	quiesce(sp);
	/* The slots, which are still to be freed, know that by md_backing_put() alone. */
	WRITE_ONCE(sp->attached, false);
}

void md_spill_destroy(struct md_device *d)
{
	struct md_spill *sp = d->spill;

	if (!sp)
		return;
	d->spill = NULL;
	d->pool.kick_pages = ULONG_MAX;
	free_engine(sp);
	mempool_destroy(sp->reads);
	if (sp->wq)
		destroy_workqueue(sp->wq);
	if (sp->done_wq)
		destroy_workqueue(sp->done_wq);
	if (sp->read_wq)
		destroy_workqueue(sp->read_wq);
	kvfree(sp);
}

/* Recall: what detaching does. */

/* Lets those in who want to change the device. False: it is not what it was. */
static bool give_way(struct md_device *d, u64 id)
{
	if (!rwsem_is_contended(&d->init_lock))
		return true;
	up_read(&d->init_lock);
	cond_resched();
	down_read(&d->init_lock);
	return d->backing && d->backing->id == id && d->spill && d->spill->attached;
}

/* Once over the store. -ESTALE: somebody has reset the device. */
static int recall_pass(struct md_spill *sp, void *buf, u32 *done, bool *bad)
{
	struct md_device *d = sp->d;
	struct md_backing *b = d->backing;
	const u64 id = b->id;
	u32 block = 0;
	int r;

	while ((block = md_blocks_next(b, block)) < b->nr_blocks) {
		struct walk w = { .sp = sp, .first = block, .buf = buf, .object = promote_always };

		if (signal_pending(current))
			return -EINTR;
		if (!give_way(d, id))
			return -ESTALE;
		w.blocks = md_blocks_hold_run(b, block, 0, CLUSTER_BLOCKS);
		if (!w.blocks) {
			/* It is being written, or was freed meanwhile. */
			block++;
			continue;
		}
		r = md_blocks_read(b, block, w.blocks, buf);
		md_count(d, MD_STAT_BD_READS, w.blocks);
		if (r)
			atomic64_inc(&sp->read_errors);
		else
			r = walk(&w);
		md_blocks_release(b, block, w.blocks);
		*done += w.done;
		*bad |= w.bad;
		if (r)
			return r;
		block = max(w.cut, block + 1);
		cond_resched();
	}
	return 0;
}

/* Nothing is out, nothing will be: true. Else it is as before. */
static bool close_store(struct md_spill *sp)
{
	struct md_device *d = sp->d;

	WRITE_ONCE(sp->closing, true);
	update_usable(sp);
	/* What got into the reserve meanwhile goes to the pool, or it does not. */
	queue_work(sp->wq, &sp->work);
	flush_work(&sp->work);
	wait_event(sp->wait, !atomic_read(&sp->writes));
	flush_workqueue(sp->done_wq);
	if (!md_blocks_used(d->backing) && !md_reserve_resize(d, 0))
		return true;
	WRITE_ONCE(sp->closing, false);
	update_usable(sp);
	return false;
}

/* Passes that bring nothing, with something there: reads that are under way, or what cannot be read. */
#define IDLE_PASSES 50

static int recall_all(struct md_spill *sp, void *buf)
{
	unsigned int idle = 0;
	int r;

	for (;;) {
		bool bad = false;
		u32 done = 0;

		r = recall_pass(sp, buf, &done, &bad);
		if (r || close_store(sp))
			return r;
		if (done) {
			idle = 0;
			continue;
		}
		if (bad || ++idle == IDLE_PASSES)
			return bad ? -EIO : md_reserve_used(sp->d) ? -ENOSPC : -EBUSY;
		schedule_timeout_interruptible(HZ / 20);
	}
}

int md_spill_recall(struct md_device *d)
{
	struct md_spill *sp = d->spill;
	unsigned long limit = d->pool.limit_pages;
	struct md_backing *b = d->backing;
	void *buf;
	int r;

	if (!sp || !sp->attached)
		return 0;
	WRITE_ONCE(sp->recalling, true);
	r = -ENOSPC;
	if (limit && md_pool_pages(d) + (READ_ONCE(b->bytes) >> PAGE_SHIFT) > limit)
		goto out;
	r = -ENOMEM;
	buf = vmalloc(CLUSTER_BYTES);
	if (!buf)
		goto out;
	r = recall_all(sp, buf);
	vfree(buf);
	/* The device's matters are not ours any more. */
	if (r == -ESTALE)
		return -EINTR;
	if (!r) {
		WRITE_ONCE(sp->attached, false);
		WRITE_ONCE(d->pool.kick_pages, ULONG_MAX);
		update_usable(sp);
		quiesce(sp);
		free_engine(sp);
	}
out:
	WRITE_ONCE(sp->recalling, false);
	if (r)
		md_spill_kick(d);
	return r;
}

bool md_spill_in_use(struct md_device *d)
{
	return d->spill && d->spill->attached;
}

/* What is asked for by hand. */

static const struct {
	const char *word;
	unsigned long marks;
	bool raw;
} writeback_kinds[] = {
	{ "idle", BIT(MD_IDLE), false },
	{ "huge", 0, true },
	{ "incompressible", 0, true },
	{ "huge_idle", BIT(MD_IDLE), true },
};

struct writeback {
	u32 first, end; /* slots */
	unsigned long marks;
	bool raw;
};

static int parse_writeback(const char *buf, struct writeback *w)
{
	static const char one[] = "page_index=";
	size_t i;

	if (!strncmp(buf, one, strlen(one))) {
		if (kstrtou32(buf + strlen(one), 10, &w->first) || w->first >= w->end)
			return -EINVAL;
		w->end = w->first + 1;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(writeback_kinds); i++) {
		if (!sysfs_streq(buf, writeback_kinds[i].word))
			continue;
		w->marks = writeback_kinds[i].marks;
		w->raw = writeback_kinds[i].raw;
		return 0;
	}
	return -EINVAL;
}

/* A cluster with blocks. -ENOSPC, -EIO: there are none, or nothing may be written. */
static struct cluster *writeback_cluster(struct md_spill *sp, struct batch *batch)
{
	struct cluster *c;

	do {
		if (over_budget(sp))
			return ERR_PTR(-EIO);
		if (!READ_ONCE(sp->usable) || READ_ONCE(sp->closing))
			return ERR_PTR(-ENOSPC);
		c = get_cluster(sp, batch);
		if (cluster_blocks(c))
			return c;
		drop_cluster(c);
	} while (compact_store(sp, CLUSTER_BLOCKS, false) > 0);
	return ERR_PTR(-ENOSPC);
}

static int write_back(struct md_spill *sp, const struct writeback *w)
{
	struct batch batch = { .left = ATOMIC_INIT(0), .failed = ATOMIC_INIT(0) };
	struct md_device *d = sp->d;
	struct cluster *c = NULL;
	int r = 0;
	u32 i;

	for (i = w->first; i < w->end && !r; i++) {
		const struct md_slot *s = md_slot_at(d, i);

		if (!(i % 1024)) {
			cond_resched();
			if (signal_pending(current))
				r = -EINTR;
		}
		if (r || !may_move(s) || (w->raw && md_slot_kind(s) != MD_RAW))
			continue;
		do {
			if (!c) {
				c = writeback_cluster(sp, &batch);
				if (IS_ERR(c)) {
					r = PTR_ERR(c);
					c = NULL;
					break;
				}
			}
			if (gather(c, i, w->marks) != FULL)
				break;
			submit_cluster(c);
			c = NULL;
		} while (1);
	}
	if (c && c->count)
		submit_cluster(c);
	else if (c)
		drop_cluster(c);
	wait_event(sp->wait, !atomic_read(&batch.left));
	return r ? r : atomic_read(&batch.failed) ? -EIO : 0;
}

/* With init_lock for reading, and a store that stays: what both attributes begin with. */
static int begin_by_hand(struct md_device *d)
{
	int r = 0;

	if (mutex_lock_interruptible(&d->spill_admin))
		return -EINTR;
	down_read(&d->init_lock);
	if (!md_ready(d))
		r = -EINVAL;
	else if (!md_spill_in_use(d))
		r = -ENODEV;
	if (r) {
		up_read(&d->init_lock);
		mutex_unlock(&d->spill_admin);
	}
	return r;
}

static void end_by_hand(struct md_device *d)
{
	up_read(&d->init_lock);
	mutex_unlock(&d->spill_admin);
}

static ssize_t writeback_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t len)
{
	struct md_device *d = md_of(dev);
	struct writeback w = {};
	unsigned int flags;
	int r;

	r = begin_by_hand(d);
	if (r)
		return r;
	w.end = d->nr_pages;
	r = parse_writeback(buf, &w);
	if (!r) {
		flags = md_worker_begin();
		r = write_back(d->spill, &w);
		md_worker_end(flags);
	}
	end_by_hand(d);
	return r ? r : len;
}

static ssize_t spill_compact_store(struct device *dev, struct device_attribute *attr,
				   const char *buf, size_t len)
{
	struct md_device *d = md_of(dev);
	unsigned int flags;
	int r;

	r = begin_by_hand(d);
	if (r)
		return r;
	if (over_budget(d->spill)) {
		r = -EIO;
	} else {
		flags = md_worker_begin();
		compact_store(d->spill, U32_MAX, false);
		md_worker_end(flags);
		md_spill_room(d);
	}
	end_by_hand(d);
	return r ? r : len;
}

/* Settings. */

void md_spill_defaults(struct md_device *d)
{
	d->spilling = (struct md_spill_settings){
		.watermark = 90,
		.readback = READAHEAD_BLOCKS,
		.reserve = SZ_1M >> PAGE_SHIFT,
	};
}

static ssize_t store_setting(struct device *dev, const char *buf, size_t len, unsigned int *setting,
			     unsigned int min, unsigned int max)
{
	struct md_device *d = md_of(dev);
	unsigned int n;
	int r;

	r = kstrtouint(buf, 10, &n);
	if (r)
		return r;
	if (n < min || n > max)
		return -EINVAL;
	down_write(&d->init_lock);
	WRITE_ONCE(*setting, n);
	md_spill_limit_changed(d);
	up_write(&d->init_lock);
	return len;
}

#define SETTING(name, field, min, max)                                                             \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *buf)   \
	{                                                                                          \
		return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->spilling.field));             \
	}                                                                                          \
	static ssize_t name##_store(struct device *dev, struct device_attribute *attr,             \
				    const char *buf, size_t len)                                   \
	{                                                                                          \
		return store_setting(dev, buf, len, &md_of(dev)->spilling.field, min, max);        \
	}                                                                                          \
	static DEVICE_ATTR_RW(name)

/* Three weeks: further back md_slot.time does not tell with HZ 1000. */
SETTING(spill_age, age, 0, 21 * 24 * 3600);
SETTING(spill_watermark, watermark, 10, 100);
SETTING(spill_readback, readback, 0, READAHEAD_BLOCKS);
SETTING(spill_reserve, reserve, 16, 65536);

static ssize_t writeback_limit_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(md_of(dev)->spilling.budget));
}

static void set_budget(struct md_device *d, const bool *on, const u64 *budget)
{
	struct md_spill *sp;

	down_write(&d->init_lock);
	sp = d->spill;
	if (sp)
		spin_lock(&sp->lock);
	if (on)
		d->spilling.budget_on = *on;
	if (budget)
		d->spilling.budget = *budget;
	if (sp)
		spin_unlock(&sp->lock);
	/* Without the lock a reset may free it. */
	md_spill_kick(d);
	up_write(&d->init_lock);
}

static ssize_t writeback_limit_store(struct device *dev, struct device_attribute *attr,
				     const char *buf, size_t len)
{
	u64 budget;
	int r;

	r = kstrtou64(buf, 10, &budget);
	if (r)
		return r;
	set_budget(md_of(dev), NULL, &budget);
	return len;
}

static ssize_t writeback_limit_enable_show(struct device *dev, struct device_attribute *attr,
					   char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->spilling.budget_on));
}

static ssize_t writeback_limit_enable_store(struct device *dev, struct device_attribute *attr,
					    const char *buf, size_t len)
{
	bool on;
	int r;

	r = kstrtobool(buf, &on);
	if (r)
		return r;
	set_budget(md_of(dev), &on, NULL);
	return len;
}

/* zram's three: blocks in use, read, written. */
static ssize_t bd_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	u32 used;

	down_read(&d->init_lock);
	used = d->backing ? READ_ONCE(d->backing->used) : 0;
	up_read(&d->init_lock);
	return sysfs_emit(buf, "%8u %8llu %8llu\n", used, md_stat_sum(d, MD_STAT_BD_READS),
			  md_stat_sum(d, MD_STAT_BD_WRITES));
}

static ssize_t spill_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);
	const struct md_backing *b;
	struct md_spill *sp;
	ssize_t n;

	down_read(&d->init_lock);
	b = d->backing;
	sp = d->spill;
	n = sysfs_emit(buf, "%8llu %8llu %8u %8u %8llu %8llu %8llu %8llu %8llu %u\n",
		       md_stat_sum(d, MD_STAT_SPILLED), b ? READ_ONCE(b->bytes) : 0,
		       b ? b->nr_blocks : 0, md_reserve_used(d),
		       sp ? (u64)atomic64_read(&sp->spilled) : 0,
		       sp ? (u64)atomic64_read(&sp->promoted) : 0,
		       sp ? (u64)atomic64_read(&sp->compactions) : 0,
		       sp ? (u64)atomic64_read(&sp->write_errors) : 0,
		       sp ? (u64)atomic64_read(&sp->read_errors) : 0, md_spill_usable(d));
	up_read(&d->init_lock);
	return n;
}

static DEVICE_ATTR_WO(writeback);
static DEVICE_ATTR_RW(writeback_limit);
static DEVICE_ATTR_RW(writeback_limit_enable);
static DEVICE_ATTR_RO(bd_stat);
static DEVICE_ATTR_RO(spill_stat);
static DEVICE_ATTR_WO(spill_compact);

static struct attribute *spill_attrs[] = {
	&dev_attr_writeback.attr,
	&dev_attr_writeback_limit.attr,
	&dev_attr_writeback_limit_enable.attr,
	&dev_attr_bd_stat.attr,
	&dev_attr_spill_stat.attr,
	&dev_attr_spill_compact.attr,
	&dev_attr_spill_age.attr,
	&dev_attr_spill_watermark.attr,
	&dev_attr_spill_readback.attr,
	&dev_attr_spill_reserve.attr,
	NULL,
};

const struct attribute_group md_spill_group = { .attrs = spill_attrs };
