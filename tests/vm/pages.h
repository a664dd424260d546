/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pages for tests of memdrive's memory, and a disk that is written and checked with them. */
#ifndef VD_TESTS_VM_PAGES_H
#define VD_TESTS_VM_PAGES_H

#include <stdint.h>

#include "mdev.h"

enum { PAGE = 4096 };

#define MIB (1ull << 20)

/*
 * Page @number of @set: words of a language that has some hundred of them, which LZ4 makes about a half and zstd a third. No two are
 * equal.
 */
void page_of_words(uint64_t set, uint64_t number, void *to);
/* Cannot be made smaller. */
void page_of_noise(uint64_t set, uint64_t number, void *to);

typedef void page_maker(uint64_t set, uint64_t number, void *to);

/* Direct I/O; failures are the test's. */
void write_pages(struct mdev d, uint64_t first, uint64_t n, page_maker *make, uint64_t set);
/* Returns how many were not what write_pages() wrote from @first to @first + @n; every @step-th is looked at. */
uint64_t wrong_pages(struct mdev d, uint64_t first, uint64_t n, uint64_t step, page_maker *make,
		     uint64_t set);
void discard_pages(struct mdev d, uint64_t first, uint64_t n, uint64_t step);
/* 0 or -errno */
int read_page(struct mdev d, uint64_t number, void *to);

/* Everything is discarded: no byte of memory is in use then, nor anything that mm_stat and the columns of these count. */
void nothing_left(struct mdev d);

#endif
