// SPDX-License-Identifier: GPL-3.0-or-later
/* vdrive set */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <string.h>

static const char usage[] = "\nUsage:\n"
			    " vdrive set [options] NAME ATTRIBUTE=VALUE...\n"
			    " vdrive set [options] NAME [ATTRIBUTE...]\n"
			    "\n"
			    "Change attributes of a drive, or show them.\n"
			    "\n"
			    "Options:\n"
			    " -J, --json        use JSON output format\n"
			    " -n, --noheadings  don't print headings\n"
			    " -h, --help        display this help\n"
			    "\n"
			    "For more details see vdrive-set(1).\n";

static bool is_attribute(const char *name, size_t len)
{
	return len && len <= NAME_MAX && name[0] != '.' && !memchr(name, '/', len);
}

static const struct attr *find_attr(const struct attrs *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->v[i].name, name))
			return &a->v[i];
	return NULL;
}

static void show_all(const struct attrs *a, unsigned flags)
{
	static const struct table_column columns[] = {
		{ "ATTRIBUTE", false, SCOLS_JSON_STRING },
		{ "ACCESS", false, SCOLS_JSON_STRING },
		{ "VALUE", false, SCOLS_JSON_STRING },
	};
	struct libscols_table *t = table_new("attributes", columns, VD_ARRAY_SIZE(columns), flags);

	for (size_t i = 0; i < a->n; i++) {
		const struct attr *v = &a->v[i];
		const char *cells[] = { v->name,
					!v->readable  ? "write"
					: v->writable ? "read,write"
						      : "read",
					/* `stat` begins with blanks, as the kernel's does */
					v->readable ? v->value + strspn(v->value, " ") : NULL };

		table_add(t, cells, VD_ARRAY_SIZE(cells), flags);
	}
	table_print(t);
}

static int show(const struct found *f, int n, char **names, unsigned flags)
{
	struct attrs a = { .f = f };
	const char *drive = f->state.name;
	int r, status = 0;

	r = attrs_read(&a, 1);
	if (!r && a.status == ATTRS_FAILED)
		r = a.error;
	if (r || a.status == ATTRS_HUNG) {
		complain("drive %s: %s", drive, r ? strerror(-r) : "it does not answer");
		attrs_free(&a, 1);
		return EX_FAILED;
	}
	if (!n)
		show_all(&a, flags);
	for (int i = 0; i < n; i++) {
		const struct attr *v = find_attr(&a, names[i]);

		if (v && v->readable) {
			_cleanup_free_ char *safe = text_safe(v->value);

			puts(safe);
			continue;
		}
		complain("drive %s: %s: %s", drive, names[i],
			 v ? "this attribute can only be written" : "no such attribute");
		status = EX_FAILED;
	}
	attrs_free(&a, 1);
	return status;
}

static int change(const struct found *f, int n, char **settings)
{
	/* In order, and none after one that failed: what was asked for may build on it. */
	for (int i = 0; i < n; i++) {
		char *value = strchr(settings[i], '=');
		struct vd_error err = { "" };

		*value++ = '\0';
		if (attrs_write(f, settings[i], value, &err)) {
			complain("drive %s: %s: %s", f->state.name, settings[i], err.text);
			return EX_FAILED;
		}
	}
	return 0;
}

int cmd_set(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	struct vd_error err = { "" };
	unsigned flags = 0;
	int c, r, values = 0, n;
	const char *name;
	char **rest;

	while ((c = getopt_long(argc, argv, "Jnh", options, NULL)) != -1) {
		switch (c) {
		case 'J':
			flags |= TABLE_JSON;
			break;
		case 'n':
			flags |= TABLE_NO_HEADINGS;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "the name of a drive is needed");
	name = argv[optind];
	rest = argv + optind + 1;
	n = argc - optind - 1;
	for (int i = 0; i < n; i++) {
		size_t len = strcspn(rest[i], "=");

		if (!is_attribute(rest[i], len))
			return wrong_usage(EX_WRONG_USAGE,
					   "'%s': '%.*s' is no name for an attribute", rest[i],
					   (int)len, rest[i]);
		values += rest[i][len] == '=';
	}
	if (values && values != n)
		return wrong_usage(EX_WRONG_USAGE, "either show attributes or change them");
	if (vd_drive_name_check(name, &err))
		return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
	r = find_name(name, f, &err);
	if (r) {
		complain_error(r, &err, name);
		return EX_FAILED;
	}
	if (!f->state.alive) {
		complain("drive %s is dead: its keeper ended ('vdrive detach %s' clears it away)",
			 name, name);
		return EX_FAILED;
	}
	if (!f->place.trusted) {
		complain("drive %s belongs to user %u: nobody else can look into it", name,
			 (unsigned)f->place.uid);
		return EX_FAILED;
	}
	if (f->state.type == VD_DRIVE_CDROM) {
		complain(
			"drive %s has no attributes: 'vdrive list %s' shows it, and insert and eject change it",
			name, name);
		return EX_FAILED;
	}
	return values ? change(f, n, rest) : show(f, n, rest, flags);
}
