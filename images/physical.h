/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disc in a real drive, by the commands of MMC-6 and nothing else: what carries them is apart, so that the tests can answer them. In
 * the program libcdio carries them (physical_cdio.c). It opens the drive before the cage is entered; one ioctl on one descriptor
 * is all that the cage has to allow then.
 */
#ifndef VD_IMAGES_PHYSICAL_H
#define VD_IMAGES_PHYSICAL_H

#include "images/image.h"

#define VD_CDB 12u

/* Why a drive refused a command (SPC-4, 4.5). */
struct vd_sense {
	uint8_t key, asc, ascq;
};

struct vd_transport {
	/*
	 * Carries out one command that transfers @len bytes, or fewer, to @buf. 0; -EIO: the drive refused, and *sense says why (all 0: it did
	 * not answer at all); another -errno: the system did. One at a time.
	 */
	int (*command)(struct vd_transport *m, const uint8_t cdb[VD_CDB], void *buf, size_t len,
		       struct vd_sense *sense);
	void (*close)(struct vd_transport *m);
};

/* Is it the descriptor of a CD, DVD or BD drive? */
bool vd_physical_is_drive(int fd);
/*
 * A drive through libcdio, which opens it a second time: @fd stays the caller's. *cage_fd is the descriptor for vd_cage_enter(). To
 * be called by a single-threaded process.
 */
int vd_physical_transport(int fd, struct vd_transport **out, int *cage_fd, struct vd_error *err);

/* As the format of such a disc. It is none of vd_image_formats: no file is one. */
extern const struct vd_image_format vd_image_physical;

/*
 * The disc that is in the drive now; waits up to half a minute for one that is spinning up. Takes @m, also on failure. -ENOMEDIUM with words.
 * When another disc is put in, reads of this one fail from then on (-EIO).
 */
int vd_physical_open(struct vd_transport *m, struct vd_disc **out, struct vd_error *err);
/*
 * After a read of @d that failed with @code: when that is -EIO and the disc is in a drive, @err gets the words of the drive,
 * "cannot read sector 16: medium error ...". Returns @code.
 */
int vd_physical_error(const struct vd_disc *d, int code, struct vd_error *err);

#endif
