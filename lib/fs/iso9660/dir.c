// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Directories: from records to entries, and the three questions that are asked about them.
 *
 * What Linux cannot be shown whole is shown as a name and nothing else: an entry whose record is damaged, or a
 * directory that stands elsewhere too, has no file type in readdir's attributes, and a lookup of it gives the
 * error. So one bad record does not hide its neighbours, and nobody takes it for good.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

/* Most calls want the entries of one FUSE buffer; those that want more get larger reads from the third on. */
#define CHUNK_FIRST (2u * ISO_SECTOR)
#define CHUNK_MAX (32u * ISO_SECTOR)

void iso_cursor_init(struct iso_cursor *c, struct iso_fs *iso, const struct iso_dir *dir,
		     uint64_t pos)
{
	c->iso = iso;
	c->dir = *dir;
	c->loose = false;
	c->pos = pos;
	c->buf_pos = c->buf_len = 0;
	c->buf = NULL;
	c->buf_size = 0;
	c->chunk = CHUNK_FIRST;
	c->ce_at = 0;
	c->ce_len = 0;
}

void iso_cursor_done(struct iso_cursor *c)
{
	free(c->buf);
}

/* Makes the sector that holds c->pos readable in the buffer. 1, 0 at the end, -errno. */
static int fill(struct iso_cursor *c)
{
	const struct iso_fs *iso = c->iso;
	uint64_t from = c->pos & ~(uint64_t)(ISO_SECTOR - 1), at, n, left;
	int r;

	if (c->pos >= c->dir.size)
		return 0;
	if (c->pos >= c->buf_pos && c->pos < c->buf_pos + c->buf_len)
		return 1;
	at = c->dir.start + from;
	if (at >= iso->disc_bytes)
		return -EIO;
	left = iso->disc_bytes - at;
	n = c->dir.size - from < c->chunk ? c->dir.size - from : c->chunk;
	if (n > left)
		n = left;
	if (c->loose) {
		/* Up to where the directory's blocks end. */
		uint64_t have = from ? 0 : iso->block;

		while (have < n && iso_tree_same(c->iso, at + have, 1))
			have += iso->block;
		if (!have)
			return 0;
		n = have < n ? have : n;
	}
	if (c->buf_size < n) {
		free(c->buf);
		c->buf_size = c->chunk;
		c->buf = malloc(c->buf_size);
		if (!c->buf) {
			c->buf_size = c->buf_len = 0;
			return -ENOMEM;
		}
	}
	c->buf_len = 0;
	r = vd_disc_pread(iso->fs.disc, c->buf, (size_t)n, at);
	if (r)
		return r;
	c->buf_pos = from;
	c->buf_len = (size_t)n;
	if (!c->loose)
		c->chunk = c->chunk * 4 < CHUNK_MAX ? c->chunk * 4 : CHUNK_MAX;
	return 1;
}

static bool is_dot(const struct iso_record *r)
{
	return r->name_len == 1 && !r->name[0];
}

static bool is_dotdot(const struct iso_record *r)
{
	return r->name_len == 1 && r->name[0] == 1;
}

/*
 * A length of 0 says that the sector holds no more records. Where a whole record follows all the same, numbers in both
 * byte orders and all, it is the length that is damaged, and what comes behind would be lost silently.
 */
static bool lost_length(const struct iso_fs *iso, const uint8_t *p, size_t avail)
{
	uint8_t copy[REC_MIN];
	struct iso_record r;

	if (avail < REC_MIN || (!vd_get_le16(p + 28) && !vd_get_le32(p + 2)) ||
	    vd_get_le16(p + 28) != vd_get_be16(p + 30) ||
	    vd_get_le32(p + 2) != vd_get_be32(p + 6) || vd_get_le32(p + 10) != vd_get_be32(p + 14))
		return false;
	memcpy(copy, p, sizeof(copy));
	copy[0] = sizeof(copy);
	copy[32] = 1;
	return !iso_record_parse(iso, copy, sizeof(copy), &r) && p[32] && r.extent < iso->limit;
}

int iso_cursor_next(struct iso_cursor *c, struct iso_record *r, uint64_t *at)
{
	for (;;) {
		size_t in, avail;
		int ret = fill(c);

		if (ret != 1)
			return ret;
		in = (size_t)(c->pos - c->buf_pos);
		avail = ISO_SECTOR - (c->pos & (ISO_SECTOR - 1));
		if (avail > c->buf_len - in)
			avail = c->buf_len - in;
		if (!c->buf[in]) {
			if (lost_length(c->iso, c->buf + in, avail) &&
			    (c->pos < c->dir.sure || c->loose))
				return -EUCLEAN;
			c->pos = (c->pos | (ISO_SECTOR - 1)) + 1;
			continue;
		}
		ret = iso_record_parse(c->iso, c->buf + in, avail, r);
		if (!ret && is_dot(r) && c->pos)
			ret = -EUCLEAN;
		if (ret && c->pos >= c->dir.sure && !c->loose)
			return 0;
		/* The last record of an image that is cut short inside a directory. */
		if (ret && c->dir.start + c->pos + c->buf[in] > c->iso->disc_bytes)
			ret = -EIO;
		if (ret)
			return ret;
		*at = c->pos;
		c->pos += r->len;
		return 1;
	}
}

/* Adds the other sections of a file whose first record is @first. */
static int add_sections(struct iso_cursor *c, const struct iso_record *first, struct iso_entry *e)
{
	uint8_t name[255], name_len = first->name_len, flags = first->flags;
	struct iso_record r;
	uint64_t at;
	int ret;

	memcpy(name, first->name, name_len);
	while (flags & REC_MULTI) {
		uint64_t before = c->pos;

		ret = iso_cursor_next(c, &r, &at);
		if (ret < 0)
			return ret;
		if (!ret || r.name_len != name_len || memcmp(r.name, name, name_len) ||
		    r.flags & REC_DIR || e->sections >= ISO_SECTIONS_MAX) {
			c->pos = before;
			return -EUCLEAN;
		}
		flags = r.flags;
		e->sections++;
		e->raw_size += r.size;
		e->interleaved |= r.interleaved;
	}
	if (e->sections > 1) {
		if (!e->z_version && S_ISREG(e->attr.mode))
			e->attr.size = e->raw_size;
		e->attr.blocks = (e->raw_size + 511) / 512;
	}
	return 0;
}

/* The entry that begins with @r, which was read from position @at. */
static void build_entry(struct iso_cursor *c, const struct iso_record *r, uint64_t at,
			struct iso_entry *e)
{
	int ret;

	e->pos = c->dir.start + at;
	e->damage = iso_entry_parse(c, r, c->iso->susp_skip, e);
	if (r->flags & REC_MULTI && !(r->flags & REC_DIR)) {
		ret = add_sections(c, r, e);
		if (!e->damage)
			e->damage = ret;
	} else if (!e->damage) {
		iso_cdxa_look(c->iso, r, e);
	}
	e->next = c->pos;
}

/* Nothing but a name. */
static void blank(struct iso_entry *e)
{
	uint64_t ino = e->pos;

	memset(&e->attr, 0, sizeof(e->attr));
	e->attr.ino = ino;
}

static void enter_child(struct iso_fs *iso, struct iso_entry *e)
{
	if (!e->damage && S_ISDIR(e->attr.mode))
		e->damage = iso_dir_enter(iso, e->extent, (uint32_t)e->raw_size, e->pos, &e->attr);
	if (e->damage)
		blank(e);
}

int iso_entry_next(struct iso_cursor *c, struct iso_entry *e, bool attrs)
{
	const struct vd_fs_options *o = &c->iso->o;
	struct iso_record r;
	uint64_t at;
	int ret;

	while ((ret = iso_cursor_next(c, &r, &at)) == 1) {
		if (is_dot(&r) || is_dotdot(&r))
			continue;
		build_entry(c, &r, at, e);
		if (e->damage == -EBADMSG)
			return -EUCLEAN;
		if ((o->hide && e->flags & REC_HIDDEN) || (!o->showassoc && e->flags & REC_ASSOC) ||
		    e->relocated)
			continue;
		if (attrs)
			enter_child(c->iso, e);
		/* A relocated directory without the RE field that should hide it here (makefs). */
		if (e->damage == -ENOENT)
			continue;
		/* Without memory nothing is known: that is no damage. */
		if (e->damage == -ENOMEM)
			return -ENOMEM;
		return 1;
	}
	return ret;
}

int iso_entry_at(struct iso_fs *iso, uint64_t ino, struct iso_cursor *c, struct iso_entry *e)
{
	struct iso_dir dir = { .size = UINT32_MAX };
	struct iso_record r;
	uint64_t start, at;
	int ret;

	iso_cursor_init(c, iso, &dir, 0);
	ret = ino < iso->disc_bytes ? iso_tree_owner(iso, ino, &start) : -ENOENT;
	if (ret)
		return ret;
	/* Only where a record begins: so from the beginning of the sector on. */
	c->dir.start = start;
	c->pos = (ino - start) & ~(uint64_t)(ISO_SECTOR - 1);
	c->loose = true;
	c->chunk = ISO_SECTOR;
	do {
		ret = iso_cursor_next(c, &r, &at);
	} while (ret == 1 && start + at < ino);
	if (ret != 1)
		return ret ? ret : -ENOENT;
	if (start + at != ino || is_dot(&r) || is_dotdot(&r))
		return -ENOENT;
	build_entry(c, &r, at, e);
	return e->damage == -EBADMSG ? -EUCLEAN : e->damage;
}

/*
 * Reads the "." record of a directory: its sizes and its attributes; and from the ".." record whether it was moved away
 * from where it belongs.
 */
static int read_dot(struct iso_fs *iso, uint64_t extent, uint32_t size, struct iso_dir *dir,
		    struct iso_entry *e, bool *moved)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_record r;
	uint64_t at, left;
	bool fits;
	int ret;

	*dir = (struct iso_dir){ .start = extent, .size = ISO_SECTOR, .sure = ISO_SECTOR };
	iso_cursor_init(&c, iso, dir, 0);
	c.chunk = ISO_SECTOR;
	if (extent >= iso->disc_bytes)
		return extent < iso->limit ? -EIO : -EUCLEAN;
	ret = iso_cursor_next(&c, &r, &at);
	if (ret < 0)
		return ret;
	if (!ret || at || !is_dot(&r) || !(r.flags & REC_DIR))
		return -EUCLEAN;
	e->pos = extent;
	e->link = NULL;
	ret = iso_entry_parse(&c, &r, extent == iso->root ? iso->root_skip : iso->susp_skip, e);
	if (ret)
		return ret == -EBADMSG ? -EUCLEAN : ret;

	/* The two sizes: one that the volume cannot hold is the wrong one. */
	left = iso->limit - extent;
	fits = r.size && r.size <= left && r.size <= ISO_DIR_MAX;
	if (!size || (fits && (size > left || size > ISO_DIR_MAX)))
		size = r.size;
	else if (!fits)
		r.size = size;
	dir->size = size > r.size ? size : r.size;
	dir->sure = size > r.size ? r.size : size;
	if (!dir->sure || dir->size > ISO_DIR_MAX || dir->size > left)
		return -EUCLEAN;
	*moved = iso->view == ISO_ROCK && iso_cursor_next(&c, &r, &at) == 1 && is_dotdot(&r) &&
		 iso_record_moved(&c, &r, iso->susp_skip);
	return 0;
}

static void dir_attr(const struct iso_dir *dir, const struct iso_entry *e, struct vd_fs_attr *attr)
{
	*attr = e->attr;
	attr->ino = INO_DIR | dir->start;
	attr->size = dir->sure;
	attr->blocks = ((uint64_t)dir->sure + 511) / 512;
}

int iso_dir_enter(struct iso_fs *iso, uint64_t extent, uint32_t size, uint64_t place,
		  struct vd_fs_attr *attr)
{
	struct iso_entry e;
	struct iso_dir dir;
	bool moved;
	int r = iso_tree_check(iso, extent, place);

	if (!r)
		r = read_dot(iso, extent, size, &dir, &e, &moved);
	/* Its real place is that of the record with the CL field, which knows no size. */
	if (!r && moved && size)
		r = -ENOENT;
	if (!r)
		r = iso_tree_enter(iso, &dir, place);
	if (!r)
		r = iso_tree_find(iso, extent, &dir);
	if (!r)
		dir_attr(&dir, &e, attr);
	return r;
}

int iso_dir_getattr(struct iso_fs *iso, uint64_t start, struct vd_fs_attr *attr)
{
	struct iso_entry e;
	struct iso_dir dir, again;
	bool moved;
	int r = iso_tree_find(iso, start, &dir);

	if (!r)
		r = read_dot(iso, start, dir.size, &again, &e, &moved);
	if (!r)
		dir_attr(&dir, &e, attr);
	return r;
}

/* The directory that an inode number stands for. */
static int find_dir(struct iso_fs *iso, uint64_t ino, struct iso_dir *out)
{
	struct iso_cursor c;
	struct iso_entry e;
	int r;

	if (ino & INO_DIR)
		return iso_tree_find(iso, ino & ~INO_DIR, out);
	e.link = NULL;
	r = iso_entry_at(iso, ino, &c, &e);
	iso_cursor_done(&c);
	if (!r && S_ISDIR(e.attr.mode)) {
		enter_child(iso, &e);
		r = e.damage;
	}
	return r ? r : -ENOTDIR;
}

/*
 * A position that a caller made up may lie inside a record: only those at which one begins, or a sector's
 * padding, are taken.
 */
static int check_pos(struct iso_cursor *c, uint64_t pos)
{
	struct iso_record r;
	uint64_t at = pos;
	int ret = 1;

	c->pos = pos & ~(uint64_t)(ISO_SECTOR - 1);
	while (ret == 1 && c->pos < pos)
		ret = iso_cursor_next(c, &r, &at);
	if (ret < 0)
		return ret;
	/* Records passed over padding to a sector beyond: @pos lies in the padding. */
	if (c->pos > pos && at < pos)
		return -EINVAL;
	c->pos = pos;
	return 0;
}

int iso_dir_readdir(struct iso_fs *iso, uint64_t ino, uint64_t pos, vd_fs_filldir fill_entry,
		    void *arg)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	struct iso_dir dir = { .start = 0 };
	int r = find_dir(iso, ino, &dir);

	iso_cursor_init(&c, iso, &dir, 0);
	if (r)
		return r;
	if (pos >= dir.size)
		return 0;
	r = check_pos(&c, pos);
	if (r)
		return r;
	e.link = NULL;
	while ((r = iso_entry_next(&c, &e, true)) == 1) {
		r = fill_entry(arg, e.name, e.name_len, &e.attr, e.next);
		if (r)
			return r < 0 ? r : 0;
	}
	return r;
}

/* A directory too large for an index is read from end to end. */
static int scan(struct iso_fs *iso, const struct iso_dir *dir, const char *name, size_t len,
		uint64_t *pos)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	bool found = false;
	int r;

	iso_cursor_init(&c, iso, dir, 0);
	e.link = NULL;
	while ((r = iso_entry_next(&c, &e, false)) == 1) {
		int match = iso_name_match(iso, e.name, e.name_len, name, len);

		if (match == 2 || (match && !found)) {
			*pos = e.pos - dir->start;
			found = true;
		}
		if (match == 2)
			break;
	}
	if (found)
		return 0;
	return r ? r : -ENOENT;
}

static int entry_at_pos(struct iso_fs *iso, const struct iso_dir *dir, uint64_t pos,
			struct iso_entry *e)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	int r;

	iso_cursor_init(&c, iso, dir, pos);
	c.chunk = ISO_SECTOR;
	e->link = NULL;
	r = iso_entry_next(&c, e, false);
	return r == 1 ? 0 : r ? r : -ENOENT;
}

struct index_build {
	struct iso_fs *iso;
	const struct iso_dir *dir;
};

static int fill_index(void *arg, struct vd_name_index *ix)
{
	const struct index_build *b = arg;
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	int r;

	iso_cursor_init(&c, b->iso, b->dir, 0);
	e.link = NULL;
	while ((r = iso_entry_next(&c, &e, false)) == 1) {
		r = vd_name_index_add(ix, iso_name_hash(b->iso, e.name, e.name_len),
				      (uint32_t)(e.pos - b->dir->start));
		if (r)
			return r;
	}
	return r;
}

static int find_indexed(struct iso_fs *iso, const struct iso_dir *dir, const char *name, size_t len,
			struct iso_entry *e)
{
	struct vd_name_index *ix;
	struct index_build b = { .iso = iso, .dir = dir };
	uint32_t slot = 0, pos, other = UINT32_MAX;
	int damage, r = vd_name_index_get(iso->indexes, dir->start >> iso->shift, fill_index, &b,
					  &ix, &damage);

	if (r)
		return r;
	r = -ENOENT;
	while (vd_name_index_find(ix, iso_name_hash(iso, name, len), &slot, &pos)) {
		int match;

		r = entry_at_pos(iso, dir, pos, e);
		if (r)
			break;
		match = iso_name_match(iso, e->name, e->name_len, name, len);
		if (match == 2)
			break;
		if (match && other == UINT32_MAX)
			other = pos;
		r = -ENOENT;
	}
	if (r == -ENOENT && other != UINT32_MAX)
		r = entry_at_pos(iso, dir, other, e);
	else if (r == -ENOENT && damage)
		r = damage;
	vd_name_index_put(iso->indexes, ix);
	return r;
}

int iso_dir_lookup(struct iso_fs *iso, uint64_t ino, const char *name, size_t len,
		   struct vd_fs_attr *attr)
{
	struct iso_entry e;
	struct iso_dir dir;
	int r = find_dir(iso, ino, &dir);

	if (r)
		return r;
	r = find_indexed(iso, &dir, name, len, &e);
	if (r == -EFBIG) {
		uint64_t pos;

		r = scan(iso, &dir, name, len, &pos);
		if (!r)
			r = entry_at_pos(iso, &dir, pos, &e);
	}
	if (r)
		return r;
	enter_child(iso, &e);
	if (!e.damage)
		*attr = e.attr;
	return e.damage;
}
