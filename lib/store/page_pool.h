/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Memory for compressed pages: objects of 64 to 4096 bytes, in steps of 64, that are given back to the system
 * as soon as their slab is empty. malloc() keeps what it was given, and makes system calls when it likes; this does
 * neither, which is what a swap device needs.
 */
#ifndef VD_STORE_PAGE_POOL_H
#define VD_STORE_PAGE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vd_pool;

/* An object; 0 is none. */
typedef uint64_t vd_handle;

/*
 * A pool of at most @bytes (rounded up to slabs). @locked: all of it is taken and locked in memory now, and no operation makes
 * a system call later. 0, -ENOMEM, -EPERM (may not lock that much).
 */
int vd_pool_new(uint64_t bytes, bool locked, struct vd_pool **out);
void vd_pool_free(struct vd_pool *p);

/* Of @len bytes, 1..4096. 0 when the pool is full. Any thread. */
vd_handle vd_pool_alloc(struct vd_pool *p, size_t len);
void vd_pool_release(struct vd_pool *p, vd_handle h);
void *vd_pool_at(struct vd_pool *p, vd_handle h);
/* Would an object of @len bytes fit in the place of @h? */
bool vd_pool_fits(struct vd_pool *p, vd_handle h, size_t len);

/* Bytes in slabs now, at most ever, and the limit, which may be lowered below what is used: then allocations fail. */
uint64_t vd_pool_used(const struct vd_pool *p);
uint64_t vd_pool_used_max(const struct vd_pool *p);
uint64_t vd_pool_limit(const struct vd_pool *p);
void vd_pool_set_limit(struct vd_pool *p, uint64_t bytes);

#endif
