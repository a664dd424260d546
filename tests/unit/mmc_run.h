/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands in hexadecimal and what comes of them, for the tests of lib/mmc. */
#ifndef TEST_MMC_RUN_H
#define TEST_MMC_RUN_H

#include "check.h"
#include "mmc/mmc.h"

#define MMC_BUFFER (1u << 20)
#define GOOD 0u

/* A drive named "test", its medium, and the last command's answer. */
struct mmc_run {
	struct vd_mmc mmc;
	struct vd_disc *disc;
	uint64_t now; /* ns */
	size_t cap;   /* room for data from the drive; MMC_BUFFER at first */
	struct vd_mmc_reply reply;
	uint8_t buf[MMC_BUFFER + 64];
};

/* One command: @sense is GOOD, or key, code and qualifier as 0x052400. */
struct mmc_case {
	const char *what; /* and the section that says so */
	const char *cdb;  /* hexadecimal, blanks anywhere */
	uint32_t sense;
	size_t len;	  /* of the answer */
	const char *data; /* how it begins; NULL: not looked at. ".." is any byte */
};

/* With no unit attention pending. @disc may be NULL; it is not closed. */
struct mmc_run *mmc_run_new(struct vd_disc *disc);
/* Bytes of hexadecimal text; their number. */
size_t mmc_hex(const char *text, uint8_t *bytes, size_t cap);
/* Runs a command, without data to the drive or with some. The sense, GOOD if none. */
uint32_t mmc_do(struct mmc_run *r, const char *cdb);
uint32_t mmc_do_out(struct mmc_run *r, const char *cdb, const void *out, size_t len);
/* Runs all and notes what differs. */
void mmc_cases(struct mmc_run *r, const struct mmc_case *cases, size_t n);
#define MMC_CASES(r, cases) mmc_cases(r, cases, sizeof(cases) / sizeof((cases)[0]))
/* How many cases this program has run so far. */
extern unsigned int mmc_count;

#endif
