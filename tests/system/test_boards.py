"""Boards beyond QEMU's virt, each with the device tree that Debian or QEMU gives for it: nothing of it is
changed but /chosen. docs/boards.md says what each has."""
import struct

import pytest

from machine import ARM32, BUILD, HOLDFAST, Domain, Machine
from test_panic import Stub, symbol

pytestmark = pytest.mark.not_on(gicv2="another board", arm32="another board")

BOARDS = {
    "zcu102": {
        "board": "xlnx-zcu102,virtualization=on",
        "board_tree": "xilinx/zynqmp-zcu102-rev1.0.dtb",
        "smp": 4,
        "says": [r"console: Cadence UART [^\n]*serial@ff000000", r"GICv2: [^\n]*, aliased pages", "cpus: 4 of 4"],
    },
    "versal": {
        "board": "xlnx-versal-virt",
        "smp": 4,
        "says": ["console: PL011", r"GICv3: [^\n]*1 redistributor region", "cpus: 2 of 2"],
    },
    "raspi4b": {
        "board": "raspi4b",
        "board_tree": "broadcom/bcm2711-rpi-4-b.dtb",
        "smp": 4,
        "serial": 1,
        "boot": "rpi",
        "says": [
            r"console: 16550 [^\n]*serial@7e215040",
            "firmware: no psci node: CPUs by spin-table",
            "GICv2: [^\n]*list registers\r",
            "cpus: 4 of 4",
        ],
    },
    # Without icount: test_arm32.py says why.
    "orangepi-pc": {
        "board": "orangepi-pc",
        "board_tree": "sun8i-h3-orangepi-pc.dtb",
        "smp": 4,
        "memory": "1G",
        "boot": "sunxi",
        "icount": False,
        "holdfast": ARM32["holdfast"],
        "guest": {"kernel": BUILD / "fetched/armhf/zImage", "ramdisk": BUILD / "images/initrd-armhf.gz"},
        "says": [
            r"console: 16550 [^\n]*serial@1c28000",
            r"firmware: PSCI 0\.1\r",
            "GICv2: [^\n]*list registers\r",
            "cpus: 4 of 4",
        ],
    },
}


@pytest.mark.parametrize("board", BOARDS)
def test_board(board):
    """A Linux guest on every CPU of the board."""
    given = dict(BOARDS[board])
    says = given.pop("says")
    domain = Domain("domU1", cpus=2, memory_mib=160, **given.pop("guest", {}))
    with Machine(f"board-{board}", [domain], **given) as machine:
        for line in says:
            machine.expect(line)
        machine.domain(1).wait_up(timeout=150)
        assert machine.domain(1).run("nproc") == "2"


def assert_firmware_is_called_at_entries(machine_gdb):
    """Every vector for guests has the call; it is seen to be made, and to come back, where they trap."""
    start = symbol("hv_vectors_hardened")
    code = HOLDFAST.read_bytes()[start - symbol("_start") :]
    calls = [4 * i for i, word in enumerate(struct.unpack("<512I", code[:0x800])) if word == 0xD4000003]  # smc #0
    assert [at // 0x80 for at in calls] == list(range(8, 16))
    stub = Stub(machine_gdb)  # the machine is halted
    stub.run_to(start + calls[0])
    assert (stub.read(0), stub.read(1)) == (0x80003FFF, 0)  # SMCCC_ARCH_WORKAROUND_3
    stub.run_to(start + calls[0] + 4)
    stub.go_on()


def test_trusted_firmware(tmp_path):
    """EL3 has firmware, below U-Boot: of the interrupt controller only the non-secure side is seen. It
    is built for a GICv3, and adds its psci node to the tree that U-Boot gets; ours is made before. It knows what
    a Cortex-A72 needs against speculation: Holdfast has it do that, and the guest is told."""
    domain = Domain("domU1", cpus=2, memory_mib=160)
    psci = 'psci {\ncompatible = "arm,psci-1.0";\nmethod = "smc";\n};\n'
    gdb = tmp_path / "gdb"
    options = ["-gdb", f"unix:{gdb},server=on,wait=off"]
    hardware = {"gic": "3", "machine": "secure=on", "options": options}
    with Machine("board-tf-a", [domain], boot="tf-a", root=psci, **hardware) as machine:
        machine.expect("BL31: ")
        machine.expect(r"firmware: PSCI 1\.")
        machine.expect("cpus: 2 of 2")
        machine.expect("speculation: branch targets mitigated, branch history mitigated, stores not affected")
        machine.domain(1).wait_up(timeout=150)
        assert machine.domain(1).run("nproc") == "2"
        told = machine.domain(1).run("cd /sys/devices/system/cpu/vulnerabilities; cat spectre_v2 spec_store_bypass")
        assert told.split() == "Mitigation: Branch predictor hardening, BHB Not affected".split()
        assert_firmware_is_called_at_entries(gdb)
        machine.domain(1).type("poweroff")
        assert machine.wait_exit() == 0


def test_imx8mp():
    """The model delivers no virtual interrupts (QEMU 10.0), so the guest is one that needs none."""
    domain = Domain(
        "domU1", memory_mib=16, kernel=BUILD / "guests/console_io.bin", ramdisk=None, properties={"vpl011": None}
    )
    board = {"board": "imx8mp-evk", "board_tree": "freescale/imx8mp-evk.dtb", "smp": 4, "serial": 1}
    with Machine("board-imx8mp", [domain], **board) as machine:
        machine.expect(r"console: i.MX UART [^\n]*serial@30890000")
        machine.expect(r"\(d1\) guest without a device listens")
        machine.domain(1).type("typed by hand")
        machine.expect(r"\(d1\) typed by hand\r*\n")
        assert machine.wait_exit() == 0
