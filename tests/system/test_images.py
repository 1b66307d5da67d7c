"""What holdfast-image makes starts; tests/tools looks at everything else about it."""
import re
import subprocess

from machine import BUILD, HOLDFAST, ROOT, Machine, qemu_tree

CONFIG = f"""
memory: [0x40000000, 0xc0000000]
holdfast: {HOLDFAST}
device-tree: {{tree}}
bootargs: audit
domains:
  - {{{{name: one, kernel: {BUILD}/guests/evtchn.bin, memory: 16,
      source: 'left: evtchn@1 {{{{ compatible = "xen,evtchn-v1"; xen,evtchn = <10 &right>; }}}};'}}}}
  - {{{{name: two, kernel: {BUILD}/guests/evtchn.bin, memory: 16,
      source: 'right: evtchn@1 {{{{ compatible = "xen,evtchn-v1"; xen,evtchn = <20 &left>; }}}};'}}}}
"""


def test_fit_image():
    """U-Boot's bootm puts every part of it where the tree inside says."""
    folder = BUILD / "tests/fit"
    folder.mkdir(parents=True, exist_ok=True)
    hardware = ["-cpu", "cortex-a72", "-smp", "2", "-m", "2G", "-nic", "none", "-display", "none", "-monitor", "none"]
    source = folder / "board.dts"
    source.write_text(qemu_tree("virt,virtualization=on,gic-version=3,iommu=smmuv3", hardware))
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", folder / "board.dtb", source], check=True)
    (folder / "config").write_text(CONFIG.format(tree=folder / "board.dtb"))
    image = folder / "holdfast.itb"
    said = subprocess.run(
        [ROOT / "scripts/holdfast-image", folder / "config", "fit", image], check=True, capture_output=True, text=True
    ).stdout
    command, address = re.search(r"(bootm (\w+))$", said.strip()).groups()
    options = ["-device", f"loader,file={image},addr={address},force-raw=on"]
    with Machine("fit-boot", [], boot="u-boot", options=options, u_boot_commands=command + "\n") as machine:
        machine.expect(r"\(HF\) machine: 2 CPUs, 2048 MiB, \d+ MiB free, 1 SMMU\r*\n")
        for n, name in ((1, "one"), (2, "two")):
            machine.expect(rf"\(HF\)   d{n}   {name} +1 +16 MiB +0  vpl011\r*\n")
        machine.expect(r"\(HF\) 2 of 2 domains started")
        machine.expect_all([rf"\(d{n}\) port 0x{port:08x}" for n, port in ((1, 10), (2, 20))])
