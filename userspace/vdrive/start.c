// SPDX-License-Identifier: GPL-3.0-or-later
/* Starting a drive under a free name, and undoing that when the user changes his mind meanwhile. */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define NAME_TRIES 999
#define DETACH_MS 30000

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction before[VD_ARRAY_SIZE(ending)];
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t child;

static void on_signal(int sig)
{
	interrupted = sig;
	if (child > 0)
		kill(child, sig);
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < VD_ARRAY_SIZE(ending); i++) {
		sigaction(ending[i], NULL, &before[i]);
		/* nohup's choice stays */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(ending[i], &sa, NULL);
	}
}

static void release_signals(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(ending); i++)
		sigaction(ending[i], &before[i], NULL);
}

/* The drive is there, and the command about to say so: a signal would end it with a status that says otherwise. */
static void ignore_signals(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(ending); i++)
		signal(ending[i], SIG_IGN);
}

static int wait_for(pid_t pid, struct vd_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return vd_error_errno(err, -errno, "cannot wait for the keeper");
	if (WIFSIGNALED(status))
		return vd_error_set(err, -ECHILD, "the keeper was killed by signal %d",
				    WTERMSIG(status));
	if (WEXITSTATUS(status))
		return vd_error_set(err, -ECHILD, "the keeper ended with status %d",
				    WEXITSTATUS(status));
	return 0;
}

/* The drive is there, and nobody wants it any more. */
static int undo(const struct vd_drive_start *s, struct vd_error *err)
{
	char rundir[PATH_MAX];
	int r;

	r = vd_rundir(rundir, sizeof(rundir), err);
	if (!r)
		r = vd_drive_request(rundir, s->state.name, VD_REQUEST_DETACH, VD_DETACH_LAZY,
				     DETACH_MS, err);
	if (r)
		return vd_error_prefix(err, r, "interrupted, but drive %s stays", s->state.name);
	return vd_error_set(err, -EINTR, "interrupted");
}

static int start_numbered(struct vd_drive_start *s, pid_t *pid, struct vd_error *err)
{
	char base[VD_DRIVE_NAME_MAX + 1];
	int r = -EEXIST;

	/* A drive in memory is called what it is. */
	vd_drive_name_from_path(
		s->state.image[0] ? s->state.image : vd_drive_type_name(s->state.type), base);
	strcpy(s->state.name, base);
	for (int i = 2; i <= NAME_TRIES + 1 && !interrupted; i++) {
		r = vd_drive_start(s, pid, err);
		if (r != -EEXIST)
			return r;
		snprintf(s->state.name, sizeof(s->state.name), "%.*s-%d", VD_DRIVE_NAME_MAX - 5,
			 base, i);
	}
	return r;
}

int start_drive(struct vd_drive_start *s, const char *explicit_name, pid_t *pid,
		struct vd_error *err)
{
	int r;

	catch_signals();
	if (explicit_name) {
		strcpy(s->state.name, explicit_name);
		r = vd_drive_start(s, pid, err);
	} else {
		r = start_numbered(s, pid, err);
	}
	if (!r && s->foreground)
		return 0; /* start_wait() goes on from here */
	if (interrupted)
		r = r ? vd_error_set(err, -EINTR, "interrupted") : undo(s, err);
	if (r)
		release_signals();
	else
		ignore_signals();
	return r;
}

/* Tells whoever started this command as a service of Type=notify that the drive is there (sd_notify(3)). */
static void tell_service_manager(void)
{
	static const char ready[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	_cleanup_close_ int sock = -1;

	if (!len)
		return;
	if (len >= sizeof(to.sun_path)) {
		complain("NOTIFY_SOCKET: %s", strerror(ENAMETOOLONG));
		return;
	}
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* of the abstract name space */
		to.sun_path[0] = '\0';
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || sendto(sock, ready, sizeof(ready) - 1, MSG_NOSIGNAL, (struct sockaddr *)&to,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		complain("%s: %s", path, strerror(errno));
}

int start_wait(pid_t pid, struct vd_error *err)
{
	int r;

	tell_service_manager();
	child = pid;
	if (interrupted) /* before the handler knew whom to tell */
		kill(pid, interrupted);
	r = wait_for(pid, err);
	child = 0;
	release_signals();
	return r;
}
