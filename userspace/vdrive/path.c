// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int path_absolute(const char *path, char *out, struct vd_error *err)
{
	char cwd[PATH_MAX] = "";
	size_t n = 0;

	if (!path[0])
		return vd_error_errno(err, -ENOENT, "''");
	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return vd_error_errno(err, -errno, "the current directory");
	if (strlen(cwd) + strlen(path) + 2 > PATH_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%.64s...", path);
	n = (size_t)sprintf(out, "%s", strcmp(cwd, "/") ? cwd : "");
	/* "//" and "/./" say nothing; "/../" stays, since a link may stand before it. */
	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len && !(len == 1 && *p == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, len);
			n += len;
		}
		p += len;
	}
	if (!n)
		out[n++] = '/';
	out[n] = '\0';
	return 0;
}

int path_folder(const char *dir, char *out, struct vd_error *err)
{
	_cleanup_free_ char *resolved = realpath(dir, NULL);
	struct stat st;

	if (!resolved || stat(resolved, &st))
		return vd_error_errno(err, -errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return vd_error_errno(err, -ENOTDIR, "%s", dir);
	if (strlen(resolved) >= PATH_MAX)
		return vd_error_errno(err, -ENAMETOOLONG, "%s", dir);
	strcpy(out, resolved);
	return 0;
}
