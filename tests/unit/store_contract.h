/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The contract of lib/store/store.h as a suite that any store can be run through:
 *
 *     static const struct store_contract lz4 = { .make = make_lz4, .lower = lower_of_lz4 };
 *     STORE_CONTRACT_TESTS(lz4)
 *
 *     static const struct check_test tests[] = {
 *             STORE_CONTRACT_ROWS(lz4),
 *             { "lz4_shrinks", test_lz4_shrinks },
 *     };
 */
#ifndef STORE_CONTRACT_H
#define STORE_CONTRACT_H

#include "check.h"
#include "test_store_mem.h"

struct store_contract {
	/* A new, writable store of @size bytes (a multiple of 4096) that reads as zeros. 0 or -errno. */
	int (*make)(uint64_t size, struct vd_store **out);
	/* The same, holding @data, and read-only. NULL: there is no such thing. */
	int (*make_read_only)(const void *data, uint64_t size, struct vd_store **out);
	/* For a layer: the store at the bottom, which is told to fail. NULL: it has none. */
	struct mem_store *(*lower)(struct vd_store *s);
};

void store_contract_fresh_reads_zeros(const struct store_contract *c);
void store_contract_bounds(const struct store_contract *c);
void store_contract_unaligned(const struct store_contract *c);
void store_contract_random(const struct store_contract *c);
void store_contract_zero_and_trim(const struct store_contract *c);
void store_contract_map(const struct store_contract *c);
void store_contract_read_only(const struct store_contract *c);
void store_contract_errors_below(const struct store_contract *c);
void store_contract_threads(const struct store_contract *c);
void store_contract_torn_by_bytes_only(const struct store_contract *c);

#define STORE_CONTRACT_TEST_(c, what)                                                              \
	static void c##_##what(void)                                                               \
	{                                                                                          \
		store_contract_##what(&c);                                                         \
	}
#define STORE_CONTRACT_TESTS(c)                                                                    \
	STORE_CONTRACT_TEST_(c, fresh_reads_zeros)                                                 \
	STORE_CONTRACT_TEST_(c, bounds)                                                            \
	STORE_CONTRACT_TEST_(c, unaligned)                                                         \
	STORE_CONTRACT_TEST_(c, random)                                                            \
	STORE_CONTRACT_TEST_(c, zero_and_trim)                                                     \
	STORE_CONTRACT_TEST_(c, map)                                                               \
	STORE_CONTRACT_TEST_(c, threads)                                                           \
	STORE_CONTRACT_TEST_(c, torn_by_bytes_only)
/* For a store with .make_read_only, and for a layer. */
#define STORE_CONTRACT_READ_ONLY_TEST(c) STORE_CONTRACT_TEST_(c, read_only)
#define STORE_CONTRACT_LAYER_TEST(c) STORE_CONTRACT_TEST_(c, errors_below)

#define STORE_CONTRACT_ROW_(c, what)                                                               \
	{                                                                                          \
#c "_" #what, c##_##what                                                           \
	}
#define STORE_CONTRACT_ROWS(c)                                                                     \
	STORE_CONTRACT_ROW_(c, fresh_reads_zeros), STORE_CONTRACT_ROW_(c, bounds),                 \
		STORE_CONTRACT_ROW_(c, unaligned), STORE_CONTRACT_ROW_(c, random),                 \
		STORE_CONTRACT_ROW_(c, zero_and_trim), STORE_CONTRACT_ROW_(c, map),                \
		STORE_CONTRACT_ROW_(c, threads), STORE_CONTRACT_ROW_(c, torn_by_bytes_only)
#define STORE_CONTRACT_READ_ONLY_ROW(c) STORE_CONTRACT_ROW_(c, read_only)
#define STORE_CONTRACT_LAYER_ROW(c) STORE_CONTRACT_ROW_(c, errors_below)

#endif
