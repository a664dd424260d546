// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * UDF volumes that mkudffs made and the Linux kernel filled, compared path by path with the kernel's own reading: names, types,
 * modes, owners, times, sizes, contents, links. The kernel is Debian's User Mode Linux; it is started twice, so that it reads what is on the
 * disc and not what it remembers.
 *
 * What the kernel does not write, but reads: virtual and metadata partitions and rare descriptors (udfbuild.h), and bridges with
 * ISO 9660 by genisoimage.
 *
 * For people who work on the reader, $VDRIVE_UDF_IMAGES takes only images with that in their name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "fs/fs.h"
#include "images/image.h"
#include "oracle.h"
#include "treelist.h"
#include "unit/udfbuild.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "vdtree.h"

#define M(function, media, revision, block, extra)                                                 \
	X(function, media, revision, block, extra, "posix", 96)

/* By udfbuild.c; by genisoimage -udf. */
#define B(function, kind, block, ad) X(function, "built", "", block, "", NULL, (kind) << 4 | (ad))
#define G(function, options) X(function, "bridge", "", 2048, options, NULL, 0)
/* A disc as DVD players want it; the ISO 9660 part of an image above. */
#define D(function, options) X(function, "dvd", "", 2048, options, NULL, 0)
#define I(function, image) X(function, "iso9660", "", 2048, image, NULL, 0)

#ifdef UDF_TREES_BIG
#define IMAGES                                                                                     \
	X(many, "hd", "2.01", 2048, "", "many", 64)                                                \
	X(huge, "hd", "2.01", 2048, "", "huge", 64)
#else
#define IMAGES                                                                                     \
	M(hd_102_512, "hd", "1.02", 512, "")                                                       \
	M(hd_102_2048, "hd", "1.02", 2048, "")                                                     \
	M(hd_102_4096, "hd", "1.02", 4096, "")                                                     \
	M(hd_150_2048, "hd", "1.50", 2048, "")                                                     \
	M(hd_200_1024, "hd", "2.00", 1024, "")                                                     \
	M(hd_201_512, "hd", "2.01", 512, "")                                                       \
	M(hd_201_2048, "hd", "2.01", 2048, "")                                                     \
	M(hd_201_4096, "hd", "2.01", 4096, "")                                                     \
	M(hd_201_short, "hd", "2.01", 2048, "--ad=short")                                          \
	M(hd_201_long, "hd", "2.01", 2048, "--ad=long")                                            \
	M(hd_201_noefe, "hd", "2.01", 2048, "--noefe")                                             \
	M(hd_201_4096s, "hd", "2.01", 2048, "--strategy=4096")                                     \
	M(dvdram_102, "dvdram", "1.02", 2048, "")                                                  \
	M(dvdram_201, "dvdram", "2.01", 2048, "")                                                  \
	M(cdrw_150, "cdrw", "1.50", 2048, "")                                                      \
	M(cdrw_201, "cdrw", "2.01", 2048, "")                                                      \
	M(dvdrw_150, "dvdrw", "1.50", 2048, "")                                                    \
	M(dvdrw_201, "dvdrw", "2.01", 2048, "")                                                    \
	B(built_physical, UDFB_PHYSICAL, 2048, UDFB_LONG)                                          \
	B(built_short, UDFB_PHYSICAL, 512, UDFB_SHORT)                                             \
	B(built_sparable, UDFB_SPARABLE, 2048, UDFB_SHORT)                                         \
	B(built_vat_150, UDFB_VIRTUAL_150, 2048, UDFB_LONG)                                        \
	B(built_vat_200, UDFB_VIRTUAL_200, 2048, UDFB_LONG)                                        \
	B(built_metadata, UDFB_METADATA, 2048, UDFB_LONG)                                          \
	B(built_metadata_4096, UDFB_METADATA, 4096, UDFB_LONG)                                     \
	G(bridge_rock, "-R -J")                                                                    \
	G(bridge_joliet, "-J")                                                                     \
	G(bridge_plain, "")                                                                        \
	D(dvd_video, "")                                                                           \
	D(dvd_video_rock, "-R -J")                                                                 \
	I(bridge_rock_iso, "bridge_rock")                                                          \
	I(bridge_joliet_iso, "bridge_joliet")                                                      \
	I(bridge_plain_iso, "bridge_plain")                                                        \
	I(dvd_video_iso, "dvd_video")                                                              \
	I(dvd_video_rock_iso, "dvd_video_rock")
#endif

static struct image {
	const char *name, *media, *revision, *extra, *fill;
	int block, mib;
	char *path;
	bool made;
	struct oracle_job job;
} images[] = {
#define X(function, media, revision, block, extra, fill, mib)                                      \
	{ #function, media, revision, extra, fill, block, mib, NULL, false, { 0 } },
	IMAGES
#undef X
};

static const char *missing;

static bool make_built(const struct image *im)
{
	struct udfb *b = udfb_new();

	b->kind = (enum udfb_kind)(im->mib >> 4);
	b->block = (uint32_t)im->block;
	b->extended = b->kind % 2;
	b->revision = b->kind == UDFB_METADATA ? 0x0250 : 0x0201;
	udfb_fill(b, (enum udfb_ad)(im->mib & 15));
	udfb_finish(b);
	check_write_file(im->path, b->image, b->size);
	udfb_free(b);
	return true;
}

/* A folder as authors of DVD-Video make them, and others. */
static bool make_bridge(const struct image *im)
{
	const char *dir = check_path("source");

	if (access(dir, F_OK))
		check_sh(
			"set -e; mkdir -p '%s'/VIDEO_TS '%s'/AUDIO_TS '%s/a folder/deep'; cd '%s';"
			"for i in IFO BUP; do head -c 12288 /dev/urandom >VIDEO_TS/VIDEO_TS.$i; done;"
			"head -c 3000000 /dev/urandom >VIDEO_TS/VTS_01_1.VOB; echo x >'a folder/deep/x y.txt';"
			"i=0; while [ $i -lt 200 ]; do echo $i >\"a folder/a file with a long name $i.txt\"; i=$((i + 1)); done",
			dir, dir, dir, dir);
	return CHECK_INT(check_sh("genisoimage -quiet -udf %s -V BRIDGE -o '%s' '%s'", im->extra,
				  im->path, dir)
				 ->status,
			 0);
}

#define SECTOR 2048u

/* Sectors of the files of a DVD-Video: the manager's information and menu; a title set's, and its two files of titles. */
enum { VMGI = 3, VMGM = 5, VTSI = 4, VTSM = 7, TITLES_1 = 900, TITLES_2 = 20 };

static void put_random(const char *path, size_t sectors, uint32_t seed)
{
	uint8_t *data = check_alloc(sectors * SECTOR);

	for (size_t i = 0; i < sectors * SECTOR; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24);
	}
	check_write_file(path, data, sectors * SECTOR);
}

/*
 * What authoring programs and players look at of the information files: where in sectors from each of them on the menus and titles are, and the
 * copy of it at the end (DVD-Video as libdvdread's ifo_types.h describes it: VMGI_MAT, VTSI_MAT, TT_SRPT).
 */
static void put_information(const char *dir)
{
	uint8_t vmg[VMGI * SECTOR] = "DVDVIDEO-VMG", vts[VTSI * SECTOR] = "DVDVIDEO-VTS";
	uint8_t *title = vmg + SECTOR;

	vd_put_be32(vmg + 0x0c, 2 * VMGI + VMGM - 1); /* its last sector */
	vd_put_be32(vmg + 0x1c, VMGI - 1);	      /* of the information */
	vd_put_be16(vmg + 0x20, 0x0011);	      /* version */
	vd_put_be16(vmg + 0x26, 1);		      /* volumes, and which one this is */
	vd_put_be16(vmg + 0x28, 1);
	vmg[0x2a] = 1;
	vd_put_be16(vmg + 0x3e, 1); /* title sets */
	vd_put_be32(vmg + 0x80, 0x3ff);
	vd_put_be32(vmg + 0xc0, VMGI); /* the menu */
	vd_put_be32(vmg + 0xc4, 1);    /* the table of titles: one, in title set 1 */
	vd_put_be16(title, 1);
	vd_put_be32(title + 4, 8 + 12 - 1);
	title[8] = 0x3c;
	title[9] = 1;
	vd_put_be16(title + 10, 1);
	title[14] = title[15] = 1;
	vd_put_be32(title + 16, 2 * VMGI + VMGM);
	vd_put_be32(vts + 0x0c, 2 * VTSI + VTSM + TITLES_1 + TITLES_2 - 1);
	vd_put_be32(vts + 0x1c, VTSI - 1);
	vd_put_be16(vts + 0x20, 0x0011);
	vd_put_be32(vts + 0x80, 0x3ff);
	vd_put_be32(vts + 0xc0, VTSI);
	vd_put_be32(vts + 0xc4, VTSI + VTSM);
	check_write_file(check_printf("%s/VIDEO_TS.IFO", dir), vmg, sizeof(vmg));
	check_write_file(check_printf("%s/VIDEO_TS.BUP", dir), vmg, sizeof(vmg));
	check_write_file(check_printf("%s/VTS_01_0.IFO", dir), vts, sizeof(vts));
	check_write_file(check_printf("%s/VTS_01_0.BUP", dir), vts, sizeof(vts));
}

static bool make_dvd(const struct image *im)
{
	const char *dir = check_path("dvd"), *video = check_path("dvd/VIDEO_TS");

	if (access(dir, F_OK)) {
		ASSERT_INT(
			check_sh(
				"set -e; mkdir -p '%s' '%s/AUDIO_TS' '%s/extras'; cd '%s/extras';"
				"i=0; while [ $i -lt 60 ]; do echo $i >NOTE$i.TXT; i=$((i + 1)); done",
				video, dir, dir, dir)
				->status,
			0);
		put_information(video);
		put_random(check_printf("%s/VIDEO_TS.VOB", video), VMGM, 1);
		put_random(check_printf("%s/VTS_01_0.VOB", video), VTSM, 2);
		put_random(check_printf("%s/VTS_01_1.VOB", video), TITLES_1, 3);
		put_random(check_printf("%s/VTS_01_2.VOB", video), TITLES_2, 4);
	}
	return CHECK_INT(check_sh("genisoimage -quiet -dvd-video -udf %s -V DVDVIDEO -o '%s' '%s'",
				  im->extra, im->path, dir)
				 ->status,
			 0);
}

static bool make(struct image *im)
{
	/* Made already. */
	if (!strcmp(im->media, "iso9660")) {
		im->path = check_path("%s.udf", im->extra);
		return access(im->path, R_OK) == 0;
	}
	im->path = check_path("%s.udf", im->name);
	if (!strcmp(im->media, "built"))
		return make_built(im);
	if (!strcmp(im->media, "bridge"))
		return make_bridge(im);
	if (!strcmp(im->media, "dvd"))
		return make_dvd(im);
	return CHECK_INT(check_sh("mkudffs --new-file -m %s -r %s -b %d %s -l '%s' '%s' %d",
				  im->media, im->revision, im->block, im->extra, im->name, im->path,
				  im->mib * 1024 / im->block * 1024)
				 ->status,
			 0);
}

/* Every image has a job in @jobs. */
static bool in_kernel(bool fill)
{
	static struct oracle_job jobs[VD_ARRAY_SIZE(images)];
	size_t n = 0;
	bool ok;

	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++) {
		struct image *im = &images[i];

		if (im->made && (im->fill || !fill))
			jobs[n++] =
				(struct oracle_job){ .iso = im->path,
						     .type = strcmp(im->media, "iso9660") ? "udf"
											  : NULL,
						     .fill = fill ? im->fill : NULL };
		/* Seconds for each GiB, on both sides. */
		if (n && jobs[n - 1].fill && !strcmp(jobs[n - 1].fill, "huge") &&
		    getenv("VDRIVE_SOAK"))
			jobs[n - 1].fill = "more huge";
	}
	ok = oracle_uml(check_tmpdir(), jobs, n);
	n = 0;
	for (size_t i = 0; ok && i < VD_ARRAY_SIZE(images); i++)
		if (images[i].made && (images[i].fill || !fill))
			images[i].job = jobs[n++];
	return ok;
}

static void setup(void)
{
	const char *only = getenv("VDRIVE_UDF_IMAGES");

	missing = oracle_uml_missing();
	if (!missing && !check_have_program("mkudffs"))
		missing = "no mkudffs";
	if (missing)
		return;
	ASSERT_INT(mkdir(check_path("mnt"), 0755), 0);
	ASSERT_INT(mkdir(check_path("run"), 0700), 0);
	ASSERT_INT(setenv("VDRIVE_RUNTIME_DIR", check_path("run"), 1), 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++)
		if (!only || strstr(images[i].name, only))
			images[i].made = make(&images[i]);
	ASSERT(in_kernel(true));
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++)
		CHECK_STR(images[i].job.error, "");
	ASSERT(in_kernel(false));
}

static void teardown(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++)
		tree_free(&images[i].job.tree);
}

/* What udfbuild.c makes and Linux 6.1 shows otherwise. */
static const struct exception {
	const char *images, *path, *why;
} exceptions[] = {
	{ "built_*", "folder */_#*",
	  "names in no character set are left out, or listed and not found" },
	{ "built_*", "folder */\xef\xbf\xbd*", "half a character of UTF-16 is one of these" },
	{ "built_*", "folder */\xe6\xbc\xa2*", "names are cut before the 255th byte" },
	{ "built_*", "folder */block",
	  "extended attributes with an ICB of their own are not read: it is taken for damaged" },
	{ "built_[vm]*", "folder */versions",
	  "the second block of an ICB is taken for the one behind the first on the disc" },
};

static bool is_excepted(const char *name, const char *path)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(exceptions); i++)
		if (!fnmatch(exceptions[i].images, name, 0) &&
		    !fnmatch(exceptions[i].path, path, 0))
			return true;
	return false;
}

/* Every field of every line. */
static void compare(const char *name, const struct tree *got, const struct tree *want)
{
	_cleanup_free_ char *text = NULL;
	size_t i = 0, k = 0, len, n = 0;
	FILE *f = open_memstream(&text, &len);

	ASSERT(f != NULL);
	while (i < got->n || k < want->n) {
		const struct tree_entry *a = i < got->n ? &got->entries[i] : NULL;
		const struct tree_entry *b = k < want->n ? &want->entries[k] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
		char *ours = order <= 0 ? tree_entry_line(a) : NULL;
		char *theirs = order >= 0 ? tree_entry_line(b) : NULL;

		if ((!ours || !theirs || strcmp(ours, theirs)) &&
		    !is_excepted(name, order <= 0 ? a->path : b->path) && n++ < 6)
			fprintf(f, "    vdrive   %s\n    kernel   %s\n", ours ? ours : "-",
				theirs ? theirs : "-");
		free(ours);
		free(theirs);
		i += order <= 0;
		k += order >= 0;
	}
	fclose(f);
	if (n)
		CHECK_FAIL("%s: %zu differences (%zu entries, %zu there):\n%s", name, n, got->n,
			   want->n, text);
}

static void compare_image(size_t i)
{
	struct image *im = &images[i];
	static struct tree got;

	if (missing)
		CHECK_SKIP("%s", missing);
	if (!im->path)
		CHECK_SKIP("not chosen by VDRIVE_UDF_IMAGES");
	ASSERT(im->made);
	ASSERT_STR(im->job.error, "");
	CHECK(im->job.tree.n > (!im->fill ? 50 : strcmp(im->fill, "huge") ? 450u : 1u));
	tree_free(&got);
	if (vdtree_library(im->path, strcmp(im->media, "iso9660") ? "udf" : "iso9660", &got))
		compare(im->name, &got, &im->job.tree);
	tree_free(&got);
}

#ifndef UDF_TREES_BIG

static const struct image *find_image(const char *name)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++)
		if (!strcmp(images[i].name, name) && images[i].made)
			return &images[i];
	return NULL;
}

/* All the way: keeper, reader, FUSE. */
static void test_mounted(void)
{
	static const char *const names[] = { "hd_201_2048", "cdrw_150", "built_vat_200",
					     "built_metadata" };

	if (access("/dev/fuse", R_OK | W_OK))
		CHECK_SKIP("no /dev/fuse");
	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		const struct image *im = find_image(names[i]);
		struct tree got = { 0 };

		if (!im)
			CHECK_SKIP("%s is not there", names[i]);
		if (vdtree_fuse(VDRIVE, im->path, "", check_path("mnt"), &got))
			compare(im->name, &got, &im->job.tree);
		tree_free(&got);
	}
}

static const char *info(const char *options, const struct image *im)
{
	const struct check_cmd *c = check_sh("'%s' info -o '%s' '%s'", VDRIVE, options, im->path);

	CHECK_INT(c->status, 0);
	return check_printf("%s%s", c->out, c->err);
}

/* Which tree of a bridge is shown, and what is told of the others. */
static void test_choice(void)
{
	static const struct {
		const char *image, *options, *view, *other;
	} rows[] = {
		{ "bridge_rock", "ro", "rock ridge", "udf" },
		{ "bridge_rock", "udf", "udf", "iso9660" },
		{ "bridge_rock", "norock", "joliet", "udf" },
		{ "bridge_rock", "streams", "udf", "iso9660" },
		{ "bridge_joliet", "ro", "udf", "iso9660" },
		{ "bridge_joliet", "iso9660", "joliet", "udf" },
		{ "bridge_plain", "ro", "udf", "iso9660" },
		{ "bridge_plain", "map=off", "iso9660", "udf" },
	};
	const struct image *im = find_image("bridge_rock");
	const struct check_cmd *c;

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const struct image *one = find_image(rows[i].image);
		const char *text;

		if (!one)
			CHECK_SKIP("%s is not there", rows[i].image);
		text = info(rows[i].options, one);
		CHECK_HAS(text, check_printf("Shown as:       %s\n", rows[i].view));
		CHECK_HAS(text, check_printf("Also on it:     %s\n", rows[i].other));
	}
	c = check_sh("'%s' info -o udf,iso9660 '%s'", VDRIVE, im->path);
	CHECK(c->status != 0);
	CHECK_HAS(c->err, "exclude each other");
	CHECK_HAS(info("udf", im), "Revision:       1.02\n");
	/* Damaged UDF is not hidden behind the other tree. The file set descriptor is the first block of the partition. */
	check_sh("cp '%s' '%s'; for at in 257 258 259 260 261 262 263 264 265 266 267 268; do "
		 "dd if=/dev/zero of='%s' bs=2048 seek=$at count=1 conv=notrunc status=none; done",
		 im->path, check_path("damaged"), check_path("damaged"));
	c = check_sh("'%s' info '%s'", VDRIVE, check_path("damaged"));
	CHECK(c->status != 0);
	CHECK_HAS(c->err, "-o iso9660");
	CHECK_INT(check_sh("'%s' info -o iso9660 '%s'", VDRIVE, check_path("damaged"))->status, 0);
}

/* Bytes of the disc where a file of VIDEO_TS begins. */
static uint64_t place_of(struct vd_fs *fs, const char *name)
{
	struct vd_fs_attr dir, file;
	struct vd_fs_extent x;

	if (!CHECK_OK(vd_fs_lookup(fs, fs->root, "VIDEO_TS", 8, &dir)) ||
	    !CHECK_OK(vd_fs_lookup(fs, dir.ino, name, strlen(name), &file)) ||
	    !CHECK_OK(vd_fs_map(fs, file.ino, 0, &x)))
		return 0;
	CHECK(!x.hole && x.len == file.size);
	return x.offset;
}

static int no_opener(struct vd_opener *o, const char *name, struct vd_error *err)
{
	(void)o;
	return vd_error_set(err, -ENOENT, "%s is not there", name);
}

/*
 * Players find menus and titles of a DVD-Video by their sectors from the information file on, in both trees: the files lie in the order in
 * which players want them, and what is read of them is what was put in.
 */
static void test_dvd(void)
{
	static const struct {
		const char *name;
		uint32_t sector; /* from VIDEO_TS.IFO on */
	} files[] = {
		{ "VIDEO_TS.IFO", 0 },
		{ "VIDEO_TS.VOB", VMGI },
		{ "VIDEO_TS.BUP", VMGI + VMGM },
		{ "VTS_01_0.IFO", 2 * VMGI + VMGM },
		{ "VTS_01_0.VOB", 2 * VMGI + VMGM + VTSI },
		{ "VTS_01_1.VOB", 2 * VMGI + VMGM + VTSI + VTSM },
		{ "VTS_01_2.VOB", 2 * VMGI + VMGM + VTSI + VTSM + TITLES_1 },
		{ "VTS_01_0.BUP", 2 * VMGI + VMGM + VTSI + VTSM + TITLES_1 + TITLES_2 },
	};
	static const char *const names[] = { "dvd_video", "dvd_video_rock" };
	struct vd_opener opener = { .open = no_opener };
	struct tree source = { 0 };

	if (!find_image(names[0]) || !find_image(names[1]))
		CHECK_SKIP("the images are not there");
	ASSERT_OK(tree_walk(&source, check_path("dvd")));
	for (size_t i = 0; i < 2 * VD_ARRAY_SIZE(names); i++) {
		const struct vd_fs_options o = { .udf = i % 2, .iso9660 = !(i % 2) };
		const struct image *im = find_image(names[i / 2]);
		struct tree got = { 0 };
		struct vd_disc *disc;
		struct vd_fs *fs;
		uint64_t first;

		ASSERT_OK(vd_image_open(&opener, open(im->path, O_RDONLY | O_CLOEXEC), im->path,
					&disc, NULL, NULL));
		ASSERT_OK(vd_fs_open(disc, &o, &fs, NULL));
		/* Plain names are shown in lower case; the UDF and Rock Ridge have them as they were. */
		if (strcmp(fs->view, "iso9660")) {
			first = place_of(fs, files[0].name);
			for (size_t k = 0; k < VD_ARRAY_SIZE(files); k++)
				CHECK_UINT(place_of(fs, files[k].name) - first,
					   files[k].sector * (uint64_t)SECTOR);
			CHECK(vdtree_library(im->path, i % 2 ? "udf" : "iso9660", &got));
			CHECK_UINT(got.n, source.n);
			for (size_t k = 0; k < source.n; k++) {
				const struct tree_entry *a = &source.entries[k];
				const struct tree_entry *b = tree_find(&got, a->path);

				if (!b || a->type != b->type ||
				    (a->type == 'f' &&
				     (a->size != b->size || strcmp(a->digest, b->digest))))
					CHECK_FAIL("%s, %s: %s is not what it was", im->name,
						   fs->view, a->path);
			}
			tree_free(&got);
		}
		vd_fs_close(fs);
		vd_disc_close(disc);
	}
	tree_free(&source);
}

/* xorriso makes HFS+ beside the others. */
static void test_hybrid_plus(void)
{
	const char *iso = check_path("hybrid_plus.iso"), *dir = check_path("for hybrid");
	const struct check_cmd *c;

	if (!check_have_program("xorriso"))
		CHECK_SKIP("no xorriso");
	ASSERT_INT(check_sh("mkdir -p '%s' && echo x >'%s/file' && "
			    "xorriso -as mkisofs -quiet -hfsplus -R -o '%s' '%s'",
			    dir, dir, iso, dir)
			   ->status,
		   0);
	c = check_sh("'%s' info '%s'", VDRIVE, iso);
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->out, "Shown as:       rock ridge\n");
	CHECK_HAS(c->out, "Also on it:     hfs+\n");
	/* Without the others, it is refused as what it looks like. */
	c = check_sh("dd if=/dev/zero of='%s' bs=2048 seek=16 count=16 conv=notrunc status=none && "
		     "'%s' info '%s'",
		     iso, VDRIVE, iso);
	CHECK(c->status != 0);
	CHECK_HAS(c->err, "Apple partition table");
}

/* genisoimage makes HFS beside the others. */
static void test_hybrid(void)
{
	const char *iso = check_path("hybrid.iso"), *dir = check_path("for hybrid");
	const struct check_cmd *c;

	if (!check_have_program("genisoimage"))
		CHECK_SKIP("no genisoimage");
	ASSERT_INT(
		check_sh(
			"mkdir -p '%s' && echo x >'%s/file' && genisoimage -quiet -hfs -R -o '%s' '%s'",
			dir, dir, iso, dir)
			->status,
		0);
	c = check_sh("'%s' info '%s'", VDRIVE, iso);
	CHECK_INT(c->status, 0);
	CHECK_HAS(c->out, "Also on it:     hfs\n");
}

#endif

enum {
#define X(function, ...) INDEX_##function,
	IMAGES
#undef X
};

#define X(function, ...)                                                                           \
	static void test_##function(void)                                                          \
	{                                                                                          \
		compare_image(INDEX_##function);                                                   \
	}
IMAGES
#undef X

static const struct check_test tests[] = {
#define X(function, ...) { #function, test_##function },
	IMAGES
#undef X
#ifndef UDF_TREES_BIG
	{ "mounted", test_mounted },
	{ "choice", test_choice },
	{ "dvd", test_dvd },
	{ "hybrid", test_hybrid },
	{ "hybrid_plus", test_hybrid_plus },
#endif
};

CHECK_MAIN_WITH(tests, setup, teardown)
