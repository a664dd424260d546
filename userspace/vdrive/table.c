// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * libsmartcols, told to leave our text alone: cells have gone through text.c already, and its own escaping would
 * escape that once more.
 */
#include "userspace/vdrive/vdrive.h"

#include <libsmartcols.h>
#include <string.h>

struct libscols_table *table_new(const char *name, const struct table_column *columns, size_t n,
				 unsigned flags)
{
	struct libscols_table *t = need(scols_new_table());

	if (scols_table_set_name(t, name))
		need(NULL);
	scols_table_enable_noencoding(t, 1);
	scols_table_enable_json(t, !!(flags & TABLE_JSON));
	scols_table_enable_raw(t, !!(flags & TABLE_RAW));
	scols_table_enable_noheadings(t, !!(flags & TABLE_NO_HEADINGS));
	for (size_t i = 0; i < n; i++) {
		struct libscols_column *c = need(scols_table_new_column(
			t, columns[i].name, 0, columns[i].right ? SCOLS_FL_RIGHT : 0));

		if (scols_column_set_json_type(c, columns[i].json))
			need(NULL);
	}
	return t;
}

void table_add(struct libscols_table *t, const char *const *cells, size_t n, unsigned flags)
{
	struct libscols_line *line = need(scols_table_new_line(t, NULL));

	for (size_t i = 0; i < n; i++) {
		char *text;

		if (!cells[i])
			continue;
		/* For --raw, libsmartcols escapes each byte that is not printable ASCII, and blanks. */
		if (flags & TABLE_RAW)
			text = need(strdup(cells[i]));
		else
			text = flags & TABLE_JSON ? text_utf8(cells[i]) : text_safe(cells[i]);
		if (scols_line_refer_data(line, i, text))
			need(NULL);
	}
}

void table_print(struct libscols_table *t)
{
	if (scols_print_table(t))
		need(NULL);
	scols_unref_table(t);
}
