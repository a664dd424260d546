/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel in User Mode Linux is given to write. */
#ifndef VD_TESTS_ORACLE_UML_FILL_H
#define VD_TESTS_ORACLE_UML_FILL_H

/*
 * Writes a tree into the working directory, the root of an empty file system:
 *
 *     posix   all kinds of files, modes, owners, times, links; names of all lengths and characters; files of all sizes around
 *             those that are stored in a special way; holes; deep folders; folders and files in many fragments
 *     many    10,000 files in one folder
 *     huge    a file of 5 GiB that is almost all a hole
 *     more huge   and one that is nothing else, and one of 4 GiB and a byte
 *
 * 0, or -1 with errno and a message on the console.
 */
int uml_fill(const char *what);

#endif
