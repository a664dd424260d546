// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * From the disc to a logical volume.
 *
 * An anchor (3/10.2) is looked for at every block size, at block 256 of the session, at the last one N, at N - 256, and at 512 where an
 * unclosed disc has it (UDF 2.2.3, 6.11). It says in its tag at which block it lies, so that what is found has the block size that
 * the volume was written with. N is not always the end of a file: run-out blocks and padding may follow.
 *
 * The anchor points to two volume descriptor sequences (3/8.4.2), the second one being a copy for when the first
 * cannot be read. Of descriptors of one kind the one with the highest sequence number prevails.
 *
 * Sessions: each session of the disc with an anchor of its own is one. Where there is but one of these and it has a
 * virtual partition, each VAT, which names the one before, is one. On a disc of several sessions the VAT may be at the end of a later
 * one, which has nothing but what was added.
 */
#include "fs/udf/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disc/subchannel.h"
#include "util/cleanup.h"

#define TAG_SIZE 16u
#define LARGE_BLOCK_MAX 32768u /* more than anybody writes */
#define VRS_AT 32768u
#define VSD_SIZE 2048u
#define VSDS_MAX 64u
#define SEQUENCE_BLOCKS_MAX 4096u /* of all extents of one volume descriptor sequence */
#define SEQUENCE_HOPS_MAX 16u
#define PARTITIONS_MAX 16u
#define SESSIONS_MAX 99u

int udf_tag_check(const uint8_t *p, size_t size, enum udf_tag id)
{
	uint8_t sum = 0;
	size_t len = vd_get_le16(p + 10);

	for (size_t i = 0; i < TAG_SIZE; i++)
		if (i != 4)
			sum = (uint8_t)(sum + p[i]);
	if (vd_get_le16(p) != id || sum != p[4] || len > size - TAG_SIZE)
		return -EUCLEAN;
	return vd_crc16(p + TAG_SIZE, len) == vd_get_le16(p + 8) ? 0 : -EUCLEAN;
}

int udf_tag_check_at(const uint8_t *p, size_t size, enum udf_tag id, uint32_t location)
{
	return vd_get_le32(p + 12) == location ? udf_tag_check(p, size, id) : -EUCLEAN;
}

int udf_pread(const struct udf_fs *u, void *buf, size_t len, uint64_t off)
{
	int r = vd_disc_pread(u->fs.disc, buf, len, off);

	return r == -EINVAL ? -EIO : r;
}

/* Where anchors are looked for, and the session that they speak for. */
struct place {
	uint64_t start, end; /* bytes */
	int session;
};

struct anchor {
	uint32_t block;	       /* bytes */
	uint32_t extent[2][2]; /* main and reserve sequence: bytes, location */
};

static bool anchor_at(struct vd_disc *disc, uint32_t block, uint64_t lba, struct anchor *out)
{
	uint8_t p[UDF_BLOCK_MIN];

	if (lba > UINT32_MAX || vd_disc_pread(disc, p, sizeof(p), lba * block) ||
	    udf_tag_check_at(p, sizeof(p), UDF_TAG_AVDP, (uint32_t)lba))
		return false;
	out->block = block;
	for (size_t i = 0; i < 2; i++) {
		out->extent[i][0] = vd_get_le32(p + 16 + 8 * i);
		out->extent[i][1] = vd_get_le32(p + 20 + 8 * i);
	}
	return true;
}

/* The first one in blocks of @size after the *skip ones before it, of which those that are there are taken off. */
static bool find_anchor_of(struct vd_disc *disc, const struct place *at, uint32_t size,
			   size_t *skip, struct anchor *out)
{
	/* Blocks behind N: none; those that end a track of a CD-R written in packets; padding. */
	static const uint32_t behind[] = { 0, 1, 2, 7, 150, 152, 300 };
	const uint64_t first = (at->start + size - 1) / size, blocks = at->end / size;

	if ((anchor_at(disc, size, first + 256, out) || anchor_at(disc, size, first + 512, out)) &&
	    !(*skip)--)
		return true;
	for (size_t i = 0; i < VD_ARRAY_SIZE(behind); i++) {
		if (blocks <= first + behind[i])
			break;
		if (anchor_at(disc, size, blocks - 1 - behind[i], out) && !(*skip)--)
			return true;
		if (blocks > first + behind[i] + 256 &&
		    anchor_at(disc, size, blocks - 1 - behind[i] - 256, out) && !(*skip)--)
			return true;
	}
	return false;
}

/* The first one after the @skip ones before it. */
static bool find_anchor(struct vd_disc *disc, const struct place *at, size_t skip,
			struct anchor *out)
{
	static const uint32_t sizes[] = { 2048, 512, 1024, 4096 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++)
		if (find_anchor_of(disc, at, sizes[i], &skip, out))
			return true;
	return false;
}

/* The block size of a volume whose blocks are too large to be read; 0 when there is none. */
static uint32_t find_large_blocks(struct vd_disc *disc)
{
	const struct place at = { .end = vd_disc_size(disc) };
	struct anchor a;
	size_t skip = 0;

	for (uint32_t size = 2 * UDF_BLOCK_MAX; size <= LARGE_BLOCK_MAX; size *= 2)
		if (find_anchor_of(disc, &at, size, &skip, &a))
			return size;
	return 0;
}

/* Is there a volume structure descriptor of any kind at @off (2/9.1)? */
static bool has_vsd(struct vd_disc *disc, uint64_t off)
{
	static const char *const ids[] = { "NSR02", "NSR03", "CD001", "BEA01", "BOOT2", "CDW02" };
	uint8_t p[7];

	if (vd_disc_pread(disc, p, sizeof(p), off))
		return false;
	for (size_t i = 0; i < VD_ARRAY_SIZE(ids); i++)
		if (!memcmp(p + 1, ids[i], 5))
			return true;
	return false;
}

/* The volume recognition sequence of a session (2/8.3.1, 3/9.1): is there a volume as ECMA-167 has it? */
static bool is_promised(struct vd_disc *disc, uint64_t start)
{
	/* A descriptor takes a block, 2048 bytes at least. */
	for (uint32_t step = VSD_SIZE; step <= LARGE_BLOCK_MAX; step *= 2) {
		for (uint32_t i = 0; i < VSDS_MAX; i++) {
			const uint64_t off = start + VRS_AT + (uint64_t)i * step;
			uint8_t p[6];

			if (!has_vsd(disc, off) || vd_disc_pread(disc, p, sizeof(p), off))
				break;
			if (!memcmp(p + 1, "NSR", 3))
				return true;
		}
	}
	return false;
}

/* The sessions that have a volume recognition sequence and an anchor, in ascending order. */
static size_t find_sessions(struct vd_disc *disc, struct place out[SESSIONS_MAX])
{
	const uint64_t size = vd_disc_size(disc);
	struct anchor a;
	size_t n = 0;

	for (int i = 0; disc->nsessions > 1 && i < disc->nsessions && n < SESSIONS_MAX; i++) {
		const struct vd_session *s = &disc->sessions[i];
		const struct vd_track *t = &disc->tracks[s->first_track];
		struct place at = { .session = s->number };

		if (t->start < 0 || s->leadout <= t->start)
			continue;
		at.start = (uint64_t)t->start * VD_SECTOR_USER;
		at.end = (uint64_t)s->leadout * VD_SECTOR_USER;
		if (is_promised(disc, at.start) && find_anchor(disc, &at, 0, &a))
			out[n++] = at;
	}
	if (!n && is_promised(disc, 0)) {
		struct place at = { .end = size, .session = 1 };

		if (find_anchor(disc, &at, 0, &a))
			out[n++] = at;
	}
	return n;
}

int vd_udf_probe(struct vd_disc *disc)
{
	struct place *places = calloc(SESSIONS_MAX, sizeof(*places));
	size_t n = places ? find_sessions(disc, places) : 0;

	free(places);
	return n ? 100 : 0;
}

bool vd_udf_promised(struct vd_disc *disc)
{
	return is_promised(disc, 0);
}

/* The descriptors of a sequence that prevail. */
struct sequence {
	uint8_t pvd[UDF_BLOCK_MIN];
	uint32_t pvd_sequence;
	bool has_pvd;
	uint8_t lvd[UDF_BLOCK_MAX];
	uint32_t lvd_sequence;
	bool has_lvd;
	struct udf_partition p[PARTITIONS_MAX];
	size_t np;
};

static int add_partition(struct sequence *s, const uint8_t *d)
{
	const struct udf_partition p = {
		.number = vd_get_le16(d + 22),
		.sequence = vd_get_le32(d + 16),
		.access = vd_get_le32(d + 184),
		.start = vd_get_le32(d + 188),
		.blocks = vd_get_le32(d + 192),
	};
	size_t i = 0;

	while (i < s->np && s->p[i].number != p.number)
		i++;
	if (i == PARTITIONS_MAX)
		return -EUCLEAN;
	if (i == s->np)
		s->np++;
	else if (s->p[i].sequence > p.sequence)
		return 0;
	s->p[i] = p;
	return 0;
}

/* 1: goes on; 0: that was the end. */
static int add_descriptor(const struct udf_fs *u, struct sequence *s, const uint8_t *d,
			  uint32_t location, uint32_t next[2])
{
	const enum udf_tag id = vd_get_le16(d);
	const uint32_t sequence = vd_get_le32(d + 16);

	switch (id) {
	case UDF_TAG_PVD:
	case UDF_TAG_VDP:
	case UDF_TAG_PD:
	case UDF_TAG_LVD:
	case UDF_TAG_TD:
		if (udf_tag_check_at(d, u->block, id, location))
			return -EUCLEAN;
		break;
	default:
		/* Unallocated space and implementation use: of no account. 0: not recorded, the end. */
		return vd_get_le16(d) ? 1 : 0;
	}
	if (id == UDF_TAG_TD)
		return 0;
	if (id == UDF_TAG_PD)
		return add_partition(s, d) ? -EUCLEAN : 1;
	if (id == UDF_TAG_VDP) {
		next[0] = vd_get_le32(d + 20);
		next[1] = vd_get_le32(d + 24);
		return 0;
	}
	if (id == UDF_TAG_PVD && (!s->has_pvd || sequence >= s->pvd_sequence)) {
		memcpy(s->pvd, d, sizeof(s->pvd));
		s->pvd_sequence = sequence;
		s->has_pvd = true;
	}
	if (id == UDF_TAG_LVD && (!s->has_lvd || sequence >= s->lvd_sequence)) {
		memcpy(s->lvd, d, u->block);
		s->lvd_sequence = sequence;
		s->has_lvd = true;
	}
	return 1;
}

/* @extent: bytes and location, of the main or of the reserve sequence. */
static int read_sequence(const struct udf_fs *u, const uint32_t extent[2], struct sequence *s)
{
	uint8_t d[UDF_BLOCK_MAX];
	uint32_t next[2] = { extent[0], extent[1] };
	uint32_t left = SEQUENCE_BLOCKS_MAX;

	memset(s, 0, sizeof(*s));
	for (uint32_t hops = 0; next[0]; hops++) {
		const uint32_t blocks = (next[0] & 0x3fffffff) / u->block, at = next[1];
		int r = 1;

		if (hops == SEQUENCE_HOPS_MAX)
			return -EUCLEAN;
		next[0] = 0;
		for (uint32_t i = 0; r && i < blocks; i++) {
			if (!left--)
				return -EUCLEAN;
			r = udf_pread(u, d, u->block, ((uint64_t)at + i) << u->shift);
			if (!r)
				r = add_descriptor(u, s, d, at + i, next);
			if (r < 0)
				return r;
		}
	}
	return s->has_lvd && s->has_pvd && s->np ? 0 : -EUCLEAN;
}

/* What the integrity descriptors say; nothing in the tree depends on them. 3/10.10, UDF 2.2.6. */
static void read_integrity(struct udf_fs *u, const uint8_t *lvd)
{
	uint32_t next[2] = { vd_get_le32(lvd + 432), vd_get_le32(lvd + 436) };
	uint32_t left = SEQUENCE_BLOCKS_MAX;
	uint8_t d[UDF_BLOCK_MAX];

	for (uint32_t hops = 0; next[0] && hops < SEQUENCE_HOPS_MAX; hops++) {
		const uint32_t blocks = next[0] / u->block, at = next[1];

		next[0] = 0;
		for (uint32_t i = 0; i < blocks && left--; i++) {
			uint64_t tables, use;

			if (udf_pread(u, d, u->block, ((uint64_t)at + i) << u->shift) ||
			    udf_tag_check_at(d, u->block, UDF_TAG_LVID, at + i))
				break;
			u->info.has_integrity = true;
			u->info.open = vd_get_le32(d + 28) == 0;
			u->info.integrity_time = udf_time(d + 16).tv_sec;
			next[0] = vd_get_le32(d + 32);
			next[1] = vd_get_le32(d + 36);
			tables = (uint64_t)vd_get_le32(d + 72) * 8;
			use = 80 + tables;
			if (vd_get_le32(d + 76) >= 40 && use + 40 <= u->block) {
				u->info.files = vd_get_le32(d + use + 32);
				u->info.directories = vd_get_le32(d + use + 36);
			}
			if (next[0])
				break;
		}
	}
}

static void describe(struct udf_fs *u, const struct sequence *s)
{
	struct vd_udf_info *i = &u->info;
	char id[24];

	udf_dstring(s->pvd + 24, 32, i->volume_id, sizeof(i->volume_id));
	udf_dstring(s->pvd + 72, 128, i->volume_set_id, sizeof(i->volume_set_id));
	udf_dstring(s->lvd + 84, 128, i->logical_id, sizeof(i->logical_id));
	i->recorded = udf_time(s->pvd + 376).tv_sec;
	for (size_t k = 0; k < 2; k++) {
		char *to = k ? i->implementation_id : i->application_id;

		snprintf(id, sizeof(id), "%.23s", (const char *)s->pvd + (k ? 388 : 344) + 1);
		for (char *c = id; *c; c++)
			if (*c < 0x20 || *c == 0x7f)
				*c = '?';
		snprintf(to, sizeof(i->application_id), "%s", id);
	}
	/* The domain identifier's suffix (UDF 2.1.5.3). */
	i->revision = vd_get_le16(s->lvd + 216 + 24);
	i->block = u->block;
	i->nmaps = u->nmaps;
	for (size_t k = 0; k < u->nmaps; k++) {
		const struct udf_map *m = &u->maps[k];

		i->maps[k].kind = m->kind;
		i->maps[k].number = m->number;
		i->maps[k].bytes =
			m->kind == VD_UDF_METADATA ? m->file.size : m->blocks << u->shift;
		if (m->kind == VD_UDF_VIRTUAL) {
			i->vat_entries = m->vat_entries;
			i->session_time = m->vat.time;
		}
	}
	/* Access type 1: read only; 2: write once; 3: rewritable; 4: overwritable (3/10.5.7). */
	for (size_t k = 0; k < s->np; k++)
		i->read_only |= s->p[k].access == 1;
	read_integrity(u, s->lvd);
	for (size_t k = 0; k < u->nmaps; k++) {
		const struct udf_vat_says *v = &u->maps[k].vat;

		if (!v->header)
			continue;
		if (v->logical_id[0])
			memcpy(i->logical_id, v->logical_id, sizeof(i->logical_id));
		i->files = v->files;
		i->directories = v->directories;
	}
	memcpy(u->fs.volume, i->logical_id, sizeof(u->fs.volume));
}

/*
 * The file set that prevails (4/8.3.1, 4/14.1): on write-once media new ones are written behind the old, in the extent or in one
 * that the last names as the next.
 */
static int find_root(struct udf_fs *u, const uint8_t *lvd)
{
	uint8_t d[UDF_BLOCK_MAX], last[UDF_BLOCK_MIN];
	struct udf_addr at = udf_long_ad(lvd + 248);
	uint32_t len = vd_get_le32(lvd + 248) & 0x3fffffff, number = 0;
	bool found = false;

	for (uint32_t hops = 0; len && hops < SEQUENCE_HOPS_MAX; hops++) {
		struct udf_addr next = { 0 };
		const uint32_t blocks = (len + u->block - 1) / u->block;

		len = 0;
		for (uint32_t i = 0; i < blocks && i < SEQUENCE_BLOCKS_MAX; i++) {
			struct udf_addr a = { .block = at.block + i, .partition = at.partition };
			int r = udf_read_descriptor(u, a, UDF_TAG_FSD, UDF_TAG_FSD, d, NULL, NULL);

			if (r) {
				if (!found)
					return r;
				break;
			}
			if (!found || vd_get_le32(d + 44) >= number) {
				number = vd_get_le32(d + 44);
				memcpy(last, d, sizeof(last));
				found = true;
			}
			len = vd_get_le32(d + 448) & 0x3fffffff;
			next = udf_long_ad(d + 448);
			if (len)
				break;
		}
		at = next;
	}
	if (!found)
		return -EUCLEAN;
	u->root = udf_long_ad(last + 400);
	udf_dstring(last + 304, 32, u->info.file_set_id, sizeof(u->info.file_set_id));
	return 0;
}

/* Opens what one of the anchor's sequences says. */
static int open_sequence(struct udf_fs *u, const uint32_t extent[2], const struct udf_ends *ends,
			 struct vd_error *err)
{
	_cleanup_free_ struct sequence *s = malloc(sizeof(*s));
	uint32_t table;
	int r;

	if (!s)
		return vd_error_errno(err, -ENOMEM, "cannot read the UDF volume");
	r = read_sequence(u, extent, s);
	if (r)
		return vd_error_errno(err, r,
				      "cannot read the UDF volume descriptor sequence at block %u",
				      extent[1]);
	if (vd_get_le32(s->lvd + 212) != u->block)
		return vd_error_set(err, -EUCLEAN,
				    "the UDF volume has blocks of %u bytes on a disc of %u",
				    vd_get_le32(s->lvd + 212), u->block);
	table = vd_get_le32(s->lvd + 264);
	if (table > u->block - 440)
		return vd_error_set(err, -EUCLEAN, "the UDF partition maps do not fit");
	r = udf_maps_open(u, s->lvd + 440, table, vd_get_le32(s->lvd + 268), s->p, s->np, ends,
			  err);
	if (r)
		return r;
	r = find_root(u, s->lvd);
	if (r)
		return vd_error_errno(err, r, "cannot read the UDF file set descriptor");
	describe(u, s);
	return 0;
}

/* Opens what an anchor leads to: the main sequence or, where that is damaged, its copy. */
static int open_anchor(struct udf_fs *u, const struct anchor *a, const struct udf_ends *ends,
		       struct vd_error *err)
{
	int r = -EUCLEAN;

	u->block = a->block;
	u->shift = (unsigned int)__builtin_ctz(a->block);
	for (size_t i = 0; i < 2; i++) {
		int again = open_sequence(u, a->extent[i], ends, i ? NULL : err);

		/* What is said is what is wrong with the first. */
		if (!i || !again)
			r = again;
		if (!r || r == -ENOENT || r == -ENOMEM)
			break;
		udf_maps_close(u);
	}
	return r;
}

/* Ends of the sessions that belong to the volume at @at: its own, and of later ones before @next those that have no volume. */
static void find_ends(struct vd_disc *disc, const struct place *at, const struct place *next,
		      struct udf_ends *out)
{
	const int last = next ? next->session - 1 : disc->nsessions;

	for (int i = last; i > at->session && out->n + 1 < VD_ARRAY_SIZE(out->at); i--) {
		const struct vd_session *s = &disc->sessions[i - 1];
		const struct vd_track *t = &disc->tracks[s->first_track];

		if (t->mode != VD_TRACK_AUDIO && t->start >= 0 &&
		    !has_vsd(disc, (uint64_t)t->start * VD_SECTOR_USER + VRS_AT))
			out->at[out->n++] = (uint64_t)s->leadout * VD_SECTOR_USER;
	}
	out->at[out->n++] = at->end;
}

/* Says what is wrong where there is no anchor that is of use. */
static int no_volume(struct vd_disc *disc, struct vd_error *err)
{
	uint32_t size;

	if (!vd_udf_promised(disc))
		return vd_error_set(err, -EMEDIUMTYPE, "it has no UDF anchor");
	size = find_large_blocks(disc);
	if (size)
		return vd_error_set(err, -EOPNOTSUPP,
				    "its UDF has blocks of %u bytes: up to %u are supported", size,
				    UDF_BLOCK_MAX);
	return vd_error_set(err, -EUCLEAN,
			    "it says that it has UDF, but no UDF anchor is to be found");
}

int udf_volume_open(struct udf_fs *u, struct vd_error *err)
{
	_cleanup_free_ struct place *places = calloc(SESSIONS_MAX, sizeof(*places));
	_cleanup_free_ struct udf_ends *ends = calloc(1, sizeof(*ends));
	const bool several = u->fs.disc->nsessions > 1;
	const int wanted = u->o.session;
	size_t n, chosen;
	struct anchor a;
	int r = -EMEDIUMTYPE;

	if (!places || !ends)
		return vd_error_errno(err, -ENOMEM, "cannot read the UDF volume");
	n = find_sessions(u->fs.disc, places);
	if (!n)
		return no_volume(u->fs.disc, err);
	chosen = n - 1;
	if (several && wanted) {
		for (chosen = 0; chosen < n && places[chosen].session != wanted; chosen++)
			;
		if (chosen == n)
			return vd_error_set(
				err, -ENOENT,
				n == 1 ? "there is no UDF in session %d: there is in session %d"
				       : "there is no UDF in session %d: there is in %d to %d",
				wanted, places[0].session, places[n - 1].session);
	}
	u->fs.nsessions = (int)n;
	u->fs.session = places[chosen].session;
	if (several)
		u->o.session = 0; /* not a VAT's number */
	find_ends(u->fs.disc, &places[chosen], chosen + 1 < n ? &places[chosen + 1] : NULL, ends);
	for (size_t skip = 0; r && r != -ENOENT && r != -ENOMEM; skip++) {
		if (!find_anchor(u->fs.disc, &places[chosen], skip, &a))
			break;
		r = open_anchor(u, &a, ends, skip ? NULL : err);
	}
	if (r)
		return r;
	/* Only a virtual partition has others. */
	if (!several && wanted > u->fs.nsessions)
		return vd_error_set(
			err, -ENOENT,
			u->fs.nsessions == 1
				? "there is no session %d: the disc has only one"
				: "there is no session %d: the disc has sessions 1 to %d",
			wanted, u->fs.nsessions);
	u->info.nsessions = u->fs.nsessions;
	return 0;
}
