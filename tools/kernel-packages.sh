# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Debian's packages of a kernel, fetched and unpacked into the cache. Sourced by
# tools/kernel, which sets arch, kernel, name, suites, compiler and thing (what messages
# call it), and by tools/guest-root and tools/emulator.

# use_index: sets apt, the options of apt's commands, and index, its directory
use_index()
{
	local suite archive

	apt=(-q -o APT::Sandbox::User=root)
	index=/var/lib/apt
	if [[ $suites != host ]]; then
		# A package index of our own, so that the system's does not change.
		index=$cache/apt/$name
		mkdir -p "$index"/{lists,archives}/partial
		for suite in ${suites//,/ }; do
			archive=debian
			[[ $suite != *-security ]] || archive=debian-security
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
				"http://deb.debian.org/$archive $suite main"
		done >"$index/sources.list"
		apt+=(-o Dir::Etc::SourceList="$index/sources.list" -o Dir::Etc::SourceParts=/dev/null
			-o Dir::State="$index" -o Dir::Cache="$index" -o Dir::State::Status=/dev/null)
		# The programs that build modules are of this machine.
		[[ $arch == amd64 ]] ||
			apt+=(-o APT::Architecture="$arch" -o APT::Architectures::="$arch"
				-o APT::Architectures::=amd64 -o Acquire::Languages=none)
	fi
}

versions()
{
	apt-cache "${apt[@]}" madison "$1" 2>/dev/null |
		awk -F ' *[|] *' -v k="${kernel%%-*}." 'index($2, k) == 1 { print $2 }'
}

has() { [[ -n $(apt-cache "${apt[@]}" show "$1" 2>/dev/null || :) ]]; }

depends()
{
	apt-cache "${apt[@]}" show "$1" 2>/dev/null | sed -n 's/^Depends: //p' | tr ',' '\n'
}

# The newest image that headers of the same version exist for: the two come
# from different source packages, and one may be ahead.
newest_stock()
{
	local version abi meta=linux-image-$arch${kernel#"${kernel%%-*}"}

	for version in $(versions "$meta"); do
		abi=$(depends "$meta=$version" |
			sed -n 's/^ *linux-image-\([^ ]*\).*/\1/p')
		if has "linux-image-$abi=$version" && has "linux-headers-$abi=$version"; then
			echo "$version $abi"
			return
		fi
	done
}

newest_source() { versions "linux-source-$kernel" | sed -n 1p; }

# Renews the package index, unless another run does so meanwhile: apt-get does not wait
# for another apt-get that updates. tools/deps renews the system's index.
update()
{
	local before fd index_lock=$repo/tools/deps

	before=$(stat -c %y "$index/lists")
	if [[ $suites != host ]]; then
		index_lock=$cache/lock/index-$name
		mkdir -p "$cache/lock"
		: >>"$index_lock"
	fi
	exec {fd}<"$index_lock"
	flock "$fd"
	[[ $(stat -c %y "$index/lists") != "$before" ]] || renew
	exec {fd}<&-
}

renew()
{
	[[ $suites != host ]] || ((EUID == 0)) ||
		die "the package index does not serve for $thing: run apt-get update as root"
	say "updating the package index"
	apt-get "${apt[@]}" update >&2 || die "apt-get update failed"
}

# resolve WHAT: its newest version, as the first word of a line. Asking apt takes
# a second, so its answer is kept for as long as its index stays the same.
resolve()
{
	local newest known=$cache/known/$name-$1

	if [[ -s $known && $known -nt $index/lists ]]; then
		cat "$known"
		return
	fi
	newest=$("newest_$1")
	if [[ -z $newest ]]; then
		update
		newest=$("newest_$1")
	fi
	[[ -n $newest ]] || die "apt offers no $1 packages of $thing"
	mkdir -p "${known%/*}"
	# By a rename: an interrupted run leaves no part of it.
	echo "$newest" >"$known.$$"
	mv "$known.$$" "$known"
	echo "$newest"
}

# Is there an entry of the cache that can be used? A stock kernel's tools are
# looked at; sources are moved into their place when they are complete.
usable_stock() { [[ -s $1/image && -s $1/release ]] && sound "$1"; }
usable_source() { [[ -d $1 ]]; }

# obtain WHAT ENTRY: makes the cache entry ENTRY-VERSION by unpack_WHAT from the
# packages that packages_WHAT names, and prints it. If the archive no longer has a
# package of the index, the index is renewed once. An entry is made elsewhere, and
# moved into its place when it is usable; an unusable entry is made anew.
obtain()
{
	local what=$1 newest entry work attempt

	for attempt in 1 2; do
		newest=$(resolve "$what")
		entry=$2-${newest%% *}
		! "usable_$what" "$entry" || break
		lock "${entry##*/}"
		! "usable_$what" "$entry" || break

		need ca-certificates xz-utils
		say "fetching ${thing% *} ${newest%% *}, $what"
		work=$cache/tmp/${entry##*/}
		rm -rf "$work"
		mkdir -p "$work/new" "${entry%/*}"
		"packages_$what" "$newest" >"$work/packages"
		if (cd "$work" && xargs apt-get "${apt[@]}" download <packages) >&2; then
			"unpack_$what" "$work" "$entry" "$newest"
			"usable_$what" "$work/new" || die "${thing% *} ${newest%% *} cannot be used"
			replace "$entry" "$work"
			break
		fi
		((attempt == 1)) || die "could not fetch $what packages of $thing"
		update
	done
	echo "$entry"
}

# replace ENTRY WORK: moves WORK/new to ENTRY, and an older ENTRY out of the way.
replace()
{
	if [[ -e $1 ]]; then
		say "replacing $1, which is broken"
		mv "$1" "$2/old"
	fi
	mv "$2/new" "$1"
	rm -r "$2"
}

packages_stock()
{
	local version=${1% *} abi=${1#* }

	printf '%s\n' "linux-image-$abi=$version" "linux-headers-$abi=$version"
	depends "linux-headers-$abi=$version" |
		sed -n -e "s/^ *\(linux-headers-[^ ]*\).*/\1=$version/p" \
			-e "s/^ *\(linux-kbuild-[^ ]*\).*/\1:amd64=$version/p"
	# As of 7.2 the image is an empty package that wants these.
	depends "linux-image-$abi=$version" |
		sed -n "s/^ *\(linux-\(base\|binary\|modules\)-[^ ]*\).*/\1=$version/p"
}

unpack_stock()
{
	local work=$1 entry=$2 abi=${3#* } root=$1/new/root package image

	# The kernel's objtool wants libelf.
	need kmod libelf1
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$root"
	done
	# As of 7.2 all of it is below /usr/lib/modules, the image too.
	[[ -d $root/lib ]] || ln -s usr/lib "$root/lib"
	image=$root/lib/modules/$abi/vmlinuz
	[[ -e $image ]] || image=$(find "$root/boot" -name "vmlinu[xz]-$abi")
	depmod -b "$root" "$abi"

	# Its Makefile names the common part by an absolute path.
	sed -i "s|/usr/src/|$entry/root/usr/src/|" "$root/usr/src/linux-headers-$abi/Makefile"
	echo "$abi" >"$work/new/release"
	echo "$compiler" >"$work/new/compiler"
	uncompressed "$image" >"$work/new/image"
	ln -s "root/usr/src/linux-headers-$abi" "$work/new/build"
	ln -s "root/lib/modules/$abi" "$work/new/modules"
	borrow_libc "$work/new" borrow "$work"
}

# borrow WORK: unpacks the C library of the kernel's own release.
borrow()
{
	mkdir -p "$1/libc"
	(cd "$1/libc" && apt-get "${apt[@]}" download libc6:amd64) >&2
	dpkg-deb -x "$1"/libc/*.deb "$1/new/libc"
}

# The kernel that a bzImage unpacks at boot, at the offset in its header. The last four
# bytes there are its length. Other images are not compressed.
uncompressed()
{
	local image=$1 sectors offset length unpack

	if [[ $(od -An -tx1 -j 0x202 -N 4 "$image") != ' 48 64 72 53' ]]; then
		cat "$image"
		return
	fi
	sectors=$(od -An -tu1 -j 0x1f1 -N 1 "$image")
	read -r offset length < <(od -An -tu4 -j 0x248 -N 8 "$image")
	offset=$(((sectors + 1) * 512 + offset))
	case $(od -An -tx1 -j "$offset" -N 4 "$image") in
	' fd 37 7a 58') unpack=xz ;;
	' 28 b5 2f fd') unpack=zstd ;;
	*) die "unknown compression of $image" ;;
	esac
	need "${unpack/%xz/xz-utils}"
	dd if="$image" bs=1M iflag=skip_bytes,count_bytes status=none \
		skip="$offset" count=$((length - 4)) | $unpack -dc
}

packages_source() { echo "linux-source-$kernel=$1"; }

unpack_source()
{
	say "unpacking linux-source-$kernel"
	dpkg-deb --fsys-tarfile "$1"/*.deb |
		tar -xO "./usr/src/linux-source-$kernel.tar.xz" |
		tar -xJ --strip-components=1 -C "$1/new"
}
