"""Static shared memory (Xen's binding) between Linux domains, at a host address and from the heap; it
survives the restart of either side, and mistakes cost one line and their domain."""
import pytest

from machine import Domain, Machine

HOST = 0x7000_0000


def region(name, role, *numbers):
    cells = " ".join(f"0 {number:#x}" for number in numbers)
    return (
        f"{name}-{numbers[0]:x} {{\n"
        'compatible = "xen,domain-shared-memory-v1";\n'
        f'role = "{role}";\nxen,shm-id = "{name}";\nxen,shared-mem = <{cells}>;\n}};\n'
    )


def peek(domain, address):
    return int(domain.run(f"busybox devmem {address:#x} 64"), 16)


def poke(domain, address, value):
    domain.run(f"busybox devmem {address:#x} 64 {value:#x}")


@pytest.mark.gicv2
def test_two_linux_domains_share_memory():
    one = region("fixed", "owner", HOST, 0x6000_0000, 0x20_0000)
    one += region("heap", "owner", 0x7000_0000, 0x5000)
    two = region("fixed", "borrower", HOST, 0x5000_0000, 0x20_0000)
    two += region("heap", "borrower", 0x5100_0000, 0x5000)
    domains = [Domain("domU1", nodes=one), Domain("domU2", nodes=two)]
    with Machine("static-shm", domains) as machine:
        machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=120)
        first, second = machine.domain(1), machine.domain(2)
        node = "/proc/device-tree/reserved-memory/xen-shmem@60000000"
        assert first.run(f"tr '\\0' ' ' <{node}/compatible") == "xen,shared-memory-v1"
        assert first.run(f"tr '\\0' ' ' <{node}/xen,id") == "fixed"
        for ours, theirs in ((0x6000_0000, 0x5000_0000), (0x601F_FFF8, 0x501F_FFF8), (0x7000_4FF8, 0x5100_4FF8)):
            assert peek(second, theirs) == 0
            poke(first, ours, 0x1122_3344_5566_7788)
            assert peek(second, theirs) == 0x1122_3344_5566_7788
            poke(second, theirs, ours)
            assert peek(first, ours) == ours
        for rebooted in (second, first):
            rebooted.type("reboot")
            rebooted.wait_up(timeout=120)
            assert peek(second, 0x501F_FFF8) == 0x601F_FFF8
            assert peek(first, 0x7000_4FF8) == 0x7000_4FF8
            poke(rebooted, 0x6000_0000 if rebooted is first else 0x5000_0000, 99)
            assert peek(second, 0x5000_0000) == 99
        machine.focus(0)
        machine.send("a")
        machine.expect_all([f"audit: d{n}: clean" for n in (1, 2)], timeout=60)
        for domain in (first, second):
            domain.type("poweroff")
        machine.expect("all domains are gone", timeout=60)
