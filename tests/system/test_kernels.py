"""Kernels in every format the builder takes, and kernels that misbehave."""
import gzip
import re

import pytest

from machine import BUILD, GUESTS, LINUX, VARIANT, Domain, Machine

ZIMAGE = BUILD / "guests/a32/zimage.bin"


def bare(name, image, **more):
    """A domain of one of tests/guests."""
    return Domain(name, memory_mib=more.pop("memory_mib", 32), kernel=GUESTS / image, ramdisk=None, **more)


@pytest.fixture(scope="module")
def formats():
    """One machine whose domains each have another format."""
    compressed = BUILD / "tests/Image.gz"
    compressed.parent.mkdir(parents=True, exist_ok=True)
    compressed.write_bytes(gzip.compress(LINUX.read_bytes(), 1))
    domains = [
        Domain("linux", kernel=compressed),
        bare("raw", "raw.bin"),
        bare("zimage", ZIMAGE),
        bare("image", "psci.bin"),
    ]
    with Machine("formats", domains) as machine:
        machine.expect_all(
            ["4 of 4 domains started", "raw binary runs", "zImage runs", "guest linux: userspace up"]
            + [rf"\(HF\) d{n}:[^\n]*(?:power|shut)" for n in (2, 3, 4)],
            timeout=120,
        )
        yield machine


def test_gzipped_image(formats):
    assert formats.domain(1).run("nproc") == "1"


@pytest.mark.parametrize("said", ["raw binary runs", "zImage runs"])
def test_format(formats, said):
    assert said in formats.log()


@pytest.mark.parametrize(
    "call, result",
    [
        ("hvc 0x84000000", "00010001"),
        ("smc 0x84000000", "00010001"),
        ("hvc 0x80000000", "00010002"),
        ("smc 0x8400001f", "ffffffff"),
        ("hvc 0xc2001234", "ffffffff"),
        ("smc 0xbf00ffff", "ffffffff"),
    ],
)
def test_firmware_call(formats, call, result):
    assert f"{call} {result}" in formats.log()


@pytest.fixture(scope="module")
def misbehaving():
    """A good Linux domain beside a guest that jumps into nothing and one that touches nothing."""
    domains = [Domain("good"), bare("jump", "jump.bin"), bare("abort", "abort.bin")]
    # Without icount: under it, QEMU never leaves a CPU whose every fetch aborts.
    with Machine("misbehaving", domains, icount=False) as machine:
        machine.expect_all(
            ["jumping into nothing", "aborts done", "guest good: userspace up"], timeout=120
        )
        yield machine


def test_jump_into_nothing_is_contained(misbehaving):
    good = misbehaving.domain(1)
    good.run("sleep 1")
    assert good.run("nproc") == "1"
    good.type("poweroff")
    misbehaving.expect(r"\(HF\) d1:[^\n]*(?:power|shut)", timeout=60)


# ESR, or the status in DFSR and IFSR with DFSR's bit of the direction.
SYNDROMES = ("00000010", "00000810", "00000010") if "arm32" in VARIANT else ("94000010", "94000010", "84000010")


@pytest.mark.parametrize("access, syndrome", zip(("read", "write", "fetch"), SYNDROMES))
def test_access_to_nothing_is_an_external_abort(misbehaving, access, syndrome):
    assert re.search(f"{access} {syndrome}", misbehaving.log())


@pytest.mark.not_on(arm32="guests of a 32-bit machine have no debug registers")
def test_self_hosted_debug():
    """A guest's breakpoint, watchpoint and single step arrive as their exception classes."""
    with Machine("debug", [bare("debug", "debug.bin")]) as machine:
        machine.expect("breakpoint 00000031")
        machine.expect("watchpoint 00000035")
        machine.expect("step 00000033")
        machine.expect("debug done")
        assert machine.wait_exit() == 0


@pytest.mark.not_on(arm32="about a 64-bit processor")
def test_32_bit_kernel_on_a_64_bit_cpu():
    """A CPU without AArch32 at EL1: a message, and the other domain runs."""
    domains = [bare("zimage", ZIMAGE), bare("raw", "raw.bin")]
    with Machine("no-aarch32", domains, cpu="cortex-a76") as machine:
        machine.expect_all(
            [r"\(HF\) error: /chosen/zimage/kernel: [^\n]*domain not started", "raw binary runs"]
        )
        assert machine.wait_exit() == 0
