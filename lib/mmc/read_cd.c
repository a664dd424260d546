// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sectors of a CD in any of their parts (MMC-6, 6.19): main channel, C2 error flags, subchannel, in this order. Lead-in and
 * lead-out can be read too, as far as lib/disc makes them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/subchannel.h"
#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define ANY_TYPE 0
#define LAST_TYPE 5
#define Q_BYTES 16u
/* The longest: main, C2 with its summary, R to W. */
#define SECTOR_MAX (VD_SECTOR_RAW + VD_SECTOR_C2 + 2 + VD_SECTOR_SUB)

enum sub { SUB_NONE, SUB_RAW, SUB_Q, SUB_RW = 4 };

/* What of each sector is asked for. */
struct wish {
	unsigned int type; /* of sector that is expected */
	unsigned int main; /* VD_READ_MAIN's bits */
	unsigned int c2;   /* 0, 1: flags, 2: and their summary */
	enum sub sub;
};

static bool is_type(enum vd_sector_kind kind, unsigned int type)
{
	static const uint8_t types[] = {
		[VD_KIND_AUDIO] = 1, [VD_KIND_MODE0] = ANY_TYPE, [VD_KIND_MODE1] = 2,
		[VD_KIND_MODE2] = 3, [VD_KIND_MODE2_FORM1] = 4,	 [VD_KIND_MODE2_FORM2] = 5,
	};

	return type == ANY_TYPE || type == types[kind];
}

/*
 * Parts that are read follow each other in the sector (MMC-6, tables 351 to 356). A part that a kind of sector does not have is
 * no gap.
 */
static bool is_contiguous(enum vd_sector_kind kind, unsigned int main)
{
	unsigned int have = 0, bit = 1;

	if (kind == VD_KIND_AUDIO)
		return true;
	for (unsigned int part = VD_READ_SYNC; part <= VD_READ_ECC; part <<= 1) {
		if (!vd_sector_bytes(kind, part))
			continue;
		have |= main & part ? bit : 0;
		bit <<= 1;
	}
	return !(have & (have + (have & -have)));
}

static bool parse(struct vd_mmc_call *c, struct wish *w)
{
	const unsigned int flags = c->cdb[9];

	*w = (struct wish){
		.type = c->cdb[1] >> 2 & 7,
		.c2 = flags >> 1 & 3,
		.sub = c->cdb[10] & 7,
		.main = (flags & 0x80 ? VD_READ_SYNC : 0) | (flags & 0x20 ? VD_READ_HEADER : 0) |
			(flags & 0x40 ? VD_READ_SUBHEADER : 0) | (flags & 0x10 ? VD_READ_USER : 0) |
			(flags & 0x08 ? VD_READ_EDC | VD_READ_ECC : 0),
	};
	if (w->type > LAST_TYPE || w->c2 == 3 || flags & 0x01 || c->cdb[1] & 0x01 ||
	    (w->sub > SUB_Q && w->sub != SUB_RW)) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return false;
	}
	return true;
}

/* The kind of @lba, if it may be read so. */
static bool check_sector(struct vd_disc *d, struct vd_mmc_call *c, const struct wish *w,
			 int32_t lba, enum vd_sector_kind *kind)
{
	int r = vd_disc_sector_kind(d, lba, kind);

	if (r) {
		vd_mmc_fail_errno(c, r, lba);
		return false;
	}
	if (!is_type(*kind, w->type)) {
		vd_mmc_fail_at(c, VD_SENSE_TRACK_MODE, lba, false);
		return false;
	}
	if (!is_contiguous(*kind, w->main)) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return false;
	}
	return true;
}

/* Sound begins and ends with its track. */
static int64_t sound_until(const struct vd_disc *d, int32_t lba)
{
	const struct vd_track *t = vd_disc_track_at(d, lba);

	return t && t->mode == VD_TRACK_AUDIO ? vd_track_end(t) : (int64_t)lba + 1;
}

/* All sectors may be read so, and have the same number of bytes: @size of the main channel. */
static bool check_sectors(struct vd_disc *d, struct vd_mmc_call *c, const struct wish *w,
			  int32_t lba, uint64_t n, size_t size)
{
	const int64_t end = lba + (int64_t)n;
	enum vd_sector_kind kind;

	/* Whole sectors of any kind always may. */
	if (w->type == ANY_TYPE && w->main == VD_READ_MAIN)
		return true;
	for (int64_t at = lba; at < end; at = sound_until(d, (int32_t)at)) {
		if (!check_sector(d, c, w, (int32_t)at, &kind))
			return false;
		if (vd_sector_bytes(kind, w->main) != size) {
			vd_mmc_fail_at(c, VD_SENSE_TRACK_MODE, (int32_t)at, false);
			return false;
		}
	}
	return true;
}

static size_t sub_bytes(enum sub sub)
{
	return sub == SUB_NONE ? 0 : sub == SUB_Q ? Q_BYTES : VD_SECTOR_SUB;
}

/* Q as it is in the disc, and P in the last bit. */
static int put_q(struct vd_disc *d, int32_t lba, uint8_t *to)
{
	uint8_t raw[VD_SECTOR_SUB];
	int r = vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, raw);

	if (r)
		return r;
	memset(to, 0, Q_BYTES);
	vd_sub_get_q(raw, to);
	to[15] = raw[0] & 0x80;
	return 0;
}

/* The packs of R to W, which end two sectors later; beyond the end there are none. */
static int put_rw(struct vd_disc *d, int32_t lba, uint8_t *to)
{
	uint8_t raw[3 * VD_SECTOR_SUB] = { 0 };

	for (int i = 0; i < 3; i++) {
		int r = vd_disc_read_sectors(d, lba + i, 1, VD_READ_SUB,
					     raw + (size_t)i * VD_SECTOR_SUB);

		if (r && (r != -ERANGE || !i))
			return r;
	}
	vd_sub_rw_packs(raw, to);
	return 0;
}

static int put_sector(struct vd_disc *d, const struct wish *w, int32_t lba, size_t main,
		      uint8_t *to)
{
	int r = main ? vd_disc_read_sectors(d, lba, 1, w->main, to) : 0;

	to += main;
	if (w->c2) {
		memset(to, 0, VD_SECTOR_C2 + 2);
		to += VD_SECTOR_C2 + (w->c2 == 2 ? 2 : 0);
	}
	if (r)
		return r;
	switch (w->sub) {
	case SUB_RAW:
		return vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, to);
	case SUB_Q:
		return put_q(d, lba, to);
	case SUB_RW:
		return put_rw(d, lba, to);
	default:
		return 0;
	}
}

/* What lib/disc has in the very order is read at once. */
static bool is_simple(const struct wish *w)
{
	return w->c2 < 2 && w->sub <= SUB_RAW;
}

static void read_sectors(struct vd_disc *d, struct vd_mmc_call *c, const struct wish *w,
			 int32_t lba, uint32_t n)
{
	uint8_t sector[SECTOR_MAX], *to = c->q->in;
	size_t main, bytes, left = c->q->in_cap;
	enum vd_sector_kind kind;
	uint32_t i = 0;

	/* A length of 0 is right when everything else is. */
	if (!check_sector(d, c, w, lba, &kind))
		return;
	c->r->moved = true;
	c->r->at = lba;
	if (!n)
		return;
	main = vd_sector_bytes(kind, w->main);
	bytes = main + (w->c2 ? VD_SECTOR_C2 + (w->c2 == 2 ? 2 : 0) : 0) + sub_bytes(w->sub);
	if (!bytes || !left)
		return;
	if (n > (left + bytes - 1) / bytes)
		n = (uint32_t)((left + bytes - 1) / bytes);
	if (!check_sectors(d, c, w, lba, n, main))
		return;
	c->r->at = (int32_t)(lba + (int64_t)n - 1);
	if (is_simple(w)) {
		unsigned int what = w->main | (w->c2 ? VD_READ_C2 : 0) | (w->sub ? VD_READ_SUB : 0);
		int r;

		i = (uint32_t)(left / bytes < n ? left / bytes : n);
		r = i ? vd_disc_read_sectors(d, lba, i, what, to) : 0;
		if (r) {
			vd_mmc_fail_errno(c, r, lba);
			return;
		}
		to += (size_t)i * bytes;
		left -= (size_t)i * bytes;
	}
	for (; i < n; i++) {
		size_t part = left < bytes ? left : bytes;
		int r = put_sector(d, w, (int32_t)(lba + (int64_t)i), main, sector);

		if (r) {
			vd_mmc_fail_errno(c, r, (int32_t)(lba + (int64_t)i));
			return;
		}
		memcpy(to, sector, part);
		to += part;
		left -= part;
	}
	c->r->len = c->q->in_cap - left;
}

void vd_mmc_read_cd(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	struct wish w;

	(void)now;
	if (parse(c, &w))
		read_sectors(d, c, &w, (int32_t)vd_get_be32(c->cdb + 2),
			     vd_get_be32(c->cdb + 5) & 0xffffff);
}

void vd_mmc_read_cd_msf(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	struct wish w;
	int32_t from, to;

	(void)now;
	if (!parse(c, &w))
		return;
	if (!vd_mmc_get_msf(c->cdb + 3, &from) || !vd_mmc_get_msf(c->cdb + 6, &to) || to < from)
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		read_sectors(d, c, &w, from, (uint32_t)(to - from));
}

/* Plextor's: sound, with Q, P to W, or that alone. */
void vd_mmc_read_cdda(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	static const struct wish wishes[] = {
		{ 1, VD_READ_USER, 0, SUB_NONE },
		{ 1, VD_READ_USER, 0, SUB_Q },
		{ 1, VD_READ_USER, 0, SUB_RAW },
		{ 1, 0, 0, SUB_RAW },
	};

	(void)now;
	if (c->cdb[10] >= VD_ARRAY_SIZE(wishes))
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		read_sectors(d, c, &wishes[c->cdb[10]], (int32_t)vd_get_be32(c->cdb + 2),
			     vd_get_be32(c->cdb + 6));
}
