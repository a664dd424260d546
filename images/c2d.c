// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * C2D: the image of WinOnCD (CeQuadrat, Adaptec, Roxio). There is no description by its maker; this is by what CDEmu (Henrik Stokseth) found out. Numbers
 * are little endian.
 *
 *     header, 196    0 "Adaptec CeQuadrat VirtualCD File" or "Roxio Image File Format 3.0", 32   32 its length, 2   34 there is an MCN, 2
 *                    36 MCN, 13   50 blocks, 2   52 bytes of CD-TEXT, which is behind the header, 4   56 where the blocks are, 4
 *     block, 44      4 first sector, 4   8 last sector, 4   12 where that is in the file, 8   20 bytes a sector, 4   24 ISRC, 12
 *                    37 session   38 track   39 index   40 mode: 0 and ff audio, 1, 2   41 it is compressed
 *
 * A block is INDEX 01 of a track or a later one, in order; the sectors of a track are one behind the other from where its first block
 * says, up to the last sector of its last one. Sectors are counted from that of the first block on, which is LBA 0.
 *
 * That is all there is: blocks of INDEX 00, and compressed ones, are refused; the flags of a block (36) are not read, as nobody says which way
 * round the one of copying is.
 */
#include "images/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "images/single_track.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define HEADER 196u
#define BLOCK 44u
#define BLOCKS_MAX (VD_TRACKS_MAX * 99u)
#define TEXT_MAX (8u * 256 * 18)
#define PACK 18u

static const char *const signatures[] = { "Adaptec CeQuadrat VirtualCD File",
					  "Roxio Image File Format 3.0" };

static const struct {
	uint32_t size;
	enum vd_sector_layout layout;
} layouts[] = {
	{ 2048, VD_LAYOUT_2048 }, { 2324, VD_LAYOUT_2324 }, { 2336, VD_LAYOUT_2336 },
	{ 2352, VD_LAYOUT_2352 }, { 2448, VD_LAYOUT_2448 },
};

struct c2d {
	const char *name;
	struct vd_error *err;
	struct vd_store *store;
	struct vd_disc *disc;
	uint64_t at;	 /* of what is read now */
	uint32_t origin; /* the first sector of all */
};

/* "NAME: WHAT at byte AT: words" */
static int fail(struct c2d *c, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct c2d *c, const char *what, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(c->err, -EINVAL, "%s: %s at byte %llu: %s", c->name, what,
			    (unsigned long long)c->at, words);
}

/* Puts the same before the words of the disc model. */
static int refused(struct c2d *c, const char *what, int r)
{
	return r ? vd_error_prefix(c->err, r, "%s: %s at byte %llu", c->name, what,
				   (unsigned long long)c->at)
		 : 0;
}

/* @len bytes from @at on. They live until they are freed. NULL with words. */
static uint8_t *read_bytes(struct c2d *c, const char *what, uint64_t at, size_t len, int *r)
{
	uint8_t *p;

	c->at = at;
	*r = 0;
	if (at > c->store->size || len > c->store->size - at) {
		*r = fail(c, what, "%zu bytes, and it ends at byte %llu", len,
			  (unsigned long long)c->store->size);
		return NULL;
	}
	p = malloc(len + 1);
	*r = p ? vd_store_pread(c->store, p, len, at) : -ENOMEM;
	if (!*r)
		return p;
	free(p);
	vd_error_errno(c->err, *r, "%s: cannot read it", c->name);
	return NULL;
}

static int find_mode(struct c2d *c, uint8_t code, enum vd_track_mode *mode)
{
	switch (code) {
	case 0:
	case 0xff:
		*mode = VD_TRACK_AUDIO;
		return 0;
	case 1:
		*mode = VD_TRACK_MODE1;
		return 0;
	case 2:
		*mode = VD_TRACK_MODE2;
		return 0;
	default:
		return fail(c, "block", "it is of mode %u, which is not known", code);
	}
}

/* The track of @n blocks at @p. */
static int add_track(struct c2d *c, const uint8_t *p, size_t n)
{
	const uint32_t first = vd_get_le32(p + 4), last = vd_get_le32(p + (n - 1) * BLOCK + 8),
		       size = vd_get_le32(p + 20);
	struct vd_track t = { .number = p[38], .session = p[37] };
	struct vd_extent x = { .store = c->store, .offset = vd_get_le64(p + 12), .stride = size };
	size_t i = 0;
	int r = find_mode(c, p[40], &t.mode);

	if (r)
		return r;
	if (first < c->origin || last < first || last - c->origin >= INT32_MAX)
		return fail(c, "block", "sectors %u to %u, after %u", first, last, c->origin);
	while (i < VD_ARRAY_SIZE(layouts) && layouts[i].size != size)
		i++;
	if (i == VD_ARRAY_SIZE(layouts))
		return fail(c, "block", "sectors of %u bytes", size);
	x.layout = layouts[i].layout;
	t.start = x.lba = (int32_t)(first - c->origin);
	t.length = x.length = last - first + 1;
	if (x.offset > c->store->size || x.length > (c->store->size - x.offset) / size)
		return fail(c, "block", "%u sectors of %u bytes from byte %llu on of %llu",
			    x.length, size, (unsigned long long)x.offset,
			    (unsigned long long)c->store->size);
	memcpy(t.isrc, p + 24, VD_ISRC_LEN);
	if (!vd_isrc_valid(t.isrc))
		t.isrc[0] = '\0';
	if (x.layout == VD_LAYOUT_2448)
		x.sub = vd_image_sub_form(x.store, x.offset, x.length);
	r = vd_disc_add_track(c->disc, &t, c->err);
	if (!r)
		r = vd_disc_add_extent(c->disc, &x, c->err);
	for (i = 1; !r && i < n; i++) {
		const uint32_t sector = vd_get_le32(p + i * BLOCK + 4);

		if (sector < first || sector > last)
			return fail(c, "block",
				    "INDEX %02u is at sector %u, the track from %u to %u",
				    p[i * BLOCK + 39], sector, first, last);
		r = vd_disc_add_index(c->disc, (int32_t)(sector - c->origin), c->err);
	}
	return refused(c, "block", r);
}

/* How many blocks, of the @n at @p, are of the first one's track; each is the next index of it. */
static int count_indices(struct c2d *c, const uint8_t *p, size_t n, size_t *out)
{
	size_t i = 0;

	for (; i < n && p[i * BLOCK + 38] == p[38] && p[i * BLOCK + 37] == p[37]; i++) {
		const uint8_t *b = p + i * BLOCK;

		if (b[41])
			return fail(c, "block",
				    "it is compressed, and compressed ones are not read");
		if (!b[39])
			return fail(c, "block", "it is of INDEX 00; images with such are not read");
		if (b[39] != i + 1)
			return fail(c, "block", "INDEX %02u where %02zu has to be", b[39], i + 1);
	}
	*out = i;
	return 0;
}

static int read_blocks(struct c2d *c, uint32_t at, uint16_t n)
{
	_cleanup_free_ uint8_t *p = NULL;
	int r;

	if (!n || n > BLOCKS_MAX)
		return fail(c, "header", "%u blocks; there can be %u", n, BLOCKS_MAX);
	p = read_bytes(c, "blocks", at, (size_t)n * BLOCK, &r);
	if (!p)
		return r;
	c->origin = vd_get_le32(p + 4);
	for (size_t i = 0, indices = 0; !r && i < n; i += indices) {
		c->at = at + (uint64_t)i * BLOCK;
		r = count_indices(c, p + i * BLOCK, n - i, &indices);
		if (!r)
			r = add_track(c, p + i * BLOCK, indices);
	}
	return r;
}

static int read_c2d(struct c2d *c)
{
	_cleanup_free_ uint8_t *h = NULL, *text = NULL;
	char mcn[VD_MCN_LEN + 1] = "";
	uint32_t len;
	int r;

	h = read_bytes(c, "header", 0, HEADER, &r);
	if (!h)
		return r;
	memcpy(mcn, h + 36, VD_MCN_LEN);
	len = vd_get_le32(h + 52);
	if (len > TEXT_MAX)
		return fail(c, "header", "%u bytes of CD-TEXT; there can be %u", len, TEXT_MAX);
	r = read_blocks(c, vd_get_le32(h + 56), vd_get_le16(h + 50));
	if (!r && vd_get_le16(h + 34) && vd_mcn_valid(mcn))
		r = refused(c, "header", vd_disc_set_mcn(c->disc, mcn, c->err));
	if (r || len < PACK)
		return r;
	text = read_bytes(c, "CD-TEXT", vd_get_le16(h + 32), len, &r);
	return text ? refused(c, "CD-TEXT",
			      vd_disc_set_cdtext(c->disc, 1, text, len / PACK, c->err))
		    : r;
}

static int c2d_probe(const struct vd_image_head *h)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(signatures); i++)
		if (h->len >= 32 && !memcmp(h->data, signatures[i], strlen(signatures[i])))
			return 100;
	return 0;
}

static int c2d_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(vd_cleanup_disc) struct vd_disc *disc = NULL;
	struct c2d c = { .name = h->name, .err = err, .store = store };
	int r = vd_disc_new_owning(store, &disc);

	(void)opener;
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	c.disc = disc;
	r = read_c2d(&c);
	if (r)
		return r;
	*out = VD_TAKE_PTR(disc);
	return 0;
}

const struct vd_image_format vd_image_c2d = {
	.name = "c2d",
	.description = "WinOnCD image",
	.probe = c2d_probe,
	.open = c2d_open,
};
