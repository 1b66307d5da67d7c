"""What can be made of a configuration: a disk image, a FIT image, a TFTP folder, a QEMU machine."""
import os
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

from . import Refused, layout, panes, schema, tree

QEMU = "qemu-system-aarch64"
QEMU_RAM = 0x40000000
# QEMU puts the tree it is given with -dtb here when the machine has 256 MiB or more.
QEMU_TREE = (QEMU_RAM + (128 << 20), 2 << 20, "QEMU's copy of the device tree")

# ImageBuilder's short names of load commands.
LOAD = {"tftp": "tftpb", "sd": "load mmc 0:1", "scsi": "load scsi 0:1"}
LOAD_FROM_DISK = "load ${devtype} ${devnum}:${distro_bootpart}"


def run(command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, **options)
    if done.returncode:
        raise Refused(f"{command[0]} failed: {(done.stderr or done.stdout).decode().strip()}")


def has_tree_file(config):
    return isinstance(config.device_tree, pathlib.Path)


def plan(config):
    """The layout; what a board's tree keeps for itself is kept out of, where the tree is known."""
    if not has_tree_file(config):
        return layout.plan(config)
    ram, reserved = tree.ram_and_reserved(config.device_tree)
    found = layout.plan(config, reserved)
    layout.check_ram(config, found, ram)
    return found


# --- what U-Boot reads ----------------------------------------------------------


def names(found):
    """{file: the name it has for the boot loader}: its own, without what U-Boot's shell would read and
    with a number where two would be the same to FAT."""
    given, used = {}, {"boot.scr", "holdfast.dtb", "holdfast.dtbo"}
    for file in [found.holdfast.file, *found.modules]:
        plain = re.sub(r"[^\w.+-]", "_", file.name, flags=re.ASCII)
        name, n = plain, 1
        while name.lower() in used:
            name, n = f"{n}-{plain}", n + 1
        used.add(name.lower())
        given[file] = name
    return given


def load_lines(load, piece, name):
    """Another file of that name would overlap its neighbours, so its size is looked at."""
    return [
        f"echo Loading {name}",
        f'if {load} {piece.address:#x} {name} && test "${{filesize}}" = {piece.size:x}; then true; else',
        f"  echo holdfast-image: expected {name} with {piece.size} bytes, made for this script; not started",
        "  exit",
        "fi",
    ]


def script(config, found, load, tree_size=None):
    """The boot script; tree_size: of the finished tree, holdfast.dtb, where there is one."""
    lines = ["# Made by holdfast-image. All addresses follow from the sizes of these files."]
    given = names(found)
    for piece in [found.holdfast, *found.modules.values()]:
        lines += load_lines(load, piece, given[piece.file])
    if tree_size:
        lines += load_lines(load, layout.Piece(None, found.tree, tree_size, 0), "holdfast.dtb")
    else:
        lines += [
            f"fdt addr ${{{config.device_tree[1:]}}}",
            f"fdt move ${{{config.device_tree[1:]}}} {found.tree:#x} {tree.U_BOOT_TREE_GROWTH:#x}",
            "fdt chosen",
            *tree.u_boot_commands(tree.overlay(config, found)),
        ]
    lines += [
        f"setenv fdt_high {found.arch.in_place}",
        f"{found.arch.boot} {found.holdfast.address:#x} - {found.tree:#x}",
    ]
    return "\n".join(lines) + "\n"


def make_script(text, arch, work):
    source, packed = work / "boot.cmd", work / "boot.scr"
    source.write_text(text, encoding="ascii")
    run(["mkimage", "-A", arch.name, "-T", "script", "-C", "none", "-n", "Holdfast", "-d", source, packed])
    return packed


def boot_files(config, found, default_load, work):
    """[(file, name)] for the boot loader; script, overlay or finished tree are made in `work`."""
    load = LOAD.get(config.load, config.load) or default_load
    size = None
    made = []
    if has_tree_file(config):
        joined = tree.joined(config.device_tree, config, found)
        size = len(joined)
        (work / "holdfast.dtb").write_bytes(joined)
        made.append(work / "holdfast.dtb")
    else:
        # For boot loaders that can apply one; our own script does not need it.
        (work / "holdfast.dtbo").write_bytes(tree.overlay(config, found))
        made.append(work / "holdfast.dtbo")
    made.append(make_script(script(config, found, load, size), found.arch, work))
    return [*names(found).items(), *((file, file.name) for file in made)]


# --- outputs ----------------------------------------------------------------------


def in_work(make):
    """Calls make(config, output, work); the output appears whole or not at all."""

    def with_work(config, output):
        with tempfile.TemporaryDirectory() as work:
            return make(config, output and pathlib.Path(output), pathlib.Path(work))

    return with_work


@in_work
def disk(config, output, work):
    """An MBR and one FAT partition with what U-Boot's default environment starts."""
    files = boot_files(config, plan(config), LOAD_FROM_DISK, work)
    start = 2048  # sectors; the usual alignment
    sectors = sum(os.path.getsize(file) for file, _ in files) // 512 // 65536 * 65536 + 2 * 65536
    image = work / "disk.img"
    entry = b"\x80\xfe\xff\xff\x0c\xfe\xff\xff" + struct.pack("<II", start, sectors)  # active, FAT32 by LBA
    with open(image, "wb") as stream:
        stream.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        stream.truncate((start + sectors) * 512)
    fat = f"{image}@@{start * 512}"
    run(["mformat", "-i", fat, "-F", "-T", sectors, "-h", 255, "-s", 63, "-H", start, "-N", "48464653",
         "-v", "HOLDFAST", "::"])  # fmt: skip
    for file, name in files:
        run(["mcopy", "-i", fat, file, f"::/{name}"])
    shutil.move(image, output)
    return f"{output}: disk image, {len(files)} files; U-Boot starts it by itself"


@in_work
def tftp(config, output, work):
    """A folder for a TFTP server, with boot.scr."""
    files = boot_files(config, plan(config), "tftpb", work)
    output.mkdir(parents=True, exist_ok=True)
    for file, name in files:
        shutil.copyfile(file, output / name)
    return f"{output}: {len(files)} files; in U-Boot: tftpb ${{scriptaddr}} boot.scr; source ${{scriptaddr}}"


def fit_image(arch, name, file, kind, address, more=""):
    return (
        f'{name} {{\ndescription = "{file.name}";\ndata = /incbin/("{file.resolve()}");\ntype = "{kind}";\n'
        f'arch = "{arch.name}";\ncompression = "none";\nload = <{tree.cells(address)}>;\n{more}'
        'hash-1 { algo = "sha256"; };\n};\n'
    )


@in_work
def fit(config, output, work):
    """One file for U-Boot's bootm. The tree must be known: a FIT image has no script."""
    if not has_tree_file(config):
        raise Refused("fit: expected device-tree to be a file, a FIT image carries the finished tree")
    found = plan(config)
    joined = work / "holdfast.dtb"
    joined.write_bytes(tree.joined(config.device_tree, config, found))
    at, arch = found.holdfast.address, found.arch
    text = '/dts-v1/;\n/ {\ndescription = "Holdfast";\n#address-cells = <2>;\nimages {\n'
    text += fit_image(arch, "holdfast", found.holdfast.file, "kernel", at, f'os = "linux";\nentry = <{tree.cells(at)}>;\n')
    text += fit_image(arch, "tree", joined, "flat_dt", found.tree)
    loaded = []
    for n, piece in enumerate(found.modules.values(), 1):
        loaded.append(f"module-{n}")
        text += fit_image(arch, loaded[-1], piece.file, "firmware", piece.address, 'os = "linux";\n')
    text += '};\nconfigurations {\ndefault = "holdfast";\nholdfast {\nkernel = "holdfast";\nfdt = "tree";\n'
    text += tree.line("loadables", loaded) + "};\n};\n};\n"
    source, packed = work / "holdfast.its", work / "holdfast.itb"
    source.write_text(text, encoding="utf-8")
    run(["mkimage", "-f", source, packed])
    if found.end + packed.stat().st_size > config.memory[1] - layout.U_BOOT_ROOM:
        raise Refused(
            f"fit: expected room for {layout.hexsize(packed.stat().st_size)} at {found.end:#x}, where the image "
            f"is loaded before its parts are copied to their places; memory ends at {config.memory[1]:#x}"
        )
    shutil.move(packed, output)
    return f"{output}: FIT image; in U-Boot: load it to {found.end:#x}, then: bootm {found.end:#x}"


def qemu_hardware(config):
    machine, (arch, _) = config.qemu, layout.hypervisor(config.holdfast)
    return ["-M", machine.machine or arch.machine, "-cpu", machine.cpu or arch.cpu, "-smp", str(machine.cpus), "-m", machine.memory,
            "-nic", "none", "-display", "none", "-monitor", "none", *machine.options]  # fmt: skip


TERMINAL = ["-chardev", "stdio,id=con,mux=off,signal=off", "-serial", "chardev:con"]


def qemu_tree(config, work):
    """The device tree of the QEMU machine."""
    hardware = qemu_hardware(config)
    hardware[1] += f",dumpdtb={work / 'qemu.dtb'}"
    run([QEMU, *hardware])
    return work / "qemu.dtb"


@in_work
def qemu(config, output, work):
    """A folder with the finished tree; QEMU loads everything itself, without a boot loader."""
    if not has_tree_file(config):
        config.device_tree = qemu_tree(config, work)
    ram, reserved = tree.ram_and_reserved(config.device_tree)
    found = layout.plan(config, [*reserved, QEMU_TREE])
    layout.check_ram(config, found, ram)
    output.mkdir(parents=True, exist_ok=True)
    joined = output / "holdfast.dtb"
    joined.write_bytes(tree.joined(config.device_tree, config, found))
    command = [QEMU, *qemu_hardware(config), *TERMINAL]
    command += ["-kernel", str(config.holdfast.resolve()), "-dtb", str(joined.resolve())]
    for piece in found.modules.values():
        command += ["-device", f"loader,file={piece.file.resolve()},addr={piece.address:#x},force-raw=on"]
    return shlex.join(command)


def find_checker():
    """The hypervisor's own reading of a tree, built for this machine: beside us, or installed."""
    top = pathlib.Path(__file__).resolve().parents[2]
    for path in (top / "build/tools/holdfast-check", top.parent / "libexec/holdfast-check"):
        if path.exists():
            return path
    raise Refused("check: holdfast-check is not there; make build/tools/holdfast-check")


@in_work
def check(config, _, work):
    """What Holdfast would say to the finished tree: memory map, domains, devices, interrupts."""
    checker = find_checker()
    if not has_tree_file(config):
        config.device_tree = qemu_tree(config, work)
        print("The board's tree is not known: this is QEMU's machine.")
    found = plan(config)
    finished = work / "holdfast.dtb"
    finished.write_bytes(tree.joined(config.device_tree, config, found))
    command = [checker, finished, hex(found.tree), hex(found.holdfast.address), hex(found.holdfast.room)]
    for piece in found.modules.values():
        command += [hex(piece.address), os.path.relpath(piece.file)]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    print(done.stdout, end="")
    against = schema.findings([finished])
    if against is None:
        print("\nThe schema was not looked at: dt-validate (Debian's dt-schema) is not there.")
    elif against[finished]:
        print("\n" + "\n".join(f"schema: {said}" for said in against[finished]))
    if done.returncode:
        raise Refused(done.stderr.strip() or "check: not everything would start, see above")
    return "\nEvery domain would start."


HELLO = """
  The terminal is the machine's serial port. Press Ctrl-A three times to switch
  the input from Holdfast to the first domain, to the next and round. Type
  poweroff in every guest to end.
"""

HELLO_PANES = """
  This pane is Holdfast's, and each domain has one of its own. Type poweroff in
  every guest to end. PANES=0 in the environment shows all in one.
"""


def boot(config, output, more):
    """Makes a disk image and starts it by U-Boot in QEMU, on this terminal; does not return."""
    if panes.wanted() and not panes.inside():
        sys.exit(panes.in_new_tmux(sys.argv))
    disk(config, output)
    print(HELLO_PANES if panes.wanted() else HELLO, flush=True)
    u_boot = f"/usr/lib/u-boot/{layout.hypervisor(config.holdfast)[0].u_boot}/u-boot.bin"
    command = [QEMU, *qemu_hardware(config), *TERMINAL, "-bios", u_boot, *more]
    command += ["-drive", f"if=none,id=disk,format=raw,file={output},readonly=on"]
    command += ["-device", "virtio-blk-pci,drive=disk"]
    if panes.wanted():
        sys.exit(panes.run(command, [domain.name for domain in config.domains]))
    os.execvp(QEMU, command)
