// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Optical drives through the kernel's TCMU: how they come and go, and who may die meanwhile. Only in a guest (VDRIVE_VM_SERIES), as root.
 * The client here is the test's own; the command's is in test_optical_clients.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "scsi.h"
#include "userspace/common/drive.h"
#include "userspace/common/tcmu.h"
#include "userspace/vdrived/message.h"
#include "util/cleanup.h"

#define SECTORS 6000
#define THREADS 8

static char rundir[PATH_MAX];
static const char *disc_a, *disc_b;
static uint8_t *bytes_a, *bytes_b;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

/* The client. */

static int request(const char *name, enum vd_request_op op, uint32_t flags, const char *image,
		   struct vd_error *err)
{
	struct vd_request req = { .magic = VD_REQUEST_MAGIC, .op = op, .flags = flags };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	_cleanup_close_ int fd = image ? open(image, O_RDONLY | O_CLOEXEC) : -1;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = "" };
	struct iovec iov = { &req, sizeof(req) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct vd_reply reply;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/%.20s.sock", rundir, name);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return vd_error_errno(err, -errno, "connect");
	if (image) {
		snprintf(req.image, sizeof(req.image), "%s", image);
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &msg, 0) != sizeof(req))
		return vd_error_errno(err, -errno, "sendmsg");
	if (recv(sock, &reply, sizeof(reply), 0) != sizeof(reply))
		return vd_error_errno(err, -EPROTO, "recv");
	*err = reply.error;
	return reply.code;
}

static void insert(const char *name, const char *image, uint32_t flags)
{
	struct vd_error err = { "" };
	int r = request(name, VD_REQUEST_INSERT, flags, image, &err);

	if (r)
		printf("insert: %s\n", err.text);
	ASSERT_INT(r, 0);
}

static void eject(const char *name, bool force)
{
	struct vd_error err = { "" };

	ASSERT_OK(request(name, VD_REQUEST_EJECT, force ? VD_EJECT_FORCE : 0, NULL, &err));
}

static struct vd_drive_state state_of(const char *name)
{
	struct vd_drive_state s = { .name = "" };
	struct vd_error err = { "" };

	CHECK_OK(vd_state_read(rundir, name, &s, &err));
	return s;
}

static char *add(const char *name)
{
	struct vd_drive_start start = { .state = { .type = VD_DRIVE_CDROM },
					.image_fd = -1,
					.dir_fd = -1 };
	struct vd_error err = { "" };
	int r;

	snprintf(start.state.name, sizeof(start.state.name), "%s", name);
	r = vd_drive_start(&start, NULL, &err);
	if (r)
		printf("add: %s\n", err.text);
	ASSERT_INT(r, 0);
	return check_printf("%s", state_of(name).device);
}

static void remove_drive(const char *name)
{
	struct vd_error err = { "" };
	int r = request(name, VD_REQUEST_DETACH, VD_DETACH_LAZY, NULL, &err);
	struct vd_tcmu t;

	if (r)
		printf("remove: %s\n", err.text);
	CHECK_INT(r, 0);
	CHECK_INT(vd_tcmu_find(name, &t, NULL), -ENOENT);
}

/* What is in the drive. */

static void read_all(const char *device, const uint8_t *expected)
{
	_cleanup_free_ uint8_t *buf = malloc(SECTORS * 2048);
	_cleanup_close_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	ASSERT(fd >= 0);
	while (done < SECTORS * 2048) {
		ssize_t n = read(fd, buf + done, SECTORS * 2048 - done);

		ASSERT(n > 0);
		done += (size_t)n;
	}
	CHECK_INT(read(fd, buf, 1), 0);
	CHECK(!memcmp(buf, expected, SECTORS * 2048));
}

static struct sg sg(const char *device, const uint8_t *cdb, size_t cdb_len, void *buf, size_t len)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return sg_on(fd, cdb, cdb_len, buf, len);
}

static uint32_t sense_of(const struct sg *r)
{
	return r->status ? (uint32_t)(r->sense[2] & 15) << 16 | (uint32_t)r->sense[12] << 8 |
				   r->sense[13]
			 : 0;
}

/* Until it has told its unit attentions. */
static void settle(const char *device)
{
	static const uint8_t ready[6] = { 0 };

	for (int i = 0; i < 4; i++)
		sg(device, ready, 6, NULL, 0);
}

static const char *make_disc(const char *name, unsigned int seed, uint8_t **bytes)
{
	const char *path = check_path("%s.iso", name);
	uint8_t *p = malloc(SECTORS * 2048);
	uint32_t x = seed;

	ASSERT(p);
	for (size_t i = 0; i < SECTORS * 2048; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
	/* A volume descriptor, so that it is one. */
	memset(p + 16 * 2048, 0, 2048);
	memcpy(p + 16 * 2048, "\1CD001\1", 7);
	p[16 * 2048 + 80] = SECTORS & 0xff;
	p[16 * 2048 + 81] = SECTORS >> 8;
	p[16 * 2048 + 86] = SECTORS >> 8;
	p[16 * 2048 + 87] = SECTORS & 0xff;
	check_write_file(path, p, SECTORS * 2048);
	*bytes = p;
	return path;
}

static void setup(void)
{
	struct vd_error err;

	if (!getenv("VDRIVE_VM_SERIES"))
		CHECK_SKIP("not in a guest");
	ASSERT_OK(setenv("VDRIVE_RUNTIME_DIR", check_path("run"), 1));
	ASSERT_OK(mkdir(check_path("run"), 0755));
	ASSERT_OK(vd_rundir(rundir, sizeof(rundir), &err));
	disc_a = make_disc("a", 1, &bytes_a);
	disc_b = make_disc("b", 2, &bytes_b);
}

static void test_life(void)
{
	static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 96, 0 };
	uint8_t buf[96];
	const char *device = add("life");
	struct sg r;

	ASSERT(!strncmp(device, "/dev/sr", 7));
	CHECK_STR(state_of("life").medium, "empty");
	CHECK(open(device, O_RDONLY) < 0 && errno == ENOMEDIUM);
	r = sg(device, inquiry, 6, buf, sizeof(buf));
	CHECK_INT(r.error, 0);
	CHECK_INT(buf[0], 5);
	insert("life", disc_a, 0);
	CHECK_STR(state_of("life").image, disc_a);
	read_all(device, bytes_a);
	eject("life", false);
	CHECK_STR(state_of("life").medium, "open");
	CHECK(open(device, O_RDONLY) < 0 && errno == ENOMEDIUM);
	insert("life", disc_b, 0);
	read_all(device, bytes_b);
	insert("life", disc_a, VD_INSERT_REPLACE);
	read_all(device, bytes_a);
	remove_drive("life");
	CHECK(access(device, F_OK) && errno == ENOENT);
}

/* As udev does with every disc. */
static void lock_and_leave(const char *device)
{
	_cleanup_close_ int fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT(fd >= 0);
	CHECK(ioctl(fd, CDROM_CLEAR_OPTIONS, CDO_LOCK) >= 0);
	CHECK_INT(ioctl(fd, CDROM_LOCKDOOR, 1), 0);
}

static void test_refused(void)
{
	struct vd_error err = { "" };
	const char *device = add("refused");
	const char *junk = check_path("junk.iso");
	int fd;

	check_write_file(junk, "no image", 8);
	CHECK(request("refused", VD_REQUEST_INSERT, 0, junk, &err) < 0);
	CHECK(err.text[0]);
	CHECK_INT(request("refused", VD_REQUEST_INSERT, 0, "/dev/null", &err), -EINVAL);
	CHECK_INT(request("refused", VD_REQUEST_INSERT, 0, NULL, &err), -EBADF);
	insert("refused", disc_a, 0);
	CHECK_INT(request("refused", VD_REQUEST_INSERT, 0, disc_b, &err), -EBUSY);
	/* Locked. */
	fd = open(device, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_INT(request("refused", VD_REQUEST_EJECT, 0, NULL, &err), -EBUSY);
	CHECK_INT(request("refused", VD_REQUEST_INSERT, VD_INSERT_REPLACE, disc_b, &err), -EBUSY);
	close(fd);
	eject("refused", false);
	/* Locked by who has gone away, as udev does: nobody uses the disc. */
	insert("refused", disc_a, 0);
	lock_and_leave(device);
	insert("refused", disc_b, VD_INSERT_REPLACE);
	read_all(device, bytes_b);
	lock_and_leave(device);
	/* Mounted, or had by one alone. */
	fd = open(device, O_RDONLY | O_NONBLOCK | O_EXCL | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_INT(request("refused", VD_REQUEST_EJECT, 0, NULL, &err), -EBUSY);
	CHECK_INT(request("refused", VD_REQUEST_INSERT, VD_INSERT_REPLACE, disc_a, &err), -EBUSY);
	close(fd);
	eject("refused", false);
	CHECK_STR(state_of("refused").medium, "open");
	/* Closed without a disc, and opened, by programs. */
	fd = open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT(fd >= 0);
	CHECK_INT(ioctl(fd, CDROMCLOSETRAY, 0), 0);
	CHECK_STR(state_of("refused").medium, "empty");
	CHECK_INT(ioctl(fd, CDROMEJECT, 0), 0);
	CHECK_STR(state_of("refused").medium, "open");
	close(fd);
	remove_drive("refused");
}

/* 2352 bytes a sector, and a residual. */
static void test_read_cd(void)
{
	static const uint8_t cdb[12] = { 0xbe, 0, 0, 0, 0, 100, 0, 0, 2, 0xf8, 0, 0 };
	static const uint8_t beyond[12] = { 0xbe, 0, 0, 0, 0xff, 0xff, 0, 0, 2, 0xf8, 0, 0 };
	uint8_t buf[4 * 2352];
	const char *device = add("readcd");
	struct sg r;

	insert("readcd", disc_a, 0);
	settle(device);
	memset(buf, 0xaa, sizeof(buf));
	r = sg(device, cdb, 12, buf, sizeof(buf));
	CHECK_INT(r.error, 0);
	CHECK_INT(r.status, 0);
	CHECK_INT(r.resid, 2 * 2352);
	CHECK(!memcmp(buf + 16, bytes_a + 100 * 2048, 2048));
	CHECK_INT(buf[0], 0);
	CHECK_INT(buf[1], 0xff);
	r = sg(device, beyond, 12, buf, sizeof(buf));
	CHECK_INT(sense_of(&r), 0x052100);
	remove_drive("readcd");
}

/* Deaths. */

struct load {
	const char *device;
	const uint8_t *expected;
	atomic_bool stop;
	atomic_uint reads, errors, wrong;
};

static void *load_thread(void *arg)
{
	struct load *l = arg;
	_cleanup_free_ uint8_t *buf = aligned_alloc(4096, 65536);
	int fd = open(l->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unsigned int seed = (unsigned int)(uintptr_t)&seed;

	while (!atomic_load(&l->stop)) {
		const size_t at = (size_t)(rand_r(&seed) % (SECTORS - 32)) * 2048;
		ssize_t n = fd < 0 ? -1 : pread(fd, buf, 65536, (off_t)at);

		if (n != 65536)
			atomic_fetch_add(&l->errors, 1);
		else if (memcmp(buf, l->expected + at, 65536))
			atomic_fetch_add(&l->wrong, 1);
		else
			atomic_fetch_add(&l->reads, 1);
		if (n != 65536)
			pause_ms(10);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void start_load(struct load *l, pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		ASSERT_OK(pthread_create(&threads[i], NULL, load_thread, l));
	while (atomic_load(&l->reads) + atomic_load(&l->errors) < 2 * THREADS)
		pause_ms(10);
}

static void end_load(struct load *l, pthread_t *threads)
{
	atomic_store(&l->stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Reads go on: after so many more there is no doubt. */
static bool goes_on(struct load *l, int ms)
{
	const unsigned int before = atomic_load(&l->reads);

	for (int64_t until = now_ms() + ms; now_ms() < until; pause_ms(10))
		if (atomic_load(&l->reads) > before + 4 * THREADS)
			return true;
	return false;
}

/* The child of @parent that runs with this argument; 0. */
static pid_t child_of(pid_t parent)
{
	struct check_cmd *c = check_sh("cat /proc/%d/task/*/children", (int)parent);

	return (pid_t)strtol(c->out, NULL, 10);
}

static pid_t parent_of(pid_t pid)
{
	return (pid_t)strtol(check_sh("cut -d ' ' -f 4 /proc/%d/stat", (int)pid)->out, NULL, 10);
}

static void test_reader_killed(void)
{
	struct load l = { .device = add("rkill"), .expected = bytes_a };
	pthread_t threads[THREADS];

	insert("rkill", disc_a, 0);
	start_load(&l, threads);
	for (int i = 0; i < 3; i++) {
		pid_t keeper = state_of("rkill").keeper, reader = child_of(keeper);

		ASSERT(reader > 0);
		ASSERT_OK(kill(reader, i == 1 ? SIGSTOP : SIGKILL));
		CHECK(goes_on(&l, 10000));
		CHECK(child_of(keeper) != reader);
	}
	end_load(&l, threads);
	CHECK_INT(atomic_load(&l.errors), 0);
	CHECK_INT(atomic_load(&l.wrong), 0);
	remove_drive("rkill");
}

static void test_keeper_killed(void)
{
	struct load l = { .device = add("kkill"), .expected = bytes_a };
	pthread_t threads[THREADS];

	insert("kkill", disc_a, 0);
	start_load(&l, threads);
	for (int i = 0; i < 3; i++) {
		pid_t keeper = state_of("kkill").keeper;

		ASSERT_OK(kill(keeper, SIGKILL));
		CHECK(goes_on(&l, 20000));
		CHECK(state_of("kkill").keeper != keeper);
	}
	end_load(&l, threads);
	CHECK_INT(atomic_load(&l.errors), 0);
	CHECK_INT(atomic_load(&l.wrong), 0);
	CHECK_STR(state_of("kkill").image, disc_a);
	remove_drive("kkill");
}

/* The guard and the keeper: nothing comes back by itself, nothing waits for ever, and the name can be had again. */
static void test_all_killed(void)
{
	struct load l = { .device = add("akill"), .expected = bytes_a };
	pthread_t threads[THREADS];
	pid_t keeper = state_of("akill").keeper, guard = parent_of(keeper);
	const char *device;
	struct vd_tcmu t;

	insert("akill", disc_a, 0);
	start_load(&l, threads);
	ASSERT_OK(kill(guard, SIGKILL));
	CHECK(goes_on(&l, 10000));
	CHECK(state_of("akill").alive);
	ASSERT_OK(kill(keeper, SIGKILL));
	while (state_of("akill").alive)
		pause_ms(10);
	CHECK_OK(vd_tcmu_find("akill", &t, NULL));
	/* Whoever had it open has an error now, and keeps its name busy. */
	device = add("akill");
	end_load(&l, threads);
	CHECK_INT(atomic_load(&l.wrong), 0);
	CHECK_STR(state_of("akill").medium, "empty");
	insert("akill", disc_b, 0);
	read_all(device, bytes_b);
	remove_drive("akill");
}

static void test_changed_under_load(void)
{
	struct load l = { .device = add("change"), .expected = bytes_a };
	pthread_t threads[THREADS];

	insert("change", disc_a, 0);
	start_load(&l, threads);
	for (int i = 0; i < 5; i++) {
		eject("change", true);
		insert("change", disc_a, 0);
	}
	end_load(&l, threads);
	CHECK_INT(atomic_load(&l.wrong), 0);
	eject("change", true);
	insert("change", disc_b, 0);
	read_all(l.device, bytes_b);
	remove_drive("change");
}

/* Nothing holds a module any more. */
static void test_unload(void)
{
	struct check_cmd *c;

	c = check_sh("rmmod tcm_loop target_core_user");
	CHECK_INT(c->status, 0);
	CHECK_STR(c->err, "");
	umount("/sys/kernel/config");
}

static const struct check_test tests[] = {
	{ "life", test_life },
	{ "refused", test_refused },
	{ "read_cd", test_read_cd },
	{ "reader_killed", test_reader_killed },
	{ "keeper_killed", test_keeper_killed },
	{ "all_killed", test_all_killed },
	{ "changed_under_load", test_changed_under_load },
	{ "unload", test_unload },
};

CHECK_MAIN_WITH(tests, setup, NULL)
