// SPDX-License-Identifier: GPL-3.0-or-later
/* A writer for nested JSON (RFC 8259), laid out as libsmartcols does. */
#include "userspace/vdrive/vdrive.h"

static void put_string(FILE *f, const char *text)
{
	_cleanup_free_ char *utf8 = text_utf8(text);

	fputc('"', f);
	for (const unsigned char *s = (const unsigned char *)utf8; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

/* What stands before a value: a comma, a new line, the key. */
static void lead(struct json *j, const char *key)
{
	if (j->depth) {
		fputs(j->filled[j->depth] ? ",\n" : "\n", j->f);
		fprintf(j->f, "%*s", 3 * j->depth, "");
		j->filled[j->depth] = true;
	}
	if (key) {
		put_string(j->f, key);
		fputs(": ", j->f);
	}
}

void json_begin(struct json *j, const char *key, char bracket)
{
	lead(j, key);
	fputc(bracket, j->f);
	j->filled[++j->depth] = false;
}

void json_end(struct json *j, char bracket)
{
	if (j->filled[j->depth--])
		fprintf(j->f, "\n%*s", 3 * j->depth, "");
	fputc(bracket, j->f);
	if (!j->depth)
		fputc('\n', j->f);
}

void json_string(struct json *j, const char *key, const char *value)
{
	lead(j, key);
	put_string(j->f, value);
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	lead(j, key);
	fprintf(j->f, "%llu", (unsigned long long)value);
}

void json_signed(struct json *j, const char *key, int64_t value)
{
	lead(j, key);
	fprintf(j->f, "%lld", (long long)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	lead(j, key);
	fputs(value ? "true" : "false", j->f);
}

void json_null(struct json *j, const char *key)
{
	lead(j, key);
	fputs("null", j->f);
}
