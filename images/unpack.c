// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/unpack.h"

#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <zlib.h>

struct vd_unpacker {
	z_stream zlib;
	bool zlib_open;
	uint8_t buffer[];
};

struct vd_unpacker *vd_unpacker_new(size_t size)
{
	return calloc(1, sizeof(struct vd_unpacker) + size);
}

void vd_unpacker_free(struct vd_unpacker *u)
{
	if (!u)
		return;
	if (u->zlib_open)
		inflateEnd(&u->zlib);
	free(u);
}

uint8_t *vd_unpacker_buffer(struct vd_unpacker *u)
{
	return u->buffer;
}

static int inflate_block(struct vd_unpacker *u, int bits, const uint8_t *data, size_t len,
			 uint8_t *out, size_t n)
{
	z_stream *z = &u->zlib;

	if (!u->zlib_open && inflateInit2(z, bits) != Z_OK)
		return -ENOMEM;
	u->zlib_open = true;
	if (inflateReset2(z, bits) != Z_OK)
		return -ENOMEM;
	z->next_in = (Bytef *)(uintptr_t)data;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)n;
	/* An error of the stream, or one that ends early, leaves room. */
	if (inflate(z, Z_FINISH) == Z_MEM_ERROR)
		return -ENOMEM;
	return z->avail_out ? -EIO : 0;
}

int vd_unpack_deflate(struct vd_unpacker *u, const uint8_t *data, size_t len, uint8_t *out,
		      size_t n)
{
	return inflate_block(u, -MAX_WBITS, data, len, out, n);
}

int vd_unpack_lz4(const uint8_t *data, size_t len, uint8_t *out, size_t n)
{
	int done;

	if (len > INT_MAX || n > INT_MAX)
		return -EIO;
	done = LZ4_decompress_safe_partial((const char *)data, (char *)out, (int)len, (int)n,
					   (int)n);
	return done == (int)n ? 0 : -EIO;
}
