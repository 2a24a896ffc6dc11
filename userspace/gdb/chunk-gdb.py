# SPDX-License-Identifier: MIT
"""Commands of gdb for programs with libchunk: of a process or of a core file.

    (gdb) source chunk-gdb.py
    (gdb) chunk ADDRESS      what an address is, and who made it trap
    (gdb) chunk map          all chunks, and all that is kept

They read libchunk's own data, by its debug information, and call nothing in the
process. They do not know which pages of the device are decommitted, which the kernel
alone knows; but a page of a process that gdb cannot read is.
"""

import gdb

CHUNK_SHIFT = 20
SLOTS = 64


def state():
	return gdb.parse_and_eval("chunk_state")


def entries(node):
	"""The entries of an array below a node: chunk numbers' extents or bitmaps."""
	if not node:
		return
	shift = int(node["shift"])
	for i in range(SLOTS):
		slot = node["slots"][i]
		value = int(slot)
		if value and shift and not value & 1:
			yield from entries(slot.cast(node.type))
		elif value:
			yield value & ~1


def load(array, index):
	"""The entry at an index, or 0."""
	node = array["head"]
	if not node or index >> int(node["shift"]) + 6:
		return 0
	while True:
		shift = int(node["shift"])
		slot = node["slots"][index >> shift & SLOTS - 1]
		value = int(slot)
		if not value or not shift or value & 1:
			return value & ~1
		node = slot.cast(node.type)


def pointer(name, value):
	return gdb.Value(value).cast(gdb.lookup_type(name).pointer())


def live():
	"""All live extents, by address."""
	found = set(entries(state()["registry"]["chunks"]["head"]))
	extents = [pointer("struct chunk_extent", value) for value in found]
	return sorted(extents, key=lambda extent: int(extent["addr"]))


def tree(node):
	"""The extents of a tree, by address."""
	if node:
		yield from tree(node["rb_left"])
		# The link is the first member.
		yield node.cast(gdb.lookup_type("struct chunk_extent").pointer())
		yield from tree(node["rb_right"])


def contains(extent, address):
	start = int(extent["addr"])
	return start <= address < start + int(extent["size"])


def is_decommitted(extent, address):
	"""Of mmap's: by libchunk's own map."""
	bitmap = load(state()["decommit_map"]["bitmaps"], address >> CHUNK_SHIFT)
	if not bitmap:
		return bool(extent["sparse"])
	page = address % (1 << CHUNK_SHIFT) // int(gdb.parse_and_eval("chunk_os_caps.page_size"))
	bits = pointer("struct chunk_page_bitmap", bitmap)["bits"]
	width = 8 * bits.type.target().sizeof
	return bool(int(bits[page // width]) >> page % width & 1)


def can_read(address):
	try:
		gdb.selected_inferior().read_memory(address, 1)
	except gdb.MemoryError:
		return False
	return True


def source(extent):
	owner = int(extent["owner"])
	if not owner:
		return "not the device's"
	if owner == int(state()["generation"]):
		return "the device's"
	return "the device's, as it was open before a fork or a close"


def describe_live(extent, address):
	start, size = int(extent["addr"]), int(extent["size"])
	print(f"{address:#x} is byte {address - start} of the live chunk at {start:#x} "
		f"of {size} bytes, {source(extent)}")
	if int(extent["owner"]):
		print("gdb can read it: it is committed" if can_read(address) else
			"gdb cannot read it: it is decommitted, or not in the core file")
	elif is_decommitted(extent, address):
		print("it is decommitted: accesses trap")
	else:
		print("it is committed")


def kept():
	"""Extents that are kept for reuse: what for, and the extents."""
	now = state()
	for extent in tree(now["recycled"]["by_addr"]["rb_node"]):
		yield "recycled", int(extent["addr"]), int(extent["size"])
	for extent in tree(now["kept"]["tree"]["by_addr"]["rb_node"]):
		yield "kept as offered memory", int(extent["addr"]), int(extent["size"])
	if now["premap"]["size"]:
		yield "not handed out yet", int(now["premap"]["addr"]), int(now["premap"]["size"])


def describe(address):
	for extent in live():
		if contains(extent, address):
			describe_live(extent, address)
			return
	for what, start, size in kept():
		if start <= address < start + size:
			print(f"{address:#x} is in {size} bytes at {start:#x} that are {what}")
			return
	print(f"{address:#x} is in no live chunk, and not in what libchunk keeps; the device "
		"may keep it")


def describe_caller(address):
	"""The last call that made an address trap, if explain:on noted it."""
	records = gdb.lookup_static_symbol("records")
	last = gdb.lookup_static_symbol("last")
	if not records or not last or not state()["options"]["explain"]:
		print("with CHUNK_OPTIONS=explain:on it would be known which call made it trap")
		return
	records, last = records.value(), int(gdb.parse_and_eval("(unsigned int)last"))
	number = records.type.range()[1] + 1
	for at in range(last, last - number, -1):
		record = records[at % number]
		start = int(record["addr"])
		if record["call"] and start <= address < start + int(record["size"]):
			print(f"the last call that made it trap: {record['call'].string()}"
				f"({start:#x}, {int(record['size'])}) in thread {record['thread']}")
			gdb.execute(f"info symbol {int(record['caller']):#x}")
			return
	print(f"none of the last {number} calls that made memory trap was about it")


class Chunk(gdb.Command):
	"""chunk ADDRESS: what an address is, and who made it trap."""

	def __init__(self):
		super().__init__("chunk", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION, True)

	def invoke(self, argument, from_tty):
		if not argument:
			raise gdb.GdbError("chunk ADDRESS, or chunk map")
		kind = gdb.lookup_type("unsigned long")
		address = int(gdb.parse_and_eval(argument).cast(kind))
		describe(address)
		describe_caller(address)


class ChunkMap(gdb.Command):
	"""chunk map: all live chunks, and all that libchunk keeps."""

	def __init__(self):
		super().__init__("chunk map", gdb.COMMAND_DATA)

	def invoke(self, argument, from_tty):
		lines = [(int(extent["addr"]), int(extent["size"]), f"live, {source(extent)}")
			for extent in live()]
		lines += [(start, size, what) for what, start, size in kept()]
		for start, size, what in sorted(lines):
			print(f"{start:#x}-{start + size:#x} {size >> CHUNK_SHIFT:6} MiB  {what}")


Chunk()
ChunkMap()
