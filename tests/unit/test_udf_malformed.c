// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Damaged and hostile UDF images, some hundreds, and thousands with $VDRIVE_SOAK, each made from a sample by one change.
 *
 * Each is opened, walked and read whole in a process of its own with one second of CPU time and 64 MiB of address space. What
 * counts as right is known from the sample, not from the reader: what is returned as success is what the sample has there,
 * and if nothing gave an error, nothing is missing.
 *
 *     flipped     a bit of a descriptor, whose CRC then says so; or of contents, which no CRC covers
 *     retagged    the same with a good checksum and CRC, as somebody with intent would: it must end, and promise nothing wrong
 *     hostile     loops, overlaps, numbers beyond everything
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "sanitized.h"
#include "udfwalk.h"
#include "util/cleanup.h"
#include "util/endian.h"

static uint8_t data[20000];
static struct udfb_node *n_file, *n_dir, *n_sub, *n_link, *n_pieces, *n_versions;

/* The kinds of udfbuild.h, and two that have a second copy of something: older, or the same. */
enum { TWO_VATS = UDFB_METADATA + 1, TWO_METADATA, KINDS };

static struct udfb *make(int kind)
{
	struct udfb *b = udfb_new();

	b->kind = kind == TWO_VATS	 ? UDFB_VIRTUAL_200
		  : kind == TWO_METADATA ? UDFB_METADATA
					 : (enum udfb_kind)kind;
	b->extended = kind % 2;
	b->sessions = kind == TWO_VATS;
	b->duplicated = kind == TWO_METADATA;
	n_file = udfb_file(b, NULL, "file", data, 5000);
	n_dir = udfb_dir(b, NULL, "dir");
	n_sub = udfb_dir(b, n_dir, "sub");
	udfb_file(b, n_sub, "deep", data, 100)->ad = UDFB_EMBEDDED;
	n_link = udfb_link(b, n_dir, "link", "../elsewhere/a");
	n_link->ad = UDFB_EMBEDDED;
	n_pieces = udfb_file(b, n_dir, "pieces", data, sizeof(data));
	n_pieces->piece = 1;
	n_pieces->ads = 2;
	n_pieces->ad = UDFB_LONG;
	n_versions = udfb_file(b, n_dir, "versions", "new", 3);
	n_versions->strategy4096 = true;
	n_versions->ad = UDFB_EMBEDDED;
	udfb_finish(b);
	return b;
}

enum expect {
	SAME,	   /* as the sample, or errors */
	ANY,	   /* it ends */
	MUST_FAIL, /* as the sample, and an error at least */
	FAILS,	   /* an error at least; the number is a file's own */
};

static const char *what;

static void limit(void)
{
	struct rlimit cpu = { 1, 2 }, memory = { 64u << 20, 64u << 20 };

	if (SANITIZED)
		return; /* they need more of both */
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_AS, &memory);
}

/* In a child: what went wrong is written to @to. */
static void look(const struct udfb *b, enum expect expect, int to)
{
	const struct vd_fs_options o = { .streams = expect == ANY };
	struct vd_disc *disc = udfwalk_disc(b->image, b->size);
	struct vd_error err = { "" };
	struct udfwalk w = { .errors = 0 };
	struct vd_fs *fs = NULL;
	int r;

	limit();
	r = vd_fs_open(disc, &o, &fs, &err);
	if (!r)
		udfwalk(fs, b, 0, &w);
	if (r && !err.text[0])
		dprintf(to, "an error without words");
	else if (!r && expect != ANY && expect != FAILS && w.wrong[0])
		dprintf(to, "%s", w.wrong);
	else if (!r && expect >= MUST_FAIL && !w.errors)
		dprintf(to, "no error");
	_exit(0);
}

/* @b, whose image was changed. */
static void try(const struct udfb *b, enum expect expect)
{
	char text[600] = "";
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	ASSERT_INT(pipe(fds), 0);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		close(fds[0]);
		look(b, expect, fds[1]);
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	ASSERT_INT(waitpid(pid, &status, 0), pid);
	if (n || !WIFEXITED(status) || WEXITSTATUS(status))
		CHECK_FAIL("%s: %s (status %x)", what, text, (unsigned int)status);
}

struct place {
	const char *name;
	uint32_t at, len;
};

static size_t descriptors(const struct udfb *b, struct place out[16])
{
	const struct place all[] = {
		{ "anchor", b->anchor, 32 },
		{ "primary volume descriptor", b->pvd, 512 },
		{ "logical volume descriptor", b->lvd, 520 },
		{ "partition descriptor", b->pd, 512 },
		{ "file set descriptor", b->fsd, 512 },
		{ "root", b->root->entry, 240 },
		{ "file", n_file->entry, 240 },
		{ "folder", n_dir->entry, 240 },
		{ "link", n_link->entry, 240 },
		{ "pieces", n_pieces->entry, 240 },
		{ "continuation", n_pieces->aed, 60 },
		{ "identifier", n_file->fid, n_file->fid_len },
		{ "identifier of a folder", n_dir->fid, n_dir->fid_len },
		{ "old version", n_versions->older, 200 },
		{ "VAT", b->vat, 200 },
		{ "metadata file", b->metadata, 240 },
	};
	size_t n = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(all); i++)
		if (all[i].at)
			out[n++] = all[i];
	return n;
}

static void flip_all(int kind, bool retag, uint32_t step)
{
	struct udfb *b = make(kind);
	struct place places[16];
	size_t n = descriptors(b, places);

	for (size_t i = 0; i < n; i++) {
		uint8_t *p = b->image + places[i].at;
		uint8_t *saved = check_alloc(places[i].len);

		memcpy(saved, p, places[i].len);
		for (uint32_t k = 0; k < places[i].len; k += step) {
			p[k] ^= (uint8_t)(1u << (k * 5 + i) % 8);
			if (retag && vd_get_le16(p + 10) < 2000)
				udfb_retag(p, 0);
			what = check_printf("kind %d, byte %u of the %s%s", kind, k, places[i].name,
					    retag ? ", retagged" : "");
			try(b, retag ? ANY : SAME);
			memcpy(p, saved, places[i].len);
		}
	}
	udfb_free(b);
}

static void test_flipped(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		flip_all(kind, false, getenv("VDRIVE_SOAK") ? 1 : 11);
}

static void test_retagged(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		flip_all(kind, true, getenv("VDRIVE_SOAK") ? 1 : 13);
}

/* One number of a descriptor, which is then good again. */
static void test_hostile(void)
{
	struct udfb *b = make(UDFB_PHYSICAL);
	const struct row {
		const char *name;
		uint32_t descriptor, at, size; /* of the number, in bytes */
		uint64_t value;
		enum expect expect;
	} rows[] = {
		{ "a folder that is its own child", n_sub->fid, 24, 4, n_dir->block, MUST_FAIL },
		{ "a folder that is the root", n_dir->fid, 24, 4, b->root->block, MUST_FAIL },
		{ "an ICB beyond the partition", n_file->fid, 24, 4, 5000, MUST_FAIL },
		{ "a partition that is not there", n_file->fid, 28, 2, 9, MUST_FAIL },
		{ "the last partition number", n_file->fid, 28, 2, 0xffff, MUST_FAIL },
		{ "an identifier longer than its folder", n_versions->fid, 36, 2, 3000, MUST_FAIL },
		{ "a continuation that continues itself", n_pieces->aed, 24 + 2 * 16 + 4, 4, 0,
		  MUST_FAIL },
		{ "allocation descriptors beyond the block", n_file->entry, 172, 4, 1900,
		  MUST_FAIL },
		{ "extended attributes beyond the block", n_file->entry, 168, 4, UINT32_MAX,
		  MUST_FAIL },
		{ "both together beyond 32 bits", n_file->entry, 172, 4, UINT32_MAX, MUST_FAIL },
		{ "a size beyond its extents", n_file->entry, 56, 8, 50000, FAILS },
		{ "a size beyond all", n_file->entry, 56, 8, UINT64_MAX, MUST_FAIL },
		{ "a folder beyond its extents", n_dir->entry, 56, 8, 50000, MUST_FAIL },
		{ "a folder of a terabyte", n_dir->entry, 56, 8, UINT64_C(1) << 40, MUST_FAIL },
		{ "a folder that ends early", n_dir->entry, 56, 8, n_dir->fid_len + 3, MUST_FAIL },
		{ "an embedded file larger than it", n_link->entry, 56, 8, 3000, MUST_FAIL },
		{ "a strategy that is none", n_file->entry, 20, 2, 5, MUST_FAIL },
		{ "a file type that is none", n_file->entry, 27, 1, 77, MUST_FAIL },
		{ "an old version that leads to itself", n_versions->older + 2048, 40, 4,
		  n_versions->block, MUST_FAIL },
		{ "too many partition maps", b->lvd, 268, 4, 17, MUST_FAIL },
		{ "partition maps beyond the block", b->lvd, 264, 4, 5000, MUST_FAIL },
		{ "a partition map without length", b->lvd, 441, 1, 0, MUST_FAIL },
		{ "a partition that begins nowhere", b->pd, 188, 4, UINT32_MAX, MUST_FAIL },
		{ "a partition without blocks", b->pd, 192, 4, 0, MUST_FAIL },
		{ "blocks of another size", b->lvd, 212, 4, 512, MUST_FAIL },
		{ "a root that is a file", b->fsd, 404, 4, n_file->block, MUST_FAIL },
	};

	/* Both sequences say it. */
	memset(b->image + b->reserve, 0, 4096);
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		uint8_t *p = b->image + r->descriptor, saved[2048];

		memcpy(saved, p, sizeof(saved));
		for (uint32_t k = 0; k < r->size; k++)
			p[r->at + k] = (uint8_t)(r->value >> 8 * k);
		udfb_retag(p, 0);
		if (r->descriptor == n_pieces->aed)
			vd_put_le32(p + r->at, n_pieces->aed / 2048 - 288);
		udfb_retag(p, 0);
		what = r->name;
		try(b, r->expect);
		memcpy(p, saved, sizeof(saved));
	}
	what = "nothing changed";
	try(b, SAME);
	udfb_free(b);
}

/* Cut off after each few blocks. */
static void test_cut(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct udfb *b = make(kind);
		const size_t size = b->size;

		/* What is cut off from behind an older VAT is no damage that can be seen. */
		if (kind == TWO_VATS)
			b->size = 0;
		else
			b->size = size - size % 2048;
		for (; b->size > 2048 * 23; b->size -= 2048 * 23) {
			what = check_printf("kind %d, cut to %zu bytes", kind, b->size);
			try(b, SAME);
		}
		udfb_free(b);
	}
}

static void setup(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 >> 2 | 1);
}

static const struct check_test tests[] = {
	{ "flipped", test_flipped },
	{ "retagged", test_retagged },
	{ "hostile", test_hostile },
	{ "cut", test_cut },
};

CHECK_MAIN_WITH(tests, setup, NULL)
