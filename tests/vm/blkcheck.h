/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A block device under random work, whose every page is checked. Threads have parts of it, in turn, 256 KiB each, so that
 * whoever moves neighbours meets several threads. They write, read, discard, zero and flush 1 to 64 pages, with direct
 * I/O, from and to memory that is aligned to 512 bytes only now and then, in pieces. A page's contents follow from its
 * number and from how often it was written: one word over and over, noise, a text that 16 pages have, a text of its own.
 */
#ifndef VD_TESTS_VM_BLKCHECK_H
#define VD_TESTS_VM_BLKCHECK_H

#include <stdbool.h>
#include <stdint.h>

struct blkcheck {
	/* In. */
	const char *path;
	uint64_t bytes; /* of the device, from its start; it must read as zeros */
	unsigned int threads;
	unsigned int requests; /* of each thread */
	uint64_t seed;
	/*
	 * When given: requests may fail with EIO or ENOMEM; of a write that did, the pages are what they were or what they were to be.
	 * Called with true when the threads run, and with false when all have ended, before all is read once more.
	 */
	void (*faults)(bool on);
	/* Out. */
	uint64_t writes, reads, discards, failures; /* requests */
	uint64_t wrong;				    /* pages that were neither */
	char first[128];			    /* of these: which, and how */
};

/* 0, whatever was wrong, or -errno when it could not be tried. At the end all is read once more. */
int blkcheck_run(struct blkcheck *c);

#endif
