// SPDX-License-Identifier: GPL-3.0-or-later
/* disc.iso and disc.bin: which sectors of a disc such a file has, and where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/sector.h"
#include "images/write.h"
#include "util/cleanup.h"

/* Sectors whose headers are read in one request. */
#define SCAN 64u

uint64_t vd_iso_sectors(const struct vd_disc *d)
{
	for (size_t i = d->ntracks; i > 0; i--)
		if (d->tracks[i - 1].mode != VD_TRACK_AUDIO)
			return vd_track_end(&d->tracks[i - 1]) > 0
				       ? (uint64_t)vd_track_end(&d->tracks[i - 1])
				       : 0;
	return 0;
}

const char *vd_unrepresentable_name(enum vd_unrepresentable why)
{
	static const char *const names[] = {
		[VD_UNREP_AUDIO] = "audio", [VD_UNREP_GAP] = "gap",
		[VD_UNREP_FORM2] = "form2", [VD_UNREP_NOFORM] = "noform",
		[VD_UNREP_MODE0] = "mode0", [VD_UNREP_UNREADABLE] = "unreadable",
	};

	return names[why];
}

/* Is every sector of the extent one of 2048 bytes, without a look at it? */
static bool is_all_data(const struct vd_extent *x)
{
	return x->layout == VD_LAYOUT_2048;
}

static bool is_all_form2(const struct vd_extent *x)
{
	return x->layout == VD_LAYOUT_2324 || x->layout == VD_LAYOUT_2328;
}

static bool kind_reason(enum vd_sector_kind kind, enum vd_unrepresentable *why)
{
	switch (kind) {
	case VD_KIND_MODE1:
	case VD_KIND_MODE2_FORM1:
		return false;
	case VD_KIND_MODE2_FORM2:
		*why = VD_UNREP_FORM2;
		return true;
	case VD_KIND_MODE2:
		*why = VD_UNREP_NOFORM;
		return true;
	case VD_KIND_MODE0:
		*why = VD_UNREP_MODE0;
		return true;
	case VD_KIND_AUDIO:
		break;
	}
	*why = VD_UNREP_AUDIO;
	return true;
}

struct range {
	int32_t lba;
	uint32_t n;
	enum vd_unrepresentable why;
};

/* Adds a sector to the range. False: the range has ended before it. */
static bool range_add(struct range *r, int32_t lba, bool is_one, enum vd_unrepresentable why)
{
	if (!is_one || (r->n && r->why != why))
		return !r->n;
	if (!r->n)
		*r = (struct range){ .lba = lba, .why = why };
	r->n++;
	return true;
}

/* Of the image, rather than of what we have to read it with. */
static bool is_damage(int r)
{
	return r && r != -ENOMEM && r != -EINTR;
}

/*
 * Looks at the sectors [*at, end) of one extent. Ends when a range has, or with *budget; *at is where it goes on then.
 * 1: the range has ended.
 */
static int scan_extent(struct vd_disc *d, const struct vd_extent *x, int32_t *at, int64_t end,
		       uint32_t *budget, struct range *r)
{
	/* Sectors of 2332 bytes are stored only where each has one. */
	const bool forms = d->sessions[vd_disc_session_at(d, *at) - 1].type != VD_SESSION_CDROM ||
			   x->layout == VD_LAYOUT_2332;
	_cleanup_free_ uint8_t *buf = malloc((size_t)SCAN * VD_SECTOR_RAW);

	if (!buf)
		return -ENOMEM;
	while (*at < end && *budget) {
		uint32_t n = end - *at < SCAN ? (uint32_t)(end - *at) : SCAN;
		int ret;

		if (n > *budget)
			n = *budget;
		ret = vd_disc_read_sectors(d, *at, n, VD_READ_MAIN, buf);
		if (is_damage(ret) && n > 1) {
			n = 1;
			ret = vd_disc_read_sectors(d, *at, n, VD_READ_MAIN, buf);
		}
		if (ret && !is_damage(ret))
			return ret;
		for (uint32_t i = 0; i < n; i++) {
			enum vd_unrepresentable why = VD_UNREP_UNREADABLE;
			bool is_one = ret || kind_reason(vd_sector_kind(buf + i * VD_SECTOR_RAW,
									x->mode, forms),
							 &why);

			if (!range_add(r, *at, is_one, why))
				return 1;
			++*at;
			--*budget;
		}
	}
	return 0;
}

/* As far as it is all the same: what is there at @lba, up to *end. */
enum piece_kind { PIECE_DATA, PIECE_SCAN, PIECE_REASON };

static enum piece_kind piece_at(const struct vd_disc *d, int32_t lba, const struct vd_extent **x,
				int64_t *end, enum vd_unrepresentable *why)
{
	const struct vd_track *t = vd_disc_track_at(d, lba);
	const struct vd_extent *e;
	size_t next;

	if (!t) {
		*end = INT32_MAX;
		for (size_t i = d->ntracks; i > 0; i--)
			if (d->tracks[i - 1].start - (int64_t)d->tracks[i - 1].pregap > lba)
				*end = d->tracks[i - 1].start - (int64_t)d->tracks[i - 1].pregap;
		*why = VD_UNREP_GAP;
		return PIECE_REASON;
	}
	*end = vd_track_end(t);
	*why = VD_UNREP_AUDIO;
	if (t->mode == VD_TRACK_AUDIO)
		return PIECE_REASON;
	next = vd_disc_extent_from(d, lba);
	e = next < d->nextents ? &d->extents[next] : NULL;
	if (!e || e->lba > lba) {
		/* Not stored: zeros, which are what they are. */
		if (e && e->lba < *end)
			*end = e->lba;
		return PIECE_DATA;
	}
	*end = (int64_t)e->lba + e->length;
	*x = e;
	*why = VD_UNREP_FORM2;
	return is_all_form2(e) ? PIECE_REASON : is_all_data(e) ? PIECE_DATA : PIECE_SCAN;
}

int vd_unrepresentable_next(struct vd_disc *d, int32_t from, uint32_t budget, int32_t *lba,
			    uint32_t *n, enum vd_unrepresentable *why)
{
	const int64_t limit = (int64_t)vd_iso_sectors(d);
	struct range r = { .n = 0 };
	int ret = 0;

	*lba = from;
	while (!ret && *lba < limit) {
		const struct vd_extent *x = NULL;
		enum vd_unrepresentable reason;
		int64_t end;
		enum piece_kind kind = piece_at(d, *lba, &x, &end, &reason);

		if (end > limit)
			end = limit;
		if (kind == PIECE_SCAN) {
			ret = scan_extent(d, x, lba, end, &budget, &r);
			if (!ret && *lba < end)
				break;
			continue;
		}
		if (!range_add(&r, *lba, kind == PIECE_REASON, reason))
			break;
		if (kind == PIECE_REASON)
			r.n += (uint32_t)(end - *lba - 1);
		*lba = (int32_t)end;
	}
	if (ret < 0)
		return ret;
	if (!r.n)
		return *lba < limit ? 2 : 0;
	*lba = r.lba;
	*n = r.n;
	*why = r.why;
	return 1;
}

int vd_bin_init(struct vd_bin *b, struct vd_disc *d, int session, bool big_endian,
		struct vd_error *err)
{
	memset(b, 0, sizeof(*b));
	if (!vd_media_is_cd(vd_disc_media(d)))
		return vd_error_set(err, -EMEDIUMTYPE,
				    "only a CD has sectors of 2352 bytes, and this is none");
	b->disc = d;
	b->big_endian = big_endian;
	b->tracks = calloc(d->ntracks, sizeof(*b->tracks));
	if (!b->tracks)
		return vd_error_errno(err, -ENOMEM, "cannot lay out the disc");
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		struct vd_bin_track *p = &b->tracks[b->ntracks];
		/* What is before 00:02:00 no sheet can place. */
		int64_t start = t->start, pregap = start < t->pregap ? start : t->pregap;

		if (session && t->session != session)
			continue;
		if (pregap < 0)
			pregap = 0;
		*p = (struct vd_bin_track){ .track = t, .lba = t->start, .first = b->sectors };
		if (vd_disc_is_stored(d, t->start - pregap, t->start))
			p->lba = (int32_t)(t->start - pregap);
		else
			p->silent = (uint32_t)pregap;
		p->length = (uint32_t)(vd_track_end(t) - p->lba);
		b->sectors += p->length;
		b->ntracks++;
	}
	return 0;
}

void vd_bin_done(struct vd_bin *b)
{
	free(b->tracks);
	b->tracks = NULL;
	b->ntracks = 0;
}

static const struct vd_bin_track *track_of(const struct vd_bin *b, uint64_t sector)
{
	size_t lo = 0, hi = b->ntracks;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->tracks[mid].first <= sector)
			lo = mid;
		else
			hi = mid;
	}
	return &b->tracks[lo];
}

static int read_sectors(const struct vd_bin *b, const struct vd_bin_track *t, uint32_t at,
			uint32_t n, uint8_t *buf)
{
	int r = vd_disc_read_sectors(b->disc, t->lba + (int32_t)at, n, VD_READ_MAIN, buf);

	if (r || !b->big_endian || t->track->mode != VD_TRACK_AUDIO)
		return r;
	for (size_t i = 0; i < (size_t)n * VD_SECTOR_RAW; i += 2) {
		uint8_t low = buf[i];

		buf[i] = buf[i + 1];
		buf[i + 1] = low;
	}
	return 0;
}

int vd_bin_pread(const struct vd_bin *b, void *out, size_t len, uint64_t off)
{
	uint8_t *buf = out, one[VD_SECTOR_RAW];

	if (off > b->sectors * VD_SECTOR_RAW || len > b->sectors * VD_SECTOR_RAW - off)
		return -EINVAL;
	while (len) {
		uint64_t sector = off / VD_SECTOR_RAW;
		const struct vd_bin_track *t = track_of(b, sector);
		uint32_t at = (uint32_t)(sector - t->first), skip = off % VD_SECTOR_RAW;
		size_t n = len / VD_SECTOR_RAW;
		int r;

		if (skip || !n) {
			n = VD_SECTOR_RAW - skip < len ? VD_SECTOR_RAW - skip : len;
			r = read_sectors(b, t, at, 1, one);
			if (!r)
				memcpy(buf, one + skip, n);
		} else {
			if (n > t->length - at)
				n = t->length - at;
			r = read_sectors(b, t, at, (uint32_t)n, buf);
			n *= VD_SECTOR_RAW;
		}
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}
