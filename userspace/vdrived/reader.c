// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The reader: a process that does all the parsing and may do nothing else. It is started with two descriptors, its
 * socket to the keeper and the image, enters the cage before it looks at the image, and gets everything else
 * (a /dev/fuse to serve, a file that a sheet names) through the socket.
 *
 *   config -> cage -> parse -> READY -> SESSION... -> QUIT, or the end of the keeper
 *                           \-> FAILED
 *
 * The main thread listens to the keeper. Each session has threads of its own (fuse_loop.c).
 */
#define _GNU_SOURCE
#include "userspace/vdrived/reader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "images/physical.h"
#include "userspace/common/cage.h"
#include "userspace/vdrived/fuse_loop.h"
#include "userspace/vdrived/message.h"
#include "userspace/vdrived/safety.h"
#include "userspace/vdrived/slots.h"
#include "util/cleanup.h"

static void tell(int sock, enum vd_message_type type, uint32_t arg, int code, const char *text)
{
	struct vd_message m = { .type = type, .arg = arg, .code = code };

	snprintf(m.text, sizeof(m.text), "%s", text);
	if (vd_message_send(sock, &m, -1))
		_exit(1); /* no keeper, no drive */
}

/* Asks the keeper to open what a sheet names; @arg as VD_MSG_OPEN has it. */
static int ask_for(const char *name, uint32_t arg, struct vd_error *err)
{
	static uint32_t opened;
	struct vd_message m = { .type = VD_MSG_OPEN, .arg = arg };
	int fd, r;

	if (strlen(name) >= sizeof(m.text))
		return vd_error_errno(err, -ENAMETOOLONG, "%.64s...", name);
	strcpy(m.text, name);
	r = vd_message_send(VD_READER_SOCK, &m, -1);
	if (!r)
		r = vd_message_recv(VD_READER_SOCK, &m, &fd);
	if (r <= 0 || m.type != VD_MSG_OPENED)
		_exit(1);
	if (m.code)
		return vd_error_set(err, m.code, "%s", m.text);
	if (fd < 0)
		return vd_error_errno(err, -EBADF, "%s", name);
	vd_slots_file(fd, ++opened);
	return fd;
}

static int ask_open(struct vd_opener *o, const char *name, struct vd_error *err)
{
	(void)o;
	return ask_for(name, 0, err);
}

static int ask_open_nth(struct vd_opener *o, const char *suffix, unsigned int n,
			struct vd_error *err)
{
	(void)o;
	return ask_for(suffix, n + 1, err);
}

static int parse_options(const char *text, struct vd_fs_options *o, struct vd_error *err)
{
	char copy[sizeof(((struct vd_drive_state *)0)->options)], *save = NULL;
	int r;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		r = vd_fs_option(o, p, err);
		if (r && r != -ENOENT) /* what is not the file system's is the mount's */
			return r;
	}
	return 0;
}

static int open_memory(struct vd_served *s, struct vd_error *err)
{
	struct vd_lz4_options o = { .mem_limit = s->state.mem_limit,
				    .locked = s->state.type == VD_DRIVE_SWAP };

	if (!strcmp(s->state.store, "mem"))
		return vd_store_mem_open(s->state.size, &s->store, err);
	if (!strcmp(s->state.store, "lz4"))
		return vd_store_lz4_open(s->state.size, &o, &s->store, err);
	return vd_error_set(err, -EINVAL, "no store is called '%s': lz4 or mem", s->state.store);
}

/* @mmc: the drive that the medium is in, or NULL. */
static int open_medium(struct vd_served *s, struct vd_transport *mmc, struct vd_error *err)
{
	static struct vd_opener opener = { .open = ask_open, .open_nth = ask_open_nth };
	const char *base = strrchr(s->state.image, '/');
	int r;

	if (vd_drive_in_memory(s->state.type))
		return open_memory(s, err);
	if (s->state.type == VD_DRIVE_DISK) {
		r = vd_store_file_open(VD_READER_IMAGE, s->state.read_only, &s->store, err);
		if (!r && !s->store->size)
			return vd_error_set(err, -EINVAL, "the file is empty");
		return r;
	}
	r = parse_options(s->state.options, &s->fs_options, err);
	if (r)
		return r;
	if (mmc) {
		s->format = &vd_image_physical;
		r = vd_physical_open(mmc, &s->disc, err);
	} else {
		r = vd_image_open(&opener, VD_READER_IMAGE, base ? base + 1 : s->state.image,
				  &s->disc, &s->format, err);
	}
	if (r || s->state.type == VD_DRIVE_CDROM)
		return r;
	r = vd_views_open(&s->views, s->disc, err);
	if (r)
		return r;
	r = vd_fs_open(s->disc, &s->fs_options, &s->fs, &s->fs_error);
	vd_physical_error(s->disc, r, &s->fs_error);
	/* What is mounted of an audio disc is its tracks. */
	if (r && s->state.mountpoint[0] && (r != -EMEDIUMTYPE || !s->views.nwav))
		return vd_error_set(err, r, "%s", s->fs_error.text);
	return 0;
}

static int map_answered(struct vd_error *err)
{
	void *p = mmap(NULL, sizeof(*vd_fuse_loop_answered), PROT_READ | PROT_WRITE, MAP_SHARED,
		       VD_READER_ANSWERED, 0);

	if (p == MAP_FAILED)
		return vd_error_errno(err, -errno, "cannot share a page with the keeper");
	vd_fuse_loop_answered = p;
	return 0;
}

static void on_serving(void *arg, int kind)
{
	(void)arg;
	tell(VD_READER_SOCK, VD_MSG_SERVING, (uint32_t)kind, 0, "");
}

static void on_ended(void *arg, int kind)
{
	(void)arg;
	tell(VD_READER_SOCK, VD_MSG_ENDED, (uint32_t)kind, 0, "");
}

int vd_reader_main(void)
{
	static struct vd_served served = { .lock = PTHREAD_MUTEX_INITIALIZER,
					   .sock = VD_READER_SOCK };
	_cleanup_free_ struct vd_reader_config *config = malloc(sizeof(*config));
	struct vd_error err = { "" };
	struct vd_transport *mmc = NULL;
	struct vd_message m;
	int r = 0, fd, drive_fd = -1;

	if (!config || recv(VD_READER_SOCK, config, sizeof(*config), 0) != sizeof(*config))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	vd_store_before_wait = vd_fuse_loop_will_wait;
	served.state = config->state;
	served.reader = getpid();
	atomic_store(&served.read_only, config->state.type == VD_DRIVE_OPTICAL ||
						config->state.type == VD_DRIVE_CDROM ||
						config->state.read_only);
	for (size_t i = 0; i < VD_ARRAY_SIZE(config->attributes); i++)
		vd_attribute_restore(&served, config->attributes[i]);

	vd_slots_file(VD_READER_IMAGE, 0);
	if (served.state.type != VD_DRIVE_CDROM)
		r = map_answered(&err);
	if (!r && served.state.type == VD_DRIVE_SWAP)
		r = vd_safety_lock_reader(&err);
	if (!r && served.state.type == VD_DRIVE_OPTICAL && vd_physical_is_drive(VD_READER_IMAGE))
		r = vd_physical_transport(VD_READER_IMAGE, &mmc, &drive_fd, &err);
	if (!r)
		r = vd_cage_enter(served.state.type == VD_DRIVE_SWAP ? VD_CAGE_SWAP
								     : VD_CAGE_READER,
				  drive_fd, &err);
	if (!r)
		r = open_medium(&served, mmc, &err);
	if (r) {
		tell(VD_READER_SOCK, VD_MSG_FAILED, 0, r, err.text);
		return 1;
	}
	tell(VD_READER_SOCK, VD_MSG_READY, 0, 0, "");
	if (served.state.type == VD_DRIVE_CDROM) {
		const struct vd_mmc_medium medium = vd_mmc_medium_of(served.disc);

		m = (struct vd_message){ .type = VD_MSG_MEDIUM };
		vd_medium_put(&medium, &m);
		if (vd_message_send(VD_READER_SOCK, &m, -1))
			_exit(1);
	}

	for (;;) {
		r = vd_message_recv(VD_READER_SOCK, &m, &fd);
		if (r <= 0 || m.type == VD_MSG_QUIT)
			break;
		if (m.type == VD_MSG_PING)
			tell(VD_READER_SOCK, VD_MSG_PONG, 0, 0, "");
		r = 0;
		if (m.type == VD_MSG_SLOTS && fd >= 0) {
			r = vd_slots_map(fd, &err);
		} else if (m.type == VD_MSG_WORK && fd >= 0 && served.disc) {
			r = vd_slots_serve(served.disc, fd, &err);
		} else if (m.type == VD_MSG_SESSION && fd >= 0 && m.arg < VD_SESSION_KINDS) {
			r = vd_present_fuse(&served, (int)m.arg, fd, on_serving, on_ended, NULL,
					    &err);
		} else if (fd >= 0) {
			close(fd);
		}
		if (r)
			tell(VD_READER_SOCK, VD_MSG_FAILED, 0, r, err.text);
	}
	/* Sessions may still have threads: what they use is left to the kernel to take back. */
	_exit(0);
}
