// SPDX-License-Identifier: GPL-3.0-or-later
/* Seeds for fuzz_audio, in the directory named by the only argument: a short sound in each format. */
#define _GNU_SOURCE
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/cleanup.h"

#define FRAMES 3000

int main(int argc, char **argv)
{
	static const int formats[] = {
		SF_FORMAT_WAV | SF_FORMAT_PCM_16,  SF_FORMAT_WAVEX | SF_FORMAT_PCM_16,
		SF_FORMAT_RF64 | SF_FORMAT_PCM_16, SF_FORMAT_W64 | SF_FORMAT_PCM_16,
		SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16,
		SF_FORMAT_OGG | SF_FORMAT_VORBIS,  SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III,
	};
	static short samples[FRAMES * 2];

	if (argc != 2)
		return EXIT_FAILURE;
	for (size_t i = 0; i < FRAMES * 2; i++)
		samples[i] = (short)(i / 90 % 2 ? i % 700 * 20 : -(int)i);
	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		SF_INFO info = { .samplerate = 44100, .channels = 2, .format = formats[i] };
		_cleanup_free_ char *path = NULL;
		SNDFILE *f;

		if (asprintf(&path, "%s/sound%zu", argv[1], i) < 0) {
			path = NULL;
			return EXIT_FAILURE;
		}
		f = sf_open(path, SFM_WRITE, &info);
		if (!f || sf_writef_short(f, samples, FRAMES) != FRAMES || sf_close(f)) {
			fprintf(stderr, "%s: %s\n", path, sf_strerror(NULL));
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
