"""Grants between two bare-metal domains (tests/guests/grants): each operation, each error, and the death
of either side while pages are mapped."""
import re

import pytest

from machine import GUESTS, ROOT, Domain, Machine

CLIENT_TESTS = set(
    re.findall(r"^GRANTS_TEST\((\w+)\)", (ROOT / "tests/guests/grants/client.c").read_text(), re.M)
)


ONLY_VERSION_2 = {"grants_version_is_kept_while_in_use", "grants_sub_page", "grants_transitive"}


def domain(name, version):
    properties = {"nr_spis": "<32>", "max_grant_version": f"<{version}>"}
    return Domain(name, memory_mib=64, kernel=GUESTS / "grants.bin", ramdisk=None, properties=properties)


@pytest.mark.parametrize("version", [1, pytest.param(2, marks=pytest.mark.arm32)])
def test_grants_between_two_domains(version):
    pairs = 'holdfast,allow-pairs = "server", "client";\n'
    domains = [domain(name, version) for name in ("server", "client", "stranger")]
    with Machine(f"grants-{version}", domains, smp=2, chosen=pairs) as machine:
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
