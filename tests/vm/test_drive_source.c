// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Discs in drives: what the kernel, libcdio and the cage have their share in. Only in a guest with the drives of vm.sh (VDRIVE_VM_SERIES).
 * The same disc as the kernel's block layer reads it says what is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fuse/cli.h"
#include "util/cleanup.h"

static const char *atapi, *scsi, *bad, *empty;

static char *drive_called(const char *revision)
{
	char *name = check_sh("cd /sys/block; grep -lw %s sr*/device/rev | cut -d / -f 1", revision)
			     ->out;

	name[strcspn(name, "\n")] = '\0';
	ASSERT(*name);
	return check_printf("/dev/%s", name);
}

static void setup(void)
{
	struct check_cmd *c;

	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	cli_setup();
	cli_become(false);
	atapi = drive_called("full");
	scsi = drive_called("user");
	bad = drive_called("bad");
	empty = drive_called("none");
	c = cli("dd if=%s of=disc.iso bs=2048 status=none", scsi);
	ASSERT_STR(c->err, "");
}

static void teardown(void)
{
	if (getenv("VDRIVE_VM_SERIES"))
		cli_remove();
}

static void test_info(void)
{
	for (int i = 0; i < 2; i++) {
		const char *drive = i ? scsi : atapi, *out;

		out = CLI_OK(check_printf("vdrive info %s", drive));
		CHECK_HAS(out, "drive (a disc in a drive)");
		CHECK_HAS(out, "VDRIVE_CD");
		out = CLI_OK(check_printf("vdrive info --json %s", drive));
		CHECK(cli_json_valid(out));
		CHECK_HAS(out, "\"format\": \"drive\"");
	}
}

/* The same bytes as through the block layer; in every format that is written, and read again. */
static void test_convert(void)
{
	for (int i = 0; i < 2; i++) {
		const char *drive = i ? scsi : atapi;

		CLI_OK(check_printf(
			"vdrive convert -q %s out.iso && cmp out.iso disc.iso && rm out.iso",
			drive));
		CLI_OK(check_printf(
			"vdrive convert -q %s out.cue && vdrive convert -q out.cue out.iso && "
			"cmp out.iso disc.iso && rm out.iso out.cue out.bin",
			drive));
	}
	CLI_OK(check_printf(
		"vdrive convert -q %s out.toc && vdrive verify -q out.toc && rm out.toc out.bin",
		atapi));
	CLI_OK(check_printf("vdrive convert -q %s out.chd && vdrive convert -q out.chd out.iso && "
			    "cmp out.iso disc.iso && rm out.iso out.chd",
			    atapi));
}

static void test_verify(void)
{
	CHECK_HAS(CLI_OK(check_printf("vdrive verify %s", atapi)), " 0 wrong");
	CHECK_HAS(CLI_OK(check_printf("vdrive verify %s", scsi)), " 0 wrong");
}

/* Does the drive do it? Nobody else has it open for that: only the last one to close it lets the tray go. */
static bool tray(const char *drive, unsigned long what)
{
	_cleanup_close_ int fd = open(drive, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT(fd >= 0);
	return !ioctl(fd, what);
}

static void test_mount(void)
{
	for (int i = 0; i < 2; i++) {
		const char *drive = i ? scsi : atapi;

		CLI_OK(check_printf("mkdir mnt && vdrive mount %s mnt", drive));
		CHECK_STR(CLI_OK("cat mnt/hello.txt"), "a file on the disc\n");
		CLI_OK("mkdir loop && mount -o ro,loop disc.iso loop && cmp mnt/random.dat loop/random.dat");
		/* The tray stays shut as long as the disc is shown. */
		CHECK(!tray(drive, CDROMEJECT));
		CLI_OK("umount loop && vdrive umount mnt && rmdir mnt loop");
		CHECK(tray(drive, CDROMEJECT));
		CLI_FAILS(check_printf("vdrive info %s", drive), 1,
			  check_printf("%s: the tray of the drive is open", drive));
		CHECK(tray(drive, CDROMCLOSETRAY));
		CLI_OK(check_printf("vdrive info %s >info && rm info", drive));
	}
	CLI_CLEAN();
}

static int send(int fd, uint8_t op, uint8_t fourth)
{
	uint8_t cdb[6] = { op, 0, 0, 0, fourth }, sense[32];
	struct sg_io_hdr h = { .interface_id = 'S',
			       .dxfer_direction = SG_DXFER_NONE,
			       .cmd_len = sizeof(cdb),
			       .mx_sb_len = sizeof(sense),
			       .cmdp = cdb,
			       .sbp = sense,
			       .timeout = 10000 };

	return ioctl(fd, SG_IO, &h) ? -errno : h.status ? -EIO : 0;
}

/* Taken out by force, as with a pin. What is put in then is not what was mounted, even if it is. */
static void test_taken_out(void)
{
	int fd = open(atapi, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fd = open(atapi, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	CLI_OK(check_printf("mkdir mnt && vdrive mount %s mnt && cat mnt/hello.txt >hello", atapi));
	CHECK_OK(send(fd, 0x1e, 0));
	CHECK_OK(send(fd, 0x1b, 2));
	CHECK_HAS(cli("cat mnt/random.dat >random")->err, "Input/output error");
	CHECK_OK(send(fd, 0x1b, 3));
	CHECK_HAS(cli("cat mnt/random.dat >random")->err, "Input/output error");
	close(fd);
	CLI_OK("vdrive umount mnt");
	CLI_OK(check_printf(
		"vdrive mount %s mnt && cat mnt/random.dat >random && vdrive umount mnt && "
		"rmdir mnt && rm random hello",
		atapi));
	CLI_CLEAN();
}

static void test_empty(void)
{
	const char *words = check_printf("%s: there is no disc in the drive", empty);

	CLI_FAILS(check_printf("vdrive info %s", empty), 1, words);
	CLI_FAILS(check_printf("vdrive verify -q %s", empty), 1, words);
	CLI_FAILS(check_printf("vdrive convert -q %s out.iso", empty), 1, words);
	CLI_FAILS(check_printf("mkdir mnt; vdrive mount %s mnt", empty), 32, words);
	CLI_OK("rmdir mnt");
	CHECK_STR(CLI_OK("ls -A"), "disc.iso\n");
	CLI_CLEAN();
}

/* QEMU's error is not a medium's, so that the drive has other words for it. */
static void test_bad_sector(void)
{
	struct check_cmd *c;

	CLI_FAILS(check_printf("vdrive convert -q %s out.iso", bad), 1,
		  check_printf("%s: cannot read sector 300: ", bad));
	CHECK_STR(CLI_OK("ls -A"), "disc.iso\n");
	c = cli("vdrive verify %s", bad);
	CHECK_INT(c->status, 4);
	CHECK_HAS(c->out, " 1 wrong\n");
	CHECK_HAS(c->out, "    1 300       1 unreadable\n");
}

/* Whoever may read the drive may have the disc: nothing is asked of root. */
static void test_as_user(void)
{
	if (!cli_become(true))
		return;
	CLI_FAILS(check_printf("vdrive info %s", atapi), 1,
		  check_printf("%s: Permission denied: drives are for the members of their group",
			       atapi));
	ASSERT_OK(chmod(atapi, 0644));
	CLI_OK(check_printf(
		"vdrive convert -q %s out.iso && vdrive convert -q %s out.cue && rm out.*", atapi,
		atapi));
	CLI_OK(check_printf("mkdir mnt && vdrive mount %s mnt && cat mnt/hello.txt >hello && "
			    "vdrive umount mnt && rmdir mnt && rm hello",
			    atapi));
	CLI_CLEAN();
	CHECK_OK(chmod(atapi, 0600));
	cli_become(false);
}

static const struct check_test tests[] = {
	{ "info", test_info },
	{ "convert", test_convert },
	{ "verify", test_verify },
	{ "mount", test_mount },
	{ "taken_out", test_taken_out },
	{ "empty", test_empty },
	{ "bad_sector", test_bad_sector },
	{ "as_user", test_as_user },
};

CHECK_MAIN_WITH(tests, setup, teardown)
