/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every fuzz target has. _GNU_SOURCE is defined before this is included. */
#ifndef VD_FUZZ_H
#define VD_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, in builds without assert() too. */
static inline void require(int held)
{
	if (!held)
		abort();
}

/* A file of @size bytes that begins with @data, zeros behind it; the caller owns the descriptor. */
static inline int memory_file(const void *data, size_t len, off_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	require(fd >= 0);
	require(write(fd, data, len) == (ssize_t)len);
	require(!ftruncate(fd, size));
	return fd;
}

#endif
