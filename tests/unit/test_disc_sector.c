// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * EDC and ECC against their definition, published values, and images that vcdimager and chdman made. What is compared
 * with the definition is computed here byte by byte, as ECMA-130 has it.
 */
#include "check.h"

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "util/cleanup.h"
#include "util/endian.h"

static uint32_t seed = 1;

static uint8_t any_byte(void)
{
	seed = seed * 1664525 + 1013904223;
	return (uint8_t)(seed >> 24);
}

static void fill(uint8_t *p, size_t len)
{
	while (len--)
		*p++ = any_byte();
}

/* The catalogue of CRCs by Greg Cook has these for "123456789": CRC-32/CD-ROM-EDC and CRC-16/XMODEM. */
static void test_published_crcs(void)
{
	static const uint8_t form2[2332] = { 0, 0, 0x20, 0, 0, 0, 0x20, 0 };

	CHECK_UINT(vd_edc("123456789", 9), 0x6ec2edc4);
	CHECK_UINT(vd_crc16("123456789", 9), 0x31c3);
	/* The empty sector of Form 2 that fills video discs ends with 3f 13 b0 be. */
	CHECK_UINT(vd_edc(form2, sizeof(form2)), 0xbeb0133f);
}

/* Bit by bit: divides by (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1). */
static uint32_t slow_edc(const uint8_t *p, size_t len)
{
	uint64_t polynomial = 0;
	uint32_t edc = 0;

	for (int i = 0; i <= 16; i++)
		if (0x18005 >> i & 1)
			polynomial ^= (uint64_t)0x10007 << i;
	for (size_t i = 0; i < len * 8; i++) {
		unsigned int bit = p[i / 8] >> i % 8 & 1;
		bool out = (edc >> 31 ^ bit) & 1;

		edc = edc << 1 ^ (out ? (uint32_t)polynomial : 0);
	}
	/* Its coefficient of x^31 is the bit that is recorded first. */
	polynomial = 0;
	for (int i = 0; i < 32; i++)
		polynomial |= (uint64_t)(edc >> i & 1) << (31 - i);
	return (uint32_t)polynomial;
}

static void test_edc_is_as_defined(void)
{
	uint8_t data[2400];

	fill(data, sizeof(data));
	for (size_t len = 0; len < 70; len++)
		for (size_t at = 0; at < 8; at++)
			CHECK_UINT(vd_edc(data + at, len), slow_edc(data + at, len));
	CHECK_UINT(vd_edc(data, 2064), slow_edc(data, 2064));
}

static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1d : 0));
	}
	return product;
}

/* Both rows of the parity check matrix: ones; powers of a down to 1. */
static bool is_codeword(const uint8_t *v, size_t len)
{
	uint8_t s0 = 0, s1 = 0;

	for (size_t i = 0; i < len; i++) {
		s0 ^= v[i];
		s1 = times(s1, 2) ^ v[i];
	}
	return !s0 && !s1;
}

/* ECMA-130, A.5 and A.6. @data: from the header on. */
static void check_codewords(const uint8_t *data)
{
	uint8_t v[45];

	for (size_t lane = 0; lane < 2; lane++) {
		for (size_t n = 0; n < 43; n++) {
			for (size_t m = 0; m < 26; m++)
				v[m] = data[2 * (43 * m + n) + lane];
			CHECK(is_codeword(v, 26));
		}
		for (size_t n = 0; n < 26; n++) {
			for (size_t m = 0; m < 43; m++)
				v[m] = data[2 * ((44 * m + 43 * n) % 1118) + lane];
			v[43] = data[2 * (43 * 26 + n) + lane];
			v[44] = data[2 * (44 * 26 + n) + lane];
			CHECK(is_codeword(v, 45));
		}
	}
}

static void test_ecc_is_as_defined(void)
{
	uint8_t s[VD_SECTOR_RAW];

	for (int round = 0; round < 20; round++) {
		fill(s, sizeof(s));
		vd_sector_complete(s, VD_KIND_MODE1, round * 20000, true);
		check_codewords(s + 12);
		fill(s, sizeof(s));
		vd_sector_complete(s, VD_KIND_MODE2_FORM1, round * 20000, true);
		memset(s + 12, 0, 4);
		check_codewords(s + 12);
	}
}

static void test_headers(void)
{
	static const struct {
		int32_t lba;
		uint8_t header[3];
	} rows[] = {
		{ 0, { 0x00, 0x02, 0x00 } },	  { -150, { 0, 0, 0 } },
		{ 74, { 0x00, 0x02, 0x74 } },	  { 75, { 0x00, 0x03, 0x00 } },
		{ 4350, { 0x01, 0x00, 0x00 } },	  { 449849, { 0x99, 0x59, 0x74 } },
		{ -151, { 0x99, 0x59, 0x74 } },	  { -45150, { 0x90, 0x00, 0x00 } },
		{ 166549, { 0x37, 0x02, 0x49 } },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		uint8_t s[VD_SECTOR_RAW] = { 0 };
		struct vd_msf msf = vd_msf_from_lba(rows[i].lba);

		vd_sector_complete(s, VD_KIND_MODE1, rows[i].lba, false);
		CHECK_MEM(s, vd_sync_pattern, 12);
		CHECK_MEM(s + 12, rows[i].header, 3);
		CHECK_UINT(s[15], 1);
		/* Addresses of a lead-in are also those of the last ten minutes. */
		if (rows[i].lba < 400000)
			CHECK_INT(vd_msf_to_lba(msf), rows[i].lba);
	}
	CHECK_INT(vd_msf_to_lba((struct vd_msf){ 255, 255, 255 }), (255 * 60 + 255) * 75 + 105);
	CHECK_UINT(vd_msf_from_lba(INT32_MAX).m, 255);
	CHECK_UINT(vd_msf_from_lba(INT32_MIN).m, 0);
}

/* Each byte of each sector, flipped: what is wrong then. */
static void test_check_says_what_is_wrong(void)
{
	static const enum vd_sector_kind kinds[] = { VD_KIND_MODE0, VD_KIND_MODE1, VD_KIND_MODE2,
						     VD_KIND_MODE2_FORM1, VD_KIND_MODE2_FORM2 };

	for (size_t k = 0; k < VD_ARRAY_SIZE(kinds); k++) {
		uint8_t s[VD_SECTOR_RAW] = { 0 };
		bool mode1 = kinds[k] == VD_KIND_MODE1, form1 = kinds[k] == VD_KIND_MODE2_FORM1,
		     form2 = kinds[k] == VD_KIND_MODE2_FORM2;

		if (kinds[k] != VD_KIND_MODE0)
			fill(s + 24, 2328);
		vd_sector_complete(s, kinds[k], 1000, true);
		CHECK_UINT(vd_sector_check(s, kinds[k], 1000), 0);
		CHECK_UINT(vd_sector_check(s, kinds[k], VD_LBA_ANY), 0);
		CHECK_UINT(vd_sector_check(s, kinds[k], 1001), VD_BAD_HEADER);
		for (unsigned int i = 0; i < VD_SECTOR_RAW; i++) {
			unsigned int bad = 0, p = VD_BAD_P | VD_BAD_Q;

			if (i < 12)
				bad = VD_BAD_SYNC | (mode1 ? VD_BAD_EDC : 0);
			else if (i < 16)
				bad = VD_BAD_HEADER | (mode1 ? VD_BAD_EDC | p : 0);
			else if (kinds[k] == VD_KIND_MODE0)
				bad = VD_BAD_ZEROS;
			else if (mode1)
				bad = i < 2068	 ? VD_BAD_EDC | p
				      : i < 2076 ? VD_BAD_ZEROS | p
				      : i < 2248 ? p
						 : VD_BAD_Q;
			else if (form1)
				bad = (i < 24 ? VD_BAD_SUBHEADER : 0) | (i < 2076   ? VD_BAD_EDC | p
									 : i < 2248 ? p
										    : VD_BAD_Q);
			else if (form2)
				bad = (i < 24 ? VD_BAD_SUBHEADER : 0) | VD_BAD_EDC;
			s[i] ^= 0x10;
			if (!CHECK_UINT(vd_sector_check(s, kinds[k], 1000), bad))
				CHECK_FAIL("kind %d, byte %u", (int)kinds[k], i);
			s[i] ^= 0x10;
		}
		/* Form 2 need not have an EDC. */
		memset(s + 2348, 0, 4);
		CHECK((vd_sector_check(s, kinds[k], 1000) == 0) ==
		      (form2 || kinds[k] == VD_KIND_MODE2 || kinds[k] == VD_KIND_MODE0));
	}
	CHECK_UINT(vd_sector_check((const uint8_t[VD_SECTOR_RAW]){ 1 }, VD_KIND_AUDIO, 5), 0);
}

static void test_kinds(void)
{
	uint8_t s[VD_SECTOR_RAW] = { 0 };

	memcpy(s, vd_sync_pattern, 12);
	for (unsigned int m = 0; m < 256; m++) {
		unsigned int track = m & 1 ? VD_TRACK_MODE1 : VD_TRACK_MODE2;
		unsigned int want = m % 4 == 3 ? (track == VD_TRACK_MODE1 ? 1 : 2) : m % 4;

		s[15] = (uint8_t)m;
		CHECK_INT((int)vd_sector_kind(s, (enum vd_track_mode)track, true),
			  want == 0   ? VD_KIND_MODE0
			  : want == 1 ? VD_KIND_MODE1
				      : VD_KIND_MODE2_FORM1);
		CHECK_INT((int)vd_sector_kind(s, VD_TRACK_AUDIO, true), VD_KIND_AUDIO);
	}
	s[15] = 2;
	s[18] = 0x20;
	CHECK_INT((int)vd_sector_kind(s, VD_TRACK_MODE2, true), VD_KIND_MODE2_FORM2);
	CHECK_INT((int)vd_sector_kind(s, VD_TRACK_MODE2, false), VD_KIND_MODE2);
	s[22] = 0x20;
	CHECK_INT((int)vd_sector_kind(s, VD_TRACK_MODE2, false), VD_KIND_MODE2_FORM2);
	s[0] = 1; /* no sync pattern: the track is believed */
	CHECK_INT((int)vd_sector_kind(s, VD_TRACK_MODE1, false), VD_KIND_MODE1);
}

/* An MPEG-1 program stream that is good enough for vcdimager: packs of 2324 bytes of a still picture. */
static void write_mpeg(const char *path)
{
	static const uint8_t system[] = { 0, 0,	   1,	 0xbb, 0,    0x0c, 0x80, 0x1b, 0x89,
					  4, 0x21, 0xff, 0xe0, 0xe0, 0xe6, 0xc0, 0xc0, 0x20 };
	static const uint8_t sequence[] = { 0,	  0,	1, 0xb3, 0x16, 0,    0xf0, 0xc4, 2, 0xce,
					    0xe0, 0xa4, 0, 0,	 1,    0xb8, 0,	   8,	 0, 0x40 };
	static const uint8_t picture[] = { 0, 0, 1, 0, 0, 0x0f, 0xff, 0xf8 };
	const size_t packs = 60;
	uint8_t *out = check_alloc(packs * 2324);

	for (size_t i = 0; i < packs; i++) {
		uint8_t *p = out + i * 2324, *end = p + 2324;
		uint32_t scr = (uint32_t)i * 1200;
		const uint8_t pack[] = { 0,
					 0,
					 1,
					 0xba,
					 0x21,
					 (uint8_t)(scr >> 22),
					 (uint8_t)(1 | (scr >> 14 & 0xfe)),
					 (uint8_t)(scr >> 7),
					 (uint8_t)(1 | (scr << 1 & 0xfe)),
					 0x80,
					 0x1b,
					 0x91 };

		memcpy(p, pack, sizeof(pack));
		p += sizeof(pack);
		if (!i) {
			memcpy(p, system, sizeof(system));
			p += sizeof(system);
		}
		memcpy(p, "\0\0\1\xe0", 4);
		vd_put_be16(p + 4, (uint16_t)(end - p - 6));
		p[6] = 0x0f;
		p += 7;
		if (i % 10 == 0) {
			memcpy(p, sequence, sizeof(sequence));
			p += sizeof(sequence);
		}
		memcpy(p, picture, sizeof(picture));
		p += sizeof(picture);
		while (p < end)
			*p++ = any_byte() | 1; /* no start code */
	}
	memcpy(out + packs * 2324 - 4, "\0\0\1\xb9", 4);
	check_write_file(path, out, packs * 2324);
}

/* vcdimager's sectors of Form 1 and 2: right by our check, and the same when made anew of what is in them. */
static void test_vcdimager(void)
{
	const char *mpeg = check_path("x.mpg"), *bin = check_path("vcd.bin");
	size_t len, forms[2] = { 0, 0 };
	const uint8_t *image;

	if (!check_have_program("vcdimager"))
		CHECK_SKIP("needs vcdimager");
	write_mpeg(mpeg);
	ASSERT_INT(check_sh("vcdimager -q -t vcd2 -c '%s' -b '%s' '%s'", check_path("vcd.cue"), bin,
			    mpeg)
			   ->status,
		   0);
	image = (const uint8_t *)check_read_file(bin, &len);
	ASSERT(len && len % VD_SECTOR_RAW == 0);
	for (size_t i = 0; i < len / VD_SECTOR_RAW; i++) {
		const uint8_t *s = image + i * VD_SECTOR_RAW;
		enum vd_sector_kind kind = vd_sector_kind(s, VD_TRACK_MODE2, true);
		uint8_t made[VD_SECTOR_RAW] = { 0 };
		size_t user = kind == VD_KIND_MODE2_FORM1 ? 2048 : 2324;

		ASSERT(kind == VD_KIND_MODE2_FORM1 || kind == VD_KIND_MODE2_FORM2);
		forms[kind == VD_KIND_MODE2_FORM2]++;
		ASSERT_UINT(vd_sector_check(s, kind, (int32_t)i), 0);
		memcpy(made + 16, s + 16, 8 + user);
		vd_sector_complete(made, kind, (int32_t)i, true);
		if (kind == VD_KIND_MODE2_FORM2 && !vd_get_le32(s + 2348))
			memset(made + 2348, 0, 4);
		ASSERT_MEM(made, s, sizeof(made));
	}
	CHECK(forms[0] > 100 && forms[1] > 50);
}

#define CHD_SECTORS 400u

static size_t chd_size(const char *name, const uint8_t *image, const char *mode)
{
	const char *bin = check_path("%s.bin", name), *cue = check_path("%s.cue", name);
	const char *text = check_printf("FILE \"%s.bin\" BINARY\n  TRACK 01 %s/2352\n"
					"    INDEX 01 00:00:00\n",
					name, mode);
	size_t len = 0;

	check_write_file(bin, image, CHD_SECTORS * VD_SECTOR_RAW);
	check_write_file(cue, text, strlen(text));
	ASSERT_INT(check_sh("chdman createcd -f -i '%s' -o '%s' -c cdzl", cue,
			    check_path("%s.chd", name))
			   ->status,
		   0);
	check_read_file(check_path("%s.chd", name), &len);
	return len;
}

/*
 * chdman leaves the sync pattern and the ECC of a sector away when the ECC is what it computes itself. Of data that cannot be
 * compressed, its file is the smaller by them: by an eighth.
 */
static void test_chdman(void)
{
	static const struct {
		enum vd_sector_kind kind;
		const char *mode;
	} rows[] = { { VD_KIND_MODE1, "MODE1" }, { VD_KIND_MODE2_FORM1, "MODE2" } };

	if (!check_have_program("chdman"))
		CHECK_SKIP("needs chdman");
	for (size_t k = 0; k < VD_ARRAY_SIZE(rows); k++) {
		uint8_t *image = check_alloc(CHD_SECTORS * VD_SECTOR_RAW);
		size_t good, bad;

		fill(image, CHD_SECTORS * VD_SECTOR_RAW);
		for (uint32_t i = 0; i < CHD_SECTORS; i++)
			vd_sector_complete(image + i * VD_SECTOR_RAW, rows[k].kind, (int32_t)i,
					   true);
		good = chd_size("good", image, rows[k].mode);
		for (uint32_t i = 0; i < CHD_SECTORS; i++)
			image[i * VD_SECTOR_RAW + 2351]++;
		bad = chd_size("bad", image, rows[k].mode);
		CHECK(good < CHD_SECTORS * (2352 - 12 - 276 + 30));
		CHECK(bad > good + CHD_SECTORS * 240);
	}
}

static const struct check_test tests[] = {
	{ "published_crcs", test_published_crcs },
	{ "edc_is_as_defined", test_edc_is_as_defined },
	{ "ecc_is_as_defined", test_ecc_is_as_defined },
	{ "headers", test_headers },
	{ "check_says_what_is_wrong", test_check_says_what_is_wrong },
	{ "kinds", test_kinds },
	{ "vcdimager", test_vcdimager },
	{ "chdman", test_chdman },
};
CHECK_MAIN(tests)
