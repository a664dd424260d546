// SPDX-License-Identifier: GPL-3.0-or-later
/* Builds discs, and finds what is where on them. */
#include "disc/disc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/internal.h"
#include "util/cleanup.h"

#define STRUCTURE_MAX 2048u
#define STRUCTURES_MAX 1024u
#define CDTEXT_PACKS_MAX (8u * 256u)
#define STRIDE_MAX 65536u

/* What each layout is; `mask` has the modes whose sectors may be stored so. */
#define IN_MODE(m) (1u << (m))

static const struct {
	uint16_t size;
	uint16_t main; /* bytes of it that belong to the main channel */
	uint8_t modes;
} layouts[] = {
	[VD_LAYOUT_2048] = { 2048, 2048, IN_MODE(VD_TRACK_MODE1) | IN_MODE(VD_TRACK_MODE2) },
	[VD_LAYOUT_2324] = { 2324, 2324, IN_MODE(VD_TRACK_MODE2) },
	[VD_LAYOUT_2328] = { 2328, 2328, IN_MODE(VD_TRACK_MODE2) },
	[VD_LAYOUT_2332] = { 2332, 2332, IN_MODE(VD_TRACK_MODE2) },
	[VD_LAYOUT_2336] = { 2336, 2336, IN_MODE(VD_TRACK_MODE2) },
	[VD_LAYOUT_2352] = { 2352, 2352,
			     IN_MODE(VD_TRACK_MODE1) | IN_MODE(VD_TRACK_MODE2) |
				     IN_MODE(VD_TRACK_AUDIO) },
	[VD_LAYOUT_2352_SWAPPED] = { 2352, 2352,
				     IN_MODE(VD_TRACK_MODE1) | IN_MODE(VD_TRACK_MODE2) |
					     IN_MODE(VD_TRACK_AUDIO) },
	[VD_LAYOUT_2448] = { 2448, 2352,
			     IN_MODE(VD_TRACK_MODE1) | IN_MODE(VD_TRACK_MODE2) |
				     IN_MODE(VD_TRACK_AUDIO) },
};

static bool known_layout(enum vd_sector_layout layout)
{
	return (unsigned int)layout < VD_ARRAY_SIZE(layouts);
}

uint32_t vd_layout_size(enum vd_sector_layout layout)
{
	return known_layout(layout) ? layouts[layout].size : 0;
}

uint32_t vd_layout_main(enum vd_sector_layout layout)
{
	return layouts[layout].main;
}

/* Makes room for one more in an array of @n. Returns it zeroed, or NULL; the array is as it was then. */
static void *grow(void *array, size_t n, size_t size)
{
	void **p = array;
	char *bigger = *p;

	/* Its capacity is the power of two that holds n. */
	if (!(n & (n - 1))) {
		bigger = reallocarray(*p, n ? n * 2 : 1, size);
		if (!bigger)
			return NULL;
		*p = bigger;
	}
	return memset(bigger + n * size, 0, size);
}

int vd_disc_new(struct vd_disc **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int vd_disc_own_store(struct vd_disc *d, struct vd_store *s)
{
	struct vd_store **p = grow(&d->stores, d->nstores, sizeof(*d->stores));

	if (!p) {
		vd_store_close(s);
		return -ENOMEM;
	}
	*p = s;
	d->nstores++;
	return 0;
}

int vd_disc_new_owning(struct vd_store *s, struct vd_disc **out)
{
	_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
	int r = vd_disc_new(&d);

	if (r)
		vd_store_close(s);
	else
		r = vd_disc_own_store(d, s);
	*out = r ? NULL : VD_TAKE_PTR(d);
	return r;
}

void vd_disc_close(struct vd_disc *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nstores; i++)
		vd_store_close(d->stores[i]);
	for (size_t i = 0; i < d->ntracks; i++)
		free(d->tracks[i].indices);
	for (int i = 0; i < d->nsessions; i++)
		free(d->sessions[i].cdtext);
	for (size_t i = 0; i < d->nstructures; i++)
		free(d->structures[i].data);
	free(d->structures);
	free(d->stores);
	free(d->extents);
	free(d->sessions);
	free(d->tracks);
	free(d);
}

bool vd_isrc_valid(const char *isrc)
{
	for (int i = 0; i < VD_ISRC_LEN; i++) {
		bool digit = isrc[i] >= '0' && isrc[i] <= '9';

		if (!digit && (i >= 5 || isrc[i] < 'A' || isrc[i] > 'Z'))
			return false;
	}
	return !isrc[VD_ISRC_LEN];
}

bool vd_mcn_valid(const char *mcn)
{
	return strspn(mcn, "0123456789") == VD_MCN_LEN && !mcn[VD_MCN_LEN];
}

/* What a track by itself must be. */
static int check_track(const struct vd_track *t, struct vd_error *err)
{
	if (t->number < 1 || t->number > VD_TRACKS_MAX)
		return vd_error_set(err, -EINVAL, "track %d: numbers are 1 to 99", t->number);
	if ((unsigned int)t->mode > VD_TRACK_AUDIO)
		return vd_error_set(err, -EINVAL, "track %d has no mode", t->number);
	if (!t->length)
		return vd_error_set(err, -EINVAL, "track %d is empty", t->number);
	if (vd_track_end(t) > INT32_MAX)
		return vd_error_set(err, -EINVAL, "track %d ends beyond the last address",
				    t->number);
	if (memchr(t->isrc, 0, sizeof(t->isrc)) != t->isrc && !vd_isrc_valid(t->isrc))
		return vd_error_set(err, -EINVAL,
				    "track %d: an ISRC is 12 characters, such as USRC17607839",
				    t->number);
	return 0;
}

int vd_disc_add_track(struct vd_disc *d, const struct vd_track *given, struct vd_error *err)
{
	const struct vd_track *last = d->ntracks ? &d->tracks[d->ntracks - 1] : NULL;
	struct vd_session *s;
	struct vd_track t = *given, *p;
	int64_t first = (int64_t)t.start - t.pregap;
	int64_t end = last ? vd_track_end(last) : VD_LBA_FIRST;
	bool new_session = t.session == d->nsessions + 1;
	int r = check_track(&t, err);

	if (r)
		return r;
	if (last && t.number <= last->number)
		return vd_error_set(err, -EINVAL, "track %d comes after track %d", t.number,
				    last->number);
	if (!new_session && (!last || t.session != d->nsessions))
		return vd_error_set(err, -EINVAL, "track %d: session %d comes after session %d",
				    t.number, t.session, d->nsessions);
	if (first < end)
		return vd_error_set(err, -EINVAL,
				    last ? "track %d overlaps the one before"
					 : "track %d begins before 00:00:00",
				    t.number);
	if (last && new_session) {
		int64_t least = (int64_t)t.start - VD_PREGAP_SESSION;

		if (first > least)
			first = least > end ? least : end;
	} else if (last) {
		first = end;
	} else if (first > 0) {
		first = 0;
	}
	t.pregap = (uint32_t)(t.start - first);
	t.control &= 0xf;
	if (t.mode == VD_TRACK_AUDIO)
		t.control &= (uint8_t)~VD_CONTROL_DATA;
	else
		t.control |= VD_CONTROL_DATA;
	t.indices = NULL;
	t.nindices = 0;

	p = grow(&d->tracks, d->ntracks, sizeof(*p));
	s = p && new_session ? grow(&d->sessions, (size_t)d->nsessions, sizeof(*s)) : NULL;
	if (!p || (new_session && !s))
		return vd_error_errno(err, -ENOMEM, "cannot add track %d", t.number);
	if (new_session) {
		*s = (struct vd_session){ .number = t.session, .first_track = d->ntracks };
		d->nsessions++;
	} else {
		s = &d->sessions[d->nsessions - 1];
	}
	*p = t;
	d->ntracks++;
	s->ntracks++;
	s->leadout = (int32_t)vd_track_end(&t);
	if (t.mode == VD_TRACK_MODE2 && s->type == VD_SESSION_CDROM)
		s->type = VD_SESSION_XA;
	return 0;
}

int vd_disc_add_index(struct vd_disc *d, int32_t lba, struct vd_error *err)
{
	struct vd_track *t = d->ntracks ? &d->tracks[d->ntracks - 1] : NULL;
	int32_t before, *p;

	if (!t)
		return vd_error_set(err, -EINVAL, "an index without a track");
	before = t->nindices ? t->indices[t->nindices - 1] : t->start;
	if (t->nindices == 98)
		return vd_error_set(err, -EINVAL, "track %d: indices are 0 to 99", t->number);
	if (lba <= before)
		return vd_error_set(err, -EINVAL, "track %d: INDEX %02zu is not beyond INDEX %02zu",
				    t->number, t->nindices + 2, t->nindices + 1);
	if (lba >= vd_track_end(t))
		return vd_error_set(err, -EINVAL, "track %d: INDEX %02zu is beyond its end",
				    t->number, t->nindices + 2);
	p = grow(&t->indices, t->nindices, sizeof(*p));
	if (!p)
		return vd_error_errno(err, -ENOMEM, "track %d: cannot add an index", t->number);
	*p = lba;
	t->nindices++;
	return 0;
}

static bool owns(const struct vd_disc *d, const struct vd_store *s)
{
	for (size_t i = d->nstores; i > 0; i--)
		if (d->stores[i - 1] == s)
			return true;
	return false;
}

/* Do @n items of @size bytes, @stride apart, lie in the @len bytes behind @offset? @short_by: bytes that may be missing. */
static bool is_within(uint64_t store_size, uint64_t offset, uint64_t limit, uint32_t n,
		      uint32_t stride, uint32_t size, uint32_t short_by)
{
	uint64_t need = (uint64_t)(n - 1) * stride + size;

	if (offset > store_size)
		return false;
	if (!limit || limit > store_size - offset)
		limit = store_size - offset;
	return need <= limit || need - limit <= short_by;
}

/* Does @x go on where @last ends, in every way? */
static bool continues(const struct vd_extent *last, const struct vd_extent *x)
{
	const uint64_t n = last->length;

	return !last->limit && !x->limit && last->lba + (int64_t)n == x->lba &&
	       last->layout == x->layout && last->store == x->store && last->stride == x->stride &&
	       last->offset + n * last->stride == x->offset && last->sub == x->sub &&
	       last->sub_store == x->sub_store && last->sub_stride == x->sub_stride &&
	       (!x->sub_store || last->sub_offset + n * last->sub_stride == x->sub_offset);
}

/* Fills in what may be left out, and checks the rest but for the disc around it. */
static int complete_extent(struct vd_extent *x, const struct vd_track *t, const struct vd_disc *d,
			   struct vd_error *err)
{
	uint32_t size, main;

	if (!known_layout(x->layout) || !(layouts[x->layout].modes & IN_MODE(t->mode)))
		return vd_error_set(err, -EINVAL,
				    "track %d: no such sectors in a track of its mode", t->number);
	size = layouts[x->layout].size;
	main = layouts[x->layout].main;
	if (!x->stride)
		x->stride = size;
	if (x->layout == VD_LAYOUT_2448 && x->sub == VD_SUB_NONE)
		x->sub = VD_SUB_RAW;
	if ((unsigned int)x->sub > VD_SUB_RW_PACKED)
		return vd_error_set(err, -EINVAL, "track %d: no such subchannel", t->number);
	if (x->sub == VD_SUB_NONE) {
		x->sub_store = NULL;
		x->sub_offset = x->sub_stride = 0;
	} else if (!x->sub_store) {
		x->sub_store = x->store;
		x->sub_offset = x->offset + main;
		x->sub_stride = x->stride;
		size = main + VD_SECTOR_SUB;
	} else if (!x->sub_stride) {
		x->sub_stride = VD_SECTOR_SUB;
	}
	if (x->stride < size || x->stride > STRIDE_MAX ||
	    (x->sub && (x->sub_stride < VD_SECTOR_SUB || x->sub_stride > STRIDE_MAX)))
		return vd_error_set(err, -EINVAL, "track %d: %u bytes a sector cannot be",
				    t->number, x->stride);
	if (!owns(d, x->store) || (x->sub_store && !owns(d, x->sub_store)))
		return vd_error_set(err, -EINVAL, "track %d: its file is not the disc's",
				    t->number);
	if (!is_within(x->store->size, x->offset, x->limit, x->length, x->stride, main,
		       t->mode == VD_TRACK_AUDIO ? main - 1 : 0))
		return vd_error_set(err, -EINVAL, "track %d ends beyond its file", t->number);
	if (x->sub && !is_within(x->sub_store->size, x->sub_offset, 0, x->length, x->sub_stride,
				 VD_SECTOR_SUB, 0))
		return vd_error_set(err, -EINVAL, "track %d: its subchannel ends beyond its file",
				    t->number);
	x->mode = t->mode;
	return 0;
}

int vd_disc_add_extent(struct vd_disc *d, const struct vd_extent *given, struct vd_error *err)
{
	struct vd_extent *last = d->nextents ? &d->extents[d->nextents - 1] : NULL;
	const struct vd_track *t = vd_disc_track_at(d, given->lba);
	struct vd_extent x = *given, *p;
	int r;

	if (!t)
		return vd_error_set(err, -EINVAL, "stored sectors at %d that are in no track",
				    x.lba);
	if (!x.length || (int64_t)x.lba + x.length > vd_track_end(t))
		return vd_error_set(err, -EINVAL, "track %d has other sectors than are stored",
				    t->number);
	if (last && x.lba < (int64_t)last->lba + last->length)
		return vd_error_set(err, -EINVAL, "track %d: its sectors at %d are stored twice",
				    t->number, x.lba);
	r = complete_extent(&x, t, d, err);
	if (r)
		return r;
	if (last && last->lba >= t->start - (int64_t)t->pregap && continues(last, &x)) {
		last->length += x.length;
		return 0;
	}
	if (d->nextents == VD_EXTENTS_MAX)
		return vd_error_set(err, -EINVAL, "track %d: stored in too many pieces", t->number);
	p = grow(&d->extents, d->nextents, sizeof(*p));
	if (!p)
		return vd_error_errno(err, -ENOMEM, "track %d: cannot add its sectors", t->number);
	*p = x;
	d->nextents++;
	return 0;
}

/* Takes back a track without indices and extents, the last one. */
static void drop_track(struct vd_disc *d)
{
	struct vd_session *s = &d->sessions[d->nsessions - 1];

	d->ntracks--;
	if (!--s->ntracks)
		d->nsessions--;
	else
		s->leadout = (int32_t)vd_track_end(&d->tracks[d->ntracks - 1]);
}

int vd_disc_add_stored_track(struct vd_disc *d, const struct vd_track *t,
			     enum vd_sector_layout layout, struct vd_store *store, uint64_t offset,
			     struct vd_error *err)
{
	enum vd_session_type type =
		d->nsessions ? d->sessions[d->nsessions - 1].type : VD_SESSION_CDROM;
	struct vd_extent x = {
		.length = t->length + t->pregap,
		.layout = layout,
		.store = store,
		.offset = offset,
	};
	int r = vd_disc_add_track(d, t, err);

	if (r)
		return r;
	x.lba = (int32_t)(t->start - (int64_t)t->pregap);
	r = vd_disc_add_extent(d, &x, err);
	if (r) {
		drop_track(d);
		if (d->nsessions)
			d->sessions[d->nsessions - 1].type = type;
	}
	return r;
}

static struct vd_session *find_session(struct vd_disc *d, int number, struct vd_error *err)
{
	if (number >= 1 && number <= d->nsessions)
		return &d->sessions[number - 1];
	vd_error_set(err, -EINVAL, "no session %d", number);
	return NULL;
}

int vd_disc_set_session_type(struct vd_disc *d, int session, enum vd_session_type type,
			     struct vd_error *err)
{
	struct vd_session *s = find_session(d, session, err);

	if (!s)
		return -EINVAL;
	if (type != VD_SESSION_CDROM && type != VD_SESSION_CDI && type != VD_SESSION_XA)
		return vd_error_set(err, -EINVAL, "session %d: no such type", session);
	s->type = type;
	return 0;
}

int vd_disc_set_cdtext(struct vd_disc *d, int session, const uint8_t *packs, size_t npacks,
		       struct vd_error *err)
{
	struct vd_session *s = find_session(d, session, err);
	uint8_t *copy = NULL;

	if (!s)
		return -EINVAL;
	if (npacks > CDTEXT_PACKS_MAX)
		return vd_error_set(err, -EINVAL, "session %d: more CD-TEXT than fits", session);
	if (npacks) {
		copy = malloc(npacks * 18);
		if (!copy)
			return vd_error_errno(err, -ENOMEM, "cannot keep CD-TEXT");
		memcpy(copy, packs, npacks * 18);
	}
	free(s->cdtext);
	s->cdtext = copy;
	s->ncdtext = npacks;
	return 0;
}

int vd_disc_set_mcn(struct vd_disc *d, const char *mcn, struct vd_error *err)
{
	if (!vd_mcn_valid(mcn))
		return vd_error_set(err, -EINVAL, "a catalogue number is 13 digits");
	memcpy(d->mcn, mcn, sizeof(d->mcn));
	return 0;
}

int vd_disc_add_structure(struct vd_disc *d, uint8_t format, uint8_t layer, uint32_t address,
			  const void *data, size_t len, struct vd_error *err)
{
	struct vd_structure *s = NULL;
	_cleanup_free_ uint8_t *copy = malloc(len + 1);

	if (len > STRUCTURE_MAX || d->nstructures == STRUCTURES_MAX)
		return vd_error_set(err, -EINVAL, "disc structure %02x is larger than it can be",
				    format);
	for (size_t i = 0; i < d->nstructures; i++)
		if (d->structures[i].format == format && d->structures[i].layer == layer &&
		    d->structures[i].address == address)
			s = &d->structures[i];
	if (copy && !s) {
		s = grow(&d->structures, d->nstructures, sizeof(*s));
		d->nstructures += s ? 1 : 0;
	}
	if (!copy || !s)
		return vd_error_errno(err, -ENOMEM, "cannot keep disc structure %02x", format);
	memcpy(copy, data, len);
	free(s->data);
	*s = (struct vd_structure){
		.format = format,
		.layer = layer,
		.address = address,
		.data = VD_TAKE_PTR(copy),
		.len = len,
	};
	return 0;
}

/* Where the track begins, with its pregap. */
static int64_t track_first(const struct vd_disc *d, const struct vd_track *t)
{
	return t == d->tracks ? VD_LBA_FIRST : (int64_t)t->start - t->pregap;
}

const struct vd_track *vd_disc_track_at(const struct vd_disc *d, int32_t lba)
{
	size_t lo = 0, hi = d->ntracks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vd_track_end(&d->tracks[mid]) <= lba)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->ntracks && track_first(d, &d->tracks[lo]) <= lba ? &d->tracks[lo] : NULL;
}

const struct vd_track *vd_disc_track(const struct vd_disc *d, int number)
{
	for (size_t i = 0; i < d->ntracks; i++)
		if (d->tracks[i].number == number)
			return &d->tracks[i];
	return NULL;
}

size_t vd_disc_extent_from(const struct vd_disc *d, int64_t lba)
{
	size_t lo = 0, hi = d->nextents;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if ((int64_t)d->extents[mid].lba + d->extents[mid].length <= lba)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool vd_disc_is_stored(const struct vd_disc *d, int64_t from, int64_t to)
{
	size_t i = vd_disc_extent_from(d, from);

	return i < d->nextents && d->extents[i].lba < to;
}

const struct vd_extent *vd_disc_track_extent(const struct vd_disc *d, const struct vd_track *t)
{
	size_t i = vd_disc_extent_from(d, t->start);

	return i < d->nextents && d->extents[i].lba < vd_track_end(t) ? &d->extents[i] : NULL;
}

int64_t vd_session_leadin(const struct vd_disc *d, int session)
{
	const struct vd_session *s = &d->sessions[session - 1];
	int64_t first = track_first(d, &d->tracks[s->first_track]), begin;

	if (session == 1)
		return VD_LEADIN_FIRST;
	begin = (int64_t)s[-1].leadout + vd_leadout_length(session - 1);
	return begin < first ? begin : first;
}

int vd_disc_session_at(const struct vd_disc *d, int32_t lba)
{
	int n = d->nsessions;

	while (n > 1 && lba < vd_session_leadin(d, n))
		n--;
	return n;
}

int vd_track_index_at(const struct vd_track *t, int32_t lba)
{
	int index = 1;

	if (lba < t->start)
		return 0;
	while ((size_t)index <= t->nindices && lba >= t->indices[index - 1])
		index++;
	return index;
}

bool vd_media_is_cd(enum vd_media m)
{
	return m == VD_MEDIA_CD_ROM || m == VD_MEDIA_CD_R || m == VD_MEDIA_CD_RW;
}

/*
 * The largest CD holds 99 minutes and 59 seconds, the largest DVD of two layers 8.5 GB. A disc of less than that
 * could be any of them: the medium that is usual for its size is taken.
 */
enum vd_media vd_disc_media(const struct vd_disc *d)
{
	int64_t sectors = (int64_t)(vd_disc_size(d) / VD_SECTOR_USER);

	if (d->media != VD_MEDIA_UNKNOWN)
		return d->media;
	if (d->ntracks != 1 || d->tracks[0].mode != VD_TRACK_MODE1 ||
	    (d->nextents && d->extents[0].layout != VD_LAYOUT_2048))
		return VD_MEDIA_CD_ROM;
	if (sectors <= VD_CD_SECTORS_MAX)
		return VD_MEDIA_CD_ROM;
	return sectors <= VD_DVD_SECTORS_MAX ? VD_MEDIA_DVD_ROM : VD_MEDIA_BD_ROM;
}
