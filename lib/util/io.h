/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VD_UTIL_IO_H
#define VD_UTIL_IO_H

#include <stddef.h>
#include <stdint.h>

/* Writes all of it at @off, whatever interrupts that. 0 or -errno; then any part of it may be written. */
int vd_pwrite_all(int fd, const void *data, size_t len, uint64_t off);

#endif
