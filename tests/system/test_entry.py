"""Starts that cannot go on, or nearly: a clear message, never silence."""
import struct

import pytest

from machine import ARM32, BUILD, HOLDFAST, Domain, Machine
from test_panic import symbol

TINY = Domain("domU1", memory_mib=64, kernel=None, ramdisk=None)


@pytest.mark.not_on(arm32="it has no such level; test_entered_below_hyp_mode is this one")
def test_entered_at_el1():
    machine = Machine("entry-el1", [TINY], machine="iommu=smmuv3,virtualization=off")
    with machine:
        machine.expect(r"\(HF\) error: started at EL1; Holdfast must be started at EL2", timeout=30)


@pytest.mark.not_on(arm32="it has no such level")
def test_entered_at_el3():
    with Machine("entry-el3", [TINY], boot="el3", machine="iommu=smmuv3,secure=on") as machine:
        machine.expect(r"\(HF\) error: started at EL3; Holdfast must be started at EL2", timeout=30)


@pytest.mark.not_on(gicv2="another board", arm32="another board")
def test_entered_at_el1_with_another_uart():
    board = {"board": "xlnx-zcu102", "board_tree": "xilinx/zynqmp-zcu102-rev1.0.dtb", "smp": 4}
    with Machine("entry-el1-cadence", [TINY], **board) as machine:
        machine.expect(r"\(HF\) error: started at EL1; Holdfast must be started at EL2", timeout=30)


@pytest.mark.not_on(gicv2="a 32-bit machine")
def test_entered_below_hyp_mode():
    with Machine("entry-pl1", [TINY], **(ARM32 | {"machine": "virtualization=off"})) as machine:
        machine.expect(r"\(HF\) error: started at PL1; Holdfast must be started at PL2, in Hyp mode", timeout=30)


def test_no_domain():
    with Machine("entry-no-domain", []) as machine:
        machine.expect(r"\(HF\) 0 of 0 domains started", timeout=30)
        machine.expect(r"\(HF\) error: /chosen: expected a domain", timeout=30)


def test_console_named_by_stdout_path_with_options():
    chosen = 'stdout-path = "/pl011@9000000:115200n8";\n'
    with Machine("entry-stdout", [], chosen=chosen) as machine:
        machine.expect(r"\(HF\) 0 of 0 domains started", timeout=30)


def test_unknown_words_of_the_command_line():
    with Machine("entry-cmdline", [], hv_bootargs="loglvl=all nonsense=7") as machine:
        machine.expect(r"\(HF\) [^\n]*nonsense", timeout=30)
        machine.expect(r"\(HF\) 0 of 0 domains started", timeout=30)


@pytest.mark.parametrize(
    "node",
    [
        # malformed entries are named; the machine goes on
        "memory@f000000000 {\ndevice_type = \"memory\";\nreg = <0xf0>;\n};\n",
        "reserved-memory {\n#address-cells = <2>;\n#size-cells = <2>;\nranges;\nr@0 {\nreg = <0>;\n};\n};\n",
    ],
    ids=["memory", "reserved-memory"],
)
def test_malformed_memory(request, node):
    name = "entry-" + request.node.callspec.id
    # By U-Boot: with -kernel, QEMU takes memory nodes out of the tree.
    with Machine(name, [], boot="u-boot", root=node) as machine:
        machine.expect(r"\(HF\) error: /[^\n]*reg: [^\n]*malformed[^\n]*not used", timeout=30)
        machine.expect(r"\(HF\) 0 of 0 domains started", timeout=30)


def entered_at(address, name, image, **options):
    """What Holdfast says that was entered there, by a kernel of QEMU's that only jumps."""
    arch32 = "cpu" in options
    jump = BUILD / "tests" / image.parent.name / "jump.bin"
    jump.parent.mkdir(parents=True, exist_ok=True)
    if arch32:
        jump.write_bytes(struct.pack("<II", 0xE51FF004, address))  # ldr pc, [pc, #-4]
    else:
        jump.write_bytes(struct.pack("<IIQ", 0x58000044, 0xD61F0080, address))  # ldr x4, [pc, #8]; br x4
    load = ["-device", f"loader,file={image},addr={address:#x},force-raw=on"]
    kernel = BUILD / "guests" / ("a32/zimage.bin" if arch32 else "shutdown.bin")
    domain = Domain("one", kernel=kernel, ramdisk=None, memory_mib=16)
    with Machine(f"entry-{name}-{address:x}", [domain], **(options | {"holdfast": jump, "options": load})) as machine:
        machine.expect(rf"\(HF\) Holdfast \S+ \(build \w+\) at {address:#x}, ")
        assert machine.wait_exit() == 0
        return [line for line in machine.log().splitlines() if line.startswith("(HF) ")][1:]


ANYWHERE = {
    "arm64": ("5G", 0x180000000, [0x40201000, 0x477FE000, 0x100001000], HOLDFAST, {}),
    "arm32": ("2G", 0xC0000000, [0x40201000, 0x477FE000, 0x80001000], ARM32["holdfast"], ARM32),
}


@pytest.mark.not_on(gicv2="on either it has nothing to do with it", arm32="a row is there already")
@pytest.mark.parametrize("arch", ANYWHERE)
def test_loaded_anywhere(arch):
    """At a page that is no other boundary, across one of 2 MiB, in another GiB, and with its last page RAM's: it
    does and says the same."""
    memory, end, addresses, image, options = ANYWHERE[arch]
    elf = image.with_suffix(".elf")
    size = symbol("_end", elf) - symbol("_start", elf)
    said = [entered_at(at, arch, image, memory=memory, **options) for at in [*addresses, end - size]]
    assert all(lines == said[0] for lines in said), said
    assert any("1 of 1 domains started" in line for line in said[0])
