/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the tests of a drive's life share. Drives are started as the command starts them, through vd_drive_start(),
 * in a runtime directory of the program's own, and whatever a test does is followed by drive_check_gone().
 *
 * A test is written once and run twice: as it is, and through drive_as_user() in a child that is an ordinary user.
 * There a failed check ends the child, and the parent reports it.
 */
#ifndef DRIVEHELP_H
#define DRIVEHELP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "check.h"
#include "userspace/common/drive.h"

/* So long may anything take that ends by itself, on a machine that does other things too. */
#define DRIVE_PATIENCE_MS 30000
/* So long may a read take whose reader has been killed. */
#define DRIVE_AT_ONCE_MS 2000

/* The suite's setup and teardown. The setup skips where there is no FUSE. */
void drive_setup(void);
/* Takes down what failed tests left. */
void drive_teardown(void);

/* Runs @test as user games, or nobody; skips when this program is not root's. */
void drive_as_user(void (*test)(void));
/* Defines test_x_as_user() for test_x(). */
#define DRIVE_AS_USER(test)                                                                        \
	static void test##_as_user(void)                                                           \
	{                                                                                          \
		drive_as_user(test);                                                               \
	}

/* Where drives live, and a folder of the test's user; both change inside drive_as_user(). */
const char *drive_rundir(void);
/* A path in that folder. */
char *drive_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A program of this build: "vdrive", "vdrived". */
char *drive_program(const char *name);

int64_t drive_now_ms(void);
/* Polls until the condition holds, at most @ms. Its value. */
#define DRIVE_UNTIL(cond, ms)                                                                      \
	({                                                                                         \
		int64_t end_ = drive_now_ms() + (ms);                                              \
		bool held_;                                                                        \
		while (!(held_ = (cond)) && drive_now_ms() < end_)                                 \
			usleep(2000);                                                              \
		held_;                                                                             \
	})

/*
 * Images. Each 8 bytes of the pattern hold their own offset, xor @seed. The ISO holds one file, big, of that pattern and
 * one, small, with "small\n"; the test ends, skipped, where nothing can make one: then NULL.
 */
char *drive_pattern_file(const char *name, size_t size, uint64_t seed);
bool drive_is_pattern(const void *data, size_t len, uint64_t off, uint64_t seed);
char *drive_iso(const char *name, size_t big);

/* Starts one; 0 or -errno with words. @mountpoint may be NULL, and is made when it does not exist. */
int drive_try(const char *name, enum vd_drive_type type, const char *image, const char *mountpoint,
	      struct vd_error *err);

struct drive {
	const char *name;
	char *dir;	 /* NAME/ */
	char *main_file; /* NAME/disk or NAME/disc.iso */
	pid_t keeper, reader;
};
/* Starts one and ends the test when that fails. */
struct drive drive_start(const char *name, enum vd_drive_type type, const char *image,
			 const char *mountpoint);
/* What the drive's attribute says, without the newline; NULL when it cannot be read. */
char *drive_attr(const char *name, const char *attr);
/* 0 or -errno. */
int drive_attr_write(const char *name, const char *attr, const char *value);
int drive_detach(const char *name, bool lazy);

/* No process with this number, or a zombie that init has yet to reap. */
bool drive_is_over(pid_t pid);
/* The processes of drives in this runtime directory (as far as this user may see). */
size_t drive_processes(const char *rundir, pid_t *pids, size_t max);
/* No file, mount or process of this runtime directory is left, or will be in a moment. */
void drive_check_gone_at(const struct check_where *w);
#define drive_check_gone() drive_check_gone_at(CHECK_HERE_(false))

/*
 * Threads that read files without end, past the page cache, and check what they get. After an error they open the file
 * anew. Each file holds the pattern with seed 0.
 */
struct drive_load;
struct drive_load *drive_load_start(const char *const *files, size_t nfiles, unsigned threads);
/* Reads that went well since drive_load_mark(), in the thread that has the fewest. */
void drive_load_mark(struct drive_load *l);
unsigned drive_load_least(const struct drive_load *l);
unsigned drive_load_errors(const struct drive_load *l);
/* The longest that a read took which failed. */
int64_t drive_load_slowest_error_ms(const struct drive_load *l);
/* Reads that gave wrong data, or fewer bytes than there are. */
unsigned drive_load_wrong(const struct drive_load *l);
void drive_load_stop(struct drive_load *l);

/* VmRSS of a process in KiB, the number of its descriptors; -1 when it cannot be seen. */
long drive_rss_kib(pid_t pid);
long drive_descriptors(pid_t pid);

/* Is this an AddressSanitizer build? Its memory tells nothing about ours. */
#ifdef __SANITIZE_ADDRESS__
#define DRIVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DRIVE_ASAN 1
#endif
#endif
#ifndef DRIVE_ASAN
#define DRIVE_ASAN 0
#endif

#endif
