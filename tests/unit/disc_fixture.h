/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One disc that has everything, for the tests of every format, and a comparison that misses nothing.
 *
 *     session 1   track 1   mode 1, ISO 9660 (SESSION1: one.txt, shared.txt)
 *                 track 2   audio; a pregap of 150 that nothing stores; ISRC, INDEX 02 and 03, copy permitted
 *                 track 3   audio; a pregap of 75 that is stored and not silent; ISRC, pre-emphasis
 *     session 2   track 4   mode 2 Form 1, ISO 9660 (SESSION2: two.txt, shared.txt)
 *     session 3   track 5   mode 2, ISO 9660 (SESSION3: three.txt, shared.txt, and video.dat in Form 2)
 *                 track 6   audio
 *
 * with a catalogue number, and CD-TEXT in session 1. A format that cannot hold part of that is tested with a disc without it:
 * what is left is the same byte for byte.
 */
#ifndef TEST_DISC_FIXTURE_H
#define TEST_DISC_FIXTURE_H

#include "check.h"
#include "disc/disc.h"
#include "images/image.h"

#define FIX_SESSIONS 0x001u /* else the tracks of session 1 alone */
#define FIX_MODE2 0x002u /* else tracks 4 and 5 are mode 1, and video.dat is 2048 bytes a sector */
#define FIX_PREGAPS 0x004u
#define FIX_INDICES 0x008u
#define FIX_CDTEXT 0x010u    /* titles and performers in English */
#define FIX_LANGUAGES 0x020u /* with FIX_CDTEXT: a second language, genre and disc id besides */
#define FIX_ISRC 0x040u
#define FIX_MCN 0x080u
#define FIX_FLAGS 0x100u /* copy, pre-emphasis */
#define FIX_SUB 0x200u	 /* a stored subchannel, with something in R to W and errors in Q */
#define FIX_ALL 0x1ffu	 /* but for FIX_SUB */

#define FIX_MCN_TEXT "4012345678901"
#define FIX_VIDEO_SECTORS 40u /* of video.dat */

/* The caller closes it; ends the test when it cannot be made. */
struct vd_disc *fixture_disc(unsigned int features);

/*
 * Notes every difference: media apart, sessions with types, lead-outs and CD-TEXT (what it says, not how it is packed),
 * tracks with everything, the TOC in each form, all 2352 bytes of every sector from LBA 0 to the lead-out, gaps included, their
 * subchannel, the user data view, and the file systems of all sessions. @what names @b in messages. Returns whether they are the same.
 */
bool fixture_same(struct vd_disc *a, struct vd_disc *b, const char *what);

/* Opens the image at @path as the command does: by content, other files beside it. Ends the test when that fails. */
struct vd_disc *fixture_open(const char *path, const struct vd_image_format **format);
/* The same, but gives the error. */
int fixture_try(const char *path, struct vd_disc **out, struct vd_error *err);
/* The same of these bytes, in a file of that name in the test's folder. */
int fixture_try_bytes(const char *name, const void *data, size_t len, struct vd_disc **out,
		      struct vd_error *err);

/* Writes NAME.cue or NAME.toc and its NAME.bin (and NAME.cdt) into the test's folder; the path of the sheet. */
char *fixture_write_cue(struct vd_disc *d, const char *name);
char *fixture_write_toc(struct vd_disc *d, const char *name);
char *fixture_write_chd(struct vd_disc *d, const char *name);
/* The same sectors in one file, 2352 bytes each (disc.bin), for writers of other formats. */
void fixture_write_bin(struct vd_disc *d, const char *path, bool big_endian);

/* The file at @path is the user data of @d's first @sectors sectors, and no more. Ends the test when it is not. */
void fixture_check_user(struct vd_disc *d, const char *path, uint32_t sectors);

#endif
