// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * As libdvdread reads them (ifo_types.h has the names and places of the fields):
 *
 *     VIDEO_TS.IFO   VMGI_MAT | TT_SRPT | VTS_ATRT
 *     VTS_01_0.IFO   VTSI_MAT | VTS_PTT_SRPT | VTS_PGCIT | VTS_C_ADT | VTS_VOBU_ADMAP
 *     *.BUP          the same again
 *     VTS_01_1.VOB   packs of 2048 bytes
 *
 * each part in a sector of its own.
 */
#include "dvdvideo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECTOR 2048u
#define VMG_SECTORS 3u
#define VTS_SECTORS 5u

static void put_table(uint8_t *p, uint16_t n, uint32_t bytes)
{
	vd_put_be16(p, n);
	vd_put_be32(p + 4, bytes - 1);
}

/* 1 hour at most; at 25 frames a second. */
static void put_time(uint8_t *p, unsigned int seconds)
{
	p[1] = (uint8_t)(seconds / 60 / 10 << 4 | seconds / 60 % 10);
	p[2] = (uint8_t)(seconds % 60 / 10 << 4 | seconds % 10);
	p[3] = 0x40;
}

static void put_both(const char *dir, const char *name, const uint8_t *data, size_t len)
{
	check_write_file(check_printf("%s/VIDEO_TS/%s.IFO", dir, name), data, len);
	check_write_file(check_printf("%s/VIDEO_TS/%s.BUP", dir, name), data, len);
}

static void make_manager(const char *dir)
{
	uint8_t data[VMG_SECTORS * SECTOR] = { 0 };
	uint8_t *titles = data + SECTOR, *attributes = data + (size_t)2 * SECTOR;

	memcpy(data, "DVDVIDEO-VMG", 12);
	vd_put_be32(data + 0x0c, 2 * VMG_SECTORS - 1);
	vd_put_be32(data + 0x1c, VMG_SECTORS - 1);
	data[0x21] = 0x11;
	vd_put_be16(data + 0x26, 1);
	vd_put_be16(data + 0x28, 1);
	data[0x2a] = 1;
	vd_put_be16(data + 0x3e, 1);
	memcpy(data + 0x40, "VDRIVE", 6);
	vd_put_be32(data + 0x80, 0x1ff);
	vd_put_be32(data + 0xc4, 1);
	vd_put_be32(data + 0xd0, 2);
	/* One title: sequential, one angle, one chapter, title 1 of set 1, which begins behind this and its copy. */
	put_table(titles, 1, 8 + 12);
	titles[8] = 0x3c;
	titles[9] = 1;
	vd_put_be16(titles + 10, 1);
	titles[14] = 1;
	titles[15] = 1;
	vd_put_be32(titles + 16, 2 * VMG_SECTORS);
	/* What its set says of itself. */
	put_table(attributes, 1, 8 + 4 + 542);
	vd_put_be32(attributes + 8, 12);
	vd_put_be32(attributes + 12, 541);
	put_both(dir, "VIDEO_TS", data, sizeof(data));
}

static void put_chain(uint8_t *p, uint32_t vob)
{
	uint8_t *cell = p + 0xf0, *position = cell + 24;

	p[2] = 1; /* programs */
	p[3] = 1; /* cells */
	put_time(p + 4, DVDVIDEO_PLAYBACK_S);
	vd_put_be16(p + 0xe6, 0xec);
	vd_put_be16(p + 0xe8, 0xf0);
	vd_put_be16(p + 0xea, 0xf0 + 24);
	p[0xec] = 1; /* program 1 begins with cell 1 */
	put_time(cell + 4, DVDVIDEO_PLAYBACK_S);
	vd_put_be32(cell + 20, vob - 1);
	vd_put_be16(position, 1);
	position[3] = 1;
}

static void make_title(const char *dir, uint32_t vob)
{
	uint8_t data[VTS_SECTORS * SECTOR] = { 0 };
	uint8_t *parts = data + SECTOR, *chains = parts + SECTOR, *cells = chains + SECTOR,
		*units = cells + SECTOR;

	memcpy(data, "DVDVIDEO-VTS", 12);
	vd_put_be32(data + 0x0c, 2 * VTS_SECTORS + vob - 1);
	vd_put_be32(data + 0x1c, VTS_SECTORS - 1);
	data[0x21] = 0x11;
	vd_put_be32(data + 0x80, 0x3d7);
	vd_put_be32(data + 0xc4, VTS_SECTORS);
	vd_put_be32(data + 0xc8, 1);
	vd_put_be32(data + 0xcc, 2);
	vd_put_be32(data + 0xe0, 3);
	vd_put_be32(data + 0xe4, 4);
	/* MPEG-2, PAL, 4:3. */
	data[0x200] = 0x50;
	put_table(parts, 1, 8 + 4 + 4);
	vd_put_be32(parts + 8, 12);
	vd_put_be16(parts + 12, 1);
	vd_put_be16(parts + 14, 1);
	put_table(chains, 1, 16 + 0xf0 + 24 + 4);
	chains[8] = 0x81; /* begins title 1 */
	vd_put_be32(chains + 12, 16);
	put_chain(chains + 16, vob);
	put_table(cells, 1, 8 + 12);
	vd_put_be16(cells + 8, 1);
	cells[10] = 1;
	vd_put_be32(cells + 16, vob - 1);
	vd_put_be32(units, 8 - 1);
	put_both(dir, "VTS_01_0", data, sizeof(data));
}

void dvdvideo_make(const char *dir, uint32_t sectors)
{
	static const uint8_t pack[14] = { 0, 0, 1, 0xba, 0x44, 0, 4, 0, 4, 1, 1, 0x89, 0xc3, 0xf8 };
	_cleanup_free_ uint8_t *vob = malloc((size_t)sectors * SECTOR);
	uint32_t x = 1;

	ASSERT(vob && !mkdir(check_printf("%s/VIDEO_TS", dir), 0755));
	make_manager(dir);
	make_title(dir, sectors);
	for (size_t i = 0; i < (size_t)sectors * SECTOR; i++) {
		x = x * 1664525 + 1013904223;
		vob[i] = i % SECTOR < sizeof(pack) ? pack[i % SECTOR] : (uint8_t)(x >> 24);
	}
	check_write_file(check_printf("%s/VIDEO_TS/VTS_01_1.VOB", dir), vob,
			 (size_t)sectors * SECTOR);
}
