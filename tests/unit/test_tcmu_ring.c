// SPDX-License-Identifier: GPL-3.0-or-later
/* The command ring of TCMU, with memory in the place of the kernel's: what comes, what goes back, and what cannot be. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "userspace/common/tcmu_ring.h"
#include "util/cleanup.h"

#define iovec vd_kernel_iovec
#include <linux/target_core_user.h>
#undef iovec

#define FIRST 128u
#define LEN 1024u
#define DATA (FIRST + LEN)
#define SIZE (DATA + 8192u)
#define ENTRY 128u /* with room for an answer */

static uint8_t *memory;
static struct vd_tcmu_ring ring;

static struct tcmu_mailbox *mailbox(void)
{
	return (void *)memory;
}

static struct tcmu_cmd_entry *entry(uint32_t at)
{
	return (void *)(memory + FIRST + at);
}

static void fresh(void)
{
	struct vd_error err;

	free(memory);
	memory = aligned_alloc(64, (SIZE + 63) / 64 * 64);
	ASSERT(memory);
	memset(memory, 0xee, SIZE);
	memset(memory, 0, FIRST + LEN);
	*mailbox() = (struct tcmu_mailbox){ .version = TCMU_MAILBOX_VERSION,
					    .flags = TCMU_MAILBOX_FLAG_CAP_READ_LEN,
					    .cmdr_off = FIRST,
					    .cmdr_size = LEN };
	ASSERT_OK(vd_tcmu_ring_init(&ring, memory, SIZE, &err));
}

/* Appends a command, as the kernel does, with data of these lengths one behind the other. */
static uint32_t put(uint8_t opcode, const uint32_t *lens, uint32_t n)
{
	const uint32_t at = mailbox()->cmd_head;
	struct tcmu_cmd_entry *e = entry(at);
	uint64_t base = DATA;

	memset(e, 0, ENTRY);
	e->hdr.len_op = ENTRY | TCMU_OP_CMD;
	e->req.iov_cnt = n;
	for (uint32_t i = 0; i < n; i++) {
		e->req.iov[i].iov_base = (void *)(uintptr_t)base;
		e->req.iov[i].iov_len = lens[i];
		base += lens[i];
	}
	e->req.cdb_off = FIRST + at + ENTRY - 16;
	memory[e->req.cdb_off] = opcode;
	memory[e->req.cdb_off + 1] = (uint8_t)at;
	mailbox()->cmd_head = (at + ENTRY) % LEN;
	return at;
}

static void put_other(enum tcmu_opcode op, uint32_t len)
{
	const uint32_t at = mailbox()->cmd_head;
	struct tcmu_cmd_entry *e = entry(at);

	memset(e, 0, sizeof(e->hdr));
	e->hdr.len_op = len | op;
	mailbox()->cmd_head = (at + len) % LEN;
}

static struct vd_tcmu_command next(uint8_t opcode)
{
	struct vd_tcmu_command c = { .niov = 0 };
	struct vd_error err = { "" };

	ASSERT_INT(vd_tcmu_ring_next(&ring, &c, &err), 1);
	CHECK_INT(c.cdb[0], opcode);
	return c;
}

static void none(void)
{
	struct vd_tcmu_command c;
	struct vd_error err;

	CHECK_INT(vd_tcmu_ring_next(&ring, &c, &err), 0);
}

static void answer(struct vd_tcmu_command *c, uint8_t status, size_t bytes)
{
	static const uint8_t sense[18] = { 0x70, 0, 2 };

	vd_tcmu_ring_answer(&ring, c, status, sense, status ? sizeof(sense) : 0, bytes);
	vd_tcmu_command_done(c);
}

static void test_one(void)
{
	static const uint32_t lens[] = { 100, 50, 300 };
	const struct tcmu_cmd_entry *e;
	struct vd_tcmu_command c;
	uint8_t buf[450], got[450];

	fresh();
	none();
	e = entry(put(0x28, lens, 3));
	c = next(0x28);
	CHECK_INT(c.cdb_len, 10);
	CHECK_INT(c.bytes, 450);
	CHECK_INT(c.niov, 3);
	CHECK_INT(vd_tcmu_copy_out(&c, got, sizeof(got)), 450);
	CHECK_INT(got[449], 0xee);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)i;
	CHECK_INT(vd_tcmu_copy_in(&c, buf, 120), 120);
	CHECK_INT(mailbox()->cmd_tail, 0);
	answer(&c, 0, 120);
	CHECK_INT(mailbox()->cmd_tail, ENTRY);
	CHECK_INT(e->rsp.scsi_status, 0);
	CHECK_INT(e->rsp.read_len, 120);
	CHECK_INT(e->hdr.uflags, TCMU_UFLAG_READ_LEN);
	CHECK(!memcmp(memory + DATA, buf, 120));
	/* Nothing of what was there before goes to the host, and nothing else is touched. */
	for (size_t i = 120; i < 450; i++)
		CHECK_INT(memory[DATA + i], 0);
	CHECK_INT(memory[DATA + 450], 0xee);
	none();
}

static void test_lengths(void)
{
	static const struct {
		uint8_t opcode;
		size_t len;
	} cases[] = { { 0x00, 6 },  { 0x28, 10 }, { 0x43, 10 }, { 0xa8, 12 },
		      { 0xbe, 12 }, { 0x9e, 16 }, { 0xd8, 10 } };

	for (size_t i = 0; i < VD_ARRAY_SIZE(cases); i++) {
		struct vd_tcmu_command c;

		fresh();
		put(cases[i].opcode, NULL, 0);
		c = next(cases[i].opcode);
		CHECK_INT(c.cdb_len, cases[i].len);
		answer(&c, 0, 0);
	}
}

static void test_sense(void)
{
	const struct tcmu_cmd_entry *e;
	struct vd_tcmu_command c;

	fresh();
	e = entry(put(0x00, NULL, 0));
	c = next(0x00);
	answer(&c, 2, 0);
	CHECK_INT(e->rsp.scsi_status, 2);
	CHECK_INT(e->rsp.sense_buffer[2], 2);
	CHECK_INT(e->rsp.sense_buffer[17], 0);
	CHECK_INT(e->rsp.sense_buffer[95], 0);
}

/* Entries that are no commands, round the ring several times. */
static void test_round(void)
{
	struct vd_tcmu_command c, d;

	fresh();
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 2; i++) {
			put(0x28, NULL, 0);
			put_other(TCMU_OP_TMR, 64);
			put(0x43, NULL, 0);
			c = next(0x28);
			d = next(0x43);
			none();
			answer(&c, 0, 0);
			answer(&d, 0, 0);
			CHECK_INT(mailbox()->cmd_tail, mailbox()->cmd_head);
		}
		/* What is left of the ring is filled up. */
		put_other(TCMU_OP_PAD, LEN - mailbox()->cmd_head);
		none();
		CHECK_INT(mailbox()->cmd_head, 0);
		CHECK_INT(mailbox()->cmd_tail, 0);
	}
}

static void test_unknown(void)
{
	struct vd_tcmu_command c;

	fresh();
	put_other(7, 16);
	put(0x00, NULL, 0);
	c = next(0x00);
	CHECK_INT(entry(0)->hdr.uflags, TCMU_UFLAG_UNKNOWN_OP);
	answer(&c, 0, 0);
	CHECK_INT(mailbox()->cmd_tail, 16 + ENTRY);
}

/* A process that dies has lost nothing: what was not answered comes again. */
static void test_resumed(void)
{
	static const uint32_t len = 64;
	struct vd_tcmu_command c;
	struct vd_error err;

	fresh();
	put(0x28, &len, 1);
	put_other(TCMU_OP_TMR, 64);
	put(0x43, &len, 1);
	put(0x46, &len, 1);
	c = next(0x28);
	answer(&c, 0, 64);
	c = next(0x43);
	vd_tcmu_command_done(&c);
	c = next(0x46);
	vd_tcmu_command_done(&c);
	ASSERT_OK(vd_tcmu_ring_init(&ring, memory, SIZE, &err));
	c = next(0x43);
	CHECK_INT(c.bytes, 64);
	answer(&c, 0, 64);
	c = next(0x46);
	answer(&c, 0, 64);
	none();
}

/* What cannot be, one thing at a time. */

static void no_version(void)
{
	mailbox()->version = 1;
}

static void ring_behind_the_end(void)
{
	mailbox()->cmdr_size = SIZE;
}

static void ring_in_the_mailbox(void)
{
	mailbox()->cmdr_off = 8;
}

static void ring_not_aligned(void)
{
	mailbox()->cmdr_off = FIRST + 4;
}

static void tail_outside(void)
{
	mailbox()->cmd_tail = LEN;
}

static void empty_ring(void)
{
	mailbox()->cmdr_size = 0;
}

static void test_no_ring(void)
{
	static void (*const breaks[])(void) = { no_version,	     ring_behind_the_end,
						ring_in_the_mailbox, ring_not_aligned,
						tail_outside,	     empty_ring };

	for (size_t i = 0; i < VD_ARRAY_SIZE(breaks); i++) {
		struct vd_error err = { "" };

		fresh();
		breaks[i]();
		CHECK_INT(vd_tcmu_ring_init(&ring, memory, SIZE, &err), i ? -EBADMSG : -EPROTO);
		CHECK(err.text[0]);
	}
	fresh();
	CHECK_INT(vd_tcmu_ring_init(&ring, memory, sizeof(struct tcmu_mailbox) - 1, NULL),
		  -EBADMSG);
}

static void head_outside(void)
{
	mailbox()->cmd_head = LEN;
}

static void head_not_aligned(void)
{
	mailbox()->cmd_head = 4;
}

static void no_length(void)
{
	entry(0)->hdr.len_op = 0 | TCMU_OP_CMD;
}

static void length_beyond(void)
{
	entry(0)->hdr.len_op = (LEN + 8) | TCMU_OP_CMD;
}

static void too_short(void)
{
	entry(0)->hdr.len_op = 64 | TCMU_OP_CMD;
}

static void too_many_iovs(void)
{
	entry(0)->req.iov_cnt = 0x10000000;
}

static void cdb_before(void)
{
	entry(0)->req.cdb_off = 0;
}

static void cdb_behind(void)
{
	entry(0)->req.cdb_off = FIRST + ENTRY;
}

static void cdb_over_the_end(void)
{
	entry(0)->req.cdb_off = FIRST + ENTRY - 2;
	memory[FIRST + ENTRY - 2] = 0x28;
}

static void cdb_far(void)
{
	entry(0)->req.cdb_off = UINT64_MAX;
}

static void data_before(void)
{
	entry(0)->req.iov[0].iov_base = (void *)(uintptr_t)(DATA - 8);
}

static void data_behind(void)
{
	entry(0)->req.iov[0].iov_base = (void *)(uintptr_t)(SIZE + 8);
}

static void data_over_the_end(void)
{
	entry(0)->req.iov[0].iov_len = SIZE;
}

static void data_round(void)
{
	entry(0)->req.iov[0].iov_len = SIZE_MAX;
}

static void test_broken(void)
{
	static void (*const breaks[])(void) = {
		head_outside,  head_not_aligned, no_length,	    length_beyond,    too_short,
		too_many_iovs, cdb_before,	 cdb_behind,	    cdb_over_the_end, cdb_far,
		data_before,   data_behind,	 data_over_the_end, data_round,
	};
	static const uint32_t len = 64;

	for (size_t i = 0; i < VD_ARRAY_SIZE(breaks); i++) {
		struct vd_tcmu_command c;
		struct vd_error err = { "" };

		fresh();
		put(0x28, &len, 1);
		breaks[i]();
		if (vd_tcmu_ring_next(&ring, &c, &err) != -EBADMSG)
			CHECK_FAIL("number %zu was taken", i);
		CHECK(err.text[0]);
	}
	free(memory);
	memory = NULL;
}

static const struct check_test tests[] = {
	{ "one", test_one },	     { "lengths", test_lengths }, { "sense", test_sense },
	{ "round", test_round },     { "unknown", test_unknown }, { "resumed", test_resumed },
	{ "no_ring", test_no_ring }, { "broken", test_broken },
};

CHECK_MAIN(tests)
