"""Partial device trees: a guest's view of devices, made from the tree of the machine they are in.

What would go wrong on the machine is refused here: no DMA stream, interrupts or registers that something
else has too, things that Holdfast keeps.
"""
import re

from . import Refused, tree
from .fdt import groups

PAGE = 4096
# What a guest finds at fixed places (Xen's public arch-arm.h), and its RAM.
GUEST_TAKEN = [
    (0x03000000, 0x01200000, "the guest's interrupt controller"),
    (0x22000000, 0x00001000, "the guest's console"),
    (0x38000000, 0x02000000, "the guest's grant table and shared pages"),
    (0x40000000, 0xC0000000, "the guest's RAM"),
    (0x200000000, (1 << 48) - 0x200000000, "the guest's RAM"),
]
GUEST_ECAM = (0x10000000, 0x10000000)
GUEST_WINDOW = (0x23000000, 0x10000000)  # where registers go that cannot be where the machine has them
# Compatibles that Holdfast keeps: see passthrough_init().
KEPT = {
    "arm,gic-v3", "arm,gic-v3-its", "arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a7-gic",
    "arm,gic-v2m-frame", "arm,smmu-v3", "arm,armv7-timer-mem", "arm,armv8-timer", "qemu,fw-cfg-mmio",
}  # fmt: skip
# Not for the guest: it has no IOMMU, no MSI, and a name of its own for each node.
DROPPED = {"iommus", "iommu-map", "iommu-map-mask", "msi-map", "msi-map-mask", "msi-parent", "phandle",
           "linux,phandle", "interrupt-parent", "linux,pci-domain", "dma-coherent", "reg", "ranges",
           "interrupt-map", "interrupts-extended", "clocks", "clock-names", "status"}  # fmt: skip
# They name nodes outside of the device.
REFERENCES = re.compile(
    r".*-supply|power-domains|resets|reset-names|pinctrl-.*|dmas|dma-names|assigned-clock.*|.*-gpios?|interconnects|phys"
)


def overlaps(a, a_size, b, b_size):
    return a < b + b_size and b < a + a_size


def whole_pages(start, size):
    """(start, size) of the pages that have some of it."""
    first = start // PAGE * PAGE
    return first, (start + size + PAGE - 1) // PAGE * PAGE - first


class Machine:
    """The host's tree, by what it says of devices."""

    def __init__(self, host):
        self.root = host.root
        self.by_phandle = {n.cell("phandle"): n for n in self.root.walk() if "phandle" in n.properties}

    def node(self, path):
        if not path.startswith("/"):
            alias = (self.root.find("/aliases") or self.root).strings(path)
            path = alias[0] if alias else path
        node = self.root.find(path) if path.startswith("/") else None
        if not node or node is self.root:
            raise Refused(f"{path}: expected the path of a device in the machine's tree")
        return node

    def enabled(self, node):
        return node.strings("status") in ([], ["okay"], ["ok"])

    def registers(self, node):
        """[(address, size)] as the CPU sees them, through every parent's ranges."""
        found = node.reg() if node.parent else []
        at = node.parent
        while at and at.parent:
            if "ranges" not in at.properties:
                return []
            counts = at.cell("#address-cells", 2), at.parent.cell("#address-cells", 2), at.cell("#size-cells", 1)
            windows = groups(at.cells("ranges"), counts)
            if windows:
                found = [
                    (address - child + parent, size)
                    for address, size in found
                    for child, parent, length in windows
                    if child <= address and address + size <= child + length
                ]
            at = at.parent
        return found

    def gic(self, node):
        """The interrupt parent of a node; None: not a GIC."""
        while node:
            if "interrupt-parent" in node.properties:
                parent = self.by_phandle.get(node.cell("interrupt-parent"))
                return parent if parent and set(parent.strings("compatible")) & KEPT else None
            node = node.parent
        return None

    def interrupts(self, node):
        """[(phandle of the controller, cells)] of interrupts-extended, or of interrupts."""
        cells = node.cells("interrupts-extended")
        found = []
        if not cells:
            gic = self.gic(node)
            if node.cells("interrupts") and not gic:
                raise Refused(f"{node.path}: interrupts: expected those of the GIC")
            flat = node.cells("interrupts")
            return [(gic, flat[i : i + 3]) for i in range(0, len(flat) - 2, 3)]
        while cells:
            controller = self.by_phandle.get(cells[0])
            size = controller.cell("#interrupt-cells", 0) if controller else 0
            if not size or not set(controller.strings("compatible")) & KEPT:
                raise Refused(f"{node.path}: interrupts-extended: expected those of the GIC")
            found.append((controller, cells[1 : 1 + size]))
            cells = cells[1 + size :]
        return found

    def spis(self, node):
        found = set()
        for _, cells in self.interrupts(node):
            if cells[0] != 0:
                raise Refused(f"{node.path}: interrupts: expected shared interrupts (SPIs), got PPI {cells[1]}")
            found.add(cells[1])
        if "pci" in node.strings("device_type"):
            found |= {entry["spec"][1] for entry in self.interrupt_map(node)}
        return found

    def interrupt_map(self, bridge):
        """Entries of a PCI bridge: {child: 3 cells, pin, controller, spec: cells of the GIC}."""
        cells, found = bridge.cells("interrupt-map"), []
        while cells:
            controller = self.by_phandle.get(cells[4]) if len(cells) > 4 else None
            if not controller:
                raise Refused(f"{bridge.path}: interrupt-map: malformed")
            skip = 5 + controller.cell("#address-cells", 0)
            end = skip + controller.cell("#interrupt-cells", 0)
            found.append({"child": cells[:3], "pin": cells[3], "controller": controller, "spec": cells[skip:end]})
            cells = cells[end:]
        return found

    def streams(self, node):
        """{(IOMMU's path, stream)} of `iommus`."""
        cells, found = node.cells("iommus"), set()
        while cells:
            iommu = self.by_phandle.get(cells[0])
            size = iommu.cell("#iommu-cells", 0) if iommu else 0
            if size != 1:
                raise Refused(f"{node.path}: iommus: expected an IOMMU that names a stream by one cell")
            found.add((iommu.path, cells[1]))
            cells = cells[2:]
        return found

    def stream_of_rid(self, bridge, rid):
        rid &= bridge.cell("iommu-map-mask", 0xFFFFFFFF)
        for base, phandle, stream, count in zip(*[iter(bridge.cells("iommu-map"))] * 4):
            if base <= rid < base + count:
                return self.by_phandle[phandle].path, stream + rid - base
        return None


# --- checks -------------------------------------------------------------------


def related(a, b):
    """One is the other, or lies in it."""
    return (a.path + "/").startswith(b.path.rstrip("/") + "/") or (b.path + "/").startswith(a.path.rstrip("/") + "/")


def check_kept(machine, node):
    kept = set(node.strings("compatible")) & KEPT
    if kept or "memory" in node.strings("device_type"):
        raise Refused(f"{node.path}: Holdfast needs it itself ({', '.join(kept) or 'memory'})")
    if not machine.enabled(node):
        raise Refused(f"{node.path}: disabled in the machine's tree")
    chosen = machine.root.find("/chosen")
    console = chosen.strings("stdout-path") if chosen else []
    if console and machine.node(console[0].split(":")[0]) is node:
        raise Refused(f"{node.path}: Holdfast's console (stdout-path)")


def check_clashes(machine, given):
    """Nothing outside of what is given may have an interrupt, a page of registers or a stream of it."""
    for node in given:
        pages = [whole_pages(a, s) for a, s in machine.registers(node)]
        spis, streams = machine.spis(node), machine.streams(node)
        for other in machine.root.walk():
            if other is machine.root or any(related(other, g) for g in given) or not machine.enabled(other):
                continue
            for start, size in machine.registers(other) if other.properties.get("reg") else []:
                if size and any(overlaps(a, n, start, size) for a, n in pages):
                    raise Refused(f"{node.path}: registers at {start:#x} are in a page with {other.path}'s; give both")
            shared = spis & spis_or_none(machine, other)
            if shared:
                raise Refused(f"{node.path}: SPI {min(shared)} is {other.path}'s too; give both")
            if streams & streams_or_none(machine, other):
                raise Refused(f"{node.path}: its DMA stream is {other.path}'s too; give both")


def spis_or_none(machine, node):
    try:
        return machine.spis(node)
    except (Refused, IndexError):
        return set()


def streams_or_none(machine, node):
    try:
        return machine.streams(node)
    except Refused:
        return set()


# --- the guest's view -----------------------------------------------------------


class Places:
    """Where the guest finds registers: where the machine has them if that is free, else in the window."""

    def __init__(self):
        self.used = [(start, size) for start, size, _ in GUEST_TAKEN]
        self.next = GUEST_WINDOW[0]

    def free(self, start, size):
        return not any(overlaps(start, size, a, s) for a, s in self.used)

    def place(self, host, size, node):
        at = host
        if not self.free(at, size):
            at = (self.next + size - 1) // size * size if size & (size - 1) == 0 else self.next
            while not self.free(at, size):
                at += PAGE
            if at + size > GUEST_WINDOW[0] + GUEST_WINDOW[1]:
                raise Refused(f"{node.path}: {size:#x} bytes of registers have no room in the guest")
            self.next = at + size
        self.used.append((at, size))
        return at


def value(raw):
    """Source of a property's bytes."""
    if not raw:
        return ""
    if tree.is_text(raw):
        return " = " + ", ".join(tree.quoted(part.decode()) for part in raw[:-1].split(b"\0"))
    if len(raw) % 4 == 0:
        return " = <" + " ".join(hex(int.from_bytes(raw[i : i + 4], "big")) for i in range(0, len(raw), 4)) + ">"
    return f" = [{raw.hex(' ')}]"


def copied(machine, node, notes, own=""):
    """Properties and children as they are, without what means nothing to a guest; `own` properties between."""
    inside = {n.cell("phandle") for n in node.walk() if "phandle" in n.properties}
    text = f"phandle{value(node.properties['phandle'])};\n" if "phandle" in node.properties else ""
    for name, raw in node.properties.items():
        if name in DROPPED:
            continue
        if REFERENCES.fullmatch(name) and (not node.cells(name) or node.cells(name)[0] not in inside):
            notes.append(f"{node.path}: {name}: names something the guest does not have, left out")
            continue
        text += f"{name}{value(raw)};\n"
    text += own
    for child in node.children:
        reg = f"reg{value(child.properties['reg'])};\n" if "reg" in child.properties else ""
        text += f"{child.name} {{\n{reg}{copied(machine, child, notes)}}};\n"
    return text


def clocks(machine, node, made, notes):
    """Fixed clocks go with the device, each once; others cannot."""
    phandles = node.cells("clocks")
    found = [machine.by_phandle.get(p) for p in phandles]
    if not phandles:
        return ""
    if not all(c and c.strings("compatible") == ["fixed-clock"] for c in found):
        notes.append(f"{node.path}: clocks: only fixed clocks can go with a device, left out")
        return ""
    for clock in found:
        made[clock.name] = clock
    names = node.properties.get("clock-names")
    return f"clocks{value(node.properties['clocks'])};\n" + (f"clock-names{value(names)};\n" if names else "")


def bridge_source(machine, node, places):
    """reg, ranges and interrupt-map of a host bridge; [(host, size, guest)]."""
    (ecam, ecam_size), *_ = machine.registers(node)
    if ecam_size > GUEST_ECAM[1]:
        raise Refused(f"{node.path}: expected at most 256 MiB of configuration space")
    places.used.append(GUEST_ECAM)
    windows = groups(node.cells("ranges"), (1, 2, node.parent.cell("#address-cells", 2), 2))
    memory = [(pci, cpu, size) for kind, pci, cpu, size in windows if kind >> 24 & 3 == 2]
    if not memory:
        raise Refused(f"{node.path}: ranges: expected a window of 32-bit memory")
    pci, cpu, size = memory[0]
    # The part of the window that the guest can have at the same address, if that is of use.
    start, end = max(cpu, GUEST_WINDOW[0]), min(cpu + size, sum(GUEST_WINDOW))
    if end - start < 0x100000:
        start, end = cpu, cpu + min(size, GUEST_WINDOW[1])
    guest = places.place(start, end - start, node)
    mapped = [(ecam, ecam_size, GUEST_ECAM[0]), (start, end - start, guest)]
    text = f"reg = <{tree.cells(GUEST_ECAM[0])} {tree.cells(ecam_size)}>;\n"
    child = pci + start - cpu
    text += f"ranges = <0x2000000 {tree.cells(child)} {tree.cells(guest)} {tree.cells(end - start)}>;\n"
    entries = [
        f"<{' '.join(map(hex, e['child']))} {e['pin']} &gic {' '.join(map(hex, e['spec']))}>"
        for e in machine.interrupt_map(node)
    ]
    return text + (f"interrupt-map = {', '.join(entries)};\n" if entries else ""), mapped


def device_source(machine, node, places, made, force, notes):
    check_kept(machine, node)
    machine.spis(node)
    bridge = "pci" in node.strings("device_type")
    behind = machine.streams(node) or (bridge and "iommu-map" in node.properties)
    if not behind and not force:
        raise Refused(
            f"{node.path}: no IOMMU stands before it (iommus, iommu-map); --force gives it all the same: for a "
            "device that does no DMA, or a guest that is trusted"
        )
    if not machine.registers(node):
        raise Refused(f"{node.path}: expected registers (reg)")
    text = clocks(machine, node, made, notes)
    if bridge:
        more, mapped = bridge_source(machine, node, places)
        text += more
    else:
        mapped, reg = [], []
        for address, size in machine.registers(node):
            start, length = whole_pages(address, size)
            guest = places.place(start, length, node)
            mapped.append((start, length, guest))
            reg.append((guest + address - start, size))
        text += f"reg = {tree.ranges(reg)};\n"
        flat = [cells for _, cells in machine.interrupts(node)]
        if "interrupts-extended" in node.properties:
            text += f"interrupts = {', '.join('<' + ' '.join(map(hex, c)) + '>' for c in flat)};\n"
    if "dma-coherent" in node.properties:
        text += "dma-coherent;\n"
    text += f'xen,path = "{node.path}";\n'
    triples = ", ".join(f"<{tree.cells(h)} {tree.cells(s)} {tree.cells(g)}>" for h, s, g in mapped)
    text += f"xen,reg = {triples};\n" + ("" if behind else "xen,force-assign-without-iommu;\n")
    name = node.name.split("@")[0] + f"@{mapped[0][2]:x}"
    return f"{name} {{\n{copied(machine, node, notes, text)}}};\n"


def partial_tree(host, paths, to, force, notes):
    """Source of the partial tree for devices of the machine; `notes` gets what was left out."""
    machine = Machine(host)
    given = [machine.node(path) for path in paths]
    places, made = Places(), {}
    body = "".join(device_source(machine, node, places, made, force, notes) for node in given)
    check_clashes(machine, given)
    for clock in made.values():
        body += f"{clock.name} {{\n{copied(machine, clock, notes)}}};\n"
    text = "/dts-v1/;\n" + f"/* For {to}: {', '.join(n.path for n in given)}. Made by holdfast-dt. */\n"
    text += "/ {\n#address-cells = <2>;\n#size-cells = <2>;\n"
    text += "gic: gic { #interrupt-cells = <3>; #address-cells = <0>; interrupt-controller; };\n"
    text += 'passthrough {\ncompatible = "simple-bus";\nranges;\n#address-cells = <2>;\n#size-cells = <2>;\n'
    text += "interrupt-parent = <&gic>;\n" + body + "};\n};\n"
    return indented(text)


def indented(text):
    depth, lines = 0, []
    for line in text.splitlines():
        depth -= line.startswith("}")
        lines.append("    " * depth + line)
        depth += line.endswith("{")
    return "\n".join(lines) + "\n"


# --- single PCI functions -------------------------------------------------------


def pci_functions(host, functions, to):
    """The property for functions of the machine, after a look at the bridge; [what to know of each]."""
    machine = Machine(host)
    bridges = [n for n in machine.root.walk() if "pci-host-ecam-generic" in n.strings("compatible")]
    segments = {n.cell("linux,pci-domain", i): n for i, n in enumerate(bridges)}
    said = []
    for name in functions:
        match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])", name)
        if not match:
            raise Refused(f"--pci {name}: expected segment:bus:device.function like 0000:00:02.0")
        segment, bus, device, function = (int(part, 16) for part in match.groups())
        bridge = segments.get(segment)
        if not bridge:
            raise Refused(f"{name}: the machine has no PCI segment {segment}")
        first, last = (bridge.cells("bus-range") or [0, 255])[:2]
        if not first <= bus <= last:
            raise Refused(f"{name}: {bridge.path} has buses {first} to {last}")
        rid = bus << 8 | device << 3 | function
        stream = machine.stream_of_rid(bridge, rid)
        if not stream:
            raise Refused(f"{name}: {bridge.path}: iommu-map gives requester ID {rid:#x} no stream")
        check_owners(machine, name, to)
        said.append(f"{name}: {bridge.path}, stream {stream[1]:#x} of {stream[0]}{line_of(machine, bridge, rid)}")
    return tree.line("holdfast,pci-functions", functions), said


def check_owners(machine, name, to):
    chosen = machine.root.find("/chosen")
    for domain in chosen.children if chosen else []:
        if domain.name != to and name in domain.strings("holdfast,pci-functions"):
            raise Refused(f"{name}: {domain.path} has it")


def line_of(machine, bridge, rid):
    """The SPI of a function's INTA, and which slots share it: they must go to one guest."""
    mask = (bridge.cells("interrupt-map-mask") or [0])[0] >> 8 & 0xFF
    entries = machine.interrupt_map(bridge)
    mine = [e for e in entries if e["pin"] == 1 and e["child"][0] >> 8 & mask == rid & mask]
    if not mine:
        return ""
    spi = mine[0]["spec"][1]
    return f", INTA is SPI {spi}" + (f", as in each {(mask >> 3) + 1}th slot" if mask else "")
