// SPDX-License-Identifier: GPL-3.0-or-later
/* The stores in memory: the contract, that memory comes back, that a full one loses nothing; and their page codec. */
#include <pthread.h>
#include <stdlib.h>

#include "kernel/page_codec.h"
#include "store_contract.h"

#define MIB (1024u * 1024)

static int make_lz4(uint64_t size, struct vd_store **out)
{
	return vd_store_lz4_open(size, &(struct vd_lz4_options){ 0 }, out, NULL);
}

static int make_lz4_locked(uint64_t size, struct vd_store **out)
{
	return vd_store_lz4_open(size, &(struct vd_lz4_options){ .locked = true }, out, NULL);
}

static int make_mem(uint64_t size, struct vd_store **out)
{
	return vd_store_mem_open(size, out, NULL);
}

static const struct store_contract lz4 = { .make = make_lz4 };
STORE_CONTRACT_TESTS(lz4)
static const struct store_contract lz4_locked = { .make = make_lz4_locked };
STORE_CONTRACT_TESTS(lz4_locked)
static const struct store_contract mem = { .make = make_mem };
STORE_CONTRACT_TESTS(mem)

/* Bytes that compress to about half: random ones, each twice. */
static void fill_half(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i + 16 <= len; i += 16) {
		for (size_t j = 0; j < 8; j++) {
			seed = seed * 1103515245u + 12345u;
			p[i + j] = (uint8_t)(seed >> 16);
		}
		memcpy(p + i + 8, p + i, 8);
	}
}

static void fill_random(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		p[i] = (uint8_t)(seed >> 16);
	}
}

static void test_codec_kinds(void)
{
	uint64_t *page = check_alloc(VD_PAGE_SIZE), *back = check_alloc(VD_PAGE_SIZE);
	void *out = check_alloc(VD_PAGE_SIZE), *work = check_alloc(VD_PAGE_WORK_SIZE);
	struct vd_page_code code;
	const void *data;

	for (size_t i = 0; i < VD_PAGE_SIZE / 8; i++)
		page[i] = 0x0123456789abcdefull;
	data = vd_page_encode(page, out, work, true, &code);
	CHECK_INT(code.kind, VD_PAGE_SAME);
	CHECK(data == NULL);
	CHECK_INT(code.len, 0);
	ASSERT_OK(vd_page_decode(&code, NULL, back));
	CHECK_MEM(back, page, VD_PAGE_SIZE);

	/* One byte in the middle makes it something else. */
	((uint8_t *)page)[2000] ^= 1;
	data = vd_page_encode(page, out, work, true, &code);
	CHECK_INT(code.kind, VD_PAGE_LZ4);
	CHECK(data == out);
	CHECK(code.len > 0 && code.len < 200);
	ASSERT_OK(vd_page_decode(&code, data, back));
	CHECK_MEM(back, page, VD_PAGE_SIZE);

	fill_random((uint8_t *)page, VD_PAGE_SIZE, 1);
	data = vd_page_encode(page, out, work, true, &code);
	CHECK_INT(code.kind, VD_PAGE_RAW);
	/* A copy: the sum holds, whoever changes the page now. */
	CHECK(data == out);
	CHECK_INT(code.len, VD_PAGE_SIZE);
	CHECK_MEM(out, page, VD_PAGE_SIZE);
	page[77]++;
	ASSERT_OK(vd_page_decode(&code, data, back));
	page[77]--;
	CHECK_MEM(back, page, VD_PAGE_SIZE);
	CHECK(vd_page_encode(page, out, work, false, &code) == page);
}

/* Whatever happens to the stored bytes or the code, the decoder says EIO or gives the page that was stored. */
static void test_codec_corruption(void)
{
	uint8_t *page = check_alloc(VD_PAGE_SIZE), *back = check_alloc(VD_PAGE_SIZE);
	uint8_t *out = check_alloc(VD_PAGE_SIZE);
	void *work = check_alloc(VD_PAGE_WORK_SIZE);
	struct vd_page_code code, bad;
	unsigned refused = 0;

	fill_half(page, VD_PAGE_SIZE, 7);
	ASSERT(vd_page_encode(page, out, work, true, &code) == out);
	for (size_t bit = 0; bit < code.len * 8u; bit += 7) {
		out[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused += vd_page_decode(&code, out, back) == -EIO;
		out[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK_UINT(refused, (code.len * 8u + 6) / 7);
	bad = code;
	bad.len--;
	CHECK_ERRNO(vd_page_decode(&bad, out, back), -EIO);
	bad = code;
	bad.len = 65535;
	CHECK_ERRNO(vd_page_decode(&bad, out, back), -EIO);
	bad = code;
	bad.kind = VD_PAGE_RAW;
	CHECK_ERRNO(vd_page_decode(&bad, out, back), -EIO);
	bad.kind = 77;
	CHECK_ERRNO(vd_page_decode(&bad, out, back), -EIO);
	bad = code;
	bad.sum ^= 1;
	CHECK_ERRNO(vd_page_decode(&bad, out, back), -EIO);
	ASSERT_OK(vd_page_decode(&code, out, back));
	CHECK_MEM(back, page, VD_PAGE_SIZE);
}

/* Without a sum: the same bytes, which nobody vouches for; what is no LZ4 at all is refused still. */
static void test_codec_without_sum(void)
{
	uint8_t *page = check_alloc(VD_PAGE_SIZE), *back = check_alloc(VD_PAGE_SIZE);
	uint8_t *out = check_alloc(VD_PAGE_SIZE), *again = check_alloc(VD_PAGE_SIZE);
	void *work = check_alloc(VD_PAGE_WORK_SIZE);
	struct vd_page_code with, code;

	fill_half(page, VD_PAGE_SIZE, 3);
	ASSERT(vd_page_encode(page, again, work, true, &with) == again);
	CHECK(with.has_sum);
	CHECK_UINT(with.sum, (uint32_t)(with.hash ^ with.hash >> 32));
	ASSERT(vd_page_encode(page, out, work, false, &code) == out);
	CHECK(!code.has_sum);
	CHECK_UINT(code.sum, 0);
	CHECK_UINT(code.hash, 0);
	CHECK_UINT(code.len, with.len);
	CHECK_MEM(out, again, code.len);
	code.sum = 12345;
	ASSERT_OK(vd_page_decode(&code, out, back));
	CHECK_MEM(back, page, VD_PAGE_SIZE);
	memset(out, 0xff, code.len);
	CHECK_ERRNO(vd_page_decode(&code, out, back), -EIO);
}

static struct vd_store *open_lz4(uint64_t size, uint64_t limit)
{
	struct vd_lz4_options o = { .mem_limit = limit };
	struct vd_store *s = NULL;

	ASSERT_OK(vd_store_lz4_open(size, &o, &s, NULL));
	return s;
}

static void test_lz4_memory(void)
{
	struct vd_store *s = open_lz4(64 * MIB, 0);
	uint8_t *buf = check_alloc(MIB);
	struct vd_store_memory m;

	vd_store_memory(s, &m);
	CHECK_UINT(m.used, 0);
	for (unsigned i = 0; i < 32; i++) {
		fill_half(buf, MIB, i);
		ASSERT_OK(vd_store_pwrite(s, buf, MIB, (uint64_t)i * MIB));
	}
	memset(buf, 0x5a, MIB);
	ASSERT_OK(vd_store_pwrite(s, buf, MIB, 32 * MIB));
	vd_store_memory(s, &m);
	CHECK_UINT(m.orig, 33 * MIB);
	CHECK_UINT(m.same_pages, 256);
	CHECK_UINT(m.huge_pages, 0);
	CHECK(m.compr > 14 * MIB && m.compr < 24 * MIB);
	CHECK(m.used >= m.compr && m.used < m.compr + m.compr / 10 + 2 * MIB);
	/* Every other page goes, then all: nothing is kept back. */
	for (uint64_t off = 0; off < 64 * MIB; off += 8192)
		ASSERT_OK(vd_store_trim(s, off, 4096));
	vd_store_memory(s, &m);
	CHECK_UINT(m.orig, 33 * MIB / 2);
	ASSERT_OK(vd_store_trim(s, 0, 64 * MIB));
	vd_store_memory(s, &m);
	CHECK_UINT(m.orig, 0);
	CHECK_UINT(m.compr, 0);
	CHECK_UINT(m.used, 0);
	CHECK_UINT(m.same_pages, 0);
	CHECK(m.used_max > 14 * MIB);
	vd_store_close(s);
}

/* A store that is full says so, keeps all that it took, and takes again once something is trimmed. */
static void test_lz4_full(void)
{
	struct vd_store *s = open_lz4(64 * MIB, 4 * MIB);
	uint8_t *page = check_alloc(4096), *back = check_alloc(4096);
	unsigned n, same = 0;

	for (n = 0; n < 16384; n++) {
		fill_random(page, 4096, n);
		if (vd_store_pwrite(s, page, 4096, (uint64_t)n * 4096))
			break;
	}
	CHECK(n >= 1000 && n <= 1024);
	CHECK_ERRNO(vd_store_pwrite(s, page, 4096, (uint64_t)n * 4096), -ENOSPC);
	/* A page that is there may be written over, even now. */
	fill_random(page, 4096, 4711);
	CHECK_OK(vd_store_pwrite(s, page, 4096, 0));
	ASSERT_OK(vd_store_pread(s, back, 4096, 0));
	CHECK_MEM(back, page, 4096);
	for (unsigned i = 1; i < n; i++) {
		fill_random(page, 4096, i);
		ASSERT_OK(vd_store_pread(s, back, 4096, (uint64_t)i * 4096));
		same += !memcmp(page, back, 4096);
	}
	CHECK_UINT(same, n - 1);
	/* The write that failed left a hole. */
	memset(page, 0, 4096);
	ASSERT_OK(vd_store_pread(s, back, 4096, (uint64_t)n * 4096));
	CHECK_MEM(back, page, 4096);
	ASSERT_OK(vd_store_trim(s, 0, 64 * 4096));
	fill_random(page, 4096, 1);
	CHECK_OK(vd_store_pwrite(s, page, 4096, (uint64_t)n * 4096));
	/* Raised, it takes more; lowered beneath what is there, nothing is lost. */
	ASSERT_OK(vd_store_set_mem_limit(s, 8 * MIB));
	for (unsigned i = 0; i < 256; i++) {
		fill_random(page, 4096, i);
		ASSERT_OK(vd_store_pwrite(s, page, 4096, 32 * MIB + (uint64_t)i * 4096));
	}
	ASSERT_OK(vd_store_set_mem_limit(s, MIB));
	/* What has room already, a slab's eight places at most, still takes some. */
	for (n = 0; n < 8; n++)
		if (vd_store_pwrite(s, page, 4096, 48 * MIB + (uint64_t)n * 4096))
			break;
	CHECK_ERRNO(vd_store_pwrite(s, page, 4096, 48 * MIB + 8 * 4096), -ENOSPC);
	fill_random(page, 4096, 200);
	ASSERT_OK(vd_store_pread(s, back, 4096, 32 * MIB + 200 * 4096));
	CHECK_MEM(back, page, 4096);
	vd_store_close(s);
}

static void test_mem_memory(void)
{
	struct vd_store *s = NULL;
	uint8_t *buf = check_alloc(MIB);
	struct vd_store_memory m;

	ASSERT_OK(vd_store_mem_open(64 * MIB, &s, NULL));
	memset(buf, 7, MIB);
	for (unsigned i = 0; i < 16; i++)
		ASSERT_OK(vd_store_pwrite(s, buf, MIB, (uint64_t)i * 4 * MIB));
	vd_store_memory(s, &m);
	CHECK_UINT(m.used, 16 * MIB);
	ASSERT_OK(vd_store_trim(s, 100, 64 * MIB - 200));
	vd_store_memory(s, &m);
	CHECK_UINT(
		m.used,
		4096); /* the first one holds bytes still; where the last is, there never were any */
	CHECK_UINT(m.used_max, 16 * MIB);
	/* To read a hole takes no memory. */
	for (unsigned i = 0; i < 64; i++)
		ASSERT_OK(vd_store_pread(s, buf, MIB, (uint64_t)i * MIB));
	vd_store_memory(s, &m);
	CHECK_UINT(m.used, 4096);
	ASSERT_OK(vd_store_pread(s, buf, 200, 0));
	CHECK_INT(buf[99], 7);
	CHECK_INT(buf[100], 0);
	CHECK_ERRNO(vd_store_set_mem_limit(s, MIB), -EOPNOTSUPP);
	vd_store_close(s);
}

/* Threads that rewrite, trim and read the same pages: what is read is one of the things that were written. */
struct churn {
	struct vd_store *s;
	unsigned seed;
	unsigned wrong;
};

#define CHURN_PAGES 64u

static void *churn(void *arg)
{
	struct churn *c = arg;
	_Alignas(8) uint8_t page[4096];

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t off;

		c->seed = c->seed * 1103515245u + 12345u;
		off = (uint64_t)((c->seed >> 16) % CHURN_PAGES) * 4096;
		switch ((c->seed >> 24) % 4) {
		case 0: /* compresses by an amount that differs each time */
			memset(page, (int)(i & 255), sizeof(page));
			for (unsigned j = 8; j < 8 + i % 3500; j++)
				page[j] = (uint8_t)(j * (c->seed | 1) >> 11);
			memcpy(page, &off, 8);
			if (vd_store_pwrite(c->s, page, 4096, off))
				c->wrong++;
			break;
		case 1:
			if (vd_store_trim(c->s, off, 4096))
				c->wrong++;
			break;
		default:
			/* Each page begins with its own offset, or with zeros. */
			if (vd_store_pread(c->s, page, 4096, off) ||
			    (memcmp(page, &off, 8) && memcmp(page, "\0\0\0\0\0\0\0", 8)))
				c->wrong++;
		}
	}
	return NULL;
}

static void test_lz4_churn(void)
{
	struct vd_store *s = open_lz4(CHURN_PAGES * 4096, 0);
	struct churn c[4];
	pthread_t t[4];
	struct vd_store_memory m;

	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct churn){ .s = s, .seed = i + 1 };
		ASSERT_INT(pthread_create(&t[i], NULL, churn, &c[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		CHECK_UINT(c[i].wrong, 0);
	}
	ASSERT_OK(vd_store_trim(s, 0, CHURN_PAGES * 4096));
	vd_store_memory(s, &m);
	CHECK_UINT(m.used, 0);
	CHECK_UINT(m.compr, 0);
	vd_store_close(s);
}

static void test_refused(void)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	CHECK_ERRNO(vd_store_mem_open(0, &s, &err), -EINVAL);
	CHECK_ERRNO(vd_store_lz4_open(0, &(struct vd_lz4_options){ 0 }, &s, &err), -EINVAL);
	CHECK_HAS(err.text, "0 bytes");
	CHECK_ERRNO(vd_store_lz4_open(UINT64_MAX, &(struct vd_lz4_options){ 0 }, &s, &err),
		    -EINVAL);
	CHECK_ERRNO(vd_store_mem_open(1ull << 60, &s, &err), -EINVAL);
}

static const struct check_test tests[] = {
	STORE_CONTRACT_ROWS(lz4),
	STORE_CONTRACT_ROWS(lz4_locked),
	STORE_CONTRACT_ROWS(mem),
	{ "codec_kinds", test_codec_kinds },
	{ "codec_corruption", test_codec_corruption },
	{ "codec_without_sum", test_codec_without_sum },
	{ "lz4_memory", test_lz4_memory },
	{ "lz4_full", test_lz4_full },
	{ "lz4_churn", test_lz4_churn },
	{ "mem_memory", test_mem_memory },
	{ "refused", test_refused },
};
CHECK_MAIN(tests)
