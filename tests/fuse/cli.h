/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running the vdrive command in tests, as the caller or as a real other user, and proving that nothing is left behind.
 * The programs are copied to the test's own folder, where any user can reach them.
 */
#ifndef VD_TESTS_CLI_H
#define VD_TESTS_CLI_H

#include <stdbool.h>

#include "check.h"

/* Somebody who has a name, which fusermount3 insists on, and nothing else. */
#define CLI_NOBODY 65534

/* Copies the programs and makes the folders. To be called from a setup. */
void cli_setup(void);

/*
 * Who runs the commands from here on: the caller, or nobody (false when that cannot be done: the test was skipped). Each has a
 * runtime directory and a work folder of its own.
 */
bool cli_become(bool nobody);
const char *cli_rundir(void);
/* A path in the work folder, which is also the current directory of every command. */
char *cli_path(const char *name);

/*
 * Runs a text by sh, in which `vdrive` and `mount.vdrive` are the programs under test, $W is the work folder and $R the
 * runtime directory.
 */
struct check_cmd *cli(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs it and checks that it succeeds in silence on stderr. Returns what it printed. */
const char *cli_ok_at(const struct check_where *w, const char *text);
#define CLI_OK(text) cli_ok_at(CHECK_HERE_(false), text)
/*
 * Runs it and checks that it fails as a command should: with this status, nothing on stdout, and on stderr one line that
 * begins with the program's name and holds @words, after it at most the hint to --help.
 */
bool cli_fails_at(const struct check_where *w, const char *text, int status, const char *words);
#define CLI_FAILS(text, status, words) cli_fails_at(CHECK_HERE_(false), text, status, words)

/* What there is of ours: mounts, runtime files, processes; a line each. "" when there is nothing. */
char *cli_remains(void);
/* Nothing is left, at the latest after some seconds. */
bool cli_clean_at(const struct check_where *w);
#define CLI_CLEAN() cli_clean_at(CHECK_HERE_(false))

/* Takes down whatever there is, by force. */
void cli_remove(void);

/* Is this one JSON value (RFC 8259), in well-formed UTF-8? */
bool cli_json_valid(const char *text);

#endif
