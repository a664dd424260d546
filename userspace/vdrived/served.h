/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a reader serves: one medium, its counters and its attributes, whatever way it is presented. */
#ifndef VDRIVED_SERVED_H
#define VDRIVED_SERVED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "fs/fs.h"
#include "images/image.h"
#include "userspace/common/drive.h"
#include "userspace/vdrived/views.h"

#define VD_LABEL_MAX 64

/* As in /sys/block/NAME/stat (Documentation/block/stat.rst), for one direction. */
struct vd_io_counters {
	atomic_ullong ios, sectors, ns, failed;
};

struct vd_served {
	struct vd_drive_state state; /* as the keeper described it */
	pid_t reader;

	/* An optical drive. */
	struct vd_disc *disc;
	struct vd_fs *fs; /* NULL: no file system that we read; fs_error says why */
	const struct vd_image_format *format;
	struct vd_error fs_error;
	struct vd_fs_options fs_options;
	struct vd_views views;
	/* A disk. */
	struct vd_store *store;

	struct vd_io_counters reads, writes, trims, flushes;
	atomic_uint in_flight;

	/* What `set` changes, under the lock. */
	pthread_mutex_t lock;
	char label[VD_LABEL_MAX + 1];
	atomic_bool read_only;
	struct vd_error attr_error; /* the words of the last write that failed */
	int sock;		    /* to the keeper */
};

/* Bytes of the drive: of a disc, (last sector + 1) x 2048, of which disc.iso may be a part. */
uint64_t vd_served_size(const struct vd_served *s);

/* All of @len bytes at @off, counted; 0 or -errno. */
int vd_served_pread(struct vd_served *s, void *buf, size_t len, uint64_t off);

/* Brackets for the counters: *@start is set by begin and used by end. */
void vd_io_begin(struct vd_served *s, uint64_t *start);
void vd_io_end(struct vd_served *s, struct vd_io_counters *c, uint64_t start, uint64_t bytes,
	       int result);

/* attr.c: one row an attribute. */
struct vd_attribute {
	const char *name;
	/* Which types of drive have it: bits of attr.c. */
	unsigned types;
	/* Appends the value and a newline to @f. */
	void (*show)(struct vd_served *s, FILE *f);
	/* NULL: read-only. @text has no trailing newline. 0 or -errno with words. */
	int (*store)(struct vd_served *s, const char *text, struct vd_error *err);
};

extern const struct vd_attribute vd_attributes[];
extern const size_t vd_nattributes;
bool vd_attribute_applies(const struct vd_attribute *a, const struct vd_served *s);
/* Restores what an earlier reader was told, "name=value"; unknown ones are ignored. */
void vd_attribute_restore(struct vd_served *s, const char *text);

/* present_fuse.c */
struct vd_fuse_session;
/*
 * Serves @fd (taken) as @kind, in threads of its own, until it is unmounted; then calls @ended from one of them.
 * @serving is called once the kernel has greeted.
 */
int vd_present_fuse(struct vd_served *s, int kind, int fd, void (*serving)(void *arg, int kind),
		    void (*ended)(void *arg, int kind), void *arg, struct vd_error *err);

#endif
