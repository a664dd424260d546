// SPDX-License-Identifier: GPL-3.0-or-later
#include "cdrom.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

void cdrom_make(const char *text)
{
	struct check_cmd *c = cli("%s", text);

	if (c->status)
		ASSERT_FAIL("`%s` ended with %d: %s", text, c->status, c->err);
}

void cdrom_start_udev(const char *rules)
{
	cdrom_make(check_printf(
		"mkdir -p /etc/udev/rules.d && cp %s /etc/udev/rules.d/ && "
		"/lib/systemd/systemd-udevd --daemon 2>/dev/null && udevadm control --ping",
		rules));
}

char *cdrom_add(const char *name)
{
	struct check_cmd *c = cli("vdrive optical add %s", name);
	const size_t at = strlen(name) + 2;

	if (c->status || strncmp(c->out, check_printf("%s: /dev/sr", name), at + 7))
		ASSERT_FAIL("vdrive optical add: %d, %s%s", c->status, c->out, c->err);
	return check_printf("%.*s", (int)strcspn(c->out + at, "\n"), c->out + at);
}

void cdrom_remove(const char *name)
{
	struct check_cmd *c = cli("vdrive optical remove --lazy %s", name);

	if (c->status)
		printf("vdrive optical remove: %s", c->err);
	cli("umount -l mnt; vdrive detach --all --lazy; umount /sys/kernel/config; "
	    "udevadm settle; udevadm control --exit; "
	    "rm -rf /run/udev /run/vdrive /etc/udev /dev/vdrive");
}

void cdrom_insert(const char *name, const char *image)
{
	CLI_OK(check_printf("vdrive eject --force %s && vdrive insert %s %s && udevadm settle",
			    name, image, name));
}
