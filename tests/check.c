// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CUnit runs the tests, ends one at a fatal assertion and counts. What it lacks is done here: skipping, values in messages,
 * an exit status, setup that may fail as a test does. Setup and teardown are run as tests of their own, because CUnit's
 * hooks for them cannot hold assertions; they are counted only when they fail.
 */
#define _GNU_SOURCE
#include "check.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

#define EXIT_ALL_SKIPPED 77
#define EXIT_CHILD_FAILED 99
#define OUTPUT_MAX ((size_t)64 << 20)

enum role { ROLE_SETUP, ROLE_TEST, ROLE_TEARDOWN };

struct block {
	struct block *next;
	max_align_t data[];
};

/* One program runs one suite; CUnit is of the same mind. */
static struct {
	pthread_mutex_t lock; /* assertions of several threads */
	pthread_t thread;     /* which runs the tests */
	pid_t pid;
	const struct check_suite *suite;
	enum role role;
	unsigned int failures; /* of the running test */
	unsigned int asserts;
	char *skip; /* why the running test is skipped; NULL: it is not */
	char *setup_skip;
	bool setup_failed;
	size_t npassed, nfailed, nskipped;
	struct block *blocks, *program_blocks;
	char tmpdir[PATH_MAX];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "check: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Memory. */

static void *block_alloc(struct block **list, size_t size)
{
	struct block *b = calloc(1, sizeof(*b) + (size ? size : 1));

	if (!b)
		die("no memory");
	pthread_mutex_lock(&state.lock);
	b->next = *list;
	*list = b;
	pthread_mutex_unlock(&state.lock);
	return b->data;
}

static void blocks_free(struct block **list)
{
	while (*list) {
		struct block *b = *list;

		*list = b->next;
		free(b);
	}
}

void *check_alloc(size_t size)
{
	return block_alloc(state.role == ROLE_SETUP ? &state.program_blocks : &state.blocks, size);
}

static char *vprintf_alloc(const char *fmt, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	int n = vasprintf(&text, fmt, ap);
	char *copy;

	if (n < 0) {
		text = NULL;
		die("no memory");
	}
	copy = check_alloc((size_t)n + 1);
	memcpy(copy, text, (size_t)n + 1);
	return copy;
}

char *check_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vprintf_alloc(fmt, ap);
	va_end(ap);
	return s;
}

/* Assertions. */

static void note(const struct check_where *w, bool held, const char *message)
{
	bool fatal = !held && w->fatal;

	if (getpid() != state.pid) {
		if (held)
			return;
		fprintf(stderr, "    %s:%u: in a child process: %s\n", w->file, w->line, message);
		_exit(EXIT_CHILD_FAILED);
	}
	pthread_mutex_lock(&state.lock);
	state.asserts++;
	if (!held) {
		state.failures++;
		printf("    %s:%u: %s\n", w->file, w->line, message);
		fflush(stdout);
	}
	if (!fatal)
		CU_assertImplementation(held ? CU_TRUE : CU_FALSE, w->line, message, w->file,
					w->function, CU_FALSE);
	pthread_mutex_unlock(&state.lock);
	if (!fatal)
		return;
	if (!pthread_equal(pthread_self(), state.thread)) {
		fprintf(stderr, "check: ASSERT outside the test's own thread\n");
		abort();
	}
	/* Does not return: CUnit jumps out of the test. */
	CU_assertImplementation(CU_FALSE, w->line, message, w->file, w->function, CU_TRUE);
}

static bool note_format(const struct check_where *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool note_format(const struct check_where *w, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vprintf_alloc(fmt, ap);
	va_end(ap);
	note(w, false, s);
	return false;
}

static bool note_held(const struct check_where *w)
{
	note(w, true, "");
	return true;
}

bool check_true(const struct check_where *w, bool held, const char *what)
{
	return held ? note_held(w) : note_format(w, "not so: %s", what);
}

bool check_int(const struct check_where *w, long long actual, long long expected, const char *what)
{
	if (actual == expected)
		return note_held(w);
	return note_format(w, "%s is %lld (%#llx), expected %lld (%#llx)", what, actual,
			   (unsigned long long)actual, expected, (unsigned long long)expected);
}

bool check_uint(const struct check_where *w, unsigned long long actual, unsigned long long expected,
		const char *what)
{
	if (actual == expected)
		return note_held(w);
	return note_format(w, "%s is %llu (%#llx), expected %llu (%#llx)", what, actual, actual,
			   expected, expected);
}

const char *check_errno_name(long long code)
{
	const char *name = NULL;

	if (!code)
		return "0";
	if (code > -4096 && code < 4096)
		name = strerrorname_np(code < 0 ? (int)-code : (int)code);
	return name ? name : check_printf("%lld", code);
}

bool check_errno(const struct check_where *w, long long actual, long long expected,
		 const char *what)
{
	if (actual == expected)
		return note_held(w);
	return note_format(w, "%s is %lld (%s), expected %lld (%s)", what, actual,
			   check_errno_name(actual), expected, check_errno_name(expected));
}

/* A text as a C literal, so that a blank at its end or a control character shows. */
static const char *quoted(const char *s)
{
	size_t len;
	char *out, *p;

	if (!s)
		return "NULL";
	len = strlen(s);
	out = p = check_alloc(len * 4 + 3);
	*p++ = '"';
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c == '\n') {
			*p++ = '\\';
			*p++ = 'n';
		} else if (c < 0x20 || c == 0x7f) {
			p += sprintf(p, "\\%03o", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

bool check_str(const struct check_where *w, const char *actual, const char *expected,
	       const char *what)
{
	if (actual == expected || (actual && expected && !strcmp(actual, expected)))
		return note_held(w);
	return note_format(w, "%s is %s, expected %s", what, quoted(actual), quoted(expected));
}

bool check_has(const struct check_where *w, const char *text, const char *part, const char *what)
{
	if (text && strstr(text, part))
		return note_held(w);
	return note_format(w, "%s is %s, which does not hold %s", what, quoted(text), quoted(part));
}

static const char *hex_around(const uint8_t *p, size_t from, size_t to)
{
	char *out = check_alloc((to - from) * 3 + 1);

	for (size_t i = from; i < to; i++)
		sprintf(out + (i - from) * 3, "%02x ", p[i]);
	return out;
}

bool check_mem(const struct check_where *w, const void *actual, const void *expected, size_t len,
	       const char *what)
{
	const uint8_t *a = actual, *e = expected;
	size_t at, to;

	if (!len || !memcmp(a, e, len))
		return note_held(w);
	for (at = 0; a[at] == e[at];)
		at++;
	to = len - at < 16 ? len : at + 16;
	return note_format(w, "%s differs at byte %zu of %zu: %sexpected %s", what, at, len,
			   hex_around(a, at, to), hex_around(e, at, to));
}

bool check_fail(const struct check_where *w, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vprintf_alloc(fmt, ap);
	va_end(ap);
	note(w, false, s);
	return false;
}

bool check_failed(void)
{
	bool failed;

	pthread_mutex_lock(&state.lock);
	failed = state.failures > 0;
	pthread_mutex_unlock(&state.lock);
	return failed;
}

void check_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!state.skip)
		state.skip = vprintf_alloc(fmt, ap);
	va_end(ap);
}

/* Files. */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) ? -errno : 0;
}

int check_remove_tree(const char *path)
{
	int r = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (r == -1)
		r = -errno;
	return r == -ENOENT ? 0 : r;
}

const char *check_tmpdir(void)
{
	const char *base = getenv("TMPDIR");

	if (state.tmpdir[0])
		return state.tmpdir;
	if (!base || !*base)
		base = "/tmp";
	if ((size_t)snprintf(state.tmpdir, sizeof(state.tmpdir), "%s/vdrive-%s-XXXXXX", base,
			     state.suite->name) >= sizeof(state.tmpdir)) {
		errno = ENAMETOOLONG;
		die("TMPDIR");
	}
	/* Others may enter: tests that run commands as another user keep their files here too. */
	if (!mkdtemp(state.tmpdir) || chmod(state.tmpdir, 0755))
		die(state.tmpdir);
	return state.tmpdir;
}

char *check_path(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = vprintf_alloc(fmt, ap);
	va_end(ap);
	return check_printf("%s/%s", check_tmpdir(), s);
}

static const struct check_where here = { __FILE__, "check", __LINE__, true };

static ssize_t write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void check_write_file(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t r = fd < 0 ? -errno : write_all(fd, data, len);

	if (!r && fchmod(fd, 0644))
		r = -errno;
	if (fd >= 0)
		close(VD_TAKE_FD(fd)); /* before a failure jumps out of here */
	if (r)
		check_fail(&here, "cannot write %s: %s", path, check_errno_name(r));
}

struct buffer {
	char *data;
	size_t len, size;
};

/* Reads what there is. 1: more may come; 0: the end; -errno. */
static int buffer_read(struct buffer *b, int fd)
{
	ssize_t n;

	if (b->size - b->len < 65536) {
		size_t size = b->size ? b->size * 2 : 131072;
		char *p = realloc(b->data, size);

		if (!p)
			return -ENOMEM;
		b->data = p;
		b->size = size;
	}
	n = read(fd, b->data + b->len, b->size - b->len - 1);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	b->len += (size_t)n;
	if (b->len > OUTPUT_MAX)
		b->len = OUTPUT_MAX;
	return n > 0;
}

/* Copies it to memory of the test's, and frees it. */
static char *buffer_take(struct buffer *b, size_t *len)
{
	char *s = check_alloc(b->len + 1);

	if (b->len)
		memcpy(s, b->data, b->len);
	if (len)
		*len = b->len;
	free(b->data);
	*b = (struct buffer){ NULL, 0, 0 };
	return s;
}

char *check_read_file(const char *path, size_t *len)
{
	struct buffer b = { NULL, 0, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 1;
	char *s;

	while (r > 0)
		r = buffer_read(&b, fd);
	if (fd >= 0)
		close(fd);
	s = buffer_take(&b, len);
	if (r)
		check_fail(&here, "cannot read %s: %s", path, check_errno_name(r));
	return s;
}

/* Commands. */

extern char **environ;

static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(b, "=");

	return !strncmp(a, b, n) && (!a[n] || a[n] == '=');
}

static char **make_environment(const char *const *changes)
{
	size_t n = 0, nchanges = 0, out = 0;
	char **env;

	while (environ[n])
		n++;
	while (changes && changes[nchanges])
		nchanges++;
	env = check_alloc((n + nchanges + 1) * sizeof(*env));
	for (size_t i = 0; i < n; i++) {
		bool changed = false;

		for (size_t c = 0; c < nchanges; c++)
			changed |= same_variable(environ[i], changes[c]);
		if (!changed)
			env[out++] = environ[i];
	}
	for (size_t c = 0; c < nchanges; c++)
		if (strchr(changes[c], '='))
			env[out++] = check_printf("%s", changes[c]);
	return env;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int open_input(const char *text)
{
	int fd, r;

	if (!text) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = (int)write_all(fd, text, strlen(text));
	if (!r && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r) {
		close(fd);
		return r;
	}
	return fd;
}

/* In the child: does not return. @status_fd gets the errno when it cannot be executed. */
static _Noreturn void child(const struct check_cmd *c, char **env, int in, int out, int err,
			    int status_fd)
{
	sigset_t none;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (setpgid(0, 0) || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(err, STDERR_FILENO) < 0)
		goto fail;
	if (c->as_user && (setgroups(0, NULL) || setresgid(c->gid, c->gid, c->gid) ||
			   setresuid(c->uid, c->uid, c->uid)))
		goto fail;
	/* A test that dies takes its commands along. Cleared by a change of user, so it comes after. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		goto fail;
	if (c->cwd && chdir(c->cwd))
		goto fail;
	execvpe(c->argv[0], (char *const *)c->argv, env);
fail:
	code = errno;
	if (write(status_fd, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* Collects the output until both streams have ended and the process too; -ETIMEDOUT. */
static int collect(int pidfd, int out, int err, struct buffer *bufs, int64_t deadline)
{
	struct pollfd p[3] = { { .fd = out, .events = POLLIN },
			       { .fd = err, .events = POLLIN },
			       { .fd = pidfd, .events = POLLIN } };

	while (p[0].fd >= 0 || p[1].fd >= 0 || p[2].fd >= 0) {
		int64_t left = deadline - now_ms();
		int r = left <= 0 ? 0 : poll(p, 3, left > INT_MAX ? INT_MAX : (int)left);

		if (!r)
			return -ETIMEDOUT;
		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		for (int i = 0; i < 2; i++) {
			if (!p[i].revents)
				continue;
			r = buffer_read(&bufs[i], p[i].fd);
			if (r < 0)
				return r;
			if (!r)
				p[i].fd = -1;
		}
		if (p[2].revents)
			p[2].fd = -1;
	}
	return 0;
}

static int wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int check_run(struct check_cmd *c)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, report[2] = { -1, -1 };
	struct buffer bufs[2] = { { NULL, 0, 0 }, { NULL, 0, 0 } };
	char **env = make_environment(c->env);
	int64_t start = now_ms();
	int in = -1, pidfd = -1, status = 0, code = 0, r = 0;
	pid_t pid = -1;

	c->status = 127;
	c->timed_out = false;
	in = open_input(c->input);
	if (in < 0)
		r = in;
	if (!r && (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(report, O_CLOEXEC)))
		r = -errno;
	if (!r) {
		fflush(NULL);
		pid = fork();
		if (pid < 0)
			r = -errno;
		else if (!pid)
			child(c, env, in, out[1], err[1], report[1]);
	}
	if (out[1] >= 0)
		close(out[1]);
	if (err[1] >= 0)
		close(err[1]);
	if (report[1] >= 0)
		close(report[1]);
	if (!r) {
		setpgid(pid, pid); /* either side may be first */
		pidfd = pidfd_open(pid, 0);
		r = pidfd < 0 ? -errno
			      : collect(pidfd, out[0], err[0], bufs,
					start + (c->timeout_ms ? c->timeout_ms : 60000));
		if (r)
			kill(-pid, SIGKILL);
		if (r == -ETIMEDOUT) {
			c->timed_out = true;
			r = 0;
		}
		if (wait_for(pid, &status) && !r)
			r = -errno;
		if (c->timed_out)
			c->status = -1;
		else if (WIFSIGNALED(status))
			c->status = 128 + WTERMSIG(status);
		else
			c->status = WEXITSTATUS(status);
		if (read(report[0], &code, sizeof(code)) == (ssize_t)sizeof(code))
			r = -code;
	}
	for (size_t i = 0; i < 5; i++) {
		const int fds[] = { in, out[0], err[0], report[0], pidfd };

		if (fds[i] >= 0)
			close(fds[i]);
	}
	c->out = buffer_take(&bufs[0], &c->out_len);
	c->err = buffer_take(&bufs[1], &c->err_len);
	c->elapsed_ms = now_ms() - start;
	return r;
}

static const char *command_line(const struct check_cmd *c)
{
	const char *s = "";

	for (size_t i = 0; c->argv[i]; i++)
		s = check_printf("%s%s%s", s, i ? " " : "", c->argv[i]);
	return s;
}

bool check_run_expect(const struct check_where *w, struct check_cmd *c, int status)
{
	int r = check_run(c);

	if (r)
		return note_format(w, "cannot run %s: %s", command_line(c), check_errno_name(r));
	if (c->status == status && !c->timed_out)
		return note_held(w);
	return note_format(w, "`%s` %s %d, expected %d\n--- stdout\n%s\n--- stderr\n%s\n---",
			   command_line(c), c->timed_out ? "timed out:" : "ended with", c->status,
			   status, c->out, c->err);
}

struct check_cmd *check_sh(const char *fmt, ...)
{
	struct check_cmd *c = check_alloc(sizeof(*c));
	const char **argv = check_alloc(4 * sizeof(*argv));
	va_list ap;
	int r;

	argv[0] = "sh";
	argv[1] = "-c";
	va_start(ap, fmt);
	argv[2] = vprintf_alloc(fmt, ap);
	va_end(ap);
	c->argv = argv;
	r = check_run(c);
	if (r)
		check_fail(&here, "cannot run %s: %s", command_line(c), check_errno_name(r));
	return c;
}

bool check_have_program(const char *name)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t n = strcspn(path, ":");

		if (n && !access(check_printf("%.*s/%s", (int)n, path, name), X_OK))
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

/* Running. */

static void test_started(const CU_pTest test, const CU_pSuite suite)
{
	(void)suite;
	(void)test;
	state.failures = 0;
	state.asserts = 0;
	state.skip = NULL;
}

static void test_completed(const CU_pTest test, const CU_pSuite suite,
			   const CU_pFailureRecord failure)
{
	(void)suite;
	(void)failure;
	if (state.role != ROLE_TEST) {
		if (state.failures) {
			printf("FAIL %s\n", test->pName);
			state.nfailed++;
		}
		if (state.role == ROLE_SETUP) {
			state.setup_failed = state.failures > 0;
			state.setup_skip = state.skip;
		}
	} else if (state.failures) {
		printf("FAIL %s\n", test->pName);
		state.nfailed++;
	} else if (state.skip) {
		printf("SKIP %s: %s\n", test->pName, state.skip);
		state.nskipped++;
	} else if (!state.asserts) {
		printf("    it checked nothing\nFAIL %s\n", test->pName);
		state.nfailed++;
	} else {
		printf("ok %s\n", test->pName);
		state.npassed++;
	}
	fflush(stdout);
	blocks_free(&state.blocks);
}

static bool selected(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

static CU_pTest add_test(CU_pSuite suite, const char *name, void (*run)(void))
{
	CU_pTest t = CU_add_test(suite, name, run);

	/* Two tests of one name are allowed, but say so. */
	if (!t) {
		fprintf(stderr, "check: cannot add %s: %s\n", name, CU_get_error_msg());
		exit(EXIT_FAILURE);
	}
	return t;
}

static void run_test(CU_pSuite suite, CU_pTest test, enum role role)
{
	CU_ErrorCode e;

	state.role = role;
	e = CU_run_test(suite, test);
	if (e != CUE_SUCCESS) {
		fprintf(stderr, "check: cannot run %s: %s\n", test->pName, CU_get_error_msg());
		exit(EXIT_FAILURE);
	}
}

int check_main(int argc, char **argv, const struct check_suite *s)
{
	CU_pSuite suite, frame;
	int r;

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		for (size_t i = 0; i < s->ntests; i++)
			puts(s->tests[i].name);
		return EXIT_SUCCESS;
	}
	state.suite = s;
	state.thread = pthread_self();
	state.pid = getpid();
	if (CU_initialize_registry() != CUE_SUCCESS)
		die("CUnit");
	CU_set_error_action(CUEA_IGNORE);
	CU_set_test_start_handler(test_started);
	CU_set_test_complete_handler(test_completed);
	suite = CU_add_suite(s->name, NULL, NULL);
	frame = CU_add_suite("check", NULL, NULL);
	if (!suite || !frame)
		die("CUnit");

	if (s->setup)
		run_test(frame, add_test(frame, "(setup)", s->setup), ROLE_SETUP);
	for (size_t i = 0; i < s->ntests; i++) {
		const char *name = s->tests[i].name;

		if (!selected(name, argc, argv))
			continue;
		if (state.setup_failed) {
			printf("FAIL %s: not run, because the setup failed\n", name);
			state.nfailed++;
		} else if (state.setup_skip) {
			printf("SKIP %s: %s\n", name, state.setup_skip);
			state.nskipped++;
		} else {
			run_test(suite, add_test(suite, name, s->tests[i].run), ROLE_TEST);
		}
	}
	if (s->teardown && !state.setup_failed && !state.setup_skip)
		run_test(frame, add_test(frame, "(teardown)", s->teardown), ROLE_TEARDOWN);
	CU_cleanup_registry();

	if (state.tmpdir[0]) {
		r = check_remove_tree(state.tmpdir);
		if (r) {
			printf("FAIL (cleanup): cannot remove %s: %s\n", state.tmpdir,
			       strerror(-r));
			state.nfailed++;
		}
	}
	blocks_free(&state.blocks);
	blocks_free(&state.program_blocks);
	printf("# check: %zu passed, %zu failed, %zu skipped\n", state.npassed, state.nfailed,
	       state.nskipped);
	if (!(state.npassed + state.nfailed + state.nskipped)) {
		fprintf(stderr, "check: no such test\n");
		return EXIT_FAILURE;
	}
	if (state.nfailed)
		return EXIT_FAILURE;
	return state.npassed ? EXIT_SUCCESS : EXIT_ALL_SKIPPED;
}
