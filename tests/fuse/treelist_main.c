// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * treelist DIR: prints the tree below DIR (see treelist.h).
 * treelist -: prints one line, the size and the DIGEST of standard input.
 *
 * A program of its own so that a tree can be read as another user.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "treelist.h"

static int digest_stdin(void)
{
	static struct tree_digest d;
	static char buf[1 << 20];
	char text[TREE_DIGEST_MAX];
	ssize_t n;

	tree_digest_init(&d);
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		tree_digest_add(&d, buf, (size_t)n);
	if (n < 0)
		return -errno;
	tree_digest_end(&d, text);
	printf("%llu %s\n", (unsigned long long)d.size, text);
	return fflush(stdout) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct tree tree = { 0 };
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: treelist DIR | -\n");
		return 2;
	}
	if (!strcmp(argv[1], "-")) {
		r = digest_stdin();
	} else {
		r = tree_walk(&tree, argv[1]);
		if (!r)
			r = tree_write(&tree, stdout);
		tree_free(&tree);
	}
	if (r)
		fprintf(stderr, "treelist: %s: %s\n", argv[1], strerror(-r));
	return r ? 1 : 0;
}
