// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Writing to a medium that is written anywhere (DVD-RAM, DVD+RW, BD-RE), and its formats. What a host writes is in the image's file when the
 * command is answered, so that no process of ours can lose it; SYNCHRONIZE CACHE, or FUA, brings it to that file's own medium.
 */
#include <errno.h>
#include <string.h>

#include "mmc/internal.h"
#include "util/cleanup.h"
#include "util/endian.h"

#define BATCH 32u
#define FUA 0x08
#define BUFFER (512u << 10) /* bytes, as mode page 2Ah says */

/* Format types (MMC-6, 6.4.3.3 and 6.23): of what becomes of it they differ in nothing here. */
#define FORMAT_FULL 0x00
#define FORMAT_SPARE 0x01 /* with more spare areas */
#define FORMAT_DVD_PLUS_RW 0x26
#define FORMAT_BD_SPARE 0x30
#define FORMAT_BD_NO_SPARE 0x31

static const struct formats {
	enum vd_media media;
	uint8_t n, types[3];
} formats[] = {
	{ VD_MEDIA_DVD_RAM, 2, { FORMAT_FULL, FORMAT_SPARE } },
	{ VD_MEDIA_DVD_PLUS_RW, 2, { FORMAT_DVD_PLUS_RW, FORMAT_FULL } },
	{ VD_MEDIA_BD_RE, 3, { FORMAT_FULL, FORMAT_BD_SPARE, FORMAT_BD_NO_SPARE } },
};

static const struct formats *formats_of(const struct vd_mmc_medium *m)
{
	for (size_t i = 0; m->present && m->writable && i < VD_ARRAY_SIZE(formats); i++)
		if (formats[i].media == m->profile)
			return &formats[i];
	return NULL;
}

static void fail_to_write(struct vd_mmc_call *c, int code, uint32_t lba)
{
	if (code == -EROFS)
		vd_mmc_fail(c, VD_SENSE_WRITE_PROTECTED);
	else if (code == -EINVAL)
		vd_mmc_fail(c, VD_SENSE_RANGE);
	else /* no room in the file's file system is one too */
		vd_mmc_fail_at(c, VD_SENSE_WRITE_ERROR, (int32_t)lba, false);
}

/* What was just written is there? */
static void compare(struct vd_disc *d, struct vd_mmc_call *c, uint32_t lba, uint32_t n)
{
	const uint8_t *out = c->q->out;
	uint8_t batch[BATCH * VD_SECTOR_USER];

	for (uint32_t i = 0; i < n; i += BATCH) {
		const uint32_t some = n - i < BATCH ? n - i : BATCH;
		const size_t len = (size_t)some * VD_SECTOR_USER;
		int r = vd_disc_pread(d, batch, len, (uint64_t)(lba + i) * VD_SECTOR_USER);

		if (r || memcmp(batch, out + (size_t)i * VD_SECTOR_USER, len)) {
			vd_mmc_fail_at(c, r ? VD_SENSE_READ_ERROR : VD_SENSE_MISCOMPARE,
				       (int32_t)(lba + i), false);
			return;
		}
	}
}

/* WRITE(10), WRITE(12), WRITE AND VERIFY(10) (MMC-6; SBC-2, 5.28, 5.29, 5.33). */
void vd_mmc_write(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	const uint32_t lba = vd_get_be32(c->cdb + 2);
	const uint32_t n = c->cdb[0] == 0xaa ? vd_get_be32(c->cdb + 6) : vd_get_be16(c->cdb + 7);
	const uint64_t len = (uint64_t)n * VD_SECTOR_USER;
	const bool verify = c->cdb[0] == 0x2e;
	int r = 0;

	(void)now;
	if (!d->recordable) {
		vd_mmc_fail(c, VD_SENSE_WRITE_PROTECTED);
		return;
	}
	if (c->cdb[1] & 0x01 || (verify && c->cdb[1] & 0x02)) { /* RELADR; BYTCHK */
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!vd_mmc_check_range(d, c, lba, n))
		return;
	if (len > c->q->out_len) {
		vd_mmc_fail(c, VD_SENSE_CDB); /* more than came with it */
		return;
	}
	if (n)
		r = vd_disc_pwrite(d, c->q->out, (size_t)len, (uint64_t)lba * VD_SECTOR_USER);
	if (!r && (verify || c->cdb[1] & FUA))
		r = vd_disc_flush(d);
	if (r) {
		fail_to_write(c, r, lba);
		return;
	}
	c->r->moved = true;
	c->r->at = (int32_t)(lba + n - (n > 0));
	if (verify)
		compare(d, c, lba, n);
}

/* Of all that was written, whatever the range (SBC-2, 5.18); at once also with IMMED. */
void vd_mmc_sync_cache(const struct vd_mmc_now *now, struct vd_disc *d, struct vd_mmc_call *c)
{
	(void)now;
	if (c->cdb[1] & 0x01)
		vd_mmc_fail(c, VD_SENSE_CDB);
	else if (vd_disc_flush(d))
		vd_mmc_fail(c, VD_SENSE_WRITE_ERROR);
}

/* MMC-6, 6.23: what it is, and what it can be formatted to. */
void vd_mmc_format_capacities(struct vd_mmc *m, struct vd_mmc_call *c)
{
	enum { FORMATTED = 2, NO_MEDIUM = 3 };
	const struct formats *f = formats_of(&m->medium);
	uint8_t answer[4 + 8 * (1 + VD_ARRAY_SIZE(f->types))] = { 0 }, *p = answer + 4;

	vd_put_be32(p, m->medium.sectors);
	vd_put_be32(p + 4, VD_SECTOR_USER);
	p[4] = m->medium.present ? FORMATTED : NO_MEDIUM;
	p += 8;
	for (int i = 0; f && i < f->n; i++, p += 8) {
		vd_put_be32(p, m->medium.sectors);
		/* A block length, but where the type has another parameter. */
		if (f->types[i] == FORMAT_FULL)
			vd_put_be32(p + 4, VD_SECTOR_USER);
		p[4] = (uint8_t)(f->types[i] << 2);
	}
	answer[3] = (uint8_t)(p - answer - 4);
	vd_mmc_data(c, answer, (size_t)(p - answer), vd_get_be16(c->cdb + 7));
}

/* MMC-6, 6.4. What is on the medium stays, as with a real one: nobody may count on it. */
void vd_mmc_format_unit(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const uint8_t *list = c->q->out;
	const struct formats *f = formats_of(&m->medium);
	uint32_t blocks;

	if ((c->cdb[1] & 0x1f) != 0x11) { /* FmtData, no CmpList, format code 1 */
		vd_mmc_fail(c, VD_SENSE_CDB);
		return;
	}
	if (!f) {
		vd_mmc_fail(c, VD_SENSE_WRITE_PROTECTED);
		return;
	}
	if (c->q->out_len < 12 || vd_get_be16(list + 2) != 8) {
		vd_mmc_fail(c, VD_SENSE_LIST_LENGTH);
		return;
	}
	blocks = vd_get_be32(list + 4);
	for (int i = 0; i < f->n; i++)
		if (list[8] >> 2 == f->types[i] &&
		    (blocks == UINT32_MAX || blocks <= m->medium.sectors))
			return;
	vd_mmc_fail(c, VD_SENSE_LIST);
}

/* MMC-6, 6.17: nothing waits in it. */
void vd_mmc_buffer_capacity(struct vd_mmc *m, struct vd_mmc_call *c)
{
	const bool blocks = c->cdb[1] & 0x01;
	uint8_t answer[12] = { 0, sizeof(answer) - 2, 0, blocks };

	(void)m;
	vd_put_be32(answer + 4, blocks ? BUFFER / VD_SECTOR_USER : BUFFER);
	vd_put_be32(answer + 8, blocks ? BUFFER / VD_SECTOR_USER : BUFFER);
	vd_mmc_data(c, answer, sizeof(answer), vd_get_be16(c->cdb + 7));
}

/* MMC-6, 6.3: a medium that is written anywhere has nothing to close. */
void vd_mmc_close(struct vd_mmc *m, struct vd_mmc_call *c)
{
	if (!m->medium.writable)
		vd_mmc_fail(c, VD_SENSE_WRITE_PROTECTED);
}
