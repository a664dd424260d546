// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Discs in a drive: one of a disc of ours, which answers the commands by the library's own TOC and sectors, and whose faults are those of real
 * drives. That libcdio carries the commands is seen to in guests (tests/vm/test_drive_source.c).
 */
#include "disc_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc/toc.h"
#include "images/physical.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define EVERYTHING (FIX_ALL & ~FIX_INDICES) /* no command tells of an index beyond 1 */

struct fake {
	struct vd_transport mmc;
	struct vd_disc *disc;
	unsigned int profile;
	/* What it cannot do. */
	bool no_read_cd, no_full_toc, no_q, no_codes, no_configuration;
	bool binary_q, no_ecc, mcn_often;
	int32_t bad;	 /* a sector that cannot be read */
	int32_t run_out; /* sectors from there on are refused */
	unsigned int pending_times;
	struct vd_sense pending,
		bad_sense;  /* what the next commands, and reads of @bad, are answered with */
	const uint8_t *toc; /* instead of the disc's */
	size_t toc_len;
	unsigned int commands, reads, closed;
};

static int refuse(struct vd_sense *s, uint8_t key, uint8_t asc, uint8_t ascq)
{
	*s = (struct vd_sense){ key, asc, ascq };
	return -EIO;
}

static void put(void *buf, size_t len, const void *data, size_t there)
{
	memcpy(buf, data, there < len ? there : len);
}

static int answer_toc(struct fake *f, const uint8_t *cdb, void *buf, size_t len, struct vd_sense *s)
{
	const size_t cap = vd_get_be16(cdb + 7);
	uint8_t all[65536];
	size_t there;

	ASSERT_UINT(cap, len);
	if (f->toc) {
		put(buf, len, f->toc, f->toc_len);
		return 0;
	}
	if (((cdb[2] & 0xf) == VD_TOC_FULL && f->no_full_toc) ||
	    vd_toc_response(f->disc, (enum vd_toc_format)(cdb[2] & 0xf), cdb[1] & 2, cdb[6], all,
			    sizeof(all), &there))
		return refuse(s, 5, 0x24, 0);
	put(buf, len, all, there);
	return 0;
}

static int answer_code(struct fake *f, const uint8_t *cdb, void *buf, size_t len,
		       struct vd_sense *s)
{
	uint8_t a[24] = { 0 };
	const struct vd_track *t = vd_disc_track(f->disc, cdb[6]);

	if (f->no_codes)
		return refuse(s, 5, 0x20, 0);
	ASSERT_INT(cdb[2], 0x40);
	if (cdb[3] == 2 && f->disc->mcn[0]) {
		a[8] = 0x80;
		memcpy(a + 9, f->disc->mcn, VD_MCN_LEN);
	} else if (cdb[3] == 3 && t && t->isrc[0]) {
		a[8] = 0x80;
		memcpy(a + 9, t->isrc, VD_ISRC_LEN);
	}
	put(buf, len, a, sizeof(a));
	return 0;
}

static void put_q(struct fake *f, int32_t lba, uint8_t *to)
{
	uint8_t q[12];

	if (f->no_q)
		return;
	ASSERT_OK(vd_disc_read_q(f->disc, lba, q));
	if (f->mcn_often && lba % 75 == 74)
		vd_q_mcn(q, 0, FIX_MCN_TEXT, (uint32_t)(lba + 150));
	/* A drive gives control and ADR the other way round than the disc does. */
	memcpy(to, q, 12);
	to[0] = q[0];
	if (!f->binary_q || (q[0] & 0xf) != VD_Q_POSITION)
		return;
	for (size_t i = 1; i < 10; i++)
		to[i] = (uint8_t)vd_from_bcd(q[i]);
}

static int answer_read(struct fake *f, int32_t lba, uint32_t n, bool raw, bool audio, bool with_q,
		       uint8_t *buf, size_t len, struct vd_sense *s)
{
	const size_t size = raw ? VD_SECTOR_RAW : VD_SECTOR_USER;

	ASSERT_UINT(len, n * (size + (with_q ? 16 : 0)));
	f->reads++;
	for (uint32_t i = 0; i < n; i++, lba++) {
		enum vd_sector_kind kind;

		if (f->bad && lba == f->bad) {
			*s = f->bad_sense;
			return -EIO;
		}
		if (f->run_out && lba >= f->run_out)
			return refuse(s, 5, 0x64, 0);
		if (vd_disc_sector_kind(f->disc, lba, &kind))
			return refuse(s, 5, 0x21, 0);
		/* Sectors of two kinds are not read at once. */
		if (raw && audio != (kind == VD_KIND_AUDIO) && (audio || i || !with_q))
			return refuse(s, 5, 0x64, 0);
		if (!raw && kind != VD_KIND_MODE1 && kind != VD_KIND_MODE2_FORM1)
			return refuse(s, 5, 0x64, 0);
		ASSERT_OK(vd_disc_read_sectors(f->disc, lba, 1, raw ? VD_READ_MAIN : VD_READ_USER,
					       buf));
		if (f->no_ecc && raw && !audio)
			memset(buf + VD_AT_EDC_MODE1, 0, VD_SECTOR_RAW - VD_AT_EDC_MODE1);
		buf += size;
		if (with_q) {
			put_q(f, lba, buf);
			buf += 16;
		}
	}
	return 0;
}

static int fake_command(struct vd_transport *m, const uint8_t cdb[VD_CDB], void *buf, size_t len,
			struct vd_sense *s)
{
	struct fake *f = (struct fake *)m;
	uint8_t a[8] = { 0 };

	f->commands++;
	if (f->pending_times) {
		f->pending_times--;
		*s = f->pending;
		return -EIO;
	}
	switch (cdb[0]) {
	case 0x00:
		return 0;
	case 0x25:
		vd_put_be32(a, (uint32_t)(vd_disc_size(f->disc) / VD_SECTOR_USER) - 1);
		vd_put_be32(a + 4, VD_SECTOR_USER);
		put(buf, len, a, sizeof(a));
		return 0;
	case 0x28:
		return answer_read(f, (int32_t)vd_get_be32(cdb + 2), vd_get_be16(cdb + 7), false,
				   false, false, buf, len, s);
	case 0x42:
		return answer_code(f, cdb, buf, len, s);
	case 0x43:
		return answer_toc(f, cdb, buf, len, s);
	case 0x46:
		if (f->no_configuration)
			return refuse(s, 5, 0x20, 0);
		vd_put_be16(a + 6, (uint16_t)f->profile);
		put(buf, len, a, sizeof(a));
		return 0;
	case 0xbe:
		if (f->no_read_cd)
			return refuse(s, 5, 0x20, 0);
		return answer_read(f, (int32_t)vd_get_be32(cdb + 2), vd_get_be16(cdb + 7), true,
				   cdb[1] == 0x04, cdb[10] == 2, buf, len, s);
	default:
		return refuse(s, 5, 0x20, 0);
	}
}

static void fake_close(struct vd_transport *m)
{
	((struct fake *)m)->closed++;
}

static struct fake *fake_new(struct vd_disc *d)
{
	struct fake *f = check_alloc(sizeof(*f));

	*f = (struct fake){ .mmc = { .command = fake_command, .close = fake_close },
			    .disc = d,
			    .profile = VD_MEDIA_CD_ROM,
			    .bad_sense = { 3, 0x11, 0x05 } };
	return f;
}

static struct vd_disc *open_fake(struct fake *f)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	int r = vd_physical_open(&f->mmc, &d, &err);

	if (r)
		ASSERT_FAIL("%s (%s)", err.text, check_errno_name(r));
	return d;
}

static void check_refused(struct fake *f, int code, const char *words)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	CHECK_ERRNO(vd_physical_open(&f->mmc, &d, &err), code);
	CHECK_STR(err.text, words);
	CHECK(!d);
	CHECK_UINT(f->closed, 1);
}

/* All that the disc has comes out of the drive, whichever way that writes numbers, and whether or not it says what it is. */
static void test_everything(void)
{
	struct vd_disc *d = fixture_disc(EVERYTHING);

	for (int i = 0; i < 4; i++) {
		struct fake *f = fake_new(d);
		struct vd_disc *got;

		f->binary_q = i & 1;
		f->no_configuration = i & 2;
		f->mcn_often = i == 3;
		got = open_fake(f);
		if (got) {
			got->media = d->media;
			fixture_same(d, got, check_printf("the disc in drive %d", i));
			CHECK_INT(got->extents[0].layout, VD_LAYOUT_2352);
			vd_disc_close(got);
		}
		CHECK_UINT(f->closed, 1);
	}
	vd_disc_close(d);
}

/* Without Q a pregap is not known, but that there must be one where data and audio meet. */
static void test_no_pregaps_told(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *got;
	struct fake *f = fake_new(d);

	f->no_q = f->no_codes = f->no_full_toc = true;
	got = open_fake(f);
	ASSERT_UINT(got->ntracks, 3);
	CHECK_UINT(d->tracks[1].pregap, 150);
	CHECK_UINT(d->tracks[2].pregap, 75);
	CHECK_UINT(got->tracks[1].pregap, 150);
	CHECK_UINT(got->tracks[2].pregap, 0);
	CHECK_INT(got->tracks[2].start, d->tracks[2].start);
	vd_disc_close(got);
	vd_disc_close(d);
}

/* Data without its codes, or no READ CD at all: user data is what there is, the rest is computed, and comes out right. */
static void test_user_data_only(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS | FIX_MCN), *got;
	struct fake *f = fake_new(d);

	f->no_ecc = true;
	got = open_fake(f);
	got->media = d->media;
	fixture_same(d, got, "a drive that makes EDC and ECC up");
	CHECK_INT(got->extents[0].layout, VD_LAYOUT_2048);
	vd_disc_close(got);

	/* The first track of the same disc. */
	f = fake_new(d);
	f->no_read_cd = true;
	got = open_fake(f);
	CHECK_INT(got->extents[0].layout, VD_LAYOUT_2048);
	uint8_t a[VD_SECTOR_RAW], b[VD_SECTOR_RAW];

	CHECK_OK(vd_disc_read_sectors(d, 16, 1, VD_READ_MAIN, a));
	CHECK_OK(vd_disc_read_sectors(got, 16, 1, VD_READ_MAIN, b));
	CHECK_MEM(b, a, sizeof(a));
	vd_disc_close(got);
	vd_disc_close(d);
}

static void test_dvd(void)
{
	struct vd_disc *d = fixture_disc(0), *got;
	struct fake *f = fake_new(d);
	uint8_t a[VD_SECTOR_USER], b[VD_SECTOR_USER];

	f->profile = VD_MEDIA_DVD_ROM;
	got = open_fake(f);
	CHECK_INT(got->media, VD_MEDIA_DVD_ROM);
	CHECK_UINT(got->ntracks, 1);
	CHECK_UINT(vd_disc_size(got), vd_disc_size(d));
	CHECK_OK(vd_disc_pread(d, a, sizeof(a), 16 * 2048));
	CHECK_OK(vd_disc_pread(got, b, sizeof(b), 16 * 2048));
	CHECK_MEM(b, a, sizeof(a));
	vd_disc_close(got);
	vd_disc_close(d);
}

/* One bad sector costs itself, not those that are read along with it. */
static void test_bad_sector(void)
{
	struct vd_disc *d = fixture_disc(FIX_PREGAPS), *got;
	struct fake *f = fake_new(d);
	const int32_t bad = d->tracks[0].start + 20;
	struct vd_error err = { "" };
	uint8_t a[VD_SECTOR_RAW], b[VD_SECTOR_RAW];

	f->bad = bad;
	got = open_fake(f);
	CHECK_ERRNO(vd_physical_error(got, -EIO, &err), -EIO);
	CHECK_STR(err.text, "");
	for (int32_t lba = bad - 3; lba < bad + 3; lba++) {
		int r = vd_disc_read_sectors(got, lba, 1, VD_READ_MAIN, a);

		CHECK_ERRNO(r, lba == bad ? -EIO : 0);
		CHECK_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, b));
		if (!r)
			CHECK_MEM(a, b, sizeof(a));
	}
	CHECK_ERRNO(vd_physical_error(got, -ENOMEM, &err), -ENOMEM);
	CHECK_STR(err.text, "");
	CHECK_ERRNO(vd_physical_error(got, -EIO, &err), -EIO);
	CHECK_STR(
		err.text,
		check_printf(
			"cannot read sector %d: medium error: L-EC uncorrectable error (sense 3/11/05)",
			bad));
	vd_disc_close(got);
	vd_disc_close(d);
}

/* A reset is told once. A changed disc is another one, even if that can be read. */
static void test_attention(void)
{
	struct vd_disc *d = fixture_disc(0), *got;
	struct fake *f = fake_new(d);
	struct vd_error err = { "" };
	uint8_t user[VD_SECTOR_USER], raw[VD_SECTOR_RAW];
	const int32_t music = d->tracks[1].start + 2;

	f->no_ecc = true;
	f->pending = (struct vd_sense){ 6, 0x28, 0 };
	f->pending_times = 1;
	got = open_fake(f);
	f->pending = (struct vd_sense){ 6, 0x29, 0 };
	f->pending_times = 1;
	CHECK_OK(vd_disc_pread(got, user, sizeof(user), 60 * 2048));
	CHECK_OK(vd_disc_read_sectors(got, music, 1, VD_READ_MAIN, raw));
	f->pending = (struct vd_sense){ 6, 0x28, 0 };
	f->pending_times = 1;
	CHECK_ERRNO(vd_disc_pread(got, user, sizeof(user), 16 * 2048), -EIO);
	CHECK_ERRNO(vd_disc_pread(got, user, sizeof(user), 16 * 2048), -EIO);
	/* What was read before of audio, in another way, is of the disc before. */
	CHECK_ERRNO(vd_disc_read_sectors(got, music, 1, VD_READ_MAIN, raw), -EIO);
	vd_physical_error(got, -EIO, &err);
	CHECK_STR(err.text,
		  check_printf("cannot read sector %d: the disc is not in the drive any more",
			       music));
	vd_disc_close(got);
	vd_disc_close(d);
}

static void test_run_out(void)
{
	struct vd_disc *d = fixture_disc(0), *got;
	struct fake *f = fake_new(d);
	const int32_t end = d->tracks[0].start + (int32_t)d->tracks[0].length;
	uint8_t user[VD_SECTOR_USER], zeros[VD_SECTOR_USER] = { 0 };

	d->ntracks = d->sessions[0].ntracks = 1;
	d->sessions[0].leadout = end;
	f->run_out = end - 2;
	got = open_fake(f);
	CHECK_UINT(got->tracks[0].length, d->tracks[0].length);
	CHECK_UINT(got->extents[0].length, d->tracks[0].length - 2);
	CHECK_OK(vd_disc_pread(got, user, sizeof(user), (uint64_t)(end - 1) * 2048));
	CHECK_MEM(user, zeros, sizeof(user));
	CHECK_OK(vd_disc_pread(got, user, sizeof(user), (uint64_t)(end - 3) * 2048));
	vd_disc_close(got);
	d->ntracks = d->sessions[0].ntracks = 3;
	vd_disc_close(d);
}

static void test_not_ready(void)
{
	struct vd_disc *d = fixture_disc(0), *got;
	struct fake *f = fake_new(d);

	f->pending = (struct vd_sense){ 2, 0x3a, 1 };
	f->pending_times = 1;
	check_refused(f, -ENOMEDIUM, "there is no disc in the drive");
	f = fake_new(d);
	f->pending = (struct vd_sense){ 2, 0x3a, 2 };
	f->pending_times = 1;
	check_refused(f, -ENOMEDIUM, "there is no disc in the drive: its tray is open");
	f = fake_new(d);
	f->pending = (struct vd_sense){ 2, 0x30, 0 };
	f->pending_times = 1;
	check_refused(f, -EIO,
		      "the drive: not ready: the drive cannot read such a disc (sense 2/30/00)");
	f = fake_new(d);
	f->pending_times = 3;
	check_refused(f, -EIO, "the drive: the drive does not answer");
	f = fake_new(d);
	f->pending = (struct vd_sense){ 2, 0x04, 1 };
	f->pending_times = 2;
	got = open_fake(f);
	vd_disc_close(got);
	vd_disc_close(d);
}

static void test_tocs(void)
{
	static const uint8_t empty[] = { 0, 2, 1, 1 };
	static const uint8_t backwards[] = { 0, 46, 1,	  1,	1,    0x14, 0, 0xa2, 0, 0, 0, 0,
					     0, 3,  0,	  1,	0x14, 0,    1, 0,    0, 0, 0, 0,
					     2, 10, 1,	  0x14, 0,    2,    0, 0,    0, 0, 0, 2,
					     5, 1,  0x14, 0,	0xa0, 0,    0, 0,    0, 1, 0, 0 };
	struct vd_disc *d = fixture_disc(FIX_SESSIONS);
	struct fake *f = fake_new(d);
	uint8_t noise[600];
	uint32_t seed = 1;

	f->toc = empty;
	f->toc_len = sizeof(empty);
	check_refused(f, -ENODATA, "the table of contents: No data available");
	f = fake_new(d);
	f->toc = backwards;
	f->toc_len = sizeof(backwards);
	check_refused(f, -EINVAL, "the table of contents: track 1 ends before it begins");
	f = fake_new(d);
	f->no_full_toc = true;
	check_refused(f, -EOPNOTSUPP,
		      "the drive does not tell where the sessions of the disc begin");
	/* Whatever a drive says, there is an end to it. */
	for (int i = 0; i < 500; i++) {
		struct vd_error err = { "" };
		struct vd_disc *got = NULL;
		int r;

		for (size_t k = 0; k < sizeof(noise); k++) {
			seed = seed * 1103515245 + 12345;
			noise[k] = (uint8_t)(seed >> 16);
			/* Mostly what an entry has, so that some are taken. */
			if (k > 4 && seed & 0x40000000)
				noise[k] = (k - 4) % 11 == 1   ? 0x14
					   : (k - 4) % 11 == 0 ? 1
							       : noise[k] & 7;
		}
		f = fake_new(d);
		f->no_read_cd = f->no_codes = true;
		f->toc = noise;
		f->toc_len = sizeof(noise);
		r = vd_physical_open(&f->mmc, &got, &err);
		CHECK_INT(!r, got != NULL);
		CHECK_INT(!r, !err.text[0]);
		CHECK(f->commands < 2000);
		vd_disc_close(got);
	}
	vd_disc_close(d);
}

/* A file is none, nor is what there is when there is none. */
static void test_no_drive(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(!vd_physical_is_drive(fd));
	CHECK(!vd_physical_is_drive(-1));
	close(fd);
	fd = open(check_tmpdir(), O_RDONLY | O_CLOEXEC);
	CHECK(!vd_physical_is_drive(fd));
	close(fd);
}

static const struct check_test tests[] = {
	{ "everything", test_everything },
	{ "no_pregaps_told", test_no_pregaps_told },
	{ "user_data_only", test_user_data_only },
	{ "dvd", test_dvd },
	{ "bad_sector", test_bad_sector },
	{ "attention", test_attention },
	{ "run_out", test_run_out },
	{ "not_ready", test_not_ready },
	{ "tocs", test_tocs },
	{ "no_drive", test_no_drive },
};

CHECK_MAIN(tests)
