"""Reading a compiled device tree (Devicetree Specification 0.4, chapter 5)."""
import pathlib
import struct

from . import Refused

MAGIC = 0xD00DFEED
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9


class Node:
    def __init__(self, name, parent):
        self.name, self.parent = name, parent
        self.properties, self.children = {}, []

    @property
    def path(self):
        if not self.parent:
            return "/"
        return self.parent.path.rstrip("/") + "/" + self.name

    def find(self, path):
        """The node below this one, by names with their addresses; None: there is none."""
        node = self
        for name in path.strip("/").split("/") if path.strip("/") else []:
            node = next((c for c in node.children if c.name == name), None)
            if not node:
                return None
        return node

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    def cells(self, name):
        """The numbers of a property; [] without it."""
        raw = self.properties.get(name, b"")
        return list(struct.unpack(f">{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))

    def cell(self, name, default=None):
        return (self.cells(name) or [default])[0]

    def strings(self, name):
        raw = self.properties.get(name, b"")
        return raw[:-1].decode("ascii", "replace").split("\0") if raw else []

    def reg(self, name="reg"):
        """[(address, size)] in the parent's cells."""
        counts = self.parent.cell("#address-cells", 2), self.parent.cell("#size-cells", 1)
        return [tuple(entry) for entry in groups(self.cells(name), counts)]


def groups(cells, counts):
    """Numbers of several cells each, again and again: groups([0, 1, 0, 2], (2, 2)) is [[1, 2]]."""
    found, step = [], sum(counts)
    for start in range(0, len(cells) - step + 1, step) if step else []:
        entry, at = [], start
        for count in counts:
            entry.append(int("".join(f"{c:08x}" for c in cells[at : at + count]) or "0", 16))
            at += count
        found.append(entry)
    return found


class Tree:
    """root: its Node; reserved: [(start, size)] of the memory reservation block."""

    def __init__(self, raw, what):
        try:
            self.root, self.reserved = self._parse(raw)
        except (struct.error, IndexError, ValueError, UnicodeDecodeError):
            raise Refused(f"{what}: not a device tree") from None

    @staticmethod
    def _parse(raw):
        magic, total, structure, strings, reserve = struct.unpack_from(">5I", raw)
        if magic != MAGIC or total > len(raw):
            raise ValueError
        reserved = []
        while (entry := struct.unpack_from(">QQ", raw, reserve)) != (0, 0):
            reserved.append(entry)
            reserve += 16
        top = node = Node("", None)
        at = structure
        while True:
            (token,) = struct.unpack_from(">I", raw, at)
            at += 4
            if token == BEGIN_NODE:
                end = raw.index(b"\0", at)
                child = Node(raw[at:end].decode("ascii"), node)
                node.children.append(child)
                node, at = child, (end + 4) & ~3
            elif token == END_NODE:
                node = node.parent
            elif token == PROP:
                length, name = struct.unpack_from(">II", raw, at)
                end = raw.index(b"\0", strings + name)
                node.properties[raw[strings + name : end].decode("ascii")] = raw[at + 8 : at + 8 + length]
                at = (at + 8 + length + 3) & ~3
            elif token == END and node is top and len(top.children) == 1:
                root = top.children[0]
                root.parent = None
                return root, reserved
            elif token != NOP:
                raise ValueError


def read(file):
    return Tree(pathlib.Path(file).read_bytes(), file)
