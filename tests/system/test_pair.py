"""Two bare-metal domains (tests/guests/pair) and what they do with each other."""
import re

import pytest

from machine import GUESTS, ROOT, Domain, Machine

IMAGE = GUESTS / "pair.bin"
TESTS = {
    name
    for file in (ROOT / "tests/guests/pair").glob("*.c")
    for name in re.findall(r"^TEST\((\w+)\)", file.read_text(encoding="ascii"), re.M)
}
# Port of domU1, port of domU2.
CHANNELS = [(10, 10), (11, 11), (12, 20), (13, 13), (14, 14)]
ALLOWED = 'holdfast,allow-pairs = "domU1", "domU2";'


def channels(number):
    """The event channel nodes of a domain."""
    return "".join(
        f"ec{number}_{i}: evtchn@{i} {{\n"
        'compatible = "xen,evtchn-v1";\n'
        f"xen,evtchn = <{ports[number - 1]} &ec{3 - number}_{i}>;\n}};\n"
        for i, ports in enumerate(CHANNELS)
    )


def pair(vcpus):
    return [
        Domain(
            f"domU{n}", cpus=vcpus, memory_mib=64, kernel=IMAGE, ramdisk=None,
            properties={"nr_spis": "<64>"}, nodes=channels(n),
        )
        for n in (1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize("cpus, vcpus", [(1, 1), pytest.param(2, 2, marks=[pytest.mark.gicv2, pytest.mark.arm32]), (4, 2)], ids=lambda n: str(n))
def test_pair(cpus, vcpus):
    """All tests in both domains, in each of the second one's three lives (one, with one vCPU)."""
    third = Domain("domU3", memory_mib=16, kernel=GUESTS / "idle.bin", ramdisk=None)
    lives = 3 if vcpus > 1 else 1
    with Machine(f"pair-{vcpus}on{cpus}", pair(vcpus) + [third], smp=cpus, chosen=ALLOWED) as machine:
        machine.expect(rf"DONE well after {lives} lives", timeout=60)
        machine.expect(r"\(HF\) d1: domU1: powered off", timeout=30)
        log = machine.log()
    assert not re.findall(r"FAIL .*", log)
    for domain in (1, 2):
        passed = re.findall(rf"\(d{domain}\) PASS (\w+)", log)
        assert sorted(passed) == sorted(list(TESTS) * lives)
    assert set(re.findall(r"third: (\d+)", log)) == {"1"}  # EPERM
    assert set(re.findall(r"manages: (\d+)", log)) == {"0"}
    assert re.findall(r"foreign: (\d+)", log) == ["1"] * lives  # EPERM
    assert re.findall(r"foreign saw (\w+)", log) == ["0x0"] * lives


@pytest.mark.gicv2
def test_privileged():
    """The first domain maps a page of the second one, which ends twice with it still mapped, and makes event
    channels there."""
    third = Domain("domU3", memory_mib=16, kernel=GUESTS / "idle.bin", ramdisk=None)
    domains = pair(2) + [third]
    domains[0].properties["capabilities"] = '"control"'
    with Machine("pair-privileged", domains, smp=2) as machine:
        machine.expect(r"DONE well after 3 lives", timeout=60)
        machine.expect(r"\(HF\) d1: domU1: powered off", timeout=30)
        log = machine.log()
    assert not re.findall(r"FAIL .*", log)
    assert re.findall(r"foreign: (\d+)", log) == ["0"] * 3
    assert re.findall(r"\(d1\) manages: (\d+)", log) == ["1"] * 3
    assert re.findall(r"\(d2\) manages: (\d+)", log) == ["0"] * 3
    assert re.findall(r"foreign saw (\w+)", log) == ["0x5746001"] * 3


def test_pair_on_threads():
    """Four host threads, where the two domains really race."""
    with Machine("pair-threads", pair(4), smp=4, chosen=ALLOWED, icount=False) as machine:
        machine.expect(r"DONE well after 3 lives", timeout=120)
        machine.wait_exit(60)
        log = machine.log()
    assert not re.findall(r"FAIL .*", log)
