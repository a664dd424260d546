// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for the targets of fuzz_discs.c, in the directory named by the only argument: of each format, by all of its structures, some sectors. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "util/cleanup.h"
#include "util/endian.h"

struct seed {
	uint8_t data[32768];
	size_t len;
};

static uint8_t *add(struct seed *s, const void *data, size_t len)
{
	uint8_t *p = s->data + s->len;

	s->len += len;
	return data ? memcpy(p, data, len) : p;
}

static uint8_t *add_chunk(struct seed *s, const char *id, uint32_t len)
{
	uint8_t *p = add(s, id, 4);

	vd_put_be32(p + 4, len);
	s->len += 4;
	return add(s, NULL, len);
}

/* Audio and data, recorded at once and track by track, in either version. */
static int write_nrg(const char *dir, int version, int tao)
{
	static struct seed s;
	const uint32_t width = version == 2 ? 8 : 4, dao = 18 + 3 * width,
		       etn = version == 2 ? 32 : 20;
	char name[16];
	uint8_t *p;

	memset(&s, 0, sizeof(s));
	add(&s, NULL, 4 * 2352 + 2 * 2048);
	if (tao) {
		p = add_chunk(&s, version == 2 ? "ETN2" : "ETNF", 2 * etn);
		vd_put_be32(p + 2 * width - 4, 4 * 2352);
		p[2 * width + 3] = 7;
		p += etn;
		vd_put_be32(p + width - 4, 4 * 2352);
		vd_put_be32(p + 2 * width - 4, 2 * 2048);
		vd_put_be32(p + 2 * width + 4, 200);
	} else {
		static const uint8_t cue[][8] = {
			{ 1, 1, 1, 0, 0, 0, 0, 0 },
			{ 1, 1, 2, 0, 0, 0, 0, 2 },
			{ 0x41, 2, 1, 0, 0, 0, 0, 4 },
			{ 0x41, 0xaa, 1, 0, 0, 0, 0, 6 },
		};

		p = add_chunk(&s, version == 2 ? "CUEX" : "CUES", sizeof(cue));
		memcpy(p, cue, sizeof(cue));
		for (size_t i = 0; version == 1 && i < 4; i++)
			p[i * 8 + 6] = 2;
		p = add_chunk(&s, version == 2 ? "DAOX" : "DAOI", 22 + 2 * dao);
		memcpy(p + 4, "4012345678901", 13);
		p[20] = 1;
		p[21] = 2;
		p += 22;
		memcpy(p, "USRC17607839\x09\x30\x07", 15);
		vd_put_be32(p + 18 + 3 * width - 4, 4 * 2352);
		p += dao;
		p[12] = 8;
		vd_put_be32(p + 18 + width - 4, 4 * 2352);
		vd_put_be32(p + 18 + 2 * width - 4, 4 * 2352);
		vd_put_be32(p + 18 + 3 * width - 4, 4 * 2352 + 2 * 2048);
		p = add_chunk(&s, "CDTX", 18);
		memcpy(p, "\x80\0\0\0Title\0Song\0\0", 16);
	}
	p = add_chunk(&s, "SINF", 4);
	p[3] = 2;
	p = add_chunk(&s, "MTYP", 4);
	p[3] = 1;
	add_chunk(&s, "END!", 0);
	add(&s, version == 2 ? "NER5\0\0\0\0" : "NERO", version == 2 ? 8 : 4);
	vd_put_be32(add(&s, NULL, 4), 4 * 2352 + 2 * 2048);
	snprintf(name, sizeof(name), "nrg%d%d", version, tao);
	return seed_save(dir, name, s.data, s.len);
}

static int write_ccd(const char *dir)
{
	static const char text[] =
		"[CloneCD]\nVersion=3\n[Disc]\nTocEntries=5\nSessions=2\nDataTracksScrambled=0\n"
		"CATALOG=4012345678901\n[CDText]\nEntries=1\n"
		"Entry 0=80 00 00 00 41 42 43 00 44 45 46 00 00 00 00 00\n[Session 1]\nPreGapMode=1\n"
		"[Entry 0]\nSession=1\nPoint=0xa0\nADR=0x01\nControl=0x04\nPMin=1\nPSec=32\nPFrame=0\nPLBA=4350\n"
		"[Entry 1]\nSession=1\nPoint=0x01\nADR=0x01\nControl=0x04\nPLBA=0\n"
		"[Entry 2]\nSession=1\nPoint=0x02\nADR=0x01\nControl=0\nPMin=0\nPSec=2\nPFrame=20\n"
		"[Entry 3]\nSession=1\nPoint=0xa2\nPLBA=40\n"
		"[Entry 4]\nSession=2\nPoint=0x03\nADR=1\nControl=4\nPLBA=11440\n"
		"[Entry 5]\nSession=2\nPoint=0xa2\nPLBA=11450\n"
		"[TRACK 1]\nMODE=2\nINDEX 1=0\n[TRACK 2]\nMODE=0\nFLAGS= DCP\nISRC=USRC17607839\n"
		"INDEX 0=15\nINDEX 1=20\nINDEX 2=30\n";

	return seed_save(dir, "ccd", text, sizeof(text) - 1);
}

static int write_mds(const char *dir, uint8_t medium, uint32_t files)
{
	uint8_t m[8704] = "MEDIA DESCRIPTOR\1\3", *b = m + 112;
	char name[24];

	m[18] = medium;
	m[20] = 1;
	m[26] = 4;
	vd_put_le32(m + 36, 400);
	vd_put_le32(m + 64, medium ? 480 : 0);
	vd_put_le32(m + 80, 88);
	m[88 + 10] = 2;
	vd_put_le32(m + 88 + 20, 112);
	b[0] = 0xaa;
	b[2] = 0x14;
	b[4] = 1;
	vd_put_le32(b + 12, medium ? 10 : 300);
	vd_put_le16(b + 16, 2048);
	vd_put_le32(b + 48, files);
	vd_put_le32(b + 52, 320);
	b += 80;
	b[0] = 0xa9;
	b[1] = 8;
	b[2] = 0x10;
	b[4] = 2;
	vd_put_le32(b + 12, 308);
	vd_put_le16(b + 16, 2448);
	vd_put_le32(b + 36, 20);
	vd_put_le32(b + 40, 10 * 2048 + 10 * 2448);
	vd_put_le32(b + 48, files);
	vd_put_le32(b + 52, 320);
	vd_put_le32(m + 304, 10);
	vd_put_le32(m + 308, 10);
	vd_put_le32(m + 312, 20);
	vd_put_le32(m + 320, 360);
	vd_put_le32(m + 336, 370);
	vd_put_le32(m + 340, 1);
	memcpy(m + 360, "*.mdf", 6);
	memcpy(m + 370, "b\0.\0m\0d\0f\0", 10);
	m[480 + 2052 + 2] = 0x30;
	snprintf(name, sizeof(name), "mds%02x%u", medium, files);
	return seed_save(dir, name, m, sizeof(m));
}

static void add_le(struct seed *s, uint64_t v, size_t bytes)
{
	uint8_t *p = add(s, NULL, bytes);

	for (size_t i = 0; i < bytes; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

/* Audio, and data in a second session. */
static int write_cdi(const char *dir, uint32_t version)
{
	static const uint8_t mark[20] = { 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
					  0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	static struct seed s;
	uint32_t at;
	char name[16];

	memset(&s, 0, sizeof(s));
	add(&s, NULL, 4 * 2352 + 4 * 2048);
	at = (uint32_t)s.len;
	add_le(&s, 2, 2);
	for (uint32_t i = 0; i < 2; i++) {
		add_le(&s, 1, 6);
		add(&s, mark, 20);
		add(&s, "abc\5\3a.b", 8);
		add_le(&s, 0, 19);
		add_le(&s, version == 6 ? 0x80000000 : 360000, 4);
		add_le(&s, 0x98ull << 48, version == 6 ? 8 : 0);
		add_le(&s, 3, 2);
		add_le(&s, i ? 1 : 0, 4);
		add_le(&s, 2ull << 32 | 1, 8);
		add_le(&s, version == 6, 4);
		add(&s, "\4text", version == 6 ? 5 : 0);
		add_le(&s, 0, version == 6 ? 17 : 0);
		add_le(&s, 0, 2);
		add_le(&s, i, 4);
		add_le(&s, 0, 12);
		add_le(&s, i ? 11700 : 150, 4);
		add_le(&s, 4, 4);
		add_le(&s, 0, 16);
		add_le(&s, i ? 0 : 2, 4);
		add_le(&s, i ? 4 : 0, 13);
		add(&s, "USRC17607839\1\0\0", 16);
		if (version != 4) {
			add_le(&s, 0, 5);
			add_le(&s, version == 6 ? UINT32_MAX : 0, 4);
			add_le(&s, 0, version == 6 ? 78 : 0);
		}
		add_le(&s, 0, version == 4 ? 12 : 13);
	}
	if (version == 6) {
		add_le(&s, 0, 6);
		add(&s, mark, 20);
		add(&s, "abc\5\3a.b", 8);
		add_le(&s, 0, 19);
		add_le(&s, 0x80000000, 4);
		add_le(&s, 0x98ull << 48, 8);
		add_le(&s, 12000, 4);
		add(&s, "\2ID", 3);
		add_le(&s, 0, 9);
		add(&s, "4012345678901\1\0\0", 17);
		add_le(&s, 18, 4);
		add(&s, "\x80\0\0\0Title\0Song\0\0\0", 18);
		add_le(&s, 0, 8);
	}
	add_le(&s, 0x80000000 + version, 4);
	add_le(&s, version == 6 ? s.len + 4 - at : at, 4);
	snprintf(name, sizeof(name), "cdi%u", version);
	return seed_save(dir, name, s.data, s.len);
}

/* Audio in two blocks and data; a DVD in one. */
static int write_b6t(const char *dir, int dvd)
{
	static struct seed s;
	uint8_t *h;

	memset(&s, 0, sizeof(s));
	h = add(&s, NULL, 260);
	memcpy(h, "BWT5 STREAM SIGN", 16);
	h[48] = dvd ? 0x10 : 8;
	h[50] = 1;
	memcpy(h + 64, "\0014012345678901", 14);
	h[100] = dvd ? 0 : 22;
	h[104] = dvd ? 4 : 0;
	add(&s, "\0\0\0\0\x80\0\0\0Title\0Song\0\0\0", dvd ? 4 : 22);
	add_le(&s, dvd ? 1 : 3, 4);
	add_le(&s, 0, 4);
	for (int i = 0; i < (dvd ? 1 : 3); i++) {
		add_le(&s, 0, 4);
		add_le(&s, (dvd ? 2048u : i == 2 ? 2448u : 2352u) * 10, 4);
		add_le(&s, 0, 32);
		add_le(&s, (uint64_t)i * 10, 4);
		add_le(&s, 10, 4);
		add_le(&s, 6, 4);
		add(&s, "a\0b\0c\0\0\0\0\0", 10);
	}
	add_le(&s, 1, 2);
	add_le(&s, dvd ? 1 : 3, 14);
	for (int i = 0; i < (dvd ? 1 : 3); i++) {
		uint8_t *t = add(&s, NULL, dvd ? 64 : i ? 72 : 64);

		t[0] = dvd ? 6 : (uint8_t)i;
		t[12] = dvd ? 1 : (uint8_t)(i ? i : 0xa0);
		vd_put_le32(t + 22, i == 2 ? 4 : 0);
		vd_put_le32(t + 42, i == 2 ? 16 : 0);
		vd_put_le32(t + 46, dvd ? 10 : i == 2 ? 14 : 16);
	}
	return seed_save(dir, dvd ? "b6t2" : "b6t1", s.data, s.len);
}

static int write_c2d(const char *dir)
{
	static struct seed s;
	uint8_t *h = add(&s, NULL, 200);

	memset(h, 0, sizeof(s.data));
	memcpy(h, "Roxio Image File Format 3.0", 27);
	h[32] = 200;
	h[34] = 1;
	memcpy(h + 36, "4012345678901", 13);
	h[50] = 3;
	h[52] = 18;
	h[56] = 218;
	add(&s, "\x80\0\0\0Title\0Song\0\0\0", 18);
	for (uint8_t i = 0; i < 3; i++) {
		uint8_t *b = add(&s, NULL, 44);

		b[0] = 44;
		b[4] = (uint8_t)(150 + i * 2);
		b[8] = (uint8_t)(151 + i * 2);
		vd_put_le32(b + 12, i == 1 ? UINT32_MAX : 350 + i * 2 * 2352u);
		vd_put_le32(b + 20, i == 2 ? 2048 : 2352);
		memcpy(b + 24, "USRC17607839", 12);
		b[37] = 1;
		b[38] = i == 2 ? 2 : 1;
		b[39] = i == 1 ? 2 : 1;
		b[40] = i == 2;
	}
	add(&s, NULL, 4 * 2352 + 2 * 2048);
	return seed_save(dir, "c2d", s.data, s.len);
}

static int write_gdi(const char *dir)
{
	static const char text[] = "4\r\n1 0 4 2352 \"a 1.bin\" 0\r\n2 700 0 2352 bcde 100\r\n"
				   "3 45000 4 2352 cd 0\r\n4 46000 4 2048 e 2048\r\n";

	return seed_save(dir, "gdi", text, sizeof(text) - 1);
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc != 2)
		return EXIT_FAILURE;
	for (int i = 0; i < 4; i++)
		r |= write_nrg(argv[1], 1 + i / 2, i % 2);
	r |= write_ccd(argv[1]);
	for (uint32_t i = 4; i <= 6; i++)
		r |= write_cdi(argv[1], i);
	r |= write_gdi(argv[1]) | write_b6t(argv[1], 0) | write_b6t(argv[1], 1) |
	     write_c2d(argv[1]);
	for (uint32_t i = 0; i < 4; i++)
		r |= write_mds(argv[1], i / 2 ? 0x10 : 0, 1 + i % 2);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
