// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Partition maps (3/10.7, UDF 2.2.8 to 2.2.10): from a block of a partition to bytes of the disc.
 *
 *     physical    the partition's start and the block                         type 1
 *     sparable    the same, but for packets that a table says were moved      UDF 2.2.9, 2.2.12
 *     virtual     the VAT, a file, says which block of the physical one       UDF 2.2.8, 2.2.11
 *     metadata    a file holds all of its blocks                              UDF 2.2.10, 2.2.13
 *
 * Of a metadata partition there may be a second copy, the mirror (UDF 2.2.13.1): where a block of the first cannot be read, or
 * is not what it should be, that of the second counts if it is.
 */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/subchannel.h"
#include "util/cleanup.h"

#define RUNS_MAX 65536u /* of the VAT or the metadata file */
#define SPARES_MAX 65536u
#define SESSIONS_MAX 99u
#define METADATA_DUPLICATED 0x01u /* flag of a metadata partition map */
/* How far before the end of a session its VAT is looked for: beyond blocks that cannot be read, of zeros, and of anything. */
#define VAT_UNREADABLE_MAX 320u
#define VAT_PADDING_MAX (64u << 20) /* bytes */
#define VAT_BLOCKS_MAX 1024u
#define ENTRY_CRC_MIN 160u /* bytes: a file entry's without what is variable */
#define VAT_READ_COST 32u  /* of these, for one that looked like a VAT */

static int read_runs(const struct udf_fs *u, const struct udf_runs *runs, void *buf, size_t len,
		     uint64_t at)
{
	while (len) {
		const struct udf_run *run = udf_run_at(runs, at);
		size_t n;
		int r;

		if (!run)
			return -EUCLEAN;
		n = run->at + run->len - at < len ? (size_t)(run->at + run->len - at) : len;
		r = udf_pread(u, buf, n, run->disc + (at - run->at));
		if (r)
			return r;
		buf = (uint8_t *)buf + n;
		at += n;
		len -= n;
	}
	return 0;
}

static int read_main_block(const struct udf_fs *u, struct udf_addr a, void *buf,
			   struct udf_window *w, uint64_t *place)
{
	uint64_t disc, run;
	int r = udf_locate(u, a, 0, u->block, &disc, &run);

	if (r)
		return r;
	if (place)
		*place = disc;
	if (!w)
		return udf_pread(u, buf, u->block, disc);
	if (disc < w->at || disc - w->at + u->block > w->len) {
		uint64_t left = disc < u->disc_bytes ? u->disc_bytes - disc : 0;

		w->at = disc;
		w->len = left < sizeof(w->buf) ? (size_t)left : sizeof(w->buf);
		/* A bad neighbour does no harm. */
		if (w->len < u->block || udf_pread(u, w->buf, w->len, disc)) {
			w->len = 0;
			return udf_pread(u, buf, u->block, disc);
		}
	}
	memcpy(buf, w->buf + (disc - w->at), u->block);
	return 0;
}

bool udf_has_mirror(const struct udf_fs *u, struct udf_addr a)
{
	return a.partition < u->nmaps && u->maps[a.partition].mirror.n;
}

static int read_mirror_block(const struct udf_fs *u, struct udf_addr a, void *buf, uint64_t *place)
{
	const struct udf_runs *runs = &u->maps[a.partition].mirror;
	const uint64_t at = (uint64_t)a.block << u->shift;
	const struct udf_run *run = udf_run_at(runs, at);

	if (!run)
		return -EUCLEAN;
	if (place)
		*place = run->disc + (at - run->at);
	return read_runs(u, runs, buf, u->block, at);
}

int udf_read_block(const struct udf_fs *u, struct udf_addr a, void *buf, struct udf_window *w,
		   uint64_t *place)
{
	int r = read_main_block(u, a, buf, w, place);

	if (!r || r == -ENOMEM || !udf_has_mirror(u, a))
		return r;
	return read_mirror_block(u, a, buf, place) ? r : 0;
}

static int check_descriptor(const struct udf_fs *u, struct udf_addr a, enum udf_tag id,
			    enum udf_tag other, const uint8_t *p)
{
	return udf_tag_check_at(p, u->block, vd_get_le16(p) == other ? other : id, a.block);
}

int udf_read_descriptor(const struct udf_fs *u, struct udf_addr a, enum udf_tag id,
			enum udf_tag other, void *buf, struct udf_window *w, uint64_t *place)
{
	int r = read_main_block(u, a, buf, w, place);

	if (!r)
		r = check_descriptor(u, a, id, other, buf);
	if (!r || r == -ENOMEM || !udf_has_mirror(u, a))
		return r;
	if (read_mirror_block(u, a, buf, place) || check_descriptor(u, a, id, other, buf))
		return r;
	return 0;
}

int udf_read_extent(const struct udf_fs *u, struct udf_addr a, uint64_t off, void *buf, size_t len,
		    bool mirror)
{
	if (mirror && !udf_has_mirror(u, a))
		return -ENOENT;
	while (len) {
		const uint64_t at = ((uint64_t)a.block << u->shift) + off;
		uint64_t disc, run;
		int r = udf_locate(u, a, off, len, &disc, &run);

		if (r)
			return r;
		r = mirror ? -EIO : udf_pread(u, buf, (size_t)run, disc);
		if (r && r != -ENOMEM && udf_has_mirror(u, a) &&
		    !read_runs(u, &u->maps[a.partition].mirror, buf, (size_t)run, at))
			r = 0;
		if (r)
			return r;
		buf = (uint8_t *)buf + run;
		off += run;
		len -= (size_t)run;
	}
	return 0;
}

/* Bytes of the partition itself. */
static int locate_physical(const struct udf_fs *u, const struct udf_map *m, uint64_t at,
			   uint64_t len, uint64_t *disc, uint64_t *run)
{
	const uint64_t bytes = m->blocks << u->shift;

	if (at >= bytes)
		return -EUCLEAN;
	*run = len < bytes - at ? len : bytes - at;
	*disc = (m->start << u->shift) + at;
	return 0;
}

static int locate_sparable(const struct udf_fs *u, const struct udf_map *m, uint64_t at,
			   uint64_t len, uint64_t *disc, uint64_t *run)
{
	const uint64_t packet = (uint64_t)m->packet << u->shift;
	const uint64_t first = at / packet * m->packet, in = at % packet;
	size_t low = 0, high = m->nspares;
	int r = locate_physical(u, m, at, len, disc, run);

	if (r)
		return r;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->spares[middle].original < first)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < m->nspares && m->spares[low].original == first) {
		*disc = ((uint64_t)m->spares[low].mapped << u->shift) + in;
		*run = *run < packet - in ? *run : packet - in;
	} else if (low < m->nspares) {
		uint64_t next = (uint64_t)m->spares[low].original << u->shift;

		*run = *run < next - at ? *run : next - at;
	}
	return 0;
}

static int locate_base(const struct udf_fs *u, const struct udf_map *m, uint64_t at, uint64_t len,
		       uint64_t *disc, uint64_t *run)
{
	return m->kind == VD_UDF_SPARABLE ? locate_sparable(u, m, at, len, disc, run)
					  : locate_physical(u, m, at, len, disc, run);
}

/* A block at a time: neighbours in the virtual partition need not be any on the disc. */
static int locate_virtual(const struct udf_fs *u, const struct udf_map *m, uint64_t at,
			  uint64_t len, uint64_t *disc, uint64_t *run)
{
	const uint64_t n = at >> u->shift, in = at & (u->block - 1);
	uint8_t entry[4];
	uint32_t block;
	int r;

	if (n >= m->vat_entries)
		return -EUCLEAN;
	r = read_runs(u, &m->file, entry, sizeof(entry), m->vat_at + 4 * n);
	if (r)
		return r;
	block = vd_get_le32(entry);
	if (block == UINT32_MAX)
		return -EUCLEAN;
	len = len < u->block - in ? len : u->block - in;
	return locate_base(u, &u->maps[m->below], ((uint64_t)block << u->shift) + in, len, disc,
			   run);
}

static int locate_metadata(const struct udf_map *m, uint64_t at, uint64_t len, uint64_t *disc,
			   uint64_t *run)
{
	const struct udf_run *r = udf_run_at(&m->file, at);

	if (!r)
		return -EUCLEAN;
	*disc = r->disc + (at - r->at);
	*run = r->at + r->len - at < len ? r->at + r->len - at : len;
	return 0;
}

int udf_locate(const struct udf_fs *u, struct udf_addr a, uint64_t off, uint64_t len,
	       uint64_t *disc, uint64_t *run)
{
	const uint64_t at = ((uint64_t)a.block << u->shift) + off;
	const struct udf_map *m;

	if (a.partition >= u->nmaps)
		return -EUCLEAN;
	m = &u->maps[a.partition];
	switch (m->kind) {
	case VD_UDF_VIRTUAL:
		return locate_virtual(u, m, at, len, disc, run);
	case VD_UDF_METADATA:
		return locate_metadata(m, at, len, disc, run);
	default:
		return locate_base(u, m, at, len, disc, run);
	}
}

/* Sparable. */

static int by_original(const void *a, const void *b)
{
	const struct udf_spare *x = a, *y = b;

	return (x->original > y->original) - (x->original < y->original);
}

/* UDF 2.2.12. -EUCLEAN when there is none at @location. */
static int read_spares(const struct udf_fs *u, struct udf_map *m, uint32_t location, uint32_t size,
		       uint32_t *sequence)
{
	_cleanup_free_ uint8_t *p = NULL;
	_cleanup_free_ struct udf_spare *spares = NULL;
	uint32_t n, used = 0;
	int r;

	if (size < 56 || size > 56 + 8 * SPARES_MAX)
		return -EUCLEAN;
	p = malloc(size);
	if (!p)
		return -ENOMEM;
	r = udf_pread(u, p, size, (uint64_t)location << u->shift);
	if (r)
		return r;
	n = vd_get_le16(p + 48);
	if (udf_tag_check_at(p, size, UDF_TAG_SPARING, location) ||
	    !udf_is_regid(p + 16, "*UDF Sparing Table") || n > (size - 56) / 8)
		return -EUCLEAN;
	if (m->spares && vd_get_le32(p + 52) <= *sequence)
		return 0;
	spares = malloc((n + 1) * sizeof(*spares));
	if (!spares)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t original = vd_get_le32(p + 56 + 8 * i);

		/* The highest ones stand for packets that are free or defective. */
		if (original < 0xfffffff0)
			spares[used++] =
				(struct udf_spare){ original, vd_get_le32(p + 60 + 8 * i) };
	}
	qsort(spares, used, sizeof(*spares), by_original);
	free(m->spares);
	m->spares = VD_TAKE_PTR(spares);
	m->nspares = used;
	*sequence = vd_get_le32(p + 52);
	return 0;
}

static int open_sparable(struct udf_fs *u, struct udf_map *m, const uint8_t *p,
			 struct vd_error *err)
{
	uint32_t sequence = 0;
	int r = -EUCLEAN;

	m->packet = vd_get_le16(p + 40);
	if (!m->packet || p[42] > 4)
		return vd_error_set(err, -EUCLEAN, "the UDF sparable partition map is damaged");
	for (size_t i = 0; i < p[42]; i++) {
		int one = read_spares(u, m, vd_get_le32(p + 48 + 4 * i), vd_get_le32(p + 44),
				      &sequence);

		if (!one || one == -ENOMEM)
			r = one;
		if (one == -ENOMEM)
			break;
	}
	if (r)
		return vd_error_errno(err, r, "no UDF sparing table can be read");
	return 0;
}

/* Virtual. */

struct vat {
	struct udf_addr icb;
	struct udf_runs file;
	uint64_t at;
	uint32_t entries, previous;
	struct udf_vat_says says;
};

static bool looks_like_vat(const uint8_t *p)
{
	const uint16_t id = vd_get_le16(p);
	const uint8_t type = p[16 + 11];

	return (id == UDF_TAG_FE || id == UDF_TAG_EFE) &&
	       (type == UDF_TYPE_VAT || type == UDF_TYPE_UNSPECIFIED);
}

/* UDF 1.50, 2.2.10: entries, "*UDF Virtual Alloc Tbl", the ICB of the VAT before. UDF 2.2.11: a header first. */
static int read_vat(const struct udf_fs *u, struct udf_addr icb, struct vat *out)
{
	_cleanup_free_ struct udf_node *node = malloc(sizeof(*node));
	uint8_t p[152];
	uint64_t bytes;
	int r;

	if (!node)
		return -ENOMEM;
	r = udf_node_read(u, icb, NULL, node);
	if (!r && node->type != UDF_TYPE_VAT && node->type != UDF_TYPE_UNSPECIFIED)
		r = -EUCLEAN;
	if (!r)
		r = udf_node_runs(u, node, RUNS_MAX, &out->file);
	if (r)
		return r;
	out->icb = icb;
	out->says = (struct udf_vat_says){ .time = node->attr.mtime.tv_sec };
	r = -EUCLEAN;
	if (node->type == UDF_TYPE_VAT) {
		if (node->size < sizeof(p))
			goto damaged;
		r = read_runs(u, &out->file, p, sizeof(p), 0);
		if (r)
			goto damaged;
		r = -EUCLEAN;
		out->at = vd_get_le16(p);
		if (out->at < sizeof(p) || out->at > node->size)
			goto damaged;
		out->previous = vd_get_le32(p + 132);
		out->says.header = true;
		udf_dstring(p + 4, 128, out->says.logical_id, sizeof(out->says.logical_id));
		out->says.files = vd_get_le32(p + 136);
		out->says.directories = vd_get_le32(p + 140);
		bytes = node->size - out->at;
	} else {
		if (node->size < 36)
			goto damaged;
		r = read_runs(u, &out->file, p, 36, node->size - 36);
		if (r)
			goto damaged;
		r = -EUCLEAN;
		if (!udf_is_regid(p, "*UDF Virtual Alloc Tbl"))
			goto damaged;
		out->at = 0;
		out->previous = vd_get_le32(p + 32);
		bytes = node->size - 36;
	}
	if (bytes / 4 > UINT32_MAX)
		goto damaged;
	out->entries = (uint32_t)(bytes / 4);
	return 0;
damaged:
	free(out->file.runs);
	out->file.runs = NULL;
	return r;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/*
 * Is it a file entry, or what is left of one: its tag is good, or else its CRC? Behind a VAT it says that there was a newer one. @block:
 * of the partition.
 */
static bool was_entry(const struct udf_fs *u, const uint8_t *p, uint64_t block)
{
	const size_t len = vd_get_le16(p + 10);
	uint8_t sum = 0;

	for (size_t i = 0; i < 16; i++)
		sum = (uint8_t)(sum + (i == 4 ? 0 : p[i]));
	if (sum == p[4] && vd_get_le32(p + 12) == block &&
	    (vd_get_le16(p) == UDF_TAG_FE || vd_get_le16(p) == UDF_TAG_EFE))
		return true;
	return len >= ENTRY_CRC_MIN && len <= u->block - 16 &&
	       vd_crc16(p + 16, len) == vd_get_le16(p + 8);
}

/* A search for the last VAT: how much more there may be behind it. */
struct vat_search {
	const struct udf_fs *u;
	uint16_t below;
	uint64_t padding;	     /* bytes */
	uint32_t others, unreadable; /* blocks */
	bool seen;		     /* something that is not zeros */
};

/* Is it in this block @lba of the disc? 0; -ENOENT: no, go on; other errors are the end. */
static int look_for_vat(struct vat_search *s, const uint8_t *p, uint64_t lba, struct vat *out)
{
	const struct udf_fs *u = s->u;
	const uint64_t block = lba - u->maps[s->below].start;
	uint32_t cost = 1;

	if (is_zero(p, u->block)) {
		if (s->padding < u->block)
			return -ERANGE;
		s->padding -= u->block;
		return -ENOENT;
	}
	if (looks_like_vat(p) && block <= UINT32_MAX) {
		int r = read_vat(u, (struct udf_addr){ (uint32_t)block, s->below }, out);

		/* One that says to be here is the last one, whatever is wrong with it: an older one has an older tree. */
		if (r != -EUCLEAN || vd_get_le32(p + 12) == block)
			return r;
		cost = VAT_READ_COST;
	}
	if (was_entry(u, p, block))
		return -EUCLEAN;
	/* Something was written behind the last VAT, and what could not be read may have been a newer one. */
	if (s->unreadable < VAT_UNREADABLE_MAX && !s->seen)
		return -EIO;
	s->seen = true;
	if (s->others < cost)
		return -ERANGE;
	s->others -= cost;
	return -ENOENT;
}

/*
 * The VAT's ICB is the last block that was written (UDF 2.2.11); what follows it is run-out, which drives give errors for, and
 * padding. -ENOENT: there is none before @end.
 */
static int find_vat(const struct udf_fs *u, uint16_t below, uint64_t end, struct vat *out)
{
	const uint64_t start = u->maps[below].start << u->shift;
	_cleanup_free_ uint8_t *chunk = malloc(UDF_WINDOW);
	struct vat_search s = { .u = u,
				.below = below,
				.padding = VAT_PADDING_MAX,
				.others = VAT_BLOCKS_MAX,
				.unreadable = VAT_UNREADABLE_MAX };
	uint64_t at = end & ~(uint64_t)(u->block - 1);
	size_t step = UDF_WINDOW;

	if (!chunk)
		return -ENOMEM;
	while (at > start) {
		size_t len = at - start < step ? (size_t)(at - start) : step;
		int r = udf_pread(u, chunk, len, at - len);

		if (r == -ENOMEM)
			return r;
		if (r && len > u->block) {
			step = u->block;
			continue;
		}
		if (r) {
			if (s.seen || !s.unreadable)
				return r;
			s.unreadable--;
			at -= len;
			continue;
		}
		for (size_t i = len; i; i -= u->block) {
			r = look_for_vat(&s, chunk + i - u->block, (at - len + i) / u->block - 1,
					 out);
			if (r != -ENOENT)
				return r == -ERANGE ? -ENOENT : r;
		}
		at -= len;
		step = UDF_WINDOW;
	}
	return -ENOENT;
}

/*
 * Each VAT is a session; of those that are too many the oldest are not counted. A VAT lies behind the one it names, which is
 * what ends the chain.
 */
static int choose_vat(struct udf_fs *u, struct vat *v, struct vd_error *err)
{
	uint32_t older[SESSIONS_MAX];
	uint32_t previous = v->previous, below = v->icb.block;
	const uint16_t below_map = v->icb.partition;
	size_t n = 0, back;

	while (n < SESSIONS_MAX - 1 && previous < below) {
		struct vat one = { .file = { NULL, 0, 0 } };
		int r = read_vat(u, (struct udf_addr){ previous, below_map }, &one);

		if (r == -ENOMEM)
			return vd_error_errno(err, r, "cannot read the UDF volume");
		if (r)
			break; /* the older sessions are lost; those that are named stay */
		free(one.file.runs);
		older[n++] = previous;
		below = previous;
		previous = one.previous;
	}
	if (u->fs.disc->nsessions > 1)
		return 0; /* which session is meant is the disc's to say */
	u->fs.nsessions = u->fs.session = (int)n + 1;
	if (!u->o.session || u->o.session >= u->fs.nsessions)
		return 0; /* who asks for one too many is told by udf_volume_open() */
	u->fs.session = u->o.session;
	back = n - (size_t)u->o.session;
	free(v->file.runs);
	*v = (struct vat){ .file = { NULL, 0, 0 } };
	return read_vat(u, (struct udf_addr){ older[back], below_map }, v);
}

static int open_virtual(struct udf_fs *u, struct udf_map *m, const struct udf_ends *ends,
			struct vd_error *err)
{
	struct vat v = { .file = { NULL, 0, 0 } };
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < ends->n; i++)
		r = find_vat(u, m->below, ends->at[i], &v);
	if (r)
		return vd_error_errno(err, r == -ENOENT ? -EUCLEAN : r,
				      "the UDF virtual allocation table is not to be found");
	r = choose_vat(u, &v, err);
	m->file = v.file;
	m->vat_at = v.at;
	m->vat_entries = v.entries;
	m->vat = v.says;
	return r;
}

/* Metadata. */

static int open_metadata_file(const struct udf_fs *u, const struct udf_map *m, uint32_t location,
			      struct udf_runs *out)
{
	_cleanup_free_ struct udf_node *node = malloc(sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	r = udf_node_read(u, (struct udf_addr){ location, m->below }, NULL, node);
	if (!r && node->type != UDF_TYPE_METADATA && node->type != UDF_TYPE_MIRROR)
		r = -EUCLEAN;
	return r ? r : udf_node_runs(u, node, RUNS_MAX, out);
}

static int open_metadata(struct udf_fs *u, struct udf_map *m, const uint8_t *p,
			 struct vd_error *err)
{
	int r = open_metadata_file(u, m, vd_get_le32(p + 40), &m->file), again = 0;

	/* Without the flag the mirror names the same blocks. */
	if (!r && p[58] & METADATA_DUPLICATED)
		again = open_metadata_file(u, m, vd_get_le32(p + 44), &m->mirror);
	else if (r && r != -ENOMEM)
		r = open_metadata_file(u, m, vd_get_le32(p + 44), &m->file);
	if (again == -ENOMEM)
		r = again;
	return r ? vd_error_errno(err, r, "neither UDF metadata file can be read") : 0;
}

/* All maps. */

static int parse_map(struct udf_fs *u, const uint8_t *p, const struct udf_partition *parts,
		     size_t nparts, struct vd_error *err)
{
	static const struct {
		const char *identifier;
		enum vd_udf_map_kind kind;
	} kinds[] = {
		{ "*UDF Sparable Partition", VD_UDF_SPARABLE },
		{ "*UDF Virtual Partition", VD_UDF_VIRTUAL },
		{ "*UDF Metadata Partition", VD_UDF_METADATA },
	};
	struct udf_map *m = &u->maps[u->nmaps];
	size_t i = 0;

	*m = (struct udf_map){ .kind = VD_UDF_PHYSICAL };
	if (p[0] == 1 && p[1] == 6) {
		m->number = vd_get_le16(p + 4);
	} else if (p[0] == 2 && p[1] == 64) {
		while (i < VD_ARRAY_SIZE(kinds) && !udf_is_regid(p + 4, kinds[i].identifier))
			i++;
		if (i == VD_ARRAY_SIZE(kinds))
			return vd_error_set(err, -EOPNOTSUPP,
					    "the UDF partition map \"%.23s\" is not known",
					    (const char *)p + 5);
		m->kind = kinds[i].kind;
		m->number = vd_get_le16(p + 38);
	} else {
		return vd_error_set(err, -EUCLEAN, "UDF partition map %zu is damaged", u->nmaps);
	}
	for (i = 0; i < nparts && parts[i].number != m->number; i++)
		;
	if (i == nparts)
		return vd_error_set(err, -EUCLEAN, "there is no UDF partition %u", m->number);
	m->start = parts[i].start;
	m->blocks = parts[i].blocks;
	u->nmaps++;
	return 0;
}

/* Virtual and metadata partitions lie in another one of the same number. */
static int find_below(struct udf_fs *u, struct udf_map *m)
{
	for (size_t i = 0; i < u->nmaps; i++) {
		if (u->maps[i].number == m->number && u->maps[i].kind <= VD_UDF_SPARABLE) {
			m->below = (uint16_t)i;
			return 0;
		}
	}
	return -EUCLEAN;
}

int udf_maps_open(struct udf_fs *u, const uint8_t *maps, size_t len, size_t n,
		  const struct udf_partition *parts, size_t nparts, const struct udf_ends *ends,
		  struct vd_error *err)
{
	const uint8_t *map[VD_UDF_MAPS_MAX];
	size_t at = 0;
	int r = 0;

	if (!n || n > VD_UDF_MAPS_MAX)
		return vd_error_set(err, -EUCLEAN, "the UDF volume has %zu partition maps", n);
	for (size_t i = 0; !r && i < n; i++) {
		if (len - at < 2 || maps[at + 1] < 2 || maps[at + 1] > len - at)
			return vd_error_set(err, -EUCLEAN, "UDF partition map %zu is damaged", i);
		map[i] = maps + at;
		r = parse_map(u, maps + at, parts, nparts, err);
		at += maps[at + 1];
	}
	for (int pass = 0; !r && pass < 2; pass++) {
		for (size_t i = 0; !r && i < n; i++) {
			struct udf_map *m = &u->maps[i];

			if ((m->kind > VD_UDF_SPARABLE) != pass)
				continue;
			if (pass && find_below(u, m))
				return vd_error_set(err, -EUCLEAN,
						    "UDF partition map %zu has no partition below",
						    i);
			if (m->kind == VD_UDF_SPARABLE)
				r = open_sparable(u, m, map[i], err);
			else if (m->kind == VD_UDF_VIRTUAL)
				r = open_virtual(u, m, ends, err);
			else if (m->kind == VD_UDF_METADATA)
				r = open_metadata(u, m, map[i], err);
		}
	}
	return r;
}

void udf_maps_close(struct udf_fs *u)
{
	for (size_t i = 0; i < u->nmaps; i++) {
		free(u->maps[i].spares);
		free(u->maps[i].file.runs);
		free(u->maps[i].mirror.runs);
	}
	u->nmaps = 0;
}
