// SPDX-License-Identifier: GPL-3.0-or-later
/* CD-TEXT: what is encoded is decoded again, by us and by cdrskin; packs that are lost, wrong or anything at all. */
#include "check.h"

#include <stdlib.h>

#include "disc/cdtext.h"
#include "disc/subchannel.h"
#include "util/cleanup.h"
#include "util/endian.h"

static void free_text(struct vd_cdtext **t)
{
	vd_cdtext_free(*t);
}

#define _cleanup_text_ _cleanup_(free_text)

static void set(struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		const char *text)
{
	ASSERT_OK(vd_cdtext_set(t, block, type, track, text, strlen(text)));
}

static void check_text(const struct vd_cdtext *t, int block, enum vd_cdtext_type type, int track,
		       const char *want)
{
	const struct vd_cdtext_string *s = vd_cdtext_get(t, block, type, track);

	if (!CHECK_STR(s ? (const char *)s->data : NULL, want) ||
	    (s && want && !CHECK_UINT(s->len, strlen(want))))
		CHECK_FAIL("block %d, type %#x, track %d", block, (unsigned int)type, track);
}

static uint8_t *encode(const struct vd_cdtext *t, size_t *n)
{
	struct vd_error err = { "" };
	uint8_t *packs = NULL, *copy;

	if (vd_cdtext_encode(t, &packs, n, &err)) {
		ASSERT_FAIL("%s", err.text);
		return NULL;
	}
	copy = check_alloc(*n * 18 + 1);
	memcpy(copy, packs, *n * 18);
	free(packs);
	return copy;
}

static struct vd_cdtext *decode(const uint8_t *packs, size_t n)
{
	struct vd_cdtext *t = NULL;

	ASSERT_OK(vd_cdtext_decode(packs, n, &t));
	return t;
}

/* One pack by hand. */
static void make_pack(uint8_t *pack, uint8_t type, uint8_t track, uint8_t number, uint8_t place,
		      const char text[12])
{
	pack[0] = type;
	pack[1] = track;
	pack[2] = number;
	pack[3] = place;
	memcpy(pack + 4, text, 12);
	vd_put_be16(pack + 16, (uint16_t)~vd_crc16(pack, 16));
}

static struct vd_cdtext *make_album(void)
{
	struct vd_cdtext *t;

	ASSERT_OK(vd_cdtext_new(&t));
	set(t, 0, VD_CDTEXT_TITLE, 0, "Joyful Nights");
	set(t, 0, VD_CDTEXT_TITLE, 1, "Song of Joy");
	set(t, 0, VD_CDTEXT_TITLE, 2, "Humpty Dumpty");
	set(t, 0, VD_CDTEXT_TITLE, 3, "Mee Owwww");
	set(t, 0, VD_CDTEXT_PERFORMER, 0, "United Cat Orchestra");
	set(t, 0, VD_CDTEXT_PERFORMER, 1, "Felix and The Purrs");
	set(t, 0, VD_CDTEXT_PERFORMER, 2, "Catwalk Beauties");
	set(t, 0, VD_CDTEXT_PERFORMER, 3, "Mia Kitten");
	set(t, 0, VD_CDTEXT_SONGWRITER, 2, "Mother Goose");
	set(t, 0, VD_CDTEXT_DISC_ID, 0, "XY12345");
	set(t, 0, VD_CDTEXT_GENRE, 0, "Feline classic music");
	t->block[0]->genre = 5;
	set(t, 0, VD_CDTEXT_UPC_ISRC, 0, "1234567890123");
	set(t, 0, VD_CDTEXT_UPC_ISRC, 1, "XYBLG1101234");
	set(t, 0, VD_CDTEXT_UPC_ISRC, 2, "XYBLG1100005");
	set(t, 0, VD_CDTEXT_UPC_ISRC, 3, "XYBLG1100006");
	ASSERT_OK(vd_cdtext_set_utf8(t, 3, VD_CDTEXT_TITLE, 0,
				     "Fr\xc3\xb6hliche N\xc3\xa4"
				     "chte"));
	set(t, 3, VD_CDTEXT_TITLE, 3, "Miau");
	t->block[3]->language = 8;
	return t;
}

/* The first pack as MMC-3, annex J, and libburn's doc/cdtext.txt have it. */
static void test_packs_are_as_published(void)
{
	_cleanup_text_ struct vd_cdtext *t = make_album();
	static const uint8_t first[] = { 0x80, 0x00, 0x00, 0x00, 'J', 'o', 'y', 'f',  'u',
					 'l',  ' ',  'N',  'i',	 'g', 'h', 't', 0xf0, 0xf7 };
	static const uint8_t second[] = { 0x80, 0x00, 0x01, 0x0c, 's', 0x00, 'S', 'o',	'n',
					  'g',	' ',  'o',  'f',  ' ', 'J',  'o', 0x43, 0x1c };
	size_t n;
	const uint8_t *packs = encode(t, &n);

	ASSERT(n > 2);
	CHECK_MEM(packs, first, sizeof(first));
	CHECK_MEM(packs + 18, second, sizeof(second));
	for (size_t i = 0; i < n; i++)
		CHECK_UINT(vd_get_be16(packs + i * 18 + 16) ^ vd_crc16(packs + i * 18, 16), 0xffff);
}

/* Character set, tracks, copyright; packs of each type; last packs and languages of all blocks. */
static void test_size_packs(void)
{
	_cleanup_text_ struct vd_cdtext *t = make_album();
	static const uint8_t want[36] = {
		0,  1, 3, 0,		 /* Latin 1, tracks 1 to 3 */
		5,  6, 2, 0, 0, 0, 1, 2, /* 80 to 87 */
		0,  0, 0, 0, 0, 0, 5, 3, /* 88 to 8f */
		23, 0, 0, 4, 0, 0, 0, 0, 9, 0, 0, 8,
	};
	size_t n;
	const uint8_t *packs = encode(t, &n);

	ASSERT_UINT(n, 24 + 5);
	for (int i = 0; i < 3; i++) {
		const uint8_t *p = packs + (21 + i) * 18;

		CHECK_UINT(p[0], 0x8f);
		CHECK_UINT(p[1], (unsigned int)i);
		CHECK_MEM(p + 4, want + 12 * i, 12);
	}
	/* The other language's last packs. */
	CHECK_UINT(packs[28 * 18], 0x8f);
	CHECK_UINT(packs[28 * 18 + 3], 0x30);
	CHECK_UINT(packs[28 * 18 + 2], 4);
	CHECK_MEM(packs + 28 * 18 + 4, want + 24, 12);
}

static void test_round_trip(void)
{
	_cleanup_text_ struct vd_cdtext *t = make_album();
	size_t n;
	const uint8_t *packs = encode(t, &n);
	_cleanup_text_ struct vd_cdtext *got = decode(packs, n);

	CHECK_UINT(got->bad_packs, 0);
	for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
		CHECK(!got->block[b] == !t->block[b]);
		if (!got->block[b] || !t->block[b])
			continue;
		CHECK_UINT(got->block[b]->language, t->block[b]->language);
		CHECK_UINT(got->block[b]->charset, t->block[b]->charset);
		CHECK_UINT(got->block[b]->first_track, 1);
		CHECK_UINT(got->block[b]->last_track, 3);
		CHECK_UINT(got->block[b]->genre, t->block[b]->genre);
		for (int type = 0x80; type < 0x8f; type++)
			for (int track = 0; track < 100; track++) {
				const struct vd_cdtext_string *s =
					vd_cdtext_get(t, b, (enum vd_cdtext_type)type, track);

				check_text(got, b, (enum vd_cdtext_type)type, track,
					   s ? (const char *)s->data : NULL);
			}
	}
}

/* cdrskin reads our packs as Sony's text format. */
static void test_cdrskin(void)
{
	_cleanup_text_ struct vd_cdtext *t = make_album();
	static const char *const lines[] = {
		"Album Title         = Joyful Nights",
		"Track 02 Title      = Humpty Dumpty",
		"Artist Name         = United Cat Orchestra",
		"Track 03 Artist     = Mia Kitten",
		"Track 02 Songwriter = Mother Goose",
		"Genre Code          = Classical",
		"Genre Information   = Feline classic music",
		"UPC / EAN           = 1234567890123",
		"ISRC 02             = XYBLG1100005",
		"Text Code           = 8859",
		"Language Code       = English",
		"Language Code       = German",
		"First Track Number  = 1",
		"Last Track Number   = 3",
	};
	const char *path = check_path("cdtext.dat");
	struct check_cmd *c;
	size_t n;
	const uint8_t *packs;

	if (!check_have_program("cdrskin"))
		CHECK_SKIP("needs cdrskin");
	/* Its readers have languages without a gap. */
	t->block[1] = t->block[3];
	t->block[3] = NULL;
	packs = encode(t, &n);
	check_write_file(path, packs, n * 18);
	c = check_sh("cdrskin textfile_to_v07t='%s'", path);
	ASSERT_INT(c->status, 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(lines); i++)
		CHECK_HAS(c->out, lines[i]);
}

static void test_same_as_before(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL;
	uint8_t packs[18];

	make_pack(packs, 0x81, 0, 0, 0, "Al\0Bo\0\t\0\t\0C\0");
	t = decode(packs, 1);
	check_text(t, 0, VD_CDTEXT_PERFORMER, 0, "Al");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 1, "Bo");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 2, "Bo");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 3, "Bo");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 4, "C");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 5, NULL);
	CHECK_UINT(t->block[0]->first_track, 1);
	CHECK_UINT(t->block[0]->last_track, 4);
}

/* Two bytes a character; the tab too. */
static void test_double_byte(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL, *got = NULL;
	static const uint8_t name[] = { 0x83, 0x65, 0x83, 0x58, 0x83, 0x00, 0x00, 0x67 };
	char *utf8 = NULL;
	const uint8_t *packs;
	size_t n;

	ASSERT_OK(vd_cdtext_new(&t));
	set(t, 0, VD_CDTEXT_TITLE, 0, "");
	t->block[0]->charset = VD_CDTEXT_MSJIS;
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, 0, "abc", 3), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, 0, "ab\0\0", 4), -EINVAL);
	for (int track = 0; track <= 20; track++)
		ASSERT_OK(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, track, name,
					track % 3 ? sizeof(name) : 6));
	packs = encode(t, &n);
	CHECK_UINT(packs[3], 0x80);
	CHECK_UINT(packs[18 + 3], 0x80 | 2);
	CHECK_UINT(packs[18 + 1], 1);
	got = decode(packs, n);
	for (int track = 0; track <= 20; track++) {
		const struct vd_cdtext_string *s = vd_cdtext_get(got, 0, VD_CDTEXT_TITLE, track);

		ASSERT(s != NULL);
		ASSERT_UINT(s->len, track % 3 ? sizeof(name) : 6);
		CHECK_MEM(s->data, name, s->len);
		CHECK_ERRNO(vd_cdtext_to_utf8(got->block[0], s, &utf8), -EOPNOTSUPP);
	}
	CHECK_ERRNO(vd_cdtext_set_utf8(got, 0, VD_CDTEXT_TITLE, 0, "x"), -EILSEQ);
}

/* Strings of every length, so that they begin and end anywhere in a pack. */
static void test_lengths(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL, *got = NULL;
	char text[160];
	const uint8_t *packs;
	size_t n;

	memset(text, 'x', sizeof(text));
	ASSERT_OK(vd_cdtext_new(&t));
	for (int track = 0; track < 60; track++)
		ASSERT_OK(vd_cdtext_set(t, 2, VD_CDTEXT_COMPOSER, track, text,
					(size_t)(track * 7 % 41)));
	packs = encode(t, &n);
	got = decode(packs, n);
	CHECK_UINT(got->bad_packs, 0);
	for (int track = 0; track < 60; track++) {
		const struct vd_cdtext_string *s = vd_cdtext_get(got, 2, VD_CDTEXT_COMPOSER, track);

		CHECK_UINT(s ? s->len : 0, (unsigned int)(track * 7 % 41));
	}
	/* Each says which track, and where in its text, it begins. */
	for (size_t i = 0; i + 3 < n; i++) {
		const uint8_t *p = packs + i * 18;

		CHECK_UINT(p[0], 0x83);
		CHECK_UINT(p[2], i);
		CHECK_UINT(p[3] >> 4, 2);
		if ((p[3] & 0xf) == 0 && i)
			CHECK_UINT(p[-3], 0); /* the one before ended with its pack */
	}
}

/* A block has no room for it in plain, but it has when repeated texts are told so. */
static void test_too_much(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL, *got = NULL;
	struct vd_error err = { "" };
	char text[100];
	uint8_t *packs = (uint8_t *)1;
	size_t n = 1;

	ASSERT_OK(vd_cdtext_new(&t));
	ASSERT_OK(vd_cdtext_encode(t, &packs, &n, &err));
	CHECK(!packs && !n);
	memset(text, 'a', sizeof(text));
	for (int track = 0; track < 100; track++)
		ASSERT_OK(vd_cdtext_set(t, 0, VD_CDTEXT_MESSAGE, track, text, sizeof(text)));
	packs = encode(t, &n);
	CHECK(n < 60);
	got = decode(packs, n);
	for (int track = 0; track < 100; track++) {
		const struct vd_cdtext_string *s = vd_cdtext_get(got, 0, VD_CDTEXT_MESSAGE, track);

		CHECK_UINT(s ? s->len : 0, 100);
	}
	for (int track = 0; track < 100; track++) {
		text[0] = (char)('A' + track % 50);
		ASSERT_OK(vd_cdtext_set(t, 0, VD_CDTEXT_MESSAGE, track, text, sizeof(text)));
	}
	CHECK_ERRNO(vd_cdtext_encode(t, &packs, &n, &err), -E2BIG);
	CHECK_STR(err.text, "more CD-TEXT than fits: 255 packs in a language");
}

/* The disc's first track need not be 1: the string behind the disc's own is that of the first. */
static void test_first_track(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL, *got = NULL;
	const uint8_t *packs;
	size_t n;

	ASSERT_OK(vd_cdtext_new(&t));
	set(t, 0, VD_CDTEXT_TITLE, 0, "D");
	set(t, 0, VD_CDTEXT_TITLE, 7, "seven");
	set(t, 0, VD_CDTEXT_TITLE, 8, "eight");
	t->block[0]->first_track = 7;
	packs = encode(t, &n);
	CHECK_MEM(packs + 4, "D\0seven\0eigh", 12);
	got = decode(packs, n);
	check_text(got, 0, VD_CDTEXT_TITLE, 7, "seven");
	check_text(got, 0, VD_CDTEXT_TITLE, 8, "eight");
	check_text(got, 0, VD_CDTEXT_TITLE, 1, NULL);
	CHECK_UINT(got->block[0]->first_track, 7);
}

/* Without any one pack, everything else is there and nothing is wrong. */
static void test_lost_packs(void)
{
	_cleanup_text_ struct vd_cdtext *t = make_album();
	size_t n;
	const uint8_t *packs = encode(t, &n);

	for (size_t lost = 0; lost < n; lost++)
		for (int how = 0; how < 3; how++) {
			_cleanup_text_ struct vd_cdtext *got = NULL;
			uint8_t *copy = check_alloc(n * 18);
			size_t missing = 0;

			memcpy(copy, packs, n * 18);
			if (how == 0) {
				memmove(copy + lost * 18, packs + (lost + 1) * 18,
					(n - lost - 1) * 18);
				got = decode(copy, n - 1);
			} else {
				copy[lost * 18 + (how == 1 ? 0 : 7)] ^= 0x40;
				got = decode(copy, n);
				CHECK_UINT(got->bad_packs, 1);
			}
			for (int i = 0; i < VD_CDTEXT_BLOCKS * 15 * 100; i++) {
				int block = i / 1500, type = 0x80 + i / 100 % 15;
				const struct vd_cdtext_string *s, *whole;

				s = vd_cdtext_get(got, block, (enum vd_cdtext_type)type, i % 100);
				whole = vd_cdtext_get(t, block, (enum vd_cdtext_type)type, i % 100);
				missing += whole && !s;
				if (!s || type == VD_CDTEXT_GENRE)
					continue;
				/* One whose end is lost is there as far as it goes. */
				if (!CHECK(whole && s->len <= whole->len) ||
				    !CHECK_MEM(s->data, whole->data, s->len))
					CHECK_FAIL("pack %zu, how %d", lost, how);
			}
			/* Of 12 bytes no more than these can be part, and two more that they cut. */
			CHECK(missing <= 5);
			if (check_failed())
				return;
		}
}

static void test_bytes_and_genre(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL, *got = NULL;
	uint8_t toc[30];
	const struct vd_cdtext_string *s;
	const uint8_t *packs;
	size_t n;

	for (uint8_t i = 0; i < sizeof(toc); i++)
		toc[i] = i % 5;
	ASSERT_OK(vd_cdtext_new(&t));
	ASSERT_OK(vd_cdtext_set(t, 0, VD_CDTEXT_TOC, 0, toc, sizeof(toc)));
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TOC, 1, toc, sizeof(toc)), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_GENRE, 1, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_SIZE, 0, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 8, VD_CDTEXT_TITLE, 0, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, -1, VD_CDTEXT_TITLE, 0, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, 100, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, -1, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, (enum vd_cdtext_type)0x7f, 0, "x", 1), -EINVAL);
	CHECK_ERRNO(vd_cdtext_set(t, 0, VD_CDTEXT_TITLE, 0, "x\0y", 3), -EINVAL);
	CHECK(!vd_cdtext_get(t, 8, VD_CDTEXT_TITLE, 0) && !vd_cdtext_get(t, 0, VD_CDTEXT_SIZE, 0) &&
	      !vd_cdtext_get(t, 0, VD_CDTEXT_TITLE, 100));
	set(t, 0, VD_CDTEXT_TITLE, 9, "nine");
	set(t, 0, VD_CDTEXT_GENRE, 0, "a long description");
	packs = encode(t, &n);
	got = decode(packs, n);
	s = vd_cdtext_get(got, 0, VD_CDTEXT_TOC, 0);
	ASSERT(s != NULL);
	CHECK_UINT(s->len, 36);
	CHECK_MEM(s->data, toc, sizeof(toc));
	check_text(got, 0, VD_CDTEXT_GENRE, 0, "a long description");
	CHECK_STR(vd_cdtext_type_name(VD_CDTEXT_TITLE), "title");
	CHECK_STR(vd_cdtext_type_name(VD_CDTEXT_TOC), NULL);
	CHECK_STR(vd_cdtext_type_name((enum vd_cdtext_type)0x90), NULL);
}

static void test_character_sets(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL;
	static const struct {
		const char *utf8, *latin; /* NULL: does not fit */
	} rows[] = {
		{ "plain", "plain" },
		{ "\xc3\xa9t\xc3\xa9", "\xe9t\xe9" },
		{ "\xc2\xa0\xc3\xbf", "\xa0\xff" },
		{ "\xe2\x82\xac", NULL },
		{ "\xc2\x85", NULL },
		{ "\xc3", NULL },
		{ "\xc3x", NULL },
		{ "\xff", NULL },
		{ "\xc0\x80", NULL },
	};

	ASSERT_OK(vd_cdtext_new(&t));
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		int r = vd_cdtext_set_utf8(t, 0, VD_CDTEXT_TITLE, 1, rows[i].utf8);
		_cleanup_free_ char *back = NULL;

		CHECK_ERRNO(r, rows[i].latin ? 0 : -EILSEQ);
		if (r || !rows[i].latin)
			continue;
		check_text(t, 0, VD_CDTEXT_TITLE, 1, rows[i].latin);
		ASSERT_OK(vd_cdtext_to_utf8(t->block[0], vd_cdtext_get(t, 0, VD_CDTEXT_TITLE, 1),
					    &back));
		CHECK_STR(back, rows[i].utf8);
	}
	set(t, 1, VD_CDTEXT_TITLE, 0, "a\x1b\x7f\xe9");
	t->block[1]->charset = VD_CDTEXT_ASCII;
	CHECK_ERRNO(vd_cdtext_set_utf8(t, 1, VD_CDTEXT_TITLE, 2, "\xc3\xa9"), -EILSEQ);
	{
		_cleanup_free_ char *text = NULL;

		ASSERT_OK(vd_cdtext_to_utf8(t->block[1], vd_cdtext_get(t, 1, VD_CDTEXT_TITLE, 0),
					    &text));
		CHECK_STR(text, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	}
}

/* What others write: no CRC, wrong places with right numbers, no NUL at the end, no size packs. */
static void test_strange_writers(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL;
	uint8_t packs[4 * 18] = { 0 };

	make_pack(packs, 0x80, 0, 0, 0, "This is a ve");
	make_pack(packs + 18, 0x80, 0, 1, 0, "ry long titl");
	make_pack(packs + 36, 0x80, 0, 2, 0, "e\0one\0two\0th");
	make_pack(packs + 54, 0x81, 0, 3, 0, "somebody els");
	memset(packs + 16, 0, 2);
	t = decode(packs, 4);
	CHECK_UINT(t->bad_packs, 0);
	check_text(t, 0, VD_CDTEXT_TITLE, 0, "This is a very long title");
	check_text(t, 0, VD_CDTEXT_TITLE, 1, "one");
	check_text(t, 0, VD_CDTEXT_TITLE, 2, "two");
	check_text(t, 0, VD_CDTEXT_TITLE, 3, "th");
	check_text(t, 0, VD_CDTEXT_PERFORMER, 0, "somebody els");
}

/* There is one text of this type: what is behind it belongs to no track, and makes none. */
static void test_behind_the_disc_id(void)
{
	_cleanup_text_ struct vd_cdtext *t = NULL;
	uint8_t packs[2 * 18];

	make_pack(packs, 0x86, 0, 0, 0, "XY123\0more\0t");
	make_pack(packs + 18, 0x86, 0, 1, 1, "oo\0\0\0\0\0\0\0\0\0");
	t = decode(packs, 2);
	check_text(t, 0, VD_CDTEXT_DISC_ID, 0, "XY123");
	for (int track = 1; track < 4; track++)
		CHECK(!vd_cdtext_get(t, 0, VD_CDTEXT_DISC_ID, track));
	CHECK_UINT(t->block[0]->last_track, 0);
}

static void test_anything(void)
{
	uint8_t *packs = check_alloc(2100 * 18);
	uint32_t seed = 5;

	for (int round = 0; round < 50; round++) {
		_cleanup_text_ struct vd_cdtext *t = NULL;
		size_t n = (size_t)round * 42;

		for (size_t i = 0; i < n * 18; i++) {
			seed = seed * 1664525 + 1013904223;
			packs[i] = (uint8_t)(seed >> 24);
			if (i % 18 == 0)
				packs[i] = (uint8_t)(0x80 | (packs[i] & 0x0f));
			if (i % 18 == 1 || (round & 1 && i % 3 == 0 && i % 18))
				packs[i] &= 0x03;
			if (i % 18 == 17)
				vd_put_be16(packs + i - 1, (uint16_t)~vd_crc16(packs + i - 17, 16));
		}
		t = decode(packs, n);
		for (int b = 0; b < VD_CDTEXT_BLOCKS; b++) {
			uint8_t *again = NULL;
			size_t m;

			/* Whatever came out can be written, or is too much. */
			if (vd_cdtext_encode(t, &again, &m, NULL) == 0)
				free(again);
		}
	}
}

static const struct check_test tests[] = {
	{ "packs_are_as_published", test_packs_are_as_published },
	{ "size_packs", test_size_packs },
	{ "round_trip", test_round_trip },
	{ "cdrskin", test_cdrskin },
	{ "same_as_before", test_same_as_before },
	{ "double_byte", test_double_byte },
	{ "lengths", test_lengths },
	{ "too_much", test_too_much },
	{ "first_track", test_first_track },
	{ "lost_packs", test_lost_packs },
	{ "bytes_and_genre", test_bytes_and_genre },
	{ "character_sets", test_character_sets },
	{ "strange_writers", test_strange_writers },
	{ "behind_the_disc_id", test_behind_the_disc_id },
	{ "anything", test_anything },
};
CHECK_MAIN(tests)
