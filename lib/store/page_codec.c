// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef __KERNEL__
#include "page_codec.h"

#include <linux/errno.h>
#include <linux/lz4.h>
#include <linux/string.h>
#include <linux/xxhash.h>

#define compress_page(work, page, out, max)                                                        \
	LZ4_compress_fast((page), (out), VD_PAGE_SIZE, (max), 1, (work))
#define hash64(data, len) xxh64((data), (len), 0)
#else
#include "store/page_codec.h"

#include <errno.h>
#include <lz4.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(VD_PAGE_WORK_SIZE >= sizeof(LZ4_stream_t), "LZ4 needs more scratch memory");

#define compress_page(work, page, out, max)                                                        \
	LZ4_compress_fast_extState((work), (page), (out), VD_PAGE_SIZE, (max), 1)
#define hash64(data, len) XXH64((data), (len), 0)
#endif

static uint32_t checksum(const void *data, size_t len)
{
	uint64_t h = hash64(data, len);

	return (uint32_t)(h ^ h >> 32);
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

const void *vd_page_encode(const void *page, void *out, void *work, struct vd_page_code *code)
{
	const void *data;
	int n;

	code->fill = 0;
	if (same_filled(page)) {
		code->kind = VD_PAGE_SAME;
		code->len = 0;
		code->sum = 0;
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
	}
	code->sum = checksum(data, code->len);
	return data;
}

int vd_page_decode(const struct vd_page_code *code, const void *data, void *page)
{
	uint64_t *words = page;

	switch (code->kind) {
	case VD_PAGE_NONE:
		memset(page, 0, VD_PAGE_SIZE);
		return 0;
	case VD_PAGE_SAME:
		for (unsigned int i = 0; i < VD_PAGE_SIZE / sizeof(*words); i++)
			words[i] = code->fill;
		return 0;
	case VD_PAGE_LZ4:
		if (code->len > VD_PAGE_PACKED_MAX || checksum(data, code->len) != code->sum)
			return -EIO;
		return LZ4_decompress_safe(data, page, code->len, VD_PAGE_SIZE) == (int)VD_PAGE_SIZE
			       ? 0
			       : -EIO;
	case VD_PAGE_RAW:
		if (code->len != VD_PAGE_SIZE || checksum(data, code->len) != code->sum)
			return -EIO;
		memcpy(page, data, VD_PAGE_SIZE);
		return 0;
	default:
		return -EIO;
	}
}
