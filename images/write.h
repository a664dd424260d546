/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disc as files of other formats: what `vdrive convert` writes and a drive's folder shows. Nothing here opens or names
 * a file: bytes are read by offset, sheets go to a FILE.
 */
#ifndef VD_IMAGES_WRITE_H
#define VD_IMAGES_WRITE_H

#include <stdio.h>

#include "disc/cdtext.h"
#include "disc/disc.h"

/* disc.iso */

/*
 * Sectors from LBA 0 to the end of the last data track; 0 when there is none. Sector n of such a file is the user data of LBA n:
 * vd_disc_pread() reads it.
 */
uint64_t vd_iso_sectors(const struct vd_disc *d);

/* Sectors of which such a file has nothing but zeros. */
enum vd_unrepresentable {
	VD_UNREP_AUDIO,
	VD_UNREP_GAP,	 /* between tracks of two sessions, or before the first one */
	VD_UNREP_FORM2,	 /* mode 2 Form 2 */
	VD_UNREP_NOFORM, /* mode 2 without a form: 2336 bytes */
	VD_UNREP_MODE0,
	VD_UNREP_UNREADABLE,
};
const char *vd_unrepresentable_name(enum vd_unrepresentable why);
/*
 * The first range of them that begins at @from or later, within vd_iso_sectors(), of one kind; in a track of mode 2 every
 * sector's header is read for it, at most @budget sectors. 1: it is [*lba, *lba + *n). 0: there is none. 2: the
 * budget is used up, and the search goes on at *lba. Or -errno.
 */
int vd_unrepresentable_next(struct vd_disc *d, int32_t from, uint32_t budget, int32_t *lba,
			    uint32_t *n, enum vd_unrepresentable *why);

/* disc.bin: the stored parts of all tracks, 2352 bytes a sector. */

struct vd_bin_track {
	const struct vd_track *track;
	uint32_t silent; /* sectors of its pregap that are not in the file */
	int32_t lba;	 /* of its first sector in the file */
	uint32_t length; /* sectors in the file */
	uint64_t first;	 /* the number of the first one in the file */
};

struct vd_bin {
	struct vd_disc *disc; /* borrowed */
	struct vd_bin_track *tracks;
	size_t ntracks;
	uint64_t sectors;
	bool big_endian; /* audio */
};

/*
 * Which sectors lie where. A pregap of which nothing is stored is left out, as sheets say it in words. @session 0:
 * all of them. -EMEDIUMTYPE with words when it is no CD, -ENOMEM.
 */
int vd_bin_init(struct vd_bin *b, struct vd_disc *d, int session, bool big_endian,
		struct vd_error *err);
void vd_bin_done(struct vd_bin *b);
/* @len bytes at @off, within sectors x 2352. 0 or -errno. */
int vd_bin_pread(const struct vd_bin *b, void *buf, size_t len, uint64_t off);

/*
 * The sheet of a disc.bin (CDRWIN's, with the REM lines of Redump for sessions). @cdt: the name of the file with CD-TEXT packs,
 * NULL for none. Names hold no '"'. What goes wrong shows in ferror(@f); -ENOMEM.
 */
int vd_cue_write(const struct vd_bin *b, const char *bin, const char *cdt, FILE *f);
/* Are there CD-TEXT packs that the lines of a CUE sheet cannot say, so that a file with them is needed? */
bool vd_cue_needs_cdtext_file(const struct vd_disc *d);
/* Of cdrdao's: one session, audio big endian. */
int vd_toc_write(const struct vd_bin *b, const char *bin, FILE *f);
/* Does a TOC sheet say the same CD-TEXT as the disc has? */
bool vd_toc_keeps_cdtext(const struct vd_disc *d);

/* Tracks of music. */

/*
 * The sectors of a track as CD rippers take them: from INDEX 01 on up to INDEX 01 of the next track, when that is
 * audio of the same session, so that nothing is missing between two tracks. Track 0 is what lies before INDEX 01 of the first
 * track, when that is audio and any of it is stored. False: there is no such audio track.
 */
bool vd_audio_span(const struct vd_disc *d, int number, int32_t *lba, uint32_t *n);

/* What CD-TEXT says of a track, in UTF-8; NULL: nothing. */
struct vd_audio_tags {
	char *title, *artist, *album, *album_artist, *songwriter, *composer, *arranger, *message,
		*genre;
	const char *isrc; /* borrowed from the disc */
};
int vd_audio_tags(const struct vd_disc *d, int number, struct vd_audio_tags *out);
void vd_audio_tags_done(struct vd_audio_tags *t);

/* A WAVE file: a header with CD-TEXT in a LIST INFO chunk, then samples. */
#define VD_WAV_FORMAT 36u
/* How a WAVE file of CD sound begins: its "RIFF" chunk of @riff bytes, and "fmt ". What follows is "data", or chunks before that. */
void vd_wav_format(uint8_t head[VD_WAV_FORMAT], uint32_t riff);

struct vd_wav {
	struct vd_disc *disc; /* borrowed */
	uint8_t *header;
	size_t header_len;
	int32_t lba;
	uint32_t sectors;
	uint64_t size; /* bytes of the file */
};
/* -ENOENT: no such audio track; -EFBIG, -ENOMEM. */
int vd_wav_init(struct vd_wav *w, struct vd_disc *d, int number);
void vd_wav_done(struct vd_wav *w);
/* @len bytes at @off, within the file. */
int vd_wav_pread(const struct vd_wav *w, void *buf, size_t len, uint64_t off);

#endif
