"""Where everything is loaded: addresses from the files' real sizes, clear of each other and of what is taken.

    +0      what the boot loader itself uses, its script among it
    +4 MiB  Holdfast, then kernels, ramdisks, partial trees, the device tree; each at the next 2 MiB
    end     16 MiB for U-Boot, which moves itself to the end of RAM
"""
import dataclasses
import pathlib
import struct

from . import Refused

STEP = 2 << 20
FIRST = 4 << 20
U_BOOT_ROOM = 16 << 20
TREE_ROOM = 1 << 20  # the device tree, with what U-Boot adds to it


@dataclasses.dataclass
class Arch:
    """What differs between 64-bit and 32-bit Arm."""

    name: str  # as mkimage calls it
    boot: str  # U-Boot's command that starts a kernel of it
    in_place: str  # U-Boot's fdt_high that leaves the device tree where it is
    cpu: str  # of the QEMU machine, if nothing else is said
    machine: str
    u_boot: str  # Debian's for that machine


ARM64 = Arch("arm64", "booti", "0xffffffffffffffff", "cortex-a72",
             "virt,virtualization=on,gic-version=3,iommu=smmuv3", "qemu_arm64")  # fmt: skip
ARM32 = Arch("arm", "bootz", "0xffffffff", "cortex-a15", "virt,virtualization=on,gic-version=2", "qemu_arm")


@dataclasses.dataclass
class Piece:
    """One file in memory. `size` is the file's, `room` what must stay free for it."""

    file: pathlib.Path
    address: int
    size: int
    room: int


@dataclasses.dataclass
class Layout:
    arch: Arch
    holdfast: Piece
    modules: dict  # {file: Piece}, in the order they are loaded
    tree: int  # address of TREE_ROOM bytes
    end: int  # nothing is loaded from here on


def align(number, step=STEP):
    return (number + step - 1) // step * step


def hexsize(size):
    return f"{size / (1 << 20):.1f} MiB"


# --- what the files are ------------------------------------------------------

ARM64_MAGIC, ZIMAGE_MAGIC, UIMAGE_MAGIC = b"ARM\x64", 0x016F2818, b"\x27\x05\x19\x56"
FDT_MAGIC = b"\xd0\x0d\xfe\xed"


def head(file):
    with open(file, "rb") as stream:
        return stream.read(64)


def hypervisor(file):
    """(Arch, bytes it wants for itself from its load address on): an arm64 Image, or a zImage."""
    start, size = head(file), file.stat().st_size
    if start[56:60] == ARM64_MAGIC:
        return ARM64, max(struct.unpack("<Q", start[16:24])[0], size)
    if start[36:40] == struct.pack("<I", ZIMAGE_MAGIC):
        return ARM32, max(struct.unpack("<I", start[44:48])[0], size)
    raise Refused(f"{file}: expected holdfast.bin, an arm64 Image or a zImage; this is neither")


def check_hypervisor(file):
    """A kernel, and Xen, have the same header."""
    if b"Holdfast " not in file.read_bytes():
        raise Refused(f"{file}: expected holdfast.bin; this is something else")


def check_kernel(domain, file):
    start = head(file)
    kinds = {b"\x7fELF": "an ELF file", UIMAGE_MAGIC: "packed by mkimage", FDT_MAGIC: "a device tree or FIT"}
    for magic, kind in kinds.items():
        if start.startswith(magic):
            raise Refused(f"{domain}: kernel: expected an Image, zImage or raw binary, {file} is {kind}")
    if not start:
        raise Refused(f"{domain}: kernel: {file} is empty")


def check_tree(domain, file):
    if not head(file).startswith(FDT_MAGIC):
        raise Refused(f"{domain}: device-tree: expected a compiled device tree, {file} is none")


# --- placing -----------------------------------------------------------------


class Space:
    """RAM that is loaded to, and the parts of it that are taken: (start, end, what)."""

    def __init__(self, memory):
        self.start, self.end = memory
        self.taken = []
        self.next = align(self.start + FIRST)
        self.limit = self.end - U_BOOT_ROOM

    def keep_out(self, start, size, what):
        self.taken.append((start, start + size, what))

    def place(self, room, what):
        at = self.next
        while blocking := [end for start, end, _ in self.taken if at < end and start < at + room]:
            at = align(max(blocking))
        if at + room > self.limit:
            raise Refused(
                f"{what} ({hexsize(room)}) does not fit: memory ends at {self.end:#x}, of which the last "
                f"{hexsize(U_BOOT_ROOM)} are left to U-Boot, and {at:#x} is the next free address"
            )
        self.next = align(at + room)
        return at


def static_ranges(config):
    """(start, size, what) of memory the configuration gives away by address; no two may touch."""
    found = [(start, size, "static-heap") for start, size in config.static_heap]
    for domain in config.domains:
        found += [(start, size, f"static-memory of {domain.name}") for start, size in domain.static_memory]
    for start, size, what in found:
        if start % 4096 or size % 4096 or not size:
            raise Refused(f"{what}: expected whole pages, got {start:#x}, {size:#x}")
    found.sort()
    for (a, size, one), (b, _, other) in zip(found, found[1:]):
        if a + size > b:
            raise Refused(f"{other} at {b:#x} overlaps {one}, which ends at {a + size:#x}")
    return found


def plan(config, reserved=()):
    """Places everything. `reserved`: (start, size, what) that the machine keeps for itself."""
    space = Space(config.memory)
    for start, size, what in [*static_ranges(config), *reserved]:
        space.keep_out(start, size, what)
    arch, need = hypervisor(config.holdfast)
    check_hypervisor(config.holdfast)
    holdfast = Piece(config.holdfast, space.place(need, "Holdfast"), config.holdfast.stat().st_size, need)
    modules = {}
    for domain in config.domains:
        check_kernel(domain.name, domain.kernel)
        if domain.devices:
            check_tree(domain.name, domain.devices)
        if domain.ramdisk and domain.ramdisk.stat().st_size > domain.memory:
            raise Refused(f"{domain.name}: ramdisk: larger than the domain's memory, {domain.memory >> 10} KiB")
        for file in (domain.kernel, domain.ramdisk, domain.devices):
            if file and file not in modules:
                size = file.stat().st_size
                if not size:
                    raise Refused(f"{domain.name}: {file} is empty")
                modules[file] = Piece(file, space.place(size, f"{domain.name}: {file.name}"), size, size)
    tree = space.place(TREE_ROOM, "the device tree")
    return Layout(arch, holdfast, modules, tree, space.next)


def check_ram(config, layout, ram):
    """Refuses domains that together want more than there is; `ram`: bytes of the machine, 0 in a tree
    whose memory U-Boot fills in."""
    used = sum(p.room for p in [layout.holdfast, *layout.modules.values()])
    wanted = sum(d.memory for d in config.domains)
    if ram and used + wanted > ram:
        raise Refused(
            f"the domains' memory, {hexsize(wanted)}, and what is loaded, {hexsize(used)}, are more than "
            f"the machine has, {hexsize(ram)}"
        )
