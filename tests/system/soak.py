#!/usr/bin/python3
"""Domains that come and go at random in one machine, for long: `make soak MIN=30 SEED=1`.

Three guests (tests/guests/calls) give memory back and get it again, share pages with each other, send events, let a
device copy, and end by themselves; from the host console they are restarted, destroyed, paused and audited, and
allocations fail. A fourth one computes a sum. In the end all memory is there again.
"""
import random
import re
import sys
import time

from machine import Domain, Machine, with_parameters
from test_smmu import EDU

NAMES = ("red", "green", "blue")


def guest(name, seed, peers, **more):
    path = with_parameters("calls", f"soak-{name}", seed.to_bytes(8, "little") + peers.to_bytes(8, "little"))
    return Domain(name, memory_mib=16, kernel=path, ramdisk=None, **more)


def domains(seed):
    """The fourth one, then the three, each of which maps the grants of the one before it."""
    found = [guest("watch", 0, 1)]
    for n, name in enumerate(NAMES):
        more = {"max_grant_version": "<2>", "passthrough": '"enabled"' if n else None}
        if n == 0:
            more["holdfast,pci-functions"] = '"0000:00:02.0"'
        peers = 2 + (n + 2) % 3 | 2 + (n + 1) % 3 << 8
        found.append(guest(name, seed * 4 + n + 1, peers, cpus=2, properties=more))
    return found


class Soak:
    """The machine while it runs; `rng` decides what is done to it."""

    def __init__(self, machine, seed):
        self.machine, self.rng = machine, random.Random(seed)
        machine.expect(r"4 of 4 domains started")
        machine.send("\r")  # the input is Holdfast's, and stays there
        self.free = self.empty()

    def order(self, *commands):
        """Commands, all of which are done; returns the free pages then, and what was said meanwhile."""
        for command in commands + ("memory",):
            self.machine.send(command + "\r")
        pages = self.machine.expect(r"memory: (\d+) of[^\n]*\n").group(1)
        return int(pages), self.machine._child.before.replace("\r", "")

    def empty(self, goal=None):
        """Destroys the three; returns the free pages once so many are free, or once it is clear that no more
        come: one that is just being built is not there either, and nothing is told of it for 100 ms."""
        last, same = None, 0
        for _ in range(200):
            free, said = self.order("fail 0", *(f"destroy {name}" for name in NAMES), "domains")
            self.machine.expect(r"\(d1\) calls: well")
            gone = set(re.findall(r"(\w+) does not live", said)) == set(NAMES)
            same = same + 1 if gone and free == last else 0
            if gone and free == goal or same == 25:
                break
            last = free
        return free

    def round(self, faults):
        """One thing at random, then the others work for a while."""
        one, other = self.rng.choice(NAMES), self.rng.choice(NAMES)
        things = [
            [f"restart {one}"],
            [f"restart {one}", f"restart {other}"],
            [f"destroy {one}", f"restart {other}"],
            [f"pause {one}", "audit", f"unpause {one}"],
            ["audit"],
        ]
        failures = [
            [f"fail {self.rng.randrange(1, 200)}", f"restart {one}"],
            [f"fail {self.rng.randrange(1, 100)} {one}"],
        ]
        self.order(*self.rng.choice(things + failures * faults))
        self.machine.expect(r"\(d1\) calls: well")
        self.order(*(f"restart {name}" for name in NAMES if self.rng.randrange(3) == 0))


def soak(name, seed, go_on, faults=True, **machine):
    """go_on(rounds) says whether there is another; returns how many there were, and the number of starts."""
    with Machine(name, domains(seed), smp=4, options=EDU, **machine) as m:
        run, rounds = Soak(m, seed), 0
        run.order(*(f"restart {name}" for name in NAMES))
        while go_on(rounds):
            run.round(faults)
            rounds += 1
        left = run.empty(run.free)
        assert left == run.free, f"seed {seed}, {rounds} rounds: {run.free - left} pages are lost"
        log = m.log()
    assert not re.findall(r"FAIL .*|BUG.*|panic.*", log)
    return rounds, len(re.findall(r"\(HF\) d[234]: \w+: started", log))


def main():
    minutes, seed = float(sys.argv[1]), int(sys.argv[2])
    end = time.monotonic() + 60 * minutes
    print(f"soak: seed {seed}", flush=True)
    rounds, starts = soak("soak", seed, lambda _: time.monotonic() < end, icount=False)
    print(f"soak: seed {seed}: {rounds} rounds, {starts} starts of domains, all pages back, nothing found")


if __name__ == "__main__":
    main()
