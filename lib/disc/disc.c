// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc/disc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

/* Stored sectors read in one request while their user data is picked out. */
#define BATCH 28u

int vd_disc_new(struct vd_disc **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int vd_disc_own_store(struct vd_disc *d, struct vd_store *s)
{
	struct vd_store **p = realloc(d->stores, (d->nstores + 1) * sizeof(*p));

	if (!p) {
		vd_store_close(s);
		return -ENOMEM;
	}
	d->stores = p;
	d->stores[d->nstores++] = s;
	return 0;
}

uint32_t vd_layout_size(enum vd_sector_layout layout)
{
	switch (layout) {
	case VD_LAYOUT_2048:
		return 2048;
	case VD_LAYOUT_2336:
		return 2336;
	case VD_LAYOUT_2352:
		return 2352;
	case VD_LAYOUT_2448:
		return 2448;
	}
	return 0;
}

static int64_t track_end(const struct vd_track *t)
{
	return (int64_t)t->start + t->length;
}

int vd_disc_add_track(struct vd_disc *d, const struct vd_track *t, struct vd_error *err)
{
	uint64_t bytes = (uint64_t)t->length * vd_layout_size(t->layout);
	struct vd_track *p;

	if (!t->length)
		return vd_error_set(err, -EINVAL, "track %d is empty", t->number);
	if (d->ntracks && t->start < track_end(&d->tracks[d->ntracks - 1]))
		return vd_error_set(err, -EINVAL, "track %d overlaps the one before", t->number);
	if (track_end(t) > INT32_MAX)
		return vd_error_set(err, -EINVAL, "track %d ends beyond the last address",
				    t->number);
	if (t->store_offset > t->store->size || bytes > t->store->size - t->store_offset)
		return vd_error_set(err, -EINVAL, "track %d ends beyond its file", t->number);
	p = realloc(d->tracks, (d->ntracks + 1) * sizeof(*p));
	if (!p)
		return vd_error_errno(err, -ENOMEM, "cannot add track %d", t->number);
	d->tracks = p;
	d->tracks[d->ntracks++] = *t;
	if (t->session > d->nsessions)
		d->nsessions = t->session;
	return 0;
}

void vd_disc_close(struct vd_disc *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nstores; i++)
		vd_store_close(d->stores[i]);
	free(d->stores);
	free(d->tracks);
	free(d);
}

uint64_t vd_disc_size(const struct vd_disc *d)
{
	int64_t end = d->ntracks ? track_end(&d->tracks[d->ntracks - 1]) : 0;

	return end > 0 ? (uint64_t)end * VD_SECTOR_USER : 0;
}

/* The track that holds @lba, or else the first one after it; NULL when there is neither. */
static const struct vd_track *find_track(const struct vd_disc *d, int64_t lba)
{
	size_t lo = 0, hi = d->ntracks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (track_end(&d->tracks[mid]) <= lba)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->ntracks ? &d->tracks[lo] : NULL;
}

/* The user data inside one stored sector, or NULL where it has no 2048-byte form. */
static const uint8_t *user_data(const struct vd_track *t, const uint8_t *sector)
{
	const uint8_t *subheader;

	if (t->layout == VD_LAYOUT_2336) {
		subheader = sector;
	} else {
		if (sector[15] == 1)
			return sector + 16;
		if (sector[15] != 2)
			return NULL;
		subheader = sector + 16;
	}
	return subheader[2] & 0x20 ? NULL : subheader + 8;
}

static int read_converted(const struct vd_track *t, uint8_t *buf, size_t len, uint64_t off)
{
	const uint32_t size = vd_layout_size(t->layout);
	_cleanup_free_ uint8_t *raw = malloc((size_t)BATCH * size);

	if (!raw)
		return -ENOMEM;
	while (len) {
		uint64_t first = off / VD_SECTOR_USER;
		size_t skip = off % VD_SECTOR_USER;
		uint64_t want = (skip + len + VD_SECTOR_USER - 1) / VD_SECTOR_USER;
		size_t n = want < BATCH ? (size_t)want : BATCH;
		int r = vd_store_pread(t->store, raw, n * size, t->store_offset + first * size);

		if (r)
			return r;
		for (size_t i = 0; i < n; i++, skip = 0) {
			const uint8_t *user = user_data(t, raw + i * size);
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

int vd_disc_pread(struct vd_disc *d, void *out, size_t len, uint64_t off)
{
	uint8_t *buf = out;
	uint64_t size = vd_disc_size(d);

	if (off > size || len > size - off)
		return -EINVAL;
	while (len) {
		int64_t lba = (int64_t)(off / VD_SECTOR_USER);
		const struct vd_track *t = find_track(d, lba);
		uint64_t start, end, n;
		int r = 0;

		if (!t)
			return -EIO;
		start = t->start > 0 ? (uint64_t)t->start * VD_SECTOR_USER : 0;
		end = (uint64_t)track_end(t) * VD_SECTOR_USER;
		if (off < start) {
			n = start - off < len ? start - off : len;
			memset(buf, 0, (size_t)n);
		} else {
			uint64_t at = off - (uint64_t)((int64_t)t->start * VD_SECTOR_USER);

			n = end - off < len ? end - off : len;
			if (t->layout == VD_LAYOUT_2048)
				r = vd_store_pread(t->store, buf, (size_t)n, t->store_offset + at);
			else
				r = read_converted(t, buf, (size_t)n, at);
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
	uint64_t size = vd_disc_size(d), end;
	const struct vd_track *t;

	if (!len || off > size || len > size - off)
		return -EINVAL;
	t = find_track(d, (int64_t)(off / VD_SECTOR_USER));
	if (!t || (int64_t)(off / VD_SECTOR_USER) < t->start || t->layout != VD_LAYOUT_2048)
		return -EOPNOTSUPP;
	end = (uint64_t)track_end(t) * VD_SECTOR_USER;
	if (len > end - off)
		len = end - off;
	off -= (uint64_t)((int64_t)t->start * VD_SECTOR_USER);
	return vd_store_map(t->store, t->store_offset + off, len, out);
}
