// SPDX-License-Identifier: GPL-3.0-or-later
/* What may play where: the disc says so, the drive does it (audio.c). */
#include "disc/sector.h"
#include "mmc/internal.h"
#include "util/endian.h"

#define CURRENT UINT32_MAX /* "from where the head is" */
#define SCAN_RATE 10

bool vd_mmc_get_msf(const uint8_t *p, int32_t *lba)
{
	if (p[0] > 99 || p[1] > 59 || p[2] > 74)
		return false;
	*lba = vd_msf_to_lba((struct vd_msf){ p[0], p[1], p[2] });
	return true;
}

/* The track of sound at @lba, or NULL with sense. */
static const struct vd_track *audio_at(struct vd_disc *d, struct vd_mmc_call *c, int64_t lba)
{
	const struct vd_track *t = NULL;

	if (lba >= VD_LBA_FIRST && lba <= INT32_MAX)
		t = vd_disc_track_at(d, (int32_t)lba);
	if (!t)
		vd_mmc_fail(c, VD_SENSE_RANGE);
	else if (t->mode != VD_TRACK_AUDIO)
		vd_mmc_fail(c, VD_SENSE_TRACK_MODE);
	return t && t->mode == VD_TRACK_AUDIO ? t : NULL;
}

static int64_t track_begin(const struct vd_track *t)
{
	return (int64_t)t->start - t->pregap;
}

/* Where the tracks of sound that follow each other from @t on end. */
static int64_t sound_end(const struct vd_disc *d, const struct vd_track *t)
{
	const struct vd_track *last = d->tracks + d->ntracks - 1;

	while (t < last && t[1].mode == VD_TRACK_AUDIO && track_begin(t + 1) == vd_track_end(t))
		t++;
	return vd_track_end(t);
}

static int64_t sound_begin(const struct vd_disc *d, const struct vd_track *t)
{
	while (t > d->tracks && t[-1].mode == VD_TRACK_AUDIO &&
	       track_begin(t) == vd_track_end(t - 1))
		t--;
	return track_begin(t);
}

/* Plays [from, to), or (SOTC) no further than the track goes; nothing when that is empty. */
static void play(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c,
		 int64_t from, int64_t to)
{
	const struct vd_track *t = audio_at(d, c, from);
	int64_t end;

	if (!t)
		return;
	if (to < from) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (to > (int64_t)(vd_disc_size(d) / VD_SECTOR_USER)) {
		vd_mmc_fail(c, VD_SENSE_RANGE);
		return;
	}
	if (to == from)
		return;
	end = sound_end(d, t);
	if (now->sotc && to > vd_track_end(t))
		to = end = vd_track_end(t);
	c->r->plays = true;
	c->r->rate = 1;
	c->r->at = (int32_t)from;
	c->r->first = (int32_t)from;
	c->r->last = (int32_t)(to < end ? to : end);
	c->r->fails = to > end;
}

/* PLAY AUDIO(10) and (12): a length of 0 plays nothing, and is right. */
void vd_mmc_play(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	uint32_t lba = vd_get_be32(c->cdb + 2);
	uint32_t n = c->cdb[0] == 0xa5 ? vd_get_be32(c->cdb + 6) : vd_get_be16(c->cdb + 7);
	int64_t from = lba == CURRENT ? now->at : (int32_t)lba;

	if (c->cdb[1] & 0x01)
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		play(now, d, c, from, from + n);
}

void vd_mmc_play_msf(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint8_t *p = c->cdb + 3;
	int32_t from = now->at, to;

	if ((!(p[0] == 0xff && p[1] == 0xff && p[2] == 0xff) && !vd_mmc_get_msf(p, &from)) ||
	    !vd_mmc_get_msf(p + 3, &to))
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		play(now, d, c, from, to);
}

/* Where an index of a track begins; false when there is no such one. The end of the last one is the track's. */
static bool index_at(const struct vd_track *t, unsigned int index, int32_t *lba)
{
	if (index > 1 && index - 2 >= t->nindices)
		return false;
	*lba = index > 1 ? t->indices[index - 2] : t->start;
	return true;
}

void vd_mmc_play_index(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const struct vd_track *from = vd_disc_track(d, c->cdb[4]),
			      *to = vd_disc_track(d, c->cdb[7]);
	int32_t begin, end;

	if (!from || !to || !index_at(from, c->cdb[5], &begin)) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	/* The ending index is played too; one beyond the last is the end of the track. */
	if (!index_at(to, c->cdb[8] + 1u, &end) || !c->cdb[8])
		end = (int32_t)vd_track_end(to);
	play(now, d, c, begin, end);
}

void vd_mmc_scan(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const bool back = c->cdb[1] & 0x10;
	const struct vd_track *t;
	int32_t from;

	switch (c->cdb[9] >> 6) {
	case 0:
		from = (int32_t)vd_get_be32(c->cdb + 2);
		if (vd_get_be32(c->cdb + 2) == CURRENT)
			from = now->at;
		break;
	case 1:
		if (!vd_mmc_get_msf(c->cdb + 3, &from)) {
			vd_mmc_fail(c, VD_SENSE_CDB);
			return;
		}
		break;
	case 2:
		t = vd_disc_track(d, c->cdb[5]);
		if (!t) {
			vd_mmc_fail(c, VD_SENSE_CDB);
			return;
		}
		from = t->start;
		break;
	default:
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	t = audio_at(d, c, from);
	if (!t)
		return;
	c->r->plays = true;
	c->r->rate = back ? -SCAN_RATE : SCAN_RATE;
	c->r->at = from;
	c->r->first = (int32_t)sound_begin(d, t);
	c->r->last = (int32_t)sound_end(d, t);
}
