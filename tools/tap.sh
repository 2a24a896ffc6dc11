# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Results as TAP, for scripts that source lib.sh before.

count=0 status=0

# judge NAME COMMAND...: one result; the output of what fails becomes comments.
judge()
{
	local name=$1 output result=ok
	shift

	count=$((count + 1))
	output=$("$@" 2>&1) || result='not ok' status=1
	[[ $result == ok ]] || echo "# ${output//$'\n'/$'\n'# }"
	echo "$result $count - $name"
}

# conclude: ends the script
conclude()
{
	echo "1..$count"
	exit $status
}
