// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "userspace/common/tcmu.h"
#include "userspace/vdrived/message.h"
#include "userspace/vdrived/optical.h"
#include "userspace/vdrived/process.h"
#include "util/cleanup.h"

/* A keeper that dies more often is not started again. */
#define MAX_RESTARTS 5
#define RESTART_WINDOW_MS 60000

void vd_guard_report(struct vd_guard *g, int code, const struct vd_error *err)
{
	struct vd_reply reply = { .magic = VD_REQUEST_MAGIC, .code = code };

	if (g->status_fd < 0) {
		if (code)
			vd_log(LOG_ERR, "%s", err->text);
		return;
	}
	if (err)
		reply.error = *err;
	if (write(g->status_fd, &reply, sizeof(reply)) != sizeof(reply))
		vd_log(LOG_WARNING, "whoever started the drive is gone");
	close(VD_TAKE_FD(g->status_fd));
}

static void drop_held(struct vd_guard *g)
{
	for (uint32_t i = 0; i < g->nheld; i++)
		close(g->held[i].fd);
	g->nheld = 0;
	if (g->sound_fd >= 0)
		close(VD_TAKE_FD(g->sound_fd));
}

/* True while the keeper is there. */
static bool hear_keeper(struct vd_guard *g)
{
	struct vd_message m;
	int fd, r = vd_message_recv(g->sock, &m, &fd);

	if (r <= 0)
		return false;
	if (m.type == VD_GUARD_HOLD && fd >= 0 && g->nheld < VD_ARRAY_SIZE(g->held)) {
		struct vd_held *h = &g->held[g->nheld++];

		memcpy(h->text, m.text, sizeof(h->text));
		h->arg = m.arg;
		h->fd = VD_TAKE_FD(fd);
	}
	if (m.type == VD_GUARD_SOUND && g->sound_fd < 0)
		g->sound_fd = VD_TAKE_FD(fd);
	if (fd >= 0)
		close(fd);
	if (m.type == VD_GUARD_DROP)
		drop_held(g);
	if (m.type == VD_GUARD_STARTED) {
		g->started = true;
		if (g->status_fd >= 0)
			close(VD_TAKE_FD(g->status_fd));
		if (!g->args->foreground)
			vd_leave_terminal();
	}
	return true;
}

/* Forks a keeper; the process that it is never comes back from here. */
static pid_t start_keeper(struct vd_guard *g, int signal_fd, struct vd_error *err)
{
	pid_t pid;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return vd_error_errno(err, -errno, "cannot start a keeper");
	pid = fork();
	if (!pid) {
		close(signal_fd);
		close(sv[0]);
		g->sock = sv[1];
		_exit(vd_optical_keeper(g));
	}
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		return vd_error_errno(err, -errno, "cannot start a keeper");
	}
	g->sock = sv[0];
	return pid;
}

/* How the keeper ended. Signals go on to it. */
static int watch_keeper(struct vd_guard *g, pid_t pid, int signal_fd)
{
	bool listening = true;
	int status;

	for (;;) {
		struct pollfd pfd[] = { { .fd = signal_fd, .events = POLLIN },
					{ .fd = listening ? g->sock : -1, .events = POLLIN } };
		struct signalfd_siginfo si;

		if (poll(pfd, VD_ARRAY_SIZE(pfd), -1) < 0)
			continue;
		/* What it said before its end comes first. */
		if (pfd[1].revents) {
			listening = hear_keeper(g);
			continue;
		}
		if (read(signal_fd, &si, sizeof(si)) != sizeof(si))
			continue;
		if (si.ssi_signo != SIGCHLD)
			kill(pid, (int)si.ssi_signo);
		else if (waitpid(pid, &status, WNOHANG) == pid)
			break;
	}
	close(g->sock);
	return status;
}

static bool may_restart(int64_t *restarts)
{
	const int64_t now = vd_now_ms();
	int oldest = 0;

	for (int i = 1; i < MAX_RESTARTS; i++)
		if (restarts[i] < restarts[oldest])
			oldest = i;
	if (restarts[oldest] && now - restarts[oldest] < RESTART_WINDOW_MS)
		return false;
	restarts[oldest] = now;
	return true;
}

static int guard(struct vd_guard *g, struct vd_error *err)
{
	int64_t restarts[MAX_RESTARTS] = { 0 };
	int status, signal_fd = vd_catch_signals(SIGCHLD, err);

	if (signal_fd < 0)
		return signal_fd;
	for (;;) {
		pid_t pid = start_keeper(g, signal_fd, err);

		if (pid < 0)
			return pid;
		status = watch_keeper(g, pid, signal_fd);
		/* It has taken the drive down, or said why there is none. */
		if (WIFEXITED(status))
			return WEXITSTATUS(status) ? -ECHILD : 0;
		vd_log(LOG_ERR, "the keeper was killed by signal %d", WTERMSIG(status));
		if (!g->started)
			return vd_error_set(err, -ECHILD, "the keeper was killed by signal %d",
					    WTERMSIG(status));
		if (!may_restart(restarts))
			return vd_error_set(err, -ECHILD,
					    "that is too often: the drive is taken down");
	}
}

int vd_optical_main(const struct vd_keeper_args *args)
{
	static struct vd_guard g = { .lock_fd = -1, .listen_fd = -1, .sock = -1, .sound_fd = -1 };
	struct vd_error err = { "" };
	int r;

	g.args = args;
	g.status_fd = args->status_fd;
	vd_log_open(args->state.name, args->foreground);
	if (chdir("/"))
		return 1;
	umask(022);
	g.drive = mmap(NULL, sizeof(*g.drive), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (g.drive == MAP_FAILED) {
		vd_error_errno(&err, -errno, "cannot make a drive");
		vd_guard_report(&g, -ENOMEM, &err);
		return 1;
	}
	g.drive->state = args->state;
	g.drive->state.uid = geteuid();
	g.drive->state.gid = getegid();
	g.drive->state.started = time(NULL);
	snprintf(g.drive->state.engine, sizeof(g.drive->state.engine), "tcmu");
	snprintf(g.drive->state.medium, sizeof(g.drive->state.medium), "empty");
	vd_mmc_init(&g.drive->mmc, args->state.name);
	r = vd_rundir(g.rundir, sizeof(g.rundir), &err);
	if (!r)
		r = vd_tcmu_load(&err);
	if (!r)
		r = vd_state_claim(g.rundir, &g.drive->state, &g.lock_fd, &err);
	if (r) {
		vd_guard_report(&g, r, &err);
		return 1;
	}
	g.listen_fd = vd_control_listen(g.rundir, args->state.name, 0666, &err);
	r = g.listen_fd < 0 ? g.listen_fd : guard(&g, &err);
	/* A keeper that ended by itself has left nothing, and no words here. */
	if (r && err.text[0]) {
		struct vd_error rest = { "" };

		if (vd_tcmu_reap(args->state.name, &rest))
			vd_log(LOG_ERR, "%s", rest.text);
		vd_state_release(g.rundir, args->state.name, g.lock_fd);
		vd_guard_report(&g, r, &err);
	}
	return r ? 1 : 0;
}
