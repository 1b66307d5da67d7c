"""Two stock Linux domains talk through a granted page and an event channel, with Debian's modules."""
import re

import pytest

from machine import INITRD_PEERS, Domain, Machine

MESSAGES = 200


@pytest.mark.gicv2
def test_two_linux_domains_talk():
    domains = [
        Domain(name, ramdisk=INITRD_PEERS, properties={"xen,enhanced": True}) for name in ("domU1", "domU2")
    ]
    pairs = 'holdfast,allow-pairs = "domU1", "domU2";\n'
    with Machine("peers", domains, chosen=pairs) as machine:
        machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=120)
        first, second = machine.domain(1), machine.domain(2)
        for life in range(2):
            first.run("{ peers offer 2 >/tmp/offer 2>&1 & }")
            ref, port = re.search(
                r"offered (\d+) (\d+)", first.run("until grep offered /tmp/offer; do sleep 1; done")
            ).groups()
            assert second.run(f"peers use 1 {ref} {port} {MESSAGES}", timeout=120) == (
                f"exchanged {MESSAGES}"
            )
            assert f"answered {MESSAGES + 1}" in first.run("wait; cat /tmp/offer")
            machine.focus(0)
            machine.send("a")
            machine.expect_all([f"audit: d{n}: clean" for n in (1, 2)], timeout=60)
            if not life:  # the one that maps comes back, and maps again
                second.type("reboot\n")
                second.wait_up(timeout=120)
        for domain in (first, second):
            domain.type("poweroff\n")
        machine.expect("all domains are gone", timeout=60)
