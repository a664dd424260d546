// SPDX-License-Identifier: GPL-3.0-or-later
/* The user data view: 2048 bytes of each sector, for file systems. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "disc/disc.h"
#include "disc/internal.h"
#include "disc/sector.h"
#include "util/cleanup.h"

/*
 * Stored sectors read in one request while their user data is picked out: few enough to be in a cache still when they are.
 * Reading them where they belong by many small pieces (preadv) was measured slower.
 */
#define BATCH 28u
#define FEW 2u /* for so many no memory is allocated */

uint64_t vd_disc_size(const struct vd_disc *d)
{
	int64_t end = d->ntracks ? vd_track_end(&d->tracks[d->ntracks - 1]) : 0;

	return end > 0 ? (uint64_t)end * VD_SECTOR_USER : 0;
}

/* The user data inside one stored sector, or NULL where it has no 2048-byte form. @forms as for vd_sector_kind(). */
static const uint8_t *user_data(const struct vd_extent *x, bool forms, const uint8_t *sector)
{
	if (x->layout == VD_LAYOUT_2048)
		return sector;
	if (x->layout == VD_LAYOUT_2336 || x->layout == VD_LAYOUT_2332)
		return vd_subheader_kind(sector, forms || x->layout != VD_LAYOUT_2336) ==
				       VD_KIND_MODE2_FORM1
			       ? sector + 8
			       : NULL;
	switch (vd_sector_kind(sector, x->mode, forms)) {
	case VD_KIND_MODE1:
		return sector + VD_AT_USER_MODE1;
	case VD_KIND_MODE2_FORM1:
		return sector + VD_AT_USER_MODE2;
	default:
		return NULL;
	}
}

/* @off: bytes of user data from the extent's first sector on. */
static int read_converted(const struct vd_extent *x, bool forms, uint8_t *buf, size_t len,
			  uint64_t off)
{
	uint8_t few[FEW * (VD_SECTOR_RAW + VD_SECTOR_SUB)];
	_cleanup_free_ uint8_t *many = NULL;
	uint8_t *raw = few;

	if (off % VD_SECTOR_USER + len > FEW * VD_SECTOR_USER || x->stride > sizeof(few) / FEW) {
		many = malloc((size_t)BATCH * x->stride);
		if (!many)
			return -ENOMEM;
		raw = many;
	}
	while (len) {
		uint64_t first = off / VD_SECTOR_USER;
		size_t skip = off % VD_SECTOR_USER;
		uint64_t want = (skip + len + VD_SECTOR_USER - 1) / VD_SECTOR_USER;
		size_t n = want < BATCH ? (size_t)want : BATCH;
		int r = vd_store_pread(x->store, raw,
				       (n - 1) * x->stride + vd_layout_main(x->layout),
				       x->offset + first * x->stride);

		if (r)
			return r;
		if (x->layout == VD_LAYOUT_2352_SWAPPED)
			vd_swap_pairs(raw, n * x->stride & ~(size_t)1);
		for (size_t i = 0; i < n; i++, skip = 0) {
			const uint8_t *user = user_data(x, forms, raw + i * x->stride);
			size_t part = VD_SECTOR_USER - skip;

			if (part > len)
				part = len;
			if (user)
				memcpy(buf, user + skip, part);
			else
				memset(buf, 0, part);
			buf += part;
			off += part;
			len -= part;
		}
	}
	return 0;
}

/* Stored byte for byte as the view has it. */
static bool is_plain(const struct vd_extent *x)
{
	return x->layout == VD_LAYOUT_2048 && x->stride == VD_SECTOR_USER;
}

static int read_extent(const struct vd_disc *d, const struct vd_extent *x, uint8_t *buf, size_t len,
		       uint64_t off)
{
	bool forms;

	if (is_plain(x))
		return vd_store_pread(x->store, buf, len, x->offset + off);
	if (x->mode == VD_TRACK_AUDIO || x->layout == VD_LAYOUT_2324 ||
	    x->layout == VD_LAYOUT_2328) {
		memset(buf, 0, len);
		return 0;
	}
	forms = d->sessions[vd_disc_session_at(d, x->lba) - 1].type != VD_SESSION_CDROM;
	return read_converted(x, forms, buf, len, off);
}

int vd_disc_pread(struct vd_disc *d, void *out, size_t len, uint64_t off)
{
	uint8_t *buf = out;
	uint64_t size = vd_disc_size(d);
	size_t i;

	if (off > size || len > size - off)
		return -EINVAL;
	for (i = vd_disc_extent_from(d, (int64_t)(off / VD_SECTOR_USER)); len;) {
		const struct vd_extent *x = i < d->nextents ? &d->extents[i] : NULL;
		uint64_t start = size, n;
		int r = 0;

		if (x)
			start = x->lba > 0 ? (uint64_t)x->lba * VD_SECTOR_USER : 0;
		if (off < start) {
			n = start - off < len ? start - off : len;
			memset(buf, 0, (size_t)n);
		} else {
			uint64_t at = off - (uint64_t)((int64_t)x->lba * VD_SECTOR_USER);

			n = (uint64_t)x->length * VD_SECTOR_USER - at;
			if (n > len)
				n = len;
			r = read_extent(d, x, buf, (size_t)n, at);
			i++;
		}
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

int vd_disc_map(struct vd_disc *d, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	uint64_t size = vd_disc_size(d), left;
	int64_t lba = (int64_t)(off / VD_SECTOR_USER);
	const struct vd_extent *x;
	size_t i;

	if (!len || off > size || len > size - off)
		return -EINVAL;
	i = vd_disc_extent_from(d, lba);
	x = i < d->nextents ? &d->extents[i] : NULL;
	if (!x || lba < x->lba || !is_plain(x))
		return -EOPNOTSUPP;
	off -= (uint64_t)((int64_t)x->lba * VD_SECTOR_USER);
	left = (uint64_t)x->length * VD_SECTOR_USER - off;
	return vd_store_map(x->store, x->offset + off, len < left ? len : left, out);
}

#define UNFLUSHED_MAX (16u << 20)

int vd_disc_pwrite(struct vd_disc *d, const void *buf, size_t len, uint64_t off)
{
	struct vd_store *store;
	int r;

	if (!d->recordable || d->nextents != 1)
		return -EROFS;
	if (!len || off > vd_disc_size(d) || len > vd_disc_size(d) - off)
		return -EINVAL;
	store = d->extents[0].store;
	r = vd_store_pwrite(store, buf, len, d->extents[0].offset + off);
	if (!r && atomic_fetch_add(&d->unflushed, len) + len >= UNFLUSHED_MAX)
		r = vd_disc_flush(d);
	return r;
}

int vd_disc_flush(struct vd_disc *d)
{
	if (!d->recordable)
		return 0;
	atomic_store(&d->unflushed, 0);
	return vd_store_flush(d->extents[0].store);
}
