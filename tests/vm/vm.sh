#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Test programs in a guest: QEMU without KVM, 2 processors, 1 GiB, one of kernel.sh's kernels, a root made by initramfs.sh.
#
#   vm.sh fetch SERIES                 gets the kernel, see kernel.sh
#   vm.sh module SERIES SOURCES DIR    builds the modules of a folder of sources into DIR; a warning is an error
#   vm.sh boot SERIES MANIFEST OUT [DIR]
#                                      boots, runs every program of the manifest; fails only when the guest did not start.
#                                      The modules in DIR are among the guest's, for modprobe
#   vm.sh show OUT NAME                what one program printed, and whether it was right; its status is the program's
#   vm.sh end OUT                      did the guest end by itself, with nothing in its kernel's log that must not be there?
#
# Each prints and ends as a program over tests/check.h does, so that ctest and `run` see each as a test. Booting takes
# longer than most programs do, hence one guest for all of them; ctest runs `boot` as the fixture of the others.
#
# The manifest has a line for each thing, with tabs between the words:
#
#   program NAME SECONDS PATH ARG...   is run as root, with so much time (it is at the same path in the guest)
#   file PATH                          a file that they need; with its libraries
#   tool NAME                          one from PATH, beyond the usual ones
#   module NAME                        is loaded beforehand, beyond fuse and loop
#   loadable NAME                      a module that modprobe finds
#   drives                             the guest has optical drives, which their revisions tell apart:
#                                        full    a disc, and READ CD for it (ATAPI)
#                                        user    the same disc, without READ CD
#                                        bad     the same disc, of which sector 300 cannot be read
#                                        none    no disc
#
# In OUT: results (what guest.sh reports), console (the kernel's log), dir (the lines of each), log of QEMU.
# VDRIVE_VM_START is how many seconds a guest has to start (180), which is tried three times; VDRIVE_VM_GRACE what it has for
# each program beyond the program's own limit (60): a guest that is later does not come back.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
cache=${VDRIVE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vdrive}
start_seconds=${VDRIVE_VM_START:-180}
grace_seconds=${VDRIVE_VM_GRACE:-60}
attempts=3

# What a kernel's complaint looks like. Lines that match one of the benign are none; each needs its reason. By
# itself neither kernel says anything of the kind.
complaint='WARNING:|\bBUG\b|Oops|general protection fault|Kernel panic|Call Trace:|INFO: task .* blocked|self-detected stall'
complaint+='|detected stalls|INFO: possible |INFO: inconsistent |KASAN|UBSAN|bad page|refcount_t:'
complaint+='|kmemleak: [0-9]+ new|kmemleak: .*(disabled|not enough)|turning off the locking correctness validator'
complaint+='|I/O error|EXT4-fs error|XFS .*[Cc]orruption'
# - a disc that is taken out while it is read, and what is no data of one (test_optical, test_optical_clients).
benign=('I/O error(,| on) dev sr[0-9]')
# /proc/sys/kernel/tainted: bad page, died, warned, soft lockup.
tainted_mask=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

die() {
	echo "vm.sh: $*" >&2
	exit 1
}

# sum PASSED FAILED: the end of a command that is a test.
sum() {
	echo "# check: $1 passed, $2 failed, 0 skipped"
	exit $(($2 ? 1 : 0))
}

# Of a log on stdin.
complaints() {
	local line one

	grep -aE "$complaint" | while IFS= read -r line; do
		for one in "${benign[@]}"; do
			[[ $line =~ $one ]] && continue 2
		done
		echo "$line"
	done
}

# Without terminal sequences, and the carriage returns of a serial port.
console() {
	tr -d '\r' <"$1/console" | sed 's/\x1b[^a-zA-Z]*[a-zA-Z]//g'
}

fetch() {
	local dir

	dir=$("$here/kernel.sh" "$1") || sum 0 1
	echo "ok $(<"$dir/release")"
	sum 1 0
}

qemu=
stop_qemu() {
	[[ -z $qemu ]] || kill -KILL "$qemu" 2>/dev/null || true
}

# Waits for the guest while it keeps its times. $? tells whether it ended by itself; why not is then in OUT/late.
wait_for_guest() {
	local out=$1 limits=$2 deadline state=start now name line

	deadline=$((SECONDS + start_seconds))
	while kill -0 "$qemu" 2>/dev/null; do
		line=$(grep -aE '^@(boot|start|end|bye)' "$out/results" | tail -n 1) || line=
		now=${line:-start}
		if [[ $now != "$state" ]]; then
			state=$now
			deadline=$((SECONDS + grace_seconds))
			if [[ $now == '@start '* ]]; then
				name=${now#@start }
				deadline=$((deadline + $(awk -F '\t' -v name="$name" '$2 == name { print $3 }' "$limits")))
			fi
		fi
		if ((SECONDS > deadline)); then
			echo "the guest was killed: nothing came for too long after '$state'" >"$out/late"
			stop_qemu
			wait "$qemu" 2>/dev/null || true
			return 1
		fi
		sleep 0.2
	done
	wait "$qemu"
}

# Nobody replaces the kernel while this shell has descriptor 9.
share() {
	exec 9<"$cache/kernel-$1/lock"
	flock -s 9
}

module() {
	local series=$1 sources=$2 out=$3 dir log=$3.log variables=(VDRIVE_TEST_HOOKS=1)

	dir=$("$here/kernel.sh" "$series") || { echo "FAIL kernel"; sum 0 1; }
	share "$series"
	# User Mode Linux is for figures, of what people run.
	[[ $series != *-um ]] || variables=(ARCH=um)
	rm -rf "$out" "$out.build"
	mkdir -p "$out.build"
	cp "$sources"/{*.[ch],Kbuild,Makefile} "$out.build/"
	# The compiler of Debian 12 is the one that it builds its kernels with, whatever make finds its version to be.
	if ! make -C "$dir/build" "${variables[@]}" M="$out.build" KCFLAGS=-Werror -j 2 modules >"$log" 2>&1 ||
		grep -iE 'warning' "$log" | grep -v 'compiler differs' | grep -q .; then
		cat "$log"
		echo "FAIL built"
		sum 0 1
	fi
	mkdir "$out"
	cp "$out.build"/*.ko "$out/"
	rm -rf "$out.build"
	echo "ok built"
	sum 1 0
}

# The options of QEMU for optical drives, one word a line; makes their disc in OUT.
optical_drives() {
	local iso=$1/disc.iso tree=$1/disc

	mkdir "$tree"
	echo "a file on the disc" >"$tree/hello.txt"
	head -c 800000 /dev/urandom >"$tree/random.dat"
	genisoimage -quiet -R -V VDRIVE_CD -o "$iso" "$tree" || return
	rm -r "$tree"
	printf '%s\n' -device virtio-scsi-pci,id=scsi \
		-drive "if=none,id=full,format=raw,readonly=on,file=$iso" \
		-device ide-cd,bus=ide.0,unit=0,drive=full,ver=full \
		-drive "if=none,id=user,format=raw,readonly=on,file=$iso" \
		-device scsi-cd,bus=scsi.0,drive=user,ver=user \
		-drive "if=none,id=bad,readonly=on,driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=$iso,file.inject-error.0.event=none,file.inject-error.0.iotype=read,file.inject-error.0.sector=1200" \
		-device ide-cd,bus=ide.1,unit=0,drive=bad,ver=bad \
		-device ide-cd,bus=ide.1,unit=1,ver=none
}

# start SERIES OUT OPTION...: one run of a guest, from its start to its end, with these options for QEMU. $? as of wait_for_guest.
start() {
	local series=$1 out=$2 status=0

	shift 2
	rm -f "$out/late"
	: >"$out/results"
	# - mitigations=off: the emulated processor flushes its TLB at each system call otherwise;
	# - the kernel's own watchdogs are patient, and it takes for granted that its timer ticks: two cores emulate two, beside other tests.
	setpriv --pdeathsig KILL qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1G \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$out/vmlinuz" -initrd "$out/initramfs" \
		-append "console=ttyS0 panic=-1 oops=panic mitigations=off VDRIVE_VM_SERIES=$series ${VDRIVE_SOAK:+VDRIVE_SOAK=$VDRIVE_SOAK} watchdog_thresh=40 rcupdate.rcu_cpu_stall_timeout=80 no_timer_check" \
		-chardev "file,id=console,path=$out/console" -serial chardev:console \
		-chardev "file,id=results,path=$out/results" -serial chardev:results "$@" \
		</dev/null >"$out/log" 2>&1 &
	qemu=$!
	wait_for_guest "$out" "$out/manifest" || status=$?
	qemu=
	return "$status"
}

boot() {
	local series=$1 manifest=$2 out=$3 extra=${4:-} dir release status=0 drives=() attempt

	rm -rf "$out"
	mkdir -p "$out"
	dir=$("$here/kernel.sh" "$series") || { echo "FAIL boot"; sum 0 1; }
	share "$series"
	release=$(<"$dir/release")
	cp "$manifest" "$out/manifest"
	cp "$dir/vmlinuz" "$out/vmlinuz"
	"$here/initramfs.sh" "$manifest" "$dir" "$out/initramfs" "$extra" || { echo "FAIL boot"; sum 0 1; }
	exec 9<&-
	if grep -qx drives "$manifest"; then
		mapfile -t drives < <(optical_drives "$out")
		((${#drives[@]})) || { echo "FAIL boot"; sum 0 1; }
	fi

	trap stop_qemu EXIT
	trap 'exit 143' TERM INT HUP
	# Nothing of ours runs before the guest reports; a kernel that an emulator loses before that says nothing of us.
	for ((attempt = 1; attempt <= attempts; attempt++)); do
		status=0
		start "$series" "$out" "${drives[@]}" || status=$?
		! grep -aqFx "@boot $release" "$out/results" || break
		echo "vm: attempt $attempt: Linux $release did not get as far as its first program (QEMU ended with $status)"
		cat "$out/log" "$out"/late 2>/dev/null || true
		echo "vm: the end of its log:"
		console "$out" 2>/dev/null | tail -n 60 || true
	done
	echo "$status" >"$out/status"
	rm -f "$out/initramfs" "$out/vmlinuz" "$out/disc.iso"
	if ((attempt > attempts)); then
		echo "FAIL boot"
		sum 0 1
	fi
	echo "ok boot"
	sum 1 0
}

# The kernel's log while a program ran.
dmesg_of() {
	echo "vm: the kernel's log meanwhile:"
	console "$1" | awk -v name="$2" '
		index($0, "vdrive-vm: @start " name) && $NF == name { on = 1 }
		on { print "dmesg: " $0 }
		index($0, "vdrive-vm: @end " name " ") { on = 0 }'
}

show() {
	local out=$1 name=$2 lines ended left status passed failed skipped text

	lines=$(awk -v name="$name" '
		$1 == "@start" { on = $2 == name }
		on { print }
		$1 == "@end" { on = 0 }' "$out/results")
	grep -a '^| ' <<<"$lines" | cut -c 3- | grep -av '^# check: ' || true
	text=$(grep -a '^| # check: ' <<<"$lines" | tail -n 1) || text=
	ended=$(grep -a '^@end ' <<<"$lines") || ended=
	left=$(grep -a '^@left ' <<<"$lines" | cut -d ' ' -f 3-) || left=
	if [[ -z $lines ]]; then
		echo "vm: $name was not reached: the guest was lost before"
		exit 1
	fi
	if [[ -z $ended ]]; then
		echo "vm: the guest was lost while $name ran"
		cat "$out/late" 2>/dev/null || true
		dmesg_of "$out" "$name"
		exit 1
	fi
	read -r _ _ status _ <<<"$ended"
	if [[ $status == timeout ]]; then
		echo "vm: $name took too long and was killed"
		dmesg_of "$out" "$name"
		exit 1
	fi
	if ! [[ $text =~ ^'| # check: '([0-9]+)' passed, '([0-9]+)' failed, '([0-9]+)' skipped'$ ]]; then
		echo "vm: $name ended with $status and without its sum"
		dmesg_of "$out" "$name"
		exit 1
	fi
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]} skipped=${BASH_REMATCH[3]}
	if [[ -n $left ]]; then
		echo "FAIL nothing_left"
		echo "$left"
		failed=$((failed + 1)) status=1
	fi
	if ((failed || (status && status != 77))); then dmesg_of "$out" "$name"; fi
	echo "# check: $passed passed, $failed failed, $skipped skipped"
	exit "$status"
}

end() {
	local out=$1 failed=0 found tainted

	if [[ $(<"$out/status") == 0 ]] && grep -aqx '@bye' "$out/results"; then
		echo "ok came_back"
	else
		echo "FAIL came_back"
		echo "vm: QEMU ended with $(<"$out/status")"
		cat "$out/late" "$out/log" 2>/dev/null || true
		failed=$((failed + 1))
	fi
	found=$(console "$out" | complaints) || found=
	found+=$(grep -a '^@module' "$out/results" | sed 's/^/could not be loaded: /') || true
	tainted=$(sed -n 's/^@tainted //p' "$out/results")
	if ((${tainted:-0} & tainted_mask)); then found+=$'\n'"the kernel is tainted: $tainted"; fi
	if [[ -z $found ]]; then
		echo "ok kernel_log"
	else
		echo "FAIL kernel_log"
		echo "$found"
		failed=$((failed + 1))
	fi
	if ((failed)); then
		echo "vm: the kernel's log:"
		console "$out" | sed 's/^/dmesg: /'
	fi
	sum $((2 - failed)) "$failed"
}

case ${1:-} in
fetch | module | boot | show | end)
	command=$1
	shift
	"$command" "$@"
	exit
	;;
*) die "what to do? see the head of this file" ;;
esac
