// SPDX-License-Identifier: GPL-3.0-or-later
#include "udfwalk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "test_store_mem.h"

#define READ_MAX (4u << 20) /* no file of a sample is larger */

static void wrong(struct udfwalk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct udfwalk *w, const char *fmt, ...)
{
	va_list ap;

	if (w->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->wrong, sizeof(w->wrong), fmt, ap);
	va_end(ap);
}

struct vd_disc *udfwalk_disc_of(struct vd_store *store)
{
	struct vd_track t = { .number = 1, .session = 1, .length = (uint32_t)(store->size / 2048) };
	struct vd_disc *d;

	if (vd_disc_new(&d) || vd_disc_own_store(d, store) ||
	    vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, store, 0, NULL))
		abort();
	return d;
}

struct vd_disc *udfwalk_disc(const uint8_t *image, size_t size)
{
	return udfwalk_disc_of(&mem_store_new(image, size)->store);
}

struct entry {
	char name[VD_FS_NAME_MAX + 1];
	struct vd_fs_attr attr;
};

struct list {
	struct udfwalk *w;
	struct entry *e;
	size_t n, room;
	uint64_t last;
};

static int collect(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		   uint64_t next)
{
	struct list *l = arg;

	if (!len || len > VD_FS_NAME_MAX || memchr(name, '/', len) || memchr(name, 0, len) ||
	    !attr->ino || attr->ino >> 56)
		wrong(l->w, "a name or number that cannot be");
	if (next <= l->last)
		wrong(l->w, "positions do not ascend at %.*s", (int)len, name);
	l->last = next;
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->e = realloc(l->e, l->room * sizeof(*l->e));
		if (!l->e)
			abort();
	}
	memcpy(l->e[l->n].name, name, len);
	l->e[l->n].name[len] = '\0';
	l->e[l->n++].attr = *attr;
	return 0;
}

static const struct udfb_node *real(const struct udfb_node *n)
{
	return n->same ? n->same : n;
}

/* The highest number says that there is no owner. */
static uint32_t owner(uint32_t id)
{
	return id == UINT32_MAX ? 65534 : id;
}

static void check_attr(struct udfwalk *w, const struct udfb_node *node, const struct vd_fs_attr *a)
{
	static const uint32_t types[] = {
		[4] = S_IFDIR, [5] = S_IFREG,	[6] = S_IFBLK, [7] = S_IFCHR,
		[9] = S_IFIFO, [10] = S_IFSOCK, [12] = S_IFLNK
	};
	const struct udfb_node *n = real(node);
	const bool dir = n->type == 4, link = n->type == 12;

	if ((a->mode & S_IFMT) != types[n->type] || (a->mode & 07777) != (link ? 0777 : n->mode) ||
	    a->uid != owner(n->uid) || a->gid != owner(n->gid) ||
	    a->nlink != n->links + (dir ? 1u : 0u))
		wrong(w, "%s: mode %o, owner %u:%u, links %u", node->shown, a->mode, a->uid, a->gid,
		      a->nlink);
	if (!dir && !link && a->size != n->size)
		wrong(w, "%s: size %llu", node->shown, (unsigned long long)a->size);
	/* An hour east of Greenwich. */
	if (n->time[0] == 60 && (a->mtime.tv_sec != 981169506 || a->mtime.tv_nsec != 70809000))
		wrong(w, "%s: time %lld", node->shown, (long long)a->mtime.tv_sec);
	if ((n->type == 6 || n->type == 7) && a->rdev != makedev(n->major, n->minor))
		wrong(w, "%s: device", node->shown);
}

static void check_file(struct udfwalk *w, struct vd_fs *fs, const struct udfb_node *node,
		       uint64_t ino)
{
	static uint8_t buf[READ_MAX];
	const struct udfb_node *n = real(node);
	struct vd_fs_extent x;
	ssize_t got = vd_fs_read(fs, ino, buf, sizeof(buf), 0);

	if (got < 0) {
		w->errors++;
		return;
	}
	if ((size_t)got != n->size || memcmp(buf, n->data, n->size))
		wrong(w, "%s: contents", node->shown);
	/* From the middle of blocks, and through the map. */
	for (size_t off = 1; off < n->size; off += 3333) {
		size_t len = n->size - off < 5000 ? n->size - off : 5000;

		got = vd_fs_read(fs, ino, buf, 5000, off);
		if (got != (ssize_t)len || memcmp(buf, n->data + off, len))
			wrong(w, "%s: contents from %zu on", node->shown, off);
	}
	for (uint64_t off = 0; off < n->size; off += x.len) {
		if (vd_fs_map(fs, ino, off, &x) || !x.len || x.len > n->size - off) {
			wrong(w, "%s: no map at %llu", node->shown, (unsigned long long)off);
			return;
		}
		memset(buf, 0, x.len);
		if (!x.hole && vd_disc_pread(fs->disc, buf, x.len, x.offset))
			wrong(w, "%s: map beyond the disc", node->shown);
		if (memcmp(buf, n->data + off, x.len))
			wrong(w, "%s: map at %llu", node->shown, (unsigned long long)off);
	}
}

static void check_link(struct udfwalk *w, struct vd_fs *fs, const struct udfb_node *n,
		       const struct vd_fs_attr *a)
{
	char target[VD_FS_LINK_MAX];

	if (vd_fs_readlink(fs, a->ino, target, sizeof(target)))
		w->errors++;
	else if (strlen(target) != a->size || strcmp(target, n->target))
		wrong(w, "%s: leads to %s", n->shown, target);
}

static void walk(struct udfwalk *w, struct vd_fs *fs, const struct udfb_node *dir, uint64_t ino,
		 size_t limit);

static void check_entry(struct udfwalk *w, struct vd_fs *fs, const struct udfb_node *n,
			uint64_t dir, const struct entry *e)
{
	struct vd_fs_attr a;
	int r;

	w->entries++;
	r = vd_fs_lookup(fs, dir, e->name, strlen(e->name), &a);
	if (r || !(e->attr.mode & S_IFMT)) {
		if (!r)
			wrong(w, "%s is damaged, but found", e->name);
		w->errors++;
		return;
	}
	if (memcmp(&a, &e->attr, sizeof(a)))
		wrong(w, "%s: what is found is not what is listed", e->name);
	if (vd_fs_getattr(fs, a.ino, &a) || memcmp(&a, &e->attr, sizeof(a)))
		wrong(w, "%s: its number gives something else", e->name);
	check_attr(w, n, &a);
	if (S_ISREG(a.mode))
		check_file(w, fs, n, a.ino);
	else if (S_ISLNK(a.mode))
		check_link(w, fs, n, &a);
	else if (S_ISDIR(a.mode))
		walk(w, fs, n, a.ino, SIZE_MAX);
}

static void walk(struct udfwalk *w, struct vd_fs *fs, const struct udfb_node *dir, uint64_t ino,
		 size_t limit)
{
	struct list l = { .w = w };
	int r = vd_fs_readdir(fs, ino, 0, collect, &l);
	const struct udfb_node *n = dir->child;

	if (r)
		w->errors++;
	for (size_t i = 0; i < l.n; i++) {
		/* In the disc's order. */
		while (n && limit && strcmp(n->shown, l.e[i].name)) {
			if (n->shown[0] && !w->errors)
				wrong(w, "%s is missing", n->shown);
			n = n->next;
			limit--;
		}
		if (!n || !limit) {
			wrong(w, "%s should not be there", l.e[i].name);
			break;
		}
		check_entry(w, fs, n, ino, &l.e[i]);
		n = n->next;
		limit--;
	}
	for (; n && limit--; n = n->next)
		if (n->shown[0] && !w->errors)
			wrong(w, "%s is missing at the end", n->shown);
	free(l.e);
}

void udfwalk(struct vd_fs *fs, const struct udfb *b, size_t limit, struct udfwalk *out)
{
	memset(out, 0, sizeof(*out));
	walk(out, fs, b->root, fs->root, limit ? limit : SIZE_MAX);
}
