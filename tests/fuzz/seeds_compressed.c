// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_compressed, in the directory named by the only argument: some KiB in each format, in one part and in two. */
#define _GNU_SOURCE
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "seeds.h"
#include "util/cleanup.h"

#define PLAIN 6000u
#define ROOM 16384u

static uint8_t plain[PLAIN], packed[2 * ROOM];

static size_t pack_gzip(uint8_t *out)
{
	z_stream z = { .next_in = plain, .avail_in = PLAIN, .next_out = out, .avail_out = ROOM };

	if (deflateInit2(&z, 6, Z_DEFLATED, 31, 1, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static size_t pack_xz(uint8_t *out)
{
	size_t n = 0;

	return lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, plain, PLAIN, out, &n, ROOM) ==
			       LZMA_OK
		       ? n
		       : 0;
}

static size_t pack_zstd(uint8_t *out)
{
	size_t n = ZSTD_compress(out, ROOM, plain, PLAIN, 3);

	return ZSTD_isError(n) ? 0 : n;
}

/* As a pipe is packed: the frame does not say how long its contents are. */
static size_t pack_zstd_unsized(uint8_t *out)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_inBuffer in = { plain, PLAIN, 0 };
	ZSTD_outBuffer to = { out, ROOM, 0 };

	if (!c)
		return 0;
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	while (ZSTD_compressStream2(c, &to, &in, ZSTD_e_end))
		;
	ZSTD_freeCCtx(c);
	return to.pos;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t (*pack)(uint8_t *out);
	} rows[] = {
		{ "gzip", pack_gzip },
		{ "xz", pack_xz },
		{ "zstd", pack_zstd },
		{ "unsized", pack_zstd_unsized },
	};

	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)(i * i / 300 % 7 + i / 100);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		char twice[32];
		size_t n = rows[i].pack(packed);

		n += rows[i].pack(packed + n);
		snprintf(twice, sizeof(twice), "%s2", rows[i].name);
		if (!n || seed_save(argv[1], rows[i].name, packed, n / 2) ||
		    seed_save(argv[1], twice, packed, n))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
