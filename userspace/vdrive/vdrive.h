/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the verbs share. A verb is a function of (argc, argv) that returns the exit status; everything it
 * says to the user goes through message.c, everything that a stranger wrote through text.c.
 */
#ifndef VDRIVE_H
#define VDRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "fs/fs.h"
#include "userspace/common/drive.h"
#include "util/cleanup.h"
#include "util/error.h"

/* Exit statuses of all verbs but mount and umount. */
enum { EX_FAILED = 1, EX_WRONG_USAGE = 2, EX_DAMAGED = 4 /* verify: the image is */ };

/* Exit statuses of mount and umount: mount(8)'s. */
enum {
	MOUNT_USAGE = 1,  /* wrong usage or no permission */
	MOUNT_SYSTEM = 2, /* out of memory, descriptors, processes */
	MOUNT_INTERRUPTED = 8,
	MOUNT_FAILED = 32,
};
int mount_status(int error);

struct verb {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
	int usage_status; /* of wrong usage */
};

int cmd_attach(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_eject(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_insert(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_mount(int argc, char **argv);
int cmd_mount_helper(int argc, char **argv); /* as mount.vdrive */
int cmd_optical(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_ramdisk(int argc, char **argv);
int cmd_swap(int argc, char **argv);
int cmd_umount(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_verify(int argc, char **argv);
/* `vdrive list` of the swap drives alone. */
int list_swap(bool bytes, bool json);

/* message.c */

/* "vdrive mount", as messages begin. */
extern const char *progname;
/* "progname: words" on stderr, with whatever could confuse a terminal escaped. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The words of @err, or strerror(-code) when it has none, after "what: ". */
void complain_error(int code, const struct vd_error *err, const char *what);
/* complain()s when @fmt is not NULL, points at --help, and returns @status. */
int wrong_usage(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A command that runs out of memory has done nothing yet that needs undoing. */
void *need(void *p);
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* text.c: what a stranger wrote, made fit to be shown. The caller frees. */

/* For a terminal: control characters, bidirectional overrides and broken UTF-8 become \xHH. */
char *text_safe(const char *s);
/* For JSON: broken UTF-8 becomes U+FFFD, nothing else changes. */
char *text_utf8(const char *s);
/* "2026-11-24T18:00:00Z", or "" for 0. @buf holds 32 bytes. */
const char *text_time(int64_t t, char *buf);

/* json.c: a writer for nested values; keys are literals, NULL inside arrays. */
struct json {
	FILE *f;
	int depth;
	bool filled[8]; /* has this level a value already? */
};
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_signed(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* table.c: libsmartcols with our escaping. */
struct libscols_table;
enum table_flags { TABLE_JSON = 1, TABLE_RAW = 2, TABLE_NO_HEADINGS = 4 };
struct table_column {
	const char *name;
	bool right;
	int json; /* SCOLS_JSON_* */
};
struct libscols_table *table_new(const char *name, const struct table_column *columns, size_t n,
				 unsigned flags);
/* Appends a line of as many cells as there are columns; NULL is an empty one. */
void table_add(struct libscols_table *t, const char *const *cells, size_t n, unsigned flags);
/* Prints and frees it. */
void table_print(struct libscols_table *t);

/* progress.c: how far something is, on stderr when that is a terminal. */
struct progress {
	const char *verb;
	bool on, any;
	int64_t began, shown;
};
void progress_begin(struct progress *p, const char *verb);
void progress_show(struct progress *p, unsigned int done); /* of 1000 */
/* Takes the line away again. */
void progress_end(struct progress *p);

/* image.c: opening what the user named, as the user. */
struct opened {
	int fd;		     /* O_RDONLY or O_RDWR; a regular file or a block device */
	int dir_fd;	     /* the folder it lies in */
	uint64_t size;	     /* bytes */
	const char *given;   /* as the user named it; borrowed */
	char path[PATH_MAX]; /* absolute; links in it are as the user gave them */
};
#define OPENED_NONE                                                                                \
	{                                                                                          \
		.fd = -1, .dir_fd = -1                                                             \
	}
int image_open(const char *path, bool writable, struct opened *out, struct vd_error *err);
void image_close(struct opened *o);
#define _cleanup_opened_ _cleanup_(image_close)
/*
 * Holds off other drives as long as this descriptor is open anywhere: many may read an image, or one may write it. -EBUSY with
 * words that name the other drive.
 */
int image_lock(const struct opened *o, bool writable, struct vd_error *err);
/*
 * What the file looks like ("a qcow2 disk image"), found out in the cage. @container: its bytes are not the disk's but
 * a format around them. "" when nothing is known.
 */
int image_identify(const struct opened *o, char *words, size_t size, bool *container,
		   struct vd_error *err);

/* path.c */

/* Turns a path into an absolute one without following links or touching what it names. @out holds PATH_MAX. */
int path_absolute(const char *path, char *out, struct vd_error *err);
/* A folder that is there, as an absolute path without links: a place to mount on. @out holds PATH_MAX. */
int path_folder(const char *dir, char *out, struct vd_error *err);

/* options.c */

struct mount_options {
	char keeper[512]; /* for struct vd_drive_state: what the keeper shall know */
	char name[VD_DRIVE_NAME_MAX + 1]; /* name=NAME, "" without */
	bool allow_other, no_allow_other, default_permissions, read_write;
};
/* Checks a -o text and adds it. @sloppy drops what it does not know. -EINVAL with words. */
int mount_options_add(struct mount_options *m, const char *text, bool sloppy, struct vd_error *err);
/* Adds one option for the keeper. -E2BIG */
int mount_options_keep(struct mount_options *m, const char *option, struct vd_error *err);
/* The options of a file system alone, for `info`; ro is taken too. */
int fs_options_add(struct vd_fs_options *o, const char *text, struct vd_error *err);

/* start.c */

/*
 * vd_drive_start(), with a free name when @explicit_name is NULL, and with an interruption undone (-EINTR).
 * @s needs all but its name and owner.
 */
int start_drive(struct vd_drive_start *s, const char *explicit_name, pid_t *pid,
		struct vd_error *err);
/* After start_drive() in the foreground: waits for the keeper and passes signals on. 0, or -errno with words. */
int start_wait(pid_t pid, struct vd_error *err);

/* memory.c */

struct memory_info {
	uint64_t total, available; /* bytes, as /proc/meminfo has them */
};
int memory_info(struct memory_info *m, struct vd_error *err);
/* "512M", "50%" of the memory; rounded up to pages. -EINVAL, -ERANGE with words. */
int memory_size(const char *text, uint64_t *bytes, struct vd_error *err);
/* -ENOMEM with words when @bytes are more than is available. */
int memory_fits(uint64_t bytes, const char *what, struct vd_error *err);

/* What ramdisk and swap are asked for alike. */
struct memory_request {
	const char *size, *name, *engine, *limit, *backing, *backing_size;
	bool force, foreground;
};
#define MEMORY_OPTIONS                                                                             \
	{ "name", required_argument, NULL, 'n' }, { "engine", required_argument, NULL, 'e' },      \
		{ "limit", required_argument, NULL, 'L' },                                         \
		{ "backing", required_argument, NULL, 'K' },                                       \
		{ "backing-size", required_argument, NULL, 'Z' },                                  \
		{ "force", no_argument, NULL, 'F' }, { "help", no_argument, NULL, 'h' },           \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}
/* Takes one of these options but for help; anything else, or a wrong value, is wrong_usage(): its status, else 0. */
int memory_option(int c, const char *arg, struct memory_request *q);
/* What does not go together, once all options are known: as memory_option(). */
int memory_check(const struct memory_request *q);
/* Size, limit, engine and *@why of a drive of @s->type. Nothing is made yet, but a module may be loaded. */
int memory_fill(const struct memory_request *q, struct vd_drive_state *s, const char **why,
		struct vd_error *err);
/*
 * Makes the backing file and starts the drive, whose state then is in @start->state. *@pid as of start_drive(). On failure nothing is
 * left.
 */
int memory_start(const struct memory_request *q, struct vd_drive_start *start, pid_t *pid,
		 struct vd_error *err);

/* backing.c: where memdrive's pages go when memory is full. */

struct backing {
	char path[PATH_MAX]; /* absolute, without links */
	uint64_t inode;	     /* of the file that was made; 0: a device */
};
/*
 * A file of @size bytes, whole on disk; or a block device, at least so large if @size_given. What is there already is only
 * taken with @force. Shows a bar on a terminal. -EEXIST, -EOPNOTSUPP (not ext4 or xfs), -ENOSPC, -EINTR with words; then nothing is left.
 */
int backing_prepare(const char *file, uint64_t size, bool size_given, bool force, struct backing *b,
		    struct vd_error *err);
/* Removes a file that was made, if no drive has it by now. */
void backing_undo(const struct backing *b);

/* find.c: which drives there are, in which runtime directories. */

struct place {
	char dir[PATH_MAX];
	uid_t uid;
	bool own;     /* the caller's */
	bool trusted; /* may be looked into: the caller's or root's */
};
struct found {
	struct vd_drive_state state;
	struct place place;
};
/* The caller's runtime directory first, then those of others that can be seen. */
int find_places(struct place **out, size_t *n, struct vd_error *err);
/*
 * All drives that the caller may know of, in @out (freed by the caller); own ones only when @own_only. @hidden (may be NULL)
 * counts those in the caller's directory that cannot be read.
 */
int find_all(bool own_only, struct found **out, size_t *n, size_t *hidden, struct vd_error *err);
/* By name: the caller's own first. -ENOENT with words. */
int find_name(const char *name, struct found *out, struct vd_error *err);
/* By mount point, which may be dead or hung: it is never touched. -ENOENT with words. @resolved holds PATH_MAX, or NULL. */
int find_mountpoint(const char *dir, struct found *out, char *resolved, struct vd_error *err);
/* By image. -ENOENT, -ENOTUNIQ when several drives have it; with words. */
int find_image(const char *path, struct found *out, struct vd_error *err);
/* Does that drive's image have this device and inode? */
bool find_same_image(const struct found *f, dev_t dev, ino_t ino);
/* Takes a drive down, living or dead. 0 also when somebody else was faster. */
int find_detach(const struct found *f, bool lazy, struct vd_error *err);

/*
 * Drives of type cdrom, the caller's or root's: by name, or with NULL the only one. -ENOENT, -ENOTUNIQ, -EINVAL (it is of another type), -EPERM, with
 * words.
 */
int find_cdrom(const char *name, struct found *out, struct vd_error *err);

/* attrs.c: the files in NAME/attr (of what the kernel keeps: in sysfs), read by a child so that a drive that hangs never takes the command with it. */

enum attrs_status { ATTRS_OK, ATTRS_HUNG, ATTRS_FAILED };
struct attr {
	char *name, *value;
	bool readable, writable;
};
struct attrs {
	const struct found *f; /* in; borrowed */
	enum attrs_status status;
	int error; /* when it failed: -errno */
	struct attr *v;
	size_t n;
};
/* Reads the attributes of @n drives at once; gives each two seconds. 0, or -errno when no child could be made. */
int attrs_read(struct attrs *a, size_t n);
void attrs_free(struct attrs *a, size_t n);
/* NULL when there is no such attribute. */
const char *attrs_get(const struct attrs *a, const char *name);
/* Writes one; on failure @err has the drive's own words. -ETIMEDOUT when it hangs. */
int attrs_write(const struct found *f, const char *name, const char *value, struct vd_error *err);

#endif
