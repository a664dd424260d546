// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_images: one small image of each kind, in the directory named by the only argument. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "unit/rawsector.h"
#include "util/cleanup.h"

#define SECTORS 18u

int main(int argc, char **argv)
{
	static const struct {
		enum vd_sector_layout layout;
		enum raw_form form;
	} kinds[] = {
		{ VD_LAYOUT_2048, RAW_MODE1 },	     { VD_LAYOUT_2336, RAW_MODE2_FORM1 },
		{ VD_LAYOUT_2352, RAW_MODE1 },	     { VD_LAYOUT_2352, RAW_MODE2_FORM1 },
		{ VD_LAYOUT_2448, RAW_MODE2_FORM1 },
	};
	static uint8_t user[2048], sector[2448];

	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t k = 0; k < VD_ARRAY_SIZE(kinds); k++) {
		char name[16];
		FILE *f;

		snprintf(name, sizeof(name), "kind%zu", k);
		f = seed_open(argv[1], name);
		if (!f)
			return EXIT_FAILURE;
		for (uint32_t i = 0; i < SECTORS; i++) {
			memset(user, 0, sizeof(user));
			if (i == 16)
				memcpy(user, "\1CD001\1", 7);
			raw_sector_make(sector, kinds[k].layout, kinds[k].form, (int32_t)i, user);
			fwrite(sector, vd_layout_size(kinds[k].layout), 1, f);
		}
		if (seed_close(f))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
