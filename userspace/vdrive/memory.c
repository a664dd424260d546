// SPDX-License-Identifier: GPL-3.0-or-later
/* What the verbs about memory share: sizes as a part of it, and how much of it there is. */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <string.h>

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
