// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cli.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

static bool as_nobody;

static const char *base(const char *name)
{
	return check_printf("%s/%s%s", check_tmpdir(), as_nobody ? "nobody-" : "", name);
}

const char *cli_rundir(void)
{
	return base("run");
}

char *cli_path(const char *name)
{
	return check_printf("%s/%s", base("work"), name);
}

void cli_setup(void)
{
	struct check_cmd *c = check_sh(
		"cd '%s' && mkdir bin && cp '%s' '%s' bin/ && ln -s vdrive bin/mount.vdrive && "
		"mkdir work && mkdir -m 700 run",
		check_tmpdir(), VDRIVE, VDRIVED);

	ASSERT_STR(c->err, "");
	ASSERT_INT(c->status, 0);
	if (geteuid())
		return;
	c = check_sh(
		"cd '%s' && mkdir nobody-work && mkdir -m 700 nobody-run && chown %d:%d nobody-work nobody-run",
		check_tmpdir(), CLI_NOBODY, CLI_NOBODY);
	ASSERT_STR(c->err, "");
	ASSERT_INT(c->status, 0);
}

bool cli_become(bool nobody)
{
	if (nobody && geteuid()) {
		check_skip("needs root, to become somebody else");
		return false;
	}
	as_nobody = nobody;
	return true;
}

static struct check_cmd *run(const char *text)
{
	struct check_cmd *c = check_alloc(sizeof(*c));
	const char **argv = check_alloc(4 * sizeof(*argv)), **env = check_alloc(8 * sizeof(*env));
	size_t n = 0;

	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = text;
	argv[3] = NULL;
	env[n++] = check_printf("VDRIVE_RUNTIME_DIR=%s", cli_rundir());
	env[n++] = check_printf("PATH=%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
				check_tmpdir());
	env[n++] = check_printf("W=%s", base("work"));
	env[n++] = check_printf("R=%s", cli_rundir());
	env[n++] = "LC_ALL=C.UTF-8";
	env[n++] = "COLUMNS=400";
	env[n] = NULL;
	*c = (struct check_cmd){ .argv = argv,
				 .env = env,
				 .cwd = base("work"),
				 .as_user = as_nobody,
				 .uid = CLI_NOBODY,
				 .gid = CLI_NOBODY,
				 .timeout_ms = 45000 };
	check_run(c);
	return c;
}

struct check_cmd *cli(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	struct check_cmd *c = run(check_printf("%s", text));

	free(text);
	return c;
}

const char *cli_ok_at(const struct check_where *w, const char *text)
{
	struct check_cmd *c = run(text);

	if (!check_true(w, !c->status && !c->err_len, text))
		check_fail(w, "`%s` ended with %d and said: %s%s", text, c->status, c->err, c->out);
	return c->out;
}

bool cli_fails_at(const struct check_where *w, const char *text, int status, const char *words)
{
	struct check_cmd *c = run(text);
	const char *end = strchr(c->err, '\n');
	bool named = !strncmp(c->err, "vdrive", 6) || !strncmp(c->err, "mount.vdrive: ", 14);
	bool hint = end && !strncmp(end + 1, "Try '", 5) &&
		    strstr(end, "--help' for more information.\n");
	bool shape = end && (!end[1] || (hint && !strchr(end + 1, '\n')[1]));

	if (c->status == status && !c->out_len && named && shape && strstr(c->err, words))
		return check_true(w, true, text);
	return check_fail(
		w, "`%s` should end with %d and say '%s'; it ended with %d and said: %s%s%s", text,
		status, words, c->status, c->err, c->out_len ? "stdout: " : "", c->out);
}

/* Mounts in our folder. */
static void find_mounts(FILE *f)
{
	const char *list = check_read_file("/proc/self/mountinfo", NULL);

	for (const char *line = list; *line;) {
		size_t len = strcspn(line, "\n");

		if (memmem(line, len, check_tmpdir(), strlen(check_tmpdir())))
			fprintf(f, "mount: %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void find_files(FILE *f)
{
	DIR *d = opendir(cli_rundir());
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			fprintf(f, "file: %s/%s\n", cli_rundir(), e->d_name);
	if (d)
		closedir(d);
}

/* Reads what there is of a file in /proc, whose process may end at any time; false when it has. */
static bool read_proc(const char *pid, const char *name, char *buf, size_t size, size_t *len)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *f = NULL;

	if (asprintf(&path, "/proc/%s/%s", pid, name) < 0)
		abort();
	f = fopen(path, "re");
	if (!f)
		return false;
	*len = fread(buf, 1, size - 1, f);
	buf[*len] = '\0';
	return true;
}

/* Processes that were started with our runtime directory in their environment. A zombie has none. */
static void find_processes(FILE *f)
{
	_cleanup_free_ char *environ_text = malloc(1 << 17), *args = malloc(4096);
	const char *wanted = check_printf("VDRIVE_RUNTIME_DIR=%s", cli_rundir());
	DIR *d = opendir("/proc");
	struct dirent *e;
	size_t len;

	while (d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !read_proc(e->d_name, "environ", environ_text, 1 << 17, &len))
			continue;
		for (const char *p = environ_text; p < environ_text + len; p += strlen(p) + 1) {
			if (strcmp(p, wanted))
				continue;
			if (!read_proc(e->d_name, "cmdline", args, 4096, &len))
				break;
			for (size_t i = 0; i + 1 < len; i++)
				if (!args[i])
					args[i] = ' ';
			fprintf(f, "process: %s %s\n", e->d_name, args);
			break;
		}
	}
	if (d)
		closedir(d);
}

char *cli_remains(void)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	find_mounts(f);
	find_files(f);
	find_processes(f);
	fclose(f);
	return check_printf("%s", text);
}

bool cli_clean_at(const struct check_where *w)
{
	const char *remains = "";

	/* A keeper answers when nothing is left of its drive but itself. */
	for (int i = 0; i < 100; i++) {
		remains = cli_remains();
		if (!*remains)
			return check_true(w, true, "clean");
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	check_fail(w, "left behind:\n%s", remains);
	cli_remove(); /* so that the next check has a chance */
	return false;
}

void cli_remove(void)
{
	run("vdrive detach --all --lazy");
	for (const char *line = cli_remains(); *line; line = strchr(line, '\n') + 1) {
		long pid = strncmp(line, "process: ", 9) ? 0 : atol(line + 9);

		/* It has our runtime directory in its environment: nobody but we can have started it. */
		if (pid > 1 && pid != getpid())
			kill((pid_t)pid, SIGKILL);
	}
	run("vdrive detach --all --lazy");
}

/* A recognizer, by recursive descent. NULL: wrong. */

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

static const char *json_literal(const char *s, const char *word)
{
	return strncmp(s, word, strlen(word)) ? NULL : s + strlen(word);
}

static const char *json_number(const char *s)
{
	s += *s == '-';
	if (!isdigit((unsigned char)*s) || (*s == '0' && isdigit((unsigned char)s[1])))
		return NULL;
	s += strspn(s, "0123456789");
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return NULL;
		s += strspn(s, "0123456789");
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		if (!isdigit((unsigned char)*s))
			return NULL;
		s += strspn(s, "0123456789");
	}
	return s;
}

/* Bytes of a well-formed UTF-8 sequence (Unicode, table 3-7); 0: broken. */
static size_t utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static const char *json_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	while (*s != '"') {
		size_t n = utf8_length(s);

		if ((unsigned char)*s < 0x20 || !n)
			return NULL;
		if (*s == '\\') {
			s++;
			if (*s == 'u') {
				if (strspn(s + 1, "0123456789abcdefABCDEF") < 4)
					return NULL;
				s += 4;
			} else if (!*s || !strchr("\"\\/bfnrt", *s)) {
				return NULL;
			}
		}
		s += n;
	}
	return s + 1;
}

static const char *json_value(const char *s, int depth);

static const char *json_members(const char *s, char end, int depth)
{
	s = skip_blanks(s + 1);
	if (*s == end)
		return s + 1;
	for (;;) {
		if (end == '}') {
			s = json_string(skip_blanks(s));
			if (!s || *(s = skip_blanks(s)) != ':')
				return NULL;
			s++;
		}
		s = json_value(s, depth + 1);
		if (!s)
			return NULL;
		s = skip_blanks(s);
		if (*s == end)
			return s + 1;
		if (*s++ != ',')
			return NULL;
	}
}

static const char *json_value(const char *s, int depth)
{
	s = skip_blanks(s);
	switch (depth > 32 ? '\0' : *s) {
	case '{':
		return json_members(s, '}', depth);
	case '[':
		return json_members(s, ']', depth);
	case '"':
		return json_string(s);
	case 't':
		return json_literal(s, "true");
	case 'f':
		return json_literal(s, "false");
	case 'n':
		return json_literal(s, "null");
	default:
		return json_number(s);
	}
}

bool cli_json_valid(const char *text)
{
	const char *end = json_value(text, 0);

	return end && !*skip_blanks(end);
}
