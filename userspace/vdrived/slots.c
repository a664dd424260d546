// SPDX-License-Identifier: GPL-3.0-or-later
#include "userspace/vdrived/slots.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void vd_medium_put(const struct vd_mmc_medium *medium, struct vd_message *m)
{
	snprintf(m->text, sizeof(m->text), "%u %d %u", (unsigned)medium->profile, medium->audio,
		 medium->sectors);
}

int vd_medium_get(const struct vd_message *m, struct vd_mmc_medium *medium)
{
	unsigned int profile, audio, sectors;
	char end;

	if (sscanf(m->text, "%u %u %u%c", &profile, &audio, &sectors, &end) != 3 ||
	    profile > 0xffff || audio > 1)
		return -EBADMSG;
	*medium = (struct vd_mmc_medium){ .present = true,
					  .profile = (enum vd_media)profile,
					  .audio = audio,
					  .sectors = sectors };
	return 0;
}
