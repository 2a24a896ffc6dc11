# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Functions of the steps, which work in the repository's directory. $KERNEL is the
# version that the virtual machine boots (6.1), $CHUNK_ARCH its processor (amd64), and
# $CHUNK_CPUS the number of these (tools/vm's).

# shellcheck source=tools/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$repo"

arch=${CHUNK_ARCH:-amd64}

# build TARGET...: by make, one step after another, since several build in one folder;
# for another processor everything
build()
{
	if [[ $arch == amd64 ]]; then
		flock Makefile make -s "$@"
	else
		tools/programs --arch "$arch"
	fi
}

# Suites whose system is replaced: no kernel matters to them. The step native runs them, and
# "make check-arch" on other processors.
# shellcheck disable=SC2034 # steps use it
without_system="--skip policy --skip engine --skip compat --skip print"

# Suites in which several tasks have to run at once: on one processor these wait, spinning, for
# others that do not run. Parts of names, as userspace/tests/run takes them.
with_threads=(thread fork registry process)

# each OPTION: these suites, each behind that option
each() { printf -- "$1 %s " "${with_threads[@]}"; }

# machine OPTION... -- COMMAND...: tools/vm, which ends the step with its status. TEST_FEWER and
# TEST_SEED are for the tests, where they are set.
machine()
{
	exec tools/vm --arch "$arch" --kernel "${KERNEL:-6.1}" ${CHUNK_CPUS:+--cpus "$CHUNK_CPUS"} \
		--env TEST_FEWER --env TEST_SEED "$@"
}
