// SPDX-License-Identifier: GPL-3.0-or-later
/* The drive itself: tray, lock, unit attentions, events, power, speed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mmc/internal.h"
#include "util/endian.h"

#define SPEED_MAX 8467 /* kB/s: 48 times a CD's */

/* Classes of events (MMC-6, 6.6), by number; a lower one is of higher priority. */
#define CLASS_OPERATIONAL 1
#define CLASS_POWER 2
#define CLASS_MEDIA 4
#define CLASS_BUSY 6
#define CLASSES (1u << CLASS_OPERATIONAL | 1u << CLASS_POWER | 1u << CLASS_MEDIA | 1u << CLASS_BUSY)
#define NO_EVENT_AVAILABLE 0x80

#define MEDIA_EJECT_REQUEST 1
#define MEDIA_NEW 2
#define MEDIA_REMOVAL 3

void vd_mmc_init(struct vd_mmc *m, const char *name)
{
	*m = (struct vd_mmc){
		.ua_reset = true,
		.power = 1,
		.speed = SPEED_MAX,
		.audio = VD_AUDIO_NONE,
	};
	snprintf(m->name, sizeof(m->name), "%s", name);
	vd_mmc_mode_init(m);
}

struct vd_mmc_medium vd_mmc_medium_of(const struct vd_disc *d)
{
	struct vd_mmc_medium medium = {
		.present = true,
		.profile = vd_disc_media(d),
		.sectors = (uint32_t)(vd_disc_size(d) / VD_SECTOR_USER),
		.writable = d->recordable,
	};

	for (size_t i = 0; i < d->ntracks; i++)
		medium.audio |= d->tracks[i].mode == VD_TRACK_AUDIO;
	return medium;
}

int vd_mmc_insert(struct vd_mmc *m, const struct vd_mmc_medium *medium)
{
	if (m->medium.present)
		return -EBUSY;
	m->medium = *medium;
	m->tray_open = false;
	m->ua_medium = true;
	m->event_new_medium = true;
	m->event_operational = true;
	m->event_removal = false;
	m->event_eject = false;
	m->audio = VD_AUDIO_NONE;
	m->at = 0;
	return 0;
}

bool vd_mmc_locked(const struct vd_mmc *m)
{
	return m->prevent || m->persistent_prevent;
}

static void open_tray(struct vd_mmc *m)
{
	m->tray_open = true;
	m->event_eject = false;
	if (!m->medium.present)
		return;
	m->medium = (struct vd_mmc_medium){ .present = false };
	m->ua_medium = false;
	m->event_new_medium = false;
	m->event_removal = true;
	m->event_operational = true;
	m->audio = VD_AUDIO_NONE;
	m->at = 0;
}

int vd_mmc_eject(struct vd_mmc *m, bool force)
{
	if (vd_mmc_locked(m) && !force) {
		m->event_eject = true;
		return -EBUSY;
	}
	m->prevent = false;
	m->persistent_prevent = false;
	open_tray(m);
	return 0;
}

void vd_mmc_test_unit_ready(struct vd_mmc *m, struct vd_mmc_call *c)
{
	(void)m;
	(void)c;
}

/* A condition that no other command has told yet, or what goes on (SPC-3, 6.27). */
void vd_mmc_request_sense(struct vd_mmc *m, struct vd_mmc_call *c)
{
	uint32_t code = VD_SENSE_NONE;
	uint8_t sense[VD_MMC_SENSE];

	if (m->ua_reset) {
		m->ua_reset = false;
		code = VD_SENSE_RESET;
	} else if (m->ua_medium) {
		m->ua_medium = false;
		code = VD_SENSE_MEDIUM_CHANGED;
	} else if (!m->medium.present) {
		code = m->tray_open ? VD_SENSE_TRAY_OPEN : VD_SENSE_TRAY_CLOSED;
	} else if (m->audio != VD_AUDIO_NONE) {
		code = m->audio;
		vd_mmc_audio_told(m);
	}
	vd_sense_put(sense, code);
	if (c->cdb[1] & 0x01) {
		const uint8_t descriptors[8] = { 0x72, sense[2], sense[12], sense[13] };

		vd_mmc_data(c, descriptors, sizeof(descriptors), c->cdb[4]);
		return;
	}
	vd_mmc_data(c, sense, sizeof(sense), c->cdb[4]);
}

void vd_mmc_start_stop(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const unsigned int power = c->cdb[4] >> 4;
	const bool load = c->cdb[4] & 0x02, begin = c->cdb[4] & 0x01;

	if (power > 3 || c->cdb[3] & 0x0f) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (power) {
		/* Whatever else is in this byte is of no account then. */
		m->event_power |= m->power != power;
		m->power = (uint8_t)power;
		return;
	}
	if (!begin)
		vd_mmc_audio_stop(m);
	if (!load)
		return;
	if (begin) {
		m->tray_open = false;
		return;
	}
	if (vd_mmc_locked(m)) {
		vd_mmc_fail(c, VD_SENSE_LOCKED);
		return;
	}
	c->r->ejected = m->medium.present;
	open_tray(m);
}

void vd_mmc_prevent(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const bool prevent = c->cdb[4] & 0x01;

	if (c->cdb[4] & 0x02)
		m->persistent_prevent = prevent;
	else
		m->prevent = prevent;
}

/* The event of a class in four bytes. Is there one that was not told? It is now, unless only looked at. */
static bool take_event(struct vd_mmc *m, int class, bool look, uint8_t event[4])
{
	bool *pending = NULL;
	uint8_t code = 0;

	memset(event, 0, 4);
	switch (class) {
	case CLASS_OPERATIONAL:
		event[1] = m->persistent_prevent ? 0x80 : 0;
		if (m->event_operational) {
			pending = &m->event_operational;
			code = 2;     /* has changed: */
			event[3] = 1; /* features */
		}
		break;
	case CLASS_POWER:
		event[1] = m->power;
		if (m->event_power) {
			pending = &m->event_power;
			code = 1;
		}
		break;
	case CLASS_MEDIA:
		event[1] = (uint8_t)(m->medium.present << 1 | m->tray_open);
		if (m->event_removal) {
			pending = &m->event_removal;
			code = MEDIA_REMOVAL;
		} else if (m->event_new_medium) {
			pending = &m->event_new_medium;
			code = MEDIA_NEW;
		} else if (m->event_eject) {
			pending = &m->event_eject;
			code = MEDIA_EJECT_REQUEST;
		}
		break;
	default:
		break;
	}
	event[0] = code;
	if (pending && !look)
		*pending = false;
	return pending;
}

void vd_mmc_events(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const size_t allocation = vd_get_be16(c->cdb + 7);
	const unsigned int asked = c->cdb[4] & CLASSES;
	/* Who takes the header only has seen no event (MMC-6, 6.6). */
	const bool look = allocation <= 4 || c->q->in_cap <= 4;
	uint8_t answer[8] = { 0, 0, NO_EVENT_AVAILABLE, CLASSES };
	int class = 0;

	if (!(c->cdb[1] & 0x01)) {
		vd_mmc_fail(c, VD_SENSE_CDB); /* only by polling */
		return;
	}
	if (!asked) {
		vd_put_be16(answer, 2);
		vd_mmc_data(c, answer, 4, allocation);
		return;
	}
	vd_put_be16(answer, sizeof(answer) - 2);
	for (int i = 0; i < 8; i++)
		if (asked & 1u << i && take_event(m, i, look, answer + 4)) {
			class = i;
			break;
		}
	if (!class) {
		while (!(asked & 1u << class))
			class ++;
		take_event(m, class, true, answer + 4);
	}
	answer[2] = (uint8_t) class;
	vd_mmc_data(c, answer, sizeof(answer), allocation);
}

void vd_mmc_mechanism(struct vd_mmc *m, struct vd_mmc_call *c)
{
	uint32_t at = (uint32_t)vd_mmc_position(m, c->q->now);
	uint8_t state = m->audio != VD_AUDIO_PLAYING ? 0 : m->rate == 1 ? 1 : 2;
	const uint8_t status[8] = { 0, (uint8_t)(state << 5 | m->tray_open << 4),
				    (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at };

	vd_mmc_data(c, status, sizeof(status), vd_get_be16(c->cdb + 8));
}

static void set_speed(struct vd_mmc *m, uint64_t speed)
{
	m->speed = speed < SPEED_MAX ? (uint16_t)speed : SPEED_MAX;
}

/* FFFFh is as fast as possible. */
void vd_mmc_set_speed(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const unsigned int speed = vd_get_be16(c->cdb + 2);

	if (!speed || c->cdb[1] & 0x02) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	set_speed(m, speed);
}

/* Nothing here is as slow as a drive: the speed is kept, for those who ask for it. */
void vd_mmc_set_streaming(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const size_t len = vd_get_be16(c->cdb + 9);
	const uint8_t *list = c->q->out;
	uint32_t size, time;

	if (c->cdb[8]) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!len)
		return;
	if (len < 28 || c->q->out_len < len) {
		vd_mmc_fail(c, VD_SENSE_LIST_LENGTH);
		return;
	}
	if (list[0] & 0x04) {
		set_speed(m, SPEED_MAX);
		return;
	}
	size = vd_get_be32(list + 12);
	time = vd_get_be32(list + 16);
	if (!size || !time) {
		vd_mmc_fail(c, VD_SENSE_LIST);
		return;
	}
	set_speed(m, (uint64_t)size * 1000 / time);
}

/* Nominal performance (MMC-6, 6.7): the same everywhere, and for writing too. */
void vd_mmc_get_performance(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const uint8_t type = c->cdb[10], what = c->cdb[1] & 0x1f;
	const unsigned int max = vd_get_be16(c->cdb + 8);
	const uint32_t from = vd_get_be32(c->cdb + 2);
	uint8_t answer[24] = { 0 };
	size_t len = 8;

	if ((type != 0 && type != 3) || (type == 0 && (what & 0x03) == 3)) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (type == 0 && from >= m->medium.sectors) {
		vd_mmc_fail(c, VD_SENSE_RANGE);
		return;
	}
	if (type == 0) {
		answer[4] = (uint8_t)((what & 0x04) >> 1 | (what & 0x03 ? 1 : 0));
		if (!answer[4] && max) {
			vd_put_be32(answer + 8, from);
			vd_put_be32(answer + 12, m->speed);
			vd_put_be32(answer + 16, m->medium.sectors - 1);
			vd_put_be32(answer + 20, m->speed);
			len = sizeof(answer);
		}
	}
	if (type == 3 && m->medium.writable && max) {
		answer[8] = 0x02; /* the whole medium, at this speed */
		vd_put_be32(answer + 12, m->medium.sectors - 1);
		vd_put_be32(answer + 16, SPEED_MAX);
		vd_put_be32(answer + 20, SPEED_MAX);
		len = sizeof(answer);
	}
	vd_put_be32(answer, (uint32_t)len - 4);
	vd_mmc_data(c, answer, len, 8 + 16 * (size_t)max);
}

void vd_mmc_read_capacity(struct vd_mmc *m, struct vd_mmc_call *c)
{
	uint8_t answer[8];

	if (c->cdb[1] & 0x01 || (!(c->cdb[8] & 0x01) && vd_get_be32(c->cdb + 2))) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	vd_put_be32(answer, m->medium.sectors ? m->medium.sectors - 1 : 0);
	vd_put_be32(answer + 4, VD_SECTOR_USER);
	vd_mmc_data(c, answer, sizeof(answer), sizeof(answer));
}
