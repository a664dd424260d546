/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cleanup attributes: a resource is released when its variable leaves scope. */
#ifndef VD_UTIL_CLEANUP_H
#define VD_UTIL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void vd_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void vd_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void vd_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(vd_cleanup_free)
#define _cleanup_close_ _cleanup_(vd_cleanup_close)
#define _cleanup_fclose_ _cleanup_(vd_cleanup_fclose)

/* Hands the pointer (or descriptor) to the caller and disarms the cleanup. */
#define VD_TAKE_PTR(p)                                                                             \
	({                                                                                         \
		__typeof__(p) vd_taken_ = (p);                                                     \
		(p) = NULL;                                                                        \
		vd_taken_;                                                                         \
	})
#define VD_TAKE_FD(fd)                                                                             \
	({                                                                                         \
		int vd_taken_ = (fd);                                                              \
		(fd) = -1;                                                                         \
		vd_taken_;                                                                         \
	})

#define VD_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
