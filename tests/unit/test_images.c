// SPDX-License-Identifier: GPL-3.0-or-later
/* images/: what is taken for which format, what is refused in which words, and that nothing is read wrongly. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "disc/subchannel.h"
#include "images/image.h"
#include "images/single_track.h"
#include "rawsector.h"
#include "util/cleanup.h"

#define SECTORS 40u

#define _cleanup_disc_ _cleanup_(vd_cleanup_disc)

/* Formats of one file open no other. */
static int refuse_open(struct vd_opener *o, const char *name, struct vd_error *err)
{
	CHECK_FAIL("it wants to open %s", name);
	return vd_error_set(err, -ENOENT, "no");
}

static struct vd_opener opener = { .open = refuse_open };

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	ASSERT(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

struct opened {
	int code;
	struct vd_disc *disc;
	const struct vd_image_format *format;
	struct vd_error err;
};

/* Opens a file that holds @data. Counts descriptors: none may be left when it fails. */
static struct opened open_image(const void *data, size_t len, const char *name)
{
	const char *path = check_path("image");
	struct opened o = { .disc = NULL };
	size_t before;
	int fd;

	check_write_file(path, data, len);
	before = open_descriptors();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0);
	o.code = vd_image_open(&opener, fd, name, &o.disc, &o.format, &o.err);
	if (o.code) {
		CHECK(o.disc == NULL);
		CHECK(o.err.text[0] != '\0');
		CHECK_UINT(open_descriptors(), before);
	}
	return o;
}

/* User data with a volume structure descriptor of this name at sector 16. */
static uint8_t *make_user(const char *id)
{
	uint8_t *user = check_alloc(SECTORS * 2048);

	for (size_t i = 16 * 2048; i < SECTORS * 2048; i++)
		user[i] = (uint8_t)(i * 2654435761u >> 13);
	user[16 * 2048] = 1;
	memcpy(user + 16 * 2048 + 1, id, 5);
	return user;
}

static uint8_t *make_raw(enum vd_sector_layout layout, enum raw_form form, const uint8_t *user,
			 size_t *len)
{
	uint32_t size = vd_layout_size(layout);
	uint8_t *raw = check_alloc(SECTORS * size);

	for (uint32_t i = 0; i < SECTORS; i++)
		raw_sector_make(raw + i * size, layout, form, (int32_t)i, user + i * 2048);
	*len = SECTORS * size;
	return raw;
}

static void check_holds(struct vd_disc *d, const uint8_t *user, uint64_t size)
{
	uint8_t *got = check_alloc(size);

	ASSERT_UINT(vd_disc_size(d), size);
	if (CHECK_OK(vd_disc_pread(d, got, size, 0)))
		CHECK_MEM(got, user, size);
}

static struct vd_image_head head_of(const uint8_t *data, size_t len)
{
	return (struct vd_image_head){ .data = data,
				       .len = len < VD_IMAGE_HEAD ? len : VD_IMAGE_HEAD,
				       .size = len,
				       .name = "x" };
}

static void test_iso(void)
{
	static const char *const ids[] = { "CD001", "CDROM", "BEA01", "NSR02", "NSR03", "BOOT2" };

	for (size_t i = 0; i < VD_ARRAY_SIZE(ids); i++) {
		const uint8_t *user = make_user(ids[i]);
		struct opened o = open_image(user, SECTORS * 2048, "a.iso");
		_cleanup_disc_ struct vd_disc *d = o.disc;

		ASSERT_OK(o.code);
		CHECK(o.format == &vd_image_iso);
		CHECK_STR(o.format->name, "iso");
		CHECK_UINT(d->ntracks, 1);
		CHECK_INT(d->nsessions, 1);
		check_holds(d, user, SECTORS * 2048);
	}
}

/* The content decides, whatever the name says; and it may be absent. */
static void test_name_is_a_hint(void)
{
	static const char *const names[] = { "a.cue", "a.bin", "", "a.iso.gz", NULL };

	for (size_t i = 0; i < VD_ARRAY_SIZE(names); i++) {
		struct opened o = open_image(make_user("CD001"), SECTORS * 2048, names[i]);

		CHECK_OK(o.code);
		CHECK(o.format == &vd_image_iso);
		vd_disc_close(o.disc);
	}
}

static const struct {
	enum vd_sector_layout layout;
	enum raw_form form;
	enum vd_track_mode mode;
} raw_kinds[] = {
	{ VD_LAYOUT_2352, RAW_MODE1, VD_TRACK_MODE1 },
	{ VD_LAYOUT_2352, RAW_MODE2_FORM1, VD_TRACK_MODE2 },
	{ VD_LAYOUT_2448, RAW_MODE1, VD_TRACK_MODE1 },
	{ VD_LAYOUT_2448, RAW_MODE2_FORM1, VD_TRACK_MODE2 },
	{ VD_LAYOUT_2336, RAW_MODE2_FORM1, VD_TRACK_MODE2 },
};

static void test_raw(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(raw_kinds); i++) {
		const uint8_t *user = make_user(i % 2 ? "CD001" : "BEA01");
		size_t len;
		const uint8_t *raw = make_raw(raw_kinds[i].layout, raw_kinds[i].form, user, &len);
		struct opened o = open_image(raw, len, "a.bin");
		_cleanup_disc_ struct vd_disc *d = o.disc;
		struct vd_image_head head = head_of(raw, len);

		/* A sector without a sync pattern leaves a little doubt. */
		CHECK_INT(vd_image_raw.probe(&head),
			  raw_kinds[i].layout == VD_LAYOUT_2336 ? 90 : 100);
		CHECK_INT(vd_image_iso.probe(&head), 0);
		ASSERT_OK(o.code);
		CHECK(o.format == &vd_image_raw);
		CHECK_STR(o.format->name, "raw");
		ASSERT_UINT(d->ntracks, 1);
		CHECK_INT((int)d->extents[0].layout, (int)raw_kinds[i].layout);
		CHECK_INT((int)d->tracks[0].mode, (int)raw_kinds[i].mode);
		check_holds(d, user, SECTORS * 2048);
	}
}

/* The subchannel behind each sector is found to be in the form that its CRCs say. */
static void test_raw_subchannel(void)
{
	const uint8_t *user = make_user("CD001");

	for (int planar = 0; planar < 2; planar++) {
		size_t len;
		uint8_t *raw = make_raw(VD_LAYOUT_2448, RAW_MODE1, user, &len), q[12], want[12];
		struct opened o;

		for (uint32_t i = 0; i < SECTORS; i++) {
			uint8_t *sub = raw + i * 2448 + 2352;

			memset(sub, 0, 96);
			vd_q_position(sub + 12, 4, 1, 1, i, i + 150);
			/* The first ones are damaged. */
			if (i < 5)
				sub[15] ^= 1;
			if (!planar)
				vd_sub_to_raw(sub, sub);
		}
		o = open_image(raw, len, "a.bin");
		ASSERT_OK(o.code);
		CHECK_INT((int)o.disc->extents[0].sub, planar ? VD_SUB_PLANAR : VD_SUB_RAW);
		ASSERT_OK(vd_disc_read_q(o.disc, 9, q));
		vd_q_position(want, 4, 1, 1, 9, 159);
		CHECK_MEM(q, want, 12);
		vd_disc_close(o.disc);
	}
}

/* A disc without ISO 9660 or UDF is a disc all the same, and one flipped byte does no harm. */
static void test_raw_told_by_sync(void)
{
	uint8_t *user = make_user("XXXXX");
	size_t len;
	uint8_t *raw = make_raw(VD_LAYOUT_2352, RAW_MODE1, user, &len);
	struct opened o = open_image(raw, len, "a.bin");

	CHECK_OK(o.code);
	CHECK(o.format == &vd_image_raw);
	vd_disc_close(o.disc);
	o = open_image(raw, 2352, "a.bin"); /* one lone sector */
	CHECK_OK(o.code);
	vd_disc_close(o.disc);
	raw[16 * 2352 + 5] ^= 1;
	o = open_image(raw, len, "a.bin");
	CHECK_OK(o.code);
	vd_disc_close(o.disc);
	raw[2352 + 5] ^= 1; /* not twice at a sector's distance: a stray pattern */
	o = open_image(raw, len, "a.bin");
	CHECK_ERRNO(o.code, -EMEDIUMTYPE);
}

/*
 * Every format cut at every border and beside it: an error, or a disc of the whole sectors that are there.
 */
static void test_shortened(void)
{
	const uint8_t *user = make_user("CD001");

	for (size_t k = 0; k <= VD_ARRAY_SIZE(raw_kinds); k++) {
		bool iso = k == VD_ARRAY_SIZE(raw_kinds);
		uint32_t size = iso ? 2048 : vd_layout_size(raw_kinds[k].layout);
		const uint8_t *raw = user;
		size_t len = SECTORS * 2048;

		if (!iso)
			raw = make_raw(raw_kinds[k].layout, raw_kinds[k].form, user, &len);
		for (uint32_t n = 0; n <= SECTORS; n++)
			for (int beside = -1; beside <= 1; beside++) {
				size_t cut = n * size + (size_t)(beside + 1) - 1;
				struct opened o;

				if ((!n && beside < 0) || cut > len)
					continue;
				o = open_image(raw, cut, "a.iso");
				if (!o.code)
					check_holds(o.disc, user, (uint64_t)(cut / size) * 2048);
				else
					CHECK_ERRNO(o.code, -EMEDIUMTYPE);
				/* With its descriptor whole it has to be taken. */
				if (cut >= 17 * size)
					CHECK_OK(o.code);
				vd_disc_close(o.disc);
				if (check_failed()) {
					CHECK_FAIL("kind %zu cut to %zu bytes", k, cut);
					return;
				}
			}
	}
}

/* The file may shrink between the probe and the opening. */
static void test_single_track_too_short(void)
{
	const char *path = check_path("short");
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;
	size_t before = open_descriptors();
	struct vd_store *store;

	check_write_file(path, "short", 5);
	ASSERT_OK(vd_store_file_open(open(path, O_RDONLY | O_CLOEXEC), true, &store, &err));
	CHECK_ERRNO(vd_image_open_single_track(store, VD_LAYOUT_2352, VD_TRACK_MODE1, 0, &d, &err),
		    -EMEDIUMTYPE);
	CHECK_HAS(err.text, "not one whole sector");
	CHECK(d == NULL);
	CHECK_UINT(open_descriptors(), before);
}

static void test_empty(void)
{
	struct opened o = open_image("", 0, "a.iso");

	CHECK_ERRNO(o.code, -EMEDIUMTYPE);
	CHECK_STR(o.err.text, "not a disc image: the file is empty");
}

static void test_refused_in_words(void)
{
	uint8_t *data = check_alloc(100000);
	struct opened o;

	o = open_image("\x1f\x8b\x08\0\0\0\0\0\0\0\0\0", 12, "a.iso");
	CHECK_ERRNO(o.code, -EINVAL);
	CHECK_STR(o.err.text, "a.iso: gzip data is damaged or cut short near byte 12");
	for (size_t i = 0; i < 100000; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 11);
	o = open_image(data, 100000, "a.iso");
	CHECK_ERRNO(o.code, -EMEDIUMTYPE);
	CHECK_HAS(o.err.text, "not a disc image that vdrive knows");
}

static void test_not_a_file(void)
{
	size_t before = open_descriptors();
	struct vd_error err = { "" };
	struct vd_disc *d = NULL;

	CHECK_ERRNO(vd_image_open(&opener, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "x", &d,
				  NULL, &err),
		    -EISDIR);
	CHECK_HAS(err.text, "is a directory");
	CHECK_ERRNO(vd_image_open(&opener, open("/dev/null", O_RDONLY | O_CLOEXEC), "x", &d, NULL,
				  &err),
		    -EINVAL);
	CHECK(d == NULL);
	CHECK_UINT(open_descriptors(), before);
}

/* What people try to mount by mistake: the bytes by which file(1) or the format's own text knows it. */
#define ROW(offset, bytes, words)                                                                  \
	{                                                                                          \
		offset, bytes, sizeof(bytes) - 1, 0, NULL, 0, words                                \
	}
#define ROW2(offset, bytes, offset2, bytes2, words)                                                \
	{                                                                                          \
		offset, bytes, sizeof(bytes) - 1, offset2, bytes2, sizeof(bytes2) - 1, words       \
	}
static const struct {
	size_t offset;
	const char *bytes;
	size_t len;
	size_t offset2;
	const char *bytes2;
	size_t len2;
	const char *words;
} looks[] = {
	ROW(0, "\x1f\x8b\x08\x08", "a gzip archive"),
	ROW(0, "BZh91AY&SY", "a bzip2 archive"),
	ROW(0, "\xfd\x37zXZ\0\0\4", "an xz archive"),
	ROW(0, "\x28\xb5\x2f\xfd\x24", "a zstd archive"),
	ROW(0, "PK\x03\x04\x14\0", "a zip archive"),
	ROW(0, "7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
	ROW(0, "Rar!\x1a\x07\0", "a RAR archive"),
	ROW(0, "Rar!\x1a\x07\1\0", "a RAR archive"),
	ROW2(0, "name", 257, "ustar\0", "a tar archive"),
	ROW(0, "!<arch>\ndebian-binary   ", "a Debian package"),
	ROW(0, "QFI\xfb\0\0\0\3", "a qcow2 disk image"),
	ROW(0, "QFI\xfb\0\0\0\2", "a qcow2 disk image"),
	ROW(0, "QFI\xfb\0\0\0\1", "a qcow disk image"),
	ROW(0, "KDMV\1\0\0\0", "a VMDK disk image"),
	ROW(0, "# Disk DescriptorFile\nversion=1\n", "a VMDK disk image's descriptor"),
	ROW(0, "conectix\0\0\0\2", "a VHD disk image"),
	ROW(0, "vhdxfile", "a VHDX disk image"),
	ROW2(0, "<<< Oracle VM VirtualBox Disk Image >>>\n", 64, "\x7f\x10\xda\xbe",
	     "a VDI disk image"),
	ROW(0, "IsZ!\x40", "an ISZ compressed disc image"),
	ROW(0, "DAA\0\0\0\0\0", "a DAA compressed disc image"),
	ROW(0, "CISO\0\0\0\0", "a CSO compressed disc image"),
	ROW2(512, "EFI PART", 510, "\x55\xaa", "a disk with a GPT partition table"),
	ROW2(510, "\x55\xaa", 446, "\x80\0\1\0\x83\0\0\0\0\x08\0\0\0\0\x10\0",
	     "a disk with an MBR partition table"),
	ROW(0x438, "\x53\xef", "an ext2, ext3 or ext4 file system"),
	ROW(0, "XFSB\0\0\x10\0", "an XFS file system"),
	ROW(0x10040, "_BHRfS_M", "a btrfs file system"),
	ROW(0, "hsqs", "a squashfs file system"),
	ROW2(54, "FAT16   ", 510, "\x55\xaa", "a FAT file system"),
	ROW2(82, "FAT32   ", 510, "\x55\xaa", "a FAT file system"),
	ROW2(3, "NTFS    ", 510, "\x55\xaa", "an NTFS file system"),
	ROW2(3, "EXFAT   ", 510, "\x55\xaa", "an exFAT file system"),
	ROW(1024, "H+\0\4", "an HFS+ file system"),
	ROW(1024, "HX\0\5", "an HFS+ file system"),
	ROW(0, "\x7f\x45LF\2\1\1", "an ELF program"),
	ROW(0, "\x89PNG\r\n\x1a\n", "a PNG picture"),
	ROW(0, "\xff\xd8\xff\xe0", "a JPEG picture"),
	ROW(0, "%PDF-1.7\n", "a PDF document"),
	ROW2(0, "RIFF", 8, "WAVEfmt ", "a WAV sound"),
	ROW(0, "fLaC", "a FLAC sound"),
	ROW(0, "MZ\x90\0\3", "a DOS or Windows program"),
};

static void test_looks_like(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(looks); i++) {
		uint8_t *data = check_alloc(80000);
		struct vd_image_head head = head_of(data, 80000);

		data[70000] = 1; /* more than a file of zeros */
		memcpy(data + looks[i].offset, looks[i].bytes, looks[i].len);
		if (looks[i].bytes2)
			memcpy(data + looks[i].offset2, looks[i].bytes2, looks[i].len2);
		if (looks[i].words)
			CHECK_STR(vd_image_looks_like(&head), looks[i].words);
		else
			CHECK_STR(vd_image_looks_like(&head), NULL);
	}
}

static void test_looks_like_text(void)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "REM x\r\nFILE \"a.bin\" BINARY\r\n  TRACK 01 MODE1/2352\r\n    INDEX 01 00:00:00\r\n",
		  "a CUE sheet" },
		{ "\tfile a.wav WAVE\ntrack 01 audio\n", "a CUE sheet" },
		{ "// by cdrdao\nCD_ROM_XA\n\nTRACK MODE2_FORM1\nDATAFILE \"a.bin\"\n",
		  "a TOC (cdrdao) sheet" },
		{ "CD_DA\nTRACK AUDIO\nFILE \"a.wav\" 0\n", "a TOC (cdrdao) sheet" },
		{ "#!/bin/sh\necho\n", "a script" },
		{ "<!DOCTYPE html>\n<HTML><body>404</body></html>\n",
		  "a web page, perhaps of a download that failed" },
		{ "<?xml version=\"1.0\"?>\n", "an XML document" },
		{ "Profile of nobody\nTRACKS are here\n", "a text file" },
		{ "Gr\xc3\xbc\xc3\x9f"
		  "e\n",
		  "a text file" },
		{ "x", "a text file" },
		{ "\xff\xfe", NULL },
		{ "abc\x01", NULL },
		{ "cut \xc3", NULL }, /* half a character at the end of the file */
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].text);
		/* Of its own size: a byte too far is seen by AddressSanitizer. */
		_cleanup_free_ uint8_t *data = malloc(len);
		struct vd_image_head head = head_of(data, len);

		ASSERT(data != NULL);
		memcpy(data, rows[i].text, len);
		CHECK_STR(vd_image_looks_like(&head), rows[i].words);
	}
}

static void test_looks_like_zeros(void)
{
	const uint8_t *data = check_alloc(80000);
	struct vd_image_head head = head_of(data, 80000);
	struct opened o;

	CHECK_HAS(vd_image_looks_like(&head), "a file of zeros");
	o = open_image(data, 80000, "a.iso");
	CHECK_ERRNO(o.code, -EMEDIUMTYPE);
	CHECK_HAS(o.err.text, "a file of zeros");
}

/* Formats that describe themselves at their end. */
static void test_looks_like_tail(void)
{
	static const struct {
		size_t from_end;
		const char *bytes;
		size_t len;
		const char *words;
	} rows[] = {
		{ 512, "koly\0\0\0\4", 8, "a DMG disk image" },
		{ 512, "conectix", 8, "a VHD disk image" },
		{ 8, "\7\0\0\x80\0\1\0\0", 8, NULL },
		{ 8, "\6\0\0\x80\0\0\0\x7f", 8, NULL }, /* its header would be beyond the file */
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		uint8_t *data = check_alloc(200000);
		struct opened o;

		data[1] = 0xaa;
		memcpy(data + 200000 - rows[i].from_end, rows[i].bytes, rows[i].len);
		o = open_image(data, 200000, "a.img");
		CHECK_ERRNO(o.code, -EMEDIUMTYPE);
		if (rows[i].words)
			CHECK_HAS(o.err.text, rows[i].words);
		else
			CHECK_HAS(o.err.text, "that vdrive knows");
	}
}

/* Cut anywhere: it may know less, but it reads nothing beyond (AddressSanitizer) and knows nothing else. */
static void test_looks_like_shortened(void)
{
	for (size_t i = 0; i < VD_ARRAY_SIZE(looks); i++) {
		size_t end = looks[i].offset + looks[i].len;

		for (size_t len = looks[i].offset; len <= end; len++) {
			_cleanup_free_ uint8_t *data = calloc(1, len ? len : 1);
			struct vd_image_head head = head_of(data, len);
			const char *words;

			ASSERT(data != NULL);
			memcpy(data + looks[i].offset, looks[i].bytes, len - looks[i].offset);
			for (size_t f = 0; vd_image_formats[f]; f++)
				CHECK_INT(vd_image_formats[f]->probe(&head), 0);
			words = vd_image_looks_like(&head);
			if (len == end && !looks[i].bytes2)
				CHECK_STR(words, looks[i].words);
		}
	}
}

/* Noise of all lengths: no probe may take it, and nobody may read beyond it. */
static void test_noise(void)
{
	uint32_t seed = 11;

	for (size_t len = 1; len < 80000; len = len * 3 / 2 + 1)
		for (int round = 0; round < 20; round++) {
			_cleanup_free_ uint8_t *data = malloc(len);
			struct vd_image_head head = head_of(data, len);

			ASSERT(data != NULL);
			for (size_t i = 0; i < len; i++) {
				seed = seed * 1664525 + 1013904223;
				data[i] = (uint8_t)(seed >> 24);
			}
			head.tail_len = len < VD_IMAGE_TAIL ? len : VD_IMAGE_TAIL;
			head.tail = data + len - head.tail_len;
			for (size_t f = 0; vd_image_formats[f]; f++)
				CHECK_INT(vd_image_formats[f]->probe(&head), 0);
			vd_image_looks_like(&head);
		}
}

static void test_formats_have_names(void)
{
	size_t n = 0;

	for (; vd_image_formats[n]; n++) {
		CHECK(vd_image_formats[n]->name && *vd_image_formats[n]->name);
		CHECK(vd_image_formats[n]->description && *vd_image_formats[n]->description);
		for (size_t i = 0; i < n; i++)
			CHECK(strcmp(vd_image_formats[n]->name, vd_image_formats[i]->name) != 0);
	}
	CHECK(n >= 2);
}

static const struct check_test tests[] = {
	{ "iso", test_iso },
	{ "name_is_a_hint", test_name_is_a_hint },
	{ "raw", test_raw },
	{ "raw_subchannel", test_raw_subchannel },
	{ "raw_told_by_sync", test_raw_told_by_sync },
	{ "shortened", test_shortened },
	{ "single_track_too_short", test_single_track_too_short },
	{ "empty", test_empty },
	{ "refused_in_words", test_refused_in_words },
	{ "not_a_file", test_not_a_file },
	{ "looks_like", test_looks_like },
	{ "looks_like_text", test_looks_like_text },
	{ "looks_like_zeros", test_looks_like_zeros },
	{ "looks_like_tail", test_looks_like_tail },
	{ "looks_like_shortened", test_looks_like_shortened },
	{ "noise", test_noise },
	{ "formats_have_names", test_formats_have_names },
};
CHECK_MAIN(tests)
