"""Guests that do what comes to their mind (tests/guests/fuzz) beside one that computes a checksum.

FUZZ_SEED= replays one, or tries another; every seed is in the log's command and in the image's name.
"""
import os
import re

import pytest

from machine import BUILD, Domain, Machine

SEED_AT = 40


def guest(name, seed):
    image = bytearray((BUILD / "guests/fuzz.bin").read_bytes())
    image[SEED_AT : SEED_AT + 8] = seed.to_bytes(8, "little")
    path = BUILD / f"tests/fuzz-{seed}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(image)
    return Domain(name, memory_mib=64, kernel=path, ramdisk=None, properties={"on-reboot": '"destroy"'})


SEEDS = [int(os.environ["FUZZ_SEED"], 0)] if "FUZZ_SEED" in os.environ else [0x5EED1, 0x5EED2]


def test_nothing_reaches_the_neighbour():
    domains = [guest("neighbour", 0)] + [guest(f"fuzz{seed}", seed) for seed in SEEDS]
    with Machine("fuzz", domains, smp=2, hv_bootargs="audit-every=4096") as machine:
        done = [rf"\(d{n + 2}\) fuzz: done" for n in range(len(SEEDS))]
        machine.expect_all(done + [r"\(d1\) neighbour: well"], timeout=180)
        assert machine.wait_exit() == 0
        log = machine.log()
    assert not re.findall(r"FAIL .*|crashed", log)
