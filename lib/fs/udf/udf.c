// SPDX-License-Identifier: GPL-3.0-or-later
/* Opening a volume, and the table of operations. See internal.h for the whole. */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void udf_close(struct vd_fs *fs)
{
	struct udf_fs *u = udf_fs_of(fs);

	udf_maps_close(u);
	udf_tree_free(u->tree);
	udf_marks_free(u->marks);
	vd_name_indexes_free(u->indexes);
	free(u);
}

static int read_ino(struct vd_fs *fs, uint64_t ino, struct udf_node *node)
{
	const struct udf_fs *u = udf_fs_of(fs);
	struct udf_addr icb;
	int r = udf_ino_addr(u, ino, &icb);

	return r ? r : udf_node_read(u, icb, NULL, node);
}

static int udf_getattr(struct vd_fs *fs, uint64_t ino, struct vd_fs_attr *attr)
{
	struct udf_node node;
	int r = read_ino(fs, ino, &node);

	if (!r && S_ISDIR(node.attr.mode) && !udf_tree_has(udf_fs_of(fs), ino))
		r = -ENOENT;
	if (!r)
		*attr = node.attr;
	return r;
}

static int udf_lookup(struct vd_fs *fs, uint64_t dir, const char *name, size_t len,
		      struct vd_fs_attr *attr)
{
	return udf_dir_lookup(udf_fs_of(fs), dir, name, len, attr);
}

static int udf_readdir(struct vd_fs *fs, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg)
{
	return udf_dir_readdir(udf_fs_of(fs), dir, pos, fill, arg);
}

static int udf_readlink(struct vd_fs *fs, uint64_t ino, char *buf, size_t size)
{
	struct udf_node node;
	size_t len;
	int r = read_ino(fs, ino, &node);

	if (!r && !S_ISLNK(node.attr.mode))
		r = -EINVAL;
	return r ? r : udf_node_readlink(udf_fs_of(fs), &node, buf, size, &len);
}

/* A regular file's contents: they end where the information length says. */
static int read_file(struct vd_fs *fs, uint64_t ino, struct udf_node *node)
{
	int r = read_ino(fs, ino, node);

	if (!r && S_ISDIR(node->attr.mode))
		r = -EISDIR;
	if (!r && !S_ISREG(node->attr.mode))
		r = -EINVAL;
	return r;
}

static int udf_map(struct vd_fs *fs, uint64_t ino, uint64_t off, struct vd_fs_extent *out)
{
	struct udf_node node;
	struct udf_iter it;
	int r = read_file(fs, ino, &node);

	if (r)
		return r;
	udf_iter_init(&it, udf_fs_of(fs), &node);
	return udf_node_map(&it, off, out);
}

static ssize_t udf_read(struct vd_fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off)
{
	struct udf_node node;
	struct udf_iter it;
	int r = read_file(fs, ino, &node);

	if (r)
		return r;
	if (off >= node.size)
		return 0;
	if (len > node.size - off)
		len = (size_t)(node.size - off);
	udf_iter_init(&it, udf_fs_of(fs), &node);
	r = udf_node_pread(&it, buf, len, off);
	return r ? r : (ssize_t)len;
}

static int udf_stat(struct vd_fs *fs, struct vd_fs_stat *out)
{
	const struct udf_fs *u = udf_fs_of(fs);

	*out = (struct vd_fs_stat){ .block = u->block, .name_max = VD_FS_NAME_MAX };
	/* Virtual and metadata partitions lie in others. */
	for (size_t i = 0; i < u->nmaps; i++)
		if (u->maps[i].kind <= VD_UDF_SPARABLE)
			out->bytes += u->maps[i].blocks << u->shift;
	return 0;
}

static const struct vd_fs_ops udf_ops = {
	.name = "udf",
	.getattr = udf_getattr,
	.lookup = udf_lookup,
	.readdir = udf_readdir,
	.readlink = udf_readlink,
	.map = udf_map,
	.read = udf_read,
	.stat = udf_stat,
	.close = udf_close,
};

static int open_root(struct udf_fs *u, struct vd_error *err)
{
	struct udf_node node = { .size = 0 };
	int r = udf_tree_new(u, &u->tree);

	if (!r)
		r = udf_marks_new(&u->marks);
	if (!r)
		r = vd_name_indexes_new(&u->indexes);
	if (r)
		return vd_error_errno(err, r, "cannot open the UDF file system");
	r = udf_node_read(u, u->root, NULL, &node);
	if (!r && node.type != UDF_TYPE_DIRECTORY)
		r = -EUCLEAN;
	if (!r)
		r = udf_tree_enter(u, &node, udf_ino(u->root), 0, 0);
	if (r)
		return vd_error_errno(err, r, "cannot read the UDF root directory");
	u->fs.root = udf_ino(u->root);
	return 0;
}

int vd_udf_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
		struct vd_error *err)
{
	struct udf_fs *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return vd_error_errno(err, -ENOMEM, "cannot open the UDF file system");
	u->fs.ops = &udf_ops;
	u->fs.disc = disc;
	u->fs.view = "udf";
	u->o = *o;
	u->disc_bytes = vd_disc_size(disc);
	r = udf_volume_open(u, err);
	if (!r)
		r = open_root(u, err);
	if (r) {
		udf_close(&u->fs);
		return r;
	}
	*out = &u->fs;
	return 0;
}

void vd_udf_info(const struct vd_fs *fs, struct vd_udf_info *out)
{
	*out = udf_fs_of(fs)->info;
}
