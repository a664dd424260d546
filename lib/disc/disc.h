/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disc: sessions of tracks of sectors, whatever file they came from.
 *
 *   session   lead-in | track | track ... | lead-out      disc.sessions, by number
 *   track     pregap (INDEX 00) | INDEX 01 | 02 ...       disc.tracks, by number and address
 *   extent    a run of sectors that a store holds         disc.extents, by address
 *
 * Addresses are LBAs: 0 is MSF 00:02:00, and -150 is valid (MMC-6, 4.2.3). A track says what a sector is, an extent
 * where it is stored and which part of it. Sectors of a track in no extent are generated: silence in an
 * audio track, zeros as user data in others. So a PREGAP of a sheet, which no file holds, is a pregap without an extent,
 * and lead-in, lead-out and the gap between sessions never need one.
 *
 * Images build a disc with the functions of the first group, from one thread; each of them checks what it is given and
 * leaves the disc as it was when it fails. Everybody else reads it with those of the second, from as many threads as they
 * like. A disc is not changed any more once it is read.
 *
 * Beside this: sector.h (sync, header, EDC, ECC of one sector), subchannel.h (P to W of one), cdtext.h, toc.h, discid.h.
 */
#ifndef VD_DISC_DISC_H
#define VD_DISC_DISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "util/error.h"

#define VD_SECTOR_USER 2048u  /* bytes of user data in a data sector as file systems see it */
#define VD_SECTOR_RAW 2352u   /* bytes of a sector of a CD in its main channel */
#define VD_SECTOR_SUB 96u     /* bytes of its subchannel: one bit of P to W each */
#define VD_SECTOR_C2 294u     /* bytes of error flags: one bit for each of the 2352 */
#define VD_LBA_FIRST (-150)   /* of the program area */
#define VD_PREGAP_SESSION 150 /* sectors between a lead-in and INDEX 01 of its first track */
#define VD_TRACKS_MAX 99
#define VD_EXTENTS_MAX 65536

/* Between the end of a session and INDEX 01 of the next one: lead-out, lead-in of 4500 and pregap (MMC-6, 4.2.3.5). */
#define VD_SESSION_GAP_FIRST 11400 /* behind session 1 */
#define VD_SESSION_GAP 6900	   /* behind another one */

/*
 * Which bytes of a sector are stored, one after the other (ECMA-130, 14 and 20). vd_layout_size() has their number.
 * Whatever is not stored is generated when it is read, but for what only says "error" then.
 */
enum vd_sector_layout {
	VD_LAYOUT_2048, /* user data of mode 1 or of mode 2 Form 1 */
	VD_LAYOUT_2324, /* user data of mode 2 Form 2 */
	VD_LAYOUT_2328, /* the same and its EDC */
	VD_LAYOUT_2332, /* mode 2: subheader and 2324 bytes; of Form 1 the last 276 are of no account */
	VD_LAYOUT_2336, /* mode 2 from the subheader on: subheader, user data, EDC, ECC */
	VD_LAYOUT_2352, /* the whole sector from its sync pattern on, or audio, little endian */
	VD_LAYOUT_2352_SWAPPED, /* the same with each two bytes swapped: audio, big endian */
	VD_LAYOUT_2448,		/* as 2352, and 96 bytes of subchannel behind each sector */
};

/* In which form an extent stores the subchannel: 96 bytes a sector. */
enum vd_sub_form {
	VD_SUB_NONE, /* not at all: P and Q are generated, R to W are zeros */
	VD_SUB_RAW,  /* as a drive reads it: bit 7 of each byte is P, bit 6 is Q, ... bit 0 is W */
	VD_SUB_PLANAR, /* 12 bytes of P, 12 of Q, ... 12 of W, as CloneCD's .sub */
	VD_SUB_RW_RAW, /* as VD_SUB_RAW, but bits 7 and 6 are of no account: P and Q are generated */
	VD_SUB_RW_PACKED, /* R to W in the low 6 bits as 4 packs of 24, interleaving undone (cdrdao's RW) */
};

enum vd_track_mode {
	VD_TRACK_MODE1, /* 2048 bytes of user data a sector */
	VD_TRACK_MODE2, /* each sector says whether it is Form 1 (2048), Form 2 (2324) or has no form (2336) */
	VD_TRACK_AUDIO, /* 588 samples of 2 x 16 bits, left first */
};

/* Bits of the control field of the Q subchannel and of a TOC (ECMA-130, 22.3.1; MMC-6, table 487). */
#define VD_CONTROL_PREEMPHASIS 0x1
#define VD_CONTROL_COPY 0x2 /* digital copy permitted (DCP) */
#define VD_CONTROL_DATA 0x4 /* set by vd_disc_add_track() as the mode has it */
#define VD_CONTROL_FOUR_CHANNELS 0x8

#define VD_ISRC_LEN                                                                                \
	12	      /* 2 of country, 3 of owner (A-Z 0-9), 2 digits of year, 5 of serial number */
#define VD_MCN_LEN 13 /* digits */

struct vd_track {
	int number;  /* 1..99 */
	int session; /* 1.. */
	enum vd_track_mode mode;
	uint8_t control; /* VD_CONTROL_* */
	bool scms;	 /* the copy bit alternates on a disc (CUE's SCMS); kept for sheets */
	char isrc[VD_ISRC_LEN + 1]; /* "" when it has none */
	int32_t start;		    /* LBA of INDEX 01: where the TOC points */
	uint32_t pregap;	    /* sectors before `start` that are its INDEX 00 */
	uint32_t length;	    /* sectors from `start` to its end, a postgap included */
	/* Owned by the disc: LBAs of INDEX 02, 03, ..., see vd_disc_add_index(). */
	int32_t *indices;
	size_t nindices; /* 0..98 */
};

/* A run of stored sectors. */
struct vd_extent {
	int32_t lba;	 /* of its first sector */
	uint32_t length; /* sectors */
	enum vd_sector_layout layout;
	struct vd_store *store; /* owned by the disc; extents may share it */
	uint64_t offset;	/* bytes in `store` where its first sector begins */
	uint32_t stride;	/* bytes from one sector to the next; 0: vd_layout_size() */
	/*
	 * Bytes of the store from `offset` on that belong to it, 0: all that there are. They may end inside the last
	 * sector of an audio track, as a sound file does: the rest of it is silence then.
	 */
	uint64_t limit;
	/* The subchannel. VD_LAYOUT_2448 with VD_SUB_NONE becomes VD_SUB_RAW in the bytes behind each sector. */
	enum vd_sub_form sub;
	struct vd_store
		*sub_store;  /* NULL: in `store`, 96 bytes behind the main part of each sector */
	uint64_t sub_offset; /* in `sub_store` */
	uint32_t sub_stride; /* 0: 96 */
	enum vd_track_mode mode; /* its track's: set by vd_disc_add_extent() */
};

/* What the A0 entry of a TOC says of a session (MMC-6, table 490). */
enum vd_session_type {
	VD_SESSION_CDROM = 0x00, /* CD-DA or CD-ROM with mode 1 tracks */
	VD_SESSION_CDI = 0x10,
	VD_SESSION_XA = 0x20, /* CD-ROM XA with mode 2 tracks */
};

struct vd_session {
	int number;
	enum vd_session_type type;
	size_t first_track, ntracks; /* an index into disc.tracks; a session has a track at least */
	int32_t leadout;	     /* LBA where its lead-out begins: the end of its last track */
	/* CD-TEXT as in the lead-in: packs of 18 bytes, decoded by vd_cdtext_decode(). NULL: none. */
	uint8_t *cdtext;
	size_t ncdtext; /* packs */
};

/* By the numbers of MMC-6, 5.3.1: the profile that a drive shows with such a medium in it. */
enum vd_media {
	VD_MEDIA_UNKNOWN = 0, /* vd_disc_media() tells by its sessions and size */
	VD_MEDIA_CD_ROM = 0x08,
	VD_MEDIA_CD_R = 0x09,
	VD_MEDIA_CD_RW = 0x0a,
	VD_MEDIA_DVD_ROM = 0x10,
	VD_MEDIA_DVD_R = 0x11,
	VD_MEDIA_DVD_RAM = 0x12,
	VD_MEDIA_DVD_RW = 0x14, /* sequential */
	VD_MEDIA_DVD_R_DL = 0x15,
	VD_MEDIA_DVD_PLUS_RW = 0x1a,
	VD_MEDIA_DVD_PLUS_R = 0x1b,
	VD_MEDIA_DVD_PLUS_R_DL = 0x2b,
	VD_MEDIA_BD_ROM = 0x40,
	VD_MEDIA_BD_R = 0x41,
	VD_MEDIA_BD_RE = 0x43,
};

/* A stored answer to READ DISC STRUCTURE, without its header of 4 bytes (MMC-6, 6.22). */
struct vd_structure {
	uint8_t format, layer;
	uint32_t address;
	uint8_t *data; /* owned by the disc */
	size_t len;
};

struct vd_disc {
	struct vd_track *
		tracks; /* by ascending start; within a session they follow each other without a gap */
	size_t ntracks;
	struct vd_extent *extents; /* by ascending lba */
	size_t nextents;
	struct vd_session *sessions; /* sessions[n - 1] has the number n */
	int nsessions;
	char mcn[VD_MCN_LEN + 1]; /* media catalogue number; "" when it has none */
	enum vd_media media;
	int layers;	     /* 0: not known */
	int32_t layer_break; /* LBA of the last sector of layer 0; 0: not known */
	bool opposite;	     /* track path: layer 1 is read from the outside in */
	struct vd_structure *structures;
	size_t nstructures;
	struct vd_store **stores;
	size_t nstores;
	bool recordable; /* its user data can be written: one extent of 2048 bytes a sector has all of it */
	_Atomic uint64_t unflushed; /* bytes written since the last flush */
};

/* Building. Errors: -EINVAL with words ("track 3 overlaps the one before"), -ENOMEM. @err may be NULL. */

int vd_disc_new(struct vd_disc **out);
/* One that owns @s, which is closed when there can be none. */
int vd_disc_new_owning(struct vd_store *s, struct vd_disc **out);
/* The disc owns @s from here on, also when this fails. Sheets that name a file twice own it once. */
int vd_disc_own_store(struct vd_disc *d, struct vd_store *s);
/*
 * Appends a track; its `indices` are not looked at. Its number is greater than that of the one before, its session the
 * same or the next, and it begins (with its pregap) at or after the end of the one before. What lies between two tracks
 * of a session, or between LBA 0 and the first one, becomes the later one's pregap. Between two sessions there may be any
 * gap, see VD_SESSION_GAP; its last 150 sectors are the pregap of the first track behind it. The session's type becomes XA with
 * its first mode 2 track.
 */
int vd_disc_add_track(struct vd_disc *d, const struct vd_track *t, struct vd_error *err);
/* Appends the next index, INDEX 02 first, to the track last added: within it, beyond the index before. */
int vd_disc_add_index(struct vd_disc *d, int32_t lba, struct vd_error *err);
/*
 * Appends sectors that are stored. They are beyond the extent before, lie in one track with its pregap (LBA -150 to -1
 * belong to that of track 1), have a layout that its mode has, and are in their stores, which the disc owns. One that
 * continues the one before is joined with it.
 */
int vd_disc_add_extent(struct vd_disc *d, const struct vd_extent *x, struct vd_error *err);
/* A track and one extent of the store for all of it, its pregap included. */
int vd_disc_add_stored_track(struct vd_disc *d, const struct vd_track *t,
			     enum vd_sector_layout layout, struct vd_store *store, uint64_t offset,
			     struct vd_error *err);
/* Of a session that has a track. */
int vd_disc_set_session_type(struct vd_disc *d, int session, enum vd_session_type type,
			     struct vd_error *err);
/*
 * CD-TEXT of a session that has a track, as packs of 18 bytes, copied. Any bytes are taken: the decoder trusts none of them.
 * At most 8 languages of 256 packs.
 */
int vd_disc_set_cdtext(struct vd_disc *d, int session, const uint8_t *packs, size_t npacks,
		       struct vd_error *err);
/* 13 digits. */
int vd_disc_set_mcn(struct vd_disc *d, const char *mcn, struct vd_error *err);
/* At most 2048 bytes, copied. One of the same format, layer and address is replaced. */
int vd_disc_add_structure(struct vd_disc *d, uint8_t format, uint8_t layer, uint32_t address,
			  const void *data, size_t len, struct vd_error *err);
void vd_disc_close(struct vd_disc *d); /* NULL is fine */
static inline void vd_cleanup_disc(struct vd_disc **d)
{
	vd_disc_close(*d);
}

/* Bytes a stored sector takes. */
uint32_t vd_layout_size(enum vd_sector_layout layout);
/* 12 characters as an ISRC has them, without hyphens. 13 digits. */
bool vd_isrc_valid(const char *isrc);
bool vd_mcn_valid(const char *mcn);

/* Finding. */

/* The track that holds @lba, its pregap included (LBA -150 to -1 are track 1's); NULL when none does. */
const struct vd_track *vd_disc_track_at(const struct vd_disc *d, int32_t lba);
/* The track of that number, or NULL. */
const struct vd_track *vd_disc_track(const struct vd_disc *d, int number);
/* The session that @lba is in: from the beginning of its lead-in on. 1.., 0 on a disc without a track. */
int vd_disc_session_at(const struct vd_disc *d, int32_t lba);
/* The first extent that holds a sector of the track from INDEX 01 on, or NULL: all of it is generated. */
const struct vd_extent *vd_disc_track_extent(const struct vd_disc *d, const struct vd_track *t);
/* The index of the extent that holds @lba, or else of the first one beyond it; nextents when there is neither. */
size_t vd_disc_extent_from(const struct vd_disc *d, int64_t lba);
/* Is any sector of [from, to) stored? */
bool vd_disc_is_stored(const struct vd_disc *d, int64_t from, int64_t to);
/* Index 0..99 of the track at @lba, which is in it. */
int vd_track_index_at(const struct vd_track *t, int32_t lba);
static inline int64_t vd_track_end(const struct vd_track *t)
{
	return (int64_t)t->start + t->length;
}
/* The medium; where the image does not say, what it must be by its tracks and size. */
enum vd_media vd_disc_media(const struct vd_disc *d);
bool vd_media_is_cd(enum vd_media m);

/* The user data view, for file systems. */

/* Its bytes: (last sector + 1) x 2048, 0 for a disc without sectors. */
uint64_t vd_disc_size(const struct vd_disc *d);
/*
 * Byte LBA x 2048 + n is byte n of that sector's user data. Sectors that have no 2048-byte form (audio, Form 2, gaps)
 * read as zeros. Whole or failed: -EINVAL beyond vd_disc_size(), -EIO.
 */
int vd_disc_pread(struct vd_disc *d, void *buf, size_t len, uint64_t off);
/* Where part of the user data view lies in a file byte for byte; -EOPNOTSUPP where it does not. */
int vd_disc_map(struct vd_disc *d, uint64_t off, uint64_t len, struct vd_fd_range *out);
/*
 * Writes the user data of a recordable disc; errors as vd_store_pwrite(), and -EROFS of any other disc. What was written is on the file's
 * medium after vd_disc_flush(), and before that when there is much of it: a flush never takes long.
 */
int vd_disc_pwrite(struct vd_disc *d, const void *buf, size_t len, uint64_t off);
int vd_disc_flush(struct vd_disc *d);

/* Sectors as they are. */

enum vd_sector_kind {
	VD_KIND_AUDIO,
	VD_KIND_MODE0,	     /* 2336 zeros */
	VD_KIND_MODE1,	     /* 2048 */
	VD_KIND_MODE2,	     /* formless: 2336 */
	VD_KIND_MODE2_FORM1, /* 2048 */
	VD_KIND_MODE2_FORM2, /* 2324 */
};

/* Parts of a sector, in the order in which they are read (MMC-6, tables 350 to 357). */
#define VD_READ_SYNC 0x01      /* 12 */
#define VD_READ_HEADER 0x02    /* 4: minute, second, frame, mode */
#define VD_READ_SUBHEADER 0x04 /* 8, where there is one */
#define VD_READ_USER 0x08      /* 2352, 2336, 2324 or 2048 */
#define VD_READ_EDC 0x10       /* 4, and 8 zeros in mode 1 */
#define VD_READ_ECC 0x20       /* 276: P and Q */
#define VD_READ_C2 0x40	       /* 294: nothing is known to be wrong */
#define VD_READ_SUB 0x80       /* 96: P to W as in VD_SUB_RAW */
#define VD_READ_MAIN                                                                               \
	(VD_READ_SYNC | VD_READ_HEADER | VD_READ_SUBHEADER | VD_READ_USER | VD_READ_EDC |          \
	 VD_READ_ECC) /* 2352 of every kind */

/* Bytes of these parts in a sector of that kind. */
size_t vd_sector_bytes(enum vd_sector_kind kind, unsigned int what);
/* What @lba holds; reads its header where that is stored. Errors as vd_disc_read_sectors(). */
int vd_disc_sector_kind(struct vd_disc *d, int32_t lba, enum vd_sector_kind *kind);
/*
 * Reads @n sectors of a CD from @lba on: of each the parts @what, one after the other without a gap. Stored parts are
 * given as they are stored, wrong ones too; the others are generated as ECMA-130 has them. Every sector takes as many bytes
 * as the first one: -EMEDIUMTYPE when one would take another number (mode 2 of mixed forms; VD_READ_MAIN never does).
 * Lead-in, lead-out and the gap between sessions are generated: from -45150 to 6750 sectors (lead-out of session 1; 2250
 * of others) beyond the last track. -ERANGE beyond these. -EIO as the store has it; what is in @buf then is undefined.
 * -EOPNOTSUPP for anything but VD_READ_USER when the medium is no CD.
 */
int vd_disc_read_sectors(struct vd_disc *d, int32_t lba, uint32_t n, unsigned int what, void *buf);
/* The Q subchannel of a sector, with its CRC: stored or generated. Errors as vd_disc_read_sectors(). */
int vd_disc_read_q(struct vd_disc *d, int32_t lba, uint8_t q[12]);

#endif
