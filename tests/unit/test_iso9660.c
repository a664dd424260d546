// SPDX-License-Identifier: GPL-3.0-or-later
/* lib/fs, lib/fs/iso9660: what the reader shows of images that are made byte for byte here. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "fs/fs.h"
#include "fs/iso9660/iso9660.h"
#include "isobuild.h"
#include "test_store_mem.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define SECTOR 2048u

/* A disc over bytes in memory, and the file system that is open on it. */
struct bench {
	struct isob *b;
	struct vd_disc *disc;
	struct vd_fs *fs;
	struct vd_error err;
};

static struct vd_disc *make_disc(const uint8_t *image, size_t size)
{
	struct mem_store *m = mem_store_new(image, size);
	struct vd_track t = { .number = 1, .session = 1, .length = (uint32_t)(size / SECTOR) };
	struct vd_disc *d = NULL;

	ASSERT_OK(vd_disc_new(&d));
	ASSERT_OK(vd_disc_own_store(d, &m->store));
	ASSERT_OK(vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, &m->store, 0, NULL));
	return d;
}

static struct bench start(void)
{
	struct bench t = { .b = isob_new() };

	t.b->rock = true;
	return t;
}

static void stop(struct bench *t)
{
	vd_fs_close(t->fs);
	vd_disc_close(t->disc);
	isob_free(t->b);
	t->fs = NULL;
	t->disc = NULL;
	t->b = NULL;
}

#define _cleanup_bench_ _cleanup_(stop)

static int try_open(struct bench *t, const char *options)
{
	char *text = check_printf("%s", options), *save = NULL;
	struct vd_fs_options o = { .norock = false };

	if (!t->b->image)
		isob_finish(t->b);
	vd_fs_close(t->fs);
	t->fs = NULL;
	if (!t->disc)
		t->disc = make_disc(t->b->image, t->b->size);
	for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save))
		ASSERT_OK(vd_fs_option(&o, s, &t->err));
	return vd_fs_open(t->disc, &o, &t->fs, &t->err);
}

static void open_with(struct bench *t, const char *options)
{
	ASSERT_OK(try_open(t, options));
}

/* Has the image changed: open it anew. */
static void reopen(struct bench *t, const char *options)
{
	vd_fs_close(t->fs);
	vd_disc_close(t->disc);
	t->fs = NULL;
	t->disc = NULL;
	open_with(t, options);
}

static int lookup(struct vd_fs *fs, uint64_t dir, const char *name, struct vd_fs_attr *a)
{
	return vd_fs_lookup(fs, dir, name, strlen(name), a);
}

/* Looks up a path with slashes. */
static int find(struct bench *t, const char *path, struct vd_fs_attr *a)
{
	char *text = check_printf("%s", path), *save = NULL;
	uint64_t at = t->fs->root;
	int r = vd_fs_getattr(t->fs, at, a);

	for (char *s = strtok_r(text, "/", &save); s && !r; s = strtok_r(NULL, "/", &save)) {
		r = lookup(t->fs, at, s, a);
		at = a->ino;
	}
	return r;
}

struct list {
	size_t n, stop;
	char names[3000][300];
	struct vd_fs_attr attr[3000];
	uint64_t next[3000];
};

static int collect(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		   uint64_t next)
{
	struct list *l = arg;

	if (l->n == l->stop)
		return 1;
	snprintf(l->names[l->n], sizeof(l->names[0]), "%.*s", (int)len, name);
	l->attr[l->n] = *attr;
	l->next[l->n++] = next;
	return 0;
}

static struct list *list_dir(struct bench *t, uint64_t dir)
{
	struct list *l = check_alloc(sizeof(*l));

	l->n = 0;
	l->stop = 3000;
	CHECK_OK(vd_fs_readdir(t->fs, dir, 0, collect, l));
	return l;
}

static void check_names(struct bench *t, const char *expected)
{
	const struct list *l = list_dir(t, t->fs->root);
	char *text = check_printf("%s", "");

	for (size_t i = 0; i < l->n; i++)
		text = check_printf("%s%s%s", text, i ? " " : "", l->names[i]);
	CHECK_STR(text, expected);
}

static uint8_t *pattern(size_t size)
{
	uint8_t *p = check_alloc(size + 1);

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	return p;
}

static void check_content(struct bench *t, uint64_t ino, const void *data, size_t size)
{
	uint8_t *buf = check_alloc(size + 100);
	static const size_t parts[] = { 1, 511, 4096, 40000 };

	CHECK_INT(vd_fs_read(t->fs, ino, buf, size + 100, 0), size);
	CHECK_MEM(buf, data, size);
	CHECK_INT(vd_fs_read(t->fs, ino, buf, 10, size), 0);
	CHECK_INT(vd_fs_read(t->fs, ino, buf, 10, UINT64_MAX), 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(parts); i++) {
		size_t off = size / 3, n = parts[i] < size - off ? parts[i] : size - off;

		if (!n)
			continue;
		CHECK_INT(vd_fs_read(t->fs, ino, buf, n, off), n);
		CHECK_MEM(buf, (const uint8_t *)data + off, n);
	}
}

static void test_views(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_fs_attr a;

	t.b->joliet = true;
	t.b->volume = "A Volume";
	isob_file(t.b, NULL, "Long name.text", "x", 1);
	isob_dir(t.b, NULL, "Some directory");
	isob_link(t.b, NULL, "link", "x");
	open_with(&t, "");
	CHECK_STR(t.fs->view, "rock ridge");
	CHECK_STR(t.fs->volume, "A Volume");
	CHECK_INT(t.fs->session, 1);
	CHECK_INT(t.fs->nsessions, 1);
	check_names(&t, "Long name.text Some directory link");
	open_with(&t, "norock");
	CHECK_STR(t.fs->view, "joliet");
	CHECK_STR(t.fs->volume, "A Volume");
	check_names(&t, "Long name.text Some directory");
	open_with(&t, "nojoliet");
	CHECK_STR(t.fs->view, "rock ridge");
	open_with(&t, "norock,nojoliet");
	CHECK_STR(t.fs->view, "iso9660");
	check_names(&t, "long_name.text some_directory link");
	ASSERT_OK(find(&t, "long_name.text", &a));
	CHECK_UINT(a.mode, S_IFREG | 0555);
	CHECK_UINT(a.uid, 0);
	CHECK_UINT(a.nlink, 1);
	ASSERT_OK(find(&t, "some_directory", &a));
	CHECK_UINT(a.mode, S_IFDIR | 0555);
	open_with(&t, "norock,nojoliet,map=off");
	check_names(&t, "LONG_NAME.TEXT;1 SOME_DIRECTORY LINK.;1");
}

/* A primary tree without anything in it, as some Windows programs write it, does not hide the Joliet tree. */
static void test_empty_primary(void)
{
	_cleanup_bench_ struct bench t = start();

	t.b->joliet = true;
	isob_file(t.b, NULL, "file", "x", 1);
	isob_finish(t.b);
	memset(t.b->image + t.b->root->child->record, 0, t.b->root->child->record_len);
	open_with(&t, "");
	CHECK_STR(t.fs->view, "joliet");
	check_names(&t, "file");
}

static void test_attributes(void)
{
	for (int longer = 0; longer < 2; longer++) {
		_cleanup_bench_ struct bench t = start();
		struct isob_node *n;
		struct vd_fs_attr a;

		t.b->long_times = longer;
		n = isob_file(t.b, NULL, "file", pattern(5000), 5000);
		n->mode = S_IFREG | 06751;
		n->uid = 70000;
		n->gid = 80000;
		n->nlink = 3;
		n->mtime = -1000000000;
		isob_device(t.b, NULL, "block", S_IFBLK | 0640, 259, 70000);
		/* All of the number in the low half. */
		isob_device(t.b, NULL, "tty", S_IFCHR | 0620, 0, 4 << 8 | 64);
		isob_device(t.b, NULL, "fifo", S_IFIFO | 0600, 0, 0);
		isob_device(t.b, NULL, "socket", S_IFSOCK | 0600, 0, 0);
		isob_dir(t.b, NULL, "dir")->mode = S_IFDIR | 01777;
		open_with(&t, "");
		ASSERT_OK(find(&t, "file", &a));
		CHECK_UINT(a.mode, S_IFREG | 06751);
		CHECK_UINT(a.uid, 70000);
		CHECK_UINT(a.gid, 80000);
		CHECK_UINT(a.nlink, 3);
		CHECK_UINT(a.size, 5000);
		CHECK_UINT(a.blocks, 10);
		CHECK_INT(a.mtime.tv_sec, -1000000000);
		CHECK_INT(a.atime.tv_sec, -999999999);
		CHECK_INT(a.ctime.tv_sec, -999999998);
		ASSERT_OK(find(&t, "block", &a));
		CHECK_UINT(a.mode, S_IFBLK | 0640);
		CHECK_UINT(a.rdev, makedev(259, 70000));
		ASSERT_OK(find(&t, "tty", &a));
		CHECK_UINT(a.rdev, makedev(4, 64));
		CHECK_INT(vd_fs_read(t.fs, a.ino, &a, 1, 0), -EINVAL);
		ASSERT_OK(find(&t, "fifo", &a));
		CHECK_UINT(a.mode, S_IFIFO | 0600);
		ASSERT_OK(find(&t, "socket", &a));
		CHECK_UINT(a.mode, S_IFSOCK | 0600);
		ASSERT_OK(find(&t, "dir", &a));
		CHECK_UINT(a.mode, S_IFDIR | 01777);
		CHECK_UINT(a.size, 2048);
	}
}

static void test_overrides(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_fs_attr a;

	isob_file(t.b, NULL, "file", "x", 1);
	isob_dir(t.b, NULL, "dir");
	isob_link(t.b, NULL, "link", "x");
	open_with(&t, "uid=5,gid=6,mode=640,dmode=750");
	ASSERT_OK(find(&t, "file", &a));
	CHECK_UINT(a.uid, 5);
	CHECK_UINT(a.gid, 6);
	CHECK_UINT(a.mode, S_IFREG | 0640);
	ASSERT_OK(find(&t, "dir", &a));
	CHECK_UINT(a.mode, S_IFDIR | 0750);
	ASSERT_OK(find(&t, "link", &a));
	CHECK_UINT(a.mode, S_IFLNK | 0777);
	ASSERT_OK(find(&t, "", &a));
	CHECK_UINT(a.mode, S_IFDIR | 0750);
	CHECK_UINT(a.uid, 5);
}

static void test_options(void)
{
	static const struct {
		const char *option;
		int code;
		const char *words;
	} rows[] = {
		{ "norock", 0, "" },
		{ "norock=1", -EINVAL, "no value" },
		{ "rock", -ENOENT, "" },
		{ "", -ENOENT, "" },
		{ "map=normal", 0, "" },
		{ "map=o", 0, "" },
		{ "map=acorn", -EINVAL, "acorn" },
		{ "map", -EINVAL, "needs a value" },
		{ "map=", -EINVAL, "map is" },
		{ "check=relaxed", 0, "" },
		{ "check=s", 0, "" },
		{ "check=strictly", -EINVAL, "strictly" },
		{ "session=1", 0, "" },
		{ "session=99", 0, "" },
		{ "session=0", -EINVAL, "1 to 99" },
		{ "session=100", -EINVAL, "1 to 99" },
		{ "session=-1", -EINVAL, "1 to 99" },
		{ "session=1x", -EINVAL, "1x" },
		{ "uid=0", 0, "" },
		{ "uid=4294967294", 0, "" },
		{ "uid=4294967295", -EINVAL, "uid" },
		{ "uid= 1", -EINVAL, "uid" },
		{ "gid=root", -EINVAL, "root" },
		{ "mode=777", 0, "" },
		{ "mode=1000", -EINVAL, "octal" },
		{ "dmode=8", -EINVAL, "octal" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		struct vd_fs_options o = { .norock = false };
		struct vd_error err = { .text = "" };

		if (!CHECK_ERRNO(vd_fs_option(&o, rows[i].option, &err), rows[i].code))
			CHECK_FAIL("with %s", rows[i].option);
		CHECK_HAS(err.text, rows[i].words);
	}
}

static void test_long_names(void)
{
	static const size_t lengths[] = { 1, 100, 190, 200, 201, 254, 255, 256, 1000, 1024 };
	_cleanup_bench_ struct bench t = start();
	struct list *l;
	struct vd_fs_attr a;
	char name[1101];

	for (size_t i = 0; i < VD_ARRAY_SIZE(lengths); i++) {
		memset(name, 'a' + (int)i, sizeof(name));
		name[lengths[i]] = '\0';
		isob_file(t.b, NULL, name, name, i);
	}
	memset(name, 'z', 1025);
	name[1025] = '\0';
	isob_file(t.b, NULL, name, "", 0)->plain = strdup("TOOLONG.;1");
	open_with(&t, "");
	for (size_t i = 0; i < VD_ARRAY_SIZE(lengths); i++) {
		memset(name, 'a' + (int)i, sizeof(name));
		name[lengths[i]] = '\0';
		ASSERT_OK(lookup(t.fs, t.fs->root, name, &a));
		CHECK_UINT(a.size, i);
	}
	l = list_dir(&t, t.fs->root);
	ASSERT_UINT(l->n, VD_ARRAY_SIZE(lengths) + 1);
	/* One that is too long is not hidden, and not shortened as if it were whole. */
	CHECK_STR(l->names[l->n - 1], "toolong");
	CHECK_UINT(l->attr[l->n - 1].mode, 0);
	CHECK_ERRNO(lookup(t.fs, t.fs->root, "toolong", &a), -EUCLEAN);
	CHECK_ERRNO(vd_fs_getattr(t.fs, l->attr[l->n - 1].ino, &a), -EUCLEAN);
	memset(name, 'z', 1025);
	name[1025] = '\0';
	CHECK_ERRNO(lookup(t.fs, t.fs->root, name, &a), -ENAMETOOLONG);
	CHECK_ERRNO(lookup(t.fs, t.fs->root, "", &a), -ENOENT);
}

static void test_strange_names(void)
{
	_cleanup_bench_ struct bench t = start();
	struct isob_node *n;

	isob_file(t.b, NULL, "a/b", "", 0);
	isob_file(t.b, NULL, ".", "", 0)->plain = strdup("DOT.;1");
	isob_file(t.b, NULL, "..", "", 0)->plain = strdup("DOTS.;1");
	isob_file(t.b, NULL, "", "", 0)->plain = strdup("EMPTY.;1");
	n = isob_file(t.b, NULL, "none", "", 0);
	n->no_name = true;
	n->plain = strdup("NO/NAME;2");
	open_with(&t, "");
	check_names(&t, "a_b dot dots empty no.name.2");
}

static void test_unicode(void)
{
	static const char *const names[] = {
		"\xd0\x96\xd1\x83\xd0\xba",
		"\xe6\x97\xa5\xe6\x9c\xac.txt",
		"\xf0\x9f\x98\x80 emoji",
		"caf\xc3\xa9",
	};

	for (int level = 1; level <= 3; level++) {
		_cleanup_bench_ struct bench t = start();
		struct isob_node *lone;
		struct vd_fs_attr a;
		char name[101];

		t.b->rock = false;
		t.b->joliet = true;
		t.b->joliet_level = level;
		for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++)
			isob_file(t.b, NULL, names[i], "xxxx", i);
		memset(name, 'l', 100);
		name[100] = '\0';
		isob_file(t.b, NULL, name, "x", 1);
		lone = isob_file(t.b, NULL, "ABC", "x", 1);
		isob_file(t.b, NULL, "dots...", "x", 1);
		isob_file(t.b, NULL, "version;1", "x", 1);
		isob_finish(t.b);
		/* "A", a low surrogate by itself, "C". */
		vd_put_be16(t.b->image + lone->joliet_record + 35, 0xdc01);
		open_with(&t, "");
		CHECK_STR(t.fs->view, "joliet");
		for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
			ASSERT_OK(lookup(t.fs, t.fs->root, names[i], &a));
			CHECK_UINT(a.size, i);
		}
		CHECK_OK(lookup(t.fs, t.fs->root, name, &a));
		CHECK_OK(lookup(t.fs, t.fs->root,
				"A\xef\xbf\xbd"
				"C",
				&a));
		CHECK_OK(lookup(t.fs, t.fs->root, "dots", &a));
		CHECK_OK(lookup(t.fs, t.fs->root, "dots..", &a));
		CHECK_OK(lookup(t.fs, t.fs->root, "version", &a));
		CHECK_ERRNO(lookup(t.fs, t.fs->root, "version;1", &a), -ENOENT);
	}
}

static void test_case(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_fs_attr a;

	t.b->joliet = true;
	isob_file(t.b, NULL, "Name", "x", 1);
	isob_file(t.b, NULL, "NAME", "xx", 2);
	open_with(&t, "norock");
	/* The very name first, else the first that differs in case only. */
	ASSERT_OK(find(&t, "NAME", &a));
	CHECK_UINT(a.size, 2);
	ASSERT_OK(find(&t, "Name", &a));
	CHECK_UINT(a.size, 1);
	ASSERT_OK(find(&t, "name", &a));
	CHECK_UINT(a.size, 1);
	open_with(&t, "norock,check=strict");
	CHECK_ERRNO(find(&t, "name", &a), -ENOENT);
	open_with(&t, "");
	CHECK_ERRNO(find(&t, "name", &a), -ENOENT);
	open_with(&t, "check=relaxed");
	CHECK_OK(find(&t, "nAME", &a));
}

static void test_large_directory(void)
{
	_cleanup_bench_ struct bench t = start();
	struct list *l, *part = check_alloc(sizeof(*part));
	struct vd_fs_attr a;
	uint64_t pos = 0;
	size_t wrong = 0;

	for (int i = 0; i < 2500; i++)
		isob_file(t.b, NULL, check_printf("file %d", i), pattern((size_t)i % 3),
			  (size_t)i % 3);
	/* The first of equal names is the one that is found. */
	isob_file(t.b, NULL, "file 7", "xxxxx", 5);
	open_with(&t, "");
	l = list_dir(&t, t.fs->root);
	ASSERT_UINT(l->n, 2501);
	for (size_t i = 0; i < 2500; i++) {
		ASSERT_OK(lookup(t.fs, t.fs->root, l->names[i], &a));
		CHECK(!memcmp(&a, &l->attr[i], sizeof(a)));
	}
	CHECK_ERRNO(lookup(t.fs, t.fs->root, "file 2500", &a), -ENOENT);
	/* From every position on, in parts. */
	for (size_t i = 0; i < l->n; i += part->n) {
		part->n = 0;
		part->stop = 7;
		ASSERT_OK(vd_fs_readdir(t.fs, t.fs->root, pos, collect, part));
		ASSERT(part->n > 0);
		CHECK_STR(part->names[0], l->names[i]);
		pos = part->next[part->n - 1];
	}
	part->n = 0;
	CHECK_OK(vd_fs_readdir(t.fs, t.fs->root, pos, collect, part));
	CHECK_UINT(part->n, 0);
	CHECK_OK(vd_fs_readdir(t.fs, t.fs->root, UINT64_MAX, collect, part));
	CHECK_UINT(part->n, 0);
	/* A position that was made up is refused, or is one that was given. */
	for (uint64_t p = 1; p < 3000; p++) {
		int r;

		part->n = 0;
		part->stop = 1;
		r = vd_fs_readdir(t.fs, t.fs->root, p, collect, part);
		wrong += r == -EINVAL;
		if (!r && part->n)
			CHECK(!strncmp(part->names[0], "file ", 5));
		else
			CHECK_ERRNO(r, -EINVAL);
	}
	CHECK(wrong > 2800);
}

static int refuse(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		  uint64_t next)
{
	++*(int *)arg;
	return -ENOBUFS;
}

static void test_wrong_numbers(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_fs_attr file, dir, a;
	struct vd_fs_extent x;
	int calls = 0;
	char c;

	isob_file(t.b, isob_dir(t.b, NULL, "dir"), "file", "x", 1);
	open_with(&t, "");
	/* What was not met is not known. */
	CHECK_ERRNO(vd_fs_getattr(t.fs, (UINT64_C(1) << 48) | t.b->root->child->extent, &a),
		    -ENOENT);
	CHECK_ERRNO(vd_fs_getattr(t.fs, t.b->root->child->child->record, &a), -ENOENT);
	ASSERT_OK(find(&t, "dir", &dir));
	ASSERT_OK(find(&t, "dir/file", &file));
	CHECK_ERRNO(lookup(t.fs, file.ino, "x", &a), -ENOTDIR);
	CHECK_ERRNO(vd_fs_readdir(t.fs, file.ino, 0, refuse, &calls), -ENOTDIR);
	CHECK_ERRNO(vd_fs_readdir(t.fs, dir.ino, 0, refuse, &calls), -ENOBUFS);
	CHECK_INT(calls, 1);
	CHECK_INT(vd_fs_read(t.fs, dir.ino, &c, 1, 0), -EISDIR);
	CHECK_ERRNO(vd_fs_map(t.fs, dir.ino, 0, &x), -EISDIR);
	CHECK_ERRNO(vd_fs_readlink(t.fs, file.ino, &c, 1), -EINVAL);
	CHECK_ERRNO(vd_fs_readlink(t.fs, dir.ino, &c, 1), -EINVAL);
	for (int d = -40; d <= 40; d++) {
		if (!d)
			continue;
		CHECK(vd_fs_getattr(t.fs, file.ino + (uint64_t)d, &a) < 0);
		CHECK(vd_fs_getattr(t.fs, dir.ino + (uint64_t)d, &a) < 0);
	}
	CHECK_ERRNO(vd_fs_getattr(t.fs, 0, &a), -ENOENT);
	CHECK_ERRNO(vd_fs_getattr(t.fs, UINT64_MAX, &a), -ENOENT);
}

static void test_links(void)
{
	static const char *const targets[] = {
		"x",	 "a/b", "/",	       "/usr/bin", "..", ".", "../../x/./y/..",
		"/../x", "...", ".hidden/..x",
	};
	_cleanup_bench_ struct bench t = start();
	char *longest = check_alloc(4096), buf[VD_FS_LINK_MAX];
	struct vd_fs_attr a;

	t.b->name_part = 100;
	for (size_t i = 0; i < VD_ARRAY_SIZE(targets); i++)
		isob_link(t.b, NULL, check_printf("%zu", i), targets[i]);
	for (size_t i = 0; i < 3000; i++)
		longest[i] = i % 251 == 250 ? '/' : 'y';
	longest[3000] = '\0';
	isob_link(t.b, NULL, "long", longest);
	open_with(&t, "");
	for (size_t i = 0; i < VD_ARRAY_SIZE(targets); i++) {
		ASSERT_OK(find(&t, check_printf("%zu", i), &a));
		CHECK_UINT(a.size, strlen(targets[i]));
		CHECK_OK(vd_fs_readlink(t.fs, a.ino, buf, sizeof(buf)));
		CHECK_STR(buf, targets[i]);
		CHECK_ERRNO(vd_fs_readlink(t.fs, a.ino, buf, a.size), -ENAMETOOLONG);
		CHECK_OK(vd_fs_readlink(t.fs, a.ino, buf, a.size + 1));
	}
	ASSERT_OK(find(&t, "long", &a));
	CHECK_OK(vd_fs_readlink(t.fs, a.ino, buf, sizeof(buf)));
	CHECK_STR(buf, longest);
}

static void test_content(void)
{
	static const uint32_t blocks[] = { 512, 1024, 2048 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(blocks); i++) {
		_cleanup_bench_ struct bench t = start();
		uint8_t *data = pattern(100000);
		struct vd_fs_extent x;
		struct vd_fs_stat st;
		struct vd_fs_attr a;

		t.b->block = blocks[i];
		isob_file(t.b, NULL, "empty", data, 0);
		isob_file(t.b, NULL, "large", data, 100000)->ear = 2;
		isob_file(t.b, isob_dir(t.b, isob_dir(t.b, NULL, "d"), "e"), "small", data, 10);
		isob_file(t.b, NULL, "mixed", data, 10)->gap = 1;
		open_with(&t, "");
		CHECK_OK(vd_fs_stat(t.fs, &st));
		CHECK_UINT(st.block, blocks[i]);
		CHECK_UINT(st.bytes, t.b->size);
		ASSERT_OK(find(&t, "large", &a));
		check_content(&t, a.ino, data, 100000);
		CHECK_OK(vd_fs_map(t.fs, a.ino, 99999, &x));
		CHECK_UINT(x.len, 1);
		CHECK(!x.hole);
		CHECK_OK(vd_fs_map(t.fs, a.ino, 0, &x));
		CHECK_UINT(x.len, 100000);
		CHECK_MEM(t.b->image + x.offset, data, 100000);
		CHECK_ERRNO(vd_fs_map(t.fs, a.ino, 100000, &x), -EINVAL);
		ASSERT_OK(find(&t, "empty", &a));
		check_content(&t, a.ino, data, 0);
		CHECK_ERRNO(vd_fs_map(t.fs, a.ino, 0, &x), -EINVAL);
		ASSERT_OK(find(&t, "d/e/small", &a));
		check_content(&t, a.ino, data, 10);
		ASSERT_OK(find(&t, "mixed", &a));
		CHECK_ERRNO(vd_fs_map(t.fs, a.ino, 0, &x), -EOPNOTSUPP);
		CHECK_INT(vd_fs_read(t.fs, a.ino, data, 1, 0), -EOPNOTSUPP);
	}
}

static void test_sections(void)
{
	_cleanup_bench_ struct bench t = start();
	uint8_t *data = pattern(20000), *record;
	struct isob_node *n;
	struct vd_fs_extent x;
	struct vd_fs_attr a;
	uint64_t off = 0;

	for (int i = 0; i < 12; i++)
		isob_file(t.b, NULL, check_printf("before %d", i), data, 1);
	n = isob_file(t.b, NULL, "file", data, 20000);
	/* Enough of them that their records lie in two sectors. */
	n->section = SECTOR;
	isob_file(t.b, NULL, "after", data, 1);
	open_with(&t, "");
	CHECK_UINT(list_dir(&t, t.fs->root)->n, 14);
	ASSERT_OK(find(&t, "file", &a));
	CHECK_UINT(a.size, 20000);
	CHECK_UINT(a.blocks, 40);
	check_content(&t, a.ino, data, 20000);
	while (off < 20000) {
		ASSERT_OK(vd_fs_map(t.fs, a.ino, off, &x));
		CHECK_MEM(t.b->image + x.offset, data + off, x.len);
		off += x.len;
	}
	CHECK_UINT(off, 20000);
	CHECK_OK(find(&t, "after", &a));
	/* Sizes that only together pass 4 GiB. */
	record = t.b->image + n->record;
	isob_put32(record + 10, 0xfffff800);
	isob_put32(record + record[0] + 10, 0xfffff800);
	reopen(&t, "");
	ASSERT_OK(find(&t, "file", &a));
	CHECK_UINT(a.size, 2 * UINT64_C(0xfffff800) + 20000 - 2 * SECTOR);
	CHECK_ERRNO(vd_fs_map(t.fs, a.ino, UINT64_C(0xfffff800) - 1, &x), -EIO);
	ASSERT_OK(vd_fs_map(t.fs, a.ino, 2 * UINT64_C(0xfffff800) + 5, &x));
	CHECK_MEM(t.b->image + x.offset, data + 2 * SECTOR + 5, x.len);
}

static void test_zisofs(void)
{
	static const size_t sizes[] = { 0, 1, 32767, 32768, 32769, 400000 };
	_cleanup_bench_ struct bench t = start();
	uint8_t *data = pattern(400000);
	struct vd_iso_info *info = check_alloc(sizeof(*info));
	struct vd_fs_extent x;
	struct vd_fs_attr a;

	/* Whole blocks of zeros are not stored. */
	memset(data + 131072, 0, 131072);
	for (int version = 1; version <= 2; version++)
		for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++)
			isob_file(t.b, NULL, check_printf("%d-%zu", version, sizes[i]), data,
				  sizes[i])
				->zisofs = version;
	open_with(&t, "");
	for (int version = 1; version <= 2; version++) {
		for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++) {
			ASSERT_OK(find(&t, check_printf("%d-%zu", version, sizes[i]), &a));
			CHECK_UINT(a.size, sizes[i]);
			/* Twice: the second time some of it comes from the cache. */
			check_content(&t, a.ino, data, sizes[i]);
			check_content(&t, a.ino, data, sizes[i]);
			CHECK_ERRNO(vd_fs_map(t.fs, a.ino, 0, &x), -EOPNOTSUPP);
		}
	}
	ASSERT_OK(vd_iso_info(t.disc, NULL, info, &t.err));
	CHECK(info->zisofs_seen);
	/* Without Rock Ridge nothing says that a file is packed. */
	open_with(&t, "norock");
	ASSERT_OK(find(&t, "1_400000", &a));
	CHECK_UINT(a.size, isob_field(t.b, t.b->root->child, "ZF", 0)
				   ? t.b->root->child->next->next->next->next->next->stored
				   : 0);
	CHECK_OK(vd_fs_map(t.fs, a.ino, 0, &x));
}

static void test_flags(void)
{
	_cleanup_bench_ struct bench t = start();

	isob_file(t.b, NULL, "shown", "", 0);
	isob_file(t.b, NULL, "hidden", "", 0)->flags = 1;
	isob_file(t.b, NULL, "associated", "", 0)->flags = 4;
	open_with(&t, "");
	check_names(&t, "shown hidden");
	open_with(&t, "hide");
	check_names(&t, "shown");
	open_with(&t, "showassoc");
	check_names(&t, "shown hidden associated");
}

static void test_relocated(void)
{
	for (int re = 0; re < 2; re++) {
		_cleanup_bench_ struct bench t = start();
		struct isob_node *moved, *place;
		struct vd_fs_attr a, b;

		place = isob_file(t.b, isob_dir(t.b, NULL, "deep"), "moved", "", 0);
		moved = isob_dir(t.b, isob_dir(t.b, NULL, "rr_moved"), "moved");
		moved->is_relocated = re;
		moved->mode = S_IFDIR | 0711;
		isob_file(t.b, moved, "inside", "x", 1);
		place->relocated = moved;
		open_with(&t, "");
		ASSERT_OK(find(&t, "deep/moved/inside", &a));
		ASSERT_OK(find(&t, "deep/moved", &a));
		CHECK_UINT(a.mode, S_IFDIR | 0711);
		ASSERT_OK(find(&t, "rr_moved", &b));
		/* Without RE it stands in two places, and was first met in the other. */
		CHECK_ERRNO(lookup(t.fs, b.ino, "moved", &a), re ? -ENOENT : -ELOOP);
		CHECK_UINT(list_dir(&t, b.ino)->n, !re);
	}
}

/* A directory that is its own ancestor, and one that stands in two places. */
static void test_tree(void)
{
	_cleanup_bench_ struct bench t = start();
	struct isob_node *one, *two, *back;
	struct list *l;
	struct vd_fs_attr a, dir;

	one = isob_dir(t.b, NULL, "one");
	two = isob_dir(t.b, NULL, "two");
	back = isob_dir(t.b, one, "back");
	isob_file(t.b, one, "file", "x", 1);
	isob_finish(t.b);
	isob_put32(t.b->image + back->record + 2, t.b->root->extent / SECTOR);
	isob_put32(t.b->image + two->record + 2, one->extent / SECTOR);
	open_with(&t, "");
	l = list_dir(&t, t.fs->root);
	ASSERT_UINT(l->n, 2);
	CHECK_UINT(l->attr[0].mode, S_IFDIR | 0755);
	CHECK_UINT(l->attr[1].mode & S_IFMT, 0);
	CHECK(l->attr[0].ino != l->attr[1].ino);
	CHECK_ERRNO(find(&t, "two", &a), -ELOOP);
	CHECK_ERRNO(vd_fs_getattr(t.fs, l->attr[1].ino, &a), -ELOOP);
	CHECK_ERRNO(vd_fs_readdir(t.fs, l->attr[1].ino, 0, refuse, &l), -ELOOP);
	CHECK_ERRNO(lookup(t.fs, l->attr[1].ino, "file", &a), -ELOOP);
	ASSERT_OK(find(&t, "one", &dir));
	CHECK_OK(lookup(t.fs, dir.ino, "file", &a));
	CHECK_ERRNO(lookup(t.fs, dir.ino, "back", &a), -ELOOP);
	CHECK_UINT(list_dir(&t, dir.ino)->n, 2);
}

static void put_record(uint8_t *p, uint8_t len, uint32_t block, uint8_t flags, const char *name,
		       uint8_t name_len)
{
	memset(p, 0, len);
	p[0] = len;
	isob_put32(p + 2, block);
	isob_put32(p + 10, SECTOR);
	p[25] = flags;
	vd_put_le16(p + 28, 1);
	vd_put_be16(p + 30, 1);
	p[32] = name_len;
	memcpy(p + 33, name, name_len);
}

/*
 * With blocks of 512 bytes a directory can begin in the middle of another one's sector, hidden inside a record. The
 * records behind would belong to both, and one of them to its own child.
 */
static void test_overlap(void)
{
	_cleanup_bench_ struct bench t = start();
	struct isob_node *outer;
	struct vd_fs_attr a;
	uint32_t block;
	uint8_t *p;

	t.b->rock = false;
	t.b->block = 512;
	outer = isob_dir(t.b, NULL, "outer");
	isob_dir(t.b, NULL, "other");
	isob_finish(t.b);
	p = t.b->image + outer->extent;
	block = outer->extent / 512;
	memset(p, 0, SECTOR);
	put_record(p, 34, block, 2, "\0", 1);
	put_record(p + 34, 34, t.b->root->extent / 512, 2, "\1", 1);
	put_record(p + 68, 250, 0, 0, "A.;1", 4);
	put_record(p + 318, 122, 0, 0, "B.;1", 4);
	put_record(p + 440, 200, 0, 0, "C.;1", 4);
	put_record(p + 512, 34, block + 1, 2, "\0", 1);
	put_record(p + 546, 34, block, 2, "\1", 1);
	put_record(p + 640, 40, block + 1, 2, "SELF", 4);
	put_record(p + 580, 60, 0, 0, "D.;1", 4);
	/* "other" is the hidden one. */
	isob_put32(t.b->image + t.b->root->child->next->record + 2, block + 1);
	open_with(&t, "");
	ASSERT_OK(find(&t, "outer", &a));
	ASSERT_UINT(list_dir(&t, a.ino)->n, 4);
	CHECK_ERRNO(find(&t, "other", &a), -ELOOP);
	CHECK_ERRNO(find(&t, "outer/self", &a), -ELOOP);
	/* And the other way round: what is met first is what is shown. */
	open_with(&t, "");
	ASSERT_OK(find(&t, "other", &a));
	CHECK_ERRNO(find(&t, "outer", &a), -ELOOP);
	CHECK_ERRNO(find(&t, "other/self", &a), -ELOOP);
}

static void test_xa(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_fs_attr a;

	t.b->xa = true;
	isob_file(t.b, isob_dir(t.b, NULL, "Directory"), "Long Name", "x", 1);
	open_with(&t, "");
	CHECK_STR(t.fs->view, "rock ridge");
	ASSERT_OK(find(&t, "Directory/Long Name", &a));
	CHECK_UINT(a.uid, 1000);
}

static void test_both_endian(void)
{
	_cleanup_bench_ struct bench t = start();
	struct isob_node *n;
	struct vd_fs_attr a;

	n = isob_file(t.b, NULL, "file", "data", 4);
	isob_finish(t.b);
	/* Some programs write only the little-endian half, and a few only the other. */
	memset(t.b->image + n->record + 6, 0, 4);
	memset(t.b->image + n->record + 14, 0, 4);
	open_with(&t, "");
	ASSERT_OK(find(&t, "file", &a));
	check_content(&t, a.ino, "data", 4);
	isob_put32(t.b->image + n->record + 2, n->extent / SECTOR);
	isob_put32(t.b->image + n->record + 10, 4);
	memset(t.b->image + n->record + 2, 0xee, 4);
	memset(t.b->image + n->record + 10, 0xee, 4);
	reopen(&t, "");
	ASSERT_OK(find(&t, "file", &a));
	check_content(&t, a.ino, "data", 4);
}

static void test_cut_short(void)
{
	_cleanup_bench_ struct bench t = start();
	uint8_t *data = pattern(10000), buf[4096];
	struct isob_node *n;
	struct vd_fs_extent x;
	struct vd_fs_attr a;

	n = isob_file(t.b, NULL, "file", data, 10000);
	isob_finish(t.b);
	t.disc = make_disc(t.b->image, n->extent + 2 * SECTOR);
	open_with(&t, "");
	ASSERT_OK(find(&t, "file", &a));
	CHECK_UINT(a.size, 10000);
	CHECK_INT(vd_fs_read(t.fs, a.ino, buf, 4096, 0), 4096);
	CHECK_MEM(buf, data, 4096);
	CHECK_INT(vd_fs_read(t.fs, a.ino, buf, 2, 4095), -EIO);
	CHECK_INT(vd_fs_read(t.fs, a.ino, buf, 1, 9999), -EIO);
	CHECK_OK(vd_fs_map(t.fs, a.ino, 0, &x));
	CHECK_UINT(x.len, 4096);
	CHECK_ERRNO(vd_fs_map(t.fs, a.ino, 4096, &x), -EIO);
}

static void test_info(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_iso_info *info = check_alloc(sizeof(*info));

	t.b->joliet = t.b->enhanced = t.b->boot = true;
	t.b->joliet_level = 2;
	isob_file(t.b, NULL, "file", "x", 1);
	open_with(&t, "");
	ASSERT_OK(vd_iso_info(t.disc, NULL, info, &t.err));
	CHECK_STR(t.err.text, "");
	CHECK_STR(info->system_id, "LINUX");
	CHECK_STR(info->volume_id, "VOLUME");
	CHECK_STR(info->volume_set_id, "SET");
	CHECK_STR(info->publisher_id, "PUBLISHER");
	CHECK_STR(info->preparer_id, "PREPARER");
	CHECK_STR(info->application_id, "APPLICATION");
	CHECK_INT(info->created, 1000000000);
	CHECK_INT(info->modified, 1000000001);
	CHECK_INT(info->expires, 0);
	CHECK_INT(info->effective, 1000000002);
	CHECK_UINT(info->bytes, t.b->size);
	CHECK(info->rock_ridge && info->enhanced && !info->zisofs_seen);
	CHECK_INT(info->joliet_level, 2);
	CHECK_INT(info->nsessions, 1);
	CHECK(!info->hybrid_mbr && !info->hybrid_gpt && !info->hybrid_apm);
	ASSERT_UINT(info->nboot, 3);
	CHECK_UINT(info->boot[0].platform, 0);
	CHECK(info->boot[0].bootable);
	CHECK_UINT(info->boot[0].sectors, 4);
	CHECK_UINT(info->boot[0].lba, 20);
	CHECK_STR(info->boot[0].id, "BUILDER");
	CHECK_UINT(info->boot[1].platform, 0xef);
	CHECK_UINT(info->boot[1].lba, 21);
	CHECK_STR(info->boot[1].id, "UEFI");
	CHECK(!info->boot[2].bootable);
	CHECK_UINT(info->boot[2].media, 4);

	t.b->image[510] = 0x55;
	t.b->image[511] = 0xaa;
	t.b->image[450] = 0xef;
	memcpy(t.b->image + 512, "EFI PART", 8);
	memcpy(t.b->image + 2048, "PM\0\0", 4);
	reopen(&t, "");
	ASSERT_OK(vd_iso_info(t.disc, NULL, info, &t.err));
	CHECK(info->hybrid_mbr && info->hybrid_gpt && info->hybrid_apm);
}

/* A boot catalog that is damaged leaves the entries before the damage, and words. */
static void test_boot_damage(void)
{
	static const struct {
		uint32_t at;
		uint8_t value;
		size_t nboot;
	} rows[] = {
		{ 0, 2, 0 },	 { 29, 9, 0 },	{ 31, 0, 0 },  { 32, 0x77, 0 },
		{ 96, 0x11, 1 }, { 128, 0, 2 }, { 160, 1, 2 }, { 66, 200, 3 },
	};
	struct vd_iso_info *info = check_alloc(sizeof(*info));

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		_cleanup_bench_ struct bench t = start();

		t.b->boot = true;
		isob_finish(t.b);
		t.b->image[t.b->catalog + rows[i].at] = rows[i].value;
		/* No entry of zeros behind the last: it would be one that is not bootable. */
		memset(t.b->image + t.b->catalog + 192, 0x33, 32);
		open_with(&t, "");
		CHECK_OK(vd_iso_info(t.disc, NULL, info, &t.err));
		CHECK_HAS(t.err.text, "boot catalog");
		CHECK_UINT(info->nboot, rows[i].nboot);
	}
	{
		_cleanup_bench_ struct bench t = start();

		t.b->boot = true;
		isob_finish(t.b);
		vd_put_le32(t.b->image + t.b->boot_record + 0x47, UINT32_MAX);
		open_with(&t, "");
		CHECK_OK(vd_iso_info(t.disc, NULL, info, &t.err));
		CHECK_HAS(t.err.text, "boot catalog");
		CHECK_UINT(info->nboot, 0);
	}
}

/* Three sessions in one image, each holding a file of its own. */
static uint8_t *three_sessions(uint32_t first, uint32_t gap1, uint32_t gap2, size_t *size,
			       uint32_t lba[3])
{
	struct isob *b[3];
	uint32_t at = first;
	uint8_t *image;

	for (int i = 0; i < 3; i++) {
		b[i] = isob_new();
		b[i]->rock = true;
		b[i]->base = lba[i] = at;
		b[i]->volume = check_printf("SESSION_%d", i + 1);
		isob_file(b[i], NULL, check_printf("file %d", i + 1), "x", 1);
		isob_finish(b[i]);
		at += (uint32_t)(b[i]->size / SECTOR) + (i ? gap2 : gap1);
	}
	*size = (lba[2] * (size_t)SECTOR) + b[2]->size;
	image = check_alloc(*size);
	memset(image, 0, *size);
	for (int i = 0; i < 3; i++)
		memcpy(image + (size_t)lba[i] * SECTOR, b[i]->image, b[i]->size);
	/* Where the first does not begin at 0, a copy of the last's descriptors does. */
	if (first)
		memcpy(image, b[2]->image, 20 * SECTOR);
	for (int i = 0; i < 3; i++)
		isob_free(b[i]);
	return image;
}

static void test_sessions(void)
{
	static const uint32_t rows[][3] = {
		{ 0, 0, 0 }, { 0, 13, 150 }, { 32, 12, 20 }, { 0, 11400, 6900 }, { 0, 11552, 7052 },
	};
	struct vd_iso_info *info = check_alloc(sizeof(*info));

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		_cleanup_bench_ struct bench t = start();
		size_t size;
		uint32_t lba[3];
		uint8_t *image = three_sessions(rows[i][0], rows[i][1], rows[i][2], &size, lba);

		isob_finish(t.b);
		t.disc = make_disc(image, size);
		open_with(&t, "");
		CHECK_STR(t.fs->volume, "SESSION_3");
		CHECK_INT(t.fs->session, 3);
		CHECK_INT(t.fs->nsessions, 3);
		for (int s = 1; s <= 3; s++) {
			open_with(&t, check_printf("session=%d", s));
			CHECK_STR(t.fs->volume, check_printf("SESSION_%d", s));
			check_names(&t, check_printf("file %d", s));
		}
		CHECK_ERRNO(try_open(&t, "session=4"), -ENOENT);
		CHECK_HAS(t.err.text, "sessions 1 to 3");
		ASSERT_OK(vd_iso_info(t.disc, NULL, info, &t.err));
		CHECK_INT(info->nsessions, 3);
		for (int s = 0; s < 3; s++) {
			CHECK_UINT(info->sessions[s].lba, lba[s]);
			CHECK_STR(info->sessions[s].volume_id, check_printf("SESSION_%d", s + 1));
		}
	}
}

/* An image stored behind a volume counts from its own beginning: it is no session of it. */
static void test_no_session(void)
{
	_cleanup_bench_ struct bench t = start();
	uint8_t *image;
	size_t size;

	isob_file(t.b, NULL, "outer", "x", 1);
	isob_finish(t.b);
	size = 2 * t.b->size;
	image = check_alloc(size);
	memcpy(image, t.b->image, t.b->size);
	memcpy(image + t.b->size, t.b->image, t.b->size);
	t.disc = make_disc(image, size);
	open_with(&t, "");
	CHECK_INT(t.fs->nsessions, 1);
	CHECK_ERRNO(try_open(&t, "session=2"), -ENOENT);
	CHECK_HAS(t.err.text, "only one");
}

/* A disc that has sessions of its own, the second of which has no volume. */
static void test_disc_sessions(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_track track = { .length = 100 };
	size_t size;
	uint32_t lba[3];
	uint8_t *image = three_sessions(0, 300, 700, &size, lba);
	struct mem_store *m = mem_store_new(NULL, 1400 * SECTOR);

	isob_finish(t.b);
	memcpy(m->data, image, size);
	memset(m->data + (size_t)lba[1] * SECTOR, 0, 100 * SECTOR);
	ASSERT_OK(vd_disc_new(&t.disc));
	ASSERT_OK(vd_disc_own_store(t.disc, &m->store));
	for (int i = 0; i < 3; i++) {
		track.number = track.session = i + 1;
		track.start = (int32_t)lba[i];
		ASSERT_OK(vd_disc_add_stored_track(t.disc, &track, VD_LAYOUT_2048, &m->store,
						   (uint64_t)lba[i] * SECTOR, &t.err));
	}
	open_with(&t, "");
	CHECK_INT(t.fs->session, 3);
	CHECK_INT(t.fs->nsessions, 2);
	check_names(&t, "file 3");
	open_with(&t, "session=1");
	check_names(&t, "file 1");
	CHECK_ERRNO(try_open(&t, "session=2"), -ENOENT);
}

/* A disc of one session whose volume is in its second track. */
static void test_second_track(void)
{
	_cleanup_bench_ struct bench t = start();
	struct vd_track track = { .session = 1, .length = 50 };
	struct mem_store *m;

	t.b->base = 50;
	isob_file(t.b, NULL, "file", "x", 1);
	isob_finish(t.b);
	m = mem_store_new(NULL, 100 * SECTOR);
	memcpy(m->data + 50 * SECTOR, t.b->image, t.b->size);
	ASSERT_OK(vd_disc_new(&t.disc));
	ASSERT_OK(vd_disc_own_store(t.disc, &m->store));
	for (int i = 0; i < 2; i++) {
		track.number = i + 1;
		track.start = i * 50;
		ASSERT_OK(vd_disc_add_stored_track(t.disc, &track, VD_LAYOUT_2048, &m->store,
						   (uint64_t)i * 50 * SECTOR, &t.err));
	}
	CHECK_INT(vd_iso_probe(t.disc), 100);
	open_with(&t, "");
	check_names(&t, "file");
}

static void test_no_file_system(void)
{
	static const struct {
		uint32_t at;
		const char *magic, *words;
	} rows[] = {
		{ 0, "", "no file system" },  { 16 * SECTOR + 1, "NSR02", "no UDF anchor" },
		{ 1080, "\x53\xef", "ext2" }, { 0, "hsqs", "squashfs" },
		{ 1024, "H+", "HFS+" },	      { 16 * SECTOR + 9, "CDROM", "High Sierra" },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		uint8_t *image = calloc(64, SECTOR);
		struct vd_error err = { .text = "" };
		struct vd_disc *d;
		struct vd_fs *fs;

		ASSERT(image != NULL);
		memcpy(image + rows[i].at, rows[i].magic, strlen(rows[i].magic));
		d = make_disc(image, 64 * SECTOR);
		CHECK_INT(vd_iso_probe(d), 0);
		/* What says that it has UDF, and has not, is damaged. */
		CHECK_ERRNO(vd_fs_open(d, NULL, &fs, &err),
			    strstr(rows[i].words, "UDF") ? -EUCLEAN : -EMEDIUMTYPE);
		CHECK_HAS(err.text, rows[i].words);
		vd_disc_close(d);
		free(image);
	}
}

/* Many threads in one tree: each sees what one alone sees. */
struct thread {
	struct bench *t;
	pthread_t id;
	unsigned int seed, wrong;
};

static int count(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		 uint64_t next)
{
	++*(unsigned int *)arg;
	return 0;
}

static void *walker(void *arg)
{
	struct thread *th = arg;
	struct vd_fs *fs = th->t->fs;
	unsigned int seed = th->seed;
	char buf[3000];

	for (int i = 0; i < 400; i++) {
		struct vd_fs_attr d, a;
		char name[16];
		unsigned int n = 0, want;

		seed = seed * 1664525u + 1013904223u;
		want = seed >> 8;
		snprintf(name, sizeof(name), "d%u", want % 30);
		if (lookup(fs, fs->root, name, &d) || vd_fs_readdir(fs, d.ino, 0, count, &n) ||
		    n != 41)
			th->wrong++;
		snprintf(name, sizeof(name), "f%u", want / 30 % 40);
		if (lookup(fs, d.ino, name, &a) || vd_fs_getattr(fs, a.ino, &a) ||
		    vd_fs_read(fs, a.ino, buf, sizeof(buf), 0) != (ssize_t)a.size)
			th->wrong++;
		if (lookup(fs, d.ino, "packed", &a) ||
		    vd_fs_read(fs, a.ino, buf, 3000, want % 60000) != 3000)
			th->wrong++;
	}
	return NULL;
}

static void test_threads(void)
{
	_cleanup_bench_ struct bench t = start();
	uint8_t *data = pattern(70000);
	struct thread threads[4];

	for (int i = 0; i < 30; i++) {
		struct isob_node *d = isob_dir(t.b, NULL, check_printf("d%d", i));

		for (int j = 0; j < 40; j++)
			isob_file(t.b, d, check_printf("f%d", j), data, (size_t)j * 50);
		isob_file(t.b, d, "packed", data, 70000)->zisofs = 1;
	}
	open_with(&t, "");
	for (unsigned int i = 0; i < 4; i++) {
		threads[i] = (struct thread){ .t = &t, .seed = i };
		ASSERT_INT(pthread_create(&threads[i].id, NULL, walker, &threads[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i].id, NULL);
		CHECK_UINT(threads[i].wrong, 0);
	}
}

static const struct check_test tests[] = {
	{ "options", test_options },
	{ "views", test_views },
	{ "empty primary tree", test_empty_primary },
	{ "attributes", test_attributes },
	{ "overrides", test_overrides },
	{ "long names", test_long_names },
	{ "strange names", test_strange_names },
	{ "unicode", test_unicode },
	{ "case", test_case },
	{ "large directory", test_large_directory },
	{ "wrong numbers", test_wrong_numbers },
	{ "links", test_links },
	{ "content", test_content },
	{ "sections", test_sections },
	{ "zisofs", test_zisofs },
	{ "flags", test_flags },
	{ "relocated", test_relocated },
	{ "a tree is a tree", test_tree },
	{ "directories over each other", test_overlap },
	{ "XA", test_xa },
	{ "both byte orders", test_both_endian },
	{ "cut short", test_cut_short },
	{ "info", test_info },
	{ "damaged boot catalog", test_boot_damage },
	{ "sessions", test_sessions },
	{ "no session", test_no_session },
	{ "sessions of the disc", test_disc_sessions },
	{ "second track", test_second_track },
	{ "no file system", test_no_file_system },
	{ "threads", test_threads },
};

CHECK_MAIN(tests)
