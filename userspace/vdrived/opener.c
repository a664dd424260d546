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
#include <stdlib.h>
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

/* A locale that knows the cases of all letters, while names are compared. */
struct cases {
	locale_t utf8, before;
};

static struct cases know_cases(void)
{
	struct cases c = { .utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0) };

	if (c.utf8)
		c.before = uselocale(c.utf8);
	return c;
}

static void forget_cases(struct cases *c)
{
	if (!c->utf8)
		return;
	uselocale(c->before);
	freelocale(c->utf8);
}

/* As strcmp(), between know_cases() and forget_cases(), with all letters in lower case. */
static int compare(const char *a, const char *b)
{
	mbstate_t of_a = { 0 }, of_b = { 0 };

	while (*a && *b) {
		wint_t one = next_lower(&a, &of_a), other = next_lower(&b, &of_b);

		if (one != other)
			return one < other ? -1 : 1;
	}
	return (*a != '\0') - (*b != '\0');
}

static int compare_names(const void *a, const void *b)
{
	return compare(*(const char *const *)a, *(const char *const *)b);
}

static int read_names(DIR *dir, FILE *f, size_t *n)
{
	const struct dirent *e;

	for (*n = 0; *n < ENTRIES_MAX && (e = readdir(dir)); ++*n)
		fwrite(e->d_name, 1, strlen(e->d_name) + 1, f);
	return fclose(f) ? -ENOMEM : 0;
}

/* Has the names of folder @path in @o, sorted, unless they are there from the last time: a sheet may have 256 names to look for. */
static int list(struct vd_keeper_opener *o, const char *path)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	size_t len;
	FILE *f;
	char *p;
	int fd, r;

	if (o->folder && !strcmp(o->folder, path))
		return 0;
	fd = open_beneath(o->dir_fd, *path ? path : ".", O_DIRECTORY);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	vd_keeper_opener_done(o);
	f = open_memstream(&o->text, &len);
	r = f ? read_names(dir, f, &o->nnames) : -ENOMEM;
	if (r)
		o->nnames = 0;
	o->names = calloc(o->nnames + 1, sizeof(*o->names));
	o->folder = strdup(path);
	if (r || !o->names || !o->folder) {
		vd_keeper_opener_done(o);
		return -ENOMEM;
	}
	p = o->text;
	for (size_t i = 0; i < o->nnames; i++, p += strlen(p) + 1)
		o->names[i] = p;
	qsort(o->names, o->nnames, sizeof(*o->names), compare_names);
	return 0;
}

void vd_keeper_opener_done(struct vd_keeper_opener *o)
{
	free(VD_TAKE_PTR(o->folder));
	free(VD_TAKE_PTR(o->text));
	free(VD_TAKE_PTR(o->names));
	o->nnames = 0;
}

/* Puts the entry of folder @path that is called @name but for case into @out, of NAME_MAX + 1 bytes. */
static int find_entry(struct vd_keeper_opener *o, const char *path, const char *name, char *out)
{
	size_t lo = 0, hi;
	int r = list(o, path);

	if (r)
		return r;
	for (hi = o->nnames; lo < hi;) {
		size_t middle = lo + (hi - lo) / 2;

		if (compare(o->names[middle], name) < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	/* Which of two is meant nobody knows, unless one is written so. */
	r = -ENOENT;
	for (; lo < o->nnames && !compare(o->names[lo], name); lo++) {
		strcpy(out, o->names[lo]);
		if (!strcmp(out, name))
			return 0;
		r = r == -ENOENT ? 0 : -ENOTUNIQ;
	}
	return r;
}

/* Replaces @name by one that is there, into @out of PATH_MAX bytes. */
static int find_path(struct vd_keeper_opener *o, const char *name, char *out)
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
		r = find_entry(o, out, part, found);
		if (!r)
			n += (size_t)snprintf(out + n, PATH_MAX - n, "%s%s", n ? "/" : "", found);
		if (!r && n >= PATH_MAX)
			return -ENAMETOOLONG;
	}
	return r ? r : n ? 0 : -ENOENT;
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
		struct cases cases = know_cases();

		o->searched++;
		fd = find_path(o, name, path);
		forget_cases(&cases);
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
static int find_nth(struct vd_keeper_opener *o, const char *suffix, uint32_t n, char *out)
{
	size_t len = strlen(suffix);
	struct cases cases = know_cases();
	int r = list(o, "");

	forget_cases(&cases);
	for (size_t i = 0; !r && i < o->nnames; i++) {
		size_t have = strlen(o->names[i]);

		if (have >= len && !strcasecmp(o->names[i] + have - len, suffix) && !n--) {
			strcpy(out, o->names[i]);
			return 0;
		}
	}
	return r ? r : -ENOENT;
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
	r = find_nth(o, suffix, n, name);
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
