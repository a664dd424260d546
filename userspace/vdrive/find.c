// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Finding drives, by name, mount point or image.
 *
 * Root also sees the drives of users, and users see root's, through the state files only. A directory in /tmp or
 * /run/user is used only if it is what its name says: a directory of that user, closed to others.
 * A mount point is never stat()ed: on a drive that hangs that would take the command with it, and on one whose reader died
 * it fails. It is compared as text, after its parent was resolved.
 */
#include "userspace/vdrive/vdrive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DETACH_MS 30000
#define LINKS_MAX 40

static void add_place(struct place **list, size_t *n, const char *dir, bool own, uid_t uid)
{
	*list = need(realloc(*list, (*n + 1) * sizeof(**list)));
	(*list)[*n].own = own;
	(*list)[*n].uid = uid;
	(*list)[*n].trusted = own || uid == 0;
	snprintf((*list)[*n].dir, sizeof((*list)[*n].dir), "%s", dir);
	(*n)++;
}

static void add_foreign(struct place **list, size_t *n, const char *dir, uid_t uid)
{
	struct stat st;

	if (!lstat(dir, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid && !(st.st_mode & 022) &&
	    strcmp(dir, (*list)[0].dir))
		add_place(list, n, dir, false, uid);
}

/* Entries "PREFIXuid" of @parent; the runtime directory is "SUFFIX" below. */
static void add_users(struct place **list, size_t *n, const char *parent, const char *prefix,
		      const char *suffix)
{
	DIR *d = opendir(parent);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		size_t len = strlen(prefix);
		char dir[PATH_MAX], *end;
		unsigned long uid;

		if (strncmp(e->d_name, prefix, len) || e->d_name[len] < '0' || e->d_name[len] > '9')
			continue;
		errno = 0;
		uid = strtoul(e->d_name + len, &end, 10);
		if (*end || errno || uid > UINT32_MAX)
			continue;
		if (snprintf(dir, sizeof(dir), "%s/%s%s", parent, e->d_name, suffix) <
		    (int)sizeof(dir))
			add_foreign(list, n, dir, (uid_t)uid);
	}
	closedir(d);
}

int find_places(struct place **out, size_t *n, struct vd_error *err)
{
	struct place *list = NULL;
	char own[PATH_MAX];
	int r;

	*out = NULL;
	*n = 0;
	r = vd_rundir(own, sizeof(own), err);
	if (r)
		return r;
	add_place(&list, n, own, true, geteuid());
	if (!secure_getenv("VDRIVE_RUNTIME_DIR")) {
		if (geteuid()) {
			add_foreign(&list, n, "/run/vdrive", 0);
		} else {
			add_users(&list, n, "/run/user", "", "/vdrive");
			add_users(&list, n, "/tmp", "vdrive-", "");
		}
	}
	*out = list;
	return 0;
}

int find_all(bool own_only, struct found **out, size_t *n, size_t *hidden, struct vd_error *err)
{
	_cleanup_free_ struct place *places = NULL;
	struct found *list = NULL;
	size_t nplaces;
	int r;

	*out = NULL;
	*n = 0;
	r = find_places(&places, &nplaces, err);
	for (size_t i = 0; !r && i < (own_only ? 1 : nplaces); i++) {
		_cleanup_free_ struct vd_drive_state *states = NULL;
		size_t count = 0;

		/* Another's directory may vanish or be closed to us at any time: it is not ours to complain. */
		r = vd_state_list(places[i].dir, &states, &count, i ? NULL : hidden, err);
		if (r && i) {
			r = 0;
			continue;
		}
		if (!count)
			continue;
		list = need(realloc(list, (*n + count) * sizeof(*list)));
		for (size_t k = 0; k < count; k++) {
			list[*n].place = places[i];
			/* Who owns it is what the file system says, not what the file says. */
			list[*n].state = states[k];
			list[*n].state.uid = places[i].uid;
			(*n)++;
		}
	}
	if (r) {
		free(list);
		*n = 0;
		return r;
	}
	*out = list;
	return 0;
}

int find_name(const char *name, struct found *out, struct vd_error *err)
{
	_cleanup_free_ struct place *places = NULL;
	size_t n;
	int r, first = -ENOENT;

	r = find_places(&places, &n, err);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = vd_state_read(places[i].dir, name, &out->state, i ? NULL : err);
		if (!r) {
			out->place = places[i];
			out->state.uid = places[i].uid;
			return 0;
		}
		if (!i)
			first = r;
	}
	return first;
}

/* realpath() of all but the last component, which is not touched. */
static int resolve_parent(const char *path, char *out, struct vd_error *err)
{
	char parent[PATH_MAX], *slash, base[NAME_MAX + 2];
	_cleanup_free_ char *real = NULL;
	int r;

	r = path_absolute(path, parent, err);
	if (r)
		return r;
	slash = strrchr(parent, '/');
	if (strlen(slash + 1) > NAME_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%s", path);
	strcpy(base, slash + 1);
	if (!strcmp(base, "..")) {
		real = realpath(parent, NULL);
		if (!real)
			return vd_error_errno(err, -errno, "%s", path);
		strcpy(out, real);
		return 0;
	}
	slash[slash == parent] = '\0';
	real = realpath(parent, NULL);
	if (!real)
		return vd_error_errno(err, -errno, "%s", path);
	if (strlen(real) + strlen(base) + 2 > PATH_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%s", path);
	sprintf(out, "%s/%s", strcmp(real, "/") ? real : "", base);
	return 0;
}

static bool is_at(const struct found *f, const char *dir)
{
	char own[PATH_MAX];

	if (f->state.mountpoint[0] && !strcmp(f->state.mountpoint, dir))
		return true;
	return snprintf(own, sizeof(own), "%s/%s", f->place.dir, f->state.name) <
		       (int)sizeof(own) &&
	       !strcmp(own, dir);
}

int find_mountpoint(const char *dir, struct found *out, char *resolved, struct vd_error *err)
{
	_cleanup_free_ struct found *all = NULL;
	char path[PATH_MAX], target[PATH_MAX], next[PATH_MAX];
	size_t n;
	int r;

	r = find_all(false, &all, &n, NULL, err);
	if (!r)
		r = resolve_parent(dir, path, err);
	for (int i = 0; !r && i < LINKS_MAX; i++) {
		ssize_t len;
		char *slash;

		if (resolved)
			strcpy(resolved, path);
		/* A dead drive and a new one may both name it: the living one is what is mounted. */
		for (int alive = 1; alive >= 0; alive--)
			for (size_t k = 0; k < n; k++)
				if (all[k].state.alive == alive && is_at(&all[k], path)) {
					*out = all[k];
					return 0;
				}
		/* readlink() asks a mounted file system nothing. */
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			break;
		target[len] = '\0';
		slash = strrchr(path, '/');
		if (snprintf(next, sizeof(next), "%.*s/%s",
			     target[0] == '/' ? 0 : (int)(slash - path), path,
			     target) >= (int)sizeof(next))
			return vd_error_errno(err, -ENAMETOOLONG, "%s", dir);
		r = resolve_parent(next, path, err);
	}
	return r ? r : vd_error_set(err, -ENOENT, "%s: no drive is mounted there", dir);
}

bool find_same_image(const struct found *f, dev_t dev, ino_t ino)
{
	struct stat st;

	/* An automounter is not woken up for this, and a link is the user's own affair. */
	return !fstatat(AT_FDCWD, f->state.image, &st, AT_NO_AUTOMOUNT) && st.st_dev == dev &&
	       st.st_ino == ino;
}

int find_image(const char *path, struct found *out, struct vd_error *err)
{
	_cleanup_free_ struct found *all = NULL;
	char absolute[PATH_MAX];
	bool there;
	struct stat st;
	size_t n, hits = 0;
	int r;

	r = find_all(false, &all, &n, NULL, err);
	if (!r)
		r = path_absolute(path, absolute, err);
	if (r)
		return r;
	there = !stat(path, &st);
	for (size_t i = 0; i < n; i++) {
		/* A disc in a drive is changed; the drive is there for the next one. */
		if (all[i].state.type == VD_DRIVE_CDROM)
			continue;
		if (strcmp(all[i].state.image, absolute) &&
		    !(there && find_same_image(&all[i], st.st_dev, st.st_ino)))
			continue;
		if (hits++) {
			return vd_error_set(
				err, -ENOTUNIQ,
				"%s: several drives have this image (%s, %s ...): name one", path,
				out->state.name, all[i].state.name);
		}
		*out = all[i];
	}
	if (hits)
		return 0;
	return vd_error_set(err, -ENOENT, "%s: no drive has this name, mount point or image%s",
			    path, there || strchr(path, '/') ? "" : " (see 'vdrive list')");
}

int find_cdrom(const char *name, struct found *out, struct vd_error *err)
{
	_cleanup_free_ struct found *all = NULL;
	size_t n, hits = 0;
	int r;

	if (name) {
		r = find_name(name, out, err);
		if (!r && out->state.type != VD_DRIVE_CDROM)
			return vd_error_set(err, -EINVAL, "%s is no optical drive but of type %s",
					    name, vd_drive_type_name(out->state.type));
		/* Whoever answers there could have files opened that the caller may read and he may not. */
		if (!r && !out->place.trusted)
			return vd_error_set(
				err, -EPERM,
				"drive %s belongs to user %u: use one of root's or your own", name,
				(unsigned)out->place.uid);
		if (!r && !out->state.alive)
			return vd_error_set(
				err, -ENODEV,
				"drive %s is dead: 'vdrive detach %s' clears what is left of it",
				name, name);
		return r;
	}
	r = find_all(false, &all, &n, NULL, err);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (all[i].state.type != VD_DRIVE_CDROM || !all[i].state.alive ||
		    !all[i].place.trusted)
			continue;
		if (hits++)
			return vd_error_set(
				err, -ENOTUNIQ,
				"there are several optical drives (%s, %s ...): name one",
				out->state.name, all[i].state.name);
		*out = all[i];
	}
	return hits ? 0
		    : vd_error_set(err, -ENOENT,
				   "there is no optical drive: 'vdrive optical add' makes one");
}

static bool is_gone(const struct found *f, bool *alive)
{
	_cleanup_free_ struct vd_drive_state *now = need(malloc(sizeof(*now)));

	if (vd_state_read(f->place.dir, f->state.name, now, NULL))
		return true;
	*alive = now->alive;
	return now->keeper != f->state.keeper || now->started != f->state.started;
}

int find_detach(const struct found *f, bool lazy, struct vd_error *err)
{
	bool alive = f->state.alive, was_alive;
	/* What is swapped out to a disk takes its time to come back; a reader that hangs is the watchdog's affair. */
	int patience_ms = f->state.type == VD_DRIVE_SWAP ? -1 : DETACH_MS;
	int r = 0;

	/* A keeper may die, or be taken down by somebody else, at any moment of this. */
	for (int tries = 0; tries < 100; tries++) {
		if (alive) {
			r = vd_drive_request(f->place.dir, f->state.name, VD_REQUEST_DETACH,
					     lazy ? VD_DETACH_LAZY : 0, patience_ms, err);
			if (r != -ENOENT && r != -ECONNREFUSED && r != -ECONNRESET && r != -EPIPE)
				return r;
		} else if (f->place.own) {
			r = vd_state_reap(f->place.dir, f->state.name, err);
			if (r != -EBUSY)
				return r;
		} else {
			return vd_error_set(
				err, -EPERM,
				"drive %s is dead and belongs to user %u, who can detach it",
				f->state.name, (unsigned)f->place.uid);
		}
		was_alive = alive;
		if (is_gone(f, &alive))
			return 0;
		/* Nobody else takes it down at this moment: what is in use stays so. */
		if (!was_alive && !alive)
			return r;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return r;
}
