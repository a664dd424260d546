// SPDX-License-Identifier: GPL-3.0-or-later
/* The files that a drive shows of a disc, read through FUSE: the disc of disc_fixture.h, as CUE sheet and otherwise. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "disc/sector.h"
#include "images/write.h"
#include "util/cleanup.h"
#include "util/endian.h"

#include "../unit/disc_fixture.h"

/* The fixture as a sheet in the work folder, where the commands run. */
static void put_cue(struct vd_disc *d, const char *name)
{
	const char *path = fixture_write_cue(d, name);
	struct check_cmd *c =
		check_sh("cp '%s' '%s' '%s' && cp '%s' '%s' 2>/dev/null; chmod a+r '%s'/*", path,
			 check_path("%s.bin", name), cli_path(""), check_path("%s.cdt", name),
			 cli_path(""), cli_path(""));

	ASSERT_INT(c->status, 0);
}

static char *drive_file(const char *name)
{
	return check_printf("%s/d/%s", cli_rundir(), name);
}

/* Reads it from begin to end in odd pieces and compares. */
static void check_file(const char *name, const uint8_t *data, size_t len)
{
	_cleanup_close_ int fd = open(drive_file(name), O_RDONLY);
	static uint8_t buf[300007];
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		CHECK_FAIL("%s: %s", name, check_errno_name(errno));
		return;
	}
	CHECK_UINT((unsigned long long)st.st_size, len);
	CHECK_INT(st.st_mode & ~0200, S_IFREG | 0444); /* a disc says what it likes */
	for (size_t off = 0; off < len;) {
		size_t want = len - off < sizeof(buf) ? len - off : sizeof(buf);
		ssize_t n = pread(fd, buf, sizeof(buf), (off_t)off);

		if (n != (ssize_t)want || memcmp(buf, data + off, want)) {
			CHECK_FAIL("%s: %zd bytes at %zu, not %zu, or others", name, n, off, want);
			return;
		}
		off += want;
	}
	CHECK_INT(pread(fd, buf, 1, (off_t)len), 0);
	CHECK_INT(open(drive_file(name), O_WRONLY), -1);
	CHECK_INT(errno, geteuid() ? EACCES : EROFS);
}

static void check_iso(struct vd_disc *d)
{
	size_t len = (size_t)vd_iso_sectors(d) * VD_SECTOR_USER;
	_cleanup_free_ uint8_t *data = malloc(len);

	ASSERT_OK(vd_disc_pread(d, data, len, 0));
	check_file("disc.iso", data, len);
}

static void check_bin(struct vd_disc *d)
{
	_cleanup_(vd_bin_done) struct vd_bin b;
	_cleanup_free_ uint8_t *data = NULL;
	struct vd_error err = { "" };
	size_t len;

	ASSERT_OK(vd_bin_init(&b, d, 0, false, &err));
	len = (size_t)b.sectors * VD_SECTOR_RAW;
	data = malloc(len);
	ASSERT_OK(vd_bin_pread(&b, data, len, 0));
	check_file("disc.bin", data, len);
}

static void check_track(struct vd_disc *d, int number)
{
	struct vd_wav w;
	_cleanup_free_ uint8_t *data = NULL;

	ASSERT_OK(vd_wav_init(&w, d, number));
	data = malloc((size_t)w.size);
	ASSERT_OK(vd_wav_pread(&w, data, (size_t)w.size, 0));
	check_file(check_printf("tracks/%02d.wav", number), data, (size_t)w.size);
	vd_wav_done(&w);
}

/* The film: a RIFF header, then every sector whole. */
static void check_video(struct vd_disc *d)
{
	uint8_t expected[44] = "RIFF\xa4\x6f\x01\0"
			       "CDXAfmt \x10\0\0\0"
			       "\0\0\0\0\x55\x15XA\0\0\0\0\0\0\0\0"
			       "data\x80\x6f\x01";
	_cleanup_free_ uint8_t *data = malloc(sizeof(expected) + FIX_VIDEO_SECTORS * VD_SECTOR_RAW);
	enum vd_sector_kind kind = VD_KIND_AUDIO;
	int32_t lba;

	for (lba = 19725; kind != VD_KIND_MODE2_FORM2; lba++)
		ASSERT_OK(vd_disc_sector_kind(d, lba, &kind));
	memcpy(data, expected, sizeof(expected));
	ASSERT_OK(vd_disc_read_sectors(d, lba - 1, FIX_VIDEO_SECTORS, VD_READ_MAIN,
				       data + sizeof(expected)));
	check_file("files/video.dat", data, sizeof(expected) + FIX_VIDEO_SECTORS * VD_SECTOR_RAW);
}

static void views(void)
{
	struct vd_disc *d = fixture_disc(FIX_ALL), *again;
	const int32_t four = 12525, five = four + 300 + 6900;
	const char *text;

	put_cue(d, "all");
	CLI_OK("mkdir mnt && vdrive mount -n d all.cue mnt");
	CHECK_STR(CLI_OK("ls mnt"), "shared.txt\nthree.txt\nvideo.dat\n");
	CHECK_STR(CLI_OK("ls $R/d"),
		  "attr\ndisc.bin\ndisc.cdt\ndisc.cue\ndisc.iso\nfiles\nsessions\ntracks\n");
	CHECK_STR(CLI_OK("ls $R/d/tracks"), "02.wav\n03.wav\n06.wav\n");
	CHECK_STR(CLI_OK("ls $R/d/sessions"), "1\n2\n3\n");
	CHECK_STR(CLI_OK("ls $R/d/sessions/1 $R/d/sessions/2 | grep -v :"),
		  "one.txt\nshared.txt\n\nshared.txt\ntwo.txt\n");
	CHECK_STR(CLI_OK("cd $R/d; cat sessions/1/shared.txt sessions/2/shared.txt "
			 "sessions/3/shared.txt files/shared.txt sessions/2/two.txt"),
		  "this is session 1\nthis is session 2\nthis is session 3\nthis is session 3\n"
		  "only here: 2\n");
	/* Each has inode numbers of its own. */
	CHECK_STR(CLI_OK("stat -c %i $R/d/sessions/*/shared.txt | sort -u | wc -l"), "3\n");
	CLI_OK("! ls $R/d/sessions/4 2>/dev/null && ! ls $R/d/sessions/x 2>/dev/null");
	check_iso(d);
	check_bin(d);
	check_file("disc.cdt", d->sessions[0].cdtext, d->sessions[0].ncdtext * 18);
	check_track(d, 2);
	check_track(d, 3);
	check_track(d, 6);
	check_video(d);
	CHECK_INT(open(drive_file("tracks/01.wav"), O_RDONLY), -1);
	CHECK_INT(errno, ENOENT);
	text = CLI_OK("cat $R/d/attr/unrepresentable");
	CHECK_HAS(text, check_printf("300+825:audio 1125+11250:gap %d+6750:gap ", four + 300));
	CHECK_HAS(text, "+40:form2\n");
	CHECK(!strstr(text, "unscanned"));
	CHECK_STR(CLI_OK("cat $R/d/attr/tracks $R/d/attr/sessions $R/d/attr/session"), "6\n3\n3\n");
	CHECK_STR(CLI_OK("stat -c %s $R/d/disc.iso"), check_printf("%d\n", (five + 300) * 2048));

	/* The sheet and what is beside it are an image again, of the same disc. */
	CLI_OK("cp $R/d/disc.cue $R/d/disc.bin $R/d/disc.cdt .");
	again = fixture_open(cli_path("disc.cue"), NULL);
	CHECK(fixture_same(d, again, "disc.cue of the drive"));
	vd_disc_close(again);
	CLI_OK("vdrive umount mnt && rmdir mnt && rm all.* disc.*");
	CLI_CLEAN();
	vd_disc_close(d);
}

static void test_views(void)
{
	cli_become(false);
	views();
}

static void test_views_as_user(void)
{
	if (!cli_become(true))
		return;
	CLI_OK("true");
	/* Root cannot look into a user's drive: what is read there, it reads itself. */
	{
		struct vd_disc *d = fixture_disc(FIX_ALL);

		put_cue(d, "all");
		CLI_OK("mkdir mnt && vdrive mount -n d all.cue mnt");
		CHECK_STR(CLI_OK("cmp all.bin $R/d/disc.bin && cmp all.cdt $R/d/disc.cdt && "
				 "sed s/all/disc/ all.cue | cmp - $R/d/disc.cue && echo same"),
			  "same\n");
		/* The sheet can be used where it is. */
		CHECK_HAS(CLI_OK("vdrive info $R/d/disc.cue"), "SESSION3");
		CLI_OK("vdrive umount mnt && rmdir mnt && rm all.*");
		CLI_CLEAN();
		vd_disc_close(d);
	}
}

/* A disc without a file system: its tracks are what is mounted. */
static void test_audio_disc(void)
{
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_AUDIO, .length = 600 };
	struct vd_error err = { "" };
	struct vd_store *s;
	struct vd_disc *d;
	uint8_t sector[VD_SECTOR_RAW];

	cli_become(false);
	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_store_mem_open(1200u * VD_SECTOR_RAW, &s, &err));
	ASSERT_OK(vd_disc_own_store(d, s));
	for (uint32_t i = 0; i < 1200; i++) {
		memset(sector, (int)i + 1, sizeof(sector));
		ASSERT_OK(vd_store_pwrite(s, sector, sizeof(sector), i * (uint64_t)VD_SECTOR_RAW));
	}
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, s, 0, &err));
	t.number = 2;
	t.start = 600;
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2352, s, 600u * VD_SECTOR_RAW, &err));
	put_cue(d, "audio");
	CLI_OK("mkdir mnt && vdrive mount -n d audio.cue mnt");
	CHECK_STR(CLI_OK("ls mnt"), "01.wav\n02.wav\n");
	CHECK_STR(CLI_OK("ls $R/d"), "attr\ndisc.bin\ndisc.cue\ntracks\n");
	CHECK_STR(CLI_OK("cmp mnt/01.wav $R/d/tracks/01.wav && stat -c %s mnt/02.wav"),
		  check_printf("%u\n", 44 + 600 * 2352));
	CHECK_STR(CLI_OK("cat $R/d/attr/unrepresentable $R/d/attr/view"), "\ntracks\n");
	check_track(d, 1);
	check_bin(d);
	CLI_OK("vdrive umount mnt && rmdir mnt && rm audio.*");
	CLI_CLEAN();
	vd_disc_close(d);
}

/* What is larger than any CD has no sectors of 2352 bytes. */
static void test_dvd(void)
{
	struct vd_disc *d = fixture_disc(0);

	cli_become(false);
	put_cue(d, "in");
	CLI_OK("vdrive convert -f in.cue dvd.iso && truncate -s 1100M dvd.iso");
	CLI_OK("mkdir mnt && vdrive mount -n d dvd.iso mnt");
	CHECK_STR(CLI_OK("ls $R/d"), "attr\ndisc.iso\nfiles\n");
	CHECK_STR(CLI_OK("cat $R/d/attr/unrepresentable mnt/one.txt"), "\nonly here: 1\n");
	CLI_OK("cmp $R/d/disc.iso dvd.iso");
	CHECK_HAS(CLI_OK("vdrive info dvd.iso"), "Medium:         DVD-ROM\n");
	CLI_FAILS("vdrive convert dvd.iso a.cue", 1,
		  "dvd.iso: only a CD has sectors of 2352 bytes");
	CHECK_HAS(CLI_OK("vdrive verify dvd.iso"), " 0 checked, 563200 without anything to check");
	CLI_OK("vdrive umount mnt && rmdir mnt && rm in.* dvd.iso");
	CLI_CLEAN();
	vd_disc_close(d);
}

static const struct check_test tests[] = {
	{ "views", test_views },
	{ "views_as_user", test_views_as_user },
	{ "audio_disc", test_audio_disc },
	{ "dvd", test_dvd },
};
CHECK_MAIN_WITH(tests, cli_setup, cli_remove)
