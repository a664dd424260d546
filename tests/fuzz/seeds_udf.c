// SPDX-License-Identifier: GPL-3.0-or-later
/* Writes the images that fuzz_udf starts from into the directory named by the only argument. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "unit/udfbuild.h"
#include "util/endian.h"

#define PIECE 512u

static void fill(struct udfb *b, int number)
{
	static uint8_t data[6000];
	struct udfb_node *d = udfb_dir(b, NULL, "dir"), *n;

	memset(data, 'x', 4096);
	n = udfb_file(b, d, "file", data, sizeof(data));
	n->ad = number & 1 ? UDFB_LONG : UDFB_EXTENDED;
	n->piece = 1;
	n->ads = 2;
	udfb_file(b, d, "embedded", "x", 1)->ad = UDFB_EMBEDDED;
	udfb_link(b, d, "link", "/a/../b")->ad = UDFB_EMBEDDED;
	n = udfb_file(b, d, "device", "", 0);
	n->type = 6;
	n->ea_outside = number & 2;
	udfb_file(b, NULL, "hidden", "", 0)->flags = 1;
	n = udfb_file(b, NULL, "versions", "x", 1);
	n->strategy4096 = true;
	n->ad = UDFB_EMBEDDED;
	if (b->extended)
		udfb_stream(b, d, "stream", "y", 1);
}

static bool has_bytes(const uint8_t *p)
{
	for (size_t i = 0; i < PIECE; i++)
		if (p[i])
			return true;
	return false;
}

static int write_seed(const char *dir, int number)
{
	const uint8_t options[4] = { (uint8_t)(number & 3), 0, number % 5 != 0, 0 };
	struct udfb *b = udfb_new();
	char name[16];
	FILE *f;

	b->kind = (enum udfb_kind)(number % 5);
	b->block = number < 5 ? 2048 : number < 10 ? 512 : 1024;
	b->extended = number & 1;
	b->sessions = number & 2;
	b->duplicated = number & 2;
	fill(b, number);
	udfb_finish(b);
	snprintf(name, sizeof(name), "seed%d", number);
	f = seed_open(dir, name);
	if (f)
		fwrite(options, 1, sizeof(options), f);
	for (size_t i = 0; f && i < b->size / PIECE; i++) {
		uint8_t record[2];

		if (!has_bytes(b->image + i * PIECE))
			continue;
		vd_put_le16(record, (uint16_t)i);
		fwrite(record, 1, 2, f);
		fwrite(b->image + i * PIECE, 1, PIECE, f);
	}
	udfb_free(b);
	return f ? seed_close(f) : -1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < 15; i++)
		if (write_seed(argv[1], i))
			return 1;
	return 0;
}
