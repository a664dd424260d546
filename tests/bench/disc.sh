#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Figures for discs stored raw, 2352 bytes a sector, in the page cache: the view disc.iso of such an image, read from begin to end
# through FUSE, beside the same view of a plain ISO image; random sectors through the library, beside libcdio; and a CHD of chdman's from
# begin to end, beside what chdman takes to extract it. How to read them:
# README.md beside this file. Usage: ./run bench disc
#
#   BENCH_ROUNDS=5       runs a figure, of each in turn
#   BENCH_READS=20000    random sectors of a run
#   BENCH_DIR=/var/tmp   where the images and mounts lie: 1.5 GB
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
bin=${VDRIVE_BIN:-$(dirname "$(dirname "$here")")/build/release/bin}
rounds=${BENCH_ROUNDS:-5}
reads=${BENCH_READS:-20000}

die() {
	echo "bench: $*" >&2
	exit 1
}

command -v chdman >/dev/null || die "chdman is missing: it is in mame-tools"
for tool in vdrive bench_measure bench_disc; do
	[[ -x $bin/$tool ]] || die "$bin/$tool is missing: ./run build"
done
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/vdrive-bench.XXXXXX") || die "cannot make a folder to work in"
export VDRIVE_RUNTIME_DIR=$work/run

clean_up() {
	trap - EXIT
	"$bin/vdrive" detach --all 2>/dev/null
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -m 700 "$VDRIVE_RUNTIME_DIR"
mkdir "$work/raw" "$work/iso"

# A CD holds 700 MB: what /usr has, folder by folder, up to there.
sources=() size=0
for folder in /usr/lib/gcc /usr/bin /usr/share/doc /usr/include /usr/share/perl /usr/lib/python3; do
	[[ -d $folder ]] || continue
	one=$(du -sm "$folder" | cut -f 1)
	((size + one < 650)) || continue
	size=$((size + one))
	sources+=("${folder#/usr}=$folder")
done
xorriso -as mkisofs -quiet -R -graft-points -o "$work/disc.iso" \
	"${sources[@]}" 2>/dev/null || die "xorriso makes no image"
"$bin/vdrive" convert "$work/disc.iso" "$work/disc.cue" >/dev/null || die "the image cannot be converted"
"$bin/vdrive" mount --name raw "$work/disc.cue" "$work/raw" >/dev/null || die "vdrive does not mount the raw image"
"$bin/vdrive" mount --name iso "$work/disc.iso" "$work/iso" >/dev/null || die "vdrive does not mount the ISO image"
cmp "$work/disc.iso" "$VDRIVE_RUNTIME_DIR/raw/disc.iso" || die "disc.iso of the raw image is not what was put into it"

# The first 150 MB of it, as chdman compresses a CD when nobody tells it how.
chd_sectors=$((150 * 1024 * 1024 / 2048))
((chd_sectors * 2048 <= $(stat -c %s "$work/disc.iso"))) || chd_sectors=$(($(stat -c %s "$work/disc.iso") / 2048))
head -c $((chd_sectors * 2352)) "$work/disc.bin" >"$work/part.bin"
printf 'FILE "part.bin" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n' >"$work/part.cue"
chdman createcd -i "$work/part.cue" -o "$work/part.chd" >/dev/null 2>&1 || die "chdman makes no CHD"
mkdir "$work/chd"
"$bin/vdrive" mount --name chd "$work/part.chd" "$work/chd" >/dev/null || die "vdrive does not mount the CHD"
cmp "$work/part.bin" "$VDRIVE_RUNTIME_DIR/chd/disc.bin" || die "disc.bin of the CHD is not what chdman was given"

# seconds COMMAND...: of the wall.
seconds() {
	local begin=$EPOCHREALTIME
	"$@" >/dev/null 2>&1 || return
	awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}

median() { sort -n | awk '{ a[NR] = $1 } END { printf "%.6g %.6g %.6g\n", NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2, a[1], a[NR] }'; }

goals=0 reached=0 verdicts=()
# verdict TEXT VALUE GOAL UNIT
verdict() {
	goals=$((goals + 1))
	if awk "BEGIN { exit !($2 >= $3) }"; then
		reached=$((reached + 1))
		verdicts+=("bench: reached      $1: $2 $4, goal $3")
	else
		verdicts+=("bench: NOT reached  $1: $2 $4, goal $3")
	fi
}

echo "discs stored raw, $rounds rounds in turn; median (lowest-highest)"
echo "$(nproc) CPUs, Linux $(uname -r), load $(cut -d ' ' -f 1 /proc/loadavg); $(stat -c %s "$work/disc.iso") bytes of user data from /usr"

for ((round = 0; round < rounds; round++)); do
	for kind in raw iso; do
		view=$VDRIVE_RUNTIME_DIR/$kind/disc.iso
		"$bin/bench_measure" warm "$work/disc.$([[ $kind == raw ]] && echo bin || echo iso)" >/dev/null
		"$bin/bench_measure" drop "$view" >/dev/null
		for how in seq direct; do
			"$bin/bench_measure" "$how" "$view" | awk '{ print $4 / 1e6 / $1 }' >>"$work/$how.$kind" || exit 1
		done
	done
	"$bin/bench_measure" warm "$work/part.chd" >/dev/null
	rm -f "$work"/extracted.*
	seconds chdman extractcd -f -i "$work/part.chd" -o "$work/extracted.cue" -ob "$work/extracted.bin" >"$work/one" ||
		die "chdman extracts nothing"
	awk -v n="$((chd_sectors * 2352))" '{ print n / 1e6 / $1 }' "$work/one" >>"$work/chd.chdman"
	rm -f "$work"/extracted.*
	seconds "$bin/vdrive" convert "$work/part.chd" "$work/extracted.cue" >"$work/one" || die "vdrive converts nothing"
	awk -v n="$((chd_sectors * 2352))" '{ print n / 1e6 / $1 }' "$work/one" >>"$work/chd.convert"
	"$bin/bench_measure" drop "$VDRIVE_RUNTIME_DIR/chd/disc.bin" >/dev/null
	"$bin/bench_measure" seq "$VDRIVE_RUNTIME_DIR/chd/disc.bin" | awk '{ print $4 / 1e6 / $1 }' >>"$work/chd.view" || exit 1
	for kind in vdrive libcdio; do
		"$bin/bench_disc" "$kind" "$work/disc.cue" "$reads" >"$work/one" || exit 1
		cut -d ' ' -f 1 "$work/one" >>"$work/random.$kind"
		cut -d ' ' -f 2 "$work/one" >>"$work/sums"
	done
done
[[ $(sort -u "$work/sums" | wc -l) == 1 ]] || die "vdrive and libcdio read different bytes"

printf '\ndisc.iso through FUSE, 1 MiB at a time, MB/s\n'
for kind in raw iso; do
	for how in seq direct; do
		read -ra n < <(median <"$work/$how.$kind")
		printf '  %-28s %7.0f (%.0f-%.0f)\n' "of a $kind image, ${how/seq/buffered}" "${n[@]}"
	done
done
read -r one _ < <(median <"$work/seq.raw")
verdict "disc.iso of a raw image, buffered" "$one" 1500 MB/s
read -r one _ < <(median <"$work/direct.raw")
verdict "disc.iso of a raw image, O_DIRECT" "$one" 1500 MB/s

printf '\na CHD from begin to end, MB/s of sectors\n'
for kind in chdman convert view; do
	case $kind in
	chdman) words="chdman extractcd" ;;
	convert) words="vdrive convert to cue" ;;
	view) words="disc.bin through FUSE" ;;
	esac
	read -ra n < <(median <"$work/chd.$kind")
	printf '  %-28s %7.0f (%.0f-%.0f)\n' "$words" "${n[@]}"
done
for kind in convert view; do
	read -r one _ < <(paste -d ' ' "$work/chd.$kind" "$work/chd.chdman" | awk '{ print $1 / $2 }' | median)
	verdict "a CHD, $kind" "$one" 1 "times as fast as chdman extracts"
done

printf '\nrandom 2 KiB through the library, ns a read\n'
for kind in vdrive libcdio; do
	read -ra n < <(median <"$work/random.$kind")
	printf '  %-22s %7.0f (%.0f-%.0f)\n' "$kind" "${n[@]}"
done
read -r one _ < <(paste -d ' ' "$work/random.libcdio" "$work/random.vdrive" | awk '{ print $1 / $2 }' | median)
verdict "random 2 KiB" "$one" 5 "times as fast as libcdio"
echo
printf '%s\n' "${verdicts[@]}"
echo "bench: $reached of $goals goals reached"
