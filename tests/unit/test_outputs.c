// SPDX-License-Identifier: GPL-3.0-or-later
/* Files that appear when all of them are complete. What a conversion does with them, tests/fuse/test_convert.c shows. */
#include "userspace/vdrive/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Who asks again for what is being written, with or without --force, gets no second file. */
static void test_asked_twice(void)
{
	const char *path = check_path("out.iso"), *dir = check_path("tracks");

	for (int replace = 0; replace < 2; replace++) {
		struct outputs o = OUTPUTS_NONE;
		struct vd_error err = { "" };

		o.replace = replace;
		CHECK(outputs_open(&o, path, &err) >= 0);
		CHECK_ERRNO(outputs_open(&o, path, &err), -EEXIST);
		CHECK_HAS(err.text, "out.iso is being written already");
		CHECK_INT(o.n, 1);
		CHECK_OK(outputs_commit(&o, &err));
		outputs_drop(&o);
		CHECK_OK(access(path, F_OK));
	}
	for (int twice = 0; twice < 2; twice++) {
		struct outputs o = OUTPUTS_NONE;
		struct vd_error err = { "" };

		CHECK(outputs_open_in(&o, dir, "01.wav", &err) >= 0);
		if (twice)
			CHECK_ERRNO(outputs_open_in(&o, dir, "01.wav", &err), -EEXIST);
		outputs_drop(&o);
		CHECK(access(dir, F_OK) != 0);
	}
}

/* The calls that give names fail, or end the process, when it is the turn of one. */
static int names_until = -1;
static bool names_end;

static int name_call(void)
{
	if (names_until < 0 || names_until-- > 0)
		return 0;
	if (names_end)
		_exit(7);
	names_until = -1;
	errno = EIO;
	return -1;
}

int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned int flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned int flags);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	return name_call() ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

int __wrap_rename(const char *from, const char *to)
{
	return name_call() ? -1 : __real_rename(from, to);
}

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return name_call() ? -1 : __real_linkat(from_dir, from, to_dir, to, flags);
}

static const char *const names[] = { "disc.bin", "disc.cdt", "disc.cue" };

/* @word is what each of the three files is to hold. */
static int write_three(const char *word, bool replace, struct vd_error *err)
{
	struct outputs o = OUTPUTS_NONE;
	int r = 0;

	o.replace = replace;
	for (size_t i = 0; i < VD_ARRAY_SIZE(names) && r >= 0; i++) {
		r = outputs_open(&o, check_path("%s", names[i]), err);
		if (r >= 0)
			r = write(r, word, strlen(word)) == (ssize_t)strlen(word) ? 0 : -EIO;
	}
	if (!r)
		r = outputs_commit(&o, err);
	outputs_drop(&o);
	return r;
}

/* "new new -": what the three files hold, and what else is in the folder. */
static const char *what_is_there(void)
{
	return check_sh(
		       "cd '%s'; for f in disc.bin disc.cdt disc.cue; do cat $f 2>/dev/null || printf -; "
		       "printf ' '; done; ls -A | grep -vc '^disc'",
		       check_tmpdir())
		->out;
}

static void remove_all(void)
{
	check_sh("cd '%s' && find . -mindepth 1 -delete", check_tmpdir());
}

/* Whichever call fails: none of them, or what was there before, and nothing beside. */
static void test_all_or_none(void)
{
	for (int replace = 0; replace < 2; replace++) {
		const char *before = replace ? "old old old 0\n" : "- - - 0\n";
		int r = -EIO, i;

		for (i = 0; r == -EIO && i < 30; i++) {
			struct vd_error err = { "" };

			remove_all();
			if (replace)
				ASSERT_OK(write_three("old", false, &err));
			names_until = i;
			r = write_three("new", replace, &err);
			names_until = -1;
			CHECK_STR(what_is_there(), r ? before : "new new new 0\n");
			CHECK_INT(r != 0, err.text[0] != '\0');
		}
		CHECK_OK(r);
		CHECK(i > (replace ? 6 : 3));
	}
	remove_all();
}

/* Killed before any of the calls: where there is a sheet, its data are its own. */
static void test_killed(void)
{
	for (int replace = 0; replace < 2; replace++) {
		int status = 7, i;

		for (i = 0; status == 7 && i < 30; i++) {
			struct vd_error err = { "" };
			char bin[8], cdt[8], cue[8];
			const char *there;
			pid_t pid;

			remove_all();
			if (replace)
				ASSERT_OK(write_three("old", false, &err));
			fflush(NULL);
			pid = fork();
			ASSERT(pid >= 0);
			if (!pid) {
				names_until = i;
				names_end = true;
				_exit(write_three("new", replace, &err) ? 1 : 0);
			}
			ASSERT(waitpid(pid, &status, 0) == pid);
			status = WEXITSTATUS(status);
			there = what_is_there();
			ASSERT_INT(sscanf(there, "%7s %7s %7s", bin, cdt, cue), 3);
			if (strcmp(cue, "-") && (strcmp(cue, bin) || strcmp(cue, cdt)))
				CHECK_FAIL("killed at call %d: %s", i, there);
		}
		CHECK_INT(status, 0);
		CHECK(i > 3);
	}
	remove_all();
}

static const struct check_test tests[] = {
	{ "all_or_none", test_all_or_none },
	{ "killed", test_killed },
	{ "asked_twice", test_asked_twice },
};
CHECK_MAIN(tests)
