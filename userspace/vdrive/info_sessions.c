// SPDX-License-Identifier: GPL-3.0-or-later
/* The volume of each session, for `vdrive info`. */
#include <stdio.h>
#include <string.h>

#include "userspace/vdrive/info.h"

/* The number of the session that holds @lba; where the image is one session, whose volume has sessions of its own: the @i-th. */
static int number_of(const struct vd_disc *d, uint32_t lba, int i)
{
	if (d->nsessions == 1)
		return i + 1;
	return lba <= INT32_MAX ? vd_disc_session_at(d, (int32_t)lba) : 0;
}

static struct session_volume *volume(struct report *r, int number)
{
	if (number < 1 || number > INFO_SESSIONS_MAX)
		return NULL;
	if (number > r->nvolumes)
		r->nvolumes = number;
	return &r->volumes[number - 1];
}

static void find_iso(struct report *r, const struct vd_iso_info *iso)
{
	for (int i = 0; i < iso->nsessions; i++) {
		struct session_volume *v = volume(r, number_of(r->disc, iso->sessions[i].lba, i));

		if (!v)
			continue;
		*v = (struct session_volume){ .there = true,
					      .lba = iso->sessions[i].lba,
					      .bytes = iso->sessions[i].bytes,
					      .created = iso->sessions[i].created };
		snprintf(v->volume_id, sizeof(v->volume_id), "%s", iso->sessions[i].volume_id);
	}
}

/* Of a UDF volume that was opened with session= @number. */
static void set_udf(struct report *r, struct vd_fs *fs, int number)
{
	struct session_volume *v = volume(r, number);
	struct vd_fs_stat st;
	struct vd_udf_info u;

	if (!v || vd_fs_stat(fs, &st))
		return;
	vd_udf_info(fs, &u);
	*v = (struct session_volume){ .there = true,
				      .lba = -1,
				      .bytes = st.bytes,
				      .created = u.session_time ? u.session_time : u.recorded };
	snprintf(v->volume_id, sizeof(v->volume_id), "%s", u.volume_id);
}

/* Sessions of the disc; or the VATs of one. */
static void find_udf(struct report *r, const struct vd_fs_options *o)
{
	const int n = r->disc->nsessions > 1 ? r->disc->nsessions : r->fs->nsessions;

	for (int i = 1; i <= n && i <= INFO_SESSIONS_MAX; i++) {
		struct vd_fs_options one = *o;
		struct vd_fs *fs;

		if (r->udf && i == r->fs->session) {
			set_udf(r, r->fs, i);
			continue;
		}
		/* Of a session that is damaged, or has none, nothing is told here. */
		one.session = i;
		if (i <= r->nvolumes && r->volumes[i - 1].there)
			continue;
		if (vd_udf_open(r->disc, &one, &fs, NULL))
			continue;
		set_udf(r, fs, i);
		vd_fs_close(fs);
	}
}

void info_find_volumes(struct report *r, const struct vd_fs_options *o)
{
	const bool several = r->disc->nsessions > 1;

	r->volumes = need(calloc(INFO_SESSIONS_MAX, sizeof(*r->volumes)));
	if (r->iso) {
		find_iso(r, r->iso);
	} else if (several && vd_iso_probe(r->disc)) {
		struct vd_iso_info *iso = need(calloc(1, sizeof(*iso)));
		const struct vd_fs_options any = { .session = 0 };

		/* Volumes of other sessions than the one that is shown: what is wrong with them is not asked for here. */
		(void)vd_iso_info(r->disc, &any, iso, NULL);
		find_iso(r, iso);
		free(iso);
	}
	if (r->udf || (several && vd_udf_probe(r->disc)))
		find_udf(r, o);
}
