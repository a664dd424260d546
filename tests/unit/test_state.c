// SPDX-License-Identifier: GPL-3.0-or-later
/* Runtime directories, names, state files, claims, and what is left of drives whose keeper died. No drive is started. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/common/drive.h"
#include "util/cleanup.h"

#define NAME_OF_64 "0123456789012345678901234567890123456789012345678901234567890123"

static const char *rundir;

static void setup(void)
{
	rundir = check_path("run");
	ASSERT_OK(mkdir(rundir, 0700));
}

static char *in_rundir(const char *name)
{
	return check_printf("%s/%s", rundir, name);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static struct vd_drive_state *make_state(const char *name)
{
	struct vd_drive_state *s = check_alloc(sizeof(*s));

	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->image, sizeof(s->image), "/images/%s.img", name);
	s->type = VD_DRIVE_DISK;
	s->keeper = getpid();
	s->uid = geteuid();
	s->gid = getegid();
	s->started = 1234567890123;
	return s;
}

/* Runtime directories. */

static int find_rundir(char *buf, struct vd_error *err)
{
	return vd_rundir(buf, PATH_MAX, err);
}

static void test_rundir(void)
{
	char *dir = check_path("new-run"), buf[PATH_MAX];
	struct vd_error err = { "" };
	struct stat st;

	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", dir, 1));
	CHECK_OK(find_rundir(buf, &err));
	CHECK_STR(buf, dir);
	ASSERT_OK(stat(dir, &st));
	CHECK_INT(st.st_mode & 07777, 0700);
	CHECK_OK(find_rundir(buf, &err)); /* it is there */

	/* Others could put something there. */
	ASSERT_OK(chmod(dir, 0770));
	CHECK_ERRNO(find_rundir(buf, &err), -EPERM);
	CHECK_HAS(err.text, "770");
	ASSERT_OK(chmod(dir, 0702));
	CHECK_ERRNO(find_rundir(buf, &err), -EPERM);
	ASSERT_OK(chmod(dir, 0755));
	CHECK_OK(find_rundir(buf, &err));
	CHECK_ERRNO(vd_rundir(buf, strlen(dir), &err), -ENAMETOOLONG);

	/* A link, and a file. */
	ASSERT_OK(symlink("new-run", check_path("run-link")));
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_path("run-link"), 1));
	CHECK_ERRNO(find_rundir(buf, &err), -ENOTDIR);
	check_write_file(check_path("run-file"), "", 0);
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_path("run-file"), 1));
	CHECK_ERRNO(find_rundir(buf, &err), -ENOTDIR);
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_path("no/such"), 1));
	CHECK_ERRNO(find_rundir(buf, &err), -ENOENT);

	/* A link on the way is followed, and the way that the kernel knows is used. */
	ASSERT_OK(symlink(".", check_path("way")));
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_path("way/new-run"), 1));
	CHECK_OK(find_rundir(buf, &err));
	CHECK_STR(buf, dir);
	unsetenv("VDRIVE_RUNTIME_DIR");
}

/* As a user: the session's directory, or one in /tmp. Another user's is not used. */
static void rundirs_of_user(void)
{
	char *xdg = check_path("xdg"), buf[PATH_MAX];
	struct vd_error err = { "" };

	unsetenv("VDRIVE_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", xdg, 1);
	CHECK_OK(find_rundir(buf, &err));
	CHECK_STR(buf, check_printf("%s/vdrive", xdg));
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	CHECK_OK(find_rundir(buf, &err));
	CHECK_STR(buf, check_printf("/tmp/vdrive-%u", (unsigned)geteuid()));
	rmdir(buf);			   /* unless somebody else uses it */
	setenv("XDG_RUNTIME_DIR", "/", 1); /* root's */
	CHECK_OK(find_rundir(buf, &err));
	CHECK_STR(buf, check_printf("/tmp/vdrive-%u", (unsigned)geteuid()));
	rmdir(buf);
	setenv("VDRIVE_RUNTIME_DIR", rundir, 1);
	CHECK_ERRNO(find_rundir(buf, &err), -EPERM);
	CHECK_HAS(err.text, "belongs to user 0");
}

static void test_rundir_of_user(void)
{
	uid_t uid = 54321;
	int status;
	pid_t pid;

	if (geteuid())
		CHECK_SKIP("needs root");
	ASSERT_OK(mkdir(check_path("xdg"), 0700));
	ASSERT_OK(chown(check_path("xdg"), uid, uid));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(1);
		rundirs_of_user();
		_exit(0);
	}
	ASSERT_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

/* Names. */

static void test_name_check(void)
{
	static const char *const good[] = { "a", "0", "Z9", "a.b_c+d-e", "disc.iso", NAME_OF_64 };
	static const char *const bad[] = {
		"",    ".",   "..", ".a", "-a",	      "_a",	   "+",	    "a/b", "/",
		"a b", "a\n", "a%", "a:", "\xc3\xa4", "a\xc3\xa4", "a\x7f", "a\\", (NAME_OF_64 "4")
	};
	struct vd_error err;

	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++)
		CHECK_OK(vd_drive_name_check(good[i], NULL));
	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++) {
		err.text[0] = '\0';
		CHECK_ERRNO(vd_drive_name_check(bad[i], &err), -EINVAL);
		CHECK(err.text[0] != '\0');
	}
}

static void test_name_from_path(void)
{
	static const char *const rows[][2] = {
		{ "/a/My Disc (1).iso", "My-Disc-1" },
		{ "disc.iso", "disc" },
		{ "archive.tar.gz", "archive.tar" },
		{ ".hidden", "hidden" },
		{ "/a/b/", "disc" },
		{ "", "disc" },
		{ "---.iso", "disc" },
		{ "\xe6\x97\xa5\xe6\x9c\xac.iso", "disc" },
		{ "x\xe6\x97\xa5y.iso", "x-y" },
		{ "a\nb.iso", "a-b" },
	};
	char name[VD_DRIVE_NAME_MAX + 1], *path = check_alloc(5000);

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		vd_drive_name_from_path(rows[i][0], name);
		CHECK_STR(name, rows[i][1]);
		CHECK_OK(vd_drive_name_check(name, NULL));
	}
	/* Long ones are cut, with room for a number. */
	memset(path, 'x', 4000);
	vd_drive_name_from_path(path, name);
	CHECK(strlen(name) <= VD_DRIVE_NAME_MAX - strlen("-9999"));
	CHECK_OK(vd_drive_name_check(name, NULL));
	/* Whatever the bytes, the result is a name. */
	for (unsigned seed = 0; seed < 2000; seed++) {
		unsigned r = seed;
		size_t n = seed % 90;

		for (size_t i = 0; i < n; i++)
			path[i] = (char)(rand_r(&r) % 255 + 1);
		path[n] = '\0';
		vd_drive_name_from_path(path, name);
		CHECK_OK(vd_drive_name_check(name, NULL));
	}
}

/* State files. */

static void test_state_round_trip(void)
{
	struct vd_drive_state *s = make_state("round"), *back = check_alloc(sizeof(*back));
	int fd = -1;

	/* Every byte that a path may have. */
	s->image[0] = '/';
	for (int c = 1; c < 256; c++)
		s->image[c] = (char)c;
	memset(s->mountpoint, '\n', sizeof(s->mountpoint) - 1);
	s->mountpoint[0] = '/';
	strcpy(s->options, "ro,session=2,x=100%\nend=1");
	s->type = VD_DRIVE_OPTICAL;
	s->read_only = true;
	ASSERT_OK(vd_state_claim(rundir, s, &fd, NULL));
	ASSERT_OK(vd_state_read(rundir, "round", back, NULL));
	CHECK_STR(back->name, "round");
	CHECK_STR(back->image, s->image);
	CHECK_STR(back->mountpoint, s->mountpoint);
	CHECK_STR(back->options, s->options);
	CHECK_INT(back->type, VD_DRIVE_OPTICAL);
	CHECK_INT(back->keeper, getpid());
	CHECK_UINT(back->uid, geteuid());
	CHECK_UINT(back->gid, getegid());
	CHECK_INT(back->started, 1234567890123);
	CHECK(back->read_only);
	CHECK(back->alive);
	/* A shorter one over a longer one. */
	s->mountpoint[0] = s->options[0] = '\0';
	strcpy(s->image, "/i");
	s->read_only = false;
	CHECK_OK(vd_state_write(fd, s, NULL));
	ASSERT_OK(vd_state_read(rundir, "round", back, NULL));
	CHECK_STR(back->image, "/i");
	CHECK_STR(back->mountpoint, "");
	CHECK(!back->read_only);
	vd_state_release(rundir, "round", fd);
	CHECK_ERRNO(vd_state_read(rundir, "round", back, NULL), -ENOENT);
	CHECK(!exists(in_rundir("round.state")));
}

static void test_state_damaged(void)
{
	static const char *const bad[] = { "",
					   "\n",
					   "name",
					   "name=bad\n",
					   "name=bad\nend",
					   "end\n",
					   "name=%zz\nend=1\n",
					   "name=%4\nend=1\n",
					   "name=other\nend=1\n",
					   "name=../bad\nend=1\n" };
	struct vd_drive_state *s = check_alloc(sizeof(*s)), *all = NULL;
	char *path = in_rundir("bad.state"), *huge = check_alloc(1 << 20);
	size_t n = 9;

	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++) {
		check_write_file(path, bad[i], strlen(bad[i]));
		if (!vd_state_read(rundir, "bad", s, NULL))
			CHECK_FAIL("'%s' is taken for a state", bad[i]);
	}
	memset(huge, 'x', 1 << 20);
	memcpy(huge, "name=", 5);
	check_write_file(path, huge, 1 << 20);
	CHECK(vd_state_read(rundir, "bad", s, NULL) < 0);
	/* None of it in a list, and a new drive may have the name. */
	CHECK_OK(vd_state_list(rundir, &all, &n, NULL, NULL));
	CHECK_UINT(n, 0);
	free(all);
	CHECK_OK(vd_state_reap(rundir, "bad", NULL));
	CHECK(!exists(path));
	/* Neither a link nor a FIFO is opened, and the latter not waited for. */
	ASSERT_OK(symlink("/etc/passwd", path));
	CHECK_ERRNO(vd_state_read(rundir, "bad", s, NULL), -ELOOP);
	unlink(path);
	ASSERT_OK(mkfifo(path, 0600));
	CHECK(vd_state_read(rundir, "bad", s, NULL) < 0);
	unlink(path);
	CHECK_ERRNO(vd_state_read(rundir, "../x", s, NULL), -EINVAL);
}

/* Claims. */

static void test_claim_once(void)
{
	struct vd_drive_state *s = make_state("once");
	struct vd_error err = { "" };
	int fd = -1, fd2 = -1;

	ASSERT_OK(vd_state_claim(rundir, s, &fd, &err));
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(vd_state_claim(rundir, s, &fd2, &err), -EEXIST);
	CHECK_HAS(err.text, "once");
	CHECK_ERRNO(vd_state_reap(rundir, "once", &err), -EBUSY);
	vd_state_release(rundir, "once", fd);
	ASSERT_OK(vd_state_claim(rundir, s, &fd, &err));
	vd_state_release(rundir, "once", fd);
	CHECK_ERRNO(vd_state_claim(rundir, make_state("no/pe"), &fd, &err), -EINVAL);
}

/* Many processes, one name, over and over: never do two of them have it. */
static void test_claim_races(void)
{
	char *held = in_rundir("held-by-one");
	pid_t pids[6];
	int status;

	fflush(NULL);
	for (size_t i = 0; i < VD_ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT(pids[i] >= 0);
		if (pids[i])
			continue;
		for (int round = 0; round < 300; round++) {
			struct vd_drive_state *s = make_state("race");
			int fd = -1, r = vd_state_claim(rundir, s, &fd, NULL), mine;

			if (r == -EEXIST)
				continue;
			if (r)
				_exit(2);
			mine = open(held, O_CREAT | O_EXCL | O_CLOEXEC | O_RDWR, 0600);
			if (mine < 0)
				_exit(3);
			close(mine);
			unlink(held);
			vd_state_release(rundir, "race", fd);
		}
		_exit(0);
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(pids); i++) {
		ASSERT_INT(waitpid(pids[i], &status, 0), pids[i]);
		CHECK_INT(status, 0);
	}
	CHECK(!exists(in_rundir("race.state")));
}

/* A claim that fails leaves the directory as it was. */
static void test_claim_fails_clean(void)
{
	struct rlimit before, tiny;
	int fd = -1, r;

	/* Something that is no drive's is in the way, and stays. */
	ASSERT_OK(mkdir(in_rundir("full"), 0700));
	check_write_file(in_rundir("full/x"), "x", 1);
	CHECK_ERRNO(vd_state_claim(rundir, make_state("full"), &fd, NULL), -ENOTEMPTY);
	CHECK(!exists(in_rundir("full.state")));
	CHECK(exists(in_rundir("full/x")));
	ASSERT_OK(check_remove_tree(in_rundir("full")));

	/* No room for the state. */
	ASSERT_OK(getrlimit(RLIMIT_FSIZE, &before));
	tiny = before;
	tiny.rlim_cur = 10;
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &tiny));
	r = vd_state_claim(rundir, make_state("noroom"), &fd, NULL);
	setrlimit(RLIMIT_FSIZE, &before);
	CHECK(r < 0);
	CHECK(!exists(in_rundir("noroom.state")));
}

/* Lists, and the dead. */

static pid_t hold_in_child(const char *name)
{
	int p[2], fd = -1, r;
	pid_t pid;

	ASSERT_OK(pipe2(p, O_CLOEXEC));
	fflush(NULL);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		r = vd_state_claim(rundir, make_state(name), &fd, NULL);
		if (write(p[1], &r, sizeof(r)) != sizeof(r))
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	ASSERT_INT(read(p[0], &r, sizeof(r)), sizeof(r));
	close(p[0]);
	ASSERT_OK(r);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_list_and_reap(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct vd_drive_state *all = NULL;
	size_t n = 0, bad = 9;
	pid_t a, b;
	int sock;

	a = hold_in_child("b-lives");
	b = hold_in_child("a-dies");
	check_write_file(in_rundir("not-a-state"), "", 0);
	check_write_file(in_rundir(".state"), "", 0);
	/* What a keeper has besides. */
	ASSERT_OK(mkdir(in_rundir("a-dies"), 0700));
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", in_rundir("a-dies.sock"));
	ASSERT_OK(bind(sock, (struct sockaddr *)&addr, sizeof(addr)));
	close(sock);
	end_child(b);

	ASSERT_OK(vd_state_list(rundir, &all, &n, &bad, NULL));
	CHECK_UINT(bad, 0);
	ASSERT_UINT(n, 2);
	CHECK_STR(all[0].name, "a-dies");
	CHECK(!all[0].alive);
	CHECK_STR(all[1].name, "b-lives");
	CHECK(all[1].alive);
	CHECK_INT(all[1].keeper, a);
	free(all);

	CHECK_ERRNO(vd_drive_request(rundir, "a-dies", VD_REQUEST_PING, 0, 1000, NULL),
		    -ECONNREFUSED);
	CHECK_ERRNO(vd_drive_request(rundir, "b-lives", VD_REQUEST_PING, 0, 1000, NULL), -ENOENT);
	CHECK_ERRNO(vd_state_reap(rundir, "b-lives", NULL), -EBUSY);
	CHECK_OK(vd_state_reap(rundir, "a-dies", NULL));
	CHECK(!exists(in_rundir("a-dies")));
	CHECK(!exists(in_rundir("a-dies.sock")));
	CHECK(!exists(in_rundir("a-dies.state")));
	CHECK_OK(vd_state_reap(rundir, "a-dies", NULL));
	end_child(a);
	CHECK_OK(vd_state_reap(rundir, "b-lives", NULL));
	ASSERT_OK(vd_state_list(rundir, &all, &n, &bad, NULL));
	CHECK_UINT(n, 0);
	free(all);
	/* No directory is no drives. */
	CHECK_OK(vd_state_list(in_rundir("none"), &all, &n, &bad, NULL));
	CHECK_UINT(n, 0);
	free(all);
}

/* A dead drive's name is taken over by a claim, what it left first taken down. */
static void test_claim_of_dead(void)
{
	struct vd_drive_state *s = make_state("dead"), *back = check_alloc(sizeof(*back));
	int fd = -1;

	end_child(hold_in_child("dead"));
	ASSERT_OK(mkdir(in_rundir("dead"), 0700));
	strcpy(s->image, "/another");
	ASSERT_OK(vd_state_claim(rundir, s, &fd, NULL));
	CHECK(!exists(in_rundir("dead")));
	CHECK_OK(vd_state_read(rundir, "dead", back, NULL));
	CHECK_STR(back->image, "/another");
	CHECK(back->alive);
	vd_state_release(rundir, "dead", fd);
}

/* A keeper that is stopped does not answer, and nobody waits for it longer than they want. */
static void test_request_without_answer(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct vd_error err = { "" };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", in_rundir("deaf.sock"));
	ASSERT_OK(bind(sock, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_OK(listen(sock, 4));
	CHECK_ERRNO(vd_drive_request(rundir, "deaf", VD_REQUEST_DETACH, 0, 100, &err), -ETIMEDOUT);
	CHECK_HAS(err.text, "deaf");
	unlink(addr.sun_path);
}

static const struct check_test tests[] = {
	{ "rundir", test_rundir },
	{ "rundir_of_user", test_rundir_of_user },
	{ "name_check", test_name_check },
	{ "name_from_path", test_name_from_path },
	{ "state_round_trip", test_state_round_trip },
	{ "state_damaged", test_state_damaged },
	{ "claim_once", test_claim_once },
	{ "claim_races", test_claim_races },
	{ "claim_fails_clean", test_claim_fails_clean },
	{ "list_and_reap", test_list_and_reap },
	{ "claim_of_dead", test_claim_of_dead },
	{ "request_without_answer", test_request_without_answer },
};
CHECK_MAIN_WITH(tests, setup, NULL)
