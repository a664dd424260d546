// SPDX-License-Identifier: GPL-3.0-or-later
/* Writes the images that fuzz_iso9660 starts from into the directory named by the only argument. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "seeds.h"
#include "unit/isobuild.h"

static void fill(struct isob *b)
{
	static uint8_t data[40000];
	struct isob_node *d = isob_dir(b, NULL, "dir"), *n, *up;
	char name[201];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i >> 9);
	isob_file(b, NULL, "hello.txt", "hello", 5);
	isob_file(b, d, "a", data, 3000);
	isob_file(b, d, "sections", data, 6000)->section = 2048;
	isob_link(b, d, "link", "../a/./b");
	isob_device(b, d, "null", S_IFCHR | 0666, 1, 3);
	if (b->rock) {
		isob_file(b, NULL, "packed1", data, sizeof(data))->zisofs = 1;
		isob_file(b, NULL, "packed2", data, sizeof(data))->zisofs = 2;
		memset(name, 'n', 200);
		name[200] = '\0';
		isob_file(b, d, name, data, 1);
		up = isob_dir(b, NULL, "rr_moved");
		n = isob_dir(b, up, "moved");
		n->is_relocated = true;
		isob_file(b, d, "moved", "", 0)->relocated = n;
	}
	isob_file(b, NULL, "hidden", "x", 1)->flags = 1;
	isob_file(b, NULL, "associated", "x", 1)->flags = 4;
}

static int write_seed(const char *dir, int number)
{
	struct isob *b = isob_new();
	char name[16];
	FILE *f;

	b->rock = number & 1;
	b->joliet = number & 2;
	b->xa = number & 4;
	b->long_times = number & 4;
	b->boot = number & 8;
	b->block = number & 8 ? 512 : 2048;
	fill(b);
	isob_finish(b);
	snprintf(name, sizeof(name), "seed%d", number);
	f = seed_open(dir, name);
	if (f) {
		fwrite("\0\0", 1, 2, f);
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
