// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The drive: rules that go for all commands, allocation lengths of all, and what it answers without looking at the disc. Sections
 * are those of MMC-6 unless another standard is named.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "disc_fixture.h"
#include "mmc_run.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* A good block of every command, on the disc of the fixture, and how it gets on without a medium. */
#define NEEDS 1	  /* 2/3A */
#define UA_OK 2	  /* is answered while a unit attention is pending */
#define ANYTIME 0 /* without a medium too */
static const struct good {
	const char *cdb;
	int rule;
	int alloc; /* byte where its allocation length is; 0: none */
	int width; /* bytes of it */
} good[] = {
	{ "00 00 00 00 00 00", NEEDS, 0, 0 },
	{ "03 00 00 00 12 00", UA_OK, 4, 1 },
	{ "12 00 00 00 24 00", UA_OK, 3, 2 },
	{ "12 01 00 00 24 00", UA_OK, 3, 2 },
	{ "12 01 80 00 24 00", UA_OK, 3, 2 },
	{ "12 01 83 00 60 00", UA_OK, 3, 2 },
	{ "15 10 00 00 00 00", ANYTIME, 0, 0 },
	{ "1a 00 2a 00 ff 00", ANYTIME, 4, 1 },
	{ "1a 00 3f 00 ff 00", ANYTIME, 4, 1 },
	{ "1b 00 00 00 01 00", ANYTIME, 0, 0 },
	{ "1e 00 00 00 00 00", ANYTIME, 0, 0 },
	{ "23 00 00 00 00 00 00 00ff 00", ANYTIME, 7, 2 },
	{ "25 00 00000000 00 00 00 00", NEEDS, 0, 0 },
	{ "28 00 00000000 00 0001 00", NEEDS, 0, 0 },
	{ "2b 00 00000000 00 0000 00", NEEDS, 0, 0 },
	{ "2f 00 00000000 00 0001 00", NEEDS, 0, 0 },
	{ "35 00 00000000 00 0000 00", NEEDS, 0, 0 },
	{ "42 00 40 01 00 00 00 0010 00", NEEDS, 7, 2 },
	{ "42 00 40 02 00 00 00 0018 00", NEEDS, 7, 2 },
	{ "42 00 40 03 00 00 02 0018 00", NEEDS, 7, 2 },
	{ "43 00 00 00 00 00 00 ffff 00", NEEDS, 7, 2 },
	{ "43 00 01 00 00 00 00 ffff 00", NEEDS, 7, 2 },
	{ "43 02 02 00 00 00 00 ffff 00", NEEDS, 7, 2 },
	{ "43 00 05 00 00 00 00 ffff 00", NEEDS, 7, 2 },
	{ "44 00 00000000 00 0008 00", NEEDS, 7, 2 },
	{ "45 00 000001c2 00 000a 00", NEEDS, 0, 0 },
	{ "46 00 0000 00 00 00 ffff 00", UA_OK, 7, 2 },
	{ "47 00 00 000800 000900 00", NEEDS, 0, 0 },
	{ "48 00 00 00 02 01 00 02 01 00", NEEDS, 0, 0 },
	{ "4a 01 00 00 10 00 00 0008 00", UA_OK, 7, 2 },
	{ "4e 00 00 00 00 00 00 00 00 00", NEEDS, 0, 0 },
	{ "51 00 00 00 00 00 00 ffff 00", NEEDS, 7, 2 },
	{ "52 01 00000001 00 ffff 00", NEEDS, 7, 2 },
	{ "55 10 00 00 00 00 00 0000 00", ANYTIME, 0, 0 },
	{ "5a 00 2a 00 00 00 00 ffff 00", ANYTIME, 7, 2 },
	{ "5a 00 3f 00 00 00 00 ffff 00", ANYTIME, 7, 2 },
	{ "5c 00 00 00 00 00 00 000c 00", NEEDS, 7, 2 },
	{ "a0 00 00 00 00 00 00000010 00 00", UA_OK, 6, 4 },
	{ "a3 00 00000000 00 00 0000 3f 00", ANYTIME, 0, 0 },
	{ "a4 00 00000000 00 00 0008 08 00", ANYTIME, 8, 2 },
	{ "a5 00 000001c2 0000000a 00 00", NEEDS, 0, 0 },
	{ "a8 00 00000000 00000001 00 00", NEEDS, 0, 0 },
	{ "ac 10 00000000 00 00 0001 00 00", NEEDS, 0, 0 },
	{ "b6 00 00000000 00 00 00 0000 00", ANYTIME, 0, 0 },
	{ "b9 00 00 000200 000201 f8 00 00", NEEDS, 0, 0 },
	{ "ba 00 000001c2 00 00 00 00 00 00", NEEDS, 0, 0 },
	{ "bb 00 ffff ffff 00 00 00 00 00 00", ANYTIME, 0, 0 },
	{ "bd 00 00 00 00 00 00 00 0008 00 00", ANYTIME, 8, 2 },
	{ "be 00 00000000 000001 f8 00 00", NEEDS, 0, 0 },
	{ "d8 04 000001c2 00000001 00 00", NEEDS, 0, 0 },
};

static struct vd_disc *disc;

static void make_disc(void)
{
	disc = fixture_disc(FIX_ALL);
}

static void close_disc(void)
{
	vd_disc_close(disc);
	printf("# %u commands\n", mmc_count);
}

/* An unknown command does not take the unit attention away. */
static void test_unknown_commands(void)
{
	struct mmc_run *r = mmc_run_new(disc);
	unsigned int known = 0;

	r->mmc.ua_medium = true;
	for (unsigned int i = 0; i < 256; i++) {
		char cdb[64];
		const char *section = NULL;

		snprintf(cdb, sizeof(cdb), "%02x 00 00 00 00 00 00 00 00 00 00 00", i);
		if (vd_mmc_command_name((uint8_t)i, &section)) {
			CHECK(section != NULL);
			known++;
		} else {
			CHECK_UINT(mmc_do(r, cdb), 0x052000);
		}
	}
	CHECK_UINT(known, 47);
	CHECK(r->mmc.ua_medium);
	CHECK_UINT(mmc_do(r, ""), 0x052000);
}

/* Each command has a good block in the table above. */
static void test_good_blocks(void)
{
	bool seen[256] = { false };

	seen[0x4b] = true; /* wants something that plays: test_mmc_disc.c */
	seen[0xad] = true; /* wants another medium: the same */
	seen[0x04] = seen[0x2a] = seen[0x2e] = seen[0x5b] = seen[0xaa] =
		true; /* test_mmc_write.c */
	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++) {
		struct mmc_run *r = mmc_run_new(disc);
		uint8_t opcode;

		mmc_hex((const char[]){ good[i].cdb[0], good[i].cdb[1], '\0' }, &opcode, 1);
		seen[opcode] = true;
		if (mmc_do(r, good[i].cdb) != GOOD)
			CHECK_FAIL("%s fails", good[i].cdb);
	}
	for (unsigned int i = 0; i < 256; i++)
		CHECK_UINT(seen[i], vd_mmc_command_name((uint8_t)i, NULL) != NULL);
}

static void test_no_medium(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++) {
		bool needs = good[i].rule == NEEDS;
		struct mmc_run *r = mmc_run_new(NULL);
		uint32_t sense = mmc_do(r, good[i].cdb);

		if (sense != (needs ? 0x023a01 : GOOD))
			CHECK_FAIL("%s: %06x with the tray closed", good[i].cdb, sense);
		CHECK_OK(vd_mmc_eject(&r->mmc, false));
		sense = mmc_do(r, good[i].cdb);
		if (sense != (needs ? 0x023a02 : GOOD))
			CHECK_FAIL("%s: %06x with the tray open", good[i].cdb, sense);
	}
}

/* SAM-3: the reset first, then the medium; each once, and not lost to a command that is answered before it. */
static void test_unit_attention(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++) {
		struct mmc_run *r = mmc_run_new(disc);
		const char *cdb = good[i].cdb;

		r->mmc.ua_reset = true;
		r->mmc.ua_medium = true;
		if (good[i].rule == UA_OK) {
			if (mmc_do(r, cdb) != GOOD)
				CHECK_FAIL("%s: not answered", cdb);
			CHECK_UINT(r->mmc.ua_medium, true);
			CHECK_UINT(r->mmc.ua_reset, strncmp(cdb, "03", 2) != 0);
			continue;
		}
		CHECK_UINT(mmc_do(r, cdb), 0x062900);
		CHECK_UINT(mmc_do(r, cdb), 0x062800);
		if (mmc_do(r, cdb) != GOOD)
			CHECK_FAIL("%s: not answered in the end", cdb);
	}
}

/* SPC-3, 4.3.4.6: fewer bytes are no error, and the length field inside tells all. */
static void test_allocation_lengths(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++) {
		const struct good *g = &good[i];
		uint8_t cdb[VD_MMC_CDB_MAX], whole[8192];
		size_t n = mmc_hex(g->cdb, cdb, sizeof(cdb)), len, lengths[12];
		struct mmc_run *r;

		if (!g->alloc)
			continue;
		r = mmc_run_new(disc);
		CHECK_UINT(mmc_do(r, g->cdb), GOOD);
		len = r->reply.len;
		ASSERT(len && len <= sizeof(whole));
		memcpy(whole, r->buf, len);
		memcpy(lengths, (size_t[]){ 0, 1, 2, 4, 5, 8, 12, 32, len - 1, len, len + 1, 255 },
		       sizeof(lengths));
		for (size_t k = 0; k < 2 * VD_ARRAY_SIZE(lengths); k++) {
			size_t want = lengths[k / 2];
			char text[3 * VD_MMC_CDB_MAX + 1] = "";

			/* By the command, and by the room that there is. */
			if (g->width == 1 && want > 255)
				continue;
			r = mmc_run_new(disc);
			for (int b = 0; b < g->width && k % 2; b++)
				cdb[g->alloc + b] = (uint8_t)(want >> 8 * (g->width - 1 - b));
			if (!(k % 2)) {
				mmc_hex(g->cdb, cdb, sizeof(cdb));
				r->cap = want;
			}
			for (size_t b = 0; b < n; b++)
				snprintf(text + 2 * b, 3, "%02x", cdb[b]);
			CHECK_UINT(mmc_do(r, text), GOOD);
			if (r->reply.len != (want < len ? want : len) ||
			    memcmp(r->buf, whole, r->reply.len))
				CHECK_FAIL("%s: %zu bytes of %zu, or others", text, r->reply.len,
					   len);
		}
	}
}

static void test_identity(void)
{
	static const struct mmc_case cases[] = {
		{ "SPC-3 6.4.2", "12 00 00 00 ff 00", GOOD, 36,
		  "05 80 05 02 1f 00 00 02 7664726976652020 6f70746963616c206472697665202020 312e3020" },
		{ "SPC-3 7.6: pages", "12 01 00 00 ff 00", GOOD, 7, "05 00 0003 00 80 83" },
		{ "SPC-3 7.6: serial number", "12 01 80 00 ff 00", GOOD, 8, "05 80 0004 74657374" },
		{ "SPC-3 7.6: identification", "12 01 83 00 ff 00", GOOD, 32,
		  "05 83 001c 02 01 00 0c 7664726976652020 74657374 01 03 00 08" },
		{ "another page", "12 01 b0 00 ff 00", 0x052400, 0, NULL },
		{ "a page without EVPD", "12 00 80 00 ff 00", 0x052400, 0, NULL },
		{ "CMDDT is obsolete", "12 02 00 00 ff 00", 0x052400, 0, NULL },
		{ "SPC-3 6.21", "a0 00 00 00 00 00 00000010 00 00", GOOD, 16,
		  "00000008 00000000 0000000000000000" },
		{ "well known ones", "a0 00 01 00 00 00 00000010 00 00", GOOD, 8,
		  "00000000 00000000" },
		{ "all of them", "a0 00 02 00 00 00 00000010 00 00", GOOD, 16, "00000008" },
		{ "no such report", "a0 00 03 00 00 00 00000010 00 00", 0x052400, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);

	MMC_CASES(r, cases);
	CHECK_UINT(mmc_do(r, "12 01 83 00 ff 00"), GOOD);
	CHECK_UINT(r->buf[24] >> 4, 3); /* NAA: locally assigned */
	/* Another name, another number. */
	vd_mmc_init(&r->mmc, "a name that is much longer than thirty-two bytes");
	CHECK_UINT(mmc_do(r, "12 01 80 00 ff 00"), GOOD);
	CHECK_UINT(r->reply.len, 4 + VD_MMC_NAME_MAX);
	CHECK_UINT(mmc_do(r, "12 01 83 00 ff 00"), GOOD);
	CHECK_UINT(r->reply.len, 4 + 4 + 8 + VD_MMC_NAME_MAX + 12);
}

static void test_request_sense(void)
{
	static const struct mmc_case quiet[] = {
		{ "nothing, SPC-3 6.27", "03 00 00 00 ff 00", GOOD, 18,
		  "70 00 00 00000000 0a 00000000 00 00 00 000000" },
		{ "as descriptors", "03 01 00 00 ff 00", GOOD, 8, "72 00 00 00 00 00 00 00" },
	};
	static const struct mmc_case closed[] = {
		{ "no medium", "03 00 00 00 12 00", GOOD, 18,
		  "70 00 02 00000000 0a 00000000 3a 01" },
	};
	static const struct mmc_case open[] = {
		{ "tray open", "03 01 00 00 12 00", GOOD, 8, "72 02 3a 02" },
	};
	static const struct mmc_case reset[] = {
		{ "reset", "03 00 00 00 12 00", GOOD, 18, "70 00 06 00000000 0a 00000000 29 00" },
		{ "medium", "03 00 00 00 12 00", GOOD, 18, "70 00 06 00000000 0a 00000000 28 00" },
		{ "quiet", "03 00 00 00 12 00", GOOD, 18, "70 00 00 00000000 0a 00000000 00 00" },
		{ "ready", "00 00 00 00 00 00", GOOD, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);

	MMC_CASES(r, quiet);
	r->mmc.ua_reset = true;
	r->mmc.ua_medium = true;
	MMC_CASES(r, reset);
	r = mmc_run_new(NULL);
	MMC_CASES(r, closed);
	CHECK_OK(vd_mmc_eject(&r->mmc, false));
	MMC_CASES(r, open);
}

static void test_configuration(void)
{
	static const struct mmc_case cases[] = {
		{ "6.5; all", "46 00 0000 00 00 00 ffff 00", GOOD, 276,
		  "00000110 0000 0008 0000 03 38 0043 0000 0041 0000 0040 0000 002b 0000 001b 0000"
		  " 001a 0000 0015 0000 0014 0000 0012 0000 0011 0000 0010 0000 000a 0000 0009 0000"
		  " 0008 0100 0001 0b 08 00000001 01 000000 0002 07 04 02000000 0003 0b 04 39000000"
		  " 0010 01 08 00000800 0001 01 00 001d 01 00 001e 09 04 83000000"
		  " 001f 08 04 01000300 0020 04 0c 00000000 00000800 0001 01 00"
		  " 0023 04 08 00000000 00000000 0024 04 04 00000000 002a 00 04 00000000 002b 00 04 00000000"
		  " 003b 00 04 00000000 0040 00 1c" },
		{ "the header says all", "46 00 0000 00 00 00 0008 00", GOOD, 8,
		  "00000110 0000 0008" },
		{ "from 0100h", "46 00 0100 00 00 00 ffff 00", GOOD, 40,
		  "00000024 0000 0008 0100 03 00 0103 01 04 07000100 0105 03 00 0107 11 04 08000000"
		  " 0108 03 04 74657374" },
		{ "current ones only", "46 01 001d 00 00 00 00ff 00", GOOD, 52,
		  "00000030 0000 0008 001d 01 00 001e 09 04 83000000 0100 03 00" },
		{ "one", "46 02 001e 00 00 00 00ff 00", GOOD, 16,
		  "0000000c 0000 0008 001e 09 04 83000000" },
		{ "one that is not current", "46 02 001f 00 00 00 00ff 00", GOOD, 16,
		  "0000000c 0000 0008 001f 08 04 01000300" },
		{ "one that is not there", "46 02 0022 00 00 00 00ff 00", GOOD, 8,
		  "00000004 0000 0008" },
		{ "beyond all", "46 00 ffff 00 00 00 00ff 00", GOOD, 8, "00000004 0000 0008" },
		{ "reserved", "46 03 0000 00 00 00 00ff 00", 0x052400, 0, NULL },
	};
	static const struct mmc_case none[] = {
		{ "no medium: profile 0", "46 00 0000 00 00 00 0008 00", GOOD, 8,
		  "00000110 0000 0000" },
		{ "no profile is current", "46 02 0000 00 00 00 00ff 00", GOOD, 68,
		  "00000040 0000 0000 0000 03 38 0043 0000" },
		{ "current without one", "46 01 0001 00 00 00 00ff 00", GOOD, 52,
		  "00000030 0000 0000 0001 0b 08 00000001 01000000 0002 07 04 02000000"
		  " 0003 0b 04 39000000 0100 03 00 0105 03 00 0108 03 04 74657374" },
	};

	MMC_CASES(mmc_run_new(disc), cases);
	MMC_CASES(mmc_run_new(NULL), none);
}

/* Each profile is current with its medium, and with it the features that have to be. */
static void test_profiles(void)
{
	static const struct {
		enum vd_media media;
		uint16_t current, other; /* a feature that is, and one that is not */
		uint8_t blocking;
	} media[] = {
		{ VD_MEDIA_CD_ROM, 0x1e, 0x1f, 1 },	    { VD_MEDIA_CD_R, 0x1e, 0x40, 1 },
		{ VD_MEDIA_CD_RW, 0x1d, 0x1f, 1 },	    { VD_MEDIA_DVD_ROM, 0x1f, 0x1e, 16 },
		{ VD_MEDIA_DVD_R, 0x1f, 0x2b, 16 },	    { VD_MEDIA_DVD_RAM, 0x1f, 0x2a, 16 },
		{ VD_MEDIA_DVD_RW, 0x1f, 0x2a, 16 },	    { VD_MEDIA_DVD_R_DL, 0x1f, 0x3b, 16 },
		{ VD_MEDIA_DVD_PLUS_RW, 0x2a, 0x2b, 16 },   { VD_MEDIA_DVD_PLUS_R, 0x2b, 0x3b, 16 },
		{ VD_MEDIA_DVD_PLUS_R_DL, 0x3b, 0x2b, 16 }, { VD_MEDIA_BD_ROM, 0x40, 0x1f, 32 },
		{ VD_MEDIA_BD_R, 0x40, 0x1e, 32 },	    { VD_MEDIA_BD_RE, 0x40, 0x1f, 32 },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(media); i++) {
		struct vd_mmc_medium medium = { true, media[i].media, false, 100, false };
		struct mmc_run *r = mmc_run_new(NULL);
		unsigned int current = 0;

		ASSERT_OK(vd_mmc_insert(&r->mmc, &medium));
		CHECK_UINT(mmc_do(r, "46 02 0000 00 00 00 00ff 00"), GOOD);
		CHECK_UINT(vd_get_be16(r->buf + 6), media[i].media);
		for (size_t k = 12; k < r->reply.len; k += 4)
			if (r->buf[k + 2] & 1) {
				CHECK_UINT(vd_get_be16(r->buf + k), media[i].media);
				current++;
			}
		CHECK_UINT(current, 1);
		CHECK_UINT(mmc_do(r, check_printf("46 02 %04x 00 00 00 00ff 00", media[i].current)),
			   GOOD);
		CHECK_UINT(r->buf[10] & 1, 1);
		CHECK_UINT(mmc_do(r, check_printf("46 02 %04x 00 00 00 00ff 00", media[i].other)),
			   GOOD);
		CHECK_UINT(r->buf[10] & 1, 0);
		CHECK_UINT(mmc_do(r, "46 02 0010 00 00 00 00ff 00"), GOOD);
		CHECK_UINT(vd_get_be16(r->buf + 16), media[i].blocking);
		/* No sound: it does not play. */
		CHECK_UINT(mmc_do(r, "46 02 0103 00 00 00 00ff 00"), GOOD);
		CHECK_UINT(r->buf[10] & 1, 0);
	}
}

#define MEDIA_POLL "4a 01 00 00 10 00 00 0008 00"

static void test_events(void)
{
	static const struct mmc_case fresh[] = {
		{ "asynchronous, 6.6", "4a 00 00 00 10 00 00 0008 00", 0x052400, 0, NULL },
		{ "no class", "4a 01 00 00 00 00 00 0008 00", GOOD, 4, "0002 80 56" },
		{ "a class that is not there", "4a 01 00 00 20 00 00 0008 00", GOOD, 4,
		  "0002 80 56" },
		{ "the header tells no event", "4a 01 00 00 10 00 00 0004 00", GOOD, 4,
		  "0006 04 56" },
		{ "new medium", MEDIA_POLL, GOOD, 8, "0006 04 56 02 02 00 00" },
		{ "told once", MEDIA_POLL, GOOD, 8, "0006 04 56 00 02 00 00" },
		{ "features have changed", "4a 01 00 00 56 00 00 0008 00", GOOD, 8,
		  "0006 01 56 02 00 00 01" },
		{ "nothing more: the lowest class", "4a 01 00 00 56 00 00 0008 00", GOOD, 8,
		  "0006 01 56 00 00 00 00" },
		{ "power", "4a 01 00 00 04 00 00 0008 00", GOOD, 8, "0006 02 56 00 01 00 00" },
		{ "busy", "4a 01 00 00 40 00 00 0008 00", GOOD, 8, "0006 06 56 00 00 00 00" },
	};
	static const struct mmc_case locked[] = {
		{ "someone wants it out", MEDIA_POLL, GOOD, 8, "0006 04 56 01 02 00 00" },
		{ "told once", MEDIA_POLL, GOOD, 8, "0006 04 56 00 02 00 00" },
		{ "still locked", "1b 00 00 00 02 00", 0x055302, 0, NULL },
		{ "unlock", "1e 00 00 00 00 00", GOOD, 0, NULL },
		{ "eject", "1b 00 00 00 02 00", GOOD, 0, NULL },
		{ "gone, tray open", MEDIA_POLL, GOOD, 8, "0006 04 56 03 01 00 00" },
		{ "agrees", "00 00 00 00 00 00", 0x023a02, 0, NULL },
		{ "once", MEDIA_POLL, GOOD, 8, "0006 04 56 00 01 00 00" },
		{ "load", "1b 00 00 00 03 00", GOOD, 0, NULL },
		{ "closed", MEDIA_POLL, GOOD, 8, "0006 04 56 00 00 00 00" },
		{ "agrees", "00 00 00 00 00 00", 0x023a01, 0, NULL },
	};
	static const struct mmc_case inserted[] = {
		{ "new medium before its unit attention", MEDIA_POLL, GOOD, 8,
		  "0006 04 56 02 02 00 00" },
		{ "which is there still", "00 00 00 00 00 00", 0x062800, 0, NULL },
		{ "once", "00 00 00 00 00 00", GOOD, 0, NULL },
	};
	static const struct mmc_case forced[] = {
		{ "gone", MEDIA_POLL, GOOD, 8, "0006 04 56 03 01 00 00" },
		{ "and nothing else", MEDIA_POLL, GOOD, 8, "0006 04 56 00 01 00 00" },
	};
	static const struct mmc_case again[] = {
		{ "new", MEDIA_POLL, GOOD, 8, "0006 04 56 02 02 00 00" },
		{ "and nothing else", MEDIA_POLL, GOOD, 8, "0006 04 56 00 02 00 00" },
	};
	struct mmc_run *r = mmc_run_new(disc);
	struct vd_mmc_medium medium = vd_mmc_medium_of(disc);

	MMC_CASES(r, fresh);
	CHECK_UINT(mmc_do(r, "1e 00 00 00 01 00"), GOOD);
	CHECK_ERRNO(vd_mmc_eject(&r->mmc, false), -EBUSY);
	MMC_CASES(r, locked);
	CHECK_OK(vd_mmc_insert(&r->mmc, &medium));
	MMC_CASES(r, inserted);
	CHECK_ERRNO(vd_mmc_insert(&r->mmc, &medium), -EBUSY);
	/* What was in it and out again between two polls is not there any more: that is all to tell. */
	CHECK_OK(vd_mmc_eject(&r->mmc, false));
	CHECK_OK(vd_mmc_insert(&r->mmc, &medium));
	CHECK_OK(vd_mmc_eject(&r->mmc, false));
	CHECK_UINT(mmc_do(r, MEDIA_POLL), GOOD);
	CHECK_UINT(r->buf[4], 3);
	CHECK_UINT(mmc_do(r, "00 00 00 00 00 00"), 0x023a02);
	/* A request that was not told is none any more when the tray is open, or another medium in it. */
	r = mmc_run_new(disc);
	CHECK_UINT(mmc_do(r, "1e 00 00 00 01 00"), GOOD);
	CHECK_ERRNO(vd_mmc_eject(&r->mmc, false), -EBUSY);
	CHECK_OK(vd_mmc_eject(&r->mmc, true));
	MMC_CASES(r, forced);
	CHECK_UINT(mmc_do(r, "1e 00 00 00 01 00"), GOOD);
	CHECK_ERRNO(vd_mmc_eject(&r->mmc, false), -EBUSY);
	CHECK_OK(vd_mmc_insert(&r->mmc, &medium));
	MMC_CASES(r, again);
}

static void test_lock(void)
{
	static const struct mmc_case persistent[] = {
		{ "persistent prevent, 6.13", "1e 00 00 00 03 00", GOOD, 0, NULL },
		{ "locked", "1b 00 00 00 02 00", 0x055302, 0, NULL },
		{ "allow is another state", "1e 00 00 00 00 00", GOOD, 0, NULL },
		{ "locked still", "1b 00 00 00 02 00", 0x055302, 0, NULL },
		{ "seen in page 2Ah", "5a 00 2a 00 00 00 00 0010 00", GOOD, 16,
		  "0026 00 00 00 00 0000 2a 1e 3f 20 71 7f 2b 23" },
		{ "persistent allow", "1e 00 00 00 02 00", GOOD, 0, NULL },
		{ "unlocked", "5a 00 2a 00 00 00 00 0010 00", GOOD, 16,
		  "0026 00 00 00 00 0000 2a 1e 3f 20 71 7f 29 23" },
		{ "prevent", "1e 00 00 00 01 00", GOOD, 0, NULL },
	};
	struct mmc_run *r = mmc_run_new(disc);

	MMC_CASES(r, persistent);
	CHECK_OK(vd_mmc_eject(&r->mmc, true));
	CHECK(!r->mmc.prevent && !r->mmc.medium.present && r->mmc.tray_open);
	r = mmc_run_new(disc);
	CHECK_UINT(mmc_do(r, "1b 00 00 00 02 00"), GOOD);
	CHECK(r->reply.ejected);
	CHECK_UINT(mmc_do(r, "1b 00 00 00 02 00"), GOOD);
	CHECK(!r->reply.ejected);
}

static void test_start_stop(void)
{
	static const struct mmc_case cases[] = {
		{ "start", "1b 00 00 00 01 00", GOOD, 0, NULL },
		{ "stop", "1b 01 00 00 00 00", GOOD, 0, NULL },
		{ "load what is there", "1b 00 00 00 03 00", GOOD, 0, NULL },
		{ "power condition: standby", "1b 00 00 00 30 00", GOOD, 0, NULL },
		{ "told", "4a 01 00 00 04 00 00 0008 00", GOOD, 8, "0006 02 56 01 03 00 00" },
		{ "once", "4a 01 00 00 04 00 00 0008 00", GOOD, 8, "0006 02 56 00 03 00 00" },
		{ "a read wakes it", "28 00 00000000 00 0001 00", GOOD, 2048, NULL },
		{ "it does", "4a 01 00 00 04 00 00 0008 00", GOOD, 8, "0006 02 56 00 01 00 00" },
		{ "no such condition", "1b 00 00 00 70 00", 0x052400, 0, NULL },
		{ "layers of a format", "1b 00 00 01 00 00", 0x052400, 0, NULL },
	};

	MMC_CASES(mmc_run_new(disc), cases);
}

static void test_capacity_and_speed(void)
{
	static const struct mmc_case cases[] = {
		{ "6.18: the last LBA", "25 00 00000000 00 00 00 00", GOOD, 8,
		  "00004ffa 00000800" },
		{ "an address without PMI", "25 00 00000001 00 00 00 00", 0x052400, 0, NULL },
		{ "with PMI", "25 00 00000001 00 00 01 00", GOOD, 8, "00004ffa 00000800" },
		{ "RELADR", "25 01 00000000 00 00 00 00", 0x052400, 0, NULL },
		{ "SYNCHRONIZE CACHE", "35 02 00000000 00 0000 00", GOOD, 0, NULL },
		{ "RELADR", "35 01 00000000 00 0000 00", 0x052400, 0, NULL },
		{ "SET CD SPEED", "bb 00 02c2 ffff 00 00 00 00 00 00", GOOD, 0, NULL },
		{ "in GET PERFORMANCE, 6.7", "ac 10 00000000 00 00 0001 00 00", GOOD, 24,
		  "00000014 00 000000 00000000 000002c2 00004ffa 000002c2" },
		{ "from an address on", "ac 10 00000100 00 00 0002 00 00", GOOD, 24,
		  "00000014 00 000000 00000100 000002c2 00004ffa 000002c2" },
		{ "no descriptors wanted", "ac 10 00000000 00 00 0000 00 00", GOOD, 8,
		  "00000004 00 000000" },
		{ "exceptions: none", "ac 11 00000000 00 00 0001 00 00", GOOD, 8,
		  "00000004 01 000000" },
		{ "of writing", "ac 14 00000000 00 00 0001 00 00", GOOD, 8, "00000004 02 000000" },
		{ "write speeds: none", "ac 00 00000000 00 00 0001 03 00", GOOD, 8, "00000004" },
		{ "out of range", "ac 10 00004ffb 00 00 0001 00 00", 0x052100, 0, NULL },
		{ "reserved", "ac 13 00000000 00 00 0001 00 00", 0x052400, 0, NULL },
		{ "no such type", "ac 10 00000000 00 00 0001 05 00", 0x052400, 0, NULL },
		{ "in page 2Ah", "5a 00 2a 00 00 00 00 0018 00", GOOD, 24,
		  "0026 00 00 00 00 0000 2a 1e 3f 20 71 7f 29 23 2113 0100 0200 02c2" },
		{ "speed 0", "bb 00 0000 ffff 00 00 00 00 00 00", 0x052400, 0, NULL },
		{ "as fast as it goes", "bb 00 ffff ffff 00 00 00 00 00 00", GOOD, 0, NULL },
		{ "it goes", "5a 00 2a 00 00 00 00 0018 00", GOOD, 24,
		  "0026 00 00 00 00 0000 2a 1e 3f 20 71 7f 29 23 2113 0100 0200 2113" },
		{ "MECHANISM STATUS, 6.10", "bd 00 00 00 00 00 00 00 0008 00 00", GOOD, 8,
		  "00 00 000000 00 0000" },
		{ "RPC state, 6.28", "a4 00 00000000 00 00 0008 08 00", GOOD, 8,
		  "0006 0000 25 ff 01 00" },
		{ "no key", "a4 00 00000000 00 00 0008 00 00", 0x056f01, 0, NULL },
		{ "no title key", "a4 00 00000000 00 00 000c 04 00", 0x056f01, 0, NULL },
		{ "not authenticated", "a4 00 00000000 00 00 0008 05 00", GOOD, 8,
		  "0006 0000 00 00 00 00" },
		{ "another class", "a4 00 00000000 00 02 0008 00 00", 0x052400, 0, NULL },
		{ "no such format", "a4 00 00000000 00 00 0008 11 00", 0x052400, 0, NULL },
		{ "invalidate an AGID", "a4 00 00000000 00 00 0000 3f 00", GOOD, 0, NULL },
		{ "SEND KEY", "a3 00 00000000 00 00 0010 01 00", 0x056f01, 0, NULL },
		{ "set a region", "a3 00 00000000 00 00 0008 06 00", 0x052400, 0, NULL },
		{ "another class", "a3 00 00000000 00 02 0010 01 00", 0x052400, 0, NULL },
	};
	static const uint8_t stream[28] = { 0,	  0,	0, 0, 0,    0,	  0, 0, 0,    0,
					    0x4f, 0xfa, 0, 0, 0x0b, 0x08, 0, 0, 0x03, 0xe8 };
	static const uint8_t restore[28] = { 0x04 }, wrong[28] = { 0 };
	static const char set[] = "b6 00 00000000 00 00 00 001c 00";
	struct mmc_run *r = mmc_run_new(disc);

	MMC_CASES(r, cases);
	CHECK_UINT(mmc_do_out(r, set, stream, 28), GOOD);
	CHECK_UINT(r->mmc.speed, 0x0b08);
	CHECK_UINT(mmc_do_out(r, set, stream, 27), 0x051a00);
	CHECK_UINT(mmc_do_out(r, "b6 00 00000000 00 00 00 0010 00", stream, 28), 0x051a00);
	CHECK_UINT(mmc_do_out(r, "b6 00 00000000 00 00 05 001c 00", stream, 28), 0x052400);
	CHECK_UINT(mmc_do_out(r, set, wrong, 28), 0x052600);
	CHECK_UINT(r->mmc.speed, 0x0b08);
	CHECK_UINT(mmc_do_out(r, set, restore, 28), GOOD);
	CHECK_UINT(r->mmc.speed, 8467);
	CHECK_UINT(mmc_do(mmc_run_new(NULL), "a4 00 00000000 00 00 0008 00 00"), 0x023a01);
}

static void test_mode_sense(void)
{
	static const struct mmc_case cases[] = {
		{ "page 01h", "1a 00 01 00 ff 00", GOOD, 16, "0f 00 00 00 01 0a 00 01" },
		{ "SPC-3 6.10", "5a 08 01 00 00 00 00 00ff 00", GOOD, 20,
		  "0012 00 00 00 00 0000 01 0a 00 01" },
		{ "page 0Dh", "5a 00 0d 00 00 00 00 00ff 00", GOOD, 16,
		  "000e 00 00 00 00 0000 0d 06 00 0d 003c 004b" },
		{ "page 0Eh", "5a 00 0e 00 00 00 00 00ff 00", GOOD, 24,
		  "0016 00 00 00 00 0000 0e 0e 04 00 00 00 004b 01ff 02ff 0000 0000" },
		{ "changeable", "5a 00 4e 00 00 00 00 00ff 00", GOOD, 24,
		  "0016 00 00 00 00 0000 0e 0e 02 00 00 00 0000 0fff 0fff 0fff 0fff" },
		{ "default", "5a 00 8e 00 00 00 00 00ff 00", GOOD, 24,
		  "0016 00 00 00 00 0000 0e 0e 04 00 00 00 004b 01ff 02ff" },
		{ "saved, SPC-3 6.9", "5a 00 ce 00 00 00 00 00ff 00", 0x053900, 0, NULL },
		{ "saved", "1a 00 c1 00 ff 00", 0x053900, 0, NULL },
		{ "page 1Ah", "5a 00 1a 00 00 00 00 00ff 00", GOOD, 20,
		  "0012 00 00 00 00 0000 1a 0a" },
		{ "page 1Ch", "5a 00 1c 00 00 00 00 00ff 00", GOOD, 20,
		  "0012 00 00 00 00 0000 1c 0a" },
		{ "page 1Dh", "5a 00 1d 00 00 00 00 00ff 00", GOOD, 18,
		  "0010 00 00 00 00 0000 1d 08" },
		{ "page 2Ah", "1a 00 2a 00 ff 00", GOOD, 36,
		  "23 00 00 00 2a 1e 3f 20 71 7f 29 23 2113 0100 0200 2113 00" },
		{ "nothing in it is changed", "1a 00 6a 00 ff 00", GOOD, 36,
		  "23 00 00 00 2a 1e 00 00" },
		{ "all", "5a 00 3f 00 00 00 00 00ff 00", GOOD, 110, "006c 00 00 00 00 0000 01 0a" },
		{ "all, subpages too", "5a 00 3f ff 00 00 00 00ff 00", GOOD, 110, "006c" },
		{ "a subpage", "5a 00 01 01 00 00 00 00ff 00", 0x052400, 0, NULL },
		{ "no such page", "5a 00 05 00 00 00 00 00ff 00", 0x052400, 0, NULL },
		{ "no such page", "1a 00 00 00 ff 00", 0x052400, 0, NULL },
	};

	MMC_CASES(mmc_run_new(disc), cases);
}

static void test_mode_select(void)
{
	static const struct {
		const char *cdb, *list;
		uint32_t sense;
	} cases[] = {
		{ "55 10 00 00 00 00 00 0018 00",
		  "0000 00 00 00 00 0000 0e 0e 06 00 00 00 004b 0180 0240 0000 0000", GOOD },
		{ "15 10 00 00 14 00", "00 00 00 00 0e 0e 06 00 00 00 004b 0180 0240 0000 0000",
		  GOOD },
		/* a descriptor of 2048 bytes, or of 0 */
		{ "15 10 00 00 0c 00", "00 00 00 08 00 000000 00 000800", GOOD },
		{ "15 10 00 00 0c 00", "00 00 00 08 82 000000 00 000000", GOOD },
		{ "15 10 00 00 0c 00", "00 00 00 08 00 000000 00 000930", 0x052600 },
		{ "15 10 00 00 0c 00", "00 00 00 04 00 000000 00 000800", 0x052600 },
		{ "15 10 00 00 08 00", "00 00 00 08 00 000000", 0x051a00 },
		/* lengths, SPC-3 6.7 */
		{ "15 10 00 00 00 00", "", GOOD },
		{ "15 10 00 00 03 00", "00 00 00", 0x051a00 },
		{ "15 10 00 00 04 00", "00 00 00 00", GOOD },
		{ "15 10 00 00 10 00", "00 00 00 00", 0x051a00 },
		{ "15 10 00 00 0e 00", "00 00 00 00 01 0a 00 01 00 00 00 00 00 00", 0x051a00 },
		{ "15 10 00 00 05 00", "00 00 00 00 01", 0x051a00 },
		{ "55 10 00 00 00 00 00 0007 00", "00 00 00 00 00 00 00", 0x051a00 },
		{ "55 10 00 00 00 00 00 0008 00", "00 00 00 00 00 00 00 00", GOOD },
		/* saving; pages of a vendor's */
		{ "15 11 00 00 00 00", "", 0x052400 },
		{ "15 00 00 00 00 00", "", 0x052400 },
		{ "55 11 00 00 00 00 00 0000 00", "", 0x052400 },
		/* a page's own length, an unknown page, a bit that does not change, the page of the drive */
		{ "15 10 00 00 10 00", "00 00 00 00 01 0b 00 01 00 00 00 00 00 00 00 00",
		  0x052600 },
		{ "15 10 00 00 06 00", "00 00 00 00 05 00", 0x052600 },
		{ "15 10 00 00 0c 00", "00 00 00 00 0d 06 00 0d 003d 004b", 0x052600 },
		{ "15 10 00 00 06 00", "00 00 00 00 2a 00", 0x052600 },
		/* a good page before a bad one changes nothing */
		{ "15 10 00 00 16 00",
		  "00 00 00 00 01 0a 07 07 00 00 00 00 00 00 00 00 05 04 00 00 00 00", 0x052600 },
		{ "15 10 00 00 10 00", "00 00 00 00 01 0a 24 05 00 00 00 00 00 00 00 00", GOOD },
	};
	static const struct mmc_case after[] = {
		{ "the volume", "5a 00 0e 00 00 00 00 00ff 00", GOOD, 24,
		  "0016 00 00 00 00 0000 0e 0e 06 00 00 00 004b 0180 0240" },
		{ "the retries", "5a 00 01 00 00 00 00 00ff 00", GOOD, 20,
		  "0012 00 00 00 00 0000 01 0a 24 05" },
		{ "the default stays", "5a 00 8e 00 00 00 00 00ff 00", GOOD, 24,
		  "0016 00 00 00 00 0000 0e 0e 04 00 00 00 004b 01ff 02ff" },
	};
	struct mmc_run *r = mmc_run_new(disc);

	for (size_t i = 0; i < VD_ARRAY_SIZE(cases); i++) {
		uint8_t list[64];
		uint32_t sense = mmc_do_out(r, cases[i].cdb, list,
					    mmc_hex(cases[i].list, list, sizeof(list)));

		if (sense != cases[i].sense)
			CHECK_FAIL("%s [%s]: %06x, not %06x", cases[i].cdb, cases[i].list, sense,
				   cases[i].sense);
	}
	MMC_CASES(r, after);
}

static const struct check_test tests[] = {
	{ "unknown commands", test_unknown_commands },
	{ "a good block of each", test_good_blocks },
	{ "no medium", test_no_medium },
	{ "unit attention", test_unit_attention },
	{ "allocation lengths", test_allocation_lengths },
	{ "identity", test_identity },
	{ "request sense", test_request_sense },
	{ "configuration", test_configuration },
	{ "profiles", test_profiles },
	{ "events", test_events },
	{ "lock", test_lock },
	{ "start and stop", test_start_stop },
	{ "capacity, speed, keys", test_capacity_and_speed },
	{ "mode sense", test_mode_sense },
	{ "mode select", test_mode_select },
};
CHECK_MAIN_WITH(tests, make_disc, close_disc)
