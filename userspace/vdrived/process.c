// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Between a reader's last word and its end. */
#define REAP_MS 1000

static const char *log_drive = "";
static bool log_to_stderr;

void vd_log_open(const char *drive, bool foreground)
{
	log_drive = drive;
	log_to_stderr = foreground;
	openlog("vdrived", LOG_PID, LOG_DAEMON);
}

void vd_log(int priority, const char *fmt, ...)
{
	char text[VD_ERROR_MAX + 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_to_stderr)
		fprintf(stderr, "vdrived: %s: %s\n", log_drive, text);
	else
		syslog(priority, "%s: %s", log_drive, text);
}

int64_t vd_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int vd_catch_signals(int more, struct vd_error *err)
{
	sigset_t handled;
	int fd;

	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGHUP);
	if (more)
		sigaddset(&handled, more);
	sigprocmask(SIG_BLOCK, &handled, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may have ignored it, and then there would be no child to wait for. */
	signal(SIGCHLD, SIG_DFL);
	fd = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? vd_error_errno(err, -errno, "cannot handle signals") : fd;
}

/* The control socket. */

int vd_control_listen(const char *rundir, const char *name, unsigned int mode, struct vd_error *err)
{
	_cleanup_close_ int dir = open(rundir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int n, r;

	if (dir < 0 || fd < 0)
		return vd_error_errno(err, -errno, "cannot listen in %s", rundir);
	/* Through /proc, since a socket's path may have only 107 bytes. */
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s.sock", dir, name);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return vd_error_errno(err, -ENAMETOOLONG, "cannot listen in %s", rundir);
	mask = umask(~mode & 0777);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 64) ? -errno : 0;
	umask(mask);
	return r ? vd_error_errno(err, r, "cannot listen in %s", rundir) : VD_TAKE_FD(fd);
}

int vd_control_accept(int listen_fd)
{
	struct timeval patience = { .tv_sec = 1 };
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* The reader. */

static void exec_reader(const struct vd_reader_start *start, int sock)
{
	int null = fcntl(open("/dev/null", O_RDWR), F_DUPFD, 10);
	int image = fcntl(start->image_fd < 0 ? null : start->image_fd, F_DUPFD, 10);
	int answered = fcntl(start->answered_fd < 0 ? null : start->answered_fd, F_DUPFD, 10);
	int theirs = fcntl(sock, F_DUPFD, 10);
	sigset_t none;

	if (image < 0 || theirs < 0 || null < 0 || answered < 0)
		_exit(126);
	/* It lives as long as the drive: `$(vdrive attach FILE)` would wait for its output to end. */
	for (int i = 0; i < (start->foreground ? 2 : 3); i++)
		if (dup2(null, i) < 0)
			_exit(126);
	/* Not close-on-exec, unlike everything else that is open here. */
	if (dup2(theirs, VD_READER_SOCK) < 0 || dup2(image, VD_READER_IMAGE) < 0 ||
	    dup2(answered, VD_READER_ANSWERED) < 0)
		_exit(126);
	if (close_range(VD_READER_IMAGE + 1, ~0u, 0))
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A terminal's Ctrl-C is the keeper's to handle. */
	setsid();
	execl("/proc/self/exe", "vdrived", "--reader", (char *)NULL);
	_exit(127);
}

int vd_reader_spawn(const struct vd_reader_start *start, pid_t *pid, int *sock,
		    struct vd_error *err)
{
	struct timeval patience = { .tv_sec = 1 };
	_cleanup_close_ int ours = -1;
	_cleanup_close_ int theirs = -1;
	int sv[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return vd_error_errno(err, -errno, "cannot start a reader");
	ours = sv[0];
	theirs = sv[1];
	/* A reader that asks and never listens to the answers holds nobody up for long. */
	if (setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return vd_error_errno(err, -errno, "cannot start a reader");
	*pid = fork();
	if (*pid < 0) {
		r = -errno;
		*pid = 0;
		return vd_error_errno(err, r, "cannot start a reader");
	}
	if (!*pid)
		exec_reader(start, theirs);
	if (send(ours, start->config, sizeof(*start->config), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(*start->config)) {
		r = vd_error_errno(err, -errno, "cannot start a reader");
		vd_reader_reap(*pid, true, NULL, 0);
		*pid = 0;
		return r;
	}
	*sock = VD_TAKE_FD(ours);
	return 0;
}

void vd_reader_reap(pid_t pid, bool kill_it, char *how, size_t size)
{
	int64_t deadline = vd_now_ms() + (kill_it ? 0 : REAP_MS);
	int status = 0;
	pid_t gone;

	/* One that was taken over may be silent and stay. */
	while (!(gone = waitpid(pid, &status, WNOHANG)) && vd_now_ms() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	if (!gone) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!how)
		return;
	if (WIFSIGNALED(status))
		snprintf(how, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, size, "ended with status %d", WEXITSTATUS(status));
}

void vd_leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (null > 2)
		close(null);
}
