// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/vdrived/process.h"
#include "util/cleanup.h"

/* A reader that dies more often than deaths[] has places in this time is not started again. */
#define DEATHS_MS 60000

/* It shall be a file: what can be opened besides may be anything. */
static int check_file(int fd, const char *name, struct vd_error *err)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st))
		return vd_error_errno(err, -errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return vd_error_set(err, -EINVAL, "%s: not a regular file", name);
	if (flags & O_PATH || (flags & O_ACCMODE) == O_WRONLY)
		return vd_error_set(err, -EBADF, "%s: not open for reading", name);
	return 0;
}

int vd_medium_new(const char *image, int image_fd, struct vd_medium **out, struct vd_error *err)
{
	struct vd_medium *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		close(image_fd);
		return vd_error_errno(err, -ENOMEM, "%s", image);
	}
	m->refs = 1;
	m->sock = m->work = m->slots_fd = -1;
	snprintf(m->image, sizeof(m->image), "%s", image);
	r = vd_medium_hold(m, "", 0, image_fd, err);
	if (r < 0) {
		vd_medium_unref(m);
		return r;
	}
	*out = m;
	return 0;
}

struct vd_medium *vd_medium_ref(struct vd_medium *m)
{
	m->refs++;
	return m;
}

void vd_medium_unref(struct vd_medium *m)
{
	if (!m || --m->refs)
		return;
	vd_medium_stop(m, NULL, 0);
	for (uint32_t i = 0; i < m->nfiles; i++)
		close(m->files[i].fd);
	free(m);
}

int vd_medium_hold(struct vd_medium *m, const char *text, uint32_t arg, int fd,
		   struct vd_error *err)
{
	int r = check_file(fd, m->nfiles ? text : m->image, err);
	struct vd_held *h;

	if (!r && m->nfiles == VD_ARRAY_SIZE(m->files))
		r = vd_error_set(err, -EMFILE, "%s: more than %d files", m->image, VD_OPENER_MAX);
	if (r) {
		close(fd);
		return r;
	}
	h = &m->files[m->nfiles];
	*h = (struct vd_held){ .arg = arg, .fd = fd };
	snprintf(h->text, sizeof(h->text), "%s", text);
	return (int)m->nfiles++;
}

/* Memory for questions and answers. The reader can change it, but not its size. */
static int make_slots(struct vd_medium *m, struct vd_error *err)
{
	void *p = MAP_FAILED;

	m->slots_fd = memfd_create("vdrive-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->slots_fd >= 0 && !ftruncate(m->slots_fd, VD_SLOTS_BYTES) &&
	    !fcntl(m->slots_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		p = mmap(NULL, VD_SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->slots_fd, 0);
	if (p == MAP_FAILED)
		return vd_error_errno(err, -errno, "cannot make memory to share with the reader");
	m->slots = p;
	return 0;
}

int vd_medium_employ(struct vd_medium *m, struct vd_error *err)
{
	struct vd_message slots = { .type = VD_MSG_SLOTS }, work = { .type = VD_MSG_WORK };
	_cleanup_close_ int theirs = -1;
	int sv[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return vd_error_errno(err, -errno, "cannot reach the reader");
	m->work = sv[0];
	theirs = sv[1];
	r = vd_message_send(m->sock, &slots, m->slots_fd);
	if (!r)
		r = vd_message_send(m->sock, &work, theirs);
	m->ready = !r;
	return r ? vd_error_errno(err, r, "cannot reach the reader") : 0;
}

int vd_medium_start(struct vd_medium *m, const struct vd_drive_state *drive, bool foreground,
		    struct vd_error *err)
{
	_cleanup_free_ struct vd_reader_config *config = calloc(1, sizeof(*config));
	const struct vd_reader_start start = { .config = config,
					       .image_fd = m->files[0].fd,
					       .answered_fd = -1,
					       .foreground = foreground };
	int r;

	if (!config)
		return vd_error_errno(err, -ENOMEM, "cannot start a reader");
	config->state = *drive;
	snprintf(config->state.image, sizeof(config->state.image), "%s", m->image);
	m->number[0] = 0;
	m->nnumbers = 1;
	r = make_slots(m, err);
	if (!r)
		r = vd_reader_spawn(&start, &m->reader, &m->sock, err);
	if (r)
		vd_medium_stop(m, NULL, 0);
	m->since = vd_now_ms();
	return r;
}

void vd_medium_stop(struct vd_medium *m, char *how, size_t size)
{
	if (how && size)
		how[0] = '\0';
	if (m->sock >= 0)
		close(VD_TAKE_FD(m->sock));
	if (m->work >= 0)
		close(VD_TAKE_FD(m->work));
	if (m->reader)
		vd_reader_reap(m->reader, true, how, size);
	if (m->slots)
		munmap(m->slots, VD_SLOTS_BYTES);
	if (m->slots_fd >= 0)
		close(VD_TAKE_FD(m->slots_fd));
	m->slots = NULL;
	m->reader = 0;
	m->ready = false;
	m->pinged = 0;
}

int vd_medium_answer_open(struct vd_medium *m, int index, int code, const char *words)
{
	struct vd_message answer = { .type = VD_MSG_OPENED, .code = code };

	if (code) {
		snprintf(answer.text, sizeof(answer.text), "%s", words);
		return vd_message_send(m->sock, &answer, -1);
	}
	if (m->nnumbers == VD_ARRAY_SIZE(m->number))
		return -EMFILE;
	m->number[m->nnumbers++] = (uint32_t)index;
	return vd_message_send(m->sock, &answer, m->files[index].fd);
}

int vd_medium_find(const struct vd_medium *m, const struct vd_message *asked)
{
	for (uint32_t i = 1; i < m->nfiles; i++)
		if (m->files[i].arg == asked->arg && !strcmp(m->files[i].text, asked->text))
			return (int)i;
	return -ENOENT;
}

bool vd_medium_may_restart(struct vd_medium *m)
{
	const int64_t now = vd_now_ms();
	int64_t *oldest = &m->deaths[0];

	for (size_t i = 1; i < VD_ARRAY_SIZE(m->deaths); i++)
		if (m->deaths[i] < *oldest)
			oldest = &m->deaths[i];
	if (*oldest && now - *oldest < DEATHS_MS)
		return false;
	*oldest = now;
	return true;
}

int vd_medium_ask(struct vd_medium *m, uint32_t n)
{
	return send(m->work, &n, sizeof(n), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(n) ? 0 : -EPIPE;
}

int vd_medium_hear(struct vd_medium *m, uint32_t *n, struct vd_slot_answer *out)
{
	ssize_t got = recv(m->work, n, sizeof(*n), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -EPIPE;
	if (got != sizeof(*n) || *n >= VD_SLOTS)
		return -EBADMSG;
	vd_slot_copy(out, &m->slots[*n].answer);
	return 1;
}
