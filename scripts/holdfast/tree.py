"""The device tree: /chosen as source text, joined with a board's tree, or as commands for U-Boot.

One text says what the domains are; dtc compiles it, and the other forms are made from that.
"""
import pathlib
import re
import subprocess
import tempfile

import libfdt

from . import Refused

PADDING = 65536  # for what U-Boot adds
U_BOOT_PROPERTY_MAX = 1024  # of `fdt set`
U_BOOT_TREE_GROWTH = 0x100000
PHANDLES_FROM = 0x40000000  # of our own nodes in a tree we have not seen


def cells(value):
    return f"{value >> 32:#x} {value & 0xffffffff:#x}"


def quoted(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def line(name, value):
    """One property: True, a number, a string, or a list of one kind of these."""
    if value is True:
        return f"{name};\n"
    items = value if isinstance(value, list) else [value]
    if isinstance(items[0], str):
        return f"{name} = {', '.join(quoted(i) for i in items)};\n"
    return f"{name} = <{' '.join(f'{i:#x}' for i in items)}>;\n"


def ranges(found):
    return "<" + " ".join(f"{cells(start)} {cells(size)}" for start, size in found) + ">"


# --- /chosen as source -------------------------------------------------------


def module(kind, piece, more=""):
    return (
        f"module@{piece.address:x} {{\n"
        f'compatible = "multiboot,{kind}", "multiboot,module";\n'
        f"reg = <{cells(piece.address)} {cells(piece.size)}>;\n{more}}};\n"
    )


def domain_source(domain, layout):
    text = f'{domain.name} {{\ncompatible = "xen,domain";\n'
    text += "#address-cells = <2>;\n#size-cells = <2>;\n"
    text += f"cpus = <{domain.cpus}>;\nmemory = <{cells(domain.memory >> 10)}>;\n"
    if domain.console in ("vpl011", "both"):
        text += "vpl011;\n"
    if domain.console in ("ring", "both"):
        text += "holdfast,pv-console;\n"
    if domain.static_memory:
        text += "#xen,static-mem-address-cells = <2>;\n#xen,static-mem-size-cells = <2>;\n"
        text += f"xen,static-mem = {ranges(domain.static_memory)};\n"
    if domain.direct_map:
        text += "direct-map;\n"
    if domain.pci:
        text += line("holdfast,pci-functions", domain.pci)
    for name, value in domain.properties.items():
        text += line(name, value)
    text += domain.source + "\n"
    text += module("kernel", layout.modules[domain.kernel], line("bootargs", domain.bootargs))
    if domain.ramdisk:
        text += module("ramdisk", layout.modules[domain.ramdisk])
    if domain.devices:
        text += module("device-tree", layout.modules[domain.devices])
    return text + "};\n"


def chosen_source(config, layout):
    text = "#address-cells = <2>;\n#size-cells = <2>;\n"
    text += line("xen,xen-bootargs", config.bootargs)
    if config.static_heap:
        text += f"xen,static-heap = {ranges(config.static_heap)};\n"
    return text + config.source + "\n" + "".join(domain_source(d, layout) for d in config.domains)


# --- dtc -----------------------------------------------------------------------


def compile_source(text, what, padding=0):
    """The bytes of a tree; dtc's own words when it refuses."""
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work, "source.dts")
        path.write_text(text, encoding="ascii")
        done = subprocess.run(
            ["dtc", "-q", "-p", str(padding), "-I", "dts", "-O", "dtb", path], capture_output=True, cwd=work
        )
    if done.returncode:
        said = done.stderr.decode().replace(str(path), "source").strip()
        raise Refused(f"{what}: not valid device tree source: {said}\n{numbered(text)}")
    return done.stdout


def numbered(text):
    return "\n".join(f"{n:4} {content}" for n, content in enumerate(text.splitlines(), 1))


def source_of(file):
    done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", file], capture_output=True)
    if done.returncode:
        raise Refused(f"{file}: not a device tree: {done.stderr.decode().strip()}")
    return done.stdout.decode("ascii")


def joined(board, config, layout):
    """The board's tree with the domains in it."""
    text = source_of(board) + f"/ {{\nchosen {{\n{chosen_source(config, layout)}}};\n}};\n"
    return compile_source(text, f"{board} with the domains", PADDING)


def overlay(config, layout):
    text = '/dts-v1/;\n/plugin/;\n/ {\nfragment@0 {\ntarget-path = "/chosen";\n__overlay__ {\n'
    return compile_source(text + chosen_source(config, layout) + "};\n};\n};\n", "the domains")


# --- reading -------------------------------------------------------------------


def nodes(fdt, parent):
    at = fdt.first_subnode(parent, libfdt.QUIET_NOTFOUND)
    while at >= 0:
        yield at
        at = fdt.next_subnode(at, libfdt.QUIET_NOTFOUND)


def properties(fdt, node):
    at = fdt.first_property_offset(node, libfdt.QUIET_NOTFOUND)
    while at >= 0:
        found = fdt.get_property_by_offset(at)
        yield found.name, bytes(found)
        at = fdt.next_property_offset(at, libfdt.QUIET_NOTFOUND)


def prop(fdt, node, name):
    found = fdt.getprop(node, name, libfdt.QUIET_NOTFOUND)
    return None if isinstance(found, int) else bytes(found)


def numbers(raw):
    return [int.from_bytes(raw[i : i + 4], "big") for i in range(0, len(raw) - 3, 4)]


def reg(fdt, node, parent):
    """[(address, size)] in the parent's cells."""
    counts = [prop(fdt, parent, n) for n in ("#address-cells", "#size-cells")]
    ac, sc = [default if raw is None else numbers(raw)[0] for raw, default in zip(counts, (2, 1))]
    found = numbers(prop(fdt, node, "reg") or b"")
    joint = lambda part: int("".join(f"{c:08x}" for c in part) or "0", 16)  # noqa: E731
    return [
        (joint(found[i : i + ac]), joint(found[i + ac : i + ac + sc]))
        for i in range(0, len(found) - ac - sc + 1, ac + sc)
    ]


def open_tree(file):
    try:
        return libfdt.FdtRo(pathlib.Path(file).read_bytes())
    except libfdt.FdtException as problem:
        raise Refused(f"{file}: not a device tree: {problem}") from None


def ram_and_reserved(file):
    """Bytes of RAM, and (start, size, what) of everything the tree keeps."""
    fdt, ram, kept = open_tree(file), 0, []
    for i in range(fdt.num_mem_rsv()):
        start, size = fdt.get_mem_rsv(i)[-2:]
        kept.append((start, size, "/memreserve/"))
    for node in nodes(fdt, 0):
        if (prop(fdt, node, "device_type") or b"") == b"memory\0":
            ram += sum(size for _, size in reg(fdt, node, 0))
        if fdt.get_name(node) == "reserved-memory":
            for child in nodes(fdt, node):
                kept += [(a, s, fdt.get_name(child)) for a, s in reg(fdt, child, node)]
    return ram, kept


# --- as U-Boot's commands --------------------------------------------------------


def is_text(raw):
    return bool(re.fullmatch(rb"(?:[ -~]+\0)+", raw))


def u_boot_value(raw):
    """The value of `fdt set` for some bytes; strings and cells where they can be, for the reader."""
    if not raw:
        return ""
    if is_text(raw) and not re.search(rb"['\\]", raw) and not re.match(rb"[<\[]", raw):
        return "".join(f" '{part.decode()}'" for part in raw[:-1].split(b"\0"))
    if len(raw) % 4 == 0:
        return " <" + " ".join(f"{n:#x}" for n in numbers(raw)) + ">"
    return " [" + raw.hex(" ") + "]"


def phandle_places(fdt, node, path, found):
    """{(path, property): [offsets]} of our phandles, from what dtc notes in /__local_fixups__."""
    for name, raw in properties(fdt, node):
        found[path, name] = numbers(raw)
    for child in nodes(fdt, node):
        phandle_places(fdt, child, f"{path}/{fdt.get_name(child)}", found)


def renumbered(path, name, raw, places):
    """With phandles that do not meet those of the board."""
    offsets = [0] if name == "phandle" else places.get((path, name), [])
    out = bytearray(raw)
    for at in offsets:
        out[at : at + 4] = (int.from_bytes(out[at : at + 4], "big") + PHANDLES_FROM).to_bytes(4, "big")
    return bytes(out)


def u_boot_commands(compiled):
    """`fdt` commands that make the same changes as an overlay, for a U-Boot without `fdt apply`."""
    fdt = libfdt.FdtRo(compiled)
    if fdt.path_offset("/__fixups__", libfdt.QUIET_NOTFOUND) >= 0:
        at = fdt.path_offset("/__fixups__")
        names = ", ".join(name for name, _ in properties(fdt, at))
        raise Refused(f"source: {names}: a node of the board's tree can be named only when device-tree is a file")
    places = {}
    start = fdt.path_offset("/__local_fixups__/fragment@0/__overlay__", libfdt.QUIET_NOTFOUND)
    if start >= 0:
        phandle_places(fdt, start, "/chosen", places)
    lines = []

    def walk(node, path):
        for name, raw in properties(fdt, node):
            if len(raw) > U_BOOT_PROPERTY_MAX:
                raise Refused(
                    f"{path}: {name}: U-Boot sets at most {U_BOOT_PROPERTY_MAX} bytes, this has {len(raw)}; "
                    "make device-tree a file"
                )
            value = u_boot_value(renumbered(path, name, raw, places))
            lines.append(f"fdt set {path} {name.replace('#', chr(92) + '#')}{value}")
        # A new node becomes the first of its parent: the last one is made first.
        for child in reversed(list(nodes(fdt, node))):
            name = fdt.get_name(child)
            lines.append(f"fdt mknode {path} {name}")
            walk(child, f"{path}/{name}")

    walk(fdt.path_offset("/fragment@0/__overlay__"), "/chosen")
    return lines
