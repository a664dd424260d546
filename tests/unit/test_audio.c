// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Sound files as stores of samples: what libsndfile writes is read anywhere, in any order and by many threads at once,
 * as it is when decoded from the beginning on.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <mpg123.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/audio.h"
#include "images/joined.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define FRAMES 200000u
#define FORMAT(major, sub) (SF_FORMAT_##major | SF_FORMAT_##sub)

static void close_store(struct vd_store **s)
{
	vd_store_close(*s);
}

#define _cleanup_store_ _cleanup_(close_store)

static uint32_t next_random(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

/* Tones, noise and steps, as loud as it goes: lossy formats go beyond full scale with it. */
static int16_t *make_samples(size_t frames, int channels)
{
	int16_t *s = check_alloc(frames * (size_t)channels * 2);
	uint32_t state = 1;

	for (size_t i = 0; i < frames * (size_t)channels; i++) {
		double tone = sin((double)i * (0.01 + 0.02 * (double)(i / 50000)));
		int step = i / 3000 % 2 ? 9000 : -9000;

		s[i] = (int16_t)(tone * 15000 + step + (int)(next_random(&state) >> 16) % 8000);
	}
	return s;
}

static const char *write_sound(int format, int rate, int channels, const int16_t *s, size_t frames)
{
	const char *path = check_path("sound");
	SF_INFO info = { .samplerate = rate, .channels = channels, .format = format };
	SNDFILE *f = sf_open(path, SFM_WRITE, &info);

	if (!f) {
		CHECK_FAIL("%x: %s", (unsigned int)format, sf_strerror(NULL));
		return NULL;
	}
	CHECK_INT(sf_writef_short(f, s, (sf_count_t)frames), (sf_count_t)frames);
	sf_close(f);
	return path;
}

/* The same by libmpg123 alone: it knows where the end is only when it is there. */
static uint8_t *decode_mp3(const char *path, size_t *len)
{
	const size_t most = (size_t)FRAMES * 8;
	mpg123_handle *mh = mpg123_new(NULL, NULL);
	uint8_t *out = check_alloc(most);
	size_t got;
	int r;

	ASSERT(mh != NULL);
	mpg123_param(mh, MPG123_ADD_FLAGS, MPG123_QUIET, 0);
	ASSERT_OK(mpg123_open(mh, path));
	*len = 0;
	do {
		r = mpg123_read(mh, out + *len, most - *len, &got);
		*len += got;
	} while (r == MPG123_OK || r == MPG123_NEW_FORMAT);
	CHECK_INT(r, MPG123_DONE);
	mpg123_delete(mh);
	return out;
}

/* All of it, from the beginning to the end, by libsndfile alone. */
static uint8_t *decode(const char *path, size_t *len)
{
	SF_INFO info = { 0 };
	SNDFILE *f = sf_open(path, SFM_READ, &info);
	int16_t *s;

	ASSERT(f != NULL);
	*len = (size_t)info.frames * 4;
	s = check_alloc(*len);
	sf_command(f, SFC_SET_CLIPPING, NULL, SF_TRUE);
	CHECK_INT(sf_readf_short(f, s, info.frames), info.frames);
	sf_close(f);
	for (size_t i = 0; i < *len / 2; i++)
		vd_put_le16(&s[i], (uint16_t)s[i]);
	return (uint8_t *)s;
}

static struct vd_store *open_sound(const char *path)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;

	if (vd_audio_open(open(path, O_RDONLY | O_CLOEXEC), &s, &err))
		CHECK_FAIL("%s: %s", path, err.text);
	return s;
}

static void check_range(struct vd_store *s, const uint8_t *expected, size_t off, size_t len)
{
	uint8_t *got = malloc(len);

	if (vd_store_pread(s, got, len, off) || memcmp(got, expected + off, len))
		CHECK_FAIL("%zu bytes at %zu are wrong", len, off);
	free(got);
}

static const struct {
	const char *name;
	int format;
	bool mapped; /* little endian samples lie in the file */
} formats[] = {
	{ "WAVE", FORMAT(WAV, PCM_16), true },
	{ "WAVE extensible", FORMAT(WAVEX, PCM_16), true },
	{ "RF64", FORMAT(RF64, PCM_16), false },
	{ "W64", FORMAT(W64, PCM_16), false },
	{ "AIFF", FORMAT(AIFF, PCM_16), false },
	{ "AIFC, little endian", FORMAT(AIFF, PCM_16) | SF_ENDIAN_LITTLE, false },
	{ "FLAC", FORMAT(FLAC, PCM_16), false },
	{ "Ogg Vorbis", FORMAT(OGG, VORBIS), false },
	{ "MP3", FORMAT(MPEG, MPEG_LAYER_III), false },
};

static void test_reads_anywhere(void)
{
	const int16_t *samples = make_samples(FRAMES, 2);

	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		const char *path = write_sound(formats[i].format, 44100, 2, samples, FRAMES);
		_cleanup_store_ struct vd_store *s = path ? open_sound(path) : NULL;
		struct vd_fd_range range;
		const uint8_t *expected;
		uint32_t state = 7;
		size_t len;

		if (!s)
			continue;
		expected = formats[i].format == FORMAT(MPEG, MPEG_LAYER_III)
				   ? decode_mp3(path, &len)
				   : decode(path, &len);
		CHECK_UINT(s->size, len);
		CHECK(s->read_only);
		if (s->size != len)
			continue;
		/* Here and there before anything else was decoded, backwards, in halves of samples. */
		for (int k = 0; k < 40 && !check_failed(); k++) {
			size_t n = 1 + next_random(&state) % (k % 4 ? 5000 : 200000);

			check_range(s, expected, next_random(&state) % (len - n), n);
		}
		check_range(s, expected, len - 1, 1);
		check_range(s, expected, len - 99999, 99999);
		check_range(s, expected, 0, len);
		check_range(s, expected, 0, 1);
		CHECK_ERRNO(vd_store_pread(s, &state, 4, len - 3), -EINVAL);
		CHECK_ERRNO(vd_store_map(s, 1000, 100, &range),
			    formats[i].mapped ? 0 : -EOPNOTSUPP);
		if (formats[i].mapped) {
			uint8_t byte;

			CHECK_INT(pread(range.fd, &byte, 1, (off_t)range.offset), 1);
			CHECK_UINT(byte, expected[1000]);
		}
		if (check_failed()) {
			CHECK_FAIL("that was %s", formats[i].name);
			return;
		}
	}
}

/* Bytes of the MPEG-1 layer III frame at @p, by its header; 0: none. */
static size_t mp3_frame(const uint8_t *p)
{
	static const uint16_t kbits[] = { 0,   32,  40,	 48,  56,  64,	80,  96,
					  112, 128, 160, 192, 224, 256, 320, 0 };

	if (p[0] != 0xff || (p[1] & 0xfe) != 0xfa)
		return 0;
	return 144000u * kbits[p[2] >> 4] / 44100 + (p[2] >> 1 & 1);
}

/* Without the first frame, which tells lengths; behind a tag; with a tag behind: all of its frames are counted. */
static void test_mp3(void)
{
	const char *path = write_sound(FORMAT(MPEG, MPEG_LAYER_III), 44100, 2,
				       make_samples(FRAMES, 2), FRAMES);
	size_t len, first, n;
	uint8_t *mp3, *tagged;

	if (!path)
		return;
	mp3 = (uint8_t *)check_read_file(path, &len);
	first = mp3_frame(mp3);
	ASSERT(first > 0 && first < len);
	tagged = check_alloc(len + 1000);
	memcpy(tagged, "ID3\3\0\0\0\0\2\0", 10);
	memcpy(tagged + 10 + 256, mp3 + first, len - first);
	memcpy(tagged + 10 + 256 + len - first, "TAG", 3);
	n = 10 + 256 + len - first + 128;
	for (int i = 0; i < 3; i++) {
		_cleanup_store_ struct vd_store *s = NULL;
		const uint8_t *expected;
		uint32_t state = 3;
		size_t frames;

		if (i == 0)
			check_write_file(path, mp3 + first, len - first);
		else if (i == 1)
			check_write_file(path, tagged, n - 128);
		else
			check_write_file(path, tagged, n);
		s = open_sound(path);
		expected = decode_mp3(path, &frames);
		if (!s || !CHECK_UINT(s->size, frames))
			continue;
		/* With the delay of the encoder and the filling of the last frame, which nothing tells of. */
		CHECK(frames / 4 >= FRAMES && frames / 4 < FRAMES + 4 * 1152);
		for (int k = 0; k < 30 && !check_failed(); k++)
			check_range(s, expected, next_random(&state) % (frames - 5000), 5000);
		check_range(s, expected, 0, frames);
	}
}

/* What does not lose anything has what was written. */
static void test_lossless(void)
{
	const int16_t *samples = make_samples(FRAMES, 2);

	for (size_t i = 0; i < VD_ARRAY_SIZE(formats); i++) {
		const char *path;

		if ((formats[i].format & SF_FORMAT_SUBMASK) != SF_FORMAT_PCM_16)
			continue;
		path = write_sound(formats[i].format, 44100, 2, samples, FRAMES);
		{
			_cleanup_store_ struct vd_store *s = open_sound(path);

			if (s && CHECK_UINT(s->size, FRAMES * 4))
				check_range(s, (const uint8_t *)samples, 0, FRAMES * 4);
		}
	}
}

/* Chunks before and behind the samples, of odd lengths too. */
static void test_chunks(void)
{
	static const char before[] = "LIST\5\0\0\0abcde\0";
	const int16_t *samples = make_samples(1000, 2);
	uint8_t *wave = check_alloc(44 + sizeof(before) + 4000 + 64);
	size_t n = 36;

	memcpy(wave, "RIFF\0\0\0\0WAVEfmt \20\0\0\0\1\0\2\0\x44\xac\0\0\x10\xb1\2\0\4\0\20\0", 36);
	memcpy(wave + n, before, 14);
	n += 14;
	memcpy(wave + n, "data\xa0\x0f\0\0", 8);
	memcpy(wave + n + 8, samples, 4000);
	n += 8 + 4000;
	memcpy(wave + n, "junk\4\0\0\0abcd", 12);
	n += 12;
	vd_put_le32(wave + 4, (uint32_t)n - 8);
	check_write_file(check_path("chunks"), wave, n);
	{
		_cleanup_store_ struct vd_store *s = open_sound(check_path("chunks"));

		if (s && CHECK_UINT(s->size, 4000))
			check_range(s, (const uint8_t *)samples, 0, 4000);
	}
	/* Cut off: what is there. */
	check_write_file(check_path("chunks"), wave, 58 + 2000);
	{
		_cleanup_store_ struct vd_store *s = open_sound(check_path("chunks"));

		if (s && CHECK_UINT(s->size, 2000))
			check_range(s, (const uint8_t *)samples, 0, 2000);
	}
}

struct reader {
	struct vd_store *s[12];
	const uint8_t *expected;
	size_t len;
	uint32_t seed;
};

static void *read_around(void *arg)
{
	struct reader *r = arg;

	for (int i = 0; i < 60; i++) {
		size_t n = 1 + next_random(&r->seed) % 9000;
		size_t which = next_random(&r->seed) % VD_ARRAY_SIZE(r->s);

		check_range(r->s[which], r->expected, next_random(&r->seed) % (r->len - n), n);
	}
	return NULL;
}

/* More files than decoders are kept open, and more threads. */
static void test_threads(void)
{
	const char *path =
		write_sound(FORMAT(OGG, VORBIS), 44100, 2, make_samples(FRAMES, 2), FRAMES);
	struct reader readers[10] = { 0 };
	pthread_t threads[VD_ARRAY_SIZE(readers)];
	size_t len;
	const uint8_t *expected = decode(path, &len);

	for (size_t k = 0; k < VD_ARRAY_SIZE(readers[0].s); k++)
		readers[0].s[k] = open_sound(path);
	for (size_t i = 0; i < VD_ARRAY_SIZE(readers); i++) {
		readers[i] = readers[0];
		readers[i].expected = expected;
		readers[i].len = len;
		readers[i].seed = (uint32_t)i;
		ASSERT_OK(pthread_create(&threads[i], NULL, read_around, &readers[i]));
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(readers); i++)
		pthread_join(threads[i], NULL);
	for (size_t k = 0; k < VD_ARRAY_SIZE(readers[0].s); k++)
		vd_store_close(readers[0].s[k]);
}

static void check_refused(const char *path, const char *words)
{
	struct vd_error err = { "" };
	struct vd_store *s = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK_ERRNO(vd_audio_open(fd, &s, &err), -EMEDIUMTYPE);
	CHECK_HAS(err.text, words);
	CHECK(fcntl(fd, F_GETFD) < 0);
}

static void test_refuses(void)
{
	const int16_t *samples = make_samples(5000, 2);
	const char *path = check_path("sound");

	write_sound(FORMAT(WAV, PCM_16), 48000, 2, samples, 5000);
	check_refused(path, "48000 Hz, a CD has 44100");
	write_sound(FORMAT(FLAC, PCM_16), 44100, 1, samples, 5000);
	check_refused(path, "1 channel, a CD has 2");
	write_sound(FORMAT(WAV, PCM_16), 44100, 4, samples, 2500);
	check_refused(path, "4 channels, a CD has 2");
	write_sound(FORMAT(FLAC, PCM_24), 44100, 2, samples, 5000);
	check_refused(path, "samples are Signed 24 bit PCM, a CD has 16 bits");
	write_sound(FORMAT(WAV, FLOAT), 44100, 2, samples, 5000);
	check_refused(path, "samples are 32 bit float, a CD has 16 bits");
	write_sound(FORMAT(WAV, PCM_U8), 44100, 2, samples, 5000);
	check_refused(path, "samples are Unsigned 8 bit PCM, a CD has 16 bits");
	write_sound(FORMAT(OGG, OPUS), 48000, 2, samples, 5000);
	check_refused(path, "48000 Hz");
	/* libsndfile would read it; it is none of what sheets name. */
	write_sound(FORMAT(AU, PCM_16), 44100, 2, samples, 5000);
	check_refused(path, "not a sound file");
	write_sound(FORMAT(WAV, PCM_16), 44100, 2, samples, 0);
	check_refused(path, "it has no samples");
	check_write_file(path, "", 0);
	check_refused(path, "not a sound file");
	check_write_file(path, "RIFF\4\0\0\0WAVE", 12);
	check_refused(path, "not a sound file that can be read");
	check_write_file(path, "fLaC\0\0\0\0\0\0\0\0", 12);
	check_refused(path, "not a sound file that can be read");
	check_write_file(path, "fLaC", 4);
	check_refused(path, "not a sound file");
	check_write_file(path, "hello world, this is no sound", 29);
	check_refused(path, "not a sound file");
}

/* A file that shrinks or changes under us: an error, never other samples. */
static void test_shrinks(void)
{
	const char *path =
		write_sound(FORMAT(FLAC, PCM_16), 44100, 2, make_samples(FRAMES, 2), FRAMES);
	_cleanup_store_ struct vd_store *s = open_sound(path);
	char byte;

	ASSERT(s != NULL);
	ASSERT_OK(truncate(path, 5000));
	CHECK_ERRNO(vd_store_pread(s, &byte, 1, FRAMES * 4 - 1), -EIO);
	CHECK_ERRNO(vd_store_pread(s, &byte, 1, FRAMES * 2), -EIO);
}

/* Parts of stores, swapped or not, and zeros: every byte, read in every length. */
static void test_joined(void)
{
	struct vd_error err = { "" };
	struct vd_store *mem = NULL;
	struct vd_joined_part parts[5] = { { .length = 3 },
					   { .offset = 1, .length = 6, .swapped = true },
					   { .length = 0 },
					   { .offset = 10, .length = 4 },
					   { .offset = 2, .length = 2, .swapped = true } };
	static const uint8_t expected[] = { 0, 0, 0, 2, 1, 4, 3, 6, 5, 10, 11, 12, 13, 3, 2 };
	_cleanup_store_ struct vd_store *joined = NULL;
	uint8_t bytes[16], got[16];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	ASSERT_OK(vd_store_mem_open(sizeof(bytes), &mem, &err));
	ASSERT_OK(vd_store_pwrite(mem, bytes, sizeof(bytes), 0));
	parts[1].store = parts[3].store = parts[4].store = mem;
	ASSERT_OK(vd_joined_open(parts, VD_ARRAY_SIZE(parts), &joined));
	CHECK_UINT(joined->size, sizeof(expected));
	for (size_t off = 0; off < sizeof(expected); off++)
		for (size_t len = 1; len <= sizeof(expected) - off; len++) {
			memset(got, 0xee, sizeof(got));
			CHECK_OK(vd_store_pread(joined, got, len, off));
			CHECK_MEM(got, expected + off, len);
			CHECK_UINT(got[len], 0xee);
		}
	vd_store_close(mem);
}

static const struct check_test tests[] = {
	{ "reads_anywhere", test_reads_anywhere },
	{ "mp3", test_mp3 },
	{ "lossless", test_lossless },
	{ "chunks", test_chunks },
	{ "threads", test_threads },
	{ "refuses", test_refuses },
	{ "shrinks", test_shrinks },
	{ "joined", test_joined },
};
CHECK_MAIN(tests)
