// SPDX-License-Identifier: GPL-3.0-or-later
/* A line on a terminal that says how far something is. */
#include "userspace/vdrive/vdrive.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR 40u
#define STEPS 1000u
#define SHOW_AFTER_MS 300 /* what is quicker than that needs none */
#define SHOW_EVERY_MS 100

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_begin(struct progress *p, const char *verb)
{
	*p = (struct progress){ .verb = verb, .on = isatty(STDERR_FILENO) == 1 };
	p->began = p->shown = now_ms();
}

void progress_show(struct progress *p, unsigned int done)
{
	int64_t now = now_ms(), left;
	unsigned int bar = done * BAR / STEPS;
	char text[BAR + 1];

	if (!p->on || now - p->began < SHOW_AFTER_MS || now - p->shown < SHOW_EVERY_MS)
		return;
	p->shown = now;
	p->any = true;
	memset(text, ' ', BAR);
	memset(text, '=', bar);
	if (bar < BAR)
		text[bar] = '>';
	text[BAR] = '\0';
	left = done ? (now - p->began) * (STEPS - done) / done / 1000 : 0;
	fprintf(stderr, "\r%s [%s] %3u.%u %%  %lld:%02lld left ", p->verb, text, done / 10,
		done % 10, (long long)left / 60, (long long)left % 60);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->any)
		fputs("\r\033[K", stderr);
	p->any = false;
}
