// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The ISO 9660 reader on any bytes, taken for a disc's. The first two bytes choose options; the rest is the image
 * from its 16th sector on, where volume descriptors begin, so that no input is wasted on the system area. The
 * walk must keep what fs.h promises, whatever the bytes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/iso9660/iso9660.h"
#include "fs_walk.h"
#include "fuzz.h"

#define SECTOR 2048u
#define SYSTEM_AREA (16u * SECTOR)

struct mem {
	struct vd_store store;
	const uint8_t *data; /* from SYSTEM_AREA on */
	size_t size;
};

static int mem_pread(struct vd_store *s, void *out, size_t len, uint64_t off)
{
	const struct mem *m = (struct mem *)s;
	uint8_t *buf = out;

	for (size_t i = 0; i < len; i++) {
		uint64_t at = off + i;

		if (at >= SYSTEM_AREA && at - SYSTEM_AREA < m->size) {
			size_t n = m->size - (size_t)(at - SYSTEM_AREA);

			n = n < len - i ? n : len - i;
			memcpy(buf + i, m->data + (at - SYSTEM_AREA), n);
			i += n - 1;
		} else {
			buf[i] = 0;
		}
	}
	return 0;
}

static void mem_close(struct vd_store *s)
{
	free(s);
}

static const struct vd_store_ops mem_ops = { .name = "mem",
					     .pread = mem_pread,
					     .close = mem_close };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_fs_options o = { .norock = false };
	struct vd_track t = { .number = 1, .session = 1 };
	struct vd_error err = { .text = "" };
	struct vd_iso_info *info;
	struct vd_fs *fs;
	struct mem *m;
	struct vd_disc *d;
	int r;

	if (size < 2)
		return 0;
	o.norock = data[0] & 1;
	o.nojoliet = data[0] & 2;
	o.map_off = data[0] & 4;
	o.hide = data[0] & 8;
	o.showassoc = data[0] & 16;
	o.check = data[0] & 32 ? 'r' : data[0] & 64 ? 's' : 0;
	o.session = data[1] & 3;
	data += 2;
	size -= 2;

	m = malloc(sizeof(*m));
	EXPECT(m);
	*m = (struct mem){ .data = data, .size = size };
	m->store = (struct vd_store){ .ops = &mem_ops, .block = 1, .read_only = true };
	/* Whole sectors, and some zeros behind. */
	t.length = (uint32_t)((SYSTEM_AREA + size) / SECTOR + 2);
	m->store.size = (uint64_t)t.length * SECTOR;
	EXPECT(!vd_disc_new(&d) && !vd_disc_own_store(d, &m->store) &&
	       !vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, &m->store, 0, NULL));

	info = malloc(sizeof(*info));
	EXPECT(info);
	r = vd_iso_info(d, &o, info, &err);
	EXPECT(!r || err.text[0]);
	free(info);

	err.text[0] = '\0';
	r = vd_fs_open(d, &o, &fs, &err);
	EXPECT(!r || err.text[0]);
	if (!r) {
		/* A directory record takes 34 bytes. */
		fs_walk(fs, (size_t)(m->store.size / 33));
		fs_wrong_numbers(fs, data, size, UINT64_C(0x1ffffffffffff));
		vd_fs_close(fs);
	}
	vd_disc_close(d);
	return 0;
}
