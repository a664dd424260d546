// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *progname = "vdrive";

void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "%s: out of memory\n", progname);
		exit(MOUNT_SYSTEM);
	}
	return p;
}

static char *vformat(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	return need(text);
}

char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	return text;
}

/* One write, so that lines of commands that run at once do not mix. */
static void say(const char *text)
{
	_cleanup_free_ char *safe = text_safe(text);

	fprintf(stderr, "%s: %s\n", progname, safe);
}

void complain(const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	say(text);
}

/* How long @name is at the beginning of @words, where they are of it; else 0. */
static size_t named_in(const char *words, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(words, name, n) && (words[n] == ':' || words[n] == ' ') ? n : 0;
}

void complain_error(int code, const struct vd_error *err, const char *what)
{
	const char *words = err->text[0] ? err->text : strerror(-code), *slash;
	struct vd_error printable;
	size_t n;

	/* The words may name it already, with '?' for what is not printable; those of a sheet without its folder. */
	vd_error_set(&printable, 0, "%s", what);
	n = named_in(words, printable.text);
	slash = strrchr(printable.text, '/');
	if (!n && slash && slash[1])
		n = named_in(words, slash + 1);
	complain("%s%s%s", what, n ? "" : ": ", words + n);
}

int wrong_usage(int status, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		text = vformat(fmt, ap);
		va_end(ap);
		say(text);
	}
	fprintf(stderr, "Try '%s --help' for more information.\n", progname);
	return status;
}

int mount_status(int error)
{
	switch (error) {
	case 0:
		return 0;
	case -EPERM:
	case -EACCES:
		return MOUNT_USAGE;
	case -ENOMEM:
	case -EAGAIN:
	case -EMFILE:
	case -ENFILE:
		return MOUNT_SYSTEM;
	case -EINTR:
		return MOUNT_INTERRUPTED;
	default:
		return MOUNT_FAILED;
	}
}
