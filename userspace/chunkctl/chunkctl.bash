# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion for chunkctl, for bash.

_chunkctl_words()
{
	case $1,$2 in
	,-*) echo --help ;;
	,*) echo list show map top check ;;
	list,*) echo --watch --delay --times --json --prometheus ;;
	top,*) echo --delay --times --json ;;
	map,-*) echo --json --svg --html ;;
	*,-*) echo --json ;;
	*) chunkctl list --json 2>/dev/null | sed -n 's/.*"pid":\([0-9]*\),.*/\1/p' ;;
	esac
}

_chunkctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} command='' word

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* || $word =~ ^[0-9]+$ ]] || command=${command:-$word}
	done
	mapfile -t COMPREPLY < <(compgen -W "$(_chunkctl_words "$command" "$current")" -- "$current")
}

complete -F _chunkctl chunkctl
