// SPDX-License-Identifier: GPL-3.0-or-later
#include "disc_writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disc/subchannel.h"

/* A file in memory. */
struct out {
	FILE *f;
	char *data;
	size_t len;
};

static void out_open(struct out *o)
{
	o->f = open_memstream(&o->data, &o->len);
	ASSERT(o->f != NULL);
}

static uint64_t out_at(struct out *o)
{
	ASSERT(!fflush(o->f));
	return o->len;
}

static void put(struct out *o, const void *data, size_t len)
{
	ASSERT(!len || fwrite(data, 1, len, o->f) == len);
}

static void put_be(struct out *o, uint64_t v, unsigned int bytes)
{
	while (bytes--)
		fputc((int)(v >> (8 * bytes) & 0xff), o->f);
}

/* Writes it, and frees it. */
static void out_close(struct out *o, const char *path)
{
	ASSERT(!fclose(o->f));
	check_write_file(path, o->data, o->len);
	free(o->data);
}

static uint8_t bcd(int n)
{
	return (uint8_t)(n / 10 << 4 | n % 10);
}

static void put_msf(struct out *o, int32_t lba, bool as_bcd)
{
	int32_t n = lba + 150;
	const int parts[] = { n / 4500, n / 75 % 60, n % 75 };

	for (size_t i = 0; i < 3; i++)
		fputc(as_bcd ? bcd(parts[i]) : parts[i], o->f);
}

/* Bytes @skip.. of the 2352 of each sector, @len of them, and the subchannel. */
static void put_sectors(struct out *o, struct vd_disc *d, int64_t from, int64_t to, size_t skip,
			size_t len, bool sub)
{
	for (int64_t lba = from; lba < to; lba++) {
		uint8_t sector[VD_SECTOR_RAW + VD_SECTOR_SUB];

		ASSERT_OK(vd_disc_read_sectors(d, (int32_t)lba, 1, VD_READ_MAIN | VD_READ_SUB,
					       sector));
		put(o, sector + skip, len);
		if (sub)
			put(o, sector + VD_SECTOR_RAW, VD_SECTOR_SUB);
	}
}

static bool has_sub(const struct vd_disc *d)
{
	return d->nextents && d->extents[0].sub != VD_SUB_NONE;
}

/* NRG. */

struct nrg_track {
	uint64_t pregap, start, end;
};

static void nrg_chunk(struct out *o, const char *id, size_t len)
{
	put(o, id, 4);
	put_be(o, len, 4);
}

/* From LBA -150 on. */
static int64_t first_lba(const struct vd_disc *d, const struct vd_track *t)
{
	return t == d->tracks ? VD_LBA_FIRST : (int64_t)t->start - t->pregap;
}

static void nrg_index(struct out *o, int version, uint8_t control, uint8_t track, int index,
		      int32_t lba)
{
	const uint8_t head[] = { (uint8_t)(control << 4 | 1), track, bcd(index), 0 };

	put(o, head, 4);
	if (version == 2) {
		put_be(o, (uint32_t)lba, 4);
		return;
	}
	fputc(0, o->f);
	put_msf(o, lba, true);
}

static void nrg_cue(struct out *o, const struct vd_disc *d, const struct vd_session *s, int version)
{
	const struct vd_track *t = &d->tracks[s->first_track], *end = t + s->ntracks;
	size_t n = 2;

	for (const struct vd_track *p = t; p < end; p++)
		n += 2 + p->nindices;
	nrg_chunk(o, version == 2 ? "CUEX" : "CUES", n * 8);
	nrg_index(o, version, t->control, 0, 0, (int32_t)first_lba(d, t));
	for (; t < end; t++) {
		nrg_index(o, version, t->control, bcd(t->number), 0, (int32_t)first_lba(d, t));
		nrg_index(o, version, t->control, bcd(t->number), 1, t->start);
		for (size_t i = 0; i < t->nindices; i++)
			nrg_index(o, version, t->control, bcd(t->number), (int)i + 2,
				  t->indices[i]);
	}
	nrg_index(o, version, end[-1].control, 0xaa, 1, s->leadout);
}

static void nrg_dao(struct out *o, const struct vd_disc *d, const struct vd_session *s, int version,
		    const struct nrg_track *at)
{
	static const uint8_t codes[2][3] = { { 0x05, 0x06, 0x07 }, { 0x0f, 0x11, 0x10 } };
	const struct vd_track *t = &d->tracks[s->first_track], *end = t + s->ntracks;
	const size_t len = 22 + s->ntracks * (version == 2 ? 42 : 30);
	const bool sub = has_sub(d);

	nrg_chunk(o, version == 2 ? "DAOX" : "DAOI", len);
	put_be(o, len, 4);
	put(o, d->mcn, 13);
	fputc(0, o->f);
	fputc(s->type, o->f);
	fputc(1, o->f);
	fputc(t->number, o->f);
	fputc(end[-1].number, o->f);
	for (; t < end; t++) {
		const uint64_t offsets[] = { at[t - d->tracks].pregap, at[t - d->tracks].start,
					     at[t - d->tracks].end };

		put(o, t->isrc, 12);
		put_be(o, sub ? 2448 : 2352, 2);
		fputc(codes[sub][t->mode], o->f);
		put_be(o, 1, 3);
		for (size_t i = 0; i < 3; i++)
			put_be(o, offsets[i], version == 2 ? 8 : 4);
	}
}

static void nrg_footer(struct out *o, int version, uint64_t chunks)
{
	nrg_chunk(o, "MTYP", 4);
	put_be(o, 1, 4);
	nrg_chunk(o, "END!", 0);
	put(o, version == 2 ? "NER5" : "NERO", 4);
	put_be(o, chunks, version == 2 ? 8 : 4);
}

static char *write_nrg(struct vd_disc *d, const char *name, int version)
{
	char *path = check_path("%s.nrg", name);
	struct nrg_track at[VD_TRACKS_MAX];
	struct out o;
	uint64_t chunks;

	out_open(&o);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];

		at[i].pregap = out_at(&o);
		put_sectors(&o, d, first_lba(d, t), t->start, 0, VD_SECTOR_RAW, has_sub(d));
		at[i].start = out_at(&o);
		put_sectors(&o, d, t->start, vd_track_end(t), 0, VD_SECTOR_RAW, has_sub(d));
		at[i].end = out_at(&o);
	}
	chunks = out_at(&o);
	for (int i = 0; i < d->nsessions; i++) {
		const struct vd_session *s = &d->sessions[i];

		nrg_cue(&o, d, s, version);
		nrg_dao(&o, d, s, version, at);
		if (s->ncdtext) {
			nrg_chunk(&o, "CDTX", s->ncdtext * 18);
			put(&o, s->cdtext, s->ncdtext * 18);
		}
		nrg_chunk(&o, "SINF", 4);
		put_be(&o, s->ntracks, 4);
	}
	nrg_footer(&o, version, chunks);
	out_close(&o, path);
	return path;
}

char *write_nrg1(struct vd_disc *d, const char *name)
{
	return write_nrg(d, name, 1);
}

char *write_nrg2(struct vd_disc *d, const char *name)
{
	return write_nrg(d, name, 2);
}

char *write_nrg_tao(struct vd_disc *d, const char *name)
{
	static const struct {
		uint8_t code;
		size_t skip, len;
	} modes[] = { { 0, 16, 2048 }, { 3, 16, 2336 }, { 7, 0, 2352 } };
	char *path = check_path("%s.nrg", name);
	uint64_t at[VD_TRACKS_MAX], chunks;
	struct out o;

	out_open(&o);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];

		at[i] = out_at(&o);
		put_sectors(&o, d, t->start, vd_track_end(t), modes[t->mode].skip,
			    modes[t->mode].len, false);
	}
	chunks = out_at(&o);
	for (int i = 0; i < d->nsessions; i++) {
		const struct vd_session *s = &d->sessions[i];

		nrg_chunk(&o, "ETN2", s->ntracks * 32);
		for (size_t k = s->first_track; k < s->first_track + s->ntracks; k++) {
			const struct vd_track *t = &d->tracks[k];

			put_be(&o, at[k], 8);
			put_be(&o, (uint64_t)t->length * modes[t->mode].len, 8);
			put_be(&o, modes[t->mode].code, 4);
			put_be(&o, (uint32_t)t->start, 4);
			put_be(&o, 0, 4);
			put_be(&o, t->length, 4);
		}
		nrg_chunk(&o, "SINF", 4);
		put_be(&o, s->ntracks, 4);
	}
	nrg_footer(&o, 2, chunks);
	out_close(&o, path);
	return path;
}

/* CCD. */

static void ccd_entry(FILE *f, int *n, int session, int point, uint8_t control, int32_t lba)
{
	const int32_t msf = lba + 150;

	fprintf(f,
		"[Entry %d]\nSession=%d\nPoint=0x%02x\nADR=0x01\nControl=0x%02x\nTrackNo=0\n"
		"AMin=0\nASec=0\nAFrame=0\nALBA=-150\nZero=0\nPMin=%d\nPSec=%d\nPFrame=%d\n"
		"PLBA=%d\n",
		(*n)++, session, point, control, msf / 4500, msf / 75 % 60, msf % 75, lba);
}

static void ccd_toc(FILE *f, const struct vd_disc *d)
{
	int n = 0;

	for (int i = 0; i < d->nsessions; i++) {
		const struct vd_session *s = &d->sessions[i];
		const struct vd_track *t = &d->tracks[s->first_track], *last = t + s->ntracks - 1;

		/* Tracks and the type are in PMin and PSec: not an address. */
		ccd_entry(f, &n, i + 1, 0xa0, t->control, (t->number * 60 + s->type) * 75 - 150);
		ccd_entry(f, &n, i + 1, 0xa1, last->control, last->number * 4500 - 150);
		ccd_entry(f, &n, i + 1, 0xa2, last->control, s->leadout);
		for (; t <= last; t++)
			ccd_entry(f, &n, i + 1, t->number, t->control, t->start);
	}
}

static void ccd_tracks(FILE *f, const struct vd_disc *d)
{
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];

		fprintf(f, "[TRACK %d]\nMODE=%d\n", t->number,
			t->mode == VD_TRACK_AUDIO   ? 0
			: t->mode == VD_TRACK_MODE1 ? 1
						    : 2);
		if (t->isrc[0])
			fprintf(f, "ISRC=%s\n", t->isrc);
		if (t->pregap && (!i || d->tracks[i - 1].session == t->session))
			fprintf(f, "INDEX 0=%d\n", t->start - (int32_t)t->pregap);
		fprintf(f, "INDEX 1=%d\n", t->start);
		for (size_t k = 0; k < t->nindices; k++)
			fprintf(f, "INDEX %zu=%d\n", k + 2, t->indices[k]);
	}
}

static void ccd_sheet(FILE *f, const struct vd_disc *d)
{
	const struct vd_session *s = &d->sessions[0];

	fprintf(f,
		"[CloneCD]\r\nVersion=3\r\n[Disc]\r\nTocEntries=%zu\r\nSessions=%d\r\n"
		"DataTracksScrambled=0\r\nCDTextLength=%zu\r\n",
		d->ntracks + 3 * (size_t)d->nsessions, d->nsessions, s->ncdtext * 18);
	if (d->mcn[0])
		fprintf(f, "CATALOG=%s\n", d->mcn);
	if (s->ncdtext)
		fprintf(f, "[CDText]\nEntries=%zu\n", s->ncdtext);
	for (size_t i = 0; i < s->ncdtext; i++) {
		fprintf(f, "Entry %zu=", i);
		for (size_t k = 0; k < 16; k++)
			fprintf(f, "%s%02x", k ? " " : "", s->cdtext[i * 18 + k]);
		fputc('\n', f);
	}
	for (int i = 1; i <= d->nsessions; i++)
		fprintf(f, "[Session %d]\nPreGapMode=1\nPreGapSubC=0\n", i);
	ccd_toc(f, d);
	ccd_tracks(f, d);
}

char *write_ccd(struct vd_disc *d, const char *name)
{
	char *path = check_path("%s.ccd", name);
	struct out o, img, sub;

	out_open(&o);
	ccd_sheet(o.f, d);
	out_close(&o, path);
	out_open(&img);
	out_open(&sub);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		bool first = i && d->tracks[i - 1].session != t->session;
		int32_t from = first ? t->start : t->start - (int32_t)t->pregap;

		put_sectors(&img, d, from, vd_track_end(t), 0, VD_SECTOR_RAW, false);
		for (int32_t lba = from; lba < vd_track_end(t); lba++) {
			uint8_t p[VD_SECTOR_SUB];

			ASSERT_OK(vd_disc_read_sectors(d, lba, 1, VD_READ_SUB, p));
			vd_sub_to_planar(p, p);
			put(&sub, p, sizeof(p));
		}
	}
	out_close(&img, check_path("%s.img", name));
	if (has_sub(d)) {
		out_close(&sub, check_path("%s.sub", name));
	} else {
		fclose(sub.f);
		free(sub.data);
		remove(check_path("%s.sub", name));
	}
	return path;
}

/* MDS. */

static void put_le(struct out *o, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		fputc((int)(v >> (8 * i) & 0xff), o->f);
}

static void put_zeros(struct out *o, size_t n)
{
	while (n--)
		fputc(0, o->f);
}

#define MDS_HEADER 88u
#define MDS_SESSION 24u
#define MDS_BLOCK 80u

/* Blocks of all sessions: A0, A1, A2 and the tracks. */
static size_t mds_blocks(const struct vd_disc *d)
{
	return d->ntracks + 3 * (size_t)d->nsessions;
}

/* @t NULL: an entry of the lead-in. */
static void mds_block(struct out *o, const struct vd_disc *d, const struct vd_track *t, int point,
		      uint8_t control, const uint8_t msf[3], uint64_t offset, size_t nfiles)
{
	static const uint8_t modes[] = { 0xaa, 0xab, 0xa9 };
	const size_t extras =
		MDS_HEADER + MDS_SESSION * (size_t)d->nsessions + MDS_BLOCK * mds_blocks(d);
	const uint8_t head[] = { t ? modes[t->mode] : 0,
				 t && has_sub(d) ? 8 : 0,
				 (uint8_t)(1 << 4 | control),
				 0,
				 (uint8_t)point,
				 0,
				 0,
				 0,
				 0,
				 msf[0],
				 msf[1],
				 msf[2] };

	put(o, head, sizeof(head));
	put_le(o, t ? extras + 8 * (size_t)(t - d->tracks) : 0, 4);
	put_le(o, t ? (has_sub(d) ? 2448 : 2352) : 0, 2);
	put_zeros(o, 18);
	put_le(o, t ? (uint32_t)t->start : 0, 4);
	put_le(o, offset, 8);
	put_le(o, t ? nfiles : 0, 4);
	put_le(o, t ? extras + 8 * d->ntracks : 0, 4);
	put_zeros(o, 24);
}

static void mds_session(struct out *o, const struct vd_disc *d, const struct vd_session *s,
			const uint64_t *offsets, size_t nfiles)
{
	const struct vd_track *t = &d->tracks[s->first_track], *last = t + s->ntracks - 1;
	const int32_t out = s->leadout + 150;
	const uint8_t first[] = { (uint8_t)t->number, (uint8_t)s->type, 0 };
	const uint8_t end[] = { (uint8_t)last->number, 0, 0 };
	const uint8_t leadout[] = { (uint8_t)(out / 4500), (uint8_t)(out / 75 % 60),
				    (uint8_t)(out % 75) };

	mds_block(o, d, NULL, 0xa0, t->control, first, 0, 0);
	mds_block(o, d, NULL, 0xa1, last->control, end, 0, 0);
	mds_block(o, d, NULL, 0xa2, last->control, leadout, 0, 0);
	for (; t <= last; t++) {
		const int32_t at = t->start + 150;
		const uint8_t msf[] = { (uint8_t)(at / 4500), (uint8_t)(at / 75 % 60),
					(uint8_t)(at % 75) };

		mds_block(o, d, t, t->number, t->control, msf, offsets[t - d->tracks], nfiles);
	}
}

static void mds_names(struct out *o, const char *name, size_t nfiles)
{
	const size_t at = out_at(o) + 16 * nfiles;

	if (nfiles == 1) {
		put_le(o, at, 4);
		put_zeros(o, 12);
		put(o, "*.mdf", 6);
		return;
	}
	for (size_t i = 0; i < nfiles; i++) {
		put_le(o, at + i * (strlen(name) + 5) * 2, 4);
		put_le(o, 1, 4);
		put_zeros(o, 8);
	}
	for (size_t i = 0; i < nfiles; i++)
		for (const char *p = check_printf("%s.i%02zu", name, i);; p++) {
			put_le(o, (uint8_t)*p, 2);
			if (!*p)
				break;
		}
}

static void mds_description(struct out *o, const struct vd_disc *d, const char *name,
			    const uint64_t *offsets, size_t nfiles)
{
	size_t at = MDS_HEADER + MDS_SESSION * (size_t)d->nsessions;

	put(o, "MEDIA DESCRIPTOR\1\3", 18);
	put_le(o, 0, 2);
	put_le(o, (uint64_t)d->nsessions, 2);
	put_zeros(o, 58);
	put_le(o, MDS_HEADER, 4);
	put_le(o, 0, 4);
	for (int i = 0; i < d->nsessions; i++) {
		const struct vd_session *s = &d->sessions[i];
		const struct vd_track *t = &d->tracks[s->first_track];

		put_le(o, (uint32_t)(t->start - 150), 4);
		put_le(o, (uint32_t)s->leadout, 4);
		put_le(o, (uint64_t)i + 1, 2);
		put_le(o, 3 + s->ntracks, 1);
		put_le(o, 3, 1);
		put_le(o, (uint64_t)t->number, 2);
		put_le(o, (uint64_t)t->number + s->ntracks - 1, 2);
		put_le(o, 0, 4);
		put_le(o, at, 4);
		at += MDS_BLOCK * (3 + s->ntracks);
	}
	for (int i = 0; i < d->nsessions; i++)
		mds_session(o, d, &d->sessions[i], offsets, nfiles);
	for (size_t i = 0; i < d->ntracks; i++) {
		put_le(o, i ? d->tracks[i].pregap : 150, 4);
		put_le(o, d->tracks[i].length, 4);
	}
	mds_names(o, name, nfiles);
}

static char *write_mds_files(struct vd_disc *d, const char *name, size_t nfiles)
{
	char *path = check_path("%s.mds", name);
	uint64_t offsets[VD_TRACKS_MAX];
	struct out mdf, mds;

	out_open(&mdf);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		bool first = i && d->tracks[i - 1].session != t->session;

		if (!first)
			put_sectors(&mdf, d, (int64_t)t->start - t->pregap, t->start, 0,
				    VD_SECTOR_RAW, has_sub(d));
		offsets[i] = out_at(&mdf);
		put_sectors(&mdf, d, t->start, vd_track_end(t), 0, VD_SECTOR_RAW, has_sub(d));
	}
	out_open(&mds);
	mds_description(&mds, d, name, offsets, nfiles);
	out_close(&mds, path);
	if (nfiles == 1) {
		out_close(&mdf, check_path("%s.mdf", name));
		return path;
	}
	out_at(&mdf);
	for (size_t i = 0; i < nfiles; i++) {
		size_t from = mdf.len / nfiles * i;
		size_t to = i + 1 == nfiles ? mdf.len : mdf.len / nfiles * (i + 1);

		check_write_file(check_path("%s.i%02zu", name, i), mdf.data + from, to - from);
	}
	fclose(mdf.f);
	free(mdf.data);
	return path;
}

char *write_mds(struct vd_disc *d, const char *name)
{
	return write_mds_files(d, name, 1);
}

char *write_mds_split(struct vd_disc *d, const char *name)
{
	return write_mds_files(d, name, 3);
}

/* CDI. */

#define CDI_V2 0x80000004u
#define CDI_V3 0x80000005u
#define CDI_V35 0x80000006u

static const uint8_t cdi_mark[20] = { 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
				      0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

/* From the mark up to the medium. */
static void cdi_head(struct out *o, uint32_t version)
{
	put(o, cdi_mark, sizeof(cdi_mark));
	put(o, "abc\5\13C:\\disc.cdi", 16);
	put_zeros(o, 11);
	put_le(o, 2, 4);
	put_zeros(o, 4);
	if (version != CDI_V35) {
		put_le(o, 333000, 4);
		return;
	}
	put_le(o, 0x80000000, 4);
	put_le(o, 360000, 4);
	put_zeros(o, 2);
	put_le(o, 0x98, 2);
}

static void cdi_track(struct out *o, const struct vd_disc *d, const struct vd_track *t,
		      uint32_t version)
{
	static const uint8_t modes[] = { 1, 2, 0 };
	const struct vd_session *s = &d->sessions[t->session - 1];
	const int64_t first = first_lba(d, t), end = vd_track_end(t);
	const bool more = version == CDI_V3 && t->number % 2 == 0;
	int64_t last = first;

	put_le(o, more ? 1 : 0, 4);
	put_zeros(o, more ? 8 : 0);
	cdi_head(o, version);
	put_le(o, t->nindices + 2, 2);
	put_le(o, (uint64_t)(t->start - first), 4);
	last = t->start;
	for (size_t i = 0; i < t->nindices; i++) {
		put_le(o, (uint64_t)(t->indices[i] - last), 4);
		last = t->indices[i];
	}
	put_le(o, (uint64_t)(end - last), 4);
	put_le(o, version == CDI_V35 ? 1 : 0, 4);
	if (version == CDI_V35) {
		put_zeros(o, 10);
		put(o, "\5Title", 6);
		put_zeros(o, 7);
	}
	put_zeros(o, 2);
	put_le(o, modes[t->mode], 4);
	put_zeros(o, 4);
	put_le(o, (uint64_t)t->session - 1, 4);
	put_le(o, (uint64_t)(t - d->tracks) - s->first_track, 4);
	put_le(o, (uint64_t)(first + 150), 4);
	put_le(o, (uint64_t)(end - first), 4);
	put_zeros(o, 16);
	put_le(o, has_sub(d) ? 4 : t->mode == VD_TRACK_MODE2 ? 1 : 2, 4);
	put_le(o, t->control, 4);
	put_zeros(o, 1);
	put_le(o, (uint64_t)(end - first), 4);
	put_zeros(o, 4);
	put(o, t->isrc, 12);
	put_le(o, t->isrc[0] ? 1 : 0, 4);
	if (version == CDI_V2)
		return;
	put_zeros(o, 5);
	put_le(o, version == CDI_V35 ? UINT32_MAX : 0, 4);
	put_zeros(o, version == CDI_V35 ? 78 : 0);
}

static void cdi_disc(struct out *o, const struct vd_disc *d)
{
	const struct vd_session *s = &d->sessions[0];

	put_zeros(o, 6);
	cdi_head(o, CDI_V35);
	put_le(o, (uint64_t)d->sessions[d->nsessions - 1].leadout + 150, 4);
	put(o, "\10SESSION1", 9);
	put(o, "\0\1\0\0\0\1\0\0", 9);
	put(o, d->mcn, 13);
	put_le(o, d->mcn[0] ? 1 : 0, 4);
	put_le(o, s->ncdtext * 18, 4);
	put(o, s->cdtext, s->ncdtext * 18);
	put_zeros(o, 8);
}

static char *write_cdi(struct vd_disc *d, const char *name, uint32_t version)
{
	char *path = check_path("%s.cdi", name);
	uint64_t at;
	struct out o;

	out_open(&o);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		bool cut = t->mode == VD_TRACK_MODE2 && !has_sub(d);

		put_sectors(&o, d, first_lba(d, t), vd_track_end(t), cut ? 16 : 0,
			    cut ? 2336 : VD_SECTOR_RAW, has_sub(d));
	}
	at = out_at(&o);
	put_le(&o, (uint64_t)d->nsessions, 2);
	for (int i = 0; i < d->nsessions; i++) {
		const struct vd_session *s = &d->sessions[i];

		put_le(&o, s->ntracks, 2);
		for (size_t k = 0; k < s->ntracks; k++)
			cdi_track(&o, d, &d->tracks[s->first_track + k], version);
		put_zeros(&o, version == CDI_V2 ? 12 : 13);
	}
	if (version == CDI_V35)
		cdi_disc(&o, d);
	put_le(&o, version, 4);
	put_le(&o, version == CDI_V35 ? out_at(&o) + 4 - at : at, 4);
	out_close(&o, path);
	return path;
}

char *write_cdi2(struct vd_disc *d, const char *name)
{
	return write_cdi(d, name, CDI_V2);
}

char *write_cdi3(struct vd_disc *d, const char *name)
{
	return write_cdi(d, name, CDI_V3);
}

char *write_cdi35(struct vd_disc *d, const char *name)
{
	return write_cdi(d, name, CDI_V35);
}

/* GDI. */

char *write_gdi(struct vd_disc *d, const char *name)
{
	char *path = check_path("%s.gdi", name);
	struct out o, file;

	out_open(&o);
	fprintf(o.f, "%zu\r\n", d->ntracks);
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		const char *bin =
			check_printf(i % 2 ? "%s %02d.bin" : "%s%02d.raw", name, t->number);

		fprintf(o.f, "%2d %6d %d 2352 %s%s%s 0\r\n", t->number, t->start,
			t->mode == VD_TRACK_AUDIO ? 0 : 4, i % 2 ? "\"" : "", bin,
			i % 2 ? "\"" : "");
		out_open(&file);
		put_sectors(&file, d, t->start, vd_track_end(t), 0, VD_SECTOR_RAW, false);
		out_close(&file, check_path("%s", bin));
	}
	out_close(&o, path);
	return path;
}

/* B6T. */

struct b6t_block {
	int64_t first, end;
	size_t skip, size; /* of the 2352 bytes; of a sector in the file */
	uint64_t offset;
	int file;
};

static void b6t_name(struct out *o, const char *name)
{
	for (; *name; name++)
		put_le(o, (uint8_t)*name, 2);
}

/* Of each track a block, of the second one two; all of its sectors into the files. */
static size_t b6t_blocks(struct vd_disc *d, struct out files[2], struct b6t_block *blocks)
{
	size_t n = 0;

	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];
		const int64_t first = first_lba(d, t), end = vd_track_end(t);
		const bool cut = t->mode == VD_TRACK_MODE2 && !has_sub(d);
		const int64_t ends[] = { i == 1 ? first + 7 : end, end };

		for (int k = 0; k < (i == 1 ? 2 : 1); k++) {
			struct b6t_block *b = &blocks[n++];

			*b = (struct b6t_block){ .first = k ? ends[0] : first,
						 .end = ends[k],
						 .skip = cut ? 16 : 0,
						 .size = cut	      ? 2336
							 : has_sub(d) ? 2448
								      : 2352,
						 .file = i > 1 || k };
			b->offset = out_at(&files[b->file]);
			for (int64_t lba = b->first; lba < b->end; lba++) {
				uint8_t sector[VD_SECTOR_RAW + VD_SECTOR_SUB];

				ASSERT_OK(vd_disc_read_sectors(d, (int32_t)lba, 1,
							       VD_READ_MAIN | VD_READ_SUB, sector));
				vd_sub_to_planar(sector + VD_SECTOR_RAW, sector + VD_SECTOR_RAW);
				put(&files[b->file], sector + b->skip, b->size);
			}
		}
	}
	return n;
}

static void b6t_track(struct out *o, const struct vd_disc *d, const struct vd_track *t)
{
	static const uint8_t types[] = { 2, 3, 1 };
	const int64_t first = first_lba(d, t);

	put_le(o, types[t->mode], 1);
	put_zeros(o, 7);
	put_le(o, has_sub(d) ? 4 : 0, 2);
	put_le(o, t->control, 1);
	put_le(o, 1, 1);
	put_le(o, (uint64_t)t->number, 1);
	put_zeros(o, 9);
	put_le(o, (uint64_t)(t->start - first), 4);
	put_zeros(o, 16);
	put_le(o, (uint32_t)first, 4);
	put_le(o, (uint64_t)(vd_track_end(t) - first), 4);
	put_zeros(o, 8);
	put_le(o, (uint64_t)t->session, 4);
	put_zeros(o, 2 + 8);
}

static void b6t_session(struct out *o, const struct vd_disc *d, const struct vd_session *s)
{
	const struct vd_track *t = &d->tracks[s->first_track];

	put_le(o, (uint64_t)s->number, 2);
	put_le(o, s->ntracks + 3, 1);
	put_le(o, 3, 1);
	put_le(o, (uint32_t)first_lba(d, t), 4);
	put_le(o, (uint32_t)s->leadout, 4);
	put_le(o, (uint64_t)t->number, 2);
	put_le(o, (uint64_t)t->number + s->ntracks - 1, 2);
	for (int i = 0; i < 3; i++) {
		put_zeros(o, 12);
		put_le(o, 0xa0 + (uint64_t)i, 1);
		put_zeros(o, 51);
	}
	for (size_t i = 0; i < s->ntracks; i++)
		b6t_track(o, d, t + i);
}

char *write_b6t(struct vd_disc *d, const char *name)
{
	const char *names[] = { check_printf("%s.b6i", name), check_printf("%s.b00", name) };
	const size_t text = d->sessions[0].ncdtext * 18;
	struct b6t_block blocks[VD_TRACKS_MAX + 1];
	char *path = check_path("%s.b6t", name);
	struct out o, files[2];
	size_t n;

	out_open(&files[0]);
	out_open(&files[1]);
	n = b6t_blocks(d, files, blocks);
	out_open(&o);
	put(&o, "BWT5 STREAM SIGN", 16);
	put_zeros(&o, 32);
	put_le(&o, 0x08, 2);
	put_le(&o, (uint64_t)d->nsessions, 2);
	put_zeros(&o, 12);
	put_le(&o, d->mcn[0] != 0, 1);
	put(&o, d->mcn, 13);
	put_zeros(&o, 2 + 16);
	put_le(&o, 5, 2);
	put_le(&o, 6, 2);
	put_le(&o, text ? text + 4 : 0, 2);
	put_le(&o, 8, 2);
	put_zeros(&o, 240 - 104);
	put_le(&o, 3, 4);
	put_le(&o, 4, 4);
	put_zeros(&o, 12 + 3 + 4 + 5 + 6);
	put_zeros(&o, text ? 4 : 0);
	put(&o, d->sessions[0].cdtext, text);
	put_zeros(&o, 8);
	/* The last ones first: they are in no order. */
	put_le(&o, n, 4);
	put_le(&o, 4, 4);
	b6t_name(&o, "C:");
	for (size_t i = n; i--;) {
		const struct b6t_block *b = &blocks[i];
		const char *file = check_printf("C:\\discs\\%s", names[b->file]);

		put_le(&o, 0, 4);
		put_le(&o, (uint64_t)(b->end - b->first) * b->size, 4);
		put_zeros(&o, 16);
		put_le(&o, b->offset, 4);
		put_zeros(&o, 12);
		put_le(&o, (uint32_t)b->first, 4);
		put_le(&o, (uint64_t)(b->end - b->first), 4);
		put_le(&o, strlen(file) * 2, 4);
		b6t_name(&o, file);
		put_zeros(&o, 4);
	}
	for (int i = 0; i < d->nsessions; i++)
		b6t_session(&o, d, &d->sessions[i]);
	put_le(&o, out_at(&o) + 4 + 16, 4);
	put(&o, "BWT5 STREAM FOOT", 16);
	out_close(&o, path);
	for (int i = 0; i < 2; i++)
		out_close(&files[i], check_path("%s", names[i]));
	return path;
}

/* C2D. */

static void c2d_block(struct out *o, const struct vd_disc *d, const struct vd_track *t, size_t i,
		      uint64_t offset)
{
	static const uint8_t modes[] = { 1, 2, 0xff };
	const int64_t first = i ? t->indices[i - 1] : t->start,
		      end = i < t->nindices ? t->indices[i] : vd_track_end(t);

	put_le(o, 44, 4);
	put_le(o, (uint64_t)first + 150, 4);
	put_le(o, (uint64_t)end + 149, 4);
	put_le(o, i ? UINT32_MAX : offset, 8);
	put_le(o, has_sub(d) ? 2448 : 2352, 4);
	put(o, t->isrc, 12);
	put_le(o, 0, 1);
	put_le(o, (uint64_t)t->session, 1);
	put_le(o, (uint64_t)t->number, 1);
	put_le(o, i + 1, 1);
	put_le(o, modes[t->mode], 1);
	put_zeros(o, 3);
}

char *write_c2d(struct vd_disc *d, const char *name)
{
	const size_t text = d->sessions[0].ncdtext * 18, size = has_sub(d) ? 2448 : 2352;
	char *path = check_path("%s.c2d", name);
	size_t blocks = 0;
	uint64_t offset;
	struct out o;

	for (size_t i = 0; i < d->ntracks; i++)
		blocks += 1 + d->tracks[i].nindices;
	out_open(&o);
	put(&o, "Adaptec CeQuadrat VirtualCD File", 32);
	put_le(&o, 200, 2);
	put_le(&o, d->mcn[0] != 0, 2);
	put(&o, d->mcn, 13);
	put_zeros(&o, 1);
	put_le(&o, blocks, 2);
	put_le(&o, text, 4);
	put_le(&o, 200 + text, 4);
	put_zeros(&o, 4 + 128 + 4 + 4);
	put(&o, d->sessions[0].cdtext, text);
	offset = 200 + text + blocks * 44;
	for (size_t i = 0; i < d->ntracks; i++) {
		const struct vd_track *t = &d->tracks[i];

		for (size_t k = 0; k <= t->nindices; k++)
			c2d_block(&o, d, t, k, offset);
		offset += (uint64_t)t->length * size;
	}
	for (size_t i = 0; i < d->ntracks; i++)
		put_sectors(&o, d, d->tracks[i].start, vd_track_end(&d->tracks[i]), 0,
			    VD_SECTOR_RAW, has_sub(d));
	out_close(&o, path);
	return path;
}
