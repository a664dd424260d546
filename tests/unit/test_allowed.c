// SPDX-License-Identifier: GPL-3.0-or-later
/* Who may change a disc: modes and access lists as acl(5) has them. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
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

static const struct check_test tests[] = {
	{ "mode", test_mode },
	{ "list", test_list },
	{ "broken_list", test_broken_list },
	{ "peer", test_peer },
};

CHECK_MAIN(tests)
