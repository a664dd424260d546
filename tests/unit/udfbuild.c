// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The image, in blocks:
 *
 *     at byte 32768   volume recognition sequence
 *     100, 132        main and reserve volume descriptor sequence
 *     164             logical volume integrity sequence
 *     180, 184        sparing tables
 *     256             anchor
 *     288             the partition: META_BLOCKS for ICBs and folders, then the contents of files
 *     behind it       packets that were moved; the VAT or the second anchor
 *
 * The blocks for ICBs and folders are the first of the partition, or all of a virtual or a metadata partition, which then has them in
 * another order than the physical one.
 */
#include "udfbuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disc/subchannel.h"
#include "util/endian.h"

#define VDS 100u
#define RESERVE 132u
#define LVIS 164u
#define SPARING 180u
#define PARTITION 288u
#define META_BLOCKS 288u
#define DATA_BLOCKS 960u /* as a rule */
#define PACKET 32u
#define SPARES 4u
#define RUN 8u /* blocks of one extent of the metadata file */

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

/* 3/7.2. @crc: bytes behind the tag that it covers. */
static void tag(uint8_t *p, uint16_t id, uint32_t location, uint32_t crc)
{
	vd_put_le16(p, id);
	vd_put_le16(p + 2, 3);
	vd_put_le16(p + 10, (uint16_t)crc);
	vd_put_le32(p + 12, location);
	udfb_retag(p, 0);
}

void udfb_retag(uint8_t *image, uint32_t at)
{
	uint8_t *p = image + at;

	vd_put_le16(p + 8, vd_crc16(p + 16, vd_get_le16(p + 10)));
	p[4] = 0;
	for (int i = 0; i < 16; i++)
		if (i != 4)
			p[4] = (uint8_t)(p[4] + p[i]);
}

/* 1/7.4 */
static void regid(uint8_t *p, const char *identifier, uint16_t revision)
{
	memcpy(p + 1, identifier, strlen(identifier));
	vd_put_le16(p + 24, revision);
}

/* 1/7.2.12 */
static void dstring(uint8_t *p, size_t size, const char *latin1)
{
	p[0] = 8;
	memcpy(p + 1, latin1, strlen(latin1));
	p[size - 1] = (uint8_t)(strlen(latin1) + 1);
}

/* 1/7.3: 2001-02-03 04:05:06.070809, an hour east of Greenwich. */
static const uint8_t a_time[12] = { 60, 0x10, 0xd1, 0x07, 2, 3, 4, 5, 6, 7, 8, 9 };

static size_t unicode(const char *utf8, size_t len, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)utf8;
	size_t n = 1;

	out[0] = 8;
	for (size_t i = 0; i < len; i++)
		if (p[i] >= 0xc4)
			out[0] = 16;
	for (size_t i = 0; i < len;) {
		uint32_t c = p[i];
		int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if (more)
			c &= 0x3fu >> more;
		for (i++; more--; i++)
			c = c << 6 | (p[i] & 0x3f);
		if (out[0] == 8) {
			out[n++] = (uint8_t)c;
			continue;
		}
		if (c >= 0x10000) {
			vd_put_be16(out + n, (uint16_t)(0xd800 + ((c - 0x10000) >> 10)));
			n += 2;
			c = 0xdc00 + (c & 0x3ff);
		}
		vd_put_be16(out + n, (uint16_t)c);
		n += 2;
	}
	return n;
}

void udfb_name(struct udfb_node *n, const char *utf8)
{
	n->name_len = unicode(utf8, strlen(utf8), n->name);
	snprintf(n->shown, sizeof(n->shown), "%s", utf8);
}

void udfb_raw_name(struct udfb_node *n, const void *bytes, size_t len, const char *shown)
{
	memcpy(n->name, bytes, len);
	n->name_len = len;
	snprintf(n->shown, sizeof(n->shown), "%s", shown);
}

static struct udfb_node *new_node(const char *name, uint8_t type, uint32_t mode)
{
	struct udfb_node *n = need(calloc(1, sizeof(*n)));

	if (name)
		udfb_name(n, name);
	n->type = type;
	n->mode = mode;
	n->links = 1;
	n->ad = UDFB_SHORT;
	memcpy(n->time, a_time, sizeof(a_time));
	return n;
}

static struct udfb_node *append(struct udfb_node **list, struct udfb_node *parent,
				struct udfb_node *n)
{
	while (*list)
		list = &(*list)->next;
	*list = n;
	n->parent = parent;
	return n;
}

static void set_data(struct udfb_node *n, const void *data, size_t size)
{
	n->data = need(malloc(size + 1));
	if (size)
		memcpy(n->data, data, size);
	n->size = size;
}

struct udfb *udfb_new(void)
{
	struct udfb *b = need(calloc(1, sizeof(*b)));

	b->block = 2048;
	b->revision = 0x0201;
	b->data_blocks = DATA_BLOCKS;
	b->volume = "Volume";
	b->root = new_node(NULL, 4, 0755);
	b->root->parent = b->root;
	return b;
}

static void free_nodes(struct udfb_node *n)
{
	while (n) {
		struct udfb_node *next = n->next;

		free_nodes(n->child);
		free_nodes(n->streams);
		free(n->data);
		free(n);
		n = next;
	}
}

void udfb_free(struct udfb *b)
{
	if (!b)
		return;
	free_nodes(b->root);
	free(b->image);
	free(b);
}

struct udfb_node *udfb_dir(struct udfb *b, struct udfb_node *parent, const char *name)
{
	struct udfb_node *up = parent ? parent : b->root;
	struct udfb_node *n = new_node(name, 4, 0755);

	n->flags = 2;
	return append(&up->child, up, n);
}

struct udfb_node *udfb_file(struct udfb *b, struct udfb_node *parent, const char *name,
			    const void *data, size_t size)
{
	struct udfb_node *up = parent ? parent : b->root;
	struct udfb_node *n = new_node(name, 5, 0644);

	set_data(n, data, size);
	return append(&up->child, up, n);
}

/* 4/14.16.1 */
struct udfb_node *udfb_link(struct udfb *b, struct udfb_node *parent, const char *name,
			    const char *target)
{
	struct udfb_node *n = udfb_file(b, parent, name, "", 0);
	uint8_t path[4096];
	size_t at = 0;

	n->type = 12;
	snprintf(n->target, sizeof(n->target), "%s", target);
	if (*target == '/') {
		memcpy(path, "\2\0\0\0", 4);
		at = 4;
	}
	while (*target) {
		size_t len = strcspn(target, "/");
		uint8_t *c = path + at;

		memset(c, 0, 4);
		if (len) {
			c[0] = !strncmp(target, "..", len) ? (len == 2 ? 3 : 4) : 5;
			if (c[0] == 5)
				c[1] = (uint8_t)unicode(target, len, c + 4);
			at += 4u + c[1];
		}
		target += len + (target[len] == '/');
	}
	free(n->data);
	set_data(n, path, at);
	return n;
}

struct udfb_node *udfb_stream(struct udfb *b, struct udfb_node *owner, const char *name,
			      const void *data, size_t size)
{
	struct udfb_node *n = new_node(name, 5, 0644);

	(void)b;
	set_data(n, data, size);
	return append(&owner->streams, owner, n);
}

/* Places. */

/* The partition reference of ICBs and folders, and of contents. */
static uint16_t meta_ref(const struct udfb *b)
{
	return b->kind >= UDFB_VIRTUAL_150;
}

/* The block of the physical partition that a block for ICBs and folders is. */
static uint32_t meta_physical(const struct udfb *b, uint32_t block)
{
	switch (b->kind) {
	case UDFB_VIRTUAL_150:
	case UDFB_VIRTUAL_200:
		return block * 7 % META_BLOCKS; /* 7 and 288 have no common divisor */
	case UDFB_METADATA:
		return block / RUN * 5 % (META_BLOCKS / RUN) * RUN + block % RUN;
	default:
		return block;
	}
}

/* The same in the mirror's own blocks. */
static uint32_t copy_physical(const struct udfb *b, uint32_t block)
{
	return b->copy + (META_BLOCKS / RUN - 1 - block / RUN) * RUN + block % RUN;
}

static uint32_t data_at(const struct udfb *b, uint32_t block)
{
	return (PARTITION + block) * b->block;
}

static uint32_t meta_at(const struct udfb *b, uint32_t block)
{
	return data_at(b, meta_physical(b, block));
}

static uint32_t take_meta(struct udfb *b, uint32_t n)
{
	uint32_t block = b->next_meta;

	b->next_meta += n;
	if (b->next_meta > META_BLOCKS)
		abort();
	return block;
}

static uint32_t take_data(struct udfb *b, uint32_t n)
{
	uint32_t block = b->next_data;

	b->next_data += n;
	if (b->next_data > META_BLOCKS + b->data_blocks)
		abort();
	return block;
}

/* File entries. */

static void long_ad(uint8_t *p, uint32_t len, uint32_t block, uint16_t ref)
{
	vd_put_le32(p, len);
	vd_put_le32(p + 4, block);
	vd_put_le16(p + 8, ref);
}

/* 4/14.14.1 to 3. Returns its size. */
static uint32_t put_ad(uint8_t *p, enum udfb_ad form, uint32_t len, uint32_t type, uint32_t block,
		       uint16_t ref)
{
	static const uint32_t sizes[] = { 8, 16, 20 };

	vd_put_le32(p, len | type << 30);
	if (form == UDFB_EXTENDED) {
		vd_put_le32(p + 4, len);
		vd_put_le32(p + 8, len);
		vd_put_le32(p + 12, block);
		vd_put_le16(p + 16, ref);
	} else if (form == UDFB_LONG) {
		long_ad(p, len | type << 30, block, ref);
	} else {
		vd_put_le32(p + 4, block);
	}
	return sizes[form];
}

struct ads {
	struct udfb *b;
	struct udfb_node *n;
	uint8_t *at;
	uint32_t len, count; /* here; of all pieces */
	uint8_t *aed;	     /* where they are, when that is no file entry */
	uint32_t aed_block;
	uint32_t *entry_len;
	uint32_t entry_value;
};

static void close_aed(struct ads *a)
{
	if (!a->aed) {
		a->entry_value = a->len;
		return;
	}
	/* 4/14.5 */
	vd_put_le32(a->aed + 20, a->len);
	tag(a->aed, 258, a->aed_block, 8 + a->len);
}

static void add_ad(struct ads *a, uint32_t len, uint32_t type, uint32_t block, uint16_t ref)
{
	if (a->n->ads && a->count && a->count % a->n->ads == 0) {
		uint32_t next = take_meta(a->b, 1);

		a->len += put_ad(a->at + a->len, a->n->ad, a->b->block, 3, next, meta_ref(a->b));
		close_aed(a);
		a->aed_block = next;
		a->aed = a->b->image + meta_at(a->b, next);
		if (!a->n->aed)
			a->n->aed = meta_at(a->b, next);
		a->at = a->aed + 24;
		a->len = 0;
	}
	a->len += put_ad(a->at + a->len, a->n->ad, len, type, block, ref);
	a->count++;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* Where a folder is, and what short descriptors point to, is beside the ICBs. */
static uint32_t put_contents(struct udfb *b, struct udfb_node *n, const uint8_t *data, size_t size,
			     uint8_t *ads)
{
	const bool in_meta = n->type == 4 || n->type == 13 || (meta_ref(b) && n->ad == UDFB_SHORT);
	/* An extent of a virtual partition is a block at most (UDF 2.3.10). */
	const bool single = in_meta && meta_ref(b) && b->kind != UDFB_METADATA;
	const uint32_t whole = (uint32_t)((size + b->block - 1) / b->block);
	const uint32_t piece = single ? 1 : n->piece ? n->piece : whole;
	struct ads a = { .b = b, .n = n, .at = ads };

	for (size_t off = 0; off < size; off += (size_t)piece * b->block) {
		size_t len = size - off < (size_t)piece * b->block ? size - off
								   : (size_t)piece * b->block;
		uint32_t blocks = (uint32_t)((len + b->block - 1) / b->block), block, at;
		bool hole = n->piece && all_zero(data + off, len);

		if (hole && a.count % 2) {
			add_ad(&a, (uint32_t)len, 2, 0, 0);
			continue;
		}
		block = in_meta ? take_meta(b, blocks) : take_data(b, blocks + (n->piece != 0));
		at = in_meta ? meta_at(b, block) : data_at(b, block);
		if (!n->content) {
			n->content = at;
			n->first = block;
		}
		if (hole) /* allocated, and never written */
			memset(b->image + at, 0xee, len);
		for (uint32_t i = 0; !hole && i < blocks; i++) {
			size_t part = len - (size_t)i * b->block;

			memcpy(b->image + (in_meta ? meta_at(b, block + i) : at + i * b->block),
			       data + off + (size_t)i * b->block,
			       part < b->block ? part : b->block);
		}
		add_ad(&a, (uint32_t)len, hole, block, in_meta ? meta_ref(b) : 0);
	}
	close_aed(&a);
	return a.entry_value;
}

/* 4/14.9.5: the bits for changing attributes and deleting are nobody's here. */
static uint32_t permissions(uint32_t mode)
{
	return (mode & 07) | (mode & 070) << 2 | (mode & 0700) << 4;
}

/* 4/14.10.1, and a device specification, 4/14.10.7. Returns their bytes. */
static uint32_t put_device(uint8_t *e, uint32_t location, const struct udfb_node *n)
{
	vd_put_le32(e + 16, 24 + 24);
	vd_put_le32(e + 20, 24 + 24);
	tag(e, 262, location, 8);
	vd_put_le32(e + 24, 12);
	e[28] = 1;
	vd_put_le32(e + 32, 24);
	vd_put_le32(e + 40, n->major);
	vd_put_le32(e + 44, n->minor);
	return 24 + 24;
}

static void put_entry(struct udfb *b, struct udfb_node *n, uint32_t at, uint32_t block,
		      const uint8_t *data, size_t size, uint32_t streams);

/* A file of extended attributes (4/14.6.6, type 8). */
static uint32_t put_attributes(struct udfb *b, const struct udfb_node *owner)
{
	struct udfb_node n = { .type = 8, .links = 1, .ad = UDFB_EMBEDDED };
	uint32_t block = take_meta(b, 1);
	uint8_t ea[48] = { 0 };
	uint32_t len = put_device(ea, block, owner);

	memcpy(n.time, a_time, sizeof(a_time));
	put_entry(b, &n, meta_at(b, block), block, ea, len, 0);
	return block;
}

/* 4/14.9 and 4/14.17 */
static void put_entry(struct udfb *b, struct udfb_node *n, uint32_t at, uint32_t block,
		      const uint8_t *data, size_t size, uint32_t streams)
{
	uint8_t *p = b->image + at;
	const bool ext = b->extended;
	uint32_t fixed = ext ? 216 : 176, ea = 0, ads = 0;

	memset(p, 0, b->block);
	vd_put_le16(p + 20, n->strategy4096 ? 4096 : 4);
	vd_put_le16(p + 24, n->strategy4096 ? 2 : 1);
	p[27] = n->type;
	vd_put_le16(p + 34,
		    (uint16_t)(n->ad | (n->mode & S_ISUID ? 0x40 : 0) |
			       (n->mode & S_ISGID ? 0x80 : 0) | (n->mode & S_ISVTX ? 0x100 : 0)));
	vd_put_le32(p + 36, n->uid);
	vd_put_le32(p + 40, n->gid);
	vd_put_le32(p + 44, permissions(n->mode));
	vd_put_le16(p + 48, n->links);
	vd_put_le64(p + 56, size);
	if (ext)
		vd_put_le64(p + 64, size);
	for (int i = 0; i < (ext ? 4 : 3); i++)
		memcpy(p + (ext ? 80 : 72) + 12 * i, n->time, 12);
	vd_put_le32(p + (ext ? 128 : 108), 1);
	regid(p + (ext ? 168 : 128), "*vdrive tests", 0);
	vd_put_le64(p + (ext ? 200 : 160), b->unique++);
	if (streams)
		long_ad(p + 152, b->block, streams, meta_ref(b));
	if (n->ea_outside)
		long_ad(p + (ext ? 136 : 112), b->block, put_attributes(b, n), meta_ref(b));
	else if (n->type == 6 || n->type == 7)
		ea = put_device(p + fixed, block, n);
	if (n->ad == UDFB_EMBEDDED) {
		memcpy(p + fixed + ea, data, size);
		n->content = at + fixed + ea;
		ads = (uint32_t)size;
	} else {
		ads = put_contents(b, n, data, size, p + fixed + ea);
	}
	vd_put_le64(p + (ext ? 72 : 64),
		    n->ad == UDFB_EMBEDDED ? 0 : (size + b->block - 1) / b->block);
	vd_put_le32(p + (ext ? 208 : 168), ea);
	vd_put_le32(p + (ext ? 212 : 172), ads);
	if (fixed + ea + ads > b->block)
		abort();
	tag(p, ext ? 266 : 261, block, fixed + ea + ads - 16);
}

/* 4/14.4. Returns its length; with no @n it is the parent's. */
static uint32_t put_fid(struct udfb *b, uint8_t *p, const struct udfb_node *n, uint32_t block,
			uint32_t location)
{
	const uint32_t use = n ? n->use : 0, name = n ? (uint32_t)n->name_len : 0;
	const uint32_t len = (38 + use + name + 3) & ~3u;

	memset(p, 0, len);
	vd_put_le16(p + 16, 1);
	p[18] = n ? n->flags : 0x0a;
	p[19] = (uint8_t)name;
	/* What was deleted need not be anywhere (UDF 2.3.4.2). */
	long_ad(p + 20, n && n->flags & 4 ? 0 : b->block, block, meta_ref(b));
	vd_put_le16(p + 36, (uint16_t)use);
	if (n)
		memcpy(p + 38 + use, n->name, name);
	tag(p, 257, location, len - 16);
	return len;
}

static void put_node(struct udfb *b, struct udfb_node *n);

/* A folder's identifiers, of the first @max of @list. Their places are set once it is known where they are. */
static size_t make_folder(struct udfb *b, const struct udfb_node *parent, struct udfb_node *list,
			  uint32_t own, size_t max, uint8_t *out)
{
	size_t len = put_fid(b, out, NULL, parent->block, own);

	for (struct udfb_node *n = list; n && max--; n = n->next) {
		n->fid = (uint32_t)len;
		n->fid_len = put_fid(b, out + len, n, n->same ? n->same->block : n->block, own);
		len += n->fid_len;
	}
	return len;
}

/* From the offset in a folder to that in the image. Its blocks follow each other in their partition. */
static void place_fids(struct udfb *b, const struct udfb_node *dir, struct udfb_node *list)
{
	for (struct udfb_node *n = list; n; n = n->next)
		n->fid = dir->ad == UDFB_EMBEDDED
				 ? dir->content + n->fid
				 : meta_at(b, dir->first + n->fid / b->block) + n->fid % b->block;
}

static void put_folder(struct udfb *b, struct udfb_node *n, struct udfb_node *list,
		       const struct udfb_node *parent, uint32_t streams)
{
	uint8_t *folder = need(calloc(1, 200000));
	size_t len = make_folder(b, parent, list, n->block, SIZE_MAX, folder);

	put_entry(b, n, n->entry, n->block, folder, len, streams);
	place_fids(b, n, list);
	free(folder);
}

static uint32_t put_streams(struct udfb *b, struct udfb_node *owner)
{
	struct udfb_node dir = { .type = 13, .links = 1, .ad = UDFB_SHORT };

	if (!owner->streams)
		return 0;
	for (struct udfb_node *s = owner->streams; s; s = s->next)
		put_node(b, s);
	dir.block = take_meta(b, 1);
	dir.entry = meta_at(b, dir.block);
	memcpy(dir.time, a_time, sizeof(a_time));
	put_folder(b, &dir, owner->streams, owner, 0);
	return dir.block;
}

static void put_node(struct udfb *b, struct udfb_node *n)
{
	uint32_t streams;

	if (n->same)
		return;
	if (n->strategy4096) {
		/* UDF 6.6: an old entry, an indirect one (4/14.7) to the new, and one that leads nowhere. */
		uint32_t first = take_meta(b, 4);
		struct udfb_node old = {
			.type = n->type, .strategy4096 = true, .links = 1, .ad = UDFB_EMBEDDED
		};

		put_entry(b, &old, meta_at(b, first), first, (const uint8_t *)"old", 3, 0);
		for (uint32_t i = 1; i < 4; i += 2) {
			uint8_t *p = b->image + meta_at(b, first + i);

			vd_put_le16(p + 20, 4096);
			p[27] = 3;
			if (i == 1)
				long_ad(p + 36, 2 * b->block, first + 2, meta_ref(b));
			tag(p, 259, first + i, 52 - 16);
		}
		n->older = meta_at(b, first);
		n->entry = meta_at(b, first + 2);
		n->block = first;
		put_entry(b, n, n->entry, first + 2, n->data, n->size, 0);
		return;
	}
	if (n != b->root)
		n->block = take_meta(b, 1);
	n->entry = meta_at(b, n->block);
	streams = put_streams(b, n);
	for (struct udfb_node *c = n->child; c; c = c->next)
		put_node(b, c);
	if (n->type == 4)
		put_folder(b, n, n->child, n->parent, streams);
	else
		put_entry(b, n, n->entry, n->block, n->data, n->size, streams);
}

/* The volume. */

static void put_vrs(struct udfb *b)
{
	const uint32_t step = b->block > 2048 ? b->block : 2048;
	const char *const ids[] = { "BEA01", b->revision >= 0x0200 ? "NSR03" : "NSR02", "TEA01" };

	/* 2/9.1 */
	for (uint32_t i = 0; i < 3; i++) {
		memcpy(b->image + 32768 + i * step + 1, ids[i], 5);
		b->image[32768 + i * step + 6] = 1;
	}
}

static void put_anchor(struct udfb *b, uint32_t block)
{
	uint8_t *p = b->image + (size_t)block * b->block;

	/* 3/10.2 */
	vd_put_le32(p + 16, 16 * b->block);
	vd_put_le32(p + 20, b->base + VDS);
	vd_put_le32(p + 24, 16 * b->block);
	vd_put_le32(p + 28, b->base + RESERVE);
	tag(p, 2, b->base + block, 496);
}

/* 3/10.7.3; UDF 2.2.8 to 2.2.10 */
static uint32_t put_maps(const struct udfb *b, uint8_t *p)
{
	uint8_t *m = p;

	if (b->kind != UDFB_SPARABLE) {
		memcpy(m, "\1\6\1\0\0\0", 6);
		m += 6;
	}
	if (b->kind == UDFB_PHYSICAL)
		return 6;
	m[0] = 2;
	m[1] = 64;
	vd_put_le16(m + 36, 1);
	if (b->kind == UDFB_SPARABLE) {
		regid(m + 4, "*UDF Sparable Partition", b->revision);
		vd_put_le16(m + 40, PACKET);
		m[42] = 2;
		vd_put_le32(m + 44, b->block);
		vd_put_le32(m + 48, b->base + SPARING);
		vd_put_le32(m + 52, b->base + SPARING + 4);
	} else if (b->kind == UDFB_METADATA) {
		regid(m + 4, "*UDF Metadata Partition", b->revision);
		vd_put_le32(m + 40, (b->metadata / b->block) - PARTITION);
		vd_put_le32(m + 44, (b->mirror / b->block) - PARTITION);
		vd_put_le32(m + 48, UINT32_MAX);
		vd_put_le32(m + 52, 32);
		vd_put_le16(m + 56, 1);
		m[58] = b->duplicated;
	} else {
		regid(m + 4, "*UDF Virtual Partition",
		      b->kind == UDFB_VIRTUAL_150 ? 0x0150 : b->revision);
	}
	return (uint32_t)(m - p) + 64;
}

static void put_vds(struct udfb *b, uint32_t first)
{
	uint8_t *p = b->image + (size_t)first * b->block;
	uint32_t maps;

	/* 3/10.1 */
	dstring(p + 24, 32, b->volume);
	vd_put_le16(p + 56, 1);
	vd_put_le16(p + 58, 1);
	dstring(p + 72, 128, "0123456789abcdefSet");
	regid(p + 344, "*an application", 0);
	memcpy(p + 376, a_time, 12);
	regid(p + 388, "*vdrive tests", 0);
	tag(p, 1, b->base + first, 496);
	/* 3/10.6 */
	p += b->block;
	vd_put_le32(p + 16, 1);
	dstring(p + 84, 128, "Logical \xe9");
	vd_put_le32(p + 212, b->block);
	regid(p + 216, "*OSTA UDF Compliant", b->revision);
	long_ad(p + 248, b->block, b->fsd / b->block, meta_ref(b));
	vd_put_le32(p + 268, b->kind == UDFB_PHYSICAL || b->kind == UDFB_SPARABLE ? 1 : 2);
	vd_put_le32(p + 432, 2 * b->block);
	vd_put_le32(p + 436, b->base + LVIS);
	maps = put_maps(b, p + 440);
	vd_put_le32(p + 264, maps);
	tag(p, 6, b->base + first + 1, 440 + maps - 16);
	/* 3/10.5 */
	p += b->block;
	vd_put_le32(p + 16, 2);
	vd_put_le16(p + 20, 1);
	regid(p + 24, b->revision >= 0x0200 ? "+NSR03" : "+NSR02", 0);
	vd_put_le32(p + 184, b->kind == UDFB_SPARABLE ? 3 : 4);
	vd_put_le32(p + 188, b->base + PARTITION);
	vd_put_le32(p + 192, META_BLOCKS + b->data_blocks);
	tag(p, 5, b->base + first + 2, 496);
	/* 3/10.9 */
	p += b->block;
	tag(p, 8, b->base + first + 3, 496);
}

/* 3/10.10 */
static void put_lvid(struct udfb *b)
{
	uint8_t *p = b->image + (size_t)LVIS * b->block;

	memcpy(p + 16, a_time, 12);
	vd_put_le32(p + 28, 1);
	vd_put_le32(p + 72, 1);
	vd_put_le32(p + 76, 46);
	vd_put_le32(p + 88 + 32, 3);
	vd_put_le32(p + 88 + 36, 2);
	tag(p, 9, b->base + LVIS, 88 + 46 - 16);
}

/* 4/14.1 */
static void put_fsd(struct udfb *b, uint32_t block)
{
	uint8_t *p = b->image + meta_at(b, block);

	memcpy(p + 16, a_time, 12);
	dstring(p + 112, 128, "Logical \xe9");
	dstring(p + 304, 32, "Files");
	long_ad(p + 400, b->block, b->root->block, meta_ref(b));
	regid(p + 416, "*OSTA UDF Compliant", b->revision);
	tag(p, 256, block, 496);
}

/* UDF 2.2.12. Two packets move: the first, with ICBs in it, and the first of contents. */
static void move_packets(struct udfb *b)
{
	const uint32_t moved[] = { 0, META_BLOCKS };

	for (uint32_t i = 0; i < 2; i++) {
		uint8_t *p = b->image + data_at(b, moved[i]);
		uint32_t to = b->spare + i * PACKET;

		memcpy(b->image + (size_t)to * b->block, p, (size_t)PACKET * b->block);
		memset(p, 0xdd, (size_t)PACKET * b->block);
	}
	for (uint32_t t = 0; t < 2; t++) {
		uint32_t location = SPARING + 4 * t;
		uint8_t *p = b->image + (size_t)location * b->block;

		regid(p + 16, "*UDF Sparing Table", b->revision);
		vd_put_le16(p + 48, SPARES);
		vd_put_le32(p + 52, 7 + t);
		for (uint32_t i = 0; i < SPARES; i++) {
			/* In ascending order; two are free. */
			vd_put_le32(p + 56 + 8 * i, i < 2 ? moved[i] : UINT32_MAX);
			vd_put_le32(p + 60 + 8 * i, b->base + b->spare + i * PACKET);
		}
		tag(p, 0, b->base + location, 56 + 8 * SPARES - 16);
		b->sparing[t] = location * b->block;
	}
}

/* UDF 2.2.11, and 2.2.10 of UDF 1.50: the table of all blocks, at block @at of the partition, its ICB behind it. */
static uint32_t put_vat(struct udfb *b, uint32_t at, uint32_t root, uint32_t previous)
{
	const bool old = b->kind == UDFB_VIRTUAL_150;
	const uint32_t header = old ? 0 : 160, len = header + 4 * META_BLOCKS + (old ? 36 : 0);
	const uint32_t blocks = (len + b->block - 1) / b->block;
	uint8_t *p = b->image + data_at(b, at), *e = p + (size_t)blocks * b->block;

	if (!old) {
		vd_put_le16(p, (uint16_t)header);
		vd_put_le16(p + 2, (uint16_t)(header - 152));
		dstring(p + 4, 128, "Logical");
		vd_put_le32(p + 132, previous);
		vd_put_le32(p + 136, 7); /* other counts than the integrity descriptor's */
		vd_put_le32(p + 140, 6);
	}
	for (uint32_t i = 0; i < META_BLOCKS; i++)
		vd_put_le32(p + header + 4 * i,
			    i < b->next_meta ? meta_physical(b, i) : UINT32_MAX);
	vd_put_le32(p + header + 4 * b->root->block, root);
	if (old) {
		regid(p + 4 * META_BLOCKS, "*UDF Virtual Alloc Tbl", 0x0150);
		vd_put_le32(p + 4 * META_BLOCKS + 32, previous);
	}
	b->vat_data = data_at(b, at);
	/* 4/14.9: in one extent of the physical partition. */
	vd_put_le16(e + 20, 4);
	vd_put_le16(e + 24, 1);
	e[27] = old ? 0 : 248;
	vd_put_le16(e + 48, 1);
	vd_put_le64(e + 56, len);
	vd_put_le64(e + 64, blocks);
	for (int i = 0; i < 3; i++)
		memcpy(e + 72 + 12 * i, a_time, 12);
	vd_put_le32(e + 172, 8);
	put_ad(e + 176, UDFB_SHORT, len, 0, at, 0);
	tag(e, 261, at + blocks, 176 + 8 - 16);
	b->vat = (uint32_t)(e - b->image);
	return at + blocks;
}

/* An entry of the root with but its first name in it, at block @at. */
static void put_older_root(struct udfb *b, uint32_t at)
{
	struct udfb_node old = *b->root;
	uint8_t *folder = need(calloc(1, 4096));
	struct udfb_node first = *b->root->child;
	size_t len;

	old.ad = UDFB_EMBEDDED;
	len = make_folder(b, b->root, &first, b->root->block, 1, folder);
	put_entry(b, &old, data_at(b, at), b->root->block, folder, len, 0);
	free(folder);
}

/* UDF 2.2.13: its blocks are in extents that follow each other in another order than on the disc. */
static void put_metadata_file(struct udfb *b, uint32_t block, uint8_t type, bool copy)
{
	uint8_t *p = b->image + data_at(b, block);
	uint32_t ads = 0;

	vd_put_le16(p + 20, 4);
	vd_put_le16(p + 24, 1);
	p[27] = type;
	vd_put_le16(p + 48, 1);
	vd_put_le64(p + 56, (uint64_t)META_BLOCKS * b->block);
	vd_put_le64(p + 64, (uint64_t)META_BLOCKS * b->block);
	vd_put_le64(p + 72, META_BLOCKS);
	for (int i = 0; i < 4; i++)
		memcpy(p + 80 + 12 * i, a_time, 12);
	for (uint32_t i = 0; i < META_BLOCKS; i += RUN)
		ads += put_ad(p + 216 + ads, UDFB_SHORT, RUN * b->block, 0,
			      copy ? copy_physical(b, i) : meta_physical(b, i), 0);
	vd_put_le32(p + 212, ads);
	tag(p, 266, block, 216 + ads - 16);
}

void udfb_finish(struct udfb *b)
{
	const bool is_virtual = b->kind == UDFB_VIRTUAL_150 || b->kind == UDFB_VIRTUAL_200;
	uint32_t fsd, blocks, at, end;

	if (b->duplicated)
		b->data_blocks += META_BLOCKS;
	b->data_blocks += b->gap;
	end = PARTITION + META_BLOCKS + b->data_blocks;
	b->spare = (end + PACKET - 1) / PACKET * PACKET;
	blocks = b->spare + SPARES * PACKET + 1;
	b->size = (size_t)blocks * b->block;
	b->image = need(calloc(1, b->size));
	b->next_data = META_BLOCKS;
	fsd = take_meta(b, 1);
	b->root->block = take_meta(b, 1);
	/* The address, and the place when all is done: descriptors want the one, tests the other. */
	b->fsd = fsd * b->block;
	if (b->kind == UDFB_METADATA) {
		b->metadata = data_at(b, take_data(b, 1));
		b->mirror = data_at(b, take_data(b, 1));
		b->copy = b->duplicated ? take_data(b, META_BLOCKS) : 0;
		put_metadata_file(b, b->metadata / b->block - PARTITION, 250, false);
		put_metadata_file(b, b->mirror / b->block - PARTITION, 251, b->duplicated);
		if (b->no_main_metadata)
			b->image[b->metadata + 300] ^= 1;
	}
	put_node(b, b->root);
	put_fsd(b, fsd);
	for (uint32_t i = 0; b->duplicated && i < META_BLOCKS; i++)
		memcpy(b->image + data_at(b, copy_physical(b, i)), b->image + meta_at(b, i),
		       b->block);
	put_vrs(b);
	put_vds(b, VDS);
	put_vds(b, RESERVE);
	put_lvid(b);
	put_anchor(b, 256);
	b->fsd = meta_at(b, fsd);
	b->anchor = 256 * b->block;
	b->partition = PARTITION * b->block;
	b->pvd = VDS * b->block;
	b->lvd = b->pvd + b->block;
	b->pd = b->lvd + b->block;
	b->reserve = RESERVE * b->block;
	b->lvid = LVIS * b->block;
	if (b->kind == UDFB_SPARABLE)
		move_packets(b);
	if (is_virtual) {
		uint32_t previous = UINT32_MAX;

		at = b->next_data;
		if (b->sessions) {
			put_older_root(b, at);
			previous = put_vat(b, at + 1, at, UINT32_MAX);
			b->older_vat = b->vat;
			at = previous + 1 + b->gap;
		}
		at = put_vat(b, at, meta_physical(b, b->root->block), previous);
		/* Its ICB is the last block; the image ends at whole 2048 bytes. */
		b->size = ((size_t)data_at(b, at + 1) + 2047) / 2048 * 2048;
	} else {
		b->size = b->size / 2048 * 2048;
		blocks = (uint32_t)(b->size / b->block);
		put_anchor(b, blocks - 1);
		b->last_anchor = (blocks - 1) * b->block;
	}
}

void udfb_fill(struct udfb *b, enum udfb_ad ad)
{
	/* Slashes, a NUL, "." and "..", an unknown compression, UTF-16 cut in half, an unpaired surrogate, nothing. */
	static const struct {
		const char *bytes;
		size_t len;
		const char *shown;
	} names[] = {
		{ "\10a/b", 4, "a_b#F667" },
		{ "\10a//b.txt", 9, "a_b#AD1F.txt" },
		{ "\10z\0z.longer", 11, "z_z.longer#51E9" },
		{ "\10.", 2, ".#C5AC" },
		{ "\10..", 3, "..#E045" },
		{ "\20\0x\0/\0.\0y", 9, "x_#08F8.y" },
		{ "\11what", 5, "_#279A" },
		{ "\20\0a\0", 4, "_#381B" },
		{ "\20\xd8\0\0a", 5,
		  "\xef\xbf\xbd"
		  "a" },
		{ "", 0, "_#0000" },
	};
	struct udfb_node *first = udfb_file(b, NULL, "first", "1", 1), *d, *n;
	static uint8_t data[70000];
	char text[300];

	/* A third of it are holes, where it is written in pieces. */
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / 8192 % 3 == 1 ? 0 : i * 7 >> 3);
	first->ad = UDFB_EMBEDDED;
	d = udfb_dir(b, NULL, "folder \xe2\x82\xac");
	d->mode = 0750;
	udfb_dir(b, d, "empty");
	n = udfb_dir(b, d, "embedded");
	n->ad = UDFB_EMBEDDED;
	udfb_file(b, n, "inside", "in", 2)->ad = UDFB_EMBEDDED;
	n = udfb_file(b, d, "whole", data, sizeof(data));
	n->ad = ad;
	n->mode = 06711;
	n->uid = 1000;
	n->gid = 100;
	n = udfb_file(b, d, "pieces", data, sizeof(data));
	n->ad = ad;
	n->piece = 8192 / b->block;
	n = udfb_file(b, d, "continued", data, sizeof(data));
	n->ad = ad;
	n->piece = 8192 / b->block;
	n->ads = 2;
	n = udfb_file(b, d, "versions", "new", 3);
	n->strategy4096 = true;
	n->ad = UDFB_EMBEDDED;
	udfb_file(b, d, "nothing", "", 0)->ad = ad;
	n = udfb_file(b, d, "again", "", 0);
	n->same = first;
	first->links = 2;
	udfb_link(b, d, "to root", "/")->ad = UDFB_EMBEDDED;
	udfb_link(b, d, "to elsewhere", "../a/./\xe2\x82\xac/b.txt")->ad = UDFB_EMBEDDED;
	udfb_link(b, d, "to nowhere", "/some/where")->ad = ad == UDFB_EMBEDDED ? ad : UDFB_LONG;
	n = udfb_file(b, d, "char", "", 0);
	n->type = 7;
	n->major = 259;
	n->minor = 70000;
	n = udfb_file(b, d, "block", "", 0);
	n->type = 6;
	n->major = 8;
	n->minor = 17;
	n->ea_outside = true;
	udfb_file(b, d, "fifo", "", 0)->type = 9;
	udfb_file(b, d, "socket", "", 0)->type = 10;
	n = udfb_file(b, d, "nobody", "", 0);
	n->uid = n->gid = UINT32_MAX;
	n = udfb_file(b, d, "deleted", "", 0);
	n->flags = 4;
	n->shown[0] = '\0';
	n = udfb_file(b, d, "hidden", "", 0);
	n->flags = 1;
	n->shown[0] = '\0';
	udfb_file(b, d, "use", "", 0)->use = 44;
	udfb_file(b, d, "disc \xf0\x9f\x92\xbf", "", 0);
	memset(text, 'n', 254);
	text[254] = '\0';
	udfb_file(b, d, text, "", 0);
	for (size_t i = 0; i < 85; i++)
		memcpy(text + 3 * i, "\xe6\xbc\xa2", 3);
	text[255] = '\0';
	udfb_file(b, d, text, "", 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = udfb_file(b, d, NULL, "", 0);
		udfb_raw_name(n, names[i].bytes, names[i].len, names[i].shown);
	}
	d = udfb_dir(b, NULL, "many");
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "file number %02d", i);
		n = udfb_file(b, d, text, data, (size_t)i);
		n->ad = UDFB_EMBEDDED;
	}
}
