/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An optical drive that the command makes, in a guest, with udev as a system with our rules has it (RULES is their path). */
#ifndef TESTS_CDROM_H
#define TESTS_CDROM_H

#include "../fuse/cli.h"

/* Of a table of commands: none may fail. */
void cdrom_make(const char *text);
/*
 * Starts udev: it asks the kernel to look for ejected and new discs every two seconds, and locks the tray of a drive with a
 * disc.
 */
void cdrom_start_udev(const char *rules);
/* Makes a drive: its device, "/dev/sr0". */
char *cdrom_add(const char *name);
/* Takes it and udev away, whatever state they are in. */
void cdrom_remove(const char *name);
/* Puts an image into it ("-W image" too), whatever was in it; returns when udev has seen the disc. */
void cdrom_insert(const char *name, const char *image);

#endif
