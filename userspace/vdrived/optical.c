// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The keeper of an optical drive. One thread has the drive, the ring and the readers; others do what may take long (jobs.h): reading a file that
 * is not in memory, and whatever makes the kernel send commands.
 *
 * A command of the ring:
 *
 *     begin -> answered by the drive itself -----------------------------------> done
 *        \-> queued -> asked (in a slot of the reader's) -> bytes -------------> done
 *              ^          |                             \-> ranges -> reading -> done
 *              +----------+ the reader died
 *
 * Commands are done in any order, and answered in the order in which they came: the first that is not done holds back the others. So
 * after the death of this process every command that was not answered is in the ring still, and the next keeper does it again.
 *
 * A reader is dead when it ends, when it says nothing to a PING while it owes an answer, when it takes too long for one, and when it says what cannot
 * be. Those commands that it had are asked again, one at a time, so that the one that kills it is found out; that one fails.
 */
#define _GNU_SOURCE
#include "userspace/vdrived/optical.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "disc/sector.h"
#include "userspace/common/device.h"
#include "userspace/common/tcmu.h"
#include "userspace/common/tcmu_ring.h"
#include "userspace/vdrived/allowed.h"
#include "userspace/vdrived/jobs.h"
#include "userspace/vdrived/medium.h"
#include "userspace/vdrived/process.h"
#include "userspace/vdrived/recorder.h"
#include "util/cleanup.h"
#include "util/endian.h"

/* The kernel gives up a command that took longer: while there is no keeper. */
#define COMMAND_SECONDS 15
/* How long a command waits for a new reader before the host hears that the drive is becoming ready. */
#define PATIENCE_MS 1500
/* A reader that has an answer to give for so long is asked whether it lives, and has so long to say so. */
#define QUIET_MS 300
#define PING_MS 500
#define ANSWER_MS 6000
#define FLUSH_MS 14000 /* what is written to a slow file; PINGs are answered meanwhile */
#define PARSE_MS 30000
/* The kernel sees a new medium at once, unless somebody holds the device. */
#define SEEN_MS 5000
#define WRITTEN_MS 10000 /* for what was played */
#define TICK_MS 50
#define THREADS 8
#define MAX_CLIENTS 16
#define TRIES 2
#define IN_USE_MS 1000 /* somebody has the device open: for how long that may be a look only */

#define SENSE_BECOMING_READY 0x020401
#define SENSE_NO_MEDIUM 0x023a00
#define SENSE_FAILURE 0x044400
#define SENSE_CDB 0x052400

struct keeper;

struct command {
	struct command *next;
	struct keeper *k;
	struct vd_tcmu_command c;
	struct vd_mmc_request q;
	struct vd_mmc_reply reply;
	struct vd_mmc_now now;
	enum { QUEUED, ASKED, READING, DONE } state;
	int64_t since; /* ms: in this state */
	int tries;     /* readers that died of it, perhaps */
	/* Not a command of the ring, but the recorder's: so many sectors of sound. Whose; NULL: it is gone. */
	uint32_t sound;
	struct vd_recorder *recorder;
	bool takes; /* data come with it */
	bool bytes; /* ranges could not be read: the reader shall, and say where it fails */
	struct vd_medium *medium;
	/* Reading. */
	struct vd_job job;
	struct {
		int fd;
		uint64_t offset, len;
	} ranges[VD_SLOT_RANGES];
	size_t nranges;
	int result;
};

/* Work that makes the kernel send commands, and who waits for it. */
struct errand {
	struct vd_job job;
	struct keeper *k;
	int client; /* -1: nobody */
	bool lazy;
	int code;
	struct vd_error err;
};

struct keeper {
	struct vd_guard *g;
	struct vd_optical *drive;
	struct vd_tcmu tcmu;
	struct vd_tcmu_ring ring;
	struct vd_jobs jobs;
	int signal_fd;

	struct command *first, **last; /* not answered, as they came */
	struct command *asked[VD_SLOTS];
	struct vd_medium *medium;  /* in the drive, or NULL */
	struct vd_medium *loading; /* being parsed, to be put into it */
	int loading_client;
	struct vd_message loading_asked; /* of him */
	bool loading_writable;		 /* he wants to write to it */
	int loading_sound;		 /* a descriptor, or -1 */
	struct vd_recorder *recorder;	 /* of the medium's sound, or NULL */
	int recorders;			 /* those that are not closed */

	bool ready;   /* the device is there */
	bool working; /* an errand is under way */
	bool going;   /* it is that of taking down */
	bool over;
	int status;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Clients. */

static void reply_to(int client, int code, const struct vd_error *err)
{
	struct vd_reply reply = { .magic = VD_REQUEST_MAGIC, .code = code };

	if (client < 0)
		return;
	if (code && err)
		reply.error = *err;
	(void)send(client, &reply, sizeof(reply), MSG_NOSIGNAL); /* it may have gone away */
	close(client);
}

/* What everybody may know of the drive. */
static void write_state(struct keeper *k)
{
	static const struct {
		enum vd_media media;
		const char *name;
	} names[] = {
		{ VD_MEDIA_CD_ROM, "CD-ROM" },
		{ VD_MEDIA_CD_R, "CD-R" },
		{ VD_MEDIA_CD_RW, "CD-RW" },
		{ VD_MEDIA_DVD_ROM, "DVD-ROM" },
		{ VD_MEDIA_DVD_R, "DVD-R" },
		{ VD_MEDIA_DVD_RAM, "DVD-RAM" },
		{ VD_MEDIA_DVD_RW, "DVD-RW" },
		{ VD_MEDIA_DVD_R_DL, "DVD-R DL" },
		{ VD_MEDIA_DVD_PLUS_RW, "DVD+RW" },
		{ VD_MEDIA_DVD_PLUS_R, "DVD+R" },
		{ VD_MEDIA_DVD_PLUS_R_DL, "DVD+R DL" },
		{ VD_MEDIA_BD_ROM, "BD-ROM" },
		{ VD_MEDIA_BD_R, "BD-R" },
		{ VD_MEDIA_BD_RE, "BD-RE" },
	};
	struct vd_drive_state *s = &k->drive->state;
	const struct vd_mmc *m = &k->drive->mmc;
	const char *medium = m->tray_open ? "open" : "empty";
	struct vd_error err;

	if (m->medium.present) {
		medium = "disc";
		for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++)
			if (names[i].media == m->medium.profile)
				medium = names[i].name;
	}
	snprintf(s->medium, sizeof(s->medium), "%s", medium);
	s->read_only = !(m->medium.present && m->medium.writable);
	if (!m->medium.present)
		s->image[0] = '\0';
	if (vd_state_write(k->g->lock_fd, s, &err))
		vd_log(LOG_WARNING, "%s", err.text);
}

/* The guard. One that is gone is no reason to end. */
static void tell_guard(struct keeper *k, uint32_t type, int fd, const struct vd_held *h)
{
	struct vd_message m = { .type = type };

	if (k->g->sock < 0)
		return;
	if (h) {
		memcpy(m.text, h->text, sizeof(m.text));
		m.arg = h->arg;
	}
	if (vd_message_send(k->g->sock, &m, fd))
		vd_log(LOG_WARNING, "nobody will start a new keeper when this one dies");
}

/* Sound. Whoever changes what plays says so before and after. */

static void hear(struct keeper *k, uint64_t now)
{
	if (k->recorder)
		vd_recorder_hear(k->recorder, &k->drive->mmc, now);
}

static void turn(struct keeper *k)
{
	if (k->recorder)
		vd_recorder_turn(k->recorder, &k->drive->mmc);
}

static void end_recorder(struct keeper *k)
{
	if (!k->recorder)
		return;
	for (struct command *c = k->first; c; c = c->next)
		c->recorder = NULL;
	vd_recorder_end(VD_TAKE_PTR(k->recorder), &k->recorders);
}

/* Takes @fd; -1: nobody wants to have it. */
static void start_recorder(struct keeper *k, int fd)
{
	if (fd < 0)
		return;
	k->recorder = vd_recorder_new(fd, &k->jobs, &k->drive->mmc, now_ns());
	if (k->recorder)
		k->recorders++;
	else
		vd_log(LOG_ERR, "no memory: what drive %s plays is not written",
		       k->drive->state.name);
}

/* Commands. */

static void finish(struct command *c)
{
	c->state = DONE;
	vd_medium_unref(c->medium);
	c->medium = NULL;
}

static void fail(struct command *c, uint32_t sense)
{
	vd_mmc_refuse(&c->reply, sense);
	finish(c);
}

static void enter(struct command *c, int state)
{
	c->state = state;
	c->since = vd_now_ms();
}

/* Reads of a command's ranges what is asked, into its data. With RWF_NOWAIT: -EAGAIN when it would wait. */
static int read_ranges(struct command *c, int flags)
{
	size_t at = 0, i = 0; /* in c->c.iov */

	for (size_t n = 0; n < c->nranges; n++) {
		uint64_t offset = c->ranges[n].offset, left = c->ranges[n].len;

		while (left) {
			struct iovec v[64];
			size_t nv = 0, room = 0, skip = at;
			ssize_t got;

			for (size_t j = i; j < c->c.niov && nv < VD_ARRAY_SIZE(v) && room < left;
			     j++) {
				size_t len = c->c.iov[j].iov_len - skip;

				if (len > left - room)
					len = (size_t)(left - room);
				if (len)
					v[nv++] = (struct iovec){
						(uint8_t *)c->c.iov[j].iov_base + skip, len
					};
				room += len;
				skip = 0;
			}
			if (!room)
				return -EIO;
			got = preadv2(c->ranges[n].fd, v, (int)nv, (off_t)offset, flags);
			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return got ? -errno : -EIO; /* the file is shorter than it was */
			offset += (uint64_t)got;
			left -= (uint64_t)got;
			for (size_t rest = (size_t)got; rest;) {
				const size_t len = c->c.iov[i].iov_len - at;

				if (rest < len) {
					at += rest;
					break;
				}
				rest -= len;
				at = 0;
				i++;
			}
		}
	}
	return 0;
}

/* The drive takes note of what a disc has answered, if it is in there still. */
static void note(struct keeper *k, struct command *c)
{
	if (c->medium != k->medium || c->sound)
		return;
	hear(k, now_ns());
	vd_mmc_end(&k->drive->mmc, &c->q, &c->reply);
	turn(k);
}

static void have_read(struct command *c, int result)
{
	if (result) {
		c->bytes = true;
		enter(c, QUEUED);
		return;
	}
	note(c->k, c);
	finish(c);
}

static void run_read(struct vd_job *j)
{
	struct command *c = (struct command *)((char *)j - offsetof(struct command, job));

	c->result = read_ranges(c, 0);
}

static void done_read(struct vd_job *j)
{
	struct command *c = (struct command *)((char *)j - offsetof(struct command, job));

	have_read(c, c->result);
	/* Its disc was taken out meanwhile. */
	if (c->state == QUEUED && c->medium != c->k->medium)
		fail(c, SENSE_NO_MEDIUM);
}

static void take_answer(struct keeper *k, struct command *c, const struct vd_slot_answer *a,
			const uint8_t *data)
{
	int r;

	c->reply = a->reply;
	if (!a->reply.nranges) {
		vd_tcmu_copy_in(&c->c, data, a->reply.len);
		if (c->takes)
			c->reply.len = c->c.bytes; /* nothing of it is to be zeroed */
		note(k, c);
		finish(c);
		return;
	}
	c->nranges = a->reply.nranges;
	for (size_t i = 0; i < c->nranges; i++) {
		c->ranges[i].fd = c->medium->files[c->medium->number[a->ranges[i].file]].fd;
		c->ranges[i].offset = a->ranges[i].offset;
		c->ranges[i].len = a->ranges[i].len;
	}
	enter(c, READING);
	r = read_ranges(c, RWF_NOWAIT);
	if (r == -EAGAIN || r == -EOPNOTSUPP) {
		c->job = (struct vd_job){ .run = run_read, .done = done_read };
		vd_jobs_add(&k->jobs, &c->job);
		return;
	}
	have_read(c, r);
}

static void begin(struct keeper *k, struct command *c)
{
	static uint8_t in[1 << 16], out[1 << 16];
	const bool takes = vd_mmc_takes_data(c->c.cdb[0]);
	bool at_once;

	c->takes = takes;

	c->q = (struct vd_mmc_request){ .cdb = c->c.cdb, .cdb_len = c->c.cdb_len, .now = now_ns() };
	if (takes && !vd_mmc_by_disc(c->c.cdb[0])) {
		c->q.out = out;
		c->q.out_len = vd_tcmu_copy_out(&c->c, out, sizeof(out));
	} else if (!takes) {
		c->q.in = in;
		c->q.in_cap = c->c.bytes < sizeof(in) ? c->c.bytes : sizeof(in);
	}
	hear(k, c->q.now);
	at_once = vd_mmc_begin(&k->drive->mmc, &c->q, &c->reply, &c->now);
	turn(k);
	if (!at_once) {
		if (!k->medium)
			return fail(c, SENSE_NO_MEDIUM);
		if (c->c.bytes > VD_SLOT_DATA)
			return fail(c, SENSE_CDB);
		c->medium = vd_medium_ref(k->medium);
		enter(c, QUEUED);
		return;
	}
	if (!takes)
		vd_tcmu_copy_in(&c->c, in, c->reply.len);
	else
		c->reply.len = c->c.bytes; /* it took all of them: nothing is to be zeroed */
	finish(c);
}

static void append(struct keeper *k, struct command *c)
{
	c->k = k;
	*k->last = c;
	k->last = &c->next;
}

/* What the recorder needs is read as everything else is, with READ CD. */
static void read_sound(struct keeper *k)
{
	struct command *c;
	uint8_t *data;
	int32_t lba;
	uint32_t n;

	if (!k->recorder || !k->medium || !k->medium->ready ||
	    !vd_recorder_wants(k->recorder, &lba, &n))
		return;
	c = calloc(1, sizeof(*c));
	data = malloc(n * VD_SECTOR_RAW);
	if (c)
		c->c.iov = malloc(sizeof(*c->c.iov));
	if (!c || !data || !c->c.iov) {
		vd_recorder_give(k->recorder, lba, n, NULL, true);
		if (c)
			free(c->c.iov);
		free(c);
		free(data);
		return;
	}
	c->c.iov[0] = (struct iovec){ data, n * VD_SECTOR_RAW };
	c->c.niov = 1;
	c->c.bytes = n * VD_SECTOR_RAW;
	c->c.cdb_len = 12;
	c->c.cdb[0] = 0xbe;
	c->c.cdb[1] = 1 << 2; /* sound only */
	vd_put_be32(c->c.cdb + 2, (uint32_t)lba);
	vd_put_be16(c->c.cdb + 7, (uint16_t)n);
	c->c.cdb[9] = 0x10; /* user data */
	c->q = (struct vd_mmc_request){ .cdb = c->c.cdb, .cdb_len = c->c.cdb_len };
	c->sound = n;
	c->recorder = k->recorder;
	c->medium = vd_medium_ref(k->medium);
	append(k, c);
	enter(c, QUEUED);
}

/* The end of it. */
static void give_sound(struct keeper *k, struct command *c)
{
	const bool good = c->reply.status == VD_MMC_GOOD && c->reply.len == c->c.bytes;
	uint8_t *data = c->c.iov[0].iov_base;

	/* Not ready (sense key 2): there will be another reader, or no disc. */
	if (c->recorder)
		vd_recorder_give(c->recorder, (int32_t)vd_get_be32(c->c.cdb + 2), c->sound,
				 good ? data : NULL, (c->reply.sense[2] & 0x0f) == 2);
	free(data);
}

static void drop_medium(struct keeper *k);

/* Takes what came in the ring. */
static int take_commands(struct keeper *k, struct vd_error *err)
{
	for (;;) {
		struct command *c = calloc(1, sizeof(*c));
		bool tray_open;
		int r = c ? vd_tcmu_ring_next(&k->ring, &c->c, err)
			  : vd_error_errno(err, -ENOMEM, "a command");

		if (r <= 0) {
			free(c);
			/* Without memory now: it stays in the ring. */
			return r == -ENOMEM ? 0 : r;
		}
		append(k, c);
		tray_open = k->drive->mmc.tray_open;
		begin(k, c);
		if (c->reply.ejected && k->medium)
			drop_medium(k);
		else if (k->drive->mmc.tray_open != tray_open)
			write_state(k);
	}
}

/* Answers those that are done, up to the first that is not. */
static void answer_commands(struct keeper *k)
{
	bool any = false;

	while (k->first && k->first->state == DONE) {
		struct command *c = k->first;
		const struct vd_mmc_reply *r = &c->reply;

		if (c->sound)
			give_sound(k, c);
		else
			vd_tcmu_ring_answer(&k->ring, &c->c, r->status, r->sense,
					    r->status == VD_MMC_GOOD ? 0 : sizeof(r->sense),
					    r->len);
		any |= !c->sound;
		k->first = c->next;
		if (!k->first)
			k->last = &k->first;
		vd_tcmu_command_done(&c->c);
		free(c);
	}
	if (any && vd_tcmu_ring_poke(&k->ring))
		vd_log(LOG_ERR, "%s: %s", k->tcmu.uio, strerror(errno));
}

static uint32_t answer_cap(const struct command *c)
{
	return c->takes ? 0 : (uint32_t)c->c.bytes;
}

static bool ranges_allowed(const struct command *c)
{
	return !c->bytes && !c->takes;
}

static bool ask(struct keeper *k, struct command *c, uint32_t n)
{
	struct vd_slot_question *q = &k->medium->slots[n].question;

	*q = (struct vd_slot_question){
		.cdb_len = (uint32_t)c->c.cdb_len,
		.in_cap = answer_cap(c),
		.ranges = ranges_allowed(c),
		.now = c->q.now,
		.drive = c->now,
	};
	memcpy(q->cdb, c->c.cdb, sizeof(q->cdb));
	if (c->takes)
		q->out_len =
			(uint32_t)vd_tcmu_copy_out(&c->c, k->medium->slots[n].data, VD_SLOT_DATA);
	if (vd_medium_ask(k->medium, n))
		return false;
	k->asked[n] = c;
	enter(c, ASKED);
	return true;
}

/* Gives the reader as much as it may have. */
static void ask_reader(struct keeper *k)
{
	uint32_t n = 0, busy = 0;
	bool suspect = false;

	if (!k->medium || !k->medium->ready)
		return;
	for (uint32_t i = 0; i < VD_SLOTS; i++)
		if (k->asked[i]) {
			busy++;
			suspect |= k->asked[i]->tries > 0;
		}
	for (struct command *c = k->first; c && !suspect; c = c->next) {
		if (c->state != QUEUED)
			continue;
		/* A reader may have died of it: alone, so that this shows. */
		suspect = c->tries > 0;
		if (suspect && busy)
			return;
		while (n < VD_SLOTS && k->asked[n])
			n++;
		if (n == VD_SLOTS || !ask(k, c, n))
			return; /* one that is gone is seen by poll() */
		busy++;
	}
}

/* Media. */

/* None of its commands are to be answered by it any more. */
static void drop_commands(struct keeper *k, uint32_t sense)
{
	memset(k->asked, 0, sizeof(k->asked));
	for (struct command *c = k->first; c; c = c->next)
		if (c->state == QUEUED || c->state == ASKED)
			fail(c, sense);
}

/* The disc is out of the drive. */
static void drop_medium(struct keeper *k)
{
	if (!k->medium)
		return;
	end_recorder(k);
	drop_commands(k, SENSE_NO_MEDIUM);
	vd_medium_stop(k->medium, NULL, 0);
	vd_medium_unref(k->medium);
	k->medium = NULL;
	tell_guard(k, VD_GUARD_DROP, -1, NULL);
	write_state(k);
}

static void lose_medium(struct keeper *k, const char *why)
{
	vd_log(LOG_ERR, "%s: %s: the disc is ejected", k->medium->image, why);
	hear(k, now_ns());
	(void)vd_mmc_eject(&k->drive->mmc, true);
	drop_medium(k);
}

static void start_reader(struct keeper *k)
{
	struct vd_error err = { "" };

	if (vd_medium_start(k->medium, &k->drive->state, k->g->args->foreground, &err))
		lose_medium(k, err.text);
}

/* The reader of the disc in the drive is dead, or as good as dead. */
static void on_reader_gone(struct keeper *k, const char *why)
{
	char how[64];

	vd_medium_stop(k->medium, how, sizeof(how));
	vd_log(LOG_ERR, "the reader %s", why ? why : how);
	memset(k->asked, 0, sizeof(k->asked));
	for (struct command *c = k->first; c; c = c->next) {
		if (c->state != ASKED)
			continue;
		if (++c->tries < TRIES)
			enter(c, QUEUED);
		else
			fail(c, SENSE_FAILURE);
	}
	if (vd_medium_may_restart(k->medium))
		start_reader(k);
	else
		lose_medium(k, "its readers die too often");
}

/* Errands: threads that call the kernel, which then asks us. */

static void errand_over(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));

	e->k->working = false;
	reply_to(e->client, e->code, &e->err);
	free(e);
}

static void run_errand(struct keeper *k, int client, bool lazy, void (*run)(struct vd_job *j),
		       void (*done)(struct vd_job *j))
{
	struct errand *e = calloc(1, sizeof(*e));
	struct vd_error err;

	if (!e) {
		vd_error_errno(&err, -ENOMEM, "drive %s", k->drive->state.name);
		reply_to(client, -ENOMEM, &err);
		return;
	}
	*e = (struct errand){
		.job = { .run = run, .done = done }, .k = k, .client = client, .lazy = lazy
	};
	k->working = true;
	vd_jobs_add(&k->jobs, &e->job);
}

static int diskseq(const char *device, unsigned long long *seq)
{
	char path[96], text[32];
	int r;

	snprintf(path, sizeof(path), "/sys/block/%s/diskseq", device + strlen("/dev/"));
	r = vd_sys_read(path, text, sizeof(text));
	if (!r)
		*seq = strtoull(text, NULL, 10);
	return r;
}

/* The kernel looks at a drive when it is opened, or every other second if somebody told it to. */
static void look(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	const char *device = e->k->drive->state.device;
	unsigned long long before, now;
	const int64_t until = vd_now_ms() + SEEN_MS;

	if (diskseq(device, &before))
		return;
	/* What happened before this may have been seen already: two looks that see nothing new are enough. */
	for (int same = 0; same < 2 && vd_now_ms() < until;) {
		int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
		if (diskseq(device, &now))
			return;
		same = now == before ? same + 1 : 0;
		before = now;
	}
}

static int refuse_while_busy(struct keeper *k, struct vd_error *err)
{
	if (k->going)
		return vd_error_set(err, -ESHUTDOWN, "drive %s is being removed",
				    k->drive->state.name);
	if (k->working || k->loading)
		return vd_error_set(err, -EBUSY, "the tray of drive %s is moving",
				    k->drive->state.name);
	return 0;
}

/* Unlocks the door and opens the tray, or -EBUSY: without capabilities the kernel refuses it while others have it open. */
static int unlock_and_open(const char *device)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r = fd < 0 ? -errno : vd_jobs_capabilities(false);

	if (r)
		return r;
	if (ioctl(fd, CDROM_LOCKDOOR, 0))
		r = -errno;
	(void)vd_jobs_capabilities(true); /* they were permitted */
	if (!r && ioctl(fd, CDROMEJECT, 0))
		r = -errno;
	return r;
}

/*
 * A locked tray. udev locks that of every disc and goes away, so only the kernel knows whether somebody uses it. Programs that
 * have but a look (udev's, after a change) are given a moment to end.
 */
static void open_tray(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	const char *device = e->k->drive->state.device;
	const int64_t until = vd_now_ms() + IN_USE_MS;
	const struct timespec pause = { .tv_nsec = 20000000 };

	while ((e->code = unlock_and_open(device)) == -EBUSY && vd_now_ms() < until)
		nanosleep(&pause, NULL);
	if (e->code)
		vd_error_errno(&e->err, e->code, "%s", device);
}

/* That somebody wants the disc is not told (as MMC's event would): udev then opens the tray, whatever is mounted. */
static int tray_opened(struct errand *e)
{
	struct keeper *k = e->k;
	int r = e->code;

	k->working = false;
	if (!r)
		return 0;
	return r == -EBUSY ? vd_error_set(&e->err, r,
					  "the tray of drive %s is locked: somebody uses the disc",
					  k->drive->state.name)
			   : r;
}

static void ejected(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));

	e->code = tray_opened(e);
	if (e->code) {
		errand_over(j);
		return;
	}
	run_errand(e->k, e->client, false, look, errand_over);
	free(e);
}

static void eject_now(struct keeper *k)
{
	hear(k, now_ns());
	(void)vd_mmc_eject(&k->drive->mmc, true);
	if (k->medium)
		drop_medium(k);
	else
		write_state(k);
}

static void eject(struct keeper *k, int client, bool force)
{
	if (vd_mmc_locked(&k->drive->mmc) && !force) {
		run_errand(k, client, false, open_tray, ejected);
		return;
	}
	eject_now(k);
	run_errand(k, client, false, look, errand_over);
}

/* Inserting. */

static void end_loading(struct keeper *k, int code, const struct vd_error *err)
{
	reply_to(k->loading_client, code, err);
	vd_medium_unref(k->loading);
	k->loading = NULL;
	k->loading_client = -1;
	if (k->loading_sound >= 0)
		close(VD_TAKE_FD(k->loading_sound));
}

/* Takes both descriptors. */
static void insert(struct keeper *k, int client, const struct vd_request *req, int fd, int sound)
{
	struct vd_error err = { "" };
	struct stat st, device;
	int r = refuse_while_busy(k, &err);

	if (!r && k->medium && !(req->flags & VD_INSERT_REPLACE))
		r = vd_error_set(&err, -EBUSY, "there is a disc in drive %s: %s",
				 k->drive->state.name, k->medium->image);
	if (!r && fd < 0)
		r = vd_error_set(&err, -EBADF, "no image came with the request");
	if (!r && (sound >= 0 || req->flags & VD_INSERT_SOUND))
		r = vd_recorder_check(sound, &err);
	/* It would wait for itself. */
	if (!r && !fstat(fd, &st) && !stat(k->drive->state.device, &device) &&
	    st.st_dev == device.st_rdev)
		r = vd_error_set(&err, -ELOOP, "%.400s lies on the disc in drive %s", req->image,
				 k->drive->state.name);
	if (r && fd >= 0)
		close(fd);
	if (!r)
		r = vd_medium_new(req->image, fd, &k->loading, &err);
	if (!r) {
		r = vd_medium_start(k->loading, &k->drive->state, k->g->args->foreground, &err);
		if (r)
			vd_medium_unref(VD_TAKE_PTR(k->loading));
	}
	if (r) {
		if (sound >= 0)
			close(sound);
		reply_to(client, r, &err);
		return;
	}
	k->loading_client = client;
	k->loading_writable = req->flags & VD_INSERT_WRITABLE;
	k->loading_sound = sound;
}

static void put_in(struct keeper *k)
{
	struct vd_medium *m = k->loading;
	int client = k->loading_client, sound = VD_TAKE_FD(k->loading_sound);

	k->loading = NULL;
	k->loading_client = -1;
	k->medium = m;
	strcpy(k->drive->state.image, m->image);
	/* An earlier keeper may have died before it said that a disc is out. */
	tell_guard(k, VD_GUARD_DROP, -1, NULL);
	for (uint32_t i = 0; i < m->nfiles; i++)
		tell_guard(k, VD_GUARD_HOLD, m->files[i].fd, &m->files[i]);
	if (sound >= 0)
		tell_guard(k, VD_GUARD_SOUND, sound, NULL);
	(void)vd_mmc_insert(&k->drive->mmc, &m->facts);
	start_recorder(k, sound);
	write_state(k);
	run_errand(k, client, false, look, errand_over);
}

/* The disc before it is out, or not. Meanwhile the new one may have been given up. */
static void made_room(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	struct keeper *k = e->k;
	int r = tray_opened(e);

	if (k->loading && r)
		end_loading(k, r, &e->err);
	if (k->loading) {
		if (k->medium)
			eject_now(k);
		put_in(k);
	}
	free(e);
}

/* The disc is parsed: into the drive with it. */
static void loaded(struct keeper *k)
{
	if (k->medium && vd_mmc_locked(&k->drive->mmc)) {
		run_errand(k, -1, false, open_tray, made_room);
		return;
	}
	if (k->medium)
		eject_now(k);
	put_in(k);
}

static void failed_to_load(struct keeper *k, int code, const char *fmt, const char *words)
{
	struct vd_error err;

	code = code < 0 ? code : -EIO;
	vd_error_set(&err, code, fmt, words);
	end_loading(k, code, &err);
}

/* The reader asks for a file: whoever inserts the disc opens it, as himself. */
static int asked_to_open(struct keeper *k, struct vd_medium *m, const struct vd_message *asked)
{
	int index;

	if (m == k->loading) {
		k->loading_asked = *asked;
		return vd_message_send(k->loading_client, asked, -1);
	}
	index = vd_medium_find(m, asked);
	return vd_medium_answer_open(m, index, index < 0 ? index : 0, "no such file");
}

/* His answer. */
static void on_loading_client(struct keeper *k)
{
	struct vd_medium *m = k->loading;
	struct vd_error err = { "" };
	struct vd_message answer;
	int fd, r = vd_message_recv(k->loading_client, &answer, &fd);

	if (r <= 0 || answer.type != VD_MSG_OPENED) {
		if (r > 0 && fd >= 0)
			close(fd);
		failed_to_load(k, -ECANCELED, "%s", "given up");
		return;
	}
	r = answer.code;
	if (!r && fd < 0)
		r = vd_error_set(&err, -EBADF, "no file came with the answer");
	else if (r)
		vd_error_set(&err, r, "%s", answer.text);
	if (r && fd >= 0)
		close(fd);
	/* By what it was asked for, which a new reader will ask again. */
	if (!r)
		r = vd_medium_hold(m, k->loading_asked.text, k->loading_asked.arg, fd, &err);
	if (vd_medium_answer_open(m, r, r < 0 ? r : 0, err.text))
		failed_to_load(k, -EIO, "%s", "the reader is gone");
}

/* A word from a reader. False: it is gone, or of no use. */
static bool hear_reader(struct keeper *k, struct vd_medium *m, struct vd_message *msg)
{
	struct vd_mmc_medium facts;
	struct vd_error err;
	int fd, r = vd_message_recv(m->sock, msg, &fd);

	if (fd >= 0)
		close(fd); /* a reader has none to give */
	if (r <= 0)
		return false;
	switch (msg->type) {
	case VD_MSG_OPEN:
		return !asked_to_open(k, m, msg);
	case VD_MSG_PONG:
		m->pinged = 0;
		return true;
	case VD_MSG_MEDIUM:
		if (m->ready || vd_medium_get(msg, &facts))
			return false;
		if (m->facts.present &&
		    (facts.profile != m->facts.profile || facts.sectors != m->facts.sectors ||
		     facts.audio != m->facts.audio || facts.writable != m->facts.writable))
			return false; /* the image was changed below us */
		m->facts = facts;
		if (vd_medium_employ(m, &err))
			return false;
		return true;
	case VD_MSG_FAILED:
		return false;
	default:
		return true;
	}
}

static void on_loading_reader(struct keeper *k)
{
	struct vd_medium *m = k->loading;
	struct vd_message msg = { .type = 0 };
	char how[64], words[128];

	if (hear_reader(k, m, &msg)) {
		if (msg.type == VD_MSG_MEDIUM && k->loading_writable && !m->facts.writable)
			failed_to_load(
				k, -EROFS, "%s",
				"not a medium that can be written: 'vdrive create' makes one");
		else if (msg.type == VD_MSG_MEDIUM)
			loaded(k);
		return;
	}
	if (msg.type == VD_MSG_FAILED) {
		failed_to_load(k, msg.code, "%s", msg.text);
		return;
	}
	vd_medium_stop(m, how, sizeof(how));
	snprintf(words, sizeof(words), "the reader %s while it read the image", how);
	failed_to_load(k, -EIO, "%s", words);
}

static void on_medium_reader(struct keeper *k)
{
	struct vd_message msg = { .type = 0 };

	if (!hear_reader(k, k->medium, &msg))
		on_reader_gone(k,
			       msg.type == VD_MSG_FAILED ? "cannot read the image any more" : NULL);
}

static void on_work(struct keeper *k)
{
	struct vd_slot_answer a;
	uint32_t n;
	int r;

	while (k->medium && (r = vd_medium_hear(k->medium, &n, &a)) != 0) {
		struct command *c = r == 1 ? k->asked[n] : NULL;

		if (r == -EPIPE) {
			on_reader_gone(k, NULL);
			return;
		}
		if (!c ||
		    !vd_slot_answer_ok(&a, k->medium->nnumbers, answer_cap(c), ranges_allowed(c))) {
			on_reader_gone(k, "says what cannot be");
			return;
		}
		k->asked[n] = NULL;
		take_answer(k, c, &a, k->medium->slots[n].data);
	}
}

/* Time. */

static void tick(struct keeper *k)
{
	const int64_t now = vd_now_ms();
	struct vd_message ping = { .type = VD_MSG_PING };
	struct vd_medium *m = k->medium;
	int64_t oldest = now;
	bool late = false;

	if (k->loading && now - k->loading->since > PARSE_MS)
		failed_to_load(k, -ETIMEDOUT, "%s", "reading the image took too long");
	if (!m)
		return;
	if (m->reader && !m->ready && now - m->since > PARSE_MS) {
		on_reader_gone(k, "takes too long");
		return;
	}
	for (struct command *c = k->first; c; c = c->next) {
		if (c->state == QUEUED && !m->ready && now - c->since > PATIENCE_MS)
			fail(c, SENSE_BECOMING_READY);
		if (c->state != ASKED)
			continue;
		if (c->since < oldest)
			oldest = c->since;
		late |= now - c->since > (c->takes || c->c.cdb[0] == 0x35 ? FLUSH_MS : ANSWER_MS);
	}
	if (late) {
		on_reader_gone(k, "gives no answer");
		return;
	}
	if (m->pinged ? now - m->pinged <= PING_MS : now - oldest <= QUIET_MS || !m->ready)
		return;
	if (m->pinged || vd_message_send(m->sock, &ping, -1))
		on_reader_gone(k, "hangs");
	else
		m->pinged = now;
}

/* Going. */

static void take_away(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	const struct vd_drive_state *s = &e->k->drive->state;

	if (!e->lazy) {
		/* Refused while it is mounted, or a program has it for itself. */
		_cleanup_close_ int fd =
			open(s->device, O_RDONLY | O_NONBLOCK | O_EXCL | O_CLOEXEC);

		if (fd < 0 && errno == EBUSY) {
			e->code = vd_error_set(&e->err, -EBUSY, "%s is in use", s->device);
			return;
		}
	}
	e->code = vd_tcmu_unplug(s->name, &e->err);
}

static void taken_away(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	struct keeper *k = e->k;

	k->going = false;
	if (!e->code) {
		answer_commands(k);
		drop_medium(k);
		vd_tcmu_ring_close(&k->ring);
		vd_udev_forget(k->g->rundir, k->drive->state.device);
		e->code = vd_tcmu_destroy(k->drive->state.name, &e->err);
		vd_state_release(k->g->rundir, k->drive->state.name, k->g->lock_fd);
		k->over = true;
	}
	if (e->code)
		vd_log(LOG_ERR, "%s", e->err.text);
	errand_over(j);
}

static void take_down(struct keeper *k, int client, bool lazy)
{
	if (k->loading)
		failed_to_load(k, -ESHUTDOWN, "%s", "the drive is being removed");
	k->going = true;
	run_errand(k, client, lazy, take_away, taken_away);
}

/* Requests. */

/* With at most two descriptors, which are the caller's, or -1. */
static int receive_request(int sock, struct vd_request *req, int fds[2])
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = req, .iov_len = sizeof(*req) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	int nfds = 0;

	fds[0] = fds[1] = -1;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		const size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < came; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (nfds < 2)
				fds[nfds++] = fd;
			else
				close(fd);
		}
	}
	req->image[sizeof(req->image) - 1] = '\0';
	return n == sizeof(*req) ? 0 : -EPROTO;
}

static int check_peer(struct keeper *k, int client, uint32_t op, struct vd_error *err)
{
	const struct vd_drive_state *s = &k->drive->state;
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (op == VD_REQUEST_INSERT || op == VD_REQUEST_EJECT)
		return vd_drive_may_use(client, s->uid, s->device, err);
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    (peer.uid && peer.uid != s->uid))
		return vd_error_set(err, -EPERM, "drive %s belongs to user %u", s->name,
				    (unsigned)s->uid);
	return 0;
}

static void on_request(struct keeper *k)
{
	struct vd_error err = { "" };
	_cleanup_close_ int fd = -1, sound = -1;
	struct vd_request req;
	int client = vd_control_accept(k->g->listen_fd), fds[2], r;

	if (client < 0)
		return;
	r = receive_request(client, &req, fds);
	fd = fds[0];
	sound = fds[1];
	if (r == -EPROTO || (!r && req.magic != VD_REQUEST_MAGIC))
		r = vd_error_set(&err, -EPROTO, "drive %s runs another version of vdrive",
				 k->drive->state.name);
	else if (!r)
		r = check_peer(k, client, req.op, &err);
	if (!r && !k->ready)
		r = vd_error_set(&err, -EBUSY, "drive %s is not there yet", k->drive->state.name);
	if (r) {
		reply_to(client, r, &err);
		return;
	}
	switch (req.op) {
	case VD_REQUEST_PING:
		reply_to(client, 0, NULL);
		return;
	case VD_REQUEST_INSERT:
		insert(k, client, &req, VD_TAKE_FD(fd), VD_TAKE_FD(sound));
		return;
	case VD_REQUEST_EJECT:
		r = refuse_while_busy(k, &err);
		if (r)
			reply_to(client, r, &err);
		else
			eject(k, client, req.flags & VD_EJECT_FORCE);
		return;
	case VD_REQUEST_DETACH:
		if (k->going)
			reply_to(client, refuse_while_busy(k, &err), &err);
		else
			take_down(k, client, req.flags & VD_DETACH_LAZY);
		return;
	default:
		r = vd_error_set(&err, -EOPNOTSUPP, "unknown request %u", req.op);
		reply_to(client, r, &err);
	}
}

/* Starting. */

static void plug(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));

	e->code = vd_tcmu_plug(&e->k->tcmu, e->k->drive->state.device, &e->err);
}

static void plugged(struct vd_job *j)
{
	struct errand *e = (struct errand *)((char *)j - offsetof(struct errand, job));
	struct keeper *k = e->k;

	k->working = false;
	if (!e->code)
		e->code = vd_udev_tell(k->g->rundir, k->drive->state.name, "cdrom",
				       k->drive->state.device, &e->err);
	if (!e->code) {
		k->ready = true;
		write_state(k);
		vd_guard_report(k->g, 0, NULL);
		tell_guard(k, VD_GUARD_STARTED, -1, NULL);
		if (!k->g->args->foreground)
			vd_leave_terminal();
	} else {
		k->status = 1;
		vd_guard_report(k->g, e->code, &e->err);
		take_down(k, -1, true);
	}
	free(e);
}

/* What an earlier keeper had. */
static void resume(struct keeper *k)
{
	struct vd_guard *g = k->g;
	struct vd_mmc *m = &k->drive->mmc;
	struct vd_error err = { "" };
	int r = -ENOENT;

	if (!m->medium.present) {
		/* It died while the disc came or went. */
		for (uint32_t i = 0; i < g->nheld; i++)
			close(VD_TAKE_FD(g->held[i].fd));
		g->nheld = 0;
		if (g->sound_fd >= 0)
			close(VD_TAKE_FD(g->sound_fd));
		tell_guard(k, VD_GUARD_DROP, -1, NULL);
		return;
	}
	for (uint32_t i = 0; i < g->nheld; i++) {
		int fd = VD_TAKE_FD(g->held[i].fd);

		if (!i)
			r = vd_medium_new(k->drive->state.image, fd, &k->medium, &err);
		else if (!r)
			r = vd_medium_hold(k->medium, g->held[i].text, g->held[i].arg, fd, &err) < 0
				    ? -EBADF
				    : 0;
		else
			close(fd);
	}
	g->nheld = 0;
	if (r) {
		vd_medium_unref(VD_TAKE_PTR(k->medium));
		(void)vd_mmc_eject(m, true);
		tell_guard(k, VD_GUARD_DROP, -1, NULL);
		return;
	}
	k->medium->facts = m->medium;
	start_recorder(k, VD_TAKE_FD(g->sound_fd));
	start_reader(k);
}

static int start(struct keeper *k, struct vd_error *err)
{
	const char *name = k->drive->state.name;
	int64_t until = vd_now_ms() + SEEN_MS;
	int r;

	k->signal_fd = vd_catch_signals(0, err);
	if (k->signal_fd < 0)
		return k->signal_fd;
	k->drive->state.keeper = getpid();
	r = vd_state_write(k->g->lock_fd, &k->drive->state, err);
	if (!r)
		r = vd_jobs_start(&k->jobs, THREADS, err);
	if (r)
		return r;
	/* Our predecessor's: its mapping goes a moment after it. */
	r = vd_tcmu_find(name, &k->tcmu, NULL);
	if (r == -ENOENT)
		r = vd_tcmu_create(name, COMMAND_SECONDS, &k->tcmu, err);
	while (!r && (r = vd_tcmu_ring_open(k->tcmu.uio, &k->ring, err)) == -EBUSY &&
	       vd_now_ms() < until) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		r = 0;
	}
	if (r)
		return r;
	resume(k);
	run_errand(k, -1, false, plug, plugged);
	return 0;
}

/* Without a ring, or with one that is broken. */
static void abandon(struct keeper *k)
{
	struct vd_error err = { "" };

	k->status = 1;
	vd_tcmu_ring_close(&k->ring);
	if (vd_tcmu_reap(k->drive->state.name, &err))
		vd_log(LOG_ERR, "%s", err.text);
	vd_state_release(k->g->rundir, k->drive->state.name, k->g->lock_fd);
}

/* What was played is to be in its file, if that can be written. */
static void finish_recorders(struct keeper *k)
{
	struct pollfd pfd = { .fd = k->jobs.fd, .events = POLLIN };
	const int64_t until = vd_now_ms() + WRITTEN_MS;

	while (k->recorders && vd_now_ms() < until) {
		if (poll(&pfd, 1, TICK_MS) > 0)
			vd_jobs_collect(&k->jobs);
	}
}

static void run(struct keeper *k)
{
	struct vd_error err = { "" };

	while (!k->over) {
		struct pollfd pfd[] = {
			{ .fd = k->ring.fd, .events = POLLIN },
			{ .fd = k->jobs.fd, .events = POLLIN },
			{ .fd = k->medium && k->medium->ready ? k->medium->work : -1,
			  .events = POLLIN },
			{ .fd = k->medium ? k->medium->sock : -1, .events = POLLIN },
			{ .fd = k->loading ? k->loading->sock : -1, .events = POLLIN },
			{ .fd = k->loading ? k->loading_client : -1, .events = POLLIN },
			{ .fd = k->g->listen_fd, .events = POLLIN },
			{ .fd = k->signal_fd, .events = POLLIN },
			{ .fd = k->g->sock, .events = POLLIN },
		};
		struct vd_medium *medium = k->medium, *loading = k->loading;
		struct signalfd_siginfo si;
		struct vd_message m;
		uint32_t count;
		bool busy = k->first || k->loading || (k->medium && !k->medium->ready) ||
			    (k->recorder && vd_recorder_busy(k->recorder));
		int fd;

		if (poll(pfd, VD_ARRAY_SIZE(pfd), busy ? TICK_MS : -1) < 0)
			continue;
		if (pfd[0].revents && read(k->ring.fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			vd_log(LOG_ERR, "%s: %s", k->tcmu.uio, strerror(errno));
		/* Also what came before we were told, and what there was no memory for. */
		if (take_commands(k, &err) < 0) {
			vd_log(LOG_CRIT, "%s: the drive is taken down", err.text);
			abandon(k);
			return;
		}
		if (pfd[1].revents)
			vd_jobs_collect(&k->jobs);
		if (k->over)
			break;
		/* What one of them does may end what another one is about. */
		if (pfd[2].revents && k->medium == medium && medium->ready)
			on_work(k);
		if (pfd[3].revents && k->medium == medium && medium && medium->sock == pfd[3].fd)
			on_medium_reader(k);
		if (pfd[4].revents && k->loading == loading && loading)
			on_loading_reader(k);
		if (pfd[5].revents && k->loading == loading && loading)
			on_loading_client(k);
		if (pfd[6].revents)
			on_request(k);
		if (pfd[7].revents && read(k->signal_fd, &si, sizeof(si)) == sizeof(si) &&
		    !k->going)
			take_down(k, -1, true);
		if (pfd[8].revents && vd_message_recv(k->g->sock, &m, &fd) <= 0) {
			vd_log(LOG_WARNING,
			       "the guard is gone: nobody will start a new keeper when this one dies");
			close(VD_TAKE_FD(k->g->sock));
		}
		tick(k);
		hear(k, now_ns());
		read_sound(k);
		ask_reader(k);
		answer_commands(k);
	}
	finish_recorders(k);
}

int vd_optical_keeper(struct vd_guard *g)
{
	static struct keeper k = {
		.signal_fd = -1, .loading_client = -1, .loading_sound = -1, .ring = { .fd = -1 }
	};
	struct vd_error err = { "" };
	int r;

	k.g = g;
	k.drive = g->drive;
	k.last = &k.first;
	r = start(&k, &err);
	if (r) {
		abandon(&k);
		vd_guard_report(g, r, &err);
		return k.status;
	}
	run(&k);
	return k.status;
}
