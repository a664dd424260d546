// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The inner loops of the benchmarks: what a client of a mount does, with a clock around it. Nothing but system
 * calls happens while the clock runs, and the same code runs against every peer.
 *
 *     measure [-p PID]... stat DIR                readdir, and lstat of each entry, recursively
 *     measure [-p PID]... read DIR                readdir, and open, read, close of each file, recursively
 *     measure [-p PID]... seq FILE                read from begin to end, 1 MiB at a time
 *     measure [-p PID]... direct FILE             the same with O_DIRECT: past the page cache
 *     measure [-p PID]... rand FILE COUNT THREADS pread of COUNT distinct 4 KiB blocks, no read-ahead
 *     measure mount FILE DIR COMMAND...           runs COMMAND, then stat of FILE, then readdir of DIR
 *     measure sum DIR                             all paths, sizes and bytes as one number
 *     measure warm FILE | drop FILE               into the page cache, or out of it
 *
 * The loops print "SECONDS CPU COUNT BYTES", where CPU is what the processes PID used meanwhile, in seconds;
 * mount prints "MOUNT STAT READDIR", in milliseconds; warm and drop print how many per cent are in memory now.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEQ_BLOCK (1u << 20)
#define RAND_BLOCK 4096u
#define READ_BLOCK (128u << 10) /* as cat(1) reads */
#define PIDS_MAX 8
#define THREADS_MAX 256u

_Noreturn static void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("measure: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t))
		die("clock_gettime: %s", strerror(errno));
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The stopwatch, and the processes whose CPU time it watches too. */

static clockid_t cpu_clocks[PIDS_MAX];
static size_t ncpu_clocks;
static uint64_t started, cpu_started;

static uint64_t cpu_ns(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ncpu_clocks; i++)
		sum += clock_ns(cpu_clocks[i]);
	return sum;
}

static void watch(const char *pid)
{
	int r;

	if (ncpu_clocks == PIDS_MAX)
		die("too many processes");
	r = clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &cpu_clocks[ncpu_clocks++]);
	if (r)
		die("process %s: %s", pid, strerror(r));
}

static void start(void)
{
	cpu_started = cpu_ns();
	started = clock_ns(CLOCK_MONOTONIC);
}

static void stop(uint64_t count, uint64_t bytes)
{
	uint64_t ns = clock_ns(CLOCK_MONOTONIC) - started;
	uint64_t cpu = cpu_ns() - cpu_started;

	printf("%.6f %.6f %" PRIu64 " %" PRIu64 "\n", (double)ns / 1e9, (double)cpu / 1e9, count,
	       bytes);
}

static int open_file(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static uint64_t size_of(int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st))
		die("%s: %s", name, strerror(errno));
	return (uint64_t)st.st_size;
}

/* A tree. */

enum walk { WALK_STAT, WALK_READ, WALK_SUM };

struct totals {
	uint64_t count, bytes, sum;
};

static uint64_t fnv(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

static void read_file(int dir, const char *name, struct totals *t, uint64_t *hash)
{
	static char buf[READ_BLOCK];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		t->bytes += (uint64_t)n;
		if (hash)
			*hash = fnv(*hash, buf, (size_t)n);
	}
	if (n < 0)
		die("%s: %s", name, strerror(errno));
	close(fd);
}

/* @hash is that of the path so far. The order of a directory's entries does not change the sum. */
static void walk(int dir, enum walk how, struct totals *t, uint64_t hash)
{
	DIR *d = fdopendir(dir);
	const struct dirent *e;
	struct stat st;

	if (!d)
		die("opendir: %s", strerror(errno));
	while (errno = 0, (e = readdir(d))) {
		bool is_dir = e->d_type == DT_DIR, is_file = e->d_type == DT_REG;
		uint64_t h;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		t->count++;
		if (how != WALK_READ || e->d_type == DT_UNKNOWN) {
			if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
				die("%s: %s", e->d_name, strerror(errno));
			is_dir = S_ISDIR(st.st_mode);
			is_file = S_ISREG(st.st_mode);
			if (how == WALK_STAT)
				t->bytes += is_file ? (uint64_t)st.st_size : 0;
		}
		h = how == WALK_SUM ? fnv(fnv(hash, "/", 1), e->d_name, strlen(e->d_name)) : 0;
		if (is_dir) {
			int fd = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (fd < 0)
				die("%s: %s", e->d_name, strerror(errno));
			walk(fd, how, t, h);
		} else if (is_file && how == WALK_READ) {
			read_file(dir, e->d_name, t, NULL);
		} else if (is_file && how == WALK_SUM) {
			uint64_t before = t->bytes;

			read_file(dir, e->d_name, t, &h);
			if (t->bytes - before != (uint64_t)st.st_size)
				die("%s: %" PRIu64 " bytes read, %" PRIu64 " announced", e->d_name,
				    t->bytes - before, (uint64_t)st.st_size);
		}
		t->sum += h;
	}
	if (errno)
		die("readdir: %s", strerror(errno));
	closedir(d);
}

static int open_dir(const char *name)
{
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	return fd;
}

static void run_walk(const char *name, enum walk how)
{
	struct totals t = { 0 };
	int dir = open_dir(name);

	if (how == WALK_SUM) {
		walk(dir, how, &t, UINT64_C(0xcbf29ce484222325));
		printf("%" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", t.count, t.bytes, t.sum);
		return;
	}
	start();
	walk(dir, how, &t, 0);
	stop(t.count, t.bytes);
}

/* A file. */

static void run_seq(const char *name, int flags)
{
	int fd = open_file(name);
	uint64_t size = size_of(fd, name), done = 0, count = 0;
	char *buf = aligned_alloc(4096, SEQ_BLOCK);
	ssize_t n;

	if (!buf)
		die("no memory");
	if (fcntl(fd, F_SETFL, flags))
		die("%s: %s", name, strerror(errno));
	memset(buf, 1, SEQ_BLOCK);
	start();
	while ((n = read(fd, buf, SEQ_BLOCK)) > 0) {
		done += (uint64_t)n;
		count++;
	}
	if (n < 0)
		die("%s: %s", name, strerror(errno));
	stop(count, done);
	if (done != size)
		die("%s: %" PRIu64 " bytes of %" PRIu64, name, done, size);
}

struct random_reader {
	pthread_t thread;
	const char *name;
	int fd;
	const uint32_t *blocks;
	uint64_t n;
	pthread_barrier_t *barrier;
};

static void *random_reads(void *arg)
{
	const struct random_reader *r = arg;
	char buf[RAND_BLOCK];

	pthread_barrier_wait(r->barrier);
	for (uint64_t i = 0; i < r->n; i++) {
		ssize_t n = pread(r->fd, buf, sizeof(buf), (off_t)r->blocks[i] * RAND_BLOCK);

		if (n != RAND_BLOCK)
			die("%s: block %" PRIu32 ": %s", r->name, r->blocks[i],
			    n < 0 ? strerror(errno) : "short read");
	}
	return NULL;
}

/* Numbers 0 to @n - 1, shuffled: the same order in every run. */
static uint32_t *shuffled(uint32_t n)
{
	uint32_t *p = malloc(n * sizeof(*p));
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	if (!p)
		die("no memory");
	for (uint32_t i = 0; i < n; i++)
		p[i] = i;
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j, t;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (uint32_t)(x % i);
		t = p[i - 1];
		p[i - 1] = p[j];
		p[j] = t;
	}
	return p;
}

static void run_rand(const char *name, uint64_t count, unsigned threads)
{
	int fd = open_file(name);
	uint64_t nblocks = size_of(fd, name) / RAND_BLOCK, each;
	struct random_reader *readers;
	pthread_barrier_t barrier;
	uint32_t *blocks;

	if (!threads || threads > THREADS_MAX)
		die("%u threads", threads);
	if (count < threads || count > nblocks || nblocks > UINT32_MAX)
		die("%s: cannot read %" PRIu64 " distinct blocks of %" PRIu64, name, count,
		    nblocks);
	each = count / threads;
	blocks = shuffled((uint32_t)nblocks);
	readers = calloc(threads, sizeof(*readers));
	if (!readers || pthread_barrier_init(&barrier, NULL, threads + 1))
		die("no memory");
	/* Else each read would fetch neighbours too, and some later ones would be answered from those. */
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		die("%s: posix_fadvise", name);
	for (unsigned i = 0; i < threads; i++) {
		readers[i] = (struct random_reader){ .name = name,
						     .fd = fd,
						     .blocks = blocks + i * each,
						     .n = each,
						     .barrier = &barrier };
		if (pthread_create(&readers[i].thread, NULL, random_reads, &readers[i]))
			die("cannot start a thread");
	}
	start();
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(readers[i].thread, NULL);
	stop(each * threads, each * threads * RAND_BLOCK);
	free(readers);
	free(blocks);
}

/* From nothing to the first answers. The command ends when its mount is there: both peers go to the background. */
static void run_mount(const char *file, const char *dir, char **command)
{
	uint64_t t0 = clock_ns(CLOCK_MONOTONIC), mounted, answered, listed;
	struct stat st;
	char buf[32768];
	pid_t pid = fork();
	int status, fd;

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		execvp(command[0], command);
		fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		die("%s failed", command[0]);
	mounted = clock_ns(CLOCK_MONOTONIC);
	if (stat(file, &st))
		die("%s: %s", file, strerror(errno));
	answered = clock_ns(CLOCK_MONOTONIC);
	fd = open_dir(dir);
	if (getdents64(fd, buf, sizeof(buf)) <= 0)
		die("%s: %s", dir, strerror(errno));
	listed = clock_ns(CLOCK_MONOTONIC);
	close(fd);
	printf("%.3f %.3f %.3f\n", (double)(mounted - t0) / 1e6, (double)(answered - mounted) / 1e6,
	       (double)(listed - answered) / 1e6);
}

/* The page cache. */

static void print_resident(int fd, const char *name)
{
	uint64_t size = size_of(fd, name), page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t pages = (size + page - 1) / page, resident = 0;
	unsigned char *vec = malloc(pages ? pages : 1);
	void *map;

	if (!size || !vec)
		die("%s: empty, or no memory", name);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || mincore(map, size, vec))
		die("%s: %s", name, strerror(errno));
	for (uint64_t i = 0; i < pages; i++)
		resident += vec[i] & 1;
	printf("%.1f\n", 100.0 * (double)resident / (double)pages);
	munmap(map, size);
	free(vec);
}

static void run_warm(const char *name)
{
	int fd = open_file(name);
	char *buf = malloc(SEQ_BLOCK);
	ssize_t n;

	if (!buf)
		die("no memory");
	while ((n = read(fd, buf, SEQ_BLOCK)) > 0)
		;
	if (n < 0)
		die("%s: %s", name, strerror(errno));
	print_resident(fd, name);
	free(buf);
}

static void run_drop(const char *name)
{
	int fd = open_file(name), r;

	/* Only clean pages can be dropped. */
	if (fdatasync(fd))
		die("%s: %s", name, strerror(errno));
	r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (r)
		die("%s: posix_fadvise: %s", name, strerror(r));
	print_resident(fd, name);
}

int main(int argc, char **argv)
{
	const char *verb;
	int c, n;

	while ((c = getopt(argc, argv, "+p:")) != -1) {
		if (c != 'p')
			return 2;
		watch(optarg);
	}
	n = argc - optind;
	argv += optind;
	verb = n ? argv[0] : "";
	if (n == 2 && !strcmp(verb, "stat"))
		run_walk(argv[1], WALK_STAT);
	else if (n == 2 && !strcmp(verb, "read"))
		run_walk(argv[1], WALK_READ);
	else if (n == 2 && !strcmp(verb, "sum"))
		run_walk(argv[1], WALK_SUM);
	else if (n == 2 && !strcmp(verb, "seq"))
		run_seq(argv[1], 0);
	else if (n == 2 && !strcmp(verb, "direct"))
		run_seq(argv[1], O_DIRECT);
	else if (n == 4 && !strcmp(verb, "rand"))
		run_rand(argv[1], strtoull(argv[2], NULL, 10),
			 (unsigned)strtoul(argv[3], NULL, 10));
	else if (n >= 4 && !strcmp(verb, "mount"))
		run_mount(argv[1], argv[2], argv + 3);
	else if (n == 2 && !strcmp(verb, "warm"))
		run_warm(argv[1]);
	else if (n == 2 && !strcmp(verb, "drop"))
		run_drop(argv[1]);
	else
		die("unknown: %s (see the head of measure.c)", verb);
	return 0;
}
