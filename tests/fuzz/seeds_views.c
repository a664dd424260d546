// SPDX-License-Identifier: GPL-3.0-or-later
/* Writes the discs that fuzz_views starts from into the directory named by the only argument. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "seeds.h"
#include "unit/isobuild.h"

static int write_seed(const char *dir, int number)
{
	static uint8_t film[20000];
	uint8_t head[65] = { (uint8_t)number };
	struct isob *b = isob_new();
	char name[16];
	FILE *f;

	memset(film, 'f', sizeof(film));
	b->xa = true;
	b->rock = number & 1;
	isob_file(b, NULL, "hello.txt", "hello", 5)->xa = 0x0800;
	isob_file(b, NULL, "film.dat", film, sizeof(film))->xa = 0x1000;
	isob_file(b, NULL, "mixed.dat", film, 5000)->xa = 0x2000;
	isob_finish(b);
	/* What is behind the directories. */
	memset(head + 4, number & 8 ? 0xff : 0xa5, sizeof(head) - 4);
	snprintf(name, sizeof(name), "seed%d", number);
	f = seed_open(dir, name);
	if (f) {
		fwrite(head, 1, sizeof(head), f);
		fwrite(b->image + b->pvd, 1, b->size - b->pvd, f);
	}
	isob_free(b);
	return f ? seed_close(f) : -1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < 16; i++)
		if (write_seed(argv[1], i))
			return 1;
	return 0;
}
