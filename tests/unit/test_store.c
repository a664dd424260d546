// SPDX-License-Identifier: GPL-3.0-or-later
/* lib/store: the contract, for the file store and for one with the fewest ops; and what is the file store's own. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_contract.h"
#include "util/cleanup.h"

static int open_sized(uint64_t size)
{
	static int number;
	int fd = open(check_path("store%d", number++), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ASSERT(fd >= 0);
	ASSERT_INT(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int make_file(uint64_t size, struct vd_store **out)
{
	return vd_store_file_open(open_sized(size), false, out, NULL);
}

static int make_file_read_only(const void *data, uint64_t size, struct vd_store **out)
{
	const char *path = check_path("read_only");

	check_write_file(path, data, size);
	return vd_store_file_open(open(path, O_RDWR | O_CLOEXEC), true, out, NULL);
}

static const struct store_contract file = { .make = make_file,
					    .make_read_only = make_file_read_only };
STORE_CONTRACT_TESTS(file)
STORE_CONTRACT_READ_ONLY_TEST(file)

static int make_mem(uint64_t size, struct vd_store **out)
{
	*out = &mem_store_new(NULL, size)->store;
	return 0;
}

static struct mem_store *mem_itself(struct vd_store *s)
{
	return (struct mem_store *)s;
}

/* Shows what vd_store_*() do for a store without zero, trim, flush and map; and that its errors come through. */
static const struct store_contract mem = { .make = make_mem, .lower = mem_itself };
STORE_CONTRACT_TESTS(mem)
STORE_CONTRACT_LAYER_TEST(mem)

static void test_close(void)
{
	int closed = 0;
	struct mem_store *m = mem_store_new("x", 1);

	m->closed = &closed;
	vd_store_close(NULL);
	vd_store_close(&m->store);
	CHECK_INT(closed, 1);
}

static bool is_closed(int fd)
{
	return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

static void test_file_takes_descriptor(void)
{
	int fd = open_sized(4096);
	struct vd_store *s;

	ASSERT_OK(vd_store_file_open(fd, false, &s, NULL));
	CHECK(!is_closed(fd));
	vd_store_close(s);
	CHECK(is_closed(fd));
}

static void refused(int fd, int code, const char *words)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	ASSERT(fd >= 0);
	CHECK_ERRNO(vd_store_file_open(fd, true, &s, &err), code);
	CHECK_HAS(err.text, words);
	CHECK(s == NULL);
	CHECK(is_closed(fd));
}

static void test_file_refuses_what_is_none(void)
{
	int sockets[2];

	refused(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -EISDIR, "is a directory");
	refused(open("/dev/zero", O_RDONLY | O_CLOEXEC), -EINVAL, "neither a regular file");
	ASSERT_INT(mkfifo(check_path("fifo"), 0600), 0);
	refused(open(check_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC), -EINVAL,
		"neither a regular file");
	ASSERT_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	close(sockets[1]);
	refused(sockets[0], -EINVAL, "neither a regular file");
}

static void test_file_bad_descriptor(void)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	CHECK_ERRNO(vd_store_file_open(-1, true, &s, &err), -EBADF);
	CHECK_HAS(err.text, strerror(EBADF));
}

static void test_file_that_cannot_be_written(void)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;
	int fd;

	fd = open(check_path("read_only"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT(fd >= 0);
	CHECK_ERRNO(vd_store_file_open(fd, false, &s, &err), -EBADF);
	CHECK_HAS(err.text, "not open for writing");
	CHECK(is_closed(fd));
}

static void test_file_that_shrinks(void)
{
	const char *path = check_path("shrinks");
	uint8_t buf[8192], expected[4096];
	struct vd_store *s;

	memset(buf, 7, sizeof(buf));
	memset(expected, 7, sizeof(expected));
	check_write_file(path, buf, sizeof(buf));
	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &s, NULL));
	ASSERT_INT(truncate(path, 5000), 0);
	CHECK_OK(vd_store_pread(s, buf, 4096, 0));
	CHECK_MEM(buf, expected, 4096);
	CHECK_ERRNO(vd_store_pread(s, buf, 8192, 0), -EIO);
	CHECK_ERRNO(vd_store_pread(s, buf, 1, 5000), -EIO);
	CHECK_OK(vd_store_pread(s, buf, 1, 4999));
	vd_store_close(s);
}

static void test_file_empty(void)
{
	struct vd_store *s;
	char c;

	ASSERT_OK(make_file(0, &s));
	CHECK_UINT(s->size, 0);
	CHECK_OK(vd_store_pread(s, &c, 0, 0));
	CHECK_ERRNO(vd_store_pread(s, &c, 1, 0), -EINVAL);
	vd_store_close(s);
}

/* What is trimmed takes no room any more, where the file system can do that. */
static void test_file_trim_frees(void)
{
	uint8_t *data = check_alloc(1 << 20);
	struct vd_store *s;
	struct stat before, after;
	int fd = open_sized(1 << 20);

	memset(data, 1, 1 << 20);
	ASSERT_OK(vd_store_file_open(fd, false, &s, NULL));
	ASSERT_OK(vd_store_pwrite(s, data, 1 << 20, 0));
	ASSERT_OK(vd_store_flush(s));
	ASSERT_INT(fstat(fd, &before), 0);
	CHECK_OK(vd_store_trim(s, 0, 1 << 20));
	ASSERT_INT(fstat(fd, &after), 0);
	CHECK_UINT((unsigned long long)after.st_size, 1 << 20);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096))
		check_skip("no file here can have holes");
	else
		CHECK(after.st_blocks < before.st_blocks / 2);
	vd_store_close(s);
}

/* ENOSPC comes through as it is, and what was written before stays. */
static void test_file_no_room(void)
{
	const char *dir = check_path("small");
	struct check_cmd *c;
	struct vd_store *s;
	uint8_t *data = check_alloc(1 << 20);
	int fd, r;

	if (geteuid())
		CHECK_SKIP("needs root to mount a small tmpfs");
	ASSERT_INT(mkdir(dir, 0755), 0);
	c = check_sh("mount -t tmpfs -o size=64k none %s", dir);
	if (c->status)
		CHECK_SKIP("no tmpfs can be mounted here: %s", c->err);
	fd = open(check_printf("%s/file", dir), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	r = ftruncate(fd, 1 << 20);
	CHECK_INT(r, 0);
	if (CHECK_OK(vd_store_file_open(fd, false, &s, NULL))) {
		memset(data, 1, 1 << 20);
		CHECK_ERRNO(vd_store_pwrite(s, data, 1 << 20, 0), -ENOSPC);
		CHECK_OK(vd_store_pread(s, data, 4096, 0));
		CHECK_INT(data[4095], 1);
		vd_store_close(s);
	}
	CHECK_INT(check_sh("umount %s", dir)->status, 0);
}

static void test_file_block_device(void)
{
	const char *path = check_path("disk"), *device;
	uint8_t *model = check_alloc(1 << 20), *got = check_alloc(1 << 20);
	struct check_cmd *c;
	struct vd_store *s;
	int fd;

	if (geteuid())
		CHECK_SKIP("needs root for a loop device");
	memset(model, 5, 1 << 20);
	check_write_file(path, model, 1 << 20);
	c = check_sh("losetup --find --show %s", path);
	if (c->status)
		CHECK_SKIP("no loop devices here");
	device = check_printf("%.*s", (int)strcspn(c->out, "\n"), c->out);
	fd = open(device, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	if (fd >= 0 && CHECK_OK(vd_store_file_open(fd, false, &s, NULL))) {
		CHECK_UINT(s->size, 1 << 20);
		/* Odd ranges too: a device's fallocate() takes only whole blocks. */
		memset(model + 100, 0, 1000);
		CHECK_OK(vd_store_zero(s, 100, 1000));
		memset(model + 8192, 0, 4096);
		CHECK_OK(vd_store_zero(s, 8192, 4096));
		memset(model + 70000, 0, 5);
		CHECK_OK(vd_store_trim(s, 70000, 5));
		CHECK_OK(vd_store_flush(s));
		CHECK_OK(vd_store_pread(s, got, 1 << 20, 0));
		CHECK_MEM(got, model, 1 << 20);
		vd_store_close(s);
	}
	CHECK_INT(check_sh("losetup -d %s", device)->status, 0);
}

static const struct check_test tests[] = {
	STORE_CONTRACT_ROWS(file),
	STORE_CONTRACT_READ_ONLY_ROW(file),
	STORE_CONTRACT_ROWS(mem),
	STORE_CONTRACT_LAYER_ROW(mem),
	{ "close", test_close },
	{ "file_takes_descriptor", test_file_takes_descriptor },
	{ "file_refuses_what_is_none", test_file_refuses_what_is_none },
	{ "file_bad_descriptor", test_file_bad_descriptor },
	{ "file_that_cannot_be_written", test_file_that_cannot_be_written },
	{ "file_that_shrinks", test_file_that_shrinks },
	{ "file_empty", test_file_empty },
	{ "file_trim_frees", test_file_trim_frees },
	{ "file_no_room", test_file_no_room },
	{ "file_block_device", test_file_block_device },
};
CHECK_MAIN(tests)
