"""Holdfast on a 32-bit machine: all CPUs, memory outside the direct map, 32-bit guests."""
import pytest

from machine import BUILD, Domain, Machine

HOLDFAST32 = BUILD / "arm32/holdfast.bin"
ZIMAGE = BUILD / "guests/a32/zimage.bin"
LINUX32 = BUILD / "fetched/armhf/zImage"
INITRD32 = BUILD / "images/initrd-armhf.gz"


def machine32(name, domains, **options):
    settings = {"cpu": "cortex-a15", "gic": "2", "machine": "", "holdfast": HOLDFAST32}
    return Machine(name, domains, **(settings | options))


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


def test_linux():
    """Debian's armhf kernel on both CPUs: to its shell, a CPU off and on, once more after a reboot, and off.

    Without icount: under it QEMU's CPUs run in turns, and an invalidation of all CPUs' TLBs ends one. This
    kernel does one for each page of its own, in stop_machine(), where the other CPU spins through its
    turns: a minute of guest time, also on QEMU without Holdfast.
    """
    domains = [Domain("domU1", cpus=2, kernel=LINUX32, ramdisk=INITRD32)]
    with machine32("arm32-linux", domains, icount=False) as machine:
        domain = machine.domain(1)
        domain.wait_up(timeout=120)
        assert "armv7l" in domain.run("uname -m")
        for state, cpus in ((0, 1), (1, 2)):
            domain.run(f"echo {state} >/sys/devices/system/cpu/cpu1/online")
            assert domain.run("nproc") == str(cpus)
        domain.run("taskset 2 sleep 0.5")  # its CPU wakes up by its own timer
        domain.type("reboot")
        machine.expect(r"d1: domU1: reboots")
        domain.wait_up(timeout=120)
        assert domain.run("nproc") == "2"
        domain.type("poweroff")
        machine.wait_exit()
