/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an optical drive plays, as a WAV file: 16 bits, stereo, 44.1 kHz, with the volume and the channels that the host has set. Pauses
 * and scans are not in it. The file is right, header and all, after each piece that is written.
 *
 * The clock of the drive says what is heard (mmc.h); the recorder reads ahead of it, so that the sound is there when it is heard, also when
 * the disc is ejected in that moment. What cannot be read is silence.
 */
#ifndef VDRIVED_RECORDER_H
#define VDRIVED_RECORDER_H

#include "mmc/mmc.h"
#include "userspace/vdrived/jobs.h"

struct vd_recorder;

/* What its file must be: regular, open for writing, not for appending. -EINVAL, -EBADF with words. */
int vd_recorder_check(int fd, struct vd_error *err);
/*
 * Takes @fd; what another recorder has written to it stays. It is written by @jobs. What sounds before @now is not in it. NULL without
 * memory.
 */
struct vd_recorder *vd_recorder_new(int fd, struct vd_jobs *jobs, const struct vd_mmc *m,
				    uint64_t now);
/* The medium is out. What was heard is written still; then the file is closed, and *@open is one less. */
void vd_recorder_end(struct vd_recorder *r, int *open);

/* Takes what is heard by @now (ns, as in a request): to be called before whatever may change what @m plays, and now and then. */
void vd_recorder_hear(struct vd_recorder *r, const struct vd_mmc *m, uint64_t now);
/* What @m plays may have changed. */
void vd_recorder_turn(struct vd_recorder *r, const struct vd_mmc *m);

/* It has something to do still, or is going to. */
bool vd_recorder_busy(const struct vd_recorder *r);
/* True: sectors of sound are to be read now, and then given. */
bool vd_recorder_wants(struct vd_recorder *r, int32_t *lba, uint32_t *n);
/* What it wanted: 2352 bytes a sector; NULL: they cannot be read, or (@later) not yet. */
void vd_recorder_give(struct vd_recorder *r, int32_t lba, uint32_t n, const uint8_t *data,
		      bool later);

#endif
