// SPDX-License-Identifier: GPL-3.0-or-later
/* Messages between a keeper and a reader that it does not trust. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "userspace/vdrived/message.h"
#include "util/cleanup.h"

/* Sends @len bytes of a message with @n descriptors of this process. */
static void send_with(int sock, size_t len, size_t n)
{
	struct vd_message m = { .type = VD_MSG_OPEN };
	struct iovec iov = { .iov_base = &m, .iov_len = len };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ STDIN_FILENO }, sizeof(int));
	CHECK_INT(sendmsg(sock, &msg, 0), (int)len);
}

/* The lowest number that is free: a descriptor that nobody knows of would have it. */
static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void test_descriptors(void)
{
	int pair[2], fd, before;
	struct vd_message m;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ? -errno : 0);
	before = lowest_free();
	for (size_t n = 1; n <= 4; n++) {
		send_with(pair[0], sizeof(m), n);
		CHECK_INT(vd_message_recv(pair[1], &m, &fd), 1);
		CHECK(fd >= 0);
		vd_cleanup_close(&fd);
		CHECK_INT(lowest_free(), before);
		send_with(pair[0], sizeof(m) - 1, n);
		CHECK_ERRNO(vd_message_recv(pair[1], &m, &fd), -EBADMSG);
		CHECK_INT(fd, -1);
		CHECK_INT(lowest_free(), before);
	}
	close(pair[0]);
	CHECK_INT(vd_message_recv(pair[1], &m, &fd), 0);
	close(pair[1]);
}

static const struct check_test tests[] = {
	{ "descriptors", test_descriptors },
};
CHECK_MAIN(tests)
