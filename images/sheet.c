// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "images/sheet.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "images/audio.h"
#include "util/cleanup.h"

#define PIECES_MAX 65536u
#define FILES_MAX 256u

/* Text. */

static size_t put_utf8(char *out, uint32_t c)
{
	uint8_t *p = (uint8_t *)out;

	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

size_t vd_sheet_from_utf16(const uint8_t *in, size_t len, bool big_endian, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i + 2 <= len; i += 2) {
		uint32_t c =
			(uint32_t)(big_endian ? in[i] << 8 | in[i + 1] : in[i + 1] << 8 | in[i]);

		if (c >= 0xd800 && c < 0xe000) {
			uint32_t low = 0;

			if (c < 0xdc00 && i + 4 <= len)
				low = (uint32_t)(big_endian ? in[i + 2] << 8 | in[i + 3]
							    : in[i + 3] << 8 | in[i + 2]);
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i += 2;
			} else {
				c = 0xfffd;
			}
		}
		n += put_utf8(out + n, c);
	}
	return n;
}

static bool is_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	while (p < end) {
		size_t follow = *p < 0x80 ? 0 : *p < 0xc2 ? 9 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;

		if (*p >= 0xf5 || follow >= (size_t)(end - p) || follow == 9)
			return false;
		for (p++; follow; follow--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/* The text of @len bytes, in *@out, which the caller frees: without a mark, as UTF-8 if it was UTF-16. */
static int to_text(const uint8_t *data, size_t len, char **out, size_t *out_len)
{
	bool little = len >= 2 && data[0] == 0xff && data[1] == 0xfe;
	bool big = len >= 2 && data[0] == 0xfe && data[1] == 0xff;
	char *text = malloc(len / 2 * 3 + len + 1);

	if (!text)
		return -ENOMEM;
	if (little || big) {
		*out_len = vd_sheet_from_utf16(data + 2, len - 2, big, text);
	} else {
		size_t mark = len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;

		*out_len = len - mark;
		memcpy(text, data + mark, len - mark);
	}
	text[*out_len] = '\0';
	*out = text;
	return 0;
}

static bool begins_with(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !strncasecmp(line, word, n) &&
	       (len == n || isspace((unsigned char)line[n]));
}

static bool has_line(const char *text, size_t len, const char *word)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (begins_with(p, (size_t)(end - p), word))
			return true;
		while (p < end && *p != '\n' && *p != '\r')
			p++;
	}
	return false;
}

bool vd_sheet_looks_like(const struct vd_image_head *h, const char *const *words)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (!h->len || h->size > VD_SHEET_MAX || to_text(h->data, h->len, &text, &len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] < 0x20 && !(text[i] && strchr("\t\n\v\f\r\x1a", text[i])))
			return false;
	for (; words && *words; words++)
		if (!has_line(text, len, *words))
			return false;
	return len > 0;
}

int vd_sheet_open(struct vd_sheet *s, struct vd_opener *opener, struct vd_store *store,
		  const struct vd_image_head *h, struct vd_error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;
	int r;

	memset(s, 0, sizeof(*s));
	s->name = h->name;
	s->opener = opener;
	s->err = err;
	size = (size_t)store->size;
	if (store->size > VD_SHEET_MAX) {
		vd_store_close(store);
		return vd_error_set(err, -EFBIG, "%s: larger than a sheet can be (1 MiB)", s->name);
	}
	data = malloc(size + 1);
	r = data ? vd_store_pread(store, data, size, 0) : -ENOMEM;
	vd_store_close(store);
	if (!r)
		r = to_text(data, size, &s->text, &s->len);
	if (!r)
		r = vd_disc_new(&s->disc);
	if (!r) {
		s->tracks = calloc(VD_TRACKS_MAX, sizeof(*s->tracks));
		r = s->tracks ? 0 : -ENOMEM;
	}
	if (r)
		return vd_error_errno(err, r, "%s: cannot read it", s->name);
	/* A DOS editor's end of file. */
	while (s->len && s->text[s->len - 1] == '\x1a')
		s->text[--s->len] = '\0';
	if (memchr(s->text, 0, s->len))
		return vd_sheet_error(s, 0, "not a sheet: it has a zero byte in it");
	s->latin1 = !is_utf8(s->text, s->len);
	return 0;
}

char *vd_sheet_line(const struct vd_sheet *s, char **next)
{
	char *line = *next, *end;
	bool both;

	if (line >= s->text + s->len)
		return NULL;
	end = line + strcspn(line, "\r\n");
	both = end[0] == '\r' && end[1] == '\n';
	*end = '\0';
	*next = end + (both ? 2 : 1);
	return line;
}

void vd_sheet_close(struct vd_sheet *s)
{
	for (size_t i = 0; i < s->nfiles; i++)
		free(s->files[i].name);
	for (size_t i = 0; i < s->ntracks; i++)
		free(s->tracks[i].pieces);
	free(s->files);
	free(s->tracks);
	free(s->text);
	free(s->packs);
	vd_cdtext_free(s->cdtext);
	vd_disc_close(s->disc);
}

struct vd_disc *vd_sheet_take(struct vd_sheet *s)
{
	return VD_TAKE_PTR(s->disc);
}

int vd_sheet_prefix(const struct vd_sheet *s, unsigned int line, int code)
{
	return line ? vd_error_prefix(s->err, code, "%s:%u", s->name, line)
		    : vd_error_prefix(s->err, code, "%s", s->name);
}

int vd_sheet_error(const struct vd_sheet *s, unsigned int line, const char *fmt, ...)
{
	char words[VD_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	vd_error_set(s->err, -EINVAL, "%s", words);
	return vd_sheet_prefix(s, line, -EINVAL);
}

int32_t vd_sheet_msf(const char *text, const char **end)
{
	static const int limits[] = { 9999, 59, 74 };
	int32_t sectors = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(limits); i++) {
		int n = 0, digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 4; digits++)
			n = n * 10 + (*text++ - '0');
		if (!digits || n > limits[i] || (i < 2 && *text++ != ':'))
			return -1;
		sectors = sectors * (i == 2 ? 75 : 60) + n;
	}
	if (*text >= '0' && *text <= '9')
		return -1;
	if (end)
		*end = text;
	return sectors;
}

const char *vd_sheet_msf_text(uint32_t sectors, char *buf)
{
	snprintf(buf, VD_SHEET_MSF, "%02u:%02u:%02u", sectors / 4500, sectors / 75 % 60,
		 sectors % 75);
	return buf;
}

/* Files. */

/* The name as it would be in UTF-8, if its bytes are ISO 8859-1. */
static char *latin1_name(const char *name)
{
	char *out = malloc(strlen(name) * 2 + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (; *name; name++)
		n += put_utf8(out + n, (uint8_t)*name);
	out[n] = '\0';
	return out;
}

/* Of a name that begins at a root, "/a/b.bin" or "C:\a\b.bin", the last part; NULL of others. */
static const char *without_root(const char *name)
{
	bool drive = isalpha((unsigned char)name[0]) && name[1] == ':';
	const char *last = name;

	if (!drive && name[0] != '/' && name[0] != '\\')
		return NULL;
	for (const char *p = name + (drive ? 2 : 0); *p; p++)
		if (*p == '/' || *p == '\\')
			last = p + 1;
	return last == name && drive ? name + 2 : last;
}

/*
 * The name as it stands; then as UTF-8 when the sheet is none. Of a name from the root of the machine that wrote the sheet, the
 * last part: the opener could not leave the folder for the rest. Case and backslashes are the opener's.
 */
static int open_name(struct vd_sheet *s, const char *name)
{
	const char *last = without_root(name);
	int fd = -ENOENT;

	if (!last)
		fd = s->opener->open(s->opener, name, s->err);
	else if (*last)
		fd = s->opener->open(s->opener, last, s->err);
	if (last && fd == -ENOENT)
		vd_error_errno(s->err, fd, "%s", name);
	if (fd == -ENOENT && s->latin1) {
		_cleanup_free_ char *utf8 = latin1_name(last ? last : name);
		struct vd_error unused;

		if (!utf8)
			return vd_error_errno(s->err, -ENOMEM, "%s", name);
		if (*utf8)
			fd = s->opener->open(s->opener, utf8, s->err ? &unused : NULL);
	}
	return fd;
}

static int open_kind(struct vd_sheet *s, int fd, const char *name, enum vd_sheet_kind kind,
		     struct vd_store **out)
{
	int r;

	if (kind == VD_SHEET_SOUND)
		r = vd_audio_open(fd, out, s->err);
	else
		r = vd_store_file_open(fd, true, out, s->err);
	if (r)
		return vd_error_prefix(s->err, r, "%s", name);
	return kind == VD_SHEET_BINARY ? vd_image_unwrap(s->opener, *out, name, out, s->err) : 0;
}

static int open_file(struct vd_sheet *s, struct vd_sheet_file *f)
{
	_cleanup_close_ int fd = open_name(s, f->name);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	/* Which it is may not be known, as of a file of FUSE (see vd_store_file_open()): then it is one by itself. */
	if (!fstat(fd, &st)) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
	/* Its disc owns it already. A sound file takes long to open: all of it may have to be looked through. */
	for (size_t i = 0; i < s->nfiles; i++)
		if (f->ino && s->files[i].kind == f->kind && s->files[i].dev == f->dev &&
		    s->files[i].ino == f->ino) {
			f->store = s->files[i].store;
			return 0;
		}
	r = open_kind(s, VD_TAKE_FD(fd), f->name, f->kind, &f->store);
	if (r)
		return r;
	r = vd_disc_own_store(s->disc, f->store);
	return r ? vd_error_errno(s->err, r, "%s", f->name) : 0;
}

int vd_sheet_file(struct vd_sheet *s, unsigned int line, const char *name, enum vd_sheet_kind kind,
		  size_t *out)
{
	struct vd_sheet_file *bigger, *f;
	int r;

	for (size_t i = 0; i < s->nfiles; i++)
		if (s->files[i].kind == kind && !strcmp(s->files[i].name, name)) {
			*out = i;
			return 0;
		}
	if (s->nfiles == FILES_MAX)
		return vd_sheet_error(s, line, "more than %u files", FILES_MAX);
	bigger = reallocarray(s->files, s->nfiles + 1, sizeof(*s->files));
	if (!bigger)
		return vd_error_errno(s->err, -ENOMEM, "%s", s->name);
	s->files = bigger;
	f = &s->files[s->nfiles];
	*f = (struct vd_sheet_file){ .kind = kind, .name = strdup(name) };
	if (!f->name)
		return vd_error_errno(s->err, -ENOMEM, "%s", s->name);
	r = open_file(s, f);
	if (r) {
		free(f->name);
		return vd_sheet_prefix(s, line, r);
	}
	*out = s->nfiles++;
	return 0;
}

/* "NAME.mds" and "*.mdf" or "other.mdf" are "NAME.mdf". NULL when @name has no dot. */
static char *own_name(const struct vd_sheet *s, const char *name)
{
	const char *own = s->name, *dot = strrchr(own, '.'), *suffix = strrchr(name, '.');
	int len = dot && dot != own ? (int)(dot - own) : (int)strlen(own);
	char *out;

	if (!suffix || asprintf(&out, "%.*s%s", len, own, suffix) < 0)
		return NULL;
	return out;
}

int vd_sheet_own_file(struct vd_sheet *s, const char *name, bool alone, struct vd_store **out)
{
	_cleanup_free_ char *own = NULL;
	size_t i;
	int r = -ENOENT;

	if (name[0] != '*')
		r = vd_sheet_file(s, 0, name, VD_SHEET_BINARY, &i);
	if (r == -ENOENT && (alone || name[0] == '*')) {
		own = own_name(s, name);
		if (own)
			r = vd_sheet_file(s, 0, own, VD_SHEET_BINARY, &i);
		else
			vd_sheet_error(s, 0, "no file is called %s", name);
	}
	if (r)
		return r;
	if (s->err)
		s->err->text[0] = '\0';
	*out = s->files[i].store;
	return 0;
}

/* Tracks. */

struct vd_sheet_track *vd_sheet_add_track(struct vd_sheet *s, unsigned int line, int number)
{
	struct vd_sheet_track *t = &s->tracks[s->ntracks];

	if (s->ntracks == VD_TRACKS_MAX) {
		vd_sheet_error(s, line, "more than 99 tracks");
		return NULL;
	}
	s->ntracks++;
	t->line = line;
	t->t.number = number;
	return t;
}

int vd_sheet_add_piece(struct vd_sheet *s, unsigned int line, const struct vd_extent *x)
{
	struct vd_sheet_track *t = &s->tracks[s->ntracks - 1];

	if (!x->length)
		return 0;
	if (x->length > (uint32_t)INT32_MAX - t->sectors)
		return vd_sheet_error(s, line, "TRACK %02d is longer than a disc can be",
				      t->t.number);
	if (t->npieces == PIECES_MAX)
		return vd_sheet_error(s, line, "TRACK %02d has too many pieces", t->t.number);
	if (!(t->npieces & (t->npieces - 1))) {
		struct vd_extent *bigger =
			reallocarray(t->pieces, t->npieces ? t->npieces * 2 : 1, sizeof(*bigger));

		if (!bigger)
			return vd_error_errno(s->err, -ENOMEM, "%s", s->name);
		t->pieces = bigger;
	}
	t->pieces[t->npieces] = *x;
	t->pieces[t->npieces].lba = (int32_t)t->sectors;
	t->npieces++;
	t->sectors += x->length;
	return 0;
}

static int place_track(struct vd_sheet *s, struct vd_sheet_track *t, int64_t first)
{
	int r;

	if (t->sectors <= t->pregap)
		return vd_sheet_error(s, t->line, "TRACK %02d is empty", t->t.number);
	if (first + t->sectors > INT32_MAX)
		return vd_sheet_error(s, t->line, "TRACK %02d ends beyond the end of any disc",
				      t->t.number);
	t->t.start = (int32_t)(first + t->pregap);
	t->t.pregap = t->pregap;
	t->t.length = t->sectors - t->pregap;
	r = vd_disc_add_track(s->disc, &t->t, s->err);
	for (size_t i = 0; !r && i < t->npieces; i++) {
		struct vd_extent x = t->pieces[i];

		if (!x.store)
			continue;
		x.lba += (int32_t)first;
		r = vd_disc_add_extent(s->disc, &x, s->err);
	}
	for (unsigned int i = 0; !r && i < t->nindices; i++)
		r = vd_disc_add_index(s->disc, (int32_t)(first + t->indices[i]), s->err);
	return r ? vd_sheet_prefix(s, t->line, r) : 0;
}

int vd_sheet_place(struct vd_sheet *s)
{
	int64_t end = 0;
	int r;

	for (size_t i = 0; i < s->ntracks; i++) {
		struct vd_sheet_track *t = &s->tracks[i];
		int64_t first = end + t->gap;

		if (t->at) {
			if (t->at - (int64_t)t->pregap < first)
				return vd_sheet_error(
					s, t->line,
					"TRACK %02d has to begin at sector %d, where the one "
					"before has not ended",
					t->t.number, t->at);
			first = t->at - (int64_t)t->pregap;
		}
		r = place_track(s, t, first);
		if (r)
			return r;
		end = first + t->sectors;
	}
	r = vd_sheet_place_text(s);
	if (!r && s->packs)
		r = vd_disc_set_cdtext(s->disc, s->packs_session, s->packs, s->npacks, s->err);
	return r ? vd_sheet_prefix(s, 0, r) : 0;
}
