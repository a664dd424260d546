// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any commands, one after the other, while media come and go and time passes. Each record is 16 bytes: what happens, a command
 * of 12 bytes, room for its answer. Replies are always in order, and what the drive says of its tray agrees with itself.
 */
#define _GNU_SOURCE
#include <string.h>

#include "mmc/mmc.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "fuzz.h"

#define RECORD 16u
#define GUARD 0xa5
#define LEADIN_FIRST (-45150)

static struct vd_disc *make(enum vd_media media)
{
	struct vd_disc *d = NULL;

	require(!vd_disc_new(&d));
	d->media = media;
	return d;
}

/* A track of which the first half is stored. */
static void add(struct vd_disc *d, struct vd_track t, enum vd_sector_layout layout)
{
	struct vd_extent x = { .lba = t.start, .length = t.length / 2, .layout = layout };
	uint8_t byte[64];

	require(!vd_store_mem_open((uint64_t)x.length * vd_layout_size(layout), &x.store, NULL));
	require(!vd_disc_own_store(d, x.store));
	/* Something in it: sync patterns and headers of all kinds among it. */
	for (uint64_t at = 0; at + sizeof(byte) < x.store->size; at += 588) {
		memset(byte, (int)(at / 588), sizeof(byte));
		memset(byte + 1, 0xff, 10);
		byte[0] = byte[11] = 0;
		byte[15] = (uint8_t)(at / 2352 % 4);
		byte[18] = byte[22] = (uint8_t)(at / 2352 << 3);
		require(!vd_store_pwrite(x.store, byte, sizeof(byte), at));
	}
	require(!vd_disc_add_track(d, &t, NULL));
	require(!vd_disc_add_extent(d, &x, NULL));
}

static struct vd_disc *mixed(void)
{
	struct vd_disc *d = make(VD_MEDIA_CD_R);
	static const uint8_t text[18] = { 0x80 };

	add(d, (struct vd_track){ .number = 2, .session = 1, .length = 300 }, VD_LAYOUT_2352);
	add(d,
	    (struct vd_track){ .number = 3,
			       .session = 1,
			       .mode = VD_TRACK_AUDIO,
			       .start = 450,
			       .pregap = 150,
			       .length = 300,
			       .isrc = "DEABC2600001" },
	    VD_LAYOUT_2448);
	require(!vd_disc_add_index(d, 500, NULL));
	add(d,
	    (struct vd_track){ .number = 7,
			       .session = 2,
			       .mode = VD_TRACK_MODE2,
			       .start = 750 + VD_SESSION_GAP_FIRST,
			       .length = 300 },
	    VD_LAYOUT_2352);
	require(!vd_disc_set_cdtext(d, 1, text, 1, NULL));
	require(!vd_disc_set_mcn(d, "4012345678901", NULL));
	return d;
}

static struct vd_disc *dvd(void)
{
	struct vd_disc *d = make(VD_MEDIA_DVD_R_DL);

	add(d, (struct vd_track){ .number = 1, .session = 1, .length = 500 }, VD_LAYOUT_2048);
	d->layers = 2;
	d->layer_break = 249;
	d->opposite = true;
	require(!vd_disc_add_structure(d, 4, 0, 0, "stored", 6, NULL));
	return d;
}

static struct vd_disc *sound(void)
{
	struct vd_disc *d = make(VD_MEDIA_UNKNOWN);

	add(d,
	    (struct vd_track){ .number = 1, .session = 1, .mode = VD_TRACK_AUDIO, .length = 500 },
	    VD_LAYOUT_2352_SWAPPED);
	return d;
}

/* One that can be written. */
static struct vd_disc *medium(void)
{
	struct vd_track t = { .number = 1, .session = 1, .length = 99 };
	struct vd_disc *d = make(VD_MEDIA_DVD_PLUS_RW);
	struct vd_store *store;

	require(!vd_store_mem_open((uint64_t)t.length * VD_SECTOR_USER, &store, NULL));
	require(!vd_disc_own_store(d, store));
	require(!vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, store, 0, NULL));
	d->recordable = true;
	return d;
}

static struct vd_disc *discs[6];

/* Most bytes are no command: half of the numbers stand for one that is. */
static uint8_t opcode(uint8_t byte)
{
	static uint8_t known[256];
	static unsigned int n;

	if (!n)
		for (unsigned int i = 0; i < 256; i++)
			if (vd_mmc_command_name((uint8_t)i, NULL))
				known[n++] = (uint8_t)i;
	return byte & 1 ? byte : known[byte / 2 % n];
}

static void run(struct vd_mmc *m, struct vd_disc *d, const uint8_t *cdb, size_t cap, uint64_t now,
		const void *out, size_t out_len, struct vd_mmc_reply *r)
{
	static uint8_t buf[0x10000 + 16];
	struct vd_mmc_request q = {
		.cdb = cdb,
		.cdb_len = 12,
		.out = out,
		.out_len = out_len,
		.in = buf,
		.in_cap = cap,
		.now = now,
	};

	memset(buf + cap, GUARD, 16);
	memset(r, GUARD, sizeof(*r));
	vd_mmc_execute(m, d, &q, r);
	for (int i = 0; i < 16; i++)
		require(buf[cap + (size_t)i] == GUARD);
	require(r->len <= cap && !r->nranges);
	if (r->status == VD_MMC_GOOD)
		return;
	require(r->status == VD_MMC_CHECK_CONDITION && !r->len && !r->ejected && !r->plays);
	require((r->sense[0] & 0x7f) == 0x70 && r->sense[7] == 10);
	/* No recovered error, aborted command and the like. */
	require((r->sense[2] & 0xf) >= 2 && (r->sense[2] & 0xf) <= 7);
}

/* TEST UNIT READY and the media status of a notification, in a drive that is looked at only. */
static void agree(const struct vd_mmc *drive, struct vd_disc *d, uint64_t now)
{
	static const uint8_t ready[12], poll[12] = { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 };
	struct vd_mmc m = *drive;
	struct vd_mmc_reply r;
	uint8_t event[24];
	struct vd_mmc_request q = {
		.cdb = poll, .cdb_len = 12, .in = event, .in_cap = 8, .now = now
	};

	vd_mmc_execute(&m, d, &q, &r);
	require(r.status == VD_MMC_GOOD && r.len == 8);
	for (int i = 0; i < 3; i++)
		run(&m, d, ready, 0, now, NULL, 0, &r);
	require((r.status == VD_MMC_GOOD) == !!(event[5] & 2));
	require((r.status == VD_MMC_GOOD) == !!d);
	if (r.status != VD_MMC_GOOD)
		require(r.sense[2] == 2 && r.sense[12] == 0x3a &&
			r.sense[13] == (event[5] & 1 ? 2 : 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_disc *d = NULL;
	struct vd_mmc m;
	uint64_t now = 0;

	if (!discs[0]) {
		discs[0] = mixed();
		discs[1] = dvd();
		discs[2] = sound();
		discs[3] = make(VD_MEDIA_CD_ROM);
		discs[4] = make(VD_MEDIA_BD_RE);
		add(discs[4], (struct vd_track){ .number = 1, .session = 1, .length = 9 },
		    VD_LAYOUT_2048);
		discs[5] = medium();
	}
	vd_mmc_init(&m, "fuzz");
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		struct vd_disc *next = discs[(data[0] >> 3) % VD_ARRAY_SIZE(discs)];
		const struct vd_mmc_medium facts = vd_mmc_medium_of(next);
		uint8_t cdb[12];
		struct vd_mmc_reply r;

		now += (uint64_t)data[15] << 26;
		if ((data[0] & 7) == 0 && !vd_mmc_eject(&m, data[0] & 8))
			d = NULL;
		if ((data[0] & 7) == 1 && !vd_mmc_insert(&m, &facts))
			d = next;
		memcpy(cdb, data + 1, sizeof(cdb));
		cdb[0] = opcode(cdb[0]);
		run(&m, d, cdb, vd_get_be16(data + 13), now, data + RECORD, size - RECORD, &r);
		if (r.ejected) {
			require(d != NULL);
			d = NULL;
		}
		agree(&m, d, now);
		require(vd_mmc_position(&m, now) >= LEADIN_FIRST);
	}
	return 0;
}
