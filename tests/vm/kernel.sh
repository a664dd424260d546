#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# kernel.sh SERIES: makes sure that Debian's newest kernel of a series, such as 6.12, is in the cache, and prints the
# name of its directory. Nothing is installed, and root is not needed unless apt's lists are missing or stale.
#
#   vmlinuz, release      the kernel, and the name it has for itself (uname -r)
#   lib/modules/RELEASE   what guests may load: block devices, file systems, SCSI and what they need; no sound, no network
#
# A directory is in the cache whole or not at all: it is made beside, then renamed. Whoever reads one holds the cache's
# lock shared (vm.sh), whoever makes one holds it alone; older ones of the series are then removed. When the archive cannot
# be reached, an older one is better than none, and that is said.
set -euo pipefail
export LC_ALL=C.UTF-8

series=${1:?usage: kernel.sh SERIES}
cache=${VDRIVE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vdrive}
modules=(arch block crypto fs lib mm drivers/block drivers/cdrom drivers/char drivers/dax drivers/md drivers/scsi
	drivers/target drivers/uio drivers/virtio)

die() {
	echo "kernel.sh: $*" >&2
	exit 1
}

# "PACKAGE VERSION" of the newest one, by apt's lists; of equals, the signed one, which is what people run. Asking takes
# seconds, so the answer is kept as long as the lists are the same.
newest() {
	local names kept=$cache/kernel-$series/newest

	if [[ -s $kept && $kept -nt /var/lib/apt/lists ]]; then
		cat "$kept"
		return
	fi
	names=$(apt-cache search --names-only "^linux-image-${series//./\\.}\\." |
		awk '{ print $1 }' |
		grep -E "^linux-image-${series//./\\.}\.[0-9]+(-[0-9]+|\+deb[0-9]+)-amd64(-unsigned)?\$") || return
	# shellcheck disable=SC2086 # one word each
	apt-cache show --no-all-versions $names |
		awk '/^Package: / { name = $2 } /^Version: / { print name, $2 }' |
		sort -k2,2V -k1,1r | tail -n 1 | tee "$kept"
}

directory_of() {
	echo "$cache/kernel-$series/${1/ /_}"
}

# In a subshell. Returns non-zero when the archive does not give it; anything else that goes wrong ends all.
download() {
	local name=$1 release patterns=() folder

	rm -rf "$cache/kernel-$series"/.new.*
	new=$(mktemp -d "$cache/kernel-$series/.new.XXXXXX") || die "no temporary directory"
	# Of the subshell that this runs in; hence $new is not local.
	trap 'rm -rf "$new"' EXIT
	echo "kernel.sh: downloading $name" >&2
	(cd "$new" && apt-get -q -o APT::Sandbox::User=root download "${name/ /=}") >&2 || return
	for folder in "${modules[@]}"; do patterns+=("./lib/modules/*/kernel/$folder/*"); done
	dpkg-deb --fsys-tarfile "$new"/*.deb | tar -x -C "$new" --no-same-owner --wildcards \
		'./boot/vmlinuz-*' './lib/modules/*/modules.*' "${patterns[@]}" || die "$name: cannot be unpacked"
	release=$(cd "$new/boot" && echo vmlinuz-*) && release=${release#vmlinuz-} &&
		rm "$new"/*.deb &&
		mv "$new/boot/vmlinuz-$release" "$new/vmlinuz" &&
		rmdir "$new/boot" &&
		echo "$release" >"$new/release" &&
		# Its complaints are about symbols of modules that were left out.
		depmod -b "$new" "$release" 2>/dev/null &&
		chmod 755 "$new" &&
		mv -T "$new" "$(directory_of "$name")" || die "$name: cannot be put into the cache"
}

# The newest of those that are there.
fallback() {
	local dir

	dir=$(find "$cache/kernel-$series" -mindepth 1 -maxdepth 1 -name 'linux-image-*' -printf '%T@ %p\n' |
		sort -n | tail -n 1 | cut -d ' ' -f 2-)
	[[ -n $dir ]] || return
	echo "kernel.sh: $1; going on with ${dir##*/}, which is in the cache" >&2
	echo "$dir"
}

command -v apt-get >/dev/null || die "kernels come from Debian's archive: apt-get is needed"
[[ $(uname -m) == x86_64 ]] || die "guests are for x86_64 only"
mkdir -p "$cache/kernel-$series"
exec 9>"$cache/lock"
flock -w 900 9 || die "$cache/lock: somebody else has held it for 15 minutes"

name=$(newest) || name=
dir=$(directory_of "$name")
if [[ -z $name || ! -d $dir ]] && ! { [[ -n $name ]] && (download "$name"); }; then
	# No lists, or the archive has a newer one than they know of.
	if ((EUID == 0)); then apt-get -q update >&2 || true; fi
	if name=$(newest) && [[ -n $name ]]; then
		dir=$(directory_of "$name")
		[[ -d $dir ]] || (download "$name") || dir=
	else
		dir=
	fi
	[[ -n $dir ]] || dir=$(fallback "the archive has no Linux $series, or cannot be reached") ||
		die "no Linux $series: apt-cache knows none, or it cannot be downloaded"
fi
find "$cache/kernel-$series" -mindepth 1 -maxdepth 1 -type d ! -name "${dir##*/}" -exec rm -rf {} +
echo "$dir"
