// SPDX-License-Identifier: GPL-3.0-or-later
#include "rawsector.h"

#include <string.h>

static uint8_t bcd(int32_t n)
{
	return (uint8_t)(n / 10 << 4 | n % 10);
}

void raw_sector_make(uint8_t *out, enum vd_sector_layout layout, enum raw_form form, int32_t lba,
		     const uint8_t *user)
{
	static const uint8_t modes[] = { 1, 2, 2, 0 };
	int32_t frames = lba + 150;
	uint8_t *body = out;

	if (layout == VD_LAYOUT_2048) {
		memcpy(out, user, 2048);
		return;
	}
	/* Filler that is neither zeros nor user data: whoever takes a wrong byte is seen. */
	memset(out, 0xcc, vd_layout_size(layout));
	if (layout != VD_LAYOUT_2336) {
		memset(out, 0xff, 12);
		out[0] = out[11] = 0;
		out[12] = bcd(frames / (75 * 60));
		out[13] = bcd(frames / 75 % 60);
		out[14] = bcd(frames % 75);
		out[15] = modes[form];
		body = out + 16;
	}
	switch (form) {
	case RAW_MODE1:
		memcpy(body, user, 2048);
		break;
	case RAW_MODE2_FORM1:
	case RAW_MODE2_FORM2:
		/* File, channel, submode (data, or Form 2 with real-time), coding: twice. */
		memset(body, 0, 8);
		body[2] = body[6] = form == RAW_MODE2_FORM1 ? 0x08 : 0x64;
		if (form == RAW_MODE2_FORM1)
			memcpy(body + 8, user, 2048);
		break;
	case RAW_MODE0:
		break;
	}
}
