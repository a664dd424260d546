// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * How drives begin and end: by detach, by signals, by umount, by the death of a reader, a keeper or a starter, several of
 * these at once. Whatever happens, nothing hangs, nothing wrong is read, and in the end nothing is left.
 */
#define _GNU_SOURCE
#include "drivehelp.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"

#define SIZE (4u << 20)
/* keeper.c: what SIGTERM waits for open files, and detach for a reader that does not answer. */
#define TERM_MS 3000
#define END_MS 5000

/* Small helpers. */

static bool reads_pattern(const char *path, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buf = malloc(65536);
	uint64_t off = 0;
	ssize_t n = -1;

	while (fd >= 0 && buf && (n = read(fd, buf, 65536)) > 0) {
		if (!drive_is_pattern(buf, (size_t)n, off, 0))
			return false;
		off += (uint64_t)n;
	}
	return !n && off == size;
}

static bool says_alive(const char *name, bool *alive)
{
	_cleanup_free_ struct vd_drive_state *s = malloc(sizeof(*s));

	if (!s || vd_state_read(drive_rundir(), name, s, NULL))
		return false;
	*alive = s->alive;
	return true;
}

/* One optical drive with files at DIR, or one disk, with threads that read all there is of it. */
struct busy {
	struct drive d;
	struct drive_load *load;
	char *files[2];
};

static bool start_busy(struct busy *b, enum vd_drive_type type, const char *name)
{
	size_t n = 1;

	if (type == VD_DRIVE_DISK) {
		char *image = drive_pattern_file(check_printf("%s.img", name), SIZE, 0);

		b->d = drive_start(name, type, image, NULL);
		b->files[0] = b->d.main_file;
	} else {
		char *image = drive_iso(name, SIZE);

		if (!image)
			return false;
		b->d = drive_start(name, type, image, drive_path("%s.mnt", name));
		b->files[0] = drive_path("%s.mnt/big", name);
		b->files[1] = check_printf("%s/files/big", b->d.dir);
		n = 2;
	}
	b->load = drive_load_start((const char *const *)b->files, n, 4);
	return true;
}

/* Every reader has met the end of the drive, none has waited for it, and none was told anything wrong. */
static void end_busy(struct busy *b)
{
	drive_load_stop(b->load);
	CHECK(drive_load_errors(b->load) > 0);
	CHECK_UINT(drive_load_wrong(b->load), 0);
	CHECK(drive_load_slowest_error_ms(b->load) < DRIVE_AT_ONCE_MS);
}

static void remove_tmp(const char *name)
{
	rmdir(drive_path("%s.mnt", name));
	unlink(drive_path("%s.iso", name));
	unlink(drive_path("%s.img", name));
}

/* Beginning and ending well. */

static void check_whole_life(enum vd_drive_type type, const char *name)
{
	struct drive d;
	char *image = type == VD_DRIVE_DISK ? drive_pattern_file("whole.img", SIZE, 0)
					    : drive_iso("whole", SIZE);
	bool alive = false;

	if (!image)
		return;
	d = drive_start(name, type, image, type == VD_DRIVE_DISK ? NULL : drive_path("whole.mnt"));
	CHECK(says_alive(name, &alive) && alive);
	CHECK_OK(vd_drive_request(drive_rundir(), name, VD_REQUEST_PING, 0, 5000, NULL));
	if (type == VD_DRIVE_DISK) {
		CHECK(reads_pattern(d.main_file, SIZE));
	} else {
		CHECK(reads_pattern(drive_path("whole.mnt/big"), SIZE));
		CHECK(reads_pattern(check_printf("%s/files/big", d.dir), SIZE));
		CHECK_STR(check_read_file(drive_path("whole.mnt/small"), NULL), "small\n");
	}
	CHECK_OK(drive_detach(name, false));
	CHECK_ERRNO(drive_detach(name, false), -ENOENT);
	drive_check_gone();
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	remove_tmp("whole");
}

static void test_whole_life(void)
{
	check_whole_life(VD_DRIVE_DISK, "life-disk");
	check_whole_life(VD_DRIVE_OPTICAL, "life-optical");
}
DRIVE_AS_USER(test_whole_life)

/* `dev=$(vdrive attach FILE)`: nobody in the drive keeps the output open. */
static void test_output_is_let_go(void)
{
	const char *const argv[] = { drive_program("vdrive"),
				     "attach",
				     "--name",
				     "output",
				     drive_pattern_file("output.img", SIZE, 0),
				     NULL };
	struct check_cmd c = { .argv = argv, .timeout_ms = DRIVE_PATIENCE_MS };

	CHECK_RUN(&c, 0);
	CHECK(!c.timed_out);
	CHECK_STR(c.out, check_printf("%s/output/disk\n", drive_rundir()));
	CHECK_OK(drive_detach("output", false));
	drive_check_gone();
}
DRIVE_AS_USER(test_output_is_let_go)

static void test_failed_start_leaves_nothing(void)
{
	char *junk = drive_pattern_file("junk", 100000, 0), *empty = drive_path("empty");
	char *file = drive_path("a-file"), *iso;
	struct vd_error err = { "" };

	check_write_file(empty, "", 0);
	CHECK_ERRNO(drive_try("fail", VD_DRIVE_DISK, empty, NULL, &err), -EINVAL);
	CHECK_HAS(err.text, "empty");
	CHECK(drive_try("fail", VD_DRIVE_OPTICAL, junk, NULL, &err) < 0);
	CHECK(err.text[0] != '\0');
	CHECK(drive_try("fail", VD_DRIVE_OPTICAL, junk, drive_path("fail.mnt"), &err) < 0);
	CHECK_ERRNO(drive_try("/", VD_DRIVE_DISK, junk, NULL, &err), -EINVAL);
	iso = drive_iso("fail", 4096);
	if (iso) {
		check_write_file(file, "", 0);
		CHECK(drive_try("fail", VD_DRIVE_OPTICAL, iso, file, &err) < 0);
		CHECK_HAS(err.text, file);
		unlink(file);
	}
	drive_check_gone();
	remove_tmp("fail");
}
DRIVE_AS_USER(test_failed_start_leaves_nothing)

/* The command that asked for the drive is killed before it hears of it: there is no drive. */
static void test_starter_gone(void)
{
	char *image = drive_pattern_file("starter.img", SIZE, 0),
	     *daemon = drive_program("vdrived");
	int fd = open(image, O_RDWR), dir = open("/", O_PATH | O_DIRECTORY), p[2], status;
	char image_fd[16], dir_fd[16], status_fd[16];
	pid_t pid;

	ASSERT_OK(pipe(p));
	close(p[0]);
	snprintf(image_fd, sizeof(image_fd), "%d", fd);
	snprintf(dir_fd, sizeof(dir_fd), "%d", dir);
	snprintf(status_fd, sizeof(status_fd), "%d", p[1]);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		execl(daemon, "vdrived", "--name", "starter", "--type", "disk", "--image", image,
		      "--image-fd", image_fd, "--dir-fd", dir_fd, "--status-fd", status_fd,
		      (char *)NULL);
		_exit(127);
	}
	close(p[1]);
	close(fd);
	close(dir);
	ASSERT(pid > 0);
	CHECK(DRIVE_UNTIL(waitpid(pid, &status, WNOHANG) == pid, DRIVE_PATIENCE_MS));
	CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	drive_check_gone();
}
DRIVE_AS_USER(test_starter_gone)

/* A launcher that ignores SIGCHLD hands that down to everybody below. */
static void test_starter_ignores_sigchld(void)
{
	char *image = drive_pattern_file("chld.img", SIZE, 0);
	struct drive d;

	signal(SIGCHLD, SIG_IGN);
	d = drive_start("chld", VD_DRIVE_DISK, image, NULL);
	signal(SIGCHLD, SIG_DFL);
	CHECK(reads_pattern(d.main_file, SIZE));
	CHECK_OK(drive_detach("chld", false));
	drive_check_gone();
}
DRIVE_AS_USER(test_starter_ignores_sigchld)

/* The death of a reader. */

static pid_t reader_of(const char *name, pid_t old)
{
	const char *text = NULL;
	pid_t pid = 0;

	(void)DRIVE_UNTIL((text = drive_attr(name, "reader_pid")) &&
				  (pid = (pid_t)atol(text)) != old,
			  DRIVE_PATIENCE_MS);
	return pid != old ? pid : 0;
}

/*
 * Three times a new reader takes over, with what the drive had been told; the fourth death within a minute takes
 * everything down.
 */
static void check_reader_killed(enum vd_drive_type type, const char *name)
{
	struct busy b = { .load = NULL };
	pid_t reader, keeper;
	bool alive;

	if (!start_busy(&b, type, name))
		return;
	reader = b.d.reader;
	keeper = b.d.keeper;
	CHECK_OK(drive_attr_write(name, "label", "remember me\n"));
	for (int i = 0; i < 3 && !check_failed(); i++) {
		unsigned errors = drive_load_errors(b.load);
		pid_t old = reader;

		CHECK_OK(kill(old, SIGKILL));
		reader = reader_of(name, old);
		CHECK(reader > 0);
		CHECK(drive_load_errors(b.load) > errors);
		drive_load_mark(b.load);
		CHECK(DRIVE_UNTIL(drive_load_least(b.load) > 3, DRIVE_PATIENCE_MS));
		CHECK_STR(drive_attr(name, "label"), "remember me");
		CHECK(says_alive(name, &alive) && alive);
	}
	if (reader > 0)
		CHECK_OK(kill(reader, SIGKILL));
	CHECK(DRIVE_UNTIL(drive_is_over(keeper), DRIVE_PATIENCE_MS));
	end_busy(&b);
	CHECK(!says_alive(name, &alive));
	drive_check_gone();
	remove_tmp(name);
}

static void test_reader_killed_disk(void)
{
	check_reader_killed(VD_DRIVE_DISK, "rkill-disk");
}
DRIVE_AS_USER(test_reader_killed_disk)

static void test_reader_killed_optical(void)
{
	check_reader_killed(VD_DRIVE_OPTICAL, "rkill-optical");
}
DRIVE_AS_USER(test_reader_killed_optical)

/* The second dies before it serves all there is: that is one death more, no reason to give up. */
static void test_reader_killed_while_it_starts(void)
{
	char *iso = drive_iso("early", 65536), *mnt = drive_path("early.mnt"), *label = NULL;
	struct drive d;
	pid_t second;

	if (!iso)
		return;
	d = drive_start("early", VD_DRIVE_OPTICAL, iso, mnt);
	CHECK_OK(kill(d.reader, SIGKILL));
	second = reader_of("early", d.reader); /* NAME/ comes before DIR */
	CHECK(second > 0 && !kill(second, SIGKILL));
	CHECK(DRIVE_UNTIL(reads_pattern(check_printf("%s/big", mnt), 65536), DRIVE_PATIENCE_MS));
	CHECK(DRIVE_UNTIL((label = drive_attr("early", "label")), DRIVE_PATIENCE_MS));
	CHECK_OK(drive_detach("early", true));
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper), DRIVE_PATIENCE_MS));
	drive_check_gone();
	remove_tmp("early");
}
DRIVE_AS_USER(test_reader_killed_while_it_starts)

#ifdef VDRIVE_TEST_HOOKS
/* An act in a thread of its own, since the answer may come only with the end of the reader. */
struct act {
	int fd;
	const char *what;
	atomic_int tid;
	int result;
	pthread_t thread;
};

static void *act_main(void *arg)
{
	struct act *a = arg;
	size_t len = strlen(a->what);

	atomic_store(&a->tid, gettid());
	a->result = write(a->fd, a->what, len) == (ssize_t)len ? 0 : -errno;
	return NULL;
}

/* Nothing but the answer can make that thread wait. */
static bool waits_for_answer(const struct act *a)
{
	char *stat;

	if (!atomic_load(&a->tid))
		return false;
	stat = strrchr(check_read_file(
			       check_printf("/proc/self/task/%d/stat", atomic_load(&a->tid)), NULL),
		       ')');
	return stat && (stat[2] == 'S' || stat[2] == 'D');
}

static void act_start(struct act *a, const struct drive *d, const char *what)
{
	*a = (struct act){ .what = what };
	a->fd = open(check_printf("%s/attr/misbehave", d->dir), O_WRONLY | O_CLOEXEC);
	ASSERT(a->fd >= 0);
	ASSERT_OK(pthread_create(&a->thread, NULL, act_main, a));
	CHECK(DRIVE_UNTIL(waits_for_answer(a), DRIVE_PATIENCE_MS));
}

static int act_end(struct act *a)
{
	pthread_join(a->thread, NULL);
	close(a->fd);
	return a->result;
}
#endif

static void test_reader_aborts(void)
{
#ifdef VDRIVE_TEST_HOOKS
	struct busy b = { .load = NULL };
	int r;

	ASSERT(start_busy(&b, VD_DRIVE_DISK, "abort"));
	r = drive_attr_write("abort", "misbehave", "abort");
	CHECK(r == -ENOTCONN || r == -ECONNABORTED);
	CHECK(reader_of("abort", b.d.reader) > 0);
	end_busy(&b);
	CHECK(reads_pattern(b.d.main_file, SIZE));
	CHECK_OK(drive_detach("abort", false));
	drive_check_gone();
#else
	CHECK_SKIP("built without VDRIVE_TEST_HOOKS");
#endif
}
DRIVE_AS_USER(test_reader_aborts)

/* One that serves no more but lives: the owner can still take the drive down, and list it. */
static void test_reader_hangs(void)
{
#ifdef VDRIVE_TEST_HOOKS
	struct drive d =
		drive_start("hang", VD_DRIVE_DISK, drive_pattern_file("hang.img", SIZE, 0), NULL);
	struct vd_drive_state *all = NULL;
	int64_t start;
	struct act act;
	size_t n = 0;

	act_start(&act, &d, "hang");
	start = drive_now_ms();
	CHECK_OK(vd_state_list(drive_rundir(), &all, &n, NULL, NULL));
	CHECK_UINT(n, 1);
	free(all);
	CHECK_ERRNO(drive_detach("hang", false), -EBUSY);
	CHECK_OK(drive_detach("hang", true));
	CHECK(drive_now_ms() - start < DRIVE_PATIENCE_MS / 3);
	/* A file is open, so the reader stays for it, until somebody ends that too. */
	CHECK(!drive_is_over(d.keeper));
	CHECK_OK(kill(d.keeper, SIGTERM));
	if (!CHECK(DRIVE_UNTIL(drive_is_over(d.keeper), DRIVE_PATIENCE_MS)))
		kill(d.keeper, SIGKILL); /* or the act would never end */
	CHECK(act_end(&act) < 0);
	drive_check_gone();
#else
	CHECK_SKIP("built without VDRIVE_TEST_HOOKS");
#endif
}
DRIVE_AS_USER(test_reader_hangs)

/* One that talks without end, or asks and does not listen: the keeper stays the owner's. */
static void check_flood(const char *what)
{
#ifdef VDRIVE_TEST_HOOKS
	struct drive d =
		drive_start("flood", VD_DRIVE_DISK, drive_pattern_file("flood.img", SIZE, 0), NULL);
	struct act act;
	int r;

	act_start(&act, &d, what);
	for (int i = 0; i < 5; i++) {
		r = vd_drive_request(drive_rundir(), "flood", VD_REQUEST_PING, 0, 10000, NULL);
		CHECK_OK(r);
	}
	CHECK_OK(kill(d.keeper, SIGTERM));
	if (!CHECK(DRIVE_UNTIL(drive_is_over(d.keeper), DRIVE_PATIENCE_MS)))
		kill(d.keeper, SIGKILL); /* or the act would never end */
	CHECK(act_end(&act) < 0);
	drive_check_gone();
#else
	(void)what;
	CHECK_SKIP("built without VDRIVE_TEST_HOOKS");
#endif
}

static void test_reader_floods_with_questions(void)
{
	check_flood("flood-open");
}

static void test_reader_floods_with_attributes(void)
{
	check_flood("flood-attribute");
}

static void test_reader_stopped(void)
{
	struct drive d = drive_start("stopped", VD_DRIVE_DISK,
				     drive_pattern_file("stopped.img", SIZE, 0), NULL);
	struct vd_drive_state *all = NULL;
	int64_t start = drive_now_ms();
	size_t n = 0;

	if (kill(d.reader,
		 SIGSTOP)) /* a user's own reader may be signalled by them: it has their uid */
		CHECK_FAIL("cannot stop the reader: %s", strerror(errno));
	CHECK_OK(vd_state_list(drive_rundir(), &all, &n, NULL, NULL));
	CHECK_UINT(n, 1);
	free(all);
	CHECK_OK(drive_detach("stopped", false));
	CHECK(drive_now_ms() - start < END_MS + DRIVE_PATIENCE_MS / 3);
	/* Its name is free at once. */
	CHECK_ERRNO(drive_detach("stopped", false), -ENOENT);
	CHECK_OK(kill(d.keeper, SIGTERM));
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	drive_check_gone();
}

/* The death of a keeper. */

static void check_keeper_killed(enum vd_drive_type type, const char *name, bool start_anew)
{
	struct busy b = { .load = NULL };
	bool alive = true;

	if (!start_busy(&b, type, name))
		return;
	CHECK_OK(kill(b.d.keeper, SIGKILL));
	CHECK(DRIVE_UNTIL(drive_is_over(b.d.reader), DRIVE_PATIENCE_MS));
	CHECK(DRIVE_UNTIL(drive_load_errors(b.load) >= 4, DRIVE_PATIENCE_MS));
	CHECK(says_alive(name, &alive) && !alive);
	end_busy(&b);
	if (start_anew) {
		struct vd_error err = { "" };
		char *image = drive_path("%s.%s", name, type == VD_DRIVE_DISK ? "img" : "iso");
		char *mnt = type == VD_DRIVE_DISK ? NULL : drive_path("%s.mnt", name);

		CHECK_OK(drive_try(name, type, image, mnt, &err));
		CHECK_STR(err.text, "");
		CHECK(reads_pattern(b.files[0], SIZE));
		CHECK_ERRNO(vd_state_reap(drive_rundir(), name, NULL), -EBUSY);
		CHECK_OK(drive_detach(name, false));
	} else {
		CHECK_OK(vd_state_reap(drive_rundir(), name, NULL));
		CHECK_OK(vd_state_reap(drive_rundir(), name, NULL)); /* nothing to do is fine */
	}
	drive_check_gone();
	remove_tmp(name);
}

static void test_keeper_killed_and_reaped(void)
{
	check_keeper_killed(VD_DRIVE_DISK, "kkill-disk", false);
	check_keeper_killed(VD_DRIVE_OPTICAL, "kkill-optical", false);
}
DRIVE_AS_USER(test_keeper_killed_and_reaped)

static void test_keeper_killed_and_replaced(void)
{
	check_keeper_killed(VD_DRIVE_DISK, "kkill-disk", true);
	check_keeper_killed(VD_DRIVE_OPTICAL, "kkill-optical", true);
}
DRIVE_AS_USER(test_keeper_killed_and_replaced)

static int unmount_by_hand(const char *dir)
{
	return check_sh(geteuid() ? "fusermount3 -u '%s'" : "umount '%s'", dir)->status;
}

/* The dead drive's mount point belongs to another drive by now, and stays that one's. */
static void test_reap_spares_the_living(void)
{
	char *iso = drive_iso("spare", SIZE), *mnt = drive_path("spare.mnt");
	struct drive dead, living;

	if (!iso)
		return;
	dead = drive_start("dead", VD_DRIVE_OPTICAL, iso, mnt);
	CHECK_OK(kill(dead.keeper, SIGKILL));
	CHECK(DRIVE_UNTIL(drive_is_over(dead.keeper) && drive_is_over(dead.reader),
			  DRIVE_PATIENCE_MS));
	CHECK_INT(unmount_by_hand(mnt), 0);
	living = drive_start("living", VD_DRIVE_OPTICAL, iso, mnt);
	CHECK_OK(vd_state_reap(drive_rundir(), "dead", NULL));
	CHECK(reads_pattern(check_printf("%s/big", mnt), SIZE));
	CHECK(!drive_is_over(living.keeper));
	CHECK_OK(drive_detach("living", false));
	drive_check_gone();
	remove_tmp("spare");
}
DRIVE_AS_USER(test_reap_spares_the_living)

/* Signals. */

static void check_signal_under_load(enum vd_drive_type type, const char *name, int sig)
{
	struct busy b = { .load = NULL };
	int64_t start;

	if (!start_busy(&b, type, name))
		return;
	start = drive_now_ms();
	CHECK_OK(kill(b.d.keeper, sig));
	CHECK(DRIVE_UNTIL(drive_is_over(b.d.keeper) && drive_is_over(b.d.reader),
			  DRIVE_PATIENCE_MS));
	CHECK(drive_now_ms() - start < TERM_MS + DRIVE_PATIENCE_MS / 3);
	CHECK(DRIVE_UNTIL(drive_load_errors(b.load) >= 4, DRIVE_PATIENCE_MS));
	end_busy(&b);
	drive_check_gone();
	remove_tmp(name);
}

static void test_sigterm_under_load(void)
{
	check_signal_under_load(VD_DRIVE_OPTICAL, "term", SIGTERM);
}
DRIVE_AS_USER(test_sigterm_under_load)

static void test_sigint(void)
{
	struct drive d =
		drive_start("int", VD_DRIVE_DISK, drive_pattern_file("int.img", SIZE, 0), NULL);

	CHECK_OK(kill(d.keeper, SIGINT));
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	drive_check_gone();
}
DRIVE_AS_USER(test_sigint)

/* Whoever has a file open has three seconds to be done with it. */
static void test_sigterm_grace(void)
{
	char *image = drive_pattern_file("grace.img", SIZE, 0), *buf = check_alloc(8192);
	struct drive d = drive_start("grace", VD_DRIVE_DISK, image, NULL);
	int fd = open(d.main_file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *page = (char *)(((uintptr_t)buf + 4095) & ~(uintptr_t)4095);
	int64_t start = drive_now_ms();
	struct stat st;

	ASSERT(fd >= 0);
	CHECK_OK(kill(d.keeper, SIGTERM));
	CHECK(DRIVE_UNTIL(stat(d.main_file, &st) && errno == ENOENT, DRIVE_PATIENCE_MS));
	if (drive_now_ms() - start < TERM_MS / 2)
		CHECK_INT(pread(fd, page, 4096, 0), 4096);
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper), DRIVE_PATIENCE_MS));
	CHECK(drive_now_ms() - start >= TERM_MS - 100);
	CHECK_INT(pread(fd, page, 4096, 0), -1);
	close(fd);
	drive_check_gone();

	/* When they are, it does not wait any longer. */
	d = drive_start("grace", VD_DRIVE_DISK, image, NULL);
	fd = open(d.main_file, O_RDONLY | O_CLOEXEC);
	start = drive_now_ms();
	CHECK_OK(kill(d.keeper, SIGTERM));
	close(fd);
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper), DRIVE_PATIENCE_MS));
	CHECK(drive_now_ms() - start < TERM_MS);
	drive_check_gone();
}

/* Detaching what is in use. */

static void test_detach_busy(void)
{
	char *iso = drive_iso("busy", SIZE), *mnt = drive_path("busy.mnt");
	struct vd_error err = { "" };
	struct drive d;
	bool alive;
	int fd;

	if (!iso)
		return;
	d = drive_start("busy", VD_DRIVE_OPTICAL, iso, mnt);
	fd = open(check_printf("%s/small", mnt), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	for (int i = 0; i < 2; i++) {
		CHECK_ERRNO(vd_drive_request(drive_rundir(), "busy", VD_REQUEST_DETACH, 0,
					     DRIVE_PATIENCE_MS, &err),
			    -EBUSY);
		CHECK_HAS(err.text, mnt);
		CHECK_HAS(err.text, "busy");
		CHECK(says_alive("busy", &alive) && alive);
		CHECK(reads_pattern(check_printf("%s/big", mnt), SIZE));
		CHECK(reads_pattern(check_printf("%s/files/big", d.dir), SIZE));
		CHECK_STR(drive_attr("busy", "mountpoint"), mnt);
	}
	close(fd);
	CHECK_OK(drive_detach("busy", false));
	drive_check_gone();
	remove_tmp("busy");
}
DRIVE_AS_USER(test_detach_busy)

/* The name is free at once; the old file is good until it is closed, and then all of the old drive ends. */
static void test_detach_lazily(void)
{
	char *image = drive_pattern_file("lazy.img", SIZE, 0);
	char *other = drive_pattern_file("lazy2.img", 4096, 0x1234567);
	struct drive old = drive_start("lazy", VD_DRIVE_DISK, image, NULL), new;
	char *page = check_alloc(8192 + 4096), buf[4096];
	int fd = open(old.main_file, O_RDWR | O_DIRECT | O_CLOEXEC), fd2;

	page = (char *)(((uintptr_t)page + 4095) & ~(uintptr_t)4095);
	ASSERT(fd >= 0);
	CHECK_ERRNO(drive_detach("lazy", false), -EBUSY);
	CHECK_OK(drive_detach("lazy", true));
	CHECK_ERRNO(drive_detach("lazy", true), -ENOENT);
	new = drive_start("lazy", VD_DRIVE_DISK, other, NULL);
	CHECK_INT(pread(fd, page, 4096, 8192), 4096);
	CHECK(drive_is_pattern(page, 4096, 8192, 0));
	memset(page, 0x5a, 4096);
	CHECK_INT(pwrite(fd, page, 4096, 4096), 4096);
	fd2 = open(new.main_file, O_RDONLY | O_CLOEXEC);
	CHECK_INT(read(fd2, buf, 4096), 4096);
	close(fd2);
	CHECK(drive_is_pattern(buf, 4096, 0, 0x1234567));
	CHECK(!drive_is_over(old.keeper) && !drive_is_over(old.reader));
	close(fd);
	CHECK(DRIVE_UNTIL(drive_is_over(old.keeper) && drive_is_over(old.reader),
			  DRIVE_PATIENCE_MS));
	CHECK(!drive_is_over(new.keeper));
	CHECK_MEM(check_read_file(image, NULL) + 4096, page, 4096);
	CHECK_OK(drive_detach("lazy", false));
	drive_check_gone();

	/* The same end by SIGTERM, without the three seconds. */
	old = drive_start("lazy", VD_DRIVE_DISK, image, NULL);
	fd = open(old.main_file, O_RDONLY | O_CLOEXEC);
	CHECK_OK(drive_detach("lazy", true));
	CHECK(!drive_is_over(old.keeper));
	CHECK_OK(kill(old.keeper, SIGTERM));
	CHECK(DRIVE_UNTIL(drive_is_over(old.keeper) && drive_is_over(old.reader), TERM_MS - 500));
	close(fd);
	drive_check_gone();
}
DRIVE_AS_USER(test_detach_lazily)

/* Several at once. */

static void *detach_main(void *arg)
{
	return (void *)(intptr_t)drive_detach(arg, false);
}

/* Somebody hears that it is done; the others that, or that there is no such drive any more. */
static void check_detaches_at_once(unsigned n)
{
	char *image = drive_pattern_file("at-once.img", 65536, 0);
	pthread_t threads[8];
	unsigned done = 0;
	void *r;

	drive_start("at-once", VD_DRIVE_DISK, image, NULL);
	for (unsigned i = 0; i < n; i++)
		ASSERT_OK(pthread_create(&threads[i], NULL, detach_main, (void *)"at-once"));
	for (unsigned i = 0; i < n; i++) {
		int code;

		pthread_join(threads[i], &r);
		code = (int)(intptr_t)r;
		done += !code;
		if (code && code != -ENOENT && code != -ECONNREFUSED && code != -ECONNRESET &&
		    code != -EPIPE)
			CHECK_FAIL("a detach gives %s", check_errno_name(code));
	}
	CHECK(done >= 1);
	drive_check_gone();
}

static void test_detaches_at_once(void)
{
	for (int i = 0; i < 5; i++) {
		check_detaches_at_once(2);
		check_detaches_at_once(8);
	}
}
DRIVE_AS_USER(test_detaches_at_once)

static pid_t start_in_child(const char *name, const char *image, const char *go)
{
	struct vd_error err = { "" };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	while (go && access(go, F_OK))
		;
	_exit(-drive_try(name, VD_DRIVE_DISK, image, NULL, &err) & 0xff);
}

/* As soon as there is a socket, a detach is answered: when the drive is there, or by its end. */
static void test_detach_while_starting(void)
{
	char *image = drive_pattern_file("early.img", 65536, 0);

	for (int i = 0; i < 10; i++) {
		pid_t pid = start_in_child("early", image, NULL);
		int status = 0, r = -ENOENT;

		CHECK(DRIVE_UNTIL((r = drive_detach("early", true)) != -ENOENT &&
					  r != -ECONNREFUSED,
				  DRIVE_PATIENCE_MS));
		CHECK_OK(r);
		waitpid(pid, &status, 0);
		CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
		drive_check_gone();
	}
}
DRIVE_AS_USER(test_detach_while_starting)

static void test_one_name_by_many(void)
{
	char *image = drive_pattern_file("one.img", SIZE, 0), *go = drive_path("go");

	for (int round = 0; round < 5; round++) {
		pid_t pids[8], left[8];
		unsigned won = 0;

		for (size_t i = 0; i < VD_ARRAY_SIZE(pids); i++)
			pids[i] = start_in_child("one", image, go);
		check_write_file(go, "", 0);
		for (size_t i = 0; i < VD_ARRAY_SIZE(pids); i++) {
			int status = 0;

			waitpid(pids[i], &status, 0);
			if (status)
				CHECK_INT(WIFEXITED(status) ? -WEXITSTATUS(status) : 1, -EEXIST);
			else
				won++;
		}
		CHECK_UINT(won, 1);
		unlink(go);
		CHECK(reads_pattern(check_printf("%s/one/disk", drive_rundir()), SIZE));
		if (!geteuid()) /* a keeper and a reader */
			CHECK(DRIVE_UNTIL(drive_processes(drive_rundir(), left, 8) == 2,
					  DRIVE_PATIENCE_MS));
		CHECK_OK(drive_detach("one", false));
		drive_check_gone();
	}
}
DRIVE_AS_USER(test_one_name_by_many)

/* By hand. */

static void test_unmounted_by_hand(void)
{
	char *iso = drive_iso("hand", 65536), *mnt = drive_path("hand.mnt");
	struct drive d;

	if (!iso)
		return;
	d = drive_start("hand", VD_DRIVE_OPTICAL, iso, mnt);
	CHECK_INT(unmount_by_hand(mnt), 0);
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	drive_check_gone();

	d = drive_start("hand", VD_DRIVE_OPTICAL, iso, mnt);
	CHECK_INT(unmount_by_hand(d.dir), 0);
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	drive_check_gone();

	d = drive_start("hand", VD_DRIVE_DISK, iso, NULL);
	CHECK_INT(unmount_by_hand(d.dir), 0);
	CHECK(DRIVE_UNTIL(drive_is_over(d.keeper) && drive_is_over(d.reader), DRIVE_PATIENCE_MS));
	drive_check_gone();
	remove_tmp("hand");
}
DRIVE_AS_USER(test_unmounted_by_hand)

/* A runtime directory with a link in its path, as /var/run is. */
static void test_runtime_dir_behind_link(void)
{
	char *real = drive_path("real"), *link = drive_path("link");
	char *before = check_printf("%s", drive_rundir());

	ASSERT_OK(mkdir(real, 0700));
	ASSERT_OK(mkdir(check_printf("%s/run", real), 0700));
	ASSERT_OK(symlink("real", link));
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_printf("%s/run", link), 1));
	CHECK_OK(drive_try("linked", VD_DRIVE_DISK, drive_pattern_file("linked.img", SIZE, 0), NULL,
			   NULL));
	CHECK(reads_pattern(check_printf("%s/run/linked/disk", real), SIZE));
	CHECK_OK(vd_drive_request(check_printf("%s/run", real), "linked", VD_REQUEST_DETACH, 0,
				  DRIVE_PATIENCE_MS, NULL));
	CHECK_INT(rmdir(check_printf("%s/run", real)), 0);
	setenv("VDRIVE_RUNTIME_DIR", before, 1);
	drive_check_gone();
	unlink(link);
	rmdir(real);
}
DRIVE_AS_USER(test_runtime_dir_behind_link)

#define BOTH(name)                                                                                 \
	{ #name, test_##name },                                                                    \
	{                                                                                          \
#name "_as_user", test_##name##_as_user                                            \
	}

static const struct check_test tests[] = {
	BOTH(whole_life),
	BOTH(output_is_let_go),
	BOTH(failed_start_leaves_nothing),
	BOTH(starter_gone),
	BOTH(starter_ignores_sigchld),
	BOTH(reader_killed_disk),
	BOTH(reader_killed_optical),
	BOTH(reader_killed_while_it_starts),
	BOTH(reader_aborts),
	BOTH(reader_hangs),
	{ "reader_floods_with_questions", test_reader_floods_with_questions },
	{ "reader_floods_with_attributes", test_reader_floods_with_attributes },
	{ "reader_stopped", test_reader_stopped },
	BOTH(keeper_killed_and_reaped),
	BOTH(keeper_killed_and_replaced),
	BOTH(reap_spares_the_living),
	BOTH(sigterm_under_load),
	BOTH(sigint),
	{ "sigterm_grace", test_sigterm_grace },
	BOTH(detach_busy),
	BOTH(detach_lazily),
	BOTH(detaches_at_once),
	BOTH(detach_while_starting),
	BOTH(one_name_by_many),
	BOTH(unmounted_by_hand),
	BOTH(runtime_dir_behind_link),
};
CHECK_MAIN_WITH(tests, drive_setup, drive_teardown)
