"""holdfast-image: what it makes of a configuration, and what it refuses. Nothing is started."""
import os
import pathlib
import re
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = pathlib.Path(__file__).parent / "golden"

BOARD = """/dts-v1/;
/memreserve/ 0x40800000 0x1000;
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x40000000>; };
    reserved-memory {
        #address-cells = <1>; #size-cells = <1>; ranges;
        firmware@41000000 { reg = <0x41000000 0x300000>; no-map; };
    };
    cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { reg = <0>; }; cpu@1 { reg = <1>; }; };
    chosen { stdout-path = "/uart"; };
    uart { };
};
"""
MINIMAL = """
memory: [0x40000000, 0x60000000]
holdfast: holdfast.bin
domains:
  - {name: a, kernel: Image, memory: 16}
"""


def image(size, wanted):
    """An arm64 Image of `size` bytes that wants `wanted` bytes of memory."""
    return (bytes(16) + struct.pack("<QQ", wanted, 0xA) + bytes(24) + b"ARM\x64").ljust(size, b"\0")


@pytest.fixture
def folder(tmp_path):
    """A directory with the files that configurations name."""
    (tmp_path / "holdfast.bin").write_bytes(image(0x35000 - 9, 0x280000) + b"Holdfast ")
    (tmp_path / "Image").write_bytes(image(5000001, 6000000))
    (tmp_path / "initrd").write_bytes(bytes(1000))
    (tmp_path / "board.dts").write_text(BOARD)
    (tmp_path / "elf").write_bytes(b"\x7fELF" + bytes(100))
    (tmp_path / "packed").write_bytes(b"\x27\x05\x19\x56" + bytes(100))
    (tmp_path / "empty").write_bytes(b"")
    compile_tree(tmp_path / "board.dts", tmp_path / "board.dtb")
    return tmp_path


def compile_tree(source, tree):
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tree, source], check=True)


def decompile(tree):
    return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", tree], check=True, capture_output=True).stdout.decode()


def make(folder, config, kind, output=None, *options):
    (folder / "config").write_text(config)
    return subprocess.run(
        [ROOT / "scripts/holdfast-image", folder / "config", kind, *([folder / output] if output else []), *options],
        capture_output=True,
        text=True,
    )


def made(*arguments):
    done = make(*arguments)
    assert done.returncode == 0, done.stderr
    return done


def golden(name, text):
    """The text is the one kept in golden/NAME; remove the file to have it written anew."""
    path = GOLDEN / name
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path} was written; look at it and run again")
    assert text == path.read_text()


def script_of(folder):
    """U-Boot's source inside boot.scr: behind a header of 64 bytes and the length of the text, twice."""
    return (folder / "out/boot.scr").read_bytes()[72:].decode("ascii")


FULL = """
memory: [0x40000000, 0x60000000]
holdfast: holdfast.bin
bootargs: iommu=mirror
static-heap: [[0x50000000, 64M]]
source: |
  holdfast,allow-pairs = "one", "two";
domains:
  - name: one
    kernel: Image
    ramdisk: initrd
    memory: 32
    cpus: 2
    static-memory: [[0x44000000, 32M]]
    direct-map: true
    source: |
      ec1: evtchn@1 { compatible = "xen,evtchn-v1"; xen,evtchn = <10 &ec2>; };
  - name: two
    kernel: Image
    memory: 4M
    console: both
    bootargs: it's "quoted" $here
    pci: ["0000:00:02.0"]
    properties: {"holdfast,weight": 512, "xen,enhanced": true, capabilities: control, list: [a, b], cells: [1, 2]}
    source: |
      bytes = [01 02 03];
      ec2: evtchn@1 { compatible = "xen,evtchn-v1"; xen,evtchn = <20 &ec1>; };
"""


def test_commands_for_u_boots_own_tree(folder):
    made(folder, FULL, "tftp", "out")
    golden("full.cmd", script_of(folder))
    assert {p.name for p in (folder / "out").iterdir()} == {
        "holdfast.bin", "Image", "initrd", "holdfast.dtbo", "boot.scr"
    }  # fmt: skip


def test_tree_joined_with_the_boards(folder):
    """Modules go round memreserve, reserved memory and static memory; CPUs of the board can be named."""
    config = FULL + "device-tree: board.dtb\n"
    config = config.replace('"one", "two";', '"one", "two";\n  pool { cpus = <&{/cpus/cpu@1}>; };')
    made(folder, config, "tftp", "out")
    golden("joined.cmd", script_of(folder))
    golden("joined.dts", decompile(folder / "out/holdfast.dtb"))


def test_the_overlay_says_the_same_as_the_joined_tree(folder):
    made(folder, FULL, "tftp", "out")
    (folder / "board.dts").write_text("/dts-v1/; / { chosen { }; };")
    compile_tree(folder / "board.dts", folder / "plain.dtb")
    subprocess.run(
        ["fdtoverlay", "-i", folder / "plain.dtb", "-o", folder / "applied.dtb", folder / "out/holdfast.dtbo"], check=True
    )
    compile_tree(folder / "board.dts", folder / "board.dtb")
    made(folder, FULL + "device-tree: board.dtb\n", "tftp", "joined")
    assert sorted(decompile(folder / "applied.dtb").split("\n")) == sorted(decompile(folder / "joined/holdfast.dtb").split("\n"))


IMAGEBUILDER = """# as for Xen
MEMORY_START="0x40000000"
MEMORY_END="0x60000000"
LOAD_CMD="tftpb"
DEVICE_TREE="board.dtb"
XEN="holdfast.bin"
XEN_CMD="console=dtuart sched=null"
NUM_DOMUS=2
DOMU_KERNEL[0]="Image"
DOMU_RAMDISK[0]="initrd"
DOMU_MEM[0]=32
DOMU_VCPUS[0]=2
DOMU_STATIC_MEM[0]="0x44000000 0x2000000"
DOMU_ENHANCED[0]=1
DOMU_KERNEL[1]="Image"
DOMU_CMD[1]="console=ttyAMA0 quiet"
DOMU_COLORS[1]="0-3"
BITSTREAM="fpga.bin"
UBOOT_SCRIPT="boot.scr"
"""


def test_imagebuilder_variables(folder):
    done = made(folder, IMAGEBUILDER, "tftp", "out")
    golden("imagebuilder.dts", decompile(folder / "out/holdfast.dtb"))
    assert re.findall(r"config: (\S+): not", done.stderr) == ["XEN_CMD", "DOMU_COLORS[1]", "BITSTREAM"]


def test_nothing_overlaps(folder):
    """Whatever is taken, what is loaded lies clear of it and of each other."""
    kernels = []
    for n in range(12):
        (folder / f"k{n}").write_bytes(image(1 + n * 700001, 0))
        kernels.append(f"  - {{name: d{n}, kernel: k{n}, memory: {8 + n}}}")
    for n in range(6):
        kernels.append(f"  - {{name: s{n}, kernel: k{n}, memory: 4, static-memory: [[{0x41400000 + n * 0x900000:#x}, 4M]]}}")
    config = "memory: [0x40000000, 0x60000000]\nholdfast: holdfast.bin\ndevice-tree: board.dtb\ndomains:\n" + "\n".join(kernels)
    made(folder, config, "tftp", "out")
    taken = [(0x40000000, 0x40400000), (0x40800000, 0x40801000), (0x41000000, 0x41300000), (0x5F000000, 0x60000000)]
    taken += [(0x41400000 + n * 0x900000, 0x41800000 + n * 0x900000) for n in range(6)]
    loads = re.findall(r"tftpb (\w+) (\S+) ", script_of(folder))
    assert len(loads) == 14
    for at, name in loads:
        room = 0x280000 if name == "holdfast.bin" else (folder / "out" / name).stat().st_size
        taken.append((int(at, 16), int(at, 16) + room))
    taken.sort()
    for one, other in zip(taken, taken[1:]):
        assert one[1] <= other[0], (one, other)


def test_names_for_the_boot_loader(folder):
    """Its own file system knows no case, and its shell takes blanks and dollars for its own."""
    (folder / "sub").mkdir()
    (folder / "sub/image").write_bytes(image(100, 0))
    (folder / "sub/an $odd 'name'").write_bytes(image(200, 0))
    config = MINIMAL + "  - {name: b, kernel: sub/image, memory: 16}\n"
    made(folder, config + "  - {name: c, kernel: sub/an $odd 'name', memory: 16}\n", "tftp", "out")
    assert (folder / "out/Image").stat().st_size == 5000001
    assert (folder / "out/1-image").stat().st_size == 100
    assert (folder / "out/an__odd__name_").stat().st_size == 200
    assert "tftpb 0x41000000 an__odd__name_ " in script_of(folder)


def test_disk(folder):
    made(folder, MINIMAL, "disk", "out.img")
    listing = subprocess.run(["mdir", "-b", "-i", f"{folder}/out.img@@1M", "::"], capture_output=True, check=True)
    assert listing.stdout.decode().split() == ["::/holdfast.bin", "::/Image", "::/holdfast.dtbo", "::/boot.scr"]
    with open(folder / "out.img", "rb") as disk:
        mbr = disk.read(512)
    start, sectors = struct.unpack("<II", mbr[454:462])
    assert mbr[446] == 0x80 and mbr[510:] == b"\x55\xaa"
    assert (start + sectors) * 512 == (folder / "out.img").stat().st_size


def test_fit(folder):
    done = made(folder, MINIMAL + "device-tree: board.dtb\n", "fit", "out.itb")
    listing = subprocess.run(["dumpimage", "-l", folder / "out.itb"], capture_output=True, text=True, check=True).stdout
    assert "Load Address: 0x40400000" in listing and "Loadables:    module-1" in listing
    assert re.search(r"bootm 0x[0-9a-f]+$", done.stdout.strip())


def test_arm32(folder):
    """The hypervisor's image says how it is started, and what QEMU must have."""
    words = struct.pack("<III", 0x016F2818, 0, 0x280000)
    (folder / "holdfast.bin").write_bytes((bytes(36) + words + b"Holdfast ").ljust(0x35000, b"\0"))
    made(folder, MINIMAL, "tftp", "out")
    assert re.search(r"\nsetenv fdt_high 0xffffffff\nbootz 0x40400000 - 0x\w+\n\Z", script_of(folder))
    assert (folder / "out/boot.scr").read_bytes()[29] == 2  # 32-bit Arm, as U-Boot's image format counts
    done = made(folder, MINIMAL + "device-tree: board.dtb\n", "qemu", "out")
    assert " -M virt,virtualization=on,gic-version=2 -cpu cortex-a15 " in done.stdout
    made(folder, MINIMAL + "device-tree: board.dtb\n", "fit", "out.itb")
    listing = subprocess.run(["dumpimage", "-l", folder / "out.itb"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Architecture: +ARM\n", listing) and "AArch64" not in listing


def test_qemu(folder):
    done = made(folder, MINIMAL + "device-tree: board.dtb\n", "qemu", "out")
    at = re.search(r"loader,file=\S+/Image,addr=(\w+),", done.stdout).group(1)
    assert f"module@{at[2:]} " in decompile(folder / "out/holdfast.dtb")


# What cannot work: a change of the minimal configuration, and what is said of it.
REFUSED = [
    ("name: a,", "", r"domain 1: name: expected a node name .* got nothing"),
    ("name: a", "name: a/b", r"domain 1: name: expected a node name .* got 'a/b'"),
    ("name: a", "name: " + "x" * 32, "name: expected a node name"),
    ("memory: 16", "memory: 0", r"domain 1 \(a\): memory: expected the domain's memory in MiB"),
    ("memory: 16", "memory: 5000", "5000.0 MiB, and what is loaded, .* more than the machine has, 1024.0 MiB"),
    ("memory: 16", "memory: lots", "memory: expected .* got 'lots'"),
    ("memory: 16", "memory: 16, cpus: 0", "cpus: expected 1 to 128, got 0"),
    ("memory: 16", "memory: 16, cpus: 129", "cpus: expected 1 to 128"),
    ("memory: 16", "memory: 16, vcpus: 2", "vcpus: not a known key; did you mean 'cpus'"),
    ("memory: 16", "memory: 16, console: hvc0", "console: expected vpl011, ring, both or none"),
    ("memory: 16", "memory: 16, direct-map: true", "direct-map: expected static-memory beside it"),
    ("memory: 16", "memory: 16, static-memory: [[0x50000000, 8M]]", "expected 16384 KiB in all, .* got 8192 KiB"),
    ("memory: 16", "memory: 16, static-memory: [[0x50000001, 16M]]", "static-memory of a: expected whole pages"),
    ("memory: 16", "memory: 16, static-memory: [0x50000000]", r"static-memory: expected a list of \[address, size\]"),
    ("memory: 16", "memory: 16, pci: ['2.0']", "pci: expected a list of PCI functions"),
    ("memory: 16", "memory: 16, properties: {x: 1.5}", "properties: expected names, and"),
    ("memory: 16", "memory: 16, properties: {x: false}", "properties: expected names, and"),
    ("memory: 16", "memory: 16, source: 'nonsense'", "not valid device tree source"),
    ("memory: 16", "memory: 1, ramdisk: Image", "ramdisk: larger than the domain's memory, 1024 KiB"),
    ("memory: 16", "memory: 16, device-tree: Image", "device-tree: expected a compiled device tree"),
    ("kernel: Image", "kernel: nowhere", "kernel: expected a file, there is no .*nowhere"),
    ("kernel: Image", "kernel: elf", "kernel: expected an Image, zImage or raw binary, .* is an ELF file"),
    ("kernel: Image", "kernel: packed", "is packed by mkimage"),
    ("kernel: Image", "kernel: board.dtb", "is a device tree or FIT"),
    ("kernel: Image", "kernel: empty", "is empty"),
    ("kernel: Image", "kernel: 7", "kernel: expected the name of a file, got 7"),
    ("holdfast.bin", "initrd", "expected holdfast.bin, an arm64 Image or a zImage"),
    ("0x60000000]", "0x41c00000]", r"a: Image \(4.8 MiB\) does not fit: memory ends at 0x41c00000"),
    ("0x60000000]", "0x40000000]", r"memory: expected \[start, end\]"),
    ("domains:", "domains: []\nx:", "domains: expected a list of 1 to 64 domains"),
    ("memory: [", "- [", "line 3 not YAML"),
    ("holdfast:", "device-tree: elf\nholdfast:", "elf: not a device tree"),
    ("  - {", "  - {name: a, kernel: Image, memory: 1}\n  - {", "'a' is there twice"),
    ("  - {", "  - {name: b, kernel: Image, memory: 4, static-memory: [[0x50000000, 4M]]}\n"
     "  - {name: c, kernel: Image, memory: 4, static-memory: [[0x50200000, 4M]]}\n  - {",
     "static-memory of c at 0x50200000 overlaps static-memory of b, which ends at 0x50400000"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, said", REFUSED, ids=[said for _, _, said in REFUSED])
def test_refused(folder, old, new, said):
    config = MINIMAL if "device-tree: elf" in new else MINIMAL + "device-tree: board.dtb\n"
    assert old in config
    done = make(folder, config.replace(old, new, 1), "tftp", "out")
    assert done.returncode == 1
    assert re.match(f"holdfast-image: error: .*{said}", done.stderr, re.S), done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('XEN="', 'DOM0_KERNEL="Image"\nXEN="', "there is no dom0"),
        ('MEMORY_END="0x60000000"', "", "expected MEMORY_START and MEMORY_END"),
        ('DOMU_MEM[0]=32', "DOMU_MEM[0]=$SIZE", r"line 11: expected NAME=value without shell syntax"),
        ('DOMU_MEM[0]=32', "DOMU_MEM[0]=much", r"DOMU_MEM\[0\]: expected a number, got 'much'"),
        ('"0x44000000 0x2000000"', '"0x44000000"', r"DOMU_STATIC_MEM\[0\]: expected addresses and sizes"),
        ('DOMU_KERNEL[1]="Image"', "", r"domain 2 \(domU1\): kernel: expected the name of a file, got nothing"),
        ("NUM_DOMUS=2", "NUM_DOMUS=0", "domains: expected a list of 1 to 64"),
        ('XEN="', 'XEN=', "line 6: No closing quotation"),
    ],
)
def test_refused_imagebuilder(folder, old, new, said):
    assert old in IMAGEBUILDER
    done = make(folder, IMAGEBUILDER.replace(old, new, 1), "tftp", "out")
    assert done.returncode == 1
    assert re.search(f"^holdfast-image: error: .*{said}", done.stderr, re.M), done.stderr


@pytest.mark.parametrize("kind", ["disk", "tftp", "qemu"])
def test_an_output_that_cannot_be_made(folder, kind):
    done = make(folder, MINIMAL, kind, "Image/out")
    assert done.returncode == 1
    assert re.fullmatch(r"holdfast-image: error: \S*/Image/out\S*: Not a directory\n", done.stderr.splitlines(True)[-1]), done.stderr


@pytest.mark.parametrize("file, said", [("Image", "this is something else"), ("elf", "this is neither")])
def test_another_file_than_holdfast(folder, file, said):
    done = make(folder, MINIMAL.replace("holdfast.bin", file), "tftp", "out")
    assert done.returncode == 1 and re.search(rf"^holdfast-image: error: \S*/{file}: .*; {said}$", done.stderr, re.M), done.stderr


def test_u_boot_looks_up_nodes_of_its_tree(folder):
    cpus = "source: 'cpus = <7 &{/cpus/cpu@1} &{/cpus/cpu@0}>, <&{/cpus/cpu@1}>;'\n"
    made(folder, MINIMAL + cpus, "tftp", "out")
    script = script_of(folder)
    assert "if fdt get value holdfast_0 /cpus/cpu@1 phandle; then true; else" in script
    assert "if fdt get value holdfast_1 /cpus/cpu@0 phandle; then true; else" in script
    assert "fdt set /chosen cpus <0x7 ${holdfast_0} ${holdfast_1} ${holdfast_0}>" in script


def test_only_what_u_boot_can_do(folder):
    """Without a tree: no labels of the board, no property longer than U-Boot's buffer, no FIT image."""
    one = MINIMAL + "source: 'cpus = <&cpu0>;'\n"
    assert "cpu0: no label of ours; name a node of the board by its path" in make(folder, one, "tftp", "out").stderr
    long = MINIMAL.replace("memory: 16", f"memory: 16, bootargs: {'x' * 1100}")
    assert "U-Boot sets at most 1024 bytes, this has 1101" in make(folder, long, "tftp", "out").stderr
    assert "expected device-tree to be a file" in make(folder, MINIMAL, "fit", "out").stderr
    high = MINIMAL.replace("0x60000000", "0x42a00000") + "device-tree: board.dtb\n"
    assert "expected room for" in make(folder, high, "fit", "out").stderr


@pytest.mark.parametrize(
    "page, first",
    [
        ("images.md", "# Files are named relative to this one."),
        ("images.md", 'MEMORY_START="0x40000000"'),
        ("getting-started.md", "memory: [0x40000000, 0xc0000000]"),
    ],
)
def test_the_files_of_the_guides(folder, page, first):
    text = (ROOT / "docs" / page).read_text()
    block = re.search(rf"^    {re.escape(first)}\n(?:    .*\n)*", text, re.M).group(0)
    for name in ("initrd.gz", "rootfs.cpio.gz"):
        (folder / name).write_bytes(bytes(1000))
    (folder / "build/arm64").mkdir(parents=True)
    (folder / "build/arm64/holdfast.bin").write_bytes((folder / "holdfast.bin").read_bytes())
    made(folder, re.sub("^    ", "", block, flags=re.M), "tftp", "out")
    assert "module@" in script_of(folder) or (folder / "out/holdfast.dtb").exists()


# --- check: the hypervisor's own reading -------------------------------------

CHECK = ROOT / "build/tools/holdfast-check"
QEMU = ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3,iommu=smmuv3,dtb-randomness=off,dumpdtb={}",
        "-cpu", "cortex-a72", "-smp", "2", "-m", "1G", "-nic", "none", "-display", "none"]  # fmt: skip
SERIAL = """/dts-v1/; / {
    #address-cells = <2>; #size-cells = <2>;
    gic: gic { #interrupt-cells = <3>; interrupt-controller; };
    passthrough { compatible = "simple-bus"; ranges; #address-cells = <2>; #size-cells = <2>;
        serial@9040000 { xen,path = "/%s"; xen,reg = <0 0x%x 0 0x1000 0 0x9040000>; xen,force-assign-without-iommu; };
    };
};
"""


@pytest.fixture
def machine(folder):
    """The files of `folder`, with QEMU's tree as the board's and a partial tree for its RTC."""
    subprocess.run([word.format(folder / "board.dtb") for word in QEMU], check=True, capture_output=True)
    (folder / "rtc.dts").write_text(SERIAL % ("pl031@9010000", 0x9010000))
    compile_tree(folder / "rtc.dts", folder / "rtc.dtb")
    return folder


DEVICES = """
memory: [0x40000000, 0x60000000]
holdfast: holdfast.bin
device-tree: board.dtb
source: |
  pool: pool { compatible = "xen,cpupool"; cpupool-cpus = <&{/cpus/cpu@1}>; cpupool-sched = "null"; };
domains:
  - {name: one, kernel: Image, memory: 32, static-memory: [[0x50000000, 32M]], direct-map: true, device-tree: rtc.dtb}
  - {name: two, kernel: Image, memory: 64, pci: ["0000:00:02.0"], source: "domain-cpupool = <&pool>;"}
"""


def test_check_prints_the_machine(machine):
    said = made(machine, DEVICES, "check").stdout
    for part in (
        r"\(HF\) CPU pool pool: a CPU for each vCPU\n",
        r"\(HF\) d1: one: started, 1 vCPU, 32 MiB directly mapped at 0x50000000, kernel Image",
        r"\(HF\) machine: 2 CPUs, 1024 MiB, \d+ MiB free, 1 SMMU\n",
        r"\(HF\)   d1   one +1 +32 MiB +1  vpl011\n\(HF\)   d2   two +1 +64 MiB +1  vpl011\n",
        r"\(HF\) 2 of 2 domains started\n",
        r"0x0040000000\.\.0x007fffffff +1048576 KiB  bank of RAM\n",
        r"0x0040400000\.\.0x004067ffff +2560 KiB  Holdfast\n",
        r"4882 KiB  module \S*/Image\n",
        r"d1: one\n  0x0050000000\.\.0x0051ffffff +32768 KiB  RAM of its own address\n"
        r"  0x0009040000\.\.0x0009040fff +4 KiB  registers of 0x9010000\n  SPI 2 \(INTID 34\)\n",
        r"d2: two\n  0x0040000000\.\.0x0043ffffff +65536 KiB  RAM\n",
        r"DMA streams 0x10\.\.0x10 of smmuv3@9050000\n",
        r"Every domain would start\.\n",
    ):
        assert re.search(part, said), (part, said)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('"0000:00:02.0"]', '"0000:00:02.0"], device-tree: rtc.dtb', "/chosen/two/module@.*: expected registers nobody else has, domain one"),
        ("[0x50000000, 32M]", "[0x90000000, 32M]", "/chosen/one: xen,static-mem: .*0x90000000"),
        ("memory: 64", "memory: 64, properties: {max_grant_version: 3}", "/chosen/two: max_grant_version: expected 1 to 2, got 3"),
        ("memory: 64", "memory: 64, cpus: 2", "/chosen/two: cpus: expected as many as pool pool has CPUs left for"),
        ("memory: 64", "memory: 980", "/chosen/two: memory: expected at most what is free"),
        ("memory: 64", "memory: 2", "/chosen/two: memory: expected at least .* KiB for kernel, ramdisk and device tree"),
        ("0000:00:02.0", "0003:00:02.0", "/chosen/two: holdfast,pci-functions: 0003:00:02.0: "),
        ("name: two, kernel: Image", "name: two, kernel: initrd", r"/chosen/two/module@\w+: expected "),
    ],
)  # fmt: skip
def test_check_finds(machine, old, new, said):
    assert old in DEVICES
    done = make(machine, DEVICES.replace(old, new, 1), "check")
    assert done.returncode == 1 and "not everything would start" in done.stderr
    assert re.search(rf"\(HF\) error: {said}", done.stdout), done.stdout
    assert "(HF) 1 of 2 domains started" in done.stdout
    assert re.search(r"\(HF\)   d[12]   (one|two) +not started\n", done.stdout)


def test_check_reads_the_command_line(machine):
    words = "bootargs: 'audit watchdog=2 iommu=both wacthdog=2 audit-every=many dtuart=/nowhere'\n"
    done = make(machine, words + DEVICES, "check")
    said = re.findall(r"\(HF\) (?:command line|error): (.*)", done.stdout)
    assert said == [
        'audit-every: expected a size such as 64M, got "many"',
        'iommu: expected mirror or shared, got "both"; mirror',
        "dtuart /nowhere: no such node; another console is looked for",
        '"wacthdog=2" is not known, ignored',
    ] and done.returncode == 1


def test_check_before_making(machine):
    wrong = DEVICES.replace("[0x50000000, 32M]", "[0x90000000, 32M]")
    assert make(machine, wrong, "tftp", "out", "--check").returncode == 1
    assert not (machine / "out").exists()
    made(machine, DEVICES, "tftp", "out", "--check")
    assert (machine / "out/boot.scr").exists()


def test_check_by_hand_takes_nothing_for_granted(machine):
    """holdfast-check itself: its arguments are files and numbers of anybody."""
    for arguments, said in (
        ([], "usage"),
        (["nowhere", "0", "0", "0"], "nowhere cannot be read"),
        ([machine / "initrd", "0", "0", "0"], "is not a device tree"),
        ([machine / "board.dtb", "x", "0", "0"], "x is no number"),
        ([machine / "board.dtb", "0x50000000", "0x40400000", "4096", "0x48000000", machine / "Image",
          "0x48100000", machine / "initrd"], "overlaps another file"),
    ):  # fmt: skip
        done = subprocess.run([CHECK, *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and said in done.stderr


def test_installed(machine, tmp_path_factory):
    """`make install` puts the tools where they find each other."""
    root = tmp_path_factory.mktemp("root")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-s", "install", f"DESTDIR={root}"], cwd=ROOT, check=True, capture_output=True, env=environment)
    assert len(list((root / "boot").glob("holdfast-*-arm64.bin"))) == 1
    assert (root / "usr/share/man/man7/holdfast.7").is_file()
    (machine / "config").write_text(DEVICES)
    done = subprocess.run([root / "usr/bin/holdfast-image", machine / "config", "check"], capture_output=True, text=True)
    assert "Every domain would start." in done.stdout, done.stderr
    done = subprocess.run([root / "usr/bin/holdfast-dt", machine / "board.dtb", "--pci", "0000:00:02.0", "--to", "a"])
    assert done.returncode == 0
