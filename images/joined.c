// SPDX-License-Identifier: GPL-3.0-or-later
#include "images/joined.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct joined {
	struct vd_store store;
	size_t n;
	struct part {
		struct vd_joined_part p;
		uint64_t end; /* of it, from the beginning of all */
	} parts[];
};

int vd_read_swapped(struct vd_store *s, uint64_t base, void *out, size_t len, uint64_t off)
{
	uint8_t *buf = out, pair[2];
	int r = 0;

	if (off % 2) {
		r = vd_store_pread(s, pair, 2, base + off - 1);
		if (r)
			return r;
		*buf++ = pair[0];
		off++;
		len--;
	}
	if (len > 1)
		r = vd_store_pread(s, buf, len & ~(size_t)1, base + off);
	for (size_t i = 0; !r && i + 1 < len; i += 2) {
		uint8_t first = buf[i];

		buf[i] = buf[i + 1];
		buf[i + 1] = first;
	}
	if (!r && len % 2) {
		r = vd_store_pread(s, pair, 2, base + off + len - 1);
		buf[len - 1] = pair[1];
	}
	return r;
}

/* The part that holds byte @off. */
static size_t find_part(const struct joined *j, uint64_t off)
{
	size_t lo = 0, hi = j->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (j->parts[mid].end <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int joined_map(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	const struct joined *j = (const struct joined *)s;
	const struct part *part = &j->parts[find_part(j, off)];
	uint64_t at = off - (part->end - part->p.length);

	if (!part->p.store || part->p.swapped)
		return -EOPNOTSUPP;
	return vd_store_map(part->p.store, part->p.offset + at,
			    part->end - off < len ? part->end - off : len, out);
}

static int joined_pread(struct vd_store *s, void *out, size_t len, uint64_t off)
{
	const struct joined *j = (const struct joined *)s;
	size_t lo = find_part(j, off);
	uint8_t *buf = out;

	for (; len; lo++) {
		const struct vd_joined_part *p = &j->parts[lo].p;
		uint64_t at = off - (j->parts[lo].end - p->length);
		size_t n = p->length - at < len ? (size_t)(p->length - at) : len;
		int r = 0;

		if (!p->store)
			memset(buf, 0, n);
		else if (p->swapped && n)
			r = vd_read_swapped(p->store, p->offset, buf, n, at);
		else
			r = vd_store_pread(p->store, buf, n, p->offset + at);
		if (r)
			return r;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static void joined_close(struct vd_store *s)
{
	vd_store_close(s->inner);
	free(s);
}

static const struct vd_store_ops joined_ops = {
	.name = "joined",
	.pread = joined_pread,
	.map = joined_map,
	.close = joined_close,
};

int vd_joined_open(const struct vd_joined_part *parts, size_t n, struct vd_store **out)
{
	struct joined *j = calloc(1, sizeof(*j) + n * sizeof(j->parts[0]));

	if (!j)
		return -ENOMEM;
	j->store.ops = &joined_ops;
	j->store.block = 4096;
	j->store.read_only = true;
	j->n = n;
	for (size_t i = 0; i < n; i++) {
		j->store.size += parts[i].length;
		j->parts[i] = (struct part){ .p = parts[i], .end = j->store.size };
	}
	*out = &j->store;
	return 0;
}
