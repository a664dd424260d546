// SPDX-License-Identifier: GPL-3.0-or-later
#include "check.h"

#include "util/cleanup.h"
#include "util/size.h"

static void test_parse(void)
{
	static const struct {
		const char *text;
		int code;
		uint64_t bytes;
	} rows[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "512", 0, 512 },
		{ "007", 0, 7 },
		{ "1B", 0, 1 },
		{ "1K", 0, 1024 },
		{ "1k", 0, 1024 },
		{ "1KiB", 0, 1024 },
		{ "1kib", 0, 1024 },
		{ "1KB", 0, 1000 },
		{ "1M", 0, 1048576 },
		{ "1MB", 0, 1000000 },
		{ "4G", 0, 4294967296 },
		{ "2T", 0, 2199023255552 },
		{ "1P", 0, 1125899906842624 },
		{ "15E", 0, 15ull << 60 },
		{ "18EB", 0, 18000000000000000000ull },
		{ "1.5K", 0, 1536 },
		{ "1.5KB", 0, 1500 },
		{ "0.5K", 0, 512 },
		{ "0.001KB", 0, 1 },
		{ "1.0", 0, 1 },
		{ "1.25G", 0, 1342177280 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "16E", -ERANGE, 0 },
		{ "15.999999999E", 0, (15ull << 60) + 1152921503453925471 },
		{ "19EB", -ERANGE, 0 },
		{ "18014398509481984K", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ ".5K", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "1.K", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1.5B", -EINVAL, 0 },
		{ "1.5.5K", -EINVAL, 0 },
		{ "1Q", -EINVAL, 0 },
		{ "1Ki", -EINVAL, 0 },
		{ "1KiBs", -EINVAL, 0 },
		{ "1KK", -EINVAL, 0 },
		{ "1BB", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
		{ "\xd9\xa1", -EINVAL, 0 },
	};
	uint64_t bytes;

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		bytes = 0x5555;
		if (vd_size_parse(rows[i].text, &bytes) != rows[i].code)
			CHECK_FAIL("\"%s\" gives %s", rows[i].text,
				   check_errno_name(vd_size_parse(rows[i].text, &bytes)));
		else if (!rows[i].code && bytes != rows[i].bytes)
			CHECK_FAIL("\"%s\" is %llu", rows[i].text, (unsigned long long)bytes);
		else if (rows[i].code)
			CHECK_UINT(bytes, 0x5555); /* untouched on failure */
	}
	CHECK_ERRNO(vd_size_parse(NULL, &bytes), -EINVAL);
}

static void test_format(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0B" },
		{ 1, "1B" },
		{ 573, "573B" },
		{ 1023, "1023B" },
		{ 1024, "1K" },
		{ 1126, "1K" },
		{ 1127, "1.1K" },
		{ 1536, "1.5K" },
		{ 1048575, "1023.9K" },
		{ 1048576, "1M" },
		{ 700ull << 20, "700M" },
		{ 4700372992, "4.3G" },
		{ (1ull << 30) - 1, "1023.9M" },
		{ 1ull << 40, "1T" },
		{ 1ull << 60, "1E" },
		{ UINT64_MAX, "15.9E" },
	};
	char buf[16];

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++)
		CHECK_STR(vd_size_format(rows[i].bytes, buf, sizeof(buf)), rows[i].text);
}

/* What is shown can be typed in again, and is never more than what there is. */
static void test_format_parses(void)
{
	for (uint64_t n = 1; n < UINT64_MAX / 3; n = n * 3 + 1) {
		char buf[16];
		uint64_t back = 0;

		CHECK_OK(vd_size_parse(vd_size_format(n, buf, sizeof(buf)), &back));
		CHECK(back <= n);
		CHECK(back >= n - n / 10);
	}
}

static void test_int(void)
{
	static const struct {
		const char *text;
		int code, n;
	} rows[] = {
		{ "0", 0, 0 },
		{ "-1", 0, -1 },
		{ "32767", 0, 32767 },
		{ "007", 0, 7 },
		{ "-2", -EINVAL, 0 },
		{ "32768", -EINVAL, 0 },
		{ "99999999999999999999", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1x", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
	};

	for (size_t i = 0; i < VD_ARRAY_SIZE(rows); i++) {
		int n = 4711;

		CHECK_ERRNO(vd_int_parse(rows[i].text, -1, 32767, &n), rows[i].code);
		CHECK_INT(n, rows[i].code ? 4711 : rows[i].n); /* untouched on failure */
	}
}

static const struct check_test tests[] = {
	{ "parse", test_parse },
	{ "format", test_format },
	{ "format_parses", test_format_parses },
	{ "int", test_int },
};
CHECK_MAIN(tests)
