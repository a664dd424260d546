// SPDX-License-Identifier: GPL-3.0-or-later
/* Chooses the format of an image by asking each one's probe. */
#include "images/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/compressed.h"
#include "util/cleanup.h"

/* Of equals the first one is it: what is told by a footer comes before what may be in front of that. */
const struct vd_image_format *const vd_image_formats[] = {
	&vd_image_nrg, &vd_image_iso, &vd_image_raw, &vd_image_cue, &vd_image_toc,
	&vd_image_ccd, &vd_image_mds, &vd_image_chd, NULL,
};

/* What a probe looks at, and the bytes for it. */
struct look {
	struct vd_image_head head;
	uint8_t data[VD_IMAGE_HEAD], tail[VD_IMAGE_TAIL];
	char name[256]; /* of what is inside a compressed file */
};

static const struct vd_image_format *find_format(const struct vd_image_head *h, int least)
{
	const struct vd_image_format *best = NULL;
	int best_score = least - 1;

	for (size_t i = 0; vd_image_formats[i]; i++) {
		int score = vd_image_formats[i]->probe(h);

		if (score > best_score) {
			best_score = score;
			best = vd_image_formats[i];
		}
	}
	return best;
}

/*
 * Looks at both ends of @s. Where the tail of something compressed is far from where decompression can begin, and the beginning says surely
 * what it is, the tail is not read: what describes itself there is then taken for what is in front.
 */
static int look_at(struct vd_store *s, struct look *l, struct vd_error *err)
{
	struct vd_image_head *h = &l->head;
	int r;

	h->size = s->size;
	h->data = l->data;
	h->len = s->size < VD_IMAGE_HEAD ? (size_t)s->size : VD_IMAGE_HEAD;
	h->tail = NULL;
	h->tail_len = 0;
	r = vd_store_pread(s, l->data, h->len, 0);
	if (!r && (vd_compressed_is_near(s, s->size) || !find_format(h, 90))) {
		h->tail = l->tail;
		h->tail_len = h->size < VD_IMAGE_TAIL ? (size_t)h->size : VD_IMAGE_TAIL;
		r = vd_store_pread(s, l->tail, h->tail_len, h->size - h->tail_len);
	}
	return r ? vd_error_errno(err, r, "cannot read the image") : 0;
}

/* "disc.ccd.xz" is "disc.ccd" inside: sheets look for their files by it. */
static void name_inside(struct look *l, const char *name)
{
	static const char *const suffixes[] = { ".gz", ".xz", ".zst", ".zstd" };
	size_t len = name ? strlen(name) : 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && len - n < sizeof(l->name) &&
		    !strcasecmp(name + len - n, suffixes[i])) {
			memcpy(l->name, name, len - n);
			l->name[len - n] = '\0';
			l->head.name = l->name;
			return;
		}
	}
}

static int refuse(const struct vd_image_head *h, const char *kind, struct vd_error *err)
{
	const char *like = vd_image_looks_like(h);

	if (kind)
		return vd_error_set(
			err, -EMEDIUMTYPE, "not a disc image: it looks like %s %s archive%s%s",
			*kind == 'x' ? "an" : "a", kind, like ? ", in it " : "", like ? like : "");
	if (like)
		return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: it looks like %s", like);
	return vd_error_set(
		err, -EMEDIUMTYPE,
		"not a disc image that vdrive knows: no volume descriptor at sector 16");
}

static void close_store(struct vd_store **s)
{
	vd_store_close(*s);
}

int vd_image_open(struct vd_opener *opener, int fd, const char *name, struct vd_disc **out,
		  const struct vd_image_format **format, struct vd_error *err)
{
	_cleanup_(close_store) struct vd_store *store = NULL;
	_cleanup_free_ struct look *l = calloc(1, sizeof(*l));
	const struct vd_image_format *best;
	const char *kind;
	int r = vd_store_file_open(fd, true, &store, err);

	if (r)
		return r;
	if (!l)
		return vd_error_errno(err, -ENOMEM, "cannot read the image");
	if (!store->size)
		return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: the file is empty");
	l->head.name = name;
	r = look_at(store, l, err);
	if (r)
		return r;
	best = find_format(&l->head, 1);
	kind = best ? NULL : vd_compressed_kind(l->head.data, l->head.len);
	if (kind) {
		r = vd_compressed_open(VD_TAKE_PTR(store), name, &store, err);
		if (!r)
			r = look_at(store, l, err);
		if (r)
			return r;
		name_inside(l, name);
		best = find_format(&l->head, 1);
	}
	if (!best)
		return refuse(&l->head, kind, err);
	if (format)
		*format = best;
	return best->open(opener, VD_TAKE_PTR(store), &l->head, out, err);
}
