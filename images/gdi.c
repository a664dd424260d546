// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * GDI: the sheet of a Dreamcast's GD-ROM, with a file for each track. This is by the article "GDI format" of dreamcast.wiki, and by what
 * Aaru and MAME make of it.
 *
 *     3
 *     1 0 4 2352 track01.bin 0          number, LBA of INDEX 01, 0 audio or 4 data, bytes a sector, file, offset in it
 *     2 600 0 2352 "track 02.raw" 0
 *     3 45000 4 2352 track03.bin 0
 *
 * Tracks before LBA 45000 are those of the area that any drive reads, a session; those from there on are the high-density area, taken for
 * another one. What is between two tracks is stored nowhere.
 */
#include "images/sheet.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/sector.h"
#include "images/single_track.h"
#include "util/cleanup.h"

#define HIGH_DENSITY 45000
#define TYPE_DATA 4

static const struct {
	uint32_t size;
	enum vd_sector_layout layout;
} layouts[] = {
	{ 2048, VD_LAYOUT_2048 },
	{ 2336, VD_LAYOUT_2336 },
	{ 2352, VD_LAYOUT_2352 },
	{ 2448, VD_LAYOUT_2448 },
};

/* A number at *@p, which moves behind it and the blanks. At most @most; false: is none. */
static bool take_number(char **p, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		n = n * 10 + (uint64_t)(**p - '0');
		if (n > most)
			return false;
	}
	if (**p && !isspace((unsigned char)**p))
		return false;
	while (isspace((unsigned char)**p))
		(*p)++;
	*out = n;
	return true;
}

/* A name at *@p, in quotes if there are blanks in it; ended where it is. NULL: is none. */
static char *take_name(char **p)
{
	char *name = *p, *end;

	if (*name == '"') {
		name++;
		end = strchr(name, '"');
	} else {
		end = name + strcspn(name, " \t");
	}
	if (!end || end == name || !*end)
		return NULL;
	*p = end + 1;
	*end = '\0';
	while (isspace((unsigned char)**p))
		(*p)++;
	return name;
}

struct line {
	uint64_t number, lba, type, size, offset;
	char *name;
};

static bool read_line(char *p, struct line *l)
{
	while (isspace((unsigned char)*p))
		p++;
	if (!take_number(&p, VD_TRACKS_MAX, &l->number) || !take_number(&p, INT32_MAX, &l->lba) ||
	    !take_number(&p, 255, &l->type) || !take_number(&p, 65535, &l->size))
		return false;
	l->name = take_name(&p);
	return l->name && take_number(&p, INT64_MAX / 10, &l->offset) && !*p;
}

static int find_mode(struct vd_sheet *s, unsigned int line, const struct line *l,
		     const struct vd_extent *x, enum vd_track_mode *mode)
{
	uint8_t header[VD_AT_MODE + 1];
	int r;

	*mode = x->layout == VD_LAYOUT_2336 ? VD_TRACK_MODE2 : VD_TRACK_MODE1;
	if (l->type == 0) {
		*mode = VD_TRACK_AUDIO;
		return 0;
	}
	if (l->size < VD_SECTOR_RAW)
		return 0;
	r = vd_store_pread(x->store, header, sizeof(header), x->offset);
	if (r)
		return vd_sheet_prefix(s, line, vd_error_errno(s->err, r, "%s", l->name));
	if (header[VD_AT_MODE] == 2)
		*mode = VD_TRACK_MODE2;
	return 0;
}

static int add_track(struct vd_sheet *s, unsigned int line, const struct line *l)
{
	struct vd_extent x = { .offset = l->offset };
	struct vd_sheet_track *t;
	uint64_t sectors;
	size_t file, i;
	int r;

	if (l->number != s->ntracks + 1)
		return vd_sheet_error(s, line, "track %d where track %zu has to be", (int)l->number,
				      s->ntracks + 1);
	if (l->type && l->type != TYPE_DATA)
		return vd_sheet_error(s, line,
				      "a track of type %d; there are 0 (audio) and 4 (data)",
				      (int)l->type);
	for (i = 0; i < VD_ARRAY_SIZE(layouts) && layouts[i].size != l->size; i++)
		;
	if (i == VD_ARRAY_SIZE(layouts) || (!l->type && l->size < VD_SECTOR_RAW))
		return vd_sheet_error(s, line, "%s of %d bytes a sector",
				      l->type ? "data" : "audio", (int)l->size);
	r = vd_sheet_file(s, line, l->name, VD_SHEET_BINARY, &file);
	if (r)
		return r;
	x.store = s->files[file].store;
	x.layout = layouts[i].layout;
	sectors = l->offset < x.store->size ? (x.store->size - l->offset) / l->size : 0;
	if (!sectors || sectors > INT32_MAX)
		return vd_sheet_error(s, line, "%s: %llu sectors of it from byte %llu on", l->name,
				      (unsigned long long)sectors, (unsigned long long)l->offset);
	x.length = (uint32_t)sectors;
	if (x.layout == VD_LAYOUT_2448)
		x.sub = vd_image_sub_form(x.store, x.offset, sectors);
	t = vd_sheet_add_track(s, line, (int)l->number);
	if (!t)
		return -EINVAL;
	t->at = (int32_t)l->lba;
	/* The first one may have sound before it, as on any disc. */
	t->t.session = l->lba < HIGH_DENSITY || s->ntracks == 1 ? 1 : 2;
	r = find_mode(s, line, l, &x, &t->t.mode);
	return r ? r : vd_sheet_add_piece(s, line, &x);
}

static int read_lines(struct vd_sheet *s)
{
	char *next = s->text, *p;
	unsigned int number = 0;
	uint64_t tracks = 0;
	int r = 0;

	while (!r && (p = vd_sheet_line(s, &next))) {
		struct line l;

		number++;
		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			continue;
		if (!tracks) {
			if (!take_number(&p, VD_TRACKS_MAX, &tracks) || !tracks || *p)
				return vd_sheet_error(s, number, "not how many tracks there are");
			continue;
		}
		if (s->ntracks == tracks)
			return vd_sheet_error(s, number, "more than %d tracks", (int)tracks);
		if (!read_line(p, &l))
			return vd_sheet_error(
				s, number,
				"not a track: number, LBA, type, bytes a sector, file "
				"and offset");
		r = add_track(s, number, &l);
	}
	if (!r && s->ntracks < tracks)
		return vd_sheet_error(s, 0, "%zu tracks of %d", s->ntracks, (int)tracks);
	return r;
}

/* How many tracks, and then the first of them. */
static int gdi_probe(const struct vd_image_head *h)
{
	_cleanup_free_ char *text = NULL;
	uint64_t n;
	size_t len = h->len < 4096 ? h->len : 4096;
	struct line l;
	char *p, *end;

	if (!vd_sheet_looks_like(h, NULL))
		return 0;
	text = malloc(len + 1);
	if (!text)
		return 0;
	memcpy(text, h->data, len);
	text[len] = '\0';
	p = text + strspn(text, " \t\r\n");
	end = p + strcspn(p, "\r\n");
	if (!*end)
		return 0;
	*end = '\0';
	if (!take_number(&p, VD_TRACKS_MAX, &n) || !n || *p)
		return 0;
	p = end + 1 + strspn(end + 1, " \t\r\n");
	p[strcspn(p, "\r\n")] = '\0';
	return read_line(p, &l) && l.number == 1 ? 95 : 0;
}

static int gdi_open(struct vd_opener *opener, struct vd_store *store, const struct vd_image_head *h,
		    struct vd_disc **out, struct vd_error *err)
{
	_cleanup_(vd_sheet_close) struct vd_sheet s = { 0 };
	int r = vd_sheet_open(&s, opener, store, h, err);

	if (!r)
		r = read_lines(&s);
	if (!r && !s.ntracks)
		r = vd_sheet_error(&s, 0, "no track");
	if (!r)
		r = vd_sheet_place(&s);
	if (!r)
		*out = vd_sheet_take(&s);
	return r;
}

const struct vd_image_format vd_image_gdi = {
	.name = "gdi",
	.description = "GDI sheet (GD-ROM)",
	.probe = gdi_probe,
	.open = gdi_open,
};
