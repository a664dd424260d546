/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The subchannel of one sector: 96 bits each of P, Q, R, ... W (ECMA-130, 22; IEC 60908, 17). P says where tracks begin,
 * Q where one is, R to W are for graphics and CD-TEXT.
 */
#ifndef VD_DISC_SUBCHANNEL_H
#define VD_DISC_SUBCHANNEL_H

#include "disc/disc.h"

/* Q is 12 bytes: control and ADR, 9 of data, CRC. What the data is, by ADR: */
#define VD_Q_POSITION 1 /* or, in the lead-in, an entry of the TOC */
#define VD_Q_MCN 2
#define VD_Q_ISRC 3
#define VD_Q_SESSIONS 5 /* in the lead-in */

/* CRC of 16 bits, x^16 + x^12 + x^5 + 1, over @len bytes; on a disc it is complemented, most significant byte first. */
uint16_t vd_crc16(const void *data, size_t len);
/* Puts the CRC of q[0..9] into q[10..11]. */
void vd_q_seal(uint8_t q[12]);
bool vd_q_is_whole(const uint8_t q[12]);

/* Fill q, its CRC too. @track 1..99, or 0xaa for the lead-out; @relative and @absolute in sectors from 00:00:00 on. */
void vd_q_position(uint8_t q[12], uint8_t control, int track, int index, uint32_t relative,
		   uint32_t absolute);
/* @mcn and @isrc are valid; the absolute time's frame goes with them. */
void vd_q_mcn(uint8_t q[12], uint8_t control, const char *mcn, uint32_t absolute);
void vd_q_isrc(uint8_t q[12], uint8_t control, const char *isrc, uint32_t absolute);
/* False when q is no such one, or what it holds is not valid; its CRC is not looked at. */
bool vd_q_get_mcn(const uint8_t q[12], char mcn[VD_MCN_LEN + 1]);
bool vd_q_get_isrc(const uint8_t q[12], char isrc[VD_ISRC_LEN + 1]);

/* Between VD_SUB_PLANAR and VD_SUB_RAW; @from and @to may be the same. */
void vd_sub_to_raw(const uint8_t from[96], uint8_t to[96]);
void vd_sub_to_planar(const uint8_t from[96], uint8_t to[96]);
/*
 * In which of these two forms 96 stored bytes are, by the CRC of Q; VD_SUB_NONE when by that they are neither, as those of a
 * damaged sector, or none at all.
 */
enum vd_sub_form vd_sub_guess_form(const uint8_t sub[96]);
/* Q alone out of, and into, VD_SUB_RAW. */
void vd_sub_get_q(const uint8_t raw[96], uint8_t q[12]);
void vd_sub_put_q(uint8_t raw[96], const uint8_t q[12]);

/*
 * Interleaving of the packs of R to W (IEC 60908, annex on channels R to W): each symbol of a pack is delayed by up to seven
 * packs. @packed: 96 symbols a sector in the low 6 bits.
 */
/* What a drive reads in sector n, of the packs of the sectors n - 2, n - 1 and n: sets bits 5 to 0 of @raw. */
void vd_sub_rw_interleave(const uint8_t packed[3 * 96], uint8_t raw[96]);
/* The packs of sector n, of what a drive reads in the sectors n, n + 1 and n + 2. Errors are not corrected. */
void vd_sub_rw_packs(const uint8_t raw[3 * 96], uint8_t packed[96]);

#endif
