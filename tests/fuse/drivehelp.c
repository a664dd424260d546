// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "drivehelp.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

#define BLOCK 65536u
#define MAX_PROCESSES 4096

/* One for the user that the program runs as, one for drive_as_user(). */
struct place {
	char base[PATH_MAX], rundir[PATH_MAX];
};

static struct place own, users;
static struct place *here = &own;
static struct passwd *user;

static void make_place(struct place *p, const char *name, uid_t uid, gid_t gid)
{
	snprintf(p->base, sizeof(p->base), "%s/%s", check_tmpdir(), name);
	ASSERT_INT(snprintf(p->rundir, sizeof(p->rundir), "%s/%s/run", check_tmpdir(), name) <
			   (int)sizeof(p->rundir),
		   1);
	ASSERT_OK(mkdir(p->base, 0755));
	ASSERT_OK(mkdir(p->rundir, 0700));
	ASSERT_OK(chown(p->base, uid, gid));
	ASSERT_OK(chown(p->rundir, uid, gid));
}

void drive_setup(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		CHECK_SKIP("/dev/fuse: %s", strerror(errno));
	close(fd);
	make_place(&own, "own", geteuid(), getegid());
	if (!geteuid()) {
		user = getpwnam("games");
		if (!user)
			user = getpwnam("nobody");
		if (user)
			make_place(&users, "user", user->pw_uid, user->pw_gid);
	}
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", own.rundir, 1));
}

/* For what a failed test left: kills keepers, and their readers with them, then does as `detach` would. */
static void sweep(const char *rundir)
{
	_cleanup_free_ struct vd_drive_state *all = NULL;
	pid_t pids[MAX_PROCESSES];
	size_t n = drive_processes(rundir, pids, MAX_PROCESSES);

	for (size_t i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	(void)DRIVE_UNTIL(!drive_processes(rundir, pids, MAX_PROCESSES), 5000);
	if (vd_state_list(rundir, &all, &n, NULL, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		(void)vd_state_reap(rundir, all[i].name, NULL);
}

void drive_teardown(void)
{
	if (own.rundir[0])
		sweep(own.rundir);
	if (users.rundir[0])
		sweep(users.rundir);
}

static int become_user(void)
{
	if (setgroups(0, NULL) || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
		return -errno;
	/* As a shell of theirs would be: the control socket is reached through /proc/self. */
	return prctl(PR_SET_DUMPABLE, 1) ? -errno : 0;
}

void drive_as_user(void (*test)(void))
{
	int64_t deadline = drive_now_ms() + 4 * DRIVE_PATIENCE_MS;
	int status = 0, null;
	pid_t pid, r = 0;

	if (geteuid())
		CHECK_SKIP("this program runs as a user already");
	if (!user)
		CHECK_SKIP("there is neither a user games nor nobody");
	fflush(NULL);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		here = &users;
		null = become_user();
		if (null || setenv("VDRIVE_RUNTIME_DIR", users.rundir, 1)) {
			fprintf(stderr, "cannot become user %s: %s\n", user->pw_name,
				strerror(-null));
			_exit(1);
		}
		null = open("/dev/fuse", O_RDWR | O_CLOEXEC);
		if (null < 0)
			_exit(77);
		close(null);
		test();
		fflush(NULL);
		_exit(0);
	}
	while (!(r = waitpid(pid, &status, WNOHANG)) && drive_now_ms() < deadline)
		usleep(2000);
	if (!r) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		CHECK_FAIL("the test as user %s does not end", user->pw_name);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		CHECK_SKIP("user %s may not open /dev/fuse", user->pw_name);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		CHECK_FAIL("the test as user %s ended with status %#x", user->pw_name,
			   (unsigned)status);
	}
	/* Root sees the readers too, which hide from their user. */
	here = &users;
	drive_check_gone();
	if (check_failed())
		sweep(users.rundir);
	here = &own;
}

const char *drive_rundir(void)
{
	return here->rundir;
}

char *drive_path(const char *fmt, ...)
{
	char text[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return check_printf("%s/%s", here->base, text);
}

char *drive_program(const char *name)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	return check_printf("%s/%s", exe, name);
}

int64_t drive_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Images. */

char *drive_pattern_file(const char *name, size_t size, uint64_t seed)
{
	char *path = drive_path("%s", name);
	uint64_t *data = check_alloc(size + 8);

	for (size_t i = 0; i < (size + 7) / 8; i++)
		data[i] = (i * 8) ^ seed;
	check_write_file(path, data, size);
	return path;
}

bool drive_is_pattern(const void *data, size_t len, uint64_t off, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t v;

		memcpy(&v, (const char *)data + i, 8);
		if (v != ((off + i) ^ seed))
			return false;
	}
	return true;
}

char *drive_iso(const char *name, size_t big)
{
	char *iso = drive_path("%s.iso", name), *tree = drive_path("%s.tree", name);
	struct check_cmd *c;

	ASSERT_OK(mkdir(tree, 0755));
	drive_pattern_file(check_printf("%s.tree/big", name), big, 0);
	check_write_file(check_printf("%s/small", tree), "small\n", 6);
	if (check_have_program("xorriso"))
		c = check_sh("xorriso -as mkisofs -quiet -R -J -o '%s' '%s'", iso, tree);
	else if (check_have_program("genisoimage"))
		c = check_sh("genisoimage -quiet -R -J -o '%s' '%s'", iso, tree);
	else
		return check_skip("neither xorriso nor genisoimage is installed"), NULL;
	if (c->status)
		CHECK_FAIL("cannot make %s: %s", iso, c->err);
	CHECK_OK(check_remove_tree(tree));
	return iso;
}

/* Drives. */

int drive_try(const char *name, enum vd_drive_type type, const char *image, const char *mountpoint,
	      struct vd_error *err)
{
	_cleanup_free_ struct vd_drive_start *start = calloc(1, sizeof(*start));
	_cleanup_close_ int image_fd =
		open(image, (type == VD_DRIVE_DISK ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	_cleanup_close_ int dir_fd = open(here->base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!start || image_fd < 0 || dir_fd < 0)
		return vd_error_errno(err, -errno, "%s", image);
	if (mountpoint && mkdir(mountpoint, 0755) && errno != EEXIST)
		return vd_error_errno(err, -errno, "%s", mountpoint);
	snprintf(start->state.name, sizeof(start->state.name), "%s", name);
	snprintf(start->state.image, sizeof(start->state.image), "%s", image);
	snprintf(start->state.mountpoint, sizeof(start->state.mountpoint), "%s",
		 mountpoint ? mountpoint : "");
	start->state.type = type;
	start->image_fd = image_fd;
	start->dir_fd = dir_fd;
	return vd_drive_start(start, NULL, err);
}

struct drive drive_start(const char *name, enum vd_drive_type type, const char *image,
			 const char *mountpoint)
{
	struct drive d = { .name = name };
	struct vd_error err = { "" };
	const char *reader;
	int r = drive_try(name, type, image, mountpoint, &err);

	if (r)
		ASSERT_FAIL("drive %s does not start: %s (%s)", name, err.text,
			    check_errno_name(r));
	d.dir = check_printf("%s/%s", here->rundir, name);
	d.main_file = check_printf("%s/%s", d.dir, type == VD_DRIVE_DISK ? "disk" : "disc.iso");
	reader = drive_attr(name, "reader_pid");
	ASSERT(reader != NULL);
	d.reader = (pid_t)atol(reader);
	d.keeper = (pid_t)atol(drive_attr(name, "pid"));
	ASSERT(d.reader > 1 && d.keeper > 1);
	return d;
}

char *drive_attr(const char *name, const char *attr)
{
	_cleanup_close_ int fd =
		open(check_printf("%s/%s/attr/%s", here->rundir, name, attr), O_RDONLY | O_CLOEXEC);
	char text[8192];
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return check_printf("%s", text);
}

int drive_attr_write(const char *name, const char *attr, const char *value)
{
	_cleanup_close_ int fd =
		open(check_printf("%s/%s/attr/%s", here->rundir, name, attr), O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	return n < 0 ? -errno : n == (ssize_t)strlen(value) ? 0 : -EIO;
}

int drive_detach(const char *name, bool lazy)
{
	return vd_drive_request(here->rundir, name, VD_REQUEST_DETACH, lazy ? VD_DETACH_LAZY : 0,
				DRIVE_PATIENCE_MS, NULL);
}

/* Processes. */

static size_t read_small(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	while (fd >= 0 && n + 1 < size) {
		ssize_t got = read(fd, buf + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return n;
}

bool drive_is_over(pid_t pid)
{
	char path[64], text[1024], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!read_small(path, text, sizeof(text)))
		return true;
	p = strrchr(text, ')'); /* the name may hold anything */
	return p && (p[2] == 'Z' || p[2] == 'X');
}

static bool has_rundir(const char *pid, const char *rundir)
{
	_cleanup_free_ char *env = malloc(1 << 20);
	char path[PATH_MAX], want[PATH_MAX + 32];
	size_t n;

	if (!env)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	if (!read_small(path, env, 64) || strcmp(env, "vdrived"))
		return false;
	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	n = read_small(path, env, 1 << 20);
	snprintf(want, sizeof(want), "VDRIVE_RUNTIME_DIR=%s", rundir);
	for (char *p = env; p < env + n; p += strlen(p) + 1)
		if (!strcmp(p, want))
			return true;
	return false;
}

size_t drive_processes(const char *rundir, pid_t *pids, size_t max)
{
	struct dirent *e;
	size_t n = 0;
	DIR *d = opendir("/proc");

	if (!d)
		return 0;
	while (n < max && (e = readdir(d))) {
		pid_t pid = (pid_t)atol(e->d_name);

		if (pid > 0 && !drive_is_over(pid) && has_rundir(e->d_name, rundir))
			pids[n++] = pid;
	}
	closedir(d);
	return n;
}

static bool any_mount(char *first, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0, len = strlen(here->base);

	while (f && getline(&line, &room, f) > 0) {
		const char *p = line;

		for (int i = 0; p && i < 4; i++) {
			p = strchr(p, ' ');
			p = p ? p + 1 : NULL;
		}
		if (p && !strncmp(p, here->base, len) && p[len] == '/') {
			snprintf(first, size, "%.*s", (int)strcspn(p, " "), p);
			return true;
		}
	}
	return false;
}

static bool any_file(char *first, size_t size)
{
	DIR *d = opendir(here->rundir);
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
			snprintf(first, size, "%s", e->d_name);
			found = true;
		}
	if (d)
		closedir(d);
	return found;
}

void drive_check_gone_at(const struct check_where *w)
{
	int64_t end = drive_now_ms() + DRIVE_PATIENCE_MS / 2;
	char name[PATH_MAX] = "";
	pid_t pid[8];

	if (!DRIVE_UNTIL(!any_mount(name, sizeof(name)), end - drive_now_ms()))
		check_fail(w, "%s is still mounted", name);
	if (!DRIVE_UNTIL(!any_file(name, sizeof(name)), end - drive_now_ms()))
		check_fail(w, "%s is left in the runtime directory", name);
	if (!DRIVE_UNTIL(!drive_processes(here->rundir, pid, 8), end - drive_now_ms()))
		check_fail(w, "process %d is left", (int)pid[0]);
}

long drive_rss_kib(pid_t pid)
{
	char path[64], text[8192], *p;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	read_small(path, text, sizeof(text));
	p = strstr(text, "\nVmRSS:");
	return p ? atol(p + 7) : -1;
}

long drive_descriptors(pid_t pid)
{
	char path[64];
	struct dirent *e;
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Load. */

struct loader {
	struct drive_load *load;
	const char *file;
	unsigned seed;
	atomic_uint good, marked, wrong, errors;
	atomic_llong slowest_error_ms;
	pthread_t thread;
};

struct drive_load {
	atomic_bool stop;
	unsigned n;
	struct loader loader[];
};

static void read_once(struct loader *l, int fd, void *buf, off_t size, bool *again)
{
	off_t off = size > BLOCK ? (off_t)((unsigned)rand_r(&l->seed) % (size / BLOCK)) * BLOCK : 0;
	size_t want = size - off < BLOCK ? (size_t)(size - off) : BLOCK;
	int64_t start = drive_now_ms(), took;
	ssize_t n = pread(fd, buf, BLOCK, off);

	took = drive_now_ms() - start;
	*again = n < 0;
	if (n < 0) {
		if (took > atomic_load(&l->slowest_error_ms))
			atomic_store(&l->slowest_error_ms, took);
		atomic_fetch_add(&l->errors, 1);
	} else if ((size_t)n != want || !drive_is_pattern(buf, want, (uint64_t)off, 0)) {
		atomic_fetch_add(&l->wrong, 1);
	} else {
		atomic_fetch_add(&l->good, 1);
	}
}

static void *load_main(void *arg)
{
	struct loader *l = arg;
	_cleanup_free_ void *buf = NULL;
	struct stat st;
	bool again;

	if (posix_memalign(&buf, 4096, BLOCK))
		return NULL;
	while (!atomic_load(&l->load->stop)) {
		_cleanup_close_ int fd = open(l->file, O_RDONLY | O_DIRECT | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st)) {
			usleep(1000);
			continue;
		}
		do
			read_once(l, fd, buf, st.st_size, &again);
		while (!again && !atomic_load(&l->load->stop));
	}
	return NULL;
}

struct drive_load *drive_load_start(const char *const *files, size_t nfiles, unsigned threads)
{
	struct drive_load *l = check_alloc(sizeof(*l) + threads * sizeof(l->loader[0]));

	for (unsigned i = 0; i < threads; i++) {
		l->loader[i].load = l;
		l->loader[i].file = files[i % nfiles];
		l->loader[i].seed = i;
		if (pthread_create(&l->loader[i].thread, NULL, load_main, &l->loader[i])) {
			CHECK_FAIL("no thread");
			break;
		}
		l->n++;
	}
	if (!DRIVE_UNTIL(drive_load_least(l) > 3, DRIVE_PATIENCE_MS))
		CHECK_FAIL("nothing can be read");
	return l;
}

void drive_load_mark(struct drive_load *l)
{
	for (unsigned i = 0; i < l->n; i++)
		atomic_store(&l->loader[i].marked, atomic_load(&l->loader[i].good));
}

unsigned drive_load_least(const struct drive_load *l)
{
	unsigned least = UINT_MAX;

	for (unsigned i = 0; i < l->n; i++) {
		unsigned n = atomic_load(&l->loader[i].good) - atomic_load(&l->loader[i].marked);

		if (n < least)
			least = n;
	}
	return least;
}

unsigned drive_load_errors(const struct drive_load *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		n += atomic_load(&l->loader[i].errors);
	return n;
}

unsigned drive_load_wrong(const struct drive_load *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		n += atomic_load(&l->loader[i].wrong);
	return n;
}

int64_t drive_load_slowest_error_ms(const struct drive_load *l)
{
	int64_t most = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (atomic_load(&l->loader[i].slowest_error_ms) > most)
			most = atomic_load(&l->loader[i].slowest_error_ms);
	return most;
}

void drive_load_stop(struct drive_load *l)
{
	atomic_store(&l->stop, true);
	for (unsigned i = 0; i < l->n; i++)
		pthread_join(l->loader[i].thread, NULL);
}
