# SPDX-License-Identifier: MIT
"""The tree that is measured: its commit, and where results are kept with it."""

import os
import shutil
import subprocess

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
OUT = os.path.join(REPO, "build", "bench")
COMMITTED = os.path.join(REPO, "docs", "bench")


class Failure(Exception):
	"""Ends the run with a reason."""


def git(*command):
	"""The output of git about this tree."""
	try:
		result = subprocess.run(["git", "-C", REPO, *command], stdout=subprocess.PIPE,
			stderr=subprocess.PIPE, text=True, check=False)
	except FileNotFoundError:
		raise Failure("there is no git to ask for the commit") from None
	if result.returncode:
		raise Failure(f"git {command[0]}: {result.stderr.strip()}")
	return result.stdout.strip("\n")


def changes():
	"""The files that differ from the commit, new ones too, without the results."""
	lines = git("status", "--porcelain", "--untracked-files=all", "--", ".",
		":(exclude)docs/bench").splitlines()
	return [line[3:] for line in lines]


def commit_to_save():
	"""The commit of a tree without changes."""
	changed = changes()
	if changed:
		more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
		raise Failure(f"nothing is saved: the tree has changes that are in no commit: "
			f"{', '.join(changed[:5])}{more}")
	return git("rev-parse", "HEAD")


def source():
	"""The commit, and whether the tree is as it says."""
	try:
		return git("rev-parse", "HEAD") + (" with uncommitted changes" if changes() else "")
	except Failure:
		return "unknown"


def save(commit, *names):
	"""Make results of build/bench the committed ones, if the tree is still at that commit."""
	if commit_to_save() != commit:
		raise Failure("nothing is saved: the commit has changed meanwhile")
	os.makedirs(COMMITTED, exist_ok=True)
	for name in names:
		shutil.copy(os.path.join(OUT, name), COMMITTED)


def write_tables(name, head, values, lines, introduction):
	"""Leave figures in build/bench as NAME.csv and NAME.md."""
	os.makedirs(OUT, exist_ok=True)
	with open(os.path.join(OUT, name + ".csv"), "w", encoding="utf-8") as file:
		print(f"# chunkmod: {source()}\n{head}", file=file)
		for key, value in values.items():
			print(",".join(key) + f",{value:g}", file=file)
	text = [introduction.strip("\n"), "", f"- chunkmod: {source()}", "", *lines]
	with open(os.path.join(OUT, name + ".md"), "w", encoding="utf-8") as file:
		file.write("\n".join(text).rstrip("\n") + "\n")
