// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrived/slots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void vd_medium_put(const struct vd_mmc_medium *medium, struct vd_message *m)
{
	snprintf(m->text, sizeof(m->text), "%u %d %u %d", (unsigned)medium->profile, medium->audio,
		 medium->sectors, medium->writable);
}

int vd_medium_get(const struct vd_message *m, struct vd_mmc_medium *medium)
{
	unsigned int profile, audio, sectors, writable;
	char end;

	if (sscanf(m->text, "%u %u %u %u%c", &profile, &audio, &sectors, &writable, &end) != 4 ||
	    profile > 0xffff || audio > 1 || writable > 1)
		return -EBADMSG;
	*medium = (struct vd_mmc_medium){ .present = true,
					  .profile = (enum vd_media)profile,
					  .audio = audio,
					  .sectors = sectors,
					  .writable = writable };
	return 0;
}

static void make_bool(bool *b)
{
	uint8_t byte;

	memcpy(&byte, b, sizeof(byte));
	*b = byte & 1;
}

void vd_slot_copy(struct vd_slot_answer *to, const struct vd_slot_answer *from)
{
	memcpy(to, from, sizeof(*to));
	make_bool(&to->reply.ejected);
	make_bool(&to->reply.moved);
	make_bool(&to->reply.plays);
	make_bool(&to->reply.fails);
}

/* Of an address: further than any disc's, and small enough to be computed with. */
static bool is_address(int32_t lba)
{
	return lba >= -451150 && lba < 1 << 30;
}

bool vd_slot_answer_ok(const struct vd_slot_answer *a, uint32_t nfiles, size_t cap, bool ranges)
{
	const struct vd_mmc_reply *r = &a->reply;
	uint64_t sum = 0;

	if ((r->status != VD_MMC_GOOD && r->status != VD_MMC_CHECK_CONDITION) || r->len > cap ||
	    r->ejected || r->nranges > (ranges ? VD_SLOT_RANGES : 0) || !is_address(r->at) ||
	    !is_address(r->first) || !is_address(r->last) || r->rate < -128 || r->rate > 128 ||
	    (r->plays && (r->first > r->at || r->at > r->last)))
		return false;
	for (size_t i = 0; i < r->nranges; i++) {
		const struct vd_slot_range *x = &a->ranges[i];

		if (x->file >= nfiles || x->len > cap || x->offset > INT64_MAX - x->len)
			return false;
		sum += x->len;
	}
	return !r->nranges || sum == r->len;
}
