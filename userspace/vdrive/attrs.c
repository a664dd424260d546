// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * NAME/attr through children. A process that waits for a FUSE file system whose daemon does not answer cannot be
 * killed until it does, so the command itself never looks: a child does, for each drive, and is left behind when it
 * does not come back in time. It has closed everything but its pipe, and ends as soon as the drive answers or dies.
 *
 * Child to parent, reading: for each attribute its name, NUL, 'r' and 'w' or '-', NUL, its value, NUL; at the
 * end an empty name and 0 or an errno as text. Writing: a struct vd_reply.
 */
#include "userspace/vdrive/vdrive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "userspace/common/engine.h"

#define READ_MS 2000
#define WRITE_MS 10000
#define KILL_MS 500
#define AT_ONCE 64 /* children, each with a descriptor */
#define VALUE_MAX 65536u
#define ANSWER_MAX (4u << 20)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The kernel shows what it keeps itself in sysfs, under the same names. */
static bool in_sysfs(const struct found *f)
{
	return vd_engine_in_kernel(f->state.engine);
}

static int open_attrs(const struct found *f)
{
	char path[PATH_MAX];

	if (in_sysfs(f) ? snprintf(path, sizeof(path), "/sys/block/%s",
				   f->state.device + strlen("/dev/")) >= (int)sizeof(path)
			: snprintf(path, sizeof(path), "%s/%s/attr", f->place.dir, f->state.name) >=
				  (int)sizeof(path))
		return -ENAMETOOLONG;
	/* In sysfs it is a link. */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (in_sysfs(f) ? 0 : O_NOFOLLOW));

	return fd < 0 ? -errno : fd;
}

/* A whole value, without the newline at its end. @value holds VALUE_MAX. */
static int read_value(int dir, const char *name, char *value, mode_t *mode)
{
	_cleanup_close_ int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*mode = st.st_mode;
	while (n < VALUE_MAX - 1) {
		ssize_t got = read(fd, value + n, VALUE_MAX - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	value[n] = '\0';
	n = strlen(value);
	if (n && value[n - 1] == '\n')
		value[n - 1] = '\0';
	return 0;
}

static int child_read_all(FILE *f, const struct found *found)
{
	_cleanup_free_ char *value = malloc(VALUE_MAX);
	int dir = open_attrs(found);
	struct dirent *e;
	int r = 0;
	DIR *d;

	if (dir < 0)
		return dir;
	d = fdopendir(dir);
	if (!d || !value)
		return -errno;
	while (!r && (errno = 0, e = readdir(d))) {
		mode_t mode = 0;

		if (e->d_name[0] == '.')
			continue;
		r = read_value(dir, e->d_name, value, &mode);
		if (r && r != -EACCES && in_sysfs(found)) {
			r = 0;		   /* folders, links, and what has no value now */
		} else if (r == -EACCES) { /* one that can only be written */
			fprintf(f, "%s%c-w%c%c", e->d_name, 0, 0, 0);
			r = 0;
		} else if (!r) {
			fprintf(f, "%s%cr%c%c%s%c", e->d_name, 0, mode & 0222 ? 'w' : '-', 0, value,
				0);
		}
	}
	if (!r)
		r = -errno;
	closedir(d);
	return r;
}

/* Nothing may be left open in a child that can stay behind: a shell waits for the end of its pipes. */
static void become_background(int keep)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(keep, 3) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0 || close_range(4, ~0u, 0))
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	/* Out of the way of ^C and of the folder that it was called in. */
	if (chdir("/"))
		_exit(1);
}

/* Returns the pipe to read from, or -errno. */
static int start_child(pid_t *pid, void (*run)(const void *arg), const void *arg)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	*pid = fork();
	if (*pid < 0) {
		int r = -errno;

		close(p[0]);
		close(p[1]);
		return r;
	}
	if (!*pid) {
		become_background(p[1]);
		run(arg);
		_exit(0);
	}
	close(p[1]);
	return p[0];
}

/* Not waited for when it hangs: it may not be able to die yet. */
static void end_child(pid_t pid, bool finished)
{
	int64_t deadline = now_ms() + KILL_MS;

	if (!finished)
		kill(pid, SIGKILL);
	/*
	 * As long as it dies it keeps the drive busy, so a detach that follows would fail: it gets a moment. One whose request
	 * the reader has taken and not answered cannot die, and is left behind.
	 */
	while (waitpid(pid, NULL, finished ? 0 : WNOHANG) <= 0 && now_ms() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static void read_child(const void *arg)
{
	const struct attrs *a = arg;
	FILE *f = fdopen(3, "w");
	int r;

	if (!f)
		_exit(1);
	r = child_read_all(f, a->f);
	fprintf(f, "%c%d%c", 0, -r, 0);
	if (fclose(f))
		_exit(1);
}

/* Splits an answer; what is not complete is a failure. */
static void parse_answer(struct attrs *a, const char *text, size_t len)
{
	const char *end = text + len, *field[3];

	a->status = ATTRS_FAILED;
	a->error = -EIO;
	while (text < end) {
		size_t nfields = *text ? 3 : 2;

		for (size_t i = 0; i < nfields; i++) {
			const char *nul = memchr(text, 0, (size_t)(end - text));

			if (!nul)
				return;
			field[i] = text;
			text = nul + 1;
		}
		if (nfields == 2) {
			a->error = -atoi(field[1]);
			a->status = a->error ? ATTRS_FAILED : ATTRS_OK;
			return;
		}
		a->v = need(realloc(a->v, (a->n + 1) * sizeof(*a->v)));
		a->v[a->n++] = (struct attr){ .name = need(strdup(field[0])),
					      .value = need(strdup(field[2])),
					      .readable = field[1][0] == 'r',
					      .writable = field[1][0] && field[1][1] == 'w' };
	}
}

struct reading {
	pid_t pid;
	char *text;
	size_t len;
	bool done;
};

/* Takes what has arrived; true at the end. */
static bool take(int fd, struct reading *r)
{
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno != EINTR && errno != EAGAIN;
	if (!n || r->len + (size_t)n > ANSWER_MAX)
		return true;
	r->text = need(realloc(r->text, r->len + (size_t)n));
	memcpy(r->text + r->len, buf, (size_t)n);
	r->len += (size_t)n;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct attr *)a)->name, ((const struct attr *)b)->name);
}

static int read_batch(struct attrs *a, size_t n)
{
	struct reading reading[AT_ONCE] = { 0 };
	struct pollfd pfd[AT_ONCE];
	size_t started, open_pipes;
	int64_t until;
	int r = 0;

	for (started = 0; started < n; started++) {
		int fd = start_child(&reading[started].pid, read_child, &a[started]);

		if (fd < 0) {
			r = fd;
			break;
		}
		pfd[started] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	open_pipes = r ? 0 : started;
	until = now_ms() + READ_MS;
	while (open_pipes) {
		int64_t left = until - now_ms();

		if (left <= 0)
			break;
		if (poll(pfd, (nfds_t)started, (int)left) < 0 && errno != EINTR) {
			r = -errno;
			break;
		}
		for (size_t i = 0; i < started; i++) {
			if (pfd[i].fd < 0 || !pfd[i].revents || !take(pfd[i].fd, &reading[i]))
				continue;
			close(pfd[i].fd);
			pfd[i].fd = -1;
			reading[i].done = true;
			open_pipes--;
		}
	}
	for (size_t i = 0; i < started; i++) {
		vd_cleanup_close(&pfd[i].fd);
		end_child(reading[i].pid, reading[i].done);
		if (reading[i].done)
			parse_answer(&a[i], reading[i].text, reading[i].len);
		else
			a[i].status = ATTRS_HUNG;
		if (a[i].n)
			qsort(a[i].v, a[i].n, sizeof(*a[i].v), by_name);
		free(reading[i].text);
	}
	return r;
}

int attrs_read(struct attrs *a, size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i += AT_ONCE)
		r = read_batch(a + i, n - i < AT_ONCE ? n - i : AT_ONCE);
	return r;
}

void attrs_free(struct attrs *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < a[i].n; k++) {
			free(a[i].v[k].name);
			free(a[i].v[k].value);
		}
		free(a[i].v);
	}
}

const char *attrs_get(const struct attrs *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->v[i].name, name))
			return a->v[i].value;
	return NULL;
}

struct writing {
	const struct found *f;
	const char *name, *value;
};

/* One write(2) of value and newline, as `echo` does; the error may come as late as close(2). Takes @fd. */
static int write_value(int fd, const char *value)
{
	_cleanup_free_ char *line = NULL;
	int len = asprintf(&line, "%s\n", value), r = 0;
	ssize_t n;

	if (len < 0) {
		line = NULL;
		close(fd);
		return -ENOMEM;
	}
	n = write(fd, line, (size_t)len);
	if (n < 0)
		r = -errno;
	else if (n != len)
		r = -EIO;
	if (close(fd) && !r)
		r = -errno;
	return r;
}

/* The drive's own words for the write that just failed, without the attribute's name before them. */
static bool read_error(int dir, const char *name, struct vd_error *err)
{
	_cleanup_free_ char *words = malloc(VALUE_MAX);
	size_t n = strlen(name);
	const char *p = words;
	mode_t mode;

	if (!words || read_value(dir, "error", words, &mode) || !words[0])
		return false;
	if (!strncmp(p, name, n) && !strncmp(p + n, ": ", 2))
		p += n + 2;
	vd_error_set(err, 0, "%s", p);
	return true;
}

static int write_attr(const struct writing *w, struct vd_error *err)
{
	_cleanup_close_ int dir = open_attrs(w->f);
	int fd, r;

	if (dir < 0)
		return vd_error_errno(err, dir, "cannot reach drive %s", w->f->state.name);
	fd = openat(dir, w->name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		if (r == -ENOENT)
			return vd_error_set(err, r, "no such attribute (see 'vdrive set %s')",
					    w->f->state.name);
		if (r == -EACCES || r == -EPERM || r == -EROFS)
			return vd_error_set(err, r, "this attribute cannot be written");
	} else {
		r = write_value(fd, w->value);
		if (r && read_error(dir, w->name, err))
			return r;
	}
	return r ? vd_error_set(err, r, "%s", strerror(-r)) : 0;
}

static void write_child(const void *arg)
{
	struct vd_reply reply = { .magic = VD_REQUEST_MAGIC };

	reply.code = write_attr(arg, &reply.error);
	if (write(3, &reply, sizeof(reply)) != sizeof(reply))
		_exit(1);
}

int attrs_write(const struct found *f, const char *name, const char *value, struct vd_error *err)
{
	const struct writing w = { f, name, value };
	int64_t until = now_ms() + WRITE_MS;
	struct vd_reply reply = { 0 };
	struct pollfd pfd = { .events = POLLIN };
	ssize_t n = 0;
	pid_t pid;
	int r;

	pfd.fd = start_child(&pid, write_child, &w);
	if (pfd.fd < 0)
		return vd_error_errno(err, pfd.fd, "drive %s", f->state.name);
	do {
		int64_t left = until - now_ms();

		r = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	if (r > 0)
		n = read(pfd.fd, &reply, sizeof(reply));
	close(pfd.fd);
	end_child(pid, r > 0);
	if (r <= 0)
		return vd_error_set(err, -ETIMEDOUT, "drive %s does not answer", f->state.name);
	if (n != sizeof(reply))
		return vd_error_set(err, -EIO, "drive %s gave no answer", f->state.name);
	reply.error.text[sizeof(reply.error.text) - 1] = '\0';
	if (reply.code)
		vd_error_set(err, reply.code, "%s", reply.error.text);
	return reply.code;
}
