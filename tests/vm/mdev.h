/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disks of the kernel module memdrive, and of zram which has the same attributes, as guests' tests use them. Functions that
 * return int give 0 or -errno; paths and texts live as check_printf()'s do.
 */
#ifndef VD_TESTS_VM_MDEV_H
#define VD_TESTS_VM_MDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "check.h"

/* "memdrive" or "zram": names of the module, of its disks, and with "-control" of its class. */
struct mdev {
	const char *module;
	int number;
};

struct mdev_mm_stat {
	unsigned long long orig, compr, used, limit, used_max, same, compacted, huge, huge_since;
};

/* Skips outside of guests; the module is loaded. A suite's setup, and what unloads it again and looks whether pools are left. */
void mdev_setup(void);
void mdev_teardown(void);

/* A new disk that has no size yet; ends the test when there cannot be one. */
struct mdev mdev_add(const char *module);
/* The same with a size; @settings are "attribute=value", a space between them, which it is given before that. */
struct mdev mdev_make(const char *module, uint64_t bytes, const char *settings);
char *mdev_node(struct mdev d);			  /* /dev/memdrive0 */
char *mdev_attr(struct mdev d, const char *attr); /* the path */

/* Pages of all pools of zsmalloc's, also of those that nobody knows any more. */
unsigned long long mdev_pool_pages(void);

int mdev_set(struct mdev d, const char *attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Without the newline at its end; ends the test when it cannot be read. */
char *mdev_get(struct mdev d, const char *attr);
/* The @column-th number of it, from 0. */
unsigned long long mdev_number(struct mdev d, const char *attr, unsigned int column);
struct mdev_mm_stat mdev_mm_stat(struct mdev d);

/* Tries for some seconds: whoever looks at new disks has it open for a moment. */
int mdev_reset(struct mdev d);
int mdev_remove(struct mdev d);
/* Once. */
int mdev_try_remove(struct mdev d);

/*
 * Failures that are meant to be are kept from the console, where vm.sh looks for those that are not; what must not be even
 * then is looked for when this ends.
 */
void mdev_expect_errors(bool expected);

/* A text for the shell, made as by printf; a failure with all that it wrote, unless it ends well. */
#define MDEV_SH(...) mdev_sh_at(CHECK_HERE_(false), __VA_ARGS__)
bool mdev_sh_at(const struct check_where *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A child that does to a memdrive with a backing store whatever can be asked for by hand, over and over, until it is killed. The
 * store comes and goes.
 */
pid_t mdev_start_meddler(struct mdev d, const char *store);

/* With VDRIVE_SOAK: @soak, of which a debugging kernel does a twentieth, but at least @test; else @test. */
int mdev_rounds(int test, int soak);
bool mdev_debug_kernel(void);

#endif
