// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What a file is that is no disc image, in words for the message that refuses it. Only ever a hint to people, so
 * a few telling bytes are enough: no structure is followed. The table goes from the particular to the general; what
 * takes more than equal bytes comes after it.
 */
#include "images/image.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/endian.h"

struct magic {
	uint32_t offset;
	uint8_t len;
	const char *bytes;
	const char *words;
	/* A second part that has to be there as well; NULL: none. */
	uint32_t offset2;
	uint8_t len2;
	const char *bytes2;
};

#define MAGIC(offset, bytes, words)                                                                \
	{                                                                                          \
		offset, sizeof(bytes) - 1, bytes, words, 0, 0, NULL                                \
	}
#define MAGIC2(offset, bytes, offset2, bytes2, words)                                              \
	{                                                                                          \
		offset, sizeof(bytes) - 1, bytes, words, offset2, sizeof(bytes2) - 1, bytes2       \
	}

static const struct magic magics[] = {
	/* Disc images: what of them is read is found before this is asked. */
	MAGIC(0, "BWT5 STREAM SIGN", "a B6T (BlindWrite) disc image"),
	MAGIC(0, "IsZ!", "an ISZ compressed disc image"),
	MAGIC(0, "DAA\0", "a DAA compressed disc image"),
	MAGIC(0, "GBI\0", "a GBI compressed disc image"),
	MAGIC(0, "CISO", "a CSO compressed disc image"),
	MAGIC(0, "ZISO", "a ZSO compressed disc image"),
	MAGIC(0, "ECM\0", "an ECM compressed disc image"),
	MAGIC(0, "\0PBP", "a PBP (PlayStation) disc image"),
	MAGIC(0, "RVZ\1", "an RVZ (GameCube, Wii) disc image"),
	MAGIC(0, "WBFS", "a WBFS (Wii) disc image"),
	MAGIC(0, "Adaptec CeQuadrat VirtualCD File", "a C2D (WinOnCD) disc image"),
	MAGIC(0, "Roxio Image File Format", "a C2D (WinOnCD) disc image"),
	MAGIC2(0, "RIFF", 8, "imag", "a CIF (Easy CD Creator) disc image"),
	MAGIC(0x18, "\x5d\x1c\x9e\xa3", "a Wii disc"),
	MAGIC(0x1c, "\xc2\x33\x9f\x3d", "a GameCube disc"),
	MAGIC(0x10000, "MICROSOFT*XBOX*MEDIA", "an Xbox disc"),
	MAGIC(0, "\1ZZZZZ\1", "a 3DO disc"),

	/* Disk images. */
	MAGIC(0, "QFI\xfb\0\0\0\1", "a qcow disk image"),
	MAGIC(0, "QFI\xfb", "a qcow2 disk image"),
	MAGIC(0, "QED\0", "a QED disk image"),
	MAGIC(0, "KDMV", "a VMDK disk image"),
	MAGIC(0, "COWD", "a VMDK disk image"),
	MAGIC(0, "# Disk DescriptorFile", "a VMDK disk image's descriptor"),
	MAGIC(0, "vhdxfile", "a VHDX disk image"),
	MAGIC(0, "conectix", "a VHD disk image"),
	MAGIC(0x40, "\x7f\x10\xda\xbe", "a VDI disk image"),
	MAGIC(0, "WithoutFreeSpace", "a Parallels disk image"),
	MAGIC(0, "WithouFreSpacExt", "a Parallels disk image"),
	MAGIC(0, "sprs", "a DMG sparse disk image"),
	MAGIC(0, "encrcdsa", "an encrypted DMG disk image"),
	MAGIC(0, "MSWIM\0\0\0", "a WIM archive"),

	/* File systems and what else lies on a disk. */
	MAGIC(0, "XFSB", "an XFS file system"),
	MAGIC(0x10040, "_BHRfS_M", "a btrfs file system"),
	MAGIC(0, "hsqs", "a squashfs file system"),
	MAGIC(0, "sqsh", "a squashfs file system"),
	MAGIC(0x400, "\xe2\xe1\xf5\xe0", "an EROFS file system"),
	MAGIC(0x400, "\x10\x20\xf5\xf2", "an F2FS file system"),
	MAGIC(0, "\x45\x3d\xcd\x28", "a cramfs file system"),
	MAGIC(0, "-rom1fs-", "a romfs file system"),
	MAGIC(3, "NTFS    ", "an NTFS file system"),
	MAGIC(3, "EXFAT   ", "an exFAT file system"),
	MAGIC2(0x36, "FAT1", 510, "\x55\xaa", "a FAT file system"),
	MAGIC2(0x52, "FAT32", 510, "\x55\xaa", "a FAT file system"),
	MAGIC(0, "LUKS\xba\xbe", "an encrypted (LUKS) disk"),
	MAGIC(0x200, "LABELONE", "an LVM physical volume"),
	MAGIC(0xff6, "SWAPSPACE2", "a swap area"),
	MAGIC(0x200, "EFI PART", "a disk with a GPT partition table"),
	MAGIC(0x1000, "EFI PART", "a disk with a GPT partition table"),
	MAGIC2(0, "ER", 0x200, "PM", "a disk with an Apple partition table"),
	MAGIC(0x400, "H+\0\4", "an HFS+ file system"),
	MAGIC(0x400, "HX\0\5", "an HFS+ file system"),

	/* Archives. */
	MAGIC(0, "\x1f\x8b\x08", "a gzip archive"),
	MAGIC2(0, "BZh", 4, "1AY&SY", "a bzip2 archive"),
	MAGIC(0,
	      "\xfd"
	      "7zXZ\0",
	      "an xz archive"),
	MAGIC(0, "\x28\xb5\x2f\xfd", "a zstd archive"),
	MAGIC(0, "\x04\x22\x4d\x18", "an lz4 archive"),
	MAGIC(0, "LZIP", "an lzip archive"),
	MAGIC(0, "PK\3\4", "a zip archive"),
	MAGIC(0, "PK\5\6", "a zip archive"),
	MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7z archive"),
	MAGIC(0, "Rar!\x1a\7", "a RAR archive"),
	MAGIC(0x101, "ustar", "a tar archive"),
	MAGIC(0, "070701", "a cpio archive"),
	MAGIC(0, "070707", "a cpio archive"),
	MAGIC(0, "MSCF", "a cabinet archive"),
	MAGIC(0, "xar!", "a xar archive"),
	MAGIC(0, "!<arch>\ndebian-binary", "a Debian package"),
	MAGIC(0, "!<arch>\n", "an ar archive"),
	MAGIC(0, "\xed\xab\xee\xdb", "an RPM package"),

	/* Programs, pictures, sound, documents. */
	MAGIC(0,
	      "\x7f"
	      "ELF",
	      "an ELF program"),
	MAGIC(0, "#!", "a script"),
	MAGIC(0, "\x89PNG\r\n", "a PNG picture"),
	MAGIC(0, "\xff\xd8\xff", "a JPEG picture"),
	MAGIC(0, "GIF8", "a GIF picture"),
	MAGIC2(0, "RIFF", 8, "WEBP", "a WebP picture"),
	MAGIC2(0, "RIFF", 8, "WAVE", "a WAV sound"),
	MAGIC2(0, "RIFF", 8, "AVI ", "an AVI film"),
	MAGIC(0, "fLaC", "a FLAC sound"),
	MAGIC(0, "OggS", "an Ogg sound or film"),
	MAGIC(0, "ID3", "an MP3 sound"),
	MAGIC(4, "ftyp", "an MP4 film or sound"),
	MAGIC(0, "\x1a\x45\xdf\xa3", "a Matroska or WebM film"),
	MAGIC(0, "%PDF-", "a PDF document"),
	MAGIC(0, "%!PS", "a PostScript document"),
	MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Microsoft Office document"),
	MAGIC(0, "SQLite format 3", "an SQLite database"),
	MAGIC(0, "d8:announce", "a BitTorrent file, which only names what to download"),
	MAGIC(0, "version https://git-lfs", "a Git LFS pointer, not the file itself"),
	MAGIC(0, "<?xml", "an XML document"),

	/* Two bytes in the middle: after everything that is surer. */
	MAGIC(0x438, "\x53\xef", "an ext2, ext3 or ext4 file system"),
	MAGIC(0x400, "BD", "an HFS file system"),
};

static bool holds(const struct vd_image_head *h, uint32_t offset, const char *bytes, size_t len)
{
	return h->len >= offset + len && !memcmp(h->data + offset, bytes, len);
}

/* Formats whose description is at the end of the file. */
static const char *by_tail(const struct vd_image_head *h)
{
	const uint8_t *end;

	if (!h->tail || h->tail_len < 512)
		return NULL;
	end = h->tail + h->tail_len;
	if (!memcmp(end - 512, "koly", 4))
		return "a DMG disk image";
	if (!memcmp(end - 8, "cdsaencr", 8))
		return "an encrypted DMG disk image";
	if (!memcmp(end - 512, "conectix", 8))
		return "a VHD disk image";
	return NULL;
}

/* A boot sector's end, and partitions that a disk could have. */
static bool has_mbr(const struct vd_image_head *h)
{
	bool any = false;

	if (!holds(h, 510, "\x55\xaa", 2))
		return false;
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *entry = h->data + 446 + i * 16;

		if (entry[0] & 0x7f)
			return false;
		if (!entry[4])
			continue;
		if (!vd_get_le32(entry + 12))
			return false;
		any = true;
	}
	return any;
}

static bool all_zeros(const struct vd_image_head *h)
{
	return h->len && !h->data[0] && !memcmp(h->data, h->data + 1, h->len - 1);
}

/* ASCII, or UTF-8 as far as its bytes' ranges tell, without control characters. */
static bool is_text(const struct vd_image_head *h)
{
	size_t follow = 0;

	for (size_t i = 0; i < h->len; i++) {
		uint8_t c = h->data[i];

		if (follow) {
			if ((c & 0xc0) != 0x80)
				return false;
			follow--;
		} else if (c >= 0xc2 && c < 0xf5) {
			follow = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		} else if (c >= 0x7f || (c < 0x20 && !strchr("\t\n\r\f", c)) || !c) {
			return false;
		}
	}
	/* A character may be cut by the end of what was looked at, not by the end of the file. */
	return h->len && (!follow || h->len < h->size);
}

/* Does any line begin with @word, in any case, blanks before it left out? */
static bool has_line(const struct vd_image_head *h, const char *word)
{
	const char *p = (const char *)h->data, *end = p + h->len;
	size_t n = strlen(word);

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		if ((size_t)(end - p) >= n && !strncasecmp(p, word, n) &&
		    ((size_t)(end - p) == n || isspace((unsigned char)p[n])))
			return true;
		if (!newline)
			break;
		p = newline + 1;
	}
	return false;
}

static const char *which_text(const struct vd_image_head *h)
{
	static const char *const toc_types[] = { "CD_DA", "CD_ROM", "CD_ROM_XA", "CD_I" };

	/* A TOC sheet has tracks and files too, so its type is looked for first. */
	for (size_t i = 0; i < VD_ARRAY_SIZE(toc_types); i++)
		if (has_line(h, toc_types[i]))
			return "a TOC (cdrdao) sheet";
	if (has_line(h, "FILE") && has_line(h, "TRACK"))
		return "a CUE sheet";
	for (size_t i = 0; i + 5 <= h->len && i < 256; i++)
		if (!strncasecmp((const char *)h->data + i, "<html", 5))
			return "a web page, perhaps of a download that failed";
	return "a text file";
}

const char *vd_image_looks_like(const struct vd_image_head *h)
{
	const char *words;

	for (size_t i = 0; i < VD_ARRAY_SIZE(magics); i++) {
		const struct magic *m = &magics[i];

		if (holds(h, m->offset, m->bytes, m->len) &&
		    (!m->bytes2 || holds(h, m->offset2, m->bytes2, m->len2)))
			return m->words;
	}
	words = by_tail(h);
	if (words)
		return words;
	if (has_mbr(h))
		return "a disk with an MBR partition table";
	if (all_zeros(h))
		return "a file of zeros, perhaps of a download that has not finished";
	if (is_text(h))
		return which_text(h);
	if (holds(h, 0, "MZ", 2))
		return "a DOS or Windows program";
	return NULL;
}
