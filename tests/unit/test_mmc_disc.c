// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What the drive answers from its disc: tables of contents, sectors in all their parts, sound. The disc of the fixture has data
 * in 0 to 299 (mode 1), sound in 450 to 749 and 825 to 1124 with pregaps before, lead-out and lead-in of session 2 from 1125
 * on, mode 2 in 12525 to 12824 and 19725 to 20024, where video.dat is Form 2, and sound in 20175 to 20474. Sections are those of MMC-6
 * unless another standard is named.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc_fixture.h"
#include "mmc_run.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECOND 1000000000u

static struct vd_disc *disc, *sub_disc;

static void make_discs(void)
{
	disc = fixture_disc(FIX_ALL);
	sub_disc = fixture_disc(FIX_ALL | FIX_SUB);
}

static void close_discs(void)
{
	vd_disc_close(disc);
	vd_disc_close(sub_disc);
	printf("# %u commands\n", mmc_count);
}

#define _cleanup_disc_ _cleanup_(vd_cleanup_disc)

/* One track of mode 1 without content. */
static struct vd_disc *blank(enum vd_media media, uint32_t sectors)
{
	struct vd_track t = { .number = 1, .session = 1, .length = sectors };
	struct vd_error err = { "" };
	struct vd_disc *d;

	ASSERT_OK(vd_disc_new(&d));
	d->media = media;
	ASSERT_OK(vd_disc_add_track(d, &t, &err));
	return d;
}

static void test_toc(void)
{
	static const struct mmc_case cases[] = {
		{ "6.25: format 0", "43 00 00 00 00 00 00 ffff 00", GOOD, 60,
		  "003a 01 06 00 16 01 00 00000000 00 12 02 00 000001c2 00 11 03 00 00000339"
		  " 00 14 04 00 000030ed 00 14 05 00 00004d0d 00 10 06 00 00004ecf"
		  " 00 10 aa 00 00004ffb" },
		{ "MSF", "43 02 00 00 00 00 00 ffff 00", GOOD, 60,
		  "003a 01 06 00 16 01 00 00000200 00 12 02 00 00000800 00 11 03 00 00000d00"
		  " 00 14 04 00 00023100 00 14 05 00 00041900 00 10 06 00 00041f00"
		  " 00 10 aa 00 00042300" },
		{ "12 bytes say all", "43 00 00 00 00 00 00 000c 00", GOOD, 12,
		  "003a 01 06 00 16 01 00 00000000" },
		{ "from track 5", "43 00 00 00 00 00 05 ffff 00", GOOD, 28,
		  "001a 01 06 00 14 05 00 00004d0d" },
		{ "lead-out", "43 00 00 00 00 00 aa ffff 00", GOOD, 12,
		  "000a 01 06 00 10 aa 00 00004ffb" },
		{ "no such track", "43 00 00 00 00 00 07 ffff 00", 0x052400, 0, NULL },
		{ "6.25: format 1", "43 00 01 00 00 00 00 ffff 00", GOOD, 12,
		  "000a 01 03 00 14 05 00 00004d0d" },
		{ "MSF", "43 02 01 00 00 00 00 000c 00", GOOD, 12,
		  "000a 01 03 00 14 05 00 00041900" },
		{ "SFF-8020: format 1 in byte 9", "43 00 00 00 00 00 00 000c 40", GOOD, 12,
		  "000a 01 03 00 14 05 00 00004d0d" },
		{ "6.25: format 2", "43 02 02 00 00 00 00 ffff 00", GOOD, 202,
		  "00c8 01 03 01 16 00 a0 00 00 00 00 01 00 00 01 11 00 a1 00 00 00 00 03 00 00"
		  " 01 11 00 a2 00 00 00 00 00 11 00 01 16 00 01 00 00 00 00 00 02 00"
		  " 01 12 00 02 00 00 00 00 00 08 00" },
		{ "SFF-8020: format 2 in byte 9", "43 02 00 00 00 00 00 0004 80", GOOD, 4,
		  "00c8 01 03" },
		{ "byte 9 has no say otherwise", "43 00 01 00 00 00 00 000c 80", GOOD, 12,
		  "000a 01 03" },
		{ "sessions from 3 on", "43 02 02 00 00 00 03 ffff 00", GOOD, 59,
		  "0039 01 03 03 14 00 a0 00 00 00 00 05 20 00" },
		{ "no such session", "43 02 02 00 00 00 04 ffff 00", 0x052400, 0, NULL },
		{ "PMA of a CD-ROM", "43 02 03 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "ATIP of a CD-ROM", "43 02 04 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "no such format", "43 00 06 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "no such format", "43 00 0f 00 00 00 00 ffff 00", 0x052400, 0, NULL },
	};
	static const struct mmc_case recordable[] = {
		{ "6.25: PMA", "43 02 03 00 00 00 00 ffff 00", GOOD, 15,
		  "000d 00 00 01 14 00 01 00 05 19 00 00 02 00" },
		{ "6.25: ATIP", "43 02 04 00 00 00 00 ffff 00", GOOD, 28,
		  "001a 00 00 c0 40 80 00 61 1a 42 00 4f 3b 4a 00" },
	};
	static const struct mmc_case dvd[] = {
		{ "tracks of a DVD", "43 00 00 00 00 00 00 ffff 00", GOOD, 20,
		  "0012 01 01 00 14 01 00 00000000 00 14 aa 00 000000fa" },
		{ "sessions", "43 00 01 00 00 00 00 ffff 00", GOOD, 12,
		  "000a 01 01 00 14 01 00 00000000" },
		{ "no lead-in to read", "43 02 02 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "CD-TEXT", "43 00 05 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "PMA", "43 02 03 00 00 00 00 ffff 00", 0x052400, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);
	_cleanup_disc_ struct vd_disc *cdr = blank(VD_MEDIA_CD_R, 250);
	_cleanup_disc_ struct vd_disc *cdrw = blank(VD_MEDIA_CD_RW, 250);
	_cleanup_disc_ struct vd_disc *rom = blank(VD_MEDIA_DVD_ROM, 250);

	MMC_CASES(r, cases);
	CHECK_UINT(mmc_do(r, "43 00 05 00 00 00 00 ffff 00"), GOOD);
	CHECK_UINT(r->reply.len, 4 + 18 * disc->sessions[0].ncdtext);
	CHECK_UINT(vd_get_be16(r->buf), r->reply.len - 2);
	CHECK_MEM(r->buf + 4, disc->sessions[0].cdtext, r->reply.len - 4);
	MMC_CASES(mmc_run_new(cdr), recordable);
	r = mmc_run_new(cdrw);
	CHECK_UINT(mmc_do(r, "43 02 04 00 00 00 00 ffff 00"), GOOD);
	CHECK_UINT(r->buf[6], 0xc0); /* rewritable */
	MMC_CASES(mmc_run_new(rom), dvd);
}

static void test_information(void)
{
	static const struct mmc_case cases[] = {
		{ "6.21", "51 00 00 00 00 00 00 ffff 00", GOOD, 34,
		  "0020 0e 01 03 05 06 20 00 00 00 00 00000000 ffffffff ffffffff 0000000000000000"
		  " 00 00" },
		{ "resources of tracks", "51 01 00 00 00 00 00 ffff 00", 0x052400, 0, NULL },
		{ "6.26: track 2", "52 01 00000002 00 ffff 00", GOOD, 48,
		  "002e 02 01 00 02 0f 00 000001c2 00000000 00000000 00000000 0000012c 00000000"
		  " 00 00 00 00" },
		{ "by LBA", "52 00 00000000 00 ffff 00", GOOD, 48,
		  "002e 01 01 00 06 01 00 00000000 00000000 00000000 00000000 0000012c" },
		{ "in a pregap", "52 00 0000012c 00 ffff 00", GOOD, 48, "002e 02 01" },
		{ "the last sector", "52 00 00004ffa 00 ffff 00", GOOD, 48, "002e 06 03" },
		{ "beyond it", "52 00 00004ffb 00 ffff 00", 0x052100, 0, NULL },
		{ "in a lead-out", "52 00 00000465 00 ffff 00", 0x052100, 0, NULL },
		{ "by session", "52 02 00000003 00 ffff 00", GOOD, 48,
		  "002e 05 03 00 04 02 00 00004d0d" },
		{ "no such session", "52 02 00000004 00 ffff 00", 0x052400, 0, NULL },
		{ "session 0", "52 02 00000000 00 ffff 00", 0x052400, 0, NULL },
		{ "track 0", "52 01 00000000 00 ffff 00", 0x052400, 0, NULL },
		{ "no such track", "52 01 00000007 00 ffff 00", 0x052400, 0, NULL },
		{ "the incomplete track", "52 01 000000ff 00 ffff 00", 0x052400, 0, NULL },
		{ "reserved", "52 03 00000001 00 ffff 00", 0x052400, 0, NULL },
		{ "MMC: READ HEADER", "44 00 00000010 00 0008 00", GOOD, 8, "01 000000 00000010" },
		{ "MSF", "44 02 000030ed 00 0008 00", GOOD, 8, "02 000000 00 02 31 00" },
		{ "of sound", "44 00 000001c2 00 0008 00", 0x056400, 0, NULL },
		{ "in a gap", "44 00 00000500 00 0008 00", 0x052100, 0, NULL },
		{ "out of range", "44 00 00004ffb 00 0008 00", 0x052100, 0, NULL },
	};
	static const struct mmc_case dvd[] = {
		{ "not to be erased here, no type", "51 00 00 00 00 00 00 ffff 00", GOOD, 34,
		  "0020 0e 01 01 01 01 20 ff" },
		{ "what is of CDs only", "44 00 00000000 00 0008 00", 0x053002, 0, NULL },
		{ "what is of CDs only", "42 00 40 01 00 00 00 0010 00", 0x053002, 0, NULL },
		{ "what is of CDs only", "be 00 00000000 000001 10 00 00", 0x053002, 0, NULL },
		{ "READ(10)", "28 00 000000f9 00 0001 00", GOOD, 2048, "00" },
		{ "beyond", "28 00 000000fa 00 0001 00", 0x052100, 0, NULL },
		{ "last written agrees", "52 01 00000001 00 001c 00", GOOD, 28,
		  "002e 01 01 00 04 01 00 00000000 00000000 00000000 00000000 000000fa" },
		{ "with the capacity", "25 00 00000000 00 00 00 00", GOOD, 8, "000000f9 00000800" },
	};
	_cleanup_disc_ struct vd_disc *rw = blank(VD_MEDIA_DVD_PLUS_RW, 250);

	MMC_CASES(mmc_run_new(disc), cases);
	MMC_CASES(mmc_run_new(rw), dvd);
}

static void test_read(void)
{
	static const struct mmc_case cases[] = {
		{ "6.14: one", "28 00 00000010 00 0001 00", GOOD, 2048, "01 43443030 31" },
		{ "DPO, FUA", "28 18 00000010 00 0001 00", GOOD, 2048, "01 43443030 31" },
		{ "RELADR", "28 01 00000010 00 0001 00", 0x052400, 0, NULL },
		{ "none", "28 00 00000010 00 0000 00", GOOD, 0, NULL },
		{ "none of sound", "28 00 000001c2 00 0000 00", GOOD, 0, NULL },
		{ "12 bytes of command", "a8 00 00000010 00000012 00 00", GOOD, 36864,
		  "01 43443030" },
		{ "none", "a8 00 00000010 00000000 00 00", GOOD, 0, NULL },
		{ "mode 2", "28 00 000030fd 00 0001 00", GOOD, 2048, "01 43443030 31" },
		{ "sound", "28 00 000001c2 00 0001 00", 0x056400, 0, NULL },
		{ "a pregap of sound", "28 00 0000012c 00 0001 00", 0x056400, 0, NULL },
		{ "from data into sound", "28 00 0000012b 00 0002 00", 0x056400, 0, NULL },
		{ "into the lead-out", "28 00 00000464 00 0002 00", 0x052100, 0, NULL },
		{ "the gap", "28 00 00000465 00 0001 00", 0x052100, 0, NULL },
		{ "the end", "28 00 00004ffb 00 0001 00", 0x052100, 0, NULL },
		{ "nothing at the end", "28 00 00004ffb 00 0000 00", 0x052100, 0, NULL },
		{ "far away", "28 00 ffffffff 00 ffff 00", 0x052100, 0, NULL },
		{ "far away", "a8 00 fffffffe ffffffff 00 00", 0x052100, 0, NULL },
		{ "far away", "a8 00 00000000 ffffffff 00 00", 0x052100, 0, NULL },
		{ "SEEK, 6.31", "2b 00 00004ffa 00 0000 00", GOOD, 0, NULL },
		{ "out of range", "2b 00 00004ffb 00 0000 00", 0x052100, 0, NULL },
		{ "VERIFY", "2f 00 00000000 00 012c 00", GOOD, 0, NULL },
		{ "none", "2f 00 00000000 00 0000 00", GOOD, 0, NULL },
		{ "BYTCHK", "2f 02 00000000 00 0001 00", 0x052400, 0, NULL },
		{ "into sound", "2f 00 00000000 00 012d 00", 0x056400, 0, NULL },
		{ "out of range", "2f 00 00004ffb 00 0001 00", 0x052100, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);
	enum vd_sector_kind kind = VD_KIND_AUDIO;
	uint8_t user[300 * VD_SECTOR_USER];
	int32_t video = 19725;

	MMC_CASES(r, cases);
	CHECK_UINT(mmc_do(r, "28 00 00000000 00 012c 00"), GOOD);
	ASSERT_OK(vd_disc_pread(disc, user, sizeof(user), 0));
	CHECK_UINT(r->reply.len, sizeof(user));
	CHECK_MEM(r->buf, user, sizeof(user));
	/* Room that ends inside a block. */
	r->cap = 5000;
	CHECK_UINT(mmc_do(r, "28 00 00000000 00 012c 00"), GOOD);
	CHECK_UINT(r->reply.len, 5000);
	CHECK_MEM(r->buf, user, 5000);
	r->cap = MMC_BUFFER;
	/* The sense names the sector that has no such block: sound, and Form 2; ILI is set. */
	CHECK_UINT(mmc_do(r, "28 00 00000120 00 0010 00"), 0x056400);
	CHECK_UINT(r->reply.sense[0], 0xf0);
	CHECK_UINT(r->reply.sense[2], 0x25);
	CHECK_UINT(vd_get_be32(r->reply.sense + 3), 300);
	while (kind != VD_KIND_MODE2_FORM2)
		ASSERT_OK(vd_disc_sector_kind(disc, ++video, &kind));
	CHECK_UINT(mmc_do(r, check_printf("28 00 %08x 00 0010 00", (unsigned int)video - 2)),
		   0x056400);
	CHECK_UINT(r->reply.sense[2], 0x25);
	CHECK_UINT(vd_get_be32(r->reply.sense + 3), (uint32_t)video);
}

/* A block that lies in a file as it is can be had as its place there. */
static void test_ranges(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct vd_track t = { .number = 1, .session = 1, .length = 64 };
	struct vd_fd_range ranges[4];
	struct vd_error err = { "" };
	struct vd_store *store;
	static const uint8_t read[10] = { 0x28, 0, 0, 0, 0, 10, 0, 0, 4 };
	struct mmc_run *r;
	struct vd_mmc_request q = { .cdb = read, .cdb_len = sizeof(read), .ranges = ranges };
	uint8_t block[VD_SECTOR_USER], got[VD_SECTOR_USER];
	int fd = memfd_create("disc", MFD_CLOEXEC);

	ASSERT(fd >= 0);
	for (int i = 0; i < 65; i++) {
		memset(block, i, sizeof(block));
		ASSERT(pwrite(fd, block, sizeof(block), 512 + i * 2048) == sizeof(block));
	}
	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_store_file_open(fd, true, &store, &err));
	ASSERT_OK(vd_disc_own_store(d, store));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, store, 512, &err));
	r = mmc_run_new(d);
	q.in = r->buf;
	q.in_cap = MMC_BUFFER;
	q.max_ranges = 4;
	vd_mmc_execute(&r->mmc, d, &q, &r->reply);
	CHECK_UINT(r->reply.status, VD_MMC_GOOD);
	ASSERT_UINT(r->reply.nranges, 1);
	CHECK_UINT(r->reply.len, 8192);
	CHECK_UINT(ranges[0].offset, 512 + 10 * 2048);
	CHECK_UINT(ranges[0].len, 8192);
	ASSERT(pread(ranges[0].fd, got, sizeof(got), (off_t)ranges[0].offset) == sizeof(got));
	CHECK_UINT(got[0], 10);
	/* Less room, and no room for ranges: then bytes. */
	q.in_cap = 3000;
	vd_mmc_execute(&r->mmc, d, &q, &r->reply);
	CHECK_UINT(r->reply.nranges, 1);
	CHECK_UINT(r->reply.len, 3000);
	CHECK_UINT(ranges[0].len, 3000);
	q.max_ranges = 0;
	vd_mmc_execute(&r->mmc, d, &q, &r->reply);
	CHECK_UINT(r->reply.nranges, 0);
	CHECK_UINT(r->reply.len, 3000);
	CHECK_UINT(r->buf[0], 10);
	CHECK_UINT(r->buf[2999], 11);
	/* A file that has become shorter: an error of the medium, and where. */
	ASSERT_INT(ftruncate(fd, 512 + 12 * 2048), 0);
	CHECK_UINT(mmc_do(r, "28 00 0000000a 00 0004 00"), 0x031100);
	CHECK_UINT(r->reply.sense[0], 0xf0);
	CHECK_UINT(vd_get_be32(r->reply.sense + 3), 12);
	CHECK_UINT(mmc_do(r, "be 00 0000000c 000001 f8 00 00"), 0x031100);
	CHECK_UINT(mmc_do(r, "2f 00 00000000 00 0040 00"), 0x031100);
	CHECK_UINT(vd_get_be32(r->reply.sense + 3), 12);
}

/* Byte 9 and the kind of sector: 6.19, tables 351 to 356. -1: not allowed. */
static const struct {
	uint8_t flags;
	int audio, mode1, form1, form2;
} lengths[] = {
	{ 0x00, 0, 0, 0, 0 },
	{ 0x10, 2352, 2048, 2048, 2324 },
	{ 0x08, 0, 288, 280, 4 },
	{ 0x18, 2352, 2336, 2328, 2328 },
	{ 0x20, 0, 4, 4, 4 },
	{ 0x28, 0, -1, -1, -1 },
	{ 0x30, 2352, 2052, -1, -1 },
	{ 0x38, 2352, 2340, -1, -1 },
	{ 0x40, 0, 0, 8, 8 },
	{ 0x48, 0, 288, -1, -1 },
	{ 0x50, 2352, 2048, 2056, 2332 },
	{ 0x58, 2352, 2336, 2336, 2336 },
	{ 0x60, 0, 4, 12, 12 },
	{ 0x68, 0, -1, -1, -1 },
	{ 0x70, 2352, 2052, 2060, 2336 },
	{ 0x78, 2352, 2340, 2340, 2340 },
	{ 0x80, 0, 12, 12, 12 },
	{ 0x88, 0, -1, -1, -1 },
	{ 0x90, 2352, -1, -1, -1 },
	{ 0x98, 2352, -1, -1, -1 },
	{ 0xa0, 0, 16, 16, 16 },
	{ 0xa8, 0, -1, -1, -1 },
	{ 0xb0, 2352, 2064, -1, -1 },
	{ 0xb8, 2352, 2352, -1, -1 },
	{ 0xc0, 0, 12, -1, -1 },
	{ 0xc8, 0, -1, -1, -1 },
	{ 0xd0, 2352, -1, -1, -1 },
	{ 0xd8, 2352, -1, -1, -1 },
	{ 0xe0, 0, 16, 24, 24 },
	{ 0xe8, 0, -1, -1, -1 },
	{ 0xf0, 2352, 2064, 2072, 2348 },
	{ 0xf8, 2352, 2352, 2352, 2352 },
};

/* One sector: its length, and that it is the same as its parts in the sector as a whole. */
static void check_parts(struct mmc_run *r, int32_t lba, unsigned int type, uint8_t flags, int want)
{
	unsigned int what =
		(flags & 0x80 ? VD_READ_SYNC : 0) | (flags & 0x20 ? VD_READ_HEADER : 0) |
		(flags & 0x40 ? VD_READ_SUBHEADER : 0) | (flags & 0x10 ? VD_READ_USER : 0) |
		(flags & 0x08 ? VD_READ_EDC | VD_READ_ECC : 0);
	const char *cdb =
		check_printf("be %02x %08x 000001 %02x 00 00", type << 2, (unsigned int)lba, flags);
	uint8_t sector[VD_SECTOR_RAW];
	uint32_t sense = mmc_do(r, cdb);

	if (sense != (want < 0 ? 0x052400 : GOOD)) {
		CHECK_FAIL("%s: %06x", cdb, sense);
		return;
	}
	if (want < 0)
		return;
	if (r->reply.len != (size_t)want) {
		CHECK_FAIL("%s: %zu bytes, not %d", cdb, r->reply.len, want);
		return;
	}
	if (want) {
		ASSERT_OK(vd_disc_read_sectors(disc, lba, 1, what, sector));
		CHECK_MEM(r->buf, sector, (size_t)want);
	}
}

static int32_t find_form2(void)
{
	enum vd_sector_kind kind = VD_KIND_AUDIO;
	int32_t lba = 19725;

	while (kind != VD_KIND_MODE2_FORM2)
		ASSERT_OK(vd_disc_sector_kind(disc, ++lba, &kind));
	return lba;
}

static void test_read_cd_parts(void)
{
	struct mmc_run *r = mmc_run_new(disc);
	const int32_t form2 = find_form2();

	for (size_t i = 0; i < VD_ARRAY_SIZE(lengths); i++) {
		/* Whatever type, and the right one. */
		for (unsigned int any = 0; any < 2; any++) {
			check_parts(r, 450, any * 1, lengths[i].flags, lengths[i].audio);
			check_parts(r, 16, any * 2, lengths[i].flags, lengths[i].mode1);
			check_parts(r, 12541, any * 4, lengths[i].flags, lengths[i].form1);
			check_parts(r, form2, any * 5, lengths[i].flags, lengths[i].form2);
		}
	}
}

static void test_read_cd(void)
{
	static const struct mmc_case cases[] = {
		{ "6.19: one", "be 00 00000010 000001 f8 00 00", GOOD, 2352,
		  "00 ffffffffffffffffffff 00 00 02 16 01 01 4344303031" },
		{ "expected: CD-DA", "be 04 00000010 000001 f8 00 00", 0x056400, 0, NULL },
		{ "expected: mode 1", "be 08 00000010 000001 f8 00 00", GOOD, 2352, NULL },
		{ "expected: mode 2", "be 0c 00000010 000001 f8 00 00", 0x056400, 0, NULL },
		{ "expected: Form 1", "be 10 00000010 000001 f8 00 00", 0x056400, 0, NULL },
		{ "expected: Form 2", "be 14 00000010 000001 f8 00 00", 0x056400, 0, NULL },
		{ "reserved", "be 18 00000010 000001 f8 00 00", 0x052400, 0, NULL },
		{ "reserved", "be 1c 00000010 000001 f8 00 00", 0x052400, 0, NULL },
		{ "RELADR", "be 01 00000010 000001 f8 00 00", 0x052400, 0, NULL },
		{ "sound, DAP", "be 06 000001c2 000002 10 00 00", GOOD, 4704, NULL },
		{ "cdparanoia: byte 1 of 0", "be 00 000001c2 000002 10 00 00", GOOD, 4704, NULL },
		{ "of 2", "be 02 000001c2 000002 f8 00 00", GOOD, 4704, NULL },
		{ "of 4", "be 04 000001c2 000002 f8 00 00", GOOD, 4704, NULL },
		{ "mode 1 in sound", "be 08 000001c2 000001 10 00 00", 0x056400, 0, NULL },
		{ "none, and the type is right", "be 04 000001c2 000000 10 00 00", GOOD, 0, NULL },
		{ "none, and it is wrong", "be 08 000001c2 000000 10 00 00", 0x056400, 0, NULL },
		{ "C2", "be 04 000001c2 000002 12 00 00", GOOD, 2 * 2646, NULL },
		{ "C2 and its summary", "be 04 000001c2 000002 14 00 00", GOOD, 2 * 2648, NULL },
		{ "reserved", "be 04 000001c2 000001 16 00 00", 0x052400, 0, NULL },
		{ "reserved", "be 04 000001c2 000001 11 00 00", 0x052400, 0, NULL },
		{ "P to W", "be 04 000001c2 000002 10 01 00", GOOD, 2 * 2448, NULL },
		{ "Q", "be 04 000001c2 000002 10 02 00", GOOD, 2 * 2368, NULL },
		{ "R to W", "be 04 000001c2 000002 10 04 00", GOOD, 2 * 2448, NULL },
		{ "C2 and P to W", "be 04 000001c2 000001 12 01 00", GOOD, 2742, NULL },
		{ "subchannel alone", "be 00 000001c2 000003 00 01 00", GOOD, 288, NULL },
		{ "reserved", "be 04 000001c2 000001 10 03 00", 0x052400, 0, NULL },
		{ "reserved", "be 04 000001c2 000001 10 05 00", 0x052400, 0, NULL },
		{ "reserved", "be 04 000001c2 000001 10 07 00", 0x052400, 0, NULL },
		{ "nothing asked for", "be 00 000001c2 000003 00 00 00", GOOD, 0, NULL },
		{ "the first pregap", "be 00 ffffff6a 000001 f8 00 00", GOOD, 2352, NULL },
		{ "the lead-out", "be 00 00000465 000001 f8 00 00", GOOD, 2352, NULL },
		{ "beyond the lead-in", "be 00 ffff4fa1 000001 f8 00 00", 0x052100, 0, NULL },
		{ "far away", "be 00 7fffffff 000001 f8 00 00", 0x052100, 0, NULL },
		{ "beyond the last lead-out", "be 00 000058c5 000001 10 00 00", 0x052100, 0, NULL },
		{ "across it", "be 00 000058c4 000002 f8 00 00", 0x052100, 0, NULL },
		{ "data, then sound", "be 00 0000012b 000002 10 00 00", 0x056400, 0, NULL },
		{ "but whole sectors", "be 00 0000012b 000002 f8 00 00", GOOD, 4704, NULL },
		{ "of one type", "be 08 0000012b 000002 f8 00 00", 0x056400, 0, NULL },
		{ "6.20: MSF", "b9 04 00 000800 000802 10 00 00", GOOD, 4704, NULL },
		{ "none", "b9 04 00 000800 000800 10 00 00", GOOD, 0, NULL },
		{ "backwards", "b9 04 00 000801 000800 10 00 00", 0x052400, 0, NULL },
		{ "75 frames", "b9 04 00 00084b 000901 10 00 00", 0x052400, 0, NULL },
		{ "60 seconds", "b9 04 00 000800 003c00 10 00 00", 0x052400, 0, NULL },
		{ "wrong type", "b9 08 00 000800 000801 10 00 00", 0x056400, 0, NULL },
		{ "the pregap", "b9 00 00 000000 000001 f8 00 00", GOOD, 2352, NULL },
		{ "the lead-in", "b9 00 00 633b49 633b4a f8 00 00", GOOD, 2352, NULL },
		{ "READ CD-DA", "d8 00 000001c2 00000002 00 00", GOOD, 4704, NULL },
		{ "with Q", "d8 00 000001c2 00000002 01 00", GOOD, 2 * 2368, NULL },
		{ "with P to W", "d8 00 000001c2 00000002 02 00", GOOD, 2 * 2448, NULL },
		{ "P to W alone", "d8 00 000001c2 00000002 03 00", GOOD, 192, NULL },
		{ "nothing else", "d8 00 000001c2 00000002 04 00", 0x052400, 0, NULL },
		{ "not data", "d8 00 00000000 00000001 00 00", 0x056400, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);
	uint8_t want[4 * 2448];

	MMC_CASES(r, cases);
	CHECK_UINT(mmc_do(r, "be 04 000001c2 000004 10 00 00"), GOOD);
	ASSERT_OK(vd_disc_read_sectors(disc, 450, 4, VD_READ_USER, want));
	CHECK_MEM(r->buf, want, 4 * 2352);
	/* Room that ends inside a sector, in both ways of reading. */
	r->cap = 3000;
	CHECK_UINT(mmc_do(r, "be 04 000001c2 ffffff 10 00 00"), GOOD);
	CHECK_UINT(r->reply.len, 3000);
	CHECK_MEM(r->buf, want, 3000);
	CHECK_UINT(mmc_do(r, "be 04 000001c2 000004 10 02 00"), GOOD);
	CHECK_UINT(r->reply.len, 3000);
	CHECK_MEM(r->buf, want, 2352);
	CHECK_MEM(r->buf + 2368, want + 2352, 3000 - 2368);
}

static void test_read_cd_subchannel(void)
{
	struct mmc_run *r = mmc_run_new(disc);
	uint8_t raw[3 * 96], q[12], packed[96];

	/* Track 2, index 1, 00:00:00 in it, 00:08:00 on the disc; CRC; P is set one sector into a track. */
	CHECK_UINT(mmc_do(r, "be 04 000001c2 000001 10 02 00"), GOOD);
	mmc_hex("21 02 01 00 00 00 00 00 08 00", q, sizeof(q));
	CHECK_MEM(r->buf + 2352, q, 10);
	CHECK(vd_q_is_whole(r->buf + 2352));
	CHECK_UINT(r->buf[2352 + 12] | r->buf[2352 + 13] | r->buf[2352 + 14], 0);
	CHECK_UINT(r->buf[2352 + 15], 0x80);
	CHECK_UINT(mmc_do(r, "be 04 000001c4 000001 10 02 00"), GOOD);
	CHECK_UINT(r->buf[2352 + 15], 0);

	r = mmc_run_new(sub_disc);
	CHECK_UINT(mmc_do(r, "be 04 000001cc 000001 10 01 00"), GOOD);
	ASSERT_OK(vd_disc_read_sectors(sub_disc, 460, 1, VD_READ_SUB, raw));
	CHECK_MEM(r->buf + 2352, raw, 96);
	for (int i = 0; i < 3; i++)
		ASSERT_OK(vd_disc_read_sectors(sub_disc, 460 + i, 1, VD_READ_SUB, raw + 96 * i));
	vd_sub_rw_packs(raw, packed);
	CHECK_UINT(mmc_do(r, "be 04 000001cc 000001 00 04 00"), GOOD);
	CHECK_UINT(r->reply.len, 96);
	CHECK_MEM(r->buf, packed, 96);
	/* C2 flags lie between, all zero. */
	CHECK_UINT(mmc_do(r, "be 04 000001cc 000001 14 01 00"), GOOD);
	CHECK_UINT(r->reply.len, 2352 + 296 + 96);
	CHECK_MEM(r->buf + 2352 + 296, raw, 96);
	for (int i = 0; i < 296; i++)
		CHECK_UINT(r->buf[2352 + i], 0);
}

#define POSITION "42 00 40 01 00 00 00 0010 00"
#define STATUS "42 00 00 00 00 00 00 0004 00"

static void test_subchannel(void)
{
	static const struct mmc_case cases[] = {
		{ "MMC-3: no Q", STATUS, GOOD, 4, "00 15 0000" },
		{ "at the beginning", POSITION, GOOD, 16,
		  "00 15 000c 01 16 01 01 00000000 00000000" },
		{ "after a seek", "2b 00 00000229 00 0000 00", GOOD, 0, NULL },
		{ "index 2", POSITION, GOOD, 16, "00 15 000c 01 12 02 02 00000229 00000067" },
		{ "MSF", "42 02 40 01 00 00 00 0010 00", GOOD, 16,
		  "00 15 000c 01 12 02 02 00 00 09 1c 00 00 01 1c" },
		{ "in a pregap", "2b 00 0000012d 00 0000 00", GOOD, 0, NULL },
		{ "index 0, before the track", POSITION, GOOD, 16,
		  "00 15 000c 01 12 02 00 0000012d ffffff6b" },
		{ "it runs down", "42 02 40 01 00 00 00 0010 00", GOOD, 16,
		  "00 15 000c 01 12 02 00 00 00 06 01 00 00 01 49" },
		{ "MCN", "42 00 40 02 00 00 00 00ff 00", GOOD, 24,
		  "00 15 0014 02 00 00 00 80 34303132333435363738393031 00 00" },
		{ "ISRC", "42 00 40 03 00 00 02 00ff 00", GOOD, 24,
		  "00 15 0014 03 32 02 00 80 444541424332363030303031 00 00" },
		{ "of a track without one", "42 00 40 03 00 00 01 00ff 00", GOOD, 24,
		  "00 15 0014 03 36 01 00 00 000000000000000000000000" },
		{ "of no track", "42 00 40 03 00 00 07 00ff 00", 0x052400, 0, NULL },
		{ "of track 0", "42 00 40 03 00 00 00 00ff 00", 0x052400, 0, NULL },
		{ "reserved", "42 00 40 00 00 00 00 00ff 00", 0x052400, 0, NULL },
		{ "reserved", "42 00 40 04 00 00 00 00ff 00", 0x052400, 0, NULL },
		{ "a lead-out", "be 00 00000466 000001 f8 00 00", GOOD, 2352, NULL },
		{ "its track", POSITION, GOOD, 16, "00 15 000c 01 11 aa 01 00000466 00000001" },
		{ "a lead-in", "be 00 fffffb50 000001 f8 00 00", GOOD, 2352, NULL },
		{ "its track", POSITION, GOOD, 16, "00 15 000c 01 11 00 00 fffffb50 00000000" },
		{ "a read moves the head", "28 00 00000010 00 0004 00", GOOD, 8192, NULL },
		{ "to its last block", POSITION, GOOD, 16,
		  "00 15 000c 01 16 01 01 00000013 00000013" },
	};
	static const struct mmc_case none[] = {
		{ "no MCN", "42 00 40 02 00 00 00 00ff 00", GOOD, 24,
		  "00 15 0014 02 00 00 00 00 00000000000000000000000000" },
	};
	_cleanup_disc_ struct vd_disc *plain = blank(VD_MEDIA_CD_ROM, 300);

	MMC_CASES(mmc_run_new(disc), cases);
	MMC_CASES(mmc_run_new(plain), none);
}

/* Ten sectors a step, as the clock goes. */
static void test_play(void)
{
	static const struct mmc_case before[] = {
		{ "nothing plays", "4b 00 00 00 00 00 00 00 00 00", 0x052c00, 0, NULL },
		{ "nothing to resume", "4b 00 00 00 00 00 00 00 01 00", 0x052c00, 0, NULL },
		{ "stop is right", "4e 00 00 00 00 00 00 00 00 00", GOOD, 0, NULL },
		{ "data", "45 00 00000000 00 0001 00", 0x056400, 0, NULL },
		{ "nothing of data", "45 00 00000000 00 0000 00", 0x056400, 0, NULL },
		{ "nothing", "45 00 000001c2 00 0000 00", GOOD, 0, NULL },
		{ "plays nothing", STATUS, GOOD, 4, "00 15 0000" },
		{ "out of range", "45 00 00004ffb 00 0001 00", 0x052100, 0, NULL },
		{ "beyond the end", "45 00 00004ffa 00 0002 00", 0x052100, 0, NULL },
		{ "in a gap", "45 00 00000465 00 0001 00", 0x052100, 0, NULL },
		{ "RELADR", "45 01 000001c2 00 0001 00", 0x052400, 0, NULL },
		{ "no time", "47 00 00 00083c 000900 00", GOOD, 0, NULL },
		{ "75 frames", "47 00 00 00084b 000900 00", 0x052400, 0, NULL },
		{ "backwards", "47 00 00 000900 000800 00", 0x052400, 0, NULL },
		{ "stop", "4e 00 00 00 00 00 00 00 00 00", GOOD, 0, NULL },
		{ "SCSI-2: no such track", "48 00 00 00 07 01 00 07 01 00", 0x052400, 0, NULL },
		{ "no such index", "48 00 00 00 02 04 00 02 04 00", 0x052400, 0, NULL },
		{ "data", "48 00 00 00 01 01 00 01 01 00", 0x056400, 0, NULL },
		{ "MMC-3: scan data", "ba 00 00000000 00 00 00 00 00 00", 0x056400, 0, NULL },
		{ "reserved", "ba 00 000001c2 00 00 00 c0 00 00", 0x052400, 0, NULL },
		{ "no such track", "ba 00 00000007 00 00 00 80 00 00", 0x052400, 0, NULL },
		{ "no such time", "ba 00 0000084b 00 00 00 40 00 00", 0x052400, 0, NULL },
		{ "from 1C2h on", "45 00 000001c2 00 0096 00", GOOD, 0, NULL },
		{ "plays", POSITION, GOOD, 16, "00 11 000c 01 12 02 01 000001c2 00000000" },
	};
	static const struct mmc_case second[] = {
		{ "a second later", POSITION, GOOD, 16,
		  "00 11 000c 01 12 02 01 0000020d 0000004b" },
		{ "as sense", "03 00 00 00 12 00", GOOD, 18,
		  "70 00 00 00000000 0a 00000000 00 11" },
		{ "in the mechanism", "bd 00 00 00 00 00 00 00 0008 00 00", GOOD, 8,
		  "00 20 00020d 00 0000" },
		{ "pause", "4b 00 00 00 00 00 00 00 00 00", GOOD, 0, NULL },
		{ "paused", POSITION, GOOD, 16, "00 12 000c 01 12 02 01 0000020d" },
		{ "once more", "4b 00 00 00 00 00 00 00 00 00", GOOD, 0, NULL },
	};
	static const struct mmc_case paused[] = {
		{ "stands still", POSITION, GOOD, 16, "00 12 000c 01 12 02 01 0000020d" },
		{ "resume", "4b 00 00 00 00 00 00 00 01 00", GOOD, 0, NULL },
		{ "once more", "4b 00 00 00 00 00 00 00 01 00", GOOD, 0, NULL },
	};
	static const struct mmc_case ended[] = {
		{ "at its end", POSITION, GOOD, 16, "00 13 000c 01 12 02 02 00000257 00000095" },
		{ "told once", POSITION, GOOD, 16, "00 15 000c 01 12 02 02 00000257 00000095" },
		{ "into the gap", "47 00 00 ffffff 000f00 00", GOOD, 0, NULL },
	};
	static const struct mmc_case stopped[] = {
		{ "played", STATUS, GOOD, 4, "00 11 0000" },
		{ "a read", "28 00 00000000 00 0001 00", GOOD, 2048, NULL },
		{ "ends it", STATUS, GOOD, 4, "00 15 0000" },
		{ "by index", "48 00 00 00 02 02 00 02 02 00", GOOD, 0, NULL },
		{ "from index 2 on", POSITION, GOOD, 16, "00 11 000c 01 12 02 02 00000226" },
	};
	struct mmc_run *r = mmc_run_new(disc);

	MMC_CASES(r, before);
	r->now += SECOND;
	MMC_CASES(r, second);
	r->now += 10ull * SECOND;
	MMC_CASES(r, paused);
	r->now += 5ull * SECOND;
	MMC_CASES(r, ended);
	r->now += SECOND;
	MMC_CASES(r, stopped);
	/* INDEX 03 begins at 601: 51 sectors. */
	r->now += 51ull * SECOND / 75 - SECOND / 100;
	CHECK_UINT(mmc_do(r, STATUS), GOOD);
	CHECK_UINT(r->buf[1], VD_AUDIO_PLAYING);
	r->now += SECOND / 50;
	CHECK_UINT(mmc_do(r, STATUS), GOOD);
	CHECK_UINT(r->buf[1], VD_AUDIO_COMPLETED);
	/* More than there is: sound ends with the session, and that is an error then. */
	CHECK_UINT(mmc_do(r, "a5 00 00000339 00001000 00 00"), GOOD);
	r->now += 4ull * SECOND + SECOND / 10;
	CHECK_UINT(mmc_do(r, STATUS), GOOD);
	CHECK_UINT(r->buf[1], VD_AUDIO_FAILED);
	CHECK_UINT(mmc_do(r, STATUS), GOOD);
	CHECK_UINT(r->buf[1], VD_AUDIO_NONE);
}

static void test_scan(void)
{
	struct mmc_run *r = mmc_run_new(disc);

	/* Ten times as fast, on and back; from a pause it goes on at its own speed. */
	CHECK_UINT(mmc_do(r, "ba 00 000001c2 00 00 00 00 00 00"), GOOD);
	r->now += SECOND / 5;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 450 + 150);
	CHECK_UINT(mmc_do(r, "bd 00 00 00 00 00 00 00 0008 00 00"), GOOD);
	CHECK_UINT(r->buf[1], 0x40); /* scanning */
	CHECK_UINT(mmc_do(r, "4b 00 00 00 00 00 00 00 00 00"), GOOD);
	CHECK_UINT(mmc_do(r, "4b 00 00 00 00 00 00 00 01 00"), GOOD);
	r->now += SECOND;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 600 + 75);
	/* Back, as far as the sound goes: the pregap of track 2. */
	CHECK_UINT(mmc_do(r, "ba 10 00000d00 00 00 00 40 00 00"), GOOD);
	r->now += SECOND / 5;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 825 - 150);
	r->now += SECOND;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 300);
	CHECK_UINT(mmc_do(r, STATUS), GOOD);
	CHECK_UINT(r->buf[1], VD_AUDIO_COMPLETED);
	/* By track; to the end. */
	CHECK_UINT(mmc_do(r, "ba 00 00000003 00 00 00 80 00 00"), GOOD);
	r->now += 3600ull * SECOND;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 1124);
	/* A medium that is taken out does not play. */
	CHECK_UINT(mmc_do(r, "45 00 000001c2 00 0096 00"), GOOD);
	CHECK_OK(vd_mmc_eject(&r->mmc, false));
	CHECK_UINT(mmc_do(r, STATUS), 0x023a02);
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 0);
	/* Nor does one go on over a stop. */
	r = mmc_run_new(disc);
	CHECK_UINT(mmc_do(r, "45 00 000001c2 00 0096 00"), GOOD);
	r->now += SECOND;
	CHECK_UINT(mmc_do(r, "4e 00 00 00 00 00 00 00 00 00"), GOOD);
	r->now += SECOND;
	CHECK_INT(vd_mmc_position(&r->mmc, r->now), 525);
}

static void test_structures(void)
{
	static const struct mmc_case dvd[] = {
		{ "6.22: physical format", "ad 00 00000000 00 00 ffff 00 00", GOOD, 2052,
		  "0802 0000 01 02 01 00 00030000 000300f9 00000000 00" },
		{ "copyright", "ad 00 00000000 00 01 ffff 00 00", GOOD, 8,
		  "0006 0000 00 00 00 00" },
		{ "the kernel's 20 bytes", "ad 00 00000000 00 00 0014 00 00", GOOD, 20,
		  "0802 0000 01 02 01" },
		{ "nothing", "ad 00 00000000 00 00 0000 00 00", GOOD, 0, NULL },
		{ "stored", "ad 00 00000000 00 04 ffff 00 00", GOOD, 8, "0006 0000 6d616e75" },
		{ "at another address", "ad 00 00000001 00 04 ffff 00 00", 0x052400, 0, NULL },
		{ "which there are", "ad 00 00000000 00 ff ffff 00 00", GOOD, 16,
		  "000e 0000 00 40 0804 01 40 0008 04 40 0008" },
		{ "no key", "ad 00 00000000 00 02 ffff 00 00", 0x052400, 0, NULL },
		{ "no layer 1", "ad 00 00000000 01 00 ffff 00 00", 0x052400, 0, NULL },
		{ "no BD", "ad 01 00000000 00 00 ffff 00 00", 0x052400, 0, NULL },
	};
	static const struct mmc_case dual[] = {
		/* Layer 0 ends at 30063h: the last sector, 149 behind, is at the complement of that, plus 149. */
		{ "opposite", "ad 00 00000000 01 00 ffff 00 00", GOOD, 2052,
		  "0802 0000 e1 02 32 00 00030000 00fd0031 00030063 00" },
	};
	static const struct mmc_case cd[] = {
		{ "of a CD", "ad 00 00000000 00 00 ffff 00 00", 0x053002, 0, NULL },
	};
	static const struct mmc_case bd[] = {
		{ "nothing is kept", "ad 01 00000000 00 00 ffff 00 00", 0x052400, 0, NULL },
		{ "none", "ad 01 00000000 00 ff ffff 00 00", GOOD, 4, "0002 0000" },
		{ "no DVD", "ad 00 00000000 00 00 ffff 00 00", 0x052400, 0, NULL },
	};
	_cleanup_disc_ struct vd_disc *rom = blank(VD_MEDIA_DVD_ROM, 250);
	_cleanup_disc_ struct vd_disc *two = blank(VD_MEDIA_DVD_PLUS_R_DL, 250);
	_cleanup_disc_ struct vd_disc *blu = blank(VD_MEDIA_BD_ROM, 250);
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_add_structure(rom, 4, 0, 0, "manu", 4, &err));
	two->layers = 2;
	two->layer_break = 99;
	two->opposite = true;
	MMC_CASES(mmc_run_new(rom), dvd);
	MMC_CASES(mmc_run_new(two), dual);
	MMC_CASES(mmc_run_new(disc), cd);
	MMC_CASES(mmc_run_new(blu), bd);
}

/* A disc of the first pressing: its first track is not 1. */
static void test_first_track(void)
{
	struct vd_track t = { .number = 5, .session = 1, .mode = VD_TRACK_AUDIO, .length = 300 };
	static const struct mmc_case cases[] = {
		{ "format 0", "43 00 00 00 00 00 00 ffff 00", GOOD, 20,
		  "0012 05 05 00 10 05 00 00000000" },
		{ "from track 1", "43 00 00 00 00 00 01 ffff 00", GOOD, 20, "0012 05 05" },
		{ "information", "51 00 00 00 00 00 00 ffff 00", GOOD, 34, "0020 0e 05 01 05 05" },
		{ "no track 1", "52 01 00000001 00 ffff 00", 0x052400, 0, NULL },
		{ "track 5", "52 01 00000005 00 ffff 00", GOOD, 48, "002e 05 01" },
	};
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_new(&d));
	d->media = VD_MEDIA_CD_ROM;
	ASSERT_OK(vd_disc_add_track(d, &t, &err));
	MMC_CASES(mmc_run_new(d), cases);
}

static const struct check_test tests[] = {
	{ "tables of contents", test_toc },
	{ "information", test_information },
	{ "read", test_read },
	{ "ranges of files", test_ranges },
	{ "read CD: parts", test_read_cd_parts },
	{ "read CD", test_read_cd },
	{ "read CD: subchannel", test_read_cd_subchannel },
	{ "subchannel", test_subchannel },
	{ "play", test_play },
	{ "scan", test_scan },
	{ "structures", test_structures },
	{ "first track", test_first_track },
};
CHECK_MAIN_WITH(tests, make_discs, close_discs)
