// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * CUE and TOC sheets: good ones with the layout that they give, bad ones with what is said of them. A layout is written as one
 * line a track, see describe(): `01 s1 MODE1 0+300 f0@0/2048` is track 1 of session 1, 300 sectors from LBA 0 on, stored in
 * the first file from byte 0 on, 2048 bytes each. What is between runs of a file is generated.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disc/cdtext.h"
#include "images/image.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* The files that sheets may name. */
static const struct file {
	const char *name;
	uint32_t size; /* bytes, all zeros but for what `begin` says */
	enum { NOTHING, WAVE, PACKS, PACKS_WITH_HEADER } begin;
} files[] = {
	{ "a.bin", 2352 * 1000, NOTHING },
	{ "b.bin", 2352 * 500, NOTHING },
	{ "c d.bin", 2352 * 300, NOTHING },
	{ "odd.bin", 2352 * 100 + 1000, NOTHING },
	{ "small.bin", 100, NOTHING },
	{ "user.iso", 2048 * 300, NOTHING },
	{ "mixed.bin", 2048 * 300 + 2352 * 700, NOTHING },
	{ "xa.bin", 2336 * 200, NOTHING },
	{ "f2.bin", 2324 * 200, NOTHING },
	{ "sub.bin", 2448 * 200, NOTHING },
	{ "\xc3\xbc.bin", 2352 * 10, NOTHING },
	{ "sub/dir.bin", 2352 * 10, NOTHING },
	{ "say \"hi\".bin", 2352 * 10, NOTHING },
	{ "empty.bin", 0, NOTHING },
	{ "a.wav", 44 + 588 * 4 * 400, WAVE },
	{ "b.wav", 44 + 588 * 4 * 100 + 40, WAVE },
	{ "text.cdt", 18 * 2, PACKS },
	{ "header.cdt", 4 + 18 * 2, PACKS_WITH_HEADER },
	{ "bad.cdt", 18 * 2 + 3, PACKS },
	{ "zeros.cdt", 18 * 2, NOTHING },
};

static void make_wave(uint8_t h[44], uint32_t size)
{
	memcpy(h, "RIFF....WAVEfmt ", 16);
	vd_put_le32(h + 4, size - 8);
	vd_put_le32(h + 16, 16);
	vd_put_le16(h + 20, 1);
	vd_put_le16(h + 22, 2);
	vd_put_le32(h + 24, 44100);
	vd_put_le32(h + 28, 176400);
	vd_put_le16(h + 32, 4);
	vd_put_le16(h + 34, 16);
	memcpy(h + 36, "data", 4);
	vd_put_le32(h + 40, size - 44);
}

static int memory_file(const void *data, size_t len, off_t size)
{
	int fd = memfd_create("sheet", MFD_CLOEXEC);

	ASSERT(fd >= 0);
	ASSERT(write(fd, data, len) == (ssize_t)len);
	ASSERT_OK(ftruncate(fd, size));
	return fd;
}

static int open_file(struct vd_opener *o, const char *name, struct vd_error *err)
{
	uint8_t begin[44] = { 0 };

	if (!strncmp(name, "many-", 5))
		return memory_file("", 0, 2352);
	if (!strncmp(name, "same-", 5)) {
		static int same = -1;

		if (same < 0)
			same = memory_file("", 0, 2352 * 1000);
		return dup(same);
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(files); i++) {
		size_t len = 0;

		if (strcmp(files[i].name, name))
			continue;
		if (files[i].begin == WAVE) {
			len = sizeof(begin);
			make_wave(begin, files[i].size);
		} else if (files[i].begin != NOTHING) {
			len = files[i].begin == PACKS_WITH_HEADER ? 5 : 1;
			begin[len - 1] = 0x80;
		}
		return memory_file(begin, len, files[i].size);
	}
	return vd_error_errno(err, -ENOENT, "%s", name);
}

static int open_sheet(const char *name, const void *text, size_t len, struct vd_disc **out,
		      struct vd_error *err)
{
	struct vd_opener opener = { .open = open_file };
	const struct vd_image_format *format = NULL;

	*out = NULL;
	return vd_image_open(&opener, memory_file(text, len, (off_t)len), name, out, &format, err);
}

static const char *layout_name(const struct vd_extent *x)
{
	static const char *const names[] = { "2048", "2324", "2328",  "2332",
					     "2336", "2352", "2352b", "2448" };
	static const char *const subs[] = { "", "", "planar", "rwraw", "rw" };

	return check_printf("%s%s", names[x->layout], subs[x->sub]);
}

static int store_number(const struct vd_disc *d, const struct vd_store *s)
{
	for (size_t i = 0; i < d->nstores; i++)
		if (d->stores[i] == s)
			return (int)i;
	return -1;
}

/*
 * Of each track `NUMBER sSESSION MODE START+LENGTH`, then what is not the usual: ` pPREGAP`, ` iINDEX,INDEX...`,
 * ` cCONTROL`, ` scms`, ` isrc=...`; then for each run of sectors ` [LBA+LENGTH ]fFILE@OFFSET/SIZE`, LBA and length unless
 * it is the whole track from INDEX 01 on.
 */
static const char *describe(const struct vd_disc *d)
{
	static const char *const modes[] = { "MODE1", "MODE2", "AUDIO" };
	const char *out = d->mcn[0] ? check_printf("mcn=%s\n", d->mcn) : "";

	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		const int64_t first = i ? (int64_t)t->start - t->pregap : -150;

		out = check_printf("%s%02d s%d %s %d+%u", out, t->number, t->session,
				   modes[t->mode], t->start, t->length);
		if (t->pregap)
			out = check_printf("%s p%u", out, t->pregap);
		for (size_t k = 0; k < t->nindices; k++)
			out = check_printf("%s%s%d", out, k ? "," : " i", t->indices[k]);
		if (t->control & ~VD_CONTROL_DATA)
			out = check_printf("%s c%x", out, t->control & ~VD_CONTROL_DATA);
		if (t->scms)
			out = check_printf("%s scms", out);
		if (t->isrc[0])
			out = check_printf("%s isrc=%s", out, t->isrc);
		for (size_t k = 0; k < d->nextents; k++) {
			const struct vd_extent *x = &d->extents[k];

			if (x->lba < first || x->lba >= vd_track_end(t))
				continue;
			if (x->lba != t->start || x->length != t->length)
				out = check_printf("%s %d+%u", out, x->lba, x->length);
			out = check_printf("%s f%d@%llu/%s", out, store_number(d, x->store),
					   (unsigned long long)x->offset, layout_name(x));
		}
		out = check_printf("%s\n", out);
	}
	return out;
}

struct row {
	const char *name;
	const char *sheet;
	const char *layout; /* as describe() has it, or */
	const char *error;
};

#define F(name, type) "FILE \"" name "\" " type "\n"
#define A F("a.bin", "BINARY") /* 1000 sectors of 2352 */
#define B F("b.bin", "BINARY") /* 500 */
#define W F("a.wav", "WAVE")   /* 400 */
#define AUDIO(n) "TRACK " n " AUDIO\n"
#define RAW1(n) "TRACK " n " MODE1/2352\n"
#define I(n, at) "INDEX " n " " at "\n"
#define I1 I("01", "00:00:00")
#define ONE A AUDIO("01") I1
#define ONE_IS "01 s1 AUDIO 0+1000 f0@0/2352\n"

static const struct row cues[] = {
	/* One file, one track. */
	{ "audio", ONE, ONE_IS, NULL },
	{ "iso", F("user.iso", "BINARY") "TRACK 01 MODE1/2048\n" I1,
	  "01 s1 MODE1 0+300 f0@0/2048\n", NULL },
	{ "raw mode 1", A RAW1("01") I1, "01 s1 MODE1 0+1000 f0@0/2352\n", NULL },
	{ "raw mode 2", A "TRACK 01 MODE2/2352\n" I1, "01 s1 MODE2 0+1000 f0@0/2352\n", NULL },
	{ "mode 2 of 2336", F("xa.bin", "BINARY") "TRACK 01 MODE2/2336\n" I1,
	  "01 s1 MODE2 0+200 f0@0/2336\n", NULL },
	{ "mode 2 of 2324", F("f2.bin", "BINARY") "TRACK 01 MODE2/2324\n" I1,
	  "01 s1 MODE2 0+200 f0@0/2324\n", NULL },
	{ "mode 2 of 2048", F("user.iso", "BINARY") "TRACK 01 MODE2/2048\n" I1,
	  "01 s1 MODE2 0+300 f0@0/2048\n", NULL },
	{ "cd-i", A "TRACK 01 CDI/2352\n" I1, "01 s1 MODE2 0+1000 f0@0/2352\n", NULL },
	{ "cd+g", F("sub.bin", "BINARY") "TRACK 01 CDG\n" I1, "01 s1 AUDIO 0+200 f0@0/2448rwraw\n",
	  NULL },
	{ "big endian", F("a.bin", "MOTOROLA") AUDIO("01") I1, "01 s1 AUDIO 0+1000 f0@0/2352b\n",
	  NULL },
	{ "data has no byte order", F("a.bin", "MOTOROLA") RAW1("01") I1,
	  "01 s1 MODE1 0+1000 f0@0/2352\n", NULL },
	{ "audio that ends inside a sector", F("odd.bin", "BINARY") AUDIO("01") I1,
	  "01 s1 AUDIO 0+101 f0@0/2352\n", NULL },
	{ "data that ends inside a sector", F("odd.bin", "BINARY") RAW1("01") I1,
	  "01 s1 MODE1 0+100 f0@0/2352\n", NULL },
	{ "a sound", W AUDIO("01") I1, "01 s1 AUDIO 0+400 f0@0/2352\n", NULL },
	{ "a sound that ends inside a sector", F("b.wav", "WAVE") AUDIO("01") I1,
	  "01 s1 AUDIO 0+101 f0@0/2352\n", NULL },
	{ "a sound by another's name", F("a.wav", "MP3") AUDIO("01") I1,
	  "01 s1 AUDIO 0+400 f0@0/2352\n", NULL },
	{ "binary is not looked at: the header of 44 bytes is sound, too",
	  F("a.wav", "BINARY") AUDIO("01") I1, "01 s1 AUDIO 0+401 f0@0/2352\n", NULL },

	/* Several tracks. */
	{ "two in one file", A AUDIO("01") I1 AUDIO("02") I("01", "00:04:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s1 AUDIO 300+700 f0@705600/2352\n",
	  NULL },
	{ "mixed sizes in one file",
	  F("mixed.bin", "BINARY") "TRACK 01 MODE1/2048\n" I1 AUDIO("02") I("00", "00:04:00")
		  I("01", "00:06:00"),
	  "01 s1 MODE1 0+300 f0@0/2048\n"
	  "02 s1 AUDIO 450+550 p150 300+700 f0@614400/2352\n",
	  NULL },
	{ "a file for each", A RAW1("01") I1 B AUDIO("02") I("00", "00:00:00") I("01", "00:02:00"),
	  "01 s1 MODE1 0+1000 f0@0/2352\n"
	  "02 s1 AUDIO 1150+350 p150 1000+500 f1@0/2352\n",
	  NULL },
	{ "binary and sound", A RAW1("01") I1 W AUDIO("02") "PREGAP 00:02:00\n" I1,
	  "01 s1 MODE1 0+1000 f0@0/2352\n"
	  "02 s1 AUDIO 1150+400 p150 f1@0/2352\n",
	  NULL },
	{ "the same file again", A AUDIO("01") I1 A AUDIO("02") I("01", "00:04:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s1 AUDIO 300+700 f0@705600/2352\n",
	  NULL },
	{ "a pregap at the end of the file before",
	  A AUDIO("01") I1 AUDIO("02") I("00", "00:12:00") B I1,
	  "01 s1 AUDIO 0+900 f0@0/2352\n"
	  "02 s1 AUDIO 1000+500 p100 900+100 f0@2116800/2352 f1@0/2352\n",
	  NULL },
	{ "a track in two files", A AUDIO("01") I1 B I("02", "00:02:00"),
	  "01 s1 AUDIO 0+1500 i1150 0+1000 f0@0/2352 1000+500 f1@0/2352\n", NULL },
	{ "a pregap in two files",
	  A AUDIO("01") I1 AUDIO("02") I("00", "00:12:00") B I("01", "00:01:00"),
	  "01 s1 AUDIO 0+900 f0@0/2352\n"
	  "02 s1 AUDIO 1075+425 p175 900+100 f0@2116800/2352 1000+500 f1@0/2352\n",
	  NULL },
	{ "tracks that begin elsewhere", A AUDIO("05") I1 AUDIO("07") I("01", "00:04:00"),
	  "05 s1 AUDIO 0+300 f0@0/2352\n"
	  "07 s1 AUDIO 300+700 f0@705600/2352\n",
	  NULL },

	/* Pregaps, postgaps, indices. */
	{ "hidden sound before track 1", A AUDIO("01") I("00", "00:00:00") I("01", "00:04:00"),
	  "01 s1 AUDIO 300+700 p300 0+1000 f0@0/2352\n", NULL },
	{ "the same without INDEX 00", A AUDIO("01") I("01", "00:04:00"),
	  "01 s1 AUDIO 300+700 p300 0+1000 f0@0/2352\n", NULL },
	{ "a file's beginning is the pregap", A AUDIO("01") I1 B AUDIO("02") I("01", "00:01:00"),
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s1 AUDIO 1075+425 p75 1000+500 f1@0/2352\n",
	  NULL },
	{ "track 1 begins late", A AUDIO("01") "PREGAP 00:00:33\n" I1,
	  "01 s1 AUDIO 33+1000 p33 f0@0/2352\n", NULL },
	{ "a pregap of both kinds",
	  A AUDIO("01") I1 AUDIO("02") "PREGAP 00:01:00\n" I("00", "00:04:00") I("01", "00:05:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s1 AUDIO 450+625 p150 375+700 f0@705600/2352\n",
	  NULL },
	{ "a pregap of no length", A AUDIO("01") I("00", "00:00:00") I1, ONE_IS, NULL },
	{ "a postgap", A RAW1("01") I1 "POSTGAP 00:02:00\n" B AUDIO("02") I1,
	  "01 s1 MODE1 0+1150 0+1000 f0@0/2352\n"
	  "02 s1 AUDIO 1150+500 f1@0/2352\n",
	  NULL },
	{ "a postgap at the end", A AUDIO("01") I1 "POSTGAP 00:02:00\n",
	  "01 s1 AUDIO 0+1150 0+1000 f0@0/2352\n", NULL },
	{ "indices", A AUDIO("01") I1 I("02", "00:01:00") I("03", "00:02:00"),
	  "01 s1 AUDIO 0+1000 i75,150 f0@0/2352\n", NULL },
	{ "indices behind a pregap",
	  A AUDIO("01") I1 AUDIO("02") "PREGAP 00:01:00\n" I("01", "00:04:00") I("02", "00:05:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s1 AUDIO 375+700 p75 i450 f0@705600/2352\n",
	  NULL },

	/* What else is told of a track and the disc. */
	{ "catalogue", "CATALOG 0724383030224\n" ONE, "mcn=0724383030224\n" ONE_IS, NULL },
	{ "catalogue in quotes", "CATALOG \"0724383030224\"\n" ONE, "mcn=0724383030224\n" ONE_IS,
	  NULL },
	{ "a UPC", "CATALOG 724383030224\n" ONE, "mcn=0724383030224\n" ONE_IS, NULL },
	{ "isrc", A AUDIO("01") "ISRC USRC17607839\n" I1,
	  "01 s1 AUDIO 0+1000 isrc=USRC17607839 f0@0/2352\n", NULL },
	{ "isrc as people write it", A AUDIO("01") "ISRC us-rc1-76-07839\n" I1,
	  "01 s1 AUDIO 0+1000 isrc=USRC17607839 f0@0/2352\n", NULL },
	{ "flags", A AUDIO("01") "FLAGS DCP 4CH PRE SCMS\n" I1,
	  "01 s1 AUDIO 0+1000 cb scms f0@0/2352\n", NULL },
	{ "flags that are known anyway", A RAW1("01") "FLAGS DATA DCP\n" I1,
	  "01 s1 MODE1 0+1000 c2 f0@0/2352\n", NULL },

	/* Sessions. */
	{ "redump",
	  "REM SESSION 01\n" A AUDIO("01") I1
	  "REM LEAD-OUT 01:30:00\n"
	  "REM SESSION 02\nREM LEAD-IN 01:00:00\nREM PREGAP 00:02:00\n" B RAW1("02") I1,
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 12400+500 p150 f1@0/2352\n",
	  NULL },
	{ "redump without its lengths",
	  "REM SESSION 01\n" A AUDIO("01") I1 "REM SESSION 02\n" B RAW1("02") I1,
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 12400+500 p150 f1@0/2352\n",
	  NULL },
	{ "three sessions",
	  "REM SESSION 01\n" A AUDIO("01") I1 "REM SESSION 02\n" B RAW1("02") I1
	  "REM SESSION 03\n" F("c d.bin", "BINARY") RAW1("03") I1,
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 12400+500 p150 f1@0/2352\n"
	  "03 s3 MODE1 19800+300 p150 f2@0/2352\n",
	  NULL },
	{ "other lengths",
	  "REM SESSION 1\n" A AUDIO("01") I1
	  "REM LEAD-OUT 00:10:00\n"
	  "REM SESSION 2\nREM LEAD-IN 00:20:00\nREM PREGAP 00:03:00\n" B RAW1("02") I1,
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 3475+500 p150 f1@0/2352\n",
	  NULL },
	{ "a session whose pregap is stored",
	  "REM SESSION 01\n" A AUDIO("01") I1 "REM SESSION 02\n" B RAW1("02") I("00", "00:00:00")
		  I("01", "00:02:00"),
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 12400+350 p150 12250+500 f1@0/2352\n",
	  NULL },
	{ "imgburn: the gap is in the file",
	  A "REM SESSION 01\n" AUDIO("01") I1 "REM LEAD-OUT 00:04:00\nREM SESSION 02\n" RAW1("02")
		  I("01", "00:10:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s2 MODE1 750+250 p150 f0@1764000/2352\n",
	  NULL },
	{ "one file, the gap is not in it",
	  A "REM SESSION 01\n" AUDIO("01") I1 "REM SESSION 02\n" RAW1("02") I("01", "00:04:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s2 MODE1 11700+700 p150 f0@705600/2352\n",
	  NULL },
	{ "one file, with redump's lengths",
	  A "REM SESSION 01\n" AUDIO("01") I1
	  "REM LEAD-OUT 00:02:00\nREM SESSION 02\n"
	  "REM LEAD-IN 01:00:00\nREM PREGAP 00:02:00\n" RAW1("02") I("01", "00:04:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s2 MODE1 5100+700 p150 f0@705600/2352\n",
	  NULL },
	{ "a lead-out that is where the session ends",
	  "REM SESSION 01\n" A AUDIO("01") I1 "REM LEAD-OUT 00:13:25\nREM SESSION 02\n" B RAW1("02")
		  I1,
	  "01 s1 AUDIO 0+1000 f0@0/2352\n"
	  "02 s2 MODE1 12400+500 p150 f1@0/2352\n",
	  NULL },
	{ "dreamcast",
	  "REM SINGLE-DENSITY AREA\n" A RAW1("01") I1 "REM HIGH-DENSITY AREA\n" B RAW1("03")
		  I1 F("c d.bin", "BINARY") AUDIO("04") I("00", "00:00:00") I("01", "00:02:00"),
	  "01 s1 MODE1 0+1000 f0@0/2352\n"
	  "03 s2 MODE1 45000+500 p150 f1@0/2352\n"
	  "04 s2 AUDIO 45650+150 p150 45500+300 f2@0/2352\n",
	  NULL },
	{ "a session for each track",
	  A "REM SESSION 01\n" AUDIO("01") I1 "REM SESSION 01\n" AUDIO("02") I("01", "00:04:00"),
	  "01 s1 AUDIO 0+300 f0@0/2352\n"
	  "02 s1 AUDIO 300+700 f0@705600/2352\n",
	  NULL },

	/* How it may be written. */
	{ "any case", "file \"a.bin\" Binary\ntrack 01 audio\nindex 01 00:00:00\n", ONE_IS, NULL },
	{ "indented",
	  "\tFILE\t\"a.bin\"\tBINARY \n  TRACK  01  AUDIO \n    INDEX  01  00:00:00\t\n", ONE_IS,
	  NULL },
	{ "DOS", "FILE \"a.bin\" BINARY\r\nTRACK 01 AUDIO\r\nINDEX 01 00:00:00\r\n\x1a", ONE_IS,
	  NULL },
	{ "old Mac", "FILE \"a.bin\" BINARY\rTRACK 01 AUDIO\rINDEX 01 00:00:00\r", ONE_IS, NULL },
	{ "no end of line at the end", "FILE a.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00",
	  ONE_IS, NULL },
	{ "a mark", "\xef\xbb\xbf" ONE, ONE_IS, NULL },
	{ "short numbers", A "TRACK 1 AUDIO\nINDEX 1 0:0:0\n", ONE_IS, NULL },
	{ "blank lines, remarks, comments",
	  "\n\nREM\nREM GENRE \"x\"\n; old\n# new\n// other\n" ONE, ONE_IS, NULL },
	{ "a name without quotes", "FILE a.bin BINARY\n" AUDIO("01") I1, ONE_IS, NULL },
	{ "a name without quotes, with a space", "FILE c d.bin BINARY\n" AUDIO("01") I1,
	  "01 s1 AUDIO 0+300 f0@0/2352\n", NULL },
	{ "quotes in a name", "FILE \"say \"hi\".bin\" BINARY\n" AUDIO("01") I1,
	  "01 s1 AUDIO 0+10 f0@0/2352\n", NULL },
	{ "no space behind the name", "FILE \"a.bin\"BINARY\n" AUDIO("01") I1, ONE_IS, NULL },
	{ "a name in UTF-8", F("\xc3\xbc.bin", "BINARY") AUDIO("01") I1,
	  "01 s1 AUDIO 0+10 f0@0/2352\n", NULL },
	{ "a name in ISO 8859-1", F("\xfc.bin", "BINARY") AUDIO("01") I1,
	  "01 s1 AUDIO 0+10 f0@0/2352\n", NULL },
	{ "a folder", F("sub/dir.bin", "BINARY") AUDIO("01") I1, "01 s1 AUDIO 0+10 f0@0/2352\n",
	  NULL },
	{ "a path of another machine", F("C:\\My Discs\\a.bin", "BINARY") AUDIO("01") I1, ONE_IS,
	  NULL },
	{ "an absolute path", F("/home/me/a.bin", "BINARY") AUDIO("01") I1, ONE_IS, NULL },

	/* Wrong ones. */
	{ "no track", "FILE \"a.bin\" BINARY\n", NULL, "disc.cue: no TRACK" },
	{ "nothing", "REM nothing\n", NULL, "disc.cue: no TRACK" },
	{ "not a sheet", "hello world\n", NULL,
	  "disc.cue:1: 'hello' is no command of a CUE sheet" },
	{ "no such command", ONE "JUMP 3\n", NULL,
	  "disc.cue:4: 'JUMP' is no command of a CUE sheet" },
	{ "no such file", F("none.bin", "BINARY"), NULL,
	  "disc.cue:1: none.bin: No such file or directory" },
	{ "a folder's name", F("/home/me/", "BINARY"), NULL,
	  "disc.cue:1: /home/me/: No such file or directory" },
	{ "no type", "FILE \"a.bin\"\n", NULL, "disc.cue:1: FILE without a type" },
	{ "no name", "FILE BINARY\n", NULL, "disc.cue:1: FILE without a name" },
	{ "no such type", F("a.bin", "ZIP"), NULL,
	  "disc.cue:1: FILE of type 'ZIP': it is BINARY, MOTOROLA, WAVE, AIFF, FLAC, MP3 or OGG" },
	{ "no sound", F("a.bin", "WAVE"), NULL,
	  "disc.cue:1: a.bin: not a sound file (WAVE, AIFF, FLAC, Ogg Vorbis, MP3)" },
	{ "one file of two kinds",
	  A AUDIO("01") I1 F("a.bin", "MOTOROLA") AUDIO("02") "INDEX 01 00:04:00\n", NULL,
	  "disc.cue:4: FILE a.bin is MOTOROLA, but was BINARY in line 1" },
	{ "one file of two kinds, the other way round",
	  F("a.bin", "MOTOROLA") AUDIO("01") I1 A AUDIO("02") "INDEX 01 00:04:00\n", NULL,
	  "disc.cue:4: FILE a.bin is BINARY, but was MOTOROLA in line 1" },
	{ "a file without an INDEX", A B AUDIO("01") I1, NULL,
	  "disc.cue:1: no INDEX in FILE a.bin" },
	{ "the last file without an INDEX", ONE B, NULL, "disc.cue:4: no INDEX in FILE b.bin" },
	{ "a file a second time", ONE B AUDIO("02") I1 A AUDIO("03") I1, NULL,
	  "disc.cue:7: FILE a.bin again, with another one between" },
	{ "TRACK without a number", A "TRACK AUDIO\n", NULL,
	  "disc.cue:2: TRACK 'AUDIO' is not 01 to 99" },
	{ "TRACK 0", A AUDIO("00"), NULL, "disc.cue:2: TRACK '00' is not 01 to 99" },
	{ "TRACK 100", A AUDIO("100"), NULL, "disc.cue:2: TRACK '100' is not 01 to 99" },
	{ "no mode", A "TRACK 01\n", NULL, "disc.cue:2: TRACK 01 without a mode" },
	{ "no such mode", A "TRACK 01 MODE3/2352\n", NULL,
	  "disc.cue:2: TRACK 01 of mode 'MODE3/2352', which is not known" },
	{ "the same number", ONE AUDIO("01"), NULL, "disc.cue:4: TRACK 01 after TRACK 01" },
	{ "a lower number", A AUDIO("02") I1 AUDIO("01"), NULL,
	  "disc.cue:4: TRACK 01 after TRACK 02" },
	{ "no INDEX", A AUDIO("01") AUDIO("02") I1, NULL, "disc.cue:2: TRACK 01 has no INDEX 01" },
	{ "only INDEX 00", A AUDIO("01") I("00", "00:00:00") AUDIO("02") I1, NULL,
	  "disc.cue:2: TRACK 01 has no INDEX 01" },
	{ "no INDEX in the last track", ONE AUDIO("02"), NULL,
	  "disc.cue:4: TRACK 02 has no INDEX 01" },
	{ "INDEX before TRACK", A I1, NULL, "disc.cue:2: INDEX before any TRACK" },
	{ "INDEX before FILE", AUDIO("01") I1 A, NULL, "disc.cue:2: INDEX before any FILE" },
	{ "INDEX 02 first", A AUDIO("01") I("02", "00:00:00"), NULL,
	  "disc.cue:3: INDEX 02 before INDEX 01" },
	{ "INDEX 02 behind INDEX 00", A AUDIO("01") I("00", "00:00:00") I("02", "00:01:00"), NULL,
	  "disc.cue:4: INDEX 02 before INDEX 01" },
	{ "INDEX 04 behind INDEX 02", ONE I("02", "00:01:00") I("04", "00:02:00"), NULL,
	  "disc.cue:5: INDEX 04 before INDEX 03" },
	{ "INDEX 01 again", ONE I("01", "00:01:00"), NULL, "disc.cue:4: INDEX 01 after INDEX 01" },
	{ "INDEX 00 behind INDEX 01", ONE I("00", "00:01:00"), NULL,
	  "disc.cue:4: INDEX 00 after INDEX 01" },
	{ "INDEX 100", A AUDIO("01") I("100", "00:00:00"), NULL,
	  "disc.cue:3: INDEX '100' is not 00 to 99" },
	{ "75 frames", A AUDIO("01") I("01", "00:00:75"), NULL,
	  "disc.cue:3: INDEX '00:00:75' is no time as mm:ss:ff" },
	{ "60 seconds", A AUDIO("01") I("01", "00:60:00"), NULL,
	  "disc.cue:3: INDEX '00:60:00' is no time as mm:ss:ff" },
	{ "two parts", A AUDIO("01") I("01", "00:00"), NULL,
	  "disc.cue:3: INDEX '00:00' is no time as mm:ss:ff" },
	{ "no time", A AUDIO("01") "INDEX 01\n", NULL,
	  "disc.cue:3: INDEX '' is no time as mm:ss:ff" },
	{ "a negative time", A AUDIO("01") I("01", "-00:00:01"), NULL,
	  "disc.cue:3: INDEX '-00:00:01' is no time as mm:ss:ff" },
	{ "more behind it", A AUDIO("01") I("01", "00:00:00 00:01:00"), NULL,
	  "disc.cue:3: '00:01:00' behind INDEX" },
	{ "back in the file",
	  A AUDIO("01") I1 AUDIO("02") I("01", "00:04:00") AUDIO("03") I("01", "00:03:00"), NULL,
	  "disc.cue:7: INDEX at 00:03:00 is not beyond the one at 00:04:00" },
	{ "an empty track", A AUDIO("01") I1 AUDIO("02") I1, NULL,
	  "disc.cue:5: INDEX at 00:00:00 is not beyond the one at 00:00:00" },
	{ "beyond the file", A AUDIO("01") I1 AUDIO("02") I("01", "00:13:26"), NULL,
	  "disc.cue:5: INDEX at 00:13:26 is beyond the end of a.bin, at 00:13:25" },
	{ "at the end of the file", A AUDIO("01") I1 AUDIO("02") I("01", "00:13:25"), NULL,
	  "disc.cue:4: TRACK 02 is empty" },
	{ "far beyond the file", A AUDIO("01") I1 AUDIO("02") I("01", "9999:59:74"), NULL,
	  "disc.cue:5: INDEX at 9999:59:74 is beyond the end of a.bin, at 00:13:25" },
	{ "a file that is no sector", F("small.bin", "BINARY") RAW1("01") I1, NULL,
	  "disc.cue:2: TRACK 01 is empty" },
	{ "an empty file", F("empty.bin", "BINARY") AUDIO("01") I1, NULL,
	  "disc.cue:2: TRACK 01 is empty" },
	{ "data in a sound", W RAW1("01") I1, NULL,
	  "disc.cue:2: TRACK 01 of mode MODE1/2352 in a sound file" },
	{ "cd+g in a big endian file", F("sub.bin", "MOTOROLA") "TRACK 01 CDG\n" I1, NULL,
	  "disc.cue:2: TRACK 01 of mode CDG in a MOTOROLA file" },
	{ "PREGAP too late", ONE "PREGAP 00:02:00\n", NULL, "disc.cue:4: PREGAP behind INDEX" },
	{ "PREGAP twice", A AUDIO("01") "PREGAP 00:02:00\nPREGAP 00:02:00\n" I1, NULL,
	  "disc.cue:4: PREGAP again" },
	{ "POSTGAP too early", A AUDIO("01") "POSTGAP 00:02:00\n" I1, NULL,
	  "disc.cue:3: POSTGAP before INDEX" },
	{ "INDEX behind POSTGAP", ONE "POSTGAP 00:02:00\n" I("02", "00:01:00"), NULL,
	  "disc.cue:5: INDEX behind POSTGAP" },
	{ "a catalogue of words", "CATALOG none\n" ONE, NULL,
	  "disc.cue:1: CATALOG 'none' is not 13 digits" },
	{ "a short ISRC", A AUDIO("01") "ISRC USRC1760783\n", NULL,
	  "disc.cue:3: ISRC 'USRC1760783' is not 12 characters, such as USRC17607839" },
	{ "an ISRC before TRACK", "ISRC USRC17607839\n" ONE, NULL,
	  "disc.cue:1: ISRC before any TRACK" },
	{ "no such flag", A AUDIO("01") "FLAGS DCP XYZ\n" I1, NULL,
	  "disc.cue:3: FLAGS 'XYZ': it is DCP, 4CH, PRE, SCMS or DATA" },
	{ "session 3 behind session 1", "REM SESSION 01\n" ONE "REM SESSION 03\n", NULL,
	  "disc.cue:5: SESSION 03 after SESSION 01" },
	{ "session 2 first", "REM SESSION 02\n" ONE, NULL,
	  "disc.cue:1: SESSION 02 before SESSION 01" },
	{ "text of a track that only a disc has", A AUDIO("01") "DISC_ID x\n" I1, NULL,
	  "disc.cue:3: CD-TEXT: a track has no disc_id" },
	{ "no packs", "CDTEXTFILE \"bad.cdt\"\n" ONE, NULL,
	  "disc.cue:1: bad.cdt: not CD-TEXT in packs of 18 bytes" },
	{ "packs of zeros", "CDTEXTFILE \"zeros.cdt\"\n" ONE, NULL,
	  "disc.cue:1: zeros.cdt: not CD-TEXT in packs of 18 bytes" },
	{ "no packs at all", "CDTEXTFILE \"none.cdt\"\n" ONE, NULL,
	  "disc.cue:1: none.cdt: No such file or directory" },
};

#define TOC "CD_ROM_XA\n"
#define TA "TRACK AUDIO\n"
#define FA "FILE \"a.bin\" 0\n"
#define TA_IS "01 s1 AUDIO 0+1000 f0@0/2352b\n"

static const struct row tocs[] = {
	/* Sources. */
	{ "samples are big endian", "CD_DA\n" TA FA, TA_IS, NULL },
	{ "swapped", "CD_DA\n" TA "FILE \"a.bin\" SWAP 0\n", "01 s1 AUDIO 0+1000 f0@0/2352\n",
	  NULL },
	{ "a sound", "CD_DA\n" TA "FILE \"a.wav\" 0\n", "01 s1 AUDIO 0+400 f0@0/2352\n", NULL },
	{ "a sound, swapped", "CD_DA\n" TA "AUDIOFILE \"a.wav\" SWAP 0\n",
	  "01 s1 AUDIO 0+400 f0@0/2352b\n", NULL },
	{ "part of a file", "CD_DA\n" TA "FILE \"a.bin\" 00:01:00 00:08:00\n",
	  "01 s1 AUDIO 0+600 f0@176400/2352b\n", NULL },
	{ "part of a file, in samples", "CD_DA\n" TA "FILE \"a.bin\" 588 352800\n",
	  "01 s1 AUDIO 0+600 f0@2352/2352b\n", NULL },
	{ "from an offset on", "CD_DA\n" TA "FILE \"a.bin\" #2352 00:01:00\n",
	  "01 s1 AUDIO 0+924 f0@178752/2352b\n", NULL },
	{ "length 0 is all", "CD_DA\n" TA "FILE \"a.bin\" 0 0\n", TA_IS, NULL },
	{ "two files", "CD_DA\n" TA FA "FILE \"b.bin\" 0\n",
	  "01 s1 AUDIO 0+1500 0+1000 f0@0/2352b 1000+500 f1@0/2352b\n", NULL },
	{ "silence before and behind", "CD_DA\n" TA "SILENCE 00:01:00\n" FA "SILENCE 00:02:00\n",
	  "01 s1 AUDIO 0+1225 75+1000 f0@0/2352b\n", NULL },
	{ "the end of a sector is silence", "CD_DA\n" TA "FILE \"a.bin\" 0 587000\n",
	  "01 s1 AUDIO 0+999 f1@0/2352b\n", NULL },
	{ "parts that end inside a sector",
	  "CD_DA\n" TA "FILE \"a.bin\" 0 176500\nSILENCE 100\nFILE \"b.bin\" 10 176400\n",
	  "01 s1 AUDIO 0+601 f2@0/2352b\n", NULL },
	{ "data", TOC "TRACK MODE1\nDATAFILE \"user.iso\"\n", "01 s1 MODE1 0+300 f0@0/2048\n",
	  NULL },
	{ "raw data", TOC "TRACK MODE1_RAW\nDATAFILE \"a.bin\"\n", "01 s1 MODE1 0+1000 f0@0/2352\n",
	  NULL },
	{ "mode 2", TOC "TRACK MODE2\nDATAFILE \"xa.bin\"\n", "01 s1 MODE2 0+200 f0@0/2336\n",
	  NULL },
	{ "raw mode 2", TOC "TRACK MODE2_RAW\nDATAFILE \"a.bin\"\n",
	  "01 s1 MODE2 0+1000 f0@0/2352\n", NULL },
	{ "form 1", TOC "TRACK MODE2_FORM1\nDATAFILE \"user.iso\"\n",
	  "01 s1 MODE2 0+300 f0@0/2048\n", NULL },
	{ "form 2", TOC "TRACK MODE2_FORM2\nDATAFILE \"f2.bin\"\n", "01 s1 MODE2 0+200 f0@0/2324\n",
	  NULL },
	{ "mixed forms", TOC "TRACK MODE2_FORM_MIX\nDATAFILE \"xa.bin\"\n",
	  "01 s1 MODE2 0+200 f0@0/2336\n", NULL },
	{ "data longer than its file", TOC "TRACK MODE1\nDATAFILE \"user.iso\" #2048 00:04:00\n",
	  NULL, "disc.toc:3: user.iso has 612352 bytes from byte 2048 on, not 614400" },
	{ "data of a length in bytes", TOC "TRACK MODE1\nDATAFILE \"user.iso\" #2048 409600\n",
	  "01 s1 MODE1 0+200 f0@2048/2048\n", NULL },
	{ "data that ends inside a sector", TOC "TRACK MODE1_RAW\nDATAFILE \"odd.bin\"\n",
	  "01 s1 MODE1 0+101 f1@0/2352\n", NULL },
	{ "zeros", TOC "TRACK MODE1\nZERO 00:04:00\n", "01 s1 MODE1 0+300\n", NULL },
	{ "zeros of another mode", TOC "TRACK MODE1\nZERO MODE2_RAW 00:04:00\n",
	  "01 s1 MODE1 0+300\n", NULL },
	{ "zeros in bytes of another mode", TOC "TRACK MODE2\nZERO MODE1 614400\n",
	  "01 s1 MODE2 0+300\n", NULL },
	{ "a subchannel, raw", "CD_DA\nTRACK AUDIO RW_RAW\nDATAFILE \"sub.bin\"\n",
	  "01 s1 AUDIO 0+200 f0@0/2352brwraw\n", NULL },
	{ "a subchannel, packed", TOC "TRACK MODE1_RAW RW\nDATAFILE \"sub.bin\"\n",
	  "01 s1 MODE1 0+200 f0@0/2352rw\n", NULL },
	{ "zeros with a subchannel", TOC "TRACK MODE1_RAW RW\nZERO MODE1_RAW RW 00:04:00\n",
	  "01 s1 MODE1 0+300\n", NULL },

	/* Start, pregap, indices, end. */
	{ "a pregap", "CD_DA\n" TA FA TA "PREGAP 00:02:00\nFILE \"b.bin\" 0\n",
	  "01 s1 AUDIO 0+1000 f0@0/2352b\n"
	  "02 s1 AUDIO 1150+500 p150 f1@0/2352b\n",
	  NULL },
	{ "a pregap of data", TOC "TRACK MODE1\nPREGAP 00:02:00\nDATAFILE \"user.iso\"\n",
	  "01 s1 MODE1 150+300 p150 f0@0/2048\n", NULL },
	{ "START in the file", "CD_DA\n" TA FA "START 00:02:00\n",
	  "01 s1 AUDIO 150+850 p150 0+1000 f0@0/2352b\n", NULL },
	{ "START behind silence", "CD_DA\n" TA "SILENCE 00:02:00\nSTART\n" FA,
	  "01 s1 AUDIO 150+1000 p150 f0@0/2352b\n", NULL },
	{ "indices", "CD_DA\n" TA FA "START 00:02:00\nINDEX 00:01:00\nINDEX 00:03:00\n",
	  "01 s1 AUDIO 150+850 p150 i225,375 0+1000 f0@0/2352b\n", NULL },
	{ "a postgap", "CD_DA\n" TA FA "END\nSILENCE 00:02:00\n",
	  "01 s1 AUDIO 0+1150 i1000 0+1000 f0@0/2352b\n", NULL },
	{ "END at a time", "CD_DA\n" TA FA "START 00:00:10\nEND 00:12:00\n",
	  "01 s1 AUDIO 10+990 p10 i900 0+1000 f0@0/2352b\n", NULL },

	/* What else is said. */
	{ "catalogue", "CATALOG \"0724383030224\"\nCD_DA\n" TA FA, "mcn=0724383030224\n" TA_IS,
	  NULL },
	{ "isrc and flags",
	  "CD_DA\n" TA "COPY\nPRE_EMPHASIS\nFOUR_CHANNEL_AUDIO\nISRC \"USRC17607839\"\n" FA,
	  "01 s1 AUDIO 0+1000 cb isrc=USRC17607839 f0@0/2352b\n", NULL },
	{ "flags taken back",
	  "CD_DA\n" TA
	  "COPY\nPRE_EMPHASIS\nFOUR_CHANNEL_AUDIO\nNO COPY\nNO PRE_EMPHASIS\nTWO_CHANNEL_AUDIO\n" FA,
	  TA_IS, NULL },
	{ "another first track", "CD_DA\nFIRST_TRACK_NO 7\n" TA FA TA "FILE \"b.bin\" 0\n",
	  "07 s1 AUDIO 0+1000 f0@0/2352b\n"
	  "08 s1 AUDIO 1000+500 f1@0/2352b\n",
	  NULL },
	{ "comments", "// a disc\nCD_DA // of sound\n\n" TA "//\n" FA "// end", TA_IS, NULL },
	{ "DOS", "CD_DA\r\nTRACK AUDIO\r\nFILE \"a.bin\" 0\r\n", TA_IS, NULL },
	{ "in one line", "CD_DA TRACK AUDIO FILE \"a.bin\" 0", TA_IS, NULL },
	{ "bytes in a name", "CD_DA\n" TA "FILE \"\\141.bin\" 0\n", TA_IS, NULL },
	{ "quotes in a name", "CD_DA\n" TA "FILE \"say \\\"hi\\\".bin\" 0\n",
	  "01 s1 AUDIO 0+10 f0@0/2352b\n", NULL },

	/* Wrong ones. */
	{ "no track", "CD_DA\n// TRACK\n", NULL, "disc.toc: no TRACK" },
	{ "not a sheet", "hello\n", NULL, "disc.toc:1: 'hello' where there has to be TRACK" },
	{ "no mode", TOC "TRACK\n", NULL,
	  "disc.toc:3: it ends where there has to be a mode, such as AUDIO or MODE1" },
	{ "no such mode", TOC "TRACK MODE3\n", NULL,
	  "disc.toc:2: 'MODE3' where there has to be a mode, such as AUDIO or MODE1" },
	{ "an empty track", TOC TA TA FA, NULL, "disc.toc:2: TRACK 01 is empty" },
	{ "something else", TOC TA FA "JUMP\n", NULL,
	  "disc.toc:4: 'JUMP' where there has to be a part of a track" },
	{ "a FIFO", TOC TA "FIFO \"a.bin\" 00:01:00\n", NULL,
	  "disc.toc:3: FIFO: a pipe cannot be read here and there, as a disc is" },
	{ "no such file", TOC TA "FILE \"none.bin\" 0\n", NULL,
	  "disc.toc:3: none.bin: No such file or directory" },
	{ "no string", TOC TA "FILE a.bin 0\n", NULL,
	  "disc.toc:3: 'a' where there has to be a string in quotes" },
	{ "a string without its end", TOC TA "FILE \"a.bin 0\n", NULL,
	  "disc.toc:3: a string without its end" },
	{ "no start", TOC TA "FILE \"a.bin\"\n", NULL,
	  "disc.toc:4: it ends where there has to be a length" },
	{ "FILE of data", TOC "TRACK MODE1\n" FA, NULL,
	  "disc.toc:3: FILE in a track of data or with a subchannel: that is a DATAFILE" },
	{ "SILENCE in data", TOC "TRACK MODE1\nSILENCE 00:04:00\n", NULL,
	  "disc.toc:3: SILENCE in a track of data or with a subchannel: that is ZERO" },
	{ "SILENCE of no length", TOC TA "SILENCE 0\n", NULL, "disc.toc:3: SILENCE of no length" },
	{ "ZERO of no length", TOC TA "ZERO 00:00:00\n", NULL, "disc.toc:3: ZERO of no length" },
	{ "beyond the file", TOC TA "FILE \"a.bin\" 00:10:00 00:10:00\n", NULL,
	  "disc.toc:3: a.bin has 588000 bytes from byte 1764000 on, not 1764000" },
	{ "behind the file", TOC TA "FILE \"a.bin\" 00:20:00\n", NULL,
	  "disc.toc:3: a.bin has nothing from byte 3528000 on: it has 2352000" },
	{ "an offset behind the file", TOC TA "FILE \"a.bin\" #9999999 0\n", NULL,
	  "disc.toc:3: a.bin has nothing from byte 9999999 on: it has 2352000" },
	{ "a huge offset", TOC TA "FILE \"a.bin\" #99999999999999999999 0\n", NULL,
	  "disc.toc:3: 99999999999999999999 where there has to be an offset in bytes" },
	{ "a huge start", TOC TA "FILE \"a.bin\" 9999999999999999999\n", NULL,
	  "disc.toc:3: 9999999999999999999 where there has to be a length" },
	{ "too long", TOC TA "SILENCE 99999999999999\n", NULL,
	  "disc.toc:3: the track is longer than a disc can be" },
	{ "no time", TOC TA FA "START 00:99:00\n", NULL,
	  "disc.toc:4: '00:99:00' is no time as mm:ss:ff" },
	{ "PREGAP twice", TOC TA "PREGAP 00:02:00\nPREGAP 00:02:00\n" FA, NULL,
	  "disc.toc:4: PREGAP is not the first part of the track" },
	{ "PREGAP of no length", TOC TA "PREGAP 00:00:00\n" FA, NULL,
	  "disc.toc:3: PREGAP of no length" },
	{ "PREGAP and START", TOC TA "PREGAP 00:02:00\n" FA "START\n", NULL,
	  "disc.toc:5: START is given already, in line 3" },
	{ "START at the end", TOC TA FA "START\n", NULL,
	  "disc.toc:4: START is at the end of the track, or behind it" },
	{ "END before START", TOC TA FA "START 00:02:00\nEND 00:01:00\n", NULL,
	  "disc.toc:5: END is not within the track" },
	{ "END twice", TOC TA FA "END 00:01:00\nEND 00:02:00\n", NULL,
	  "disc.toc:5: END is given already, in line 4" },
	{ "INDEX at the start", TOC TA FA "INDEX 00:00:00\n", NULL,
	  "disc.toc:4: INDEX at the start of the track, where INDEX 01 is" },
	{ "INDEX back", TOC TA FA "INDEX 00:02:00\nINDEX 00:01:00\n", NULL,
	  "disc.toc:5: INDEX is not beyond the one before" },
	{ "INDEX behind the end", TOC TA FA "INDEX 00:20:00\n", NULL,
	  "disc.toc:2: track 1: INDEX 02 is beyond its end" },
	{ "a short ISRC", TOC TA "ISRC \"US\"\n" FA, NULL,
	  "disc.toc:3: ISRC 'US' is not 12 characters, such as USRC17607839" },
	{ "a short catalogue", "CATALOG \"12\"\nCD_DA\n" TA FA, NULL,
	  "disc.toc:1: CATALOG '12' is not 13 digits" },
	{ "NO what", TOC TA "NO ISRC\n" FA, NULL,
	  "disc.toc:3: 'ISRC' where there has to be COPY or PRE_EMPHASIS" },
	{ "FIRST_TRACK_NO 0", TOC "FIRST_TRACK_NO 0\n" TA FA, NULL,
	  "disc.toc:2: FIRST_TRACK_NO 0" },
	{ "CD-TEXT without an end", TOC "CD_TEXT { LANGUAGE 0 { TITLE \"x\" }\n" TA FA, NULL,
	  "disc.toc:3: 'TRACK' where there has to be LANGUAGE, or }" },
	{ "CD-TEXT in language 8", TOC "CD_TEXT { LANGUAGE 8 { TITLE \"x\" } }\n" TA FA, NULL,
	  "disc.toc:2: 8 where there has to be a language (0 to 7)" },
	{ "CD-TEXT of no kind", TOC "CD_TEXT { LANGUAGE 0 { COLOUR \"x\" } }\n" TA FA, NULL,
	  "disc.toc:2: 'COLOUR' where there has to be a kind of CD-TEXT, such as TITLE, or }" },
	{ "CD-TEXT of a track that a disc has",
	  TOC TA "CD_TEXT { LANGUAGE 0 { GENRE { 0, 1 } } }\n" FA, NULL,
	  "disc.toc:3: CD-TEXT: a track has no GENRE" },
	{ "CD-TEXT of a track that a disc has, in words",
	  TOC TA "CD_TEXT { LANGUAGE 0 { DISC_ID \"x\" } }\n" FA, NULL,
	  "disc.toc:3: CD-TEXT: a track has no DISC_ID" },
	{ "a byte of 256", TOC "CD_TEXT { LANGUAGE 0 { TOC_INFO1 { 1, 256 } } }\n" TA FA, NULL,
	  "disc.toc:2: 256 where there has to be a byte (0 to 255)" },
	{ "bytes without a comma", TOC "CD_TEXT { LANGUAGE 0 { TOC_INFO1 { 1 2 } } }\n" TA FA, NULL,
	  "disc.toc:2: '2' where there has to be a comma, or }" },
};

static void run_rows(const struct row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		struct vd_error err = { "" };
		const char *got;
		int r = open_sheet(name, rows[i].sheet, strlen(rows[i].sheet), &d, &err);

		got = r ? err.text : describe(d);
		if (!r != !!rows[i].layout ||
		    strcmp(got, rows[i].layout ? rows[i].layout : rows[i].error))
			CHECK_FAIL("%s:\n%s gives\n%s\nnot\n%s", rows[i].name, rows[i].sheet, got,
				   rows[i].layout ? rows[i].layout : rows[i].error);
	}
}

static void test_cue(void)
{
	run_rows(cues, VD_ARRAY_SIZE(cues), "disc.cue");
}

static void test_toc(void)
{
	run_rows(tocs, VD_ARRAY_SIZE(tocs), "disc.toc");
}

/* The text of a session, `TYPE/TRACK=text` in lines: UTF-8 of language 0, and of others with `LANGUAGE:` before. */
static const char *describe_text(const struct vd_disc *d, int session)
{
	const struct vd_session *s = &d->sessions[session - 1];
	struct vd_cdtext *t;
	const char *out = "";

	if (!s->ncdtext)
		return "";
	if (!CHECK_OK(vd_cdtext_decode(s->cdtext, s->ncdtext, &t)))
		return "";
	CHECK_UINT(t->bad_packs, 0);
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		if (!t->block[b])
			continue;
		if (b || t->block[b]->language != VD_CDTEXT_ENGLISH)
			out = check_printf("%s%d: language %d\n", out, b, t->block[b]->language);
		if (t->block[b]->genre)
			out = check_printf("%s%d: genre %d\n", out, b, t->block[b]->genre);
		for (int type = VD_CDTEXT_TITLE; type <= VD_CDTEXT_UPC_ISRC; type++)
			for (int track = 0; track < 100; track++) {
				const struct vd_cdtext_string *text =
					vd_cdtext_get(t, b, (enum vd_cdtext_type)type, track);
				char *utf8 = NULL;

				if (!text || vd_cdtext_to_utf8(t->block[b], text, &utf8))
					continue;
				out = check_printf("%s%s%s/%d=%s\n", out,
						   b ? check_printf("%d:", b) : "",
						   vd_cdtext_type_name((enum vd_cdtext_type)type),
						   track, utf8);
				free(utf8);
			}
	}
	vd_cdtext_free(t);
	return out;
}

static void check_text(const char *name, const char *sheet, int session, const char *text)
{
	_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
	struct vd_error err = { "" };

	if (open_sheet(name, sheet, strlen(sheet), &d, &err))
		CHECK_FAIL("%s: %s", sheet, err.text);
	else if (session > d->nsessions || strcmp(describe_text(d, session), text))
		CHECK_FAIL("%s gives\n%s\nnot\n%s", sheet,
			   session > d->nsessions ? "no session" : describe_text(d, session), text);
}

static void test_cue_text(void)
{
	static const char two[] = "TITLE \"Disc\"\nPERFORMER Somebody\n" A
		AUDIO("01") "TITLE \"One \"1\"\"\nCOMPOSER x\n" I1 AUDIO(
			"02") "TITLE Two\nSONGWRITER \"\"\n" I("01", "00:04:00");
	static const char all[] = "TITLE t\nPERFORMER p\nSONGWRITER s\nCOMPOSER c\nARRANGER a\n"
				  "MESSAGE m\nDISC_ID d\nGENRE g\nUPC_EAN u\n" ONE;
	static const char sessions[] =
		"TITLE Disc\nREM SESSION 01\n" A AUDIO("01") "TITLE One\n" I1
							     "REM SESSION 02\n" B RAW1("02") I1
		"REM SESSION 03\n" F("c d.bin", "BINARY") AUDIO("03") "TITLE Three\n" I1;

	check_text("disc.cue", ONE, 1, "");
	check_text("disc.cue", two, 1,
		   "title/0=Disc\ntitle/1=One \"1\"\ntitle/2=Two\nperformer/0=Somebody\n"
		   "composer/1=x\n");
	check_text("disc.cue", all, 1,
		   "title/0=t\nperformer/0=p\nsongwriter/0=s\ncomposer/0=c\narranger/0=a\n"
		   "message/0=m\ndisc_id/0=d\ngenre/0=g\nupc_isrc/0=u\n");
	/* Each session has what is its own. */
	check_text("disc.cue", sessions, 1, "title/0=Disc\ntitle/1=One\n");
	check_text("disc.cue", sessions, 2, "");
	check_text("disc.cue", sessions, 3, "title/0=Disc\ntitle/3=Three\n");
	/* UTF-8, with a mark, ISO 8859-1 and Windows-1252; what a disc has no character for. */
	check_text("disc.cue", "TITLE \"\xc3\x84\xe2\x80\x99\xe2\x80\x9cx\xe2\x80\xa6\"\n" ONE, 1,
		   "title/0=\xc3\x84'\"x...\n");
	check_text("disc.cue", "\xef\xbb\xbfTITLE \"\xc3\x84\"\n" ONE, 1, "title/0=\xc3\x84\n");
	check_text("disc.cue", "TITLE \"\xc4\x92\x80\"\n" ONE, 1, "title/0=\xc3\x84'EUR\n");
	check_text("disc.cue", "TITLE \"\xe6\x97\xa5\xf0\x9f\x8e\xb5\"\n" ONE, 1, "title/0=\?\?\n");
}

/* More than a disc can hold: the least important kinds go, the disc stays. */
static void test_cue_long_text(void)
{
	char *name = check_printf("%0200d", 7);
	const char *sheet = A;

	for (int i = 1; i <= 20; i++)
		sheet = check_printf(
			"%sTRACK %02d AUDIO\nTITLE t%d\nMESSAGE \"%s%d\"\nINDEX 01 00:00:%02d\n",
			sheet, i, i, name, i, i - 1);
	sheet = check_printf("TITLE Disc\n%s", sheet);
	{
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		struct vd_error err = { "" };

		ASSERT_OK(open_sheet("disc.cue", sheet, strlen(sheet), &d, &err));
		CHECK_HAS(describe_text(d, 1), "title/0=Disc\ntitle/1=t1\n");
		CHECK(!strstr(describe_text(d, 1), "message"));
	}
}

static void test_cue_text_files(void)
{
	static const char *const names[] = { "text.cdt", "header.cdt" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		const char *sheet = check_printf("CDTEXTFILE \"%s\"\nTITLE x\n" ONE, names[i]);
		struct vd_error err = { "" };

		ASSERT_OK(open_sheet("disc.cue", sheet, strlen(sheet), &d, &err));
		CHECK_UINT(d->sessions[0].ncdtext, 2);
		CHECK_UINT(d->sessions[0].cdtext[0], 0x80);
		CHECK_UINT(d->sessions[0].cdtext[18], 0);
	}
}

/* In two-byte characters: half of one may be a zero, and bytes that are none of them are left out. */
static void test_toc_wide_text(void)
{
	static const char sheet[] =
		"CD_DA\nCD_TEXT { LANGUAGE 0 { PERFORMER \"abc\" ENCODING_MS_JIS TITLE { 0, 65, 130, 160 } } }\n" TA
			FA;
	struct vd_error err = { "" };
	struct vd_cdtext *t;
	struct vd_disc *d;

	ASSERT_OK(open_sheet("disc.toc", sheet, strlen(sheet), &d, &err));
	ASSERT_OK(vd_cdtext_decode(d->sessions[0].cdtext, d->sessions[0].ncdtext, &t));
	ASSERT(vd_cdtext_get(t, 0, VD_CDTEXT_TITLE, 0) != NULL);
	CHECK_UINT(vd_cdtext_get(t, 0, VD_CDTEXT_TITLE, 0)->len, 4);
	CHECK(!vd_cdtext_get(t, 0, VD_CDTEXT_PERFORMER, 0));
	vd_cdtext_free(t);
	vd_disc_close(d);
}

static void test_toc_text(void)
{
	check_text(
		"disc.toc",
		"CD_DA\nCD_TEXT {\n LANGUAGE_MAP { 0 : EN 1 : 8 }\n"
		" LANGUAGE 0 { TITLE \"Disc\" PERFORMER \"\" DISC_ID \"X1\" GENRE { 0, 5, 82, 111, 99, 107, 0 }"
		" SIZE_INFO { 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
		" 0, 0, 9, 0, 0, 0, 0, 0, 0, 0 } }\n"
		" LANGUAGE 1 { TITLE \"Scheibe \\344\" }\n}\n" TA
		"CD_TEXT { LANGUAGE 0 { TITLE \"On\\145 \\\"1\\\"\" ISRC \"USRC17607839\" DISC_ID \"\" }"
		" LANGUAGE 1 { TITLE \"Eins \xc3\xa4\" } }\n" FA,
		1,
		"0: genre 5\ntitle/0=Disc\ntitle/1=One \"1\"\ndisc_id/0=X1\ngenre/0=Rock\n"
		"upc_isrc/1=USRC17607839\n"
		"1: language 8\n1:title/0=Scheibe \xc3\xa4\n1:title/1=Eins \xc3\xa4\n");
	check_text("disc.toc",
		   "CD_DA\nCD_TEXT { LANGUAGE 0 { ENCODING_ASCII TITLE \"a\" TOC_INFO1 { } } }\n" TA
			   FA,
		   1, "title/0=a\n");
}

/* As Windows writes it: two bytes a character, in both orders. */
static void test_utf16(void)
{
	static const char text[] = "TITLE \"\xc4\"\n" A AUDIO("01") I1;

	for (int big = 0; big < 2; big++) {
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		uint8_t *wide = check_alloc(2 + 2 * sizeof(text));
		struct vd_error err = { "" };

		wide[big ? 0 : 1] = 0xfe;
		wide[big ? 1 : 0] = 0xff;
		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			wide[2 + 2 * i + (big ? 1 : 0)] = (uint8_t)text[i];
			wide[2 + 2 * i + (big ? 0 : 1)] = 0;
		}
		if (!CHECK_OK(open_sheet("disc.cue", wide, 2 * sizeof(text), &d, &err)))
			CHECK_STR(err.text, "");
		else
			CHECK_STR(check_printf("%s%s", describe(d), describe_text(d, 1)),
				  ONE_IS "title/0=\xc3\x84\n");
	}
}

/* Which format a sheet is says its content: a TOC may be called .cue, and a text of any name is no sheet by its looks only. */
static void test_told_by_content(void)
{
	static const struct {
		const char *name, *text, *error;
	} rows[] = {
		{ "disc.cue", "CD_DA\n" TA FA, "" },
		{ "disc.toc", ONE, "" },
		{ "DISC.CUE", ONE, "" },
		{ "x", ONE, "" },
		{ "x", "CD_DA\n" TA FA, "" },
		{ "x.txt", "FILE of mine\n", "not a disc image: it looks like a text file" },
		{ "x.TOC", "FILE of mine\n", "x.TOC:1: 'FILE' where there has to be TRACK" },
		{ "a\nb.cue", "FILE of mine\n",
		  "a?b.cue:1: FILE of type 'mine': it is BINARY, MOTOROLA, WAVE, AIFF, FLAC, MP3 or "
		  "OGG" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		struct vd_error err = { "" };

		open_sheet(rows[i].name, rows[i].text, strlen(rows[i].text), &d, &err);
		CHECK_STR(err.text, rows[i].error);
	}
}

/* Sheets made to be a burden: an error, or a disc, but soon. */
static void test_limits(void)
{
	struct vd_error err = { "" };
	struct vd_disc *d;
	char *big = check_alloc(2 << 20);
	size_t n = 0;

	/* Larger than a sheet is: not looked at. */
	memset(big, ' ', 2 << 20);
	memcpy(big, ONE, strlen(ONE));
	CHECK_ERRNO(open_sheet("disc.cue", big, (1 << 20) + 1, &d, &err), -EMEDIUMTYPE);
	CHECK_OK(open_sheet("disc.cue", big, 1 << 20, &d, &err));
	vd_disc_close(d);
	/* A zero byte behind what a probe looks at. */
	big[100000] = '\0';
	CHECK_ERRNO(open_sheet("disc.cue", big, 1 << 20, &d, &err), -EINVAL);
	CHECK_STR(err.text, "disc.cue: not a sheet: it has a zero byte in it");
	/* A long line, and as many short ones as there is room for. */
	memset(big, 'x', 5000);
	memcpy(big, "REM ", 4);
	CHECK_ERRNO(open_sheet("disc.cue", big, 5000, &d, &err), -EINVAL);
	CHECK_STR(err.text, "disc.cue:1: a line of over 4096 bytes");
	/* Many files. */
	n = 0;
	for (int i = 0; i < 300; i++) {
		n += (size_t)sprintf(big + n, "FILE many-%d BINARY\n", i);
		if (i % 99 == 0)
			n += (size_t)sprintf(big + n, "TRACK %d AUDIO\n", i / 99 + 1);
		n += (size_t)sprintf(big + n, "INDEX %d 0:0:0\n", i % 99 + 1);
	}
	CHECK_ERRNO(open_sheet("disc.cue", big, n, &d, &err), -EINVAL);
	CHECK_STR(err.text, "disc.cue:516: more than 256 files");
	/* Many parts of one byte, and more than there may be. */
	n = (size_t)sprintf(big, "CD_DA TRACK AUDIO\n");
	while (n < (1 << 20) - 64)
		n += (size_t)sprintf(big + n, "SILENCE 1\n");
	CHECK_ERRNO(open_sheet("disc.toc", big, n, &d, &err), -EINVAL);
	CHECK_STR(err.text, "disc.toc:65538: a track of more than 65536 parts");
	/* Braces without end, CD-TEXT of all languages without end. */
	memset(big, '{', 1 << 20);
	memcpy(big, "CD_DA TRACK CD_TEXT ", 20);
	CHECK_ERRNO(open_sheet("disc.toc", big, 1 << 20, &d, &err), -EINVAL);
	n = (size_t)sprintf(big, "CD_DA\nCD_TEXT {\n");
	while (n < (1 << 20) - 4096)
		n += (size_t)sprintf(big + n, "LANGUAGE %zu { MESSAGE \"%0500d\" }\n", n % 8, 1);
	sprintf(big + n, "} TRACK AUDIO\n" FA);
	CHECK_OK(open_sheet("disc.toc", big, strlen(big), &d, &err));
	vd_disc_close(d);
}

/* All files in a folder, for programs that open them themselves. */
static const char *folder_of_files(void)
{
	const char *dir = check_path("files");

	check_remove_tree(dir);
	ASSERT_OK(mkdir(dir, 0755));
	ASSERT_OK(mkdir(check_path("files/sub"), 0755));
	for (size_t i = 0; i < VD_ARRAY_SIZE(files); i++) {
		struct vd_opener o = { .open = open_file };
		_cleanup_close_ int fd = open_file(&o, files[i].name, NULL);
		char *data = check_alloc(files[i].size + 1);

		ASSERT(pread(fd, data, files[i].size, 0) == (ssize_t)files[i].size);
		check_write_file(check_path("files/%s", files[i].name), data, files[i].size);
	}
	return dir;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/* `1: 0-300 ...` of each track: where it starts and ends, and INDEX 02, ...; as cdrdao shows it, */
static const char *shown_by_cdrdao(const char *text)
{
	const char *out = "";
	char start[16] = "", indices[256] = "";

	for (const char *line = text; line; line = next_line(line)) {
		unsigned int track, number;
		const char *value = strchr(line, '(');
		int sectors;

		if (sscanf(line, "TRACK %u", &track) == 1) {
			out = check_printf("%s%u: ", out, track);
			indices[0] = '\0';
		}
		if (!value || sscanf(value, "( %d)", &sectors) != 1)
			continue;
		if (!strncmp(line, "          START", 15))
			snprintf(start, sizeof(start), "%d", sectors);
		if (sscanf(line, "          INDEX %u", &number) == 1)
			snprintf(indices + strlen(indices), sizeof(indices) - strlen(indices),
				 " %d", sectors);
		if (!strncmp(line, "          END", 13))
			out = check_printf("%s%s-%d%s\n", out, start, sectors, indices);
	}
	return out;
}

/* and as we have it. */
static const char *shown_by_us(const struct vd_disc *d)
{
	const char *out = "";

	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];

		out = check_printf("%s%d: %d-%lld", out, t->number, t->start,
				   (long long)vd_track_end(t));
		for (size_t k = 0; k < t->nindices; k++)
			out = check_printf("%s %d", out, t->indices[k]);
		out = check_printf("%s\n", out);
	}
	return out;
}

/* cdrdao 1.2.4 does not know it, or takes it another way. */
static bool has_other_opinion(const struct row *row)
{
	static const char *const names[] = {
		"another first track", /* newer */
		"tracks that begin elsewhere",
		/* It fills sectors up, skips a header by its looks, and counts bytes in sectors of the last size. */
		"data that ends inside a sector",
		"binary is not looked at: the header of 44 bytes is sound, too",
		"mixed sizes in one file",
		/* It leaves out what lies before the first INDEX, and begins with each file anew. */
		"a track in two files",
		"the same without INDEX 00",
		"a file's beginning is the pregap",
		/* It takes an INDEX for one from the beginning of the file on. */
		"indices behind a pregap",
	};

	/* Sessions are remarks. */
	if (strstr(row->sheet, "SESSION") || strstr(row->sheet, "AREA"))
		return true;
	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++)
		if (!strcmp(row->name, names[i]))
			return true;
	return false;
}

/* Compares with what cdrdao has of the good sheets. Returns how many it takes at all. */
static size_t compare_with_cdrdao(const struct row *rows, size_t n, const char *name, bool all)
{
	const char *dir = folder_of_files();
	size_t compared = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
		const char *const argv[] = { "cdrdao", "show-toc", name, NULL };
		struct check_cmd c = { .argv = argv, .cwd = dir };
		struct vd_error err = { "" };
		const char *theirs, *ours;

		if (!rows[i].layout || has_other_opinion(&rows[i]))
			continue;
		check_write_file(check_path("files/%s", name), rows[i].sheet,
				 strlen(rows[i].sheet));
		if (check_run(&c) || (c.status && !all))
			continue;
		theirs = shown_by_cdrdao(c.out);
		if (!CHECK_OK(open_sheet(name, rows[i].sheet, strlen(rows[i].sheet), &d, &err)))
			continue;
		ours = shown_by_us(d);
		if (c.status || strcmp(theirs, ours))
			CHECK_FAIL("%s:\n%scdrdao has\n%s%swe have\n%s", rows[i].name,
				   rows[i].sheet, theirs, c.status ? c.err : "", ours);
		compared++;
	}
	return compared;
}

/* cdrdao knows all of a TOC, and of CUE the commands of CDRWIN in their usual order. */
static void test_cdrdao_agrees(void)
{
	if (!check_have_program("cdrdao"))
		CHECK_SKIP("needs cdrdao");
	CHECK(compare_with_cdrdao(tocs, VD_ARRAY_SIZE(tocs), "disc.toc", true) > 35);
	CHECK(compare_with_cdrdao(cues, VD_ARRAY_SIZE(cues), "disc.cue", false) > 20);
}

/* A file under many names, as a folder that knows no case gives it, is opened and owned once. */
static void test_one_file_of_many_names(void)
{
	const char *text = F("same-1", "BINARY") AUDIO("01") I1 F("same-2", "BINARY") AUDIO("02")
		I1 F("same-3", "MOTOROLA") AUDIO("03") I1;
	_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
	struct vd_error err = { "" };

	if (open_sheet("disc.cue", text, strlen(text), &d, &err))
		ASSERT_FAIL("%s", err.text);
	CHECK_UINT(d->nstores, 1);
	CHECK_UINT(d->ntracks, 3);
	CHECK_UINT(d->nextents, 3);
	CHECK_INT(d->extents[1].layout, VD_LAYOUT_2352);
	CHECK_INT(d->extents[2].layout, VD_LAYOUT_2352_SWAPPED);
}

static const struct check_test tests[] = {
	{ "one_file_of_many_names", test_one_file_of_many_names },
	{ "cue", test_cue },
	{ "toc", test_toc },
	{ "cue_text", test_cue_text },
	{ "cue_long_text", test_cue_long_text },
	{ "cue_text_files", test_cue_text_files },
	{ "toc_wide_text", test_toc_wide_text },
	{ "toc_text", test_toc_text },
	{ "utf16", test_utf16 },
	{ "told_by_content", test_told_by_content },
	{ "limits", test_limits },
	{ "cdrdao_agrees", test_cdrdao_agrees },
};
CHECK_MAIN(tests)
