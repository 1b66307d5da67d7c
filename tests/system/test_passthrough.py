"""Devices of the machine given to domains by a partial device tree (Xen's passthrough binding)."""
import hashlib
import os

from machine import BUILD, ROOT, Domain, Machine

# The whole PCI host bridge of QEMU's machine.
BRIDGE = (ROOT / "dts/pci-bridge.dts").read_text(encoding="ascii")
INITRD_DEVICES = BUILD / "images/initrd-devices.gz"
MIB = 1 << 20

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


# --- PCI ---


def scratch(name):
    directory = BUILD / "tests" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def disk(name, mib):
    """QEMU's options for an nvme disk of that size, half of it written, and the written half's MD5 sum."""
    path = scratch(name) / "disk.img"
    digest, block = hashlib.md5(), os.urandom(MIB)
    with open(path, "wb") as file:
        for n in range(mib // 2):
            data = n.to_bytes(8, "little") + block[8:]
            digest.update(data)
            file.write(data)
        file.truncate(mib * MIB)
    options = ["-drive", f"if=none,id=nvme,format=raw,file={path}"]
    return options + ["-device", "nvme,drive=nvme,serial=holdfast,addr=2"], digest.hexdigest()


def network(name, kind="e1000e"):
    """QEMU's options for a card on its user network, where a file can be had by TFTP, and its MD5 sum."""
    data = os.urandom(MIB)
    (scratch(name) / "file").write_bytes(data)
    options = ["-netdev", f"user,id=net,tftp={scratch(name)}", "-device", f"{kind},netdev=net,addr=3"]
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
        assert "nvme" in domain.run("cat /proc/interrupts")
    with open(scratch("passthrough-bridge") / "disk.img", "rb") as file:
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
    """The domain with the bridge is refused by name; the other one runs. Stage 1 only is no better."""
    line = r"error: /chosen/domU1/device-tree: /passthrough/pcie@10000000: xen,path: expected [^\n]*IOMMU[^\n]*; domain not started"
    domains = [with_bridge("domU1"), Domain("domU2", properties={"passthrough": '"disabled"'})]
    with Machine("passthrough-no-smmu", domains, machine="") as machine:
        machine.expect(line, timeout=60)
        machine.domain(2).wait_up()


def test_enabled_without_smmu():
    line = r"error: /chosen/domU1: passthrough: expected an IOMMU that translates stage 2 \(SMMUv3\)"
    domains = [Domain("domU1", properties={"passthrough": '"enabled"'}), Domain("domU2")]
    with Machine("passthrough-enabled", domains, machine="") as machine:
        machine.expect(line, timeout=60)
        machine.domain(2).wait_up()
