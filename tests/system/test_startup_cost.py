"""What it costs to start does not grow with the machine's memory: instructions from reset to the guest's
first one. One CPU, one instruction each nanosecond; a processor that has no instruction for clearing
memory, which would hide what is done."""
import pytest

from machine import GUESTS, Domain, Machine

# 400,000 is the promise. Clearing the page information of a GiB, 64 bytes at a time, takes 360,000.
PER_GIB = 10_000
TICK = 16  # instructions: the counter runs at 62.5 MHz


def first_instruction(gib):
    """How many instructions have run when the guest starts on a machine of that size."""
    domain = Domain("clock", memory_mib=16, kernel=GUESTS / "clock.bin", ramdisk=None)
    machine = Machine(
        f"startup-{gib}g", [domain], cpu="cortex-a72", smp=1, memory=f"{gib}G", icount=False
    )
    machine.command += ["-icount", "shift=0,sleep=off"]
    with machine:
        said = machine.expect(r"first instruction at tick 0x(\w{8})\s+(?:\(d1\) )?(\w{8})", timeout=120)
        return int(said.group(1) + said.group(2), 16) * TICK


@pytest.mark.not_on(arm32="of 64-bit machines, up to 512 GiB")
def test_cost_per_gib():
    smallest = first_instruction(2)
    assert 1_000_000 < smallest < 100_000_000  # it does count instructions
    for gib in (16, 64, 512):
        assert (first_instruction(gib) - smallest) / (gib - 2) <= PER_GIB
