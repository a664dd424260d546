// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ECM: any file with the error codes of its CD sectors left out, by Neill Corlett, whose "ECM (Error Code Modeler) Format Specification v1.0" this is by.
 *
 *     "ECM\0", run, run, ...   then the EDC of all of the contents, 4 bytes
 *     run      a number of one byte or more: bits 0 and 1 of the first one are the type, bits 2 to 6 of it and bits 0 to 6 of the others
 *              the count less one, lowest first; bit 7: another one follows. A count of ffffffff is the end
 *     type 0   bytes
 *     type 1   mode 1: 3 bytes of address, 2048 of user data; 2352 are made of it
 *     type 2   Form 1 from the subheader on: 4 bytes of that, 2048 of user data; 2336
 *     type 3   Form 2 from the subheader on: 4 bytes of that, 2324 of user data; 2336
 *
 * Where runs are stands in front of each, so all of the file is gone through once when it is opened. The EDC at the end is
 * not checked: each sector's is made, so nothing else could be wrong but the bytes that are stored.
 */
#include "images/wrapped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/sector.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define RUNS_MAX (2u << 20) /* a mode 2 disc of 99 minutes has two for each of its 445500 sectors */
#define WINDOW (64u << 10)
#define SUBHEADER 4u /* of which there are two copies */
#define FORM2_SIZE 2324u

static const struct type {
	uint16_t in, out; /* bytes each */
} types[] = {
	{ 1, 1 },
	{ 3 + VD_SECTOR_USER, VD_SECTOR_RAW },
	{ SUBHEADER + VD_SECTOR_USER, VD_SECTOR_RAW - VD_AT_SUBHEADER },
	{ SUBHEADER + FORM2_SIZE, VD_SECTOR_RAW - VD_AT_SUBHEADER },
};

struct run {
	uint64_t in; /* where its bytes are, times 4, and the type */
	uint64_t out;
};

struct ecm {
	struct vd_store store; /* its `inner` is the file */
	struct run *runs;
	size_t n;
};

/* Bytes of the file, read many at a time. */
struct window {
	struct vd_store *file;
	uint64_t at;
	size_t len;
	uint8_t data[WINDOW];
};

static struct ecm *to_ecm(struct vd_store *s)
{
	return (struct ecm *)s;
}

static int byte_at(struct window *w, uint64_t at, uint8_t *byte)
{
	int r;

	if (at >= w->file->size)
		return -ENODATA;
	if (at < w->at || at - w->at >= w->len) {
		w->at = at;
		w->len = w->file->size - at < WINDOW ? (size_t)(w->file->size - at) : WINDOW;
		r = vd_store_pread(w->file, w->data, w->len, at);
		if (r) {
			w->len = 0;
			return r;
		}
	}
	*byte = w->data[at - w->at];
	return 0;
}

/* The number at *at, which moves behind it. -EINVAL: is none. */
static int read_number(struct window *w, uint64_t *at, unsigned int *type, uint64_t *count)
{
	unsigned int bits = 5;
	uint8_t byte;
	int r = byte_at(w, (*at)++, &byte);

	if (r)
		return r;
	*type = byte & 3;
	*count = byte >> 2 & 0x1f;
	while (byte & 0x80) {
		r = byte_at(w, (*at)++, &byte);
		if (r)
			return r;
		*count |= (uint64_t)(byte & 0x7f) << bits;
		bits += 7;
		if (*count > UINT32_MAX || bits > 40)
			return -EINVAL;
	}
	return 0;
}

static int add_run(struct ecm *e, unsigned int type, uint64_t in)
{
	if (!(e->n & (e->n - 1))) {
		struct run *bigger = reallocarray(e->runs, e->n ? e->n * 2 : 1, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		e->runs = bigger;
	}
	e->runs[e->n++] = (struct run){ in << 2 | type, e->store.size };
	return 0;
}

static int find_runs(struct ecm *e, struct window *w, const char *name, struct vd_error *err)
{
	uint64_t at = 4;

	for (;;) {
		const uint64_t start = at, size = e->store.inner->size;
		unsigned int type = 0;
		uint64_t count = 0;
		int r = read_number(w, &at, &type, &count);

		if (r == -EINVAL)
			return vd_error_set(err, r, "%s: run at byte %llu: its count is too large",
					    name, (unsigned long long)start);
		if (r == -ENODATA)
			return vd_error_set(err, -EINVAL, "%s: cut short: no end of its runs",
					    name);
		if (r)
			return vd_error_errno(err, r, "%s: cannot read it", name);
		if (count == UINT32_MAX)
			return 0;
		count++;
		if (count * types[type].in > size - at)
			return vd_error_set(err, -EINVAL,
					    "%s: run at byte %llu: %llu bytes, but %llu are left",
					    name, (unsigned long long)start,
					    (unsigned long long)(count * types[type].in),
					    (unsigned long long)(size - at));
		if (e->n == RUNS_MAX)
			return vd_error_set(err, -EINVAL,
					    "%s: run at byte %llu: more than %u of them", name,
					    (unsigned long long)start, RUNS_MAX);
		r = add_run(e, type, at);
		if (r)
			return vd_error_errno(err, r, "%s: cannot read it", name);
		at += count * types[type].in;
		e->store.size += count * types[type].out;
	}
}

/* The sector that is stored at @at, from its sync pattern on. */
static int make_sector(struct ecm *e, unsigned int type, uint64_t at, uint8_t s[VD_SECTOR_RAW])
{
	uint8_t in[SUBHEADER + FORM2_SIZE];
	int r = vd_store_pread(e->store.inner, in, types[type].in, at);

	if (r)
		return r;
	memset(s, 0, VD_SECTOR_RAW);
	if (type == 1) {
		memcpy(s, vd_sync_pattern, sizeof(vd_sync_pattern));
		memcpy(s + VD_AT_HEADER, in, 3);
		s[VD_AT_MODE] = 1;
		memcpy(s + VD_AT_USER_MODE1, in + 3, VD_SECTOR_USER);
		vd_put_le32(s + VD_AT_EDC_MODE1, vd_edc(s, VD_AT_EDC_MODE1));
	} else {
		const uint32_t edc = type == 2 ? VD_AT_EDC_FORM1 : VD_AT_EDC_FORM2;

		memcpy(s + VD_AT_SUBHEADER, in, SUBHEADER);
		memcpy(s + VD_AT_SUBHEADER + SUBHEADER, in, types[type].in);
		vd_put_le32(s + edc, vd_edc(s + VD_AT_SUBHEADER, edc - VD_AT_SUBHEADER));
	}
	if (type != 3)
		vd_ecc(s, type == 2, s + VD_AT_ECC);
	return 0;
}

static size_t run_at(const struct ecm *e, uint64_t off)
{
	size_t lo = 0, hi = e->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->runs[mid].out <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static uint64_t run_end(const struct ecm *e, size_t i)
{
	return i + 1 < e->n ? e->runs[i + 1].out : e->store.size;
}

static int ecm_pread(struct vd_store *store, void *out, size_t len, uint64_t off)
{
	struct ecm *e = to_ecm(store);
	size_t i = run_at(e, off);
	uint8_t *buf = out;

	while (len) {
		const struct run *run = &e->runs[i];
		const unsigned int type = run->in & 3;
		const struct type *t = &types[type];
		uint64_t at = off - run->out, left = run_end(e, i) - off;
		uint8_t sector[VD_SECTOR_RAW];
		size_t n = len;
		int r;

		if (type) {
			size_t skip = (size_t)(at % t->out);

			left = t->out - skip;
			n = left < n ? (size_t)left : n;
			r = make_sector(e, type, (run->in >> 2) + at / t->out * t->in, sector);
			memcpy(buf, sector + VD_SECTOR_RAW - t->out + skip, r ? 0 : n);
		} else {
			n = left < n ? (size_t)left : n;
			r = vd_store_pread(e->store.inner, buf, n, (run->in >> 2) + at);
		}
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
		i += off == run_end(e, i);
	}
	return 0;
}

static int ecm_map(struct vd_store *store, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	struct ecm *e = to_ecm(store);
	const size_t i = run_at(e, off);
	const struct run *run = &e->runs[i];
	const uint64_t left = run_end(e, i) - off;

	if (run->in & 3)
		return -EOPNOTSUPP;
	return vd_store_map(e->store.inner, (run->in >> 2) + off - run->out,
			    left < len ? left : len, out);
}

static void ecm_close(struct vd_store *store)
{
	struct ecm *e = to_ecm(store);

	vd_store_close(e->store.inner);
	free(e->runs);
	free(e);
}

static const struct vd_store_ops ecm_ops = {
	.name = "ecm",
	.pread = ecm_pread,
	.map = ecm_map,
	.close = ecm_close,
};

static int ecm_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_store **out, struct vd_error *err)
{
	struct ecm *e = calloc(1, sizeof(*e));
	_cleanup_free_ struct window *w = calloc(1, sizeof(*w));
	int r;

	(void)opener;
	if (!e || !w) {
		vd_store_close(store);
		free(e);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	e->store = (struct vd_store){
		.ops = &ecm_ops, .inner = store, .block = 4096, .read_only = true
	};
	w->file = store;
	r = find_runs(e, w, h->name, err);
	if (!r && !e->store.size)
		r = vd_error_set(err, -EINVAL, "%s: nothing is in it", h->name);
	if (r)
		ecm_close(&e->store);
	else
		*out = &e->store;
	return r;
}

static int ecm_probe(const struct vd_image_head *h)
{
	return h->len >= 4 && !memcmp(h->data, "ECM", 4) ? 100 : 0;
}

const struct vd_wrapping vd_wrapping_ecm = {
	.words = "an ECM compressed disc image",
	.suffixes = (const char *const[]){ ".ecm", NULL },
	.probe = ecm_probe,
	.open = ecm_open,
};
