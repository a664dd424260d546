// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What plays, on the clock that comes with each command:
 *
 *     NONE ----- play, scan (play.c) -----> PLAYING <--- pause, resume ---> PAUSED
 *       ^                                     | end of what was asked for, or of the sound on the disc
 *       |                                     v
 *       +----- told once <------------- COMPLETED, FAILED
 *
 * stop, a read and a seek end it from everywhere: NONE.
 */
#include "mmc/internal.h"
#include "util/endian.h"

#define SECTORS_PER_SECOND 75
#define SECOND UINT64_C(1000000000)

/* Where it is, in sectors from `at`; a whole day is longer than any disc. */
static int64_t played(const struct vd_mmc *m, uint64_t now)
{
	uint64_t ns = now > m->since ? now - m->since : 0;

	if (ns > 86400 * SECOND)
		ns = 86400 * SECOND;
	return (int64_t)(ns / (SECOND / SECTORS_PER_SECOND)) * m->rate;
}

void vd_mmc_audio_update(struct vd_mmc *m, uint64_t now)
{
	int64_t at;

	if (m->audio != VD_AUDIO_PLAYING)
		return;
	at = m->at + played(m, now);
	if (at >= m->last) {
		m->at = m->last > m->first ? m->last - 1 : m->first;
		m->audio = m->fails ? VD_AUDIO_FAILED : VD_AUDIO_COMPLETED;
	} else if (at < m->first) {
		m->at = m->first;
		m->audio = VD_AUDIO_COMPLETED;
	}
}

int32_t vd_mmc_position(struct vd_mmc *m, uint64_t now)
{
	vd_mmc_audio_update(m, now);
	return m->audio == VD_AUDIO_PLAYING ? (int32_t)(m->at + played(m, now)) : m->at;
}

int32_t vd_mmc_heard(const struct vd_mmc *m, uint64_t now)
{
	int64_t at;

	switch (m->audio) {
	case VD_AUDIO_PLAYING:
		at = m->at + played(m, now);
		return (int32_t)(at > m->last ? m->last : at < m->first ? m->first : at);
	case VD_AUDIO_COMPLETED:
	case VD_AUDIO_FAILED:
		return m->rate > 0 ? m->last : m->first;
	default:
		return m->at;
	}
}

void vd_mmc_sound(const struct vd_mmc *m, uint8_t *pcm, size_t bytes)
{
	const uint8_t *page = vd_mmc_mode_page(m, 0x0e);

	for (size_t i = 0; i + 4 <= bytes; i += 4) {
		const int in[2] = { (int16_t)vd_get_le16(pcm + i),
				    (int16_t)vd_get_le16(pcm + i + 2) };

		for (int port = 0; port < 2; port++) {
			const int channels = page[8 + 2 * port] & 0x03;
			const int volume = page[9 + 2 * port];
			int out = channels == 3	  ? (in[0] + in[1]) / 2
				  : channels == 2 ? in[1]
				  : channels == 1 ? in[0]
						  : 0;

			vd_put_le16(pcm + i + 2 * port, (uint16_t)(out * volume / 255));
		}
	}
}

void vd_mmc_audio_stop(struct vd_mmc *m)
{
	m->audio = VD_AUDIO_NONE;
}

void vd_mmc_audio_told(struct vd_mmc *m)
{
	if (m->audio == VD_AUDIO_COMPLETED || m->audio == VD_AUDIO_FAILED)
		m->audio = VD_AUDIO_NONE;
}

/* Asking for what is so already is no error (MMC-3). */
void vd_mmc_pause_resume(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const bool resume = c->cdb[8] & 0x01;

	if (m->audio != VD_AUDIO_PLAYING && m->audio != VD_AUDIO_PAUSED) {
		vd_mmc_fail(c, VD_SENSE_SEQUENCE);
		return;
	}
	m->at = vd_mmc_position(m, c->q->now);
	m->since = c->q->now;
	if (!resume)
		m->rate = 1; /* a scan is over, and play goes on from here */
	m->audio = resume ? VD_AUDIO_PLAYING : VD_AUDIO_PAUSED;
}

void vd_mmc_stop(struct vd_mmc *m, struct vd_mmc_call *c)
{
	m->at = vd_mmc_position(m, c->q->now);
	vd_mmc_audio_stop(m);
}
