// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for the targets of fuzz_wrapped.c, in the directory named by the only argument: some KiB in each wrapping. */
#define _GNU_SOURCE
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

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
	_cleanup_free_ char *path = NULL;
	FILE *f;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return -1;
	}
	f = fopen(path, "wb");
	if (!f || fwrite(seed.data, seed.len, 1, f) != 1 || fclose(f)) {
		perror(path);
		return -1;
	}
	memset(&seed, 0, sizeof(seed));
	return 0;
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

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)(i * i / 300 % 7 + i / 100);
	return write_cso(argv[1], "CISO", 1) || write_cso(argv[1], "CISO", 2) ||
			       write_cso(argv[1], "ZISO", 1) || write_ecm(argv[1])
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
