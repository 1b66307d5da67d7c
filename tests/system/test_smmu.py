"""DMA through the SMMU: what a device of a guest reaches, and what it does not.

QEMU's `edu` device copies between a buffer of its own and memory. A bare-metal guest that owns the PCI bridge does
what the test tells it on its console.
"""
import os
import re
import socket
import subprocess

import pytest

from machine import BUILD, CPUS, ELF, GIC, GUESTS, PATIENCE, ROOT, VARIANT, WORD, Domain, Machine

MONITOR = GUESTS / "monitor.bin"
BRIDGE = (ROOT / "dts/pci-bridge.dts").read_text(encoding="ascii")
ECAM, WINDOW = 0x10000000, 0x23000000  # as the guest sees them
RAM = 0x40000000
EDU = ["-device", "edu,dma_mask=0xffffffffffffffff,addr=2"]
PAGE = 0x1000

HYPERCALL_MEMORY, DECREASE, ADD, REMOVE, POPULATE = 12, 1, 7, 15, 6
SHARED_INFO, GRANT_TABLE, SELF = 0, 1, 0x7FF0
HYPERCALL_GRANT, MAP_GRANT, HOST_MAP, READ_ONLY, PERMIT = 20, 0, 2, 4, 1


class Fault(Exception):
    """The guest got an exception; its syndrome."""


class Guest:
    """The guest's monitor, see tests/guests/monitor.S."""

    def __init__(self, machine, number=1):
        self.machine, self.number = machine, number

    def ask(self, letter, *numbers):
        self.machine.focus(self.number)
        self.machine.send(letter + "".join(f" {n:x}" for n in numbers) + "\r")
        answer, mine = None, ""
        while not answer:  # Holdfast's own lines may stand anywhere in it
            line = self.machine.expect(r"[^\n]*\n").group(0).strip("\r\n")
            if line.startswith(f"(d{self.number}) "):
                mine += line.partition(") ")[2]
            answer = re.search(r"([=!]) ([0-9a-f]{16})$", mine)
        if answer.group(1) == "!":
            raise Fault(answer.group(2))
        return int(answer.group(2), 16)

    def read(self, address):
        return self.ask("q", address)

    def write(self, address, value):
        self.ask("x", address, value)

    def memory_op(self, command, *words):
        """A memory hypercall; its argument is built at 8 MiB of the guest's RAM."""
        for n, word in enumerate(words):
            self.write(RAM + 0x800000 + 8 * n, word)
        result = self.ask("h", HYPERCALL_MEMORY, command, RAM + 0x800000)
        return result - (1 << 64) if result >> 63 else result

    def unmap(self, address):
        return self.memory_op(REMOVE, SELF, address // PAGE)

    def add_shared_info(self, address):
        return self.memory_op(ADD, SELF | SHARED_INFO << 32, 0, address // PAGE)

    def grant(self, reference, domain, address, flags=0):
        """Its grant table is mapped below its RAM; entries of version 1."""
        table = RAM - 0x8000000
        self.memory_op(ADD, SELF | GRANT_TABLE << 32, 0, table // PAGE)
        self.write(table + 8 * reference, (PERMIT | flags) | domain << 16 | (address // PAGE) << 32)

    def map_grant(self, address, domain, reference, flags=0):
        """The status."""
        for n, word in enumerate((address, (HOST_MAP | flags) | reference << 32, domain)):
            self.write(RAM + 0x800000 + 8 * n, word)
        assert self.ask("h", HYPERCALL_GRANT, MAP_GRANT, RAM + 0x800000, 1) == 0
        return self.read(RAM + 0x800010) >> 16 & 0xFFFF

    def populate(self, address):
        self.write(RAM + 0x800100, address // PAGE)
        return self.memory_op(POPULATE, RAM + 0x800100, 1, 0, SELF)


class Edu:
    """The device, as the guest that owns the bridge sees it."""

    BUFFER = 0x40000

    def __init__(self, guest, slot=2, bus=0, bar=WINDOW):
        self.guest, self.bar = guest, bar
        config = ECAM + (bus << 20) + (slot << 15)
        assert guest.ask("r", config) == 0x11E81234
        guest.ask("w", config + 0x10, bar)
        guest.ask("w", config + 4, 6)  # memory and bus master
        assert guest.ask("r", bar) == 0x010000ED

    def start(self, source, target, size, command):
        self.guest.write(self.bar + 0x80, source)
        self.guest.write(self.bar + 0x88, target)
        self.guest.write(self.bar + 0x90, size)
        self.guest.write(self.bar + 0x98, command)

    def finish(self):
        while self.guest.read(self.bar + 0x98) & 1:
            pass

    def load(self, address, size=8):
        """Memory into the device's buffer."""
        self.start(address, self.BUFFER, size, 1)
        self.finish()

    def store(self, address, size=8):
        """The device's buffer into memory."""
        self.start(self.BUFFER, address, size, 3)
        self.finish()

    def copies(self, source, target, value):
        """True when a value goes from one address to the other through the device."""
        self.guest.write(source, value)
        self.guest.write(target, ~value & (1 << 64) - 1)
        self.load(source)
        self.store(target)
        return self.guest.read(target) == value


def guests(number=1, memory_mib=64, **more):
    first = Domain("domU1", memory_mib=memory_mib, kernel=MONITOR, ramdisk=None, devices=BRIDGE, **more)
    return [first] + [Domain(f"domU{n}", memory_mib=64, kernel=MONITOR, ramdisk=None) for n in range(2, number + 1)]


def start(name, domains=None, options=EDU, shift=4, **more):
    """A slow machine, since a copy of the device takes a tenth of a second however fast that is."""
    options, domains = list(options) + ["-icount", f"shift={shift},sleep=off"], domains or guests()
    if "arm32" in VARIANT and more.get("boot") == "u-boot":  # the configuration space is elsewhere, of 16 buses
        size, their = "0x10000000", "0 0x3f000000 0 0x1000000"
        for old, new in ((f"0x40 {size} 0 {size}", their), (f"reg = <0 {size} 0 {size}>", f"reg = <0 {size} 0 0x1000000>"), ("0xff>", "0xf>")):
            domains[0].devices = domains[0].devices.replace(old, new)
    return Machine(f"smmu-{name}", domains, options=options, icount=False, **more)


def up(machine, number=1):
    for n in range(1, number + 1):
        machine.expect(rf"\(d{n}\) monitor")
    return Guest(machine), Edu(Guest(machine))


def audit(machine):
    """All of its mirror is as the P2M says."""
    machine.focus(0)
    machine.send("a")
    machine.expect("audit: d1: clean")


both_modes = pytest.mark.parametrize("mode", ["mirror", "shared"])
MODES = ["iommu=mirror", "iommu=shared", "iommu-coherent=no"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cpu", CPUS)
def test_reaches_its_memory(cpu, mode):
    """Blocks of a gigabyte and of 2 MiB, and pages; a page that was given up and one that came back."""
    name = f"reach-{cpu}-{mode.replace('=', '-')}"
    with start(name, guests(memory_mib=2304), cpu=cpu, memory="4G", hv_bootargs=mode) as machine:
        guest, edu = up(machine)
        high = RAM + 0x80000000  # in the last of its memory
        assert edu.copies(RAM + 0x1000000, high + 0x8, 0x1122334455667788)
        assert edu.copies(high + 0x200000, RAM + 0x40000000 - 8, 0x99AABBCCDDEEFF00)
        # A hole: what the device remembers of the page is forgotten with it.
        page = RAM + 0x2000000
        assert edu.copies(page, page + PAGE, 0x5151)
        assert guest.unmap(page) == 0
        edu.store(page)
        machine.told(r"stream 0x10 of d1: F_TRANSLATION, write of 0x42000000, stage 2")
        assert edu.copies(page - 8, page + PAGE, 0x6161)
        # Another page is there now.
        assert guest.populate(page) == 1
        assert guest.read(page) == 0
        assert edu.copies(page, page + PAGE, 0x7171)
        audit(machine)


@both_modes
def test_addresses_beyond_the_memory(mode):
    """At and above 2^39, and where there is nothing: exact records."""
    with start(f"beyond-{mode}", hv_bootargs=f"iommu={mode}") as machine:
        guest, edu = up(machine)
        for address in (0x8000000000, 0x8040000000, 0x90000000, 0xFFFFFFF000):
            edu.load(address)
            machine.told(rf"smmu@9050000: stream 0x10 of d1: F_TRANSLATION, read of {address:#x}, stage 2, ipa page {address:#x}\n")
        edu.store(1 << 44)  # more than the table has; QEMU blocks it without a record
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x77)


def test_pages_of_the_hypervisor():
    """A page of Holdfast in the guest's memory is out of the device's reach; its neighbours are not."""
    with start("xenheap") as machine:
        guest, edu = up(machine)
        page = RAM + 0x1800000
        assert edu.copies(page, page + 8, 0x1234)
        assert guest.add_shared_info(page) == 0
        before = guest.read(page + 8)
        edu.store(page + 8)
        machine.told(rf"stream 0x10 of d1: F_TRANSLATION, write of {page + 8:#x}, stage 2")
        assert guest.read(page + 8) == before
        assert edu.copies(page - 8, page + PAGE, 0x4321)
        assert guest.unmap(page) == 0
        for nothing in (page, WINDOW):  # registers, its own even, are no memory
            edu.load(nothing)
            machine.told(rf"F_TRANSLATION, read of {nothing:#x}")
        audit(machine)


@pytest.mark.gicv2
@pytest.mark.arm32
def test_message_interrupts_go_nowhere():
    """A device that is told to signal by a message, to the page of the machine that takes them: the SMMU stops it."""
    doorbell = 0x8020040 if GIC == "2" else 0x8090040  # of the GICv2m frame, of the ITS
    with start("message") as machine:
        guest, edu = up(machine)
        device = ECAM + (2 << 15)
        capability = guest.ask("r", device + 0x34) & 0xFF
        while (header := guest.ask("r", device + capability)) & 0xFF != 5:
            capability = header >> 8 & 0xFF
        for offset, value in ((4, doorbell), (8, 0), (12, 80), (0, header | 1 << 16)):
            guest.ask("w", device + capability + offset, value)
        guest.ask("w", edu.bar + 0x60, 1)
        machine.told(rf"stream 0x10 of d1: F_TRANSLATION, write of {doorbell:#x}, stage 2")
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x77)


@both_modes
def test_another_guests_memory(mode):
    """The same address is another page for each guest: the device writes its owner's only."""
    with start(f"other-guest-{mode}", guests(2), hv_bootargs=f"iommu={mode}") as machine:
        guest, edu = up(machine, 2)
        other = Guest(machine, 2)
        for n in range(4):
            address = RAM + 0x1000000 + n * 0x400000
            other.write(address, 0xABCD)
            assert edu.copies(RAM + 0x900000, address, 0x5A5A + n)
            assert other.read(address) == 0xABCD


def counters(machine):
    """What the console key says of the SMMU, of domain 1 and of the streams of its bridge."""
    machine.focus(0)
    machine.send("i")
    found = machine.expect(r"(\d+) commands, (\d+) of them for the TLB, (\d+) syncs, (\d+) errors, (\d+) time-outs; (\d+) events")
    return [int(n) for n in found.groups()]


def with_functions(name, *functions, **properties):
    names = ", ".join(f'"{function}"' for function in functions)
    properties = {"holdfast,pci-functions": names} | {k.replace("_", ","): v for k, v in properties.items()}
    return Domain(name, memory_mib=64, kernel=MONITOR, ramdisk=None, properties=properties)


def loop_beside_copies(machine, edu, target):
    """How long the second guest's loop takes while the first one's device copies, and how many copies it took to
    last as long: the machine goes on while the host is slow to type."""
    copies, done = 2, True
    while done:
        copies, since = 2 * copies, len(machine.log())
        machine.focus(1)
        machine.send(f"d {edu.bar:x} {target:x} {copies:x}\r")
        took = Guest(machine, 2).ask("l", 5_000_000)
        done = re.search(r"\(d1\) = 0{16}", machine.log()[since:])
        machine.told(r"\(d1\) = 0{16}", since)
    return took, copies


def test_a_storm_of_faults():
    """Hundreds of faults with each copy: counted, hardly printed, and the other guest is nearly as fast as before."""
    with start("storm", guests(2), smp=1) as machine:
        guest, edu = up(machine, 2)
        before, _ = loop_beside_copies(machine, edu, RAM + 0x1000000)
        during, copies = loop_beside_copies(machine, edu, 0x90000000)
        assert during < 1.15 * before, (before, during)
        lines = len(re.findall("F_TRANSLATION", machine.log()))
        commands, tlb, syncs, errors, timeouts, events = counters(machine)
        assert events >= copies * 256 and lines < events / 16 and errors == timeouts == 0
        assert int(machine.expect(r"iommu: smmu@9050000: stream 0x10: (\d+) faults").group(1)) == events
        machine.expect(r"iommu: d1: mirror of \d+ pages")
        machine.expect(r"iommu: smmu@9050000: streams 0..0xffff: d1, (\d+) faults")
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x99)


def test_granted_pages():
    """A backend's device reaches what was granted, as it was granted."""
    with start("granted", guests(2), chosen='holdfast,allow-pairs = "domU1", "domU2";') as machine:
        guest, edu = up(machine, 2)
        other, page, here = Guest(machine, 2), RAM + 0x1000000, RAM + 0x5000000
        other.write(page, 0x5151)
        other.grant(8, 1, page, READ_ONLY)
        other.grant(9, 1, page + PAGE)
        assert guest.map_grant(here, 2, 8, READ_ONLY) == 0
        assert guest.map_grant(here + PAGE, 2, 9) == 0
        edu.store(here)  # before the SMMU knows the page: QEMU's looks at permissions only then
        machine.told(rf"stream 0x10 of d1: F_PERMISSION, write of {here:#x}, stage 2")
        edu.load(here)
        edu.store(here + PAGE)
        assert other.read(page) == other.read(page + PAGE) == 0x5151
        audit(machine)


EDUS = [f"edu,dma_mask=0xffffffffffffffff,addr={n}" for n in (2, 3, 4)]
EDUS = [word for device in EDUS for word in ("-device", device)]


@pytest.mark.gicv2
def test_choices_of_a_domain():
    """One table for CPUs and devices, and a device whose fault ends its domain beside one whose does not."""
    first = with_functions("domU1", "0000:00:02.0", "0000:00:03.0", holdfast_iommu='"shared"', **{"holdfast,dma-faults": '"log", "crash"'})
    second = with_functions("domU2", "0000:00:04.0", holdfast_iommu='"mirror"')
    wrong = [
        with_functions("wrong1", "0000:00:04.0", holdfast_iommu='"none"'),
        with_functions("wrong2", "0000:00:04.0", **{"holdfast,dma-faults": '"log", "crash"'}),
        with_functions("wrong3", "0000:00:04.0", **{"holdfast,dma-faults": '"explode"'}),
    ]
    with start("choices", [first, second] + wrong, EDUS) as machine:
        machine.expect("2 of 5 domains started")
        for n, line in enumerate(
            (
                'holdfast,iommu: expected "mirror" or "shared"',
                "holdfast,dma-faults: expected one word, or one for each of holdfast,pci-functions",
                'holdfast,dma-faults: expected "log" or "crash"',
            )
        ):
            assert f"error: /chosen/wrong{n + 1}: {line}; domain not started" in machine.log()
        guest = Guest(machine)
        machine.focus(0)
        machine.send("i")
        shared = "shares the CPUs' table"
        if VARIANT:
            shared = r"mirror of \d+ pages"
            why = "the guest's CPU interface (GICv2) is not for" if GIC == "2" else "some models walk a root of two tables"
            assert f"d1: iommu: a mirror, not a shared table: {why}" in machine.log()
        machine.expect_all([f"iommu: d1: {shared}", r"iommu: d2: mirror of \d+ pages"])
        patient, strict = Edu(guest, slot=0), Edu(guest, slot=1, bar=WINDOW + 0x100000)
        other = Edu(Guest(machine, 2), slot=0)
        for edu in (other, patient):
            edu.store(0x90000000)
            assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x77)
        strict.start(Edu.BUFFER, 0x90000000, 8, 3)
        machine.expect("d1: domU1: crashed: a device of it reached for memory it may not have")
        assert other.copies(RAM + 0x1000000, RAM + 0x1001000, 0x99)


@both_modes
def test_from_one_domain_to_another(mode):
    """A device's next life is with another domain: it reaches that one's memory, and the first one's no more."""
    stub = BUILD / f"tests/smmu-moves-{mode}.socket"
    stub.unlink(missing_ok=True)
    options = EDUS + ["-gdb", f"unix:{stub},server=on,wait=off"]
    domains = [with_functions("domU1", "0000:00:02.0"), with_functions("domU2", "0000:00:03.0")]
    with start(f"moves-{mode}", domains, options, hv_bootargs=f"iommu={mode}") as machine:
        tree = int(machine.expect(r"device tree at 0x([0-9a-f]+) ").group(1), 16)
        first, second = Guest(machine), Guest(machine, 2)
        machine.expect_all([r"\(d1\) monitor", r"\(d2\) monitor"])
        assert "is not known" not in machine.log()
        assert Edu(first, slot=0).copies(RAM + 0x1000000, RAM + 0x1001000, 0x1111)
        # What the domains ask for in their next lives.
        debugger = Debugger(stub)
        assert debugger.ask("Qqemu.PhyMemMode:1") == "OK"
        debugger.replace(tree, b"0000:00:02.0", b"0000:00:04.0")
        debugger.replace(tree, b"0000:00:03.0", b"0000:00:02.0")
        debugger.ask("Qqemu.PhyMemMode:0")
        debugger.ask("D")
        for n in (1, 2):
            machine.focus(n)
            machine.send("p 84000009\r")
            machine.expect(rf"\(d{n}\) monitor")
        first.write(RAM + 0x1001000, 0xABCD)
        edu = Edu(second, slot=0)
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x2222)
        edu.store(0x90000000)
        machine.told(r"stream 0x10 of d2: F_TRANSLATION, write of 0x90000000")
        assert first.read(RAM + 0x1001000) == 0xABCD
        assert Edu(first, slot=0).copies(RAM + 0x1000000, RAM + 0x1001000, 0x3333)
        assert second.read(RAM + 0x1001000) == 0x2222


@both_modes
def test_a_device_at_random(mode):
    """Copies from and to everywhere while the guest changes its memory: its neighbour's is as it was, and all is counted."""
    seed = int(os.environ.get("HF_SEED", 0x5EED))
    with start(f"random-{mode}", guests(2), shift=7, hv_bootargs=f"iommu={mode}") as machine:
        guest, edu = up(machine, 2)
        other, size = Guest(machine, 2), 0x600000
        assert guest.add_shared_info(RAM + 0x2800000) == 0
        for n in range(8):
            other.write(RAM + n * 0x800000 + 0x10000, seed + n)
        before = [other.ask("c", RAM + 0x800000 + part, size // 8) for part in (0, 0x2000000)]
        since = len(machine.log())
        machine.focus(1)
        machine.send(f"z {edu.bar:x} {seed:x} 60\r")
        machine.expect(r"\(d1\) at work")
        after = [other.ask("c", RAM + 0x800000 + part, size // 8) for part in (0, 0x2000000)]
        machine.told(r"\(d1\) at work\n(?:.*\n)*?\(d1\) = [0-9a-f]{16}", since)
        after += [other.ask("c", RAM + 0x800000 + part, size // 8) for part in (0, 0x2000000)]
        assert after == before * 2, f"HF_SEED={seed}"
        commands, tlb, syncs, errors, timeouts, events = counters(machine)
        assert events > 50 and syncs > 90 and errors == timeouts == 0, f"HF_SEED={seed}"
        audit(machine)
        machine.expect("audit: d2: clean")
        machine.focus(1)
        machine.send("p 84000009\r")
        machine.expect(r"\(d1\) monitor")


@both_modes
def test_dies_while_its_device_works(mode):
    """Copies are under way when the guest resets itself: blocked, and its memory comes back whole. Ten lives."""
    with start(f"reset-{mode}", hv_bootargs=f"iommu={mode}") as machine:
        for n in range(10):
            guest, edu = up(machine)
            assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x1000 + n)
            edu.start(Edu.BUFFER, RAM + 0x1002000, 4096, 3)
            machine.focus(1)
            machine.send("p 84000009\r")
            machine.expect("d1: domU1: reboots")
        up(machine)
        audit(machine)
    assert "F_" not in machine.log()


BRIDGES = {
    "root-port": ["-device", "pcie-root-port,id=rp,addr=3,chassis=1", "-device", "edu,bus=rp,dma_mask=0xffffffffffffffff"],
    "pci": ["-device", "pcie-pci-bridge,id=br,addr=3", "-device", "edu,bus=br,addr=5,dma_mask=0xffffffffffffffff"],
}


OF_256 = pytest.mark.not_on(arm32="16 buses with U-Boot")


@pytest.mark.parametrize("kind, bus, slot", [("root-port", 1, 0), pytest.param("root-port", 0x41, 0, marks=OF_256), ("pci", 2, 5)])
def test_streams_behind_bridges(kind, bus, slot):
    """Streams follow the bus numbers the guest gives; behind a PCI bridge all have the bridge's."""
    with start(f"{kind}-{bus:x}", options=BRIDGES[kind], boot="u-boot") as machine:
        machine.expect(r"\(d1\) monitor")
        guest = Guest(machine)
        bridge = ECAM + (3 << 15)
        guest.ask("w", bridge + 0x18, bus << 16 | bus << 8)
        guest.ask("w", bridge + 0x20, 0x23702370)  # its window
        guest.ask("w", bridge + 4, 6)
        edu = Edu(guest, slot=slot, bus=bus, bar=0x23700000)
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x100)
        edu.store(0x90000000)
        machine.told(rf"stream {bus << 8:#x} of d1: F_TRANSLATION, write of 0x90000000")


def u_boot_edu(source, target, command):
    """U-Boot's commands for one copy; it has put the device's registers at the start of the window."""
    values = {0x80: source, 0x84: 0, 0x88: target, 0x8C: 0, 0x90: 8, 0x98: command}
    return "".join(f"mw.l {ECAM + register:#x} {value:#x}\n" for register, value in values.items())


def test_a_device_at_work_at_hand_over():
    """U-Boot leaves the device in the middle of a copy, its bus mastering on and the SMMU in bypass: it never ends."""
    pattern, early, late = 0x5EED1E55, 0x4A001000, 0x4A003000
    commands = f"mw.l 0x4a000000 {pattern:#x} 2\nmw.l {early:#x} 0 2\nmw.l {late:#x} 0 2\npci enum\n"
    commands += u_boot_edu(0x4A000000, Edu.BUFFER, 1) + "sleep 1\n"
    commands += u_boot_edu(Edu.BUFFER, early, 3) + f"sleep 1\nmd.l {early:#x} 1\n"
    commands += u_boot_edu(Edu.BUFFER, late, 3)
    stub = BUILD / "tests/smmu-hand-over.socket"
    stub.unlink(missing_ok=True)
    options = EDU + ["-gdb", f"unix:{stub},server=on,wait=off"]
    with start("hand-over", options=options, shift=2, boot="u-boot", u_boot_commands=commands) as machine:
        machine.expect(f"4a001000: {pattern:08x}")  # it does copy
        machine.expect(r"\(d1\) monitor")
        guest = Guest(machine)
        for _ in range(20):
            guest.read(RAM)
        debugger = Debugger(stub)
        assert debugger.ask("Qqemu.PhyMemMode:1") == "OK"
        assert int(debugger.ask(f"m{late:x},4"), 16) != int.from_bytes(pattern.to_bytes(4, "little"), "big")
        debugger.ask("Qqemu.PhyMemMode:0")
        debugger.ask("D")
        assert Edu(guest).copies(RAM + 0x1000000, RAM + 0x1001000, 0x99)


STAGE = "arm-smmuv3.stage"


@pytest.mark.parametrize(
    "kind, board, options, machine, works",
    [
        ("both", "virt", [], "iommu=smmuv3", True),
        ("nested-9.1", "virt-9.1", ["-global", f"{STAGE}=nested"], "iommu=smmuv3", True),
        ("stage-2", "virt-9.1", ["-global", f"{STAGE}=2"], "iommu=smmuv3", True),
        ("stage-1", "virt-9.1", [], "iommu=smmuv3", False),
        ("none", "virt", [], "", False),
    ],
)
def test_kinds_of_smmu(kind, board, options, machine, works):
    """Without stage 2 the domain with the device is refused by name and the other one runs."""
    domains = guests(2)
    domains[1].properties["passthrough"] = '"disabled"'
    with start(f"kind-{kind}", domains, EDU + options, machine=machine, board=board) as m:
        if works:
            _, edu = up(m, 2)
            assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x100)
            return
        if machine:
            m.expect("error: smmu@9050000: no stage-2 translation; no device behind it can be given to a domain")
        m.expect(r"error: /chosen/domU1/device-tree: [^\n]*expected [^\n]*IOMMU[^\n]*; domain not started")
        m.expect(r"\(d2\) monitor")


def commands_of(trace):
    """What the SMMU's trace says it executed, in order."""
    return re.findall(r"smmuv3_cmdq_opcode <--- (\w+)", trace.read_text(encoding="ascii", errors="replace"))


def test_every_group_of_commands_ends_in_sync():
    """Assignment, holes, death: each change of entries or tables is followed by its CMD_SYNC."""
    trace = BUILD / "tests/smmu-trace.txt"
    trace.unlink(missing_ok=True)
    options = EDU + ["-trace", "smmuv3_cmdq_opcode", "-D", str(trace)]
    with start("trace", options=options) as machine:
        guest, edu = up(machine)
        for n in range(150):  # with its CMD_SYNC each: more than the queue has places
            assert guest.unmap(RAM + 0x1000000 + n * PAGE) == 0
        machine.send("p 84000009\r")
        machine.expect("d1: domU1: reboots")
        up(machine)
        executed = commands_of(trace)
    kinds = {name.replace("SMMU_", "") for name in executed}
    assert {"CMD_CFGI_STE_RANGE", "CMD_TLBI_S2_IPA", "CMD_TLBI_S12_VMALL", "CMD_SYNC"} <= kinds, kinds
    assert executed[-1].endswith("SYNC")
    # A batch is never longer than the driver makes it: no group goes on over a completed operation.
    groups = " ".join(executed).split("SMMU_CMD_SYNC")
    assert all(len(group.split()) <= 33 for group in groups)
    assert sum("S2_IPA" in group for group in groups) >= 150


class Debugger:
    """QEMU's stub for debuggers: stops the machine at a function of Holdfast and changes its arguments."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._rest = b""

    def ask(self, text):
        packet = b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xFF)
        self._socket.sendall(packet)
        return self.answer()

    def answer(self):
        while not (found := re.search(rb"\$([^#]*)#..", self._rest)):
            self._rest += self._socket.recv(4096)
        self._rest = self._rest[found.end() :]
        self._socket.sendall(b"+")
        return found.group(1).decode()

    def replace(self, start, old, new):
        """In the 64 KiB from there on."""
        memory = b"".join(bytes.fromhex(self.ask(f"m{start + at:x},400")) for at in range(0, 0x10000, 0x400))
        at = memory.index(old)
        assert self.ask(f"M{start + at:x},{len(new):x}:{new.hex()}") == "OK"

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def set_register(self, number, value):
        assert self.ask(f"P{number:x}={value.to_bytes(WORD, 'little').hex()}") == "OK"


def address_of(function):
    listing = subprocess.run(["nm", ELF], check=True, capture_output=True, text=True).stdout
    return int(re.search(rf"^(\w+) [tT] {function}$", listing, re.MULTILINE).group(1), 16)


def refuse_next_command(debugger):
    """The next command becomes one that no SMMU knows."""
    at = address_of("put_command")
    assert debugger.ask(f"Z1,{at:x},4") == "OK"
    assert debugger.ask("c").startswith("T")
    debugger.set_register(1 if WORD == 8 else 2, 0xFF)
    assert debugger.ask(f"z1,{at:x},4") == "OK"


def lose_next_commands(debugger):
    """The SMMU is not told that there are commands: it never completes them."""
    at = address_of("smmu_write")
    assert debugger.ask(f"Z1,{at:x},4") == "OK"
    assert debugger.ask("c").startswith("T")
    assert debugger.register(1) == 0x98  # SMMU_CMDQ_PROD
    debugger.set_register(1, 0)  # a register that cannot be written
    assert debugger.ask(f"z1,{at:x},4") == "OK"


@pytest.mark.parametrize(
    "spoil, line, blocked",
    [
        (refuse_next_command, r"command 0x\w*ff 0x[0-9a-f]+ refused: illegal command", True),
        (lose_next_commands, r"commands are not completed", False),
    ],
)
def test_commands_that_fail(spoil, line, blocked):
    """The page is leaked and told, its domain crashed, its device blocked; the other domain goes on."""
    stub = BUILD / f"tests/smmu-{spoil.__name__}.socket"
    stub.unlink(missing_ok=True)
    options = EDU + ["-gdb", f"unix:{stub},server=on,wait=off"]
    with start(spoil.__name__, guests(2), options) as machine:
        machine.may_leak = True
        guest, edu = up(machine, 2)
        assert edu.copies(RAM + 0x1000000, RAM + 0x1001000, 0x77)
        # The hypercall that takes a page away, typed while the machine stands still.
        guest.write(RAM + 0x800000, SELF)
        guest.write(RAM + 0x800008, (RAM + 0x1000000) // PAGE)
        debugger = Debugger(stub)
        machine.send(f"h {HYPERCALL_MEMORY:x} {REMOVE:x} {RAM + 0x800000:x}\r")
        spoil(debugger)
        debugger.ask("D")
        machine.expect(rf"error: smmu@9050000: {line}")
        machine.expect(r"d1: domU1: crashed: its IOMMU did not confirm that DMA to freed memory has ended")
        machine.expect(r"leaking mfn 0x[0-9a-f]+, 1 page, seen by d1: a device may still reach it")
        if not blocked:
            machine.expect(r"error: smmu@9050000: streams 0..0xffff of d1 could not be blocked")
        machine.expect("leaking the tables of d1's devices: " + ("a flush failed" if blocked else "a device may"))
        other = Guest(machine, 2)
        other.write(RAM + 0x1000000, 0x42)
        assert other.unmap(RAM + 0x1000000) == 0
        assert other.read(RAM + 0x1001000) == 0
