// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "treelist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* SHA-256: FIPS 180-4. */

static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void sha256_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6],
			i = h[7];

	for (int t = 0; t < 16; t++, p += 4)
		w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (int t = 16; t < 64; t++) {
		uint32_t s0 = ror(w[t - 15], 7) ^ ror(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = ror(w[t - 2], 17) ^ ror(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	for (int t = 0; t < 64; t++) {
		uint32_t t1 = i + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & f) ^ (~e & g)) +
			      sha256_k[t] + w[t];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));

		i = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
	h[5] += f;
	h[6] += g;
	h[7] += i;
}

void tree_sha256_init(struct tree_sha256 *s)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->h, start, sizeof(start));
	s->bytes = 0;
}

void tree_sha256_add(struct tree_sha256 *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t fill = s->bytes % 64;

	s->bytes += len;
	if (fill) {
		size_t n = len < 64 - fill ? len : 64 - fill;

		memcpy(s->block + fill, p, n);
		p += n;
		len -= n;
		if (fill + n < 64)
			return;
		sha256_block(s->h, s->block);
	}
	for (; len >= 64; p += 64, len -= 64)
		sha256_block(s->h, p);
	memcpy(s->block, p, len);
}

void tree_sha256_end(struct tree_sha256 *s, uint8_t out[32])
{
	uint64_t bits = s->bytes * 8;
	size_t fill = s->bytes % 64;

	s->block[fill++] = 0x80;
	if (fill > 56) {
		memset(s->block + fill, 0, 64 - fill);
		sha256_block(s->h, s->block);
		fill = 0;
	}
	memset(s->block + fill, 0, 56 - fill);
	for (int i = 0; i < 8; i++)
		s->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_block(s->h, s->block);
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void tree_digest_init(struct tree_digest *d)
{
	tree_sha256_init(&d->whole);
	tree_sha256_init(&d->chunks);
	d->size = 0;
	d->fill = 0;
}

static void put_le64(uint8_t out[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (8 * i));
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* One chunk, which ends at d->size. */
static void digest_chunk(struct tree_digest *d, const uint8_t *p, size_t len)
{
	uint8_t number[8];

	/* Beyond this the whole file's digest is not wanted any more. */
	if (d->size <= TREE_WHOLE_MAX)
		tree_sha256_add(&d->whole, p, len);
	if (all_zero(p, len))
		return;
	put_le64(number, (d->size - 1) / TREE_CHUNK);
	tree_sha256_add(&d->chunks, number, sizeof(number));
	tree_sha256_add(&d->chunks, p, len);
}

void tree_digest_add(struct tree_digest *d, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		size_t n = TREE_CHUNK - d->fill;

		if (n > len)
			n = len;
		d->size += n;
		if (n == TREE_CHUNK) { /* straight from the caller's buffer */
			digest_chunk(d, p, n);
		} else {
			memcpy(d->chunk + d->fill, p, n);
			d->fill += n;
			if (d->fill == TREE_CHUNK) {
				digest_chunk(d, d->chunk, TREE_CHUNK);
				d->fill = 0;
			}
		}
		p += n;
		len -= n;
	}
}

void tree_digest_end(struct tree_digest *d, char out[TREE_DIGEST_MAX])
{
	uint8_t sum[32], size[8];
	bool whole = d->size <= TREE_WHOLE_MAX;
	int n;

	if (d->fill)
		digest_chunk(d, d->chunk, d->fill);
	if (whole) {
		tree_sha256_end(&d->whole, sum);
	} else {
		put_le64(size, d->size);
		tree_sha256_add(&d->chunks, size, sizeof(size));
		tree_sha256_end(&d->chunks, sum);
	}
	n = snprintf(out, TREE_DIGEST_MAX, whole ? "sha256:" : "chunks:");
	for (int i = 0; i < 32; i++)
		n += snprintf(out + n, TREE_DIGEST_MAX - (size_t)n, "%02x", sum[i]);
}

/* Trees. */

int tree_add(struct tree *t, const struct tree_entry *e)
{
	struct tree_entry *to;

	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct tree_entry *p = realloc(t->entries, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		t->entries = p;
		t->room = room;
	}
	to = &t->entries[t->n];
	*to = *e;
	to->path = strdup(e->path);
	to->target = e->target ? strdup(e->target) : NULL;
	if (!to->path || (e->target && !to->target)) {
		free(to->path);
		free(to->target);
		return -ENOMEM;
	}
	t->n++;
	return 0;
}

/* By path; entries of one name (an image may have them) by what else they are, so that the order is no chance. */
static int by_path(const void *pa, const void *pb)
{
	const struct tree_entry *a = pa, *b = pb;
	int r = strcmp(a->path, b->path);

	if (!r)
		r = strcmp(a->digest, b->digest);
	if (!r)
		r = (a->mtime > b->mtime) - (a->mtime < b->mtime);
	return r;
}

void tree_sort(struct tree *t)
{
	if (t->n)
		qsort(t->entries, t->n, sizeof(*t->entries), by_path);
}

void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->entries[i].path);
		free(t->entries[i].target);
	}
	free(t->entries);
	memset(t, 0, sizeof(*t));
}

struct tree_entry *tree_find(const struct tree *t, const char *path)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = strcmp(t->entries[middle].path, path);

		if (!r)
			return &t->entries[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void tree_remove(struct tree *t, struct tree_entry *e)
{
	size_t i = (size_t)(e - t->entries);

	free(e->path);
	free(e->target);
	memmove(e, e + 1, (t->n - i - 1) * sizeof(*e));
	t->n--;
}

void tree_entry_from_stat(struct tree_entry *e, const struct stat *st)
{
	static const struct {
		mode_t mode;
		char type;
	} types[] = {
		{ S_IFDIR, 'd' }, { S_IFREG, 'f' },  { S_IFLNK, 'l' }, { S_IFIFO, 'p' },
		{ S_IFCHR, 'c' }, { S_IFSOCK, 's' }, { S_IFBLK, 'b' },
	};

	e->type = '?';
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if ((st->st_mode & S_IFMT) == types[i].mode)
			e->type = types[i].type;
	}
	e->mode = st->st_mode & 07777;
	e->nlink = (uint32_t)st->st_nlink;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->size = (uint64_t)st->st_size;
	e->mtime = st->st_mtim.tv_sec;
	if (e->type == 'c' || e->type == 'b') {
		e->major = major(st->st_rdev);
		e->minor = minor(st->st_rdev);
	}
}

void tree_error_text(int code, char out[TREE_DIGEST_MAX])
{
	const char *name = strerrorname_np(code < 0 ? -code : code);

	if (name)
		snprintf(out, TREE_DIGEST_MAX, "!%s", name);
	else
		snprintf(out, TREE_DIGEST_MAX, "!%d", code);
}

/* Reading a directory. */

struct walk {
	struct tree *tree;
	uint8_t *buf;
	struct tree_digest *digest;
	dev_t dev;
};

#define WALK_BUF (1u << 20)

static void walk_file(struct walk *w, int dir, const char *name, struct tree_entry *e)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0) {
		tree_error_text(errno, e->digest);
		return;
	}
	tree_digest_init(w->digest);
	while ((n = read(fd, w->buf, WALK_BUF)) > 0)
		tree_digest_add(w->digest, w->buf, (size_t)n);
	if (n < 0)
		tree_error_text(errno, e->digest);
	else
		tree_digest_end(w->digest, e->digest);
	/* What stat says and what read gives must be one size. */
	if (n == 0 && w->digest->size != e->size)
		snprintf(e->digest, sizeof(e->digest), "!read-%llu",
			 (unsigned long long)w->digest->size);
	close(fd);
}

static char *walk_link(int dir, const char *name, struct tree_entry *e)
{
	size_t room = 8192;
	char *target = malloc(room);
	ssize_t n;

	if (!target)
		return NULL;
	n = readlinkat(dir, name, target, room);
	if (n < 0) {
		tree_error_text(errno, e->digest);
		snprintf(target, room, "%s", e->digest);
	} else if ((size_t)n == room) {
		snprintf(target, room, "!ENAMETOOLONG");
	} else {
		target[n] = '\0';
	}
	return target;
}

/* Takes @fd. The directory's own entry is there already, at index @self. */
static int walk_dir(struct walk *w, int fd, const char *path, size_t self)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int r = 0;

	if (!d) {
		tree_error_text(errno, w->tree->entries[self].digest);
		close(fd);
		return 0;
	}
	while (!r && (errno = 0, de = readdir(d))) {
		struct tree_entry e = { 0 };
		struct stat st;
		int sub = -1;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (asprintf(&e.path, "%s%s%s", path, *path ? "/" : "", de->d_name) < 0) {
			r = -ENOMEM;
			break;
		}
		if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			e.type = '?';
			tree_error_text(errno, e.digest);
		} else {
			tree_entry_from_stat(&e, &st);
			if (e.type == 'f') {
				walk_file(w, dirfd(d), de->d_name, &e);
			} else if (e.type == 'l') {
				e.target = walk_link(dirfd(d), de->d_name, &e);
				if (!e.target)
					r = -ENOMEM;
			} else if (e.type == 'd' && st.st_dev == w->dev) {
				sub = openat(dirfd(d), de->d_name,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
				if (sub < 0)
					tree_error_text(errno, e.digest);
			}
		}
		if (!r)
			r = tree_add(w->tree, &e);
		if (!r && sub >= 0)
			r = walk_dir(w, sub, e.path, w->tree->n - 1);
		else if (sub >= 0)
			close(sub);
		free(e.path);
		free(e.target);
	}
	if (!r && errno)
		tree_error_text(errno, w->tree->entries[self].digest);
	closedir(d);
	return r;
}

int tree_walk(struct tree *t, const char *dir)
{
	struct walk w = { .tree = t };
	struct tree_entry root = { 0 };
	char dot[] = ".";
	struct stat st;
	int fd, r;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	w.dev = st.st_dev;
	w.buf = malloc(WALK_BUF);
	w.digest = malloc(sizeof(*w.digest));
	root.path = dot;
	tree_entry_from_stat(&root, &st);
	r = w.buf && w.digest ? tree_add(t, &root) : -ENOMEM;
	if (!r)
		r = walk_dir(&w, fd, "", t->n - 1);
	else
		close(fd);
	free(w.buf);
	free(w.digest);
	tree_sort(t);
	return r;
}

/* Text. */

static void put_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x21 || c == 0x7f || c == '\\')
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

static void put_entry(FILE *out, const struct tree_entry *e)
{
	put_escaped(out, e->path);
	fprintf(out, "\t%c\t%04o\t%u\t%u\t%u\t%llu\t%lld\t", e->type, e->mode, e->nlink, e->uid,
		e->gid, (unsigned long long)e->size, (long long)e->mtime);
	if (e->type == 'c' || e->type == 'b')
		fprintf(out, "%u:%u", e->major, e->minor);
	else
		putc('-', out);
	fprintf(out, "\t%s\t", e->digest[0] ? e->digest : "-");
	if (!e->target) {
		putc('-', out);
	} else if (!*e->target) { /* empty is not the same as none */
		fputs("\\x00", out);
	} else if (!strcmp(e->target, "-")) {
		fputs("\\x2d", out);
	} else {
		put_escaped(out, e->target);
	}
}

char *tree_entry_line(const struct tree_entry *e)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	put_entry(f, e);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int tree_write(const struct tree *t, FILE *out)
{
	for (size_t i = 0; i < t->n; i++) {
		put_entry(out, &t->entries[i]);
		putc('\n', out);
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* In place. "\x00" ends the text: no field has a NUL in it. */
static bool unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		unsigned int c;
		int used;

		if (*s != '\\') {
			*to++ = *s;
			continue;
		}
		if (sscanf(s, "\\x%2x%n", &c, &used) != 1 || used != 4)
			return false;
		*to++ = (char)c;
		s += 3;
	}
	*to = '\0';
	return true;
}

static bool parse_line(char *line, struct tree_entry *e)
{
	char *field[11], *next = line;
	unsigned long long size;
	long long mtime;
	int end;

	for (int i = 0; i < 11; i++) {
		field[i] = strsep(&next, "\t");
		if (!field[i])
			return false;
	}
	if (next || strlen(field[1]) != 1 || strlen(field[9]) >= sizeof(e->digest))
		return false;
	e->path = field[0];
	e->type = field[1][0];
	if (sscanf(field[2], "%o%n", &e->mode, &end) != 1 || field[2][end] ||
	    sscanf(field[3], "%u%n", &e->nlink, &end) != 1 || field[3][end] ||
	    sscanf(field[4], "%u%n", &e->uid, &end) != 1 || field[4][end] ||
	    sscanf(field[5], "%u%n", &e->gid, &end) != 1 || field[5][end] ||
	    sscanf(field[6], "%llu%n", &size, &end) != 1 || field[6][end] ||
	    sscanf(field[7], "%lld%n", &mtime, &end) != 1 || field[7][end])
		return false;
	e->size = size;
	e->mtime = mtime;
	if (strcmp(field[8], "-") && sscanf(field[8], "%u:%u", &e->major, &e->minor) != 2)
		return false;
	if (strcmp(field[9], "-"))
		strcpy(e->digest, field[9]);
	e->target = strcmp(field[10], "-") ? field[10] : NULL;
	return unescape(e->path) && (!e->target || unescape(e->target));
}

int tree_read(struct tree *t, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int r = 0;

	while (!r && (n = getline(&line, &room, in)) > 0) {
		struct tree_entry e = { 0 };

		if (line[n - 1] != '\n') {
			r = -EUCLEAN; /* cut off */
			break;
		}
		line[n - 1] = '\0';
		r = parse_line(line, &e) ? tree_add(t, &e) : -EUCLEAN;
	}
	if (!r && ferror(in))
		r = -EIO;
	free(line);
	tree_sort(t);
	return r;
}
