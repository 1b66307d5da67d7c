"""A machine under QEMU that boots Holdfast with domains, and its console.

    with Machine("name", [Domain("domU1", cpus=2)]) as machine:
        domain = machine.domain(1)
        domain.wait_up()
        assert domain.run("nproc") == "2"

The log of every machine is kept in build/tests/NAME.log.

HF_GIC=2 in the environment makes machines with a GICv2, HF_ARCH=arm32 32-bit ones with their own
guests, both HF_ARCH=arm32 and HF_GIC=3 those with a GICv3; their logs have a prefix. A test of something
else says so: @pytest.mark.not_on(gicv2="why").
"""
import ctypes
import dataclasses
import hashlib
import os
import pathlib
import re
import struct
import subprocess
import time

import pexpect

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
HOLDFAST = ROOT / os.environ.get("HF_IMAGE", "build/arm64/holdfast.bin")
ELF = ROOT / os.environ.get("HF_ELF", "build/arm64/holdfast.elf")
LINUX = BUILD / "fetched/kernel/Image"
GUESTS = BUILD / "guests"
LINUX_ARMHF = BUILD / "fetched/armhf/zImage"
LINUX_BACKPORTS = BUILD / "fetched/kernel-backports/Image"
INITRD = BUILD / "images/initrd.gz"
INITRD_STRESS = BUILD / "images/initrd-stress.gz"
INITRD_DEVICES = BUILD / "images/initrd-devices.gz"
INITRD_PEERS = BUILD / "images/initrd-peers.gz"
DEBIAN_TREES = [BUILD / f"fetched/{kernel}/usr/lib" for kernel in ("kernel", "armhf")]  # a version is below
U_BOOT_SUNXI = BUILD / "fetched/u-boot-sunxi/u-boot-sunxi-with-spl.bin"
U_BOOT_RPI = BUILD / "fetched/u-boot-rpi/u-boot.bin"
TRUSTED_FIRMWARE = BUILD / "trusted-firmware/qemu/release"
U_BOOT = pathlib.Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
U_BOOT32 = pathlib.Path("/usr/lib/u-boot/qemu_arm/u-boot.bin")

# Where a guest's image has 16 bytes for tests; bytes of a register.
PARAMETERS_AT, WORD = 40, 8

# A 32-bit machine, and one with a GICv3.
ARM32 = {"cpu": "cortex-a15", "gic": "2", "machine": "", "holdfast": BUILD / "arm32/holdfast.bin"}
ARM32_GICV3 = ARM32 | {"cpu": "max", "gic": "3"}

GIC = os.environ.get("HF_GIC", "3")
CPUS = ("cortex-a53", "cortex-a72", "max")  # what most depends on the processor runs on each
CPU, HARDWARE, VARIANT = "cortex-a72", "iommu=smmuv3", "" if GIC == "3" else f"gicv{GIC}-"
if os.environ.get("HF_ARCH") == "arm32":
    CPUS, VARIANT = ("cortex-a7", "cortex-a15"), "on-arm32-"
    if "HF_GIC" in os.environ:
        ARM32, CPUS, VARIANT = ARM32_GICV3, ("max",), "gicv3-on-arm32-"
    CPU, GIC, _, HOLDFAST = ARM32.values()
    LINUX, INITRD, ELF = LINUX_ARMHF, BUILD / "images/initrd-armhf.gz", HOLDFAST.with_suffix(".elf")
    GUESTS, PARAMETERS_AT, WORD = BUILD / "guests/a32", 48, 4
    INITRD_DEVICES, INITRD_PEERS = BUILD / "images/initrd-devices-armhf.gz", BUILD / "images/initrd-peers-armhf.gz"
LOGS = os.environ.get("HF_LOGS", "") + VARIANT

# Where things are preloaded; QEMU keeps its own device tree at 0x48000000.
HOLDFAST_AT = 0x40400000
SCRIPT_AT = 0x4E000000
TREE_AT = 0x4F000000
MODULES_AT = 0x50000000

# On a Raspberry Pi, where U-Boot itself is at 0x80000.
RPI_AT = {"holdfast": 0x400000, "tree": 0x2000000, "modules": 0x10000000}

# Seconds that are waited for anything at least. They measure nothing: the host may have other things to do.
PATIENCE = 600

# On an Allwinner board: its first stage writes at each power of two to see how much RAM there is.
SUNXI_AT = {"holdfast": 0x41800000, "tree": 0x49000000, "modules": 0x51000000}

CTRL_A3 = "\x01\x01\x01"
PREFIX = re.compile(r"\((?:HF|XEN|d\d+)\) ")
# What Holdfast says to the terminal before it breaks into the words of a domain that did.
BREAK = "\x18\x1b[0m"
TERMINAL = re.compile(r"\x18\x1b\[(?:0m|!p)")
SWITCHED = r"Serial input to [^\n]*?(Holdfast|hypervisor|Xen|DOM0|\(?d\d+\)?|DOM\d+)[^\n]*\n"


class ConsoleError(AssertionError):
    """The console did not say what was expected."""


@dataclasses.dataclass
class Domain:
    """A domU node. `kernel` and `ramdisk` are files, or (file, address) or None; `properties` are
    lines of device tree source that replace or add to the usual ones (None removes one). `devices` is the
    source of a partial device tree, or a file with the tree."""

    name: str
    cpus: int = 1
    memory_mib: int = 256
    kernel: object = LINUX
    ramdisk: object = INITRD
    bootargs: str = None
    quick: bool = True  # Linux leaves out its tests of ciphers, which are two thirds of its instructions
    properties: dict = dataclasses.field(default_factory=dict)
    kernel_properties: dict = dataclasses.field(default_factory=dict)
    ramdisk_properties: dict = dataclasses.field(default_factory=dict)
    devices: object = None
    nodes: str = ""  # more children, as source

    def source(self, modules):
        """Device tree source of the node; `modules` gives (address, size) of a file."""
        properties = {
            "compatible": '"xen,domain"',
            "#address-cells": "<2>",
            "#size-cells": "<2>",
            "cpus": f"<{self.cpus}>",
            "memory": f"<0 {self.memory_mib * 1024}>",
            "vpl011": True,
        }
        bootargs = self.bootargs
        if bootargs is None:
            bootargs = f"console=ttyAMA0 hostname={self.name} panic=-1" + (" cryptomgr.notests" if self.quick else "")
        children = ""
        if self.kernel:
            children += self._module(
                "kernel", modules[self.kernel], {"bootargs": f'"{bootargs}"'}, self.kernel_properties
            )
        if self.ramdisk:
            children += self._module("ramdisk", modules[self.ramdisk], {}, self.ramdisk_properties)
        if self.devices:
            children += self._module("device-tree", modules[self.devices], {}, {})
        return f"{self.name} {{\n{lines(properties | self.properties)}{children}{self.nodes}}};\n"

    @staticmethod
    def _module(kind, where, more, changes):
        address, size = where
        properties = {
            "compatible": f'"multiboot,{kind}", "multiboot,module"',
            "reg": f"<{address >> 32:#x} {address & 0xffffffff:#x} 0 {size:#x}>",
        }
        return f"{kind} {{\n{lines(properties | more | changes)}}};\n"


def with_parameters(guest, name, parameters):
    """A copy of a bare-metal guest with these bytes in its image."""
    image = bytearray((GUESTS / f"{guest}.bin").read_bytes())
    image[PARAMETERS_AT : PARAMETERS_AT + len(parameters)] = parameters
    path = BUILD / f"tests/{VARIANT}{name}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    return path


def lines(properties):
    """Device tree source of properties: True is an empty one, None is left out."""
    text = ""
    for name, value in properties.items():
        if value is True:
            text += f"{name};\n"
        elif value is not None:
            text += f"{name} = {value};\n"
    return text


def die_with_parent():
    """In the child: no QEMU stays behind when the tests are killed (prctl: PR_SET_PDEATHSIG, SIGKILL)."""
    ctypes.CDLL(None).prctl(1, 9)


class Machine:
    """One QEMU. boot: "u-boot" (everything preloaded), "kernel" (QEMU's -kernel), "el3" (by
    firmware that jumps there), "tf-a" (U-Boot below Trusted Firmware), "rpi" (U-Boot with a script on an SD card; the rest preloaded), "sunxi" (the same, and U-Boot is on the card too) or a
    disk image. A board other than virt is QEMU's name with its options; `board_tree` is the name of
    its tree in Debian's kernel package (None: QEMU makes it), `serial` which UART is the console."""

    def __init__(
        self,
        name,
        domains=(),
        boot="kernel",
        cpu=CPU,
        smp=2,
        memory="2G",
        gic=GIC,
        machine=HARDWARE,
        icount=True,
        chosen="",
        root="",
        hv_bootargs="",
        holdfast=HOLDFAST,
        options=(),
        board="virt",
        board_tree=None,
        serial=0,
        u_boot_commands="",
    ):
        name = LOGS + name
        self.name = name
        self.domains = list(domains)
        self.directory = BUILD / "tests" / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = BUILD / "tests" / f"{name}.log"
        self.focused = None
        self.patience = PATIENCE
        self._u_boot_commands = u_boot_commands
        self._cwd = ROOT
        self.may_leak = False  # the test makes it so
        self._tag = 0
        self._size = memory
        self._board_tree = board_tree
        self._arch32 = any(part.startswith("arm32") for part in pathlib.Path(holdfast).parts)
        same = board.startswith("virt") and gic == GIC and self._arch32 == ("arm32" in HOLDFAST.parts)
        assert not VARIANT or same, "the test has another machine; mark it not_on"
        self._u_boot_image = U_BOOT32 if self._arch32 else U_BOOT
        self._machine = board
        if board.startswith("virt"):
            self._machine += f",virtualization=on,gic-version={gic}" + (f",{machine}" if machine else "")
            # Where QEMU has PCI's configuration space when firmware runs first, also in the tree made without.
            self._machine += ",highmem-ecam=off" if self._arch32 and boot == "u-boot" else ""
            command = ["-cpu", cpu, "-smp", str(smp)] + self._memory_options()
        else:
            command = ["-audio", "driver=none", "-smp", str(smp)] + self._memory_options()
        command += ["-nic", "none", "-display", "none", "-monitor", "none"]
        # Under it QEMU's CPUs run in turns, and an invalidation of all CPUs' TLBs ends one. Debian's 32-bit kernel does
        # one for each page of its own, in stop_machine(), where its other CPU spins through its turns: a minute
        # of guest time, also on QEMU without Holdfast.
        slow = self._arch32 and any(d.cpus > 1 and d.kernel == LINUX_ARMHF for d in self.domains)
        if icount and not slow:
            command += ["-icount", "shift=2,sleep=off"]
        command += options
        self._hardware = list(command)
        self._emulator = "qemu-system-arm" if self._arch32 else "qemu-system-aarch64"
        command += ["-serial", "null"] * serial
        command += ["-chardev", "stdio,id=con,mux=off,signal=off", "-serial", "chardev:con"]
        if boot in ("u-boot", "kernel", "el3", "tf-a", "rpi", "sunxi"):
            modules = self._place_modules({"rpi": RPI_AT, "sunxi": SUNXI_AT}.get(boot, {"modules": MODULES_AT})["modules"])
            for file, (address, _) in modules.items():
                command += self._preload(file, address)
            tree = self._tree(modules, chosen, root, hv_bootargs)
            if boot == "kernel":
                command += ["-kernel", str(holdfast), "-dtb", str(tree)]
            elif boot == "el3":
                command += ["-bios", str(BUILD / "guests/firmware.bin")]
                command += self._preload(holdfast, HOLDFAST_AT) + self._preload(tree, TREE_AT)
            elif boot == "tf-a":
                command += self._u_boot(tree, holdfast, self._trusted_firmware())
            elif boot == "rpi":
                command += self._rpi(tree, holdfast)
            elif boot == "sunxi":
                at = SUNXI_AT
                card = self._card(f"bootz {at['holdfast']:#x} - {at['tree']:#x}\n", U_BOOT_SUNXI.read_bytes())
                command += card + self._preload(holdfast, at["holdfast"]) + self._preload(tree, at["tree"])
            else:
                command += self._u_boot(tree, holdfast)
        else:
            command += ["-bios", str(self._u_boot_image), "-device", "virtio-blk-pci,drive=disk"]
            command += ["-drive", f"if=none,id=disk,format=raw,readonly=on,file={boot}"]
        self.command = [self._emulator, "-M", self._machine] + command
        self._child = None
        self._log = None

    # --- starting and ending ---

    def __enter__(self):
        self._log = open(self.log_path, "w", encoding="utf-8", errors="replace", newline="")
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
        self._log.write(" ".join(self.command) + f" # {test}\n")
        self._child = pexpect.spawn(
            self.command[0],
            self.command[1:],
            encoding="utf-8",
            codec_errors="replace",
            timeout=PATIENCE,
            echo=False,
            logfile=None,
            cwd=str(self._cwd),
            preexec_fn=die_with_parent,
        )
        self._child.logfile_read = self._log
        self._child.delaybeforesend = None
        return self

    def __exit__(self, problem, *_):
        if not problem:
            self._settle()
        self._drain()
        self._child.close(force=True)
        self._log.close()
        said = self.log()
        said = said[: said.rfind("\n") + 1]  # the last line may be half of one
        gic = re.search(r"\(HF\) GICv(\d): ", said)
        assert problem or not VARIANT or not gic or gic.group(1) == GIC, gic.group(0)
        lost = re.findall(
            r"\(HF\) (?:audit: d\d+: (?!clean)|warning: d\d+: [^\n]* did not come back|leak)[^\n]*", said
        )
        assert problem or self.may_leak or not lost, lost

    def _settle(self):
        """Until no page is held by others: who holds some may be dying."""
        held = r"\(HF\) (d\d+: [^\n]*): some of its pages are held by others\n"
        back = r"\(HF\) (d\d+: [^\n]*): the last of its pages came back\n"
        while True:
            said = self.log()
            if sorted(re.findall(held, said)) == sorted(re.findall(back, said)):
                return
            self.expect("\n")

    def _drain(self):
        """The rest of what QEMU said, for the log; a second of it from one that never falls silent."""
        end = time.monotonic() + 1
        try:
            while time.monotonic() < end and self._child.read_nonblocking(65536, timeout=0.1):
                pass
        except (pexpect.TIMEOUT, pexpect.EOF, OSError, ValueError):
            pass

    def wait_exit(self, timeout=0):
        """QEMU's exit status, once it ended by itself."""
        try:
            self._child.expect(pexpect.EOF, timeout=max(timeout, self.patience))
        except pexpect.TIMEOUT:
            raise ConsoleError(f"QEMU did not end; {self._tail()}") from None
        self._child.close()
        return self._child.exitstatus

    # --- console ---

    def expect(self, pattern, timeout=0):
        """Waits for a regular expression anywhere on the console; returns the match."""
        timeout = max(timeout, self.patience)
        try:
            self._child.expect(pattern, timeout=timeout)
        except (pexpect.TIMEOUT, pexpect.EOF) as problem:
            kind = "QEMU ended" if isinstance(problem, pexpect.EOF) else f"{timeout} s passed"
            raise ConsoleError(f"{kind} while waiting for {pattern!r}; {self._tail()}") from None
        return self._child.match

    def expect_all(self, patterns, timeout=0):
        """Waits for several patterns, in any order."""
        wanted = list(patterns)
        while wanted:
            match = self.expect("|".join(f"(?:{p})" for p in wanted), timeout)
            wanted = [p for p in wanted if not re.search(p, match.group(0))]

    def told(self, pattern, since=0):
        """Waits until the console has said it, behind the first `since` characters of log(). Unlike expect(),
        also when it did while something else was waited for."""
        while not (match := re.search(pattern, self.log()[since:])):
            self.expect("\n")
        return match

    def _tail(self):
        text = self.log()
        return f"the end of {self.log_path.relative_to(ROOT)}:\n" + text[-1500:]

    def log(self):
        """Everything said so far."""
        if not self._log.closed:
            self._log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace", newline="") as file:
            return TERMINAL.sub("", file.read().replace("\r", ""))

    def send(self, text):
        """Types, no faster than a guest with a FIFO of 32 bytes can be expected to read."""
        for start in range(0, len(text), 16):
            self._child.send(text[start : start + 16])
            time.sleep(0.01)

    def domain(self, number):
        """The console of a domain; they are numbered from 1 as they stand in the device tree."""
        return Console(self, number, self.domains[number - 1].name if self.domains else None)

    def focus(self, number):
        """Switches the input to a domain (0: Holdfast itself)."""
        if self.focused == number:
            return
        for _ in range(len(self.domains) + 2 if self.domains else 6):
            self._child.send(CTRL_A3)
            target = self.expect(SWITCHED).group(1)
            digits = re.search(r"d(\d+)|DOM(\d+)", target)
            self.focused = int(digits.group(1) or digits.group(2)) if digits else 0
            if self.focused == number:
                return
        raise ConsoleError(f"the input does not switch to domain {number}; {self._tail()}")

    def next_tag(self):
        """A word that no earlier output has."""
        self._tag += 1
        return f"{self._tag}_{os.getpid()}"

    # --- what is loaded ---

    def _memory_options(self):
        if int(self._size[:-1]) > 4:
            return [
                "-m", self._size, "-object",
                f"memory-backend-ram,id=ram,size={self._size},reserve=off",
                "-machine", "memory-backend=ram",
            ]  # fmt: skip
        return ["-m", self._size]

    def _place_modules(self, at):
        """{file or (file, address): (address, size)}, each file once, at the next 2 MiB."""
        placed = {}
        for domain in self.domains:
            if isinstance(domain.devices, str):
                domain.devices = self._compile(f"devices-{domain.name}", domain.devices)
            for file in (domain.kernel, domain.ramdisk, domain.devices):
                if file and file not in placed:
                    size = os.path.getsize(file)
                    placed[file] = (at, size)
                    at += (size + 0x1FFFFF) & ~0x1FFFFF
        return placed

    @staticmethod
    def _preload(file, address):
        return ["-device", f"loader,file={file},addr={address:#x},force-raw=on"]

    def _tree(self, modules, chosen, root, hv_bootargs):
        """QEMU's device tree for this machine, with the domains, compiled."""
        parts = "".join(domain.source(modules) for domain in self.domains)
        source = (
            (debian_tree(self._board_tree) if self._board_tree else qemu_tree(self._machine, self._hardware, self._emulator))
            + "/ {\nchosen {\n#address-cells = <2>;\n#size-cells = <2>;\n"
            + f'xen,xen-bootargs = "audit {hv_bootargs}";\n{chosen}{parts}}};\n{root}}};\n'
        )
        return self._compile("machine", source, padding=65536)

    def _compile(self, name, source, padding=0):
        path = self.directory / f"{name}.dts"
        path.write_text(source, encoding="ascii")
        tree = path.with_suffix(".dtb")
        command = ["dtc", "-q", "-f", "-p", str(padding), "-I", "dts", "-O", "dtb", "-o", tree, path]
        subprocess.run(command, check=True)
        return tree

    def _make_script(self, script, image):
        subprocess.run(
            ["mkimage", "-A", "arm" if self._arch32 else "arm64", "-T", "script", "-C", "none", "-d", script, image],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def _card(self, commands, first_stage=b""):
        """An SD card with a boot script; the first stage is where Allwinner's ROM looks for it. Nothing else:
        the models read a card at 1 MB/s."""
        script, image, card = (self.directory / name for name in ("boot.cmd", "boot.scr", "card.img"))
        script.write_text(commands, encoding="ascii")
        self._make_script(script, image)
        start, sectors = 2048, 6144
        entry = b"\x80\xfe\xff\xff\x04\xfe\xff\xff" + struct.pack("<II", start, sectors)  # FAT16
        mbr = (bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa"
        card.write_bytes(mbr.ljust(8192, b"\0") + first_stage)
        os.truncate(card, (start + sectors) * 512)  # a power of two
        fat = f"{card}@@{start * 512}"
        subprocess.run(["mformat", "-i", fat, "-T", str(sectors), "-h", "4", "-s", "32", "::"], check=True)
        subprocess.run(["mcopy", "-i", fat, image, "::/"], check=True)
        return ["-drive", f"if=sd,format=raw,file={card}"]

    def _rpi(self, tree, holdfast):
        """Debian's U-Boot for the board, which finds the script on the SD card."""
        return (
            ["-kernel", str(U_BOOT_RPI), *self._card(f"booti {RPI_AT['holdfast']:#x} - {RPI_AT['tree']:#x}\n")]
            + ["-dtb", str(debian_tree_file(self._board_tree))]
            + self._preload(holdfast, RPI_AT["holdfast"])
            + self._preload(tree, RPI_AT["tree"])
        )

    def _trusted_firmware(self):
        """Its first stage reads the others, and U-Boot, from the working directory of QEMU."""
        self._cwd = self.directory
        for name, file in [(f"{n}.bin", TRUSTED_FIRMWARE / f"{n}.bin") for n in ("bl2", "bl31")] + [("bl33.bin", U_BOOT)]:
            (self.directory / name).write_bytes(file.read_bytes())
        return ["-bios", str(TRUSTED_FIRMWARE / "bl1.bin"), "-semihosting-config", "enable=on,target=native"]

    def _u_boot(self, tree, holdfast, firmware=()):
        """U-Boot that starts the preloaded image without delay."""
        script, settings = self.directory / "boot.cmd", self.directory / "env.txt"
        image, environment = self.directory / "boot.scr", self.directory / "env.img"
        start, all_ones = ("bootz", "0xffffffff") if self._arch32 else ("booti", "0xffffffffffffffff")
        script.write_text(f"{self._u_boot_commands}{start} {HOLDFAST_AT:#x} - {TREE_AT:#x}\n", encoding="ascii")
        settings.write_text(
            f"bootdelay=-2\nfdt_high={all_ones}\ninitrd_high={all_ones}\n"
            f"bootcmd=source {SCRIPT_AT:#x}; poweroff\n",
            encoding="ascii",
        )
        self._make_script(script, image)
        subprocess.run(["mkenvimage", "-s", "0x40000", "-o", environment, settings], check=True)
        os.truncate(environment, 64 << 20)
        return (
            list(firmware or ("-bios", str(self._u_boot_image)))
            + ["-drive", f"if=pflash,unit=1,format=raw,file={environment},readonly=on"]
            + self._preload(holdfast, HOLDFAST_AT)
            + self._preload(image, SCRIPT_AT)
            + self._preload(tree, TREE_AT)
        )


def debian_tree_file(name):
    """The device tree of a board in Debian's kernel package."""
    return next(file for folder in DEBIAN_TREES for file in folder.glob(f"*/{name}"))


def debian_tree(name):
    """Its source."""
    command = ["dtc", "-q", "-I", "dtb", "-O", "dts", debian_tree_file(name)]
    return subprocess.run(command, check=True, capture_output=True, encoding="ascii").stdout


def qemu_tree(machine, options, emulator="qemu-system-aarch64"):
    """Device tree source of a QEMU machine."""
    directory = BUILD / "tests/trees"
    directory.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(" ".join([emulator, machine] + options).encode()).hexdigest()[:16]
    path = directory / f"{key}.dts"
    fixed = ",dtb-randomness=off" if machine.startswith("virt") else ""
    if not path.exists():
        raw = directory / f"{key}.{os.getpid()}.dtb"
        subprocess.run(
            [emulator, "-M", f"{machine}{fixed},dumpdtb={raw}"] + options,
            check=True,
            capture_output=True,
        )
        text = subprocess.run(
            ["dtc", "-q", "-I", "dtb", "-O", "dts", raw], check=True, capture_output=True
        ).stdout
        new = raw.with_suffix(".new")
        new.write_bytes(text)
        new.rename(path)
        raw.unlink()
    return path.read_text(encoding="ascii")


class Console:
    """One domain's side of the machine's console."""

    def __init__(self, machine, number, name):
        self.machine, self.number = machine, number
        self.name = name or f"domU{number}"

    def wait_up(self, timeout=0):
        """Until the shell of a Linux domain is there."""
        self.machine.expect(f"guest {self.name}: userspace up", timeout)

    def run(self, command, timeout=0):
        """Runs a shell command; returns its output, without what others say meanwhile."""
        machine, tag = self.machine, self.machine.next_tag()
        machine.focus(self.number)
        # The command to the terminal makes Holdfast tell who breaks into the domain's lines from then on.
        machine.send(f'printf "\\033[mbegin-{tag}\\n"; {command}; echo "end"-{tag}=$?\r')
        lines = self._lines(timeout)
        while f"\033[mbegin-{tag}" not in next(lines):
            pass
        output = ""
        while not (end := re.search(rf"end-{tag}=(\d+)", output)):
            output += next(lines) + "\n"
        output = output[: end.start()].strip()
        if end.group(1) != "0":
            raise ConsoleError(f"{self.name}: {command!r} returned {end.group(1)}: {output}")
        return output

    def _lines(self, timeout):
        """The domain's lines, without a prefix, those whole that others broke into."""
        whole = ""
        while True:
            line = self.machine.expect(r"[^\n]*\n", timeout).group(0).replace("\r", "")[:-1]
            source = PREFIX.match(TERMINAL.sub("", line))
            if source and source.group(0) != f"(d{self.number}) ":
                continue
            whole += PREFIX.sub("", line)
            if whole.endswith(BREAK):
                whole = whole[: -len(BREAK)]
                continue
            yield TERMINAL.sub("", whole)
            whole = ""

    def type(self, text):
        """Types a line to the domain."""
        self.machine.focus(self.number)
        self.machine.send(text + "\r")
