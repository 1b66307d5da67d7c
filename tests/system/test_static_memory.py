"""Memory that the device tree names: domains in ranges of their own, and a heap in one. The machine's
RAM is a file here, so that the test sees where a guest's bytes are."""
import mmap
import re

import pytest

from machine import BUILD, VARIANT, Domain, Machine

RAM_AT = 0x40000000
STATIC, DIRECT, SIZE = 0x80000000, 0x90000000, 256 << 20
RAM_FILE = BUILD / "tests/static-memory.ram"


def in_static_memory(name, at, **properties):
    cells = f"<0 {at:#x} 0 {SIZE:#x}>"
    return Domain(name, memory_mib=SIZE >> 20, properties={"xen,static-mem": cells} | properties)


@pytest.fixture(scope="module")
def machine():
    domains = [
        in_static_memory("domU1", STATIC),
        in_static_memory("domU2", DIRECT, **{"direct-map": True}),
        in_static_memory("thief", STATIC + SIZE // 2),
    ]
    started = Machine("static-memory", domains)
    started.command += [
        "-object", f"memory-backend-file,id=ram,size=2G,share=on,mem-path={RAM_FILE}",
        "-machine", "memory-backend=ram",
    ]  # fmt: skip
    try:
        with started:
            yield started
    finally:
        RAM_FILE.unlink(missing_ok=True)


def places(text):
    """The machine addresses at which RAM has these bytes now."""
    with open(RAM_FILE, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as ram:
        return [RAM_AT + match.start() for match in re.finditer(re.escape(text), ram)]


def test_both_start(machine):
    machine.expect("2 of 3 domains started")
    machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=120)
    assert re.search(r"d1: domU1: started, 1 vCPU, 256 MiB static at 0x80000000,", machine.log())
    assert re.search(r"d2: domU2: started, 1 vCPU, 256 MiB directly mapped at 0x90000000,", machine.log())


def test_the_thief_is_refused(machine):
    said = re.findall(r"\(HF\) error: [^\n]*", machine.log())
    assert said == [
        "(HF) error: /chosen/thief: xen,static-mem: 0x88000000 overlaps static memory of domU1; "
        "domain not started"
    ]


def test_where_the_guests_see_it(machine):
    for number, start in ((1, 0x40000000), (2, DIRECT)):
        ram = machine.domain(number).run("grep 'System RAM' /proc/iomem")
        assert ram.splitlines()[0].strip() == f"{start:08x}-{start + SIZE - 1:08x} : System RAM"


def test_where_it_is(machine):
    """What a guest writes is in its range, each time it has rebooted, and gone with the reboot."""
    for round_ in range(4):
        texts = {}
        for number, at in ((1, STATIC), (2, DIRECT)):
            # The command does not have the text in one piece: the console's buffers are elsewhere.
            texts[number] = f"mark{round_}-of-domU{number}-here".encode()
            machine.domain(number).run(f"printf 'mark%s-of-%s-here' {round_} domU{number} >/tmp/mark")
            found = places(texts[number])
            assert found and all(at <= place < at + SIZE for place in found), found
        if round_ < 3:
            machine.domain(1).type("reboot")
            machine.domain(1).wait_up(timeout=120)
            assert not places(texts[1])
            assert places(texts[2])
    assert len(re.findall("256 MiB static at 0x80000000", machine.log())) == 4


def test_it_is_not_in_the_heap(machine):
    machine.focus(0)
    machine.send("m")
    total = int(machine.expect(r"\(HF\) memory: \d+ of (\d+) pages free").group(1))
    assert total * 4096 < (2 << 30) - 2 * SIZE
    machine.send("a")
    machine.expect_all([rf"\(HF\) audit: d{n}: clean" for n in (1, 2)])


def test_the_end(machine):
    machine.domain(1).type("poweroff")
    machine.expect(r"\(HF\) d1:[^\n]*powered off")
    machine.domain(2).type("poweroff")
    assert machine.wait_exit() == 0


def test_static_heap():
    """All the heap there is: 512 MiB that a domain's memory comes from, and nothing else."""
    at = 0x60000000 if "arm32" in VARIANT else 0xA0000000  # within the GiB that Holdfast is in, or not
    heap = f"xen,static-heap = <0 {at:#x} 0 0x20000000>;"
    domains = [Domain("domU1"), Domain("large", memory_mib=768)]
    with Machine("static-heap", domains, chosen=heap) as machine:
        machine.expect("1 of 2 domains started")
        machine.domain(1).wait_up()
        log = machine.log()
    free = int(re.search(r"memory: (\d+) MiB free", log).group(1))
    assert 480 < free < 512
    assert re.search(r"error: /chosen/large: memory: expected at most what is free", log)
