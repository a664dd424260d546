#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# initramfs.sh MANIFEST KERNEL-DIRECTORY OUTPUT [MODULES]: a guest's root, from this machine's packages, a kernel's modules and
# those in a directory, as an uncompressed cpio archive (an emulated processor would take longer to unpack it than QEMU does
# to load it). The manifest is described in vm.sh.
set -euo pipefail
export LC_ALL=C.UTF-8

manifest=$1 kernel=$2 output=$3 extra=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
release=$(<"$kernel/release")
# All programs of these; busybox stands in for the rest of a system.
packages=(coreutils dash diffutils e2fsprogs findutils fuse3 grep kmod mawk mount procps sed util-linux)

die() {
	echo "initramfs.sh: $*" >&2
	exit 1
}

root=$(mktemp -d -t vdrive-root.XXXXXX)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{usr/{bin,sbin,lib,lib64,local/bin},dev,etc,proc,root,run,sys,tmp,mnt,var,vm}
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
ln -s ../run "$root/var/run"

# Files keep their names, so that paths compiled into a test hold; links are followed.
put() {
	local file

	for file; do
		mkdir -p "$root/$(dirname "$file")"
		cp -L --remove-destination --preserve=mode "$file" "$root/$file" || die "$file: cannot be copied"
	done
}

# Programs, and the libraries that they load.
wanted=()
cp "$(command -v busybox)" "$root/vm/busybox"
if ldd "$root/vm/busybox" >/dev/null 2>&1; then die "busybox is not static: busybox-static is needed"; fi
while read -r applet; do ln -s ../../vm/busybox "$root/usr/bin/$applet"; done < <("$root/vm/busybox" --list)
ln -s vm/busybox "$root/init"
for package in "${packages[@]}"; do
	while read -r file; do [[ -f $file ]] && wanted+=("$file"); done < <(dpkg -L "$package" | grep -E '^(/usr)?/s?bin/.')
done
modules=(fuse loop) loadable=() ours=()
while IFS=$'\t' read -r -a line; do
	case ${line[0]:-} in
	program) wanted+=("${line[3]}") ;;
	file) wanted+=("${line[1]}") ;;
	tool) wanted+=("$(command -v "${line[1]}")") || die "there is no ${line[1]}" ;;
	module) modules+=("${line[1]}") ;;
	loadable) loadable+=("${line[1]}") ;;
	drives) modules+=(ata_piix virtio_pci virtio_scsi sr_mod) ;;
	'' | '#'*) ;;
	*) die "$manifest: what is '${line[0]}'?" ;;
	esac
done <"$manifest"
put "${wanted[@]}"
# ldd says "not a dynamic executable" of scripts and static programs, and fails for them.
libraries=$({ ldd "${wanted[@]}" 2>/dev/null || true; } |
	awk '/not found/ { print "missing:" $1 } $2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u)
[[ $libraries != *missing:* ]] || die "a library is missing: $libraries"
# shellcheck disable=SC2086 # one word each
put $libraries
# Whoever makes this, root owns it in the guest.
chmod 4755 "$root"/usr/bin/{fusermount3,mount,umount}
ln -sf dash "$root/usr/bin/sh"

# Modules, with what they need. Those that are named are loaded, others of the folder come on demand.
mkdir -p "$root/usr/lib/modules/$release/updates"
if [[ -n $extra ]]; then
	for file in "$extra"/*.ko; do
		cp "$file" "$root/usr/lib/modules/$release/updates/"
		ours+=("$(basename "$file" .ko)")
		mapfile -t -O ${#loadable[@]} loadable < <(modinfo -F depends "$file" | tr ',' '\n' | grep .)
	done
fi
for module in "${modules[@]}" "${loadable[@]}"; do
	[[ " ${ours[*]} " == *" $module "* ]] && continue
	modprobe -d "$kernel" -S "$release" --show-depends "$module" || die "$release has no module $module"
done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
	target=$root/usr/${file#"$kernel"/}
	mkdir -p "${target%/*}"
	cp "$file" "$target"
done
cp "$kernel/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$root/usr/lib/modules/$release/"
depmod -b "$root" "$release"
printf '%s\n' "${modules[@]}" >"$root/vm/modules"

# A machine's least configuration.
cat >"$root/etc/passwd" <<-END
	root:x:0:0:root:/root:/bin/sh
	daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
	games:x:5:60:games:/usr/games:/usr/sbin/nologin
	nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
cat >"$root/etc/group" <<-END
	root:x:0:
	daemon:x:1:
	disk:x:6:
	cdrom:x:24:
	games:x:60:
	nogroup:x:65534:
END
echo "passwd: files
group: files" >"$root/etc/nsswitch.conf"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
: >"$root/etc/fuse.conf"
: >"$root/etc/fstab"
ln -s /proc/self/mounts "$root/etc/mtab"
# Once, then a reset, which ends QEMU (-no-reboot): not each kernel can turn its machine off. busybox's init reaps orphans meanwhile.
printf '%s\n' '::sysinit:/vm/guest.sh' '::wait:/vm/busybox reboot -f' >"$root/etc/inittab"
cp "$here/guest.sh" "$root/vm/guest.sh"
chmod 755 "$root/vm/guest.sh" "$root/vm/busybox"
grep '^program' "$manifest" >"$root/vm/programs" || die "$manifest names no program"

(cd "$root" && find . -mindepth 1 -print0 | sort -z | cpio --quiet --null -o -H newc -R +0:+0) >"$output.new"
mv "$output.new" "$output"
