/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of lib/mmc share with each other only. */
#ifndef VD_MMC_INTERNAL_H
#define VD_MMC_INTERNAL_H

#include "mmc/mmc.h"

/* One command under way. */
struct vd_mmc_call {
	uint8_t cdb[VD_MMC_CDB_MAX]; /* zeros behind a short one */
	const struct vd_mmc_request *q;
	struct vd_mmc_reply *r;
};

/* A sense key, additional sense code and qualifier as one number: 0x052400. */
enum vd_mmc_sense {
	VD_SENSE_NONE = 0x000000,
	VD_SENSE_TRAY_CLOSED = 0x023a01,
	VD_SENSE_TRAY_OPEN = 0x023a02,
	VD_SENSE_WRITE_ERROR = 0x030c00,
	VD_SENSE_READ_ERROR = 0x031100,
	VD_SENSE_INTERNAL = 0x044400,
	VD_SENSE_LIST_LENGTH = 0x051a00,
	VD_SENSE_OPCODE = 0x052000,
	VD_SENSE_RANGE = 0x052100,
	VD_SENSE_CDB = 0x052400,
	VD_SENSE_LIST = 0x052600,
	VD_SENSE_SEQUENCE = 0x052c00,
	VD_SENSE_FORMAT = 0x053002, /* cannot read medium: incompatible format */
	VD_SENSE_SAVING = 0x053900,
	VD_SENSE_LOCKED = 0x055302,
	VD_SENSE_TRACK_MODE = 0x056400,
	VD_SENSE_NO_KEY = 0x056f01,
	VD_SENSE_MEDIUM_CHANGED = 0x062800,
	VD_SENSE_RESET = 0x062900,
	VD_SENSE_WRITE_PROTECTED = 0x072700,
	VD_SENSE_MISCOMPARE = 0x0e1d00,
};

/* sense.c */

void vd_sense_put(uint8_t sense[VD_MMC_SENSE], uint32_t code);
void vd_mmc_fail(struct vd_mmc_call *c, uint32_t code);
/* A sector that cannot be had: its address is in the information field (SPC-3, 4.5.3); @ili: it has another length. */
void vd_mmc_fail_at(struct vd_mmc_call *c, uint32_t code, int32_t lba, bool ili);
/* From -errno of lib/disc. */
void vd_mmc_fail_errno(struct vd_mmc_call *c, int code, int32_t lba);
/* Data of @len bytes, of which the command takes @allocation and the caller has room for in_cap. */
void vd_mmc_data(struct vd_mmc_call *c, const void *data, size_t len, size_t allocation);

/* Of the drive. */

typedef void vd_mmc_drive_fn(struct vd_mmc *m, struct vd_mmc_call *c);
vd_mmc_drive_fn vd_mmc_test_unit_ready, vd_mmc_request_sense, vd_mmc_start_stop, vd_mmc_prevent,
	vd_mmc_events, vd_mmc_mechanism, vd_mmc_set_speed, vd_mmc_set_streaming, vd_mmc_report_luns,
	vd_mmc_inquiry, vd_mmc_read_capacity, vd_mmc_get_performance; /* drive.c, inquiry.c */
vd_mmc_drive_fn vd_mmc_format_unit, vd_mmc_format_capacities, vd_mmc_buffer_capacity,
	vd_mmc_close;				       /* write.c */
vd_mmc_drive_fn vd_mmc_mode_sense, vd_mmc_mode_select; /* mode.c */
vd_mmc_drive_fn vd_mmc_get_configuration;	       /* features.c */
vd_mmc_drive_fn vd_mmc_pause_resume, vd_mmc_stop;      /* audio.c */
vd_mmc_drive_fn vd_mmc_report_key, vd_mmc_send_key;    /* structure.c */

void vd_mmc_mode_init(struct vd_mmc *m);
/* A page's current bytes, from its code on; it must be one that the drive has. */
const uint8_t *vd_mmc_mode_page(const struct vd_mmc *m, uint8_t code);
/* Brings what plays up to date; what has come to its end is over. */
void vd_mmc_audio_update(struct vd_mmc *m, uint64_t now);
void vd_mmc_audio_stop(struct vd_mmc *m);
/* What has ended is told once. */
void vd_mmc_audio_told(struct vd_mmc *m);

/* Of the disc. */

typedef void vd_mmc_disc_fn(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c);
vd_mmc_disc_fn vd_mmc_read, vd_mmc_seek, vd_mmc_verify, vd_mmc_read_header; /* read.c */
vd_mmc_disc_fn vd_mmc_write, vd_mmc_sync_cache;				    /* write.c */
vd_mmc_disc_fn vd_mmc_read_cd, vd_mmc_read_cd_msf, vd_mmc_read_cdda;	    /* read_cd.c */
vd_mmc_disc_fn vd_mmc_read_toc, vd_mmc_disc_information, vd_mmc_track_information,
	vd_mmc_read_subchannel;						     /* toc.c */
vd_mmc_disc_fn vd_mmc_play, vd_mmc_play_msf, vd_mmc_play_index, vd_mmc_scan; /* play.c */
vd_mmc_disc_fn vd_mmc_disc_structure;					     /* structure.c */

/* Fails unless [lba, lba + n) lies in tracks; sound is a track too. */
bool vd_mmc_check_range(struct vd_disc *d, struct vd_mmc_call *c, uint32_t lba, uint32_t n);
/* Three bytes as a time; false when they are none. */
bool vd_mmc_get_msf(const uint8_t *p, int32_t *lba);
/* An address in four bytes, as LBA or MSF. */
void vd_mmc_put_address(uint8_t p[4], int32_t lba, bool msf);

#endif
