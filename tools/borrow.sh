# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The programs among the tools of a kernel's headers, and the C library that they
# run with. Sourced by tools/kernel.
#
# A kernel of a newer release has tools that want a newer C library than this
# system's. A TOOL that does is renamed to TOOL.borrower, and TOOL becomes a script that
# runs it with a library which is kept beside the kernel.

loader=ld-linux-x86-64.so.2

# programs DIRECTORY: the paths of all programs below it.
programs()
{
	# By the four bytes that each begins with, in the locale of bytes.
	LC_ALL=C find "$1" -type f -perm -u+x -exec grep -qs $'^\x7fELF' {} \; -print
}

# lacks_libc COMMAND...: does the loader, asked by this command about a program, miss a
# version of the C library? grep reads the answer when it is complete: "grep -q" at the
# end of a pipe ends while the loader still writes, and pipefail then takes the
# loader's end by SIGPIPE for a no.
lacks_libc()
{
	local said

	said=$("$@" 2>&1) || :
	grep -q 'GLIBC_.*not found' <<<"$said"
}

# wrap TOOL LIBRARIES: makes it run with the C library in that directory. The path is
# relative to the script, since the entry will be moved.
wrap()
{
	local tool=$1 way

	way=$(realpath --relative-to="${tool%/*}" "$2")
	cat >"$tool.new" <<-END
		#!/bin/sh
		libc=\${0%/*}/$way
		exec "\$libc/$loader" --library-path "\$libc" "\$0.borrower" "\$@"
	END
	chmod +x "$tool.new"
	mv "$tool" "$tool.borrower"
	mv "$tool.new" "$tool"
}

# borrow_libc ENTRY COMMAND...: wraps the programs below ENTRY/root/usr that lack a
# version of the C library, unless they are wrapped. COMMAND... is run once if
# there are any, to unpack the library of their own release into ENTRY/libc.
borrow_libc()
{
	local entry=$1 libc=$1/libc/usr/lib/x86_64-linux-gnu tool tools
	shift

	tools=$(programs "$entry/root/usr")
	while read -r tool; do
		[[ $tool && $tool != *.borrower ]] || continue
		lacks_libc ldd "$tool" || continue
		[[ -e $libc/$loader ]] || "$@"
		wrap "$tool" "$libc"
	done <<<"$tools"
}

# wrapped TOOL: is it the script that wrap() writes, for a program that then has
# the C library it wants?
wrapped()
{
	local libc

	libc=$(sed -n 's|^libc=\${0%/\*}/||p' "$1") 2>/dev/null
	libc=${1%/*}/$libc
	# Written by earlier versions of this, with the path in it.
	[[ -e $libc/$loader ]] ||
		libc=$(sed -n "s|^exec \(/.*\)/$loader --library-path .*|\1|p" "$1") 2>/dev/null
	[[ -x $1 && -e $libc/$loader ]] &&
		! lacks_libc "$libc/$loader" --library-path "$libc" --list "$1.borrower"
}

# faults ENTRY: the tools of a kernel in the cache that cannot run, with why.
faults()
{
	local entry=$1 tool found=0 tools

	tools=$(programs "$entry/root/usr")
	while read -r tool; do
		[[ $tool ]] || continue
		found=$((found + 1))
		case $tool in
		*.borrower.borrower) echo "$tool: wrapped twice" ;;
		*.borrower) wrapped "${tool%.borrower}" || echo "$tool: badly wrapped" ;;
		*) ! lacks_libc ldd "$tool" || echo "$tool: lacks a C library" ;;
		esac
	done <<<"$tools"
	((found)) || echo "$entry: has no tools"
}

# sound ENTRY: can the tools of a kernel in the cache run? Names the tools that cannot.
# Looks at them only if something changed since they were last found sound, which is
# the time of ENTRY/sound.
sound()
{
	local entry=$1 changed found

	if [[ -e $entry/sound ]]; then
		changed=$(find "$entry"/root/usr/lib/linux-kbuild-* -newer "$entry/sound" -print -quit) ||
			changed=all
		[[ $changed ]] || return 0
	fi
	found=$(faults "$entry")
	if [[ $found ]]; then
		say "$found"
		return 1
	fi
	touch "$entry/sound"
}
