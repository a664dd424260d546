// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a drive tells of its disc (MMC-6): READ TOC the sessions, tracks and CD-TEXT, READ SUB-CHANNEL the catalogue number and
 * ISRC, READ CD with Q where pregaps begin. Sectors are read as they are needed, a window at a time, in one of two ways:
 *
 *   raw     READ CD, all 2352 bytes: audio, and data where the drive gives it whole
 *   user    READ (10), 2048 bytes: DVD and BD, and data of a drive that has no READ CD, or makes the rest of a sector up
 *
 * Nothing that a drive says is trusted more than an image: it may be one that somebody built.
 */
#include "images/physical.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc/toc.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define WINDOW                                                                                     \
	24u /* sectors read at once: with 2352 bytes less than 64 KiB, which any host adapter can do */
#define TRIES 3
#define READY_TRIES 60
#define READY_STEP_MS 500
#define PREGAP 150 /* of a track that is of another kind than the one before (ECMA-130, 20) */
#define RUN_OUT 2  /* sectors that a track written alone ends with, and that no drive reads */
#define CDTEXT_MAX (2048 * 18) /* 8 languages of 256 packs */

enum {
	TEST_UNIT_READY = 0x00,
	READ_CAPACITY = 0x25,
	READ_10 = 0x28,
	READ_SUBCHANNEL = 0x42,
	READ_TOC = 0x43,
	GET_CONFIGURATION = 0x46,
	READ_CD = 0xbe,
};

enum {
	SENSE_NOT_READY = 2,
	SENSE_ILLEGAL = 5,
	SENSE_ATTENTION = 6,
};
#define ASC_NO_MEDIUM 0x3a
#define ASC_CHANGED 0x28

/* Sectors that one READ CD can give: those of a track. */
struct span {
	int32_t end;
	bool audio;
};

/* What the stores of a disc share. */
struct drive {
	struct vd_transport *mmc;
	pthread_mutex_t lock;
	unsigned int stores;
	bool open; /* what the drive says of another medium means ours from here on */
	bool gone;
	struct vd_error why;
	struct span spans[VD_TRACKS_MAX];
	size_t nspans;
};

struct drive_store {
	struct vd_store store;
	struct drive *drive;
	uint32_t size;	   /* of a sector */
	uint32_t first, n; /* what is in the window */
	uint8_t window[WINDOW * VD_SECTOR_RAW];
};

/* Words */

static const char *const keys[16] = {
	"no sense",	  "recovered error", "not ready",      "medium error",
	"hardware error", "illegal request", "unit attention", "data protect",
	"blank check",	  "vendor specific", "copy aborted",   "aborted command",
	"obsolete",	  "volume overflow", "miscompare",     "completed",
};

#define ANY 0xff
static const struct {
	uint8_t asc, ascq;
	const char *words;
} reasons[] = {
	{ 0x02, ANY, "no seek complete" },
	{ 0x04, 0x01, "becoming ready" },
	{ 0x06, ANY, "no reference position found" },
	{ 0x09, ANY, "track following error" },
	{ 0x11, 0x05, "L-EC uncorrectable error" },
	{ 0x11, 0x06, "CIRC unrecovered error" },
	{ 0x11, ANY, "unrecovered read error" },
	{ 0x15, ANY, "positioning error" },
	{ 0x20, ANY, "the drive has no such command" },
	{ 0x21, ANY, "no such sector" },
	{ 0x24, ANY, "the drive does not do that" },
	{ ASC_CHANGED, ANY, "the disc was changed" },
	{ 0x30, ANY, "the drive cannot read such a disc" },
	{ ASC_NO_MEDIUM, 0x02, "the tray is open" },
	{ ASC_NO_MEDIUM, ANY, "there is no disc in it" },
	{ 0x57, ANY, "the table of contents cannot be read" },
	{ 0x63, ANY, "the track ends there" },
	{ 0x64, ANY, "the sector is of another kind" },
	{ 0x6f, ANY, "the disc is encrypted, or of another region" },
};

static void put_sense(struct vd_error *err, const char *what, const struct vd_sense *s)
{
	const char *words = NULL;

	if (!s->key && !s->asc) {
		vd_error_set(err, 0, "%s: the drive does not answer", what);
		return;
	}
	for (size_t i = 0; !words && i < VD_ARRAY_SIZE(reasons); i++)
		if (reasons[i].asc == s->asc &&
		    (reasons[i].ascq == ANY || reasons[i].ascq == s->ascq))
			words = reasons[i].words;
	vd_error_set(err, 0, "%s: %s%s%s (sense %x/%02x/%02x)", what, keys[s->key & 0xf],
		     words ? ": " : "", words ? words : "", s->key & 0xf, s->asc, s->ascq);
}

/* Commands */

static bool is_gone(const struct vd_sense *s)
{
	return (s->key == SENSE_ATTENTION && s->asc == ASC_CHANGED) ||
	       (s->key == SENSE_NOT_READY && s->asc == ASC_NO_MEDIUM);
}

/* What another one did, or that the drive was reset, is told once and means nothing. */
static int run(struct drive *d, const uint8_t cdb[VD_CDB], void *buf, size_t len,
	       struct vd_sense *s)
{
	int r = -EIO;

	for (int i = 0; r == -EIO && i < TRIES; i++) {
		*s = (struct vd_sense){ 0 };
		if (len)
			memset(buf, 0, len);
		r = d->mmc->command(d->mmc, cdb, buf, len, s);
		if (r == -EIO && d->open && is_gone(s))
			d->gone = true;
		if (d->gone || s->key != SENSE_ATTENTION)
			break;
	}
	return r;
}

static int ask_toc(struct drive *d, enum vd_toc_format format, uint8_t number, uint8_t *buf,
		   size_t len, struct vd_sense *s)
{
	uint8_t cdb[VD_CDB] = {
		READ_TOC, format == VD_TOC_FULL ? 0x02 : 0, format, 0, 0, 0, number
	};

	vd_put_be16(cdb + 7, (uint16_t)len);
	return run(d, cdb, buf, len, s);
}

/* The whole answer, whose first two bytes say how long it is. The caller frees it; *len is without what the drive did not send. */
static int read_toc(struct drive *d, enum vd_toc_format format, uint8_t number, size_t max,
		    uint8_t **out, size_t *len, struct vd_sense *s)
{
	_cleanup_free_ uint8_t *buf = NULL;
	uint8_t head[4];
	int r = ask_toc(d, format, number, head, sizeof(head), s);

	*len = r ? 0 : vd_get_be16(head) + 2u;
	if (*len > max)
		*len = max;
	if (r || *len < sizeof(head))
		return r ? r : -ENODATA;
	buf = malloc(*len + 1);
	if (!buf)
		return -ENOMEM;
	/* An even number: an ATAPI drive transfers words. */
	r = ask_toc(d, format, number, buf, *len + (*len & 1), s);
	if (!r)
		*out = VD_TAKE_PTR(buf);
	return r;
}

enum sub { SUB_NONE = 0, SUB_Q = 2 };

static int read_cd(struct drive *d, int32_t lba, uint32_t n, bool audio, enum sub sub, void *buf,
		   struct vd_sense *s)
{
	uint8_t cdb[VD_CDB] = { READ_CD, audio ? 0x04 : 0 };

	vd_put_be32(cdb + 2, (uint32_t)lba);
	cdb[7] = (uint8_t)(n >> 8);
	cdb[8] = (uint8_t)n;
	cdb[9] = audio ? 0x10 : 0xf8;
	cdb[10] = sub;
	return run(d, cdb, buf, (size_t)n * (VD_SECTOR_RAW + (sub ? 16 : 0)), s);
}

static int read_user(struct drive *d, int32_t lba, uint32_t n, void *buf, struct vd_sense *s)
{
	uint8_t cdb[VD_CDB] = { READ_10 };

	vd_put_be32(cdb + 2, (uint32_t)lba);
	vd_put_be16(cdb + 7, (uint16_t)n);
	return run(d, cdb, buf, (size_t)n * VD_SECTOR_USER, s);
}

/* The stores */

static int read_sectors(struct drive_store *s, uint32_t first, uint32_t n, struct vd_sense *sense)
{
	struct drive *d = s->drive;
	bool audio = false;
	int r;

	for (size_t i = 0; i < d->nspans; i++) {
		if ((int64_t)first >= d->spans[i].end)
			continue;
		audio = d->spans[i].audio;
		if ((int64_t)first + n > d->spans[i].end)
			n = (uint32_t)(d->spans[i].end - (int64_t)first);
		break;
	}
	s->first = first;
	r = s->size == VD_SECTOR_RAW
		    ? read_cd(d, (int32_t)first, n, audio, SUB_NONE, s->window, sense)
		    : read_user(d, (int32_t)first, n, s->window, sense);
	s->n = r ? 0 : n;
	return r;
}

/* Fills the window from that sector on; where that fails, with it alone, so that the error is of no other. */
static int fill(struct drive_store *s, uint32_t sector)
{
	struct drive *d = s->drive;
	uint64_t left = s->store.size / s->size - sector;
	struct vd_sense sense = { 0 };
	char what[40];
	int r;

	if (vd_store_before_wait)
		vd_store_before_wait();
	r = d->gone ? -EIO
		    : read_sectors(s, sector, left < WINDOW ? (uint32_t)left : WINDOW, &sense);
	for (int i = 1; r && !d->gone && i < TRIES; i++)
		r = read_sectors(s, sector, 1, &sense);
	if (!r)
		return 0;
	snprintf(what, sizeof(what), "cannot read sector %u", sector);
	if (d->gone)
		vd_error_set(&d->why, 0, "%s: the disc is not in the drive any more", what);
	else
		put_sense(&d->why, what, &sense);
	return -EIO;
}

static int drive_pread(struct vd_store *store, void *out, size_t len, uint64_t off)
{
	struct drive_store *s = (struct drive_store *)store;
	uint8_t *buf = out;
	int r = 0;

	pthread_mutex_lock(&s->drive->lock);
	while (len) {
		uint32_t sector = (uint32_t)(off / s->size);
		size_t at, part;

		if (sector < s->first || sector - s->first >= s->n || s->drive->gone) {
			r = fill(s, sector);
			if (r)
				break;
		}
		at = (size_t)(off - (uint64_t)s->first * s->size);
		part = (size_t)s->n * s->size - at;
		if (part > len)
			part = len;
		memcpy(buf, s->window + at, part);
		buf += part;
		off += part;
		len -= part;
	}
	pthread_mutex_unlock(&s->drive->lock);
	return r;
}

static void drive_unref(struct drive *d)
{
	if (--d->stores)
		return;
	d->mmc->close(d->mmc);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void drive_close(struct vd_store *store)
{
	drive_unref(((struct drive_store *)store)->drive);
	free(store);
}

static const struct vd_store_ops drive_ops = {
	.name = "drive",
	.pread = drive_pread,
	.close = drive_close,
};

static int open_store(struct drive *d, struct vd_disc *disc, uint32_t size, uint32_t sectors,
		      struct vd_store **out)
{
	struct drive_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->store = (struct vd_store){ .ops = &drive_ops,
				      .size = (uint64_t)sectors * size,
				      .block = VD_SECTOR_USER,
				      .read_only = true };
	s->drive = d;
	s->size = size;
	d->stores++;
	*out = &s->store;
	return vd_disc_own_store(disc, &s->store);
}

int vd_physical_error(const struct vd_disc *disc, int code, struct vd_error *err)
{
	for (size_t i = 0; code == -EIO && i < disc->nstores; i++) {
		struct drive *d;

		if (disc->stores[i]->ops != &drive_ops)
			continue;
		d = ((struct drive_store *)disc->stores[i])->drive;
		pthread_mutex_lock(&d->lock);
		if (d->why.text[0])
			*err = d->why;
		pthread_mutex_unlock(&d->lock);
		break;
	}
	return code;
}

/* What the drive says of the disc */

static int wait_ready(struct drive *d, struct vd_error *err)
{
	const uint8_t cdb[VD_CDB] = { TEST_UNIT_READY };
	const struct timespec step = { 0, READY_STEP_MS * 1000000 };
	struct vd_sense s;
	int r = -EIO;

	for (int i = 0; i < READY_TRIES; i++) {
		r = run(d, cdb, NULL, 0, &s);
		if (r != -EIO || s.key != SENSE_NOT_READY || s.asc != 0x04)
			break;
		nanosleep(&step, NULL);
	}
	if (!r)
		return 0;
	if (r != -EIO)
		return vd_error_errno(err, r, "the drive cannot be asked");
	if (s.asc == ASC_NO_MEDIUM)
		return vd_error_set(err, -ENOMEDIUM, "there is no disc in the drive%s",
				    s.ascq == 2 ? ": its tray is open" : "");
	put_sense(err, "the drive", &s);
	return r;
}

/* A drive that does not tell is an old one for CDs. */
static enum vd_media ask_media(struct drive *d)
{
	const uint8_t cdb[VD_CDB] = { GET_CONFIGURATION, 2, [8] = 8 };
	uint8_t head[8];
	struct vd_sense s;
	unsigned int profile = run(d, cdb, head, sizeof(head), &s) ? 0 : vd_get_be16(head + 6);

	return profile >= VD_MEDIA_CD_ROM && profile <= VD_MEDIA_BD_RE ? (enum vd_media)profile
								       : VD_MEDIA_CD_ROM;
}

struct toc {
	struct {
		uint8_t session, control; /* 0: no such track */
		int32_t start;
	} tracks[VD_TRACKS_MAX + 1];
	int32_t leadouts[VD_TRACKS_MAX + 1]; /* by session */
	uint8_t types[VD_TRACKS_MAX + 1];
	int nsessions;
	int32_t end; /* the last lead-out */
};

static int full_toc(struct drive *d, struct toc *t, struct vd_sense *s)
{
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len;
	int r = read_toc(d, VD_TOC_FULL, 1, UINT16_MAX, &buf, &len, s);

	for (size_t at = 4; !r && at + 11 <= len; at += 11) {
		const uint8_t *e = buf + at;
		const int32_t lba = vd_msf_to_lba((struct vd_msf){ e[8], e[9], e[10] });
		const unsigned int session = e[0], point = e[3];

		if (e[1] >> 4 != VD_Q_POSITION || session < 1 || session > VD_TRACKS_MAX)
			continue;
		if (point >= 1 && point <= VD_TRACKS_MAX) {
			t->tracks[point].session = (uint8_t)session;
			t->tracks[point].control = e[1] & 0xf;
			t->tracks[point].start = lba;
		} else if (point == 0xa0) {
			t->types[session] = e[9];
		} else if (point == 0xa2) {
			t->leadouts[session] = lba;
			if ((int)session > t->nsessions)
				t->nsessions = (int)session;
		}
	}
	if (!r)
		t->end = t->leadouts[t->nsessions];
	return r ? r : t->nsessions ? 0 : -ENODATA;
}

/* Of a drive that has no other: tracks without sessions. */
static int short_toc(struct drive *d, struct toc *t, struct vd_sense *s)
{
	_cleanup_free_ uint8_t *buf = NULL;
	size_t len;
	int r = read_toc(d, VD_TOC_TRACKS, 0, 4 + 8 * (VD_TRACKS_MAX + 1), &buf, &len, s);

	for (size_t at = 4; !r && at + 8 <= len; at += 8) {
		const uint8_t *e = buf + at;
		const int32_t lba = (int32_t)vd_get_be32(e + 4);

		if (e[2] == 0xaa) {
			t->leadouts[1] = t->end = lba;
			t->nsessions = 1;
		} else if (e[2] >= 1 && e[2] <= VD_TRACKS_MAX) {
			t->tracks[e[2]].session = 1;
			t->tracks[e[2]].control = e[1] & 0xf;
			t->tracks[e[2]].start = lba;
		}
	}
	return r ? r : t->nsessions ? 0 : -ENODATA;
}

static int sessions_there_are(struct drive *d)
{
	uint8_t buf[12];
	struct vd_sense s;

	return ask_toc(d, VD_TOC_SESSIONS, 0, buf, sizeof(buf), &s) ? 1 : buf[3];
}

static int ask_tracks(struct drive *d, struct toc *t, struct vd_error *err)
{
	struct vd_sense s;
	int r = full_toc(d, t, &s);

	if (r && r != -ENOMEM) {
		memset(t, 0, sizeof(*t));
		r = short_toc(d, t, &s);
		if (!r && sessions_there_are(d) > 1)
			return vd_error_set(
				err, -EOPNOTSUPP,
				"the drive does not tell where the sessions of the disc begin");
	}
	if (r == -EIO)
		put_sense(err, "the table of contents", &s);
	else if (r)
		return vd_error_errno(err, r, "the table of contents");
	return r;
}

/* Q of a sector: is it in that track? 1, 0: in the one before, -1: it does not say. Numbers are BCD in some drives, binary in others. */
static int asks_track(struct drive *d, int32_t lba, int number)
{
	const struct vd_msf at = vd_msf_from_lba(lba);
	const uint8_t binary[] = { at.m, at.s, at.f };
	const uint8_t bcd[] = { vd_to_bcd(at.m), vd_to_bcd(at.s), vd_to_bcd(at.f) };
	uint8_t buf[VD_SECTOR_RAW + 16];
	const uint8_t *q = buf + VD_SECTOR_RAW;
	struct vd_sense s;

	if (read_cd(d, lba, 1, false, SUB_Q, buf, &s) || (q[0] & 0xf) != VD_Q_POSITION ||
	    (memcmp(q + 7, binary, 3) && memcmp(q + 7, bcd, 3)))
		return -1;
	if (q[1] == number || q[1] == vd_to_bcd((unsigned int)number))
		return 1;
	return q[1] == number - 1 || q[1] == vd_to_bcd((unsigned int)number - 1) ? 0 : -1;
}

/* A sector of which Q says something else (its MCN, say) is where the one before it is. */
static int in_pregap(struct drive *d, int32_t lba, int number)
{
	int is = asks_track(d, lba, number);

	return is < 0 ? asks_track(d, lba - 1, number) : is;
}

/* Where the pregap of a track begins that follows another one of its session; *start when it has none. False: it is not told. */
static bool find_pregap(struct drive *d, const struct toc *t, int number, int32_t *start)
{
	int32_t lo = t->tracks[number - 1].start, hi = t->tracks[number].start - 1;
	int is = hi > lo ? in_pregap(d, hi, number) : -1;

	if (is < 0)
		return false;
	*start = hi + 1;
	if (!is)
		return true;
	/* Two seconds are usual. */
	if (hi + 1 - PREGAP > lo && in_pregap(d, hi + 1 - PREGAP, number) == 1)
		hi = hi + 1 - PREGAP;
	if (hi - 1 > lo && in_pregap(d, hi - 1, number) == 0)
		lo = hi - 1;
	while (hi - lo > 1) {
		int32_t middle = lo + (hi - lo) / 2;

		is = in_pregap(d, middle, number);
		if (is < 0)
			return false;
		*(is ? &hi : &lo) = middle;
	}
	*start = hi;
	return true;
}

/* Of a data track: its mode, and whether the drive gives whole sectors of it. */
static bool is_raw(struct drive *d, int32_t start, int32_t end, uint8_t type,
		   enum vd_track_mode *mode)
{
	static const int32_t places[] = { 0, 1, 16 };
	uint8_t sector[VD_SECTOR_RAW];
	struct vd_sense s;
	bool seen = false;

	*mode = type == VD_SESSION_CDROM ? VD_TRACK_MODE1 : VD_TRACK_MODE2;
	for (size_t i = 0; i < VD_ARRAY_SIZE(places) && start + places[i] < end; i++) {
		enum vd_sector_kind kind;

		if (read_cd(d, start + places[i], 1, false, SUB_NONE, sector, &s) ||
		    memcmp(sector, vd_sync_pattern, sizeof(vd_sync_pattern)))
			continue;
		if (!seen && (sector[VD_AT_MODE] & 3) == 1)
			*mode = VD_TRACK_MODE1;
		else if (!seen && (sector[VD_AT_MODE] & 3) == 2)
			*mode = VD_TRACK_MODE2;
		seen = true;
		kind = vd_sector_kind(sector, *mode, type != VD_SESSION_CDROM);
		if (!vd_sector_check(sector, kind, VD_LBA_ANY))
			return true;
	}
	return false;
}

static bool is_refused(struct drive *d, int32_t lba, bool raw, bool audio)
{
	uint8_t sector[VD_SECTOR_RAW];
	struct vd_sense s;
	int r = raw ? read_cd(d, lba, 1, audio, SUB_NONE, sector, &s)
		    : read_user(d, lba, 1, sector, &s);

	return r == -EIO && s.key == SENSE_ILLEGAL;
}

struct build {
	struct drive *d;
	struct vd_disc *disc;
	struct vd_store *raw, *user;
	struct toc toc;
};

static int add_extent(struct build *b, const struct vd_track *t, int32_t end, bool raw,
		      struct vd_error *err)
{
	struct vd_store **store = raw ? &b->raw : &b->user;
	const bool audio = t->mode == VD_TRACK_AUDIO;
	const struct vd_track *made = &b->disc->tracks[b->disc->ntracks - 1];
	struct vd_extent x = { .layout = raw ? VD_LAYOUT_2352 : VD_LAYOUT_2048 };
	int r;

	/* Between sessions, and where tracks of two kinds meet, a drive reads what it likes. */
	x.lba = t->start;
	if (b->disc->sessions[b->disc->nsessions - 1].ntracks > 1 || b->disc->nsessions == 1) {
		x.lba -= (int32_t)made->pregap;
		if (x.lba < 0)
			x.lba = 0;
		if (x.lba < t->start && is_refused(b->d, x.lba, raw, audio))
			x.lba = t->start;
	}
	/* Of a track written by itself the TOC counts the run-out, too. */
	if (!audio && end - t->start > RUN_OUT && is_refused(b->d, end - 1, raw, audio))
		end -= RUN_OUT;
	if (!*store) {
		r = open_store(b->d, b->disc, raw ? VD_SECTOR_RAW : VD_SECTOR_USER,
			       (uint32_t)b->toc.end, store);
		if (r)
			return vd_error_errno(err, r, "cannot open the drive");
	}
	x.store = *store;
	x.length = (uint32_t)(end - x.lba);
	x.offset = (uint64_t)x.lba * vd_layout_size(x.layout);
	return vd_disc_add_extent(b->disc, &x, err);
}

static int add_track(struct build *b, int number, int32_t first, int32_t end, struct vd_error *err)
{
	const uint8_t session = b->toc.tracks[number].session;
	struct vd_track t = { .number = number,
			      .session = session,
			      .control = b->toc.tracks[number].control,
			      .start = b->toc.tracks[number].start };
	bool raw = true;
	int r;

	if (t.start < 0 || first > t.start || end <= t.start)
		return vd_error_set(err, -EINVAL,
				    "the table of contents: track %d ends before it begins",
				    number);
	t.mode = VD_TRACK_AUDIO;
	if (t.control & VD_CONTROL_DATA)
		raw = is_raw(b->d, t.start, end, b->toc.types[session], &t.mode);
	t.pregap = (uint32_t)(t.start - first);
	t.length = (uint32_t)(end - t.start);
	b->d->spans[b->d->nspans++] = (struct span){ end, t.mode == VD_TRACK_AUDIO };
	r = vd_disc_add_track(b->disc, &t, err);
	return r ? r : add_extent(b, &t, end, raw, err);
}

/* Where the track behind @number begins with its pregap, or else the lead-out. */
static int32_t track_end(struct build *b, int number, int32_t *next_first)
{
	const struct toc *t = &b->toc;
	const int session = t->tracks[number].session;
	int32_t start;

	if (number == VD_TRACKS_MAX || t->tracks[number + 1].session != session) {
		*next_first = number < VD_TRACKS_MAX ? t->tracks[number + 1].start : 0;
		return t->leadouts[session];
	}
	start = t->tracks[number + 1].start;
	*next_first = start;
	if (!find_pregap(b->d, t, number + 1, next_first) &&
	    (t->tracks[number].control ^ t->tracks[number + 1].control) & VD_CONTROL_DATA &&
	    start - PREGAP > t->tracks[number].start)
		*next_first = start - PREGAP;
	return *next_first;
}

static int add_tracks(struct build *b, struct vd_error *err)
{
	int32_t first = 0, next = 0;
	bool any = false;
	int r = 0;

	for (int i = 1; i <= VD_TRACKS_MAX && !r; i++) {
		int32_t end;

		if (!b->toc.tracks[i].session)
			continue;
		end = track_end(b, i, &next);
		if (!any)
			first = b->toc.tracks[i].start;
		any = true;
		r = add_track(b, i, first, end, err);
		first = next;
	}
	for (int i = 1; i <= b->disc->nsessions && !r; i++)
		if (b->toc.types[i] == VD_SESSION_CDI || b->toc.types[i] == VD_SESSION_XA)
			r = vd_disc_set_session_type(b->disc, i,
						     (enum vd_session_type)b->toc.types[i], err);
	return r || any ? r : vd_error_set(err, -EMEDIUMTYPE, "the disc is empty");
}

/* The code of the disc, or of a track; "" where there is none. Returns whether the drive does that. */
static bool ask_code(struct drive *d, uint8_t format, uint8_t track, size_t len, char *out)
{
	const uint8_t cdb[VD_CDB] = { READ_SUBCHANNEL, 0, 0x40, format, 0, 0, track, 0, 24 };
	uint8_t buf[24];
	struct vd_sense s;
	int r = run(d, cdb, buf, sizeof(buf), &s);

	*out = '\0';
	if (!r && buf[8] & 0x80) {
		memcpy(out, buf + 9, len);
		out[len] = '\0';
	}
	return r != -EIO || s.key != SENSE_ILLEGAL;
}

/* They are for people, so that a wrong one is left away rather than an error. */
static int ask_codes(struct build *b, struct vd_error *err)
{
	char mcn[VD_MCN_LEN + 1];
	int r = 0;

	if (ask_code(b->d, 2, 0, VD_MCN_LEN, mcn) && vd_mcn_valid(mcn) &&
	    strspn(mcn, "0") < VD_MCN_LEN)
		r = vd_disc_set_mcn(b->disc, mcn, err);
	for (size_t i = 0; i < b->disc->ntracks; i++) {
		struct vd_track *t = &b->disc->tracks[i];

		if (t->mode != VD_TRACK_AUDIO)
			continue;
		if (!ask_code(b->d, 3, (uint8_t)t->number, VD_ISRC_LEN, t->isrc))
			break;
		if (!vd_isrc_valid(t->isrc))
			t->isrc[0] = '\0';
	}
	return r;
}

static int ask_cdtext(struct build *b, struct vd_error *err)
{
	_cleanup_free_ uint8_t *buf = NULL;
	struct vd_sense s;
	size_t len;

	if (read_toc(b->d, VD_TOC_CDTEXT, 0, 4 + CDTEXT_MAX, &buf, &len, &s) || len < 4 + 18)
		return 0;
	return vd_disc_set_cdtext(b->disc, 1, buf + 4, (len - 4) / 18, err);
}

static int open_cd(struct build *b, struct vd_error *err)
{
	int r = ask_tracks(b->d, &b->toc, err);

	if (!r && b->toc.end <= 0)
		r = vd_error_set(err, -EMEDIUMTYPE, "the disc is empty");
	if (!r)
		r = add_tracks(b, err);
	if (!r)
		r = ask_codes(b, err);
	return r ? r : ask_cdtext(b, err);
}

static int open_other(struct build *b, struct vd_error *err)
{
	const uint8_t cdb[VD_CDB] = { READ_CAPACITY };
	struct vd_track t = { .number = 1, .session = 1, .mode = VD_TRACK_MODE1 };
	uint8_t buf[8];
	struct vd_sense s;
	int r = run(b->d, cdb, buf, sizeof(buf), &s);
	uint32_t last = vd_get_be32(buf);

	if (r == -EIO)
		put_sense(err, "its capacity", &s);
	if (r)
		return r == -EIO ? r : vd_error_errno(err, r, "the drive cannot be asked");
	if (vd_get_be32(buf + 4) != VD_SECTOR_USER || !last || last >= INT32_MAX)
		return vd_error_set(err, -EMEDIUMTYPE,
				    "the disc is empty, or none of %u bytes a sector",
				    VD_SECTOR_USER);
	t.length = last + 1;
	r = open_store(b->d, b->disc, VD_SECTOR_USER, t.length, &b->user);
	if (r)
		return vd_error_errno(err, r, "cannot open the drive");
	return vd_disc_add_stored_track(b->disc, &t, VD_LAYOUT_2048, b->user, 0, err);
}

int vd_physical_open(struct vd_transport *m, struct vd_disc **out, struct vd_error *err)
{
	struct drive *d = calloc(1, sizeof(*d));
	_cleanup_(vd_cleanup_disc) struct vd_disc *disc = NULL;
	struct build b = { .d = d };
	int r;

	if (!d) {
		m->close(m);
		return vd_error_errno(err, -ENOMEM, "cannot open the drive");
	}
	d->mmc = m;
	d->stores = 1; /* ourselves */
	pthread_mutex_init(&d->lock, NULL);
	r = vd_disc_new(&disc);
	if (r)
		r = vd_error_errno(err, r, "cannot open the drive");
	if (!r)
		r = wait_ready(d, err);
	if (!r) {
		d->open = true;
		b.disc = disc;
		disc->media = ask_media(d);
		r = vd_media_is_cd(disc->media) ? open_cd(&b, err) : open_other(&b, err);
	}
	if (!r && d->gone)
		r = vd_error_set(err, -ENOMEDIUM, "the disc was taken out of the drive");
	drive_unref(d);
	if (!r)
		*out = VD_TAKE_PTR(disc);
	return r;
}

static int no_file(const struct vd_image_head *head)
{
	(void)head;
	return 0;
}

const struct vd_image_format vd_image_physical = {
	.name = "drive",
	.description = "a disc in a drive",
	.probe = no_file,
};
