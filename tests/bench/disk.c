// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Measures a disk (a file or a block device) with real pages, and checks every page that it reads.
 *
 *     pages OUT MIB RATIO DIR...   collects pages that LZ4 brings to about 1/RATIO of their size from the files below DIR
 *     fill DISK PAGES MIB          writes it all, 1 MiB at a time
 *     seq DISK PAGES MIB           reads it all, 1 MiB at a time
 *     read|write DISK PAGES MIB OPS DEPTH   OPS random requests of 4 KiB, from DEPTH threads
 *
 * Page n of a disk is page n of PAGES, over and over, with n in its first 8 bytes. The disk is opened with O_DIRECT, so
 * that no cache of the kernel's answers for it. Prints requests (or MB) a second.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/page_codec.h"

#define PAGE VD_PAGE_SIZE
#define MIB (1u << 20)

static void die(const char *what)
{
	fprintf(stderr, "bench_disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void wrong(const char *what)
{
	fprintf(stderr, "bench_disk: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *aligned(size_t size)
{
	void *p;

	if (posix_memalign(&p, PAGE, size))
		wrong("out of memory");
	return p;
}

/* Collecting pages. */

static struct {
	FILE *out;
	uint64_t wanted, taken; /* pages */
	double ratio, packed;	/* packed: bytes so far */
	void *packed_page, *work;
} collect;

/* Takes the page if it leads the ratio of all towards the one that is wanted. */
static void consider(const void *page)
{
	double target = PAGE / collect.ratio, mean;
	struct vd_page_code code;

	vd_page_encode(page, collect.packed_page, collect.work, true, &code);
	if (code.kind == VD_PAGE_SAME)
		return;
	/* Nothing extreme: pages like these are what real memory and files have most of. */
	if (code.len < target / 4 || (code.len > target * 2.5 && code.kind != VD_PAGE_RAW))
		return;
	mean = collect.taken ? collect.packed / (double)collect.taken : target;
	if ((mean > target * 1.005 && code.len > target) ||
	    (mean < target * 0.995 && code.len < target))
		return;
	if (fwrite(page, PAGE, 1, collect.out) != 1)
		die("cannot write pages");
	collect.taken++;
	collect.packed += code.len;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static unsigned char *buf;
	int fd;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode) || st->st_size < PAGE)
		return 0;
	if (!buf)
		buf = aligned(PAGE);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* Every third page, so that one large file does not make up all of them. */
	for (off_t at = 0; collect.taken < collect.wanted && at < st->st_size; at += 3 * PAGE)
		if (pread(fd, buf, PAGE, at) == (ssize_t)PAGE)
			consider(buf);
	close(fd);
	return collect.taken >= collect.wanted;
}

static int cmd_pages(int argc, char **argv)
{
	if (argc < 4)
		wrong("pages OUT MIB RATIO DIR...");
	collect.out = fopen(argv[0], "we");
	if (!collect.out)
		die(argv[0]);
	collect.wanted = strtoull(argv[1], NULL, 10) * (MIB / PAGE);
	collect.ratio = strtod(argv[2], NULL);
	collect.packed_page = aligned(PAGE);
	collect.work = aligned((VD_PAGE_WORK_SIZE + PAGE - 1) / PAGE * PAGE);
	for (int i = 3; i < argc && collect.taken < collect.wanted; i++)
		if (nftw(argv[i], visit, 32, FTW_PHYS) < 0)
			die(argv[i]);
	if (fclose(collect.out))
		die(argv[0]);
	if (collect.taken < collect.wanted)
		wrong("too few such pages");
	printf("%.3f\n", (double)collect.taken * PAGE / collect.packed);
	return 0;
}

/* Measuring. */

struct disk {
	int fd;
	const unsigned char *pages;
	uint64_t npages; /* of PAGES */
	uint64_t size;	 /* pages */
};

static struct disk open_disk(char **argv)
{
	struct disk d;
	struct stat st;
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		die(argv[1]);
	d.npages = (uint64_t)st.st_size / PAGE;
	d.pages = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (d.pages == MAP_FAILED || !d.npages)
		die(argv[1]);
	close(fd);
	d.size = strtoull(argv[2], NULL, 10) * (MIB / PAGE);
	d.fd = open(argv[0], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d.fd < 0)
		die(argv[0]);
	return d;
}

static void make_page(const struct disk *d, uint64_t n, unsigned char *out)
{
	memcpy(out, d->pages + n % d->npages * PAGE, PAGE);
	memcpy(out, &n, sizeof(n));
}

static void check_page(const struct disk *d, uint64_t n, const unsigned char *page)
{
	if (memcmp(page, &n, sizeof(n)) ||
	    memcmp(page + 8, d->pages + n % d->npages * PAGE + 8, PAGE - 8)) {
		fprintf(stderr, "bench_disk: page %llu is not what was written\n",
			(unsigned long long)n);
		exit(1);
	}
}

static int cmd_fill(struct disk *d, bool write)
{
	unsigned char *buf = aligned(MIB);
	const uint64_t step = MIB / PAGE;
	double spent = 0;

	for (uint64_t n = 0; n < d->size; n += step) {
		double start;

		for (uint64_t i = 0; write && i < step; i++)
			make_page(d, n + i, buf + i * PAGE);
		start = now(); /* making and checking the pages is not the disk's time */
		if ((write ? pwrite(d->fd, buf, MIB, (off_t)(n * PAGE))
			   : pread(d->fd, buf, MIB, (off_t)(n * PAGE))) != MIB)
			die(write ? "write" : "read");
		spent += now() - start;
		for (uint64_t i = 0; !write && i < step; i++)
			check_page(d, n + i, buf + i * PAGE);
	}
	printf("%.1f\n", (double)d->size * PAGE / 1e6 / spent);
	return 0;
}

static struct {
	struct disk *d;
	bool write;
	atomic_llong left;
	pthread_barrier_t start;
	atomic_ullong began; /* ns: when the first thread set off */
} job;

static void *random_requests(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 0x9e3779b97f4a7c15ull + 1;
	unsigned char *buf = aligned(PAGE);

	pthread_barrier_wait(&job.start);
	atomic_compare_exchange_strong(&job.began, &(unsigned long long){ 0 },
				       (unsigned long long)(now() * 1e9));
	while (atomic_fetch_sub(&job.left, 1) > 0) {
		uint64_t n;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		n = (seed >> 24) % job.d->size;
		if (job.write) {
			make_page(job.d, n, buf);
			if (pwrite(job.d->fd, buf, PAGE, (off_t)(n * PAGE)) != (ssize_t)PAGE)
				die("write");
		} else {
			if (pread(job.d->fd, buf, PAGE, (off_t)(n * PAGE)) != (ssize_t)PAGE)
				die("read");
			check_page(job.d, n, buf);
		}
	}
	return NULL;
}

static int cmd_random(struct disk *d, bool write, long long ops, unsigned depth)
{
	pthread_t t[256];

	if (ops < 1 || depth < 1 || depth > 256)
		wrong("OPS from 1, DEPTH from 1 to 256");
	job.d = d;
	job.write = write;
	atomic_store(&job.left, ops);
	pthread_barrier_init(&job.start, NULL, depth);
	for (unsigned i = 0; i < depth; i++)
		if (pthread_create(&t[i], NULL, random_requests, (void *)(uintptr_t)(i + 1)))
			wrong("cannot start threads");
	for (unsigned i = 0; i < depth; i++)
		pthread_join(t[i], NULL);
	printf("%.0f\n", (double)ops / (now() - (double)atomic_load(&job.began) / 1e9));
	return 0;
}

int main(int argc, char **argv)
{
	struct disk d;

	if (argc > 1 && !strcmp(argv[1], "pages"))
		return cmd_pages(argc - 2, argv + 2);
	if (argc < 5)
		wrong("pages OUT MIB RATIO DIR... | fill|seq DISK PAGES MIB | read|write DISK PAGES MIB OPS DEPTH");
	d = open_disk(argv + 2);
	if (!strcmp(argv[1], "fill") || !strcmp(argv[1], "seq"))
		return cmd_fill(&d, argv[1][0] == 'f');
	if (argc == 7 && (!strcmp(argv[1], "read") || !strcmp(argv[1], "write")))
		return cmd_random(&d, argv[1][0] == 'w', strtoll(argv[5], NULL, 10),
				  (unsigned)strtoul(argv[6], NULL, 10));
	wrong("what shall be measured?");
}
