// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The layout, in blocks: system area, descriptors, boot catalog, the directories of the primary tree each with its
 * continuation areas behind it, those of the Joliet tree, files. Everything is laid out twice by the same functions:
 * the first time only to learn where things come to lie.
 */
#define _GNU_SOURCE
#include "isobuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include "util/endian.h"

#define SECTOR 2048u

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *copy(const char *s)
{
	return s ? need(strdup(s)) : NULL;
}

void isob_put32(uint8_t *p, uint32_t v)
{
	vd_put_le32(p, v);
	vd_put_be32(p + 4, v);
}

static void put16(uint8_t *p, uint16_t v)
{
	vd_put_le16(p, v);
	vd_put_be16(p + 2, v);
}

void isob_put_date7(uint8_t *p, int64_t t)
{
	time_t s = (time_t)t;
	struct tm tm;

	need(gmtime_r(&s, &tm));
	p[0] = (uint8_t)tm.tm_year;
	p[1] = (uint8_t)(tm.tm_mon + 1);
	p[2] = (uint8_t)tm.tm_mday;
	p[3] = (uint8_t)tm.tm_hour;
	p[4] = (uint8_t)tm.tm_min;
	p[5] = (uint8_t)tm.tm_sec;
	p[6] = 0;
}

static void put_date17(uint8_t *p, int64_t t)
{
	time_t s = (time_t)t;
	char text[80];
	struct tm tm;

	need(gmtime_r(&s, &tm));
	snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02d00", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(p, text, 16);
	p[16] = 0;
}

struct isob *isob_new(void)
{
	struct isob *b = need(calloc(1, sizeof(*b)));

	b->block = SECTOR;
	b->joliet_level = 3;
	b->volume = "VOLUME";
	b->name_part = 200;
	b->root = need(calloc(1, sizeof(*b->root)));
	b->root->name = copy("");
	b->root->mode = S_IFDIR | 0755;
	b->root->nlink = 2;
	b->root->parent = b->root;
	return b;
}

static void free_node(struct isob_node *n)
{
	while (n->child) {
		struct isob_node *c = n->child;

		n->child = c->next;
		free_node(c);
	}
	while (n->extra) {
		struct isob_extra *x = n->extra;

		n->extra = x->next;
		free(x);
	}
	free(n->name);
	free(n->plain);
	free(n->data);
	free(n->target);
	free(n);
}

void isob_free(struct isob *b)
{
	if (!b)
		return;
	free_node(b->root);
	free(b->image);
	free(b);
}

static struct isob_node *add(struct isob *b, struct isob_node *parent, const char *name,
			     uint32_t mode)
{
	struct isob_node *n = need(calloc(1, sizeof(*n))), **p;

	if (!parent)
		parent = b->root;
	n->parent = parent;
	n->name = copy(name);
	n->mode = mode;
	n->nlink = 1;
	n->uid = 1000;
	n->gid = 100;
	n->mtime = 1000000000;
	for (p = &parent->child; *p; p = &(*p)->next)
		;
	*p = n;
	return n;
}

struct isob_node *isob_dir(struct isob *b, struct isob_node *parent, const char *name)
{
	return add(b, parent, name, S_IFDIR | 0755);
}

struct isob_node *isob_file(struct isob *b, struct isob_node *parent, const char *name,
			    const void *data, size_t size)
{
	struct isob_node *n = add(b, parent, name, S_IFREG | 0644);

	n->data = need(malloc(size + 1));
	if (size)
		memcpy(n->data, data, size);
	n->size = size;
	return n;
}

struct isob_node *isob_link(struct isob *b, struct isob_node *parent, const char *name,
			    const char *target)
{
	struct isob_node *n = add(b, parent, name, S_IFLNK | 0777);

	n->target = copy(target);
	return n;
}

struct isob_node *isob_device(struct isob *b, struct isob_node *parent, const char *name,
			      uint32_t mode, uint32_t major, uint32_t minor)
{
	struct isob_node *n = add(b, parent, name, mode);

	n->major = major;
	n->minor = minor;
	return n;
}

void isob_extra(struct isob_node *n, const char *sig, uint8_t version, const void *bytes,
		size_t len)
{
	struct isob_extra *x = need(calloc(1, sizeof(*x))), **p;

	if (len > sizeof(x->bytes) - 4)
		abort();
	x->len = len + 4;
	memcpy(x->bytes, sig, 2);
	x->bytes[2] = (uint8_t)x->len;
	x->bytes[3] = version;
	if (len)
		memcpy(x->bytes + 4, bytes, len);
	for (p = &n->extra; *p; p = &(*p)->next)
		;
	*p = x;
}

/* The fields of one record, to be spread over record and continuation area. */
struct fields {
	uint8_t bytes[64][255];
	size_t len[64], n;
};

static uint8_t *new_field(struct fields *f, const char *sig, size_t len)
{
	uint8_t *p;

	if (f->n == 64 || len > 255)
		abort();
	p = f->bytes[f->n];
	memset(p, 0, 255);
	memcpy(p, sig, 2);
	p[2] = (uint8_t)len;
	p[3] = 1;
	f->len[f->n++] = len;
	return p;
}

static void name_fields(const struct isob *b, struct fields *f, const char *name)
{
	size_t left = strlen(name);

	do {
		size_t part = left < b->name_part ? left : b->name_part;
		uint8_t *p = new_field(f, "NM", 5 + part);

		memcpy(p + 5, name, part);
		name += part;
		left -= part;
		p[4] = left ? 1 : 0;
	} while (left);
}

/* One component a field, and a long one in several: that is where readers go wrong. */
static void link_fields(const struct isob *b, struct fields *f, const char *target)
{
	uint8_t *last = NULL;

	if (*target == '/') {
		last = new_field(f, "SL", 7);
		last[5] = 8;
		target++;
	}
	while (*target) {
		size_t len = strcspn(target, "/");
		bool more = target[len] != '\0';

		do {
			size_t part = len < b->name_part ? len : b->name_part;
			bool dot = part == len && len == 1 && *target == '.';
			bool dots = part == len && len == 2 && !memcmp(target, "..", 2);
			uint8_t *p = new_field(f, "SL", dot || dots ? 7 : 7 + part);

			if (last)
				last[4] = 1;
			last = p;
			p[5] = dot ? 2 : dots ? 4 : part < len ? 1 : 0;
			if (!dot && !dots) {
				p[6] = (uint8_t)part;
				memcpy(p + 7, target, part);
			}
			target += part;
			len -= part;
		} while (len);
		target += more;
	}
}

static uint8_t *pack_file(const struct isob_node *n, size_t *stored)
{
	static const uint8_t magic1[8] = { 0x37, 0xe4, 0x53, 0x96, 0xc9, 0xdb, 0xd6, 0x07 };
	static const uint8_t magic2[8] = { 0xef, 0x22, 0x55, 0xa1, 0xbc, 0x1b, 0x95, 0xa0 };
	const bool v2 = n->zisofs == 2;
	const unsigned int shift = v2 ? 17 : 15, pointer = v2 ? 8 : 4, header = v2 ? 24 : 16;
	const size_t block = (size_t)1 << shift, nblocks = (n->size + block - 1) / block;
	size_t at = header + (nblocks + 1) * pointer;
	uint8_t *out = need(calloc(1, at + nblocks * (compressBound(block) + 16)));

	memcpy(out, v2 ? magic2 : magic1, 8);
	if (v2) {
		out[9] = 24 / 4;
		out[10] = 1;
		out[11] = (uint8_t)shift;
		vd_put_le64(out + 12, n->size);
	} else {
		vd_put_le32(out + 8, (uint32_t)n->size);
		out[12] = 16 / 4;
		out[13] = (uint8_t)shift;
	}
	for (size_t i = 0; i <= nblocks; i++) {
		uLongf len = compressBound(block);
		size_t part =
			i < nblocks && n->size - i * block < block ? n->size - i * block : block;
		bool zeros = true;

		if (v2)
			vd_put_le64(out + header + i * 8, at);
		else
			vd_put_le32(out + header + i * 4, (uint32_t)at);
		if (i == nblocks)
			break;
		for (size_t j = 0; j < part && zeros; j++)
			zeros = !n->data[i * block + j];
		if (zeros)
			continue;
		if (compress2(out + at, &len, n->data + i * block, part, 9) != Z_OK)
			abort();
		at += len;
	}
	*stored = at;
	return out;
}

static void zisofs_field(const struct isob_node *n, struct fields *f)
{
	uint8_t *p = new_field(f, "ZF", 16);

	if (n->zisofs == 2) {
		p[3] = 2;
		memcpy(p + 4, "PZ", 2);
		p[6] = 6;
		p[7] = 17;
		vd_put_le64(p + 8, n->size);
	} else {
		memcpy(p + 4, "pz", 2);
		p[6] = 4;
		p[7] = 15;
		isob_put32(p + 8, (uint32_t)n->size);
	}
}

enum what { ENTRY, DOT, DOTDOT };

static void rock_fields(const struct isob *b, const struct isob_node *n, enum what what,
			struct fields *f)
{
	static const char er[] = "RRIP_1991A";
	size_t stamp = b->long_times ? 17 : 7;
	uint8_t *p;

	f->n = 0;
	if (what == DOT && n == b->root) {
		p = new_field(f, "SP", 7);
		p[4] = 0xbe;
		p[5] = 0xef;
		p[6] = b->xa ? 14 : 0;
	}
	p = new_field(f, "PX", 36);
	isob_put32(p + 4, n->relocated ? n->relocated->mode : n->mode);
	isob_put32(p + 12, n->nlink);
	isob_put32(p + 20, n->uid);
	isob_put32(p + 28, n->gid);
	p = new_field(f, "TF", 5 + 3 * stamp);
	p[4] = b->long_times ? 0x8e : 0x0e;
	for (unsigned int i = 0; i < 3; i++) {
		/* mtime, atime, ctime */
		if (b->long_times)
			put_date17(p + 5 + i * stamp, n->mtime + i);
		else
			isob_put_date7(p + 5 + i * stamp, n->mtime + i);
	}
	if (what == ENTRY && !n->no_name)
		name_fields(b, f, n->name);
	if (what == ENTRY && n->target)
		link_fields(b, f, n->target);
	if (S_ISCHR(n->mode) || S_ISBLK(n->mode)) {
		p = new_field(f, "PN", 20);
		isob_put32(p + 4, n->major);
		isob_put32(p + 12, n->minor);
	}
	if (what == ENTRY && n->zisofs)
		zisofs_field(n, f);
	if (what == ENTRY && n->relocated)
		isob_put32(new_field(f, "CL", 12) + 4,
			   (n->relocated->extent + b->base * SECTOR) / b->block);
	if (what == ENTRY && n->is_relocated)
		new_field(f, "RE", 4);
	if (what == ENTRY)
		for (const struct isob_extra *x = n->extra; x; x = x->next)
			memcpy(new_field(f, "  ", x->len), x->bytes, x->len);
	if (what == DOT && n == b->root) {
		p = new_field(f, "ER", 8 + sizeof(er) - 1);
		p[4] = sizeof(er) - 1;
		p[7] = 1;
		memcpy(p + 8, er, sizeof(er) - 1);
	}
}

static size_t plain_name(const struct isob_node *n, uint8_t *out)
{
	char text[64];
	size_t len = 0;
	bool dot = false;

	if (n->plain) {
		memcpy(out, n->plain, strlen(n->plain));
		return strlen(n->plain);
	}
	for (const char *s = n->name; *s && len < 28; s++) {
		char c = *s;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		else if (c == '.' && !dot && !S_ISDIR(n->mode))
			dot = true;
		else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			c = '_';
		text[len++] = c;
	}
	if (!S_ISDIR(n->mode)) {
		if (!dot)
			text[len++] = '.';
		text[len++] = ';';
		text[len++] = '1';
	}
	memcpy(out, text, len);
	return len;
}

static size_t utf16_name(const char *s, uint8_t *out)
{
	size_t n = 0;

	while (*s && n < 2 * ISOB_JOLIET_MAX) {
		uint8_t c = (uint8_t)*s++;
		int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		uint32_t u = more == 0 ? c : c & (0x3fu >> more);

		while (more--)
			u = u << 6 | ((uint8_t)*s++ & 0x3f);
		if (u >= 0x10000) {
			vd_put_be16(out + n, (uint16_t)(0xd800 + ((u - 0x10000) >> 10)));
			n += 2;
			u = 0xdc00 + ((u - 0x10000) & 0x3ff);
		}
		vd_put_be16(out + n, (uint16_t)u);
		n += 2;
	}
	return n;
}

/* A directory being written: at first nowhere (image NULL), only counting. */
struct writer {
	struct isob *b;
	uint8_t *image;
	bool joliet;
	uint32_t start; /* byte offset of the directory */
	uint32_t at;	/* in it */
	uint32_t ce;	/* bytes of continuation areas so far; they begin behind the directory */
	uint32_t dir_size;
};

static uint32_t extent_block(const struct isob *b, uint32_t offset)
{
	return (offset + b->base * SECTOR) / b->block;
}

static uint32_t round_up(uint32_t n, uint32_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* Fields that do not fit in @room bytes go to the continuation area. Returns the bytes of the record's part. */
static size_t write_fields(struct writer *w, const struct fields *f, size_t room, uint8_t *out,
			   uint32_t *ce, uint32_t *ce_len)
{
	size_t total = 0, n = 0, i, at = 0;

	for (i = 0; i < f->n; i++)
		total += f->len[i];
	if (total <= room) {
		for (i = 0; i < f->n; at += f->len[i++])
			memcpy(out + at, f->bytes[i], f->len[i]);
		return total;
	}
	for (; at + f->len[n] + 28 <= room; at += f->len[n++])
		memcpy(out + at, f->bytes[n], f->len[n]);
	total -= at;
	/* An area does not cross a block (SUSP 5.1). */
	if (w->ce % w->b->block + total > w->b->block && total <= w->b->block)
		w->ce = round_up(w->ce, w->b->block);
	*ce = w->start + round_up(w->dir_size, SECTOR) + w->ce;
	*ce_len = (uint32_t)total;
	memcpy(out + at, "CE\x1c\x01", 4);
	isob_put32(out + at + 4, extent_block(w->b, *ce));
	isob_put32(out + at + 12, *ce % w->b->block);
	isob_put32(out + at + 20, *ce_len);
	for (uint32_t to = *ce; n < f->n; to += (uint32_t)f->len[n++])
		if (w->image)
			memcpy(w->image + to, f->bytes[n], f->len[n]);
	w->ce += *ce_len;
	return at + 28;
}

static void write_record(struct writer *w, struct isob_node *n, enum what what, uint32_t extent,
			 uint32_t size, uint8_t flags, uint32_t *at, uint32_t *len)
{
	uint8_t r[512] = { 0 };
	uint32_t ce = 0, ce_len = 0;
	struct fields *f = need(malloc(sizeof(*f)));
	size_t name = 1;

	if (what != ENTRY)
		r[33] = what == DOTDOT;
	else if (w->joliet)
		name = utf16_name(n->name, r + 33);
	else
		name = plain_name(n, r + 33);
	r[32] = (uint8_t)name;
	*len = 33 + (uint32_t)name + !(name & 1);
	if (w->b->xa && !w->joliet) {
		vd_put_be16(r + *len + 4, what == ENTRY ? n->xa : 0);
		memcpy(r + *len + 6, "XA", 2);
		*len += 14;
	}
	if (w->b->rock && !w->joliet) {
		rock_fields(w->b, n, what, f);
		*len += (uint32_t)write_fields(w, f, 254 - *len, r + *len, &ce, &ce_len);
		*len += *len & 1;
	}
	free(f);
	if (*len > 255)
		abort();
	r[0] = (uint8_t)*len;
	r[1] = what == ENTRY ? n->ear : 0;
	isob_put32(r + 2, extent_block(w->b, extent) - r[1]);
	isob_put32(r + 10, size);
	isob_put_date7(r + 18, n->mtime);
	r[25] = flags;
	r[27] = what == ENTRY ? n->gap : 0;
	put16(r + 28, 1);
	if (w->at % SECTOR + *len > SECTOR)
		w->at = round_up(w->at, SECTOR);
	*at = w->start + w->at;
	if (w->image)
		memcpy(w->image + *at, r, *len);
	w->at += *len;
	if (what == DOT) {
		n->dot_ce = ce;
		n->dot_ce_len = ce_len;
	} else if (what == ENTRY && !w->joliet) {
		n->ce = ce;
		n->ce_len = ce_len;
	}
}

static uint32_t *dir_extent(struct isob_node *n, bool joliet)
{
	return joliet ? &n->joliet_extent : &n->extent;
}

static uint32_t *dir_size(struct isob_node *n, bool joliet)
{
	return joliet ? &n->joliet_stored : &n->stored;
}

static bool shown(const struct isob_node *n, bool joliet)
{
	return !joliet || S_ISDIR(n->mode) || S_ISREG(n->mode);
}

static void write_entry(struct writer *w, struct isob_node *n)
{
	uint32_t at, len, done = 0;
	bool first = true;

	if (S_ISDIR(n->mode)) {
		write_record(w, n, ENTRY, *dir_extent(n, w->joliet), *dir_size(n, w->joliet),
			     n->flags | 2, &at, &len);
	} else {
		do {
			uint32_t part = n->stored - done, a, l;
			bool more;

			if (n->section && part > n->section)
				part = n->section;
			more = done + part < n->stored;
			write_record(w, n, ENTRY, n->extent + done, part,
				     n->flags | (more ? 0x80 : 0), &a, &l);
			if (first)
				at = a, len = l;
			first = false;
			done += part;
		} while (done < n->stored);
	}
	if (w->joliet)
		n->joliet_record = at, n->joliet_record_len = len;
	else
		n->record = at, n->record_len = len;
}

/* Writes one directory at *at and moves it behind what that took. */
static void write_dir(struct isob *b, struct isob_node *d, bool joliet, bool really, uint32_t *at)
{
	struct writer w = {
		.b = b, .image = really ? b->image : NULL, .joliet = joliet, .start = *at
	};
	struct isob_node *up = d->parent;
	uint32_t a, l;

	w.dir_size = *dir_size(d, joliet);
	*dir_extent(d, joliet) = *at;
	write_record(&w, d, DOT, *at, *dir_size(d, joliet), 2, &a, &l);
	write_record(&w, up, DOTDOT, *dir_extent(up, joliet), *dir_size(up, joliet), 2, &a, &l);
	for (struct isob_node *n = d->child; n; n = n->next)
		if (shown(n, joliet))
			write_entry(&w, n);
	*dir_size(d, joliet) = round_up(w.at, SECTOR);
	*at += round_up(*dir_size(d, joliet) + w.ce, SECTOR);
	for (struct isob_node *n = d->child; n; n = n->next)
		if (S_ISDIR(n->mode))
			write_dir(b, n, joliet, really, at);
}

static void write_files(struct isob *b, struct isob_node *d, bool really, uint32_t *at)
{
	for (struct isob_node *n = d->child; n; n = n->next) {
		if (S_ISDIR(n->mode)) {
			write_files(b, n, really, at);
		} else if (n->data) {
			size_t stored = n->size;
			uint8_t *packed = n->zisofs ? pack_file(n, &stored) : NULL;

			*at += n->ear * b->block;
			n->extent = *at;
			n->stored = (uint32_t)stored;
			if (really)
				memcpy(b->image + *at, packed ? packed : n->data, stored);
			free(packed);
			*at += round_up((uint32_t)stored, SECTOR);
		}
	}
}

static void put_text(uint8_t *p, size_t len, const char *text, bool wide)
{
	for (size_t i = 0; i + wide < len; i += 1 + wide) {
		char c = *text ? *text++ : ' ';

		if (wide)
			p[i] = 0;
		p[i + wide] = (uint8_t)c;
	}
}

static void write_descriptor(struct isob *b, uint32_t at, uint8_t type, uint8_t version,
			     bool joliet)
{
	uint8_t *p = b->image + at, *r = p + 156;

	p[0] = type;
	memcpy(p + 1, "CD001", 5);
	p[6] = version;
	put_text(p + 8, 32, "LINUX", joliet);
	put_text(p + 40, 32, b->volume, joliet);
	isob_put32(p + 80, (uint32_t)(b->size / b->block));
	put16(p + 120, 1);
	put16(p + 124, 1);
	put16(p + 128, (uint16_t)b->block);
	r[0] = 34;
	isob_put32(r + 2, extent_block(b, *dir_extent(b->root, joliet)));
	isob_put32(r + 10, *dir_size(b->root, joliet));
	isob_put_date7(r + 18, b->root->mtime);
	r[25] = 2;
	put16(r + 28, 1);
	r[32] = 1;
	put_text(p + 190, 128, "SET", joliet);
	put_text(p + 318, 128, "PUBLISHER", joliet);
	put_text(p + 446, 128, "PREPARER", joliet);
	put_text(p + 574, 128, "APPLICATION", joliet);
	put_date17(p + 813, 1000000000);
	put_date17(p + 830, 1000000001);
	memset(p + 847, '0', 16);
	put_date17(p + 864, 1000000002);
	p[881] = version;
	if (joliet) {
		p[88] = '%';
		p[89] = '/';
		p[90] = b->joliet_level == 1 ? '@' : b->joliet_level == 2 ? 'C' : 'E';
	}
}

static void write_catalog(struct isob *b)
{
	uint8_t *p = b->image + b->catalog;
	uint16_t sum = 0;

	memcpy(b->image + b->boot_record + 1, "CD001\1EL TORITO SPECIFICATION", 29);
	vd_put_le32(b->image + b->boot_record + 0x47, b->catalog / SECTOR + b->base);
	p[0] = 1;
	memcpy(p + 4, "BUILDER", 7);
	p[30] = 0x55;
	p[31] = 0xaa;
	for (unsigned int i = 0; i < 32; i += 2)
		sum = (uint16_t)(sum + vd_get_le16(p + i));
	vd_put_le16(p + 28, (uint16_t)-sum);
	/* The default entry, a section of two UEFI entries of which the first is extended, the end. */
	p[32] = 0x88;
	vd_put_le16(p + 38, 4);
	vd_put_le32(p + 40, 20);
	p[64] = 0x91;
	p[65] = 0xef;
	vd_put_le16(p + 66, 2);
	memcpy(p + 68, "UEFI", 4);
	p[96] = 0x88;
	p[97] = 0x20;
	vd_put_le32(p + 104, 21);
	p[128] = 0x44;
	p[160] = 0x00;
	p[161] = 0x04;
	vd_put_le32(p + 168, 22);
}

static void lay_out(struct isob *b, bool really)
{
	uint32_t at = 16 * SECTOR;

	b->pvd = at;
	at += SECTOR;
	if (b->boot) {
		b->boot_record = at;
		at += SECTOR;
	}
	if (b->joliet) {
		b->svd = at;
		at += SECTOR;
	}
	if (b->enhanced)
		at += SECTOR;
	b->terminator = at;
	at += SECTOR;
	if (b->boot) {
		b->catalog = at;
		at += SECTOR;
	}
	write_dir(b, b->root, false, really, &at);
	if (b->joliet)
		write_dir(b, b->root, true, really, &at);
	write_files(b, b->root, really, &at);
	b->size = at;
}

void isob_finish(struct isob *b)
{
	/* Sizes, then places that depend on them, then the bytes. */
	lay_out(b, false);
	lay_out(b, false);
	b->image = need(calloc(1, b->size));
	lay_out(b, true);
	write_descriptor(b, b->pvd, 1, 1, false);
	if (b->joliet)
		write_descriptor(b, b->svd, 2, 1, true);
	if (b->enhanced)
		write_descriptor(b, b->terminator - SECTOR, 2, 2, false);
	b->image[b->terminator] = 255;
	memcpy(b->image + b->terminator + 1, "CD001\1", 6);
	if (b->boot)
		write_catalog(b);
}

static uint32_t find_field(const struct isob *b, uint32_t at, uint32_t end, const char *sig,
			   int *nth)
{
	while (at + 4 <= end && b->image[at + 2] >= 4) {
		if (!memcmp(b->image + at, sig, 2) && !(*nth)--)
			return at;
		at += b->image[at + 2];
	}
	return 0;
}

static uint32_t fields_of(const struct isob *b, uint32_t record)
{
	uint32_t name = b->image[record + 32];

	return record + 33 + name + !(name & 1) + (b->xa ? 14 : 0);
}

uint32_t isob_field(const struct isob *b, const struct isob_node *n, const char *sig, int nth)
{
	uint32_t at = find_field(b, fields_of(b, n->record), n->record + n->record_len, sig, &nth);

	return at || !n->ce ? at : find_field(b, n->ce, n->ce + n->ce_len, sig, &nth);
}

uint32_t isob_dot_field(const struct isob *b, const struct isob_node *n, const char *sig)
{
	int nth = 0;
	uint32_t at =
		find_field(b, fields_of(b, n->extent), n->extent + b->image[n->extent], sig, &nth);

	return at || !n->dot_ce ? at
				: find_field(b, n->dot_ce, n->dot_ce + n->dot_ce_len, sig, &nth);
}
