// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The ISO 9660 reader on any bytes, taken for a disc's. The first two bytes choose options; the rest is the image
 * from its 16th sector on, where volume descriptors begin, so that no input is wasted on the system area. The
 * walk must keep what fs.h promises, whatever the bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/fs.h"
#include "fs/iso9660/iso9660.h"

#define SECTOR 2048u
#define SYSTEM_AREA (16u * SECTOR)
#define READ_MAX (256u << 10) /* bytes of one file, and of all together */
#define READ_TOTAL_MAX (4u << 20)

#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "broken promise, line %d: %s\n", __LINE__, #cond);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct mem {
	struct vd_store store;
	const uint8_t *data; /* from SYSTEM_AREA on */
	size_t size;
};

static int mem_pread(struct vd_store *s, void *out, size_t len, uint64_t off)
{
	const struct mem *m = (struct mem *)s;
	uint8_t *buf = out;

	for (size_t i = 0; i < len; i++) {
		uint64_t at = off + i;

		if (at >= SYSTEM_AREA && at - SYSTEM_AREA < m->size) {
			size_t n = m->size - (size_t)(at - SYSTEM_AREA);

			n = n < len - i ? n : len - i;
			memcpy(buf + i, m->data + (at - SYSTEM_AREA), n);
			i += n - 1;
		} else {
			buf[i] = 0;
		}
	}
	return 0;
}

static void mem_close(struct vd_store *s)
{
	free(s);
}

static const struct vd_store_ops mem_ops = { .name = "mem",
					     .pread = mem_pread,
					     .close = mem_close };

struct walk {
	struct vd_fs *fs;
	size_t entries, max; /* a directory record takes 34 bytes, and belongs to one directory */
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

static void wrong_numbers(struct vd_fs *fs, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size && i < 256; i += 8) {
		struct vd_fs_attr a;
		struct vd_fs_extent x;
		struct list l = { .stop = 4 };
		uint64_t ino;
		char byte;

		memcpy(&ino, data + i, sizeof(ino));
		ino &= UINT64_C(0x1ffffffffffff);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_fs_options o = { .norock = false };
	struct vd_track t = { .number = 1, .session = 1 };
	struct vd_error err = { .text = "" };
	struct vd_iso_info *info;
	struct walk w = { .entries = 0 };
	struct mem *m;
	struct vd_disc *d;
	int r;

	if (size < 2)
		return 0;
	o.norock = data[0] & 1;
	o.nojoliet = data[0] & 2;
	o.map_off = data[0] & 4;
	o.hide = data[0] & 8;
	o.showassoc = data[0] & 16;
	o.check = data[0] & 32 ? 'r' : data[0] & 64 ? 's' : 0;
	o.session = data[1] & 3;
	data += 2;
	size -= 2;

	m = malloc(sizeof(*m));
	EXPECT(m);
	*m = (struct mem){ .data = data, .size = size };
	m->store = (struct vd_store){ .ops = &mem_ops, .block = 1, .read_only = true };
	/* Whole sectors, and some zeros behind. */
	t.length = (uint32_t)((SYSTEM_AREA + size) / SECTOR + 2);
	m->store.size = (uint64_t)t.length * SECTOR;
	EXPECT(!vd_disc_new(&d) && !vd_disc_own_store(d, &m->store) &&
	       !vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, &m->store, 0, NULL));

	info = malloc(sizeof(*info));
	EXPECT(info);
	r = vd_iso_info(d, &o, info, &err);
	EXPECT(!r || err.text[0]);
	free(info);

	err.text[0] = '\0';
	r = vd_fs_open(d, &o, &w.fs, &err);
	EXPECT(!r || err.text[0]);
	if (!r) {
		w.max = m->store.size / 33;
		walk_dir(&w, w.fs->root);
		wrong_numbers(w.fs, data, size);
		vd_fs_close(w.fs);
	}
	vd_disc_close(d);
	return 0;
}
