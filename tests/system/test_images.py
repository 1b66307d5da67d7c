"""What holdfast-image makes starts; tests/tools looks at everything else about it."""
import re
import subprocess

import pytest

from machine import ARM32, BUILD, GIC, GUESTS, HOLDFAST, ROOT, Machine, qemu_tree

CONFIG = f"""
memory: [0x40000000, 0xc0000000]
holdfast: {{holdfast}}
device-tree: {{tree}}
bootargs: audit
domains:
  - {{{{name: one, kernel: {GUESTS}/evtchn.bin, memory: 16,
      source: 'left: evtchn@1 {{{{ compatible = "xen,evtchn-v1"; xen,evtchn = <10 &right>; }}}};'}}}}
  - {{{{name: two, kernel: {GUESTS}/evtchn.bin, memory: 16,
      source: 'right: evtchn@1 {{{{ compatible = "xen,evtchn-v1"; xen,evtchn = <20 &left>; }}}};'}}}}
"""


def make_fit(name, cpu, machine, config, **words):
    """(U-Boot's command that starts it, QEMU's options that load it)"""
    folder = BUILD / "tests" / name
    folder.mkdir(parents=True, exist_ok=True)
    hardware = ["-cpu", cpu, "-smp", "2", "-m", "2G", "-nic", "none", "-display", "none", "-monitor", "none"]
    source = folder / "board.dts"
    source.write_text(qemu_tree(f"virt,virtualization=on,{machine}", hardware))
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", folder / "board.dtb", source], check=True)
    (folder / "config").write_text(config.format(tree=folder / "board.dtb", **words))
    image = folder / "holdfast.itb"
    said = subprocess.run(
        [ROOT / "scripts/holdfast-image", folder / "config", "fit", image], check=True, capture_output=True, text=True
    ).stdout
    command, address = re.search(r"(bootm (\w+))$", said.strip()).groups()
    return command + "\n", ["-device", f"loader,file={image},addr={address},force-raw=on"]


@pytest.mark.not_on(arm32="a 64-bit machine; test_fit_image_for_arm32 is this one")
def test_fit_image():
    """U-Boot's bootm puts every part of it where the tree inside says."""
    command, options = make_fit("fit", "cortex-a72", f"gic-version={GIC},iommu=smmuv3", CONFIG, holdfast=HOLDFAST)
    with Machine("fit-boot", [], boot="u-boot", options=options, u_boot_commands=command) as machine:
        machine.expect(r"\(HF\) machine: 2 CPUs, 2048 MiB, \d+ MiB free, 1 SMMU\r*\n")
        for n, name in ((1, "one"), (2, "two")):
            machine.expect(rf"\(HF\)   d{n}   {name} +1 +16 MiB +0  vpl011\r*\n")
        machine.expect(r"\(HF\) 2 of 2 domains started")
        machine.expect_all([rf"\(d{n}\) port 0x{port:08x}" for n, port in ((1, 10), (2, 20))])


CONFIG32 = f"""
memory: [0x40000000, 0xc0000000]
holdfast: {{holdfast}}
device-tree: {{tree}}
bootargs: audit
domains:
  - {{{{name: one, kernel: {BUILD}/guests/a32/zimage.bin, memory: 16}}}}
"""


@pytest.mark.not_on(gicv2="a 32-bit machine")
def test_fit_image_for_arm32():
    machine = "gic-version=2,highmem-ecam=off"
    command, options = make_fit("fit32", "cortex-a15", machine, CONFIG32, holdfast=ARM32["holdfast"])
    with Machine("fit32-boot", [], boot="u-boot", options=options, u_boot_commands=command, **ARM32) as machine:
        machine.expect(r"\(HF\) 1 of 1 domains started")
        machine.expect(r"\(d1\) zImage runs")
        assert machine.wait_exit() == 0


TFTP = f"""
memory: [0x40000000, 0xc0000000]
holdfast: {HOLDFAST}
bootargs: audit
domains:
  - {{name: one, kernel: {GUESTS}/raw.bin, memory: 16}}
"""


def test_tftp_folder():
    """U-Boot gets everything by the network, and writes the domain into its own tree."""
    config, folder = BUILD / "tests/tftp.yaml", BUILD / "tests/tftp"
    config.write_text(TFTP)
    done = subprocess.run(
        [ROOT / "scripts/holdfast-image", config, "tftp", folder], check=True, capture_output=True, text=True
    )
    commands = re.search(r"in U-Boot: (.*)$", done.stdout.strip())[1]
    options = ["-netdev", f"user,id=net,tftp={folder}", "-device", "virtio-net-pci,netdev=net"]
    commands = f"setenv autoload no\ndhcp\n{commands}\n"
    with Machine("tftp-boot", [], boot="u-boot", options=options, u_boot_commands=commands) as machine:
        machine.expect(r"\(HF\) 1 of 1 domains started")
        machine.expect(r"\(d1\) raw binary runs")
        assert machine.wait_exit() == 0
