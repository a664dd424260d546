// SPDX-License-Identifier: GPL-3.0-or-later
/* What the keeper of an optical drive takes from the reader of its disc, which may say anything. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "userspace/vdrived/slots.h"
#include "util/cleanup.h"

#define CAP 8192
#define FILES 3

static struct vd_slot_answer bytes_of(size_t len)
{
	return (struct vd_slot_answer){ .reply = { .status = VD_MMC_GOOD, .len = len } };
}

static struct vd_slot_answer ranges_of(void)
{
	struct vd_slot_answer a = bytes_of(CAP);

	a.reply.nranges = 2;
	a.ranges[0] = (struct vd_slot_range){ .file = 0, .offset = 4096, .len = 2048 };
	a.ranges[1] = (struct vd_slot_range){ .file = FILES - 1, .offset = 0, .len = CAP - 2048 };
	return a;
}

#define OK(a, ranges) vd_slot_answer_ok(&(a), FILES, CAP, ranges)

static void test_bytes(void)
{
	struct vd_slot_answer a = bytes_of(0);

	CHECK(OK(a, false));
	a = bytes_of(CAP);
	CHECK(OK(a, false));
	a = bytes_of(CAP + 1);
	CHECK(!OK(a, false));
	a = bytes_of(SIZE_MAX);
	CHECK(!OK(a, true));
	for (int status = 0; status < 256; status++) {
		a = bytes_of(16);
		a.reply.status = (uint8_t)status;
		CHECK_INT(OK(a, false), status == VD_MMC_GOOD || status == VD_MMC_CHECK_CONDITION);
	}
	/* The tray is the keeper's. */
	a = bytes_of(16);
	a.reply.ejected = true;
	CHECK(!OK(a, true));
}

static void test_head(void)
{
	static const int32_t bad[] = { INT32_MIN, -451151, 1 << 30, INT32_MAX };
	static const int32_t good[] = { -451150, 0, (1 << 30) - 1 };

	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++) {
		struct vd_slot_answer a = bytes_of(16), b = a, c = a;

		a.reply.at = b.reply.first = c.reply.last = bad[i];
		CHECK(!OK(a, true) && !OK(b, true) && !OK(c, true));
	}
	for (size_t i = 0; i < VD_ARRAY_SIZE(good); i++) {
		struct vd_slot_answer a = bytes_of(16);

		a.reply.at = a.reply.first = a.reply.last = good[i];
		CHECK(OK(a, true));
	}
	for (int rate = -130; rate <= 130; rate++) {
		struct vd_slot_answer a = bytes_of(16);

		a.reply.rate = rate;
		CHECK_INT(OK(a, true), rate >= -128 && rate <= 128);
	}
	/* It plays from where it is allowed to. */
	for (int at = 99; at <= 201; at += at == 100 ? 100 : 1) {
		struct vd_slot_answer a = bytes_of(16);

		a.reply.at = at;
		a.reply.first = 100;
		a.reply.last = 200;
		CHECK(OK(a, true));
		a.reply.plays = true;
		CHECK_INT(OK(a, true), at >= 100 && at <= 200);
	}
}

static void test_ranges(void)
{
	struct vd_slot_answer a = ranges_of();

	CHECK(OK(a, true));
	CHECK(!OK(a, false)); /* not asked for */
	a.ranges[1].file = FILES;
	CHECK(!OK(a, true));
	a.ranges[1].file = UINT32_MAX;
	CHECK(!OK(a, true));
	/* Not as many bytes as it says. */
	a = ranges_of();
	a.ranges[1].len--;
	CHECK(!OK(a, true));
	a.ranges[1].len += 2;
	CHECK(!OK(a, true));
	a = ranges_of();
	a.reply.len = 0;
	CHECK(!OK(a, true));
	/* Sums that come round. */
	a = ranges_of();
	a.ranges[0].len = UINT64_MAX - 2047;
	a.ranges[1].len = CAP + 2048;
	CHECK(!OK(a, true));
	a = ranges_of();
	a.ranges[0].offset = INT64_MAX - 2047;
	CHECK(!OK(a, true));
	a.ranges[0].offset = INT64_MAX - 2048;
	CHECK(OK(a, true));
	a.ranges[0].offset = UINT64_MAX;
	CHECK(!OK(a, true));
	/* More than there is room for. */
	a = bytes_of(0);
	a.reply.nranges = VD_SLOT_RANGES;
	CHECK(OK(a, true));
	a.reply.nranges = VD_SLOT_RANGES + 1;
	CHECK(!OK(a, true));
	a.reply.nranges = SIZE_MAX;
	CHECK(!OK(a, true));
}

/* Noise in every byte, and in some bytes of what is right: what is taken is within bounds. */
static void test_noise(void)
{
	static const struct vd_slot_answer nothing;
	uint32_t x = 1;

	for (int round = 0; round < 200000; round++) {
		struct vd_slot_answer a = ranges_of(), copy = nothing;
		const int changes = round & 1 ? 1 : 4;

		for (int i = 0; i < changes; i++) {
			x = x * 1664525 + 1013904223;
			((uint8_t *)&a)[(x >> 8) % offsetof(struct vd_slot_answer, ranges[2])] =
				(uint8_t)(x >> 24);
		}
		vd_slot_copy(&copy, &a);
		if (!OK(copy, true))
			continue;
		uint64_t sum = 0;
		for (size_t i = 0; i < copy.reply.nranges; i++) {
			CHECK(copy.ranges[i].file < FILES);
			CHECK(copy.ranges[i].offset + copy.ranges[i].len <= INT64_MAX);
			sum += copy.ranges[i].len;
		}
		CHECK(copy.reply.len <= CAP && (!copy.reply.nranges || sum == copy.reply.len));
		CHECK(!copy.reply.ejected);
	}
}

static void test_medium(void)
{
	static const char *const bad[] = { "",		 "8",	      "8 0",
					   "8 0 100",	 "8 2 100 0", "65536 0 100 0",
					   "8 0 100 0 ", "8 0 100 2", "8 0 100 1 1",
					   "x 0 1 0",	 "8 0 x 0",   "8,0,1,0" };
	const struct vd_mmc_medium one = { .present = true,
					   .profile = VD_MEDIA_CD_R,
					   .audio = true,
					   .sectors = 359849,
					   .writable = true };
	struct vd_mmc_medium got;
	struct vd_message m = { .type = VD_MSG_MEDIUM };

	vd_medium_put(&one, &m);
	ASSERT_INT(vd_medium_get(&m, &got), 0);
	CHECK(got.present && got.audio && got.profile == one.profile &&
	      got.sectors == one.sectors && got.writable);
	for (size_t i = 0; i < VD_ARRAY_SIZE(bad); i++) {
		snprintf(m.text, sizeof(m.text), "%s", bad[i]);
		if (vd_medium_get(&m, &got) != -EBADMSG)
			CHECK_FAIL("'%s' is taken", bad[i]);
	}
}

static const struct check_test tests[] = {
	{ "bytes", test_bytes }, { "head", test_head },	    { "ranges", test_ranges },
	{ "noise", test_noise }, { "medium", test_medium },
};

CHECK_MAIN(tests)
