// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Directory records (ECMA-119 9.1) and what their system use fields say: SUSP (IEEE P1281) and Rock Ridge
 * (IEEE P1282), and the ZF and Z2 fields of zisofs.
 *
 * A record's fields are a chain of areas: the rest of the record, then continuation areas (CE) elsewhere. A chain
 * has at most ISO_CE_AREAS_MAX areas, ISO_CE_BYTES_MAX bytes and ISO_FIELDS_MAX fields, so a cycle ends soon, as damage. Damage is also a
 * field that does not fit in its area, one too short for what it holds, and a name or link that is to
 * be continued and is not. Bytes that were never meant as fields (another system's) are left alone.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"

#define SIG(a, b) ((uint16_t)((a) << 8 | (b)))

/* Flags of NM and SL. */
#define NM_CONTINUE 0x01u
#define NM_CURRENT 0x02u
#define NM_PARENT 0x04u
#define SL_CONTINUE 0x01u
#define SL_CURRENT 0x02u
#define SL_PARENT 0x04u
#define SL_ROOT 0x08u

/* Flags of TF, in the order in which the times are stored. */
#define TF_CREATION 0x01u
#define TF_MODIFY 0x02u
#define TF_ACCESS 0x04u
#define TF_ATTRIBUTES 0x08u
#define TF_LONG 0x80u

struct fields {
	struct iso_cursor *c;
	const uint8_t *p;
	size_t len;
	bool any;	/* a field was seen in this record */
	bool have_next; /* a CE was */
	uint32_t next_block, next_offset, next_len;
	unsigned int areas, nfields;
	uint32_t bytes;
	uint64_t rest_at; /* what of a continuation area is not in `area` yet */
	size_t rest;
	uint8_t area[ISO_SECTOR];
};

int iso_record_parse(const struct iso_fs *iso, const uint8_t *p, size_t avail,
		     struct iso_record *out)
{
	const uint64_t blocks = iso->limit >> iso->shift;
	size_t su;

	if (avail < REC_MIN - 1 || p[0] > avail || p[0] < REC_MIN - 1 ||
	    REC_MIN - 1 + (size_t)p[32] > p[0])
		return -EUCLEAN;
	out->len = p[0];
	out->flags = p[25];
	out->interleaved = p[27] != 0;
	out->date = p + 18;
	out->name_len = p[32];
	out->name = p + 33;
	/* The extended attribute record, which nobody reads, comes first in the extent. */
	out->extent = ((uint64_t)iso_both32(p + 2, blocks) + p[1]) << iso->shift;
	out->size = iso_both32(p + 10, out->extent < iso->limit ? iso->limit - out->extent : 0);
	su = 33 + out->name_len + !(out->name_len & 1);
	out->su = p + su;
	out->su_len = su < out->len ? out->len - su : 0;
	return 0;
}

static void fields_init(struct fields *f, struct iso_cursor *c, const struct iso_record *r,
			uint32_t skip)
{
	f->c = c;
	f->any = f->have_next = false;
	f->areas = f->nfields = 0;
	f->bytes = 0;
	f->rest = 0;
	f->len = r->su_len > skip ? r->su_len - skip : 0;
	f->p = f->len ? r->su + skip : f->area;
}

/* Continuation areas of neighbouring records share blocks: the last one is kept in the cursor. */
static int read_ce(struct iso_cursor *c, uint8_t *buf, size_t len, uint64_t at)
{
	uint64_t from = at & ~(uint64_t)(ISO_SECTOR - 1);
	uint64_t left = c->iso->disc_bytes - from;
	int r;

	if (at < c->ce_at || at + len > c->ce_at + c->ce_len) {
		c->ce_len = left < ISO_SECTOR ? (size_t)left : ISO_SECTOR;
		if (at + len > from + c->ce_len) {
			c->ce_len = 0;
			return vd_disc_pread(c->iso->fs.disc, buf, len, at);
		}
		c->ce_at = from;
		r = vd_disc_pread(c->iso->fs.disc, c->ce, c->ce_len, from);
		if (r) {
			c->ce_len = 0;
			return r;
		}
	}
	memcpy(buf, c->ce + (at - c->ce_at), len);
	return 0;
}

static int start_area(struct fields *f)
{
	const struct iso_fs *iso = f->c->iso;
	uint64_t at = ((uint64_t)f->next_block << iso->shift) + f->next_offset;

	if (!f->next_block || !f->next_len || ++f->areas > ISO_CE_AREAS_MAX ||
	    f->next_len > ISO_CE_BYTES_MAX - f->bytes)
		return -EUCLEAN;
	f->bytes += f->next_len;
	if (at > iso->disc_bytes || f->next_len > iso->disc_bytes - at)
		return at + f->next_len <= iso->limit ? -EIO : -EUCLEAN;
	f->rest_at = at;
	f->rest = f->next_len;
	f->have_next = false;
	f->len = 0;
	return 0;
}

/* Brings more of a continuation area behind what is left of the part before. */
static int refill(struct fields *f)
{
	size_t n = sizeof(f->area) - f->len;
	int r;

	if (n > f->rest)
		n = f->rest;
	memmove(f->area, f->p, f->len);
	r = read_ce(f->c, f->area + f->len, n, f->rest_at);
	if (r)
		return r;
	f->p = f->area;
	f->len += n;
	f->rest_at += n;
	f->rest -= n;
	return 0;
}

static bool is_signature(const uint8_t *p)
{
	return p[0] >= 'A' && p[0] <= 'Z' &&
	       ((p[1] >= 'A' && p[1] <= 'Z') || (p[1] >= '0' && p[1] <= '9'));
}

static bool all_zeros(const uint8_t *p, size_t len)
{
	while (len && !*p)
		p++, len--;
	return !len;
}

/*
 * 1: *out is a field of out[2] >= 4 bytes; 0: there are no more; -EUCLEAN, -EIO; -EBADMSG: the damage makes the record's
 * own length doubtful.
 */
static int fields_next(struct fields *f, const uint8_t **out)
{
	for (;;) {
		const uint8_t *p;
		int r;

		if (f->rest && f->len < 256) {
			r = refill(f);
			if (r)
				return r;
		}
		p = f->p;
		/*
		 * Up to three bytes of padding may follow the last field; some writers add more, zeros. Anything
		 * else behind a zero was once another record: this one's length is wrong.
		 */
		if (f->any && f->len >= 4 && !p[0] && !all_zeros(p, f->len))
			return f->areas ? -EUCLEAN : -EBADMSG;
		if (f->len < 4 || !p[0]) {
			if (!f->have_next)
				return 0;
			r = start_area(f);
			if (r)
				return r;
			continue;
		}
		if (!is_signature(p) || p[2] < 4 || p[2] > f->len) {
			if (is_signature(p) || f->areas)
				return -EUCLEAN;
			return f->any ? -EBADMSG : 0;
		}
		if (++f->nfields > ISO_FIELDS_MAX)
			return -EUCLEAN;
		f->p += p[2];
		f->len -= p[2];
		f->any = true;
		switch (SIG(p[0], p[1])) {
		case SIG('C', 'E'):
			if (p[2] < 28 || f->have_next)
				return -EUCLEAN;
			f->have_next = true;
			f->next_block = iso_both32(p + 4, f->c->iso->limit >> f->c->iso->shift);
			f->next_offset = iso_both32(p + 12, ISO_SECTOR);
			f->next_len = iso_both32(p + 20, ISO_SECTOR);
			continue;
		case SIG('S', 'T'):
			f->len = f->rest = 0;
			continue;
		}
		*out = p;
		return 1;
	}
}

int iso_susp_detect(struct iso_cursor *c, const struct iso_record *dot, struct iso_susp_found *out)
{
	static const uint32_t places[] = { 0, 14 };
	struct fields f;
	const uint8_t *p;
	int r;

	memset(out, 0, sizeof(*out));
	/* A disc with XA attributes has them before the fields (SUSP 5.3, System Use of CD-ROM XA). */
	for (size_t i = 0; i < VD_ARRAY_SIZE(places); i++) {
		out->at = out->skip = places[i];
		fields_init(&f, c, dot, places[i]);
		while ((r = fields_next(&f, &p)) == 1) {
			switch (SIG(p[0], p[1])) {
			case SIG('S', 'P'):
				if (p[2] < 7 || p[4] != 0xbe || p[5] != 0xef)
					return 0;
				out->sp = true;
				out->skip = p[6];
				break;
			case SIG('E', 'R'):
				out->er = true;
				break;
			case SIG('P', 'X'):
			case SIG('R', 'R'):
				out->rock = true;
				break;
			}
		}
		if (out->sp || out->er || out->rock)
			return r;
	}
	return 0;
}

bool iso_record_moved(struct iso_cursor *c, const struct iso_record *dotdot, uint32_t skip)
{
	struct fields f;
	const uint8_t *p;

	fields_init(&f, c, dotdot, skip);
	while (fields_next(&f, &p) == 1)
		if (SIG(p[0], p[1]) == SIG('P', 'L'))
			return true;
	return false;
}

/* The target of a link, put together from the components of its SL fields. */
struct link {
	char *out; /* NULL: only counted */
	size_t len;
	bool started; /* at least one component */
	bool glue;    /* the next component follows without a '/' */
	bool more;    /* another SL is to follow */
};

static int link_put(struct link *l, const void *text, size_t len)
{
	if (l->len + len >= VD_FS_LINK_MAX)
		return -ENAMETOOLONG;
	if (l->out)
		memcpy(l->out + l->len, text, len);
	l->len += len;
	return 0;
}

static int link_component(struct link *l, uint8_t flags, const uint8_t *text, size_t len)
{
	int r = 0;

	if (l->started && !l->glue)
		r = link_put(l, "/", 1);
	if (r)
		return r;
	l->started = true;
	l->glue = flags & SL_CONTINUE;
	switch (flags & ~SL_CONTINUE) {
	case SL_CURRENT:
		return link_put(l, ".", 1);
	case SL_PARENT:
		return link_put(l, "..", 2);
	case SL_ROOT:
		l->glue = true;
		return link_put(l, "/", 1);
	case 0:
		if (memchr(text, '\0', len))
			return -EUCLEAN;
		return link_put(l, text, len);
	}
	/* "Root of the volume's mount" and "host name" are things that Linux has no way to say. */
	return -EUCLEAN;
}

static int parse_sl(struct link *l, const uint8_t *p)
{
	size_t at = 5;
	int r;

	if (p[2] < 5)
		return -EUCLEAN;
	l->more = p[4] & SL_CONTINUE;
	while (at + 2 <= p[2]) {
		size_t len = p[at + 1];

		if (len > p[2] - at - 2)
			return -EUCLEAN;
		r = link_component(l, p[at], p + at + 2, len);
		if (r)
			return r;
		at += 2 + len;
	}
	return 0;
}

static int parse_px(const uint8_t *p, struct vd_fs_attr *a)
{
	uint32_t n;

	if (p[2] < 36)
		return -EUCLEAN;
	a->mode = iso_both32(p + 4, 0177777);
	n = vd_get_le32(p + 12);
	a->nlink = n ? n : 1;
	a->uid = vd_get_le32(p + 20);
	a->gid = vd_get_le32(p + 28);
	return 0;
}

static int parse_pn(const uint8_t *p, struct vd_fs_attr *a)
{
	uint32_t high, low;

	if (p[2] < 20)
		return -EUCLEAN;
	high = vd_get_le32(p + 4);
	low = vd_get_le32(p + 12);
	/* Some writers put all of a 16-bit number into the low half. */
	a->rdev = !high && low & ~0xffu ? makedev(low >> 8, low & 0xff) : makedev(high, low);
	return 0;
}

static int parse_tf(const uint8_t *p, struct vd_fs_attr *a)
{
	/* A creation time is taken for ctime: some writers confuse the two. Later ones win. */
	struct timespec *where[7] = { &a->ctime, &a->mtime, &a->atime, &a->ctime };
	uint8_t stamp[17];
	size_t at = 5, size;

	if (p[2] < 5)
		return -EUCLEAN;
	size = p[4] & TF_LONG ? 17 : 7;
	for (unsigned int i = 0; i < VD_ARRAY_SIZE(where); i++) {
		if (!(p[4] >> i & 1))
			continue;
		/* makefs counts one byte too few: the last time lacks its zone. */
		if (at + size - 1 > p[2])
			return -EUCLEAN;
		memcpy(stamp, p + at, size - 1);
		stamp[size - 1] = at + size > p[2] ? 0 : p[at + size - 1];
		if (where[i]) {
			/* The hundredths of a second of the long form are not kept: Linux does not. */
			where[i]->tv_sec = size == 7 ? iso_date7(stamp) : iso_date17(stamp);
			where[i]->tv_nsec = 0;
		}
		at += size;
	}
	return 0;
}

static int parse_zf(const uint8_t *p, struct iso_entry *e)
{
	uint8_t version;
	uint64_t size;

	if (p[2] < 16)
		return -EUCLEAN;
	if (p[4] == 'p' && p[5] == 'z')
		version = 1;
	else if (p[4] == 'P' && p[5] == 'Z')
		version = 2;
	else
		return 0; /* another algorithm: the file is shown as it is stored */
	size = version == 1 ? vd_get_le32(p + 8) : vd_get_le64(p + 8);
	if (size > INT64_MAX || p[7] < 12 || p[7] > 20)
		return -EUCLEAN;
	e->z_version = version;
	e->z_header = p[6];
	e->z_shift = p[7];
	e->attr.size = size;
	return 0;
}

struct rock {
	size_t name_len;
	bool name_more, name_bad, has_name, has_child, has_mode;
	uint32_t child;
	struct link link;
};

/* The name of "." is known: some writers give it another, and unfinished. */
static int parse_nm(const struct iso_record *r, const uint8_t *p, struct rock *k, char *name)
{
	size_t len;

	if (p[2] < 5)
		return -EUCLEAN;
	/* Said to be "." or "..", or a host's name. */
	if (p[4] & ~NM_CONTINUE || (r->name_len == 1 && r->name[0] <= 1))
		return 0;
	len = p[2] - 5u;
	k->name_more = p[4] & NM_CONTINUE;
	k->has_name = true;
	if (k->name_len + len > VD_FS_NAME_MAX) {
		k->name_more = true;
		return -EUCLEAN;
	}
	memcpy(name + k->name_len, p + 5, len);
	k->name_len += len;
	return 0;
}

static int parse_rock(struct iso_cursor *c, const struct iso_record *r, uint32_t skip,
		      struct iso_entry *e, struct rock *k)
{
	struct fields f;
	const uint8_t *p;
	int ret;

	fields_init(&f, c, r, skip);
	while ((ret = fields_next(&f, &p)) == 1) {
		switch (SIG(p[0], p[1])) {
		case SIG('N', 'M'):
			ret = parse_nm(r, p, k, e->name);
			break;
		case SIG('P', 'X'):
			ret = parse_px(p, &e->attr);
			k->has_mode = true;
			break;
		case SIG('T', 'F'):
			ret = parse_tf(p, &e->attr);
			break;
		case SIG('S', 'L'):
			ret = parse_sl(&k->link, p);
			break;
		case SIG('P', 'N'):
			ret = parse_pn(p, &e->attr);
			break;
		case SIG('C', 'L'):
			if (p[2] < 12)
				return -EUCLEAN;
			k->has_child = true;
			k->child = iso_both32(p + 4, c->iso->limit >> c->iso->shift);
			ret = 0;
			break;
		case SIG('R', 'E'):
			e->relocated = true;
			ret = 0;
			break;
		case SIG('S', 'F'):
			e->sparse = true;
			ret = 0;
			break;
		case SIG('Z', 'F'):
		case SIG('Z', '2'):
			ret = parse_zf(p, e);
			break;
		default:
			ret = 0;
		}
		if (ret)
			return ret;
	}
	if (!ret && (k->name_more || k->link.more))
		return -EUCLEAN;
	return ret;
}

/* A name that no two records share, for one that has none that can be shown. */
static size_t make_up_name(const struct iso_entry *e, char *out)
{
	return (size_t)snprintf(out, VD_FS_NAME_MAX, "unnamed-%llx", (unsigned long long)e->pos);
}

static void set_iso_name(const struct iso_fs *iso, const struct iso_record *r, struct iso_entry *e)
{
	if (iso->view == ISO_JOLIET) {
		e->name_len = iso_name_joliet(r->name, r->name_len, e->name);
	} else {
		e->name_len = iso_name_plain(r->name, r->name_len, iso->o.map_off, e->name);
		for (size_t i = 0; i < e->name_len; i++)
			if (e->name[i] == '/' || !e->name[i])
				e->name[i] = '_';
	}
	if (!vd_name_valid(e->name, e->name_len))
		e->name_len = make_up_name(e, e->name);
}

static int set_type(struct iso_entry *e, const struct rock *k)
{
	const bool dir = e->flags & REC_DIR || k->has_child;

	if (!k->has_mode)
		e->attr.mode = (dir ? S_IFDIR : S_IFREG) | 0555;
	else if (!(e->attr.mode & S_IFMT))
		e->attr.mode |= dir ? S_IFDIR : S_IFREG;
	if (S_ISDIR(e->attr.mode) != dir || e->attr.mode & ~0177777u)
		return -EUCLEAN;
	switch (e->attr.mode & S_IFMT) {
	case S_IFDIR:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFLNK:
		if (!k->link.len)
			return -EUCLEAN;
		e->attr.size = e->link_len = k->link.len;
		e->attr.blocks = 0;
		if (k->link.out)
			k->link.out[k->link.len] = '\0';
		break;
	default:
		return -EUCLEAN;
	}
	e->attr.rdev = 0;
	return 0;
}

int iso_entry_parse(struct iso_cursor *c, const struct iso_record *r, uint32_t skip,
		    struct iso_entry *e)
{
	const struct iso_fs *iso = c->iso;
	struct rock k = { .link.out = e->link };
	int ret = 0;

	e->damage = 0;
	e->flags = r->flags;
	e->interleaved = r->interleaved;
	e->sparse = e->relocated = false;
	e->extent = r->extent;
	e->raw_size = r->size;
	e->sections = 1;
	e->z_version = 0;
	e->cdxa = false;
	e->link_len = 0;
	memset(&e->attr, 0, sizeof(e->attr));
	e->attr.ino = e->pos;
	e->attr.nlink = 1;
	e->attr.size = r->size;
	e->attr.blocks = ((uint64_t)r->size + 511) / 512;
	e->attr.mtime.tv_sec = iso_date7(r->date);
	e->attr.atime = e->attr.ctime = e->attr.mtime;

	if (iso->view == ISO_ROCK)
		ret = parse_rock(c, r, skip, e, &k);
	if (k.has_child)
		e->extent = (uint64_t)k.child << iso->shift;
	if (!ret)
		ret = set_type(e, &k);
	if (k.has_child)
		e->raw_size = 0;

	if (k.has_name) {
		e->name_len = k.name_len;
		for (size_t i = 0; i < e->name_len; i++)
			if (e->name[i] == '/' || !e->name[i])
				e->name[i] = '_';
	}
	if (!k.has_name || k.name_more || !vd_name_valid(e->name, e->name_len))
		set_iso_name(iso, r, e);

	if (iso->o.has_uid)
		e->attr.uid = iso->o.uid;
	if (iso->o.has_gid)
		e->attr.gid = iso->o.gid;
	if (iso->o.has_mode && S_ISREG(e->attr.mode))
		e->attr.mode = S_IFREG | iso->o.mode;
	if (iso->o.has_dmode && S_ISDIR(e->attr.mode))
		e->attr.mode = S_IFDIR | iso->o.dmode;
	return ret;
}
