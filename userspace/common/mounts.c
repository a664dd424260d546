// SPDX-License-Identifier: GPL-3.0-or-later
/* What is mounted where, from /proc/self/mountinfo: asking the mount itself could hang. */
#define _GNU_SOURCE
#include "userspace/common/drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

/* mountinfo writes space, tab, newline and backslash as \ooo (proc(5)). */
static void unescape(char *s)
{
	char *w = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*w++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*w++ = *s;
		}
	}
	*w = '\0';
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [optional fields] - FSTYPE SOURCE SUPER" (proc(5)). */
static int parse_line(char *line, const char *dir, struct vd_mount *out)
{
	char *save = NULL, *device = NULL, *point = NULL, *colon, *sep, *fstype, *source;
	int n = 0;

	for (char *f = strtok_r(line, " ", &save); f; f = strtok_r(NULL, " ", &save)) {
		if (++n == 3)
			device = f;
		if (n == 5) {
			point = f;
			break;
		}
	}
	if (!point || !save)
		return -EBADMSG;
	unescape(point);
	if (strcmp(point, dir))
		return -ENOENT;
	sep = strstr(save, " - ");
	colon = strchr(device, ':');
	if (!sep || !colon)
		return -EBADMSG;
	fstype = strtok_r(sep + 3, " ", &save);
	source = strtok_r(NULL, " ", &save);
	if (!fstype || !source)
		return -EBADMSG;
	unescape(source);
	snprintf(out->fstype, sizeof(out->fstype), "%s", fstype);
	snprintf(out->source, sizeof(out->source), "%s", source);
	out->minor = (unsigned)strtoul(colon + 1, NULL, 10);
	return 0;
}

int vd_mount_find(const char *dir, struct vd_mount *out)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int r = -ENOENT;

	if (!f)
		return -errno;
	/* Later lines lie on top of earlier ones. */
	while (getline(&line, &room, f) > 0)
		if (!parse_line(line, dir, out))
			r = 0;
	return r;
}

bool vd_fuse_mounted(const char *dir)
{
	struct vd_mount m;

	return !vd_mount_find(dir, &m) && !strcmp(m.fstype, VD_FSTYPE);
}
