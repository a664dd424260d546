// SPDX-License-Identifier: GPL-3.0-or-later
#include "scsi.h"

#include <errno.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

struct sg sg_on(int fd, const uint8_t *cdb, size_t cdb_len, void *buf, size_t len)
{
	struct sg r = { .error = 0 };
	sg_io_hdr_t io = {
		.interface_id = 'S',
		.cmdp = (uint8_t *)cdb,
		.cmd_len = (unsigned char)cdb_len,
		.dxferp = buf,
		.dxfer_len = (unsigned int)len,
		.dxfer_direction = len ? SG_DXFER_FROM_DEV : SG_DXFER_NONE,
		.sbp = r.sense,
		.mx_sb_len = sizeof(r.sense),
		.timeout = 60000,
	};

	if (ioctl(fd, SG_IO, &io))
		r.error = errno;
	r.status = io.status;
	r.resid = io.resid;
	if (!r.error && io.host_status)
		r.error = 1000 + io.host_status;
	return r;
}
