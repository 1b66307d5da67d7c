"""Each configuration of dts/ starts and does what its head says. (linux.yaml: test_boot.py, by U-Boot.)"""
import os
import re
import shlex
import subprocess

import pytest

from machine import BUILD, GUESTS, HOLDFAST, ROOT, U_BOOT_RPI, Machine, debian_tree_file


def example(name):
    """A machine with the command line that holdfast-image prints for dts/NAME.yaml."""
    command = subprocess.run(
        [ROOT / "scripts/holdfast-image", ROOT / f"dts/{name}.yaml", "qemu", BUILD / f"tests/example-{name}",
         "--set", f"holdfast={HOLDFAST}", "--set", "bootargs=audit"],
        check=True, capture_output=True, text=True, cwd=ROOT,
    ).stdout  # fmt: skip
    machine = Machine(f"example-{name}")
    machine.command = shlex.split(command) + ["-icount", "shift=2,sleep=off"]
    return machine


def up(machine, number, name):
    """The console of a Linux domain once its shell is there."""
    machine.expect(f"guest {name}: userspace up", timeout=120)
    console = machine.domain(number)
    console.name = name
    return console


@pytest.mark.not_on(gicv2="the machine that the example names", arm32="the machine that the example names")
def test_static_partition():
    with example("static-partition") as machine:
        machine.expect(r"d1: partition: started, [^\n]* 128 MiB directly mapped at 0x80000000")
        assert up(machine, 1, "partition").run("grep 'System RAM' /proc/iomem").startswith("80000000-87ffffff")
        machine.focus(0)
        machine.send("s")
        machine.expect(r"d1: vcpu0: \w+, CPU 1 of pool own")


@pytest.mark.not_on(gicv2="the machine that the example names", arm32="the machine that the example names")
def test_realtime():
    with example("realtime") as machine:
        machine.expect("guest domU2: userspace up", timeout=120)
        machine.expect(r"beats: missed 0x0+\r*\n")
    missed = re.findall(r"beats: missed 0x(\w{8})", machine.log())
    assert missed and not any(int(n, 16) for n in missed), missed


@pytest.mark.not_on(gicv2="the machine that the example names", arm32="the machine that the example names")
def test_shared_memory():
    with example("shared-memory") as machine:
        machine.expect_all([r"\(d2\) port there 0x0000000a", "guest linux: userspace up"], timeout=120)
        linux = machine.domain(1)
        linux.run("busybox devmem 0x601ffff8 64 0x1122334455667788")
        assert linux.run("busybox devmem 0x601ffff8 64") == "0x1122334455667788"
        assert linux.run("tr '\\0' ' ' </proc/device-tree/reserved-memory/xen-shmem@60000000/xen,id") == "mailbox"


@pytest.mark.not_on(arm32="the machine that the example names")
def test_gicv2():
    with example("gicv2") as machine:
        up(machine, 1, "linux").run("grep GIC-0 /proc/interrupts")  # Linux's name of one at EL1
    assert re.search(r"\(HF\) [^\n]*GICv2", machine.log())


@pytest.mark.xdist_group("nvme.img")
@pytest.mark.not_on(gicv2="the machine that the example names", arm32="the machine that the example names")
def test_passthrough():
    (BUILD / "images/nvme.img").touch()
    with open(BUILD / "images/nvme.img", "r+b") as disk:
        disk.truncate(256 << 20)
    with example("passthrough") as machine:
        owner = up(machine, 1, "domU1")
        owner.run("dd if=/dev/nvme0n1 of=/dev/null bs=64k count=4")
        assert owner.run("ls /sys/class/net | wc -l") == "2"  # lo and the card


@pytest.mark.not_on(gicv2="another board", arm32="another board")
def test_raspberry_pi_4():
    """The card's partition, which Debian's U-Boot for the board finds. With a small guest: the model reads a card at 1 MB/s."""
    text = (ROOT / "dts/raspberry-pi-4.yaml").read_text()
    text = re.sub(r"( kernel:) .*\n +ramdisk: .*", rf"\1 {BUILD}/guests/raw.bin", text)
    text = text.replace("../build/arm64/holdfast.bin", str(HOLDFAST))
    config, card = BUILD / "tests/rpi-example.yaml", BUILD / "tests/rpi-example.img"
    config.write_text(text)
    subprocess.run([ROOT / "scripts/holdfast-image", config, "disk", card, "--set", "bootargs=audit"], check=True)
    os.truncate(card, 128 << 20)  # as the model has it, a power of two
    tree = debian_tree_file("broadcom/bcm2711-rpi-4-b.dtb")
    machine = Machine("example-rpi")
    machine.command = [
        *("qemu-system-aarch64", "-M", "raspi4b", "-nic", "none", "-display", "none", "-monitor", "none"),
        *("-audio", "driver=none", "-kernel", str(U_BOOT_RPI), "-dtb", str(tree), "-drive", f"if=sd,format=raw,file={card}"),
        *("-serial", "null", "-serial", "stdio", "-icount", "shift=2,sleep=off"),
    ]
    with machine:
        machine.expect(r"\(HF\) 1 of 1 domains started")
        machine.expect(r"\(d1\) raw binary runs")
        machine.expect(r"\(HF\) d1: linux: powered off")


POOL = f"""
memory: [0x40000000, 0xc0000000]
holdfast: {HOLDFAST}
bootargs: audit
source: |
  own: own {{ compatible = "xen,cpupool"; cpupool-cpus = <&{{/cpus/cpu@1}}>; cpupool-sched = "null"; }};
domains:
  - {{name: alone, kernel: {GUESTS}/idle.bin, memory: 16, source: domain-cpupool = <&own>;}}
"""


def test_u_boot_finds_a_node_of_its_own_tree():
    """The boot script looks up a CPU's phandle, which only U-Boot knows."""
    config, disk = BUILD / "tests/pool.yaml", BUILD / "tests/pool.img"
    config.write_text(POOL)
    subprocess.run([ROOT / "scripts/holdfast-image", config, "disk", disk], check=True)
    with Machine("u-boot-pool", boot=disk) as machine:
        machine.expect(r"\(HF\) CPU pool own: a CPU for each vCPU")
        machine.expect(r"\(HF\) 1 of 1 domains started")
