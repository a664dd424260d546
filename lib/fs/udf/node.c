// SPDX-License-Identifier: GPL-3.0-or-later
/* ICBs: file entries (4/14.9) and extended file entries (4/14.17), and the links they may be (4/14.16). */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/cleanup.h"

#define ICB_HOPS_MAX 256u /* versions of one file with strategy 4096 */

#define EA_MAX (64u << 10) /* bytes of extended attributes in a file of their own */

/* ICB flags: 4/14.6.8. */
#define ICB_SETUID 0x40u
#define ICB_SETGID 0x80u
#define ICB_STICKY 0x100u

/* Where the two kinds of entries have their fields. */
static const struct layout {
	uint32_t size, blocks, atime, mtime, ctime, ea_icb, lengths;
} layouts[] = {
	{ 56, 64, 72, 84, 96, 112, 168 },  /* 4/14.9 */
	{ 56, 72, 80, 92, 116, 136, 208 }, /* 4/14.17 */
};

struct udf_addr udf_long_ad(const uint8_t *p)
{
	return (struct udf_addr){ .block = vd_get_le32(p + 4), .partition = vd_get_le16(p + 8) };
}

int udf_ino_addr(const struct udf_fs *u, uint64_t ino, struct udf_addr *out)
{
	const uint64_t partition = ino >> 32;

	if (!partition || partition > u->nmaps)
		return -ENOENT;
	*out = (struct udf_addr){ .block = (uint32_t)ino, .partition = (uint16_t)(partition - 1) };
	return 0;
}

static bool is_extended(const uint8_t *p)
{
	return vd_get_le16(p) == UDF_TAG_EFE;
}

/*
 * Strategy 4 has one entry. Strategy 4096 (UDF 6.6) has beside it an indirect one (4/14.7), which leads to a newer entry with the same,
 * and so on; the last one counts.
 */
static int read_entry(const struct udf_fs *u, struct udf_addr icb, struct udf_window *w,
		      struct udf_node *out)
{
	uint8_t next[UDF_BLOCK_MAX];
	uint8_t *p = out->block;

	for (uint32_t hops = 0; hops < ICB_HOPS_MAX; hops++) {
		int r = udf_read_descriptor(u, icb, UDF_TAG_FE, UDF_TAG_EFE, p, w, &out->place);

		if (r)
			return r;
		out->addr = icb;
		if (vd_get_le16(p + 20) == 4)
			return 0;
		if (vd_get_le16(p + 20) != 4096)
			return -EOPNOTSUPP;
		icb.block++;
		r = udf_read_descriptor(u, icb, UDF_TAG_IE, UDF_TAG_IE, next, w, NULL);
		/* No indirect entry, or one that leads nowhere: not recorded yet. */
		if (r == -EUCLEAN || (!r && !(vd_get_le32(next + 36) & 0x3fffffff)))
			return 0;
		if (r)
			return r;
		icb = udf_long_ad(next + 36);
	}
	return -ELOOP;
}

/* 4/14.9.5: execute, write, read, change attributes, delete; of others, group and owner, 5 bits each. */
static uint32_t permissions(const uint8_t *p)
{
	const uint32_t perm = vd_get_le32(p + 44);
	const uint16_t flags = vd_get_le16(p + 34);

	return (perm & 07) | (perm >> 2 & 070) | (perm >> 4 & 0700) |
	       (flags & ICB_SETUID ? S_ISUID : 0) | (flags & ICB_SETGID ? S_ISGID : 0) |
	       (flags & ICB_STICKY ? S_ISVTX : 0);
}

/* The device specification (4/14.10.7) among extended attributes; -ENOENT when there is none. */
static int find_device_in(const uint8_t *ea, size_t size, dev_t *out)
{
	size_t at = 24;

	if (!size)
		return -ENOENT;
	if (size < 24 || udf_tag_check(ea, size, UDF_TAG_EAHD))
		return -EUCLEAN;
	while (size - at >= 12) {
		const uint8_t *a = ea + at;
		uint32_t len = vd_get_le32(a + 8);

		if (len < 12 || len > size - at)
			return -EUCLEAN;
		if (vd_get_le32(a) == 12 && a[4] == 1) {
			if (len < 24)
				return -EUCLEAN;
			*out = makedev(vd_get_le32(a + 16), vd_get_le32(a + 20));
			return 0;
		}
		at += len;
	}
	return -ENOENT;
}

static int set_type(struct udf_node *n)
{
	static const struct {
		uint8_t type;
		uint32_t mode;
	} types[] = {
		{ UDF_TYPE_UNSPECIFIED, S_IFREG }, { UDF_TYPE_DIRECTORY, S_IFDIR },
		{ UDF_TYPE_REGULAR, S_IFREG },	   { UDF_TYPE_BLOCK, S_IFBLK },
		{ UDF_TYPE_CHAR, S_IFCHR },	   { UDF_TYPE_FIFO, S_IFIFO },
		{ UDF_TYPE_SOCKET, S_IFSOCK },	   { UDF_TYPE_SYMLINK, S_IFLNK },
		{ UDF_TYPE_STREAM_DIR, S_IFDIR },  { UDF_TYPE_VAT, S_IFREG },
		{ UDF_TYPE_REALTIME, S_IFREG },	   { UDF_TYPE_METADATA, S_IFREG },
		{ UDF_TYPE_MIRROR, S_IFREG },	   { UDF_TYPE_EA, S_IFREG },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == n->type) {
			n->attr.mode |= types[i].mode;
			return 0;
		}
	}
	return -EUCLEAN;
}

static void override(const struct udf_fs *u, struct vd_fs_attr *a)
{
	const struct vd_fs_options *o = &u->o;
	const bool dir = S_ISDIR(a->mode);

	if (o->has_uid)
		a->uid = o->uid;
	if (o->has_gid)
		a->gid = o->gid;
	if (dir ? o->has_dmode : o->has_mode)
		a->mode = (a->mode & S_IFMT) | (dir ? o->dmode : o->mode);
}

static int parse(const struct udf_fs *u, struct udf_node *n)
{
	const uint8_t *p = n->block;
	const struct layout *l = &layouts[is_extended(p)];
	const uint32_t fixed = l->lengths + 8;
	struct vd_fs_attr *a = &n->attr;
	uint32_t links = vd_get_le16(p + 48);
	int r;

	n->type = p[27];
	n->ad = p[34] & 7;
	n->size = vd_get_le64(p + l->size);
	n->ea_at = fixed;
	n->ea_len = vd_get_le32(p + l->lengths);
	n->ad_len = vd_get_le32(p + l->lengths + 4);
	if (n->ad > UDF_AD_EMBEDDED || n->ea_len > u->block - fixed ||
	    n->ad_len > u->block - fixed - n->ea_len || n->size > INT64_MAX)
		return -EUCLEAN;
	n->ad_at = fixed + n->ea_len;
	if (n->ad == UDF_AD_EMBEDDED && n->size > n->ad_len)
		return -EUCLEAN;
	n->has_streams = is_extended(p) && vd_get_le32(p + 152) & 0x3fffffff;
	if (n->has_streams)
		n->streams = udf_long_ad(p + 152);

	a->mode = permissions(p);
	r = set_type(n);
	if (r)
		return r;
	/* A directory's "." is no link on the disc. */
	a->nlink = (links ? links : 1) + (S_ISDIR(a->mode) ? 1 : 0);
	/* The highest id says that there is none (4/14.9.3): Linux shows the overflow id. */
	a->uid = vd_get_le32(p + 36) == UINT32_MAX ? 65534 : vd_get_le32(p + 36);
	a->gid = vd_get_le32(p + 40) == UINT32_MAX ? 65534 : vd_get_le32(p + 40);
	a->size = n->size;
	a->blocks = vd_get_le64(p + l->blocks) << (u->shift - 9);
	a->atime = udf_time(p + l->atime);
	a->mtime = udf_time(p + l->mtime);
	a->ctime = udf_time(p + l->ctime);
	if (S_ISLNK(a->mode))
		a->mode = S_IFLNK | 0777;
	override(u, a);
	return 0;
}

/* Extended attributes that do not fit into the entry are the contents of a file, which has an ICB of its own (4/14.9.15). */
static int find_device_outside(const struct udf_fs *u, const struct udf_node *n, dev_t *out)
{
	const uint8_t *icb = n->block + layouts[is_extended(n->block)].ea_icb;
	_cleanup_free_ struct udf_node *node = NULL;
	_cleanup_free_ struct udf_iter *it = NULL;
	_cleanup_free_ uint8_t *ea = NULL;
	int r;

	if (!(vd_get_le32(icb) & 0x3fffffff))
		return -ENOENT;
	node = malloc(sizeof(*node));
	it = malloc(sizeof(*it));
	ea = malloc(EA_MAX);
	if (!node || !it || !ea)
		return -ENOMEM;
	r = read_entry(u, udf_long_ad(icb), NULL, node);
	if (!r)
		r = parse(u, node);
	if (!r && (node->type != UDF_TYPE_EA || node->size > EA_MAX))
		r = -EUCLEAN;
	if (r)
		return r;
	udf_iter_init(it, u, node);
	r = udf_node_pread(it, ea, (size_t)node->size, 0);
	return r ? r : find_device_in(ea, (size_t)node->size, out);
}

static int find_device(const struct udf_fs *u, struct udf_node *n)
{
	int r = find_device_in(n->block + n->ea_at, n->ea_len, &n->attr.rdev);

	if (r == -ENOENT)
		r = find_device_outside(u, n, &n->attr.rdev);
	/* A device that says not which is damaged. */
	return r == -ENOENT ? -EUCLEAN : r;
}

int udf_node_read(const struct udf_fs *u, struct udf_addr icb, struct udf_window *w,
		  struct udf_node *out)
{
	char target[VD_FS_LINK_MAX];
	size_t len;
	int r = read_entry(u, icb, w, out);

	if (r)
		return r;
	memset(&out->attr, 0, sizeof(out->attr));
	out->attr.ino = udf_ino(icb);
	r = parse(u, out);
	/* Nothing that has a name or a stream. */
	if (!r && out->type == UDF_TYPE_EA)
		r = -EUCLEAN;
	if (!r && (S_ISBLK(out->attr.mode) || S_ISCHR(out->attr.mode)))
		r = find_device(u, out);
	if (r || !S_ISLNK(out->attr.mode))
		return r;
	/* What readlink() gives, not what it takes on the disc. */
	r = udf_node_readlink(u, out, target, sizeof(target), &len);
	out->attr.size = len;
	return r;
}

/* Appends @text where there is room for it and a NUL. */
static int append(char *buf, size_t size, size_t *n, const char *text, size_t len)
{
	if (len >= size - *n)
		return -ENAMETOOLONG;
	memcpy(buf + *n, text, len);
	*n += len;
	return 0;
}

/* Path components: 4/14.16.1. */
int udf_node_readlink(const struct udf_fs *u, const struct udf_node *node, char *buf, size_t size,
		      size_t *len)
{
	uint8_t path[VD_FS_LINK_MAX * 2];
	char name[VD_FS_NAME_MAX];
	struct udf_iter it;
	size_t n = 0;
	int r;

	*len = 0;
	if (!size || node->size > sizeof(path))
		return -ENAMETOOLONG;
	udf_iter_init(&it, u, node);
	r = udf_node_pread(&it, path, (size_t)node->size, 0);
	for (size_t at = 0; !r && at < node->size;) {
		const uint8_t *c = path + at;

		if (node->size - at < 4 || node->size - at - 4 < c[1])
			return -EUCLEAN;
		at += 4u + c[1];
		switch (c[0]) {
		case 1: /* a root that others have agreed on */
			if (c[1])
				break;
			/* fallthrough */
		case 2:
			n = 0;
			r = append(buf, size, &n, "/", 1);
			break;
		case 3:
			r = append(buf, size, &n, "../", 3);
			break;
		case 4:
			r = append(buf, size, &n, "./", 2);
			break;
		case 5:
			r = append(buf, size, &n, name, udf_file_name(c + 4, c[1], name));
			if (!r)
				r = append(buf, size, &n, "/", 1);
			break;
		default:
			return -EUCLEAN;
		}
	}
	if (r)
		return r;
	if (n > 1)
		n--;
	buf[n] = '\0';
	*len = n;
	return 0;
}
