// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Opening what the user named, as the user: the daemon gets descriptors and never a path to open. Only plain
 * files and block devices; everything else is refused before a byte is read.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/physical.h"
#include "userspace/common/cage.h"

static int open_folder(const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	strcpy(dir, path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int check_kind(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) ? -errno : 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTBLK;
}

/*
 * A drive is opened a second time without O_NONBLOCK, which keeps its tray shut as long as that is open anywhere: by the daemon, as long as
 * the disc is shown.
 */
static int hold_disc(int *fd, const char *path, struct vd_error *err)
{
	char again[32];
	int held;

	switch (ioctl(*fd, CDROM_DRIVE_STATUS, CDSL_CURRENT)) {
	case CDS_TRAY_OPEN:
		return vd_error_set(err, -ENOMEDIUM, "%s: the tray of the drive is open", path);
	case CDS_NO_DISC:
		return vd_error_set(err, -ENOMEDIUM, "%s: there is no disc in the drive", path);
	default:
		break;
	}
	snprintf(again, sizeof(again), "/proc/self/fd/%d", *fd);
	held = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (held < 0 && errno == ENOMEDIUM)
		return vd_error_set(err, -ENOMEDIUM, "%s: there is no disc in the drive", path);
	if (held < 0)
		return vd_error_errno(err, -errno, "%s", path);
	close(*fd);
	*fd = held;
	return 0;
}

/* Whoever sits before the machine may read its drives; others by their group. */
static int no_access(const char *path, struct vd_error *err)
{
	struct stat st;

	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return vd_error_set(
			err, -EACCES,
			"%s: Permission denied: drives are for the members of their group (see ls -l %s)",
			path, path);
	return vd_error_errno(err, -EACCES, "%s", path);
}

int image_open(const char *path, bool writable, struct opened *out, struct vd_error *err)
{
	_cleanup_close_ int fd = -1, dir_fd = -1;
	int r, flags;

	r = path_absolute(path, out->path, err);
	if (r)
		return r;
	/* O_NONBLOCK: neither a FIFO nor an empty drive may keep us waiting. */
	fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENXIO)
		return vd_error_set(err, -ENOTBLK, "%s: not a file or a block device", path);
	if (fd < 0 && errno == EISDIR)
		return vd_error_set(err, -EISDIR, "%s: is a directory, not a file", path);
	if (fd < 0 && errno == EACCES)
		return no_access(path, err);
	if (fd < 0)
		return vd_error_errno(err, -errno, "%s", path);
	r = vd_physical_is_drive(fd) && !writable ? hold_disc(&fd, path, err) : 0;
	if (r)
		return r;
	r = check_kind(fd, &out->size);
	if (r == -EISDIR)
		return vd_error_set(err, r, "%s: is a directory, not a file", path);
	if (r == -ENOTBLK)
		return vd_error_set(err, r, "%s: not a file or a block device", path);
	if (r)
		return vd_error_errno(err, r, "%s", path);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK))
		return vd_error_errno(err, -errno, "%s", path);
	dir_fd = open_folder(out->path);
	if (dir_fd < 0)
		return vd_error_errno(err, -errno, "the folder of %s", path);
	out->given = path;
	out->fd = VD_TAKE_FD(fd);
	out->dir_fd = VD_TAKE_FD(dir_fd);
	return 0;
}

void image_close(struct opened *o)
{
	vd_cleanup_close(&o->fd);
	vd_cleanup_close(&o->dir_fd);
}

/*
 * The lock (flock) belongs to the open file, which the daemon inherits: it ends with the last process of the
 * drive, however that ends. Where locks do not work (some network file systems), the image itself is looked for.
 */
int image_lock(const struct opened *o, bool writable, struct vd_error *err)
{
	_cleanup_free_ struct found *all = NULL;
	bool locked_out;
	struct stat st;
	size_t n;
	int r;

	locked_out = flock(o->fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) && errno == EWOULDBLOCK;
	if (fstat(o->fd, &st))
		return vd_error_errno(err, -errno, "%s", o->given);
	r = find_all(false, &all, &n, NULL, err);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		const struct vd_drive_state *s = &all[i].state;
		bool writes =
			(s->type == VD_DRIVE_DISK || s->type == VD_DRIVE_CDROM) && !s->read_only;

		if (!s->alive || !find_same_image(&all[i], st.st_dev, st.st_ino))
			continue;
		if (writes)
			return vd_error_set(err, -EBUSY, "%s: in use: drive %s may write to it",
					    o->given, s->name);
		if (writable)
			return vd_error_set(err, -EBUSY,
					    "%s: in use: drive %s reads it (try --read-only)",
					    o->given, s->name);
	}
	/* Readers share the image with whoever locked it: block devices are locked by udev now and then. */
	if (locked_out && writable)
		return vd_error_set(err, -EBUSY, "%s: in use: another program has locked it",
				    o->given);
	return 0;
}

static ssize_t read_head(int fd, uint8_t *data)
{
	size_t n = 0;

	while (n < VD_IMAGE_HEAD) {
		ssize_t got = pread(fd, data + n, VD_IMAGE_HEAD - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

struct answer {
	int code;
	bool container;
	struct vd_error words;
};

/* The words of vd_image_looks_like() for formats in which the disk's bytes are packed. */
static bool is_container(const char *words)
{
	static const char *const ends[] = { "disk image", "disc image", "descriptor", "sheet",
					    "archive" };
	size_t n = strlen(words);

	for (size_t i = 0; i < VD_ARRAY_SIZE(ends); i++) {
		size_t len = strlen(ends[i]);

		if (n >= len && !strcmp(words + n - len, ends[i]))
			return true;
	}
	return false;
}

static void identify(const struct opened *o, struct answer *a)
{
	_cleanup_free_ uint8_t *data = malloc(VD_IMAGE_HEAD);
	struct vd_image_head head = { .data = data, .size = o->size };
	const char *words;
	ssize_t n;

	if (!data) {
		a->code = vd_error_errno(&a->words, -ENOMEM, "%s", o->given);
		return;
	}
	a->code = vd_cage_enter(VD_CAGE_INFO, -1, &a->words);
	if (a->code)
		return;
	n = read_head(o->fd, data);
	if (n < 0) {
		a->code = vd_error_errno(&a->words, (int)n, "%s", o->given);
		return;
	}
	head.len = (size_t)n;
	head.name = strrchr(o->path, '/') + 1;
	words = vd_image_looks_like(&head);
	a->container = words && is_container(words);
	vd_error_set(&a->words, 0, "%s", words ? words : "");
}

int image_identify(const struct opened *o, char *words, size_t size, bool *container,
		   struct vd_error *err)
{
	struct answer a = { 0 };
	_cleanup_close_ int mine = -1;
	int p[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC))
		return vd_error_errno(err, -errno, "%s", o->given);
	mine = p[0];
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(p[1]);
		return vd_error_errno(err, r, "%s", o->given);
	}
	if (!pid) {
		identify(o, &a);
		_exit(write(p[1], &a, sizeof(a)) != sizeof(a));
	}
	close(p[1]);
	do
		n = read(mine, &a, sizeof(a));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(a))
		return vd_error_set(err, -EIO, "%s: cannot find out what it is", o->given);
	a.words.text[sizeof(a.words.text) - 1] = '\0';
	if (a.code)
		return vd_error_set(err, a.code, "%s", a.words.text);
	snprintf(words, size, "%s", a.words.text);
	*container = a.container;
	return 0;
}
