// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The keeper of one drive. It parses nothing that a stranger wrote; it owns what must survive a reader: the
 * name, the mounts, the image's descriptor, the control socket.
 *
 * States:
 *
 *   starting   name claimed -> reader parses -> mounts -> both sessions served       failure: everything undone
 *   serving    the reader dies: mounts taken down lazily, a new reader, new mounts   (3 times a minute at most)
 *   lingering  taken down, but files are still open: name and mounts are gone, the reader serves on, or the kernel's device
 *              stays, until the last one is closed, or SIGTERM
 *   over       nothing left
 *
 * What ends `serving`: DETACH on the socket; SIGTERM, SIGINT; somebody unmounts one of the two mounts; a reader that
 * cannot be brought back.
 *
 * One thread, one poll(). Only fusermount3 and a starting reader are waited for, both for a bounded time.
 */
#define _GNU_SOURCE
#include "userspace/vdrived/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "userspace/vdrived/message.h"
#include "userspace/common/cgroup.h"
#include "userspace/common/device.h"
#include "userspace/common/engine.h"
#include "userspace/vdrived/block.h"
#include "userspace/vdrived/opener.h"
#include "userspace/vdrived/process.h"
#include "userspace/vdrived/reader.h"
#include "userspace/vdrived/safety.h"
#include "userspace/vdrived/watchdog.h"
#include "util/cleanup.h"

/* A reader that has not parsed its image in this time never will. */
#define PARSE_MS 30000
/* The kernel greets a session at once. */
#define GREET_MS 10000
/* How long a detached drive's sessions may take to end when no file is open. */
#define END_MS 5000
/* How long a reader may take to say that it lives. */
#define PING_MS 1000
/* How long others may hold a device that is to go; and when it may also go later. */
#define RELEASE_MS 5000
#define LAZY_MS 1000
/* How long SIGTERM waits for files to be closed. */
#define TERM_MS 3000
#define MAX_RESPAWNS 3
#define RESPAWN_WINDOW_S 60

struct keeper {
	struct vd_drive_state state;
	char rundir[PATH_MAX], dir[PATH_MAX]; /* dir: rundir/NAME */
	bool foreground;
	int lock_fd, image_fd, dir_fd, status_fd, listen_fd, signal_fd;

	pid_t reader; /* 0: none */
	int sock;     /* to the reader */
	struct vd_keeper_opener opener;
	struct vd_message attributes[2]; /* ro, label: for the next reader */
	time_t respawns[MAX_RESPAWNS];

	struct {
		bool wanted;	    /* this drive has it */
		bool mounted;	    /* by us, and not yet unmounted by us */
		bool serving, open; /* open: the reader has not said that it ended */
	} session[VD_SESSION_KINDS];
	/* A drive in memory. */
	int device_fd;	 /* keeps state.device; -1 */
	int answered_fd; /* a page shared with the reader */
	atomic_ullong *answered;
	struct vd_watchdog dog;
	char warnings[VD_ERROR_MAX]; /* what the system refused, for whoever starts the drive */
	bool safe;		     /* vd_safety_enter() was done */

	bool lingering, over;
	/* Lingering: state.device is one that the kernel keeps, and is tried again. A loop device goes by itself. */
	bool device_stays;
};

static const char *session_dir(const struct keeper *k, int kind)
{
	return kind == VD_SESSION_DRIVE ? k->dir : k->state.mountpoint;
}

/* The reader. */

static int spawn_reader(struct keeper *k, struct vd_error *err)
{
	_cleanup_free_ struct vd_reader_config *config = calloc(1, sizeof(*config));
	const struct vd_reader_start start = { .config = config,
					       .image_fd = k->image_fd,
					       .answered_fd = k->answered_fd,
					       .foreground = k->foreground };

	if (!config)
		return vd_error_errno(err, -ENOMEM, "cannot start a reader");
	config->state = k->state;
	for (size_t i = 0; i < VD_ARRAY_SIZE(config->attributes); i++)
		memcpy(config->attributes[i], k->attributes[i].text, sizeof(config->attributes[i]));
	vd_keeper_opener_done(&k->opener);
	k->opener =
		(struct vd_keeper_opener){ .dir_fd = k->state.type == VD_DRIVE_OPTICAL ? k->dir_fd
										       : -1 };
	return vd_reader_spawn(&start, &k->reader, &k->sock, err);
}

/* Ends the reader, if there is one, and tells how it went ("was killed by signal 9"). */
static void reap_reader(struct keeper *k, bool kill_it, char *how, size_t size)
{
	if (how)
		how[0] = '\0';
	if (k->sock >= 0)
		close(k->sock);
	k->sock = -1;
	for (int i = 0; i < VD_SESSION_KINDS; i++)
		k->session[i].serving = k->session[i].open = false;
	if (k->reader)
		vd_reader_reap(k->reader, kill_it, how, size);
	k->reader = 0;
}

static int answer_open(struct keeper *k, const struct vd_message *asked)
{
	struct vd_message m = { .type = VD_MSG_OPENED };
	struct vd_error err = { "" };
	_cleanup_close_ int fd = vd_keeper_open_asked(&k->opener, asked->text, asked->arg, &err);

	if (fd < 0) {
		m.code = fd;
		memcpy(m.text, err.text, sizeof(m.text));
	}
	return vd_message_send(k->sock, &m, fd);
}

static void remember_attribute(struct keeper *k, const struct vd_message *m)
{
	k->attributes[strncmp(m->text, "label=", 6) ? 0 : 1] = *m;
}

/*
 * Takes one message from the reader, waiting at most @timeout_ms. Its type; -ETIMEDOUT, -EPIPE when the
 * reader is gone. OPEN and ATTRIBUTE are done here, SERVING and ENDED are noted.
 */
static int hear_reader(struct keeper *k, int timeout_ms, struct vd_message *m)
{
	struct pollfd pfd = { .fd = k->sock, .events = POLLIN };
	int r, fd;

	do
		r = poll(&pfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r ? -errno : -ETIMEDOUT;
	r = vd_message_recv(k->sock, m, &fd);
	if (fd >= 0)
		close(fd); /* a reader has none to give */
	if (r <= 0)
		return -EPIPE;
	switch (m->type) {
	case VD_MSG_OPEN:
		if (answer_open(k, m))
			return -EPIPE;
		break;
	case VD_MSG_ATTRIBUTE:
		remember_attribute(k, m);
		break;
	case VD_MSG_SERVING:
		if (m->arg < VD_SESSION_KINDS)
			k->session[m->arg].serving = true;
		break;
	case VD_MSG_ENDED:
		if (m->arg < VD_SESSION_KINDS)
			k->session[m->arg].open = k->session[m->arg].serving = false;
		break;
	default:
		break;
	}
	return (int)m->type;
}

static int wait_parsed(struct keeper *k, struct vd_error *err)
{
	int64_t deadline = vd_now_ms() + PARSE_MS;
	struct vd_message m;
	char how[64];

	for (;;) {
		int64_t left = deadline - vd_now_ms();
		int r = hear_reader(k, left > 0 ? (int)left : 0, &m);

		if (r == VD_MSG_READY)
			return 0;
		if (r == VD_MSG_FAILED)
			return vd_error_set(err, m.code < 0 ? m.code : -EIO, "%s", m.text);
		if (r == -ETIMEDOUT)
			return vd_error_set(err, r, "reading the image took over %d seconds",
					    PARSE_MS / 1000);
		if (r < 0) {
			reap_reader(k, false, how, sizeof(how));
			return vd_error_set(err, -EIO, "the reader %s while it read the image",
					    how);
		}
	}
}

/* Mounts. */

/* Which of the user's options are the mount's: a fixed list, since a stranger's fstab may hold anything. */
static void mount_options(const struct keeper *k, int kind, char *out, size_t size)
{
	static const char *const known[] = { "allow_other", "default_permissions", "noexec",
					     "noatime" };
	char copy[sizeof(k->state.options)], *save = NULL;
	size_t n;

	snprintf(out, size, "%s", kind == VD_SESSION_FILES ? "ro" : "rw");
	snprintf(copy, sizeof(copy), "%s", k->state.options);
	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save))
		for (size_t i = 0; i < VD_ARRAY_SIZE(known); i++)
			if (!strcmp(o, known[i])) {
				n = strlen(out);
				snprintf(out + n, size - n, ",%s", o);
			}
}

/*
 * Lets the kernel read further ahead than the 128 KiB that it gives to FUSE: a large file costs the reader a sixth
 * less, and a slow disk is asked for more at a time (tests/bench/README.md). Only root may, and only where /sys can be
 * written; everybody else does without.
 */
static void read_further_ahead(struct keeper *k, const char *dir)
{
	static const char kib[] = "512\n";
	_cleanup_close_ int fd = -1;
	struct vd_mount m;
	char path[64];

	if (geteuid() || vd_mount_find(dir, &m) || strcmp(m.fstype, VD_FSTYPE))
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/0:%u/read_ahead_kb", m.minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, kib, sizeof(kib) - 1) < 0)
		vd_log(LOG_DEBUG, "%s: %s", path, strerror(errno));
}

static int mount_session(struct keeper *k, int kind, struct vd_error *err)
{
	struct vd_message m = { .type = VD_MSG_SESSION, .arg = (uint32_t)kind };
	const char *dir = session_dir(k, kind);
	int64_t deadline = vd_now_ms() + GREET_MS;
	_cleanup_close_ int fd = -1;
	char options[256];
	int r;

	mount_options(k, kind, options, sizeof(options));
	fd = vd_fuse_mount(dir, k->state.image[0] ? k->state.image : k->state.name, options, err);
	if (fd < 0)
		return fd;
	k->session[kind].mounted = true;
	/* Ours is closed at return: while we held it, the death of the reader would not end the session. */
	r = vd_message_send(k->sock, &m, fd);
	if (r)
		return vd_error_errno(err, r, "cannot reach the reader");
	k->session[kind].open = true;
	while (!k->session[kind].serving) {
		int64_t left = deadline - vd_now_ms();

		r = hear_reader(k, left > 0 ? (int)left : 0, &m);
		if (r == VD_MSG_FAILED)
			return vd_error_set(err, m.code < 0 ? m.code : -EIO, "%s", m.text);
		if (r < 0)
			return vd_error_errno(err, r, "the reader does not serve %s", dir);
	}
	if (k->state.type == VD_DRIVE_OPTICAL)
		read_further_ahead(k, dir);
	return 0;
}

/* A new reader, and every session that this drive has. */
static int start_serving(struct keeper *k, struct vd_error *err)
{
	int r = spawn_reader(k, err);

	if (!r)
		r = wait_parsed(k, err);
	for (int i = 0; !r && i < VD_SESSION_KINDS; i++)
		if (k->session[i].wanted)
			r = mount_session(k, i, err);
	return r;
}

/*
 * Unmounts @kind if it is mounted. What somebody else has unmounted already, or has mounted something on top of,
 * is no failure.
 */
static int unmount_session(struct keeper *k, int kind, bool lazy, struct vd_error *err)
{
	const char *dir = session_dir(k, kind);
	int r = 0;

	if (!k->session[kind].mounted)
		return 0;
	if (vd_fuse_mounted(dir))
		r = vd_fuse_unmount(dir, lazy, err);
	if (!r || r == -EINVAL) {
		k->session[kind].mounted = false;
		r = 0;
	}
	return r;
}

/* Drives in memory. */

/* 0 with a text in @m and a descriptor in *@fd if it likes, or -errno with words. */
typedef int (*guarded_fn)(struct keeper *k, struct vd_message *m, int *fd, struct vd_error *err);

/*
 * Runs @fn in a child, since it may wait in the kernel for the reader, and watches the reader meanwhile: should that hang, the
 * watchdog lets the child go on with an error. *@fd (may be NULL) receives the descriptor that @fn returned.
 */
static int guarded(struct keeper *k, guarded_fn fn, struct vd_message *m, int *fd,
		   struct vd_error *err)
{
	_cleanup_close_ int mine = -1, theirs = -1;
	struct pollfd pfd = { .events = POLLIN };
	int sv[2], got = -1, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return vd_error_errno(err, -errno, "cannot start a helper");
	mine = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return vd_error_errno(err, -errno, "cannot start a helper");
	if (!pid) {
		struct vd_error words = { "" };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		*m = (struct vd_message){ 0 };
		m->code = fn(k, m, &got, &words);
		if (m->code)
			memcpy(m->text, words.text, sizeof(m->text));
		_exit(vd_message_send(theirs, m, got) ? 1 : 0);
	}
	close(VD_TAKE_FD(theirs));
	pfd.fd = mine;
	while (!poll(&pfd, 1, 500) || !pfd.revents)
		if (vd_watchdog_tick(&k->dog, vd_now_ms()))
			vd_log(LOG_CRIT, "the reader hangs: its connection is aborted");
	r = vd_message_recv(mine, m, &got);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	if (r <= 0)
		return vd_error_set(err, -EIO, "a helper ended before its work was done");
	return m->code ? vd_error_set(err, m->code, "%s", m->text) : 0;
}

static int attach_device(struct keeper *k, struct vd_message *m, int *fd, struct vd_error *err)
{
	char device[sizeof(k->state.device)];
	int r = vd_block_attach(&k->state, k->dir, device, fd, err);

	if (!r)
		snprintf(m->text, sizeof(m->text), "%s", device);
	return r;
}

static int use_device(struct keeper *k, struct vd_message *m, int *fd, struct vd_error *err)
{
	(void)m;
	(void)fd;
	return vd_block_use(&k->state, err);
}

static int unuse_device(struct keeper *k, struct vd_message *m, int *fd, struct vd_error *err)
{
	(void)m;
	(void)fd;
	return vd_block_unuse(&k->state, false, err);
}

static int unuse_device_lazily(struct keeper *k, struct vd_message *m, int *fd,
			       struct vd_error *err)
{
	(void)m;
	(void)fd;
	return vd_block_unuse(&k->state, true, err);
}

static int detach_device(struct keeper *k, struct vd_message *m, int *fd, struct vd_error *err)
{
	(void)m;
	return vd_block_detach(&k->state, k->dir, RELEASE_MS, fd, err);
}

static int detach_device_lazily(struct keeper *k, struct vd_message *m, int *fd,
				struct vd_error *err)
{
	(void)m;
	return vd_block_detach(&k->state, k->dir, LAZY_MS, fd, err);
}

/* Is this drive a block device too? Without root it is a file. */
static bool wants_device(const struct keeper *k)
{
	return (vd_drive_in_memory(k->state.type) || k->state.engine[0]) && !geteuid();
}

static int start_device(struct keeper *k, struct vd_error *err)
{
	struct vd_mount mount;
	struct vd_message m;
	int r;

	/* Memory answers at once. A disk's file may be slow, and a flush of it take minutes. */
	if (k->session[VD_SESSION_DRIVE].wanted && vd_drive_in_memory(k->state.type)) {
		r = vd_mount_find(k->dir, &mount);
		r = r ? vd_error_errno(err, r, "%s is not mounted", k->dir)
		      : vd_watchdog_open(&k->dog, mount.minor, k->answered,
					 k->state.watchdog * 1000, err);
		if (r && k->state.type == VD_DRIVE_SWAP)
			return r; /* a hang could not be ended */
		if (r)
			vd_log(LOG_WARNING, "%s", err->text);
	}
	r = guarded(k, attach_device, &m, &k->device_fd, err);
	if (r)
		return r;
	snprintf(k->state.device, sizeof(k->state.device), "%.31s", m.text);
	/* Before anything depends on it: should we die, others find it. */
	r = vd_state_write(k->lock_fd, &k->state, err);
	if (!r)
		r = guarded(k, use_device, &m, NULL, err);
	/* Now there is something on it to see. */
	if (!r)
		r = vd_udev_tell(k->rundir, k->state.name, vd_drive_type_name(k->state.type),
				 k->state.device, err);
	if (!r && k->state.tune)
		r = vd_tune_apply(k->rundir, err);
	return r;
}

/*
 * What lies on the device, then the device. -EBUSY or -ENOMEM: still in use. Done before, in part or whole, it is done
 * for the rest only.
 */
static int stop_device(struct keeper *k, bool lazy, struct vd_error *err)
{
	struct vd_message m;
	int r;

	if (!k->state.device[0])
		return 0;
	r = guarded(k, lazy ? unuse_device_lazily : unuse_device, &m, NULL, err);
	if (r)
		return r;
	if (k->device_fd >= 0)
		close(VD_TAKE_FD(k->device_fd));
	r = guarded(k, lazy ? detach_device_lazily : detach_device, &m, &k->device_fd, err);
	if (r && !(lazy && r == -EBUSY)) /* then it goes with its last user */
		return r;
	if (k->device_fd >= 0)
		close(VD_TAKE_FD(k->device_fd));
	vd_udev_forget(k->rundir, k->state.device);
	if (r && vd_engine_in_kernel(k->state.engine))
		k->device_stays = true;
	else
		k->state.device[0] = '\0';
	if (k->state.tune) {
		r = vd_tune_release(k->rundir, k->state.name, err);
		if (r)
			return r;
	}
	return 0;
}

/* Lingering, once a second: is the device's last user gone? */
static void try_device(struct keeper *k)
{
	struct vd_error err = { "" };
	int fd, r = vd_block_detach(&k->state, k->dir, 0, &fd, &err);

	if (r == -EBUSY)
		return;
	if (r)
		vd_log(LOG_ERR, "%s", err.text);
	k->device_stays = false;
	k->over = true;
}

static void unmount_all_lazily(struct keeper *k)
{
	struct vd_error err = { "" };

	for (int i = VD_SESSION_KINDS - 1; i >= 0; i--)
		if (unmount_session(k, i, true, &err))
			vd_log(LOG_ERR, "%s", err.text);
}

/* Name, socket and directory are free for others from here on. */
static void release_name(struct keeper *k)
{
	if (k->listen_fd >= 0)
		close(k->listen_fd);
	k->listen_fd = -1;
	if (k->lock_fd >= 0)
		vd_state_release(k->rundir, k->state.name, k->lock_fd);
	k->lock_fd = -1;
	vd_watchdog_close(&k->dog);
	if (k->safe)
		vd_cgroup_leave(k->state.name);
	k->safe = false;
}

/* The name is free for another drive, while what is open goes on. */
static void linger(struct keeper *k)
{
	release_name(k);
	k->lingering = true;
	vd_log(LOG_INFO,
	       "files are still open; they can be read and written until they are closed");
}

static bool any_open(const struct keeper *k)
{
	for (int i = 0; i < VD_SESSION_KINDS; i++)
		if (k->session[i].open)
			return true;
	return false;
}

/* Waits for the sessions to end. True when they have. */
static bool wait_ended(struct keeper *k, int ms)
{
	int64_t deadline = vd_now_ms() + ms;
	struct vd_message m;

	while (any_open(k) && k->reader) {
		int64_t left = deadline - vd_now_ms();

		if (left <= 0)
			return false;
		if (hear_reader(k, (int)left, &m) == -EPIPE)
			break;
	}
	return true;
}

/* Does the reader answer at all? */
static bool reader_lives(struct keeper *k)
{
	struct vd_message ping = { .type = VD_MSG_PING }, m;
	int64_t deadline = vd_now_ms() + PING_MS;
	int r = vd_message_send(k->sock, &ping, -1);

	while (!r && vd_now_ms() < deadline) {
		r = hear_reader(k, (int)(deadline - vd_now_ms()), &m);
		if (r == VD_MSG_PONG)
			return true;
		if (r > 0)
			r = 0;
	}
	return false;
}

/* What was written to a disk is on the medium before the drive is reported gone. */
static int flush_image(struct keeper *k, struct vd_error *err)
{
	if (k->state.type != VD_DRIVE_DISK || k->state.read_only || !fsync(k->image_fd))
		return 0;
	return vd_error_errno(err, -errno, "%s: what was written may be lost", k->state.image);
}

/* Once its owner hears that the drive is gone, what the image lies on can be unmounted. */
static void release_image(struct keeper *k)
{
	if (k->image_fd >= 0)
		close(k->image_fd);
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	k->image_fd = k->dir_fd = -1;
}

static void end_reader(struct keeper *k)
{
	struct vd_message quit = { .type = VD_MSG_QUIT };
	struct vd_message m;
	int64_t deadline = vd_now_ms() + 1000;
	bool asked;

	if (!k->reader)
		return;
	asked = k->sock >= 0 && !any_open(k) && !vd_message_send(k->sock, &quit, -1);
	while (asked && vd_now_ms() < deadline)
		if (hear_reader(k, (int)(deadline - vd_now_ms()), &m) == -EPIPE)
			break;
	reap_reader(k, !asked || vd_now_ms() >= deadline, NULL, 0);
}

/*
 * Takes the drive down. -EBUSY, and nothing has changed, when files are open and @lazy is not set. On success the
 * keeper is over, or lingers when files are open.
 *
 * DIR says whether the drive is busy; a drive without DIR, its own directory does. NAME/ of a drive with a DIR goes
 * lazily: whoever has opened a file below it keeps that.
 */
static int take_down(struct keeper *k, bool lazy, struct vd_error *err)
{
	bool has_dir = k->session[VD_SESSION_FILES].wanted;
	int r = stop_device(k, lazy, err);

	if (!r)
		r = unmount_session(k, VD_SESSION_FILES, lazy, err);
	if (!r)
		r = unmount_session(k, VD_SESSION_DRIVE, lazy, err);
	if (r == -EBUSY && has_dir && !k->session[VD_SESSION_FILES].mounted) {
		lazy = true;
		r = unmount_session(k, VD_SESSION_DRIVE, true, err);
	}
	if (r)
		return r;
	/* Without open files the sessions end at once, unless somebody has bound the mount elsewhere, or the reader hangs. */
	if (k->device_stays || (!wait_ended(k, lazy ? 200 : END_MS) && (lazy || reader_lives(k)))) {
		linger(k);
		return 0;
	}
	end_reader(k);
	r = flush_image(k, err);
	release_image(k);
	release_name(k);
	k->over = true;
	return r;
}

/*
 * For SIGTERM and failures: everything, now. But swap that cannot be stopped stays: what is swapped out would be lost.
 */
static void force_down(struct keeper *k, int grace_ms)
{
	struct vd_error err = { "" };

	if (k->device_stays) { /* told a second time */
		try_device(k);
		if (k->device_stays)
			vd_log(LOG_WARNING, "%s is still in use, and stays", k->state.device);
		k->over = true;
		return;
	}
	if (stop_device(k, true, &err)) {
		vd_log(LOG_ERR, "%s", err.text);
		if (k->state.type == VD_DRIVE_SWAP && vd_swap_active(k->state.device))
			return;
	}
	if (k->device_stays) {
		linger(k);
		return;
	}
	unmount_all_lazily(k);
	if (grace_ms && !wait_ended(k, grace_ms))
		vd_log(LOG_WARNING, "files are still open: whoever reads them gets an error");
	end_reader(k);
	if (flush_image(k, &err))
		vd_log(LOG_ERR, "%s", err.text);
	release_name(k);
	k->over = true;
}

static bool may_respawn(struct keeper *k)
{
	time_t now = (time_t)(vd_now_ms() / 1000), *oldest = &k->respawns[0];

	for (int i = 1; i < MAX_RESPAWNS; i++)
		if (k->respawns[i] < *oldest)
			oldest = &k->respawns[i];
	if (*oldest && now - *oldest < RESPAWN_WINDOW_S)
		return false;
	*oldest = now ? now : 1;
	return true;
}

static void on_reader_gone(struct keeper *k)
{
	struct vd_error err = { "" };
	char how[64];
	int r;

	reap_reader(k, true, how, sizeof(how));
	if (k->lingering) {
		k->over = true;
		return;
	}
	vd_log(LOG_ERR, "the reader %s", how);
	if (vd_drive_in_memory(k->state.type)) {
		vd_log(LOG_ERR, "what was in its memory is lost");
		force_down(k, 0);
		return;
	}
	/* The loop device has a file of the mount that ends now: a new one would not reach it. */
	if (k->state.device[0]) {
		vd_log(LOG_ERR, "%s goes with it: what was not written yet is lost",
		       k->state.device);
		force_down(k, 0);
		return;
	}
	/* A new one may die as well, even before it serves. One that only takes its time is not tried again. */
	do {
		unmount_all_lazily(k);
		reap_reader(k, true, NULL, 0);
		if (!may_respawn(k)) {
			vd_log(LOG_ERR, "that is too often: the drive is taken down");
			break;
		}
		r = start_serving(k, &err);
		if (!r) {
			vd_log(LOG_NOTICE, "a new reader serves it");
			return;
		}
		vd_log(LOG_ERR, "%s", err.text);
	} while (r != -ETIMEDOUT);
	force_down(k, 0);
}

/* Somebody unmounted one of our mounts: that takes the drive down. */
static void on_session_ended(struct keeper *k)
{
	struct vd_error err = { "" };

	if (k->lingering) {
		if (!any_open(k)) {
			end_reader(k);
			if (flush_image(k, &err))
				vd_log(LOG_ERR, "%s", err.text);
			k->over = true;
		}
		return;
	}
	if (take_down(k, true, &err))
		vd_log(LOG_ERR, "%s", err.text);
}

/* The control socket. */

static void on_request(struct keeper *k)
{
	_cleanup_close_ int fd = vd_control_accept(k->listen_fd);
	struct vd_reply reply = { .magic = VD_REQUEST_MAGIC };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct vd_request req;

	if (fd < 0)
		return;
	if (recv(fd, &req, sizeof(req), 0) != sizeof(req))
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    (peer.uid && peer.uid != k->state.uid))
		reply.code = vd_error_set(&reply.error, -EPERM, "drive %s belongs to user %u",
					  k->state.name, (unsigned)k->state.uid);
	else if (req.magic != VD_REQUEST_MAGIC)
		reply.code = vd_error_set(&reply.error, -EPROTO,
					  "drive %s runs another version of vdrive", k->state.name);
	else if (req.op == VD_REQUEST_DETACH)
		reply.code = take_down(k, req.flags & VD_DETACH_LAZY, &reply.error);
	else if (req.op != VD_REQUEST_PING)
		reply.code = vd_error_set(&reply.error, -EOPNOTSUPP, "unknown request %u", req.op);
	(void)send(fd, &reply, sizeof(reply), MSG_NOSIGNAL); /* a client may have gone away */
}

/* Starting. */

/* The page in which the reader counts. */
static int share_page(struct keeper *k, struct vd_error *err)
{
	void *p = MAP_FAILED;

	k->answered_fd = memfd_create("vdrive-answered", MFD_CLOEXEC);
	if (k->answered_fd >= 0 && !ftruncate(k->answered_fd, 4096))
		p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, k->answered_fd, 0);
	if (p == MAP_FAILED)
		return vd_error_errno(err, -errno, "cannot make a page to share with the reader");
	k->answered = p;
	return 0;
}

static int start(struct keeper *k, struct vd_error *err)
{
	int r;

	k->signal_fd = vd_catch_signals(0, err);
	if (k->signal_fd < 0)
		return k->signal_fd;
	umask(022);
	r = vd_rundir(k->rundir, sizeof(k->rundir), err);
	if (r)
		return r;
	if (snprintf(k->dir, sizeof(k->dir), "%s/%s", k->rundir, k->state.name) >=
	    (int)sizeof(k->dir))
		return vd_error_errno(err, -ENAMETOOLONG, "%s", k->rundir);
	r = vd_state_claim(k->rundir, &k->state, &k->lock_fd, err);
	if (r)
		return r;
	if (mkdir(k->dir, 0700))
		return vd_error_errno(err, -errno, "cannot create %s", k->dir);
	r = share_page(k, err);
	if (!r && k->state.type == VD_DRIVE_SWAP && k->session[VD_SESSION_DRIVE].wanted) {
		k->safe = true;
		r = vd_safety_enter(k->state.name, k->state.force, k->warnings, sizeof(k->warnings),
				    err);
	}
	if (!r) {
		k->listen_fd = vd_control_listen(k->rundir, k->state.name, 0600, err);
		r = k->listen_fd < 0 ? k->listen_fd : 0;
	}
	if (!r && k->session[VD_SESSION_DRIVE].wanted)
		r = start_serving(k, err);
	if (!r && wants_device(k))
		r = start_device(k, err);
	return r;
}

static void report(struct keeper *k, int code, const struct vd_error *err)
{
	struct vd_reply reply = { .magic = VD_REQUEST_MAGIC, .code = code };

	if (k->status_fd < 0) {
		if (code)
			vd_log(LOG_ERR, "%s", err->text);
		return;
	}
	if (err)
		reply.error = *err;
	else
		vd_error_set(&reply.error, 0, "%s", k->warnings);
	if (write(k->status_fd, &reply, sizeof(reply)) != sizeof(reply) && !code) {
		/* Whoever asked for the drive is gone, so nobody would know of it. */
		vd_log(LOG_WARNING, "whoever started the drive is gone");
		force_down(k, 0);
	}
	close(k->status_fd);
	k->status_fd = -1;
}

static void run(struct keeper *k)
{
	while (!k->over) {
		struct pollfd pfd[] = {
			{ .fd = k->signal_fd, .events = POLLIN },
			{ .fd = k->sock, .events = POLLIN },
			{ .fd = k->listen_fd, .events = POLLIN },
		};
		struct signalfd_siginfo si;
		struct vd_message m;
		int r;

		r = poll(pfd, VD_ARRAY_SIZE(pfd),
			 k->device_stays	? 1000
			 : k->dog.abort_fd >= 0 ? 500
						: -1);
		if (r < 0)
			continue;
		if (!r && k->device_stays) {
			try_device(k);
			continue;
		}
		if (vd_watchdog_tick(&k->dog, vd_now_ms())) {
			vd_log(LOG_CRIT, "the reader hangs: its connection is aborted");
			on_reader_gone(k);
			continue;
		}
		if (pfd[0].revents && read(k->signal_fd, &si, sizeof(si)) == sizeof(si)) {
			force_down(k, k->lingering ? 0 : TERM_MS);
			continue;
		}
		if (pfd[1].revents) {
			r = hear_reader(k, 0, &m);
			if (r == -EPIPE)
				on_reader_gone(k);
			else if (r == VD_MSG_ENDED)
				on_session_ended(k);
		}
		/* In the same round, or a reader that never stops talking would keep the owner out. */
		if (pfd[2].revents && pfd[2].fd == k->listen_fd)
			on_request(k);
	}
}

int vd_keeper_main(const struct vd_keeper_args *args)
{
	static struct keeper k = { .lock_fd = -1,
				   .listen_fd = -1,
				   .signal_fd = -1,
				   .sock = -1,
				   .device_fd = -1,
				   .answered_fd = -1,
				   .dog = { .conn_fd = -1, .abort_fd = -1 } };
	struct vd_error err = { "" };
	int r;

	k.state = args->state;
	k.image_fd = args->image_fd;
	k.dir_fd = args->dir_fd;
	k.status_fd = args->status_fd;
	k.foreground = args->foreground;
	k.state.keeper = getpid();
	k.state.uid = geteuid();
	k.state.gid = getegid();
	k.state.started = time(NULL);
	/* What the kernel keeps, it shows by itself, attributes and all. */
	k.session[VD_SESSION_DRIVE].wanted = !vd_engine_in_kernel(k.state.engine);
	k.session[VD_SESSION_FILES].wanted =
		k.state.type == VD_DRIVE_OPTICAL && k.state.mountpoint[0];
	vd_log_open(k.state.name, k.foreground);
	if (chdir("/"))
		return 1;
	r = start(&k, &err);
	if (r) {
		force_down(&k, 0);
		report(&k, r, &err);
		if (!k.device_stays)
			return 1;
		r = 1; /* whoever has it open is waited for */
	} else {
		report(&k, 0, NULL);
	}
	if (!k.foreground)
		vd_leave_terminal();
	run(&k);
	return r;
}
