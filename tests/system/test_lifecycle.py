"""Domains come and go; what they used comes back, to the page."""
import re

import pytest

from machine import GUESTS, VARIANT, Domain, Machine

ROUNDS = 100 if VARIANT else 1000


def bare(name, image):
    return Domain(name, memory_mib=16, kernel=GUESTS / image, ramdisk=None)


def free_pages_in_a_life(machine):
    """While the domain that resets itself is paused, between its start and its reset. A line is open."""
    while True:
        machine.send("pause reset\r")
        if "paused" in machine.expect(r"\(HF\) (?:d2: reset: paused|reset does not run)").group(0):
            machine.send("memory\r")
            pages = int(machine.expect(r"\(HF\) memory: (\d+) of \d+ pages free").group(1))
            machine.send("unpause reset\r")
            if "goes on" in machine.expect(r"\(HF\) (?:d2: reset: goes on|reset is not paused)").group(0):
                return pages


@pytest.mark.gicv2
@pytest.mark.arm32
def test_a_thousand_rounds():
    """A domain that resets itself at once is destroyed and built again; its neighbour stays. Late lives have
    exactly the memory of early ones."""
    domains = [bare("idle", "idle.bin"), bare("reset", "reset.bin")]
    with Machine("thousand-rounds", domains) as machine:
        machine.expect_all(["idle guest waits", r"\(HF\) d2: reset: reboots"])
        machine.send(":")
        early = free_pages_in_a_life(machine)
        for _ in range(ROUNDS):
            machine.expect(r"\(HF\) d2: reset: reboots")
        assert free_pages_in_a_life(machine) == early
        machine.send("audit idle\r")
        machine.expect(r"\(HF\) audit: d1: clean")
        log = machine.log()
    assert not re.search(r"\(HF\) (?:audit: d\d+: (?!clean)|warning: d\d|leak)", log)


@pytest.mark.gicv2
@pytest.mark.arm32
def test_ends_and_what_follows():
    """A crashing domain is restarted up to its limit, one that ends is kept, and its neighbour goes on;
    then the end of another is the machine's."""
    crashing = bare("crashing", "crash.bin")
    crashing.properties = {"on-crash": '"restart"', "restart-limit": "<2>"}
    kept = bare("kept", "raw.bin")
    kept.properties = {"on-poweroff": '"preserve"'}
    last = Domain("last", properties={"on-reboot": '"halt-machine"'})
    with Machine("ends", [bare("idle", "idle.bin"), crashing, kept, last]) as machine:
        machine.expect_all(
            [
                r"\(HF\) d2: crashing: was restarted 2 times already",
                r"\(HF\) d2: crashing: stays dead after its crash",
                r"\(HF\) d3: kept: ended, and is kept as it is",
            ]
        )
        machine.send("d")
        machine.expect(r"\(HF\) d1: idle: running")
        machine.expect(r"\(HF\) d3: kept: dying")
        console = machine.domain(4)
        console.wait_up(timeout=120)
        console.type("reboot -f\n")
        machine.expect(r"\(HF\) d4: last: its end is the machine's: powering off")
        assert machine.wait_exit() == 0
    assert len(re.findall(r"\(HF\) d2: crashing: is restarted", machine.log())) == 2


def test_each_life_starts_from_the_original():
    """A guest destroys all of its memory before it resets itself, and finds its image whole again and the
    rest zero; the other CPU clears what is free meanwhile."""
    with Machine("scribble", [bare("scribble", "scribble.bin"), bare("idle", "idle.bin")]) as machine:
        for _ in range(5):
            machine.expect("image intact")
            machine.expect("memory zero")
            machine.expect(r"\(HF\) d1: scribble: reboots")
        log = machine.log()
    assert "image changed" not in log and "memory not zero" not in log


def test_a_domain_watchdog():
    """A guest that does not set its watchdog again is started anew, once; the second time it stays dead."""
    watched = bare("watched", "watchdog.bin")
    watched.properties = {"on-watchdog": '"restart"', "restart-limit": "<1>"}
    with Machine("watchdog", [watched, bare("idle", "idle.bin")]) as machine:
        for end in (r"d1: watched: is restarted", r"d1: watched: stays dead after its watchdog fired"):
            machine.expect(r"\(d1\) 00000001")
            machine.expect(r"\(HF\) d1: watched: a watchdog of the domain fired")
            machine.expect(r"\(HF\) " + end)
        # Nobody wants the CPUs any more: what the dead had is cleared.
        dirty = None
        while dirty != "0":
            machine.send("m")
            cleared, dirty = machine.expect(r"(\d+) cleared, (\d+) to be cleared").groups()
    assert int(cleared) >= 4096
