// SPDX-License-Identifier: GPL-3.0-or-later
#include "util/sha1.h"

#include <string.h>

#include "util/endian.h"

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	static const uint32_t k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int i = 0; i < 16; i++)
		w[i] = vd_get_be32(p + 4 * i);
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20		 ? (b & c) | (~b & d)
			     : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d)
						 : b ^ c ^ d;
		uint32_t t = rotate(a, 5) + f + e + k[i / 20] + w[i];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void vd_sha1_begin(struct vd_sha1 *s)
{
	static const uint32_t first[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
					   0xc3d2e1f0 };

	memcpy(s->h, first, sizeof(first));
	s->len = 0;
}

void vd_sha1_add(struct vd_sha1 *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t have = (size_t)(s->len % 64);

	s->len += len;
	if (have) {
		size_t n = 64 - have < len ? 64 - have : len;

		memcpy(s->block + have, p, n);
		if (have + n < 64)
			return;
		sha1_block(s->h, s->block);
		p += n;
		len -= n;
	}
	for (; len >= 64; p += 64, len -= 64)
		sha1_block(s->h, p);
	memcpy(s->block, p, len);
}

void vd_sha1_end(struct vd_sha1 *s, uint8_t out[VD_SHA1_SIZE])
{
	static const uint8_t padding[64] = { 0x80 };
	uint64_t bits = s->len * 8;
	size_t have = (size_t)(s->len % 64);
	uint8_t length[8];

	vd_put_be32(length, (uint32_t)(bits >> 32));
	vd_put_be32(length + 4, (uint32_t)bits);
	vd_sha1_add(s, padding, (have < 56 ? 56 : 120) - have);
	vd_sha1_add(s, length, 8);
	for (int i = 0; i < 5; i++)
		vd_put_be32(out + 4 * i, s->h[i]);
}

void vd_sha1(const void *data, size_t len, uint8_t out[VD_SHA1_SIZE])
{
	struct vd_sha1 s;

	vd_sha1_begin(&s);
	vd_sha1_add(&s, data, len);
	vd_sha1_end(&s, out);
}
