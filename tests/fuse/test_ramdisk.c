// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive ramdisk, from its command line: what is written is what is read, through the file and through the block device; what
 * is deleted gives its memory back; and however a ramdisk ends, nothing is left of it.
 */
#define _GNU_SOURCE
#include "memory_drives.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

enum { MIB = 1 << 20 };

static void setup(void)
{
	struct check_cmd *c;

	signal(SIGPIPE, SIG_IGN);
	unsetenv("XDG_RUNTIME_DIR");
	cli_setup();
	for (int nobody = 0; nobody <= !geteuid(); nobody++) {
		cli_become(nobody);
		c = cli("mkdir mnt mnt2 && echo words >text.txt && ln -s mnt way");
		ASSERT_STR(c->err, "");
		ASSERT_INT(c->status, 0);
	}
	cli_become(false);
}

static void teardown(void)
{
	for (int nobody = 0; nobody <= !geteuid(); nobody++) {
		cli_become(nobody);
		cli("vdrive detach --all --lazy");
	}
}

static char *disk_path(const char *drive)
{
	return check_printf("%s/%s/disk", cli_rundir(), drive);
}

/* Whole blocks at an offset: all of them, or the test ends. */
static void put(int fd, const void *data, size_t len, off_t at)
{
	ASSERT_INT(pwrite(fd, data, len, at), (long long)len);
}

static void get(int fd, void *data, size_t len, off_t at)
{
	ASSERT_INT(pread(fd, data, len, at), (long long)len);
}

#define NEED_ROOT()                                                                                \
	do {                                                                                       \
		if (geteuid())                                                                     \
			CHECK_SKIP("needs root");                                                  \
	} while (0)

/* A disk as a file, for everybody. */
static void test_file(void)
{
	static const char *const stores[] = { "lz4", "mem" };
	unsigned char *data = check_alloc(MIB), *back = check_alloc(MIB);
	unsigned char *zeros = check_alloc(MIB);

	if (!cli_become(!geteuid()))
		return;
	memset(zeros, 0, MIB);
	md_pattern(data, MIB, 1, 2);
	for (size_t i = 0; i < VD_ARRAY_SIZE(stores); i++) {
		const char *path = disk_path("r");
		struct check_cmd *c;
		struct stat st;
		struct mm_stat m;

		CHECK_STR(CLI_OK(check_printf("vdrive ramdisk --store %s -n r 16M", stores[i])),
			  check_printf("%s\n", path));
		/* Through the user's own eyes: others, root too, may not look into the mount. */
		c = cli("head -c 16777216 /dev/urandom >all && dd if=all of=\"$R/r/disk\" bs=64K conv=notrunc status=none && "
			"cmp all \"$R/r/disk\" && dd if=all of=\"$R/r/disk\" bs=4096 count=1 seek=4096 conv=notrunc status=none");
		CHECK_HAS(c->err, "No space left on device");
		c = cli("cmp all \"$R/r/disk\" && fallocate -p -o 4096 -l 1M \"$R/r/disk\" && "
			"dd if=/dev/zero of=all bs=4096 seek=1 count=256 conv=notrunc status=none && cmp all \"$R/r/disk\"");
		CHECK_STR(c->err, "");
		CHECK_INT(c->status, 0);
		CHECK_STR(CLI_OK("cat \"$R/r/attr/store\""), check_printf("%s\n", stores[i]));
		CHECK_STR(CLI_OK("cat \"$R/r/attr/engine\""), "fuse\n");
		CHECK_STR(CLI_OK("cat \"$R/r/attr/comp_algorithm\""), i ? "none\n" : "[lz4]\n");
		CHECK_STR(CLI_OK("vdrive list -b -n -r -o TYPE,SIZE,STATE,ENGINE,STORE r"),
			  check_printf("ramdisk 16777216 live fuse %s\n", stores[i]));
		CHECK(cli_json_valid(CLI_OK("vdrive list --json")));
		CLI_OK("vdrive detach r");
		MD_CLEAN();
		if (geteuid())
			continue;
		/* And root's, which is a block device as well. */
		cli_become(false);
		CHECK_HAS(CLI_OK(check_printf("vdrive ramdisk --store %s -n r 16M", stores[i])),
			  "/dev/loop");
		path = disk_path("r");
		ASSERT_INT(stat(path, &st), 0);
		CHECK_INT(st.st_size, 16 * MIB);
		_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
		_cleanup_close_ int dev = open(md_column("r", "DEVICE"), O_RDONLY | O_CLOEXEC);

		ASSERT(fd >= 0 && dev >= 0);
		m = md_mm_stat("r");
		CHECK_UINT(m.orig, 0);
		put(fd, data, MIB, 3 * MIB);
		get(fd, back, MIB, 3 * MIB);
		CHECK_MEM(back, data, MIB);
		get(fd, back, MIB, 4 * MIB);
		CHECK_MEM(back, zeros, MIB);
		get(dev, back, MIB, 3 * MIB);
		CHECK_MEM(back, data, MIB);
		m = md_mm_stat("r");
		CHECK_UINT(m.orig, MIB);
		/* Half of the words are zeros. */
		CHECK(i ? m.used >= MIB : m.used > MIB / 2 && m.used < MIB * 7 / 8);
		CHECK_STR(md_column("r", "USED"), check_printf("%llu", m.orig));
		CHECK_STR(md_column("r", "MEMORY"), check_printf("%llu", m.used));
		CHECK_INT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * MIB, MIB),
			  0);
		get(fd, back, MIB, 3 * MIB);
		CHECK_MEM(back, zeros, MIB);
		CHECK_UINT(md_mm_stat("r").orig, 0);
		close(VD_TAKE_FD(fd));
		close(VD_TAKE_FD(dev));
		CLI_OK("vdrive detach r");
		MD_CLEAN();
		cli_become(true);
	}
	cli_become(false);
}

/* fio writes in no order, several at once, and verifies. */
static void test_fio(void)
{
	static const char *const stores[] = { "lz4", "mem" };

	if (!check_have_program("fio"))
		CHECK_SKIP("needs fio");
	for (size_t i = 0; i < VD_ARRAY_SIZE(stores); i++) {
		const char *job =
			"fio --output=fio.log --name=v --size=24M --numjobs=2 --offset_increment=24M --rw=randwrite --bsrange=4k-96k"
			" --blockalign=4k --verify=crc32c --verify_fatal=1 --verify_state_save=0 --randseed=7 --end_fsync=1"
			" --buffer_compress_percentage=50 --group_reporting";
		struct check_cmd *c;

		CLI_OK(check_printf("vdrive ramdisk --store %s -n r 48M >/dev/null", stores[i]));
		c = cli("%s --filename=\"$R/r/disk\" --ioengine=psync --blockalign=512 --bsrange=512-96k || { cat fio.log; exit 1; }",
			job);
		CHECK_STR(c->out, "");
		CHECK_INT(c->status, 0);
		if (!geteuid()) {
			c = cli("%s --filename=%s --ioengine=libaio --direct=1 --iodepth=16 --loops=2 || { cat fio.log; exit 1; }",
				job, md_column("r", "DEVICE"));
			CHECK_STR(c->out, "");
			CHECK_INT(c->status, 0);
			CHECK_STR(md_column("r", "STATE"), "live");
		}
		CLI_OK("vdrive detach r");
		MD_CLEAN();
	}
}

/* What each block of the device was last given: 0 is nothing, or discarded. */
static void test_device(void)
{
	enum { BLOCKS = 2048, ROUNDS = 6000, MOST = 32, BLOCK = 4096 };
	unsigned int *given = check_alloc(BLOCKS * sizeof(*given));
	unsigned char *buf = NULL, *want = check_alloc(BLOCK);
	unsigned int seed = 42;
	int fd;

	NEED_ROOT();
	ASSERT(!posix_memalign((void **)&buf, BLOCK, MOST * BLOCK));
	memset(given, 0, BLOCKS * sizeof(*given));
	CLI_OK("vdrive ramdisk -n r 8M >/dev/null");
	fd = open(md_column("r", "DEVICE"), O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT(fd >= 0);
	for (unsigned int i = 1; i <= ROUNDS && !check_failed(); i++) {
		unsigned int first = (unsigned int)rand_r(&seed) % BLOCKS;
		unsigned int n = 1 + (unsigned int)rand_r(&seed) % MOST;
		uint64_t range[2];

		if (n > BLOCKS - first)
			n = BLOCKS - first;
		range[0] = (uint64_t)first * BLOCK;
		range[1] = (uint64_t)n * BLOCK;
		switch (rand_r(&seed) % 4) {
		case 0:
			CHECK_INT(ioctl(fd, BLKDISCARD, range), 0);
			memset(given + first, 0, n * sizeof(*given));
			break;
		case 1:
			for (unsigned int b = 0; b < n; b++) {
				given[first + b] = i;
				md_pattern(buf + b * BLOCK, BLOCK, (uint64_t)i * BLOCKS + first + b,
					   i % 4);
			}
			put(fd, buf, n * BLOCK, (off_t)range[0]);
			break;
		default:
			get(fd, buf, n * BLOCK, (off_t)range[0]);
			for (unsigned int b = 0; b < n; b++) {
				unsigned int was = given[first + b];

				memset(want, 0, BLOCK);
				if (was)
					md_pattern(want, BLOCK, (uint64_t)was * BLOCKS + first + b,
						   was % 4);
				if (!CHECK_MEM(buf + b * BLOCK, want, BLOCK))
					break;
			}
		}
	}
	close(fd);
	free(buf);
	CLI_OK("vdrive detach r");
	MD_CLEAN();
}

/*
 * A mount namespace that somebody makes beside us (the test of a private /dev does) has our mounts as well, and the file system is
 * written out when the last of them is gone.
 */
static void wait_unused(const char *device)
{
	for (int i = 0; i < 300; i++) {
		_cleanup_close_ int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);

		if (fd >= 0)
			return;
		md_sleep_ms(100);
	}
	CHECK_FAIL("%s is still in use", device);
}

/* Real files, until nothing fits any more; then all deleted. */
static void fill_and_empty(const char *fs, const char *fsck)
{
	unsigned long long base, peak, now = 0;
	const char *device;
	struct check_cmd *c;

	CLI_OK(check_printf("vdrive ramdisk --fs %s 320M mnt", fs));
	/* Or what is below would be filled. */
	ASSERT_INT(cli("mountpoint -q mnt")->status, 0);
	ASSERT_STR(md_column("ramdisk", "STATE"), "live");
	device = md_column("ramdisk", "DEVICE");
	CHECK_STR(CLI_OK(check_printf("findmnt -n -o FSTYPE,SOURCE mnt | tr -s ' '")),
		  check_printf("%s %s\n", fs, device));
	base = md_mm_stat("ramdisk").used;
	c = cli("set -e; cd mnt; tar -xf ../tree.tar; sync .; n=0\n"
		"while cp ../tree.tar big$n 2>>../full; do n=$((n + 1)); done\n"
		"test $n -gt 0; grep -q 'No space left on device' ../full; rm ../full\n"
		"rm big$n; sync; echo 1 >/proc/sys/vm/drop_caches\n"
		"tar -df ../tree.tar; while [ $n -gt 0 ]; do n=$((n - 1)); cmp big$n ../tree.tar; done");
	CHECK_STR(c->err, "");
	CHECK_STR(c->out, "");
	CHECK_INT(c->status, 0);
	peak = md_mm_stat("ramdisk").used;
	CHECK(peak > 64 * MIB);
	c = cli("rm -rf mnt/[!l]* mnt/l[!o]*; sync");
	CHECK_STR(c->err, "");
	/* The file system discards when it commits. */
	for (int i = 0; i < 100; i++) {
		cli("sync -f mnt");
		now = md_mm_stat("ramdisk").used;
		if (now <= base + peak / 20)
			break;
		md_sleep_ms(100);
	}
	if (now > base + peak / 20)
		CHECK_FAIL("%s: %llu bytes were used, %llu at most, %llu are now", fs, base, peak,
			   now);
	/* The user's own umount leaves the disk. */
	CLI_OK("umount mnt");
	wait_unused(device);
	c = cli("%s %s >fsck.log 2>&1 || { cat fsck.log; exit 1; }", fsck, device);
	CHECK_STR(c->out, "");
	CHECK_STR(c->err, "");
	CHECK_INT(c->status, 0);
	CLI_OK("vdrive detach ramdisk");
	MD_CLEAN();
}

static void make_tree(void)
{
	struct check_cmd *c;

	if (!access(cli_path("tree.tar"), F_OK))
		return;
	c = cli("cd /usr/bin && find . -type f -size -1500k | sort | head -n 500 | head -c 60000 >\"$W/list\" && "
		"tar -cf \"$W/tree.tar\" -T \"$W/list\" 2>&1");
	ASSERT_STR(c->out, "");
	ASSERT_INT(c->status, 0);
}

static void test_ext4(void)
{
	NEED_ROOT();
	make_tree();
	fill_and_empty("ext4", "e2fsck -fn");
}

static void test_xfs(void)
{
	NEED_ROOT();
	if (!check_have_program("mkfs.xfs"))
		CHECK_SKIP("needs mkfs.xfs");
	make_tree();
	fill_and_empty("xfs", "xfs_repair -n");
}

/* Writes what does not shrink until there is no more; returns how many bytes went in. */
static off_t write_until_full(int fd, off_t size)
{
	unsigned char *data = check_alloc(MIB);
	off_t at = 0;

	while (at < size) {
		ssize_t n;

		md_pattern(data, MIB, (uint64_t)at + 5, 0);
		n = pwrite(fd, data, MIB, at);
		if (n < 0) {
			CHECK_ERRNO(-errno, -ENOSPC);
			return at;
		}
		/* What is short is short at a page's end, and what was taken counts. */
		at += n;
		if (n < MIB)
			return at;
	}
	CHECK_FAIL("the limit was not felt");
	return at;
}

static void check_written(int fd, off_t len)
{
	unsigned char *data = check_alloc(MIB), *back = check_alloc(MIB);

	for (off_t at = 0; at < len; at += MIB) {
		size_t n = len - at < MIB ? (size_t)(len - at) : MIB;

		md_pattern(data, MIB, (uint64_t)at + 5, 0);
		get(fd, back, n, at);
		if (!CHECK_MEM(back, data, n))
			return;
	}
}

/* Full: the writer hears of it, and what was written before is there. */
static void test_limit(void)
{
	const off_t limit = 16 * MIB;
	struct mm_stat m;
	off_t first, second;
	int fd;

	CLI_OK("vdrive ramdisk -n r --limit 16M 64M >/dev/null");
	CHECK_STR(md_attr("r", "mem_limit"), "16777216");
	fd = open(disk_path("r"), O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	first = write_until_full(fd, 64 * MIB);
	CHECK(first > limit * 9 / 10 && first <= limit);
	m = md_mm_stat("r");
	CHECK(m.used <= (unsigned long long)limit);
	CHECK_UINT(m.limit, (unsigned long long)limit);
	check_written(fd, first);
	/* Nothing new fits, also after all that came before was written anew. */
	CHECK_INT(pwrite(fd, check_alloc(4096), 4096, 0), 4096);
	CHECK_INT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 * MIB), 0);
	CHECK(md_mm_stat("r").used <= (unsigned long long)(limit - 7 * MIB));
	CLI_OK("vdrive set r mem_limit=24M");
	second = write_until_full(fd, 64 * MIB);
	CHECK(second > 22 * MIB && second <= 24 * MIB);
	check_written(fd, second);
	CLI_FAILS("vdrive set r mem_limit=many", 1, "mem_limit: 'many' is not a size");
	close(fd);
	CLI_OK("vdrive detach r");
	MD_CLEAN();
}

/*
 * On a file system the limit is a disk that fails: who syncs gets an error, and the files that were synced before
 * are whole.
 */
static void test_limit_ext4(void)
{
	struct check_cmd *c;

	NEED_ROOT();
	CLI_OK("vdrive ramdisk --limit 16M 128M mnt");
	c = cli("head -c 1M /dev/urandom >random; n=0\n"
		"while dd if=random of=mnt/f$n bs=1M conv=fsync status=none 2>full; do n=$((n + 1)); done\n"
		"echo 1 >/proc/sys/vm/drop_caches; cat full >&2; echo $n\n"
		"while [ $n -gt 0 ]; do n=$((n - 1)); cmp random mnt/f$n || exit 9; done\n"
		"rm mnt/f*; sync -f mnt 2>/dev/null; dd if=random of=mnt/again bs=1M conv=fsync status=none && cmp random mnt/again");
	/* Which one depends on the kernel's loop driver. */
	CHECK(strstr(c->err, "Input/output error") || strstr(c->err, "No space left on device"));
	CHECK(atoi(c->out) >= 12 && atoi(c->out) <= 16);
	CHECK_INT(c->status, 0);
	CHECK_STR(md_column("ramdisk", "STATE"), "live");
	CLI_OK("vdrive detach mnt");
	MD_CLEAN();
}

static void test_busy(void)
{
	char text[8] = "";
	int fd;

	NEED_ROOT();
	CLI_OK("vdrive ramdisk 32M way && echo hello >mnt/file");
	CHECK_STR(md_column("ramdisk", "MOUNTPOINT"), cli_path("mnt"));
	fd = open(cli_path("mnt/file"), O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	for (int i = 0; i < 2; i++) {
		CLI_FAILS("vdrive detach ramdisk", 1, "is busy");
		CHECK_STR(CLI_OK("cat mnt/file"), "hello\n");
		CHECK_STR(md_column("ramdisk", "STATE"), "live");
		CHECK_STR(CLI_OK("vdrive list -n -r -o MOUNTPOINT ramdisk"),
			  check_printf("%s\n", cli_path("mnt")));
	}
	/* Gone for everybody else; whoever has it open keeps it, and it can be written. */
	CLI_OK("vdrive detach --lazy ramdisk");
	CHECK_STR(CLI_OK("ls mnt; vdrive list"), "");
	CHECK_INT(pread(fd, text, 6, 0), 6);
	CHECK_STR(text, "hello\n");
	CHECK_INT(pwrite(fd, "HELLO\n", 6, 0), 6);
	CHECK_INT(fsync(fd), 0);
	CLI_OK("vdrive ramdisk 32M mnt && vdrive detach mnt");
	close(fd);
	MD_CLEAN();
}

/* The disk itself is in use, by a mount of somebody else's. */
static void test_busy_device(void)
{
	struct check_cmd *c;

	NEED_ROOT();
	c = cli("d=$(vdrive ramdisk 32M) && mkfs.ext4 -q $d && mount $d mnt && echo hello >mnt/file && sync -f mnt");
	ASSERT_STR(c->err, "");
	CLI_FAILS("vdrive detach ramdisk", 1, "busy");
	CHECK_STR(CLI_OK("cat mnt/file"), "hello\n");
	CHECK_STR(md_column("ramdisk", "STATE"), "live");
	/* The device stays the drive's until it is detached. */
	c = cli("umount mnt && sleep 0.3 && mount %s mnt && cat mnt/file && umount mnt",
		md_column("ramdisk", "DEVICE"));
	CHECK_STR(c->out, "hello\n");
	CHECK_STR(c->err, "");
	CLI_OK("vdrive detach ramdisk");
	MD_CLEAN();
}

/* What was in the reader's memory is lost; all that would hang on it goes. */
static void test_reader_killed(void)
{
	for (int with_dir = 0; with_dir <= !geteuid(); with_dir++) {
		pid_t reader;

		CLI_OK(check_printf("vdrive ramdisk 32M %s >/dev/null", with_dir ? "mnt" : ""));
		if (with_dir)
			CLI_OK("echo hello >mnt/file");
		reader = atoi(md_attr("ramdisk", "reader_pid"));
		ASSERT(reader > 1);
		CHECK_INT(kill(reader, SIGKILL), 0);
		MD_CLEAN();
		CHECK_STR(CLI_OK("vdrive list; ls mnt"), "");
	}
}

static void test_keeper_killed(void)
{
	static const char *const ends[] = { "vdrive detach ramdisk",
					    "vdrive ramdisk -n ramdisk 32M >/dev/null && "
					    "vdrive detach ramdisk" };

	for (int with_dir = 0; with_dir <= !geteuid(); with_dir++)
		for (size_t i = 0; i < VD_ARRAY_SIZE(ends); i++) {
			pid_t keeper;

			CLI_OK(check_printf("vdrive ramdisk 32M %s >/dev/null",
					    with_dir ? "mnt" : ""));
			if (with_dir)
				CLI_OK("echo hello >mnt/file");
			keeper = atoi(md_column("ramdisk", "PID"));
			ASSERT(keeper > 1);
			CHECK_INT(kill(keeper, SIGKILL), 0);
			for (int t = 0; t < 100; t++) {
				if (!strcmp(md_column("ramdisk", "STATE"), "dead"))
					break;
				md_sleep_ms(50);
			}
			CHECK_STR(md_column("ramdisk", "STATE"), "dead");
			CLI_OK(ends[i]);
			MD_CLEAN();
		}
}

/* With a file open, too: what is left of the device goes when that is closed. */
static void test_keeper_killed_while_busy(void)
{
	struct check_cmd *c;
	int fd;

	NEED_ROOT();
	CLI_OK("vdrive ramdisk 32M mnt && echo hello >mnt/file");
	fd = open(cli_path("mnt/file"), O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_INT(kill(atoi(md_column("ramdisk", "PID")), SIGKILL), 0);
	for (int t = 0; t < 100 && strcmp(md_column("ramdisk", "STATE"), "dead"); t++)
		md_sleep_ms(50);
	c = cli("vdrive detach ramdisk");
	CHECK_STR(c->err, "");
	CHECK_INT(c->status, 0);
	CHECK(c->elapsed_ms < 15000);
	CLI_OK("vdrive ramdisk 32M mnt && vdrive detach ramdisk");
	close(fd);
	MD_CLEAN();
}

/* A reader that hangs is found out, and whoever waits for the disk goes on with an error. */
static void test_reader_hangs(void)
{
	const char *device;
	struct check_cmd *c;
	pid_t reader;

	NEED_ROOT();
	CLI_OK("vdrive ramdisk 32M mnt");
	device = md_column("ramdisk", "DEVICE");
	reader = atoi(md_attr("ramdisk", "reader_pid"));
	ASSERT(reader > 1);
	CHECK_INT(kill(reader, SIGSTOP), 0);
	c = cli("dd if=%s of=/dev/null bs=4096 skip=5000 count=1 iflag=direct", device);
	CHECK_HAS(c->err, "Input/output error");
	if (c->elapsed_ms < 9000 || c->elapsed_ms > 20000)
		CHECK_FAIL("an error after %lld ms, not about 10 s", (long long)c->elapsed_ms);
	MD_CLEAN();
}

static void test_errors(void)
{
	static const struct {
		const char *command;
		int status;
		const char *words;
	} rows[] = {
		{ "vdrive ramdisk", 2, "a size is needed" },
		{ "vdrive ramdisk 1M mnt x", 2, "too many arguments" },
		{ "vdrive ramdisk --frobnicate 1M", 2, "unrecognized option" },
		{ "vdrive ramdisk -n a/b 1M", 2, "no name for a drive" },
		{ "vdrive ramdisk --store zip 1M", 2, "store 'zip' is not known: lz4 and mem are" },
		{ "vdrive ramdisk --store mem --limit 1M 2M", 2, "--limit goes with --store lz4" },
		{ "vdrive ramdisk --engine x 1M", 2,
		  "engine 'x' is not known: memdrive, zram and fuse are" },
		{ "vdrive ramdisk --engine zram 1M", 2, "a ramdisk has engine memdrive or fuse" },
		{ "vdrive ramdisk --engine fuse --backing b 1M", 2,
		  "--backing goes with --engine memdrive" },
		{ "vdrive ramdisk --backing-size 1M 1M", 2, "--backing-size goes with --backing" },
		{ "vdrive ramdisk --store mem --engine memdrive 1M", 2,
		  "--store mem goes with --engine fuse" },
		{ "vdrive ramdisk --store mem --backing b 1M", 2,
		  "--store mem goes with --engine fuse" },
		{ "vdrive ramdisk many", 1, "'many' is not a size (such as 512M, 4G, 50%)" },
		{ "vdrive ramdisk ''", 1, "'' is not a size" },
		{ "vdrive ramdisk -- -5M", 1, "'-5M' is not a size" },
		{ "vdrive ramdisk 0", 1, "a size of 0" },
		{ "vdrive ramdisk 0%", 1, "a size of 0" },
		{ "vdrive ramdisk 99999999999999999999", 1, "99999999999999999999" },
		{ "vdrive ramdisk 16E", 1, "16E" },
		{ "vdrive ramdisk 900000%", 1, "of memory is available (--force" },
		{ "vdrive ramdisk --store mem 101%", 1, "of memory is available (--force" },
		{ "vdrive ramdisk --limit 101% 200%", 1, "of memory is available (--force" },
		{ "vdrive ramdisk --limit many 1M", 1, "'many' is not a size" },
	};
	static const struct {
		const char *command, *words;
	} roots[] = {
		{ "vdrive ramdisk 1M nosuch", "nosuch: No such file or directory" },
		{ "vdrive ramdisk 1M text.txt", "text.txt: Not a directory" },
		{ "vdrive ramdisk --fs nofs 32M mnt", "no scratch disk with nofs: one of ext4" },
		{ "vdrive ramdisk 4096 mnt", "mkfs.ext4 failed: " },
		{ "PATH=$PATH; vdrive ramdisk --fs f2fs 1M mnt", "mkfs.f2fs " },
	};

	for (int nobody = 0; nobody <= !geteuid(); nobody++) {
		cli_become(nobody);
		for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++)
			CLI_FAILS(rows[i].command, rows[i].status, rows[i].words);
		CHECK_HAS(CLI_OK("vdrive ramdisk --help"), "Usage:\n vdrive ramdisk ");
		MD_CLEAN();
		CLI_OK("vdrive ramdisk -n a 1M >/dev/null");
		CLI_FAILS("vdrive ramdisk -n a 1M", 1, "a drive named a is there already");
		CHECK_STR(CLI_OK("vdrive list -n -r -o NAME,STATE"), "a live\n");
		CLI_OK("vdrive detach a");
		if (nobody || geteuid())
			CLI_FAILS("vdrive ramdisk 16M mnt", 1, "needs root");
		else
			for (size_t i = 0; i < VD_ARRAY_SIZE(roots); i++)
				CLI_FAILS(roots[i].command, 1, roots[i].words);
		MD_CLEAN();
	}
	cli_become(false);
}

/* Under a /dev of its own that lacks what is asked for. */
static void test_no_loop_device(void)
{
	static const char alone[] =
		"unshare -m sh -c 'mount --make-rprivate / && mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
		"mknod -m 666 /dev/fuse c 10 229 && %s exec vdrive ramdisk 16M mnt'";

	NEED_ROOT();
	CLI_FAILS(check_printf(alone, ""), 1, "/dev/loop-control: No such file or directory");
	MD_CLEAN();
	CLI_FAILS(check_printf(alone, "mknod /dev/loop-control c 10 237 &&"), 1,
		  "no loop device is free");
	MD_CLEAN();
	/* Without root nobody asks for one. */
	CHECK_STR(CLI_OK("ls mnt; vdrive list"), "");
}

static void test_two_at_once(void)
{
	struct check_cmd *c;

	for (int i = 0; i < 5; i++) {
		CLI_OK("vdrive ramdisk 16M >/dev/null & vdrive ramdisk 16M >/dev/null & wait");
		CHECK_STR(CLI_OK("vdrive list -n -r -o NAME"), "ramdisk\nramdisk-2\n");
		if (!geteuid())
			CHECK(strcmp(md_column("ramdisk", "DEVICE"),
				     md_column("ramdisk-2", "DEVICE")));
		CLI_OK("vdrive detach --all");
		c = cli("(vdrive ramdisk -n r 16M >/dev/null; echo $?) & (vdrive ramdisk -n r 16M >/dev/null; echo $?) & wait");
		CHECK(!strcmp(c->out, "0\n1\n") || !strcmp(c->out, "1\n0\n"));
		CHECK_HAS(c->err, "a drive named r is there already");
		CLI_OK("vdrive detach r");
		MD_CLEAN();
	}
}

static void test_foreground(void)
{
	struct check_cmd *c;

	c = cli("vdrive ramdisk -f -n r 16M >out 2>log & p=$!\n"
		"for i in $(seq 100); do [ -s out ] && break; sleep 0.05; done\n"
		"vdrive list -n -r -o NAME,STATE; kill -TERM $p; wait $p");
	CHECK_STR(c->out, "r live\n");
	CHECK_STR(c->err, "");
	MD_CLEAN();
}

static void test_fifty(void)
{
	struct check_cmd *c;

	c = cli("set -e; for i in $(seq 50); do vdrive ramdisk -n d$i 8M >/dev/null; done\n"
		"for i in $(seq 50); do seq $i 200000 | head -c 1M | dd of=\"$R/d$i/disk\" bs=64K conv=notrunc iflag=fullblock status=none; done\n"
		"for i in $(seq 50); do seq $i 200000 | head -c 1M | cmp -n 1048576 - \"$R/d$i/disk\"; done\n"
		"vdrive list -n -r -o STATE | sort | uniq -c | tr -s ' '");
	CHECK_STR(c->err, "");
	CHECK_STR(c->out, " 50 live\n");
	CHECK_INT(c->status, 0);
	CLI_OK("vdrive detach --all");
	CHECK_STR(CLI_OK("vdrive list"), "");
	MD_CLEAN();
}

static void test_cycles(void)
{
	int rounds = getenv("VDRIVE_SOAK") ? 20 : 2;

	for (int i = 0; i < rounds; i++) {
		struct check_cmd *c = cli(
			"set -e; for i in $(seq 10); do vdrive ramdisk -n r 16M %s >/dev/null; vdrive detach r; done",
			geteuid() ? "" : "mnt && echo hello >mnt/x");

		CHECK_STR(c->err, "");
		CHECK_INT(c->status, 0);
		/* A loop device that the last round took is free for the next. */
		MD_CLEAN();
	}
}

static const struct check_test tests[] = {
	{ "file", test_file },
	{ "fio", test_fio },
	{ "device", test_device },
	{ "ext4", test_ext4 },
	{ "xfs", test_xfs },
	{ "limit", test_limit },
	{ "limit_ext4", test_limit_ext4 },
	{ "busy", test_busy },
	{ "busy_device", test_busy_device },
	{ "reader_killed", test_reader_killed },
	{ "keeper_killed", test_keeper_killed },
	{ "keeper_killed_while_busy", test_keeper_killed_while_busy },
	{ "reader_hangs", test_reader_hangs },
	{ "errors", test_errors },
	{ "no_loop_device", test_no_loop_device },
	{ "two_at_once", test_two_at_once },
	{ "foreground", test_foreground },
	{ "fifty", test_fifty },
	{ "cycles", test_cycles },
};
CHECK_MAIN_WITH(tests, setup, teardown)
