// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * NAME.state: what is known of a drive without asking it, and the lock that says whether its keeper lives.
 *
 * The lock is an open-file-description lock: it can be tested without being taken (F_OFD_GETLK), so that a
 * `list` never gets in the way of a keeper that starts. Whoever takes it must then check that the name
 * still means the same file, since the holder before may have removed it meanwhile.
 */
#define _GNU_SOURCE
#include "userspace/common/drive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/common/cgroup.h"
#include "userspace/common/device.h"
#include "userspace/common/engine.h"
#include "userspace/common/tcmu.h"
#include "util/cleanup.h"

/* Longest state file: three paths, each byte escaped. */
#define STATE_MAX (9 * PATH_MAX + 4096)

/* How long to wait for others to let go of a device. */
#define RELEASE_MS 5000

static int drive_path(char *buf, const char *rundir, const char *name, const char *suffix)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s%s", rundir, name, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Percent-encodes what would break a line. */
static void put_text(FILE *f, const char *key, const char *value)
{
	fprintf(f, "%s=", key);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (*p < 0x20 || *p == '%' || *p == 0x7f)
			fprintf(f, "%%%02x", *p);
		else
			fputc(*p, f);
	}
	fputc('\n', f);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int get_text(const char *value, char *out, size_t size)
{
	size_t n = 0;

	while (*value) {
		char c = *value++;

		if (c == '%') {
			if (hex(value[0]) < 0 || hex(value[1]) < 0)
				return -EBADMSG;
			c = (char)(hex(value[0]) << 4 | hex(value[1]));
			value += 2;
		}
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

/* What NAME.state holds: one line a field. */
enum field_kind { TEXT, TYPE, FLAG, INT, UINT, INT64, UINT64 };

static const struct field {
	const char *key;
	enum field_kind kind;
	size_t offset, size;
} fields[] = {
#define FIELD(member, kind_)                                                                       \
	{                                                                                          \
		.key = #member, .kind = kind_, .offset = offsetof(struct vd_drive_state, member),  \
		.size = sizeof(((struct vd_drive_state *)0)->member)                               \
	}
	FIELD(name, TEXT),	 FIELD(type, TYPE),    FIELD(image, TEXT),
	FIELD(mountpoint, TEXT), FIELD(options, TEXT), FIELD(keeper, INT),
	FIELD(uid, UINT),	 FIELD(gid, UINT),     FIELD(started, INT64),
	FIELD(read_only, FLAG),	 FIELD(size, UINT64),  FIELD(mem_limit, UINT64),
	FIELD(store, TEXT),	 FIELD(engine, TEXT),  FIELD(fs, TEXT),
	FIELD(device, TEXT),	 FIELD(backing, TEXT), FIELD(backing_inode, UINT64),
	FIELD(priority, INT),	 FIELD(watchdog, INT), FIELD(tune, FLAG),
	FIELD(force, FLAG),	 FIELD(medium, TEXT),
#undef FIELD
};

static void put_field(FILE *f, const struct field *field, const struct vd_drive_state *s)
{
	const void *p = (const char *)s + field->offset;

	switch (field->kind) {
	case TEXT:
		put_text(f, field->key, p);
		break;
	case TYPE:
		put_text(f, field->key, vd_drive_type_name(*(const enum vd_drive_type *)p));
		break;
	case FLAG:
		fprintf(f, "%s=%d\n", field->key, *(const bool *)p);
		break;
	case INT:
		fprintf(f, "%s=%d\n", field->key, *(const int *)p);
		break;
	case UINT:
		fprintf(f, "%s=%u\n", field->key, *(const unsigned *)p);
		break;
	case INT64:
		fprintf(f, "%s=%lld\n", field->key, (long long)*(const int64_t *)p);
		break;
	case UINT64:
		fprintf(f, "%s=%llu\n", field->key, (unsigned long long)*(const uint64_t *)p);
		break;
	}
}

static int get_field(const struct field *field, const char *value, struct vd_drive_state *s)
{
	void *p = (char *)s + field->offset;

	switch (field->kind) {
	case TEXT:
		return get_text(value, p, field->size);
	case TYPE:
		return vd_drive_type_parse(value, p);
	case FLAG:
		*(bool *)p = !strcmp(value, "1");
		break;
	case INT:
		*(int *)p = (int)strtol(value, NULL, 10);
		break;
	case UINT:
		*(unsigned *)p = (unsigned)strtoul(value, NULL, 10);
		break;
	case INT64:
		*(int64_t *)p = strtoll(value, NULL, 10);
		break;
	case UINT64:
		*(uint64_t *)p = strtoull(value, NULL, 10);
		break;
	}
	return 0;
}

int vd_state_write(int lock_fd, const struct vd_drive_state *s, struct vd_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return vd_error_errno(err, -errno, "cannot write the state of drive %s", s->name);
	for (size_t i = 0; i < VD_ARRAY_SIZE(fields); i++)
		put_field(f, &fields[i], s);
	fputs("end=1\n", f);
	if (fclose(f))
		return vd_error_errno(err, -errno, "cannot write the state of drive %s", s->name);
	/* In place, since the lock is on this file; "end" tells a reader that it saw all of it. */
	if (pwrite(lock_fd, text, len, 0) != (ssize_t)len || ftruncate(lock_fd, (off_t)len))
		return vd_error_errno(err, errno ? -errno : -EIO,
				      "cannot write the state of drive %s", s->name);
	return 0;
}

static int parse_state(char *text, struct vd_drive_state *s)
{
	char *save = NULL;

	memset(s, 0, sizeof(*s));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');
		int r = 0;

		if (!value)
			return -EBADMSG;
		*value++ = '\0';
		if (!strcmp(line, "end"))
			return 0;
		for (size_t i = 0; !r && i < VD_ARRAY_SIZE(fields); i++)
			if (!strcmp(line, fields[i].key))
				r = get_field(&fields[i], value, s);
		if (r)
			return r;
	}
	return -EBADMSG;
}

static int read_state_fd(int fd, struct vd_drive_state *out)
{
	_cleanup_free_ char *text = malloc(STATE_MAX);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = pread(fd, text, STATE_MAX - 1, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return parse_state(text, out);
}

static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

/* Does a keeper hold the lock? */
static bool is_locked(int fd)
{
	struct flock fl = whole_file();

	return !fcntl(fd, F_OFD_GETLK, &fl) && fl.l_type != F_UNLCK;
}

int vd_state_read(const char *rundir, const char *name, struct vd_drive_state *out,
		  struct vd_error *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	r = vd_drive_name_check(name, err);
	if (r)
		return r;
	r = drive_path(path, rundir, name, ".state");
	if (r)
		return vd_error_errno(err, r, "drive %s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		if (errno == ENOENT)
			return vd_error_set(err, -ENOENT, "no drive is named %s", name);
		return vd_error_errno(err, -errno, "cannot read the state of drive %s", name);
	}
	r = read_state_fd(fd, out);
	if (!r && strcmp(out->name, name))
		r = -EBADMSG;
	if (r)
		return vd_error_errno(err, r, "cannot read the state of drive %s", name);
	out->alive = is_locked(fd);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vd_drive_state *)a)->name,
		      ((const struct vd_drive_state *)b)->name);
}

int vd_state_list(const char *rundir, struct vd_drive_state **out, size_t *count,
		  size_t *unreadable, struct vd_error *err)
{
	static const char suffix[] = ".state";
	struct vd_drive_state *list = NULL;
	size_t n = 0, room = 0, bad = 0;
	struct dirent *e;
	int r = 0;
	DIR *d;

	*out = NULL;
	*count = 0;
	if (unreadable)
		*unreadable = 0;
	d = opendir(rundir);
	if (!d)
		return errno == ENOENT ? 0 : vd_error_errno(err, -errno, "%s", rundir);
	while ((errno = 0, e = readdir(d))) {
		size_t len = strlen(e->d_name);
		char name[VD_DRIVE_NAME_MAX + 1];
		struct vd_drive_state *s;

		if (len <= sizeof(suffix) - 1 || len - (sizeof(suffix) - 1) > VD_DRIVE_NAME_MAX ||
		    strcmp(e->d_name + len - (sizeof(suffix) - 1), suffix))
			continue;
		len -= sizeof(suffix) - 1;
		memcpy(name, e->d_name, len);
		name[len] = '\0';
		if (n == room) {
			room = room ? room * 2 : 16;
			s = realloc(list, room * sizeof(*s));
			if (!s) {
				r = vd_error_errno(err, -ENOMEM, "%s", rundir);
				break;
			}
			list = s;
		}
		switch (vd_state_read(rundir, name, &list[n], NULL)) {
		case 0:
			n++;
			break;
		case -ENOENT:  /* gone meanwhile */
		case -EBADMSG: /* being written */
			break;
		default:
			bad++;
		}
	}
	if (!r && errno)
		r = vd_error_errno(err, -errno, "%s", rundir);
	closedir(d);
	if (r) {
		free(list);
		return r;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	*out = list;
	*count = n;
	if (unreadable)
		*unreadable = bad;
	return 0;
}

/*
 * Block devices first, from the top down: what lies on them, then they themselves. Their FUSE connection is dead already
 * (the reader ended with its keeper), so nothing here waits for it.
 */
static int clear_device(const char *rundir, const struct vd_drive_state *old, struct vd_error *err)
{
	bool in_kernel = vd_engine_in_kernel(old->engine);
	char file[PATH_MAX];
	int r;

	if (old->type == VD_DRIVE_CDROM) {
		vd_udev_forget(rundir, old->device);
		return vd_tcmu_reap(old->name, err);
	}
	if (!old->device[0])
		return vd_engine_remove_backing(old, err);
	vd_udev_forget(rundir, old->device);
	/* Removed by hand, and the name given anew? */
	if (in_kernel && !vd_engine_has(old))
		return vd_engine_remove_backing(old, err);
	r = old->type == VD_DRIVE_SWAP ? vd_swap_off(old->device, err)
				       : vd_disk_unmount(old->device, old->mountpoint, true, err);
	if (r)
		return r;
	if (in_kernel)
		return vd_engine_remove(old, RELEASE_MS, err);
	r = drive_path(file, rundir, old->name, "/disk");
	if (r)
		return vd_error_errno(err, r, "drive %s", old->name);
	r = vd_loop_detach(old->device, file, err);
	return r == -EBUSY ? 0 : r; /* it goes with its last user */
}

/* Does another drive, one that lives, show its files at @old's mount point now? */
static int is_mounted_anew(const char *rundir, const struct vd_drive_state *old, bool *anew,
			   struct vd_error *err)
{
	_cleanup_free_ struct vd_drive_state *all = NULL;
	size_t n;
	int r = vd_state_list(rundir, &all, &n, NULL, err);

	*anew = false;
	for (size_t i = 0; i < n; i++)
		if (all[i].alive && strcmp(all[i].name, old->name) &&
		    !strcmp(all[i].mountpoint, old->mountpoint))
			*anew = true;
	return r;
}

/* Takes down the mounts and files of a drive whose lock we hold; its NAME.state stays. */
static int clear_remains(const char *rundir, const struct vd_drive_state *old, struct vd_error *err)
{
	char path[PATH_MAX];
	int r = clear_device(rundir, old, err);

	if (r)
		return r;
	if (vd_drive_in_memory(old->type))
		vd_cgroup_reap(old->name);
	if (old->tune) {
		r = vd_tune_release(rundir, old->name, err);
		if (r)
			return r;
	}
	if (old->mountpoint[0] && vd_fuse_mounted(old->mountpoint)) {
		bool anew;

		r = is_mounted_anew(rundir, old, &anew, err);
		if (!r && !anew)
			r = vd_fuse_unmount(old->mountpoint, true, err);
		if (r)
			return r;
	}
	r = drive_path(path, rundir, old->name, "");
	if (r)
		return vd_error_errno(err, r, "drive %s", old->name);
	if (vd_fuse_mounted(path)) {
		r = vd_fuse_unmount(path, true, err);
		if (r)
			return r;
	}
	if (rmdir(path) && errno != ENOENT)
		return vd_error_errno(err, -errno, "cannot remove %s", path);
	r = drive_path(path, rundir, old->name, ".sock");
	if (!r && unlink(path) && errno != ENOENT)
		r = -errno;
	return r ? vd_error_errno(err, r, "cannot remove %s", path) : 0;
}

/*
 * Opens and locks NAME.state with @flags (O_CREAT or not), whoever removes it meanwhile. Returns the descriptor,
 * -EBUSY when it is locked, -ENOENT.
 */
static int lock_state(const char *path, int flags)
{
	for (;;) {
		_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
		struct flock fl = whole_file();
		struct stat mine, there;

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_OFD_SETLK, &fl))
			return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		if (fstat(fd, &mine))
			return -errno;
		if (!lstat(path, &there) && there.st_ino == mine.st_ino &&
		    there.st_dev == mine.st_dev)
			return VD_TAKE_FD(fd);
	}
}

int vd_state_claim(const char *rundir, const struct vd_drive_state *s, int *lock_fd,
		   struct vd_error *err)
{
	_cleanup_free_ struct vd_drive_state *old = malloc(sizeof(*old));
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	bool known;
	int r;

	if (!old)
		return vd_error_errno(err, -ENOMEM, "drive %s", s->name);
	r = vd_drive_name_check(s->name, err);
	if (r)
		return r;
	r = drive_path(path, rundir, s->name, ".state");
	if (r)
		return vd_error_errno(err, r, "drive %s", s->name);
	fd = lock_state(path, O_CREAT);
	if (fd == -EBUSY)
		return vd_error_set(err, -EEXIST, "a drive named %s is there already", s->name);
	if (fd < 0)
		return vd_error_errno(err, fd, "cannot create %s", path);
	/* New, or cut short by a crash: nothing but the name is known. */
	known = !read_state_fd(fd, old) && !strcmp(old->name, s->name);
	if (!known) {
		memset(old, 0, sizeof(*old));
		strcpy(old->name, s->name);
	}
	r = clear_remains(rundir, old, err);
	if (r && !known)
		unlink(path);
	if (r)
		return r;
	r = vd_state_write(fd, s, err);
	if (r) {
		vd_state_release(rundir, s->name, VD_TAKE_FD(fd));
		return r;
	}
	*lock_fd = VD_TAKE_FD(fd);
	return 0;
}

void vd_state_release(const char *rundir, const char *name, int lock_fd)
{
	static const char *const suffixes[] = { ".sock", ".state" };
	char path[PATH_MAX];

	if (!drive_path(path, rundir, name, ""))
		rmdir(path);
	for (size_t i = 0; i < VD_ARRAY_SIZE(suffixes); i++)
		if (!drive_path(path, rundir, name, suffixes[i]))
			unlink(path);
	close(lock_fd);
}

int vd_state_reap(const char *rundir, const char *name, struct vd_error *err)
{
	_cleanup_free_ struct vd_drive_state *old = malloc(sizeof(*old));
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	if (!old)
		return vd_error_errno(err, -ENOMEM, "drive %s", name);
	r = vd_drive_name_check(name, err);
	if (!r)
		r = drive_path(path, rundir, name, ".state");
	if (r)
		return r;
	fd = lock_state(path, 0);
	if (fd == -ENOENT)
		return 0;
	if (fd == -EBUSY)
		return vd_error_set(err, -EBUSY, "drive %s is alive", name);
	if (fd < 0)
		return vd_error_errno(err, fd, "cannot lock %s", path);
	if (read_state_fd(fd, old) || strcmp(old->name, name)) {
		memset(old, 0, sizeof(*old));
		strcpy(old->name, name);
	}
	r = clear_remains(rundir, old, err);
	if (!r)
		vd_state_release(rundir, name, VD_TAKE_FD(fd));
	return r;
}

int vd_tune_release(const char *rundir, const char *name, struct vd_error *err)
{
	struct vd_drive_state *all = NULL;
	size_t n = 0;
	int r = vd_state_list(rundir, &all, &n, NULL, err);
	bool needed = false;

	for (size_t i = 0; !r && i < n; i++)
		needed |= all[i].tune && all[i].alive && strcmp(all[i].name, name);
	free(all);
	return r || needed ? r : vd_tune_restore(rundir, err);
}
