// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/vdrived/jobs.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *work(void *arg)
{
	static const uint64_t one = 1;
	struct vd_jobs *p = arg;

	for (;;) {
		struct vd_job *j;

		pthread_mutex_lock(&p->lock);
		while (!p->first)
			pthread_cond_wait(&p->wake, &p->lock);
		j = p->first;
		p->first = j->next;
		if (!p->first)
			p->last = &p->first;
		pthread_mutex_unlock(&p->lock);
		j->run(j);
		pthread_mutex_lock(&p->lock);
		j->next = p->finished;
		p->finished = j;
		pthread_mutex_unlock(&p->lock);
		/* It counts: that fails only when it was not read 2^64 times. */
		while (write(p->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
	return NULL;
}

int vd_jobs_start(struct vd_jobs *p, int threads, struct vd_error *err)
{
	pthread_t thread;
	int r;

	*p = (struct vd_jobs){ .lock = PTHREAD_MUTEX_INITIALIZER,
			       .wake = PTHREAD_COND_INITIALIZER };
	p->last = &p->first;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0)
		return vd_error_errno(err, -errno, "cannot start threads");
	for (int i = 0; i < threads; i++) {
		r = pthread_create(&thread, NULL, work, p);
		if (r)
			return vd_error_errno(err, -r, "cannot start threads");
		pthread_detach(thread);
	}
	return 0;
}

void vd_jobs_add(struct vd_jobs *p, struct vd_job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->last = j;
	p->last = &j->next;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

void vd_jobs_collect(struct vd_jobs *p)
{
	struct vd_job *list, *next;
	uint64_t count;

	while (read(p->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&p->lock);
	list = p->finished;
	p->finished = NULL;
	pthread_mutex_unlock(&p->lock);
	for (; list; list = next) {
		next = list->next;
		list->done(list);
	}
}

int vd_jobs_capabilities(bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = on ? data[i].permitted : 0;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}
