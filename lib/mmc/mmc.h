/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an optical drive does (MMC-6, MMC-3 for sound, SPC-3, SBC-2): one command descriptor block in, data or sense out.
 *
 * The drive (struct vd_mmc) is plain data without a pointer: tray, lock, pending unit attentions and events, mode pages, where the
 * sound is. It knows of its medium a few numbers only. The medium is a disc, and what must look at it never changes the drive:
 *
 *     vd_mmc_begin()    the drive: is it allowed now? answers what it can answer by itself
 *     vd_mmc_answer()   the disc: answers the rest, from as many threads as one likes
 *     vd_mmc_end()      the drive: takes note of what the answer means (where the head is, what plays)
 *
 * So a process that parses nothing can hold the drive, and another one the disc. vd_mmc_execute() is all three in one.
 */
#ifndef VD_MMC_MMC_H
#define VD_MMC_MMC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disc/disc.h"

#define VD_MMC_NAME_MAX 32u
#define VD_MMC_CDB_MAX 16u
#define VD_MMC_SENSE 18u      /* fixed format (SPC-3, 4.5.3) */
#define VD_MMC_MODE_BYTES 96u /* of all mode pages */

#define VD_MMC_GOOD 0x00
#define VD_MMC_CHECK_CONDITION 0x02

/* Audio status codes (MMC-6, READ SUB-CHANNEL). */
enum vd_mmc_audio {
	VD_AUDIO_PLAYING = 0x11,
	VD_AUDIO_PAUSED = 0x12,
	VD_AUDIO_COMPLETED = 0x13, /* told once, then it is NONE; so is the next */
	VD_AUDIO_FAILED = 0x14,
	VD_AUDIO_NONE = 0x15,
};

/* What a drive knows of its medium. */
struct vd_mmc_medium {
	bool present;
	enum vd_media profile;
	bool audio;	  /* has a track of sound */
	uint32_t sectors; /* READ CAPACITY's last LBA, plus one */
	bool writable;	  /* anywhere */
};

struct vd_mmc {
	char name[VD_MMC_NAME_MAX + 1]; /* the serial number */
	struct vd_mmc_medium medium;
	bool tray_open;
	bool prevent, persistent_prevent;
	/* Unit attentions: reported once, in this order. */
	bool ua_reset, ua_medium;
	/* Events of GET EVENT STATUS NOTIFICATION: reported once. What happened last hides what it undid. */
	bool event_operational, event_power, event_new_medium, event_removal, event_eject;
	uint8_t power;			 /* 1 active, 2 idle, 3 standby */
	uint16_t speed;			 /* kB/s */
	uint8_t mode[VD_MMC_MODE_BYTES]; /* current mode pages */
	/* Sound: at @since it was at @at and goes @rate times as fast as it sounds, until @first or @last. */
	enum vd_mmc_audio audio;
	int rate;
	uint64_t since;	     /* ns */
	int32_t at;	     /* also where the last command left the head */
	int32_t first, last; /* LBA [first, last) may play */
	bool fails;	     /* no sound at @last, but the command asked for more */
};

/* What an answer from the disc may have to know of the drive. */
struct vd_mmc_now {
	enum vd_mmc_audio audio;
	int32_t at;
	enum vd_media profile;
	uint16_t speed;
	int rate;  /* of what plays */
	bool sotc; /* stop on track crossing: mode page 0Eh */
};

struct vd_mmc_request {
	const uint8_t *cdb;
	size_t cdb_len;
	const void *out; /* data to the drive */
	size_t out_len;
	void *in; /* data from the drive: never more than @in_cap bytes */
	size_t in_cap;
	/* Where not NULL, a read that is stored in files as it is may be answered with at most @max_ranges of these. */
	struct vd_fd_range *ranges;
	size_t max_ranges;
	uint64_t now; /* ns of a clock that never goes back */
};

struct vd_mmc_reply {
	uint8_t status;
	uint8_t sense[VD_MMC_SENSE]; /* with CHECK CONDITION */
	size_t len;	/* bytes of data: in `in`, or when nranges is not 0 in these ranges */
	size_t nranges; /* their descriptors are borrowed from the disc */
	bool ejected;	/* the medium has left the drive: it can be closed */
	/* For vd_mmc_end(). */
	bool moved;
	bool plays;
	int32_t at, first, last;
	int rate;
	bool fails;
};

/* A drive without a medium, tray closed. @name is cut at VD_MMC_NAME_MAX bytes. */
void vd_mmc_init(struct vd_mmc *m, const char *name);
/* What a drive has to know of a disc. */
struct vd_mmc_medium vd_mmc_medium_of(const struct vd_disc *d);

/* Closes the tray with that medium in it. -EBUSY when there is one. */
int vd_mmc_insert(struct vd_mmc *m, const struct vd_mmc_medium *medium);
/*
 * Someone presses the eject button: -EBUSY when the tray is locked, and the host is told of it (it may eject by itself then).
 * @force: opens a locked tray too, as the hole with the paper clip does, and unlocks it. 0 also when there is no medium.
 */
int vd_mmc_eject(struct vd_mmc *m, bool force);
/* Whether the tray stays shut when somebody presses the eject button (MMC-6, 6.18). */
bool vd_mmc_locked(const struct vd_mmc *m);
/* LBA where the sound is, or where the head was left. */
int32_t vd_mmc_position(struct vd_mmc *m, uint64_t now);
/*
 * LBA up to which it has sounded: of what plays, or has just come to its end; else where it is. In a scan that goes back it is where
 * that is.
 */
int32_t vd_mmc_heard(const struct vd_mmc *m, uint64_t now);
/* What the drive makes of sound (@bytes of frames: left, right, 16 bits little-endian): channels and volume of mode page 0Eh (MMC-3). */
void vd_mmc_sound(const struct vd_mmc *m, uint8_t *pcm, size_t bytes);

/* True: @r is the answer. False: the disc has to answer, with @now. */
bool vd_mmc_begin(struct vd_mmc *m, const struct vd_mmc_request *q, struct vd_mmc_reply *r,
		  struct vd_mmc_now *now);
void vd_mmc_answer(const struct vd_mmc_now *now, struct vd_disc *d, const struct vd_mmc_request *q,
		   struct vd_mmc_reply *r);
/* Only while the medium that answered is in the drive still: what it says of the head is of no account otherwise. */
void vd_mmc_end(struct vd_mmc *m, const struct vd_mmc_request *q, const struct vd_mmc_reply *r);
/* @d is the medium that was inserted; NULL when there is none. */
void vd_mmc_execute(struct vd_mmc *m, struct vd_disc *d, const struct vd_mmc_request *q,
		    struct vd_mmc_reply *r);

/* "READ CD", or NULL for a command that the drive does not know. @section: where the standards have it; may be NULL. */
const char *vd_mmc_command_name(uint8_t opcode, const char **section);
/* Does the host send data with it? Of all others it may want some. */
bool vd_mmc_takes_data(uint8_t opcode);
/* Does the disc answer it, once vd_mmc_begin() has let it pass? */
bool vd_mmc_by_disc(uint8_t opcode);
/* An answer of CHECK CONDITION: sense key, additional sense code and qualifier as one number, 0x023a01. */
void vd_mmc_refuse(struct vd_mmc_reply *r, uint32_t sense);

#endif
