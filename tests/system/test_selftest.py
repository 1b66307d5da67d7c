"""The bare-metal self-test guest (tests/guests/selftest): every test passes, and every test ran."""
import re

import pytest

from machine import ARM32, BUILD, CPU, CPUS, GIC, GUESTS, ROOT, VARIANT, Domain, Machine

IMAGE = GUESTS / "selftest.bin"
IMAGE32 = BUILD / "guests/a32/selftest.bin"
SOURCES = ROOT / "tests/guests/selftest"


def names(architecture):
    """{number of CPUs a test needs: names}, those of both architectures among them."""
    files = [*SOURCES.glob("*.c"), *(SOURCES / architecture).glob("*.c")]
    return {
        cpus: {name for file in files for name in re.findall(pattern, file.read_text(encoding="ascii"), re.M)}
        for cpus, pattern in ((1, r"^TEST\((\w+)\)"), (2, r"^TEST_SMP\((\w+)\)"))
    }


NAMES32 = names("arm32")
NAMES = NAMES32 if "arm32" in VARIANT else names("arm64")
# Tests of what one version of the interrupt controller has and the other has not.
FOR_GIC = {
    version: set().union(
        *(
            re.findall(
                rf"^TEST(?:_SMP)?\((\w+)\) \{{\n(?:    [^\n]*\n|\n)*?    ONLY_GICV\({version}\)",
                file.read_text(encoding="ascii"),
                re.M,
            )
            for file in SOURCES.rglob("*.c")
        )
    )
    for version in (2, 3)
}
OF_THE_OTHER_GIC = FOR_GIC[3 if GIC == "2" else 2]
# Tests of instructions that a processor lacks.
LACKING = {cpu: {"mmio_newer_loads"} & NAMES[1] for cpu in ("cortex-a53", "cortex-a72")}
LACKING |= {cpu: set() for cpu in ("max", "cortex-a7", "cortex-a15")}
# Tests of a grant table that may change to version 2, and those of one that may not.
VERSION_2 = {name for name in NAMES[1] | NAMES[2] if name.startswith("status_frames_")}
VERSION_1 = {"physmap_grant_version_1_only"}


def run_selftest(name, vcpus, cpus, properties, image=IMAGE, **hardware):
    """{word: names of the tests it was said of}; none fails."""
    domain = Domain(
        "domU1", cpus=vcpus, memory_mib=64, kernel=image, ramdisk=None, properties=properties
    )
    with Machine(name, [domain], smp=cpus, **hardware) as machine:
        machine.expect(r"DONE passed \d+ failed \d+ skipped \d+", timeout=120)
        log = machine.log()
    assert not re.findall(r"FAIL .*", log)
    return {word: set(re.findall(rf"{word} (\w+)", log)) for word in ("PASS", "SKIP")}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(
    "vcpus, cpus", [(1, 1), (2, 1), (2, 2), (4, 2)], ids=lambda n: str(n)
)
def test_selftest(cpu, vcpus, cpus):
    said = run_selftest(
        f"selftest-{cpu}-{vcpus}on{cpus}", vcpus, cpus, {"nr_spis": "<64>"}, cpu=cpu
    )
    skipped = (NAMES[2] if vcpus == 1 else set()) | LACKING[cpu] | VERSION_2 | OF_THE_OTHER_GIC
    assert said["SKIP"] == skipped
    assert said["PASS"] == (NAMES[1] | NAMES[2]) - skipped


@pytest.mark.not_on(arm32="a 64-bit machine")
@pytest.mark.parametrize("vcpus, cpus", [(1, 1), (4, 2)], ids=lambda n: str(n))
def test_selftest_gicv2(vcpus, cpus):
    said = run_selftest(
        f"selftest-gicv2-{vcpus}on{cpus}", vcpus, cpus, {"nr_spis": "<64>"}, cpu="cortex-a53", gic="2"
    )
    skipped = (NAMES[2] if vcpus == 1 else set()) | LACKING["cortex-a53"] | VERSION_2 | FOR_GIC[3]
    assert said["SKIP"] == skipped
    assert said["PASS"] == (NAMES[1] | NAMES[2]) - skipped


ON_TWO = pytest.param(4, 2, "4G", marks=pytest.mark.arm32_gicv3)


# With 1 GiB the guest's memory is in the direct map, with 4 GiB it is not.
@pytest.mark.not_on(gicv2="a 32-bit machine")
@pytest.mark.parametrize("vcpus, cpus, memory", [(1, 1, "1G"), ON_TWO], ids=lambda n: str(n))
def test_selftest_arm32(vcpus, cpus, memory):
    """What a 32-bit guest sees, on a 32-bit machine."""
    name = f"selftest-arm32-{vcpus}on{cpus}"
    said = run_selftest(name, vcpus, cpus, {"nr_spis": "<64>"}, IMAGE32, **(ARM32 | {"memory": memory}))
    skipped = (NAMES32[2] if vcpus == 1 else set()) | VERSION_2 | FOR_GIC[5 - int(ARM32["gic"])]
    assert said["SKIP"] == skipped
    assert said["PASS"] == (NAMES32[1] | NAMES32[2]) - skipped


@pytest.mark.not_on(arm32="a 64-bit machine")
def test_selftest_of_32_bits():
    """What a 32-bit guest sees on a 64-bit machine: four vCPUs on two CPUs."""
    said = run_selftest("selftest-of-32-bits", 4, 2, {"nr_spis": "<64>"}, IMAGE32)
    assert said["SKIP"] == VERSION_2 | OF_THE_OTHER_GIC
    assert said["PASS"] == (NAMES32[1] | NAMES32[2]) - said["SKIP"]


def test_selftest_grant_version_2():
    properties = {"nr_spis": "<64>", "max_grant_version": "<2>"}
    said = run_selftest("selftest-version-2", 2, 2, properties)
    assert said["SKIP"] == LACKING[CPU] | VERSION_1 | OF_THE_OTHER_GIC
    assert said["PASS"] >= VERSION_2


def test_selftest_on_two_threads():
    """Two host threads, where vCPUs really race. A verdict may depend on the host's load here, so only
    that Holdfast and the guest come through counts, and that the test made for races passed."""
    domain = Domain(
        "domU1", cpus=4, memory_mib=64, kernel=IMAGE, ramdisk=None, properties={"nr_spis": "<64>"}
    )
    with Machine("selftest-threads", [domain], cpu=CPUS[-1], smp=2, icount=False) as machine:
        machine.expect(r"DONE passed \d+ failed \d+ skipped \d+", timeout=200)
        log = machine.log()
    assert "panic" not in log
    assert "PASS smp_distributor_changes_under_load" in log
    assert "PASS physmap_race" in log


def test_audit_while_it_runs():
    """The memory of the domain is audited, by the CPU that changed it, after every second change at
    least. Breaches are lines that no machine may end with."""
    domain = Domain("domU1", cpus=2, memory_mib=64, kernel=IMAGE, ramdisk=None, properties={"nr_spis": "<64>"})
    with Machine("selftest-audited", [domain], smp=2, hv_bootargs="audit-every=1") as machine:
        machine.expect(r"DONE passed \d+ failed \d+ skipped \d+", timeout=300)
        log = machine.log()
    physmap = {name for name in NAMES[1] | NAMES[2] if name.startswith("physmap_")}
    assert physmap <= set(re.findall(r"PASS (\w+)", log))
    assert "audit-every" not in re.findall(r"\(HF\) [^\n]*ignored", log)
