// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What is shown of a disc (disc.iso, disc.bin, disc.cue, tracks, files in Form 2), of any sectors in any layout. The input is a byte of choices,
 * 64 bytes that say which of the first 512 sectors behind the 16th are of Form 2, and user data from that one on. Whatever they are, a view in
 * parts is the view as a whole, disc.iso has what reading the sectors has, and what it has not is told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disc/sector.h"
#include "fs/fs.h"
#include "fuzz.h"
#include "images/write.h"
#include "util/cleanup.h"

#define SYSTEM_AREA 16u
#define FORMS 64u
#define READ_MAX (128u << 10)

static const enum vd_sector_layout layouts[] = { VD_LAYOUT_2336, VD_LAYOUT_2352,
						 VD_LAYOUT_2352_SWAPPED, VD_LAYOUT_2332 };

struct sectors {
	struct vd_store store;
	enum vd_sector_layout layout;
	const uint8_t *forms, *data;
	size_t len;
	uint32_t total; /* sectors */
	bool differ;	/* the copies of some subheaders */
};

static void make_sector(const struct sectors *s, uint32_t n, uint8_t *raw)
{
	const uint32_t at = n - SYSTEM_AREA;
	bool form2 = n >= SYSTEM_AREA && at < FORMS * 8 && s->forms[at / 8] >> at % 8 & 1;

	memset(raw, 0, VD_SECTOR_RAW);
	raw[18] = raw[22] = form2 ? 0x28 : 0x08;
	if (s->differ && n % 5 == 0)
		raw[22] ^= 0x28;
	if (n >= SYSTEM_AREA && (uint64_t)at * 2048 < s->len) {
		size_t left = s->len - (size_t)at * 2048;

		memcpy(raw + 24, s->data + (size_t)at * 2048, left < 2048 ? left : 2048);
	}
	vd_sector_complete(raw, form2 ? VD_KIND_MODE2_FORM2 : VD_KIND_MODE2_FORM1, (int32_t)n,
			   false);
}

static int sectors_pread(struct vd_store *store, void *out, size_t len, uint64_t off)
{
	const struct sectors *s = (const struct sectors *)store;
	const uint32_t size = vd_layout_size(s->layout);
	const uint32_t skip = size == VD_SECTOR_RAW ? 0 : 16;
	uint8_t raw[VD_SECTOR_RAW], *buf = out;

	while (len) {
		uint32_t at = (uint32_t)(off % size), part = size - at;

		if (part > len)
			part = (uint32_t)len;
		make_sector(s, (uint32_t)(off / size), raw);
		if (s->layout == VD_LAYOUT_2352_SWAPPED)
			for (size_t i = 0; i < VD_SECTOR_RAW; i += 2) {
				uint8_t first = raw[i];

				raw[i] = raw[i + 1];
				raw[i + 1] = first;
			}
		memcpy(buf, raw + skip + at, part);
		buf += part;
		off += part;
		len -= part;
	}
	return 0;
}

static void sectors_close(struct vd_store *s)
{
}

static const struct vd_store_ops sectors_ops = {
	.name = "sectors",
	.pread = sectors_pread,
	.close = sectors_close,
};

/* Each sector of disc.iso, and whether it is told of one without its own bytes. */
static void check_iso(struct vd_disc *d)
{
	const int32_t total = (int32_t)vd_iso_sectors(d);
	_cleanup_free_ uint8_t *told = calloc(1, (size_t)total + 1);
	uint8_t user[2048], raw[2352];
	enum vd_unrepresentable why;
	int32_t lba = 0;
	uint32_t n;
	int r;

	require(told != NULL);
	while ((r = vd_unrepresentable_next(d, lba, 37, &lba, &n, &why)) > 0) {
		if (r == 2)
			continue;
		require(n && lba >= 0 && lba + (int64_t)n <= total);
		memset(told + lba, 1, n);
		lba += (int32_t)n;
	}
	require(!r);
	for (lba = 0; lba < total; lba++) {
		enum vd_sector_kind kind;

		require(!vd_disc_sector_kind(d, lba, &kind));
		require(!vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, raw));
		require(!vd_disc_pread(d, user, sizeof(user), (uint64_t)lba * sizeof(user)));
		require(told[lba] == (kind != VD_KIND_MODE1 && kind != VD_KIND_MODE2_FORM1));
		if (!told[lba])
			require(!memcmp(user, raw + (kind == VD_KIND_MODE1 ? 16 : 24), 2048));
	}
}

static void check_bin(struct vd_disc *d)
{
	_cleanup_(vd_bin_done) struct vd_bin b;
	uint8_t whole[5 * 2352], part[1000];
	char *text = NULL;
	size_t len;
	FILE *f;

	require(!vd_bin_init(&b, d, 0, false, NULL));
	for (uint64_t off = 0; off + sizeof(whole) <= b.sectors * 2352; off += 13 * 2352) {
		require(!vd_bin_pread(&b, whole, sizeof(whole), off));
		require(!vd_bin_pread(&b, part, sizeof(part), off + 1777));
		require(!memcmp(part, whole + 1777, sizeof(part)));
	}
	f = open_memstream(&text, &len);
	require(f && !vd_cue_write(&b, "disc.bin", NULL, f) && !fclose(f) && len);
	free(text);
}

static void check_file(struct vd_fs *fs, const struct vd_fs_attr *attr)
{
	_cleanup_free_ uint8_t *whole = NULL;
	uint8_t part[1234];
	size_t len = attr->size < READ_MAX ? (size_t)attr->size : READ_MAX;
	ssize_t n, m;

	whole = malloc(len + 1);
	require(whole != NULL);
	n = vd_fs_read(fs, attr->ino, whole, len, 0);
	require(n < 0 || n == (ssize_t)len);
	for (size_t off = 0; n > 0 && off < len; off += 3001) {
		m = vd_fs_read(fs, attr->ino, part, sizeof(part), off);
		require(m > 0 &&
			!memcmp(part, whole + off, (size_t)m < len - off ? (size_t)m : len - off));
	}
}

static int fill(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		uint64_t next)
{
	if (S_ISREG(attr->mode))
		check_file(arg, attr);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_MODE2 };
	struct vd_fs_options options = { 0 };
	struct sectors s = { .store = { .ops = &sectors_ops, .block = 1, .read_only = true } };
	struct vd_disc *d = NULL;
	struct vd_fs *fs = NULL;

	if (size < 1 + FORMS)
		return 0;
	s.layout = layouts[data[0] % VD_ARRAY_SIZE(layouts)];
	s.differ = data[0] & 8;
	s.forms = data + 1;
	s.data = data + 1 + FORMS;
	s.len = size - 1 - FORMS;
	s.total = (uint32_t)(s.len / 2048) + SYSTEM_AREA + 1 + (data[0] >> 4);
	s.store.size = (uint64_t)s.total * vd_layout_size(s.layout);
	t.length = s.total;
	require(!vd_disc_new(&d));
	require(!vd_disc_own_store(d, &s.store));
	require(!vd_disc_add_stored_track(d, &t, s.layout, &s.store, 0, NULL));
	if (data[0] & 4)
		require(!vd_disc_set_session_type(d, 1, VD_SESSION_CDROM, NULL));
	check_iso(d);
	check_bin(d);
	if (!vd_fs_open(d, &options, &fs, NULL)) {
		(void)vd_fs_readdir(fs, fs->root, 0, fill, fs);
		vd_fs_close(fs);
	}
	vd_disc_close(d);
	return 0;
}
