// SPDX-License-Identifier: GPL-3.0-or-later
/* What a sheet may make the keeper open, and what not, however the name is dressed up. */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/vdrived/opener.h"
#include "util/cleanup.h"

static int dir_fd = -1;

static void setup(void)
{
	ASSERT_OK(mkdir(check_path("disc"), 0755));
	ASSERT_OK(mkdir(check_path("disc/sub"), 0755));
	ASSERT_OK(mkdir(check_path("disc-2"), 0755));
	check_write_file(check_path("disc/a.bin"), "inside", 6);
	check_write_file(check_path("disc/sub/b.bin"), "below", 5);
	check_write_file(check_path("disc/..c"), "dots", 4);
	check_write_file(check_path("secret"), "outside", 7);
	check_write_file(check_path("disc-2/secret"), "outside", 7);
	ASSERT_OK(mkdir(check_path("disc/Sub Dir"), 0755));
	check_write_file(check_path("disc/Sub Dir/Track 01.BIN"), "cased", 5);
	check_write_file(check_path("disc/back\\slash.bin"), "slash", 5);
	check_write_file(check_path("disc/\xc3\x84.bin"), "umlaut", 6);
	check_write_file(check_path("disc/\xc4.bin"), "latin", 5);
	check_write_file(check_path("disc/two.bin"), "two", 3);
	check_write_file(check_path("disc/TWO.bin"), "TWO", 3);
	ASSERT_OK(symlink("a.bin", check_path("disc/link-in")));
	ASSERT_OK(symlink("sub/../a.bin", check_path("disc/link-round")));
	ASSERT_OK(symlink("../secret", check_path("disc/link-out")));
	ASSERT_OK(symlink(check_path("secret"), check_path("disc/link-absolute")));
	ASSERT_OK(symlink("..", check_path("disc/link-dir")));
	ASSERT_OK(symlink("link-loop", check_path("disc/link-loop")));
	ASSERT_OK(symlink("/proc/self/fd/0", check_path("disc/link-magic")));
	ASSERT_OK(mkfifo(check_path("disc/fifo"), 0644));
	dir_fd = open(check_path("disc"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT(dir_fd >= 0);
}

static void teardown(void)
{
	if (dir_fd >= 0)
		close(dir_fd);
}

static void test_opens_beneath(void)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "a.bin", "inside" },
		{ "./a.bin", "inside" },
		{ "sub/b.bin", "below" },
		{ "sub/../a.bin", "inside" },
		{ "sub//./b.bin", "below" },
		{ "..c", "dots" },
		{ "link-in", "inside" },
		{ "link-round", "inside" },
		/* In other cases, and with the other separator. */
		{ "A.BIN", "inside" },
		{ ".\\A.bin", "inside" },
		{ "SUB/b.bin", "below" },
		{ "sub\\b.bin", "below" },
		{ "sub dir/track 01.bin", "cased" },
		{ "SUB DIR\\TRACK 01.Bin", "cased" },
		{ "back\\slash.bin", "slash" },
		{ "\xc3\xa4.BIN", "umlaut" },
		{ "\xc4.BIN", "latin" },
		{ "LINK-IN", "inside" },
		/* One of them is written so. */
		{ "two.bin", "two" },
		{ "TWO.bin", "TWO" },
	};
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		_cleanup_close_ int fd = vd_keeper_open(&o, rows[i].name, &err);
		char text[16] = "";

		if (fd < 0) {
			CHECK_FAIL("%s: %s", rows[i].name, err.text);
			continue;
		}
		CHECK(read(fd, text, sizeof(text) - 1) >= 0);
		CHECK_STR(text, rows[i].text);
		/* To be read only, and by no program that somebody starts. */
		CHECK_INT(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
	CHECK_INT(o.opened, (int)VD_ARRAY_SIZE(rows));
}

static void test_refuses(void)
{
	const struct {
		const char *name;
		int code;
	} rows[] = {
		{ "../secret", -EXDEV },
		{ "../disc/a.bin", -EXDEV }, /* it leads out, even if back in */
		{ "../disc-2/secret", -EXDEV },
		{ "sub/../../secret", -EXDEV },
		{ "..", -EXDEV },
		{ "/etc/passwd", -EXDEV },
		{ check_path("disc/a.bin"), -EXDEV }, /* absolute, even if inside */
		{ "/", -EXDEV },
		{ "link-out", -EXDEV },
		{ "link-absolute", -EXDEV },
		{ "link-dir/secret", -EXDEV },
		{ "link-loop", -ELOOP },
		{ "link-magic", -EXDEV },
		{ "fifo", -EINVAL },
		{ ".", -EINVAL },
		{ "sub", -EINVAL },
		{ "nothing", -ENOENT },
		{ "a.bin/", -ENOTDIR },
		{ "Two.bin", -ENOTUNIQ },
		{ "..\\secret", -EXDEV },
		{ "..\\disc\\a.bin", -EXDEV },
		{ "sub\\..\\a.bin", -EXDEV },
		{ "LINK-OUT", -EXDEV },
		{ "LINK-DIR\\secret", -EXDEV },
		{ "Link-Absolute", -EXDEV },
		{ "\\", -ENOENT },
		{ "A.BIN\\x", -ENOTDIR },
		{ "FIFO", -EINVAL },
		{ "\xe4.bin", -ENOENT }, /* its case is not known: it is no UTF-8 */
		{ "", -ENOENT },
	};
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_error err = { "" };
		int fd = vd_keeper_open(&o, rows[i].name, &err);

		if (fd != rows[i].code)
			CHECK_FAIL("'%s' gives %s, expected %s", rows[i].name,
				   check_errno_name(fd < 0 ? fd : 0),
				   check_errno_name(rows[i].code));
		if (fd >= 0)
			close(fd);
		CHECK(err.text[0] != '\0');
	}
	CHECK_INT(o.opened, 0);
}

/* /proc has links that lead anywhere without a path: not even a folder there gives them away. */
static void test_refuses_magic_links(void)
{
	_cleanup_close_ int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = proc };
	struct vd_error err = { "" };

	ASSERT(proc >= 0);
	CHECK_ERRNO(vd_keeper_open(&o, "exe", &err), -ELOOP);
	CHECK_ERRNO(vd_keeper_open(&o, "root/etc/passwd", &err), -ELOOP);
	CHECK_ERRNO(vd_keeper_open(&o, "cwd/.", &err), -ELOOP);
}

static void test_device(void)
{
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dev };

	CHECK_ERRNO(vd_keeper_open(&o, "zero", NULL), -EINVAL);
}

static void test_at_most_256(void)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };
	struct vd_error err = { "" };

	for (int i = 0; i < VD_OPENER_MAX; i++) {
		int fd = vd_keeper_open(&o, i % 2 ? "a.bin" : "sub/b.bin", &err);

		ASSERT(fd >= 0);
		close(fd); /* it counts all the same */
		CHECK_ERRNO(vd_keeper_open(&o, i == VD_OPENER_MAX - 1 ? "a.bin" : "nothing", &err),
			    i == VD_OPENER_MAX - 1 ? -EMFILE : -ENOENT);
	}
	CHECK_HAS(err.text, "256");
}

/* A reader that has been taken over does not keep the keeper busy with folders. */
static void test_at_most_1024_searches(void)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };

	for (int i = 0; i < VD_OPENER_SEARCHES; i++)
		CHECK_ERRNO(vd_keeper_open(&o, "nothing", NULL), -ENOENT);
	CHECK_ERRNO(vd_keeper_open(&o, "A.BIN", NULL), -ENOENT);
	CHECK_INT(o.searched, VD_OPENER_SEARCHES);
	CHECK_INT(o.opened, 0);
}

/* A disk names no other file. */
static void test_no_folder(void)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = -1 };
	struct vd_error err = { "" };

	CHECK_ERRNO(vd_keeper_open(&o, "/etc/passwd", &err), -EPERM);
	CHECK_HAS(err.text, "/etc/passwd");
}

/* The keeper can open no more: said, and nothing counted. */
static void test_out_of_descriptors(void)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };
	struct rlimit before, none;
	int fd;

	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 3;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
	fd = vd_keeper_open(&o, "a.bin", NULL);
	setrlimit(RLIMIT_NOFILE, &before);
	CHECK_ERRNO(fd, -EMFILE);
	CHECK_INT(o.opened, 0);
}

/* All that end so are found once each, and nothing that lies outside is opened. */
static void test_nth(void)
{
	struct vd_keeper_opener none = { .dir_fd = -1 };
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = dir_fd };
	struct vd_error err = { "" };
	int fd, found = 0;

	for (uint32_t n = 0; (fd = vd_keeper_open_nth(&o, ".BIN", n, &err)) != -ENOENT; n++) {
		ASSERT(fd >= 0);
		close(fd);
		found++;
	}
	CHECK_INT(found, 6);
	fd = vd_keeper_open_nth(&o, "link-out", 0, &err);
	CHECK_ERRNO(fd, -EXDEV);
	CHECK_ERRNO(vd_keeper_open_nth(&o, "link-absolute", 0, &err), -EXDEV);
	CHECK_ERRNO(vd_keeper_open_nth(&none, ".bin", 0, &err), -EMFILE);
	/* Nobody goes through a folder but for that. */
	CHECK_ERRNO(vd_keeper_open_asked(&o, ".bin", 1, &err), -EACCES);
	CHECK_ERRNO(vd_keeper_open_asked(&o, "", 1, &err), -EACCES);
	CHECK_ERRNO(vd_keeper_open_asked(&o, ".chd", 1, &err), -ENOENT);
	o.searched = VD_OPENER_SEARCHES;
	CHECK_ERRNO(vd_keeper_open_nth(&o, ".bin", 0, &err), -EMFILE);
}

/* A sheet of 256 names in the other case, in a folder of so many files as are looked at: it is read once, not for each of them. */
static void test_crowded_folder(void)
{
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener o = { .dir_fd = -1 };
	struct vd_error err = { "" };
	const char *again;

	ASSERT_OK(mkdir(check_path("crowd"), 0755));
	for (int i = 0; i < 20000; i++)
		close(open(check_path("crowd/Track %05d.bin", i), O_CREAT | O_WRONLY, 0644));
	o.dir_fd = open(check_path("crowd"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT(o.dir_fd >= 0);
	for (int i = 0; i < 200; i++) {
		int fd = vd_keeper_open(&o, check_printf("TRACK %05d.BIN", i * 100), &err);

		ASSERT(fd >= 0);
		close(fd);
		if (!i)
			again = o.text;
		CHECK(o.text == again);
	}
	CHECK_UINT(o.nnames, 20002);
	/* Another folder, and back. */
	ASSERT_OK(mkdir(check_path("crowd/Sub"), 0755));
	CHECK_ERRNO(vd_keeper_open(&o, "TRACK 00001.BIN/x", &err), -ENOTDIR);
	CHECK_ERRNO(vd_keeper_open(&o, "TRACK X.BIN", &err), -ENOENT);
	CHECK_OK(check_remove_tree(check_path("crowd")));
	close(o.dir_fd);
}

static const struct check_test tests[] = {
	{ "crowded_folder", test_crowded_folder },
	{ "opens_beneath", test_opens_beneath },
	{ "refuses", test_refuses },
	{ "refuses_magic_links", test_refuses_magic_links },
	{ "device", test_device },
	{ "at_most_256", test_at_most_256 },
	{ "at_most_1024_searches", test_at_most_1024_searches },
	{ "no_folder", test_no_folder },
	{ "out_of_descriptors", test_out_of_descriptors },
	{ "nth", test_nth },
};
CHECK_MAIN_WITH(tests, setup, teardown)
