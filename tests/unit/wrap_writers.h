/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that have an image inside, written by their public descriptions; and what is read of them. */
#ifndef WRAP_WRITERS_H
#define WRAP_WRITERS_H

#include "disc_writers.h"
#include "images/wrapped.h"

/* A file in memory, to be written byte by byte; `data` lives until the test ends. */
struct wrap_out {
	uint8_t *data;
	size_t len, room;
};

void wrap_put(struct wrap_out *o, const void *data, size_t len);
/* @len zeros when @data is NULL; returns where they are, until the next one is put. */
uint8_t *wrap_add(struct wrap_out *o, const void *data, size_t len);

/* Words and noise, so that it is compressed a few times, and some zeros. */
uint8_t *wrap_contents(size_t len);

/* Reads @s here and there, backwards, in order and by four threads at once: it is the @len bytes at @data and no more. */
void wrap_check(const char *what, struct vd_store *s, const uint8_t *data, size_t len);

/* The file at @path (or these bytes, called NAME) opened as @w, with the files beside it; the error. */
int wrap_open(const struct vd_wrapping *w, const char *path, struct vd_store **out,
	      struct vd_error *err);
int wrap_open_bytes(const struct vd_wrapping *w, const char *name, const struct wrap_out *o,
		    struct vd_store **out, struct vd_error *err);

/* Each writes what the file at @path has into one in its format beside it, and returns the path of that. */
char *wrap_cso1(const char *path); /* blocks of 2048 */
char *wrap_cso2(const char *path); /* blocks of 16384, a shift of 4, deflate and LZ4 in turn */
char *wrap_zso(const char *path);
char *wrap_ecm(const char *path);
/* Two partitions, runs of 100 to 120 sectors of every type in turn, zeros where there are such ones; the last sector is filled up. */
char *wrap_dmg(const char *path);
void wrap_dmg_bytes(struct wrap_out *o, const uint8_t *data, size_t len, const uint32_t *types,
		    size_t ntypes);
/* Chunks of 65536, of every type in turn. The second one is cut into three files, inside chunks: NAME.isz, NAME.i01 and NAME.i02. */
char *wrap_isz(const char *path);
char *wrap_isz_split(const char *path);

/* DAA of a version, 0x100 or 0x110; in files of at most @part bytes called NAME.part01.daa ..., 0: in one, NAME.daa. */
struct wrap_daa {
	uint32_t version;
	bool lzma, x86, hide_table, hide_bits, plain;
	size_t part;
};
char *wrap_daa(const char *path, const struct wrap_daa *how);

#endif
