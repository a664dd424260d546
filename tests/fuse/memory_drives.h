/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of ramdisks and swap share, over cli.h. */
#ifndef VD_TESTS_MEMORY_DRIVES_H
#define VD_TESTS_MEMORY_DRIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"

/* The columns of mm_stat (docs/abi-sysfs.md). */
struct mm_stat {
	unsigned long long orig, compr, used, limit, used_max, same, compacted, huge;
};

/* An attribute of a drive that a process of ours serves. */
char *md_attr(const char *drive, const char *name);
/* Of such a drive, or of /dev/zramN. */
struct mm_stat md_mm_stat(const char *drive);
/* A cell of `vdrive list`, sizes in bytes; "" when it is empty. */
char *md_column(const char *drive, const char *column);

/* CLI_CLEAN(), and no loop device shows a file of ours. */
bool md_clean_at(const struct check_where *w);
#define MD_CLEAN() md_clean_at(CHECK_HERE_(false))

/* The pseudo-random text of a number: the same bytes for the same @seed, whose every @share-th word is 0. */
void md_pattern(void *buf, size_t len, uint64_t seed, unsigned int share);

void md_sleep_ms(int ms);

#endif
