// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sectors as they are: the same ones stored in every layout, what is generated where nothing is stored, and the
 * subchannel. EDC and ECC are right by test_disc_sector.c.
 */
#include "check.h"

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc/toc.h"
#include "test_store_mem.h"
#include "util/cleanup.h"

#define RAW VD_SECTOR_RAW
#define N 70u /* more than two of read.c's batches */

#define _cleanup_disc_ _cleanup_(vd_cleanup_disc)

static uint32_t seed = 1;

static void fill(uint8_t *p, size_t len)
{
	while (len--) {
		seed = seed * 1664525 + 1013904223;
		*p++ = (uint8_t)(seed >> 24);
	}
}

static struct mem_store *own(struct vd_disc *d, const void *data, size_t size)
{
	struct mem_store *m = mem_store_new(data, size);

	ASSERT_OK(vd_disc_own_store(d, &m->store));
	return m;
}

static void add_track(struct vd_disc *d, const struct vd_track *t)
{
	struct vd_error err = { "" };

	ASSERT_OK(vd_disc_add_track(d, t, &err));
}

static void add_extent(struct vd_disc *d, const struct vd_extent *x)
{
	struct vd_error err = { "" };

	if (vd_disc_add_extent(d, x, &err))
		ASSERT_FAIL("%s", err.text);
}

/* N sectors of a kind from @lba on, with the subheader that is generated where none is stored. */
static uint8_t *make_sectors(enum vd_sector_kind kind, int32_t lba)
{
	uint8_t *raw = check_alloc(N * RAW);

	for (uint32_t i = 0; i < N; i++) {
		uint8_t *s = raw + i * RAW;

		fill(s, RAW);
		if (kind == VD_KIND_MODE2_FORM1 || kind == VD_KIND_MODE2_FORM2) {
			memset(s + 16, 0, 8);
			s[18] = s[22] = kind == VD_KIND_MODE2_FORM1 ? 0x08 : 0x20;
		}
		vd_sector_complete(s, kind, lba + (int32_t)i, true);
	}
	return raw;
}

/* Which bytes of a sector of that kind each layout stores. */
static const struct stored_as {
	enum vd_sector_kind kind;
	enum vd_track_mode mode;
	enum vd_sector_layout layout;
	unsigned int at, len;
} stored_as[] = {
	{ VD_KIND_MODE1, VD_TRACK_MODE1, VD_LAYOUT_2048, 16, 2048 },
	{ VD_KIND_MODE1, VD_TRACK_MODE1, VD_LAYOUT_2352, 0, 2352 },
	{ VD_KIND_MODE1, VD_TRACK_MODE1, VD_LAYOUT_2352_SWAPPED, 0, 2352 },
	{ VD_KIND_MODE2_FORM1, VD_TRACK_MODE2, VD_LAYOUT_2048, 24, 2048 },
	{ VD_KIND_MODE2_FORM1, VD_TRACK_MODE2, VD_LAYOUT_2332, 16, 2332 },
	{ VD_KIND_MODE2_FORM1, VD_TRACK_MODE2, VD_LAYOUT_2336, 16, 2336 },
	{ VD_KIND_MODE2_FORM1, VD_TRACK_MODE2, VD_LAYOUT_2352, 0, 2352 },
	{ VD_KIND_MODE2_FORM2, VD_TRACK_MODE2, VD_LAYOUT_2324, 24, 2324 },
	{ VD_KIND_MODE2_FORM2, VD_TRACK_MODE2, VD_LAYOUT_2328, 24, 2328 },
	{ VD_KIND_MODE2_FORM2, VD_TRACK_MODE2, VD_LAYOUT_2332, 16, 2332 },
	{ VD_KIND_MODE2_FORM2, VD_TRACK_MODE2, VD_LAYOUT_2336, 16, 2336 },
	{ VD_KIND_MODE2_FORM2, VD_TRACK_MODE2, VD_LAYOUT_2352, 0, 2352 },
	{ VD_KIND_AUDIO, VD_TRACK_AUDIO, VD_LAYOUT_2352, 0, 2352 },
	{ VD_KIND_AUDIO, VD_TRACK_AUDIO, VD_LAYOUT_2352_SWAPPED, 0, 2352 },
};

static void swap(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 2) {
		uint8_t c = p[i];

		p[i] = p[i + 1];
		p[i + 1] = c;
	}
}

/* A disc of one track that begins at @lba, of @raw stored as @a says, @gap bytes between the sectors. */
static struct vd_disc *make_disc(const struct stored_as *a, const uint8_t *raw, int32_t lba,
				 unsigned int gap, struct mem_store **store)
{
	const unsigned int stride = a->len + gap;
	uint8_t *bytes = check_alloc(7 + N * stride);
	struct vd_track t = {
		.number = 1, .session = 1, .mode = a->mode, .start = lba, .length = N
	};
	struct vd_extent x = {
		.lba = lba, .length = N, .layout = a->layout, .offset = 7, .stride = stride
	};
	struct mem_store *m;
	struct vd_disc *d;

	memset(bytes, 0xdb, 7 + N * stride);
	for (uint32_t i = 0; i < N; i++) {
		memcpy(bytes + 7 + i * stride, raw + i * RAW + a->at, a->len);
		if (a->layout == VD_LAYOUT_2352_SWAPPED)
			swap(bytes + 7 + i * stride, RAW);
	}
	ASSERT_OK(vd_disc_new(&d));
	/* The last sector ends where the store does. */
	m = own(d, bytes, 7 + (N - 1) * stride + a->len);
	x.store = &m->store;
	add_track(d, &t);
	add_extent(d, &x);
	d->media = VD_MEDIA_CD_ROM;
	if (store)
		*store = m;
	return d;
}

/* The parts of a kind of sector, from the standard's tables. */
static size_t want_parts(enum vd_sector_kind kind, unsigned int what, const uint8_t *s,
			 uint8_t *out)
{
	const bool data = kind != VD_KIND_AUDIO, form1 = kind == VD_KIND_MODE2_FORM1,
		   form2 = kind == VD_KIND_MODE2_FORM2, mode1 = kind == VD_KIND_MODE1;
	const struct {
		unsigned int at, len;
	} parts[] = {
		{ 0, data ? 12 : 0 },
		{ 12, data ? 4 : 0 },
		{ 16, form1 || form2 ? 8 : 0 },
		{ !data		   ? 0
		  : form1 || form2 ? 24
				   : 16,
		  !data		   ? 2352
		  : form2	   ? 2324
		  : form1 || mode1 ? 2048
				   : 2336 },
		{ mode1	  ? 2064
		  : form1 ? 2072
			  : 2348,
		  mode1		   ? 12
		  : form1 || form2 ? 4
				   : 0 },
		{ 2076, mode1 || form1 ? 276 : 0 },
	};
	size_t len = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(parts); i++)
		if (what >> i & 1) {
			memcpy(out + len, s + parts[i].at, parts[i].len);
			len += parts[i].len;
		}
	if (what & VD_READ_C2) {
		memset(out + len, 0, 294);
		len += 294;
	}
	return len;
}

static void test_layouts_give_the_same_sectors(void)
{
	uint8_t *got = check_alloc(N * (RAW + 294) + 1), *want = check_alloc(N * (RAW + 294));

	for (size_t k = 0; k < VD_ARRAY_SIZE(stored_as); k++) {
		const struct stored_as *a = &stored_as[k];
		const uint8_t *raw = make_sectors(a->kind, 100);

		for (unsigned int gap = 0; gap <= 96; gap += 96) {
			_cleanup_disc_ struct vd_disc *d = make_disc(a, raw, 100, gap, NULL);

			for (unsigned int what = 0; what < 0x80; what++) {
				size_t len = 0;
				enum vd_sector_kind kind;

				for (uint32_t i = 0; i < N; i++)
					len += want_parts(a->kind, what, raw + i * RAW, want + len);
				CHECK_UINT(vd_sector_bytes(a->kind, what) * N, len);
				memset(got, 0xa5, len + 1);
				ASSERT_OK(vd_disc_read_sectors(d, 100, N, what, got));
				if (!CHECK_MEM(got, want, len)) {
					CHECK_FAIL("row %zu, gap %u, what %#x", k, gap, what);
					return;
				}
				CHECK_UINT(got[len], 0xa5);
				ASSERT_OK(vd_disc_sector_kind(d, 100 + (int32_t)what % 70, &kind));
				CHECK_INT((int)kind, (int)a->kind);
			}
			/* Pieces of any size. */
			for (uint32_t from = 0; from < N; from += 11)
				for (uint32_t n = 0; n <= N - from; n += 9) {
					ASSERT_OK(vd_disc_read_sectors(d, 100 + (int32_t)from, n,
								       VD_READ_MAIN, got));
					CHECK_MEM(got, raw + from * RAW, n * RAW);
				}
		}
	}
}

/* Errors in what is stored are its own, and everything else is made around them. */
static void test_stored_errors_stay(void)
{
	for (size_t k = 0; k < VD_ARRAY_SIZE(stored_as); k++) {
		const struct stored_as *a = &stored_as[k];
		uint8_t *raw = make_sectors(a->kind, 0), *got = check_alloc(N * RAW);
		_cleanup_disc_ struct vd_disc *d = NULL;

		if (a->len < 2328 || a->layout == VD_LAYOUT_2332)
			continue;
		for (uint32_t i = 0; i < N; i++) {
			raw[i * RAW + 2351 - (a->kind == VD_KIND_MODE2_FORM2 ? i % 4 : i)] ^= 0x55;
			if (a->len == RAW)
				raw[i * RAW + 13] ^= 0x33;
		}
		d = make_disc(a, raw, 0, 0, NULL);
		ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_MAIN, got));
		CHECK_MEM(got, raw, N * RAW);
	}
}

static void test_mixed_forms(void)
{
	static const struct stored_as as = { VD_KIND_MODE2_FORM1, VD_TRACK_MODE2, VD_LAYOUT_2336,
					     16, 2336 };
	uint8_t *raw = make_sectors(VD_KIND_MODE2_FORM1, 0), *got = check_alloc(N * RAW);
	const uint8_t *form2 = make_sectors(VD_KIND_MODE2_FORM2, 0);
	_cleanup_disc_ struct vd_disc *d = NULL;
	enum vd_sector_kind kind;

	memcpy(raw + 40 * RAW, form2 + 40 * RAW, RAW);
	/* Formless: two copies of a subheader that differ. */
	raw[50 * RAW + 16] ^= 1;
	d = make_disc(&as, raw, 0, 0, NULL);
	CHECK_INT((int)d->sessions[0].type, VD_SESSION_XA);
	ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_MAIN, got));
	CHECK_MEM(got, raw, N * RAW);
	CHECK_OK(vd_disc_read_sectors(d, 0, 40, VD_READ_USER, got));
	CHECK_ERRNO(vd_disc_read_sectors(d, 0, 41, VD_READ_USER, got), -EMEDIUMTYPE);
	CHECK_ERRNO(vd_disc_read_sectors(d, 40, 2, VD_READ_USER, got), -EMEDIUMTYPE);
	CHECK_OK(vd_disc_read_sectors(d, 40, 1, VD_READ_USER, got));
	CHECK_MEM(got, raw + 40 * RAW + 24, 2324);
	CHECK_OK(vd_disc_read_sectors(d, 30, 30, VD_READ_HEADER | VD_READ_SUBHEADER, got));
	ASSERT_OK(vd_disc_sector_kind(d, 50, &kind));
	CHECK_INT((int)kind, VD_KIND_MODE2_FORM1);
	/* On a disc that is not XA. */
	ASSERT_OK(vd_disc_set_session_type(d, 1, VD_SESSION_CDROM, NULL));
	ASSERT_OK(vd_disc_sector_kind(d, 50, &kind));
	CHECK_INT((int)kind, VD_KIND_MODE2);
	ASSERT_OK(vd_disc_read_sectors(d, 50, 1, VD_READ_USER, got));
	CHECK_MEM(got, raw + 50 * RAW + 16, 2336);
}

/* What no file holds: pauses, lead-in, lead-out, gaps, and the middle of a track. */
static void test_generated_sectors(void)
{
	static const struct {
		enum vd_track_mode mode;
		enum vd_sector_kind kind;
	} modes[] = {
		{ VD_TRACK_AUDIO, VD_KIND_AUDIO },
		{ VD_TRACK_MODE1, VD_KIND_MODE1 },
		{ VD_TRACK_MODE2, VD_KIND_MODE2_FORM1 },
	};
	static const int32_t at[] = { -45150, -151, -150, -1, 0, 49, 120, 199, 200, 6949 };
	static const uint8_t zeros[RAW];
	uint8_t got[RAW];

	for (size_t m = 0; m < VD_ARRAY_SIZE(modes); m++) {
		_cleanup_disc_ struct vd_disc *d = NULL;
		struct vd_track t = {
			.number = 1, .session = 1, .mode = modes[m].mode, .start = 50, .length = 150
		};
		struct vd_extent x = { .lba = 60, .length = 10, .layout = VD_LAYOUT_2352 };

		ASSERT_OK(vd_disc_new(&d));
		d->media = VD_MEDIA_CD_R;
		add_track(d, &t);
		x.store = &own(d, NULL, 10 * RAW)->store;
		add_extent(d, &x);
		for (size_t i = 0; i < VD_ARRAY_SIZE(at); i++) {
			enum vd_sector_kind kind;

			ASSERT_OK(vd_disc_sector_kind(d, at[i], &kind));
			CHECK_INT((int)kind, (int)modes[m].kind);
			ASSERT_OK(vd_disc_read_sectors(d, at[i], 1, VD_READ_MAIN, got));
			CHECK_UINT(vd_sector_check(got, kind, at[i]), 0);
			CHECK_MEM(got + 24, zeros, 2040);
			if (kind == VD_KIND_AUDIO)
				CHECK_MEM(got, zeros, RAW);
		}
		CHECK_ERRNO(vd_disc_read_sectors(d, -45151, 1, VD_READ_MAIN, got), -ERANGE);
		CHECK_ERRNO(vd_disc_read_sectors(d, INT32_MIN, 1, VD_READ_MAIN, got), -ERANGE);
		CHECK_ERRNO(vd_disc_read_sectors(d, 6949, 2, VD_READ_SUB, check_alloc(200)),
			    -ERANGE);
		CHECK_ERRNO(vd_disc_read_sectors(d, INT32_MAX, 1, VD_READ_MAIN, got), -ERANGE);
		CHECK_OK(vd_disc_read_sectors(d, INT32_MAX, 0, VD_READ_MAIN, got));
	}
}

/* Sound that ends inside a sector goes on as silence, whatever is behind it in its file. */
static void test_sound_that_is_cut_short(void)
{
	const uint8_t *raw = make_sectors(VD_KIND_AUDIO, 0);
	uint8_t *got = check_alloc(N * RAW), *want = check_alloc(N * RAW);
	const size_t len = (N - 1) * RAW + 1000;

	memcpy(want, raw, len);
	for (int swapped = 0; swapped < 2; swapped++)
		for (int limited = 0; limited < 2; limited++) {
			_cleanup_disc_ struct vd_disc *d = NULL;
			struct vd_track t = {
				.number = 1, .session = 1, .mode = VD_TRACK_AUDIO, .length = N
			};
			struct vd_extent x = { .length = N,
					       .layout = swapped ? VD_LAYOUT_2352_SWAPPED
								 : VD_LAYOUT_2352,
					       .limit = limited ? len : 0 };
			uint8_t *bytes = check_alloc(N * RAW);

			memcpy(bytes, raw, N * RAW);
			if (swapped)
				swap(bytes, N * RAW);
			ASSERT_OK(vd_disc_new(&d));
			x.store = &own(d, bytes, limited ? N * RAW : len)->store;
			add_track(d, &t);
			add_extent(d, &x);
			ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_USER, got));
			CHECK_MEM(got, want, N * RAW);
			ASSERT_OK(vd_disc_read_sectors(d, N - 1, 1, VD_READ_USER, got));
			CHECK_MEM(got, want + (N - 1) * RAW, RAW);
		}
}

static void test_store_errors(void)
{
	uint8_t *got = check_alloc(N * (RAW + 96)), q[12];

	for (size_t k = 0; k < VD_ARRAY_SIZE(stored_as); k++) {
		const struct stored_as *a = &stored_as[k];
		struct mem_store *m;
		_cleanup_disc_ struct vd_disc *d = make_disc(a, make_sectors(a->kind, 0), 0, 0, &m);

		m->fail_code = -EIO;
		m->fail_from = 7 + 50 * (uint64_t)a->len;
		CHECK_OK(vd_disc_read_sectors(d, 0, 50, VD_READ_MAIN, got));
		CHECK_ERRNO(vd_disc_read_sectors(d, 0, 51, VD_READ_MAIN, got), -EIO);
		CHECK_ERRNO(vd_disc_read_sectors(d, 0, 51, VD_READ_USER, got), -EIO);
		/* The generated subchannel needs nothing of the store. */
		CHECK_OK(vd_disc_read_sectors(d, 0, N, VD_READ_SUB, got));
		CHECK_OK(vd_disc_read_q(d, 60, q));
	}
}

static void test_other_media(void)
{
	_cleanup_disc_ struct vd_disc *d =
		make_disc(&stored_as[0], make_sectors(VD_KIND_MODE1, 0), 0, 0, NULL);
	uint8_t *got = check_alloc((N + 1) * RAW), q[12];

	d->media = VD_MEDIA_DVD_ROM;
	CHECK_OK(vd_disc_read_sectors(d, 0, N, VD_READ_USER, got));
	CHECK_ERRNO(vd_disc_read_sectors(d, 0, N + 1, VD_READ_USER, got), -ERANGE);
	CHECK_ERRNO(vd_disc_read_sectors(d, -1, 1, VD_READ_USER, got), -ERANGE);
	CHECK_ERRNO(vd_disc_read_sectors(d, 0, 1, VD_READ_MAIN, got), -EOPNOTSUPP);
	CHECK_ERRNO(vd_disc_read_q(d, 0, q), -EOPNOTSUPP);
}

/* Subchannel */

/* Two sessions: audio with a long pause, indices and codes; then data. */
static struct vd_disc *make_two_sessions(void)
{
	const struct vd_track tracks[] = {
		{ .number = 1,
		  .session = 1,
		  .mode = VD_TRACK_AUDIO,
		  .control = VD_CONTROL_COPY,
		  .start = 0,
		  .length = 1000 },
		{ .number = 2,
		  .session = 1,
		  .mode = VD_TRACK_AUDIO,
		  .control = VD_CONTROL_PREEMPHASIS,
		  .isrc = "USRC17607839",
		  .pregap = 200,
		  .start = 1200,
		  .length = 5000 },
		{ .number = 3,
		  .session = 2,
		  .mode = VD_TRACK_MODE1,
		  .start = 6200 + 11400,
		  .length = 300 },
	};
	struct vd_disc *d;

	ASSERT_OK(vd_disc_new(&d));
	add_track(d, &tracks[0]);
	add_track(d, &tracks[1]);
	ASSERT_OK(vd_disc_add_index(d, 3000, NULL));
	add_track(d, &tracks[2]);
	ASSERT_OK(vd_disc_set_mcn(d, "0123456789012", NULL));
	return d;
}

static const char *hex(const uint8_t *p, size_t len)
{
	char *text = check_alloc(2 * len + 1);

	for (size_t i = 0; i < len; i++)
		text = check_printf("%s%02x", i ? text : "", p[i]);
	return text;
}

static void test_positions(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	static const struct {
		int32_t lba;
		const char *q; /* without its CRC */
	} rows[] = {
		{ -150, "21010000017400000000" }, /* the pause runs down to 0 */
		{ -2, "21010000000100000173" },	   { -1, "21010000000000000174" },
		{ 0, "21010100000000000200" },	   { 74, "21010100007400000274" },
		{ 999, "21010100132400001524" },   { 1000, "11020000024900001525" },
		{ 1198, "11020000000100001773" },  { 1200, "11020100000000001800" },
		{ 2998, "11020100237300004173" },  { 3000, "11020200240000004200" },
		{ 6199, "11020201064900012449" },  { 6200, "11aa0100000000012450" },
		{ 12948, "11aa0101297300025448" }, { 17450, "41030000017400035450" },
		{ 17600, "41030100000000035650" }, { 17899, "41030100037400040049" },
		{ 17900, "41aa0100000000040050" }, { 20148, "41aa0100297300043048" },
	};
	uint8_t q[12];

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		ASSERT_OK(vd_disc_read_q(d, rows[i].lba, q));
		CHECK(vd_q_is_whole(q));
		if (!CHECK_STR(hex(q, 10), rows[i].q))
			CHECK_FAIL("LBA %d", rows[i].lba);
	}
}

/* Lead-out of a pressed disc, read with its subchannel: github.com/saramibreak/DiscImageCreator/issues/240. */
static void test_published_q(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	static const char *const want[] = { "41aa0100000000490237f14f", "41aa0100000100490238aaf1",
					    "41aa01000002004902395402" };
	struct vd_track t = { .number = 1, .session = 1, .length = 220537 };
	uint8_t q[12];

	ASSERT_OK(vd_disc_new(&d));
	add_track(d, &t);
	for (int32_t i = 0; i < 3; i++) {
		ASSERT_OK(vd_disc_read_q(d, 220537 + i, q));
		CHECK_STR(hex(q, 12), want[i]);
	}
}

/* In any 100 successive sectors there is one MCN, and in a track that has one an ISRC. */
static void test_mcn_and_isrc(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	int32_t mcn_at = -151, isrc_at = 1199;
	int isrcs = 0;

	for (int32_t lba = -150; lba < 6200 + 6750; lba++) {
		char mcn[VD_MCN_LEN + 1], isrc[VD_ISRC_LEN + 1];
		uint8_t q[12];

		ASSERT_OK(vd_disc_read_q(d, lba, q));
		ASSERT(vd_q_is_whole(q));
		if (vd_q_get_mcn(q, mcn)) {
			CHECK_STR(mcn, "0123456789012");
			CHECK(lba - mcn_at <= 100);
			CHECK_UINT(q[9], vd_to_bcd((unsigned int)(lba + 150) % 75));
			mcn_at = lba;
		} else if (vd_q_get_isrc(q, isrc)) {
			CHECK_STR(isrc, "USRC17607839");
			CHECK(lba >= 1200 && lba < 6200 && lba - isrc_at <= 100);
			isrc_at = lba;
			isrcs++;
		} else {
			CHECK_UINT(q[0] & 0xf, VD_Q_POSITION);
		}
	}
	CHECK_INT(isrcs, 50);
	CHECK(mcn_at > 6200 + 6650);
}

/* Every entry of the TOC is there three times, again and again. */
static void test_leadin(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	static const char *const session1[] = {
		/* ADR and control, point, zero and its place; the time is the lead-in's own. */
		"2100a0"
		"00010000",
		"1100a1"
		"00020000",
		"1100a2"
		"00012450",
		"210001"
		"00000200",
		"110002"
		"00001800",
	};
	static const char *const session2[] = { "4100a0"
						"00030000",
						"4100a1"
						"00030000",
						"4100a2"
						"00040050",
						"410003"
						"00035650" };
	uint8_t q[12];

	for (int i = 0; i < 70; i++) {
		ASSERT_OK(vd_disc_read_q(d, -45150 + i, q));
		CHECK(vd_q_is_whole(q));
		if (i / 3 % 7 < 5) {
			CHECK_STR(check_printf("%s%s", hex(q, 3), hex(q + 6, 4)),
				  session1[i / 3 % 7]);
			CHECK_STR(hex(q + 3, 3),
				  i < 21 ? check_printf("9000%02d", i) : hex(q + 3, 3));
		}
	}
	/* Where the next session begins, and the pointer to the lead-in: BCD too. */
	ASSERT_OK(vd_disc_read_q(d, -45150 + 15, q));
	CHECK_STR(hex(q, 10), "2500b003545002795974");
	ASSERT_OK(vd_disc_read_q(d, -45150 + 18, q));
	CHECK_STR(hex(q, 10), "2500c000000000950000");
	/* Session 1's ends before 00:00:00. */
	for (int i = 0; i < 21; i++) {
		ASSERT_OK(vd_disc_read_q(d, -151 - i, q));
		if ((q[0] & 0xf) == VD_Q_POSITION)
			CHECK_STR(hex(q + 3, 3), check_printf("9959%02d", 74 - i));
	}
	for (int i = 0; i < 30; i++) {
		ASSERT_OK(vd_disc_read_q(d, 12950 + i, q));
		CHECK(vd_q_is_whole(q));
		CHECK_STR(check_printf("%s%s", hex(q, 3), hex(q + 6, 4)), session2[i / 3 % 4]);
	}
}

/* The type of a session is a byte, not a number in BCD. */
static void test_leadin_of_xa(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct vd_track t = {
		.number = 1, .session = 1, .mode = VD_TRACK_MODE2, .start = 0, .length = 100
	};
	uint8_t q[12];

	ASSERT_OK(vd_disc_new(&d));
	add_track(d, &t);
	ASSERT_OK(vd_disc_read_q(d, -45150, q));
	CHECK_STR(hex(q, 10), "4100a090000000012000");
}

/* P: which sectors are all ones, and no other bit with them. */
static void test_p(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	static const struct {
		int32_t first, last; /* of ones */
	} ones[] = {
		{ -149, 0 }, { 1001, 1200 }, { 6051, 6200 }, { 6351, 6369 }, { 6389, 6407 },
	};
	size_t k = 0;

	for (int32_t lba = -150; lba < 6420; lba++) {
		uint8_t raw[96], planar[96], q[12];
		bool p;

		while (k < VD_ARRAY_SIZE(ones) && lba > ones[k].last)
			k++;
		p = k < VD_ARRAY_SIZE(ones) && lba >= ones[k].first;
		ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, raw));
		ASSERT_OK(vd_disc_read_q(d, lba, q));
		vd_sub_to_planar(raw, planar);
		for (int i = 0; i < 96; i++)
			if (planar[i] != (i < 12 ? (p ? 0xff : 0) : i < 24 ? q[i - 12] : 0)) {
				CHECK_FAIL("LBA %d, byte %d", lba, i);
				return;
			}
	}
}

/* Stored, in each form: given as it is. */
static void test_stored_subchannel(void)
{
	static const enum vd_sub_form forms[] = { VD_SUB_RAW, VD_SUB_PLANAR, VD_SUB_RW_RAW };
	const uint8_t *main = make_sectors(VD_KIND_AUDIO, 0);
	uint8_t *sub = check_alloc(N * 96), *got = check_alloc(N * 2448),
		*want = check_alloc(N * 96);
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_AUDIO, .length = N };

	fill(sub, N * 96);
	for (size_t f = 0; f < VD_ARRAY_SIZE(forms); f++)
		for (int apart = 0; apart < 2; apart++) {
			_cleanup_disc_ struct vd_disc *d = NULL;
			struct vd_extent x = { .length = N, .sub = forms[f] };
			uint8_t *file = check_alloc(N * 2448);

			ASSERT_OK(vd_disc_new(&d));
			add_track(d, &t);
			if (apart) {
				x.layout = VD_LAYOUT_2352;
				x.store = &own(d, main, N * RAW)->store;
				x.sub_store = &own(d, sub, N * 96)->store;
			} else {
				for (uint32_t i = 0; i < N; i++) {
					memcpy(file + i * 2448, main + i * RAW, RAW);
					memcpy(file + i * 2448 + RAW, sub + i * 96, 96);
				}
				x.layout = VD_LAYOUT_2448;
				x.store = &own(d, file, N * 2448)->store;
			}
			add_extent(d, &x);
			for (uint32_t i = 0; i < N; i++) {
				uint8_t *w = want + i * 96, q[12];

				memcpy(w, sub + i * 96, 96);
				if (forms[f] == VD_SUB_PLANAR)
					vd_sub_to_raw(w, w);
				ASSERT_OK(vd_disc_read_q(d, (int32_t)i, q));
				if (forms[f] == VD_SUB_RW_RAW) {
					for (int k = 0; k < 96; k++)
						w[k] = (w[k] & 0x3f) | (i == 0 ? 0x80 : 0);
					vd_sub_put_q(w, q);
					CHECK(vd_q_is_whole(q));
				} else {
					uint8_t bits[12];

					vd_sub_get_q(w, bits);
					CHECK_MEM(q, bits, 12);
				}
			}
			ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_SUB, got));
			if (forms[f] == VD_SUB_RW_RAW)
				/* The flag of the lead-out reaches back over all of so short a track. */
				for (uint32_t i = 0; i < N * 96; i++)
					want[i] |= 0x80;
			if (!CHECK_MEM(got, want, N * 96))
				CHECK_FAIL("form %zu, apart %d", f, apart);
			ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_MAIN | VD_READ_SUB, got));
			for (uint32_t i = 0; i < N; i++) {
				CHECK_MEM(got + i * 2448, main + i * RAW, RAW);
				CHECK_MEM(got + i * 2448 + RAW, want + i * 96, 96);
			}
		}
}

/* Packs that are stored without interleaving come out of what is read with it. */
static void test_packed_rw(void)
{
	_cleanup_disc_ struct vd_disc *d = NULL;
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_AUDIO, .length = N };
	struct vd_extent x = { .length = N, .layout = VD_LAYOUT_2448, .sub = VD_SUB_RW_PACKED };
	uint8_t *file = check_alloc(N * 2448), *got = check_alloc(N * 96);

	fill(file, N * 2448);
	ASSERT_OK(vd_disc_new(&d));
	add_track(d, &t);
	x.store = &own(d, file, N * 2448)->store;
	add_extent(d, &x);
	ASSERT_OK(vd_disc_read_sectors(d, 0, N, VD_READ_SUB, got));
	for (uint32_t i = 0; i + 2 < N; i++) {
		uint8_t packed[96];

		vd_sub_rw_packs(got + i * 96, packed);
		for (int k = 0; k < 96; k++)
			ASSERT_UINT(packed[k], file[i * 2448 + RAW + k] & 0x3f);
	}
	/* Symbol 1 changes places with 18, and is three packs later for each... as IEC 60908 draws it. */
	CHECK_UINT(got[0] & 0x3f, file[RAW] & 0x3f);
	CHECK_UINT(got[24 + 1] & 0x3f, file[RAW + 18] & 0x3f);
	CHECK_UINT(got[2 * 24 + 18] & 0x3f, file[RAW + 1] & 0x3f);
	CHECK_UINT(got[96 + 3 * 24 + 23] & 0x3f, file[RAW + 3] & 0x3f);
}

/* The lead-in's channels R to W are the session's CD-TEXT, six bits a symbol. */
static void test_cdtext_in_leadin(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	uint8_t packs[5 * 18], raw[2 * 96], bits[5 * 18 + 54];

	fill(packs, sizeof(packs));
	ASSERT_OK(vd_disc_set_cdtext(d, 1, packs, 5, NULL));
	ASSERT_OK(vd_disc_read_sectors(d, -45150, 2, VD_READ_SUB, raw));
	memset(bits, 0, sizeof(bits));
	for (unsigned int i = 0; i < 8 * 24 * 6; i++)
		bits[i / 8] |= (uint8_t)((raw[i / 6] >> (5 - i % 6) & 1) << (7 - i % 8));
	CHECK_MEM(bits, packs, sizeof(packs));
	CHECK_MEM(bits + sizeof(packs), packs, 54);
	/* Not in the program area. */
	ASSERT_OK(vd_disc_read_sectors(d, 10, 1, VD_READ_SUB, raw));
	for (int i = 0; i < 96; i++)
		CHECK_UINT(raw[i] & 0x3f, 0);
}

static void test_transposing(void)
{
	uint8_t planar[96], raw[96], back[96], q[12];

	for (int round = 0; round < 20; round++) {
		fill(planar, sizeof(planar));
		vd_sub_to_raw(planar, raw);
		for (int i = 0; i < 96; i++)
			for (int channel = 0; channel < 8; channel++)
				CHECK_UINT(raw[i] >> (7 - channel) & 1,
					   planar[12 * channel + i / 8] >> (7 - i % 8) & 1);
		vd_sub_to_planar(raw, back);
		CHECK_MEM(back, planar, 96);
		vd_sub_get_q(raw, q);
		CHECK_MEM(q, planar + 12, 12);
		fill(q, sizeof(q));
		memcpy(planar + 12, q, 12);
		vd_sub_put_q(raw, q);
		vd_sub_to_planar(raw, raw);
		CHECK_MEM(raw, planar, 96);
	}
}

/* Which form it is stored in, by the CRC of Q. */
static void test_guessed_form(void)
{
	_cleanup_disc_ struct vd_disc *d = make_two_sessions();
	uint8_t raw[96], planar[96], neither[96] = { 0 };

	CHECK_INT((int)vd_sub_guess_form(neither), VD_SUB_NONE);
	for (int32_t lba = -150; lba < 1000; lba++) {
		ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, raw));
		vd_sub_to_planar(raw, planar);
		ASSERT_INT((int)vd_sub_guess_form(raw), VD_SUB_RAW);
		ASSERT_INT((int)vd_sub_guess_form(planar), VD_SUB_PLANAR);
		planar[13] ^= 1;
		ASSERT_INT((int)vd_sub_guess_form(planar), VD_SUB_NONE);
	}
}

static void test_codes_in_q(void)
{
	static const char *const isrcs[] = { "USRC17607839", "AA0Z99999999", "ZZZZZ0000000",
					     "009AZ1234567" };
	char mcn[VD_MCN_LEN + 1], isrc[VD_ISRC_LEN + 1];
	uint8_t q[12];

	for (size_t i = 0; i < VD_ARRAY_SIZE(isrcs); i++) {
		vd_q_isrc(q, 4, isrcs[i], 1234);
		CHECK(vd_q_is_whole(q));
		CHECK_UINT(q[0], 0x43);
		ASSERT(vd_q_get_isrc(q, isrc));
		CHECK_STR(isrc, isrcs[i]);
		CHECK(!vd_q_get_mcn(q, mcn));
	}
	/* U S R C 1 are 37 35 34 19 1, six bits each, and two zeros; then digits. */
	vd_q_isrc(q, 0, "USRC17607839", 0);
	CHECK_STR(hex(q, 10), "03963893047607839000");
	for (int byte = 0; byte < 256; byte++) {
		memset(q, byte, sizeof(q));
		q[0] = 3;
		(void)vd_q_get_isrc(q, isrc);
		q[0] = 2;
		CHECK(vd_q_get_mcn(q, mcn) == ((byte & 0xf) < 10 && byte >> 4 < 10));
	}
	vd_q_position(q, 4, 1, 1, 0, 150);
	CHECK(!vd_q_get_isrc(q, isrc) && !vd_q_get_mcn(q, mcn));
	q[11] ^= 1;
	CHECK(!vd_q_is_whole(q));
}

static const struct check_test tests[] = {
	{ "layouts_give_the_same_sectors", test_layouts_give_the_same_sectors },
	{ "stored_errors_stay", test_stored_errors_stay },
	{ "mixed_forms", test_mixed_forms },
	{ "generated_sectors", test_generated_sectors },
	{ "sound_that_is_cut_short", test_sound_that_is_cut_short },
	{ "store_errors", test_store_errors },
	{ "other_media", test_other_media },
	{ "positions", test_positions },
	{ "published_q", test_published_q },
	{ "mcn_and_isrc", test_mcn_and_isrc },
	{ "leadin", test_leadin },
	{ "leadin_of_xa", test_leadin_of_xa },
	{ "p", test_p },
	{ "guessed_form", test_guessed_form },
	{ "stored_subchannel", test_stored_subchannel },
	{ "packed_rw", test_packed_rw },
	{ "cdtext_in_leadin", test_cdtext_in_leadin },
	{ "transposing", test_transposing },
	{ "codes_in_q", test_codes_in_q },
};
CHECK_MAIN(tests)
