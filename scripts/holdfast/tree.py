"""The device tree: /chosen as source text, joined with a board's tree, or as commands for U-Boot.

One text says what the domains are; dtc compiles it, and the other forms are made from that.
"""
import pathlib
import re
import struct
import subprocess
import tempfile

from . import Refused, fdt

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


def ram_and_reserved(file):
    """Bytes of RAM, and (start, size, what) of everything the tree keeps."""
    tree = fdt.read(file)
    kept = [(start, size, "/memreserve/") for start, size in tree.reserved]
    ram = 0
    for node in tree.root.children:
        if node.strings("device_type") == ["memory"]:
            ram += sum(size for _, size in node.reg())
        if node.name == "reserved-memory":
            kept += [(*place, child.name) for child in node.children for place in child.reg()]
    return ram, kept


# --- as U-Boot's commands --------------------------------------------------------


def is_text(raw):
    return bool(re.fullmatch(rb"(?:[ -~]+\0)+", raw))


def u_boot_value(raw, variables=None):
    """The value of `fdt set` for some bytes; strings and cells where they can be, for the reader.
    `variables`: {offset: U-Boot variable that has the cell}."""
    if not raw:
        return ""
    if variables:
        cells = struct.unpack(f">{len(raw) // 4}I", raw)
        return " <" + " ".join(variables.get(4 * i, f"{n:#x}") for i, n in enumerate(cells)) + ">"
    if is_text(raw) and not re.search(rb"['\\]", raw) and not re.match(rb"[<\[]", raw):
        return "".join(f" '{part.decode()}'" for part in raw[:-1].split(b"\0"))
    if len(raw) % 4 == 0:
        return " <" + " ".join(f"{n:#x}" for n in struct.unpack(f">{len(raw) // 4}I", raw)) + ">"
    return " [" + raw.hex(" ") + "]"


def renumbered(name, raw, offsets):
    """With our phandles out of the way of the board's; dtc notes where they stand in a property."""
    out = bytearray(raw)
    for at in [0] if name == "phandle" else offsets:
        out[at : at + 4] = (int.from_bytes(out[at : at + 4], "big") + PHANDLES_FROM).to_bytes(4, "big")
    return bytes(out)


def host_phandles(fixups):
    """Lines that look up the board's nodes that ours name by path, and {(path, property): {offset: variable}}."""
    lines, wanted = [], {}
    for n, host in enumerate(fixups.properties if fixups else []):
        if not host.startswith("/"):
            raise Refused(f"source: {host}: no label of ours; name a node of the board by its path, &{{/path}}")
        lines += [
            f"if fdt get value holdfast_{n} {host} phandle; then true; else",
            f"  echo holdfast-image: expected {host} in the tree of the board, with a phandle; not started",
            "  exit",
            "fi",
        ]
        for place in fixups.strings(host):
            path, name, offset = place.replace("/fragment@0/__overlay__", "/chosen", 1).rsplit(":", 2)
            wanted.setdefault((path, name), {})[int(offset)] = f"${{holdfast_{n}}}"
    return lines, wanted


def u_boot_commands(compiled):
    """`fdt` commands that make the same changes as an overlay, for a U-Boot without `fdt apply`."""
    root = fdt.Tree(compiled, "the domains").root
    lines, wanted = host_phandles(root.find("/__fixups__"))

    def walk(node, path, places):
        for name, raw in node.properties.items():
            if len(raw) > U_BOOT_PROPERTY_MAX:
                raise Refused(
                    f"{path}: {name}: U-Boot sets at most {U_BOOT_PROPERTY_MAX} bytes, this has {len(raw)}; "
                    "make device-tree a file"
                )
            value = u_boot_value(renumbered(name, raw, places.cells(name) if places else []), wanted.get((path, name)))
            lines.append(f"fdt set {path} {name.replace('#', chr(92) + '#')}{value}")
        # A new node becomes the first of its parent: the last one is made first.
        for child in reversed(node.children):
            lines.append(f"fdt mknode {path} {child.name}")
            walk(child, f"{path}/{child.name}", places and places.find(child.name))

    walk(
        root.find("/fragment@0/__overlay__"), "/chosen", root.find("/__local_fixups__/fragment@0/__overlay__")
    )
    return lines
