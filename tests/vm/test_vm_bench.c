// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A bench of guests is worth what it does when things go wrong. Four guests, at the same time: one whose programs misbehave in
 * every way that leaves the guest alive, one that panics, one that hangs, one that does not start. Each is then looked at
 * as ctest does.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "util/cleanup.h"

#define GOOD "echo 'ok one'; echo '# check: 1 passed, 0 failed, 0 skipped'"

struct program {
	const char *name;
	int seconds;
	const char *text;
};

static const struct program misbehaving[] = {
	{ "good", 30, GOOD },
	{ "bad", 30,
	  "echo 'ok one'; echo 'FAIL two'; echo 'why it did'; "
	  "echo '# check: 1 passed, 1 failed, 0 skipped'; exit 1" },
	{ "skips", 30,
	  "echo 'SKIP one: no wish'; echo '# check: 0 passed, 0 failed, 1 skipped'; exit 77" },
	{ "crashes", 30, "echo 'ok one'; kill -SEGV $$" },
	{ "silent", 30, "exit 0" },
	{ "lies", 30, GOOD "; exit 3" },
	{ "slow", 3, "echo 'ok one'; sleep 1000" },
	{ "leaves", 30,
	  "sleep 1000 & mkdir /tmp/left; mount -t tmpfs left /tmp/left; "
	  "truncate -s 1M /tmp/left.img; losetup -f /tmp/left.img; " GOOD },
	{ "clean", 30,
	  "[ ! -e /tmp/left ] && [ -z \"$(losetup -a)\" ] && ! pgrep -x sleep && " GOOD },
	{ "warns", 30, "echo 'WARNING: CPU: 0 is not amused' >/dev/kmsg; " GOOD },
};

static const struct program panicking[] = {
	{ "good", 30, GOOD },
	{ "panics", 30, "echo 'ok one'; sleep 1; echo c >/proc/sysrq-trigger; sleep 20" },
	{ "late", 30, GOOD },
};

/* What would notice that the program is late is stopped. */
static const struct program hanging[] = {
	{ "hangs", 1, "echo 'ok one'; kill -STOP $PPID; exit 0" },
	{ "late", 30, GOOD },
};

static const struct program lost[] = { { "good", 30, GOOD } };

static void write_guest(const char *guest, const struct program *programs, size_t n)
{
	char *manifest = check_printf("%s", "");

	for (size_t i = 0; i < n; i++) {
		const char *path = check_path("%s-%s", guest, programs[i].name);
		const char *text = check_printf("#!/bin/sh\n%s\n", programs[i].text);

		check_write_file(path, text, strlen(text));
		ASSERT_OK(chmod(path, 0755));
		manifest = check_printf("%sprogram\t%s\t%d\t%s\n", manifest, programs[i].name,
					programs[i].seconds, path);
	}
	check_write_file(check_path("%s.manifest", guest), manifest, strlen(manifest));
}

static void setup(void)
{
	const char *argv[] = { "sh", "-c", NULL, NULL };
	struct check_cmd c = { .argv = argv, .cwd = check_tmpdir(), .timeout_ms = 500 * 1000 };

	write_guest("misbehaving", misbehaving, VD_ARRAY_SIZE(misbehaving));
	write_guest("panicking", panicking, VD_ARRAY_SIZE(panicking));
	write_guest("hanging", hanging, VD_ARRAY_SIZE(hanging));
	write_guest("lost", lost, VD_ARRAY_SIZE(lost));
	if (check_failed())
		return;
	argv[2] =
		"boot() { " VM " boot " SERIES
		" $1.manifest out-$1 >boot-$1 2>&1; echo status $? >>boot-$1; }\n"
		"boot misbehaving & boot panicking & VDRIVE_VM_GRACE=15 boot hanging & VDRIVE_VM_START=1 boot lost & wait";
	ASSERT_RUN(&c, 0);
}

static const char *boot(const char *guest)
{
	return check_read_file(check_path("boot-%s", guest), NULL);
}

/* `vm.sh show` for a program, which has to end so. */
static const char *show_at(const struct check_where *w, const char *guest, const char *program,
			   int status)
{
	const char *argv[] = { VM, "show", check_path("out-%s", guest), program, NULL };
	struct check_cmd c = { .argv = argv };

	check_run_expect(w, &c, status);
	return c.out;
}

#define SHOW(guest, program, status) show_at(CHECK_HERE_(false), guest, program, status)

static const char *end_at(const struct check_where *w, const char *guest, int status)
{
	const char *argv[] = { VM, "end", check_path("out-%s", guest), NULL };
	struct check_cmd c = { .argv = argv };

	check_run_expect(w, &c, status);
	return c.out;
}

#define END(guest, status) end_at(CHECK_HERE_(false), guest, status)

static void test_good(void)
{
	static const char good[] = "ok one\n# check: 1 passed, 0 failed, 0 skipped\n";

	CHECK_STR(boot("misbehaving"),
		  "ok boot\n# check: 1 passed, 0 failed, 0 skipped\nstatus 0\n");
	CHECK_STR(SHOW("misbehaving", "good", 0), good);
	CHECK_STR(SHOW("misbehaving", "warns", 0), good);
	CHECK_STR(SHOW("panicking", "good", 0), good);
}

static void test_fails(void)
{
	const char *out = SHOW("misbehaving", "bad", 1);

	CHECK_HAS(out, "ok one\nFAIL two\nwhy it did\n");
	CHECK_HAS(out, "dmesg: ");
	CHECK_HAS(out, "\n# check: 1 passed, 1 failed, 0 skipped\n");
}

static void test_skips(void)
{
	CHECK_STR(SHOW("misbehaving", "skips", 77),
		  "SKIP one: no wish\n# check: 0 passed, 0 failed, 1 skipped\n");
}

/* Without a sum: then one more than those that are told of has failed. */
static void test_crashes(void)
{
	const char *out = SHOW("misbehaving", "crashes", 1);

	CHECK_HAS(out, "ok one\nvm: crashes ended with 139 and without its sum\n");
	CHECK(!strstr(out, "# check:"));
	out = SHOW("misbehaving", "silent", 1);
	CHECK_HAS(out, "vm: silent ended with 0 and without its sum\n");
	CHECK(!strstr(out, "# check:"));
}

static void test_status(void)
{
	SHOW("misbehaving", "lies", 3);
}

static void test_timeout(void)
{
	const char *out = SHOW("misbehaving", "slow", 1);

	CHECK_HAS(out, "ok one\nvm: slow took too long and was killed\n");
	CHECK_HAS(out, "dmesg: ");
	CHECK(!strstr(out, "# check:"));
}

static void test_left_behind(void)
{
	const char *out = SHOW("misbehaving", "leaves", 1);

	CHECK_HAS(out, "FAIL nothing_left\n");
	CHECK_HAS(out, "/sleep\n");
	CHECK_HAS(out, "mount /tmp/left\n");
	CHECK_HAS(out, "file /tmp/left\n");
	CHECK_HAS(out, "loop device of /tmp/left.img\n");
	CHECK_HAS(out, "# check: 1 passed, 1 failed, 0 skipped\n");
	/* And does not disturb the next one. */
	SHOW("misbehaving", "clean", 0);
}

static void test_kernel_warns(void)
{
	const char *out = END("misbehaving", 1);

	CHECK_HAS(out, "ok came_back\nFAIL kernel_log\n");
	CHECK_HAS(out, "WARNING: CPU: 0 is not amused\n");
	CHECK_HAS(out, "# check: 1 passed, 1 failed, 0 skipped\n");
}

static void test_kernel_panics(void)
{
	const char *out = SHOW("panicking", "panics", 1);

	CHECK_STR(boot("panicking"), "ok boot\n# check: 1 passed, 0 failed, 0 skipped\nstatus 0\n");
	CHECK_HAS(out, "ok one\nvm: the guest was lost while panics ran\n");
	CHECK_HAS(out, "Kernel panic - not syncing: sysrq triggered crash");
	CHECK(!strstr(out, "# check:"));
	CHECK_STR(SHOW("panicking", "late", 1),
		  "vm: late was not reached: the guest was lost before\n");
	out = END("panicking", 1);
	CHECK_HAS(out, "FAIL came_back\n");
	CHECK_HAS(out, "FAIL kernel_log\n");
	CHECK_HAS(out, "# check: 0 passed, 2 failed, 0 skipped\n");
}

static void test_guest_hangs(void)
{
	const char *out = SHOW("hanging", "hangs", 1);

	CHECK_STR(boot("hanging"), "ok boot\n# check: 1 passed, 0 failed, 0 skipped\nstatus 0\n");
	CHECK_HAS(out, "ok one\nvm: the guest was lost while hangs ran\n"
		       "the guest was killed: nothing came for too long after '@start hangs'\n");
	SHOW("hanging", "late", 1);
	out = END("hanging", 1);
	CHECK_HAS(out, "FAIL came_back\n");
	CHECK_HAS(out, "# check: 1 passed, 1 failed, 0 skipped\n");
}

static void test_does_not_start(void)
{
	const char *out = boot("lost");

	CHECK_HAS(out, "FAIL boot\n");
	CHECK_HAS(out, "the guest was killed: nothing came for too long after 'start'\n");
	CHECK_HAS(out, "# check: 0 passed, 1 failed, 0 skipped\nstatus 1\n");
	SHOW("lost", "good", 1);
	END("lost", 1);
}

static const struct check_test tests[] = {
	{ "good", test_good },
	{ "fails", test_fails },
	{ "skips", test_skips },
	{ "crashes", test_crashes },
	{ "status", test_status },
	{ "timeout", test_timeout },
	{ "left_behind", test_left_behind },
	{ "kernel_warns", test_kernel_warns },
	{ "kernel_panics", test_kernel_panics },
	{ "guest_hangs", test_guest_hangs },
	{ "does_not_start", test_does_not_start },
};

CHECK_MAIN_WITH(tests, setup, NULL)
