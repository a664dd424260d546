// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "isogen.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "util/cleanup.h"

/*
 * Source trees. A builder works in the current folder of the tree's root through these; the first failure is kept
 * and the rest does nothing, so that the builders are lists of what is in the tree.
 */
struct source {
	int root; /* its descriptor */
	bool devices;
	int error;
	char failed[256]; /* on what */
	uint32_t seed;
};

static bool source_failed(struct source *s, const char *path, bool failed)
{
	if (failed && !s->error) {
		s->error = -errno;
		snprintf(s->failed, sizeof(s->failed), "%.200s", path);
	}
	return s->error;
}

static void put_dir(struct source *s, const char *path, mode_t mode)
{
	if (!s->error && !source_failed(s, path, mkdirat(s->root, path, 0700) < 0))
		source_failed(s, path, fchmodat(s->root, path, mode, 0) < 0);
}

/* Bytes that no compressor likes and that differ from file to file (xorshift32). */
static void fill_random(struct source *s, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		s->seed ^= s->seed << 13;
		s->seed ^= s->seed >> 17;
		s->seed ^= s->seed << 5;
		buf[i] = (uint8_t)(s->seed >> 24);
	}
}

static void put_bytes(struct source *s, const char *path, const void *data, size_t len, mode_t mode)
{
	_cleanup_close_ int fd = -1;

	if (s->error)
		return;
	fd = openat(s->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (source_failed(s, path, fd < 0))
		return;
	while (len) {
		ssize_t n = write(fd, data, len);

		if (source_failed(s, path, n < 0))
			return;
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	source_failed(s, path, fchmod(fd, mode) < 0);
}

static void put_file(struct source *s, const char *path, size_t len)
{
	_cleanup_free_ uint8_t *data = malloc(len + 1);

	if (!data)
		abort();
	fill_random(s, data, len);
	put_bytes(s, path, data, len, 0644);
}

static void put_text(struct source *s, const char *path, const char *text)
{
	put_bytes(s, path, text, strlen(text), 0644);
}

static void put_link(struct source *s, const char *target, const char *path)
{
	if (!s->error)
		source_failed(s, path, symlinkat(target, s->root, path) < 0);
}

static void put_node(struct source *s, const char *path, mode_t mode, dev_t dev)
{
	if (s->error || ((S_ISCHR(mode) || S_ISBLK(mode)) && !s->devices))
		return;
	if (!source_failed(s, path, mknodat(s->root, path, mode, dev) < 0))
		source_failed(s, path, fchmodat(s->root, path, mode & 07777, 0) < 0);
}

static void put_owner(struct source *s, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	if (s->error || geteuid())
		return;
	source_failed(s, path, fchownat(s->root, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0);
	source_failed(s, path, fchmodat(s->root, path, mode, 0) < 0);
}

static void put_time(struct source *s, const char *path, time_t mtime)
{
	struct timespec t[2] = { { .tv_sec = 1000000000 }, { .tv_sec = mtime } };

	if (!s->error)
		source_failed(s, path, utimensat(s->root, path, t, AT_SYMLINK_NOFOLLOW) < 0);
}

static time_t utc(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour,
			 .tm_min = minute,
			 .tm_sec = second };

	return timegm(&tm);
}

/* 20 directories within each other: more than the 8 of ECMA-119, 6.8.2.1, so that Rock Ridge may relocate some. */
static void source_deep(struct source *s)
{
	char path[1024] = "", file[1100];
	size_t n = 0;

	put_text(s, "top.txt", "level 0\n");
	for (int level = 1; level <= 20; level++) {
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%slevel%02d", n ? "/" : "",
				      level);
		put_dir(s, path, 0755);
		snprintf(file, sizeof(file), "%s/file.txt", path);
		put_file(s, file, (size_t)level * 300);
		snprintf(file, sizeof(file), "%s/side", path);
		put_dir(s, file, 0755);
		snprintf(file, sizeof(file), "%s/side/leaf%02d.txt", path, level);
		put_file(s, file, (size_t)level);
	}
}

/* Each name is a sentence in its script, so that a wrong byte is seen. The last ones need surrogates in UTF-16. */
static const char *const scripts[] = {
	"Straße nach Ålesund, déjà vu.txt",
	"Быстрая коричневая лиса.txt",
	"Γρήγορη καφέ αλεπού.txt",
	"素早い茶色の狐.txt",
	"الثعلب البني السريع.txt",
	"השועל החום המהיר.txt",
	"तेज़ भूरी लोमड़ी.txt",
	"빠른 갈색 여우.txt",
	"cafe\xcc\x81 decomposed.txt",
};

static const char *const beyond_bmp[] = { "\xf0\x9f\xa6\x8a fox \xf0\x9d\x94\xb8.txt" };

/* A name of @bytes bytes that begins with @begin and repeats @unit. */
static void long_name(char *out, size_t bytes, const char *begin, const char *unit)
{
	size_t n = (size_t)snprintf(out, bytes + 1, "%s", begin);

	while (n + strlen(unit) <= bytes)
		n += (size_t)snprintf(out + n, bytes + 1 - n, "%s", unit);
	while (n < bytes)
		out[n++] = 'x';
	out[n] = '\0';
}

static void source_names(struct source *s)
{
	/* Names that shells, terminals and mappings trip over, and all lengths at which a record or area fills up. */
	static const char *const odd[] = {
		"with space",
		" leading",
		"trailing ",
		"-dash",
		"tab\there",
		"new\nline",
		"quote\"'`",
		"back\\slash",
		"semi;1",
		"semi;colon;2",
		"dot.",
		"two..dots",
		".hidden",
		"...",
		"UPPER",
		"a.b.c.d.tar.gz",
		"star*question?",
		"colon:name",
		"percent%41",
		"\x01\x1b[31mred",
		"#~tilde",
		"\xc3\xa4",
		"nbsp\xc2\xa0here",
	};
	static const int lengths[] = { 8,   30,	 31,  37,  63,	64,  65,  96,  103,
				       104, 127, 128, 150, 180, 190, 200, 206, 207,
				       208, 220, 240, 247, 248, 250, 254, 255 };
	char name[300], path[600];

	for (size_t i = 0; i < VD_ARRAY_SIZE(odd); i++)
		put_text(s, odd[i], odd[i]);
	for (size_t i = 0; i < VD_ARRAY_SIZE(scripts); i++)
		put_text(s, scripts[i], scripts[i]);
	for (size_t i = 0; i < VD_ARRAY_SIZE(beyond_bmp); i++)
		put_text(s, beyond_bmp[i], beyond_bmp[i]);
	put_dir(s, "lengths", 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(lengths); i++) {
		long_name(name, (size_t)lengths[i], "L", "0123456789");
		name[0] = (char)('A' + i); /* so that no two share what a cut leaves */
		snprintf(path, sizeof(path), "lengths/%s", name);
		put_text(s, path, name);
	}
	put_dir(s, "unicode lengths", 0755);
	long_name(name, 255, "", "\xe7\x8b\x90"); /* 85 characters of 3 bytes */
	snprintf(path, sizeof(path), "unicode lengths/%s", name);
	put_text(s, path, "85 characters");
	/* Elsewhere: where only plain names are left, both would be underscores and no more. */
	put_dir(s, "more lengths", 0755);
	long_name(name, 254, "", "\xd0\x96"); /* 127 of 2 */
	snprintf(path, sizeof(path), "more lengths/%s", name);
	put_dir(s, path, 0755);
	strcat(path, "/inside");
	put_text(s, path, "in a directory with a name of 254 bytes");
}

/* Names that every Joliet level and length holds, in one plane. */
static void source_joliet(struct source *s)
{
	char name[300], path[600];

	for (size_t i = 0; i < VD_ARRAY_SIZE(scripts); i++)
		put_text(s, scripts[i], scripts[i]);
	long_name(name, 60, "", "\xd0\x96");
	put_dir(s, name, 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(scripts); i++) {
		snprintf(path, sizeof(path), "%s/%s", name, scripts[i]);
		put_file(s, path, i * 1000);
	}
	put_text(s, "no extension", "1");
	put_text(s, "UPPER.TXT", "2");
	put_text(s, "MiXeD.TxT", "3");
	put_text(s, "many.dots.in.here", "4");
}

static void source_posix_common(struct source *s)
{
	static const size_t sizes[] = { 0,    1,    2,	  2047,	 2048,	2049,  4095,
					4096, 4097, 6144, 65535, 65536, 65537, 300000 };
	static const struct {
		const char *name;
		int year, month, day, hour, minute, second;
	} times[] = {
		{ "1902", 1902, 1, 2, 3, 4, 5 },
		{ "1969 last", 1969, 12, 31, 23, 59, 59 },
		{ "1970 first", 1970, 1, 1, 0, 0, 0 },
		{ "1999", 1999, 12, 31, 23, 59, 59 },
		{ "2000 leap", 2000, 2, 29, 12, 0, 0 },
		{ "2038 last", 2038, 1, 19, 3, 14, 7 },
		{ "2038 over", 2038, 1, 19, 3, 14, 8 },
		{ "2106 over", 2106, 2, 7, 6, 28, 16 },
		{ "2155 late", 2155, 12, 30, 23, 59, 59 },
	};
	static const mode_t modes[] = { 0000, 0400,  0444,  0600,  0644,  0777,
					0711, 01644, 02755, 04755, 06711, 07777 };
	static const char *const targets[] = {
		"plain",
		"dir/file",
		"../up",
		"../../up/two",
		"./here",
		"./../here",
		"/",
		"/absolute",
		"/absolute/../odd",
		"..",
		".",
		"a/./b",
		"a/../b",
		"a/b/",
		"with space/\xc3\xa9",
		"dangling",
		"-",
	};
	char path[5000], part[300];
	size_t n;

	put_dir(s, "sizes", 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(sizes); i++) {
		snprintf(path, sizeof(path), "sizes/%06zu", sizes[i]);
		put_file(s, path, sizes[i]);
	}
	put_dir(s, "times", 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(times); i++) {
		snprintf(path, sizeof(path), "times/%s", times[i].name);
		put_text(s, path, path);
		put_time(s, path,
			 utc(times[i].year, times[i].month, times[i].day, times[i].hour,
			     times[i].minute, times[i].second));
	}
	put_dir(s, "modes", 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(modes); i++) {
		/* Only root could put it into an image. */
		if (geteuid() && !(modes[i] & 0400))
			continue;
		snprintf(path, sizeof(path), "modes/f%04o", modes[i]);
		put_bytes(s, path, path, strlen(path), modes[i]);
		snprintf(path, sizeof(path), "modes/d%04o", modes[i]);
		put_dir(s, path, modes[i]);
	}
	put_bytes(s, "modes/owned", "o", 1, 0640);
	put_owner(s, "modes/owned", 1234, 65534, 0640);
	put_bytes(s, "modes/high", "h", 1, 0640);
	put_owner(s, "modes/high", 4000000000u, 3000000000u, 02640);

	put_dir(s, "links", 0755);
	for (size_t i = 0; i < VD_ARRAY_SIZE(targets); i++) {
		snprintf(path, sizeof(path), "links/%02zu", i);
		put_link(s, targets[i], path);
	}
	long_name(part, 250, "c", "0123456789");
	put_link(s, part, "links/long component");
	n = 0;
	for (int i = 0; i < 150; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "../");
	snprintf(path + n, sizeof(path) - n, "end");
	put_link(s, path, "links/many components");

	put_dir(s, "hard", 0755);
	put_file(s, "hard/one", 5000);
	if (!s->error) {
		put_dir(s, "hard/elsewhere", 0755);
		source_failed(s, "hard/two",
			      linkat(s->root, "hard/one", s->root, "hard/two", 0) < 0);
		source_failed(s, "hard/three",
			      linkat(s->root, "hard/one", s->root, "hard/elsewhere/three", 0) < 0);
	}
	put_dir(s, "empty", 0755);
	put_dir(s, "empty/dir", 0755);
	put_dir(s, "empty/dir/in dir", 0700);
	put_text(s, "empty/file", "");
	put_dir(s, "nodes", 0755);
	put_node(s, "nodes/fifo", S_IFIFO | 0640, 0);
	put_node(s, "nodes/socket", S_IFSOCK | 0755, 0);
	put_node(s, "nodes/null", S_IFCHR | 0666, makedev(1, 3));
	put_node(s, "nodes/disk", S_IFBLK | 0660, makedev(8, 17));
	put_node(s, "nodes/far", S_IFCHR | 0600, makedev(511, 255));
}

/* A target that needs several SL fields, with a component split between two; libisofs takes 1023 bytes at most. */
static void put_long_target(struct source *s)
{
	char part[260], path[1024];
	size_t n = 0;

	long_name(part, 250, "c", "0123456789");
	for (int i = 0; i < 3; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s/", part);
	snprintf(path + n, sizeof(path) - n, "end");
	put_link(s, path, "links/long target");
}

static void source_posix(struct source *s)
{
	source_posix_common(s);
	put_long_target(s);
	put_link(s, "...", "links/dots");
	put_link(s, "..a/.b", "links/dots and more");
}

/* genisoimage 1.1.11 leaves the last SL of a long target marked as continued: no reader takes that. */
static void source_posix_genisoimage(struct source *s)
{
	source_posix_common(s);
	put_link(s, "...", "links/dots");
	put_link(s, "..a/.b", "links/dots and more");
}

/* makefs 20190105 never ends on a target with a component that only begins with two dots. */
static void source_posix_makefs(struct source *s)
{
	source_posix_common(s);
	put_long_target(s);
}

static void source_many(struct source *s)
{
	char path[64];

	put_dir(s, "many", 0755);
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "many/file-%05d.txt", i);
		put_text(s, path, path + 5);
	}
}

/* 4.5 GB of nothing with a mark at each place where a 31- or 32-bit size, or an extent, ends. */
static void source_big(struct source *s)
{
	static const uint64_t marks[] = { 0,
					  0x7ffffffeull,
					  0xfffff7feull,
					  0xffffeffeull,
					  0xfffffffeull,
					  4400000000ull,
					  4499999996ull };
	_cleanup_close_ int fd = -1;

	fd = openat(s->root, "big.bin", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (source_failed(s, "big.bin", fd < 0 || ftruncate(fd, 4500000000) < 0))
		return;
	for (size_t i = 0; i < VD_ARRAY_SIZE(marks); i++) {
		char text[5];

		snprintf(text, sizeof(text), "MRK%zu", i);
		source_failed(s, "big.bin", pwrite(fd, text, 4, (off_t)marks[i]) != 4);
	}
	put_text(s, "after.txt", "a file after it\n");
	put_text(s, "before.txt", "a file before it\n");
}

/* What zisofs makes something of: text, whole blocks of zeros, and what gets longer when compressed. */
static void source_compressed(struct source *s)
{
	size_t room = 1u << 20, n = 0;
	_cleanup_free_ char *text = malloc(room);
	_cleanup_free_ uint8_t *mixed = calloc(1, 500000);

	if (!text || !mixed)
		abort();
	for (int i = 0; n < 900000; i++)
		n += (size_t)snprintf(text + n, room - n,
				      "line %d of a text that compresses well\n", i * 7919);
	put_bytes(s, "text", text, n, 0644);
	put_bytes(s, "text one block", text, 32768, 0644);
	put_bytes(s, "text one more byte", text, 32769, 0644);
	put_bytes(s, "text small", text, 5000, 0644);
	put_bytes(s, "text 128k", text, 131072, 0644);
	put_file(s, "random", 200000);
	put_bytes(s, "zeros", mixed, 400000, 0644);
	memcpy(mixed + 300000, text, 100000);
	fill_random(s, mixed + 100000, 50000);
	put_bytes(s, "mixed", mixed, 500000, 0644);
	put_bytes(s, "empty", "", 0, 0644);
	put_file(s, "one byte", 1);
	put_dir(s, "dir", 0755);
	put_bytes(s, "dir/text", text, 100000, 0600);
}

/* Names of 8.3 in capitals: what plain ISO 9660 of level 1 holds without a change. */
static void source_plain(struct source *s)
{
	put_text(s, "readme.txt", "read me");
	put_text(s, "noext", "no extension");
	put_file(s, "12345678.123", 12345);
	put_file(s, "a_b_c.d_e", 2048);
	put_text(s, "empty", "");
	put_dir(s, "dir", 0755);
	put_dir(s, "dir/sub", 0755);
	put_dir(s, "dir/none", 0755);
	put_text(s, "dir/sub/file.c", "int main;");
	put_file(s, "dir/big", 100000);
	for (int i = 0; i < 100; i++) { /* a directory of more than one block */
		char path[64];

		snprintf(path, sizeof(path), "dir/sub/f%03d.dat", i);
		put_file(s, path, (size_t)i * 10);
	}
}

/* Names that only the higher levels hold. */
static void source_levels(struct source *s)
{
	char name[300];

	source_plain(s);
	put_text(s, "A name of thirty one chars.txt", "31");
	put_text(s, "mixed.Case.and.Many.Dots", "dots");
	put_text(s, "plus+minus-comma,", "characters");
	long_name(name, 200, "long", "0123456789");
	put_text(s, name, "long");
	put_dir(s, "Directory With A Long Name", 0755);
	put_text(s, "Directory With A Long Name/in.it", "x");
}

static void session_base(struct source *s)
{
	put_text(s, "kept.txt", "from the first session\n");
	put_text(s, "changed.txt", "first\n");
	put_dir(s, "dir", 0755);
	put_file(s, "dir/old.bin", 30000);
}

static void source_session1(struct source *s)
{
	session_base(s);
	put_text(s, "which", "1");
}

static void source_session2(struct source *s)
{
	session_base(s);
	put_text(s, "which", "22");
	put_text(s, "dir/second.txt", "second\n");
	put_dir(s, "new", 0755);
	put_file(s, "new/file", 5000);
}

static void source_session3(struct source *s)
{
	session_base(s);
	put_text(s, "which", "333");
	put_text(s, "dir/second.txt", "second\n");
	put_dir(s, "new", 0755);
	put_file(s, "new/file", 5000);
	put_link(s, "../kept.txt", "new/link");
	put_file(s, "third.bin", 70000);
}

static const struct {
	const char *name;
	void (*build)(struct source *s);
} sources[] = {
	{ "deep", source_deep },
	{ "names", source_names },
	{ "joliet", source_joliet },
	{ "posix", source_posix },
	{ "posix-genisoimage", source_posix_genisoimage },
	{ "posix-makefs", source_posix_makefs },
	{ "many", source_many },
	{ "big", source_big },
	{ "compressed", source_compressed },
	{ "plain", source_plain },
	{ "levels", source_levels },
	{ "session1", source_session1 },
	{ "session2", source_session2 },
	{ "session3", source_session3 },
};

bool isogen_devices(const char *work)
{
	char path[PATH_MAX];
	bool can;

	snprintf(path, sizeof(path), "%s/.device", work);
	can = mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0;
	if (can)
		unlink(path);
	return can;
}

/*
 * What has been made just now gets a time in 2001 to 2017 that depends on its path; what a builder has set stays.
 * Afterwards, because a folder's time changes with what is put into it.
 */
static time_t settle_start;

static int settle(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct timespec t[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	uint32_t hash = 2166136261u;

	if (st->st_mtime < settle_start - 5 || st->st_mtime > time(NULL) + 5)
		return 0;
	for (const char *p = path; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	t[1].tv_sec += hash % 500000000;
	return utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
}

bool isogen_source(const char *work, const char *name)
{
	struct source s = { .seed = 2463534242u };
	char path[PATH_MAX];
	_cleanup_close_ int root = -1;
	size_t i = 0;

	while (i < VD_ARRAY_SIZE(sources) && strcmp(sources[i].name, name))
		i++;
	if (i == VD_ARRAY_SIZE(sources))
		return CHECK_FAIL("no source is called %s", name);
	snprintf(path, sizeof(path), "%s/src", work);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return CHECK_FAIL("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/src/%s", work, name);
	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? true : CHECK_FAIL("%s: %s", path, strerror(errno));
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return CHECK_FAIL("%s: %s", path, strerror(errno));
	settle_start = time(NULL);
	s.root = root;
	s.devices = isogen_devices(work);
	sources[i].build(&s);
	if (s.error)
		return CHECK_FAIL("source %s: %s: %s", name, s.failed, strerror(-s.error));
	if (nftw(path, settle, 16, FTW_DEPTH | FTW_PHYS))
		return CHECK_FAIL("source %s: times: %s", name, strerror(errno));
	return true;
}

/* Images. */

/* The directory record of a plain name in an image, wherever it stands; -1 when there is none. */
static off_t find_record(int fd, const char *name)
{
	size_t len = strlen(name);
	uint8_t block[2048];

	for (off_t at = 0; pread(fd, block, sizeof(block), at) == sizeof(block); at += 2048) {
		for (size_t i = 33; i + len <= sizeof(block); i++) {
			/* The length of the record and of the name, which is what makes it one. */
			if (block[i - 1] == len && !memcmp(block + i, name, len) &&
			    block[i - 33] >= 33 + len)
				return at + (off_t)i - 33;
		}
	}
	return -1;
}

#define RECORD_FLAGS 25 /* ECMA-119, 9.1.6 */
#define FLAG_HIDDEN 1
#define FLAG_ASSOCIATED 4

/* No tool here writes associated files, so two are made so afterwards, in the image's only tree. */
static int patch_flags(const char *iso)
{
	static const struct {
		const char *name;
		uint8_t flag;
	} changes[] = {
		{ "README.TXT;1", FLAG_ASSOCIATED },
		{ "F007.DAT;1", FLAG_ASSOCIATED },
		{ "NOEXT.;1", FLAG_HIDDEN },
		{ "F010.DAT;1", FLAG_HIDDEN },
		{ "F011.DAT;1", FLAG_HIDDEN | FLAG_ASSOCIATED },
	};
	static const char versioned[] = "F012.DAT;1";
	_cleanup_close_ int fd = open(iso, O_RDWR | O_CLOEXEC);
	off_t version;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < VD_ARRAY_SIZE(changes); i++) {
		off_t at = find_record(fd, changes[i].name);

		if (at < 0)
			return -ENOENT;
		if (pwrite(fd, &changes[i].flag, 1, at + RECORD_FLAGS) != 1)
			return -EIO;
	}
	/* And a version that is not the first, which Linux shows. */
	version = find_record(fd, versioned);
	if (version < 0)
		return -ENOENT;
	return pwrite(fd, "2", 1, version + 33 + (off_t)strlen(versioned) - 1) == 1 ? 0 : -EIO;
}

/*
 * Three sessions appended as a burner does, each a run of genisoimage -C last,next -M image. $1: sectors between one
 * session and the next.
 */
#define GENISO_SESSIONS                                                                              \
	"append() {\n"                                                                               \
	"  last=$1 gap=$2 src=$3\n"                                                                  \
	"  end=$(( ($(stat -c %s $ISO) + 2047) / 2048 ))\n"                                          \
	"  next=$(( (end + 15) / 16 * 16 + gap ))\n"                                                 \
	"  quiet genisoimage -R -J -input-charset utf-8 -C $last,$next -M $ISO -o $NAME.part $src\n" \
	"  dd if=$NAME.part of=$ISO bs=2048 seek=$next conv=notrunc,sparse status=none\n"            \
	"  truncate -s $(( next * 2048 + $(stat -c %s $NAME.part) )) $ISO\n"                         \
	"  rm $NAME.part; echo $next >> $NAME.sessions\n"                                            \
	"}\n"                                                                                        \
	"quiet genisoimage -R -J -input-charset utf-8 -o $ISO src/session1\n"                        \
	"echo 0 > $NAME.sessions\n"

#define XORRISO "quiet xorriso -as mkisofs -quiet -o $ISO "
#define GENISO "quiet genisoimage -quiet -input-charset utf-8 -o $ISO "
#define MAKEFS "quiet makefs -t cd9660 "

const struct isogen_image isogen_images[] = {
	/* Everything that Rock Ridge can say, from three writers. */
	{ "posix-xorriso", "posix", "xorriso", XORRISO "-R -J $SRC", NULL },
	{ "posix-genisoimage", "posix-genisoimage", "genisoimage",
	  GENISO "-R -J -cache-inodes $SRC", NULL },
	{ "posix-makefs", "posix-makefs", "makefs", MAKEFS "-o rockridge $ISO $SRC", NULL },

	{ "deep-xorriso", "deep", "xorriso", XORRISO "-R -J $SRC", NULL },
	{ "deep-xorriso-relocated", "deep", "xorriso",
	  "quiet xorriso -compliance deep_paths_off:iso_9660_level=3 -rr_reloc_dir rr_moved -outdev stdio:$ISO "
	  "-map $SRC / -commit",
	  NULL },
	{ "deep-genisoimage-relocated", "deep", "genisoimage", GENISO "-R $SRC", NULL },
	{ "deep-genisoimage", "deep", "genisoimage", GENISO "-R -D $SRC", NULL },
	{ "deep-genisoimage-plain", "deep", "genisoimage", GENISO "-D $SRC", NULL },
	{ "deep-makefs-relocated", "deep", "makefs", MAKEFS "-o rockridge $ISO $SRC", NULL },

	{ "names-xorriso", "names", "xorriso", XORRISO "-R -J -joliet-long $SRC", NULL },
	{ "names-genisoimage", "names", "genisoimage", GENISO "-R $SRC", NULL },
	{ "names-makefs", "names", "makefs", MAKEFS "-o rockridge $ISO $SRC", NULL },
	{ "joliet-1", "joliet", "genisoimage", GENISO "-J -ucs-level 1 $SRC", NULL },
	{ "joliet-2", "joliet", "genisoimage", GENISO "-J -ucs-level 2 $SRC", NULL },
	{ "joliet-3", "joliet", "genisoimage", GENISO "-J -ucs-level 3 $SRC", NULL },
	{ "joliet-xorriso", "joliet", "xorriso",
	  "quiet xorriso -joliet on -rockridge off -outdev stdio:$ISO -map $SRC / -commit", NULL },

	{ "many", "many", "xorriso", XORRISO "-R -J $SRC", NULL },
	{ "zisofs-1", "compressed", "xorriso",
	  "quiet xorriso -zisofs level=9:block_size=32k -outdev stdio:$ISO -map $SRC / "
	  "-set_filter_r --zisofs / -- -commit",
	  NULL },
	{ "zisofs-1-128k", "compressed", "xorriso",
	  "quiet xorriso -zisofs level=1:block_size=128k -outdev stdio:$ISO -map $SRC / "
	  "-set_filter_r --zisofs / -- -commit",
	  NULL },
	{ "zisofs-2", "compressed", "xorriso",
	  "quiet xorriso -zisofs level=6:version_2=on:susp_z2=off -outdev stdio:$ISO -map $SRC / "
	  "-set_filter_r --zisofs / -- -commit",
	  NULL },

	{ "level-1", "plain", "genisoimage", GENISO "-iso-level 1 $SRC", NULL },
	{ "level-2", "levels", "genisoimage", GENISO "-iso-level 2 $SRC", NULL },
	{ "level-3", "levels", "genisoimage", GENISO "-iso-level 3 $SRC", NULL },
	/* At level 4 it knows the charsets of its own list only. */
	{ "level-4", "levels", "genisoimage",
	  "quiet genisoimage -quiet -input-charset iso8859-1 -o $ISO -iso-level 4 $SRC", NULL },
	{ "level-1-xorriso", "plain", "xorriso",
	  "quiet xorriso -compliance iso_9660_level=1 -rockridge off -joliet off -outdev stdio:$ISO "
	  "-map $SRC / -commit",
	  NULL },
	{ "level-2-xorriso", "levels", "xorriso",
	  "quiet xorriso -compliance iso_9660_level=2 -rockridge off -joliet off -outdev stdio:$ISO "
	  "-map $SRC / -commit",
	  NULL },
	{ "level-4-xorriso", "levels", "xorriso", XORRISO "-iso-level 4 --norock $SRC", NULL },
	{ "plain-makefs", "plain", "makefs", MAKEFS "$ISO $SRC", NULL },
	{ "flags", "plain", "genisoimage", GENISO "-iso-level 1 $SRC", patch_flags },

	{ "sessions-xorriso", "session3", "xorriso",
	  "for n in 1 2 3; do\n"
	  "  quiet xorriso -dev stdio:$ISO -joliet on -update_r src/session$n / -commit\n"
	  "done\n"
	  "xorriso -indev stdio:$ISO -toc 2>&1 | sed -n 's/^ISO session  : *[0-9]* , *\\([0-9]*\\) .*/\\1/p' "
	  "> $NAME.sessions\n",
	  NULL },
	{ "sessions-genisoimage", "session3", "genisoimage",
	  GENISO_SESSIONS "append 0 0 src/session2; append $next 0 src/session3\n", NULL },
	/* With the lead-out, lead-in and pregap between them that a CD has. */
	{ "sessions-gap", "session3", "genisoimage",
	  GENISO_SESSIONS "append 0 11400 src/session2; append $next 6900 src/session3\n", NULL },

	/* The image has holes where the file has them: nothing that is all zeros is written. */
	{ "big", "big", "xorriso",
	  "{ xorriso -as mkisofs -quiet -iso-level 3 -R -o - $SRC 2>$NAME.log || "
	  "{ cat $NAME.log >&2; exit 1; } } | dd of=$ISO bs=1M iflag=fullblock conv=sparse status=none",
	  NULL },
	{ 0 },
};

const struct isogen_image *isogen_find(const char *name)
{
	for (const struct isogen_image *i = isogen_images; i->name; i++) {
		if (!strcmp(i->name, name))
			return i;
	}
	return NULL;
}

bool isogen_make(const char *work, const struct isogen_image *image)
{
	const char *iso = check_printf("%s/%s.iso", work, image->name);
	const char *script = check_printf(
		"quiet() { \"$@\" >$NAME.log 2>&1 </dev/null || { cat $NAME.log >&2; return 1; }; }\n%s",
		image->command);
	const char *argv[] = { "sh", "-euc", script, NULL };
	const char *env[] = {
		check_printf("SRC=%s/src/%s", work, image->source),
		check_printf("ISO=%s", iso),
		check_printf("NAME=%s", image->name),
		"LC_ALL=C.UTF-8",
		"TZ=XXX-5:30", /* so that every recorded time has a zone, east of Greenwich */
		NULL,
	};
	struct check_cmd c = { .argv = argv, .env = env, .cwd = work, .timeout_ms = 300000 };
	int r;

	if (!strncmp(image->name, "sessions-", 9)) {
		if (!isogen_source(work, "session1") || !isogen_source(work, "session2"))
			return false;
	}
	if (!isogen_source(work, image->source) || !CHECK_RUN(&c, 0))
		return false;
	r = image->patch ? image->patch(iso) : 0;
	return r ? CHECK_FAIL("%s: patching: %s", iso, strerror(-r)) : true;
}

int isogen_sessions(const char *work, const char *name, uint32_t lba[], int room)
{
	_cleanup_fclose_ FILE *f = fopen(check_printf("%s/%s.sessions", work, name), "re");
	int n = 0;

	while (f && n < room && fscanf(f, "%u", &lba[n]) == 1)
		n++;
	return n;
}
