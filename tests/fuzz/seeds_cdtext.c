// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_cdtext: packs of one language, of three, and of two bytes a character, in the directory named. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disc/cdtext.h"
#include "seeds.h"
#include "util/cleanup.h"

static int write_seed(const char *dir, const char *name, const struct vd_cdtext *t)
{
	_cleanup_free_ uint8_t *packs = NULL;
	size_t n;
	FILE *f;

	if (vd_cdtext_encode(t, &packs, &n, NULL))
		return -1;
	f = seed_open(dir, name);
	if (!f)
		return -1;
	fputc(0, f);
	fwrite(packs, VD_CDTEXT_PACK, n, f);
	return seed_close(f);
}

static int add(struct vd_cdtext *t, int block, const char *text, size_t len)
{
	static const enum vd_cdtext_type types[] = { VD_CDTEXT_TITLE, VD_CDTEXT_PERFORMER,
						     VD_CDTEXT_UPC_ISRC };
	int r = vd_cdtext_set(t, block, VD_CDTEXT_GENRE, 0, "genre", 5);

	for (int track = 0; track < 5; track++)
		for (size_t i = 0; i < VD_ARRAY_SIZE(types); i++)
			r = r ? r : vd_cdtext_set(t, block, types[i], track, text, len);
	return r ? r : vd_cdtext_set(t, block, VD_CDTEXT_TOC, 0, text, len);
}

int main(int argc, char **argv)
{
	struct vd_cdtext *t = NULL;
	int r = argc == 2 ? vd_cdtext_new(&t) : -1;

	r = r ? r : add(t, 0, "a title of a track", 18);
	r = r ? r : write_seed(argv[1], "one", t);
	r = r ? r : add(t, 1, "ein Titel", 9);
	r = r ? r : add(t, 7, "x", 1);
	r = r ? r : write_seed(argv[1], "three", t);
	if (!r)
		t->block[0]->charset = VD_CDTEXT_MSJIS;
	r = r ? r : write_seed(argv[1], "double", t);
	vd_cdtext_free(t);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
