// SPDX-License-Identifier: GPL-3.0-or-later
#include "store_contract.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/cleanup.h"

#define SIZE ((uint64_t)1 << 20)
#define THREADS 4

static void close_store(struct vd_store **s)
{
	vd_store_close(*s);
}

#define _cleanup_store_ _cleanup_(close_store)

/* xorshift: a fixed seed, so that a failure comes again. */
static uint32_t next_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

static void fill(uint8_t *p, size_t len, uint32_t *seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(next_random(seed) >> 8);
}

/* Is the whole store what @model says? */
static void check_all(struct vd_store *s, const uint8_t *model)
{
	uint8_t *got = check_alloc(s->size);

	memset(got, 0xa5, s->size);
	if (CHECK_OK(vd_store_pread(s, got, s->size, 0)))
		CHECK_MEM(got, model, s->size);
}

void store_contract_fresh_reads_zeros(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;

	ASSERT_OK(c->make(SIZE, &s));
	CHECK_UINT(s->size, SIZE);
	CHECK(s->block && !(s->block & (s->block - 1)));
	CHECK(!s->read_only);
	check_all(s, check_alloc(SIZE));
}

void store_contract_bounds(const struct store_contract *c)
{
	static const struct {
		uint64_t off, len;
		int code;
	} rows[] = {
		{ 0, SIZE, 0 },
		{ SIZE, 0, 0 },
		{ SIZE - 1, 1, 0 },
		{ 7, 0, 0 },
		{ SIZE, 1, -EINVAL },
		{ SIZE - 1, 2, -EINVAL },
		{ 0, SIZE + 1, -EINVAL },
		{ SIZE + 1, 0, -EINVAL },
		{ UINT64_MAX, 1, -EINVAL },
		{ UINT64_MAX - 1, 2, -EINVAL },
		{ UINT64_MAX, UINT64_MAX, -EINVAL },
		{ 1, UINT64_MAX, -EINVAL },
		{ (uint64_t)INT64_MAX, 1, -EINVAL },
	};
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *buf = check_alloc(SIZE + 1), *zeros = check_alloc(SIZE);

	ASSERT_OK(c->make(SIZE, &s));
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		CHECK_ERRNO(vd_store_pread(s, buf, rows[i].len, rows[i].off), rows[i].code);
		CHECK_ERRNO(vd_store_pwrite(s, zeros, rows[i].len, rows[i].off), rows[i].code);
		CHECK_ERRNO(vd_store_zero(s, rows[i].off, rows[i].len), rows[i].code);
		CHECK_ERRNO(vd_store_trim(s, rows[i].off, rows[i].len), rows[i].code);
	}
	CHECK_OK(vd_store_flush(s));
	CHECK_UINT(s->size, SIZE);
	check_all(s, zeros);
}

void store_contract_unaligned(const struct store_contract *c)
{
	/* Around every border that a store may have inside. */
	static const uint32_t borders[] = { 512, 4096, 65536, 131072, SIZE - 4096 };
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE), *got = check_alloc(SIZE);
	uint32_t seed = 1;

	ASSERT_OK(c->make(SIZE, &s));
	for (size_t i = 0; i < VD_ARRAY_SIZE(borders); i++)
		for (int before = 0; before < 3; before++)
			for (uint32_t len = 1; len < 6; len++) {
				uint64_t off = borders[i] - (uint32_t)before;

				fill(model + off, len, &seed);
				CHECK_OK(vd_store_pwrite(s, model + off, len, off));
				CHECK_OK(vd_store_pread(s, got, len + 2, off - 1));
				CHECK_MEM(got, model + off - 1, len + 2);
			}
	/* The last byte, and a long run that begins and ends anywhere. */
	fill(model + SIZE - 1, 1, &seed);
	CHECK_OK(vd_store_pwrite(s, model + SIZE - 1, 1, SIZE - 1));
	fill(model + 4097, 300001, &seed);
	CHECK_OK(vd_store_pwrite(s, model + 4097, 300001, 4097));
	check_all(s, model);
}

/* One step of a random walk inside [from, from + size) that keeps @model in step. False when an op failed. */
static bool random_step(struct vd_store *s, uint8_t *model, uint64_t from, uint64_t size,
			uint32_t *seed, uint8_t *scratch)
{
	uint64_t off = from + next_random(seed) % size;
	uint64_t max = from + size - off;
	uint64_t len = 1 + next_random(seed) % (next_random(seed) % 4 ? 5000 : 70000);

	if (len > max)
		len = max;
	switch (next_random(seed) % 8) {
	case 0:
		memset(model + off, 0, len);
		return CHECK_OK(vd_store_zero(s, off, len));
	case 1:
		memset(model + off, 0, len);
		return CHECK_OK(vd_store_trim(s, off, len));
	case 2:
		return CHECK_OK(vd_store_flush(s));
	case 3:
		memset(model + off, (int)(next_random(seed) & 0xff), len);
		return CHECK_OK(vd_store_pwrite(s, model + off, len, off));
	case 4:
	case 5:
		fill(model + off, len, seed);
		return CHECK_OK(vd_store_pwrite(s, model + off, len, off));
	default:
		return CHECK_OK(vd_store_pread(s, scratch, len, off)) &&
		       CHECK_MEM(scratch, model + off, len);
	}
}

void store_contract_random(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE), *scratch = check_alloc(SIZE);
	uint32_t seed = 20240607;

	ASSERT_OK(c->make(SIZE, &s));
	for (int i = 0; i < 3000; i++)
		if (!random_step(s, model, 0, SIZE, &seed, scratch))
			break;
	check_all(s, model);
}

void store_contract_zero_and_trim(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE);
	uint32_t seed = 3;

	ASSERT_OK(c->make(SIZE, &s));
	fill(model, SIZE, &seed);
	ASSERT_OK(vd_store_pwrite(s, model, SIZE, 0));
	memset(model + 1000, 0, 100000);
	CHECK_OK(vd_store_trim(s, 1000, 100000));
	memset(model + 300001, 0, 8192);
	CHECK_OK(vd_store_zero(s, 300001, 8192));
	memset(model + SIZE - 5, 0, 5);
	CHECK_OK(vd_store_trim(s, SIZE - 5, 5));
	check_all(s, model);
	/* Written again after it was trimmed. */
	fill(model + 2000, 5000, &seed);
	CHECK_OK(vd_store_pwrite(s, model + 2000, 5000, 2000));
	check_all(s, model);
	CHECK_OK(vd_store_trim(s, 0, SIZE));
	check_all(s, check_alloc(SIZE));
	CHECK_UINT(s->size, SIZE);
}

void store_contract_map(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE), *got = check_alloc(SIZE);
	struct vd_fd_range range = { .fd = -1 };
	uint32_t seed = 4;
	uint64_t off = 0;

	ASSERT_OK(c->make(SIZE, &s));
	fill(model, SIZE, &seed);
	ASSERT_OK(vd_store_pwrite(s, model, SIZE, 0));
	ASSERT_OK(vd_store_flush(s));
	CHECK_ERRNO(vd_store_map(s, SIZE, 1, &range), -EINVAL);
	CHECK_ERRNO(vd_store_map(s, 0, 0, &range), -EINVAL);
	CHECK_ERRNO(vd_store_map(s, UINT64_MAX, 2, &range), -EINVAL);
	if (!s->ops->map) {
		CHECK_ERRNO(vd_store_map(s, 0, SIZE, &range), -EOPNOTSUPP);
		return;
	}
	/* What it says lies there does. A range that lies in no file is said so. */
	while (off < SIZE) {
		int r = vd_store_map(s, off, SIZE - off, &range);

		if (r == -EOPNOTSUPP) {
			off += 4096;
			continue;
		}
		ASSERT_OK(r);
		ASSERT(range.len >= 1 && range.len <= SIZE - off);
		ASSERT_INT(pread(range.fd, got, range.len, (off_t)range.offset),
			   (long long)range.len);
		CHECK_MEM(got, model + off, range.len);
		off += range.len;
	}
}

void store_contract_read_only(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE);
	uint32_t seed = 5;

	fill(model, SIZE, &seed);
	ASSERT_OK(c->make_read_only(model, SIZE, &s));
	CHECK(s->read_only);
	CHECK_ERRNO(vd_store_pwrite(s, "x", 1, 0), -EROFS);
	CHECK_ERRNO(vd_store_pwrite(s, "x", 0, 0), -EROFS);
	CHECK_ERRNO(vd_store_zero(s, 0, 4096), -EROFS);
	CHECK_ERRNO(vd_store_trim(s, 0, 4096), -EROFS);
	/* Outside is outside first. */
	CHECK_ERRNO(vd_store_pwrite(s, "x", 1, SIZE), -EINVAL);
	CHECK_OK(vd_store_flush(s));
	check_all(s, model);
}

void store_contract_errors_below(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	struct mem_store *lower;
	uint8_t *buf = check_alloc(SIZE);
	uint32_t seed = 6;

	ASSERT_OK(c->make(SIZE, &s));
	lower = c->lower(s);
	fill(buf, SIZE, &seed);
	ASSERT_OK(vd_store_pwrite(s, buf, SIZE, 0));
	ASSERT_OK(vd_store_flush(s));
	lower->fail_from = 0;
	lower->fail_code = -EIO;
	CHECK_ERRNO(vd_store_pread(s, buf, SIZE, 0), -EIO);
	lower->fail_code = -ENOSPC;
	/* A layer may keep a write for a while; then the flush tells. */
	if (!vd_store_pwrite(s, buf, SIZE, 0))
		CHECK_ERRNO(vd_store_flush(s), -ENOSPC);
	lower->fail_from = UINT64_MAX;
	CHECK_OK(vd_store_pwrite(s, buf, SIZE, 0));
	CHECK_OK(vd_store_flush(s));
}

struct worker {
	pthread_t thread;
	struct vd_store *store;
	uint8_t *model, *scratch;
	uint64_t from, size;
	uint32_t seed;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 1500; i++)
		if (!random_step(w->store, w->model, w->from, w->size, &w->seed, w->scratch))
			break;
	return NULL;
}

/* Each in a part of its own, whose borders are aligned to nothing. */
void store_contract_threads(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *model = check_alloc(SIZE);
	struct worker w[THREADS];
	uint64_t from = 0;

	ASSERT_OK(c->make(SIZE, &s));
	for (uint32_t i = 0; i < THREADS; i++) {
		uint64_t to = i == THREADS - 1 ? SIZE : (i + 1) * (SIZE / THREADS) + 37 * (i + 1);

		w[i] = (struct worker){ .store = s,
					.model = model,
					.scratch = check_alloc(SIZE),
					.from = from,
					.size = to - from,
					.seed = 100 + i };
		from = to;
	}
	for (int i = 0; i < THREADS; i++)
		ASSERT_INT(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	check_all(s, model);
}

struct tearing {
	struct vd_store *store;
	atomic_bool stop;
};

static void *overwrite(void *arg)
{
	struct tearing *t = arg;
	uint8_t *block = check_alloc(16384);

	for (uint32_t i = 0; !atomic_load(&t->stop); i++) {
		memset(block, i & 1 ? 0x11 : 0x22, 16384);
		if (!CHECK_OK(vd_store_pwrite(t->store, block, 16384, 1000)))
			break;
	}
	return NULL;
}

/* A read that overlaps a write sees old or new, byte for byte, and never anything else. */
void store_contract_torn_by_bytes_only(const struct store_contract *c)
{
	_cleanup_store_ struct vd_store *s = NULL;
	uint8_t *got = check_alloc(16384);
	struct tearing t = { .stop = false };
	pthread_t writer;
	size_t strange = 0;

	ASSERT_OK(c->make(SIZE, &s));
	memset(got, 0x22, 16384);
	ASSERT_OK(vd_store_pwrite(s, got, 16384, 1000));
	t.store = s;
	ASSERT_INT(pthread_create(&writer, NULL, overwrite, &t), 0);
	for (int i = 0; i < 500; i++) {
		if (!CHECK_OK(vd_store_pread(s, got, 16384, 1000)))
			break;
		for (size_t k = 0; k < 16384; k++)
			strange += got[k] != 0x11 && got[k] != 0x22;
	}
	atomic_store(&t.stop, true);
	pthread_join(writer, NULL);
	CHECK_UINT(strange, 0);
}
