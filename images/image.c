// SPDX-License-Identifier: GPL-3.0-or-later
/* Chooses the format of an image by asking each one's probe. */
#include "images/image.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Of equals the first one is it: what is told by a footer comes before what may be in front of that. */
const struct vd_image_format *const vd_image_formats[] = {
	&vd_image_nrg, &vd_image_iso, &vd_image_raw, &vd_image_cue, &vd_image_toc,
	&vd_image_ccd, &vd_image_mds, &vd_image_chd, NULL,
};

int vd_image_open(struct vd_opener *opener, int fd_in, const char *name, struct vd_disc **out,
		  const struct vd_image_format **format, struct vd_error *err)
{
	_cleanup_close_ int fd = fd_in;
	_cleanup_free_ uint8_t *data = malloc(VD_IMAGE_HEAD);
	const struct vd_image_format *best = NULL;
	uint8_t tail[VD_IMAGE_TAIL];
	struct vd_image_head head = { .data = data, .name = name, .tail = tail };
	struct vd_store *probe;
	int best_score = 0, dupfd, r;

	if (!data)
		return vd_error_errno(err, -ENOMEM, "cannot read the image");
	dupfd = dup(fd);
	if (dupfd < 0)
		return vd_error_errno(err, -errno, "cannot read the image");
	r = vd_store_file_open(dupfd, true, &probe, err);
	if (r)
		return r;
	head.size = probe->size;
	head.len = probe->size < VD_IMAGE_HEAD ? (size_t)probe->size : VD_IMAGE_HEAD;
	head.tail_len = head.size < VD_IMAGE_TAIL ? (size_t)head.size : VD_IMAGE_TAIL;
	r = vd_store_pread(probe, data, head.len, 0);
	if (!r)
		r = vd_store_pread(probe, tail, head.tail_len, head.size - head.tail_len);
	vd_store_close(probe);
	if (r)
		return vd_error_errno(err, r, "cannot read the image");
	if (!head.size)
		return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: the file is empty");

	for (size_t i = 0; vd_image_formats[i]; i++) {
		int score = vd_image_formats[i]->probe(&head);

		if (score > best_score) {
			best_score = score;
			best = vd_image_formats[i];
		}
	}
	if (!best) {
		const char *like = vd_image_looks_like(&head);

		if (like)
			return vd_error_set(err, -EMEDIUMTYPE, "not a disc image: it looks like %s",
					    like);
		return vd_error_set(
			err, -EMEDIUMTYPE,
			"not a disc image that vdrive knows: no volume descriptor at sector 16");
	}
	if (format)
		*format = best;
	return best->open(opener, VD_TAKE_FD(fd), &head, out, err);
}
