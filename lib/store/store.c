// SPDX-License-Identifier: GPL-3.0-or-later
/* The one place where requests to a store are checked. */
#include "store/store.h"

#include <errno.h>
#include <string.h>

static int check(const struct vd_store *s, uint64_t off, uint64_t len)
{
	return off > s->size || len > s->size - off ? -EINVAL : 0;
}

int vd_store_pread(struct vd_store *s, void *buf, size_t len, uint64_t off)
{
	int r = check(s, off, len);

	return r || !len ? r : s->ops->pread(s, buf, len, off);
}

int vd_store_pwrite(struct vd_store *s, const void *buf, size_t len, uint64_t off)
{
	int r = check(s, off, len);

	if (r)
		return r;
	if (s->read_only)
		return -EROFS;
	return len ? s->ops->pwrite(s, buf, len, off) : 0;
}

int vd_store_zero(struct vd_store *s, uint64_t off, uint64_t len)
{
	static const char zeros[65536];
	int r = check(s, off, len);

	if (r)
		return r;
	if (s->read_only)
		return -EROFS;
	if (!len)
		return 0;
	r = s->ops->zero ? s->ops->zero(s, off, len) : -EOPNOTSUPP;
	if (r != -EOPNOTSUPP)
		return r;
	while (len) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		r = s->ops->pwrite(s, zeros, n, off);
		if (r)
			return r;
		off += n;
		len -= n;
	}
	return 0;
}

int vd_store_trim(struct vd_store *s, uint64_t off, uint64_t len)
{
	int r = check(s, off, len);

	if (r)
		return r;
	if (s->read_only)
		return -EROFS;
	if (!len)
		return 0;
	r = s->ops->trim ? s->ops->trim(s, off, len) : -EOPNOTSUPP;
	return r == -EOPNOTSUPP ? vd_store_zero(s, off, len) : r;
}

int vd_store_flush(struct vd_store *s)
{
	return s->ops->flush ? s->ops->flush(s) : 0;
}

int vd_store_map(struct vd_store *s, uint64_t off, uint64_t len, struct vd_fd_range *out)
{
	int r = check(s, off, len);

	if (r || !len)
		return r ? r : -EINVAL;
	return s->ops->map ? s->ops->map(s, off, len, out) : -EOPNOTSUPP;
}

void vd_store_memory(struct vd_store *s, struct vd_store_memory *out)
{
	*out = (struct vd_store_memory){ 0 };
	if (s->ops->memory)
		s->ops->memory(s, out);
}

int vd_store_set_mem_limit(struct vd_store *s, uint64_t bytes)
{
	return s->ops->set_mem_limit ? s->ops->set_mem_limit(s, bytes) : -EOPNOTSUPP;
}

void vd_store_close(struct vd_store *s)
{
	if (s)
		s->ops->close(s);
}
