"""Grants between two bare-metal domains (tests/guests/grants): each operation, each error, and the death
of either side while pages are mapped."""
import re

import pytest

from machine import ARM32, BUILD, ROOT, Domain, Machine

IMAGES = {64: BUILD / "guests/grants.bin", 32: BUILD / "guests/a32/grants.bin"}
CLIENT_TESTS = set(
    re.findall(r"^GRANTS_TEST\((\w+)\)", (ROOT / "tests/guests/grants/client.c").read_text(), re.M)
)


ONLY_VERSION_2 = {"grants_version_is_kept_while_in_use", "grants_sub_page", "grants_transitive"}


def domain(name, version, image=IMAGES[64]):
    properties = {"nr_spis": "<32>", "max_grant_version": f"<{version}>"}
    return Domain(name, memory_mib=64, kernel=image, ramdisk=None, properties=properties)


@pytest.mark.parametrize("version, bits", [(1, 64), (2, 64), pytest.param(2, 32, marks=pytest.mark.not_on(gicv2="a 32-bit machine"))])
def test_grants_between_two_domains(version, bits):
    pairs = 'holdfast,allow-pairs = "server", "client";\n'
    domains = [domain(name, version, IMAGES[bits]) for name in ("server", "client", "stranger")]
    hardware = ARM32 if bits == 32 else {}
    with Machine(f"grants-{version}-{bits}", domains, smp=2, chosen=pairs, **hardware) as machine:
        machine.expect(r"\(d2\) mapper dies", timeout=120)
        machine.expect("d2: client: reboots", timeout=60)
        held = "d1: server: some of its pages are held by others"
        machine.expect_all([r"\(d2\) DONE passed", held], timeout=120)
        machine.expect("d1: server: the last of its pages came back", timeout=60)
        log = machine.log()
    assert not re.findall(r"FAIL .*", log)
    passed = set(re.findall(r"\(d2\) PASS (\w+)", log))
    assert passed == CLIENT_TESTS - (ONLY_VERSION_2 if version == 1 else set())
    assert "(d1) PASS grants_server" in log
