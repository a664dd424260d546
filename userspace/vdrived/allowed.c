// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/allowed.h"

#include <errno.h>
#include <sys/socket.h>

int vd_drive_may_use(int sock, uid_t owner, const char *device, struct vd_error *err)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return vd_error_errno(err, -errno, "%s", device);
	if (peer.uid && peer.uid != owner)
		return vd_error_set(err, -EPERM, "%s belongs to user %u", device, (unsigned)owner);
	return 0;
}
