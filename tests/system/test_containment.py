"""A guest that does its worst takes no more of its neighbour's time than one that computes.

tests/guests/storm goes from one storm to the next by the machine's counter. A neighbour on its CPU counts the
rounds of a loop in each: one CPU and -icount, every run is the same. One on another CPU does the same operations
over and over. docs/security.md states the factors.
"""
import re
import struct

import pytest

from machine import BUILD, Domain, Machine, with_parameters

NEIGHBOUR, ATTACKER, ELSEWHERE = range(3)
STORMS = (
    "spin sleep timers sgis events console loads fetches undefined hypercalls multicalls nests grants tables yields"
    " setway tlbis emulated debug firmware cpus"
).split()
# What the neighbour has of its time beside an attacker who only computes. A period of 134 ms has 26 time slices
# of 5 ms for three vCPUs: one slice more or less, at both ends, is 2 of 9.
LEAST = 0.75
# What Holdfast does on a neighbour's own CPU for the same operations, and how long it goes without a look at its
# interrupts on any, which is as long as a lock can be kept from others: in instructions.
MOST_ELSEWHERE = 1.1
LONGEST = 50000


def guest(name, role, cpus, period, on=None):
    """period: of a storm, as a power of two of 16 ns; `on` a CPU of its own."""
    path = with_parameters("storm", f"storm-{name}-{period}", struct.pack("<QQ", role, period))
    bound = 'vcpu{0} {{ compatible = "xen,vcpu"; id = <{0}>; hard-affinity = "{1}"; }};\n'
    nodes = "" if on is None else "".join(bound.format(vcpu, on) for vcpu in range(cpus))
    return Domain(name, cpus=cpus, memory_mib=16, kernel=path, ramdisk=None, nodes=nodes)


ALL_DONE = r"\(d2\) attack: all done, tables for (\d+) of (\d+)\r*\n"


def rounds(machine):
    """Of the neighbour, and how many tables the attacker could have; both lived to the end."""
    machine.expect_all([r"\(d1\) rounds: done", ALL_DONE], timeout=240)
    log = machine.log()
    had = {name: int(n) for name, n in re.findall(r"rounds in (\w+): (\d+)", log)}
    return had, [int(n) for n in re.search(ALL_DONE, log).groups()]


def test_storms_beside_a_neighbour_on_its_cpu():
    domains = [guest("neighbour", NEIGHBOUR, 1, 23), guest("attacker", ATTACKER, 2, 23)]
    with Machine("containment-one-cpu", domains, smp=1) as machine:
        machine.expect(r"\(d2\) attack: begins")
        had, tables = rounds(machine)
    assert 0 < tables[0] < tables[1]  # the pool was exhausted
    share = {name: had[name] / had["spin"] for name in STORMS}
    assert min(share.values()) >= LEAST, share


@pytest.mark.not_on(arm32="the plugin tells CPUs by a register of AArch64")
def test_storms_from_another_cpu():
    """Counted are the instructions of one CPU, so that it does not matter how QEMU's take turns."""
    domains = [
        guest("neighbour", ELSEWHERE, 1, 20, on=0),
        guest("attacker", ATTACKER, 2, 20, on=1),
    ]
    counts = BUILD / "tests/containment-two-cpus.counts"
    plugin = f"{BUILD}/bench/count.so,out={counts},guest=0x40000000-0x50000000,own=on"
    with Machine("containment-two-cpus", domains, smp=2, hv_bootargs="audit-every=0", options=["-plugin", plugin]) as machine:
        machine.expect(r"\(d2\) attack: begins")
        until, _ = rounds(machine)
    text = counts.read_text(encoding="ascii")
    cost = [int(n) for n in re.findall(r"^sample \d+ (\d+) ", text, re.M)]
    assert len(cost) == until["cpus"]
    begins = [0] + [until[name] for name in STORMS]
    mean = [sum(cost[a:b]) / (b - a) for a, b in zip(begins, begins[1:])]
    assert max(mean) <= MOST_ELSEWHERE * mean[0], dict(zip(STORMS, mean))
    assert int(re.search(r"^stretch (\d+) ", text, re.M)[1]) <= LONGEST
