// SPDX-License-Identifier: GPL-3.0-or-later
#include "test_store_mem.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static int fails(struct vd_store *s, size_t len, uint64_t off)
{
	const struct mem_store *m = (struct mem_store *)s;

	/* vd_store_*() answer these by themselves. */
	if (!len || off > s->size || len > s->size - off)
		CHECK_FAIL("an op is asked for %zu bytes at %llu", len, (unsigned long long)off);
	return off + len > m->fail_from && off < m->fail_until ? m->fail_code : 0;
}

static int mem_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	struct mem_store *m = (struct mem_store *)s;
	int r = fails(s, len, off);

	pthread_mutex_lock(&m->lock);
	m->reads++;
	if (!r)
		memcpy(buf, m->data + off, len);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int mem_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off)
{
	struct mem_store *m = (struct mem_store *)s;
	int r = fails(s, len, off);

	pthread_mutex_lock(&m->lock);
	if (!r)
		memcpy(m->data + off, buf, len);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static void mem_close(struct vd_store *s)
{
	struct mem_store *m = (struct mem_store *)s;

	if (m->closed)
		++*m->closed;
	pthread_mutex_destroy(&m->lock);
	free(m->data);
	free(m);
}

static const struct vd_store_ops mem_ops = {
	.name = "mem",
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.close = mem_close,
};

struct mem_store *mem_store_new(const void *data, uint64_t size)
{
	struct mem_store *m = calloc(1, sizeof(*m));

	ASSERT(m != NULL);
	m->data = calloc(1, size ? size : 1);
	ASSERT(m->data != NULL);
	if (data)
		memcpy(m->data, data, size);
	m->store = (struct vd_store){ .ops = &mem_ops, .size = size, .block = 512 };
	m->fail_from = m->fail_until = UINT64_MAX;
	pthread_mutex_init(&m->lock, NULL);
	return m;
}
