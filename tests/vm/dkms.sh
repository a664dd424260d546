#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# dkms.sh SERIES BUILD: does DKMS build what is installed for it from the build directory, for a kernel of the cache? Everything
# happens in a temporary directory. Prints and ends as vm.sh does.
set -euo pipefail
export LC_ALL=C.UTF-8

series=$1 build=$2
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0

finish() {
	echo "# check: $passed passed, $failed failed, 0 skipped"
	exit $((failed ? 1 : 0))
}

check() {
	local name=$1
	shift
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		cat "$dir/log" "$dir"/dkms/memdrive/*/build/make.log 2>/dev/null || true
		echo "FAIL $name"
		failed=$((failed + 1))
		finish
	fi
}

if ((EUID)); then
	echo "SKIP dkms: needs root"
	echo "# check: 0 passed, 0 failed, 1 skipped"
	exit 77
fi
dir=$(mktemp -d -t vdrive-dkms.XXXXXX)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/dkms"
kernel=$("$here/kernel.sh" "$series") || { echo "FAIL kernel"; failed=1; finish; }
# Nobody replaces it meanwhile.
exec 9<"${kernel%/*}/lock"
flock -s 9
release=$(<"$kernel/release")

check installed env DESTDIR="$dir/root" cmake --install "$build" --component dkms
source=$(find "$dir/root" -name dkms.conf -printf '%h')
name=${source##*/}
version=${name#memdrive-}
dkms() {
	command dkms "$@" -m memdrive -v "$version" -k "$release" --sourcetree "${source%/*}" --dkmstree "$dir/dkms"
}
check added dkms add
check built dkms build --kernelsourcedir "$kernel/build"
module=$(find "$dir/dkms/memdrive/$version/$release" -name 'memdrive.ko*') || module=
check module test -n "$module"
check vermagic grep -qx "$release .*" <(modinfo -F vermagic "$module")
# A kernel that the module does not serve is left out, without an error at each update.
check excluded grep -q 'BUILD_EXCLUSIVE' <(command dkms build -m memdrive -v "$version" -k 6.9.1-amd64 \
	--sourcetree "${source%/*}" --dkmstree "$dir/dkms" --kernelsourcedir "$kernel/build" 2>&1 || true)
finish
