# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Functions that the scripts here share.

set -Eeuo pipefail
shopt -s inherit_errexit
trap 'failed $? "$LINENO" "$BASH_COMMAND"' ERR

# shellcheck disable=SC2034 # used by those who source this
repo=$(dirname "$(dirname "$(realpath "${BASH_SOURCE[0]}")")")
cache=${CHUNKMOD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/chunkmod}
self=${0##*/}

say() { printf '%s: %s\n' "$self" "$*" >&2; }

die()
{
	say "error: $*"
	exit 125
}

# A command that fails unexpectedly ends the script, with a message; after die() there
# has been one.
failed()
{
	(($1 == 125)) || say "error: status $1 from line $2: $3"
	exit 125
}

# usage: the comment block at the top of the calling script, from "usage:"
usage() { sed -n '/^# usage:/,/^$/ { /^#/!d; s/^# \{0,1\}//; p }' "$0"; }

# Installs those of the packages that are missing.
need() { "$repo/tools/deps" "$@"; }

# compiler_package COMPILER: the package of gcc-N, or of TARGET-gcc-N
compiler_package()
{
	local target=${1%gcc-*}

	target=${target%-}
	echo "${1#"$target-"}${target:+-$target}"
}

# version: that of this tree
version()
(
	# Its lines are for DKMS, which has more variables.
	set +u
	# shellcheck source=/dev/null
	. "$repo/dkms.conf"
	# shellcheck disable=SC2153 # set there
	echo "$PACKAGE_VERSION"
)

# kernel_arch ARCH: the kernel's name of the processor that Debian calls ARCH
kernel_arch()
{
	case $1 in
	amd64) echo x86 ;;
	riscv64) echo riscv ;;
	*) echo "$1" ;;
	esac
}

# tree_files: the files of this tree, new ones too, as paths from its top. Of a release,
# which is no repository of git, all files but those of builds.
tree_files()
{
	local file

	if [[ -e $repo/.git ]]; then
		git -C "$repo" ls-files --cached --others --exclude-standard
	else
		(cd "$repo" && find . -name build -prune -o ! -type d ! -name '*.o' ! -name '*.ko' \
			! -name '*.mod*' ! -name '.*.cmd' ! -name '*.symvers' -printf '%P\n')
	fi | while read -r file; do
		[[ ! -f $repo/$file ]] || echo "$file"
	done
}

# lock NAME: waits for, and holds until the script ends, the lock of that name.
lock()
{
	mkdir -p "$cache/lock"
	exec {lock_fd}>"$cache/lock/$1"
	flock --nonblock "$lock_fd" && return
	say "waiting for another run that is working on $1"
	flock "$lock_fd"
}
