"""Devices of the machine given to domains by a partial device tree (Xen's passthrough binding)."""
import hashlib
import os
import re

import pytest

from machine import BUILD, GIC, INITRD_DEVICES, ROOT, Domain, Machine

# The whole PCI host bridge of QEMU's machine.
BRIDGE = (ROOT / "dts/pci-bridge.dts").read_text(encoding="ascii")
MIB = 1 << 20
# Beside the distributor: the ITS, or the hypervisor's control interface and the GICv2m frame.
MORE_OF_GIC = [0x8080000] if GIC == "3" else [0x8030000, 0x8020000]

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


# A device with the interrupt that a guest's console has elsewhere, SPI 0.
GPIO = """
            gpio@9030000 {
                reg = <0 0x9030000 0 0x1000>;
                interrupt-parent = <&gic>;
                interrupts = <0 0 4>;
                xen,path = "/gpio-of-spi0@9030000";
                xen,reg = <0 0x9030000 0 0x1000 0 0x9030000>;
                xen,force-assign-without-iommu;
            };
"""
HOST_GPIO = "gpio-of-spi0@9030000 { reg = <0 0x9030000 0 0x1000>; interrupts = <0 0 4>; };"


@pytest.mark.gicv2
def test_a_clock_and_its_interrupt():
    """Registers, interrupt and alias of a plain device; again after the guest's reboot. The console makes room."""
    devices = RTC.replace("rtc@9010000 {", GPIO.lstrip() + "rtc@9010000 {", 1)
    domains = [Domain("domU1", devices=devices), Domain("domU2", properties={"passthrough": '"enabled"'})]
    with Machine("passthrough-rtc", domains, root=HOST_GPIO) as machine:
        domain = machine.domain(1)
        for _ in range(2):
            machine.expect("d1: domU1: SPI 0 is a device's, the console has 1")
            domain.wait_up()
            assert re.search(r"[1-9]\d* +(?:GICv3|GIC-0) +33 .*uart", domain.run("grep uart /proc/interrupts"))
            assert domain.run("cat /sys/class/rtc/rtc0/name") == "rtc-pl031 9010000.rtc"
            assert domain.run("cat /proc/device-tree/aliases/rtc0 | tr -d '\\0'") == "/passthrough/rtc@9010000"
            assert not domain.run("ls /proc/device-tree/passthrough/rtc@9010000 | grep xen, || true")
            before = int(domain.run("cat /sys/class/rtc/rtc0/since_epoch"))
            domain.run("echo 0 > /sys/class/rtc/rtc0/wakealarm")
            domain.run(f"echo {before + 3} > /sys/class/rtc/rtc0/wakealarm")
            domain.run("while ! grep -q '[1-9] .*rtc-pl031' /proc/interrupts; do usleep 100000; done", timeout=60)
            domain.type("reboot -f")
            machine.expect(r"d1: domU1: reboots")


# --- PCI ---


def scratch(name):
    directory = BUILD / "tests" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def disk(name, mib, slot=2):
    """QEMU's options for an nvme disk of that size, half of it written, and the written half's MD5 sum."""
    path = scratch(name) / f"disk-{slot}.img"
    digest, block = hashlib.md5(), os.urandom(MIB)
    with open(path, "wb") as file:
        for n in range(mib // 2):
            data = n.to_bytes(8, "little") + block[8:]
            digest.update(data)
            file.write(data)
        file.truncate(mib * MIB)
    options = ["-drive", f"if=none,id=nvme{slot},format=raw,file={path}"]
    return options + ["-device", f"nvme,drive=nvme{slot},serial=holdfast,addr={slot:x}"], digest.hexdigest()


def network(name, device="e1000e,addr=3"):
    """QEMU's options for a card on its user network, where a file can be had by TFTP, and its MD5 sum."""
    data = os.urandom(MIB)
    (scratch(name) / "file").write_bytes(data)
    options = ["-netdev", f"user,id=net,tftp={scratch(name)}", "-device", f"{device},netdev=net"]
    return options, hashlib.md5(data).hexdigest()


def copy_disk(domain, mib, md5):
    """Reads the written half, copies it to the other, and reads that one back from the disk."""
    half = mib // 2
    drop = "sync; echo 3 > /proc/sys/vm/drop_caches"
    domain.run(f"dd if=/dev/nvme0n1 of=/dev/nvme0n1 bs=1M count={half} seek={half} conv=notrunc; {drop}", timeout=240)
    assert md5 in domain.run(f"dd if=/dev/nvme0n1 bs=1M skip={half} count={half} | md5sum", timeout=240)


def fetch(domain, md5):
    domain.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; sleep 3", timeout=60)
    assert md5 in domain.run("cd /tmp; tftp -b 1428 -g -r file 10.0.2.2; md5sum file", timeout=120)


def with_bridge(name, **more):
    return Domain(name, memory_mib=512, ramdisk=INITRD_DEVICES, devices=BRIDGE, **more)


def test_a_whole_bridge():
    """An nvme disk, 256 MiB read and written, and a network card, both by DMA through the SMMU."""
    disk_options, disk_md5 = disk("passthrough-bridge", 512)
    net_options, net_md5 = network("passthrough-bridge")
    domains = [with_bridge("domU1", cpus=2), Domain("domU2")]
    with Machine("passthrough-bridge", domains, options=disk_options + net_options) as machine:
        domain = machine.domain(1)
        domain.wait_up(timeout=120)
        copy_disk(domain, 512, disk_md5)
        fetch(domain, net_md5)
        assert re.search(r": +[1-9].* nvme", domain.run("cat /proc/interrupts"))
    with open(scratch("passthrough-bridge") / "disk-2.img", "rb") as file:
        file.seek(256 * MIB)
        assert hashlib.md5(file.read()).hexdigest() == disk_md5


def test_reboots_with_its_devices():
    """Ten times, each while the disk is at work: the domain dies in the middle of DMA."""
    options, md5 = disk("passthrough-reboots", 16)
    with Machine("passthrough-reboots", [with_bridge("domU1")], options=options) as machine:
        domain = machine.domain(1)
        for _ in range(10):
            domain.wait_up(timeout=120)
            assert md5 in domain.run("dd if=/dev/nvme0n1 bs=1M count=8 | md5sum", timeout=60)
            domain.type("while dd if=/dev/nvme0n1 of=/dev/null bs=1M iflag=direct; do :; done 2>/dev/null & sleep 0.3; echo b > /proc/sysrq-trigger")
            machine.expect("d1: domU1: reboots", timeout=60)
        domain.wait_up(timeout=120)
        copy_disk(domain, 16, md5)


def test_no_smmu():
    """The domains with the bridge and with a function are refused by name; the other one runs."""
    line = r"error: /chosen/domU1/device-tree: /passthrough/pcie@10000000: xen,path: expected [^\n]*IOMMU[^\n]*; domain not started"
    single = r"error: /chosen/domU3: holdfast,pci-functions: 0000:00:02.0: expected [^\n]*IOMMU[^\n]*; domain not started"
    domains = [with_bridge("domU1"), Domain("domU2", properties={"passthrough": '"disabled"'})]
    domains += [with_functions("domU3", "0000:00:02.0")]
    options = ["-device", "edu,addr=2"]
    with Machine("passthrough-no-smmu", domains, machine="", options=options) as machine:
        machine.expect(line, timeout=60)
        machine.expect(single, timeout=60)
        machine.domain(2).wait_up()


def test_enabled_without_smmu():
    line = r"error: /chosen/domU1: passthrough: expected an IOMMU that translates stage 2 \(SMMUv3\)"
    domains = [Domain("domU1", properties={"passthrough": '"enabled"'}), Domain("domU2")]
    with Machine("passthrough-enabled", domains, machine="") as machine:
        machine.expect(line, timeout=60)
        machine.domain(2).wait_up()


def with_functions(name, *functions, **more):
    names = ", ".join(f'"{function}"' for function in functions)
    return Domain(name, ramdisk=INITRD_DEVICES, properties={"holdfast,pci-functions": names}, **more)


def test_single_functions():
    """Two guests with devices of their own, all at work; neither sees the other's, also after a reboot. A network
    card behind bridges that nobody has set up shares its interrupt with a disk of the same guest."""
    disk_options, disk_md5 = disk("passthrough-functions", 32)
    more_options, more_md5 = disk("passthrough-functions", 8, slot=8)
    net_options, net_md5 = network("passthrough-functions", "igb,bus=down")
    switch = ["-device", "pcie-root-port,id=rp,addr=4,chassis=1", "-device", "x3130-upstream,id=up,bus=rp"]
    switch += ["-device", "xio3130-downstream,id=down,bus=up,chassis=2"]
    domains = [with_functions("domU1", "0000:00:02.0"), with_functions("domU2", "0000:03:00.0", "0000:00:08.0")]
    options = disk_options + more_options + switch + net_options
    with Machine("passthrough-functions", domains, options=options) as machine:
        first, second = machine.domain(1), machine.domain(2)
        machine.expect_all([f"guest {d.name}: userspace up" for d in (first, second)], timeout=120)
        first.run("while dd if=/dev/nvme0n1 of=/dev/null bs=1M iflag=direct; do :; done 2>/dev/null & true")
        fetch(second, net_md5)
        assert more_md5 in second.run("dd if=/dev/nvme0n1 bs=1M count=4 | md5sum", timeout=120)
        assert re.search(r"(?:GICv3|GIC-0) .*(nvme.*eth|eth.*nvme)", second.run("cat /proc/interrupts"))
        first.run("kill %1; wait; true")
        copy_disk(first, 32, disk_md5)
        for domain, ids, devices in ((first, "0x1b36:0x0010", 1), (second, "0x8086:0x10c9", 2)):
            assert domain.run("ls /sys/bus/pci/devices").split() == [f"0000:00:{n:02}.0" for n in range(devices)]
            at = "/sys/bus/pci/devices/0000:00:00.0"
            assert domain.run(f"echo $(cat {at}/vendor):$(cat {at}/device)") == ids
            assert domain.run("grep -c -i msi /proc/interrupts || true") == "0"
        first.type("reboot -f")
        machine.expect("d1: domU1: reboots", timeout=60)
        first.wait_up(timeout=120)
        assert disk_md5 in first.run("dd if=/dev/nvme0n1 bs=1M count=16 | md5sum", timeout=120)
        second.run("rm /tmp/file")
        fetch(second, net_md5)


def test_functions_that_cannot_be_had():
    """Each mistake costs its domain, with a line that names it; the good ones run."""
    options = [word for n in (2, 3, 6, 10) for word in ("-device", f"edu,addr={n:x}")]
    options += ["-device", "pcie-root-port,id=rp1,addr=4", "-device", "edu,bus=rp1"]
    options += ["-device", "pcie-pci-bridge,id=br,addr=8", "-device", "edu,bus=br,addr=1"]
    wrong = [
        ("0000:00:02.0", "0000:00:02.0: expected a PCI function nobody else has, domain domU0 was given it"),
        ("0000:00:0a.0", "0000:00:0a.0: expected an interrupt nobody else has, domain domU0 was given it"),
        ("0000:00:05.0", "0000:00:05.0: expected a PCI function that is there"),
        ("0000:00:04.0", "0000:00:04.0: expected a device, got a bridge"),
        ("0000:02:01.0", "0000:02:01.0: expected a device behind PCI Express alone: one behind a PCI bridge goes only with"),
        ("0001:00:02.0", "0001:00:02.0: expected a PCI segment that is there, got 0001"),
        ("00:02.0", 'expected segment:bus:device.function like 0000:00:02.0, got "00:02.0"'),
        ("0000:00:20.0", 'expected segment:bus:device.function like 0000:00:02.0, got "0000:00:20.0"'),
        ("0000:00:02.0x", 'expected segment:bus:device.function like 0000:00:02.0, got "0000:00:02.0x"'),
    ]
    # Two of one domain may share a line.
    domains = [with_functions("domU0", "0000:00:02.0", "0000:00:06.0", memory_mib=128)]
    domains += [with_functions(f"wrong{n}", bdf, memory_mib=128) for n, (bdf, _) in enumerate(wrong)]
    domains += [Domain("bridge", memory_mib=128, devices=BRIDGE), Domain("plain", memory_mib=128)]
    disabled = with_functions("disabled", "0000:00:03.0", memory_mib=128)
    disabled.properties["passthrough"] = '"disabled"'
    domains.append(disabled)
    with Machine("passthrough-wrong-functions", domains, options=options) as machine:
        machine.expect(r"2 of \d+ domains started", timeout=120)
        log = machine.log()
        for n, (_, line) in enumerate(wrong):
            assert f"error: /chosen/wrong{n}: holdfast,pci-functions: {line}" in log
        # Its configuration space is Holdfast's since the first function was given.
        assert "error: /chosen/bridge/device-tree: /passthrough/pcie@10000000: xen,reg: expected registers that Holdfast" in log
        assert "error: /chosen/disabled: holdfast,pci-functions: expected none, since the domain has passthrough" in log
        machine.expect_all([f"guest {name}: userspace up" for name in ("domU0", "plain")], timeout=120)
        assert len(machine.domain(1).run("ls /sys/bus/pci/devices").split()) == 2


def test_devices_that_cannot_be_had():
    """The same for partial device trees."""
    def rtc(*changes):
        text = RTC
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return text

    reg, path = "xen,reg = <0 0x9010000 0 0x1000 0 0x9010000>;", 'xen,path = "/pl031@9010000";'
    force = "xen,force-assign-without-iommu;"
    wrong = [
        (rtc(), "xen,reg: expected registers nobody else has, domain good was given it"),
        (rtc((force, ""), (path, "")), "xen,path: expected the path of a node in the machine's tree, got nothing"),
        (rtc((reg, "")), "xen,reg: expected the registers of the device, got nothing"),
        (rtc((path, 'xen,path = "/nothing";')), "xen,path: expected the path of a node in the machine's tree"),
        (rtc((reg, "xen,reg = <0 0x9010000 0 0x1000 0>;")), "xen,reg: malformed"),
        (rtc((reg, "xen,reg = <0 0x9010000 0 0x800 0 0x9010000>;")), "xen,reg: expected whole pages"),
        (rtc((reg, "xen,reg = <0 0x40000000 0 0x1000 0 0x9010000>;")), "xen,reg: expected registers, 0x40000000 is memory of the machine"),
        (rtc((reg, "xen,reg = <0 0x8000000 0 0x1000 0 0x9010000>;")), "xen,reg: expected registers that Holdfast does not need itself"),
        *(
            (rtc((reg, f"xen,reg = <0 {frame:#x} 0 0x1000 0 0x9010000>;")), "xen,reg: expected registers that Holdfast does not need itself")
            for frame in MORE_OF_GIC
        ),
        (rtc((reg, "xen,reg = <0 0x9000000 0 0x1000 0 0x9010000>;")), "xen,reg: expected registers that Holdfast does not need itself"),
        (rtc((reg, "xen,reg = <0 0x9050000 0 0x1000 0 0x9010000>;")), "xen,reg: expected registers that Holdfast does not need itself"),
        (rtc((reg, "xen,reg = <0 0x9030000 0 0x1000 0 0x3001000>;")), "xen,reg: expected a free place for the guest, 0x3001000 is not"),
        (rtc((reg, "xen,reg = <0 0x9030000 0 0x1000 0 0x40000000>;")), "xen,reg: expected a free place for the guest, 0x40000000 is not"),
        (rtc((reg, "xen,reg = <0 0x9030000 0xffffffff 0xfffff000 0 0x9010000>;")), "xen,reg: expected a range this machine can address"),
        (rtc((force, ""), ("/pl031@9010000", "/pl061@9030000"), (reg, "xen,reg = <0 0x9030000 0 0x1000 0 0x9030000>;")), "xen,path: expected a device behind an IOMMU"),
    ]  # fmt: skip
    domains = [Domain("good", memory_mib=128, devices=RTC)]
    domains += [Domain(f"wrong{n}", memory_mib=128, devices=tree) for n, (tree, _) in enumerate(wrong)]
    domains += [Domain("garbage", memory_mib=128, devices=INITRD_DEVICES)]
    with Machine("passthrough-wrong-trees", domains) as machine:
        machine.expect(r"1 of \d+ domains started", timeout=120)
        log = machine.log()
        for n, (_, line) in enumerate(wrong):
            assert f"error: /chosen/wrong{n}/device-tree: /passthrough/rtc@9010000: {line}" in log
        assert "error: /chosen/garbage/device-tree: reg: expected a device tree" in log
        machine.domain(1).wait_up(timeout=120)


@pytest.mark.xdist_group("nvme.img")
@pytest.mark.not_on(gicv2="the machine of make run", arm32="the machine of make run")
def test_make_run_with_devices():
    """PROFILE=passthrough: U-Boot leaves its devices at work; the disk and the card become domU1's."""
    domains = [Domain("domU1"), Domain("domU2")]
    machine = Machine("passthrough-run", domains)
    machine.command = ["make", "-s", "run", "PROFILE=passthrough"]
    with machine:
        machine.expect_all([f"guest {d.name}: userspace up" for d in domains], timeout=240)
        domain = machine.domain(1)
        assert domain.run("ls /dev/nvme0n1") == "/dev/nvme0n1"
        domain.run("ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; sleep 3; ping -c 1 10.0.2.2", timeout=90)
        for number in (1, 2):
            machine.domain(number).type("poweroff -f")
            machine.expect(f"d{number}: domU{number}: powered off", timeout=60)
        assert machine.wait_exit() == 0
