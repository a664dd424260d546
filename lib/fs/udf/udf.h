/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * UDF 1.02 to 2.60: ECMA-167 (3rd edition) as OSTA's Universal Disk Format Specification restricts it. The tree is read
 * through fs/fs.h.
 */
#ifndef VD_FS_UDF_H
#define VD_FS_UDF_H

#include "fs/fs.h"

/* What a partition map of the logical volume is (UDF 2.60, 2.2.8 to 2.2.10). */
enum vd_udf_map_kind { VD_UDF_PHYSICAL, VD_UDF_SPARABLE, VD_UDF_VIRTUAL, VD_UDF_METADATA };

#define VD_UDF_MAPS_MAX 16

/* What the descriptors say. Text is UTF-8, trimmed. Times are UTC, 0 when absent. */
struct vd_udf_info {
	uint16_t revision;  /* of UDF, as 0x0201 */
	uint32_t block;	    /* bytes */
	char volume_id[64]; /* primary volume descriptor */
	char volume_set_id[256];
	char logical_id[256]; /* logical volume descriptor */
	char file_set_id[64];
	char application_id[32], implementation_id[32];
	time_t recorded;	  /* primary volume descriptor */
	time_t session_time;	  /* virtual partition: of the VAT, when the session was closed */
	time_t integrity_time;	  /* the logical volume integrity descriptor that prevails */
	bool has_integrity, open; /* it is there; it says that the volume was not closed */
	uint32_t files, directories; /* as it says */
	size_t nmaps;
	struct {
		enum vd_udf_map_kind kind;
		uint16_t number;
		uint64_t bytes;
	} maps[VD_UDF_MAPS_MAX];
	uint32_t vat_entries; /* of the virtual partition */
	bool read_only;	      /* a partition's access type */
	int nsessions;
};

/* 0..100: is there a UDF volume on this disc: a volume recognition sequence that says so, and an anchor? */
int vd_udf_probe(struct vd_disc *disc);
/* Does its volume recognition sequence promise one (ECMA-167 2/8)? */
bool vd_udf_promised(struct vd_disc *disc);
int vd_udf_open(struct vd_disc *disc, const struct vd_fs_options *o, struct vd_fs **out,
		struct vd_error *err);
/* Of a file system that vd_udf_open() made. */
void vd_udf_info(const struct vd_fs *fs, struct vd_udf_info *out);

#endif
