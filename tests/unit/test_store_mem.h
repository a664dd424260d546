/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store in memory that has only the ops that every store must have, and that can be told to fail. */
#ifndef TEST_STORE_MEM_H
#define TEST_STORE_MEM_H

#include <pthread.h>

#include "store/store.h"

struct mem_store {
	struct vd_store store;
	uint8_t *data;
	/* Requests that touch a byte from here on, and before there, fail with @fail_code; UINT64_MAX: none do, to the end. */
	uint64_t fail_from, fail_until;
	int fail_code;
	unsigned long reads;  /* requests */
	pthread_mutex_t lock; /* over data and reads */
	int *closed;	      /* counts up at close; may be NULL */
};

/* Zeros, or a copy of @data. Ends the test when there is no memory. */
struct mem_store *mem_store_new(const void *data, uint64_t size);

#endif
