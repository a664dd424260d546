/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bits as CHD has them, the most significant one of a byte first, and its Huffman codes: canonical, the longest codes being the
 * smallest numbers. Their lengths come before the coded data in one of two forms.
 */
#ifndef VD_IMAGES_CHD_BITS_H
#define VD_IMAGES_CHD_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vd_chd_bits {
	const uint8_t *p, *end;
	/* Gives p and end anew when all is read; false, or NULL: there is no more. */
	bool (*refill)(struct vd_chd_bits *b);
	uint64_t acc;
	unsigned int n;	     /* bits of acc that are not taken yet */
	unsigned int beyond; /* of these so many are zeros from behind the end */
};

/* At most 32 bits. Behind the end there are zeros. */
static inline uint32_t vd_chd_peek(struct vd_chd_bits *b, unsigned int n)
{
	while (b->n < n) {
		uint8_t byte = 0;

		if (b->p < b->end || (b->refill && b->refill(b)))
			byte = *b->p++;
		else
			b->beyond += 8;
		b->acc = b->acc << 8 | byte;
		b->n += 8;
	}
	return (uint32_t)(b->acc >> (b->n - n) & ((1ull << n) - 1));
}

static inline uint32_t vd_chd_bits(struct vd_chd_bits *b, unsigned int n)
{
	uint32_t v = vd_chd_peek(b, n);

	b->n -= n;
	return v;
}

/* Was more taken than there is? */
static inline bool vd_chd_overrun(const struct vd_chd_bits *b)
{
	return b->beyond > b->n;
}

struct vd_chd_huffman {
	unsigned int codes;	  /* up to 256 */
	unsigned int max;	  /* bits of the longest code, up to 16 */
	uint16_t lookup[0x10000]; /* by the next `max` bits: value << 5 | length; 0: no such code */
};

/* Lengths of 3 to 5 bits each, by `max`, with runs: the map's. `codes` and `max` are set. 0, -EINVAL. */
int vd_chd_huffman_runs(struct vd_chd_huffman *h, struct vd_chd_bits *b);
/* Lengths coded by a small Huffman code of their own: the codec's. */
int vd_chd_huffman_nested(struct vd_chd_huffman *h, struct vd_chd_bits *b);

/* The next value. A code that is none takes no bits and gives -1. */
static inline int vd_chd_huffman_get(const struct vd_chd_huffman *h, struct vd_chd_bits *b)
{
	uint16_t e = h->lookup[vd_chd_peek(b, h->max)];

	b->n -= e & 0x1f;
	return e ? e >> 5 : -1;
}

#endif
