// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrived/served.h"

#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t vd_served_size(const struct vd_served *s)
{
	return s->store ? s->store->size : vd_disc_size(s->disc);
}

void vd_io_begin(struct vd_served *s, uint64_t *start)
{
	atomic_fetch_add_explicit(&s->in_flight, 1, memory_order_relaxed);
	*start = now_ns();
}

void vd_io_end(struct vd_served *s, struct vd_io_counters *c, uint64_t start, uint64_t bytes,
	       int result)
{
	atomic_fetch_add_explicit(&c->ns, now_ns() - start, memory_order_relaxed);
	if (result) {
		atomic_fetch_add_explicit(&c->failed, 1, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&c->ios, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&c->sectors, (bytes + 511) / 512, memory_order_relaxed);
	}
	atomic_fetch_sub_explicit(&s->in_flight, 1, memory_order_relaxed);
}

int vd_served_pread(struct vd_served *s, void *buf, size_t len, uint64_t off)
{
	uint64_t start;
	int r;

	vd_io_begin(s, &start);
	r = s->store ? vd_store_pread(s->store, buf, len, off)
		     : vd_disc_pread(s->disc, buf, len, off);
	vd_io_end(s, &s->reads, start, len, r);
	return r;
}
