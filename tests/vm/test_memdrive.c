// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * memdrive as a block device, as a place for file systems and as swap. Only in a guest (VDRIVE_VM_SERIES). With VDRIVE_SOAK longer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <unistd.h>

#include "../fuse/hog.h"
#include "blkcheck.h"
#include "check.h"
#include "mdev.h"
#include "util/cleanup.h"

#define MIB (1ull << 20)
enum { PAGE = 4096, PATIENCE_S = 300 };

static struct mdev new_disk(uint64_t bytes)
{
	return mdev_make("memdrive", bytes, "");
}

/* Gives all back, to the last page. */
static void remove_disk(struct mdev d)
{
	struct mdev_mm_stat m;

	CHECK_OK(mdev_reset(d));
	m = mdev_mm_stat(d);
	CHECK_UINT(m.orig, 0);
	CHECK_UINT(m.compr, 0);
	CHECK_UINT(m.used, 0);
	CHECK_OK(mdev_remove(d));
	CHECK(access(mdev_node(d), F_OK));
}

static void check_disk(struct mdev d, struct blkcheck c)
{
	char *path = mdev_node(d);

	c.path = path;
	if (!c.bytes)
		c.bytes = mdev_number(d, "disksize", 0);
	if (!c.threads)
		c.threads = 2;
	CHECK_OK(blkcheck_run(&c));
	CHECK_UINT(c.wrong, 0);
	CHECK_STR(c.first, "");
	CHECK(c.writes && c.reads && c.discards);
}

/* Random work, without and with checksums. */
static void test_random_io(void)
{
	for (int verify = 0; verify < 2; verify++) {
		struct mdev d = mdev_make("memdrive", 16 * MIB, verify ? "verify=1" : "verify=0");

		check_disk(d, (struct blkcheck){ .requests = (unsigned)mdev_rounds(1500, 200000),
						 .seed = 1 + (unsigned)verify });
		CHECK(mdev_mm_stat(d).used > 0);
		remove_disk(d);
	}
}

/* Each processor goes and comes back under the work. */
static void test_cpu_hotplug(void)
{
	struct mdev d = new_disk(16 * MIB);
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			check_sh(
				"for c in 0 1; do echo $c >/sys/devices/system/cpu/cpu1/online; sleep 0.1; done");
	}
	check_disk(d,
		   (struct blkcheck){ .requests = (unsigned)mdev_rounds(1500, 100000), .seed = 3 });
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	MDEV_SH("cd /sys/devices/system/cpu/cpu1; for i in 1 2 3 4 5; do "
		"[ $(cat online) = 1 ] || echo 1 >online && exit 0; sleep 0.5; done; exit 1");
	remove_disk(d);
}

/* What a plain disk does at its edges. */
static void test_plain_disk(void)
{
	struct mdev d = new_disk(4 * MIB);
	_cleanup_close_ int fd = open(mdev_node(d), O_RDWR | O_DIRECT | O_EXCL);
	_cleanup_close_ int cached = open(mdev_node(d), O_RDWR);
	_cleanup_close_ int refused = -1;
	_cleanup_free_ unsigned char *page = aligned_alloc(PAGE, 2 * PAGE);
	static const unsigned char zeros[PAGE];
	uint64_t bytes = 0, range[2];
	int logical = 0, on = 1;
	unsigned int physical = 0;

	ASSERT(fd >= 0 && cached >= 0 && page);
	CHECK_OK(ioctl(fd, BLKGETSIZE64, &bytes));
	CHECK_UINT(bytes, 4 * MIB);
	CHECK_OK(ioctl(fd, BLKSSZGET, &logical));
	CHECK_INT(logical, PAGE);
	CHECK_OK(ioctl(fd, BLKPBSZGET, &physical));
	CHECK_UINT(physical, PAGE);
	CHECK_STR(mdev_get(d, "queue/stable_writes"), "1");
	CHECK_STR(mdev_get(d, "queue/rotational"), "0");
	CHECK(mdev_number(d, "queue/discard_max_bytes", 0) >= PAGE);
	CHECK(mdev_number(d, "queue/write_zeroes_max_bytes", 0) >= PAGE);

	/* Never written. */
	memset(page, 1, PAGE);
	CHECK_INT(pread(fd, page, PAGE, 8 * PAGE), PAGE);
	CHECK_MEM(page, zeros, PAGE);

	/* The last page, and what is not there any more. */
	memset(page, 0x5a, 2 * PAGE);
	page[17] = 1;
	CHECK_INT(pwrite(fd, page, PAGE, 4 * MIB - PAGE), PAGE);
	CHECK_INT(pwrite(fd, page, 2 * PAGE, 4 * MIB - PAGE), PAGE);
	CHECK_INT(pwrite(fd, page, PAGE, 4 * MIB), -1);
	CHECK_ERRNO(errno, ENOSPC);
	CHECK_INT(pread(fd, page, PAGE, 4 * MIB), 0);

	/* Half a page, where half a page starts: not directly; through the page cache it becomes a whole one. */
	CHECK_INT(pwrite(fd, page, 512, PAGE), -1);
	CHECK_ERRNO(errno, EINVAL);
	CHECK_INT(pread(fd, page, PAGE, 512), -1);
	CHECK_ERRNO(errno, EINVAL);
	CHECK_INT(pwrite(cached, "odd", 3, 2 * PAGE + 1021), 3);
	CHECK_OK(fsync(cached));
	CHECK_INT(pread(fd, page, PAGE, 2 * PAGE), PAGE);
	CHECK_MEM(page, zeros, 1021);
	CHECK_MEM(page + 1021, "odd", 3);
	CHECK_MEM(page + 1024, zeros, PAGE - 1024);

	/* Discarded pages are zeros and no memory; a part of a page is refused; nothing else goes. */
	CHECK_INT(pwrite(fd, page, PAGE, 3 * PAGE), PAGE);
	CHECK_INT(pwrite(fd, page, PAGE, 4 * PAGE), PAGE);
	range[0] = 3 * PAGE, range[1] = 512;
	CHECK_INT(ioctl(fd, BLKDISCARD, range), -1);
	CHECK_ERRNO(errno, EINVAL);
	range[0] = 3 * PAGE, range[1] = PAGE;
	CHECK_OK(ioctl(fd, BLKDISCARD, range));
	CHECK_INT(pread(fd, page + PAGE, PAGE, 3 * PAGE), PAGE);
	CHECK_MEM(page + PAGE, zeros, PAGE);
	CHECK_INT(pread(fd, page + PAGE, PAGE, 4 * PAGE), PAGE);
	CHECK_MEM(page + PAGE, page, PAGE);
	range[0] = 0, range[1] = 8 * MIB;
	CHECK_INT(ioctl(fd, BLKDISCARD, range), -1);
	CHECK_ERRNO(errno, EINVAL);
	range[1] = 4 * MIB;
	CHECK_OK(ioctl(fd, BLKZEROOUT, range));
	CHECK_INT(pread(fd, page, PAGE, 4 * MIB - PAGE), PAGE);
	CHECK_MEM(page, zeros, PAGE);
	CHECK_UINT(mdev_mm_stat(d).orig, 0);
	CHECK_OK(fsync(fd));

	/* Read-only: by the ioctl, for all who come. */
	CHECK_OK(ioctl(fd, BLKROSET, &on));
	refused = open(mdev_node(d), O_RDWR | O_DIRECT);
	CHECK(refused < 0 || pwrite(refused, page, PAGE, 0) < 0);
	if (refused >= 0)
		close(VD_TAKE_FD(refused));
	CHECK_INT(pread(fd, page, PAGE, 0), PAGE);
	on = 0;
	CHECK_OK(ioctl(fd, BLKROSET, &on));
	CHECK_INT(pwrite(fd, page, PAGE, 0), PAGE);
	close(VD_TAKE_FD(fd));
	close(VD_TAKE_FD(cached));
	remove_disk(d);
}

/* In memory that does not begin where a page does, in pieces. */
static void test_unaligned_memory(void)
{
	struct mdev d = new_disk(4 * MIB);
	_cleanup_close_ int fd = open(mdev_node(d), O_RDWR | O_DIRECT);
	_cleanup_free_ unsigned char *out = aligned_alloc(PAGE, 8 * PAGE);
	_cleanup_free_ unsigned char *in = aligned_alloc(PAGE, 8 * PAGE);
	struct iovec iov[3];

	ASSERT(fd >= 0 && out && in);
	for (size_t i = 0; i < 8 * PAGE; i++)
		out[i] = (unsigned char)(i * i >> 7 ^ i >> 3);
	for (unsigned int at = 512; at < PAGE; at += 512) {
		memset(in, 0, 8 * PAGE);
		CHECK_INT(pwrite(fd, out + at, 4 * PAGE, 0), 4 * PAGE);
		CHECK_INT(pread(fd, in + (PAGE - at), 4 * PAGE, 0), 4 * PAGE);
		CHECK_MEM(in + (PAGE - at), out + at, 4 * PAGE);
	}
	/* A page from here and one from there; each lies in two. */
	for (size_t i = 0; i < 3; i++)
		iov[i] = (struct iovec){ out + (2 - i) * 2 * PAGE + 512 * (i + 1), PAGE };
	CHECK_INT(pwritev(fd, iov, 3, 5 * PAGE), 3 * PAGE);
	CHECK_INT(pread(fd, in, 3 * PAGE, 5 * PAGE), 3 * PAGE);
	for (size_t i = 0; i < 3; i++)
		CHECK_MEM(in + i * PAGE, iov[i].iov_base, PAGE);
	memset(in, 0, 8 * PAGE);
	for (size_t i = 0; i < 3; i++)
		iov[i].iov_base = in + (2 - i) * 2 * PAGE + 512 * (i + 1);
	CHECK_INT(preadv(fd, iov, 3, 5 * PAGE), 3 * PAGE);
	for (size_t i = 0; i < 3; i++)
		CHECK_MEM(iov[i].iov_base, out + (2 - i) * 2 * PAGE + 512 * (i + 1), PAGE);
	close(VD_TAKE_FD(fd));
	remove_disk(d);
}

/* A file system, a real tree in it, and what fsck says. */
static void file_system(const char *mkfs, const char *fsck, const char *tree)
{
	struct mdev d = new_disk(512 * MIB);
	const char *node = mdev_node(d), *mnt = check_path("mnt");

	MDEV_SH("set -e; %s %s >/dev/null; mkdir '%s'; mount -o discard %s '%s'; "
		"cp -a %s '%s/tree'; sync; umount '%s'; mount %s '%s'; diff -r %s '%s/tree'; "
		"rm -r '%s/tree'; fstrim '%s'; umount '%s'; rmdir '%s'; %s %s",
		mkfs, node, mnt, node, mnt, tree, mnt, mnt, node, mnt, tree, mnt, mnt, mnt, mnt,
		mnt, fsck, node);
	CHECK_UINT(mdev_number(d, "io_stat", 0), 0);
	CHECK_UINT(mdev_number(d, "io_stat", 1), 0);
	remove_disk(d);
}

static const char *tree(void)
{
	return getenv("VDRIVE_SOAK") ? "/usr" : "/usr/sbin";
}

static void test_ext4(void)
{
	file_system("mkfs.ext4 -q", "e2fsck -fn", tree());
}

static void test_xfs(void)
{
	file_system("mkfs.xfs -q", "xfs_repair -n", tree());
}

/* Attributes: what they take, what they refuse, and when. */
struct attribute {
	const char *name;
	bool sized; /* for a disk that has a size */
	const char *value;
	int error;
	const char *then; /* what is read back; NULL: nothing is */
};

static const struct attribute attributes[] = {
	{ "disksize", false, "0", -EINVAL, "0" },
	{ "disksize", false, "none", -EINVAL, "0" },
	{ "disksize", false, "-1", -EINVAL, "0" },
	{ "disksize", false, "99999999999999999999", -ERANGE, "0" },
	{ "disksize", false, "1M", 0, "1048576" },
	{ "disksize", true, "2M", -EBUSY, "16777216" },
	{ "initstate", false, NULL, 0, "0" },
	{ "initstate", true, NULL, 0, "1" },
	{ "initstate", true, "0", -EACCES, "1" },
	{ "reset", true, "0", -EINVAL, NULL },
	{ "reset", true, "x", -EINVAL, NULL },
	{ "reset", false, "1", 0, NULL },
	{ "comp_algorithm", false, "lz4", 0, NULL },
	{ "comp_algorithm", false, "lzo", -EINVAL, NULL },
	{ "mem_limit", true, "4M", 0, NULL },
	{ "mem_limit", true, "0", 0, NULL },
	{ "mem_limit", true, "lots", -EINVAL, NULL },
	{ "mem_limit", true, "18446744073709551617", -ERANGE, NULL },
	{ "mem_limit", true, "16777217T", -ERANGE, NULL },
	{ "mem_used_max", true, "0", 0, NULL },
	{ "mem_used_max", true, "1", -EINVAL, NULL },
	{ "compact", true, "1", 0, NULL },
	{ "compact", false, "1", -EINVAL, NULL },
	{ "max_comp_streams", true, "2", 0, NULL },
	{ "verify", false, "1", 0, "1" },
	{ "verify", false, "0", 0, "0" },
	{ "verify", false, "2", -EINVAL, NULL },
	{ "verify", true, "1", 0, "1" },
};

static void test_attributes(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(attributes); i++) {
		const struct attribute *a = &attributes[i];
		struct mdev d = mdev_add("memdrive");
		const char *what;
		int r = 0;

		if (a->sized)
			CHECK_OK(mdev_set(d, "disksize", "16M"));
		if (a->value)
			r = mdev_set(d, a->name, "%s", a->value);
		what = check_printf("%s=%s: %s", a->name, a->value, check_errno_name(r));
		CHECK_STR(what,
			  check_printf("%s=%s: %s", a->name, a->value, check_errno_name(a->error)));
		if (a->then)
			CHECK_STR(check_printf("%s=%s", a->name, mdev_get(d, a->name)),
				  check_printf("%s=%s", a->name, a->then));
		CHECK_OK(mdev_remove(d));
	}
}

/* What the figures say of 4 MiB of noise, 4 MiB of one word, and 4 MiB that were discarded. */
static void test_statistics(void)
{
	struct mdev d = new_disk(16 * MIB);
	_cleanup_close_ int fd = open(mdev_node(d), O_RDWR | O_DIRECT);
	_cleanup_close_ int noise = open("/dev/urandom", O_RDONLY);
	_cleanup_free_ unsigned char *buf = aligned_alloc(PAGE, MIB);
	uint64_t range[2] = { 8 * MIB, 4 * MIB };
	struct mdev_mm_stat m;

	ASSERT(fd >= 0 && noise >= 0 && buf);
	for (unsigned int i = 0; i < 12; i++) {
		if (i < 4 || i >= 8)
			ASSERT_INT(read(noise, buf, MIB), MIB);
		else
			memset(buf, 0x77, MIB);
		ASSERT_INT(pwrite(fd, buf, MIB, i * MIB), MIB);
	}
	m = mdev_mm_stat(d);
	CHECK_UINT(m.orig, 12 * MIB);
	CHECK_UINT(m.same, 4 * MIB / PAGE);
	CHECK_UINT(m.huge, 8 * MIB / PAGE);
	CHECK(m.compr >= 8 * MIB && m.used >= m.compr && m.used < 9 * MIB);
	ASSERT_OK(ioctl(fd, BLKDISCARD, range));
	m = mdev_mm_stat(d);
	CHECK_UINT(m.orig, 8 * MIB);
	CHECK_UINT(m.huge, 4 * MIB / PAGE);
	CHECK(m.used >= 4 * MIB && m.used < 5 * MIB);
	CHECK(m.used_max >= 8 * MIB);
	CHECK_OK(mdev_set(d, "mem_used_max", "0"));
	CHECK(mdev_mm_stat(d).used_max < 5 * MIB);
	/* Nowhere to go beyond the limit: such writes fail, all else goes on. */
	mdev_expect_errors(true);
	CHECK_OK(mdev_set(d, "mem_limit", "5M"));
	CHECK_INT(pwrite(fd, buf, MIB, 8 * MIB), MIB);
	CHECK(pwrite(fd, buf, MIB, 9 * MIB) < (ssize_t)MIB);
	CHECK(mdev_mm_stat(d).used <= 5 * MIB);
	CHECK(mdev_number(d, "io_stat", 1) > 0);
	CHECK_INT(pread(fd, buf, MIB, 4 * MIB), MIB);
	CHECK_UINT(buf[MIB - 1], 0x77);
	mdev_expect_errors(false);
	close(VD_TAKE_FD(fd));
	remove_disk(d);
}

/* Whoever has it open keeps it: no reset, no removal. */
static void test_busy(void)
{
	struct mdev d = new_disk(4 * MIB);
	_cleanup_close_ int fd = open(mdev_node(d), O_RDONLY);

	ASSERT(fd >= 0);
	CHECK_ERRNO(mdev_set(d, "reset", "1"), -EBUSY);
	CHECK_ERRNO(mdev_try_remove(d), -EBUSY);
	CHECK(check_sh("rmmod memdrive")->status);
	CHECK_UINT(mdev_number(d, "disksize", 0), 4 * MIB);
	close(VD_TAKE_FD(fd));
	remove_disk(d);
	CHECK_ERRNO(mdev_try_remove(d), -ENODEV);
}

/* KiB that the kernel has for itself and does not give back. */
static unsigned long long kernel_memory(void)
{
	static const char *const names[] = { "SUnreclaim:", "VmallocUsed:", "Percpu:",
					     "KernelStack:" };
	const char *text = check_read_file("/proc/meminfo", NULL);
	unsigned long long sum = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		const char *at = strstr(text, names[i]);

		ASSERT(at);
		sum += strtoull(at + strlen(names[i]), NULL, 10);
	}
	return sum;
}

/* What a disk has when it gets a size goes when it loses it: a pool alone is 50 KiB without a page in it. */
static void test_reset_frees(void)
{
	enum { ROUNDS = 100 };
	struct mdev d = mdev_add("memdrive");
	unsigned long long before = 0;

	for (int i = 0; i < ROUNDS + 5; i++) {
		/* Caches fill in the first rounds. */
		if (i == 5)
			before = kernel_memory();
		ASSERT_OK(mdev_set(d, "disksize", "1M"));
		ASSERT_OK(mdev_reset(d));
	}
	CHECK(kernel_memory() < before + ROUNDS * 20);
	remove_disk(d);
}

/* It comes and goes while somebody opens it, writes and closes it, over and over. */
static void test_reset_under_io(void)
{
	int rounds = mdev_rounds(15, 1000), done = 0;
	unsigned long long before = mdev_pool_pages();
	struct mdev d = mdev_add("memdrive");
	pid_t pid = fork();

	if (!pid) {
		static unsigned char page[PAGE] __attribute__((aligned(PAGE)));
		const char *node = mdev_node(d);

		for (unsigned int i = 0;; i++) {
			int fd = open(node, O_RDWR | O_DIRECT);

			memset(page, (int)i | 1, PAGE / 2);
			for (unsigned int k = 0; fd >= 0 && k < 64; k++)
				if (pwrite(fd, page, PAGE, (off_t)(k * PAGE)) < 0)
					break;
			if (fd >= 0)
				close(fd);
		}
	}
	/* A disk without a size has no sectors: what is written to it then is nothing. */
	for (int i = 0; i < rounds * 40 && done < rounds; i++) {
		int r = mdev_set(d, "disksize", "1M");

		CHECK(!r || r == -EBUSY);
		usleep(20000);
		r = mdev_reset(d);
		CHECK(!r || r == -EBUSY);
		done += !r;
		/* The writer has it open, but without a size there is nothing to write to. */
		if (!r)
			CHECK_UINT(mdev_pool_pages(), before);
	}
	CHECK_INT(done, rounds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_disk(d);
}

/* Disks by the dozen, used and unused, sized and not. */
static void test_add_remove(void)
{
	const char *before = check_sh("ls -d /sys/block/memdrive*")->out;
	int rounds = getenv("VDRIVE_SOAK") ? 1000 : 60;

	for (int i = 0; i < rounds; i++) {
		struct mdev d = mdev_add("memdrive");
		_cleanup_close_ int fd = -1;

		if (i % 3) {
			CHECK_OK(mdev_set(d, "disksize", "%d", (i + 1) * PAGE));
			fd = open(mdev_node(d), O_WRONLY);
			CHECK_INT(write(fd, "there", 5), 5);
			CHECK_OK(close(VD_TAKE_FD(fd)));
		}
		if (i % 2)
			CHECK_OK(mdev_reset(d));
		CHECK_OK(mdev_remove(d));
	}
	CHECK_STR(check_sh("ls -d /sys/block/memdrive*")->out, before);
}

static bool swaps(struct mdev d)
{
	return strstr(check_read_file("/proc/swaps", NULL), mdev_node(d)) != NULL;
}

/* What is not to be while it is in use as swap. */
static void check_kept(struct mdev d)
{
	CHECK(swaps(d));
	CHECK_ERRNO(mdev_set(d, "reset", "1"), -EBUSY);
	CHECK_ERRNO(mdev_try_remove(d), -EBUSY);
	CHECK(check_sh("rmmod memdrive")->status);
}

/* A few pages out and in again, where a hog would take for ever: a debugging kernel. */
static void test_paged_out(void)
{
	const size_t bytes = 4 * MIB;
	struct mdev d = new_disk(8 * MIB);
	uint8_t *p;
	size_t wrong = 0;

	ASSERT(MDEV_SH("mkswap %s >/dev/null && swapon -d %s", mdev_node(d), mdev_node(d)));
	for (int round = 0; round < 3; round++) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT(p != MAP_FAILED);
		for (size_t i = 0; i < bytes; i++)
			p[i] = (uint8_t)(i / PAGE * 7 + i % 61 + (size_t)round);
		CHECK(!madvise(p, bytes, MADV_PAGEOUT));
		CHECK(mdev_mm_stat(d).orig >= bytes - MIB);
		check_kept(d);
		/* The second time it goes with what is there still. */
		if (round == 1)
			MDEV_SH("swapoff %s", mdev_node(d));
		for (size_t i = 0; i < bytes; i++)
			wrong += p[i] != (uint8_t)(i / PAGE * 7 + i % 61 + (size_t)round);
		CHECK_UINT(wrong, 0);
		munmap(p, bytes);
		if (round == 1)
			MDEV_SH("swapon -d %s", mdev_node(d));
	}
	MDEV_SH("swapoff %s", mdev_node(d));
	remove_disk(d);
}

/* Real pages out and in again. */
static void test_swap(void)
{
	uint64_t limit = (getenv("VDRIVE_SOAK") ? 300 : 8) * MIB;
	struct mdev d = new_disk(4 * limit);
	struct hog h;

	ASSERT(MDEV_SH("mkswap %s >/dev/null && swapon -d %s", mdev_node(d), mdev_node(d)));
	if (CHECK_OK(hog_start(&h, 3 * limit, limit, PATIENCE_S))) {
		check_kept(d);
		CHECK(mdev_mm_stat(d).orig >= 2 * limit - limit / 2);
		for (int i = 0; i < mdev_rounds(1, 20); i++)
			CHECK_OK(hog_check(&h, PATIENCE_S));
	}
	CHECK_OK(hog_end(&h));
	/* Its pages were freed with it: by swap's notices, and by none too many. */
	CHECK(mdev_mm_stat(d).orig < limit / 2);
	CHECK_UINT(mdev_number(d, "io_stat", 0) + mdev_number(d, "io_stat", 1), 0);
	MDEV_SH("swapoff %s", mdev_node(d));
	remove_disk(d);
}

static const struct check_test tests[] = {
	{ "random_io", test_random_io },
	{ "plain_disk", test_plain_disk },
	{ "unaligned_memory", test_unaligned_memory },
	{ "attributes", test_attributes },
	{ "statistics", test_statistics },
	{ "busy", test_busy },
	{ "add_remove", test_add_remove },
	{ "cpu_hotplug", test_cpu_hotplug },
	{ "reset_frees", test_reset_frees },
	{ "reset_under_io", test_reset_under_io },
	{ "ext4", test_ext4 },
	{ "xfs", test_xfs },
	{ "paged_out", test_paged_out },
	{ "swap", test_swap },
};

CHECK_MAIN_WITH(tests, mdev_setup, mdev_teardown)
