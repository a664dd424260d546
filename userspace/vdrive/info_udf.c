// SPDX-License-Identifier: GPL-3.0-or-later
/* What `vdrive info` says of a UDF volume. */
#include <stdio.h>

#include "userspace/vdrive/info.h"
#include "util/size.h"

static const char *const kinds[] = { [VD_UDF_PHYSICAL] = "physical",
				     [VD_UDF_SPARABLE] = "sparable",
				     [VD_UDF_VIRTUAL] = "virtual",
				     [VD_UDF_METADATA] = "metadata" };

/* A revision is two numbers in BCD: 0x0201 is 2.01. */
static char *revision(const struct vd_udf_info *udf)
{
	return format("%x.%02x", udf->revision >> 8, udf->revision & 0xff);
}

static const char *state(const struct vd_udf_info *udf)
{
	return !udf->has_integrity ? "unknown" : udf->open ? "open" : "closed";
}

void info_json_udf(struct json *j, const struct vd_udf_info *udf)
{
	_cleanup_free_ char *number = revision(udf);

	json_string(j, "revision", number);
	json_number(j, "block", udf->block);
	json_string(j, "volume_id", udf->volume_id);
	json_string(j, "volume_set_id", udf->volume_set_id);
	json_string(j, "file_set_id", udf->file_set_id);
	json_string(j, "application_id", udf->application_id);
	json_string(j, "implementation_id", udf->implementation_id);
	info_json_time(j, "created", udf->recorded);
	info_json_time(j, "modified", udf->integrity_time);
	json_string(j, "integrity", state(udf));
	json_number(j, "files", udf->files);
	json_number(j, "directories", udf->directories);
	json_begin(j, "partitions", '[');
	for (size_t i = 0; i < udf->nmaps; i++) {
		json_begin(j, NULL, '{');
		json_string(j, "kind", kinds[udf->maps[i].kind]);
		json_number(j, "number", udf->maps[i].number);
		json_number(j, "bytes", udf->maps[i].bytes);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void info_print_udf(const struct vd_udf_info *udf)
{
	_cleanup_free_ char *number = revision(udf);
	char size[16];

	info_put("Revision:", number);
	printf("%-16s%u\n", "Block size:", udf->block);
	for (size_t i = 0; i < udf->nmaps; i++) {
		_cleanup_free_ char *text =
			format("%s (%s)", kinds[udf->maps[i].kind],
			       vd_size_format(udf->maps[i].bytes, size, sizeof(size)));

		info_put(i ? "" : "Partitions:", text);
	}
	info_put("Volume id:", udf->volume_id);
	info_put("Volume set id:", udf->volume_set_id);
	info_put("File set id:", udf->file_set_id);
	info_put("Application id:", udf->application_id);
	info_put_time("Created:", udf->recorded);
	info_put_time("Modified:", udf->integrity_time);
	info_put("Integrity:", state(udf));
	if (udf->has_integrity)
		printf("%-16s%u files, %u folders\n", "Holds:", udf->files, udf->directories);
}
