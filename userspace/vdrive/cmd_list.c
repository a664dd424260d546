// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive list: a line a drive. What a column shows comes from the drive's attributes where it has them and answers, else from
 * its state file, so that a drive that is dead, hangs or belongs to somebody else still has a line.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

#include "userspace/common/engine.h"
#include "util/size.h"

enum { COL_MAX = 64 };

struct row {
	const struct found *f;
	struct attrs a;
	bool bytes; /* sizes as numbers */
	const char *state;
};

/* Each returns text that the caller frees, or NULL for nothing. */

static char *attr_text(const struct row *r, const char *name)
{
	const char *v = attrs_get(&r->a, name);

	return v && *v ? need(strdup(v)) : NULL;
}

static char *col_name(const struct row *r)
{
	return need(strdup(r->f->state.name));
}

static char *col_type(const struct row *r)
{
	return need(strdup(vd_drive_type_name(r->f->state.type)));
}

static char *size_text(const struct row *r, unsigned long long n)
{
	char buf[16];

	return r->bytes ? format("%llu", n) : need(strdup(vd_size_format(n, buf, sizeof(buf))));
}

static char *col_size(const struct row *r)
{
	const char *v = attrs_get(&r->a, "disksize");
	unsigned long long n;
	char *end;

	if (!v || *v < '0' || *v > '9')
		return NULL;
	errno = 0;
	n = strtoull(v, &end, 10);
	if (*end || errno)
		return NULL;
	return size_text(r, n);
}

/* mm_stat, whoever keeps the pages: what is stored, what is left of it, and what that takes. */
static bool mm_stat(const struct row *r, unsigned long long v[3])
{
	const char *text = attrs_get(&r->a, "mm_stat");

	return text && sscanf(text, "%llu %llu %llu", &v[0], &v[1], &v[2]) == 3;
}

static char *col_used(const struct row *r)
{
	unsigned long long v[3];

	return mm_stat(r, v) ? size_text(r, v[0]) : NULL;
}

static char *col_memory(const struct row *r)
{
	unsigned long long v[3];

	return mm_stat(r, v) ? size_text(r, v[2]) : NULL;
}

static char *col_ratio(const struct row *r)
{
	unsigned long long v[3];

	return mm_stat(r, v) && v[2] ? format("%.2f", (double)v[0] / (double)v[2]) : NULL;
}

static char *col_device(const struct row *r)
{
	return r->f->state.device[0] ? need(strdup(r->f->state.device)) : NULL;
}

static char *col_medium(const struct row *r)
{
	return r->f->state.medium[0] ? need(strdup(r->f->state.medium)) : NULL;
}

static char *col_backing(const struct row *r)
{
	return r->f->state.backing[0] ? need(strdup(r->f->state.backing)) : NULL;
}

/* bd_stat begins with the blocks of 4 KiB that are in use. */
static char *col_spilled(const struct row *r)
{
	const char *text = attrs_get(&r->a, "bd_stat");
	unsigned long long blocks;

	return text && sscanf(text, "%llu", &blocks) == 1 ? size_text(r, blocks * 4096) : NULL;
}

static char *col_engine(const struct row *r)
{
	return r->f->state.engine[0] ? need(strdup(r->f->state.engine)) : NULL;
}

static char *col_path(const struct row *r)
{
	if (vd_engine_in_kernel(r->f->state.engine) || r->f->state.type == VD_DRIVE_CDROM)
		return col_device(r);
	return format("%s/%s/%s", r->f->place.dir, r->f->state.name,
		      r->f->state.type == VD_DRIVE_OPTICAL ? "disc.iso" : "disk");
}

/* The user's own label, else what the volume calls itself. */
static char *col_label(const struct row *r)
{
	char *label = attr_text(r, "label");

	return label ? label : attr_text(r, "volume_id");
}

static char *col_ro(const struct row *r)
{
	const char *v = attrs_get(&r->a, "ro");

	if (v)
		return need(strdup(strcmp(v, "0") ? "1" : "0"));
	return need(strdup(r->f->state.read_only ? "1" : "0"));
}

static char *col_state(const struct row *r)
{
	return need(strdup(r->state));
}

static char *col_image(const struct row *r)
{
	return need(strdup(r->f->state.image));
}

static char *col_mountpoint(const struct row *r)
{
	return r->f->state.mountpoint[0] ? need(strdup(r->f->state.mountpoint)) : NULL;
}

static char *col_owner(const struct row *r)
{
	const struct passwd *pw = getpwuid(r->f->state.uid);

	return pw ? need(strdup(pw->pw_name)) : format("%u", (unsigned)r->f->state.uid);
}

static char *col_uid(const struct row *r)
{
	return format("%u", (unsigned)r->f->state.uid);
}

static char *col_pid(const struct row *r)
{
	return r->f->state.alive ? format("%d", (int)r->f->state.keeper) : NULL;
}

static char *col_started(const struct row *r)
{
	char buf[32];

	text_time(r->f->state.started, buf);
	return buf[0] ? need(strdup(buf)) : NULL;
}

static char *col_options(const struct row *r)
{
	return r->f->state.options[0] ? need(strdup(r->f->state.options)) : NULL;
}

static const struct column {
	const char *name;
	char *(*text)(const struct row *r); /* NULL: the attribute below, as it is */
	const char *attr;
	bool right;
	int json;
	const char *help;
} columns[] = {
	{ "NAME", col_name, NULL, false, SCOLS_JSON_STRING, "name of the drive" },
	{ "TYPE", col_type, NULL, false, SCOLS_JSON_STRING,
	  "optical, disk, ramdisk, swap or cdrom" },
	{ "SIZE", col_size, NULL, true, SCOLS_JSON_STRING, "size of the medium" },
	{ "RO", col_ro, NULL, true, SCOLS_JSON_BOOLEAN, "read-only" },
	{ "STATE", col_state, NULL, false, SCOLS_JSON_STRING,
	  "live, changing, hung, dead or private" },
	{ "MOUNTPOINT", col_mountpoint, NULL, false, SCOLS_JSON_STRING, "where its files are" },
	{ "IMAGE", col_image, NULL, false, SCOLS_JSON_STRING, "the file behind it" },
	{ "USED", col_used, NULL, true, SCOLS_JSON_STRING, "what is stored in memory, as written" },
	{ "RATIO", col_ratio, NULL, true, SCOLS_JSON_NUMBER, "that against the memory it takes" },
	{ "MEMORY", col_memory, NULL, true, SCOLS_JSON_STRING, "memory that it takes" },
	{ "DEVICE", col_device, NULL, false, SCOLS_JSON_STRING, "block device" },
	{ "MEDIUM", col_medium, NULL, false, SCOLS_JSON_STRING,
	  "the disc in the drive, or empty or open" },
	{ "ENGINE", col_engine, NULL, false, SCOLS_JSON_STRING,
	  "who keeps the pages: memdrive, zram or fuse; of a cdrom tcmu" },
	{ "BACKING", col_backing, NULL, false, SCOLS_JSON_STRING,
	  "where pages go when memory is full" },
	{ "SPILLED", col_spilled, NULL, true, SCOLS_JSON_STRING, "what they take there" },
	{ "STORE", NULL, "store", false, SCOLS_JSON_STRING, "how they are kept" },
	{ "PATH", col_path, NULL, false, SCOLS_JSON_STRING, "the medium's bytes" },
	{ "FORMAT", NULL, "format", false, SCOLS_JSON_STRING, "format of the image" },
	{ "FSTYPE", NULL, "filesystem", false, SCOLS_JSON_STRING, "file system on it" },
	{ "LABEL", col_label, NULL, false, SCOLS_JSON_STRING,
	  "label given by set, or the volume's" },
	{ "VOLUME-ID", NULL, "volume_id", false, SCOLS_JSON_STRING,
	  "what the volume calls itself" },
	{ "VIEW", NULL, "view", false, SCOLS_JSON_STRING, "which tree is shown" },
	{ "SESSION", NULL, "session", true, SCOLS_JSON_NUMBER, "which session is shown" },
	{ "SESSIONS", NULL, "sessions", true, SCOLS_JSON_NUMBER, "how many sessions there are" },
	{ "OPTIONS", col_options, NULL, false, SCOLS_JSON_STRING, "mount options" },
	{ "OWNER", col_owner, NULL, false, SCOLS_JSON_STRING, "whose drive it is" },
	{ "UID", col_uid, NULL, true, SCOLS_JSON_NUMBER, "the owner's number" },
	{ "PID", col_pid, NULL, true, SCOLS_JSON_NUMBER, "process of its keeper" },
	{ "READER-PID", NULL, "reader_pid", true, SCOLS_JSON_NUMBER, "process of its reader" },
	{ "STARTED", col_started, NULL, false, SCOLS_JSON_STRING, "since when" },
};

static const char default_columns[] =
	"NAME,TYPE,SIZE,USED,RATIO,MEMORY,RO,STATE,ENGINE,DEVICE,MEDIUM,MOUNTPOINT,IMAGE";
static const char swap_columns[] = "NAME,SIZE,USED,RATIO,MEMORY,STATE,ENGINE,DEVICE";

static void usage(FILE *f)
{
	fputs("\nUsage:\n"
	      " vdrive list [options] [NAME...]\n"
	      "\n"
	      "Show the drives there are.\n"
	      "\n"
	      "Options:\n"
	      " -b, --bytes        print sizes in bytes\n"
	      " -J, --json         use JSON output format\n"
	      " -n, --noheadings   don't print headings\n"
	      " -o, --output LIST  columns to show; +LIST adds to the default ones\n"
	      "     --output-all   show all columns\n"
	      " -r, --raw          use raw output format\n"
	      " -h, --help         display this help\n"
	      "\n"
	      "Columns:\n",
	      f);
	for (size_t i = 0; i < VD_ARRAY_SIZE(columns); i++)
		fprintf(f, " %-12s%s\n", columns[i].name, columns[i].help);
	fputs("\nFor more details see vdrive-list(1).\n", f);
}

static int find_column(const char *name)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(columns); i++)
		if (!strcasecmp(columns[i].name, name))
			return (int)i;
	return -1;
}

/* Appends to @ids. 0 or -EINVAL with words. */
static int parse_columns(const char *list, int *ids, size_t *n, struct vd_error *err)
{
	_cleanup_free_ char *copy = need(strdup(list));
	char *save = NULL;

	for (char *c = strtok_r(copy, ",", &save); c; c = strtok_r(NULL, ",", &save)) {
		int id = find_column(c);

		if (id < 0)
			return vd_error_set(err, -EINVAL, "unknown column: %s", c);
		if (*n == COL_MAX)
			return vd_error_set(err, -EINVAL, "too many columns");
		ids[(*n)++] = id;
	}
	return *n ? 0 : vd_error_set(err, -EINVAL, "no columns");
}

#define PING_MS 2000

/* A cdrom drive has no attributes: its keeper is asked whether it is there. Any answer will do, a refusal too. */
static const char *state_of_cdrom(const struct row *r)
{
	struct vd_error err;

	switch (vd_drive_request(r->f->place.dir, r->f->state.name, VD_REQUEST_PING, 0, PING_MS,
				 &err)) {
	case -ETIMEDOUT:
		return "hung";
	case -ECONNREFUSED:
	case -ENOENT:
		return "changing";
	default:
		return "live";
	}
}

static const char *state_of(const struct row *r)
{
	char mount[PATH_MAX + VD_DRIVE_NAME_MAX + 2];

	if (!r->f->state.alive)
		return "dead";
	if (!r->f->place.trusted)
		return "private";
	if (r->f->state.type == VD_DRIVE_CDROM)
		return state_of_cdrom(r);
	if (r->a.status == ATTRS_OK)
		return "live";
	if (r->a.status == ATTRS_HUNG)
		return "hung";
	if (r->a.error == -EACCES || r->a.error == -EPERM)
		return "private";
	/* Its keeper lives, but nothing is mounted (any more): it comes or goes at this moment. */
	snprintf(mount, sizeof(mount), "%s/%s", r->f->place.dir, r->f->state.name);
	if (!vd_fuse_mounted(mount))
		return "changing";
	return "dead";
}

/* What a cdrom drive shows is in its state. */
static bool has_attributes(const struct row *r)
{
	return r->f->state.alive && r->f->place.trusted && r->f->state.type != VD_DRIVE_CDROM;
}

static int read_rows(struct row *rows, size_t n, struct vd_error *err)
{
	_cleanup_free_ struct attrs *a = need(calloc(n + 1, sizeof(*a)));
	size_t asked = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		if (has_attributes(&rows[i]))
			a[asked++] = (struct attrs){ .f = rows[i].f };
	r = attrs_read(a, asked);
	if (r) {
		attrs_free(a, asked);
		return vd_error_errno(err, r, "cannot read attributes");
	}
	asked = 0;
	for (size_t i = 0; i < n; i++) {
		if (has_attributes(&rows[i]))
			rows[i].a = a[asked++];
		rows[i].state = state_of(&rows[i]);
	}
	return 0;
}

static void print_rows(const struct row *rows, size_t n, const int *ids, size_t ncols,
		       unsigned flags)
{
	struct table_column head[COL_MAX];
	struct libscols_table *t;

	for (size_t c = 0; c < ncols; c++) {
		const struct column *col = &columns[ids[c]];

		head[c] = (struct table_column){ col->name, col->right, col->json };
		if ((col->text == col_size || col->text == col_used || col->text == col_memory ||
		     col->text == col_spilled) &&
		    n && rows[0].bytes)
			head[c].json = SCOLS_JSON_NUMBER;
	}
	t = table_new("drives", head, ncols, flags);
	for (size_t i = 0; i < n; i++) {
		char *cells[COL_MAX];

		for (size_t c = 0; c < ncols; c++) {
			const struct column *col = &columns[ids[c]];

			cells[c] = col->text ? col->text(&rows[i]) : attr_text(&rows[i], col->attr);
		}
		table_add(t, (const char *const *)cells, ncols, flags);
		for (size_t c = 0; c < ncols; c++)
			free(cells[c]);
	}
	table_print(t);
}

/* In a table for people, what no drive has is left out. JSON and scripts get the columns that they know. */
static size_t drop_empty(const struct row *rows, size_t n, int *ids, size_t ncols)
{
	size_t kept = 0;

	for (size_t c = 0; c < ncols; c++) {
		const struct column *col = &columns[ids[c]];
		bool filled = false;

		for (size_t i = 0; i < n && !filled; i++) {
			char *text =
				col->text ? col->text(&rows[i]) : attr_text(&rows[i], col->attr);

			filled = text && *text;
			free(text);
		}
		if (filled)
			ids[kept++] = ids[c];
	}
	return kept;
}

/* The drives that were asked for, in the order of the list; @status becomes EX_FAILED when one is not there. */
static size_t choose(const struct found *all, size_t n, int nnames, char **names, bool bytes,
		     struct row *rows, int *status)
{
	size_t nrows = 0;

	for (int k = 0; k < nnames; k++) {
		bool there = false;

		for (size_t i = 0; i < n; i++)
			there |= !strcmp(all[i].state.name, names[k]);
		if (!there) {
			complain("%s: no such drive", names[k]);
			*status = EX_FAILED;
		}
	}
	for (size_t i = 0; i < n; i++) {
		bool wanted = !nnames;

		for (int k = 0; k < nnames; k++)
			wanted |= !strcmp(all[i].state.name, names[k]);
		if (wanted)
			rows[nrows++] = (struct row){ .f = &all[i], .bytes = bytes };
	}
	return nrows;
}

static size_t only_swap(struct found *all, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (all[i].state.type == VD_DRIVE_SWAP)
			all[kept++] = all[i];
	return kept;
}

struct listing {
	int nnames;
	char **names;
	int ids[COL_MAX];
	size_t ncols;
	bool bytes, may_drop, swap_only;
	unsigned flags;
};

static int list(struct listing *l)
{
	_cleanup_free_ struct found *all = NULL;
	_cleanup_free_ struct row *rows = NULL;
	struct vd_error err = { "" };
	size_t n = 0, hidden = 0, nrows;
	int r, status = 0;

	r = find_all(false, &all, &n, &hidden, &err);
	if (r) {
		complain_error(r, &err, "drives");
		return EX_FAILED;
	}
	rows = need(calloc(n + 1, sizeof(*rows)));
	if (l->swap_only)
		n = only_swap(all, n);
	nrows = choose(all, n, l->nnames, l->names, l->bytes, rows, &status);
	r = read_rows(rows, nrows, &err);
	if (r) {
		complain_error(r, &err, "drives");
		return EX_FAILED;
	}
	if (l->may_drop && !(l->flags & (TABLE_JSON | TABLE_RAW)))
		l->ncols = drop_empty(rows, nrows, l->ids, l->ncols);
	if (nrows || (l->flags & TABLE_JSON && !status))
		print_rows(rows, nrows, l->ids, l->ncols, l->flags);
	for (size_t i = 0; i < nrows; i++)
		attrs_free(&rows[i].a, 1);
	if (hidden) {
		complain("%zu drives cannot be read", hidden);
		status = EX_FAILED;
	}
	return status;
}

int list_swap(bool bytes, bool json)
{
	struct listing l = {
		.may_drop = true, .swap_only = true, .bytes = bytes, .flags = json ? TABLE_JSON : 0
	};
	struct vd_error err = { "" };

	if (parse_columns(swap_columns, l.ids, &l.ncols, &err)) {
		complain("%s", err.text);
		return EX_FAILED;
	}
	return list(&l);
}

int cmd_list(int argc, char **argv)
{
	enum { OUTPUT_ALL = 256 };
	static const struct option options[] = {
		{ "bytes", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'J' },
		{ "noheadings", no_argument, NULL, 'n' },
		{ "output", required_argument, NULL, 'o' },
		{ "output-all", no_argument, NULL, OUTPUT_ALL },
		{ "raw", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *wanted = default_columns;
	struct listing l = { .may_drop = true };
	struct vd_error err = { "" };
	bool every = false;
	int c;

	while ((c = getopt_long(argc, argv, "bJno:rh", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			l.bytes = true;
			break;
		case 'J':
			l.flags |= TABLE_JSON;
			break;
		case 'n':
			l.flags |= TABLE_NO_HEADINGS;
			break;
		case 'o':
			wanted = optarg;
			l.may_drop = false;
			break;
		case OUTPUT_ALL:
			every = true;
			l.may_drop = false;
			break;
		case 'r':
			l.flags |= TABLE_RAW;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (l.flags & TABLE_JSON && l.flags & TABLE_RAW)
		return wrong_usage(EX_WRONG_USAGE, "--json and --raw exclude each other");
	if (every) {
		for (; l.ncols < VD_ARRAY_SIZE(columns); l.ncols++)
			l.ids[l.ncols] = (int)l.ncols;
	} else if ((wanted[0] == '+' && parse_columns(default_columns, l.ids, &l.ncols, &err)) ||
		   parse_columns(wanted + (wanted[0] == '+'), l.ids, &l.ncols, &err)) {
		return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
	}
	l.nnames = argc - optind;
	l.names = argv + optind;
	return list(&l);
}
