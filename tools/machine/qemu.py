# SPDX-License-Identifier: GPL-2.0-only
"""The process of QEMU: its arguments, its ports, and its time limit."""

import collections
import ctypes
import os
import selectors
import shlex
import signal
import subprocess
import time

from machine import say

Processor = collections.namedtuple("Processor", "program packages machine model console append")

# The processors by Debian's names of them: QEMU's program and the packages with it, the
# board and the model; the kernel's console, and parameters of this processor's alone.
PROCESSORS = {
	"amd64": Processor("qemu-system-x86_64", ("qemu-system-x86",), "q35", "max", "ttyS0",
		("tsc=reliable", "no_timer_check")),
	# Signatures of pointers as the architecture defines them take half of all the time.
	"arm64": Processor("qemu-system-aarch64", ("qemu-system-arm",), "virt,gic-version=3",
		"max,pauth-impdef=on", "ttyAMA0", ()),
	"riscv64": Processor("qemu-system-riscv64", ("qemu-system-misc", "opensbi"), "virt", "rv64",
		"ttyS0", ()),
}

# A machine that gets less than one part in this many of a processor is given up.
PATIENCE = 20


def text_of(path):
	try:
		with open(path, encoding="ascii") as file:
			return file.read()
	except OSError:
		return ""


class Clock:
	"""The time that a process could use, without the time that others had the processors.

	The kernel counts for each thread how long it has waited for a processor. The
	longest wait of any thread counts, since the others may have waited for that
	thread. A machine below this one steals time, which the kernel counts, too: the
	same share of the rest is taken off. Without these counts, this is wall time.

	A file tells the guest the time, in milliseconds: tests have limits, too.
	"""

	def __init__(self, process, path):
		self._threads = f"/proc/{process}/task"
		self._file = open(path, "wb", buffering=0)
		self._started = self._last = time.monotonic()
		self._waited, self._system = {}, self._machine()
		self.own = 0.0
		self.tick()

	@property
	def wall(self):
		return time.monotonic() - self._started

	def _waits(self):
		"""Seconds that each of the threads has waited for a processor."""
		try:
			threads = os.listdir(self._threads)
		except OSError:
			return {}
		counts = {thread: text_of(f"{self._threads}/{thread}/schedstat").split()
			for thread in threads}
		return {thread: int(count[1]) / 1e9 for thread, count in counts.items() if len(count) > 1}

	@staticmethod
	def _machine():
		"""The ticks that anything wanted of the processors, and those that were stolen."""
		fields = [int(field) for field in text_of("/proc/stat").partition("\n")[0].split()[1:9]]
		if len(fields) < 8:
			return 0, 0
		return sum(fields) - fields[3] - fields[4], fields[7]

	def tick(self):
		"""To be called every second or so."""
		now, waited, system = time.monotonic(), self._waits(), self._machine()
		passed = now - self._last
		longest = max((seconds - self._waited.get(thread, 0) for thread, seconds in waited.items()),
			default=0)
		wanted, stolen = (new - old for new, old in zip(system, self._system))
		had = max(0, passed - longest)
		if wanted > 0:
			had *= 1 - min(max(stolen, 0), wanted) / wanted
		self.own += had
		self._last, self._waited, self._system = now, waited, system
		os.pwrite(self._file.fileno(), b"%015d\n" % int(self.own * 1000), 0)

	def close(self):
		self._file.close()


def busyness():
	"""How many times as long as alone everything here takes now, at least 1."""
	try:
		running = int(text_of("/proc/loadavg").split()[3].partition("/")[0])
	except (IndexError, ValueError):
		return 1
	return max(1, running / len(os.sched_getaffinity(0)))


def patience():
	"""Parameters for the kernel's watchdogs, which go by the clock on the wall."""
	busy = busyness()
	return [f"rcupdate.rcu_cpu_stall_timeout={min(300, int(60 * busy))}",
		f"watchdog_thresh={min(60, int(30 * busy))}",
		f"sysctl.kernel.hung_task_timeout_secs={int(120 * busy)}"]


def emulator_of(arguments):
	"""QEMU's program, and where its firmware is."""
	program = PROCESSORS[arguments.arch].program
	if not arguments.emulator:
		return [program]
	words = [os.path.join(arguments.emulator, "usr/bin", program)]
	for name in ("qemu", "seabios"):
		words += ["-L", os.path.join(arguments.emulator, "usr/share", name)]
	return words


def qemu_arguments(arguments, kernel, scratch, log, pipes):
	"""The machine. Its ports are what guest-init calls 1, 2 and 3."""
	processor = PROCESSORS[arguments.arch]
	append = [f"console={processor.console}", "panic=-1", "oops=panic", "nokaslr", *processor.append,
		"printk.devkmsg=on", *patience(), "kasan_multi_shot", arguments.append]
	machine = [*emulator_of(arguments), "-nodefaults", "-no-user-config", "-no-reboot",
		"-display", "none", "-machine", processor.machine, "-m", arguments.mem,
		"-smp", str(arguments.cpus)]
	model = processor.model
	if arguments.icount:
		# Without these two, each byte that "rep stosb" sets counts as one.
		model += ",-erms,-fsrm" if arguments.arch == "amd64" else ""
		machine += ["-accel", "tcg", "-icount", "shift=0", "-cpu", model]
	else:
		# While a kernel with KASAN identifies its processor (identify_cpu()), it
		# forgets for a moment that pages have five levels, and takes every address
		# that an interrupt uses then for a wild one.
		levels = ",-la57" if arguments.arch == "amd64" and arguments.flavour != "stock" else ""
		machine += ["-accel", "tcg,thread=multi", "-cpu", model + levels]
	machine += ["-kernel", os.path.join(kernel, "image"),
		"-initrd", os.path.join(scratch, "initramfs"),
		"-append", " ".join(append).strip(),
		"-chardev", f"file,id=console,path={log}", "-serial", "chardev:console",
		"-device", "virtio-serial-pci"]
	for number, pipe in enumerate(pipes, 1):
		machine += ["-add-fd", f"fd={pipe},set={number}",
			"-chardev", f"file,id=port{number},path=/dev/fdset/{number},append=on",
			"-device", f"virtserialport,chardev=port{number},nr={number}"]
	shares = [("host", "/", ",readonly=on"), ("clock", os.path.join(scratch, "shown"), ",readonly=on")]
	if arguments.out:
		shares.append(("out", arguments.out, ""))
	for tag, path, options in shares:
		machine += ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap"
			+ options, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
	return machine + shlex.split(arguments.qemu)


def before_exec():
	"""QEMU must not outlive us, however we end, and gets no Ctrl-C of its own."""
	os.setsid()
	pr_set_pdeathsig = 1
	ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def late(clock, limit):
	"""How long the machine ran, if that is longer than its limit, or nothing."""
	clock.tick()
	if clock.own < limit and clock.wall < limit * PATIENCE:
		return ""
	return f"after {clock.own:.0f} s of {limit:.0f} (by the clock {clock.wall:.0f} s)"


def run_machine(machine, pipes, errors, limit, shown):
	"""Run QEMU to its end, and pass output on.

	Returns the lines of the status port, and how long the run took if that was
	longer than its limit.
	"""
	reads = []
	writes = []
	for _ in pipes:
		read, write = os.pipe()
		reads.append(read)
		writes.append(write)
	status = b""
	process = subprocess.Popen(machine(writes), stdin=subprocess.DEVNULL, stdout=errors,
		stderr=errors, pass_fds=writes, preexec_fn=before_exec)
	clock = Clock(process.pid, os.path.join(shown, "clock"))
	try:
		for write in writes:
			os.close(write)
		with selectors.DefaultSelector() as selector:
			for read, sink in zip(reads, pipes):
				selector.register(read, selectors.EVENT_READ, sink)
			ticked = 0
			while selector.get_map():
				ready = selector.select(1)
				if clock.wall >= ticked + 1:
					ticked = clock.wall
					over = late(clock, limit)
					if over:
						return status, over
				for key, _ in ready:
					data = os.read(key.fd, 1 << 16)
					if not data:
						selector.unregister(key.fd)
					elif key.data is None:
						if b"start" in data:
							say(f"booted in {clock.wall:.1f} s")
						status += data
					else:
						key.data.write(data)
						key.data.flush()
		process.wait()
		return status, ""
	finally:
		process.kill()
		process.wait()
		clock.close()
		for read in reads:
			os.close(read)
