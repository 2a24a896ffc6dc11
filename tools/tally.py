# SPDX-License-Identifier: GPL-2.0-only
"""Adding up TAP, for tools/check: the results of one program after another, each line
perhaps behind the name of its program, become one stream that any reader of TAP takes.
"""

import collections
import re
import time

# A runner of several programs may put the name of each before its lines.
TAP = re.compile(r"(?:(\S+): )?(?:(ok|not ok)\b *(\d*) *(?:- *)?(.*)|1\.\.(\d+)(.*)|(Bail out!.*))")
SKIP = re.compile(r"# *skip", re.IGNORECASE)
# A time limit that was met: of a case, as its harness says, or of the machine.
LATE = re.compile(r"(?:(\S+): )?(?:# |vm: )(out of time.*)")
# A case that has been running for long: its name.
RUNNING = re.compile(r"(?:(\S+): )?# running for .*? by the clock \d+ s: (.*)")

# The number of lines of a log before each failure and at its end that are shown.
CONTEXT = 12

Failure = collections.namedtuple("Failure", "what lines")


class Tally:
	"""Adds up TAP, of one program after another.

	A program's results end where another name stands before them, where the
	numbers begin anew, where another plan comes, or where the output ends; then
	its plan must have been met. All results go to a file, too, as one
	stream of TAP: numbered from 1, with one plan at its end; all else as comments.
	The seconds between one result and the next are added up for each program, with what
	the program needed to start, and those of single cases are kept.
	"""

	def __init__(self, file=None):
		self._file = file
		self._write("TAP version 13")
		self.passed = self.skipped = 0
		self.failures = []
		self._late = None
		self.programs = collections.Counter()
		self.cases = []
		self._at = time.monotonic()
		self._recent = collections.deque(maxlen=CONTEXT)
		self._begin(None)

	def _begin(self, program):
		self._program = program
		self._seen = 0
		self._plan = None
		self._running = ""

	def _write(self, line):
		if self._file:
			print(line, file=self._file)

	def _named(self, what):
		return f"{self._program}: {what}" if self._program else what

	def _result(self, result, what, directive=""):
		"""Write one that has been counted. A "#" in its name would begin a directive."""
		what = re.sub(r"\\?#", r"\\#", self._named(what))
		self._write(f"{result} {self.results()} - {what} {directive}".rstrip())

	def _took(self, name):
		now = time.monotonic()
		self.programs[self._program or ""] += now - self._at
		self.cases.append((now - self._at, self._named(name)))
		self._at = now

	def _fail(self, what):
		self.failures.append(Failure(self._named(what), list(self._recent)))
		self._result("not ok", what)

	def _skip(self, text):
		"""Count what is skipped: the text has a directive."""
		self.skipped += 1
		at = SKIP.search(text)
		self._result("ok", text[:at.start()].rstrip(), f"# SKIP{text[at.end():]}")

	def _pass(self, what):
		self.passed += 1
		self._result("ok", what)

	def _why(self):
		"""Which limit a program met that came to no end, and in which case."""
		if not self._late:
			return ""
		where = f", {self._running}" if self._running else ""
		return f"; in its case {self._seen + 1}{where}: {self._late}"

	def _end(self):
		if self._plan is None and self._seen:
			self._fail(f"no plan after {self._seen} results: it ended early{self._why()}")
		elif self._plan is not None and self._plan != self._seen:
			self._fail(f"{self._plan} results planned, {self._seen} came{self._why()}")

	def _comment(self, text):
		self._write("# " + text.replace(": # ", ": ", 1).removeprefix("# "))
		running, late = RUNNING.fullmatch(text), LATE.fullmatch(text)
		if running and running[1] == self._program:
			self._running = running[2]
		if late:
			self._late = late[2]

	def line(self, text):
		"""Take the next line of output."""
		self._recent.append(text)
		match = TAP.fullmatch(text)
		if not match:
			self._comment(text)
			return
		program, result, number, name, plan, reason, bail = match.groups()
		if program != self._program or (number == "1" and self._seen) or (
				plan and self._plan is not None):
			self._end()
			self._begin(program)
		if bail:
			self._fail(bail)
		elif plan:
			self._plan = int(plan)
			if SKIP.search(reason):
				self._skip(reason)
		else:
			self._seen += 1
			self._running = ""
			self._took(name or number)
			if result == "not ok":
				self._fail((name or number) + (f": {self._late}" if self._late else ""))
			elif SKIP.search(name):
				self._skip(name)
			else:
				self._pass(name)
			self._late = None

	def results(self):
		return self.passed + self.skipped + len(self.failures)

	def end(self, status):
		"""The output has ended, and the command with this status."""
		self._end()
		late = f": {self._late}" if self._late else ""
		if not self.results():
			self._fail(f"no results{late}")
		if status and not self.failures:
			self._fail(f"ended with status {status}{late}")
		self._write(f"1..{self.results()}")
