#!/vm/busybox sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=dash
#
# What a guest does from its start to its end: it makes a small system, runs the programs of /vm/programs one after
# another and reports on the second serial port, in lines that begin with a word (vm.sh reads them):
#
#   @boot RELEASE              the system is there
#   @module NAME               could not be loaded
#   @start NAME
#   | TEXT                     a line that the program wrote, at once
#   @left NAME TEXT            what it left behind: a process, mount, loop device, swap, zram, file
#   @end NAME STATUS SECONDS   STATUS is "timeout" when it had to be killed
#   @tainted NUMBER            /proc/sys/kernel/tainted, after the last program
#   @bye
#
# Kernel messages go to the first port, with the same @start and @end lines among them.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
port=/dev/ttyS1

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs -o mode=755 devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +cpu' >/sys/fs/cgroup/cgroup.subtree_control
ln -s /proc/self/fd /dev/fd
# What init and libmount make when they are first used.
: >/run/utmp
mkdir /run/mount
hostname vdrive-guest
ip link set lo up
stty -F $port raw -echo
# A task that waits this long for a disk in memory waits for ever.
echo 60 >/proc/sys/kernel/hung_task_timeout_secs

report() {
	echo "$*" >$port
}

mark() {
	report "$*"
	echo "vdrive-vm: $*" >/dev/kmsg
}

while read -r module; do
	/usr/sbin/modprobe "$module" || report "@module $module"
done </vm/modules
mount -t fusectl fusectl /sys/fs/fuse/connections
# As udev's rule has it; there is no udev here.
chmod 666 /dev/fuse

# Processes of user space, by number and name, but those of this script. Debian's busybox runs its own applets first, so
# what only others can do is called by its path here.
processes() {
	ls -l /proc/[0-9]*/exe 2>/dev/null | awk -F '/proc/|/exe -> ' '$3 != "" && $3 != "/vm/busybox" { print "process " $2 " " $3 }'
}

system() {
	local file

	processes
	awk '{ print "mount " $5 }' /proc/self/mountinfo
	awk 'NR > 1 { print "swap " $1 }' /proc/swaps
	for file in /sys/block/loop*/loop/backing_file; do
		[ -e "$file" ] && echo "loop device of $(cat "$file")"
	done
	for file in /sys/block/zram*/disksize; do
		[ -e "$file" ] && [ "$(cat "$file")" != 0 ] && echo "zram $file"
	done
	for file in /tmp/* /tmp/.[!.]* /run/* /dev/shm/*; do
		[ -e "$file" ] && echo "file $file"
	done
}

# What ends a moment after the program did is not left.
left_behind() {
	local try=0

	while :; do
		system | grep -vxFf /vm/before >/vm/left || return
		try=$((try + 1))
		[ $try -lt 15 ] || return
		usleep 200000
	done
}

# The next program begins as this one did.
clean_up() {
	local kind rest pid

	while read -r kind rest; do
		pid=${rest%% *}
		case $kind in
		process) kill -KILL "$pid" ;;
		swap) swapoff "$rest" ;;
		mount) umount -l "$rest" ;;
		file) /usr/bin/rm -rf --one-file-system "$rest" ;;
		esac
	done </vm/left
	# After the mounts.
	/usr/sbin/losetup -D
}

# run NAME SECONDS COMMAND...
run() {
	local name=$1 limit=$2 start pid watcher reader status
	shift 2

	mark "@start $name"
	system >/vm/before
	rm -f /vm/pipe /vm/timeout
	mkfifo /vm/pipe
	while IFS= read -r line || [ -n "$line" ]; do echo "| $line"; done </vm/pipe >$port &
	reader=$!
	start=$(cut -d . -f 1 /proc/uptime)
	setsid "$@" >/vm/pipe 2>&1 </dev/null 3<&- &
	pid=$!
	(
		sleep "$limit" &
		sleeper=$!
		trap 'kill $sleeper; exit' TERM
		wait $sleeper
		: >/vm/timeout
		# Where everything stands, into the kernel's log.
		echo w >/proc/sysrq-trigger
		kill -KILL -$pid
	) &
	watcher=$!
	wait $pid
	status=$?
	kill $watcher
	wait $watcher
	[ -e /vm/timeout ] && status=timeout
	left_behind
	# What hangs together with the program is not told from what it left.
	while read -r line; do report "@left $name $line"; done </vm/left
	[ -s /vm/left ] && clean_up
	wait $reader
	mark "@end $name $status $(($(cut -d . -f 1 /proc/uptime) - start))"
}

mark "@boot $(uname -r)"
tab=$(printf '\t')
while IFS= read -r line <&3; do
	IFS=$tab
	set -f
	# The fields are: program, name, seconds, path, arguments.
	# shellcheck disable=SC2086
	set -- $line
	set +f
	unset IFS
	shift
	run "$@"
done 3</vm/programs
report "@tainted $(cat /proc/sys/kernel/tainted)"
report "@bye"
sync
