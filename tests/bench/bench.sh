#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Figures for mounted ISO images, side by side with fuseiso: the same images, the same loops, in turn; and of UDF beside the
# ISO 9660 part of the same image. How to read them: README.md beside this file.
# Usage: ./run bench [FIGURE...], where a figure is stat, read, seq, rand, mount or udf.
#
#   BENCH_ROUNDS=5          pairs of runs a figure
#   BENCH_FILES=10000       files of the trees that are walked
#   BENCH_FILE_MAX=262144   bytes of one of them at most
#   BENCH_BIG_MIB=1024      size of the large file
#   BENCH_READS=20000       random reads of a run
#   BENCH_MOUNT_FILES=100000   files of the image whose mount is timed
#   BENCH_DIR=/var/tmp      where all of it lies meanwhile (up to 5 GiB); on a disk, or nothing can be cold
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
bin=${VDRIVE_BIN:-$(dirname "$(dirname "$here")")/build/release/bin}
rounds=${BENCH_ROUNDS:-5}
files=${BENCH_FILES:-10000}
file_max=${BENCH_FILE_MAX:-262144}
big_mib=${BENCH_BIG_MIB:-1024}
reads=${BENCH_READS:-20000}
mount_files=${BENCH_MOUNT_FILES:-100000}
peers=(vdrive fuseiso)

die() {
	echo "bench: $*" >&2
	exit 1
}

for tool in "$bin/vdrive" "$bin/bench_measure" "$bin/bench_tree"; do
	[[ -x $tool ]] || die "$tool is missing: ./run build"
done
for tool in fuseiso xorriso genisoimage; do
	command -v "$tool" >/dev/null || die "$tool is missing: it is in the Debian package of that name"
done
for name in rounds files file_max big_mib reads mount_files; do
	[[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name must be a number, not ${!name}"
done

wanted=("$@")
((${#wanted[@]})) || wanted=(stat read seq rand mount udf)
for name in "${wanted[@]}"; do
	[[ $name =~ ^(stat|read|seq|rand|mount|udf)$ ]] || die "no such figure: $name (stat read seq rand mount udf)"
done
is_wanted() { [[ " ${wanted[*]} " == *" $1 "* ]]; }

work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/vdrive-bench.XXXXXX") || die "cannot make a folder to work in"
mnt=$work/mnt
export VDRIVE_RUNTIME_DIR=$work/run
mounted=

clean_up() {
	trap - EXIT
	[[ -n $mounted ]] && unmount "$mounted"
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -m 700 "$mnt" "$VDRIVE_RUNTIME_DIR"

# Mounting. A peer is mounted anew for each run, so that the kernel remembers nothing of it.

mount_command() {
	case $1 in
	vdrive) command=("$bin/vdrive" mount --name bench "$2" "$mnt") ;;
	udf | iso9660) command=("$bin/vdrive" mount --name bench -o "$1" "$2" "$mnt") ;;
	fuseiso) command=(fuseiso -n "$2" "$mnt") ;;
	esac
}

unmount() {
	local i
	case $1 in
	vdrive | udf | iso9660) "$bin/vdrive" umount "$mnt" ;;
	fuseiso) if ((EUID)); then fusermount3 -u "$mnt"; else umount "$mnt"; fi ;;
	esac || die "cannot unmount $1"
	mounted=
	# The process may need a moment more, and would take CPU time from the next one.
	for ((i = 0; i < 100; i++)); do
		[[ -z $(daemon_of "$1") ]] && return
		sleep 0.02
	done
	die "$1 still runs after its unmount"
}

# The processes that serve the mount.
daemon_of() {
	local dir args pid state
	case $1 in
	vdrive | udf | iso9660)
		pid=$(sed -n 's/^keeper=//p' "$VDRIVE_RUNTIME_DIR/bench.state" 2>/dev/null)
		[[ -n $pid && -e /proc/$pid ]] || return 0
		echo "$pid" "$(cat "/proc/$pid/task/$pid/children")"
		;;
	fuseiso)
		for dir in /proc/[0-9]*; do
			pid=${dir#/proc/}
			{ mapfile -d '' args <"$dir/cmdline"; } 2>/dev/null || continue
			[[ ${args[0]-} == fuseiso && ${args[-1]} == "$mnt" ]] && echo "$pid"
		done
		;;
	esac
	return 0
}

measure() { timeout 600 "$bin/bench_measure" "$@" || die "measuring failed: $*"; }

# run_once PEER IMAGE MEASURE-ARG...: one cold mount; @mnt stands for the mount. Leaves seconds cpu count bytes.
run_once() {
	local peer=$1 image=$2 pids=() pid line
	shift 2
	mount_command "$peer" "$image"
	"${command[@]}" || die "$peer cannot mount"
	mounted=$peer
	for pid in $(daemon_of "$peer"); do pids+=(-p "$pid"); done
	((${#pids[@]})) || die "cannot find the process of $peer"
	line=$(measure "${pids[@]}" "${@//@mnt/$mnt}") || exit 1
	unmount "$peer"
	read -r seconds cpu count bytes <<<"$line"
}

# The image in the page cache, or out of it.
warm_image() {
	local percent
	percent=$(measure warm "$1") || exit 1
	[[ $percent == 100.0 ]] || echo "note: only $percent % of ${1##*/} stays in memory"
}

drop_image() {
	local percent
	percent=$(measure drop "$1") || exit 1
	awk -v p="$percent" 'BEGIN { exit !(p < 1) }'
}

# Sums.

# pairs FILE: lines of two peers' numbers to "median min max" of each and of their ratio, nine numbers.
pairs() {
	awk '
	function sort(a, n,   i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && a[j - 1] > a[j]; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
	}
	function out(a, n) {
		sort(a, n)
		printf "%.6g %.6g %.6g ", n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2, a[1], a[n]
	}
	{ n++; v[n] = $1 + 0; f[n] = $2 + 0; r[n] = $2 ? $1 / $2 : 0 }
	END { out(v, n); out(f, n); out(r, n); print "" }' "$1"
}

verdicts=() reached=0 goals=0
# verdict LABEL TEXT GOAL-TEXT CONDITION
verdict() {
	goals=$((goals + 1))
	if awk "BEGIN { exit !($4) }"; then
		reached=$((reached + 1))
		verdicts+=("bench: reached      $1: $2 (goal $3)")
	else
		verdicts+=("bench: NOT reached  $1: $2 (goal $3)")
	fi
}

heading() {
	printf '\n%s\n' "$1"
	printf '  %-26s %-26s %-26s %-20s %5s  %s\n' "" "${peers[@]}" "ratio, pair by pair" goal \
		"CPU of the daemons"
}

# figure LABEL IMAGE warm|cold GOAL UNIT MEASURE-ARG...: GOAL is a ratio, or - where there is none.
figure() {
	local label=$1 image=$2 state=$3 goal=$4 unit=$5 round peer n c cpu_unit
	shift 5
	: >"$work/rates"
	: >"$work/costs"
	for ((round = 0; round < rounds; round++)); do
		for peer in "${peers[@]}"; do
			if [[ $state == cold ]] && ! drop_image "$image"; then
				printf '  %-26s not measured: the image stays in memory\n' "$label"
				return
			fi
			run_once "$peer" "$image" "$@"
			case $unit in
			MB/s) n=$bytes/1e6 c=1073741824/$bytes ;;
			*) n=$count c=1e6/$count ;;
			esac
			awk "BEGIN { printf \"%.6g \", $n / $seconds }" >>"$work/rates"
			awk "BEGIN { printf \"%.6g \", $cpu * $c }" >>"$work/costs"
		done
		echo >>"$work/rates"
		echo >>"$work/costs"
	done
	read -ra n < <(pairs "$work/rates")
	read -ra c < <(pairs "$work/costs")
	cpu_unit="us each"
	[[ $unit == MB/s ]] && cpu_unit="s/GiB"
	printf '  %-26s %-26s %-26s %-20s %5s  %.3g against %.3g %s\n' "$label" \
		"$(printf '%.0f (%.0f-%.0f)' "${n[@]:0:3}") $unit" "$(printf '%.0f (%.0f-%.0f)' "${n[@]:3:3}")" \
		"$(printf '%.2f (%.2f-%.2f)' "${n[@]:6:3}")" "$goal" "${c[0]}" "${c[3]}" "$cpu_unit"
	[[ $goal == - ]] || verdict "$label" "$(printf '%.2f' "${n[6]}") x fuseiso" "$goal" "${n[6]} >= $goal"
}

# Images.

make_image() {
	xorriso -as mkisofs -quiet -r -o "$1" "$2" 2>"$work/xorriso.log" && return
	cat "$work/xorriso.log"
	die "xorriso cannot make an image"
}

# check IMAGE TREE: nobody is measured that gives wrong answers.
check() {
	local peer good sum
	good=$(measure sum "$2") || exit 1
	for peer in "${peers[@]}"; do
		mount_command "$peer" "$1"
		"${command[@]}" || die "$peer cannot mount"
		mounted=$peer
		sum=$(measure sum "$mnt") || exit 1
		unmount "$peer"
		if [[ $sum == "$good" ]]; then
			continue
		fi
		[[ $peer != fuseiso ]] && die "vdrive ($peer) shows other files than there are: $sum instead of $good"
		echo "note: $peer shows other files than there are: $sum instead of $good"
	done
	echo "  ${1##*/}: $(set -- $good; echo "$1 entries, $(($2 / 1048576)) MiB"), names and bytes checked"
}

tree() { "$bin/bench_tree" "$@" || die "cannot make a tree of files"; }

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
echo "vdrive and fuseiso, $rounds rounds in turn; median (lowest-highest)"
echo "$(nproc) CPUs ($cpu), Linux $(uname -r), load $(cut -d ' ' -f 1 /proc/loadavg), as $(id -un)"
awk -v n="$(nproc)" '{ exit !($1 > n / 2) }' /proc/loadavg &&
	echo "note: other programs are busy on this machine: trust the ratios, not the rates"
echo "== images, from files of /usr"
if is_wanted stat || is_wanted read; then
	tree files "$work/folders" "$files" 100 "$file_max"
	make_image "$work/folders.iso" "$work/folders"
	check "$work/folders.iso" "$work/folders"
	tree files "$work/flat" "$files" 0 "$file_max"
	make_image "$work/flat.iso" "$work/flat"
	check "$work/flat.iso" "$work/flat"
	rm -rf "$work/folders" "$work/flat"
fi
if is_wanted seq || is_wanted rand; then
	mkdir "$work/big"
	tree big "$work/big/big.bin" $((big_mib << 20))
	make_image "$work/big.iso" "$work/big"
	check "$work/big.iso" "$work/big"
	rm -rf "$work/big"
fi
if is_wanted mount; then
	tree files "$work/many" "$mount_files" $((mount_files > 1000 ? 1000 : mount_files)) 1024
	make_image "$work/many.iso" "$work/many"
	check "$work/many.iso" "$work/many"
	deep=$(cd "$work/many" && find . -type f | sort | tail -n 1)
	rm -rf "$work/many"
fi

if is_wanted stat || is_wanted read; then
	for image in folders flat; do
		text="100 folders"
		[[ $image == flat ]] && text="one folder"
		for state in warm cold; do
			goals_of=(2.0 1.5)
			[[ $state == cold ]] && goals_of=(- -)
			heading "$files small files in $text, cold mount, image in memory: $([[ $state == warm ]] && echo yes || echo no)"
			[[ $state == warm ]] && warm_image "$work/$image.iso"
			is_wanted stat && figure "stat all, $text" "$work/$image.iso" $state "${goals_of[0]}" files/s stat @mnt
			is_wanted read && figure "read all, $text" "$work/$image.iso" $state "${goals_of[1]}" files/s read @mnt
		done
	done
fi
if is_wanted seq || is_wanted rand; then
	for state in warm cold; do
		heading "One file of $big_mib MiB, cold mount, image in memory: $([[ $state == warm ]] && echo yes || echo no)"
		goals_of=(1.0 1.5)
		[[ $state == cold ]] && goals_of=(- -)
		[[ $state == warm ]] && warm_image "$work/big.iso"
		is_wanted seq && figure "sequential, 1 MiB" "$work/big.iso" $state "${goals_of[0]}" MB/s seq @mnt/big.bin
		if is_wanted rand; then
			figure "random 4 KiB, 1 thread" "$work/big.iso" $state "${goals_of[1]}" reads/s \
				rand @mnt/big.bin "$reads" 1
			figure "random 4 KiB, 8 threads" "$work/big.iso" $state - reads/s rand @mnt/big.bin "$reads" 8
			figure "random 4 KiB, 32 threads" "$work/big.iso" $state - reads/s rand @mnt/big.bin "$reads" 32
		fi
	done
fi
if is_wanted mount; then
	for state in warm cold; do
		printf '\nMount of an image of %s files, in ms, image in memory: %s\n' "$mount_files" \
			"$([[ $state == warm ]] && echo yes || echo no)"
		[[ $state == warm ]] && warm_image "$work/many.iso"
		for peer in "${peers[@]}"; do : >"$work/times.$peer"; done
		for ((round = 0; round < rounds; round++)); do
			for peer in "${peers[@]}"; do
				if [[ $state == cold ]] && ! drop_image "$work/many.iso"; then
					echo "  not measured: the image stays in memory"
					break 2
				fi
				mount_command "$peer" "$work/many.iso"
				mounted=$peer
				measure mount "$mnt/$deep" "$(dirname "$mnt/$deep")" "${command[@]}" \
					>>"$work/times.$peer" || exit 1
				unmount "$peer"
			done
		done
		[[ -s $work/times.fuseiso ]] || continue
		step=0
		for label in "the mount command" "then stat of a deep file" "then the first readdir" "stat + readdir" "all of it"; do
			step=$((step + 1))
			for peer in "${peers[@]}"; do
				awk -v n=$step '{ print n < 4 ? $n : n == 4 ? $2 + $3 : $1 + $2 + $3 }' "$work/times.$peer" \
					>"$work/column.$peer"
			done
			paste -d ' ' "$work/column.vdrive" "$work/column.fuseiso" >"$work/rates"
			read -ra n < <(pairs "$work/rates")
			printf '  %-26s vdrive %-26s fuseiso %-26s\n' "$label" "$(printf '%.2f (%.2f-%.2f)' "${n[@]:0:3}")" \
				"$(printf '%.2f (%.2f-%.2f)' "${n[@]:3:3}")"
			[[ $state == warm && $step == 4 ]] &&
				verdict "first answers after mount" "$(printf '%.1f' "${n[0]}") ms" "50 ms" "${n[0]} < 50"
		done
	done
fi
if is_wanted udf; then
	peers=(udf iso9660)
	tree files "$work/both" "$files" 100 "$file_max"
	# genisoimage writes no colon into UDF.
	find "$work/both" -name '*:*' | while read -r name; do mv "$name" "${name//:/-}"; done
	genisoimage -quiet -input-charset utf-8 -udf -R -o "$work/both.iso" "$work/both" 2>"$work/genisoimage.log" ||
		die "genisoimage cannot make an image: $(tail -n 1 "$work/genisoimage.log")"
	check "$work/both.iso" "$work/both"
	rm -rf "$work/both"
	heading "$files small files in 100 folders, UDF beside Rock Ridge in the same image, cold mount, image in memory: yes"
	warm_image "$work/both.iso"
	figure "stat all, 100 folders" "$work/both.iso" warm - files/s stat @mnt
	figure "read all, 100 folders" "$work/both.iso" warm - files/s read @mnt
	rm "$work/both.iso"
	tree files "$work/many" "$mount_files" $((mount_files > 1000 ? 1000 : mount_files)) 1024
	genisoimage -quiet -input-charset utf-8 -udf -R -o "$work/many.iso" "$work/many" 2>"$work/genisoimage.log" ||
		die "genisoimage cannot make an image: $(tail -n 1 "$work/genisoimage.log")"
	deep=$(cd "$work/many" && find . -type f ! -name '*:*' | sort | tail -n 1)
	rm -rf "$work/many"
	warm_image "$work/many.iso"
	for peer in "${peers[@]}"; do : >"$work/times.$peer"; done
	for ((round = 0; round < rounds; round++)); do
		for peer in "${peers[@]}"; do
			mount_command "$peer" "$work/many.iso"
			mounted=$peer
			measure mount "$mnt/$deep" "$(dirname "$mnt/$deep")" "${command[@]}" \
				>>"$work/times.$peer" || exit 1
			unmount "$peer"
			awk '{ print $2 + $3 }' "$work/times.$peer" >"$work/column.$peer"
		done
	done
	paste -d ' ' "$work/column.udf" "$work/column.iso9660" >"$work/rates"
	read -ra n < <(pairs "$work/rates")
	printf '  %-26s %-26s %-26s\n' "$mount_files files: first answers" "$(printf '%.2f (%.2f-%.2f) ms' "${n[@]:0:3}")" \
		"$(printf '%.2f (%.2f-%.2f) ms' "${n[@]:3:3}")"
	verdict "UDF, first answers after mount" "$(printf '%.1f' "${n[0]}") ms" "100 ms" "${n[0]} < 100"
fi

echo
printf '%s\n' "${verdicts[@]}"
echo "bench: $reached of $goals goals reached"
