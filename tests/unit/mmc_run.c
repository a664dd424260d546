// SPDX-License-Identifier: GPL-3.0-or-later
#include "mmc_run.h"

#include <stdio.h>
#include <string.h>

#define GUARD 0xa5

unsigned int mmc_count;

static int digit(char ch)
{
	const char *digits = "0123456789abcdef", *p = ch ? strchr(digits, ch | 0x20) : NULL;

	return p ? (int)(p - digits) : -1;
}

size_t mmc_hex(const char *text, uint8_t *bytes, size_t cap)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		ASSERT(n < cap && digit(text[0]) >= 0 && digit(text[1]) >= 0);
		bytes[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text++;
	}
	return n;
}

struct mmc_run *mmc_run_new(struct vd_disc *disc)
{
	struct mmc_run *r = check_alloc(sizeof(*r));

	vd_mmc_init(&r->mmc, "test");
	r->cap = MMC_BUFFER;
	r->now = 1000000000;
	r->disc = disc;
	if (disc) {
		struct vd_mmc_medium medium = vd_mmc_medium_of(disc);

		ASSERT_OK(vd_mmc_insert(&r->mmc, &medium));
	}
	r->mmc.ua_reset = false;
	r->mmc.ua_medium = false;
	return r;
}

uint32_t mmc_do_out(struct mmc_run *r, const char *cdb, const void *out, size_t len)
{
	uint8_t bytes[VD_MMC_CDB_MAX];
	struct vd_mmc_request q = {
		.cdb = bytes,
		.cdb_len = mmc_hex(cdb, bytes, sizeof(bytes)),
		.out = out,
		.out_len = len,
		.in = r->buf,
		.in_cap = r->cap,
		.now = r->now,
	};

	mmc_count++;
	memset(r->buf, GUARD, sizeof(r->buf));
	vd_mmc_execute(&r->mmc, r->disc, &q, &r->reply);
	if (r->reply.len > r->cap)
		CHECK_FAIL("%s: %zu bytes, where there is room for %zu", cdb, r->reply.len, r->cap);
	for (size_t i = r->cap; i < r->cap + 64; i++)
		if (r->buf[i] != GUARD) {
			CHECK_FAIL("%s: writes behind its buffer", cdb);
			break;
		}
	if (r->reply.status == VD_MMC_GOOD)
		return GOOD;
	CHECK_UINT(r->reply.status, VD_MMC_CHECK_CONDITION);
	CHECK_UINT(r->reply.len, 0);
	CHECK_UINT(r->reply.sense[0] & 0x7f, 0x70);
	CHECK_UINT(r->reply.sense[7], 10);
	return (r->reply.sense[2] & 0x0fu) << 16 | r->reply.sense[12] * 256u | r->reply.sense[13];
}

uint32_t mmc_do(struct mmc_run *r, const char *cdb)
{
	return mmc_do_out(r, cdb, NULL, 0);
}

static void compare(const struct mmc_run *r, const struct mmc_case *k)
{
	size_t at = 0;

	if (r->reply.len != k->len) {
		CHECK_FAIL("%s (%s): %zu bytes, not %zu", k->what, k->cdb, r->reply.len, k->len);
		return;
	}
	for (const char *p = k->data ? k->data : ""; *p; p++) {
		uint8_t byte;

		if (*p == ' ')
			continue;
		if (*p != '.') {
			mmc_hex((const char[]){ p[0], p[1], '\0' }, &byte, 1);
			if (at >= k->len || byte != r->buf[at]) {
				CHECK_FAIL("%s (%s): byte %zu is %02x, not %02x", k->what, k->cdb,
					   at, r->buf[at], byte);
				return;
			}
		}
		p++;
		at++;
	}
	CHECK(true);
}

void mmc_cases(struct mmc_run *r, const struct mmc_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct mmc_case *k = &cases[i];
		uint32_t sense = mmc_do(r, k->cdb);

		if (sense != k->sense)
			CHECK_FAIL("%s (%s): sense %06x, not %06x", k->what, k->cdb, sense,
				   k->sense);
		else if (sense == GOOD)
			compare(r, k);
		else
			CHECK(true);
	}
}
