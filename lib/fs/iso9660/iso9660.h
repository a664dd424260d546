/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ISO 9660 (ECMA-119) with Rock Ridge (IEEE P1282), Joliet and zisofs. The tree is read through fs/fs.h. */
#ifndef VD_FS_ISO9660_H
#define VD_FS_ISO9660_H

#include "fs/fs.h"

/* One entry of the El Torito boot catalog (El Torito 1.0, 2.0). */
struct vd_iso_boot {
	uint8_t platform; /* 0x00 x86, 0x01 PowerPC, 0x02 Mac, 0xEF EFI */
	uint8_t media;	  /* 0 no emulation, 1 1.2M, 2 1.44M, 3 2.88M floppy, 4 hard disk */
	bool bootable;
	uint16_t load_segment, sectors; /* sectors of 512 bytes */
	uint32_t lba;			/* of 2048 bytes */
	char id[29];			/* of its section, trimmed */
};

#define VD_ISO_BOOT_MAX 64

/* What the volume descriptors say. Text is UTF-8, trimmed. Times are UTC, 0 when absent. */
struct vd_iso_info {
	char system_id[64], volume_id[64], volume_set_id[512], publisher_id[512], preparer_id[512],
		application_id[512];
	time_t created, modified, expires, effective;
	uint64_t bytes; /* volume space size */
	uint32_t block;
	bool rock_ridge;
	bool zisofs_seen; /* in the root directory */
	int joliet_level; /* 0: none */
	bool enhanced;	  /* ISO 9660:1999, "level 4" */
	int nsessions;
	struct {
		uint32_t lba;	/* where the session starts */
		uint64_t bytes; /* its volume's */
		char volume_id[64];
		time_t created;
	} sessions[99];
	struct vd_iso_boot boot[VD_ISO_BOOT_MAX];
	size_t nboot;
	bool hybrid_mbr, hybrid_gpt, hybrid_apm; /* partition tables in the system area */
};

/* 0..100: is there an ISO 9660 volume on this disc? */
int vd_iso_probe(struct vd_disc *disc);
int vd_iso_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
		struct vd_error *err);
/*
 * Facts of the session that @o chooses. A damaged boot catalog is no failure: its words are in @err, which is empty
 * otherwise, and nboot stays at what was good.
 */
int vd_iso_info(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_iso_info *out,
		struct vd_error *err);

#endif
