// SPDX-License-Identifier: GPL-3.0-or-later
/* What is on the disc, and where the head is on it. */
#include <stdlib.h>
#include <string.h>

#include "disc/cdtext.h"
#include "disc/sector.h"
#include "disc/toc.h"
#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* The longest is CD-TEXT: eight languages of 256 packs. */
#define TOC_MAX (4u + VD_CDTEXT_BLOCKS * VD_CDTEXT_BLOCK_PACKS * VD_CDTEXT_PACK)
#define FORMAT_PMA 3
#define FORMAT_ATIP 4
#define LEADOUT 0xaa

void vd_mmc_put_address(uint8_t p[4], int32_t lba, bool msf)
{
	struct vd_msf at = vd_msf_from_lba(lba);

	if (!msf) {
		vd_put_be32(p, (uint32_t)lba);
		return;
	}
	p[0] = 0;
	p[1] = at.m;
	p[2] = at.s;
	p[3] = at.f;
}

static bool is_recordable(enum vd_media p)
{
	return p == VD_MEDIA_CD_R || p == VD_MEDIA_CD_RW;
}

static bool is_rewritable(enum vd_media p)
{
	return p == VD_MEDIA_CD_RW || p == VD_MEDIA_DVD_RW || p == VD_MEDIA_DVD_RAM ||
	       p == VD_MEDIA_DVD_PLUS_RW || p == VD_MEDIA_BD_RE;
}

static void put_msf(uint8_t *p, int32_t lba)
{
	struct vd_msf at = vd_msf_from_lba(lba);

	p[0] = at.m;
	p[1] = at.s;
	p[2] = at.f;
}

/* What a recorder notes of its tracks: where each ends and begins. */
static void pma(const struct vd_disc *d, struct vd_mmc_call *c, size_t allocation)
{
	uint8_t answer[4 + 11 * VD_TRACKS_MAX] = { 0 }, *p = answer + 4;

	for (size_t i = 0; i < d->ntracks; i++, p += 11) {
		const struct vd_track *t = &d->tracks[i];

		p[0] = (uint8_t)t->session;
		p[1] = (uint8_t)(1 << 4 | t->control);
		p[3] = (uint8_t)t->number;
		put_msf(p + 4, (int32_t)vd_track_end(t));
		put_msf(p + 8, t->start);
	}
	vd_put_be16(answer, (uint16_t)(p - answer - 2));
	vd_mmc_data(c, answer, (size_t)(p - answer), allocation);
}

/* What is stamped into a blank of 80 minutes; no image keeps it. */
static void atip(enum vd_media profile, struct vd_mmc_call *c, size_t allocation)
{
	const uint8_t answer[28] = {
		0,
		26,
		0,
		0,
		0xc0,
		0x40,
		(uint8_t)(0x80 | (profile == VD_MEDIA_CD_RW ? 0x40 : 0)),
		0,
		97,
		26,
		66,
		0,
		79,
		59,
		74,
		0,
	};

	vd_mmc_data(c, answer, sizeof(answer), allocation);
}

void vd_mmc_read_toc(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const size_t allocation = vd_get_be16(c->cdb + 7);
	const bool msf = c->cdb[1] & 0x02;
	_cleanup_free_ uint8_t *answer = NULL;
	unsigned int format = c->cdb[2] & 0x0f;
	size_t len;

	/* SFF-8020 had it in the control byte, and so has Linux to this day. */
	if (!format)
		format = c->cdb[9] >> 6;
	if (format == FORMAT_PMA || format == FORMAT_ATIP) {
		if (!is_recordable(now->profile))
			vd_mmc_fail(c, VD_SENSE_CDB);
		else if (format == FORMAT_PMA)
			pma(d, c, allocation);
		else
			atip(now->profile, c, allocation);
		return;
	}
	answer = malloc(TOC_MAX);
	if (!answer) {
		vd_mmc_fail(c, VD_SENSE_INTERNAL);
		return;
	}
	if (vd_toc_response(d, (enum vd_toc_format)format, msf, c->cdb[6], answer, TOC_MAX, &len))
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		vd_mmc_data(c, answer, len, allocation);
}

/* A complete disc (MMC-6, 6.21). */
void vd_mmc_disc_information(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	uint8_t answer[34] = { 0, sizeof(answer) - 2 };
	const struct vd_session *last = &d->sessions[d->nsessions - 1];

	if (c->cdb[1] & 0x07) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	/* Last session, disc: complete; a DVD-RAM is "other". Only what can be written here can be erased: Linux goes by that. */
	answer[2] = (uint8_t)((d->recordable && is_rewritable(now->profile)) << 4 | 0x0c |
			      (d->recordable && now->profile == VD_MEDIA_DVD_RAM ? 3 : 2));
	answer[3] = (uint8_t)d->tracks[0].number;
	answer[4] = (uint8_t)d->nsessions;
	answer[5] = (uint8_t)d->tracks[last->first_track].number;
	answer[6] = (uint8_t)d->tracks[d->ntracks - 1].number;
	answer[7] = 0x20; /* for unrestricted use */
	answer[8] = vd_media_is_cd(now->profile) ? (uint8_t)d->sessions[0].type : 0xff;
	memset(answer + 16, 0xff, 8); /* no further session */
	vd_mmc_data(c, answer, sizeof(answer), vd_get_be16(c->cdb + 7));
}

static const struct vd_track *asked_track(struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t n = vd_get_be32(c->cdb + 2);
	const struct vd_track *t = NULL;
	uint32_t sense = VD_SENSE_CDB;

	switch (c->cdb[1] & 0x03) {
	case 0:
		t = vd_disc_track_at(d, (int32_t)n);
		sense = VD_SENSE_RANGE;
		break;
	case 1:
		t = n <= VD_TRACKS_MAX ? vd_disc_track(d, (int)n) : NULL;
		break;
	case 2:
		if (n && n <= (uint32_t)d->nsessions)
			t = &d->tracks[d->sessions[n - 1].first_track];
		break;
	default:
		break;
	}
	if (!t)
		vd_mmc_fail(c, sense);
	return t;
}

/* A complete track (MMC-6, 6.26): nothing can be written to it. */
void vd_mmc_track_information(const struct vd_mmc_now *now, struct vd_disc *d,
			      struct vd_mmc_call *c)
{
	static const uint8_t data_mode[] = {
		[VD_TRACK_MODE1] = 1,
		[VD_TRACK_MODE2] = 2,
		[VD_TRACK_AUDIO] = 0x0f,
	};
	const struct vd_track *t = asked_track(d, c);
	uint8_t answer[48] = { 0, sizeof(answer) - 2 };

	(void)now;
	if (!t)
		return;
	answer[2] = (uint8_t)t->number;
	answer[3] = (uint8_t)t->session;
	answer[5] = t->control;
	answer[6] = data_mode[t->mode];
	vd_put_be32(answer + 8, (uint32_t)t->start);
	vd_put_be32(answer + 24, t->length);
	vd_mmc_data(c, answer, sizeof(answer), vd_get_be16(c->cdb + 7));
}

/* Where the head is, as Q would say it there (MMC-3, READ SUB-CHANNEL). */
static size_t put_position(const struct vd_mmc_now *now, const struct vd_disc *d, bool msf,
			   uint8_t *p)
{
	const struct vd_track *t = vd_disc_track_at(d, now->at);
	const struct vd_session *s = &d->sessions[vd_disc_session_at(d, now->at) - 1];
	const struct vd_track *last = &d->tracks[s->first_track + s->ntracks - 1];
	/* A lead-in is track 0, and its entries of the TOC are no place. */
	const bool leadin = !t && now->at < s->leadout;
	int32_t relative = t ? now->at - t->start : leadin ? 0 : now->at - s->leadout;

	p[0] = 1;
	p[1] = (uint8_t)(1 << 4 | (t ? t : last)->control);
	p[2] = t ? (uint8_t)t->number : leadin ? 0 : LEADOUT;
	p[3] = t ? (uint8_t)vd_track_index_at(t, now->at) : !leadin;
	vd_mmc_put_address(p + 4, now->at, msf);
	if (!msf) {
		vd_put_be32(p + 8, (uint32_t)relative);
		return 12;
	}
	/* A time, not an address: 00:00:00 is where the track begins, and before that it runs down. */
	vd_mmc_put_address(p + 8, (relative < 0 ? -1 - relative : relative) + VD_LBA_FIRST, true);
	return 12;
}

void vd_mmc_read_subchannel(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const struct vd_track *t;
	uint8_t answer[24] = { 0, (uint8_t)now->audio }, *p = answer + 4;
	size_t len = 0;

	if (c->cdb[2] & 0x40) {
		p[0] = c->cdb[3];
		switch (c->cdb[3]) {
		case 1:
			len = put_position(now, d, c->cdb[1] & 0x02, p);
			break;
		case 2:
			len = 20;
			if (d->mcn[0]) {
				p[4] = 0x80; /* valid */
				memcpy(p + 5, d->mcn, VD_MCN_LEN);
			}
			break;
		case 3:
			t = vd_disc_track(d, c->cdb[6]);
			if (t) {
				len = 20;
				p[1] = (uint8_t)(3 << 4 | t->control);
				p[2] = (uint8_t)t->number;
			}
			if (t && t->isrc[0]) {
				p[4] = 0x80;
				memcpy(p + 5, t->isrc, VD_ISRC_LEN);
			}
			break;
		default:
			break;
		}
		if (!len) {
			vd_mmc_fail(c, VD_SENSE_CDB);
			return;
		}
	}
	vd_put_be16(answer + 2, (uint16_t)len);
	vd_mmc_data(c, answer, 4 + len, vd_get_be16(c->cdb + 7));
}
