#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# kernel.sh SERIES: makes sure that the newest kernel of a series is in the cache, and prints the name of its directory.
# Nothing is installed, and root is not needed unless apt's lists are missing or stale. A series is
#
#   6.12         Debian's own
#   6.12-debug   Debian's source (linux-source-6.12), built with config/debug.config: takes 10 minutes on two processors
#   6.12-um      the same with config/um.config: User Mode Linux
#
#   vmlinuz, release      the kernel, and the name it has for itself (uname -r)
#   lib/modules/RELEASE   what guests may load: block devices, file systems, SCSI and what they need; no sound, no network
#   build                 what modules are built against: make -C DIRECTORY/build M=...
#
# A directory is in the cache whole or not at all: it is made beside, then renamed. Whoever reads one holds the lock of its
# series shared (vm.sh), whoever makes one holds it alone; older ones of the series are then removed. When the archive
# cannot be reached, an older one is better than none, and that is said.
set -euo pipefail
export LC_ALL=C.UTF-8

series=${1:?usage: kernel.sh SERIES}
here=$(cd "$(dirname "$0")" && pwd)
cache=${VDRIVE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vdrive}
home=$cache/kernel-$series
modules=(arch block crypto fs lib mm drivers/ata drivers/block drivers/cdrom drivers/char drivers/dax drivers/md drivers/scsi
	drivers/target drivers/uio drivers/virtio)
number=${series%-*} flavour=
[[ $series != *-* ]] || flavour=${series#*-}

die() {
	echo "kernel.sh: $*" >&2
	exit 1
}

get() {
	apt-get -q -o APT::Sandbox::User=root download "$@" >&2
}

# "PACKAGE VERSION" of the newest one, by apt's lists; of equals, the signed one, which is what people run. Asking takes
# seconds, so the answer is kept as long as the lists are the same.
newest() {
	local names=linux-source-$number kept=$home/newest

	if [[ -s $kept && $kept -nt /var/lib/apt/lists ]]; then
		cat "$kept"
		return
	fi
	if [[ -z $flavour ]]; then
		names=$(apt-cache search --names-only "^linux-image-${number//./\\.}\\." |
			awk '{ print $1 }' |
			grep -E "^linux-image-${number//./\\.}\.[0-9]+(-[0-9]+|\+deb[0-9]+)-amd64(-unsigned)?\$") || return
	fi
	# shellcheck disable=SC2086 # one word each
	apt-cache show --no-all-versions $names |
		awk '/^Package: / { name = $2 } /^Version: / { print name, $2 }' |
		sort -k2,2V -k1,1r | tail -n 1 | tee "$kept"
}

# What it is built with is a part of the name of one that is built here; of another one, what is taken from it.
directory_of() {
	local suffix

	suffix=_$(sha256sum <<<"${modules[*]}" | cut -c 1-12)
	[[ -z $flavour ]] || suffix=_$(cat "$here/config/$flavour.config" "$here/kernel_build.sh" | sha256sum | cut -c 1-12)
	echo "$home/${1/ /_}$suffix"
}

is_there() {
	[[ -n $1 && -e $(directory_of "$1")/build ]]
}

# headers DIRECTORY RELEASE VERSION: what modules are built against. Three packages, unpacked side by side: their links are
# relative, only one path is not.
headers() {
	local new=$1 version=$3 main=linux-headers-$2 name names deb

	names=$(apt-cache show "$main=$version" | sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n' |
		sed -n 's/^ *\(linux-headers-[^ ]*-common\|linux-kbuild-[^ ]*\).*/\1/p') || return
	for name in $main $names; do
		(cd "$new" && get "$name=$version") || return
	done
	for deb in "$new"/linux-{headers,kbuild}-*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --no-same-owner --wildcards \
			--exclude './usr/share' --exclude './usr/src/linux-headers-*-common/arch/[a-tv-wyz]*' \
			--exclude './usr/src/linux-headers-*/vmlinux' || die "$deb: cannot be unpacked"
		rm "$deb"
	done
	sed -i 's,^include /usr/src/,include $(dir $(lastword $(MAKEFILE_LIST)))../,' "$new/usr/src/$main/Makefile" &&
		ln -s "usr/src/$main" "$new/build" || die "$main: is not as expected"
}

# In a subshell. Returns non-zero when the archive does not give it; anything else that goes wrong ends all.
download() {
	local name=$1 release patterns=() folder

	rm -rf "$home"/.new.*
	new=$(mktemp -d "$home/.new.XXXXXX") || die "no temporary directory"
	# Of the subshell that this runs in; hence $new is not local.
	trap 'rm -rf "$new"' EXIT
	echo "kernel.sh: downloading $name" >&2
	(cd "$new" && get "${name/ /=}") || return
	if [[ -n $flavour ]]; then
		echo "kernel.sh: building $name, $flavour" >&2
		"$here/kernel_build.sh" "$new"/*.deb "$here/config/$flavour.config" "$new" >&2 ||
			die "$name: cannot be built"
		rm "$new"/*.deb
	else
		for folder in "${modules[@]}"; do patterns+=("./lib/modules/*/kernel/$folder/*"); done
		dpkg-deb --fsys-tarfile "$new"/*.deb | tar -x -C "$new" --no-same-owner --wildcards \
			'./boot/vmlinuz-*' './lib/modules/*/modules.*' "${patterns[@]}" || die "$name: cannot be unpacked"
		release=$(cd "$new/boot" && echo vmlinuz-*) && release=${release#vmlinuz-} &&
			rm "$new"/*.deb &&
			mv "$new/boot/vmlinuz-$release" "$new/vmlinuz" &&
			rmdir "$new/boot" &&
			echo "$release" >"$new/release" || die "$name: is not as expected"
		headers "$new" "$release" "${name#* }" || return
		# Its complaints are about symbols of modules that were left out.
		depmod -b "$new" "$release" 2>/dev/null || die "$name: depmod failed"
	fi
	rm -rf "$(directory_of "$name")"
	chmod 755 "$new" && mv -T "$new" "$(directory_of "$name")" || die "$name: cannot be put into the cache"
}

# The newest of those that are there.
fallback() {
	local dir

	dir=$(find "$home" -mindepth 1 -maxdepth 1 -name 'linux-*' -printf '%T@ %p\n' |
		sort -n | tail -n 1 | cut -d ' ' -f 2-)
	[[ -n $dir && -e $dir/build ]] || return
	echo "kernel.sh: $1; going on with ${dir##*/}, which is in the cache" >&2
	echo "$dir"
}

command -v apt-get >/dev/null || die "kernels come from Debian's archive: apt-get is needed"
[[ $(uname -m) == x86_64 ]] || die "guests are for x86_64 only"
[[ -z $flavour || -e $here/config/$flavour.config ]] || die "there is no config/$flavour.config"
mkdir -p "$home"
exec 9>"$home/lock"
flock -w 3600 9 || die "$home/lock: somebody else has held it for an hour"

name=$(newest) || name=
if ! is_there "$name" && ! { [[ -n $name ]] && (download "$name"); }; then
	# No lists, or the archive has a newer one than they know of.
	if ((EUID == 0)); then apt-get -q update >&2 || true; fi
	rm -f "$home/newest"
	name=$(newest) || name=
	is_there "$name" || { [[ -n $name ]] && (download "$name"); } || name=
fi
if [[ -n $name ]]; then
	dir=$(directory_of "$name")
else
	dir=$(fallback "the archive has no Linux $series, or cannot be reached") ||
		die "no Linux $series: apt-cache knows none, or it cannot be downloaded"
fi
find "$home" -mindepth 1 -maxdepth 1 -type d ! -name "${dir##*/}" -exec rm -rf {} +
echo "$dir"
