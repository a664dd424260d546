/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of a DVD-Video disc: one title of one chapter and one cell, whose packs hold noise. Nothing of it is encrypted. */
#ifndef TEST_DVDVIDEO_H
#define TEST_DVDVIDEO_H

#include <stdint.h>

#define DVDVIDEO_PLAYBACK_S 42 /* what its title says of its length */

/* Makes VIDEO_TS and its files in the folder @dir, which is there. @sectors: of the title's VOB. Ends the test when it cannot. */
void dvdvideo_make(const char *dir, uint32_t sectors);

#endif
