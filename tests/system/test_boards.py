"""Boards beyond QEMU's virt, each with the device tree that Debian or QEMU gives for it: nothing of it is
changed but /chosen. docs/boards.md says what each has."""
import pytest

from machine import ARM32, BUILD, Domain, Machine

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


def test_trusted_firmware():
    """EL3 has firmware, below U-Boot: of the interrupt controller only the non-secure side is seen. It
    is built for a GICv3, and adds its psci node to the tree that U-Boot gets; ours is made before."""
    domain = Domain("domU1", cpus=2, memory_mib=160)
    psci = 'psci {\ncompatible = "arm,psci-1.0";\nmethod = "smc";\n};\n'
    with Machine("board-tf-a", [domain], boot="tf-a", gic="3", machine="secure=on", root=psci) as machine:
        machine.expect("BL31: ")
        machine.expect(r"firmware: PSCI 1\.")
        machine.expect("cpus: 2 of 2")
        machine.domain(1).wait_up(timeout=150)
        assert machine.domain(1).run("nproc") == "2"
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
