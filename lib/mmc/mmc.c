// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The table of commands, and what goes for all of them:
 *
 *     unknown command         5/20/00; a unit attention stays pending
 *     unit attention pending  reported and gone, but for the commands that are answered all the same (SAM-3, SPC-3)
 *     no medium               2/3A/xx for commands that need one
 *
 * Sections are those of MMC-6, or of the standard that is named; where that is all, its index has the command by its name.
 */
#include <string.h>

#include "mmc/internal.h"

#define NEEDS_MEDIUM 0x01
#define ALLOWS_UA 0x02	 /* is answered while a unit attention is pending, and leaves it */
#define NEEDS_CD 0x04	 /* another medium has no such thing */
#define STOPS_AUDIO 0x08 /* the head is needed elsewhere */
#define TELLS_AUDIO 0x10 /* its answer holds the audio status */
#define TAKES_DATA 0x20	 /* the host sends data with it */
#define MEDIUM (NEEDS_MEDIUM)
#define READS (NEEDS_MEDIUM | STOPS_AUDIO)
#define READS_CD (NEEDS_MEDIUM | NEEDS_CD | STOPS_AUDIO)
#define PLAYS (NEEDS_MEDIUM | NEEDS_CD)

/* Either the drive answers or the disc does. */
struct command {
	const char *name, *section;
	vd_mmc_drive_fn *drive;
	vd_mmc_disc_fn *disc;
	unsigned int flags;
};

static const struct command commands[256] = {
	[0x00] = { "TEST UNIT READY", "SPC-3 6.33", vd_mmc_test_unit_ready, NULL, MEDIUM },
	[0x03] = { "REQUEST SENSE", "SPC-3 6.27", vd_mmc_request_sense, NULL, ALLOWS_UA },
	[0x04] = { "FORMAT UNIT", "6.4", vd_mmc_format_unit, NULL, MEDIUM | TAKES_DATA },
	[0x12] = { "INQUIRY", "SPC-3 6.4", vd_mmc_inquiry, NULL, ALLOWS_UA },
	[0x15] = { "MODE SELECT(6)", "SPC-3 6.7", vd_mmc_mode_select, NULL, TAKES_DATA },
	[0x1a] = { "MODE SENSE(6)", "SPC-3 6.9", vd_mmc_mode_sense, NULL, 0 },
	[0x1b] = { "START STOP UNIT", "MMC-6", vd_mmc_start_stop, NULL, 0 },
	[0x1e] = { "PREVENT ALLOW MEDIUM REMOVAL", "6.13", vd_mmc_prevent, NULL, 0 },
	[0x23] = { "READ FORMAT CAPACITIES", "6.23", vd_mmc_format_capacities, NULL, 0 },
	[0x25] = { "READ CAPACITY", "6.18", vd_mmc_read_capacity, NULL, MEDIUM },
	[0x28] = { "READ(10)", "6.14", NULL, vd_mmc_read, READS },
	[0x2a] = { "WRITE(10)", "MMC-6", NULL, vd_mmc_write, READS | TAKES_DATA },
	[0x2b] = { "SEEK(10)", "6.31", NULL, vd_mmc_seek, READS },
	[0x2e] = { "WRITE AND VERIFY(10)", "MMC-6", NULL, vd_mmc_write, READS | TAKES_DATA },
	[0x2f] = { "VERIFY(10)", "MMC-6", NULL, vd_mmc_verify, READS },
	[0x35] = { "SYNCHRONIZE CACHE(10)", "SBC-2 5.18", NULL, vd_mmc_sync_cache, MEDIUM },
	[0x42] = { "READ SUB-CHANNEL", "MMC-4 6.29", NULL, vd_mmc_read_subchannel,
		   PLAYS | TELLS_AUDIO },
	[0x43] = { "READ TOC/PMA/ATIP", "6.25", NULL, vd_mmc_read_toc, MEDIUM },
	[0x44] = { "READ HEADER", "MMC", NULL, vd_mmc_read_header, READS_CD },
	[0x45] = { "PLAY AUDIO(10)", "MMC-4 6.15", NULL, vd_mmc_play, PLAYS },
	[0x46] = { "GET CONFIGURATION", "6.5", vd_mmc_get_configuration, NULL, ALLOWS_UA },
	[0x47] = { "PLAY AUDIO MSF", "MMC-4 6.17", NULL, vd_mmc_play_msf, PLAYS },
	[0x48] = { "PLAY AUDIO TRACK INDEX", "SCSI-2", NULL, vd_mmc_play_index, PLAYS },
	[0x4a] = { "GET EVENT STATUS NOTIFICATION", "6.6", vd_mmc_events, NULL, ALLOWS_UA },
	[0x4b] = { "PAUSE/RESUME", "MMC-4 6.14", vd_mmc_pause_resume, NULL, PLAYS },
	[0x4e] = { "STOP PLAY/SCAN", "MMC-3", vd_mmc_stop, NULL, PLAYS },
	[0x51] = { "READ DISC INFORMATION", "6.21", NULL, vd_mmc_disc_information, MEDIUM },
	[0x52] = { "READ TRACK INFORMATION", "6.26", NULL, vd_mmc_track_information, MEDIUM },
	[0x55] = { "MODE SELECT(10)", "SPC-3 6.8", vd_mmc_mode_select, NULL, TAKES_DATA },
	[0x5a] = { "MODE SENSE(10)", "6.12", vd_mmc_mode_sense, NULL, 0 },
	[0x5b] = { "CLOSE TRACK/SESSION", "6.3", vd_mmc_close, NULL, MEDIUM },
	[0x5c] = { "READ BUFFER CAPACITY", "6.17", vd_mmc_buffer_capacity, NULL, MEDIUM },
	[0xa0] = { "REPORT LUNS", "SPC-3 6.21", vd_mmc_report_luns, NULL, ALLOWS_UA },
	[0xa3] = { "SEND KEY", "MMC-6", vd_mmc_send_key, NULL, TAKES_DATA },
	[0xa4] = { "REPORT KEY", "6.28", vd_mmc_report_key, NULL, 0 },
	[0xa5] = { "PLAY AUDIO(12)", "MMC-4 6.16", NULL, vd_mmc_play, PLAYS },
	[0xa8] = { "READ(12)", "6.15", NULL, vd_mmc_read, READS },
	[0xaa] = { "WRITE(12)", "MMC-6", NULL, vd_mmc_write, READS | TAKES_DATA },
	[0xac] = { "GET PERFORMANCE", "6.7", vd_mmc_get_performance, NULL, MEDIUM },
	[0xad] = { "READ DISC STRUCTURE", "6.22", NULL, vd_mmc_disc_structure, MEDIUM },
	[0xb6] = { "SET STREAMING", "MMC-6", vd_mmc_set_streaming, NULL, TAKES_DATA },
	[0xb9] = { "READ CD MSF", "6.20", NULL, vd_mmc_read_cd_msf, READS_CD },
	[0xba] = { "SCAN", "MMC-3", NULL, vd_mmc_scan, PLAYS },
	[0xbb] = { "SET CD SPEED", "MMC-6", vd_mmc_set_speed, NULL, 0 },
	[0xbd] = { "MECHANISM STATUS", "6.10", vd_mmc_mechanism, NULL, 0 },
	[0xbe] = { "READ CD", "6.19", NULL, vd_mmc_read_cd, READS_CD },
	[0xd8] = { "READ CD-DA", "Plextor", NULL, vd_mmc_read_cdda, READS_CD },
};

const char *vd_mmc_command_name(uint8_t opcode, const char **section)
{
	if (section)
		*section = commands[opcode].section;
	return commands[opcode].name;
}

bool vd_mmc_takes_data(uint8_t opcode)
{
	return commands[opcode].flags & TAKES_DATA;
}

bool vd_mmc_by_disc(uint8_t opcode)
{
	return commands[opcode].disc;
}

static const struct command *start(struct vd_mmc_call *c, const struct vd_mmc_request *q,
				   struct vd_mmc_reply *r)
{
	*c = (struct vd_mmc_call){ .q = q, .r = r };
	memcpy(c->cdb, q->cdb, q->cdb_len < sizeof(c->cdb) ? q->cdb_len : sizeof(c->cdb));
	return &commands[c->cdb[0]];
}

/* What keeps the command from being executed; 0: nothing. */
static uint32_t refuse(struct vd_mmc *m, const struct command *cmd)
{
	if (!cmd->name)
		return VD_SENSE_OPCODE;
	if (!(cmd->flags & ALLOWS_UA) && m->ua_reset) {
		m->ua_reset = false;
		return VD_SENSE_RESET;
	}
	if (!(cmd->flags & ALLOWS_UA) && m->ua_medium) {
		m->ua_medium = false;
		return VD_SENSE_MEDIUM_CHANGED;
	}
	if (cmd->flags & NEEDS_MEDIUM && !m->medium.present)
		return m->tray_open ? VD_SENSE_TRAY_OPEN : VD_SENSE_TRAY_CLOSED;
	if (cmd->flags & NEEDS_CD && !vd_media_is_cd(m->medium.profile))
		return VD_SENSE_FORMAT;
	return 0;
}

bool vd_mmc_begin(struct vd_mmc *m, const struct vd_mmc_request *q, struct vd_mmc_reply *r,
		  struct vd_mmc_now *now)
{
	struct vd_mmc_call c;
	const struct command *cmd = start(&c, q, r);
	uint32_t refused = q->cdb_len ? refuse(m, cmd) : VD_SENSE_OPCODE;

	memset(r, 0, sizeof(*r));
	if (refused) {
		vd_mmc_fail(&c, refused);
		return true;
	}
	vd_mmc_audio_update(m, q->now);
	if (cmd->flags & NEEDS_MEDIUM)
		m->power = 1;
	if (cmd->drive) {
		cmd->drive(m, &c);
		return true;
	}
	*now = (struct vd_mmc_now){
		.audio = m->audio,
		.at = vd_mmc_position(m, q->now),
		.profile = m->medium.profile,
		.speed = m->speed,
		.rate = m->rate,
		.sotc = vd_mmc_mode_page(m, 0x0e)[2] & 0x02,
	};
	return false;
}

void vd_mmc_answer(const struct vd_mmc_now *now, struct vd_disc *d, const struct vd_mmc_request *q,
		   struct vd_mmc_reply *r)
{
	struct vd_mmc_call c;
	const struct command *cmd = start(&c, q, r);

	memset(r, 0, sizeof(*r));
	if (!cmd->disc)
		vd_mmc_fail(&c, VD_SENSE_OPCODE);
	else if (!d->ntracks)
		vd_mmc_fail(&c, VD_SENSE_FORMAT);
	else
		cmd->disc(now, d, &c);
}

void vd_mmc_end(struct vd_mmc *m, const struct vd_mmc_request *q, const struct vd_mmc_reply *r)
{
	const struct command *cmd = q->cdb_len ? &commands[q->cdb[0]] : &commands[0xff];

	if (!cmd->disc || r->status != VD_MMC_GOOD)
		return;
	if (cmd->flags & STOPS_AUDIO)
		vd_mmc_audio_stop(m);
	if (cmd->flags & TELLS_AUDIO)
		vd_mmc_audio_told(m);
	if (r->moved)
		m->at = r->at;
	if (!r->plays)
		return;
	m->audio = VD_AUDIO_PLAYING;
	m->at = r->at;
	m->first = r->first;
	m->last = r->last;
	m->rate = r->rate;
	m->fails = r->fails;
	m->since = q->now;
}

void vd_mmc_execute(struct vd_mmc *m, struct vd_disc *d, const struct vd_mmc_request *q,
		    struct vd_mmc_reply *r)
{
	struct vd_mmc_now now;

	if (vd_mmc_begin(m, q, r, &now))
		return;
	vd_mmc_answer(&now, d, q, r);
	vd_mmc_end(m, q, r);
}
