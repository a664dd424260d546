// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The vdrive command, from its command line: what each verb says and how it ends, as root and as a real unprivileged
 * user, and that nothing is left behind by whatever fails.
 */
#define _GNU_SOURCE
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { USAGE = 1, FAILED = 32 }; /* of mount and umount */

static void patch(const char *path, off_t offset, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ASSERT(fd >= 0);
	CHECK_INT(pwrite(fd, data, len, offset), (long long)len);
	close(fd);
}

/* The work folder of either user: images, files that are none, folders. */
static void make_work(void)
{
	/* The volume's and the application's id: what a terminal would obey, and what is no UTF-8. */
	static const char label[32] = "\033[31mred\007\r\"\\x41\\ \xff\xc3\x28           ";
	struct check_cmd *c;

	c = cli("set -e; mkdir mnt mnt2 full tree; echo hello >tree/hello.txt; echo x >full/x\n"
		"xorriso -as mkisofs -quiet -V DISC -R -J -o disc.iso tree 2>xorriso.log || { cat xorriso.log >&2; exit 1; }\n"
		"cp disc.iso evil.iso; cp disc.iso 'My Disc (1).iso'; cp disc.iso ./-dash.iso\n"
		"head -c 40000 disc.iso >cut.iso\n"
		"echo words >text.txt; gzip -k text.txt; : >empty; truncate -s 1M zeros disk.img\n"
		"printf 'QFI\\373\\0\\0\\0\\3' >disk.qcow2; truncate -s 1M disk.qcow2\n"
		"mkfifo fifo; ln -s disc.iso link.iso; ln -s nowhere broken.iso; ln -s mnt way\n"
		"cp disc.iso secret.iso; chmod 0 secret.iso; mkdir -m 500 closed");
	ASSERT_STR(c->err, "");
	ASSERT_INT(c->status, 0);
	patch(cli_path("evil.iso"), 16 * 2048 + 40, label, sizeof(label));
	patch(cli_path("evil.iso"), 16 * 2048 + 574, "\033]0;title\007", 10);
}

static void setup(void)
{
	/* Whatever the caller's terminal and locale are. */
	unsetenv("XDG_RUNTIME_DIR");
	cli_setup();
	cli_become(false);
	make_work();
	if (!geteuid()) {
		cli_become(true);
		make_work();
		cli_become(false);
	}
}

static void teardown(void)
{
	for (int users = geteuid() ? 1 : 2; users; users--) {
		cli_become(users == 2);
		if (*cli_remains())
			cli_remove();
	}
}

static const char *const verbs[] = { "mount",  "umount", "attach",  "detach", "list",
				     "set",    "info",	 "ramdisk", "swap",   "optical",
				     "insert", "eject",	 "convert", "verify", "create" };

static void test_help(void)
{
	CHECK_HAS(CLI_OK("vdrive --help"), "Usage:");
	CHECK_STR(CLI_OK("vdrive -h"), CLI_OK("vdrive help"));
	CHECK_HAS(CLI_OK("vdrive --version"), "vdrive 0.");
	for (size_t i = 0; i < VD_ARRAY_SIZE(verbs); i++) {
		const char *help = CLI_OK(check_printf("vdrive %s --help", verbs[i]));

		CHECK_HAS(CLI_OK("vdrive --help"), verbs[i]);
		CHECK_HAS(help, check_printf("\nUsage:\n vdrive %s ", verbs[i]));
		CHECK_HAS(help, "--help");
		CHECK_STR(CLI_OK(check_printf("vdrive help %s", verbs[i])), help);
		CHECK_STR(CLI_OK(check_printf("vdrive %s -h", verbs[i])), help);
	}
	CHECK_HAS(CLI_OK("mount.vdrive --help"), "Usage:");
	CLI_CLEAN();
}

struct row {
	const char *command;
	int status;
	const char *words;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLI_FAILS(rows[i].command, rows[i].status, rows[i].words);
		CLI_CLEAN();
	}
}

static void test_wrong_usage(void)
{
	static const struct row rows[] = {
		{ "vdrive", 2, "a verb is missing" },
		{ "vdrive frobnicate", 2, "unknown verb 'frobnicate'" },
		{ "vdrive --frobnicate", 2, "unknown option '--frobnicate'" },
		{ "vdrive help frobnicate", 2, "unknown verb 'frobnicate'" },
		{ "vdrive \"$(printf 'a\\033[31mb')\"", 2, "a\\x1b[31mb" },
		{ "vdrive mount", USAGE, "an image and a folder are needed" },
		{ "vdrive mount disc.iso", USAGE, "an image and a folder are needed" },
		{ "vdrive mount disc.iso mnt mnt2", USAGE, "too many arguments" },
		{ "vdrive mount --frobnicate disc.iso mnt", USAGE, "unrecognized option" },
		{ "vdrive mount -n", USAGE, "requires an argument" },
		{ "vdrive mount -n '' disc.iso mnt", USAGE, "1 to 64" },
		{ "vdrive mount -n a/b disc.iso mnt", USAGE, "'a/b' is no name for a drive" },
		{ "vdrive mount -n .. disc.iso mnt", USAGE, "'..' is no name for a drive" },
		{ "vdrive mount -n -x disc.iso mnt", USAGE, "'-x' is no name for a drive" },
		{ "vdrive mount -n $(printf '%065d' 0) disc.iso mnt", USAGE, "1 to 64" },
		{ "vdrive mount -o frobnicate disc.iso mnt", USAGE, "unknown option 'frobnicate'" },
		{ "vdrive mount -o norock,session=x disc.iso mnt", USAGE, "session" },
		{ "vdrive mount -o session=0 disc.iso mnt", USAGE, "session" },
		{ "vdrive mount -o map=x disc.iso mnt", USAGE, "map" },
		{ "vdrive mount -o mode=888 disc.iso mnt", USAGE, "mode" },
		{ "vdrive mount -o suid disc.iso mnt", USAGE, "option 'suid' is refused" },
		{ "vdrive mount -o dev disc.iso mnt", USAGE, "option 'dev' is refused" },
		{ "vdrive mount -o remount disc.iso mnt", USAGE, "unmount it" },
		{ "vdrive mount -o name=a/b disc.iso mnt", USAGE, "no name for a drive" },
		{ "vdrive mount -o $(yes uid=1 | head -n 100 | tr '\\n' ,) disc.iso mnt", USAGE,
		  "too long" },
		{ "mount.vdrive", USAGE, "an image and a folder are needed" },
		{ "mount.vdrive disc.iso mnt -o frobnicate", USAGE, "unknown option 'frobnicate'" },
		{ "mount.vdrive disc.iso mnt -t ext4", USAGE, "type 'ext4' is not vdrive" },
		{ "mount.vdrive disc.iso mnt -N /proc/1/ns/mnt", USAGE, "nsenter(1)" },
		{ "mount.vdrive nosuch.iso mnt -f", FAILED, "No such file" },
		{ "vdrive umount", USAGE, "a folder or a drive's name is needed" },
		{ "vdrive umount --frobnicate mnt", USAGE, "unrecognized option" },
		{ "vdrive attach", 2, "a file is needed" },
		{ "vdrive create x.img", 2, "--medium is needed" },
		{ "vdrive create -m dvd-ram", 2, "a file is needed" },
		{ "vdrive create -m floppy x.img", 2, "unknown kind of medium: floppy" },
		{ "vdrive attach disk.img zeros", 2, "too many arguments" },
		{ "vdrive attach --format qcow2 disk.qcow2", 2, "format 'qcow2' is not known" },
		{ "vdrive attach -n a/b disk.img", 2, "no name for a drive" },
		{ "vdrive detach", 2, "a drive is needed" },
		{ "vdrive detach --all x", 2, "--all takes no arguments" },
		{ "vdrive list --frobnicate", 2, "unrecognized option" },
		{ "vdrive list -o NAME,FROB", 2, "unknown column: FROB" },
		{ "vdrive list -o ''", 2, "no columns" },
		{ "vdrive list --json --raw", 2, "exclude each other" },
		{ "vdrive set", 2, "the name of a drive is needed" },
		{ "vdrive set x a/b=1", 2, "'a/b' is no name for an attribute" },
		{ "vdrive set x ../../run=1", 2, "no name for an attribute" },
		{ "vdrive set x ..=1", 2, "no name for an attribute" },
		{ "vdrive set x =1", 2, "no name for an attribute" },
		{ "vdrive set ../x a=1", 2, "no name for a drive" },
		{ "vdrive set x a b=1", 2, "either show attributes or change them" },
		{ "vdrive info", 2, "an image is needed" },
		{ "vdrive info disc.iso disc.iso", 2, "too many arguments" },
		{ "vdrive info -o allow_other disc.iso", 2, "unknown option 'allow_other'" },
	};

	check_rows(rows, VD_ARRAY_SIZE(rows));
}

/* What root and everybody else meet alike. */
static const struct row failures[] = {
	{ "vdrive mount nosuch.iso mnt", FAILED, "nosuch.iso: No such file or directory" },
	{ "vdrive mount '' mnt", FAILED, "No such file or directory" },
	{ "vdrive mount broken.iso mnt", FAILED, "broken.iso: No such file or directory" },
	{ "vdrive mount disc.iso/x mnt", FAILED, "Not a directory" },
	{ "vdrive mount tree mnt", FAILED, "tree: is a directory" },
	{ "vdrive mount fifo mnt", FAILED, "fifo: not a file or a block device" },
	{ "vdrive mount /dev/null mnt", FAILED, "/dev/null: not a file or a block device" },
	{ "vdrive mount text.txt mnt", FAILED,
	  "text.txt: not a disc image: it looks like a text file" },
	{ "vdrive mount text.txt.gz mnt", FAILED, "it looks like a gzip archive" },
	{ "vdrive mount disk.qcow2 mnt", FAILED, "it looks like a qcow2 disk image" },
	{ "vdrive mount empty mnt", FAILED, "empty: not a disc image: the file is empty" },
	{ "vdrive mount zeros mnt", FAILED, "it looks like a file of zeros" },
	{ "vdrive mount cut.iso mnt", FAILED, "cut.iso: " },
	{ "vdrive mount -o session=2 disc.iso mnt", FAILED, "session" },
	{ "vdrive mount disc.iso nosuch", FAILED, "nosuch: No such file or directory" },
	{ "vdrive mount disc.iso text.txt", FAILED, "text.txt: Not a directory" },
	{ "vdrive mount disc.iso .", FAILED, ".: disc.iso lies in it and would be hidden" },
	{ "vdrive mount \"$W/disc.iso\" \"$W/mnt/..\"", FAILED, "lies in it and would be hidden" },
	{ "vdrive mount link.iso .", FAILED, ".: link.iso lies in it" },
	{ "vdrive mount disc.iso \"$R\"", FAILED, "drives live there" },
	{ "vdrive umount mnt", FAILED, "mnt: no drive is mounted there" },
	{ "vdrive umount nosuch", FAILED, "nosuch: no drive is mounted there" },
	{ "vdrive umount nosuch/x", FAILED, "nosuch/x: No such file or directory" },
	{ "vdrive umount /", FAILED, "no drive is mounted there" },
	{ "vdrive umount ''", FAILED, "No such file or directory" },
	{ "vdrive attach nosuch", 1, "nosuch: No such file or directory" },
	{ "vdrive attach tree", 1, "tree: is a directory" },
	{ "vdrive attach fifo", 1, "fifo: not a file or a block device" },
	{ "vdrive attach empty", 1, "empty: the file is empty" },
	{ "vdrive attach disk.qcow2", 1, "it looks like a qcow2 disk image; --format raw" },
	{ "vdrive attach text.txt.gz", 1, "it looks like a gzip archive" },
	{ "vdrive detach nosuch", 1, "no drive has this name, mount point or image" },
	{ "vdrive detach ./mnt", 1, "no drive has this name, mount point or image" },
	{ "vdrive detach disc.iso", 1, "no drive has this name, mount point or image" },
	{ "vdrive list nosuch", 1, "nosuch: no such drive" },
	{ "vdrive set nosuch", 1, "no drive is named nosuch" },
	{ "vdrive set nosuch a=1", 1, "no drive is named nosuch" },
	{ "vdrive info nosuch.iso", 1, "nosuch.iso: No such file or directory" },
	/* The sheet is named once, as it was given. */
	{ "trap 'rm a.cue' EXIT; printf 'FILE x.bin BINARY\\n' >a.cue; vdrive info ./a.cue", 1,
	  "vdrive info: ./a.cue:1: x.bin: No such file or directory" },
	{ "vdrive info tree", 1, "tree: is a directory" },
	{ "vdrive info fifo", 1, "fifo: not a file or a block device" },
	{ "vdrive info text.txt.gz", 1, "not a disc image: it looks like a gzip archive" },
	{ "vdrive info --json text.txt", 1, "not a disc image: it looks like a text file" },
	{ "vdrive info empty", 1, "the file is empty" },
};

static void test_failures(void)
{
	check_rows(failures, VD_ARRAY_SIZE(failures));
}

static void test_failures_as_user(void)
{
	static const struct row denied[] = {
		{ "vdrive mount secret.iso mnt", USAGE, "secret.iso: Permission denied" },
		{ "vdrive mount disc.iso closed", USAGE,
		  "closed: Permission denied: FUSE lets a user mount only" },
		{ "vdrive mount disc.iso /mnt", USAGE, "/mnt: Permission denied" },
		{ "vdrive mount /proc/1/mem mnt", USAGE, "Permission denied" },
		{ "vdrive attach secret.iso", 1,
		  "secret.iso: cannot be written: Permission denied (try --read-only)" },
		{ "vdrive attach -r secret.iso", 1, "secret.iso: Permission denied" },
		{ "vdrive info secret.iso", 1, "secret.iso: Permission denied" },
		{ "PATH=$(dirname \"$(command -v vdrive)\"); exec vdrive mount disc.iso mnt",
		  FAILED, "there is no fusermount3 (install fuse3)" },
		{ "PATH=$(dirname \"$(command -v vdrive)\"); exec vdrive attach disk.img", 1,
		  "there is no fusermount3 (install fuse3)" },
		{ "VDRIVE_RUNTIME_DIR=/usr/vdrive exec vdrive list", 1,
		  "cannot create the runtime directory" },
		{ "VDRIVE_RUNTIME_DIR=/usr exec vdrive mount disc.iso mnt", USAGE,
		  "belongs to user 0" },
	};

	if (!cli_become(true))
		return;
	check_rows(failures, VD_ARRAY_SIZE(failures));
	check_rows(denied, VD_ARRAY_SIZE(denied));
	cli_become(false);
}

static void test_runtime_directory(void)
{
	CLI_FAILS("mkdir -m 777 open; VDRIVE_RUNTIME_DIR=$W/open exec vdrive list", 1,
		  "others may write");
	CLI_FAILS("VDRIVE_RUNTIME_DIR=$W/text.txt exec vdrive list", 1, "is not a directory");
	CLI_FAILS("ln -s \"$R\" runlink; VDRIVE_RUNTIME_DIR=$W/runlink exec vdrive list", 1,
		  "is not a directory");
	CLI_CLEAN();
}

static void test_without_fuse(void)
{
	struct check_cmd *c;

	if (geteuid())
		CHECK_SKIP("needs root, to hide /dev/fuse in a mount namespace");
	c = cli("unshare -m true");
	if (c->status)
		CHECK_SKIP("no mount namespaces here: %s", c->err);
	CLI_FAILS("unshare -m sh -c 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
		  "exec vdrive mount disc.iso mnt'",
		  FAILED, "this kernel has no FUSE");
	CLI_CLEAN();
	CLI_FAILS("unshare -m sh -c 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
		  "exec vdrive attach disk.img'",
		  1, "this kernel has no FUSE");
	CLI_CLEAN();
	CLI_FAILS(
		"mkdir alone; cp \"$(command -v vdrive)\" alone/; exec alone/vdrive mount disc.iso mnt",
		FAILED, "the daemon is not installed");
	CLI_CLEAN();
}

static void test_full_stdout(void)
{
	CLI_FAILS("exec vdrive list --help >/dev/full", 1, "write error: No space left on device");
	CLI_FAILS("exec vdrive --version >/dev/full", 1, "write error: No space left on device");
	CLI_FAILS("exec vdrive info disc.iso >/dev/full", 1,
		  "write error: No space left on device");
	/* Descriptors 0 to 2 closed: the image must not become one of them. */
	CHECK_INT(cli("exec vdrive mount disc.iso mnt 0<&- 1>&- 2>&-")->status, 0);
	CHECK_STR(CLI_OK("cat mnt/hello.txt"), "hello\n");
	CHECK_STR(CLI_OK("vdrive umount mnt"), "");
	CLI_CLEAN();
}

static void mount_and_back(void)
{
	/* Nothing on stdout when it is no terminal. */
	CHECK_STR(CLI_OK("vdrive mount disc.iso mnt"), "");
	CHECK_STR(CLI_OK("cat mnt/hello.txt"), "hello\n");
	CHECK_STR(CLI_OK("cat \"$R/disc/files/hello.txt\""), "hello\n");
	CHECK_STR(CLI_OK("cmp disc.iso \"$R/disc/disc.iso\""), "");
	CHECK_STR(CLI_OK("vdrive umount mnt"), "");
	CLI_CLEAN();
	/* By every way to say where. */
	static const char *const ways[] = {
		"vdrive umount \"$W/mnt\"",
		"vdrive umount ./mnt//",
		"vdrive umount way",
		"vdrive umount disc",
		"cd mnt2 && vdrive umount ../mnt",
		"vdrive umount \"$R/disc\"",
		"vdrive detach mnt",
		"vdrive detach disc",
		"vdrive detach disc.iso",
		"vdrive detach link.iso",
		"vdrive detach --all",
	};
	for (size_t i = 0; i < VD_ARRAY_SIZE(ways); i++) {
		CHECK_STR(CLI_OK("vdrive mount disc.iso mnt"), "");
		CHECK_STR(CLI_OK(ways[i]), "");
		CLI_CLEAN();
	}
	CHECK_STR(
		CLI_OK("vdrive mount -v -o ro,noatime,norock,x-a.b,defaults,comment=x disc.iso mnt"),
		check_printf("disc.iso mounted on %s as drive disc\n", cli_path("mnt")));
	CHECK_STR(CLI_OK("ls mnt"), "hello.txt\n");
	CHECK_STR(CLI_OK("vdrive umount mnt"), "");
	CLI_CLEAN();
	/* A folder that is not empty is hidden, and comes back. */
	CHECK_STR(CLI_OK("vdrive mount disc.iso full"), "");
	CHECK_STR(CLI_OK("ls full"), "hello.txt\n");
	CHECK_STR(CLI_OK("vdrive umount full; ls full"), "x\n");
	CLI_CLEAN();
}

static void test_mount(void)
{
	mount_and_back();
}

static void test_mount_as_user(void)
{
	if (!cli_become(true))
		return;
	mount_and_back();
	CLI_OK("vdrive mount disc.iso mnt");
	/* Whoever unmounts it, the drive ends. */
	CLI_OK("fusermount3 -u mnt");
	CLI_CLEAN();
	cli_become(false);
}

static void test_names(void)
{
	CLI_OK("vdrive mount -n taken disc.iso mnt");
	CLI_FAILS("vdrive mount -n taken disc.iso mnt2", FAILED,
		  "a drive named taken is there already");
	CLI_FAILS("vdrive attach -n taken disk.img", 1, "a drive named taken is there already");
	CLI_FAILS("vdrive mount disc.iso mnt", FAILED,
		  "mnt: a drive is mounted there already: 'vdrive umount mnt' first");
	CLI_OK("vdrive umount taken");
	CLI_CLEAN();
	/* Made from the file's, with a number when that is taken. */
	CLI_OK("vdrive mount 'My Disc (1).iso' mnt; vdrive mount 'My Disc (1).iso' mnt2; vdrive mount -- -dash.iso full");
	CHECK_STR(CLI_OK("vdrive list -n -o NAME,MOUNTPOINT --raw"),
		  check_printf("My-Disc-1 %s\nMy-Disc-1-2 %s\ndash %s\n", cli_path("mnt"),
			       cli_path("mnt2"), cli_path("full")));
	CLI_FAILS("vdrive detach 'My Disc (1).iso'", 1, "several drives have this image");
	CLI_OK("vdrive detach --all");
	CLI_CLEAN();
	CLI_OK("vdrive mount -o name=fromopts disc.iso mnt; vdrive umount fromopts");
	CLI_CLEAN();
}

static void test_busy(void)
{
	CLI_OK("vdrive mount disc.iso mnt");
	CLI_OK("exec 9<mnt/hello.txt\n"
	       "vdrive umount mnt 2>err; test $? = 32; grep -q '^vdrive umount: mnt: target is busy$' err\n"
	       "vdrive detach disc 2>err; test $? = 1; grep -q 'drive disc is busy' err\n"
	       "test \"$(vdrive list -n -o STATE disc)\" = live || echo not live\n"
	       "vdrive umount --lazy mnt || echo lazy failed\n"
	       "test -z \"$(ls mnt)\" || echo still mounted\n"
	       "vdrive mount disc.iso mnt || echo name not free\n"
	       "cat <&9");
	CHECK_STR(CLI_OK("cat mnt/hello.txt"), "hello\n");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
}

static void test_dead_keeper(void)
{
	static const char *const ways[] = {
		"vdrive umount mnt",
		"vdrive umount disc",
		"vdrive detach disc",
		"vdrive detach --all",
		"cd mnt2; vdrive umount ../way",
		"vdrive mount -n disc disc.iso mnt2 && vdrive umount mnt2"
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(ways); i++) {
		CLI_OK("vdrive mount disc.iso mnt");
		/* With a file open, so that its mount is busy. */
		CLI_OK("exec 9<mnt/hello.txt; kill -9 $(vdrive set disc pid); sleep 0.3\n"
		       "test \"$(vdrive list -n -o STATE disc)\" = dead || vdrive list");
		CLI_FAILS("vdrive set disc", 1, "drive disc is dead");
		CLI_FAILS("vdrive mount disc.iso mnt", FAILED, "'vdrive umount mnt' first");
		CHECK_STR(CLI_OK(ways[i]), "");
		CLI_CLEAN();
	}
}

static void test_strange_mounts(void)
{
	if (geteuid())
		CHECK_SKIP("needs root, to mount a tmpfs");
	CLI_OK("mount -t tmpfs none mnt");
	CLI_FAILS("vdrive umount mnt", FAILED, "no drive is mounted there");
	/* On top of another mount, and taken off again: what is below stays. */
	CLI_OK("echo below >mnt/below; vdrive mount disc.iso mnt; cat mnt/hello.txt; vdrive umount mnt; cat mnt/below");
	CLI_OK("umount mnt");
	CLI_CLEAN();
	/* umount(8) takes a drive down as well. */
	CLI_OK("vdrive mount disc.iso mnt; umount mnt");
	CLI_CLEAN();
}

static void test_two_at_once(void)
{
	for (int i = 0; i < 20; i++) {
		struct check_cmd *c;

		CLI_OK("vdrive mount disc.iso mnt");
		c = cli("vdrive detach disc 2>err1 & a=$!; vdrive detach disc 2>err2; r2=$?; wait $a; echo $? $r2; cat err1 err2");
		/* Both wanted it gone. One may have come too late to see it. */
		if (strcmp(c->out, "0 0\n"))
			CHECK_HAS(c->out, "detach: disc: no drive has this name");
		CHECK(strncmp(c->out, "1 1", 3));
		CHECK_STR(c->err, "");
		CLI_CLEAN();
	}
	for (int i = 0; i < 20; i++) {
		struct check_cmd *c = cli(
			"vdrive mount -n one disc.iso mnt 2>err1 & a=$!\n"
			"vdrive mount -n one disc.iso mnt2 2>err2; r2=$?; wait $a; echo $? $r2; cat err1 err2");

		CHECK(!strncmp(c->out, "0 32\n", 5) || !strncmp(c->out, "32 0\n", 5));
		CHECK_HAS(c->out, "a drive named one is there already");
		CLI_OK("vdrive detach one");
		CLI_CLEAN();
	}
	/* Without a name both get one. */
	CLI_OK("vdrive mount disc.iso mnt & vdrive mount disc.iso mnt2; wait $!");
	CHECK_STR(CLI_OK("vdrive list -n -o NAME"), "disc\ndisc-2\n");
	CLI_OK("vdrive detach --all");
	CLI_CLEAN();
}

static void test_interrupted(void)
{
	for (int i = 0; i < 30; i++) {
		/* Interactive shells' rules: a background job of sh ignores SIGINT, so SIGTERM. */
		struct check_cmd *c = cli(
			"vdrive mount disc.iso mnt 2>err & a=$!; sleep 0.0%02d; kill -TERM $a 2>/dev/null\n"
			"wait $a; echo $?; vdrive list -n -o STATE",
			i);

		/* It is there, or it is not; the status says which. */
		if (strcmp(c->out, "0\nlive\n") && strcmp(c->out, "8\n") && strcmp(c->out, "143\n"))
			CHECK_FAIL("after %d ms: %s%s", i, c->out, cli("cat err")->out);
		CLI_OK("vdrive detach --all");
		CLI_CLEAN();
	}
}

static void test_foreground(void)
{
	struct check_cmd *c;

	c = cli("vdrive mount -f disc.iso mnt >out 2>err & a=$!\n"
		"for i in $(seq 100); do test -e mnt/hello.txt && break; sleep 0.05; done\n"
		"cat mnt/hello.txt; kill -TERM $a; wait $a; echo $?; cat out");
	CHECK_STR(c->out, check_printf("hello\n0\ndisc.iso mounted on %s as drive disc\n",
				       cli_path("mnt")));
	CLI_CLEAN();
	c = cli("vdrive mount -f disc.iso mnt >/dev/null 2>err & a=$!\n"
		"for i in $(seq 100); do test -e mnt/hello.txt && break; sleep 0.05; done\n"
		"vdrive umount mnt; wait $a; echo $?");
	CHECK_STR(c->out, "0\n");
	CLI_CLEAN();
	c = cli("vdrive mount -f disc.iso mnt >/dev/null 2>err & a=$!\n"
		"for i in $(seq 100); do test -e mnt/hello.txt && break; sleep 0.05; done\n"
		"kill -9 $(vdrive set disc pid); wait $a; echo $?; cat err");
	CHECK_HAS(c->out, "32\n");
	CHECK_HAS(c->out, "the keeper was killed by signal 9");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
	CLI_FAILS("vdrive mount -f text.txt mnt", FAILED, "not a disc image");
	CLI_CLEAN();
}

/* A service manager hears of it when the drive is there, and not of one that is not. */
static void test_notify(void)
{
	static const char *const names[] = { "notify", "@vdrive-test-notify" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		struct sockaddr_un at = { .sun_family = AF_UNIX };
		const char *path = i ? names[i] : cli_path(names[i]);
		_cleanup_close_ int sock =
			socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		char said[64];

		ASSERT(strlen(path) < sizeof(at.sun_path));
		memcpy(at.sun_path, path, strlen(path));
		if (i)
			at.sun_path[0] = '\0';
		ASSERT(!bind(sock, (struct sockaddr *)&at,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))));
		if (!i)
			ASSERT(!chmod(path, 0666));
		CLI_FAILS(check_printf("NOTIFY_SOCKET=%s vdrive mount -f text.txt mnt", path),
			  FAILED, "not a disc image");
		CHECK_INT(recv(sock, said, sizeof(said), 0), -1);
		CLI_OK(check_printf(
			"NOTIFY_SOCKET=%s vdrive mount -f disc.iso mnt >out & a=$!\n"
			"for i in $(seq 100); do test -e mnt/hello.txt && test -s out && break; sleep 0.05; done\n"
			"vdrive umount mnt; wait $a",
			path));
		CHECK_INT(recv(sock, said, sizeof(said), 0), 7);
		CHECK_MEM(said, "READY=1", 7);
		CLI_CLEAN();
	}
}

static void test_mount_helper(void)
{
	CHECK_STR(CLI_OK("mount.vdrive disc.iso mnt -f -s -o frobnicate"), "");
	CLI_CLEAN();
	CHECK_STR(CLI_OK("mount.vdrive disc.iso mnt -n -o rw,nosuid,nodev,name=helped -t vdrive.x"),
		  "");
	CHECK_STR(CLI_OK("vdrive list -n -o NAME"), "helped\n");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
	CHECK_HAS(CLI_OK("mount.vdrive disc.iso mnt -v"), "as drive disc");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
	if (geteuid())
		CHECK_SKIP("needs root, for mount(8)");
	/* Through mount(8) and an fstab, with our helper alone in its search path; readable for others. */
	CLI_OK("mkdir sbin; cp -P \"$(dirname \"$(command -v vdrive)\")\"/* sbin/\n"
	       "echo \"$W/disc.iso $W/mnt vdrive nofail,norock,name=tab 0 0\" >fstab");
	CHECK_STR(
		CLI_OK("unshare -m sh -ec 'mount --bind sbin /usr/sbin; mount -T fstab mnt\n"
		       "cat mnt/hello.txt; vdrive list -n -o NAME,OPTIONS --raw\n"
		       "setpriv --reuid 65534 --regid 65534 --clear-groups cat mnt/hello.txt; umount mnt'"),
		"hello\ntab norock,allow_other,default_permissions\nhello\n");
	CLI_CLEAN();
	CHECK_STR(
		CLI_OK("unshare -m sh -ec 'mount --bind sbin /usr/sbin\n"
		       "mount -t vdrive -o noallow_other disc.iso mnt\n"
		       "setpriv --reuid 65534 --regid 65534 --clear-groups ls mnt 2>/dev/null || echo closed; umount mnt'"),
		"closed\n");
	CLI_CLEAN();
}

static void attach_and_back(void)
{
	CHECK_STR(CLI_OK("vdrive attach -n work disk.img"),
		  check_printf("%s/work/disk\n", cli_rundir()));
	CHECK_STR(
		CLI_OK("printf hello | dd of=\"$R/work/disk\" bs=1 seek=12345 conv=notrunc,fsync 2>/dev/null\n"
		       "dd if=disk.img bs=1 skip=12345 count=5 2>/dev/null; stat -c %s \"$R/work/disk\""),
		"hello1048576\n");
	CLI_FAILS("vdrive attach disk.img", 1, "disk.img: in use: drive work may write to it");
	CLI_FAILS("vdrive attach -r disk.img", 1, "disk.img: in use: drive work may write to it");
	CLI_FAILS("ln -f disk.img hard.img; exec vdrive attach hard.img", 1, "in use: drive work");
	CLI_FAILS("vdrive umount work", FAILED, "use 'vdrive detach work'");
	CHECK_STR(CLI_OK("vdrive list -n -r -b -o NAME,TYPE,SIZE,RO,STATE,FORMAT,PATH"),
		  check_printf("work disk 1048576 0 live raw %s/work/disk\n", cli_rundir()));
	CHECK_STR(CLI_OK("vdrive detach disk.img"), "");
	CLI_CLEAN();
	/* Many may read it, and then nobody may write. */
	CLI_OK("vdrive attach -r -n a disk.img; vdrive attach -r -n b disk.img");
	CHECK_STR(CLI_OK("vdrive list -n -o NAME,RO --raw"), "a 1\nb 1\n");
	CHECK_STR(CLI_OK("printf x 2>/dev/null >\"$R/a/disk\" || echo refused"), "refused\n");
	CLI_FAILS("vdrive attach disk.img", 1,
		  "disk.img: in use: drive a reads it (try --read-only)");
	CLI_OK("vdrive detach a b");
	CLI_CLEAN();
	CLI_OK("vdrive attach --format raw disk.qcow2; vdrive detach disk");
	CLI_CLEAN();
	CLI_FAILS("exec flock -n disk.img vdrive attach disk.img", 1,
		  "another program has locked it");
	CLI_CLEAN();
	/* Two writers at once: one wins. */
	for (int i = 0; i < 10; i++) {
		struct check_cmd *c = cli(
			"vdrive attach disk.img >out1 2>err1 & a=$!\n"
			"vdrive attach disk.img >out2 2>err2; r2=$?; wait $a; echo $? $r2; cat err1 err2");

		CHECK(!strncmp(c->out, "0 1\n", 4) || !strncmp(c->out, "1 0\n", 4));
		CHECK_HAS(c->out, "disk.img: in use");
		CLI_OK("vdrive detach --all");
		CLI_CLEAN();
	}
}

static void test_attach(void)
{
	attach_and_back();
}

static void test_attach_as_user(void)
{
	if (!cli_become(true))
		return;
	attach_and_back();
	cli_become(false);
}

static void test_list(void)
{
	const char *text;

	CHECK_STR(CLI_OK("vdrive list"), "");
	text = CLI_OK("vdrive list --json");
	CHECK(cli_json_valid(text));
	CHECK_HAS(text, "\"drives\"");
	CLI_OK("vdrive mount -o nojoliet evil.iso mnt; vdrive attach -n work disk.img");
	CHECK_STR(CLI_OK("vdrive list -o NAME,TYPE,SIZE,RO,STATE work"),
		  "NAME TYPE SIZE RO STATE\nwork disk   1M  0 live\n");
	CHECK_STR(
		CLI_OK("vdrive list -n -r -o name,format,fstype,view,session,sessions,options evil"),
		"evil iso iso9660 rock\\x20ridge 1 1 nojoliet\n");
	CHECK_HAS(CLI_OK("vdrive list -o +PID evil"), " IMAGE ");
	CHECK_HAS(CLI_OK("vdrive list --output-all"), "READER-PID");
	CHECK_STR(CLI_OK("vdrive list -n -o NAME work evil"), "evil\nwork\n");
	text = CLI_OK("vdrive list --json --output-all --bytes");
	CHECK(cli_json_valid(text));
	CHECK_HAS(text, "\"size\": 1048576");
	CHECK_HAS(text, "\"ro\": false");
	CHECK_HAS(text, "\"mountpoint\": null");
	/* Nothing that a terminal obeys comes through. */
	text = CLI_OK(
		"vdrive list --output-all; vdrive list --raw --output-all; vdrive list --json --output-all; vdrive set evil");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\n')
			CHECK_FAIL("control character %d in the output", *p);
	/* Those that are there are shown even if another is not. */
	struct check_cmd *c = cli("vdrive list -n -o NAME work nosuch");

	CHECK_INT(c->status, 1);
	CHECK_STR(c->out, "work\n");
	CHECK_STR(c->err, "vdrive list: nosuch: no such drive\n");
	CLI_OK("vdrive detach --all");
	CLI_CLEAN();
}

/*
 * Name and mounts are gone. A stopped reader may have open files for all its keeper can know, and ends when it can:
 * here it is killed.
 */
static void check_down_but_for_readers(void)
{
	const char *remains = cli_remains();

	CHECK(!strstr(remains, "mount: "));
	CHECK(!strstr(remains, "file: "));
	for (const char *line = remains; *line; line = strchr(line, '\n') + 1)
		if (!strncmp(line, "process: ", 9) &&
		    memmem(line, strcspn(line, "\n"), "--reader", 8))
			kill((pid_t)atol(line + 9), SIGKILL);
	CLI_CLEAN();
}

/* A reader that does not answer must not take the command with it. */
static void test_hung(void)
{
	struct check_cmd *c;

	CLI_OK("vdrive mount disc.iso mnt; vdrive attach -n work disk.img");
	CLI_OK("kill -STOP $(vdrive set work reader_pid)");
	c = cli("vdrive list -n -o NAME,STATE --raw");
	CHECK_STR(c->out, "disc live\nwork hung\n");
	CHECK_INT(c->status, 0);
	CHECK(c->elapsed_ms < 5000);
	c = cli("vdrive set work");
	CHECK_INT(c->status, 1);
	CHECK_HAS(c->err, "does not answer");
	CHECK(c->elapsed_ms < 5000);
	c = cli("vdrive detach work disc");
	CHECK_INT(c->status, 0);
	CHECK_STR(c->err, "");
	CHECK(c->elapsed_ms < 20000);
	check_down_but_for_readers();
	/* The folder that it is mounted on is not touched either. */
	CLI_OK("vdrive mount disc.iso mnt; kill -STOP $(vdrive set disc reader_pid)");
	CLI_FAILS("vdrive mount disc.iso mnt", FAILED, "a drive is mounted there already");
	c = cli("vdrive umount --lazy mnt");
	CHECK_INT(c->status, 0);
	CHECK_STR(c->err, "");
	CHECK(c->elapsed_ms < 20000);
	check_down_but_for_readers();
}

static void test_private(void)
{
	const char *own = "unset VDRIVE_RUNTIME_DIR XDG_RUNTIME_DIR;";

	if (geteuid())
		CHECK_SKIP("needs root, to look at another user's drive");
	if (!access(check_printf("/tmp/vdrive-%d", CLI_NOBODY), F_OK))
		CHECK_SKIP("user nobody has drives here");
	cli_become(true);
	CLI_OK(check_printf("%s vdrive mount -n nobodys disc.iso mnt", own));
	cli_become(false);
	CHECK_STR(CLI_OK(check_printf("%s vdrive list -n -r -o NAME,STATE,UID nobodys", own)),
		  check_printf("nobodys private %d\n", CLI_NOBODY));
	CLI_FAILS(check_printf("%s exec vdrive set nobodys", own), 1,
		  "nobody else can look into it");
	/* --all is about one's own. */
	CLI_OK(check_printf("%s vdrive detach --all", own));
	CHECK_HAS(CLI_OK(check_printf("%s vdrive list -n -o NAME", own)), "nobodys");
	/* Root may take it down. */
	CLI_OK(check_printf("%s vdrive umount \"$W/../nobody-work/mnt\"", own));
	CLI_OK(check_printf("rmdir /tmp/vdrive-%d", CLI_NOBODY));
	cli_become(true);
	CLI_CLEAN();
	cli_become(false);
	CLI_CLEAN();
}

static void test_set(void)
{
	const char *text;

	CLI_OK("vdrive attach -n work disk.img; vdrive mount disc.iso mnt");
	text = CLI_OK("vdrive set work");
	CHECK_HAS(text, "ATTRIBUTE");
	CHECK_HAS(text, "\ndisksize");
	CHECK_HAS(text, "read,write");
	CHECK(cli_json_valid(CLI_OK("vdrive set --json work")));
	CHECK_STR(CLI_OK("vdrive set work disksize type ro"), "1048576\ndisk\n0\n");
	CHECK_STR(CLI_OK("vdrive set work ro=1 'label=two words'"), "");
	CHECK_STR(CLI_OK("vdrive set work ro label; cat \"$R/work/attr/label\""),
		  "1\ntwo words\ntwo words\n");
	CHECK_STR(CLI_OK("vdrive list -n -r -o RO,LABEL work"), "1 two\\x20words\n");
	CLI_OK("vdrive set work label=");
	CHECK_STR(CLI_OK("vdrive set work label"), "\n");
	CLI_FAILS("vdrive set work ro=2", 1, "drive work: ro: '2' is neither 0 nor 1");
	CLI_FAILS("vdrive set work nosuch=1", 1, "nosuch: no such attribute");
	CLI_FAILS("vdrive set work nosuch", 1, "nosuch: no such attribute");
	CLI_FAILS("vdrive set work type=optical", 1, "type: this attribute cannot be written");
	CLI_FAILS("vdrive set disc ro=0", 1, "ro: a disc is read-only");
	CLI_FAILS("vdrive set work label=$(printf '%0500d' 0)", 1, "label: longer than");
	/* Stops at the first that fails. */
	CLI_FAILS("vdrive set work ro=x label=never", 1, "ro: 'x' is neither 0 nor 1");
	CHECK_STR(CLI_OK("vdrive set work label"), "\n");
	CLI_OK("vdrive detach --all");
	CLI_CLEAN();
}

static void info(void)
{
	const char *text = CLI_OK("vdrive info disc.iso");
	struct check_cmd *c;

	CHECK_HAS(text, "Volume id:      DISC\n");
	CHECK_HAS(text, "Shown as:       rock ridge\n");
	CHECK_HAS(text, "Trees:          iso9660, rock ridge, joliet\n");
	CHECK_HAS(CLI_OK("vdrive info -o norock disc.iso"), "Shown as:       joliet\n");
	CHECK_HAS(CLI_OK("vdrive info -o norock,nojoliet disc.iso"), "Shown as:       iso9660\n");
	text = CLI_OK("vdrive info --json disc.iso");
	CHECK(cli_json_valid(text));
	for (size_t i = 0; i < 9; i++) {
		static const char *const keys[] = { "image",   "format",	   "size",
						    "sectors", "tracks",	   "sessions",
						    "boot",    "partition_tables", "volume" };

		CHECK_HAS(text, check_printf("\n   \"%s\": ", keys[i]));
	}
	CHECK_HAS(text, "\"volume_id\": \"DISC\"");

	/* The label's control characters are gone; what else could mislead a terminal would be escaped. */
	c = cli("vdrive info -o nojoliet evil.iso");
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->out, "[31mred");
	CHECK_HAS(c->out, "\"\\x5cx41\\ ");
	for (const char *p = c->out; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n') || *p == 0x7f)
			CHECK_FAIL("byte %d in the output", (unsigned char)*p);
	c = cli("LC_ALL=C exec vdrive info -o nojoliet evil.iso");
	CHECK_INT(c->status, 0);
	for (const char *p = c->out; *p; p++)
		if ((unsigned char)*p >= 0x7f)
			CHECK_FAIL("byte %d in the output", (unsigned char)*p);
	c = cli("vdrive info --json -o nojoliet evil.iso");
	CHECK_INT(c->status, 0);
	CHECK(cli_json_valid(c->out));
	CHECK_HAS(c->out, "\\\"\\\\x41\\\\ ");
	/* A file's name may be any bytes. */
	CLI_OK("cp disc.iso \"$(printf 'j\\377\\033\\342\\200\\256.iso')\"");
	text = CLI_OK("vdrive info --json j*.iso");
	CHECK(cli_json_valid(text));
	CHECK_HAS(text, "\"image\": \"j\xef\xbf\xbd\\u001b\xe2\x80\xae.iso\"");
	CHECK_STR(CLI_OK("vdrive info j*.iso | head -n 1"),
		  "Image:          j\\xff\\x1b\\xe2\\x80\\xae.iso\n");
	CHECK_STR(
		CLI_OK("cp disc.iso \"$(printf 'a\\033b.iso')\"; vdrive info a*b.iso | head -n 1"),
		"Image:          a\\x1bb.iso\n");
	CLI_FAILS("vdrive info \"$(printf 'no\\033such')\"", 1, "no\\x1bsuch: No such file");

	/* Damage: the rest is told, and the status says that there was some. */
	c = cli("vdrive info -o session=2 disc.iso");
	CHECK_INT(c->status, 1);
	CHECK_HAS(c->out, "Format:         iso");
	CHECK_HAS(c->err, "session");
	c = cli("vdrive info --json -o session=2 disc.iso");
	CHECK_INT(c->status, 1);
	CHECK(cli_json_valid(c->out));
	CHECK_HAS(c->out, "\"volume\": null");
	CLI_CLEAN();
}

static void test_info(void)
{
	info();
}

static void test_info_as_user(void)
{
	if (!cli_become(true))
		return;
	info();
	cli_become(false);
}

/* The judge of our JSON is not to be fooled. */
static void test_json_validator(void)
{
	static const char *const good[] = { "{}",
					    "[]",
					    " [1, -0.5e+3, 0] ",
					    "{\"a\":{\"b\":[null,true,false]}}",
					    "\"\\u00ff\\n\xc3\xa9\"",
					    "0" };
	static const char *const bad[] = {
		"",	 "{",	   "[1,]",	 "{\"a\"}",	     "{a:1}",	  "[01]",
		"[1.]",	 "\"\t\"", "\"\xff\"",	 "\"\xed\xa0\x80\"", "\"\\x41\"", "\"\\u12\"",
		"[] []", "nul",	   "{\"a\":1,}", "\"open",	     "\"\xc3\"",  "[+1]"
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++)
		CHECK(cli_json_valid(good[i]));
	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++)
		CHECK(!cli_json_valid(bad[i]));
}

/* And neither is the one who says that nothing is left. */
static void test_remains(void)
{
	CHECK_STR(cli_remains(), "");
	CLI_OK("vdrive mount disc.iso mnt");
	CHECK_HAS(cli_remains(), "/mnt ");
	CHECK_HAS(cli_remains(), "disc.state");
	CHECK_HAS(cli_remains(), "vdrived --name disc");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
}

static const struct check_test tests[] = {
	{ "json_validator", test_json_validator },
	{ "remains", test_remains },
	{ "help", test_help },
	{ "wrong_usage", test_wrong_usage },
	{ "failures", test_failures },
	{ "failures_as_user", test_failures_as_user },
	{ "runtime_directory", test_runtime_directory },
	{ "without_fuse", test_without_fuse },
	{ "full_stdout", test_full_stdout },
	{ "mount", test_mount },
	{ "mount_as_user", test_mount_as_user },
	{ "names", test_names },
	{ "busy", test_busy },
	{ "dead_keeper", test_dead_keeper },
	{ "strange_mounts", test_strange_mounts },
	{ "two_at_once", test_two_at_once },
	{ "interrupted", test_interrupted },
	{ "foreground", test_foreground },
	{ "notify", test_notify },
	{ "mount_helper", test_mount_helper },
	{ "attach", test_attach },
	{ "attach_as_user", test_attach_as_user },
	{ "list", test_list },
	{ "hung", test_hung },
	{ "private", test_private },
	{ "set", test_set },
	{ "info", test_info },
	{ "info_as_user", test_info_as_user },
};
CHECK_MAIN_WITH(tests, setup, teardown)
