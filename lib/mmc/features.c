// SPDX-License-Identifier: GPL-3.0-or-later
/* GET CONFIGURATION: profiles and features (MMC-6, 5 and 6.5). */
#include <string.h>

#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define FEATURES_MAX 512u
#define PERSISTENT 0x02

/* With which medium a feature is current. */
enum when {
	ALWAYS,
	MEDIUM,
	CD,
	CD_AUDIO,
	DVD,
	DVD_PLUS_RW,
	DVD_PLUS_R,
	DVD_PLUS_R_DL,
	BD,
	WRITABLE,
	WRITABLE_RAM, /* and replaces bad sectors by itself */
	WRITABLE_BD,
};

/* The profiles, the most capable ones first (MMC-6, 5.3.1). */
static const uint8_t profiles[] = {
	VD_MEDIA_BD_RE,	     VD_MEDIA_BD_R,	   VD_MEDIA_BD_ROM,   VD_MEDIA_DVD_PLUS_R_DL,
	VD_MEDIA_DVD_PLUS_R, VD_MEDIA_DVD_PLUS_RW, VD_MEDIA_DVD_R_DL, VD_MEDIA_DVD_RW,
	VD_MEDIA_DVD_RAM,    VD_MEDIA_DVD_R,	   VD_MEDIA_DVD_ROM,  VD_MEDIA_CD_RW,
	VD_MEDIA_CD_R,	     VD_MEDIA_CD_ROM,
};

/* By number. Those of 0000h, 0010h and 0108h depend on the drive and its medium. */
static const struct feature {
	uint16_t code;
	uint8_t version;
	enum when when;
	uint8_t len;
	uint8_t data[28];
} features[] = {
	{ 0x0000, 0, ALWAYS, sizeof(profiles) * 4, { 0 } },	 /* profile list */
	{ 0x0001, 2, ALWAYS, 8, { 0, 0, 0, 1, 0x01 } },		 /* core: SCSI; DBE */
	{ 0x0002, 1, ALWAYS, 4, { 0x02 } },			 /* morphing: OCEvent */
	{ 0x0003, 2, ALWAYS, 4, { 0x39 } },			 /* tray: load, eject, lock */
	{ 0x0010, 0, MEDIUM, 8, { 0, 0, 0x08, 0, 0, 1, 0x01 } }, /* random readable */
	{ 0x001d, 0, CD, 0, { 0 } },				 /* multi-read */
	{ 0x001e, 2, CD, 4, { 0x83 } },				 /* CD read: DAP, C2, CD-TEXT */
	{ 0x001f, 2, DVD, 4, { 0x01, 0, 0x03 } },		 /* DVD read: dual layer too */
	{ 0x0020,
	  1,
	  WRITABLE,
	  12,
	  { 0, 0, 0, 0, 0, 0, 0x08, 0, 0, 1, 0x01 } }, /* random writable */
	{ 0x0023, 1, WRITABLE, 8, { 0 } },	       /* formattable */
	{ 0x0024, 1, WRITABLE_RAM, 4, { 0 } },	       /* hardware defect management */
	{ 0x002a, 0, DVD_PLUS_RW, 4, { 0 } },	       /* DVD+RW */
	{ 0x002b, 0, DVD_PLUS_R, 4, { 0 } },
	{ 0x003b, 0, DVD_PLUS_R_DL, 4, { 0 } },
	/* BD read: versions 0 to 2 of each class of RE, R, ROM */
	{ 0x0040, 0, BD, 28, { 0, 0, 0, 0, 0, 7, 0, 7, 0, 7, 0, 7, 0, 7,
			       0, 7, 0, 7, 0, 7, 0, 7, 0, 7, 0, 7, 0, 7 } },
	/* BD write: as read */
	{ 0x0041, 0, WRITABLE_BD, 20, { 0, 0, 0, 0, 0, 7, 0, 7, 0, 7, 0, 7 } },
	{ 0x0100, 0, ALWAYS, 0, { 0 } },		     /* power management */
	{ 0x0103, 0, CD_AUDIO, 4, { 0x07, 0, 0x01, 0x00 } }, /* plays: scan, mute, 256 levels */
	{ 0x0105, 0, ALWAYS, 0, { 0 } },		     /* timeout */
	{ 0x0107, 4, MEDIUM, 4, { 0x08 } },		     /* real time streaming: SET CD SPEED */
	{ 0x0108, 0, ALWAYS, 0, { 0 } },		     /* serial number */
};

static bool is_current(const struct vd_mmc_medium *medium, enum when when)
{
	const enum vd_media p = medium->profile;

	if (when == ALWAYS)
		return true;
	if (!medium->present)
		return false;
	switch (when) {
	case CD:
		return vd_media_is_cd(p);
	case CD_AUDIO:
		return vd_media_is_cd(p) && medium->audio;
	case DVD:
		return p >= VD_MEDIA_DVD_ROM && p < VD_MEDIA_BD_ROM;
	case DVD_PLUS_RW:
		return p == VD_MEDIA_DVD_PLUS_RW;
	case DVD_PLUS_R:
		return p == VD_MEDIA_DVD_PLUS_R;
	case DVD_PLUS_R_DL:
		return p == VD_MEDIA_DVD_PLUS_R_DL;
	case BD:
		return p >= VD_MEDIA_BD_ROM;
	case WRITABLE:
		return medium->writable;
	case WRITABLE_RAM:
		return medium->writable && (p == VD_MEDIA_DVD_RAM || p == VD_MEDIA_BD_RE);
	case WRITABLE_BD:
		return medium->writable && p == VD_MEDIA_BD_RE;
	default:
		return true;
	}
}

/* Sectors of an ECC block, which is what is read at a time. */
static uint8_t blocking(enum vd_media p)
{
	return p >= VD_MEDIA_BD_ROM ? 32 : p >= VD_MEDIA_DVD_ROM ? 16 : 1;
}

static size_t put_feature(const struct vd_mmc *m, const struct feature *f, bool current, uint8_t *p)
{
	uint8_t len = f->len;

	vd_put_be16(p, f->code);
	p[2] = (uint8_t)(f->version << 2 | (f->when == ALWAYS ? PERSISTENT : 0) | current);
	memcpy(p + 4, f->data, f->code ? f->len : 0);
	switch (f->code) {
	case 0x0000:
		for (size_t i = 0; i < sizeof(profiles); i++) {
			vd_put_be16(p + 4 + 4 * i, profiles[i]);
			p[6 + 4 * i] = m->medium.present && profiles[i] == m->medium.profile;
			p[7 + 4 * i] = 0;
		}
		break;
	case 0x0010:
		if (m->medium.present)
			p[9] = blocking(m->medium.profile);
		break;
	case 0x0020:
		if (current) {
			vd_put_be32(p + 4, m->medium.sectors - 1);
			p[13] = blocking(m->medium.profile);
		}
		break;
	case 0x002a:
		p[4] = m->medium.present && m->medium.writable;
		break;
	case 0x0107: /* real time streaming: speeds of writing can be asked for */
		p[4] |= m->medium.present && m->medium.writable ? 0x02 : 0;
		break;
	case 0x0108:
		/* In whole words: blanks fill the last one. */
		len = (uint8_t)((strlen(m->name) + 3) & ~3u);
		memset(p + 4, ' ', len);
		memcpy(p + 4, m->name, strlen(m->name));
		break;
	default:
		break;
	}
	p[3] = len;
	return 4u + len;
}

void vd_mmc_get_configuration(struct vd_mmc *m, struct vd_mmc_call *c)
{
	enum { ALL, ONLY_CURRENT, ONE };
	const unsigned int which = c->cdb[1] & 0x03, from = vd_get_be16(c->cdb + 2);
	uint8_t answer[FEATURES_MAX] = { 0 };
	size_t len = 8;

	if (which > ONE) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		bool current = is_current(&m->medium, f->when);

		if (f->code < from || (which == ONE && f->code != from) ||
		    (which == ONLY_CURRENT && !current))
			continue;
		len += put_feature(m, f, current, answer + len);
	}
	vd_put_be32(answer, (uint32_t)len - 4);
	vd_put_be16(answer + 6, m->medium.present ? (uint16_t)m->medium.profile : 0);
	vd_mmc_data(c, answer, len, vd_get_be16(c->cdb + 7));
}
