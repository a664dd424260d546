/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef VDRIVED_ALLOWED_H
#define VDRIVED_ALLOWED_H

#include <sys/types.h>

#include "util/error.h"

/* May whoever is at the other end of @sock change the disc of a drive of @owner's? 0, or -EPERM with words. */
int vd_drive_may_use(int sock, uid_t owner, const char *device, struct vd_error *err);

#endif
