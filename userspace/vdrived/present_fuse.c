// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A drive as files, through libfuse's low-level interface.
 *
 *   VD_SESSION_DRIVE  NAME/  disc.iso, disc.bin, disc.cue, tracks/, files/, sessions/, attr/   (optical)
 *                            disk, attr/                                                       (disk)
 *   VD_SESSION_FILES  DIR    what files/ holds; of a disc without a file system what tracks/ does
 *
 * Node ids need no table. A file system's inode number is its node id, but for the root of a FILES session, which FUSE
 * calls 1. What we make up ourselves (NAME/ but files/) has bit 62 set. Below sessions/, bits 56 to 61 say whose file system it
 * is: 0 is that of files/. So nothing is remembered for the kernel's sake, `forget` has nothing to do, and a
 * million files cost a reader no memory.
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
#define NODE_BIN (OWN | 3)
#define NODE_CUE (OWN | 4)
#define NODE_CDT (OWN | 5)
#define NODE_TRACKS (OWN | 6)
#define NODE_SESSIONS (OWN | 7)
#define NODE_FILES (OWN | 8) /* stands for the root of the file system */
#define NODE_ATTR(i) (OWN | (0x100 + (uint64_t)(i)))
#define NODE_TRACK(n) (OWN | (0x1000 + (uint64_t)(n)))

#define SESSION_SHIFT 56
#define SESSION_MASK 0x3fu

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
	return (node & OWN) ||
	       (node == FUSE_ROOT_ID && (fs->kind == VD_SESSION_DRIVE || !fs->served->fs));
}

/* The root of a FILES session without a file system is tracks/. */
static fuse_ino_t own_node(const struct vd_fuse_session *fs, fuse_ino_t node)
{
	return node == FUSE_ROOT_ID && fs->kind == VD_SESSION_FILES ? NODE_TRACKS : node;
}

/* The number in bits 56 to 61 of a node: 0, or 1 + an index into views.sessions. */
static unsigned int session_tag(fuse_ino_t node)
{
	return node == FUSE_ROOT_ID ? 0 : (unsigned int)(node >> SESSION_SHIFT) & SESSION_MASK;
}

/* The file system that a node belongs to; NULL for one that we never gave out. */
static struct vd_fs *fs_of(const struct vd_fuse_session *fs, fuse_ino_t node)
{
	struct vd_served *s = fs->served;
	unsigned int tag = session_tag(node);

	if (!tag)
		return s->fs;
	/* What gave the node out has seen to it that they are open. */
	return tag <= VD_VIEWS_SESSIONS ? s->views.sessions[tag - 1].fs : NULL;
}

static uint64_t to_ino(const struct vd_fuse_session *fs, fuse_ino_t node)
{
	return node == FUSE_ROOT_ID ? fs->served->fs->root
				    : node & ~((uint64_t)SESSION_MASK << SESSION_SHIFT);
}

static fuse_ino_t to_node(const struct vd_fuse_session *fs, unsigned int tag, uint64_t ino)
{
	if (tag)
		return ino | (uint64_t)tag << SESSION_SHIFT;
	return fs->kind == VD_SESSION_FILES && ino == fs->served->fs->root ? FUSE_ROOT_ID : ino;
}

static const struct vd_attribute *attribute_of(const struct vd_served *s, fuse_ino_t node)
{
	uint64_t i = (node & ~OWN) - 0x100;

	return (node & OWN) && i < vd_nattributes && vd_attribute_applies(&vd_attributes[i], s)
		       ? &vd_attributes[i]
		       : NULL;
}

/* The files that show a disc: which view of it a node is. */
static bool view_of(const struct vd_served *s, fuse_ino_t node, enum vd_view *view, int *track)
{
	static const enum vd_view views[] = { VD_VIEW_ISO, VD_VIEW_BIN, VD_VIEW_CUE, VD_VIEW_CDT };

	*track = 0;
	if (s->store)
		return false;
	if (node >= NODE_MEDIUM && node <= NODE_CDT) {
		*view = views[node - NODE_MEDIUM];
	} else if (node >= NODE_TRACK(0) && node <= NODE_TRACK(VD_TRACKS_MAX)) {
		*view = VD_VIEW_TRACK;
		*track = (int)(node - NODE_TRACK(0));
	} else {
		return false;
	}
	return true;
}

/* Attributes. */

static int own_stat(const struct vd_fuse_session *fs, fuse_ino_t node, struct stat *st)
{
	const struct vd_served *s = fs->served;
	const struct vd_attribute *a = attribute_of(s, node);
	enum vd_view view;
	int track;

	*st = (struct stat){ .st_ino = node & ~OWN,
			     .st_nlink = 1,
			     .st_uid = s->state.uid,
			     .st_gid = s->state.gid,
			     .st_blksize = 4096 };
	st->st_mtime = st->st_ctime = st->st_atime = s->state.started;
	if (node == FUSE_ROOT_ID || node == NODE_ATTR_DIR ||
	    (node == NODE_TRACKS && s->views.nwav) ||
	    (node == NODE_SESSIONS && s->fs && s->fs->nsessions > 1)) {
		st->st_mode = S_IFDIR | 0555;
		st->st_nlink = 2;
	} else if (node == NODE_MEDIUM && s->store) {
		st->st_mode = S_IFREG | (atomic_load(&s->read_only) ? 0444 : 0644);
		st->st_size = (off_t)s->store->size;
		st->st_blocks = st->st_size / 512;
	} else if (view_of(s, node, &view, &track)) {
		st->st_mode = S_IFREG | 0444;
		st->st_size = (off_t)vd_view_size(&s->views, view, track);
		st->st_blocks = (st->st_size + 511) / 512;
		if (!st->st_size)
			return -ENOENT;
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

static void fs_entry(const struct vd_fuse_session *fs, unsigned int tag, const struct vd_fs_attr *a,
		     struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ .ino = to_node(fs, tag, a->ino),
					.attr_timeout = FOREVER,
					.entry_timeout = FOREVER };
	fs_stat(a, &e->attr);
	e->attr.st_ino |= (uint64_t)tag << SESSION_SHIFT;
}

static int own_entry(const struct vd_fuse_session *fs, fuse_ino_t node, struct fuse_entry_param *e)
{
	enum vd_view view;
	int track;

	*e = (struct fuse_entry_param){ .ino = node, .entry_timeout = FOREVER };
	if (view_of(fs->served, node, &view, &track))
		e->attr_timeout = FOREVER;
	return own_stat(fs, node, &e->attr);
}

/* The root of a file system, in a DRIVE session. */
static int root_entry(const struct vd_fuse_session *fs, struct vd_fs *one, unsigned int tag,
		      struct fuse_entry_param *e)
{
	struct vd_fs_attr a;
	int r = one ? vd_fs_getattr(one, one->root, &a) : -ENOENT;

	if (!r)
		fs_entry(fs, tag, &a, e);
	return r;
}

/* sessions/N. */
static int session_entry(const struct vd_fuse_session *fs, int number, struct fuse_entry_param *e)
{
	struct vd_served *s = fs->served;
	int n;

	if (s->fs && number == s->fs->session)
		return root_entry(fs, s->fs, 0, e);
	vd_fuse_loop_will_wait();
	n = vd_views_sessions(&s->views, s->fs, &s->fs_options);
	for (int i = 0; i < n; i++)
		if (s->views.sessions[i].number == number)
			return root_entry(fs, s->views.sessions[i].fs, (unsigned int)i + 1, e);
	return -ENOENT;
}

/* What a directory of our own may have, one after the other; what there is of it, own_child() tells. */

#define NAME_MAX_OWN 32

struct own_name {
	const char *name;
	fuse_ino_t node;
	bool disk, disc;
};

static const struct own_name top_names[] = {
	{ "disk", NODE_MEDIUM, .disk = true },
	{ "disc.iso", NODE_MEDIUM, .disc = true },
	{ "disc.bin", NODE_BIN, .disc = true },
	{ "disc.cue", NODE_CUE, .disc = true },
	{ "disc.cdt", NODE_CDT, .disc = true },
	{ "tracks", NODE_TRACKS, .disc = true },
	{ "attr", NODE_ATTR_DIR, .disk = true, .disc = true },
	{ "sessions", NODE_SESSIONS, .disc = true },
	{ "files", NODE_FILES, .disc = true },
};

/* 0; -ERANGE: there are no more. The name is set even when the child does not exist. */
static int own_child_name(const struct vd_fuse_session *fs, fuse_ino_t dir, uint64_t i,
			  char name[NAME_MAX_OWN])
{
	switch (own_node(fs, dir)) {
	case FUSE_ROOT_ID:
		if (i >= VD_ARRAY_SIZE(top_names))
			return -ERANGE;
		snprintf(name, NAME_MAX_OWN, "%s", top_names[i].name);
		return 0;
	case NODE_TRACKS:
		snprintf(name, NAME_MAX_OWN, "%02u.wav", (unsigned int)i % 100);
		return i <= VD_TRACKS_MAX ? 0 : -ERANGE;
	case NODE_SESSIONS:
		snprintf(name, NAME_MAX_OWN, "%u", (unsigned int)i + 1);
		return i < 99 ? 0 : -ERANGE;
	case NODE_ATTR_DIR:
		if (i >= vd_nattributes)
			return -ERANGE;
		snprintf(name, NAME_MAX_OWN, "%s", vd_attributes[i].name);
		return 0;
	}
	return -ENOTDIR;
}

static int own_child(const struct vd_fuse_session *fs, fuse_ino_t dir, uint64_t i,
		     struct fuse_entry_param *e)
{
	const struct vd_served *s = fs->served;

	switch (own_node(fs, dir)) {
	case FUSE_ROOT_ID:
		if (!(s->store ? top_names[i].disk : top_names[i].disc))
			return -ENOENT;
		return top_names[i].node == NODE_FILES ? root_entry(fs, s->fs, 0, e)
						       : own_entry(fs, top_names[i].node, e);
	case NODE_TRACKS:
		return own_entry(fs, NODE_TRACK(i), e);
	case NODE_SESSIONS:
		return session_entry(fs, (int)i + 1, e);
	default:
		return vd_attribute_applies(&vd_attributes[i], s) ? own_entry(fs, NODE_ATTR(i), e)
								  : -ENOENT;
	}
}

static int own_lookup(const struct vd_fuse_session *fs, fuse_ino_t dir, const char *name,
		      struct fuse_entry_param *e)
{
	char text[NAME_MAX_OWN];
	int r;

	for (uint64_t i = 0; !(r = own_child_name(fs, dir, i, text)); i++)
		if (!strcmp(text, name)) {
			r = own_child(fs, dir, i, e);
			if (r != -ENOENT)
				return r;
		}
	return r == -ERANGE ? -ENOENT : r;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct vd_fuse_session *fs = session_of(req);
	struct fuse_entry_param e;
	int r;

	if (is_own(fs, parent)) {
		r = own_lookup(fs, parent, name, &e);
	} else {
		struct vd_fs *one = fs_of(fs, parent);
		struct vd_fs_attr a;

		r = one ? vd_fs_lookup(one, to_ino(fs, parent), name, strlen(name), &a) : -ESTALE;
		if (!r) {
			fs_entry(fs, session_tag(parent), &a, &e);
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
	struct vd_fs *one;
	struct vd_fs_attr a;
	int r;

	*timeout = 0;
	if (is_own(fs, node))
		return own_stat(fs, own_node(fs, node), st);
	one = fs_of(fs, node);
	r = one ? vd_fs_getattr(one, to_ino(fs, node), &a) : -ESTALE;
	if (!r) {
		fs_stat(&a, st);
		st->st_ino |= (uint64_t)session_tag(node) << SESSION_SHIFT;
	}
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
	struct vd_fs *one = is_own(fs, node) ? NULL : fs_of(fs, node);
	int r = one ? vd_fs_readlink(one, to_ino(fs, node), target, sizeof(target)) : -EINVAL;

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
	unsigned int tag;
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
	fs_entry(d->fs, d->tag, attr, &e);
	/* Damaged: it has a name and nothing else. Without a node the kernel asks again when somebody wants it. */
	if (!(attr->mode & S_IFMT))
		e.ino = 0;
	return put_entry(d, text, &e, (off_t)next + 2) ? 0 : 1;
}

static int fill_own(struct dirbuf *d, fuse_ino_t dir, uint64_t pos)
{
	struct fuse_entry_param e;
	char name[NAME_MAX_OWN];
	int r;

	for (uint64_t i = pos; !(r = own_child_name(d->fs, dir, i, name)); i++) {
		r = own_child(d->fs, dir, i, &e);
		if (r == -ENOENT)
			continue;
		if (r)
			return r;
		if (!put_entry(d, name, &e, (off_t)i + 3))
			return 0;
	}
	return r == -ERANGE ? 0 : r;
}

static void read_directory(fuse_req_t req, fuse_ino_t dir, size_t size, off_t off, bool plus)
{
	struct vd_fuse_session *fs = session_of(req);
	_cleanup_free_ char *mem = malloc(size);
	struct dirbuf d = { .req = req, .fs = fs, .mem = mem, .size = size, .plus = plus };
	const bool own = is_own(fs, dir);
	struct vd_fs *one = own ? NULL : fs_of(fs, dir);
	uint64_t ino = own ? dir & ~OWN : to_ino(fs, dir);
	int r = mem ? 0 : -ENOMEM;

	if (!r && !own && !one)
		r = -ESTALE;
	d.tag = session_tag(dir);

	if (!r && off < 1 && !put_dot(&d, ".", ino, 1))
		r = -EINVAL;
	if (!r && off < 2 && put_dot(&d, "..", (uint64_t)-1, 2))
		off = 2;
	if (!r && off >= 2) {
		uint64_t pos = (uint64_t)off - 2;

		r = own ? fill_own(&d, dir, pos) : vd_fs_readdir(one, ino, pos, fill_fs, &d);
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
	enum vd_view view;
	int track, r = 0;

	if (fs->kind == VD_SESSION_FILES) {
		fuse_reply_err(req, ENOSYS); /* and never asked again */
		return;
	}
	if (a)
		r = open_attr(s, a, fi);
	else if (node == NODE_MEDIUM)
		r = writes && atomic_load(&s->read_only) ? -EROFS : 0;
	else if (view_of(s, node, &view, &track))
		r = writes ? -EROFS : 0;
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
	struct vd_fs *f = fs_of(fs, node);
	struct place *p = &places[(node >> 5 ^ node) % PLACES];
	int r;

	if (!f)
		return -ESTALE;
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

static ssize_t read_view(struct vd_served *s, bool disk, enum vd_view view, int track, void *buf,
			 size_t size, uint64_t off)
{
	uint64_t end = disk ? s->store->size : vd_view_size(&s->views, view, track), start;
	int r;

	if (off >= end)
		return 0;
	if (size > end - off)
		size = (size_t)(end - off);
	if (disk || view == VD_VIEW_ISO) {
		r = vd_served_pread(s, buf, size, off);
	} else {
		vd_io_begin(s, &start);
		r = vd_view_pread(&s->views, view, track, buf, size, off);
		vd_io_end(s, &s->reads, start, size, r);
	}
	return r ? r : (ssize_t)size;
}

static void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct vd_fuse_session *fs = session_of(req);
	struct vd_served *s = fs->served;
	char *buf = thread_buffer();
	enum vd_view view = VD_VIEW_ISO;
	int track;
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
	if (view_of(s, node, &view, &track) || node == NODE_MEDIUM) {
		n = read_view(s, node == NODE_MEDIUM && s->store, view, track, buf, size,
			      (uint64_t)off);
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
	if (fs->kind == VD_SESSION_FILES && fs->served->fs) {
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
	conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ |
				  FUSE_CAP_AUTO_INVAL_DATA);
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
	if (kind == VD_SESSION_FILES && !s->fs && !s->views.nwav)
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
