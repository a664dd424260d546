#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Figures for memdrive, zram beside it in the same run, in User Mode Linux, whose kernel code runs as fast as this machine
# does. See ../README.md.
#
#   BENCH_ROUNDS=9      rounds in which all peers have a turn
#   BENCH_MIB=32        MiB of pages in each set
#   BENCH_DIR=/var/tmp  where pages and modules lie
#   VDRIVE_BIN=...      where the programs are, build/release/bin
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
bin=${VDRIVE_BIN:-$root/build/release/bin}
vm=$root/tests/vm/vm.sh
rounds=${BENCH_ROUNDS:-9} mib=${BENCH_MIB:-32}
pages=$((mib * 256))

work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/vdrive-bench.XXXXXX")
started=()
clean_up() {
	((${#started[@]} == 0)) || kill -KILL "${started[@]}" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
	echo "bench: $*" >&2
	exit 1
}

kernel=$("$root/tests/vm/kernel.sh" 6.12-um) || die "no User Mode Linux"
release=$(<"$kernel/release")
"$vm" module 6.12-um "$root/kernel" "$work/memdrive" >"$work/log" || { cat "$work/log"; die "memdrive does not build"; }
"$vm" module 6.12-um "$here" "$work/pagebench" >"$work/log" || { cat "$work/log"; die "pagebench does not build"; }

# Pages.
sets=()
for ratio in 2 3; do
	got=$("$bin/bench_disk" pages "$work/files-$ratio" "$mib" "$ratio" /usr/lib /usr/bin /usr/share)
	echo "$mib MiB of real files' pages, LZ4 $got:1"
	sets+=("files-$ratio=$work/files-$ratio")
done

# dump NAME SECONDS COMMAND...: the pages of a process that has run for so long, and of what it started.
dump() {
	local name=$1 seconds=$2 pid one got all=0
	shift 2

	setsid "$@" </dev/null >/dev/null 2>&1 &
	pid=$!
	disown
	started+=("$pid")
	sleep "$seconds"
	for one in $(pgrep -s "$pid"); do
		kill -STOP "$one" 2>/dev/null || continue
		got=$("$bin/bench_anon" "$one" "$work/anonymous" $((pages / 4)) 2>/dev/null) || got=0
		all=$((all + got))
		kill -KILL "$one" 2>/dev/null || true
	done
	started=()
	echo "$all anonymous pages of $name"
}

command -v python3 >/dev/null && dump python3 6 python3 -c '
import ast, glob, json, time
trees = [ast.parse(open(f, errors="replace").read()) for f in sorted(glob.glob("/usr/lib/python3*/*.py"))[:60]]
texts = [json.loads(json.dumps({"name": n, "at": [i, i * 3.5], "of": str(n) * 3})) for i, n in enumerate(dir(ast) * 200)]
time.sleep(1000)'
command -v node >/dev/null && dump node 6 node -e '
const fs = require("fs"), all = [];
for (const f of fs.readdirSync("/usr/bin").slice(0, 2000)) all.push({ name: f, size: f.length * 3.25, words: f.split("").map((c) => c + f) });
const text = JSON.stringify(all); global.kept = [all, JSON.parse(text), text]; setTimeout(() => 0, 1e6)'
command -v perl >/dev/null && dump perl 6 perl -e '
for $f (glob("/usr/share/perl/*/*.pm /usr/share/perl/*/*/*.pm")) { open F, $f or next; while (<F>) { $w{$_}{$f}++ for split } }
sleep 1000'
dump gcc 3 sh -c "while :; do for f in $root/lib/*/*.c; do gcc -O2 -g -I$root -I$root/lib -S -o /dev/null \$f; done; done"
sets+=("anonymous=$work/anonymous")

# The guest: this machine's root, read-only.
cat >"$work/init" <<-END
	#!/bin/sh
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs devtmpfs /dev
	modprobe -a -d $kernel -S $release zram $(modinfo -F depends "$work/memdrive/memdrive.ko" | tr ',' ' ')
	insmod $work/memdrive/memdrive.ko
	insmod $work/pagebench/pagebench.ko
	$bin/bench_memdrive $rounds ${sets[*]}
	echo "bench: ended with \$?"
	busybox poweroff -f
END
chmod 755 "$work/init"
echo "Linux $release, one processor, $rounds rounds"
"$kernel/vmlinuz" mem=$((mib * 16 + 256))M root=/dev/root rootfstype=hostfs rootflags=/ ro quiet con=none con0=null,fd:1 \
	init="$work/init" </dev/null 2>"$work/log" | tr -d '\r' |
	sed -u '/^setup_one_line failed/d; /^Using a channel type/d' | tee "$work/out" || true
grep -qx 'bench: ended with 0' "$work/out" || { cat "$work/log"; die "the guest did not come to its end"; }
