// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive verify: reads every sector that an image stores, in the cage, and checks what a sector says of itself: sync pattern, address,
 * subheader, EDC and both parts of ECC (ECMA-130, 14), and the CRC of its Q subchannel. Sectors stored as 2048 bytes or audio say
 * nothing of themselves: that they can be read is all that is known then.
 */
#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <string.h>

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "userspace/vdrive/caged.h"

static const char usage[] =
	"\nUsage:\n"
	" vdrive verify [options] IMAGE\n"
	"\n"
	"Check the sectors of a disc image.\n"
	"\n"
	"Options:\n"
	" -J, --json   use JSON output format\n"
	" -q, --quiet  no progress bar, and no report: the exit status tells\n"
	" -h, --help   display this help\n"
	"\n"
	"Exit status: 0 nothing is wrong, 4 something is, 1 it could not be checked.\n"
	"\n"
	"For more details see vdrive-verify(1).\n";

#define BATCH 256u
/* More ranges than that are counted only. */
#define RANGES_MAX 10000u

#define BAD_UNREADABLE 0x100u
#define BAD_SUBCHANNEL 0x200u

static const struct {
	unsigned int bit;
	const char *name;
} reasons[] = {
	{ VD_BAD_SYNC, "sync" },   { VD_BAD_HEADER, "header" }, { VD_BAD_SUBHEADER, "subheader" },
	{ VD_BAD_ZEROS, "zeros" }, { VD_BAD_EDC, "edc" },	{ VD_BAD_P, "ecc-p" },
	{ VD_BAD_Q, "ecc-q" },	   { BAD_SUBCHANNEL, "q-crc" }, { BAD_UNREADABLE, "unreadable" },
};

struct bad_range {
	int track;
	int32_t lba;
	uint32_t n;
	unsigned int bad;
};

struct findings {
	struct bad_range *v;
	size_t n, lost; /* lost: sectors of ranges that are not kept */
	/* Sectors. */
	uint64_t total, checked, unchecked, bad, unreadable;
	int32_t shift; /* how far the addresses in the headers of the first track are from those in the image */
};

struct request {
	struct opened *image;
	struct progress progress;
	bool as_json, quiet;
};

static void note(struct findings *f, int track, int32_t lba, unsigned int bad)
{
	struct bad_range *last = f->n ? &f->v[f->n - 1] : NULL;

	f->bad++;
	if (bad & BAD_UNREADABLE)
		f->unreadable++;
	if (last && last->track == track && last->bad == bad &&
	    last->lba + (int64_t)last->n == lba) {
		last->n++;
		return;
	}
	if (f->n == RANGES_MAX) {
		f->lost++;
		return;
	}
	if (!(f->n & (f->n - 1)))
		f->v = need(reallocarray(f->v, f->n ? 2 * f->n : 1, sizeof(*f->v)));
	f->v[f->n++] = (struct bad_range){ .track = track, .lba = lba, .n = 1, .bad = bad };
}

/* Is there anything in such a sector that can be checked? */
static bool is_checkable(const struct vd_extent *x)
{
	return x->mode != VD_TRACK_AUDIO &&
	       (x->layout == VD_LAYOUT_2352 || x->layout == VD_LAYOUT_2352_SWAPPED ||
		x->layout == VD_LAYOUT_2448 || x->layout == VD_LAYOUT_2336 ||
		x->layout == VD_LAYOUT_2328);
}

static bool has_q(const struct vd_extent *x)
{
	return x->sub == VD_SUB_RAW || x->sub == VD_SUB_PLANAR;
}

/*
 * A file of raw sectors may begin anywhere on its disc: addresses that are all off by the same are no errors. What the first
 * sector with a whole EDC says counts.
 */
static void find_shift(struct vd_disc *d, const struct vd_extent *x, struct findings *f)
{
	uint8_t raw[VD_SECTOR_RAW];

	if (x->layout == VD_LAYOUT_2336 || x->layout == VD_LAYOUT_2328)
		return;
	for (uint32_t i = 0; i < x->length && i < BATCH; i++) {
		int32_t lba = x->lba + (int32_t)i;
		enum vd_sector_kind kind;
		struct vd_msf msf;

		if (vd_disc_read_sectors(d, lba, 1, VD_READ_MAIN, raw))
			continue;
		kind = vd_sector_kind(raw, x->mode, false);
		if (vd_sector_check(raw, kind, VD_LBA_ANY))
			continue;
		msf = (struct vd_msf){ (uint8_t)vd_from_bcd(raw[12]), (uint8_t)vd_from_bcd(raw[13]),
				       (uint8_t)vd_from_bcd(raw[14]) };
		f->shift = vd_msf_to_lba(msf) - lba;
		return;
	}
}

static unsigned int check_one(struct vd_disc *d, const struct vd_extent *x, const uint8_t *sector,
			      int32_t lba, bool forms, int32_t shift)
{
	enum vd_sector_kind kind = vd_sector_kind(sector, x->mode, forms);
	unsigned int bad = 0;
	uint8_t q[12];

	if (is_checkable(x) && kind != VD_KIND_AUDIO)
		bad = vd_sector_check(sector, kind, lba + shift);
	if (has_q(x)) {
		if (vd_disc_read_q(d, lba, q))
			bad |= BAD_UNREADABLE;
		else if (!vd_q_is_whole(q))
			bad |= BAD_SUBCHANNEL;
	}
	return bad;
}

static bool is_read_error(int r)
{
	return r == -EIO || r == -EUCLEAN || r == -EBADMSG;
}

static int check_extent(struct caged *c, struct vd_disc *d, const struct vd_extent *x,
			struct findings *f, uint64_t *done)
{
	const struct vd_track *t = vd_disc_track_at(d, x->lba);
	const bool forms = d->sessions[vd_disc_session_at(d, x->lba) - 1].type != VD_SESSION_CDROM;
	const bool plain = !vd_media_is_cd(vd_disc_media(d));
	_cleanup_free_ uint8_t *buf = need(malloc(BATCH * VD_SECTOR_RAW));
	uint32_t n;

	for (uint32_t i = 0; i < x->length; i += n) {
		const unsigned int what = plain ? VD_READ_USER : VD_READ_MAIN;
		int32_t lba = x->lba + (int32_t)i;
		int r;

		n = x->length - i < BATCH ? x->length - i : BATCH;
		r = vd_disc_read_sectors(d, lba, n, what, buf);
		/* One after the other then, to know which of them cannot be read. */
		for (uint32_t k = 0; k < n; k++) {
			uint8_t *sector = buf + k * VD_SECTOR_RAW;
			unsigned int bad = 0;

			if (is_read_error(r) &&
			    vd_disc_read_sectors(d, lba + (int32_t)k, 1, what, sector))
				bad = BAD_UNREADABLE;
			else if (r && !is_read_error(r))
				return r;
			else if (!plain)
				bad = check_one(d, x, sector, lba + (int32_t)k, forms, f->shift);
			if (bad)
				note(f, t->number, lba + (int32_t)k, bad);
		}
		*done += n;
		caged_progress(c, *done, f->total);
	}
	if (is_checkable(x) || has_q(x))
		f->checked += x->length;
	else
		f->unchecked += x->length;
	return 0;
}

static char *reason_words(unsigned int bad)
{
	char *text = format("%s", "");

	for (size_t i = 0; i < VD_ARRAY_SIZE(reasons); i++) {
		char *longer;

		if (!(bad & reasons[i].bit))
			continue;
		longer = format("%s%s%s", text, *text ? "," : "", reasons[i].name);
		free(text);
		text = longer;
	}
	return text;
}

static void print_text(const struct request *q, const struct findings *f)
{
	static const struct table_column columns[] = {
		{ "TRACK", true, 0 },
		{ "LBA", true, 0 },
		{ "SECTORS", true, 0 },
		{ "WRONG", false, 0 },
	};
	_cleanup_free_ char *safe = text_safe(q->image->given);

	printf("%s: %llu sectors: %llu checked, %llu without anything to check, %llu wrong\n", safe,
	       (unsigned long long)f->total, (unsigned long long)f->checked,
	       (unsigned long long)f->unchecked, (unsigned long long)f->bad);
	if (f->shift)
		printf("The addresses in its sectors are %d beyond their places in the image.\n",
		       f->shift);
	if (f->n) {
		struct libscols_table *t = table_new("bad", columns, VD_ARRAY_SIZE(columns), 0);

		for (size_t i = 0; i < f->n; i++) {
			_cleanup_free_ char *track = format("%d", f->v[i].track),
					    *lba = format("%d", f->v[i].lba),
					    *n = format("%u", f->v[i].n),
					    *words = reason_words(f->v[i].bad);
			const char *cells[] = { track, lba, n, words };

			table_add(t, cells, VD_ARRAY_SIZE(cells), 0);
		}
		table_print(t);
	}
	if (f->lost)
		printf("... and %zu more wrong sectors\n", f->lost);
}

static void print_json(const struct request *q, const struct vd_image_format *format,
		       const struct findings *f)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	json_string(&j, "image", q->image->given);
	json_string(&j, "format", format->name);
	json_number(&j, "sectors", f->total);
	json_number(&j, "checked", f->checked);
	json_number(&j, "unchecked", f->unchecked);
	json_number(&j, "bad", f->bad);
	json_number(&j, "unreadable", f->unreadable);
	json_signed(&j, "address_shift", f->shift);
	json_begin(&j, "ranges", '[');
	for (size_t i = 0; i < f->n; i++) {
		json_begin(&j, NULL, '{');
		json_number(&j, "track", (uint64_t)f->v[i].track);
		json_signed(&j, "lba", f->v[i].lba);
		json_number(&j, "sectors", f->v[i].n);
		json_begin(&j, "wrong", '[');
		for (size_t k = 0; k < VD_ARRAY_SIZE(reasons); k++)
			if (f->v[i].bad & reasons[k].bit)
				json_string(&j, NULL, reasons[k].name);
		json_end(&j, ']');
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_number(&j, "not_listed", f->lost);
	json_end(&j, '}');
}

static int check(struct caged *c, void *arg)
{
	const struct request *q = arg;
	const struct vd_image_format *format;
	struct vd_disc *d = caged_open_disc(c, q->image, &format);
	struct findings f = { .v = NULL };
	uint64_t done = 0;
	int r = 0;

	if (!d)
		return EX_FAILED;
	for (size_t i = 0; i < d->nextents; i++)
		f.total += d->extents[i].length;
	if (d->nextents && d->ntracks == 1 && is_checkable(&d->extents[0]))
		find_shift(d, &d->extents[0], &f);
	for (size_t i = 0; i < d->nextents && !r; i++)
		r = check_extent(c, d, &d->extents[i], &f, &done);
	caged_progress(c, 1, 1);
	caged_finish_progress(c);
	if (r) {
		struct vd_error err = { "" };

		complain_error(r, &err, q->image->given);
	} else if (q->as_json) {
		print_json(q, format, &f);
	} else if (!q->quiet) {
		print_text(q, &f);
	}
	free(f.v);
	vd_disc_close(d);
	return r ? EX_FAILED : f.bad ? EX_DAMAGED : 0;
}

static void show_progress(void *arg, unsigned int done)
{
	struct request *q = arg;

	if (done == CAGED_FINISHED)
		progress_end(&q->progress);
	else
		progress_show(&q->progress, done);
}

int cmd_verify(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_opened_ struct opened image = OPENED_NONE;
	struct request q = { .image = &image };
	const struct caged_job job = {
		.image = &image, .arg = &q, .run = check, .progress = show_progress
	};
	struct vd_error err = { "" };
	int c, r;

	while ((c = getopt_long(argc, argv, "Jqh", long_options, NULL)) != -1) {
		switch (c) {
		case 'J':
			q.as_json = true;
			break;
		case 'q':
			q.quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (argc - optind != 1)
		return wrong_usage(EX_WRONG_USAGE,
				   optind == argc ? "an image is needed" : "too many arguments");
	if (!q.quiet)
		progress_begin(&q.progress, "Verifying");
	r = image_open(argv[optind], false, &image, &err);
	if (!r)
		r = caged_run(&job, &err);
	progress_end(&q.progress);
	if (r < 0)
		complain_error(r, &err, argv[optind]);
	return r < 0 ? EX_FAILED : r;
}
