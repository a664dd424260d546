// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "hog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { PAGE = 4096 };

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static int write_text(const char *dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = -1;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_limit(const char *dir, const char *name, uint64_t limit)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	return write_text(dir, name, text);
}

int hog_cgroup_limit(const char *dir, uint64_t limit)
{
	int r = write_limit(dir, "memory.limit_in_bytes", limit);

	if (r != -ENOENT)
		return r;
	/*
	 * v2 kills when all that it may have is being written out, which a slow swap makes likely. At `high` it waits.
	 * That first, since to set it takes memory away and never kills.
	 */
	r = write_limit(dir, "memory.high", limit);
	return r ? r : write_limit(dir, "memory.max", limit + limit / 2);
}

/*
 * Whoever grows beyond `high` is made to sleep, page for page. So v2 has the limit when all is there already: pages go out
 * while it is set, as many as can be at a time.
 */
static int shrink(const char *dir, uint64_t limit, int timeout_s)
{
	char path[512], text[32];
	struct timespec begin, now;

	snprintf(path, sizeof(path), "%s/memory.current", dir);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;
		int r;

		if (fd < 0)
			return errno == ENOENT ? 0 : -errno; /* v1 */
		r = write_limit(dir, "memory.high", limit);
		if (r)
			return r;
		n = read(fd, text, sizeof(text) - 1);
		if (n <= 0)
			return n ? -errno : -EIO;
		text[n] = '\0';
		if (strtoull(text, NULL, 10) <= limit + limit / 4)
			return hog_cgroup_limit(dir, limit);
		sleep_ms(50);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < timeout_s);
	return -ETIMEDOUT;
}

int hog_cgroup_make(const char *name, uint64_t limit, char *dir)
{
	static const char *const bases[] = { "/sys/fs/cgroup/memory", "/sys/fs/cgroup" };
	int r = -ENOENT;

	for (size_t i = 0; i < VD_ARRAY_SIZE(bases); i++) {
		if (access(bases[i], W_OK))
			continue;
		snprintf(dir, 256, "%s/vdrive-test-%s-%d", bases[i], name, (int)getpid());
		if (mkdir(dir, 0755) && errno != EEXIST)
			return -errno;
		r = hog_cgroup_limit(dir, limit);
		if (!r)
			return 0;
		rmdir(dir);
	}
	return r;
}

int hog_cgroup_enter(const char *dir)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return write_text(dir, "cgroup.procs", pid);
}

int hog_cgroup_remove(const char *dir)
{
	for (int i = 0; i < 100; i++) {
		if (!rmdir(dir) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		sleep_ms(50);
	}
	return -EBUSY;
}

/* The child. */

static uint64_t hash(const unsigned char *p)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < PAGE; i += 8) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		h = (h ^ word) * 0x100000001b3;
		h ^= h >> 29;
	}
	return h;
}

/* From one file after the other, as often as it takes. */
static void fill(unsigned char *memory, size_t bytes)
{
	static const char *const dirs[] = { "/usr/bin", "/usr/sbin" };
	size_t n = 0, before;

	do {
		before = n;
		for (size_t i = 0; i < VD_ARRAY_SIZE(dirs); i++) {
			DIR *d = opendir(dirs[i]);
			struct dirent *e;

			while (d && n < bytes && (e = readdir(d))) {
				_cleanup_close_ int fd = openat(dirfd(d), e->d_name,
								O_RDONLY | O_CLOEXEC | O_NONBLOCK);
				struct stat st;
				ssize_t got;

				if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
					continue;
				while (n < bytes && (got = read(fd, memory + n, bytes - n)) > 0)
					n += (size_t)got;
			}
			if (d)
				closedir(d);
		}
	} while (n < bytes && n > before);
	if (n < bytes)
		_exit(3);
	/* Files that were read twice, and pages of zeros. */
	for (size_t page = 0; page < bytes / PAGE; page++)
		memcpy(memory + page * PAGE, &page, sizeof(page));
}

static void live(size_t bytes, int ask, int answer)
{
	unsigned char *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *sums = malloc(bytes / PAGE * sizeof(*sums));
	char c = 0;

	if (memory == MAP_FAILED || !sums)
		_exit(3);
	/* Pages that go to swap one by one. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	fill(memory, bytes);
	for (size_t i = 0; i < bytes / PAGE; i++)
		sums[i] = hash(memory + i * PAGE);
	while (write(answer, &c, 1) == 1 && read(ask, &c, 1) == 1) {
		c = 0;
		for (size_t i = 0; i < bytes / PAGE; i++)
			c |= sums[i] != hash(memory + i * PAGE);
	}
	_exit(0);
}

/* The parent. */

static int hear(struct hog *h, int timeout_s)
{
	struct pollfd pfd = { .fd = h->answer, .events = POLLIN };
	int status, r;
	char c;

	do
		r = poll(&pfd, 1, timeout_s * 1000);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r ? -errno : -ETIMEDOUT;
	if (read(h->answer, &c, 1) == 1)
		return c ? -EBADMSG : 0;
	/* It has ended, or is about to. */
	while (waitpid(h->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	h->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		return -EIO;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? -ENOMEM : -ECHILD;
}

int hog_start(struct hog *h, size_t bytes, uint64_t limit, int timeout_s)
{
	static int number;
	int ask[2], answer[2], r;
	char name[32];

	*h = (struct hog){ .ask = -1, .answer = -1 };
	snprintf(name, sizeof(name), "hog%d", ++number);
	r = hog_cgroup_make(name, limit, h->cgroup);
	if (!r && access("/sys/fs/cgroup/memory", F_OK))
		r = hog_cgroup_limit(h->cgroup, 2 * bytes);
	if (r) {
		h->cgroup[0] = '\0';
		return r;
	}
	if (pipe2(ask, O_CLOEXEC))
		return -errno;
	h->ask = ask[1];
	if (pipe2(answer, O_CLOEXEC)) {
		r = -errno;
		close(ask[0]);
		return r;
	}
	h->answer = answer[0];
	h->pid = fork();
	if (!h->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ask[1]);
		close(answer[0]);
		if (hog_cgroup_enter(h->cgroup))
			_exit(4);
		live(bytes, ask[0], answer[1]);
	}
	r = h->pid < 0 ? -errno : 0;
	close(ask[0]);
	close(answer[1]);
	if (r) {
		h->pid = 0;
		return r;
	}
	r = hear(h, timeout_s);
	return r ? r : shrink(h->cgroup, limit, timeout_s);
}

int hog_check(struct hog *h, int timeout_s)
{
	if (write(h->ask, "", 1) != 1)
		return errno == EPIPE ? hear(h, timeout_s) : -errno;
	return hear(h, timeout_s);
}

int hog_end(struct hog *h)
{
	int r = 0;

	if (h->ask >= 0)
		close(VD_TAKE_FD(h->ask));
	if (h->answer >= 0)
		close(VD_TAKE_FD(h->answer));
	if (h->pid) {
		r = -ETIMEDOUT;
		kill(h->pid, SIGKILL);
		for (int i = 0; i < 200 && r; i++) {
			if (waitpid(h->pid, NULL, WNOHANG) == h->pid)
				r = 0;
			else
				sleep_ms(50);
		}
		h->pid = 0;
	}
	if (h->cgroup[0] && !r)
		r = hog_cgroup_remove(h->cgroup);
	h->cgroup[0] = '\0';
	return r;
}
