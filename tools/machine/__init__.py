# SPDX-License-Identifier: GPL-2.0-only
"""The virtual machine of tools/vm: its initramfs (image), the process of
QEMU (qemu), and the exit status by the kernel's console (verdict).
"""

import os
import sys

TOOLS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
REPO = os.path.dirname(TOOLS)

REPORTED, DIED, NO_MODULE, TIMEOUT, NO_MACHINE = 120, 121, 122, 124, 125


def say(*words):
	print("vm:", *words, file=sys.stderr, flush=True)


class Failure(Exception):
	"""Ends the run with an exit status and a reason."""

	def __init__(self, status, reason):
		super().__init__(reason)
		self.status = status
