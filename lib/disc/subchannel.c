// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc/subchannel.h"

#include <string.h>

#include "disc/sector.h"
#include "util/endian.h"

static uint16_t crc_table[256];

__attribute__((constructor)) static void make_table(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		unsigned int c = i << 8;

		for (int bit = 0; bit < 8; bit++)
			c = c << 1 ^ (c & 0x8000 ? 0x1021 : 0);
		crc_table[i] = (uint16_t)c;
	}
}

uint16_t vd_crc16(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint16_t crc = 0;

	while (len--)
		crc = (uint16_t)(crc << 8) ^ crc_table[crc >> 8 ^ *p++];
	return crc;
}

void vd_q_seal(uint8_t q[12])
{
	vd_put_be16(q + 10, (uint16_t)~vd_crc16(q, 10));
}

bool vd_q_is_whole(const uint8_t q[12])
{
	return (vd_get_be16(q + 10) ^ vd_crc16(q, 10)) == 0xffff;
}

static void put_time(uint8_t *p, uint32_t frames)
{
	p[0] = vd_to_bcd(frames / 4500 % 100);
	p[1] = vd_to_bcd(frames / 75 % 60);
	p[2] = vd_to_bcd(frames % 75);
}

void vd_q_position(uint8_t q[12], uint8_t control, int track, int index, uint32_t relative,
		   uint32_t absolute)
{
	q[0] = (uint8_t)(control << 4 | VD_Q_POSITION);
	q[1] = track == 0xaa ? 0xaa : vd_to_bcd((unsigned int)track);
	q[2] = vd_to_bcd((unsigned int)index);
	put_time(q + 3, relative);
	q[6] = 0;
	put_time(q + 7, absolute);
	vd_q_seal(q);
}

void vd_q_mcn(uint8_t q[12], uint8_t control, const char *mcn, uint32_t absolute)
{
	memset(q, 0, 12);
	q[0] = (uint8_t)(control << 4 | VD_Q_MCN);
	for (int i = 0; i < VD_MCN_LEN; i++)
		q[1 + i / 2] |= (uint8_t)((mcn[i] - '0') << (i % 2 ? 0 : 4));
	q[9] = vd_to_bcd(absolute % 75);
	vd_q_seal(q);
}

/* The first five characters of an ISRC are 6 bits each: digits are themselves, letters begin at 17 (ECMA-130, table 5). */
static unsigned int isrc_code(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'A' + 17);
}

static char isrc_char(unsigned int code)
{
	if (code <= 9)
		return (char)('0' + code);
	return code >= 17 && code <= 42 ? (char)('A' + code - 17) : '\0';
}

void vd_q_isrc(uint8_t q[12], uint8_t control, const char *isrc, uint32_t absolute)
{
	uint32_t letters = 0;

	memset(q, 0, 12);
	q[0] = (uint8_t)(control << 4 | VD_Q_ISRC);
	for (int i = 0; i < 5; i++)
		letters = letters << 6 | isrc_code(isrc[i]);
	vd_put_be32(q + 1, letters << 2);
	for (int i = 5; i < VD_ISRC_LEN; i++)
		q[5 + (i - 5) / 2] |= (uint8_t)((isrc[i] - '0') << ((i - 5) % 2 ? 0 : 4));
	q[9] = vd_to_bcd(absolute % 75);
	vd_q_seal(q);
}

bool vd_q_get_mcn(const uint8_t q[12], char mcn[VD_MCN_LEN + 1])
{
	if ((q[0] & 0xf) != VD_Q_MCN)
		return false;
	for (int i = 0; i < VD_MCN_LEN; i++)
		mcn[i] = (char)('0' + (i % 2 ? q[1 + i / 2] & 0xf : q[1 + i / 2] >> 4));
	mcn[VD_MCN_LEN] = '\0';
	return vd_mcn_valid(mcn);
}

bool vd_q_get_isrc(const uint8_t q[12], char isrc[VD_ISRC_LEN + 1])
{
	uint32_t letters = vd_get_be32(q + 1) >> 2;

	if ((q[0] & 0xf) != VD_Q_ISRC)
		return false;
	for (int i = 0; i < 5; i++)
		isrc[i] = isrc_char(letters >> (24 - 6 * i) & 0x3f);
	for (int i = 5; i < VD_ISRC_LEN; i++) {
		uint8_t two = q[5 + (i - 5) / 2];

		isrc[i] = (char)('0' + ((i - 5) % 2 ? two & 0xf : two >> 4));
	}
	isrc[VD_ISRC_LEN] = '\0';
	return vd_isrc_valid(isrc);
}

/* Turns a square of 8 x 8 bits, row 0 in the most significant byte: row r, column c becomes row c, column r. */
static uint64_t transpose(uint64_t x)
{
	uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aa;

	x ^= t ^ t << 7;
	t = (x ^ x >> 14) & 0x0000cccc0000cccc;
	x ^= t ^ t << 14;
	t = (x ^ x >> 28) & 0x00000000f0f0f0f0;
	return x ^ t ^ t << 28;
}

void vd_sub_to_raw(const uint8_t from[96], uint8_t to[96])
{
	uint8_t out[96];

	for (int i = 0; i < 12; i++) {
		uint64_t x = 0;

		for (int channel = 0; channel < 8; channel++)
			x = x << 8 | from[12 * channel + i];
		x = transpose(x);
		for (int bit = 0; bit < 8; bit++)
			out[8 * i + bit] = (uint8_t)(x >> (56 - 8 * bit));
	}
	memcpy(to, out, sizeof(out));
}

void vd_sub_to_planar(const uint8_t from[96], uint8_t to[96])
{
	uint8_t out[96];

	for (int i = 0; i < 12; i++) {
		uint64_t x = 0;

		for (int bit = 0; bit < 8; bit++)
			x = x << 8 | from[8 * i + bit];
		x = transpose(x);
		for (int channel = 0; channel < 8; channel++)
			out[12 * channel + i] = (uint8_t)(x >> (56 - 8 * channel));
	}
	memcpy(to, out, sizeof(out));
}

void vd_sub_get_q(const uint8_t raw[96], uint8_t q[12])
{
	for (int i = 0; i < 12; i++) {
		q[i] = 0;
		for (int bit = 0; bit < 8; bit++)
			q[i] = (uint8_t)(q[i] << 1 | (raw[8 * i + bit] >> 6 & 1));
	}
}

void vd_sub_put_q(uint8_t raw[96], const uint8_t q[12])
{
	for (int i = 0; i < 96; i++)
		raw[i] = (uint8_t)((raw[i] & ~0x40) | (q[i / 8] >> (7 - i % 8) & 1) << 6);
}

enum vd_sub_form vd_sub_guess_form(const uint8_t sub[96])
{
	uint8_t q[12];

	if (vd_q_is_whole(sub + 12))
		return VD_SUB_PLANAR;
	vd_sub_get_q(sub, q);
	return vd_q_is_whole(q) ? VD_SUB_RAW : VD_SUB_NONE;
}

/* Place p of a pack on the disc holds symbol swapped[p] of the pack that began p mod 8 packs before. */
static const uint8_t swapped[24] = { 0,	 18, 5,	 23, 4,	 2,  6, 7,  8,	9,  10, 11,
				     12, 13, 14, 15, 16, 17, 1, 19, 20, 21, 22, 3 };

void vd_sub_rw_interleave(const uint8_t packed[3 * 96], uint8_t raw[96])
{
	for (int i = 0; i < 96; i++) {
		int place = i % 24, pack = 8 + i / 24 - place % 8;

		raw[i] = (uint8_t)((raw[i] & 0xc0) | (packed[24 * pack + swapped[place]] & 0x3f));
	}
}

void vd_sub_rw_packs(const uint8_t raw[3 * 96], uint8_t packed[96])
{
	for (int i = 0; i < 96; i++) {
		int place = i % 24, pack = i / 24 + place % 8;

		packed[24 * (i / 24) + swapped[place]] = raw[24 * pack + place] & 0x3f;
	}
}
