// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ISO images, mounted and compared path by path with what other readers show.
 *
 *     image     made here by xorriso, genisoimage or makefs (isogen.c)
 *     view      one way of mounting it: options such as norock, map=off, session=2
 *     oracle    what it is compared with: the tree it was made from, the kernel's isofs, xorriso, bsdtar
 *
 * Every image has one test, which compares all its views with all oracles that can show that view, in all fields
 * that the oracle can know. Where an oracle is wrong, the table `exceptions` says so: which one, which paths, which
 * field and why. An exception that nothing needed fails the last test, so that none outlives its reason.
 *
 * The kernel's own exceptions are few: zisofs version 2, which it does not know, and what Linux 6.1 cuts or drops.
 *
 * For people who work on the reader, $VDRIVE_ISO_IMAGES takes only images with that in their name, and
 * $VDRIVE_ISO_THROUGH=library leaves FUSE out; =kernel compares the kernel with the other oracles.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"
#include "isogen.h"
#include "oracle.h"
#include "treelist.h"
#include "util/cleanup.h"
#include "vdtree.h"

enum field {
	F_PATH = 1, /* that the entry is there at all */
	F_TYPE = 2,
	F_SIZE = 4, /* of files */
	F_DIGEST = 8,
	F_TARGET = 16,
	F_RDEV = 32,
	F_MTIME = 64,
	F_MODE = 128,
	F_OWNER = 256,
	F_NLINK = 512,
	F_OTHER_SIZE =
		1024, /* of what is no file: as stored on the disc, so that no copy can have it */
};

#define F_CONTENT (F_PATH | F_TYPE | F_SIZE | F_DIGEST | F_TARGET | F_RDEV)
#define F_ALL (F_CONTENT | F_MTIME | F_MODE | F_OWNER | F_NLINK | F_OTHER_SIZE)

enum oracle { O_SOURCE = 1, O_KERNEL = 2, O_XORRISO = 4, O_BSDTAR = 8 };

static const char *oracle_name(enum oracle o)
{
	switch (o) {
	case O_SOURCE:
		return "source";
	case O_KERNEL:
		return "kernel";
	case O_XORRISO:
		return "xorriso";
	case O_BSDTAR:
		return "bsdtar";
	}
	return "?";
}

/* What trees an image has. */
enum trees { T_PLAIN = 1, T_JOLIET = 2, T_ROCK = 4 };

/* Compiled twice: the 4.5 GB take as long as all the rest, and can be read beside it. */
#ifdef ISO_TREES_BIG
#define IMAGES(X) X(big, "big", T_ROCK)
#else
#define IMAGES(X)                                                                                  \
	X(posix_xorriso, "posix-xorriso", T_ROCK | T_JOLIET)                                       \
	X(posix_genisoimage, "posix-genisoimage", T_ROCK | T_JOLIET)                               \
	X(posix_makefs, "posix-makefs", T_ROCK)                                                    \
	X(deep_xorriso, "deep-xorriso", T_ROCK | T_JOLIET)                                         \
	X(deep_xorriso_relocated, "deep-xorriso-relocated", T_ROCK)                                \
	X(deep_genisoimage_relocated, "deep-genisoimage-relocated", T_ROCK)                        \
	X(deep_genisoimage, "deep-genisoimage", T_ROCK)                                            \
	X(deep_genisoimage_plain, "deep-genisoimage-plain", T_PLAIN)                               \
	X(deep_makefs_relocated, "deep-makefs-relocated", T_ROCK)                                  \
	X(names_xorriso, "names-xorriso", T_ROCK | T_JOLIET)                                       \
	X(names_genisoimage, "names-genisoimage", T_ROCK)                                          \
	X(names_makefs, "names-makefs", T_ROCK)                                                    \
	X(joliet_1, "joliet-1", T_JOLIET)                                                          \
	X(joliet_2, "joliet-2", T_JOLIET)                                                          \
	X(joliet_3, "joliet-3", T_JOLIET)                                                          \
	X(joliet_xorriso, "joliet-xorriso", T_JOLIET)                                              \
	X(many, "many", T_ROCK | T_JOLIET)                                                         \
	X(zisofs_1, "zisofs-1", T_ROCK)                                                            \
	X(zisofs_1_128k, "zisofs-1-128k", T_ROCK)                                                  \
	X(zisofs_2, "zisofs-2", T_ROCK)                                                            \
	X(level_1, "level-1", T_PLAIN)                                                             \
	X(level_2, "level-2", T_PLAIN)                                                             \
	X(level_3, "level-3", T_PLAIN)                                                             \
	X(level_4, "level-4", T_PLAIN)                                                             \
	X(level_1_xorriso, "level-1-xorriso", T_PLAIN)                                             \
	X(level_2_xorriso, "level-2-xorriso", T_PLAIN)                                             \
	X(level_4_xorriso, "level-4-xorriso", T_PLAIN)                                             \
	X(plain_makefs, "plain-makefs", T_PLAIN)                                                   \
	X(flags, "flags", T_PLAIN)                                                                 \
	X(sessions_xorriso, "sessions-xorriso", T_ROCK | T_JOLIET)                                 \
	X(sessions_genisoimage, "sessions-genisoimage", T_ROCK | T_JOLIET)                         \
	X(sessions_gap, "sessions-gap", T_ROCK | T_JOLIET)
#endif

static const struct subject {
	const char *image;
	unsigned int trees;
} subjects[] = {
#define X(function, name, trees_) { name, trees_ },
	IMAGES(X)
#undef X
};

#define VIEWS_MAX 8

/* One way of mounting an image. */
struct view {
	char options[96]; /* vdrive's */
	struct oracle_view as;
	/* The tree that it must show, or NULL: names or contents are not those of the source. */
	const char *source;
	unsigned int tree;     /* which kind of tree it shows: one of enum trees */
	unsigned int oracles;  /* that can show it */
	struct oracle_job job; /* the kernel's */
};

struct image {
	const struct isogen_image *gen;
	const char *iso;
	bool made, compared;
	const char *missing; /* the tool that is not there */
	struct view views[VIEWS_MAX];
	size_t nviews;
};

static struct image images[VD_ARRAY_SIZE(subjects)];
static const char *work;
static const char *no_kernel; /* why there is no kernel to compare with */
static enum { THROUGH_FUSE, THROUGH_LIBRARY, THROUGH_KERNEL } through;

/*
 * Where the oracles are known to be wrong. @image, @options and @path are patterns as in fnmatch(3); "*" matches
 * slashes too.
 */
static const struct exception {
	unsigned int oracles;
	const char *image, *options, *path;
	const char *types;   /* of the entry, as the oracle or vdrive has it; NULL: all */
	unsigned int fields; /* not compared */
	const char *why;
} exceptions[] = {
	/* What a format or a writer does not record. */
	{ O_SOURCE, "posix-*", "*", "links/13", NULL, F_TARGET,
	  "SL records hold components: the slash at the end of a/b/ is not kept (RRIP 4.1.3)" },
	{ O_SOURCE, "posix-makefs", "*", "nodes/socket", NULL, F_PATH, "makefs 20190105 has none" },
	{ O_SOURCE, "posix-makefs", "*", "links/many components", NULL, F_TARGET,
	  "makefs 20190105 loses a component where an SL record ends" },
	{ O_XORRISO | O_BSDTAR, "posix-genisoimage", "", "nodes/[dnf][iua]*", "cb", F_PATH,
	  "genisoimage 1.1.11 writes PN as no other program, major and minor in one half: Linux copes" },

	/* The kernel: Linux 6.1. */
	{ O_KERNEL, "names-*", "", "lengths/[YZ]0*", NULL, F_PATH,
	  "names are cut before the 254th byte" },
	{ O_KERNEL, "names-*", "", "more lengths/*", NULL, F_PATH, "the same" },
	{ O_KERNEL, "names-*", "", "unicode lengths/*", NULL, F_PATH, "the same" },
	{ O_KERNEL, "names-makefs", "", "lengths/[UVWX]*", NULL, F_PATH,
	  "a continuation area that crosses a block, as makefs writes them, hides the file" },
	{ O_KERNEL | O_BSDTAR, "zisofs-2", "", "*", "f", F_SIZE | F_DIGEST,
	  "zisofs version 2 is not known: the compressed bytes are shown" },
	{ O_KERNEL, "names-xorriso", "norock", "unnamed-*", NULL, F_PATH,
	  "a Joliet name of dots alone is nothing after the final ones are dropped: it hides the file" },
	{ O_KERNEL | O_XORRISO | O_BSDTAR, "deep-makefs-relocated", "", ".rr_moved/*", NULL,
	  F_PATH | F_ALL,
	  "makefs does not mark relocated directories (RE), so that they stand in two places; here only in theirs" },

	/* xorriso 1.5.4. */
	{ O_XORRISO | O_BSDTAR, "*", "*", ".", NULL, F_MTIME | F_MODE | F_OWNER,
	  "the folder that was extracted into is ours" },
	{ O_XORRISO, "*", "*", "*", "l", F_MTIME, "the times of links are not set" },
	{ O_XORRISO, "posix-*", "*", "nodes/socket", NULL, F_PATH, "sockets are not extracted" },
	{ O_XORRISO | O_BSDTAR, "names-xorriso", "norock", "dot*", NULL, F_PATH,
	  "Joliet names keep their final dots, which Linux drops" },
	{ O_XORRISO | O_BSDTAR, "names-xorriso", "norock", "...", NULL, F_PATH, "the same" },
	{ O_XORRISO | O_BSDTAR, "names-xorriso", "norock", "unnamed-*", NULL, F_PATH, "the same" },
	{ O_SOURCE | O_XORRISO, "posix-genisoimage", "*", "[Tt][Ii][Mm][Ee][Ss]/2[01][0135]*", NULL,
	  F_MTIME,
	  "genisoimage 1.1.11 gives times after 2038 a zone that no place has; only xorriso takes it" },

	/* bsdtar: libarchive 3.6.2. */
	{ O_SOURCE | O_BSDTAR, "deep-genisoimage-relocated", "", "rr_moved", "d", F_PATH,
	  "the folder of the relocated ones, empty to who follows them: libarchive leaves it out" },
	{ O_SOURCE, "deep-makefs-relocated", "", ".rr_moved", "d", F_PATH, "the same" },
	{ O_SOURCE, "deep-makefs-relocated", "", ".rr_moved/*", "d?", F_PATH, "the same" },
	{ O_XORRISO | O_BSDTAR, "deep-makefs-relocated", "", ".rr_moved", "d", F_MTIME,
	  "extracting into it changes its time" },
	{ O_BSDTAR, "deep-makefs-relocated", "", "level01/*/level07/*", NULL, F_PATH,
	  "of two places it shows the other one, without RE" },
	{ O_BSDTAR, "*", "*", "*caf*decomposed.txt", NULL, F_PATH,
	  "Joliet names become normal form C: e and an accent are one character" },
	{ O_BSDTAR, "posix-*", "*", "nodes/socket", NULL, F_TYPE | F_DIGEST,
	  "a socket is extracted as an empty file" },
	{ O_BSDTAR, "*", "*", "times/19[06][29]*", NULL, F_MTIME, "times before 1970 become 1970" },
	{ O_BSDTAR, "posix-*", "*", "links/many components", NULL, F_TARGET,
	  "a slash is lost where a target goes on in the next SL record" },
	{ O_BSDTAR, "posix-makefs", "", "links/[LlMm][OoAa]*", NULL, F_PATH,
	  "NM and SL are not found where makefs puts a CE between them" },
	{ O_BSDTAR, "posix-makefs", "norock", "links/*", NULL, F_PATH,
	  "makefs gives links a size but no extent: they are taken for hard links to a directory" },
};

/* What bsdtar cannot read at all, and what it says. */
static const struct unreadable {
	const char *image, *options, *says;
} unreadable[] = {
	{ "names-makefs", "", "Invalid parameter in SUSP \"CE\" extension" },
	{ "deep-xorriso-relocated", "", "Failed to connect 'CL' pointer to 'RE' rr_moved pointer" },
};

static const char *bsdtar_fails(const struct image *im, const struct view *v)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(unreadable); i++) {
		if (!strcmp(unreadable[i].image, im->gen->name) &&
		    !strcmp(unreadable[i].options, v->options))
			return unreadable[i].says;
	}
	return NULL;
}

static bool exception_used[VD_ARRAY_SIZE(exceptions)];

/* What is left of the fields in which an entry differs. */
static unsigned int without_exceptions(const struct image *im, const struct view *v, enum oracle o,
				       const struct tree_entry *entry, unsigned int differ)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(exceptions) && differ; i++) {
		const struct exception *e = &exceptions[i];

		if (!(e->oracles & o) || !(e->fields & differ) ||
		    fnmatch(e->image, im->gen->name, 0) || fnmatch(e->options, v->options, 0) ||
		    fnmatch(e->path, entry->path, 0) ||
		    (e->types && !strchr(e->types, entry->type)))
			continue;
		exception_used[i] = true;
		differ &= ~e->fields;
	}
	return differ;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The fields in which two entries differ. */
static unsigned int difference(const struct tree_entry *a, const struct tree_entry *b)
{
	unsigned int d = 0;

	if (a->type != b->type)
		d |= F_TYPE;
	if (a->size != b->size)
		d |= a->type == 'f' && b->type == 'f' ? F_SIZE : F_OTHER_SIZE;
	if (strcmp(a->digest, b->digest))
		d |= F_DIGEST;
	if (!same_text(a->target, b->target))
		d |= F_TARGET;
	if (a->major != b->major || a->minor != b->minor)
		d |= F_RDEV;
	if (a->mtime != b->mtime)
		d |= F_MTIME;
	if (a->mode != b->mode)
		d |= F_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		d |= F_OWNER;
	if (a->nlink != b->nlink)
		d |= F_NLINK;
	return d;
}

struct differences {
	const struct image *im;
	const struct view *v;
	enum oracle o;
	int n;
	char *text;
	size_t len;
	FILE *f;
};

static void differs(struct differences *d, const char *what, const struct tree_entry *got,
		    const struct tree_entry *want)
{
	if (d->n++ >= 6)
		return;
	fprintf(d->f, "  %s\n", what);
	for (int i = 0; i < 2; i++) {
		const struct tree_entry *e = i ? want : got;
		char *line = e ? tree_entry_line(e) : NULL;

		if (line)
			fprintf(d->f, "    %-8s %s\n", i ? oracle_name(d->o) : "vdrive", line);
		free(line);
	}
}

static const char *field_names(unsigned int fields)
{
	static const char *const names[] = { "path",   "type",	"size",	     "digest",
					     "target", "rdev",	"mtime",     "mode",
					     "owner",  "nlink", "other-size" };
	char *text = check_printf("%s", "");

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		if (fields & (1u << i))
			text = check_printf("%s%s%s", text, *text ? " " : "", names[i]);
	}
	return text;
}

static void compare(const struct image *im, const struct view *v, enum oracle o,
		    const struct tree *got, const struct tree *want, unsigned int fields)
{
	struct differences d = { .im = im, .v = v, .o = o };
	size_t i = 0, k = 0;

	d.f = open_memstream(&d.text, &d.len);
	ASSERT(d.f != NULL);
	/* A tree of nothing but its root would equal nothing but another: no image here is empty. */
	CHECK(got->n > 1);
	while (i < got->n || k < want->n) {
		const struct tree_entry *a = i < got->n ? &got->entries[i] : NULL;
		const struct tree_entry *b = k < want->n ? &want->entries[k] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
		unsigned int differ = order ? F_PATH : difference(a, b) & fields;

		/* iso_date() of Linux 6.1 returns an int: what is after 2038-01-19 03:14:07 wraps. */
		if (differ & F_MTIME && o == O_KERNEL && b->mtime == (int32_t)a->mtime)
			differ &= ~(unsigned int)F_MTIME;
		if (differ)
			differ = without_exceptions(im, v, o, order > 0 ? b : a, differ);
		if (differ)
			differs(&d, field_names(differ), order <= 0 ? a : NULL,
				order >= 0 ? b : NULL);
		i += order <= 0;
		k += order >= 0;
	}
	fclose(d.f);
	if (d.n)
		CHECK_FAIL("%s -o '%s': %d differences from %s (%zu entries, %zu there):\n%s",
			   im->gen->name, v->options, d.n, oracle_name(o), got->n, want->n, d.text);
	free(d.text);
}

/* The tree as vdrive shows it. */

static bool show(const struct image *im, const struct view *v, struct tree *out)
{
	if (through == THROUGH_KERNEL) {
		for (size_t i = 0; i < v->job.tree.n; i++) {
			if (!CHECK_OK(tree_add(out, &v->job.tree.entries[i])))
				return false;
		}
		return true;
	}
	return through == THROUGH_LIBRARY
		       ? vdtree_library(im->iso, v->options, out)
		       : vdtree_fuse(VDRIVE, im->iso, v->options, check_path("mnt"), out);
}

/* Views. */

static struct view *add_view(struct image *im, const char *opts, unsigned int tree)
{
	struct view *v = &im->views[im->nviews++];

	if (im->nviews > VIEWS_MAX)
		abort();
	snprintf(v->options, sizeof(v->options), "%s", opts);
	v->tree = tree;
	v->as.norock = strstr(opts, "norock") != NULL;
	v->as.nojoliet = strstr(opts, "nojoliet") != NULL;
	v->as.map_off = strstr(opts, "map=off") != NULL;
	v->as.plain = tree == T_PLAIN;
	v->oracles = O_KERNEL | O_XORRISO | (v->as.map_off ? 0 : O_BSDTAR);
	return v;
}

/*
 * Where sessions were appended, not grown, who takes the first volume descriptor sees the first session. The kernel
 * and xorriso are told where the last one is; bsdtar cannot be.
 *
 * Linux 6.1.176 finds the ER record of an appended session "out of volume", since it takes the size of the
 * session for the end of the disc, and turns to Joliet; nojoliet lets it go on.
 */
static void add_session_sectors(struct image *im, const uint32_t lba[], int n)
{
	bool grown = !strcmp(im->gen->name, "sessions-xorriso");

	for (size_t i = 0; i < im->nviews; i++) {
		struct view *v = &im->views[i];
		bool chosen = strstr(v->options, "session=") != NULL;

		if (!chosen && !grown)
			v->as.sector = lba[n - 1];
		if (v->as.sector && v->tree == T_ROCK)
			v->as.kernel_only = "nojoliet";
		if (grown ? chosen : v->as.sector != 0)
			v->oracles &= ~(unsigned int)O_BSDTAR;
	}
}

static void add_views(struct image *im, const struct subject *s)
{
	bool rock = s->trees & T_ROCK, joliet = s->trees & T_JOLIET;
	uint32_t lba[16];
	int n = isogen_sessions(work, im->gen->name, lba, 16);
	struct view *v;

	v = add_view(im, "", rock ? T_ROCK : joliet ? T_JOLIET : T_PLAIN);
	/* Plain names show the tree that they were made from only if it has no others. */
	if (strcmp(im->gen->source, "levels"))
		v->source = im->gen->source;
	if (!strcmp(im->gen->name, "big"))
		return; /* one look at 4.5 GB is enough: the plain tree has the same extents */
	for (int i = 1; i <= n; i++) {
		v = add_view(im, check_printf("session=%d", i), T_ROCK);
		v->as.sector = lba[i - 1];
		v->source = check_printf("session%d", i);
	}
	if (rock && joliet)
		v = add_view(im, "norock", T_JOLIET);
	if (rock)
		add_view(im, joliet ? "norock,nojoliet" : "norock", T_PLAIN);
	else if (joliet)
		add_view(im, "nojoliet", T_PLAIN);
	add_view(im,
		 rock && joliet ? "norock,nojoliet,map=off"
		 : rock		? "norock,map=off"
		 : joliet	? "nojoliet,map=off"
				: "map=off",
		 T_PLAIN);
	if (!strcmp(im->gen->name, "many")) {
		/*
		 * The kernel searches a directory from its beginning for every name: seconds a view. Nor is much gained by
		 * 10,000 more copies on the disk of each of the other trees.
		 */
		im->views[1].oracles = O_XORRISO;
		im->nviews = 2;
	}
	if (!strcmp(im->gen->name, "flags")) {
		static const char *const flags[] = { "hide", "showassoc", "hide,showassoc" };

		/* No other reader has such options. */
		im->views[0].oracles = im->views[1].oracles = O_KERNEL;
		for (size_t i = 0; i < VD_ARRAY_SIZE(flags); i++) {
			v = add_view(im, flags[i], T_PLAIN);
			v->as.kernel_only = flags[i];
			v->oracles = O_KERNEL;
		}
		im->views[0].source = NULL;
	}
	if (!strcmp(im->gen->name, "level-1")) {
		v = add_view(im, "uid=7,gid=8,mode=0640,dmode=0750", T_PLAIN);
		v->as.kernel_only = v->options;
		v->oracles = O_KERNEL;
	}
	if (n)
		add_session_sectors(im, lba, n);
}

static void setup(void)
{
	const char *only = getenv("VDRIVE_ISO_IMAGES"), *mode = getenv("VDRIVE_ISO_THROUGH");
	struct oracle_job *jobs;
	size_t n = 0;

	if (mode && !strcmp(mode, "library"))
		through = THROUGH_LIBRARY;
	else if (mode && !strcmp(mode, "kernel"))
		through = THROUGH_KERNEL;
	else if (access("/dev/fuse", R_OK | W_OK))
		CHECK_SKIP("no /dev/fuse");
	work = check_tmpdir();
	no_kernel = oracle_uml_missing();
	ASSERT_INT(mkdir(check_path("mnt"), 0755), 0);
	ASSERT_INT(mkdir(check_path("run"), 0700), 0);
	ASSERT_INT(setenv("VDRIVE_RUNTIME_DIR", check_path("run"), 1), 0);
	for (size_t i = 0; i < VD_ARRAY_SIZE(subjects); i++) {
		struct image *im = &images[i];

		im->gen = isogen_find(subjects[i].image);
		ASSERT(im->gen != NULL);
		if (only && !strstr(im->gen->name, only)) {
			im->missing = "not chosen by VDRIVE_ISO_IMAGES";
			continue;
		}
		if (!check_have_program(im->gen->tool)) {
			im->missing = check_printf("no %s", im->gen->tool);
			continue;
		}
		im->iso = check_path("%s.iso", im->gen->name);
		im->made = isogen_make(work, im->gen);
		if (!im->made)
			continue;
		add_views(im, &subjects[i]);
		n += im->nviews;
	}
	if (no_kernel)
		return;
	jobs = check_alloc((n + 1) * sizeof(*jobs));
	n = 0;
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++) {
		for (size_t k = 0; k < images[i].nviews; k++) {
			const struct view *v = &images[i].views[k];

			if (v->oracles & O_KERNEL)
				jobs[n++] =
					(struct oracle_job){ .iso = images[i].iso, .view = v->as };
		}
	}
	if (!oracle_uml(work, jobs, n))
		return;
	n = 0;
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++) {
		for (size_t k = 0; k < images[i].nviews; k++) {
			if (images[i].views[k].oracles & O_KERNEL)
				images[i].views[k].job = jobs[n++];
		}
	}
}

static void teardown(void)
{
	const char *argv[] = { VDRIVE, "list", "--noheadings", NULL };
	struct check_cmd c = { .argv = argv };

	if (through == THROUGH_FUSE && CHECK_RUN(&c, 0) && *c.out) {
		/* Whatever failed has said so; what it left must not stay. */
		CHECK_FAIL("drives are left: %s", c.out);
		check_sh("%s detach --all --lazy", VDRIVE);
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++) {
		for (size_t k = 0; k < images[i].nviews; k++)
			tree_free(&images[i].views[k].job.tree);
	}
}

/* What an extracted copy can tell. ISO 9660 and Joliet record neither owners nor modes. */
static unsigned int extracted_fields(const struct view *v)
{
	unsigned int fields = F_CONTENT | F_MTIME;

	if (v->tree == T_ROCK)
		fields |= F_MODE | (geteuid() ? 0 : F_OWNER);
	return fields;
}

static void compare_view(struct image *im, struct view *v)
{
	static struct tree got, want;
	unsigned int fields = extracted_fields(v);

	tree_free(&got);
	if (!show(im, v, &got))
		return;
	if (v->oracles & O_KERNEL && !no_kernel) {
		CHECK_STR(v->job.error, "");
		compare(im, v, O_KERNEL, &got, &v->job.tree, F_ALL);
	}
	if (v->source) {
		tree_free(&want);
		if (CHECK_OK(tree_walk(&want, check_path("src/%s", v->source))))
			compare(im, v, O_SOURCE, &got, &want, fields);
	}
	if (v->oracles & O_XORRISO && check_have_program("xorriso")) {
		tree_free(&want);
		if (oracle_xorriso(work, im->iso, &v->as, &want))
			compare(im, v, O_XORRISO, &got, &want, fields);
	}
	if (v->oracles & O_BSDTAR && check_have_program("bsdtar")) {
		const char *fails = bsdtar_fails(im, v);

		tree_free(&want);
		if (oracle_bsdtar(work, im->iso, &v->as, fails, &want) && !fails)
			compare(im, v, O_BSDTAR, &got, &want, fields);
	}
	tree_free(&got);
	tree_free(&want);
}

static void compare_image(size_t i)
{
	struct image *im = &images[i];

	if (im->missing)
		CHECK_SKIP("%s", im->missing);
	ASSERT(im->made);
	for (size_t k = 0; k < im->nviews; k++)
		compare_view(im, &im->views[k]);
	im->compared = !check_failed();
}

#ifndef ISO_TREES_BIG

/* nobody: fusermount3 wants a user who has a name. */
#define ANOTHER_USER 65534

/*
 * The whole way as a user without any privilege: mount, read and unmount, with a runtime directory of their own. Where
 * /dev/fuse is closed to users (udev opens it; a container may have none), they get an open one in a mount
 * namespace of their own.
 */
static void test_another_user(void)
{
	struct image *im = &images[0];
	const char *own = check_path("own"), *mnt = check_path("own/mnt");
	const char *env[] = { check_printf("VDRIVE_RUNTIME_DIR=%s", check_path("own/run")),
			      check_printf("ISO=%s", im->iso),
			      check_printf("MNT=%s", mnt),
			      check_printf("FUSE=%s", check_path("own/fuse")),
			      check_printf("VDRIVE=%s", check_path("own/vdrive")),
			      check_printf("TREELIST=%s", check_path("own/treelist")),
			      NULL };
	const char *user = "exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -euc '"
			   "$VDRIVE mount $ISO $MNT; $TREELIST $MNT; $VDRIVE umount $MNT; "
			   "rmdir $VDRIVE_RUNTIME_DIR'";
	const char *as_user[] = { "sh", "-euc", user, NULL };
	const char *opened[] = { "unshare",
				 "--mount",
				 "--propagation",
				 "private",
				 "sh",
				 "-euc",
				 check_printf("mount --bind $FUSE /dev/fuse; %s", user),
				 NULL };
	struct check_cmd c = { .argv = as_user, .env = env };
	static struct tree got;
	_cleanup_fclose_ FILE *f = NULL;
	struct stat st;

	if (geteuid())
		CHECK_SKIP("needs root, to become somebody else: all other tests ran as one");
	if (through != THROUGH_FUSE)
		CHECK_SKIP("not through FUSE");
	if (im->missing || no_kernel)
		CHECK_SKIP("%s", im->missing ? im->missing : no_kernel);
	ASSERT(im->made);
	ASSERT_INT(mkdir(own, 0755), 0);
	ASSERT_INT(mkdir(mnt, 0755), 0);
	/* The user may not be able to look into the folder that all was built in. */
	ASSERT_INT(check_sh("cp -t %s %s %sd %s", own, VDRIVE, VDRIVE, TREELIST)->status, 0);
	ASSERT_INT(mkdir(check_path("own/run"), 0700), 0);
	ASSERT_INT(chown(own, ANOTHER_USER, ANOTHER_USER), 0);
	ASSERT_INT(chown(mnt, ANOTHER_USER, ANOTHER_USER), 0);
	ASSERT_INT(chown(check_path("own/run"), ANOTHER_USER, ANOTHER_USER), 0);
	ASSERT_INT(stat("/dev/fuse", &st), 0);
	if ((st.st_mode & 06) != 06) {
		ASSERT_INT(mknod(check_path("own/fuse"), S_IFCHR | 0600, st.st_rdev), 0);
		ASSERT_INT(chmod(check_path("own/fuse"), 0666), 0);
		c.argv = opened;
	}
	ASSERT_RUN(&c, 0);
	f = fmemopen(c.out, c.out_len, "r");
	ASSERT(f != NULL);
	tree_free(&got);
	ASSERT_OK(tree_read(&got, f));
	compare(im, &im->views[0], O_KERNEL, &got, &im->views[0].job.tree, F_ALL);
	tree_free(&got);
}

/* An exception that nothing needs any more hides the next fault: it is to be taken out. */
static void test_exceptions_needed(void)
{
	if (no_kernel)
		CHECK_SKIP("%s", no_kernel);
	if (geteuid() || through != THROUGH_FUSE)
		CHECK_SKIP("not all was compared: needs root, and FUSE");
	for (size_t i = 0; i < VD_ARRAY_SIZE(images); i++) {
		if (images[i].missing || !images[i].compared)
			CHECK_SKIP("not all was compared: %s", images[i].gen->name);
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(exceptions); i++) {
		if (!CHECK(exception_used[i]))
			CHECK_FAIL("needed by nothing: %s, %s (%s)", exceptions[i].image,
				   exceptions[i].path, exceptions[i].why);
	}
}

#endif

enum {
#define X(function, name, trees) INDEX_##function,
	IMAGES(X)
#undef X
};

#define X(function, name, trees)                                                                   \
	static void test_##function(void)                                                          \
	{                                                                                          \
		compare_image(INDEX_##function);                                                   \
	}
IMAGES(X)
#undef X

static const struct check_test tests[] = {
#define X(function, name, trees) { name, test_##function },
	IMAGES(X)
#undef X
#ifndef ISO_TREES_BIG
		{ "another-user", test_another_user },
	{ "exceptions-needed", test_exceptions_needed },
#endif
};

CHECK_MAIN_WITH(tests, setup, teardown)
