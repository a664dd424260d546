// SPDX-License-Identifier: GPL-3.0-or-later
/* The UDF reader on images built byte for byte: what mkudffs and the kernel do not write. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "fs/udf/udf.h"
#include "test_store_mem.h"
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
		/* The header of a VAT has another. */
		CHECK_STR(fs->volume, b->kind == UDFB_VIRTUAL_200 ? "Logical" : "Logical \xc3\xa9");
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

/* Opens and walks all of @b's image, which @store has: nothing is wrong, and with @limit only so many entries are in the root. */
static void check_store(const struct udfb *b, struct mem_store *store, size_t limit)
{
	struct vd_disc *disc = udfwalk_disc_of(&store->store);
	struct vd_error err = { "" };
	struct udfwalk w;
	struct vd_fs *fs;

	if (CHECK_OK(vd_fs_open(disc, NULL, &fs, &err))) {
		udfwalk(fs, b, limit, &w);
		if (w.wrong[0] || w.errors || !w.entries)
			CHECK_FAIL("%s: %s (%lu errors, %lu entries)", what, w.wrong, w.errors,
				   w.entries);
		vd_fs_close(fs);
	} else {
		CHECK_FAIL("%s: %s", what, err.text);
	}
	vd_disc_close(disc);
}

static struct udfb *duplicated(uint32_t block)
{
	struct udfb *b = udfb_new();

	b->kind = UDFB_METADATA;
	b->block = block;
	b->extended = true;
	b->duplicated = true;
	b->revision = 0x0250;
	udfb_fill(b, UDFB_LONG);
	udfb_finish(b);
	return b;
}

/* The first blocks of the partition are those of the metadata file, as its ICB has them; those of the mirror are elsewhere. */
static void test_mirror(void)
{
	static const uint32_t blocks[] = { 512, 2048, 4096 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(blocks); i++) {
		struct udfb *b = duplicated(blocks[i]);
		const uint32_t size = 288 * blocks[i];
		uint8_t *main = b->image + b->partition, *saved = check_alloc(size);
		struct mem_store *store = mem_store_new(b->image, b->size);

		memcpy(saved, main, size);
		what = "no block of the metadata file can be read";
		store->fail_from = b->partition;
		store->fail_until = b->partition + size;
		store->fail_code = -EIO;
		check_store(b, store, 0);
		what = "all blocks of the metadata file are zeros";
		memset(main, 0, size);
		check_store(b, mem_store_new(b->image, b->size), 0);
		/* Each second block is good here, each first one there. */
		for (uint32_t k = 0; k < 2; k++) {
			what = check_printf("blocks of %u, each second block has bad bytes",
					    blocks[i]);
			memcpy(main, saved, size);
			for (uint32_t at = k * blocks[i]; at < size; at += 2 * blocks[i])
				for (uint32_t n = 0; n < blocks[i]; n += 16)
					main[at + n] ^= 0x55;
			check_store(b, mem_store_new(b->image, b->size), 0);
		}
		memcpy(main, saved, size);
		udfb_free(b);
	}
}

/* Both copies of one descriptor are bad: that is an error, as without a mirror. */
static void test_mirror_bad(void)
{
	struct udfb *b = duplicated(2048);
	struct udfb_node *n = b->root->child;
	uint8_t *copy = NULL;
	struct vd_disc *disc;
	struct vd_fs_attr a;
	struct vd_fs *fs;

	/* The one that is no part of the metadata file. */
	for (size_t at = 0; at < b->size; at += b->block)
		if (at != n->entry && !memcmp(b->image + at, b->image + n->entry, b->block))
			copy = b->image + at;
	ASSERT(copy != NULL);
	b->image[n->entry + 60] ^= 1;
	copy[60] ^= 1;
	disc = udfwalk_disc(b->image, b->size);
	ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
	CHECK_ERRNO(vd_fs_lookup(fs, fs->root, "first", 5, &a), -EUCLEAN);
	CHECK_OK(vd_fs_lookup(fs, fs->root, "many", 4, &a));
	vd_fs_close(fs);
	vd_disc_close(disc);
	udfb_free(b);
}

/* Blocks behind the last VAT that give errors are run-out, and not its end; but an older VAT is no answer for a newer one. */
static void test_vat_unreadable(void)
{
	static const uint32_t behind[] = { 1, 2, 7, 16, 17, 150, 320 };

	for (int kind = UDFB_VIRTUAL_150; kind <= UDFB_VIRTUAL_200; kind++) {
		struct udfb *b = udfb_new();
		struct mem_store *store;
		struct vd_disc *disc;
		struct vd_fs *fs;
		uint8_t *image;

		b->kind = (enum udfb_kind)kind;
		b->sessions = true;
		udfb_file(b, NULL, "first", "1", 1);
		udfb_file(b, NULL, "second", "22", 2);
		udfb_finish(b);
		image = check_alloc(b->size + 400 * 2048);
		memset(image, 0, b->size + 400 * 2048);
		memcpy(image, b->image, b->size);
		for (size_t i = 0; i < VD_ARRAY_SIZE(behind); i++) {
			what = check_printf("kind %d, %u unreadable blocks", kind, behind[i]);
			store = mem_store_new(image, b->size + behind[i] * 2048);
			store->fail_from = b->size;
			store->fail_code = -EIO;
			check_store(b, store, 0);
			/* Padding before them. */
			store = mem_store_new(image, b->size + (behind[i] + 20) * 2048);
			store->fail_from = b->size + 20 * 2048;
			store->fail_code = -EIO;
			check_store(b, store, 0);
		}
		/* More than that is a bad disc. The search ends: a block each. */
		store = mem_store_new(image, b->size + 400 * 2048);
		store->fail_from = b->size;
		store->fail_code = -EIO;
		disc = udfwalk_disc_of(&store->store);
		CHECK_ERRNO(vd_fs_open(disc, NULL, &fs, NULL), -EIO);
		CHECK(store->reads < 2000);
		vd_disc_close(disc);
		/* The newest VAT itself: unreadable, or with a wrong bit. */
		store = mem_store_new(image, b->size + 2 * 2048);
		store->fail_from = b->vat;
		store->fail_code = -EIO;
		disc = udfwalk_disc_of(&store->store);
		CHECK_ERRNO(vd_fs_open(disc, NULL, &fs, NULL), -EIO);
		vd_disc_close(disc);
		for (uint32_t at = 0; at < 184; at++) { /* its CRC ends there */
			b->image[b->vat + at] ^= 4;
			disc = udfwalk_disc(b->image, b->size);
			if (!CHECK_ERRNO(vd_fs_open(disc, NULL, &fs, NULL), -EUCLEAN))
				CHECK_FAIL("byte %u of the VAT's ICB", at);
			vd_disc_close(disc);
			b->image[b->vat + at] ^= 4;
		}
		udfb_free(b);
	}
}

/* On a disc of several sessions the VAT may be at the end of a later one, which has nothing but what was added. */
static void test_borders(void)
{
	struct udfb *b = udfb_new();
	struct vd_track t = { .number = 1, .session = 1 };

	b->kind = UDFB_VIRTUAL_200;
	b->sessions = true;
	b->gap = 400;
	udfb_file(b, NULL, "first", "1", 1);
	udfb_file(b, NULL, "second", "22", 2);
	udfb_finish(b);
	/* As it is; with a newer VAT that is damaged; with zeros in the second session: one that has nothing to do with it. */
	for (int i = 0; i < 3; i++) {
		const uint32_t first = b->older_vat / 2048 + 1, second = first + b->gap;
		struct mem_store *store;
		struct vd_disc *disc;
		struct udfwalk w;
		struct vd_fs *fs;

		if (i == 1)
			b->image[b->vat + 60] ^= 1;
		if (i == 2)
			memset(b->image + (size_t)second * 2048, 0, b->size - second * 2048);
		store = mem_store_new(b->image, b->size);
		ASSERT_OK(vd_disc_new_owning(&store->store, &disc));
		t = (struct vd_track){ .number = 1, .session = 1, .length = first };
		ASSERT_OK(
			vd_disc_add_stored_track(disc, &t, VD_LAYOUT_2048, &store->store, 0, NULL));
		t = (struct vd_track){ .number = 2,
				       .session = 2,
				       .start = (int32_t)second,
				       .pregap = 150,
				       .length = (uint32_t)(b->size / 2048) - second };
		ASSERT_OK(vd_disc_add_track(disc, &t, NULL));
		ASSERT_OK(vd_disc_add_extent(disc,
					     &(struct vd_extent){ .lba = t.start,
								  .length = t.length,
								  .store = &store->store,
								  .offset = second * 2048ull },
					     NULL));
		if (i == 1) {
			CHECK_ERRNO(vd_fs_open(disc, NULL, &fs, NULL), -EUCLEAN);
		} else if (CHECK_OK(vd_fs_open(disc, NULL, &fs, NULL))) {
			udfwalk(fs, b, i == 2 ? 1 : 0, &w);
			CHECK_STR(w.wrong, "");
			CHECK_UINT(w.errors, 0);
			CHECK_UINT(w.entries, i == 2 ? 1 : 2);
			vd_fs_close(fs);
		}
		vd_disc_close(disc);
	}
	udfb_free(b);
}

/* What is above 4096 is refused by its size. */
static void test_large_blocks(void)
{
	for (uint32_t block = 8192; block <= 32768; block *= 2) {
		struct udfb *b = udfb_new();
		struct vd_error err = { "" };
		struct vd_disc *disc;
		struct vd_fs *fs;

		b->block = block;
		udfb_finish(b);
		disc = udfwalk_disc(b->image, b->size);
		CHECK_ERRNO(vd_fs_open(disc, NULL, &fs, &err), -EOPNOTSUPP);
		CHECK_HAS(err.text, check_printf("blocks of %u bytes", block));
		vd_disc_close(disc);
		udfb_free(b);
	}
}

#define PIECES 100000u

/* Which of the 64 blocks of its contents an extent of the file in very many pieces is: never one behind that of the extent before. */
static uint32_t piece_block(uint32_t i)
{
	return (i * 37 + i / 64) % 64;
}

/*
 * Makes of @n, a file of 64 blocks, one of PIECES blocks, each in an extent of its own, by allocation descriptors in the data blocks
 * behind its own: @each in an extent of descriptors.
 */
static void put_pieces(struct udfb *b, struct udfb_node *n, uint32_t each)
{
	const uint32_t aeds = (PIECES + each - 1) / each, first = b->next_data;
	uint8_t *entry = b->image + n->entry;
	uint32_t k = 0;

	ASSERT(first + aeds <= 288 + b->data_blocks && each * 8 + 8 <= b->block - 24);
	vd_put_le64(entry + 56, (uint64_t)PIECES * b->block);
	vd_put_le32(entry + 172, 8);
	vd_put_le16(entry + 10, 176 + 8 - 16);
	vd_put_le32(entry + 176, b->block | 3u << 30);
	vd_put_le32(entry + 180, first);
	udfb_retag(entry, 0);
	for (uint32_t i = 0; i < aeds; i++) {
		uint8_t *p = b->image + b->partition + (size_t)(first + i) * b->block;
		uint32_t at = 24;

		for (uint32_t m = 0; m < each && k < PIECES; m++, k++, at += 8) {
			vd_put_le32(p + at, b->block);
			vd_put_le32(p + at + 4, n->first + piece_block(k));
		}
		if (k < PIECES) {
			vd_put_le32(p + at, b->block | 3u << 30);
			vd_put_le32(p + at + 4, first + i + 1);
			at += 8;
		}
		vd_put_le16(p, 258);
		vd_put_le16(p + 2, 3);
		vd_put_le16(p + 10, (uint16_t)(at - 16));
		vd_put_le32(p + 12, first + i);
		vd_put_le32(p + 20, at - 24);
		udfb_retag(p, 0);
	}
}

static void check_pieces(const struct udfb *b, const struct udfb_node *n, const uint8_t *buf,
			 uint32_t first, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++)
		if (memcmp(buf + (size_t)i * b->block,
			   n->data + (size_t)piece_block(first + i) * b->block, b->block)) {
			CHECK_FAIL("%s: block %u is not what it should be", what, first + i);
			return;
		}
}

/*
 * Reads of a file in 100,000 pieces ask the store for little more than its contents: beside them for the entry, and for one or two extents of
 * descriptors; where these are more than are remembered, for one between.
 */
static void test_pieces(void)
{
	static const struct {
		uint32_t block, each; /* descriptors in one place */
		unsigned int more;    /* requests of a read beside the contents */
	} rows[] = { { 2048, 252, 3 }, { 512, 60, 4 }, { 512, 30, 6 } };

	for (size_t r = 0; r < VD_ARRAY_SIZE(rows); r++) {
		struct udfb *b = udfb_new();
		struct mem_store *store;
		struct udfb_node *n;
		uint8_t *contents, *buf;
		struct vd_fs_extent x;
		struct vd_disc *disc;
		struct vd_fs_attr a;
		unsigned long before;
		uint32_t seed = 1, most = 0;
		struct vd_fs *fs;

		what = check_printf("blocks of %u, %u in one place", rows[r].block, rows[r].each);
		b->block = rows[r].block;
		b->data_blocks = 4000;
		contents = check_alloc(64 * b->block);
		buf = check_alloc(32 * b->block);
		for (uint32_t i = 0; i < 64 * b->block; i++)
			contents[i] = (uint8_t)(i / b->block * 3 + i * 5);
		n = udfb_file(b, NULL, "file", contents, 64 * b->block);
		udfb_finish(b);
		put_pieces(b, n, rows[r].each);
		store = mem_store_new(b->image, b->size);
		disc = udfwalk_disc_of(&store->store);
		ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
		ASSERT_OK(vd_fs_lookup(fs, fs->root, "file", 4, &a));
		CHECK_UINT(a.size, (uint64_t)PIECES * b->block);
		/* The last byte first: all descriptors are gone through, once. */
		before = store->reads;
		CHECK_INT(vd_fs_read(fs, a.ino, buf, 2 * b->block, a.size - b->block),
			  (ssize_t)b->block);
		check_pieces(b, n, buf, PIECES - 1, 1);
		CHECK(store->reads - before <= PIECES / rows[r].each + 4);
		for (int i = 0; i < 2000; i++) {
			uint32_t at = (seed = seed * 1103515245 + 12345) / 7 % PIECES;

			before = store->reads;
			CHECK_INT(vd_fs_read(fs, a.ino, buf, b->block, (uint64_t)at * b->block),
				  (ssize_t)b->block);
			check_pieces(b, n, buf, at, 1);
			if (store->reads - before > most)
				most = (uint32_t)(store->reads - before);
			if (i % 10)
				continue;
			before = store->reads;
			CHECK_OK(vd_fs_map(fs, a.ino, (uint64_t)at * b->block, &x));
			CHECK_UINT(x.offset,
				   b->partition + (n->first + piece_block(at)) * b->block);
			CHECK(store->reads - before <= rows[r].more);
		}
		CHECK(most <= 1 + rows[r].more);
		/* From begin to end, 32 pieces at a time; of another file system, which remembers nothing yet. */
		vd_fs_close(fs);
		ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
		before = store->reads;
		for (uint32_t i = 0; i < PIECES; i += 32) {
			CHECK_INT(vd_fs_read(fs, a.ino, buf, 32 * b->block, (uint64_t)i * b->block),
				  (ssize_t)(32 * b->block));
			check_pieces(b, n, buf, i, 32);
		}
		CHECK(store->reads - before <= PIECES + PIECES / 32 * (rows[r].more + 1));
		vd_fs_close(fs);
		vd_disc_close(disc);
		udfb_free(b);
	}
}

/* A chain of descriptors that leads back into itself is an error wherever a read begins, and stays one. */
static void test_pieces_loop(void)
{
	struct udfb *b = udfb_new();
	struct udfb_node *n;
	struct vd_disc *disc;
	struct vd_fs_attr a;
	struct vd_fs *fs;
	uint8_t *p, buf[10];

	b->data_blocks = 4000;
	n = udfb_file(b, NULL, "file", check_alloc(64 * 2048), 64 * 2048);
	udfb_finish(b);
	put_pieces(b, n, 50);
	/* The 300th leads to the 250th: every fifth of the size that it says is there. */
	p = b->image + b->partition + (size_t)(b->next_data + 300) * b->block;
	vd_put_le32(p + 24 + 50 * 8 + 4, b->next_data + 250);
	udfb_retag(p, 0);
	disc = udfwalk_disc(b->image, b->size);
	ASSERT_OK(vd_fs_open(disc, NULL, &fs, NULL));
	ASSERT_OK(vd_fs_lookup(fs, fs->root, "file", 4, &a));
	for (int i = 0; i < 3; i++) {
		CHECK_INT(vd_fs_read(fs, a.ino, buf, sizeof(buf), a.size - 10), -ELOOP);
		CHECK_INT(vd_fs_read(fs, a.ino, buf, sizeof(buf), 250 * 50 * 2048), 10);
	}
	vd_fs_close(fs);
	vd_disc_close(disc);
	udfb_free(b);
}

static const struct check_test tests[] = {
	{ "forms", test_forms },
	{ "streams", test_streams },
	{ "hidden", test_hidden },
	{ "vats", test_vats },
	{ "copies", test_copies },
	{ "info", test_info },
	{ "mirror", test_mirror },
	{ "mirror_bad", test_mirror_bad },
	{ "vat_unreadable", test_vat_unreadable },
	{ "borders", test_borders },
	{ "large_blocks", test_large_blocks },
	{ "pieces", test_pieces },
	{ "pieces_loop", test_pieces_loop },
};

static void setup(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 3);
}

CHECK_MAIN_WITH(tests, setup, NULL)
