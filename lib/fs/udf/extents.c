// SPDX-License-Identifier: GPL-3.0-or-later
/* Allocation descriptors (4/12, 4/14.14), the extents that continue them (4/14.5), and contents through them. */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define LENGTH_MASK 0x3fffffffu
#define AED_HEADER 24u

void udf_iter_init(struct udf_iter *it, const struct udf_fs *u, const struct udf_node *node)
{
	it->u = u;
	it->node = node;
	it->ads = node->block;
	it->pos = node->ad_at;
	it->end = node->ad_at + node->ad_len;
	it->hops = it->power = 0;
	it->at = it->next_at = it->wanted = 0;
	it->len = 0;
	it->mirror = false;
}

/* Instead of to @a, to one behind it that does not end beyond what is wanted. */
static void jump(struct udf_iter *it, struct udf_addr *a)
{
	struct udf_mark m;

	if (!udf_marks_find(it->u->marks, udf_ino(it->node->addr), it->wanted, &m) ||
	    m.number <= it->hops)
		return;
	*a = (struct udf_addr){ .block = (uint32_t)m.ino,
				.partition = (uint16_t)((m.ino >> 32) - 1) };
	it->hops = m.number - 1;
	it->power = m.power == m.ino ? 0 : m.power;
	it->at = it->next_at = m.at;
}

static int follow(struct udf_iter *it, struct udf_addr a)
{
	const struct udf_fs *u = it->u;
	int r;

	if (u->marks)
		jump(it, &a);
	if (udf_ino(a) == it->power)
		return -ELOOP;
	it->hops++;
	if (!(it->hops & (it->hops - 1)))
		it->power = udf_ino(a);
	r = udf_read_descriptor(u, a, UDF_TAG_AED, UDF_TAG_AED, it->aed, NULL, NULL);
	if (r)
		return r;
	if (u->marks)
		udf_marks_add(u->marks, udf_ino(it->node->addr), it->hops, it->at, udf_ino(a));
	if (vd_get_le32(it->aed + 20) > u->block - AED_HEADER)
		return -EUCLEAN;
	it->ads = it->aed;
	it->pos = AED_HEADER;
	it->end = AED_HEADER + vd_get_le32(it->aed + 20);
	return 0;
}

int udf_iter_next(struct udf_iter *it)
{
	static const uint32_t steps[] = {
		[UDF_AD_SHORT] = 8, [UDF_AD_LONG] = 16, [UDF_AD_EXTENDED] = 20
	};
	const enum udf_ad form = it->node->ad;

	it->at = it->next_at;
	it->len = 0;
	while (it->end - it->pos >= steps[form]) {
		const uint8_t *p = it->ads + it->pos;
		const uint32_t len = vd_get_le32(p) & LENGTH_MASK;
		struct udf_addr a = { vd_get_le32(p + 4), it->node->addr.partition };
		int r;

		it->pos += steps[form];
		if (!len)
			break;
		if (form == UDF_AD_LONG)
			a = udf_long_ad(p);
		if (form == UDF_AD_EXTENDED) {
			a = (struct udf_addr){ vd_get_le32(p + 12), vd_get_le16(p + 16) };
			/* Recorded in another number of bytes than there are: compressed (4/14.14.3). */
			if (vd_get_le32(p + 4) != vd_get_le32(p + 8))
				return -EOPNOTSUPP;
		}
		it->type = vd_get_le32(p) >> 30;
		if (it->type == UDF_EXTENT_CONTINUES) {
			r = follow(it, a);
			if (r)
				return r;
			continue;
		}
		it->addr = a;
		it->len = len;
		it->next_at = it->at + len;
		return 1;
	}
	/* Nothing more, whoever asks again. */
	it->pos = it->end;
	return 0;
}

/* Makes the extent that holds byte @off the one at hand. What no extent holds is damaged. */
static int seek(struct udf_iter *it, uint64_t off)
{
	int r = 1;

	if (off < it->at) {
		const bool mirror = it->mirror;

		udf_iter_init(it, it->u, it->node);
		it->mirror = mirror;
	}
	it->wanted = off;
	while (r == 1 && off >= it->next_at)
		r = udf_iter_next(it);
	return r == 1 ? 0 : r ? r : -EUCLEAN;
}

int udf_node_pread(struct udf_iter *it, void *out, size_t len, uint64_t off)
{
	const struct udf_node *node = it->node;
	uint8_t *buf = out;

	if (off > node->size || len > node->size - off)
		return -EUCLEAN;
	if (node->ad == UDF_AD_EMBEDDED) {
		memcpy(buf, node->block + node->ad_at + off, len);
		return 0;
	}
	while (len) {
		size_t n;
		int r = seek(it, off);

		if (r)
			return r;
		n = it->next_at - off < len ? (size_t)(it->next_at - off) : len;
		if (it->type != UDF_EXTENT_RECORDED)
			memset(buf, 0, n);
		else
			r = udf_read_extent(it->u, it->addr, off - it->at, buf, n, it->mirror);
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

int udf_node_map(struct udf_iter *it, uint64_t off, struct vd_fs_extent *out)
{
	const struct udf_node *node = it->node;
	uint64_t left = node->size - off, run;
	int r;

	if (off >= node->size)
		return -EINVAL;
	out->hole = false;
	if (node->ad == UDF_AD_EMBEDDED) {
		out->offset = node->place + node->ad_at + off;
		out->len = left;
		return 0;
	}
	r = seek(it, off);
	if (r)
		return r;
	run = it->next_at - off < left ? it->next_at - off : left;
	if (it->type != UDF_EXTENT_RECORDED) {
		out->hole = true;
		out->offset = 0;
	} else {
		r = udf_locate(it->u, it->addr, off - it->at, run, &out->offset, &run);
		if (r)
			return r;
		if (out->offset >= it->u->disc_bytes)
			return -EIO;
		if (run > it->u->disc_bytes - out->offset)
			run = it->u->disc_bytes - out->offset;
	}
	out->len = run;
	return 0;
}

struct run_list {
	struct udf_run *runs;
	size_t n, room, max;
};

static int add_run(struct run_list *l, uint64_t at, uint64_t disc, uint64_t len)
{
	struct udf_run *last = l->n ? &l->runs[l->n - 1] : NULL;

	if (last && last->disc + last->len == disc) {
		last->len += len;
		return 0;
	}
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 8;
		struct udf_run *more;

		if (l->n == l->max)
			return -EUCLEAN;
		more = realloc(l->runs, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->runs = more;
		l->room = room;
	}
	l->runs[l->n++] = (struct udf_run){ .at = at, .disc = disc, .len = len };
	return 0;
}

static int collect(struct udf_iter *it, struct run_list *l)
{
	const struct udf_node *node = it->node;
	uint64_t at = 0;

	if (node->ad == UDF_AD_EMBEDDED)
		return add_run(l, 0, node->place + node->ad_at, node->size);
	while (at < node->size) {
		uint64_t disc, run;
		int r = seek(it, at);

		if (!r && it->type != UDF_EXTENT_RECORDED)
			r = -EUCLEAN;
		if (r)
			return r;
		run = it->next_at < node->size ? it->next_at - at : node->size - at;
		r = udf_locate(it->u, it->addr, at - it->at, run, &disc, &run);
		if (!r)
			r = add_run(l, at, disc, run);
		if (r)
			return r;
		at += run;
	}
	return 0;
}

int udf_node_runs(const struct udf_fs *u, const struct udf_node *node, size_t max,
		  struct udf_runs *out)
{
	struct run_list l = { .max = max };
	struct udf_iter it;
	int r;

	udf_iter_init(&it, u, node);
	r = collect(&it, &l);
	if (r) {
		free(l.runs);
		return r;
	}
	*out = (struct udf_runs){ .runs = l.runs, .n = l.n, .size = node->size };
	return 0;
}

const struct udf_run *udf_run_at(const struct udf_runs *r, uint64_t at)
{
	size_t low = 0, high = r->n;

	if (at >= r->size)
		return NULL;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (r->runs[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &r->runs[low];
}
