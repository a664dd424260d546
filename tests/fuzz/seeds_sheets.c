// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_sheets, in the directory named by the only argument: sheets with every command. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "util/cleanup.h"

static const char *const sheets[] = {
	"FILE \"a.bin\" BINARY\n TRACK 01 MODE1/2352\n  INDEX 01 00:00:00\n",
	"CATALOG 0724383030224\nTITLE \"Disc\"\nPERFORMER \"Me\"\nFILE \"b.wav\" WAVE\n TRACK 01 AUDIO\n"
	"  FLAGS DCP 4CH PRE SCMS\n  ISRC USRC17607839\n  TITLE \"One\"\n  PREGAP 00:02:00\n"
	"  INDEX 01 00:00:00\n  INDEX 02 00:00:10\n  POSTGAP 00:01:00\n"
	"FILE \"c.bin\" MOTOROLA\n TRACK 02 AUDIO\n  INDEX 00 00:00:00\n  INDEX 01 00:00:05\n",
	"REM SESSION 01\nFILE \"a.bin\" BINARY\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\nREM LEAD-OUT 01:30:00\n"
	"REM SESSION 02\nREM LEAD-IN 01:00:00\nREM PREGAP 00:02:00\nFILE \"d.bin\" BINARY\n"
	" TRACK 02 MODE2/2352\n  INDEX 01 00:00:00\n",
	"FILE \"a.bin\" BINARY\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\nREM LEAD-OUT 00:00:20\n"
	"REM SESSION 02\n TRACK 02 CDG\n  INDEX 01 00:00:40\nREM HIGH-DENSITY AREA\n TRACK 03 MODE1/2048\n"
	"  INDEX 01 00:01:00\n",
	"CDTEXTFILE \"t.cdt\"\nFILE x y.bin BINARY\nTRACK 1 CDI/2336\nINDEX 1 0:0:0\nCOMPOSER c\n"
	"ARRANGER a\nSONGWRITER s\nMESSAGE m\n",
	"\xff\xfe"
	"F\0I\0L\0E\0 \0a\0 \0B\0I\0N\0A\0R\0Y\0\n\0T\0R\0A\0C\0K\0 \0",
	"CD_DA\nCATALOG \"0724383030224\"\nCD_TEXT { LANGUAGE_MAP { 0 : EN 1 : 8 } LANGUAGE 0 {\n"
	"TITLE \"D\" GENRE { 0, 5, 65 } SIZE_INFO { 0 } DISC_ID \"x\" } LANGUAGE 1 { TITLE \"\\344\" } }\n"
	"TRACK AUDIO\nNO COPY\nPRE_EMPHASIS\nFOUR_CHANNEL_AUDIO\nISRC \"USRC17607839\"\n"
	"CD_TEXT { LANGUAGE 0 { TITLE \"T\" } }\nPREGAP 00:02:00\nFILE \"a.bin\" SWAP #100 0 1000\n"
	"SILENCE 588\nFILE \"b.wav\" 00:00:01\nINDEX 00:00:03\n",
	"CD_ROM_XA\nFIRST_TRACK_NO 3\nTRACK MODE1_RAW RW_RAW\nDATAFILE \"a.bin\" #2448 00:00:10\nZERO 00:00:05\n"
	"START 00:00:02\nEND 00:00:12\nTRACK MODE2_FORM_MIX\nZERO AUDIO RW 00:00:05\n"
	"DATAFILE \"d.bin\"\n// end\nTRACK AUDIO RW\nDATAFILE \"a.bin\" 4896\n",
	"CD_I TRACK MODE2_FORM1 DATAFILE \"e\" TRACK MODE2_FORM2 DATAFILE \"f\" TRACK MODE2 ZERO 1 FIFO \"\" 0",
};

/* The one in UTF-16 has zero bytes. */
static size_t length(size_t i)
{
	return i == 5 ? 42 : strlen(sheets[i]);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < VD_ARRAY_SIZE(sheets); i++) {
		char name[16];

		snprintf(name, sizeof(name), "sheet%zu", i);
		if (seed_save(argv[1], name, sheets[i], length(i)))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
