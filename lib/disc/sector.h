/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One sector of 2352 bytes: its sync pattern, header, EDC and ECC (ECMA-130, 14 and annex A; XA: Form 1 and 2). */
#ifndef VD_DISC_SECTOR_H
#define VD_DISC_SECTOR_H

#include "disc/disc.h"

/* Offsets in a sector. */
#define VD_AT_HEADER 12u
#define VD_AT_MODE 15u
#define VD_AT_SUBHEADER 16u /* mode 2: file, channel, submode, coding; twice */
#define VD_AT_USER_MODE1 16u
#define VD_AT_USER_MODE2 24u
#define VD_AT_EDC_MODE1 2064u
#define VD_AT_EDC_FORM1 2072u
#define VD_AT_EDC_FORM2 2348u
#define VD_AT_ECC 2076u
#define VD_ECC_P_SIZE 172u
#define VD_ECC_Q_SIZE 104u

#define VD_SUBMODE_FORM2 0x20

extern const uint8_t vd_sync_pattern[12];

struct vd_msf {
	uint8_t m, s, f;
};

/* LBA 0 is 00:02:00. Addresses before 00:00:00 are counted down from 99:59:74 (MMC-6, table 543). */
struct vd_msf vd_msf_from_lba(int32_t lba);
/*
 * The inverse, for any three bytes: 90:00:00 to 99:59:74 are before 00:00:00, as a drive takes them. A time in a sheet is no such
 * address: (m * 60 + s) * 75 + f sectors are meant there.
 */
int32_t vd_msf_to_lba(struct vd_msf msf);
static inline uint8_t vd_to_bcd(unsigned int n)
{
	return (uint8_t)(n / 10 << 4 | n % 10);
}
static inline unsigned int vd_from_bcd(uint8_t b)
{
	return (b >> 4) * 10u + (b & 0xf);
}

/* The error detection code of @len bytes (ECMA-130, 14.3); stored least significant byte first. */
uint32_t vd_edc(const void *data, size_t len);
/* The error correction code, P then Q, of bytes 12 to 2075 of @sector (annex A). In Form 1 the header counts as zeros. */
void vd_ecc(const uint8_t sector[VD_SECTOR_RAW], bool form1, uint8_t ecc[276]);

/*
 * Writes around user data, and a subheader where the kind has one, what a sector of that kind has beside them:
 * sync pattern, header, EDC, zeros and ECC. @codes false leaves EDC and ECC as they are. Nothing for audio.
 */
void vd_sector_complete(uint8_t sector[VD_SECTOR_RAW], enum vd_sector_kind kind, int32_t lba,
			bool codes);

/*
 * What a stored sector is, in a track of that mode. Its header is believed when its sync pattern is whole, otherwise the
 * track. @forms: mode 2 always has a form, as in XA; otherwise only where both copies of the subheader agree.
 */
enum vd_sector_kind vd_sector_kind(const uint8_t sector[VD_SECTOR_RAW], enum vd_track_mode mode,
				   bool forms);

/* The same of a sector of mode 2, by its subheader. */
enum vd_sector_kind vd_subheader_kind(const uint8_t subheader[8], bool forms);

#define VD_BAD_SYNC 0x01
#define VD_BAD_HEADER 0x02    /* the address is another one, or no such mode */
#define VD_BAD_SUBHEADER 0x04 /* its copies differ */
#define VD_BAD_ZEROS 0x08     /* mode 1: the 8 bytes behind the EDC; mode 0: any */
#define VD_BAD_EDC 0x10
#define VD_BAD_P 0x20
#define VD_BAD_Q 0x40

#define VD_LBA_ANY INT32_MIN /* the address is not checked */

/* What is wrong with a data sector of that kind: VD_BAD_*, 0: nothing. An EDC of 0 in Form 2 means that it has none. */
unsigned int vd_sector_check(const uint8_t sector[VD_SECTOR_RAW], enum vd_sector_kind kind,
			     int32_t lba);

#endif
