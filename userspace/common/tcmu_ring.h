/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ring of a TCMU device (<linux/target_core_user.h>): commands come in one order and are answered in the same one. So whoever opens it
 * after its owner was killed finds every command that was not answered, whole. Nothing that is in the ring is trusted: an offset or length that
 * leads out of it is an error.
 *
 * One thread at a time.
 */
#ifndef VD_COMMON_TCMU_RING_H
#define VD_COMMON_TCMU_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "util/error.h"

#define VD_TCMU_CDB_MAX 16u
#define VD_TCMU_SENSE_MAX 96u

struct vd_tcmu_ring {
	int fd; /* readable when there are commands; -1: none, for tests */
	uint8_t *map;
	size_t size;
	uint32_t first, len; /* the command ring, in the map */
	uint32_t next;	     /* in the ring: what was not looked at yet */
	uint32_t tail;	     /* what was not answered yet */
	bool read_len;	     /* the kernel takes short answers */
};

struct vd_tcmu_command {
	uint8_t cdb[VD_TCMU_CDB_MAX];
	size_t cdb_len;
	struct iovec *iov; /* in the map; freed by vd_tcmu_command_done() */
	size_t niov;
	size_t bytes;	  /* of data, to the drive or from it */
	uint32_t at, len; /* its place in the ring */
};

/* Opens and maps it; -EBUSY while another process has it. */
int vd_tcmu_ring_open(const char *uio, struct vd_tcmu_ring *r, struct vd_error *err);
/* The same of memory that is mapped already and stays the caller's. */
int vd_tcmu_ring_init(struct vd_tcmu_ring *r, void *map, size_t size, struct vd_error *err);
void vd_tcmu_ring_close(struct vd_tcmu_ring *r);

/* The next command that came: 1; 0: none; -EBADMSG with words: the ring is not as it must be, and of no use any more; -ENOMEM. */
int vd_tcmu_ring_next(struct vd_tcmu_ring *r, struct vd_tcmu_command *c, struct vd_error *err);
/*
 * Answers the oldest command that was not answered, which must be @c: SCSI status, sense (@sense_len bytes of it; fewer than VD_TCMU_SENSE_MAX),
 * and how many bytes of data lie in c->iov from its beginning. What is behind them is zeroed.
 */
void vd_tcmu_ring_answer(struct vd_tcmu_ring *r, const struct vd_tcmu_command *c, uint8_t status,
			 const uint8_t *sense, size_t sense_len, size_t bytes);
/* Tells the kernel of the answers since the last time. */
int vd_tcmu_ring_poke(struct vd_tcmu_ring *r);
void vd_tcmu_command_done(struct vd_tcmu_command *c);

/* Copies between c->iov and a buffer, at most @len bytes. How many. */
size_t vd_tcmu_copy_in(const struct vd_tcmu_command *c, const void *buf, size_t len);
size_t vd_tcmu_copy_out(const struct vd_tcmu_command *c, void *buf, size_t len);

#endif
