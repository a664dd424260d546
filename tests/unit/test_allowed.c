// SPDX-License-Identifier: GPL-3.0-or-later
/* Who may change a disc: modes and access lists as acl(5) has them. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "userspace/vdrived/allowed.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define CDROM 24

static const struct stat node = { .st_uid = 0, .st_gid = CDROM, .st_mode = 0660 };

static void test_mode(void)
{
	static const gid_t cdrom[] = { 100, CDROM }, users[] = { 100 };
	struct stat st = node;

	CHECK(vd_acl_allows(&node, NULL, 0, 1000, cdrom, 2));
	CHECK(!vd_acl_allows(&node, NULL, 0, 1000, users, 1));
	CHECK(!vd_acl_allows(&node, NULL, 0, 1000, NULL, 0));
	st.st_mode = 0640; /* to read is not enough */
	CHECK(!vd_acl_allows(&st, NULL, 0, 1000, cdrom, 2));
	st.st_mode = 0666;
	CHECK(vd_acl_allows(&st, NULL, 0, 1000, users, 1));
	st.st_mode = 0606; /* the group is less than others */
	CHECK(!vd_acl_allows(&st, NULL, 0, 1000, cdrom, 2));
	st.st_uid = 1000;
	st.st_mode = 0066;
	CHECK(!vd_acl_allows(&st, NULL, 0, 1000, cdrom, 2));
}

struct acl {
	uint8_t bytes[256];
	size_t len;
};

static void add(struct acl *a, unsigned int tag, unsigned int perm, uint32_t id)
{
	if (!a->len) {
		vd_put_le32(a->bytes, 2);
		a->len = 4;
	}
	vd_put_le16(a->bytes + a->len, (uint16_t)tag);
	vd_put_le16(a->bytes + a->len + 2, (uint16_t)perm);
	vd_put_le32(a->bytes + a->len + 4, id);
	a->len += 8;
}

/* As logind leaves it: user 1000 sits before the machine. */
static struct acl seated(unsigned int mask)
{
	struct acl a = { .len = 0 };

	add(&a, 0x01, 6, ~0u);
	add(&a, 0x02, 6, 1000);
	add(&a, 0x04, 6, ~0u);
	add(&a, 0x10, mask, ~0u);
	add(&a, 0x20, 0, ~0u);
	return a;
}

static void test_list(void)
{
	static const gid_t users[] = { 100 }, cdrom[] = { CDROM };
	struct acl a = seated(6), named = seated(6);

	CHECK(vd_acl_allows(&node, a.bytes, a.len, 1000, users, 1));
	CHECK(!vd_acl_allows(&node, a.bytes, a.len, 1001, users, 1));
	CHECK(vd_acl_allows(&node, a.bytes, a.len, 1001, cdrom, 1));
	a = seated(4);
	CHECK(!vd_acl_allows(&node, a.bytes, a.len, 1000, users, 1));
	CHECK(!vd_acl_allows(&node, a.bytes, a.len, 1001, cdrom, 1));
	/* An entry of his own decides, whatever his groups may. */
	add(&named, 0x02, 4, 1002);
	add(&named, 0x08, 6, 100);
	CHECK(!vd_acl_allows(&node, named.bytes, named.len, 1002, cdrom, 1));
	CHECK(vd_acl_allows(&node, named.bytes, named.len, 1003, users, 1));
}

/* Any part of a list, and any byte changed: never more than the whole allows to a stranger. */
static void test_broken_list(void)
{
	struct acl a = seated(6);

	for (size_t n = 1; n < a.len; n++)
		CHECK(!vd_acl_allows(&node, a.bytes, n, 1001, NULL, 0));
	for (size_t i = 0; i < 4; i++) {
		struct acl b = a;

		b.bytes[i] ^= 0x40;
		CHECK(!vd_acl_allows(&node, b.bytes, b.len, 1000, NULL, 0));
	}
	add(&a, 0x40, 6, 1001);
	CHECK(!vd_acl_allows(&node, a.bytes, a.len, 1001, NULL, 0));
}

static void test_peer(void)
{
	struct vd_error err = { "" };
	const char *file = check_path("node");
	int sv[2];

	check_write_file(file, "", 0);
	ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv));
	/* We are at the other end ourselves: root, or the owner. */
	CHECK_OK(vd_drive_may_use(sv[0], getuid(), file, &err));
	if (getuid())
		CHECK_OK(vd_drive_may_use(sv[0], getuid() + 1, file, &err));
	close(sv[0]);
	CHECK(vd_drive_may_use(sv[0], getuid(), file, &err) < 0);
	CHECK(err.text[0]);
	close(sv[1]);
}

/* Our end of a connection that a process of that user, with these groups, has opened. It lives until the connection is closed. */
static int connection_of(uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr.sun_family);
	int status;
	pid_t pid;

	/* An address that the kernel chooses, without a file. */
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, len))
		return -1;
	len = sizeof(addr);
	if (getsockname(sock, (struct sockaddr *)&addr, &len) || listen(sock, 1))
		return -1;
	pid = fork();
	if (!pid) {
		int own = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		_exit(setgroups(ngroups, groups) || setresgid(gid, gid, gid) ||
		      setresuid(uid, uid, uid) || connect(own, (struct sockaddr *)&addr, len));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return -1;
	return accept4(sock, NULL, NULL, SOCK_CLOEXEC);
}

/* Whether one of that user and groups may use a drive of root's with that node. */
static int may_use(const char *path, uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups)
{
	struct vd_error err = { "" };
	_cleanup_close_ int sock = connection_of(uid, gid, groups, ngroups);
	int r;

	if (sock < 0) {
		CHECK_FAIL("no connection of user %u", (unsigned)uid);
		return -EIO;
	}
	r = vd_drive_may_use(sock, 0, path, &err);
	if (r)
		CHECK(strstr(err.text, path) && strstr(err.text, "Permission denied"));
	return r;
}

static void test_users(void)
{
	static const gid_t with[] = { 100, CDROM }, without[] = { 100 };
	const char *path = check_path("sr0");
	struct acl a = seated(6);

	if (getuid())
		CHECK_SKIP("needs root");
	check_write_file(path, "", 0);
	ASSERT_OK(chown(path, 0, CDROM));
	ASSERT_OK(chmod(path, 0660));
	CHECK_INT(may_use(path, 1000, 1000, with, 2), 0);
	CHECK_INT(may_use(path, 1000, 1000, without, 1), -EPERM);
	CHECK_INT(may_use(path, 1000, 1000, NULL, 0), -EPERM);
	CHECK_INT(may_use(path, 1000, CDROM, NULL, 0), 0); /* his first group */
	CHECK_INT(may_use(path, 0, 0, NULL, 0), 0);
	ASSERT_OK(chmod(path, 0640));
	CHECK_INT(may_use(path, 1000, 1000, with, 2), -EPERM);
	ASSERT_OK(chmod(path, 0666));
	CHECK_INT(may_use(path, 1000, 1000, without, 1), 0);
	ASSERT_OK(chmod(path, 0660));
	if (setxattr(path, "system.posix_acl_access", a.bytes, a.len, 0)) {
		CHECK_INT(errno, EOPNOTSUPP);
		CHECK_SKIP("no access lists where the tests work");
	}
	CHECK_INT(may_use(path, 1000, 1000, without, 1), 0);
	CHECK_INT(may_use(path, 1001, 1001, without, 1), -EPERM);
	a = seated(4);
	ASSERT_OK(setxattr(path, "system.posix_acl_access", a.bytes, a.len, 0));
	CHECK_INT(may_use(path, 1000, 1000, without, 1), -EPERM);
	ASSERT_OK(unlink(path));
	CHECK(vd_drive_may_use(-1, 0, path, &(struct vd_error){ "" }) < 0);
}

static const struct check_test tests[] = {
	{ "mode", test_mode }, { "list", test_list },	{ "broken_list", test_broken_list },
	{ "peer", test_peer }, { "users", test_users },
};

CHECK_MAIN(tests)
