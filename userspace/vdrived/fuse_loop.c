// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The request loop of a FUSE session.
 *
 * libfuse's own loop keeps several threads waiting in read(/dev/fuse). The kernel wakes them in turn, so that one
 * client that reads one block after the other meets another cold thread, often on another CPU, with each request:
 * half the speed of a single thread (measured, docs/architecture.md). A single thread, though, waits for
 * the disk while others could be served, and uses one CPU.
 *
 * So reading from /dev/fuse takes a token. There is one, and one thread keeps it from request to request:
 *
 *   - A handler that must wait for the disk passes its token on first (vd_fuse_loop_will_wait()), which wakes or
 *     starts another thread. Cached data is never waited for, and costs no wake-up.
 *   - When requests arrive faster than they are answered (the read returns at once several times running),
 *     a second token, and so on up to the number of CPUs, is made.
 *   - A thread with a token beyond the first one that finds itself idle gives that token up.
 *
 *   token holder --request that waits--> tokenless worker --done--> takes a free token, or sleeps
 *        ^                                                                |
 *        +---------------------- token passed on or made -----------------+
 *
 * Polling. Two threads that wait for each other are woken twice a request, and in a virtual machine that takes longer than
 * most answers do. So a holder whose last sleep was a short one reads /dev/fuse without sleeping for a while (POLL_NS) before it sleeps
 * again. In between it offers its CPU to others (sched_yield()); when one of them took it and there is still no request, that CPU has
 * better to do, and the holder sleeps at once. A drive that is left alone costs nothing: after one sleep that was not short nobody polls.
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include "userspace/vdrived/fuse_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A read of /dev/fuse that takes less has not slept. */
#define AT_ONCE_NS 3000
/* So many in a row mean that requests queue. */
#define BACKLOG 8
/* One that takes more means that this thread is not needed. */
#define IDLE_NS 200000

/* How long a thread polls before it sleeps: about what two wake-ups take in a virtual machine. */
#define POLL_NS 50000
/* A sched_yield() that takes more has let somebody else run. */
#define YIELDED_NS 3000

/* What libfuse 3 reads into: 256 pages and a header. Larger than it needs is fine. */
#define RECEIVE_SIZE ((256u + 16) * 4096)

atomic_ullong *vd_fuse_loop_answered;

struct loop {
	struct fuse_session *se;
	bool ready;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned threads, max_threads, sleeping;
	unsigned tokens, max_tokens; /* in hands and free */
	unsigned free_tokens;
	bool over;
	int error;
	pthread_t *ids;
	unsigned nids;
};

struct worker {
	struct loop *loop;
	bool has_token;
};

static __thread struct worker *self;

static void *worker_main(void *arg);

/* Makes one token free and sees to it that somebody takes it. Under the lock. */
static void offer_token(struct loop *l)
{
	l->free_tokens++;
	if (l->sleeping) {
		pthread_cond_signal(&l->wake);
	} else if (l->threads < l->max_threads && !l->over) {
		if (!pthread_create(&l->ids[l->nids], NULL, worker_main, l)) {
			l->nids++;
			l->threads++;
		}
		/* Without another thread the token is taken up by the next one that is done. */
	}
}

void vd_fuse_loop_will_wait(void)
{
	if (!self || !self->has_token)
		return;
	self->has_token = false;
	pthread_mutex_lock(&self->loop->lock);
	offer_token(self->loop);
	pthread_mutex_unlock(&self->loop->lock);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Under the lock: waits until there is a token for us, or all is over. */
static bool take_token(struct loop *l, struct worker *w)
{
	while (!l->free_tokens && !l->over) {
		l->sleeping++;
		pthread_cond_wait(&l->wake, &l->lock);
		l->sleeping--;
	}
	if (l->over)
		return false;
	l->free_tokens--;
	w->has_token = true;
	return true;
}

/*
 * Reads the next request; *@poll_ns is this thread's own and begins at 0. See "Polling" at the head.
 */
static int receive(struct loop *l, struct fuse_buf *buf, uint64_t *poll_ns)
{
	struct pollfd ready = { .fd = fuse_session_fd(l->se), .events = POLLIN };
	uint64_t start, now, before;
	int r;

	r = fuse_session_receive_buf(l->se, buf);
	if (r != -EAGAIN)
		return r;
	start = now = now_ns();
	while (now - start < *poll_ns) {
		before = now;
		sched_yield();
		now = now_ns();
		r = fuse_session_receive_buf(l->se, buf);
		if (r != -EAGAIN)
			return r;
		if (now - before > YIELDED_NS)
			break;
	}
	if (poll(&ready, 1, -1) < 0 && errno != EINTR)
		return -errno;
	*poll_ns = now_ns() - start < POLL_NS ? POLL_NS : 0;
	return fuse_session_receive_buf(l->se, buf);
}

static void work(struct loop *l)
{
	struct worker w = { .loop = l };
	struct fuse_buf buf = { .mem = NULL };
	unsigned backlog = 0;
	uint64_t waited, poll_ns = 0;
	int r;

	self = &w;
	/* Without it libfuse makes one at the first request. */
	if (l->ready)
		buf.mem = malloc(RECEIVE_SIZE);
	for (;;) {
		if (!w.has_token) {
			bool go;

			pthread_mutex_lock(&l->lock);
			go = take_token(l, &w);
			pthread_mutex_unlock(&l->lock);
			if (!go)
				break;
			backlog = 0;
		}
		waited = now_ns();
		r = receive(l, &buf, &poll_ns);
		waited = now_ns() - waited;
		if (r == -EINTR || r == -EAGAIN)
			continue;
		if (r <= 0) { /* 0: unmounted */
			pthread_mutex_lock(&l->lock);
			l->over = true;
			if (r < 0 && !l->error)
				l->error = r;
			pthread_cond_broadcast(&l->wake);
			pthread_mutex_unlock(&l->lock);
			break;
		}
		backlog = waited < AT_ONCE_NS ? backlog + 1 : 0;
		if (backlog >= BACKLOG && l->max_tokens > 1) {
			backlog = 0;
			pthread_mutex_lock(&l->lock);
			if (l->tokens < l->max_tokens &&
			    (l->sleeping || l->threads < l->max_threads)) {
				l->tokens++;
				offer_token(l);
			}
			pthread_mutex_unlock(&l->lock);
		}
		fuse_session_process_buf(l->se, &buf);
		if (vd_fuse_loop_answered)
			atomic_fetch_add(vd_fuse_loop_answered, 1);
		if (waited > IDLE_NS && w.has_token && l->max_tokens > 1) {
			pthread_mutex_lock(&l->lock);
			if (l->tokens > 1) {
				l->tokens--;
				w.has_token = false;
			}
			pthread_mutex_unlock(&l->lock);
		}
	}
	self = NULL;
	free(buf.mem);
}

static void *worker_main(void *arg)
{
	work(arg);
	return NULL;
}

int vd_fuse_loop(struct fuse_session *se, unsigned threads, bool ready)
{
	struct loop l = { .se = se, .ready = ready, .threads = 1, .tokens = 1, .free_tokens = 1 };
	cpu_set_t cpus;
	int flags;

	flags = fcntl(fuse_session_fd(se), F_GETFL);
	if (flags < 0 || fcntl(fuse_session_fd(se), F_SETFL, flags | O_NONBLOCK))
		return -errno;
	l.max_tokens = !sched_getaffinity(0, sizeof(cpus), &cpus) ? (unsigned)CPU_COUNT(&cpus) : 1;
	l.max_threads = threads ? threads : l.max_tokens;
	if (l.max_tokens > l.max_threads)
		l.max_tokens = l.max_threads;
	l.ids = calloc(l.max_threads, sizeof(*l.ids));
	if (!l.ids)
		return -ENOMEM;
	pthread_mutex_init(&l.lock, NULL);
	pthread_cond_init(&l.wake, NULL);
	pthread_mutex_lock(&l.lock); /* they wait for it before they do anything */
	while (ready && l.threads < l.max_threads &&
	       !pthread_create(&l.ids[l.nids], NULL, worker_main, &l)) {
		l.nids++;
		l.threads++;
	}
	pthread_mutex_unlock(&l.lock);
	work(&l);
	/* No thread is started once `over` is set, so nids stands still. */
	for (unsigned i = 0; i < l.nids; i++)
		pthread_join(l.ids[i], NULL);
	pthread_cond_destroy(&l.wake);
	pthread_mutex_destroy(&l.lock);
	free(l.ids);
	return l.error;
}
