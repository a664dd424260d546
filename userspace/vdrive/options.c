// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * -o of mount, as it comes from a user or from fstab: what the keeper shall know, what only mount(8), systemd and
 * udisks care about, and what would promise something that is not so.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <string.h>

enum meaning {
	IGNORE, /* says nothing to a read-only FUSE mount, or is so anyway */
	IGNORE_PREFIX,
	KEEP, /* the keeper's */
	REFUSE,
};

static const struct option_row {
	const char *name;
	enum meaning meaning;
	const char *why; /* of REFUSE */
} rows[] = {
	{ "ro", IGNORE, NULL },
	{ "defaults", IGNORE, NULL },
	{ "auto", IGNORE, NULL },
	{ "noauto", IGNORE, NULL },
	{ "user", IGNORE, NULL },
	{ "user=", IGNORE_PREFIX, NULL },
	{ "nouser", IGNORE, NULL },
	{ "users", IGNORE, NULL },
	{ "nousers", IGNORE, NULL },
	{ "owner", IGNORE, NULL },
	{ "noowner", IGNORE, NULL },
	{ "group", IGNORE, NULL },
	{ "nogroup", IGNORE, NULL },
	{ "nofail", IGNORE, NULL },
	{ "_netdev", IGNORE, NULL },
	{ "comment=", IGNORE_PREFIX, NULL },
	{ "x-", IGNORE_PREFIX, NULL },
	{ "X-", IGNORE_PREFIX, NULL },
	{ "loop", IGNORE, NULL },
	{ "nosuid", IGNORE, NULL },
	{ "nodev", IGNORE, NULL },
	{ "exec", IGNORE, NULL },
	{ "async", IGNORE, NULL },
	{ "sync", IGNORE, NULL },
	{ "dirsync", IGNORE, NULL },
	{ "relatime", IGNORE, NULL },
	{ "norelatime", IGNORE, NULL },
	{ "noatime", IGNORE, NULL },
	{ "nodiratime", IGNORE, NULL },
	{ "diratime", IGNORE, NULL },
	{ "atime", IGNORE, NULL },
	{ "strictatime", IGNORE, NULL },
	{ "nostrictatime", IGNORE, NULL },
	{ "lazytime", IGNORE, NULL },
	{ "nolazytime", IGNORE, NULL },
	{ "mand", IGNORE, NULL },
	{ "nomand", IGNORE, NULL },
	{ "iversion", IGNORE, NULL },
	{ "noiversion", IGNORE, NULL },
	{ "silent", IGNORE, NULL },
	{ "loud", IGNORE, NULL },
	{ "noexec", KEEP, NULL },
	{ "suid", REFUSE, "set-user-ID programs of a disc image are never honoured" },
	{ "dev", REFUSE, "device nodes of a disc image are never honoured" },
	{ "remount", REFUSE, "unmount it and mount it again" },
	{ "bind", REFUSE, "use mount(8)" },
	{ "rbind", REFUSE, "use mount(8)" },
	{ "move", REFUSE, "use mount(8)" },
};

int mount_options_keep(struct mount_options *m, const char *option, struct vd_error *err)
{
	size_t n = strlen(m->keeper);

	if (n + strlen(option) + 2 > sizeof(m->keeper))
		return vd_error_set(err, -E2BIG, "the options after -o are too long");
	sprintf(m->keeper + n, "%s%s", n ? "," : "", option);
	return 0;
}

static const struct option_row *find_row(const char *option)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		bool prefix = rows[i].meaning == IGNORE_PREFIX;

		if (prefix ? !strncmp(option, rows[i].name, strlen(rows[i].name))
			   : !strcmp(option, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

static int add_option(struct mount_options *m, const char *option, bool sloppy,
		      struct vd_error *err)
{
	struct vd_fs_options checked = { 0 };
	const struct option_row *row;
	int r;

	if (!strcmp(option, "rw"))
		m->read_write = true;
	else if (!strcmp(option, "allow_other"))
		m->allow_other = true;
	else if (!strcmp(option, "noallow_other"))
		m->no_allow_other = true;
	else if (!strcmp(option, "default_permissions"))
		m->default_permissions = true;
	else if (!strncmp(option, "name=", 5)) {
		r = vd_drive_name_check(option + 5, err);
		if (r)
			return r;
		strcpy(m->name, option + 5);
	} else {
		row = find_row(option);
		if (row && row->meaning == REFUSE)
			return vd_error_set(err, -EINVAL, "option '%s' is refused: %s", option,
					    row->why);
		if (row)
			return row->meaning == KEEP ? mount_options_keep(m, option, err) : 0;
		r = vd_fs_option(&checked, option, err);
		if (r == -ENOENT)
			return sloppy ? 0
				      : vd_error_set(err, -EINVAL, "unknown option '%s'", option);
		return r ? r : mount_options_keep(m, option, err);
	}
	return 0;
}

int mount_options_add(struct mount_options *m, const char *text, bool sloppy, struct vd_error *err)
{
	_cleanup_free_ char *copy = need(strdup(text));
	char *save = NULL;

	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		int r = add_option(m, o, sloppy, err);

		if (r)
			return r;
	}
	return 0;
}

int fs_options_add(struct vd_fs_options *options, const char *text, struct vd_error *err)
{
	_cleanup_free_ char *copy = need(strdup(text));
	char *save = NULL;

	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		int r = strcmp(o, "ro") ? vd_fs_option(options, o, err) : 0;

		if (r == -ENOENT)
			return vd_error_set(err, -EINVAL, "unknown option '%s'", o);
		if (r)
			return r;
	}
	return 0;
}
