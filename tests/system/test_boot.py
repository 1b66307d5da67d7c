"""The same image on machines of every size, started in every way."""
import subprocess

import pytest

from machine import BUILD, CPUS, GIC, HOLDFAST, ROOT, VARIANT, Domain, Machine


def boots_to_the_end(machine, domains, timeout=150):
    """Every domain comes up with its CPUs; all power off and so does the machine."""
    machine.expect(f"{len(domains)} of {len(domains)} domains started", timeout=timeout)
    machine.expect_all([f"guest {d.name}: userspace up" for d in domains], timeout=timeout)
    for number, domain in enumerate(domains, 1):
        assert machine.domain(number).run("nproc") == str(domain.cpus)
    for number in range(1, len(domains) + 1):
        machine.domain(number).type("poweroff")
        if number < len(domains):
            machine.expect(rf"\(HF\) d{number}:[^\n]*(?:power|shut)", timeout=60)
    assert machine.wait_exit() == 0


MACHINES32 = [
    ("kernel", CPUS[-1], 1, "1G", GIC),
    ("u-boot", CPUS[0], 4, "2G", GIC),  # with 8 GiB U-Boot hangs
    ("kernel", CPUS[0], 3, "3G", GIC),
    ("kernel", CPUS[-1], 8, "8G", GIC),
]


@pytest.mark.parametrize(
    "boot, cpu, smp, memory, gic",
    MACHINES32
    if "arm32" in VARIANT
    else [
        ("kernel", "cortex-a53", 1, "1G", GIC),
        ("kernel", "cortex-a72", 3, "3G", GIC),
        ("u-boot", "cortex-a76", 4, "4G", GIC),
        ("kernel", "cortex-a76", 5, "6G", GIC),
        ("u-boot", "cortex-a53", 6, "8G", GIC),
        pytest.param("kernel", "max", 2, "2G", "max", marks=pytest.mark.not_on(gicv2="the newest GIC that QEMU has")),
        ("u-boot", "max", 7, "12G", GIC),
        ("kernel", "max", 8, "16G", GIC),
        ("u-boot", "cortex-a72", 8, "16G", GIC),
    ],
)
def test_machine(boot, cpu, smp, memory, gic):
    domains = [Domain("domU1", cpus=min(smp, 2), memory_mib=256)]
    name = f"boot-{boot}-{cpu}-{smp}-{memory}-gic{gic}"
    with Machine(name, domains, boot=boot, cpu=cpu, smp=smp, memory=memory, gic=gic) as machine:
        boots_to_the_end(machine, domains)
        # The trees here have no seeds; 64-bit CPUs may have random numbers.
        assert ("secrets of this boot come from the time" in machine.log()) == (cpu != "max" or "arm32" in VARIANT)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_smp_guests(cpus):
    """Guests of 1, 2 and 4 vCPUs at once, on 1, 2 and 4 CPUs; on 2 all vector registers are in use."""
    domains = [Domain(f"domU{n}", cpus=vcpus, quick=cpus != 2) for n, vcpus in enumerate((1, 2, 4), 1)]
    with Machine(f"smp-{cpus}", domains, smp=cpus) as machine:
        boots_to_the_end(machine, domains, timeout=240)


@pytest.mark.not_on(arm32="a 64-bit machine")
def test_gicv2():
    """Guests get the machine's version: of 1, 2 and the most vCPUs there can be, and none of more."""
    domains = [Domain("domU1", cpus=8), Domain("domU2"), Domain("domU3", cpus=2)]
    more = Domain("domU4", cpus=9, memory_mib=64, ramdisk=None)
    with Machine("gicv2", domains + [more], cpu="cortex-a53", smp=4, gic="2") as machine:
        machine.expect(r"\(HF\) GICv2: 288 interrupts, 4 list registers", timeout=60)
        machine.expect(r"\(HF\) error: [^\n]*domU4: cpus: expected at most 8 with a GICv2, got 9")
        machine.expect("3 of 4 domains started")
        machine.expect_all([f"guest {d.name}: userspace up" for d in domains], timeout=240)
        for number, domain in enumerate(domains, 1):
            assert machine.domain(number).run("nproc") == str(domain.cpus)
            counts = machine.domain(number).run("grep arch_timer /proc/interrupts").split()
            assert "GIC-0" in counts and all(int(n) for n in counts[1 : 1 + domain.cpus])


def test_eight_domains():
    domains = [Domain(f"domU{n}", memory_mib=160) for n in range(1, 9)]
    with Machine("eight-domains", domains, smp=4) as machine:
        boots_to_the_end(machine, domains, timeout=300)


def test_more_memory_than_4_gib():
    """A guest with two banks of RAM."""
    domains = [Domain("domU1", memory_mib=5 * 1024)]
    with Machine("large-guest", domains, memory="8G") as machine:
        machine.domain(1).wait_up(timeout=120)
        kib = int(machine.domain(1).run("grep MemTotal /proc/meminfo").split()[1])
        assert kib > 4.5 * 1024 * 1024


def test_without_icount():
    """Two host threads, real time: races that one thread cannot show."""
    domains = [Domain("domU1", cpus=2, memory_mib=512), Domain("domU2")]
    with Machine("threads", domains, icount=False) as machine:
        boots_to_the_end(machine, domains)


def test_the_disk_of_make_run():
    """U-Boot's default environment finds the disk and its script by itself."""
    disk, config = BUILD / "tests/disk.img", "linux-arm32" if "arm32" in VARIANT else "linux"
    subprocess.run(
        [ROOT / "scripts/holdfast-image", ROOT / f"dts/{config}.yaml", "disk", disk, "--set", f"holdfast={HOLDFAST}"],
        check=True,
    )
    domains = [Domain("domU1", cpus=2, memory_mib=512), Domain("domU2")]
    with Machine("disk", domains, boot=disk) as machine:
        boots_to_the_end(machine, domains)
