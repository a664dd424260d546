// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Conversion, in the cage. Before anything is written, it is said what the new format has no place for; what only a look at every
 * sector can tell (Form 2, wrong codes) is said at the end, while the result has no name yet.
 */
#include "userspace/vdrive/convert.h"

#include <FLAC/metadata.h>
#include <FLAC/stream_encoder.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "disc/sector.h"
#include "images/chd_write.h"
#include "images/physical.h"
#include "images/write.h"
#include "util/io.h"

#define CHUNK_SECTORS 448u
#define CHUNK (CHUNK_SECTORS * VD_SECTOR_RAW)

/* Writing */

/* Room for all of it now: a disk that is too full is found out before the work is done, not after. */
static int reserve(int fd, uint64_t size)
{
	if (!size || !fallocate(fd, 0, 0, (off_t)size) || errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return -errno;
}

/* Progress over several files. */
struct work {
	struct caged *c;
	uint64_t done, total;
};

typedef int (*read_fn)(void *arg, void *buf, size_t len, uint64_t off);

/* @size bytes as @read gives them. @from names the image and @to the file in @err. */
static int copy(struct work *w, read_fn read, void *arg, uint64_t size, int fd,
		const struct convert_request *q, struct vd_error *err)
{
	_cleanup_free_ uint8_t *buf = need(malloc(CHUNK));
	int r = reserve(fd, size);

	if (r)
		return vd_error_errno(err, r, "%s", q->out);
	for (uint64_t off = 0; off < size;) {
		size_t n = size - off < CHUNK ? (size_t)(size - off) : CHUNK;

		r = read(arg, buf, n, off);
		if (r)
			return vd_error_errno(err, r,
					      "%s: cannot read it at byte %llu of the result",
					      q->image->given, (unsigned long long)off);
		r = vd_pwrite_all(fd, buf, n, off);
		if (r)
			return vd_error_errno(err, r, "%s", q->out);
		off += n;
		w->done += n;
		caged_progress(w->c, w->done, w->total);
	}
	return 0;
}

static int write_text(int fd, const char *text, size_t len, const struct convert_request *q,
		      struct vd_error *err)
{
	int r = vd_pwrite_all(fd, text, len, 0);

	return r ? vd_error_errno(err, r, "%s", q->out) : 0;
}

/* Losses */

/* Adds to a list. */
static void lose(FILE *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void lose(FILE *f, const char *fmt, ...)
{
	va_list ap;

	if (ftell(f) > 0)
		fputs(", ", f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
}

static size_t count_tracks(const struct vd_disc *d, bool audio)
{
	size_t n = 0;

	for (size_t i = 0; i < d->ntracks; i++)
		n += (d->tracks[i].mode == VD_TRACK_AUDIO) == audio;
	return n;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void lose_subchannel(const struct vd_disc *d, FILE *f)
{
	for (size_t i = 0; i < d->nextents; i++) {
		if (d->extents[i].sub != VD_SUB_NONE) {
			lose(f, "the stored subchannel");
			return;
		}
	}
}

static void lose_cdtext(const struct vd_disc *d, int from, FILE *f)
{
	for (int i = from; i < d->nsessions; i++) {
		if (d->sessions[i].ncdtext) {
			if (from)
				lose(f, "CD-TEXT of session %d", i + 1);
			else
				lose(f, "CD-TEXT");
			return;
		}
	}
}

static void lose_first_pregap(const struct vd_disc *d, FILE *f)
{
	if (d->nextents && d->extents[0].lba < 0)
		lose(f, "the sectors stored before 00:02:00");
}

static void lose_structures(const struct vd_disc *d, FILE *f)
{
	if (d->nstructures)
		lose(f, "%zu disc structure%s", d->nstructures, plural(d->nstructures));
}

/* iso */

static int iso_losses(struct vd_disc *d, const struct convert_request *q, FILE *f,
		      struct vd_error *err)
{
	size_t audio = count_tracks(d, true), data = d->ntracks - audio;
	bool mode2 = false, isrc = false;

	if (!data)
		return vd_error_set(err, -EMEDIUMTYPE,
				    "%s: it has no data track, so there is no ISO image of it",
				    q->image->given);
	if (audio)
		lose(f, "%zu audio track%s", audio, plural(audio));
	if (data > 1)
		lose(f, "where %zu data tracks begin", data);
	for (size_t i = 0; i < d->ntracks; i++) {
		mode2 |= d->tracks[i].mode == VD_TRACK_MODE2;
		isrc |= d->tracks[i].mode != VD_TRACK_AUDIO && d->tracks[i].isrc[0];
	}
	if (mode2)
		lose(f, "subheaders of mode 2");
	lose_cdtext(d, 0, f);
	if (isrc)
		lose(f, "ISRC");
	if (d->mcn[0])
		lose(f, "the catalogue number");
	lose_subchannel(d, f);
	lose_structures(d, f);
	return 0;
}

/* What only a look at each sector tells. */
struct iso_work {
	struct vd_disc *d;
	uint8_t *raw;
	uint64_t form2, formless, wrong;
};

static bool has_codes(enum vd_sector_layout layout)
{
	return layout == VD_LAYOUT_2352 || layout == VD_LAYOUT_2352_SWAPPED ||
	       layout == VD_LAYOUT_2448 || layout == VD_LAYOUT_2336;
}

/* @n sectors of one extent. */
static int look_at(struct iso_work *w, const struct vd_extent *x, int32_t lba, uint32_t n)
{
	const bool forms =
		w->d->sessions[vd_disc_session_at(w->d, lba) - 1].type != VD_SESSION_CDROM ||
		x->layout == VD_LAYOUT_2332;
	int r = vd_disc_read_sectors(w->d, lba, n, VD_READ_MAIN, w->raw);

	for (uint32_t i = 0; !r && i < n; i++) {
		const uint8_t *sector = w->raw + i * VD_SECTOR_RAW;
		enum vd_sector_kind kind = vd_sector_kind(sector, x->mode, forms);

		if (kind == VD_KIND_MODE2_FORM2)
			w->form2++;
		else if (kind != VD_KIND_MODE1 && kind != VD_KIND_MODE2_FORM1)
			w->formless++;
		else if (has_codes(x->layout) && vd_sector_check(sector, kind, lba + (int32_t)i))
			w->wrong++;
	}
	return r;
}

static int iso_read(void *arg, void *buf, size_t len, uint64_t off)
{
	struct iso_work *w = arg;
	int64_t lba = (int64_t)(off / VD_SECTOR_USER);
	/* A chunk may end inside a sector: that one is looked at with the next. */
	int64_t end = (int64_t)((off + len) / VD_SECTOR_USER);
	int r = vd_disc_pread(w->d, buf, len, off);

	for (size_t i = vd_disc_extent_from(w->d, lba); !r && i < w->d->nextents; i++) {
		const struct vd_extent *x = &w->d->extents[i];
		int64_t from = x->lba > lba ? x->lba : lba, to = (int64_t)x->lba + x->length;

		if (from >= end)
			break;
		if (to > end)
			to = end;
		if (x->mode != VD_TRACK_AUDIO && x->layout != VD_LAYOUT_2048)
			r = look_at(w, x, (int32_t)from, (uint32_t)(to - from));
	}
	return r;
}

static int iso_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err)
{
	_cleanup_free_ uint8_t *raw = need(malloc((CHUNK / VD_SECTOR_USER + 1) * VD_SECTOR_RAW));
	struct iso_work iso = { .d = d, .raw = raw };
	struct work w = { .c = c, .total = vd_iso_sectors(d) * VD_SECTOR_USER };
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;
	int fd = caged_output(c, CONVERT_MAIN, 0, err), r;

	if (fd < 0)
		return fd;
	r = copy(&w, iso_read, &iso, w.total, fd, q, err);
	if (r || q->force)
		return r;
	f = need(open_memstream(&text, &len));
	if (iso.form2)
		lose(f, "%llu sector%s of Form 2", (unsigned long long)iso.form2,
		     plural(iso.form2));
	if (iso.formless)
		lose(f, "%llu sector%s without 2048 bytes of data",
		     (unsigned long long)iso.formless, plural(iso.formless));
	if (iso.wrong)
		lose(f, "%llu sector%s whose address, EDC or ECC is wrong",
		     (unsigned long long)iso.wrong, plural(iso.wrong));
	if (fclose(f))
		need(NULL);
	return len ? vd_error_set(err, -EPERM, "%s would lose: %s (--force writes it all the same)",
				  q->out, text)
		   : 0;
}

/* cue and toc */

static int cue_losses(struct vd_disc *d, const struct convert_request *q, FILE *f,
		      struct vd_error *err)
{
	struct vd_bin b;
	int r = vd_bin_init(&b, d, 0, false, err);

	if (r)
		return vd_error_prefix(err, r, "%s", q->image->given);
	vd_bin_done(&b);
	lose_cdtext(d, 1, f);
	lose_first_pregap(d, f);
	lose_subchannel(d, f);
	lose_structures(d, f);
	return 0;
}

static int toc_losses(struct vd_disc *d, const struct convert_request *q, FILE *f,
		      struct vd_error *err)
{
	bool scms = false, isrc = false;
	struct vd_bin b;
	int r = vd_bin_init(&b, d, 0, true, err);

	if (r)
		return vd_error_prefix(err, r, "%s", q->image->given);
	vd_bin_done(&b);
	if (d->nsessions > 1)
		lose(f, d->nsessions > 2 ? "sessions 2 and later" : "session 2");
	if (!vd_toc_keeps_cdtext(d))
		lose(f, "part of CD-TEXT");
	for (size_t i = 0; i < d->sessions[0].ntracks; i++) {
		scms |= d->tracks[i].scms;
		isrc |= d->tracks[i].mode != VD_TRACK_AUDIO && d->tracks[i].isrc[0];
	}
	if (scms)
		lose(f, "SCMS flags");
	if (isrc)
		lose(f, "ISRC of a data track");
	if (d->tracks[0].number != 1)
		lose(f, "the number of the first track");
	lose_first_pregap(d, f);
	lose_subchannel(d, f);
	lose_structures(d, f);
	return 0;
}

static int bin_read(void *arg, void *buf, size_t len, uint64_t off)
{
	return vd_bin_pread(arg, buf, len, off);
}

static int write_cdtext(struct caged *c, const struct vd_disc *d, const struct convert_request *q,
			struct vd_error *err)
{
	const struct vd_session *s = &d->sessions[0];
	int fd = caged_output(c, CONVERT_CDT, 0, err);

	if (fd < 0)
		return fd;
	return write_text(fd, (const char *)s->cdtext, s->ncdtext * VD_CDTEXT_PACK, q, err);
}

static int sheet_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		       bool toc, struct vd_error *err)
{
	const bool cdt = !toc && vd_cue_needs_cdtext_file(d);
	_cleanup_(vd_bin_done) struct vd_bin b;
	_cleanup_free_ char *text = NULL;
	struct work w = { .c = c };
	size_t len;
	FILE *f;
	int fd, r = vd_bin_init(&b, d, toc ? 1 : 0, toc, err);

	if (r)
		return vd_error_prefix(err, r, "%s", q->image->given);
	w.total = b.sectors * VD_SECTOR_RAW;
	fd = caged_output(c, CONVERT_BIN, 0, err);
	if (fd < 0)
		return fd;
	r = copy(&w, bin_read, &b, w.total, fd, q, err);
	if (!r && cdt)
		r = write_cdtext(c, d, q, err);
	if (r)
		return r;
	f = need(open_memstream(&text, &len));
	r = toc ? vd_toc_write(&b, q->bin_name, f)
		: vd_cue_write(&b, q->bin_name, cdt ? q->cdt_name : NULL, f);
	if (fclose(f) || r)
		return vd_error_errno(err, r ? r : -ENOMEM, "%s", q->out);
	fd = caged_output(c, CONVERT_MAIN, 0, err);
	return fd < 0 ? fd : write_text(fd, text, len, q, err);
}

static int cue_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err)
{
	return sheet_write(c, d, q, false, err);
}

static int toc_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err)
{
	return sheet_write(c, d, q, true, err);
}

/* wav and flac */

static int track_losses(struct vd_disc *d, const struct convert_request *q, FILE *f,
			struct vd_error *err)
{
	size_t data = count_tracks(d, false);
	bool emphasis = false, four = false;
	int32_t lba;
	uint32_t n;

	if (data == d->ntracks)
		return vd_error_set(err, -EMEDIUMTYPE, "%s: it has no audio track",
				    q->image->given);
	if (q->track && !vd_audio_span(d, q->track, &lba, &n))
		return vd_error_set(err, -ENOENT, "%s: it has no audio track %d", q->image->given,
				    q->track);
	for (size_t i = 0; i < d->ntracks; i++) {
		if (q->track && d->tracks[i].number != q->track)
			continue;
		emphasis |= d->tracks[i].control & VD_CONTROL_PREEMPHASIS;
		four |= d->tracks[i].mode == VD_TRACK_AUDIO &&
			d->tracks[i].control & VD_CONTROL_FOUR_CHANNELS;
	}
	if (emphasis)
		lose(f, "that there is pre-emphasis");
	if (four)
		lose(f, "that there are four channels");
	if (q->track)
		return 0; /* who asks for one track has no need of the others */
	if (data)
		lose(f, "%zu data track%s", data, plural(data));
	if (d->mcn[0] && strcmp(q->target->name, "flac"))
		lose(f, "the catalogue number");
	if (vd_cue_needs_cdtext_file(d))
		lose(f, "part of CD-TEXT");
	lose_subchannel(d, f);
	return 0;
}

static int wav_read(void *arg, void *buf, size_t len, uint64_t off)
{
	return vd_wav_pread(arg, buf, len, off);
}

static int wav_track(struct work *w, struct vd_disc *d, int number, int fd,
		     const struct convert_request *q, struct vd_error *err)
{
	struct vd_wav wav;
	int r = vd_wav_init(&wav, d, number);

	if (r)
		return vd_error_errno(err, r, "%s: track %d", q->image->given, number);
	r = copy(w, wav_read, &wav, wav.size, fd, q, err);
	vd_wav_done(&wav);
	return r;
}

struct flac_file {
	int fd, error;
	uint64_t at;
};

static FLAC__StreamEncoderWriteStatus flac_put(const FLAC__StreamEncoder *e, const FLAC__byte *data,
					       size_t len, uint32_t samples, uint32_t frame,
					       void *arg)
{
	struct flac_file *f = arg;

	f->error = vd_pwrite_all(f->fd, data, len, f->at);
	f->at += len;
	return f->error ? FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR
			: FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static FLAC__StreamEncoderSeekStatus flac_seek(const FLAC__StreamEncoder *e, FLAC__uint64 to,
					       void *arg)
{
	((struct flac_file *)arg)->at = to;
	return FLAC__STREAM_ENCODER_SEEK_STATUS_OK;
}

static FLAC__StreamEncoderTellStatus flac_tell(const FLAC__StreamEncoder *e, FLAC__uint64 *at,
					       void *arg)
{
	*at = ((struct flac_file *)arg)->at;
	return FLAC__STREAM_ENCODER_TELL_STATUS_OK;
}

static void flac_tag(FLAC__StreamMetadata *m, const char *name, const char *value)
{
	FLAC__StreamMetadata_VorbisComment_Entry entry;

	if (!value || !*value)
		return;
	if (!FLAC__metadata_object_vorbiscomment_entry_from_name_value_pair(&entry, name, value) ||
	    !FLAC__metadata_object_vorbiscomment_append_comment(m, entry, false))
		need(NULL);
}

static int flac_tags(struct vd_disc *d, int number, FLAC__StreamMetadata *m)
{
	struct vd_audio_tags t;
	char text[8];
	int r = vd_audio_tags(d, number, &t);

	if (r)
		return r;
	snprintf(text, sizeof(text), "%d", number);
	flac_tag(m, "TITLE", t.title);
	flac_tag(m, "ARTIST", t.artist ? t.artist : t.album_artist);
	flac_tag(m, "ALBUM", t.album);
	flac_tag(m, "ALBUMARTIST", t.album_artist);
	flac_tag(m, "LYRICIST", t.songwriter);
	flac_tag(m, "COMPOSER", t.composer);
	flac_tag(m, "ARRANGER", t.arranger);
	flac_tag(m, "COMMENT", t.message);
	flac_tag(m, "GENRE", t.genre);
	flac_tag(m, "ISRC", t.isrc);
	flac_tag(m, "TRACKNUMBER", text);
	flac_tag(m, "MCN", d->mcn);
	vd_audio_tags_done(&t);
	return 0;
}

static void free_encoder(FLAC__StreamEncoder **e)
{
	if (*e)
		FLAC__stream_encoder_delete(*e);
}

static void free_metadata(FLAC__StreamMetadata **m)
{
	if (*m)
		FLAC__metadata_object_delete(*m);
}

static int flac_track(struct work *w, struct vd_disc *d, int number, int fd,
		      const struct convert_request *q, struct vd_error *err)
{
	_cleanup_(free_encoder) FLAC__StreamEncoder *e = need(FLAC__stream_encoder_new());
	_cleanup_(free_metadata) FLAC__StreamMetadata *m =
		need(FLAC__metadata_object_new(FLAC__METADATA_TYPE_VORBIS_COMMENT));
	_cleanup_free_ uint8_t *raw = need(malloc(CHUNK));
	_cleanup_free_ FLAC__int32 *samples = need(malloc(CHUNK * 2));
	struct flac_file file = { .fd = fd };
	int32_t lba = 0;
	uint32_t n = 0, part;
	int r = flac_tags(d, number, m);

	if (!r && !vd_audio_span(d, number, &lba, &n))
		r = -ENOENT;
	if (r)
		return vd_error_errno(err, r, "%s: track %d", q->image->given, number);
	FLAC__stream_encoder_set_channels(e, 2);
	FLAC__stream_encoder_set_bits_per_sample(e, 16);
	FLAC__stream_encoder_set_sample_rate(e, 44100);
	FLAC__stream_encoder_set_compression_level(e, 5);
	FLAC__stream_encoder_set_total_samples_estimate(e, (uint64_t)n * 588);
	FLAC__stream_encoder_set_metadata(e, &m, 1);
	if (FLAC__stream_encoder_init_stream(e, flac_put, flac_seek, flac_tell, NULL, &file) !=
	    FLAC__STREAM_ENCODER_INIT_STATUS_OK)
		return vd_error_errno(err, file.error ? file.error : -EINVAL,
				      "%s: the FLAC encoder", q->out);
	for (; n; n -= part, lba += (int32_t)part) {
		part = n < CHUNK_SECTORS ? n : CHUNK_SECTORS;
		r = vd_disc_read_sectors(d, lba, part, VD_READ_USER, raw);
		if (r)
			return vd_error_errno(err, r, "%s: cannot read it at sector %d",
					      q->image->given, lba);
		for (size_t i = 0; i < (size_t)part * 588 * 2; i++)
			samples[i] = (int16_t)(raw[2 * i] | raw[2 * i + 1] << 8);
		if (!FLAC__stream_encoder_process_interleaved(e, samples, part * 588))
			break;
		w->done += (uint64_t)part * VD_SECTOR_RAW;
		caged_progress(w->c, w->done, w->total);
	}
	if (!FLAC__stream_encoder_finish(e) || file.error || n)
		return vd_error_errno(err, file.error ? file.error : -EIO, "%s", q->out);
	return 0;
}

static int tracks_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
			int (*one)(struct work *w, struct vd_disc *d, int number, int fd,
				   const struct convert_request *q, struct vd_error *err),
			struct vd_error *err)
{
	const int first = q->track, last = q->track ? q->track : VD_TRACKS_MAX;
	struct work w = { .c = c };
	int32_t lba;
	uint32_t n;
	int r = 0;

	for (int i = first; i <= last; i++)
		if (vd_audio_span(d, i, &lba, &n))
			w.total += (uint64_t)n * VD_SECTOR_RAW;
	for (int i = first; i <= last && !r; i++) {
		_cleanup_close_ int fd = -1;

		if (!vd_audio_span(d, i, &lba, &n))
			continue;
		fd = caged_output(c, q->track ? CONVERT_MAIN : CONVERT_TRACK, (uint32_t)i, err);
		r = fd < 0 ? fd : one(&w, d, i, fd, q, err);
	}
	return r;
}

static int wav_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err)
{
	return tracks_write(c, d, q, wav_track, err);
}

static int flac_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		      struct vd_error *err)
{
	return tracks_write(c, d, q, flac_track, err);
}

/* chd */

static int chd_losses(struct vd_disc *d, const struct convert_request *q, FILE *f,
		      struct vd_error *err)
{
	bool isrc = false, flags = false, indices = false, pq = false;

	if (!d->ntracks || d->tracks[d->ntracks - 1].number != (int)d->ntracks)
		return vd_error_set(err, -EMEDIUMTYPE,
				    "%s: the tracks of a CHD are numbered from 1 on without a gap",
				    q->image->given);
	for (size_t i = 0; i < d->ntracks; i++) {
		isrc |= d->tracks[i].isrc[0] != '\0';
		flags |= d->tracks[i].scms || d->tracks[i].control & ~VD_CONTROL_DATA;
		indices |= d->tracks[i].nindices > 0;
	}
	for (size_t i = 0; i < d->nextents; i++)
		pq |= d->extents[i].sub == VD_SUB_RAW || d->extents[i].sub == VD_SUB_PLANAR;
	if (d->nsessions > 1)
		lose(f, "where %d sessions begin", d->nsessions);
	if (indices)
		lose(f, "indices beyond 1");
	if (isrc)
		lose(f, "ISRC");
	if (flags)
		lose(f, "flags of tracks");
	if (d->mcn[0])
		lose(f, "the catalogue number");
	lose_cdtext(d, 0, f);
	lose_first_pregap(d, f);
	if (pq)
		lose(f, "P and Q of the stored subchannel");
	lose_structures(d, f);
	return 0;
}

static int chd_progress(void *arg, unsigned int permille)
{
	caged_progress(arg, permille, 1000);
	return 0;
}

static int chd_write(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		     struct vd_error *err)
{
	const struct vd_chd_write o = { .progress = chd_progress, .arg = c };
	int fd = caged_output(c, CONVERT_MAIN, 0, err), r;

	if (fd < 0)
		return fd;
	r = vd_chd_write(d, fd, &o, err);
	return r ? vd_error_prefix(err, r, "%s", q->out) : 0;
}

const struct convert_target convert_targets[] = {
	{ "iso", ".iso", .losses = iso_losses, .write = iso_write },
	{ "cue", ".cue", .sheet = true, .losses = cue_losses, .write = cue_write },
	{ "toc", ".toc", .sheet = true, .losses = toc_losses, .write = toc_write },
	{ "chd", ".chd", .losses = chd_losses, .write = chd_write },
	{ "wav", ".wav", .folder = true, .losses = track_losses, .write = wav_write },
	{ "flac", ".flac", .folder = true, .losses = track_losses, .write = flac_write },
	{ .name = NULL },
};

static int convert(struct caged *c, struct vd_disc *d, const struct convert_request *q,
		   struct vd_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = need(open_memstream(&text, &len));
	int r = q->target->losses(d, q, f, err);

	if (fclose(f))
		need(NULL);
	if (r)
		return r;
	if (len && !q->force)
		return vd_error_set(err, -EPERM,
				    "%s would lose: %s (--force writes it all the same)", q->out,
				    text);
	return q->target->write(c, d, q, err);
}

int convert_run(struct caged *c, void *arg)
{
	const struct convert_request *q = arg;
	struct vd_disc *d = caged_open_disc(c, q->image, NULL);
	struct vd_error err = { "" };
	int r;

	if (!d)
		return EX_FAILED;
	r = convert(c, d, q, &err);
	if (r == -EIO) {
		struct vd_error why = { "" };

		vd_physical_error(d, r, &why);
		if (why.text[0])
			vd_error_set(&err, r, "%s: %s", q->image->given, why.text);
	}
	vd_disc_close(d);
	if (!r)
		return 0;
	caged_finish_progress(c);
	/* What went wrong is said of the one or the other. */
	complain_error(r, &err,
		       strncmp(err.text, q->image->given, strlen(q->image->given))
			       ? q->out
			       : q->image->given);
	return EX_FAILED;
}
