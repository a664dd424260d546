/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What keepers of every kind do: speak, listen to the command, start a reader and see it end. */
#ifndef VDRIVED_PROCESS_H
#define VDRIVED_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/vdrived/reader.h"

/* To stderr in the foreground, else to syslog. */
void vd_log_open(const char *drive, bool foreground);
void vd_log(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int64_t vd_now_ms(void); /* of a clock that never goes back */

/* SIGTERM, SIGINT, SIGHUP (and @more, unless 0) come through the descriptor that it returns, SIGPIPE not at all. -errno with words. */
int vd_catch_signals(int more, struct vd_error *err);

/* Listens on NAME.sock, which gets @mode. A descriptor that the caller owns, or -errno with words. */
int vd_control_listen(const char *rundir, const char *name, unsigned int mode,
		      struct vd_error *err);
/* Takes a connection that is there; it waits for nobody longer than a second. -1: there is none. */
int vd_control_accept(int listen_fd);

struct vd_reader_start {
	const struct vd_reader_config *config;
	int image_fd;	 /* borrowed; -1: none */
	int answered_fd; /* borrowed; -1: none */
	bool foreground; /* its stderr is ours */
};

/* A reader process, not in its cage yet. *@sock is the keeper's end. On failure there is none. */
int vd_reader_spawn(const struct vd_reader_start *start, pid_t *pid, int *sock,
		    struct vd_error *err);
/* Waits for its end, with @kill_it not in vain; @how (may be NULL) gets "was killed by signal 9". */
void vd_reader_reap(pid_t pid, bool kill_it, char *how, size_t size);

/* Standard input, output and error lead nowhere from here on. */
void vd_leave_terminal(void);

#endif
