// SPDX-License-Identifier: GPL-3.0-or-later
/* Blocks of 2048 bytes (MMC-6, 6.14): user data of mode 1 and Form 1; nothing else has such blocks. */
#include <errno.h>
#include <string.h>

#include "mmc/internal.h"
#include "util/endian.h"

#define BATCH 32u

static uint32_t blocks_asked(const struct vd_mmc_call *c)
{
	return c->cdb[0] == 0xa8 ? vd_get_be32(c->cdb + 6) : vd_get_be16(c->cdb + 7);
}

bool vd_mmc_check_range(struct vd_disc *d, struct vd_mmc_call *c, uint32_t lba, uint32_t n)
{
	const uint64_t size = vd_disc_size(d) / VD_SECTOR_USER, end = (uint64_t)lba + n;
	int64_t at = lba;

	if (lba > size || end > size || (!n && lba == size)) {
		vd_mmc_fail(c, VD_SENSE_RANGE);
		return false;
	}
	/* Between two sessions there is nothing to be had. */
	do {
		const struct vd_track *t = vd_disc_track_at(d, (int32_t)at);

		if (!t) {
			vd_mmc_fail_at(c, VD_SENSE_RANGE, (int32_t)at, false);
			return false;
		}
		at = vd_track_end(t);
	} while (at < (int64_t)end);
	return true;
}

/* Why [lba, lba + n) could not be read: the first sector of which that is so. */
static void explain(struct vd_disc *d, struct vd_mmc_call *c, int32_t lba, uint32_t n, int code)
{
	for (uint32_t i = 0; i < n; i++, lba++) {
		uint8_t sector[VD_SECTOR_RAW];
		enum vd_sector_kind kind;
		int r = vd_disc_sector_kind(d, lba, &kind);

		if (!r && vd_sector_bytes(kind, VD_READ_USER) != VD_SECTOR_USER) {
			vd_mmc_fail_at(c, VD_SENSE_TRACK_MODE, lba, true);
			return;
		}
		r = r ? r : vd_disc_read_sectors(d, lba, 1, VD_READ_USER, sector);
		if (r) {
			vd_mmc_fail_errno(c, r, lba);
			return;
		}
	}
	vd_mmc_fail_errno(c, code, lba);
}

/* 0, or -errno: -EMEDIUMTYPE when a sector has another number of bytes. */
static int read_blocks(struct vd_disc *d, int32_t lba, uint32_t n, void *buf)
{
	enum vd_sector_kind kind;
	int r = n ? vd_disc_sector_kind(d, lba, &kind) : 0;

	if (r || !n)
		return r;
	if (vd_sector_bytes(kind, VD_READ_USER) != VD_SECTOR_USER)
		return -EMEDIUMTYPE;
	return vd_disc_read_sectors(d, lba, n, VD_READ_USER, buf);
}

/* All of it lies in files as it is? */
static bool map_blocks(struct vd_disc *d, struct vd_mmc_call *c, uint32_t lba, size_t len)
{
	uint64_t at = (uint64_t)lba * VD_SECTOR_USER;
	size_t n = 0;

	for (size_t left = len; left; n++) {
		struct vd_fd_range *range = &c->q->ranges[n];

		if (n == c->q->max_ranges || vd_disc_map(d, at, left, range))
			return false;
		if (range->len > left)
			range->len = left;
		at += range->len;
		left -= (size_t)range->len;
	}
	c->r->nranges = n;
	c->r->len = len;
	return n > 0;
}

void vd_mmc_read(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t lba = vd_get_be32(c->cdb + 2), n = blocks_asked(c);
	uint8_t last[VD_SECTOR_USER];
	uint64_t len = (uint64_t)n * VD_SECTOR_USER;
	uint32_t whole;
	size_t rest;
	int r;

	(void)now;
	if (c->cdb[1] & 0x01) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!vd_mmc_check_range(d, c, lba, n))
		return;
	if (len > c->q->in_cap)
		len = c->q->in_cap;
	c->r->moved = true;
	c->r->at = (int32_t)(lba + n - (n > 0));
	if (c->q->ranges && map_blocks(d, c, lba, (size_t)len))
		return;
	whole = (uint32_t)(len / VD_SECTOR_USER);
	rest = len % VD_SECTOR_USER;
	r = read_blocks(d, (int32_t)lba, whole, c->q->in);
	if (!r && rest) {
		r = read_blocks(d, (int32_t)(lba + whole), 1, last);
		if (!r)
			memcpy((uint8_t *)c->q->in + (size_t)whole * VD_SECTOR_USER, last, rest);
	}
	c->r->len = (size_t)len;
	if (r)
		explain(d, c, (int32_t)lba, whole + (rest > 0), r);
}

void vd_mmc_seek(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t lba = vd_get_be32(c->cdb + 2);

	(void)now;
	if (lba >= vd_disc_size(d) / VD_SECTOR_USER) {
		vd_mmc_fail(c, VD_SENSE_RANGE);
		return;
	}
	c->r->moved = true;
	c->r->at = (int32_t)lba;
}

/* Can it be read? Nothing is compared (BYTCHK). */
void vd_mmc_verify(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t lba = vd_get_be32(c->cdb + 2), n = blocks_asked(c);
	uint8_t batch[BATCH * VD_SECTOR_USER];

	(void)now;
	if (c->cdb[1] & 0x07) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!vd_mmc_check_range(d, c, lba, n))
		return;
	c->r->moved = true;
	c->r->at = (int32_t)(lba + n - (n > 0));
	for (uint32_t i = 0; i < n; i += BATCH) {
		uint32_t some = n - i < BATCH ? n - i : BATCH;
		int r = read_blocks(d, (int32_t)(lba + i), some, batch);

		if (r) {
			explain(d, c, (int32_t)(lba + i), some, r);
			return;
		}
	}
}

/* The mode of a data sector and its address, as in its header. */
void vd_mmc_read_header(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t lba = vd_get_be32(c->cdb + 2);
	uint8_t answer[8] = { 0 };
	enum vd_sector_kind kind;
	int r;

	(void)now;
	if (!vd_mmc_check_range(d, c, lba, 1))
		return;
	r = vd_disc_sector_kind(d, (int32_t)lba, &kind);
	if (r) {
		vd_mmc_fail_errno(c, r, (int32_t)lba);
		return;
	}
	if (kind == VD_KIND_AUDIO) {
		vd_mmc_fail_at(c, VD_SENSE_TRACK_MODE, (int32_t)lba, false);
		return;
	}
	answer[0] = kind == VD_KIND_MODE0 ? 0 : kind == VD_KIND_MODE1 ? 1 : 2;
	vd_mmc_put_address(answer + 4, (int32_t)lba, c->cdb[1] & 0x02);
	c->r->moved = true;
	c->r->at = (int32_t)lba;
	vd_mmc_data(c, answer, sizeof(answer), vd_get_be16(c->cdb + 7));
}
