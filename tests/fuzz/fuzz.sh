#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh PROGRAM DIR SEEDS [LIBFUZZER-OPTION...]: runs a fuzz target for $VDRIVE_FUZZ_SECONDS. What it learns stays
# in DIR/corpus, an input that made it fail in DIR/failed. SEEDS is a program that writes seeds, or empty.
set -eu
program=$1 dir=$2 seeds=$3
shift 3
mkdir -p "$dir/corpus" "$dir/seeds" "$dir/failed"
[ -z "$seeds" ] || "$seeds" "$dir/seeds"
exec "$program" -max_total_time="${VDRIVE_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=1024 \
	-print_final_stats=1 -artifact_prefix="$dir/failed/" "$@" "$dir/corpus" "$dir/seeds"
