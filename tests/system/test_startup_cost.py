"""What it costs to start does not grow with the machine's memory: instructions from reset to the guest's
first one. One CPU, one instruction per tick of a counter of 1 GHz."""
import re

from machine import BUILD, Domain, Machine

# 400,000 is the promise. Clearing 8 MiB of page information for each GiB, 512 bytes at a time, takes 30,000.
PER_GIB = 10_000


def first_instruction(gib):
    """The tick at which the guest starts on a machine of that size."""
    domain = Domain("clock", memory_mib=16, kernel=BUILD / "guests/clock.bin", ramdisk=None)
    machine = Machine(
        f"startup-{gib}g", [domain], cpu="max", smp=1, memory=f"{gib}G", icount=False
    )
    machine.command += ["-icount", "shift=0,sleep=off"]
    with machine:
        said = machine.expect(r"first instruction at tick 0x(\w{8})\s+(?:\(d1\) )?(\w{8})", timeout=120)
        return int(said.group(1) + said.group(2), 16)


def test_cost_per_gib():
    smallest = first_instruction(2)
    assert 1_000_000 < smallest < 100_000_000  # it does count instructions
    for gib in (16, 64, 512):
        assert (first_instruction(gib) - smallest) / (gib - 2) <= PER_GIB
