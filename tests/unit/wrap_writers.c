// SPDX-License-Identifier: GPL-3.0-or-later
#include "wrap_writers.h"

#include <bzlib.h>
#include <fcntl.h>
#include <lz4.h>
#include <lzma.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "disc/sector.h"
#include "util/endian.h"

void wrap_put(struct wrap_out *o, const void *data, size_t len)
{
	wrap_add(o, data, len);
}

uint8_t *wrap_add(struct wrap_out *o, const void *data, size_t len)
{
	if (o->room - o->len < len) {
		uint8_t *bigger;

		o->room = (o->len + len) * 2;
		bigger = check_alloc(o->room);
		if (o->len)
			memcpy(bigger, o->data, o->len);
		o->data = bigger;
	}
	if (data)
		memcpy(o->data + o->len, data, len);
	else
		memset(o->data + o->len, 0, len);
	o->len += len;
	return o->data + o->len - len;
}

static void put_le(struct wrap_out *o, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)(v >> (8 * i));

		wrap_put(o, &byte, 1);
	}
}

uint8_t *wrap_contents(size_t len)
{
	uint8_t *data = check_alloc(len);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = i / 5000 % 7 == 6 ? 0
			  : i / 5000 % 3    ? (uint8_t)(x >> 24)
					    : (uint8_t)(i / 7);
	}
	return data;
}

/* Reading. */

struct reader {
	pthread_t thread;
	struct vd_store *s;
	const uint8_t *data;
	size_t len;
	uint32_t seed;
	bool right;
};

static void *read_some(void *arg)
{
	struct reader *r = arg;
	size_t most = r->len < 5000 ? r->len : 5000;
	uint8_t *buf = malloc(most);
	uint32_t x = r->seed;

	r->right = buf;
	for (int i = 0; buf && i < 50; i++) {
		size_t n, off;

		x = x * 1664525 + 1013904223;
		n = 1 + (x >> 8) % most;
		off = (x >> 4) % (r->len - n + 1);
		if (vd_store_pread(r->s, buf, n, off) || memcmp(buf, r->data + off, n))
			r->right = false;
	}
	free(buf);
	return NULL;
}

static void check_range(const char *what, struct vd_store *s, const uint8_t *data, uint8_t *buf,
			size_t off, size_t n)
{
	if (vd_store_pread(s, buf, n, off) || memcmp(buf, data + off, n))
		CHECK_FAIL("%s: bytes %zu to %zu", what, off, off + n);
}

void wrap_check(const char *what, struct vd_store *s, const uint8_t *data, size_t len)
{
	struct reader readers[4];
	uint8_t *buf = check_alloc(len);
	size_t step = len / 30 + 1;

	if (!CHECK_UINT(s->size, len)) {
		CHECK_FAIL("%s", what);
		return;
	}
	for (size_t off = len; off > step; off -= step)
		check_range(what, s, data, buf, off - step, step);
	for (size_t off = 0; off < len; off += 3000)
		check_range(what, s, data, buf, off, len - off < 3000 ? len - off : 3000);
	check_range(what, s, data, buf, 0, len);
	CHECK_ERRNO(vd_store_pread(s, buf, 1, len), -EINVAL);
	for (uint32_t i = 0; i < 4; i++) {
		readers[i] = (struct reader){ .s = s, .data = data, .len = len, .seed = i };
		ASSERT_OK(-pthread_create(&readers[i].thread, NULL, read_some, &readers[i]));
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(readers[i].thread, NULL);
		if (!readers[i].right)
			CHECK_FAIL("%s: reader %zu", what, i);
	}
}

static int open_beside(struct vd_opener *o, const char *name, struct vd_error *err)
{
	int fd = open(check_path("%s", name), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? vd_error_errno(err, -errno, "%s", name) : fd;
}

int wrap_open(const struct vd_wrapping *w, const char *path, struct vd_store **out,
	      struct vd_error *err)
{
	struct vd_opener opener = { .open = open_beside };
	struct vd_image_head h = { .name = strrchr(path, '/') + 1 };
	struct vd_store *file;

	*out = NULL;
	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &file, err));
	h.size = file->size;
	h.len = file->size < VD_IMAGE_HEAD ? (size_t)file->size : VD_IMAGE_HEAD;
	h.data = check_alloc(h.len);
	ASSERT_OK(vd_store_pread(file, (void *)(uintptr_t)h.data, h.len, 0));
	h.tail_len = h.size < VD_IMAGE_TAIL ? (size_t)h.size : VD_IMAGE_TAIL;
	h.tail = check_alloc(h.tail_len);
	ASSERT_OK(vd_store_pread(file, (void *)(uintptr_t)h.tail, h.tail_len, h.size - h.tail_len));
	return w->open(&opener, file, &h, out, err);
}

int wrap_open_bytes(const struct vd_wrapping *w, const char *name, const struct wrap_out *o,
		    struct vd_store **out, struct vd_error *err)
{
	const char *path = check_path("%s", name);

	check_write_file(path, o->data, o->len);
	return wrap_open(w, path, out, err);
}

static char *save(const struct wrap_out *o, const char *path, const char *suffix)
{
	char *name = check_printf("%s%s", path, suffix);

	check_write_file(name, o->data, o->len);
	return name;
}

/* CSO. */

static size_t deflate_block(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in,
		       .avail_in = (uInt)len,
		       .next_out = out,
		       .avail_out = (uInt)room };

	ASSERT(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

struct cso {
	const char *magic, *suffix;
	uint8_t version, shift;
	uint32_t block;
};

static char *write_cso(const char *path, const struct cso *c)
{
	size_t len, blocks, at = 24;
	const uint8_t *data = (const uint8_t *)check_read_file(path, &len);
	uint8_t *packed = check_alloc((size_t)c->block * 2);
	struct wrap_out o = { 0 };

	blocks = (len + c->block - 1) / c->block;
	wrap_put(&o, c->magic, 4);
	put_le(&o, 24, 4);
	put_le(&o, len, 8);
	put_le(&o, c->block, 4);
	put_le(&o, c->version, 1);
	put_le(&o, c->shift, 1);
	put_le(&o, 0, 2);
	wrap_add(&o, NULL, (blocks + 1) * 4);
	for (size_t i = 0; i <= blocks; i++, at += 4) {
		const uint8_t *in = data + i * c->block;
		size_t n = len - i * c->block < c->block ? len - i * c->block : c->block, have;
		bool lz4 = c->magic[0] == 'Z' || (c->version == 2 && i % 2), flag = lz4;

		while (o.len % (1u << c->shift))
			put_le(&o, 'X', 1);
		vd_put_le32(o.data + at, (uint32_t)(o.len >> c->shift));
		if (i == blocks)
			break;
		/* The last one as a whole, as maxcso writes it. */
		if (lz4)
			have = (size_t)LZ4_compress_default((const char *)in, (char *)packed,
							    (int)n, (int)c->block * 2);
		else
			have = deflate_block(in, n, packed, (size_t)c->block * 2);
		if (have + (1u << c->shift) > c->block) {
			flag = c->version != 2;
			wrap_put(&o, in, n);
			wrap_add(&o, NULL, c->version == 2 ? c->block - n : 0);
		} else {
			flag = c->version == 2 && lz4;
			wrap_put(&o, packed, have);
		}
		o.data[at + 3] = (uint8_t)(o.data[at + 3] | (flag ? 0x80 : 0));
	}
	return save(&o, path, c->suffix);
}

char *wrap_cso1(const char *path)
{
	return write_cso(path, &(struct cso){ "CISO", ".cso", 1, 0, 2048 });
}

char *wrap_cso2(const char *path)
{
	return write_cso(path, &(struct cso){ "CISO", ".cso", 2, 4, 16384 });
}

char *wrap_zso(const char *path)
{
	return write_cso(path, &(struct cso){ "ZISO", ".zso", 1, 1, 4096 });
}

/* ECM. */

static void put_number(struct wrap_out *o, unsigned int type, uint32_t count)
{
	uint8_t byte = (uint8_t)((count >= 32) << 7 | (count & 31) << 2 | type);

	wrap_put(o, &byte, 1);
	for (count >>= 5; count; count >>= 7) {
		byte = (uint8_t)((count >= 128) << 7 | (count & 127));
		wrap_put(o, &byte, 1);
	}
}

/* A sector from its header on (type 1) or subheader on is as ECM makes it. */
static bool is_made(const uint8_t *p, unsigned int type)
{
	uint8_t s[VD_SECTOR_RAW] = { 0 };
	size_t from = type == 1 ? 0 : VD_AT_SUBHEADER;
	uint8_t want[VD_SECTOR_RAW];

	memcpy(s + from, p, VD_SECTOR_RAW - from);
	memcpy(want, s, sizeof(s));
	if (type == 1) {
		memset(want + 2068, 0, 8);
		want[15] = 1;
		memcpy(want, vd_sync_pattern, 12);
		vd_put_le32(want + 2064, vd_edc(want, 2064));
	} else {
		memcpy(want + 20, want + 16, 4);
		if (type == 2)
			vd_put_le32(want + 2072, vd_edc(want + 16, 2056));
		else
			vd_put_le32(want + 2348, vd_edc(want + 16, 2332));
	}
	if (type != 3)
		vd_ecc(want, type == 2, want + 2076);
	return !memcmp(s, want, sizeof(s));
}

static void put_run(struct wrap_out *o, unsigned int type, const uint8_t *p, uint32_t count)
{
	if (!count)
		return;
	put_number(o, type, count - 1);
	for (uint32_t i = 0; type && i < count; i++) {
		wrap_put(o, type == 1 ? p + 12 : p, type == 1 ? 3 : 0);
		wrap_put(o, type == 1 ? p + 16 : p + 4, type == 1 ? 2048 : type == 2 ? 2052 : 2328);
		p += type == 1 ? 2352 : 2336;
	}
	if (!type)
		wrap_put(o, p, count);
}

char *wrap_ecm(const char *path)
{
	static const size_t sizes[] = { 1, 2352, 2336, 2336 };
	size_t len, from = 0, at = 0;
	unsigned int last = 0;
	const uint8_t *data = (const uint8_t *)check_read_file(path, &len);
	struct wrap_out o = { 0 };

	wrap_put(&o, "ECM", 4);
	while (at < len) {
		unsigned int type = 0;

		for (unsigned int i = 1; !type && i < 4; i++)
			if (len - at >= sizes[i] &&
			    (i > 1 || !memcmp(data + at, vd_sync_pattern, 12)) &&
			    (i == 1 || (at >= 16 && data[at - 1] == 2)) && is_made(data + at, i))
				type = i;
		if (type != last) {
			put_run(&o, last, data + from, (uint32_t)((at - from) / sizes[last]));
			from = at;
			last = type;
		}
		at += sizes[type];
	}
	put_run(&o, last, data + from, (uint32_t)((at - from) / sizes[last]));
	put_number(&o, 0, UINT32_MAX);
	put_le(&o, vd_edc(data, len), 4);
	return save(&o, path, ".ecm");
}

/* DMG. */

#define DMG_SECTOR 512u

static void put_be(struct wrap_out *o, uint64_t v, unsigned int bytes)
{
	while (bytes--)
		wrap_put(o, &(uint8_t){ (uint8_t)(v >> (8 * bytes)) }, 1);
}

/* Runs of bytes as they are, and copies of what is equal 1 to 65536 bytes before. */
static size_t pack_adc(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0, plain = 0, at = 0;

	while (at < len) {
		static const size_t tries[] = { 1, 2, 5, 512, 1700, 30000 };
		size_t best = 0, back = 0;

		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			size_t k = 0;

			while (tries[i] <= at && k < 67 && at + k < len &&
			       in[at + k] == in[at + k - tries[i]])
				k++;
			if (k > best) {
				best = k;
				back = tries[i];
			}
		}
		if (best >= 4) {
			if (back <= 1024 && best <= 18) {
				out[n++] = (uint8_t)((best - 3) << 2 | (back - 1) >> 8);
				out[n++] = (uint8_t)(back - 1);
			} else {
				out[n++] = (uint8_t)(0x40 | (best - 4));
				out[n++] = (uint8_t)((back - 1) >> 8);
				out[n++] = (uint8_t)(back - 1);
			}
			at += best;
			plain = 0;
			continue;
		}
		if (!plain || out[plain - 1] == 0xff) {
			out[n++] = 0x80;
			plain = n;
		} else {
			out[plain - 1]++;
		}
		out[n++] = in[at++];
	}
	return n;
}

static size_t pack_run(uint32_t type, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	unsigned int bz = (unsigned int)room;
	uLongf z = room;
	size_t n = 0;

	switch (type) {
	case 1:
		memcpy(out, in, len);
		return len;
	case 0x80000004:
		return pack_adc(in, len, out);
	case 0x80000005:
		ASSERT(compress(out, &z, in, len) == Z_OK);
		return z;
	case 0x80000006:
		ASSERT(BZ2_bzBuffToBuffCompress((char *)out, &bz, (char *)(uintptr_t)in,
						(unsigned int)len, 9, 0, 0) == BZ_OK);
		return bz;
	case 0x80000008:
		ASSERT(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, len, out, &n, room) ==
		       LZMA_OK);
		return n;
	default:
		return 0;
	}
}

static void put_base64(struct wrap_out *o, const uint8_t *p, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0);
		char four[5] = { digits[v >> 18], digits[v >> 12 & 63],
				 i + 1 < len ? digits[v >> 6 & 63] : '=',
				 i + 2 < len ? digits[v & 63] : '=', '\n' };

		wrap_put(o, four, i / 3 % 16 == 15 ? 5 : 4);
	}
}

void wrap_dmg_bytes(struct wrap_out *o, const uint8_t *data, size_t len, const uint32_t *types,
		    size_t ntypes)
{
	static const char xml[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n"
		"<dict><key>resource-fork</key><dict>\n<key>blkx</key>\n<array>\n";
	const uint64_t sectors = (len + DMG_SECTOR - 1) / DMG_SECTOR;
	uint8_t *packed = check_alloc(1 << 20), *in = check_alloc(65536 * 2);
	struct wrap_out tables[2] = { { 0 }, { 0 } };
	uint64_t at = 0, list;
	size_t i = 0;
	uint8_t *k;

	/* Two partitions; runs of another length each, the last one first in the file. */
	for (size_t t = 0; t < 2; t++) {
		const uint64_t first = at, end = t ? sectors : sectors / 2 + 1;
		struct wrap_out *table = &tables[t];

		wrap_put(table, "mish", 4);
		put_be(table, 1, 4);
		put_be(table, first, 8);
		put_be(table, end - first, 8);
		put_be(table, 0, 8);
		put_be(table, 0x208, 4);
		put_be(table, t, 4);
		wrap_add(table, NULL, 24 + 136 + 4);
		while (at < end) {
			uint64_t n = end - at < 100 + i % 3 * 10 ? end - at : 100 + i % 3 * 10;
			uint32_t type = types[i++ % ntypes];
			size_t have = (size_t)n * DMG_SECTOR, from = (size_t)at * DMG_SECTOR, out;

			memset(in, 0, have);
			memcpy(in, data + from, len - from < have ? len - from : have);
			/* Zeros where they are, a run of zeros. */
			for (out = 0; out < have && !in[out]; out++)
				;
			if (out == have)
				type = i % 2 ? 0 : 2;
			out = pack_run(type, in, have, packed, 1 << 20);
			put_be(table, type, 4);
			put_be(table, 0, 4);
			put_be(table, at - first, 8);
			put_be(table, n, 8);
			put_be(table, o->len, 8);
			put_be(table, out, 8);
			wrap_put(o, packed, out);
			at += n;
		}
		put_be(table, 0xffffffff, 4);
		put_be(table, 0, 4);
		put_be(table, end - first, 8);
		put_be(table, 0, 8);
		put_be(table, o->len, 8);
		put_be(table, 0, 8);
		vd_put_be32(table->data + 200, (uint32_t)((table->len - 204) / 40));
	}
	list = o->len;
	wrap_put(o, xml, sizeof(xml) - 1);
	for (size_t t = 0; t < 2; t++) {
		const char *head = check_printf("<dict><key>Attributes</key><string>0x0050</string>"
						"<key>CFName</key><string>disc (%zu)</string>"
						"<key>Data</key><data>\n",
						t);
		const char *tail =
			check_printf("</data><key>ID</key><string>%zu</string>"
				     "<key>Name</key><string>disc (%zu)</string></dict>\n",
				     t, t);

		wrap_put(o, head, strlen(head));
		put_base64(o, tables[t].data, tables[t].len);
		wrap_put(o, tail, strlen(tail));
	}
	wrap_put(o, "</array></dict></dict></plist>\n", 31);
	k = wrap_add(o, NULL, 512);
	memcpy(k, "koly\0\0\0\4\0\0\2\0\0\0\0\1", 16);
	vd_put_be32(k + 36, (uint32_t)list);
	vd_put_be32(k + 56, 1);
	vd_put_be32(k + 60, 1);
	vd_put_be32(k + 220, (uint32_t)list);
	vd_put_be32(k + 228, (uint32_t)(o->len - 512 - list));
	vd_put_be32(k + 488, 1);
	vd_put_be32(k + 496, (uint32_t)sectors);
}

char *wrap_dmg(const char *path)
{
	static const uint32_t types[] = { 1, 0x80000004, 0x80000005, 0x80000006, 0x80000008 };
	size_t len;
	const uint8_t *data = (const uint8_t *)check_read_file(path, &len);
	struct wrap_out o = { 0 };

	wrap_dmg_bytes(&o, data, len, types, 5);
	return save(&o, path, ".dmg");
}

/* ISZ. */

#define ISZ_BLOCK 65536u
#define ISZ_POINTER 3u

static void isz_hide(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] ^= (uint8_t)(0xff ^ "IsZ!"[i % 4]);
}

static void isz_header(struct wrap_out *o, size_t len, size_t chunks, bool split, uint8_t number)
{
	const size_t segments = split ? 4 * 24 : 0;

	wrap_put(o,
		 "IsZ!\x30\1"
		 "abcd",
		 10);
	put_le(o, 2048, 2);
	put_le(o, len / 2048, 4);
	put_le(o, 0, 1);
	put_le(o, split ? 100000 : 0, 8);
	put_le(o, chunks, 4);
	put_le(o, ISZ_BLOCK, 4);
	put_le(o, ISZ_POINTER, 1);
	put_le(o, number, 1);
	put_le(o, number > 1 ? 0 : 48 + segments, 4);
	put_le(o, segments && number <= 1 ? 48 : 0, 4);
	put_le(o, 48 + segments + chunks * ISZ_POINTER, 4);
	put_le(o, 0, 1);
}

/* Chunk @i; its pointer's value. */
static uint32_t isz_chunk(struct wrap_out *o, const uint8_t *in, size_t n, size_t i)
{
	static const uint32_t types[] = { 1, 0x80000005, 0x80000006 };
	uint8_t *packed = check_alloc(ISZ_BLOCK * 2);
	uint32_t type = (uint32_t)(i % 3) + 1;
	size_t zeros = 0;

	while (zeros < n && !in[zeros])
		zeros++;
	if (zeros == n)
		return (uint32_t)n;
	n = pack_run(types[type - 1], in, n, packed, ISZ_BLOCK * 2);
	if (type == 3)
		memcpy(packed, "xyz", 3);
	wrap_put(o, packed, n);
	return type << 22 | (uint32_t)n;
}

static char *write_isz(const char *path, bool split)
{
	size_t len, chunks;
	const uint8_t *data = (const uint8_t *)check_read_file(path, &len);
	struct wrap_out o = { 0 }, all = { 0 };
	uint8_t *pointers;
	uint64_t *ends;
	char *name = NULL;

	ASSERT(len % 2048 == 0);
	chunks = (len + ISZ_BLOCK - 1) / ISZ_BLOCK;
	pointers = check_alloc(chunks * ISZ_POINTER);
	ends = check_alloc((chunks + 1) * sizeof(*ends));
	for (size_t i = 0; i < chunks; i++) {
		size_t n = len - i * ISZ_BLOCK < ISZ_BLOCK ? len - i * ISZ_BLOCK : ISZ_BLOCK;
		uint32_t v = isz_chunk(&all, data + i * ISZ_BLOCK, n, i);

		for (unsigned int k = 0; k < ISZ_POINTER; k++)
			pointers[i * ISZ_POINTER + k] = (uint8_t)(v >> (8 * k));
		ends[i + 1] = all.len;
	}
	isz_hide(pointers, chunks * ISZ_POINTER);
	if (!split) {
		isz_header(&o, len, chunks, false, 0);
		wrap_put(&o, pointers, chunks * ISZ_POINTER);
		wrap_put(&o, all.data, all.len);
		return save(&o, path, ".isz");
	}
	/* A segment ends inside the last of its chunks. */
	{
		const size_t cuts[] = { 0, chunks / 3 + 1, chunks / 3 * 2 + 1, chunks };
		uint8_t segments[4 * 24] = { 0 };
		size_t left[4] = { 0 };

		for (size_t i = 0; i < 3; i++) {
			uint8_t *s = segments + i * 24;

			left[i + 1] = i < 2 ? (ends[cuts[i + 1]] - ends[cuts[i + 1] - 1]) / 3 : 0;
			vd_put_le32(s, 100000);
			vd_put_le32(s + 8, (uint32_t)(cuts[i + 1] - cuts[i]));
			vd_put_le32(s + 12, (uint32_t)cuts[i]);
			vd_put_le32(s + 16,
				    (uint32_t)(48 + (i ? left[i]
						       : sizeof(segments) + chunks * ISZ_POINTER)));
			vd_put_le32(s + 20, (uint32_t)left[i + 1]);
		}
		isz_hide(segments, sizeof(segments));
		for (uint8_t i = 0; i < 3; i++) {
			const uint64_t from = ends[cuts[i]] - left[i];

			o.len = 0;
			isz_header(&o, len, chunks, true, (uint8_t)(i + 1));
			wrap_put(&o, segments, i ? 0 : sizeof(segments));
			wrap_put(&o, pointers, i ? 0 : chunks * ISZ_POINTER);
			wrap_put(&o, all.data + from, ends[cuts[i + 1]] - left[i + 1] - from);
			if (i)
				save(&o, path, check_printf(".i%02u", i));
			else
				name = save(&o, path, ".isz");
		}
	}
	return name;
}

char *wrap_isz(const char *path)
{
	return write_isz(path, false);
}

char *wrap_isz_split(const char *path)
{
	return write_isz(path, true);
}

/* DAA. */

#define DAA_BLOCK 65536u
#define DAA_LENGTH_BITS 18u

static size_t daa_lzma(const uint8_t *in, size_t len, bool x86, uint8_t *out, size_t room)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_X86, .options = NULL },
		{ .id = LZMA_FILTER_LZMA1EXT, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN, .options = NULL },
	};
	size_t n = 0;

	ASSERT(!lzma_lzma_preset(&options, 6));
	options.dict_size = DAA_BLOCK;
	options.ext_flags = 0;
	lzma_set_ext_size(options, len);
	ASSERT(lzma_raw_buffer_encode(filters + !x86, NULL, in, len, out, &n, room) == LZMA_OK);
	return n;
}

static void daa_put_bits(uint8_t *p, size_t at, uint32_t v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, at++)
		p[at / 8] = (uint8_t)(p[at / 8] | (v >> i & 1) << (at % 8));
}

/* Chunk @i into @all, its length and type into @table. */
static void daa_chunk(const struct wrap_daa *how, const uint8_t *in, size_t n, size_t i,
		      struct wrap_out *all, uint8_t *table)
{
	static const uint8_t masks[] = { 0x0a, 0x35, 0x2d, 0x3f, 0x08, 0x33, 0x09, 0x15 };
	uint32_t mask = how->hide_bits ? ((i ^ masks[i & 7]) & 0xff) * 0x01010101u : 0, type = 1;
	uint8_t *out = check_alloc(DAA_BLOCK * 2);
	size_t have;

	if (how->plain && i % 3 == 2 && n == DAA_BLOCK) {
		memcpy(out, in, n);
		have = n + 4;
	} else if (how->lzma && i % 2 == 0) {
		have = daa_lzma(in, n, how->x86, out, DAA_BLOCK * 2);
		type = 0;
	} else {
		have = deflate_block(in, n, out, DAA_BLOCK * 2);
	}
	/* What is as long as expanded would be taken for what is not compressed. */
	ASSERT(have < DAA_BLOCK || have == DAA_BLOCK + 4 || how->version == 0x100);
	if (how->version == 0x100) {
		table[i * 3] = (uint8_t)(have >> 16);
		table[i * 3 + 1] = (uint8_t)have;
		table[i * 3 + 2] = (uint8_t)(have >> 8);
	} else {
		daa_put_bits(table, i * (DAA_LENGTH_BITS + 1),
			     ((uint32_t)have - 5) ^ (mask & ((1u << DAA_LENGTH_BITS) - 1)),
			     DAA_LENGTH_BITS);
		daa_put_bits(table, i * (DAA_LENGTH_BITS + 1) + DAA_LENGTH_BITS, type ^ (mask & 1),
			     1);
	}
	wrap_put(all, out, have);
}

char *wrap_daa(const char *path, const struct wrap_daa *how)
{
	size_t len, chunks, table_len, at = 0;
	const uint8_t *data = (const uint8_t *)check_read_file(path, &len);
	const bool v110 = how->version == 0x110;
	struct wrap_out o = { 0 }, all = { 0 };
	uint8_t *table, *h;
	char *name = NULL;
	unsigned int parts = 1;

	chunks = (len + DAA_BLOCK - 1) / DAA_BLOCK;
	table_len = v110 ? (chunks * (DAA_LENGTH_BITS + 1) + 7) / 8 : chunks * 3;
	table = check_alloc(table_len);
	for (size_t i = 0; i < chunks; i++)
		daa_chunk(how, data + i * DAA_BLOCK,
			  len - i * DAA_BLOCK < DAA_BLOCK ? len - i * DAA_BLOCK : DAA_BLOCK, i,
			  &all, table);
	for (size_t i = 0, key = len / 2048; how->hide_table && i < table_len;
	     i++, key += len / 2048 >> 8)
		table[i] = (uint8_t)(table[i] + key);
	if (how->part)
		parts = (unsigned int)((all.len + how->part - 1) / how->part);
	h = wrap_add(&o, NULL, 76 + 20 + (how->part ? 24 + 16 + 495 : 0));
	memcpy(h, "DAA", 3);
	vd_put_le32(h + 16, (uint32_t)o.len);
	vd_put_le32(h + 20, how->version);
	vd_put_le32(h + 24, (uint32_t)(o.len + table_len));
	vd_put_le32(h + 28, 1);
	vd_put_le32(h + 36, v110 ? DAA_BLOCK >> 14 | (how->lzma ? 0x100000u : 0) |
					    (how->hide_table ? 0x8000000u : 0) |
					    (how->hide_bits ? 0x20000u : 0)
				 : DAA_BLOCK);
	vd_put_le32(h + 40, (uint32_t)len);
	vd_put_le32(h + 48, (uint32_t)(o.len + table_len + all.len));
	if (v110) {
		h[61] = (DAA_LENGTH_BITS - 10) << 3 | 1;
		h[62] = how->x86;
		h[63] = (2 * 5 + 0) * 9 + 3;
		vd_put_le32(h + 64, DAA_BLOCK);
	}
	vd_put_le32(h + 72, (uint32_t)crc32(0, h, 72));
	/* A remark; of several files also what they are. */
	vd_put_le32(h + 76, 4);
	vd_put_le32(h + 80, 20);
	if (how->part) {
		vd_put_le32(h + 96, 1);
		vd_put_le32(h + 100, 24);
		vd_put_le32(h + 120, 2);
		vd_put_le32(h + 124, 16 + 495);
		vd_put_le32(h + 128, parts);
		vd_put_le32(h + 132, 1);
	}
	wrap_put(&o, table, table_len);
	for (unsigned int i = 0; i < parts; i++) {
		size_t n = how->part && all.len - at > how->part ? how->part : all.len - at;

		if (i) {
			o.len = 0;
			h = wrap_add(&o, NULL, 40 + 24);
			memcpy(h, "DAA VOL", 7);
			vd_put_le32(h + 16, 40 + 24);
			vd_put_le32(h + 36, (uint32_t)crc32(0, h, 36));
		}
		wrap_put(&o, all.data + at, n);
		at += n;
		if (i)
			save(&o, path, check_printf(".part%02u.daa", i + 1));
		else
			name = save(&o, path, how->part ? ".part01.daa" : ".daa");
	}
	return name;
}
