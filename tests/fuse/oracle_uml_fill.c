// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "oracle_uml_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRY(call)                                                                                  \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			return failed(#call);                                                      \
	} while (0)

static int failed(const char *what)
{
	int code = errno;

	printf("uml_fill: %s: %s\n", what, strerror(code));
	errno = code;
	return -1;
}

/* Bytes that differ from place to place and file to file. */
static void pattern(uint8_t *buf, size_t len, uint64_t off, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (off + i) * UINT64_C(0x9e3779b97f4a7c15) + seed;

		buf[i] = (uint8_t)(x >> 56 ^ x >> 24);
	}
}

static int write_at(int fd, uint64_t off, size_t len, uint32_t seed)
{
	static uint8_t buf[65536];

	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		pattern(buf, n, off, seed);
		if (pwrite(fd, buf, n, (off_t)off) != (ssize_t)n)
			return -1;
		off += n;
		len -= n;
	}
	return 0;
}

static int put_file(const char *path, size_t len, uint32_t seed)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	if (write_at(fd, 0, len, seed)) {
		close(fd);
		return -1;
	}
	return close(fd);
}

/* A file of @size bytes with nothing in it but @len bytes at @off. */
static int put_sparse(const char *path, uint64_t size, uint64_t off, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	if (write_at(fd, off, len, (uint32_t)off) || ftruncate(fd, (off_t)size)) {
		close(fd);
		return -1;
	}
	return close(fd);
}

static int fill_kinds(void)
{
	static const mode_t modes[] = { 0,    0400, 0040,  0004,  0777,	 0644, 0755,
					0111, 0222, 04755, 02755, 01777, 07777 };
	static const uint32_t owners[] = { 0, 1, 1000, 65534, 65536, 0x7fffffff, 0xfffffffe };
	static const int64_t times[] = { 0,	     1,		 951782400, 1709164799, 2147483647,
					 2147483648, 4102444800, -1,	    -2208988800 };
	char path[64];

	TRY(mkdir("kinds", 0755));
	TRY(mkdir("kinds/empty folder", 0700));
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		snprintf(path, sizeof(path), "kinds/mode %04o", (unsigned int)modes[i]);
		TRY(put_file(path, i, 1));
		TRY(chmod(path, modes[i]));
		snprintf(path, sizeof(path), "kinds/folder %04o", (unsigned int)modes[i]);
		TRY(mkdir(path, 0755));
		TRY(chmod(path, modes[i]));
	}
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		snprintf(path, sizeof(path), "kinds/owner %zu", i);
		TRY(put_file(path, 1, 2));
		TRY(chown(path, owners[i], owners[sizeof(owners) / sizeof(owners[0]) - 1 - i]));
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct timespec t[2] = { { .tv_sec = times[i], .tv_nsec = 123456789 },
					 { .tv_sec = times[i], .tv_nsec = 987654321 } };

		snprintf(path, sizeof(path), "kinds/time %zu", i);
		TRY(put_file(path, 1, 3));
		TRY(utimensat(AT_FDCWD, path, t, 0));
	}
	TRY(mknod("kinds/fifo", S_IFIFO | 0600, 0));
	TRY(mknod("kinds/socket", S_IFSOCK | 0600, 0));
	TRY(mknod("kinds/char", S_IFCHR | 0620, makedev(4, 5)));
	TRY(mknod("kinds/block", S_IFBLK | 0660, makedev(255, 254)));
	return 0;
}

static int fill_links(void)
{
	char target[420];
	size_t n = 0;

	TRY(mkdir("links", 0755));
	TRY(put_file("links/file", 5000, 4));
	TRY(link("links/file", "links/hard"));
	TRY(link("links/file", "hard link in another folder"));
	TRY(symlink("file", "links/relative"));
	TRY(symlink("/", "links/root"));
	TRY(symlink("/etc/passwd", "links/absolute"));
	TRY(symlink("../links/./file", "links/dots"));
	TRY(symlink("..", "links/parent"));
	TRY(symlink(".", "links/self"));
	TRY(symlink("nowhere at all", "links/dangling"));
	TRY(symlink("\303\251\342\202\254/\360\237\222\277", "links/unicode"));
	/* As long as fits in the smallest block. */
	while (n < 200)
		n += (size_t)snprintf(target + n, sizeof(target) - n, "%scomponent %zu",
				      n ? "/" : "", n);
	TRY(symlink(target, "links/long"));
	return 0;
}

static int fill_names(void)
{
	static const char *const names[] = {
		"a",
		" leading and trailing ",
		"...",
		".hidden",
		"trailing.",
		"UPPER lower.TXT",
		"upper LOWER.txt",
		"back\\slash:colon*star?<>|\"quotes",
		"tab\tnewline\nescape\033",
		"latin \303\251\303\274\303\277",
		"greek \316\261\316\262\316\263",
		"cyrillic \320\226\320\273",
		"cjk \346\274\242\345\255\227",
		"euro \342\202\254",
		"astral \360\237\222\277 \360\220\200\200",
		"combining e\314\201",
		"#1234",
		"file;1",
	};
	char name[256 + 8];

	TRY(mkdir("names", 0755));
	TRY(chdir("names"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		TRY(put_file(names[i], i, 5));
	for (size_t len = 1; len <= 254; len += len < 240 ? 13 : 1) {
		memset(name, 'x', len);
		snprintf(name, 5, "%03zu", len);
		name[len > 3 ? 3 : len] = len > 3 ? 'x' : '\0';
		name[len] = '\0';
		TRY(put_file(name, len, 6));
	}
	/* Two bytes a character on the disc, three here: 254 bytes hold 84. */
	for (size_t n = 1; n <= 84; n += n < 73 ? 12 : 11) {
		for (size_t i = 0; i < n; i++)
			memcpy(name + 3 * i, "\346\274\242", 3);
		name[3 * n] = '\0';
		TRY(put_file(name, n, 7));
	}
	TRY(chdir(".."));
	return 0;
}

/* Around what fits into a file entry, a block, and more. */
static int fill_sizes(void)
{
	static const uint32_t around[] = { 0,	 100,  296,  336,  512,	 1024,	1832,
					   1872, 2048, 3880, 3920, 4096, 65536, 1000000 };
	char path[64];

	TRY(mkdir("sizes", 0755));
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		for (uint32_t k = around[i] ? around[i] - 1 : 0; k <= around[i] + 1; k++) {
			snprintf(path, sizeof(path), "sizes/%u", k);
			TRY(put_file(path, k, k));
		}
	}
	/* Grown out of its entry, and shrunk. */
	TRY(put_file("sizes/grown", 10, 8));
	TRY(truncate("sizes/grown", 9000));
	TRY(put_file("sizes/shrunk", 9000, 9));
	TRY(truncate("sizes/shrunk", 10));
	TRY(mkdir("holes", 0755));
	TRY(put_sparse("holes/nothing", 1, 0, 0));
	TRY(put_sparse("holes/begins", 300000, 200000, 1000));
	TRY(put_sparse("holes/ends", 300000, 0, 1000));
	TRY(put_sparse("holes/middle", 300000, 150000, 777));
	return 0;
}

static int fill_deep(void)
{
	char name[64];

	TRY(mkdir("deep", 0755));
	TRY(chdir("deep"));
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "level \342\202\254 %02d", i);
		TRY(mkdir(name, 0755));
		TRY(chdir(name));
		TRY(put_file("file", (size_t)i, 10));
	}
	for (int i = 0; i < 41; i++)
		TRY(chdir(".."));
	return 0;
}

/* Folders that grow beside files that grow, so that neither lies in one piece; and what removing every second name leaves. */
static int fill_fragments(void)
{
	char path[300];
	int a, b, used = 0;

	TRY(mkdir("fragments", 0755));
	TRY(mkdir("fragments/one", 0755));
	TRY(mkdir("fragments/two", 0755));
	a = open("fragments/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	b = open("fragments/b", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (a < 0 || b < 0)
		return failed("fragments");
	for (int i = 0; i < 300; i++) {
		TRY(write_at(a, (uint64_t)i * 4096, 4096, 11));
		snprintf(path, sizeof(path), "fragments/%s/%.*s%d", i % 2 ? "one" : "two", 60,
			 "a name that is long enough to fill the folder with few of them", i);
		TRY(put_file(path, (size_t)i * 7, 12));
		/* With a hole after every piece. */
		TRY(write_at(b, (uint64_t)i * 20000, 4096, 13));
	}
	TRY(close(a));
	TRY(close(b));
	for (int i = 0; i < 300; i += 3) {
		snprintf(path, sizeof(path), "fragments/%s/%.*s%d", i % 2 ? "one" : "two", 60,
			 "a name that is long enough to fill the folder with few of them", i);
		TRY(unlink(path));
	}
	/* Some fit where others were, some do not. */
	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "fragments/one/%.*s-%d", i * 4,
			 "0123456789012345678901234567890123456789012345678901234567890123456789"
			 "0123456789012345678901234567890123456789012345678901234567890123456789"
			 "0123456789012345678901234567890123456789012345678901234567890123456789"
			 "0123456789012345678901234567890123456789",
			 i);
		TRY(put_file(path, 10, 14));
		used++;
	}
	TRY(rename("fragments/two", "links/moved here"));
	TRY(rename("links/file", "fragments/moved too"));
	return used ? 0 : -1;
}

static int fill_posix(void)
{
	if (fill_kinds() || fill_links() || fill_names() || fill_sizes() || fill_deep() ||
	    fill_fragments())
		return -1;
	return 0;
}

static int fill_many(void)
{
	char path[64];

	TRY(mkdir("many", 0755));
	for (int i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "many/file number %05d.txt", i);
		TRY(put_file(path, (size_t)i % 50, (uint32_t)i));
	}
	return 0;
}

static int fill_huge(void)
{
	TRY(put_sparse("5 GiB", 5ull << 30, (5ull << 30) - 100000, 100000));
	return 0;
}

static int fill_more_huge(void)
{
	TRY(fill_huge());
	TRY(put_sparse("5 GiB of nothing", 5ull << 30, 0, 0));
	TRY(put_sparse("4 GiB and a byte", (4ull << 30) + 1, (4ull << 30) - 10, 11));
	return 0;
}

int uml_fill(const char *what)
{
	umask(0);
	if (!strcmp(what, "posix"))
		return fill_posix();
	if (!strcmp(what, "many"))
		return fill_many();
	if (!strcmp(what, "huge"))
		return fill_huge();
	if (!strcmp(what, "more huge"))
		return fill_more_huge();
	errno = EINVAL;
	return failed(what);
}
