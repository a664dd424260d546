// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Any bytes as a sound file. What is opened is read from here and there: a read may fail, but one that succeeds twice gives the
 * same bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images/audio.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libvorbis 1.3.7 loses what it has read of a stream whose headers end too soon. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libvorbis.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t a[5000], b[5000];
	int fd = memory_file(data, size, (off_t)size), r;
	struct vd_store *s = NULL;
	struct vd_error err = { "" };

	r = vd_audio_open(fd, &s, &err);
	if (r) {
		require(!s && err.text[0]);
		require(fcntl(fd, F_GETFD) < 0);
		return 0;
	}
	require(s->size > 0 && s->size % 4 == 0);
	for (int i = 0; i < 4; i++) {
		uint64_t last = s->size > sizeof(a) ? s->size - sizeof(a) : 0,
			 off = last * (uint64_t)(i % 3) / 2;
		size_t n = s->size < sizeof(a) ? (size_t)s->size : sizeof(a);

		r = vd_store_pread(s, a, n, off);
		require(!r || r == -EIO || r == -ENOMEM);
		if (!r && !vd_store_pread(s, b, n, off))
			require(!memcmp(a, b, n));
	}
	require(vd_store_pread(s, a, 1, s->size) == -EINVAL);
	vd_store_close(s);
	return 0;
}
