// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A drive as files, through libfuse's low-level interface.
 *
 *   VD_SESSION_DRIVE  NAME/  disc.iso, files/, attr/   (optical)
 *                            disk, attr/               (disk)
 *   VD_SESSION_FILES  DIR    what files/ holds
 *
 * Node ids need no table. A file system's inode number is its node id, but for the root of a FILES session, which FUSE
 * calls 1. What we make up ourselves (NAME/ but files/) has bit 62 set. So nothing is remembered for
 * the kernel's sake, `forget` has nothing to do, and a million files cost a reader no memory.
 *
 * A disc never changes: the kernel may keep names, attributes and data for as long as it likes, and in a FILES
 * session a file is read without being opened (ENOSYS to the first open says so). Attributes of attr/ are never kept.
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include "userspace/vdrived/served.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/vdrived/fuse_loop.h"
#include "userspace/vdrived/message.h"
#include "util/cleanup.h"

#define FOREVER 31536000.0 /* seconds: a year */
#define THREADS 16
/* libfuse asks for at most 256 pages, so no request is larger. */
#define REQUEST_MAX (1u << 20)
/* A value written to attr/ is a line. */
#define ATTR_WRITE_MAX 4096u

#define OWN 0x4000000000000000ull
#define NODE_ATTR_DIR (OWN | 1)
#define NODE_MEDIUM (OWN | 2)
#define NODE_ATTR(i) (OWN | (0x100 + (uint64_t)(i)))

struct vd_fuse_session {
	struct vd_served *served;
	struct fuse_session *se;
	enum vd_session_kind kind;
	void (*serving)(void *arg, int kind);
	void (*ended)(void *arg, int kind);
	void *arg;
};

static struct vd_fuse_session *session_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Node ids and inode numbers. */

static bool is_own(const struct vd_fuse_session *fs, fuse_ino_t node)
{
	return (node & OWN) || (fs->kind == VD_SESSION_DRIVE && node == FUSE_ROOT_ID);
}

static uint64_t to_ino(const struct vd_fuse_session *fs, fuse_ino_t node)
{
	return node == FUSE_ROOT_ID ? fs->served->fs->root : node;
}

static fuse_ino_t to_node(const struct vd_fuse_session *fs, uint64_t ino)
{
	return fs->kind == VD_SESSION_FILES && ino == fs->served->fs->root ? FUSE_ROOT_ID : ino;
}

static const struct vd_attribute *attribute_of(const struct vd_served *s, fuse_ino_t node)
{
	uint64_t i = (node & ~OWN) - 0x100;

	return (node & OWN) && i < vd_nattributes && vd_attribute_applies(&vd_attributes[i], s)
		       ? &vd_attributes[i]
		       : NULL;
}

static const char *medium_name(const struct vd_served *s)
{
	return s->store ? "disk" : "disc.iso";
}

/* Attributes. */

static int own_stat(const struct vd_fuse_session *fs, fuse_ino_t node, struct stat *st)
{
	const struct vd_served *s = fs->served;
	const struct vd_attribute *a = attribute_of(s, node);

	*st = (struct stat){ .st_ino = node & ~OWN,
			     .st_nlink = 1,
			     .st_uid = s->state.uid,
			     .st_gid = s->state.gid,
			     .st_blksize = 4096 };
	st->st_mtime = st->st_ctime = st->st_atime = s->state.started;
	if (node == FUSE_ROOT_ID || node == NODE_ATTR_DIR) {
		st->st_mode = S_IFDIR | 0555;
		st->st_nlink = 2;
	} else if (node == NODE_MEDIUM) {
		st->st_mode = S_IFREG | (!s->store || atomic_load(&s->read_only) ? 0444 : 0644);
		st->st_size = (off_t)vd_served_size(s);
		st->st_blocks = st->st_size / 512;
	} else if (a) {
		st->st_mode = S_IFREG | (a->store ? 0644 : 0444);
		st->st_size = 4096; /* as in sysfs: what there is shows when it is read */
	} else {
		return -ENOENT;
	}
	return 0;
}

static void fs_stat(const struct vd_fs_attr *a, struct stat *st)
{
	*st = (struct stat){ .st_ino = a->ino,
			     .st_mode = a->mode,
			     .st_nlink = a->nlink,
			     .st_uid = a->uid,
			     .st_gid = a->gid,
			     .st_rdev = a->rdev,
			     .st_size = (off_t)a->size,
			     .st_blocks = (blkcnt_t)a->blocks,
			     .st_blksize = VD_SECTOR_USER,
			     .st_atim = a->atime,
			     .st_mtim = a->mtime,
			     .st_ctim = a->ctime };
}

static void fs_entry(const struct vd_fuse_session *fs, const struct vd_fs_attr *a,
		     struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ .ino = to_node(fs, a->ino),
					.attr_timeout = FOREVER,
					.entry_timeout = FOREVER };
	fs_stat(a, &e->attr);
}

static int own_entry(const struct vd_fuse_session *fs, fuse_ino_t node, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ .ino = node, .entry_timeout = FOREVER };
	return own_stat(fs, node, &e->attr);
}

/* files/ in a DRIVE session: the root of the file system. */
static int files_entry(const struct vd_fuse_session *fs, struct fuse_entry_param *e)
{
	struct vd_fs_attr a;
	int r;

	if (!fs->served->fs)
		return -ENOENT;
	r = vd_fs_getattr(fs->served->fs, fs->served->fs->root, &a);
	if (!r)
		fs_entry(fs, &a, e);
	return r;
}

static int own_lookup(const struct vd_fuse_session *fs, fuse_ino_t dir, const char *name,
		      struct fuse_entry_param *e)
{
	const struct vd_served *s = fs->served;

	if (dir == FUSE_ROOT_ID) {
		if (!strcmp(name, medium_name(s)))
			return own_entry(fs, NODE_MEDIUM, e);
		if (!strcmp(name, "attr"))
			return own_entry(fs, NODE_ATTR_DIR, e);
		return strcmp(name, "files") ? -ENOENT : files_entry(fs, e);
	}
	if (dir != NODE_ATTR_DIR)
		return -ENOTDIR;
	for (size_t i = 0; i < vd_nattributes; i++)
		if (vd_attribute_applies(&vd_attributes[i], s) &&
		    !strcmp(vd_attributes[i].name, name))
			return own_entry(fs, NODE_ATTR(i), e);
	return -ENOENT;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct vd_fuse_session *fs = session_of(req);
	struct fuse_entry_param e;
	int r;

	if (is_own(fs, parent)) {
		r = own_lookup(fs, parent, name, &e);
	} else {
		struct vd_fs_attr a;

		r = vd_fs_lookup(fs->served->fs, to_ino(fs, parent), name, strlen(name), &a);
		if (!r) {
			fs_entry(fs, &a, &e);
		} else if (r == -ENOENT) {
			/* Never here: that may be remembered too. */
			e = (struct fuse_entry_param){ .entry_timeout = FOREVER };
			r = 0;
		}
	}
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, &e);
}

static int node_stat(struct vd_fuse_session *fs, fuse_ino_t node, struct stat *st, double *timeout)
{
	struct vd_fs_attr a;
	int r;

	*timeout = 0;
	if (is_own(fs, node))
		return own_stat(fs, node, st);
	r = vd_fs_getattr(fs->served->fs, to_ino(fs, node), &a);
	if (!r)
		fs_stat(&a, st);
	*timeout = FOREVER;
	return r;
}

static void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;
	double timeout;
	int r = node_stat(session_of(req), node, &st, &timeout);

	(void)fi;
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout);
}

/*
 * The one change that is taken, and ignored as a device does: O_TRUNC, which a shell's `>` and dd use.
 */
static void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct vd_fuse_session *fs = session_of(req);
	struct stat st;
	double timeout;
	int r;

	(void)fi;
	if (!is_own(fs, node))
		r = -EROFS;
	else if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		r = -EPERM;
	else
		r = node_stat(fs, node, &st, &timeout);
	if (!r && (to_set & FUSE_SET_ATTR_SIZE) && attr->st_size && attr->st_size != st.st_size)
		r = -EINVAL; /* a drive keeps its size */
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout);
}

static void op_readlink(fuse_req_t req, fuse_ino_t node)
{
	struct vd_fuse_session *fs = session_of(req);
	char target[VD_FS_LINK_MAX];
	int r = is_own(fs, node)
			? -EINVAL
			: vd_fs_readlink(fs->served->fs, to_ino(fs, node), target, sizeof(target));

	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, target);
}

/* Directories. FUSE's offsets: 1 after ".", 2 after "..", then the file system's own + 2. */

struct dirbuf {
	fuse_req_t req;
	struct vd_fuse_session *fs;
	char *mem;
	size_t size, used;
	bool plus;
};

static bool put_entry(struct dirbuf *d, const char *name, const struct fuse_entry_param *e,
		      off_t next)
{
	size_t room = d->size - d->used;
	size_t n =
		d->plus ? fuse_add_direntry_plus(d->req, d->mem + d->used, room, name, e, next)
			: fuse_add_direntry(d->req, d->mem + d->used, room, name, &e->attr, next);

	if (n > room)
		return false;
	d->used += n;
	return true;
}

/* No node id: the kernel knows these two by itself. */
static bool put_dot(struct dirbuf *d, const char *name, uint64_t ino, off_t next)
{
	struct fuse_entry_param e = { .attr = { .st_ino = ino, .st_mode = S_IFDIR } };

	return put_entry(d, name, &e, next);
}

static int fill_fs(void *arg, const char *name, size_t len, const struct vd_fs_attr *attr,
		   uint64_t next)
{
	struct dirbuf *d = arg;
	struct fuse_entry_param e;
	char text[VD_FS_NAME_MAX + 1];

	if (len > VD_FS_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(text, name, len);
	text[len] = '\0';
	fs_entry(d->fs, attr, &e);
	/* Damaged: it has a name and nothing else. Without a node the kernel asks again when somebody wants it. */
	if (!(attr->mode & S_IFMT))
		e.ino = 0;
	return put_entry(d, text, &e, (off_t)next + 2) ? 0 : 1;
}

static int fill_own(struct dirbuf *d, fuse_ino_t dir, uint64_t pos)
{
	const struct vd_served *s = d->fs->served;
	struct fuse_entry_param e;
	uint64_t i = pos;
	int r;

	if (dir == FUSE_ROOT_ID) {
		const char *const names[] = { medium_name(s), "attr", "files" };

		for (; i < VD_ARRAY_SIZE(names); i++) {
			r = own_lookup(d->fs, dir, names[i], &e);
			if (r == -ENOENT)
				continue;
			if (r)
				return r;
			if (!put_entry(d, names[i], &e, (off_t)i + 3))
				return 0;
		}
		return 0;
	}
	if (dir != NODE_ATTR_DIR)
		return -ENOTDIR;
	for (; i < vd_nattributes; i++) {
		if (!vd_attribute_applies(&vd_attributes[i], s))
			continue;
		r = own_entry(d->fs, NODE_ATTR(i), &e);
		if (r)
			return r;
		if (!put_entry(d, vd_attributes[i].name, &e, (off_t)i + 3))
			return 0;
	}
	return 0;
}

static void read_directory(fuse_req_t req, fuse_ino_t dir, size_t size, off_t off, bool plus)
{
	struct vd_fuse_session *fs = session_of(req);
	_cleanup_free_ char *mem = malloc(size);
	struct dirbuf d = { .req = req, .fs = fs, .mem = mem, .size = size, .plus = plus };
	uint64_t ino = is_own(fs, dir) ? dir & ~OWN : to_ino(fs, dir);
	int r = mem ? 0 : -ENOMEM;

	if (!r && off < 1 && !put_dot(&d, ".", ino, 1))
		r = -EINVAL;
	if (!r && off < 2 && put_dot(&d, "..", (uint64_t)-1, 2))
		off = 2;
	if (!r && off >= 2) {
		uint64_t pos = (uint64_t)off - 2;

		r = is_own(fs, dir) ? fill_own(&d, dir, pos)
				    : vd_fs_readdir(fs->served->fs, ino, pos, fill_fs, &d);
	}
	/* What was read before the error is good; the next call meets the error first. */
	if (r && !d.used)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, d.mem, d.used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t dir, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, dir, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t dir, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	(void)fi;
	read_directory(req, dir, size, off, true);
}

/* Directories are never opened: the kernel keeps their entries. */
static void op_opendir(fuse_req_t req, fuse_ino_t dir, struct fuse_file_info *fi)
{
	(void)dir;
	(void)fi;
	fuse_reply_err(req, ENOSYS);
}

/* Files. */

/* What an open file of attr/ keeps: its value when it was opened. */
struct attr_text {
	char *text;
	size_t len;
};

static int open_attr(struct vd_served *s, const struct vd_attribute *a, struct fuse_file_info *fi)
{
	struct attr_text *t;
	FILE *f;

	if ((fi->flags & O_ACCMODE) != O_RDONLY && !a->store)
		return -EACCES;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	f = open_memstream(&t->text, &t->len);
	if (!f) {
		free(t);
		return -ENOMEM;
	}
	a->show(s, f);
	if (fclose(f)) {
		free(t->text);
		free(t);
		return -ENOMEM;
	}
	fi->fh = (uint64_t)(uintptr_t)t;
	fi->direct_io = 1;
	return 0;
}

static void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct vd_fuse_session *fs = session_of(req);
	struct vd_served *s = fs->served;
	const struct vd_attribute *a = attribute_of(s, node);
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
	int r = 0;

	if (fs->kind == VD_SESSION_FILES) {
		fuse_reply_err(req, ENOSYS); /* and never asked again */
		return;
	}
	if (a)
		r = open_attr(s, a, fi);
	else if (node == NODE_MEDIUM)
		r = writes && atomic_load(&s->read_only) ? -EROFS : 0;
	else if (is_own(fs, node))
		r = -EISDIR;
	else if (writes)
		r = -EROFS;
	if (r) {
		fuse_reply_err(req, -r);
		return;
	}
	if (!a) {
		fi->keep_cache = 1;
		fi->noflush = 1;
	}
	/* -ENOENT: the opener was interrupted, and nobody will release it. */
	if (fuse_reply_open(req, fi) == -ENOENT && a) {
		struct attr_text *t = (struct attr_text *)(uintptr_t)fi->fh;

		free(t->text);
		free(t);
	}
}

static void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	if (attribute_of(session_of(req)->served, node)) {
		struct attr_text *t = (struct attr_text *)(uintptr_t)fi->fh;

		free(t->text);
		free(t);
	}
	fuse_reply_err(req, 0);
}

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void make_buffer_key(void)
{
	if (pthread_key_create(&buffer_key, free))
		abort();
}

/* This thread's buffer of REQUEST_MAX bytes; NULL without memory. */
static void *thread_buffer(void)
{
	void *p;

	pthread_once(&buffer_once, make_buffer_key);
	p = pthread_getspecific(buffer_key);
	if (!p) {
		/* Page-aligned, so that a virtual disk's file may be read directly one day. */
		if (posix_memalign(&p, 4096, REQUEST_MAX))
			return NULL;
		if (pthread_setspecific(buffer_key, p)) {
			free(p);
			return NULL;
		}
	}
	return p;
}

/*
 * Where the files lie that this thread read last. A disc never changes, so what was true once is true for
 * ever; only a file that is read a second time is asked about, so that one that is read at once costs nothing more.
 * Threads belong to one session, so a node is enough to know a file by.
 */
struct place {
	fuse_ino_t node;
	bool asked, whole; /* whole: all of it lies in one piece, stored as it is */
	uint64_t offset, size;
};

#define PLACES 16
static __thread struct place places[PLACES];

static void ask_place(struct vd_fs *fs, uint64_t ino, struct place *p)
{
	struct vd_fs_extent e;
	struct vd_fs_attr a;

	p->asked = true;
	if (vd_fs_getattr(fs, ino, &a) || vd_fs_map(fs, ino, 0, &e))
		return; /* vd_fs_read() says what is wrong, or needs no map */
	p->whole = !e.hole && e.len >= a.size;
	p->offset = e.offset;
	p->size = a.size;
}

static ssize_t read_file(const struct vd_fuse_session *fs, fuse_ino_t node, void *buf, size_t len,
			 uint64_t off)
{
	struct vd_fs *f = fs->served->fs;
	struct place *p = &places[(node >> 5 ^ node) % PLACES];
	int r;

	if (p->node != node)
		*p = (struct place){ .node = node };
	else if (!p->asked)
		ask_place(f, to_ino(fs, node), p);
	if (!p->whole)
		return vd_fs_read(f, to_ino(fs, node), buf, len, off);
	if (off >= p->size)
		return 0;
	if (len > p->size - off)
		len = (size_t)(p->size - off);
	r = vd_disc_pread(f->disc, buf, len, p->offset + off);
	return r ? r : (ssize_t)len;
}

static void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct vd_fuse_session *fs = session_of(req);
	struct vd_served *s = fs->served;
	char *buf = thread_buffer();
	ssize_t n;

	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (size > REQUEST_MAX)
		size = REQUEST_MAX;
	if (attribute_of(s, node)) {
		const struct attr_text *t = (const struct attr_text *)(uintptr_t)fi->fh;
		size_t at = (size_t)off < t->len ? (size_t)off : t->len;

		if (size > t->len - at)
			size = t->len - at;
		/* From the copy: once answered, another thread may serve the release that frees the text. */
		memcpy(buf, t->text + at, size);
		fuse_reply_buf(req, buf, size);
		return;
	}
	if (node == NODE_MEDIUM) {
		uint64_t end = vd_served_size(s);
		int r;

		if ((uint64_t)off >= end)
			size = 0;
		else if (size > end - (uint64_t)off)
			size = (size_t)(end - (uint64_t)off);
		r = size ? vd_served_pread(s, buf, size, (uint64_t)off) : 0;
		n = r ? r : (ssize_t)size;
	} else if (is_own(fs, node)) {
		n = -EISDIR;
	} else {
		uint64_t start;

		vd_io_begin(s, &start);
		n = read_file(fs, node, buf, size, (uint64_t)off);
		vd_io_end(s, &s->reads, start, n < 0 ? 0 : (uint64_t)n, n < 0 ? (int)n : 0);
	}
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static int write_attr(struct vd_served *s, const struct vd_attribute *a, const char *buf,
		      size_t size, off_t off)
{
	char text[ATTR_WRITE_MAX + 1];
	struct vd_error err = { "" };
	int r;

	if (!a->store)
		return -EACCES;
	if (off || size > ATTR_WRITE_MAX) {
		r = vd_error_set(&err, -EINVAL,
				 "%s: a value is written at once, in %u bytes at most", a->name,
				 ATTR_WRITE_MAX);
	} else {
		memcpy(text, buf, size);
		if (size && text[size - 1] == '\n')
			size--;
		text[size] = '\0';
		if (strlen(text) != size)
			r = vd_error_set(&err, -EINVAL, "%s: the value has a NUL byte", a->name);
		else
			r = a->store(s, text, &err);
	}
	pthread_mutex_lock(&s->lock);
	s->attr_error = err;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static void op_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct vd_fuse_session *fs = session_of(req);
	struct vd_served *s = fs->served;
	const struct vd_attribute *a = attribute_of(s, node);
	uint64_t start;
	int r;

	(void)fi;
	if (a) {
		r = write_attr(s, a, buf, size, off);
	} else if (node != NODE_MEDIUM || !s->store || atomic_load(&s->read_only)) {
		r = -EROFS;
	} else if ((uint64_t)off >= s->store->size) {
		r = -ENOSPC; /* as a block device says */
	} else {
		if (size > s->store->size - (uint64_t)off)
			size = (size_t)(s->store->size - (uint64_t)off);
		if (!vd_drive_in_memory(s->state.type))
			vd_fuse_loop_will_wait();
		vd_io_begin(s, &start);
		r = vd_store_pwrite(s->store, buf, size, (uint64_t)off);
		vd_io_end(s, &s->writes, start, size, r);
	}
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_write(req, size);
}

static void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi)
{
	struct vd_served *s = session_of(req)->served;
	uint64_t start;
	int r = 0;

	(void)datasync;
	(void)fi;
	if (node == NODE_MEDIUM && s->store && !s->store->read_only) {
		vd_fuse_loop_will_wait();
		vd_io_begin(s, &start);
		r = vd_store_flush(s->store);
		vd_io_end(s, &s->flushes, start, 0, r);
	}
	fuse_reply_err(req, -r);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
			 struct fuse_file_info *fi)
{
	struct vd_served *s = session_of(req)->served;
	uint64_t start;
	int r;

	(void)fi;
	if (node != NODE_MEDIUM || !s->store || atomic_load(&s->read_only)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	vd_fuse_loop_will_wait();
	vd_io_begin(s, &start);
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case FALLOC_FL_PUNCH_HOLE:
		r = vd_store_trim(s->store, (uint64_t)off, (uint64_t)len);
		break;
	case FALLOC_FL_ZERO_RANGE:
		r = vd_store_zero(s->store, (uint64_t)off, (uint64_t)len);
		break;
	default:
		r = -EOPNOTSUPP;
	}
	vd_io_end(s, &s->trims, start, (uint64_t)len, r);
	fuse_reply_err(req, -r);
}

static void op_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct vd_fuse_session *fs = session_of(req);
	struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };
	struct vd_fs_stat info;
	int r = 0;

	(void)node;
	if (fs->kind == VD_SESSION_FILES) {
		r = vd_fs_stat(fs->served->fs, &info);
		st.f_bsize = st.f_frsize = info.block;
		st.f_blocks = info.bytes / (info.block ? info.block : 1);
		st.f_namemax = info.name_max;
	} else {
		st.f_blocks = vd_served_size(fs->served) / 4096;
	}
	if (r)
		fuse_reply_err(req, -r);
	else
		fuse_reply_statfs(req, &st);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct vd_fuse_session *fs = userdata;

	/* Always with attributes: they cost us nothing, and whoever lists mostly wants them. */
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ);
	conn->want |= conn->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS |
				       FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ |
				       FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_NO_OPEN_SUPPORT);
	/* No more than the mount is set to, which the keeper may raise: the kernel takes the smaller one. */
	conn->max_readahead = REQUEST_MAX;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	if (fs->serving)
		fs->serving(fs->arg, fs->kind);
}

static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.fallocate = op_fallocate,
};

static void *serve(void *arg)
{
	struct vd_fuse_session *fs = arg;
	void (*ended)(void *, int) = fs->ended;
	void *ended_arg = fs->arg;
	int kind = fs->kind;

	/* An error here is a broken connection: the same to everybody as an unmount. */
	if (vd_drive_in_memory(fs->served->state.type))
		/* Nothing there ever waits for a disk: as many threads as can run. */
		(void)vd_fuse_loop(fs->se, 0, true);
	else
		(void)vd_fuse_loop(fs->se, THREADS, false);
	fuse_session_destroy(fs->se);
	free(fs);
	ended(ended_arg, kind);
	return NULL;
}

static void free_session(struct vd_fuse_session **fs)
{
	if (!*fs)
		return;
	if ((*fs)->se)
		fuse_session_destroy((*fs)->se);
	free(*fs);
}

int vd_present_fuse(struct vd_served *s, int kind, int fd_in, void (*serving)(void *arg, int kind),
		    void (*ended)(void *arg, int kind), void *arg, struct vd_error *err)
{
	_cleanup_(free_session) struct vd_fuse_session *fs = calloc(1, sizeof(*fs));
	_cleanup_close_ int fd = fd_in;
	char *argv[] = { (char *)"vdrived", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	pthread_attr_t attr;
	pthread_t thread;
	char path[32];
	int r;

	if (!fs)
		return vd_error_errno(err, -ENOMEM, "cannot serve the drive");
	if (kind == VD_SESSION_FILES && !s->fs)
		return vd_error_set(err, -EMEDIUMTYPE, "%s", s->fs_error.text);
	*fs = (struct vd_fuse_session){
		.served = s, .kind = kind, .serving = serving, .ended = ended, .arg = arg
	};
	fs->se = fuse_session_new(&args, &operations, sizeof(operations), fs);
	fuse_opt_free_args(&args);
	if (!fs->se)
		return vd_error_set(err, -EIO, "libfuse refuses to make a session");
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	if (fuse_session_mount(fs->se, path))
		return vd_error_set(err, -EIO, "libfuse refuses the descriptor");
	(void)VD_TAKE_FD(fd); /* the session closes it */
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, serve, fs);
	pthread_attr_destroy(&attr);
	if (r)
		return vd_error_errno(err, -r, "cannot start a thread");
	(void)VD_TAKE_PTR(fs); /* serve() frees it */
	return 0;
}
