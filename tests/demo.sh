#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The demonstration that `./run demo` shows: real discs, mounted and checked file by file without root, and a virtual
# disk that is written to, by a user without privileges (root becomes nobody for that); then, by root, a scratch disk and swap in
# compressed memory.
# VDRIVE_BIN is the folder with vdrive, vdrived and the tests' hog. Needs xorriso, bsdtar, fusermount3, e2fsprogs.
set -u
export LC_ALL=C.UTF-8 TZ=UTC PATH=$PATH:/usr/sbin:/sbin
: "${VDRIVE_BIN:?is the folder that vdrive is in}"

readonly rescue=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
passed=0 failed=0 skipped=0
pids=()

work=$(mktemp -d "${TMPDIR:-/tmp}/vdrive-demo-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT # until there is more to clean up
# The user may not be able to look into the folder that we were built in.
mkdir "$work/bin" "$work/home" && cp "$VDRIVE_BIN/vdrive" "$VDRIVE_BIN/vdrived" "$VDRIVE_BIN/hog" "$work/bin/" || exit 1
mkdir -m 700 "$work/run" || exit 1
chmod 755 "$work" "$work/bin" || exit 1
become=()
who="you ($(id -un), uid $EUID)"
if ((EUID == 0)); then
	chown 65534:65534 "$work/home" "$work/run" || exit 1
	become=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	who="nobody (uid 65534), by setpriv"
fi

# As the user, in the user's folder, with vdrive in PATH.
as_user() {
	(cd "$work/home" && exec "${become[@]}" env -u VDRIVE_RUNTIME_DIR HOME="$work/home" \
		XDG_RUNTIME_DIR="$work/run" PATH="$work/bin:$PATH" "$@" </dev/null)
}

# As root, with a runtime folder of its own.
as_root() {
	(cd "$work/root" && exec env VDRIVE_RUNTIME_DIR="$work/root/run" PATH="$work/bin:$PATH" "$@" </dev/null)
}
runner=as_user prompt='$'

clean_up() {
	trap - EXIT
	as_user vdrive detach --all --lazy >/dev/null 2>&1
	[[ ! -d $work/root ]] || as_root vdrive detach --all --lazy >/dev/null 2>&1
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'echo "interrupted" >&2; exit 130' INT TERM HUP

say() {
	printf '\n%s\n' "$*"
}

ok() {
	passed=$((passed + 1))
	printf '  ok    %s\n' "$*"
}

bad() {
	failed=$((failed + 1))
	printf '  FAIL  %s\n' "$*"
}

# check WORDS COMMAND...: passes when the command succeeds.
check() {
	local words=$1
	shift
	if "$@"; then ok "$words"; else bad "$words"; fi
}

# The same, for a command that may only be heard when it fails.
quietly() {
	"$@" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; return 1; }
}

# run LINES COMMAND...: shows and runs a command as the user would; at most LINES of its output, which stays in $text.
run() {
	local lines=$1 status total
	shift
	printf '  %s %s\n' "$prompt" "$*"
	text=$($runner "$@" 2>&1)
	status=$?
	if [[ -n $text ]]; then
		total=$(wc -l <<<"$text")
		head -n "$lines" <<<"$text" | cut -c 1-150 | sed 's/^/  /'
		((total > lines)) && printf '  ... %d more lines\n' $((total - lines))
	fi
	((status == 0)) || bad "it ended with status $status"
	return $status
}

# One line for everything in a tree: path, type, mode, size and time, or target; then the digest of each file.
manifest() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	as_user sh -euc '
		cd "$1"
		find . -mindepth 1 \( -type f -printf "%P\t%y\t%m\t%s\t%Ts\n" -o -type l -printf "%P\t%y\t%l\n" \
			-o -printf "%P\t%y\t%m\t%Ts\n" \) | sort
		find . -type f -print0 | sort -z | xargs -0 -r sha256sum' sh "$1"
}

# same DIR READER: is what is mounted at DIR what READER made of the image in DIR-by-READER?
same() {
	local dir=$1 reader=$2 a b files bytes
	a=$work/$dir.manifest b=$work/$dir-by-$reader.manifest
	manifest "$dir" >"$a" || { bad "$dir cannot be read"; return; }
	manifest "$dir-by-$reader" >"$b" || { bad "$reader's copy cannot be read"; return; }
	files=$(grep -c -P '\tf\t\d+\t\d+\t-?\d+$' "$a")
	bytes=$(awk -F '\t' '$2 == "f" { n += $4 } END { printf "%.1f", n / 1e6 }' "$a")
	if ((files == 0)); then
		bad "$dir shows no files"
	elif cmp -s "$a" "$b"; then
		ok "$files files, $bytes MB: path, type, mode, size, time, link target and SHA-256 as by $reader"
	else
		bad "$dir is not what $reader reads:"
		diff "$b" "$a" | head -n 10
	fi
}

note_processes() {
	local pid
	for pid in $($runner vdrive list --noheadings -o PID 2>/dev/null); do
		[[ $pid =~ ^[0-9]+$ ]] || continue
		# shellcheck disable=SC2207
		pids+=("$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null))
	done
}

no_mounts() { ! grep -F "$work" /proc/self/mountinfo; }
no_files() { [[ -z $(find "$work/run" "$work/root/run" -mindepth 1 ! -path "$work/run/vdrive" -print 2>/dev/null) ]]; }
no_loops() { ! losetup -a | grep -F "$work"; }
no_swap() { [[ $(</proc/swaps) == "$swaps" ]]; }
no_processes() {
	local pid file words
	((${#pids[@]})) || return 1 # then nobody looked
	for pid in "${pids[@]}"; do
		# A zombie has ended: it waits for an init that takes its time, or in a container never comes.
		grep -q -s '^State:.[^ZX]' "/proc/$pid/status" || continue
		ps -o pid,stat,args -p "$pid"
		return 1
	done
	for file in /proc/[0-9]*/cmdline; do
		mapfile -d '' -t words 2>/dev/null <"$file" || continue
		[[ ${words[0]-} == *vdrived && ${words[*]} == *"$work"* ]] || continue
		echo "  $file: ${words[*]}"
		return 1
	done
}

echo "vdrive without root: every command with a \$ is run by $who."

say "1. A disc that Debian ships (the package grub-rescue-pc)."
if [[ -r $rescue ]]; then
	as_user mkdir rescue rescue-by-xorriso
	run 12 vdrive info "$rescue"
	check "recognised, with its boot entries" [ "$(grep -c -E 'rock ridge|[Bb]oot' <<<"$text")" -gt 1 ]
	run 1 vdrive mount "$rescue" rescue
	run 5 ls rescue
	as_user xorriso -no_rc -indev "$rescue" -osirrox on -extract / rescue-by-xorriso \
		>"$work/log" 2>&1 || bad "xorriso: $(tail -n 1 "$work/log")"
	same rescue xorriso
else
	skipped=$((skipped + 1))
	echo "  skipped: no $rescue (apt-get install grub-rescue-pc)"
fi

say "2. A disc of over 5,000 files of this system, made by xorriso."
trees=() count=0
for tree in /usr/include /usr/share/cmake-* /usr/share/perl /usr/share/zoneinfo /usr/share/doc; do
	[[ -d $tree ]] || continue
	trees+=("/${tree##*/}=$tree")
	count=$((count + $(find "$tree" -type f | wc -l)))
	((count > 6000)) && break
done
check "there are enough files to make it of" [ "$count" -gt 5000 ]
echo "  \$ xorriso -as mkisofs -R -J -graft-points -o system.iso ${trees[*]}"
as_user xorriso -as mkisofs -quiet -R -J -joliet-long -V SYSTEM -graft-points -o system.iso "${trees[@]}" \
	>"$work/log" 2>&1 || bad "xorriso: $(tail -n 1 "$work/log")"
as_user mkdir system system-by-bsdtar
run 1 vdrive mount system.iso system
as_user bsdtar -xpf system.iso -C system-by-bsdtar 2>"$work/log" || bad "bsdtar: $(tail -n 1 "$work/log")"
same system bsdtar
check "of which over 5,000 files" [ "$(grep -c -P '\tf\t' "$work/system.manifest")" -gt 5000 ]

say "3. The same disc raw, with its sheet, and back; then one sector of it is damaged."
if [[ -r $rescue ]]; then
	run 1 vdrive convert "$rescue" raw.cue
	run 2 cat raw.cue
	run 1 vdrive verify raw.cue
	run 1 vdrive convert raw.cue back.iso
	check "what came back is the disc, bit for bit" quietly as_user cmp "$rescue" back.iso
	as_user sh -c 'printf X | dd of=raw.bin bs=1 seek=100000 conv=notrunc status=none'
	echo "  $prompt vdrive verify raw.cue"
	text=$(as_user vdrive verify raw.cue 2>&1)
	status=$?
	sed 's/^/  /' <<<"$text"
	check "the damage is found in sector 42" [ "$status,$(awk 'NR == 3 { print $2 }' <<<"$text")" = 4,42 ]
	text=$(as_user vdrive convert raw.cue damaged.iso 2>&1)
	check "and not copied without being asked: ${text#vdrive convert: }" [ ! -e "$work/home/damaged.iso" ]
else
	skipped=$((skipped + 1))
	echo "  skipped: no $rescue (apt-get install grub-rescue-pc)"
fi

say "4. A virtual disk: a file, attached, with an ext4 file system made on it."
as_user mkdir in out
as_user cp -r /usr/include/linux/. in/
as_user truncate -s 64M disk.img
run 1 vdrive attach disk.img
disk=$work/run/vdrive/disk/disk
run 1 mkfs.ext4 -q -L DEMO -d in "$disk"
run 9 vdrive list
note_processes
run 1 vdrive detach disk
check "what the file disk.img holds is a clean ext4" quietly as_user e2fsck -f -n disk.img
check "debugfs can read it" quietly as_user debugfs -R "rdump / out" disk.img
as_user rmdir out/lost+found
count=$(find "$work/home/in" -type f | wc -l)
check "$count files were put on it" [ "$count" -gt 100 ]
check "what is read back equals what was written, and there is nothing else" quietly as_user diff -r in out

if ((EUID == 0)); then
	say "5. A scratch disk of 1 GiB in compressed memory, with ext4, by root."
	runner=as_root prompt='#'
	mkdir -p "$work/root/scratch" && mkdir -m 700 "$work/root/run" || exit 1
	run 1 vdrive ramdisk 1G scratch
	run 1 cp -a /usr/include/. scratch/
	sync -f "$work/root/scratch"
	note_processes
	run 3 vdrive list -o NAME,TYPE,SIZE,USED,RATIO,MEMORY,ENGINE,DEVICE
	check "it takes less memory than was written" \
		awk 'NR == 2 { exit !($5 > 1.3) }' <<<"$text"
	check "$(find "$work/root/scratch" -type f | wc -l) files equal those of /usr/include" \
		quietly diff -r --no-dereference /usr/include "$work/root/scratch" -x lost+found
	before=$(awk '{ print $3 }' "$work/root/run/ramdisk/attr/mm_stat")
	run 1 find scratch -mindepth 1 -delete
	sync -f "$work/root/scratch"
	given_back() {
		local i
		for ((i = 0; i < 100; i++)); do
			after=$(awk '{ print $3 }' "$work/root/run/ramdisk/attr/mm_stat")
			((after * 20 < before)) && return
			sleep 0.1
		done
		return 1
	}
	check "deleted: over 95 % of the memory is given back" given_back
	run 1 vdrive detach ramdisk

	say "6. Compressed swap, and a process that has four times the memory that it may use."
	swaps=$(</proc/swaps)
	run 1 vdrive swap on 256M
	as_root hog 192 48 >"$work/hog" 2>&1 &
	hog=$!
	for ((i = 0; i < 3000; i++)); do [[ -s $work/hog ]] && break; sleep 0.1; done
	note_processes
	run 3 vdrive swap
	check "most of its pages are swapped out, compressed" awk 'NR == 2 { exit !($4 > 1.2 && $3 + 0 > 64) }' <<<"$text"
	wait "$hog"
	text=$(<"$work/hog")
	check "${text//$'\n'/; }" [ "$(tail -n 1 <<<"$text" | cut -c 1-13)" = "all read back" ]
	run 1 vdrive swap off
	check "nothing swaps that did not before" no_swap
	check "no loop device" no_loops
else
	skipped=$((skipped + 2))
	say "5., 6. Scratch disk and swap are skipped: they need root."
fi
runner=as_user prompt='$'

say "7. Everything is taken down, and nothing is left."
[[ ! -r $rescue ]] || run 1 vdrive umount rescue
run 1 vdrive umount system
check "no drive is listed" [ -z "$(as_user vdrive list --noheadings 2>&1)$([[ ! -d $work/root ]] || as_root vdrive list --noheadings 2>&1)" ]
check "no mount" no_mounts
check "no process of ${#pids[@]}" no_processes
check "no file in the runtime directory" no_files

echo
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
