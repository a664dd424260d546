// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What the verbs about memory share: sizes as a part of it, how much of it there is, which engine keeps the pages, and
 * starting a drive with its backing file.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "userspace/common/engine.h"
#include "util/size.h"

int memory_info(struct memory_info *m, struct vd_error *err)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	unsigned long long kib;

	*m = (struct memory_info){ 0 };
	if (!f)
		return vd_error_errno(err, -errno, "/proc/meminfo");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemTotal: %llu kB", &kib) == 1)
			m->total = kib * 1024;
		else if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			m->available = kib * 1024;
	}
	return m->total && m->available ? 0
					: vd_error_set(err, -EIO, "/proc/meminfo says too little");
}

int memory_size(const char *text, uint64_t *bytes, struct vd_error *err)
{
	size_t n = strlen(text);
	struct memory_info m;
	int r;

	if (n > 1 && n < 8 && text[n - 1] == '%' && strspn(text, "0123456789") == n - 1) {
		r = memory_info(&m, err);
		if (r)
			return r;
		*bytes = m.total / 100 * strtoull(text, NULL, 10);
	} else {
		r = vd_size_parse(text, bytes);
		if (r)
			return vd_error_set(err, r, "'%s' is not a size (such as 512M, 4G, 50%%)",
					    text);
	}
	if (*bytes > UINT64_MAX - 4095)
		return vd_error_set(err, -ERANGE, "%s is too large", text);
	*bytes = (*bytes + 4095) / 4096 * 4096;
	return *bytes ? 0 : vd_error_set(err, -EINVAL, "a size of 0");
}

int memory_fits(uint64_t bytes, const char *what, struct vd_error *err)
{
	char want[16], have[16];
	struct memory_info m;
	int r = memory_info(&m, err);

	if (r || bytes <= m.available)
		return r;
	return vd_error_set(err, -ENOMEM, "%s of %s: only %s of memory is available", what,
			    vd_size_format(bytes, want, sizeof(want)),
			    vd_size_format(m.available, have, sizeof(have)));
}

/* In the order of preference. */
static const struct {
	const char *name;
	bool ramdisk, load; /* load: without being asked for by name */
	const char *why;
} engines[] = {
	{ "memdrive", true, false, "our module, which is loaded" },
	{ "zram", false, true, "the kernel's own" },
	{ "fuse", true, true, "this kernel has no zram, so a process of ours keeps the pages" },
};

static bool serves(size_t engine, enum vd_drive_type type)
{
	return type == VD_DRIVE_SWAP || engines[engine].ramdisk;
}

static int choose_engine(const struct memory_request *q, struct vd_drive_state *s, const char **why,
			 struct vd_error *err)
{
	const char *name = q->engine;

	*why = "as asked for";
	if (!name && q->backing) {
		name = "memdrive";
		*why = "no other has a backing store";
	}
	if (name && geteuid() && vd_engine_in_kernel(name))
		return vd_error_set(err, -EPERM, "only root may use engine %s", name);
	for (size_t i = 0; i < VD_ARRAY_SIZE(engines); i++) {
		if (!serves(i, s->type) || (name && strcmp(name, engines[i].name)))
			continue;
		if (vd_engine_in_kernel(engines[i].name)) {
			int r;

			if (geteuid())
				continue;
			r = name || engines[i].load ? vd_engine_load(engines[i].name, err)
			    : vd_engine_loaded(engines[i].name) ? 0
								: -ENODEV;
			if (r && name)
				return r;
			if (r)
				continue;
		}
		strcpy(s->engine, engines[i].name);
		if (!name)
			*why = engines[i].why;
		return 0;
	}
	return vd_error_set(err, -EINVAL, "engine %s does not serve a %s", name,
			    vd_drive_type_name(s->type));
}

int memory_option(int c, const char *arg, struct memory_request *q)
{
	struct vd_error err = { "" };

	switch (c) {
	case 'n':
		q->name = arg;
		if (vd_drive_name_check(arg, &err))
			return wrong_usage(EX_WRONG_USAGE, "%s", err.text);
		return 0;
	case 'e':
		q->engine = arg;
		for (size_t i = 0; i < VD_ARRAY_SIZE(engines); i++)
			if (!strcmp(arg, engines[i].name))
				return 0;
		return wrong_usage(EX_WRONG_USAGE,
				   "engine '%s' is not known: memdrive, zram and fuse are", arg);
	case 'L':
		q->limit = arg;
		return 0;
	case 'K':
		q->backing = arg;
		return 0;
	case 'Z':
		q->backing_size = arg;
		return 0;
	case 'F':
		q->force = true;
		return 0;
	default:
		return wrong_usage(EX_WRONG_USAGE, NULL);
	}
}

int memory_check(const struct memory_request *q)
{
	if (q->backing && q->engine && strcmp(q->engine, "memdrive"))
		return wrong_usage(EX_WRONG_USAGE, "--backing goes with --engine memdrive");
	if (q->backing_size && !q->backing)
		return wrong_usage(EX_WRONG_USAGE, "--backing-size goes with --backing");
	return 0;
}

int memory_fill(const struct memory_request *q, struct vd_drive_state *s, const char **why,
		struct vd_error *err)
{
	struct memory_info m;
	int r = memory_size(q->size, &s->size, err);

	if (!r && q->limit)
		r = memory_size(q->limit, &s->mem_limit, err);
	if (!r)
		r = choose_engine(q, s, why, err);
	if (r || !q->backing || q->limit)
		return r;
	/* Without a limit memory would fill up before anything is spilled. */
	r = memory_info(&m, err);
	s->mem_limit = m.total / 2 / 4096 * 4096;
	return r;
}

/* Before minutes are spent on a file. */
static int check_name(const char *rundir, const char *name, struct vd_error *err)
{
	_cleanup_free_ struct vd_drive_state *there = need(malloc(sizeof(*there)));

	if (!name || vd_state_read(rundir, name, there, NULL) || !there->alive)
		return 0;
	return vd_error_set(err, -EEXIST, "a drive named %s is there already", name);
}

int memory_start(const struct memory_request *q, struct vd_drive_start *start, pid_t *pid,
		 struct vd_error *err)
{
	_cleanup_free_ struct backing *b = need(calloc(1, sizeof(*b)));
	struct vd_drive_state *s = &start->state;
	uint64_t size = s->size;
	char rundir[PATH_MAX];
	int r = vd_rundir(rundir, sizeof(rundir), err);

	if (!r && q->backing_size)
		r = memory_size(q->backing_size, &size, err);
	if (!r)
		r = check_name(rundir, q->name, err);
	if (!r && q->backing)
		r = backing_prepare(q->backing, size, q->backing_size, q->force, b, err);
	if (r)
		return r;
	strcpy(s->backing, b->path);
	s->backing_inode = b->inode;
	start->image_fd = start->dir_fd = -1;
	start->foreground = q->foreground;
	r = start_drive(start, q->name, pid, err);
	if (r) {
		backing_undo(b);
		return r;
	}
	/* What the keeper has added: the device. Its words in @err are warnings, and stay. */
	r = vd_state_read(rundir, s->name, s, NULL);
	return r ? vd_error_errno(err, r, "drive %s", s->name) : 0;
}
