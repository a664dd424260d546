// SPDX-License-Identifier: GPL-3.0-or-later
/* Virtual disks as block devices: partitions, file systems on them, and nothing left of them. As root. */
#include "cli.h"
#include "memory_drives.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/endian.h"

#define MIB (1u << 20)
#define BLOCK 512u

static bool may_run;

static void setup(void)
{
	cli_setup();
	may_run = !geteuid() && !access("/dev/loop-control", R_OK | W_OK);
	cli_become(false);
	CLI_OK("mkdir -p mnt other; echo text >text.txt");
}

#define NEED_LOOP()                                                                                \
	if (!may_run)                                                                              \
	CHECK_SKIP("needs root and loop devices")

/* A disk of 64 MiB with an MBR: @n partitions of 16 MiB from 1 MiB on. */
static void make_disk(const char *name, int n)
{
	_cleanup_free_ uint8_t *mbr = calloc(1, BLOCK);

	for (int i = 0; i < n; i++) {
		uint8_t *p = mbr + 446 + 16 * i;

		p[4] = 0x83;
		vd_put_le32(p + 8, (1 + 16u * (unsigned)i) * MIB / BLOCK);
		vd_put_le32(p + 12, 16 * MIB / BLOCK);
	}
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	CLI_OK(check_printf("rm -f %s && truncate -s 64M %s", name, name));
	if (!n)
		return;
	_cleanup_close_ int fd = open(cli_path(name), O_WRONLY);

	ASSERT(fd >= 0 && pwrite(fd, mbr, BLOCK, 0) == BLOCK);
}

static const char *device_of(const char *drive)
{
	return md_column(drive, "DEVICE");
}

/* One that has no partitions: a file system on all of it. */
static void test_whole(void)
{
	const char *device;

	NEED_LOOP();
	make_disk("whole.img", 0);
	device = CLI_OK("vdrive attach --block -n whole whole.img");
	CHECK_STR(device, check_printf("%s\n", device_of("whole")));
	device = device_of("whole");
	CHECK_STR(CLI_OK(check_printf(
			  "cd /sys/class/block/%s && cat queue/logical_block_size size ro",
			  device + 5)),
		  "512\n131072\n0\n");
	CLI_OK(check_printf("mkfs.ext4 -q %s && mount %s mnt && cp text.txt mnt/", device, device));
	CLI_FAILS("vdrive detach whole", 1, "busy");
	CHECK_STR(md_column("whole", "STATE"), "live");
	CLI_OK("umount mnt && vdrive detach whole");
	MD_CLEAN();
	/* Once more, by one command; and not to be written. */
	CHECK_HAS(CLI_OK("vdrive attach --mount mnt whole.img"), "as drive whole");
	CHECK_STR(CLI_OK("cat mnt/text.txt && echo more >mnt/new"), "text\n");
	CHECK_STR(md_column("whole", "MOUNTPOINT"), cli_path("mnt"));
	CHECK_HAS(check_read_file("/proc/self/mountinfo", NULL), "nosuid,nodev");
	CLI_OK("vdrive detach mnt");
	MD_CLEAN();
	CLI_OK("vdrive attach -r --mount mnt whole.img >/dev/null");
	CHECK_STR(CLI_OK("cat mnt/new"), "more\n");
	CHECK(cli("echo x >mnt/x")->status != 0);
	CHECK_STR(CLI_OK(check_printf("cat /sys/class/block/%s/ro", device_of("whole") + 5)),
		  "1\n");
	/* Somebody works there. */
	CLI_FAILS("cd mnt && vdrive detach whole", 1, "busy");
	CLI_OK("cd mnt && vdrive detach --lazy whole");
	for (int i = 0; i < 50 && cli("losetup -a | grep -q whole")->status == 0; i++)
		usleep(100000);
	MD_CLEAN();
}

/* The device has the mount of a reader: without that there is nothing left of it, and the drive goes. */
static void test_reader_dies(void)
{
	NEED_LOOP();
	make_disk("dies.img", 0);
	CLI_OK("vdrive attach --block -n dies dies.img >/dev/null");
	CLI_OK("kill -9 $(vdrive set dies reader_pid)");
	for (int i = 0; i < 100 && *CLI_OK("vdrive list -n -o NAME"); i++)
		usleep(100000);
	MD_CLEAN();
	CLI_OK("vdrive attach --block -n dies dies.img >/dev/null && vdrive detach dies");
	MD_CLEAN();
}

static void test_partitions(void)
{
	const char *device;

	NEED_LOOP();
	make_disk("parts.img", 2);
	CLI_OK("vdrive attach --block -n parts parts.img >/dev/null");
	device = device_of("parts");
	if (access(check_printf("%sp1", device), F_OK) && !getenv("VDRIVE_VM_SERIES")) {
		CLI_OK("vdrive detach parts");
		MD_CLEAN();
		CHECK_SKIP("this kernel knows no partition tables");
	}
	CHECK_STR(CLI_OK(check_printf("cd /sys/class/block && cat %sp1/start %sp2/start %sp2/size",
				      device + 5, device + 5, device + 5)),
		  "2048\n34816\n32768\n");
	CHECK(access(check_printf("%sp3", device), F_OK));
	CLI_OK(check_printf(
		"mkfs.ext4 -q %sp2 && mount %sp2 mnt && echo two >mnt/two && umount mnt", device,
		device));
	CLI_OK("vdrive detach parts");
	MD_CLEAN();
	/* The only one that has a file system. */
	CHECK_HAS(CLI_OK("vdrive attach --mount mnt parts.img"), "as drive parts");
	CHECK_STR(CLI_OK("cat mnt/two"), "two\n");
	CHECK(access(check_printf("%sp2", device_of("parts")), F_OK) == 0);
	CLI_OK("vdrive detach parts");
	MD_CLEAN();
	/* Two of them. */
	CLI_OK("vdrive attach --block -n parts parts.img >/dev/null");
	CLI_OK(check_printf("mkfs.ext2 -q %sp1; vdrive detach parts", device_of("parts")));
	CLI_FAILS(
		"vdrive attach --mount mnt parts.img", 1,
		"there are file systems on partitions 1 (ext2), 2 (ext4): --partition says which");
	MD_CLEAN();
	CLI_FAILS("vdrive attach --mount mnt --partition 3 parts.img", 1,
		  "the disk has no partition 3");
	MD_CLEAN();
	CLI_OK("vdrive attach --mount mnt --partition 2 parts.img >/dev/null");
	CHECK_STR(CLI_OK("cat mnt/two"), "two\n");
	CLI_OK("vdrive detach parts && vdrive attach -r --mount mnt --partition 2 parts.img >/dev/null");
	/* Its keeper dies: what is left is cleared away. */
	CLI_OK("kill -9 $(vdrive set parts pid); sleep 0.3");
	CHECK_STR(md_column("parts", "STATE"), "dead");
	CLI_OK("vdrive detach parts");
	MD_CLEAN();
	CHECK_STR(CLI_OK("ls -A mnt"), "");
}

static void test_refused(void)
{
	NEED_LOOP();
	make_disk("none.img", 1);
	CLI_FAILS("vdrive attach --mount mnt none.img", 1,
		  "there is no file system on the disk to mount");
	MD_CLEAN();
	CLI_FAILS("vdrive attach --mount nosuch none.img", 1, "nosuch: No such file or directory");
	CLI_FAILS("vdrive attach --mount text.txt none.img", 1, "text.txt: Not a directory");
	CLI_FAILS("vdrive attach --partition 1 none.img", 2, "--partition goes with --mount");
	CLI_FAILS("vdrive attach --mount mnt --partition 0 none.img", 2, "not a partition: 0");
	CLI_FAILS("vdrive attach --mount mnt --partition x none.img", 2, "not a partition: x");
	MD_CLEAN();
	if (!cli_become(true))
		return;
	CLI_OK("truncate -s 1M mine.img");
	CLI_FAILS("vdrive attach --block mine.img", 1,
		  "mine.img: a block device needs root (without --block, a file serves)");
	cli_become(false);
	MD_CLEAN();
}

/* A file system that is not what it says. */
static void test_damaged(void)
{
	NEED_LOOP();
	make_disk("bad.img", 0);
	CLI_OK("vdrive attach --block -n bad bad.img >/dev/null");
	CLI_OK(check_printf("mkfs.ext4 -q %s; vdrive detach bad", device_of("bad")));
	CLI_OK("dd if=/dev/urandom of=bad.img bs=1k seek=2 count=64 conv=notrunc 2>/dev/null");
	CLI_FAILS("vdrive attach --mount mnt bad.img", 1, "mount failed: ");
	MD_CLEAN();
}

static const struct check_test tests[] = {
	{ "whole", test_whole },	   { "reader_dies", test_reader_dies },
	{ "partitions", test_partitions }, { "refused", test_refused },
	{ "damaged", test_damaged },
};

CHECK_MAIN_WITH(tests, setup, cli_remove)
