// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * READ DISC STRUCTURE (MMC-6, 6.22): what the image has kept, else what can be told of the disc. Keys are neither here nor
 * made: the regions are told, the rest of REPORT KEY and SEND KEY is refused.
 */
#include <string.h>

#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define PHYSICAL 0x00
#define COPYRIGHT 0x01
#define LIST 0xff
#define READABLE 0x40
#define LIST_MAX 64u
#define PHYSICAL_SIZE 2048u

static bool is_bluray(enum vd_media p)
{
	return p >= VD_MEDIA_BD_ROM;
}

/* Book type, layer type (1 embossed, 2 recordable, 4 rewritable), first physical sector of data. */
static const struct book {
	enum vd_media profile;
	uint8_t type, layer;
	uint32_t first;
} books[] = {
	{ VD_MEDIA_DVD_ROM, 0x0, 1, 0x30000 },	  { VD_MEDIA_DVD_RAM, 0x1, 4, 0x31000 },
	{ VD_MEDIA_DVD_R, 0x2, 2, 0x30000 },	  { VD_MEDIA_DVD_R_DL, 0x2, 2, 0x30000 },
	{ VD_MEDIA_DVD_RW, 0x3, 4, 0x30000 },	  { VD_MEDIA_DVD_PLUS_RW, 0x9, 4, 0x30000 },
	{ VD_MEDIA_DVD_PLUS_R, 0xa, 2, 0x30000 }, { VD_MEDIA_DVD_PLUS_R_DL, 0xe, 2, 0x30000 },
};

/* ECMA-267, 16: physical sectors are counted from 30000h on; those of layer 1 of an opposite track path go down. */
static void physical(const struct vd_disc *d, enum vd_media profile, uint8_t p[PHYSICAL_SIZE])
{
	const uint32_t sectors = (uint32_t)(vd_disc_size(d) / VD_SECTOR_USER);
	const bool two = d->layers == 2 || d->layer_break;
	const struct book *b = books;
	uint32_t end;

	for (size_t i = 0; i < VD_ARRAY_SIZE(books); i++)
		if (books[i].profile == profile)
			b = &books[i];
	end = b->first + sectors - 1;
	memset(p, 0, PHYSICAL_SIZE);
	p[0] = (uint8_t)(b->type << 4 | 1);
	p[1] = 0x02; /* 120 mm, 10.08 Mbit/s */
	p[2] = (uint8_t)(two << 5 | (two && d->opposite) << 4 | b->layer);
	vd_put_be32(p + 4, b->first);
	if (two && d->layer_break) {
		uint32_t turn = b->first + (uint32_t)d->layer_break;

		vd_put_be32(p + 12, d->opposite ? turn : 0);
		/* Addresses behind the turn are the complement of those before it. */
		if (d->opposite)
			end = ~(2 * turn + 1 - end) & 0xffffff;
	}
	vd_put_be32(p + 8, end);
}

static const struct vd_structure *stored(const struct vd_disc *d, uint8_t format, uint8_t layer,
					 uint32_t address)
{
	for (size_t i = 0; i < d->nstructures; i++)
		if (d->structures[i].format == format && d->structures[i].layer == layer &&
		    d->structures[i].address == address)
			return &d->structures[i];
	return NULL;
}

static size_t add_format(uint8_t *p, uint8_t format, size_t len)
{
	p[0] = format;
	p[1] = READABLE;
	vd_put_be16(p + 2, (uint16_t)(len + 4));
	return 4;
}

/* Which formats there are, and how long each is. */
static size_t list(const struct vd_disc *d, bool dvd, uint8_t *p)
{
	uint8_t *begin = p;
	bool seen[256] = { false };

	if (dvd && !stored(d, PHYSICAL, 0, 0))
		p += add_format(p, PHYSICAL, PHYSICAL_SIZE);
	if (dvd && !stored(d, COPYRIGHT, 0, 0))
		p += add_format(p, COPYRIGHT, 4);
	for (size_t i = 0; i < d->nstructures && p - begin < 4 * (int)LIST_MAX; i++) {
		const struct vd_structure *s = &d->structures[i];

		if (!seen[s->format])
			p += add_format(p, s->format, s->len);
		seen[s->format] = true;
	}
	return (size_t)(p - begin);
}

void vd_mmc_disc_structure(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint8_t format = c->cdb[7], layer = c->cdb[6];
	const struct vd_structure *s = stored(d, format, layer, vd_get_be32(c->cdb + 2));
	const bool bluray = is_bluray(now->profile);
	const int layers = d->layers == 2 || d->layer_break ? 2 : 1;
	uint8_t answer[4 + PHYSICAL_SIZE] = { 0 };
	size_t len;

	if (vd_media_is_cd(now->profile)) {
		vd_mmc_fail(c, VD_SENSE_FORMAT);
		return;
	}
	if ((c->cdb[1] & 0x0f) != bluray) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (format == LIST) {
		len = list(d, !bluray, answer + 4);
	} else if (s) {
		len = s->len < sizeof(answer) - 4 ? s->len : sizeof(answer) - 4;
		memcpy(answer + 4, s->data, len);
	} else if (!bluray && format == PHYSICAL && layer < layers) {
		len = PHYSICAL_SIZE;
		physical(d, now->profile, answer + 4);
	} else if (!bluray && format == COPYRIGHT && layer < layers) {
		len = 4; /* not protected, all regions */
	} else {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	vd_put_be16(answer, (uint16_t)(len + 2));
	vd_mmc_data(c, answer, 4 + len, vd_get_be16(c->cdb + 8));
}

/* Formats of REPORT KEY and SEND KEY (MMC-6). */
#define KEY_ASF 0x05
#define KEY_RPC_SEND 0x06
#define KEY_RPC_STATE 0x08
#define KEY_INVALIDATE 0x3f

void vd_mmc_report_key(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const uint8_t format = c->cdb[10] & 0x3f;
	/* RPC state: no region set, 4 and 5 changes left, no region is refused. */
	const uint8_t rpc[8] = { 0, 6, 0, 0, 4 << 3 | 5, 0xff, 1, 0 };
	const uint8_t asf[8] = { 0, 6 };
	const size_t allocation = vd_get_be16(c->cdb + 8);

	if (c->cdb[7]) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (format == KEY_RPC_STATE) {
		vd_mmc_data(c, rpc, sizeof(rpc), allocation);
		return;
	}
	if (format == KEY_INVALIDATE)
		return;
	if (!m->medium.present)
		vd_mmc_fail(c, m->tray_open ? VD_SENSE_TRAY_OPEN : VD_SENSE_TRAY_CLOSED);
	else if (format == KEY_ASF)
		vd_mmc_data(c, asf, sizeof(asf), allocation);
	else
		vd_mmc_fail(c, format > KEY_ASF ? VD_SENSE_CDB : VD_SENSE_NO_KEY);
}

void vd_mmc_send_key(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const uint8_t format = c->cdb[10] & 0x3f;

	(void)m;
	if (!c->cdb[7] && format == KEY_INVALIDATE)
		return;
	vd_mmc_fail(c, c->cdb[7] || format > KEY_ASF ? VD_SENSE_CDB : VD_SENSE_NO_KEY);
}
