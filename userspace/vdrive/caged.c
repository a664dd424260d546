// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrive/caged.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/physical.h"
#include "userspace/common/cage.h"
#include "userspace/vdrived/message.h"
#include "userspace/vdrived/opener.h"

#define STEPS 1000u

volatile sig_atomic_t caged_pid;

struct caged {
	struct vd_opener opener; /* first: ask_open() gets a pointer to it */
	int sock, image_fd;
	struct vd_transport *mmc; /* the drive that the image is, or NULL */
	unsigned int shown;
};

/* The child's side. */

static int ask(struct caged *c, struct vd_message *m, struct vd_error *err)
{
	int fd, r = vd_message_send(c->sock, m, -1);

	if (!r)
		r = vd_message_recv(c->sock, m, &fd);
	/* Without the parent nobody waits for us. */
	if (r <= 0 || m->type != VD_MSG_OPENED)
		_exit(EX_FAILED);
	if (m->code)
		return vd_error_set(err, m->code, "%s", m->text);
	return fd >= 0 ? fd : vd_error_errno(err, -EBADF, "no descriptor came");
}

/* @arg as VD_MSG_OPEN has it. */
static int ask_for(struct vd_opener *o, const char *name, uint32_t arg, struct vd_error *err)
{
	struct vd_message m = { .type = VD_MSG_OPEN, .arg = arg };

	if (strlen(name) >= sizeof(m.text))
		return vd_error_errno(err, -ENAMETOOLONG, "%.64s...", name);
	strcpy(m.text, name);
	return ask((struct caged *)o, &m, err);
}

static int ask_open(struct vd_opener *o, const char *name, struct vd_error *err)
{
	return ask_for(o, name, 0, err);
}

static int ask_open_nth(struct vd_opener *o, const char *suffix, unsigned int n,
			struct vd_error *err)
{
	return ask_for(o, suffix, n + 1, err);
}

struct vd_opener *caged_opener(struct caged *c)
{
	return &c->opener;
}

int caged_take_image(struct caged *c)
{
	return VD_TAKE_FD(c->image_fd);
}

int caged_output(struct caged *c, uint32_t kind, uint32_t number, struct vd_error *err)
{
	struct vd_message m = { .type = VD_MSG_OUTPUT, .code = (int32_t)number, .arg = kind };

	return ask(c, &m, err);
}

void caged_progress(struct caged *c, uint64_t done, uint64_t total)
{
	struct vd_message m = { .type = VD_MSG_PROGRESS };
	unsigned int step = total ? (unsigned int)((double)done / (double)total * STEPS) : STEPS;

	if (step == c->shown)
		return;
	c->shown = m.arg = step;
	if (vd_message_send(c->sock, &m, -1))
		_exit(EX_FAILED);
}

void caged_finish_progress(struct caged *c)
{
	struct vd_message m = { .type = VD_MSG_PROGRESS, .arg = CAGED_FINISHED };

	(void)ask(c, &m, NULL); /* the answer is that there is one */
}

struct vd_disc *caged_open_disc(struct caged *c, const struct opened *image,
				const struct vd_image_format **format)
{
	struct vd_error err = { "" };
	struct vd_disc *disc = NULL;
	int r;

	if (c->mmc) {
		if (format)
			*format = &vd_image_physical;
		r = vd_physical_open(VD_TAKE_PTR(c->mmc), &disc, &err);
	} else {
		r = vd_image_open(caged_opener(c), caged_take_image(c),
				  strrchr(image->path, '/') + 1, &disc, format, &err);
	}
	if (!r)
		return disc;
	complain_error(r, &err, image->given);
	return NULL;
}

/* Those of the parent are none of ours; what nohup has switched off stays so. */
static void drop_handlers(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	for (size_t i = 0; i < VD_ARRAY_SIZE(sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			signal(sigs[i], SIG_DFL);
}

static _Noreturn void child(const struct caged_job *job, int sock)
{
	struct caged c = { .opener = { .open = ask_open, .open_nth = ask_open_nth }, .sock = sock };
	struct vd_error err = { "" };
	int status, r = 0, drive_fd = -1;

	c.image_fd = VD_TAKE_FD(job->image->fd);
	/* A signal of the terminal reaches the parent too, which may have to tidy up. */
	drop_handlers();
	if (vd_physical_is_drive(c.image_fd))
		r = vd_physical_transport(c.image_fd, &c.mmc, &drive_fd, &err);
	if (!r)
		r = vd_cage_enter(VD_CAGE_INFO, drive_fd, &err);
	if (r) {
		complain_error(r, &err, job->image->given);
		_exit(EX_FAILED);
	}
	status = job->run(&c, job->arg);
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			complain("write error%s%s", errno ? ": " : "",
				 errno ? strerror(errno) : "");
		status = status ? status : EX_FAILED;
	}
	_exit(status);
}

/* The parent's side. */

static int answer(int sock, int fd, const struct vd_error *err)
{
	struct vd_message m = { .type = VD_MSG_OPENED, .code = fd < 0 ? fd : 0 };

	if (fd < 0)
		memcpy(m.text, err->text, sizeof(m.text));
	return vd_message_send(sock, &m, fd);
}

static int serve_one(const struct caged_job *job, struct vd_keeper_opener *opener, int sock,
		     const struct vd_message *m)
{
	struct vd_error err = { "" };
	int fd, r;

	switch (m->type) {
	case VD_MSG_OPEN:
		fd = vd_keeper_open_asked(opener, m->text, m->arg, &err);
		r = answer(sock, fd, &err);
		if (fd >= 0)
			close(fd);
		return r;
	case VD_MSG_OUTPUT:
		if (!job->output)
			return -EPROTO;
		return answer(sock, job->output(job->arg, m->arg, (uint32_t)m->code, &err), &err);
	case VD_MSG_PROGRESS:
		if (job->progress)
			job->progress(job->arg, m->arg == CAGED_FINISHED ? m->arg
						: m->arg > STEPS	 ? STEPS
									 : m->arg);
		return m->arg == CAGED_FINISHED ? answer(sock, -ENODATA, &err) : 0;
	default:
		return -EPROTO;
	}
}

int caged_run(const struct caged_job *job, struct vd_error *err)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener opener = {
		.dir_fd = job->image->dir_fd
	};
	_cleanup_close_ int mine = -1;
	struct vd_message m;
	int pair[2], fd, status, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return vd_error_errno(err, -errno, "%s", job->image->given);
	mine = pair[0];
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		r = -errno;
		close(pair[1]);
		return vd_error_errno(err, r, "%s", job->image->given);
	}
	if (!pid) {
		/* Only the image: what else the parent has open is none of its business. */
		close(VD_TAKE_FD(mine));
		vd_cleanup_close(&job->image->dir_fd);
		child(job, pair[1]);
	}
	caged_pid = pid;
	close(pair[1]);
	while ((r = vd_message_recv(mine, &m, &fd)) > 0) {
		if (fd >= 0)
			close(fd);
		r = serve_one(job, &opener, mine, &m);
		if (r)
			break;
	}
	/* It says what makes no sense, or waits for an answer that cannot be given: it will not end by itself. */
	if (r < 0)
		kill(pid, SIGKILL);
	vd_cleanup_close(&mine);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return vd_error_errno(err, -errno, "%s", job->image->given);
	caged_pid = 0;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return vd_error_set(err, -EIO, "%s: the process that reads it was ended by a signal (%s)",
			    job->image->given, strsignal(WTERMSIG(status)));
}
