/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sectors as they lie on a disc, for tests. Their EDC, ECC and subchannel are filler. */
#ifndef TEST_RAWSECTOR_H
#define TEST_RAWSECTOR_H

#include "disc/disc.h"

enum raw_form {
	RAW_MODE1,
	RAW_MODE2_FORM1,
	RAW_MODE2_FORM2, /* 2324 bytes of filler */
	RAW_MODE0,
};

/* Makes the sector @lba with 2048 bytes of @user in it, if that form has any. @out: vd_layout_size() bytes. */
void raw_sector_make(uint8_t *out, enum vd_sector_layout layout, enum raw_form form, int32_t lba,
		     const uint8_t *user);

#endif
