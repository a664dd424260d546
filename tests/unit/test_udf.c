// SPDX-License-Identifier: GPL-3.0-or-later
/* The UDF reader on images built byte for byte: what mkudffs and the kernel do not write. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "fs/udf/udf.h"
#include "udfwalk.h"
#include "util/cleanup.h"
#include "util/endian.h"

static uint8_t data[6000];

static const char *what;

static void check_image(struct udfb *b)
{
	struct vd_disc *disc = udfwalk_disc(b->image, b->size);
	struct vd_error err = { "" };
	struct vd_fs *fs = NULL;
	struct udfwalk w;

	CHECK_INT(vd_udf_probe(disc), 100);
	if (CHECK_OK(vd_fs_open(disc, NULL, &fs, &err))) {
		CHECK_STR(fs->ops->name, "udf");
		CHECK_STR(fs->view, "udf");
		CHECK_STR(fs->volume, "Logical \xc3\xa9");
		udfwalk(fs, b, 0, &w);
		if (w.wrong[0] || w.errors || w.entries < 50)
			CHECK_FAIL("%s: %s (%lu errors, %lu entries)", what, w.wrong, w.errors,
				   w.entries);
	} else {
		CHECK_FAIL("%s: %s", what, err.text);
	}
	vd_fs_close(fs);
	vd_disc_close(disc);
}

static void test_forms(void)
{
	static const uint32_t blocks[] = { 512, 1024, 2048, 4096 };
	static const char *const kinds[] = { "physical", "sparable", "virtual 1.50", "virtual 2.00",
					     "metadata" };

	for (int kind = UDFB_PHYSICAL; kind <= UDFB_METADATA; kind++) {
		for (size_t s = 0; s < VD_ARRAY_SIZE(blocks); s++) {
			for (int ad = UDFB_SHORT; ad <= UDFB_EXTENDED; ad++) {
				struct udfb *b = udfb_new();

				b->kind = (enum udfb_kind)kind;
				b->block = blocks[s];
				b->extended = (kind + ad) % 2;
				b->revision = kind == UDFB_METADATA ? 0x0250 : 0x0201;
				/* Pieces of a single block each would not fit into the entry. */
				udfb_fill(b, kind >= UDFB_VIRTUAL_150 && ad == UDFB_SHORT
						     ? UDFB_LONG
						     : (enum udfb_ad)ad);
				udfb_finish(b);
				what = check_printf("%s, blocks of %u, form %d", kinds[kind],
						    blocks[s], ad);
				check_image(b);
				udfb_free(b);
			}
		}
	}
}

/* A volume with one folder, a file in it with streams, and streams of the root. */
static struct udfb *with_streams(void)
{
	struct udfb *b = udfb_new();
	struct udfb_node *d = udfb_dir(b, NULL, "dir"), *n = udfb_file(b, d, "file", "main", 4);

	b->extended = true;
	udfb_stream(b, n, "one", "1", 1);
	udfb_stream(b, n, "two", data, 5000);
	udfb_file(b, d, "other", "", 0);
	udfb_stream(b, b->root, "of the root", "root", 4);
	udfb_finish(b);
	return b;
}

struct names {
	char *text;
	uint64_t next;
	int stop;
};

static int add_name(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		    uint64_t next)
{
	struct names *l = arg;

	if (!l->stop--)
		return 1;
	CHECK(next > l->next);
	l->next = next;
	l->text = check_printf("%s%.*s%s\n", l->text, (int)len, name,
			       attr->mode & S_IFMT ? "" : " (damaged)");
	return 0;
}

/* Read in parts of @step entries. */
static const char *list(struct vd_fs *fs, uint64_t dir, int step)
{
	struct names l = { .text = check_printf("%s", "") };
	uint64_t before;

	do {
		before = l.next;
		l.stop = step;
		CHECK_OK(vd_fs_readdir(fs, dir, l.next, add_name, &l));
	} while (l.next != before);
	return l.text;
}

static void test_streams(void)
{
	const struct vd_fs_options o = { .streams = true };
	struct udfb *b = with_streams();
	struct vd_disc *disc = udfwalk_disc(b->image, b->size);
	struct vd_fs_attr dir, a;
	struct vd_fs *fs;
	struct udfwalk w;
	uint8_t buf[6000];

	ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
	udfwalk(fs, b, 0, &w);
	CHECK_STR(w.wrong, "");
	CHECK_ERRNO(vd_fs_lookup(fs, fs->root, ":of the root", 12, &a), -ENOENT);
	vd_fs_close(fs);
	ASSERT_OK(vd_fs_open(disc, &o, &fs, NULL));
	for (int step = 1; step < 9; step++) {
		CHECK_STR(list(fs, fs->root, step), ":of the root\ndir\n");
		ASSERT_OK(vd_fs_lookup(fs, fs->root, "dir", 3, &dir));
		CHECK_STR(list(fs, dir.ino, step), "file\nfile:one\nfile:two\nother\n");
	}
	ASSERT_OK(vd_fs_lookup(fs, dir.ino, "file:two", 8, &a));
	CHECK_UINT(a.size, 5000);
	CHECK_INT(vd_fs_read(fs, a.ino, buf, sizeof(buf), 0), 5000);
	CHECK_MEM(buf, data, 5000);
	ASSERT_OK(vd_fs_lookup(fs, fs->root, ":of the root", 12, &a));
	CHECK_INT(vd_fs_read(fs, a.ino, buf, sizeof(buf), 0), 4);
	CHECK_ERRNO(vd_fs_lookup(fs, dir.ino, "file:three", 10, &a), -ENOENT);
	CHECK_ERRNO(vd_fs_lookup(fs, dir.ino, "other:one", 9, &a), -ENOENT);
	CHECK_ERRNO(vd_fs_lookup(fs, dir.ino, "none:one", 8, &a), -ENOENT);
	vd_fs_close(fs);
	vd_disc_close(disc);
	udfb_free(b);
}

static void test_hidden(void)
{
	const struct vd_fs_options o = {
		.unhide = true, .has_uid = true, .uid = 7, .has_mode = true, .mode = 0400
	};
	struct udfb *b = udfb_new();
	struct vd_disc *disc;
	struct vd_fs_attr a;
	struct vd_fs *fs;

	udfb_file(b, NULL, "hidden", "x", 1)->flags = 1;
	udfb_file(b, NULL, "shown", "x", 1);
	udfb_finish(b);
	disc = udfwalk_disc(b->image, b->size);
	ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
	CHECK_STR(list(fs, fs->root, 9), "shown\n");
	CHECK_ERRNO(vd_fs_lookup(fs, fs->root, "hidden", 6, &a), -ENOENT);
	vd_fs_close(fs);
	ASSERT_OK(vd_fs_open(disc, &o, &fs, NULL));
	CHECK_STR(list(fs, fs->root, 9), "hidden\nshown\n");
	CHECK_OK(vd_fs_lookup(fs, fs->root, "hidden", 6, &a));
	CHECK_UINT(a.mode, S_IFREG | 0400);
	CHECK_UINT(a.uid, 7);
	vd_fs_close(fs);
	vd_disc_close(disc);
	udfb_free(b);
}

/* Each VAT is a session; what follows the last one, and what is cut off, does no harm. */
static void test_vats(void)
{
	static const size_t behind[] = { 0, 2048, 150 * 2048, 1 << 20 };

	for (int kind = UDFB_VIRTUAL_150; kind <= UDFB_VIRTUAL_200; kind++) {
		struct udfb *b = udfb_new();

		b->kind = (enum udfb_kind)kind;
		b->sessions = true;
		udfb_file(b, NULL, "first", "1", 1);
		udfb_file(b, NULL, "second", "22", 2);
		udfb_finish(b);
		for (size_t i = 0; i < VD_ARRAY_SIZE(behind); i++) {
			uint8_t *image = check_alloc(b->size + behind[i]);
			struct vd_disc *disc;

			memcpy(image, b->image, b->size);
			memset(image + b->size, 0, behind[i]);
			disc = udfwalk_disc(image, b->size + behind[i]);
			for (int session = 0; session <= 3; session++) {
				struct vd_fs_options o = { .session = session };
				struct vd_error err = { "" };
				struct udfwalk w;
				struct vd_fs *fs;

				if (session == 3) {
					CHECK_ERRNO(vd_fs_open(disc, &o, &fs, &err), -ENOENT);
					CHECK_HAS(err.text, "sessions 1 to 2");
					continue;
				}
				ASSERT_OK(vd_fs_open(disc, &o, &fs, &err));
				CHECK_INT(fs->nsessions, 2);
				CHECK_INT(fs->session, session ? session : 2);
				udfwalk(fs, b, session == 1 ? 1 : 0, &w);
				CHECK_STR(w.wrong, "");
				CHECK_UINT(w.errors, 0);
				CHECK_UINT(w.entries, session == 1 ? 1 : 2);
				vd_fs_close(fs);
			}
			vd_disc_close(disc);
		}
		udfb_free(b);
	}
}

static void test_copies(void)
{
	for (int i = 0; i < 5; i++) {
		struct udfb *b = udfb_new();
		struct vd_disc *disc;
		struct udfwalk w;
		struct vd_fs *fs;

		b->kind = i == 0 ? UDFB_METADATA : i == 1 ? UDFB_SPARABLE : UDFB_PHYSICAL;
		b->no_main_metadata = i == 0;
		udfb_file(b, NULL, "file", data, 5000);
		udfb_finish(b);
		if (i == 1)
			b->image[b->sparing[0] + 60] ^= 1;
		if (i == 2)
			b->image[b->anchor + 20] ^= 1;
		if (i == 3)
			b->image[b->lvd + 90] ^= 1;
		if (i == 4) /* shorter than it says it is */
			b->size -= 20480;
		disc = udfwalk_disc(b->image, b->size);
		if (CHECK_OK(vd_fs_open(disc, NULL, &fs, NULL))) {
			udfwalk(fs, b, 0, &w);
			CHECK_STR(w.wrong, "");
			CHECK_UINT(w.errors, 0);
			vd_fs_close(fs);
		}
		vd_disc_close(disc);
		udfb_free(b);
	}
}

static void test_info(void)
{
	struct udfb *b = udfb_new();
	struct vd_udf_info info;
	struct vd_disc *disc;
	struct vd_fs *fs;

	b->kind = UDFB_METADATA;
	b->revision = 0x0250;
	udfb_finish(b);
	disc = udfwalk_disc(b->image, b->size);
	ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
	vd_udf_info(fs, &info);
	CHECK_UINT(info.revision, 0x0250);
	CHECK_UINT(info.block, 2048);
	CHECK_STR(info.volume_id, "Volume");
	CHECK_STR(info.volume_set_id, "0123456789abcdefSet");
	CHECK_STR(info.logical_id, "Logical \xc3\xa9");
	CHECK_STR(info.file_set_id, "Files");
	CHECK_STR(info.application_id, "*an application");
	CHECK_INT(info.recorded, 981169506);
	CHECK(info.has_integrity && !info.open);
	CHECK_UINT(info.files, 3);
	CHECK_UINT(info.directories, 2);
	CHECK_UINT(info.nmaps, 2);
	CHECK_INT(info.maps[0].kind, VD_UDF_PHYSICAL);
	CHECK_INT(info.maps[1].kind, VD_UDF_METADATA);
	CHECK_UINT(info.maps[1].bytes, 288 * 2048);
	vd_fs_close(fs);
	vd_disc_close(disc);
	udfb_free(b);
}

static const struct check_test tests[] = {
	{ "forms", test_forms }, { "streams", test_streams }, { "hidden", test_hidden },
	{ "vats", test_vats },	 { "copies", test_copies },   { "info", test_info },
};

static void setup(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 3);
}

CHECK_MAIN_WITH(tests, setup, NULL)
