// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Directories: file identifier descriptors (4/14.4), and the questions that are asked about them.
 *
 * An entry whose ICB cannot be read, or which is a directory that stands elsewhere too, is shown as a name without a type, and a
 * lookup of it gives the error. A damaged identifier descriptor ends its directory with an error: where the next one begins is not
 * known for sure.
 *
 * A position is that of an identifier descriptor, and which part of it comes next: 0, the entry; n, its named stream n - 1. Streams are
 * shown only with -o streams, as FILE:STREAM; those of the root, which nothing names, as :STREAM behind the root's parent entry.
 */
#define _GNU_SOURCE
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define CHUNK_FIRST 4096u
#define CHUNK_MAX 32768u
#define FID_SIZE 38u
#define PART_BITS 16
#define STREAMS_MAX ((1u << PART_BITS) - 2)

/* Reads the identifier descriptors of a directory one after the other. */
struct cursor {
	struct udf_fs *u;
	uint64_t ino;
	uint32_t pos;
	struct udf_node node;
	struct udf_iter iter;
	size_t chunk;
	uint32_t buf_pos;
	size_t buf_len;
	uint8_t buf[CHUNK_MAX];
	/* Entries' ICBs, which lie together as a rule. */
	struct udf_window window;
	struct udf_node child;
	char name[2 * VD_FS_NAME_MAX + 1]; /* with that of a stream */
};

static void cursor_cleanup(struct cursor **c)
{
	free(*c);
}

static int cursor_new(struct udf_fs *u, struct udf_addr icb, struct cursor **out)
{
	struct cursor *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->u = u;
	c->ino = udf_ino(icb);
	c->pos = c->buf_pos = 0;
	c->buf_len = c->window.len = 0;
	c->chunk = CHUNK_FIRST;
	r = udf_node_read(u, icb, NULL, &c->node);
	if (!r && !S_ISDIR(c->node.attr.mode))
		r = -ENOTDIR;
	if (!r && c->node.size > UDF_DIR_MAX)
		r = -EUCLEAN;
	if (r) {
		free(c);
		return r;
	}
	udf_iter_init(&c->iter, u, &c->node);
	*out = c;
	return 0;
}

/* A directory that was met. */
static int cursor_open(struct udf_fs *u, uint64_t ino, struct cursor **out)
{
	struct udf_addr icb;
	int r = udf_ino_addr(u, ino, &icb);

	if (r)
		return r;
	r = cursor_new(u, icb, out);
	if (!r && !udf_tree_has(u, ino)) {
		free(*out);
		return -ENOENT;
	}
	return r;
}

/* @n bytes from c->pos on. */
static int need(struct cursor *c, size_t n)
{
	size_t left = (size_t)(c->node.size - c->pos), len;
	int r;

	if (c->pos >= c->buf_pos && c->pos - c->buf_pos + n <= c->buf_len)
		return 0;
	if (n > left)
		return -EUCLEAN;
	len = left < c->chunk ? left : c->chunk;
	if (len < n)
		len = n;
	c->buf_len = 0;
	r = udf_node_pread(&c->iter, c->buf, len, c->pos);
	if (r)
		return r;
	c->buf_pos = c->pos;
	c->buf_len = len;
	c->chunk = CHUNK_MAX;
	return 0;
}

static int parse_fid(struct cursor *c, struct udf_fid *f)
{
	const uint8_t *p;
	uint32_t len, use;
	int r;

	if (c->pos >= c->node.size)
		return 0;
	r = need(c, FID_SIZE);
	if (r)
		return r;
	p = c->buf + (c->pos - c->buf_pos);
	use = vd_get_le16(p + 36);
	len = (FID_SIZE + use + p[19] + 3) & ~3u;
	if (len > UDF_FID_MAX)
		return -EUCLEAN;
	r = need(c, len);
	if (r)
		return r;
	p = c->buf + (c->pos - c->buf_pos);
	r = udf_tag_check(p, len, UDF_TAG_FID);
	if (r)
		return r;
	*f = (struct udf_fid){ .pos = c->pos,
			       .next = c->pos + len,
			       .flags = p[18],
			       .icb = udf_long_ad(p + 20),
			       .icb_len = vd_get_le32(p + 20) & 0x3fffffff,
			       .name = p + FID_SIZE + use,
			       .name_len = p[19] };
	return 1;
}

/* 1, 0 at the end, -errno. What it gives points into the cursor. */
static int next_fid(struct cursor *c, struct udf_fid *f)
{
	int r = parse_fid(c, f);

	/* A bad copy, where there is another: once for this descriptor. */
	if (r < 0 && r != -ENOMEM && c->node.ad != UDF_AD_EMBEDDED &&
	    udf_has_mirror(c->u, c->node.addr)) {
		c->buf_len = 0;
		c->iter.mirror = true;
		if (parse_fid(c, f) == 1)
			r = 1;
		c->iter.mirror = false;
		c->buf_len = 0;
	}
	if (r == 1)
		c->pos = f->next;
	return r;
}

static bool is_shown(const struct udf_fs *u, const struct udf_fid *f)
{
	if (f->flags & (UDF_FID_PARENT | UDF_FID_DELETED))
		return false;
	return !(f->flags & UDF_FID_HIDDEN) || u->o.unhide;
}

/* The next one that is an entry. */
static int next_entry(struct cursor *c, struct udf_fid *f)
{
	int r;

	while ((r = next_fid(c, f)) == 1 && !is_shown(c->u, f))
		;
	return r;
}

/* Reads the ICB of an entry into c->child; a directory is entered. */
static int read_child(struct cursor *c, const struct udf_fid *f)
{
	int r = f->icb_len ? udf_node_read(c->u, f->icb, &c->window, &c->child) : -EUCLEAN;

	/* A stream directory is no directory of the tree. */
	if (!r && c->child.type == UDF_TYPE_STREAM_DIR)
		r = -EUCLEAN;
	if (!r && S_ISDIR(c->child.attr.mode))
		r = udf_tree_enter(c->u, &c->child, udf_ino(f->icb), c->ino, f->pos);
	return r;
}

/* Nothing but a name; a number that no ICB has, but which tells it from others. */
static void blank(const struct cursor *c, const struct udf_fid *f, struct vd_fs_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->ino = UINT64_C(1) << 55 | (c->ino << 20 & ((UINT64_C(1) << 55) - 1)) | f->pos >> 2;
}

/* Named streams: 4/9.2, UDF 3.3.5. Without them there is no @out, and that is no error. */
static int open_streams(struct udf_fs *u, const struct udf_node *owner, struct cursor **out)
{
	int r;

	if (!owner->has_streams)
		return 0;
	r = cursor_new(u, owner->streams, out);
	if (!r && (*out)->node.type != UDF_TYPE_STREAM_DIR)
		r = -EUCLEAN;
	/* It belongs to this one and no other, as a directory to its parent. */
	if (!r)
		r = udf_tree_enter(u, &(*out)->node, (*out)->ino, owner->attr.ino, UINT32_MAX);
	return r;
}

/*
 * Gives the streams of @owner from number @first on, as c->name, which is @len long, and theirs. 1 when @fill wants no more.
 * The streams of an owner that cannot be read are one entry without a type.
 */
static int fill_streams(struct cursor *c, const struct udf_fid *f, const struct udf_node *owner,
			size_t len, uint32_t first, uint64_t end, vd_fs_filldir fill, void *arg)
{
	_cleanup_(cursor_cleanup) struct cursor *s = NULL;
	const uint64_t pos = (uint64_t)f->pos << PART_BITS;
	struct vd_fs_attr attr;
	struct udf_fid sf;
	uint32_t n = 0;
	int r = open_streams(c->u, owner, &s);

	c->name[len++] = ':';
	while (!r && s && (r = next_entry(s, &sf)) == 1) {
		size_t name_len = udf_file_name(sf.name, sf.name_len, c->name + len);

		if (n++ < first) {
			r = 0;
			continue;
		}
		r = n > STREAMS_MAX ? -EUCLEAN : read_child(s, &sf);
		if (r == -ENOMEM)
			return r;
		if (!r && !S_ISREG(s->child.attr.mode))
			r = -EUCLEAN;
		attr = s->child.attr;
		if (r)
			blank(s, &sf, &attr);
		if (len + name_len > VD_FS_NAME_MAX)
			return -ENAMETOOLONG;
		r = fill(arg, c->name, len + name_len, &attr, pos | (n + 1));
		if (r)
			return r;
	}
	if (r == -ENOMEM || r >= 0)
		return r;
	/* The whole directory of streams is damaged, or the rest of it: one name says so. */
	if (first > n)
		return 0;
	blank(c, f, &attr);
	attr.ino ^= UINT64_C(1) << 54;
	return fill(arg, c->name, len, &attr, end);
}

static int fill_entry(struct cursor *c, const struct udf_fid *f, uint32_t part, vd_fs_filldir fill,
		      void *arg)
{
	const uint64_t end = (uint64_t)f->next << PART_BITS;
	struct vd_fs_attr attr;
	size_t len = udf_file_name(f->name, f->name_len, c->name);
	bool streams;
	int r = read_child(c, f);

	/* Without memory nothing is known: that is no damage. */
	if (r == -ENOMEM)
		return r;
	attr = c->child.attr;
	streams = !r && c->u->o.streams && c->child.has_streams;
	if (r)
		blank(c, f, &attr);
	r = part ? 0
		 : fill(arg, c->name, len, &attr,
			streams ? (uint64_t)f->pos << PART_BITS | 1 : end);
	if (!r && streams)
		r = fill_streams(c, f, &c->child, len, part ? part - 1 : 0, end, fill, arg);
	return r;
}

/*
 * A position that a caller made up may be none at which a descriptor begins: what is found there then has a wrong tag, checksum or
 * CRC. One that is made to look like a descriptor, in the name of another, is an entry like others.
 */
int udf_dir_readdir(struct udf_fs *u, uint64_t ino, uint64_t pos, vd_fs_filldir fill, void *arg)
{
	_cleanup_(cursor_cleanup) struct cursor *c = NULL;
	uint32_t part = pos & ((1u << PART_BITS) - 1);
	struct udf_fid f;
	int r = cursor_open(u, ino, &c);

	if (r)
		return r;
	if (pos >> PART_BITS >= c->node.size)
		return 0;
	c->pos = (uint32_t)(pos >> PART_BITS);
	while ((r = next_fid(c, &f)) == 1) {
		r = 0;
		if (is_shown(u, &f))
			r = fill_entry(c, &f, part, fill, arg);
		else if (f.flags & UDF_FID_PARENT && ino == u->fs.root && u->o.streams)
			r = fill_streams(c, &f, &c->node, 0, part ? part - 1 : 0,
					 (uint64_t)f.next << PART_BITS, fill, arg);
		if (r)
			return r < 0 ? r : 0;
		part = 0;
	}
	return r;
}

static uint32_t hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h ^ h >> 15;
}

static int fill_index(void *arg, struct vd_name_index *ix)
{
	struct cursor *c = arg;
	struct udf_fid f;
	int r;

	while ((r = next_entry(c, &f)) == 1) {
		size_t len = udf_file_name(f.name, f.name_len, c->name);

		r = vd_name_index_add(ix, hash(c->name, len), f.pos);
		if (r)
			return r;
	}
	return r;
}

static bool has_name(struct cursor *c, const struct udf_fid *f, const char *name, size_t len)
{
	return udf_file_name(f->name, f->name_len, c->name) == len && !memcmp(c->name, name, len);
}

/* The descriptor of a name from c->pos on. Where two entries have one name, it is the first. */
static int scan(struct cursor *c, const char *name, size_t len, struct udf_fid *f)
{
	int r;

	while ((r = next_entry(c, f)) == 1)
		if (has_name(c, f, name, len))
			return 0;
	return r ? r : -ENOENT;
}

static int find(struct cursor *c, const char *name, size_t len, struct udf_fid *f)
{
	struct udf_fs *u = c->u;
	struct vd_name_index *ix;
	uint32_t slot = 0, pos;
	int damage, r = vd_name_index_get(u->indexes, c->ino, fill_index, c, &ix, &damage);

	if (r == -EFBIG) {
		c->pos = 0;
		return scan(c, name, len, f);
	}
	if (r)
		return r;
	r = -ENOENT;
	while (r == -ENOENT && vd_name_index_find(ix, hash(name, len), &slot, &pos)) {
		c->pos = pos;
		r = next_fid(c, f);
		if (r >= 0)
			r = r && has_name(c, f, name, len) ? 0 : -ENOENT;
	}
	if (r == -ENOENT && damage)
		r = damage;
	vd_name_index_put(u->indexes, ix);
	return r;
}

/* FILE:STREAM, where c is the directory. */
static int find_stream(struct cursor *c, const char *name, size_t len, struct vd_fs_attr *attr)
{
	_cleanup_(cursor_cleanup) struct cursor *s = NULL;
	const struct udf_node *owner = &c->child;
	const char *colon = memrchr(name, ':', len);
	struct udf_fid f;
	size_t base;
	int r = 0;

	if (!colon)
		return -ENOENT;
	base = (size_t)(colon - name);
	if (base) {
		r = find(c, name, base, &f);
		if (!r)
			r = read_child(c, &f);
	} else if (c->ino == c->u->fs.root) {
		owner = &c->node;
	} else {
		r = -ENOENT;
	}
	if (!r)
		r = open_streams(c->u, owner, &s);
	if (!r)
		r = s ? scan(s, colon + 1, len - base - 1, &f) : -ENOENT;
	if (!r)
		r = read_child(s, &f);
	if (!r && !S_ISREG(s->child.attr.mode))
		r = -EUCLEAN;
	if (!r)
		*attr = s->child.attr;
	return r;
}

int udf_dir_lookup(struct udf_fs *u, uint64_t dir, const char *name, size_t len,
		   struct vd_fs_attr *attr)
{
	_cleanup_(cursor_cleanup) struct cursor *c = NULL;
	struct udf_fid f;
	int r = cursor_open(u, dir, &c);

	if (r)
		return r;
	r = find(c, name, len, &f);
	if (r == -ENOENT && u->o.streams)
		return find_stream(c, name, len, attr);
	if (!r)
		r = read_child(c, &f);
	if (!r)
		*attr = c->child.attr;
	return r;
}
