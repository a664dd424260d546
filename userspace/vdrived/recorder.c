// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Three places on the disc, in this order:
 *
 *     heard   up to here it is in the file, or on its way there
 *     due     up to here it sounded
 *     heard + ahead   up to here it was read
 *
 * The first lags behind the second only while the reader of the disc is slow.
 */
#define _GNU_SOURCE
#include "userspace/vdrived/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "disc/sector.h"
#include "images/write.h"
#include "userspace/vdrived/process.h"
#include "util/cleanup.h"
#include "util/endian.h"
#include "util/io.h"

#define AHEAD 150	    /* sectors: two seconds */
#define READ_MAX 50	    /* sectors in one command */
#define READ_MIN 25	    /* not for fewer, but at the end */
#define PIECE (64u << 10)   /* bytes: written at once while it plays */
#define BACKLOG (16u << 20) /* bytes: the file is too slow */
#define HEADER (VD_WAV_FORMAT + 8)
#define WAV_MAX (UINT32_MAX - HEADER)

struct vd_recorder {
	int fd;
	uint64_t bytes; /* of sound in the file */
	bool failed;

	/* What the drive plays, to see that it is something else. */
	bool playing;
	uint64_t since;
	int32_t at, last;

	int32_t heard, due, ahead;
	int32_t until; /* no need to read further */
	bool reading;
	uint32_t careful; /* so many sectors are read one by one: one of them is bad */
	uint8_t sectors[AHEAD][VD_SECTOR_RAW]; /* LBA n at n modulo AHEAD */

	uint8_t *out;
	size_t len, cap;

	struct vd_jobs *jobs;
	struct vd_job job;
	bool writing;
	uint8_t *piece;
	size_t piece_len;
	int result;

	int *open; /* it ends */
};

int vd_recorder_check(int fd, struct vd_error *err)
{
	const int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st))
		return vd_error_errno(err, -errno, "the file for the sound");
	if (!S_ISREG(st.st_mode))
		return vd_error_set(err, -EINVAL, "the file for the sound is not a regular one");
	if ((flags & O_ACCMODE) == O_RDONLY || flags & (O_APPEND | O_PATH))
		return vd_error_set(err, -EBADF, "the file for the sound cannot be written");
	return 0;
}

/* The file. */

static void make_header(uint8_t h[HEADER], uint32_t bytes)
{
	vd_wav_format(h, HEADER - 8 + bytes);
	memcpy(h + VD_WAV_FORMAT, "data", 4);
	vd_put_le32(h + VD_WAV_FORMAT + 4, bytes);
}

/* Without capabilities: the file is somebody else's, and what it is may ask what its writer may do (/proc, quotas). */
static void run_write(struct vd_job *j)
{
	struct vd_recorder *r =
		(struct vd_recorder *)((char *)j - offsetof(struct vd_recorder, job));
	uint8_t header[HEADER];

	r->result = vd_jobs_capabilities(false);
	if (r->result)
		return;
	r->result = vd_pwrite_all(r->fd, r->piece, r->piece_len, HEADER + r->bytes);
	make_header(header, (uint32_t)(r->bytes + r->piece_len));
	if (!r->result)
		r->result = vd_pwrite_all(r->fd, header, sizeof(header), 0);
	(void)vd_jobs_capabilities(true); /* they were permitted */
}

static void write_piece(struct vd_recorder *r);

static void give_up(struct vd_recorder *r, const char *why)
{
	char link[64], path[512] = "the file for the sound";
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", r->fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 0)
		path[n] = '\0';
	vd_log(LOG_ERR, "%s: %s: nothing more is written to it", path, why);
	r->failed = true;
	r->len = 0;
}

static void done_write(struct vd_job *j)
{
	struct vd_recorder *r =
		(struct vd_recorder *)((char *)j - offsetof(struct vd_recorder, job));

	r->writing = false;
	free(VD_TAKE_PTR(r->piece));
	if (r->result)
		give_up(r, strerror(-r->result));
	else
		r->bytes += r->piece_len;
	r->piece_len = 0;
	write_piece(r);
}

static void write_piece(struct vd_recorder *r)
{
	if (r->writing)
		return;
	if (r->len && (r->len >= PIECE || !r->playing || r->open)) {
		r->piece = VD_TAKE_PTR(r->out);
		r->piece_len = r->len;
		r->len = r->cap = 0;
		r->writing = true;
		r->job = (struct vd_job){ .run = run_write, .done = done_write };
		vd_jobs_add(r->jobs, &r->job);
	} else if (r->open) {
		close(r->fd);
		--*r->open;
		free(r->out);
		free(r);
	}
}

/* The room for one more sector of the file, or NULL when there is none. */
static uint8_t *append(struct vd_recorder *r)
{
	if (r->failed)
		return NULL;
	if (r->bytes + r->piece_len + r->len + VD_SECTOR_RAW > WAV_MAX) {
		give_up(r, "a WAV file cannot be longer");
		return NULL;
	}
	if (r->len + VD_SECTOR_RAW > r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 2 * (size_t)PIECE;
		uint8_t *out = cap <= BACKLOG ? realloc(r->out, cap) : NULL;

		if (!out) {
			give_up(r, cap <= BACKLOG ? "no memory" : "it takes too long to write");
			return NULL;
		}
		r->out = out;
		r->cap = cap;
	}
	r->len += VD_SECTOR_RAW;
	return r->out + r->len - VD_SECTOR_RAW;
}

/* The disc. */

static uint8_t *sector(struct vd_recorder *r, int32_t lba)
{
	return r->sectors[(lba % AHEAD + AHEAD) % AHEAD];
}

static void take(struct vd_recorder *r, const struct vd_mmc *m)
{
	for (; r->heard < r->due && r->ahead; r->heard++, r->ahead--) {
		uint8_t *to = append(r);

		if (!to)
			continue;
		memcpy(to, sector(r, r->heard), VD_SECTOR_RAW);
		vd_mmc_sound(m, to, VD_SECTOR_RAW);
	}
	write_piece(r);
}

/* What was due and could not be had in time. */
static void take_silence(struct vd_recorder *r)
{
	for (; r->heard < r->due; r->heard++) {
		uint8_t *to = append(r);

		if (to)
			memset(to, 0, VD_SECTOR_RAW);
	}
	r->ahead = 0;
}

void vd_recorder_hear(struct vd_recorder *r, const struct vd_mmc *m, uint64_t now)
{
	int32_t due;

	if (r->playing) {
		due = vd_mmc_heard(m, now);
		if (due > r->due)
			r->due = due;
	}
	take(r, m);
}

void vd_recorder_turn(struct vd_recorder *r, const struct vd_mmc *m)
{
	const bool playing = m->audio == VD_AUDIO_PLAYING && m->rate == 1;

	if (playing && (!r->playing || m->since != r->since || m->at != r->at)) {
		/* Unless it goes on where it was. */
		if (m->at != r->due) {
			take_silence(r);
			r->heard = r->due = m->at;
			r->ahead = 0;
			r->careful = 0;
		}
		r->since = m->since;
		r->at = m->at;
	}
	r->playing = playing;
	if (playing)
		r->until = m->last;
	else if (m->audio != VD_AUDIO_PAUSED)
		r->until = r->due;
	write_piece(r);
}

struct vd_recorder *vd_recorder_new(int fd, struct vd_jobs *jobs, const struct vd_mmc *m,
				    uint64_t now)
{
	struct vd_recorder *r = calloc(1, sizeof(*r));
	struct stat st;

	if (!r) {
		close(fd);
		return NULL;
	}
	r->fd = fd;
	r->jobs = jobs;
	if (!fstat(fd, &st) && st.st_size > (off_t)HEADER)
		r->bytes = ((uint64_t)st.st_size - HEADER) / 4 * 4;
	vd_recorder_turn(r, m);
	if (r->playing)
		r->heard = r->due = vd_mmc_heard(m, now);
	return r;
}

bool vd_recorder_busy(const struct vd_recorder *r)
{
	if (r->failed)
		return r->writing;
	return (r->playing && r->heard < r->until) || r->heard < r->due || r->len || r->writing;
}

bool vd_recorder_wants(struct vd_recorder *r, int32_t *lba, uint32_t *n)
{
	const int32_t next = r->heard + r->ahead;
	int32_t max = r->until - next, room = AHEAD - r->ahead;

	if (r->reading || r->failed || max <= 0 || room <= 0)
		return false;
	if (room < READ_MIN && room < max)
		return false;
	if (max > room)
		max = room;
	if (max > READ_MAX)
		max = READ_MAX;
	*lba = next;
	*n = r->careful ? 1 : (uint32_t)max;
	r->reading = true;
	return true;
}

void vd_recorder_give(struct vd_recorder *r, int32_t lba, uint32_t n, const uint8_t *data,
		      bool later)
{
	r->reading = false;
	/* Another place is played by now. */
	if (lba != r->heard + r->ahead || n > (uint32_t)(AHEAD - r->ahead))
		return;
	if (!data && later)
		return;
	if (!data && n > 1) {
		r->careful = n;
		return;
	}
	if (r->careful)
		r->careful--;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *to = sector(r, lba + (int32_t)i);

		if (data)
			memcpy(to, data + i * VD_SECTOR_RAW, VD_SECTOR_RAW);
		else
			memset(to, 0, VD_SECTOR_RAW);
		r->ahead++;
	}
}

void vd_recorder_end(struct vd_recorder *r, int *open)
{
	take_silence(r);
	r->playing = false;
	r->open = open;
	write_piece(r);
}
