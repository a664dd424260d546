/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who may change the disc of a drive: root, the drive's owner, and whoever may read and write its device node, which is by its mode and by the
 * access list that a seated user is given by logind (acl(5)). The request comes over a socket, so the kernel does not decide it for us.
 */
#ifndef VDRIVED_ALLOWED_H
#define VDRIVED_ALLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/error.h"

#define VD_GROUPS_MAX 1024

/* Whoever is at the other end of @sock: 0, or -EPERM with words. */
int vd_drive_may_use(int sock, uid_t owner, const char *device, struct vd_error *err);

/*
 * May @uid with these groups read and write a file of that mode and ownership? @acl: its access list as the kernel gives it
 * (system.posix_acl_access), of @len bytes; 0: none. One that cannot be read allows nothing.
 */
bool vd_acl_allows(const struct stat *st, const void *acl, size_t len, uid_t uid,
		   const gid_t *groups, size_t ngroups);

#endif
