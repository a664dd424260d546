// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrived/views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"

/* Sectors looked at between two looks at the clock. */
#define SCAN_STEP 1024u
/* An image that needs more is one that is made to need them. */
#define RANGES_MAX 20000u

static int make_cue(struct vd_views *v)
{
	FILE *f = open_memstream(&v->cue, &v->cue_len);
	int r;

	if (!f)
		return -ENOMEM;
	v->has_cdt = vd_cue_needs_cdtext_file(v->disc);
	r = vd_cue_write(&v->bin, "disc.bin", v->has_cdt ? "disc.cdt" : NULL, f);
	return fclose(f) ? -ENOMEM : r;
}

int vd_views_open(struct vd_views *v, struct vd_disc *d, struct vd_error *err)
{
	int r;

	memset(v, 0, sizeof(*v));
	pthread_mutex_init(&v->lock, NULL);
	v->disc = d;
	v->iso_size = vd_iso_sectors(d) * VD_SECTOR_USER;
	v->scan_done = !v->iso_size;
	r = vd_bin_init(&v->bin, d, 0, false, err);
	if (r == -EMEDIUMTYPE)
		return 0; /* no CD: there is nothing to it but disc.iso */
	if (!r)
		r = make_cue(v);
	if (r)
		return vd_error_errno(err, r, "cannot show the disc");
	v->has_bin = true;
	for (int i = 0; i <= VD_TRACKS_MAX; i++) {
		r = vd_wav_init(&v->wav[i], d, i);
		/* A track beyond 4 GiB is no WAVE file; disc.bin has it. */
		if (r && r != -ENOENT && r != -EFBIG)
			return vd_error_errno(err, r, "cannot show track %d", i);
		if (r)
			v->wav[i].size = 0;
		else
			v->nwav++;
	}
	return 0;
}

uint64_t vd_view_size(const struct vd_views *v, enum vd_view view, int track)
{
	switch (view) {
	case VD_VIEW_ISO:
		return v->iso_size;
	case VD_VIEW_BIN:
		return v->has_bin ? v->bin.sectors * VD_SECTOR_RAW : 0;
	case VD_VIEW_CUE:
		return v->has_bin ? v->cue_len : 0;
	case VD_VIEW_CDT:
		return v->has_bin && v->has_cdt ? v->disc->sessions[0].ncdtext * VD_CDTEXT_PACK : 0;
	case VD_VIEW_TRACK:
		return track >= 0 && track <= VD_TRACKS_MAX ? v->wav[track].size : 0;
	}
	return 0;
}

int vd_view_pread(struct vd_views *v, enum vd_view view, int track, void *buf, size_t len,
		  uint64_t off)
{
	switch (view) {
	case VD_VIEW_ISO:
		return vd_disc_pread(v->disc, buf, len, off);
	case VD_VIEW_BIN:
		return vd_bin_pread(&v->bin, buf, len, off);
	case VD_VIEW_CUE:
		memcpy(buf, v->cue + off, len);
		return 0;
	case VD_VIEW_CDT:
		memcpy(buf, v->disc->sessions[0].cdtext + off, len);
		return 0;
	case VD_VIEW_TRACK:
		return vd_wav_pread(&v->wav[track], buf, len, off);
	}
	return -EINVAL;
}

static void open_sessions(struct vd_views *v, const struct vd_fs *fs, const struct vd_fs_options *o)
{
	int found = 1; /* the default one */

	for (int n = 1; n <= 99 && found < fs->nsessions && v->nsessions < VD_VIEWS_SESSIONS; n++) {
		struct vd_fs_options options = *o;
		struct vd_fs *one;

		if (n == fs->session)
			continue;
		options.session = n;
		/* A damaged one is not there. `mount -o session=` has the words for it. */
		if (vd_fs_open(v->disc, &options, &one, NULL))
			continue;
		v->sessions[v->nsessions].number = n;
		v->sessions[v->nsessions++].fs = one;
		found++;
	}
}

int vd_views_sessions(struct vd_views *v, const struct vd_fs *fs, const struct vd_fs_options *o)
{
	int n;

	pthread_mutex_lock(&v->lock);
	if (!v->sessions_tried && fs && fs->nsessions > 1)
		open_sessions(v, fs, o);
	v->sessions_tried = true;
	n = v->nsessions;
	pthread_mutex_unlock(&v->lock);
	return n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A range that goes on where the last one ended, in the next step of the search, is one with it. */
static int add_range(struct vd_views *v, int32_t lba, uint32_t n, enum vd_unrepresentable why)
{
	bool goes_on = v->nranges && v->last_why == why && v->last_lba + (int64_t)v->last_n == lba;
	char line[64];
	size_t len;

	if (goes_on) {
		lba = v->last_lba;
		n += v->last_n;
	}
	len = (size_t)snprintf(line, sizeof(line), "%d+%u:%s ", lba, n,
			       vd_unrepresentable_name(why));
	if (v->ranges_len + len > v->ranges_cap) {
		size_t cap = v->ranges_cap ? 2 * v->ranges_cap : 1024;
		char *bigger = realloc(v->ranges, cap);

		if (!bigger)
			return -ENOMEM;
		v->ranges = bigger;
		v->ranges_cap = cap;
	}
	if (goes_on) {
		v->ranges_len = v->last_at;
	} else {
		v->last_at = v->ranges_len;
		v->nranges++;
	}
	memcpy(v->ranges + v->ranges_len, line, len);
	v->ranges_len += len;
	v->last_lba = lba;
	v->last_n = n;
	v->last_why = why;
	return 0;
}

void vd_views_unrepresentable(struct vd_views *v, int ms, FILE *f)
{
	const int64_t end = now_ms() + ms;

	pthread_mutex_lock(&v->lock);
	while (!v->scan_done && v->nranges < RANGES_MAX && now_ms() < end) {
		enum vd_unrepresentable why;
		uint32_t n;
		int32_t lba;
		int r = vd_unrepresentable_next(v->disc, v->scan_at, SCAN_STEP, &lba, &n, &why);

		if (r < 0)
			break; /* without memory: later perhaps */
		if (r == 1 && add_range(v, lba, n, why))
			break;
		v->scan_at = r == 1 ? lba + (int32_t)n : lba;
		v->scan_done = !r;
	}
	if (v->ranges_len)
		fwrite(v->ranges, 1, v->ranges_len - (v->scan_done ? 1 : 0), f);
	if (!v->scan_done)
		fprintf(f, "%d+%llu:unscanned", v->scan_at,
			(unsigned long long)(v->iso_size / VD_SECTOR_USER) -
				(unsigned long long)v->scan_at);
	fputc('\n', f);
	pthread_mutex_unlock(&v->lock);
}
