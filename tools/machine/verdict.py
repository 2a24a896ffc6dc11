# SPDX-License-Identifier: GPL-2.0-only
"""The exit status of a run: by the lines of the status port, and by reports of the
kernel in its console, which are shown.
"""

import bisect
import os
import re
import subprocess
import sys

from machine import DIED, NO_MODULE, REPORTED, TIMEOUT, say

# Messages of a kernel in trouble. Each is the beginning of a report; A call trace is one when nothing else announced it.
REPORTS = re.compile(r"""
	\bBUG\b | WARNING: | \bOops\b | Kernel\ panic
	| general\ protection\ fault | kernel\ stack\ overflow | double\ fault
	| UBSAN: | ODEBUG: | DEBUG_LOCKS_WARN_ON | refcount_t:
	| list_(add|del)\ corruption | (Object|Slab|Page)\S*\ corruption
	| INFO:\ task\ .*\ blocked | detected\ stall | self-detected\ stall
	| INFO:\ trying\ to\ register\ non-static\ key
	| possible\ (circular|recursive)\ locking | suspicious\ RCU
	| held\ lock\ freed | still\ (has|have)\ (locks\ held|objects)
	| bad\ unlock\ balance | inconsistent\ lock\ state | Bad\ page
	| cannot\ be\ unloaded | page\ allocation\ failure | vmalloc\ error
	| page\ dumped\ because | nobody\ cared | Call\ [Tt]race:
	| Unable\ to\ handle\ kernel | Internal\ error:
	| kmemleak:\ \d+\ new | kmemleak:.*(exhausted|disabled|insufficient)
	""", re.VERBOSE)
# x86's words, and those of the others
TRACE = re.compile(r"Call [Tt]race:")
# Kernel messages that announce a call trace but are no report: tests cause them.
HARMLESS = re.compile(r"invoked oom-killer|FAULT_INJECTION: forcing a failure")
# Where a report ends: KASAN's and SLUB's have rulers, most others end with a
# trace. The third is for those with neither.
RULED = re.compile(r"BUG:? (KASAN|KCSAN|KFENCE|\S+ \()")
RULER = re.compile(r"^={20,}$")
TRACE_END = re.compile(r"---\[ end |</TASK>")
REPORT_MAX, REPORT_SHOWN = 150, 60
# The kernel has data races of its own. One counts if the module has a part in it: a
# function of it accesses, or has called the one that does. The zap functions work on
# pages, which are mm's, as madvise() does, so what they call is not the module's part.
RACE = re.compile(r"BUG: KCSAN:")
RACE_SIDE = re.compile(r"(read|write|read-write)( \(.*\))? to 0x")
ZAP = re.compile(r"^ *(zap_page_range|zap_page_range_single|zap_vma_range|unmap_mapping_pages)\+")
OWN = re.compile(r"\[chunk\]")
STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[CT]\d+\])? ")


def find_reports(lines, allowed):
	"""The reports in a console log, each a list of its lines."""
	reports = []
	number = 0
	harmless_until = -1
	while number < len(lines):
		line = lines[number]
		if HARMLESS.search(line):
			harmless_until = number + 15
		if not REPORTS.search(line) or (TRACE.search(line) and number <= harmless_until):
			number += 1
			continue
		last = RULER if RULED.search(line) else TRACE_END
		end = number + 1
		while end < min(len(lines), number + REPORT_MAX) and not last.search(lines[end]):
			end += 1
		report = lines[number:end + 1]
		number = end + 1
		if not any(pattern.search(text) for pattern in allowed for text in report):
			reports.append(report)
	return reports


def module_symbols(module, base):
	"""Address and name of each function in a module whose .text was at base."""
	table = subprocess.run(["objdump", "-t", module], stdout=subprocess.PIPE, text=True, check=True)
	for line in table.stdout.splitlines():
		match = re.match(r"([0-9a-f]+) .{6}F \.text\t[0-9a-f]+ (?:\.hidden )?(\S+)", line)
		if match:
			yield base + int(match[1], 16), match[2]


def name_addresses(lines, sections, modules):
	"""The lines with names for addresses in modules, which are gone when leaks are found."""
	symbols = []
	for module in modules:
		name = os.path.basename(module).removesuffix(".ko")
		if name in sections:
			symbols += [(address, f"{symbol} [{name}]")
				for address, symbol in module_symbols(module, sections[name])]
	symbols.sort()

	def name(match):
		address = int(match[1], 16)
		index = bisect.bisect(symbols, (address + 1,)) - 1
		if index < 0 or address - symbols[index][0] > 0x4000:
			return match[0]
		return f"{match[0]} {symbols[index][1]}"

	return [re.sub(r"0x([0-9a-f]{16})$", name, line) for line in lines]


def show(title, lines):
	say(title)
	for line in lines[:REPORT_SHOWN]:
		print("  |", line, file=sys.stderr)
	if len(lines) > REPORT_SHOWN:
		print("  | ...", file=sys.stderr)
	sys.stderr.flush()


def others_races(report):
	"""Is it a data race that the module has no part in?"""
	if not RACE.search(report[0]):
		return False
	zapped = False
	for line in report:
		line = STAMP.sub("", line)
		if RACE_SIDE.search(line):
			zapped = False
		elif ZAP.search(line):
			zapped = True
		elif OWN.search(line) and not zapped:
			return False
	return True


def show_reports(lines, allowed, leaks):
	"""Show the reports that count, and say how many there are."""
	found = find_reports(lines, [re.compile(regex) for regex in allowed])
	reports = [report for report in found if not others_races(report)]
	if len(reports) < len(found):
		say(f"{len(found) - len(reports)} data races that the module has no part in")
	if leaks:
		reports = [report for report in reports if not report[0].startswith("kmemleak: ")]
	for report in reports[:5]:
		show("the kernel reported:", report)
	if len(reports) > 5:
		say(f"and {len(reports) - 5} more reports")
	return len(reports)


def show_leaks(lines, count, events, modules):
	"""Show the objects that kmemleak found."""
	start = next((n for n, line in enumerate(lines) if line.startswith("unreferenced object")), 0)
	sections = {event[1]: int(event[2], 16) for event in events if event[0] == "section"}
	show(f"leaked objects: {count}",
		name_addresses(lines[start:start + REPORT_SHOWN], sections, modules))


def phase(words):
	"""How far the guest came, by the events that it reported."""
	if "exit" in words:
		return "after the command ended"
	return "while the command ran" if "start" in words else "before the command ran"


def judge(arguments, modules, status, timed_out, lines):
	"""The exit status of the run, having said why."""
	events = [line.split() for line in status.decode(errors="replace").splitlines() if line]
	words = {event[0]: event[1:] for event in events}
	lines = [STAMP.sub("", line) for line in lines]
	reports = show_reports(lines, arguments.allow, "leak" in words)
	if "leak" in words:
		show_leaks(lines, words["leak"][0], events, modules)

	def show_last(count):
		show("the last of the kernel's console:", lines[-count:])

	if timed_out:
		if not reports:
			show_last(30)
		say(f"out of time {timed_out},", phase(words))
		return TIMEOUT
	if "noload" in words:
		show_last(10)
		say("chunk.ko could not be loaded")
		return NO_MODULE
	if "end" not in words:
		if not reports:
			show_last(30)
		say("the guest died", phase(words))
		return DIED
	if reports or "leak" in words:
		return REPORTED
	if "nounload" in words:
		show_last(10)
		say(f"module {words['nounload'][0]} could not be unloaded after the command")
		return NO_MODULE
	return int(words["exit"][0])
