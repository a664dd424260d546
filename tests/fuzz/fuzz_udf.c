// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The UDF reader on any bytes. The first 4 bytes choose options; then come records of a 16-bit number and the 512 bytes that are at
 * that place of the disc. Where the options say so, all that looks like a descriptor gets a good checksum and CRC, so that more than
 * their check is reached.
 */
#define _GNU_SOURCE
#include <string.h>

#include "disc/subchannel.h"
#include "fs/udf/udf.h"
#include "fs_walk.h"
#include "fuzz.h"
#include "util/endian.h"

#define PIECE 512u
#define PIECES_MAX 8192u
#define RECORD (2u + PIECE)

struct mem {
	struct vd_store store;
	uint8_t *data;
};

static int mem_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, ((struct mem *)s)->data + off, len);
	return 0;
}

static void mem_close(struct vd_store *s)
{
	free(((struct mem *)s)->data);
	free(s);
}

static const struct vd_store_ops mem_ops = { .name = "mem",
					     .pread = mem_pread,
					     .close = mem_close };

static void retag(uint8_t *p, size_t left)
{
	const uint16_t len = vd_get_le16(p + 10);

	if (len > left - 16)
		return;
	vd_put_le16(p + 8, vd_crc16(p + 16, len));
	p[4] = 0;
	for (int i = 0; i < 16; i++)
		if (i != 4)
			p[4] = (uint8_t)(p[4] + p[i]);
}

static bool is_tag(const uint8_t *p)
{
	const uint16_t id = vd_get_le16(p);

	return vd_get_le16(p + 2) == 3 && (id < 10 || (id >= 256 && id <= 266));
}

/* In one piece, from its end on: a CRC may cover another descriptor. */
static void retag_piece(uint8_t *data, size_t size, size_t at)
{
	for (size_t i = PIECE; i; i -= 4)
		if (is_tag(data + at + i - 4))
			retag(data + at + i - 4, size - (at + i - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_fs_options o = { .udf = true };
	struct vd_track t = { .number = 1, .session = 1 };
	struct vd_error err = { .text = "" };
	uint32_t last = 0;
	struct vd_disc *d;
	struct vd_fs *fs;
	struct mem *m;
	int r;

	if (size < 4)
		return 0;
	for (size_t i = 4; i + RECORD <= size; i += RECORD) {
		uint32_t piece = vd_get_le16(data + i) % PIECES_MAX;

		last = piece > last ? piece : last;
	}
	o.unhide = data[0] & 1;
	o.streams = data[0] & 2;
	o.session = data[1] & 3;
	/* A tag at the end of the last piece is looked at beyond it. */
	t.length = last / 4 + 2 + (data[3] & 31);
	m = calloc(1, sizeof(*m));
	require(m != NULL);
	m->store = (struct vd_store){ .ops = &mem_ops, .block = 1, .read_only = true };
	m->store.size = (uint64_t)t.length * VD_SECTOR_USER;
	m->data = calloc(1, m->store.size);
	require(m->data != NULL);
	for (size_t i = 4; i + RECORD <= size; i += RECORD)
		memcpy(m->data + vd_get_le16(data + i) % PIECES_MAX * PIECE, data + i + 2, PIECE);
	for (size_t i = 4; data[2] & 1 && i + RECORD <= size; i += RECORD)
		retag_piece(m->data, m->store.size, vd_get_le16(data + i) % PIECES_MAX * PIECE);
	require(!vd_disc_new(&d) && !vd_disc_own_store(d, &m->store) &&
		!vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, &m->store, 0, NULL));
	r = vd_fs_open(d, &o, &fs, &err);
	EXPECT(!r || err.text[0]);
	if (!r) {
		/* An identifier takes 40 bytes. */
		fs_walk(fs, (size_t)(m->store.size / 39) + 1);
		fs_wrong_numbers(fs, data, size, UINT64_C(0x3ffffffff));
		vd_fs_close(fs);
	}
	vd_disc_close(d);
	return 0;
}
