// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Damaged and hostile ISO images, some hundreds, each made from the same sample by one change.
 *
 * Each is opened, walked and read whole in a process of its own with one second of CPU time and 64 MiB of address
 * space. What counts as right is known from the sample, not from the reader:
 *
 *   - what it returns as success is what the sample has in that place: type, size, mode, owner, time, bytes, target;
 *   - if nothing gave an error, nothing is missing.
 *
 * A change that makes another image just as valid (a letter in a name) has a victim: the node that may differ. A
 * change that can hide Rock Ridge as a whole leads to another of the image's trees, which is compared with what the
 * sample has there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fs/fs.h"
#include "isobuild.h"
#include "sanitized.h"
#include "test_store_mem.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECTOR 2048u
#define READ_MAX (8u << 20) /* of one file: no file of the sample is larger */

/* The sample. */

static struct isob *sample;
static struct isob_node *n_hello, *n_dir1, *n_a, *n_sub, *n_deep, *n_link, *n_long, *n_null,
	*n_dir2, *n_sections, *n_z1, *n_z2, *n_moved, *n_placeholder, *n_rr_moved, *n_last;

static uint8_t *pattern(size_t size, uint32_t seed)
{
	uint8_t *p = check_alloc(size + 1);

	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		/* Compressible, but no two blocks are equal. */
		p[i] = i % 3 ? (uint8_t)(seed >> 29) : (uint8_t)(i >> 8);
	}
	return p;
}

static struct isob_node *add_file(struct isob_node *dir, const char *name, size_t size)
{
	static uint32_t seed;

	return isob_file(sample, dir, name, pattern(size, ++seed), size);
}

static void make_sample(void)
{
	char name[256];

	sample = isob_new();
	sample->rock = sample->joliet = sample->boot = true;
	n_hello = add_file(NULL, "hello.txt", 100);
	n_dir1 = isob_dir(sample, NULL, "dir1");
	n_a = add_file(n_dir1, "a.txt", 5000);
	add_file(n_dir1, "b.txt", 0);
	n_sub = isob_dir(sample, n_dir1, "sub");
	n_deep = add_file(n_sub, "deep.txt", 2048);
	memset(name, 'x', 90);
	strcpy(name + 90, "/../y/.");
	n_link = isob_link(sample, NULL, "link", name);
	memset(name, 'n', 240);
	name[240] = '\0';
	n_long = add_file(NULL, name, 10);
	/* Joliet cannot name it in one record. */
	n_null = isob_device(sample, NULL, "null", S_IFCHR | 0666, 1, 3);
	isob_device(sample, NULL, "fifo", S_IFIFO | 0600, 0, 0);
	n_dir2 = isob_dir(sample, NULL, "dir2");
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "file number %02d.dat", i);
		n_last = add_file(n_dir2, name, (size_t)(i * 7));
	}
	n_sections = add_file(NULL, "sections.bin", 20000);
	n_sections->section = 8192;
	n_z1 = add_file(NULL, "packed1", 100000);
	n_z1->zisofs = 1;
	n_z2 = add_file(NULL, "packed2", 300000);
	n_z2->zisofs = 2;
	n_rr_moved = isob_dir(sample, NULL, "rr_moved");
	n_moved = isob_dir(sample, n_rr_moved, "moved");
	n_moved->is_relocated = true;
	add_file(n_moved, "inside", 33);
	n_placeholder = isob_file(sample, n_sub, "moved", "", 0);
	n_placeholder->relocated = n_moved;
	isob_finish(sample);
}

/* One change. */
struct change {
	const char *name;
	uint8_t *image; /* a copy of the sample, at most as long */
	uint32_t sectors;
	uint64_t fail_from;		/* the store fails there with -EIO */
	const struct isob_node *victim; /* may differ in any way, and all below it */
	bool any;			/* what is right is not known: it must only end */
	bool dir_size;			/* the sizes of directories may differ */
	bool must_fail;			/* at least one error is expected */
};

/* In the child. */

static int report = -1;

static void fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 &&
	    write(report, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1) < 0)
		_exit(3);
	_exit(1);
}

enum view { PLAIN, ROCK, JOLIET };

struct walk {
	const struct change *change;
	struct vd_fs *fs;
	enum view view;
	unsigned long errors, entries;
};

struct entry {
	char name[VD_FS_NAME_MAX + 1];
	struct vd_fs_attr attr;
};

struct entries {
	struct entry *e;
	size_t n, room;
	uint64_t last;
};

static int collect(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		   uint64_t next)
{
	struct entries *l = arg;

	if (!len || len > VD_FS_NAME_MAX || memchr(name, '/', len) || memchr(name, 0, len))
		fail("a name that cannot be");
	if (next <= l->last)
		fail("positions do not ascend at %.*s", (int)len, name);
	l->last = next;
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->e = realloc(l->e, l->room * sizeof(*l->e));
		if (!l->e)
			fail("out of memory");
	}
	memcpy(l->e[l->n].name, name, len);
	l->e[l->n].name[len] = '\0';
	l->e[l->n++].attr = *attr;
	return 0;
}

static bool below_victim(const struct walk *w, const struct isob_node *n)
{
	const struct isob_node *victim = w->change->victim;

	for (; n && victim; n = n->parent) {
		if (n == victim || (victim->relocated && n == victim->relocated) ||
		    (n->relocated && n->relocated == victim))
			return true;
		if (n->parent == n)
			break;
	}
	return false;
}

static const struct isob_node *follow(const struct walk *w, const struct isob_node *n)
{
	return w->view == ROCK && n->relocated ? n->relocated : n;
}

static bool is_shown(const struct walk *w, const struct isob_node *n)
{
	if (w->view == ROCK)
		return !n->is_relocated;
	return w->view == PLAIN || S_ISDIR(n->mode) || S_ISREG(n->mode);
}

/* What a plain name becomes, by the letters that the sample uses. */
static void plain_name(const struct isob_node *n, char *out)
{
	size_t len = 0;
	bool dot = false;

	for (const char *s = n->name; *s && len < 28; s++) {
		if (*s == '.' && !dot && !S_ISDIR(n->mode))
			dot = true, out[len++] = '.';
		else
			out[len++] =
				(*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') ? *s : '_';
	}
	out[len] = '\0';
}

static const struct isob_node *find(const struct walk *w, const struct isob_node *dir,
				    const char *name)
{
	char want[VD_FS_NAME_MAX];

	for (const struct isob_node *n = dir->child; n; n = n->next) {
		if (!is_shown(w, n))
			continue;
		snprintf(want, sizeof(want), "%s", n->name);
		if (w->view == JOLIET)
			want[ISOB_JOLIET_MAX] = '\0';
		else if (w->view == PLAIN)
			plain_name(n, want);
		if (!strcmp(want, name))
			return n;
	}
	return NULL;
}

static void check_content(struct walk *w, const struct isob_node *n, const struct vd_fs_attr *attr,
			  bool victim)
{
	static uint8_t buf[131072];
	const uint8_t *want = n && w->view == ROCK ? n->data : n ? sample->image + n->extent : NULL;
	uint64_t off = 0;

	while (off < READ_MAX) {
		ssize_t r = vd_fs_read(w->fs, attr->ino, buf, sizeof(buf), off);

		if (r < 0) {
			w->errors++;
			/* What lies before the damage may be read in small pieces. */
			r = vd_fs_read(w->fs, attr->ino, buf, 512, off);
			if (r <= 0)
				return;
		}
		if (r > (ssize_t)sizeof(buf) || off + (uint64_t)r > attr->size)
			fail("more bytes than the file has");
		if (!r && off != attr->size)
			fail("%s: short", n ? n->name : "?");
		if (!r)
			return;
		if (!victim && memcmp(buf, want + off, (size_t)r))
			fail("%s: other bytes at %llu", n->name, (unsigned long long)off);
		off += (uint64_t)r;
	}
}

static void check_target(struct walk *w, const struct isob_node *n, const struct vd_fs_attr *attr,
			 bool victim)
{
	char target[VD_FS_LINK_MAX];
	int r = vd_fs_readlink(w->fs, attr->ino, target, sizeof(target));

	if (r)
		w->errors++;
	else if (strlen(target) != attr->size)
		fail("%s: a target of another length than the size says", n ? n->name : "?");
	else if (!victim && (!n->target || strcmp(target, n->target)))
		fail("%s: another target", n->name);
}

static void check_attr(const struct walk *w, const struct isob_node *n, const struct vd_fs_attr *a)
{
	const struct isob_node *real = follow(w, n);
	const bool dir = S_ISDIR(real->mode);
	uint64_t size = w->view == JOLIET && dir ? real->joliet_stored
			: dir || w->view != ROCK ? real->stored
						 : real->size;

	if (w->view == ROCK && real->target)
		size = strlen(real->target);
	if (w->view == ROCK) {
		if (a->mode != real->mode || a->uid != real->uid || a->gid != real->gid ||
		    a->mtime.tv_sec != real->mtime)
			fail("%s: mode %o uid %u gid %u mtime %lld", n->name, a->mode, a->uid,
			     a->gid, (long long)a->mtime.tv_sec);
	} else if (a->mode != ((dir ? S_IFDIR : S_IFREG) | 0555u)) {
		fail("%s: mode %o", n->name, a->mode);
	}
	if (a->size != size && !(dir && w->change->dir_size))
		fail("%s: size %llu, not %llu", n->name, (unsigned long long)a->size,
		     (unsigned long long)size);
}

static void walk_dir(struct walk *w, uint64_t ino, const struct isob_node *dir, bool victim,
		     unsigned int depth);

static void check_entry(struct walk *w, const struct isob_node *dir, uint64_t dir_ino,
			const struct entry *e, bool victim, unsigned int depth)
{
	const struct isob_node *n = dir ? find(w, dir, e->name) : NULL;
	const struct isob_node *v = w->change->victim;
	struct vd_fs_attr found;
	int r = vd_fs_lookup(w->fs, dir_ino, e->name, strlen(e->name), &found);

	w->entries++;
	if (w->entries > 100000)
		fail("the walk does not end");
	victim |= w->change->any || (n && below_victim(w, n));
	if (!(e->attr.mode & S_IFMT)) {
		if (!r && !victim)
			fail("%s: no type, but a lookup succeeds", e->name);
		w->errors++;
		return;
	}
	if (r) {
		w->errors++;
		return;
	}
	/* The victim under another name. */
	victim |= !n && v && (dir == v->parent || dir == follow(w, v->parent));
	if (!n && !victim)
		fail("an entry that is not there: %s", e->name);
	if (!victim) {
		check_attr(w, n, &e->attr);
		if (memcmp(&found, &e->attr, sizeof(found)))
			fail("%s: lookup and readdir differ", e->name);
		r = vd_fs_getattr(w->fs, found.ino, &found);
		if (r)
			w->errors++;
		else if (memcmp(&found, &e->attr, sizeof(found)))
			fail("%s: getattr and readdir differ", e->name);
	}
	if (S_ISREG(e->attr.mode))
		check_content(w, n, &e->attr, victim);
	else if (S_ISLNK(e->attr.mode))
		check_target(w, n, &e->attr, victim);
	else if (S_ISDIR(e->attr.mode))
		walk_dir(w, e->attr.ino, n ? follow(w, n) : NULL, victim, depth + 1);
}

static void walk_dir(struct walk *w, uint64_t ino, const struct isob_node *dir, bool victim,
		     unsigned int depth)
{
	struct entries l = { .e = NULL };
	int r = vd_fs_readdir(w->fs, ino, 0, collect, &l);
	size_t want = 0;

	if (depth > 1000)
		fail("the walk is deeper than any image");
	if (r)
		w->errors++;
	for (size_t i = 0; i < l.n; i++)
		check_entry(w, dir, ino, &l.e[i], victim, depth);
	/* Nothing may be missing, or be there twice, without an error anywhere. */
	for (const struct isob_node *n = dir ? dir->child : NULL; n; n = n->next)
		want += is_shown(w, n);
	if ((!r || !w->errors) && !victim && !w->change->any && dir &&
	    (l.n < want || (!w->errors && l.n > want)) &&
	    (!w->change->victim || follow(w, w->change->victim->parent) != dir))
		fail("%zu entries of %zu in %s, and no error", l.n, want, dir->name);
	free(l.e);
}

static void run_child(const struct change *c, bool nojoliet)
{
	static const struct vd_fs_options defaults;
	struct vd_fs_options o = defaults;
	struct walk w = { .change = c };
	struct vd_track t = { .number = 1, .session = 1 };
	struct mem_store *m = mem_store_new(c->image, (uint64_t)c->sectors * SECTOR);
	struct vd_error err = { .text = "" };
	struct vd_disc *d;
	int r;

	o.nojoliet = nojoliet;
	m->fail_from = c->fail_from;
	m->fail_code = -EIO;
	t.length = c->sectors;
	if (vd_disc_new(&d) || vd_disc_own_store(d, &m->store))
		fail("out of memory");
	r = c->sectors ? vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, &m->store, 0, NULL) : 0;
	if (!r)
		r = vd_fs_open(d, &o, &w.fs, &err);
	if (r) {
		if (!err.text[0] && r != -ENOMEM)
			fail("an error without words: %s", strerror(-r));
		w.errors++;
	} else {
		w.view = !strcmp(w.fs->view, "rock ridge") ? ROCK
			 : !strcmp(w.fs->view, "joliet")   ? JOLIET
							   : PLAIN;
		walk_dir(&w, w.fs->root, sample->root, c->victim == sample->root, 0);
		vd_fs_close(w.fs);
	}
	vd_disc_close(d);
	if (c->must_fail && !w.errors)
		fail("no error at all");
	_exit(0);
}

static unsigned int nchanges;

/* Runs one change in a child, and frees its image. */
static void try_with(struct change *c, bool nojoliet)
{
	char text[513] = "";
	ssize_t n;
	int status, fds[2];
	pid_t pid;

	ASSERT_INT(pipe2(fds, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		const struct rlimit cpu = { 1, 2 }, core = { 0, 0 }, as = { 64u << 20, 64u << 20 };

		report = fds[1];
		setrlimit(RLIMIT_CORE, &core);
		alarm(30);
		if (!SANITIZED && (setrlimit(RLIMIT_CPU, &cpu) || setrlimit(RLIMIT_AS, &as)))
			fail("no limits: %s", strerror(errno));
		run_child(c, nojoliet);
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	if (n > 0)
		text[n] = '\0';
	close(fds[0]);
	ASSERT(waitpid(pid, &status, 0) == pid);
	nchanges++;
	if (WIFSIGNALED(status))
		CHECK_FAIL("%s: ended by signal %d", c->name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		CHECK_FAIL("%s: %s (status %d)", c->name, text, WEXITSTATUS(status));
}

static void try(struct change *c)
{
	try_with(c, false);
	free(c->image);
	c->image = NULL;
}

static struct change begin(const char *name)
{
	struct change c = { .name = name,
			    .sectors = (uint32_t)(sample->size / SECTOR),
			    .fail_from = UINT64_MAX };

	c.image = malloc(sample->size);
	ASSERT(c.image != NULL);
	memcpy(c.image, sample->image, sample->size);
	return c;
}

/* The tests. */

static void test_sample(void)
{
	struct change c = begin("the sample");

	try(&c);
	c = begin("the sample, plain");
	/* Without SP and ER, and without its Joliet descriptor, there is no other tree. */
	memset(c.image + isob_dot_field(sample, sample->root, "SP"), 0, 7);
	try_with(&c, true);
	free(c.image);
	c = begin("the sample, Joliet");
	memset(c.image + isob_dot_field(sample, sample->root, "SP"), 0, 7);
	try(&c);
}

static void test_truncated(void)
{
	for (uint32_t n = 0; n < sample->size / SECTOR; n++) {
		struct change c = begin(check_printf("cut to %u sectors", n));

		c.sectors = n;
		/* Behind the last file there is nothing that could be missed. */
		c.must_fail = n * SECTOR < n_z2->extent + n_z2->stored;
		try(&c);
	}
}

/* The file under the image shrank: at each structure's first byte and one later. */
static void test_shrunk(void)
{
	const uint32_t places[] = {
		sample->pvd,	   sample->svd,	      sample->terminator, sample->root->extent,
		n_hello->record,   n_dir1->record,    n_dir1->extent,	  n_a->record,
		n_sub->extent,	   n_deep->record,    n_long->record,	  n_long->ce,
		n_link->record,	   n_dir2->extent,    n_last->record,	  n_sections->record,
		n_moved->extent,   n_hello->extent,   n_a->extent,	  n_sections->extent,
		n_z1->extent,	   n_z1->extent + 16, n_z1->extent + 40,  n_z2->extent,
		n_z2->extent + 24, n_z2->extent + 80,
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(places); i++) {
		for (uint32_t plus = 0; plus < 2; plus++) {
			struct change c =
				begin(check_printf("no bytes from %u on", places[i] + plus));

			ASSERT(places[i] != 0);
			c.fail_from = places[i] + plus;
			c.must_fail = true;
			try(&c);
		}
	}
}

static void test_descriptors(void)
{
	static const struct {
		const char *name;
		uint32_t at;
		uint8_t len;
		uint8_t bytes[8];
		bool must_fail;
	} rows[] = {
		{ "no primary descriptor", 0, 1, { 9 }, true },
		{ "another identifier", 1, 5, "XXXXX", true },
		{ "block size 0", 128, 4, { 0 }, true },
		{ "block size 4096", 128, 4, { 0, 16, 16, 0 }, true },
		{ "block size 2049", 128, 4, { 1, 8, 8, 1 }, true },
		{ "block size little-endian wrong", 128, 2, { 1, 1 }, false },
		{ "root extent 0", 158, 8, { 0 }, true },
		{ "root extent beyond the volume", 158, 8, { 0, 0, 0, 1, 1, 0, 0, 0 }, true },
		{ "root extent all ones",
		  158,
		  8,
		  { 255, 255, 255, 255, 255, 255, 255, 255 },
		  true },
		{ "root extent little-endian wrong", 158, 4, { 255, 255, 255, 255 }, false },
		{ "root extent big-endian wrong", 162, 4, { 255, 255, 255, 255 }, false },
		{ "root extent in the system area", 158, 8, { 1, 0, 0, 0, 0, 0, 0, 1 }, true },
		{ "root extent at the descriptors", 158, 8, { 16, 0, 0, 0, 0, 0, 0, 16 }, true },
		{ "root size 0", 166, 8, { 0 }, false },
		{ "root size all ones", 166, 8, { 255, 255, 255, 255, 255, 255, 255, 255 }, false },
		{ "root size little-endian wrong", 166, 4, { 255, 255, 255, 255 }, false },
		{ "root with extended attributes beyond", 157, 1, { 255 }, true },
		{ "volume size 0", 80, 8, { 0 }, false },
		{ "volume size all ones",
		  80,
		  8,
		  { 255, 255, 255, 255, 255, 255, 255, 255 },
		  false },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct change c = begin(rows[i].name);

		memcpy(c.image + sample->pvd + rows[i].at, rows[i].bytes, rows[i].len);
		c.must_fail = rows[i].must_fail;
		try(&c);
		c = begin(check_printf("Joliet: %s", rows[i].name));
		memset(c.image + isob_dot_field(sample, sample->root, "SP"), 0, 7);
		memcpy(c.image + sample->svd + rows[i].at, rows[i].bytes, rows[i].len);
		try(&c);
	}
	for (uint32_t n = 0; n < 2; n++) {
		struct change c = begin("no terminator");

		memset(c.image + sample->terminator, (int)n, SECTOR);
		try(&c);
	}
}

static void put_extent(uint8_t *record, uint32_t extent_bytes)
{
	isob_put32(record + 2, extent_bytes / SECTOR);
}

/* Lengths and numbers of directory records. */
static void test_records(void)
{
	const struct isob_node *nodes[] = {
		n_hello, n_dir1, n_a,	 n_sub,	     n_deep, n_link,
		n_long,	 n_dir2, n_last, n_sections, n_z1,   n_rr_moved
	};
	static const uint8_t lengths[] = { 0, 1, 2, 3, 33, 34, 40, 253, 255 };
	static const uint32_t sizes[] = { 0xffffffff, 0x80000000, 0x10000000 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(nodes); i++) {
		const struct isob_node *n = nodes[i];
		struct change c;

		for (size_t j = 0; j < VD_ARRAY_SIZE(lengths); j++) {
			if (lengths[j] == n->record_len)
				continue;
			c = begin(check_printf("%s: record of %u bytes", n->name, lengths[j]));
			c.image[n->record] = lengths[j];
			/* Shorter, it may lose its fields and still be a record. */
			c.victim =
				lengths[j] >= 34 && lengths[j] < n->record_len ? n->parent : NULL;
			/* Longer, the last record of a directory takes in nothing but padding. */
			c.must_fail = !c.victim && (n->next || lengths[j] < n->record_len);
			if (c.victim && c.victim == sample->root)
				c.any = true;
			try(&c);
		}
		c = begin(check_printf("%s: a name of 255 bytes", n->name));
		c.image[n->record + 32] = 255;
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s: a name of 0 bytes", n->name));
		c.image[n->record + 32] = 0;
		c.victim = n;
		try(&c);
		for (size_t j = 0; j < VD_ARRAY_SIZE(sizes); j++) {
			c = begin(check_printf("%s: size %u", n->name, sizes[j]));
			isob_put32(c.image + n->record + 10, sizes[j]);
			c.victim = S_ISDIR(n->mode) ? NULL : n;
			try(&c);
			c = begin(check_printf("%s: little-endian size %u", n->name, sizes[j]));
			vd_put_le32(c.image + n->record + 10, sizes[j]);
			try(&c);
			c = begin(check_printf("%s: big-endian size %u", n->name, sizes[j]));
			vd_put_be32(c.image + n->record + 14, sizes[j]);
			try(&c);
			c = begin(check_printf("%s: little-endian extent %u", n->name, sizes[j]));
			vd_put_le32(c.image + n->record + 2, sizes[j]);
			try(&c);
			c = begin(check_printf("%s: extent %u", n->name, sizes[j]));
			isob_put32(c.image + n->record + 2, sizes[j]);
			c.must_fail = S_ISDIR(n->mode) || (n->size && n != n_link);
			try(&c);
		}
		c = begin(check_printf("%s: extended attributes of 255 blocks", n->name));
		c.image[n->record + 1] = 255;
		c.victim = n;
		try(&c);
		c = begin(check_printf("%s: interleaved", n->name));
		c.image[n->record + 26] = 1;
		c.image[n->record + 27] = 1;
		c.must_fail = n == n_hello || n == n_a || n == n_sections;
		try(&c);
		c = begin(check_printf("%s: another type", n->name));
		c.image[n->record + 25] ^= 2;
		c.must_fail = true;
		try(&c);
		if (n != n_sections && !S_ISDIR(n->mode)) {
			c = begin(check_printf("%s: more sections", n->name));
			c.image[n->record + 25] |= 0x80;
			c.must_fail = true;
			try(&c);
		}
	}
}

/* Directories that stand in two places, contain themselves or each other, or overlap. */
static void test_cycles(void)
{
	const struct isob_node *dirs[] = { n_dir1, n_sub, n_dir2, n_rr_moved };
	const struct isob_node *to[] = { sample->root, n_dir1, n_sub, n_dir2, n_rr_moved };

	for (size_t i = 0; i < VD_ARRAY_SIZE(dirs); i++) {
		struct change c;

		for (size_t j = 0; j < VD_ARRAY_SIZE(to); j++) {
			if (dirs[i] == to[j])
				continue;
			c = begin(check_printf("%s is %s", dirs[i]->name,
					       to[j]->name[0] ? to[j]->name : "the root"));
			put_extent(c.image + dirs[i]->record, to[j]->extent);
			/* What is below a directory that took its place cannot be missed. */
			c.must_fail = !(dirs[i] == n_dir1 && to[j] == n_sub);
			/* Whichever of the two is met first is shown, and the other is an error. */
			c.any = true;
			try(&c);
		}
		c = begin(check_printf("%s overlaps the second block of dir2", dirs[i]->name));
		put_extent(c.image + dirs[i]->record, n_dir2->extent + SECTOR);
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s is at a file's data", dirs[i]->name));
		put_extent(c.image + dirs[i]->record, n_a->extent);
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s has the size of all behind it", dirs[i]->name));
		isob_put32(c.image + dirs[i]->record + 10,
			   (uint32_t)(sample->size - dirs[i]->extent));
		try(&c);
		c = begin(check_printf("%s and its \".\" have the size of all behind it",
				       dirs[i]->name));
		isob_put32(c.image + dirs[i]->record + 10,
			   (uint32_t)(sample->size - dirs[i]->extent));
		isob_put32(c.image + dirs[i]->extent + 10,
			   (uint32_t)(sample->size - dirs[i]->extent));
		c.dir_size = true;
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s without \".\"", dirs[i]->name));
		c.image[dirs[i]->extent + 33] = 'x';
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s with a \".\" that is a file", dirs[i]->name));
		c.image[dirs[i]->extent + 25] = 0;
		c.must_fail = true;
		try(&c);
	}
	for (size_t j = 0; j < VD_ARRAY_SIZE(to); j++) {
		struct change c = begin(check_printf("a relocated directory is %s",
						     to[j]->name[0] ? to[j]->name : "the root"));

		isob_put32(c.image + isob_field(sample, n_placeholder, "CL", 0) + 4,
			   to[j]->extent / SECTOR);
		c.must_fail = to[j] != n_dir2 && to[j] != n_rr_moved;
		c.any = !c.must_fail;
		c.any = true;
		try(&c);
	}
}

static void test_fields(void)
{
	static const struct {
		const char *sig;
		struct isob_node **node;
	} rows[] = {
		{ "PX", &n_hello },    { "TF", &n_hello }, { "NM", &n_hello },
		{ "SL", &n_link },     { "PN", &n_null },  { "CE", &n_long },
		{ "NM", &n_long },     { "ZF", &n_z1 },	   { "ZF", &n_z2 },
		{ "PX", &n_dir1 },     { "NM", &n_dir1 },  { "CL", &n_placeholder },
		{ "RE", &n_moved },    { "PX", &n_deep },  { "PX", &n_last },
		{ "PX", &n_sections },
	};
	static const uint8_t lengths[] = { 0, 1, 2, 3, 255 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const struct isob_node *n = *rows[i].node;
		uint32_t at = isob_field(sample, n, rows[i].sig, 0);

		ASSERT(at != 0);
		for (size_t j = 0; j < VD_ARRAY_SIZE(lengths); j++) {
			struct change c = begin(check_printf("%s of %s has %u bytes", rows[i].sig,
							     n->name, lengths[j]));

			c.image[at + 2] = lengths[j];
			c.must_fail = true;
			try(&c);
		}
		/* Its own length less one: the next field begins with its last byte. */
		if (n != n_moved) {
			struct change c =
				begin(check_printf("%s of %s is short", rows[i].sig, n->name));

			c.image[at + 2]--;
			/* What is left of a name behind its end may be padding. */
			c.must_fail = strcmp(rows[i].sig, "NM") != 0;
			c.victim = c.must_fail ? NULL : n;
			try(&c);
		}
		/* Its own length less that of a field that means nothing, which comes behind it. */
		if (strcmp(rows[i].sig, "NM") && strcmp(rows[i].sig, "SL") && n != n_moved) {
			struct change c = begin(check_printf("%s of %s is well-formed and short",
							     rows[i].sig, n->name));

			c.image[at + 2] -= 4;
			memcpy(c.image + at + c.image[at + 2], "ZZ\4\1", 4);
			c.must_fail = true;
			try(&c);
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct change c = begin("a damaged SP");

		c.image[isob_dot_field(sample, sample->root, "SP") + 4 + i] = 0;
		try(&c);
		c = begin("a skip of 200 bytes");
		c.image[isob_dot_field(sample, sample->root, "SP") + 6] = (uint8_t)(200 + i);
		c.any = true;
		try(&c);
	}
}

static void test_names(void)
{
	static const char *const bad[] = { "/", ".", "..", "a/b" };
	struct change c = begin("a name that is to be continued");

	c.image[isob_field(sample, n_hello, "NM", 0) + 4] = 1;
	c.must_fail = true;
	try(&c);
	c = begin("a continued name whose rest is gone");
	c.image[isob_field(sample, n_long, "NM", 1)] = 'X';
	c.must_fail = true;
	try(&c);
	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++) {
		uint32_t at = isob_field(sample, n_dir1, "NM", 0);

		c = begin(check_printf("the name \"%s\"", bad[i]));
		memset(c.image + at + 5, '.', 4);
		memcpy(c.image + at + 5, bad[i], strlen(bad[i]));
		c.victim = n_dir1;
		try(&c);
	}
	c = begin("a name with a NUL");
	c.image[isob_field(sample, n_dir1, "NM", 0) + 6] = 0;
	c.victim = n_dir1;
	try(&c);
	c = begin("a link that is to be continued");
	c.image[isob_field(sample, n_link, "SL", 3) + 4] |= 1;
	c.must_fail = true;
	try(&c);
	c = begin("a link's part that is longer than its field");
	c.image[isob_field(sample, n_link, "SL", 0) + 6] = 255;
	c.must_fail = true;
	try(&c);
	c = begin("a link's part of an unknown kind");
	c.image[isob_field(sample, n_link, "SL", 0) + 5] = 0x20;
	c.must_fail = true;
	try(&c);
	c = begin("a link without a target");
	for (int i = 0; i < 4; i++)
		c.image[isob_field(sample, n_link, "SL", i)] = 'X';
	c.must_fail = true;
	try(&c);
	c = begin("a mode of no type that is known");
	isob_put32(c.image + isob_field(sample, n_hello, "PX", 0) + 4, 0170644);
	c.must_fail = true;
	try(&c);
	c = begin("a file whose mode says directory");
	isob_put32(c.image + isob_field(sample, n_hello, "PX", 0) + 4, S_IFDIR | 0755);
	c.must_fail = true;
	try(&c);
}

static void test_continuations(void)
{
	const uint32_t ce = isob_field(sample, n_long, "CE", 0);
	const struct {
		const char *name;
		uint32_t block, offset, len;
	} rows[] = {
		{ "block 0", 0, 0, 100 },
		{ "block beyond the image", 1u << 24, 0, 100 },
		{ "block all ones", UINT32_MAX, 0, 100 },
		{ "offset all ones", n_long->ce / SECTOR, UINT32_MAX, 100 },
		{ "length all ones", n_long->ce / SECTOR, 0, UINT32_MAX },
		{ "length beyond the image", n_long->ce / SECTOR, 0, (uint32_t)sample->size },
		{ "length 0", n_long->ce / SECTOR, n_long->ce % SECTOR, 0 },
		{ "the directory itself", sample->root->extent / SECTOR, 0, 2048 },
	};
	struct change c;

	ASSERT(ce != 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		c = begin(check_printf("continuation: %s", rows[i].name));
		isob_put32(c.image + ce + 4, rows[i].block);
		isob_put32(c.image + ce + 12, rows[i].offset);
		isob_put32(c.image + ce + 20, rows[i].len);
		c.must_fail = true;
		try(&c);
	}
	/* An area that leads to itself, and two that lead to each other. */
	for (int two = 0; two < 2; two++) {
		uint8_t *area;

		c = begin(two ? "two continuations in a cycle" : "a continuation in a cycle");
		area = c.image + n_z1->extent;
		for (int i = 0; i <= two; i++) {
			uint8_t *p = area + i * 28;

			memcpy(p, "CE\x1c\x01", 4);
			isob_put32(p + 4, n_z1->extent / SECTOR);
			isob_put32(p + 12, two && !i ? 28 : 0);
			isob_put32(p + 20, 28);
		}
		isob_put32(c.image + ce + 4, n_z1->extent / SECTOR);
		isob_put32(c.image + ce + 12, 0);
		isob_put32(c.image + ce + 20, 28);
		c.must_fail = true;
		try(&c);
	}
	/* The longest chain that could be tried: each area a block, all of them names. */
	c = begin("a continuation with a name of 60 KiB");
	{
		const uint32_t first = n_z2->extent;
		uint32_t at = first;

		for (int i = 0; i < 30; i++, at += SECTOR) {
			uint8_t *p = c.image + at;

			for (int j = 0; j < 8; j++, p += 250) {
				memcpy(p, "NM\xfa\x01\x01", 5);
				memset(p + 5, 'n', 245);
			}
			memcpy(p, "CE\x1c\x01", 4);
			isob_put32(p + 4, at / SECTOR + 1);
			isob_put32(p + 12, 0);
			isob_put32(p + 20, 2028);
		}
		isob_put32(c.image + ce + 4, first / SECTOR);
		isob_put32(c.image + ce + 12, 0);
		isob_put32(c.image + ce + 20, 2028);
	}
	c.must_fail = true;
	try(&c);
}

static void test_zisofs(void)
{
	struct isob_node *const files[] = { n_z1, n_z2 };
	struct change c;

	for (size_t i = 0; i < 2; i++) {
		const struct isob_node *n = files[i];
		const bool v2 = n->zisofs == 2;
		const uint32_t zf = isob_field(sample, n, "ZF", 0),
			       table = n->extent + (v2 ? 24 : 16);
		const uint32_t pointer = v2 ? 8 : 4, nblocks = v2 ? 3 : 4;
		static const uint8_t shifts[] = { 0, 11, 14, 16, 21, 31, 63, 255 };

		for (uint32_t at = 0; at < (v2 ? 20u : 14u); at++) {
			c = begin(check_printf("%s: header byte %u", n->name, at));
			c.image[n->extent + at] ^= 0x41;
			c.must_fail = true;
			try(&c);
		}
		for (size_t j = 0; j < VD_ARRAY_SIZE(shifts); j++) {
			c = begin(check_printf("%s: blocks of 2^%u", n->name, shifts[j]));
			c.image[zf + 7] = shifts[j];
			c.must_fail = true;
			try(&c);
			/* Field and header agree. */
			c = begin(check_printf("%s: all say blocks of 2^%u", n->name, shifts[j]));
			c.image[zf + 7] = c.image[n->extent + (v2 ? 11 : 13)] = shifts[j];
			c.must_fail = true;
			try(&c);
		}
		c = begin(check_printf("%s: a header of 0 bytes", n->name));
		c.image[zf + 6] = c.image[n->extent + (v2 ? 9 : 12)] = 0;
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s: a header of 1020 bytes", n->name));
		c.image[zf + 6] = c.image[n->extent + (v2 ? 9 : 12)] = 255;
		c.must_fail = true;
		try(&c);
		for (uint32_t j = 0; j <= nblocks; j++) {
			static const uint32_t values[] = { 0, 1, 17, 0xffffffff };

			for (size_t k = 0; k < VD_ARRAY_SIZE(values); k++) {
				c = begin(check_printf("%s: pointer %u is %u", n->name, j,
						       values[k]));
				vd_put_le32(c.image + table + j * pointer, values[k]);
				c.must_fail = true;
				try(&c);
			}
		}
		c = begin(check_printf("%s: damaged data", n->name));
		c.image[n->extent + n->stored - 20] ^= 1;
		c.must_fail = true;
		try(&c);
		c = begin(check_printf("%s: a size that no table can have", n->name));
		if (v2) {
			vd_put_le64(c.image + zf + 8, INT64_MAX);
			vd_put_le64(c.image + n->extent + 12, INT64_MAX);
		} else {
			isob_put32(c.image + zf + 8, UINT32_MAX);
			vd_put_le32(c.image + n->extent + 8, UINT32_MAX);
		}
		c.must_fail = true;
		c.victim = n;
		try(&c);
		c = begin(check_printf("%s: a byte more than it has", n->name));
		vd_put_le32(c.image + zf + 8, (uint32_t)n->size + 1);
		vd_put_be32(c.image + zf + 12, v2 ? 0 : (uint32_t)n->size + 1);
		vd_put_le32(c.image + n->extent + (v2 ? 12 : 8), (uint32_t)n->size + 1);
		c.must_fail = true;
		c.victim = n;
		try(&c);
		c = begin(check_printf("%s: a byte less than it has", n->name));
		vd_put_le32(c.image + zf + 8, (uint32_t)n->size - 1);
		vd_put_be32(c.image + zf + 12, v2 ? 0 : (uint32_t)n->size - 1);
		vd_put_le32(c.image + n->extent + (v2 ? 12 : 8), (uint32_t)n->size - 1);
		c.must_fail = true;
		c.victim = n;
		try(&c);
		c = begin(check_printf("%s: stored bytes cut in half", n->name));
		isob_put32(c.image + n->record + 10, n->stored / 2);
		c.must_fail = true;
		try(&c);
	}
}

/*
 * Directories laid over each other, so that a few bytes would describe a great many entries: each sector a directory
 * whose records lead to every other sector.
 */
static void test_quadratic(void)
{
	struct change c = begin("every sector leads to every other");
	const uint32_t first = sample->root->extent / SECTOR;

	for (uint32_t s = first; s < c.sectors; s++) {
		uint8_t *p = c.image + (size_t)s * SECTOR;
		uint32_t at = 0, to = s + 1;

		memset(p, 0, SECTOR);
		while (at + 40 <= SECTOR) {
			uint8_t *r = p + at;
			bool dot = !at, dotdot = at == 34;

			r[0] = dot || dotdot ? 34 : 38;
			if (to >= c.sectors)
				to = first;
			put_extent(r, (dot ? s : dotdot ? first : to) * SECTOR);
			/* Each claims to reach to the end of the image. */
			isob_put32(r + 10, (c.sectors - (dot ? s : to)) * SECTOR);
			r[25] = 2;
			r[28] = r[31] = 1;
			r[32] = dot || dotdot ? 1 : 4;
			if (!dot)
				r[33] = dotdot;
			if (!dot && !dotdot) {
				snprintf((char *)r + 33, 5, "%04X", to & 0xffff);
				to++;
			}
			at += r[0];
		}
	}
	c.any = true;
	c.must_fail = true;
	try(&c);
	/* The same, each of one sector. */
	c = begin("every sector leads to its followers");
	for (uint32_t s = first; s < c.sectors; s++) {
		uint8_t *p = c.image + (size_t)s * SECTOR;
		uint32_t at = 0, to = s + 1;

		memset(p, 0, SECTOR);
		while (at + 40 <= SECTOR && (at < 68 || to < c.sectors)) {
			uint8_t *r = p + at;
			bool dots = at < 68;

			r[0] = dots ? 34 : 38;
			put_extent(r, (!at ? s : dots ? first : to) * SECTOR);
			isob_put32(r + 10, SECTOR);
			r[25] = 2;
			r[28] = r[31] = 1;
			r[32] = dots ? 1 : 4;
			r[33] = at == 34;
			if (!dots)
				snprintf((char *)r + 33, 5, "%04X", to++ & 0xffff);
			at += r[0];
		}
	}
	c.any = true;
	c.must_fail = true;
	try(&c);
}

/*
 * As many records as there is room for, all with the same continuation area, which is as long as may be: of as many fields
 * as may be, or of as many bytes.
 */
static void test_shared_continuation(void)
{
	for (unsigned int field = 4; field < 256; field += 251) {
		struct change c =
			begin(check_printf("all continue in the same %u-byte fields", field));
		const uint32_t first = sample->root->extent / SECTOR, area = c.sectors - 16;
		unsigned int number = 0;

		memset(c.image + (size_t)area * SECTOR, 0, 16 * SECTOR);
		for (uint32_t at = 0; at + field <= 16 * SECTOR; at += field)
			memcpy(c.image + (size_t)area * SECTOR + at,
			       (uint8_t[]){ 'Z', 'Z', (uint8_t)field, 1 }, 4);
		for (uint32_t s = first; s < area; s++) {
			uint8_t *p = c.image + (size_t)s * SECTOR;
			/* Behind "." and "..". */
			uint32_t at = s == first ? p[0] + p[p[0]] : 0;

			memset(p + at, 0, SECTOR - at);
			for (; at + 70 <= SECTOR; at += 66) {
				uint8_t *r = p + at;

				r[0] = 66;
				put_extent(r, 0);
				r[28] = r[31] = 1;
				r[32] = 5;
				snprintf((char *)r + 33, 6, "%05x", number++ & 0xfffff);
				memcpy(r + 38, "CE\x1c\1", 4);
				isob_put32(r + 42, area);
				isob_put32(r + 50, 0);
				isob_put32(r + 58, 16 * SECTOR / field * field);
			}
		}
		/* One directory of all these sectors. */
		isob_put32(c.image + sample->pvd + 166, (area - first) * SECTOR);
		isob_put32(c.image + (size_t)first * SECTOR + 10, (area - first) * SECTOR);
		c.any = true;
		try(&c);
	}
}

/* Many sections of one byte, and as many as there may be. */
static void test_sections(void)
{
	struct change c = begin("a section without its last");
	const uint32_t second = n_sections->record + n_sections->record_len;

	c.image[n_sections->record + 25] |= 0x80;
	c.image[second + 25] |= 0x80;
	c.image[second + sample->image[second] + 25] |= 0x80;
	c.must_fail = true;
	try(&c);
	c = begin("a section of another name");
	c.image[second + 33] = 'Q';
	c.must_fail = true;
	c.victim = n_sections;
	try(&c);
	c = begin("a section that is a directory");
	c.image[second + 25] |= 2;
	c.must_fail = true;
	c.victim = n_sections;
	try(&c);
	c = begin("a section beyond the image");
	isob_put32(c.image + second + 2, 1u << 24);
	c.must_fail = true;
	try(&c);
}

/* Bytes changed at random, always the same. What is right is not known then. */
static void test_random(void)
{
	const uint32_t end = n_hello->extent;
	uint32_t seed = 1;

	for (int i = 0; i < 300; i++) {
		struct change c = begin(check_printf("random bytes, %d", i));

		for (int j = 0; j <= i % 12; j++) {
			uint32_t at;

			seed = seed * 1664525u + 1013904223u;
			at = sample->pvd + (seed >> 8) % (end - sample->pvd);
			seed = seed * 1664525u + 1013904223u;
			c.image[at] = (uint8_t)(seed >> 24);
		}
		c.any = true;
		try(&c);
	}
}

static void test_enough(void)
{
	CHECK(nchanges >= 200);
	printf("# %u malformed images\n", nchanges);
}

static void teardown(void)
{
	isob_free(sample);
}

static const struct check_test tests[] = {
	{ "the sample itself", test_sample },
	{ "truncated", test_truncated },
	{ "shrunk", test_shrunk },
	{ "volume descriptors", test_descriptors },
	{ "directory records", test_records },
	{ "cycles and overlaps", test_cycles },
	{ "fields", test_fields },
	{ "names and links", test_names },
	{ "continuations", test_continuations },
	{ "zisofs", test_zisofs },
	{ "directories over each other", test_quadratic },
	{ "one continuation for all", test_shared_continuation },
	{ "sections", test_sections },
	{ "random bytes", test_random },
	{ "enough of them", test_enough },
};

CHECK_MAIN_WITH(tests, make_sample, teardown)
