// SPDX-License-Identifier: GPL-3.0-or-later
/* A disc in an optical drive, as its reader sees it: questions of the keeper's, which has the drive. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace/vdrived/opener.h"
#include "userspace/vdrived/slots.h"
#include "util/cleanup.h"

/* As many commands can wait for storage at a time; the kernel sends one program's reads two or three deep. */
#define THREADS 8

static struct {
	struct vd_disc *disc;
	struct vd_slot *slots;
	int work;
	int files[VD_OPENER_MAX + 1]; /* descriptors, by number; -1 */
	uint32_t nfiles;
} served = { .work = -1 };

void vd_slots_file(int fd, uint32_t number)
{
	if (number >= VD_ARRAY_SIZE(served.files))
		return;
	while (served.nfiles <= number)
		served.files[served.nfiles++] = -1;
	/* One that was closed meanwhile had its number. */
	for (uint32_t i = 0; i < served.nfiles; i++)
		if (served.files[i] == fd)
			served.files[i] = -1;
	served.files[number] = fd;
}

static int number_of(int fd, uint32_t *number)
{
	for (uint32_t i = 0; i < served.nfiles; i++)
		if (served.files[i] == fd) {
			*number = i;
			return 0;
		}
	return -ENOENT;
}

/* True unless one of them lies in a file that the keeper has not. */
static bool put_ranges(const struct vd_fd_range *ranges, size_t n, struct vd_slot_answer *a)
{
	for (size_t i = 0; i < n; i++) {
		if (number_of(ranges[i].fd, &a->ranges[i].file))
			return false;
		a->ranges[i].offset = ranges[i].offset;
		a->ranges[i].len = ranges[i].len;
	}
	return true;
}

static void answer(struct vd_slot *s)
{
	const struct vd_slot_question question = s->question;
	struct vd_fd_range ranges[VD_SLOT_RANGES];
	struct vd_mmc_request q = {
		.cdb = question.cdb,
		.cdb_len = question.cdb_len,
		.in = s->data,
		.in_cap = question.in_cap,
		.out = s->data,
		.out_len = question.out_len,
		.ranges = question.ranges ? ranges : NULL,
		.max_ranges = question.ranges ? VD_ARRAY_SIZE(ranges) : 0,
		.now = question.now,
	};
	struct vd_mmc_reply r;

	vd_mmc_answer(&question.drive, served.disc, &q, &r);
	if (r.nranges && !put_ranges(ranges, r.nranges, &s->answer)) {
		q.ranges = NULL;
		q.max_ranges = 0;
		vd_mmc_answer(&question.drive, served.disc, &q, &r);
	}
	s->answer.reply = r;
}

static void *work(void *arg)
{
	uint32_t n;

	(void)arg;
	for (;;) {
		/* Each packet wakes one of us. */
		ssize_t got = read(served.work, &n, sizeof(n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(n) || n >= VD_SLOTS)
			_exit(1); /* no keeper, no drive */
		answer(&served.slots[n]);
		while (write(served.work, &n, sizeof(n)) != sizeof(n))
			if (errno != EINTR)
				_exit(1);
	}
	return NULL;
}

int vd_slots_map(int fd, struct vd_error *err)
{
	void *p = mmap(NULL, VD_SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int r = p == MAP_FAILED ? -errno : 0;

	close(fd);
	if (r)
		return vd_error_errno(err, r, "cannot share memory with the keeper");
	served.slots = p;
	return 0;
}

int vd_slots_serve(struct vd_disc *disc, int fd, struct vd_error *err)
{
	pthread_t thread;
	int r;

	served.disc = disc;
	served.work = fd;
	if (!served.slots)
		return vd_error_set(err, -EPROTO, "no memory was shared with the keeper");
	for (int i = 0; i < THREADS; i++) {
		r = pthread_create(&thread, NULL, work, NULL);
		if (r)
			return vd_error_errno(err, -r, "cannot start a thread");
		pthread_detach(thread);
	}
	return 0;
}
