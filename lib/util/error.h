/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An error is a negative errno; a struct vd_error beside it carries the words that a user reads:
 * what failed, on what, where and why. The library never prints: it fills one of these.
 */
#ifndef VD_UTIL_ERROR_H
#define VD_UTIL_ERROR_H

#define VD_ERROR_MAX 512

struct vd_error {
	char text[VD_ERROR_MAX]; /* one line, no newline, printable; "" when unset */
};

/*
 * Sets the words and returns @code (a negative errno) so that `return vd_error_set(...)` reads well.
 * @err may be NULL. Control characters in the result are replaced by '?': the text may quote a
 * stranger's file name.
 */
int vd_error_set(struct vd_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As vd_error_set(), and appends ": " and strerror(-code). */
int vd_error_errno(struct vd_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before words that are already there. Returns @code. */
int vd_error_prefix(struct vd_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
