// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive on memdrive: swap, ramdisks and backing files, from loading the module to the last of them being gone. Only in a guest
 * (VDRIVE_VM_SERIES), which has the module.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fuse/hog.h"
#include "../fuse/memory_drives.h"
#include "util/cleanup.h"

enum { MIB = 1 << 20, PATIENCE_S = 180 };
/* At least a quarter of it is out, see hog_cgroup_make(). */
#define HOG_BYTES (16ull * MIB)
#define HOG_LIMIT (6ull * MIB)

#define ON "vdrive swap on --engine memdrive "

static const char *disk; /* an ext4 file system with 64 MiB, for backing files */

static void setup(void)
{
	struct check_cmd *c;

	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	signal(SIGPIPE, SIG_IGN);
	cli_setup();
	cli_become(false);
	/* Whoever was here before. */
	check_sh("/usr/sbin/modprobe -r memdrive");
	disk = cli_path("disk");
	c = cli("truncate -s 80M image && mkfs.ext4 -q -F image && mkdir disk && mount -o loop image disk");
	ASSERT_STR(c->err, "");
	ASSERT_INT(c->status, 0);
}

static void teardown(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		return;
	cli("vdrive swap off; vdrive detach --all --lazy");
	cli("umount -l disk; /usr/sbin/modprobe -r memdrive zram");
}

static bool loaded(void)
{
	return !access("/sys/class/memdrive-control", F_OK);
}

static char *devices(void)
{
	return check_sh("ls -d /sys/block/memdrive* 2>/dev/null")->out;
}

static bool swaps(void)
{
	return strstr(check_read_file("/proc/swaps", NULL), "/dev/") != NULL;
}

/* Nothing of ours: no drive, no device, no backing file. */
static void check_gone(void)
{
	CHECK(!swaps());
	CHECK_STR(devices(), "");
	CHECK_STR(check_sh("ls -A %s | grep -vx lost+found", disk)->out, "");
	/* But for the loop device that the test itself has. */
	CHECK_STR(check_sh("ls -A %s", cli_rundir())->out, "");
}

static char *attr_of(const char *device, const char *name)
{
	char *text = check_read_file(check_printf("/sys/block/%s/%s", device + 5, name), NULL);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* It is loaded when it is asked for, and taken first only when it is there. */
static void test_chosen(void)
{
	const char *said;

	CHECK(!loaded());
	said = CLI_OK("vdrive swap on 32M");
	CHECK_HAS(said, "engine zram: the kernel's own");
	CLI_OK("vdrive swap off");
	CHECK(!loaded());
	said = CLI_OK("vdrive ramdisk 16M");
	CHECK_HAS(said, "/dev/loop");
	CLI_OK("vdrive detach ramdisk");
	CHECK(!loaded());

	said = CLI_OK(ON "32M");
	CHECK_HAS(
		said,
		"swap: swap of 32M on /dev/memdrive0, priority 100, engine memdrive: as asked for\n");
	/* Loaded without devices of its own. */
	CHECK_STR(devices(), "/sys/block/memdrive0\n");
	CHECK(swaps());
	CLI_OK("vdrive swap off");
	check_gone();

	CHECK(loaded());
	said = CLI_OK("vdrive swap on 32M");
	CHECK_HAS(said, "engine memdrive: our module, which is loaded\n");
	CLI_OK("vdrive swap off");
	said = CLI_OK("vdrive swap on --engine zram 32M");
	CHECK_HAS(said, "/dev/zram");
	CLI_OK("vdrive swap off");
	check_gone();
}

static void test_list_and_set(void)
{
	const char *out;

	CLI_OK(ON "-n m --limit 16M -p 7 32M >/dev/null");
	CHECK_STR(CLI_OK("vdrive list -n -r -o NAME,TYPE,SIZE,STATE,ENGINE,DEVICE,PATH"),
		  "m swap 32M live memdrive /dev/memdrive0 /dev/memdrive0\n");
	out = CLI_OK("vdrive swap --json --bytes");
	CHECK(cli_json_valid(out));
	CHECK_HAS(out, "\"size\": 33554432");
	CHECK_HAS(out, "\"engine\": \"memdrive\"");
	CHECK_UINT(md_mm_stat("/dev/memdrive0").limit, 16 * MIB);
	CLI_OK("vdrive set m mem_limit=24M");
	CHECK_UINT(md_mm_stat("/dev/memdrive0").limit, 24 * MIB);
	CHECK_STR(CLI_OK("vdrive set m initstate disksize"), "1\n33554432\n");
	CLI_FAILS("vdrive set m disksize=1M", 1, "drive m: disksize: ");
	CLI_FAILS("vdrive set m nosuch=1", 1, "no such attribute");
	CLI_FAILS(ON "-n m 32M", 1, "a drive named m is there already");
	CLI_FAILS(check_printf(ON "-n m --backing %s/b 32M", disk), 1,
		  "a drive named m is there already");
	CLI_OK("vdrive detach m");
	check_gone();
}

static bool hog_ok(int r, const char *what)
{
	return !r || CHECK_FAIL("%s: %s", what, check_errno_name(r));
}

/* More than its cgroup allows goes out, comes back, and comes back once more when swap goes. */
static void check_hog(const char *options, bool spills)
{
	unsigned long long spilled;
	struct hog h;

	CLI_OK(check_printf(ON "%s 64M >/dev/null", options));
	if (hog_ok(hog_start(&h, HOG_BYTES, HOG_LIMIT, PATIENCE_S), "filling")) {
		struct mm_stat m = md_mm_stat("/dev/memdrive0");

		CHECK(m.orig >= HOG_BYTES / 4);
		if (spills) {
			spilled = strtoull(md_column("swap", "SPILLED"), NULL, 10);
			CHECK(spilled > MIB / 2 && spilled < 64 * MIB);
			CHECK(m.used <= 1ull * MIB);
		} else {
			CHECK(m.compr < m.orig && m.used < m.orig);
		}
		CHECK_STR(md_column("swap", "STATE"), "live");
		hog_ok(hog_check(&h, PATIENCE_S), "reading once");
		hog_ok(hog_check(&h, PATIENCE_S), "reading twice");
		CHECK_OK(hog_cgroup_limit(h.cgroup, 2 * HOG_BYTES));
		CLI_OK("vdrive swap off");
		CHECK(!swaps());
		hog_ok(hog_check(&h, PATIENCE_S), "reading after swap off");
	}
	CHECK_OK(hog_end(&h));
	if (swaps())
		CLI_OK("vdrive swap off");
	check_gone();
}

static void test_hog(void)
{
	check_hog("", false);
}

static bool has_backing(void)
{
	struct stat st;
	bool writable;

	CLI_OK(ON "-n probe 1M >/dev/null");
	writable = !stat("/sys/block/memdrive0/backing_dev", &st) && st.st_mode & 0200;
	CLI_OK("vdrive swap off");
	return writable;
}

#define NEED_BACKING()                                                                             \
	do {                                                                                       \
		if (!has_backing())                                                                \
			CHECK_SKIP("this module has no backing store");                            \
	} while (0)

static void test_hog_spills(void)
{
	NEED_BACKING();
	check_hog(check_printf("--limit 1M --backing %s/b --backing-size 32M", disk), true);
}

static void test_backing(void)
{
	const char *file = check_printf("%s/b", disk), *said;
	struct stat st;
	int pid;

	NEED_BACKING();
	/* The engine goes without saying; so does the size. */
	said = CLI_OK(check_printf("vdrive swap on --backing %s 16M", file));
	CHECK_HAS(said, "engine memdrive: no other has a backing store\n");
	ASSERT_OK(stat(file, &st));
	CHECK_INT(st.st_size, 16 * MIB);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK(st.st_blocks * 512ll >= 16 * MIB);
	CHECK_STR(attr_of("/dev/memdrive0", "backing_dev"), file);
	CHECK_STR(md_column("swap", "BACKING"), file);
	CHECK(strtoull(attr_of("/dev/memdrive0", "mem_limit"), NULL, 10) > 256ull * MIB);
	/* The kernel guards it as it does swap files. */
	CHECK(cli("rm -f %s", file)->status != 0);
	CHECK(cli("echo x >%s", file)->status != 0);
	/* Nor does a second drive get it. */
	CLI_FAILS(check_printf("vdrive swap on -n two --backing %s 16M", file), 1,
		  "is there already (--force replaces it)");
	CLI_FAILS(check_printf("vdrive swap on -n two --force --backing %s 16M", file), 1,
		  "cannot be replaced: is it in use as swap?");
	CLI_OK("vdrive swap off");
	check_gone();

	/* What is left by a keeper that was killed goes with the drive. */
	CLI_OK(check_printf(ON "--backing %s 16M >/dev/null", file));
	pid = atoi(md_column("swap", "PID"));
	CHECK_OK(kill(pid, SIGKILL));
	for (int t = 0; t < 100 && strcmp(md_column("swap", "STATE"), "dead"); t++)
		md_sleep_ms(50);
	ASSERT_OK(stat(file, &st));
	CLI_OK("vdrive swap off");
	check_gone();

	/* So does an old one, when it may be replaced. */
	CLI_OK(check_printf("echo mine >%s", file));
	CLI_FAILS(check_printf(ON "--backing %s 16M", file), 1, "is there already");
	CHECK_STR(check_read_file(file, NULL), "mine\n");
	CLI_OK(check_printf(ON "--force --backing %s 16M >/dev/null", file));
	CLI_OK("vdrive swap off");
	check_gone();
}

/* On the other file system that will do. */
static void test_backing_xfs(void)
{
	const char *file = cli_path("xfs/b");

	NEED_BACKING();
	CLI_OK("truncate -s 320M xfsimage && mkfs.xfs -q xfsimage && mkdir xfs && mount -o loop xfsimage xfs");
	CLI_OK(check_printf(ON "--backing %s 16M >/dev/null", file));
	CHECK_STR(attr_of("/dev/memdrive0", "backing_dev"), file);
	CLI_OK("vdrive swap off");
	CHECK(access(file, F_OK));
	CLI_OK("umount xfs && rm xfsimage");
	check_gone();
}

static void test_backing_device(void)
{
	const char *loop;

	NEED_BACKING();
	loop = CLI_OK("truncate -s 16M loopfile && /usr/sbin/losetup -f --show loopfile");
	loop = check_printf("%.*s", (int)strcspn(loop, "\n"), loop);
	CLI_FAILS(check_printf(ON "--backing %s 16M", loop), 1,
		  "what is on this device would be lost (--force uses it)");
	CLI_FAILS(check_printf(ON "--force --backing %s --backing-size 64M 16M", loop), 1,
		  "has only 16M of the 64M that are needed");
	CLI_OK(check_printf(ON "--force --backing %s 16M >/dev/null", loop));
	CHECK_STR(md_column("swap", "BACKING"), loop);
	CLI_FAILS(check_printf(ON "-n two --force --backing %s 16M", loop), 1, "is in use");
	CLI_OK("vdrive swap off");
	CHECK_OK(access(loop, F_OK));
	CLI_OK(check_printf("/usr/sbin/losetup -d %s && rm loopfile", loop));
	check_gone();
}

/* A failure leaves nothing, the file that was made for it neither. */
static void test_errors(void)
{
	struct check_cmd *c;

	CLI_FAILS(check_printf(ON "--backing $W/b 16M"), 1,
		  "a backing file lies on ext4 or xfs, and this is ");
	CLI_FAILS(check_printf(ON "--backing %s/b --backing-size 512K 16M", disk), 1,
		  "a backing store has at least 1M");
	CLI_FAILS(check_printf(ON "--backing %s/b 1G", disk), 1,
		  "No space left on device: 1G are needed");
	CLI_FAILS(check_printf(ON "--backing %s 16M", disk), 1,
		  "is neither a file nor a block device");
	CLI_FAILS(check_printf(ON "--backing %s/nosuch/b 16M", disk), 1,
		  "No such file or directory");
	CLI_FAILS(check_printf("vdrive swap on --engine zram --backing %s/b 16M", disk), 2,
		  "--backing goes with --engine memdrive");
	check_gone();
	/* What fails in the keeper, after the file was made. */
	c = cli(ON "--force --backing %s/b --backing-size 1M 4096", disk);
	CHECK_INT(c->status, 1);
	CHECK_STR(c->out, "");
	check_gone();
	CLI_FAILS("vdrive ramdisk --engine memdrive --fs nosuch 16M disk", 1,
		  "no scratch disk with nosuch");
	check_gone();
}

/* Words of modprobe, as a stand-in says them: to be refused by a signature is one way, for the rest of the guest's life. */
static void test_refused(void)
{
	static const struct {
		const char *said, *words;
	} rows[] = {
		{ "modprobe: ERROR: could not insert 'memdrive': Key was rejected by service",
		  "it does not trust the key that signed it (Secure Boot). 'mokutil --import " },
		{ "modprobe: ERROR: could not insert 'memdrive': Operation not permitted",
		  "the kernel loads no modules here" },
		{ "modprobe: ERROR: could not insert 'memdrive': Exec format error",
		  "the module memdrive was built for another kernel: 'dkms autoinstall'" },
		{ "modprobe: FATAL: Module memdrive not found in directory /lib/modules/x",
		  "there is no module memdrive for this kernel: build it with DKMS" },
	};

	CLI_OK("/usr/sbin/modprobe -r memdrive");
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const char *script =
			check_printf("#!/bin/sh\necho \"%s\" >&2\nexit 1\n", rows[i].said);

		check_write_file(cli_path("modprobe"), script, strlen(script));
		CLI_OK("chmod 755 modprobe");
		CLI_FAILS(
			"unshare -m sh -c 'mount --bind modprobe $(readlink -f /sbin/modprobe) && exec " ON
			"16M'",
			1, rows[i].words);
	}
	check_gone();
}

static void test_ramdisk(void)
{
	const char *said;
	struct mm_stat one, two;

	CLI_OK("/usr/sbin/modprobe memdrive num_devices=0; mkdir -p mnt");
	CHECK_STR(CLI_OK("vdrive ramdisk --limit 24M 32M mnt"), "");
	CHECK_STR(CLI_OK("vdrive list -n -r -o NAME,TYPE,SIZE,STATE,ENGINE,DEVICE,MOUNTPOINT"),
		  check_printf("ramdisk ramdisk 32M live memdrive /dev/memdrive0 %s\n",
			       cli_path("mnt")));
	CHECK(cli_json_valid(CLI_OK("vdrive list --json")));
	CLI_OK("head -c 4M /dev/urandom >mnt/one && sync mnt/one");
	one = md_mm_stat("/dev/memdrive0");
	CHECK(one.used >= 4 * MIB);
	if (!access("/sys/block/memdrive0/dedup", F_OK)) {
		CHECK_STR(attr_of("/dev/memdrive0", "dedup"), "1");
		CLI_OK("cp mnt/one mnt/two && sync mnt/two");
		two = md_mm_stat("/dev/memdrive0");
		CHECK(two.used < one.used + MIB);
	}
	/* What is deleted gives its memory back. */
	CLI_OK("cmp mnt/one mnt/one && rm mnt/* -rf && sync && fstrim mnt");
	CHECK(md_mm_stat("/dev/memdrive0").used < MIB);
	CLI_OK("vdrive set ramdisk mem_limit=8M");
	CLI_OK("vdrive detach ramdisk");
	check_gone();

	/* Without a file system it is a device; and any engine can be asked for. */
	said = CLI_OK("vdrive ramdisk 16M");
	CHECK_STR(said, "/dev/memdrive0\n");
	CLI_OK("vdrive detach ramdisk");
	said = CLI_OK("vdrive ramdisk --store mem 16M");
	CHECK_HAS(said, "/dev/loop");
	CLI_OK("vdrive detach ramdisk");
	said = CLI_OK("vdrive ramdisk --engine fuse 16M");
	CHECK_HAS(said, "/dev/loop");
	CLI_OK("vdrive detach ramdisk");
	check_gone();
}

/* Its name is free at once, its memory when the last file is closed. */
static void test_ramdisk_lazily(void)
{
	_cleanup_close_ int fd = -1;
	struct check_cmd *c;

	CLI_OK("mkdir -p mnt; vdrive ramdisk 32M mnt && echo there >mnt/file");
	fd = open(cli_path("mnt/file"), O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	c = cli("vdrive detach ramdisk");
	CHECK_INT(c->status, 1);
	CHECK_HAS(c->err, "is busy");
	CHECK_STR(CLI_OK("cat mnt/file"), "there\n");
	CLI_OK("vdrive detach --lazy ramdisk");
	CHECK_STR(CLI_OK("vdrive list"), "");
	CHECK_STR(devices(), "/sys/block/memdrive0\n");
	CHECK_INT(pwrite(fd, "still", 5, 0), 5);
	/* The next one gets another device. */
	CHECK_STR(CLI_OK("vdrive ramdisk 16M"), "/dev/memdrive1\n");
	CLI_OK("vdrive detach ramdisk");
	CHECK_STR(devices(), "/sys/block/memdrive0\n");
	close(VD_TAKE_FD(fd));
	for (int t = 0; t < 200 && *devices(); t++)
		md_sleep_ms(50);
	check_gone();
	CHECK_STR(check_sh("pgrep -x vdrived")->out, "");
}

/* A disk that is larger than memory. */
static void test_ramdisk_backing(void)
{
	NEED_BACKING();
	CLI_OK(check_printf("mkdir -p mnt; vdrive ramdisk --limit 4M --backing %s/b 40M mnt",
			    disk));
	CLI_OK("head -c 16M /dev/urandom >data && cp data mnt/ && sync mnt/data && "
	       "echo 3 >/proc/sys/vm/drop_caches && cmp data mnt/data");
	CHECK(md_mm_stat("/dev/memdrive0").used <= 4 * MIB);
	CHECK(strtoull(md_column("ramdisk", "SPILLED"), NULL, 10) > 8 * MIB);
	CLI_OK("vdrive detach ramdisk && rm data");
	check_gone();
}

static const char *link_of(const char *name)
{
	char *to = check_alloc(PATH_MAX);
	ssize_t n = readlink(name, to, PATH_MAX - 1);

	to[n < 0 ? 0 : n] = '\0';
	return to;
}

/* With udev there are names; and what it opens meanwhile is in nobody's way. */
static void test_udev(void)
{
	static const char real[] = "env -u VDRIVE_RUNTIME_DIR PATH=\"$PATH\" vdrive ";
	const char *uuid;

	CLI_OK("mkdir -p mnt /etc/udev/rules.d && cp " RULES " /etc/udev/rules.d/");
	CLI_OK("/lib/systemd/systemd-udevd --daemon --resolve-names=never 2>/dev/null && udevadm control --ping");
	CLI_OK("/usr/sbin/modprobe memdrive num_devices=0");
	CLI_OK(check_printf(
		"%s swap on -n sw.1 16M >/dev/null && %s ramdisk -n ram+disk 32M mnt && "
		"%s ramdisk -n loop --engine fuse 16M >/dev/null && udevadm settle",
		real, real, real));
	CHECK_STR(link_of("/dev/vdrive/sw.1"), "../memdrive0");
	CHECK_STR(link_of("/dev/vdrive/ram+disk"), "../memdrive1");
	CHECK_HAS(link_of("/dev/vdrive/loop"), "../loop");
	uuid = CLI_OK("udevadm info -q property /dev/memdrive1 | sed -n s/^ID_FS_UUID=//p");
	CHECK(strlen(uuid) == 37);
	CHECK_STR(link_of(check_printf("/dev/disk/by-uuid/%.36s", uuid)), "../../memdrive1");
	for (int i = 0; i < 5; i++)
		CLI_OK(check_printf("%s ramdisk -n again 16M >/dev/null && %s detach again", real,
				    real));
	CLI_OK(check_printf("%s detach --all && udevadm settle", real));
	CHECK_STR(CLI_OK("ls /dev/vdrive 2>/dev/null; true"), "");
	CLI_OK("udevadm control --exit && rm -rf /run/udev /run/vdrive /etc/udev /dev/vdrive");
	check_gone();
}

static const struct check_test tests[] = {
	{ "chosen", test_chosen },
	{ "list_and_set", test_list_and_set },
	{ "hog", test_hog },
	{ "hog_spills", test_hog_spills },
	{ "backing", test_backing },
	{ "backing_xfs", test_backing_xfs },
	{ "backing_device", test_backing_device },
	{ "errors", test_errors },
	{ "refused", test_refused },
	{ "ramdisk", test_ramdisk },
	{ "ramdisk_lazily", test_ramdisk_lazily },
	{ "ramdisk_backing", test_ramdisk_backing },
	{ "udev", test_udev },
};
CHECK_MAIN_WITH(tests, setup, teardown)
