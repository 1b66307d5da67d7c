"""Guests that do what comes to their mind (tests/guests/fuzz), the first with a device that copies to and fro, beside
one that computes a checksum.

FUZZ_SEED=7,8 replays some, or tries others; every seed is in the log's command and in the image's
name. A guest that has wrecked itself all the same is ended, by itself or by its watchdog.
"""
import os
import re
import struct

import pytest

from machine import HARDWARE, Domain, Machine, with_parameters
from test_smmu import BRIDGE, EDU


def guest(name, seed, devices=None):
    path = with_parameters("fuzz", f"fuzz-{seed}", struct.pack("<QQ", seed, devices is not None))
    properties = {"on-reboot": '"destroy"'}
    return Domain(name, memory_mib=64, kernel=path, ramdisk=None, properties=properties, devices=devices)


SEEDS = [int(seed, 0) for seed in os.environ.get("FUZZ_SEED", "0x5EED1,0x5EED2").split(",")]


@pytest.mark.arm32
def test_nothing_reaches_the_neighbour():
    has_smmu = "smmu" in HARDWARE
    devices = [BRIDGE if has_smmu else None] + [None] * len(SEEDS)
    domains = [guest("neighbour", 0)] + [guest(f"fuzz{seed}", seed, devices[n]) for n, seed in enumerate(SEEDS)]
    options = EDU * has_smmu + ["-icount", "shift=6,sleep=off"]  # a slow machine: a copy takes a tenth of a second
    with Machine("fuzz", domains, smp=2, options=options, icount=False, hv_bootargs="audit-every=4096") as machine:
        ends = [rf"(?:\(d{n}\) [^\n]*fuzz: done|\(d{n}\) FAIL|d{n}: [^\n]*(?:watchdog of the domain|crashed))"
                for n in range(2, 2 + len(SEEDS))]
        machine.expect_all(ends + [r"\(d1\) neighbour: begins"], timeout=180)
        machine.focus(1)
        machine.send("x")
        machine.told(r"\(d1\) neighbour: [^\n]* checks")
        assert machine.wait_exit() == 0
        log = machine.log()
    checks = re.search(r"\(d1\) neighbour: well after (\d+) checks", log)
    assert checks and int(checks[1]) > 0
    assert not re.findall(r"\(d1\) FAIL.*|d1: .*crashed", log)
    assert "fuzz: 5000 operations" in log
    copies = re.findall(r"\(d2\) [^\n]*fuzz: \d+ operations[^\n]* (\d+) copies\n", log)
    assert copies and (int(copies[-1]) > 0) == has_smmu
