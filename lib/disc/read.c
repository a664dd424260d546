// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sectors as they are: stored parts as they are stored, the others generated.
 *
 * An address belongs to a piece: an extent, or what lies between two of them, all of one track, lead-in or lead-out. In a
 * piece every sector is made in the same way:
 *
 *     stored whole         taken as it is; its header says what kind it is
 *     stored in part       laid into a sector of zeros; what is missing is computed around it
 *     not stored           zeros, or silence; the rest as before
 *
 * Then the parts that were asked for are copied out. EDC and ECC are computed only when they were.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/disc.h"
#include "disc/internal.h"
#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc/toc.h"
#include "util/cleanup.h"

#define BATCH 28u
#define CODES (VD_READ_EDC | VD_READ_ECC)

/* Which ones of 100 sectors have a code in Q: not those at whole seconds, where tracks often begin and end. */
#define MCN_TURN 31
#define ISRC_TURN 81

/* Where the parts of each kind are, in the order of the bits of VD_READ_*. */
struct part {
	uint16_t at, len;
};

static const struct part parts[][6] = {
	[VD_KIND_AUDIO] = { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 2352 }, { 0, 0 }, { 0, 0 } },
	[VD_KIND_MODE0] = { { 0, 12 }, { 12, 4 }, { 0, 0 }, { 16, 2336 }, { 0, 0 }, { 0, 0 } },
	[VD_KIND_MODE1] = { { 0, 12 },
			    { 12, 4 },
			    { 0, 0 },
			    { 16, 2048 },
			    { 2064, 12 },
			    { 2076, 276 } },
	[VD_KIND_MODE2] = { { 0, 12 }, { 12, 4 }, { 0, 0 }, { 16, 2336 }, { 0, 0 }, { 0, 0 } },
	[VD_KIND_MODE2_FORM1] = { { 0, 12 },
				  { 12, 4 },
				  { 16, 8 },
				  { 24, 2048 },
				  { 2072, 4 },
				  { 2076, 276 } },
	[VD_KIND_MODE2_FORM2] = { { 0, 12 },
				  { 12, 4 },
				  { 16, 8 },
				  { 24, 2324 },
				  { 2348, 4 },
				  { 0, 0 } },
};

size_t vd_sector_bytes(enum vd_sector_kind kind, unsigned int what)
{
	size_t len = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(parts[0]); i++)
		if (what & 1u << i)
			len += parts[kind][i].len;
	if (what & VD_READ_C2)
		len += VD_SECTOR_C2;
	if (what & VD_READ_SUB)
		len += VD_SECTOR_SUB;
	return len;
}

/* Sectors that are made in the same way. */
struct piece {
	const struct vd_extent *x; /* NULL: not stored */
	const struct vd_track *t;  /* NULL: lead-in, lead-out */
	enum vd_track_mode mode;
	bool forms; /* every sector of mode 2 has a form */
	int64_t end;
};

/* What holds @lba, and how far that goes at most. */
static int find_piece(const struct vd_disc *d, int64_t lba, struct piece *p)
{
	const struct vd_track *last = d->ntracks ? &d->tracks[d->ntracks - 1] : NULL;
	const struct vd_session *s;
	size_t i;

	if (!last || lba < VD_LEADIN_FIRST ||
	    lba >= vd_track_end(last) + vd_leadout_length(d->nsessions))
		return -ERANGE;
	s = &d->sessions[vd_disc_session_at(d, (int32_t)lba) - 1];
	*p = (struct piece){ .t = vd_disc_track_at(d, (int32_t)lba) };
	p->forms = s->type != VD_SESSION_CDROM;
	if (!p->t) {
		bool leadout = lba >= s->leadout;

		p->mode = d->tracks[s->first_track + (leadout ? s->ntracks - 1 : 0)].mode;
		if (!leadout)
			p->end = s->number == 1 ? VD_LBA_FIRST
						: (int64_t)d->tracks[s->first_track].start -
							  d->tracks[s->first_track].pregap;
		else if (s->number < d->nsessions)
			p->end = vd_session_leadin(d, s->number + 1);
		else
			p->end = s->leadout + (int64_t)vd_leadout_length(s->number);
		return 0;
	}
	p->mode = p->t->mode;
	p->end = vd_track_end(p->t);
	i = vd_disc_extent_from(d, lba);
	if (i == d->nextents)
		return 0;
	if (d->extents[i].lba > lba) {
		if (d->extents[i].lba < p->end)
			p->end = d->extents[i].lba;
		return 0;
	}
	p->x = &d->extents[i];
	p->end = (int64_t)p->x->lba + p->x->length;
	return 0;
}

/* The main parts of @n stored sectors, @x->stride apart; sound that ends inside its last sector goes on as silence. */
static int read_main(const struct vd_extent *x, uint64_t first, size_t n, uint8_t *buf)
{
	uint64_t offset = x->offset + first * x->stride;
	size_t len = (n - 1) * x->stride + vd_layout_main(x->layout);
	uint64_t there = x->store->size - offset;

	if (x->limit && x->limit - first * x->stride < there)
		there = x->limit - first * x->stride;
	if (len > there) {
		memset(buf + there, 0, len - (size_t)there);
		len = (size_t)there;
	}
	return vd_store_pread(x->store, buf, len, offset);
}

static bool is_whole(enum vd_sector_layout layout)
{
	return vd_layout_main(layout) == VD_SECTOR_RAW;
}

/* Lays what is stored of a sector into @sector, zeros otherwise, and says what kind it is. */
static enum vd_sector_kind lay(uint8_t *sector, const struct vd_extent *x, const uint8_t *stored,
			       const struct piece *p)
{
	static const uint8_t form1[8] = { 0, 0, 0x08, 0, 0, 0, 0x08, 0 };
	static const uint8_t form2[8] = { 0, 0, 0x20, 0, 0, 0, 0x20, 0 };
	uint32_t main = vd_layout_main(x->layout);

	switch (x->layout) {
	case VD_LAYOUT_2048:
		if (p->mode == VD_TRACK_MODE1) {
			memcpy(sector + VD_AT_USER_MODE1, stored, main);
			return VD_KIND_MODE1;
		}
		memcpy(sector + VD_AT_SUBHEADER, form1, sizeof(form1));
		memcpy(sector + VD_AT_USER_MODE2, stored, main);
		return VD_KIND_MODE2_FORM1;
	case VD_LAYOUT_2324:
	case VD_LAYOUT_2328:
		memcpy(sector + VD_AT_SUBHEADER, form2, sizeof(form2));
		memcpy(sector + VD_AT_USER_MODE2, stored, main);
		return VD_KIND_MODE2_FORM2;
	default:
		memcpy(sector + VD_AT_SUBHEADER, stored, main);
		return vd_subheader_kind(stored, p->forms || x->layout != VD_LAYOUT_2336);
	}
}

/* Is EDC and ECC in what is stored of a sector? */
static bool has_codes(enum vd_sector_layout layout)
{
	return layout == VD_LAYOUT_2336 || layout == VD_LAYOUT_2328;
}

/* The kind of a sector that is not stored. In mode 2 the subheader is zeros: an empty sector of Form 1. */
static enum vd_sector_kind empty_kind(enum vd_track_mode mode)
{
	return mode == VD_TRACK_AUDIO	? VD_KIND_AUDIO
	       : mode == VD_TRACK_MODE1 ? VD_KIND_MODE1
					: VD_KIND_MODE2_FORM1;
}

/*
 * One sector as a whole: either a pointer into @stored (its main part, or NULL: it is not) or @scratch. @what says
 * whether EDC and ECC matter.
 */
static const uint8_t *make_sector(const struct piece *p, uint8_t *stored, int32_t lba,
				  unsigned int what, uint8_t *scratch, enum vd_sector_kind *kind)
{
	if (stored && is_whole(p->x->layout)) {
		if (p->x->layout == VD_LAYOUT_2352_SWAPPED)
			vd_swap_pairs(stored, VD_SECTOR_RAW);
		*kind = vd_sector_kind(stored, p->mode, p->forms);
		return stored;
	}
	memset(scratch, 0, VD_SECTOR_RAW);
	*kind = stored ? lay(scratch, p->x, stored, p) : empty_kind(p->mode);
	vd_sector_complete(scratch, *kind, lba,
			   what & CODES && !(stored && has_codes(p->x->layout)));
	return scratch;
}

/* Subchannel */

static uint8_t control_of(const struct vd_disc *d, const struct vd_session *s,
			  const struct vd_track *t, bool leadout)
{
	return t ? t->control : d->tracks[s->first_track + (leadout ? s->ntracks - 1 : 0)].control;
}

/* Numbers below 100 are BCD in the lead-in. */
static uint8_t toc_number(uint8_t n)
{
	return n < 100 ? vd_to_bcd(n) : n;
}

/* Each entry of the TOC three times, over and over (ECMA-130, 22.3.4). */
static void leadin_q(const struct vd_disc *d, const struct vd_session *s, int64_t lba,
		     uint8_t q[12])
{
	struct vd_toc_entry entries[VD_TOC_ENTRIES_MAX], *e;
	size_t n = vd_toc_entries(d, s->number, entries);
	struct vd_msf now = vd_msf_from_lba((int32_t)lba);

	e = &entries[(uint64_t)(lba - vd_session_leadin(d, s->number)) / 3 % n];
	q[0] = (uint8_t)(e->adr_control << 4 | e->adr_control >> 4);
	q[1] = 0;
	q[2] = toc_number(e->point);
	/* The running time, but for the entries of mode 5, which have another one there. */
	if (e->adr_control >> 4 == VD_Q_POSITION) {
		e->min = now.m;
		e->sec = now.s;
		e->frame = now.f;
	}
	q[3] = toc_number(e->min);
	q[4] = toc_number(e->sec);
	q[5] = toc_number(e->frame);
	q[6] = e->zero;
	q[7] = toc_number(e->pmin);
	/* The type of the session is no number. */
	q[8] = e->point == 0xa0 ? e->psec : toc_number(e->psec);
	q[9] = toc_number(e->pframe);
	vd_q_seal(q);
}

/*
 * Every hundredth sector has the MCN, and another one the ISRC, instead of its position: once in 100 successive ones
 * (ECMA-130, 22.3.3).
 */
static void generate_q(const struct vd_disc *d, int64_t lba, uint8_t q[12])
{
	const struct vd_session *s = &d->sessions[vd_disc_session_at(d, (int32_t)lba) - 1];
	const struct vd_track *t = vd_disc_track_at(d, (int32_t)lba);
	bool leadout = !t && lba >= s->leadout;
	uint8_t control = control_of(d, s, t, leadout);
	uint32_t absolute = (uint32_t)(lba - VD_LBA_FIRST);
	uint32_t turn = absolute % 100;

	if (!t && !leadout) {
		leadin_q(d, s, lba, q);
		return;
	}
	if (turn == MCN_TURN && d->mcn[0])
		vd_q_mcn(q, control, d->mcn, absolute);
	else if (leadout)
		vd_q_position(q, control, 0xaa, 1, (uint32_t)(lba - s->leadout), absolute);
	else if (turn == ISRC_TURN && t->isrc[0] && lba >= t->start)
		vd_q_isrc(q, control, t->isrc, absolute);
	else
		/* In a pause the time runs down, and its last sector is 0 as the first one behind it is. */
		vd_q_position(q, control, t->number, vd_track_index_at(t, (int32_t)lba),
			      (uint32_t)(lba < t->start ? t->start - 1 - lba : lba - t->start),
			      absolute);
}

/* Is @lba in the pause before @start, of at least two seconds? P is one sector late (IEC 60908, 17.5). */
static bool flags_start(int64_t lba, int64_t start, int64_t pregap)
{
	int64_t length = pregap > 150 ? pregap : 150;

	return lba > start - length && lba <= start;
}

/* P: ones before a track begins, and at 2 Hz in the lead-out from its third second on. */
static bool generate_p(const struct vd_disc *d, int64_t lba)
{
	const struct vd_session *s = &d->sessions[vd_disc_session_at(d, (int32_t)lba) - 1];
	const struct vd_track *t = vd_disc_track_at(d, (int32_t)lba);
	const struct vd_track *last = &d->tracks[s->first_track + s->ntracks - 1];

	if (!t && lba < s->leadout)
		return false;
	if (lba > s->leadout)
		return lba > s->leadout + 150 && (lba - s->leadout - 151) / 19 % 2 == 0;
	if (flags_start(lba, s->leadout, 150))
		return true;
	if (!t)
		return false;
	return flags_start(lba, t->start, t->pregap) ||
	       (t != last && flags_start(lba, t[1].start, t[1].pregap));
}

/* R to W of a lead-in are the packs of CD-TEXT, four a sector, over and over. */
static void leadin_rw(const struct vd_session *s, uint64_t sector, uint8_t *raw)
{
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *pack = s->cdtext + (sector * 4 + i) % s->ncdtext * 18;

		for (size_t k = 0; k < 6; k++, pack += 3, raw += 4) {
			raw[0] |= pack[0] >> 2;
			raw[1] |= (uint8_t)((pack[0] & 0x03) << 4 | pack[1] >> 4);
			raw[2] |= (uint8_t)((pack[1] & 0x0f) << 2 | pack[2] >> 6);
			raw[3] |= pack[2] & 0x3f;
		}
	}
}

static int stored_sub(const struct vd_extent *x, int64_t lba, uint8_t buf[96])
{
	return vd_store_pread(x->sub_store, buf, VD_SECTOR_SUB,
			      x->sub_offset + (uint64_t)(lba - x->lba) * x->sub_stride);
}

/* The packs of the two sectors before it are in a sector too, as far as they are stored in the same extent. */
static int interleaved_rw(const struct vd_extent *x, int64_t lba, uint8_t raw[96])
{
	uint8_t packed[3 * 96] = { 0 };

	for (int i = 0; i < 3; i++) {
		int r = lba - 2 + i < x->lba ? 0 : stored_sub(x, lba - 2 + i, packed + 96 * i);

		if (r)
			return r;
	}
	memset(raw, 0, VD_SECTOR_SUB);
	vd_sub_rw_interleave(packed, raw);
	return 0;
}

static int read_sub(const struct vd_disc *d, const struct piece *p, int64_t lba, uint8_t raw[96])
{
	const struct vd_session *s = &d->sessions[vd_disc_session_at(d, (int32_t)lba) - 1];
	enum vd_sub_form form = p->x ? p->x->sub : VD_SUB_NONE;
	uint8_t q[12];
	int r = 0;

	switch (form) {
	case VD_SUB_RAW:
		return stored_sub(p->x, lba, raw);
	case VD_SUB_PLANAR:
		r = stored_sub(p->x, lba, raw);
		vd_sub_to_raw(raw, raw);
		return r;
	case VD_SUB_RW_RAW:
		r = stored_sub(p->x, lba, raw);
		break;
	case VD_SUB_RW_PACKED:
		r = interleaved_rw(p->x, lba, raw);
		break;
	case VD_SUB_NONE:
		memset(raw, 0, VD_SECTOR_SUB);
		if (!p->t && lba < s->leadout && s->ncdtext)
			leadin_rw(s, (uint64_t)(lba - vd_session_leadin(d, s->number)), raw);
		break;
	}
	if (r)
		return r;
	generate_q(d, lba, q);
	for (size_t i = 0; i < VD_SECTOR_SUB; i++)
		raw[i] &= 0x3f;
	vd_sub_put_q(raw, q);
	if (generate_p(d, lba))
		for (size_t i = 0; i < VD_SECTOR_SUB; i++)
			raw[i] |= 0x80;
	return 0;
}

int vd_disc_read_q(struct vd_disc *d, int32_t lba, uint8_t q[12])
{
	uint8_t raw[VD_SECTOR_SUB];
	struct piece p;
	int r;

	if (!vd_media_is_cd(vd_disc_media(d)))
		return -EOPNOTSUPP;
	r = find_piece(d, lba, &p);
	if (r)
		return r;
	if (!p.x || (p.x->sub != VD_SUB_RAW && p.x->sub != VD_SUB_PLANAR)) {
		generate_q(d, lba, q);
		return 0;
	}
	if (p.x->sub == VD_SUB_PLANAR)
		return vd_store_pread(p.x->sub_store, q, 12,
				      p.x->sub_offset +
					      (uint64_t)(lba - p.x->lba) * p.x->sub_stride + 12);
	r = stored_sub(p.x, lba, raw);
	if (!r)
		vd_sub_get_q(raw, q);
	return r;
}

/* Reading */

static uint8_t *put(uint8_t *buf, const uint8_t *sector, enum vd_sector_kind kind,
		    unsigned int what)
{
	if ((what & VD_READ_MAIN) == VD_READ_MAIN) {
		memcpy(buf, sector, VD_SECTOR_RAW);
		return buf + VD_SECTOR_RAW;
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(parts[0]); i++) {
		const struct part *part = &parts[kind][i];

		if (!(what & 1u << i))
			continue;
		memcpy(buf, sector + part->at, part->len);
		buf += part->len;
	}
	return buf;
}

/* What is stored byte for byte as it is asked for. */
static bool is_direct(const struct piece *p, unsigned int what)
{
	const struct vd_extent *x = p->x;

	if (!x || x->limit)
		return false;
	if (what == VD_READ_USER && x->layout == VD_LAYOUT_2048)
		return x->stride == VD_SECTOR_USER;
	return (what == VD_READ_MAIN || (what == VD_READ_USER && x->mode == VD_TRACK_AUDIO)) &&
	       x->layout == VD_LAYOUT_2352 && x->stride == VD_SECTOR_RAW;
}

/* Reads up to @n sectors of a piece. *size: the bytes of a sector, 0: not known yet. Returns how many, or -errno. */
static int read_some(struct vd_disc *d, const struct piece *p, int32_t lba, uint32_t n,
		     unsigned int what, uint8_t *buf, uint8_t *raw, size_t *size)
{
	const struct vd_extent *x = p->x;
	uint64_t first = x ? (uint64_t)((int64_t)lba - x->lba) : 0;
	uint8_t scratch[VD_SECTOR_RAW];
	int r;

	if (n > p->end - lba)
		n = (uint32_t)(p->end - lba);
	if (is_direct(p, what)) {
		size_t bytes = vd_layout_main(x->layout);

		if (*size && *size != bytes)
			return -EMEDIUMTYPE;
		*size = bytes;
		if (n > INT32_MAX)
			n = INT32_MAX;
		if (first * bytes + (uint64_t)n * bytes <= x->store->size - x->offset) {
			r = vd_store_pread(x->store, buf, n * bytes, x->offset + first * bytes);
			return r ? r : (int)n;
		}
		/* Sound that ends inside its last sector: that one is filled up below. */
	}
	if (n > BATCH)
		n = BATCH;
	if (x && what & VD_READ_MAIN) {
		r = read_main(x, first, n, raw);
		if (r)
			return r;
	}
	for (uint32_t i = 0; i < n; i++) {
		int32_t at = lba + (int32_t)i;
		enum vd_sector_kind kind = empty_kind(p->mode);
		size_t bytes;

		if (what & VD_READ_MAIN) {
			const uint8_t *sector =
				make_sector(p, x ? raw + (size_t)i * x->stride : NULL, at, what,
					    scratch, &kind);

			bytes = vd_sector_bytes(kind, what);
			if (*size && *size != bytes)
				return -EMEDIUMTYPE;
			buf = put(buf, sector, kind, what);
		} else {
			bytes = vd_sector_bytes(kind, what);
		}
		*size = bytes;
		if (what & VD_READ_C2) {
			memset(buf, 0, VD_SECTOR_C2);
			buf += VD_SECTOR_C2;
		}
		if (what & VD_READ_SUB) {
			r = read_sub(d, p, at, buf);
			if (r)
				return r;
			buf += VD_SECTOR_SUB;
		}
	}
	return (int)n;
}

int vd_disc_read_sectors(struct vd_disc *d, int32_t lba, uint32_t n, unsigned int what, void *out)
{
	_cleanup_free_ uint8_t *raw = NULL;
	size_t size = 0, stride = 0;
	uint8_t *buf = out;

	if (!vd_media_is_cd(vd_disc_media(d))) {
		if (what != VD_READ_USER)
			return -EOPNOTSUPP;
		if (lba < 0 || lba + (uint64_t)n > vd_disc_size(d) / VD_SECTOR_USER)
			return -ERANGE;
	}
	while (n) {
		struct piece p;
		int r = find_piece(d, lba, &p);

		if (r)
			return r;
		if (p.x && p.x->stride > stride) {
			free(raw);
			stride = p.x->stride;
			raw = malloc(BATCH * stride);
			if (!raw)
				return -ENOMEM;
		}
		r = read_some(d, &p, lba, n, what, buf, raw, &size);
		if (r < 0)
			return r;
		buf += (size_t)r * size;
		lba += r;
		n -= (uint32_t)r;
	}
	return 0;
}

int vd_disc_sector_kind(struct vd_disc *d, int32_t lba, enum vd_sector_kind *kind)
{
	uint8_t scratch[VD_SECTOR_RAW], head[VD_SECTOR_RAW] = { 0 };
	uint8_t *stored = NULL;
	struct piece p;
	int r = find_piece(d, lba, &p);

	if (r)
		return r;
	if (p.mode == VD_TRACK_AUDIO) {
		*kind = VD_KIND_AUDIO;
		return 0;
	}
	if (p.x) {
		/* No kind depends on what is behind the subheader. */
		r = vd_store_pread(p.x->store, head, VD_AT_USER_MODE2,
				   p.x->offset + (uint64_t)((int64_t)lba - p.x->lba) * p.x->stride);
		if (r)
			return r;
		stored = head;
	}
	make_sector(&p, stored, lba, 0, scratch, kind);
	return 0;
}
