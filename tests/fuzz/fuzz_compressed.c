// SPDX-License-Identifier: GPL-3.0-or-later
/* Any file as compressed data: words, or bytes that are the same in order and from anywhere, as far as they can be read. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images/compressed.h"
#include "fuzz.h"

#define WHOLE (8u << 20)
#define PART 5000u

static void read_twice(struct vd_store *s)
{
	size_t len = s->size < WHOLE ? (size_t)s->size : WHOLE, n = len < PART ? len : PART;
	uint8_t *whole = malloc(len), *part = malloc(PART);

	require(whole && part);
	if (!vd_store_pread(s, whole, len, 0)) {
		for (size_t i = 0; i < 8; i++) {
			size_t off = (len - n) / 7 * (7 - i);

			require(!vd_store_pread(s, part, n, off));
			require(!memcmp(part, whole + off, n));
		}
	}
	free(whole);
	free(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_error err = { "" };
	struct vd_store *inner, *s = NULL;
	int fd = memory_file(data, size, (off_t)size);

	require(!vd_store_file_open(fd, true, &inner, &err));
	if (vd_compressed_open(inner, "a", &s, &err)) {
		require(!s && err.text[0]);
		return 0;
	}
	require(s->size > 0);
	read_twice(s);
	vd_store_close(s);
	return 0;
}
