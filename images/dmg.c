// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * DMG: Apple's Universal Disk Image Format (UDIF). There is no description by its maker; this is by Jonathan Levin's "Demystifying the DMG
 * File Format", and by those of keramics (Joachim Metz) and Mothers Ruin. Numbers are big endian, sectors are of 512 bytes.
 *
 *     data fork       what the runs are made of
 *     property list   XML: in an array of the key "blkx" a <data> for each partition, a table in base64
 *     koly, 512       0 "koly"   4 version   8 512   24 where the data fork is, 8   56 number of this segment, 60 of how many
 *                     216 where the list is, 8   224 its bytes, 8   492 sectors of the image, 8
 *
 *     table, 204      0 "mish"   8 first sector, 8   24 where its data is in the data fork, 8   200 number of runs, 4; then the runs
 *     run, 40         0 type   8 sector, from the table's first one on, 8   16 sectors, 8   24 where its bytes are, from the table's
 *                     data on, 8   32 how many, 8
 *
 * Types: 0 and 2 zeros, 1 as it is, 80000004 ADC, 80000005 zlib, 80000006 bzip2, 80000007 LZFSE, 80000008 LZMA in an xz stream,
 * 7ffffffe a remark, ffffffff the end. LZFSE is refused: nothing in Debian 12 decodes it.
 *
 * What no run has is zeros. What is as it is and zeros are parts of a joined store; what is compressed is hunks, put one behind the other.
 */
#define _GNU_SOURCE
#include "images/wrapped.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "images/hunks.h"
#include "images/joined.h"
#include "images/unpack.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define KOLY 512u
#define TABLE 204u
#define RUN 40u
#define SECTOR 512u
#define LIST_MAX (16u << 20)
#define RUNS_MAX (1u << 18)
#define CHUNK_MAX (8u << 20) /* bytes of a run that is compressed */
#define SECTORS_MAX (1ull << 40)

enum type {
	ZEROS = 0,
	PLAIN = 1,
	UNUSED = 2,
	REMARK = 0x7ffffffe,
};

#define ADC 0x80000004u
#define ZLIB 0x80000005u
#define BZIP2 0x80000006u
#define LZFSE 0x80000007u
#define LZMA 0x80000008u
#define END 0xffffffffu

struct run {
	uint32_t type, in_len;
	uint64_t out, len; /* bytes of the image */
	uint64_t in;	   /* where it is in the file */
	uint64_t packed;   /* where it is among what is compressed */
};

struct dmg {
	const char *name;
	struct vd_error *err;
	struct vd_store *file;
	uint64_t fork, list, list_len, sectors;
	struct run *runs; /* by ascending `out` */
	size_t n;
	/* What is compressed, made of `runs` at the end. */
	struct run *chunks;
	uint32_t nchunks, largest;
	size_t largest_in;
	uint64_t packed;
};

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)vd_get_be32(p) << 32 | vd_get_be32(p + 4);
}

static int fail(struct dmg *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct dmg *d, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(d->err, -EINVAL, "%s: %s", d->name, words);
}

static int no_memory(struct dmg *d)
{
	return vd_error_errno(d->err, -ENOMEM, "%s: cannot read it", d->name);
}

static void dmg_close(void *of)
{
	struct dmg *d = of;

	vd_store_close(d->file);
	free(d->runs);
	free(d->chunks);
	free(d);
}

static void close_dmg(struct dmg **d)
{
	if (*d)
		dmg_close(*d);
}

/* What is compressed. */

static void *new_decoder(void *of)
{
	const struct dmg *d = of;

	return vd_unpacker_new(d->largest_in);
}

static void free_decoder(void *decoder)
{
	vd_unpacker_free(decoder);
}

static int decode(void *of, void *decoder, uint32_t hunk, uint8_t *buf)
{
	const struct dmg *d = of;
	const struct run *c = &d->chunks[hunk];
	uint8_t *in = vd_unpacker_buffer(decoder);
	int r = vd_store_pread(d->file, in, c->in_len, c->in);

	if (r)
		return r;
	switch (c->type) {
	case ADC:
		return vd_unpack_adc(in, c->in_len, buf, (size_t)c->len);
	case ZLIB:
		return vd_unpack_zlib(decoder, in, c->in_len, buf, (size_t)c->len);
	case BZIP2:
		return vd_unpack_bzip2(in, c->in_len, buf, (size_t)c->len);
	default:
		return vd_unpack_xz(in, c->in_len, buf, (size_t)c->len);
	}
}

static uint64_t start(void *of, uint32_t hunk)
{
	const struct dmg *d = of;

	return hunk < d->nchunks ? d->chunks[hunk].packed : d->packed;
}

static const struct vd_hunks_ops dmg_ops = {
	.decoder_new = new_decoder,
	.decoder_free = free_decoder,
	.decode = decode,
	.start = start,
	.close = dmg_close,
};

static bool is_compressed(const struct run *r)
{
	return r->type >= ADC;
}

/* The tables. */

/* @p is the run number @i of a table whose first sector is @first, and its data at @base. */
static int add_run(struct dmg *d, const uint8_t *p, uint32_t i, uint64_t first, uint64_t base)
{
	const uint32_t type = vd_get_be32(p);
	const uint64_t sector = be64(p + 8), sectors = be64(p + 16), at = be64(p + 24),
		       len = be64(p + 32);
	struct run *r;

	if (type == REMARK || type == END || type == ZEROS || type == UNUSED || !sectors)
		return 0;
	if (type == LZFSE)
		return fail(d, "run %u at sector %llu is compressed with LZFSE, which is not read",
			    i, (unsigned long long)(first + sector));
	if (type != PLAIN && (type < ADC || type > LZMA))
		return fail(d, "run %u at sector %llu is of type %08x, which is not known", i,
			    (unsigned long long)(first + sector), type);
	if (sector > d->sectors || first > d->sectors - sector ||
	    sectors > d->sectors - sector - first)
		return fail(d, "run %u: %llu sectors from sector %llu on of %llu", i,
			    (unsigned long long)sectors, (unsigned long long)(first + sector),
			    (unsigned long long)d->sectors);
	if (base > d->file->size || at > d->file->size - base || len > d->file->size - base - at)
		return fail(d, "run %u: %llu bytes from byte %llu on of %llu", i,
			    (unsigned long long)len, (unsigned long long)(base + at),
			    (unsigned long long)d->file->size);
	if (type == PLAIN ? len < sectors * SECTOR : sectors > CHUNK_MAX / SECTOR)
		return fail(d, "run %u: %llu sectors of it in %llu bytes", i,
			    (unsigned long long)sectors, (unsigned long long)len);
	if (type != PLAIN && len > vd_unpack_most(sectors * SECTOR))
		return fail(d, "run %u: %llu sectors of it compressed to %llu bytes", i,
			    (unsigned long long)sectors, (unsigned long long)len);
	if (d->n == RUNS_MAX)
		return fail(d, "more than %u runs", RUNS_MAX);
	if (!(d->n & (d->n - 1))) {
		r = reallocarray(d->runs, d->n ? d->n * 2 : 1, sizeof(*r));
		if (!r)
			return no_memory(d);
		d->runs = r;
	}
	d->runs[d->n++] = (struct run){ .type = type,
					.out = (first + sector) * SECTOR,
					.len = sectors * SECTOR,
					.in = base + at,
					.in_len = type == PLAIN ? 0 : (uint32_t)len };
	return 0;
}

static int read_table(struct dmg *d, const uint8_t *p, size_t len)
{
	uint32_t runs;
	uint64_t first, base;
	int r = 0;

	if (len < TABLE || memcmp(p, "mish", 4))
		return fail(d, "%zu bytes that are no table of runs", len);
	first = be64(p + 8);
	base = be64(p + 24);
	runs = vd_get_be32(p + 200);
	if (runs > (len - TABLE) / RUN)
		return fail(d, "a table of %zu bytes cannot have %u runs", len, runs);
	if (first > SECTORS_MAX || base > d->file->size || d->fork > d->file->size)
		return fail(d, "a table of sectors from %llu on, with its data at byte %llu",
			    (unsigned long long)first, (unsigned long long)base);
	for (uint32_t i = 0; !r && i < runs; i++)
		r = add_run(d, p + TABLE + (size_t)i * RUN, i, first, d->fork + base);
	return r;
}

/* Base64 of @len characters at @in, blanks in it left out, in their place. Returns how many bytes there are. */
static size_t from_base64(char *in, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *out = (uint8_t *)in;
	uint32_t bits = 0, n = 0;
	size_t done = 0;

	for (size_t i = 0; i < len && in[i] != '='; i++) {
		const char *digit = in[i] ? strchr(digits, in[i]) : NULL;

		if (!digit)
			continue;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (++n % 4 != 1)
			out[done++] = (uint8_t)(bits >> (6 - 2 * ((n - 1) % 4)));
	}
	return done;
}

/* The tables of the key "blkx", wherever that is in the list. */
static int read_list(struct dmg *d, char *list, size_t len)
{
	static const char key[] = "<key>blkx</key>", begin[] = "<data>", close[] = "</data>";
	char *p = memmem(list, len, key, sizeof(key) - 1), *end;
	int r = 0;

	if (!p)
		return fail(d, "its property list has no tables of runs (blkx)");
	end = memmem(p, len - (size_t)(p - list), "</array>", 8);
	if (!end)
		return fail(d, "its property list is cut short");
	while (!r && (p = memmem(p, (size_t)(end - p), begin, sizeof(begin) - 1))) {
		char *to;

		p += sizeof(begin) - 1;
		to = memmem(p, (size_t)(end - p), close, sizeof(close) - 1);
		if (!to)
			return fail(d, "its property list is cut short");
		r = read_table(d, (const uint8_t *)p, from_base64(p, (size_t)(to - p)));
		p = to;
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->out < y->out ? -1 : x->out > y->out;
}

static int read_koly(struct dmg *d, const struct vd_image_head *h)
{
	const uint8_t *k = h->tail + h->tail_len - KOLY;
	_cleanup_free_ char *list = NULL;
	int r;

	if (vd_get_be32(k + 60) > 1)
		return fail(d, "segment %u of %u; DMGs of several segments are not read",
			    vd_get_be32(k + 56), vd_get_be32(k + 60));
	d->fork = be64(k + 24);
	d->list = be64(k + 216);
	d->list_len = be64(k + 224);
	d->sectors = be64(k + 492);
	if (!d->list_len)
		return fail(d, "no property list: where its runs are is told in a resource fork, "
			       "which is not read");
	if (d->list > h->size || d->list_len > h->size - d->list || d->list_len > LIST_MAX)
		return fail(d, "a property list of %llu bytes from byte %llu on of %llu",
			    (unsigned long long)d->list_len, (unsigned long long)d->list,
			    (unsigned long long)h->size);
	if (!d->sectors || d->sectors > SECTORS_MAX)
		return fail(d, "%llu sectors", (unsigned long long)d->sectors);
	list = malloc((size_t)d->list_len);
	if (!list)
		return no_memory(d);
	r = vd_store_pread(d->file, list, (size_t)d->list_len, d->list);
	if (r)
		return vd_error_errno(d->err, r, "%s: cannot read it", d->name);
	return read_list(d, list, (size_t)d->list_len);
}

/* Puts what is compressed one behind the other. */
static int find_chunks(struct dmg *d)
{
	d->chunks = malloc(d->n * sizeof(*d->chunks) + 1);
	if (!d->chunks)
		return no_memory(d);
	for (size_t i = 0; i < d->n; i++) {
		struct run *r = &d->runs[i];

		if (i && r->out < r[-1].out + r[-1].len)
			return fail(d, "two runs of sector %llu",
				    (unsigned long long)(r->out / SECTOR));
		if (!is_compressed(r))
			continue;
		r->packed = d->packed;
		d->packed += r->len;
		d->largest = r->len > d->largest ? (uint32_t)r->len : d->largest;
		d->largest_in = r->in_len > d->largest_in ? r->in_len : d->largest_in;
		d->chunks[d->nchunks++] = *r;
	}
	return 0;
}

/* @parts has room for two for each run, and one. */
static size_t make_parts(const struct dmg *d, struct vd_store *hunks, struct vd_joined_part *parts)
{
	uint64_t at = 0;
	size_t n = 0;

	for (size_t i = 0; i <= d->n; i++) {
		const struct run *r = i < d->n ? &d->runs[i] : NULL;
		const uint64_t next = r ? r->out : d->sectors * SECTOR;
		struct vd_joined_part *last = n ? &parts[n - 1] : NULL;

		if (next > at) {
			parts[n++] = (struct vd_joined_part){ .length = next - at };
			last = NULL;
		}
		if (!r)
			break;
		at = r->out + r->len;
		/* What is compressed and side by side is so among the hunks too. */
		if (is_compressed(r) && last && last->store == hunks)
			last->length += r->len;
		else
			parts[n++] = (struct vd_joined_part){
				.store = is_compressed(r) ? hunks : d->file,
				.offset = is_compressed(r) ? r->packed : r->in,
				.length = r->len,
			};
	}
	return n;
}

/* The image, of @d, which it has then. */
static int make_store(struct dmg *d, struct vd_store **out)
{
	_cleanup_free_ struct vd_joined_part *parts = calloc(2 * d->n + 1, sizeof(*parts));
	struct vd_store *inner = NULL, *hunks = NULL;
	size_t n;
	int r;

	if (!parts) {
		dmg_close(d);
		return -ENOMEM;
	}
	if (d->nchunks) {
		const struct vd_hunks_size size = { d->packed, d->largest, d->nchunks };

		r = vd_hunks_open(&dmg_ops, d, &size, &hunks);
		if (r)
			return r;
		n = make_parts(d, hunks, parts);
		r = vd_joined_open(parts, n, out);
		inner = hunks;
	} else {
		n = make_parts(d, NULL, parts);
		r = vd_joined_open(parts, n, out);
		inner = VD_TAKE_PTR(d->file);
		dmg_close(d);
	}
	if (r)
		vd_store_close(inner);
	else
		(*out)->inner = inner;
	return r;
}

static int dmg_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err)
{
	_cleanup_(close_dmg) struct dmg *d = calloc(1, sizeof(*d));
	int r;

	(void)opener;
	if (!d) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	d->name = h->name;
	d->err = err;
	d->file = store;
	r = read_koly(d, h);
	if (!r && d->n)
		qsort(d->runs, d->n, sizeof(*d->runs), compare);
	if (!r)
		r = find_chunks(d);
	if (r)
		return r;
	r = make_store(VD_TAKE_PTR(d), out);
	return r ? vd_error_errno(err, r, "%s: cannot read it", h->name) : 0;
}

static int dmg_probe(const struct vd_image_head *h)
{
	const uint8_t *k = h->tail && h->tail_len >= KOLY ? h->tail + h->tail_len - KOLY : NULL;

	return k && !memcmp(k, "koly", 4) && vd_get_be32(k + 8) == KOLY ? 100 : 0;
}

const struct vd_wrapping vd_wrapping_dmg = {
	.words = "a DMG disk image",
	.suffixes = (const char *const[]){ ".dmg", ".udif", NULL },
	.probe = dmg_probe,
	.open = dmg_open,
};
