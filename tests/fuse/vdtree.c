// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "vdtree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fs/fs.h"
#include "images/image.h"
#include "util/cleanup.h"

static bool vdrive_run(const char *const *argv)
{
	struct check_cmd c = { .argv = argv, .timeout_ms = 30000 };

	return CHECK_RUN(&c, 0);
}

bool vdtree_fuse(const char *vdrive, const char *image, const char *opts, const char *dir,
		 struct tree *out)
{
	const char *mount[] = { vdrive, "mount", "-o", *opts ? opts : "ro", image, dir, NULL };
	const char *umount[] = { vdrive, "umount", dir, NULL };
	bool ok;

	if (!vdrive_run(mount))
		return false;
	ok = CHECK_OK(tree_walk(out, dir));
	return vdrive_run(umount) && ok;
}

struct library_walk {
	struct vd_fs *fs;
	struct tree *tree;
	struct library_entry {
		struct vd_fs_attr attr;
		char *name;
	} * entries;
	size_t n, room;
	uint64_t position;
};

static int library_fill(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
			uint64_t next)
{
	struct library_walk *w = arg;

	if (w->n == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		w->entries = realloc(w->entries, w->room * sizeof(*w->entries));
		if (!w->entries)
			return -ENOMEM;
	}
	w->entries[w->n].attr = *attr;
	w->entries[w->n++].name = strndup(name, len);
	w->position = next;
	return 0;
}

static void library_entry(struct tree_entry *e, const struct vd_fs_attr *a)
{
	struct stat st = { .st_mode = a->mode,
			   .st_nlink = a->nlink,
			   .st_uid = a->uid,
			   .st_gid = a->gid,
			   .st_rdev = a->rdev,
			   .st_size = (off_t)a->size,
			   .st_mtim = a->mtime };

	tree_entry_from_stat(e, &st);
}

static void library_file(struct vd_fs *fs, const struct vd_fs_attr *a, struct tree_entry *e)
{
	static struct tree_digest digest;
	static uint8_t buf[1 << 20];
	uint64_t off = 0;
	ssize_t n;

	tree_digest_init(&digest);
	while ((n = vd_fs_read(fs, a->ino, buf, sizeof(buf), off)) > 0) {
		tree_digest_add(&digest, buf, (size_t)n);
		off += (uint64_t)n;
	}
	if (n < 0)
		tree_error_text((int)n, e->digest);
	else
		tree_digest_end(&digest, e->digest);
}

static int library_dir(struct vd_fs *fs, struct tree *tree, uint64_t ino, const char *path)
{
	struct library_walk w = { .fs = fs, .tree = tree };
	int r = vd_fs_readdir(fs, ino, 0, library_fill, &w);

	if (r < 0) {
		for (size_t i = 0; i < tree->n; i++) {
			if (!strcmp(tree->entries[i].path, *path ? path : "."))
				tree_error_text(r, tree->entries[i].digest);
		}
		r = 0;
	}
	for (size_t i = 0; i < w.n; i++) {
		const struct vd_fs_attr *a = &w.entries[i].attr;
		struct tree_entry e = { 0 };
		char target[VD_FS_LINK_MAX];
		struct vd_fs_attr looked;
		char *sub = NULL;

		if (r || asprintf(&sub, "%s%s%s", path, *path ? "/" : "", w.entries[i].name) < 0) {
			free(w.entries[i].name);
			continue;
		}
		e.path = sub;
		library_entry(&e, a);
		/* The two ways to an entry must agree. */
		r = vd_fs_lookup(fs, ino, w.entries[i].name, strlen(w.entries[i].name), &looked);
		if (r)
			CHECK_ERRNO(r, -ELOOP); /* which reading it gives as well */
		else
			CHECK_UINT(looked.ino, a->ino);
		r = 0;
		if (e.type == 'f')
			library_file(fs, a, &e);
		if (e.type == 'l') {
			r = vd_fs_readlink(fs, a->ino, target, sizeof(target));
			if (r < 0)
				tree_error_text(r, e.digest);
			else
				e.target = target;
			r = 0;
		}
		r = tree_add(tree, &e);
		if (!r && e.type == 'd')
			r = library_dir(fs, tree, a->ino, sub);
		free(sub);
		free(w.entries[i].name);
	}
	free(w.entries);
	return r;
}

static int no_opener(struct vd_opener *o, const char *name, struct vd_error *err)
{
	return -ENOENT;
}

bool vdtree_library(const char *image, const char *opts, struct tree *out)
{
	struct vd_opener opener = { .open = no_opener };
	struct vd_fs_options o = { 0 };
	struct vd_error err = { "" };
	struct vd_disc *disc = NULL;
	struct vd_fs *fs = NULL;
	struct tree_entry root = { .path = (char[]){ "." } };
	struct vd_fs_attr attr;
	_cleanup_free_ char *text = strdup(opts);
	char *next = text, *option;
	bool ok = true;

	while (ok && (option = strsep(&next, ",")))
		ok = !*option || CHECK_OK(vd_fs_option(&o, option, &err));
	ok = ok &&
	     CHECK_OK(vd_image_open(&opener, open(image, O_RDONLY | O_CLOEXEC), image, &disc, NULL,
				    &err)) &&
	     CHECK_OK(vd_fs_open(disc, &o, &fs, &err)) &&
	     CHECK_OK(vd_fs_getattr(fs, fs->root, &attr));
	if (ok) {
		library_entry(&root, &attr);
		ok = CHECK_OK(tree_add(out, &root)) && CHECK_OK(library_dir(fs, out, fs->root, ""));
	} else {
		CHECK_STR(err.text, "");
	}
	tree_sort(out);
	vd_fs_close(fs);
	vd_disc_close(disc);
	return ok;
}
