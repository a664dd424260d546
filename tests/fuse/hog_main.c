// SPDX-License-Identifier: GPL-3.0-or-later
/* hog MIB LIMIT_MIB: the hog of hog.h as a program, for tests/demo.sh and tests/bench. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hog.h"

#define ROUNDS 2
#define PATIENCE_S 300

int main(int argc, char **argv)
{
	unsigned long mib = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long limit = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct hog h;
	int r, end;

	if (!mib || !limit) {
		fputs("usage: hog MIB LIMIT_MIB\n", stderr);
		return 2;
	}
	r = hog_start(&h, mib << 20, (uint64_t)limit << 20, PATIENCE_S);
	if (!r)
		printf("%lu MiB of real pages in a memory cgroup of %lu MiB\n", mib, limit);
	fflush(stdout); /* whoever waits for the swapping to be done reads this */
	for (int i = 0; !r && i < ROUNDS; i++)
		r = hog_check(&h, PATIENCE_S);
	end = hog_end(&h);
	if (r || end) {
		fprintf(stderr, "hog: %s\n", strerror(-(r ? r : end)));
		return 1;
	}
	printf("all read back %d times: every byte is what was written\n", ROUNDS);
	return 0;
}
