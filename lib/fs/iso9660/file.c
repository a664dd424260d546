// SPDX-License-Identifier: GPL-3.0-or-later
/* Contents of files that are stored as they are: in one extent or in sections. */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <sys/stat.h>

#include "util/cleanup.h"

/* Goes back to the first section; iso_cursor_next() then gives e->sections records. */
static void rewind_sections(struct iso_cursor *c, const struct iso_entry *e)
{
	c->pos = e->pos - c->dir.start;
}

static int check_regular(const struct iso_entry *e)
{
	if (S_ISDIR(e->attr.mode))
		return -EISDIR;
	if (!S_ISREG(e->attr.mode))
		return -EINVAL;
	return e->interleaved || e->sparse ? -EOPNOTSUPP : 0;
}

static int map(struct iso_cursor *c, const struct iso_entry *e, uint64_t off,
	       struct vd_fs_extent *out)
{
	const uint64_t disc = c->iso->disc_bytes;
	uint64_t extent = e->extent, size = e->raw_size;

	if (off >= e->attr.size)
		return -EINVAL;
	if (e->sections > 1) {
		rewind_sections(c, e);
		for (uint32_t i = 0;; i++) {
			struct iso_record r;
			uint64_t at;
			int ret = i < e->sections ? iso_cursor_next(c, &r, &at) : 0;

			if (ret != 1)
				return ret ? ret : -EUCLEAN;
			extent = r.extent;
			size = r.size;
			if (off < size)
				break;
			off -= size;
		}
	}
	if (extent > disc || off >= disc - extent)
		return -EIO;
	out->hole = false;
	out->offset = extent + off;
	out->len = size - off;
	if (out->len > disc - out->offset)
		out->len = disc - out->offset;
	return 0;
}

int iso_file_map(struct iso_fs *iso, uint64_t ino, uint64_t off, struct vd_fs_extent *out)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	int r;

	e.link = NULL;
	r = iso_entry_at(iso, ino, &c, &e);
	if (!r)
		r = check_regular(&e);
	if (!r && (e.z_version || e.cdxa))
		r = -EOPNOTSUPP;
	return r ? r : map(&c, &e, off, out);
}

static int read_section(struct iso_fs *iso, uint64_t extent, void *buf, size_t len, uint64_t off)
{
	const uint64_t disc = iso->disc_bytes;

	if (extent > disc || off > disc - extent || len > disc - extent - off)
		return -EIO;
	return vd_disc_pread(iso->fs.disc, buf, len, extent + off);
}

int iso_file_read_raw(struct iso_cursor *c, const struct iso_entry *e, void *out, size_t len,
		      uint64_t off)
{
	uint8_t *buf = out;

	if (off > e->raw_size || len > e->raw_size - off)
		return -EUCLEAN;
	if (e->sections == 1)
		return read_section(c->iso, e->extent, buf, len, off);
	rewind_sections(c, e);
	for (uint32_t i = 0; len && i < e->sections; i++) {
		struct iso_record r;
		uint64_t at;
		size_t n;
		int ret = iso_cursor_next(c, &r, &at);

		if (ret != 1)
			return ret ? ret : -EUCLEAN;
		if (off >= r.size) {
			off -= r.size;
			continue;
		}
		n = r.size - off < len ? (size_t)(r.size - off) : len;
		ret = read_section(c->iso, r.extent, buf, n, off);
		if (ret)
			return ret;
		buf += n;
		len -= n;
		off = 0;
	}
	return len ? -EUCLEAN : 0;
}

ssize_t iso_file_read(struct iso_fs *iso, uint64_t ino, void *buf, size_t len, uint64_t off)
{
	_cleanup_(iso_cursor_done) struct iso_cursor c;
	struct iso_entry e;
	int r;

	e.link = NULL;
	r = iso_entry_at(iso, ino, &c, &e);
	if (!r)
		r = check_regular(&e);
	if (r)
		return r;
	if (off >= e.attr.size)
		return 0;
	if (len > e.attr.size - off)
		len = (size_t)(e.attr.size - off);
	if (!len)
		return 0;
	if (e.z_version)
		r = iso_zisofs_read(&c, &e, buf, len, off);
	else if (e.cdxa)
		r = iso_cdxa_read(iso, &e, buf, len, off);
	else
		r = iso_file_read_raw(&c, &e, buf, len, off);
	return r ? r : (ssize_t)len;
}
