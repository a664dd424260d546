// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive convert: opens the image and makes the files as the user; a child in the cage reads one and writes the others
 * (convert.c). What it has written gets its name when the child says that it is whole.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "userspace/vdrive/convert.h"
#include "userspace/vdrive/outputs.h"

static const char usage[] =
	"\nUsage:\n"
	" vdrive convert [options] IMAGE OUT\n"
	"\n"
	"Write a disc image in another format.\n"
	"\n"
	"Options:\n"
	" -t, --to FORMAT  iso, cue (with a .bin), toc (with a .bin), chd, wav or flac\n"
	"                  (a folder of tracks); without it, the end of OUT's name tells\n"
	"     --track N    only this audio track: OUT is a .wav or .flac file\n"
	" -f, --force      lose what the format has no place for; replace OUT\n"
	" -q, --quiet      no progress bar\n"
	" -h, --help       display this help\n"
	"\n"
	"For more details see vdrive-convert(1).\n";

struct conversion {
	struct convert_request q;
	struct outputs outputs;
	struct progress progress;
	char *bin, *cdt; /* paths */
};

static const struct convert_target *target_by_name(const char *name)
{
	for (const struct convert_target *t = convert_targets; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n > len && !strcasecmp(text + n - len, end);
}

static const struct convert_target *target_by_suffix(const char *out)
{
	for (const struct convert_target *t = convert_targets; t->name; t++)
		if (ends_with(out, t->suffix))
			return t;
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The folder "music/" is to appear beside others, not in one that is called so. */
static void drop_slashes(char *path)
{
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
}

/* "disc.bin" for "disc.cue". */
static char *beside(const char *out, const char *own, const char *suffix)
{
	size_t n = strlen(out);

	if (ends_with(out, own))
		n -= strlen(own);
	return format("%.*s%s", (int)n, out, suffix);
}

/* In a sheet it stands between quotation marks, on one line. */
static bool fits_in_sheet(const char *name)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < 0x20 || *p == '"' || *p == 0x7f || *p == '\\')
			return false;
	return true;
}

/* For the cage: each kind and number at most once. */
static int open_output(void *arg, uint32_t kind, uint32_t number, struct vd_error *err)
{
	struct conversion *v = arg;
	char name[32];

	if (kind == CONVERT_MAIN && (!v->q.target->folder || v->q.track))
		return outputs_open(&v->outputs, v->q.out, err);
	if (kind == CONVERT_BIN && v->bin)
		return outputs_open(&v->outputs, v->bin, err);
	if (kind == CONVERT_CDT && v->cdt)
		return outputs_open(&v->outputs, v->cdt, err);
	if (kind == CONVERT_TRACK && v->q.target->folder && !v->q.track &&
	    number <= VD_TRACKS_MAX) {
		snprintf(name, sizeof(name), "%02u%s", number, v->q.target->suffix);
		return outputs_open_in(&v->outputs, v->q.out, name, err);
	}
	return vd_error_set(err, -EPROTO, "%s: no such output", v->q.out);
}

static void show_progress(void *arg, unsigned int done)
{
	struct conversion *v = arg;

	if (done == CAGED_FINISHED)
		progress_end(&v->progress);
	else
		progress_show(&v->progress, done);
}

static int in_cage(struct caged *c, void *arg)
{
	return convert_run(c, &((struct conversion *)arg)->q);
}

static volatile sig_atomic_t interrupted;

/* Ends the child; what we have made is taken away when it has ended. */
static void interrupt(int sig)
{
	interrupted = sig;
	if (caged_pid > 0)
		kill((pid_t)caged_pid, SIGKILL);
}

static void catch_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction a = { .sa_handler = interrupt, .sa_flags = SA_RESTART }, old;

	/* What nohup has switched off stays so. */
	for (size_t i = 0; i < VD_ARRAY_SIZE(sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(sigs[i], &a, NULL);
}

static int prepare(struct conversion *v, struct vd_error *err)
{
	struct convert_request *q = &v->q;
	struct stat st;

	if (q->target->sheet) {
		v->bin = beside(q->out, q->target->suffix, ".bin");
		v->cdt = beside(q->out, q->target->suffix, ".cdt");
		q->bin_name = base_name(v->bin);
		q->cdt_name = base_name(v->cdt);
		if (!fits_in_sheet(q->bin_name))
			return vd_error_set(err, -EINVAL,
					    "%s: a sheet cannot name a file like that", v->bin);
		if (ends_with(q->out, ".bin"))
			return vd_error_set(err, -EINVAL, "%s: a sheet's name ends with %s", q->out,
					    q->target->suffix);
	}
	/* Said before the work is done; that it is still so is seen to at the end. */
	if (stat(q->out, &st))
		return 0;
	if (S_ISDIR(st.st_mode) && !(q->target->folder && !q->track))
		return vd_error_errno(err, -EISDIR, "%s", q->out);
	if (!q->force || S_ISDIR(st.st_mode))
		return vd_error_set(err, -EEXIST,
				    S_ISDIR(st.st_mode) ? "%s exists already"
							: "%s exists; --force replaces it",
				    q->out);
	return 0;
}

static int run(struct conversion *v, struct opened *image)
{
	const struct caged_job job = { .image = image,
				       .arg = v,
				       .run = in_cage,
				       .output = open_output,
				       .progress = show_progress };
	struct vd_error err = { "" };
	const char *about = v->q.out;
	int r = prepare(v, &err);

	catch_signals();
	if (!r) {
		about = image->given;
		r = image_open(image->given, false, image, &err);
		if (!r)
			r = caged_run(&job, &err);
	}
	progress_end(&v->progress);
	if (!r && !interrupted) {
		about = v->q.out;
		r = outputs_commit(&v->outputs, &err);
	}
	if (r < 0 && !interrupted)
		complain_error(r, &err, about);
	outputs_drop(&v->outputs);
	if (interrupted) {
		/* Whoever waits for us shall see what ended us. */
		signal(interrupted, SIG_DFL);
		raise(interrupted);
	}
	return r < 0 ? EX_FAILED : r;
}

int cmd_convert(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "to", required_argument, NULL, 't' }, { "track", required_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },	{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },	{ NULL, 0, NULL, 0 },
	};
	_cleanup_opened_ struct opened image = OPENED_NONE;
	struct conversion v = { .q = { .image = &image }, .outputs = OUTPUTS_NONE };
	bool quiet = false;
	char *end;
	int c, r;

	while ((c = getopt_long(argc, argv, "t:fqh", long_options, NULL)) != -1) {
		switch (c) {
		case 't':
			v.q.target = target_by_name(optarg);
			if (!v.q.target)
				return wrong_usage(EX_WRONG_USAGE, "no format is called '%s'",
						   optarg);
			break;
		case 'n':
			v.q.track = (int)strtol(optarg, &end, 10);
			if (end == optarg || *end || v.q.track < 1 || v.q.track > VD_TRACKS_MAX)
				return wrong_usage(EX_WRONG_USAGE, "'%s' is not a track: 1 to 99",
						   optarg);
			break;
		case 'f':
			v.q.force = v.outputs.replace = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (argc - optind != 2)
		return wrong_usage(EX_WRONG_USAGE,
				   argc - optind > 2 ? "too many arguments"
						     : "an image and what to write are needed");
	image.given = argv[optind];
	v.q.out = argv[optind + 1];
	if (!v.q.target)
		v.q.target = target_by_suffix(v.q.out);
	if (!v.q.target)
		return wrong_usage(EX_WRONG_USAGE, "what is '%s' to be? Name its format with --to",
				   v.q.out);
	if (v.q.target->folder && !v.q.track)
		drop_slashes(argv[optind + 1]);
	if (v.q.track && !v.q.target->folder)
		return wrong_usage(EX_WRONG_USAGE, "--track goes with wav and flac");
	if (!quiet)
		progress_begin(&v.progress, "Converting");
	r = run(&v, &image);
	free(v.bin);
	free(v.cdt);
	return r;
}
