// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a drive plays, in a WAV file: the drive and the disc are real (disc_fixture.h), the clock and whoever reads for the recorder
 * are the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "disc/sector.h"
#include "disc_fixture.h"
#include "mmc_run.h"
#include "userspace/vdrived/process.h"
#include "userspace/vdrived/recorder.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define HEADER 44u
#define MS UINT64_C(1000000)
#define SOUND 450 /* track 2 */

static struct vd_disc *disc;
static struct vd_jobs jobs;
static struct mmc_run *drive;
static struct vd_recorder *recorder;
static int open_recorders;
static char logged[1024];

/* Of the reading. */
static bool slow;	 /* nothing is answered */
static int32_t bad = -1; /* cannot be read */
static bool not_ready;	 /* nothing can, now */
static int32_t asked_lba;
static uint32_t asked_n;

/* What the daemon says goes here. */
void vd_log(int priority, const char *fmt, ...)
{
	va_list ap;

	(void)priority;
	va_start(ap, fmt);
	vsnprintf(logged, sizeof(logged), fmt, ap);
	va_end(ap);
}

static void setup(void)
{
	struct vd_error err;

	disc = fixture_disc(FIX_ALL);
	ASSERT_OK(vd_jobs_start(&jobs, 1, &err));
	signal(SIGXFSZ, SIG_IGN);
}

static void teardown(void)
{
	vd_disc_close(disc);
}

static char *wav(void)
{
	return check_printf("%s/sound.wav", check_tmpdir());
}

static void start(void)
{
	int fd = open(wav(), O_RDWR | O_CREAT, 0600);

	ASSERT(fd >= 0);
	slow = not_ready = false;
	bad = -1;
	logged[0] = '\0';
	recorder = vd_recorder_new(fd, &jobs, &drive->mmc, drive->now);
	ASSERT(recorder != NULL);
	open_recorders++;
}

static void begin(void)
{
	unlink(wav());
	drive = mmc_run_new(disc);
	start();
}

static void answer(int32_t lba, uint32_t n)
{
	static uint8_t data[64][VD_SECTOR_RAW];
	bool good = !not_ready && (bad < lba || bad >= lba + (int32_t)n);

	ASSERT(n && n <= 64);
	for (uint32_t i = 0; good && i < n; i++)
		ASSERT_OK(vd_disc_read_sectors(disc, lba + (int32_t)i, 1, VD_READ_MAIN, data[i]));
	vd_recorder_give(recorder, lba, n, good ? data[0] : NULL, not_ready);
}

/* What the keeper does, again and again. */
static void tick(void)
{
	struct pollfd pfd = { .fd = jobs.fd, .events = POLLIN };

	if (poll(&pfd, 1, 0) > 0)
		vd_jobs_collect(&jobs);
	vd_recorder_hear(recorder, &drive->mmc, drive->now);
	while (!slow && vd_recorder_wants(recorder, &asked_lba, &asked_n)) {
		answer(asked_lba, asked_n);
		if (not_ready)
			break;
	}
}

static void command(const char *cdb)
{
	vd_recorder_hear(recorder, &drive->mmc, drive->now);
	CHECK_UINT(mmc_do(drive, cdb), GOOD);
	vd_recorder_turn(recorder, &drive->mmc);
}

/* So many sectors go by. */
static void pass(unsigned int sectors)
{
	const uint64_t until = drive->now + sectors * (1000 * MS / 75) + MS;

	while (drive->now < until) {
		tick();
		drive->now += 40 * MS;
		if (drive->now > until)
			drive->now = until;
	}
	tick();
}

static void end(void)
{
	struct pollfd pfd = { .fd = jobs.fd, .events = POLLIN };
	const int before = open_recorders;

	vd_recorder_hear(recorder, &drive->mmc, drive->now);
	vd_recorder_end(recorder, &open_recorders);
	recorder = NULL;
	for (int i = 0; i < 100 && open_recorders == before; i++) {
		if (poll(&pfd, 1, 100) > 0)
			vd_jobs_collect(&jobs);
	}
	ASSERT(open_recorders == before - 1);
}

/* What the file must hold: sectors of the disc in that order. */
static uint8_t expected[1200][VD_SECTOR_RAW];
static size_t nexpected;

static void expect(int32_t lba, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		ASSERT(nexpected < 1200);
		ASSERT_OK(vd_disc_read_sectors(disc, lba + (int32_t)i, 1, VD_READ_MAIN,
					       expected[nexpected++]));
	}
}

static void expect_silence(unsigned int n)
{
	memset(expected[nexpected], 0, n * VD_SECTOR_RAW);
	nexpected += n;
}

static void check_wav(void)
{
	const size_t bytes = nexpected * VD_SECTOR_RAW;
	size_t len;
	const uint8_t *got = (const uint8_t *)check_read_file(wav(), &len);
	static const uint8_t format[] = { 'W', 'A', 'V', 'E', 'f', 'm',	 't',  ' ', 16,	 0,    0,
					  0,   1,   0,	 2,   0,   0x44, 0xac, 0,   0,	 0x10, 0xb1,
					  2,   0,   4,	 0,   16,  0,	 'd',  'a', 't', 'a' };

	nexpected = 0;
	CHECK_UINT(len, bytes ? HEADER + bytes : 0);
	if (!bytes || len != HEADER + bytes)
		return;
	CHECK_MEM(got, "RIFF", 4);
	CHECK_UINT(vd_get_le32(got + 4), len - 8);
	CHECK_MEM(got + 8, format, sizeof(format));
	CHECK_UINT(vd_get_le32(got + 40), bytes);
	CHECK_MEM(got + HEADER, expected, bytes);
}

static void test_plays(void)
{
	begin();
	CHECK(!vd_recorder_busy(recorder));
	command("45 00 000001c2 00 0096 00");
	CHECK(vd_recorder_busy(recorder));
	pass(100);
	pass(100);
	expect(SOUND, 150);
	end();
	check_wav();
	/* Nothing that plays: an empty file. */
	begin();
	pass(10);
	end();
	check_wav();
}

/* To the sector, whatever happens between two ticks. */
static void test_turns(void)
{
	begin();
	command("45 00 000001c2 00 0096 00");
	pass(40);
	drive->now += 100 * MS; /* 7.5 sectors that no tick saw */
	command("4b 00 00 00 00 00 00 00 00 00");
	pass(300);
	command("4b 00 00 00 00 00 00 00 01 00");
	pass(20);
	expect(SOUND, 67); /* the sector in which the pause came sounds once */
	/* Elsewhere; the same again; a scan; from there on. */
	command("45 00 00000339 00 0032 00");
	pass(30);
	expect(0x339, 30);
	command("45 00 00000339 00 0032 00");
	pass(10);
	expect(0x339, 10);
	command("ba 00 000001c2 00 00 00 00 00 00");
	pass(15);
	command("4b 00 00 00 00 00 00 00 00 00");
	command("4b 00 00 00 00 00 00 00 01 00");
	pass(10);
	expect(SOUND + 150, 10);
	command("4e 00 00 00 00 00 00 00 00 00");
	pass(50);
	/* Ejected while it plays. */
	command("45 00 000001c2 00 0096 00");
	pass(60);
	expect(SOUND, 60);
	CHECK(vd_recorder_busy(recorder));
	end();
	check_wav();
}

/* SOTC: with the track it ends; without it, it goes on. */
static void test_tracks(void)
{
	static const uint8_t page[] = { 0, 0, 0, 0,  0, 0,    0, 0,    0x0e, 14, 0x06, 0,
					0, 0, 0, 75, 1, 0xff, 2, 0xff, 0,    0,	 0,    0 };

	begin();
	vd_recorder_hear(recorder, &drive->mmc, drive->now);
	CHECK_UINT(mmc_do_out(drive, "55 10 00 00 00 00 00 0018 00", page, sizeof(page)), GOOD);
	command("45 00 000002d0 00 0064 00");
	pass(200);
	expect(0x2d0, 750 - 0x2d0);
	CHECK_UINT(mmc_do(drive, "42 00 40 01 00 00 00 0010 00"), GOOD);
	CHECK_UINT(drive->buf[1], VD_AUDIO_COMPLETED);
	end();
	check_wav();
}

static void test_volume(void)
{
	/* Both to the left at half of it; right to the right. */
	static const uint8_t page[] = { 0, 0, 0, 0,  0, 0,   0, 0,    0x0e, 14, 0x04, 0,
					0, 0, 0, 75, 3, 127, 2, 0xff, 0,    0,	0,    0 };
	static const uint8_t swapped[] = { 0, 0, 0, 0,	0, 0,	 0, 0,	  0x0e, 14, 0x04, 0,
					   0, 0, 0, 75, 2, 0xff, 0, 0xff, 0,	0,  0,	  0 };

	begin();
	CHECK_UINT(mmc_do_out(drive, "55 10 00 00 00 00 00 0018 00", page, sizeof(page)), GOOD);
	command("45 00 000001c2 00 000a 00");
	pass(20);
	CHECK_UINT(mmc_do_out(drive, "55 10 00 00 00 00 00 0018 00", swapped, sizeof(swapped)),
		   GOOD);
	command("45 00 000001c2 00 000a 00");
	pass(20);
	end();
	expect(SOUND, 10);
	expect(SOUND, 10);
	for (size_t i = 0; i < 20; i++)
		for (size_t k = 0; k < VD_SECTOR_RAW; k += 4) {
			uint8_t *p = expected[i] + k;
			const int left = (int16_t)vd_get_le16(p);
			const int right = (int16_t)vd_get_le16(p + 2);

			vd_put_le16(p, (uint16_t)(i < 10 ? (left + right) / 2 * 127 / 255 : right));
			vd_put_le16(p + 2, (uint16_t)(i < 10 ? right : 0));
		}
	check_wav();
}

/* One that cannot be read is silent, and no other. A reader that comes late is waited for; but not beyond what comes next. */
static void test_unread(void)
{
	begin();
	bad = SOUND + 33;
	command("45 00 000001c2 00 0096 00");
	pass(160);
	expect(SOUND, 33);
	expect_silence(1);
	expect(SOUND + 34, 116);
	bad = -1;
	not_ready = true;
	command("45 00 000001c2 00 0096 00");
	pass(200);
	not_ready = false;
	pass(1);
	expect(SOUND, 150);
	slow = true;
	command("45 00 000001c2 00 0096 00");
	pass(30);
	tick();
	CHECK(vd_recorder_wants(recorder, &asked_lba, &asked_n));
	CHECK_INT(asked_lba, SOUND);
	command("45 00 00000339 00 0032 00");
	/* That answer is too late. */
	answer(asked_lba, asked_n);
	slow = false;
	pass(60);
	expect_silence(30);
	expect(0x339, 50);
	end();
	check_wav();
	CHECK_STR(logged, "");
}

/* A new keeper's goes on with the file, and from where the sound is. */
static void test_again(void)
{
	begin();
	command("45 00 000001c2 00 0096 00");
	pass(60);
	expect(SOUND, 60);
	end();
	drive->now += 1000 * MS / 75 * 20;
	start();
	pass(100);
	expect(SOUND + 80, 70);
	end();
	check_wav();
}

static void test_full(void)
{
	const struct rlimit limit = { HEADER + 100000, RLIM_INFINITY };
	struct rlimit before;
	size_t len;

	ASSERT(!getrlimit(RLIMIT_FSIZE, &before));
	begin();
	command("45 00 000001c2 00 0096 00");
	ASSERT(!setrlimit(RLIMIT_FSIZE, &limit));
	pass(30);
	for (int i = 0; i < 500 && !*logged; i++) {
		usleep(20000);
		pass(5);
	}
	end();
	ASSERT(!setrlimit(RLIMIT_FSIZE, &before));
	CHECK_HAS(logged, "/sound.wav: File too large: nothing more is written to it");
	check_read_file(wav(), &len);
	CHECK(len <= HEADER + 100000);
}

static void test_check(void)
{
	struct vd_error err;
	int fds[2], fd;

	begin();
	end();
	ASSERT(!pipe(fds));
	CHECK_INT(vd_recorder_check(fds[1], &err), -EINVAL);
	CHECK_INT(vd_recorder_check(-1, &err), -EBADF);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 4; i++) {
		static const struct {
			int flags, code;
		} ways[] = { { O_RDONLY, -EBADF },
			     { O_WRONLY | O_APPEND, -EBADF },
			     { O_WRONLY, 0 },
			     { O_RDWR, 0 } };

		fd = open(wav(), ways[i].flags);
		ASSERT(fd >= 0);
		CHECK_INT(vd_recorder_check(fd, &err), ways[i].code);
		close(fd);
	}
}

static const struct check_test tests[] = {
	{ "plays", test_plays },   { "turns", test_turns },   { "tracks", test_tracks },
	{ "volume", test_volume }, { "unread", test_unread }, { "again", test_again },
	{ "full", test_full },	   { "check", test_check },
};

CHECK_MAIN_WITH(tests, setup, teardown)
