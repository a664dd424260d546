// SPDX-License-Identifier: GPL-3.0-or-later
#include "fs_walk.h"

#include <string.h>
#include <sys/stat.h>

#define READ_MAX (256u << 10) /* bytes of one file, and of all together */
#define READ_TOTAL_MAX (4u << 20)

struct walk {
	struct vd_fs *fs;
	size_t entries, max; /* every entry belongs to one directory */
	size_t read;
};

struct entry {
	struct vd_fs_attr attr;
	size_t len;
	char name[VD_FS_NAME_MAX];
};

struct list {
	struct entry *e;
	size_t n, room, stop;
	uint64_t last;
};

static int collect(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		   uint64_t next)
{
	struct list *l = arg;

	EXPECT(len && len <= VD_FS_NAME_MAX);
	EXPECT(!memchr(name, '/', len) && !memchr(name, '\0', len));
	EXPECT(!(len == 1 && name[0] == '.') && !(len == 2 && !memcmp(name, "..", 2)));
	EXPECT(next > l->last);
	EXPECT(attr->ino && attr->ino < UINT64_C(1) << 56);
	if (l->n == l->stop)
		return 1;
	l->last = next;
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->e = realloc(l->e, l->room * sizeof(*l->e));
		EXPECT(l->e);
	}
	l->e[l->n].attr = *attr;
	l->e[l->n].len = len;
	memcpy(l->e[l->n++].name, name, len);
	return 0;
}

static void read_file(struct walk *w, const struct vd_fs_attr *a)
{
	static uint8_t buf[65536], again[512];
	struct vd_fs_extent x;
	uint64_t off = 0;
	int r = vd_fs_map(w->fs, a->ino, 0, &x);

	if (!r)
		EXPECT(x.len && x.len <= a->size && x.offset + x.len <= vd_disc_size(w->fs->disc));
	EXPECT(vd_fs_map(w->fs, a->ino, a->size, &x) < 0);
	while (off < READ_MAX && w->read < READ_TOTAL_MAX) {
		ssize_t n = vd_fs_read(w->fs, a->ino, buf, sizeof(buf), off);

		EXPECT(n <= (ssize_t)sizeof(buf));
		if (n < 0)
			break;
		EXPECT(off + (uint64_t)n <= a->size);
		EXPECT(n == (ssize_t)sizeof(buf) || off + (uint64_t)n == a->size);
		if (!n)
			break;
		/* A part reads as the whole did. */
		if ((size_t)n > sizeof(again)) {
			size_t at = (size_t)n / 2 - 100;

			EXPECT(vd_fs_read(w->fs, a->ino, again, sizeof(again), off + at) ==
			       (ssize_t)(sizeof(again) < (size_t)n - at ? sizeof(again)
									: (size_t)n - at));
			EXPECT(!memcmp(again, buf + at,
				       sizeof(again) < (size_t)n - at ? sizeof(again)
								      : (size_t)n - at));
		}
		off += (uint64_t)n;
		w->read += (size_t)n;
	}
	EXPECT(vd_fs_read(w->fs, a->ino, buf, 1, a->size) <= 0);
}

static void walk_dir(struct walk *w, uint64_t ino)
{
	struct list l = { .stop = SIZE_MAX };
	struct list part = { .stop = 3 };
	int r = vd_fs_readdir(w->fs, ino, 0, collect, &l);

	/* In small parts it is the same. */
	for (size_t at = 0; at < l.n;) {
		size_t before = part.n;

		part.stop = before + 3;
		EXPECT(vd_fs_readdir(w->fs, ino, part.last, collect, &part) <= 0);
		EXPECT(part.n > before && part.n <= l.n);
		for (; at < part.n; at++)
			EXPECT(!memcmp(&l.e[at].attr, &part.e[at].attr, sizeof(l.e[at].attr)) &&
			       l.e[at].len == part.e[at].len &&
			       !memcmp(l.e[at].name, part.e[at].name, l.e[at].len));
		if (r)
			break;
	}
	free(part.e);
	for (size_t i = 0; i < l.n; i++) {
		const struct entry *e = &l.e[i];
		struct vd_fs_attr a;
		char target[VD_FS_LINK_MAX];

		EXPECT(++w->entries <= w->max);
		r = vd_fs_lookup(w->fs, ino, e->name, e->len, &a);
		/* Another entry of that name may stand before it. */
		if (!(e->attr.mode & S_IFMT))
			continue;
		EXPECT(!vd_fs_getattr(w->fs, e->attr.ino, &a));
		EXPECT(!memcmp(&a, &e->attr, sizeof(a)));
		if (S_ISREG(a.mode))
			read_file(w, &a);
		if (S_ISLNK(a.mode)) {
			r = vd_fs_readlink(w->fs, a.ino, target, sizeof(target));
			EXPECT(!r && strlen(target) == a.size && a.size);
		}
		if (S_ISDIR(a.mode))
			walk_dir(w, a.ino);
	}
	free(l.e);
}

void fs_wrong_numbers(struct vd_fs *fs, const uint8_t *data, size_t size, uint64_t mask)
{
	for (size_t i = 0; i + 8 <= size && i < 256; i += 8) {
		struct vd_fs_attr a;
		struct vd_fs_extent x;
		struct list l = { .stop = 4 };
		uint64_t ino;
		char byte;

		memcpy(&ino, data + i, sizeof(ino));
		ino &= mask;
		if (i % 16)
			ino %= vd_disc_size(fs->disc) + 1;
		(void)vd_fs_getattr(fs, ino, &a);
		(void)vd_fs_lookup(fs, ino, "x", 1, &a);
		(void)vd_fs_map(fs, ino, i, &x);
		(void)vd_fs_read(fs, ino, &byte, 1, i);
		(void)vd_fs_readdir(fs, ino, i, collect, &l);
		free(l.e);
	}
}

void fs_walk(struct vd_fs *fs, size_t max)
{
	struct walk w = { .fs = fs, .max = max };

	walk_dir(&w, fs->root);
}
