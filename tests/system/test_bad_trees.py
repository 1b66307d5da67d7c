"""Wrong device trees: each domain that is wrong gives one line naming node and property and what was
expected, and the good one beside it boots. All wrong domains share a machine."""
import re

import pytest

from machine import BUILD, INITRD, MODULES_AT, Domain, Machine

TESTS = BUILD / "tests"


def made(name, content):
    """A module file with this content."""
    TESTS.mkdir(parents=True, exist_ok=True)
    path = TESTS / name
    path.write_bytes(content)
    return path


JUNK = made("junk.bin", b"neither kernel nor gzip\n" * 400)
ELF = made("elf.bin", b"\x7fELF\x02\x01\x01" + bytes(8192))
BAD_GZIP = made("bad.gz", bytes.fromhex("1f8b0800000000000003") + b"\xff" * 4000)
# An Image whose header wants 1 GiB, more than the domain has.
HUGE = bytearray(0x1000)
HUGE[0x10:0x18] = (1 << 30).to_bytes(8, "little")
HUGE[0x38:0x3C] = b"ARMd"
HUGE = made("huge.bin", bytes(HUGE))

RESERVED_AT = MODULES_AT + 0x10000000


def domain(name, **properties):
    return Domain(name, properties=properties)


def sharing(name, shm_id, *cells):
    """With a region of shared memory."""
    numbers = " ".join(f"0 {cell:#x}" for cell in cells)
    return Domain(
        name,
        nodes='shm { compatible = "xen,domain-shared-memory-v1"; '
        f'xen,shm-id = "{shm_id}"; xen,shared-mem = <{numbers}>; }};\n',
    )


# (the domain, words its message must have, in order)
BAD = [
    (sharing("shmoverram", "a", 0x48000000, 0x1000), "xen,shared-mem.*RAM"),
    (sharing("shmlow", "b", 0x10000000, 0x1000), "xen,shared-mem.*0x40000000"),
    (sharing("shmhost", "d", 0x1000, 0x60000000, 0x1000), "xen,shared-mem.*RAM"),
    (sharing("shmmodule", "e", MODULES_AT, 0x60000000, 0x1000), "xen,shared-mem.*taken"),
    (sharing("shmunaligned", "f", 0x60000800, 0x1000), "xen,shared-mem.*4 KiB"),
    (sharing("shmname", "more-than-fifteen", 0x60000000, 0x1000), "xen,shm-id"),
    (Domain("nokernel", kernel=None, ramdisk=None), "kernel"),
    (domain("nomemory", memory=None), "memory"),
    (domain("zeromemory", memory="<0 0>"), "memory"),
    (domain("longmemory", memory="<0 0x40000 0>"), "memory"),
    (domain("bytememory", memory="[00 04]"), "memory"),
    (domain("hugememory", memory="<0x10 0>"), "memory"),
    (domain("nocpus", cpus=None), "cpus"),
    (domain("zerocpus", cpus="<0>"), "cpus"),
    (domain("manycpus", cpus="<4096>"), "cpus"),
    (domain("bytecpus", cpus="[02]"), "cpus"),
    (domain("unending", **{"on-crash": '"again"'}), "on-crash"),
    (domain("nolimit", **{"restart-limit": "[03]"}), "restart-limit"),
    (domain("manyspis", nr_spis="<5000>"), "nr_spis"),
    (domain("bytespis", nr_spis="[01 02 03]"), "nr_spis"),
    (Domain("noreg", kernel_properties={"reg": None}), "kernel.*reg"),
    (Domain("shortreg", kernel_properties={"reg": "<0 0x50000000>"}), "kernel.*reg"),
    (Domain("emptykernel", kernel_properties={"reg": "<0 0x50000000 0 0>"}), "kernel.*reg"),
    (Domain("outside", kernel_properties={"reg": "<0x7f 0 0 0x1000>"}), "kernel.*reg"),
    (Domain("wraps", kernel_properties={"reg": "<0xffffffff 0xfffff000 0 0x2000>"}), "kernel.*reg"),
    (
        Domain("overlap", ramdisk_properties={"reg": f"<0 {MODULES_AT + 0x1000:#x} 0 0x100000>"}),
        "overlap/.*reg",
    ),
    (
        Domain("reserved", ramdisk_properties={"reg": f"<0 {RESERVED_AT + 0x1000:#x} 0 0x1000>"}),
        "ramdisk.*reg",
    ),
    (Domain("badbootargs", kernel_properties={"bootargs": "[41 42 43]"}), "kernel.*bootargs"),
    (Domain("junk", kernel=JUNK, ramdisk=None), "kernel.*something else"),
    (Domain("elf", kernel=ELF, ramdisk=None), "kernel.*ELF"),
    (Domain("initrd", kernel=INITRD, ramdisk=None), "kernel.*cpio"),
    (Domain("badgzip", kernel=BAD_GZIP, ramdisk=None), "kernel"),
    (Domain("huge", kernel=HUGE, ramdisk=None, memory_mib=64), "kernel"),
    (Domain("small", memory_mib=8), "memory|kernel"),
]
GOOD = Domain("good", memory_mib=192)


@pytest.fixture(scope="module")
def machine():
    root = (
        "reserved-memory {\n#address-cells = <2>;\n#size-cells = <2>;\nranges;\n"
        f"firmware@{RESERVED_AT:x} {{\nreg = <0 {RESERVED_AT:#x} 0 0x100000>;\nno-map;\n}};\n}};\n"
    )
    domains = [GOOD] + [bad for bad, _ in BAD]
    with Machine("bad-trees", domains, root=root) as started:
        started.expect(f"1 of {len(domains)} domains started", timeout=60)
        yield started


@pytest.mark.arm32
@pytest.mark.parametrize("bad, words", BAD, ids=[bad.name for bad, _ in BAD])
def test_message(machine, bad, words):
    said = re.findall(rf"\(HF\) error: /chosen/{bad.name}\b[^\n]*", machine.log())
    assert len(said) == 1, said
    assert re.search(words, said[0]), said[0]
    assert "domain not started" in said[0]


@pytest.mark.arm32
def test_good_domain_boots(machine):
    machine.domain(1).wait_up(timeout=60)
    assert machine.domain(1).run("nproc") == "1"
    machine.domain(1).type("poweroff")
    assert machine.wait_exit() == 0
