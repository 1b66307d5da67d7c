"""Devices of the machine given to domains by a partial device tree (Xen's passthrough binding)."""
import re

import pytest

from machine import Domain, Machine

# The machine's real-time clock: 4 KiB of registers and a level interrupt, no DMA.
RTC = """
    /dts-v1/;
    / {
        #address-cells = <2>;
        #size-cells = <2>;
        gic: gic { #interrupt-cells = <3>; interrupt-controller; };
        aliases { rtc0 = "/passthrough/rtc@9010000"; };
        passthrough {
            compatible = "simple-bus";
            ranges;
            #address-cells = <2>;
            #size-cells = <2>;
            clock: clock {
                compatible = "fixed-clock";
                #clock-cells = <0>;
                clock-frequency = <24000000>;
            };
            rtc@9010000 {
                compatible = "arm,pl031", "arm,primecell";
                reg = <0 0x9010000 0 0x1000>;
                interrupt-parent = <&gic>;
                interrupts = <0 2 4>;
                clocks = <&clock>;
                clock-names = "apb_pclk";
                xen,path = "/pl031@9010000";
                xen,reg = <0 0x9010000 0 0x1000 0 0x9010000>;
                xen,force-assign-without-iommu;
            };
        };
    };
"""


def test_a_clock_and_its_interrupt():
    """Registers, interrupt and alias of a plain device; again after the guest's reboot."""
    with Machine("passthrough-rtc", [Domain("domU1", devices=RTC), Domain("domU2")]) as machine:
        domain = machine.domain(1)
        for _ in range(2):
            domain.wait_up()
            assert domain.run("cat /sys/class/rtc/rtc0/name") == "rtc-pl031 9010000.rtc"
            assert domain.run("cat /proc/device-tree/aliases/rtc0 | tr -d '\\0'") == "/passthrough/rtc@9010000"
            assert not domain.run("ls /proc/device-tree/passthrough/rtc@9010000 | grep xen, || true")
            before = int(domain.run("cat /sys/class/rtc/rtc0/since_epoch"))
            domain.run(f"echo {before + 3} > /sys/class/rtc/rtc0/wakealarm")
            domain.run("while ! grep -q '[1-9] .*rtc-pl031' /proc/interrupts; do usleep 100000; done", timeout=60)
            domain.type("reboot -f")
            machine.expect(r"d1: domU1: reboots")
