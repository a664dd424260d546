/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bench_memdrive asks of the kernel module pagebench, by the ioctls of /dev/pagebench. */
#ifndef PAGEBENCH_H
#define PAGEBENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Takes a copy of so many pages at an address of user space, in the place of those that it had. */
struct pagebench_load {
	__u64 address;
	__u32 pages;
	__u32 unused;
};

/* Writes these pages to a disk from its start, or reads them from it and looks whether they are the same. */
struct pagebench_run {
	char disk[32]; /* its node */
	__u32 write;   /* 1, or 0: read */
	__u32 wrong;   /* out: pages that were read and are not what was loaded */
	__u64 ns;      /* out: the time that the requests took, one after the other, a page each */
};

#define PAGEBENCH_LOAD _IOW('p', 1, struct pagebench_load)
#define PAGEBENCH_RUN _IOWR('p', 2, struct pagebench_run)

#endif
