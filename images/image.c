// SPDX-License-Identifier: GPL-3.0-or-later
/* Chooses the format of an image by asking each one's probe. */
#include "images/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/compressed.h"
#include "images/wrapped.h"
#include "util/cleanup.h"

/* Of equals the first one is it: what is told by a footer comes before what may be in front of that. */
const struct vd_image_format *const vd_image_formats[] = {
	&vd_image_medium, &vd_image_nrg, &vd_image_cdi, &vd_image_iso, &vd_image_raw,
	&vd_image_cue,	  &vd_image_toc, &vd_image_ccd, &vd_image_gdi, &vd_image_mds,
	&vd_image_chd,	  &vd_image_b6t, &vd_image_c2d, NULL,
};

const struct vd_wrapping *const vd_wrappings[] = {
	&vd_wrapping_cso, &vd_wrapping_zso,  &vd_wrapping_ecm, &vd_wrapping_dmg,  &vd_wrapping_isz,
	&vd_wrapping_daa, &vd_wrapping_gzip, &vd_wrapping_xz,  &vd_wrapping_zstd, NULL,
};

#define WRAPPINGS_MAX 2 /* one in the other: disc.bin.ecm.gz */

/* What a probe looks at, and the bytes for it. */
struct look {
	struct vd_image_head head;
	uint8_t data[VD_IMAGE_HEAD], tail[VD_IMAGE_TAIL];
	char name[256]; /* of what is inside a compressed file */
};

/* The surest one, and *@score how sure it is; NULL: none is as sure as @least. */
static const struct vd_image_format *find_format(const struct vd_image_head *h, int least,
						 int *score)
{
	const struct vd_image_format *best = NULL;

	*score = least - 1;
	for (size_t i = 0; vd_image_formats[i]; i++) {
		int s = vd_image_formats[i]->probe(h);

		if (s > *score) {
			*score = s;
			best = vd_image_formats[i];
		}
	}
	return best;
}

/* The same of those that have an image inside; as sure as @least or surer. */
static const struct vd_wrapping *find_wrapping(const struct vd_image_head *h, int least)
{
	const struct vd_wrapping *best = NULL;

	for (size_t i = 0; vd_wrappings[i]; i++) {
		int s = vd_wrappings[i]->probe(h);

		if (s >= least && s > 0) {
			least = s + 1;
			best = vd_wrappings[i];
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
	int r, score;

	h->size = s->size;
	h->data = l->data;
	h->len = s->size < VD_IMAGE_HEAD ? (size_t)s->size : VD_IMAGE_HEAD;
	h->tail = NULL;
	h->tail_len = 0;
	r = vd_store_pread(s, l->data, h->len, 0);
	if (!r && (vd_compressed_is_near(s, s->size) || !find_format(h, 90, &score))) {
		h->tail = l->tail;
		h->tail_len = h->size < VD_IMAGE_TAIL ? (size_t)h->size : VD_IMAGE_TAIL;
		r = vd_store_pread(s, l->tail, h->tail_len, h->size - h->tail_len);
	}
	return r ? vd_error_errno(err, r, "cannot read the image") : 0;
}

/* "disc.ccd.xz" is "disc.ccd" inside: sheets look for their files by it. */
static void name_inside(struct look *l, const struct vd_wrapping *w)
{
	size_t len = l->head.name ? strlen(l->head.name) : 0;

	for (size_t i = 0; w->suffixes[i]; i++) {
		size_t n = strlen(w->suffixes[i]);

		if (len > n && len - n < sizeof(l->name) &&
		    !strcasecmp(l->head.name + len - n, w->suffixes[i])) {
			memmove(l->name, l->head.name, len - n);
			l->name[len - n] = '\0';
			l->head.name = l->name;
			return;
		}
	}
}

static void close_store(struct vd_store **s)
{
	vd_store_close(*s);
}

static bool ends_as(const char *name, const struct vd_wrapping *w)
{
	size_t len = strlen(name);

	for (size_t i = 0; w->suffixes[i]; i++) {
		size_t n = strlen(w->suffixes[i]);

		if (len > n && !strcasecmp(name + len - n, w->suffixes[i]))
			return true;
	}
	return false;
}

int vd_image_unwrap(struct vd_opener *opener, struct vd_store *given, const char *name,
		    struct vd_store **out, struct vd_error *err)
{
	_cleanup_(close_store) struct vd_store *store = given;
	_cleanup_free_ struct look *l = NULL;
	bool maybe = false;
	int r;

	for (size_t i = 0; vd_wrappings[i]; i++)
		maybe |= ends_as(name, vd_wrappings[i]);
	if (maybe && store->size) {
		const struct vd_wrapping *w;

		l = calloc(1, sizeof(*l));
		if (!l)
			return vd_error_errno(err, -ENOMEM, "%s", name);
		l->head.name = name;
		r = look_at(store, l, err);
		if (r)
			return vd_error_prefix(err, r, "%s", name);
		w = find_wrapping(&l->head, 1);
		if (w && ends_as(name, w))
			return w->open(opener, VD_TAKE_PTR(store), &l->head, out, err);
	}
	*out = VD_TAKE_PTR(store);
	return 0;
}

static int refuse(const struct vd_image_head *h, const struct vd_wrapping *outer,
		  struct vd_error *err)
{
	const char *like = vd_image_looks_like(h);

	if (outer)
		return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: it looks like %s%s%s",
				    outer->words, like ? ", in it " : "", like ? like : "");
	if (like)
		return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: it looks like %s", like);
	return vd_error_set(
		err, -EMEDIUMTYPE,
		"not a disc image that vdrive knows: no volume descriptor at sector 16");
}

int vd_image_open(struct vd_opener *opener, int fd, const char *name, struct vd_disc **out,
		  const struct vd_image_format **format, struct vd_error *err)
{
	_cleanup_(close_store) struct vd_store *store = NULL;
	_cleanup_free_ struct look *l = calloc(1, sizeof(*l));
	const struct vd_image_format *best;
	const struct vd_wrapping *outer = NULL, *w;
	const int flags = fcntl(fd, F_GETFL);
	int score, r;

	r = vd_store_file_open(fd, flags < 0 || (flags & O_ACCMODE) != O_RDWR, &store, err);
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
	best = find_format(&l->head, 1, &score);
	/* An archive is the outermost: two of them would be a bomb, or no image. */
	for (int i = 0; i < WRAPPINGS_MAX; i++) {
		w = find_wrapping(&l->head, best ? score : i ? 2 : 1);
		if (!w)
			break;
		r = w->open(opener, VD_TAKE_PTR(store), &l->head, &store, err);
		if (!r)
			r = look_at(store, l, err);
		if (r)
			return r;
		name_inside(l, w);
		outer = outer ? outer : w;
		best = find_format(&l->head, 1, &score);
	}
	if (!best)
		return refuse(&l->head, outer, err);
	if (format)
		*format = best;
	return best->open(opener, VD_TAKE_PTR(store), &l->head, out, err);
}
