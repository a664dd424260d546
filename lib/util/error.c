// SPDX-License-Identifier: GPL-3.0-or-later
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int vd_error_set(struct vd_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	make_printable(err->text);
	return code;
}

int vd_error_errno(struct vd_error *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(-code));
	make_printable(err->text);
	return code;
}

int vd_error_prefix(struct vd_error *err, int code, const char *fmt, ...)
{
	char prefix[VD_ERROR_MAX], old[VD_ERROR_MAX];
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof(old));
	if (snprintf(err->text, sizeof(err->text), "%s: %s", prefix, old) < 0)
		err->text[0] = '\0';
	make_printable(err->text);
	return code;
}
