// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Commands to a drive through libcdio, which sends them by the ioctl CDROM_SEND_PACKET. The kernel lets somebody who is
 * not root send only those that read (scsi_cmd_allowed() in drivers/scsi/scsi_ioctl.c), whatever is in the process.
 */
#define _GNU_SOURCE
#include "images/physical.h"

#include <cdio/cdio.h>
#include <cdio/logging.h>
#include <cdio/mmc.h>
#include <cdio/mmc_cmds.h>
#include <errno.h>
#include <linux/cdrom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* A drive tries for long to read a sector that is scratched. */
#define TIMEOUT_MS 60000

struct cdio_mmc {
	struct vd_transport mmc;
	CdIo_t *cdio;
};

bool vd_physical_is_drive(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISBLK(st.st_mode) && ioctl(fd, CDROM_GET_CAPABILITY, 0) >= 0;
}

static int cdio_command(struct vd_transport *m, const uint8_t cdb[VD_CDB], void *buf, size_t len,
			struct vd_sense *sense)
{
	CdIo_t *cdio = ((struct cdio_mmc *)m)->cdio;
	cdio_mmc_request_sense_t *why = NULL;
	mmc_cdb_t packet;
	int r;

	*sense = (struct vd_sense){ 0 };
	memcpy(packet.field, cdb, sizeof(packet.field));
	r = mmc_run_cmd(cdio, TIMEOUT_MS, &packet, len ? SCSI_MMC_DATA_READ : SCSI_MMC_DATA_NONE,
			(unsigned int)len, buf);
	if (r == DRIVER_OP_SUCCESS)
		return 0;
	if (mmc_last_cmd_sense(cdio, &why) > 0 && why) {
		sense->key = why->sense_key;
		sense->asc = why->asc;
		sense->ascq = why->ascq;
	}
	free(why);
	return r == DRIVER_OP_NOT_PERMITTED && !sense->key ? -EPERM : -EIO;
}

static void cdio_close(struct vd_transport *m)
{
	cdio_destroy(((struct cdio_mmc *)m)->cdio);
	free(m);
}

/* The words are ours. */
static void say_nothing(cdio_log_level_t level, const char *message)
{
	(void)level;
	(void)message;
}

/* The lowest number that is free, which the next file to be opened gets. */
static int next_fd(int any)
{
	int fd = dup(any);

	if (fd >= 0)
		close(fd);
	return fd;
}

static bool is_same_device(int a, int b)
{
	struct stat one, other;

	return !fstat(a, &one) && !fstat(b, &other) && S_ISBLK(other.st_mode) &&
	       one.st_rdev == other.st_rdev;
}

int vd_physical_transport(int fd, struct vd_transport **out, int *cage_fd, struct vd_error *err)
{
	_cleanup_free_ struct cdio_mmc *m = calloc(1, sizeof(*m));
	const int number = next_fd(fd);
	char path[32];

	if (!m)
		return vd_error_errno(err, -ENOMEM, "cannot open the drive");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cdio_log_set_handler(say_nothing);
	m->cdio = cdio_open(path, DRIVER_LINUX);
	if (!m->cdio)
		return vd_error_set(err, -EIO, "libcdio cannot open the drive");
	m->mmc = (struct vd_transport){ .command = cdio_command, .close = cdio_close };
	if (number < 0 || !is_same_device(fd, number)) {
		cdio_destroy(m->cdio);
		return vd_error_set(err, -EBADF,
				    "libcdio has not opened the drive as it was thought to");
	}
	*cage_fd = number;
	*out = &VD_TAKE_PTR(m)->mmc;
	return 0;
}
