// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/unpack.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* A dictionary of 64 MiB: as much of it as there is output is ever touched. */
#define XZ_MEMORY (72u << 20)

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

int vd_unpack_zlib(struct vd_unpacker *u, const uint8_t *data, size_t len, uint8_t *out, size_t n)
{
	return inflate_block(u, MAX_WBITS, data, len, out, n);
}

int vd_unpack_bzip2(const uint8_t *data, size_t len, uint8_t *out, size_t n)
{
	bz_stream b = { .next_in = (char *)(uintptr_t)data,
			.avail_in = (unsigned int)len,
			.next_out = (char *)out,
			.avail_out = (unsigned int)n };
	int r;

	if (len > UINT_MAX || n > UINT_MAX)
		return -EIO;
	if (BZ2_bzDecompressInit(&b, 0, 0) != BZ_OK)
		return -ENOMEM;
	r = BZ2_bzDecompress(&b);
	BZ2_bzDecompressEnd(&b);
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	return b.avail_out ? -EIO : 0;
}

int vd_unpack_xz(const uint8_t *data, size_t len, uint8_t *out, size_t n)
{
	uint64_t memory = XZ_MEMORY;
	size_t in = 0, done = 0;
	lzma_ret r = lzma_stream_buffer_decode(&memory, 0, NULL, data, &in, len, out, &done, n);

	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	/* BUF_ERROR: there is more than was asked for. */
	return (r == LZMA_OK || r == LZMA_BUF_ERROR) && done == n ? 0 : -EIO;
}

int vd_unpack_lzma(const uint8_t properties[5], bool x86, const uint8_t *data, size_t len,
		   uint8_t *out, size_t n)
{
	lzma_options_lzma options = { 0 };
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_X86, .options = NULL },
		{ .id = LZMA_FILTER_LZMA1EXT, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	size_t in = 0, done = 0;
	uint8_t first = properties[0];
	lzma_ret r;

	if (first >= 9 * 5 * 5)
		return -EIO;
	options.lc = first % 9;
	options.lp = first / 9 % 5;
	options.pb = first / 9 / 5;
	/* Nothing is farther back than there is output; what the properties say may be far more. */
	options.dict_size = n < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : (uint32_t)n;
	/* It ends there, so that the filter gives its last bytes too. */
	options.ext_flags = LZMA_LZMA1EXT_ALLOW_EOPM;
	lzma_set_ext_size(options, n);
	r = lzma_raw_buffer_decode(filters + !x86, NULL, data, &in, len, out, &done, n);
	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	return done == n ? 0 : -EIO;
}

int vd_unpack_adc(const uint8_t *data, size_t len, uint8_t *out, size_t n)
{
	size_t in = 0, done = 0;

	while (done < n) {
		size_t count, back;
		uint8_t code;

		if (in == len)
			return -EIO;
		code = data[in++];
		if (code & 0x80) {
			count = (code & 0x7fu) + 1;
			if (count > len - in)
				return -EIO;
			if (count > n - done)
				count = n - done;
			memcpy(out + done, data + in, count);
			in += count;
			done += count;
			continue;
		}
		if (len - in < (code & 0x40 ? 2u : 1u))
			return -EIO;
		if (code & 0x40) {
			count = (code & 0x3fu) + 4;
			back = ((size_t)data[in] << 8 | data[in + 1]) + 1;
			in += 2;
		} else {
			count = (code >> 2 & 0xfu) + 3;
			back = ((size_t)(code & 3) << 8 | data[in]) + 1;
			in++;
		}
		if (back > done)
			return -EIO;
		/* It may reach into what it writes. */
		for (; count && done < n; count--, done++)
			out[done] = out[done - back];
	}
	return 0;
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
