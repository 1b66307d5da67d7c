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
    """Debian's armhf kernel: to its shell, once more after a reboot, and off."""
    with machine32("arm32-linux", [Domain("domU1", kernel=LINUX32, ramdisk=INITRD32)]) as machine:
        domain = machine.domain(1)
        domain.wait_up(timeout=120)
        assert "armv7l" in domain.run("uname -m")
        domain.type("reboot")
        machine.expect(r"d1: domU1: reboots")
        domain.wait_up(timeout=120)
        domain.type("poweroff")
        machine.wait_exit()
