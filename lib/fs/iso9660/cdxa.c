// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Files in Form 2 (CD-ROM XA): the film of a Video CD, the sound and pictures of others. Of such sectors 2324 bytes are data, or they
 * change with Form 1, so that there are no 2048 bytes a sector to be read. Such a file is read as Windows shows it and players
 * expect it: all 2352 bytes of each of its sectors, behind a RIFF header ("Multimedia Programming Interface and Data
 * Specifications 1.0" for the form of it).
 *
 *     0   RIFF, size - 8, CDXA
 *     12  fmt , 16 bytes: group and user (2 each), XA attributes (2), "XA", file number, 7 unused
 *     36  data, size - 44
 *     44  sectors
 *
 * The 14 bytes of a directory record that say so (System Description CD-ROM XA, 5.3): group 2, user 2, attributes 2, all big
 * endian, "XA", file number, 5 unused.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define XA_FORM2 0x1000u
#define XA_INTERLEAVED 0x2000u /* of both forms */
#define HEADER 44u

/* Does the image store more of these sectors than 2048 bytes? An ISO image has lost them. */
static bool is_stored(const struct vd_disc *d, int64_t lba, uint64_t sectors)
{
	const struct vd_track *t = lba <= INT32_MAX ? vd_disc_track_at(d, (int32_t)lba) : NULL;
	const struct vd_extent *x;

	if (!t || t->mode != VD_TRACK_MODE2 || lba + (int64_t)sectors > vd_track_end(t))
		return false;
	x = vd_disc_track_extent(d, t);
	return x && x->layout != VD_LAYOUT_2048;
}

void iso_cdxa_look(const struct iso_fs *iso, const struct iso_record *r, struct iso_entry *e)
{
	uint64_t sectors = ((uint64_t)r->size + ISO_SECTOR - 1) / ISO_SECTOR;
	uint16_t attributes;

	e->cdxa = false;
	if (!S_ISREG(e->attr.mode) || e->z_version || r->su_len < 14 || memcmp(r->su + 6, "XA", 2))
		return;
	attributes = vd_get_be16(r->su + 4);
	if (!(attributes & (XA_FORM2 | XA_INTERLEAVED)) || r->extent % ISO_SECTOR || !sectors ||
	    !is_stored(iso->fs.disc, (int64_t)(r->extent / ISO_SECTOR), sectors))
		return;
	e->cdxa = true;
	memcpy(e->xa, r->su, sizeof(e->xa));
	e->attr.size = HEADER + sectors * VD_SECTOR_RAW;
}

static void make_header(const struct iso_entry *e, uint8_t h[HEADER])
{
	memset(h, 0, HEADER);
	memcpy(h, "RIFF", 4);
	vd_put_le32(h + 4, (uint32_t)(e->attr.size - 8));
	memcpy(h + 8, "CDXAfmt ", 8);
	vd_put_le32(h + 16, 16);
	vd_put_le16(h + 20, vd_get_be16(e->xa));
	vd_put_le16(h + 22, vd_get_be16(e->xa + 2));
	vd_put_le16(h + 24, vd_get_be16(e->xa + 4));
	memcpy(h + 26, e->xa + 6, 3);
	memcpy(h + 36, "data", 4);
	vd_put_le32(h + 40, (uint32_t)(e->attr.size - HEADER));
}

int iso_cdxa_read(struct iso_fs *iso, const struct iso_entry *e, void *out, size_t len,
		  uint64_t off)
{
	const int32_t lba = (int32_t)(e->extent / ISO_SECTOR);
	uint8_t *buf = out, one[VD_SECTOR_RAW];

	if (off < HEADER) {
		uint8_t header[HEADER];
		size_t n = HEADER - off < len ? (size_t)(HEADER - off) : len;

		make_header(e, header);
		memcpy(buf, header + off, n);
		buf += n;
		off += n;
		len -= n;
	}
	for (off -= off < HEADER ? off : HEADER; len;) {
		uint32_t at = (uint32_t)(off / VD_SECTOR_RAW), skip = off % VD_SECTOR_RAW;
		size_t n = len / VD_SECTOR_RAW;
		bool part = skip || !n;
		int r;

		n = part ? 1 : n;
		r = vd_disc_read_sectors(iso->fs.disc, lba + (int32_t)at, (uint32_t)n, VD_READ_MAIN,
					 part ? one : buf);
		if (r)
			return r == -ERANGE ? -EIO : r;
		if (part) {
			n = VD_SECTOR_RAW - skip < len ? VD_SECTOR_RAW - skip : len;
			memcpy(buf, one + skip, n);
		} else {
			n *= VD_SECTOR_RAW;
		}
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}
