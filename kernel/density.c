// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cold pages, smaller: zstd in the place of LZ4, alone or with neighbours in a unit.
 *
 * What it is for: of real anonymous memory LZ4 makes a third, zstd a sixth, and of two pages in one piece a little less
 * still. It costs ten times the time, so it is done in the background, to pages that nobody has touched for a while.
 *
 * The form
 * --------
 * One zstd frame of 1 to 4 pages, of at most PAGE_SIZE bytes, which is what zsmalloc takes; the frame says how many
 * pages it is of. Of one page: the slot is at POOL, as any other. Of several: the slots are at UNIT, their val is a struct
 * md_unit, index says which page is whose, and each has len and sum of the whole frame. A slot on the backing store may
 * have a whole unit's frame and its index as well: the frame is then its own.
 *
 * A unit is 16 bytes: the handle, which never changes, and a word with a bitmap of the live pages, how many there were, and
 * a generation. Each slot that is at the unit owns its bit, under the slot's lock, so the bit
 * keeps the unit there. It is cleared atomically; who clears the last one frees the unit, and no other lock is needed. The
 * generation is of the module's: no two units ever have the same, so that an unpacked unit in a stream is known again
 * (readers of cold pages mostly come for the neighbour next), whatever has been freed and allocated meanwhile.
 *
 * Packing
 * -------
 * Under md_density.lock, by the device's thread or by who writes `recompress`:
 *
 *   1  each page is decoded under its slot's lock, and the slot marked MD_PACKING
 *   2  they are compressed with no lock held. When the frame is too long, or saves too little, halves are tried, then single
 *      pages. A single page that does not get smaller is marked MD_STUBBORN until it is written again
 *   3  the frame is stored
 *   4  each slot is locked again. While MD_PACKING is still set it holds what it held at step 1: every change of content
 *      clears it, and nobody but the holder of md_density.lock sets it. Then the slot gets the new place and the old is
 *      given back. Else the page has been written, freed or spilled, and its bit in the unit is given up
 *
 * Slots change one at a time, and between any two steps each has one whole copy, the old or the new. Nothing that fails
 * (no memory, the limit, wrong bytes) does any harm: the page stays as it is.
 *
 * When half of a unit's pages or fewer live, a later pass packs the rest again like any other cold page.
 *
 * A page that is read often
 * -------------------------
 * comes back to LZ4. The first read of a packed page marks it MD_WARM, the next brings it back; the thread takes the mark
 * from pages that have been cold since. The reader tries md_density.lock only, and encodes from the stream's buffer: what he
 * reads into is not ours alone.
 *
 * The thread
 * ----------
 * Makes a pass over the slots a few times in `density_age`, coldest pages first: those of 64 times the age, of 16, of 4, then
 * the rest. It runs with the lowest priority, and when the machine is busy (less than half a CPU was idle, our own time
 * counted as idle) for at most a tenth of a CPU.
 */
#include <linux/freezer.h>
#include <linux/kernel_stat.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/tick.h>
#include <linux/vmalloc.h>
#include <linux/xxhash.h>
#include <linux/zstd.h>

#include "memdrive.h"

#define UNIT_MAX 4 /* pages, by the 2 bits of a slot's index */
/* The word of a unit, from bit 0: a bitmap of the live pages, how many it was made of, its generation. */
#define UNIT_LIVE (BIT(UNIT_MAX) - 1)
#define UNIT_PAGES_SHIFT UNIT_MAX
#define UNIT_GENERATION_SHIFT 8
/* Neighbours are at most so many slots from one another. */
#define NEAR 8
/* What a frame must save of what its pages took: 1 / SAVE_PART. */
#define SAVE_PART 8
/* So many pages packed leave enough holes in the pool to be worth compacting it. */
#define COMPACT_AFTER 4096

#define DEFAULT_AGE 60
#define DEFAULT_LEVEL 1
#define DEFAULT_PAGES 2

#define BUSY_PERCENT 10			/* of a CPU, for us, when it is needed elsewhere */
#define WINDOW_NS (250 * NSEC_PER_MSEC) /* between looks at how busy the machine is */
#define SLICE_NS NSEC_PER_MSEC		/* of CPU time, more than that, before it pauses */
#define PASS_MIN HZ			/* between passes */
#define PASS_MAX (30 * HZ)

struct md_unit {
	unsigned long handle;
	atomic64_t word;
};

static_assert(sizeof(struct md_unit) == 16, "a unit costs 16 bytes");

static atomic64_t last_generation;

/* What a stream has for us. */
struct md_unpack {
	zstd_dctx *dctx;
	u64 generation; /* of the unit that is in pages; 0: something else */
	u8 pages[UNIT_MAX * PAGE_SIZE];
	u8 frame[PAGE_SIZE];
	u8 workspace[] __aligned(8);
};

struct md_density {
	struct kmem_cache *units;
	struct task_struct *thread;
	wait_queue_head_t wait;
	bool kicked;
	bool hollow;	   /* some unit has become so since the last pass */
	struct mutex lock; /* of all below, and of MD_PACKING. Outside of the streams' */
	struct md_packer {
		zstd_cctx *cctx; /* NULL until it is first needed */
		void *workspace;
		size_t size;
		int level; /* that it is for */
		/* Not a stream's, for which others would wait while our thread, which is the least of all, has it. */
		struct md_unpack *unpack;
		u8 frame[PAGE_SIZE];
		u8 pages[UNIT_MAX * PAGE_SIZE];
	} * packer;
	unsigned int members;
	struct md_member {
		u32 index;
		unsigned int took; /* bytes of the pool */
		bool done;
	} member[UNIT_MAX];
	/* The thread's own. */
	u64 window_start, window_run, window_idle;
	bool busy;
};

/* What is to be packed, by whom. */
struct md_pass {
	struct md_device *d;
	u32 age;		/* seconds, at least */
	unsigned int threshold; /* stored bytes, at least */
	bool idle, huge;	/* only such */
	bool hollow;		/* look into units, too */
	bool background;
	u64 left; /* pages */
	unsigned long packed, packed_then;
};

static u32 sum_of(const void *data, size_t len)
{
	u64 hash = xxh64(data, len, 0);

	return hash ^ hash >> 32;
}

static struct md_unit *unit_of(const struct md_entry *e)
{
	return (struct md_unit *)(unsigned long)e->val;
}

static unsigned int live_pages(u64 word)
{
	return hweight8(word & UNIT_LIVE);
}

/* Does no more than half of it live? */
static bool is_hollow(u64 word)
{
	return 2 * live_pages(word) <= (word >> UNIT_PAGES_SHIFT & 7);
}

static u64 generation_of(u64 word)
{
	return word >> UNIT_GENERATION_SHIFT;
}

unsigned long md_density_handle(u64 val)
{
	return ((const struct md_unit *)(unsigned long)val)->handle;
}

void md_density_put(struct md_device *d, const struct md_entry *e)
{
	struct md_density *w = d->density;
	struct md_unit *u = unit_of(e);
	u64 word = atomic64_fetch_andnot(BIT(e->index), &u->word) & ~BIT(e->index);

	/* From here on the unit is only ours if that was the last page. */
	if (live_pages(word)) {
		if (is_hollow(word))
			WRITE_ONCE(w->hollow, true);
		return;
	}
	md_count(d, MD_STAT_UNITS, -1);
	md_count(d, MD_STAT_COMPR, -(long)e->len);
	md_pool_free(d, u->handle);
	kmem_cache_free(w->units, u);
}

/* Streams. */

static struct md_unpack *new_unpack(int node)
{
	size_t size = zstd_dctx_workspace_bound();
	struct md_unpack *up;

	up = vmalloc_node(struct_size(up, workspace, size), node);
	if (!up)
		return NULL;
	up->generation = 0;
	up->dctx = zstd_init_dctx(up->workspace, size);
	if (!up->dctx) {
		vfree(up);
		return NULL;
	}
	return up;
}

int md_density_stream_prepare(struct md_stream *s, unsigned int cpu)
{
	s->unpack = new_unpack(cpu_to_node(cpu));
	return s->unpack ? 0 : -ENOMEM;
}

void md_density_stream_release(struct md_stream *s)
{
	vfree(s->unpack);
	s->unpack = NULL;
}

/*
 * Unpacks up->frame, which is what the slot @index holds by @e. Where the page is then: @page when that is given and the
 * frame is of that page alone, else in up->pages. -EIO: counted and logged.
 */
static const void *unpack(struct md_device *d, u32 index, const struct md_entry *e,
			  struct md_unpack *up, void *page)
{
	zstd_frame_header header;
	size_t size;
	void *out;

	if (e->has_sum && sum_of(up->frame, e->len) != e->sum)
		goto corrupt;
	if (zstd_get_frame_header(&header, up->frame, e->len))
		goto corrupt;
	size = header.frameContentSize;
	if (header.frameContentSize > sizeof(up->pages) || !size || size % PAGE_SIZE ||
	    e->index >= size / PAGE_SIZE)
		goto corrupt;
	out = page && size == PAGE_SIZE ? page : up->pages;
	if (out == up->pages)
		up->generation = 0;
	if (zstd_decompress_dctx(up->dctx, out, size, up->frame, e->len) != size)
		goto corrupt;
	return out + e->index * PAGE_SIZE;

corrupt:
	return ERR_PTR(md_corrupt(d, index));
}

int md_density_decode(struct md_device *d, u32 index, const struct md_entry *e, const void *data,
		      void *page)
{
	struct md_stream *st = md_stream_get();
	struct md_unpack *up = st->unpack;
	const void *from;

	memcpy(up->frame, data, e->len);
	from = unpack(d, index, e, up, page);
	if (!IS_ERR(from) && from != page)
		memcpy(page, from, PAGE_SIZE);
	md_stream_put(st);
	return PTR_ERR_OR_ZERO(from);
}

/* The slot stays as it is. @stubborn: and is not tried again until it is written. */
static void end_packing(struct md_device *d, struct md_slot *s, bool stubborn)
{
	md_slot_lock(s);
	if (md_slot_test(s, MD_PACKING)) {
		md_slot_unmark(s, MD_PACKING);
		if (stubborn)
			md_slot_mark(s, MD_STUBBORN);
	}
	md_slot_unlock(d, s);
}

static bool is_packed(const struct md_entry *e)
{
	return e->kind == MD_ZSTD && (e->place == MD_AT_POOL || e->place == MD_AT_UNIT);
}

/* The slot is marked MD_PACKING, we hold md_density.lock and @st, and up->pages has its page at @page. */
static void bring_back(struct md_device *d, u32 index, struct md_stream *st, const void *page)
{
	struct md_slot *s = md_slot_at(d, index);
	struct vd_page_code code;
	unsigned long handle = 0;
	struct md_entry e;
	const void *data;
	bool stored;

	data = vd_page_encode(page, st->out, st->work, READ_ONCE(d->verify), &code);
	stored = data && !md_pool_store(d, data, code.len, NULL, &handle);
	e = (struct md_entry){
		.val = handle,
		.sum = code.sum,
		.len = code.len,
		.kind = code.kind,
		.place = MD_AT_POOL,
		.has_sum = code.has_sum,
	};
	md_slot_lock(s);
	if (!md_slot_test(s, MD_PACKING) || !stored) {
		md_slot_unmark(s, MD_PACKING);
		md_slot_unlock(d, s);
		if (stored)
			md_pool_free(d, handle);
		return;
	}
	md_slot_replace(d, s, &e);
	md_slot_unlock(d, s);
	md_count(d, MD_STAT_UNPACKED_SINCE, 1);
}

/* Is there room for pages to take more of it? */
static bool has_room(struct md_device *d)
{
	return !md_pool_full(d) && md_pool_pages(d) < READ_ONCE(d->pool.kick_pages);
}

int md_density_read(struct md_device *d, u32 index, void *page)
{
	struct md_density *w = d->density;
	struct md_slot *s = md_slot_at(d, index);
	struct md_stream *st;
	struct md_unpack *up;
	struct md_entry e;
	const void *from;
	u64 generation = 0;
	bool locked, back = false, known;
	int r;

	locked = md_slot_test(s, MD_WARM) && has_room(d) && mutex_trylock(&w->lock);
	st = md_stream_get();
	up = st->unpack;
	md_slot_lock(s);
	e = md_slot_get(s);
	if (unlikely(!is_packed(&e))) {
		md_slot_unlock(d, s);
		r = -EAGAIN;
		goto out;
	}
	if (e.place == MD_AT_UNIT)
		generation = generation_of(atomic64_read(&unit_of(&e)->word));
	known = generation && generation == up->generation;
	if (!known)
		md_slot_copy(d, s, up->frame);
	if (locked && md_slot_test(s, MD_WARM)) {
		back = true;
		md_slot_mark(s, MD_PACKING);
	}
	md_slot_mark(s, MD_WARM);
	md_slot_unlock(d, s);

	if (known) {
		from = up->pages + e.index * PAGE_SIZE;
	} else {
		from = unpack(d, index, &e, up, back ? NULL : page);
		if (!IS_ERR(from) && generation)
			up->generation = generation;
	}
	r = PTR_ERR_OR_ZERO(from);
	if (likely(!r) && from != page)
		memcpy(page, from, PAGE_SIZE);
	if (back && !r)
		bring_back(d, index, st, from);
	else if (back)
		end_packing(d, s, false);
out:
	md_stream_put(st);
	if (locked)
		mutex_unlock(&w->lock);
	return r;
}

/* Packing. All of this is under md_density.lock. */

/* May the slot be worth packing? Also without its lock, for a guess. */
static bool may_pack(const struct md_pass *p, const struct md_slot *s)
{
	unsigned long flags = READ_ONCE(s->flags);
	enum md_kind kind = md_slot_kind(s);
	enum md_place place = md_slot_place(s);

	if (flags & (BIT(MD_STUBBORN) | BIT(MD_SPILLING)))
		return false;
	if (kind == MD_ZSTD) {
		if (place != MD_AT_UNIT || !p->hollow)
			return false;
	} else if ((kind != MD_LZ4 && kind != MD_RAW) ||
		   (place != MD_AT_POOL && place != MD_AT_SHARED)) {
		return false;
	}
	if ((p->idle && !(flags & BIT(MD_IDLE))) || (p->huge && kind != MD_RAW) ||
	    md_slot_len(s) < p->threshold)
		return false;
	return md_slot_age(s) >= p->age;
}

/* Bytes of the pool that an object takes: those that do not share pages with others take a whole one. */
static unsigned int takes(struct md_device *d, unsigned int len)
{
	return len >= md_pool_huge(d) ? PAGE_SIZE : len;
}

/* Under the slot's lock, after may_pack(): what the slot takes, or 0 when there would be nothing to win. */
static unsigned int now_takes(struct md_device *d, const struct md_entry *e)
{
	u64 word;

	switch (e->place) {
	case MD_AT_SHARED:
		return md_dedup_lone(d, e->val) ? takes(d, e->len) : 0;
	case MD_AT_UNIT:
		word = atomic64_read(&unit_of(e)->word);
		return is_hollow(word) ? takes(d, e->len) / live_pages(word) : 0;
	default:
		return takes(d, e->len);
	}
}

static bool start_member(const struct md_pass *p, struct md_slot *s, struct md_entry *e,
			 struct md_member *m)
{
	*e = md_slot_get(s);
	if (!may_pack(p, s))
		return false;
	m->took = now_takes(p->d, e);
	m->index = md_slot_index(p->d, s);
	m->done = false;
	return m->took;
}

/* Takes the page of a slot in, if it is still one to be packed. */
static void add_member(struct md_pass *p, u32 index)
{
	struct md_device *d = p->d;
	struct md_density *w = d->density;
	struct md_slot *s = md_slot_at(d, index);
	struct md_member *m = &w->member[w->members];
	void *page = w->packer->pages + w->members * PAGE_SIZE;
	struct md_unpack *up = w->packer->unpack;
	struct md_entry e;
	const void *from;
	int r = 0;

	md_slot_lock(s);
	if (!start_member(p, s, &e, m)) {
		md_slot_unlock(d, s);
		return;
	}
	if (e.kind == MD_ZSTD)
		md_slot_copy(d, s, up->frame);
	else
		r = md_slot_read(d, s, page);
	/* What is wrong is left to its reader, and not tried again. */
	md_slot_mark(s, r ? MD_STUBBORN : MD_PACKING);
	md_slot_unlock(d, s);
	if (r)
		return;
	if (e.kind == MD_ZSTD) {
		from = unpack(d, index, &e, up, page);
		if (IS_ERR(from)) {
			end_packing(d, s, true);
			return;
		}
		if (from != page)
			memcpy(page, from, PAGE_SIZE);
	}
	w->members++;
}

/* Step 4, for one. Returns whether the slot has it now. */
static bool install(struct md_device *d, struct md_member *m, const struct md_entry *e)
{
	struct md_slot *s = md_slot_at(d, m->index);
	bool same;

	md_slot_lock(s);
	same = md_slot_test(s, MD_PACKING);
	if (same) {
		md_slot_replace(d, s, e);
	}
	md_slot_unlock(d, s);
	m->done = true;
	return same;
}

/* Steps 3 and 4, for members @first to @first + @n - 1, whose frame of @len bytes is in packer->frame and takes @cost. */
static int store(struct md_pass *p, unsigned int first, unsigned int n, unsigned int len,
		 unsigned int cost)
{
	struct md_device *d = p->d;
	struct md_density *w = d->density;
	struct md_unit *u = NULL;
	unsigned long handle;
	struct md_entry e = {
		.len = len,
		.kind = MD_ZSTD,
		.place = n > 1 ? MD_AT_UNIT : MD_AT_POOL,
		.has_sum = READ_ONCE(d->verify),
	};
	long saved = 0;
	unsigned int i;
	int r;

	if (e.has_sum)
		e.sum = sum_of(w->packer->frame, len);
	r = md_pool_store(d, w->packer->frame, len, NULL, &handle);
	if (r)
		return r;
	e.val = handle;
	if (n > 1) {
		u = kmem_cache_alloc(w->units, GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
		if (!u) {
			md_pool_free(d, handle);
			return -ENOMEM;
		}
		u->handle = handle;
		atomic64_set(&u->word, atomic64_inc_return(&last_generation)
						       << UNIT_GENERATION_SHIFT |
					       n << UNIT_PAGES_SHIFT | (BIT(n) - 1));
		e.val = (unsigned long)u;
		md_count(d, MD_STAT_UNITS, 1);
		md_count(d, MD_STAT_COMPR, len);
	}
	for (i = 0; i < n; i++) {
		e.index = u ? i : 0;
		if (install(d, &w->member[first + i], &e)) {
			p->packed++;
			md_count(d, MD_STAT_PACKED_SINCE, 1);
			saved += w->member[first + i].took;
		} else if (u) {
			md_density_put(d, &e);
		} else {
			md_pool_free(d, handle);
		}
	}
	/* When all have changed meanwhile, nothing is kept. */
	if (saved)
		md_count(d, MD_STAT_PACK_SAVED, saved - cost);
	return 0;
}

/* Makes the best of members @first to @first + @n - 1. Not 0: there is no memory for it. */
static int squeeze(struct md_pass *p, unsigned int first, unsigned int n)
{
	struct md_density *w = p->d->density;
	struct md_packer *k = w->packer;
	zstd_parameters params = zstd_get_params(k->level, n * PAGE_SIZE);
	unsigned int took = 0, cost, i;
	size_t len;
	int r;

	for (i = 0; i < n; i++)
		took += w->member[first + i].took;
	len = zstd_compress_cctx(k->cctx, k->frame, sizeof(k->frame), k->pages + first * PAGE_SIZE,
				 n * PAGE_SIZE, &params);
	if (!zstd_is_error(len)) {
		cost = takes(p->d, len) + (n > 1 ? sizeof(struct md_unit) : 0);
		if (cost + took / SAVE_PART <= took)
			return store(p, first, n, len, cost);
	}
	if (n > 1) {
		r = squeeze(p, first, n / 2);
		return r ? r : squeeze(p, first + n / 2, n - n / 2);
	}
	end_packing(p->d, md_slot_at(p->d, w->member[first].index), true);
	w->member[first].done = true;
	md_count(p->d, MD_STAT_STUBBORN_SINCE, 1);
	return 0;
}

/* The packer for the level as it is set now. */
static int prepare_packer(struct md_device *d)
{
	struct md_density *w = d->density;
	int level = READ_ONCE(d->density_level);
	struct md_packer *k = w->packer;
	zstd_parameters params;
	unsigned int n;

	if (!k) {
		k = kvzalloc(sizeof(*k), GFP_KERNEL);
		if (!k)
			return -ENOMEM;
		w->packer = k;
	}
	if (!k->unpack)
		k->unpack = new_unpack(NUMA_NO_NODE);
	if (!k->unpack)
		return -ENOMEM;
	if (k->cctx && k->level == level)
		return 0;
	k->cctx = NULL;
	vfree(k->workspace);
	k->size = 0;
	for (n = 1; n <= UNIT_MAX; n++) {
		params = zstd_get_params(level, n * PAGE_SIZE);
		k->size = max(k->size, zstd_cctx_workspace_bound(&params.cParams));
	}
	k->level = level;
	k->workspace = vmalloc(k->size);
	if (!k->workspace)
		return -ENOMEM;
	k->cctx = zstd_init_cctx(k->workspace, k->size);
	return k->cctx ? 0 : -ENOMEM;
}

/* Packs the slot @index, which may_pack(), with neighbours. */
static int pack(struct md_pass *p, u32 index)
{
	struct md_device *d = p->d;
	struct md_density *w = d->density;
	unsigned int pages = READ_ONCE(d->density_pages), i;
	u32 end = min_t(u64, (u64)index + NEAR, d->nr_pages);
	int r;

	mutex_lock(&w->lock);
	r = prepare_packer(d);
	if (r)
		goto out;
	w->members = 0;
	add_member(p, index);
	for (index++; w->members && w->members < pages && w->members < p->left && index < end;
	     index++)
		if (may_pack(p, md_slot_at(d, index)))
			add_member(p, index);
	if (w->members)
		r = squeeze(p, 0, w->members);
	/* After an error pack_all() may come again with the same page. */
	if (!r)
		p->left -= w->members;
	for (i = 0; i < w->members; i++)
		if (!w->member[i].done)
			end_packing(d, md_slot_at(d, w->member[i].index), false);
out:
	mutex_unlock(&w->lock);
	return r;
}

/* Pauses and passes. */

/* CPU time that nobody wanted, of all processors. */
static u64 idle_ns(void)
{
	u64 sum = 0, idle;
	int cpu;

	for_each_online_cpu(cpu)
	{
		idle = get_cpu_idle_time_us(cpu, NULL);
		if (idle != (u64)-1)
			sum += (idle + get_cpu_iowait_time_us(cpu, NULL)) * NSEC_PER_USEC;
		else
			sum += kcpustat_cpu(cpu).cpustat[CPUTIME_IDLE] +
			       kcpustat_cpu(cpu).cpustat[CPUTIME_IOWAIT];
	}
	return sum;
}

/* Of this thread, in ns. */
static u64 run_ns(void)
{
	return READ_ONCE(current->se.sum_exec_runtime);
}

static void look_around(struct md_density *w, u64 now)
{
	u64 run = run_ns(), idle = idle_ns();
	/* Below 0 when a processor went away meanwhile. */
	s64 spare = idle - w->window_idle + (run - w->window_run);

	w->busy = 2 * spare < (s64)(now - w->window_start);
	w->window_start = now;
	w->window_run = run;
	w->window_idle = idle;
}

/* Between two pieces of work. Returns whether to stop. */
static bool pause(struct md_pass *p)
{
	struct md_density *w = p->d->density;
	u64 now, allowed, used;

	cond_resched();
	if (!p->background)
		return fatal_signal_pending(current);
	try_to_freeze();
	now = ktime_get_ns();
	used = run_ns() - w->window_run;
	allowed = (now - w->window_start) * BUSY_PERCENT / 100;
	if (w->busy && used > allowed + SLICE_NS) {
		wait_event_freezable_timeout(
			w->wait, kthread_should_stop(),
			nsecs_to_jiffies((used - allowed) * 100 / BUSY_PERCENT) + 1);
		now = ktime_get_ns();
	}
	if (now - w->window_start >= WINDOW_NS)
		look_around(w, now);
	return kthread_should_stop() || !READ_ONCE(p->d->density_on);
}

static void compact(struct md_pass *p)
{
	p->packed_then = p->packed;
	md_pool_compact(p->d);
}

/* Packs what p says. 0, or an error that ended it: of one with no memory, what has been done stays. */
static int pack_all(struct md_pass *p)
{
	struct md_device *d = p->d;
	u32 i;
	int r;

	for (i = 0; i < d->nr_pages && p->left; i++) {
		if (!(i % 1024) && pause(p))
			return -EINTR;
		if (!may_pack(p, md_slot_at(d, i)))
			continue;
		r = pack(p, i);
		if (r == -ENOSPC && p->packed != p->packed_then) {
			/* The pool is at its limit, but what has been packed left holes. */
			compact(p);
			r = pack(p, i);
		}
		if (r)
			return r;
		if (p->packed - p->packed_then >= COMPACT_AFTER)
			compact(p);
		if (pause(p))
			return -EINTR;
	}
	return 0;
}

/* One pass of the thread. */
static void background_pass(struct md_device *d)
{
	static const unsigned int factors[] = { 64, 16, 4, 1 }; /* of the age, coldest first */
	struct md_density *w = d->density;
	u32 age = READ_ONCE(d->density_age), i, slot_age;
	bool any[ARRAY_SIZE(factors)] = {};
	struct md_pass p = {
		.d = d,
		.hollow = READ_ONCE(w->hollow),
		.background = true,
		.left = U64_MAX,
	};
	unsigned int f;

	WRITE_ONCE(w->hollow, false);
	for (i = 0; i < d->nr_pages; i++) {
		struct md_slot *s = md_slot_at(d, i);

		if (!(i % 1024) && pause(&p))
			return;
		slot_age = md_slot_age(s);
		if (slot_age < age)
			continue;
		if (md_slot_test(s, MD_WARM))
			md_slot_unmark(s, MD_WARM);
		if (!may_pack(&p, s))
			continue;
		for (f = 0; slot_age < (u64)age * factors[f]; f++)
			;
		any[f] = true;
	}
	for (f = 0; f < ARRAY_SIZE(factors); f++) {
		if (!any[f])
			continue;
		p.age = min_t(u64, (u64)age * factors[f], U32_MAX);
		if (pack_all(&p))
			break;
	}
	/* What could not be done is still to do. */
	if (f < ARRAY_SIZE(factors) && p.hollow)
		WRITE_ONCE(w->hollow, true);
	if (p.packed != p.packed_then)
		compact(&p);
}

static int density_thread(void *arg)
{
	struct md_device *d = arg;
	struct md_density *w = d->density;
	unsigned int flags = md_worker_begin();
	long timeout;
	u64 start;

	set_user_nice(current, MAX_NICE);
	set_freezable();
	look_around(w, ktime_get_ns());
	while (!kthread_should_stop()) {
		timeout = !READ_ONCE(d->density_on)
				  ? MAX_SCHEDULE_TIMEOUT
				  : clamp_t(long, READ_ONCE(d->density_age) * (HZ / 4L), PASS_MIN,
					    PASS_MAX);
		wait_event_freezable_timeout(w->wait, kthread_should_stop() || READ_ONCE(w->kicked),
					     timeout);
		WRITE_ONCE(w->kicked, false);
		if (kthread_should_stop() || !READ_ONCE(d->density_on))
			continue;
		start = run_ns();
		look_around(w, ktime_get_ns());
		background_pass(d);
		md_count(d, MD_STAT_PACK_NS, run_ns() - start);
	}
	md_worker_end(flags);
	return 0;
}

/* Settings have changed. */
static void kick(struct md_density *w)
{
	WRITE_ONCE(w->kicked, true);
	wake_up(&w->wait);
}

int md_density_init(struct md_device *d)
{
	char name[DISK_NAME_LEN + 8];
	struct md_density *w;
	int r = -ENOMEM;

	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	init_waitqueue_head(&w->wait);
	mutex_init(&w->lock);
	snprintf(name, sizeof(name), "%s-units", d->disk->disk_name);
	w->units = kmem_cache_create(name, sizeof(struct md_unit), 0, 0, NULL);
	if (!w->units)
		goto err_free;
	d->density = w;
	w->thread = kthread_run(density_thread, d, "%s-density", d->disk->disk_name);
	if (IS_ERR(w->thread)) {
		r = PTR_ERR(w->thread);
		goto err_destroy_units;
	}
	return 0;

err_destroy_units:
	d->density = NULL;
	kmem_cache_destroy(w->units);
err_free:
	kfree(w);
	return r;
}

void md_density_exit(struct md_device *d)
{
	struct md_density *w = d->density;

	if (!w || !w->thread)
		return;
	kthread_stop(w->thread);
	w->thread = NULL;
}

void md_density_destroy(struct md_device *d)
{
	struct md_density *w = d->density;

	if (!w)
		return;
	d->density = NULL;
	if (w->packer) {
		vfree(w->packer->workspace);
		vfree(w->packer->unpack);
	}
	kvfree(w->packer);
	kmem_cache_destroy(w->units);
	kfree(w);
}

void md_density_defaults(struct md_device *d)
{
	d->density_on = true;
	d->density_age = DEFAULT_AGE;
	d->density_pages = DEFAULT_PAGES;
	d->density_level = DEFAULT_LEVEL;
}

u64 md_density_memory(struct md_device *d)
{
	struct md_density *w = d->density;
	size_t unpack = PAGE_ALIGN(sizeof(struct md_unpack) + zstd_dctx_workspace_bound());
	u64 bytes = (u64)num_online_cpus() * unpack;

	if (!w)
		return bytes;
	bytes += md_stat_sum(d, MD_STAT_UNITS) * sizeof(struct md_unit);
	mutex_lock(&w->lock);
	if (w->packer)
		bytes += PAGE_ALIGN(sizeof(*w->packer)) + PAGE_ALIGN(w->packer->size) + unpack;
	mutex_unlock(&w->lock);
	return bytes;
}

/* Attributes. */

static void settings_changed(struct md_device *d)
{
	down_read(&d->init_lock);
	if (d->density)
		kick(d->density);
	up_read(&d->init_lock);
}

static ssize_t density_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->density_on));
}

static ssize_t density_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	bool on;
	int r;

	r = kstrtobool(buf, &on);
	if (r)
		return r;
	WRITE_ONCE(md_of(dev)->density_on, on);
	settings_changed(md_of(dev));
	return len;
}

static ssize_t density_age_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->density_age));
}

static ssize_t density_age_store(struct device *dev, struct device_attribute *attr, const char *buf,
				 size_t len)
{
	u32 age;
	int r;

	r = kstrtou32(buf, 10, &age);
	if (r)
		return r;
	WRITE_ONCE(md_of(dev)->density_age, age);
	settings_changed(md_of(dev));
	return len;
}

static ssize_t density_pages_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(md_of(dev)->density_pages));
}

static ssize_t density_pages_store(struct device *dev, struct device_attribute *attr,
				   const char *buf, size_t len)
{
	u8 pages;
	int r;

	r = kstrtou8(buf, 10, &pages);
	if (r)
		return r;
	if (pages != 1 && pages != 2 && pages != 4)
		return -EINVAL;
	WRITE_ONCE(md_of(dev)->density_pages, pages);
	return len;
}

static int set_level(struct md_device *d, const char *text)
{
	int level, r;

	r = kstrtoint(text, 10, &level);
	if (r)
		return r;
	if (level < 1 || level > zstd_max_clevel())
		return -EINVAL;
	WRITE_ONCE(d->density_level, level);
	return 0;
}

static ssize_t density_level_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(md_of(dev)->density_level));
}

static ssize_t density_level_store(struct device *dev, struct device_attribute *attr,
				   const char *buf, size_t len)
{
	int r = set_level(md_of(dev), buf);

	return r ? r : len;
}

static ssize_t density_stat_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct md_device *d = md_of(dev);

	return sysfs_emit(buf, "%8llu %8llu %8llu %8llu %8llu %8llu %8llu\n",
			  md_stat_sum(d, MD_STAT_PACKED), md_stat_sum(d, MD_STAT_UNITS),
			  md_stat_sum(d, MD_STAT_PACKED_SINCE), md_stat_sum(d, MD_STAT_PACK_SAVED),
			  md_stat_sum(d, MD_STAT_STUBBORN_SINCE),
			  md_stat_sum(d, MD_STAT_UNPACKED_SINCE),
			  div_u64(md_stat_sum(d, MD_STAT_PACK_NS), NSEC_PER_MSEC));
}

/* zram's, of which there is one that recompresses, and it is zstd. */
static ssize_t recomp_algorithm_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "#1: [zstd]\n");
}

/* One "name=value" of what zram's attributes are given. 0, or -EINVAL for a name that is not known. */
struct md_param {
	const char *name;
	int (*set)(void *to, const char *value);
};

static int parse_params(const char *buf, const struct md_param *params, unsigned int n, void *to)
{
	char *text, *args, *name, *value;
	unsigned int i;
	int r = 0;

	text = kstrdup(buf, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	args = skip_spaces(text);
	while (*args && !r) {
		args = next_arg(args, &name, &value);
		r = -EINVAL;
		for (i = 0; value && *value && i < n; i++)
			if (!strcmp(name, params[i].name))
				r = params[i].set(to, value);
	}
	kfree(text);
	return r;
}

static int param_algorithm(void *to, const char *value)
{
	return strcmp(value, "zstd") ? -EINVAL : 0;
}

static int param_priority(void *to, const char *value)
{
	return strcmp(value, "1") ? -EINVAL : 0;
}

static ssize_t recomp_algorithm_store(struct device *dev, struct device_attribute *attr,
				      const char *buf, size_t len)
{
	static const struct md_param params[] = {
		{ "algo", param_algorithm },
		{ "priority", param_priority },
	};
	struct md_device *d = md_of(dev);
	int r = parse_params(buf, params, ARRAY_SIZE(params), NULL);

	if (r)
		return r;
	down_read(&d->init_lock);
	if (md_ready(d))
		r = -EBUSY;
	up_read(&d->init_lock);
	return r ? r : len;
}

static int param_level(void *to, const char *value)
{
	return set_level(to, value);
}

static ssize_t algorithm_params_store(struct device *dev, struct device_attribute *attr,
				      const char *buf, size_t len)
{
	static const struct md_param params[] = {
		{ "algo", param_algorithm },
		{ "priority", param_priority },
		{ "level", param_level },
	};
	int r = parse_params(buf, params, ARRAY_SIZE(params), md_of(dev));

	return r ? r : len;
}

static int param_type(void *to, const char *value)
{
	static const struct {
		const char *name;
		bool idle, huge;
	} types[] = {
		{ "all", false, false },
		{ "idle", true, false },
		{ "huge", false, true },
		{ "huge_idle", true, true },
	};
	struct md_pass *p = to;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(value, types[i].name))
			continue;
		p->idle = types[i].idle;
		p->huge = types[i].huge;
		return 0;
	}
	return -EINVAL;
}

static int param_threshold(void *to, const char *value)
{
	struct md_pass *p = to;

	return kstrtouint(value, 10, &p->threshold);
}

static int param_max_pages(void *to, const char *value)
{
	struct md_pass *p = to;

	return kstrtou64(value, 10, &p->left);
}

static ssize_t recompress_store(struct device *dev, struct device_attribute *attr, const char *buf,
				size_t len)
{
	static const struct md_param params[] = {
		{ "type", param_type },		  { "threshold", param_threshold },
		{ "max_pages", param_max_pages }, { "algo", param_algorithm },
		{ "priority", param_priority },
	};
	struct md_device *d = md_of(dev);
	struct md_pass p = { .d = d, .left = U64_MAX };
	unsigned int flags;
	int r;

	r = parse_params(buf, params, ARRAY_SIZE(params), &p);
	if (r)
		return r;
	down_read(&d->init_lock);
	if (!md_ready(d) || p.threshold >= md_pool_huge(d)) {
		r = -EINVAL;
		goto out;
	}
	/* With md_density.lock held, memory must not come from writing to this device. */
	flags = md_worker_begin();
	p.hollow = true;
	r = pack_all(&p);
	if (p.packed != p.packed_then)
		compact(&p);
	md_worker_end(flags);
out:
	up_read(&d->init_lock);
	return r ? r : len;
}

static DEVICE_ATTR_RW(density);
static DEVICE_ATTR_RW(density_age);
static DEVICE_ATTR_RW(density_pages);
static DEVICE_ATTR_RW(density_level);
static DEVICE_ATTR_RO(density_stat);
static DEVICE_ATTR_RW(recomp_algorithm);
static DEVICE_ATTR_WO(algorithm_params);
static DEVICE_ATTR_WO(recompress);

static struct attribute *density_attrs[] = {
	&dev_attr_density.attr,
	&dev_attr_density_age.attr,
	&dev_attr_density_pages.attr,
	&dev_attr_density_level.attr,
	&dev_attr_density_stat.attr,
	&dev_attr_recomp_algorithm.attr,
	&dev_attr_algorithm_params.attr,
	&dev_attr_recompress.attr,
	NULL,
};

const struct attribute_group md_density_group = { .attrs = density_attrs };
