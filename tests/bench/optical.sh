#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Figures of an optical drive beside a loop device with the same image, in a guest (QEMU without KVM: ratios count, not rates), see
# optical.c. Usage: ./run bench optical
#
#   BENCH_SERIES=6.12    the guest's kernel, or 6.1
#   BENCH_DIR=/var/tmp   where the guest and the files of the image lie: 0.5 GB
set -uo pipefail

top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
bin=${VDRIVE_BIN:-$top/build/release/bin}
series=${BENCH_SERIES:-6.12}

die() {
	echo "bench: $*" >&2
	exit 1
}

for tool in vdrive bench_optical; do
	[[ -x $bin/$tool ]] || die "$bin/$tool is missing: ./run build"
done
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/vdrive-bench.XXXXXX") || die "cannot make a folder to work in"
image=$bin/bench_optical.iso # where bench_optical looks for it
trap 'rm -rf --one-file-system "$work" "$image"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Real files, 100 MiB of them.
mkdir "$work/tree"
tar -C /usr/lib -cf - . 2>/dev/null | head -c $((100 << 20)) >"$work/tree/files"
genisoimage -quiet -R -o "$image" "$work/tree" || die "genisoimage failed"
rm -r "$work/tree"

vdrived=$(find "$bin" "$bin/.." -maxdepth 2 -name vdrived -type f | head -n 1)
{
	printf 'program\toptical\t900\t%s\n' "$bin/bench_optical"
	printf 'file\t%s\n' "$bin/vdrive" "$vdrived" "$image"
	printf 'loadable\t%s\n' target_core_user tcm_loop sr_mod sg
} >"$work/manifest"
"$top/tests/vm/vm.sh" fetch "$series" >/dev/null || die "no kernel $series"
"$top/tests/vm/vm.sh" boot "$series" "$work/manifest" "$work/out" >/dev/null || die "the guest did not start"
"$top/tests/vm/vm.sh" show "$work/out" optical | grep -v '^dmesg'
exit "${PIPESTATUS[0]}"
