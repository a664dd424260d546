/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unaligned little- and big-endian loads and stores. */
#ifndef VD_UTIL_ENDIAN_H
#define VD_UTIL_ENDIAN_H

#include <stdint.h>

static inline uint16_t vd_get_le16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t vd_get_le32(const void *p)
{
	const uint8_t *b = p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t vd_get_le64(const void *p)
{
	const uint8_t *b = p;

	return vd_get_le32(b) | (uint64_t)vd_get_le32(b + 4) << 32;
}

static inline uint16_t vd_get_be16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t vd_get_be32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline void vd_put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void vd_put_le32(void *p, uint32_t v)
{
	uint8_t *b = p;

	vd_put_le16(b, (uint16_t)v);
	vd_put_le16(b + 2, (uint16_t)(v >> 16));
}

static inline void vd_put_le64(void *p, uint64_t v)
{
	uint8_t *b = p;

	vd_put_le32(b, (uint32_t)v);
	vd_put_le32(b + 4, (uint32_t)(v >> 32));
}

static inline void vd_put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void vd_put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;

	vd_put_be16(b, (uint16_t)(v >> 16));
	vd_put_be16(b + 2, (uint16_t)v);
}

#endif
