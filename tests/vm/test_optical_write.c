// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What people write discs with, on /dev/srN of ours: the medium holds what was written, read back through the device, from the image's file, and
 * by another reader. Only in a guest (VDRIVE_VM_SERIES), with udev. VDRIVE_SOAK: more rounds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cdrom.h"
#include "check.h"
#include "scsi.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECTOR 2048u

static const char *device;

/* Each kind, and how mkudffs calls it. */
static const struct kind {
	const char *name, *udf, *shown, *id;
} kinds[] = {
	{ "dvd-ram", "dvdram", "DVD-RAM", "ID_CDROM_MEDIA_DVD_RAM=1" },
	{ "dvd+rw", "dvdrw", "DVD+RW", "ID_CDROM_MEDIA_DVD_PLUS_RW=1" },
	{ "bd-re", "bdr", "BD-RE", "ID_CDROM_MEDIA_BD_RE=1" },
};

static void setup(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	cli_setup();
	cli_become(false);
	cdrom_start_udev(RULES);
	cdrom_make(
		"mkdir -p mnt tree/deep/er && head -c 3000000 /dev/urandom >tree/deep/er/random.dat && "
		"head -c 70001 /dev/urandom >tree/some && : >tree/empty && "
		"for i in $(seq 60); do echo $i >tree/a-rather-long-name-$i.text; done && "
		"mkdir more && head -c 500000 /dev/urandom >more/second.dat");
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++)
		cdrom_make(check_printf("vdrive create --medium %s %s.img", kinds[i].name,
					kinds[i].name));
	device = cdrom_add("writes");
	cdrom_make("udevadm settle");
}

static void teardown(void)
{
	if (getenv("VDRIVE_VM_SERIES"))
		cdrom_remove("writes");
}

/* What is mounted at mnt is the tree, and @more beside it. */
static void check_tree(const char *how, const char *more)
{
	struct check_cmd *c = cli("diff -r tree mnt 2>&1 | grep -v 'Only in mnt'; %s", more);

	if (c->out_len || c->status > 1)
		CHECK_FAIL("%s: %s%s", how, c->out, c->err);
}

static void test_identified(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		cdrom_insert("writes", check_printf("-W %s.img", k->name));
		CHECK_HAS(cli("/lib/udev/cdrom_id %s", device)->out, k->id);
		CHECK_STR(CLI_OK("vdrive list -n -r -o MEDIUM,RO writes"),
			  check_printf("%s 0\n", k->shown));
		cdrom_insert("writes", check_printf("%s.img", k->name));
		CHECK_STR(CLI_OK("vdrive list -n -r -o MEDIUM,RO writes"),
			  check_printf("%s 1\n", k->shown));
	}
}

/* A file system on the device itself, mounted to be written; then from the file, and from the device again. */
static void test_udf(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];

		cdrom_insert("writes", check_printf("-W %s.img", k->name));
		CLI_OK(check_printf("mkudffs -b 2048 -m hd -l WRITTEN %s >/dev/null 2>&1", device));
		CLI_OK(check_printf(
			"mount -t udf -o rw %s mnt && cp -a tree/. mnt/ && rm mnt/some && cp tree/some mnt/ && "
			"umount mnt && mount -t udf -o ro %s mnt",
			device, device));
		check_tree(k->name, "true");
		CLI_OK("umount mnt && vdrive eject writes");
		CLI_OK(check_printf("vdrive mount -o udf %s.img mnt", k->name));
		check_tree(k->name, "true");
		CLI_OK("vdrive umount mnt");
		/* Of a disc that is not to be written nothing can be. */
		cdrom_insert("writes", check_printf("%s.img", k->name));
		CHECK(cli("dd if=/dev/zero of=%s bs=2048 count=1 conv=fsync", device)->status != 0);
		CHECK_HAS(cli("mount -t udf -o rw %s mnt", device)->err, "mounted read-only");
		CHECK(cli("touch mnt/new")->status != 0);
		check_tree(k->name, "true");
		CLI_OK("umount mnt");
	}
}

/* An ISO image, and a second session into it. */
static void test_growisofs(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		struct check_cmd *c;

		cdrom_insert("writes", check_printf("-W %s.img", kinds[i].name));
		c = cli("growisofs -Z %s -R -J -quiet -V FIRST tree", device);
		if (c->status)
			CHECK_FAIL("%s: growisofs -Z: %s%s", kinds[i].name, c->out, c->err);
		CLI_OK(check_printf("mount -t iso9660 -o ro %s mnt", device));
		check_tree("growisofs -Z", "true");
		CLI_OK("umount mnt");
		c = cli("growisofs -M %s -R -J -quiet -V SECOND more", device);
		if (c->status)
			CHECK_FAIL("%s: growisofs -M: %s%s", kinds[i].name, c->out, c->err);
		CLI_OK(check_printf("mount -t iso9660 -o ro %s mnt", device));
		check_tree("growisofs -M", "cmp more/second.dat mnt/second.dat");
		CLI_OK("umount mnt && vdrive eject writes");
		CLI_OK(check_printf("vdrive mount -o iso9660 %s.img mnt", kinds[i].name));
		check_tree("growisofs, from the file", "cmp more/second.dat mnt/second.dat");
		CLI_OK("vdrive umount mnt");
	}
}

static void test_xorriso(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		struct check_cmd *c;

		cdrom_insert("writes", check_printf("-W %s.img", kinds[i].name));
		c = cli("xorriso -outdev %s -blank as_needed -volid XORRISO -add tree -- -commit 2>&1",
			device);
		if (c->status)
			CHECK_FAIL("%s: xorriso: %s", kinds[i].name, c->out);
		c = cli("xorriso -dev %s -map more/second.dat /second.dat -commit 2>&1", device);
		if (c->status)
			CHECK_FAIL("%s: xorriso, once more: %s", kinds[i].name, c->out);
		CLI_OK(check_printf("mount -t iso9660 -o ro %s mnt", device));
		CHECK_STR(cli("diff -r tree mnt/tree && cmp more/second.dat mnt/second.dat")->out,
			  "");
		CLI_OK("umount mnt");
		c = cli("xorriso -outdev %s -toc 2>&1", device);
		CHECK_HAS(c->out, check_printf("Media current: %s\n", kinds[i].shown));
		CHECK_HAS(c->out, "ISO session  :   2 ,");
	}
}

static void test_dvd_rw_tools(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(kinds); i++) {
		struct check_cmd *c;

		cdrom_insert("writes", check_printf("-W %s.img", kinds[i].name));
		c = cli("dvd+rw-mediainfo %s 2>&1", device);
		CHECK_HAS(c->out, kinds[i].shown);
		CHECK_HAS(c->out, "READ FORMAT CAPACITIES:");
		c = cli("dvd+rw-format -force %s 2>&1", device);
		if (c->status)
			CHECK_FAIL("%s: dvd+rw-format: %s", kinds[i].name, c->out);
	}
}

/* Blocks that say where they are, and in which round. */
static void fill(uint8_t *buf, uint32_t lba, uint32_t n, uint32_t round)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < SECTOR; k += 8) {
			vd_put_le32(buf + i * SECTOR + k, lba + i);
			vd_put_le32(buf + i * SECTOR + k + 4, round * 2654435761u + k);
		}
}

#define AREA 8192u /* sectors */
#define PIECE 64u

/* Writes pieces of the area in random order, by many at a time (the page cache), and reads all back. False: an error. */
static bool write_round(uint32_t round)
{
	static uint8_t buf[PIECE * SECTOR], got[PIECE * SECTOR];
	int fd = open(device, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0;

	for (uint32_t i = 0; ok && i < AREA / PIECE; i++) {
		const uint32_t lba = i * 37 % (AREA / PIECE) * PIECE;

		fill(buf, lba, PIECE, round);
		ok = pwrite(fd, buf, sizeof(buf), (off_t)lba * SECTOR) == (ssize_t)sizeof(buf);
	}
	ok = ok && !fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (uint32_t lba = 0; ok && lba < AREA; lba += PIECE) {
		fill(buf, lba, PIECE, round);
		ok = pread(fd, got, sizeof(got), (off_t)lba * SECTOR) == (ssize_t)sizeof(got) &&
		     !memcmp(buf, got, sizeof(buf));
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Processes of the drive are killed all the while: nothing is lost, and no write fails. */
static void test_deaths(void)
{
	const int rounds = getenv("VDRIVE_SOAK") ? 40 : 4;
	pid_t killer;

	cdrom_insert("writes", "-W dvd-ram.img");
	killer = fork();
	if (!killer) {
		/* Keepers and readers in turn, not so often that the drive is given up. */
		for (int i = 0;; i++) {
			sleep(4);
			cli(i % 2 ? "kill -9 $(vdrive list -n -o PID writes)"
				  : "pkill -9 -P $(vdrive list -n -o PID writes)");
		}
	}
	for (int i = 0; i < rounds; i++)
		CHECK(write_round((uint32_t)i + 1));
	kill(killer, SIGKILL);
	waitpid(killer, NULL, 0);
}

/* No room for what is written: an error for whoever writes, and what was written before is there. */
static void test_full(void)
{
	struct check_cmd *c;

	CLI_OK("mkdir small && mount -t tmpfs -o size=2M none small && vdrive create -m dvd+rw small/full.img");
	cdrom_insert("writes", "-W small/full.img");
	CLI_OK(check_printf(
		"dd if=tree/deep/er/random.dat of=%s bs=2048 count=400 conv=fsync 2>/dev/null",
		device));
	c = cli("dd if=/dev/urandom of=%s bs=64k count=100 seek=100 conv=fsync", device);
	CHECK(c->status != 0);
	CHECK_HAS(c->err, "Input/output error");
	CLI_OK(check_printf(
		"blockdev --flushbufs %s; head -c 819200 tree/deep/er/random.dat >a; head -c 819200 %s | cmp - a",
		device, device));
	CLI_OK("vdrive eject writes && umount small && rmdir small && rm a");
}

static void test_refused(void)
{
	CLI_OK("vdrive eject --force writes");
	CLI_OK("head -c 1000000 /dev/zero >plain.img; genisoimage -quiet -o plain.iso more");
	CLI_FAILS("vdrive insert -W plain.iso writes", 1, "not a medium that can be written");
	CLI_FAILS("vdrive insert -W plain.img writes", 1, "plain.img");
	CLI_OK("cp --sparse=always dvd+rw.img damaged.img && printf x | dd of=damaged.img bs=1 seek=$(($(stat -c %s damaged.img) - 490)) conv=notrunc 2>/dev/null");
	CLI_FAILS("vdrive insert damaged.img writes", 1, "damaged: the checksum");
	CLI_FAILS("vdrive create -m dvd-ram dvd-ram.img", 1, "dvd-ram.img: File exists");
	CLI_FAILS("vdrive create -m floppy x.img", 2, "unknown kind of medium: floppy");
	/* One writer, or many readers. */
	CLI_OK("vdrive insert -W dvd-ram.img writes");
	CLI_FAILS("vdrive mount dvd-ram.img mnt", 32, "drive writes may write to it");
	CLI_OK("vdrive eject writes && vdrive mount --name reads bd-re.img mnt");
	CLI_FAILS("vdrive insert -W bd-re.img writes", 1, "drive reads reads it");
	CLI_OK("vdrive umount mnt && rm plain.img plain.iso damaged.img");
}

static const struct check_test tests[] = {
	{ "identified", test_identified },
	{ "udf", test_udf },
	{ "growisofs", test_growisofs },
	{ "xorriso", test_xorriso },
	{ "dvd_rw_tools", test_dvd_rw_tools },
	{ "deaths", test_deaths },
	{ "full", test_full },
	{ "refused", test_refused },
};

CHECK_MAIN_WITH(tests, setup, teardown)
