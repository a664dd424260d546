// SPDX-License-Identifier: GPL-3.0-or-later
/* READ TOC's answers, and names of discs against published ones. */
#include "check.h"

#include "disc/discid.h"
#include "disc/toc.h"
#include "util/cleanup.h"

#define _cleanup_disc_ _cleanup_(vd_cleanup_disc)

static struct vd_disc *new_disc(void)
{
	struct vd_disc *d;

	ASSERT_OK(vd_disc_new(&d));
	return d;
}

static void add(struct vd_disc *d, int number, int session, enum vd_track_mode mode, int32_t start,
		uint32_t length)
{
	struct vd_track t = {
		.number = number, .session = session, .mode = mode, .start = start, .length = length
	};

	ASSERT_OK(vd_disc_add_track(d, &t, NULL));
}

static const char *toc(const struct vd_disc *d, enum vd_toc_format format, bool msf, uint8_t number)
{
	uint8_t buf[2000], part[2000];
	const char *text = "";
	size_t len = 0, again;
	int r = vd_toc_response(d, format, msf, number, buf, sizeof(buf), &len);

	if (r)
		return check_errno_name(r);
	/* Whatever is asked for, no more is written, and the length is the whole one's. */
	for (size_t cap = 0; cap <= len; cap++) {
		memset(part, 0xee, sizeof(part));
		ASSERT_OK(vd_toc_response(d, format, msf, number, part, cap, &again));
		ASSERT_UINT(again, len);
		ASSERT(!memcmp(part, buf, cap));
		ASSERT_UINT(part[cap], 0xee);
	}
	for (size_t i = 0; i < len; i++)
		text = check_printf("%s%s%02x", text, i > 3 && i % 4 == 0 ? " " : "", buf[i]);
	return text;
}

/* CD-Extra: music, then data. */
static struct vd_disc *make_extra(void)
{
	struct vd_disc *d = new_disc();

	add(d, 1, 1, VD_TRACK_AUDIO, 0, 10000);
	add(d, 2, 1, VD_TRACK_AUDIO, 10000, 10000);
	add(d, 3, 2, VD_TRACK_MODE2, 31400, 1000);
	return d;
}

static void test_tracks(void)
{
	_cleanup_disc_ struct vd_disc *d = make_extra();

	CHECK_STR(
		toc(d, VD_TOC_TRACKS, false, 0),
		"00220103 00100100 00000000 00100200 00002710 00140300 00007aa8 0014aa00 00007e90");
	CHECK_STR(toc(d, VD_TOC_TRACKS, false, 1), toc(d, VD_TOC_TRACKS, false, 0));
	CHECK_STR(toc(d, VD_TOC_TRACKS, true, 3), "00120103 00140300 00070032 0014aa00 00070e00");
	CHECK_STR(toc(d, VD_TOC_TRACKS, true, 0xaa), "000a0103 0014aa00 00070e00");
	CHECK_STR(toc(d, VD_TOC_TRACKS, true, 4), "EINVAL");
	CHECK_STR(toc(d, VD_TOC_TRACKS, true, 0xab), "EINVAL");
}

static void test_sessions(void)
{
	_cleanup_disc_ struct vd_disc *d = make_extra();

	CHECK_STR(toc(d, VD_TOC_SESSIONS, false, 0), "000a0102 00140300 00007aa8");
	CHECK_STR(toc(d, VD_TOC_SESSIONS, true, 0), "000a0102 00140300 00070032");
}

static void test_full(void)
{
	_cleanup_disc_ struct vd_disc *d = make_extra();
	struct vd_toc_entry e[VD_TOC_ENTRIES_MAX];

	ASSERT_UINT(vd_toc_entries(d, 1, e), 7);
	CHECK_UINT(sizeof(e[0]), 11);
	CHECK_MEM(&e[0], "\1\x10\0\xa0\0\0\0\0\1\0\0", 11);
	CHECK_MEM(&e[1], "\1\x10\0\xa1\0\0\0\0\2\0\0", 11);
	CHECK_MEM(&e[2], "\1\x10\0\xa2\0\0\0\0\4\x1c\x32", 11); /* 04:28:50 */
	CHECK_MEM(&e[3], "\1\x10\0\1\0\0\0\0\0\2\0", 11);
	CHECK_MEM(&e[4], "\1\x10\0\2\0\0\0\0\2\x0f\x19", 11);	      /* 02:15:25 */
	CHECK_MEM(&e[5], "\1\x50\0\xb0\6\x3a\x32\2\x4f\x3b\x4a", 11); /* from 06:58:50 on */
	CHECK_MEM(&e[6], "\1\x50\0\xc0\0\0\0\0\x5f\0\0", 11);
	ASSERT_UINT(vd_toc_entries(d, 2, e), 4);
	CHECK_MEM(&e[0], "\2\x14\0\xa0\0\0\0\0\3\x20\0", 11); /* XA */
	CHECK_UINT(strlen(toc(d, VD_TOC_FULL, false, 0)), 2 * 125 + 31);
	CHECK_STR(toc(d, VD_TOC_FULL, false, 1), toc(d, VD_TOC_FULL, true, 0));
	CHECK_HAS(toc(d, VD_TOC_FULL, false, 2), "002e0102 021400a0 00000000 03200002 1400a1");
	CHECK_STR(toc(d, VD_TOC_FULL, false, 3), "EINVAL");
}

static void test_cdtext(void)
{
	_cleanup_disc_ struct vd_disc *d = make_extra();
	uint8_t packs[36];

	for (uint8_t i = 0; i < 36; i++)
		packs[i] = i;
	CHECK_STR(toc(d, VD_TOC_CDTEXT, false, 0), "00020000");
	ASSERT_OK(vd_disc_set_cdtext(d, 2, packs, 2, NULL));
	CHECK_HAS(toc(d, VD_TOC_CDTEXT, false, 0), "00260000 00010203 04050607");
	CHECK_STR(toc(d, (enum vd_toc_format)3, false, 0), "EINVAL");
	CHECK_STR(toc(d, (enum vd_toc_format)99, false, 0), "EINVAL");
}

static void test_other_media(void)
{
	_cleanup_disc_ struct vd_disc *d = new_disc();

	CHECK_STR(toc(d, VD_TOC_TRACKS, false, 0), "EINVAL");
	add(d, 1, 1, VD_TRACK_MODE1, 0, 2000000);
	CHECK_STR(toc(d, VD_TOC_TRACKS, false, 0), "00120101 00140100 00000000 0014aa00 001e8480");
	CHECK_STR(toc(d, VD_TOC_FULL, false, 0), "EINVAL");
	CHECK_STR(toc(d, VD_TOC_CDTEXT, false, 0), "EINVAL");
}

/* libdiscid's own test, and the example of MusicBrainz' page on how disc ids are made. */
static void test_published_ids(void)
{
	static const struct {
		int tracks;
		uint32_t starts[23]; /* and the lead-out */
		uint32_t freedb;
		const char *musicbrainz;
	} rows[] = {
		{ 22,
		  { 150,    9700,   25887,  39297,  53795,  63735,  77517,  94877,
		    107270, 123552, 135522, 148422, 161197, 174790, 192022, 205545,
		    218010, 228700, 239590, 255470, 266932, 288750, 303602 },
		  0x370fce16,
		  "xUp1F2NkfP8s8jaeFn_Av3jNEI4-" },
		{ 6,
		  { 150, 15363, 32314, 46592, 63414, 80489, 95462 },
		  0,
		  "49HHV7Eb8UKF3aQiNmu1GR8vKTY-" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		_cleanup_disc_ struct vd_disc *d = new_disc();
		char id[VD_MUSICBRAINZ_LEN + 1], text[200];

		for (int t = 0; t < rows[i].tracks; t++)
			add(d, t + 1, 1, VD_TRACK_AUDIO, (int32_t)rows[i].starts[t] - 150,
			    rows[i].starts[t + 1] - rows[i].starts[t]);
		if (rows[i].freedb)
			CHECK_UINT(vd_discid_freedb(d), rows[i].freedb);
		ASSERT_OK(vd_discid_musicbrainz(d, id, text, sizeof(text)));
		CHECK_STR(id, rows[i].musicbrainz);
		if (i == 1)
			CHECK_STR(text, "1 6 95462 150 15363 32314 46592 63414 80489");
		ASSERT_OK(vd_discid_musicbrainz(d, id, text, 10));
		CHECK_UINT(strlen(text), 9);
		ASSERT_OK(vd_discid_musicbrainz(d, id, NULL, 0));
	}
}

/* The data of a CD-Extra has no part in it, wherever its session begins. */
static void test_ids_of_data(void)
{
	_cleanup_disc_ struct vd_disc *extra = make_extra(), *one = new_disc(), *music = new_disc(),
				      *data = new_disc(), *none = new_disc(), *close = new_disc();
	char id[3][VD_MUSICBRAINZ_LEN + 1];

	add(one, 1, 1, VD_TRACK_AUDIO, 0, 10000);
	add(one, 2, 1, VD_TRACK_AUDIO, 10000, 21400);
	add(one, 3, 1, VD_TRACK_MODE2, 31400, 1000);
	add(music, 1, 1, VD_TRACK_AUDIO, 0, 10000);
	add(music, 2, 1, VD_TRACK_AUDIO, 10000, 10000);
	add(data, 1, 1, VD_TRACK_MODE1, 0, 10000);
	ASSERT_OK(vd_discid_musicbrainz(extra, id[0], NULL, 0));
	ASSERT_OK(vd_discid_musicbrainz(one, id[1], NULL, 0));
	ASSERT_OK(vd_discid_musicbrainz(music, id[2], NULL, 0));
	CHECK_STR(id[0], id[2]);
	CHECK_STR(id[1], id[2]);
	/* There is no room for a session between them: the music ends where it does. */
	add(close, 1, 1, VD_TRACK_AUDIO, 0, 10000);
	add(close, 2, 1, VD_TRACK_AUDIO, 10000, 10000);
	add(close, 3, 1, VD_TRACK_MODE1, 20000, 1000);
	ASSERT_OK(vd_discid_musicbrainz(close, id[0], NULL, 0));
	CHECK_STR(id[0], id[2]);
	CHECK_ERRNO(vd_discid_musicbrainz(data, id[0], NULL, 0), -ENODATA);
	CHECK_ERRNO(vd_discid_musicbrainz(none, id[0], NULL, 0), -ENODATA);
	CHECK_UINT(vd_discid_freedb(none), 0);
	/* freedb takes all: 2, 135 and 420 s have the sum 2 + 9 + 6; 434 - 2 = 432 s. */
	CHECK_UINT(vd_discid_freedb(extra), 17u << 24 | 432u << 8 | 3);
}

static const struct check_test tests[] = {
	{ "tracks", test_tracks },
	{ "sessions", test_sessions },
	{ "full", test_full },
	{ "cdtext", test_cdtext },
	{ "other_media", test_other_media },
	{ "published_ids", test_published_ids },
	{ "ids_of_data", test_ids_of_data },
};
CHECK_MAIN(tests)
