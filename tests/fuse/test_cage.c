// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The cage around a reader: what one that has been taken over would try is refused, in a reader at work (attr/misbehave,
 * VDRIVE_TEST_HOOKS) and in a process of this test. The same acts outside of a cage go through, so
 * a refusal says something about the cage and nothing about the machine.
 */
#define _GNU_SOURCE
#include "drivehelp.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/common/cage.h"
#include "util/cleanup.h"

#define NOBODY 65534
#define EXECUTED 1 /* no answer came: the process became another program */

/* userspace/vdrived/misbehave.c, linked in. */
int vd_test_misbehave(const char *what, struct vd_error *err);

static const char *const acts[] = { "open",   "connect",     "exec",	   "fork",
				    "ptrace", "exec-memory", "kill-parent" };

/*
 * Runs one act in a grandchild and returns what came of it. Its parent is a process that does nothing, since some acts are
 * aimed at the parent.
 */
static int act_in_child(const char *what, bool caged)
{
	struct vd_error err = { "" };
	int p[2], r = EXECUTED;
	pid_t pid, child;
	ssize_t n;

	ASSERT_OK(pipe2(p, O_CLOEXEC));
	fflush(NULL);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		child = fork();
		if (child) {
			close(p[0]);
			close(p[1]);
			for (;;)
				pause();
		}
		r = caged ? vd_cage_enter(VD_CAGE_READER, -1, &err) : 0;
		if (r)
			r = -ENOSYS; /* no act gives this: it fails the test */
		else
			r = vd_test_misbehave(what, &err);
		n = write(p[1], &r, sizeof(r));
		_exit(n == sizeof(r) ? 0 : 1);
	}
	close(p[1]);
	do
		n = read(p[0], &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	CHECK(n == sizeof(r) || n == 0);
	close(p[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static void test_acts_in_and_out_of_cage(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(acts); i++) {
		int free = act_in_child(acts[i], false), caged = act_in_child(acts[i], true);
		/* Yama may forbid it to anybody but root. */
		bool maybe = !strcmp(acts[i], "ptrace") && geteuid() && free == -EPERM;

		if (!maybe && free != (strcmp(acts[i], "exec") ? 0 : EXECUTED))
			CHECK_FAIL("outside of a cage, %s gives %s", acts[i],
				   check_errno_name(free));
		if (caged != -EPERM && caged != -EACCES)
			CHECK_FAIL("in a cage, %s gives %s", acts[i], check_errno_name(caged));
	}
}
DRIVE_AS_USER(test_acts_in_and_out_of_cage)

/* Bit n: the nth of these is refused by the cage. What the kernel says of them on such descriptors is another matter. */
static int refused_ioctls(bool with_drive)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), other = dup(null), status;
	pid_t pid;

	ASSERT(null >= 0 && other >= 0);
	fflush(NULL);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		const struct {
			int fd;
			unsigned long what;
		} calls[] = { { null, CDROM_SEND_PACKET },
			      { other, CDROM_SEND_PACKET },
			      { null, CDROMEJECT },
			      { null, SG_IO } };
		int bits = 0;

		if (vd_cage_enter(VD_CAGE_READER, with_drive ? null : -1, NULL))
			_exit(255);
		for (size_t i = 0; i < VD_ARRAY_SIZE(calls); i++)
			if (ioctl(calls[i].fd, calls[i].what, 0) < 0 && errno == EPERM)
				bits |= 1 << i;
		_exit(bits);
	}
	close(null);
	close(other);
	ASSERT(waitpid(pid, &status, 0) == pid);
	ASSERT(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* One ioctl, on one descriptor. */
static void test_drive_in_cage(void)
{
	CHECK_INT(refused_ioctls(false), 0xf);
	CHECK_INT(refused_ioctls(true), 0xe);
}

/* The drives that are looked at. */

static bool start_one(enum vd_drive_type type, struct drive *d)
{
	char *image = type == VD_DRIVE_DISK ? drive_pattern_file("cage.img", 1 << 20, 0)
					    : drive_iso("cage", 1 << 20);

	if (!image)
		return false;
	*d = drive_start("cage", type, image,
			 type == VD_DRIVE_DISK ? NULL : drive_path("cage.mnt"));
	return true;
}

static void end_one(struct drive *d)
{
	CHECK_OK(drive_detach("cage", false));
	CHECK(DRIVE_UNTIL(drive_is_over(d->keeper) && drive_is_over(d->reader), DRIVE_PATIENCE_MS));
	drive_check_gone();
	rmdir(drive_path("cage.mnt"));
}

static void check_acts(enum vd_drive_type type)
{
#ifdef VDRIVE_TEST_HOOKS
	struct drive d;

	if (!start_one(type, &d))
		return;
	for (size_t i = 0; i < VD_ARRAY_SIZE(acts); i++) {
		int r = drive_attr_write("cage", "misbehave", acts[i]);

		if (r != -EPERM && r != -EACCES)
			CHECK_FAIL("%s in a reader gives %s", acts[i], check_errno_name(r));
		CHECK_HAS(drive_attr("cage", "error"), check_printf("refused: %s", acts[i]));
	}
	/* It has lived through all of that, and an act that is none is told apart. */
	CHECK_INT(atol(drive_attr("cage", "reader_pid")), d.reader);
	CHECK_ERRNO(drive_attr_write("cage", "misbehave", "dance"), -EINVAL);
	end_one(&d);
#else
	(void)type;
	CHECK_SKIP("built without VDRIVE_TEST_HOOKS");
#endif
}

static void test_reader_of_disk(void)
{
	check_acts(VD_DRIVE_DISK);
}
DRIVE_AS_USER(test_reader_of_disk)

static void test_reader_of_disc(void)
{
	check_acts(VD_DRIVE_OPTICAL);
}
DRIVE_AS_USER(test_reader_of_disc)

/* What the kernel says of it. */

/* The rest of the line that begins with @key, blanks squeezed. */
static char *status_field(const char *status, const char *key)
{
	const char *p = strstr(status, check_printf("\n%s:", key));
	char *out = check_alloc(256), *w = out;

	if (!p)
		return NULL;
	for (p += strlen(key) + 2; *p && *p != '\n' && w < out + 255; p++) {
		if (!isspace((unsigned char)*p))
			*w++ = *p;
		else if (w > out && w[-1] != ' ')
			*w++ = ' ';
	}
	if (w > out && w[-1] == ' ')
		*--w = '\0';
	return out;
}

static void check_status(enum vd_drive_type type)
{
	unsigned uid = geteuid() ? geteuid() : NOBODY, gid = geteuid() ? getegid() : NOBODY;
	struct drive d;
	char *status;

	if (!start_one(type, &d))
		return;
	status = check_read_file(check_printf("/proc/%d/status", (int)d.reader), NULL);
	CHECK_STR(status_field(status, "Uid"), check_printf("%u %u %u %u", uid, uid, uid, uid));
	CHECK_STR(status_field(status, "Gid"), check_printf("%u %u %u %u", gid, gid, gid, gid));
	CHECK_STR(status_field(status, "Groups"), "");
	CHECK_STR(status_field(status, "CapInh"), "0000000000000000");
	CHECK_STR(status_field(status, "CapPrm"), "0000000000000000");
	CHECK_STR(status_field(status, "CapEff"), "0000000000000000");
	CHECK_STR(status_field(status, "CapAmb"), "0000000000000000");
	CHECK_STR(status_field(status, "NoNewPrivs"), "1");
	CHECK_STR(status_field(status, "Seccomp"), "2");
	/* So that no neighbour of the same user can look into it. */
	if (geteuid())
		CHECK_INT(access(check_printf("/proc/%d/fd", (int)d.reader), R_OK), -1);
	/* The keeper parses nothing and keeps its rights. */
	status = check_read_file(check_printf("/proc/%d/status", (int)d.keeper), NULL);
	CHECK_STR(status_field(status, "Uid"),
		  check_printf("%u %u %u %u", geteuid(), geteuid(), geteuid(), geteuid()));
	end_one(&d);
}

static void test_status(void)
{
	check_status(VD_DRIVE_DISK);
	check_status(VD_DRIVE_OPTICAL);
}
DRIVE_AS_USER(test_status)

/* The image, the sessions, the socket: nothing else, nothing of the starter's, and the image of a disc only to read. */
static void check_descriptors(enum vd_drive_type type)
{
	unsigned images = 0, fuses = 0, sockets = 0, nulls = 0, memories = 0;
	/* One that a starter forgot to close. */
	_cleanup_close_ int forgotten = open("/", O_RDONLY);
	struct drive d;
	char *image;

	ASSERT(forgotten >= 0);
	if (!start_one(type, &d))
		return;
	image = drive_attr("cage", "image");
	for (int fd = 0; fd < 256; fd++) {
		char target[4096], *info;
		ssize_t n = readlink(check_printf("/proc/%d/fd/%d", (int)d.reader, fd), target,
				     sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strcmp(target, image)) {
			images++;
			info = check_read_file(
				check_printf("/proc/%d/fdinfo/%d", (int)d.reader, fd), NULL);
			/* The last octal digit holds the access mode. */
			CHECK_INT(status_field(info,
					       "flags")[strlen(status_field(info, "flags")) - 1] -
					  '0',
				  type == VD_DRIVE_DISK ? O_RDWR : O_RDONLY);
		} else if (!strcmp(target, "/dev/fuse")) {
			fuses++;
		} else if (!strncmp(target, "socket:", 7)) {
			sockets++;
		} else if (!strncmp(target, "/memfd:vdrive-answered ", 23)) {
			memories++; /* a page for swap's watchdog */
		} else if (!strcmp(target, "/dev/null")) {
			nulls++;
		} else if (strncmp(target, "pipe:", 5)) { /* libfuse moves data through one */
			CHECK_FAIL("the reader has %s open, as %d", target, fd);
		}
	}
	CHECK_UINT(images, 1);
	CHECK_UINT(fuses, type == VD_DRIVE_DISK ? 1 : 2);
	CHECK_UINT(sockets, 1);
	CHECK_UINT(nulls, 3);
	CHECK(memories <= 1);
	end_one(&d);
}

static void test_descriptors(void)
{
	if (geteuid())
		CHECK_SKIP("needs root: a reader hides from its user");
	check_descriptors(VD_DRIVE_DISK);
	check_descriptors(VD_DRIVE_OPTICAL);
}

static void test_no_writable_code(void)
{
	struct drive d;
	char *maps, *save = NULL;
	bool any = false;

	if (geteuid())
		CHECK_SKIP("needs root: a reader hides from its user");
	if (!start_one(VD_DRIVE_DISK, &d))
		return;
	maps = check_read_file(check_printf("/proc/%d/maps", (int)d.reader), NULL);
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *perms = strchr(line, ' ');

		any = true;
		if (perms && perms[2] == 'w' && perms[3] == 'x')
			CHECK_FAIL("writable code: %s", line);
	}
	CHECK(any);
	end_one(&d);
}

#define BOTH(name)                                                                                 \
	{ #name, test_##name },                                                                    \
	{                                                                                          \
#name "_as_user", test_##name##_as_user                                            \
	}

static const struct check_test tests[] = {
	BOTH(acts_in_and_out_of_cage),
	{ "drive_in_cage", test_drive_in_cage },
	BOTH(reader_of_disk),
	BOTH(reader_of_disc),
	BOTH(status),
	{ "descriptors", test_descriptors },
	{ "no_writable_code", test_no_writable_code },
};
CHECK_MAIN_WITH(tests, drive_setup, drive_teardown)
