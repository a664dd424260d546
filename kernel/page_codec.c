// SPDX-License-Identifier: GPL-2.0-or-later
#include "page_codec.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/lz4.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#define compress_page(work, page, out, max)                                                        \
	LZ4_compress_fast((page), (out), VD_PAGE_SIZE, (max), 1, (work))
#define hash64(data, len) xxh64((data), (len), 0)
#define fill_words(words, word, n) memset64((words), (word), (n))
#else
#include <errno.h>
#include <lz4.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(VD_PAGE_WORK_SIZE >= sizeof(LZ4_stream_t), "LZ4 needs more scratch memory");

#define compress_page(work, page, out, max)                                                        \
	LZ4_compress_fast_extState((work), (page), (out), VD_PAGE_SIZE, (max), 1)
#define hash64(data, len) XXH64((data), (len), 0)

static void fill_words(uint64_t *words, uint64_t word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		words[i] = word;
}
#endif

static uint32_t fold(uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32);
}

static int intact(const struct vd_page_code *code, const void *data)
{
	return !code->has_sum || fold(hash64(data, code->len)) == code->sum;
}

/* Is the page one word over and over? Most pages that are not differ at the end or at once. */
static int same_filled(const uint64_t *page)
{
	const unsigned int n = VD_PAGE_SIZE / sizeof(*page);

	if (page[0] != page[n - 1])
		return 0;
	for (unsigned int i = 1; i < n; i++)
		if (page[i] != page[0])
			return 0;
	return 1;
}

const void *vd_page_encode(const void *page, void *out, void *work, bool want_sum,
			   struct vd_page_code *code)
{
	const void *data;
	int n;

	*code = (struct vd_page_code){ 0 };
	if (same_filled(page)) {
		code->kind = VD_PAGE_SAME;
		memcpy(&code->fill, page, sizeof(code->fill));
		return NULL;
	}
	n = compress_page(work, page, out, VD_PAGE_PACKED_MAX);
	if (n > 0) {
		code->kind = VD_PAGE_LZ4;
		code->len = (uint16_t)n;
		data = out;
	} else {
		code->kind = VD_PAGE_RAW;
		code->len = VD_PAGE_SIZE;
		data = page;
		/* Whoever writes with O_DIRECT may change the page meanwhile: the sum is over what is stored. */
		if (want_sum)
			data = memcpy(out, page, VD_PAGE_SIZE);
	}
	if (want_sum) {
		code->has_sum = true;
		code->hash = hash64(data, code->len);
		code->sum = fold(code->hash);
	}
	return data;
}

int vd_page_decode(const struct vd_page_code *code, const void *data, void *page)
{
	switch (code->kind) {
	case VD_PAGE_NONE:
		memset(page, 0, VD_PAGE_SIZE);
		return 0;
	case VD_PAGE_SAME:
		fill_words(page, code->fill, VD_PAGE_SIZE / sizeof(uint64_t));
		return 0;
	case VD_PAGE_LZ4:
		if (code->len > VD_PAGE_PACKED_MAX || !intact(code, data))
			return -EIO;
		return LZ4_decompress_safe(data, page, code->len, VD_PAGE_SIZE) == (int)VD_PAGE_SIZE
			       ? 0
			       : -EIO;
	case VD_PAGE_RAW:
		if (code->len != VD_PAGE_SIZE || !intact(code, data))
			return -EIO;
		memcpy(page, data, VD_PAGE_SIZE);
		return 0;
	default:
		return -EIO;
	}
}
