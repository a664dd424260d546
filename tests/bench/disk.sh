#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Figures for scratch disks in memory, side by side with what else could serve: the same real pages, the same loops, in turn, every page
# that is read checked. How to read them: README.md beside this file. Usage: ./run bench disk
#
#   BENCH_ROUNDS=5      runs a figure, of each in turn
#   BENCH_DISK_MIB=256  how much is written to each disk
#   BENCH_OPS=20000     random requests of a run
#   BENCH_RATIO=2       how far LZ4 brings the pages down
#   BENCH_DIR=/var/tmp  where pages and mounts lie
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
bin=${VDRIVE_BIN:-$(dirname "$(dirname "$here")")/build/release/bin}
rounds=${BENCH_ROUNDS:-5}
mib=${BENCH_DISK_MIB:-256}
ops=${BENCH_OPS:-20000}
ratio=${BENCH_RATIO:-2}

die() {
	echo "bench: $*" >&2
	exit 1
}

((EUID == 0)) || die "loop devices and zram need root"
for tool in "$bin/vdrive" "$bin/bench_disk"; do
	[[ -x $tool ]] || die "$tool is missing: ./run build"
done
for tool in qemu-storage-daemon nbdkit nbdfuse fusermount3; do
	command -v "$tool" >/dev/null || die "$tool is missing"
done

work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/vdrive-bench.XXXXXX") || die "cannot make a folder to work in"
export VDRIVE_RUNTIME_DIR=$work/run
declare -A disk pid mounts
zram=

clean_up() {
	local p m
	trap - EXIT
	"$bin/vdrive" detach --all 2>/dev/null
	for m in "${mounts[@]}"; do fusermount3 -u -z "$m" 2>/dev/null; done
	for p in "${pid[@]}"; do kill "$p" 2>/dev/null; done
	wait
	if [[ -n $zram ]]; then
		echo 1 >"/sys/block/zram$zram/reset"
		echo "$zram" >/sys/class/zram-control/hot_remove
	fi
	rm -f "/dev/shm/vdrive-bench.$$"
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -m 700 "$VDRIVE_RUNTIME_DIR"

wait_for() {
	local i
	for ((i = 0; i < 250; i++)); do
		[[ $(stat -c %s "$1" 2>/dev/null) == $((mib << 20)) ]] && return
		sleep 0.02
	done
	die "$2 does not start"
}

# The peers. Each has a disk of the same size, and all are there at the same time.

start_vdrive() {
	"$bin/vdrive" ramdisk --name lz4 "${mib}M" >/dev/null || die "vdrive does not start"
	"$bin/vdrive" ramdisk --name plain --store mem "${mib}M" >/dev/null || die "vdrive does not start"
	disk[vdrive-lz4-file]=$VDRIVE_RUNTIME_DIR/lz4/disk
	disk[vdrive-lz4-loop]=$(sed -n 's/^device=//p' "$VDRIVE_RUNTIME_DIR/lz4.state")
	disk[vdrive-mem-file]=$VDRIVE_RUNTIME_DIR/plain/disk
	disk[vdrive-mem-loop]=$(sed -n 's/^device=//p' "$VDRIVE_RUNTIME_DIR/plain.state")
}

start_qsd() {
	truncate -s "${mib}M" "/dev/shm/vdrive-bench.$$" || die "no room in /dev/shm"
	touch "$work/qsd"
	qemu-storage-daemon --blockdev "driver=file,node-name=f,filename=/dev/shm/vdrive-bench.$$" \
		--export "type=fuse,id=e,node-name=f,mountpoint=$work/qsd,writable=on" >/dev/null 2>"$work/qsd.log" &
	pid[qsd]=$!
	mounts[qsd]=$work/qsd
	wait_for "$work/qsd" qemu-storage-daemon
	disk[qsd-raw-file]=$work/qsd
}

start_nbdkit() {
	local name=$1
	shift
	touch "$work/$name"
	nbdfuse "$work/$name" --command nbdkit -s memory "${mib}M" "$@" >/dev/null 2>"$work/$name.log" &
	pid[$name]=$!
	mounts[$name]=$work/$name
	wait_for "$work/$name" nbdfuse
	disk[$name]=$work/$name
}

start_zram() {
	[[ -e /sys/class/zram-control/hot_add ]] || modprobe zram 2>/dev/null
	[[ -e /sys/class/zram-control/hot_add ]] || { echo "note: no zram on this kernel"; return; }
	zram=$(cat /sys/class/zram-control/hot_add)
	echo lz4 >"/sys/block/zram$zram/comp_algorithm"
	echo "${mib}M" >"/sys/block/zram$zram/disksize"
	disk[zram-lz4]=/dev/zram$zram
}

rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$1/status"; }

# MiB that the data takes.
memory_of() {
	case $1 in
	vdrive-lz4-*) awk '{ printf "%d", $3 / 1048576 }' "$VDRIVE_RUNTIME_DIR/lz4/attr/mm_stat" ;;
	vdrive-mem-*) awk '{ printf "%d", $3 / 1048576 }' "$VDRIVE_RUNTIME_DIR/plain/attr/mm_stat" ;;
	qsd-raw-file) echo $(($(stat -c %b "/dev/shm/vdrive-bench.$$") / 2048)) ;;
	nbdkit-*) rss "$(pgrep -P "${pid[$1]}" -x nbdkit || echo "${pid[$1]}")" ;;
	zram-lz4) awk '{ printf "%d", $3 / 1048576 }' "/sys/block/zram$zram/mm_stat" ;;
	esac
}

measure() { timeout 900 "$bin/bench_disk" "$@" || die "measuring failed: $*"; }

median() { sort -n | awk '{ a[NR] = $1 } END { printf "%.6g %.6g %.6g\n", NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2, a[1], a[NR] }'; }

echo "scratch disks in memory, $rounds rounds in turn; median (lowest-highest)"
echo "$(nproc) CPUs, Linux $(uname -r), load $(cut -d ' ' -f 1 /proc/loadavg)"
got=$(measure pages "$work/pages" 64 "$ratio" /usr/lib /usr/bin /usr/share) || exit 1
echo "64 MiB of real pages from /usr, LZ4 $got:1 page by page; $mib MiB on each disk, opened with O_DIRECT"

start_vdrive
start_qsd
start_nbdkit nbdkit-mem
start_nbdkit nbdkit-zstd allocator=zstd
start_zram
order=(vdrive-lz4-file vdrive-lz4-loop vdrive-mem-file vdrive-mem-loop qsd-raw-file nbdkit-mem nbdkit-zstd)
[[ -n $zram ]] && order+=(zram-lz4)

# Page by page ratios of two series of the same rounds.
against() {
	paste -d ' ' "$work/$1.$3" "$work/$2.$3" | awk '{ print $1 / $2 }' | median
}

verdicts=() goals=0 reached=0
verdict() {
	local r
	goals=$((goals + 1))
	read -ra r < <(against "$1" "$2" "$3")
	if awk "BEGIN { exit !(${r[0]} >= $4) }"; then
		reached=$((reached + 1))
		verdicts+=("$(printf 'bench: reached      %s, %s against %s: %.2f (%.2f-%.2f), goal %s' "$3" "$1" "$2" "${r[@]}" "$4")")
	else
		verdicts+=("$(printf 'bench: NOT reached  %s, %s against %s: %.2f (%.2f-%.2f), goal %s' "$3" "$1" "$2" "${r[@]}" "$4")")
	fi
}

figure() {
	local name=$1 unit=$2 round peer args n
	shift 2
	for peer in "${order[@]}"; do : >"$work/$peer.$name"; done
	for ((round = 0; round < rounds; round++)); do
		for peer in "${order[@]}"; do
			args=("$1" "${disk[$peer]}" "$work/pages" "$mib" "${@:2}")
			measure "${args[@]}" >>"$work/$peer.$name" || exit 1
		done
	done
	printf '\n%s, %s\n' "$name" "$unit"
	for peer in "${order[@]}"; do
		read -ra n < <(median <"$work/$peer.$name")
		printf '  %-18s %9.0f (%.0f-%.0f)\n' "$peer" "${n[@]}"
	done
}

figure write-1M MB/s fill
figure read-1M MB/s seq
figure read-4K-depth-1 requests/s read "$ops" 1
figure write-4K-depth-1 requests/s write "$ops" 1
figure read-4K-depth-32 requests/s read "$ops" 32
figure write-4K-depth-32 requests/s write "$ops" 32

printf '\nmemory for %s MiB, in MiB\n' "$mib"
for peer in "${order[@]}"; do printf '  %-18s %9s\n' "$peer" "$(memory_of "$peer")"; done

for op in read write; do
	verdict vdrive-lz4-file qsd-raw-file $op-4K-depth-32 2
	verdict vdrive-lz4-file nbdkit-zstd $op-4K-depth-32 5
done
echo
printf '%s\n' "${verdicts[@]}"
echo "bench: $reached of $goals goals reached"
