// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Media that can be written, each as `vdrive create` makes it: their file, what each writing command does and refuses, and what the drive
 * says of them. Sections are those of MMC-6 unless another standard is named.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disc_fixture.h"
#include "images/medium.h"
#include "mmc_run.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECTOR 2048u

static char *path_of(const struct vd_medium_kind *k)
{
	return check_printf("%s/%s.img", check_tmpdir(), k->name);
}

static char *make_medium(const struct vd_medium_kind *k)
{
	char *path = path_of(k);
	struct vd_error err;
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ASSERT(fd >= 0);
	ASSERT_OK(vd_medium_create(fd, k, &err));
	close(fd);
	return path;
}

/* As the reader of a drive opens it. */
static int open_medium(const char *path, int flags, struct vd_disc **out, struct vd_error *err)
{
	int fd = open(path, flags);

	ASSERT(fd >= 0);
	return vd_image_open(NULL, fd, "medium", out, NULL, err);
}

static struct vd_disc *new_medium(const struct vd_medium_kind *k, int flags)
{
	struct vd_disc *d = NULL;
	struct vd_error err = { "" };

	if (open_medium(make_medium(k), flags, &d, &err))
		ASSERT_FAIL("%s: %s", k->name, err.text);
	return d;
}

static const struct vd_medium_kind *kind_of(enum vd_media media)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++)
		if (k->media == media)
			return k;
	ASSERT_FAIL("no such kind");
	return NULL;
}

/* The file: sparse, an ISO image to others, and nothing else is taken for one. */
static void test_file(void)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++) {
		const char *path = make_medium(k);
		const off_t end = (off_t)(k->sectors + 1) * SECTOR;
		const struct vd_image_format *format;
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		struct vd_error err;
		struct stat st;
		uint8_t byte;
		int fd;

		CHECK(!stat(path, &st));
		CHECK_INT(st.st_size, end);
		CHECK(st.st_blocks <= 64);
		fd = open(path, O_RDWR);
		ASSERT_OK(vd_image_open(NULL, fd, "x.iso", &d, &format, &err));
		CHECK_STR(format->name, "medium");
		CHECK_INT(d->media, k->media);
		CHECK(d->recordable);
		CHECK_UINT(vd_disc_size(d), (uint64_t)k->sectors * SECTOR);
		/* Each byte of the record counts. */
		for (off_t at = 0; at < 512; at += at < 32 ? 1 : 61) {
			_cleanup_(vd_cleanup_disc) struct vd_disc *damaged = NULL;

			fd = open(path, O_RDWR);
			ASSERT(pread(fd, &byte, 1, end - 512 + at) == 1);
			byte ^= 0x20;
			ASSERT(pwrite(fd, &byte, 1, end - 512 + at) == 1);
			close(fd);
			CHECK(open_medium(path, O_RDWR, &damaged, &err) < 0);
			if (at >= 16)
				CHECK_HAS(err.text, "damaged: the checksum");
			fd = open(path, O_RDWR);
			byte ^= 0x20;
			ASSERT(pwrite(fd, &byte, 1, end - 512 + at) == 1);
			close(fd);
		}
		/* Longer or shorter by a sector: another file. */
		ASSERT(!truncate(path, end - SECTOR));
		vd_disc_close(VD_TAKE_PTR(d));
		CHECK(open_medium(path, O_RDWR, &d, &err) < 0);
		unlink(path);
	}
}

static struct mmc_run *drive;
static struct vd_disc *disc;
static uint8_t out[64 * SECTOR];

static void begin(enum vd_media media, int flags)
{
	disc = new_medium(kind_of(media), flags);
	drive = mmc_run_new(disc);
}

static void end(void)
{
	vd_disc_close(VD_TAKE_PTR(disc));
}

static void fill(uint32_t seed)
{
	for (size_t i = 0; i < sizeof(out); i += 4)
		vd_put_le32(out + i, seed * 2654435761u + (uint32_t)i);
}

/* Writes, and reads the same with READ(10), from the user data view, and from the file. */
static void check_written(const char *cdb, uint32_t lba, uint32_t n)
{
	_cleanup_free_ uint8_t *got = malloc((size_t)n * SECTOR);
	const size_t len = (size_t)n * SECTOR;

	if (mmc_do_out(drive, cdb, out, len)) {
		CHECK_FAIL("%s fails", cdb);
		return;
	}
	CHECK_UINT(drive->reply.len, 0);
	CHECK_INT(vd_mmc_position(&drive->mmc, drive->now), (int32_t)(lba + n - (n > 0)));
	if (!n)
		return;
	CHECK_UINT(mmc_do(drive, check_printf("28 00 %08x 00 %04x 00", lba, n)), GOOD);
	CHECK_MEM(drive->buf, out, len);
	CHECK_OK(vd_disc_pread(disc, got, len, (uint64_t)lba * SECTOR));
	CHECK_MEM(got, out, len);
}

static void test_write(void)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++) {
		const uint32_t last = k->sectors - 1;
		uint8_t sector[SECTOR];
		int fd;

		begin(k->media, O_RDWR);
		/* Never written: zeros. */
		CHECK_UINT(mmc_do(drive, check_printf("28 00 %08x 00 0001 00", last)), GOOD);
		CHECK(!drive->buf[0] && !memcmp(drive->buf, drive->buf + 1, SECTOR - 1));
		fill(1);
		check_written("2a 00 00000000 00 0001 00", 0, 1);
		check_written("2a 00 00000005 00 0040 00", 5, 64);
		fill(2);
		check_written("2a 00 00000010 00 0003 00", 16, 3);
		check_written("2a 08 00000020 00 0003 00", 32, 3); /* FUA */
		check_written(check_printf("2a 00 %08x 00 0001 00", last), last, 1);
		check_written("aa 00 00001000 00000010 00 00", 4096, 16);
		check_written("aa 08 00001000 00000001 00 00", 4096, 1);
		check_written("aa 00 00001100 00000010 80 00", 4352, 16); /* streaming */
		check_written("2e 00 00000100 00 0040 00", 256, 64);
		check_written("2a 00 00000100 00 0000 00", 256, 0); /* nothing */
		CHECK_UINT(mmc_do(drive, "35 00 00000000 00 0000 00"), GOOD);
		CHECK_UINT(mmc_do(drive, "35 02 00000000 00 0000 00"), GOOD); /* IMMED */
		CHECK_UINT(mmc_do(drive, "5b 00 01 00 00 00 00 00 00 00"), GOOD);
		end();
		fd = open(path_of(k), O_RDONLY);
		CHECK(pread(fd, sector, SECTOR, 256 * SECTOR) == SECTOR);
		CHECK_MEM(sector, out, SECTOR);
		close(fd);
		/* It is a medium still, with what was written. */
		CHECK_OK(open_medium(path_of(k), O_RDWR, &disc, NULL));
		CHECK_OK(vd_disc_pread(disc, sector, SECTOR, (uint64_t)last * SECTOR));
		CHECK_MEM(sector, out, SECTOR);
		end();
	}
}

/* A command with as many sectors of data as it says. */
static void refused(const char *what, const char *cdb, size_t sectors, uint32_t sense)
{
	const uint32_t got = mmc_do_out(drive, cdb, out, sectors * SECTOR);

	if (got != sense)
		CHECK_FAIL("%s (%s): %06x, not %06x", what, cdb, got, sense);
}

static void test_refused(void)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++) {
		const uint32_t size = k->sectors;

		begin(k->media, O_RDWR);
		fill(3);
		for (const char *const *op = (const char *const[]){ "2a", "2e", NULL }; *op; op++) {
			refused("beyond the end", check_printf("%s 00 %08x 00 0001 00", *op, size),
				1, 0x052100);
			refused("over the end",
				check_printf("%s 00 %08x 00 0002 00", *op, size - 1), 2, 0x052100);
			refused("far away", check_printf("%s 00 ffffffff 00 0001 00", *op), 1,
				0x052100);
			refused("nothing at the end",
				check_printf("%s 00 %08x 00 0000 00", *op, size), 0, 0x052100);
			refused("RELADR", check_printf("%s 01 00000000 00 0001 00", *op), 1,
				0x052400);
			refused("more than came", check_printf("%s 00 00000000 00 0003 00", *op), 2,
				0x052400);
			refused("no data", check_printf("%s 00 00000000 00 0001 00", *op), 0,
				0x052400);
		}
		refused("BYTCHK", "2e 02 00000000 00 0001 00", 1, 0x052400);
		refused("beyond the end", check_printf("aa 00 %08x 00000001 00 00", size), 1,
			0x052100);
		refused("all there is", "aa 00 00000000 ffffffff 00 00", 1, 0x052100);
		refused("over 2^32", "aa 00 00000010 fffffff8 00 00", 1, 0x052100);
		refused("more than came", "aa 00 00000000 00000002 00 00", 1, 0x052400);
		refused("RELADR", "aa 01 00000000 00000001 00 00", 1, 0x052400);
		refused("RELADR", "35 01 00000000 00 0000 00", 0, 0x052400);
		/* None of them has written anything. */
		CHECK_UINT(mmc_do(drive, "28 00 00000000 00 0001 00"), GOOD);
		CHECK(!drive->buf[0] && !memcmp(drive->buf, drive->buf + 1, SECTOR - 1));
		end();
	}
}

/* The same media, not to be written: as every disc that is not one of these. */
static void test_protected(void)
{
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++) {
		begin(k->media, O_RDONLY);
		CHECK(!disc->recordable);
		refused("WRITE(10)", "2a 00 00000000 00 0001 00", 1, 0x072700);
		refused("WRITE(12)", "aa 00 00000000 00000001 00 00", 1, 0x072700);
		refused("WRITE AND VERIFY", "2e 00 00000000 00 0001 00", 1, 0x072700);
		refused("nothing", "2a 00 00000000 00 0000 00", 0, 0x072700);
		refused("CLOSE", "5b 00 01 00 00 00 00 00 00 00", 0, 0x072700);
		CHECK_UINT(mmc_do_out(drive, "04 11 00 00 00 00", out, 12), 0x072700);
		CHECK_UINT(mmc_do(drive, "35 00 00000000 00 0000 00"), GOOD);
		CHECK_UINT(mmc_do(drive, "51 00 00 00 00 00 00 0003 00"), GOOD);
		CHECK_UINT(drive->buf[2], 0x0e); /* not erasable: Linux would write */
		CHECK_UINT(mmc_do(drive, "46 02 0020 00 00 00 0018 00"), GOOD);
		CHECK_UINT(drive->buf[10] & 1, 0);
		CHECK_ERRNO(vd_disc_pwrite(disc, out, SECTOR, 0), -EROFS);
		end();
	}
	begin(VD_MEDIA_DVD_RAM, O_RDWR);
	CHECK_OK(vd_mmc_eject(&drive->mmc, true));
	drive->disc = NULL;
	refused("no medium", "2a 00 00000000 00 0001 00", 1, 0x023a02);
	refused("no medium", "aa 00 00000000 00000001 00 00", 1, 0x023a02);
	refused("no medium", "5b 00 01 00 00 00 00 00 00 00", 0, 0x023a02);
	CHECK_UINT(mmc_do_out(drive, "04 11 00 00 00 00", out, 12), 0x023a02);
	CHECK_UINT(mmc_do(drive, "23 00 00 00 00 00 00 00fc 00"), GOOD);
	CHECK_UINT(drive->reply.len, 12);
	CHECK_UINT(drive->buf[8], 3); /* no medium */
	end();
}

/* What the drive says of each. */
static void test_dvd_ram(void)
{
	static const struct mmc_case cases[] = {
		{ "6.21: erasable, other", "51 00 00 00 00 00 00 ffff 00", GOOD, 34,
		  "0020 1f 01 01 01 01 20 ff" },
		{ "6.26: all of it", "52 01 00000001 00 ffff 00", GOOD, 48,
		  "002e 01 01 00 04 01 00 00000000 00000000 00000000 00000000 00222120" },
		{ "6.5: random writable", "46 02 0020 00 00 00 ffff 00", GOOD, 24,
		  "00000014 0000 0012 0020 05 0c 0022211f 00000800 0010 01 00" },
		{ "formattable", "46 02 0023 00 00 00 ffff 00", GOOD, 20,
		  "00000010 0000 0012 0023 05 08 00000000 00000000" },
		{ "defect management", "46 02 0024 00 00 00 ffff 00", GOOD, 16,
		  "0000000c 0000 0012 0024 05 04 00000000" },
		{ "speeds of writing", "46 02 0107 00 00 00 ffff 00", GOOD, 16,
		  "0000000c 0000 0012 0107 11 04 0a000000" },
		{ "6.23", "23 00 00 00 00 00 00 00fc 00", GOOD, 28,
		  "00 00 00 18 00222120 02 000800 00222120 00 000800 00222120 04 000000" },
		{ "cut", "23 00 00 00 00 00 00 000c 00", GOOD, 12,
		  "00 00 00 18 00222120 02 000800" },
		{ "6.17", "5c 00 00 00 00 00 00 000c 00", GOOD, 12,
		  "000a 00 00 00080000 00080000" },
		{ "in blocks", "5c 01 00 00 00 00 00 000c 00", GOOD, 12,
		  "000a 00 01 00000100 00000100" },
		{ "6.7: write speed", "ac 00 00000000 00 00 0001 03 00", GOOD, 24,
		  "00000014 00 000000 02 000000 0022211f 00002113 00002113" },
		{ "none asked for", "ac 00 00000000 00 00 0000 03 00", GOOD, 8, "00000004" },
		{ "6.18", "25 00 00000000 00 00 00 00", GOOD, 8, "0022211f 00000800" },
		{ "6.22", "ad 00 00000000 00 00 0014 00 00", GOOD, 20,
		  "0802 0000 11 02 04 00 00031000 0025311f" },
	};

	begin(VD_MEDIA_DVD_RAM, O_RDWR);
	MMC_CASES(drive, cases);
	end();
}

static void test_dvd_plus_rw(void)
{
	static const struct mmc_case cases[] = {
		{ "complete", "51 00 00 00 00 00 00 ffff 00", GOOD, 34,
		  "0020 1e 01 01 01 01 20 ff" },
		{ "DVD+RW, and writes", "46 02 002a 00 00 00 ffff 00", GOOD, 16,
		  "0000000c 0000 001a 002a 01 04 01000000" },
		{ "random writable", "46 02 0020 00 00 00 ffff 00", GOOD, 24,
		  "00000014 0000 001a 0020 05 0c 0023053f 00000800 0010 01 00" },
		{ "no defect management", "46 02 0024 00 00 00 ffff 00", GOOD, 16,
		  "0000000c 0000 001a 0024 04 04 00000000" },
		{ "6.23", "23 00 00 00 00 00 00 00fc 00", GOOD, 28,
		  "00 00 00 18 00230540 02 000800 00230540 98 000000 00230540 00 000800" },
	};

	begin(VD_MEDIA_DVD_PLUS_RW, O_RDWR);
	MMC_CASES(drive, cases);
	end();
}

static void test_bd_re(void)
{
	static const struct mmc_case cases[] = {
		{ "complete", "51 00 00 00 00 00 00 ffff 00", GOOD, 34,
		  "0020 1e 01 01 01 01 20 ff" },
		{ "BD write: RE", "46 02 0041 00 00 00 ffff 00", GOOD, 32,
		  "0000001c 0000 0043 0041 01 14 00000000 0007 0007 0007 0007" },
		{ "random writable", "46 02 0020 00 00 00 ffff 00", GOOD, 24,
		  "00000014 0000 0043 0020 05 0c 00b473ff 00000800 0020 01 00" },
		{ "defect management", "46 02 0024 00 00 00 ffff 00", GOOD, 16,
		  "0000000c 0000 0043 0024 05 04 00000000" },
		{ "6.23", "23 00 00 00 00 00 00 00fc 00", GOOD, 36,
		  "00 00 00 20 00b47400 02 000800 00b47400 00 000800 00b47400 c0 000000"
		  " 00b47400 c4 000000" },
	};

	begin(VD_MEDIA_BD_RE, O_RDWR);
	MMC_CASES(drive, cases);
	end();
}

/* 6.4: as dvd+rw-format and libburn send it, and not. */
static void test_format(void)
{
	static const struct {
		const char *what, *cdb;
		uint8_t list[12];
		size_t len;
		uint32_t dvd_ram, dvd_plus_rw, bd_re;
	} cases[] = {
		{ "full",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0xff, 0xff, 0xff, 0xff, 0x00 },
		  12,
		  0,
		  0,
		  0 },
		{ "some",
		  "04 11 00 00 00 00",
		  { 0, 0, 0, 8, 0, 0x20, 0, 0, 0x00, 0, 8 },
		  12,
		  0,
		  0,
		  0 },
		{ "more than there is",
		  "04 11 00 00 00 00",
		  { 0, 0, 0, 8, 0x01, 0, 0, 0, 0x00 },
		  12,
		  0x052600,
		  0x052600,
		  0x052600 },
		{ "DVD+RW",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0xff, 0xff, 0xff, 0xff, 0x98 },
		  12,
		  0x052600,
		  0,
		  0x052600 },
		{ "spare",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0, 0, 0, 0, 0x04 },
		  12,
		  0,
		  0x052600,
		  0x052600 },
		{ "BD, spare",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0, 0, 0, 0, 0xc0 },
		  12,
		  0x052600,
		  0x052600,
		  0 },
		{ "BD, none",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0, 0, 0, 0, 0xc4 },
		  12,
		  0x052600,
		  0x052600,
		  0 },
		{ "no such type",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 8, 0, 0, 0, 0, 0x40 },
		  12,
		  0x052600,
		  0x052600,
		  0x052600 },
		{ "no list", "04 01 00 00 00 00", { 0 }, 0, 0x052400, 0x052400, 0x052400 },
		{ "another code",
		  "04 17 00 00 00 00",
		  { 0, 2, 0, 8 },
		  12,
		  0x052400,
		  0x052400,
		  0x052400 },
		{ "CmpList",
		  "04 19 00 00 00 00",
		  { 0, 2, 0, 8 },
		  12,
		  0x052400,
		  0x052400,
		  0x052400 },
		{ "cut", "04 11 00 00 00 00", { 0, 2, 0, 8 }, 11, 0x051a00, 0x051a00, 0x051a00 },
		{ "two of them",
		  "04 11 00 00 00 00",
		  { 0, 2, 0, 16 },
		  12,
		  0x051a00,
		  0x051a00,
		  0x051a00 },
		{ "nothing came", "04 11 00 00 00 00", { 0 }, 0, 0x051a00, 0x051a00, 0x051a00 },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(cases) * 3; i++) {
		const size_t n = i / 3;
		const enum vd_media media = i % 3 == 0	 ? VD_MEDIA_DVD_RAM
					    : i % 3 == 1 ? VD_MEDIA_DVD_PLUS_RW
							 : VD_MEDIA_BD_RE;
		const uint32_t expected = i % 3 == 0   ? cases[n].dvd_ram
					  : i % 3 == 1 ? cases[n].dvd_plus_rw
						       : cases[n].bd_re;
		uint32_t got;

		begin(media, O_RDWR);
		got = mmc_do_out(drive, cases[n].cdb, cases[n].list, cases[n].len);
		if (got != expected)
			CHECK_FAIL("%s, profile %02x: %06x, not %06x", cases[n].what,
				   (unsigned)media, got, expected);
		end();
	}
}

/* No room under the image: the write fails, with its address, and what is there stays. */
static void test_full(void)
{
	const struct rlimit limit = { 100 * SECTOR, RLIM_INFINITY };
	struct rlimit before;

	signal(SIGXFSZ, SIG_IGN);
	begin(VD_MEDIA_DVD_RAM, O_RDWR);
	fill(7);
	check_written("2a 00 00000000 00 0040 00", 0, 64);
	ASSERT(!getrlimit(RLIMIT_FSIZE, &before));
	ASSERT(!setrlimit(RLIMIT_FSIZE, &limit));
	refused("no room", "2a 00 00000070 00 0001 00", 1, 0x030c00);
	CHECK_UINT(vd_get_be32(drive->reply.sense + 3), 0x70);
	refused("no room, FUA", "aa 08 00000070 00000001 00 00", 1, 0x030c00);
	refused("no room", "2e 00 00000070 00 0001 00", 1, 0x030c00);
	ASSERT(!setrlimit(RLIMIT_FSIZE, &before));
	check_written("2a 00 00000070 00 0040 00", 0x70, 64);
	CHECK_UINT(mmc_do(drive, "28 00 00000000 00 0040 00"), GOOD);
	CHECK_MEM(drive->buf, out, 64 * SECTOR);
	end();
}

static const struct check_test tests[] = {
	{ "file", test_file },	     { "write", test_write },
	{ "refused", test_refused }, { "protected", test_protected },
	{ "dvd-ram", test_dvd_ram }, { "dvd+rw", test_dvd_plus_rw },
	{ "bd-re", test_bd_re },     { "format", test_format },
	{ "full", test_full },
};

CHECK_MAIN(tests)
