// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * EDC and ECC of sectors, many bytes at a time.
 *
 * EDC: a CRC of 32 bits, least significant bit first, of the polynomial (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1). Eight
 * tables take eight bytes a step; table k has what a byte becomes k bytes further on.
 *
 * ECC: two Reed-Solomon codes over GF(2^8), x^8 + x^4 + x^3 + x^2 + 1, each with two parity bytes. The 2236 bytes from the
 * header to the end of P are 26 rows of 43 words of 16 bits, low and high byte each a code of its own:
 *
 *     P   the 43 columns of the first 24 rows; its parity is rows 24 and 25
 *     Q   26 diagonals: word m of diagonal n is at row (n + m) mod 26, column m
 *
 * The codewords are not computed one after the other but all at once, 16 to a vector: step i takes byte i of each of them. For P
 * these lie side by side, a row of 86 bytes. For Q they do once the matrix is turned by its diagonal: column m, written twice one
 * below the other, and read from row m on, is the vector of step m.
 *
 * A codeword d[0..n-1], p0, p1 has the sums S0 = sum of all = 0 and S1 = sum of a^(place from the end) * each = 0, so that
 * with A = sum a^(n-i) d[i], which Horner's rule gives, p0 = (S0' + aA) / (a + 1) and p1 = S0' + p0.
 */
#include "disc/sector.h"

#include <string.h>

#include "util/endian.h"

#define EDC_POLYNOMIAL 0xd8018001u /* bits reversed */
#define GF_POLYNOMIAL 0x1d

#define ROWS 26u
#define COLUMNS 43u
#define P_WIDTH 86u
#define P_STEPS 24u
#define Q_WIDTH 52u
#define Q_STEPS COLUMNS
#define CODED (ROWS * P_WIDTH) /* bytes: what Q is over */

const uint8_t vd_sync_pattern[12] = { 0,    0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff, 0xff, 0xff, 0xff, 0 };

static uint32_t edc_table[8][256];
static uint8_t third[256]; /* x / 3, which is x / (a + 1) */

static uint8_t times_a(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? GF_POLYNOMIAL : 0));
}

__attribute__((constructor)) static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? EDC_POLYNOMIAL : 0);
		edc_table[0][i] = c;
		third[times_a((uint8_t)i) ^ i] = (uint8_t)i;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = edc_table[k - 1][i];

			edc_table[k][i] = c >> 8 ^ edc_table[0][c & 0xff];
		}
}

uint32_t vd_edc(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t edc = 0;

	for (; len >= 8; len -= 8, p += 8) {
		uint32_t a = edc ^ vd_get_le32(p), b = vd_get_le32(p + 4);

		edc = edc_table[7][a & 0xff] ^ edc_table[6][a >> 8 & 0xff] ^
		      edc_table[5][a >> 16 & 0xff] ^ edc_table[4][a >> 24] ^
		      edc_table[3][b & 0xff] ^ edc_table[2][b >> 8 & 0xff] ^
		      edc_table[1][b >> 16 & 0xff] ^ edc_table[0][b >> 24];
	}
	while (len--)
		edc = edc >> 8 ^ edc_table[0][(edc ^ *p++) & 0xff];
	return edc;
}

typedef uint8_t vector __attribute__((vector_size(16)));
typedef int8_t signed_vector __attribute__((vector_size(16)));

#define VECTORS(width) (((width) + 15) / 16)

static inline vector times_a_each(vector x)
{
	vector high = (vector)((signed_vector)x < 0);

	return (x + x) ^ (high & GF_POLYNOMIAL);
}

/*
 * Parities of @width codewords, first all p0, then all p1. Byte i of each of them lies side by side, @distance further on
 * than byte i - 1; with byte @wrap the place goes @back. Reads up to 15 bytes behind each run of @width, which are of no account.
 */
static inline __attribute__((always_inline)) void parities(const uint8_t *data, size_t width,
							   size_t steps, size_t distance,
							   size_t wrap, size_t back, uint8_t *out)
{
	vector sum[VECTORS(P_WIDTH)] = { { 0 } }, horner[VECTORS(P_WIDTH)] = { { 0 } };
	uint8_t s0[VECTORS(P_WIDTH) * 16], s1[VECTORS(P_WIDTH) * 16];

	for (size_t i = 0; i < steps; i++, data += distance) {
		if (i == wrap)
			data -= back;
		for (size_t k = 0; k < VECTORS(width); k++) {
			vector d;

			memcpy(&d, data + 16 * k, sizeof(d));
			sum[k] ^= d;
			horner[k] = times_a_each(horner[k] ^ d);
		}
	}
	for (size_t k = 0; k < VECTORS(width); k++) {
		vector both = times_a_each(horner[k]) ^ sum[k];

		memcpy(s0 + 16 * k, &sum[k], 16);
		memcpy(s1 + 16 * k, &both, 16);
	}
	for (size_t i = 0; i < width; i++) {
		out[i] = third[s1[i]];
		out[width + i] = s0[i] ^ out[i];
	}
}

/* Of the 2064 bytes of data from the header on; reads 2236. */
static void ecc_p(const uint8_t *data, uint8_t *out)
{
	parities(data, P_WIDTH, P_STEPS, P_WIDTH, P_STEPS, 0, out);
}

/* Of these and P. */
static void ecc_q(const uint8_t *data, uint8_t *out)
{
	uint16_t turned[COLUMNS][2 * ROWS];

	for (size_t row = 0; row < ROWS; row++)
		for (size_t column = 0; column < COLUMNS; column++) {
			uint16_t word;

			memcpy(&word, data + (row * COLUMNS + column) * 2, sizeof(word));
			turned[column][row] = turned[column][row + ROWS] = word;
		}
	parities((const uint8_t *)turned, Q_WIDTH, Q_STEPS,
		 sizeof(turned[0]) + sizeof(turned[0][0]), ROWS, ROWS * sizeof(turned[0][0]), out);
}

/* The bytes that the codes are over, of the sector as it is. */
static void coded_bytes(const uint8_t *sector, bool form1, uint8_t data[CODED])
{
	memcpy(data, sector + VD_AT_HEADER, CODED);
	if (form1)
		memset(data, 0, 4);
}

void vd_ecc(const uint8_t sector[VD_SECTOR_RAW], bool form1, uint8_t ecc[276])
{
	uint8_t data[CODED];

	coded_bytes(sector, form1, data);
	ecc_p(data, ecc);
	memcpy(data + CODED - VD_ECC_P_SIZE, ecc, VD_ECC_P_SIZE);
	ecc_q(data, ecc + VD_ECC_P_SIZE);
}

struct vd_msf vd_msf_from_lba(int32_t lba)
{
	int64_t frames = (int64_t)lba + 150;

	if (frames < 0)
		frames += 450000;
	/* What no disc has is cut off, never beyond the bytes. */
	if (frames < 0)
		frames = 0;
	return (struct vd_msf){ (uint8_t)(frames / 4500 > 255 ? 255 : frames / 4500),
				(uint8_t)(frames / 75 % 60), (uint8_t)(frames % 75) };
}

int32_t vd_msf_to_lba(struct vd_msf msf)
{
	int32_t frames = (msf.m * 60 + msf.s) * 75 + msf.f;

	return frames - (msf.m >= 90 && msf.m < 100 ? 450150 : 150);
}

/* What each kind is: its mode byte, where its EDC is and over which bytes it goes, whether it has ECC. */
static const struct {
	uint8_t mode;
	bool ecc;
	uint16_t edc_from, edc_at; /* edc_at 0: it has none */
} kinds[] = {
	[VD_KIND_AUDIO] = { 0, false, 0, 0 },
	[VD_KIND_MODE0] = { 0, false, 0, 0 },
	[VD_KIND_MODE1] = { 1, true, 0, VD_AT_EDC_MODE1 },
	[VD_KIND_MODE2] = { 2, false, 0, 0 },
	[VD_KIND_MODE2_FORM1] = { 2, true, VD_AT_SUBHEADER, VD_AT_EDC_FORM1 },
	[VD_KIND_MODE2_FORM2] = { 2, false, VD_AT_SUBHEADER, VD_AT_EDC_FORM2 },
};

static void put_header(uint8_t *header, enum vd_sector_kind kind, int32_t lba)
{
	struct vd_msf msf = vd_msf_from_lba(lba);

	header[0] = vd_to_bcd(msf.m % 100);
	header[1] = vd_to_bcd(msf.s);
	header[2] = vd_to_bcd(msf.f);
	header[3] = kinds[kind].mode;
}

void vd_sector_complete(uint8_t sector[VD_SECTOR_RAW], enum vd_sector_kind kind, int32_t lba,
			bool codes)
{
	uint16_t edc_at = kinds[kind].edc_at;

	if (kind == VD_KIND_AUDIO)
		return;
	memcpy(sector, vd_sync_pattern, sizeof(vd_sync_pattern));
	put_header(sector + VD_AT_HEADER, kind, lba);
	if (!codes || !edc_at)
		return;
	vd_put_le32(sector + edc_at,
		    vd_edc(sector + kinds[kind].edc_from, edc_at - kinds[kind].edc_from));
	if (kind == VD_KIND_MODE1)
		memset(sector + VD_AT_EDC_MODE1 + 4, 0, 8);
	if (kinds[kind].ecc)
		vd_ecc(sector, kind == VD_KIND_MODE2_FORM1, sector + VD_AT_ECC);
}

enum vd_sector_kind vd_subheader_kind(const uint8_t subheader[8], bool forms)
{
	if (!forms && memcmp(subheader, subheader + 4, 4))
		return VD_KIND_MODE2;
	return subheader[2] & VD_SUBMODE_FORM2 ? VD_KIND_MODE2_FORM2 : VD_KIND_MODE2_FORM1;
}

enum vd_sector_kind vd_sector_kind(const uint8_t sector[VD_SECTOR_RAW], enum vd_track_mode mode,
				   bool forms)
{
	unsigned int m = mode == VD_TRACK_MODE1 ? 1 : 2;

	if (mode == VD_TRACK_AUDIO)
		return VD_KIND_AUDIO;
	/* The upper bits of the mode tell the blocks of a packet apart (MMC-6, 4.2.3.8.3). */
	if (!memcmp(sector, vd_sync_pattern, sizeof(vd_sync_pattern)) &&
	    (sector[VD_AT_MODE] & 3) != 3)
		m = sector[VD_AT_MODE] & 3;
	if (m == 0)
		return VD_KIND_MODE0;
	return m == 1 ? VD_KIND_MODE1 : vd_subheader_kind(sector + VD_AT_SUBHEADER, forms);
}

static bool all_zeros(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static unsigned int check_ecc(const uint8_t *sector, bool form1)
{
	uint8_t data[CODED], p[VD_ECC_P_SIZE], q[VD_ECC_Q_SIZE];
	unsigned int bad = 0;

	coded_bytes(sector, form1, data);
	ecc_p(data, p);
	ecc_q(data, q);
	if (memcmp(p, sector + VD_AT_ECC, sizeof(p)) != 0)
		bad |= VD_BAD_P;
	if (memcmp(q, sector + VD_AT_ECC + sizeof(p), sizeof(q)) != 0)
		bad |= VD_BAD_Q;
	return bad;
}

unsigned int vd_sector_check(const uint8_t sector[VD_SECTOR_RAW], enum vd_sector_kind kind,
			     int32_t lba)
{
	const uint8_t *subheader = sector + VD_AT_SUBHEADER;
	uint16_t from = kinds[kind].edc_from, at = kinds[kind].edc_at;
	unsigned int bad = 0;
	uint8_t header[4];

	if (kind == VD_KIND_AUDIO)
		return 0;
	if (memcmp(sector, vd_sync_pattern, sizeof(vd_sync_pattern)) != 0)
		bad |= VD_BAD_SYNC;
	put_header(header, kind, lba);
	if ((lba != VD_LBA_ANY && memcmp(sector + VD_AT_HEADER, header, 3)) ||
	    sector[VD_AT_MODE] != header[3])
		bad |= VD_BAD_HEADER;
	if (from && memcmp(subheader, subheader + 4, 4))
		bad |= VD_BAD_SUBHEADER;
	if ((kind == VD_KIND_MODE0 && !all_zeros(sector + VD_AT_USER_MODE1, 2336)) ||
	    (kind == VD_KIND_MODE1 && !all_zeros(sector + VD_AT_EDC_MODE1 + 4, 8)))
		bad |= VD_BAD_ZEROS;
	if (at) {
		uint32_t stored = vd_get_le32(sector + at);

		if (stored != vd_edc(sector + from, at - from) &&
		    (stored || kind != VD_KIND_MODE2_FORM2))
			bad |= VD_BAD_EDC;
	}
	if (kinds[kind].ecc)
		bad |= check_ecc(sector, kind == VD_KIND_MODE2_FORM1);
	return bad;
}
