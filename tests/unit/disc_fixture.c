// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "disc_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disc/cdtext.h"
#include "disc/sector.h"
#include "disc/subchannel.h"
#include "disc/toc.h"
#include "fs/fs.h"
#include "images/chd_write.h"
#include "images/write.h"
#include "isobuild.h"
#include "util/cleanup.h"

/* Shorter tracks cannot be on a CD (IEC 60908, 17.1: 4 seconds). */
#define TRACK_SECTORS 300u

/* The disc while it is made: a store with 2352 or 2448 bytes a sector, filled up track by track. */
struct maker {
	unsigned int features;
	struct vd_disc *d;
	struct vd_store *store;
	uint64_t at; /* bytes used of the store */
	uint32_t stride;
};

static uint64_t scramble(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	return x * 0xc4ceb9fe1a85ec53u;
}

/* Sound: no two sectors are the same, and none begins like a data sector. */
static void fill_audio(uint8_t *sector, int32_t lba)
{
	for (size_t i = 0; i < VD_SECTOR_RAW; i += 8) {
		uint64_t v = scramble((uint64_t)(lba + 1000) << 16 | i);

		memcpy(sector + i, &v, 8);
	}
	sector[0] |= 1;
}

/* Stored P to W: Q as it would be but wrong in every 50th sector, and something in R to W. */
static void fill_sub(struct maker *m, uint8_t *sub, int32_t lba)
{
	ASSERT_OK(vd_disc_read_sectors(m->d, lba, 1, VD_READ_SUB, sub));
	for (size_t i = 0; i < VD_SECTOR_SUB; i++) {
		sub[i] = (uint8_t)((sub[i] & 0xc0) | (scramble((uint64_t)lba << 8 | i) & 0x3f));
		if (lba % 50 == 7 && i == 40)
			sub[i] ^= 0x40;
	}
}

static void put_sector(struct maker *m, const uint8_t *sector, int32_t lba)
{
	uint8_t sub[VD_SECTOR_SUB];

	ASSERT_OK(vd_store_pwrite(m->store, sector, VD_SECTOR_RAW, m->at));
	if (m->features & FIX_SUB) {
		fill_sub(m, sub, lba);
		ASSERT_OK(vd_store_pwrite(m->store, sub, sizeof(sub), m->at + VD_SECTOR_RAW));
	}
	m->at += m->stride;
}

/* The extent is added when its sectors have been put. */
static void add_track(struct maker *m, struct vd_track *t, int32_t lba)
{
	struct vd_error err = { "" };

	if (vd_disc_add_track(m->d, t, &err))
		ASSERT_FAIL("fixture: %s", err.text);
	ASSERT(lba <= t->start);
}

static void add_extent(struct maker *m, int32_t lba, uint32_t n)
{
	struct vd_extent x = {
		.lba = lba,
		.length = n,
		.layout = m->features & FIX_SUB ? VD_LAYOUT_2448 : VD_LAYOUT_2352,
		.store = m->store,
		.offset = m->at - (uint64_t)n * m->stride,
	};
	struct vd_error err = { "" };

	if (vd_disc_add_extent(m->d, &x, &err))
		ASSERT_FAIL("fixture: %s", err.text);
}

static void audio_track(struct maker *m, struct vd_track t, uint32_t stored_pregap)
{
	int32_t first = t.start - (int32_t)stored_pregap;
	uint8_t sector[VD_SECTOR_RAW];

	t.mode = VD_TRACK_AUDIO;
	add_track(m, &t, first);
	for (int32_t lba = first; lba < vd_track_end(&t); lba++) {
		fill_audio(sector, lba);
		put_sector(m, sector, lba);
	}
	add_extent(m, first, (uint32_t)(vd_track_end(&t) - first));
}

static struct isob *make_volume(const struct maker *m, int number, int32_t lba,
				struct isob_node **video)
{
	struct isob *b = isob_new();
	char text[64];
	int n;

	b->rock = true;
	b->xa = (m->features & FIX_MODE2) && number > 1;
	b->base = (uint32_t)lba;
	b->volume = check_printf("SESSION%d", number);
	n = snprintf(text, sizeof(text), "this is session %d\n", number);
	isob_file(b, b->root, "shared.txt", text, (size_t)n);
	n = snprintf(text, sizeof(text), "only here: %d\n", number);
	isob_file(b, b->root,
		  number == 1	? "one.txt"
		  : number == 2 ? "two.txt"
				: "three.txt",
		  text, (size_t)n);
	*video = NULL;
	if (number == 3) {
		size_t len = (size_t)FIX_VIDEO_SECTORS * VD_SECTOR_USER;
		_cleanup_free_ uint8_t *data = calloc(1, len);

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)scramble(i);
		*video = isob_file(b, b->root, "video.dat", data, len);
		(*video)->xa = b->xa ? 0x1555 : 0;
	}
	isob_finish(b);
	return b;
}

static void data_track(struct maker *m, struct vd_track t, int number)
{
	const bool mode2 = (m->features & FIX_MODE2) && number > 1;
	struct isob_node *video;
	struct isob *b = make_volume(m, number, t.start, &video);
	uint32_t sectors = (uint32_t)(b->size / VD_SECTOR_USER);
	uint32_t from = video ? video->extent / VD_SECTOR_USER : 0;

	ASSERT(sectors <= t.length);
	t.mode = mode2 ? VD_TRACK_MODE2 : VD_TRACK_MODE1;
	add_track(m, &t, t.start);
	for (uint32_t i = 0; i < t.length; i++) {
		int32_t lba = t.start + (int32_t)i;
		bool form2 = mode2 && video && i >= from && i < from + FIX_VIDEO_SECTORS;
		uint8_t sector[VD_SECTOR_RAW] = { 0 };

		if (mode2) {
			sector[16] = sector[20] = 1;
			sector[18] = sector[22] = form2 ? 0x64 : 0x08;
		}
		if (form2)
			for (size_t k = 0; k < 2324; k++)
				sector[24 + k] = (uint8_t)scramble((uint64_t)lba << 16 | k);
		else if (i < sectors)
			memcpy(sector + (mode2 ? 24 : 16), b->image + (size_t)i * VD_SECTOR_USER,
			       VD_SECTOR_USER);
		vd_sector_complete(sector,
				   form2   ? VD_KIND_MODE2_FORM2
				   : mode2 ? VD_KIND_MODE2_FORM1
					   : VD_KIND_MODE1,
				   lba, true);
		put_sector(m, sector, lba);
	}
	add_extent(m, t.start, t.length);
	isob_free(b);
}

static void set_text(struct vd_cdtext *c, int block, enum vd_cdtext_type type, int track,
		     const char *text)
{
	ASSERT_OK(vd_cdtext_set_utf8(c, block, type, track, text));
}

static void add_cdtext(struct maker *m)
{
	struct vd_cdtext *c;
	struct vd_error err = { "" };
	uint8_t *packs;
	size_t n;

	ASSERT_OK(vd_cdtext_new(&c));
	set_text(c, 0, VD_CDTEXT_TITLE, 0, "The Whole Disc");
	set_text(c, 0, VD_CDTEXT_PERFORMER, 0, "Various");
	set_text(c, 0, VD_CDTEXT_TITLE, 1, "Data");
	set_text(c, 0, VD_CDTEXT_PERFORMER, 1, "Nobody");
	set_text(c, 0, VD_CDTEXT_TITLE, 2, "A first song, with a title that is longer than a pack");
	set_text(c, 0, VD_CDTEXT_PERFORMER, 2, "Sigur R\xc3\xb3s");
	set_text(c, 0, VD_CDTEXT_TITLE, 3,
		 "\xc3\x86"
		 "on");
	set_text(c, 0, VD_CDTEXT_PERFORMER, 3, "Bj\xc3\xb6rk");
	c->block[0]->last_track = 3;
	if (m->features & FIX_LANGUAGES) {
		set_text(c, 1, VD_CDTEXT_TITLE, 0, "Die ganze Scheibe");
		set_text(c, 1, VD_CDTEXT_TITLE, 1, "Daten");
		set_text(c, 1, VD_CDTEXT_TITLE, 2, "Ein erstes Lied");
		set_text(c, 1, VD_CDTEXT_TITLE, 3, "\xc3\x84on");
		c->block[1]->language = 0x08;
		set_text(c, 0, VD_CDTEXT_DISC_ID, 0, "FIX-0001");
		c->block[0]->genre = 0x0014;
	}
	ASSERT_OK(vd_cdtext_encode(c, &packs, &n, &err));
	ASSERT_OK(vd_disc_set_cdtext(m->d, 1, packs, n, &err));
	free(packs);
	vd_cdtext_free(c);
}

static const char *isrc(const struct maker *m, const char *text)
{
	return m->features & FIX_ISRC ? text : "";
}

static void first_session(struct maker *m, int32_t *at)
{
	const bool pregaps = m->features & FIX_PREGAPS, flags = m->features & FIX_FLAGS;
	struct vd_track t = { .number = 1, .session = 1, .length = TRACK_SECTORS };
	struct vd_error err = { "" };

	if (flags)
		t.control = VD_CONTROL_COPY;
	data_track(m, t, 1);
	*at += TRACK_SECTORS;

	t.number = 2;
	t.pregap = pregaps ? 150 : 0;
	t.start = *at + (int32_t)t.pregap;
	strcpy(t.isrc, isrc(m, "DEABC2600001"));
	audio_track(m, t, 0);
	if (m->features & FIX_INDICES) {
		ASSERT_OK(vd_disc_add_index(m->d, t.start + 100, &err));
		ASSERT_OK(vd_disc_add_index(m->d, t.start + 151, &err));
	}
	*at = (int32_t)vd_track_end(&t);

	t.number = 3;
	t.control = flags ? VD_CONTROL_PREEMPHASIS : 0;
	t.pregap = pregaps ? 75 : 0;
	t.start = *at + (int32_t)t.pregap;
	strcpy(t.isrc, isrc(m, "DEABC2600002"));
	audio_track(m, t, t.pregap);
	*at = (int32_t)vd_track_end(&t);
}

static void later_sessions(struct maker *m, int32_t *at)
{
	struct vd_track t = { .number = 4,
			      .session = 2,
			      .length = TRACK_SECTORS,
			      .pregap = VD_PREGAP_SESSION,
			      .start = *at + VD_SESSION_GAP_FIRST };

	data_track(m, t, 2);
	*at = (int32_t)vd_track_end(&t);
	t.number = 5;
	t.session = 3;
	t.start = *at + VD_SESSION_GAP;
	data_track(m, t, 3);
	*at = (int32_t)vd_track_end(&t);
	t.number = 6;
	t.pregap = m->features & FIX_PREGAPS ? 150 : 0;
	t.start = *at + (int32_t)t.pregap;
	strcpy(t.isrc, isrc(m, "DEABC2600003"));
	audio_track(m, t, 0);
}

struct vd_disc *fixture_disc(unsigned int features)
{
	struct maker m = { .features = features,
			   .stride = features & FIX_SUB ? VD_SECTOR_RAW + VD_SECTOR_SUB
							: VD_SECTOR_RAW };
	struct vd_error err = { "" };
	int32_t at = 0;

	ASSERT_OK(vd_disc_new(&m.d));
	ASSERT_OK(vd_store_mem_open((uint64_t)8 * TRACK_SECTORS * m.stride, &m.store, &err));
	ASSERT_OK(vd_disc_own_store(m.d, m.store));
	m.d->media = VD_MEDIA_CD_ROM;
	if (features & FIX_MCN)
		ASSERT_OK(vd_disc_set_mcn(m.d, FIX_MCN_TEXT, &err));
	first_session(&m, &at);
	if (features & FIX_SESSIONS)
		later_sessions(&m, &at);
	if (features & FIX_CDTEXT)
		add_cdtext(&m);
	return m.d;
}

/* Comparison. Each part notes its first difference and returns false. */

static bool same_text(const struct vd_session *a, const struct vd_session *b, const char *what)
{
	struct vd_cdtext *ta, *tb;
	bool same = true;

	if (!a->ncdtext || !b->ncdtext)
		return a->ncdtext == b->ncdtext ||
		       CHECK_FAIL("%s: session %d has %zu packs of CD-TEXT, not %zu", what,
				  a->number, b->ncdtext, a->ncdtext);
	ASSERT_OK(vd_cdtext_decode(a->cdtext, a->ncdtext, &ta));
	ASSERT_OK(vd_cdtext_decode(b->cdtext, b->ncdtext, &tb));
	same &= !tb->bad_packs || CHECK_FAIL("%s: %zu bad packs", what, tb->bad_packs);
	for (int i = 0; i < VD_CDTEXT_BLOCKS; i++) {
		const struct vd_cdtext_block *x = ta->block[i], *y = tb->block[i];

		if (!x || !y) {
			same &= x == y || CHECK_FAIL("%s: CD-TEXT block %d", what, i);
			continue;
		}
		same &= x->charset == y->charset && x->language == y->language &&
					x->genre == y->genre && x->copyright == y->copyright
				? true
				: CHECK_FAIL(
					  "%s: CD-TEXT block %d: charset %d language %d genre %d",
					  what, i, y->charset, y->language, y->genre);
		for (int type = 0; type < VD_CDTEXT_TYPES; type++) {
			for (int t = 0; t < 100; t++) {
				const struct vd_cdtext_string *s = &x->text[type][t],
							      *o = &y->text[type][t];

				if (s->len == o->len &&
				    (!s->len || !memcmp(s->data, o->data, s->len)))
					continue;
				same = CHECK_FAIL(
					"%s: CD-TEXT %02x of track %d: '%.*s', not '%.*s'", what,
					type + 0x80, t, (int)o->len,
					o->len ? (const char *)o->data : "", (int)s->len,
					s->len ? (const char *)s->data : "");
			}
		}
	}
	vd_cdtext_free(ta);
	vd_cdtext_free(tb);
	return same;
}

static bool same_tracks(const struct vd_disc *a, const struct vd_disc *b, const char *what)
{
	bool same = true;

	if (a->ntracks != b->ntracks || a->nsessions != b->nsessions)
		return CHECK_FAIL("%s: %zu tracks in %d sessions, not %zu in %d", what, b->ntracks,
				  b->nsessions, a->ntracks, a->nsessions);
	same &= !strcmp(a->mcn, b->mcn) ||
		CHECK_FAIL("%s: MCN '%s', not '%s'", what, b->mcn, a->mcn);
	for (size_t i = 0; i < a->ntracks; i++) {
		const struct vd_track *x = &a->tracks[i], *y = &b->tracks[i];

		if (x->number != y->number || x->session != y->session || x->mode != y->mode ||
		    x->control != y->control || x->start != y->start || x->pregap != y->pregap ||
		    x->length != y->length || x->nindices != y->nindices ||
		    strcmp(x->isrc, y->isrc) ||
		    (x->nindices && memcmp(x->indices, y->indices, x->nindices * sizeof(int32_t))))
			same = CHECK_FAIL("%s: track %d of session %d: mode %d, control %x, %d + %u"
					  " (pregap %u), %zu indices, ISRC '%s'; not track %d of"
					  " %d: %d, %x, %d + %u (%u), %zu, '%s'",
					  what, y->number, y->session, y->mode, y->control,
					  y->start, y->length, y->pregap, y->nindices, y->isrc,
					  x->number, x->session, x->mode, x->control, x->start,
					  x->length, x->pregap, x->nindices, x->isrc);
	}
	for (int i = 0; i < a->nsessions; i++) {
		const struct vd_session *x = &a->sessions[i], *y = &b->sessions[i];

		if (x->type != y->type || x->leadout != y->leadout ||
		    x->first_track != y->first_track || x->ntracks != y->ntracks)
			same = CHECK_FAIL("%s: session %d: type %02x, lead-out %d, not %02x, %d",
					  what, i + 1, y->type, y->leadout, x->type, x->leadout);
		same &= same_text(x, y, what);
	}
	return same;
}

static bool same_toc(const struct vd_disc *a, const struct vd_disc *b, const char *what)
{
	static const enum vd_toc_format formats[] = { VD_TOC_TRACKS, VD_TOC_SESSIONS, VD_TOC_FULL };
	bool same = true;

	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		uint8_t x[4096] = { 0 }, y[4096] = { 0 };
		size_t xn = 0, yn = 0;
		int xr = vd_toc_response(a, formats[i], true, 0, x, sizeof(x), &xn);
		int yr = vd_toc_response(b, formats[i], true, 0, y, sizeof(y), &yn);

		if (xr != yr || xn != yn || memcmp(x, y, sizeof(x)))
			same = CHECK_FAIL("%s: another TOC in format %d", what, formats[i]);
	}
	return same;
}

static bool same_sectors(struct vd_disc *a, struct vd_disc *b, const char *what)
{
	const int32_t end = a->sessions[a->nsessions - 1].leadout;

	for (int32_t lba = 0; lba < end; lba++) {
		uint8_t x[VD_SECTOR_RAW + VD_SECTOR_SUB], y[sizeof(x)];
		int xr = vd_disc_read_sectors(a, lba, 1, VD_READ_MAIN | VD_READ_SUB, x);
		int yr = vd_disc_read_sectors(b, lba, 1, VD_READ_MAIN | VD_READ_SUB, y);

		if (xr || yr)
			return CHECK_FAIL("%s: sector %d: %s, %s", what, lba, check_errno_name(xr),
					  check_errno_name(yr));
		for (size_t i = 0; i < sizeof(x); i++)
			if (x[i] != y[i])
				return CHECK_FAIL(
					"%s: sector %d differs at byte %zu: %02x, not %02x", what,
					lba, i, y[i], x[i]);
	}
	return true;
}

static bool same_view(struct vd_disc *a, struct vd_disc *b, const char *what)
{
	uint64_t size = vd_disc_size(a);
	uint8_t x[16384], y[sizeof(x)];

	if (size != vd_disc_size(b))
		return CHECK_FAIL("%s: %llu bytes of user data, not %llu", what,
				  (unsigned long long)vd_disc_size(b), (unsigned long long)size);
	for (uint64_t off = 0; off < size; off += sizeof(x)) {
		size_t n = size - off < sizeof(x) ? (size_t)(size - off) : sizeof(x);

		if (vd_disc_pread(a, x, n, off) || vd_disc_pread(b, y, n, off) || memcmp(x, y, n))
			return CHECK_FAIL("%s: user data differs from byte %llu on", what,
					  (unsigned long long)off);
	}
	return true;
}

struct listing {
	struct vd_fs *fs;
	FILE *out;
	char path[256];
	int error;
};

static int list_entry(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		      uint64_t next)
{
	struct listing *l = arg;
	uint8_t buf[4096];
	uint64_t off = 0, sum = 0;
	ssize_t n = 0;

	fprintf(l->out, "%s/%.*s %o %llu %lld", l->path, (int)len, name, attr->mode,
		(unsigned long long)attr->size, (long long)attr->mtime.tv_sec);
	if (S_ISREG(attr->mode)) {
		while ((n = vd_fs_read(l->fs, attr->ino, buf, sizeof(buf), off)) > 0) {
			for (ssize_t i = 0; i < n; i++)
				sum = scramble(sum ^ buf[i]) + off;
			off += (uint64_t)n;
		}
		fprintf(l->out, " %llu bytes %016llx", (unsigned long long)off,
			(unsigned long long)sum);
	}
	fputc('\n', l->out);
	if (n < 0)
		l->error = (int)n;
	return 0;
}

/* What is in the root of a session's file system, with a digest of each file; NULL without one. */
static char *list_session(struct vd_disc *d, int session)
{
	struct vd_fs_options o = { .session = session };
	struct listing l = { .path = "" };
	struct vd_error err = { "" };
	char *text = NULL, *kept;
	size_t len;
	int r = vd_fs_open(d, &o, &l.fs, &err);

	if (r)
		return check_printf("%s\n", err.text);
	l.out = open_memstream(&text, &len);
	fprintf(l.out, "%s %s\n", l.fs->volume, l.fs->view);
	r = vd_fs_readdir(l.fs, l.fs->root, 0, list_entry, &l);
	fprintf(l.out, "%s %s\n", check_errno_name(r), check_errno_name(l.error));
	fclose(l.out);
	vd_fs_close(l.fs);
	kept = check_printf("%s", text);
	free(text);
	return kept;
}

static bool same_files(struct vd_disc *a, struct vd_disc *b, const char *what)
{
	for (int i = 1; i <= a->nsessions; i++) {
		const char *x = list_session(a, i), *y = list_session(b, i);

		if (strcmp(x, y))
			return CHECK_FAIL("%s: session %d has the files\n%snot\n%s", what, i, y, x);
	}
	return true;
}

bool fixture_same(struct vd_disc *a, struct vd_disc *b, const char *what)
{
	bool same = same_tracks(a, b, what);

	/* Without the same tracks the rest says nothing. */
	if (!same)
		return false;
	same &= same_toc(a, b, what);
	same &= same_sectors(a, b, what);
	same &= same_view(a, b, what);
	return same & same_files(a, b, what);
}

/* Images. */

struct folder_opener {
	struct vd_opener opener;
	int dir_fd;
};

static int open_beside(struct vd_opener *o, const char *name, struct vd_error *err)
{
	int fd = openat(((struct folder_opener *)o)->dir_fd, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? vd_error_errno(err, -errno, "%s", name) : fd;
}

static int open_nth_beside(struct vd_opener *o, const char *suffix, unsigned int n,
			   struct vd_error *err)
{
	int fd = openat(((struct folder_opener *)o)->dir_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	size_t len = strlen(suffix);
	const struct dirent *e;
	int r = -ENOENT;

	ASSERT(dir);
	while (r == -ENOENT && (e = readdir(dir))) {
		size_t have = strlen(e->d_name);

		if (have >= len && !strcmp(e->d_name + have - len, suffix) && !n--)
			r = open_beside(o, e->d_name, err);
	}
	closedir(dir);
	return r;
}

static int open_image(const char *path, const struct vd_image_format **format, struct vd_disc **out,
		      struct vd_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash ? check_printf("%.*s", (int)(slash - path), path) : ".";
	_cleanup_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct folder_opener o = { .opener = { .open = open_beside, .open_nth = open_nth_beside },
				   .dir_fd = dir_fd };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vd_error_errno(err, -errno, "%s", path);
	return vd_image_open(&o.opener, fd, slash ? slash + 1 : path, out, format, err);
}

struct vd_disc *fixture_open(const char *path, const struct vd_image_format **format)
{
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	if (open_image(path, format, &d, &err))
		ASSERT_FAIL("%s: %s", path, err.text);
	return d;
}

int fixture_try(const char *path, struct vd_disc **out, struct vd_error *err)
{
	return open_image(path, NULL, out, err);
}

int fixture_try_bytes(const char *name, const void *data, size_t len, struct vd_disc **out,
		      struct vd_error *err)
{
	const char *path = check_path("%s", name);

	check_write_file(path, data, len);
	*out = NULL;
	return fixture_try(path, out, err);
}

static void write_bin(const struct vd_bin *b, const char *path)
{
	size_t len = (size_t)b->sectors * VD_SECTOR_RAW;
	_cleanup_free_ uint8_t *data = malloc(len + 1);

	ASSERT(data != NULL);
	ASSERT_OK(vd_bin_pread(b, data, len, 0));
	check_write_file(path, data, len);
}

void fixture_write_bin(struct vd_disc *d, const char *path, bool big_endian)
{
	_cleanup_(vd_bin_done) struct vd_bin b;
	struct vd_error err = { "" };

	ASSERT_OK(vd_bin_init(&b, d, 0, big_endian, &err));
	write_bin(&b, path);
}

static char *write_sheet(struct vd_disc *d, const char *name, bool toc)
{
	_cleanup_(vd_bin_done) struct vd_bin b;
	const bool cdt = !toc && vd_cue_needs_cdtext_file(d);
	char *path = check_path("%s.%s", name, toc ? "toc" : "cue"), *text = NULL;
	const char *bin = check_printf("%s.bin", name);
	struct vd_error err = { "" };
	size_t len;
	FILE *f;

	ASSERT_OK(vd_bin_init(&b, d, 0, toc, &err));
	write_bin(&b, check_path("%s", bin));
	if (cdt)
		check_write_file(check_path("%s.cdt", name), d->sessions[0].cdtext,
				 d->sessions[0].ncdtext * VD_CDTEXT_PACK);
	f = open_memstream(&text, &len);
	ASSERT_OK(toc ? vd_toc_write(&b, bin, f)
		      : vd_cue_write(&b, bin, cdt ? check_printf("%s.cdt", name) : NULL, f));
	fclose(f);
	check_write_file(path, text, len);
	free(text);
	return path;
}

char *fixture_write_cue(struct vd_disc *d, const char *name)
{
	return write_sheet(d, name, false);
}

char *fixture_write_toc(struct vd_disc *d, const char *name)
{
	return write_sheet(d, name, true);
}

char *fixture_write_chd(struct vd_disc *d, const char *name)
{
	char *path = check_path("%s.chd", name);
	struct vd_chd_write o = { .codecs = NULL };
	struct vd_error err = { "" };
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ASSERT(fd >= 0);
	if (vd_chd_write(d, fd, &o, &err))
		ASSERT_FAIL("%s: %s", path, err.text);
	return path;
}

void fixture_check_user(struct vd_disc *d, const char *path, uint32_t sectors)
{
	size_t len;
	const char *iso = check_read_file(path, &len);

	ASSERT_UINT(len, (size_t)sectors * VD_SECTOR_USER);
	for (uint32_t i = 0; i < sectors; i++) {
		uint8_t user[VD_SECTOR_USER];

		ASSERT_OK(vd_disc_pread(d, user, sizeof(user), (uint64_t)i * sizeof(user)));
		ASSERT_MEM(user, iso + (size_t)i * sizeof(user), sizeof(user));
	}
}
