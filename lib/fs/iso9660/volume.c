// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What lies before the tree: sessions, volume descriptors, the El Torito boot catalog, partition tables.
 *
 * Which sessions a disc has is decided so:
 *
 *   1. A disc that has sessions of its own, or nothing at block 0: one for each of its sessions in which a track
 *      holds a volume, in the first such track.
 *   2. Else the image is one track, and later sessions can only be found by what they look like. The first
 *      begins at block 0, or at block 32 when there is a volume there: xorriso and growisofs keep at 0 a copy of the
 *      newest session's descriptors on media that can be overwritten. From there on, each next one is looked for
 *      behind the end of the one before: directly (its writer aligned it to 16 or 32 blocks, or
 *      padded), and behind the gaps of a CD (11400 sectors after the first session, 6900 after the others).
 *   3. If block 0 leads to a root that none of these has, it is one more, the last.
 *
 * Something is a session only if its root directory lies inside it or before it as an absolute address, and begins
 * with a "." record that points to itself. So an ISO image that is stored as a file inside the volume or behind it
 * is none: its addresses count from its own beginning.
 */
#include "fs/iso9660/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define DESCRIPTORS_MAX 84u /* as Linux looks at */
#define SESSIONS_MAX 99u
#define FIRST_COPY 32u /* where the first session begins that has a copy at block 0 */

enum { VD_BOOT = 0, VD_PRIMARY = 1, VD_SUPPLEMENTARY = 2, VD_END = 255 };

struct volume {
	uint32_t lba;	 /* of the session */
	uint64_t root;	 /* bytes */
	uint32_t blocks; /* of 2048 bytes */
};

static int read_sector(struct vd_disc *disc, uint64_t lba, uint8_t *buf)
{
	return vd_disc_pread(disc, buf, ISO_SECTOR, lba * ISO_SECTOR);
}

static bool is_descriptor(const uint8_t *p)
{
	return !memcmp(p + 1, "CD001", 5);
}

static uint32_t block_size(const uint8_t *primary)
{
	uint32_t le = vd_get_le16(primary + 128), be = vd_get_be16(primary + 130);

	if (le == 512 || le == 1024 || le == 2048)
		return le;
	return be == 512 || be == 1024 || be == 2048 ? be : 0;
}

static bool is_primary(const uint8_t *p)
{
	return is_descriptor(p) && p[0] == VD_PRIMARY && block_size(p);
}

static uint64_t root_extent(const uint8_t *descriptor, uint64_t max_bytes)
{
	const uint8_t *record = descriptor + 156;
	uint32_t block = block_size(descriptor);

	return ((uint64_t)iso_both32(record + 2, max_bytes / block) + record[1]) * block;
}

/* Does the extent begin with a "." record that says where it is? */
static bool has_root(struct vd_disc *disc, uint64_t extent, uint32_t block)
{
	uint8_t r[REC_MIN];

	if (vd_disc_pread(disc, r, sizeof(r), extent))
		return false;
	return r[0] >= REC_MIN && r[32] == 1 && !r[33] && r[25] & REC_DIR &&
	       ((uint64_t)iso_both32(r + 2, extent / block) + r[1]) * block == extent;
}

/* Is there a volume in the session at @lba that is surely its own? */
static bool session_at(struct vd_disc *disc, uint32_t lba, struct volume *out)
{
	uint64_t size = vd_disc_size(disc);
	uint8_t p[ISO_SECTOR];
	uint32_t block;

	if (read_sector(disc, (uint64_t)lba + 16, p) || !is_primary(p))
		return false;
	block = block_size(p);
	out->lba = lba;
	out->root = root_extent(p, size);
	out->blocks =
		(uint32_t)(((uint64_t)iso_both32(p + 80, size / block) * block + 2047) / 2048);
	return out->root >= (uint64_t)lba * ISO_SECTOR && has_root(disc, out->root, block);
}

/* The first session that begins in [from, from + n). */
static bool scan(struct vd_disc *disc, uint64_t from, uint32_t n, struct volume *out)
{
	const uint64_t sectors = vd_disc_size(disc) / ISO_SECTOR;
	uint8_t id[6];

	for (uint64_t lba = from; lba < from + n && lba + 16 < sectors; lba++) {
		if (vd_disc_pread(disc, id, sizeof(id), (lba + 16) * ISO_SECTOR))
			return false;
		if (is_descriptor(id) && id[0] == VD_PRIMARY &&
		    session_at(disc, (uint32_t)lba, out))
			return true;
	}
	return false;
}

static bool next_session(struct vd_disc *disc, const struct volume *v, struct volume *out)
{
	/* The size that the descriptor has counts from the session's beginning or from that of the disc. */
	const uint64_t ends[] = { (uint64_t)v->lba + v->blocks, v->blocks };
	static const struct {
		uint32_t after, n;
	} windows[] = {
		{ 0, 352 }, /* padding of 150, alignment */
		{ 6900 - 16, 352 },
		{ 11400 - 16, 352 },
	};

	for (size_t e = 0; e < (v->lba ? 2 : 1); e++) {
		if (ends[e] <= v->lba)
			continue;
		for (size_t i = 0; i < VD_ARRAY_SIZE(windows); i++)
			if (scan(disc, ends[e] + windows[i].after, windows[i].n, out))
				return true;
	}
	return false;
}

static bool has_primary(struct vd_disc *disc, int64_t lba, uint8_t *p)
{
	return lba >= 0 && !read_sector(disc, (uint64_t)lba + 16, p) && is_primary(p);
}

static size_t sessions_of_disc(struct vd_disc *disc, struct iso_session *out)
{
	size_t n = 0;
	int last = 0;

	for (size_t i = 0; i < disc->ntracks && n < SESSIONS_MAX; i++) {
		const struct vd_track *t = &disc->tracks[i];
		uint8_t p[ISO_SECTOR];

		if (t->session == last || !has_primary(disc, t->start, p))
			continue;
		last = t->session;
		out[n++] = (struct iso_session){ .lba = (uint32_t)t->start, .number = t->session };
	}
	return n;
}

/* Do the tracks say where volumes are? Else there is one, and it begins at block 0. */
static bool is_tracked(struct vd_disc *disc, uint8_t *p)
{
	return disc->nsessions > 1 || !has_primary(disc, 0, p);
}

size_t iso_sessions(struct vd_disc *disc, struct iso_session out[99])
{
	uint8_t p[ISO_SECTOR];
	struct volume v;
	uint64_t root;
	bool seen = false, more;
	size_t n = 0;

	if (is_tracked(disc, p))
		return sessions_of_disc(disc, out);
	root = root_extent(p, vd_disc_size(disc));
	more = session_at(disc, FIRST_COPY, &v);
	if (!more) {
		v = (struct volume){ .root = root, .blocks = vd_get_le32(p + 80) };
		if (block_size(p) != ISO_SECTOR)
			v.blocks = (uint32_t)((uint64_t)v.blocks * block_size(p) / ISO_SECTOR);
		more = true;
	}
	while (more && n < SESSIONS_MAX) {
		struct volume next;

		seen |= v.root == root;
		out[n] = (struct iso_session){ .lba = v.lba, .number = (int)n + 1 };
		n++;
		more = next_session(disc, &v, &next);
		v = next;
	}
	if (!seen) {
		if (n == SESSIONS_MAX)
			n--;
		out[n] = (struct iso_session){ .lba = 0, .number = (int)n + 1 };
		n++;
	}
	return n;
}

int iso_session_choose(const struct iso_session *sessions, size_t n, int wanted, size_t *chosen,
		       struct vd_error *err)
{
	if (!wanted) {
		*chosen = n - 1;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (sessions[i].number == wanted) {
			*chosen = i;
			return 0;
		}
	}
	if (n == 1)
		return vd_error_set(err, -ENOENT, "there is no session %d: the disc has only one",
				    wanted);
	return vd_error_set(err, -ENOENT, "there is no session %d: the disc has sessions %d to %d",
			    wanted, sessions[0].number, sessions[n - 1].number);
}

static int joliet_level(const uint8_t *svd)
{
	const uint8_t *escape = svd + 88;

	if (escape[0] != '%' || escape[1] != '/')
		return 0;
	return escape[2] == '@' ? 1 : escape[2] == 'C' ? 2 : escape[2] == 'E' ? 3 : 0;
}

int iso_descriptors_read(struct vd_disc *disc, uint32_t lba, struct iso_descriptors *out)
{
	uint8_t p[ISO_SECTOR];
	bool found = false;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 16; i < 16 + DESCRIPTORS_MAX; i++) {
		int r = read_sector(disc, (uint64_t)lba + i, p);

		if (r == -EINVAL)
			break;
		if (r)
			return r;
		if (!is_descriptor(p))
			continue;
		if (p[0] == VD_END)
			break;
		if (is_primary(p) && !found) {
			memcpy(out->primary, p, sizeof(p));
			found = true;
		} else if (p[0] == VD_SUPPLEMENTARY && p[6] == 2) {
			out->enhanced = true;
		} else if (p[0] == VD_SUPPLEMENTARY && joliet_level(p) && block_size(p) &&
			   !out->joliet_level) {
			memcpy(out->joliet, p, sizeof(p));
			out->joliet_level = joliet_level(p);
		} else if (p[0] == VD_BOOT && !memcmp(p + 7, "EL TORITO SPECIFICATION", 23)) {
			out->boot_catalog = vd_get_le32(p + 0x47);
		}
	}
	return found ? 0 : -EUCLEAN;
}

int vd_iso_probe(struct vd_disc *disc)
{
	struct iso_session sessions[SESSIONS_MAX];
	uint8_t p[ISO_SECTOR];

	return !is_tracked(disc, p) || sessions_of_disc(disc, sessions) ? 100 : 0;
}

/* El Torito 1.0, chapter 2. The catalog is read at most this far. */
#define CATALOG_MAX 65536u
#define CATALOG_ENTRY 32u

struct catalog {
	struct vd_disc *disc;
	uint64_t start;
	uint32_t at;
	uint8_t entry[CATALOG_ENTRY];
};

static int next_entry(struct catalog *c, struct vd_error *err)
{
	int r = -EUCLEAN;

	if (c->at < CATALOG_MAX)
		r = vd_disc_pread(c->disc, c->entry, CATALOG_ENTRY, c->start + c->at);
	if (r)
		return vd_error_set(err, r == -EIO ? r : -EUCLEAN,
				    "the boot catalog does not end before the image does");
	c->at += CATALOG_ENTRY;
	return 0;
}

/* An entry that says what to boot, and the extensions behind it, which say nothing that is kept. */
static int boot_entry(struct catalog *c, uint8_t platform, const char *id, struct vd_iso_info *out,
		      struct vd_error *err)
{
	const uint8_t *p = c->entry;
	struct vd_iso_boot *b;

	if ((p[0] != 0x88 && p[0] != 0) || out->nboot == VD_ISO_BOOT_MAX)
		return vd_error_set(err, -EUCLEAN, "the boot catalog is damaged at entry %u",
				    (unsigned int)(c->at / CATALOG_ENTRY - 1));
	b = &out->boot[out->nboot];
	*b = (struct vd_iso_boot){ .platform = platform,
				   .media = p[1] & 0x0f,
				   .bootable = p[0] == 0x88,
				   .load_segment = vd_get_le16(p + 2),
				   .sectors = vd_get_le16(p + 6),
				   .lba = vd_get_le32(p + 8) };
	memcpy(b->id, id, sizeof(b->id));
	out->nboot++;
	if (!(p[1] & 0x20) || c->at == 2 * CATALOG_ENTRY)
		return 0;
	do {
		int r = next_entry(c, err);

		if (r)
			return r;
		if (p[0] != 0x44)
			return vd_error_set(err, -EUCLEAN, "the boot catalog lacks an extension");
	} while (p[1] & 0x20);
	return 0;
}

static int read_catalog(struct vd_disc *disc, uint32_t lba, struct vd_iso_info *out,
			struct vd_error *err)
{
	struct catalog c = { .disc = disc, .start = (uint64_t)lba * ISO_SECTOR };
	uint16_t sum = 0;
	char id[29];
	uint8_t platform;
	bool more;
	int r = next_entry(&c, err);

	if (r)
		return r;
	for (size_t i = 0; i < CATALOG_ENTRY; i += 2)
		sum = (uint16_t)(sum + vd_get_le16(c.entry + i));
	if (c.entry[0] != 1 || c.entry[30] != 0x55 || c.entry[31] != 0xaa || sum)
		return vd_error_set(err, -EUCLEAN, "the boot catalog has a wrong checksum");
	platform = c.entry[1];
	iso_text(c.entry + 4, 24, false, id, sizeof(id));
	r = next_entry(&c, err);
	if (!r)
		r = boot_entry(&c, platform, id, out, err);
	for (more = true; !r && more;) {
		uint16_t n;

		/* A catalog with one entry has nothing behind it. */
		if (next_entry(&c, NULL) || (c.entry[0] != 0x90 && c.entry[0] != 0x91))
			return 0;
		more = c.entry[0] == 0x90;
		platform = c.entry[1];
		n = vd_get_le16(c.entry + 2);
		iso_text(c.entry + 4, 28, false, id, sizeof(id));
		while (!r && n--) {
			r = next_entry(&c, err);
			if (!r)
				r = boot_entry(&c, platform, id, out, err);
		}
	}
	return r;
}

static void find_hybrid(struct vd_disc *disc, struct vd_iso_info *out)
{
	uint8_t p[ISO_SECTOR];

	if (read_sector(disc, 0, p))
		return;
	if (p[510] == 0x55 && p[511] == 0xaa)
		for (size_t i = 446; i < 510; i += 16)
			out->hybrid_mbr |= p[i + 4] != 0;
	out->hybrid_gpt = !memcmp(p + 512, "EFI PART", 8);
	out->hybrid_apm = !memcmp(p + 512, "PM\0\0", 4) || !memcmp(p + 1024, "PM\0\0", 4);
	if (!read_sector(disc, 1, p))
		out->hybrid_apm |= !memcmp(p, "PM\0\0", 4);
}

static uint64_t volume_bytes(const uint8_t *descriptor, uint64_t disc_bytes)
{
	uint32_t block = block_size(descriptor);

	return (uint64_t)iso_both32(descriptor + 80, disc_bytes / block) * block;
}

static void describe(const struct iso_descriptors *d, uint64_t disc_bytes, struct vd_iso_info *out)
{
	const uint8_t *p = d->primary;

	iso_text(p + 8, 32, false, out->system_id, sizeof(out->system_id));
	iso_text(p + 40, 32, false, out->volume_id, sizeof(out->volume_id));
	iso_text(p + 190, 128, false, out->volume_set_id, sizeof(out->volume_set_id));
	iso_text(p + 318, 128, false, out->publisher_id, sizeof(out->publisher_id));
	iso_text(p + 446, 128, false, out->preparer_id, sizeof(out->preparer_id));
	iso_text(p + 574, 128, false, out->application_id, sizeof(out->application_id));
	out->created = iso_date17(p + 813);
	out->modified = iso_date17(p + 830);
	out->expires = iso_date17(p + 847);
	out->effective = iso_date17(p + 864);
	out->bytes = volume_bytes(p, disc_bytes);
	out->block = block_size(p);
	out->joliet_level = d->joliet_level;
	out->enhanced = d->enhanced;
}

int vd_iso_info(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_iso_info *out,
		struct vd_error *err)
{
	const uint64_t size = vd_disc_size(disc);
	struct iso_session sessions[SESSIONS_MAX];
	_cleanup_free_ struct iso_descriptors *d = malloc(sizeof(*d));
	size_t n = iso_sessions(disc, sessions), chosen = 0;
	int r;

	memset(out, 0, sizeof(*out));
	if (err)
		err->text[0] = '\0';
	if (!d)
		return vd_error_errno(err, -ENOMEM, "cannot read the volume");
	if (!n)
		return vd_error_set(err, -EMEDIUMTYPE, "it has no ISO 9660 file system");
	r = iso_session_choose(sessions, n, o ? o->session : 0, &chosen, err);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = iso_descriptors_read(disc, sessions[i].lba, d);
		if (r)
			return vd_error_errno(err, r, "cannot read the descriptors of session %d",
					      sessions[i].number);
		out->sessions[i].lba = sessions[i].lba;
		out->sessions[i].bytes = volume_bytes(d->primary, size);
		out->sessions[i].created = iso_date17(d->primary + 813);
		iso_text(d->primary + 40, 32, false, out->sessions[i].volume_id,
			 sizeof(out->sessions[i].volume_id));
	}
	r = iso_descriptors_read(disc, sessions[chosen].lba, d);
	if (r)
		return vd_error_errno(err, r, "cannot read the descriptors of session %d",
				      sessions[chosen].number);
	out->nsessions = (int)n;
	describe(d, size, out);
	find_hybrid(disc, out);
	r = iso_info_tree(disc, o, out, err);
	/* The words of its failure are all that a caller gets: the other facts stand. */
	if (d->boot_catalog)
		(void)read_catalog(disc, d->boot_catalog, out, r ? NULL : err);
	return r;
}

int iso_volume_open(struct iso_fs *iso, const struct iso_descriptors *d, uint32_t lba, bool joliet)
{
	const uint8_t *p = joliet ? d->joliet : d->primary;
	const uint64_t disc_bytes = vd_disc_size(iso->fs.disc);
	uint64_t end;

	iso->disc_bytes = disc_bytes;
	iso->block = block_size(p);
	iso->shift = iso->block == 512 ? 9 : iso->block == 1024 ? 10 : 11;
	iso->volume_bytes = volume_bytes(p, disc_bytes);
	end = (uint64_t)lba * ISO_SECTOR + iso->volume_bytes;
	iso->limit = end > disc_bytes ? end : disc_bytes;
	iso->root = root_extent(p, iso->limit);
	iso->root_size =
		iso_both32(p + 156 + 10, iso->limit - (iso->root < iso->limit ? iso->root : 0));
	iso_text(p + 40, 32, joliet, iso->fs.volume, sizeof(iso->fs.volume));
	return iso->root ? 0 : -EUCLEAN;
}
