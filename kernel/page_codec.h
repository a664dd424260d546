/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page in, its shortest form out: same-filled, LZ4, or as it is; with a checksum over what is stored, if wanted. This
 * file and page_codec.c are compiled into libvdrive and into memdrive.ko, so they use nothing but fixed-width types, memory
 * functions, LZ4 and XXH64.
 */
#ifndef VD_STORE_PAGE_CODEC_H
#define VD_STORE_PAGE_CODEC_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define VD_PAGE_SIZE 4096u
/* A page that LZ4 cannot bring below this is kept as it is: the little that would be saved is lost to rounding. */
#define VD_PAGE_PACKED_MAX 3584u
/* Bytes of scratch memory for LZ4 (LZ4_MEM_COMPRESS); 8-byte aligned. */
#define VD_PAGE_WORK_SIZE 16416u

enum vd_page_kind {
	VD_PAGE_NONE, /* never written: zeros. Not made by the encoder */
	VD_PAGE_SAME, /* one 64-bit word over and over: `fill`; nothing else is stored */
	VD_PAGE_LZ4,  /* `len` bytes */
	VD_PAGE_RAW,  /* VD_PAGE_SIZE bytes */
};

struct vd_page_code {
	uint8_t kind;
	bool has_sum;
	uint16_t len; /* bytes to store */
	uint32_t sum; /* over them, when has_sum: the halves of hash, one XORed with the other */
	uint64_t
		hash; /* XXH64 over them, when has_sum. Made by the encoder; the decoder needs sum only */
	uint64_t fill; /* VD_PAGE_SAME; native byte order: it never leaves the machine */
};

/*
 * Encodes @page (VD_PAGE_SIZE bytes, 8-byte aligned). @out has VD_PAGE_SIZE bytes, @work VD_PAGE_WORK_SIZE. @want_sum:
 * whether to make sum and hash; a page with nothing to store has none. Returns where the code->len bytes to store are: @out,
 * @page (not with @want_sum), or NULL when there are none. The page may be changed by others meanwhile: what comes out is then
 * some page, but whole, and with a sum that fits.
 */
const void *vd_page_encode(const void *page, void *out, void *work, bool want_sum,
			   struct vd_page_code *code);

/*
 * Fills @page (8-byte aligned) from the code->len bytes at @data. 0, or -EIO when they are not what was stored, as far
 * as can be told without a sum. Safe on any bytes and any code.
 */
int vd_page_decode(const struct vd_page_code *code, const void *data, void *page);

#endif
