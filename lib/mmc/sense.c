// SPDX-License-Identifier: GPL-3.0-or-later
/* Replies: sense in fixed format, and data within all its limits. */
#include <errno.h>
#include <string.h>

#include "mmc/internal.h"
#include "util/endian.h"

#define AT_INFORMATION 3
#define VALID 0x80
#define ILI 0x20

void vd_sense_put(uint8_t sense[VD_MMC_SENSE], uint32_t code)
{
	memset(sense, 0, VD_MMC_SENSE);
	sense[0] = 0x70; /* current, fixed */
	sense[2] = (uint8_t)(code >> 16);
	sense[7] = VD_MMC_SENSE - 8;
	sense[12] = (uint8_t)(code >> 8);
	sense[13] = (uint8_t)code;
}

void vd_mmc_fail(struct vd_mmc_call *c, uint32_t code)
{
	memset(c->r, 0, sizeof(*c->r));
	c->r->status = VD_MMC_CHECK_CONDITION;
	vd_sense_put(c->r->sense, code);
}

void vd_mmc_refuse(struct vd_mmc_reply *r, uint32_t sense)
{
	struct vd_mmc_call c = { .r = r };

	vd_mmc_fail(&c, sense);
}

void vd_mmc_fail_at(struct vd_mmc_call *c, uint32_t code, int32_t lba, bool ili)
{
	vd_mmc_fail(c, code);
	c->r->sense[0] |= VALID;
	c->r->sense[2] |= ili ? ILI : 0;
	vd_put_be32(c->r->sense + AT_INFORMATION, (uint32_t)lba);
}

void vd_mmc_fail_errno(struct vd_mmc_call *c, int code, int32_t lba)
{
	switch (code) {
	case -ENOMEM:
		vd_mmc_fail(c, VD_SENSE_INTERNAL);
		return;
	case -ERANGE:
		vd_mmc_fail(c, VD_SENSE_RANGE);
		return;
	case -EOPNOTSUPP:
		vd_mmc_fail(c, VD_SENSE_FORMAT);
		return;
	case -EMEDIUMTYPE:
		vd_mmc_fail_at(c, VD_SENSE_TRACK_MODE, lba, false);
		return;
	default:
		vd_mmc_fail_at(c, VD_SENSE_READ_ERROR, lba, false);
	}
}

void vd_mmc_data(struct vd_mmc_call *c, const void *data, size_t len, size_t allocation)
{
	if (len > allocation)
		len = allocation;
	if (len > c->q->in_cap)
		len = c->q->in_cap;
	if (len)
		memcpy(c->q->in, data, len);
	c->r->len = len;
}
