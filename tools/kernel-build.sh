# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Kernels that are built here: their configuration, and the build. Sourced by
# tools/kernel, which sets arch, kernel, flavour and compiler.

# The options of a kernel built here: those of all, of the processor, of the version, of
# the size of pages ("16k" of 6.12-16k) and of the flavour. Their comments do not count,
# and the last of two lines does.
fragment()
{
	local file version=${kernel%%-*} pages=${kernel#"${kernel%%-*}"}

	for file in debug "debug-$arch" "debug-$version" ${pages:+"debug$pages"} "${flavour/debug/}"; do
		file=$repo/tools/$file.config
		[[ ! -e $file ]] || cat "$file"
	done | awk '/^(# )?CONFIG_/ {
			option = $0
			gsub(/^# |[ =].*/, "", option)
			if (!(option in line))
				order[++count] = option
			line[option] = $0
		}
		END {
			for (i = 1; i <= count; i++)
				print line[order[i]]
		}'
}

# Does this version know an option, for this processor? They come and go.
known()
{
	grep -rqE --include='Kconfig*' --exclude-dir=arch "^\s*(menu)?config ${2#CONFIG_}\$" \
		"$1" "$1/arch/Kconfig" "$1/arch/$(kernel_arch "$arch")/"
}

# Names the lines of the fragment that a configuration of a source does not have.
refused()
{
	local config=$1 source=$2 line symbol

	fragment | while read -r line; do
		symbol=${line#\# } symbol=${symbol%%[ =]*}
		case $line in
		'# '*)
			! grep -q "^$symbol=" "$config" || echo "$line"
			;;
		*)
			grep -qxF "$line" "$config" || ! known "$source" "$symbol" || echo "$line"
			;;
		esac
	done
}

# The functions of tools/debian-exports
debian_exports() { grep -v '^#' "$repo/tools/debian-exports"; }

# without_exports SOURCE DIRECTORY: a copy of a source that exports none of them. All
# other files are the same, by links.
without_exports()
{
	local pattern

	pattern="^EXPORT_SYMBOL(_GPL)?\\(($(debian_exports | paste -sd '|'))\\);"
	cp -al "$1" "$2"
	grep -rlE --include='*.c' "$pattern" "$2"/{fs,ipc,kernel,mm,security} |
		xargs sed -i -E "/$pattern/d"
}

# check_exports SYMVERS: a kernel built here has a zap function for modules if Debian's
# has one.
check_exports()
{
	local exported

	exported=$(awk '{ print $2 }' "$1" | grep -xF "$(debian_exports)" || :)
	case $flavour in
	upstream)
		[[ -z $exported ]] || die "the kernel exports"$'\n'"$exported"
		;;
	*)
		grep -qE '^zap_' <<<"$exported" ||
			die "the $flavour kernel exports no zap function, unlike Debian's"
		;;
	esac
}

elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

# Reads the output of make, and says now and then how many files it has compiled.
progress()
{
	local kind count=0 next=15

	while read -r kind _; do
		[[ $kind != CC && $kind != AS ]] || count=$((count + 1))
		((SECONDS >= next)) || continue
		next=$((SECONDS + 15))
		say "$count files compiled in $(elapsed)"
	done
}

make_kernel()
{
	local entry=$1 source=$2 make failed image=Image

	[[ $arch != amd64 ]] || image=bzImage
	need binutils bc bison flex libc6-dev libelf-dev lz4 make perl python3
	mkdir -p "$entry/build"
	if [[ $flavour == upstream ]]; then
		rm -rf "$entry/source"
		without_exports "$source" "$entry/source"
		source=$entry/source
	else
		ln -sfn "$source" "$entry/source"
	fi
	make=(make -C "$source" O="$entry/build" ARCH="$(kernel_arch "$arch")" CC="$compiler"
		CROSS_COMPILE="${compiler%gcc*}")
	fragment >"$entry/fragment"
	"${make[@]}" KCONFIG_ALLCONFIG="$entry/fragment" allnoconfig \
		>"$entry/config.log" 2>&1 || {
		tail -n 20 "$entry/config.log" >&2
		die "the $flavour kernel could not be configured"
	}
	failed=$(refused "$entry/build/.config" "$source")
	[[ -z $failed ]] || {
		rm -r "$entry"
		die "options of tools/*.config that did not take effect:"$'\n'"$failed"
	}

	say "building the $flavour kernel $kernel for $arch, five to 13 minutes on two processors"
	SECONDS=0
	"${make[@]}" -j"$(nproc)" "$image" modules 2>&1 | tee "$entry/build.log" | progress || {
		grep -nE 'error|Error|\*\*\*' "$entry/build.log" | tail -n 20 >&2
		die "the $flavour kernel did not build, see $entry/build.log"
	}
	check_exports "$entry/build/Module.symvers"
	"${make[@]}" -s --no-print-directory kernelrelease >"$entry/release"
	echo "$compiler" >"$entry/compiler"
	# Not vmlinux: its entry runs instrumented code before KASAN is ready.
	ln -sfn "build/arch/$(kernel_arch "$arch")/boot/$image" "$entry/image"
	# Modules are built without these.
	find "$entry/build" \( -path '*/scripts' -o -path '*/tools' \) -prune -o -type f \
		\( -name '*.o' -o -name '*.a' -o -name '*vmlinux*' \) -exec rm {} +
	touch "$entry/ready"
	say "built in $(elapsed)"
}
