# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs, from which the guest boots into the host's root file system."""

import lzma
import os
import shlex
import shutil

from machine import REPO, TOOLS

# The modules of a stock kernel that it takes to reach the host.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9p", "9pnet_virtio")

# Variables of the caller's that the command always gets.
FORWARD = ("CHUNK_OPTIONS", "CI")


class Initramfs:
	"""A cpio archive in the format the kernel unpacks."""

	def __init__(self):
		self.parts = []
		self.directories = set()

	def _entry(self, name, mode, data=b""):
		name = name.encode() + b"\0"
		fields = (len(self.parts) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
		head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
		self.parts.append(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

	def add(self, name, data, mode=0o644):
		parent = os.path.dirname(name)
		missing = []
		while parent and parent not in self.directories:
			missing.append(parent)
			parent = os.path.dirname(parent)
		for directory in reversed(missing):
			self.directories.add(directory)
			self._entry(directory, 0o040755)
		self._entry(name, 0o100000 | mode, data)

	def add_file(self, name, path, mode=0o644):
		with open(path, "rb") as file:
			data = file.read()
		self.add(name, lzma.decompress(data) if path.endswith(".xz") else data, mode)

	def write(self, path):
		self._entry("TRAILER!!!", 0)
		with open(path, "wb") as file:
			file.write(b"".join(self.parts))


def boot_modules(directory):
	"""Paths of the modules that BOOT_MODULES need, in an order to load them in."""
	needs = {}
	with open(os.path.join(directory, "modules.dep"), encoding="ascii") as file:
		for line in file:
			path, _, rest = line.partition(":")
			needs[path] = rest.split()
	by_name = {os.path.basename(path).split(".ko")[0]: path for path in needs}
	order = []

	def visit(path):
		for needed in needs[path]:
			visit(needed)
		if path not in order:
			order.append(path)

	for name in BOOT_MODULES:
		if name in by_name:
			visit(by_name[name])
	return order


def modprobe(kernel):
	"""A modprobe for a stock kernel's own modules, which the host has nowhere."""
	root = shlex.quote(os.path.realpath(os.path.join(kernel, "root")))
	return f'#!/bin/sh\nexec /sbin/modprobe -d {root} "$@"\n'.encode()


def make_initramfs(path, arguments, kernel, modules, command):
	archive = Initramfs()
	busybox = os.path.join(arguments.root, "bin/busybox") if arguments.root else \
		shutil.which("busybox")
	archive.add_file("bin/busybox", busybox, 0o755)
	archive.add_file("init", os.path.join(TOOLS, "guest-boot"), 0o755)
	archive.add_file("chunkmod/guest-init", os.path.join(TOOLS, "guest-init"), 0o755)

	own = os.path.join(kernel, "modules")
	order = boot_modules(own) if os.path.isdir(own) else []
	for module in order:
		archive.add_file("modules/" + os.path.basename(module).removesuffix(".xz"),
			os.path.join(own, module))
	archive.add("modules/order", "".join(
		os.path.basename(module).removesuffix(".xz") + "\n" for module in order).encode())
	if order:
		archive.add("chunkmod/bin/modprobe", modprobe(kernel), 0o755)

	for module in modules:
		inside = "kunit/" if os.path.basename(os.path.dirname(module)) == "kunit" else ""
		archive.add_file("chunkmod/" + inside + os.path.basename(module), module)

	visible = [REPO, kernel] + ([arguments.out] if arguments.out else [])
	archive.add("chunkmod/visible", "".join(line + "\n" for line in visible).encode())
	archive.add("chunkmod/root", (arguments.root + "\n").encode() if arguments.root else b"")
	archive.add("chunkmod/out", (arguments.out + "\n").encode() if arguments.out else b"")

	environment = {
		"PATH": "/run/chunkmod/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/tmp", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash",
		"TERM": "dumb", "LC_ALL": "C.UTF-8",
		"CHUNK_MODULE": "/run/chunkmod/chunk.ko",
		"CHUNK_KERNEL": arguments.kernel, "CHUNK_FLAVOUR": arguments.flavour,
	}
	if arguments.root:
		environment["TEST_PROGRAMS"] = os.path.join(REPO, "userspace/build", arguments.arch, "tests")
	for item in (*FORWARD, *arguments.env):
		name, given, value = item.partition("=")
		if given or name in os.environ:
			environment[name] = value if given else os.environ[name]
	# With --icount the guest's time is its own.
	if not arguments.icount:
		archive.add("chunkmod/clock", b"")
		environment["TAP_CLOCK"] = "/run/chunkmod/host/clock"
	setup = [f"repo={shlex.quote(REPO)}", f"command={shlex.quote(command)}",
		f"leak_scan={int(not arguments.no_leak_scan)}"]
	setup += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
	archive.add("chunkmod/setup", "".join(line + "\n" for line in setup).encode())
	archive.write(path)
