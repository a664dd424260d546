// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/chd_bits.h"

#include <errno.h>
#include <string.h>

#define CODES_MAX 256u
#define LENGTH_MAX 32u

/*
 * Numbers for the codes of each length: the longest begin at 0, those one bit shorter go on where half of that ends. The code is complete
 * but for one that has only a single length 1.
 */
static int assign(struct vd_chd_huffman *h, const uint8_t lengths[])
{
	uint32_t next[LENGTH_MAX + 1] = { 0 }, start = 0;

	for (unsigned int i = 0; i < h->codes; i++) {
		if (lengths[i] > h->max)
			return -EINVAL;
		next[lengths[i]]++;
	}
	for (unsigned int len = h->max; len; len--) {
		uint32_t end = start + next[len];

		if (len > 1 && end % 2)
			return -EINVAL;
		next[len] = start;
		start = end / 2;
	}
	memset(h->lookup, 0, sizeof(h->lookup[0]) << h->max);
	for (unsigned int i = 0; i < h->codes; i++) {
		unsigned int len = lengths[i], room = h->max - len;
		uint32_t code;

		if (!len)
			continue;
		code = next[len]++;
		if (code >> len)
			return -EINVAL;
		for (uint32_t k = code << room; k < (code + 1) << room; k++)
			h->lookup[k] = (uint16_t)(i << 5 | len);
	}
	return 0;
}

int vd_chd_huffman_runs(struct vd_chd_huffman *h, struct vd_chd_bits *b)
{
	const unsigned int width = h->max >= 16 ? 5 : h->max >= 8 ? 4 : 3;
	uint8_t lengths[CODES_MAX];
	unsigned int i = 0;

	while (i < h->codes) {
		uint32_t len = vd_chd_bits(b, width), run = 1;

		/* 1 is the mark of a run; 1 again is a length of 1. */
		if (len == 1) {
			len = vd_chd_bits(b, width);
			if (len != 1)
				run = vd_chd_bits(b, width) + 3;
		}
		if (run > h->codes - i)
			return -EINVAL;
		memset(lengths + i, (int)len, run);
		i += run;
	}
	return vd_chd_overrun(b) ? -EINVAL : assign(h, lengths);
}

int vd_chd_huffman_nested(struct vd_chd_huffman *h, struct vd_chd_bits *b)
{
	/* Of the lengths: 0 is a run, n + 1 is length n. */
	enum { SMALL = 24, SMALL_MAX = 6 };
	uint8_t lengths[CODES_MAX] = { 0 };
	unsigned int codes = h->codes, max = h->max, i, first, width = 0;
	uint8_t last = 0;
	uint32_t len = 0;
	int r;

	lengths[0] = (uint8_t)vd_chd_bits(b, 3);
	first = vd_chd_bits(b, 3) + 1;
	for (i = first; i < SMALL && len != 7; i++) {
		len = vd_chd_bits(b, 3);
		lengths[i] = len == 7 ? 0 : (uint8_t)len;
	}
	h->codes = SMALL;
	h->max = SMALL_MAX;
	r = assign(h, lengths);
	/* Bits of a long run's length. */
	for (unsigned int n = codes - 9; n; n >>= 1)
		width++;
	for (i = 0; !r && i < codes;) {
		int v = vd_chd_huffman_get(h, b);
		uint32_t run = 1;

		if (v < 0 || vd_chd_overrun(b))
			return -EINVAL;
		if (v) {
			last = (uint8_t)(v - 1);
		} else {
			run = vd_chd_bits(b, 3) + 2;
			if (run == 7 + 2)
				run += vd_chd_bits(b, width);
		}
		/* The last run may be longer than what is left. */
		if (run > codes - i)
			run = codes - i;
		memset(lengths + i, last, run);
		i += run;
	}
	h->codes = codes;
	h->max = max;
	return r ? r : assign(h, lengths);
}
