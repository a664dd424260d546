// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive convert, verify and info on a disc that has everything (disc_fixture.h): what they write, refuse, leave behind and say. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "disc/sector.h"
#include "images/write.h"
#include "util/cleanup.h"

#include "../unit/disc_fixture.h"

static void put_cue(struct vd_disc *d, const char *name)
{
	const char *path = fixture_write_cue(d, name);
	struct check_cmd *c =
		check_sh("cp '%s' '%s' '%s' && cp '%s' '%s' 2>/dev/null; chmod a+r '%s'/*", path,
			 check_path("%s.bin", name), cli_path(""), check_path("%s.cdt", name),
			 cli_path(""), cli_path(""));

	ASSERT_INT(c->status, 0);
}

static void remove_all(void)
{
	CLI_OK("chmod -R u+w . 2>/dev/null; rm -rf -- * .[!.]*");
}

/* The disc as a sheet; both are gone with it. */
static struct vd_disc *begin(unsigned int features)
{
	struct vd_disc *d = fixture_disc(features);

	put_cue(d, "in");
	return d;
}

static void end(struct vd_disc *d)
{
	remove_all();
	CLI_CLEAN();
	vd_disc_close(d);
}

static void round_trips(void)
{
	struct vd_disc *d = begin(FIX_ALL), *back;

	CLI_OK("mkdir out && vdrive convert in.cue out/a.cue");
	CHECK_STR(CLI_OK("ls -A out"), "a.bin\na.cdt\na.cue\n");
	back = fixture_open(cli_path("out/a.cue"), NULL);
	CHECK(fixture_same(d, back, "cue"));
	vd_disc_close(back);
	CHECK_STR(CLI_OK("stat -c %a out/a.cue out/a.bin | sort -u"), "644\n");
	vd_disc_close(d);
	remove_all();

	d = begin(FIX_ALL & ~FIX_SESSIONS);
	CLI_OK("vdrive convert in.cue a.toc && vdrive convert --to cue a.toc b");
	back = fixture_open(cli_path("b"), NULL);
	CHECK(fixture_same(d, back, "toc, cue"));
	vd_disc_close(back);
	end(d);
}

static void test_round_trips(void)
{
	cli_become(false);
	round_trips();
}

static void test_round_trips_as_user(void)
{
	if (cli_become(true))
		round_trips();
}

static void test_chd(void)
{
	struct vd_disc *d, *back;

	cli_become(false);
	if (!check_have_program("chdman"))
		CHECK_SKIP("no chdman");
	d = begin(FIX_ALL);
	CLI_FAILS("vdrive convert in.cue a.chd", 1, "a.chd would lose: ");
	CHECK_STR(CLI_OK("ls -A"), "in.bin\nin.cdt\nin.cue\n");
	vd_disc_close(d);
	remove_all();

	d = begin(0);
	CLI_OK("vdrive convert in.cue a.chd && chdman verify -i a.chd >/dev/null 2>&1");
	CLI_OK("vdrive convert a.chd b.cue");
	back = fixture_open(cli_path("b.cue"), NULL);
	CHECK(fixture_same(d, back, "chd, cue"));
	vd_disc_close(back);
	CLI_OK("printf X | dd of=a.chd bs=1 seek=$(($(stat -c %s a.chd) / 2)) conv=notrunc 2>/dev/null");
	CLI_FAILS("vdrive convert a.chd c.cue", 1, "a.chd: ");
	CLI_OK("! test -e c.cue && ! test -e c.bin");
	end(d);
}

static void test_iso(void)
{
	struct vd_disc *d;
	_cleanup_free_ uint8_t *data = NULL;
	size_t len, got;
	const char *file;

	cli_become(false);
	d = begin(FIX_ALL);
	CLI_FAILS(
		"vdrive convert in.cue a.iso", 1,
		"a.iso would lose: 3 audio tracks, where 3 data tracks begin, subheaders of mode 2, "
		"CD-TEXT, the catalogue number (--force");
	CHECK_STR(CLI_OK("ls -A"), "in.bin\nin.cdt\nin.cue\n");
	CLI_OK("vdrive convert --force in.cue a.iso");
	len = (size_t)vd_iso_sectors(d) * VD_SECTOR_USER;
	data = malloc(len);
	ASSERT_OK(vd_disc_pread(d, data, len, 0));
	file = check_read_file(cli_path("a.iso"), &got);
	CHECK_UINT(got, len);
	if (got == len)
		CHECK_MEM(file, data, len);
	end(d);

	/* What only the sectors tell: Form 2, and an error. */
	d = begin(0);
	CLI_OK("head -c $((300 * 2352)) in.bin >one.bin && vdrive convert one.bin one.iso");
	CLI_OK("printf X | dd of=one.bin bs=1 seek=$((20 * 2352 + 1000)) conv=notrunc 2>/dev/null");
	CLI_FAILS("vdrive convert one.bin two.iso", 1,
		  "two.iso would lose: 1 sector whose address, EDC or ECC is wrong");
	CLI_OK("! test -e two.iso && vdrive convert -f one.bin two.iso");
	CLI_OK("! cmp -s one.iso two.iso");
	/* Every sector is looked at, wherever the chunks end in which they are read: all but the first 300 are elsewhere. */
	CLI_OK("head -c $((300 * 2352)) in.bin >one.bin; cat one.bin one.bin one.bin one.bin one.bin >five.bin");
	CLI_FAILS("vdrive convert five.bin five.iso", 1,
		  "five.iso would lose: 1200 sectors whose address, EDC or ECC is wrong");
	end(d);
}

static void test_tracks(void)
{
	struct vd_disc *d;
	struct vd_wav w;
	const char *file;
	uint8_t *data;
	size_t got;

	cli_become(false);
	d = begin(FIX_ALL);
	CLI_FAILS(
		"vdrive convert in.cue music --to wav", 1,
		"music would lose: that there is pre-emphasis, 3 data tracks, the catalogue number, "
		"part of CD-TEXT");
	CLI_OK("vdrive convert -f -t wav in.cue music");
	CHECK_STR(CLI_OK("ls -A music; stat -c %a music"), "02.wav\n03.wav\n06.wav\n755\n");
	for (int i = 2; i <= 6; i++) {
		if (vd_wav_init(&w, d, i))
			continue;
		data = malloc((size_t)w.size);
		ASSERT_OK(vd_wav_pread(&w, data, (size_t)w.size, 0));
		file = check_read_file(cli_path(check_printf("music/%02d.wav", i)), &got);
		CHECK_UINT(got, w.size);
		if (got == w.size)
			CHECK_MEM(file, data, got);
		free(data);
		vd_wav_done(&w);
	}
	CLI_FAILS("vdrive convert -f -t wav in.cue music", 1, "music exists already");
	CLI_OK("vdrive convert --track 2 in.cue two.wav && cmp two.wav music/02.wav");
	CLI_OK("vdrive convert --track 2 in.cue two.flac");
	CLI_FAILS("vdrive convert --track 1 in.cue x.wav", 1, "it has no audio track 1");
	CLI_FAILS("vdrive convert --track 2 in.cue x.iso", 2, "--track goes with");
	CLI_OK("vdrive convert -f -t flac in.cue lossless/");
	CHECK_STR(CLI_OK("ls -A lossless"), "02.flac\n03.flac\n06.flac\n");
	/* Another decoder gives the same samples, and finds what was said of them. */
	if (check_have_program("flac") && check_have_program("metaflac")) {
		CLI_OK("flac -s -d --force-raw-format --endian=little --sign=signed -o two.raw two.flac && "
		       "tail -c $((375 * 2352)) two.wav | cmp - two.raw");
		CHECK_STR(CLI_OK("metaflac --export-tags-to=- two.flac | sort | head -n 4"),
			  "ALBUM=The Whole Disc\nALBUMARTIST=Various\nARTIST=Sigur R\xc3\xb3s\n"
			  "ISRC=DEABC2600001\n");
	}
	end(d);
}

static const struct {
	const char *text;
	int status;
	const char *words;
} mistakes[] = {
	{ "vdrive convert", 2, "an image and what to write are needed" },
	{ "vdrive convert in.cue", 2, "an image and what to write are needed" },
	{ "vdrive convert in.cue a.iso b", 2, "too many arguments" },
	{ "vdrive convert in.cue a.xyz", 2, "what is 'a.xyz' to be? Name its format with --to" },
	{ "vdrive convert --to mp3 in.cue a", 2, "no format is called 'mp3'" },
	{ "vdrive convert --track 0 in.cue a.wav", 2, "'0' is not a track" },
	{ "vdrive convert nosuch a.iso", 1, "nosuch: No such file" },
	{ "vdrive convert in.cue in.cue", 1, "in.cue exists; --force replaces it" },
	{ "vdrive convert in.cue in.toc", 1, "in.toc would lose: sessions 2 and later" },
	{ "vdrive convert -f in.cue nosuch/a.iso", 1, "nosuch/a.iso: No such file" },
	{ "vdrive convert -f in.cue dir.iso", 1, "dir.iso: Is a directory" },
	{ "vdrive convert -f in.cue 'a\"b.cue'", 1, "a sheet cannot name a file like that" },
	{ "vdrive convert --to cue in.cue a.bin", 1, "a.bin: a sheet's name ends with .cue" },
	{ "vdrive convert text a.iso", 1, "not a disc image" },
	{ "vdrive convert /dev/null a.iso", 1, "/dev/null: not a file" },
	{ "vdrive verify", 2, "an image is needed" },
	{ "vdrive verify a b", 2, "too many arguments" },
	{ "vdrive verify text", 1, "not a disc image" },
	{ "vdrive verify nosuch", 1, "nosuch: No such file" },
};

static void test_mistakes(void)
{
	struct vd_disc *d;
	const char *before;

	cli_become(false);
	d = begin(FIX_ALL);
	CLI_OK("mkdir dir.iso; echo this is no image >text");
	before = CLI_OK("ls -lA --time-style=full-iso");
	for (size_t i = 0; i < VD_ARRAY_SIZE(mistakes); i++)
		CLI_FAILS(mistakes[i].text, mistakes[i].status, mistakes[i].words);
	CHECK_STR(CLI_OK("ls -lA --time-style=full-iso"), before);
	end(d);
}

static void test_no_permission(void)
{
	struct vd_disc *d;

	if (!cli_become(true))
		return;
	d = begin(FIX_ALL);
	CLI_OK("mkdir closed && chmod 555 closed && cp in.cue secret.cue && chmod 0 secret.cue");
	CLI_FAILS("vdrive convert -f in.cue closed/a.iso", 1, "closed/a.iso: Permission denied");
	CLI_FAILS("vdrive convert -f in.cue closed/a --to wav", 1, "closed/a: Permission denied");
	CLI_FAILS("vdrive convert secret.cue a.iso", 1, "secret.cue: Permission denied");
	CHECK_STR(CLI_OK("ls -A closed"), "");
	end(d);
}

/* A disc that is full: the words say so, and nothing is left on it. */
static void test_disk_full(void)
{
	struct vd_disc *d;
	struct check_cmd *c;

	cli_become(false);
	if (geteuid())
		CHECK_SKIP("needs root, to mount a small tmpfs");
	d = begin(FIX_ALL);
	c = check_sh("mkdir '%s' && mount -t tmpfs -o size=1m none '%s'", cli_path("full"),
		     cli_path("full"));
	if (c->status) {
		end(d);
		CHECK_SKIP("no tmpfs can be mounted here: %s", c->err);
	}
	CLI_FAILS("vdrive convert -f in.cue full/a.iso", 1, "full/a.iso: No space left on device");
	CLI_FAILS("vdrive convert in.cue full/a.cue", 1, "full/a.cue: No space left on device");
	CLI_FAILS("vdrive convert -f in.cue full/m --to wav", 1, "full/m: No space left on device");
	CLI_FAILS("vdrive convert -f in.cue full/m --to flac", 1,
		  "full/m: No space left on device");
	CHECK_STR(CLI_OK("ls -A full; df --output=used full | tail -n 1 | tr -d ' '"), "0\n");
	CHECK_INT(umount2(cli_path("full"), 0), 0);
	end(d);
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/*
 * Killed again and again, after longer and longer, until one conversion comes through: what has its name then is whole each
 * time, and before that nothing has. With a folder, what was begun may stay beside it under another name. It takes
 * @usual_ms when it is left alone.
 */
static void killed(const char *command, const char *out, const char *whole, int sig, long usual_ms)
{
	const long step = usual_ms < 45 ? 3 : usual_ms / 15, most = usual_ms * 10 + 2000;
	int came_through = 0, was_killed = 0;
	struct check_cmd *c;

	for (long ms = 0; ms < most && !came_through; ms += ms < 2 * usual_ms ? step : usual_ms) {
		/* The shell becomes the command, so that it is what is killed, and its child must see to itself. */
		c = cli("%s & p=$!; sleep %ld.%03ld; kill -%d $p 2>/dev/null; wait $p 2>/dev/null; "
			"echo $?",
			command, ms / 1000, ms % 1000, sig);
		came_through = !strcmp(c->out, "0\n");
		was_killed += !came_through;
		c = cli("test -e %s", out);
		if (!c->status) {
			c = cli("%s", whole);
			CHECK_STR(c->out, "whole\n");
			came_through = 1;
		}
		/* Its child is gone with it. */
		for (int i = 0; i < 200 && strstr(cli_remains(), "process:"); i++)
			sleep_ms(10);
		CHECK(!strstr(cli_remains(), "process:"));
		if (sig == SIGTERM)
			CHECK_STR(CLI_OK("ls -A | grep '^[.]' || true"), "");
	}
	CHECK(came_through);
	CHECK(was_killed > 0);
}

static long usual_ms(const char *command)
{
	struct check_cmd *c = cli("%s", command);

	CHECK_INT(c->status, 0);
	return (long)c->elapsed_ms;
}

static void test_killed(void)
{
	struct vd_disc *d = begin(FIX_ALL);
	long usual;

	cli_become(false);
	/* Large enough to be met in the middle. */
	CLI_OK("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do head -c $((300 * 2352)) in.bin; "
	       "done >long.bin; for i in 1 2 3; do cat long.bin long.bin >x; mv x long.bin; done");
	usual = usual_ms("vdrive convert -f long.bin good.iso");
	killed("exec vdrive convert -f long.bin out.iso", "out.iso",
	       "cmp good.iso out.iso && echo whole", SIGKILL, usual);
	CHECK_STR(CLI_OK("ls -A"), "good.iso\nin.bin\nin.cdt\nin.cue\nlong.bin\nout.iso\n");
	CLI_OK("rm out.iso");
	killed("exec vdrive convert -f long.bin out.iso", "out.iso",
	       "cmp good.iso out.iso && echo whole", SIGTERM, usual);
	/* What is replaced is the old or the new one, at any time. */
	CLI_OK("echo old >old.iso; vdrive convert -f long.bin old.iso & sleep 0.02; kill -9 $!; wait; "
	       "grep -qx old old.iso || cmp good.iso old.iso");
	usual = usual_ms("vdrive convert -f -t flac in.cue good");
	killed("exec vdrive convert -f -t flac in.cue out", "out", "diff -r good out && echo whole",
	       SIGKILL, usual);
	CLI_OK("rm -r out .out.vdrive-* 2>/dev/null; true");
	killed("exec vdrive convert -f -t flac in.cue out", "out", "diff -r good out && echo whole",
	       SIGTERM, usual);
	end(d);
}

static void test_verify(void)
{
	struct vd_disc *d;
	struct check_cmd *c;
	const char *text;

	cli_become(false);
	d = begin(FIX_ALL);
	CHECK_STR(CLI_OK("vdrive verify in.cue"),
		  "in.cue: 1875 sectors: 900 checked, 975 without anything to check, 0 wrong\n");
	CHECK_STR(CLI_OK("vdrive verify --quiet in.cue"), "");
	/* User data of one, the address of another, both copies of the subheader of a third; audio is never wrong. */
	CLI_OK("at() { dd of=in.bin bs=1 seek=$(($1 * 2352 + $2)) conv=notrunc 2>/dev/null; }; "
	       "printf X | at 20 1000; printf X | at 21 1000; printf '\\7' | at 40 14; "
	       "printf '\\7' | at 980 16; printf X | at 400 100");
	c = cli("vdrive verify in.cue");
	CHECK_INT(c->status, 4);
	CHECK_STR(c->err, "");
	CHECK_STR(c->out,
		  "in.cue: 1875 sectors: 900 checked, 975 without anything to check, 4 wrong\n"
		  "TRACK   LBA SECTORS WRONG\n"
		  "    1    20       2 edc,ecc-p,ecc-q\n"
		  "    1    40       1 header,edc,ecc-p,ecc-q\n"
		  "    4 12530       1 subheader,edc,ecc-p,ecc-q\n");
	c = cli("vdrive verify --json in.cue");
	CHECK_INT(c->status, 4);
	CHECK(cli_json_valid(c->out));
	CHECK_HAS(c->out, "\"bad\": 4,");
	CHECK_HAS(c->out, "\"lba\": 12530,\n");
	c = cli("vdrive verify -q in.cue");
	CHECK_INT(c->status, 4);
	CHECK_STR(c->out, "");
	/* A part of a disc: its addresses are where they were. */
	text = CLI_OK("tail -c +$((1 + 100 * 2352)) in.bin | head -c $((200 * 2352)) >part.bin; "
		      "vdrive verify part.bin");
	CHECK_HAS(text, " 200 checked, 0 without anything to check, 0 wrong\n");
	CHECK_HAS(text, "The addresses in its sectors are 100 beyond their places in the image.\n");
	/* Nothing can be said of plain sectors but that they are there. */
	CLI_OK("vdrive convert -f in.cue plain.iso");
	CHECK_HAS(CLI_OK("vdrive verify plain.iso"),
		  ": 0 checked, 20025 without anything to check");
	end(d);
}

static void test_info(void)
{
	struct vd_disc *d;
	const char *text;

	cli_become(false);
	d = begin(FIX_ALL);
	text = CLI_OK("vdrive info in.cue");
	CHECK_HAS(text, "Medium:         CD-ROM\n");
	CHECK_HAS(text, "Catalogue:      4012345678901\n");
	CHECK_HAS(text, "freedb id:      ");
	CHECK_HAS(text, "MusicBrainz id: ");
	CHECK_HAS(text, "Volume id:      SESSION3\n");
	CHECK_HAS(
		text,
		"    1       1 mode 1     0 00:04:00     300      0       1        2352 dcp   \n");
	CHECK_HAS(text,
		  "    2       1 audio    450 00:04:00     300    150       3        2352 dcp   "
		  "DEABC2600001\n");
	CHECK_HAS(text, "    5       3 mode 2 19725 00:04:00     300    150       1        2352");
	CHECK_HAS(text, "      1 CD-DA or CD-ROM 1-3        0     1125");
	CHECK_HAS(text, "      3 CD-ROM XA       5-6    19725    20475");
	CHECK_HAS(text, "SESSION2\n");
	CHECK_HAS(text, "Sigur R\xc3\xb3s\n");
	CHECK_HAS(text, "Ein erstes Lied\n");
	text = CLI_OK("vdrive info --json in.cue");
	CHECK(cli_json_valid(text));
	CHECK_HAS(text, "\n   \"mcn\": \"4012345678901\",\n");
	CHECK_HAS(text, "\"isrc\": \"DEABC2600003\"");
	CHECK_HAS(text, "\"volume_id\": \"SESSION1\"");
	CHECK_HAS(text, "\"type\": \"performer\",\n");
	CHECK_HAS(text, "\"indices\": [\n            550,\n            601\n         ],\n");
	CHECK(cli_json_valid(text));
	end(d);
}

/* The files of one's own drive are images as well, for root too, whom the cage makes somebody else. */
static void own_drive(void)
{
	struct vd_disc *d = begin(FIX_ALL);

	CLI_OK("mkdir mnt && vdrive mount in.cue mnt");
	CHECK_HAS(CLI_OK("vdrive info $R/in/disc.iso"), "Volume id:      SESSION1\n");
	CHECK_HAS(CLI_OK("vdrive info $R/in/disc.cue"), "Volume id:      SESSION3\n");
	CLI_OK("vdrive convert $R/in/disc.cue out.cue && cmp out.bin in.bin");
	CLI_OK("vdrive umount mnt && rmdir mnt && rm out.*");
	end(d);
}

static void test_own_drive(void)
{
	if (cli_become(false))
		own_drive();
}

static void test_own_drive_as_user(void)
{
	if (cli_become(true))
		own_drive();
}

/* What is stored of P to W has no place in any of these: nothing is written unless that is meant. */
static void test_stored_subchannel(void)
{
	static const char *const outs[] = { "a.iso", "a.cue", "a.toc", "a.chd" };
	struct vd_disc *d;
	const uint8_t *sectors;
	uint8_t *with;
	size_t len;

	cli_become(false);
	d = begin(FIX_ALL);
	sectors = (const uint8_t *)check_read_file(cli_path("in.bin"), &len);
	with = check_alloc(300 * 2448);
	for (size_t i = 0; i < 300; i++) {
		memcpy(with + i * 2448, sectors + i * 2352, 2352);
		memset(with + i * 2448 + 2352, 0x2a, 96);
	}
	check_write_file(cli_path("sub.bin"), with, 300 * 2448);
	for (size_t i = 0; i < VD_ARRAY_SIZE(outs); i++) {
		CLI_FAILS(check_printf("vdrive convert sub.bin %s", outs[i]), 1,
			  check_printf("%s would lose: ", outs[i]));
		CHECK_HAS(cli("vdrive convert sub.bin %s", outs[i])->err,
			  "stored subchannel (--force");
		CLI_OK(check_printf(
			"! ls a.* 2>/dev/null && vdrive convert --force sub.bin %s && rm a.*",
			outs[i]));
	}
	end(d);
}

static const struct check_test tests[] = {
	{ "own_drive", test_own_drive },
	{ "own_drive_as_user", test_own_drive_as_user },
	{ "stored_subchannel", test_stored_subchannel },
	{ "round_trips", test_round_trips },
	{ "round_trips_as_user", test_round_trips_as_user },
	{ "chd", test_chd },
	{ "iso", test_iso },
	{ "tracks", test_tracks },
	{ "mistakes", test_mistakes },
	{ "no_permission", test_no_permission },
	{ "disk_full", test_disk_full },
	{ "killed", test_killed },
	{ "verify", test_verify },
	{ "info", test_info },
};
CHECK_MAIN_WITH(tests, cli_setup, cli_remove)
