// SPDX-License-Identifier: GPL-3.0-or-later
/* Who the drive is (SPC-3, 6.4 and 7.6). */
#include <stdio.h>
#include <string.h>

#include "mmc/internal.h"
#include "util/endian.h"
#include "util/sha1.h"

#define TYPE_OPTICAL 0x05
#define VENDOR "vdrive  "
#define PRODUCT "optical drive   "
#define REVISION "1.0 "

static void standard(struct vd_mmc_call *c, size_t allocation)
{
	uint8_t answer[36] = { TYPE_OPTICAL, 0x80, 0x05, 0x02, sizeof(answer) - 5, 0, 0, 0x02 };

	memcpy(answer + 8, VENDOR, 8);
	memcpy(answer + 16, PRODUCT, 16);
	memcpy(answer + 32, REVISION, 4);
	vd_mmc_data(c, answer, sizeof(answer), allocation);
}

/* The name after the vendor's; and a number made of both, locally assigned (NAA 3h). */
static size_t identification(const struct vd_mmc *m, uint8_t *p)
{
	const size_t name = strlen(m->name);
	char text[8 + VD_MMC_NAME_MAX + 1];
	uint8_t hash[VD_SHA1_SIZE];

	snprintf(text, sizeof(text), VENDOR "%s", m->name);
	p[0] = 0x02; /* ASCII */
	p[1] = 0x01; /* T10 vendor identification */
	p[3] = (uint8_t)(8 + name);
	memcpy(p + 4, text, 8 + name);
	p += 12 + name;
	vd_sha1(text, 8 + name, hash);
	p[0] = 0x01; /* binary */
	p[1] = 0x03; /* NAA */
	p[3] = 8;
	memcpy(p + 4, hash, 8);
	p[4] = (uint8_t)(0x30 | (hash[0] & 0x0f));
	return 12 + name + 12;
}

void vd_mmc_inquiry(struct vd_mmc *m, struct vd_mmc_call *c)
{
	static const uint8_t pages[] = { 0x00, 0x80, 0x83 };
	const size_t allocation = vd_get_be16(c->cdb + 3);
	uint8_t answer[4 + 12 + VD_MMC_NAME_MAX + 12] = { TYPE_OPTICAL, c->cdb[2] };
	size_t len;

	if (c->cdb[1] & 0x02 || (!(c->cdb[1] & 0x01) && c->cdb[2])) {
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!(c->cdb[1] & 0x01)) {
		standard(c, allocation);
		return;
	}
	switch (c->cdb[2]) {
	case 0x00:
		len = sizeof(pages);
		memcpy(answer + 4, pages, len);
		break;
	case 0x80:
		len = strlen(m->name);
		memcpy(answer + 4, m->name, len);
		break;
	case 0x83:
		len = identification(m, answer + 4);
		break;
	default:
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	vd_put_be16(answer + 2, (uint16_t)len);
	vd_mmc_data(c, answer, 4 + len, allocation);
}

/* There is LUN 0, and no well known one. */
void vd_mmc_report_luns(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const uint8_t select = c->cdb[2];
	uint8_t answer[16] = { 0, 0, 0, select == 1 ? 0 : 8 };

	(void)m;
	if (select > 2)
		vd_mmc_fail(c, VD_SENSE_CDB);
	else
		vd_mmc_data(c, answer, select == 1 ? 8 : 16, vd_get_be32(c->cdb + 6));
}
