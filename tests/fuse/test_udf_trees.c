// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * UDF volumes that mkudffs made and the Linux kernel filled, compared path by path with the kernel's own reading: names, types,
 * modes, owners, times, sizes, contents, links. The kernel is Debian's User Mode Linux; it is started twice, so that it reads what is on the
 * disc and not what it remembers.
 *
 * What neither writes is made of what they wrote: virtual and metadata partitions by renaming the partition that all addresses are
 * in (udf_rewrite.h). The kernel reads these, too.
 *
 * For people who work on the reader, $VDRIVE_UDF_IMAGES takes only images with that in their name.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "oracle.h"
#include "treelist.h"
#include "util/cleanup.h"
#include "vdtree.h"

#define M(function, media, revision, block, extra)                                                 \
	X(function, media, revision, block, extra, "posix", 96)

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
	M(dvdrw_201, "dvdrw", "2.01", 2048, "")
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

static bool make(struct image *im)
{
	im->path = check_path("%s.udf", im->name);
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

		if (im->made)
			jobs[n++] = (struct oracle_job){ .iso = im->path,
							 .type = "udf",
							 .fill = fill ? im->fill : NULL };
	}
	ok = oracle_uml(check_tmpdir(), jobs, n);
	n = 0;
	for (size_t i = 0; ok && i < VD_ARRAY_SIZE(images); i++)
		if (images[i].made)
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

		if ((!ours || !theirs || strcmp(ours, theirs)) && n++ < 6)
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
	CHECK(im->job.tree.n > (strcmp(im->fill, "huge") ? 450u : 3u));
	tree_free(&got);
	if (vdtree_library(im->path, "", &got))
		compare(im->name, &got, &im->job.tree);
	tree_free(&got);
}

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
};

CHECK_MAIN_WITH(tests, setup, teardown)
