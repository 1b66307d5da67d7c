"""holdfast-dt: what it makes of the trees of QEMU's machine and of boards, and what it refuses."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
QEMU = ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3,iommu=smmuv3,dtb-randomness=off,dumpdtb={}",
        "-cpu", "cortex-a72", "-smp", "2", "-m", "1G", "-nic", "none", "-display", "none"]  # fmt: skip

BOARD = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;
    memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x40000000>; };
    gic: gic@100000 { compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller; reg = <0 0x100000 0 0x10000>; };
    smmu: iommu@200000 { compatible = "arm,smmu-v3"; #iommu-cells = <1>; reg = <0 0x200000 0 0x20000>; };
    clock: fixed { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <1000>; };
    pll: pll { compatible = "vendor,pll"; #clock-cells = <1>; };
    aliases { net = "/soc/ethernet@1000"; };
    chosen { stdout-path = "/soc/uart@9000:115200"; domU9 { compatible = "xen,domain"; holdfast,pci-functions = "0001:01:00.0"; }; };
    soc {
        compatible = "simple-bus"; #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0x50000000 0x100000>;
        ethernet@1000 { compatible = "vendor,mac"; reg = <0x1000 0x800>, <0x20000 0x4000>; interrupts = <0 20 4>, <0 21 1>;
            iommus = <&smmu 7>; phy-handle = <&phy>; clocks = <&clock>; clock-names = "bus"; phy-supply = <&pll>; dma-coherent;
            mdio { #address-cells = <1>; #size-cells = <0>; phy: phy@3 { reg = <3>; }; };
        };
        uart@9000 { reg = <0x9000 0x1000>; interrupts = <0 1 4>; };
        dma@2000 { reg = <0x2000 0x1000>; interrupts = <0 30 4>; iommus = <&smmu 8>; clocks = <&pll 1>; };
        twin@3000 { reg = <0x3000 0x1000>; interrupts = <0 31 4>; iommus = <&smmu 8>; };
        line@4000 { reg = <0x4000 0x1000>; interrupts = <0 32 4>; iommus = <&smmu 9>; };
        other@5000 { reg = <0x5000 0x1000>; interrupts = <0 32 4>; };
        half@6000 { reg = <0x6000 0x100>; iommus = <&smmu 10>; };
        rest@6800 { reg = <0x6800 0x100>; };
        private@7000 { reg = <0x7000 0x1000>; interrupts = <1 7 4>; iommus = <&smmu 11>; };
        off@8000 { reg = <0x8000 0x1000>; iommus = <&smmu 12>; status = "disabled"; };
        plain@a000 { reg = <0xa000 0x1000>; interrupts-extended = <&gic 0 33 4>; };
        button { gpios = <1>; };
        two@b000 { reg = <0xb000 0x1000>; iommus = <&smmu 13>; interrupts-extended = <&pll 0>; };
    };
    bus { #address-cells = <1>; #size-cells = <1>; hidden@0 { reg = <0 0x1000>; iommus = <&smmu 14>; }; };
    pcie@60000000 {
        compatible = "pci-host-ecam-generic"; device_type = "pci"; #address-cells = <3>; #size-cells = <2>; #interrupt-cells = <1>;
        reg = <0 0x60000000 0 0x1000000>; bus-range = <0 15>; linux,pci-domain = <1>;
        ranges = <0x02000000 0 0x70000000 0 0x70000000 0 0x1000000>; iommu-map = <0x100 &smmu 0x1000 0x100>;
        interrupt-map-mask = <0 0 0 7>; interrupt-map = <0 0 0 1 &gic 0 40 4>;
    };
};
"""


@pytest.fixture(scope="session")
def qemu(tmp_path_factory):
    path = tmp_path_factory.mktemp("qemu") / "board.dtb"
    subprocess.run([word.format(path) for word in QEMU], check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def board(tmp_path_factory):
    path = tmp_path_factory.mktemp("board") / "board.dtb"
    path.with_suffix(".dts").write_text(BOARD)
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", path, path.with_suffix(".dts")], check=True)
    return path


def holdfast_dt(tree, *options, to="domU1"):
    return subprocess.run([ROOT / "scripts/holdfast-dt", tree, "--to", to, *options], capture_output=True, text=True)


def made(*arguments, **more):
    done = holdfast_dt(*arguments, **more)
    assert done.returncode == 0, done.stderr
    return done


def properties(source, node):
    """{name: value} of a node in device tree source, its children left out."""
    body = re.search(rf"\n\s*{re.escape(node)} {{\n(.*?)\n\s*[\w@]* ?[{{}}]", source, re.S).group(1)
    return dict(re.findall(r"^\s*([\w,#-]+)(?: = (.*))?;$", body, re.M))


def test_a_device_with_everything(board):
    """Through its bus's ranges; at another place since the guest's RAM is there; its PHY and clock go with it."""
    done = made(board, "--path", "net")
    mac = properties(done.stdout, "ethernet@23000000")
    assert mac["reg"] == "<0x0 0x23000000 0x0 0x800 0x0 0x23004000 0x0 0x4000>"
    assert mac["xen,reg"] == ("<0x0 0x50001000 0x0 0x1000 0x0 0x23000000>, <0x0 0x50020000 0x0 0x4000 0x0 0x23004000>")
    assert mac["xen,path"] == '"/soc/ethernet@1000"'
    assert mac["interrupts"] == "<0x0 0x14 0x4 0x0 0x15 0x1>"
    assert "dma-coherent" in mac and "iommus" not in mac and "xen,force-assign-without-iommu" not in mac
    phy = re.search(r"phy@3 {\s*reg = <0x3>;\s*phandle = (<\w+>);", done.stdout).group(1)
    assert mac["phy-handle"] == phy
    assert f"phandle = {mac['clocks']}" in done.stdout and 'compatible = "fixed-clock"' in done.stdout
    assert "ethernet@1000: phy-supply: names something the guest does not have, left out" in done.stderr


def test_several_devices_may_share_with_each_other(board):
    done = made(board, "--path", "/soc/dma@2000", "--path", "/soc/twin@3000")
    assert "dma@2000: clocks: only fixed clocks can go with a device" in done.stderr
    assert len(set(re.findall(r"xen,reg = (.*);", done.stdout))) == 2
    made(board, "--path", "/soc/half@6000", "--path", "/soc/rest@6800", "--force")


def test_a_device_without_iommu_needs_force(board):
    done = made(board, "--path", "/soc/plain@a000", "--force")
    plain = properties(done.stdout, "plain@23000000")
    assert "xen,force-assign-without-iommu" in plain
    assert plain["interrupts"] == "<0x0 0x21 0x4>"


@pytest.mark.parametrize(
    "path, said",
    [
        ("/nowhere", "/nowhere: expected the path of a device in the machine's tree"),
        ("nowhere", "nowhere: expected the path of a device"),
        ("/", "/: expected the path of a device"),
        ("/gic@100000", "/gic@100000: Holdfast needs it itself"),
        ("/iommu@200000", "Holdfast needs it itself"),
        ("/memory@80000000", "Holdfast needs it itself"),
        ("/soc/uart@9000", r"Holdfast's console \(stdout-path\)"),
        ("/soc/off@8000", "disabled in the machine's tree"),
        ("/soc/plain@a000", "no IOMMU stands before it"),
        ("/soc/dma@2000", "its DMA stream is /soc/twin@3000's too; give both"),
        ("/soc/line@4000", "SPI 32 is /soc/other@5000's too; give both"),
        ("/soc/half@6000", "registers at 0x50006800 are in a page with /soc/rest@6800's; give both"),
        ("/soc/private@7000", r"expected shared interrupts \(SPIs\), got PPI 7"),
        ("/soc/two@b000", "interrupts-extended: expected those of the GIC"),
        ("/soc/button", "no IOMMU stands before it"),
        ("/bus/hidden@0", r"expected registers \(reg\)"),
    ],
)
def test_refused(board, path, said):
    done = holdfast_dt(board, "--path", path)
    assert done.returncode == 1 and done.stdout == ""
    assert re.match(f"holdfast-dt: error: .*{said}", done.stderr), done.stderr


@pytest.mark.parametrize(
    "function, said",
    [
        ("0000:01:00.0", "the machine has no PCI segment 0"),
        ("0001:10:00.0", "/pcie@60000000 has buses 0 to 15"),
        ("0001:02:00.0", "iommu-map gives requester ID 0x200 no stream"),
        ("0001:01:00.0", "/chosen/domU9 has it"),
        ("01:00.0", "expected segment:bus:device.function"),
    ],
)
def test_refused_functions(board, function, said):
    done = holdfast_dt(board, "--pci", function)
    assert done.returncode == 1 and said in done.stderr


def test_functions(board, qemu):
    assert made(board, "--pci", "0001:01:00.0", to="domU9").stdout == 'holdfast,pci-functions = "0001:01:00.0";\n'
    done = made(board, "--pci", "0001:01:03.1", "--pci", "0001:01:04.0")
    assert done.stdout == 'holdfast,pci-functions = "0001:01:03.1", "0001:01:04.0";\n'
    assert "0001:01:03.1: /pcie@60000000, stream 0x1019 of /iommu@200000, INTA is SPI 40\n" in done.stderr
    assert "stream 0x18 of /smmuv3@9050000, INTA is SPI 6, as in each 4th slot" in made(qemu, "--pci", "0000:00:03.0").stderr


def test_not_a_tree(tmp_path):
    for content in (b"", b"\xd0\x0d\xfe\xed", b"\xd0\x0d\xfe\xed" + bytes(100), b"x" * 100):
        (tmp_path / "bad").write_bytes(content)
        assert "not a device tree" in holdfast_dt(tmp_path / "bad", "--path", "/x").stderr
    assert holdfast_dt(tmp_path / "none", "--path", "/x").returncode == 1


def starts(folder, board, name, source):
    """The hypervisor's own reading: a domain with this partial tree would start. What it has."""
    (folder / "holdfast.bin").write_bytes(bytes(56) + b"ARM\x64" + b"Holdfast ")
    (folder / "Image").write_bytes(bytes(16) + (0x10000).to_bytes(8, "little") + bytes(32) + b"ARM\x64" + bytes(100))
    (folder / "config").write_text(
        f"memory: [0x40000000, 0x60000000]\nholdfast: holdfast.bin\ndevice-tree: {board}\n"
        f"domains: [{{name: domU1, kernel: Image, memory: 16, device-tree: {name}}}]\n"
    )
    (folder / name).write_bytes(source)
    done = subprocess.run([ROOT / "scripts/holdfast-image", folder / "config", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_hypervisor_takes_them(qemu, tmp_path):
    made(qemu, "--path", "/pl031@9010000", "--force", "-o", tmp_path / "rtc.dtb")
    said = starts(tmp_path, qemu, "rtc.dtb", (tmp_path / "rtc.dtb").read_bytes())
    assert "registers of 0x9010000\n  SPI 2 (INTID 34)\n" in said
    made(qemu, "--path", "/pcie@10000000", "-o", tmp_path / "bridge.dtb")
    said = starts(tmp_path, qemu, "bridge.dtb", (tmp_path / "bridge.dtb").read_bytes())
    assert "registers of 0x4010000000\n" in said and "DMA streams 0x0..0xffff of smmuv3@9050000" in said
    assert [int(spi) for spi in re.findall(r"  SPI (\d+) ", said)] == [3, 4, 5, 6]


def test_the_bridge_is_the_example(qemu):
    """dts/pci-bridge.dts, which a guest runs with, says the same."""
    example = subprocess.run(
        ["dtc", "-q", "-O", "dts", ROOT / "dts/pci-bridge.dts"], check=True, capture_output=True, text=True
    ).stdout
    ours = subprocess.run(
        ["dtc", "-q", "-O", "dts"], input=made(qemu, "--path", "/pcie@10000000").stdout,
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    one, other = (properties(text, "pcie@10000000") for text in (example, ours))
    assert one == other
