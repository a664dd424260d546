// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Mode pages (SPC-3, 7.4; MMC-6, 7). The pages of the table lie in the drive one after the other, as a host sees them; page 2Ah is
 * made anew each time, since it shows what the drive is doing.
 */
#include <string.h>

#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define PAGE_MAX 32u
#define CAPABILITIES 0x2a
#define ALL_PAGES 0x3f

enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };

/* What a page is at first, and which of its bits a host may change. */
static const struct page {
	uint8_t len; /* with its two bytes of header */
	uint8_t defaults[16], changeable[16];
} pages[] = {
	/* Read/write error recovery */
	{ 12, { 0x01, 10, 0x00, 0x01 }, { 0x01, 10, 0xff, 0xff } },
	/* CD device parameters: 60 seconds in a minute, 75 frames in a second */
	{ 8, { 0x0d, 6, 0, 0x0d, 0, 60, 0, 75 }, { 0x0d, 6, 0, 0x0f } },
	/* CD audio control: left to port 0, right to port 1 */
	{ 16,
	  { 0x0e, 14, 0x04, 0, 0, 0, 0, 75, 0x01, 0xff, 0x02, 0xff },
	  { 0x0e, 14, 0x02, 0, 0, 0, 0, 0, 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff, 0x0f, 0xff } },
	/* Power condition */
	{ 12, { 0x1a, 10 }, { 0x1a, 10 } },
	/* Informational exceptions control */
	{ 12, { 0x1c, 10 }, { 0x1c, 10 } },
	/* Timeout and protect */
	{ 10, { 0x1d, 8 }, { 0x1d, 8 } },
};

void vd_mmc_mode_init(struct vd_mmc *m)
{
	uint8_t *p = m->mode;

	for (size_t i = 0; i < VD_ARRAY_SIZE(pages); p += pages[i].len, i++)
		memcpy(p, pages[i].defaults, pages[i].len);
}

const uint8_t *vd_mmc_mode_page(const struct vd_mmc *m, uint8_t code)
{
	const uint8_t *p = m->mode;

	for (size_t i = 0; pages[i].defaults[0] != code; i++)
		p += pages[i].len;
	return p;
}

static size_t capabilities(const struct vd_mmc *m, int control, uint8_t p[PAGE_MAX])
{
	const bool locked = m->prevent || m->persistent_prevent;

	memset(p, 0, PAGE_MAX);
	p[0] = CAPABILITIES;
	p[1] = PAGE_MAX - 2;
	if (control == CHANGEABLE)
		return PAGE_MAX;
	p[2] = 0x3f; /* reads CD-R, CD-RW, fixed packets, DVD-ROM, DVD-R, DVD-RAM */
	p[3] = 0x20; /* writes DVD-RAM: what Linux asks for, once, before it writes to any disc */
	p[4] = 0x71; /* plays audio, mode 2 Form 1 and 2, several sessions */
	p[5] = 0x7f; /* READ CD of sound, exact; R-W, corrected too; C2; ISRC; UPC */
	p[6] = (uint8_t)(0x29 | locked << 1); /* a tray that is locked and ejected */
	p[7] = 0x23;			      /* volume of each channel; R-W of the lead-in */
	vd_put_be16(p + 8, 8467);
	vd_put_be16(p + 10, 256); /* volume levels */
	vd_put_be16(p + 12, 512); /* buffer, KiB */
	vd_put_be16(p + 14, m->speed);
	return PAGE_MAX;
}

/* Appends the pages that are asked for; returns where they end, NULL when there is no such page. */
static uint8_t *put_pages(const struct vd_mmc *m, int code, int control, uint8_t *to)
{
	const uint8_t *current = m->mode, *begin = to;

	for (size_t i = 0; i < VD_ARRAY_SIZE(pages); current += pages[i].len, i++) {
		const struct page *p = &pages[i];

		if (code != ALL_PAGES && code != p->defaults[0])
			continue;
		memcpy(to,
		       control == CURRENT      ? current
		       : control == CHANGEABLE ? p->changeable
					       : p->defaults,
		       p->len);
		to += p->len;
	}
	if (code == ALL_PAGES || code == CAPABILITIES)
		to += capabilities(m, control, to);
	return to == begin ? NULL : to;
}

void vd_mmc_mode_sense(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const bool six = c->cdb[0] == 0x1a;
	const size_t head = six ? 4 : 8;
	const size_t allocation = six ? c->cdb[4] : vd_get_be16(c->cdb + 7);
	const int control = c->cdb[2] >> 6, code = c->cdb[2] & 0x3f;
	uint8_t answer[8 + VD_MMC_MODE_BYTES + PAGE_MAX] = { 0 }, *end;

	if (control == SAVED) {
		vd_mmc_fail(c, VD_SENSE_SAVING);
		return;
	}
	/* There are no subpages; all of all pages are these. */
	if (c->cdb[3] && !(code == ALL_PAGES && c->cdb[3] == 0xff)) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	end = put_pages(m, code, control, answer + head);
	if (!end) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (six)
		answer[0] = (uint8_t)(end - answer - 1);
	else
		vd_put_be16(answer, (uint16_t)(end - answer - 2));
	vd_mmc_data(c, answer, (size_t)(end - answer), allocation);
}

/* Puts one page of a list into @mode: its length, 0 with *sense when it is wrong. */
static size_t select_page(uint8_t *mode, const uint8_t *list, size_t len, uint32_t *sense)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(pages); mode += pages[i].len, i++) {
		const struct page *p = &pages[i];

		if ((list[0] & 0x7f) != p->defaults[0])
			continue;
		*sense = VD_SENSE_LIST;
		if (len >= 2 && list[1] != p->len - 2)
			return 0;
		if (len < p->len) {
			*sense = VD_SENSE_LIST_LENGTH;
			return 0;
		}
		for (size_t k = 2; k < p->len; k++)
			if ((list[k] ^ mode[k]) & ~p->changeable[k])
				return 0;
		memcpy(mode + 2, list + 2, p->len - 2u);
		return p->len;
	}
	*sense = VD_SENSE_LIST;
	return 0;
}

/* All of the list or, when anything in it is wrong, nothing. */
static uint32_t select_list(struct vd_mmc *m, const uint8_t *list, size_t len, bool six)
{
	const size_t head = six ? 4 : 8;
	uint8_t mode[VD_MMC_MODE_BYTES];
	size_t descriptors;
	uint32_t sense;

	if (len < head)
		return VD_SENSE_LIST_LENGTH;
	descriptors = six ? list[3] : vd_get_be16(list + 6);
	if (descriptors && descriptors != 8)
		return VD_SENSE_LIST;
	if (len < head + descriptors)
		return VD_SENSE_LIST_LENGTH;
	/* Blocks have 2048 bytes, whatever the density code; 0 leaves them as they are. */
	if (descriptors) {
		uint32_t size = vd_get_be32(list + head + 4) & 0xffffff;

		if (size && size != VD_SECTOR_USER)
			return VD_SENSE_LIST;
	}
	list += head + descriptors;
	len -= head + descriptors;
	memcpy(mode, m->mode, sizeof(mode));
	while (len) {
		size_t n = select_page(mode, list, len, &sense);

		if (!n)
			return sense;
		list += n;
		len -= n;
	}
	memcpy(m->mode, mode, sizeof(mode));
	return 0;
}

void vd_mmc_mode_select(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const bool six = c->cdb[0] == 0x15;
	const size_t len = six ? c->cdb[4] : vd_get_be16(c->cdb + 7);
	uint32_t sense;

	if (c->cdb[1] & 0x01 || !(c->cdb[1] & 0x10)) {
		vd_mmc_fail(c,
			    VD_SENSE_CDB); /* nothing can be saved; pages are as in the standard */
		return;
	}
	if (!len)
		return;
	sense = c->q->out_len < len ? VD_SENSE_LIST_LENGTH : select_list(m, c->q->out, len, six);
	if (sense)
		vd_mmc_fail(c, sense);
}
