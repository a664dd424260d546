// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The attributes of a drive: NAME/attr/, one value a file, as sysfs does it. Names that /sys/block/ has mean the same
 * here (ro, stat, disksize and io_stat of zram). docs/abi-sysfs.md describes each.
 */
#include "userspace/vdrived/served.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/vdrived/fuse_loop.h"
#include "userspace/vdrived/message.h"
#include "util/cleanup.h"
#include "util/size.h"

#define OPTICAL 1u
#define DISK 2u	  /* a file */
#define MEMORY 4u /* a ramdisk, swap */
#define ALL 7u

/* The image's and the volume's texts are a stranger's: one line, nothing that a terminal obeys. */
static void put_line(FILE *f, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		fputc(*p < 0x20 || *p == 0x7f ? '?' : *p, f);
	fputc('\n', f);
}

static void show_type(struct vd_served *s, FILE *f)
{
	put_line(f, vd_drive_type_name(s->state.type));
}

static void show_image(struct vd_served *s, FILE *f)
{
	put_line(f, s->state.image);
}

static void show_mountpoint(struct vd_served *s, FILE *f)
{
	put_line(f, s->state.mountpoint);
}

static void show_options(struct vd_served *s, FILE *f)
{
	put_line(f, s->state.options);
}

static void show_disksize(struct vd_served *s, FILE *f)
{
	fprintf(f, "%llu\n", (unsigned long long)vd_served_size(s));
}

static void show_uid(struct vd_served *s, FILE *f)
{
	fprintf(f, "%u\n", (unsigned)s->state.uid);
}

static void show_pid(struct vd_served *s, FILE *f)
{
	fprintf(f, "%d\n", (int)s->state.keeper);
}

static void show_reader_pid(struct vd_served *s, FILE *f)
{
	fprintf(f, "%d\n", (int)s->reader);
}

static void show_started(struct vd_served *s, FILE *f)
{
	fprintf(f, "%lld\n", (long long)s->state.started);
}

static void show_state(struct vd_served *s, FILE *f)
{
	(void)s;
	fputs("live\n", f); /* whoever can read this is served */
}

static void show_format(struct vd_served *s, FILE *f)
{
	put_line(f, s->format ? s->format->name : "raw");
}

static void show_filesystem(struct vd_served *s, FILE *f)
{
	put_line(f, s->fs ? s->fs->ops->name : "");
}

static void show_volume_id(struct vd_served *s, FILE *f)
{
	put_line(f, s->fs ? s->fs->volume : "");
}

static void show_view(struct vd_served *s, FILE *f)
{
	put_line(f, s->fs ? s->fs->view : s->views.nwav ? "tracks" : "");
}

static void show_session(struct vd_served *s, FILE *f)
{
	fprintf(f, "%d\n", s->fs ? s->fs->session : 0);
}

static void show_sessions(struct vd_served *s, FILE *f)
{
	fprintf(f, "%d\n", s->fs ? s->fs->nsessions : s->disc->nsessions);
}

static void show_tracks(struct vd_served *s, FILE *f)
{
	fprintf(f, "%zu\n", s->disc->ntracks);
}

/* `vdrive list` reads all attributes: what takes longer is found the next time. */
#define SCAN_MS 200

static void show_unrepresentable(struct vd_served *s, FILE *f)
{
	vd_fuse_loop_will_wait();
	vd_views_unrepresentable(&s->views, SCAN_MS, f);
}

static void show_fs_error(struct vd_served *s, FILE *f)
{
	put_line(f, s->fs_error.text);
}

static unsigned long long get(atomic_ullong *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* Documentation/ABI/stable/sysfs-block: /sys/block/NAME/stat. */
static void show_stat(struct vd_served *s, FILE *f)
{
	struct vd_io_counters *c[] = { &s->reads, &s->writes, &s->trims };
	unsigned long long ticks = 0;

	for (size_t i = 0; i < VD_ARRAY_SIZE(c); i++) {
		ticks += get(&c[i]->ns) / 1000000;
		if (i == 2)
			fprintf(f, " %8u %8llu %8llu",
				atomic_load_explicit(&s->in_flight, memory_order_relaxed),
				ticks - get(&c[i]->ns) / 1000000, ticks);
		fprintf(f, " %8llu %8d %8llu %8llu", get(&c[i]->ios), 0, get(&c[i]->sectors),
			get(&c[i]->ns) / 1000000);
	}
	fprintf(f, " %8llu %8llu\n", get(&s->flushes.ios), get(&s->flushes.ns) / 1000000);
}

/* As zram's: failed reads, failed writes, invalid requests, slots freed by notice. */
static void show_io_stat(struct vd_served *s, FILE *f)
{
	fprintf(f, "%8llu %8llu %8d %8d\n", get(&s->reads.failed), get(&s->writes.failed), 0, 0);
}

/* As zram's (Documentation/admin-guide/blockdev/zram.rst); nothing is compacted here. */
static void show_mm_stat(struct vd_served *s, FILE *f)
{
	struct vd_store_memory m;

	vd_store_memory(s->store, &m);
	fprintf(f, "%8llu %8llu %8llu %8llu %8llu %8llu %8d %8llu %8llu\n",
		(unsigned long long)m.orig, (unsigned long long)m.compr, (unsigned long long)m.used,
		(unsigned long long)m.limit, (unsigned long long)m.used_max,
		(unsigned long long)m.same_pages, 0, (unsigned long long)m.huge_pages,
		(unsigned long long)m.huge_pages);
}

static void show_mem_limit(struct vd_served *s, FILE *f)
{
	struct vd_store_memory m;

	vd_store_memory(s->store, &m);
	fprintf(f, "%llu\n", (unsigned long long)m.limit);
}

static int store_mem_limit(struct vd_served *s, const char *text, struct vd_error *err)
{
	uint64_t bytes;
	int r = vd_size_parse(text, &bytes);

	if (r)
		return vd_error_set(err, r, "mem_limit: '%s' is not a size", text);
	r = vd_store_set_mem_limit(s->store, bytes);
	return r ? vd_error_set(err, r, "mem_limit: the store '%s' has none", s->store->ops->name)
		 : 0;
}

static void show_mem_used_max(struct vd_served *s, FILE *f)
{
	struct vd_store_memory m;

	vd_store_memory(s->store, &m);
	fprintf(f, "%llu\n", (unsigned long long)m.used_max);
}

static void show_comp_algorithm(struct vd_served *s, FILE *f)
{
	fprintf(f, "%s\n", strcmp(s->store->ops->name, "lz4") ? "none" : "[lz4]");
}

static void show_store(struct vd_served *s, FILE *f)
{
	put_line(f, s->store->ops->name);
}

static void show_engine(struct vd_served *s, FILE *f)
{
	put_line(f, s->state.engine);
}

static void show_ro(struct vd_served *s, FILE *f)
{
	fprintf(f, "%d\n", (int)atomic_load(&s->read_only));
}

/* The keeper remembers it for the reader that may come after this one. */
static void tell_keeper(struct vd_served *s, const char *name, const char *value)
{
	struct vd_message m = { .type = VD_MSG_ATTRIBUTE };

	snprintf(m.text, sizeof(m.text), "%s=%s", name, value);
	(void)vd_message_send(s->sock, &m, -1); /* it is gone: so are we in a moment */
}

static int store_ro(struct vd_served *s, const char *text, struct vd_error *err)
{
	if (strcmp(text, "0") && strcmp(text, "1"))
		return vd_error_set(err, -EINVAL, "ro: '%s' is neither 0 nor 1", text);
	if (text[0] == '0' && (!s->store || s->state.read_only))
		return vd_error_set(err, -EROFS, "ro: %s",
				    s->store ? "the drive was attached read-only"
					     : "a disc is read-only");
	atomic_store(&s->read_only, text[0] == '1');
	tell_keeper(s, "ro", text);
	return 0;
}

static void show_label(struct vd_served *s, FILE *f)
{
	pthread_mutex_lock(&s->lock);
	put_line(f, s->label);
	pthread_mutex_unlock(&s->lock);
}

static int store_label(struct vd_served *s, const char *text, struct vd_error *err)
{
	if (strlen(text) > VD_LABEL_MAX)
		return vd_error_set(err, -E2BIG, "label: longer than %d bytes", VD_LABEL_MAX);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (iscntrl(*p))
			return vd_error_set(err, -EINVAL, "label: one line of printable text");
	pthread_mutex_lock(&s->lock);
	strcpy(s->label, text);
	pthread_mutex_unlock(&s->lock);
	tell_keeper(s, "label", text);
	return 0;
}

static void show_error(struct vd_served *s, FILE *f)
{
	pthread_mutex_lock(&s->lock);
	put_line(f, s->attr_error.text);
	pthread_mutex_unlock(&s->lock);
}

#ifdef VDRIVE_TEST_HOOKS
/* Makes a caged reader do what it must not, and tells what came of it (tests/fuse/test_cage.c). */
int vd_test_misbehave(const char *what, struct vd_error *err);

static void show_misbehave(struct vd_served *s, FILE *f)
{
	(void)s;
	fputs("open connect exec fork ptrace exec-memory kill-parent abort hang flood-open "
	      "flood-attribute\n",
	      f);
}

static int store_misbehave(struct vd_served *s, const char *text, struct vd_error *err)
{
	(void)s;
	return vd_test_misbehave(text, err);
}
#endif

const struct vd_attribute vd_attributes[] = {
	{ "comp_algorithm", MEMORY, show_comp_algorithm, NULL },
	{ "disksize", ALL, show_disksize, NULL },
	{ "engine", MEMORY, show_engine, NULL },
	{ "error", ALL, show_error, NULL },
	{ "filesystem", OPTICAL, show_filesystem, NULL },
	{ "format", OPTICAL | DISK, show_format, NULL },
	{ "fs_error", OPTICAL, show_fs_error, NULL },
	{ "image", OPTICAL | DISK, show_image, NULL },
	{ "io_stat", ALL, show_io_stat, NULL },
	{ "label", ALL, show_label, store_label },
	{ "mem_limit", MEMORY, show_mem_limit, store_mem_limit },
	{ "mem_used_max", MEMORY, show_mem_used_max, NULL },
	{ "mm_stat", MEMORY, show_mm_stat, NULL },
	{ "mountpoint", ALL, show_mountpoint, NULL },
	{ "options", ALL, show_options, NULL },
	{ "pid", ALL, show_pid, NULL },
	{ "reader_pid", ALL, show_reader_pid, NULL },
	{ "ro", ALL, show_ro, store_ro },
	{ "session", OPTICAL, show_session, NULL },
	{ "sessions", OPTICAL, show_sessions, NULL },
	{ "started", ALL, show_started, NULL },
	{ "stat", ALL, show_stat, NULL },
	{ "state", ALL, show_state, NULL },
	{ "store", MEMORY, show_store, NULL },
	{ "tracks", OPTICAL, show_tracks, NULL },
	{ "type", ALL, show_type, NULL },
	{ "uid", ALL, show_uid, NULL },
	{ "unrepresentable", OPTICAL, show_unrepresentable, NULL },
	{ "view", OPTICAL, show_view, NULL },
	{ "volume_id", OPTICAL, show_volume_id, NULL },
#ifdef VDRIVE_TEST_HOOKS
	{ "misbehave", ALL, show_misbehave, store_misbehave },
#endif
};
const size_t vd_nattributes = VD_ARRAY_SIZE(vd_attributes);

bool vd_attribute_applies(const struct vd_attribute *a, const struct vd_served *s)
{
	return a->types & (vd_drive_in_memory(s->state.type) ? MEMORY
			   : s->state.type == VD_DRIVE_DISK  ? DISK
							     : OPTICAL);
}

void vd_attribute_restore(struct vd_served *s, const char *text)
{
	if (!strncmp(text, "label=", 6))
		snprintf(s->label, sizeof(s->label), "%s", text + 6);
	else if (!strcmp(text, "ro=1"))
		atomic_store(&s->read_only, true);
}
