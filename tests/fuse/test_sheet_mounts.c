// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sheets through the command: the reader is caged, and every file that a sheet names comes from outside. So the names have to be found
 * as people write them, sound has to be decoded in the cage, and nothing outside of the sheet's folder may be reached.
 */
#define _GNU_SOURCE
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

#define FRAMES 88200u /* 150 sectors */

static int16_t *samples(void)
{
	int16_t *s = check_alloc((size_t)FRAMES * 4);

	for (size_t i = 0; i < (size_t)FRAMES * 2; i++)
		s[i] = (int16_t)(12000 * sin((double)i / 40) + (double)(i * 7919 % 2000));
	return s;
}

static void write_sound(const char *name, int format)
{
	SF_INFO info = { .samplerate = 44100, .channels = 2, .format = format };
	SNDFILE *f = sf_open(cli_path(name), SFM_WRITE, &info);

	ASSERT(f != NULL);
	ASSERT_INT(sf_writef_short(f, samples(), FRAMES), FRAMES);
	sf_close(f);
}

/* A file system, and the same samples in each kind of file. */
static void make_files(void)
{
	CLI_OK("mkdir src 'Game Disc' mnt && echo hello >src/a.txt && seq 100000 >src/numbers && "
	       "HOME=. genisoimage -quiet -R -V GAME -o 'Game Disc/Track 01.BIN' src && chmod -R a+rwX .");
	write_sound("track 02.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
	write_sound("track 03.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16);
	write_sound("track 04.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16);
	write_sound("track 05.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS);
	write_sound("track 06.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III);
}

static const char cue[] =
	"\xef\xbb\xbfTITLE \"The Game\"\r\n"
	"FILE \"GAME DISC\\track 01.bin\" BINARY\r\n"
	"  TRACK 01 MODE1/2048\r\n    INDEX 01 00:00:00\r\n"
	"FILE \"Track 02.FLAC\" WAVE\r\n"
	"  TRACK 02 AUDIO\r\n    TITLE \"Two\"\r\n    PREGAP 00:02:00\r\n    INDEX 01 00:00:00\r\n"
	"FILE \"TRACK 03.aiff\" AIFF\r\n  TRACK 03 AUDIO\r\n    INDEX 01 00:00:00\r\n"
	"FILE \"track 04.wav\" WAVE\r\n  TRACK 04 AUDIO\r\n    INDEX 01 00:00:00\r\n"
	"FILE \"track 05.ogg\" OGG\r\n  TRACK 05 AUDIO\r\n    INDEX 01 00:00:00\r\n"
	"FILE \"track 06.mp3\" MP3\r\n  TRACK 06 AUDIO\r\n    INDEX 01 00:00:00\r\n";

static void put(const char *name, const char *text)
{
	check_write_file(cli_path(name), text, strlen(text));
}

/* The samples of a track as the drive shows it: what is behind the header of the chunk. */
#define PCM_OF                                                                                     \
	"pcm_of() { f=$R/d/tracks/$1.wav; at=$(grep -abo data $f | head -n 1 | cut -d: -f1); "     \
	"tail -c +$((at + 9)) $f; }; "

static void mounts(void)
{
	make_files();
	put("game.cue", cue);
	put("game.toc", "CD_ROM\nTRACK MODE1\nDATAFILE \"Game Disc/Track 01.BIN\"\n"
			"TRACK AUDIO\nPREGAP 00:02:00\nFILE \"track 04.wav\" 0\n");
	CLI_OK("vdrive mount -n d game.cue mnt && cmp src/a.txt mnt/a.txt && cmp src/numbers mnt/numbers");
	/* Lossless ones are the same samples, the others as long. */
	CLI_OK("tail -c 352800 'track 04.wav' >pcm");
	CLI_OK(PCM_OF "for i in 02 03 04; do pcm_of $i | head -c 352800 | cmp - pcm; done");
	CLI_OK(PCM_OF "for i in 05 06; do test $(pcm_of $i | wc -c) -ge 352800; done");
	CHECK_HAS(CLI_OK("vdrive info game.cue"), "The Game");
	CHECK(cli_json_valid(CLI_OK("vdrive info --json game.cue")));
	CLI_OK("vdrive umount mnt && vdrive mount -n d game.toc mnt && cmp src/numbers mnt/numbers");
	CLI_OK(PCM_OF "pcm_of 02 | cmp - pcm");
	CLI_OK("vdrive umount mnt");
	CLI_CLEAN();
	CLI_OK("rm -rf * ");
}

static void test_mounts(void)
{
	if (!check_have_program("genisoimage"))
		CHECK_SKIP("needs genisoimage");
	cli_become(false);
	mounts();
}

static void test_mounts_as_user(void)
{
	if (!check_have_program("genisoimage"))
		CHECK_SKIP("needs genisoimage");
	if (!cli_become(true))
		return;
	mounts();
	cli_become(false);
}

/* Each of them is refused, in words that name the sheet, its line and the file, by mount and by info alike. */
static void test_refused(void)
{
	static const struct {
		const char *file, *words;
	} rows[] = {
		{ "../secret", "bad.cue:1: ../secret: lies outside the folder of the sheet" },
		{ "sub/../../secret",
		  "bad.cue:1: sub/../../secret: lies outside the folder of the sheet" },
		{ "..\\secret", "bad.cue:1: ..\\secret: lies outside the folder of the sheet" },
		{ "/etc/passwd", "bad.cue:1: /etc/passwd: No such file or directory" },
		{ "out", "bad.cue:1: out: lies outside the folder of the sheet" },
		{ "OUT", "bad.cue:1: OUT: lies outside the folder of the sheet" },
		{ "proc", "bad.cue:1: proc: lies outside the folder of the sheet" },
		{ "fifo", "bad.cue:1: fifo: not a regular file" },
		{ "sub", "bad.cue:1: sub: not a regular file" },
		{ "none", "bad.cue:1: none: No such file or directory" },
		{ "Two", "bad.cue:1: Two: more than one file is called so, in other cases" },
	};

	cli_become(false);
	CLI_OK("mkdir in in/sub mnt && echo secret >secret && ln -s ../secret in/out && ln -s /proc/self/fd/3 in/proc && "
	       "mkfifo in/fifo && echo 1 >in/two && echo 2 >in/TWO");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put("in/bad.cue",
		    check_printf("FILE \"%s\" BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n",
				 rows[i].file));
		CLI_FAILS("vdrive mount in/bad.cue mnt", 32, rows[i].words);
		CLI_FAILS("vdrive info in/bad.cue", 1, rows[i].words);
	}
	CLI_CLEAN();
	CLI_OK("rm -rf *");
}

static const struct check_test tests[] = {
	{ "mounts", test_mounts },
	{ "mounts_as_user", test_mounts_as_user },
	{ "refused", test_refused },
};
CHECK_MAIN_WITH(tests, cli_setup, cli_remove)
