# SPDX-License-Identifier: MIT
#
# Where the tests' sources and headers are: TESTS= is this folder, as seen from
# the Makefile that includes this.

TEST_FOLDERS := harness api os uapi stress fuzz windows adapters
vpath %.c $(TEST_FOLDERS:%=$(TESTS)/%)
TEST_CPPFLAGS := -I$(TESTS)/harness -I$(TESTS)/uapi -I$(TESTS)/../../include \
		 -I$(TESTS)/../../include/uapi
