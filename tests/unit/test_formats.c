// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * One disc in every format: each writes what of it the format can hold, and what is read back must be that disc; then all readings of the
 * same disc are compared with each other.
 */
#include "disc_fixture.h"

#include <stdio.h>

#include "wrap_writers.h"
#include "util/cleanup.h"

struct format {
	const char *name; /* of the format that must be recognised */
	const char *file;
	unsigned int features; /* that it can hold */
	char *(*write)(struct vd_disc *d, const char *name);
};

#define FIX_MDS (FIX_SESSIONS | FIX_MODE2 | FIX_PREGAPS | FIX_FLAGS | FIX_SUB)
#define FIX_CDI (FIX_ALL & ~(FIX_MCN | FIX_CDTEXT | FIX_LANGUAGES))

/* Files that have an image of Nero's inside. */

static char *write_in_cso1(struct vd_disc *d, const char *name)
{
	return wrap_cso1(write_nrg2(d, name));
}

static char *write_in_cso2(struct vd_disc *d, const char *name)
{
	return wrap_cso2(write_nrg2(d, name));
}

static char *write_in_zso(struct vd_disc *d, const char *name)
{
	return wrap_zso(write_nrg2(d, name));
}

static char *write_in_ecm(struct vd_disc *d, const char *name)
{
	return wrap_ecm(write_nrg2(d, name));
}

/* A new format is a new row. */
static const struct format formats[] = {
	{ "cue", "cue", FIX_ALL, fixture_write_cue },
	{ "toc", "toc", FIX_ALL & ~FIX_SESSIONS, fixture_write_toc },
	{ "nrg", "nrg2", FIX_ALL | FIX_SUB, write_nrg2 },
	{ "nrg", "nrg1", FIX_ALL | FIX_SUB, write_nrg1 },
	{ "nrg", "tao", FIX_SESSIONS | FIX_MODE2, write_nrg_tao },
	{ "ccd", "ccd", FIX_ALL | FIX_SUB, write_ccd },
	{ "mds", "mds", FIX_MDS, write_mds },
	{ "mds", "split", FIX_MDS, write_mds_split },
	{ "chd", "chd", FIX_PREGAPS, fixture_write_chd },
	{ "cdi", "cdi2", FIX_CDI, write_cdi2 },
	{ "cdi", "cdi3", FIX_CDI, write_cdi3 },
	{ "cdi", "cdi35", FIX_ALL | FIX_SUB, write_cdi35 },
	{ "gdi", "gdi", 0, write_gdi },
	{ "b6t", "b6t", (FIX_ALL | FIX_SUB) & ~(FIX_INDICES | FIX_ISRC), write_b6t },
	{ "c2d", "c2d", (FIX_ALL | FIX_SUB) & ~(FIX_PREGAPS | FIX_FLAGS), write_c2d },
	{ "nrg", "cso1", FIX_ALL, write_in_cso1 },
	{ "nrg", "cso2", FIX_ALL, write_in_cso2 },
	{ "nrg", "zso", FIX_ALL, write_in_zso },
	{ "nrg", "ecm", FIX_ALL, write_in_ecm },
};

static void check_format(const struct format *f, unsigned int features)
{
	struct vd_disc *d = fixture_disc(features), *back;
	const struct vd_image_format *format = NULL;
	const char *what = check_printf("%s with features %03x", f->name, features);
	const char *path = f->write(d, check_printf("%s-%03x", f->file, features));

	back = fixture_open(path, &format);
	CHECK_STR(format->name, f->name);
	CHECK(fixture_same(d, back, what));
	vd_disc_close(back);
	vd_disc_close(d);
}

/* All that it can hold, then without one thing after the other, then nothing. */
static void test_each(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		const struct format *f = &formats[i];

		check_format(f, f->features);
		check_format(f, 0);
		for (unsigned int bit = 1; bit <= FIX_SUB; bit <<= 1)
			if (f->features & bit)
				check_format(f, f->features & ~bit);
	}
}

static void test_all_against_all(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		for (size_t k = i; k < VD_ARRAY_SIZE(formats); k++) {
			unsigned int features = formats[i].features & formats[k].features;
			struct vd_disc *d = fixture_disc(features);
			struct vd_disc *a = fixture_open(
				formats[i].write(d, check_printf("all-%s", formats[i].file)), NULL);
			struct vd_disc *b = fixture_open(
				formats[k].write(d, check_printf("all-%s", formats[k].file)), NULL);

			CHECK(fixture_same(
				a, b,
				check_printf("%s beside %s", formats[k].name, formats[i].name)));
			vd_disc_close(a);
			vd_disc_close(b);
			vd_disc_close(d);
		}
	}
}

static const struct check_test tests[] = {
	{ "each", test_each },
	{ "all_against_all", test_all_against_all },
};
CHECK_MAIN(tests)
