// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Measures random reads of user data through the library, and the same reads through libcdio.
 *
 *     bench_disc vdrive|libcdio SHEET COUNT
 *
 * COUNT sectors of 2048 bytes, in an order that is the same for both, out of all of the disc's first track. Prints
 * "NANOSECONDS SUM": a read, and a sum of all bytes, by which both are seen to have read the same.
 */
#define _GNU_SOURCE
#include <cdio/cdio.h>
#include <cdio/read.h>
#include <cdio/track.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "images/image.h"

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_disc: %s: %s\n", what, why);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct source {
	uint32_t sectors;
	void (*read)(struct source *s, uint32_t sector, uint8_t *buf);
	void *handle;
};

static void read_vdrive(struct source *s, uint32_t sector, uint8_t *buf)
{
	int r = vd_disc_pread(s->handle, buf, VD_SECTOR_USER, (uint64_t)sector * VD_SECTOR_USER);

	if (r)
		die("vd_disc_pread", strerror(-r));
}

static void read_libcdio(struct source *s, uint32_t sector, uint8_t *buf)
{
	if (cdio_read_mode1_sector(s->handle, buf, (lsn_t)sector, false) != DRIVER_OP_SUCCESS)
		die("cdio_read_mode1_sector", "failed");
}

static char *folder;

static int open_beside(struct vd_opener *o, const char *name, struct vd_error *err)
{
	char path[4096];
	int fd;

	(void)o;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? vd_error_errno(err, -errno, "%s", name) : fd;
}

static void open_vdrive(const char *sheet, struct source *s)
{
	struct vd_opener opener = { .open = open_beside };
	struct vd_error err = { "" };
	struct vd_disc *d;
	int fd = open(sheet, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(sheet, strerror(errno));
	if (vd_image_open(&opener, fd, sheet, &d, NULL, &err))
		die(sheet, err.text);
	*s = (struct source){ .sectors = (uint32_t)(vd_disc_size(d) / VD_SECTOR_USER),
			      .read = read_vdrive,
			      .handle = d };
}

static void open_libcdio(const char *sheet, struct source *s)
{
	CdIo_t *c = cdio_open(sheet, DRIVER_BINCUE);

	if (!c)
		die(sheet, "libcdio does not open it");
	*s = (struct source){ .sectors = cdio_get_track_sec_count(c, 1),
			      .read = read_libcdio,
			      .handle = c };
}

int main(int argc, char **argv)
{
	uint64_t seed = 88172645463325252ull, sum = 0, began;
	uint8_t buf[VD_SECTOR_USER];
	struct source s;
	long count;
	char *copy;

	if (argc != 4)
		die("usage", "bench_disc vdrive|libcdio SHEET COUNT");
	count = strtol(argv[3], NULL, 10);
	copy = strdup(argv[2]);
	if (!copy || count < 1)
		die("usage", "bench_disc vdrive|libcdio SHEET COUNT");
	folder = dirname(copy);
	if (!strcmp(argv[1], "libcdio"))
		open_libcdio(argv[2], &s);
	else
		open_vdrive(argv[2], &s);
	if (!s.sectors)
		die(argv[2], "no data");
	began = now_ns();
	for (long i = 0; i < count; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		s.read(&s, (uint32_t)(seed % s.sectors), buf);
		sum = sum * 31 + buf[seed >> 32 & (VD_SECTOR_USER - 1)];
	}
	printf("%llu %llx\n", (unsigned long long)((now_ns() - began) / (uint64_t)count),
	       (unsigned long long)sum);
	free(copy);
	return 0;
}
