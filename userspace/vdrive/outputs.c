// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrive/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "DIR/.NAME.vdrive-XXXXXX" for mkstemp() and the like. */
static char *temp_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return format("%.*s.%.200s.vdrive-XXXXXX", (int)(base - path), path, base);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return format(".");
	return slash == path ? format("/") : format("%.*s", (int)(slash - path), path);
}

/* As a new file or folder gets it. */
static mode_t usual_mode(mode_t all)
{
	mode_t mask = umask(0);

	umask(mask);
	return all & ~mask;
}

static int check_free(const struct outputs *o, const char *path, struct vd_error *err)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : vd_error_errno(err, -errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return vd_error_errno(err, -EISDIR, "%s", path);
	if (!o->replace)
		return vd_error_set(err, -EEXIST, "%s exists; --force replaces it", path);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return vd_error_set(err, -EEXIST, "%s exists, and is no file", path);
	return 0;
}

/* Can a file without a name get one later? */
static int open_nameless(const char *path)
{
	_cleanup_free_ char *dir = folder_of(path);

	if (access("/proc/self/fd", X_OK))
		return -EOPNOTSUPP;
	return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
}

static struct output *add(struct outputs *o, const char *path)
{
	o->v = need(reallocarray(o->v, o->n + 1, sizeof(*o->v)));
	o->v[o->n] = (struct output){ .path = format("%s", path), .fd = -1 };
	return &o->v[o->n++];
}

int outputs_open(struct outputs *o, const char *path, struct vd_error *err)
{
	struct output *f;
	int r = check_free(o, path, err);

	if (r)
		return r;
	/* A file without a name is not seen by that. */
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->v[i].path, path))
			return vd_error_set(err, -EEXIST, "%s is being written already", path);
	f = add(o, path);
	f->fd = open_nameless(path);
	if (f->fd >= 0)
		return f->fd;
	f->temp = temp_name(path);
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		r = -errno;
		free(VD_TAKE_PTR(f->temp));
		return vd_error_errno(err, r, "%s", path);
	}
	if (fchmod(f->fd, usual_mode(0666)))
		return vd_error_errno(err, -errno, "%s", path);
	return f->fd;
}

int outputs_open_in(struct outputs *o, const char *dir, const char *name, struct vd_error *err)
{
	_cleanup_free_ char *path = format("%s/%s", dir, name);
	struct output *f;
	struct stat st;

	if (!o->dir) {
		_cleanup_free_ char *temp = temp_name(dir);

		if (!lstat(dir, &st))
			return vd_error_set(err, -EEXIST, "%s exists already", dir);
		if (!mkdtemp(temp))
			return vd_error_errno(err, -errno, "%s", dir);
		o->dir = format("%s", dir);
		o->dir_temp = VD_TAKE_PTR(temp);
		o->dir_fd = open(o->dir_temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (o->dir_fd < 0 || fchmod(o->dir_fd, usual_mode(0777)))
			return vd_error_errno(err, -errno, "%s", dir);
	}
	f = add(o, path);
	f->fd = openat(o->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (f->fd < 0)
		return vd_error_errno(err, -errno, "%s", path);
	f->temp = format("%s/%s", o->dir_temp, name);
	return f->fd;
}

/* The @nth name beside the one that @f is to have. */
static char *name_beside(const struct output *f, int n)
{
	char *name = temp_name(f->path);

	sprintf(name + strlen(name) - 6, "%06x", (unsigned int)(getpid() * 100 + n) & 0xffffff);
	return name;
}

#define NAMES 100

/* Gives a file without a name one, beside the one it is to have. */
static int give_name(struct output *f)
{
	_cleanup_free_ char *from = format("/proc/self/fd/%d", f->fd);

	for (int i = 0; i < NAMES; i++) {
		char *name = name_beside(f, i);

		if (!linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW)) {
			f->temp = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* Never onto what is there, as far as the file system can say so. */
static int move(const char *from, const char *to)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	return errno == EINVAL && !rename(from, to) ? 0 : -errno;
}

/* Makes room for @f; what was there stays beside. */
static int move_old(struct output *f)
{
	int r = -EEXIST;

	for (int i = NAMES; r == -EEXIST && i < 2 * NAMES; i++) {
		char *name = name_beside(f, i);

		r = move(f->path, name);
		if (!r)
			f->old = name;
		else
			free(name);
	}
	return r == -ENOENT ? 0 : r;
}

static int appear(struct outputs *o, struct output *f)
{
	int r;

	if (!f->temp && !o->replace) {
		_cleanup_free_ char *from = format("/proc/self/fd/%d", f->fd);

		return linkat(AT_FDCWD, from, AT_FDCWD, f->path, AT_SYMLINK_FOLLOW) ? -errno : 0;
	}
	r = f->temp ? 0 : give_name(f);
	if (r)
		return r;
	if (o->replace)
		r = rename(f->temp, f->path) ? -errno : 0;
	else
		r = move(f->temp, f->path);
	if (!r)
		free(VD_TAKE_PTR(f->temp));
	return r;
}

static void sync_folder(const char *path)
{
	_cleanup_free_ char *dir = folder_of(path);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Not every file system can; the files are on disk, their names follow. */
	if (fd >= 0)
		(void)fsync(fd);
}

/* As it was before. The sheet goes first and comes last. */
static void take_back(struct outputs *o)
{
	for (size_t i = o->n; o->n > 1 && i > 0; i--)
		if (o->v[i - 1].there)
			(void)unlink(o->v[i - 1].path);
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].old)
			(void)move(o->v[i].old, o->v[i].path);
}

int outputs_commit(struct outputs *o, struct vd_error *err)
{
	struct output *failed = NULL;
	int r = 0;

	for (size_t i = 0; i < o->n; i++)
		if (fsync(o->v[i].fd))
			return vd_error_errno(err, -errno, "%s", o->v[i].path);
	if (o->dir) {
		if (fsync(o->dir_fd) ||
		    (renameat2(AT_FDCWD, o->dir_temp, AT_FDCWD, o->dir, RENAME_NOREPLACE) &&
		     (errno != EINVAL || rename(o->dir_temp, o->dir))))
			return vd_error_errno(err, -errno, "%s", o->dir);
		free(VD_TAKE_PTR(o->dir_temp));
		for (size_t i = 0; i < o->n; i++)
			free(VD_TAKE_PTR(o->v[i].temp));
		sync_folder(o->dir);
		return 0;
	}
	/* One replaces another in one step. */
	for (size_t i = o->n; o->replace && o->n > 1 && i > 0 && !r; i--) {
		failed = &o->v[i - 1];
		r = move_old(failed);
		sync_folder(failed->path);
	}
	for (size_t i = 0; i < o->n && !r; i++) {
		failed = &o->v[i];
		r = appear(o, failed);
		failed->there = !r;
		sync_folder(failed->path);
	}
	if (r) {
		vd_error_errno(err, r, "%s", failed->path);
		take_back(o);
		return r;
	}
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].old)
			(void)unlink(o->v[i].old);
	return 0;
}

void outputs_drop(struct outputs *o)
{
	for (size_t i = 0; i < o->n; i++) {
		vd_cleanup_close(&o->v[i].fd);
		if (o->v[i].temp)
			(void)unlink(o->v[i].temp);
		free(o->v[i].temp);
		free(o->v[i].old);
		free(o->v[i].path);
	}
	if (o->dir_temp)
		(void)rmdir(o->dir_temp);
	vd_cleanup_close(&o->dir_fd);
	free(o->dir_temp);
	free(o->dir);
	free(o->v);
	*o = (struct outputs)OUTPUTS_NONE;
}
