// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any file as one that has an image inside, of the wrapping FUZZ_WRAPPING, called FUZZ_SUFFIX, with the same bytes again as any file beside it. Either words, or
 * bytes that are the same in order and from anywhere, as far as they can be read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "images/wrapped.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "fuzz.h"

#define WHOLE (4u << 20)
#define PART 5000u

struct memory_opener {
	struct vd_opener opener;
	const uint8_t *data;
	size_t size;
};

/* Part 9 and those behind it are missing. */
static int open_again(struct vd_opener *o, const char *name, struct vd_error *err)
{
	const struct memory_opener *m = (const struct memory_opener *)o;

	return strchr(name, '9') ? vd_error_set(err, -ENOENT, "%s", name)
				 : memory_file(m->data, m->size, (off_t)m->size);
}

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
	/* The end may be anywhere. */
	(void)vd_store_pread(s, part, n, s->size - n);
	free(whole);
	free(part);
}

/* The same bytes with the checksum of a DAA's header made right: nothing behind it would be reached else. */
static uint8_t *with_checksum(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	require(copy != NULL);
	memcpy(copy, data, size);
	if (size >= 76 && !memcmp(copy, "DAA", 4))
		vd_put_le32(copy + 72, (uint32_t)crc32(0, copy, 72));
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	_cleanup_free_ uint8_t *data = with_checksum(input, size);
	struct memory_opener o = { .opener = { .open = open_again }, .data = data, .size = size };
	const size_t tail = size < VD_IMAGE_TAIL ? size : VD_IMAGE_TAIL;
	const struct vd_image_head h = {
		.data = data,
		.len = size < VD_IMAGE_HEAD ? size : VD_IMAGE_HEAD,
		.size = size,
		.name = "a.part01." FUZZ_SUFFIX,
		.tail = data + size - tail,
		.tail_len = tail,
	};
	struct vd_error err = { "" };
	struct vd_store *file, *s = NULL;

	if (!size || !FUZZ_WRAPPING.probe(&h))
		return 0;
	require(!vd_store_file_open(memory_file(data, size, (off_t)size), true, &file, &err));
	if (FUZZ_WRAPPING.open(&o.opener, file, &h, &s, &err)) {
		require(!s && err.text[0]);
		return 0;
	}
	require(s->size > 0);
	read_twice(s);
	vd_store_close(s);
	return 0;
}
