// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * B6T, and B5T, which is the same: the description that BlindWrite 6 and 5 write beside their .b6i, .b5i, .b00 ... There is none by its maker; this is
 * by what CDEmu (Rok Mandeljc) and Aaru found out. Numbers are little endian.
 *
 *     header, 260     0 "BWT5 STREAM SIGN"   48 medium, as MMC's profiles, 2   50 sessions, 2   64 there is an MCN   65 MCN, 13
 *                     96 bytes of PMA, 2   98 of ATIP, 2   100 of CD-TEXT, 2   102 of what is told of a CD, 2   104 of the BCA, 4
 *                     120 of disc structures, 4   124 of what is told of a DVD, 4
 *                     240 bytes of mode page 2a, 4   244 of something, 4   248 of data blocks, 4   252 of sessions, 4   256 of positions, 4
 *     these parts     in the order: mode page, something, PMA, ATIP, CD-TEXT, BCA, structures, what is told of the CD or else of the DVD
 *     data blocks     their number, 4; bytes of a path, 4, and that; then of each 52 bytes (4 bytes of it, 4   24 offset in its file, 4
 *                     40 first sector, 4   44 sectors, 4   48 bytes of a name, 4), its name in UTF-16, 4
 *     session, 16     0 number, 2   2 entries   4 first sector, 4   8 end, 4
 *     entry, 64       0 type: 0 of the lead-in, 1 audio, 2 mode 1, 3 mode 2, 4 Form 1, 5 Form 2, 6 DVD   10 control   12 point
 *                     22 sectors of pregap, 4   42 first sector, which is that of the pregap, 4   46 sectors, 4; of 1 to 5 8 more
 *
 * A data block is sectors one behind the other in one file, of one track, of many, or of a part of one. How long one is in the file is how many bytes the block
 * has for how many sectors: 2048, 2336, 2352, with 16 bytes of Q, which are not read, or with 96 of subchannel, channel after channel.
 *
 * Positions and what drives say of the disc are skipped.
 */
#include "images/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/endian.h"

#define B6T_MAX (4u << 20)
#define HEADER 260u
#define BLOCK 52u
#define BLOCKS_MAX 256u
#define SESSION 16u
#define ENTRY 64u
#define NAME_MAX_LEN 1024u
#define PACK 18u
#define STRUCTURE_MAX 2048u

enum type { LEAD_IN, AUDIO, MODE1, MODE2, FORM1, FORM2, DVD };

static const char signature[] = "BWT5 STREAM SIGN";

/* By the bytes of a sector in a file. */
static const struct {
	uint32_t size;
	enum vd_sector_layout layout;
} layouts[] = {
	{ 2048, VD_LAYOUT_2048 }, { 2324, VD_LAYOUT_2324 }, { 2336, VD_LAYOUT_2336 },
	{ 2352, VD_LAYOUT_2352 }, { 2368, VD_LAYOUT_2352 }, { 2448, VD_LAYOUT_2448 },
};

struct block {
	int64_t first, end; /* LBAs */
	uint32_t size;	    /* bytes of a sector */
	enum vd_sector_layout layout;
	uint64_t offset;
	struct vd_store *store;
};

struct b6t {
	struct vd_sheet sheet; /* its files and the disc; it has no text */
	uint8_t *data;
	size_t len, pos;
	struct block blocks[BLOCKS_MAX]; /* by ascending `first` */
	size_t nblocks;
	const uint8_t *text; /* CD-TEXT */
	size_t text_len;
};

/* "NAME: WHAT at byte AT: words" */
static int fail(struct b6t *b, const char *what, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int fail(struct b6t *b, const char *what, size_t at, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return vd_error_set(b->sheet.err, -EINVAL, "%s: %s at byte %zu: %s", b->sheet.name, what,
			    at, words);
}

/* The next @n bytes, or NULL with words when they are not all there. */
static const uint8_t *take(struct b6t *b, const char *what, size_t n)
{
	if (n > b->len - b->pos) {
		fail(b, what, b->pos, "%zu bytes, and it ends at byte %zu", n, b->len);
		return NULL;
	}
	b->pos += n;
	return b->data + b->pos - n;
}

static enum vd_media medium_of(uint16_t profile)
{
	static const enum vd_media known[] = {
		VD_MEDIA_CD_ROM,     VD_MEDIA_CD_R,   VD_MEDIA_CD_RW,	 VD_MEDIA_DVD_ROM,
		VD_MEDIA_DVD_R,	     VD_MEDIA_DVD_RW, VD_MEDIA_DVD_R_DL, VD_MEDIA_DVD_PLUS_RW,
		VD_MEDIA_DVD_PLUS_R, VD_MEDIA_BD_ROM, VD_MEDIA_BD_R,
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(known); i++)
		if (profile == (uint16_t)known[i])
			return known[i];
	return VD_MEDIA_UNKNOWN;
}

/* Profiles of CDs, double density and HD-Burn ones too. */
static bool is_cd(uint16_t profile)
{
	return (profile >= 0x08 && profile <= 0x0a) || (profile >= 0x20 && profile <= 0x22) ||
	       (profile >= 0x80 && profile <= 0x82);
}

/* The header and what is behind it up to the data blocks. */
static int read_header(struct b6t *b, uint16_t *sessions)
{
	const uint8_t *h = take(b, "header", HEADER), *p;
	char mcn[VD_MCN_LEN + 1] = "";
	uint16_t profile;
	uint32_t bca;
	int r = 0;

	if (!h)
		return -EINVAL;
	profile = vd_get_le16(h + 48);
	*sessions = vd_get_le16(h + 50);
	b->sheet.disc->media = medium_of(profile);
	if (!*sessions || *sessions > VD_TRACKS_MAX)
		return fail(b, "header", 0, "%u sessions", *sessions);
	memcpy(mcn, h + 65, VD_MCN_LEN);
	if (h[64] && vd_mcn_valid(mcn))
		r = vd_disc_set_mcn(b->sheet.disc, mcn, b->sheet.err);
	if (r)
		return vd_sheet_prefix(&b->sheet, 0, r);
	if (!take(b, "mode page", vd_get_le32(h + 240)) ||
	    !take(b, "block", vd_get_le32(h + 244)) || !take(b, "PMA", vd_get_le16(h + 96)) ||
	    !take(b, "ATIP", vd_get_le16(h + 98)))
		return -EINVAL;
	b->text_len = vd_get_le16(h + 100);
	b->text = take(b, "CD-TEXT", b->text_len);
	bca = vd_get_le32(h + 104);
	p = b->text ? take(b, "BCA", bca) : NULL;
	if (!p)
		return -EINVAL;
	if (bca && bca <= STRUCTURE_MAX)
		r = vd_disc_add_structure(b->sheet.disc, 0x03, 0, 0, p, bca, b->sheet.err);
	if (r)
		return vd_sheet_prefix(&b->sheet, 0, r);
	if (!take(b, "disc structures", vd_get_le32(h + 120)) ||
	    !take(b, "disc information",
		  is_cd(profile) ? vd_get_le16(h + 102) : vd_get_le32(h + 124)))
		return -EINVAL;
	return 0;
}

/* Data blocks. */

static int compare(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int read_block(struct b6t *b, bool alone)
{
	const size_t at = b->pos;
	const uint8_t *p = take(b, "data block", BLOCK), *name;
	struct block *block = &b->blocks[b->nblocks];
	char utf8[NAME_MAX_LEN / 2 * 3 + 1], *last = utf8;
	uint32_t bytes, len;
	int32_t sectors;
	size_t i = 0;
	int r;

	if (!p)
		return -EINVAL;
	bytes = vd_get_le32(p + 4);
	sectors = (int32_t)vd_get_le32(p + 44);
	len = vd_get_le32(p + 48);
	if (!len || len > NAME_MAX_LEN)
		return fail(b, "data block", at, "a name of %u bytes", len);
	name = take(b, "file name", len);
	if (!name || !take(b, "data block", 4))
		return -EINVAL;
	/* A block without sectors says nothing. */
	if (!sectors)
		return 0;
	*block = (struct block){ .first = (int32_t)vd_get_le32(p + 40),
				 .offset = vd_get_le32(p + 24),
				 .size = sectors > 0 ? bytes / (uint32_t)sectors : 0 };
	block->end = block->first + sectors;
	while (i < VD_ARRAY_SIZE(layouts) && layouts[i].size != block->size)
		i++;
	if (i == VD_ARRAY_SIZE(layouts) || bytes % (uint32_t)sectors)
		return fail(b, "data block", at, "%u bytes of %d sectors", bytes, sectors);
	block->layout = layouts[i].layout;
	utf8[vd_sheet_from_utf16(name, len, false, utf8)] = '\0';
	/* It may be one of another machine's. */
	for (const char *c = utf8; *c; c++)
		if (*c == '\\' || *c == '/')
			last = utf8 + (c - utf8) + 1;
	if (!*last)
		return fail(b, "data block", at, "no file name");
	r = vd_sheet_own_file(&b->sheet, last, alone, &block->store);
	if (r)
		return r;
	if (block->offset > block->store->size || bytes > block->store->size - block->offset)
		return fail(b, "data block", at, "%u bytes from byte %llu on of %s, which has %llu",
			    bytes, (unsigned long long)block->offset, last,
			    (unsigned long long)block->store->size);
	b->nblocks++;
	return 0;
}

static int read_blocks(struct b6t *b)
{
	const size_t at = b->pos;
	const uint8_t *p = take(b, "data blocks", 8);
	uint32_t n;
	int r = 0;

	if (!p || !take(b, "path", vd_get_le32(p + 4)))
		return -EINVAL;
	n = vd_get_le32(p);
	if (!n || n > BLOCKS_MAX)
		return fail(b, "data blocks", at, "%u of them", n);
	for (uint32_t i = 0; !r && i < n; i++)
		r = read_block(b, n == 1);
	if (r)
		return r;
	if (b->nblocks)
		qsort(b->blocks, b->nblocks, sizeof(b->blocks[0]), compare);
	for (size_t i = 1; i < b->nblocks; i++)
		if (b->blocks[i].first < b->blocks[i - 1].end)
			return fail(b, "data blocks", at, "two of sector %lld",
				    (long long)b->blocks[i].first);
	return 0;
}

/* Tracks. */

/* The sectors [@first, @end) are in data blocks; only those before @start, of a pregap, may be in none. */
static int add_sectors(struct b6t *b, size_t at, int64_t first, int64_t start, int64_t end)
{
	for (size_t i = 0; i < b->nblocks && first < end; i++) {
		const struct block *k = &b->blocks[i];
		struct vd_extent x = { .store = k->store, .layout = k->layout, .stride = k->size };
		int64_t to = k->end < end ? k->end : end;
		int r;

		if (k->first > first && first < start)
			first = k->first < start ? k->first : start;
		if (k->end <= first || k->first > first)
			continue;
		x.lba = (int32_t)first;
		x.length = (uint32_t)(to - first);
		x.offset = k->offset + (uint64_t)(first - k->first) * k->size;
		if (x.layout == VD_LAYOUT_2448)
			x.sub = VD_SUB_PLANAR;
		r = vd_disc_add_extent(b->sheet.disc, &x, b->sheet.err);
		if (r)
			return vd_error_prefix(b->sheet.err, r, "%s: track at byte %zu",
					       b->sheet.name, at);
		first = to;
	}
	return first < end ? fail(b, "track", at, "no data block has sector %lld", (long long)first)
			   : 0;
}

static int add_track(struct b6t *b, size_t at, const uint8_t *p, int session)
{
	static const enum vd_track_mode modes[] = {
		[AUDIO] = VD_TRACK_AUDIO, [MODE1] = VD_TRACK_MODE1, [MODE2] = VD_TRACK_MODE2,
		[FORM1] = VD_TRACK_MODE2, [FORM2] = VD_TRACK_MODE2, [DVD] = VD_TRACK_MODE1,
	};
	struct vd_track t = { .number = p[12], .session = session, .control = p[10] & 0xf };
	const uint32_t pregap = vd_get_le32(p + 22);
	const int64_t first = (int32_t)vd_get_le32(p + 42), start = first + pregap,
		      end = first + (int32_t)vd_get_le32(p + 46);
	int r;

	if (first < VD_LBA_FIRST || start < 0 || start >= end || end > INT32_MAX)
		return fail(b, "track", at, "it is from sector %lld over %lld to %lld",
			    (long long)first, (long long)start, (long long)end);
	t.mode = modes[p[0]];
	t.start = (int32_t)start;
	t.length = (uint32_t)(end - start);
	/* That of track 1 before LBA 0 belongs to it anyway. */
	t.pregap = first < 0 ? (uint32_t)start : pregap;
	r = vd_disc_add_track(b->sheet.disc, &t, b->sheet.err);
	if (r)
		return vd_error_prefix(b->sheet.err, r, "%s: track at byte %zu", b->sheet.name, at);
	/* No sector of a DVD is before LBA 0. */
	return add_sectors(b, at, p[0] == DVD && first < 0 ? 0 : first, start, end);
}

static int read_session(struct b6t *b, int number)
{
	const size_t at = b->pos;
	const uint8_t *s = take(b, "session", SESSION), *p;
	int r = 0;

	if (!s)
		return -EINVAL;
	for (uint8_t i = 0; !r && i < s[2]; i++) {
		const size_t where = b->pos;

		p = take(b, "track", ENTRY);
		if (!p)
			return -EINVAL;
		if (p[0] > DVD)
			return fail(b, "track", where, "it is of type %u, which is not known",
				    p[0]);
		if (p[0] != LEAD_IN && p[0] != DVD && !take(b, "track", 8))
			return -EINVAL;
		if (p[0] != LEAD_IN)
			r = add_track(b, where, p, number);
	}
	if (!r && b->sheet.disc->nsessions < number)
		return fail(b, "session", at, "it has no track");
	return r;
}

static int read_b6t(struct b6t *b)
{
	uint16_t sessions;
	size_t skip;
	int r = read_header(b, &sessions);

	if (!r)
		r = read_blocks(b);
	for (int i = 1; !r && i <= sessions; i++)
		r = read_session(b, i);
	if (r)
		return r;
	/* With the header of what a drive answers, or without. */
	skip = b->text_len % PACK == 4 ? 4 : 0;
	if (b->text_len >= PACK + skip)
		r = vd_disc_set_cdtext(b->sheet.disc, 1, b->text + skip,
				       (b->text_len - skip) / PACK, b->sheet.err);
	return r ? vd_sheet_prefix(&b->sheet, 0, r) : 0;
}

static void close_b6t(struct b6t **b)
{
	if (!*b)
		return;
	free((*b)->data);
	vd_sheet_close(&(*b)->sheet);
	free(*b);
}

static int b6t_probe(const struct vd_image_head *h)
{
	return h->len >= 16 && !memcmp(h->data, signature, 16) ? 100 : 0;
}

static int b6t_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(close_b6t) struct b6t *b = calloc(1, sizeof(*b));
	int r;

	if (!b) {
		vd_store_close(store);
		return vd_error_errno(err, -ENOMEM, "%s: cannot read it", h->name);
	}
	b->sheet = (struct vd_sheet){ .name = h->name, .opener = opener, .err = err };
	b->len = (size_t)store->size;
	b->data = store->size <= B6T_MAX ? malloc(b->len + 1) : NULL;
	r = b->data		    ? vd_store_pread(store, b->data, b->len, 0)
	    : store->size > B6T_MAX ? -EFBIG
				    : -ENOMEM;
	vd_store_close(store);
	if (!r)
		r = vd_disc_new(&b->sheet.disc);
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", h->name);
	r = read_b6t(b);
	if (r)
		return r;
	*out = vd_sheet_take(&b->sheet);
	return 0;
}

const struct vd_image_format vd_image_b6t = {
	.name = "b6t",
	.description = "BlindWrite image",
	.probe = b6t_probe,
	.open = b6t_open,
};
