// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What people read discs with, on /dev/srN of ours: what each program says or copies is what the disc was made of. Only in a guest
 * (VDRIVE_VM_SERIES), with udev. VDRIVE_SOAK: more rounds.
 *
 * The discs are images in the work folder, made by the setup:
 *
 *     sound.cue    4 audio tracks of noise, with a catalogue number, ISRCs and a pregap
 *     multi.cue    the fixture of unit tests: 3 sessions, data in mode 1 and 2, sound, CD-TEXT
 *     data.iso     a CD: ISO 9660 with Rock Ridge and Joliet, by genisoimage
 *     other.iso    another one
 *     video.iso    a DVD: UDF bridge with a DVD-Video
 *     udf.iso      a DVD: UDF as Linux writes it
 *     large.iso    a BD of 25 GB: UDF, and marks where 16 GB and the disc end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../unit/disc_fixture.h"
#include "cdrom.h"
#include "dvdvideo.h"
#include "scsi.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define DVD_BYTES "1G"
#define BD_SECTORS 12219392 /* MMC-6: a layer of a BD */
#define NTRACKS 4
#define TRACK 310 /* sectors */
#define PREGAP 40 /* of track 3, stored */

static const char *device;
static uint8_t *sound; /* what lies in sound.bin */
#define SOUND_SECTORS (NTRACKS * TRACK)

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* Discs. */

static void make_sound(void)
{
	const char *sheet = "CATALOG 4012345678901\nFILE \"sound.bin\" BINARY\n";
	const size_t len = (size_t)SOUND_SECTORS * VD_SECTOR_RAW;
	uint32_t x = 7;

	sound = malloc(len);
	ASSERT(sound != NULL);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		sound[i] = (uint8_t)(x >> 24);
	}
	check_write_file(cli_path("sound.bin"), sound, len);
	for (int i = 1; i <= NTRACKS; i++) {
		const int at = (i - 1) * TRACK;

		sheet = check_printf("%s  TRACK %02d AUDIO\n    ISRC DEABC260000%d\n", sheet, i, i);
		if (i == 3)
			sheet = check_printf("%s    INDEX 00 00:%02d:%02d\n", sheet,
					     (at - PREGAP) / 75, (at - PREGAP) % 75);
		sheet = check_printf("%s    INDEX 01 00:%02d:%02d\n", sheet, at / 75, at % 75);
	}
	check_write_file(cli_path("sound.cue"), sheet, strlen(sheet));
}

static void make_discs(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL);

	fixture_write_cue(d, "multi");
	vd_disc_close(d);
	cdrom_make(check_printf("mv '%s'/multi.* .", check_tmpdir()));
	make_sound();
	cdrom_make("mkdir -p tree/deep/er/est tree/many video udf && echo hello >tree/hello.txt && "
		   "head -c 700000 /dev/urandom >tree/deep/er/est/random.dat && : >tree/empty && "
		   "for i in $(seq 120); do echo $i >tree/many/a-rather-long-name-$i.text; done && "
		   "ln -s deep/er tree/link && "
		   "genisoimage -quiet -R -J -V VDRIVE_CD -o data.iso tree");
	cdrom_make("mkdir other && head -c 3000000 /dev/urandom >other/only && "
		   "genisoimage -quiet -R -V OTHER -o other.iso other && rm -r other");
	dvdvideo_make(cli_path("video"), 400);
	cdrom_make("genisoimage -quiet -dvd-video -udf -V VDRIVE_DVD -o video.iso video && "
		   "truncate -s " DVD_BYTES " video.iso");
	cdrom_make(
		"mkdir mnt && truncate -s " DVD_BYTES " udf.iso && "
		"mkudffs --utf8 -b 2048 -m hd -l VDRIVE_UDF udf.iso >/dev/null && mount -o loop udf.iso mnt && "
		"cp -a tree/. mnt/ && umount mnt");
	cdrom_make(check_printf(
		"truncate -s %llu large.iso && mkudffs --utf8 -b 2048 -m hd -l VDRIVE_BD large.iso >/dev/null && "
		"mount -o loop large.iso mnt && cp -a tree/. mnt/ && umount mnt",
		(unsigned long long)BD_SECTORS * 2048));
}

static void setup(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	cli_setup();
	cli_become(false);
	cdrom_start_udev(RULES);
	make_discs();
	device = cdrom_add("clients");
	cdrom_make("udevadm settle");
}

static void teardown(void)
{
	if (!getenv("VDRIVE_VM_SERIES"))
		return;
	cdrom_remove("clients");
	free(sound);
}

static void insert(const char *image)
{
	cdrom_insert("clients", image);
}

static int drive_status(void)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT(fd >= 0);
	return ioctl(fd, CDROM_DRIVE_STATUS, CDSL_CURRENT);
}

/* cdrom_id and blkid. */

struct medium {
	const char *image;
	const char *id;		  /* lines of cdrom_id that begin with ID_CDROM_MEDIA, sorted */
	const char *label, *type; /* of blkid; NULL: it finds nothing */
};

/* It says nothing of the state of a CD-ROM. */
static const struct medium media[] = {
	{ NULL, "", NULL, NULL },
	{ "sound.cue",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_CD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=4\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_AUDIO=4\n",
	  NULL, NULL },
	/* The last session begins at LBA 19725: three tracks of 300 with pregaps of 150 and 75, 11400, 300, 6900. It is what blkid looks at. */
	{ "multi.cue",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_CD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=3\n"
	  "ID_CDROM_MEDIA_SESSION_LAST_OFFSET=40396800\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=6\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_AUDIO=3\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_DATA=3\n",
	  "SESSION3", "iso9660" },
	{ "data.iso",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_CD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1\n",
	  "VDRIVE_CD", "iso9660" },
	{ "video.iso",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_DVD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=1\n"
	  "ID_CDROM_MEDIA_STATE=complete\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1\n",
	  "VDRIVE_DVD", "udf" },
	{ "udf.iso",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_DVD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=1\n"
	  "ID_CDROM_MEDIA_STATE=complete\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1\n",
	  "VDRIVE_UDF", "udf" },
	{ "large.iso",
	  "ID_CDROM_MEDIA=1\n"
	  "ID_CDROM_MEDIA_BD=1\n"
	  "ID_CDROM_MEDIA_SESSION_COUNT=1\n"
	  "ID_CDROM_MEDIA_STATE=complete\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT=1\n"
	  "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1\n",
	  "VDRIVE_BD", "udf" },
};

static void test_identified(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(media); i++) {
		const struct medium *m = &media[i];
		struct check_cmd *c;

		if (m->image)
			insert(m->image);
		/* By itself, and as udev came to know it. */
		c = cli("/lib/udev/cdrom_id %s | grep ^ID_CDROM_MEDIA | sort", device);
		CHECK_STR(c->out, m->id);
		c = cli("udevadm info -q property %s | grep ^ID_CDROM_MEDIA | sort", device);
		CHECK_STR(c->out, m->id);
		c = cli("blkid -p -o value -s TYPE %s", device);
		CHECK_STR(c->out, m->type ? check_printf("%s\n", m->type) : "");
		c = cli("blkid -p -o value -s LABEL %s", device);
		CHECK_STR(c->out, m->label ? check_printf("%s\n", m->label) : "");
		if (m->type)
			CHECK_STR(
				CLI_OK(check_printf("readlink -f /dev/disk/by-label/%s", m->label)),
				check_printf("%s\n", device));
	}
	/* What the drive is, whatever is in it. */
	CHECK_HAS(cli("udevadm info -q property %s", device)->out, "\nID_CDROM_DVD=1\n");
	CHECK_HAS(cli("udevadm info -q property %s", device)->out, "\nID_CDROM_BD=1\n");
}

/* cd-info. */

static void test_cd_info(void)
{
	const char *out;

	insert("sound.cue");
	out = cli("cd-info --no-header --no-device-info --no-cddb -C %s 2>&1", device)->out;
	CHECK_HAS(out, "Disc mode is listed as: CD-DA");
	CHECK_HAS(out, "Media Catalog Number (MCN): 4012345678901");
	CHECK_HAS(out, "TRACK  3 ISRC: DEABC2600003");
	CHECK_HAS(out, "  2: 00:06:10  000310 audio  false  no    2        no");
	CHECK_HAS(out, "170: 00:18:40  001240 leadout");
	insert("multi.cue");
	out = cli("cd-info --no-header --no-device-info --no-cddb -C %s 2>&1", device)->out;
	CHECK_HAS(out, "  1: 00:02:00  000000 data");
	CHECK_HAS(out, "  6: ");
	CHECK_HAS(out, "TITLE: The Whole Disc");
	CHECK_HAS(out, "PERFORMER: Various");
	CHECK_HAS(out, "CD-ROM");
	insert("data.iso");
	out = cli("cd-info --no-header --no-device-info --no-cddb -C %s 2>&1", device)->out;
	CHECK_HAS(out, "ISO 9660: ");
	CHECK_HAS(out, "VDRIVE_CD");
}

/* Copiers of sound. */

static void check_sound(const char *name)
{
	size_t len;
	const char *got = check_read_file(cli_path(name), &len);

	CHECK_UINT(len, (size_t)SOUND_SECTORS * VD_SECTOR_RAW);
	if (len == (size_t)SOUND_SECTORS * VD_SECTOR_RAW)
		CHECK_MEM(got, sound, len);
}

/* cdparanoia, which reads everything more than once; then as fast as it can. */
static void test_cdparanoia(void)
{
	struct check_cmd *c;

	insert("sound.cue");
	c = cli("cdparanoia -d %s -q -r 1- out.raw", device);
	CHECK_INT(c->status, 0);
	check_sound("out.raw");
	c = cli("rm out.raw; cdparanoia -d %s -Z -q -r 1- out.raw", device);
	CHECK_INT(c->status, 0);
	check_sound("out.raw");
	c = cli("rm out.raw; cdparanoia -d %s -Q", device);
	CHECK_HAS(c->err, "  3.      310 [00:04.10]      620 [00:08.20]");
	CHECK_HAS(c->err, "TOTAL    1240 [00:16.40]");
}

/* Played by the kernel's own calls, into a file. */

static struct cdrom_msf msf_of(int from, int to)
{
	from += 150;
	to += 150;
	return (struct cdrom_msf){
		.cdmsf_min0 = (uint8_t)(from / 4500),
		.cdmsf_sec0 = (uint8_t)(from / 75 % 60),
		.cdmsf_frame0 = (uint8_t)(from % 75),
		.cdmsf_min1 = (uint8_t)(to / 4500),
		.cdmsf_sec1 = (uint8_t)(to / 75 % 60),
		.cdmsf_frame1 = (uint8_t)(to % 75),
	};
}

/* Waits until it is no longer so. */
static int wait_while(int fd, int status)
{
	struct cdrom_subchnl q;

	for (int i = 0; i < 600; i++) {
		memset(&q, 0, sizeof(q));
		q.cdsc_format = CDROM_MSF;
		if (ioctl(fd, CDROMSUBCHNL, &q))
			return -errno;
		if (q.cdsc_audiostatus != status)
			return q.cdsc_audiostatus;
		pause_ms(100);
	}
	return -ETIMEDOUT;
}

static void test_play(void)
{
	const int from = 200, n = 400; /* tracks 1 and 2 */
	struct cdrom_msf msf = msf_of(from, from + n);
	const char *got;
	size_t len;
	int fd;

	CLI_OK("vdrive eject --force clients && vdrive insert --wav played.wav sound.cue clients && udevadm settle");
	CLI_FAILS("vdrive insert --replace --wav played.wav sound.cue clients", 1,
		  "played.wav: File exists");
	CLI_FAILS("vdrive insert --wav other.wav sound.cue clients", 1, "there is a disc");
	CHECK(access(cli_path("other.wav"), F_OK));
	fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_INT(ioctl(fd, CDROMPLAYMSF, &msf), 0);
	pause_ms(2000);
	CHECK_INT(ioctl(fd, CDROMPAUSE), 0);
	CHECK_INT(wait_while(fd, CDROM_AUDIO_PLAY), CDROM_AUDIO_PAUSED);
	pause_ms(500);
	CHECK_INT(ioctl(fd, CDROMRESUME), 0);
	CHECK_INT(wait_while(fd, CDROM_AUDIO_PLAY), CDROM_AUDIO_COMPLETED);
	close(fd);
	/* 5.3 s of it, and the header; written in pieces, by a machine that may be busy. */
	for (int i = 0; i < 100; i++) {
		got = check_read_file(cli_path("played.wav"), &len);
		if (len >= 44 + (size_t)n * VD_SECTOR_RAW)
			break;
		pause_ms(100);
	}
	CLI_OK("vdrive eject clients");
	got = check_read_file(cli_path("played.wav"), &len);
	CHECK_UINT(len, 44 + (size_t)n * VD_SECTOR_RAW);
	if (len == 44 + (size_t)n * VD_SECTOR_RAW)
		CHECK_MEM(got + 44, sound + (size_t)from * VD_SECTOR_RAW,
			  (size_t)n * VD_SECTOR_RAW);
}

/* All that is in the main channel of the program area. */
static void check_same_sectors(struct vd_disc *d, struct vd_disc *copy, const char *what)
{
	const int32_t end = d->sessions[0].leadout;

	CHECK_INT(copy->sessions[0].leadout, end);
	for (int32_t lba = 0; lba < end; lba++) {
		uint8_t a[VD_SECTOR_RAW], b[VD_SECTOR_RAW];

		ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, a));
		ASSERT_OK(vd_disc_read_sectors(copy, lba, 1, VD_READ_MAIN, b));
		if (memcmp(a, b, sizeof(a))) {
			CHECK_FAIL("%s: sector %d differs", what, lba);
			return;
		}
	}
}

/* Does cdrdao read that session as it is? @options: what the tracks are written with. */
static void cdrdao(const char *options, struct vd_disc *d, const char *what)
{
	struct vd_disc *copy;
	struct check_cmd *c = cli("rm -f copy.toc copy.bin; cdrdao read-cd --device %s "
				  "--driver generic-mmc %s -n --datafile copy.bin copy.toc",
				  device, options);

	if (c->status)
		CHECK_FAIL("%s: cdrdao read-cd: %s", what, c->err);
	copy = fixture_open(cli_path("copy.toc"), NULL);
	CHECK_UINT(copy->ntracks, d->ntracks);
	CHECK_STR(copy->mcn, d->mcn);
	for (size_t i = 0; i < copy->ntracks && i < d->ntracks; i++) {
		CHECK_INT(copy->tracks[i].mode, d->tracks[i].mode);
		CHECK_INT(copy->tracks[i].control, d->tracks[i].control);
		CHECK_INT(copy->tracks[i].start, d->tracks[i].start);
		CHECK_UINT(copy->tracks[i].nindices, d->tracks[i].nindices);
	}
	CHECK_UINT(copy->sessions[0].ncdtext, d->sessions[0].ncdtext);
	check_same_sectors(d, copy, what);
	vd_disc_close(copy);
	vd_disc_close(d);
	cli("rm copy.toc copy.bin");
}

/*
 * cdrdao, which sees subchannels, CD-TEXT and modes. While it reads sound it looks at the subchannel of some sectors only, so where a
 * pregap begins and whose ISRC it saw are right in what read-toc finds, which looks at all of them.
 */
static void test_cdrdao(void)
{
	const char *toc;

	insert("sound.cue");
	cdrdao("", fixture_open(cli_path("sound.cue"), NULL), "sound.cue");
	CHECK_INT(
		cli("cdrdao read-toc --device %s --driver generic-mmc -n copy.toc", device)->status,
		0);
	toc = CLI_OK("cat copy.toc; rm copy.toc");
	CHECK_HAS(toc, "CATALOG \"4012345678901\"");
	for (int i = 1; i <= NTRACKS; i++)
		CHECK_HAS(toc, check_printf("ISRC \"DEABC260000%d\"", i));
	CHECK_HAS(toc, "FILE \"data.wav\" 00:04:10 00:03:45\n");
	CHECK_HAS(toc, "FILE \"data.wav\" 00:07:55 00:04:50\nSTART 00:00:40\n");
	CHECK_HAS(toc, "FILE \"data.wav\" 00:12:30 00:04:10\n");

	insert("multi.cue");
	cdrdao("--session 1 --read-raw", fixture_disc(FIX_ALL & ~FIX_SESSIONS), "session 1");
	CHECK_INT(cli("cdrdao read-toc --session 1 --device %s --driver generic-mmc -n copy.toc",
		      device)
			  ->status,
		  0);
	toc = CLI_OK("cat copy.toc; rm copy.toc");
	CHECK_HAS(toc, "ISRC \"DEABC2600001\"");
	CHECK_HAS(toc, "ISRC \"DEABC2600002\"");
	CHECK_HAS(toc, "START 00:02:00\nINDEX 00:01:25\nINDEX 00:02:01\n");
	CHECK_HAS(toc, "START 00:01:00\n");
	CHECK_HAS(toc, "PERFORMER \"Bj\\366rk\"");
}

static void test_readom(void)
{
	struct check_cmd *c;

	insert("data.iso");
	c = cli("readom dev=%s f=copy.iso && cmp copy.iso data.iso", device);
	if (c->status)
		CHECK_FAIL("readom: %s%s", c->out, c->err);
	cli("rm copy.iso");
	insert("video.iso");
	c = cli("readom dev=%s f=copy.iso sectors=0-1000 && cmp -n 2048000 copy.iso video.iso",
		device);
	if (c->status)
		CHECK_FAIL("readom: %s%s", c->out, c->err);
	cli("rm copy.iso");
}

/* The kernel's file systems. */

static void check_session(const char *option, int number)
{
	static const char *const own[] = { "one", "two", "three" };
	struct check_cmd *c = cli("mount -t iso9660 -o ro%s %s mnt", option, device);

	if (c->status)
		CHECK_FAIL("mount -o ro%s: %s", option, c->err);
	CHECK_STR(cli("cat mnt/shared.txt")->out, check_printf("this is session %d\n", number));
	CHECK_STR(cli("cat mnt/%s.txt", own[number - 1])->out,
		  check_printf("only here: %d\n", number));
	cli("umount mnt");
}

static void test_mounts(void)
{
	insert("multi.cue");
	check_session("", 3);
	/* The option counts tracks, from 0. */
	check_session(",session=0", 1);
	check_session(",session=3", 2);
	check_session(",session=4", 3);
	insert("data.iso");
	CLI_OK(check_printf("mount -r %s mnt && diff -r tree mnt && umount mnt", device));
	CLI_OK(check_printf(
		"mount -r -o norock,iocharset=utf8 %s mnt && cmp tree/hello.txt mnt/hello.txt && umount mnt",
		device));
	insert("udf.iso");
	CLI_OK(check_printf(
		"mount -r %s mnt && rmdir tree/lost+found 2>/dev/null; diff -r -x lost+found tree mnt && umount mnt",
		device));
	insert("video.iso");
	CLI_OK(check_printf("mount -r -t udf %s mnt && diff -r video mnt && umount mnt", device));
	CLI_OK(check_printf(
		"mount -r -t iso9660 %s mnt && cmp video/VIDEO_TS/VTS_01_1.VOB mnt/video_ts/vts_01_1.vob && umount mnt",
		device));
}

/* Addresses beyond 32 bits of bytes. */
static void test_large(void)
{
	static const uint32_t at[] = { 2097151, 2097152, 8388607, 8388608, BD_SECTORS - 300 };
	const char *path = cli_path("large.iso");
	uint8_t mark[2048], got[2048];
	uint64_t size = 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ASSERT(fd >= 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(at); i++) {
		memset(mark, 'a' + (int)i, sizeof(mark));
		CHECK_INT(pwrite(fd, mark, sizeof(mark), (off_t)at[i] * 2048), sizeof(mark));
	}
	close(fd);
	insert("large.iso");
	CLI_OK(check_printf("mount -r %s mnt && diff -r -x lost+found tree mnt && umount mnt",
			    device));
	fd = open(device, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_OK(ioctl(fd, BLKGETSIZE64, &size) ? -errno : 0);
	CHECK_UINT(size, (uint64_t)BD_SECTORS * 2048);
	for (size_t i = 0; i < VD_ARRAY_SIZE(at); i++) {
		uint8_t cdb[12] = { 0xa8 };

		memset(mark, 'a' + (int)i, sizeof(mark));
		CHECK_INT(pread(fd, got, sizeof(got), (off_t)at[i] * 2048), sizeof(got));
		CHECK_MEM(got, mark, sizeof(got));
		vd_put_be32(cdb + 2, at[i]);
		cdb[9] = 1;
		memset(got, 0, sizeof(got));
		CHECK_INT(sg_on(fd, cdb, 12, got, sizeof(got)).status, 0);
		CHECK_MEM(got, mark, sizeof(got));
	}
	close(fd);
}

/* libdvdread reads the disc itself, without the kernel's file systems. */
static void test_dvd_video(void)
{
	struct check_cmd *c;

	insert("video.iso");
	c = cli("lsdvd -c %s", device);
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->out, "Disc Title: VDRIVE_DVD");
	CHECK_HAS(c->out, check_printf("Title: 01, Length: 00:00:%d.000 Chapters: 01",
				       DVDVIDEO_PLAYBACK_S));
	c = cli("dvdbackup -M -i %s -o . -n copy", device);
	CHECK_INT(c->status, 0);
	CLI_OK("diff -r copy/VIDEO_TS video/VIDEO_TS && rm -r copy");
}

/* eject. */

/* What sr passes on as a command and the drive refuses ends with the status of SCSI, above 0. */
static int ioctl_on_drive(unsigned long what, unsigned long arg)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT(fd >= 0);
	return ioctl(fd, what, arg);
}

static void check_medium(const char *expected)
{
	CHECK_STR(CLI_OK("sed -n s/^medium=//p $R/clients.state"), check_printf("%s\n", expected));
}

static void test_eject(void)
{
	_cleanup_close_ int fd = -1;

	/* The ways of the program. */
	for (const char *const *way = (const char *const[]){ "", "-r", "-s", "-v", "-T", NULL };
	     *way; way++) {
		insert("data.iso");
		CHECK_INT(drive_status(), CDS_DISC_OK);
		if (cli("eject %s %s", *way, device)->status)
			CHECK_FAIL("eject %s", *way);
		CHECK_INT(drive_status(), CDS_TRAY_OPEN);
		check_medium("open");
		CHECK_INT(open(device, O_RDONLY | O_CLOEXEC), -1);
		CHECK_INT(errno, ENOMEDIUM);
		CLI_OK(check_printf("eject -t %s", device));
		CHECK_INT(drive_status(), CDS_NO_DISC);
		CHECK_STR(
			CLI_OK(check_printf("eject -n %s >/dev/null; eject -T %s", device, device)),
			"");
		CHECK_INT(drive_status(), CDS_TRAY_OPEN);
		CLI_OK(check_printf("eject -T %s", device));
		CHECK_INT(drive_status(), CDS_NO_DISC);
	}
	/* Mounted: it unmounts first, and with -m does not. */
	insert("data.iso");
	CLI_OK(check_printf("mount -r %s mnt && eject %s", device, device));
	CHECK_STR(cli("grep -c '^%s ' /proc/mounts", device)->out, "0\n");
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	/* Locked by who has gone. */
	insert("data.iso");
	CLI_OK(check_printf("eject -i on %s >/dev/null", device));
	CLI_OK("vdrive eject clients");
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	insert("data.iso");
	CLI_OK(check_printf("eject -i off %s >/dev/null && eject -r %s", device, device));
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	insert("data.iso");
	CLI_OK(check_printf("eject -x 4 %s", device));
	/* The system calls. */
	fd = open(device, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK(ioctl_on_drive(CDROMEJECT, 0) != 0);
	CHECK_INT(drive_status(), CDS_DISC_OK);
	close(VD_TAKE_FD(fd));
	/* udev has locked it. */
	CHECK_INT(ioctl_on_drive(CDROM_LOCKDOOR, 0), 0);
	CHECK_INT(ioctl_on_drive(CDROMEJECT, 0), 0);
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	CHECK_INT(ioctl_on_drive(CDROMCLOSETRAY, 0), 0);
	CHECK_INT(drive_status(), CDS_NO_DISC);
	/* Ours. */
	insert("data.iso");
	CLI_OK("vdrive insert --replace other.iso clients");
	CLI_OK("vdrive eject clients");
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	insert("data.iso");
	fd = open(device, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	CLI_FAILS("vdrive eject clients", 1, "locked: somebody uses the disc");
	close(VD_TAKE_FD(fd));
	CLI_OK("vdrive eject --force clients");
	CHECK_INT(drive_status(), CDS_TRAY_OPEN);
	check_medium("open");
	insert("data.iso");
	CLI_OK(check_printf("mount -r %s mnt", device));
	CLI_FAILS("vdrive eject clients", 1, "is mounted on");
	CLI_FAILS("vdrive insert --replace other.iso clients", 1, "");
	CLI_OK("diff -r tree mnt && umount mnt");
}

/* What other commands say of such drives, and all of them of one whose processes are gone. */
static void test_words(void)
{
	insert("data.iso");
	CLI_FAILS("vdrive umount clients", 32, "an optical drive, not a mount");
	CLI_FAILS("vdrive detach data.iso", 1, "no drive has this name, mount point or image");
	CLI_FAILS("vdrive insert other.iso clients", 1, "there is a disc in drive clients");
	CLI_FAILS("vdrive insert missing.iso clients", 1, "missing.iso");
	CLI_FAILS("vdrive insert other.iso nosuch", 1, "nosuch");
	CLI_OK("vdrive eject clients");
	CLI_OK("vdrive optical add dead");
	CLI_FAILS("vdrive eject", 1, "there are several optical drives");
	CLI_FAILS("vdrive set dead label=x", 1, "drive dead has no attributes");
	CHECK_STR(CLI_OK("vdrive list -n -o STATE dead"), "live\n");
	CLI_OK("kill -STOP $(vdrive list -n -o PID dead)");
	CHECK_STR(CLI_OK("vdrive list -n -o STATE dead"), "hung\n");
	CLI_OK("kill -CONT $(vdrive list -n -o PID dead)");
	CLI_OK("pkill -KILL -f '[n]ame dead'; sleep 0.5");
	CLI_FAILS("vdrive insert data.iso dead", 1, "drive dead is dead");
	CLI_FAILS("vdrive eject dead", 1, "drive dead is dead");
	CLI_OK("vdrive detach dead");
	CLI_FAILS("vdrive eject dead", 1, "dead");
}

/* Who may change the disc, of a drive of the system's: whom the device node lets. Each opens his own files. */

#define SYSTEM "env -u VDRIVE_RUNTIME_DIR "
#define USER SYSTEM "setpriv --reuid 65534 --regid 65534 "

static void test_users(void)
{
	const char *node, *member;

	CLI_OK(SYSTEM "vdrive optical add shared >/dev/null && udevadm settle");
	node = CLI_OK(SYSTEM "vdrive list -n -o DEVICE shared");
	node = check_printf("%.*s", (int)strcspn(node, "\n"), node);
	CHECK_STR(CLI_OK(check_printf("stat -c '%%a %%G' %s", node)), "660 cdrom\n");
	member = check_printf(USER "--groups $(stat -c %%g %s) vdrive", node);
	CLI_OK("cp data.iso private.iso && chmod 600 private.iso && chmod 644 data.iso sound.*");
	CLI_FAILS(USER "--clear-groups vdrive insert data.iso shared", 1,
		  "Permission denied: its disc can be changed by root");
	CLI_FAILS(check_printf("%s insert private.iso shared", member), 1,
		  "private.iso: Permission denied");
	CHECK_STR(CLI_OK(SYSTEM "vdrive list -n -o MEDIUM shared"), "empty\n");
	CLI_OK(check_printf("%s insert sound.cue shared", member));
	CHECK_STR(CLI_OK(check_printf("%s list -n -o MEDIUM,STATE shared", member)),
		  "CD-ROM live\n");
	CLI_FAILS(USER "--clear-groups vdrive eject shared", 1, "Permission denied");
	CLI_OK(check_printf("%s insert --replace data.iso shared", member));
	CLI_OK(check_printf("%s eject shared", member));
	CLI_FAILS(check_printf("%s optical remove shared", member), 1, "shared");
	CLI_OK(SYSTEM "vdrive optical remove shared && udevadm settle; rmdir /tmp/vdrive-65534");
}

/* Residuals: a short answer says so, and nothing of an earlier one is behind it. */

static void check_residual(int fd, const char *what, const uint8_t *cdb, size_t cdb_len,
			   size_t room, size_t expected)
{
	_cleanup_free_ uint8_t *buf = malloc(room + 1);
	size_t stale = 0;
	struct sg r;

	ASSERT(buf != NULL);
	memset(buf, 0xa5, room);
	r = sg_on(fd, cdb, cdb_len, buf, room);
	if (r.error || r.status)
		CHECK_FAIL("%s: error %d, status %02x, sense %x/%02x/%02x", what, r.error, r.status,
			   r.sense[2], r.sense[12], r.sense[13]);
	if ((int)room - r.resid != (int)expected)
		CHECK_FAIL("%s: %d bytes in %zu, not %zu", what, (int)room - r.resid, room,
			   expected);
	for (size_t i = expected; i < room; i++)
		stale += buf[i] != 0 && buf[i] != 0xa5;
	CHECK_UINT(stale, 0);
}

static void test_residuals(void)
{
	static const struct {
		const char *what;
		uint8_t cdb[12];
		size_t len, room, expected;
	} rows[] = {
		{ "READ(10), all", { 0x28, 0, 0, 0, 0, 16, 0, 0, 8 }, 10, 16384, 16384 },
		{ "READ(10), more room", { 0x28, 0, 0, 0, 0, 16, 0, 0, 1 }, 10, 16384, 2048 },
		{ "READ(12)", { 0xa8, 0, 0, 0, 0, 16, 0, 0, 0, 2 }, 12, 65536, 4096 },
		{ "READ CD, 2352", { 0xbe, 0, 0, 0, 0, 16, 0, 0, 3, 0xf8 }, 12, 65536, 3 * 2352 },
		{ "READ CD, 2448", { 0xbe, 0, 0, 0, 0, 16, 0, 0, 3, 0xf8, 1 }, 12, 9000, 3 * 2448 },
		{ "TOC, header", { 0x43, 0, 0, 0, 0, 0, 0, 0, 4 }, 10, 512, 4 },
		{ "TOC, cut", { 0x43, 0, 0, 0, 0, 0, 0, 0, 12 }, 10, 512, 12 },
		/* 4 and 8 for the track and the lead-out. */
		{ "TOC, all", { 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24 }, 10, 804, 20 },
		{ "TOC, sessions", { 0x43, 0, 1, 0, 0, 0, 0, 0, 200 }, 10, 200, 12 },
		{ "READ CAPACITY", { 0x25 }, 10, 64, 8 },
		{ "GET CONFIGURATION, header", { 0x46, 2, 0, 0, 0, 0, 0, 0, 8 }, 10, 256, 8 },
		/* 2A has 24 or 28 bytes and more by its speeds: cut. */
		{ "MODE SENSE(10)", { 0x5a, 8, 0x2a, 0, 0, 0, 0, 0, 8 }, 10, 128, 8 },
		{ "READ DISC INFORMATION", { 0x51, 0, 0, 0, 0, 0, 0, 4, 0 }, 10, 1024, 34 },
		{ "READ DISC INFORMATION, cut", { 0x51, 0, 0, 0, 0, 0, 0, 0, 32 }, 10, 32, 32 },
		{ "GESN", { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 64 }, 10, 64, 8 },
		{ "INQUIRY, cut", { 0x12, 0, 0, 0, 5 }, 6, 512, 5 },
		{ "INQUIRY, 36", { 0x12, 0, 0, 0, 36 }, 6, 36, 36 },
	};
	_cleanup_close_ int fd = -1;

	insert("data.iso");
	fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++)
			check_residual(fd, rows[i].what, rows[i].cdb, rows[i].len, rows[i].room,
				       rows[i].expected);
}

/* Two programs at once, on what is sound and what is data of one disc. */
static void test_two_programs(void)
{
	struct check_cmd *c;

	insert("multi.cue");
	/* Tracks 1, 4 and 5 of the disc as the kernel reads them, before. */
	CLI_OK(check_printf("dd if=%s of=first bs=2048 count=300 status=none", device));
	c = cli("cdparanoia -d %s -Z -q -r '2-3[00:03.74]' sound.raw & "
		"i=0; while [ $i -lt 10 ]; do "
		"dd if=%s bs=2048 count=300 iflag=direct status=none | cmp - first || echo differs; "
		"i=$((i + 1)); done; wait $! && echo ripped",
		device, device);
	CHECK_STR(c->out, "ripped\n");
	CHECK_INT(c->status, 0);
	/* From INDEX 01 of track 2, whose pregap no file holds, to the end of track 3: cdparanoia takes the gap behind it for more of it. */
	CLI_OK("tail -c +$((300 * 2352 + 1)) multi.bin | head -c $((675 * 2352)) >expected");
	CLI_OK("cmp sound.raw expected && rm first expected sound.raw");
}

/* Discs come and go while somebody reads. */

struct reading {
	const uint8_t *one, *two;
	size_t len;
	atomic_bool stop;
	atomic_uint reads, wrong, failed;
};

/* Whatever disc is in: a read gives its bytes or fails. */
static void *read_on(void *arg)
{
	struct reading *r = arg;
	_cleanup_free_ uint8_t *buf = aligned_alloc(4096, 65536);
	unsigned int seed = 3;

	while (!atomic_load(&r->stop)) {
		_cleanup_close_ int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);

		for (int i = 0; fd >= 0 && i < 20; i++) {
			const size_t at = (size_t)rand_r(&seed) % (r->len / 2048 - 32) * 2048;
			ssize_t n = pread(fd, buf, 65536, (off_t)at);

			if (n != 65536) {
				atomic_fetch_add(&r->failed, 1);
				break;
			}
			atomic_fetch_add(&r->reads, 1);
			if (memcmp(buf, r->one + at, 65536) && memcmp(buf, r->two + at, 65536))
				atomic_fetch_add(&r->wrong, 1);
		}
		pause_ms(fd < 0 ? 5 : 1);
	}
	return NULL;
}

static void check_is_in(const char *image, const uint8_t *bytes, size_t len)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0;
	uint8_t got[65536];

	if (fd < 0) {
		CHECK_FAIL("%s was inserted: %s", image, strerror(errno));
		return;
	}
	CHECK_OK(ioctl(fd, BLKGETSIZE64, &size) ? -errno : 0);
	CHECK_UINT(size, len);
	CHECK_INT(pread(fd, got, sizeof(got), 32768), sizeof(got));
	CHECK_MEM(got, bytes + 32768, sizeof(got));
}

static void test_cycles(void)
{
	const int rounds = getenv("VDRIVE_SOAK") ? 500 : 25;
	struct reading r = { .stop = false };
	size_t one, two;
	pthread_t thread;

	r.one = (uint8_t *)check_read_file(cli_path("data.iso"), &one);
	r.two = (uint8_t *)check_read_file(cli_path("other.iso"), &two);
	r.len = one < two ? one : two;
	ASSERT_OK(pthread_create(&thread, NULL, read_on, &r));
	for (int i = 0; i < rounds && !check_failed(); i++) {
		const char *image = i % 2 ? "other.iso" : "data.iso";

		if (i % 3)
			CLI_OK("vdrive eject --force clients");
		else
			/* udev, which is about to lock the tray, may come between its two commands. */
			CLI_OK(check_printf("udevadm settle && eject -s %s", device));
		CLI_OK(check_printf("vdrive insert %s clients", image));
		check_is_in(image, i % 2 ? r.two : r.one, i % 2 ? two : one);
		pause_ms(50);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	CHECK_UINT(atomic_load(&r.wrong), 0);
	CHECK(atomic_load(&r.reads) > (unsigned int)rounds);
	printf("cycles: %d, %u reads, %u failed\n", rounds, atomic_load(&r.reads),
	       atomic_load(&r.failed));
}

static const struct check_test tests[] = {
	{ "identified", test_identified },
	{ "cd_info", test_cd_info },
	{ "cdparanoia", test_cdparanoia },
	{ "cdrdao", test_cdrdao },
	{ "play", test_play },
	{ "readom", test_readom },
	{ "mounts", test_mounts },
	{ "large", test_large },
	{ "dvd_video", test_dvd_video },
	{ "residuals", test_residuals },
	{ "two_programs", test_two_programs },
	{ "eject", test_eject },
	{ "words", test_words },
	{ "users", test_users },
	{ "cycles", test_cycles },
};

CHECK_MAIN_WITH(tests, setup, teardown)
