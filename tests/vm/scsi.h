/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands of SCSI to a device of the kernel's (SG_IO). */
#ifndef TESTS_SCSI_H
#define TESTS_SCSI_H

#include <stddef.h>
#include <stdint.h>

struct sg {
	uint8_t status, sense[32];
	int resid; /* bytes of those that were asked for that did not come */
	int error; /* of the ioctl: errno; of the host: 1000 and more */
};

/* Reads up to @len bytes, 0: none, by a command of @cdb_len bytes; it has a minute. */
struct sg sg_on(int fd, const uint8_t *cdb, size_t cdb_len, void *buf, size_t len);

#endif
