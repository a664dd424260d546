// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for the targets of fuzz_wrapped.c, in the directory named by the only argument: some KiB in each wrapping. */
#define _GNU_SOURCE
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "seeds.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define PLAIN 6000u

struct seed {
	uint8_t data[32768];
	size_t len;
};

static uint8_t plain[PLAIN];
static struct seed seed;

static int save(const char *dir, const char *name)
{
	int r = seed_save(dir, name, seed.data, seed.len);

	memset(&seed, 0, sizeof(seed));
	return r;
}

static uint8_t *add(const void *data, size_t len)
{
	uint8_t *p = seed.data + seed.len;

	seed.len += len;
	return data ? memcpy(p, data, len) : p;
}

static void add_deflated(const uint8_t *in, size_t len, int bits)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in,
		       .avail_in = (uInt)len,
		       .next_out = seed.data + seed.len,
		       .avail_out = 8192 };

	if (deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	seed.len += z.total_out;
}

static void add_lz4(const uint8_t *in, size_t len)
{
	seed.len += (size_t)LZ4_compress_default((const char *)in, (char *)seed.data + seed.len,
						 (int)len, 8192);
}

/* A block as it is, one of deflate, one of LZ4 where there can be. */
static int write_cso(const char *dir, const char *magic, uint8_t version)
{
	uint8_t *h = add(NULL, 24 + 4 * 4);
	char name[16];

	memcpy(h, magic, 4);
	h[4] = 24;
	vd_put_le32(h + 8, PLAIN);
	vd_put_le32(h + 16, 2048);
	h[20] = version;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t at = (uint32_t)seed.len, flag = 0;

		if (i == 0) {
			add(plain, 2048);
			flag = version != 2;
		} else if (i < 3 && (magic[0] == 'Z' || (version == 2 && i == 1))) {
			add_lz4(plain + i * 2048, i == 2 ? PLAIN - 4096 : 2048);
			flag = version == 2;
		} else if (i < 3) {
			add_deflated(plain + i * 2048, i == 2 ? PLAIN - 4096 : 2048, -15);
		}
		vd_put_le32(h + 24 + i * 4, at | flag << 31);
	}
	snprintf(name, sizeof(name), "%s%d", magic, version);
	return save(dir, name);
}

static int write_ecm(const char *dir)
{
	add("ECM\0\x10"
	    "bytes\5",
	    11);
	add(plain, 2 * 2051);
	add("\2", 1);
	add(plain, 2052);
	add("\3", 1);
	add(plain, 2328);
	add("\xfc\xff\xff\xff\x3f"
	    "edc.",
	    9);
	return save(dir, "ecm");
}

static void add_bzip2(const uint8_t *in, size_t len)
{
	unsigned int n = 8192;

	if (BZ2_bzBuffToBuffCompress((char *)seed.data + seed.len, &n, (char *)(uintptr_t)in,
				     (unsigned int)len, 1, 0, 0) != BZ_OK)
		abort();
	seed.len += n;
}

static void add_xz(const uint8_t *in, size_t len)
{
	size_t n = 0;

	if (lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, in, len, seed.data + seed.len, &n,
				    8192) != LZMA_OK)
		abort();
	seed.len += n;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A run of two sectors of every type. */
static int write_dmg(const char *dir)
{
	static const uint32_t types[] = { 1,	      0,	  0x80000004, 0x80000005,
					  0x80000006, 0x80000008, 0xffffffff };
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	/* 4 bytes as they are, then copies: in all 1024 bytes. */
	static const char adc[] =
		"\x83"
		"abcd\x7f\0\3\x7f\0\3\x3c\0\x7f\0\0\x7f\0\1\x7f\1\0\x7f\0\1\x7f\0\1"
		"\x7f\0\1\x7f\0\1\x7f\0\1\x7f\0\1\x7f\0\1\x7f\0\1\x7f\0\1\x7c\0\1";
	static uint8_t table[204 + 7 * 40 + 2];
	uint32_t list;
	uint8_t *k;

	memcpy(table, "mish", 4);
	put_be32(table + 200, 7);
	for (uint32_t i = 0; i < 7; i++) {
		uint8_t *run = table + 204 + (size_t)i * 40;
		const uint8_t *in = plain + (size_t)i * 800;
		uint32_t from = (uint32_t)seed.len;

		put_be32(run, types[i]);
		put_be32(run + 12, i * 2);
		put_be32(run + 20, i < 6 ? 2 : 0);
		put_be32(run + 28, from);
		if (types[i] == 1)
			add(in, 1024);
		else if (types[i] == 0x80000004)
			add(adc, sizeof(adc) - 1);
		else if (types[i] == 0x80000005)
			add_deflated(in, 1024, 15);
		else if (types[i] == 0x80000006)
			add_bzip2(in, 1024);
		else if (types[i] == 0x80000008)
			add_xz(in, 1024);
		put_be32(run + 36, (uint32_t)seed.len - from);
	}
	list = (uint32_t)seed.len;
	add("<key>blkx</key><array><data>", 28);
	for (size_t i = 0; i < sizeof(table); i += 3) {
		uint32_t v = (uint32_t)table[i] << 16 | (uint32_t)table[i + 1] << 8 | table[i + 2];
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
				 digits[v & 63] };

		add(four, 4);
	}
	add("</data></array>", 15);
	k = add(NULL, 512);
	memcpy(k, "koly\0\0\0\4\0\0\2\0", 12);
	put_be32(k + 220, list);
	put_be32(k + 228, (uint32_t)seed.len - 512 - list);
	put_be32(k + 496, 13);
	return save(dir, "dmg");
}

/* Chunks of every type; in one file, or in two: the second one has the same bytes, which go on behind its beginning. */
static int write_isz(const char *dir, int split)
{
	static const uint8_t key[] = { 0xb6, 0x8c, 0xa5, 0xde };
	const size_t table = 48 + (split ? 72u : 0);
	uint8_t *h = add("IsZ!\x30\1"
			 "abcd",
			 10),
		*p;

	add(NULL, table - 10);
	vd_put_le16(h + 10, 2048);
	vd_put_le32(h + 12, 4);
	vd_put_le32(h + 25, 4);
	vd_put_le32(h + 29, 2048);
	h[33] = 2;
	vd_put_le32(h + 35, (uint32_t)table);
	vd_put_le32(h + 39, split ? 48 : 0);
	vd_put_le32(h + 43, (uint32_t)table + 8);
	p = add(NULL, 8);
	for (uint32_t i = 0; i < 4; i++) {
		size_t from = seed.len;

		if (i == 1)
			add(plain, 2048);
		else if (i == 2)
			add_deflated(plain, 2048, 15);
		else if (i == 3)
			add_bzip2(plain, 2048);
		vd_put_le16(p + 2 * (size_t)i, (uint16_t)(i << 14 | (i ? seed.len - from : 2048)));
	}
	if (split) {
		vd_put_le32(h + 48, 5000);
		vd_put_le32(h + 56, 2);
		vd_put_le32(h + 64, (uint32_t)table + 8);
		vd_put_le32(h + 72, 5000);
		vd_put_le32(h + 80, 2);
		vd_put_le32(h + 84, 2);
		vd_put_le32(h + 88, (uint32_t)table + 8 + 2048);
	}
	for (size_t i = 48; i < table + 8; i++)
		seed.data[i] ^= key[(i - (i < table ? 48 : table)) % 4];
	return save(dir, split ? "isz2" : "isz1");
}

static void add_lzma(const uint8_t *in, size_t len)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_LZMA1EXT, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	size_t n = 0;

	if (lzma_lzma_preset(&options, 0))
		abort();
	options.ext_flags = 0;
	lzma_set_ext_size(options, len);
	if (lzma_raw_buffer_encode(filters, NULL, in, len, seed.data + seed.len, &n, 8192) !=
	    LZMA_OK)
		abort();
	seed.len += n;
}

/* A chunk of each type there is, the last one short; with a remark before the table. */
static int write_daa(const char *dir, uint32_t version)
{
	static uint8_t chunk[16384];
	const size_t block = version == 0x110 ? sizeof(chunk) : 4096, size = 2 * block + 2048;
	const uint32_t table = 76 + 12, table_len = 9;
	uint8_t *h = add("DAA", 3), *t;

	add(NULL, table + table_len - 3);
	t = h + table;
	for (size_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = plain[i % 500];
	for (uint32_t i = 0; i < 3; i++) {
		const size_t n = i < 2 ? block : 2048, from = seed.len;
		uint32_t len;

		if (version == 0x110 && i == 1)
			add_lzma(chunk, n);
		else
			add_deflated(chunk, n, -15);
		len = (uint32_t)(seed.len - from);
		if (version == 0x100) {
			t[i * 3 + 1] = (uint8_t)len;
			t[i * 3 + 2] = (uint8_t)(len >> 8);
		} else {
			/* 15 bits of length, 1 of the type */
			vd_put_le16(t + 2 * (size_t)i, (uint16_t)((len - 5) | (i != 1) << 15));
		}
	}
	vd_put_le32(h + 16, table);
	vd_put_le32(h + 20, version);
	vd_put_le32(h + 24, table + table_len);
	vd_put_le32(h + 36, version == 0x110 ? 1 : (uint32_t)block);
	vd_put_le32(h + 40, (uint32_t)size);
	if (version == 0x110) {
		h[61] = 5 << 3 | 1;
		h[63] = 0x5d;
	}
	vd_put_le32(h + 72, (uint32_t)crc32(0, h, 72));
	vd_put_le32(h + 76, 2);
	vd_put_le32(h + 80, 12);
	vd_put_le32(h + 84, 1);
	return save(dir, version == 0x110 ? "daa110" : "daa100");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)(i * i / 300 % 7 + i / 100);
	return write_cso(argv[1], "CISO", 1) || write_cso(argv[1], "CISO", 2) ||
			       write_cso(argv[1], "ZISO", 1) || write_ecm(argv[1]) ||
			       write_dmg(argv[1]) || write_isz(argv[1], 0) ||
			       write_isz(argv[1], 1) || write_daa(argv[1], 0x100) ||
			       write_daa(argv[1], 0x110)
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
