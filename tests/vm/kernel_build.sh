#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# kernel_build.sh DEB CONFIG OUTPUT: builds a kernel from the package of Debian's source and puts into a directory what
# kernel.sh says. CONFIG has the options that are not n; each must be in the result. Names that this source does not know are
# an error too, unless they are in a line "# not in 6.1: CONFIG_X".
set -euo pipefail
export LC_ALL=C.UTF-8

deb=$1 config=$2 output=$3
work=$(mktemp -d "$output/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree
arch=x86 image=arch/x86/boot/bzImage
[[ ${config##*/} != um.config ]] || arch=um image=linux

die() {
	echo "kernel_build.sh: $*" >&2
	exit 1
}

# Without what is for other processors and devices, which is most of it. Kconfig and make read their files of all.
mkdir "$tree"
dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' |
	tar -xJ -C "$tree" --strip-components=1 --wildcards --exclude='*/Documentation/[a-z]*' --exclude='*.dts*' \
		--exclude='*/arch/[a-tv-wyz]*/*.[chS]' --exclude='*/arch/xtensa/*.[chS]' \
		--exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*/*.[ch]' --exclude='*/drivers/media/*.[ch]' \
		--exclude='*/sound/*.[ch]' --exclude='*/tools/testing/*' --exclude='*/tools/perf/*' ||
	die "$deb: cannot be unpacked"
cd "$tree"
series=$(make -s kernelversion | cut -d . -f 1-2)
make -s ARCH=$arch KCONFIG_ALLCONFIG="$config" allnoconfig
while read -r line; do
	grep -qxF "$line" .config || grep -qF "# not in $series: ${line%%=*}" "$config" || die "$line has no effect"
done < <(grep '^CONFIG_' "$config")

# Nobody reads this, nor does the build depend on who does it where.
export KBUILD_BUILD_USER=vdrive KBUILD_BUILD_HOST=vdrive
make -s ARCH=$arch -j "$(nproc)" ${image##*/} modules
make -s ARCH=$arch INSTALL_MOD_PATH="$work/root" modules_install
release=$(<include/config/kernel.release)
cp $image "$output/vmlinuz"
strip --strip-debug "$output/vmlinuz" 2>/dev/null || true
mkdir -p "$output/lib/modules"
rm -f "$work/root/lib/modules/$release"/{build,source}
mv "$work/root/lib/modules/$release" "$output/lib/modules/"
echo "$release" >"$output/release"

# What modules are built against: the headers, and the programs that the build uses.
mkdir "$output/build"
kept=(.config Module.symvers Makefile include scripts "arch/$arch" arch/x86 tools/objtool/objtool)
for path in "${kept[@]}"; do
	if [[ -e $path ]]; then echo "$path"; fi
done | sort -u | tar -c --exclude='*.o' --exclude='*.a' --exclude='*.c' --exclude='*.S' --exclude='*.cmd' \
	--exclude='vmlinux*' --exclude='*/boot/*' -T - | tar -x -C "$output/build"
# A source that is a part of each module, in later kernels.
if [[ -e scripts/module-common.c ]]; then cp scripts/module-common.c "$output/build/scripts/"; fi
