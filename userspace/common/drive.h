/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the command and the daemon share: where drives live, how one is started and how one is spoken to.
 *
 * A drive NAME is three things in the runtime directory:
 *
 *     NAME/        its FUSE mount, the API: disc.iso or disk, files/, attr/
 *     NAME.state   key=value lines. The keeper holds a lock (flock) on it as long as it lives: a file
 *                  that can be locked belongs to a drive whose keeper died.
 *     NAME.sock    SOCK_SEQPACKET: one struct vd_request in, one struct vd_reply out
 */
#ifndef VD_COMMON_DRIVE_H
#define VD_COMMON_DRIVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/error.h"

#define VD_DRIVE_NAME_MAX 64

/*
 * The caller's runtime directory: /run/vdrive for root, $XDG_RUNTIME_DIR/vdrive, or /tmp/vdrive-UID.
 * Created when absent. -EPERM when somebody else owns it or others may write to it.
 * $VDRIVE_RUNTIME_DIR overrides all of it, for tests.
 */
int vd_rundir(char *buf, size_t size, struct vd_error *err);

/* -EINVAL with words unless @name is 1..64 of [A-Za-z0-9._+-] and begins with a letter or a digit. */
int vd_drive_name_check(const char *name, struct vd_error *err);
/* A valid name made from a file's: "My Disc (1).iso" becomes "My-Disc-1". @out holds VD_DRIVE_NAME_MAX + 1. */
void vd_drive_name_from_path(const char *path, char *out);

enum vd_drive_type {
	VD_DRIVE_OPTICAL, /* a disc, shown as files */
	VD_DRIVE_DISK,
	VD_DRIVE_RAMDISK,
	VD_DRIVE_SWAP,
	VD_DRIVE_CDROM, /* /dev/srN, with or without a disc in it */
};
/* "optical", "disk", "ramdisk", "swap", "cdrom" */
const char *vd_drive_type_name(enum vd_drive_type type);
int vd_drive_type_parse(const char *name, enum vd_drive_type *type); /* -EINVAL */
/* Bytes in memory, lost with the reader; nothing of a stranger's is parsed. */
static inline bool vd_drive_in_memory(enum vd_drive_type type)
{
	return type == VD_DRIVE_RAMDISK || type == VD_DRIVE_SWAP;
}

/* NAME.state. */
struct vd_drive_state {
	char name[VD_DRIVE_NAME_MAX + 1];
	enum vd_drive_type type;
	char image[PATH_MAX];	   /* absolute, as the user gave it */
	char mountpoint[PATH_MAX]; /* absolute, "" when there is none beside NAME/ */
	char options[512];	   /* as given with -o */
	pid_t keeper;
	uid_t uid; /* the owner */
	gid_t gid;
	int64_t started; /* seconds since the epoch */
	bool read_only;

	/* Ramdisk and swap. */
	uint64_t size;	    /* bytes */
	uint64_t mem_limit; /* bytes of memory that may be used; 0: none */
	char store[8];	    /* "lz4", "mem" */
	char engine
		[16]; /* who keeps the bytes: "fuse", "memdrive", "zram"; of a disk "loop" when it is a block device */
	char fs[16];		/* of a ramdisk with a mount point: "ext4" */
	char device[32];	/* "/dev/loop0", "/dev/sr0"; "" while there is none */
	char backing[PATH_MAX]; /* memdrive's backing store: absolute; "" when there is none */
	uint64_t
		backing_inode; /* of a file that was made for this drive and goes with it; else 0 */
	int partition;	       /* of a disk: which is mounted; 0: the only one */
	int priority;	       /* of swap; -1: the kernel's choice */
	int watchdog;	       /* seconds */
	bool tune, force;

	/* Cdrom: "empty", "open", or the profile of the disc: "CD-ROM". `image` is the disc's. */
	char medium[24];

	bool alive; /* not stored: does a keeper hold the lock? */
};

int vd_state_read(const char *rundir, const char *name, struct vd_drive_state *out,
		  struct vd_error *err);
/*
 * All drives in @rundir, sorted by name, in an array that the caller frees. Entries that vanish meanwhile are
 * left out; so are ones that cannot be read, which @unreadable (may be NULL) counts.
 */
int vd_state_list(const char *rundir, struct vd_drive_state **out, size_t *n, size_t *unreadable,
		  struct vd_error *err);

/*
 * Takes the name: creates NAME.state and locks it. @lock_fd keeps it. What a dead keeper left under this name
 * is taken down first. -EEXIST with words when a living keeper has it.
 */
int vd_state_claim(const char *rundir, const struct vd_drive_state *s, int *lock_fd,
		   struct vd_error *err);
/* Rewrites a claimed NAME.state. */
int vd_state_write(int lock_fd, const struct vd_drive_state *s, struct vd_error *err);
/* Removes NAME.sock, NAME/ and NAME.state, and closes @lock_fd. Mounts must be gone. */
void vd_state_release(const char *rundir, const char *name, int lock_fd);
/*
 * Takes down what a dead keeper left: mounts (lazily), files. 0, also when there was nothing; -EBUSY when its
 * keeper lives; else the first failure.
 */
int vd_state_reap(const char *rundir, const char *name, struct vd_error *err);

/* Puts the vm.* settings back that `--tune` changed (device.h), unless another living drive than @name wants them. */
int vd_tune_release(const char *rundir, const char *name, struct vd_error *err);

/* The control socket. */

#define VD_REQUEST_MAGIC 0x76647233u /* "vdr3": changes with the layout below */

enum vd_request_op {
	VD_REQUEST_PING,   /* answers at once: the keeper lives */
	VD_REQUEST_DETACH, /* takes the drive down; answers when nothing is left */
	/*
	 * Of a drive of type cdrom, by whoever may use its device. INSERT comes with the image's descriptor and, with VD_INSERT_SOUND, that of
	 * the file for what is played (vdrived/recorder.h). Before its reply the keeper may ask
	 * for files that the image names, with a struct vd_message of type OPEN (vdrived/message.h), each of which is answered with one of
	 * type OPENED: it opens no file for anybody. It replies when the kernel has seen the disc.
	 */
	VD_REQUEST_INSERT,
	VD_REQUEST_EJECT, /* opens the tray; replies when the kernel has seen it */
};

#define VD_DETACH_LAZY 1u    /* detach even if files are open: they stay usable until closed */
#define VD_INSERT_REPLACE 1u /* eject the disc that is in the drive */
#define VD_INSERT_SOUND 2u   /* a second descriptor is the file for the sound */
#define VD_INSERT_WRITABLE                                                                         \
	4u /* the image is open for writing, and is to be a medium that can be written */
#define VD_EJECT_FORCE 1u /* also when the tray is locked */

struct vd_request {
	uint32_t magic;
	uint32_t op;
	uint32_t flags;
	char image[PATH_MAX]; /* INSERT: absolute, to be shown */
};

struct vd_reply {
	uint32_t magic;
	int32_t code; /* 0 or -errno */
	struct vd_error error;
};

/*
 * Sends one request to a drive's keeper and waits for its answer, at most @timeout_ms (-1: as long as it takes). Returns the reply's
 * code with its words; -ECONNREFUSED or -ENOENT when no keeper listens, -ETIMEDOUT.
 */
int vd_drive_request(const char *rundir, const char *name, enum vd_request_op op, uint32_t flags,
		     int timeout_ms, struct vd_error *err);

/* A connection to its keeper, for one request; the caller's. Fails as vd_drive_request(). */
int vd_drive_connect(const char *rundir, const char *name, struct vd_error *err);
/* What a packet of @len bytes says: the reply's code with its words, -ECONNRESET when it is none. */
int vd_reply_code(const char *name, struct vd_reply *reply, ssize_t len, struct vd_error *err);

/* Starting. */

struct vd_drive_start {
	struct vd_drive_state
		state;	 /* name, type, image, mountpoint, options, read_only are used */
	int image_fd;	 /* opened by the caller, as the caller; borrowed */
	int dir_fd;	 /* the folder that the image lies in (O_PATH); borrowed */
	bool foreground; /* the keeper stays a child, logs to stderr: *pid is set */
};

/*
 * Runs a keeper and waits until its drive is served, or has failed and left nothing behind. 0, or the
 * keeper's -errno and words. With 0, words in @err are warnings.
 */
int vd_drive_start(const struct vd_drive_start *start, pid_t *pid, struct vd_error *err);

/* What is mounted on a directory. */

#define VD_FSTYPE "fuse.vdrive"

struct vd_mount {
	char fstype[64];
	char source[PATH_MAX];
	unsigned minor; /* of its device number: the number of a FUSE connection */
};

/* The topmost mount on exactly @dir (an absolute path without links). -ENOENT. Never touches it, so it never blocks. */
int vd_mount_find(const char *dir, struct vd_mount *out);

/* Mounting FUSE. Root mounts by itself; everybody else through fusermount3. */

/*
 * Mounts a FUSE file system of subtype "vdrive" on @dir and returns the open /dev/fuse descriptor (close-on-exec).
 * @source is what /proc/mounts shows first; @options are FUSE's own, "" for none ("ro,allow_other").
 */
int vd_fuse_mount(const char *dir, const char *source, const char *options, struct vd_error *err);
/* 0; -EBUSY when in use and not @lazy; -EINVAL when nothing of ours is mounted there. */
int vd_fuse_unmount(const char *dir, bool lazy, struct vd_error *err);
/* Is a FUSE file system of ours mounted at exactly @dir? */
bool vd_fuse_mounted(const char *dir);

#endif
