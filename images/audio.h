/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound files as the audio of a CD. */
#ifndef VD_IMAGES_AUDIO_H
#define VD_IMAGES_AUDIO_H

#include "store/store.h"

/*
 * The samples of a WAVE (RIFF, RF64, W64), AIFF, FLAC, Ogg Vorbis or MP3 file: 44100 times a second left and right,
 * 16 bits each, little endian, read-only. Takes @fd, also on failure. Any part may be read at any time and is
 * the same as when the file is decoded from its beginning on. -EMEDIUMTYPE with words when it is no such file, or has another
 * rate ("48000 Hz, a CD has 44100"), number of channels or size of samples.
 */
int vd_audio_open(int fd, struct vd_store **out, struct vd_error *err);

#endif
