"""Starts that cannot go on, or nearly: a clear message, never silence."""
import pytest

from machine import ARM32, Domain, Machine

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
