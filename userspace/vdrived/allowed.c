// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/allowed.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/xattr.h>

#include "util/endian.h"

#define ACL_BYTES_MAX 4096

/* <linux/posix_acl_xattr.h>: a version in 4 bytes, then entries of 8, all little endian. */
#define ACL_VERSION 2
#define ACL_HEADER 4u
#define ACL_ENTRY 8u
#define ACL_USER_OBJ 0x01
#define ACL_USER 0x02
#define ACL_GROUP_OBJ 0x04
#define ACL_GROUP 0x08
#define ACL_MASK 0x10
#define ACL_OTHER 0x20

#define READ_WRITE 06u

static bool has_group(gid_t gid, const gid_t *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool allows(unsigned int perm)
{
	return (perm & READ_WRITE) == READ_WRITE;
}

static bool mode_allows(const struct stat *st, uid_t uid, const gid_t *groups, size_t n)
{
	if (uid == st->st_uid)
		return allows(st->st_mode >> 6);
	if (has_group(st->st_gid, groups, n))
		return allows(st->st_mode >> 3);
	return allows(st->st_mode);
}

bool vd_acl_allows(const struct stat *st, const void *acl, size_t len, uid_t uid,
		   const gid_t *groups, size_t ngroups)
{
	const uint8_t *p = acl, *end = p + len;
	bool named = false, named_ok = false, group = false, group_ok = false, other_ok = false;
	unsigned int mask = READ_WRITE;

	if (!len)
		return mode_allows(st, uid, groups, ngroups);
	if (len < ACL_HEADER || (len - ACL_HEADER) % ACL_ENTRY || vd_get_le32(p) != ACL_VERSION)
		return false;
	if (uid == st->st_uid)
		return allows(st->st_mode >> 6);
	for (const uint8_t *e = p + ACL_HEADER; e < end; e += ACL_ENTRY)
		if (vd_get_le16(e) == ACL_MASK)
			mask = vd_get_le16(e + 2);
	for (const uint8_t *e = p + ACL_HEADER; e < end; e += ACL_ENTRY) {
		const unsigned int perm = vd_get_le16(e + 2);
		const uint32_t id = vd_get_le32(e + 4);

		switch (vd_get_le16(e)) {
		case ACL_USER:
			if (id != uid)
				break;
			named = true;
			named_ok = allows(perm & mask);
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!has_group(vd_get_le16(e) == ACL_GROUP ? id : st->st_gid, groups,
				       ngroups))
				break;
			group = true;
			group_ok |= allows(perm & mask);
			break;
		case ACL_OTHER:
			other_ok = allows(perm);
			break;
		case ACL_USER_OBJ:
		case ACL_MASK:
			break;
		default:
			return false;
		}
	}
	if (named)
		return named_ok;
	return group ? group_ok : other_ok;
}

int vd_drive_may_use(int sock, uid_t owner, const char *device, struct vd_error *err)
{
	gid_t groups[VD_GROUPS_MAX + 1];
	socklen_t len = sizeof(struct ucred), groups_len = sizeof(groups) - sizeof(*groups);
	char acl[ACL_BYTES_MAX];
	struct ucred peer;
	struct stat st;
	size_t n;
	ssize_t acl_len;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return vd_error_errno(err, -errno, "%s", device);
	if (!peer.uid || peer.uid == owner)
		return 0;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len))
		return vd_error_errno(err, -errno, "%s", device);
	n = groups_len / sizeof(*groups);
	groups[n++] = peer.gid;
	if (stat(device, &st))
		return vd_error_errno(err, -errno, "%s", device);
	acl_len = getxattr(device, "system.posix_acl_access", acl, sizeof(acl));
	if (acl_len < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return vd_error_errno(err, -errno, "%s", device);
	if (vd_acl_allows(&st, acl, acl_len > 0 ? (size_t)acl_len : 0, peer.uid, groups, n))
		return 0;
	return vd_error_set(
		err, -EPERM,
		"%s: Permission denied: its disc can be changed by root and by the members of its group (see ls -l %s)",
		device, device);
}
