"""Guests that do what comes to their mind (tests/guests/fuzz) beside one that computes a checksum.

FUZZ_SEED=7,8 replays some, or tries others; every seed is in the log's command and in the image's
name. A guest that has wrecked itself all the same is ended, by itself or by its watchdog.
"""
import os
import re

from machine import Domain, Machine, with_parameters


def guest(name, seed):
    path = with_parameters("fuzz", f"fuzz-{seed}", seed.to_bytes(8, "little"))
    return Domain(name, memory_mib=64, kernel=path, ramdisk=None, properties={"on-reboot": '"destroy"'})


SEEDS = [int(seed, 0) for seed in os.environ.get("FUZZ_SEED", "0x5EED1,0x5EED2").split(",")]


def test_nothing_reaches_the_neighbour():
    domains = [guest("neighbour", 0)] + [guest(f"fuzz{seed}", seed) for seed in SEEDS]
    with Machine("fuzz", domains, smp=2, hv_bootargs="audit-every=4096") as machine:
        ends = [rf"(?:\(d{n}\) fuzz: done|\(d{n}\) FAIL|d{n}: [^\n]*(?:watchdog of the domain|crashed))"
                for n in range(2, 2 + len(SEEDS))]
        machine.expect_all(ends + [r"\(d1\) neighbour: (?:well|hurt)"], timeout=180)
        assert machine.wait_exit() == 0
        log = machine.log()
    assert "(d1) neighbour: well" in log
    assert not re.findall(r"\(d1\) FAIL.*|d1: .*crashed", log)
    assert "fuzz: 5000 operations" in log
