// SPDX-License-Identifier: GPL-3.0-or-later
/* See medium.h. */
#include "images/medium.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "images/image.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "util/io.h"

#define RECORD 512u
#define VERSION 1u
#define AT_VERSION 16
#define AT_PROFILE 20
#define AT_SECTORS 24
#define AT_CRC 508

static const char magic[AT_VERSION] = "VDRIVE MEDIUM";

const struct vd_medium_kind vd_medium_kinds[] = {
	{ "dvd-ram", VD_MEDIA_DVD_RAM, 2236704, "DVD-RAM of 4.7 GB, written anywhere" },
	{ "dvd+rw", VD_MEDIA_DVD_PLUS_RW, 2295104, "DVD+RW of 4.7 GB, written anywhere" },
	{ "bd-re", VD_MEDIA_BD_RE, 11826176, "BD-RE of 25 GB, written anywhere" },
	{ NULL, VD_MEDIA_UNKNOWN, 0, NULL },
};

static uint32_t crc_of(const uint8_t *record)
{
	return (uint32_t)crc32(0, record, AT_CRC);
}

int vd_medium_create(int fd, const struct vd_medium_kind *kind, struct vd_error *err)
{
	const off_t end = (off_t)(kind->sectors + 1) * VD_SECTOR_USER;
	uint8_t record[RECORD] = { 0 };
	int r;

	memcpy(record, magic, sizeof(magic));
	vd_put_le32(record + AT_VERSION, VERSION);
	vd_put_le32(record + AT_PROFILE, kind->media);
	vd_put_le32(record + AT_SECTORS, kind->sectors);
	vd_put_le32(record + AT_CRC, crc_of(record));
	if (ftruncate(fd, end))
		return vd_error_errno(err, -errno, "cannot make a file of %lld bytes",
				      (long long)end);
	r = vd_pwrite_all(fd, record, sizeof(record), (uint64_t)end - sizeof(record));
	if (!r && fsync(fd))
		r = -errno;
	return r ? vd_error_errno(err, r, "cannot write") : 0;
}

static bool has_magic(const struct vd_image_head *h)
{
	return h->tail && h->tail_len == RECORD && !memcmp(h->tail, magic, sizeof(magic));
}

static int medium_probe(const struct vd_image_head *h)
{
	return has_magic(h) ? 100 : 0;
}

static int check(const struct vd_image_head *h, uint32_t profile, uint32_t sectors,
		 struct vd_error *err)
{
	if (vd_get_le32(h->tail + AT_CRC) != crc_of(h->tail))
		return vd_error_set(err, -EBADMSG,
				    "damaged: the checksum in its last 512 bytes is wrong");
	if (vd_get_le32(h->tail + AT_VERSION) != VERSION)
		return vd_error_set(err, -EMEDIUMTYPE,
				    "made by a later vdrive: version %u of the medium",
				    vd_get_le32(h->tail + AT_VERSION));
	for (const struct vd_medium_kind *k = vd_medium_kinds; k->name; k++)
		if (k->media == (enum vd_media)profile && sectors && sectors <= k->sectors &&
		    h->size == (uint64_t)(sectors + 1) * VD_SECTOR_USER)
			return 0;
	return vd_error_set(
		err, -EBADMSG,
		"damaged: a medium of profile %04x with %u sectors in a file of %llu bytes",
		profile, sectors, (unsigned long long)h->size);
}

static int medium_open(struct vd_opener *opener, struct vd_store *store,
		       const struct vd_image_head *h, struct vd_disc **out, struct vd_error *err)
{
	const uint32_t profile = vd_get_le32(h->tail + AT_PROFILE);
	const uint32_t sectors = vd_get_le32(h->tail + AT_SECTORS);
	struct vd_track t = {
		.number = 1, .session = 1, .mode = VD_TRACK_MODE1, .length = sectors
	};
	_cleanup_(vd_cleanup_disc) struct vd_disc *d = NULL;
	int r = vd_disc_new_owning(store, &d);

	(void)opener;
	if (r)
		return vd_error_errno(err, r, "cannot open the medium");
	r = check(h, profile, sectors, err);
	if (!r)
		r = vd_disc_add_stored_track(d, &t, VD_LAYOUT_2048, store, 0, err);
	if (r)
		return r;
	d->media = (enum vd_media)profile;
	d->recordable = !store->read_only;
	*out = VD_TAKE_PTR(d);
	return 0;
}

const struct vd_image_format vd_image_medium = {
	.name = "medium",
	.description = "rewritable medium of vdrive create",
	.probe = medium_probe,
	.open = medium_open,
};
