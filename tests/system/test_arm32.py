"""Holdfast on a 32-bit machine: all CPUs, memory outside the direct map, 32-bit guests."""
import subprocess

import pytest

from machine import ARM32, BUILD, ROOT, TREE_AT, Domain, Machine

ZIMAGE = BUILD / "guests/a32/zimage.bin"


def machine32(name, domains, **options):
    return Machine(name, domains, **(ARM32 | options))


def bare(name, kernel=ZIMAGE, **properties):
    return Domain(name, kernel=kernel, ramdisk=None, memory_mib=16, properties=properties)


# With 1 GiB and less all memory is in the direct map, with more the guests' is not.
@pytest.mark.parametrize("cpu, smp, memory", [("cortex-a15", 2, "2G"), ("cortex-a7", 4, "1G")])
def test_bare_guests(cpu, smp, memory):
    domains = [bare("one"), bare("two")]
    with machine32(f"arm32-{cpu}", domains, cpu=cpu, smp=smp, memory=memory) as machine:
        machine.expect(rf"cpus: {smp} of {smp} online")
        machine.expect_all([rf"\(d{n}\) zImage runs" for n in (1, 2)])
        machine.wait_exit()


def test_two_linux_guests_by_u_boot():
    """What `make run ARCH=arm32` starts, by bootz: Debian's armhf kernel to its shell in both guests; on two
    vCPUs a CPU off and on, once more after a reboot; and off.

    Without icount: under it QEMU's CPUs run in turns, and an invalidation of all CPUs' TLBs ends one. This
    kernel does one for each page of its own, in stop_machine(), where the other CPU spins through its
    turns: a minute of guest time, also on QEMU without Holdfast.
    """
    folder = BUILD / "tests/arm32-linux"
    folder.mkdir(parents=True, exist_ok=True)
    disk = folder / "disk.img"
    image = [ROOT / "scripts/holdfast-image", ROOT / "dts/linux-arm32.yaml", "disk", disk, "--set", "bootargs=audit"]
    subprocess.run(image, check=True)
    with machine32("arm32-linux", [], boot=disk, icount=False) as machine:
        machine.expect(r"\(HF\) 2 of 2 domains started")
        machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=180)
        domain = machine.domain(1)
        assert "armv7l" in domain.run("uname -m")
        for state, cpus in ((0, 1), (1, 2)):
            domain.run(f"echo {state} >/sys/devices/system/cpu/cpu1/online")
            assert domain.run("nproc") == str(cpus)
        domain.run("taskset 2 sleep 0.5")  # its CPU wakes up by its own timer
        domain.type("reboot")
        machine.expect(r"d1: domU1: reboots")
        domain.wait_up(timeout=120)
        assert domain.run("nproc") == "2"
        for n in (1, 2):
            machine.domain(n).type("poweroff")
            machine.expect(rf"d{n}: domU{n}: powered off")
        assert machine.wait_exit() == 0


def test_bootm_of_a_uimage():
    """U-Boot unpacks it to the address that mkimage was told, and starts it there."""
    packed = BUILD / "tests/arm32-uimage.bin"
    at = "0x48000000"
    command = ["mkimage", "-A", "arm", "-O", "linux", "-T", "kernel", "-C", "none", "-a", at, "-e", at]
    subprocess.run([*command, "-d", ARM32["holdfast"], packed], check=True, stdout=subprocess.DEVNULL)
    options = ["-device", f"loader,file={packed},addr=0x4a000000,force-raw=on"]
    start = f"bootm 0x4a000000 - {TREE_AT:#x}\n"
    # Where QEMU has PCI's configuration space when firmware runs first, also in the tree made without.
    hardware = {"machine": "highmem-ecam=off", "options": options}
    with machine32("arm32-uimage", [bare("one")], boot="u-boot", u_boot_commands=start, **hardware) as machine:
        machine.expect(rf"\(HF\) Holdfast \S+ \(build \w+\) at {at}, ")
        machine.expect(r"\(d1\) zImage runs")
        assert machine.wait_exit() == 0
