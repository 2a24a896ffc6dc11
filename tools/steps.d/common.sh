# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Functions of the steps, which work in the repository's directory. $KERNEL is the
# version that the virtual machine boots (6.1).

# shellcheck source=tools/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$repo"

# build TARGET...: by make, one step after another, since several build in one folder
build() { flock Makefile make -s "$@"; }

# machine OPTION... -- COMMAND...: tools/vm, which ends the step with its status
machine() { exec tools/vm --kernel "${KERNEL:-6.1}" "$@"; }
