// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * bench_memdrive ROUNDS NAME=FILE...: inside of User Mode Linux, with zram, memdrive and pagebench loaded. For each file of pages all
 * peers have their turn in each round: a new disk, written, read three times. Ratios are taken within a round, against the peer
 * beside. "cold" is memdrive after its background has gone over all pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "pagebench.h"
#include "util/cleanup.h"

enum { PAGE = 4096, READS = 3, MAX_ROUNDS = 99, NUMBER = 0 };

enum peer { ZRAM_LZ4, ZRAM_ZSTD, PLAIN, FULL, COLD, PEERS };
enum figure { WRITE_NS, READ_NS, BYTES, FIGURES };

static const struct {
	const char *name, *module, *settings;
	unsigned int table; /* bytes a page, of a module that does not say it itself */
} peers[PEERS] = {
	/* struct zram_table_entry with ac_time, as in Debian's 6.12. */
	[ZRAM_LZ4] = { "zram lz4", "zram", "comp_algorithm=lz4", 24 },
	[ZRAM_ZSTD] = { "zram zstd", "zram", "comp_algorithm=zstd", 24 },
	[PLAIN] = { "memdrive", "memdrive", "verify=0 dedup=0 density=0", 0 },
	[FULL] = { "memdrive, verify+dedup", "memdrive", "verify=1 dedup=1 density=0", 0 },
	[COLD] = { "memdrive, cold", "memdrive", "verify=0 dedup=0 density=0", 0 },
};

static const struct {
	const char *what;
	enum peer of, against;
	enum figure figure;
	double at_most;
} goals[] = {
	{ "write", PLAIN, ZRAM_LZ4, WRITE_NS, 1.05 },
	{ "read", PLAIN, ZRAM_LZ4, READ_NS, 1.05 },
	{ "write, verify and dedup on", FULL, ZRAM_LZ4, WRITE_NS, 1.15 },
	{ "read, verify and dedup on", FULL, ZRAM_LZ4, READ_NS, 1.3 },
	{ "memory at once", PLAIN, ZRAM_LZ4, BYTES, 1.02 },
	{ "memory after the background", COLD, ZRAM_LZ4, BYTES, 0.55 },
	{ "read of cold pages", COLD, ZRAM_ZSTD, READ_NS, 2 },
};

/*
 * Beyond memory: written, and all of it brought to a backing store, by whatever the peer does of itself and by hand for the rest; then read
 * from there. The store is another zram, so that nothing but the peers' own work takes time.
 */
enum { SPILLERS = 2, OUT_NS = 0, BACK_NS, SPILL_FIGURES };
static const enum peer spillers[SPILLERS] = { ZRAM_LZ4, PLAIN };
static double spill_figures[SPILLERS][SPILL_FIGURES][MAX_ROUNDS];
static int store_number;

static double figures[PEERS][FIGURES][MAX_ROUNDS];
static bool missing[PEERS];
static int bench;

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	printf("bench: ");
	vprintf(fmt, ap);
	printf(": %s\n", strerror(e));
	va_end(ap);
	exit(1);
}

static int put(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static char *attribute(enum peer p, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s%d/%s", peers[p].module, NUMBER, name);
	return path;
}

static void get(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0)
		fail("%s", path);
	text[n] = '\0';
}

static void start(enum peer p, size_t pages)
{
	char settings[128], *next = settings, *one;

	snprintf(settings, sizeof(settings), "%s", peers[p].settings);
	while ((one = strsep(&next, " "))) {
		const char *name = strsep(&one, "=");

		/* What this module does not have is off. */
		if (put(attribute(p, name), one) && !(errno == ENOENT && !strcmp(one, "0"))) {
			if (errno != ENOENT)
				fail("%s", attribute(p, name));
			missing[p] = true;
		}
	}
	snprintf(settings, sizeof(settings), "%zu", pages * PAGE);
	if (put(attribute(p, "disksize"), settings))
		fail("%s", attribute(p, "disksize"));
}

/* Of the pool, and of the tables beside it. */
static double memory(enum peer p, size_t pages)
{
	unsigned long long used, slots, reserve, backing, density, dedup;
	char text[1024];

	get(attribute(p, "mm_stat"), text, sizeof(text));
	if (sscanf(text, "%*u %*u %llu", &used) != 1)
		fail("mm_stat");
	if (peers[p].table)
		return (double)(used + peers[p].table * pages);
	get(attribute(p, "mem_tables"), text, sizeof(text));
	/* But for the streams, which zram has too and does not count. */
	if (sscanf(text, "%llu %*u %llu %llu %llu %llu", &slots, &reserve, &backing, &density,
		   &dedup) != 5)
		fail("mem_tables");
	return (double)(used + slots + reserve + backing + density + dedup);
}

static double pass(enum peer p, bool write, size_t pages)
{
	struct pagebench_run r = { .write = write };

	snprintf(r.disk, sizeof(r.disk), "/dev/%s%d", peers[p].module, NUMBER);
	if (ioctl(bench, PAGEBENCH_RUN, &r))
		fail("%s of %s", write ? "write" : "read", peers[p].name);
	if (r.wrong) {
		printf("bench: %u pages of %s came back wrong\n", r.wrong, peers[p].name);
		exit(1);
	}
	return (double)r.ns / (double)pages;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* All is packed now: by the attributes that zram has for this. */
static void pack(enum peer p)
{
	if (put(attribute(p, "idle"), "all"))
		fail("%s", attribute(p, "idle"));
	if (put(attribute(p, "recompress"), "type=idle")) {
		if (errno != ENOENT)
			fail("%s", attribute(p, "recompress"));
		missing[p] = true;
	}
}

static void turn(enum peer p, int round, size_t pages)
{
	/* The second read of a packed page brings it back, so it is cold only once. */
	int nreads = p == COLD ? 1 : READS;
	double reads[READS] = { 0 };

	start(p, pages);
	figures[p][WRITE_NS][round] = pass(p, true, pages);
	if (p == COLD)
		pack(p);
	figures[p][BYTES][round] = memory(p, pages);
	for (int i = 0; i < nreads; i++)
		reads[i] = pass(p, false, pages);
	figures[p][READ_NS][round] = median(reads, nreads);
	if (put(attribute(p, "reset"), "1"))
		fail("reset of %s", peers[p].name);
}

static char *store_attribute(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/sys/block/zram%d/%s", store_number, name);
	return path;
}

static void make_store(void)
{
	char text[32];

	get("/sys/class/zram-control/hot_add", text, sizeof(text));
	store_number = atoi(text);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void turn_beyond_memory(int s, int round, size_t pages)
{
	const enum peer p = spillers[s];
	unsigned long long out;
	char text[64];
	double begin, took;

	snprintf(text, sizeof(text), "%zu", 2 * pages * PAGE);
	if (put(store_attribute("disksize"), text))
		fail("%s", store_attribute("disksize"));
	snprintf(text, sizeof(text), "/dev/zram%d", store_number);
	if (put(attribute(p, "backing_dev"), text))
		fail("%s", attribute(p, "backing_dev"));
	start(p, pages);
	if (p != ZRAM_LZ4) { /* a quarter of what the pages take; zram's writes would fail */
		snprintf(text, sizeof(text), "%.0f", figures[p][BYTES][0] / 4);
		if (put(attribute(p, "mem_limit"), text))
			fail("%s", attribute(p, "mem_limit"));
	}
	took = pass(p, true, pages);
	begin = seconds_now();
	if (put(attribute(p, "idle"), "all") || put(attribute(p, "writeback"), "idle"))
		fail("%s", attribute(p, "writeback"));
	spill_figures[s][OUT_NS][round] = took + (seconds_now() - begin) * 1e9 / (double)pages;
	get(attribute(p, "bd_stat"), text, sizeof(text));
	/* zram counts pages, memdrive the blocks that they fill together. */
	if (sscanf(text, "%llu", &out) != 1 || !out) {
		printf("bench: nothing of %s is in its store\n", peers[p].name);
		exit(1);
	}
	spill_figures[s][BACK_NS][round] = pass(p, false, pages);
	if (put(attribute(p, "reset"), "1"))
		fail("reset of %s", peers[p].name);
	if (p != ZRAM_LZ4 && put(attribute(p, "mem_limit"), "0"))
		fail("%s", attribute(p, "mem_limit"));
	if (put(store_attribute("reset"), "1"))
		fail("%s", store_attribute("reset"));
}

static void show_beyond_memory(int rounds)
{
	static const char *const what[] = { "written, all of it to a store",
					    "read from the store" };

	for (int f = 0; f < SPILL_FIGURES; f++) {
		double v[SPILLERS + 1][MAX_ROUNDS], m[SPILLERS + 1];

		for (int i = 0; i < rounds; i++) {
			v[0][i] = spill_figures[0][f][i];
			v[1][i] = spill_figures[1][f][i];
			v[2][i] = v[1][i] / v[0][i];
		}
		for (int k = 0; k <= SPILLERS; k++)
			m[k] = median(v[k], rounds);
		printf("  beyond memory, %s, ns a page: zram with manual writeback %.0f (%.0f-%.0f), memdrive %.0f (%.0f-%.0f), ratio %.3f (%.3f-%.3f)\n",
		       what[f], m[0], v[0][0], v[0][rounds - 1], m[1], v[1][0], v[1][rounds - 1],
		       m[2], v[2][0], v[2][rounds - 1]);
	}
}

static void show(const char *set, int rounds, size_t pages)
{
	static const char *const units[] = { "write ns", "read ns", "bytes/page" };

	printf("\n%s: %zu pages; medians of %d rounds (lowest-highest), a page\n", set, pages,
	       rounds);
	printf("  %-24s %24s %24s %24s\n", "", units[0], units[1], units[2]);
	for (int p = 0; p < PEERS; p++) {
		if (missing[p])
			continue;
		printf("  %-24s", peers[p].name);
		for (int f = 0; f < FIGURES; f++) {
			double v[MAX_ROUNDS], by = f == BYTES ? (double)pages : 1, m;

			memcpy(v, figures[p][f], sizeof(v));
			m = median(v, rounds);
			printf("  %7.0f (%.0f-%.0f)", m / by, v[0] / by, v[rounds - 1] / by);
		}
		putchar('\n');
	}
	for (size_t g = 0; g < VD_ARRAY_SIZE(goals); g++) {
		double v[MAX_ROUNDS], m;

		if (missing[goals[g].of]) {
			printf("bench: not measured %s: %s: this module has not got it\n", set,
			       goals[g].what);
			continue;
		}
		for (int i = 0; i < rounds; i++)
			v[i] = figures[goals[g].of][goals[g].figure][i] /
			       figures[goals[g].against][goals[g].figure][i];
		m = median(v, rounds);
		printf("bench: %-12s %s: %s, %s against %s: %.3f (%.3f-%.3f), goal %.2f\n",
		       m <= goals[g].at_most ? "reached" : "NOT reached", set, goals[g].what,
		       peers[goals[g].of].name, peers[goals[g].against].name, m, v[0],
		       v[rounds - 1], goals[g].at_most);
	}
	fflush(stdout);
}

/*
 * What zstd by itself makes of these pages, with no allocator and no table: nothing that packs so many pages to a unit can take less.
 * As bytes a page, and as the part of what they take in zram with LZ4.
 */
static void show_limit(const uint8_t *all, size_t pages)
{
	static const size_t units[] = { 1, 2, 4 };
	static uint8_t packed[2 * 4 * PAGE];
	double v[MAX_ROUNDS];

	memcpy(v, figures[ZRAM_LZ4][BYTES], sizeof(v));
	for (size_t u = 0; u < VD_ARRAY_SIZE(units); u++) {
		size_t sum = 0;

		for (size_t i = 0; i + units[u] <= pages; i += units[u]) {
			size_t n = ZSTD_compress(packed, sizeof(packed), all + i * PAGE,
						 units[u] * PAGE, 3);

			sum += ZSTD_isError(n) || n > units[u] * PAGE ? units[u] * PAGE : n;
		}
		printf("  limit: zstd level 3 alone, %zu pages to a unit: %.0f bytes a page, %.3f of zram lz4\n",
		       units[u], (double)sum / (double)pages, (double)sum / v[0]);
	}
}

static void measure(char *arg, int rounds)
{
	const char *set = strsep(&arg, "=");
	_cleanup_close_ int fd = open(arg, O_RDONLY | O_CLOEXEC);
	struct pagebench_load l = { 0 };
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st))
		fail("%s", arg);
	l.pages = (unsigned int)(st.st_size / PAGE);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		fail("%s", arg);
	l.address = (uintptr_t)map;
	if (ioctl(bench, PAGEBENCH_LOAD, &l))
		fail("loading %s", arg);
	for (int round = -1; round < rounds; round++)
		for (int p = 0; p < PEERS; p++)
			/* The first time is for warming up, and is overwritten. */
			turn((enum peer)p, round < 0 ? 0 : round, l.pages);
	for (int round = -1; round < rounds; round++)
		for (int s = 0; s < SPILLERS; s++)
			turn_beyond_memory(s, round < 0 ? 0 : round, l.pages);
	show(set, rounds, l.pages);
	show_limit(map, l.pages);
	show_beyond_memory(rounds);
	munmap(map, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0;

	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fputs("usage: bench_memdrive ROUNDS NAME=FILE...\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench = open("/dev/pagebench", O_RDWR | O_CLOEXEC);
	if (bench < 0)
		fail("/dev/pagebench");
	make_store();
	for (int i = 2; i < argc; i++)
		measure(argv[i], rounds);
	return 0;
}
