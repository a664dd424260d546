// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc/discid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/sha1.h"

static uint32_t digits_of(uint32_t n)
{
	uint32_t sum = 0;

	for (; n; n /= 10)
		sum += n % 10;
	return sum;
}

/* Whole seconds from 00:00:00 on. */
static uint32_t seconds(int64_t lba)
{
	return (uint32_t)((lba - VD_LBA_FIRST) / 75);
}

uint32_t vd_discid_freedb(const struct vd_disc *d)
{
	uint32_t sum = 0, length;

	if (!d->ntracks)
		return 0;
	for (size_t i = 0; i < d->ntracks; i++)
		sum += digits_of(seconds(d->tracks[i].start));
	length = seconds(vd_track_end(&d->tracks[d->ntracks - 1])) - seconds(d->tracks[0].start);
	return sum % 255 << 24 | (length & 0xffff) << 8 | (uint32_t)d->ntracks;
}

#define TEXT (4 + 8 * 100) /* what the hash is of */

/* Base64 with '.', '_' and '-' where it has '+', '/' and '=': 20 bytes become 28 characters. */
static void put_base64(const uint8_t hash[20], char *id)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
	uint8_t in[21] = { 0 };

	memcpy(in, hash, 20);
	for (int i = 0; i < 7; i++) {
		uint32_t bits =
			(uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 | in[3 * i + 2];

		for (int k = 0; k < 4; k++)
			*id++ = digits[bits >> (18 - 6 * k) & 0x3f];
	}
	id[-1] = '-';
	*id = '\0';
}

int vd_discid_musicbrainz(const struct vd_disc *d, char id[VD_MUSICBRAINZ_LEN + 1], char *toc,
			  size_t len)
{
	const struct vd_session *s = d->sessions;
	const struct vd_track *first, *last = NULL;
	int64_t leadout;
	uint32_t place[100] = { 0 };
	char text[TEXT + 1];
	uint8_t hash[20];
	size_t n = 0;

	for (size_t i = 0; d->nsessions && i < s->ntracks; i++)
		if (d->tracks[i].mode == VD_TRACK_AUDIO)
			last = &d->tracks[i];
	if (!last)
		return -ENODATA;
	first = d->tracks;
	leadout = s->leadout;
	/* Data behind the music in the same session: as if it were in the next one. */
	if (last != &d->tracks[s->ntracks - 1])
		leadout = (int64_t)last[1].start - VD_SESSION_GAP_FIRST;
	/* No room for another session: then it is not in one, and the music ends where it does. */
	if (leadout <= last->start)
		leadout = vd_track_end(last);
	place[0] = (uint32_t)(leadout - VD_LBA_FIRST);
	for (const struct vd_track *t = first; t <= last; t++)
		place[t->number] = (uint32_t)(t->start - VD_LBA_FIRST);
	n = (size_t)snprintf(text, sizeof(text), "%02X%02X", (unsigned int)first->number,
			     (unsigned int)last->number);
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%08X", place[i]);
	vd_sha1(text, TEXT, hash);
	put_base64(hash, id);

	if (!toc || !len)
		return 0;
	n = (size_t)snprintf(toc, len, "%d %d %u", first->number, last->number, place[0]);
	for (const struct vd_track *t = first; t <= last && n < len; t++)
		n += (size_t)snprintf(toc + n, len - n, " %u", place[t->number]);
	return 0;
}
