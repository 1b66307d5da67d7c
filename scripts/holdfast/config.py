"""A machine's configuration: read from YAML or ImageBuilder variables, every value checked.

docs/images.md describes both forms.
"""
import dataclasses
import difflib
import pathlib
import re

import yaml

from . import Refused, imagebuilder

DOMAINS_MAX = 64  # as include/hv/guest_config.h
NAME_MAX = 31
CPUS_MAX = 128
PAGE = 4096
MIB = 1 << 20


@dataclasses.dataclass
class Domain:
    """One guest. Sizes are in bytes; a range is (start, size)."""

    name: str
    kernel: pathlib.Path
    memory: int
    cpus: int = 1
    ramdisk: pathlib.Path = None
    devices: pathlib.Path = None  # the partial device tree: .dtb, or .dts that is compiled
    bootargs: str = "console=ttyAMA0"
    console: str = "vpl011"
    static_memory: list = dataclasses.field(default_factory=list)
    direct_map: bool = False
    pci: list = dataclasses.field(default_factory=list)
    properties: dict = dataclasses.field(default_factory=dict)
    source: str = ""


@dataclasses.dataclass
class Qemu:
    """The machine for `qemu` and `run`."""

    cpu: str = None  # None: as the hypervisor's image needs
    cpus: int = 2
    memory: str = "2G"
    machine: str = None
    options: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Config:
    memory: tuple  # (start, end) of the RAM that the boot loader loads to
    holdfast: pathlib.Path
    domains: list
    device_tree: object = "$fdtcontroladdr"  # a file, or the name of U-Boot's variable with its address
    load: str = None  # U-Boot's command to load a file; None: as the kind of image needs
    bootargs: str = ""
    static_heap: list = dataclasses.field(default_factory=list)
    source: str = ""
    qemu: Qemu = dataclasses.field(default_factory=Qemu)
    warnings: list = dataclasses.field(default_factory=list)


class Reader:
    """Takes keys from a mapping; what is left at the end is unknown."""

    def __init__(self, where, mapping, directory):
        if not isinstance(mapping, dict):
            raise Refused(f"{where}: expected keys and values, got {mapping!r}")
        self.where, self.mapping, self.directory = where, dict(mapping), directory
        self.known, self.key = [], None

    def take(self, key, convert, default=None, required=False):
        self.known.append(key)
        self.key = key
        value = self.mapping.pop(key, None)
        if value is None:
            if required:
                raise Refused(f"{self.where}: {key}: expected {convert.__doc__}, got nothing")
            return default
        try:
            return convert(value)
        except (TypeError, ValueError):
            raise Refused(
                f"{self.where}: {key}: expected {convert.__doc__}, got {value!r}"
            ) from None

    def end(self):
        for key in self.mapping:
            near = difflib.get_close_matches(str(key), self.known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f", expected one of {', '.join(self.known)}"
            raise Refused(f"{self.where}: {key}: not a known key{hint}")

    def file(self, value):
        """the name of a file"""
        path = self.directory / text(value)
        if not path.is_file():
            raise Refused(f"{self.where}: {self.key}: expected a file, there is no {path}")
        return path

    def tree(self, value):
        """the name of a device tree file, or $NAME of U-Boot's variable with its address"""
        return value if re.fullmatch(r"\$\w+", text(value)) else self.file(value)


# --- converters: the docstring is what is expected --------------------------


def text(value):
    """a string"""
    if not isinstance(value, str) or not value.isprintable() or not value.isascii():
        raise ValueError
    return value


def source(value):
    """device tree source"""
    if not isinstance(value, str):
        raise ValueError
    return value


def name(value):
    """a node name of 1 to 31 letters, digits and ,._+-"""
    if not re.fullmatch(rf"[\w,.+-]{{1,{NAME_MAX}}}", text(value), re.ASCII):
        raise ValueError
    return value


def flag(value):
    """true or false"""
    if not isinstance(value, bool):
        raise ValueError
    return value


def cpus(value):
    """1 to 128"""
    if isinstance(value, bool) or not 1 <= int(value) <= CPUS_MAX:
        raise ValueError
    return int(value)


def address(value):
    """an address"""
    number = value if isinstance(value, int) else int(text(value), 0)
    if isinstance(value, bool) or not 0 <= number < 1 << 64:
        raise ValueError
    return number


def amount(value):
    """a size: bytes, or a number with K, M or G"""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+) ?([KMG])(iB)?", value)):
        return int(match[1]) << {"K": 10, "M": 20, "G": 30}[match[2]]
    return address(value)


def memory(value):
    """the domain's memory in MiB, or a number with K, M or G"""
    size = value * MIB if isinstance(value, int) and not isinstance(value, bool) else amount(value)
    if size < PAGE or size % PAGE:
        raise ValueError
    return size


def ranges(value):
    """a list of [address, size]"""
    if not isinstance(value, list):
        raise ValueError
    return [(address(start), amount(size)) for start, size in value]


def bounds(value):
    """[start, end] of the RAM that is loaded to"""
    start, end = value
    start, end = address(start), address(end)
    if start >= end:
        raise ValueError
    return start, end


def console(value):
    """vpl011, ring, both or none"""
    if value not in ("vpl011", "ring", "both", "none"):
        raise ValueError
    return value


def strings(value):
    """a list of strings"""
    if not isinstance(value, list):
        raise ValueError
    return [text(item) for item in value]


def functions(value):
    """a list of PCI functions, "0000:00:02.0" """
    if not all(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", f) for f in strings(value)):
        raise ValueError
    return value


def properties(value):
    """names, and true, a number, a string or a list of one kind of these"""
    for key, item in value.items():
        items = item if isinstance(item, list) else [item]
        kinds = {type(i) for i in items}
        if len(kinds) != 1 or kinds <= {bool} and item is not True or not kinds <= {bool, int, str}:
            raise ValueError
        for i in items:
            if isinstance(i, str):
                text(i)
            elif not 0 <= i < 1 << 32:
                raise ValueError
        text(key)
    return value


# --- the file ---------------------------------------------------------------


def read_domain(where, mapping, directory):
    reader = Reader(where, mapping, directory)
    called = reader.take("name", name, required=True)
    reader.where = f"{where} ({called})"
    domain = Domain(
        name=called,
        kernel=reader.take("kernel", reader.file, required=True),
        memory=reader.take("memory", memory, required=True),
        cpus=reader.take("cpus", cpus, 1),
        ramdisk=reader.take("ramdisk", reader.file),
        devices=reader.take("device-tree", reader.file),
        bootargs=reader.take("bootargs", text, "console=ttyAMA0"),
        console=reader.take("console", console, "vpl011"),
        static_memory=reader.take("static-memory", ranges, []),
        direct_map=reader.take("direct-map", flag, False),
        pci=reader.take("pci", functions, []),
        properties=reader.take("properties", properties, {}),
        source=reader.take("source", source, ""),
    )
    reader.end()
    if domain.static_memory and sum(size for _, size in domain.static_memory) != domain.memory:
        raise Refused(
            f"{reader.where}: static-memory: expected {domain.memory >> 10} KiB in all, the domain's "
            f"memory, got {sum(size for _, size in domain.static_memory) >> 10} KiB"
        )
    if domain.direct_map and not domain.static_memory:
        raise Refused(f"{reader.where}: direct-map: expected static-memory beside it")
    return domain


def read_qemu(mapping):
    reader = Reader("qemu", mapping, None)
    machine = Qemu(
        cpu=reader.take("cpu", text, Qemu.cpu),
        cpus=reader.take("cpus", cpus, Qemu.cpus),
        memory=reader.take("memory", text, Qemu.memory),
        machine=reader.take("machine", text, Qemu.machine),
        options=reader.take("options", strings, []),
    )
    reader.end()
    return machine


def read_yaml(content, path):
    try:
        found = yaml.safe_load(content)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise Refused(f"{path}:{line} not YAML: {getattr(problem, 'problem', problem)}") from None
    return found


def load(path, changes=()):
    """The configuration in a file; `changes` are "key=value" in its place."""
    try:
        content = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Refused(f"{path}: {getattr(problem, 'strerror', 'not text')}") from None
    notes = []
    if imagebuilder.is_imagebuilder(content):
        mapping = imagebuilder.translate(content, path, notes)
    else:
        mapping = read_yaml(content, path)
    if not isinstance(mapping, dict):
        raise Refused(f"{path}: expected keys and values")
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise Refused(f"--set {change}: expected KEY=VALUE")
        mapping[key] = value
    return read(mapping, path, notes)


def read(mapping, path, notes):
    reader = Reader(str(path), mapping, pathlib.Path(path).parent)

    def domains(value):
        """a list of 1 to 64 domains"""
        if not isinstance(value, list) or not 1 <= len(value) <= DOMAINS_MAX:
            raise ValueError
        return [
            read_domain(f"{path}: domain {n}", d, reader.directory) for n, d in enumerate(value, 1)
        ]

    config = Config(
        memory=reader.take("memory", bounds, required=True),
        holdfast=reader.take("holdfast", reader.file, required=True),
        domains=reader.take("domains", domains, required=True),
        device_tree=reader.take("device-tree", reader.tree, Config.device_tree),
        load=reader.take("load", text),
        bootargs=reader.take("bootargs", text, ""),
        static_heap=reader.take("static-heap", ranges, []),
        source=reader.take("source", source, ""),
        qemu=reader.take("qemu", read_qemu, Qemu()),
        warnings=notes,
    )
    reader.end()
    names = [d.name for d in config.domains]
    for again in {n for n in names if names.count(n) > 1}:
        raise Refused(f"{path}: domains: expected a name of its own for each, {again!r} is there twice")
    return config
