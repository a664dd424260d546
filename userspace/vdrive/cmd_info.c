// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive info: opens the image as the user; a child of it in the cage looks at the image and prints. Whatever an image does to the
 * parsers, it does in there.
 */
#include "userspace/vdrive/info.h"

#include <errno.h>
#include <getopt.h>
#include <libsmartcols.h>
#include <string.h>
#include <unistd.h>

#include "images/physical.h"
#include "userspace/vdrive/caged.h"
#include "util/size.h"

static const char usage[] = "\nUsage:\n"
			    " vdrive info [options] IMAGE\n"
			    "\n"
			    "Tell what is in a disc image.\n"
			    "\n"
			    "Options:\n"
			    " -o, --options OPT  as of mount: norock, nojoliet, session=N ...\n"
			    " -J, --json         use JSON output format\n"
			    " -h, --help         display this help\n"
			    "\n"
			    "For more details see vdrive-info(1).\n";

static const char *platform_name(uint8_t platform)
{
	switch (platform) {
	case 0x00:
		return "x86";
	case 0x01:
		return "PowerPC";
	case 0x02:
		return "Mac";
	case 0xef:
		return "EFI";
	default:
		return "unknown";
	}
}

static const char *media_name(uint8_t media)
{
	static const char *const names[] = { "none", "1.2M floppy", "1.44M floppy", "2.88M floppy",
					     "hard disk" };

	return media < VD_ARRAY_SIZE(names) ? names[media] : "unknown";
}

struct tree {
	const char *name;
	bool there;
};

/* The trees that the session has, by the names that `view` uses. */
#define TREES_MAX 4
static void list_trees(const struct vd_iso_info *iso, struct tree trees[TREES_MAX])
{
	trees[0] = (struct tree){ "iso9660", true };
	trees[1] = (struct tree){ "rock ridge", iso->rock_ridge };
	trees[2] = (struct tree){ "joliet", iso->joliet_level > 0 };
	trees[3] = (struct tree){ "iso9660:1999", iso->enhanced };
}

static void list_partition_tables(const struct vd_iso_info *iso, struct tree tables[3])
{
	tables[0] = (struct tree){ "mbr", iso->hybrid_mbr };
	tables[1] = (struct tree){ "gpt", iso->hybrid_gpt };
	tables[2] = (struct tree){ "apm", iso->hybrid_apm };
}

/* JSON */

void info_json_time(struct json *j, const char *key, time_t t)
{
	char buf[32];

	if (*text_time(t, buf))
		json_string(j, key, buf);
	else
		json_null(j, key);
}

static void json_volume(struct json *j, const struct report *r)
{
	const struct vd_iso_info *iso = r->iso;
	struct tree trees[TREES_MAX];

	json_begin(j, "volume", '{');
	json_string(j, "filesystem", r->fs->ops->name);
	json_string(j, "label", r->fs->volume);
	json_string(j, "view", r->fs->view);
	json_number(j, "session", (uint64_t)r->fs->session);
	json_begin(j, "other_filesystems", '[');
	for (size_t i = 0; i < r->nothers; i++)
		json_string(j, NULL, r->others[i]);
	json_end(j, ']');
	if (r->udf)
		info_json_udf(j, r->udf);
	if (iso) {
		json_string(j, "volume_id", iso->volume_id);
		json_string(j, "system_id", iso->system_id);
		json_string(j, "volume_set_id", iso->volume_set_id);
		json_string(j, "publisher_id", iso->publisher_id);
		json_string(j, "preparer_id", iso->preparer_id);
		json_string(j, "application_id", iso->application_id);
		info_json_time(j, "created", iso->created);
		info_json_time(j, "modified", iso->modified);
		info_json_time(j, "expires", iso->expires);
		info_json_time(j, "effective", iso->effective);
		json_number(j, "bytes", iso->bytes);
		json_number(j, "block", iso->block);
		json_bool(j, "rock_ridge", iso->rock_ridge);
		json_number(j, "joliet_level", (uint64_t)iso->joliet_level);
		json_bool(j, "enhanced", iso->enhanced);
		json_bool(j, "zisofs", iso->zisofs_seen);
		list_trees(iso, trees);
		json_begin(j, "views", '[');
		for (size_t i = 0; i < TREES_MAX; i++)
			if (trees[i].there)
				json_string(j, NULL, trees[i].name);
		json_end(j, ']');
	}
	json_end(j, '}');
}

static void json_boot(struct json *j, const struct report *r)
{
	json_begin(j, "boot", '[');
	for (size_t i = 0; r->iso && i < r->iso->nboot; i++) {
		const struct vd_iso_boot *b = &r->iso->boot[i];

		json_begin(j, NULL, '{');
		json_number(j, "platform_id", b->platform);
		json_string(j, "platform", platform_name(b->platform));
		json_bool(j, "bootable", b->bootable);
		json_string(j, "emulation", media_name(b->media));
		json_number(j, "load_segment", b->load_segment);
		json_number(j, "sectors", b->sectors);
		json_number(j, "lba", b->lba);
		json_string(j, "id", b->id);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void print_json(struct json *j, const struct report *r)
{
	struct tree tables[3];

	json_begin(j, NULL, '{');
	json_string(j, "image", r->path);
	json_string(j, "format", r->format->name);
	json_number(j, "size", r->size);
	json_number(j, "sectors", vd_disc_size(r->disc) / VD_SECTOR_USER);
	info_json_disc(j, r);
	info_json_tracks(j, r);
	info_json_sessions(j, r);
	json_boot(j, r);
	json_begin(j, "partition_tables", '[');
	if (r->iso) {
		list_partition_tables(r->iso, tables);
		for (size_t i = 0; i < VD_ARRAY_SIZE(tables); i++)
			if (tables[i].there)
				json_string(j, NULL, tables[i].name);
	}
	json_end(j, ']');
	if (r->fs)
		json_volume(j, r);
	else
		json_null(j, "volume");
	json_end(j, '}');
}

/* Text */

void info_put(const char *key, const char *value)
{
	_cleanup_free_ char *safe = NULL;

	if (!value || !*value)
		return;
	safe = text_safe(value);
	printf("%-16s%s\n", key, safe);
}

void info_put_time(const char *key, time_t t)
{
	char buf[32];

	info_put(key, text_time(t, buf));
}

void info_put_size(const char *key, uint64_t bytes)
{
	char buf[16];

	printf("%-16s%s (%llu bytes)\n", key, vd_size_format(bytes, buf, sizeof(buf)),
	       (unsigned long long)bytes);
}

static void put_list(const char *key, const struct tree *items, size_t n, const char *none)
{
	bool any = false;

	printf("%-16s", key);
	for (size_t i = 0; i < n; i++) {
		if (!items[i].there)
			continue;
		printf("%s%s", any ? ", " : "", items[i].name);
		any = true;
	}
	puts(any ? "" : none);
}

static void print_volume(const struct report *r)
{
	const struct vd_iso_info *iso = r->iso;
	struct tree trees[TREES_MAX], tables[3];

	info_put("File system:", r->fs->ops->name);
	info_put("Label:", r->fs->volume);
	info_put("Shown as:", r->fs->view);
	for (size_t i = 0; i < r->nothers; i++)
		info_put(i ? "" : "Also on it:", r->others[i]);
	if (r->udf)
		info_print_udf(r->udf);
	if (!iso)
		return;
	list_trees(iso, trees);
	put_list("Trees:", trees, TREES_MAX, "none");
	if (iso->joliet_level)
		printf("%-16s%d\n", "Joliet level:", iso->joliet_level);
	if (iso->zisofs_seen)
		info_put("Compression:", "zisofs");
	info_put_size("Volume size:", iso->bytes);
	printf("%-16s%u\n", "Block size:", iso->block);
	info_put("Volume id:", iso->volume_id);
	info_put("System id:", iso->system_id);
	info_put("Volume set id:", iso->volume_set_id);
	info_put("Publisher id:", iso->publisher_id);
	info_put("Preparer id:", iso->preparer_id);
	info_put("Application id:", iso->application_id);
	info_put_time("Created:", iso->created);
	info_put_time("Modified:", iso->modified);
	info_put_time("Expires:", iso->expires);
	info_put_time("Effective:", iso->effective);
	list_partition_tables(iso, tables);
	put_list("Partitions:", tables, VD_ARRAY_SIZE(tables), "none");
}

static void print_boot(const struct report *r)
{
	static const struct table_column columns[] = {
		{ "BOOT", true, 0 },	   { "PLATFORM", false, 0 }, { "BOOTABLE", false, 0 },
		{ "EMULATION", false, 0 }, { "SEGMENT", true, 0 },   { "SECTORS", true, 0 },
		{ "LBA", true, 0 },	   { "ID", false, 0 },
	};
	struct libscols_table *t = table_new("boot", columns, VD_ARRAY_SIZE(columns), 0);

	for (size_t i = 0; i < r->iso->nboot; i++) {
		const struct vd_iso_boot *b = &r->iso->boot[i];
		_cleanup_free_ char *number = format("%zu", i + 1),
				    *segment = format("0x%x", b->load_segment),
				    *sectors = format("%u", b->sectors),
				    *lba = format("%u", b->lba);

		ADD_LINE(t, number, platform_name(b->platform), b->bootable ? "yes" : "no",
			 media_name(b->media), segment, sectors, lba, b->id);
	}
	puts("\nBoot entries:");
	table_print(t);
}

static void print_text(const struct report *r)
{
	_cleanup_free_ char *kind = format("%s (%s)", r->format->name, r->format->description);

	info_put("Image:", r->path);
	info_put("Format:", kind);
	info_put_size("Size:", r->size);
	info_print_disc(r);
	if (r->fs)
		print_volume(r);
	info_print_tracks(r);
	info_print_sessions(r);
	info_print_cdtext(r);
	if (r->iso && r->iso->nboot)
		print_boot(r);
}

static void fail(const struct report *r, int code, struct vd_error *err, int *status)
{
	vd_physical_error(r->disc, code, err);
	complain_error(code, err, r->path);
	err->text[0] = '\0';
	*status = EX_FAILED;
}

static bool has_data(const struct vd_disc *d)
{
	for (size_t i = 0; i < d->ntracks; i++)
		if (d->tracks[i].mode != VD_TRACK_AUDIO)
			return true;
	return false;
}

struct request {
	struct opened *image;
	struct vd_fs_options options;
	bool as_json;
};

/* In the cage. What can be told is told even if something failed; the status says that something did. */
static int tell(struct caged *caged, void *arg)
{
	const struct request *q = arg;
	const struct vd_fs_options *options = &q->options;
	struct report r = { .path = q->image->given, .size = q->image->size };
	struct json j = { .f = stdout };
	struct vd_error err = { "" };
	int code, status = 0;

	r.disc = caged_open_disc(caged, q->image, &r.format);
	if (!r.disc)
		return EX_FAILED;
	if (r.format == &vd_image_physical)
		r.size = vd_disc_size(r.disc);
	/* Music has no file system, and nobody asked for one. */
	code = options->session || has_data(r.disc) ? vd_fs_open(r.disc, options, &r.fs, &err) : 0;
	if (code) {
		r.fs = NULL;
		fail(&r, code, &err, &status);
	} else if (r.fs && !strcmp(r.fs->ops->name, "iso9660")) {
		r.iso = need(calloc(1, sizeof(*r.iso)));
		code = vd_iso_info(r.disc, options, r.iso, &err);
		if (code || err.text[0])
			fail(&r, code, &err, &status);
		if (!r.iso->block) {
			free(r.iso);
			r.iso = NULL;
		}
	} else if (r.fs) {
		r.udf = need(calloc(1, sizeof(*r.udf)));
		vd_udf_info(r.fs, r.udf);
	}
	if (r.fs) {
		r.nothers = vd_fs_others(r.fs, r.others);
		info_find_volumes(&r, options);
	}
	if (q->as_json)
		print_json(&j, &r);
	else
		print_text(&r);
	free(r.iso);
	free(r.udf);
	free(r.volumes);
	vd_fs_close(r.fs);
	vd_disc_close(r.disc);
	return status;
}

int cmd_info(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "options", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'J' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_opened_ struct opened image = OPENED_NONE;
	struct request q = { .image = &image };
	const struct caged_job job = { .image = &image, .arg = &q, .run = tell };
	struct vd_error err = { "" };
	int c, r;

	while ((c = getopt_long(argc, argv, "o:Jh", long_options, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (fs_options_add(&q.options, optarg, &err))
				return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
			break;
		case 'J':
			q.as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (argc - optind != 1)
		return wrong_usage(EX_WRONG_USAGE,
				   optind == argc ? "an image is needed" : "too many arguments");
	r = image_open(argv[optind], false, &image, &err);
	if (!r)
		r = caged_run(&job, &err);
	if (r < 0) {
		complain_error(r, &err, argv[optind]);
		return EX_FAILED;
	}
	return r;
}
