// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a reader that a hostile image has taken over would try. Built only with VDRIVE_TEST_HOOKS; a write to
 * attr/misbehave runs one of these inside the cage and reports how it went: "refused: ..." as
 * an error, or success, which the test then counts as a failure.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/vdrived/message.h"
#include "userspace/vdrived/reader.h"

int vd_test_misbehave(const char *what, struct vd_error *err);

static int try_open(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int try_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	close(fd);
	return r == -ECONNREFUSED ? 0 : r; /* it went out: nobody listened */
}

static int try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return -errno;
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return 0;
}

static int try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) ? -errno : 0;
}

static int try_exec_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, 4096);
	return 0;
}

static int try_kill_parent(void)
{
	return kill(getppid(), 0) ? -errno : 0;
}

static int do_abort(void)
{
	abort();
}

static int do_hang(void)
{
	while (sleep(1000) == 0)
		;
	return -EINTR;
}

/* Talks to the keeper without end. It ends when the keeper has had enough, by SIGKILL or by closing the socket. */
static int flood(enum vd_message_type type)
{
	struct vd_message m = { .type = type, .text = "label=flood" };
	int r;

	do
		r = vd_message_send(VD_READER_SOCK, &m, -1);
	while (!r);
	return r;
}

static void sleep_forever(int sig)
{
	(void)sig;
	do_hang();
}

/* Asks for files, and keeps the main thread from taking the answers. */
static int do_flood_open(void)
{
	pid_t pid = getpid();

	signal(SIGUSR1, sleep_forever);
	if (syscall(SYS_tgkill, pid, pid, SIGUSR1))
		return -errno;
	return flood(VD_MSG_OPEN);
}

static void *flood_main(void *arg)
{
	(void)arg;
	(void)flood(VD_MSG_ATTRIBUTE);
	return NULL;
}

/* Several threads at once, so that there is always one more message waiting. */
static int do_flood_attribute(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++) {
		int r = pthread_create(&thread, NULL, flood_main, NULL);

		if (r)
			return -r;
	}
	return flood(VD_MSG_ATTRIBUTE);
}

int vd_test_misbehave(const char *what, struct vd_error *err)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} acts[] = {
		{ "open", try_open },
		{ "connect", try_connect },
		{ "exec", try_exec },
		{ "fork", try_fork },
		{ "ptrace", try_ptrace },
		{ "exec-memory", try_exec_memory },
		{ "kill-parent", try_kill_parent },
		{ "abort", do_abort },
		{ "hang", do_hang },
		{ "flood-open", do_flood_open },
		{ "flood-attribute", do_flood_attribute },
	};

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(acts[i].name, what)) {
			int r = acts[i].run();

			return r ? vd_error_errno(err, r, "refused: %s", what) : 0;
		}
	return vd_error_set(err, -EINVAL, "misbehave: no act is called '%s'", what);
}
