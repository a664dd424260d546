// SPDX-License-Identifier: GPL-3.0-or-later
/* Starting a keeper and speaking to one. */
#define _GNU_SOURCE
#include "userspace/common/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "util/cleanup.h"

#define CONNECT_S 2

int vd_drive_connect(const char *rundir, const char *name, struct vd_error *err)
{
	_cleanup_close_ int dir = open(rundir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n;

	if (dir < 0)
		return vd_error_errno(err, -errno, "%s", rundir);
	if (sock < 0)
		return vd_error_errno(err, -errno, "cannot reach drive %s", name);
	/* Through /proc, since a socket's path may have only 107 bytes. */
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s.sock", dir, name);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return vd_error_errno(err, -ENAMETOOLONG, "drive %s", name);
	/* A keeper that is stopped has no room for another connection at some time. */
	if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ .tv_sec = CONNECT_S },
		       sizeof(struct timeval)))
		return vd_error_errno(err, -errno, "cannot reach drive %s", name);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return errno == EAGAIN
			       ? vd_error_set(err, -ETIMEDOUT, "drive %s does not answer", name)
			       : vd_error_errno(err, -errno, "cannot reach drive %s", name);
	return VD_TAKE_FD(sock);
}

int vd_reply_code(const char *name, struct vd_reply *reply, ssize_t len, struct vd_error *err)
{
	if (len != sizeof(*reply) || reply->magic != VD_REQUEST_MAGIC)
		return vd_error_set(err, -ECONNRESET, "drive %s gave no answer", name);
	reply->error.text[sizeof(reply->error.text) - 1] = '\0';
	if (reply->code)
		vd_error_set(err, reply->code, "%s", reply->error.text);
	return reply->code;
}

int vd_drive_request(const char *rundir, const char *name, enum vd_request_op op, uint32_t flags,
		     int timeout_ms, struct vd_error *err)
{
	struct vd_request req = { .magic = VD_REQUEST_MAGIC, .op = op, .flags = flags };
	_cleanup_close_ int sock = vd_drive_connect(rundir, name, err);
	struct vd_reply reply;
	struct pollfd pfd;
	int r;

	if (sock < 0)
		return sock;
	if (send(sock, &req, sizeof(req), MSG_NOSIGNAL) != sizeof(req))
		return vd_error_errno(err, -errno, "cannot reach drive %s", name);
	pfd = (struct pollfd){ .fd = sock, .events = POLLIN };
	do
		r = poll(&pfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (!r)
		return vd_error_set(err, -ETIMEDOUT, "drive %s does not answer", name);
	return vd_reply_code(name, &reply, recv(sock, &reply, sizeof(reply), 0), err);
}

/* vdrived beside this program, or where it is installed. */
static int find_daemon(char *path, size_t size, struct vd_error *err)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash && (size_t)(slash + 1 - path) + sizeof("vdrived") <= size) {
			strcpy(slash + 1, "vdrived");
			if (!access(path, X_OK))
				return 0;
		}
	}
	if (snprintf(path, size, "%s", VDRIVE_DAEMON_PATH) < (int)size && !access(path, X_OK))
		return 0;
	return vd_error_set(err, -ENOENT, "the daemon is not installed: no %s", VDRIVE_DAEMON_PATH);
}

static void keep_open(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* The arguments of a keeper; what belongs to another type of drive is left out. */
struct args {
	const char *v[48];
	size_t n;
	char text[10][32]; /* numbers */
	size_t ntext;
};

static void add(struct args *a, const char *option, const char *value)
{
	a->v[a->n++] = option;
	if (value)
		a->v[a->n++] = value;
}

static void add_text(struct args *a, const char *option, const char *value)
{
	if (value[0])
		add(a, option, value);
}

static void add_number(struct args *a, const char *option, long long value)
{
	char *text = a->text[a->ntext++];

	snprintf(text, sizeof(a->text[0]), "%lld", value);
	add(a, option, text);
}

static void add_fd(struct args *a, const char *option, int fd)
{
	if (fd < 0)
		return;
	keep_open(fd);
	add_number(a, option, fd);
}

static void exec_keeper(const char *daemon, const struct vd_drive_start *start, int status)
{
	const struct vd_drive_state *s = &start->state;
	struct args a = { .n = 0 };

	add(&a, "vdrived", NULL);
	add(&a, "--name", s->name);
	add(&a, "--type", vd_drive_type_name(s->type));
	add_fd(&a, "--status-fd", status);
	add_text(&a, "--image", s->image);
	add_text(&a, "--mountpoint", s->mountpoint);
	add_text(&a, "--options", s->options);
	if (s->read_only)
		add(&a, "--read-only", NULL);
	if (start->foreground)
		add(&a, "--foreground", NULL);
	if (vd_drive_in_memory(s->type)) {
		add_number(&a, "--size", (long long)s->size);
		add_number(&a, "--mem-limit", (long long)s->mem_limit);
		add_text(&a, "--store", s->store);
		add_text(&a, "--engine", s->engine);
		add_text(&a, "--fs", s->fs);
		add_number(&a, "--priority", s->priority);
		add_text(&a, "--backing", s->backing);
		if (s->backing_inode)
			add_number(&a, "--backing-inode", (long long)s->backing_inode);
		if (s->watchdog)
			add_number(&a, "--watchdog", s->watchdog);
		if (s->tune)
			add(&a, "--tune", NULL);
		if (s->force)
			add(&a, "--force", NULL);
	} else if (s->type != VD_DRIVE_CDROM) {
		add_text(&a, "--engine", s->engine);
		if (s->partition)
			add_number(&a, "--partition", s->partition);
		add_fd(&a, "--image-fd", start->image_fd);
		add_fd(&a, "--dir-fd", start->dir_fd);
	}
	execv(daemon, (char *const *)a.v);
}

int vd_drive_start(const struct vd_drive_start *start, pid_t *out, struct vd_error *err)
{
	char daemon[PATH_MAX];
	struct vd_reply reply;
	_cleanup_close_ int mine = -1;
	int p[2], r;
	ssize_t n;
	pid_t pid;

	r = find_daemon(daemon, sizeof(daemon), err);
	if (r)
		return r;
	if (pipe2(p, O_CLOEXEC))
		return vd_error_errno(err, -errno, "cannot start the daemon");
	mine = p[0];
	pid = fork();
	if (pid < 0) {
		r = -errno;
		close(p[1]);
		return vd_error_errno(err, r, "cannot start the daemon");
	}
	if (!pid) {
		/* In the background the keeper is nobody's child: init reaps it. */
		if (!start->foreground && (setsid() < 0 || (pid = fork()) > 0))
			_exit(0);
		if (pid < 0)
			_exit(1);
		exec_keeper(daemon, start, p[1]);
		reply = (struct vd_reply){ .magic = VD_REQUEST_MAGIC };
		reply.code = vd_error_errno(&reply.error, -errno, "cannot run %s", daemon);
		if (write(p[1], &reply, sizeof(reply)) < 0)
			_exit(1);
		_exit(1);
	}
	close(p[1]);
	if (!start->foreground)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	do
		n = read(mine, &reply, sizeof(reply));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(reply) || reply.magic != VD_REQUEST_MAGIC) {
		vd_error_set(err, -ECHILD, "the daemon ended before the drive was there");
		reply.code = -ECHILD;
	} else {
		/* Without a code they are warnings. */
		reply.error.text[sizeof(reply.error.text) - 1] = '\0';
		vd_error_set(err, reply.code, "%s", reply.error.text);
	}
	if (start->foreground) {
		if (reply.code)
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		else if (out)
			*out = pid;
	}
	return reply.code;
}
