// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any bytes as packs of CD-TEXT. The first byte says which packs get a right CRC, so that more than their check is
 * reached. What is decoded can be read, written and decoded once more, and is the same then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/cdtext.h"
#include "disc/subchannel.h"
#include "util/endian.h"
#include "fuzz.h"

static void read_all(const struct vd_cdtext *t)
{
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		if (!t->block[b])
			continue;
		require(t->block[b]->first_track < 100 && t->block[b]->last_track < 100);
		for (int i = 0; i < VD_CDTEXT_TYPES * 100; i++) {
			const struct vd_cdtext_string *s =
				vd_cdtext_get(t, b, (enum vd_cdtext_type)(0x80 + i / 100), i % 100);
			char *utf8 = NULL;
			int r;

			if (!s)
				continue;
			require(s->len && !s->data[s->len] && !s->data[s->len + 1]);
			r = vd_cdtext_to_utf8(t->block[b], s, &utf8);
			require(r == -EOPNOTSUPP || (!r && strlen(utf8) >= s->len));
			free(utf8);
		}
	}
}

/* Texts that are there in both are the same; none is in @b alone. */
static void compare(const struct vd_cdtext *a, const struct vd_cdtext *b)
{
	for (int i = 0; i < VD_CDTEXT_BLOCKS * VD_CDTEXT_TYPES * 100; i++) {
		int block = i / 1600, type = 0x80 + i / 100 % 16;
		const struct vd_cdtext_string *x =
			vd_cdtext_get(a, block, (enum vd_cdtext_type)type, i % 100);
		const struct vd_cdtext_string *y =
			vd_cdtext_get(b, block, (enum vd_cdtext_type)type, i % 100);

		if (!x && !y)
			continue;
		require(x && y && x->len <= y->len && !memcmp(x->data, y->data, x->len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_cdtext *t = NULL, *again = NULL;
	uint8_t *packs, *out = NULL, which;
	size_t n, nout = 0;
	int r;

	if (!size)
		return 0;
	which = *data++;
	n = --size / VD_CDTEXT_PACK;
	packs = malloc(n * VD_CDTEXT_PACK + 1);
	require(packs != NULL);
	memcpy(packs, data, n * VD_CDTEXT_PACK);
	for (size_t i = 0; i < n; i++)
		if (!(which >> i % 8 & 1))
			vd_put_be16(packs + i * 18 + 16, (uint16_t)~vd_crc16(packs + i * 18, 16));
	require(!vd_cdtext_decode(packs, n, &t));
	require(t->bad_packs <= n);
	read_all(t);
	r = vd_cdtext_encode(t, &out, &nout, NULL);
	require(!r || r == -E2BIG);
	if (!r) {
		require(nout <= VD_CDTEXT_BLOCKS * VD_CDTEXT_BLOCK_PACKS && !out == !nout);
		require(!vd_cdtext_decode(out, nout, &again));
		require(!again->bad_packs);
		read_all(again);
		compare(t, again);
		vd_cdtext_free(again);
	}
	free(out);
	vd_cdtext_free(t);
	free(packs);
	return 0;
}
