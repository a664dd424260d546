// SPDX-License-Identifier: GPL-3.0-or-later
#include "fs/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fs/iso9660/iso9660.h"
#include "fs/udf/udf.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define APM_MAX 16u /* entries of an Apple partition map that are looked at */

enum option_kind { OPT_FLAG, OPT_SESSION, OPT_ID, OPT_MODE, OPT_MAP, OPT_CHECK };

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t value; /* offset in struct vd_fs_options */
	size_t has;   /* of the flag that says it was given; 0: none */
};

#define OPT(n, k, v)                                                                               \
	{                                                                                          \
		n, k, offsetof(struct vd_fs_options, v), 0                                         \
	}
#define OPT_HAS(n, k, v)                                                                           \
	{                                                                                          \
		n, k, offsetof(struct vd_fs_options, v), offsetof(struct vd_fs_options, has_##v)   \
	}

static const struct option_row option_rows[] = {
	OPT("norock", OPT_FLAG, norock),
	OPT("nojoliet", OPT_FLAG, nojoliet),
	OPT("hide", OPT_FLAG, hide),
	OPT("showassoc", OPT_FLAG, showassoc),
	OPT("udf", OPT_FLAG, udf),
	OPT("iso9660", OPT_FLAG, iso9660),
	OPT("unhide", OPT_FLAG, unhide),
	OPT("streams", OPT_FLAG, streams),
	OPT("map", OPT_MAP, map_off),
	OPT("check", OPT_CHECK, check),
	OPT("session", OPT_SESSION, session),
	OPT_HAS("uid", OPT_ID, uid),
	OPT_HAS("gid", OPT_ID, gid),
	OPT_HAS("mode", OPT_MODE, mode),
	OPT_HAS("dmode", OPT_MODE, dmode),
};

static int parse_number(const char *text, int base, unsigned long max, unsigned long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoul(text, &end, base);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static bool is_prefix(const char *text, const char *word)
{
	size_t n = strlen(text);

	return n && !strncmp(text, word, n);
}

static int set_value(struct vd_fs_options *o, const struct option_row *row, const char *value,
		     struct vd_error *err)
{
	char *at = (char *)o + row->value;
	unsigned long n = 0;

	switch (row->kind) {
	case OPT_FLAG:
		break;
	case OPT_MAP:
		if (!is_prefix(value, "off") && !is_prefix(value, "normal"))
			return vd_error_set(err, -EINVAL, "map is normal or off, not \"%s\"",
					    value);
		o->map_off = *value == 'o';
		break;
	case OPT_CHECK:
		if (!is_prefix(value, "relaxed") && !is_prefix(value, "strict"))
			return vd_error_set(err, -EINVAL, "check is relaxed or strict, not \"%s\"",
					    value);
		o->check = *value;
		break;
	case OPT_SESSION:
		if (parse_number(value, 10, 99, &n) || !n)
			return vd_error_set(err, -EINVAL,
					    "session is a number from 1 to 99, not \"%s\"", value);
		*(int *)at = (int)n;
		break;
	case OPT_ID:
		/* The last id means "no change" to the kernel and is nobody's. */
		if (parse_number(value, 10, UINT32_MAX - 1ul, &n))
			return vd_error_set(err, -EINVAL, "%s is a number, not \"%s\"", row->name,
					    value);
		*(uint32_t *)at = (uint32_t)n;
		break;
	case OPT_MODE:
		if (parse_number(value, 8, 0777, &n))
			return vd_error_set(err, -EINVAL,
					    "%s is octal permissions from 0 to 777, not \"%s\"",
					    row->name, value);
		*(uint32_t *)at = (uint32_t)n;
		break;
	}
	if (row->has)
		*((bool *)((char *)o + row->has)) = true;
	return 0;
}

int vd_fs_option(struct vd_fs_options *o, const char *option, struct vd_error *err)
{
	const char *equals = strchr(option, '=');
	size_t len = equals ? (size_t)(equals - option) : strlen(option);

	for (size_t i = 0; i < VD_ARRAY_SIZE(option_rows); i++) {
		const struct option_row *row = &option_rows[i];

		if (strlen(row->name) != len || memcmp(row->name, option, len))
			continue;
		if (row->kind == OPT_FLAG) {
			if (equals)
				return vd_error_set(err, -EINVAL, "%s takes no value", row->name);
			*((bool *)((char *)o + row->value)) = true;
			return 0;
		}
		if (!equals)
			return vd_error_set(err, -EINVAL, "%s needs a value", row->name);
		return set_value(o, row, equals + 1, err);
	}
	return -ENOENT;
}

/* File systems that are recognised, to say what a disc has instead of one that can be read. */
static const struct {
	uint64_t offset;
	const char *magic;
	size_t len;
	const char *name;
} others[] = {
	{ 32769 + 8, "CDROM", 5, "High Sierra" },
	{ 1024, "BD", 2, "HFS" },
	{ 1024, "H+", 2, "HFS+" },
	{ 1024, "HX", 2, "HFSX" },
	{ 1080, "\x53\xef", 2, "ext2/3/4" },
	{ 0, "hsqs", 4, "squashfs" },
	{ 0, "XFSB", 4, "XFS" },
	{ 3, "NTFS    ", 8, "NTFS" },
	{ 3, "EXFAT   ", 8, "exFAT" },
	{ 54, "FAT1", 4, "FAT" },
	{ 82, "FAT32", 5, "FAT" },
	{ 65600, "_BHRfS_M", 8, "btrfs" },
};

static const char *other_file_system(struct vd_disc *disc)
{
	char buf[8];

	for (size_t i = 0; i < VD_ARRAY_SIZE(others); i++)
		if (!vd_disc_pread(disc, buf, others[i].len, others[i].offset) &&
		    !memcmp(buf, others[i].magic, others[i].len))
			return others[i].name;
	return NULL;
}

struct count {
	uint32_t n;
};

#define COUNT_MAX 10000u

static int count_entry(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		       uint64_t next)
{
	struct count *c = arg;

	(void)name;
	(void)len;
	(void)attr;
	(void)next;
	return ++c->n >= COUNT_MAX;
}

static uint32_t entries_in_root(struct vd_fs *fs)
{
	struct count c = { 0 };

	/* Of what is damaged no more is there. */
	(void)vd_fs_readdir(fs, fs->root, 0, count_entry, &c);
	return c.n;
}

/* The sessions of the disc that have UDF or ISO 9660. */
static int count_sessions(struct vd_disc *disc, const struct vd_fs_options *o)
{
	int n = 0;

	for (int i = 1; i <= disc->nsessions; i++) {
		struct vd_fs_options one = *o;
		struct vd_fs *fs;

		one.session = i;
		if (!vd_udf_open(disc, &one, &fs, NULL) || !vd_iso_open(disc, &one, &fs, NULL)) {
			vd_fs_close(fs);
			n++;
		}
	}
	return n;
}

/*
 * A disc with both has one set of files, as a rule, and UDF describes it better than Joliet and plain names do: longer names, sizes,
 * all characters. Rock Ridge has in addition what programs that write such bridges leave out of UDF: links, owners, modes. Some discs
 * have only a note in their ISO 9660 part, that they want a UDF reader. Where they are in different sessions the later one counts.
 */
static int open_bridge(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
		       struct vd_error *err)
{
	struct vd_fs *udf, *iso;
	bool is_iso;
	int r = vd_udf_open(disc, o, &udf, err);

	if (r == -ENOENT)
		return vd_iso_open(disc, o, out, err);
	if (r)
		return vd_error_prefix(err, r, "the disc has UDF and ISO 9660 (-o iso9660)");
	if (vd_iso_open(disc, o, &iso, NULL)) {
		*out = udf;
		return 0;
	}
	if (disc->nsessions > 1 && iso->session != udf->session)
		is_iso = iso->session > udf->session;
	else
		is_iso = !strcmp(iso->view, "rock ridge") &&
			 entries_in_root(iso) >= entries_in_root(udf);
	*out = is_iso ? iso : udf;
	vd_fs_close(is_iso ? udf : iso);
	if (disc->nsessions > 1)
		(*out)->nsessions = count_sessions(disc, o);
	return 0;
}

/* Does it speak of ISO 9660 only? */
static bool asks_for_iso(const struct vd_fs_options *o)
{
	return o->iso9660 || o->norock || o->nojoliet || o->map_off || o->check || o->hide ||
	       o->showassoc;
}

static bool asks_for_udf(const struct vd_fs_options *o)
{
	return !o->iso9660 && (o->unhide || o->streams);
}

int vd_fs_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
	       struct vd_error *err)
{
	static const struct vd_fs_options defaults;
	const bool iso = vd_iso_probe(disc), udf = vd_udf_probe(disc);
	const char *other;

	if (!o)
		o = &defaults;
	if (o->udf && o->iso9660)
		return vd_error_set(err, -EINVAL, "udf and iso9660 exclude each other");
	if (o->udf || (udf && (!iso || asks_for_udf(o))))
		return vd_udf_open(disc, o, out, err);
	if (o->iso9660 || (iso && (!udf || asks_for_iso(o))))
		return vd_iso_open(disc, o, out, err);
	if (iso)
		return open_bridge(disc, o, out, err);
	if (vd_udf_promised(disc))
		return vd_udf_open(disc, o, out, err); /* it has the words for what is wrong */
	other = other_file_system(disc);
	if (other)
		return vd_error_set(
			err, -EMEDIUMTYPE,
			"it has neither UDF nor ISO 9660; it has %s, which is not supported",
			other);
	return vd_error_set(err, -EMEDIUMTYPE, "it has no file system that is known");
}

/* Of a hybrid: at the beginning of the disc, or in a partition that its Apple partition map has. */
static const char *find_hfs(struct vd_disc *disc)
{
	/* Blocks of the map are those of a CD or of a disk. */
	static const uint32_t blocks[] = { 512, 2048 };
	uint64_t starts[1 + VD_ARRAY_SIZE(blocks) * APM_MAX] = { 0 };
	uint8_t p[136];
	size_t n = 1;

	for (size_t b = 0; b < VD_ARRAY_SIZE(blocks); b++) {
		for (uint32_t i = 1; i <= APM_MAX; i++) {
			/* "PM", the number of entries at 4, the start at 8, the type at 48 (Inside Macintosh: Devices, 3). */
			if (vd_disc_pread(disc, p, sizeof(p), (uint64_t)i * blocks[b]) ||
			    memcmp(p, "PM", 2))
				break;
			if (!strncmp((char *)p + 48, "Apple_HFS", 9))
				starts[n++] = (uint64_t)vd_get_be32(p + 8) * blocks[b];
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (vd_disc_pread(disc, p, sizeof(p), starts[i] + 1024))
			continue;
		if (!memcmp(p, "H+", 2) || !memcmp(p, "HX", 2))
			return "hfs+";
		/* An HFS+ volume may be wrapped in one that is HFS: what is embedded is named at 124. */
		if (!memcmp(p, "BD", 2))
			return memcmp(p + 124, "H+", 2) ? "hfs" : "hfs+";
	}
	return NULL;
}

size_t vd_fs_others(struct vd_fs *fs, const char *out[VD_FS_OTHERS_MAX])
{
	const bool udf = !strcmp(fs->ops->name, "udf");
	const char *hfs = find_hfs(fs->disc);
	size_t n = 0;

	if (!udf && vd_udf_probe(fs->disc))
		out[n++] = "udf";
	if (udf && vd_iso_probe(fs->disc))
		out[n++] = "iso9660";
	if (hfs)
		out[n++] = hfs;
	return n;
}

void vd_fs_close(struct vd_fs *fs)
{
	if (fs)
		fs->ops->close(fs);
}

int vd_fs_getattr(struct vd_fs *fs, uint64_t ino, struct vd_fs_attr *attr)
{
	return fs->ops->getattr(fs, ino, attr);
}

int vd_fs_lookup(struct vd_fs *fs, uint64_t dir, const char *name, size_t len,
		 struct vd_fs_attr *attr)
{
	if (!len)
		return -ENOENT;
	if (len > VD_FS_NAME_MAX)
		return -ENAMETOOLONG;
	return fs->ops->lookup(fs, dir, name, len, attr);
}

int vd_fs_readdir(struct vd_fs *fs, uint64_t dir, uint64_t pos, vd_fs_filldir fill, void *arg)
{
	return fs->ops->readdir(fs, dir, pos, fill, arg);
}

int vd_fs_readlink(struct vd_fs *fs, uint64_t ino, char *buf, size_t size)
{
	return fs->ops->readlink(fs, ino, buf, size);
}

int vd_fs_map(struct vd_fs *fs, uint64_t ino, uint64_t off, struct vd_fs_extent *out)
{
	return fs->ops->map(fs, ino, off, out);
}

ssize_t vd_fs_read(struct vd_fs *fs, uint64_t ino, void *buf, size_t len, uint64_t off)
{
	/* What cannot be said in the answer is not read. */
	if (len > SSIZE_MAX)
		len = SSIZE_MAX;
	return fs->ops->read(fs, ino, buf, len, off);
}

int vd_fs_stat(struct vd_fs *fs, struct vd_fs_stat *out)
{
	return fs->ops->stat(fs, out);
}
