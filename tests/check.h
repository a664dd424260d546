/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests over CUnit. A program is a table of tests:
 *
 *     static void test_reads(void)
 *     {
 *             if (geteuid())
 *                     CHECK_SKIP("needs root");
 *             ASSERT_OK(thing_open(check_path("thing"), &t));
 *             CHECK_ERRNO(thing_read(t, 9), -EINVAL);
 *     }
 *
 *     static const struct check_test tests[] = {
 *             { "reads", test_reads },
 *     };
 *     CHECK_MAIN(tests)
 *
 * CHECK_*() notes a failure with the values and goes on; ASSERT_*() ends the test as well. Actual comes first, expected
 * second. CHECK_*() may be used from any thread, ASSERT_*() and CHECK_SKIP() only from the test's own, and not in a
 * child process: that reports by its exit status.
 *
 * The program prints `ok NAME`, `FAIL NAME` or `SKIP NAME: reason` for each test and ends with
 * `# check: N passed, N failed, N skipped`. It exits with 0, 1 when anything failed, or 77 when all was skipped.
 * Arguments: parts of the names of the tests to run; `-l` lists them.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct check_test {
	const char *name;
	void (*run)(void);
};

struct check_suite {
	const char *name;
	const struct check_test *tests;
	size_t ntests;
	/* Both may be NULL. A setup may skip or fail as a test may: that goes for every test then. */
	void (*setup)(void);
	void (*teardown)(void);
};

int check_main(int argc, char **argv, const struct check_suite *suite);

#define CHECK_MAIN(tests) CHECK_MAIN_WITH(tests, NULL, NULL)
#define CHECK_MAIN_WITH(tests_, setup_, teardown_)                                                 \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		const struct check_suite suite = {                                                 \
			.name = CHECK_SUITE,                                                       \
			.tests = tests_,                                                           \
			.ntests = sizeof(tests_) / sizeof((tests_)[0]),                            \
			.setup = setup_,                                                           \
			.teardown = teardown_,                                                     \
		};                                                                                 \
                                                                                                   \
		return check_main(argc, argv, &suite);                                             \
	}

/* Ends the calling test (a function that returns void) as skipped. */
#define CHECK_SKIP(...)                                                                            \
	do {                                                                                       \
		check_skip(__VA_ARGS__);                                                           \
		return;                                                                            \
	} while (0)
/* For helpers: the test goes on until it returns, and then counts as skipped unless something failed. */
void check_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Has the running test failed so far? */
bool check_failed(void);

struct check_where {
	const char *file, *function;
	unsigned int line;
	bool fatal;
};

/* Each returns whether it held. */
bool check_true(const struct check_where *w, bool held, const char *what);
bool check_int(const struct check_where *w, long long actual, long long expected, const char *what);
bool check_uint(const struct check_where *w, unsigned long long actual, unsigned long long expected,
		const char *what);
bool check_errno(const struct check_where *w, long long actual, long long expected,
		 const char *what);
bool check_str(const struct check_where *w, const char *actual, const char *expected,
	       const char *what);
bool check_has(const struct check_where *w, const char *text, const char *part, const char *what);
bool check_mem(const struct check_where *w, const void *actual, const void *expected, size_t len,
	       const char *what);
bool check_fail(const struct check_where *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define CHECK_HERE_(fatal_) (&(const struct check_where){ __FILE__, __func__, __LINE__, (fatal_) })

#define CHECK(cond) check_true(CHECK_HERE_(false), (cond), #cond)
#define CHECK_INT(a, e) check_int(CHECK_HERE_(false), (a), (e), #a)
#define CHECK_UINT(a, e) check_uint(CHECK_HERE_(false), (a), (e), #a)
/* 0 or a negative errno, shown by name. */
#define CHECK_ERRNO(a, e) check_errno(CHECK_HERE_(false), (a), (e), #a)
#define CHECK_OK(a) CHECK_ERRNO(a, 0)
/* NULL equals only NULL. */
#define CHECK_STR(a, e) check_str(CHECK_HERE_(false), (a), (e), #a)
/* The text holds the part. */
#define CHECK_HAS(text, part) check_has(CHECK_HERE_(false), (text), (part), #text)
#define CHECK_MEM(a, e, len) check_mem(CHECK_HERE_(false), (a), (e), (len), #a)
#define CHECK_FAIL(...) check_fail(CHECK_HERE_(false), __VA_ARGS__)

#define ASSERT(cond) check_true(CHECK_HERE_(true), (cond), #cond)
#define ASSERT_INT(a, e) check_int(CHECK_HERE_(true), (a), (e), #a)
#define ASSERT_UINT(a, e) check_uint(CHECK_HERE_(true), (a), (e), #a)
#define ASSERT_ERRNO(a, e) check_errno(CHECK_HERE_(true), (a), (e), #a)
#define ASSERT_OK(a) ASSERT_ERRNO(a, 0)
#define ASSERT_STR(a, e) check_str(CHECK_HERE_(true), (a), (e), #a)
#define ASSERT_HAS(text, part) check_has(CHECK_HERE_(true), (text), (part), #text)
#define ASSERT_MEM(a, e, len) check_mem(CHECK_HERE_(true), (a), (e), (len), #a)
#define ASSERT_FAIL(...) check_fail(CHECK_HERE_(true), __VA_ARGS__)

/* "ENOENT" for 2 or -2; "0"; a number's digits when it is no errno. */
const char *check_errno_name(long long code);

/*
 * Memory and strings that live until the test (or the setup: the program) ends. Never NULL: no memory ends the program.
 */
void *check_alloc(size_t size);
char *check_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A directory of the program's own under $TMPDIR, mode 0755, made on first use and removed with all that is in it
 * at the end; the removal does not follow links or enter mounts.
 */
const char *check_tmpdir(void);
/* A path in it, made as by printf; lives as check_printf()'s. */
char *check_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes a file anew, mode 0644; ends the test when that fails. */
void check_write_file(const char *path, const void *data, size_t len);
/* A whole file and a NUL after it; ends the test when that fails. @len may be NULL. Files in /proc too. */
char *check_read_file(const char *path, size_t *len);
/* Removes a tree, as check_tmpdir() is removed. 0 (also when there was nothing) or -errno. */
int check_remove_tree(const char *path);

/* Running a program. */
struct check_cmd {
	/* In. */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *env;	 /* NULL or NULL-terminated: "NAME=value" sets, "NAME" unsets */
	const char *cwd;	 /* NULL: the caller's */
	const char *input;	 /* what stdin holds; NULL: /dev/null */
	int timeout_ms;		 /* 0: 60 s; then its process group is killed */
	bool as_user;		 /* as uid, gid without other groups; needs root */
	uid_t uid;
	gid_t gid;
	/* Out. */
	int status;	 /* exit status; 128 + n when signal n ended it; -1 when it timed out */
	bool timed_out;	 /* also when somebody keeps its stdout or stderr open */
	char *out, *err; /* NUL-terminated; live as check_printf()'s */
	size_t out_len, err_len;
	int64_t elapsed_ms;
};

/* 0, or -errno when it could not be run (then status is 127). Output beyond 64 MiB a stream is dropped. */
int check_run(struct check_cmd *c);
/* check_run(), and a failure with all of its output unless it ends with @status. Returns whether it did. */
bool check_run_expect(const struct check_where *w, struct check_cmd *c, int status);
#define CHECK_RUN(cmd, status) check_run_expect(CHECK_HERE_(false), (cmd), (status))
#define ASSERT_RUN(cmd, status) check_run_expect(CHECK_HERE_(true), (cmd), (status))
/* Runs `sh -c` of a text made as by printf; the result's fields as in check_run(). */
struct check_cmd *check_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Is there such a program in PATH? */
bool check_have_program(const char *name);

#endif
