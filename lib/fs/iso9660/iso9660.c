// SPDX-License-Identifier: GPL-3.0-or-later
/* Opening a volume: which of its trees is shown; and the table of operations. See internal.h for the whole. */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

static void iso_close(struct vd_fs *fs)
{
	struct iso_fs *iso = iso_fs_of(fs);

	iso_tree_free(iso->tree);
	vd_name_indexes_free(iso->indexes);
	iso_zcache_free(iso->zcache);
	free(iso);
}

static int iso_getattr(struct vd_fs *fs, uint64_t ino, struct vd_fs_attr *attr)
{
	struct iso_fs *iso = iso_fs_of(fs);
	struct iso_cursor c;
	struct iso_entry e;
	int r;

	if (ino & INO_DIR)
		return iso_dir_getattr(iso, ino & ~INO_DIR, attr);
	e.link = NULL;
	r = iso_entry_at(iso, ino, &c, &e);
	iso_cursor_done(&c);
	if (!r && S_ISDIR(e.attr.mode))
		return iso_dir_enter(iso, e.extent, (uint32_t)e.raw_size, e.pos, attr);
	if (!r)
		*attr = e.attr;
	return r;
}

static int iso_lookup(struct vd_fs *fs, uint64_t dir, const char *name, size_t len,
		      struct vd_fs_attr *attr)
{
	return iso_dir_lookup(iso_fs_of(fs), dir, name, len, attr);
}

static int iso_readdir(struct vd_fs *fs, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg)
{
	return iso_dir_readdir(iso_fs_of(fs), dir, pos, fill, arg);
}

static int iso_readlink(struct vd_fs *fs, uint64_t ino, char *buf, size_t size)
{
	char link[VD_FS_LINK_MAX];
	struct iso_cursor c;
	struct iso_entry e;
	int r;

	if (ino & INO_DIR)
		return -EINVAL;
	e.link = link;
	r = iso_entry_at(iso_fs_of(fs), ino, &c, &e);
	iso_cursor_done(&c);
	if (r)
		return r;
	if (!S_ISLNK(e.attr.mode))
		return -EINVAL;
	if (e.link_len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, link, e.link_len + 1);
	return 0;
}

static int iso_map(struct vd_fs *fs, uint64_t ino, uint64_t off, struct vd_fs_extent *out)
{
	if (ino & INO_DIR)
		return -EISDIR;
	return iso_file_map(iso_fs_of(fs), ino, off, out);
}

static ssize_t iso_read(struct vd_fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off)
{
	if (ino & INO_DIR)
		return -EISDIR;
	return iso_file_read(iso_fs_of(fs), ino, buf, len, off);
}

static int iso_stat(struct vd_fs *fs, struct vd_fs_stat *out)
{
	const struct iso_fs *iso = iso_fs_of(fs);

	out->bytes = iso->volume_bytes;
	out->block = iso->block;
	out->name_max = iso->view == ISO_PLAIN ? 255 : VD_FS_NAME_MAX;
	return 0;
}

static const struct vd_fs_ops iso_ops = {
	.name = "iso9660",
	.getattr = iso_getattr,
	.lookup = iso_lookup,
	.readdir = iso_readdir,
	.readlink = iso_readlink,
	.map = iso_map,
	.read = iso_read,
	.stat = iso_stat,
	.close = iso_close,
};

/* The root's "." record and whether there is anything behind "..". */
static int look_at_root(struct iso_fs *iso, struct iso_susp_found *found, bool *empty)
{
	struct iso_dir dir = { .start = iso->root, .size = ISO_SECTOR, .sure = ISO_SECTOR };
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_record r;
	uint64_t at;
	int n = 0, ret;

	iso_cursor_init(&c, iso, &dir, 0);
	ret = iso_cursor_next(&c, &r, &at);
	if (ret != 1)
		return ret ? ret : -EUCLEAN;
	ret = iso_susp_detect(&c, &r, found);
	if (ret)
		return ret == -EBADMSG ? -EUCLEAN : ret;
	while (n < 2 && (ret = iso_cursor_next(&c, &r, &at)) == 1)
		n++;
	/* Damage right at its beginning does not make it empty. */
	*empty = n < 2 && !ret;
	return 0;
}

/*
 * As Linux does: Rock Ridge where the primary tree has it, else Joliet, else plain names. A disc whose primary
 * tree is empty and whose Joliet tree is not was made for Windows only: that one is shown.
 */
static int choose_view(struct iso_fs *iso, const struct iso_descriptors *d, uint32_t lba)
{
	const bool joliet = d->joliet_level && !iso->o.nojoliet;
	struct iso_susp_found found = { .sp = false };
	bool empty = true;
	int r;

	r = iso_volume_open(iso, d, lba, false);
	if (!r && !iso->o.norock)
		r = look_at_root(iso, &found, &empty);
	/* A primary tree that is damaged is no reason to hide it behind another one that is not asked for. */
	if (r)
		return r;
	if (found.er && !(joliet && empty)) {
		iso->view = ISO_ROCK;
	} else if (joliet) {
		iso->view = ISO_JOLIET;
		r = iso_volume_open(iso, d, lba, true);
	} else if (found.er || found.sp || found.rock) {
		iso->view = ISO_ROCK;
	} else {
		iso->view = ISO_PLAIN;
	}
	if (iso->view == ISO_ROCK) {
		iso->root_skip = found.at;
		iso->susp_skip = found.skip;
	}
	return r;
}

static int open_session(struct iso_fs *iso, uint32_t lba, struct vd_error *err)
{
	static const char *const views[] = { "iso9660", "rock ridge", "joliet" };
	_cleanup_free_ struct iso_descriptors *d = malloc(sizeof(*d));
	struct vd_fs_attr root;
	int r;

	if (!d)
		return vd_error_errno(err, -ENOMEM, "cannot open the file system");
	r = iso_descriptors_read(iso->fs.disc, lba, d);
	if (r)
		return vd_error_errno(err, r, "cannot read the volume descriptors");
	r = choose_view(iso, d, lba);
	if (r)
		return vd_error_errno(err, r, "cannot read the root directory");
	iso->fs.view = views[iso->view];
	/* Only Joliet names are compared without case by default: Windows wrote them. */
	iso->relaxed = iso->o.check ? iso->o.check == 'r' : iso->view == ISO_JOLIET;
	r = iso_tree_new(iso, &iso->tree);
	if (!r)
		r = vd_name_indexes_new(&iso->indexes);
	if (!r)
		r = iso_zcache_new(&iso->zcache);
	if (r)
		return vd_error_errno(err, r, "cannot open the file system");
	r = iso_dir_enter(iso, iso->root, iso->root_size, 0, &root);
	if (r)
		return vd_error_errno(err, r, "cannot read the root directory");
	iso->fs.root = root.ino;
	return 0;
}

int vd_iso_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
		struct vd_error *err)
{
	struct iso_session sessions[99];
	size_t n = iso_sessions(disc, sessions), chosen;
	struct iso_fs *iso;
	int r;

	if (!n)
		return vd_error_set(err, -EMEDIUMTYPE, "it has no ISO 9660 file system");
	r = iso_session_choose(sessions, n, o->session, &chosen, err);
	if (r)
		return r;
	iso = calloc(1, sizeof(*iso));
	if (!iso)
		return vd_error_errno(err, -ENOMEM, "cannot open the file system");
	iso->fs.ops = &iso_ops;
	iso->fs.disc = disc;
	iso->fs.session = sessions[chosen].number;
	iso->fs.nsessions = (int)n;
	iso->o = *o;
	r = open_session(iso, sessions[chosen].lba, err);
	if (r) {
		iso_close(&iso->fs);
		return r;
	}
	*out = &iso->fs;
	return 0;
}

static int note_zisofs(struct iso_fs *iso, struct vd_iso_info *out)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	struct iso_dir dir;
	int r = iso_tree_find(iso, iso->root, &dir);

	if (r)
		return r;
	iso_cursor_init(&c, iso, &dir, 0);
	e.link = NULL;
	while ((r = iso_entry_next(&c, &e, false)) == 1)
		out->zisofs_seen |= e.z_version != 0;
	return r;
}

int iso_info_tree(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_iso_info *out,
		  struct vd_error *err)
{
	const struct vd_fs_options primary = { .nojoliet = true, .session = o ? o->session : 0 };
	struct vd_fs *fs;
	int r = vd_iso_open(disc, &primary, &fs, err);

	if (r)
		return r;
	out->rock_ridge = iso_fs_of(fs)->view == ISO_ROCK;
	r = note_zisofs(iso_fs_of(fs), out);
	vd_fs_close(fs);
	return r ? vd_error_errno(err, r, "the root directory is damaged") : 0;
}
