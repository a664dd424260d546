// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A store that decompresses. A parent is a store like this one with hunks of its own; nobody waits there for anything here.
 */
#include "images/chd_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/chd_codec.h"
#include "images/hunks.h"
#include "util/cleanup.h"

#define PARENTS_MAX 8u /* one behind the other */

struct chd {
	struct vd_store *file;
	struct vd_chd_header header;
	struct vd_chd_map *map;
	struct vd_store *parent; /* NULL: none */
};

/* Bytes of the parent from @off on; what it has not are zeros. */
static int read_parent(struct chd *c, uint8_t *buf, uint64_t off)
{
	uint64_t size = c->parent ? c->parent->size : 0;
	size_t len = c->header.hunk, n = off >= size	    ? 0
					 : size - off < len ? (size_t)(size - off)
							    : len;

	memset(buf + n, 0, len - n);
	return n ? vd_store_pread(c->parent, buf, n, off) : 0;
}

static int read_hunk(void *of, void *d, uint32_t hunk, uint8_t *buf)
{
	struct chd *c = of;
	struct vd_chd_entry e = vd_chd_map_get(c->map, hunk);
	uint8_t *in = e.where < VD_CHD_STORED ? vd_chd_decoder_buffer(d) : buf;
	int r;

	if (e.where == VD_CHD_PARENT)
		return read_parent(c, buf, e.at * c->header.unit);
	if (e.where == VD_CHD_NOWHERE)
		return read_parent(c, buf, (uint64_t)hunk * c->header.hunk);
	r = vd_store_pread(c->file, in, e.len, e.at);
	if (!r && e.where < VD_CHD_STORED)
		r = vd_chd_decode(d, e.where, in, e.len, buf);
	if (r || e.where == VD_CHD_PLAIN)
		return r;
	return vd_chd_crc16(0xffff, buf, c->header.hunk) == e.crc ? 0 : -EIO;
}

static void *new_decoder(void *of)
{
	const struct chd *c = of;
	struct vd_chd_decoder *d;

	return vd_chd_decoder_new(c->header.codecs, c->header.hunk, &d) ? NULL : d;
}

static void free_decoder(void *d)
{
	vd_chd_decoder_free(d);
}

static uint32_t same_as(void *of, uint32_t hunk)
{
	const struct chd *c = of;
	struct vd_chd_entry e = vd_chd_map_get(c->map, hunk);

	return e.where == VD_CHD_SELF ? (uint32_t)e.at : hunk;
}

static void chd_close(void *of)
{
	struct chd *c = of;

	vd_chd_map_free(c->map);
	vd_store_close(c->parent);
	vd_store_close(c->file);
	free(c);
}

static const struct vd_hunks_ops chd_ops = {
	.decoder_new = new_decoder,
	.decoder_free = free_decoder,
	.decode = read_hunk,
	.same_as = same_as,
	.close = chd_close,
};

static void close_chd(struct chd **c)
{
	if (*c)
		chd_close(*c);
}

/* Parents. */

/* Who asks for a parent, and for whom. */
struct descent {
	struct vd_store *file;
	const struct descent *child; /* NULL: it is the image itself */
};

static bool same_file(struct vd_store *a, struct vd_store *b)
{
	struct vd_fd_range in_a, in_b;
	struct stat of_a, of_b;

	return !vd_store_map(a, 0, 1, &in_a) && !vd_store_map(b, 0, 1, &in_b) &&
	       !fstat(in_a.fd, &of_a) && !fstat(in_b.fd, &of_b) && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* A child that changes nothing has the SHA-1 of its parent: nobody is a parent of himself. */
static bool is_descendant(const struct descent *from, struct vd_store *file)
{
	for (; from; from = from->child)
		if (same_file(from->file, file))
			return true;
	return false;
}

static int open_chd(struct vd_store *file, const char *name, struct vd_opener *opener,
		    const struct descent *child, uint64_t hunks, struct vd_chd_header *header,
		    struct vd_store **out, struct vd_error *err);

/* The next CHD from number *n on beside the image that says it has the SHA-1 of the parent. 1, 0: there is none, or -EMFILE. */
static int find_parent(const struct chd *c, struct vd_opener *opener, const struct descent *from,
		       unsigned int *n, struct vd_store **out, struct vd_error *err)
{
	while (opener && opener->open_nth) {
		struct vd_chd_header h;
		struct vd_store *s;
		int fd = opener->open_nth(opener, ".chd", (*n)++, err);

		if (fd == -ENOENT)
			break;
		if (fd == -EMFILE)
			return fd;
		/* Others beside it may be damaged, or no CHD at all. */
		if (fd < 0 || vd_store_file_open(fd, true, &s, NULL))
			continue;
		if (!vd_chd_header_read(s, "", &h, NULL) &&
		    !memcmp(h.sha1, c->header.parent, VD_CHD_SHA1) && !is_descendant(from, s)) {
			*out = s;
			return 1;
		}
		vd_store_close(s);
	}
	return 0;
}

/* The first one that is whole: what has the same contents has the same SHA-1, and may need a parent that is not there. */
static int open_parent(struct chd *c, struct vd_opener *opener, const char *name,
		       const struct descent *from, uint64_t hunks, struct vd_error *err)
{
	char text[2 * VD_CHD_SHA1 + 1];
	unsigned int depth = 0, n = 0;
	int r, failed = 0;

	for (size_t i = 0; i < VD_CHD_SHA1; i++)
		snprintf(text + i * 2, 3, "%02x", c->header.parent[i]);
	for (const struct descent *d = from; d; d = d->child)
		depth++;
	if (depth > PARENTS_MAX)
		return vd_error_set(err, -EINVAL, "%s: more than %u parents, each one's of another",
				    name, PARENTS_MAX);
	for (;;) {
		struct vd_store *file = NULL;

		r = find_parent(c, opener, from, &n, &file, err);
		if (r <= 0)
			break;
		failed = open_chd(file, name, opener, from, hunks, NULL, &c->parent, err);
		if (!failed)
			return 0;
	}
	if (failed)
		return vd_error_prefix(err, failed, "%s: in its parent of SHA-1 %s", name, text);
	if (r)
		return vd_error_prefix(err, r, "%s: looking for its parent of SHA-1 %s", name,
				       text);
	return vd_error_set(err, -ENOENT,
			    "%s: its parent, the CHD of SHA-1 %s, is not in the same folder", name,
			    text);
}

/* @hunks: how many it and its parents may have. */
static int open_chd(struct vd_store *file, const char *name, struct vd_opener *opener,
		    const struct descent *child, uint64_t hunks, struct vd_chd_header *header,
		    struct vd_store **out, struct vd_error *err)
{
	const struct descent from = { .file = file, .child = child };
	_cleanup_(close_chd) struct chd *c = calloc(1, sizeof(*c));
	struct vd_hunks_size size;
	int r;

	if (!c) {
		vd_store_close(file);
		return vd_error_errno(err, -ENOMEM, "%s: cannot open it", name);
	}
	c->file = file;
	r = vd_chd_header_read(file, name, &c->header, err);
	if (!r)
		r = vd_chd_codecs_check(c->header.codecs, c->header.hunk, name, err);
	if (r)
		return r;
	if (c->header.hunks > hunks)
		return vd_error_set(err, -EINVAL, "%s: its parents have too many hunks", name);
	if (c->header.has_parent)
		r = open_parent(c, opener, name, &from, hunks - c->header.hunks, err);
	if (!r)
		r = vd_chd_map_read(file, name, &c->header, &c->map, err);
	if (r)
		return r;
	if (header)
		*header = c->header;
	size = (struct vd_hunks_size){ c->header.size, c->header.hunk, c->header.hunks };
	r = vd_hunks_open(&chd_ops, VD_TAKE_PTR(c), &size, out);
	return r ? vd_error_errno(err, r, "%s: cannot open it", name) : 0;
}

int vd_chd_store_open(struct vd_store *file, const char *name, struct vd_opener *opener,
		      struct vd_chd_header *header, struct vd_store **out, struct vd_error *err)
{
	return open_chd(file, name, opener, NULL, VD_CHD_HUNKS_MAX, header, out, err);
}
