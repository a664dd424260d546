// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc/toc.h"

#include <errno.h>
#include <string.h>

#include "disc/internal.h"
#include "disc/sector.h"
#include "disc/subchannel.h"
#include "util/endian.h"

/* The outermost place where a lead-out may begin: 79:59:74. */
#define LAST_LEADOUT ((struct vd_msf){ 79, 59, 74 })

static struct vd_toc_entry make_entry(const struct vd_session *s, uint8_t point, uint8_t adr,
				      uint8_t control)
{
	return (struct vd_toc_entry){
		.session = (uint8_t)s->number,
		.adr_control = (uint8_t)(adr << 4 | control),
		.point = point,
	};
}

static void put_place(struct vd_toc_entry *e, struct vd_msf msf)
{
	e->pmin = msf.m;
	e->psec = msf.s;
	e->pframe = msf.f;
}

size_t vd_toc_entries(const struct vd_disc *d, int session,
		      struct vd_toc_entry out[VD_TOC_ENTRIES_MAX])
{
	const struct vd_session *s = &d->sessions[session - 1];
	const struct vd_track *first = &d->tracks[s->first_track], *last = first + s->ntracks - 1;
	struct vd_toc_entry *e = out;
	struct vd_msf next;

	*e = make_entry(s, 0xa0, VD_Q_POSITION, first->control);
	e->pmin = (uint8_t)first->number;
	e++->psec = (uint8_t)s->type;
	*e = make_entry(s, 0xa1, VD_Q_POSITION, last->control);
	e++->pmin = (uint8_t)last->number;
	*e = make_entry(s, 0xa2, VD_Q_POSITION, last->control);
	put_place(e++, vd_msf_from_lba(s->leadout));
	for (const struct vd_track *t = first; t <= last; t++) {
		*e = make_entry(s, (uint8_t)t->number, VD_Q_POSITION, t->control);
		put_place(e++, vd_msf_from_lba(t->start));
	}
	if (session == d->nsessions)
		return (size_t)(e - out);
	/* Where the program area of the next session may begin, and how many entries of mode 5 there are. */
	*e = make_entry(s, 0xb0, VD_Q_SESSIONS, first->control);
	next = vd_msf_from_lba(d->tracks[s[1].first_track].start - VD_PREGAP_SESSION);
	e->min = next.m;
	e->sec = next.s;
	e->frame = next.f;
	e->zero = session == 1 ? 2 : 1;
	put_place(e++, LAST_LEADOUT);
	if (session == 1) {
		*e = make_entry(s, 0xc0, VD_Q_SESSIONS, first->control);
		/* Where the first lead-in of a disc begins, as recorders of such discs are told: 95:00:00. */
		put_place(e++, (struct vd_msf){ 95, 0, 0 });
	}
	return (size_t)(e - out);
}

/* The answer under way: all of it is counted, what fits is written. */
struct answer {
	uint8_t *buf;
	size_t cap, len;
};

static void add(struct answer *a, const void *bytes, size_t n)
{
	if (a->len < a->cap)
		memcpy(a->buf + a->len, bytes, n < a->cap - a->len ? n : a->cap - a->len);
	a->len += n;
}

static void put_address(uint8_t *p, int32_t lba, bool msf)
{
	struct vd_msf at = vd_msf_from_lba(lba);

	if (!msf) {
		vd_put_be32(p, (uint32_t)lba);
		return;
	}
	p[0] = 0;
	p[1] = at.m;
	p[2] = at.s;
	p[3] = at.f;
}

static void add_track(struct answer *a, uint8_t number, uint8_t control, int32_t lba, bool msf)
{
	uint8_t row[8] = { 0, (uint8_t)(VD_Q_POSITION << 4 | control), number, 0 };

	put_address(row + 4, lba, msf);
	add(a, row, sizeof(row));
}

static int tracks(const struct vd_disc *d, bool msf, uint8_t number, struct answer *a)
{
	const struct vd_track *last = &d->tracks[d->ntracks - 1];
	const uint8_t head[4] = { 0, 0, (uint8_t)d->tracks[0].number, (uint8_t)last->number };

	if (number > last->number && number != 0xaa)
		return -EINVAL;
	add(a, head, sizeof(head));
	for (size_t i = 0; i < d->ntracks && number != 0xaa; i++)
		if (d->tracks[i].number >= number)
			add_track(a, (uint8_t)d->tracks[i].number, d->tracks[i].control,
				  d->tracks[i].start, msf);
	add_track(a, 0xaa, last->control, (int32_t)vd_track_end(last), msf);
	return 0;
}

static int sessions(const struct vd_disc *d, bool msf, uint8_t number, struct answer *a)
{
	const struct vd_track *t = &d->tracks[d->sessions[d->nsessions - 1].first_track];
	const uint8_t head[4] = { 0, 0, 1, (uint8_t)d->nsessions };

	(void)number;
	add(a, head, sizeof(head));
	add_track(a, (uint8_t)t->number, t->control, t->start, msf);
	return 0;
}

/* @msf has no say here: addresses are MSF. */
static int full(const struct vd_disc *d, bool msf, uint8_t number, struct answer *a)
{
	const uint8_t head[4] = { 0, 0, 1, (uint8_t)d->nsessions };

	(void)msf;
	if (number > d->nsessions)
		return -EINVAL;
	add(a, head, sizeof(head));
	for (int s = number ? number : 1; s <= d->nsessions; s++) {
		struct vd_toc_entry entries[VD_TOC_ENTRIES_MAX];

		add(a, entries, vd_toc_entries(d, s, entries) * sizeof(entries[0]));
	}
	return 0;
}

static int cdtext(const struct vd_disc *d, bool msf, uint8_t number, struct answer *a)
{
	static const uint8_t head[4];

	(void)msf;
	(void)number;
	add(a, head, sizeof(head));
	for (int i = 0; i < d->nsessions; i++)
		if (d->sessions[i].ncdtext) {
			add(a, d->sessions[i].cdtext, d->sessions[i].ncdtext * 18);
			break;
		}
	return 0;
}

static const struct {
	int (*make)(const struct vd_disc *d, bool msf, uint8_t number, struct answer *a);
	bool any_medium;
} formats[] = {
	[VD_TOC_TRACKS] = { tracks, true },
	[VD_TOC_SESSIONS] = { sessions, true },
	[VD_TOC_FULL] = { full, false },
	[VD_TOC_CDTEXT] = { cdtext, false },
};

int vd_toc_response(const struct vd_disc *d, enum vd_toc_format format, bool msf, uint8_t number,
		    void *buf, size_t cap, size_t *len)
{
	struct answer a = { .buf = buf, .cap = cap };
	uint8_t length[2];
	int r;

	if ((size_t)format >= sizeof(formats) / sizeof(formats[0]) || !formats[format].make ||
	    !d->ntracks || (!formats[format].any_medium && !vd_media_is_cd(vd_disc_media(d))))
		return -EINVAL;
	r = formats[format].make(d, msf, number, &a);
	if (r)
		return r;
	vd_put_be16(length, (uint16_t)(a.len - 2));
	if (cap)
		memcpy(buf, length, cap < 2 ? cap : 2);
	*len = a.len;
	return 0;
}
