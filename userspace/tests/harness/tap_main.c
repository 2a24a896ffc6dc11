// SPDX-License-Identifier: MIT
/* main() of every test program; its cases are in tap_suite. */
#include "tap.h"

int main(int argc, char **argv)
{
	return tap_run(argc, argv, &tap_suite);
}
