// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The name is tried as it is. Only when there is no such file it is looked for as the program that wrote the sheet may have
 * meant it, on a system where case is of no account and `\` separates: part by part, each in a folder that is opened beneath the
 * sheet's and read. What is found is a name again, and opened as any other.
 */
#define _GNU_SOURCE
#include "userspace/vdrived/opener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "util/cleanup.h"

#define ENTRIES_MAX 65536 /* of a folder that are looked at */

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int open_beneath(int dir_fd, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(O_RDONLY | O_CLOEXEC | flags),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The next character in lower case. Bytes that are no UTF-8 are themselves. */
static wint_t next_lower(const char **p, mbstate_t *state)
{
	wchar_t c;
	size_t n = mbrtowc(&c, *p, MB_CUR_MAX, state);

	if (n == (size_t)-1 || n == (size_t)-2) {
		memset(state, 0, sizeof(*state));
		return (wint_t)(0x110000 + (unsigned char)*(*p)++);
	}
	*p += n ? n : 1;
	return towlower((wint_t)c);
}

/* In the locale of the calling thread. */
static bool same_but_for_case(const char *a, const char *b)
{
	mbstate_t of_a = { 0 }, of_b = { 0 };

	while (*a && *b)
		if (next_lower(&a, &of_a) != next_lower(&b, &of_b))
			return false;
	return !*a && !*b;
}

/* Puts the entry of folder @path (beneath @dir_fd) that is called @name but for case into @out, of NAME_MAX + 1 bytes. */
static int find_entry(int dir_fd, const char *path, const char *name, char *out)
{
	int fd = open_beneath(dir_fd, *path ? path : ".", O_DIRECTORY);
	_cleanup_(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (fd < 0)
		return fd;
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	*out = '\0';
	for (int i = 0; i < ENTRIES_MAX && (e = readdir(dir)); i++) {
		if (!strcmp(e->d_name, name)) {
			strcpy(out, name);
			return 0;
		}
		if (!same_but_for_case(e->d_name, name))
			continue;
		/* Which of two is meant nobody knows, unless one is written so. */
		if (*out)
			strcpy(out, "/");
		else
			strcpy(out, e->d_name);
	}
	return !*out ? -ENOENT : *out == '/' ? -ENOTUNIQ : 0;
}

/* Replaces @name by one that is there, into @out of PATH_MAX bytes. */
static int find_path(int dir_fd, const char *name, char *out)
{
	size_t n = 0;
	int r = 0;

	*out = '\0';
	while (*name && !r) {
		size_t len = strcspn(name, "/\\");
		char part[NAME_MAX + 1], found[NAME_MAX + 1];

		if (len > NAME_MAX || n + len + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(part, name, len);
		part[len] = '\0';
		name += len + (name[len] ? 1 : 0);
		if (!len || !strcmp(part, "."))
			continue;
		if (!strcmp(part, ".."))
			return -EXDEV;
		r = find_entry(dir_fd, out, part, found);
		if (!r)
			n += (size_t)snprintf(out + n, PATH_MAX - n, "%s%s", n ? "/" : "", found);
		if (!r && n >= PATH_MAX)
			return -ENAMETOOLONG;
	}
	return r ? r : n ? 0 : -ENOENT;
}

/* find_path() in a locale that knows the cases of all letters. */
static int look_for(int dir_fd, const char *name, char *out)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	int r = find_path(dir_fd, name, out);

	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	return r;
}

int vd_keeper_open(struct vd_keeper_opener *o, const char *name, struct vd_error *err)
{
	/* O_NONBLOCK: a FIFO is found out below instead of waited for. */
	const int flags = O_NOCTTY | O_NONBLOCK;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	if (o->dir_fd < 0)
		return vd_error_set(err, -EPERM, "%s: this image may name no other files", name);
	if (o->opened >= VD_OPENER_MAX)
		return vd_error_set(err, -EMFILE, "%s: more than %d files", name, VD_OPENER_MAX);
	fd = open_beneath(o->dir_fd, name, flags);
	if (fd == -ENOENT && o->searched < VD_OPENER_SEARCHES) {
		o->searched++;
		fd = look_for(o->dir_fd, name, path);
		if (!fd)
			fd = open_beneath(o->dir_fd, path, flags);
	}
	if (fd == -EXDEV)
		return vd_error_set(err, -EXDEV, "%s: lies outside the folder of the sheet", name);
	if (fd == -ENOTUNIQ)
		return vd_error_set(err, fd, "%s: more than one file is called so, in other cases",
				    name);
	if (fd < 0)
		return vd_error_errno(err, fd, "%s", name);
	if (fstat(fd, &st))
		return vd_error_errno(err, -errno, "%s", name);
	if (!S_ISREG(st.st_mode))
		return vd_error_set(err, -EINVAL, "%s: not a regular file", name);
	o->opened++;
	return VD_TAKE_FD(fd);
}

/* Puts the name of number @n into @out, of NAME_MAX + 1 bytes. */
static int find_nth(int dir_fd, const char *suffix, uint32_t n, char *out)
{
	int fd = open_beneath(dir_fd, ".", O_DIRECTORY);
	_cleanup_(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(suffix);
	const struct dirent *e;

	if (fd < 0)
		return fd;
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	for (int i = 0; i < ENTRIES_MAX && (e = readdir(dir)); i++) {
		size_t have = strlen(e->d_name);

		if (have >= len && !strcasecmp(e->d_name + have - len, suffix) && !n--) {
			strcpy(out, e->d_name);
			return 0;
		}
	}
	return -ENOENT;
}

int vd_keeper_open_nth(struct vd_keeper_opener *o, const char *suffix, uint32_t n,
		       struct vd_error *err)
{
	char name[NAME_MAX + 1];
	int r;

	if (o->dir_fd < 0)
		return vd_error_set(err, -EMFILE, "*%s: this image may look for no other files",
				    suffix);
	if (o->searched >= VD_OPENER_SEARCHES)
		return vd_error_set(err, -EMFILE, "*%s: more than %d searches", suffix,
				    VD_OPENER_SEARCHES);
	o->searched++;
	r = find_nth(o->dir_fd, suffix, n, name);
	if (r)
		return vd_error_errno(err, r, "*%s", suffix);
	r = vd_keeper_open(o, name, err);
	return r == -ENOENT ? -ENXIO : r; /* a link to nothing is not the end */
}

int vd_keeper_open_asked(struct vd_keeper_opener *o, const char *text, uint32_t arg,
			 struct vd_error *err)
{
	if (!arg)
		return vd_keeper_open(o, text, err);
	/* A reader that was taken over shall have to know what the other files are called. */
	if (strcmp(text, ".chd"))
		return vd_error_set(err, -EACCES, "*%s: only a CHD's parent is looked for", text);
	return vd_keeper_open_nth(o, text, arg - 1, err);
}
